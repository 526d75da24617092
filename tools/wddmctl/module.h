/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls of the module, by the library. Each returns 0, or -1 after having
 * reported what went wrong and what to do.
 */
#ifndef WDDMCTL_MODULE_H
#define WDDMCTL_MODULE_H

#include <linux/types.h>
#include <linux/wddmcompat.h>
#include <stdbool.h>

#define MODULE_DEVICE "/dev/wddmcompat"

/* What to do when it is not there */
#define MODULE_LOAD \
	"Run \"modprobe wddmcompat\", or \"insmod wddmcompat.ko\" where it was built."

/* Is the module loaded, or a part of the kernel? */
bool module_present(void);

/* Get a context: a file descriptor, or -1 */
int module_open(void);

int module_info(int ctx, struct wddmcompat_info *info);

/* Bind the context to an iommufd, then make adapters of IOASes of it */
int module_bind(int ctx, int iommufd);
int module_adapter(int ctx, __u32 ioas, __u64 *adapter);

int module_lock(int ctx, const struct wddmcompat_mdl_desc *descs, __u32 count,
		__u64 *mdl);
int module_unlock(int ctx, __u64 mdl);

/* @map->size is filled in here */
int module_map(int ctx, struct wddmcompat_map *map);

/* Returns the state of the mapping, or -1 */
int module_unmap(int ctx, __u64 adapter, __u64 memory);

int module_query(int ctx, __u64 handle, struct wddmcompat_query *query);

/* Many in one call, each of which must succeed: MODULE_MANY at most */
#define MODULE_MANY 1024
int module_map_many(int ctx, struct wddmcompat_map *maps, __u32 count);
int module_unmap_many(int ctx, struct wddmcompat_unmap *unmaps, __u32 count);

#endif
