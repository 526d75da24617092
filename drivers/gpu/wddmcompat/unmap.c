// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmapping ranges, so that nothing of them stays and nothing of others goes.
 *
 * Our own unmap has iommufd call us, as that of others does. It leaves the pins for
 * the callback to take back, in the middle of IOAS_UNMAP, so that an area is guarded
 * up to the moment at which it is *claimed*. ioas->lock is held from the first look to
 * the last, and let go only while iommufd unmaps and while others are waited for.
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
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "range.h"

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
	const unsigned long *areas = wddm_range_areas(range);
	const u32 num = range->num_areas;
	struct wddm_range_area area;

	do {
		run->first = find_next_bit(areas, num, from);
		wddm_range_look_at(range, run->first,
				   single ? min(run->first + 1, num) : num);
	} while (run->first < num && !test_bit(run->first, areas));
	run->end = find_next_zero_bit(areas, num, run->first);
	run->loose = range->loose;
	if (run->first == num)
		return false;

	if (single)
		run->end = run->first + 1;
	run->iova = wddm_range_area(range, run->first).iova;
	area = wddm_range_area(range, run->end - 1);
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
	if (range->num_areas > 1 && !wddm_range_is_mdl(range))
		return WDDM_VIA_CARRIER;
	return WDDM_VIA_OWNER;
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
	rc = wddm_range_pin_area(range, run->first);
	if (!rc)
		wddm_range_unpin_area(range, run->first);
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
	bool unmapped = range->loose;

	if (unmapped && !wddm_range_is_mdl(range)) {
		if (!rc)
			unmapped = run->via == WDDM_VIA_CARRIER ||
				   range->claimed;
		else
			unmapped = rc == -ENOENT &&
				   range_run_is_lost(range, run);
	}
	if (unmapped)
		bitmap_clear(wddm_range_areas(range), run->first,
			     run->end - run->first);
	return unmapped;
}

static void range_give_up_unmap(struct wddm_range *range)
{
	range->unmapper = NULL;
	wddm_range_look(range);
	if (range->loose && wddm_range_is_mdl(range))
		wddm_range_revoke(range);
	if (range->loose)
		wddm_ioas_look_later(range->ioas);
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
static void range_wait(struct wddm_range *range, u32 first, u32 end,
		       unsigned long timeout)
{
	const struct wddmcompat_context *ctx = range->obj.ctx;
	u32 i;

	for (i = first; i < end; i++) {
		while (area_is_going(range->ioas,
				     wddm_range_area(range, i).iova)) {
			if (time_after(jiffies, timeout) ||
			    (ctx->owner && fatal_signal_pending(current)))
				return;
			usleep_range(100, 200);
		}
	}
}

/* The same under ioas->lock, which is let go for it */
static void range_settle(struct wddm_range *range, u32 first, u32 end,
			 unsigned long timeout)
{
	mutex_unlock(&range->ioas->lock);
	range_wait(range, first, end, timeout);
	mutex_lock(&range->ioas->lock);
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
	const u32 num = range->num_areas;
	struct range_run run;
	int tries = 0, rc, failed;
	u32 from;

	do {
		failed = 0;
		for (from = 0;
		     from < num && range_next_run(range, &run, from, tries);
		     from = run.end) {
			run.via = range_run_via(range, &run, tries);
			mutex_unlock(&range->ioas->lock);
			rc = wddm_ioas_unmap(range->ioas, run.via, run.iova,
					     run.length);
			mutex_lock(&range->ioas->lock);
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
	wddm_range_loosen(range);
	bitmap_zero(wddm_range_areas(range), range->num_areas);
	wddm_range_forget(range);
	/* Nobody can queue it any more, and what is live nobody has */
	if (range->state == WDDMCOMPAT_STATE_REVOKED)
		wddm_event_cancel(range);
}

/* As wddm_range_unmap(), under the lock, but after an error it is still being unmapped */
static int range_try_unmap(struct wddm_range *range)
{
	u32 unmapped = 0;
	int rc;

	lockdep_assert_held(&range->ioas->lock);
	/* What others have done until now is a revocation */
	wddm_range_look(range);
	range->unmapper = current;
	range->claimed = false;
	rc = range_unmap_runs(range, &unmapped);
	if (rc)
		return rc;
	/* The rest is unmapped by others, who may be in the middle of it */
	if (unmapped < range->num_areas && !wddm_range_is_mdl(range))
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
	int rc;

	mutex_lock(&range->ioas->lock);
	rc = range_try_unmap(range);
	if (rc)
		range_give_up_unmap(range);
	mutex_unlock(&range->ioas->lock);
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
	mutex_lock(&range->ioas->lock);
	if (range_try_unmap(range))
		range_release(range);
	mutex_unlock(&range->ioas->lock);
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
	unsigned long last = range->node.start + length - 1;

	mutex_lock(&range->ioas->lock);
	wddm_range_loosen(range);
	if (length)
		bitmap_set(wddm_range_areas(range), 0,
			   wddm_range_find_area(range, last) + 1);
	mutex_unlock(&range->ioas->lock);
	wddm_range_undo(range);
}
