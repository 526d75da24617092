// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fault-inject.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/sched.h>

#include "fault.h"
#include "wddmcompat_private.h"

static const char *const kind_names[] = {
	[FAULT_SLAB] = "failslab",
	[FAULT_PAGES] = "fail_page_alloc",
	[FAULT_COPY] = "fail_usercopy",
	[FAULT_IOMMUFD] = "fail_iommufd",
};

/* The kernel's own, which its files in debugfs show */
static struct fault_attr *attrs[FAULT_KINDS];

/* What is on the stack of all that the carrier does in another thread */
static unsigned long carrier_frame;

static enum fault_kind current_kind;

static void *debugfs_data(const char *dir_name, const char *name)
{
	struct dentry *file, *dir = debugfs_lookup(dir_name, NULL);
	void *data;

	if (!dir)
		return NULL;
	file = debugfs_lookup(name, dir);
	dput(dir);
	if (!file)
		return NULL;
	data = d_inode(file)->i_private;
	dput(file);
	return data;
}

static int fault_set(const char *kind, const char *name, bool value)
{
	bool *data = debugfs_data(kind, name);

	if (!data)
		return -ENODEV;
	*data = value;
	return 0;
}

/* From now on no allocation is spared, and no failure talked about */
int fault_init(void)
{
	unsigned long *probability;
	u32 *min_order;
	int i;

	for (i = 0; i < FAULT_KINDS; i++) {
		probability = debugfs_data(kind_names[i], "probability");
		if (!probability)
			return -ENODEV;
		attrs[i] = container_of(probability, struct fault_attr,
					probability);
		attrs[i]->verbose = 0;
	}
	min_order = debugfs_data("fail_page_alloc", "min-order");
	if (!min_order)
		return -ENODEV;
	*min_order = 0;
	return fault_set("failslab", "ignore-gfp-wait", false) ?:
	       fault_set("fail_page_alloc", "ignore-gfp-wait", false) ?:
	       fault_set("fail_page_alloc", "ignore-gfp-highmem", false);
}

const char *fault_kind_name(enum fault_kind kind)
{
	return kind_names[kind];
}

static int note_frame(void *data)
{
	carrier_frame = (unsigned long)__builtin_return_address(0);
	return 0;
}

/* Called with an address space, so that it is another thread that does it */
int fault_find_carrier(void)
{
	struct wddmcompat_context *ctx = wddmcompat_context_create(NULL);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	wddm_carrier_call(&ctx->iommufd, note_frame, NULL);
	wddmcompat_context_destroy(ctx);
	return 0;
}

/* Have an attribute heed only what has an address of [start, end) on its stack */
static void attr_require(struct fault_attr *attr, unsigned long start,
			 unsigned long end)
{
	attr->require_start = start;
	attr->require_end = end;
}

static void thread_begin(enum fault_kind kind, unsigned int nth)
{
	int i;

	for (i = 0; i < FAULT_KINDS; i++) {
		if (i != kind)
			attr_require(attrs[i], ULONG_MAX, 0);
	}
	WRITE_ONCE(current->fail_nth, nth);
}

static void carrier_begin(struct fault_attr *attr, unsigned int nth)
{
	attr_require(attr, carrier_frame, carrier_frame + 1);
	attr->count = 0;
	attr->interval = nth;
	atomic_set(&attr->times, 1);
	WRITE_ONCE(attr->probability, 100);
}

/* From now on, what is the @nth that can fail does */
void fault_begin(enum fault_kind kind, enum fault_where where, unsigned int nth)
{
	current_kind = kind;
	atomic_set(&attrs[kind]->times, 1);
	if (where == FAULT_THREAD)
		thread_begin(kind, nth);
	else
		carrier_begin(attrs[kind], nth);
}

/* Return: whether it came to that */
bool fault_end(void)
{
	int i;

	WRITE_ONCE(current->fail_nth, 0);
	WRITE_ONCE(attrs[current_kind]->probability, 0);
	for (i = 0; i < FAULT_KINDS; i++)
		attr_require(attrs[i], 0, ULONG_MAX);
	return !atomic_read(&attrs[current_kind]->times);
}
