// SPDX-License-Identifier: GPL-2.0-only
/* MDL arithmetic: the rules of a descriptor, and the pages that it spans. */
#include <kunit/test.h>
#include <linux/sizes.h>

#include "wddmcompat_private.h"

#define SHIFT_4K 12
#define SHIFT_16K 14
#define SHIFT_64K 16

struct span_case {
	const char *name;
	unsigned int page_shift;
	u32 byte_offset;
	u32 byte_count;
	unsigned long pages;
};

static const struct span_case span_cases[] = {
	{ "4K: one byte", SHIFT_4K, 0, 1, 1 },
	{ "4K: last byte of a page", SHIFT_4K, 4095, 1, 1 },
	{ "4K: over the edge by one", SHIFT_4K, 4095, 2, 2 },
	{ "4K: a page", SHIFT_4K, 0, 4096, 1 },
	{ "4K: a page and a byte", SHIFT_4K, 0, 4097, 2 },
	{ "4K: a page, shifted by one", SHIFT_4K, 1, 4096, 2 },
	{ "4K: largest", SHIFT_4K, 0, U32_MAX - SZ_4K + 1, SZ_1M - 1 },
	{ "4K: largest, shifted", SHIFT_4K, 4095, U32_MAX - SZ_4K + 1, SZ_1M },
	{ "16K: last byte of a page", SHIFT_16K, 16383, 1, 1 },
	{ "16K: over the edge by one", SHIFT_16K, 16383, 2, 2 },
	{ "16K: a 4K page's worth", SHIFT_16K, 4096, 4096, 1 },
	{ "16K: largest, shifted", SHIFT_16K, 16383, U32_MAX - SZ_16K + 1,
	  SZ_256K },
	{ "64K: last byte of a page", SHIFT_64K, 65535, 1, 1 },
	{ "64K: over the edge by one", SHIFT_64K, 65535, 2, 2 },
	{ "64K: a page", SHIFT_64K, 0, 65536, 1 },
	{ "64K: a page, shifted by one", SHIFT_64K, 1, 65536, 2 },
	{ "64K: largest, shifted", SHIFT_64K, 65535, U32_MAX - SZ_64K + 1,
	  SZ_64K },
};

KUNIT_ARRAY_PARAM_DESC(span, span_cases, name);

static void test_span(struct kunit *test)
{
	const struct span_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test,
			wddm_span_pages(c->byte_offset, c->byte_count,
					c->page_shift),
			c->pages);
}

struct desc_case {
	const char *name;
	unsigned int page_shift;
	struct wddmcompat_mdl_desc desc;
	int rc;
};

#define DESC(_va, _offset, _count)                                            \
	{                                                                     \
		.start_va = _va, .byte_offset = _offset, .byte_count = _count \
	}

static const struct desc_case desc_cases[] = {
	{ "4K: a byte", SHIFT_4K, DESC(SZ_4K, 0, 1), 0 },
	{ "4K: at address 0", SHIFT_4K, DESC(0, 0, 1), 0 },
	{ "4K: not aligned", SHIFT_4K, DESC(SZ_4K + 1, 0, 1), -EINVAL },
	{ "4K: half a page", SHIFT_4K, DESC(SZ_2K, 0, 1), -EINVAL },
	{ "4K: largest offset", SHIFT_4K, DESC(SZ_4K, SZ_4K - 1, 1), 0 },
	{ "4K: offset of a page", SHIFT_4K, DESC(SZ_4K, SZ_4K, 1), -EINVAL },
	{ "4K: offset of U32_MAX", SHIFT_4K, DESC(SZ_4K, U32_MAX, 1), -EINVAL },
	{ "4K: no bytes", SHIFT_4K, DESC(SZ_4K, 0, 0), -EINVAL },
	{ "4K: 4 GiB less a page", SHIFT_4K,
	  DESC(SZ_4K, 0, U32_MAX - SZ_4K + 1), 0 },
	{ "4K: one more", SHIFT_4K, DESC(SZ_4K, 0, U32_MAX - SZ_4K + 2),
	  -EINVAL },
	{ "4K: U32_MAX bytes", SHIFT_4K, DESC(SZ_4K, 0, U32_MAX), -EINVAL },
	{ "4K: up to the end", SHIFT_4K, DESC(-(u64)SZ_4K, 0, SZ_4K), 0 },
	{ "4K: a byte further", SHIFT_4K, DESC(-(u64)SZ_4K, 1, SZ_4K),
	  -EINVAL },
	{ "4K: wraps", SHIFT_4K, DESC(-(u64)SZ_4K, 0, SZ_4K + 1), -EINVAL },
	{ "16K: a 4K page", SHIFT_16K, DESC(SZ_4K, 0, 1), -EINVAL },
	{ "16K: offset of a 4K page", SHIFT_16K, DESC(SZ_16K, SZ_4K, 1), 0 },
	{ "16K: offset of a page", SHIFT_16K, DESC(SZ_16K, SZ_16K, 1),
	  -EINVAL },
	{ "16K: 4 GiB less a page", SHIFT_16K,
	  DESC(SZ_16K, 0, U32_MAX - SZ_16K + 1), 0 },
	{ "16K: one more", SHIFT_16K, DESC(SZ_16K, 0, U32_MAX - SZ_16K + 2),
	  -EINVAL },
	{ "64K: a 16K page", SHIFT_64K, DESC(SZ_16K, 0, 1), -EINVAL },
	{ "64K: largest offset", SHIFT_64K, DESC(SZ_64K, SZ_64K - 1, 1), 0 },
	{ "64K: offset of a page", SHIFT_64K, DESC(SZ_64K, SZ_64K, 1),
	  -EINVAL },
	{ "64K: 4 GiB less a page", SHIFT_64K,
	  DESC(SZ_64K, 0, U32_MAX - SZ_64K + 1), 0 },
	{ "64K: one more", SHIFT_64K, DESC(SZ_64K, 0, U32_MAX - SZ_64K + 2),
	  -EINVAL },
	{ "64K: wraps", SHIFT_64K, DESC(-(u64)SZ_64K, SZ_64K - 1, 2), -EINVAL },
	{ "write operation",
	  SHIFT_4K,
	  { .start_va = SZ_4K,
	    .byte_count = 1,
	    .flags = WDDMCOMPAT_MDL_WRITE_OPERATION },
	  0 },
	{ "unknown flag",
	  SHIFT_4K,
	  { .start_va = SZ_4K, .byte_count = 1, .flags = 2 },
	  -EOPNOTSUPP },
	{ "highest flag",
	  SHIFT_4K,
	  { .start_va = SZ_4K, .byte_count = 1, .flags = BIT(31) },
	  -EOPNOTSUPP },
	{ "reserved",
	  SHIFT_4K,
	  { .start_va = SZ_4K, .byte_count = 1, .__reserved = 1 },
	  -EOPNOTSUPP },
};

KUNIT_ARRAY_PARAM_DESC(desc, desc_cases, name);

static void test_desc(struct kunit *test)
{
	const struct desc_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, wddm_desc_check(&c->desc, c->page_shift), c->rc);
}

/* Segments of 1, 2, 3 ... pages: each page must be found in its own */
static void check_find(struct kunit *test, u32 num_segs)
{
	struct wddmcompat_mdl *mdl;
	unsigned long page = 0;
	u32 i;

	mdl = kunit_kzalloc(test, struct_size(mdl, segs, num_segs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mdl);
	mdl->num_segs = num_segs;
	for (i = 0; i < num_segs; i++) {
		mdl->segs[i].first_page = page;
		mdl->segs[i].num_pages = i + 1;
		page += i + 1;
	}
	mdl->num_pages = page;
	for (page = 0; page < mdl->num_pages; page++) {
		struct wddm_segment *seg;

		i = wddm_mdl_find_segment(mdl, page);
		KUNIT_ASSERT_LT(test, i, num_segs);
		seg = &mdl->segs[i];
		KUNIT_ASSERT_GE(test, page, seg->first_page);
		KUNIT_ASSERT_LT(test, page, seg->first_page + seg->num_pages);
	}
}

static void test_find_segment(struct kunit *test)
{
	u32 num_segs;

	for (num_segs = 1; num_segs <= 33; num_segs++)
		check_find(test, num_segs);
	check_find(test, WDDMCOMPAT_MDL_CHAIN_MAX);
}

static struct kunit_case mdl_cases[] = {
	KUNIT_CASE_PARAM(test_span, span_gen_params),
	KUNIT_CASE_PARAM(test_desc, desc_gen_params),
	KUNIT_CASE(test_find_segment),
	{}
};

static struct kunit_suite mdl_suite = {
	.name = "wddmcompat-mdl",
	.test_cases = mdl_cases,
};

kunit_test_suite(mdl_suite);
