// SPDX-License-Identifier: GPL-2.0-only
/*
 * Logical addresses: where the device finds the first byte of each descriptor of a
 * chain that is mapped to one range
 */
#include "fixture.h"
#include "kselftest_harness.h"

#define PAGES 8

FIXTURE(logical)
{
	struct env env;
	__u8 *va;
};

FIXTURE_SETUP(logical)
{
	ASSERT_EQ(0, env_open(&self->env));
	self->va = anon_pages(PAGES);
}

FIXTURE_TEARDOWN(logical)
{
	EXPECT_TRUE(env_close(&self->env));
}

static int unmap(const struct env *env, __u64 memory)
{
	return wddm_unmap(env->ctx, env->adapter, memory);
}

/* Pages 0-1, 2-4, 5 and 6-7 of the MDL, starting at odd places */
static int lock_odd_chain(const struct env *env, __u8 *va, __u64 *mdl)
{
	const struct wddmcompat_mdl_desc descs[] = {
		wddm_desc(va + 100, PAGE_SIZE, MDL_WRITE),
		wddm_desc(va + 3 * PAGE_SIZE - 1, PAGE_SIZE + 2, MDL_WRITE),
		wddm_desc(va, 1, MDL_WRITE),
		wddm_desc(va + 4 * PAGE_SIZE + 7, 2 * PAGE_SIZE - 7, MDL_WRITE),
	};

	return wddm_lock_chain(env->ctx, descs, 4, mdl);
}

TEST_F(logical, addresses)
{
	const struct env *env = &self->env;
	const __u64 none = WDDMCOMPAT_LOGICAL_NONE;
	const struct {
		__u64 first, num;
		/* Page of each descriptor's first byte */
		__u64 page[4];
	} ranges[] = {
		{ 0, 0, { 0, 2, 5, 6 } }, { 2, 3, { none, 0, none, none } },
		{ 1, 0, { none, 1, 4, 5 } }, { 3, 2, { none, none, none, none } },
		{ 5, 1, { none, none, 0, none } }, { 0, 6, { 0, 2, 5, none } },
	};
	const __u64 offset[] = { 100, PAGE_SIZE - 1, 0, 7 };
	__u64 mdl;

	ASSERT_EQ(0, lock_odd_chain(env, self->va, &mdl));
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		__u64 logical[5] = { 1, 1, 1, 1, 1 };
		struct wddmcompat_map cmd = {
			.adapter = env->adapter,
			.mdl = mdl,
			.first_page = ranges[i].first,
			.num_pages = ranges[i].num,
			.logical = (uintptr_t)logical,
			.num_logical = 4,
		};

		ASSERT_EQ(0, wddm_map(env->ctx, &cmd));
		for (int d = 0; d < 4; d++) {
			__u64 page = ranges[i].page[d], address = none;

			if (page != none)
				address = cmd.iova + page * PAGE_SIZE +
					  offset[d];
			EXPECT_EQ(address, logical[d]);
		}
		EXPECT_EQ(1, logical[4]);
		EXPECT_EQ(LIVE, unmap(env, cmd.out_memory));
	}
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

/* Descriptors that share an area have an address each, whatever part of it is mapped */
TEST_F(logical, neighbours)
{
	const struct env *env = &self->env;
	const __u64 none = WDDMCOMPAT_LOGICAL_NONE;
	const struct wddmcompat_mdl_desc descs[] = {
		wddm_desc(self->va + 100, 2 * PAGE_SIZE - 100, MDL_WRITE),
		wddm_desc(self->va + 2 * PAGE_SIZE, PAGE_SIZE, MDL_WRITE),
		wddm_desc(self->va + 3 * PAGE_SIZE, PAGE_SIZE + 1, MDL_WRITE),
	};
	const struct {
		__u64 first, num;
		__u64 logical[3];
	} ranges[] = {
		{ 0, 0, { 100, 2 * PAGE_SIZE, 3 * PAGE_SIZE } },
		{ 1, 0, { none, PAGE_SIZE, 2 * PAGE_SIZE } },
		{ 0, 3, { 100, 2 * PAGE_SIZE, none } },
		{ 2, 1, { none, 0, none } },
		{ 3, 2, { none, none, 0 } },
		{ 4, 1, { none, none, none } },
	};
	__u64 mdl;

	ASSERT_EQ(0, wddm_lock_chain(env->ctx, descs, 3, &mdl));
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		__u64 logical[3];
		struct wddmcompat_map cmd = {
			.adapter = env->adapter,
			.mdl = mdl,
			.first_page = ranges[i].first,
			.num_pages = ranges[i].num,
			.logical = (uintptr_t)logical,
			.num_logical = 3,
		};

		ASSERT_EQ(0, wddm_map(env->ctx, &cmd));
		for (int d = 0; d < 3; d++) {
			__u64 address = ranges[i].logical[d];

			if (address != none)
				address += cmd.iova;
			EXPECT_EQ(address, logical[d]);
		}
		EXPECT_EQ(LIVE, unmap(env, cmd.out_memory));
	}
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

TEST_F(logical, bad_arrays)
{
	const struct env *env = &self->env;
	const __u32 wrong[] = { 1, 3, 5, 1024, UINT32_MAX };
	__u64 *at_end = (void *)((__u8 *)anon_pages(2) + PAGE_SIZE);
	__u64 mdl, logical[8];
	struct wddmcompat_map cmd = { .adapter = env->adapter };

	ASSERT_EQ(0, lock_odd_chain(env, self->va, &mdl));
	ASSERT_EQ(0, munmap(at_end, PAGE_SIZE));
	cmd.mdl = mdl;
	cmd.logical = (uintptr_t)logical;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cmd.num_logical = wrong[i];
		EXPECT_EQ(-EINVAL, wddm_map(env->ctx, &cmd));
	}
	cmd.num_logical = 4;
	for (int missing = 1; missing <= 4; missing++) {
		cmd.logical = (uintptr_t)(at_end - 4 + missing);
		EXPECT_EQ(-EFAULT, wddm_map(env->ctx, &cmd));
	}
	cmd.logical = 0;
	EXPECT_EQ(-EFAULT, wddm_map(env->ctx, &cmd));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));

	cmd.logical = (uintptr_t)(at_end - 4);
	ASSERT_EQ(0, wddm_map(env->ctx, &cmd));
	EXPECT_EQ(cmd.iova + 100, at_end[-4]);
	EXPECT_EQ(LIVE, unmap(env, cmd.out_memory));
	/* No array, no matter where it is */
	cmd.num_logical = 0;
	cmd.logical = (uintptr_t)at_end;
	ASSERT_EQ(0, wddm_map(env->ctx, &cmd));
	EXPECT_EQ(LIVE, unmap(env, cmd.out_memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

TEST_F(logical, longest_chain)
{
	const struct env *env = &self->env;
	const __u32 max = WDDMCOMPAT_MDL_CHAIN_MAX;
	struct wddmcompat_mdl_desc descs[max];
	__u8 *va = anon_pages(max);
	__u64 mdl, logical[max];
	struct wddmcompat_map cmd = {
		.flags = MAP_WRITE,
		.adapter = env->adapter,
		.logical = (uintptr_t)logical,
		.num_logical = max,
	};

	for (__u32 i = 0; i < max; i++)
		descs[i] = wddm_desc(va + (max - 1 - i) * PAGE_SIZE + i, 1,
				     MDL_WRITE);
	ASSERT_EQ(0, wddm_lock_chain(env->ctx, descs, max, &mdl));
	cmd.mdl = mdl;
	ASSERT_EQ(0, wddm_map(env->ctx, &cmd));
	for (__u32 i = 0; i < max; i++)
		ASSERT_EQ(cmd.iova + i * PAGE_SIZE + i, logical[i]);
	EXPECT_EQ(max, pins_since(env));
	EXPECT_EQ(LIVE, unmap(env, cmd.out_memory));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

TEST_HARNESS_MAIN
