// SPDX-License-Identifier: GPL-2.0-only
/* The API for kernel modules, as far as it needs no device: what is refused. */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "compat.h"
#include "wddmcompat_private.h"

static struct wddmcompat_context *ctx;

static int kernel_init(struct kunit *test)
{
	ctx = wddmcompat_context_create(NULL);
	return PTR_ERR_OR_ZERO(ctx);
}

static void kernel_exit(struct kunit *test)
{
	/* Also called when kernel_init() has failed */
	if (!IS_ERR(ctx))
		wddmcompat_context_destroy(ctx);
}

static struct page *new_page(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

	KUNIT_ASSERT_NOT_NULL(test, page);
	return page;
}

static struct wddmcompat_mdl *mdl_of_page(struct page *page)
{
	struct wddmcompat_page_desc desc = {
		.pages = &page,
		.byte_count = PAGE_SIZE,
		.writeable = true,
	};

	return wddmcompat_mdl_create(ctx, &desc, 1);
}

static const struct file_operations no_iommufd_fops;

static void test_not_an_iommufd(struct kunit *test)
{
	struct file *file;

	file = anon_inode_getfile("[no-iommufd]", &no_iommufd_fops, NULL, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_EXPECT_EQ(test, PTR_ERR(wddmcompat_context_create(file)),
			-EBADFD);
	fput(file);
}

/* Contexts that share an iommufd, whose first holder closes it first */
static void test_shared_iommufd(struct kunit *test)
{
	struct wddmcompat_context *first, *second;
	struct wddmcompat_adapter *adapter, *again;

	first = wddmcompat_context_create(ctx->iommufd.file);
	KUNIT_ASSERT_FALSE(test, IS_ERR(first));
	second = wddmcompat_context_create(ctx->iommufd.file);
	KUNIT_ASSERT_FALSE(test, IS_ERR(second));
	wddmcompat_context_destroy(ctx);
	ctx = first;

	adapter = wddmcompat_adapter_create(first, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(adapter));
	again = wddmcompat_adapter_create(second, adapter->ioas.id);
	KUNIT_EXPECT_FALSE(test, IS_ERR(again));
	wddmcompat_context_destroy(second);
}

static void test_no_such_ioas(struct kunit *test)
{
	struct wddmcompat_adapter *adapter;

	adapter = wddmcompat_adapter_create(ctx, 4711);
	KUNIT_EXPECT_EQ(test, PTR_ERR(adapter), -ENOENT);
	adapter = wddmcompat_adapter_create(ctx, ctx->mdls.id);
	KUNIT_EXPECT_EQ(test, PTR_ERR(adapter), -EINVAL);
}

/* The addresses of the MDL IOAS end some time. They do not begin anew */
static void test_mdl_ioas_ends(struct kunit *test)
{
	struct page *page = new_page(test);
	struct wddmcompat_mdl *mdl, *last;
	int i;

	/* Room for the page and for the gap behind it, but not for two */
	atomic64_set(&ctx->mdl_iova, -3 * (s64)PAGE_SIZE);
	last = mdl_of_page(page);
	KUNIT_ASSERT_FALSE(test, IS_ERR(last));
	for (i = 0; i < 3; i++) {
		mdl = mdl_of_page(page);
		KUNIT_EXPECT_EQ(test, PTR_ERR(mdl), -ENOSPC);
	}
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(last), 0);
	/* Not even where one has been */
	mdl = mdl_of_page(page);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mdl), -ENOSPC);
	put_page(page);
}

static void test_mdl_create_refuses(struct kunit *test)
{
	struct page *page = new_page(test);
	struct wddmcompat_page_desc desc = { .pages = &page, .byte_count = 1 };
	struct wddmcompat_mdl *mdl;

	mdl = wddmcompat_mdl_create(ctx, &desc, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mdl), -EINVAL);
	mdl = wddmcompat_mdl_create(ctx, &desc, WDDMCOMPAT_MDL_CHAIN_MAX + 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mdl), -EINVAL);
	desc.byte_count = 0;
	mdl = wddmcompat_mdl_create(ctx, &desc, 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mdl), -EINVAL);
	desc.byte_count = 1;
	desc.byte_offset = PAGE_SIZE;
	mdl = wddmcompat_mdl_create(ctx, &desc, 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mdl), -EINVAL);
	mdl = wddmcompat_mdl_alloc(ctx, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mdl), -EINVAL);
	mdl = wddmcompat_mdl_alloc(ctx, U32_MAX - PAGE_SIZE + 2);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mdl), -EINVAL);
	__free_page(page);
}

static void test_slab_page(struct kunit *test)
{
	void *slab = kunit_kzalloc(test, PAGE_SIZE / 4, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, slab);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mdl_of_page(virt_to_page(slab))),
			-EINVAL);
}

/* Pages are pinned while the MDL lives, and the caller's again after it */
static void test_page_is_returned(struct kunit *test)
{
	struct page *page = new_page(test);
	struct wddmcompat_mdl *mdl = mdl_of_page(page);

	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	KUNIT_EXPECT_GT(test, page_count(page), 1);
	KUNIT_EXPECT_PTR_EQ(test, wddmcompat_mdl_page(mdl, 0), page);
	KUNIT_EXPECT_NULL(test, wddmcompat_mdl_page(mdl, 1));
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_num_pages(mdl), 1);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	__free_page(page);
}

/* Pages that were allocated for an MDL go with it */
static void test_owned_pages_go(struct kunit *test)
{
	struct wddmcompat_mdl *mdl = wddmcompat_mdl_alloc(ctx, 2 * PAGE_SIZE);
	struct page *pages[2];
	int i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	for (i = 0; i < 2; i++) {
		pages[i] = wddmcompat_mdl_page(mdl, i);
		get_page(pages[i]);
	}
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, page_count(pages[i]), 1);
		put_page(pages[i]);
	}
}

static void test_large_page(struct kunit *test)
{
	struct page *block = alloc_pages(GFP_KERNEL | __GFP_COMP, 4);
	struct page *pages[16];
	struct wddmcompat_page_desc desc = {
		.pages = pages,
		.byte_offset = 100,
		.byte_count = 15 * PAGE_SIZE,
	};
	struct wddmcompat_mdl *mdl;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, block);
	for (i = 0; i < 16; i++)
		pages[i] = block + i;
	mdl = wddmcompat_mdl_create(ctx, &desc, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_num_pages(mdl), 16);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
	KUNIT_EXPECT_EQ(test, page_count(block), 1);
	__free_pages(block, 4);
}

static struct page *other_page;

/* A window that shows other pages than it was asked to */
static int open_swapped_window(struct page **pages, unsigned long num_pages,
			       unsigned long *uaddr)
{
	kunit_deactivate_static_stub(kunit_get_current_test(),
				     wddm_window_open);
	return wddm_window_open(&other_page, 1, uaddr);
}

/* What is pinned must be what was meant */
static void test_swapped_window(struct kunit *test)
{
	struct page *page = new_page(test);
	struct wddmcompat_mdl *mdl;

	other_page = new_page(test);
	kunit_activate_static_stub(test, wddm_window_open, open_swapped_window);
	mdl = mdl_of_page(page);
	KUNIT_EXPECT_EQ(test, PTR_ERR(mdl), -EIO);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	KUNIT_EXPECT_EQ(test, page_count(other_page), 1);
	__free_page(other_page);
	__free_page(page);
}

/* A window is where none has been before */
static int open_two_windows(void *data)
{
	struct page **page = data;
	unsigned long first, second;
	int rc;

	rc = wddm_window_open(page, 1, &first);
	if (rc)
		return rc;
	wddm_window_close(first, 1);
	rc = wddm_window_open(page, 1, &second);
	if (rc)
		return rc;
	wddm_window_close(second, 1);
	return first == second ? -EEXIST : 0;
}

static void test_window_is_fresh(struct kunit *test)
{
	struct page *page = new_page(test);
	int rc;

	rc = wddm_carrier_call(&ctx->iommufd, open_two_windows, &page);
	KUNIT_EXPECT_EQ(test, rc, 0);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	__free_page(page);
}

static struct kunit_case kernel_cases[] = {
	KUNIT_CASE(test_not_an_iommufd),
	KUNIT_CASE(test_shared_iommufd),
	KUNIT_CASE(test_no_such_ioas),
	KUNIT_CASE(test_mdl_ioas_ends),
	KUNIT_CASE(test_mdl_create_refuses),
	KUNIT_CASE(test_slab_page),
	KUNIT_CASE(test_page_is_returned),
	KUNIT_CASE(test_owned_pages_go),
	KUNIT_CASE(test_large_page),
	KUNIT_CASE(test_swapped_window),
	KUNIT_CASE(test_window_is_fresh),
	{}
};

static struct kunit_suite kernel_suite = {
	.name = "wddmcompat-kernel",
	.init = kernel_init,
	.exit = kernel_exit,
	.test_cases = kernel_cases,
};

kunit_test_suite(kernel_suite);

MODULE_IMPORT_NS(WDDM_NS(EXPORTED_FOR_KUNIT_TESTING));
MODULE_IMPORT_NS(WDDM_NS(WDDMCOMPAT));
