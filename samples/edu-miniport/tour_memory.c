// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tour of WDDM 2.4's callbacks: memory in one piece, pages, memory that the
 * miniport describes itself, and the frame buffer save area.
 */
#include <linux/dxgkrnl.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "tour.h"

/* --- Memory that Dxgkrnl allocates ------------------------------------------- */

static void contiguous(struct tour *tour, const char *name,
		       DXGK_MEMORY_CACHING_TYPE type)
{
	DXGKARGCB_ALLOCATECONTIGUOUSMEMORY args = {
		.NumberOfBytes = TOUR_BYTES,
		.LowestAcceptableAddress = tour->low,
		.HighestAcceptableAddress = tour->high,
		.CacheType = type,
	};
	DXGKARGCB_FREECONTIGUOUSMEMORY free = {};
	struct memory memory = {};
	NTSTATUS status;
	unsigned int i;
	bool ok = true;

	status = tour->dxgkrnl->DxgkCbAllocateContiguousMemory(tour->adapter,
							       &args);
	if (!step_status(tour, status, STATUS_SUCCESS, "%s: it is allocated",
			 name))
		return;
	memory_of_address(&memory, args.pMemory, TOUR_BYTES);
	if (locate(tour, &memory, args.hMemoryHandle, 0)) {
		for (i = 1; i < memory.num_pages; i++)
			ok &= memory.pages[i] == memory.pages[0] + i &&
			      memory.logical[i] ==
				      memory.logical[0] + i * PAGE_SIZE;
		step(tour, ok, "%s: it is in one piece, for all", name);
		step(tour, miniport_isolated() ?
			     memory_is_below(&memory, tour->high.QuadPart) :
			     memory_is_above(&memory, tour->low.QuadPart - 1),
		     "%s: it is from where it was asked for", name);
		check_reached(tour, name, &memory);
	}
	free.hMemoryHandle = args.hMemoryHandle;
	status = tour->dxgkrnl->DxgkCbFreeContiguousMemory(tour->adapter,
							   &free);
	step_status(tour, status, STATUS_SUCCESS, "%s: it is freed", name);
	check_blocked(tour, name, &memory, "freed");
}

void tour_contiguous(struct tour *tour)
{
	contiguous(tour, "contiguous memory, cached",
		   DXGK_MEMORY_CACHING_TYPE_CACHED);
	contiguous(tour, "contiguous memory, write-combined",
		   DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED);
	contiguous(tour, "contiguous memory, not cached",
		   DXGK_MEMORY_CACHING_TYPE_NON_CACHED);
}

/*
 * Where an MDL is for the devices. In isolation mode its page frame numbers go to
 * the hardware as they are: that is what the mode is for.
 */
static bool locate_mdl(struct tour *tour, struct memory *memory, PMDL mdl,
		       HANDLE handle, u64 offset)
{
	unsigned int i;

	if (!miniport_isolated())
		return locate(tour, memory, handle, offset);
	for (i = 0; i < memory->num_pages; i++)
		memory->logical[i] = (u64)MmGetMdlPfnArray(mdl)[i]
				     << PAGE_SHIFT;
	return true;
}

void tour_pages(struct tour *tour)
{
	DXGKARGCB_ALLOCATEPAGESFORMDL args = {
		.LowAddress = tour->low,
		.HighAddress = tour->high,
		.TotalBytes = TOUR_BYTES,
		.CacheType = DXGK_MEMORY_CACHING_TYPE_CACHED,
		.Flags = MM_ALLOCATE_FULLY_REQUIRED,
	};
	DXGKARGCB_FREEPAGESFROMMDL free = {};
	const char *name = "pages for an MDL";
	struct memory memory = {};
	NTSTATUS status;

	status = tour->dxgkrnl->DxgkCbAllocatePagesForMdl(tour->adapter, &args);
	if (!step_status(tour, status, STATUS_SUCCESS, "%s: it is allocated",
			 name))
		return;
	if (step(tour, memory_of_mdl(&memory, args.pMdl),
		 "%s: the CPU has an address for them", name) &&
	    locate_mdl(tour, &memory, args.pMdl, args.hMemoryHandle, 0)) {
		step(tour, miniport_isolated() ?
			     memory_is_below(&memory, tour->high.QuadPart) :
			     memory_is_above(&memory, tour->low.QuadPart - 1),
		     "%s: they are from where they were asked for", name);
		check_reached(tour, name, &memory);
	}
	free.hMemoryHandle = args.hMemoryHandle;
	status = tour->dxgkrnl->DxgkCbFreePagesFromMdl(tour->adapter, &free);
	step_status(tour, status, STATUS_SUCCESS, "%s: they are freed", name);
	check_blocked(tour, name, &memory, "freed");
}

/* --- Memory that the miniport has itself -------------------------------------- */

/**
 * struct own - Memory that the miniport allocated
 * @pages: Its pages
 * @va: Where they are for the kernel
 */
struct own {
	struct page *pages[MEMORY_PAGES];
	u8 *va;
};

/* A page that is not below @low; those that are must be held until one is found */
static struct page *alloc_page_from(u64 low)
{
	struct page *page, *next;
	LIST_HEAD(rejected);

	for (;;) {
		page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
		if (!page || page_to_phys(page) >= low)
			break;
		list_add(&page->lru, &rejected);
	}
	while (!list_empty(&rejected)) {
		next = list_first_entry(&rejected, struct page, lru);
		list_del(&next->lru);
		__free_page(next);
	}
	return page;
}

static void own_free(struct own *own)
{
	unsigned int i;

	vunmap(own->va);
	for (i = 0; i < MEMORY_PAGES; i++)
		if (own->pages[i])
			__free_page(own->pages[i]);
}

/* From where the devices need remapping, or from where they do not */
static bool own_alloc(struct own *own, bool out_of_sight)
{
	unsigned int i;

	memset(own, 0, sizeof(*own));
	for (i = 0; i < MEMORY_PAGES; i++) {
		own->pages[i] = out_of_sight ?
					alloc_page_from(miniport_highest() + 1) :
					alloc_page(GFP_KERNEL | GFP_DMA);
		if (!own->pages[i])
			goto err_free;
	}
	own->va = vmap(own->pages, MEMORY_PAGES, VM_MAP, PAGE_KERNEL);
	if (own->va)
		return true;
err_free:
	own_free(own);
	return false;
}

/* Part of @own, described by an MDL */
static PMDL own_mdl(struct own *own, ULONG offset, ULONG bytes)
{
	PMDL mdl;

	mdl = IoAllocateMdl(own->va + offset, bytes, false, false, NULL);
	if (mdl)
		MmBuildMdlForNonPagedPool(mdl);
	return mdl;
}

/* Unmapping by what is not the handle of this mapping does nothing */
static void check_bad_unmaps(struct tour *tour, const char *name, HANDLE handle,
			     const struct memory *memory)
{
	DXGKARGCB_UNMAPMDLFROMIOMMU unmap = { .hMemoryHandle = handle };

	remark("%s: two calls that name it wrongly, which Dxgkrnl tells of",
	       name);
	tour->dxgkrnl->DxgkCbUnmapMdlFromIoMmu(linked[1]->dxgkrnl.DeviceHandle,
					       &unmap);
	unmap.hMemoryHandle = tour->adapter;
	tour->dxgkrnl->DxgkCbUnmapMdlFromIoMmu(tour->adapter, &unmap);
	step(tour, memory_copied(memory, linked[0]),
	     "%s: unmapping it by other handles does nothing", name);
}

void tour_own_mdl(struct tour *tour)
{
	const char *name = "the miniport's own MDL";
	DXGKARGCB_UNMAPMDLFROMIOMMU unmap = {};
	DXGKARGCB_MAPMDLTOIOMMU map = {};
	struct memory memory = {};
	struct own own;
	NTSTATUS status;
	PMDL mdl;

	if (!own_alloc(&own, !miniport_isolated())) {
		step(tour, false, "%s: there is memory", name);
		return;
	}
	/* Neither its beginning nor its end is a page's */
	mdl = own_mdl(&own, 1000, TOUR_BYTES - 3000);
	if (!step(tour, mdl, "%s: it describes kernel memory", name))
		goto out_free;
	map.pMdl = mdl;
	status = tour->dxgkrnl->DxgkCbMapMdlToIoMmu(tour->adapter, &map);
	if (!step_status(tour, status, STATUS_SUCCESS, "%s: it is mapped",
			 name))
		goto out_free;
	memory_of_address(&memory, MmGetMdlVirtualAddress(mdl),
			  MmGetMdlByteCount(mdl));
	if (locate_mdl(tour, &memory, mdl, map.hMemoryHandle, 0)) {
		check_reached(tour, name, &memory);
		check_bad_unmaps(tour, name, map.hMemoryHandle, &memory);
	}
	unmap.hMemoryHandle = map.hMemoryHandle;
	tour->dxgkrnl->DxgkCbUnmapMdlFromIoMmu(tour->adapter, &unmap);
	check_blocked(tour, name, &memory, "unmapped");
out_free:
	if (mdl)
		IoFreeMdl(mdl);
	own_free(&own);
}

/* Two MDLs, one mapping */
static void two_mdls(struct tour *tour, PMDL head, PMDL tail)
{
	struct memory first = {}, second = {};
	DXGKARGCB_UNMAPMDLFROMIOMMU unmap = {};
	DXGKARGCB_MAPMDLTOIOMMU map = {};
	NTSTATUS status;

	head->Next = tail;
	map.pMdl = head;
	status = tour->dxgkrnl->DxgkCbMapMdlToIoMmu(tour->adapter, &map);
	if (!step_status(tour, status, STATUS_SUCCESS,
			 "a chain of two MDLs: it is mapped"))
		return;
	memory_of_address(&first, MmGetMdlVirtualAddress(head),
			  MmGetMdlByteCount(head));
	memory_of_address(&second, MmGetMdlVirtualAddress(tail),
			  MmGetMdlByteCount(tail));
	if (locate_mdl(tour, &first, head, map.hMemoryHandle, 0))
		check_reached(tour, "first MDL of a chain", &first);
	if (locate_mdl(tour, &second, tail, map.hMemoryHandle, first.bytes))
		check_reached(tour, "second MDL of a chain", &second);
	unmap.hMemoryHandle = map.hMemoryHandle;
	tour->dxgkrnl->DxgkCbUnmapMdlFromIoMmu(tour->adapter, &unmap);
	check_blocked(tour, "first MDL of a chain", &first, "unmapped");
	check_blocked(tour, "second MDL of a chain", &second, "unmapped");
}

void tour_chain(struct tour *tour)
{
	bool out_of_sight = !miniport_isolated();
	PMDL head = NULL, tail = NULL;
	struct own first, second;
	bool have_first, have_second;

	have_first = own_alloc(&first, out_of_sight);
	have_second = own_alloc(&second, out_of_sight);
	if (have_first && have_second) {
		head = own_mdl(&first, 100, PAGE_SIZE);
		tail = own_mdl(&second, 0, TOUR_BYTES);
	}
	if (step(tour, head && tail, "two MDLs describe kernel memory"))
		two_mdls(tour, head, tail);
	if (tail)
		IoFreeMdl(tail);
	if (head)
		IoFreeMdl(head);
	if (have_second)
		own_free(&second);
	if (have_first)
		own_free(&first);
}

/* @mdl is of memory of the current process, and locked */
static void user_mdl(struct tour *tour, const char *name, PMDL mdl)
{
	DXGKARGCB_MAPMDLTOIOMMU map = { .pMdl = mdl };
	DXGKARGCB_UNMAPMDLFROMIOMMU unmap = {};
	struct memory memory = {};
	bool in_sight;
	NTSTATUS status;

	if (!step(tour, memory_of_mdl(&memory, mdl),
		  "%s: the kernel has an address for it", name))
		return;
	in_sight = !miniport_isolated() ||
		   memory_is_below(&memory, miniport_highest());
	status = tour->dxgkrnl->DxgkCbMapMdlToIoMmu(tour->adapter, &map);
	if (!in_sight)
		step_status(tour, status, STATUS_INVALID_ADDRESS,
			    "%s: it is out of sight, and refused", name);
	else
		step_status(tour, status, STATUS_SUCCESS, "%s: it is mapped",
			    name);
	if (!NT_SUCCESS(status)) {
		memory_put(&memory);
		return;
	}
	if (locate_mdl(tour, &memory, mdl, map.hMemoryHandle, 0))
		check_reached(tour, name, &memory);
	unmap.hMemoryHandle = map.hMemoryHandle;
	tour->dxgkrnl->DxgkCbUnmapMdlFromIoMmu(tour->adapter, &unmap);
	check_blocked(tour, name, &memory, "unmapped");
}

void tour_user_mdl(struct tour *tour)
{
	const char *name = "the MDL of a process' memory";
	unsigned long uaddr;
	NTSTATUS status;
	PMDL mdl;

	uaddr = vm_mmap(NULL, 0, TOUR_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(uaddr)) {
		step(tour, false, "%s: there is memory", name);
		return;
	}
	mdl = IoAllocateMdl((void *)uaddr, TOUR_BYTES, false, false, NULL);
	if (step(tour, mdl, "%s: it describes it", name)) {
		status = MmProbeAndLockPages(mdl, UserMode, IoModifyAccess);
		if (step_status(tour, status, STATUS_SUCCESS,
				"%s: it is locked", name)) {
			user_mdl(tour, name, mdl);
			MmUnlockPages(mdl);
		}
		IoFreeMdl(mdl);
	}
	vm_munmap(uaddr, TOUR_BYTES);
}

/* The limit of WDDM 2.4, for which WDDM 3.0 has remapping */
void tour_out_of_sight(struct tour *tour)
{
	DXGKARGCB_MAPMDLTOIOMMU map = {};
	struct own own;
	NTSTATUS status;

	if (!own_alloc(&own, true)) {
		step(tour, false, "memory out of sight: there is some");
		return;
	}
	map.pMdl = own_mdl(&own, 0, TOUR_BYTES);
	if (step(tour, map.pMdl, "memory out of sight: an MDL describes it")) {
		status = tour->dxgkrnl->DxgkCbMapMdlToIoMmu(tour->adapter, &map);
		step_status(tour, status, STATUS_INVALID_ADDRESS,
			    "memory out of sight: its MDL is refused");
		IoFreeMdl(map.pMdl);
	}
	own_free(&own);
}

/* --- The frame buffer save area ----------------------------------------------- */

/* Is the area's page where the devices reach it without remapping? */
static bool area_in_sight(struct tour *tour, UINT index)
{
	DXGKARGCB_MAPFRAMEBUFFERPOINTER map = {
		.PhysicalAdapterIndex = index,
		.Size = SAVE_BYTES,
	};
	DXGKARGCB_UNMAPFRAMEBUFFERPOINTER unmap = {
		.PhysicalAdapterIndex = index,
	};
	struct memory memory = {};
	NTSTATUS status;
	bool in_sight;

	status = tour->dxgkrnl->DxgkCbMapFrameBufferPointer(tour->adapter,
							    &map);
	if (!step_status(tour, status, STATUS_SUCCESS,
			 "device %u's save area: the CPU has an address for it",
			 index))
		return false;
	memory_of_address(&memory, (u8 *)map.pBaseAddress + map.Offset,
			  SAVE_BYTES);
	in_sight = memory_is_below(&memory, miniport_highest());
	memory_put(&memory);
	unmap.pBaseAddress = map.pBaseAddress;
	status = tour->dxgkrnl->DxgkCbUnmapFrameBufferPointer(tour->adapter,
							      &unmap);
	step_status(tour, status, STATUS_SUCCESS,
		    "device %u's save area: the CPU gives the address back",
		    index);
	return in_sight;
}

/* The area is pinned: by Pin to @mdl, or by Pin2 to @adl */
static void frame_buffer(struct tour *tour, UINT index, const char *name,
			 PMDL mdl, const DXGK_ADL *adl)
{
	DXGKARGCB_MAPFRAMEBUFFERPOINTER map = {
		.PhysicalAdapterIndex = index,
		.Size = SAVE_BYTES,
	};
	DXGKARGCB_UNMAPFRAMEBUFFERPOINTER unmap = {
		.PhysicalAdapterIndex = index,
	};
	DXGKARGCB_UNPINFRAMEBUFFERFORSAVE unpin = {
		.PhysicalAdapterIndex = index,
	};
	struct memory memory = {};
	NTSTATUS status;
	u64 logical;

	status = tour->dxgkrnl->DxgkCbMapFrameBufferPointer(tour->adapter,
							    &map);
	if (step_status(tour, status, STATUS_SUCCESS,
			"%s: the CPU has an address for it, too", name)) {
		memory_of_address(&memory,
				  (u8 *)map.pBaseAddress + map.Offset,
				  SAVE_BYTES);
		if (mdl)
			step(tour, page_to_pfn(memory.pages[0]) ==
					   MmGetMdlPfnArray(mdl)[0],
			     "%s: the MDL has its page", name);
		step(tour, !dxgk_frame_buffer_address(tour->adapter, index, 0,
						      &logical) &&
				   (!adl || adl_address(adl, 0) == logical),
		     "%s: it has an address for the devices", name);
		memory.logical[0] = logical;
		check_reached(tour, name, &memory);
	}
	status = tour->dxgkrnl->DxgkCbUnpinFrameBufferForSave(tour->adapter,
							      &unpin);
	step_status(tour, status, STATUS_SUCCESS, "%s: it is unpinned", name);
	if (!memory.num_pages)
		return;
	unmap.pBaseAddress = map.pBaseAddress;
	tour->dxgkrnl->DxgkCbUnmapFrameBufferPointer(tour->adapter, &unmap);
	check_blocked(tour, name, &memory, "unpinned");
}

static void pinned_to_mdl(struct tour *tour, UINT index, bool in_sight)
{
	DXGKARGCB_PINFRAMEBUFFERFORSAVE pin = {
		.PhysicalAdapterIndex = index,
		.CommitSize = SAVE_BYTES,
	};
	NTSTATUS status;

	status = tour->dxgkrnl->DxgkCbPinFrameBufferForSave(tour->adapter,
							    &pin);
	if (!in_sight)
		step_status(tour, status, STATUS_INVALID_ADDRESS,
			    "device %u's save area: it is out of sight, and not pinned",
			    index);
	else
		step_status(tour, status, STATUS_SUCCESS,
			    "device %u's save area: it is pinned to an MDL",
			    index);
	if (NT_SUCCESS(status))
		frame_buffer(tour, index, "the save area, pinned to an MDL",
			     pin.pMdl, NULL);
}

static void pinned_to_adl(struct tour *tour, UINT index, bool in_sight)
{
	DXGKARGCB_PINFRAMEBUFFERFORSAVE2 pin = {
		.PhysicalAdapterIndex = index,
		.CommitSize = SAVE_BYTES,
		.Flags.PreferContiguous = true,
	};
	NTSTATUS status;

	status = tour->dxgkrnl->DxgkCbPinFrameBufferForSave2(tour->adapter,
							     &pin);
	if (!in_sight)
		step_status(tour, status, STATUS_INVALID_ADDRESS,
			    "device %u's save area: it is out of sight, and not pinned",
			    index);
	else
		step_status(tour, status, STATUS_SUCCESS,
			    "device %u's save area: it is pinned to an ADL",
			    index);
	if (NT_SUCCESS(status))
		frame_buffer(tour, index, "the save area, pinned to an ADL",
			     NULL, pin.pAdl);
}

/* The device's buffer through the save area; all is as it was, and how it went */
static bool is_saved(struct adapter *adapter, enum save_path want)
{
	u8 *before = kmalloc(EDU_BYTES, GFP_KERNEL);
	enum save_path saved, restored;
	bool ok = false;

	if (!before)
		return false;
	get_random_bytes(before, EDU_BYTES);
	memcpy(adapter->small, before, EDU_BYTES);
	if (power_load(adapter) ||
	    !NT_SUCCESS(power_move(adapter, EDU_WRITES, &saved)))
		goto out;
	memset(adapter->small, 0, EDU_BYTES);
	if (power_load(adapter) ||
	    !NT_SUCCESS(power_move(adapter, EDU_READS, &restored)))
		goto out;
	memset(adapter->small, 0, EDU_BYTES);
	ok = !power_dump(adapter) &&
	     !memcmp(adapter->small, before, EDU_BYTES) && saved == want &&
	     restored == want;
out:
	kfree(before);
	return ok;
}

/* While another pin is there, pinning fails: what is left is to go on in pieces */
static void check_pieces(struct tour *tour, struct adapter *adapter,
			 bool in_sight)
{
	DXGKARGCB_PINFRAMEBUFFERFORSAVE pin = {
		.PhysicalAdapterIndex = adapter->index,
		.CommitSize = SAVE_BYTES,
	};
	DXGKARGCB_UNPINFRAMEBUFFERFORSAVE unpin = {
		.PhysicalAdapterIndex = adapter->index,
	};
	NTSTATUS status;

	if (in_sight) {
		status = tour->dxgkrnl->DxgkCbPinFrameBufferForSave(tour->adapter,
								    &pin);
		step_status(tour, status, STATUS_SUCCESS,
			    "device %u's save area: it is pinned",
			    adapter->index);
	}
	step(tour, is_saved(adapter, SAVE_IN_PIECES),
	     "device %u saves and restores its buffer in pieces, as pinning fails",
	     adapter->index);
	if (in_sight) {
		status = tour->dxgkrnl->DxgkCbUnpinFrameBufferForSave(tour->adapter,
								      &unpin);
		step_status(tour, status, STATUS_SUCCESS,
			    "device %u's save area: it is unpinned",
			    adapter->index);
	}
}

void tour_frame_buffer(struct tour *tour)
{
	bool in_sight;
	UINT i;

	for (i = 0; i < LINKED; i++) {
		in_sight = area_in_sight(tour, i) || !miniport_isolated();
		pinned_to_mdl(tour, i, in_sight);
		if (tour->dxgkrnl->DxgkCbPinFrameBufferForSave2)
			pinned_to_adl(tour, i, in_sight);
		if (in_sight)
			step(tour, is_saved(linked[i], SAVE_PINNED),
			     "device %u saves and restores its buffer by pinned pages",
			     i);
		check_pieces(tour, linked[i], in_sight);
	}
}

/* --- Memory that the hardware has to itself ------------------------------------ */

/* It is reached from the start, in both modes where it is physically */
void tour_reserved(struct tour *tour)
{
	struct memory memory = {};
	bool ok = true;
	unsigned int i;
	u8 *va;

	va = memremap(miniport_reserved(), RESERVED_BYTES, MEMREMAP_WB);
	if (!step(tour, va, "the CPU has an address for the reserved range"))
		return;
	memory_of_address(&memory, va + RESERVED_BYTES - TOUR_BYTES,
			  TOUR_BYTES);
	for (i = 0; i < memory.num_pages; i++)
		memory.logical[i] = miniport_reserved() + RESERVED_BYTES -
				    TOUR_BYTES + i * PAGE_SIZE;
	for (i = 0; i < LINKED; i++)
		ok &= memory_copied(&memory, linked[i]);
	step(tour, ok, "each device reaches the reserved range where it is");
	memory_put(&memory);
	memunmap(va);
}
