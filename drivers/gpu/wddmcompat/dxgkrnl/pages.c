// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory with an address range and a cache type.
 *
 * Linux has zones, not address ranges. So pages are taken from the zone that fits
 * best, those that do not fit are put aside until enough are found, and when that
 * leads nowhere the range is searched for a piece that can be cleared of what is
 * in it, where the kernel can do that (CONFIG_CONTIG_ALLOC).
 */
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#ifdef CONFIG_X86
#include <asm/set_memory.h>
#endif

#include "../compat.h"
#include "dxgk.h"

/* Blocks put aside, at most, before the range is searched */
#define REJECTS_MAX 64

/* Blocks that are tried in a piece of memory, at most about */
#define SEARCH_MAX 512

/* Is anything there the kernel's, or a file system's? */
bool dxgk_is_memory(u64 start, u64 bytes)
{
	static const struct {
		unsigned long flags;
		unsigned long desc;
	} kinds[] = {
		{ IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE },
		{ IORESOURCE_MEM, IORES_DESC_PERSISTENT_MEMORY },
		{ IORESOURCE_MEM, IORES_DESC_PERSISTENT_MEMORY_LEGACY },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (region_intersects(start, bytes, kinds[i].flags,
				      kinds[i].desc) != REGION_DISJOINT)
			return true;
	}
	return false;
}

bool dxgk_cache_is_valid(DXGK_MEMORY_CACHING_TYPE cache)
{
	switch (cache) {
	case DXGK_MEMORY_CACHING_TYPE_NON_CACHED:
	case DXGK_MEMORY_CACHING_TYPE_CACHED:
	case DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED:
		return true;
	}
	return false;
}

pgprot_t dxgk_cache_prot(DXGK_MEMORY_CACHING_TYPE cache, pgprot_t prot)
{
	switch (cache) {
	case DXGK_MEMORY_CACHING_TYPE_NON_CACHED:
		return pgprot_noncached(prot);
	case DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED:
		return pgprot_writecombine(prot);
	case DXGK_MEMORY_CACHING_TYPE_CACHED:
		break;
	}
	return prot;
}

/*
 * x86 must not use a page by two cache types: the kernel's own address of it gets the
 * same. (The window that iommufd finds it in is never used.) Elsewhere drivers do
 * without.
 */
#ifdef CONFIG_X86
static int pages_set_cache(struct dxgk_pages *pages)
{
	switch (pages->cache) {
	case DXGK_MEMORY_CACHING_TYPE_NON_CACHED:
		return set_pages_array_uc(pages->pages, pages->num_pages);
	case DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED:
		return set_pages_array_wc(pages->pages, pages->num_pages);
	case DXGK_MEMORY_CACHING_TYPE_CACHED:
		break;
	}
	return 0;
}

static int pages_reset_cache(struct dxgk_pages *pages)
{
	if (pages->cache == DXGK_MEMORY_CACHING_TYPE_CACHED)
		return 0;
	return set_pages_array_wb(pages->pages, pages->num_pages);
}
#else
static int pages_set_cache(struct dxgk_pages *pages)
{
	return 0;
}

static int pages_reset_cache(struct dxgk_pages *pages)
{
	return 0;
}
#endif

/* May a block of @bytes be at @start? */
static bool place_fits(const struct dxgk_place *place, u64 start, u64 bytes)
{
	u64 last = start + bytes - 1;
	u64 offset;

	if (start < place->low || last > place->limit)
		return false;
	if (dxgk_crosses(start, bytes, place->boundary))
		return false;
	offset = start - place->low;
	if (place->skip)
		offset %= place->skip;
	return offset + bytes - 1 <= place->high - place->low;
}

/* The last address that a block may have; not every one before it is good */
static u64 place_last(const struct dxgk_place *place)
{
	return place->skip ? place->limit : min(place->high, place->limit);
}

/* Where the next block may be, at or after @start */
static u64 place_next(const struct dxgk_place *place, u64 start, u64 bytes)
{
	u64 offset;

	if (dxgk_crosses(start, bytes, place->boundary))
		return (start | (place->boundary - 1)) + 1;
	if (!place->skip || start < place->low)
		return start;
	offset = (start - place->low) % place->skip;
	if (offset + bytes - 1 <= place->high - place->low)
		return start;
	return start + place->skip - offset;
}

/* The zone whose pages fit, or most of them */
static gfp_t place_gfp(const struct dxgk_place *place)
{
	u64 last = place_last(place);

	if (IS_ENABLED(CONFIG_ZONE_DMA) && last <= DMA_BIT_MASK(24))
		return GFP_KERNEL | GFP_DMA;
	if (IS_ENABLED(CONFIG_ZONE_DMA32) && last <= DMA_BIT_MASK(32))
		return GFP_KERNEL | GFP_DMA32;
	return GFP_KERNEL;
}

/* A block from the page allocator, as single pages: those behind it go back */
static struct page *block_alloc(gfp_t gfp, unsigned long num_pages)
{
	unsigned int order = get_order(num_pages << PAGE_SHIFT);
	struct page *page;
	unsigned long i;

	if (order > MAX_PAGE_ORDER)
		return NULL;
	page = alloc_pages(gfp | __GFP_NOWARN | __GFP_NORETRY, order);
	if (!page)
		return NULL;
	split_page(page, order);
	for (i = num_pages; i < 1UL << order; i++)
		__free_page(page + i);
	return page;
}

static void block_free(struct page *page, unsigned long num_pages)
{
	unsigned long i;

	for (i = 0; i < num_pages; i++)
		__free_page(page + i);
}

/* Take a block that fits from the allocator, and see what it gives first */
static struct page *block_try(const struct dxgk_place *place, gfp_t gfp,
			      unsigned long num_pages)
{
	struct page *rejects[REJECTS_MAX];
	unsigned int num_rejects = 0;
	struct page *page;

	while ((page = block_alloc(gfp, num_pages))) {
		if (place_fits(place, page_to_phys(page),
			       (u64)num_pages << PAGE_SHIFT))
			break;
		if (num_rejects == REJECTS_MAX) {
			block_free(page, num_pages);
			page = NULL;
			break;
		}
		rejects[num_rejects++] = page;
	}
	while (num_rejects--)
		block_free(rejects[num_rejects], num_pages);
	return page;
}

/**
 * struct block_search - Blocks that are looked for, one after the other
 * @place: Where they may be
 * @num_pages: Pages of each
 * @next: Address to go on at: what is before it has been taken or tried
 * @begun: The allocator has no more, so that this is what to do
 * @page: First page of a block, once it is found
 */
struct block_search {
	const struct dxgk_place *place;
	unsigned long num_pages;
	u64 next;
	bool begun;
	struct page *page;
};

/*
 * Of one zone, as whoever clears a block demands? So must be the page blocks around
 * it, which are isolated as a whole. The first one of memory is not: there is no
 * page 0 in its zone. Memory that can be taken away cannot be pinned.
 */
static bool block_in_one_zone(unsigned long first, unsigned long last)
{
	struct page *page = pfn_to_online_page(first);
	struct zone *zone;

	/* Memory can be there and not in use, or going */
	if (!page)
		return false;
	zone = page_zone(page);
	return !is_zone_movable_page(page) &&
	       zone_spans_pfn(zone, pageblock_start_pfn(first)) &&
	       zone_spans_pfn(zone, pageblock_end_pfn(last) - 1);
}

/*
 * Search a piece of memory. Returns whether to stop. Where a block cannot be had the
 * ones next to it cannot either, most often, so that goes in larger steps.
 */
static int block_search_ram(struct resource *ram, void *data)
{
	struct block_search *search = data;
	unsigned long num_pages = search->num_pages;
	u64 bytes = (u64)num_pages << PAGE_SHIFT;
	u64 start = PAGE_ALIGN(ram->start);
	u64 step = max(bytes, (ram->end - ram->start) / SEARCH_MAX);

	while ((start = place_next(search->place, start, bytes)) <= ram->end &&
	       ram->end - start >= bytes - 1) {
		unsigned long pfn = PHYS_PFN(start);

		if (place_fits(search->place, start, bytes) &&
		    block_in_one_zone(pfn, pfn + num_pages - 1) &&
		    !wddm_alloc_contig_range(pfn, pfn + num_pages)) {
			search->page = pfn_to_page(pfn);
			search->next = start + bytes;
			return 1;
		}
		if (fatal_signal_pending(current))
			return 1;
		cond_resched();
		start = PAGE_ALIGN(start + step);
	}
	return 0;
}

/* Search the range for a block that can be cleared of what is in it */
static struct page *block_search(struct block_search *search)
{
	u64 last = place_last(search->place);

	search->page = NULL;
	if (search->next <= last)
		walk_iomem_res_desc(IORES_DESC_NONE,
				    IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY,
				    search->next, last, search,
				    block_search_ram);
	return search->page;
}

/* One more block, from @first on */
static int pages_take_block(struct dxgk_pages *pages, unsigned long first,
			    struct block_search *search, bool zero)
{
	unsigned long num_pages = search->num_pages;
	struct page *page = NULL;
	unsigned long i;

	if (!search->begun)
		page = block_try(search->place, place_gfp(search->place),
				 num_pages);
	if (!page) {
		search->begun = true;
		page = block_search(search);
	}
	if (!page)
		return -ENOMEM;
	for (i = 0; i < num_pages; i++) {
		if (zero)
			clear_highpage(page + i);
		pages->pages[first + i] = page + i;
		cond_resched();
	}
	return fatal_signal_pending(current) ? -EINTR : 0;
}

static void pages_free(struct dxgk_pages *pages)
{
	unsigned long i;

	for (i = 0; i < pages->num_pages && pages->pages[i]; i++)
		__free_page(pages->pages[i]);
	kvfree(pages);
}

/* Pages that stay as no other memory is are lost rather than given back so */
static void pages_destroy(struct dxgk_pages *pages)
{
	if (pages_reset_cache(pages))
		kvfree(pages);
	else
		pages_free(pages);
}

/**
 * dxgk_pages_alloc_blocks() - Allocate pages in blocks
 * @num_pages: Pages, a multiple of @block_pages
 * @block_pages: Pages of each block, which is contiguous
 * @place: Where each block may be
 * @zero: Clear them
 * @cache: Their cache type
 *
 * Return: The pages, which dxgk_pages_put() takes back, or ERR_PTR(-ENOMEM), or
 * -EINTR if the process is being killed.
 */
struct dxgk_pages *dxgk_pages_alloc_blocks(unsigned long num_pages,
					   unsigned long block_pages,
					   const struct dxgk_place *place,
					   bool zero,
					   DXGK_MEMORY_CACHING_TYPE cache)
{
	struct block_search search = {
		.place = place,
		.num_pages = block_pages,
		.next = place->low,
	};
	struct dxgk_pages *pages;
	unsigned long i;
	int rc;

	pages = kvzalloc(struct_size(pages, pages, num_pages),
			 GFP_KERNEL | __GFP_NOWARN);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	kref_init(&pages->refs);
	pages->cache = cache;
	pages->num_pages = num_pages;
	for (i = 0; i < num_pages; i += block_pages) {
		rc = pages_take_block(pages, i, &search, zero);
		if (rc) {
			pages_free(pages);
			return ERR_PTR(rc);
		}
	}
	if (pages_set_cache(pages)) {
		/* Some may have changed */
		pages_destroy(pages);
		return ERR_PTR(-ENOMEM);
	}
	return pages;
}

static void pages_release(struct kref *refs)
{
	pages_destroy(container_of(refs, struct dxgk_pages, refs));
}

void dxgk_pages_get(struct dxgk_pages *pages)
{
	kref_get(&pages->refs);
}

void dxgk_pages_put(struct dxgk_pages *pages)
{
	kref_put(&pages->refs, pages_release);
}
