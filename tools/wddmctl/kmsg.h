/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's log, from a point in time on. */
#ifndef WDDMCTL_KMSG_H
#define WDDMCTL_KMSG_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Open the log for what will be written to it from now on; -1 with an error */
int kmsg_open(void);

/* Skip what has been written */
void kmsg_skip(int fd);

/*
 * Wait up to @milliseconds for a line that has an address within the page at
 * @page. IOMMU drivers word their faults differently, but all tell the address.
 */
bool kmsg_wait_address(int fd, __u64 page, __u64 page_size,
		       unsigned int milliseconds, char *line, size_t size);

#endif
