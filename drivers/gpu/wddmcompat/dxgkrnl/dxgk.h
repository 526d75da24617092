/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of dxgkrnl/, which gives a ported display miniport the IOMMU side of
 * DXGKRNL_INTERFACE on top of the API for kernel modules.
 *
 *	interface.c	the structure of callbacks, by version
 *	adapter.c	start and stop of a logical adapter, and who may enter it
 *	leak.c		what a miniport has to give back
 *	status.c	NTSTATUS and errno
 *	mdl.c		wdm.h: memory descriptor lists
 *	pages.c		memory with an address range and a cache type
 *	map.c		pages to the IOMMU domain: remapped, or 1:1
 *	memory.c	contiguous memory, pages for an MDL, and the miniport's MDLs
 *	reserved.c	memory that hardware uses always
 *	framebuffer.c	the area that a frame buffer is saved to
 *	physical.c	physical memory objects, and what adapters open them
 *	view.c		addresses for the CPU
 *	adl.c		address descriptor lists
 *
 * A logical adapter is a context with one adapter of the API, and a private iommufd
 * of its own. Its devices, and the memory that a miniport gets, are objects with
 * handles, all in one table.
 *
 * Locks, outermost first; those of the API, and of memory management, come after
 * them all:
 *
 *	adapter->running	read: by each callback that works on the adapter;
 *				write: to stop it
 *	physical->lock		what depends on a physical memory object
 *	frame->lock		the save area of a device
 *	adapter->shared_lock	pages that buffers share, in 1:1 mode
 *	adapter->leaks.lock	list of what a miniport has to give back
 */
#ifndef __WDDMCOMPAT_DXGK_H
#define __WDDMCOMPAT_DXGK_H

#include <dispmprt.h>
#include <linux/dxgkrnl.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/xarray.h>

#include "../wddmcompat_private.h"

struct dxgk_allocation;

/* leak.c: what a miniport has to give back */

/**
 * struct dxgk_leaks - Allocations that somebody has to give back
 * @lock: Protects @list
 * @list: struct dxgk_allocation, the newest first
 */
struct dxgk_leaks {
	struct mutex lock; /* list */
	struct list_head list;
};

/**
 * struct dxgk_kind - A kind of allocation
 * @name: For the miniport's author
 * @release: Do what the callback does that gives it back, whatever depends on it.
 *           Nobody else uses it any more
 */
struct dxgk_kind {
	const char *name;
	void (*release)(struct dxgk_allocation *allocation);
};

/**
 * struct dxgk_allocation - What every allocation of a miniport's has
 * @node: In a list of leaks, as long as it has not been given back. Under its lock
 * @kind: What it is
 * @bytes: How much
 * @caller: Who has asked for it, if the module's parameter "verifier" is set
 */
struct dxgk_allocation {
	struct list_head node;
	const struct dxgk_kind *kind;
	size_t bytes;
	void *caller;
};

/* Of memory that was allocated for no adapter */
extern struct dxgk_leaks dxgk_unbound;

void dxgk_leaks_init(struct dxgk_leaks *leaks);
void dxgk_leaks_release(struct dxgk_leaks *leaks, const char *who);
void dxgk_leaks_add(struct dxgk_leaks *leaks,
		    struct dxgk_allocation *allocation,
		    const struct dxgk_kind *kind, size_t bytes, void *caller);
void dxgk_leaks_del(struct dxgk_leaks *leaks,
		    struct dxgk_allocation *allocation);

/* map.c: pages to the IOMMU domain */

/* The largest address that an MDL describes */
#define DXGK_BYTES_MAX ((u64)U32_MAX - PAGE_SIZE + 1)

/**
 * struct dxgk_part - Pages of a map that are mapped in one piece, in 1:1 mode
 * @memory: Memory handle, or 0
 * @shared: Or the page that it is, which other maps may have, too
 */
struct dxgk_part {
	u64 memory;
	struct dxgk_shared_page *shared;
};

/**
 * struct dxgk_map - Pages that the devices of an adapter reach
 * @adapter: The adapter
 * @mdl: The pages, locked
 * @identity: 1:1
 * @iova: If not, where the first page is
 * @num_parts: Parts in @parts
 * @parts: What they are mapped as
 * @part: @parts, if there is one
 */
struct dxgk_map {
	struct dxgk_adapter *adapter;
	struct wddmcompat_mdl *mdl;
	bool identity;
	u64 iova;
	unsigned long num_parts;
	struct dxgk_part *parts;
	struct dxgk_part part;
};

/**
 * struct dxgk_chain - What to map
 * @descs: The pages of each descriptor
 * @num: Descriptors
 * @uaddrs: Where they are in the calling process, or NULL
 * @boundary: A power of two that no address may cross a multiple of, or 0
 * @identity: 1:1, also if the adapter is remapped
 */
struct dxgk_chain {
	const struct wddmcompat_page_desc *descs;
	u32 num;
	const unsigned long *uaddrs;
	u64 boundary;
	bool identity;
};

int __must_check dxgk_map(struct dxgk_adapter *adapter,
			  const struct dxgk_chain *chain, struct dxgk_map *map);
int __must_check dxgk_map_pages(struct dxgk_adapter *adapter,
				struct page **pages, unsigned long num_pages,
				struct dxgk_map *map);
void dxgk_unmap(struct dxgk_map *map);
u64 dxgk_map_address(const struct dxgk_map *map, unsigned long page);
int __must_check dxgk_map_logical(const struct dxgk_map *map, u64 offset,
				  u64 *logical);

/* pages.c: memory with an address range and a cache type */

/**
 * struct dxgk_pages - Pages of ours
 * @refs: Who uses them; views of user space do after their object is gone
 * @cache: Their cache type
 * @num_pages: Their number
 * @pages: The pages, each of which can be given back by itself
 */
struct dxgk_pages {
	struct kref refs;
	DXGK_MEMORY_CACHING_TYPE cache;
	unsigned long num_pages;
	struct page *pages[] __counted_by(num_pages);
};

/**
 * struct dxgk_place - Physical addresses that pages may have
 * @low: The first
 * @high: The last
 * @skip: If not 0, the range is repeated at this distance
 * @boundary: A power of two that a block may not cross a multiple of, or 0
 * @limit: The last address that the device reaches
 */
struct dxgk_place {
	u64 low;
	u64 high;
	u64 skip;
	u64 boundary;
	u64 limit;
};

/* Does what is at @start cross a multiple of @boundary, which is a power of two or 0? */
static inline bool dxgk_crosses(u64 start, u64 bytes, u64 boundary)
{
	return boundary && (start ^ (start + bytes - 1)) & ~(boundary - 1);
}

struct dxgk_pages *dxgk_pages_alloc_blocks(unsigned long num_pages,
					   unsigned long block_pages,
					   const struct dxgk_place *place,
					   bool zero,
					   DXGK_MEMORY_CACHING_TYPE cache);
void dxgk_pages_get(struct dxgk_pages *pages);
void dxgk_pages_put(struct dxgk_pages *pages);
bool dxgk_is_memory(u64 start, u64 bytes);
bool dxgk_cache_is_valid(DXGK_MEMORY_CACHING_TYPE cache);
pgprot_t dxgk_cache_prot(DXGK_MEMORY_CACHING_TYPE cache, pgprot_t prot);

/* adapter.c: logical and physical adapters */

/**
 * struct dxgk_frame_buffer - Where the frame buffer of a device is saved
 * @lock: Protects what follows
 * @file: shmem file, or NULL if the miniport wants none
 * @size: Its size
 * @pinned: Pages that are pinned and mapped, or NULL
 * @views: struct frame_view: pieces with an address
 */
struct dxgk_frame_buffer {
	struct mutex lock; /* pinned, views */
	struct file *file;
	size_t size;
	struct frame_pin *pinned;
	struct list_head views;
};

/**
 * struct dxgk_device - A physical adapter, which may be one of a linked chain
 * @obj: Its handle is DeviceHandle
 * @adapter: The logical adapter, which it keeps in memory
 * @index: Which one of the chain; 0 is the lead
 * @dev: The device
 * @context: The miniport's MiniportDeviceContext
 * @attached: Its DMA goes through the adapter's IOAS
 * @started: DxgkDdiStartDevice has succeeded
 * @frame: Where its frame buffer is saved
 */
struct dxgk_device {
	struct wddm_object obj;
	struct dxgk_adapter *adapter;
	unsigned int index;
	struct device *dev;
	PVOID context;
	bool attached;
	bool started;
	struct dxgk_frame_buffer frame;
};

/**
 * struct dxgk_adapter - A logical adapter
 * @refs: Its memory: one of its owner's and one of each device
 * @init: The miniport's functions
 * @identity: 1:1: an address of the device is a physical address
 * @highest: The last address that its devices can use
 * @ctx: What all of this is made in
 * @adapter: The IOAS that the devices are attached to
 * @running: Held for reading by whoever works on the adapter
 * @stopped: Nobody may begin to any more. Under @running
 * @leaks: What its miniport has to give back
 * @shared_lock: Protects @shared
 * @shared: In 1:1 mode, struct dxgk_shared_page by page frame number
 * @reserved: Memory that its hardware uses always
 * @num_reserved: Entries of @reserved
 * @num_devs: Devices
 * @devs: The devices
 */
struct dxgk_adapter {
	struct kref refs;
	DRIVER_INITIALIZATION_DATA init;
	bool identity;
	u64 highest;
	struct wddmcompat_context *ctx;
	struct wddmcompat_adapter *adapter;
	struct rw_semaphore running; /* stopped */
	bool stopped;
	struct dxgk_leaks leaks;
	struct mutex shared_lock; /* shared */
	struct xarray shared;
	struct dxgk_map *reserved;
	unsigned int num_reserved;
	unsigned int num_devs;
	struct dxgk_device *devs[] __counted_by(num_devs);
};

/* Where objects of dxgkrnl/ have their handles. It is never bound. */
extern struct wddmcompat_context *dxgk_objects;

struct dxgk_device *dxgk_enter(HANDLE adapter);
struct dxgk_device *dxgk_enter_any(HANDLE adapter);
int __must_check dxgk_enter_device(struct dxgk_device *device);
void dxgk_leave(struct dxgk_device *device);
struct wddm_object *dxgk_object_get(HANDLE handle,
				    enum wddmcompat_object_type type);

static inline HANDLE dxgk_handle(const struct wddm_object *obj)
{
	return (HANDLE)(uintptr_t)obj->handle;
}

/* The last physical address that memory for the adapter may have */
static inline u64 dxgk_physical_limit(const struct dxgk_adapter *adapter)
{
	return adapter->identity ? adapter->highest : U64_MAX;
}

int __must_check
dxgk_adapter_query_reserved(struct dxgk_adapter *adapter,
			    DXGK_HARDWARERESERVEDRANGES *ranges);

/* reserved.c: memory that hardware uses always */
int __must_check dxgk_reserved_map(struct dxgk_adapter *adapter);
void dxgk_reserved_unmap(struct dxgk_adapter *adapter);

/* mdl.c */
PMDL dxgk_mdl_alloc_for(struct page **pages, unsigned long num_pages,
			u32 byte_count, DXGK_MEMORY_CACHING_TYPE cache);
void dxgk_mdl_free(PMDL mdl);
unsigned long dxgk_mdl_num_pages(const MDL *mdl);
bool dxgk_mdl_is_locked(const MDL *mdl);
bool dxgk_mdl_is_writeable(const MDL *mdl);

/* framebuffer.c */
int __must_check dxgk_frame_init(struct dxgk_device *device, size_t size);
void dxgk_frame_fini(struct dxgk_device *device);
NTSTATUS dxgk_pin_frame_buffer(HANDLE adapter,
			       DXGKARGCB_PINFRAMEBUFFERFORSAVE *args);
NTSTATUS dxgk_pin_frame_buffer2(HANDLE adapter,
				DXGKARGCB_PINFRAMEBUFFERFORSAVE2 *args);
NTSTATUS dxgk_unpin_frame_buffer(HANDLE adapter,
				 const DXGKARGCB_UNPINFRAMEBUFFERFORSAVE *args);
NTSTATUS dxgk_map_frame_buffer(HANDLE adapter,
			       DXGKARGCB_MAPFRAMEBUFFERPOINTER *args);
NTSTATUS dxgk_unmap_frame_buffer(HANDLE adapter,
				 const DXGKARGCB_UNMAPFRAMEBUFFERPOINTER *args);

/* memory.c */
NTSTATUS dxgk_allocate_contiguous(HANDLE adapter,
				  DXGKARGCB_ALLOCATECONTIGUOUSMEMORY *args);
NTSTATUS dxgk_free_contiguous(HANDLE adapter,
			      const DXGKARGCB_FREECONTIGUOUSMEMORY *args);
NTSTATUS dxgk_allocate_pages(HANDLE adapter,
			     DXGKARGCB_ALLOCATEPAGESFORMDL *args);
NTSTATUS dxgk_free_pages(HANDLE adapter,
			 const DXGKARGCB_FREEPAGESFROMMDL *args);
NTSTATUS dxgk_map_mdl(HANDLE adapter, DXGKARGCB_MAPMDLTOIOMMU *args);
VOID dxgk_unmap_mdl(HANDLE adapter, const DXGKARGCB_UNMAPMDLFROMIOMMU *args);
struct dxgk_pages *dxgk_new_contiguous(u64 bytes, PHYSICAL_ADDRESS lowest,
				       PHYSICAL_ADDRESS highest,
				       PHYSICAL_ADDRESS boundary,
				       DXGK_MEMORY_CACHING_TYPE cache,
				       u64 limit);
struct dxgk_pages *dxgk_new_pages(u64 bytes, PHYSICAL_ADDRESS low,
				  PHYSICAL_ADDRESS high, PHYSICAL_ADDRESS skip,
				  ULONG flags, DXGK_MEMORY_CACHING_TYPE cache,
				  u64 limit);

/* physical.c: physical memory objects */

/**
 * struct dxgk_physical - A physical memory object
 * @obj: Handle and references
 * @allocation: To be given back to @leaks
 * @leaks: Those of @device's adapter, or of none
 * @device: That it was created for, or NULL
 * @type: DXGK_PHYSICAL_MEMORY_TYPE_...
 * @size: Bytes, whole pages
 * @pages: The memory, or NULL for IO space
 * @io_base: Of IO space
 * @cache: How the CPU sees it
 * @boundary: A power of two that no ADL may cross a multiple of, or 0
 * @readonly: Views cannot be written
 * @lock: Protects what follows
 * @opened: By an adapter
 * @adls: struct dxgk_adl: ADLs of @opened
 * @views: struct dxgk_view
 *
 * Its uses are @opened and the views of the kernel.
 */
struct dxgk_physical {
	struct wddm_object obj;
	struct dxgk_allocation allocation;
	struct dxgk_leaks *leaks;
	struct dxgk_device *device;
	DXGK_PHYSICAL_MEMORY_TYPE type;
	size_t size;
	struct dxgk_pages *pages;
	phys_addr_t io_base;
	DXGK_MEMORY_CACHING_TYPE cache;
	u64 boundary;
	bool readonly;
	struct mutex lock; /* opened, adls, views */
	struct dxgk_opened *opened;
	struct list_head adls;
	struct list_head views;
};

/**
 * struct dxgk_opened - A physical memory object that an adapter has opened
 * @obj: Its handle is hAdapterMemoryObject; its uses are the ADLs
 * @allocation: To be given back
 * @device: Any device of the adapter
 * @physical: The object
 */
struct dxgk_opened {
	struct wddm_object obj;
	struct dxgk_allocation allocation;
	struct dxgk_device *device;
	struct dxgk_physical *physical;
};

NTSTATUS dxgk_create_physical(DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT *args);
VOID dxgk_destroy_physical(const DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT *args);
NTSTATUS dxgk_open_physical(DXGKARGCB_OPEN_PHYSICAL_MEMORY_OBJECT *args);
VOID dxgk_close_physical(const DXGKARGCB_CLOSE_PHYSICAL_MEMORY_OBJECT *args);
struct dxgk_physical *dxgk_physical_enter(HANDLE handle);
void dxgk_physical_leave(struct dxgk_physical *physical);
struct dxgk_opened *dxgk_opened_enter(HANDLE handle);
void dxgk_opened_leave(struct dxgk_opened *opened);

/* view.c: addresses for the CPU */
NTSTATUS dxgk_map_physical(DXGKARGCB_MAP_PHYSICAL_MEMORY *args);
VOID dxgk_unmap_physical(const DXGKARGCB_UNMAP_PHYSICAL_MEMORY *args);
void dxgk_views_release(struct dxgk_physical *physical);

/* adl.c: address descriptor lists */
NTSTATUS dxgk_allocate_adl(DXGKARGCB_ALLOCATE_ADL *args);
VOID dxgk_free_adl(const DXGKARGCB_FREE_ADL *args);
int __must_check dxgk_adl_fill(DXGK_ADL *adl, const struct dxgk_map *map,
			       unsigned long num_pages, bool prefer_contiguous);
void dxgk_adl_clear(DXGK_ADL *adl);

/* interface.c */
void dxgk_interface_fill(DXGKRNL_INTERFACE *interface, ULONG version,
			 HANDLE device);

#endif
