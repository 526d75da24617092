/* SPDX-License-Identifier: GPL-2.0-only */
/* What range.c, watch.c and unmap.c share. All but where areas are is under ioas->lock. */
#ifndef __WDDMCOMPAT_RANGE_H
#define __WDDMCOMPAT_RANGE_H

#include "wddmcompat_private.h"

/* range.c: where areas are, and their pins */

/**
 * struct wddm_range_area - Where one area of a range is
 * @iova: Its first address
 * @length: Its bytes
 * @page: Its first page, as an index into the MDL
 */
struct wddm_range_area {
	unsigned long iova;
	unsigned long length;
	unsigned long page;
};

static inline bool wddm_range_is_mdl(const struct wddm_range *range)
{
	return range == &range->mdl->range;
}

static inline bool wddm_range_mdl_is_revoked(const struct wddm_range *range)
{
	/* Pairs with wddm_range_revoke() of the MDL */
	return READ_ONCE(range->mdl->range.state) == WDDMCOMPAT_STATE_REVOKED;
}

struct wddm_range_area wddm_range_area(const struct wddm_range *range, u32 i);
u32 wddm_range_find_area(const struct wddm_range *range, unsigned long iova);
int __must_check wddm_range_pin_area(struct wddm_range *range, u32 i);
void wddm_range_unpin_area(struct wddm_range *range, u32 i);
void wddm_range_loosen(struct wddm_range *range);
void wddm_range_revoke(struct wddm_range *range);
void wddm_range_forget(struct wddm_range *range);

/* watch.c: what others do to them */

void wddm_range_look_at(struct wddm_range *range, u32 first, u32 end);
void wddm_range_look(struct wddm_range *range);
void wddm_ioas_look_later(struct wddm_ioas *ioas);

#endif
