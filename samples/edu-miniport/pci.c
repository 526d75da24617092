// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Linux driver around the miniport: it collects the devices of the linked
 * chain, has them started and stopped as one logical adapter, and passes on what
 * the PCI core says about power. debugfs has the tour and the devices' buffers.
 */
#include <linux/debugfs.h>
#include <linux/dxgkrnl.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>

#include "miniport.h"

/**
 * struct edu_pci - A device
 * @edu: The device, as the miniport knows it
 * @index: Its place in the chain
 */
struct edu_pci {
	struct edu edu;
	unsigned int index;
};

/* Protects what follows, and the adapters from being stopped while in use */
static DEFINE_MUTEX(chain_lock);
static struct device *chain[LINKED];
static struct dxgk_adapter *logical;
static struct dentry *debugfs;

struct edu *pci_edu(PDEVICE_OBJECT pdo, UINT *index)
{
	struct edu_pci *device = dev_get_drvdata(pdo);

	*index = device->index;
	return &device->edu;
}

/* --- debugfs ---------------------------------------------------------------- */

/* Writing anything takes the tour; it says in the log what it sees */
static ssize_t tour_write(struct file *file, const char __user *buf,
			  size_t count, loff_t *pos)
{
	int rc = -ENODEV;

	mutex_lock(&chain_lock);
	if (logical)
		rc = tour_take();
	mutex_unlock(&chain_lock);
	return rc ?: count;
}

static const struct file_operations tour_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = tour_write,
};

static struct adapter *file_adapter(struct file *file)
{
	return logical ? linked[(unsigned long)file->private_data] : NULL;
}

static ssize_t buffer_read(struct file *file, char __user *buf, size_t count,
			   loff_t *pos)
{
	struct adapter *adapter;
	ssize_t rc = -ENODEV;

	mutex_lock(&chain_lock);
	adapter = file_adapter(file);
	if (adapter)
		rc = power_dump(adapter);
	if (!rc)
		rc = simple_read_from_buffer(buf, count, pos, adapter->small,
					     EDU_BYTES);
	mutex_unlock(&chain_lock);
	return rc;
}

/* All of it at once */
static ssize_t buffer_write(struct file *file, const char __user *buf,
			    size_t count, loff_t *pos)
{
	struct adapter *adapter;
	ssize_t rc = -ENODEV;

	if (*pos || count != EDU_BYTES)
		return -EINVAL;
	mutex_lock(&chain_lock);
	adapter = file_adapter(file);
	if (adapter)
		rc = copy_from_user(adapter->small, buf, count) ?
			     -EFAULT :
			     power_load(adapter);
	mutex_unlock(&chain_lock);
	return rc ?: count;
}

static const struct file_operations buffer_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = buffer_read,
	.write = buffer_write,
};

static void debugfs_make(void)
{
	char name[16];
	unsigned long i;

	debugfs = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("tour", 0200, debugfs, NULL, &tour_fops);
	for (i = 0; i < LINKED; i++) {
		snprintf(name, sizeof(name), "buffer%lu", i);
		debugfs_create_file(name, 0600, debugfs, (void *)i,
				    &buffer_fops);
	}
}

/* --- the chain --------------------------------------------------------------- */

static bool chain_is_complete(void)
{
	unsigned int i;

	for (i = 0; i < LINKED; i++)
		if (!chain[i])
			return false;
	return true;
}

static int chain_start(void)
{
	struct dxgk_adapter *adapter;

	adapter = dxgk_adapter_start(miniport_entry(), chain, LINKED);
	if (IS_ERR(adapter))
		return PTR_ERR(adapter);
	logical = adapter;
	return 0;
}

/* A chain that lacks a device is none */
static void chain_stop(void)
{
	DXGKRNL_INTERFACE dxgkrnl = linked[0]->dxgkrnl;

	dxgk_adapter_stop(logical);
	logical = NULL;
	tour_farewell(&dxgkrnl);
}

/* --- the PCI driver ---------------------------------------------------------- */

static int edu_link(struct device *dev)
{
	struct edu_pci *device = dev_get_drvdata(dev);
	unsigned int i;
	int rc = 0;

	for (i = 0; i < LINKED; i++)
		if (!chain[i])
			break;
	if (i == LINKED)
		return -EBUSY;
	device->index = i;
	chain[i] = dev;
	if (chain_is_complete())
		rc = chain_start();
	if (rc)
		chain[i] = NULL;
	return rc;
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu_pci *device;
	void __iomem *regs;
	int rc;

	device = devm_kzalloc(&pdev->dev, sizeof(*device), GFP_KERNEL);
	if (!device)
		return -ENOMEM;
	rc = pcim_enable_device(pdev);
	if (rc)
		return rc;
	regs = pcim_iomap(pdev, 0, 0);
	if (!regs)
		return -ENOMEM;
	edu_init(&device->edu, regs, pci_resource_start(pdev, 0));
	pci_set_drvdata(pdev, device);

	mutex_lock(&chain_lock);
	rc = edu_link(&pdev->dev);
	mutex_unlock(&chain_lock);
	return rc;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu_pci *device = pci_get_drvdata(pdev);

	mutex_lock(&chain_lock);
	if (logical)
		chain_stop();
	chain[device->index] = NULL;
	mutex_unlock(&chain_lock);
}

/* User space is frozen, so that no other user of the adapter is there */
static int edu_suspend(struct device *dev)
{
	struct edu_pci *device = dev_get_drvdata(dev);

	return logical ? power_suspend(linked[device->index]) : 0;
}

static int edu_resume(struct device *dev)
{
	struct edu_pci *device = dev_get_drvdata(dev);

	return logical ? power_resume(linked[device->index]) : 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(edu_pm, edu_suspend, edu_resume);

static const struct pci_device_id edu_ids[] = { { PCI_DEVICE(0x1234, 0x11e8) },
						{} };
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name = KBUILD_MODNAME,
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
	.driver.pm = pm_sleep_ptr(&edu_pm),
	/* The logical adapter puts them into an IOMMU domain of its own */
	.driver_managed_dma = true,
};

static int __init edu_init_module(void)
{
	int rc;

	debugfs_make();
	rc = pci_register_driver(&edu_driver);
	if (rc)
		debugfs_remove(debugfs);
	return rc;
}

static void __exit edu_exit_module(void)
{
	debugfs_remove(debugfs);
	pci_unregister_driver(&edu_driver);
}

module_init(edu_init_module);
module_exit(edu_exit_module);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Sample of a WDDM miniport: QEMU's edu device");
/* MODULE_IMPORT_NS(), for which kernels differ on whether WDDMCOMPAT is quoted */
MODULE_INFO(import_ns, "WDDMCOMPAT");
