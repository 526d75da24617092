// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: fuzz SECONDS SEED
 *        fuzz --replay TIMES PROGRAM...
 *
 * Fuzzes the module, by two processes of two threads at a time. Each program is
 * written to the kernel log before it runs, as "fuzz: PROGRAM", so that the last
 * ones before a splat can be replayed. Places of the module's code that were
 * reached are written to /tmp/fuzz.edges.
 */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kselftest.h"
#include "../selftests/fixture.h"
#include "../selftests/tally.h"
#include "ops.h"

#define NUM_WORKERS 2
#define EDGES "/tmp/fuzz.edges"

/* Programs of a process; then it ends, and must not leave anything behind */
#define PROGRAMS 100

/* In nobody's account but the fuzzer's */
#define ORDINARY_USER 64243
#define MEMLOCK_MAX ((size_t)64 << 20)

#define PROGRESS_MS 10000

/* A program takes no longer than this, even where everything is slow */
#define HANG_MS 100000
#define SETTLE_MS 10000

struct shared *shared;

/**
 * struct helper - The second thread of a process
 * @thread: The thread
 * @lane: What it executes calls with
 * @lock: Protects @call and @ready
 * @changed: One of them has changed
 * @call: What it is to execute or is executing
 * @ready: It is waiting for calls
 */
struct helper {
	pthread_t thread;
	struct lane lane;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const struct call *call;
	bool ready;
};

static struct helper helper = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

static void *help(void *arg)
{
	(void)arg;
	lane_init(&helper.lane, 1);
	pthread_mutex_lock(&helper.lock);
	helper.ready = true;
	pthread_cond_broadcast(&helper.changed);
	for (;;) {
		while (!helper.call)
			pthread_cond_wait(&helper.changed, &helper.lock);
		pthread_mutex_unlock(&helper.lock);
		call_execute(&helper.lane, helper.call);
		pthread_mutex_lock(&helper.lock);
		helper.call = NULL;
		pthread_cond_broadcast(&helper.changed);
	}
	return NULL;
}

static void start_helper(void)
{
	CHECK(!pthread_create(&helper.thread, NULL, help, NULL));
	pthread_mutex_lock(&helper.lock);
	while (!helper.ready)
		pthread_cond_wait(&helper.changed, &helper.lock);
	pthread_mutex_unlock(&helper.lock);
}

/* Once the helper is through with the last, if any. NULL just waits. */
static void hand_over(const struct call *call)
{
	pthread_mutex_lock(&helper.lock);
	while (helper.call)
		pthread_cond_wait(&helper.changed, &helper.lock);
	helper.call = call;
	pthread_cond_broadcast(&helper.changed);
	pthread_mutex_unlock(&helper.lock);
}

/* For good, and all threads */
static void become_ordinary(size_t memlock)
{
	const struct rlimit limit = { memlock, memlock };

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit));
	CHECK(!setgroups(0, NULL));
	CHECK(!setresgid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER));
	CHECK(!setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER));
}

static void announce(int log, const struct program *program)
{
	static const char prefix[] = "<6>fuzz: ";
	char text[sizeof(prefix) + PROGRAM_TEXT] = "<6>fuzz: ";

	program_print(program, text + sizeof(prefix) - 1);
	CHECK(write(log, text, strlen(text)) > 0);
}

/* Returns how many new places it has reached */
static unsigned int run_program(int log, struct lane *lane,
				const struct program *program)
{
	unsigned int found;

	announce(log, program);
	kcov_start(lane->trace);
	kcov_start(helper.lane.trace);
	for (__u32 i = 0; i < program->num; i++) {
		const struct call *call = &program->calls[i];

		if (call->how & CALL_ASYNC)
			hand_over(call);
		else
			call_execute(lane, call);
	}
	hand_over(NULL);
	calls_finish();
	found = kcov_collect(lane->trace, shared->seen) +
		kcov_collect(helper.lane.trace, shared->seen);
	atomic_fetch_add(&shared->edges, found);
	atomic_fetch_add(&shared->executed, 1);
	atomic_fetch_add(&shared->calls, program->num);
	atomic_fetch_add(&shared->faults, lane->faults + helper.lane.faults);
	lane->faults = 0;
	helper.lane.faults = 0;
	return found;
}

static void keep(const struct program *program, __u64 *random)
{
	unsigned int at;

	while (atomic_flag_test_and_set(&shared->lock))
		;
	at = shared->num_corpus;
	if (at == CORPUS_MAX)
		at = random_below(random, CORPUS_MAX);
	shared->corpus[at] = *program;
	if (at == shared->num_corpus)
		shared->num_corpus++;
	atomic_flag_clear(&shared->lock);
}

static void next_program(struct program *program, __u64 *random)
{
	unsigned int num = shared->num_corpus;

	if (shared->num_seeds < program_seeds()) {
		unsigned int seed = atomic_fetch_add(&shared->num_seeds, 1);

		if (seed < program_seeds()) {
			program_seed(program, seed);
			return;
		}
	}
	if (!num || !random_below(random, 50)) {
		program_random(program, random);
		return;
	}
	*program = shared->corpus[random_below(random, num)];
	program_mutate(program, &shared->corpus[random_below(random, num)],
		       random);
}

static void start_lanes(struct lane *lane, unsigned int worker, size_t memlock)
{
	calls_init(worker);
	lane_init(lane, 0);
	start_helper();
	calls_begin();
	become_ordinary(memlock);
}

static void work(int log, unsigned int worker, __u64 random)
{
	struct program program;
	struct lane lane = {};

	start_lanes(&lane, worker, MEMLOCK_MAX);
	for (unsigned int i = 0; i < PROGRAMS; i++) {
		next_program(&program, &random);
		if (run_program(log, &lane, &program))
			keep(&program, &random);
	}
	/* As a process ends at any time: in the middle of a program */
	next_program(&program, &random);
	announce(log, &program);
	for (__u32 i = 0; i < program.num; i++)
		call_execute(&lane, &program.calls[i]);
	_exit(0);
}

static pid_t spawn_worker(int log, unsigned int worker, __u64 random)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid)
		work(log, worker, random);
	return pid;
}

static void progress(long start)
{
	printf("# %ld s: %lu programs, %lu calls, %lu failures injected, ",
	       (now_ms() - start) / 1000, shared->executed, shared->calls,
	       shared->faults);
	printf("%u in the corpus, %u edges\n", shared->num_corpus,
	       shared->edges);
	fflush(stdout);
}

/* Is it over, or is something stuck? Returns what waitpid() says */
static int wait_for_worker(pid_t pid, long start, long *reported)
{
	unsigned long executed = shared->executed;
	long since = now_ms();
	int status;

	while (!waitpid(pid, &status, WNOHANG)) {
		usleep(50000);
		if (now_ms() - *reported >= PROGRESS_MS) {
			*reported += PROGRESS_MS;
			progress(start);
		}
		if (executed != shared->executed) {
			executed = shared->executed;
			since = now_ms();
		}
		if (now_ms() - since > HANG_MS) {
			printf("# process %d hangs: see its last program in the kernel log\n",
			       pid);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
	}
	return status;
}

static long contexts(void)
{
	return read_number("/sys/module/wddmcompat/refcnt");
}

static bool is_clean(long pins)
{
	const long deadline = now_ms() + SETTLE_MS;

	while (pinned_pages() != pins || contexts()) {
		if (now_ms() > deadline) {
			printf("# left behind: %ld pins, %ld contexts\n",
			       pinned_pages() - pins, contexts());
			return false;
		}
		usleep(10000);
	}
	return true;
}

/* A generation of processes. Returns whether all went well */
static bool generation(int log, __u64 seed, long start, long *reported)
{
	const long pins = pinned_pages();
	pid_t pids[NUM_WORKERS];
	bool good = true;

	for (unsigned int i = 0; i < NUM_WORKERS; i++)
		pids[i] = spawn_worker(log, i,
				       (seed * NUM_WORKERS + i + 1) *
					       0x9e3779b97f4a7c15ULL);
	for (unsigned int i = 0; i < NUM_WORKERS; i++) {
		int status = wait_for_worker(pids[i], start, reported);

		if (status)
			printf("# process %d ended with status %#x\n", pids[i],
			       status);
		good &= !status;
	}
	return good & is_clean(pins);
}

/* Whether a call has never succeeded: then the fuzzer does not get anywhere */
static bool all_succeeded(void)
{
	bool all = true;

	for (unsigned int i = 0; i < calls_num(); i++) {
		if (i != OP_ODD_IOCTL && !shared->succeeded[i]) {
			printf("# no %s has ever succeeded\n", call_name(i));
			all = false;
		}
	}
	return all;
}

/* With a limit of what the first seed locks it succeeds if nothing else is charged */
static bool memlock_is_back(int log)
{
	const unsigned long before = shared->succeeded[OP_MDL_LOCK];
	struct program program;
	struct lane lane = {};
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (!pid) {
		start_lanes(&lane, 0, 16 * PAGE_SIZE);
		program_seed(&program, 0);
		run_program(log, &lane, &program);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return !status && shared->succeeded[OP_MDL_LOCK] > before;
}

static bool report(const char *what, bool good)
{
	static unsigned int number;

	printf("%s %u %s\n", good ? "ok" : "not ok", ++number, what);
	return good;
}

static int fuzz(int log, long seconds, __u64 seed)
{
	const long start = now_ms();
	long reported = start;
	unsigned long counted = 0, faults = 0;
	bool good = true;

	printf("TAP version 13\n1..4\n");
	while (good && now_ms() - start < seconds * 1000) {
		good = generation(log, seed++, start, &reported);
		tally_add(TALLY_OPERATIONS, shared->calls - counted);
		tally_add(TALLY_FAULTS, shared->faults - faults);
		counted = shared->calls;
		faults = shared->faults;
	}
	progress(start);
	good = report("nothing is left behind and nobody hangs", good);
	good &= report("the memlock charge is back", memlock_is_back(log));
	good &= report("each call succeeds at times", all_succeeded());
	good &= report("code of the module is reached",
		       kcov_write(EDGES, shared->seen) > 0);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int replay(int log, long times, char *texts[], int num)
{
	struct program program;
	struct lane lane = { .verbose = true };

	helper.lane.verbose = true;
	start_lanes(&lane, 0, MEMLOCK_MAX);
	while (times--) {
		for (int i = 0; i < num; i++) {
			if (!program_parse(&program, texts[i])) {
				fprintf(stderr, "not a program: %s\n",
					texts[i]);
				return EXIT_FAILURE;
			}
			printf("# %u new\n",
			       run_program(log, &lane, &program));
			fflush(stdout);
		}
	}
	return EXIT_SUCCESS;
}

static void let_users_open(const char *path)
{
	if (chmod(path, 0666))
		fprintf(stderr, "# %s: %s\n", path, strerror(errno));
}

/* Failures are injected only where fail-nth says, also where it would not hurt */
static void prepare_faults(void)
{
	static const char *const files[] = {
		"failslab/ignore-gfp-wait", "failslab/verbose",
		"fail_page_alloc/ignore-gfp-wait", "fail_page_alloc/verbose",
		"fail_page_alloc/ignore-gfp-highmem",
		"fail_page_alloc/min-order", "fail_usercopy/verbose",
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", files[i]);
		CHECK(!write_number(path, 0));
	}
}

static void prepare(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	let_users_open("/dev/wddmcompat");
	let_users_open("/dev/iommu");
	let_users_open("/dev/vfio/devices/vfio0");
	let_users_open("/dev/vfio/devices/vfio1");
	prepare_faults();
	kcov_init();
}

int main(int argc, char *argv[])
{
	int log;

	if (argc < 3) {
		fprintf(stderr,
			"usage: fuzz SECONDS SEED | fuzz --replay TIMES PROGRAM...\n");
		return 2;
	}
	tally_open("fuzz");
	prepare();
	log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	CHECK(log >= 0);
	if (!strcmp(argv[1], "--replay"))
		return replay(log, atol(argv[2]), argv + 3, argc - 3);
	return fuzz(log, atol(argv[1]), strtoull(argv[2], NULL, 0));
}
