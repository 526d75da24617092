// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for QEMU's edu device that is taken off its device, or whose device goes,
 * while everything is mapped and the device is about to write. All it does then is
 * to end its context.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/pci.h>

#include "wddmcompat_private.h"

/* The device's registers, see QEMU's docs/specs/edu */
#define EDU_DMA_SRC 0x80
#define EDU_DMA_DST 0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_CMD 0x98
#define EDU_DMA_WRITE 3
#define EDU_BUFFER 0x40000
#define EDU_BYTES 2048
/* A transfer takes 100 ms */
#define EDU_LATE_MS 300

/* What the driver has while it is bound */
static struct pci_dev *bound;
static void __iomem *regs;
static struct wddmcompat_context *ctx;
static struct wddmcompat_adapter *adapter;

static int unbind_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int rc;

	if (bound)
		return -EBUSY;
	rc = pcim_enable_device(pdev);
	if (rc)
		return rc;
	regs = pcim_iomap(pdev, 0, 0);
	if (!regs)
		return -ENOMEM;
	ctx = wddmcompat_context_create(NULL);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	adapter = wddmcompat_adapter_create(ctx, 0);
	rc = PTR_ERR_OR_ZERO(adapter);
	if (!rc)
		rc = wddmcompat_adapter_attach_device(adapter, &pdev->dev);
	if (rc) {
		wddmcompat_context_destroy(ctx);
		return rc;
	}
	pci_set_master(pdev);
	bound = pdev;
	return 0;
}

static void unbind_remove(struct pci_dev *pdev)
{
	pci_clear_master(pdev);
	wddmcompat_context_destroy(ctx);
	bound = NULL;
}

static const struct pci_device_id unbind_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{}
};

static struct pci_driver unbind_driver = {
	.name = "wddmcompat-unbind-test",
	.id_table = unbind_ids,
	.probe = unbind_probe,
	.remove = unbind_remove,
	.driver_managed_dma = true,
};

static int unbind_suite_init(struct kunit_suite *suite)
{
	int rc = pci_register_driver(&unbind_driver);

	if (rc || bound)
		return rc;
	pci_unregister_driver(&unbind_driver);
	return -ENODEV;
}

static void unbind_suite_exit(struct kunit_suite *suite)
{
	pci_unregister_driver(&unbind_driver);
}

/* Map the page, once by itself and once in a chain, and have the device write there */
static void map_and_write(struct kunit *test, struct page *page)
{
	struct wddmcompat_page_desc descs[2] = {
		{ .pages = &page, .byte_count = PAGE_SIZE, .writeable = true },
		{ .pages = &page, .byte_count = 1, .writeable = true },
	};
	struct wddmcompat_map_args args = { .flags = WDDMCOMPAT_MAP_WRITEABLE };
	struct wddmcompat_mdl *mdl;
	u32 i;

	for (i = 1; i <= ARRAY_SIZE(descs); i++) {
		mdl = wddmcompat_mdl_create(ctx, descs, i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
		KUNIT_ASSERT_EQ(test,
				wddmcompat_map_mdl_to_iommu(adapter, mdl,
							    &args),
				0);
	}
	writeq(EDU_BUFFER, regs + EDU_DMA_SRC);
	writeq(args.iova, regs + EDU_DMA_DST);
	writeq(EDU_BYTES, regs + EDU_DMA_COUNT);
	writeq(EDU_DMA_WRITE, regs + EDU_DMA_CMD);
}

/* @take takes the driver off its device, @give brings it back */
static void test_taken(struct kunit *test, void (*take)(struct pci_dev *pdev),
		       void (*give)(struct pci_dev *pdev, struct pci_bus *bus))
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct pci_dev *pdev = bound;
	struct pci_bus *bus;

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_NOT_NULL(test, pdev);
	bus = pdev->bus;
	map_and_write(test, page);
	take(pdev);
	KUNIT_EXPECT_NULL(test, bound);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	memset(page_address(page), 0x5a, PAGE_SIZE);
	msleep(EDU_LATE_MS);
	KUNIT_EXPECT_NULL(test,
			  memchr_inv(page_address(page), 0x5a, PAGE_SIZE));
	__free_page(page);
	give(pdev, bus);
	KUNIT_EXPECT_NOT_NULL(test, bound);
}

static void unbind(struct pci_dev *pdev)
{
	device_release_driver(&pdev->dev);
}

static void bind_again(struct pci_dev *pdev, struct pci_bus *bus)
{
	WARN_ON(device_attach(&pdev->dev) < 0);
}

static void test_unbind(struct kunit *test)
{
	test_taken(test, unbind, bind_again);
}

static void rescan(struct pci_dev *pdev, struct pci_bus *bus)
{
	pci_lock_rescan_remove();
	pci_rescan_bus(bus);
	pci_unlock_rescan_remove();
}

static void test_remove(struct kunit *test)
{
	test_taken(test, pci_stop_and_remove_bus_device_locked, rescan);
}

static struct kunit_case unbind_cases[] = {
	KUNIT_CASE_SLOW(test_unbind),
	KUNIT_CASE_SLOW(test_remove),
	{}
};

static struct kunit_suite unbind_suite = {
	.name = "wddmcompat-unbind",
	.suite_init = unbind_suite_init,
	.suite_exit = unbind_suite_exit,
	.test_cases = unbind_cases,
};

kunit_test_suite(unbind_suite);
