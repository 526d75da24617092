/* SPDX-License-Identifier: GPL-2.0-only */
/* Two threads that do things at the same time to the same objects */
#ifndef __WDDMCOMPAT_SELFTESTS_ROUND_H
#define __WDDMCOMPAT_SELFTESTS_ROUND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <linux/types.h>

struct env;

/**
 * struct round - What two threads do to each other, over and over
 * @thread: The second thread
 * @env: Where
 * @va: Memory to use
 * @adapter: That they race about
 * @mdl: That they race about
 * @memory: That they race about
 * @iova: Of @memory
 * @contender: What the second thread does in each round; the first does what is in
 *             the test
 * @result: What that returned
 * @delay: How long the first waits for the second, or the second for the first if
 *         it is negative, so that each comes first at times
 * @turn: Even: the first thread prepares; odd: both run. Negative: it is over
 */
struct round {
	pthread_t thread;
	const struct env *env;
	void *va;
	__u64 adapter;
	__u64 mdl;
	__u64 memory;
	__u64 iova;
	int (*contender)(struct round *round);
	int result;
	int delay;
	atomic_int turn;
};

/* Pages that an MDL of a race has, and a raw mapping */
#define PAGES 4

int map(const struct env *env, __u64 mdl, __u64 *iova, __u64 *memory);
int raw_map(const struct round *round);

/* What the threads do to each other */
int raw_unmap(struct round *round);
int unmap(struct round *round);
int unlock(struct round *round);

void start(struct round *round);
void finish(struct round *round);

/* Both go at once; then wait until the second is through as well */
void go(struct round *round);
void meet(struct round *round);

/* Whoever came first has it harder next time, so that they stay close */
void balance(struct round *round, bool first_won);

/* Every race takes RACE_LENGTH times as long, if that is in the environment */
long race_ms(long ms);

/* To come first at times and last at others, when nobody can tell who won */
void shuffle(struct round *round);

#endif
