// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's edu device: it copies between memory and a buffer of its own. Its
 * registers are described in QEMU's docs/specs/edu.
 */
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/bits.h>

#include "miniport.h"

#define EDU_DMA_SOURCE 0x80
#define EDU_DMA_DESTINATION 0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_COMMAND 0x98
#define EDU_DMA_START BIT(0)
#define EDU_DMA_TO_MEMORY BIT(1)

/* Where the buffer is for its DMA engine */
#define EDU_BUFFER 0x40000

void edu_init(struct edu *edu, void __iomem *regs, u64 bar)
{
	mutex_init(&edu->lock);
	edu->regs = regs;
	edu->bar = bar;
}

/* Once this returns no transfer runs, and none begins while @silent */
void edu_silence(struct edu *edu, bool silent)
{
	mutex_lock(&edu->lock);
	edu->silent = silent;
	mutex_unlock(&edu->lock);
}

static int edu_transfer(struct edu *edu, enum edu_direction direction,
			u64 address, u32 offset, u32 count)
{
	u64 buffer = EDU_BUFFER + offset, command = EDU_DMA_START;
	u32 status;

	if (direction == EDU_WRITES)
		command |= EDU_DMA_TO_MEMORY;
	writeq(direction == EDU_READS ? address : buffer,
	       edu->regs + EDU_DMA_SOURCE);
	writeq(direction == EDU_READS ? buffer : address,
	       edu->regs + EDU_DMA_DESTINATION);
	writeq(count, edu->regs + EDU_DMA_COUNT);
	writeq(command, edu->regs + EDU_DMA_COMMAND);
	/* It takes about 100 ms, whatever the size */
	return readl_poll_timeout(edu->regs + EDU_DMA_COMMAND, status,
				  !(status & EDU_DMA_START), 1000,
				  30 * USEC_PER_SEC);
}

/*
 * The device reads or writes @count bytes of memory at @address, which is an address
 * as the device knows it; @offset is in its buffer. That the IOMMU blocks it is no
 * error that this device would tell of.
 */
int edu_dma(struct edu *edu, enum edu_direction direction, u64 address,
	    u32 offset, u32 count)
{
	int rc = -EBUSY;

	if (!count || offset > EDU_BYTES || count > EDU_BYTES - offset)
		return -EINVAL;
	mutex_lock(&edu->lock);
	if (!edu->silent)
		rc = edu_transfer(edu, direction, address, offset, count);
	mutex_unlock(&edu->lock);
	return rc;
}
