// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs: pages that are known by where they begin to be consecutive.
 *
 * Locked memory is seldom scattered, and never where it is made of huge pages. So
 * what is kept of it is not a pointer for each page, but the first page of each run of
 * physically consecutive ones.
 *
 * Frame numbers are kept, not pointers: consecutive pages need not have consecutive
 * struct pages, and a number can be compared even when the page is gone.
 */
#include <kunit/visibility.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "wddmcompat_private.h"

static bool run_begins(struct page **pages, unsigned long i)
{
	return !i || page_to_pfn(pages[i]) != page_to_pfn(pages[i - 1]) + 1;
}

static unsigned long runs_count(struct page **pages, unsigned long num_pages)
{
	unsigned long num = 0, i;

	for (i = 0; i < num_pages; i++)
		num += run_begins(pages, i);
	return num;
}

/**
 * wddm_runs_alloc() - Note which pages there are
 * @pages: The pages
 * @num_pages: Their number, at least 1
 * @gfp: How to get the memory for it
 *
 * Return: As few runs as make up @pages, for wddm_runs_free(), or NULL.
 */
struct wddm_runs *wddm_runs_alloc(struct page **pages, unsigned long num_pages,
				  gfp_t gfp)
{
	unsigned long num = runs_count(pages, num_pages), run = 0, i;
	struct wddm_runs *runs;

	runs = kvmalloc(struct_size(runs, runs, num), gfp | __GFP_NOWARN);
	if (!runs)
		return NULL;
	runs->num = num;
	for (i = 0; i < num_pages; i++) {
		if (!run_begins(pages, i))
			continue;
		runs->runs[run].pfn = page_to_pfn(pages[i]);
		runs->runs[run].first = i;
		run++;
	}
	return runs;
}
EXPORT_SYMBOL_IF_KUNIT(wddm_runs_alloc);

void wddm_runs_free(struct wddm_runs *runs)
{
	kvfree(runs);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_runs_free);

/* Frame number of page number @page, which must be one of them */
unsigned long wddm_runs_pfn(const struct wddm_runs *runs, unsigned long page)
{
	unsigned long low = 0, high = runs->num - 1;

	while (low < high) {
		unsigned long mid = low + (high - low + 1) / 2;

		if (runs->runs[mid].first <= page)
			low = mid;
		else
			high = mid - 1;
	}
	return runs->runs[low].pfn + (page - runs->runs[low].first);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_runs_pfn);

/* Are they exactly @pages, which are as many? */
bool wddm_runs_equal(const struct wddm_runs *runs, struct page **pages,
		     unsigned long num_pages)
{
	unsigned long i;

	for (i = 0; i < num_pages; i++) {
		if (page_to_pfn(pages[i]) != wddm_runs_pfn(runs, i))
			return false;
	}
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(wddm_runs_equal);
