// SPDX-License-Identifier: GPL-2.0-only
/*
 * wdm.h's memory descriptor lists: plain memory of the miniport's, which it may look
 * into. Nothing here is known to an adapter: see DxgkCbMapMdlToIoMmu.
 */
#include <linux/export.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../compat.h"
#include "dxgk.h"

/* mdl->State: a callback's MDL and its pages are not to be freed, and how it is cached */
#define MDL_KEPT BIT(0)
#define MDL_NON_CACHED BIT(1)
#define MDL_WRITE_COMBINED BIT(2)

unsigned long dxgk_mdl_num_pages(const MDL *mdl)
{
	return wddm_span_pages(mdl->ByteOffset, mdl->ByteCount, PAGE_SHIFT);
}

bool dxgk_mdl_is_locked(const MDL *mdl)
{
	return mdl->MdlFlags &
	       (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL);
}

bool dxgk_mdl_is_writeable(const MDL *mdl)
{
	return mdl->MdlFlags & MDL_WRITE_OPERATION;
}

/**
 * MmSizeOfMdl() - Bytes that an MDL and its page frame numbers take
 * @Base: Address of the buffer
 * @Length: Bytes of the buffer
 *
 * Context: Any.
 * Return: The number of bytes.
 */
SIZE_T MmSizeOfMdl(PVOID Base, SIZE_T Length)
{
	SIZE_T pages = (BYTE_OFFSET(Base) + Length + PAGE_SIZE - 1) >>
		       PAGE_SHIFT;

	return sizeof(MDL) + pages * sizeof(PFN_NUMBER);
}
EXPORT_SYMBOL_NS_GPL(MmSizeOfMdl, WDDM_EXPORT_NS);

/**
 * MmInitializeMdl() - Make the header of an MDL in memory of the caller's
 * @MemoryDescriptorList: At least MmSizeOfMdl() bytes
 * @BaseVa: Address of the buffer
 * @Length: Bytes of the buffer
 *
 * The page frame numbers are not known yet.
 *
 * Context: Any.
 */
VOID MmInitializeMdl(PMDL MemoryDescriptorList, PVOID BaseVa, SIZE_T Length)
{
	SIZE_T size;

	/* A buffer that is too long for an MDL is none */
	if (Length > DXGK_BYTES_MAX)
		Length = 0;
	size = MmSizeOfMdl(BaseVa, Length);
	*MemoryDescriptorList = (MDL){
		.Size = size <= S16_MAX ? size : 0,
		.StartVa = PAGE_ALIGN_VA(BaseVa),
		.ByteOffset = BYTE_OFFSET(BaseVa),
		.ByteCount = Length,
		.Capacity = (size - sizeof(MDL)) / sizeof(PFN_NUMBER),
	};
}
EXPORT_SYMBOL_NS_GPL(MmInitializeMdl, WDDM_EXPORT_NS);

/**
 * IoAllocateMdl() - Allocate an MDL for a buffer
 * @VirtualAddress: Address of the buffer
 * @Length: Bytes of the buffer, at least 1 and at most 4 GiB less a page
 * @SecondaryBuffer: FALSE: there are no IRPs here to chain MDLs in
 * @ChargeQuota: Ignored: kernel memory has no quota of a process here
 * @Irp: NULL
 *
 * Context: May sleep.
 * Return: The MDL, for IoFreeMdl(), or NULL.
 */
PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer,
		   BOOLEAN ChargeQuota, PIRP Irp)
{
	PMDL mdl;

	if (!Length || Length > DXGK_BYTES_MAX || SecondaryBuffer || Irp)
		return NULL;
	mdl = kvzalloc(MmSizeOfMdl(VirtualAddress, Length),
		       GFP_KERNEL | __GFP_NOWARN);
	if (!mdl)
		return NULL;
	MmInitializeMdl(mdl, VirtualAddress, Length);
	return mdl;
}
EXPORT_SYMBOL_NS_GPL(IoAllocateMdl, WDDM_EXPORT_NS);

/* The system mapping of an MDL, if it is its own */
static void mdl_unmap(PMDL mdl)
{
	if (!(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA))
		return;
	vunmap(PAGE_ALIGN_VA(mdl->MappedSystemVa));
	mdl->MdlFlags &= ~MDL_MAPPED_TO_SYSTEM_VA;
	mdl->MappedSystemVa = NULL;
}

/* A callback's MDL, or NULL */
void dxgk_mdl_free(PMDL mdl)
{
	if (!mdl)
		return;
	mdl_unmap(mdl);
	kvfree(mdl);
}

/**
 * IoFreeMdl() - Free an MDL
 * @Mdl: From IoAllocateMdl(), or NULL. One of a callback's stays, as the callback that
 *       takes its memory back frees it
 *
 * A system mapping of its own goes, too, and it is unlocked if it is locked. A mapping
 * for an adapter stays: it has the pages, and no need of the MDL.
 *
 * Context: May sleep.
 */
VOID IoFreeMdl(PMDL Mdl)
{
	if (!Mdl)
		return;
	if (Mdl->State & MDL_KEPT) {
		wddm_complain(__func__, -EBUSY,
			      __builtin_return_address(0));
		return;
	}
	MmUnlockPages(Mdl);
	dxgk_mdl_free(Mdl);
}
EXPORT_SYMBOL_NS_GPL(IoFreeMdl, WDDM_EXPORT_NS);

/**
 * MmPrepareMdlForReuse() - Make an MDL ready for another IoBuildPartialMdl()
 * @Mdl: An MDL from IoAllocateMdl()
 *
 * Context: May sleep.
 */
VOID MmPrepareMdlForReuse(PMDL Mdl)
{
	if (Mdl->MdlFlags & MDL_PARTIAL)
		mdl_unmap(Mdl);
}
EXPORT_SYMBOL_NS_GPL(MmPrepareMdlForReuse, WDDM_EXPORT_NS);

/**
 * IoBuildPartialMdl() - Describe a part of a buffer that another MDL describes
 * @SourceMdl: MDL whose pages are known
 * @TargetMdl: MDL with room for the part's pages
 * @VirtualAddress: Where the part begins
 * @Length: Its bytes; 0 is all from there on
 *
 * If the part is not one of the source, or the target has no room, the target is left
 * describing nothing, so that it cannot be mapped. A target that is locked, or a
 * callback's, is left as it is. (Windows leaves both open.)
 *
 * Context: May sleep.
 */
VOID IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress,
		       ULONG Length)
{
	u64 first = (uintptr_t)MmGetMdlVirtualAddress(SourceMdl);
	u64 start = (uintptr_t)VirtualAddress;
	unsigned long skip, num_pages;

	if (TargetMdl->MdlFlags & MDL_PAGES_LOCKED)
		return;
	mdl_unmap(TargetMdl);
	TargetMdl->MdlFlags = 0;
	TargetMdl->ByteCount = 0;
	if (!dxgk_mdl_is_locked(SourceMdl) || start < first ||
	    start - first >= SourceMdl->ByteCount)
		return;
	if (!Length)
		Length = SourceMdl->ByteCount - (start - first);
	num_pages = wddm_span_pages(BYTE_OFFSET(VirtualAddress), Length,
				    PAGE_SHIFT);
	if (Length > SourceMdl->ByteCount - (start - first) ||
	    num_pages > TargetMdl->Capacity)
		return;
	skip = (start - (uintptr_t)SourceMdl->StartVa) >> PAGE_SHIFT;
	memcpy(MmGetMdlPfnArray(TargetMdl), MmGetMdlPfnArray(SourceMdl) + skip,
	       num_pages * sizeof(PFN_NUMBER));
	TargetMdl->MdlFlags =
		MDL_PARTIAL | (SourceMdl->MdlFlags & MDL_WRITE_OPERATION);
	TargetMdl->State = SourceMdl->State & ~MDL_KEPT;
	TargetMdl->Process = SourceMdl->Process;
	TargetMdl->StartVa = PAGE_ALIGN_VA(VirtualAddress);
	TargetMdl->ByteOffset = BYTE_OFFSET(VirtualAddress);
	TargetMdl->ByteCount = Length;
	/* A mapping of the source is good for its parts, which then have none */
	if (SourceMdl->MappedSystemVa)
		TargetMdl->MappedSystemVa =
			SourceMdl->MappedSystemVa + (start - first);
	else
		TargetMdl->MappedSystemVa = NULL;
}
EXPORT_SYMBOL_NS_GPL(IoBuildPartialMdl, WDDM_EXPORT_NS);

/*
 * Among the addresses of vmalloc() there are those of ioremap(), of which
 * vmalloc_to_page() makes a page that is nowhere: where the memory map is in pieces,
 * not even its number can be asked for.
 */
static bool page_exists(const struct page *page)
{
	if (!IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP) && !virt_addr_valid(page))
		return false;
	return pfn_valid(page_to_pfn(page));
}

static struct page *kernel_page(const void *va)
{
	struct page *page;

	if (!is_vmalloc_addr(va))
		return virt_addr_valid(va) ? virt_to_page(va) : NULL;
	page = vmalloc_to_page(va);
	return page && page_exists(page) ? page : NULL;
}

static bool mdl_find_kernel_pages(PMDL mdl)
{
	unsigned long num_pages = dxgk_mdl_num_pages(mdl);
	PPFN_NUMBER pfns = MmGetMdlPfnArray(mdl);
	unsigned long i;

	if (!mdl->ByteCount)
		return false;
	for (i = 0; i < num_pages; i++) {
		struct page *page =
			kernel_page(mdl->StartVa + (i << PAGE_SHIFT));

		if (!page)
			return false;
		pfns[i] = page_to_pfn(page);
	}
	return true;
}

/**
 * MmBuildMdlForNonPagedPool() - Find the pages of a buffer of the kernel
 * @MemoryDescriptorList: MDL of a buffer from vmalloc(), alloc_pages() or kmalloc(),
 *                        which its owner keeps
 *
 * An address that has no page leaves the MDL as it is, so that it cannot be mapped.
 * Memory of kmalloc() that shares its page with others cannot be mapped either: a
 * device that reaches a page reaches all of it.
 *
 * Context: Any.
 */
VOID MmBuildMdlForNonPagedPool(PMDL MemoryDescriptorList)
{
	PMDL mdl = MemoryDescriptorList;

	if (dxgk_mdl_is_locked(mdl) || !mdl_find_kernel_pages(mdl))
		return;
	mdl->MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL | MDL_WRITE_OPERATION;
	mdl->MappedSystemVa = MmGetMdlVirtualAddress(mdl);
}
EXPORT_SYMBOL_NS_GPL(MmBuildMdlForNonPagedPool, WDDM_EXPORT_NS);

static void pages_put(const PFN_NUMBER *pfns, unsigned long num_pages)
{
	unsigned long i;

	for (i = 0; i < num_pages; i++)
		put_page(pfn_to_page(pfns[i]));
}

/*
 * Not each page counts references: those of kmalloc() need not, and of alloc_pages()
 * with an order and without __GFP_COMP it is the first alone.
 */
static bool page_try_get(struct page *page)
{
	struct page *head = compound_head(page);

	return !page_has_type(head) && get_page_unless_zero(head);
}

/* Pages that the kernel owns are locked by a reference */
static NTSTATUS mdl_lock_kernel(PMDL mdl)
{
	unsigned long num_pages = dxgk_mdl_num_pages(mdl);
	PPFN_NUMBER pfns = MmGetMdlPfnArray(mdl);
	unsigned long i;

	if (!mdl_find_kernel_pages(mdl))
		return STATUS_ACCESS_VIOLATION;
	for (i = 0; i < num_pages; i++) {
		if (!page_try_get(pfn_to_page(pfns[i]))) {
			pages_put(pfns, i);
			return STATUS_NOT_SUPPORTED;
		}
	}
	return STATUS_SUCCESS;
}

/* Pin pages of the calling process; as page pointers first, then as numbers */
static int mdl_pin_user(PMDL mdl, unsigned int gup_flags)
{
	unsigned long start = (unsigned long)mdl->StartVa;
	unsigned long num_pages = dxgk_mdl_num_pages(mdl);
	struct page **pages = (struct page **)MmGetMdlPfnArray(mdl);
	unsigned long done = 0, i;
	int rc;

	BUILD_BUG_ON(sizeof(*pages) != sizeof(PFN_NUMBER));
	while (done < num_pages) {
		rc = pin_user_pages_fast(start + (done << PAGE_SHIFT),
					 min(num_pages - done, 1UL << 18),
					 gup_flags, pages + done);
		if (rc <= 0) {
			unpin_user_pages(pages, done);
			return rc ?: -EFAULT;
		}
		done += rc;
	}
	for (i = 0; i < num_pages; i++)
		MmGetMdlPfnArray(mdl)[i] = page_to_pfn(pages[i]);
	return 0;
}

static NTSTATUS mdl_lock_user(PMDL mdl, bool write)
{
	unsigned int gup_flags = FOLL_LONGTERM | (write ? FOLL_WRITE : 0);
	struct mm_struct *mm = current->mm;
	int rc;

	if (!mm || !mdl->ByteCount ||
	    !access_ok((void __user *)MmGetMdlVirtualAddress(mdl),
		       mdl->ByteCount))
		return STATUS_ACCESS_VIOLATION;
	if (account_locked_vm(mm, dxgk_mdl_num_pages(mdl), true))
		return STATUS_INSUFFICIENT_RESOURCES;
	rc = mdl_pin_user(mdl, gup_flags);
	if (rc) {
		account_locked_vm(mm, dxgk_mdl_num_pages(mdl), false);
		return dxgk_errno_to_status(rc);
	}
	mmgrab(mm);
	mdl->Process = mm;
	return STATUS_SUCCESS;
}

/**
 * MmProbeAndLockPages() - Lock the pages of a buffer in memory
 * @MemoryDescriptorList: MDL that is not locked
 * @AccessMode: UserMode: the buffer is in the calling process, and its pages count
 *              against its limit of locked memory; KernelMode: it is the kernel's
 * @Operation: IoReadAccess: the device only reads
 *
 * Context: May sleep. For UserMode, the process of the buffer.
 * Return: STATUS_SUCCESS: MmUnlockPages() is to follow. Instead of an exception:
 * STATUS_INVALID_PARAMETER (it is locked), STATUS_ACCESS_VIOLATION (there is no such
 * memory), STATUS_INSUFFICIENT_RESOURCES (limit of locked memory),
 * STATUS_NOT_SUPPORTED (memory of the slab allocator, or of alloc_pages() with an order
 * and without __GFP_COMP), STATUS_CANCELLED (the process is being killed).
 */
NTSTATUS MmProbeAndLockPages(PMDL MemoryDescriptorList,
			     KPROCESSOR_MODE AccessMode,
			     LOCK_OPERATION Operation)
{
	bool write = Operation != IoReadAccess;
	NTSTATUS status;

	might_sleep();
	if (dxgk_mdl_is_locked(MemoryDescriptorList))
		return STATUS_INVALID_PARAMETER;
	if (AccessMode == UserMode)
		status = mdl_lock_user(MemoryDescriptorList, write);
	else
		status = mdl_lock_kernel(MemoryDescriptorList);
	if (!NT_SUCCESS(status))
		return status;
	MemoryDescriptorList->MdlFlags |= MDL_PAGES_LOCKED;
	if (write)
		MemoryDescriptorList->MdlFlags |= MDL_WRITE_OPERATION;
	return STATUS_SUCCESS;
}
EXPORT_SYMBOL_NS_GPL(MmProbeAndLockPages, WDDM_EXPORT_NS);

static void mdl_unlock_user(PMDL mdl)
{
	bool dirty = mdl->MdlFlags & MDL_WRITE_OPERATION;
	unsigned long num_pages = dxgk_mdl_num_pages(mdl);
	unsigned long i;

	for (i = 0; i < num_pages; i++) {
		struct page *page = pfn_to_page(MmGetMdlPfnArray(mdl)[i]);

		unpin_user_pages_dirty_lock(&page, 1, dirty);
	}
	account_locked_vm(mdl->Process, num_pages, false);
	mmdrop(mdl->Process);
	mdl->Process = NULL;
}

/**
 * MmUnlockPages() - Undo MmProbeAndLockPages()
 * @MemoryDescriptorList: MDL that it has locked; of another, or one of a callback's,
 *                        nothing is done
 *
 * A system mapping goes, too. Pages that are mapped for an adapter stay with it.
 *
 * Context: May sleep; any process or kthread.
 */
VOID MmUnlockPages(PMDL MemoryDescriptorList)
{
	might_sleep();
	if (!(MemoryDescriptorList->MdlFlags & MDL_PAGES_LOCKED) ||
	    MemoryDescriptorList->State & MDL_KEPT)
		return;
	mdl_unmap(MemoryDescriptorList);
	if (MemoryDescriptorList->Process)
		mdl_unlock_user(MemoryDescriptorList);
	else
		pages_put(MmGetMdlPfnArray(MemoryDescriptorList),
			  dxgk_mdl_num_pages(MemoryDescriptorList));
	MemoryDescriptorList->MdlFlags &=
		~(MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
}
EXPORT_SYMBOL_NS_GPL(MmUnlockPages, WDDM_EXPORT_NS);

static DXGK_MEMORY_CACHING_TYPE mdl_cache(const MDL *mdl)
{
	if (mdl->State & MDL_NON_CACHED)
		return DXGK_MEMORY_CACHING_TYPE_NON_CACHED;
	if (mdl->State & MDL_WRITE_COMBINED)
		return DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED;
	return DXGK_MEMORY_CACHING_TYPE_CACHED;
}

static void *mdl_vmap(PMDL mdl, pgprot_t prot)
{
	unsigned long num_pages = dxgk_mdl_num_pages(mdl);
	struct page **pages;
	unsigned long i;
	void *va;

	pages = kvmalloc_array(num_pages, sizeof(*pages),
			       GFP_KERNEL | __GFP_NOWARN);
	if (!pages)
		return NULL;
	for (i = 0; i < num_pages; i++)
		pages[i] = pfn_to_page(MmGetMdlPfnArray(mdl)[i]);
	va = vmap(pages, num_pages, VM_MAP,
		  dxgk_cache_prot(mdl_cache(mdl), prot));
	kvfree(pages);
	return va;
}

/**
 * MmGetSystemAddressForMdlSafe() - An address of the kernel for a buffer
 * @Mdl: MDL whose pages are known
 * @Priority: A priority, which means nothing here, and MdlMappingNoWrite. Nothing is
 *            ever executable
 *
 * With the cache type that the pages have. The same address as long as the MDL is
 * locked. MmUnmapLockedPages(), MmUnlockPages()
 * and IoFreeMdl() end it. Two threads must not ask for one MDL at the same time.
 *
 * Context: May sleep.
 * Return: Where the first byte is, or NULL.
 */
PVOID MmGetSystemAddressForMdlSafe(PMDL Mdl, ULONG Priority)
{
	pgprot_t prot = Priority & MdlMappingNoWrite ? PAGE_KERNEL_RO :
						       PAGE_KERNEL;
	void *va;

	might_sleep();
	if (!dxgk_mdl_is_locked(Mdl) || !Mdl->ByteCount)
		return NULL;
	if (Mdl->MappedSystemVa)
		return Mdl->MappedSystemVa;
	va = mdl_vmap(Mdl, prot);
	if (!va)
		return NULL;
	Mdl->MappedSystemVa = va + Mdl->ByteOffset;
	Mdl->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
	return Mdl->MappedSystemVa;
}
EXPORT_SYMBOL_NS_GPL(MmGetSystemAddressForMdlSafe, WDDM_EXPORT_NS);

/**
 * MmUnmapLockedPages() - Undo MmGetSystemAddressForMdlSafe()
 * @BaseAddress: What it returned
 * @MemoryDescriptorList: The MDL. If the address is not one of its own, nothing is
 *                        done
 *
 * Context: May sleep.
 */
VOID MmUnmapLockedPages(PVOID BaseAddress, PMDL MemoryDescriptorList)
{
	might_sleep();
	if (BaseAddress == MemoryDescriptorList->MappedSystemVa)
		mdl_unmap(MemoryDescriptorList);
}
EXPORT_SYMBOL_NS_GPL(MmUnmapLockedPages, WDDM_EXPORT_NS);

/* An MDL for whole pages that somebody else keeps. It has no address. */
PMDL dxgk_mdl_alloc_for(struct page **pages, unsigned long num_pages,
			u32 byte_count, DXGK_MEMORY_CACHING_TYPE cache)
{
	PMDL mdl = IoAllocateMdl(NULL, byte_count, false, false, NULL);
	unsigned long i;

	if (!mdl)
		return NULL;
	for (i = 0; i < num_pages; i++)
		MmGetMdlPfnArray(mdl)[i] = page_to_pfn(pages[i]);
	mdl->MdlFlags = MDL_PAGES_LOCKED | MDL_WRITE_OPERATION;
	mdl->State = MDL_KEPT;
	if (cache == DXGK_MEMORY_CACHING_TYPE_NON_CACHED)
		mdl->State |= MDL_NON_CACHED;
	if (cache == DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED)
		mdl->State |= MDL_WRITE_COMBINED;
	return mdl;
}
