/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of wddmcompat and how they hold together.
 *
 * A context is an open /dev/wddmcompat, or one that a kernel module made. It is
 * bound to one iommufd and owns objects, each known by a 64-bit handle:
 *
 *	adapter		an IOAS, with our iommufd_access on it
 *	MDL		pages, pinned through the context's private MDL IOAS
 *	mapping		pages of an MDL in the IOAS of an adapter
 *
 * An MDL and a mapping are both a *range*: consecutive IOVA in one IOAS, made of
 * one iommufd area for each segment that it touches. A *segment* is a descriptor of
 * an MDL, or several that follow each other in memory. Of each area pages are
 * pinned through our access - all pages for an MDL, the first for a mapping - so
 * that iommufd calls us before the area goes, whoever unmaps it. range.c has the
 * one mechanism that both share.
 *
 * Lifetimes: the handle table holds a reference to each published object and
 * lookups take their own. A mapping holds references to its adapter and MDL, and
 * counts as a use of both until it is unmapped; an object in use cannot be
 * destroyed. Objects never outlive their context.
 *
 * Locks, outermost first:
 *
 *	context->bind_lock	binding happens once
 *	adapter->devices_lock	devices come and go one at a time
 *	context->read_lock	one reader of events at a time
 *	  (a mapping that is claimed: one thread at a time unmaps it, see mapping.c)
 *	  (iommufd's own locks, taken and dropped by the ioctls in ioas.c)
 *	ioas->lock		ranges of an IOAS: which areas are there
 *	  (iommufd's access->ioas_lock, iova_rwsem, pages->mutex)
 *	handles.grow_lock	room for more handles
 *	handles.lock, context->events_lock	spinlocks, innermost
 *
 * iommufd calls watch.c's unmap callback, which takes ioas->lock, in the middle of
 * an unmap that may run in any process. So ioas->lock is never held while an
 * iommufd ioctl runs or an access is destroyed; a mapping may be claimed then, because
 * the callback does not wait for who has it.
 */
#ifndef __WDDMCOMPAT_PRIVATE_H
#define __WDDMCOMPAT_PRIVATE_H

#include <linux/atomic.h>
#include <linux/container_of.h>
#include <linux/interval_tree.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/wddmcompat.h>
#include <linux/workqueue.h>

struct file;
struct iommufd_access;
struct iommufd_ctx;
struct mm_struct;
struct poll_table_struct;

/* handle.c: objects and the numbers that name them */

/**
 * struct wddm_object - What every object with a handle begins with
 * @ctx: Context that owns the object
 * @handle: Its handle; the type is part of it
 * @refs: Memory of the object; the handle table holds one
 * @uses: Objects that depend on this one; -1 once it is being destroyed
 */
struct wddm_object {
	struct wddmcompat_context *ctx;
	u64 handle;
	refcount_t refs;
	atomic_t uses;
};

#define WDDM_HANDLE_INDEX_BITS 24
#define WDDM_HANDLE_GENERATION_BITS 36

/* Slots of a chunk, and chunks of a branch: each has 4 KiB */
#define WDDM_HANDLE_FANOUT 512
#define WDDM_HANDLE_BRANCHES                                \
	(BIT(WDDM_HANDLE_INDEX_BITS) / WDDM_HANDLE_FANOUT / \
	 WDDM_HANDLE_FANOUT)

/**
 * union wddm_handle_slot - What a handle names, or what is kept for the next one
 * @obj: The object
 * @vacant: Odd if there is none, see handle.c
 */
union wddm_handle_slot {
	struct wddm_object *obj;
	u64 vacant;
};

struct wddm_handle_chunk {
	union wddm_handle_slot slots[WDDM_HANDLE_FANOUT];
};

struct wddm_handle_branch {
	struct wddm_handle_chunk *chunks[WDDM_HANDLE_FANOUT];
};

/**
 * struct wddm_handle_table - The handles of a context
 * @lock: Protects the slots
 * @grow_lock: One thread at a time makes room
 * @first_generation: Where each slot's generation starts: a random number, so
 *                    that handles of one context mean nothing in another
 * @num_slots: Slots that are there, from index 0 on. Written under both locks
 * @first_free: Index of a free slot, where the next one is to be found. Under @lock
 * @branches: Where the slots are. Below @num_slots they do not change any more
 */
struct wddm_handle_table {
	spinlock_t lock; /* slots */
	struct mutex grow_lock; /* num_slots */
	u64 first_generation;
	u32 num_slots;
	u32 first_free;
	struct wddm_handle_branch *branches[WDDM_HANDLE_BRANCHES];
};

/* Types of objects that no ioctl knows: those of dxgkrnl/ */
#define WDDM_OBJECT_DXGK_DEVICE ((enum wddmcompat_object_type)8)
#define WDDM_OBJECT_DXGK_MEMORY ((enum wddmcompat_object_type)9)
#define WDDM_OBJECT_DXGK_PHYSICAL ((enum wddmcompat_object_type)10)
#define WDDM_OBJECT_DXGK_OPENED ((enum wddmcompat_object_type)11)

void wddm_handles_init(struct wddm_handle_table *table);
void wddm_handles_destroy(struct wddm_handle_table *table);
void *wddm_handles_alloc(size_t size);
int __must_check wddm_handle_reserve(struct wddm_handle_table *table,
				     enum wddmcompat_object_type type,
				     u64 *handle);
void wddm_handle_publish(struct wddm_handle_table *table,
			 struct wddm_object *obj);
void wddm_handle_release(struct wddm_handle_table *table, u64 handle);
struct wddm_object *wddm_handle_get(struct wddm_handle_table *table, u64 handle);
struct wddm_object *wddm_handle_get_typed(struct wddm_handle_table *table,
					  u64 handle,
					  enum wddmcompat_object_type type);
struct wddm_object *wddm_handle_at(struct wddm_handle_table *table, u32 index);
enum wddmcompat_object_type wddm_handle_type(u64 handle);

int __must_check wddm_object_init(struct wddm_object *obj,
				  struct wddmcompat_context *ctx,
				  enum wddmcompat_object_type type);
void wddm_object_remove(struct wddm_object *obj);
void wddm_object_undo(struct wddm_object *obj);
void wddm_object_get(struct wddm_object *obj);
void wddm_object_put(struct wddm_object *obj);
int __must_check wddm_object_use(struct wddm_object *obj);
void wddm_object_unuse(struct wddm_object *obj);
int __must_check wddm_object_retire(struct wddm_object *obj);
int __must_check wddm_object_retire_used(struct wddm_object *obj, int uses);
void wddm_object_unretire(struct wddm_object *obj);

/* command.c: how a command reaches iommufd */

/* Bytes that one command may have */
#define WDDM_COMMAND_SIZE 128
#define WDDM_COMMAND_SLOTS 32

/**
 * struct wddm_command_page - A page of user memory that carries commands
 * @file: Anonymous file that owns the page and is mapped at @uaddr
 * @slots: The page, as the kernel sees it
 * @mm: Address space of @uaddr. An owner's exists as long as the context, but may
 *      have no users any more
 * @uaddr: The page, as iommufd's copy_from_user() sees it
 * @busy: Slots in use
 * @wait: Waiters for a slot
 */
struct wddm_command_page {
	struct file *file;
	void *slots;
	struct mm_struct *mm;
	unsigned long uaddr;
	DECLARE_BITMAP(busy, WDDM_COMMAND_SLOTS);
	wait_queue_head_t wait;
};

/**
 * struct wddm_iommufd - An iommufd and the ways to give it commands
 * @ictx: Reference that keeps @file open
 * @file: The iommufd
 * @owner: Page in the address space of the process that owns the context; not
 *         there (mm is NULL) in a context of the kernel
 * @carrier: Page in the carrier's address space, see command.c
 * @wq: Where commands run for callers that are not in the carrier's address
 *      space. One for each iommufd: a stuck one delays nobody else
 */
struct wddm_iommufd {
	struct iommufd_ctx *ictx;
	struct file *file;
	struct wddm_command_page owner;
	struct wddm_command_page carrier;
	struct workqueue_struct *wq;
};

/**
 * enum wddm_via - Which page a command takes
 * @WDDM_VIA_ANY: The owner's if the caller is the owner, for speed; the carrier's
 *                for any other caller
 * @WDDM_VIA_OWNER: The owner's: iommufd is to see the owner's addresses
 * @WDDM_VIA_CARRIER: The carrier's: nobody can tamper with the command
 * @WDDM_VIA_CALLER: One in the calling process that it cannot tamper with, but that
 *                   takes no answer: iommufd is to see the caller's addresses
 */
enum wddm_via {
	WDDM_VIA_ANY,
	WDDM_VIA_OWNER,
	WDDM_VIA_CARRIER,
	WDDM_VIA_CALLER,
};

int __must_check wddm_carrier_init(void);
void wddm_carrier_exit(void);
int __must_check wddm_iommufd_open(struct wddm_iommufd *iommufd,
				   struct file *file, struct mm_struct *owner);
void wddm_iommufd_close(struct wddm_iommufd *iommufd);
int wddm_carrier_call(struct wddm_iommufd *iommufd, int (*fn)(void *data),
		      void *data);
int __must_check wddm_command(struct wddm_iommufd *iommufd, enum wddm_via via,
			      unsigned int cmd, void *command, size_t size);
int __must_check wddm_command_array(struct wddm_iommufd *iommufd,
				    unsigned int cmd, void *command,
				    size_t size, size_t pointer, size_t offset);

/* ioas.c: what we ask of iommufd */

/**
 * struct wddm_ioas - An IOAS and the ranges that we have in it
 * @iommufd: Where it is
 * @id: Its object ID
 * @access: Ours on it; keeps the IOAS, and calls us before pinned areas go
 * @lock: Protects @ranges and the pins of every range in it
 * @ranges: struct wddm_range by IOVA, as long as they have areas
 * @watch_work: Looks after loose ranges, see watch.c
 * @watch_delay: When it does, in jiffies. Under @lock
 * @watch_calls: How often others have unmapped areas since. Under @lock
 */
struct wddm_ioas {
	struct wddm_iommufd *iommufd;
	u32 id;
	struct iommufd_access *access;
	struct mutex lock; /* ranges, their pins, and what follows */
	struct rb_root_cached ranges;
	struct delayed_work watch_work;
	unsigned long watch_delay;
	unsigned int watch_calls;
};

int __must_check wddm_ioas_alloc(struct wddm_iommufd *iommufd, u32 *ioas_id);
void wddm_ioas_free(struct wddm_iommufd *iommufd, u32 ioas_id);
int __must_check wddm_ioas_attach(struct wddm_ioas *ioas,
				  struct wddm_iommufd *iommufd, u32 ioas_id);
void wddm_ioas_detach(struct wddm_ioas *ioas);
int __must_check wddm_ioas_map(struct wddm_ioas *ioas, enum wddm_via via,
			       unsigned long iova, unsigned long uaddr,
			       unsigned long length, bool writeable);
int __must_check wddm_ioas_copy(struct wddm_ioas *dst, struct wddm_ioas *src,
				unsigned long src_iova, unsigned long length,
				u32 flags, unsigned long *dst_iova);
int wddm_ioas_unmap(struct wddm_ioas *ioas, enum wddm_via via,
		    unsigned long iova, unsigned long length);
int __must_check wddm_ioas_limit(struct wddm_ioas *ioas, u64 last);

/* range.c: areas of an IOAS that cannot go unnoticed */

/**
 * struct wddm_range - What an MDL and a mapping have in common
 * @obj: Handle and references
 * @ioas: The IOAS that it is in
 * @mdl: The MDL whose segments shape its areas; for an MDL: itself
 * @node: Its IOVA. Constant once the range is watched; in ioas->ranges, under
 *        ioas->lock, while an area is there
 * @event: In context->events while user space has not been told of a revocation
 * @unmapper: Our own task that is unmapping it: that is no revocation. Under ioas->lock
 * @areas_word: One bit for each area that is there, if they are few. Under ioas->lock
 * @areas_map: The same, if they are many, see wddm_range_areas()
 * @first_page: First page of @mdl that is in the range
 * @first_seg: Segment of @mdl that @first_page is in
 * @num_areas: Segments that the range touches: one area each
 * @state: enum wddmcompat_state. Written under ioas->lock
 * @claimed: iommufd has asked @unmapper for the pin of the first area. Under ioas->lock
 * @loose: Its areas are not pinned, so that they may have gone unnoticed.
 *         Under ioas->lock
 * @writeable: Of a mapping: the device may write to it
 * @unmapped: Of a mapping: it is; only the memory is left. Written by who has claimed
 *            the mapping
 *
 * There may be a million of them, so each byte counts.
 */
struct wddm_range {
	struct wddm_object obj;
	struct wddm_ioas *ioas;
	struct wddmcompat_mdl *mdl;
	struct interval_tree_node node;
	struct list_head event;
	const struct task_struct *unmapper;
	union {
		unsigned long areas_word;
		unsigned long *areas_map;
	};
	unsigned long first_page;
	u16 first_seg;
	u16 num_areas;
	u8 state;
	bool claimed:1;
	bool loose:1;
	bool writeable;
	bool unmapped;
};

static inline unsigned long *wddm_range_areas(struct wddm_range *range)
{
	return range->num_areas > BITS_PER_LONG ? range->areas_map :
						  &range->areas_word;
}

static inline unsigned long wddm_range_length(const struct wddm_range *range)
{
	return range->node.last - range->node.start + 1;
}

int __must_check wddm_range_init(struct wddm_range *range,
				 struct wddm_ioas *ioas,
				 struct wddmcompat_mdl *mdl,
				 unsigned long first_page,
				 unsigned long num_pages);
void wddm_range_fini(struct wddm_range *range);
void wddm_range_place(struct wddm_range *range, unsigned long iova,
		      unsigned long num_pages);

/* watch.c: what becomes of them when others unmap their areas */

int __must_check wddm_range_watch(struct wddm_range *range);
void wddm_watch_init(struct wddm_ioas *ioas);
void wddm_watch_fini(struct wddm_ioas *ioas);
void wddm_ranges_unmapped(void *data, unsigned long iova, unsigned long length);

/* unmap.c: how we unmap them */

unsigned long wddm_patience_end(void);
int __must_check wddm_range_unmap(struct wddm_range *range);
void wddm_range_undo(struct wddm_range *range);
void wddm_range_abort(struct wddm_range *range, unsigned long length);

/* context.c: an open file, or a kernel module's */

/**
 * struct wddmcompat_context - Owner of objects, bound to an iommufd
 * @owner: Address space that opened the file, only compared; NULL for a context
 *         of the kernel
 * @handles: Its objects
 * @iommufd: What it is bound to
 * @mdls: Private IOAS that holds the MDLs
 * @mdl_iova: Next free IOVA in @mdls; none is used twice
 * @patience: When the context ends, until when it waits for others; else 0
 * @bind_lock: Binding happens once
 * @bound: @iommufd and @mdls can be used; set with release semantics
 * @read_lock: Held while events are delivered, so that each is to one reader
 * @events_lock: Protects @events
 * @events: Revoked ranges that user space has not been told of
 * @events_wait: Readers and pollers
 */
struct wddmcompat_context {
	struct mm_struct *owner;
	struct wddm_handle_table handles;
	struct wddm_iommufd iommufd;
	struct wddm_ioas mdls;
	atomic64_t mdl_iova;
	unsigned long patience; /* set when nothing else runs in the context */
	struct mutex bind_lock; /* bound */
	bool bound;
	struct mutex read_lock; /* one reader at a time */
	spinlock_t events_lock; /* events */
	struct list_head events;
	wait_queue_head_t events_wait;
};

struct wddmcompat_context *wddm_context_alloc(struct mm_struct *owner);
int __must_check wddm_context_bind(struct wddmcompat_context *ctx,
				   struct file *iommufd);
void wddm_context_free(struct wddmcompat_context *ctx);
bool wddm_context_is_bound(struct wddmcompat_context *ctx);
void wddm_event_queue(struct wddm_range *range);
void wddm_event_cancel(struct wddm_range *range);
ssize_t wddm_events_read(struct wddmcompat_context *ctx, char __user *buf,
			 size_t count, bool nonblock);
__poll_t wddm_events_poll(struct wddmcompat_context *ctx, struct file *file,
			  struct poll_table_struct *table);

/* adapter.c: a logical adapter */

/**
 * struct wddmcompat_adapter - An IOAS that MDLs are mapped to
 * @obj: Handle and references; its uses are the mappings
 * @ioas: The IOAS
 * @owns_ioas: We allocated it
 * @unmap_wait: Who waits for another thread that is unmapping the same mapping
 * @devices_lock: Protects @devices
 * @devices: Linked physical adapters that a kernel module attached
 */
struct wddmcompat_adapter {
	struct wddm_object obj;
	struct wddm_ioas ioas;
	bool owns_ioas;
	wait_queue_head_t unmap_wait;
	struct mutex devices_lock; /* devices */
	struct list_head devices;
};

/* runs.c: which pages there are */

/**
 * struct wddm_run - Physically consecutive pages
 * @pfn: Frame number of the first
 * @first: Which page that is, counted through all runs
 */
struct wddm_run {
	unsigned long pfn;
	unsigned long first;
};

/**
 * struct wddm_runs - Pages, as runs
 * @num: Runs in @runs, at least 1
 * @runs: The runs, by their first page
 */
struct wddm_runs {
	unsigned long num;
	struct wddm_run runs[] __counted_by(num);
};

struct wddm_runs *wddm_runs_alloc(struct page **pages, unsigned long num_pages,
				  gfp_t gfp);
void wddm_runs_free(struct wddm_runs *runs);
unsigned long wddm_runs_pfn(const struct wddm_runs *runs, unsigned long page);
bool wddm_runs_equal(const struct wddm_runs *runs, struct page **pages,
		     unsigned long num_pages);

/* mdl.c: locked pages */

/**
 * struct wddm_desc - One descriptor of an MDL
 * @first_page: Index of its first page in the MDL
 * @byte_offset: First byte within the first page
 * @byte_count: Bytes from there on
 */
struct wddm_desc {
	unsigned long first_page;
	u32 byte_offset;
	u32 byte_count;
};

/**
 * struct wddm_segment - Pages of an MDL that are locked as one area
 * @first_page: Index of its first page in the MDL
 * @num_pages: Pages of its descriptors, of which there may be several
 * @uaddr: Address of the first page, while it is being locked
 * @writeable: Locked for writing
 * @runs: The pages. Once the MDL is revoked they are no longer ours, and their
 *        frame numbers only good for being compared
 */
struct wddm_segment {
	unsigned long first_page;
	unsigned long num_pages;
	unsigned long uaddr;
	bool writeable;
	struct wddm_runs *runs;
};

/**
 * struct wddmcompat_mdl - A chain of descriptors whose pages are locked
 * @range: Where it is in the MDL IOAS; its uses are the mappings
 * @num_pages: Pages of all segments
 * @owns_pages: The pages were allocated by wddmcompat_mdl_alloc()
 * @num_descs: Descriptors in @descs
 * @descs: What the pages are to whoever has locked them
 * @num_segs: Segments in @segs
 * @segs: What they are to iommufd
 */
struct wddmcompat_mdl {
	struct wddm_range range;
	unsigned long num_pages;
	bool owns_pages;
	u32 num_descs;
	struct wddm_desc *descs;
	u32 num_segs;
	struct wddm_segment segs[] __counted_by(num_segs);
};

int __must_check wddm_desc_check(const struct wddmcompat_mdl_desc *desc,
				 unsigned int page_shift);
unsigned long wddm_span_pages(u32 byte_offset, u32 byte_count,
			      unsigned int page_shift);
u32 wddm_mdl_find_segment(const struct wddmcompat_mdl *mdl, unsigned long page);
unsigned long wddm_mdl_pfn(const struct wddmcompat_mdl *mdl, unsigned long page);
struct wddmcompat_mdl *
wddm_mdl_create_at(struct wddmcompat_context *ctx,
		   const struct wddmcompat_page_desc *descs, u32 num_descs,
		   const unsigned long *uaddrs);

/* window.c: an address for pages that have none */

int __must_check wddm_window_open(struct page **pages, unsigned long num_pages,
				  unsigned long *uaddr);
void wddm_munmap(unsigned long uaddr, unsigned long length);
void wddm_window_close(unsigned long uaddr, unsigned long num_pages);

/* mapping.c: pages of an MDL in an adapter */

/**
 * struct wddm_mapping - What a memory handle names
 * @range: Where it is in the adapter's IOAS
 */
struct wddm_mapping {
	struct wddm_range range;
};

static inline struct wddmcompat_adapter *
wddm_mapping_adapter(const struct wddm_mapping *mapping)
{
	return container_of(mapping->range.ioas, struct wddmcompat_adapter,
			    ioas);
}

int __must_check wddm_mappings_init(void);
void wddm_mappings_exit(void);

static inline struct wddm_object *wddm_mdl_obj(struct wddmcompat_mdl *mdl)
{
	return &mdl->range.obj;
}

static inline struct wddm_object *wddm_mapping_obj(struct wddm_mapping *mapping)
{
	return &mapping->range.obj;
}

/* What wddm_object_put() and wddm_object_undo() call */
void wddm_adapter_free(struct wddm_object *obj);
void wddm_mdl_free(struct wddm_object *obj);
void wddm_mapping_free(struct wddm_object *obj);
void wddm_adapter_undo(struct wddm_object *obj);
void wddm_mdl_undo(struct wddm_object *obj);
void wddm_mapping_undo(struct wddm_object *obj);

/* dxgkrnl/: the WDDM callbacks */
int __must_check dxgk_init(void);
void dxgk_exit(void);
void dxgk_device_free(struct wddm_object *obj);
void dxgk_memory_free(struct wddm_object *obj);
void dxgk_physical_free(struct wddm_object *obj);
void dxgk_opened_free(struct wddm_object *obj);

/* main.c: the ioctl table */

/**
 * struct wddm_ucmd - An ioctl that is being executed
 * @ctx: The context
 * @ubuffer: The caller's structure
 * @user_size: Its size
 * @size: sizeof of the structure as this module knows it
 * @cmd: Copy of it; its out members are returned when the handler succeeds
 * @new_obj: Set by a handler that made an object. It is published once the caller
 *           has its handle, else destroyed
 */
struct wddm_ucmd {
	struct wddmcompat_context *ctx;
	void __user *ubuffer;
	u32 user_size;
	u32 size;
	void *cmd;
	struct wddm_object *new_obj;
};

void wddm_complain(const char *what, int rc, const void *caller);
int wddm_info_ioctl(struct wddm_ucmd *ucmd);
int wddm_bind_ioctl(struct wddm_ucmd *ucmd);
int wddm_adapter_create_ioctl(struct wddm_ucmd *ucmd);
int wddm_adapter_destroy_ioctl(struct wddm_ucmd *ucmd);
int wddm_mdl_lock_ioctl(struct wddm_ucmd *ucmd);
int wddm_mdl_unlock_ioctl(struct wddm_ucmd *ucmd);
int wddm_map_ioctl(struct wddm_ucmd *ucmd);
int wddm_unmap_ioctl(struct wddm_ucmd *ucmd);
int wddm_query_ioctl(struct wddm_ucmd *ucmd);
int wddm_batch_ioctl(struct wddm_ucmd *ucmd);

#endif
