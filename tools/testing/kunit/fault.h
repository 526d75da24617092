/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Let what a test calls fail, at the first point where it can, the second, and so on.
 * Points are of several kinds, and of one at a time.
 */
#ifndef __WDDMCOMPAT_FAULT_H
#define __WDDMCOMPAT_FAULT_H

#include <linux/types.h>

/**
 * enum fault_kind - What fails
 * @FAULT_SLAB: An allocation of an object
 * @FAULT_PAGES: An allocation of pages
 * @FAULT_COPY: A copy from or to user space, as commands to iommufd are
 * @FAULT_IOMMUFD: What iommufd has fail for its own tests: pins, and others
 */
enum fault_kind {
	FAULT_SLAB,
	FAULT_PAGES,
	FAULT_COPY,
	FAULT_IOMMUFD,
	FAULT_KINDS,
};

/**
 * enum fault_where - Whose points they are
 * @FAULT_THREAD: The calling thread's
 * @FAULT_CARRIER: Those of what it has the carrier do for it in another thread
 */
enum fault_where {
	FAULT_THREAD,
	FAULT_CARRIER,
};

int fault_init(void);
int __must_check fault_find_carrier(void);
const char *fault_kind_name(enum fault_kind kind);
void fault_begin(enum fault_kind kind, enum fault_where where,
		 unsigned int nth);
bool fault_end(void);

#endif
