/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IOMMU side of the WDK's d3dkmddi.h: what a display miniport calls to get
 * memory that its adapter can reach, and what it is asked about its adapter. Names
 * and meanings are those of Microsoft's documentation; Documentation/wddm.rst has
 * each of them, and what differs.
 *
 * Every callback may sleep: PASSIVE_LEVEL.
 */
#ifndef _WDDM_D3DKMDDI_H
#define _WDDM_D3DKMDDI_H

#include "wdm.h"

/* Versions: only their order means something */
#define DXGKDDI_INTERFACE_VERSION_WDDM2_3 0x2300
#define DXGKDDI_INTERFACE_VERSION_WDDM2_4 0x2400
#define DXGKDDI_INTERFACE_VERSION_WDDM2_9 0x2900
#define DXGKDDI_INTERFACE_VERSION_WDDM3_0 0x3000

/* A miniport for an older WDDM defines its version before it includes this */
#ifndef DXGKDDI_INTERFACE_VERSION
#define DXGKDDI_INTERFACE_VERSION DXGKDDI_INTERFACE_VERSION_WDDM3_0
#endif

typedef enum _DXGK_MEMORY_CACHING_TYPE {
	DXGK_MEMORY_CACHING_TYPE_NON_CACHED,
	DXGK_MEMORY_CACHING_TYPE_CACHED,
	DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED,
} DXGK_MEMORY_CACHING_TYPE;

/* WDDM 2.4: memory in one piece */

typedef struct _DXGKARGCB_ALLOCATECONTIGUOUSMEMORY {
	SIZE_T NumberOfBytes;
	PHYSICAL_ADDRESS LowestAcceptableAddress;
	PHYSICAL_ADDRESS HighestAcceptableAddress;
	PHYSICAL_ADDRESS BoundaryAddressMultiple;
	DXGK_MEMORY_CACHING_TYPE CacheType;
	HANDLE hMemoryHandle; /* out */
	PVOID pMemory; /* out */
} DXGKARGCB_ALLOCATECONTIGUOUSMEMORY;

typedef struct _DXGKARGCB_FREECONTIGUOUSMEMORY {
	HANDLE hMemoryHandle;
} DXGKARGCB_FREECONTIGUOUSMEMORY;

typedef NTSTATUS (*DXGKCB_ALLOCATECONTIGUOUSMEMORY)
	(HANDLE hAdapter, DXGKARGCB_ALLOCATECONTIGUOUSMEMORY *pArgs);
typedef NTSTATUS (*DXGKCB_FREECONTIGUOUSMEMORY)
	(HANDLE hAdapter, const DXGKARGCB_FREECONTIGUOUSMEMORY *pArgs);

/* WDDM 2.4: pages */

typedef struct _DXGKARGCB_ALLOCATEPAGESFORMDL {
	PHYSICAL_ADDRESS LowAddress;
	PHYSICAL_ADDRESS HighAddress;
	PHYSICAL_ADDRESS SkipBytes;
	SIZE_T TotalBytes;
	DXGK_MEMORY_CACHING_TYPE CacheType;
	ULONG Flags;
	HANDLE hMemoryHandle; /* out */
	PMDL pMdl; /* out */
} DXGKARGCB_ALLOCATEPAGESFORMDL;

typedef struct _DXGKARGCB_FREEPAGESFROMMDL {
	HANDLE hMemoryHandle;
} DXGKARGCB_FREEPAGESFROMMDL;

typedef NTSTATUS (*DXGKCB_ALLOCATEPAGESFORMDL)
	(HANDLE hAdapter, DXGKARGCB_ALLOCATEPAGESFORMDL *pArgs);
typedef NTSTATUS (*DXGKCB_FREEPAGESFROMMDL)
	(HANDLE hAdapter, const DXGKARGCB_FREEPAGESFROMMDL *pArgs);

/* WDDM 2.4: memory that the miniport describes */

typedef struct _DXGKARGCB_MAPMDLTOIOMMU {
	PMDL pMdl;
	HANDLE hMemoryHandle; /* out */
} DXGKARGCB_MAPMDLTOIOMMU;

typedef struct _DXGKARGCB_UNMAPMDLFROMIOMMU {
	HANDLE hMemoryHandle;
} DXGKARGCB_UNMAPMDLFROMIOMMU;

typedef NTSTATUS (*DXGKCB_MAPMDLTOIOMMU)(HANDLE hAdapter,
					 DXGKARGCB_MAPMDLTOIOMMU *pArgs);
typedef VOID (*DXGKCB_UNMAPMDLFROMIOMMU)
	(HANDLE hAdapter, const DXGKARGCB_UNMAPMDLFROMIOMMU *pArgs);

/* WDDM 2.4: saving the frame buffer */

typedef struct _DXGKARGCB_PINFRAMEBUFFERFORSAVE {
	UINT PhysicalAdapterIndex;
	SIZE_T CommitSize;
	PMDL pMdl; /* out */
} DXGKARGCB_PINFRAMEBUFFERFORSAVE;

typedef struct _DXGKARGCB_UNPINFRAMEBUFFERFORSAVE {
	UINT PhysicalAdapterIndex;
} DXGKARGCB_UNPINFRAMEBUFFERFORSAVE;

typedef struct _DXGKARGCB_MAPFRAMEBUFFERPOINTER {
	UINT PhysicalAdapterIndex;
	SIZE_T Size;
	SIZE_T Offset; /* in and out */
	PVOID pBaseAddress; /* out */
} DXGKARGCB_MAPFRAMEBUFFERPOINTER;

typedef struct _DXGKARGCB_UNMAPFRAMEBUFFERPOINTER {
	UINT PhysicalAdapterIndex;
	PVOID pBaseAddress;
} DXGKARGCB_UNMAPFRAMEBUFFERPOINTER;

typedef NTSTATUS (*DXGKCB_PINFRAMEBUFFERFORSAVE)
	(HANDLE hAdapter, DXGKARGCB_PINFRAMEBUFFERFORSAVE *pArgs);
typedef NTSTATUS (*DXGKCB_UNPINFRAMEBUFFERFORSAVE)
	(HANDLE hAdapter, const DXGKARGCB_UNPINFRAMEBUFFERFORSAVE *pArgs);
typedef NTSTATUS (*DXGKCB_MAPFRAMEBUFFERPOINTER)
	(HANDLE hAdapter, DXGKARGCB_MAPFRAMEBUFFERPOINTER *pArgs);
typedef NTSTATUS (*DXGKCB_UNMAPFRAMEBUFFERPOINTER)
	(HANDLE hAdapter, const DXGKARGCB_UNMAPFRAMEBUFFERPOINTER *pArgs);

/* WDDM 2.9: physical memory objects, and address descriptor lists of them */

typedef enum _DXGK_PHYSICAL_MEMORY_TYPE {
	DXGK_PHYSICAL_MEMORY_TYPE_MDL,
	DXGK_PHYSICAL_MEMORY_TYPE_CONTIGUOUS_MEMORY,
	DXGK_PHYSICAL_MEMORY_TYPE_SECTION,
	DXGK_PHYSICAL_MEMORY_TYPE_IO_SPACE,
} DXGK_PHYSICAL_MEMORY_TYPE;

typedef enum _DXGK_ACCESS_MODE {
	DXGK_ACCESS_MODE_KERNEL_MODE,
	DXGK_ACCESS_MODE_USER_MODE,
} DXGK_ACCESS_MODE;

typedef struct _DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT {
	HANDLE hAdapter; /* optional */
	SIZE_T Size;
	HANDLE Context;
	DXGK_PHYSICAL_MEMORY_TYPE Type;
	DXGK_MEMORY_CACHING_TYPE CacheType;
	union {
		struct {
			PHYSICAL_ADDRESS LowAddress;
			PHYSICAL_ADDRESS HighAddress;
			PHYSICAL_ADDRESS SkipBytes;
			ULONG Flags;
		} Mdl;
		struct {
			PHYSICAL_ADDRESS LowestAcceptableAddress;
			PHYSICAL_ADDRESS HighestAcceptableAddress;
			PHYSICAL_ADDRESS BoundaryAddressMultiple;
		} ContiguousMemory;
		struct {
			ACCESS_MASK DesiredAccess;
			POBJECT_ATTRIBUTES ObjectAttributes;
			ULONG PageProtection;
			ULONG AllocationAttributes;
		} Section;
		struct {
			PHYSICAL_ADDRESS BaseAddress;
		} IOSpace;
	};
	HANDLE hPhysicalMemoryObject; /* out */
	HANDLE hAdapterMemoryObject; /* out */
} DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT;

typedef struct _DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT {
	HANDLE hPhysicalMemoryObject;
	HANDLE hAdapterMemoryObject; /* optional */
} DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT;

typedef struct _DXGKARGCB_OPEN_PHYSICAL_MEMORY_OBJECT {
	HANDLE hPhysicalMemoryObject;
	HANDLE hAdapter;
	HANDLE hAdapterMemoryObject; /* out */
} DXGKARGCB_OPEN_PHYSICAL_MEMORY_OBJECT;

typedef struct _DXGKARGCB_CLOSE_PHYSICAL_MEMORY_OBJECT {
	HANDLE hAdapterMemoryObject;
} DXGKARGCB_CLOSE_PHYSICAL_MEMORY_OBJECT;

typedef struct _DXGKARGCB_MAP_PHYSICAL_MEMORY {
	HANDLE hPhysicalMemoryObject;
	DXGK_ACCESS_MODE AccessMode;
	SIZE_T Offset; /* in and out */
	SIZE_T Size; /* in and out */
	PVOID pMappedAddress; /* out */
} DXGKARGCB_MAP_PHYSICAL_MEMORY;

typedef struct _DXGKARGCB_UNMAP_PHYSICAL_MEMORY {
	HANDLE hPhysicalMemoryObject;
	PVOID pBaseAddress;
	SIZE_T Size;
} DXGKARGCB_UNMAP_PHYSICAL_MEMORY;

typedef ULONG_PTR DXGK_PAGE_NUMBER;

typedef struct _DXGK_ADL_FLAGS {
	union {
		struct {
			UINT Contiguous : 1;
			UINT Reserved : 31;
		};
		UINT Value;
	};
} DXGK_ADL_FLAGS;

/**
 * struct _DXGK_ADL - Address descriptor list: pages as the adapter sees them
 * @PageCount: Pages
 * @Flags: Contiguous: one range, else an array
 * @BasePageNumber: First page of the range
 * @Pages: The array
 *
 * A page number is an address for the adapter, divided by PAGE_SIZE: logical when
 * the adapter is remapped, physical when it is isolated 1:1.
 */
typedef struct _DXGK_ADL {
	UINT PageCount;
	DXGK_ADL_FLAGS Flags;
	union {
		DXGK_PAGE_NUMBER BasePageNumber;
		DXGK_PAGE_NUMBER *Pages;
	};
} DXGK_ADL, *PDXGK_ADL;

typedef struct _DXGKARGCB_ALLOCATE_ADL {
	HANDLE hAdapterMemoryObject;
	SIZE_T Offset;
	SIZE_T Size;
	union {
		struct {
			UINT RequireContiguous : 1;
			UINT PreferContiguous : 1;
			UINT Reserved : 30;
		};
		UINT Value;
	} Flags;
	DXGK_ADL *pAdl; /* out */
} DXGKARGCB_ALLOCATE_ADL;

typedef struct _DXGKARGCB_FREE_ADL {
	HANDLE hAdapterMemoryObject;
	DXGK_ADL *pAdl;
} DXGKARGCB_FREE_ADL;

typedef struct _DXGKARGCB_PINFRAMEBUFFERFORSAVE2 {
	UINT PhysicalAdapterIndex;
	SIZE_T CommitSize;
	union {
		struct {
			UINT PreferContiguous : 1;
			UINT Reserved : 31;
		};
		UINT Value;
	} Flags;
	DXGK_ADL *pAdl; /* out */
} DXGKARGCB_PINFRAMEBUFFERFORSAVE2;

typedef NTSTATUS (*DXGKCB_CREATEPHYSICALMEMORYOBJECT)
	(DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT *pArgs);
typedef VOID (*DXGKCB_DESTROYPHYSICALMEMORYOBJECT)
	(const DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT *pArgs);
typedef NTSTATUS (*DXGKCB_OPENPHYSICALMEMORYOBJECT)
	(DXGKARGCB_OPEN_PHYSICAL_MEMORY_OBJECT *pArgs);
typedef VOID (*DXGKCB_CLOSEPHYSICALMEMORYOBJECT)
	(const DXGKARGCB_CLOSE_PHYSICAL_MEMORY_OBJECT *pArgs);
typedef NTSTATUS (*DXGKCB_MAPPHYSICALMEMORY)
	(DXGKARGCB_MAP_PHYSICAL_MEMORY *pArgs);
typedef VOID (*DXGKCB_UNMAPPHYSICALMEMORY)
	(const DXGKARGCB_UNMAP_PHYSICAL_MEMORY *pArgs);
typedef NTSTATUS (*DXGKCB_ALLOCATEADL)(DXGKARGCB_ALLOCATE_ADL *pArgs);
typedef VOID (*DXGKCB_FREEADL)(const DXGKARGCB_FREE_ADL *pArgs);
typedef NTSTATUS (*DXGKCB_PINFRAMEBUFFERFORSAVE2)
	(HANDLE hAdapter, DXGKARGCB_PINFRAMEBUFFERFORSAVE2 *pArgs);

/* What a miniport is asked about its adapter before it is started */

typedef enum _DXGK_QUERYADAPTERINFOTYPE {
	DXGKQAITYPE_DRIVERCAPS,
	DXGKQAITYPE_FRAMEBUFFERSAVESIZE,
	DXGKQAITYPE_HARDWARERESERVEDRANGES,
	DXGKQAITYPE_IOMMU_CAPS,
	DXGKQAITYPE_PHYSICAL_MEMORY_CAPS,
} DXGK_QUERYADAPTERINFOTYPE;

typedef struct _DXGKARG_QUERYADAPTERINFO {
	DXGK_QUERYADAPTERINFOTYPE Type;
	PVOID pInputData;
	UINT InputDataSize;
	PVOID pOutputData; /* out */
	UINT OutputDataSize;
} DXGKARG_QUERYADAPTERINFO;

/* The part of the memory management caps that is about the IOMMU */
typedef struct _DXGK_VIDMMCAPS {
	union {
		struct {
			UINT IoMmuSecureModeSupported : 1;
			UINT IoMmuSecureModeRequired : 1;
			UINT Reserved : 30;
		};
		UINT Value;
	};
} DXGK_VIDMMCAPS;

/* DXGKQAITYPE_DRIVERCAPS: the part that is about memory. Before WDDM 2.9. */
typedef struct _DXGK_DRIVERCAPS {
	PHYSICAL_ADDRESS HighestAcceptableAddress;
	DXGK_VIDMMCAPS MemoryManagementCaps;
} DXGK_DRIVERCAPS;

/* DXGKQAITYPE_IOMMU_CAPS. From WDDM 2.9 on. */
typedef struct _DXGK_IOMMU_CAPS {
	union {
		struct {
			UINT IommuIsolationSupported : 1;
			UINT IommuIsolationRequired : 1;
			UINT DmaRemappingSupported : 1;
			UINT Reserved : 29;
		};
		UINT Value;
	};
} DXGK_IOMMU_CAPS;

/* DXGKQAITYPE_PHYSICAL_MEMORY_CAPS. From WDDM 2.9 on. */
typedef struct _DXGK_PHYSICAL_MEMORY_CAPS {
	PHYSICAL_ADDRESS HighestVisibleAddress;
} DXGK_PHYSICAL_MEMORY_CAPS;

/* DXGKQAITYPE_FRAMEBUFFERSAVESIZE; the input is a UINT, the adapter's index */
typedef struct _DXGK_FRAMEBUFFERSAVEAREA {
	SIZE_T MaximumSize;
} DXGK_FRAMEBUFFERSAVEAREA;

typedef struct _DXGK_PHYSICAL_MEMORY_RANGE {
	PHYSICAL_ADDRESS BaseAddress;
	SIZE_T NumberOfBytes;
} DXGK_PHYSICAL_MEMORY_RANGE;

/*
 * DXGKQAITYPE_HARDWARERESERVEDRANGES, asked twice: with pPhysicalRanges NULL for
 * their number, and with room for as many for the ranges
 */
typedef struct _DXGK_HARDWARERESERVEDRANGES {
	UINT NumRanges;
	DXGK_PHYSICAL_MEMORY_RANGE *pPhysicalRanges;
} DXGK_HARDWARERESERVEDRANGES;

typedef NTSTATUS (*DXGKDDI_QUERYADAPTERINFO)
	(const HANDLE hAdapter, const DXGKARG_QUERYADAPTERINFO *pArgs);

/* While a device changes its IOMMU domain it must be silent */

typedef struct _DXGKARG_BEGINEXCLUSIVEACCESS {
	UINT Reserved;
} DXGKARG_BEGINEXCLUSIVEACCESS;

typedef struct _DXGKARG_ENDEXCLUSIVEACCESS {
	UINT Reserved;
} DXGKARG_ENDEXCLUSIVEACCESS;

typedef NTSTATUS (*DXGKDDI_BEGINEXCLUSIVEACCESS)
	(const HANDLE hAdapter, DXGKARG_BEGINEXCLUSIVEACCESS *pArgs);
typedef NTSTATUS (*DXGKDDI_ENDEXCLUSIVEACCESS)
	(const HANDLE hAdapter, DXGKARG_ENDEXCLUSIVEACCESS *pArgs);

#endif
