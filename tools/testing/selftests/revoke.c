// SPDX-License-Identifier: GPL-2.0-only
/*
 * User space unmaps with iommufd's own ioctl what we mapped: the handle is revoked,
 * says so, and touches nothing that is not its own any more.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "edu.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define PAGES 6
#define LEN ((long)(PAGES * PAGE_SIZE))

FIXTURE(revoke)
{
	struct env env;
	struct edu edu;
	__u8 *va;
	__u64 mdl;
	__u64 iova;
	__u64 memory;
};

FIXTURE_VARIANT(revoke)
{
	bool device;
};

FIXTURE_VARIANT_ADD(revoke, no_device)
{
	.device = false,
};

FIXTURE_VARIANT_ADD(revoke, device)
{
	.device = true,
};

/*
 * A chain of three descriptors, two pages each, mapped. The last is first in memory:
 * those that follow each other would be one area.
 */
FIXTURE_SETUP(revoke)
{
	struct wddmcompat_mdl_desc descs[3];

	self->edu.fd = -1;
	ASSERT_EQ(0, env_open(&self->env));
	if (variant->device) {
		ASSERT_EQ(0, edu_open(&self->edu, 0, self->env.iommufd));
		ASSERT_EQ(0, edu_attach(&self->edu, self->env.ioas));
	}
	self->va = anon_pages(PAGES);
	for (int i = 0; i < 3; i++)
		descs[i] = wddm_desc(self->va + 2 * (2 - i) * PAGE_SIZE,
				     2 * PAGE_SIZE, MDL_WRITE);
	ASSERT_EQ(0, wddm_lock_chain(self->env.ctx, descs, 3, &self->mdl));
	ASSERT_EQ(0, wddm_map_all(self->env.ctx, self->env.adapter, self->mdl,
				  MAP_WRITE, &self->iova, &self->memory));
}

FIXTURE_TEARDOWN(revoke)
{
	edu_close(&self->edu);
	EXPECT_TRUE(env_close(&self->env));
}

static int state_of(const struct env *env, __u64 handle)
{
	struct wddmcompat_query query;

	return wddm_query(env->ctx, handle, &query) ?: (int)query.out_state;
}

static int raw_unmap(const struct env *env, __u64 iova, size_t pages)
{
	return ioas_unmap_range(env->iommufd, env->ioas, iova,
				pages * PAGE_SIZE);
}

static int unmap(const struct env *env, __u64 memory)
{
	return wddm_unmap(env->ctx, env->adapter, memory);
}

TEST_F(revoke, mapping)
{
	const struct env *env = &self->env;

	EXPECT_EQ(LIVE, state_of(env, self->memory));
	ASSERT_EQ(0, raw_unmap(env, self->iova, PAGES));
	EXPECT_EQ(REVOKED, state_of(env, self->memory));
	EXPECT_EQ(LIVE, state_of(env, self->mdl));
	/* It still counts */
	EXPECT_EQ(-EBUSY, wddm_unlock(env->ctx, self->mdl));
	EXPECT_EQ(-EBUSY, wddm_adapter_destroy(env->ctx, env->adapter));
	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_EQ(-ENOENT, unmap(env, self->memory));
	EXPECT_EQ(PAGES, pins_since(env));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
	EXPECT_EQ(0, pins_since(env));
}

/* Whoever comes to live at the IOVA is not ours to evict */
TEST_F(revoke, new_tenant)
{
	const struct env *env = &self->env;
	void *other = anon_pages(PAGES);

	ASSERT_EQ(0, raw_unmap(env, self->iova, PAGES));
	ASSERT_EQ(0, ioas_map_fixed(env->iommufd, env->ioas, other,
				    PAGES * PAGE_SIZE, self->iova));
	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_EQ(0, raw_unmap(env, self->iova, PAGES));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* Nor if it has come unnoticed, and cannot be looked at as ours could */
TEST_F(revoke, new_tenant_that_nobody_reads)
{
	const struct env *env = &self->env;
	const __u64 place = self->iova + 2 * PAGE_SIZE;
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = env->ioas,
		.user_va = (uintptr_t)anon_pages(2),
		.length = 2 * PAGE_SIZE,
		.iova = place,
	};

	/* After the first one the module has let go of the others */
	ASSERT_EQ(0, raw_unmap(env, self->iova, 2));
	ASSERT_EQ(0, raw_unmap(env, place, 2));
	ASSERT_EQ(0, ioctl(env->iommufd, IOMMU_IOAS_MAP, &map));
	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_EQ(0, raw_unmap(env, place, 2));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* Two areas go, and one that is larger comes: half of the first and all of the second */
static int let_larger_tenant_in(const struct env *env, __u64 iova, __u8 *va)
{
	return raw_unmap(env, iova, 2) ?:
	       raw_unmap(env, iova + 2 * PAGE_SIZE, 2) ?:
	       ioas_map_fixed(env->iommufd, env->ioas, va + PAGE_SIZE,
			      3 * PAGE_SIZE, iova + PAGE_SIZE);
}

/*
 * What is larger than ours is not ours to cut, even if it has our page at our place.
 * The rest goes all the same.
 */
TEST_F(revoke, larger_tenant)
{
	const struct env *env = &self->env;

	ASSERT_EQ(0, let_larger_tenant_in(env, self->iova, self->va));
	EXPECT_EQ(-EBUSY, unmap(env, self->memory));
	EXPECT_EQ(REVOKED, state_of(env, self->memory));
	EXPECT_EQ(-ENOENT, raw_unmap(env, self->iova + 4 * PAGE_SIZE, 2));
	EXPECT_EQ(0, raw_unmap(env, self->iova + PAGE_SIZE, 3));
	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* A context can be closed all the same */
TEST_F(revoke, larger_tenant_stays)
{
	const struct env *env = &self->env;

	ASSERT_EQ(0, let_larger_tenant_in(env, self->iova, self->va));
	EXPECT_EQ(0, close(env->ctx));
	self->env.ctx = -1;
	EXPECT_EQ(0, raw_unmap(env, self->iova + PAGE_SIZE, 3));
}

/* Another mapping of the module is not to be evicted either */
TEST_F(revoke, new_tenant_of_ours)
{
	const struct env *env = &self->env;
	__u64 iova = self->iova, memory;

	ASSERT_EQ(0, raw_unmap(env, iova, PAGES));
	ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, self->mdl, MAP_AT,
				  &iova, &memory));
	EXPECT_EQ(REVOKED, state_of(env, self->memory));
	EXPECT_EQ(LIVE, state_of(env, memory));
	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_EQ(LIVE, state_of(env, memory));
	EXPECT_EQ(LIVE, unmap(env, memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* Each area of a chain can be unmapped for itself, be it the first or not */
TEST_F(revoke, part_of_a_chain)
{
	const struct env *env = &self->env;
	void *other = anon_pages(2);

	for (int part = 0; part < 3; part++) {
		const __u64 at = self->iova + part * 2 * PAGE_SIZE;

		ASSERT_EQ(0, raw_unmap(env, at, 2));
		EXPECT_EQ(REVOKED, state_of(env, self->memory));
		ASSERT_EQ(0, ioas_map_fixed(env->iommufd, env->ioas, other,
					    2 * PAGE_SIZE, at));
		/* What remains goes, what is new stays */
		EXPECT_EQ(REVOKED, unmap(env, self->memory));
		EXPECT_EQ((long)(2 * PAGE_SIZE),
			  ioas_unmap_all(env->iommufd, env->ioas));

		ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, self->mdl,
					  MAP_WRITE | MAP_AT, &self->iova,
					  &self->memory));
	}
	EXPECT_EQ(LIVE, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* A range that begins and ends within areas */
TEST_F(revoke, part_of_a_page_range)
{
	const struct env *env = &self->env;
	struct wddmcompat_map cmd = {
		.adapter = env->adapter,
		.mdl = self->mdl,
		.first_page = 1,
		.num_pages = 4,
	};

	for (int last = 0; last < 2; last++) {
		ASSERT_EQ(0, wddm_map(env->ctx, &cmd));
		ASSERT_EQ(0, raw_unmap(env, cmd.iova +
				       (last ? 3 * PAGE_SIZE : 0), 1));
		EXPECT_EQ(REVOKED, state_of(env, cmd.out_memory));
		EXPECT_EQ(REVOKED, unmap(env, cmd.out_memory));
	}
	EXPECT_EQ(LIVE, unmap(env, self->memory));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* iommufd does not split a mapping: then nothing has happened */
TEST_F(revoke, not_by_half_an_area)
{
	const struct env *env = &self->env;

	EXPECT_EQ(-ENOENT, raw_unmap(env, self->iova + PAGE_SIZE, 1));
	EXPECT_EQ(-ENOENT, raw_unmap(env, self->iova - PAGE_SIZE, 2));
	EXPECT_EQ(LIVE, state_of(env, self->memory));
	EXPECT_EQ(LIVE, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/*
 * Descriptors that follow each other in memory are one area, however many there are: it
 * goes as a whole, or not at all
 */
TEST_F(revoke, neighbours_share_an_area)
{
	const struct env *env = &self->env;
	struct wddmcompat_mdl_desc descs[3];
	__u64 mdl, memory, iova = 0;

	for (int i = 0; i < 3; i++)
		descs[i] = wddm_desc(self->va + 2 * i * PAGE_SIZE,
				     2 * PAGE_SIZE, MDL_WRITE);
	ASSERT_EQ(0, wddm_lock_chain(env->ctx, descs, 3, &mdl));
	ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, mdl, 0, &iova,
				  &memory));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-ENOENT, raw_unmap(env, iova + 2 * i * PAGE_SIZE, 2));
	EXPECT_EQ(LIVE, state_of(env, memory));
	EXPECT_EQ(0, raw_unmap(env, iova, PAGES));
	EXPECT_EQ(REVOKED, unmap(env, memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
	EXPECT_EQ(LIVE, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

TEST_F(revoke, everything)
{
	const struct env *env = &self->env;
	__u64 iova[4], memory[4];

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, self->mdl, 0,
					  &iova[i], &memory[i]));
	EXPECT_EQ(5 * LEN, ioas_unmap_all(env->iommufd, env->ioas));
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(REVOKED, unmap(env, memory[i]));
	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* More than iommufd tries to unmap, if it finds them still pinned */
TEST_F(revoke, long_chain)
{
	const struct env *env = &self->env;
	enum { NUM = 300 };
	struct wddmcompat_mdl_desc descs[NUM];
	__u8 *va = anon_pages(NUM);
	__u64 mdl, memory, iova = 0;

	for (int i = 0; i < NUM; i++)
		descs[i] = wddm_desc(va + (NUM - 1 - i) * PAGE_SIZE, PAGE_SIZE,
				     MDL_WRITE);
	ASSERT_EQ(0, wddm_lock_chain(env->ctx, descs, NUM, &mdl));
	ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, mdl, 0, &iova,
				  &memory));
	EXPECT_EQ(0, raw_unmap(env, iova, NUM));
	EXPECT_EQ(REVOKED, unmap(env, memory));
	EXPECT_EQ(LIVE, unmap(env, self->memory));
	EXPECT_EQ((long)((NUM + PAGES) * PAGE_SIZE),
		  ioas_unmap_all(env->iommufd, env->mdl_ioas));
	EXPECT_EQ(REVOKED, wddm_unlock(env->ctx, mdl));
	EXPECT_EQ(REVOKED, wddm_unlock(env->ctx, self->mdl));
}

/* The same, but each of them is a mapping */
TEST_F(revoke, many_mappings)
{
	const struct env *env = &self->env;
	enum { NUM = 150 };
	const __u64 base = 0x20000000;
	__u64 memory[NUM], mdl;

	EXPECT_EQ(LIVE, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, PAGE_SIZE, MDL_WRITE, &mdl));
	for (int i = 0; i < NUM; i++) {
		__u64 iova = base + i * PAGE_SIZE;

		ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, mdl, MAP_AT,
					  &iova, &memory[i]));
	}
	EXPECT_EQ(0, raw_unmap(env, base, NUM));
	for (int i = 0; i < NUM; i++)
		ASSERT_EQ(REVOKED, unmap(env, memory[i]));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

/*
 * The same with mappings that came after the module had let go of all that were there,
 * while it still keeps count: the longer, the more is unmapped
 */
TEST_F(revoke, many_mappings_again)
{
	const struct env *env = &self->env;
	enum { FEW = 9, NUM = 150 };
	const long deadline = now_ms() + 4000;
	const __u64 base = 0x20000000;
	__u64 memory[NUM];
	int num;

	do {
		num = now_ms() < deadline ? FEW : NUM;
		for (int i = 0; i < num; i++) {
			struct wddmcompat_map map = {
				.flags = MAP_AT,
				.adapter = env->adapter,
				.mdl = self->mdl,
				.num_pages = 1,
				.iova = base + i * PAGE_SIZE,
			};

			ASSERT_EQ(0, wddm_map(env->ctx, &map));
			memory[i] = map.out_memory;
		}
		EXPECT_EQ(0, raw_unmap(env, base, num));
		for (int i = 0; i < num; i++)
			ASSERT_EQ(REVOKED, unmap(env, memory[i]));
	} while (num != NUM);
	EXPECT_EQ(LIVE, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* And each an MDL */
TEST_F(revoke, many_mdls)
{
	const struct env *env = &self->env;
	enum { NUM = 150 };
	__u64 mdl[NUM];

	EXPECT_EQ(LIVE, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
	for (int i = 0; i < NUM; i++)
		ASSERT_EQ(0, wddm_lock(env->ctx, self->va, PAGE_SIZE, MDL_WRITE,
				       &mdl[i]));
	EXPECT_EQ((long)(NUM * PAGE_SIZE),
		  ioas_unmap_all(env->iommufd, env->mdl_ioas));
	for (int i = 0; i < NUM; i++)
		ASSERT_EQ(REVOKED, wddm_unlock(env->ctx, mdl[i]));
}

/* One mapping of an MDL says nothing about another */
TEST_F(revoke, neighbours_live)
{
	const struct env *env = &self->env;
	__u64 before, after, iova = self->iova + PAGES * PAGE_SIZE;
	__u64 below = 0;

	ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, self->mdl, MAP_AT,
				  &iova, &after));
	ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, self->mdl, 0,
				  &below, &before));
	ASSERT_EQ(0, raw_unmap(env, self->iova, PAGES));
	EXPECT_EQ(LIVE, unmap(env, after));
	EXPECT_EQ(LIVE, unmap(env, before));
	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* The pages of a mapping stay pinned when the MDL is taken away under it */
TEST_F(revoke, mdl)
{
	const struct env *env = &self->env;
	__u64 iova = 0, memory;

	EXPECT_EQ(LEN, ioas_unmap_all(env->iommufd, env->mdl_ioas));
	EXPECT_EQ(REVOKED, state_of(env, self->mdl));
	EXPECT_EQ(LIVE, state_of(env, self->memory));
	if (variant->device)
		EXPECT_EQ(PAGES, pins_since(env));
	EXPECT_EQ(-EIDRM, wddm_map_all(env->ctx, env->adapter, self->mdl, 0,
				       &iova, &memory));
	EXPECT_EQ(-EBUSY, wddm_unlock(env->ctx, self->mdl));
	EXPECT_EQ(LIVE, unmap(env, self->memory));
	EXPECT_EQ(0, pins_since(env));
	EXPECT_EQ(-EIDRM, wddm_map_all(env->ctx, env->adapter, self->mdl, 0,
				       &iova, &memory));
	EXPECT_EQ(REVOKED, wddm_unlock(env->ctx, self->mdl));
	EXPECT_EQ(-ENOENT, wddm_unlock(env->ctx, self->mdl));

	/* The context is as good as before */
	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, PAGE_SIZE, 0, &self->mdl));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

TEST_F(revoke, mdl_and_mapping)
{
	const struct env *env = &self->env;

	EXPECT_EQ(LEN, ioas_unmap_all(env->iommufd, env->mdl_ioas));
	EXPECT_EQ(LEN, ioas_unmap_all(env->iommufd, env->ioas));
	EXPECT_EQ(0, pins_since(env));
	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_EQ(REVOKED, wddm_unlock(env->ctx, self->mdl));
}

/*
 * The module has let go of a mapping, and its MDL is taken away. If there is no device,
 * nobody holds its pages then: it is to be unmapped, whatever its memory is now.
 */
TEST_F(revoke, mdl_and_memory)
{
	const struct env *env = &self->env;
	enum { ENOUGH = 9 };
	const __u64 base = 0x20000000;
	__u64 memory[ENOUGH];

	for (int i = 0; i < ENOUGH; i++) {
		struct wddmcompat_map map = {
			.flags = MAP_AT,
			.adapter = env->adapter,
			.mdl = self->mdl,
			.num_pages = 1,
			.iova = base + i * PAGE_SIZE,
		};

		ASSERT_EQ(0, wddm_map(env->ctx, &map));
		memory[i] = map.out_memory;
	}
	ASSERT_EQ(0, raw_unmap(env, base, ENOUGH));
	EXPECT_EQ(LEN, ioas_unmap_all(env->iommufd, env->mdl_ioas));
	ASSERT_EQ(self->va, mmap(self->va, LEN, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_LE(0, unmap(env, self->memory));
	EXPECT_EQ(-ENOENT, raw_unmap(env, self->iova, PAGES));
	for (int i = 0; i < ENOUGH; i++)
		EXPECT_EQ(REVOKED, unmap(env, memory[i]));
	EXPECT_EQ(REVOKED, wddm_unlock(env->ctx, self->mdl));
}

TEST_F(revoke, adapter_goes_after_unmap)
{
	const struct env *env = &self->env;

	ASSERT_EQ(0, raw_unmap(env, self->iova, PAGES));
	EXPECT_EQ(-EBUSY, wddm_adapter_destroy(env->ctx, env->adapter));
	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_EQ(0, wddm_adapter_destroy(env->ctx, env->adapter));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

TEST_F(revoke, close_revoked)
{
	EXPECT_EQ(0, raw_unmap(&self->env, self->iova + 2 * PAGE_SIZE, 2));
	EXPECT_EQ(LEN, ioas_unmap_all(self->env.iommufd,
				      self->env.mdl_ioas));
	self->env.leaves_objects = true;
}

TEST_HARNESS_MAIN
