// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: soak SECONDS [SEED]
 *
 * Runs the other programs again and again, in an order and with seeds that nobody
 * has chosen, while another process disturbs the machine's memory. Between two
 * programs nothing may be pinned and no context open. Ends at the first oddity, and
 * says every ten seconds what was done.
 */
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"
#include "kselftest.h"
#include "tally.h"

#define TALLY_DIR "/tmp/tally"
#define OUTPUT "/tmp/soak.log"
#define ARGS_MAX 6

/* How long a program may say nothing before it counts as stuck */
#define STUCK_MS (600 * 1000)

/* How long pins may stay when their holders are gone */
#define SETTLE_MS (10 * 1000)

#define REPORT_MS (10 * 1000)

/* "%" stands for a number by chance */
static const char *const programs[][ARGS_MAX] = {
	{ "model", "--seconds", "60", "--seed", "%", "--device=0" },
	{ "kill", "--seconds", "40" },
	{ "fail_nth" },
	{ "fail_carrier" },
	{ "race_pairs" },
	{ "race_page" },
	{ "race" },
	{ "race_revoke" },
	{ "watch" },
	{ "waiting" },
	{ "hostile" },
	{ "lifetime" },
	{ "revoke" },
	{ "events" },
	{ "memlock" },
};

static unsigned int seed;
static long started, reported;
static unsigned long runs;

/* The sum of what all programs have counted, those that are gone included */
static void read_tallies(unsigned long sums[TALLY_NUM])
{
	unsigned long numbers[TALLY_NUM];
	const struct dirent *entry;
	char path[300];
	DIR *dir = opendir(TALLY_DIR);
	int fd;

	CHECK(dir);
	memset(sums, 0, TALLY_NUM * sizeof(*sums));
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), TALLY_DIR "/%s", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (read(fd, numbers, sizeof(numbers)) == sizeof(numbers))
			for (int i = 0; i < TALLY_NUM; i++)
				sums[i] += numbers[i];
		close(fd);
	}
	closedir(dir);
}

static long slab_kib(void)
{
	FILE *meminfo = fopen("/proc/meminfo", "re");
	char line[128];
	long kib = -1;

	CHECK(meminfo);
	while (fgets(line, sizeof(line), meminfo))
		if (sscanf(line, "Slab: %ld", &kib) == 1)
			break;
	fclose(meminfo);
	return kib;
}

static void report(const char *name)
{
	unsigned long sums[TALLY_NUM];

	read_tallies(sums);
	printf("# %4lds: %lu operations, %lu faults, %lu kills, ",
	       (now_ms() - started) / 1000, sums[TALLY_OPERATIONS],
	       sums[TALLY_FAULTS], sums[TALLY_KILLS]);
	printf("%ld pages pinned, %ld KiB slab; run %lu: %s\n",
	       pinned_pages(), slab_kib(), runs, name);
	fflush(stdout);
	reported = now_ms();
}

/* Other pages move and vanish while the programs run */
static pid_t disturb(void)
{
	const pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		write_number("/proc/sys/vm/compact_memory", 1);
		usleep(rand_r(&seed) % 2000000);
		write_number("/proc/sys/vm/drop_caches", 3);
		usleep(rand_r(&seed) % 2000000);
	}
}

static pid_t run(const char *const words[ARGS_MAX])
{
	char *args[ARGS_MAX + 1] = {};
	char number[16], path[256];
	pid_t pid;
	int fd;

	snprintf(path, sizeof(path), "./%s", words[0]);
	snprintf(number, sizeof(number), "%u", rand_r(&seed));
	args[0] = path;
	for (int i = 1; i < ARGS_MAX && words[i]; i++)
		args[i] = strcmp(words[i], "%") ? (char *)words[i] : number;
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK(dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	for (int i = 0; args[i]; i++)
		printf("# %s\n", args[i]);
	fflush(stdout);
	execv(path, args);
	CHECK(!"execv");
	return 0;
}

static off_t output_size(void)
{
	struct stat st;

	return stat(OUTPUT, &st) ? 0 : st.st_size;
}

/* Whether it has ended as it should, and never got stuck */
static bool await(pid_t pid, const char *name)
{
	long last_word = now_ms();
	off_t size = 0;
	int status;

	while (!waitpid(pid, &status, WNOHANG)) {
		if (size != output_size()) {
			size = output_size();
			last_word = now_ms();
		}
		if (now_ms() - last_word > STUCK_MS) {
			printf("# %s is stuck\n", name);
			return false;
		}
		if (now_ms() - reported >= REPORT_MS)
			report(name);
		usleep(100000);
	}
	if (!status)
		return true;
	printf("# %s ended with status %#x\n", name, status);
	return false;
}

/* Who has just been killed takes a moment to let go */
static bool all_is_back(const char *name)
{
	const long deadline = now_ms() + SETTLE_MS;
	long pins, users;

	while ((pins = pinned_pages()) ||
	       (users = read_number("/sys/module/wddmcompat/refcnt"))) {
		if (now_ms() > deadline) {
			printf("# %s left %ld pages pinned or contexts open\n",
			       name, pins);
			return false;
		}
		usleep(10000);
	}
	return true;
}

static void print_output(void)
{
	FILE *output = fopen(OUTPUT, "re");
	char line[1024];

	CHECK(output);
	while (fgets(line, sizeof(line), output))
		printf("#   %s", line);
	fclose(output);
}

/* Run any of the programs */
static bool go_round(void)
{
	const char *const *words = programs[rand_r(&seed) % ARRAY_SIZE(programs)];

	runs++;
	return await(run(words), words[0]) && all_is_back(words[0]);
}

int main(int argc, char **argv)
{
	const long seconds = argc > 1 ? atol(argv[1]) : 0;
	long deadline;
	pid_t disturber;
	bool ok = true;

	if (seconds <= 0) {
		fprintf(stderr, "usage: soak SECONDS [SEED]\n");
		return 2;
	}
	seed = argc > 2 ? strtoul(argv[2], NULL, 0) : (unsigned int)now_ms();
	printf("TAP version 13\n1..1\n# seed %u\n", seed);
	CHECK(!chdir(dirname(argv[0])));
	CHECK(!mkdir(TALLY_DIR, 0700));
	CHECK(!setenv("TALLY", TALLY_DIR, 1));
	disturber = disturb();
	started = now_ms();
	deadline = started + seconds * 1000;
	while (ok && now_ms() < deadline)
		ok = go_round();
	kill(disturber, SIGKILL);
	report("the end");
	if (!ok)
		print_output();
	printf("%s 1 soak\n", ok ? "ok" : "not ok");
	return !ok;
}
