// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges: areas of an IOAS that cannot go unnoticed.
 *
 * Whoever holds the iommufd can unmap what we have mapped, by IOMMU_IOAS_UNMAP.
 * iommufd calls the unmap function of an access before an area goes in which the
 * access has pages pinned, and waits until they are unpinned. So a range has pages
 * pinned in each of its areas: as long as an area is pinned it is there, and ours.
 *
 * Our own unmap takes the same way. It leaves the pins for the callback to take
 * back, in the middle of IOAS_UNMAP, so that an area is guarded up to the moment
 * at which it is *claimed*.
 *
 * iommufd counts its calls while it unmaps one area after the other, and forgets
 * the count only at a gap between them. At more than 100 it believes that somebody
 * does not let go, and WARNs. So nobody may be called that often:
 *
 *  - A range lets go of all its areas at the first call, whoever unmaps. It is then
 *    *loose*: the areas are believed to be there, but not pinned. Before we unmap
 *    a loose mapping we look which of its areas are there and have our pages. A
 *    loose MDL is revoked: pages that are not pinned are nobody's any more.
 *  - After WATCH_CALLS_MAX calls in an IOAS all its mappings become loose, new ones
 *    too, and all its MDLs revoked: its holder is clearing it. A while later the mappings
 *    that are there are pinned again, and the others revoked. The while doubles as
 *    long as there are calls.
 *
 * One thing remains that iommufd gives no means to exclude. Its rule "userspace
 * should not race map/unmap's of the same area" also holds for its raw ioctls
 * against ours: when a raw unmap of an area and ours run at the same time, and a
 * raw map takes the IOVA in between, ours may take that too. It is always the
 * holder's own IOAS that is affected.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/iommufd.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "wddmcompat_private.h"

/* Far below the 100 of iommufd: several contexts may share an IOAS */
#define WATCH_CALLS_MAX 8

/* When loose ranges are looked after; doubles while there is something to see */
#define WATCH_DELAY_MIN (HZ / 10)
#define WATCH_DELAY_MAX (300 * HZ)

/**
 * struct range_area - Where one area of a range is
 * @iova: Its first address
 * @length: Its bytes
 * @page: Its first page, as an index into the MDL
 */
struct range_area {
	unsigned long iova;
	unsigned long length;
	unsigned long page;
};

static struct range_area range_area(const struct wddm_range *range, u32 i)
{
	const struct wddm_segment *seg =
		&range->mdl->segs[range->first_seg + i];
	unsigned long end =
		range->first_page + (wddm_range_length(range) >> PAGE_SHIFT);
	struct range_area area = {
		.page = max(seg->first_page, range->first_page),
	};

	end = min(end, seg->first_page + seg->num_pages);
	area.iova = range->node.start +
		    ((area.page - range->first_page) << PAGE_SHIFT);
	area.length = (end - area.page) << PAGE_SHIFT;
	return area;
}

/* The area that @iova, which is in the range, is in */
static u32 range_find_area(const struct wddm_range *range, unsigned long iova)
{
	unsigned long page =
		range->first_page + ((iova - range->node.start) >> PAGE_SHIFT);

	return wddm_mdl_find_segment(range->mdl, page) - range->first_seg;
}

static bool range_is_mdl(const struct wddm_range *range)
{
	return range == &range->mdl->range;
}

/* An MDL keeps all its pages; a mapping needs to be called, for which one does */
static unsigned long range_pin_length(const struct wddm_range *range,
				      const struct range_area *area)
{
	return range_is_mdl(range) ? area->length : PAGE_SIZE;
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
	range->areas = &range->areas_word;
	if (range->num_areas > BITS_PER_LONG)
		range->areas =
			bitmap_zalloc(range->num_areas, GFP_KERNEL_ACCOUNT);
	return range->areas ? 0 : -ENOMEM;
}

void wddm_range_fini(struct wddm_range *range)
{
	if (range->areas != &range->areas_word)
		bitmap_free(range->areas);
}

/* Say where the range is, before it is watched */
void wddm_range_place(struct wddm_range *range, unsigned long iova,
		      unsigned long num_pages)
{
	range->node.start = iova;
	range->node.last = iova + (num_pages << PAGE_SHIFT) - 1;
}

/* Pin the pages of a segment. What a kernel module gave must be what we find. */
static int range_pin_segment(struct wddm_range *range,
			     const struct range_area *area,
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
	if (!seg->pages) {
		seg->pages = pages;
		return 0;
	}
	if (memcmp(pages, seg->pages, seg->num_pages * sizeof(*pages))) {
		iommufd_access_unpin_pages(access, area->iova, area->length);
		rc = -EIO;
	}

out_free:
	kvfree(pages);
	return rc;
}

static bool range_mdl_is_revoked(const struct wddm_range *range)
{
	/* Pairs with range_revoke() of the MDL */
	return READ_ONCE(range->mdl->range.state) == WDDMCOMPAT_STATE_REVOKED;
}

/*
 * Pin the first page of an area of a mapping. It must be the page of the MDL:
 * where the owner has changed the answer of IOAS_COPY, or has unmapped the area
 * and mapped another, it is not, and that is -ESTALE. If the MDL is revoked it is
 * -EIDRM: without a device nobody has kept the page that the MDL had.
 */
static int range_pin_first_page(struct wddm_range *range,
				const struct range_area *area)
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
	if (page == wddm_mdl_page(range->mdl, area->page))
		return 0;
	iommufd_access_unpin_pages(access, area->iova, PAGE_SIZE);
	return range_mdl_is_revoked(range) ? -EIDRM : -ESTALE;
}

static int range_pin_area(struct wddm_range *range, u32 i)
{
	struct range_area area = range_area(range, i);

	if (range_is_mdl(range))
		return range_pin_segment(range, &area, &range->mdl->segs[i]);
	return range_pin_first_page(range, &area);
}

static void range_unpin_area(struct wddm_range *range, u32 i)
{
	struct range_area area = range_area(range, i);

	iommufd_access_unpin_pages(range->ioas->access, area.iova,
				   range_pin_length(range, &area));
}

static bool range_has_areas(const struct wddm_range *range)
{
	return !bitmap_empty(range->areas, range->num_areas);
}

static bool range_has_areas_in(const struct wddm_range *range, u32 first,
			       u32 last)
{
	return find_next_bit(range->areas, last + 1, first) <= last;
}

static void range_forget(struct wddm_range *range)
{
	if (RB_EMPTY_NODE(&range->node.rb))
		return;
	interval_tree_remove(&range->node, &range->ioas->ranges);
	RB_CLEAR_NODE(&range->node.rb);
}

/* Unpin, but keep in mind, which areas there are */
static void range_loosen(struct wddm_range *range)
{
	u32 i;

	if (range->loose)
		return;
	for_each_set_bit(i, range->areas, range->num_areas)
		range_unpin_area(range, i);
	range->loose = true;
}

/*
 * Areas are gone, or are not what they were. To be said before their pages are let go:
 * who finds other pages in their place then knows why.
 */
static void range_revoke(struct wddm_range *range)
{
	if (range->unmapper || range->state == WDDMCOMPAT_STATE_REVOKED)
		return;
	/* Pairs with those who ask without the lock */
	WRITE_ONCE(range->state, WDDMCOMPAT_STATE_REVOKED);
	wddm_event_queue(range);
}

/*
 * Does it mean that an area is not ours that its first page cannot be pinned? As long as
 * the MDL has the pages pinned, our own can fail only for want of memory to note that.
 * Else it may be any reason: a process that is gone, or memory that is gone or another.
 */
static bool range_area_is_lost(const struct wddm_range *range, int rc)
{
	if (rc == -ESTALE || rc == -EPERM)
		return true;
	return rc && rc != -ENOMEM && !range_mdl_is_revoked(range);
}

/*
 * Look after a loose mapping: what is not there any more is no longer its own. It is
 * pinned only for a moment, so that nobody who makes us look can have iommufd call us
 * often. What cannot be seen is believed to be there.
 */
static void range_look_at(struct wddm_range *range, u32 first, u32 end)
{
	bool lost = false;
	u32 i = first;
	int rc;

	if (!range->loose || range_is_mdl(range))
		return;
	for_each_set_bit_from(i, range->areas, end) {
		rc = range_pin_area(range, i);
		if (!rc) {
			range_unpin_area(range, i);
		} else if (range_area_is_lost(range, rc)) {
			__clear_bit(i, range->areas);
			lost = true;
		}
	}
	if (lost)
		range_revoke(range);
	if (!range_has_areas(range))
		range_forget(range);
}

static void range_look(struct wddm_range *range)
{
	range_look_at(range, 0, range->num_areas);
}

/*
 * Pin a loose mapping again, all of what is there or nothing. Returns whether to try
 * it later: there was no memory, or it went in this moment. Not if it is being unmapped:
 * what is at its place may be another one already.
 */
static bool range_tighten(struct wddm_range *range)
{
	u32 i, pinned;
	int rc;

	if (!range->loose || range->unmapper || range_is_mdl(range))
		return false;
	range_look(range);
	for_each_set_bit(i, range->areas, range->num_areas) {
		rc = range_pin_area(range, i);
		if (rc)
			goto err_unpin;
	}
	range->loose = false;
	return false;

err_unpin:
	for_each_set_bit(pinned, range->areas, i)
		range_unpin_area(range, pinned);
	return rc != -EIDRM;
}

static bool range_has_areas_at(const struct wddm_range *range,
			       unsigned long start, unsigned long last,
			       u32 *first_area, u32 *last_area)
{
	*first_area = range_find_area(range, max(start, range->node.start));
	*last_area = range_find_area(range, min(last, range->node.last));
	return range_has_areas_in(range, *first_area, *last_area);
}

/* Does any range have pages pinned there? */
static bool ioas_is_watched(struct wddm_ioas *ioas, unsigned long start,
			    unsigned long last)
{
	struct interval_tree_node *node;
	u32 first_area, last_area;

	for (node = interval_tree_iter_first(&ioas->ranges, start, last); node;
	     node = interval_tree_iter_next(node, start, last)) {
		struct wddm_range *range =
			container_of(node, struct wddm_range, node);

		if (range_has_areas_at(range, start, last, &first_area,
				       &last_area) &&
		    (!range->loose || range_is_mdl(range)))
			return true;
	}
	return false;
}

/*
 * Another mapping is there, all of it. The areas that loose ones had at this place are
 * gone, then, and they must not take the new ones for their own.
 */
static void ioas_evict(struct wddm_ioas *ioas, const struct wddm_range *tenant)
{
	const unsigned long start = tenant->node.start, last = tenant->node.last;
	struct interval_tree_node *node, *next;
	u32 first_area, last_area;

	for (node = interval_tree_iter_first(&ioas->ranges, start, last); node;
	     node = next) {
		struct wddm_range *range =
			container_of(node, struct wddm_range, node);

		next = interval_tree_iter_next(node, start, last);
		if (range == tenant ||
		    !range_has_areas_at(range, start, last, &first_area,
					&last_area))
			continue;
		bitmap_clear(range->areas, first_area,
			     last_area - first_area + 1);
		range_revoke(range);
		if (!range_has_areas(range))
			range_forget(range);
	}
}

/**
 * wddm_range_watch() - Pin pages in each area of a range
 * @range: Range that has been mapped in its IOAS and placed
 *
 * From success on, every area of the range is known to be there, to be made of
 * the MDL's pages and to belong to no other range. On failure some areas may be
 * pinned: wddm_range_unmap() or wddm_range_abort() is to follow.
 *
 * Return: 0, -ESTALE if an area is not what we mapped, or any other error of
 * iommufd_access_pin_pages().
 */
int wddm_range_watch(struct wddm_range *range)
{
	struct wddm_ioas *ioas = range->ioas;
	int rc = 0;
	u32 i;

	/*
	 * Held across pinning, as the callback must not find an area that is
	 * pinned but has no bit yet.
	 */
	mutex_lock(&ioas->lock);
	if (ioas_is_watched(ioas, range->node.start, range->node.last)) {
		rc = -ESTALE;
		goto out_unlock;
	}
	interval_tree_insert(&range->node, &ioas->ranges);
	for (i = 0; i < range->num_areas; i++) {
		int area_rc = range_pin_area(range, i);

		if (!area_rc) {
			__set_bit(i, range->areas);
			continue;
		}
		rc = area_rc;
		/* The areas behind a stale one are ours, and to be unmapped */
		if (rc != -ESTALE)
			break;
	}
	if (!rc)
		ioas_evict(ioas, range);
	/* While somebody clears the IOAS, nothing in it is to make iommufd call us */
	if (!rc && ioas->watch_calls >= WATCH_CALLS_MAX && !range_is_mdl(range))
		range_loosen(range);

out_unlock:
	/* What nobody was told of is not revoked, whatever becomes of it until it is undone */
	if (rc)
		range->unmapper = current;
	mutex_unlock(&ioas->lock);
	return rc;
}

/*
 * Areas of @range in [start, last], which overlaps it, are going. Returns whether
 * somebody else than us unmaps them.
 */
static bool range_unmapped(struct wddm_range *range, unsigned long start,
			   unsigned long last)
{
	u32 first_area, last_area;

	if (!range_has_areas_at(range, start, last, &first_area, &last_area))
		return true;
	if (range->unmapper) {
		/* Not if it is somebody else, nor for what lies in a gap of it */
		if (current == range->unmapper && start <= range->node.start)
			range->claimed = true;
		range_loosen(range);
		return false;
	}
	range_revoke(range);
	range_loosen(range);
	bitmap_clear(range->areas, first_area, last_area - first_area + 1);
	if (!range_has_areas(range))
		range_forget(range);
	return true;
}

/*
 * Somebody else unmaps a lot: do not be called for each of the areas. What we are
 * unmapping stays pinned until iommufd asks for it: it goes anyway.
 */
static void ioas_let_go(struct wddm_ioas *ioas)
{
	struct interval_tree_node *node;

	for (node = interval_tree_iter_first(&ioas->ranges, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		struct wddm_range *range =
			container_of(node, struct wddm_range, node);

		if (range->unmapper)
			continue;
		if (range_is_mdl(range))
			range_revoke(range);
		range_loosen(range);
	}
}

static void ioas_look_later(struct wddm_ioas *ioas)
{
	queue_delayed_work(ioas->iommufd->wq, &ioas->watch_work,
			   ioas->watch_delay);
}

static void ioas_count_call(struct wddm_ioas *ioas)
{
	if (RB_EMPTY_ROOT(&ioas->ranges.rb_root))
		return;
	if (++ioas->watch_calls == WATCH_CALLS_MAX)
		ioas_let_go(ioas);
	ioas_look_later(ioas);
}

/**
 * wddm_ranges_unmapped() - iommufd is about to unmap an area that may be pinned
 * @data: struct wddm_ioas
 * @iova: First address of the area
 * @length: Its bytes; ULONG_MAX when the access is being detached
 *
 * Called by iommufd in the middle of an unmap, in any process, ours or not. When it
 * returns we have no page in the area pinned.
 */
void wddm_ranges_unmapped(void *data, unsigned long iova, unsigned long length)
{
	struct wddm_ioas *ioas = data;
	struct interval_tree_node *node, *next;
	unsigned long last = iova + (length - 1);
	bool foreign = true;

	mutex_lock(&ioas->lock);
	for (node = interval_tree_iter_first(&ioas->ranges, iova, last); node;
	     node = next) {
		next = interval_tree_iter_next(node, iova, last);
		foreign &= range_unmapped(container_of(node, struct wddm_range,
						       node),
					  iova, last);
	}
	if (foreign)
		ioas_count_call(ioas);
	mutex_unlock(&ioas->lock);
}

/*
 * Look after loose ranges, again and again until nobody has unmapped anything and no
 * mapping is loose. Looking keeps those who unmap waiting, and there may be a lot to look
 * at: so it takes no more than a third of the time.
 */
static void ioas_watch_work(struct work_struct *work)
{
	struct wddm_ioas *ioas = container_of(to_delayed_work(work),
					      struct wddm_ioas, watch_work);
	struct interval_tree_node *node, *next;
	struct wddm_range *range;
	unsigned long start;
	bool again;

	mutex_lock(&ioas->lock);
	start = jiffies;
	again = ioas->watch_calls;
	for (node = interval_tree_iter_first(&ioas->ranges, 0, ULONG_MAX); node;
	     node = next) {
		next = interval_tree_iter_next(node, 0, ULONG_MAX);
		range = container_of(node, struct wddm_range, node);
		again |= range_tighten(range);
		cond_resched();
	}
	if (again) {
		ioas->watch_calls = 0;
		ioas->watch_delay = max(ioas->watch_delay, jiffies - start);
		ioas->watch_delay = min(2 * ioas->watch_delay, WATCH_DELAY_MAX);
		ioas_look_later(ioas);
	} else {
		ioas->watch_delay = WATCH_DELAY_MIN;
	}
	mutex_unlock(&ioas->lock);
}

/* Begin and end to watch an IOAS, while no range is in it */
void wddm_watch_init(struct wddm_ioas *ioas)
{
	ioas->ranges = RB_ROOT_CACHED;
	mutex_init(&ioas->lock);
	INIT_DELAYED_WORK(&ioas->watch_work, ioas_watch_work);
	ioas->watch_delay = WATCH_DELAY_MIN;
	ioas->watch_calls = 0;
}

void wddm_watch_fini(struct wddm_ioas *ioas)
{
	cancel_delayed_work_sync(&ioas->watch_work);
	mutex_destroy(&ioas->lock);
}

/**
 * struct range_run - Consecutive areas that are there
 * @first: The first of them
 * @end: The one behind the last of them
 * @iova: Where the first begins
 * @length: Bytes of all
 * @loose: They are not pinned
 * @via: How it is unmapped
 */
struct range_run {
	u32 first;
	u32 end;
	unsigned long iova;
	unsigned long length;
	bool loose;
	enum wddm_via via;
};

/* Find a run of areas that are known to be there, @from one on; @single: no more than one */
static bool range_next_run(struct wddm_range *range, struct range_run *run,
			   u32 from, bool single)
{
	const u32 num = range->num_areas;
	struct range_area area;

	mutex_lock(&range->ioas->lock);
	do {
		run->first = find_next_bit(range->areas, num, from);
		range_look_at(range, run->first,
			      single ? min(run->first + 1, num) : num);
	} while (run->first < num && !test_bit(run->first, range->areas));
	run->end = find_next_zero_bit(range->areas, num, run->first);
	run->loose = range->loose;
	mutex_unlock(&range->ioas->lock);
	if (run->first == num)
		return false;

	if (single)
		run->end = run->first + 1;
	run->iova = range_area(range, run->first).iova;
	area = range_area(range, run->end - 1);
	run->length = area.iova + area.length - run->iova;
	return true;
}

/*
 * How to unmap a run. Of several areas only the first is claimed, and the others are
 * loose from then on: the owner's own way would leave open what has become of them.
 */
static enum wddm_via range_run_via(const struct wddm_range *range,
				   const struct range_run *run, bool again)
{
	const struct mm_struct *owner = range->ioas->iommufd->owner.mm;

	if (again || run->loose || !owner || current->mm != owner)
		return WDDM_VIA_CARRIER;
	return range->num_areas > 1 && !range_is_mdl(range) ? WDDM_VIA_CARRIER :
							       WDDM_VIA_OWNER;
}

/*
 * iommufd says that there is nothing, or a part of something larger, where an area is
 * believed to be. If its page can be seen there, it is larger than it was told to be,
 * and a device reaches it.
 */
static bool range_run_is_lost(struct wddm_range *range,
			      const struct range_run *run)
{
	int rc;

	if (run->end - run->first > 1)
		return false;
	rc = range_pin_area(range, run->first);
	if (!rc)
		range_unpin_area(range, run->first);
	return rc && rc != -ENOMEM;
}

/*
 * Was a run unmapped? Not as long as it is pinned. The carrier's word is good. The owner
 * may have sent his own command somewhere else: that it was here, iommufd has told us
 * by claiming the area. After an error some areas may be there; of an MDL that does not
 * matter, because they are not pinned and reach no device.
 */
static bool range_run_unmapped(struct wddm_range *range,
			       const struct range_run *run, int rc)
{
	bool unmapped;

	mutex_lock(&range->ioas->lock);
	unmapped = range->loose;
	if (unmapped && !range_is_mdl(range)) {
		if (!rc)
			unmapped = run->via == WDDM_VIA_CARRIER ||
				   range->claimed;
		else
			unmapped = rc == -ENOENT &&
				   range_run_is_lost(range, run);
	}
	if (unmapped)
		bitmap_clear(range->areas, run->first, run->end - run->first);
	mutex_unlock(&range->ioas->lock);
	return unmapped;
}

static void range_begin_unmap(struct wddm_range *range)
{
	mutex_lock(&range->ioas->lock);
	/* What others have done until now is a revocation */
	range_look(range);
	range->unmapper = current;
	range->claimed = false;
	mutex_unlock(&range->ioas->lock);
}

static void range_give_up_unmap(struct wddm_range *range)
{
	mutex_lock(&range->ioas->lock);
	range->unmapper = NULL;
	range_look(range);
	if (range->loose && range_is_mdl(range))
		range_revoke(range);
	if (range->loose)
		ioas_look_later(range->ioas);
	mutex_unlock(&range->ioas->lock);
}

/*
 * Is somebody unmapping this area? iommufd marks it before it asks for our pins, and
 * refuses to pin it with -EINVAL from then on; and it says -EBUSY to an unmap while
 * it takes it out. That one must not unmap what may have come in its place: hence
 * the second byte, which no area begins with.
 */
static bool area_is_going(struct wddm_ioas *ioas, unsigned long iova)
{
	struct page *page;
	int rc;

	/* Who unmaps it waits for the lock then, and does not ask again and again */
	mutex_lock(&ioas->lock);
	rc = iommufd_access_pin_pages(ioas->access, iova, PAGE_SIZE, &page, 0);
	if (!rc)
		iommufd_access_unpin_pages(ioas->access, iova, PAGE_SIZE);
	mutex_unlock(&ioas->lock);
	if (!rc)
		return false;
	if (rc == -EINVAL)
		return true;
	return wddm_ioas_unmap(ioas, WDDM_VIA_CARRIER, iova + 1, 1) == -EBUSY;
}

/* How long others may take to unmap an area, or seem to: until when, from now on */
unsigned long wddm_patience_end(void)
{
	return (jiffies + 5 * HZ) ?: 1;
}

/* A context that ends waits only once for all */
static unsigned long range_patience_end(const struct wddm_range *range)
{
	return range->obj.ctx->patience ?: wddm_patience_end();
}

/*
 * Wait until the unmaps of others are through. An area that is on its way in looks as
 * one on its way out, and may stay so for as long as its maker likes: so not for ever.
 * A process that is killed does not wait; but what a kernel module was told is to be
 * true even then.
 */
static void range_settle(struct wddm_range *range, u32 first, u32 end,
			 unsigned long timeout)
{
	const struct wddmcompat_context *ctx = range->obj.ctx;
	u32 i;

	for (i = first; i < end; i++) {
		while (area_is_going(range->ioas, range_area(range, i).iova)) {
			if (time_after(jiffies, timeout) ||
			    (ctx->owner && fatal_signal_pending(current)))
				return;
			usleep_range(100, 200);
		}
	}
}

/* How often to try an area that stays */
#define UNMAP_TRIES 3

/*
 * Unmap the areas that are there, a run of them by one IOAS_UNMAP. That misses when
 * the owner writes to its command page, and fails when others unmap the same
 * areas. So look what is left, and try again, one by one, so that no area is in the
 * way of another. One that is there and yet says -ENOENT is larger than we know: the
 * owner has changed our IOAS_COPY, or has copied it again himself. @unmapped is how
 * many areas have gone by this hand, and no other.
 */
static int range_unmap_runs(struct wddm_range *range, u32 *unmapped)
{
	const unsigned long timeout = range_patience_end(range);
	struct range_run run;
	int tries = 0, rc, failed;
	u32 from;

	do {
		failed = 0;
		for (from = 0; range_next_run(range, &run, from, tries);
		     from = run.end) {
			run.via = range_run_via(range, &run, tries);
			rc = wddm_ioas_unmap(range->ioas, run.via, run.iova,
					     run.length);
			if (range_run_unmapped(range, &run, rc)) {
				*unmapped += rc ? 0 : run.end - run.first;
				continue;
			}
			failed = !rc || rc == -ENOENT ? -EBUSY : rc;
			range_settle(range, run.first, run.end, timeout);
		}
	} while (failed && ++tries < UNMAP_TRIES);
	return failed;
}

/* Stop watching. Areas that are still there stay in the IOAS, as its holder's own. */
static void range_release(struct wddm_range *range)
{
	mutex_lock(&range->ioas->lock);
	range_loosen(range);
	bitmap_zero(range->areas, range->num_areas);
	range_forget(range);
	/* Nobody can queue it any more */
	wddm_event_cancel(range);
	mutex_unlock(&range->ioas->lock);
}

/* As wddm_range_unmap(), but after an error it is still being unmapped */
static int range_try_unmap(struct wddm_range *range)
{
	u32 unmapped = 0;
	int rc;

	range_begin_unmap(range);
	rc = range_unmap_runs(range, &unmapped);
	if (rc)
		return rc;
	/* The rest is unmapped by others, who may be in the middle of it */
	if (unmapped < range->num_areas && !range_is_mdl(range))
		range_settle(range, 0, range->num_areas,
			     range_patience_end(range));
	range_release(range);
	return 0;
}

/**
 * wddm_range_unmap() - Unmap a range from its IOAS
 * @range: Range that was watched; nobody else unmaps it at the same time
 *
 * What others have unmapped, or put in the place of it, is left alone.
 *
 * Context: May sleep. No ioas->lock may be held.
 * Return: 0: no area of the range is mapped and no page pinned any more. Or
 * -EBUSY when an object of the iommufd needs an area: what is still mapped is still
 * watched, and the call can be repeated.
 */
int wddm_range_unmap(struct wddm_range *range)
{
	int rc = range_try_unmap(range);

	if (rc)
		range_give_up_unmap(range);
	return rc;
}

/**
 * wddm_range_undo() - Unmap a range, come what may
 * @range: As for wddm_range_unmap()
 *
 * What cannot be unmapped stays in the IOAS, and is not watched any more.
 */
void wddm_range_undo(struct wddm_range *range)
{
	if (range_try_unmap(range))
		range_release(range);
}

/**
 * wddm_range_abort() - Undo the mapping of a range that could not be watched
 * @range: Range that was placed
 * @length: Bytes of it that have been mapped, from its start on, whether pinned or not
 *
 * What is pinned goes in any case.
 */
void wddm_range_abort(struct wddm_range *range, unsigned long length)
{
	mutex_lock(&range->ioas->lock);
	range_loosen(range);
	if (length)
		bitmap_set(range->areas, 0,
			   range_find_area(range, range->node.start + length -
							  1) + 1);
	mutex_unlock(&range->ioas->lock);
	wddm_range_undo(range);
}
