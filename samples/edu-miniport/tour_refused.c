// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of the tour where nothing may work: handles that are wrong.
 */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "tour.h"

/* Neither a handle nor an address */
#define GARBAGE ((HANDLE)0x1234567)

/* --- hAdapter ---------------------------------------------------------------- */

static unsigned int wrong_refusal(const char *name, NTSTATUS status,
				  NTSTATUS want)
{
	if (status == want)
		return 0;
	remark("%s: status %#x instead of %#x", name, status, want);
	return 1;
}

/* Map an MDL which is fine but for @adapter */
static NTSTATUS map_own(const DXGKRNL_INTERFACE *dxgkrnl, HANDLE adapter)
{
	DXGKARGCB_UNMAPMDLFROMIOMMU unmap = {};
	DXGKARGCB_MAPMDLTOIOMMU map = {};
	void *va = vmalloc(PAGE_SIZE);
	NTSTATUS status = STATUS_NO_MEMORY;

	if (!va)
		return status;
	map.pMdl = IoAllocateMdl(va, PAGE_SIZE, false, false, NULL);
	if (map.pMdl) {
		MmBuildMdlForNonPagedPool(map.pMdl);
		status = dxgkrnl->DxgkCbMapMdlToIoMmu(adapter, &map);
		unmap.hMemoryHandle = map.hMemoryHandle;
		if (NT_SUCCESS(status))
			dxgkrnl->DxgkCbUnmapMdlFromIoMmu(adapter, &unmap);
		IoFreeMdl(map.pMdl);
	}
	vfree(va);
	return status;
}

/* The adapter of an object may be named by any device, but must be one */
static NTSTATUS create_object(const DXGKRNL_INTERFACE *dxgkrnl, HANDLE adapter)
{
	DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT args = {
		.hAdapter = adapter,
		.Size = PAGE_SIZE,
		.Type = DXGK_PHYSICAL_MEMORY_TYPE_MDL,
		.CacheType = DXGK_MEMORY_CACHING_TYPE_CACHED,
		.Mdl.HighAddress.QuadPart = miniport_highest(),
	};
	DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT destroy = {};
	NTSTATUS status;

	status = dxgkrnl->DxgkCbCreatePhysicalMemoryObject(&args);
	destroy.hPhysicalMemoryObject = args.hPhysicalMemoryObject;
	destroy.hAdapterMemoryObject = args.hAdapterMemoryObject;
	if (NT_SUCCESS(status))
		dxgkrnl->DxgkCbDestroyPhysicalMemoryObject(&destroy);
	return status;
}

/*
 * Call everything that takes hAdapter with arguments that are fine but for that; how
 * many do not say @want?
 */
unsigned int count_wrong_refusals(const DXGKRNL_INTERFACE *dxgkrnl,
				  HANDLE adapter, NTSTATUS want)
{
	PHYSICAL_ADDRESS high = { .QuadPart = miniport_highest() };
	DXGKARGCB_ALLOCATECONTIGUOUSMEMORY contiguous = {
		.NumberOfBytes = PAGE_SIZE,
		.HighestAcceptableAddress = high,
		.CacheType = DXGK_MEMORY_CACHING_TYPE_CACHED,
	};
	DXGKARGCB_FREECONTIGUOUSMEMORY free_contiguous = {
		.hMemoryHandle = GARBAGE,
	};
	DXGKARGCB_ALLOCATEPAGESFORMDL pages = {
		.HighAddress = high,
		.TotalBytes = PAGE_SIZE,
		.CacheType = DXGK_MEMORY_CACHING_TYPE_CACHED,
	};
	DXGKARGCB_FREEPAGESFROMMDL free_pages = { .hMemoryHandle = GARBAGE };
	DXGKARGCB_PINFRAMEBUFFERFORSAVE pin = { .CommitSize = SAVE_BYTES };
	DXGKARGCB_PINFRAMEBUFFERFORSAVE2 pin2 = { .CommitSize = SAVE_BYTES };
	DXGKARGCB_UNPINFRAMEBUFFERFORSAVE unpin = {};
	DXGKARGCB_MAPFRAMEBUFFERPOINTER map = { .Size = SAVE_BYTES };
	DXGKARGCB_UNMAPFRAMEBUFFERPOINTER unmap = {};
	unsigned int wrong = 0;

#define CHECK(callback, args)                                             \
	(wrong += wrong_refusal(#callback,                                \
				dxgkrnl->DxgkCb##callback(adapter, args), \
				want))

	CHECK(AllocateContiguousMemory, &contiguous);
	CHECK(FreeContiguousMemory, &free_contiguous);
	CHECK(AllocatePagesForMdl, &pages);
	CHECK(FreePagesFromMdl, &free_pages);
	CHECK(PinFrameBufferForSave, &pin);
	CHECK(UnpinFrameBufferForSave, &unpin);
	CHECK(MapFrameBufferPointer, &map);
	CHECK(UnmapFrameBufferPointer, &unmap);
	if (dxgkrnl->DxgkCbPinFrameBufferForSave2)
		CHECK(PinFrameBufferForSave2, &pin2);
#undef CHECK

	if (dxgkrnl->DxgkCbCreatePhysicalMemoryObject &&
	    want == STATUS_INVALID_HANDLE)
		wrong += wrong_refusal("CreatePhysicalMemoryObject",
				       create_object(dxgkrnl, adapter), want);
	wrong += wrong_refusal("MapMdlToIoMmu", map_own(dxgkrnl, adapter),
			       want);
	return wrong;
}

/* --- Memory handles ------------------------------------------------------------ */

static void tour_stale(struct tour *tour)
{
	DXGKARGCB_ALLOCATECONTIGUOUSMEMORY args = {
		.NumberOfBytes = PAGE_SIZE,
		.HighestAcceptableAddress = tour->high,
		.CacheType = DXGK_MEMORY_CACHING_TYPE_CACHED,
	};
	DXGKARGCB_FREECONTIGUOUSMEMORY free = {};
	DXGKARGCB_FREEPAGESFROMMDL free_pages = {};
	NTSTATUS status;

	status = tour->dxgkrnl->DxgkCbAllocateContiguousMemory(tour->adapter,
							       &args);
	if (!step_status(tour, status, STATUS_SUCCESS,
			 "memory to be freed in wrong ways: it is allocated"))
		return;
	free.hMemoryHandle = args.hMemoryHandle;
	free_pages.hMemoryHandle = args.hMemoryHandle;
	status = tour->dxgkrnl->DxgkCbFreePagesFromMdl(tour->adapter,
						       &free_pages);
	step_status(tour, status, STATUS_INVALID_HANDLE,
		    "memory to be freed: not by the callback of another kind");
	status = tour->dxgkrnl->DxgkCbFreeContiguousMemory(linked[1]->dxgkrnl.DeviceHandle,
							   &free);
	step_status(tour, status, STATUS_INVALID_PARAMETER,
		    "memory to be freed: not by the handle of a linked device");
	status = tour->dxgkrnl->DxgkCbFreeContiguousMemory(tour->adapter,
							   &free);
	step_status(tour, status, STATUS_SUCCESS,
		    "memory to be freed: by the right ones");
	status = tour->dxgkrnl->DxgkCbFreeContiguousMemory(tour->adapter,
							   &free);
	step_status(tour, status, STATUS_INVALID_HANDLE,
		    "memory to be freed: not a second time");
}

void tour_refused(struct tour *tour)
{
	unsigned int wrong;

	wrong = count_wrong_refusals(tour->dxgkrnl,
				     linked[1]->dxgkrnl.DeviceHandle,
				     STATUS_INVALID_PARAMETER);
	step(tour, !wrong, "every callback refuses a linked device as hAdapter");
	wrong = count_wrong_refusals(tour->dxgkrnl, GARBAGE,
				     STATUS_INVALID_HANDLE);
	step(tour, !wrong, "every callback refuses garbage as hAdapter");
	tour_stale(tour);
}
