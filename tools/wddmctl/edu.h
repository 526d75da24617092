/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's edu device: it copies between memory and a buffer of its own by DMA.
 * The device must have been made with dma_mask=0xffffffffffffffff, or it reaches
 * only the first 256 MiB of its address space.
 */
#ifndef WDDMCTL_EDU_H
#define WDDMCTL_EDU_H

#include <linux/types.h>
#include <stdbool.h>

#include "vfio.h"

/* Bytes in one transfer, at most: one more is QEMU's end, though they would fit */
#define EDU_TRANSFER_MAX 4095

struct edu {
	void *registers;
};

/* Set the device up; 0, or -1 with an error reported */
int edu_init(struct edu *edu, struct vfio *device);

/*
 * Have the device read from memory into its buffer, or write from its buffer to
 * memory, and wait until it says that it is done, which it does also when the
 * IOMMU did not let it. 0, or -1 with an error reported.
 */
int edu_read(struct edu *edu, __u64 address, unsigned int count);
int edu_write(struct edu *edu, __u64 address, unsigned int count);

#endif
