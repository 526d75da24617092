// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel module that maps pages of its own for QEMU's PCI device edu, and says how
 * long it takes: the part of "wddmctl bench" that a program cannot do.
 *
 * begin: the program writes the file descriptor of its iommufd and the numbers of two
 * IOASes of it: the device is attached to the first, and the second keeps the pages,
 * at the IOVA that reading says, for the program to copy from. -1 ends it.
 *
 * map, dma: the program writes how often to map and unmap, by wddmcompat or by the DMA
 * API; reading says how many nanoseconds one pair took.
 *
 * pin: the program writes the file descriptor, an IOAS, an IOVA and a length: what is
 * there is pinned as wddmcompat pins it, and nothing is kept that tells which pages
 * these are. -1 ends all pins.
 */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/iommufd.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/wddmcompat.h>

#include "compat.h"

#define BENCH_BYTES SZ_1M

static DEFINE_MUTEX(bench_lock); /* all of the following */
static struct pci_dev *edu;
static struct wddmcompat_context *ctx;
static struct wddmcompat_adapter *adapter, *keeper;
static struct wddmcompat_mdl *mdl;
static struct wddmcompat_map_args kept;
static struct sg_table sgt;
static bool attached;
static u64 pair_ns;

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int rc;

	if (edu)
		return -EBUSY;
	rc = dma_set_mask(&pdev->dev, DMA_BIT_MASK(64));
	if (!rc)
		edu = pdev;
	return rc;
}

static int bench_attach(void)
{
	int rc;

	if (attached)
		return 0;
	rc = wddmcompat_adapter_attach_device(adapter, &edu->dev);
	attached = !rc;
	return rc;
}

static void bench_detach(void)
{
	if (attached)
		wddmcompat_adapter_detach_device(adapter, &edu->dev);
	attached = false;
}

/* --- begin ---------------------------------------------------------------- */

static void bench_end(void)
{
	if (!ctx)
		return;
	bench_detach();
	if (sgt.sgl)
		sg_free_table(&sgt);
	memset(&sgt, 0, sizeof(sgt));
	wddmcompat_context_destroy(ctx);
	ctx = NULL;
}

static void edu_remove(struct pci_dev *pdev)
{
	mutex_lock(&bench_lock);
	bench_end();
	edu = NULL;
	mutex_unlock(&bench_lock);
}

/* The same pages for the DMA API */
static int bench_make_sgt(void)
{
	unsigned long num = wddmcompat_mdl_num_pages(mdl), i;
	struct page **pages = kvmalloc_array(num, sizeof(*pages), GFP_KERNEL);
	int rc;

	if (!pages)
		return -ENOMEM;
	for (i = 0; i < num; i++)
		pages[i] = wddmcompat_mdl_page(mdl, i);
	rc = sg_alloc_table_from_pages(&sgt, pages, num, 0, BENCH_BYTES,
				       GFP_KERNEL);
	kvfree(pages);
	return rc;
}

static int bench_make(u32 ioas, u32 keeper_ioas)
{
	adapter = wddmcompat_adapter_create(ctx, ioas);
	if (IS_ERR(adapter))
		return PTR_ERR(adapter);
	keeper = wddmcompat_adapter_create(ctx, keeper_ioas);
	if (IS_ERR(keeper))
		return PTR_ERR(keeper);
	mdl = wddmcompat_mdl_alloc(ctx, BENCH_BYTES);
	if (IS_ERR(mdl))
		return PTR_ERR(mdl);
	kept = (struct wddmcompat_map_args){
		.flags = WDDMCOMPAT_MAP_WRITEABLE,
	};
	return wddmcompat_map_mdl_to_iommu(keeper, mdl, &kept) ?:
	       bench_make_sgt();
}

static int bench_begin(int fd, u32 ioas, u32 keeper_ioas)
{
	struct file *iommufd = fget(fd);
	int rc;

	if (!iommufd)
		return -EBADF;
	ctx = wddmcompat_context_create(iommufd);
	fput(iommufd);
	if (IS_ERR(ctx)) {
		rc = PTR_ERR(ctx);
		ctx = NULL;
		return rc;
	}
	rc = bench_make(ioas, keeper_ioas);
	if (rc)
		bench_end();
	return rc;
}

static int begin_set(const char *val, const struct kernel_param *kp)
{
	u32 ioas, keeper_ioas;
	int fd, num, rc = 0;

	num = sscanf(val, "%d %u %u", &fd, &ioas, &keeper_ioas);
	mutex_lock(&bench_lock);
	bench_end();
	if (num == 3)
		rc = edu ? bench_begin(fd, ioas, keeper_ioas) : -ENODEV;
	mutex_unlock(&bench_lock);
	return rc;
}

static int begin_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%llu %u %u\n", kept.iova, BENCH_BYTES,
			  sgt.orig_nents);
}

static const struct kernel_param_ops begin_ops = {
	.set = begin_set,
	.get = begin_get,
};
module_param_cb(begin, &begin_ops, NULL, 0600);
MODULE_PARM_DESC(begin, "File descriptor of an iommufd, and two IOASes of it; or -1");

/* --- map, dma ------------------------------------------------------------- */

static int map_pair(void)
{
	struct wddmcompat_map_args args = {
		.flags = WDDMCOMPAT_MAP_WRITEABLE,
	};
	int rc;

	rc = wddmcompat_map_mdl_to_iommu(adapter, mdl, &args);
	if (!rc)
		wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	return rc;
}

static int dma_pair(void)
{
	int rc;

	rc = dma_map_sgtable(&edu->dev, &sgt, DMA_BIDIRECTIONAL, 0);
	if (!rc)
		dma_unmap_sgtable(&edu->dev, &sgt, DMA_BIDIRECTIONAL, 0);
	return rc;
}

static int bench_pairs(int (*pair)(void), unsigned int count)
{
	u64 start = ktime_get_ns();
	unsigned int i;
	int rc = 0;

	for (i = 0; !rc && i < count; i++)
		rc = pair();
	pair_ns = div_u64(ktime_get_ns() - start, count);
	return rc;
}

/* Attached for the one, in the kernel's own domain for the other */
static int pairs_set(const char *val, const struct kernel_param *kp)
{
	int (*pair)(void) = kp->arg;
	unsigned int count;
	int rc;

	rc = kstrtouint(val, 0, &count);
	if (rc)
		return rc;
	if (!count)
		return -EINVAL;
	mutex_lock(&bench_lock);
	if (!ctx)
		rc = -ENODEV;
	else if (pair == map_pair)
		rc = bench_attach();
	else
		bench_detach();
	if (!rc)
		rc = bench_pairs(pair, count);
	mutex_unlock(&bench_lock);
	return rc;
}

static int pairs_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%llu\n", pair_ns);
}

static const struct kernel_param_ops pairs_ops = {
	.set = pairs_set,
	.get = pairs_get,
};
module_param_cb(map, &pairs_ops, map_pair, 0600);
MODULE_PARM_DESC(map, "How often to map and unmap by wddmcompat");
module_param_cb(dma, &pairs_ops, dma_pair, 0600);
MODULE_PARM_DESC(dma, "How often to map and unmap by the DMA API");

/* --- pin ------------------------------------------------------------------ */

/**
 * struct bench_pin - A range that is pinned
 * @entry: In bench_pins
 * @access: Ours on its IOAS
 * @iova: Its beginning
 * @length: Its length
 */
struct bench_pin {
	struct list_head entry;
	struct iommufd_access *access;
	unsigned long iova;
	unsigned long length;
};

static LIST_HEAD(bench_pins);

/* The program promises not to unmap what is pinned */
static void pin_unmapped(void *data, unsigned long iova, unsigned long length)
{
}

static const struct iommufd_access_ops pin_ops = {
	.needs_pin_pages = 1,
	.unmap = pin_unmapped,
};

static int pin_pages(struct bench_pin *pin)
{
	struct page **pages = kvmalloc_array(pin->length >> PAGE_SHIFT,
					     sizeof(*pages), GFP_KERNEL);
	int rc;

	if (!pages)
		return -ENOMEM;
	rc = iommufd_access_pin_pages(pin->access, pin->iova, pin->length,
				      pages, IOMMUFD_ACCESS_RW_WRITE);
	kvfree(pages);
	return rc;
}

static int pin_begin_in(struct bench_pin *pin, struct iommufd_ctx *ictx,
			u32 ioas)
{
	u32 id;
	int rc;

	pin->access = iommufd_access_create(ictx, &pin_ops, pin, &id);
	if (IS_ERR(pin->access))
		return PTR_ERR(pin->access);
	rc = iommufd_access_attach(pin->access, ioas) ?: pin_pages(pin);
	if (rc)
		iommufd_access_destroy(pin->access);
	return rc;
}

static int pin_begin(struct bench_pin *pin, int fd, u32 ioas)
{
	struct file *file = fget(fd);
	struct iommufd_ctx *ictx;
	int rc;

	if (!file)
		return -EBADF;
	ictx = iommufd_ctx_from_file(file);
	fput(file);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	rc = pin_begin_in(pin, ictx, ioas);
	iommufd_ctx_put(ictx);
	return rc;
}

static void pins_end(void)
{
	struct bench_pin *pin, *next;

	list_for_each_entry_safe(pin, next, &bench_pins, entry) {
		iommufd_access_unpin_pages(pin->access, pin->iova, pin->length);
		iommufd_access_destroy(pin->access);
		list_del(&pin->entry);
		kfree(pin);
	}
}

static int pin_set(const char *val, const struct kernel_param *kp)
{
	struct bench_pin *pin;
	int fd, num, rc = 0;
	u32 ioas;

	pin = kzalloc_obj(*pin, GFP_KERNEL);
	if (!pin)
		return -ENOMEM;
	num = sscanf(val, "%d %u %lu %lu", &fd, &ioas, &pin->iova,
		     &pin->length);
	mutex_lock(&bench_lock);
	if (num == 4)
		rc = pin_begin(pin, fd, ioas);
	else
		pins_end();
	if (num == 4 && !rc)
		list_add(&pin->entry, &bench_pins);
	else
		kfree(pin);
	mutex_unlock(&bench_lock);
	return rc;
}

static const struct kernel_param_ops pin_param_ops = { .set = pin_set };
module_param_cb(pin, &pin_param_ops, NULL, 0200);
MODULE_PARM_DESC(pin, "File descriptor of an iommufd, an IOAS, IOVA and length; or -1");

/* --- The module ----------------------------------------------------------- */

static const struct pci_device_id edu_ids[] = { { PCI_DEVICE(0x1234, 0x11e8) },
						{} };

static struct pci_driver edu_driver = {
	.name = "wddmcompat-bench",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
	.driver_managed_dma = true,
};

static int __init bench_init(void)
{
	return pci_register_driver(&edu_driver);
}

static void __exit bench_exit(void)
{
	pci_unregister_driver(&edu_driver);
	pins_end();
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_DESCRIPTION("Kernel module that maps its own pages, for the benchmark of wddmcompat");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(WDDM_NS(IOMMUFD));
MODULE_IMPORT_NS(WDDM_NS(WDDMCOMPAT));
