/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's edu device, driven through VFIO: a PCI device that copies memory to its
 * own buffer and back. A transfer takes about 100 ms.
 */
#ifndef __WDDMCOMPAT_SELFTESTS_EDU_H
#define __WDDMCOMPAT_SELFTESTS_EDU_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* A transfer is smaller than the device's buffer of 4 KiB */
#define EDU_MAX 2048

/**
 * struct edu - An edu device in use
 * @fd: Its VFIO character device
 * @id: Its ID in the iommufd
 * @bar: Its registers
 * @bar_size: Size of @bar
 */
struct edu {
	int fd;
	__u32 id;
	__u8 *bar;
	size_t bar_size;
};

/* Bind the device number @index to an iommufd */
int edu_open(struct edu *edu, unsigned int index, int iommufd);
void edu_close(struct edu *edu);
int edu_attach(struct edu *edu, __u32 ioas);
int edu_detach(struct edu *edu);

/* Memory to device and device to memory. 0 even if the IOMMU blocks it */
int edu_read(struct edu *edu, __u64 iova, size_t len);
int edu_write(struct edu *edu, __u64 iova, size_t len);

/* Does not wait for the end */
void edu_start_write(struct edu *edu, __u64 iova);

#endif
