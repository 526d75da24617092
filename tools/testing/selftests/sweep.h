/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One call after the other with each point on its way failing (see failing.h): the
 * call says so and leaves everything as it was, or does without. Then the same call
 * succeeds, and so does what undoes it.
 */
#ifndef __WDDMCOMPAT_SELFTESTS_SWEEP_H
#define __WDDMCOMPAT_SELFTESTS_SWEEP_H

#include "scene.h"

/* Debug kernels are slow, and some ways are long */
#define SWEEP_TIMEOUT 1200

/**
 * struct entry - A call that is swept
 * @name: For the reader
 * @prepare: Make what it needs, or NULL
 * @call: The call, and nothing that could fail for another reason: 0 or a negative
 *        errno
 * @settle: Look what has come of it, undo what was done in part, and return what
 *          is to be taken for the call's result; or NULL
 * @undo: The inverse of the call; it is as before, then
 * @finish: The inverse of @prepare, or NULL
 * @also: An errno besides ENOMEM and EFAULT that the call may fail with
 * @step: Which points: every one, unless the call does the same to many: then, behind
 *        the first, every @step-th, which comes to be each of them once
 */
struct entry {
	const char *name;
	void (*prepare)(struct scene *s);
	int (*call)(struct scene *s);
	int (*settle)(struct scene *s, int rc);
	void (*undo)(struct scene *s);
	void (*finish)(struct scene *s);
	int also;
	unsigned int step;
};

/**
 * struct injector - How points are made to fail
 * @name: For the reader
 * @begin: From now on, point @nth fails
 * @end: Not any more. Returns whether it has
 */
struct injector {
	const char *name;
	void (*begin)(unsigned int nth);
	bool (*end)(void);
};

void sweep(struct scene *s, const struct entry *entry,
	   const struct injector *injector);

#endif
