// SPDX-License-Identifier: GPL-2.0-only
/*
 * A second thread writes to the page with the module's commands and iommufd's answers
 * while the first uses the module. Whatever it writes, it harms nobody but its own
 * process, in its own iommufd; and what the module returns as mapped is made of the
 * right page, because it looks.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "command_page.h"
#include "fixture.h"
#include "kselftest_harness.h"
#include "rig.h"
#include "round.h"
#include "tally.h"

/* Where a context's first MDL is in its IOAS; and a place where none is */
#define FIRST_MDL_IOVA 0x100000
#define NO_MDL_IOVA 0x1000

/* Where the decoys are in the adapter's IOAS */
#define RAW_IOVA 0x70000000
#define DECOY_IOVA 0x71000000
#define OTHER_IOVA 0x72000000

/* Less and more than what is mapped, which is a part of an MDL */
#define SMALL 4096
#define LARGE (3 * SMALL)

/* Transfers by which is looked where a mapping leads */
#define SAMPLES 16

/* Values that are known only when there is a context */
#define OTHER_IOAS (UINT64_MAX - 1)
#define DECOY_VA (UINT64_MAX - 2)

/**
 * struct attack - What the second thread knows, and does over and over
 * @page: The module's page, whose first slot a lone thread's commands take
 * @at: Offset of what it writes, or SCRIBBLE_...
 * @bytes: How much it writes
 * @value: What it writes
 * @if_unmap: It writes only to a command that is an unmap
 * @stop: It is over
 * @seed: Of random numbers
 */
struct attack {
	void *page;
	size_t at;
	size_t bytes;
	__u64 value;
	bool if_unmap;
	atomic_bool stop;
	unsigned int seed;
};

/* Random words: anywhere; and small numbers, which iommufd may take, in the slot */
#define SCRIBBLE_PAGE 4096
#define SCRIBBLE_SLOT 4097

static void write_word(struct attack *attack, size_t word, __u32 value)
{
	__atomic_store_n((__u32 *)attack->page + word, value, __ATOMIC_RELAXED);
}

/* All addresses and lengths of an unmap */
static void write_all(struct attack *attack)
{
	struct iommu_ioas_unmap *cmd = attack->page;

	__atomic_store_n(&cmd->iova, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&cmd->length, UINT64_MAX, __ATOMIC_RELAXED);
}

static void attack_once(struct attack *attack)
{
	const int random = rand_r(&attack->seed);

	if (attack->if_unmap && !command_is_unmap(attack->page))
		return;
	if (attack->at == SCRIBBLE_PAGE)
		write_word(attack, random % 1024, rand_r(&attack->seed));
	else if (attack->at == SCRIBBLE_SLOT)
		write_word(attack, random % 10, rand_r(&attack->seed) % 64);
	else if (attack->bytes == sizeof(__u32))
		write_word(attack, attack->at / sizeof(__u32), attack->value);
	else if (attack->bytes == sizeof(__u64))
		__atomic_store_n((__u64 *)(attack->page + attack->at),
				 attack->value, __ATOMIC_RELAXED);
	else
		write_all(attack);
}

static void *attack_on(void *arg)
{
	struct attack *attack = arg;

	while (!atomic_load_explicit(&attack->stop, memory_order_relaxed))
		attack_once(attack);
	return NULL;
}

/* Somebody else, on an iommufd of his own */
struct bystander {
	int ctx;
	int iommufd;
	__u32 ioas;
	__u64 adapter;
	__u8 *va;
	__u64 mdl;
	__u64 iova;
	__u64 memory;
};

FIXTURE(race_page)
{
	struct env env;
	struct attack attack;
	struct bystander bystander;
	struct rig rig;
	struct rig bystander_rig;
	pthread_t thread;
	__u32 other_ioas;
	__u64 other_adapter;
	__u8 *va;
	__u8 *decoy_va;
	__u64 decoy_mdl;
	__u64 mdl;
	__u64 decoy;
	__u64 other;
};

/*
 * What is written lies at the place of a member of one command, and hits others, too.
 * Only an unmap is told by its size: it stays in the slot until the next.
 */
FIXTURE_VARIANT(race_page)
{
	size_t at;
	size_t bytes;
	__u64 value;
	bool if_unmap;
	/*
	 * How it is seen, if it is not in vain: a call fails, a map says ESTALE,
	 * another mapping goes, or one is too long
	 */
	enum { IN_VAIN, FAILED, STALE, TAKEN, TOO_LONG } sign;
	/* How often it is to be seen, if once is not enough */
	int least;
};

FIXTURE_VARIANT_ADD(race_page, map_flags)
{
	.at = offsetof(struct iommu_ioas_map, flags),
	.bytes = sizeof(__u32),
	.value = ~0U,
	.sign = FAILED,
};

FIXTURE_VARIANT_ADD(race_page, map_ioas_id)
{
	.at = offsetof(struct iommu_ioas_map, ioas_id),
	.bytes = sizeof(__u32),
	.value = OTHER_IOAS,
	.sign = FAILED,
};

FIXTURE_VARIANT_ADD(race_page, map_user_va)
{
	.at = offsetof(struct iommu_ioas_map, user_va),
	.bytes = sizeof(__u64),
	.value = DECOY_VA,
	.sign = FAILED,
};

FIXTURE_VARIANT_ADD(race_page, map_length)
{
	.at = offsetof(struct iommu_ioas_map, length),
	.bytes = sizeof(__u64),
	.value = SMALL,
	.sign = FAILED,
};

FIXTURE_VARIANT_ADD(race_page, map_iova)
{
	.at = offsetof(struct iommu_ioas_map, iova),
	.bytes = sizeof(__u64),
	.value = NO_MDL_IOVA,
	.sign = FAILED,
};

FIXTURE_VARIANT_ADD(race_page, copy_size)
{
	.at = offsetof(struct iommu_ioas_copy, size),
	.bytes = sizeof(__u32),
	.value = ~0U,
	.sign = FAILED,
};

FIXTURE_VARIANT_ADD(race_page, copy_flags)
{
	.at = offsetof(struct iommu_ioas_copy, flags),
	.bytes = sizeof(__u32),
	.value = IOMMU_IOAS_MAP_READABLE,
	.sign = FAILED,
};

FIXTURE_VARIANT_ADD(race_page, copy_dst_ioas_id)
{
	.at = offsetof(struct iommu_ioas_copy, dst_ioas_id),
	.bytes = sizeof(__u32),
	.value = OTHER_IOAS,
	.sign = STALE,
};

FIXTURE_VARIANT_ADD(race_page, copy_src_ioas_id)
{
	.at = offsetof(struct iommu_ioas_copy, src_ioas_id),
	.bytes = sizeof(__u32),
	.value = OTHER_IOAS,
	.sign = FAILED,
};

FIXTURE_VARIANT_ADD(race_page, copy_src_iova)
{
	.at = offsetof(struct iommu_ioas_copy, src_iova),
	.bytes = sizeof(__u64),
	.value = FIRST_MDL_IOVA,
	.sign = STALE,
};

FIXTURE_VARIANT_ADD(race_page, copy_less)
{
	.at = offsetof(struct iommu_ioas_copy, length),
	.bytes = sizeof(__u64),
	.value = SMALL,
	.sign = FAILED,
};

FIXTURE_VARIANT_ADD(race_page, copy_more)
{
	.at = offsetof(struct iommu_ioas_copy, length),
	.bytes = sizeof(__u64),
	.value = LARGE,
	.sign = TOO_LONG,
};

FIXTURE_VARIANT_ADD(race_page, answer_ours)
{
	.at = offsetof(struct iommu_ioas_copy, dst_iova),
	.bytes = sizeof(__u64),
	.value = DECOY_IOVA,
	.sign = STALE,
};

FIXTURE_VARIANT_ADD(race_page, answer_raw)
{
	.at = offsetof(struct iommu_ioas_copy, dst_iova),
	.bytes = sizeof(__u64),
	.value = RAW_IOVA,
	.sign = STALE,
};

FIXTURE_VARIANT_ADD(race_page, unmap_ioas_id)
{
	.at = offsetof(struct iommu_ioas_unmap, ioas_id),
	.bytes = sizeof(__u32),
	.value = OTHER_IOAS,
	.if_unmap = true,
};

/*
 * What is taken is revoked by its owner, as far as the module can see; after some it
 * lets go of all that is mapped, which must not look as if it had been unmapped.
 */
FIXTURE_VARIANT_ADD(race_page, unmap_iova)
{
	.at = offsetof(struct iommu_ioas_unmap, iova),
	.bytes = sizeof(__u64),
	.value = DECOY_IOVA,
	.if_unmap = true,
	.sign = TAKEN,
	.least = 30,
};

FIXTURE_VARIANT_ADD(race_page, unmap_length)
{
	.at = offsetof(struct iommu_ioas_unmap, length),
	.bytes = sizeof(__u64),
	.value = SMALL,
	.if_unmap = true,
};

/* It takes two writes to hit, so that nobody waits for it */
FIXTURE_VARIANT_ADD(race_page, unmap_all)
{
	.if_unmap = true,
};

FIXTURE_VARIANT_ADD(race_page, scribble_page)
{
	.at = SCRIBBLE_PAGE,
};

FIXTURE_VARIANT_ADD(race_page, scribble_slot)
{
	.at = SCRIBBLE_SLOT,
	.sign = FAILED,
};

static int bystander_open(struct bystander *them)
{
	*them = (struct bystander){
		.ctx = open_context(),
		.iommufd = open_iommufd(),
		.va = anon_pages(PAGES),
	};
	return wddm_bind(them->ctx, them->iommufd, NULL) ?:
	       ioas_alloc(them->iommufd, &them->ioas) ?:
	       wddm_adapter_create(them->ctx, them->ioas, &them->adapter) ?:
	       wddm_lock(them->ctx, them->va, PAGES * PAGE_SIZE, MDL_WRITE,
			 &them->mdl) ?:
	       wddm_map_all(them->ctx, them->adapter, them->mdl, MAP_WRITE,
			    &them->iova, &them->memory);
}

/* The same pages as those that are mapped while the attack lasts */
static int map_decoy(const struct env *env, __u64 mdl, __u64 *memory)
{
	struct wddmcompat_map map = {
		.flags = MAP_WRITE | MAP_AT,
		.adapter = env->adapter,
		.mdl = mdl,
		.first_page = 1,
		.num_pages = 2,
		.iova = DECOY_IOVA,
	};
	int rc = wddm_map(env->ctx, &map);

	*memory = map.out_memory;
	return rc;
}

FIXTURE_SETUP(race_page)
{
	struct env *env = &self->env;
	__u64 iova = OTHER_IOVA;

	ASSERT_EQ(0, env_open(env));
	self->va = anon_pages(PAGES);
	self->decoy_va = anon_pages(PAGES);
	/* The first, see FIRST_MDL_IOVA */
	ASSERT_EQ(0, wddm_lock(env->ctx, self->decoy_va, PAGES * PAGE_SIZE,
			       MDL_WRITE, &self->decoy_mdl));
	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, PAGES * PAGE_SIZE, MDL_WRITE,
			       &self->mdl));
	ASSERT_EQ(0, map_decoy(env, self->mdl, &self->decoy));
	ASSERT_EQ(0, ioas_map_fixed(env->iommufd, env->ioas, self->decoy_va,
				    PAGES * PAGE_SIZE, RAW_IOVA));

	ASSERT_EQ(0, ioas_alloc(env->iommufd, &self->other_ioas));
	ASSERT_EQ(0, wddm_adapter_create(env->ctx, self->other_ioas,
					 &self->other_adapter));
	ASSERT_EQ(0, wddm_map_all(env->ctx, self->other_adapter, self->mdl,
				  MAP_WRITE | MAP_AT, &iova, &self->other));

	self->attack = (struct attack){
		.page = find_command_page(),
		.at = variant->at,
		.bytes = variant->bytes,
		.value = variant->value,
		.if_unmap = variant->if_unmap,
		.seed = 1,
	};
	ASSERT_NE(NULL, self->attack.page);
	if (variant->value == OTHER_IOAS)
		self->attack.value = self->other_ioas;
	if (variant->value == DECOY_VA)
		self->attack.value = (uintptr_t)self->decoy_va;

	ASSERT_EQ(0, bystander_open(&self->bystander));
	ASSERT_EQ(0, rig_open(&self->rig, 0, env->iommufd, env->ioas));
	ASSERT_EQ(0, rig_open(&self->bystander_rig, 1, self->bystander.iommufd,
			      self->bystander.ioas));
	ASSERT_TRUE(device_holds(&self->rig, 7));
	env->leaves_objects = true;
}

/* The context goes as it is, and all that is pinned goes with it and its iommufd */
FIXTURE_TEARDOWN(race_page)
{
	struct env *env = &self->env;

	rig_close(&self->bystander_rig);
	close(self->bystander.ctx);
	close(self->bystander.iommufd);
	close(env->ctx);
	env->ctx = -1;
	EXPECT_EQ(-ENOENT, iommufd_destroy(env->iommufd, env->mdl_ioas));
	rig_close(&self->rig);
	EXPECT_LE(0, ioas_unmap_all(env->iommufd, env->ioas));
	EXPECT_LE(0, ioas_unmap_all(env->iommufd, self->other_ioas));
	EXPECT_TRUE(pins_are_back(env));
	EXPECT_TRUE(env_close(env));
}

/* Nothing is at the IOVA any more: somebody else can have it */
static bool is_dead(const struct env *env, void *va, __u64 iova)
{
	if (ioas_map_fixed(env->iommufd, env->ioas, va, PAGE_SIZE, iova))
		return false;
	return !ioas_unmap_range(env->iommufd, env->ioas, iova, PAGE_SIZE);
}

/* The device writes there: is it our memory that it finds? */
static bool leads_to(struct rig *rig, __u64 iova, __u8 *va)
{
	memset(va, 0, EDU_MAX);
	return device_writes(rig, iova, EDU_MAX) && is_filled(va, EDU_MAX, 7);
}

/*
 * Locks for nothing else than to be attacked. An area that is longer than the MDL
 * iommufd does not split: it stays locked, as its owner wanted it.
 */
static void lock_round(struct __test_metadata *_metadata, const struct env *env,
		       void *va, int *locked, __u64 *too_long)
{
	__u64 mdl;
	int rc;

	if (wddm_lock(env->ctx, va, PAGES * PAGE_SIZE, MDL_WRITE, &mdl))
		return;
	++*locked;
	rc = wddm_unlock(env->ctx, mdl);
	ASSERT_TRUE(rc == LIVE || rc == -EBUSY);
	if (rc)
		*too_long = mdl;
}

static bool state_is(int ctx, __u64 handle, int state)
{
	struct wddmcompat_query query;

	return !wddm_query(ctx, handle, &query) &&
	       (int)query.out_state == state;
}

static void expect_bystander(struct __test_metadata *_metadata,
			     struct bystander *them, struct rig *rig)
{
	fill(them->va, EDU_MAX, 3);
	EXPECT_TRUE(state_is(them->ctx, them->mdl, LIVE));
	EXPECT_TRUE(state_is(them->ctx, them->memory, LIVE));
	EXPECT_TRUE(device_sees(rig, them->iova, them->va, EDU_MAX));
}

/* Once the page is left alone: all that the attack has not taken, it has not */
static void expect_recovery(struct __test_metadata *_metadata,
			    const struct env *env, void *va, __u64 too_long)
{
	__u64 mdl, memory, iova = 0;

	/* What we have put there instead of MDLs may be in the way of others */
	ASSERT_LE(0, ioas_unmap_all(env->iommufd, env->mdl_ioas));
	if (too_long)
		EXPECT_EQ(REVOKED, wddm_unlock(env->ctx, too_long));
	ASSERT_EQ(0, wddm_lock(env->ctx, va, PAGES * PAGE_SIZE, MDL_WRITE,
			       &mdl));
	ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, mdl, MAP_WRITE, &iova,
				  &memory));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, memory));
	EXPECT_TRUE(is_dead(env, va, iova));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

/* A command that was given in our name has unmapped it: have another */
static bool renew_decoy(struct __test_metadata *_metadata, const struct env *env,
			__u64 mdl, __u64 *decoy)
{
	if (!state_is(env->ctx, *decoy, REVOKED))
		return false;
	EXPECT_EQ(REVOKED, wddm_unmap(env->ctx, env->adapter, *decoy));
	/* This one is attacked, too */
	while (map_decoy(env, mdl, decoy))
		;
	return true;
}

/*
 * There is more at the IOVA than the handle knows of, and iommufd does not split it.
 * It is its owner's, who can unmap it himself.
 */
static void expect_too_long(struct __test_metadata *_metadata,
			    const struct env *env, __u64 iova, __u64 memory)
{
	EXPECT_EQ(0, ioas_unmap_range(env->iommufd, env->ioas, iova,
				      (PAGES - 1) * PAGE_SIZE));
	EXPECT_EQ(REVOKED, wddm_unmap(env->ctx, env->adapter, memory));
}

TEST_F_TIMEOUT(race_page, attacked, 3600)
{
	const long deadline = now_ms() + race_ms(500);
	int rounds = 0, locked = 0, mapped = 0, samples = 0;
	const int least = variant->least ?: 1;
	int seen[] = { [IN_VAIN] = least, [TOO_LONG] = 0 };
	const struct env *env = &self->env;
	void *spare = anon_pages(PAGES);
	__u64 too_long = 0;

	ASSERT_EQ(0, pthread_create(&self->thread, NULL, attack_on,
				    &self->attack));
	/* As long as it takes to see it */
	while (now_ms() < deadline || seen[variant->sign] < least) {
		struct wddmcompat_map map = {
			.flags = MAP_WRITE,
			.adapter = env->adapter,
			.mdl = self->mdl,
			.first_page = 1,
			.num_pages = 2,
		};
		int rc;

		rounds++;
		lock_round(_metadata, env, spare, &locked, &too_long);
		rc = wddm_map(env->ctx, &map);
		seen[FAILED] = rounds - locked + rounds - mapped - !rc;
		seen[STALE] += rc == -ESTALE;
		if (rc)
			continue;
		mapped++;
		ASSERT_NE(RAW_IOVA, map.iova);
		ASSERT_NE(DECOY_IOVA, map.iova);
		if (variant->value == FIRST_MDL_IOVA && samples < SAMPLES) {
			samples++;
			ASSERT_TRUE(leads_to(&self->rig, map.iova,
					     self->va + PAGE_SIZE));
		}
		rc = wddm_unmap(env->ctx, env->adapter, map.out_memory);
		if (rc == -EBUSY) {
			seen[TOO_LONG]++;
			ASSERT_EQ(TOO_LONG, variant->sign);
			expect_too_long(_metadata, env, map.iova,
					map.out_memory);
		}
		ASSERT_TRUE(rc == LIVE || rc == -EBUSY);
		ASSERT_TRUE(is_dead(env, spare, map.iova));
		seen[TAKEN] += renew_decoy(_metadata, env, self->mdl,
					   &self->decoy);
	}
	atomic_store(&self->attack.stop, true);
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	tally_add(TALLY_OPERATIONS, 4 * rounds);
	TH_LOG("%d rounds: %d locked, %d mapped; %d stale, %d taken, %d too long",
	       rounds, locked, mapped, seen[STALE], seen[TAKEN],
	       seen[TOO_LONG]);
	expect_bystander(_metadata, &self->bystander, &self->bystander_rig);
	expect_recovery(_metadata, env, spare, too_long);
}

int main(int argc, char **argv)
{
	tally_open("race_page");
	return test_harness_run(argc, argv);
}
