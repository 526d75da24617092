// SPDX-License-Identifier: GPL-2.0-only
/* Two threads that do things at the same time to the same objects */
#include <sched.h>
#include <stdlib.h>

#include "fixture.h"
#include "round.h"
#include "tally.h"

static void spin(struct round *round, int turns)
{
	while (turns-- > 0)
		atomic_load(&round->turn);
}

static void *contend(void *arg)
{
	struct round *round = arg;

	for (int turn = 1;; turn += 2) {
		int now;

		while ((now = atomic_load(&round->turn)) != turn) {
			if (now < 0)
				return NULL;
			sched_yield();
		}
		spin(round, -round->delay);
		round->result = round->contender(round);
		atomic_store(&round->turn, turn + 1);
	}
}

void go(struct round *round)
{
	atomic_fetch_add(&round->turn, 1);
	spin(round, round->delay);
}

long race_ms(long ms)
{
	const char *length = getenv("RACE_LENGTH");

	return length ? ms * atol(length) : ms;
}

void balance(struct round *round, bool first_won)
{
	round->delay += (first_won ? 1 : -1) * (int)(random() % 1000);
}

void meet(struct round *round)
{
	while (atomic_load(&round->turn) % 2)
		sched_yield();
	tally_add(TALLY_OPERATIONS, 2);
}

void shuffle(struct round *round)
{
	round->delay = random() % 20000 - 10000;
}

void start(struct round *round)
{
	srandom(1);
	CHECK(!pthread_create(&round->thread, NULL, contend, round));
}

void finish(struct round *round)
{
	atomic_store(&round->turn, -1);
	CHECK(!pthread_join(round->thread, NULL));
}

int map(const struct env *env, __u64 mdl, __u64 *iova, __u64 *memory)
{
	return wddm_map_all(env->ctx, env->adapter, mdl, MAP_WRITE, iova,
			    memory);
}

int raw_map(const struct round *round)
{
	return ioas_map_fixed(round->env->iommufd, round->env->ioas, round->va,
			      PAGES * PAGE_SIZE, round->iova);
}

int raw_unmap(struct round *round)
{
	return ioas_unmap_range(round->env->iommufd, round->env->ioas,
				round->iova, PAGES * PAGE_SIZE);
}

int unmap(struct round *round)
{
	return wddm_unmap(round->env->ctx, round->adapter, round->memory);
}

int unlock(struct round *round)
{
	return wddm_unlock(round->env->ctx, round->mdl);
}
