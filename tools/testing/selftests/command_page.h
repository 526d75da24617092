/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __WDDMCOMPAT_SELFTESTS_COMMAND_PAGE_H
#define __WDDMCOMPAT_SELFTESTS_COMMAND_PAGE_H

#include <stdbool.h>

/*
 * The page that the module keeps in our address space for its commands to iommufd,
 * as long as there is one context in it. NULL if there is none, or if it is not as
 * it should be.
 */
void *find_command_page(void);

/* Is its first slot, which a lone thread's commands take, an unmap? It may be a past one */
bool command_is_unmap(const void *page);

#endif
