// SPDX-License-Identifier: GPL-2.0-only
/*
 * The works of one case, in turns: A B C A B C..., so that what disturbs the
 * machine for a while disturbs them all. Of each, the median is what counts.
 */
#include <stdlib.h>
#include <time.h>

#include "bench.h"
#include "report.h"

/* What is shorter is done several times in a row, so that the clock does not matter */
#define TURN_NS 100000
#define TURN_MAX 32

__u64 bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static int compare_times(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return (first > second) - (first < second);
}

struct bench_time bench_sum_up(double *times, unsigned int count)
{
	struct bench_time time;

	qsort(times, count, sizeof(*times), compare_times);
	time.median = (times[count / 2] + times[(count - 1) / 2]) / 2;
	time.spread =
		100 * (times[3 * count / 4] - times[count / 4]) / time.median;
	return time;
}

static int take_turn(const struct bench_work *work, struct bench_set *set,
		     unsigned int repeats, double *ns)
{
	__u64 start = bench_now();
	unsigned int i;

	for (i = 0; i < repeats; i++)
		if (work->map(set) || work->unmap(set))
			return -1;
	*ns = (double)(bench_now() - start) / repeats;
	return 0;
}

static bool work_fits(const struct bench_work *work,
		      const struct bench_set *set)
{
	return !work->fits || work->fits(set);
}

/* The first time, which finds no memory in the kernel's caches, does not count */
static int warm_up(struct bench_set *set, unsigned int *repeats)
{
	double ns = 0;
	unsigned int i;

	for (i = 0; i < BENCH_WORKS; i++)
		if (work_fits(&bench_works[i], set) &&
		    take_turn(&bench_works[i], set, 1, &ns))
			return -1;
	if (take_turn(&bench_works[0], set, 1, &ns))
		return -1;
	*repeats = ns * TURN_MAX < TURN_NS ? TURN_MAX : 1 + TURN_NS / ns;
	return 0;
}

static int measure(struct bench_set *set, unsigned int rounds,
		   struct bench_time *times)
{
	static double turns[BENCH_WORKS][BENCH_ROUNDS_MAX];
	unsigned int round, i, repeats;

	if (warm_up(set, &repeats))
		return -1;
	for (round = 0; round < rounds; round++)
		for (i = 0; i < BENCH_WORKS; i++)
			if (work_fits(&bench_works[i], set) &&
			    take_turn(&bench_works[i], set, repeats,
				      &turns[i][round]))
				return -1;
	for (i = 0; i < BENCH_WORKS; i++)
		if (work_fits(&bench_works[i], set))
			times[i] = bench_sum_up(turns[i], rounds);
	return 0;
}

void bench_compare_head(void)
{
	unsigned int i;

	report_text("\n%-9s %6s %11s %6s %6s %-7s %12s %4s", "pages", "next-%",
		    "bytes", "chain", "batch", "device", "raw ns", "+-%");
	for (i = 1; i < BENCH_WORKS; i++)
		report_text(" %9s %4s", bench_works[i].name, "+-%");
	report_text("\n");
}

static void report_works(const struct bench_set *set,
			 const struct bench_time *times)
{
	double ratio;
	unsigned int i;

	report_open_list("works");
	for (i = 0; i < BENCH_WORKS; i++) {
		if (!work_fits(&bench_works[i], set)) {
			report_text(" %9s %4s", "-", "");
			continue;
		}
		ratio = times[i].median / times[0].median;
		report_open_item();
		report_string("work", NULL, "%s", bench_works[i].name);
		report_ratio("ns", times[i].median);
		report_ratio("spread_percent", times[i].spread);
		report_ratio("ratio", ratio);
		report_close();
		if (i)
			report_text(" %9.3f %4.1f", ratio, times[i].spread);
		else
			report_text(" %12.0f %4.1f", times[i].median,
				    times[i].spread);
	}
	report_close();
	report_text("\n");
}

static void report_case(const struct bench_set *set,
			const struct bench_time *times)
{
	const struct bench_case *c = &set->c;
	int adjacent = bench_memory_adjacent(&set->memory);

	report_open_item();
	report_string("pages", NULL, "%s", bench_pages_name(c->pages));
	report_number("size", NULL, c->size, "");
	report_number("chain", NULL, c->chain, "");
	report_number("batch", NULL, c->batch, "");
	report_bool("mixed", c->mixed);
	report_bool("neighbours", c->neighbours);
	report_bool("device", c->attached);
	if (adjacent >= 0)
		report_number("adjacent_percent", NULL, adjacent, "");
	report_text("%-9s %6d %s%9llu %s%5u %6u %-7s",
		    bench_pages_name(c->pages), adjacent,
		    c->mixed ? "<=" : "  ", c->size, c->neighbours ? "+" : " ",
		    c->chain, c->batch, c->attached ? "yes" : "none");
	if (times) {
		report_works(set, times);
	} else {
		report_bool("skipped", true);
		report_text(" this machine has no such pages\n");
	}
	report_close();
}

int bench_compare(const struct bench_rig *rig, const struct bench_case *c,
		  unsigned int rounds)
{
	static struct bench_set set;
	struct bench_time times[BENCH_WORKS];
	int missing;

	missing = bench_set_open(&set, rig, c);
	if (missing < 0 || (!missing && measure(&set, rounds, times)))
		return -1;
	report_case(&set, missing ? NULL : times);
	return missing ? 0 : bench_set_close(&set);
}
