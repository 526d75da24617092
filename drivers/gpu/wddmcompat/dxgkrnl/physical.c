// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical memory objects: memory first, for an adapter or none, and what is done with
 * it later: view.c gives the CPU an address, adl.c the adapter.
 *
 * A destroyed object would be missed by an adapter that has opened it and by an
 * address of the kernel; those are its uses, and while it has one it stays.
 */
#include <linux/err.h>
#include <linux/ioport.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "../compat.h"
#include "dxgk.h"

void dxgk_physical_free(struct wddm_object *obj)
{
	struct dxgk_physical *physical =
		container_of(obj, struct dxgk_physical, obj);

	if (physical->device)
		wddm_object_put(&physical->device->obj);
	mutex_destroy(&physical->lock);
	kfree(physical);
}

void dxgk_opened_free(struct wddm_object *obj)
{
	struct dxgk_opened *opened = container_of(obj, struct dxgk_opened, obj);

	wddm_object_put(&opened->physical->obj);
	wddm_object_put(&opened->device->obj);
	kfree(opened);
}

static void physical_release(struct dxgk_allocation *allocation)
{
	struct dxgk_physical *physical =
		container_of(allocation, struct dxgk_physical, allocation);

	dxgk_views_release(physical);
	if (physical->pages)
		dxgk_pages_put(physical->pages);
	wddm_object_remove(&physical->obj);
}

static const struct dxgk_kind kind_physical = {
	.name = "physical memory object",
	.release = physical_release,
};

static void opened_release(struct dxgk_allocation *allocation)
{
	struct dxgk_opened *opened =
		container_of(allocation, struct dxgk_opened, allocation);
	struct dxgk_physical *physical = opened->physical;

	mutex_lock(&physical->lock);
	physical->opened = NULL;
	mutex_unlock(&physical->lock);
	wddm_object_unuse(&physical->obj);
	wddm_object_remove(&opened->obj);
}

static const struct dxgk_kind kind_opened = {
	.name = "opened physical memory object",
	.release = opened_release,
};

/* Begin to work on an object, and on the adapter that it was created for */
struct dxgk_physical *dxgk_physical_enter(HANDLE handle)
{
	struct dxgk_physical *physical;
	struct wddm_object *obj;
	int rc;

	obj = dxgk_object_get(handle, WDDM_OBJECT_DXGK_PHYSICAL);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	physical = container_of(obj, struct dxgk_physical, obj);
	if (physical->device) {
		rc = dxgk_enter_device(physical->device);
		if (rc) {
			wddm_object_put(obj);
			return ERR_PTR(rc);
		}
	}
	return physical;
}

void dxgk_physical_leave(struct dxgk_physical *physical)
{
	if (physical->device)
		dxgk_leave(physical->device);
	wddm_object_put(&physical->obj);
}

/* A device's registers, or memory of its own: what is not the kernel's memory */
static int physical_check_io(const DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT *args)
{
	u64 base = args->IOSpace.BaseAddress.QuadPart;
	u64 size = ROUND_TO_PAGES(args->Size);

	if (!PAGE_ALIGNED(base) || base > iomem_resource.end ||
	    size - 1 > iomem_resource.end - base ||
	    !dxgk_cache_is_valid(args->CacheType))
		return -EINVAL;
	return dxgk_is_memory(base, size) ? -EINVAL : 0;
}

static int
physical_check_section(const DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT *args)
{
	if (args->CacheType == DXGK_MEMORY_CACHING_TYPE_NON_CACHED ||
	    (args->Section.PageProtection != PAGE_READONLY &&
	     args->Section.PageProtection != PAGE_READWRITE) ||
	    args->Section.AllocationAttributes & ~SEC_COMMIT ||
	    args->Section.ObjectAttributes)
		return -EINVAL;
	return 0;
}

static struct dxgk_pages *
physical_new_pages(const DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT *args,
		   u64 limit)
{
	const typeof(args->ContiguousMemory) *contiguous =
		&args->ContiguousMemory;
	const PHYSICAL_ADDRESS none = {};
	const PHYSICAL_ADDRESS all = { .QuadPart = S64_MAX };
	int rc;

	switch (args->Type) {
	case DXGK_PHYSICAL_MEMORY_TYPE_MDL:
		/* An object can be shown to a process, so it never has old contents */
		return dxgk_new_pages(args->Size, args->Mdl.LowAddress,
				      args->Mdl.HighAddress,
				      args->Mdl.SkipBytes,
				      args->Mdl.Flags & ~MM_DONT_ZERO_ALLOCATION,
				      args->CacheType, limit);
	case DXGK_PHYSICAL_MEMORY_TYPE_CONTIGUOUS_MEMORY:
		return dxgk_new_contiguous(args->Size,
					   contiguous->LowestAcceptableAddress,
					   contiguous->HighestAcceptableAddress,
					   contiguous->BoundaryAddressMultiple,
					   args->CacheType, limit);
	case DXGK_PHYSICAL_MEMORY_TYPE_SECTION:
		rc = physical_check_section(args);
		if (rc)
			return ERR_PTR(rc);
		return dxgk_new_pages(args->Size, none, all, none, 0,
				      args->CacheType, limit);
	case DXGK_PHYSICAL_MEMORY_TYPE_IO_SPACE:
		rc = physical_check_io(args);
		return ERR_PTR(rc);
	}
	return ERR_PTR(-EINVAL);
}

static struct dxgk_physical *
physical_alloc(const DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT *args,
	       struct dxgk_device *device)
{
	struct dxgk_physical *physical;
	int rc;

	physical = kzalloc_obj(*physical, GFP_KERNEL);
	if (!physical)
		return ERR_PTR(-ENOMEM);
	rc = wddm_object_init(&physical->obj, dxgk_objects,
			      WDDM_OBJECT_DXGK_PHYSICAL);
	if (rc) {
		kfree(physical);
		return ERR_PTR(rc);
	}
	mutex_init(&physical->lock);
	INIT_LIST_HEAD(&physical->adls);
	INIT_LIST_HEAD(&physical->views);
	physical->leaks = &dxgk_unbound;
	if (device) {
		wddm_object_get(&device->obj);
		physical->device = device;
		physical->leaks = &device->adapter->leaks;
	}
	physical->type = args->Type;
	physical->size = ROUND_TO_PAGES(args->Size);
	physical->cache = args->CacheType;
	if (args->Type == DXGK_PHYSICAL_MEMORY_TYPE_IO_SPACE)
		physical->io_base = args->IOSpace.BaseAddress.QuadPart;
	if (args->Type == DXGK_PHYSICAL_MEMORY_TYPE_CONTIGUOUS_MEMORY)
		physical->boundary =
			args->ContiguousMemory.BoundaryAddressMultiple.QuadPart;
	if (args->Type == DXGK_PHYSICAL_MEMORY_TYPE_SECTION)
		physical->readonly = args->Section.PageProtection ==
				     PAGE_READONLY;
	return physical;
}

static struct dxgk_physical *
physical_create(const DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT *args,
		struct dxgk_device *device)
{
	struct dxgk_physical *physical;
	u64 limit = device ? dxgk_physical_limit(device->adapter) : U64_MAX;

	if (!args->Size || args->Size > S64_MAX)
		return ERR_PTR(-EINVAL);
	physical = physical_alloc(args, device);
	if (IS_ERR(physical))
		return physical;
	physical->pages = physical_new_pages(args, limit);
	if (IS_ERR(physical->pages)) {
		int rc = PTR_ERR(physical->pages);

		wddm_object_remove(&physical->obj);
		return ERR_PTR(rc);
	}
	return physical;
}

/* Not known to anybody yet */
static struct dxgk_opened *opened_create(struct dxgk_physical *physical,
					 struct dxgk_device *device)
{
	struct dxgk_opened *opened;
	int rc;

	/* iommufd takes user memory and nothing else from us */
	if (!physical->pages)
		return ERR_PTR(-EOPNOTSUPP);
	opened = kzalloc_obj(*opened, GFP_KERNEL);
	if (!opened)
		return ERR_PTR(-ENOMEM);
	rc = wddm_object_init(&opened->obj, dxgk_objects,
			      WDDM_OBJECT_DXGK_OPENED);
	if (rc)
		goto err_free;
	rc = wddm_object_use(&physical->obj);
	if (rc)
		goto err_handle;
	mutex_lock(&physical->lock);
	if (!physical->opened)
		physical->opened = opened;
	else
		rc = -EALREADY;
	mutex_unlock(&physical->lock);
	if (rc)
		goto err_unuse;
	wddm_object_get(&physical->obj);
	opened->physical = physical;
	wddm_object_get(&device->obj);
	opened->device = device;
	return opened;

err_unuse:
	wddm_object_unuse(&physical->obj);
err_handle:
	wddm_handle_release(&dxgk_objects->handles, opened->obj.handle);
err_free:
	kfree(opened);
	return ERR_PTR(rc);
}

static HANDLE opened_publish(struct dxgk_opened *opened, void *caller)
{
	dxgk_leaks_add(&opened->device->adapter->leaks, &opened->allocation,
		       &kind_opened, opened->physical->size, caller);
	wddm_handle_publish(&dxgk_objects->handles, &opened->obj);
	return dxgk_handle(&opened->obj);
}

static int create_physical(DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT *args,
			   struct dxgk_device *device, void *caller)
{
	struct dxgk_opened *opened = NULL;
	struct dxgk_physical *physical;

	physical = physical_create(args, device);
	if (IS_ERR(physical))
		return PTR_ERR(physical);
	if (device) {
		opened = opened_create(physical, device);
		if (IS_ERR(opened)) {
			physical_release(&physical->allocation);
			return PTR_ERR(opened);
		}
	}
	dxgk_leaks_add(physical->leaks, &physical->allocation, &kind_physical,
		       physical->size, caller);
	wddm_handle_publish(&dxgk_objects->handles, &physical->obj);
	args->hPhysicalMemoryObject = dxgk_handle(&physical->obj);
	if (opened)
		args->hAdapterMemoryObject = opened_publish(opened, caller);
	return 0;
}

/* DxgkCbCreatePhysicalMemoryObject */
NTSTATUS dxgk_create_physical(DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT *args)
{
	struct dxgk_device *device = NULL;
	int rc;

	might_sleep();
	if (!args)
		return STATUS_INVALID_PARAMETER;
	args->hPhysicalMemoryObject = NULL;
	args->hAdapterMemoryObject = NULL;
	if (args->hAdapter) {
		device = dxgk_enter_any(args->hAdapter);
		if (IS_ERR(device))
			return dxgk_errno_to_status(PTR_ERR(device));
	}
	rc = create_physical(args, device, __builtin_return_address(0));
	if (device)
		dxgk_leave(device);
	return dxgk_errno_to_status(rc);
}

/* DxgkCbOpenPhysicalMemoryObject */
NTSTATUS dxgk_open_physical(DXGKARGCB_OPEN_PHYSICAL_MEMORY_OBJECT *args)
{
	struct dxgk_physical *physical;
	struct dxgk_device *device;
	struct dxgk_opened *opened;
	struct wddm_object *obj;
	int rc = 0;

	might_sleep();
	if (!args)
		return STATUS_INVALID_PARAMETER;
	args->hAdapterMemoryObject = NULL;
	device = dxgk_enter_any(args->hAdapter);
	if (IS_ERR(device))
		return dxgk_errno_to_status(PTR_ERR(device));
	/* Not entered: what was created for an adapter is open already */
	obj = dxgk_object_get(args->hPhysicalMemoryObject,
			      WDDM_OBJECT_DXGK_PHYSICAL);
	if (IS_ERR(obj)) {
		rc = PTR_ERR(obj);
		goto out_leave;
	}
	physical = container_of(obj, struct dxgk_physical, obj);
	opened = physical->device ? ERR_PTR(-EALREADY) :
				    opened_create(physical, device);
	if (IS_ERR(opened))
		rc = PTR_ERR(opened);
	else
		args->hAdapterMemoryObject =
			opened_publish(opened, __builtin_return_address(0));
	wddm_object_put(obj);

out_leave:
	dxgk_leave(device);
	return dxgk_errno_to_status(rc);
}

/* Begin to work on an opened object, and on the adapter that has opened it */
struct dxgk_opened *dxgk_opened_enter(HANDLE handle)
{
	struct dxgk_opened *opened;
	struct wddm_object *obj;
	int rc;

	obj = dxgk_object_get(handle, WDDM_OBJECT_DXGK_OPENED);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	opened = container_of(obj, struct dxgk_opened, obj);
	rc = dxgk_enter_device(opened->device);
	if (rc) {
		wddm_object_put(obj);
		return ERR_PTR(rc);
	}
	return opened;
}

void dxgk_opened_leave(struct dxgk_opened *opened)
{
	dxgk_leave(opened->device);
	wddm_object_put(&opened->obj);
}

static void opened_close(struct dxgk_opened *opened)
{
	dxgk_leaks_del(&opened->device->adapter->leaks, &opened->allocation);
	opened_release(&opened->allocation);
}

/* DxgkCbClosePhysicalMemoryObject */
VOID dxgk_close_physical(const DXGKARGCB_CLOSE_PHYSICAL_MEMORY_OBJECT *args)
{
	struct dxgk_opened *opened = ERR_PTR(-EINVAL);
	int rc;

	might_sleep();
	if (args)
		opened = dxgk_opened_enter(args->hAdapterMemoryObject);
	rc = PTR_ERR_OR_ZERO(opened);
	if (!rc) {
		rc = wddm_object_retire(&opened->obj);
		if (!rc)
			opened_close(opened);
		dxgk_opened_leave(opened);
	}
	if (rc)
		wddm_complain("DxgkCbClosePhysicalMemoryObject", rc,
			      __builtin_return_address(0));
}

/* Retired, so that nobody else does it */
static void physical_destroy(struct dxgk_physical *physical)
{
	dxgk_leaks_del(physical->leaks, &physical->allocation);
	physical_release(&physical->allocation);
}

static int destroy_physical(HANDLE handle)
{
	struct dxgk_physical *physical = dxgk_physical_enter(handle);
	int rc;

	if (IS_ERR(physical))
		return PTR_ERR(physical);
	rc = wddm_object_retire(&physical->obj);
	if (!rc)
		physical_destroy(physical);
	dxgk_physical_leave(physical);
	return rc;
}

/* Both or none: the opened object is closed only if nothing else uses the memory */
static int destroy_both(struct dxgk_opened *opened)
{
	struct dxgk_physical *physical = opened->physical;
	int rc;

	rc = wddm_object_retire(&opened->obj);
	if (rc)
		return rc;
	/* That it is opened is its only use */
	rc = wddm_object_retire_used(&physical->obj, 1);
	if (rc) {
		wddm_object_unretire(&opened->obj);
		return rc;
	}
	/* That this ends a use once more means nothing to what is retired */
	opened_close(opened);
	physical_destroy(physical);
	return 0;
}

static int destroy_opened(HANDLE handle, HANDLE opened_handle)
{
	struct dxgk_opened *opened = dxgk_opened_enter(opened_handle);
	int rc = -ENXIO;

	if (IS_ERR(opened))
		return PTR_ERR(opened);
	if (dxgk_handle(&opened->physical->obj) == handle)
		rc = destroy_both(opened);
	dxgk_opened_leave(opened);
	return rc;
}

/* DxgkCbDestroyPhysicalMemoryObject */
VOID dxgk_destroy_physical(const DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT *args)
{
	int rc = -EINVAL;

	might_sleep();
	if (args && args->hAdapterMemoryObject)
		rc = destroy_opened(args->hPhysicalMemoryObject,
				    args->hAdapterMemoryObject);
	else if (args)
		rc = destroy_physical(args->hPhysicalMemoryObject);
	if (rc)
		wddm_complain("DxgkCbDestroyPhysicalMemoryObject", rc,
			      __builtin_return_address(0));
}
