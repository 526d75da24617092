// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges: areas of an IOAS that cannot go unnoticed.
 *
 * Whoever holds the iommufd can unmap what we have mapped, by IOMMU_IOAS_UNMAP.
 * iommufd calls the unmap function of an access before an area goes in which the
 * access has pages pinned, and waits until they are unpinned. So a range has pages
 * pinned in each of its areas: as long as an area is pinned it is there, and ours.
 *
 * Here is where the areas of a range are, and how they are pinned. watch.c has what
 * becomes of a range when others unmap it, unmap.c how we do.
 */
#include <linux/bitmap.h>
#include <linux/build_bug.h>
#include <linux/iommufd.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "range.h"

struct wddm_range_area wddm_range_area(const struct wddm_range *range, u32 i)
{
	const struct wddm_segment *seg =
		&range->mdl->segs[range->first_seg + i];
	unsigned long end =
		range->first_page + (wddm_range_length(range) >> PAGE_SHIFT);
	struct wddm_range_area area = {
		.page = max(seg->first_page, range->first_page),
	};

	end = min(end, seg->first_page + seg->num_pages);
	area.iova = range->node.start +
		    ((area.page - range->first_page) << PAGE_SHIFT);
	area.length = (end - area.page) << PAGE_SHIFT;
	return area;
}

/* The area that @iova, which is in the range, is in */
u32 wddm_range_find_area(const struct wddm_range *range, unsigned long iova)
{
	unsigned long page =
		range->first_page + ((iova - range->node.start) >> PAGE_SHIFT);

	return wddm_mdl_find_segment(range->mdl, page) - range->first_seg;
}

/* An MDL keeps all its pages; a mapping needs to be called, for which one does */
static unsigned long range_pin_length(const struct wddm_range *range,
				      const struct wddm_range_area *area)
{
	return wddm_range_is_mdl(range) ? area->length : PAGE_SIZE;
}

/**
 * wddm_range_init() - Describe a range that has no IOVA yet
 * @range: Range whose object is initialized already
 * @ioas: Where it will be
 * @mdl: MDL whose pages it has
 * @first_page: First of these pages
 * @num_pages: Their number, at least 1 and within @mdl
 *
 * Return: 0 or -ENOMEM. wddm_range_fini() undoes it.
 */
int wddm_range_init(struct wddm_range *range, struct wddm_ioas *ioas,
		    struct wddmcompat_mdl *mdl, unsigned long first_page,
		    unsigned long num_pages)
{
	u32 last_seg = wddm_mdl_find_segment(mdl, first_page + num_pages - 1);

	BUILD_BUG_ON(WDDMCOMPAT_MDL_CHAIN_MAX > U16_MAX);
	range->ioas = ioas;
	range->mdl = mdl;
	range->first_page = first_page;
	range->first_seg = wddm_mdl_find_segment(mdl, first_page);
	range->num_areas = last_seg - range->first_seg + 1;
	range->state = WDDMCOMPAT_STATE_LIVE;
	range->unmapper = NULL;
	range->claimed = false;
	range->loose = false;
	INIT_LIST_HEAD(&range->event);
	RB_CLEAR_NODE(&range->node.rb);
	range->areas_word = 0;
	range->writeable = false;
	range->unmapped = false;
	if (range->num_areas > BITS_PER_LONG) {
		range->areas_map =
			bitmap_zalloc(range->num_areas, GFP_KERNEL_ACCOUNT);
		if (!range->areas_map)
			return -ENOMEM;
	}
	return 0;
}

void wddm_range_fini(struct wddm_range *range)
{
	if (range->num_areas > BITS_PER_LONG)
		bitmap_free(range->areas_map);
}

/* Say where the range is, before it is watched */
void wddm_range_place(struct wddm_range *range, unsigned long iova,
		      unsigned long num_pages)
{
	range->node.start = iova;
	range->node.last = iova + (num_pages << PAGE_SHIFT) - 1;
}

/* Keep what was pinned of a segment. What a kernel module gave must be what we find. */
static int segment_keep_pages(struct wddm_segment *seg, struct page **pages)
{
	if (!seg->runs) {
		seg->runs = wddm_runs_alloc(pages, seg->num_pages,
					    GFP_KERNEL_ACCOUNT);
		return seg->runs ? 0 : -ENOMEM;
	}
	if (!wddm_runs_equal(seg->runs, pages, seg->num_pages))
		return -EIO;
	return 0;
}

/* Pin the pages of a segment. Their pointers are needed only for so long. */
static int range_pin_segment(struct wddm_range *range,
			     const struct wddm_range_area *area,
			     struct wddm_segment *seg)
{
	unsigned int flags = seg->writeable ? IOMMUFD_ACCESS_RW_WRITE : 0;
	struct iommufd_access *access = range->ioas->access;
	struct page **pages;
	int rc;

	pages = kvmalloc_array(seg->num_pages, sizeof(*pages),
			       GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!pages)
		return -ENOMEM;
	rc = iommufd_access_pin_pages(access, area->iova, area->length, pages,
				      flags);
	/* The area is gone, or going: it was unmapped behind our back */
	if (rc == -ENOENT || rc == -EINVAL)
		rc = -ESTALE;
	if (rc)
		goto out_free;
	rc = segment_keep_pages(seg, pages);
	if (rc)
		iommufd_access_unpin_pages(access, area->iova, area->length);

out_free:
	kvfree(pages);
	return rc;
}

/*
 * Pin the first page of an area of a mapping. It must be the page of the MDL:
 * where the owner has changed the answer of IOAS_COPY, or has unmapped the area
 * and mapped another, it is not, and that is -ESTALE. If the MDL is revoked it is
 * -EIDRM: without a device nobody has kept the page that the MDL had.
 */
static int range_pin_first_page(struct wddm_range *range,
				const struct wddm_range_area *area)
{
	struct iommufd_access *access = range->ioas->access;
	struct page *page;
	int rc;

	rc = iommufd_access_pin_pages(access, area->iova, PAGE_SIZE, &page, 0);
	/* There is none, or one that somebody is unmapping */
	if (rc == -ENOENT || rc == -EINVAL)
		return -ESTALE;
	if (rc)
		return rc;
	if (page_to_pfn(page) == wddm_mdl_pfn(range->mdl, area->page))
		return 0;
	iommufd_access_unpin_pages(access, area->iova, PAGE_SIZE);
	return wddm_range_mdl_is_revoked(range) ? -EIDRM : -ESTALE;
}

int wddm_range_pin_area(struct wddm_range *range, u32 i)
{
	struct wddm_range_area area = wddm_range_area(range, i);

	if (wddm_range_is_mdl(range))
		return range_pin_segment(range, &area, &range->mdl->segs[i]);
	return range_pin_first_page(range, &area);
}

void wddm_range_unpin_area(struct wddm_range *range, u32 i)
{
	struct wddm_range_area area = wddm_range_area(range, i);

	iommufd_access_unpin_pages(range->ioas->access, area.iova,
				   range_pin_length(range, &area));
}

void wddm_range_forget(struct wddm_range *range)
{
	if (RB_EMPTY_NODE(&range->node.rb))
		return;
	interval_tree_remove(&range->node, &range->ioas->ranges);
	RB_CLEAR_NODE(&range->node.rb);
}

/* Unpin, but keep in mind, which areas there are */
void wddm_range_loosen(struct wddm_range *range)
{
	u32 i;

	if (range->loose)
		return;
	for_each_set_bit(i, wddm_range_areas(range), range->num_areas)
		wddm_range_unpin_area(range, i);
	range->loose = true;
}

/*
 * Areas are gone, or are not what they were. To be said before their pages are let go:
 * who finds other pages in their place then knows why.
 */
void wddm_range_revoke(struct wddm_range *range)
{
	if (range->unmapper || range->state == WDDMCOMPAT_STATE_REVOKED)
		return;
	/* Pairs with those who ask without the lock */
	WRITE_ONCE(range->state, WDDMCOMPAT_STATE_REVOKED);
	wddm_event_queue(range);
}
