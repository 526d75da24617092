/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory of this process, as descriptors describe it. */
#ifndef WDDMCTL_MEMORY_H
#define WDDMCTL_MEMORY_H

#include <linux/types.h>
#include <linux/wddmcompat.h>
#include <stdbool.h>

/*
 * Get @count bytes of fresh memory, @offset bytes into its first page, in an
 * address range of its own.
 */
int memory_anonymous(struct wddmcompat_mdl_desc *desc, __u32 offset,
		     __u32 count, bool writeable);

/* Map @count bytes at @position of a file */
int memory_file(struct wddmcompat_mdl_desc *desc, int fd, __u64 position,
		__u32 count, bool writeable);

/* The whole pages that the bytes of a descriptor lie in */
__u64 memory_page_size(void);
unsigned char *memory_pages(const struct wddmcompat_mdl_desc *desc);
__u64 memory_pages_length(const struct wddmcompat_mdl_desc *desc);

#endif
