// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two threads at a time, each on an adapter of its own: how much more do they do
 * than one? By iommufd's own calls, and by the module; both adapters are of one
 * iommufd and one context.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "bench.h"
#include "iommufd.h"
#include "memory.h"
#include "module.h"
#include "report.h"
#include "wddmctl.h"

#define NUM_THREADS 2

/* A turn, in microseconds */
#define TURN_US 200000

static const __u64 sizes[] = { 4096, 2 << 20 };

struct job;

struct thread_work {
	const char *name;
	/* Map the job's memory, and unmap it again */
	int (*pair)(struct job *job);
};

/* What one thread does, and how often it did */
struct job {
	const struct bench_rig *rig;
	const struct thread_work *work;
	struct bench_place place;
	struct bench_memory memory;
	__u64 mdl;
	atomic_bool *stop;
	unsigned long pairs;
	int failed;
};

static int raw_pair(struct job *job)
{
	__u64 iova;

	if (iommufd_map(job->rig->iommufd, job->place.ioas,
			(uintptr_t)job->memory.start, job->memory.length,
			&iova))
		return -1;
	return iommufd_unmap(job->rig->iommufd, job->place.ioas, iova,
			     job->memory.length);
}

static int locked_pair(struct job *job)
{
	__u64 iova, memory;

	if (bench_map(job->rig, &job->place, job->mdl, &iova, &memory))
		return -1;
	return bench_unmap(job->rig, &job->place, memory);
}

static const struct thread_work works[] = {
	{ "raw", raw_pair },
	{ "locked", locked_pair },
};

static void *work(void *arg)
{
	struct job *job = arg;

	while (!job->failed && !atomic_load(job->stop)) {
		job->failed = job->work->pair(job);
		job->pairs++;
	}
	return NULL;
}

/* One turn: what @num threads do in a second */
static int take_turn(struct job *jobs, unsigned int num,
		     const struct thread_work *thread_work, double *per_second)
{
	pthread_t threads[NUM_THREADS];
	atomic_bool stop = false;
	unsigned long pairs = 0;
	unsigned int i;
	__u64 start;
	int failed = 0;

	start = bench_now();
	for (i = 0; i < num; i++) {
		jobs[i].work = thread_work;
		jobs[i].stop = &stop;
		jobs[i].pairs = 0;
		if (pthread_create(&threads[i], NULL, work, &jobs[i])) {
			report_error("cannot make a thread");
			return -1;
		}
	}
	usleep(TURN_US);
	atomic_store(&stop, true);
	for (i = 0; i < num; i++) {
		pthread_join(threads[i], NULL);
		pairs += jobs[i].pairs;
		failed |= jobs[i].failed;
	}
	*per_second = pairs * 1e9 / (bench_now() - start);
	return failed;
}

static void report_work(const struct thread_work *thread_work, __u64 size,
			struct bench_time one, struct bench_time two)
{
	report_open_item();
	report_string("work", NULL, "%s", thread_work->name);
	report_number("size", NULL, size, "");
	report_ratio("one_per_second", one.median);
	report_ratio("one_spread_percent", one.spread);
	report_ratio("two_per_second", two.median);
	report_ratio("two_spread_percent", two.spread);
	report_ratio("scaling", two.median / one.median);
	report_close();
	report_text("%-9s %9llu %12.0f %4.1f %12.0f %4.1f %8.2f\n",
		    thread_work->name, size, one.median, one.spread, two.median,
		    two.spread, two.median / one.median);
}

static int open_memory(struct job *jobs, __u64 size)
{
	struct wddmcompat_mdl_desc desc = {
		.byte_count = size,
		.flags = WDDMCOMPAT_MDL_WRITE_OPERATION,
	};
	unsigned int i;

	for (i = 0; i < NUM_THREADS; i++) {
		if (!bench_memory_get(&jobs[i].memory, BENCH_APART, size, 1)) {
			report_error("cannot get %llu bytes of memory", size);
			return -1;
		}
		desc.start_va = (uintptr_t)jobs[i].memory.start;
		if (module_lock(jobs[i].rig->context, &desc, 1, &jobs[i].mdl))
			return -1;
	}
	return 0;
}

static int close_memory(struct job *jobs)
{
	unsigned int i;

	for (i = 0; i < NUM_THREADS; i++) {
		if (module_unlock(jobs[i].rig->context, jobs[i].mdl))
			return -1;
		bench_memory_put(&jobs[i].memory);
	}
	return 0;
}

static int measure(struct job *jobs, __u64 size, unsigned int rounds)
{
	static double turns[ARRAY_SIZE(works)][NUM_THREADS][BENCH_ROUNDS_MAX];
	unsigned int round, i, num;

	for (round = 0; round < rounds; round++)
		for (i = 0; i < ARRAY_SIZE(works); i++)
			for (num = 1; num <= NUM_THREADS; num++)
				if (take_turn(jobs, num, &works[i],
					      &turns[i][num - 1][round]))
					return -1;
	for (i = 0; i < ARRAY_SIZE(works); i++)
		report_work(&works[i], size, bench_sum_up(turns[i][0], rounds),
			    bench_sum_up(turns[i][1], rounds));
	return 0;
}

int bench_threads(const struct bench_rig *rig, const char *second,
		  unsigned int rounds)
{
	static struct job jobs[NUM_THREADS];
	unsigned int i;
	int failed = 0;

	jobs[0].rig = rig;
	jobs[1].rig = rig;
	jobs[0].place = rig->has_device ? rig->attached : rig->alone;
	if (second[0] ? bench_place_attach(rig, second, &jobs[1].place) :
			bench_place_make(rig, &jobs[1].place))
		return -1;
	report_text("\n%-9s %9s %12s %4s %12s %4s %8s\n", "work", "bytes",
		    "one, per s", "+-%", "two, per s", "+-%", "scaling");
	report_open_list("threads");
	for (i = 0; !failed && i < ARRAY_SIZE(sizes); i++)
		failed = open_memory(jobs, sizes[i]) ||
			 measure(jobs, sizes[i], rounds) || close_memory(jobs);
	report_close();
	return failed ? -1 : 0;
}
