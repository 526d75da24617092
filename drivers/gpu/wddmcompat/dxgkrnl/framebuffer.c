// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a frame buffer is saved while its device has no power: a file in memory for
 * each device, whose pages were promised when the adapter was started.
 *
 * A miniport pins the area and lets the device do the transfer. If that fails, for
 * want of memory or because the pages are where the device does not reach, it copies
 * through a small buffer, one piece of the area at a time.
 */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../compat.h"
#include "dxgk.h"

/**
 * struct frame_pages - Some pages of a save area, which stay while this is there
 * @num_pages: Their number
 * @pages: The pages
 */
struct frame_pages {
	unsigned long num_pages;
	struct page *pages[] __counted_by(num_pages);
};

/**
 * struct frame_pin - A save area, pinned and mapped
 * @allocation: To be given back
 * @device: Whose it is
 * @pages: The pages
 * @map: Where they are mapped
 * @mdl: What the miniport got, or
 * @adl: What it got
 */
struct frame_pin {
	struct dxgk_allocation allocation;
	struct dxgk_device *device;
	struct frame_pages *pages;
	struct dxgk_map map;
	PMDL mdl;
	DXGK_ADL adl;
};

/**
 * struct frame_view - A piece of a save area with an address
 * @allocation: To be given back
 * @node: In frame->views
 * @pages: The pages
 * @address: Where they are
 */
struct frame_view {
	struct dxgk_allocation allocation;
	struct list_head node;
	struct frame_pages *pages;
	void *address;
};

/**
 * dxgk_frame_init() - Make the save area of a device
 * @device: The device
 * @size: What the miniport needs at most; 0 for none
 *
 * The memory is promised here, as far as the kernel keeps promises
 * (vm.overcommit_memory), and used when something is saved.
 *
 * Return: 0, -EINVAL (not whole pages, or too many), -ENOMEM.
 */
int dxgk_frame_init(struct dxgk_device *device, size_t size)
{
	struct dxgk_frame_buffer *frame = &device->frame;
	u64 limit = dxgk_physical_limit(device->adapter);
	gfp_t gfp = GFP_KERNEL;
	struct file *file;

	mutex_init(&frame->lock);
	INIT_LIST_HEAD(&frame->views);
	if (!PAGE_ALIGNED(size) || size > DXGK_BYTES_MAX)
		return -EINVAL;
	if (!size)
		return 0;
	file = wddm_shmem_file_setup("wddmcompat frame buffer", size);
	if (IS_ERR(file))
		return PTR_ERR(file);
	/* Not movable, as they are pinned; and the device should reach them */
	if (IS_ENABLED(CONFIG_ZONE_DMA32) && limit <= DMA_BIT_MASK(32))
		gfp |= GFP_DMA32;
	mapping_set_gfp_mask(file->f_mapping, gfp);
	/* What was saved must be there before a disk is, when all are resumed */
	mapping_set_unevictable(file->f_mapping);
	frame->file = file;
	frame->size = size;
	return 0;
}

void dxgk_frame_fini(struct dxgk_device *device)
{
	struct dxgk_frame_buffer *frame = &device->frame;

	if (frame->file)
		fput(frame->file);
	frame->file = NULL;
}

/* Work on the save area of a device of the adapter that @adapter is the lead of */
static struct dxgk_device *frame_enter(HANDLE adapter, UINT index)
{
	struct dxgk_device *lead, *device;

	lead = dxgk_enter(adapter);
	if (IS_ERR(lead))
		return lead;
	if (index >= lead->adapter->num_devs) {
		dxgk_leave(lead);
		return ERR_PTR(-EINVAL);
	}
	device = lead->adapter->devs[index];
	wddm_object_get(&device->obj);
	wddm_object_put(&lead->obj);
	mutex_lock(&device->frame.lock);
	return device;
}

static void frame_leave(struct dxgk_device *device)
{
	mutex_unlock(&device->frame.lock);
	dxgk_leave(device);
}

static void frame_pages_put(struct frame_pages *pages)
{
	unsigned long i;

	for (i = 0; i < pages->num_pages && pages->pages[i]; i++) {
		set_page_dirty_lock(pages->pages[i]);
		put_page(pages->pages[i]);
	}
	kvfree(pages);
}

static struct frame_pages *frame_pages_get(struct dxgk_frame_buffer *frame,
					   size_t offset, size_t size)
{
	struct address_space *mapping = frame->file->f_mapping;
	unsigned long num_pages = size >> PAGE_SHIFT;
	unsigned long first = offset >> PAGE_SHIFT;
	struct frame_pages *pages;
	unsigned long i;

	pages = kvzalloc(struct_size(pages, pages, num_pages),
			 GFP_KERNEL | __GFP_NOWARN);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	pages->num_pages = num_pages;
	for (i = 0; i < num_pages; i++) {
		struct page *page = shmem_read_mapping_page(mapping, first + i);

		if (IS_ERR(page)) {
			frame_pages_put(pages);
			return ERR_CAST(page);
		}
		pages->pages[i] = page;
	}
	return pages;
}

/* Are these whole pages of the save area? */
static bool frame_has(const struct dxgk_frame_buffer *frame, size_t offset,
		      size_t size)
{
	return frame->file && size && PAGE_ALIGNED(size) &&
	       PAGE_ALIGNED(offset) && offset < frame->size &&
	       size <= frame->size - offset;
}

static void frame_pin_release(struct dxgk_allocation *allocation)
{
	struct frame_pin *pin =
		container_of(allocation, struct frame_pin, allocation);

	pin->device->frame.pinned = NULL;
	dxgk_unmap(&pin->map);
	dxgk_mdl_free(pin->mdl);
	dxgk_adl_clear(&pin->adl);
	frame_pages_put(pin->pages);
	kfree(pin);
}

static const struct dxgk_kind kind_pin = {
	.name = "pinned frame buffer save area",
	.release = frame_pin_release,
};

/* Pin and map; the caller adds what the miniport gets, and then publishes it */
static struct frame_pin *frame_pin(struct dxgk_device *device, size_t size)
{
	struct dxgk_frame_buffer *frame = &device->frame;
	struct frame_pin *pin;
	int rc;

	lockdep_assert_held(&frame->lock);
	if (!frame_has(frame, 0, size))
		return ERR_PTR(-EINVAL);
	if (frame->pinned)
		return ERR_PTR(-EBADFD);
	pin = kzalloc_obj(*pin, GFP_KERNEL);
	if (!pin)
		return ERR_PTR(-ENOMEM);
	pin->device = device;
	pin->pages = frame_pages_get(frame, 0, size);
	if (IS_ERR(pin->pages)) {
		rc = PTR_ERR(pin->pages);
		goto err_free;
	}
	rc = dxgk_map_pages(device->adapter, pin->pages->pages,
			    pin->pages->num_pages, &pin->map);
	if (rc)
		goto err_pages;
	frame->pinned = pin;
	return pin;

err_pages:
	frame_pages_put(pin->pages);
err_free:
	kfree(pin);
	return ERR_PTR(rc);
}

static int frame_pin_mdl(struct dxgk_device *device,
			 DXGKARGCB_PINFRAMEBUFFERFORSAVE *args, void *caller)
{
	struct frame_pin *pin = frame_pin(device, args->CommitSize);

	if (IS_ERR(pin))
		return PTR_ERR(pin);
	pin->mdl = dxgk_mdl_alloc_for(pin->pages->pages, pin->pages->num_pages,
				      args->CommitSize,
				      DXGK_MEMORY_CACHING_TYPE_CACHED);
	if (!pin->mdl) {
		frame_pin_release(&pin->allocation);
		return -ENOMEM;
	}
	dxgk_leaks_add(&device->adapter->leaks, &pin->allocation, &kind_pin,
		       args->CommitSize, caller);
	args->pMdl = pin->mdl;
	return 0;
}

/* DxgkCbPinFrameBufferForSave */
NTSTATUS dxgk_pin_frame_buffer(HANDLE adapter,
			       DXGKARGCB_PINFRAMEBUFFERFORSAVE *args)
{
	struct dxgk_device *device;
	int rc;

	might_sleep();
	if (!args)
		return STATUS_INVALID_PARAMETER;
	args->pMdl = NULL;
	device = frame_enter(adapter, args->PhysicalAdapterIndex);
	if (IS_ERR(device))
		return dxgk_errno_to_status(PTR_ERR(device));
	rc = frame_pin_mdl(device, args, __builtin_return_address(0));
	frame_leave(device);
	return dxgk_errno_to_status(rc);
}

static int frame_pin_adl(struct dxgk_device *device,
			 DXGKARGCB_PINFRAMEBUFFERFORSAVE2 *args, void *caller)
{
	struct frame_pin *pin;
	int rc;

	if (args->Flags.Reserved)
		return -EINVAL;
	pin = frame_pin(device, args->CommitSize);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	rc = dxgk_adl_fill(&pin->adl, &pin->map, pin->pages->num_pages,
			   args->Flags.PreferContiguous);
	if (rc) {
		frame_pin_release(&pin->allocation);
		return rc;
	}
	dxgk_leaks_add(&device->adapter->leaks, &pin->allocation, &kind_pin,
		       args->CommitSize, caller);
	args->pAdl = &pin->adl;
	return 0;
}

/* DxgkCbPinFrameBufferForSave2 */
NTSTATUS dxgk_pin_frame_buffer2(HANDLE adapter,
				DXGKARGCB_PINFRAMEBUFFERFORSAVE2 *args)
{
	struct dxgk_device *device;
	int rc;

	might_sleep();
	if (!args)
		return STATUS_INVALID_PARAMETER;
	args->pAdl = NULL;
	device = frame_enter(adapter, args->PhysicalAdapterIndex);
	if (IS_ERR(device))
		return dxgk_errno_to_status(PTR_ERR(device));
	rc = frame_pin_adl(device, args, __builtin_return_address(0));
	frame_leave(device);
	return dxgk_errno_to_status(rc);
}

/* DxgkCbUnpinFrameBufferForSave */
NTSTATUS dxgk_unpin_frame_buffer(HANDLE adapter,
				 const DXGKARGCB_UNPINFRAMEBUFFERFORSAVE *args)
{
	struct dxgk_device *device;
	struct frame_pin *pin;

	might_sleep();
	if (!args)
		return STATUS_INVALID_PARAMETER;
	device = frame_enter(adapter, args->PhysicalAdapterIndex);
	if (IS_ERR(device))
		return dxgk_errno_to_status(PTR_ERR(device));
	pin = device->frame.pinned;
	if (pin) {
		dxgk_leaks_del(&device->adapter->leaks, &pin->allocation);
		frame_pin_release(&pin->allocation);
	}
	frame_leave(device);
	return pin ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_STATE;
}

static void frame_view_release(struct dxgk_allocation *allocation)
{
	struct frame_view *view =
		container_of(allocation, struct frame_view, allocation);

	list_del(&view->node);
	vunmap(view->address);
	frame_pages_put(view->pages);
	kfree(view);
}

static const struct dxgk_kind kind_view = {
	.name = "frame buffer pointer",
	.release = frame_view_release,
};

static int frame_view(struct dxgk_device *device,
		      DXGKARGCB_MAPFRAMEBUFFERPOINTER *args, void *caller)
{
	struct dxgk_frame_buffer *frame = &device->frame;
	struct frame_view *view;
	int rc = -ENOMEM;

	if (!frame_has(frame, args->Offset, args->Size))
		return -EINVAL;
	view = kzalloc_obj(*view, GFP_KERNEL);
	if (!view)
		return -ENOMEM;
	view->pages = frame_pages_get(frame, args->Offset, args->Size);
	if (IS_ERR(view->pages)) {
		rc = PTR_ERR(view->pages);
		goto err_free;
	}
	view->address = vmap(view->pages->pages, view->pages->num_pages,
			     VM_MAP, PAGE_KERNEL);
	if (!view->address)
		goto err_pages;
	list_add(&view->node, &frame->views);
	dxgk_leaks_add(&device->adapter->leaks, &view->allocation, &kind_view,
		       args->Size, caller);
	args->pBaseAddress = view->address;
	args->Offset = 0;
	return 0;

err_pages:
	frame_pages_put(view->pages);
err_free:
	kfree(view);
	return rc;
}

/* DxgkCbMapFrameBufferPointer */
NTSTATUS dxgk_map_frame_buffer(HANDLE adapter,
			       DXGKARGCB_MAPFRAMEBUFFERPOINTER *args)
{
	struct dxgk_device *device;
	int rc;

	might_sleep();
	if (!args)
		return STATUS_INVALID_PARAMETER;
	args->pBaseAddress = NULL;
	device = frame_enter(adapter, args->PhysicalAdapterIndex);
	if (IS_ERR(device))
		return dxgk_errno_to_status(PTR_ERR(device));
	rc = frame_view(device, args, __builtin_return_address(0));
	frame_leave(device);
	return dxgk_errno_to_status(rc);
}

static struct frame_view *frame_find_view(struct dxgk_frame_buffer *frame,
					  const void *address)
{
	struct frame_view *view;

	lockdep_assert_held(&frame->lock);
	list_for_each_entry(view, &frame->views, node) {
		if (view->address == address)
			return view;
	}
	return NULL;
}

/* DxgkCbUnmapFrameBufferPointer */
NTSTATUS dxgk_unmap_frame_buffer(HANDLE adapter,
				 const DXGKARGCB_UNMAPFRAMEBUFFERPOINTER *args)
{
	struct dxgk_device *device;
	struct frame_view *view;

	might_sleep();
	if (!args)
		return STATUS_INVALID_PARAMETER;
	device = frame_enter(adapter, args->PhysicalAdapterIndex);
	if (IS_ERR(device))
		return dxgk_errno_to_status(PTR_ERR(device));
	view = frame_find_view(&device->frame, args->pBaseAddress);
	if (view) {
		dxgk_leaks_del(&device->adapter->leaks, &view->allocation);
		frame_view_release(&view->allocation);
	}
	frame_leave(device);
	return view ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/**
 * dxgk_frame_buffer_address() - Where a pinned save area is for the devices
 * @adapter: hAdapter
 * @index: PhysicalAdapterIndex
 * @offset: Which byte of the area
 * @logical: On return, its address
 *
 * What dxgk_logical_address() is for memory with a handle.
 *
 * Context: May sleep; any process or kthread.
 * Return: 0, -ENXIO or -EINVAL for @adapter as a callback says, -EINVAL (no such
 * device), -ENXIO (the area is not pinned), -ERANGE (less is pinned).
 */
int dxgk_frame_buffer_address(void *adapter, unsigned int index, u64 offset,
			      u64 *logical)
{
	struct dxgk_device *device;
	int rc = -ENXIO;

	might_sleep();
	device = frame_enter(adapter, index);
	if (IS_ERR(device))
		return PTR_ERR(device);
	if (device->frame.pinned)
		rc = dxgk_map_logical(&device->frame.pinned->map, offset,
				      logical);
	frame_leave(device);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(dxgk_frame_buffer_address, WDDM_EXPORT_NS);
