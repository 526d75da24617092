/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IOMMU side of the WDK's dispmprt.h: how a display miniport and the port
 * driver find each other's functions. Names and meanings are those of Microsoft's
 * documentation; Documentation/wddm.rst says what differs.
 */
#ifndef _WDDM_DISPMPRT_H
#define _WDDM_DISPMPRT_H

#include "d3dkmddi.h"

/**
 * struct _DXGKRNL_INTERFACE - What a miniport may call
 * @Size: Bytes that are valid, by @Version
 * @Version: The version that the miniport asked for
 * @DeviceHandle: The physical adapter that this was given to. That of the first one
 *                of a linked chain is the hAdapter of the callbacks
 *
 * The other members of WDDM's structure, which have nothing to do with memory,
 * are not there. Callbacks that @Version does not have are NULL.
 */
typedef struct _DXGKRNL_INTERFACE {
	ULONG Size;
	ULONG Version;
	HANDLE DeviceHandle;
#if DXGKDDI_INTERFACE_VERSION >= DXGKDDI_INTERFACE_VERSION_WDDM2_4
	DXGKCB_ALLOCATECONTIGUOUSMEMORY DxgkCbAllocateContiguousMemory;
	DXGKCB_FREECONTIGUOUSMEMORY DxgkCbFreeContiguousMemory;
	DXGKCB_ALLOCATEPAGESFORMDL DxgkCbAllocatePagesForMdl;
	DXGKCB_FREEPAGESFROMMDL DxgkCbFreePagesFromMdl;
	DXGKCB_PINFRAMEBUFFERFORSAVE DxgkCbPinFrameBufferForSave;
	DXGKCB_UNPINFRAMEBUFFERFORSAVE DxgkCbUnpinFrameBufferForSave;
	DXGKCB_MAPFRAMEBUFFERPOINTER DxgkCbMapFrameBufferPointer;
	DXGKCB_UNMAPFRAMEBUFFERPOINTER DxgkCbUnmapFrameBufferPointer;
	DXGKCB_MAPMDLTOIOMMU DxgkCbMapMdlToIoMmu;
	DXGKCB_UNMAPMDLFROMIOMMU DxgkCbUnmapMdlFromIoMmu;
#endif
#if DXGKDDI_INTERFACE_VERSION >= DXGKDDI_INTERFACE_VERSION_WDDM2_9
	DXGKCB_CREATEPHYSICALMEMORYOBJECT DxgkCbCreatePhysicalMemoryObject;
	DXGKCB_DESTROYPHYSICALMEMORYOBJECT DxgkCbDestroyPhysicalMemoryObject;
	DXGKCB_MAPPHYSICALMEMORY DxgkCbMapPhysicalMemory;
	DXGKCB_UNMAPPHYSICALMEMORY DxgkCbUnmapPhysicalMemory;
	DXGKCB_ALLOCATEADL DxgkCbAllocateAdl;
	DXGKCB_FREEADL DxgkCbFreeAdl;
	DXGKCB_OPENPHYSICALMEMORYOBJECT DxgkCbOpenPhysicalMemoryObject;
	DXGKCB_CLOSEPHYSICALMEMORYOBJECT DxgkCbClosePhysicalMemoryObject;
	DXGKCB_PINFRAMEBUFFERFORSAVE2 DxgkCbPinFrameBufferForSave2;
#endif
} DXGKRNL_INTERFACE, *PDXGKRNL_INTERFACE;

typedef struct _DXGK_START_INFO {
	ULONG RequiredDmaQueueEntry;
	GUID AdapterGuid;
	LUID AdapterLuid;
} DXGK_START_INFO, *PDXGK_START_INFO;

typedef NTSTATUS (*PDXGKDDI_ADD_DEVICE)(const PDEVICE_OBJECT PhysicalDeviceObject,
					PVOID *MiniportDeviceContext);
typedef NTSTATUS (*PDXGKDDI_START_DEVICE)(const PVOID MiniportDeviceContext,
					  PDXGK_START_INFO DxgkStartInfo,
					  PDXGKRNL_INTERFACE DxgkInterface,
					  PULONG NumberOfVideoPresentSources,
					  PULONG NumberOfChildren);
typedef NTSTATUS (*PDXGKDDI_STOP_DEVICE)(const PVOID MiniportDeviceContext);
typedef NTSTATUS (*PDXGKDDI_REMOVE_DEVICE)(const PVOID MiniportDeviceContext);

/**
 * struct _DRIVER_INITIALIZATION_DATA - What a miniport implements
 * @Version: DXGKDDI_INTERFACE_VERSION that the miniport was compiled with
 * @DxgkDdiAddDevice: A physical adapter is there
 * @DxgkDdiStartDevice: It can be used: here is what to call
 * @DxgkDdiStopDevice: Free and unmap everything
 * @DxgkDdiRemoveDevice: Undo DxgkDdiAddDevice
 * @DxgkDdiQueryAdapterInfo: DXGKQAITYPE_...
 * @DxgkDdiBeginExclusiveAccess: Be silent: the IOMMU domain changes
 * @DxgkDdiEndExclusiveAccess: It has changed
 *
 * The functions for what has nothing to do with memory are not there.
 */
typedef struct _DRIVER_INITIALIZATION_DATA {
	ULONG Version;
	PDXGKDDI_ADD_DEVICE DxgkDdiAddDevice;
	PDXGKDDI_START_DEVICE DxgkDdiStartDevice;
	PDXGKDDI_STOP_DEVICE DxgkDdiStopDevice;
	PDXGKDDI_REMOVE_DEVICE DxgkDdiRemoveDevice;
	DXGKDDI_QUERYADAPTERINFO DxgkDdiQueryAdapterInfo;
	DXGKDDI_BEGINEXCLUSIVEACCESS DxgkDdiBeginExclusiveAccess;
	DXGKDDI_ENDEXCLUSIVEACCESS DxgkDdiEndExclusiveAccess;
} DRIVER_INITIALIZATION_DATA, *PDRIVER_INITIALIZATION_DATA;

#endif
