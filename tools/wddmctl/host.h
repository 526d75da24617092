/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel tells about the host in sysfs and procfs. */
#ifndef WDDMCTL_HOST_H
#define WDDMCTL_HOST_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Call @visit with each name in a directory, sorted, and return how many there
 * are: 0 also when there is no such directory. @visit may be NULL.
 */
unsigned int host_list(const char *directory,
		       void (*visit)(const char *name, void *arg), void *arg);

/* The name of the first entry of a directory; false if there is none */
bool host_first(const char *directory, char *name, size_t size);

/* Does a line of the file contain the text? */
bool host_file_has(const char *path, const char *text);

/* The last component of what a symbolic link points to; false if it is none */
bool host_link(const char *path, char *name, size_t size);

unsigned int host_iommu_devices(const char *iommu);

/*
 * Pages that are pinned, in the whole system. The count lags behind by up to
 * HOST_PINS_LAG_S seconds, unless host_refresh_pins() has just returned true.
 */
#define HOST_PINS_LAG_S 3
long host_pinned_pages(void);
bool host_refresh_pins(void);

#endif
