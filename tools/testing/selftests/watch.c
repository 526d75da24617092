// SPDX-License-Identifier: GPL-2.0-only
/*
 * The holder of the iommufd unmaps by the hundred what the module watches. iommufd
 * WARNs, which ends the machine, when it has to call the module too often.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "fixture.h"
#include "kselftest_harness.h"

#define CHAIN 8

/* Calls after which the module lets go, and more calls than iommufd takes */
#define CALLS 9
#define MANY 150

FIXTURE(watch)
{
	struct env env;
	__u8 *va;
};

FIXTURE_SETUP(watch)
{
	ASSERT_EQ(0, env_open(&self->env));
	self->va = anon_pages(CHAIN + 1);
}

FIXTURE_TEARDOWN(watch)
{
	EXPECT_TRUE(env_close(&self->env));
}

static int map_page(const struct env *env, __u64 mdl, __u64 iova, __u64 *memory)
{
	struct wddmcompat_map map = {
		.size = sizeof(map),
		.flags = MAP_AT,
		.adapter = env->adapter,
		.mdl = mdl,
		.iova = iova,
	};
	const int rc = wddm_map(env->ctx, &map);

	*memory = map.out_memory;
	return rc;
}

/* The module was called often; then there is more to call it for than ever */
TEST_F_TIMEOUT(watch, maps_while_others_unmap, 120)
{
	const __u64 first = 0x10000000, second = 0x20000000;
	const struct env *env = &self->env;
	__u64 mdl, memory[MANY];

	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, PAGE_SIZE, MDL_WRITE, &mdl));
	for (int i = 0; i < CALLS; i++)
		ASSERT_EQ(0, map_page(env, mdl, first + i * 2 * PAGE_SIZE,
				      &memory[i]));
	for (int i = 0; i < CALLS; i++)
		ASSERT_EQ(0, ioas_unmap_range(env->iommufd, env->ioas,
					      first + i * 2 * PAGE_SIZE,
					      PAGE_SIZE));
	for (int i = 0; i < CALLS; i++)
		EXPECT_EQ(REVOKED,
			  wddm_unmap(env->ctx, env->adapter, memory[i]));

	for (int i = 0; i < MANY; i++)
		ASSERT_EQ(0, map_page(env, mdl, second + i * PAGE_SIZE,
				      &memory[i]));
	ASSERT_EQ(0, ioas_unmap_range(env->iommufd, env->ioas, second,
				      MANY * PAGE_SIZE));
	for (int i = 0; i < MANY; i++)
		EXPECT_EQ(REVOKED,
			  wddm_unmap(env->ctx, env->adapter, memory[i]));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

struct clearer {
	const struct env *env;
	atomic_bool stop;
};

static void *clear(void *arg)
{
	struct clearer *clearer = arg;

	while (!clearer->stop)
		ioas_unmap_all(clearer->env->iommufd, clearer->env->mdl_ioas);
	return NULL;
}

/*
 * A chain that cannot be locked, because its end is no memory, is unmapped by somebody
 * while the module gives up. It never was an MDL, so there is no event of it.
 */
TEST_F_TIMEOUT(watch, no_event_of_what_was_never_locked, 120)
{
	struct clearer clearer = { .env = &self->env };
	const struct env *env = &self->env;
	struct wddmcompat_mdl_desc descs[CHAIN + 1];
	struct wddmcompat_event event;
	const long deadline = now_ms() + 8000;
	pthread_t thread;
	__u64 mdl;

	/* Backwards, as neighbours would be one area */
	for (int i = 0; i <= CHAIN; i++)
		descs[i] = wddm_desc(self->va + (i < CHAIN ? CHAIN - 1 - i : i) *
							PAGE_SIZE,
				     PAGE_SIZE, 0);
	ASSERT_EQ(0, munmap(self->va + CHAIN * PAGE_SIZE, PAGE_SIZE));
	ASSERT_EQ(0, fcntl(env->ctx, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, pthread_create(&thread, NULL, clear, &clearer));
	while (now_ms() < deadline) {
		ASSERT_GT(0, wddm_lock_chain(env->ctx, descs, CHAIN + 1, &mdl));
		ASSERT_EQ(-1, read(env->ctx, &event, sizeof(event)));
		ASSERT_EQ(EAGAIN, errno);
	}
	clearer.stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_HARNESS_MAIN
