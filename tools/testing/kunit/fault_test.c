// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions for kernel modules with each point on their way failing: they say so
 * or do without, leave nothing behind, and work when they are called again. Those that
 * give back cannot fail, whatever fails on their way. Real iommufd, real devices.
 *
 * Not here are the functions that only look: nothing can fail on their way.
 */
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/mm.h>

#include "dxgk_fixture.h"
#include "fault.h"
#include "wddmcompat_private.h"

#define CHAIN 3
#define CHAIN_PAGES (2 * CHAIN)
#define MANY (BITS_PER_LONG + 1)

/* Where mappings at a chosen address are */
#define FIXED_IOVA 0x40000000

/* What the entries work with: there before the calls, or made by them */
static struct wddmcompat_context *ctx, *second;
static struct wddmcompat_adapter *adapter;
static struct wddmcompat_mdl *mdl;
static struct wddmcompat_map_args args;
static struct page *pages[CHAIN_PAGES];
static struct wddmcompat_page_desc descs[MANY];
static struct device *dev;

/**
 * struct entry - Calls, and those that undo them
 * @name: For the reader
 * @call: 0 or an errno
 * @undo: Its inverse
 * @prepare: Make what they need, or NULL
 * @finish: Undo @prepare, or NULL
 * @detaches: @undo detaches a device: the kernel's own way to do that warns when it
 *            is short of memory
 * @step: Every one of the points if 0; else every @step-th: that comes to be each of
 *        what is done to many descriptors, once
 */
struct entry {
	const char *name;
	int (*call)(void);
	int (*undo)(void);
	int (*prepare)(void);
	int (*finish)(void);
	bool detaches;
	unsigned int step;
};

/* Contexts */

static int create_private(void)
{
	second = wddmcompat_context_create(NULL);
	return PTR_ERR_OR_ZERO(second);
}

static int create_shared(void)
{
	second = wddmcompat_context_create(ctx->iommufd.file);
	return PTR_ERR_OR_ZERO(second);
}

static int destroy_second(void)
{
	wddmcompat_context_destroy(second);
	return 0;
}

/* With objects of each type, all in the IOAS of another context's adapter */
static int fill_second(void)
{
	struct wddmcompat_map_args map = { .num_pages = CHAIN_PAGES };
	struct wddmcompat_adapter *other;
	struct wddmcompat_mdl *locked;

	other = wddmcompat_adapter_create(second, adapter->ioas.id);
	if (IS_ERR(other))
		return PTR_ERR(other);
	locked = wddmcompat_mdl_create(second, descs, CHAIN);
	if (IS_ERR(locked))
		return PTR_ERR(locked);
	return wddmcompat_map_mdl_to_iommu(other, locked, &map);
}

/* What has been made when one of it fails goes with the context */
static int create_filled(void)
{
	int rc;

	rc = create_shared();
	if (rc)
		return rc;
	rc = fill_second();
	if (rc)
		destroy_second();
	return rc;
}

/* Adapters */

static struct wddmcompat_adapter *made;

static int adapter_of_own(void)
{
	made = wddmcompat_adapter_create(ctx, 0);
	return PTR_ERR_OR_ZERO(made);
}

static int adapter_of_given(void)
{
	made = wddmcompat_adapter_create(ctx, adapter->ioas.id);
	return PTR_ERR_OR_ZERO(made);
}

static int destroy_made(void)
{
	return wddmcompat_adapter_destroy(made);
}

static int attach(void)
{
	return wddmcompat_adapter_attach_device(adapter, dev);
}

static int detach(void)
{
	wddmcompat_adapter_detach_device(adapter, dev);
	return 0;
}

/* MDLs */

static int mdl_of_chain(void)
{
	mdl = wddmcompat_mdl_create(ctx, descs, CHAIN);
	return PTR_ERR_OR_ZERO(mdl);
}

static int mdl_of_many(void)
{
	mdl = wddmcompat_mdl_create(ctx, descs, MANY);
	return PTR_ERR_OR_ZERO(mdl);
}

static int mdl_of_own(void)
{
	mdl = wddmcompat_mdl_alloc(ctx, 5 * PAGE_SIZE);
	return PTR_ERR_OR_ZERO(mdl);
}

static int free_mdl(void)
{
	return wddmcompat_mdl_free(mdl);
}

/* Mappings */

static int do_map(u64 first_page, u32 flags)
{
	args = (struct wddmcompat_map_args){
		.first_page = first_page,
		.flags = flags,
		.iova = FIXED_IOVA,
	};
	return wddmcompat_map_mdl_to_iommu(adapter, mdl, &args);
}

static int map(void)
{
	return do_map(0, 0);
}

static int map_part(void)
{
	return do_map(1, 0);
}

static int map_fixed(void)
{
	return do_map(0, WDDMCOMPAT_MAP_FIXED_IOVA);
}

static int unmap(void)
{
	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	return 0;
}

/* An IOAS that no device has yet is another, to iommufd */
static int prepare_attached(void)
{
	return attach() ?: mdl_of_chain();
}

static int finish_attached(void)
{
	int rc = free_mdl();

	detach();
	return rc;
}

/* What is mapped already has to be mapped to the device */
static int prepare_mapped(void)
{
	return mdl_of_chain() ?: map_fixed();
}

static int finish_mapped(void)
{
	unmap();
	return free_mdl();
}

static const struct entry entries[] = {
	{ "context_create, private", create_private, destroy_second },
	{ "context_create, shared", create_shared, destroy_second },
	{ "context_destroy, with objects", create_filled, destroy_second },
	{ "adapter_create, own IOAS", adapter_of_own, destroy_made },
	{ "adapter_create, given IOAS", adapter_of_given, destroy_made },
	{ "attach_device", attach, detach, .detaches = true },
	{ "attach_device, with a mapping", attach, detach, prepare_mapped,
	  finish_mapped, .detaches = true },
	{ "mdl_create", mdl_of_chain, free_mdl },
	{ "mdl_create, long chain", mdl_of_many, free_mdl, .step = 17 },
	{ "mdl_alloc", mdl_of_own, free_mdl },
	{ "map, no device", map, unmap, mdl_of_chain, free_mdl },
	{ "map, fixed, no device", map_fixed, unmap, mdl_of_chain, free_mdl },
	{ "map", map, unmap, prepare_attached, finish_attached },
	{ "map, fixed", map_fixed, unmap, prepare_attached, finish_attached },
	{ "map, part", map_part, unmap, prepare_attached, finish_attached },
	{ "map, long chain", map, unmap, mdl_of_many, free_mdl, .step = 17 },
};

KUNIT_ARRAY_PARAM_DESC(entry, entries, name);

/**
 * struct books - What there is
 * @pins: Pinned pages
 * @handles: Objects of the context
 * @next_id: ID that the next object of its iommufd gets
 * @adapter_uses: Mappings of the adapter
 * @page_refs: References to the pages
 */
struct books {
	long pins;
	unsigned long handles;
	u32 next_id;
	int adapter_uses;
	int page_refs;
};

static unsigned long count_handles(void)
{
	unsigned long count = 0;
	u32 index;

	for (index = 0; index < ctx->handles.num_slots; index++)
		count += !!wddm_handle_at(&ctx->handles, index);
	return count;
}

static struct books take_books(struct kunit *test)
{
	struct books books = {
		.pins = fake_pins(),
		.handles = count_handles(),
		.adapter_uses = atomic_read(&adapter->obj.uses),
	};
	int i;

	KUNIT_ASSERT_EQ(test, wddm_ioas_alloc(&ctx->iommufd, &books.next_id),
			0);
	wddm_ioas_free(&ctx->iommufd, books.next_id);
	for (i = 0; i < CHAIN_PAGES; i++)
		books.page_refs += page_count(pages[i]);
	return books;
}

static void expect_books(struct kunit *test, const struct books *before,
			 unsigned int nth)
{
	struct books now = take_books(test);

	KUNIT_EXPECT_EQ_MSG(test, now.pins, before->pins, "point %u", nth);
	KUNIT_EXPECT_EQ_MSG(test, now.handles, before->handles, "point %u",
			    nth);
	KUNIT_EXPECT_EQ_MSG(test, now.next_id, before->next_id, "point %u",
			    nth);
	KUNIT_EXPECT_EQ_MSG(test, now.adapter_uses, before->adapter_uses,
			    "point %u", nth);
	KUNIT_EXPECT_EQ_MSG(test, now.page_refs, before->page_refs, "point %u",
			    nth);
}

static void expect_empty(struct kunit *test, struct wddm_ioas *ioas)
{
	int rc;

	rc = wddm_ioas_unmap(ioas, WDDM_VIA_CARRIER, 0, ULONG_MAX - PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, rc, -ENOENT);
}

/* What it is to be about */
static enum fault_kind kind;
static enum fault_where where;

/**
 * struct fault_count - What came of it
 * @points: Where something failed
 * @refused: Where that made the call fail
 * @undo_points: Where something failed on the way back
 */
struct fault_count {
	unsigned int points;
	unsigned int refused;
	unsigned int undo_points;
};

/* Copies and iommufd's own have errors of all sorts */
static void expect_errno(struct kunit *test, int rc, unsigned int nth)
{
	if (kind == FAULT_SLAB || kind == FAULT_PAGES)
		KUNIT_EXPECT_EQ_MSG(test, rc, -ENOMEM, "point %u", nth);
}

/* The @nth on the way of a call. Returns whether there was one. */
static bool fail_call(struct kunit *test, const struct entry *entry,
		      unsigned int nth, struct fault_count *count)
{
	struct books before = take_books(test);
	bool reached;
	int rc;

	fault_begin(kind, where, nth);
	rc = entry->call();
	reached = fault_end();
	count->points += reached;
	if (rc) {
		KUNIT_EXPECT_TRUE(test, reached);
		expect_errno(test, rc, nth);
		count->refused++;
		expect_books(test, &before, nth);
		KUNIT_ASSERT_EQ_MSG(test, entry->call(), 0, "point %u", nth);
	}
	KUNIT_EXPECT_EQ_MSG(test, entry->undo(), 0, "point %u", nth);
	expect_books(test, &before, nth);
	return reached;
}

/* The @nth on the way back, which nothing stops. Returns whether there was one. */
static bool fail_undo(struct kunit *test, const struct entry *entry,
		      unsigned int nth, struct fault_count *count)
{
	struct books before = take_books(test);
	bool reached;
	int rc;

	KUNIT_ASSERT_EQ(test, entry->call(), 0);
	fault_begin(kind, where, nth);
	rc = entry->undo();
	reached = fault_end();
	count->undo_points += reached;
	KUNIT_EXPECT_EQ_MSG(test, rc, 0, "point %u", nth);
	expect_books(test, &before, nth);
	return reached;
}

/* All on a way, until it was free several times: its length is not always the same */
static void sweep(struct kunit *test, const struct entry *entry,
		  struct fault_count *count,
		  bool (*fail)(struct kunit *test, const struct entry *entry,
			       unsigned int nth, struct fault_count *count))
{
	unsigned int nth, free = 0;

	for (nth = 1; free < 3; nth += entry->step ?: 1)
		free = fail(test, entry, nth, count) ? 0 : free + 1;
}

static void run_kind(struct kunit *test, const struct entry *entry)
{
	struct fault_count count = {};

	sweep(test, entry, &count, fail_call);
	if (!entry->detaches)
		sweep(test, entry, &count, fail_undo);
	kunit_info(test,
		   "# points %s, %s%s: %u, of which %u fail it; %u on the way back\n",
		   entry->name, fault_kind_name(kind),
		   where == FAULT_CARRIER ? " of the carrier" : "",
		   count.points, count.refused, count.undo_points);
	/* Each allocates something */
	if (kind == FAULT_SLAB && where == FAULT_THREAD)
		KUNIT_EXPECT_GT(test, count.refused, 0);
}

static void run_entry(struct kunit *test, const struct entry *entry)
{
	if (entry->prepare)
		KUNIT_ASSERT_EQ(test, entry->prepare(), 0);
	for (kind = 0; kind < FAULT_KINDS; kind++)
		run_kind(test, entry);
	if (entry->finish)
		KUNIT_EXPECT_EQ(test, entry->finish(), 0);
	expect_empty(test, &ctx->mdls);
	expect_empty(test, &adapter->ioas);
}

/* A thread without an address space does all by itself */
static void test_kthread(struct kunit *test)
{
	where = FAULT_THREAD;
	run_entry(test, test->param_value);
}

/* One that has an address space has the carrier do it in another thread */
static void test_carrier(struct kunit *test)
{
	struct mm_struct *mm = fake_mm_new(test);

	KUNIT_ASSERT_EQ(test, fault_find_carrier(), 0);
	where = FAULT_CARRIER;
	run_entry(test, test->param_value);
	fake_mm_free(mm);
}

static void free_pages_from(int i)
{
	for (; i < CHAIN_PAGES; i++)
		__free_page(pages[i]);
}

static int fault_test_init(struct kunit *test)
{
	int i;

	fake_init_stopped(test);
	dev = fake_device(0);
	for (i = CHAIN_PAGES - 1; i >= 0; i--) {
		pages[i] = alloc_page(GFP_KERNEL);
		if (!pages[i])
			goto err_pages;
	}
	/* Each an area of its own, as its neighbours are not what it is */
	for (i = 0; i < MANY; i++)
		descs[i] = (struct wddmcompat_page_desc){
			.pages = &pages[i % CHAIN * 2],
			.byte_count = 2 * PAGE_SIZE,
			.writeable = i % 2,
		};
	i = -1;
	ctx = wddmcompat_context_create(NULL);
	if (IS_ERR(ctx))
		goto err_pages;
	adapter = wddmcompat_adapter_create(ctx, 0);
	if (!IS_ERR(adapter))
		return 0;
	wddmcompat_context_destroy(ctx);

err_pages:
	free_pages_from(i + 1);
	ctx = NULL;
	return -ENOMEM;
}

/* Also called when fault_test_init() has failed */
static void fault_test_exit(struct kunit *test)
{
	if (!ctx)
		return;
	wddmcompat_context_destroy(ctx);
	free_pages_from(0);
	fake_exit(test);
}

static int fault_suite_init(struct kunit_suite *suite)
{
	return fault_init() ?: fake_suite_init(suite);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE_PARAM_ATTR(test_kthread, entry_gen_params, SLOW),
	KUNIT_CASE_PARAM_ATTR(test_carrier, entry_gen_params, SLOW),
	{}
};

static struct kunit_suite fault_suite = {
	.name = "wddmcompat-fault",
	.suite_init = fault_suite_init,
	.suite_exit = fake_suite_exit,
	.init = fault_test_init,
	.exit = fault_test_exit,
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
