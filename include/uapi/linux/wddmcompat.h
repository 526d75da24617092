/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * wddmcompat: map memory that an MDL describes through an iommufd IOAS, and
 * unmap it again by its memory handle.
 */
#ifndef _UAPI_LINUX_WDDMCOMPAT_H
#define _UAPI_LINUX_WDDMCOMPAT_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: The life of a mapping
 *
 * A process opens /dev/wddmcompat, which gives it a context, and then
 *
 * 1. binds the context to an iommufd that it holds (WDDMCOMPAT_BIND),
 * 2. makes an adapter of an IOAS of that iommufd (WDDMCOMPAT_ADAPTER_CREATE);
 *    every device attached to the IOAS is a linked adapter of it,
 * 3. locks memory, described by a chain of descriptors (WDDMCOMPAT_MDL_LOCK),
 * 4. maps the MDL to the adapter (WDDMCOMPAT_MAP) and gets a memory handle,
 * 5. unmaps it by adapter and memory handle (WDDMCOMPAT_UNMAP): from its return
 *    on no device of the adapter reaches the memory through the mapping,
 * 6. unlocks the memory (WDDMCOMPAT_MDL_UNLOCK).
 *
 * Whatever is left goes, in this order, when the file is closed.
 */

/**
 * DOC: Rules common to all ioctls
 *
 * Each ioctl takes a pointer to its structure, whose first member is its size.
 * A structure may be longer than the kernel's, as long as what the kernel does
 * not know is zero; a caller that knows less passes a shorter one, down to the
 * structure of the first release. Flags that are not defined and members named
 * __reserved must be zero. Lengths and offsets are in bytes unless their name
 * says pages; a page is what WDDMCOMPAT_INFO returns as @out_page_size. Handles
 * are 64-bit numbers that are never zero and never used twice in a context.
 *
 * A context belongs to the address space that opened it: a child process or
 * whoever is sent the file descriptor can only close it.
 *
 * Errors common to all ioctls:
 *
 *  - ENOTTY: There is no such ioctl.
 *  - EINVAL: The structure is too short, or a member has a value that can never
 *    be right; for a handle: it is of another type.
 *  - E2BIG: Non-zero in a part of the structure that the kernel does not know, or
 *    a structure larger than a page.
 *  - EOPNOTSUPP: A flag that is not defined, or a reserved member that is set.
 *  - EFAULT: The structure, or an array that it names, cannot be accessed.
 *  - EIO: The calling process is not the one that opened the context.
 *  - ENOTCONN: No iommufd is bound to the context yet (all but
 *    WDDMCOMPAT_INFO and WDDMCOMPAT_BIND).
 *  - ENOENT: The handle names nothing: it is made up, from another context, or
 *    what it named is gone.
 *  - ENOMEM: Out of memory, or over the limit of locked memory (RLIMIT_MEMLOCK).
 *  - ENOSPC: No handle, or no room for the request in the IOVA space, is left.
 *  - EINTR: A fatal signal came before the work was begun.
 *
 * When an ioctl fails, nothing has been done, unless it says otherwise.
 */

#define WDDMCOMPAT_API_VERSION 1

#define WDDMCOMPAT_TYPE 0xBD

enum {
	WDDMCOMPAT_CMD_INFO = 0x00,
	WDDMCOMPAT_CMD_BIND = 0x01,
	WDDMCOMPAT_CMD_ADAPTER_CREATE = 0x02,
	WDDMCOMPAT_CMD_ADAPTER_DESTROY = 0x03,
	WDDMCOMPAT_CMD_MDL_LOCK = 0x04,
	WDDMCOMPAT_CMD_MDL_UNLOCK = 0x05,
	WDDMCOMPAT_CMD_MAP = 0x06,
	WDDMCOMPAT_CMD_UNMAP = 0x07,
	WDDMCOMPAT_CMD_QUERY = 0x08,
	WDDMCOMPAT_CMD_BATCH = 0x09,
};

/* Descriptors in one chain, at most */
#define WDDMCOMPAT_MDL_CHAIN_MAX 1024

/**
 * struct wddmcompat_info - ioctl(WDDMCOMPAT_INFO)
 * @size: sizeof(struct wddmcompat_info)
 * @flags: Must be 0
 * @out_api_version: WDDMCOMPAT_API_VERSION of the module
 * @out_page_size: Bytes in the page that start_va is aligned to and page ranges
 *                 count in
 * @out_chain_max: Descriptors in one chain, at most
 * @out_byte_count_max: Bytes in one descriptor, at most: 4 GiB less a page
 *
 * Ask for versions and limits. Works before WDDMCOMPAT_BIND.
 */
struct wddmcompat_info {
	__u32 size;
	__u32 flags;
	__u32 out_api_version;
	__u32 out_page_size;
	__u32 out_chain_max;
	__u32 out_byte_count_max;
};

#define WDDMCOMPAT_INFO _IO(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_INFO)

/**
 * struct wddmcompat_bind - ioctl(WDDMCOMPAT_BIND)
 * @size: sizeof(struct wddmcompat_bind)
 * @flags: Must be 0
 * @iommufd: File descriptor of an open /dev/iommu
 * @out_mdl_ioas_id: ID of the IOAS in which the context keeps its MDLs. It is
 *                   for looking at only: what is unmapped from it is revoked
 *
 * Bind the context to an iommufd, once and for good. The context keeps the
 * iommufd open.
 *
 * Return:
 *  - 0
 *  - EBADF: @iommufd is not an open file descriptor.
 *  - EBADFD: @iommufd is open on something else than /dev/iommu.
 *  - EBUSY: The context is bound already.
 */
struct wddmcompat_bind {
	__u32 size;
	__u32 flags;
	__s32 iommufd;
	__u32 out_mdl_ioas_id;
};

#define WDDMCOMPAT_BIND _IO(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_BIND)

/**
 * struct wddmcompat_adapter_create - ioctl(WDDMCOMPAT_ADAPTER_CREATE)
 * @size: sizeof(struct wddmcompat_adapter_create)
 * @flags: Must be 0
 * @ioas_id: ID of an IOAS in the bound iommufd
 * @__reserved: Must be 0
 * @out_adapter: Handle of the adapter
 *
 * Make a logical adapter of an IOAS. The IOAS cannot be destroyed before the
 * adapter. WDDM: hAdapter.
 *
 * Return:
 *  - 0
 *  - ENOENT, EINVAL: @ioas_id is not the ID of an IOAS.
 *  - EINVAL: @ioas_id is the context's own MDL IOAS.
 *  - EADDRINUSE: The IOAS has mappings that are not aligned to pages.
 */
struct wddmcompat_adapter_create {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 __reserved;
	__aligned_u64 out_adapter;
};

#define WDDMCOMPAT_ADAPTER_CREATE \
	_IO(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_ADAPTER_CREATE)

/**
 * struct wddmcompat_adapter_destroy - ioctl(WDDMCOMPAT_ADAPTER_DESTROY)
 * @size: sizeof(struct wddmcompat_adapter_destroy)
 * @flags: Must be 0
 * @adapter: Handle of the adapter
 *
 * Return:
 *  - 0
 *  - EBUSY: The adapter still has mappings, revoked ones included.
 */
struct wddmcompat_adapter_destroy {
	__u32 size;
	__u32 flags;
	__aligned_u64 adapter;
};

#define WDDMCOMPAT_ADAPTER_DESTROY \
	_IO(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_ADAPTER_DESTROY)

/**
 * enum wddmcompat_mdl_flags - Flags of a descriptor
 * @WDDMCOMPAT_MDL_WRITE_OPERATION: The device will write to the memory, which is
 *                                  locked for writing. Without it the memory can
 *                                  only be mapped read-only.
 *                                  WDDM: MDL_WRITE_OPERATION
 */
enum wddmcompat_mdl_flags {
	WDDMCOMPAT_MDL_WRITE_OPERATION = 1 << 0,
};

/**
 * struct wddmcompat_mdl_desc - One descriptor of a chain
 * @start_va: User address of the first page, aligned to a page. WDDM: StartVa
 * @byte_offset: First byte within the first page, less than a page.
 *               WDDM: ByteOffset
 * @byte_count: Bytes from there on, at least 1 and at most 4 GiB less a page.
 *              WDDM: ByteCount
 * @flags: Combination of enum wddmcompat_mdl_flags. WDDM: MdlFlags
 * @__reserved: Must be 0
 *
 * The next descriptor in the array takes the place of Next.
 */
struct wddmcompat_mdl_desc {
	__aligned_u64 start_va;
	__u32 byte_offset;
	__u32 byte_count;
	__u32 flags;
	__u32 __reserved;
};

/**
 * struct wddmcompat_mdl_lock - ioctl(WDDMCOMPAT_MDL_LOCK)
 * @size: sizeof(struct wddmcompat_mdl_lock)
 * @flags: Must be 0
 * @descs: User pointer to an array of struct wddmcompat_mdl_desc
 * @num_descs: Descriptors in the array, 1 to WDDMCOMPAT_MDL_CHAIN_MAX
 * @__reserved: Must be 0
 * @out_mdl: Handle of the MDL
 * @out_num_pages: Pages of all descriptors together
 *
 * Lock the pages that a chain describes: they stay where they are until
 * WDDMCOMPAT_MDL_UNLOCK, whatever the process does with its addresses, and every
 * mapping of the MDL is made of exactly these pages. They count once against
 * RLIMIT_MEMLOCK. WDDM: MmProbeAndLockPages.
 *
 * Anonymous memory, transparent huge pages, hugetlb and shmem can be locked; a
 * file of another file system only without WDDMCOMPAT_MDL_WRITE_OPERATION.
 *
 * Each descriptor is an area for iommufd, and so are its pages in each mapping:
 * IOMMU_IOAS_UNMAP unmaps an area as a whole. A descriptor without a byte offset that
 * begins where the one before it ends, with the same flags, shares its area, unless
 * one of them has more than 4 MiB.
 *
 * Return:
 *  - 0
 *  - EINVAL: @num_descs is out of bounds, or a descriptor breaks its rules or
 *    wraps around the end of the address space.
 *  - EFAULT: There is no memory at the address, it may not be read (or, with
 *    WDDMCOMPAT_MDL_WRITE_OPERATION, written), it is a device's or the kernel's,
 *    or it is a file whose pages must not be written behind the back of its file
 *    system.
 *  - EEXIST: User space has put mappings of its own into the MDL IOAS.
 *  - ESTALE: User space unmapped the pages from it while they were being locked.
 */
struct wddmcompat_mdl_lock {
	__u32 size;
	__u32 flags;
	__aligned_u64 descs;
	__u32 num_descs;
	__u32 __reserved;
	__aligned_u64 out_mdl;
	__aligned_u64 out_num_pages;
};

#define WDDMCOMPAT_MDL_LOCK _IO(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_MDL_LOCK)

/**
 * enum wddmcompat_state - What has become of an MDL or a mapping
 * @WDDMCOMPAT_STATE_LIVE: It is as its maker left it
 * @WDDMCOMPAT_STATE_REVOKED: Its range, or a part of it, was unmapped from the
 *                            IOAS by another way than this module, for example by
 *                            IOMMU_IOAS_UNMAP. What remains of it goes with
 *                            the handle
 */
enum wddmcompat_state {
	WDDMCOMPAT_STATE_LIVE = 0,
	WDDMCOMPAT_STATE_REVOKED = 1,
};

/**
 * struct wddmcompat_mdl_unlock - ioctl(WDDMCOMPAT_MDL_UNLOCK)
 * @size: sizeof(struct wddmcompat_mdl_unlock)
 * @flags: Must be 0
 * @mdl: Handle of the MDL
 * @out_state: enum wddmcompat_state that the MDL was in
 * @__reserved: Must be 0
 *
 * Release the pages. WDDM: MmUnlockPages and IoFreeMdl.
 *
 * Return:
 *  - 0: Also for an MDL that was revoked.
 *  - EBUSY: The MDL is mapped.
 */
struct wddmcompat_mdl_unlock {
	__u32 size;
	__u32 flags;
	__aligned_u64 mdl;
	__u32 out_state;
	__u32 __reserved;
};

#define WDDMCOMPAT_MDL_UNLOCK _IO(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_MDL_UNLOCK)

/**
 * enum wddmcompat_map_flags - Flags of a mapping
 * @WDDMCOMPAT_MAP_WRITEABLE: The device may write; without it, only read
 * @WDDMCOMPAT_MAP_FIXED_IOVA: Use the given IOVA and no other
 */
enum wddmcompat_map_flags {
	WDDMCOMPAT_MAP_WRITEABLE = 1 << 0,
	WDDMCOMPAT_MAP_FIXED_IOVA = 1 << 1,
};

/* Logical address of a descriptor whose first byte is not in the mapped range */
#define WDDMCOMPAT_LOGICAL_NONE (~0ULL)

/**
 * struct wddmcompat_map - ioctl(WDDMCOMPAT_MAP)
 * @size: sizeof(struct wddmcompat_map)
 * @flags: Combination of enum wddmcompat_map_flags
 * @adapter: Handle of the adapter
 * @mdl: Handle of the MDL
 * @first_page: First page of the MDL to map
 * @num_pages: Pages to map; 0 is all from @first_page on
 * @iova: With WDDMCOMPAT_MAP_FIXED_IOVA, where to map the first page. On return,
 *        where it is
 * @logical: User pointer to an array of __u64 that gets the logical address of
 *           each descriptor's first byte, or WDDMCOMPAT_LOGICAL_NONE
 * @num_logical: Elements of that array: as many as the MDL has descriptors, or
 *               0 for no array
 * @__reserved: Must be 0
 * @out_memory: Memory handle of the mapping
 *
 * Map an MDL, or a range of its pages, to one contiguous IOVA range of an
 * adapter. An MDL can be mapped any number of times, to any adapters of its
 * context. WDDM: DXGKCB_MAPMDLTOIOMMU.
 *
 * Return:
 *  - 0
 *  - EINVAL: The page range is not within the MDL, or @num_logical is wrong.
 *  - EINVAL, EEXIST: @iova is not aligned, is not in an allowed range, or is in
 *    use.
 *  - EPERM: WDDMCOMPAT_MAP_WRITEABLE, but the range has a descriptor without
 *    WDDMCOMPAT_MDL_WRITE_OPERATION.
 *  - EIDRM: The MDL is revoked.
 *  - ESTALE: User space unmapped the range while it was being mapped.
 */
struct wddmcompat_map {
	__u32 size;
	__u32 flags;
	__aligned_u64 adapter;
	__aligned_u64 mdl;
	__aligned_u64 first_page;
	__aligned_u64 num_pages;
	__aligned_u64 iova;
	__aligned_u64 logical;
	__u32 num_logical;
	__u32 __reserved;
	__aligned_u64 out_memory;
};

#define WDDMCOMPAT_MAP _IO(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_MAP)

/**
 * struct wddmcompat_unmap - ioctl(WDDMCOMPAT_UNMAP)
 * @size: sizeof(struct wddmcompat_unmap)
 * @flags: Must be 0
 * @adapter: Handle of the adapter that the memory is mapped to
 * @memory: Memory handle of the mapping
 * @out_state: enum wddmcompat_state that the mapping was in
 * @__reserved: Must be 0
 *
 * Unmap by memory handle. When this returns 0, or ENOENT because another
 * thread was faster, no device of the adapter reaches the memory by way of this
 * mapping: the IOMMU's tables and caches hold nothing of it. The MDL stays
 * locked. WDDM: DXGKCB_UNMAPMDLFROMIOMMU.
 *
 * Return:
 *  - 0: Also for a mapping that was revoked.
 *  - ENOENT: There is no such mapping, or not on this adapter.
 *  - EBUSY: An object of the iommufd, such as a hardware queue, needs the range.
 */
struct wddmcompat_unmap {
	__u32 size;
	__u32 flags;
	__aligned_u64 adapter;
	__aligned_u64 memory;
	__u32 out_state;
	__u32 __reserved;
};

#define WDDMCOMPAT_UNMAP _IO(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_UNMAP)

/**
 * enum wddmcompat_object_type - What a handle names
 * @WDDMCOMPAT_OBJECT_ADAPTER: From WDDMCOMPAT_ADAPTER_CREATE
 * @WDDMCOMPAT_OBJECT_MDL: From WDDMCOMPAT_MDL_LOCK
 * @WDDMCOMPAT_OBJECT_MAPPING: From WDDMCOMPAT_MAP: a memory handle
 */
enum wddmcompat_object_type {
	WDDMCOMPAT_OBJECT_ADAPTER = 1,
	WDDMCOMPAT_OBJECT_MDL = 2,
	WDDMCOMPAT_OBJECT_MAPPING = 3,
};

/**
 * struct wddmcompat_query - ioctl(WDDMCOMPAT_QUERY)
 * @size: sizeof(struct wddmcompat_query)
 * @flags: Must be 0
 * @handle: Any handle of the context
 * @out_type: enum wddmcompat_object_type
 * @out_state: enum wddmcompat_state; an adapter is always live
 * @out_num_mappings: Mappings of the adapter or the MDL
 * @out_ioas_id: Adapter: the IOAS it was made of. Else 0
 * @out_num_descs: MDL: its descriptors. Else 0
 * @out_map_flags: Mapping: WDDMCOMPAT_MAP_WRITEABLE or 0. Else 0
 * @out_num_pages: MDL: its pages. Mapping: its pages. Else 0
 * @out_iova: Mapping: IOVA of its first page. Else 0
 * @out_adapter: Mapping: its adapter. Else 0
 * @out_mdl: Mapping: its MDL. Else 0
 *
 * Ask what a handle names.
 */
struct wddmcompat_query {
	__u32 size;
	__u32 flags;
	__aligned_u64 handle;
	__u32 out_type;
	__u32 out_state;
	__u32 out_num_mappings;
	__u32 out_ioas_id;
	__u32 out_num_descs;
	__u32 out_map_flags;
	__aligned_u64 out_num_pages;
	__aligned_u64 out_iova;
	__aligned_u64 out_adapter;
	__aligned_u64 out_mdl;
};

#define WDDMCOMPAT_QUERY _IO(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_QUERY)

/* Entries in one batch, at most */
#define WDDMCOMPAT_BATCH_MAX 65536

/**
 * struct wddmcompat_batch - ioctl(WDDMCOMPAT_BATCH)
 * @size: sizeof(struct wddmcompat_batch)
 * @flags: Must be 0
 * @cmd: What to do with each entry: WDDMCOMPAT_CMD_MDL_LOCK,
 *       WDDMCOMPAT_CMD_MAP or WDDMCOMPAT_CMD_UNMAP
 * @num_entries: Entries in the array, 1 to WDDMCOMPAT_BATCH_MAX
 * @entries: User pointer to an array of the structure of @cmd. Each entry is
 *           as long as the size member of the first says, and all are equal
 * @results: User pointer to an array of __s32, one for each entry
 * @out_num_tried: Entries that have a result
 * @out_num_done: Entries of these whose result is 0
 *
 * Do many in one call. Entries are taken one after the other, and one that
 * fails does not keep the next from being tried. An entry's result is 0 or the
 * negative errno that it would have had alone, and its output members are
 * written as they would have been alone. The entries that are done are those
 * whose result is 0, and no others.
 *
 * After EFAULT because a result could not be written, or EINTR because of a fatal
 * signal, @out_num_tried and @out_num_done are set, and the entries before are
 * as their results say. After any other error no entry was tried.
 *
 * Return:
 *  - 0: Every entry was tried, whatever became of it.
 *  - EFAULT: The size of the first entry could not be read, or a result could not
 *    be written.
 *  - EINTR: A fatal signal came before an entry was tried.
 *  - EINVAL: @num_entries is out of bounds, or the size of the first entry is not
 *    that of a structure of @cmd, or not a multiple of 8.
 *  - EOPNOTSUPP: @cmd is another than these three.
 */
struct wddmcompat_batch {
	__u32 size;
	__u32 flags;
	__u32 cmd;
	__u32 num_entries;
	__aligned_u64 entries;
	__aligned_u64 results;
	__u32 out_num_tried;
	__u32 out_num_done;
};

#define WDDMCOMPAT_BATCH _IO(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_BATCH)

/**
 * enum wddmcompat_event_type - What happened
 * @WDDMCOMPAT_EVENT_REVOKED: The mapping or MDL has become
 *                            WDDMCOMPAT_STATE_REVOKED
 */
enum wddmcompat_event_type {
	WDDMCOMPAT_EVENT_REVOKED = 1,
};

/**
 * struct wddmcompat_event - What read() on a context returns
 * @size: sizeof(struct wddmcompat_event) of the kernel
 * @type: enum wddmcompat_event_type
 * @handle: What it happened to: a memory handle or an MDL
 * @adapter: Adapter of the mapping; 0 for an MDL
 * @iova: Mapping: IOVA of its first page. MDL: 0
 * @length: Bytes of the mapping or of the MDL's pages
 *
 * read() returns as many events as there are and fit, at least one, and waits
 * for one unless the file is O_NONBLOCK (EAGAIN); EINVAL when not even one
 * fits. poll() says POLLIN while there are events. A handle that goes before
 * its event is read takes the event with it: the call that ended it has told.
 */
struct wddmcompat_event {
	__u32 size;
	__u32 type;
	__aligned_u64 handle;
	__aligned_u64 adapter;
	__aligned_u64 iova;
	__aligned_u64 length;
};

#endif
