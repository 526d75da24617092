// SPDX-License-Identifier: GPL-2.0-only
/* The rules of a descriptor, at each of their boundaries, and of chains */
#include <string.h>

#include "fixture.h"
#include "kselftest_harness.h"

#define COUNT_MAX ((__u32)-PAGE_SIZE)

FIXTURE(chain)
{
	struct env env;
	__u8 *va;
	struct wddmcompat_mdl_desc *descs;
};

FIXTURE_SETUP(chain)
{
	ASSERT_EQ(0, env_open(&self->env));
	self->va = anon_pages(WDDMCOMPAT_MDL_CHAIN_MAX + 2);
	self->descs = calloc(WDDMCOMPAT_MDL_CHAIN_MAX + 1,
			     sizeof(*self->descs));
}

FIXTURE_TEARDOWN(chain)
{
	EXPECT_TRUE(env_close(&self->env));
}

/* How a chain fails: -EPROTO if it does not or if it leaves something behind */
static int refuses(const struct env *env,
		   const struct wddmcompat_mdl_desc *descs, __u32 num)
{
	const long before = pinned_pages();
	__u64 mdl;
	int rc;

	rc = wddm_lock_chain(env->ctx, descs, num, &mdl);
	if (!rc || pinned_pages() != before ||
	    ioas_unmap_all(env->iommufd, env->mdl_ioas))
		return -EPROTO;
	return rc;
}

/* Pages of an MDL that is made, asked and released */
static long pages(const struct env *env,
		  const struct wddmcompat_mdl_desc *descs, __u32 num)
{
	struct wddmcompat_mdl_lock cmd = {
		.size = sizeof(cmd),
		.descs = (uintptr_t)descs,
		.num_descs = num,
	};
	struct wddmcompat_query query;
	int rc;

	rc = wddm_ioctl(env->ctx, WDDMCOMPAT_MDL_LOCK, &cmd);
	if (rc)
		return rc;
	rc = wddm_query(env->ctx, cmd.out_mdl, &query);
	if (rc || query.out_num_descs != num ||
	    query.out_num_pages != cmd.out_num_pages ||
	    (__u64)pins_since(env) != cmd.out_num_pages)
		return rc ?: -EPROTO;
	return wddm_unlock(env->ctx, cmd.out_mdl) ?: (long)cmd.out_num_pages;
}

TEST_F(chain, page_spans)
{
	const __u32 page = PAGE_SIZE;
	const struct {
		__u32 offset, count;
		long pages;
	} spans[] = {
		{ 0, 1, 1 },		{ 0, page - 1, 1 },
		{ 0, page, 1 },		{ 0, page + 1, 2 },
		{ 1, page - 1, 1 },	{ 1, page, 2 },
		{ 1, 2 * page - 1, 2 },	{ 1, 2 * page, 3 },
		{ page - 1, 1, 1 },	{ page - 1, 2, 2 },
		{ page - 1, page, 2 },	{ page - 1, page + 1, 2 },
		{ page - 1, page + 2, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		struct wddmcompat_mdl_desc desc = {
			.start_va = (uintptr_t)self->va,
			.byte_offset = spans[i].offset,
			.byte_count = spans[i].count,
			.flags = MDL_WRITE,
		};

		EXPECT_EQ(spans[i].pages, pages(&self->env, &desc, 1));
	}
}

TEST_F(chain, descriptor_rules)
{
	const __u64 va = (uintptr_t)self->va, hole = PAGE_SIZE;
	const __u32 page = PAGE_SIZE;
	const struct {
		__u64 va;
		__u32 offset, count, flags, reserved;
		int error;
	} rules[] = {
		{ va + 1, 0, page, 0, 0, -EINVAL },
		{ va + 8, 0, page, 0, 0, -EINVAL },
		{ va + page / 2, 0, page, 0, 0, -EINVAL },
		{ va + page - 1, 0, page, 0, 0, -EINVAL },
		{ va, page, 1, 0, 0, -EINVAL },
		{ va, page + 1, 1, 0, 0, -EINVAL },
		{ va, UINT32_MAX, 1, 0, 0, -EINVAL },
		{ va, 0, 0, 0, 0, -EINVAL },
		{ va, page - 1, 0, 0, 0, -EINVAL },
		{ va, 0, COUNT_MAX + 1, 0, 0, -EINVAL },
		{ va, 0, UINT32_MAX, 0, 0, -EINVAL },
		{ va, page - 1, UINT32_MAX, 0, 0, -EINVAL },
		/* As long as it may be, but there is nothing */
		{ hole, 0, COUNT_MAX, 0, 0, -EFAULT },
		{ hole, page - 1, COUNT_MAX, MDL_WRITE, 0, -EFAULT },
		{ va, 0, page, 0, 1, -EOPNOTSUPP },
		{ va, 0, page, 0, 1U << 31, -EOPNOTSUPP },
		{ va, 0, page, MDL_WRITE, UINT32_MAX, -EOPNOTSUPP },
	};

	/* Alone, and last in a chain that is otherwise as it should be */
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct wddmcompat_mdl_desc descs[3] = {
			wddm_desc(self->va, PAGE_SIZE, MDL_WRITE),
			wddm_desc(self->va, 1, 0),
			{
				.start_va = rules[i].va,
				.byte_offset = rules[i].offset,
				.byte_count = rules[i].count,
				.flags = rules[i].flags,
				.__reserved = rules[i].reserved,
			},
		};

		EXPECT_EQ(rules[i].error, refuses(&self->env, &descs[2], 1));
		EXPECT_EQ(rules[i].error, refuses(&self->env, descs, 3));
	}
}

TEST_F(chain, descriptor_flags)
{
	struct wddmcompat_mdl_desc desc = wddm_desc(self->va, 1, 0);

	for (int bit = 0; bit < 32; bit++) {
		desc.flags = 1U << bit;
		if (desc.flags != MDL_WRITE)
			EXPECT_EQ(-EOPNOTSUPP, refuses(&self->env, &desc, 1));
	}
	desc.flags = MDL_WRITE;
	EXPECT_EQ(1, pages(&self->env, &desc, 1));
}

TEST_F(chain, length)
{
	const __u32 max = WDDMCOMPAT_MDL_CHAIN_MAX;

	for (__u32 i = 0; i <= max; i++)
		self->descs[i] = wddm_desc(self->va + i * PAGE_SIZE + i,
					   PAGE_SIZE - i, MDL_WRITE);
	EXPECT_EQ(-EINVAL, refuses(&self->env, self->descs, 0));
	EXPECT_EQ(1, pages(&self->env, self->descs, 1));
	EXPECT_EQ(2, pages(&self->env, self->descs, 2));
	EXPECT_EQ(max, pages(&self->env, self->descs, max));
	EXPECT_EQ(-EINVAL, refuses(&self->env, self->descs, max + 1));
	EXPECT_EQ(-EINVAL, refuses(&self->env, self->descs, UINT32_MAX));
}

/* One that cannot be locked spoils the whole chain, wherever it is */
TEST_F(chain, all_or_nothing)
{
	const __u32 num = 16;
	const struct wddmcompat_mdl_desc hole = wddm_desc((void *)PAGE_SIZE,
							  PAGE_SIZE, 0);

	for (__u32 bad = 0; bad < num; bad += 5) {
		for (__u32 i = 0; i < num; i++)
			self->descs[i] = wddm_desc(self->va + 2 * (num - i) *
								PAGE_SIZE,
						   2 * PAGE_SIZE, MDL_WRITE);
		self->descs[bad] = hole;
		EXPECT_EQ(-EFAULT, refuses(&self->env, self->descs, num));
	}
}

/* The kernel must not try to be ready for four tebibytes */
TEST_F(chain, longest)
{
	const __u32 max = WDDMCOMPAT_MDL_CHAIN_MAX;
	int rc;

	for (__u32 i = 0; i < max; i++)
		self->descs[i] = (struct wddmcompat_mdl_desc){
			.start_va = PAGE_SIZE,
			.byte_offset = PAGE_SIZE - 1,
			.byte_count = COUNT_MAX,
		};
	rc = refuses(&self->env, self->descs, max);
	EXPECT_TRUE(rc == -EFAULT || rc == -ENOMEM);
	/* Nor if it is one piece of memory */
	for (__u32 i = 0; i < max; i++) {
		self->descs[i].start_va += (__u64)i * COUNT_MAX;
		self->descs[i].byte_offset = 0;
	}
	rc = refuses(&self->env, self->descs, max);
	EXPECT_TRUE(rc == -EFAULT || rc == -ENOMEM);
}

TEST_F(chain, bad_array)
{
	const struct env *env = &self->env;
	__u8 *area = anon_pages(2);
	struct wddmcompat_mdl_desc *at_end = (void *)(area + PAGE_SIZE);
	void *const bad[] = { NULL, (void *)1, (void *)0xffff888000000000,
			      (void *)-8L, at_end - 1 };

	ASSERT_EQ(0, munmap(area + PAGE_SIZE, PAGE_SIZE));
	at_end[-2] = wddm_desc(self->va, PAGE_SIZE, MDL_WRITE);
	at_end[-1] = at_end[-2];
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EFAULT, refuses(env, bad[i], 2));
	EXPECT_EQ(2, pages(env, at_end - 2, 2));
}

/* Nothing forbids it, and then it counts twice */
TEST_F(chain, same_page_twice)
{
	const struct wddmcompat_mdl_desc descs[] = {
		wddm_desc(self->va, 2 * PAGE_SIZE, MDL_WRITE),
		wddm_desc(self->va + PAGE_SIZE, 1, 0),
		wddm_desc(self->va + PAGE_SIZE + 5, PAGE_SIZE, MDL_WRITE),
	};

	EXPECT_EQ(5, pages(&self->env, descs, 3));
}

/*
 * In how many areas a chain is mapped. Each can be unmapped for itself, and none in parts:
 * so the first is what goes when one page more is unmapped, and so on.
 */
static int count_areas(const struct env *env,
		       const struct wddmcompat_mdl_desc *descs, __u32 num)
{
	struct wddmcompat_query query;
	__u64 mdl, memory, iova = 0;
	size_t first = 0;
	int rc, areas = 0;

	rc = wddm_lock_chain(env->ctx, descs, num, &mdl) ?:
	     wddm_query(env->ctx, mdl, &query) ?:
	     wddm_map_all(env->ctx, env->adapter, mdl, 0, &iova, &memory);
	if (rc)
		return rc;
	if (query.out_num_descs != num)
		return -EPROTO;
	for (size_t end = 1; end <= query.out_num_pages; end++) {
		rc = ioas_unmap_range(env->iommufd, env->ioas,
				      iova + first * PAGE_SIZE,
				      (end - first) * PAGE_SIZE);
		if (rc)
			continue;
		first = end;
		areas++;
	}
	if (first != query.out_num_pages ||
	    wddm_unmap(env->ctx, env->adapter, memory) != REVOKED ||
	    wddm_unlock(env->ctx, mdl) != LIVE)
		return -EPROTO;
	return areas;
}

/* Two share an area if the second goes on where the first ends, and may do the same */
TEST_F(chain, neighbours)
{
	const __u8 *va = self->va;
	/* What a descriptor may have at most that shares an area */
	const size_t page = PAGE_SIZE, most = (size_t)4 << 20;
	const struct {
		struct wddmcompat_mdl_desc descs[2];
		int areas;
	} pairs[] = {
		{ { wddm_desc(va, page, 0), wddm_desc(va + page, page, 0) }, 1 },
		{ { wddm_desc(va, page, MDL_WRITE),
		    wddm_desc(va + page, page, MDL_WRITE) }, 1 },
		/* The outer ends may be anywhere in their pages */
		{ { wddm_desc(va + 7, 2 * page - 7, 0),
		    wddm_desc(va + 2 * page, 1, 0) }, 1 },
		{ { wddm_desc(va + page - 1, 1, 0),
		    wddm_desc(va + page, page + 1, 0) }, 1 },
		{ { wddm_desc(va, page, 0), wddm_desc(va + page, most, 0) }, 1 },
		{ { wddm_desc(va, most, 0), wddm_desc(va + most, page, 0) }, 1 },
		{ { wddm_desc(va, page, 0),
		    wddm_desc(va + page, most + 1, 0) }, 2 },
		{ { wddm_desc(va, most + page, 0),
		    wddm_desc(va + most + page, page, 0) }, 2 },
		/* Other rights */
		{ { wddm_desc(va, page, MDL_WRITE),
		    wddm_desc(va + page, page, 0) }, 2 },
		{ { wddm_desc(va, page, 0),
		    wddm_desc(va + page, page, MDL_WRITE) }, 2 },
		/* A gap of a byte, of a page */
		{ { wddm_desc(va, page - 1, 0),
		    wddm_desc(va + page, page, 0) }, 2 },
		{ { wddm_desc(va, page, 0),
		    wddm_desc(va + page + 1, page - 1, 0) }, 2 },
		{ { wddm_desc(va, page, 0),
		    wddm_desc(va + 2 * page, page, 0) }, 2 },
		/* Without a gap, but in one page */
		{ { wddm_desc(va, page + 9, 0),
		    wddm_desc(va + page + 9, page - 9, 0) }, 2 },
		{ { wddm_desc(va, page + 1, 0),
		    wddm_desc(va + page, page, 0) }, 2 },
		{ { wddm_desc(va, page, 0), wddm_desc(va, page, 0) }, 2 },
		{ { wddm_desc(va + page, page, 0), wddm_desc(va, page, 0) }, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		EXPECT_EQ(pairs[i].areas,
			  count_areas(&self->env, pairs[i].descs, 2));
}

/* Any number of neighbours, and neighbours in groups */
TEST_F(chain, many_neighbours)
{
	const __u32 max = WDDMCOMPAT_MDL_CHAIN_MAX;

	for (__u32 i = 0; i < max; i++)
		self->descs[i] = wddm_desc(self->va + i * PAGE_SIZE, PAGE_SIZE,
					   MDL_WRITE);
	EXPECT_EQ(1, count_areas(&self->env, self->descs, max));
	for (__u32 i = 0; i < max; i++)
		self->descs[i].flags = i / 3 % 2 ? MDL_WRITE : 0;
	EXPECT_EQ(4, count_areas(&self->env, self->descs, 12));
	EXPECT_EQ(5, count_areas(&self->env, self->descs + 2, 12));
}

/* Mappings that user space puts there itself are in the way of MDLs */
TEST_F(chain, foreign_mappings_in_the_mdl_ioas)
{
	const struct env *env = &self->env;
	const __u64 half = 1ULL << 63;
	__u64 mdl;

	/* Nothing is pinned: no device is attached, nobody has asked for it */
	ASSERT_EQ(0, ioas_map_fixed(env->iommufd, env->mdl_ioas, NULL, half, 0));
	ASSERT_EQ(0, ioas_map_fixed(env->iommufd, env->mdl_ioas, NULL,
				    half - PAGE_SIZE, half));
	EXPECT_EQ(-EEXIST, wddm_lock(env->ctx, self->va, PAGE_SIZE, MDL_WRITE,
				     &mdl));
	EXPECT_EQ(0, pins_since(env));
	/* And survive that: this is all of what was mapped */
	EXPECT_EQ(0, ioas_unmap_range(env->iommufd, env->mdl_ioas, 0,
				      UINT64_MAX - PAGE_SIZE + 1));
	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, PAGE_SIZE, MDL_WRITE, &mdl));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

TEST_HARNESS_MAIN
