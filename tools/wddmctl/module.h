/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls of the module. Each returns 0, or -1 after having reported what
 * went wrong and what to do.
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

int module_info(int fd, struct wddmcompat_info *info);

/* Bind the context to an iommufd, then make adapters of IOASes of it */
int module_bind(int fd, int iommufd);
int module_adapter(int fd, __u32 ioas, __u64 *adapter);

int module_lock(int fd, const struct wddmcompat_mdl_desc *descs, __u32 count,
		__u64 *mdl, __u64 *pages);
int module_unlock(int fd, __u64 mdl);

/* @map->size is filled in here */
int module_map(int fd, struct wddmcompat_map *map);
int module_unmap(int fd, __u64 adapter, __u64 memory, __u32 *state);

/* The same command for all @entries, each of which must succeed */
int module_batch(int fd, __u32 cmd, void *entries, __u32 count);

#endif
