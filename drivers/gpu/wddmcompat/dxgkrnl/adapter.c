// SPDX-License-Identifier: GPL-2.0-only
/*
 * Logical adapters: one or more linked devices behind one IOMMU domain, how they
 * are started and stopped, and who may work on them in between.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "../compat.h"
#include "dxgk.h"

struct wddmcompat_context *dxgk_objects;
struct dxgk_leaks dxgk_unbound;

int dxgk_init(void)
{
	dxgk_objects = wddm_context_alloc(NULL);
	if (!dxgk_objects)
		return -ENOMEM;
	dxgk_leaks_init(&dxgk_unbound);
	return 0;
}

/* Every module that had an adapter is gone, so only memory for none can be left */
void dxgk_exit(void)
{
	dxgk_leaks_release(&dxgk_unbound, "no adapter");
	wddm_context_free(dxgk_objects);
}

static void adapter_release(struct kref *refs)
{
	struct dxgk_adapter *adapter =
		container_of(refs, struct dxgk_adapter, refs);

	mutex_destroy(&adapter->shared_lock);
	kfree(adapter);
}

void dxgk_device_free(struct wddm_object *obj)
{
	struct dxgk_device *device = container_of(obj, struct dxgk_device, obj);

	kref_put(&device->adapter->refs, adapter_release);
	kfree(device);
}

/* What @handle names, with a reference, or ERR_PTR(-ENXIO) */
struct wddm_object *dxgk_object_get(HANDLE handle,
				    enum wddmcompat_object_type type)
{
	struct wddm_object *obj;

	if (wddm_handle_type((uintptr_t)handle) != type)
		return ERR_PTR(-ENXIO);
	obj = wddm_handle_get(&dxgk_objects->handles, (uintptr_t)handle);
	return IS_ERR(obj) ? ERR_PTR(-ENXIO) : obj;
}

/**
 * dxgk_enter_device() - Begin to work on the adapter of a device
 * @device: The device, of which the caller has a reference
 *
 * Return: 0: it runs until dxgk_leave(). -ENXIO: it has been stopped, and the
 * reference is as before.
 */
int dxgk_enter_device(struct dxgk_device *device)
{
	struct dxgk_adapter *adapter = device->adapter;

	down_read(&adapter->running);
	if (adapter->stopped) {
		up_read(&adapter->running);
		return -ENXIO;
	}
	wddm_object_get(&device->obj);
	return 0;
}

void dxgk_leave(struct dxgk_device *device)
{
	up_read(&device->adapter->running);
	wddm_object_put(&device->obj);
}

/* Begin to work on the adapter that any device of a linked chain belongs to */
struct dxgk_device *dxgk_enter_any(HANDLE adapter)
{
	struct dxgk_device *device;
	struct wddm_object *obj;
	int rc;

	obj = dxgk_object_get(adapter, WDDM_OBJECT_DXGK_DEVICE);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	device = container_of(obj, struct dxgk_device, obj);
	rc = dxgk_enter_device(device);
	wddm_object_put(obj);
	return rc ? ERR_PTR(rc) : device;
}

/**
 * dxgk_enter() - Begin to work on an adapter
 * @adapter: hAdapter, as the miniport gave it
 *
 * Return: The lead device, for dxgk_leave(); ERR_PTR(-ENXIO): no adapter, or one
 * that has been stopped; -EINVAL: another device of a linked chain.
 */
struct dxgk_device *dxgk_enter(HANDLE adapter)
{
	struct dxgk_device *device = dxgk_enter_any(adapter);

	if (!IS_ERR(device) && device->index) {
		dxgk_leave(device);
		return ERR_PTR(-EINVAL);
	}
	return device;
}

/* Ask the miniport. -EOPNOTSUPP if it does not know. */
static int linked_query(struct dxgk_device *device,
			DXGK_QUERYADAPTERINFOTYPE type, void *in,
			unsigned int in_size, void *out, unsigned int out_size)
{
	const DXGKARG_QUERYADAPTERINFO args = {
		.Type = type,
		.pInputData = in,
		.InputDataSize = in_size,
		.pOutputData = out,
		.OutputDataSize = out_size,
	};
	const DRIVER_INITIALIZATION_DATA *init = &device->adapter->init;

	return dxgk_status_to_errno(init->DxgkDdiQueryAdapterInfo(device->context,
								  &args));
}

/* Caps before WDDM 2.9, which knows 1:1 only */
static int adapter_query_driver_caps(struct dxgk_adapter *adapter)
{
	DXGK_DRIVERCAPS caps = {};
	int rc;

	rc = linked_query(adapter->devs[0], DXGKQAITYPE_DRIVERCAPS, NULL, 0,
			  &caps, sizeof(caps));
	if (rc)
		return rc;
	if (!caps.MemoryManagementCaps.IoMmuSecureModeSupported)
		return -EOPNOTSUPP;
	adapter->identity = true;
	adapter->highest = caps.HighestAcceptableAddress.QuadPart;
	return 0;
}

/* An adapter that works without an IOMMU has no need of us, and gets none of it */
static int adapter_query_caps(struct dxgk_adapter *adapter)
{
	struct dxgk_device *lead = adapter->devs[0];
	DXGK_PHYSICAL_MEMORY_CAPS memory_caps = {};
	DXGK_IOMMU_CAPS iommu_caps = {};
	int rc;

	if (adapter->init.Version < DXGKDDI_INTERFACE_VERSION_WDDM2_9)
		return adapter_query_driver_caps(adapter);
	rc = linked_query(lead, DXGKQAITYPE_IOMMU_CAPS, NULL, 0, &iommu_caps,
			  sizeof(iommu_caps));
	if (rc)
		return rc;
	/* IommuIsolationRequired asks for no more: there is always an IOMMU */
	if (!iommu_caps.DmaRemappingSupported &&
	    !iommu_caps.IommuIsolationSupported)
		return -EOPNOTSUPP;
	rc = linked_query(lead, DXGKQAITYPE_PHYSICAL_MEMORY_CAPS, NULL, 0,
			  &memory_caps, sizeof(memory_caps));
	if (rc)
		return rc;
	adapter->identity = !iommu_caps.DmaRemappingSupported;
	adapter->highest = memory_caps.HighestVisibleAddress.QuadPart;
	return 0;
}

/**
 * dxgk_adapter_query_reserved() - Ask which memory the hardware uses always
 * @adapter: The adapter
 * @ranges: NumRanges, and if not NULL pPhysicalRanges, which has room for as many
 *
 * Return: 0, or the miniport's error.
 */
int dxgk_adapter_query_reserved(struct dxgk_adapter *adapter,
				DXGK_HARDWARERESERVEDRANGES *ranges)
{
	int rc;

	rc = linked_query(adapter->devs[0], DXGKQAITYPE_HARDWARERESERVEDRANGES,
			  NULL, 0, ranges, sizeof(*ranges));
	if (rc == -EOPNOTSUPP) {
		ranges->NumRanges = 0;
		return 0;
	}
	return rc;
}

static int linked_init_frame(struct dxgk_device *device)
{
	DXGK_FRAMEBUFFERSAVEAREA area = {};
	UINT index = device->index;
	int rc;

	rc = linked_query(device, DXGKQAITYPE_FRAMEBUFFERSAVESIZE, &index,
			  sizeof(index), &area, sizeof(area));
	if (rc == -EOPNOTSUPP)
		area.MaximumSize = 0;
	else if (rc)
		return rc;
	return dxgk_frame_init(device, area.MaximumSize);
}

static int linked_begin_exclusive(struct dxgk_device *device)
{
	const DRIVER_INITIALIZATION_DATA *init = &device->adapter->init;
	DXGKARG_BEGINEXCLUSIVEACCESS args = {};
	NTSTATUS status;

	status = init->DxgkDdiBeginExclusiveAccess(device->context, &args);
	return dxgk_status_to_errno(status);
}

static int linked_end_exclusive(struct dxgk_device *device)
{
	const DRIVER_INITIALIZATION_DATA *init = &device->adapter->init;
	DXGKARG_ENDEXCLUSIVEACCESS args = {};
	NTSTATUS status;

	status = init->DxgkDdiEndExclusiveAccess(device->context, &args);
	return dxgk_status_to_errno(status);
}

/*
 * Back to the kernel's own domain, which may let it reach all memory: so a PCI
 * device is kept from doing DMA first. Cannot be refused.
 */
static void linked_detach(struct dxgk_device *device)
{
	int rc;

	if (!device->attached)
		return;
	if (dev_is_pci(device->dev))
		pci_clear_master(to_pci_dev(device->dev));
	rc = linked_begin_exclusive(device);
	if (rc)
		dev_warn(device->dev, "detached without being silent: %d\n", rc);
	wddmcompat_adapter_detach_device(device->adapter->adapter, device->dev);
	rc = linked_end_exclusive(device);
	if (rc)
		dev_warn(device->dev, "not back from being silent: %d\n", rc);
	device->attached = false;
}

static int linked_attach(struct dxgk_device *device)
{
	int rc, end_rc;

	rc = linked_begin_exclusive(device);
	if (rc)
		return rc;
	rc = wddmcompat_adapter_attach_device(device->adapter->adapter,
					      device->dev);
	device->attached = !rc;
	end_rc = linked_end_exclusive(device);
	return rc ?: end_rc;
}

static int linked_start(struct dxgk_device *device)
{
	const DRIVER_INITIALIZATION_DATA *init = &device->adapter->init;
	DXGK_START_INFO info = {};
	DXGKRNL_INTERFACE interface;
	ULONG sources = 0, children = 0;
	NTSTATUS status;

	dxgk_interface_fill(&interface, init->Version,
			    dxgk_handle(&device->obj));
	status = init->DxgkDdiStartDevice(device->context, &info, &interface,
					  &sources, &children);
	device->started = NT_SUCCESS(status);
	return dxgk_status_to_errno(status);
}

static void linked_stop(struct dxgk_device *device)
{
	NTSTATUS status;

	if (!device->started)
		return;
	status = device->adapter->init.DxgkDdiStopDevice(device->context);
	if (!NT_SUCCESS(status))
		dev_warn(device->dev, "does not stop: %#x\n", status);
	device->started = false;
}

/* A device of the chain, as the miniport knows it */
static int linked_add(struct dxgk_adapter *adapter, unsigned int index,
		      struct device *dev)
{
	struct dxgk_device *device;
	NTSTATUS status;
	int rc;

	device = kzalloc_obj(*device, GFP_KERNEL);
	if (!device)
		return -ENOMEM;
	rc = wddm_object_init(&device->obj, dxgk_objects,
			      WDDM_OBJECT_DXGK_DEVICE);
	if (rc) {
		kfree(device);
		return rc;
	}
	kref_get(&adapter->refs);
	device->adapter = adapter;
	device->index = index;
	device->dev = dev;
	status = adapter->init.DxgkDdiAddDevice(dev, &device->context);
	rc = dxgk_status_to_errno(status);
	/* NULL is how a miniport says that it does not want the device */
	if (!rc && !device->context)
		rc = -ENODEV;
	if (rc) {
		wddm_object_remove(&device->obj);
		return rc;
	}
	adapter->devs[index] = device;
	return 0;
}

static void linked_remove(struct dxgk_device *device)
{
	NTSTATUS status;

	dxgk_frame_fini(device);
	status = device->adapter->init.DxgkDdiRemoveDevice(device->context);
	if (!NT_SUCCESS(status))
		dev_warn(device->dev, "cannot be removed: %#x\n", status);
	wddm_object_remove(&device->obj);
}

static int adapter_attach_devices(struct dxgk_adapter *adapter)
{
	unsigned int i;
	int rc;

	for (i = 0; i < adapter->num_devs; i++) {
		rc = linked_attach(adapter->devs[i]);
		if (rc)
			return rc;
	}
	if (adapter->identity)
		return 0;
	/* What is reserved for the devices is known now, and nothing chosen yet */
	return wddm_ioas_limit(&adapter->adapter->ioas, adapter->highest);
}

static int adapter_start_devices(struct dxgk_adapter *adapter)
{
	unsigned int i;
	int rc;

	for (i = 0; i < adapter->num_devs; i++)
		wddm_handle_publish(&dxgk_objects->handles,
				    &adapter->devs[i]->obj);
	for (i = 0; i < adapter->num_devs; i++) {
		rc = linked_start(adapter->devs[i]);
		if (rc)
			return rc;
	}
	return 0;
}

/* Everything from the devices' caps on, in this order */
static int adapter_start(struct dxgk_adapter *adapter)
{
	unsigned int i;
	int rc;

	rc = adapter_query_caps(adapter);
	if (rc)
		return rc;
	if (!adapter->highest)
		return -EINVAL;
	for (i = 0; i < adapter->num_devs; i++) {
		rc = linked_init_frame(adapter->devs[i]);
		if (rc)
			return rc;
	}
	rc = dxgk_reserved_map(adapter);
	if (rc)
		return rc;
	rc = adapter_attach_devices(adapter);
	if (rc)
		return rc;
	return adapter_start_devices(adapter);
}

/* Undo adapter_start(), however far it came */
static void adapter_stop(struct dxgk_adapter *adapter)
{
	unsigned int i;

	for (i = adapter->num_devs; i--;)
		linked_stop(adapter->devs[i]);
	down_write(&adapter->running);
	adapter->stopped = true;
	up_write(&adapter->running);
	dxgk_leaks_release(&adapter->leaks, dev_name(adapter->devs[0]->dev));
	for (i = adapter->num_devs; i--;)
		linked_detach(adapter->devs[i]);
	dxgk_reserved_unmap(adapter);
}

static struct dxgk_adapter *
adapter_alloc(const DRIVER_INITIALIZATION_DATA *init, unsigned int max_devs)
{
	struct dxgk_adapter *adapter;
	int rc;

	adapter = kzalloc(struct_size(adapter, devs, max_devs), GFP_KERNEL);
	if (!adapter)
		return ERR_PTR(-ENOMEM);
	adapter->num_devs = max_devs;
	adapter->ctx = wddmcompat_context_create(NULL);
	if (IS_ERR(adapter->ctx)) {
		rc = PTR_ERR(adapter->ctx);
		goto err_free;
	}
	adapter->adapter = wddmcompat_adapter_create(adapter->ctx, 0);
	if (IS_ERR(adapter->adapter)) {
		rc = PTR_ERR(adapter->adapter);
		goto err_ctx;
	}
	kref_init(&adapter->refs);
	adapter->init = *init;
	init_rwsem(&adapter->running);
	dxgk_leaks_init(&adapter->leaks);
	mutex_init(&adapter->shared_lock);
	xa_init(&adapter->shared);
	return adapter;

err_ctx:
	wddmcompat_context_destroy(adapter->ctx);
err_free:
	kfree(adapter);
	return ERR_PTR(rc);
}

static void adapter_free(struct dxgk_adapter *adapter, unsigned int num_devs)
{
	while (num_devs--)
		linked_remove(adapter->devs[num_devs]);
	wddmcompat_context_destroy(adapter->ctx);
	kref_put(&adapter->refs, adapter_release);
}

static int init_check(const DRIVER_INITIALIZATION_DATA *init)
{
	if (!init->DxgkDdiAddDevice || !init->DxgkDdiStartDevice ||
	    !init->DxgkDdiStopDevice || !init->DxgkDdiRemoveDevice ||
	    !init->DxgkDdiQueryAdapterInfo ||
	    !init->DxgkDdiBeginExclusiveAccess ||
	    !init->DxgkDdiEndExclusiveAccess)
		return -EINVAL;
	if (!init->Version || init->Version > DXGKDDI_INTERFACE_VERSION_WDDM3_0)
		return -EPROTONOSUPPORT;
	return 0;
}

/**
 * dxgk_adapter_start() - Start a logical adapter
 * @init: The miniport's functions, which are copied
 * @devs: Its devices, linked if there are several; the first is the lead. The caller
 *        is their driver, with .driver_managed_dma set, and keeps them bound
 * @num_devs: Devices in @devs, 1 to DXGK_LINKED_MAX
 *
 * Adds each device to the miniport, asks for the caps of the lead, attaches all to
 * one IOMMU domain, each while it is silent, and starts them. From DxgkDdiStartDevice
 * on the miniport may call what DXGKRNL_INTERFACE has. DMA is off until the miniport
 * calls pci_set_master(). If anything fails, all is undone.
 *
 * WDDM: what Dxgkrnl does between DxgkDdiAddDevice and DxgkDdiStartDevice.
 *
 * Context: May sleep; any process or kthread. Calls the miniport.
 * Return: The adapter, which dxgk_adapter_stop() takes back, or ERR_PTR: -EINVAL (no
 * or too many devices, a function is missing, or what the miniport says of its memory
 * is not right), -EPROTONOSUPPORT (a version that is not known), -EOPNOTSUPP (the
 * miniport supports neither remapping nor isolation, or its hardware uses memory that
 * iommufd cannot map), -ENODEV (the miniport does not want a device, or there is no
 * /dev/iommu), -ENOMEM (also if the frame buffer's save area is too large), what
 * wddmcompat_adapter_attach_device() returns, or the miniport's error as
 * dxgk_status_to_errno() tells it.
 */
struct dxgk_adapter *
dxgk_adapter_start(const struct _DRIVER_INITIALIZATION_DATA *init,
		   struct device *const *devs, unsigned int num_devs)
{
	struct dxgk_adapter *adapter;
	unsigned int i;
	int rc;

	might_sleep();
	if (!num_devs || num_devs > DXGK_LINKED_MAX)
		return ERR_PTR(-EINVAL);
	rc = init_check(init);
	if (rc)
		return ERR_PTR(rc);
	adapter = adapter_alloc(init, num_devs);
	if (IS_ERR(adapter))
		return adapter;
	for (i = 0; i < num_devs; i++) {
		rc = linked_add(adapter, i, devs[i]);
		if (rc) {
			adapter_free(adapter, i);
			return ERR_PTR(rc);
		}
	}
	rc = adapter_start(adapter);
	if (rc) {
		adapter_stop(adapter);
		adapter_free(adapter, num_devs);
		return ERR_PTR(rc);
	}
	return adapter;
}
EXPORT_SYMBOL_NS_GPL(dxgk_adapter_start, WDDM_EXPORT_NS);

/**
 * dxgk_adapter_stop() - Stop a logical adapter
 * @adapter: From dxgk_adapter_start()
 *
 * Stops each device by the miniport, which gives back what it has allocated and
 * mapped. What it has not is given back for it, with a line in the log. Then the
 * devices are kept from doing DMA, detached, and removed. After this every handle of
 * the adapter names nothing.
 *
 * WDDM: what Dxgkrnl does from DxgkDdiStopDevice to DxgkDdiRemoveDevice.
 *
 * Context: May sleep; any process or kthread. Calls the miniport.
 */
void dxgk_adapter_stop(struct dxgk_adapter *adapter)
{
	unsigned int num_devs = adapter->num_devs;

	might_sleep();
	adapter_stop(adapter);
	adapter_free(adapter, num_devs);
}
EXPORT_SYMBOL_NS_GPL(dxgk_adapter_stop, WDDM_EXPORT_NS);
