/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Linux adds to the WDK's interface: how a PCI driver that contains a ported
 * display miniport starts and stops a logical adapter, and asks where memory is for
 * it. The interface itself is in include/wddm/.
 *
 * A module that uses this imports the symbol namespace WDDMCOMPAT.
 */
#ifndef _LINUX_DXGKRNL_H
#define _LINUX_DXGKRNL_H

#include <linux/types.h>

struct _DRIVER_INITIALIZATION_DATA;
struct device;
struct dxgk_adapter;

/* The most physical adapters of a linked chain */
#define DXGK_LINKED_MAX 16

struct dxgk_adapter *__must_check
dxgk_adapter_start(const struct _DRIVER_INITIALIZATION_DATA *init,
		   struct device *const *devs, unsigned int num_devs);
void dxgk_adapter_stop(struct dxgk_adapter *adapter);

int __must_check dxgk_logical_address(void *adapter, void *memory, u64 offset,
				      u64 *logical);
int __must_check dxgk_frame_buffer_address(void *adapter, unsigned int index,
					   u64 offset, u64 *logical);

int dxgk_status_to_errno(int status);
int dxgk_errno_to_status(int rc);

#endif
