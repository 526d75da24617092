/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An edu device on an IOAS and a page of its own there, from which it gets what it
 * is to write and where it shows what it has read.
 */
#ifndef __WDDMCOMPAT_SELFTESTS_RIG_H
#define __WDDMCOMPAT_SELFTESTS_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "edu.h"

/**
 * struct rig - A device that can be asked
 * @edu: The device
 * @iommufd: It is bound to
 * @ioas: It is attached to
 * @stage: Memory that it can always reach
 * @stage_iova: Where it is
 */
struct rig {
	struct edu edu;
	int iommufd;
	__u32 ioas;
	__u8 *stage;
	__u64 stage_iova;
};

int rig_open(struct rig *rig, unsigned int index, int iommufd, __u32 ioas);
void rig_close(struct rig *rig);

/* What the device is to write: is_filled(..., seed) */
bool device_holds(struct rig *rig, unsigned int seed);

/*
 * The device writes to @iova. What arrives there is for the caller to see; the
 * device itself does not know
 */
bool device_writes(struct rig *rig, __u64 iova, size_t len);

/* The device reads from @iova and finds what @va holds */
bool device_sees(struct rig *rig, __u64 iova, const void *va, size_t len);

#endif
