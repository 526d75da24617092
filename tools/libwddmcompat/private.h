/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBWDDMCOMPAT_PRIVATE_H
#define LIBWDDMCOMPAT_PRIVATE_H

#include <assert.h>

#include "wddmcompat.h"

/*
 * Programs have these in memory of their own, which the library and the kernel write to.
 * If one grows, the functions that take it need a new version in libwddmcompat.map, and
 * the old ones stay for who was built with the old size.
 */
static_assert(sizeof(struct wddmcompat_info) == 24, "part of the ABI");
static_assert(sizeof(struct wddmcompat_query) == 72, "part of the ABI");
static_assert(sizeof(struct wddmcompat_mdl_desc) == 24, "part of the ABI");
static_assert(sizeof(struct wddmcompat_mdl_lock) == 40, "part of the ABI");
static_assert(sizeof(struct wddmcompat_map) == 72, "part of the ABI");
static_assert(sizeof(struct wddmcompat_unmap) == 32, "part of the ABI");
static_assert(sizeof(struct wddmcompat_event) == 40, "part of the ABI");

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* 0 or a negative errno */
int wddm_ioctl(int ctx, unsigned long request, void *arg)
	__attribute__((visibility("hidden")));

#endif
