/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the WDK's wdm.h that a display miniport needs for its memory: types,
 * status codes, and memory descriptor lists. Names and meanings are those of
 * Microsoft's documentation; where Linux differs, Documentation/wddm.rst says how.
 *
 * Values that the documentation does not give are our own: nothing here is binary
 * compatible with Windows.
 */
#ifndef _WDDM_WDM_H
#define _WDDM_WDM_H

#include <linux/compiler.h>
#include <linux/mm.h>
#include <linux/types.h>

struct device;

/* Annotations that ported code may have */
#ifndef IN
#define IN
#define OUT
#endif
#define APIENTRY
#define NTAPI

typedef void VOID;
typedef void *PVOID;
typedef char CCHAR;
typedef short CSHORT;
typedef unsigned char UCHAR;
typedef unsigned char BOOLEAN;
typedef unsigned short USHORT;
typedef int LONG;
typedef int INT;
typedef unsigned int ULONG, *PULONG;
typedef unsigned int UINT;
typedef long long LONGLONG;
typedef unsigned long long ULONGLONG;
typedef unsigned long ULONG_PTR;
typedef ULONG_PTR SIZE_T;
typedef ULONG ACCESS_MASK;
typedef ULONG_PTR PFN_NUMBER, *PPFN_NUMBER;

/* A number that names something, or NULL. It is never an address. */
typedef void *HANDLE;

typedef union _LARGE_INTEGER {
	struct {
		ULONG LowPart;
		LONG HighPart;
	};
	LONGLONG QuadPart;
} LARGE_INTEGER, PHYSICAL_ADDRESS, *PPHYSICAL_ADDRESS;

typedef struct _LUID {
	ULONG LowPart;
	LONG HighPart;
} LUID;

typedef struct _GUID {
	ULONG Data1;
	USHORT Data2;
	USHORT Data3;
	UCHAR Data4[8];
} GUID;

/* Opaque, and NULL here */
typedef struct _OBJECT_ATTRIBUTES *POBJECT_ATTRIBUTES;
typedef struct _IRP *PIRP;

/* The physical device object of a device is its struct device */
typedef struct device *PDEVICE_OBJECT;

/* Status codes: those of the callbacks, and some of miniports. Documented values. */
typedef LONG NTSTATUS;

#define STATUS_SUCCESS ((NTSTATUS)0x00000000)
#define STATUS_UNSUCCESSFUL ((NTSTATUS)0xC0000001)
#define STATUS_ACCESS_VIOLATION ((NTSTATUS)0xC0000005)
#define STATUS_INVALID_HANDLE ((NTSTATUS)0xC0000008)
#define STATUS_INVALID_PARAMETER ((NTSTATUS)0xC000000D)
#define STATUS_NO_MEMORY ((NTSTATUS)0xC0000017)
#define STATUS_CONFLICTING_ADDRESSES ((NTSTATUS)0xC0000018)
#define STATUS_ACCESS_DENIED ((NTSTATUS)0xC0000022)
#define STATUS_OBJECT_NAME_NOT_FOUND ((NTSTATUS)0xC0000034)
#define STATUS_REVISION_MISMATCH ((NTSTATUS)0xC0000059)
#define STATUS_INSUFFICIENT_RESOURCES ((NTSTATUS)0xC000009A)
#define STATUS_NOT_SUPPORTED ((NTSTATUS)0xC00000BB)
#define STATUS_DEVICE_NOT_READY ((NTSTATUS)0xC00000A3)
#define STATUS_IO_DEVICE_ERROR ((NTSTATUS)0xC0000185)
#define STATUS_DEVICE_BUSY ((NTSTATUS)0x80000011)
#define STATUS_INVALID_DEVICE_STATE ((NTSTATUS)0xC0000184)
#define STATUS_INVALID_ADDRESS ((NTSTATUS)0xC0000141)
#define STATUS_CANCELLED ((NTSTATUS)0xC0000120)
#define STATUS_ALREADY_COMMITTED ((NTSTATUS)0xC0000021)

#define NT_SUCCESS(Status) ((NTSTATUS)(Status) >= 0)

typedef CCHAR KPROCESSOR_MODE;

enum _MODE {
	KernelMode,
	UserMode,
};

typedef enum _LOCK_OPERATION {
	IoReadAccess,
	IoWriteAccess,
	IoModifyAccess,
} LOCK_OPERATION;

/* Priorities of MmGetSystemAddressForMdlSafe(). Linux has one. */
enum _MM_PAGE_PRIORITY {
	LowPagePriority = 0,
	NormalPagePriority = 16,
	HighPagePriority = 32,
};

#define MdlMappingNoWrite 0x80000000U
#define MdlMappingNoExecute 0x40000000U

/* Flags of MmAllocatePagesForMdlEx(), which DxgkCbAllocatePagesForMdl takes */
#define MM_DONT_ZERO_ALLOCATION 0x00000001
#define MM_ALLOCATE_FROM_LOCAL_NODE_ONLY 0x00000002
#define MM_ALLOCATE_FULLY_REQUIRED 0x00000004
#define MM_ALLOCATE_NO_WAIT 0x00000008
#define MM_ALLOCATE_PREFER_CONTIGUOUS 0x00000010
#define MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS 0x00000020
#define MM_ALLOCATE_FAST_LARGE_PAGES 0x00000040
#define MM_ALLOCATE_AND_HOT_REMOVE 0x00000100

/*
 * Page protection of sections. x86 has names of its own like these, for page
 * tables, which no driver needs.
 */
#undef PAGE_READONLY
#define PAGE_READONLY 0x02
#define PAGE_READWRITE 0x04
#define PAGE_WRITECOPY 0x08
#define PAGE_EXECUTE 0x10

#define SECTION_MAP_WRITE 0x0002
#define SECTION_MAP_READ 0x0004
#define SECTION_ALL_ACCESS 0x000F001F
#define SEC_COMMIT 0x08000000

/**
 * struct _MDL - Memory descriptor list: a buffer and the pages that it is made of
 * @Next: Next MDL of a chain, or NULL
 * @Size: Bytes of this structure and the array of page frame numbers behind it; 0
 *        if they are too many for the type
 * @MdlFlags: MDL_...
 * @Process: The address space that the pages were locked in, or NULL
 * @MappedSystemVa: With MDL_MAPPED_TO_SYSTEM_VA or MDL_SOURCE_IS_NONPAGED_POOL:
 *                  where the first byte is for the kernel
 * @StartVa: Address of the first page
 * @ByteCount: Bytes
 * @ByteOffset: First byte within the first page
 * @Capacity: Page frame numbers that there is room for. Not for drivers
 * @State: Not for drivers
 *
 * One page frame number for each page that the buffer spans follows:
 * MmGetMdlPfnArray(). Pages have the kernel's PAGE_SIZE, which need not be 4096.
 */
typedef struct _MDL {
	struct _MDL *Next;
	CSHORT Size;
	CSHORT MdlFlags;
	struct mm_struct *Process;
	PVOID MappedSystemVa;
	PVOID StartVa;
	ULONG ByteCount;
	ULONG ByteOffset;
	ULONG Capacity;
	ULONG State;
} MDL, *PMDL;

#define MDL_MAPPED_TO_SYSTEM_VA 0x0001
#define MDL_PAGES_LOCKED 0x0002
#define MDL_SOURCE_IS_NONPAGED_POOL 0x0004
#define MDL_PARTIAL 0x0010
#define MDL_WRITE_OPERATION 0x0080

#define PAGE_ALIGN_VA(Va) ((PVOID)((ULONG_PTR)(Va) & PAGE_MASK))
#define BYTE_OFFSET(Va) ((ULONG)((ULONG_PTR)(Va) & ~PAGE_MASK))
#define ROUND_TO_PAGES(Size) (((ULONG_PTR)(Size) + PAGE_SIZE - 1) & PAGE_MASK)

/* Pages that Size bytes at Va touch. As on Windows, a 32-bit number. */
#define ADDRESS_AND_SIZE_TO_SPAN_PAGES(Va, Size)                              \
	((ULONG)((BYTE_OFFSET(Va) + (u64)(Size) + PAGE_SIZE - 1) >>           \
		 PAGE_SHIFT))

#define MmGetMdlByteCount(Mdl) ((Mdl)->ByteCount)
#define MmGetMdlByteOffset(Mdl) ((Mdl)->ByteOffset)
#define MmGetMdlPfnArray(Mdl) ((PPFN_NUMBER)((Mdl) + 1))
#define MmGetMdlBaseVa(Mdl) ((Mdl)->StartVa)

static inline PVOID MmGetMdlVirtualAddress(const MDL *Mdl)
{
	return (char *)Mdl->StartVa + Mdl->ByteOffset;
}

static inline ULONG_PTR BYTES_TO_PAGES(ULONG_PTR Size)
{
	return (Size >> PAGE_SHIFT) + !!(Size & ~PAGE_MASK);
}

SIZE_T MmSizeOfMdl(PVOID Base, SIZE_T Length);
VOID MmInitializeMdl(PMDL MemoryDescriptorList, PVOID BaseVa, SIZE_T Length);
PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer,
		   BOOLEAN ChargeQuota, PIRP Irp);
VOID IoFreeMdl(PMDL Mdl);
VOID IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress,
		       ULONG Length);
VOID MmPrepareMdlForReuse(PMDL Mdl);
VOID MmBuildMdlForNonPagedPool(PMDL MemoryDescriptorList);
NTSTATUS __must_check MmProbeAndLockPages(PMDL MemoryDescriptorList,
					  KPROCESSOR_MODE AccessMode,
					  LOCK_OPERATION Operation);
VOID MmUnlockPages(PMDL MemoryDescriptorList);
PVOID MmGetSystemAddressForMdlSafe(PMDL Mdl, ULONG Priority);
VOID MmUnmapLockedPages(PVOID BaseAddress, PMDL MemoryDescriptorList);

#endif
