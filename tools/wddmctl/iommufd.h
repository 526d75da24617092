/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls of iommufd. Each returns 0, or -1 after having reported what went
 * wrong.
 */
#ifndef WDDMCTL_IOMMUFD_H
#define WDDMCTL_IOMMUFD_H

#include <linux/types.h>

/* A file descriptor, or -1 */
int iommufd_open(void);

/* Make an IOAS */
int iommufd_ioas(int fd, __u32 *ioas);

/* For reading and writing, where iommufd finds room, which is told in @iova */
int iommufd_map(int fd, __u32 ioas, __u64 user_va, __u64 length, __u64 *iova);

/* The same, of what another IOAS has; if @iova is not 0, there */
int iommufd_copy(int fd, __u32 to, __u32 from, __u64 from_iova, __u64 length,
		 __u64 *iova);
int iommufd_unmap(int fd, __u32 ioas, __u64 iova, __u64 length);

#endif
