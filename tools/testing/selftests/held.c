// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmaps that are held in the middle, by a kernel module which has a page pinned, so that
 * what others do meanwhile is not left to chance.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "client.h"
#include "command_page.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define PAGES ((size_t)4)
#define BYTES (PAGES * PAGE_SIZE)

/* Long enough for whoever does not wait to be seen not waiting */
#define A_WHILE 300000

/**
 * struct unmap - A mapping and what came of its unmap
 * @env: Where
 * @memory: The mapping
 * @iova: Where it is
 * @place: Memory to map there afterwards
 * @rc: What the unmap returned
 * @is_dead: Nothing was at the IOVA when it had returned
 */
struct unmap {
	const struct env *env;
	__u64 memory;
	__u64 iova;
	void *place;
	int rc;
	bool is_dead;
};

/* A raw unmap that is not through may take what is put there instead */
static bool iova_is_dead(const struct env *env, __u64 iova, void *place)
{
	const bool dead = !ioas_map_fixed(env->iommufd, env->ioas, place, BYTES,
					  iova);

	ioas_unmap_range(env->iommufd, env->ioas, iova, BYTES);
	return dead;
}

static void *unmap_ours(void *arg)
{
	struct unmap *unmap = arg;
	const struct env *env = unmap->env;

	unmap->rc = wddm_unmap(env->ctx, env->adapter, unmap->memory);
	unmap->is_dead = iova_is_dead(env, unmap->iova, unmap->place);
	return NULL;
}

static void *unmap_raw(void *arg)
{
	const struct unmap *ours = arg;

	ioas_unmap_range(ours->env->iommufd, ours->env->ioas, ours->iova, BYTES);
	return NULL;
}

static pthread_t start(void *(*fn)(void *arg), void *arg)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, fn, arg));
	return thread;
}

static void finish(pthread_t thread)
{
	CHECK(!pthread_join(thread, NULL));
}

FIXTURE(held)
{
	struct env env;
	void *va;
	__u64 mdl;
	struct unmap unmap;
	int first_pin;
	int second_pin;
};

static int map(const struct env *env, __u64 mdl, struct unmap *unmap)
{
	return wddm_map_all(env->ctx, env->adapter, mdl, MAP_WRITE,
			    &unmap->iova, &unmap->memory);
}

FIXTURE_SETUP(held)
{
	ASSERT_EQ(0, env_open(&self->env));
	ASSERT_EQ(0, load_client());
	/* Who is held cannot become another user, and so no other thread can */
	become_root();
	self->first_pin = open(CLIENT_PARAMETER("first_pin"), O_RDWR);
	self->second_pin = open(CLIENT_PARAMETER("second_pin"), O_RDWR);
	become_user();
	ASSERT_LE(0, self->first_pin);
	ASSERT_LE(0, self->second_pin);
	self->va = anon_pages(PAGES);
	ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, BYTES, MDL_WRITE,
			       &self->mdl));
	self->unmap = (struct unmap){
		.env = &self->env,
		.place = anon_pages(PAGES),
	};
	ASSERT_EQ(0, map(&self->env, self->mdl, &self->unmap));
}

FIXTURE_TEARDOWN(held)
{
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
	close(self->first_pin);
	close(self->second_pin);
	EXPECT_EQ(0, unload_client());
	EXPECT_TRUE(env_close(&self->env));
}

static int say(int pin, const char *what)
{
	const ssize_t length = strlen(what);

	return pwrite(pin, what, length, 0) == length ? 0 : -errno;
}

static int hold(int pin, const struct env *env, __u64 iova)
{
	char line[64];

	snprintf(line, sizeof(line), "%d %u %llx\n", env->iommufd, env->ioas,
		 (unsigned long long)iova);
	return say(pin, line);
}

static void let_go(int pin)
{
	CHECK(!say(pin, "let go\n"));
}

static void remove_pin(int pin)
{
	CHECK(!say(pin, "unpin\n"));
}

static bool holds_somebody(int pin)
{
	char answer[8];

	CHECK(pread(pin, answer, sizeof(answer), 0) > 0);
	return answer[0] != '0';
}

static void wait_until_held(int pin)
{
	while (!holds_somebody(pin))
		usleep(1000);
}

static void *let_go_later(void *arg)
{
	usleep(A_WHILE);
	let_go(*(int *)arg);
	return NULL;
}

/* Somebody else is unmapping what a handle stands for: its unmap waits until it is gone */
TEST_F_TIMEOUT(held, unmap_waits_for_raw_unmap, 60)
{
	pthread_t raw, other;

	ASSERT_EQ(0, hold(self->first_pin, &self->env, self->unmap.iova));
	raw = start(unmap_raw, &self->unmap);
	wait_until_held(self->first_pin);
	other = start(let_go_later, &self->first_pin);
	unmap_ours(&self->unmap);
	EXPECT_EQ(REVOKED, self->unmap.rc);
	EXPECT_TRUE(self->unmap.is_dead);
	finish(other);
	finish(raw);
	remove_pin(self->first_pin);
}

/* Where the decoy is in the adapter's IOAS */
#define DECOY_IOVA 0x71000000

/**
 * struct attack - What a thread that has unmaps go to the decoy shares with us
 * @page: The module's page with its commands
 * @stop: It is over
 */
struct attack {
	void *page;
	atomic_bool stop;
};

static void *attack_on(void *arg)
{
	struct attack *attack = arg;
	struct iommu_ioas_unmap *cmd = attack->page;

	while (!atomic_load_explicit(&attack->stop, memory_order_relaxed))
		if (command_is_unmap(cmd))
			__atomic_store_n(&cmd->iova, DECOY_IOVA,
					 __ATOMIC_RELAXED);
	return NULL;
}

/* The attack writes into answers, too */
static void map_under_attack(const struct env *env, __u64 mdl,
			     struct unmap *unmap)
{
	int rc;

	do
		rc = map(env, mdl, unmap);
	while (rc == -ESTALE);
	CHECK(!rc);
}

/*
 * A thread with an unmap of ours that has gone to the decoy, where the first pin holds
 * it. The second is where it should have gone.
 */
static pthread_t divert_unmap(const struct env *env, __u64 mdl,
			      struct unmap *unmap, int first_pin, int second_pin)
{
	struct attack attack = { .page = find_command_page() };
	const pthread_t thread = start(attack_on, &attack);
	pthread_t ours;

	for (;;) {
		map_under_attack(env, mdl, unmap);
		CHECK(!hold(second_pin, env, unmap->iova));
		ours = start(unmap_ours, unmap);
		while (!holds_somebody(first_pin) && !holds_somebody(second_pin))
			usleep(1000);
		if (holds_somebody(first_pin))
			break;
		/* It was too fast for the attack */
		let_go(second_pin);
		finish(ours);
		remove_pin(second_pin);
		CHECK(unmap->rc == LIVE && unmap->is_dead);
	}
	atomic_store(&attack.stop, true);
	finish(thread);
	return ours;
}

/*
 * The owner has sent an unmap of the module to another place, where it succeeds, while
 * another thread of his is unmapping what it was for. Its success says nothing, then.
 */
TEST_F_TIMEOUT(held, diverted_unmap_is_not_believed, 600)
{
	struct env *env = &self->env;
	pthread_t ours, raw, other;

	unmap_ours(&self->unmap);
	ASSERT_EQ(LIVE, self->unmap.rc);
	ASSERT_EQ(0, ioas_map_fixed(env->iommufd, env->ioas, anon_pages(PAGES),
				    BYTES, DECOY_IOVA));
	ASSERT_EQ(0, hold(self->first_pin, env, DECOY_IOVA));
	ours = divert_unmap(env, self->mdl, &self->unmap, self->first_pin,
			    self->second_pin);
	raw = start(unmap_raw, &self->unmap);
	wait_until_held(self->second_pin);
	other = start(let_go_later, &self->second_pin);
	let_go(self->first_pin);
	finish(ours);
	EXPECT_EQ(LIVE, self->unmap.rc);
	EXPECT_TRUE(self->unmap.is_dead);
	finish(other);
	finish(raw);
	remove_pin(self->first_pin);
	remove_pin(self->second_pin);
}

TEST_HARNESS_MAIN
