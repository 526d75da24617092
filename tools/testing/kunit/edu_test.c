// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA truth for kernel modules: a driver for QEMU's edu device, which maps by the
 * API and lets the device do the DMA.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/mm.h>
#include <linux/pci.h>

#include "wddmcompat_private.h"

/* The device's registers, see QEMU's docs/specs/edu */
#define EDU_DMA_SRC 0x80
#define EDU_DMA_DST 0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_CMD 0x98
#define EDU_DMA_START BIT(0)
#define EDU_DMA_TO_MEMORY BIT(1)
#define EDU_BUFFER 0x40000
/* Its buffer has 4096, but QEMU gives up at a transfer that reaches the end */
#define EDU_BYTES 2048

static struct pci_dev *edu;
static void __iomem *edu_regs;
static struct wddmcompat_context *ctx;
static struct wddmcompat_adapter *adapter;

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int rc;

	if (edu)
		return -EBUSY;
	rc = pcim_enable_device(pdev);
	if (rc)
		return rc;
	edu_regs = pcim_iomap(pdev, 0, 0);
	if (!edu_regs)
		return -ENOMEM;
	pci_set_master(pdev);
	edu = pdev;
	return 0;
}

static void edu_remove(struct pci_dev *pdev)
{
	edu = NULL;
}

static const struct pci_device_id edu_ids[] = { { PCI_DEVICE(0x1234, 0x11e8) },
						{} };

static struct pci_driver edu_driver = {
	.name = "wddmcompat-edu-test",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
	.driver_managed_dma = true,
};

static int edu_suite_init(struct kunit_suite *suite)
{
	int rc;

	rc = pci_register_driver(&edu_driver);
	if (rc)
		return rc;
	if (!edu) {
		pci_unregister_driver(&edu_driver);
		pr_err("wddmcompat: no edu device is free for the test\n");
		return -ENODEV;
	}
	return 0;
}

static void edu_suite_exit(struct kunit_suite *suite)
{
	if (edu)
		pci_unregister_driver(&edu_driver);
}

static int edu_init(struct kunit *test)
{
	ctx = wddmcompat_context_create(NULL);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	adapter = wddmcompat_adapter_create(ctx, 0);
	if (IS_ERR(adapter))
		return PTR_ERR(adapter);
	return wddmcompat_adapter_attach_device(adapter, &edu->dev);
}

/* Also called when edu_init() has failed */
static void edu_exit(struct kunit *test)
{
	if (!IS_ERR(ctx))
		wddmcompat_context_destroy(ctx);
}

/* One transfer between the device's buffer and @iova. It takes about 100 ms. */
static void edu_dma(struct kunit *test, u64 iova, bool to_memory)
{
	u32 cmd;

	writeq(to_memory ? EDU_BUFFER : iova, edu_regs + EDU_DMA_SRC);
	writeq(to_memory ? iova : EDU_BUFFER, edu_regs + EDU_DMA_DST);
	writeq(EDU_BYTES, edu_regs + EDU_DMA_COUNT);
	writeq(EDU_DMA_START | (to_memory ? EDU_DMA_TO_MEMORY : 0),
	       edu_regs + EDU_DMA_CMD);
	KUNIT_ASSERT_EQ(test,
			readl_poll_timeout(edu_regs + EDU_DMA_CMD, cmd,
					   !(cmd & EDU_DMA_START), 1000,
					   30 * USEC_PER_SEC),
			0);
}

static struct wddmcompat_mdl *new_mdl(struct kunit *test,
				      unsigned long num_pages)
{
	struct wddmcompat_mdl *mdl;

	mdl = wddmcompat_mdl_alloc(ctx, num_pages << PAGE_SHIFT);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	return mdl;
}

static u8 *mdl_bytes(struct wddmcompat_mdl *mdl, unsigned long page)
{
	return page_address(wddmcompat_mdl_page(mdl, page));
}

static bool page_is(const u8 *bytes, u8 value)
{
	return !memchr_inv(bytes, value, PAGE_SIZE);
}

/* From memory to the device, and back to other memory: all bytes come along */
static void test_dma_truth(struct kunit *test)
{
	struct wddmcompat_map_args args = { .flags = WDDMCOMPAT_MAP_WRITEABLE };
	struct wddmcompat_mdl *mdl = new_mdl(test, 2);
	u8 *from = mdl_bytes(mdl, 0), *to = mdl_bytes(mdl, 1);
	int i;

	for (i = 0; i < EDU_BYTES; i++)
		from[i] = i * 7 + (i >> 8);
	KUNIT_ASSERT_EQ(test, wddmcompat_map_mdl_to_iommu(adapter, mdl, &args),
			0);
	edu_dma(test, args.iova, false);
	edu_dma(test, args.iova + PAGE_SIZE, true);
	KUNIT_EXPECT_MEMEQ(test, to, from, EDU_BYTES);

	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	memset(to, 0x5a, PAGE_SIZE);
	edu_dma(test, args.iova + PAGE_SIZE, true);
	KUNIT_EXPECT_TRUE(test, page_is(to, 0x5a));
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
}

static void test_read_only_is_not_written(struct kunit *test)
{
	struct wddmcompat_map_args args = {};
	struct wddmcompat_mdl *mdl = new_mdl(test, 1);
	u8 *bytes = mdl_bytes(mdl, 0);

	KUNIT_ASSERT_EQ(test, wddmcompat_map_mdl_to_iommu(adapter, mdl, &args),
			0);
	memset(bytes, 0x11, PAGE_SIZE);
	edu_dma(test, args.iova, false);
	memset(bytes, 0x22, PAGE_SIZE);
	edu_dma(test, args.iova, true);
	KUNIT_EXPECT_TRUE(test, page_is(bytes, 0x22));
	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
}

/* Detached, it reaches nothing; attached again, what is mapped */
static void test_detach_device(struct kunit *test)
{
	struct wddmcompat_map_args args = { .flags = WDDMCOMPAT_MAP_WRITEABLE };
	struct wddmcompat_mdl *mdl = new_mdl(test, 1);
	u8 *bytes = mdl_bytes(mdl, 0);
	int rc;

	rc = wddmcompat_adapter_attach_device(adapter, &edu->dev);
	KUNIT_EXPECT_EQ(test, rc, -EEXIST);
	KUNIT_ASSERT_EQ(test, wddmcompat_map_mdl_to_iommu(adapter, mdl, &args),
			0);
	memset(bytes, 0x33, PAGE_SIZE);
	edu_dma(test, args.iova, false);
	memset(bytes, 0x44, PAGE_SIZE);

	wddmcompat_adapter_detach_device(adapter, &edu->dev);
	edu_dma(test, args.iova, true);
	KUNIT_EXPECT_TRUE(test, page_is(bytes, 0x44));

	rc = wddmcompat_adapter_attach_device(adapter, &edu->dev);
	KUNIT_ASSERT_EQ(test, rc, 0);
	edu_dma(test, args.iova, true);
	KUNIT_EXPECT_EQ(test, bytes[0], 0x33);
	KUNIT_EXPECT_EQ(test, bytes[EDU_BYTES - 1], 0x33);
	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
}

/* A context that goes takes the device's reach along */
static void test_destroyed_context(struct kunit *test)
{
	struct wddmcompat_map_args args = { .flags = WDDMCOMPAT_MAP_WRITEABLE };
	struct page *page = alloc_page(GFP_KERNEL);
	struct wddmcompat_page_desc desc = {
		.pages = &page,
		.byte_count = PAGE_SIZE,
		.writeable = true,
	};
	struct wddmcompat_mdl *mdl;

	KUNIT_ASSERT_NOT_NULL(test, page);
	mdl = wddmcompat_mdl_create(ctx, &desc, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	KUNIT_ASSERT_EQ(test, wddmcompat_map_mdl_to_iommu(adapter, mdl, &args),
			0);
	wddmcompat_context_destroy(ctx);
	memset(page_address(page), 0x66, PAGE_SIZE);
	edu_dma(test, args.iova, true);
	KUNIT_EXPECT_TRUE(test, page_is(page_address(page), 0x66));
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	__free_page(page);

	/* edu_exit() wants one */
	ctx = wddmcompat_context_create(NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(ctx));
}

static struct kunit_case edu_cases[] = {
	KUNIT_CASE(test_dma_truth),
	KUNIT_CASE(test_read_only_is_not_written),
	KUNIT_CASE(test_detach_device),
	KUNIT_CASE(test_destroyed_context),
	{}
};

static struct kunit_suite edu_suite = {
	.name = "wddmcompat-edu",
	.suite_init = edu_suite_init,
	.suite_exit = edu_suite_exit,
	.init = edu_init,
	.exit = edu_exit,
	.test_cases = edu_cases,
};

kunit_test_suite(edu_suite);
