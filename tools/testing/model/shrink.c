// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a sequence of operations that ends badly short: leaves out half of it, then
 * quarters, in the end single operations, as long as it still ends badly. Each try
 * is a process of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "model.h"

/* What has not become short by then stays as it is */
#define SHRINK_MS 240000

/* @run without the operations [first, first + num) */
static struct run *run_without(const struct run *run, unsigned long first,
			       unsigned long num)
{
	struct run *less = run_alloc(run->num - num);

	memcpy(less->ops, run->ops, first * sizeof(*run->ops));
	memcpy(less->ops + first, run->ops + first + num,
	       (run->num - first - num) * sizeof(*run->ops));
	return less;
}

/* Returns the shorter one if it still ends badly */
static struct run *try_without(struct run *run, unsigned long first,
			       unsigned long num)
{
	struct run *less = run_without(run, first, num);

	if (run_execute(less, NULL)) {
		run_free(less);
		return NULL;
	}
	/* What came behind is of no interest */
	if (less->at < less->num)
		less->num = less->at + 1;
	return less;
}

struct run *shrink(struct run *run)
{
	const long deadline = now_ms() + SHRINK_MS;
	unsigned long size, first;
	struct run *less;

	for (size = run->num / 2; size; size /= 2) {
		for (first = 0; first + size <= run->num;) {
			if (now_ms() > deadline)
				return run;
			less = try_without(run, first, size);
			if (!less) {
				first += size;
				continue;
			}
			run_free(run);
			run = less;
		}
	}
	return run;
}
