// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping an MDL to an adapter and unmapping it again: where it goes, what may be
 * written, what it keeps busy. Each test runs with and without a device, because
 * an IOAS without one has no page tables and takes other ways in the kernel.
 */
#include <stdlib.h>
#include <string.h>

#include "edu.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define PAGES 8

FIXTURE(mapping)
{
	struct env env;
	struct edu edu;
	__u8 *va;
	__u64 mdl;
};

FIXTURE_VARIANT(mapping)
{
	bool device;
};

FIXTURE_VARIANT_ADD(mapping, no_device)
{
	.device = false,
};

FIXTURE_VARIANT_ADD(mapping, device)
{
	.device = true,
};

FIXTURE_SETUP(mapping)
{
	self->edu.fd = -1;
	ASSERT_EQ(0, env_open(&self->env));
	if (variant->device) {
		ASSERT_EQ(0, edu_open(&self->edu, 0, self->env.iommufd));
		ASSERT_EQ(0, edu_attach(&self->edu, self->env.ioas));
	}
	self->va = anon_pages(PAGES);
	ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, PAGES * PAGE_SIZE,
			       MDL_WRITE, &self->mdl));
}

FIXTURE_TEARDOWN(mapping)
{
	if (self->mdl)
		EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
	edu_close(&self->edu);
	EXPECT_TRUE(env_close(&self->env));
}

static int map(const struct env *env, __u64 mdl, __u32 flags, __u64 *iova,
	       __u64 *memory)
{
	return wddm_map_all(env->ctx, env->adapter, mdl, flags, iova, memory);
}

static int unmap(const struct env *env, __u64 memory)
{
	return wddm_unmap(env->ctx, env->adapter, memory);
}

/* Nothing is mapped in the range: there is room for a mapping of ours */
static bool is_free(const struct env *env, __u64 iova, size_t pages)
{
	void *va = anon_pages(1);
	bool is_free = true;

	for (size_t i = 0; i < pages; i++) {
		const __u64 page = iova + i * PAGE_SIZE;

		if (ioas_map_fixed(env->iommufd, env->ioas, va, PAGE_SIZE,
				   page) ||
		    ioas_unmap_range(env->iommufd, env->ioas, page, PAGE_SIZE))
			is_free = false;
	}
	munmap(va, PAGE_SIZE);
	return is_free;
}

static bool is_used(const struct env *env, __u64 iova, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		if (ioas_map_fixed(env->iommufd, env->ioas, NULL, PAGE_SIZE,
				   iova + i * PAGE_SIZE) != -EEXIST)
			return false;
	return true;
}

TEST_F(mapping, whole)
{
	const struct env *env = &self->env;
	__u64 iova = 0, memory = 0;
	struct wddmcompat_query query;

	for (int i = 0; i < 3; i++) {
		const __u32 flags = i % 2 ? MAP_WRITE : 0;

		ASSERT_EQ(0, map(env, self->mdl, flags, &iova, &memory));
		EXPECT_NE(0, memory);
		EXPECT_EQ(0, iova % PAGE_SIZE);
		EXPECT_TRUE(is_used(env, iova, PAGES));
		EXPECT_TRUE(is_free(env, iova + PAGES * PAGE_SIZE, 1));
		/* No page is pinned a second time */
		EXPECT_EQ(PAGES, pins_since(env));

		ASSERT_EQ(0, wddm_query(env->ctx, memory, &query));
		EXPECT_EQ(WDDMCOMPAT_OBJECT_MAPPING, query.out_type);
		EXPECT_EQ(WDDMCOMPAT_STATE_LIVE, query.out_state);
		EXPECT_EQ(flags, query.out_map_flags);
		EXPECT_EQ(PAGES, query.out_num_pages);
		EXPECT_EQ(iova, query.out_iova);
		EXPECT_EQ(env->adapter, query.out_adapter);
		EXPECT_EQ(self->mdl, query.out_mdl);

		EXPECT_EQ(LIVE, unmap(env, memory));
		EXPECT_TRUE(is_free(env, iova, PAGES));
		EXPECT_EQ(-ENOENT, wddm_query(env->ctx, memory, &query));
	}
	EXPECT_EQ(PAGES, pins_since(env));
}

TEST_F(mapping, page_range)
{
	const struct env *env = &self->env;
	const struct {
		__u64 first, num, mapped;
	} ranges[] = {
		{ 0, 0, PAGES }, { 0, PAGES, PAGES }, { 0, 1, 1 },
		{ 3, 2, 2 }, { 3, 0, PAGES - 3 }, { PAGES - 1, 1, 1 },
		{ PAGES - 1, 0, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct wddmcompat_map cmd = {
			.flags = MAP_WRITE,
			.adapter = env->adapter,
			.mdl = self->mdl,
			.first_page = ranges[i].first,
			.num_pages = ranges[i].num,
		};
		struct wddmcompat_query query;

		ASSERT_EQ(0, wddm_map(env->ctx, &cmd));
		EXPECT_TRUE(is_used(env, cmd.iova, ranges[i].mapped));
		EXPECT_TRUE(is_free(env, cmd.iova +
				    ranges[i].mapped * PAGE_SIZE, 1));
		ASSERT_EQ(0, wddm_query(env->ctx, cmd.out_memory, &query));
		EXPECT_EQ(ranges[i].mapped, query.out_num_pages);
		EXPECT_EQ(LIVE, unmap(env, cmd.out_memory));
		EXPECT_TRUE(is_free(env, cmd.iova, ranges[i].mapped));
	}
}

TEST_F(mapping, page_range_outside)
{
	const struct env *env = &self->env;
	const struct {
		__u64 first, num;
	} ranges[] = {
		{ 0, PAGES + 1 }, { 1, PAGES }, { PAGES - 1, 2 },
		{ PAGES, 0 }, { PAGES, 1 }, { PAGES + 1, 0 },
		{ 0, UINT64_MAX }, { UINT64_MAX, 0 }, { UINT64_MAX, 1 },
		{ UINT64_MAX, 2 }, { 1, UINT64_MAX }, { 1ULL << 52, 1 },
		{ 1ULL << 32, 0 }, { 0, 1ULL << 32 },
		{ 1ULL << 63, 1ULL << 63 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct wddmcompat_map cmd = {
			.adapter = env->adapter,
			.mdl = self->mdl,
			.first_page = ranges[i].first,
			.num_pages = ranges[i].num,
		};

		EXPECT_EQ(-EINVAL, wddm_map(env->ctx, &cmd));
		EXPECT_EQ(0, cmd.out_memory);
	}
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
}

TEST_F(mapping, fixed_iova)
{
	const struct env *env = &self->env;
	const __u64 iovas[] = { 0, PAGE_SIZE, 0x10000000, 0x7654321000,
				HUGE_SIZE - PAGE_SIZE };
	__u64 memory;

	for (size_t i = 0; i < ARRAY_SIZE(iovas); i++) {
		__u64 iova = iovas[i];

		ASSERT_EQ(0, map(env, self->mdl, MAP_AT | MAP_WRITE, &iova,
				 &memory));
		EXPECT_EQ(iovas[i], iova);
		EXPECT_TRUE(is_used(env, iova, PAGES));
		EXPECT_EQ(LIVE, unmap(env, memory));
		EXPECT_TRUE(is_free(env, iova, PAGES));
	}
}

TEST_F(mapping, fixed_iova_refused)
{
	const struct env *env = &self->env;
	const __u64 length = PAGES * PAGE_SIZE, middle = 0x1000000;
	const __u64 invalid[] = {
		middle + 1, middle + PAGE_SIZE - 1, UINT64_MAX, -PAGE_SIZE,
		-length + PAGE_SIZE,
	};
	const __u64 in_use[] = {
		middle, middle - PAGE_SIZE, middle + PAGE_SIZE,
		middle - length + PAGE_SIZE, middle + length - PAGE_SIZE,
	};
	/* Interrupts of a PC, and more than an IOMMU translates */
	const __u64 reserved[] = {
		0xfee00000, 0xfee00000 - length + PAGE_SIZE,
		0xfeeff000, 1ULL << 60,
	};
	__u64 iova, memory, second;

	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++) {
		iova = invalid[i];
		EXPECT_EQ(-EINVAL, map(env, self->mdl, MAP_AT, &iova, &memory));
	}
	for (size_t i = 0; variant->device && i < ARRAY_SIZE(reserved); i++) {
		iova = reserved[i];
		EXPECT_EQ(-EINVAL, map(env, self->mdl, MAP_AT, &iova, &memory));
	}

	iova = middle;
	ASSERT_EQ(0, map(env, self->mdl, MAP_AT, &iova, &memory));
	for (size_t i = 0; i < ARRAY_SIZE(in_use); i++) {
		iova = in_use[i];
		EXPECT_EQ(-EEXIST, map(env, self->mdl, MAP_AT, &iova, &second));
	}
	/* Next to it is free on both sides */
	iova = middle - length;
	ASSERT_EQ(0, map(env, self->mdl, MAP_AT, &iova, &second));
	EXPECT_EQ(LIVE, unmap(env, second));
	iova = middle + length;
	ASSERT_EQ(0, map(env, self->mdl, MAP_AT, &iova, &second));
	EXPECT_EQ(LIVE, unmap(env, second));
	EXPECT_EQ(LIVE, unmap(env, memory));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
}

/* Without the flag the IOVA that the caller has in the structure means nothing */
TEST_F(mapping, iova_is_chosen)
{
	const struct env *env = &self->env;
	const __u64 meaningless[] = { 12345, UINT64_MAX, 1ULL << 63, -PAGE_SIZE };
	__u64 first, first_memory, iova, memory;

	for (size_t i = 0; i < ARRAY_SIZE(meaningless); i++) {
		first = meaningless[i];
		ASSERT_EQ(0, map(env, self->mdl, 0, &first, &first_memory));
		EXPECT_EQ(0, first % PAGE_SIZE);
		iova = first;
		ASSERT_EQ(0, map(env, self->mdl, 0, &iova, &memory));
		EXPECT_NE(first, iova);
		EXPECT_EQ(LIVE, unmap(env, first_memory));
		EXPECT_TRUE(is_used(env, iova, PAGES));
		EXPECT_EQ(LIVE, unmap(env, memory));
	}
}

TEST_F(mapping, no_room)
{
	const struct env *env = &self->env;
	const __u64 first = 0x100000;
	__u64 iova = 0, memory, second;

	ASSERT_EQ(0, ioas_allow(env->iommufd, env->ioas, first,
				first + PAGES * PAGE_SIZE - 1));
	ASSERT_EQ(0, map(env, self->mdl, 0, &iova, &memory));
	EXPECT_EQ(first, iova);
	EXPECT_EQ(-ENOSPC, map(env, self->mdl, 0, &iova, &second));
	EXPECT_EQ(LIVE, unmap(env, memory));
	ASSERT_EQ(0, map(env, self->mdl, 0, &iova, &memory));
	EXPECT_EQ(LIVE, unmap(env, memory));
	ASSERT_EQ(0, ioas_allow(env->iommufd, env->ioas, first,
				first + (PAGES - 1) * PAGE_SIZE - 1));
	EXPECT_EQ(-ENOSPC, map(env, self->mdl, 0, &iova, &memory));
}

TEST_F(mapping, write_permission)
{
	const struct env *env = &self->env;
	const struct wddmcompat_mdl_desc descs[] = {
		wddm_desc(self->va, 2 * PAGE_SIZE, MDL_WRITE),
		wddm_desc(self->va + 2 * PAGE_SIZE, 2 * PAGE_SIZE, 0),
		wddm_desc(self->va + 4 * PAGE_SIZE, 2 * PAGE_SIZE, MDL_WRITE),
	};
	const struct {
		__u64 first, num;
		int error;
	} ranges[] = {
		{ 0, 6, -EPERM }, { 0, 2, 0 }, { 4, 2, 0 }, { 1, 1, 0 },
		{ 2, 2, -EPERM }, { 1, 2, -EPERM }, { 3, 2, -EPERM },
		{ 3, 1, -EPERM },
	};
	__u64 mdl;

	ASSERT_EQ(0, wddm_lock_chain(env->ctx, descs, 3, &mdl));
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct wddmcompat_map cmd = {
			.flags = MAP_WRITE,
			.adapter = env->adapter,
			.mdl = mdl,
			.first_page = ranges[i].first,
			.num_pages = ranges[i].num,
		};

		EXPECT_EQ(ranges[i].error, wddm_map(env->ctx, &cmd));
		if (!ranges[i].error)
			EXPECT_EQ(LIVE, unmap(env, cmd.out_memory));
		/* Any of it may be read */
		cmd.flags = 0;
		ASSERT_EQ(0, wddm_map(env->ctx, &cmd));
		EXPECT_EQ(LIVE, unmap(env, cmd.out_memory));
	}
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

TEST_F(mapping, two_adapters)
{
	const struct env *env = &self->env;
	__u64 adapter, iova = 0x200000, here, there;
	__u32 ioas;

	ASSERT_EQ(0, ioas_alloc(env->iommufd, &ioas));
	ASSERT_EQ(0, wddm_adapter_create(env->ctx, ioas, &adapter));
	ASSERT_EQ(0, map(env, self->mdl, MAP_AT, &iova, &here));
	ASSERT_EQ(0, wddm_map_all(env->ctx, adapter, self->mdl, MAP_AT, &iova,
				  &there));
	EXPECT_EQ(-ENOENT, wddm_unmap(env->ctx, adapter, here));
	EXPECT_EQ(-ENOENT, unmap(env, there));
	EXPECT_EQ(PAGES, pins_since(env));
	EXPECT_EQ(LIVE, unmap(env, here));
	EXPECT_EQ(-EBUSY, wddm_adapter_destroy(env->ctx, adapter));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, adapter, there));
	EXPECT_EQ(0, wddm_adapter_destroy(env->ctx, adapter));
	EXPECT_EQ(0, iommufd_destroy(env->iommufd, ioas));
}

TEST_F(mapping, keeps_mdl_and_adapter)
{
	const struct env *env = &self->env;
	__u64 iova = 0, memory[5];
	struct wddmcompat_query query;

	for (int i = 0; i < 5; i++)
		ASSERT_EQ(0, map(env, self->mdl, 0, &iova, &memory[i]));
	for (int i = 4; i >= 0; i--) {
		EXPECT_EQ(-EBUSY, wddm_unlock(env->ctx, self->mdl));
		EXPECT_EQ(-EBUSY, wddm_adapter_destroy(env->ctx, env->adapter));
		ASSERT_EQ(0, wddm_query(env->ctx, self->mdl, &query));
		EXPECT_EQ(i + 1, query.out_num_mappings);
		ASSERT_EQ(0, wddm_query(env->ctx, env->adapter, &query));
		EXPECT_EQ(i + 1, query.out_num_mappings);
		EXPECT_EQ(LIVE, unmap(env, memory[i]));
	}
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
	EXPECT_EQ(0, wddm_adapter_destroy(env->ctx, env->adapter));
	self->mdl = 0;
}

/* The same place again and again, in turn with another MDL */
TEST_F(mapping, map_again)
{
	const struct env *env = &self->env;
	__u64 mdl, iova = 0x40000000, memory, seen[40];

	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, PAGES * PAGE_SIZE, 0, &mdl));
	for (int i = 0; i < 40; i++) {
		ASSERT_EQ(0, map(env, i % 2 ? mdl : self->mdl, MAP_AT, &iova,
				 &memory));
		for (int j = 0; j < i; j++)
			ASSERT_NE(seen[j], memory);
		seen[i] = memory;
		ASSERT_EQ(LIVE, unmap(env, memory));
		ASSERT_EQ(-ENOENT, unmap(env, memory));
	}
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

TEST_F(mapping, many)
{
	const struct env *env = &self->env;
	const int num = 200;
	__u64 iova = 0, memory[num];

	for (int i = 0; i < num; i++)
		ASSERT_EQ(0, map(env, self->mdl, 0, &iova, &memory[i]));
	EXPECT_EQ(PAGES, pins_since(env));
	/* In another order */
	for (int i = 0; i < num; i++)
		ASSERT_EQ(LIVE, unmap(env, memory[i * 77 % num]));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
}

/* User space can try to destroy any object of its iommufd, but not ours */
TEST_F(mapping, objects_are_ours)
{
	const struct env *env = &self->env;
	__u64 iova = 0, memory;
	__u32 highest;

	ASSERT_EQ(0, map(env, self->mdl, 0, &iova, &memory));
	ASSERT_EQ(0, ioas_alloc(env->iommufd, &highest));
	for (__u32 id = 1; id < highest; id++)
		EXPECT_NE(0, iommufd_destroy(env->iommufd, id));
	EXPECT_EQ(0, iommufd_destroy(env->iommufd, highest));
	EXPECT_TRUE(is_used(env, iova, PAGES));
	EXPECT_EQ(LIVE, unmap(env, memory));
}

/* A device may come and go while there are mappings */
TEST_F(mapping, device_comes_and_goes)
{
	const struct env *env = &self->env;
	__u64 iova = 0, memory;

	ASSERT_EQ(0, variant->device ?
		     edu_detach(&self->edu) :
		     edu_open(&self->edu, 0, env->iommufd));
	ASSERT_EQ(0, map(env, self->mdl, MAP_WRITE, &iova, &memory));
	ASSERT_EQ(0, edu_attach(&self->edu, env->ioas));
	EXPECT_EQ(PAGES, pins_since(env));
	ASSERT_EQ(0, edu_detach(&self->edu));
	EXPECT_EQ(PAGES, pins_since(env));
	ASSERT_EQ(0, edu_attach(&self->edu, env->ioas));
	EXPECT_EQ(LIVE, unmap(env, memory));
	EXPECT_TRUE(is_free(env, iova, PAGES));
	ASSERT_EQ(0, map(env, self->mdl, MAP_WRITE, &iova, &memory));
	edu_close(&self->edu);
	EXPECT_EQ(LIVE, unmap(env, memory));
	EXPECT_EQ(PAGES, pins_since(env));
}

static bool contains(const void *buf, size_t len, __u64 number)
{
	for (size_t i = 0; i + sizeof(number) <= len; i += 4)
		if (!memcmp((const char *)buf + i, &number, sizeof(number)))
			return true;
	return false;
}

/* No answer has the physical address of a page, nor the number of its frame */
TEST_F(mapping, no_physical_address)
{
	const struct env *env = &self->env;
	__u64 logical[1];
	struct {
		struct wddmcompat_map map;
		struct wddmcompat_query of_mdl, of_mapping, of_adapter;
	} seen = {
		.map.adapter = env->adapter,
		.map.mdl = self->mdl,
		.map.logical = (uintptr_t)logical,
		.map.num_logical = 1,
	};

	ASSERT_EQ(0, wddm_map(env->ctx, &seen.map));
	ASSERT_EQ(0, wddm_query(env->ctx, self->mdl, &seen.of_mdl));
	ASSERT_EQ(0, wddm_query(env->ctx, seen.map.out_memory,
				&seen.of_mapping));
	ASSERT_EQ(0, wddm_query(env->ctx, env->adapter, &seen.of_adapter));
	for (int i = 0; i < PAGES; i++) {
		const __u64 frame = page_frame(self->va + i * PAGE_SIZE);

		ASSERT_NE(0, frame);
		EXPECT_FALSE(contains(&seen, sizeof(seen), frame));
		EXPECT_FALSE(contains(&seen, sizeof(seen), frame * PAGE_SIZE));
		EXPECT_NE(frame * PAGE_SIZE, logical[0]);
	}
	EXPECT_EQ(LIVE, unmap(env, seen.map.out_memory));
}

TEST_HARNESS_MAIN
