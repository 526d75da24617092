/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBWDDMCOMPAT_PRIVATE_H
#define LIBWDDMCOMPAT_PRIVATE_H

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* 0 or a negative errno */
int wddm_ioctl(int ctx, unsigned long request, void *arg)
	__attribute__((visibility("hidden")));

#endif
