// SPDX-License-Identifier: GPL-2.0-only
/* Runs: each page is found again, in as few runs as there are. */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sizes.h>

#include "wddmcompat_private.h"

#define BLOCK_ORDER 6
#define BLOCK_PAGES BIT(BLOCK_ORDER)

/* Consecutive pages to make patterns of */
static struct page *block;

static int runs_init(struct kunit *test)
{
	block = alloc_pages(GFP_KERNEL, BLOCK_ORDER);
	return block ? 0 : -ENOMEM;
}

static void runs_exit(struct kunit *test)
{
	if (block)
		__free_pages(block, BLOCK_ORDER);
}

/* A page of the block. Not block + @i: struct pages need not be consecutive. */
static struct page *block_page(unsigned long i)
{
	return pfn_to_page(page_to_pfn(block) + i);
}

/* The pages must be found, each of them, in so many runs */
static void check_pages(struct kunit *test, struct page **pages,
			unsigned long num_pages, unsigned long num_runs)
{
	struct wddm_runs *runs;
	unsigned long i;

	runs = wddm_runs_alloc(pages, num_pages, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, runs);
	KUNIT_EXPECT_EQ(test, runs->num, num_runs);
	KUNIT_EXPECT_EQ(test, runs->runs[0].first, 0);
	for (i = 0; i < num_pages; i++)
		KUNIT_EXPECT_EQ(test, wddm_runs_pfn(runs, i),
				page_to_pfn(pages[i]));
	KUNIT_EXPECT_TRUE(test, wddm_runs_equal(runs, pages, num_pages));
	wddm_runs_free(runs);
}

struct pattern_case {
	const char *name;
	unsigned long num_pages;
	unsigned long num_runs;
	/* Pages of the block; those behind num_pages are not looked at */
	u8 pages[8];
};

static const struct pattern_case pattern_cases[] = {
	{ "one page", 1, 1, { 5 } },
	{ "two that are consecutive", 2, 1, { 5, 6 } },
	{ "two with one between them", 2, 2, { 5, 7 } },
	{ "two the wrong way round", 2, 2, { 6, 5 } },
	{ "the same twice", 2, 2, { 5, 5 } },
	{ "one run", 8, 1, { 0, 1, 2, 3, 4, 5, 6, 7 } },
	{ "backwards", 8, 8, { 7, 6, 5, 4, 3, 2, 1, 0 } },
	{ "every other", 8, 8, { 0, 2, 4, 6, 8, 10, 12, 14 } },
	{ "first alone", 8, 2, { 9, 1, 2, 3, 4, 5, 6, 7 } },
	{ "last alone", 8, 2, { 0, 1, 2, 3, 4, 5, 6, 8 } },
	{ "halves exchanged", 8, 2, { 4, 5, 6, 7, 0, 1, 2, 3 } },
	{ "one run again and again", 8, 4, { 3, 4, 3, 4, 3, 4, 3, 4 } },
	{ "runs of 1, 2, 3 and 2", 8, 4, { 9, 1, 2, 11, 12, 13, 5, 6 } },
};

KUNIT_ARRAY_PARAM_DESC(pattern, pattern_cases, name);

static void test_pattern(struct kunit *test)
{
	const struct pattern_case *c = test->param_value;
	struct page *pages[ARRAY_SIZE(c->pages)];
	unsigned long i;

	for (i = 0; i < c->num_pages; i++)
		pages[i] = block_page(c->pages[i]);
	check_pages(test, pages, c->num_pages, c->num_runs);
}

/* As many as a descriptor can have, as scattered as can be */
static void test_scattered(struct kunit *test)
{
	const unsigned long num_pages = SZ_4G >> PAGE_SHIFT;
	struct wddm_runs *runs;
	struct page **pages;
	unsigned long i;

	pages = kvmalloc_array(num_pages, sizeof(*pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < num_pages; i++)
		pages[i] = block_page(2 * (i % (BLOCK_PAGES / 2)));
	runs = wddm_runs_alloc(pages, num_pages, GFP_KERNEL);
	if (runs) {
		KUNIT_EXPECT_EQ(test, runs->num, num_pages);
		KUNIT_EXPECT_LE(test, sizeof(runs->runs[0]),
				2 * sizeof(pages[0]));
		KUNIT_EXPECT_TRUE(test,
				  wddm_runs_equal(runs, pages, num_pages));
	}
	KUNIT_EXPECT_NOT_NULL(test, runs);
	wddm_runs_free(runs);
	kvfree(pages);
}

/* Runs of a length by chance */
static void test_random(struct kunit *test)
{
	const unsigned long max_pages = 256;
	struct page **pages;
	unsigned int round;

	pages = kunit_kmalloc_array(test, max_pages, sizeof(*pages),
				    GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (round = 0; round < 100; round++) {
		unsigned long num_pages = 0, num_runs = 0, last = 0, first;

		while (num_pages < max_pages) {
			first = get_random_u32_below(BLOCK_PAGES);
			if (!num_pages || first != last + 1)
				num_runs++;
			last = first + get_random_u32_below(BLOCK_PAGES - first);
			last = min(last, first + max_pages - num_pages - 1);
			for (; first <= last; first++)
				pages[num_pages++] = block_page(first);
		}
		check_pages(test, pages, num_pages, num_runs);
	}
}

/* Each page counts when runs are compared: first and last, of a run and of all */
static void test_equal(struct kunit *test)
{
	static const u8 given[] = { 1, 2, 3, 10, 11, 20, 30, 31, 32, 33 };
	struct page *pages[ARRAY_SIZE(given)];
	struct wddm_runs *runs;
	unsigned long i;

	for (i = 0; i < ARRAY_SIZE(given); i++)
		pages[i] = block_page(given[i]);
	runs = wddm_runs_alloc(pages, ARRAY_SIZE(pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, runs);
	for (i = 0; i < ARRAY_SIZE(given); i++) {
		pages[i] = block_page(given[i] + 1);
		KUNIT_EXPECT_FALSE(test, wddm_runs_equal(runs, pages,
							 ARRAY_SIZE(pages)));
		pages[i] = block_page(given[i]);
	}
	KUNIT_EXPECT_TRUE(test,
			  wddm_runs_equal(runs, pages, ARRAY_SIZE(pages)));
	wddm_runs_free(runs);
}

static struct kunit_case runs_cases[] = {
	KUNIT_CASE_PARAM(test_pattern, pattern_gen_params),
	KUNIT_CASE(test_scattered),
	KUNIT_CASE(test_random),
	KUNIT_CASE(test_equal),
	{}
};

static struct kunit_suite runs_suite = {
	.name = "wddmcompat-runs",
	.init = runs_init,
	.exit = runs_exit,
	.test_cases = runs_cases,
};

kunit_test_suite(runs_suite);
