// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that do things at the same time to the same objects. Each race runs for
 * a while, and until each side has won once: an answer that no order of the calls
 * explains fails the test, and so does a race that never ends.
 */
#include "edu.h"
#include "fixture.h"
#include "kselftest_harness.h"
#include "round.h"
#include "tally.h"

#define RACE_MS 2500

FIXTURE(race)
{
	struct env env;
	struct edu edu;
	__u8 *va;
	__u64 mdl;
};

FIXTURE_SETUP(race)
{
	self->edu.fd = -1;
	ASSERT_EQ(0, env_open(&self->env));
	ASSERT_EQ(0, edu_open(&self->edu, 0, self->env.iommufd));
	ASSERT_EQ(0, edu_attach(&self->edu, self->env.ioas));
	self->va = anon_pages(PAGES);
	ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, PAGES * PAGE_SIZE,
			       MDL_WRITE, &self->mdl));
}

FIXTURE_TEARDOWN(race)
{
	edu_close(&self->edu);
	EXPECT_TRUE(env_close(&self->env));
}

/* The loser may rely on it just as the winner: the IOVA is dead */
static int unmap_and_reuse(struct round *round)
{
	const int rc = unmap(round);

	if (rc == -ENOENT)
		CHECK(!raw_map(round));
	return rc;
}

TEST_F_TIMEOUT(race, two_unmaps, 3600)
{
	struct round round = {
		.env = &self->env,
		.va = anon_pages(PAGES),
		.adapter = self->env.adapter,
		.contender = unmap_and_reuse,
	};
	const long deadline = now_ms() + race_ms(2 * RACE_MS);
	int first = 0, second = 0, rc;

	start(&round);
	while (now_ms() < deadline || !first || !second) {
		ASSERT_EQ(0, map(&self->env, self->mdl, &round.iova,
				 &round.memory));
		go(&round);
		rc = unmap_and_reuse(&round);
		meet(&round);
		first += rc == LIVE;
		second += round.result == LIVE;
		balance(&round, rc == LIVE);
		ASSERT_EQ(-ENOENT + LIVE, rc + round.result);
		ASSERT_EQ(0, raw_unmap(&round));
	}
	finish(&round);
	TH_LOG("%d unmapped by the first, %d by the second", first, second);
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
}

/* Either the MDL is busy or it is gone */
TEST_F_TIMEOUT(race, map_and_unlock, 3600)
{
	struct round round = { .env = &self->env, .contender = unlock };
	const long deadline = now_ms() + race_ms(RACE_MS);
	int mapped = 0, unlocked = 0, rc;

	start(&round);
	while (now_ms() < deadline || !mapped || !unlocked) {
		__u64 memory;

		ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va,
				       PAGES * PAGE_SIZE, MDL_WRITE,
				       &round.mdl));
		go(&round);
		rc = map(&self->env, round.mdl, &round.iova, &memory);
		meet(&round);
		balance(&round, !rc);
		if (!rc) {
			ASSERT_EQ(-EBUSY, round.result);
			ASSERT_EQ(LIVE, wddm_unmap(self->env.ctx,
						   self->env.adapter, memory));
			ASSERT_EQ(LIVE, unlock(&round));
			mapped++;
		} else {
			ASSERT_EQ(-ENOENT, rc);
			ASSERT_EQ(LIVE, round.result);
			unlocked++;
		}
	}
	finish(&round);
	TH_LOG("%d were mapped, %d unlocked", mapped, unlocked);
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
}

static int destroy_adapter(struct round *round)
{
	return wddm_adapter_destroy(round->env->ctx, round->adapter);
}

TEST_F_TIMEOUT(race, map_and_adapter_destroy, 3600)
{
	struct round round = { .env = &self->env, .contender = destroy_adapter };
	const long deadline = now_ms() + race_ms(RACE_MS);
	int mapped = 0, destroyed = 0, rc;

	start(&round);
	while (now_ms() < deadline || !mapped || !destroyed) {
		__u64 memory, iova = 0;

		ASSERT_EQ(0, wddm_adapter_create(self->env.ctx, self->env.ioas,
						 &round.adapter));
		go(&round);
		rc = wddm_map_all(self->env.ctx, round.adapter, self->mdl, 0,
				  &iova, &memory);
		meet(&round);
		balance(&round, !rc);
		if (!rc) {
			ASSERT_EQ(-EBUSY, round.result);
			ASSERT_EQ(LIVE, wddm_unmap(self->env.ctx, round.adapter,
						   memory));
			ASSERT_EQ(0, destroy_adapter(&round));
			mapped++;
		} else {
			ASSERT_EQ(-ENOENT, rc);
			ASSERT_EQ(0, round.result);
			destroyed++;
		}
	}
	finish(&round);
	TH_LOG("%d were mapped, %d destroyed", mapped, destroyed);
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
}

/* Another adapter of the same IOAS goes: that concerns nobody, and takes no time */
TEST_F_TIMEOUT(race, unmap_and_adapter_destroy, 3600)
{
	struct round round = { .env = &self->env, .contender = destroy_adapter };
	const long deadline = now_ms() + race_ms(RACE_MS);
	long longest = 0, start_ms;

	start(&round);
	while (now_ms() < deadline) {
		__u64 memory, iova = 0;

		ASSERT_EQ(0, wddm_adapter_create(self->env.ctx, self->env.ioas,
						 &round.adapter));
		ASSERT_EQ(0, map(&self->env, self->mdl, &iova, &memory));
		shuffle(&round);
		start_ms = now_ms();
		go(&round);
		ASSERT_EQ(LIVE, wddm_unmap(self->env.ctx, self->env.adapter,
					   memory));
		meet(&round);
		if (now_ms() - start_ms > longest)
			longest = now_ms() - start_ms;
		ASSERT_EQ(0, round.result);
	}
	finish(&round);
	TH_LOG("it took %ld ms at most", longest);
	EXPECT_GT(5000, longest);
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
}

TEST_F_TIMEOUT(race, two_unlocks, 3600)
{
	struct round round = { .env = &self->env, .contender = unlock };
	const long deadline = now_ms() + race_ms(RACE_MS);
	int first = 0, second = 0, rc;

	start(&round);
	while (now_ms() < deadline || !first || !second) {
		ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, PAGE_SIZE, 0,
				       &round.mdl));
		go(&round);
		rc = unlock(&round);
		meet(&round);
		first += rc == LIVE;
		second += round.result == LIVE;
		balance(&round, rc == LIVE);
		ASSERT_EQ(-ENOENT + LIVE, rc + round.result);
	}
	finish(&round);
	TH_LOG("%d unlocked by the first, %d by the second", first, second);
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
}

/* Addresses that come and go: the pages are there or they are not */
static int remap_va(struct round *round)
{
	munmap(round->va, PAGES * PAGE_SIZE);
	return mmap(round->va, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       round->va ? 0 : -errno;
}

TEST_F_TIMEOUT(race, lock_and_munmap, 3600)
{
	struct round round = {
		.env = &self->env,
		.va = anon_pages(PAGES),
		.contender = remap_va,
	};
	const long deadline = now_ms() + race_ms(RACE_MS);
	int locked = 0, rc;

	start(&round);
	while (now_ms() < deadline || !locked) {
		shuffle(&round);
		go(&round);
		rc = wddm_lock(self->env.ctx, round.va, PAGES * PAGE_SIZE,
			       MDL_WRITE, &round.mdl);
		meet(&round);
		ASSERT_EQ(0, round.result);
		ASSERT_TRUE(!rc || rc == -EFAULT);
		if (rc)
			continue;
		locked++;
		ASSERT_EQ(2 * PAGES, pins_since(&self->env));
		ASSERT_EQ(LIVE, unlock(&round));
	}
	finish(&round);
	TH_LOG("%d were locked", locked);
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
}

static int close_context(struct round *round)
{
	return close(round->memory);
}

/* The file goes while a call is under way in it */
TEST_F_TIMEOUT(race, map_and_close, 3600)
{
	struct round round = { .env = &self->env, .contender = close_context };
	const long deadline = now_ms() + race_ms(RACE_MS);

	start(&round);
	while (now_ms() < deadline) {
		__u64 adapter, mdl, memory, iova = 0;
		const int ctx = open_context();
		int rc;

		ASSERT_EQ(0, wddm_bind(ctx, self->env.iommufd, NULL));
		ASSERT_EQ(0, wddm_adapter_create(ctx, self->env.ioas,
						 &adapter));
		round.memory = ctx;
		go(&round);
		rc = wddm_lock(ctx, self->va, PAGE_SIZE, 0, &mdl);
		if (!rc)
			rc = wddm_map_all(ctx, adapter, mdl, 0, &iova, &memory);
		meet(&round);
		ASSERT_TRUE(!rc || rc == -EBADF);
		balance(&round, !rc);
		ASSERT_EQ(0, round.result);
		ASSERT_EQ(PAGES, pins_since(&self->env));
		ASSERT_EQ(0, ioas_unmap_all(self->env.iommufd, self->env.ioas));
	}
	finish(&round);
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
}

/* Two threads that mind their own business in one context */
struct worker {
	const struct env *env;
	__u8 *va;
	long deadline;
	unsigned int seed;
	int rounds;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	const int ctx = worker->env->ctx;
	const __u64 adapter = worker->env->adapter;

	while (now_ms() < worker->deadline) {
		const size_t pages = 1 + rand_r(&worker->seed) % PAGES;
		__u64 mdl, memory[2], iova[2] = {};

		CHECK(!wddm_lock(ctx, worker->va, pages * PAGE_SIZE, MDL_WRITE,
				 &mdl));
		for (int i = 0; i < 2; i++)
			CHECK(!wddm_map_all(ctx, adapter, mdl, MAP_WRITE,
					    &iova[i], &memory[i]));
		CHECK(iova[0] != iova[1]);
		CHECK(wddm_unlock(ctx, mdl) == -EBUSY);
		CHECK(wddm_unmap(ctx, adapter, memory[0]) == LIVE);
		CHECK(wddm_unmap(ctx, adapter, memory[0]) == -ENOENT);
		CHECK(wddm_unmap(ctx, adapter, memory[1]) == LIVE);
		CHECK(wddm_unlock(ctx, mdl) == LIVE);
		worker->rounds++;
	}
	return NULL;
}

TEST_F_TIMEOUT(race, independent_threads, 3600)
{
	enum { THREADS = 4 };
	struct worker workers[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.env = &self->env,
			.va = anon_pages(PAGES),
			.deadline = now_ms() + race_ms(RACE_MS),
			.seed = i,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, work,
					    &workers[i]));
	}
	for (int i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_LT(0, workers[i].rounds);
	}
	EXPECT_EQ(PAGES, pins_since(&self->env));
	EXPECT_EQ(0, ioas_unmap_all(self->env.iommufd, self->env.ioas));
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
}

int main(int argc, char **argv)
{
	tally_open("race");
	return test_harness_run(argc, argv);
}
