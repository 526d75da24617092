// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that loses power loses its buffer, so it is copied to the frame buffer
 * save area before, and back afterwards. Best by the device itself, to pages that
 * are pinned all at once; if there is no memory for that, in pieces, by way of a
 * page that was allocated when there was plenty.
 */
#include <linux/dxgkrnl.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "miniport.h"

/* What the buffer has after it was without power */
#define LOST 0xff

/* Every call names the logical adapter by its lead device */
static HANDLE lead(void)
{
	return linked[0]->dxgkrnl.DeviceHandle;
}

NTSTATUS power_init(struct adapter *adapter)
{
	DXGKARGCB_ALLOCATEPAGESFORMDL pages = {
		.HighAddress.QuadPart = miniport_highest(),
		.TotalBytes = PAGE_SIZE,
		.CacheType = DXGK_MEMORY_CACHING_TYPE_CACHED,
		.Flags = MM_ALLOCATE_FULLY_REQUIRED,
	};
	NTSTATUS status;
	int rc;

	status = adapter->dxgkrnl.DxgkCbAllocatePagesForMdl(lead(), &pages);
	if (!NT_SUCCESS(status))
		return status;
	adapter->small_handle = pages.hMemoryHandle;
	adapter->small = MmGetSystemAddressForMdlSafe(pages.pMdl,
						      NormalPagePriority);
	rc = adapter->small ? dxgk_logical_address(lead(), pages.hMemoryHandle,
						   0, &adapter->small_logical) :
			      -ENOMEM;
	if (rc)
		power_exit(adapter);
	return dxgk_errno_to_status(rc);
}

void power_exit(struct adapter *adapter)
{
	DXGKARGCB_FREEPAGESFROMMDL pages = {
		.hMemoryHandle = adapter->small_handle,
	};

	adapter->dxgkrnl.DxgkCbFreePagesFromMdl(lead(), &pages);
	adapter->small = NULL;
}

/* The device's buffer from, or to, the small page */
int power_load(struct adapter *adapter)
{
	return edu_dma(adapter->edu, EDU_READS, adapter->small_logical, 0,
		       EDU_BYTES);
}

int power_dump(struct adapter *adapter)
{
	return edu_dma(adapter->edu, EDU_WRITES, adapter->small_logical, 0,
		       EDU_BYTES);
}

/* WDDM 2.9 and later pin to an ADL, WDDM 2.4 to an MDL. It has one page. */
static NTSTATUS pin(struct adapter *adapter, u64 *logical)
{
	const DXGKRNL_INTERFACE *dxgkrnl = &adapter->dxgkrnl;
	DXGKARGCB_PINFRAMEBUFFERFORSAVE2 pin2 = {
		.PhysicalAdapterIndex = adapter->index,
		.CommitSize = SAVE_BYTES,
		.Flags.PreferContiguous = true,
	};
	DXGKARGCB_PINFRAMEBUFFERFORSAVE pin = {
		.PhysicalAdapterIndex = adapter->index,
		.CommitSize = SAVE_BYTES,
	};
	NTSTATUS status;

	if (dxgkrnl->DxgkCbPinFrameBufferForSave2) {
		status = dxgkrnl->DxgkCbPinFrameBufferForSave2(lead(), &pin2);
		if (NT_SUCCESS(status))
			*logical = adl_address(pin2.pAdl, 0);
		return status;
	}
	status = dxgkrnl->DxgkCbPinFrameBufferForSave(lead(), &pin);
	/* WDDM 2.4 knows no remapping: what an MDL has goes to the hardware */
	if (NT_SUCCESS(status))
		*logical = (u64)MmGetMdlPfnArray(pin.pMdl)[0] << PAGE_SHIFT;
	return status;
}

static NTSTATUS move_pinned(struct adapter *adapter,
			    enum edu_direction direction)
{
	DXGKARGCB_UNPINFRAMEBUFFERFORSAVE unpin = {
		.PhysicalAdapterIndex = adapter->index,
	};
	NTSTATUS status;
	u64 logical;
	int rc;

	status = pin(adapter, &logical);
	if (!NT_SUCCESS(status))
		return status;
	rc = edu_dma(adapter->edu, direction, logical, 0, EDU_BYTES);
	status = adapter->dxgkrnl.DxgkCbUnpinFrameBufferForSave(lead(), &unpin);
	return rc ? dxgk_errno_to_status(rc) : status;
}

/* @area is the CPU's view of a piece of the save area */
static int move_piece(struct adapter *adapter, enum edu_direction direction,
		      void *area, u32 offset, u32 count)
{
	int rc;

	if (direction == EDU_READS)
		memcpy(adapter->small, area, count);
	rc = edu_dma(adapter->edu, direction, adapter->small_logical, offset,
		     count);
	if (!rc && direction == EDU_WRITES)
		memcpy(area, adapter->small, count);
	return rc;
}

static NTSTATUS move_in_pieces(struct adapter *adapter,
			       enum edu_direction direction)
{
	const DXGKRNL_INTERFACE *dxgkrnl = &adapter->dxgkrnl;
	u32 offset;
	int rc = 0;

	for (offset = 0; !rc && offset < EDU_BYTES; offset += PAGE_SIZE) {
		DXGKARGCB_MAPFRAMEBUFFERPOINTER map = {
			.PhysicalAdapterIndex = adapter->index,
			.Size = PAGE_SIZE,
			.Offset = offset,
		};
		DXGKARGCB_UNMAPFRAMEBUFFERPOINTER unmap = {
			.PhysicalAdapterIndex = adapter->index,
		};
		NTSTATUS status;

		status = dxgkrnl->DxgkCbMapFrameBufferPointer(lead(), &map);
		if (!NT_SUCCESS(status))
			return status;
		rc = move_piece(adapter, direction,
				(u8 *)map.pBaseAddress + map.Offset, offset,
				min_t(u32, EDU_BYTES - offset, PAGE_SIZE));
		unmap.pBaseAddress = map.pBaseAddress;
		dxgkrnl->DxgkCbUnmapFrameBufferPointer(lead(), &unmap);
	}
	return dxgk_errno_to_status(rc);
}

/* EDU_WRITES saves the buffer, EDU_READS restores it */
NTSTATUS power_move(struct adapter *adapter, enum edu_direction direction,
		    enum save_path *path)
{
	NTSTATUS status = move_pinned(adapter, direction);

	*path = SAVE_PINNED;
	if (NT_SUCCESS(status))
		return status;
	*path = SAVE_IN_PIECES;
	return move_in_pieces(adapter, direction);
}

static const char *const path_names[] = {
	[SAVE_PINNED] = "pinned pages",
	[SAVE_IN_PIECES] = "pieces",
};

int power_suspend(struct adapter *adapter)
{
	enum save_path path;
	NTSTATUS status;

	status = power_move(adapter, EDU_WRITES, &path);
	if (!NT_SUCCESS(status))
		return dxgk_status_to_errno(status);
	say_ok(true, "device %u saves its buffer by %s, and is suspended",
	       adapter->index, path_names[path]);
	/* QEMU would not take it away */
	memset(adapter->small, LOST, EDU_BYTES);
	return power_load(adapter);
}

int power_resume(struct adapter *adapter)
{
	enum save_path path;
	NTSTATUS status;
	int rc;

	memset(adapter->small, 0, EDU_BYTES);
	rc = power_dump(adapter);
	if (rc)
		return rc;
	say_ok(!memchr_inv(adapter->small, LOST, EDU_BYTES),
	       "device %u is resumed, and has lost its buffer", adapter->index);
	status = power_move(adapter, EDU_READS, &path);
	if (!NT_SUCCESS(status))
		return dxgk_status_to_errno(status);
	say_ok(true, "device %u has its buffer back by %s", adapter->index,
	       path_names[path]);
	return 0;
}
