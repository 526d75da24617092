// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is mapped for an adapter as long as it is there: contiguous memory,
 * pages for an MDL, and MDLs of the miniport's own.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../compat.h"
#include "dxgk.h"

/**
 * struct dxgk_memory - What hMemoryHandle names
 * @obj: Handle and references
 * @allocation: To be given back; its kind says which callback made it
 * @device: The lead device
 * @bytes: Bytes of the buffer
 * @map: Where it is mapped
 * @pages: Its pages, if they are ours
 * @address: Contiguous memory: where the kernel has it
 * @mdl: Pages for an MDL: the MDL
 */
struct dxgk_memory {
	struct wddm_object obj;
	struct dxgk_allocation allocation;
	struct dxgk_device *device;
	u64 bytes;
	struct dxgk_map map;
	struct dxgk_pages *pages;
	void *address;
	PMDL mdl;
};

void dxgk_memory_free(struct wddm_object *obj)
{
	struct dxgk_memory *memory = container_of(obj, struct dxgk_memory, obj);

	wddm_object_put(&memory->device->obj);
	kfree(memory);
}

/* Give everything back, in the reverse order of how it came */
static void memory_release(struct dxgk_allocation *allocation)
{
	struct dxgk_memory *memory =
		container_of(allocation, struct dxgk_memory, allocation);

	dxgk_unmap(&memory->map);
	if (memory->address)
		vunmap(memory->address);
	if (memory->mdl)
		dxgk_mdl_free(memory->mdl);
	if (memory->pages)
		dxgk_pages_put(memory->pages);
	wddm_object_remove(&memory->obj);
}

static const struct dxgk_kind kind_contiguous = {
	.name = "contiguous memory",
	.release = memory_release,
};

static const struct dxgk_kind kind_pages = {
	.name = "pages for an MDL",
	.release = memory_release,
};

static const struct dxgk_kind kind_mdl = {
	.name = "mapping of an MDL",
	.release = memory_release,
};

static struct dxgk_memory *memory_alloc(struct dxgk_device *device, u64 bytes)
{
	struct dxgk_memory *memory;
	int rc;

	memory = kzalloc_obj(*memory, GFP_KERNEL);
	if (!memory)
		return ERR_PTR(-ENOMEM);
	rc = wddm_object_init(&memory->obj, dxgk_objects,
			      WDDM_OBJECT_DXGK_MEMORY);
	if (rc) {
		kfree(memory);
		return ERR_PTR(rc);
	}
	wddm_object_get(&device->obj);
	memory->device = device;
	memory->bytes = bytes;
	return memory;
}

static HANDLE memory_publish(struct dxgk_memory *memory,
			     const struct dxgk_kind *kind, void *caller)
{
	dxgk_leaks_add(&memory->device->adapter->leaks, &memory->allocation,
		       kind, memory->bytes, caller);
	wddm_handle_publish(&dxgk_objects->handles, &memory->obj);
	return dxgk_handle(&memory->obj);
}

/* The memory of this adapter and kind that @handle names, or ERR_PTR(-ENXIO) */
static struct dxgk_memory *memory_get(struct dxgk_device *device,
				      HANDLE handle,
				      const struct dxgk_kind *kind)
{
	struct dxgk_memory *memory;
	struct wddm_object *obj;

	obj = dxgk_object_get(handle, WDDM_OBJECT_DXGK_MEMORY);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	memory = container_of(obj, struct dxgk_memory, obj);
	if (memory->device != device ||
	    (kind && memory->allocation.kind != kind)) {
		wddm_object_put(obj);
		return ERR_PTR(-ENXIO);
	}
	return memory;
}

/* What every callback that gives memory back does */
static int memory_give_back(HANDLE adapter, HANDLE handle,
			    const struct dxgk_kind *kind)
{
	struct dxgk_memory *memory;
	struct dxgk_device *device;
	int rc;

	might_sleep();
	device = dxgk_enter(adapter);
	if (IS_ERR(device))
		return PTR_ERR(device);
	memory = memory_get(device, handle, kind);
	if (IS_ERR(memory)) {
		rc = PTR_ERR(memory);
		goto out_leave;
	}
	/* Only one thread does it */
	rc = wddm_object_retire(&memory->obj);
	if (!rc) {
		dxgk_leaks_del(&device->adapter->leaks, &memory->allocation);
		memory_release(&memory->allocation);
	}
	wddm_object_put(&memory->obj);

out_leave:
	dxgk_leave(device);
	return rc;
}

static bool bytes_are_valid(u64 bytes)
{
	return bytes && bytes <= DXGK_BYTES_MAX;
}

/**
 * dxgk_new_contiguous() - Allocate memory in one piece
 * @bytes: Bytes
 * @lowest: First physical address it may have
 * @highest: Last physical address it may have
 * @boundary: A power of two that it may not cross a multiple of, or 0
 * @cache: Cache type
 * @limit: Last physical address that the device reaches
 *
 * Return: The pages, or ERR_PTR(-EINVAL) or -ENOMEM.
 */
struct dxgk_pages *dxgk_new_contiguous(u64 bytes, PHYSICAL_ADDRESS lowest,
				       PHYSICAL_ADDRESS highest,
				       PHYSICAL_ADDRESS boundary,
				       DXGK_MEMORY_CACHING_TYPE cache,
				       u64 limit)
{
	const struct dxgk_place place = {
		.low = lowest.QuadPart,
		.high = highest.QuadPart,
		.boundary = boundary.QuadPart,
		.limit = limit,
	};
	unsigned long num_pages;

	if (!bytes_are_valid(bytes) || place.low > place.high ||
	    !dxgk_cache_is_valid(cache))
		return ERR_PTR(-EINVAL);
	num_pages = BYTES_TO_PAGES(bytes);
	if (place.boundary && (!is_power_of_2(place.boundary) ||
			       place.boundary < (u64)num_pages << PAGE_SHIFT))
		return ERR_PTR(-EINVAL);
	return dxgk_pages_alloc_blocks(num_pages, num_pages, &place, true,
				       cache);
}

/* Flags that change nothing here are taken, those that promise something are not */
#define PAGES_FLAGS_TAKEN                                                   \
	(MM_DONT_ZERO_ALLOCATION | MM_ALLOCATE_FULLY_REQUIRED |             \
	 MM_ALLOCATE_PREFER_CONTIGUOUS |                                    \
	 MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS)
#define PAGES_FLAGS_REFUSED                                                 \
	(MM_ALLOCATE_FROM_LOCAL_NODE_ONLY | MM_ALLOCATE_NO_WAIT |           \
	 MM_ALLOCATE_FAST_LARGE_PAGES | MM_ALLOCATE_AND_HOT_REMOVE)

/**
 * dxgk_new_pages() - Allocate pages for an MDL
 * @bytes: Bytes
 * @low: First physical address they may have
 * @high: Last physical address they may have
 * @skip: If not 0, that range is repeated at this distance; with
 *        MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS the size of each piece
 * @flags: MM_...
 * @cache: Cache type
 * @limit: Last physical address that the device reaches
 *
 * Return: The pages, or ERR_PTR: -EINVAL, -EOPNOTSUPP (flags), -ENOMEM.
 */
struct dxgk_pages *dxgk_new_pages(u64 bytes, PHYSICAL_ADDRESS low,
				  PHYSICAL_ADDRESS high, PHYSICAL_ADDRESS skip,
				  ULONG flags, DXGK_MEMORY_CACHING_TYPE cache,
				  u64 limit)
{
	struct dxgk_place place = {
		.low = low.QuadPart,
		.high = high.QuadPart,
		.skip = skip.QuadPart,
		.limit = limit,
	};
	bool zero = !(flags & MM_DONT_ZERO_ALLOCATION);
	unsigned long num_pages, chunk_pages = 1;

	if (flags & PAGES_FLAGS_REFUSED)
		return ERR_PTR(-EOPNOTSUPP);
	if (flags & ~PAGES_FLAGS_TAKEN || !bytes_are_valid(bytes) ||
	    place.low > place.high || skip.QuadPart < 0 ||
	    !PAGE_ALIGNED(place.skip) ||
	    !dxgk_cache_is_valid(cache))
		return ERR_PTR(-EINVAL);
	num_pages = BYTES_TO_PAGES(bytes);
	if (flags & MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS && !place.skip) {
		chunk_pages = num_pages;
	} else if (flags & MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS) {
		if (!is_power_of_2(place.skip) || bytes & (place.skip - 1))
			return ERR_PTR(-EINVAL);
		chunk_pages = place.skip >> PAGE_SHIFT;
		/* Each chunk is aligned to its size */
		place.boundary = place.skip;
		place.skip = 0;
	}
	return dxgk_pages_alloc_blocks(num_pages, chunk_pages, &place, zero,
				       cache);
}

/* Map pages of ours, which belong to one buffer alone. Takes them over, if it can. */
static struct dxgk_memory *memory_create(struct dxgk_device *device,
					 struct dxgk_pages *pages, u64 bytes,
					 u64 boundary)
{
	const struct wddmcompat_page_desc desc = {
		.pages = pages->pages,
		.byte_count = pages->num_pages << PAGE_SHIFT,
		.writeable = true,
	};
	const struct dxgk_chain chain = {
		.descs = &desc,
		.num = 1,
		.boundary = boundary,
	};
	struct dxgk_memory *memory;
	int rc;

	memory = memory_alloc(device, bytes);
	if (IS_ERR(memory))
		return memory;
	rc = dxgk_map(device->adapter, &chain, &memory->map);
	if (rc) {
		wddm_object_remove(&memory->obj);
		return ERR_PTR(rc);
	}
	memory->pages = pages;
	return memory;
}

static int allocate_contiguous(struct dxgk_device *device,
			       DXGKARGCB_ALLOCATECONTIGUOUSMEMORY *args,
			       void *caller)
{
	struct dxgk_memory *memory;
	struct dxgk_pages *pages;
	void *address;

	pages = dxgk_new_contiguous(args->NumberOfBytes,
				    args->LowestAcceptableAddress,
				    args->HighestAcceptableAddress,
				    args->BoundaryAddressMultiple,
				    args->CacheType,
				    dxgk_physical_limit(device->adapter));
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	address = vmap(pages->pages, pages->num_pages, VM_MAP,
		       dxgk_cache_prot(pages->cache, PAGE_KERNEL));
	if (!address) {
		dxgk_pages_put(pages);
		return -ENOMEM;
	}
	memory = memory_create(device, pages, args->NumberOfBytes,
			       args->BoundaryAddressMultiple.QuadPart);
	if (IS_ERR(memory)) {
		vunmap(address);
		dxgk_pages_put(pages);
		return PTR_ERR(memory);
	}
	memory->address = address;
	args->pMemory = address;
	args->hMemoryHandle = memory_publish(memory, &kind_contiguous, caller);
	return 0;
}

/* DxgkCbAllocateContiguousMemory */
NTSTATUS dxgk_allocate_contiguous(HANDLE adapter,
				  DXGKARGCB_ALLOCATECONTIGUOUSMEMORY *args)
{
	struct dxgk_device *device;
	int rc;

	might_sleep();
	if (!args)
		return STATUS_INVALID_PARAMETER;
	args->hMemoryHandle = NULL;
	args->pMemory = NULL;
	device = dxgk_enter(adapter);
	if (IS_ERR(device))
		return dxgk_errno_to_status(PTR_ERR(device));
	rc = allocate_contiguous(device, args, __builtin_return_address(0));
	dxgk_leave(device);
	return dxgk_errno_to_status(rc);
}

/* DxgkCbFreeContiguousMemory */
NTSTATUS dxgk_free_contiguous(HANDLE adapter,
			      const DXGKARGCB_FREECONTIGUOUSMEMORY *args)
{
	int rc = -EINVAL;

	if (args)
		rc = memory_give_back(adapter, args->hMemoryHandle,
				      &kind_contiguous);
	return dxgk_errno_to_status(rc);
}

static int allocate_pages(struct dxgk_device *device,
			  DXGKARGCB_ALLOCATEPAGESFORMDL *args, void *caller)
{
	struct dxgk_memory *memory;
	struct dxgk_pages *pages;
	PMDL mdl;

	pages = dxgk_new_pages(args->TotalBytes, args->LowAddress,
			       args->HighAddress, args->SkipBytes, args->Flags,
			       args->CacheType,
			       dxgk_physical_limit(device->adapter));
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	mdl = dxgk_mdl_alloc_for(pages->pages, pages->num_pages,
				 args->TotalBytes, args->CacheType);
	if (!mdl) {
		dxgk_pages_put(pages);
		return -ENOMEM;
	}
	memory = memory_create(device, pages, args->TotalBytes, 0);
	if (IS_ERR(memory)) {
		dxgk_mdl_free(mdl);
		dxgk_pages_put(pages);
		return PTR_ERR(memory);
	}
	memory->mdl = mdl;
	args->pMdl = mdl;
	args->hMemoryHandle = memory_publish(memory, &kind_pages, caller);
	return 0;
}

/* DxgkCbAllocatePagesForMdl */
NTSTATUS dxgk_allocate_pages(HANDLE adapter,
			     DXGKARGCB_ALLOCATEPAGESFORMDL *args)
{
	struct dxgk_device *device;
	int rc;

	might_sleep();
	if (!args)
		return STATUS_INVALID_PARAMETER;
	args->hMemoryHandle = NULL;
	args->pMdl = NULL;
	device = dxgk_enter(adapter);
	if (IS_ERR(device))
		return dxgk_errno_to_status(PTR_ERR(device));
	rc = allocate_pages(device, args, __builtin_return_address(0));
	dxgk_leave(device);
	return dxgk_errno_to_status(rc);
}

/* DxgkCbFreePagesFromMdl */
NTSTATUS dxgk_free_pages(HANDLE adapter, const DXGKARGCB_FREEPAGESFROMMDL *args)
{
	int rc = -EINVAL;

	if (args)
		rc = memory_give_back(adapter, args->hMemoryHandle,
				      &kind_pages);
	return dxgk_errno_to_status(rc);
}

/**
 * struct mdl_chain - What the MDLs of a chain describe
 * @num: MDLs
 * @bytes: Bytes of all
 * @num_pages: Pages of all
 * @here: All were locked in the calling process
 */
struct mdl_chain {
	u32 num;
	u64 bytes;
	unsigned long num_pages;
	bool here;
};

static int mdl_chain_check(const MDL *mdl, struct mdl_chain *chain)
{
	*chain = (struct mdl_chain){ .here = true };
	for (; mdl; mdl = mdl->Next) {
		if (!dxgk_mdl_is_locked(mdl) ||
		    !bytes_are_valid(mdl->ByteCount) ||
		    mdl->ByteOffset >= PAGE_SIZE)
			return -EINVAL;
		if (++chain->num > WDDMCOMPAT_MDL_CHAIN_MAX)
			return -EINVAL;
		chain->bytes += mdl->ByteCount;
		chain->num_pages += dxgk_mdl_num_pages(mdl);
		if (!mdl->Process || mdl->Process != current->mm)
			chain->here = false;
	}
	return chain->num ? 0 : -EINVAL;
}

/* Pages that a chain is made of; -EOPNOTSUPP for what has no struct page */
static int mdl_pages(const MDL *mdl, struct page **pages,
		     unsigned long num_pages)
{
	const PFN_NUMBER *pfns = MmGetMdlPfnArray(mdl);
	unsigned long i;

	for (i = 0; i < num_pages; i++) {
		if (!pfn_valid(pfns[i]))
			return -EOPNOTSUPP;
		pages[i] = pfn_to_page(pfns[i]);
	}
	return 0;
}

/* Describe a chain that has been checked. Fills as many as it has MDLs and pages. */
static int mdl_chain_describe(const MDL *mdl, struct page **pages,
			      struct wddmcompat_page_desc *descs,
			      unsigned long *uaddrs)
{
	int rc;

	for (; mdl; mdl = mdl->Next) {
		unsigned long num_pages = dxgk_mdl_num_pages(mdl);

		*descs++ = (struct wddmcompat_page_desc){
			.pages = pages,
			.byte_offset = mdl->ByteOffset,
			.byte_count = mdl->ByteCount,
			.writeable = dxgk_mdl_is_writeable(mdl),
		};
		*uaddrs++ = (unsigned long)mdl->StartVa;
		rc = mdl_pages(mdl, pages, num_pages);
		if (rc)
			return rc;
		pages += num_pages;
	}
	return 0;
}

static int map_mdl_chain(struct dxgk_device *device, const MDL *mdl,
			 const struct mdl_chain *info, struct dxgk_map *map)
{
	struct wddmcompat_page_desc *descs;
	struct dxgk_chain chain = { .num = info->num };
	unsigned long *uaddrs;
	struct page **pages;
	int rc = -ENOMEM;

	descs = kvmalloc_array(info->num, sizeof(*descs), GFP_KERNEL);
	uaddrs = kvmalloc_array(info->num, sizeof(*uaddrs), GFP_KERNEL);
	pages = kvmalloc_array(info->num_pages, sizeof(*pages),
			       GFP_KERNEL | __GFP_NOWARN);
	if (!descs || !uaddrs || !pages)
		goto out_free;
	rc = mdl_chain_describe(mdl, pages, descs, uaddrs);
	if (rc)
		goto out_free;
	chain.descs = descs;
	/* Only there can pages that belong to a process be found */
	if (info->here)
		chain.uaddrs = uaddrs;
	rc = dxgk_map(device->adapter, &chain, map);

out_free:
	kvfree(pages);
	kvfree(uaddrs);
	kvfree(descs);
	return rc;
}

static int map_mdl(struct dxgk_device *device, DXGKARGCB_MAPMDLTOIOMMU *args,
		   void *caller)
{
	struct dxgk_memory *memory;
	struct mdl_chain chain;
	int rc;

	rc = mdl_chain_check(args->pMdl, &chain);
	if (rc)
		return rc;
	memory = memory_alloc(device, chain.bytes);
	if (IS_ERR(memory))
		return PTR_ERR(memory);
	rc = map_mdl_chain(device, args->pMdl, &chain, &memory->map);
	if (rc) {
		wddm_object_remove(&memory->obj);
		return rc;
	}
	args->hMemoryHandle = memory_publish(memory, &kind_mdl, caller);
	return 0;
}

/* DxgkCbMapMdlToIoMmu */
NTSTATUS dxgk_map_mdl(HANDLE adapter, DXGKARGCB_MAPMDLTOIOMMU *args)
{
	struct dxgk_device *device;
	int rc;

	might_sleep();
	if (!args)
		return STATUS_INVALID_PARAMETER;
	args->hMemoryHandle = NULL;
	device = dxgk_enter(adapter);
	if (IS_ERR(device))
		return dxgk_errno_to_status(PTR_ERR(device));
	rc = map_mdl(device, args, __builtin_return_address(0));
	dxgk_leave(device);
	return dxgk_errno_to_status(rc);
}

/* DxgkCbUnmapMdlFromIoMmu */
VOID dxgk_unmap_mdl(HANDLE adapter, const DXGKARGCB_UNMAPMDLFROMIOMMU *args)
{
	int rc = -EINVAL;

	if (args)
		rc = memory_give_back(adapter, args->hMemoryHandle, &kind_mdl);
	if (rc)
		wddm_complain("DxgkCbUnmapMdlFromIoMmu", rc,
			      __builtin_return_address(0));
}

/* It may be given back at the same time: it is there as long as it is on the list */
static int memory_logical(struct dxgk_memory *memory, u64 offset, u64 *logical)
{
	struct dxgk_leaks *leaks = &memory->device->adapter->leaks;
	int rc = -ENXIO;

	mutex_lock(&leaks->lock);
	if (!list_empty(&memory->allocation.node))
		rc = offset < memory->bytes ?
			     dxgk_map_logical(&memory->map, offset, logical) :
			     -ERANGE;
	mutex_unlock(&leaks->lock);
	return rc;
}

/**
 * dxgk_logical_address() - Where memory is for the devices of an adapter
 * @adapter: hAdapter
 * @memory: hMemoryHandle of DxgkCbAllocateContiguousMemory,
 *          DxgkCbAllocatePagesForMdl or DxgkCbMapMdlToIoMmu
 * @offset: Which byte, counted from the first one of the buffer, through all MDLs
 * @logical: On return, its address: one range for all the memory if the adapter is
 *           remapped, else that of the physical page
 *
 * WDDM has nothing like it: before remapping came a driver knew the physical
 * address, and since then there are ADLs.
 *
 * Context: May sleep; any process or kthread.
 * Return: 0, -ENXIO or -EINVAL for @adapter as a callback says, -ENXIO (no such
 * memory), -ERANGE (it has less bytes).
 */
int dxgk_logical_address(void *adapter, void *memory, u64 offset, u64 *logical)
{
	struct dxgk_memory *found;
	struct dxgk_device *device;
	int rc;

	might_sleep();
	device = dxgk_enter(adapter);
	if (IS_ERR(device))
		return PTR_ERR(device);
	found = memory_get(device, memory, NULL);
	if (IS_ERR(found)) {
		rc = PTR_ERR(found);
		goto out_leave;
	}
	rc = memory_logical(found, offset, logical);
	wddm_object_put(&found->obj);

out_leave:
	dxgk_leave(device);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(dxgk_logical_address, WDDM_EXPORT_NS);
