/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCI device in the other hands of VFIO: its group in a container of type 1,
 * as programs had it before iommufd.
 */
#ifndef WDDMCTL_TYPE1_H
#define WDDMCTL_TYPE1_H

#include <linux/types.h>

/*
 * Take the device at the PCI address. Returns the container, a file descriptor
 * that is good as long as the process, or -1 where the kernel or another user of
 * the group does not allow it: that is no error, as much of today has no type 1.
 */
int type1_take(const char *address);

/* Map for reading and writing; 0, or -1 with an error reported */
int type1_map(int container, __u64 user_va, __u64 length, __u64 iova);
int type1_unmap(int container, __u64 iova, __u64 length);

#endif
