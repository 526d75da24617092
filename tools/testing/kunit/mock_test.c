// SPDX-License-Identifier: GPL-2.0-only
/* Mapping and unmapping by the API for kernel modules, seen in mock page tables. */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <uapi/linux/iommufd.h>

#include "compat.h"
#include "mock.h"
#include "wddmcompat_private.h"

static struct wddmcompat_context *ctx;
static struct wddmcompat_adapter *adapter;
static struct mock_device mock;

static int mock_init(struct kunit *test)
{
	mock.id = 0;
	ctx = wddmcompat_context_create(NULL);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	adapter = wddmcompat_adapter_create(ctx, 0);
	if (IS_ERR(adapter))
		return PTR_ERR(adapter);
	return mock_attach(&mock, adapter);
}

/* Also called when mock_init() has failed */
static void mock_exit(struct kunit *test)
{
	if (IS_ERR(ctx))
		return;
	if (mock.id)
		KUNIT_EXPECT_EQ(test, mock_detach(&mock), 0);
	wddmcompat_context_destroy(ctx);
}

static struct wddmcompat_mdl *new_mdl(struct kunit *test,
				      unsigned long num_pages)
{
	struct wddmcompat_mdl *mdl;

	mdl = wddmcompat_mdl_alloc(ctx, num_pages << PAGE_SHIFT);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	return mdl;
}

static bool reaches(struct mock_device *device, u64 iova,
		    struct wddmcompat_mdl *mdl, unsigned long page)
{
	return mock_reaches(device, iova, wddmcompat_mdl_page(mdl, page));
}

static void expect_mapped(struct kunit *test, struct wddmcompat_mdl *mdl,
			  const struct wddmcompat_map_args *args,
			  unsigned long num_pages)
{
	unsigned long i;

	for (i = 0; i < num_pages; i++)
		KUNIT_EXPECT_TRUE(test,
				  reaches(&mock, args->iova + i * PAGE_SIZE,
					  mdl, args->first_page + i));
}

static void expect_unmapped(struct kunit *test, struct wddmcompat_mdl *mdl,
			    const struct wddmcompat_map_args *args,
			    unsigned long num_pages)
{
	unsigned long i;

	for (i = 0; i < num_pages; i++)
		KUNIT_EXPECT_FALSE(test,
				   reaches(&mock, args->iova + i * PAGE_SIZE,
					   mdl, args->first_page + i));
}

static int map(struct wddmcompat_mdl *mdl, struct wddmcompat_map_args *args)
{
	return wddmcompat_map_mdl_to_iommu(adapter, mdl, args);
}

static void test_map_unmap(struct kunit *test)
{
	struct wddmcompat_map_args args = { .flags = WDDMCOMPAT_MAP_WRITEABLE };
	struct wddmcompat_mdl *mdl = new_mdl(test, 3);
	int round;

	for (round = 0; round < 2; round++) {
		KUNIT_ASSERT_EQ(test, map(mdl, &args), 0);
		expect_mapped(test, mdl, &args, 3);
		KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), -EBUSY);
		KUNIT_EXPECT_EQ(test, wddmcompat_adapter_destroy(adapter),
				-EBUSY);
		wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
		expect_unmapped(test, mdl, &args, 3);
	}
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
}

/* Three descriptors with odd offsets, an area each, become one range */
static void test_chain(struct kunit *test)
{
	struct wddmcompat_map_args args = {};
	struct wddmcompat_mdl *owner = new_mdl(test, 6), *mdl;
	struct page *pages[6];
	struct wddmcompat_page_desc descs[] = {
		{ .pages = pages, .byte_offset = 4001, .byte_count = 4097 },
		{ .pages = pages + 3, .byte_offset = 1, .byte_count = 7,
		  .writeable = true },
		{ .pages = pages + 4, .byte_offset = 99, .byte_count = 4096 },
	};
	int i;

	/* In an order of our own, so that nothing fits by chance */
	for (i = 0; i < 6; i++)
		pages[i] = wddmcompat_mdl_page(owner, 5 - i);
	descs[0].byte_offset = PAGE_SIZE - 1;
	descs[0].byte_count = PAGE_SIZE + 2;
	descs[2].byte_count = PAGE_SIZE;
	mdl = wddmcompat_mdl_create(ctx, descs, 3);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_num_pages(mdl), 6);
	KUNIT_ASSERT_EQ(test, map(mdl, &args), 0);
	for (i = 0; i < 6; i++)
		KUNIT_EXPECT_TRUE(test,
				  mock_reaches(&mock, args.iova + i * PAGE_SIZE,
					       pages[i]));
	KUNIT_EXPECT_EQ(test,
			wddmcompat_mdl_logical_address(adapter, args.memory, 0),
			args.iova + PAGE_SIZE - 1);
	KUNIT_EXPECT_EQ(test,
			wddmcompat_mdl_logical_address(adapter, args.memory, 1),
			args.iova + 3 * PAGE_SIZE + 1);
	KUNIT_EXPECT_EQ(test,
			wddmcompat_mdl_logical_address(adapter, args.memory, 2),
			args.iova + 4 * PAGE_SIZE + 99);
	KUNIT_EXPECT_EQ(test,
			wddmcompat_mdl_logical_address(adapter, args.memory, 3),
			WDDMCOMPAT_LOGICAL_NONE);

	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	expect_unmapped(test, mdl, &args, 6);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(owner), 0);
}

/* In a window all pages follow each other: what has the same right shares an area */
static void test_shared_areas(struct kunit *test)
{
	struct wddmcompat_map_args args = {};
	struct wddmcompat_mdl *owner = new_mdl(test, 6), *mdl;
	struct page *pages[6];
	struct wddmcompat_page_desc descs[] = {
		{ .pages = pages, .byte_offset = 9, .byte_count = PAGE_SIZE },
		{ .pages = pages + 2, .byte_offset = 1, .byte_count = 7 },
		{ .pages = pages + 3, .byte_count = PAGE_SIZE,
		  .writeable = true },
		{ .pages = pages + 4, .byte_offset = 5,
		  .byte_count = PAGE_SIZE, .writeable = true },
	};
	static const unsigned long offsets[] = { 0, 2, 3, 4 };
	int i;

	for (i = 0; i < 6; i++)
		pages[i] = wddmcompat_mdl_page(owner, 5 - i);
	mdl = wddmcompat_mdl_create(ctx, descs, 4);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	KUNIT_EXPECT_EQ(test, mdl->num_descs, 4);
	KUNIT_EXPECT_EQ(test, mdl->num_segs, 2);
	KUNIT_ASSERT_EQ(test, map(mdl, &args), 0);
	for (i = 0; i < 6; i++) {
		KUNIT_EXPECT_PTR_EQ(test, wddmcompat_mdl_page(mdl, i),
				    pages[i]);
		KUNIT_EXPECT_TRUE(test,
				  mock_reaches(&mock, args.iova + i * PAGE_SIZE,
					       pages[i]));
	}
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test,
				wddmcompat_mdl_logical_address(adapter,
							       args.memory, i),
				args.iova + offsets[i] * PAGE_SIZE +
					descs[i].byte_offset);
	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	expect_unmapped(test, mdl, &args, 6);

	/* Only the second area may be written */
	args.flags = WDDMCOMPAT_MAP_WRITEABLE;
	KUNIT_EXPECT_EQ(test, map(mdl, &args), -EPERM);
	args.first_page = 3;
	KUNIT_ASSERT_EQ(test, map(mdl, &args), 0);
	expect_mapped(test, mdl, &args, 3);
	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(owner), 0);
}

/* As many descriptors as a chain may have, in one range and out again */
static void test_longest_chain(struct kunit *test)
{
	struct wddmcompat_map_args args = {};
	struct wddmcompat_mdl *owner, *mdl;
	struct wddmcompat_page_desc *descs;
	struct page **pages;
	int i;

	owner = new_mdl(test, WDDMCOMPAT_MDL_CHAIN_MAX);
	descs = kunit_kcalloc(test, WDDMCOMPAT_MDL_CHAIN_MAX, sizeof(*descs),
			      GFP_KERNEL);
	pages = kunit_kcalloc(test, WDDMCOMPAT_MDL_CHAIN_MAX, sizeof(*pages),
			      GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, descs);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < WDDMCOMPAT_MDL_CHAIN_MAX; i++) {
		pages[i] = wddmcompat_mdl_page(owner, i);
		descs[i].pages = &pages[i];
		descs[i].byte_count = 1;
		/* Or else all would share an area */
		descs[i].writeable = i % 2;
	}
	mdl = wddmcompat_mdl_create(ctx, descs, WDDMCOMPAT_MDL_CHAIN_MAX);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	KUNIT_EXPECT_EQ(test, mdl->num_segs, WDDMCOMPAT_MDL_CHAIN_MAX);
	KUNIT_ASSERT_EQ(test, map(mdl, &args), 0);
	/* To look takes its time: at some, and the last, will do */
	for (i = 0; i < WDDMCOMPAT_MDL_CHAIN_MAX; i += 93)
		KUNIT_EXPECT_TRUE(test, reaches(&mock, args.iova + i * PAGE_SIZE,
						mdl, i));
	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	for (i = 0; i < WDDMCOMPAT_MDL_CHAIN_MAX; i += 93)
		KUNIT_EXPECT_FALSE(test,
				   reaches(&mock, args.iova + i * PAGE_SIZE,
					   mdl, i));
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(owner), 0);
}

static void test_page_range(struct kunit *test)
{
	struct wddmcompat_map_args args = { .first_page = 2, .num_pages = 2 };
	struct wddmcompat_mdl *mdl = new_mdl(test, 6);

	KUNIT_ASSERT_EQ(test, map(mdl, &args), 0);
	expect_mapped(test, mdl, &args, 2);
	KUNIT_EXPECT_FALSE(test,
			   reaches(&mock, args.iova + 2 * PAGE_SIZE, mdl, 4));
	KUNIT_EXPECT_EQ(test,
			wddmcompat_mdl_logical_address(adapter, args.memory, 0),
			WDDMCOMPAT_LOGICAL_NONE);
	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	expect_unmapped(test, mdl, &args, 2);

	args.first_page = 6;
	KUNIT_EXPECT_EQ(test, map(mdl, &args), -EINVAL);
	args.first_page = 5;
	KUNIT_EXPECT_EQ(test, map(mdl, &args), -EINVAL);
	args.num_pages = U64_MAX;
	KUNIT_EXPECT_EQ(test, map(mdl, &args), -EINVAL);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
}

/* The mock domain's addresses begin at 16 MiB */
#define FIXED_IOVA SZ_32M

static void test_fixed_iova(struct kunit *test)
{
	struct wddmcompat_map_args args = {
		.flags = WDDMCOMPAT_MAP_FIXED_IOVA,
		.iova = FIXED_IOVA,
	};
	struct wddmcompat_map_args twice = args;
	struct wddmcompat_map_args odd = args;
	struct wddmcompat_mdl *mdl = new_mdl(test, 2);

	KUNIT_ASSERT_EQ(test, map(mdl, &args), 0);
	KUNIT_EXPECT_EQ(test, args.iova, FIXED_IOVA);
	expect_mapped(test, mdl, &args, 2);
	KUNIT_EXPECT_EQ(test, map(mdl, &twice), -EEXIST);
	odd.iova++;
	KUNIT_EXPECT_EQ(test, map(mdl, &odd), -EINVAL);
	odd.iova = -PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, map(mdl, &odd), -EINVAL);
	odd.flags = BIT(31);
	KUNIT_EXPECT_EQ(test, map(mdl, &odd), -EOPNOTSUPP);
	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	expect_unmapped(test, mdl, &args, 2);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
}

static void test_read_only(struct kunit *test)
{
	struct wddmcompat_map_args args = { .flags = WDDMCOMPAT_MAP_WRITEABLE };
	struct wddmcompat_mdl *owner = new_mdl(test, 1), *mdl;
	struct page *page = wddmcompat_mdl_page(owner, 0);
	struct wddmcompat_page_desc desc = { .pages = &page, .byte_count = 1 };

	mdl = wddmcompat_mdl_create(ctx, &desc, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	KUNIT_EXPECT_EQ(test, map(mdl, &args), -EPERM);
	args.flags = 0;
	KUNIT_EXPECT_EQ(test, map(mdl, &args), 0);
	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(owner), 0);
}

/* One MDL in two adapters: each has its own handle, and its own end */
static void test_two_adapters(struct kunit *test)
{
	struct wddmcompat_map_args args = {}, other_args = {};
	struct wddmcompat_mdl *mdl = new_mdl(test, 1);
	struct wddmcompat_adapter *other;
	struct mock_device other_mock;
	int rc;

	other = wddmcompat_adapter_create(ctx, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	KUNIT_ASSERT_EQ(test, mock_attach(&other_mock, other), 0);
	KUNIT_ASSERT_EQ(test, map(mdl, &args), 0);
	rc = wddmcompat_map_mdl_to_iommu(other, mdl, &other_args);
	KUNIT_ASSERT_EQ(test, rc, 0);

	/* The handle of one is none of the other */
	wddmcompat_unmap_mdl_from_iommu(other, args.memory);
	KUNIT_EXPECT_TRUE(test, reaches(&mock, args.iova, mdl, 0));
	KUNIT_EXPECT_TRUE(test, reaches(&other_mock, other_args.iova, mdl, 0));

	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	KUNIT_EXPECT_FALSE(test, reaches(&mock, args.iova, mdl, 0));
	KUNIT_EXPECT_TRUE(test, reaches(&other_mock, other_args.iova, mdl, 0));
	wddmcompat_unmap_mdl_from_iommu(other, other_args.memory);
	KUNIT_EXPECT_FALSE(test, reaches(&other_mock, other_args.iova, mdl, 0));

	KUNIT_EXPECT_EQ(test, mock_detach(&other_mock), 0);
	KUNIT_EXPECT_EQ(test, wddmcompat_adapter_destroy(other), 0);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
}

/* A handle that has ended must not end the mapping that came after it */
static void test_stale_handle(struct kunit *test)
{
	struct wddmcompat_map_args first = {}, second = {};
	struct wddmcompat_mdl *mdl = new_mdl(test, 1);

	KUNIT_ASSERT_EQ(test, map(mdl, &first), 0);
	wddmcompat_unmap_mdl_from_iommu(adapter, first.memory);
	KUNIT_ASSERT_EQ(test, map(mdl, &second), 0);
	wddmcompat_unmap_mdl_from_iommu(adapter, first.memory);
	wddmcompat_unmap_mdl_from_iommu(adapter, 0);
	wddmcompat_unmap_mdl_from_iommu(adapter, U64_MAX);
	wddmcompat_unmap_mdl_from_iommu(adapter, adapter->obj.handle);
	KUNIT_EXPECT_TRUE(test, reaches(&mock, second.iova, mdl, 0));
	wddmcompat_unmap_mdl_from_iommu(adapter, second.memory);
	KUNIT_EXPECT_FALSE(test, reaches(&mock, second.iova, mdl, 0));
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
}

static void test_foreign_context(struct kunit *test)
{
	struct wddmcompat_map_args args = {};
	struct wddmcompat_context *foreign = wddmcompat_context_create(NULL);
	struct wddmcompat_mdl *mdl;

	KUNIT_ASSERT_FALSE(test, IS_ERR(foreign));
	mdl = wddmcompat_mdl_alloc(foreign, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	KUNIT_EXPECT_EQ(test, map(mdl, &args), -EINVAL);
	wddmcompat_context_destroy(foreign);
}

/* Whoever holds the iommufd unmaps our range, and maps something else there */
static void test_revoked(struct kunit *test)
{
	struct wddmcompat_map_args args = {}, other_args = {};
	struct wddmcompat_mdl *mdl = new_mdl(test, 2),
			      *other = new_mdl(test, 2);
	unsigned long iova;

	KUNIT_ASSERT_EQ(test, map(mdl, &args), 0);
	KUNIT_ASSERT_EQ(test,
			wddm_ioas_unmap(&adapter->ioas, WDDM_VIA_CARRIER,
					args.iova, 2 * PAGE_SIZE),
			0);
	expect_unmapped(test, mdl, &args, 2);
	iova = args.iova;
	KUNIT_ASSERT_EQ(test,
			wddm_ioas_copy(&adapter->ioas, other->range.ioas,
				       other->range.node.start, 2 * PAGE_SIZE,
				       IOMMU_IOAS_MAP_READABLE |
					       IOMMU_IOAS_MAP_FIXED_IOVA,
				       &iova),
			0);
	other_args.iova = iova;
	expect_mapped(test, other, &other_args, 2);

	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	expect_mapped(test, other, &other_args, 2);
	KUNIT_EXPECT_EQ(test,
			wddm_ioas_unmap(&adapter->ioas, WDDM_VIA_CARRIER, iova,
					2 * PAGE_SIZE),
			0);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(other), 0);
}

#ifdef IOMMU_HW_QUEUE_ALLOC
/* What a hardware queue needs stays, and can be unmapped when the queue has gone */
static void test_hardware_queue(struct kunit *test)
{
	struct wddmcompat_map_args args = { .flags = WDDMCOMPAT_MAP_WRITEABLE };
	struct wddmcompat_mdl *mdl = new_mdl(test, 1);
	struct mock_queue queue;

	KUNIT_ASSERT_EQ(test, map(mdl, &args), 0);
	KUNIT_ASSERT_EQ(test, mock_queue_create(&mock, args.iova, &queue), 0);
	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	KUNIT_EXPECT_TRUE(test, reaches(&mock, args.iova, mdl, 0));
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), -EBUSY);

	KUNIT_ASSERT_EQ(test, mock_queue_destroy(&mock, &queue), 0);
	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	KUNIT_EXPECT_FALSE(test, reaches(&mock, args.iova, mdl, 0));
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
}
#endif

/* An area that is not made of the MDL's page is none of ours */
static void test_swapped_page(struct kunit *test)
{
	struct wddmcompat_map_args args = {};
	struct wddmcompat_mdl *mdl = new_mdl(test, 1),
			      *other = new_mdl(test, 1);
	unsigned long *pfn = &mdl->segs[0].runs->runs[0].pfn, own = *pfn;

	/* For the check it is as if iommufd had mapped the wrong page */
	*pfn = page_to_pfn(wddmcompat_mdl_page(other, 0));
	KUNIT_EXPECT_EQ(test, map(mdl, &args), -ESTALE);
	*pfn = own;
	/* What is not ours stays; here it is, so somebody has to unmap it */
	KUNIT_EXPECT_EQ(test,
			wddm_ioas_unmap(&adapter->ioas, WDDM_VIA_CARRIER, 0,
					U64_MAX),
			0);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(other), 0);
}

/* A context takes all that is left in it along */
static void test_context_takes_all(struct kunit *test)
{
	struct wddmcompat_context *own = wddmcompat_context_create(NULL);
	struct page *page = alloc_page(GFP_KERNEL);
	struct wddmcompat_page_desc desc = {
		.pages = &page,
		.byte_count = PAGE_SIZE,
	};
	struct wddmcompat_map_args args = {};
	struct wddmcompat_adapter *own_adapter;
	struct wddmcompat_mdl *mdl;
	int rc;

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_FALSE(test, IS_ERR(own));
	own_adapter = wddmcompat_adapter_create(own, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(own_adapter));
	mdl = wddmcompat_mdl_create(own, &desc, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	rc = wddmcompat_map_mdl_to_iommu(own_adapter, mdl, &args);
	KUNIT_ASSERT_EQ(test, rc, 0);
	KUNIT_EXPECT_GT(test, page_count(page), 1);
	wddmcompat_context_destroy(own);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	__free_page(page);
}

/* A round of the API, whoever calls it */
static int map_round(void)
{
	struct wddmcompat_map_args args = {};
	struct wddmcompat_mdl *mdl;
	int rc;

	mdl = wddmcompat_mdl_alloc(ctx, PAGE_SIZE);
	if (IS_ERR(mdl))
		return PTR_ERR(mdl);
	rc = map(mdl, &args);
	if (!rc) {
		if (!reaches(&mock, args.iova, mdl, 0))
			rc = -EFAULT;
		wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
		if (reaches(&mock, args.iova, mdl, 0))
			rc = -EFAULT;
	}
	return rc ?: wddmcompat_mdl_free(mdl);
}

/* A caller with an address space of its own, which must not matter */
static void test_from_a_process(struct kunit *test)
{
	unsigned long uaddr;

	uaddr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ,
			      MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	KUNIT_ASSERT_NOT_NULL(test, current->mm);
	KUNIT_EXPECT_EQ(test, map_round(), 0);
}

struct rounds {
	struct completion done;
	int rc;
};

static int rounds_fn(void *data)
{
	struct rounds *rounds = data;
	int i;

	for (i = 0; i < 20 && !rounds->rc; i++)
		rounds->rc = map_round();
	complete(&rounds->done);
	return 0;
}

/* Several callers at once in one context */
static void test_from_kthreads(struct kunit *test)
{
	struct rounds rounds[4] = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(rounds); i++) {
		init_completion(&rounds[i].done);
		KUNIT_ASSERT_FALSE(test,
				   IS_ERR(kthread_run(rounds_fn, &rounds[i],
						      "wddm-test")));
	}
	for (i = 0; i < ARRAY_SIZE(rounds); i++) {
		wait_for_completion(&rounds[i].done);
		KUNIT_EXPECT_EQ(test, rounds[i].rc, 0);
	}
}

static struct kunit_case mock_cases[] = {
	KUNIT_CASE(test_map_unmap),
	KUNIT_CASE(test_chain),
	KUNIT_CASE(test_shared_areas),
	KUNIT_CASE(test_longest_chain),
	KUNIT_CASE(test_page_range),
	KUNIT_CASE(test_fixed_iova),
	KUNIT_CASE(test_read_only),
	KUNIT_CASE(test_two_adapters),
	KUNIT_CASE(test_stale_handle),
	KUNIT_CASE(test_foreign_context),
	KUNIT_CASE(test_revoked),
#ifdef IOMMU_HW_QUEUE_ALLOC
	KUNIT_CASE(test_hardware_queue),
#endif
	KUNIT_CASE(test_swapped_page),
	KUNIT_CASE(test_context_takes_all),
	KUNIT_CASE(test_from_a_process),
	KUNIT_CASE(test_from_kthreads),
	{}
};

static struct kunit_suite mock_suite = {
	.name = "wddmcompat-mock",
	.init = mock_init,
	.exit = mock_exit,
	.test_cases = mock_cases,
};

kunit_test_suite(mock_suite);

MODULE_DESCRIPTION("KUnit tests of wddmcompat with iommufd's mock domains");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(WDDM_NS(EXPORTED_FOR_KUNIT_TESTING));
MODULE_IMPORT_NS(WDDM_NS(WDDMCOMPAT));
