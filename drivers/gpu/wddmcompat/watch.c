// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watching ranges: what becomes of them when others unmap their areas.
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
 */
#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "range.h"

/* Far below the 100 of iommufd: several contexts may share an IOAS */
#define WATCH_CALLS_MAX 8

/* When loose ranges are looked after; doubles while there is something to see */
#define WATCH_DELAY_MIN (HZ / 10)
#define WATCH_DELAY_MAX (300 * HZ)

static bool range_has_areas(struct wddm_range *range)
{
	return !bitmap_empty(wddm_range_areas(range), range->num_areas);
}

static bool range_has_areas_in(struct wddm_range *range, u32 first, u32 last)
{
	return find_next_bit(wddm_range_areas(range), last + 1, first) <= last;
}

static bool range_has_areas_at(struct wddm_range *range, unsigned long start,
			       unsigned long last, u32 *first_area,
			       u32 *last_area)
{
	*first_area =
		wddm_range_find_area(range, max(start, range->node.start));
	*last_area = wddm_range_find_area(range, min(last, range->node.last));
	return range_has_areas_in(range, *first_area, *last_area);
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
	return rc && rc != -ENOMEM && !wddm_range_mdl_is_revoked(range);
}

/*
 * Look after a loose mapping: what is not there any more is no longer its own. It is
 * pinned only for a moment, so that nobody who makes us look can have iommufd call us
 * often. What cannot be seen is believed to be there.
 */
void wddm_range_look_at(struct wddm_range *range, u32 first, u32 end)
{
	bool lost = false;
	u32 i = first;
	int rc;

	if (!range->loose || wddm_range_is_mdl(range))
		return;
	for_each_set_bit_from(i, wddm_range_areas(range), end) {
		rc = wddm_range_pin_area(range, i);
		if (!rc) {
			wddm_range_unpin_area(range, i);
		} else if (range_area_is_lost(range, rc)) {
			__clear_bit(i, wddm_range_areas(range));
			lost = true;
		}
	}
	if (lost)
		wddm_range_revoke(range);
	if (!range_has_areas(range))
		wddm_range_forget(range);
}

void wddm_range_look(struct wddm_range *range)
{
	wddm_range_look_at(range, 0, range->num_areas);
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

	if (!range->loose || range->unmapper || wddm_range_is_mdl(range))
		return false;
	wddm_range_look(range);
	for_each_set_bit(i, wddm_range_areas(range), range->num_areas) {
		rc = wddm_range_pin_area(range, i);
		if (rc)
			goto err_unpin;
	}
	range->loose = false;
	return false;

err_unpin:
	for_each_set_bit(pinned, wddm_range_areas(range), i)
		wddm_range_unpin_area(range, pinned);
	return rc != -EIDRM;
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
		    (!range->loose || wddm_range_is_mdl(range)))
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
		bitmap_clear(wddm_range_areas(range), first_area,
			     last_area - first_area + 1);
		wddm_range_revoke(range);
		if (!range_has_areas(range))
			wddm_range_forget(range);
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
	const unsigned long start = range->node.start, last = range->node.last;
	struct wddm_ioas *ioas = range->ioas;
	bool alone;
	int rc = 0;
	u32 i;

	/*
	 * Held across pinning, as the callback must not find an area that is
	 * pinned but has no bit yet.
	 */
	mutex_lock(&ioas->lock);
	alone = !interval_tree_iter_first(&ioas->ranges, start, last);
	if (!alone && ioas_is_watched(ioas, start, last)) {
		rc = -ESTALE;
		goto out_unlock;
	}
	interval_tree_insert(&range->node, &ioas->ranges);
	for (i = 0; i < range->num_areas; i++) {
		int area_rc = wddm_range_pin_area(range, i);

		if (!area_rc) {
			__set_bit(i, wddm_range_areas(range));
			continue;
		}
		rc = area_rc;
		/* The areas behind a stale one are ours, and to be unmapped */
		if (rc != -ESTALE)
			break;
	}
	if (!rc && !alone)
		ioas_evict(ioas, range);
	/* While somebody clears the IOAS, nothing in it is to make iommufd call us */
	if (!rc && ioas->watch_calls >= WATCH_CALLS_MAX &&
	    !wddm_range_is_mdl(range))
		wddm_range_loosen(range);

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
		wddm_range_loosen(range);
		return false;
	}
	wddm_range_revoke(range);
	wddm_range_loosen(range);
	bitmap_clear(wddm_range_areas(range), first_area,
		     last_area - first_area + 1);
	if (!range_has_areas(range))
		wddm_range_forget(range);
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
		if (wddm_range_is_mdl(range))
			wddm_range_revoke(range);
		wddm_range_loosen(range);
	}
}

void wddm_ioas_look_later(struct wddm_ioas *ioas)
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
	wddm_ioas_look_later(ioas);
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
		wddm_ioas_look_later(ioas);
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
