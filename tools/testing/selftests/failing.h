/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Let the kernel fail where it can: at an allocation of an object or of pages, at a
 * copy from or to user space, and where iommufd fails for its own tests, as when
 * pages are pinned. Each of these is a *point*. One point fails, and it is chosen by
 * its number.
 */
#ifndef __WDDMCOMPAT_SELFTESTS_FAILING_H
#define __WDDMCOMPAT_SELFTESTS_FAILING_H

#include <stdbool.h>

/* Once for the program, as root */
void failing_setup(void);

/*
 * In the calling thread: what comes as point number @nth fails. The end tells
 * whether it came to that
 */
void thread_fails(unsigned int nth);
bool thread_failed(void);

/**
 * enum fail_kind - Kinds of points
 * @FAIL_SLAB: Allocation of an object
 * @FAIL_PAGES: Allocation of pages
 * @FAIL_COPY: Copy from or to user space
 */
enum fail_kind {
	FAIL_SLAB,
	FAIL_PAGES,
	FAIL_COPY,
	FAIL_KINDS,
};

/*
 * The same within a function of the kernel's, in whatever thread it runs; there one
 * kind at a time, and none of iommufd's own
 */
void function_fails(const char *function, enum fail_kind kind,
		    unsigned int nth);
bool function_failed(enum fail_kind kind);

/* All points of that kind in the function fail, until function_failed() */
void function_fails_always(const char *function, enum fail_kind kind);

#endif
