// SPDX-License-Identifier: GPL-2.0-only
/*
 * The truth, as a device sees it: before a mapping nothing, with it the right bytes
 * in the right places, after it nothing again.
 */
#include <string.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "rig.h"

FIXTURE(dma)
{
	struct env env;
	struct rig rig;
};

FIXTURE_SETUP(dma)
{
	ASSERT_EQ(0, env_open(&self->env));
	ASSERT_EQ(0, rig_open(&self->rig, 0, self->env.iommufd, self->env.ioas));
}

FIXTURE_TEARDOWN(dma)
{
	rig_close(&self->rig);
	EXPECT_TRUE(env_close(&self->env));
}

static int lock(const struct env *env, const void *va, size_t pages,
		__u32 flags, __u64 *mdl)
{
	return wddm_lock(env->ctx, va, pages * PAGE_SIZE, flags, mdl);
}

static int map_at(const struct env *env, __u64 mdl, __u32 flags, __u64 iova,
		  __u64 *memory)
{
	return wddm_map_all(env->ctx, env->adapter, mdl, flags | MAP_AT, &iova,
			    memory);
}

static int unmap(const struct env *env, __u64 memory)
{
	return wddm_unmap(env->ctx, env->adapter, memory);
}

TEST_F(dma, life_of_a_mapping)
{
	const struct env *env = &self->env;
	struct rig *rig = &self->rig;
	const __u64 iova = 0x10000000;
	__u8 *va = anon_pages(1);
	__u64 mdl, memory;

	memset(va, 0, PAGE_SIZE);
	ASSERT_TRUE(device_holds(rig, 1));
	ASSERT_EQ(0, lock(env, va, 1, MDL_WRITE, &mdl));
	/* Locked is not mapped */
	EXPECT_TRUE(device_writes(rig, iova, EDU_MAX));
	EXPECT_TRUE(is_zero(va, PAGE_SIZE));

	ASSERT_EQ(0, map_at(env, mdl, MAP_WRITE, iova, &memory));
	EXPECT_TRUE(device_writes(rig, iova + 5, EDU_MAX));
	EXPECT_TRUE(is_zero(va, 5));
	EXPECT_TRUE(is_filled(va + 5, EDU_MAX, 1));
	EXPECT_TRUE(is_zero(va + 5 + EDU_MAX, PAGE_SIZE - EDU_MAX - 5));
	fill(va, PAGE_SIZE, 2);
	EXPECT_TRUE(device_sees(rig, iova + 100, va + 100, EDU_MAX));

	EXPECT_EQ(LIVE, unmap(env, memory));
	EXPECT_TRUE(device_writes(rig, iova, EDU_MAX));
	EXPECT_TRUE(is_filled(va, PAGE_SIZE, 2));
	EXPECT_FALSE(device_sees(rig, iova, va, EDU_MAX));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

TEST_F(dma, read_only)
{
	const struct env *env = &self->env;
	struct rig *rig = &self->rig;
	const __u64 iova = 0x10000000;
	__u8 *va = anon_pages(1);
	__u64 mdl, memory;

	fill(va, PAGE_SIZE, 3);
	ASSERT_TRUE(device_holds(rig, 4));
	/* The memory may be written, but the mapping does not say so */
	ASSERT_EQ(0, lock(env, va, 1, MDL_WRITE, &mdl));
	ASSERT_EQ(0, map_at(env, mdl, 0, iova, &memory));
	EXPECT_TRUE(device_writes(rig, iova, EDU_MAX));
	EXPECT_TRUE(is_filled(va, PAGE_SIZE, 3));
	EXPECT_TRUE(device_sees(rig, iova, va, EDU_MAX));
	EXPECT_EQ(LIVE, unmap(env, memory));
	/* Of the same MDL, now to be written */
	ASSERT_EQ(0, map_at(env, mdl, MAP_WRITE, iova, &memory));
	fill(va, PAGE_SIZE, 5);
	ASSERT_TRUE(device_holds(rig, 4));
	EXPECT_TRUE(device_writes(rig, iova, EDU_MAX));
	EXPECT_TRUE(is_filled(va, EDU_MAX, 4));
	EXPECT_EQ(LIVE, unmap(env, memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

TEST_F(dma, several_at_once)
{
	const struct env *env = &self->env;
	struct rig *rig = &self->rig;
	const __u64 iova = 0x20000000;
	__u8 *va[3];
	__u64 mdl[3], memory[3];

	ASSERT_TRUE(device_holds(rig, 6));
	for (int i = 0; i < 3; i++) {
		va[i] = anon_pages(1);
		memset(va[i], 0, PAGE_SIZE);
		ASSERT_EQ(0, lock(env, va[i], 1, MDL_WRITE, &mdl[i]));
		ASSERT_EQ(0, map_at(env, mdl[i], MAP_WRITE,
				    iova + i * PAGE_SIZE, &memory[i]));
	}
	/* Each transfer reaches one of them and leaves the others alone */
	for (int i = 0; i < 3; i++) {
		EXPECT_TRUE(device_writes(rig, iova + i * PAGE_SIZE, EDU_MAX));
		for (int j = 0; j < 3; j++)
			EXPECT_EQ(i == j, is_filled(va[j], EDU_MAX, 6));
		memset(va[i], 0, PAGE_SIZE);
	}
	/* Only the one in the middle goes */
	EXPECT_EQ(LIVE, unmap(env, memory[1]));
	for (int i = 0; i < 3; i++) {
		EXPECT_TRUE(device_writes(rig, iova + i * PAGE_SIZE, EDU_MAX));
		EXPECT_EQ(i != 1, is_filled(va[i], EDU_MAX, 6));
	}
	EXPECT_TRUE(is_zero(va[1], PAGE_SIZE));
	EXPECT_EQ(LIVE, unmap(env, memory[0]));
	EXPECT_EQ(LIVE, unmap(env, memory[2]));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl[i]));
}

/* Three descriptors at odd places become one range of six pages */
TEST_F(dma, chain)
{
	const struct env *env = &self->env;
	struct rig *rig = &self->rig;
	const size_t page = PAGE_SIZE;
	__u8 *a = anon_pages(2), *b = anon_pages(1), *c = anon_pages(3);
	const struct wddmcompat_mdl_desc descs[] = {
		wddm_desc(c + 1001, 3 * page - 1001, MDL_WRITE),
		wddm_desc(a + page - 7, 20, MDL_WRITE),
		wddm_desc(b + 3, 500, MDL_WRITE),
	};
	__u64 logical[3], mdl;
	struct wddmcompat_map map = {
		.flags = MAP_WRITE,
		.adapter = env->adapter,
		.logical = (uintptr_t)logical,
		.num_logical = 3,
	};

	memset(a, 0, 2 * page);
	memset(b, 0, page);
	memset(c, 0, 3 * page);
	ASSERT_EQ(0, wddm_lock_chain(env->ctx, descs, 3, &mdl));
	map.mdl = mdl;
	ASSERT_EQ(0, wddm_map(env->ctx, &map));
	ASSERT_TRUE(device_holds(rig, 7));

	/* By the logical address of each: across two pages, and within one */
	EXPECT_TRUE(device_writes(rig, logical[1], 20));
	EXPECT_TRUE(is_filled(a + page - 7, 20, 7));
	EXPECT_TRUE(is_zero(a, page - 7));
	EXPECT_TRUE(is_zero(a + page + 13, page - 13));
	EXPECT_TRUE(device_writes(rig, logical[2], 500));
	EXPECT_TRUE(is_filled(b + 3, 500, 7));
	EXPECT_TRUE(is_zero(b, 3));
	EXPECT_TRUE(is_zero(b + 503, page - 503));
	EXPECT_TRUE(is_zero(c, 3 * page));
	EXPECT_TRUE(device_writes(rig, logical[0] + page, EDU_MAX));
	EXPECT_TRUE(is_zero(c, page + 1001));
	EXPECT_TRUE(is_filled(c + page + 1001, EDU_MAX, 7));

	/* From the last page of one into the first of the next, both ways */
	memset(a, 0, page);
	EXPECT_TRUE(device_writes(rig, map.iova + 3 * page - 99, 200));
	EXPECT_TRUE(is_filled(c + 3 * page - 99, 99, 7));
	fill(c + 3 * page - 50, 50, 8);
	fill(a, 70, 9);
	memcpy(b, c + 3 * page - 50, 50);
	memcpy(b + 50, a, 70);
	EXPECT_TRUE(device_sees(rig, map.iova + 3 * page - 50, b, 120));
	EXPECT_EQ(LIVE, unmap(env, map.out_memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

/* Three descriptors that share an area: the device reaches each, and from one into the next */
TEST_F(dma, neighbours)
{
	const struct env *env = &self->env;
	struct rig *rig = &self->rig;
	const size_t page = PAGE_SIZE;
	__u8 *va = anon_pages(4);
	const struct wddmcompat_mdl_desc descs[] = {
		wddm_desc(va + 1001, page - 1001, MDL_WRITE),
		wddm_desc(va + page, 2 * page, MDL_WRITE),
		wddm_desc(va + 3 * page, 20, MDL_WRITE),
	};
	__u64 logical[3], mdl;
	struct wddmcompat_map map = {
		.flags = MAP_WRITE,
		.adapter = env->adapter,
		.logical = (uintptr_t)logical,
		.num_logical = 3,
	};

	memset(va, 0, 4 * page);
	ASSERT_EQ(0, wddm_lock_chain(env->ctx, descs, 3, &mdl));
	map.mdl = mdl;
	ASSERT_EQ(0, wddm_map(env->ctx, &map));
	ASSERT_TRUE(device_holds(rig, 7));
	EXPECT_TRUE(device_writes(rig, logical[1] - 99, 200));
	EXPECT_TRUE(is_zero(va, page - 99));
	EXPECT_TRUE(is_filled(va + page - 99, 200, 7));
	EXPECT_TRUE(is_zero(va + page + 101, 3 * page - 101));
	EXPECT_TRUE(device_writes(rig, logical[2], 20));
	EXPECT_TRUE(is_filled(va + 3 * page, 20, 7));
	EXPECT_TRUE(is_zero(va + page + 101, 2 * page - 101));
	fill(va + 1001, 500, 8);
	EXPECT_TRUE(device_sees(rig, logical[0], va + 1001, 500));
	EXPECT_EQ(LIVE, unmap(env, map.out_memory));

	/* And nothing any more */
	memset(va, 0, 4 * page);
	for (int i = 0; i < 3; i++)
		device_writes(rig, logical[i], 20);
	EXPECT_TRUE(is_zero(va, 4 * page));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

/* Of five pages three are mapped; the ones before and behind stay out of reach */
TEST_F(dma, page_range)
{
	const struct env *env = &self->env;
	struct rig *rig = &self->rig;
	const size_t page = PAGE_SIZE;
	__u8 *va = anon_pages(5);
	struct wddmcompat_map map = {
		.flags = MAP_WRITE | MAP_AT,
		.adapter = env->adapter,
		.first_page = 1,
		.num_pages = 3,
		.iova = 0x30000000,
	};

	memset(va, 0, 5 * page);
	ASSERT_EQ(0, lock(env, va, 5, MDL_WRITE, &map.mdl));
	ASSERT_EQ(0, wddm_map(env->ctx, &map));
	ASSERT_TRUE(device_holds(rig, 10));
	EXPECT_TRUE(device_writes(rig, map.iova, EDU_MAX));
	EXPECT_TRUE(is_filled(va + page, EDU_MAX, 10));
	EXPECT_TRUE(device_writes(rig, map.iova - page, EDU_MAX));
	EXPECT_TRUE(is_zero(va, page));
	/* The last of them, and the one behind */
	EXPECT_TRUE(device_writes(rig, map.iova + 3 * page - 1000, 1000));
	EXPECT_TRUE(is_filled(va + 4 * page - 1000, 1000, 10));
	EXPECT_TRUE(device_writes(rig, map.iova + 3 * page, 1000));
	EXPECT_TRUE(is_zero(va + 4 * page, page));
	EXPECT_EQ(LIVE, unmap(env, map.out_memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, map.mdl));
}

/* The IOMMU caches nothing of the mapping that was there before */
TEST_F(dma, same_iova_again)
{
	const struct env *env = &self->env;
	struct rig *rig = &self->rig;
	const __u64 iova = 0x40000000;
	__u8 *old = anon_pages(1), *new = anon_pages(1);
	__u64 old_mdl, new_mdl, memory;

	memset(old, 0, PAGE_SIZE);
	memset(new, 0, PAGE_SIZE);
	ASSERT_EQ(0, lock(env, old, 1, MDL_WRITE, &old_mdl));
	ASSERT_EQ(0, lock(env, new, 1, MDL_WRITE, &new_mdl));
	ASSERT_EQ(0, map_at(env, old_mdl, MAP_WRITE, iova, &memory));
	ASSERT_TRUE(device_holds(rig, 11));
	EXPECT_TRUE(device_writes(rig, iova, 100));
	EXPECT_TRUE(is_filled(old, 100, 11));
	EXPECT_EQ(LIVE, unmap(env, memory));
	memset(old, 0, PAGE_SIZE);
	ASSERT_EQ(0, map_at(env, new_mdl, MAP_WRITE, iova, &memory));
	EXPECT_TRUE(device_writes(rig, iova, 100));
	EXPECT_TRUE(is_filled(new, 100, 11));
	EXPECT_TRUE(is_zero(old, PAGE_SIZE));
	EXPECT_EQ(LIVE, unmap(env, memory));
	/* And once more, but not to be written */
	memset(new, 0, PAGE_SIZE);
	ASSERT_EQ(0, map_at(env, new_mdl, 0, iova, &memory));
	EXPECT_TRUE(device_writes(rig, iova, 100));
	EXPECT_TRUE(is_zero(new, PAGE_SIZE));
	EXPECT_EQ(LIVE, unmap(env, memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, old_mdl));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, new_mdl));
}

/* One entry of the IOMMU's page table for all of it */
TEST_F(dma, huge_page)
{
	const struct env *env = &self->env;
	struct rig *rig = &self->rig;
	const __u64 iova = 0x80000000;
	__u8 *va = huge_page();
	__u64 mdl, memory;

	ASSERT_EQ(0, lock(env, va, HUGE_SIZE / PAGE_SIZE, MDL_WRITE, &mdl));
	ASSERT_EQ(0, map_at(env, mdl, MAP_WRITE, iova, &memory));
	ASSERT_TRUE(device_holds(rig, 12));
	EXPECT_TRUE(device_writes(rig, iova + HUGE_SIZE - EDU_MAX, EDU_MAX));
	EXPECT_TRUE(is_filled(va + HUGE_SIZE - EDU_MAX, EDU_MAX, 12));
	EXPECT_TRUE(device_writes(rig, iova + HUGE_SIZE, EDU_MAX));
	EXPECT_NE(0, va[HUGE_SIZE]);
	EXPECT_TRUE(is_zero(va + HUGE_SIZE + 1, PAGE_SIZE - 1));
	EXPECT_EQ(LIVE, unmap(env, memory));
	memset(va + HUGE_SIZE - PAGE_SIZE, 0, PAGE_SIZE);
	EXPECT_TRUE(device_writes(rig, iova + HUGE_SIZE - EDU_MAX, EDU_MAX));
	EXPECT_TRUE(is_zero(va + HUGE_SIZE - PAGE_SIZE, PAGE_SIZE));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

TEST_F(dma, closed)
{
	struct env *env = &self->env;
	struct rig *rig = &self->rig;
	const __u64 iova = 0x10000000;
	__u8 *va = anon_pages(1);
	__u64 mdl, memory;

	memset(va, 0, PAGE_SIZE);
	ASSERT_EQ(0, lock(env, va, 1, MDL_WRITE, &mdl));
	ASSERT_EQ(0, map_at(env, mdl, MAP_WRITE, iova, &memory));
	ASSERT_TRUE(device_holds(rig, 13));
	EXPECT_TRUE(device_writes(rig, iova, 100));
	EXPECT_TRUE(is_filled(va, 100, 13));
	memset(va, 0, PAGE_SIZE);
	close(env->ctx);
	env->ctx = -1;
	EXPECT_TRUE(device_writes(rig, iova, 100));
	EXPECT_TRUE(is_zero(va, PAGE_SIZE));
}

TEST_HARNESS_MAIN
