// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random operations on the module, on iommufd and on memory, and a model that says
 * what must come of each. See model.h.
 */
#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "../selftests/tally.h"
#include "model.h"

/* Operations of one seed. Each seed begins in a new process. */
#define OPERATIONS 10000

/* Ordinary users, one for each process, so that nobody else's memory is charged */
#define FIRST_USER 1000000

/* No operation takes so long, in seconds */
#define STUCK 120

#define PROGRESS_MS 10000

int device;
static struct run *current;
static unsigned long operations_done;

/**
 * struct outcome - What has come of a kind of operation
 * @done: It was done so often
 * @refused: And failed as it should
 */
struct outcome {
	unsigned long done;
	unsigned long refused;
};

/* Of all processes, by code; and of the present operation not counted yet */
static struct outcome *outcomes;
static bool is_open;

static void print_usage(FILE *out)
{
	fputs("usage: model [OPTION]...\n"
	      "\n"
	      "  --seed N        the first seed; 1 unless given\n"
	      "  --operations N  how many operations; each 10000 are another seed\n"
	      "  --seconds N     or for how long; without either, 20000 operations\n"
	      "  --device N      the edu device to look with; the first unless given\n"
	      "  --no-device     do not look, where there is none\n"
	      "  --replay FILE   the operations in FILE, one in a line. Those lines of an\n"
	      "                  output that begin with \"#:\" will do\n",
	      out);
}

static void vsay(const char *fmt, va_list args)
{
	if (!*current->message)
		vsnprintf(current->message, sizeof(current->message), fmt,
			  args);
}

void wrong(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsay(fmt, args);
	va_end(args);
	_exit(1);
}

static const char *result_name(long result)
{
	return result < 0 && result > -4096 ? strerrorname_np(-result) : "";
}

/* The first result of an operation is what counts */
void count(long result)
{
	struct outcome *outcome = &outcomes[current->ops[current->at].code];

	if (!is_open)
		return;
	is_open = false;
	if (result < 0)
		outcome->refused++;
	else
		outcome->done++;
}

void expect(const char *what, long want, long got)
{
	count(got);
	if (want != got)
		wrong("%s: %ld %s instead of %ld %s", what, got,
		      result_name(got), want, result_name(want));
}

/* Pages that this process is charged for, which are those that are pinned for it */
static unsigned long charged_pages(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/self/status", "re");

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmPin: %lu", &kib) == 1)
			break;
	fclose(file);
	return kib * 1024 / PAGE_SIZE;
}

void check_pins(void)
{
	const unsigned long charged = charged_pages();

	if (charged < state.pins || charged > state.pins + state.may_be_pinned)
		wrong("%lu pages are pinned instead of %lu to %lu", charged,
		      state.pins, state.pins + state.may_be_pinned);
}

static void become_ordinary(void)
{
	const struct rlimit limit = { MEMLOCK_LIMIT, MEMLOCK_LIMIT };
	const uid_t user = FIRST_USER + getpid();

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit));
	CHECK(!setgroups(0, NULL));
	CHECK(!setresgid(user, user, 0));
	CHECK(!setresuid(user, user, 0));
}

/* After the last operation everything goes, and nothing may be left */
static void finish(const struct env *env)
{
	for (__u64 i = 0; i < CONTEXTS; i++)
		do_close(&i, 1);
	for (__u64 i = 0; i < IOMMUFDS; i++)
		do_fclose(&i, 1);
	truth_end();
	if (state.pins || state.may_be_pinned)
		wrong("the model does not come to its end");
	check_pins();
	memory_end();
	if (!pins_are_back(env))
		wrong("%ld pins are left behind", pins_since(env));
}

static void execute(struct run *run, const __u64 *seed)
{
	struct env env = {};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	current = run;
	become_ordinary();
	env.pins = pinned_pages();
	state_init();
	memory_init();
	if (seed)
		random_seed(*seed);
	for (run->at = 0; run->at < run->num; run->at++) {
		alarm(STUCK);
		if (seed)
			op_generate(&run->ops[run->at]);
		is_open = true;
		op_execute(&run->ops[run->at]);
		tally_add(TALLY_OPERATIONS, 1);
	}
	is_open = false;
	finish(&env);
	_exit(0);
}

struct run *run_alloc(unsigned long num)
{
	struct run *run = mmap(NULL, sizeof(*run) + num * sizeof(run->ops[0]),
			       PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(run != MAP_FAILED);
	run->num = num;
	run->max = num;
	return run;
}

void run_free(struct run *run)
{
	munmap(run, sizeof(*run) + run->max * sizeof(run->ops[0]));
}

static void progress(const struct run *run)
{
	static long last;

	if (now_ms() < last + PROGRESS_MS)
		return;
	if (last) {
		printf("# %lu operations\n", operations_done + run->at);
		fflush(stdout);
	}
	last = now_ms();
}

bool run_execute(struct run *run, const __u64 *seed)
{
	const struct timespec second = { .tv_sec = 1 };
	sigset_t chld;
	int status;
	pid_t pid;

	*run->message = 0;
	fflush(NULL);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		sigprocmask(SIG_UNBLOCK, &chld, NULL);
		execute(run, seed);
	}
	while (!waitpid(pid, &status, WNOHANG)) {
		sigtimedwait(&chld, NULL, &second);
		progress(run);
	}
	if (status && !*run->message)
		snprintf(run->message, sizeof(run->message),
			 "the process ended with %#x: %s", status,
			 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) :
					       "");
	return !status;
}

static void print_message(const struct run *run)
{
	char text[1024];

	if (run->at < run->num) {
		op_print(&run->ops[run->at], text, sizeof(text));
		printf("# operation %lu: %s\n", run->at, text);
	} else {
		printf("# after the last operation\n");
	}
	printf("# %s\n", run->message);
}

/* Tell what was wrong, and the shortest way there */
static void report(struct run *run)
{
	char text[1024];

	print_message(run);
	if (run->at < run->num)
		run->num = run->at + 1;
	printf("# making %lu operations fewer\n", run->num);
	fflush(stdout);
	run = shrink(run);
	printf("# %lu operations do, with --replay:\n", run->num);
	for (unsigned long i = 0; i < run->num; i++) {
		op_print(&run->ops[i], text, sizeof(text));
		printf("#: %s\n", text);
	}
	print_message(run);
	run_free(run);
}

static bool run_seed(__u64 seed, unsigned long num, unsigned int test)
{
	struct run *run = run_alloc(num);
	bool good = run_execute(run, &seed);

	operations_done += run->at;
	if (!good) {
		printf("# seed %llu\n", seed);
		report(run);
	} else {
		run_free(run);
	}
	printf("%sok %u seed %llu: %lu operations\n", good ? "" : "not ", test,
	       seed, num);
	return good;
}

static void print_outcomes(void)
{
	for (unsigned int i = 0; op_name(i); i++)
		if (outcomes[i].done || outcomes[i].refused)
			printf("# %s: %lu done, %lu refused\n", op_name(i),
			       outcomes[i].done, outcomes[i].refused);
}

static int run_seeds(__u64 seed, unsigned long operations, long seconds)
{
	const long deadline = now_ms() + seconds * 1000;
	unsigned int tests = 0;
	bool good = true;

	while (seconds ? now_ms() < deadline : operations_done < operations) {
		unsigned long left = operations - operations_done;

		good = run_seed(seed++,
				seconds || left > OPERATIONS ? OPERATIONS :
							       left,
				++tests);
		if (!good)
			break;
	}
	print_outcomes();
	printf("1..%u\n# %lu operations\n", tests, operations_done);
	return !good;
}

static struct run *read_operations(const char *path)
{
	struct run *run = run_alloc(1000000);
	FILE *file = fopen(path, "re");
	char line[2048];

	if (!file) {
		perror(path);
		exit(2);
	}
	run->num = 0;
	while (fgets(line, sizeof(line), file)) {
		char *text = strncmp(line, "#:", 2) ? line : line + 2;

		if (*text == '#' || *text == '\n')
			continue;
		if (op_parse(&run->ops[run->num], text)) {
			fprintf(stderr, "%s: no operation: %s\n", path, line);
			exit(2);
		}
		run->num++;
	}
	fclose(file);
	return run;
}

static int replay(const char *path)
{
	struct run *run = read_operations(path);
	const unsigned long num = run->num;
	bool good = run_execute(run, NULL);

	if (!good)
		report(run);
	printf("%sok 1 %lu operations\n1..1\n", good ? "" : "not ", num);
	return !good;
}

int main(int argc, char **argv)
{
	const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "operations", required_argument, NULL, 'o' },
		{ "seconds", required_argument, NULL, 't' },
		{ "device", required_argument, NULL, 'd' },
		{ "no-device", no_argument, &device, -1 },
		{ "replay", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	unsigned long operations = 20000;
	const char *path = NULL;
	long seconds = 0;
	__u64 seed = 1;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 0:
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			operations = strtoul(optarg, NULL, 0);
			break;
		case 't':
			seconds = strtol(optarg, NULL, 0);
			break;
		case 'd':
			device = strtol(optarg, NULL, 0);
			break;
		case 'r':
			path = optarg;
			break;
		default:
			print_usage(opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : 2;
		}
	}
	outcomes = mmap(NULL, OP_CODES * sizeof(*outcomes),
			PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			0);
	CHECK(outcomes != MAP_FAILED);
	tally_open("model");
	puts("TAP version 13");
	return path ? replay(path) : run_seeds(seed, operations, seconds);
}
