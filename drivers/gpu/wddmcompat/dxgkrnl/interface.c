// SPDX-License-Identifier: GPL-2.0-only
/*
 * DXGKRNL_INTERFACE: which callbacks there are.
 */
#include <linux/string.h>

#include "dxgk.h"

static const DXGKRNL_INTERFACE dxgk_interface = {
	.DxgkCbAllocateContiguousMemory = dxgk_allocate_contiguous,
	.DxgkCbFreeContiguousMemory = dxgk_free_contiguous,
	.DxgkCbAllocatePagesForMdl = dxgk_allocate_pages,
	.DxgkCbFreePagesFromMdl = dxgk_free_pages,
	.DxgkCbPinFrameBufferForSave = dxgk_pin_frame_buffer,
	.DxgkCbUnpinFrameBufferForSave = dxgk_unpin_frame_buffer,
	.DxgkCbMapFrameBufferPointer = dxgk_map_frame_buffer,
	.DxgkCbUnmapFrameBufferPointer = dxgk_unmap_frame_buffer,
	.DxgkCbMapMdlToIoMmu = dxgk_map_mdl,
	.DxgkCbUnmapMdlFromIoMmu = dxgk_unmap_mdl,
	.DxgkCbCreatePhysicalMemoryObject = dxgk_create_physical,
	.DxgkCbDestroyPhysicalMemoryObject = dxgk_destroy_physical,
	.DxgkCbMapPhysicalMemory = dxgk_map_physical,
	.DxgkCbUnmapPhysicalMemory = dxgk_unmap_physical,
	.DxgkCbAllocateAdl = dxgk_allocate_adl,
	.DxgkCbFreeAdl = dxgk_free_adl,
	.DxgkCbOpenPhysicalMemoryObject = dxgk_open_physical,
	.DxgkCbClosePhysicalMemoryObject = dxgk_close_physical,
	.DxgkCbPinFrameBufferForSave2 = dxgk_pin_frame_buffer2,
};

/* How much of the interface a version has: the rest is not there, and NULL */
static size_t interface_size(ULONG version)
{
	if (version < DXGKDDI_INTERFACE_VERSION_WDDM2_4)
		return offsetof(DXGKRNL_INTERFACE,
				DxgkCbAllocateContiguousMemory);
	if (version < DXGKDDI_INTERFACE_VERSION_WDDM2_9)
		return offsetof(DXGKRNL_INTERFACE,
				DxgkCbCreatePhysicalMemoryObject);
	return sizeof(DXGKRNL_INTERFACE);
}

/**
 * dxgk_interface_fill() - What a miniport may call
 * @interface: To fill
 * @version: DXGKDDI_INTERFACE_VERSION that it asked for
 * @device: Its DeviceHandle
 */
void dxgk_interface_fill(DXGKRNL_INTERFACE *interface, ULONG version,
			 HANDLE device)
{
	size_t size = interface_size(version);

	memset(interface, 0, sizeof(*interface));
	memcpy(interface, &dxgk_interface, size);
	interface->Size = size;
	interface->Version = version;
	interface->DeviceHandle = device;
}
