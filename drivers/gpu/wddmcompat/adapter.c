// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adapters: an IOAS as a logical adapter, and the devices that a kernel module
 * attaches to it. Devices of user space are attached by VFIO.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/iommufd.h>
#include <linux/list.h>
#include <linux/slab.h>

#include "compat.h"
#include "wddmcompat_private.h"

/**
 * struct adapter_device - A linked physical adapter
 * @elm: In adapter->devices
 * @dev: The device
 * @idev: Its attachment
 */
struct adapter_device {
	struct list_head elm;
	struct device *dev;
	struct iommufd_device *idev;
};

static struct wddmcompat_adapter *adapter_create(struct wddmcompat_context *ctx,
						 u32 ioas_id)
{
	struct wddmcompat_adapter *adapter;
	int rc;

	if (ioas_id == ctx->mdls.id)
		return ERR_PTR(-EINVAL);
	adapter = kzalloc_obj(*adapter, GFP_KERNEL_ACCOUNT);
	if (!adapter)
		return ERR_PTR(-ENOMEM);
	rc = wddm_object_init(&adapter->obj, ctx, WDDMCOMPAT_OBJECT_ADAPTER);
	if (rc) {
		kfree(adapter);
		return ERR_PTR(rc);
	}
	init_waitqueue_head(&adapter->unmap_wait);
	mutex_init(&adapter->devices_lock);
	INIT_LIST_HEAD(&adapter->devices);
	rc = wddm_ioas_attach(&adapter->ioas, &ctx->iommufd, ioas_id);
	if (rc) {
		wddm_object_remove(&adapter->obj);
		return ERR_PTR(rc);
	}
	return adapter;
}

void wddm_adapter_free(struct wddm_object *obj)
{
	struct wddmcompat_adapter *adapter =
		container_of(obj, struct wddmcompat_adapter, obj);

	mutex_destroy(&adapter->devices_lock);
	kfree(adapter);
}

static void adapter_device_free(struct adapter_device *adev)
{
	wddm_device_detach(adev->idev);
	iommufd_device_unbind(adev->idev);
	list_del(&adev->elm);
	kfree(adev);
}

/* Undo what adapter_create() did; the adapter has no mappings */
void wddm_adapter_undo(struct wddm_object *obj)
{
	struct wddmcompat_adapter *adapter =
		container_of(obj, struct wddmcompat_adapter, obj);
	struct adapter_device *adev, *next;

	list_for_each_entry_safe(adev, next, &adapter->devices, elm)
		adapter_device_free(adev);
	wddm_ioas_detach(&adapter->ioas);
	if (adapter->owns_ioas)
		wddm_ioas_free(adapter->ioas.iommufd, adapter->ioas.id);
	wddm_object_remove(obj);
}

int wddm_adapter_create_ioctl(struct wddm_ucmd *ucmd)
{
	struct wddmcompat_adapter_create *cmd = ucmd->cmd;
	struct wddmcompat_adapter *adapter;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	adapter = adapter_create(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(adapter))
		return PTR_ERR(adapter);
	cmd->out_adapter = adapter->obj.handle;
	ucmd->new_obj = &adapter->obj;
	return 0;
}

static int adapter_destroy(struct wddmcompat_adapter *adapter)
{
	int rc = wddm_object_retire(&adapter->obj);

	if (!rc)
		wddm_adapter_undo(&adapter->obj);
	return rc;
}

int wddm_adapter_destroy_ioctl(struct wddm_ucmd *ucmd)
{
	struct wddmcompat_adapter_destroy *cmd = ucmd->cmd;
	struct wddm_object *obj;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	obj = wddm_handle_get_typed(&ucmd->ctx->handles, cmd->adapter,
				    WDDMCOMPAT_OBJECT_ADAPTER);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	rc = adapter_destroy(container_of(obj, struct wddmcompat_adapter, obj));
	wddm_object_put(obj);
	return rc;
}

/**
 * wddmcompat_adapter_create() - Make a logical adapter
 * @ctx: Context
 * @ioas_id: An IOAS of the context's iommufd, or 0 for a new one
 *
 * WDDM: hAdapter, which stands for the master or lead device of a linked chain.
 * Here it stands for the IOAS that all linked devices are attached to.
 *
 * Context: May sleep; any process or kthread.
 * Return: The adapter, which wddmcompat_adapter_destroy() takes back, or ERR_PTR:
 * -ENOENT or -EINVAL (no such IOAS), -ENOSPC, -ENOMEM.
 */
struct wddmcompat_adapter *
wddmcompat_adapter_create(struct wddmcompat_context *ctx, u32 ioas_id)
{
	bool owns_ioas = !ioas_id;
	struct wddmcompat_adapter *adapter;
	int rc;

	if (owns_ioas) {
		rc = wddm_ioas_alloc(&ctx->iommufd, &ioas_id);
		if (rc)
			return ERR_PTR(rc);
	}
	adapter = adapter_create(ctx, ioas_id);
	if (IS_ERR(adapter)) {
		if (owns_ioas)
			wddm_ioas_free(&ctx->iommufd, ioas_id);
		return adapter;
	}
	adapter->owns_ioas = owns_ioas;
	wddm_handle_publish(&ctx->handles, &adapter->obj);
	return adapter;
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_adapter_create, WDDM_EXPORT_NS);

/**
 * wddmcompat_adapter_destroy() - The end of a logical adapter
 * @adapter: From wddmcompat_adapter_create()
 *
 * Detaches its devices, as wddmcompat_adapter_detach_device() does.
 *
 * Context: May sleep; any process or kthread.
 * Return: 0, or -EBUSY while the adapter has mappings: then nothing is done.
 */
int wddmcompat_adapter_destroy(struct wddmcompat_adapter *adapter)
{
	return adapter_destroy(adapter);
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_adapter_destroy, WDDM_EXPORT_NS);

static struct adapter_device *
adapter_find_device(struct wddmcompat_adapter *adapter, struct device *dev)
{
	struct adapter_device *adev;

	lockdep_assert_held(&adapter->devices_lock);
	list_for_each_entry(adev, &adapter->devices, elm) {
		if (adev->dev == dev)
			return adev;
	}
	return NULL;
}

static int adapter_attach_device(struct wddmcompat_adapter *adapter,
				 struct device *dev)
{
	u32 device_id, pt_id = adapter->ioas.id;
	struct adapter_device *adev;
	int rc;

	adev = kzalloc_obj(*adev, GFP_KERNEL);
	if (!adev)
		return -ENOMEM;
	adev->dev = dev;
	adev->idev = iommufd_device_bind(adapter->ioas.iommufd->ictx, dev,
					 &device_id);
	if (IS_ERR(adev->idev)) {
		rc = PTR_ERR(adev->idev);
		goto err_free;
	}
	rc = wddm_device_attach(adev->idev, &pt_id);
	if (rc)
		goto err_unbind;
	list_add_tail(&adev->elm, &adapter->devices);
	return 0;

err_unbind:
	iommufd_device_unbind(adev->idev);
err_free:
	kfree(adev);
	return rc;
}

/**
 * wddmcompat_adapter_attach_device() - Attach a device to a logical adapter
 * @adapter: The adapter
 * @dev: Device whose driver the caller is, with .driver_managed_dma set
 *
 * The device's DMA goes through the adapter's IOAS from then on: it reaches what
 * is mapped there, and nothing else. The caller detaches the device before its
 * driver is unbound from it.
 *
 * Context: May sleep; any process or kthread.
 * Return: 0, -EEXIST (it is attached to this adapter), -EPERM (the IOMMU does not
 * isolate its interrupts), -EBUSY (another owner has it), -ENOMEM, or what its
 * IOMMU's driver returns.
 */
int wddmcompat_adapter_attach_device(struct wddmcompat_adapter *adapter,
				     struct device *dev)
{
	int rc = -EEXIST;

	mutex_lock(&adapter->devices_lock);
	if (!adapter_find_device(adapter, dev))
		rc = adapter_attach_device(adapter, dev);
	mutex_unlock(&adapter->devices_lock);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_adapter_attach_device, WDDM_EXPORT_NS);

/**
 * wddmcompat_adapter_detach_device() - Undo wddmcompat_adapter_attach_device()
 * @adapter: The adapter
 * @dev: The device. If it is not attached, nothing is done
 *
 * From then on the device reaches nothing of what is mapped to the adapter. It is
 * back in the kernel's default domain: under iommu=pt that lets it reach all memory,
 * so a driver keeps it from doing DMA before. Mappings of the adapter stay.
 *
 * Context: May sleep; any process or kthread.
 */
void wddmcompat_adapter_detach_device(struct wddmcompat_adapter *adapter,
				      struct device *dev)
{
	struct adapter_device *adev;

	mutex_lock(&adapter->devices_lock);
	adev = adapter_find_device(adapter, dev);
	if (adev)
		adapter_device_free(adev);
	mutex_unlock(&adapter->devices_lock);
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_adapter_detach_device, WDDM_EXPORT_NS);
