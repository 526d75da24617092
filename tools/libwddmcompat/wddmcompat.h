/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libwddmcompat: map memory for a device as WDDM does, from a program.
 */
#ifndef _WDDMCOMPAT_H
#define _WDDMCOMPAT_H

#include <linux/wddmcompat.h>
#include <stddef.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * DOC: Rules common to all functions
 *
 * A context is the file descriptor that wddm_open() returns. poll() tells when
 * there are events, and close() undoes all that is left. Adapters, MDLs and
 * mappings are handles, numbers that are never zero and never used twice in a
 * context.
 *
 * Functions return 0 or more, or a negative errno of those that the ioctl
 * behind them has; wddm_explain() has words for it. errno itself is left
 * undefined. A function that fails has done nothing, and has written nothing
 * through its pointers, unless it says otherwise.
 *
 * The library keeps nothing of its own. So every function can be called by any
 * number of threads at the same time, with the same context as well; who unmaps
 * what another is using gets the answer that the module gives. After fork() only
 * the process that opened the context can use it.
 *
 * Lengths and offsets are in bytes unless their name says pages.
 */

/**
 * wddm_open() - Open a context
 *
 * Return:
 *  - The context, a file descriptor that is closed on exec
 *  - -ENOENT, -ENODEV: The module is not loaded.
 *  - -EACCES: /dev/wddmcompat is not for this user.
 *  - -EPROTO: The module has another version of the interface.
 */
int wddm_open(void);

/**
 * wddm_bind() - Bind a context to an iommufd, once and for good
 * @ctx: Context
 * @iommufd: File descriptor of an open /dev/iommu. The context keeps it open
 *
 * Return:
 *  - 0
 *  - -EBADF, -EBADFD: @iommufd is not an open file, or none of /dev/iommu.
 *  - -EBUSY: The context is bound already.
 */
int wddm_bind(int ctx, int iommufd);

/**
 * wddm_info() - Ask for versions and limits
 * @ctx: Context, bound or not
 * @info: Is filled in
 *
 * Return: 0 or a negative errno.
 */
int wddm_info(int ctx, struct wddmcompat_info *info);

/**
 * wddm_query() - Ask what a handle names
 * @ctx: Context
 * @handle: Adapter, MDL or memory handle
 * @query: Is filled in
 *
 * Return: 0, or -ENOENT: it names nothing.
 */
int wddm_query(int ctx, __u64 handle, struct wddmcompat_query *query);

/**
 * wddm_adapter_create() - Make an adapter of an IOAS
 * @ctx: Context
 * @ioas_id: ID of an IOAS in the iommufd of the context
 * @adapter: Gets the adapter
 *
 * Every device that is attached to the IOAS, before or after, is a linked
 * adapter. WDDM: hAdapter.
 *
 * Return:
 *  - 0
 *  - -ENOENT, -EINVAL: @ioas_id is not the ID of an IOAS, or of that in which the
 *    context keeps its MDLs.
 *  - -EADDRINUSE: The IOAS has mappings that are not aligned to pages.
 */
int wddm_adapter_create(int ctx, __u32 ioas_id, __u64 *adapter);

/**
 * wddm_adapter_destroy() - End an adapter
 * @ctx: Context
 * @adapter: Adapter
 *
 * Return: 0, or -EBUSY: it still has mappings.
 */
int wddm_adapter_destroy(int ctx, __u64 adapter);

/**
 * wddm_describe_iov() - Describe pieces of memory as an MDL does
 * @iov: Pieces of memory, each of at least one byte
 * @num: Pieces in @iov
 * @flags: Combination of enum wddmcompat_mdl_flags, for all of them
 * @descs: Gets the descriptors
 * @max: Descriptors that fit there
 *
 * A piece is one descriptor, or several if it is longer than a descriptor can
 * be, which is 4 GiB less a page. On error, @descs may have been written to.
 *
 * Return:
 *  - How many descriptors there are now
 *  - -EINVAL: There is no piece, or one is empty or wraps around the end of the
 *    address space.
 *  - -E2BIG: They are more than @max.
 */
int wddm_describe_iov(const struct iovec *iov, unsigned int num, __u32 flags,
		      struct wddmcompat_mdl_desc *descs, unsigned int max);

/**
 * wddm_lock_descs() - Lock memory that descriptors describe
 * @ctx: Context
 * @descs: Descriptors
 * @num: How many; WDDMCOMPAT_MDL_CHAIN_MAX at most
 * @mdl: Gets the MDL
 *
 * The pages stay where they are until wddm_unlock(). WDDM: MmProbeAndLockPages.
 *
 * Return:
 *  - 0
 *  - -EINVAL: A descriptor breaks its rules, or there are none or too many.
 *  - -EFAULT: There is no memory, or it may not be read or written so.
 *  - -ENOMEM: Out of memory, or over the limit of locked memory.
 *  - -EEXIST, -ESTALE: See WDDMCOMPAT_MDL_LOCK.
 */
int wddm_lock_descs(int ctx, const struct wddmcompat_mdl_desc *descs,
		    unsigned int num, __u64 *mdl);

/**
 * wddm_lock_iov() - Lock pieces of memory as one MDL
 * @ctx: Context
 * @iov: Pieces of memory, each of at least one byte
 * @num: Pieces in @iov
 * @flags: Combination of enum wddmcompat_mdl_flags
 * @mdl: Gets the MDL
 *
 * A scatter list. Mapped, its pages follow each other in the order of the pieces,
 * but the bytes do not, where a piece begins or ends within a page: wddm_map_range()
 * tells for each where it begins.
 *
 * Return: 0, or the errors of wddm_describe_iov() and wddm_lock_descs().
 */
int wddm_lock_iov(int ctx, const struct iovec *iov, unsigned int num,
		  __u32 flags, __u64 *mdl);

/**
 * wddm_lock() - Lock a buffer
 * @ctx: Context
 * @buffer: Where it begins; at any byte
 * @length: Its length, as long as memory is
 * @flags: WDDMCOMPAT_MDL_WRITE_OPERATION if a device is to write to it, or 0
 * @mdl: Gets the MDL
 *
 * An IOMMU knows pages only: once it is mapped, a device also reaches what else is
 * in the first and the last page. Where that matters, get whole pages, by mmap().
 *
 * Return: 0, or the errors of wddm_lock_iov().
 */
int wddm_lock(int ctx, const void *buffer, size_t length, __u32 flags,
	      __u64 *mdl);

/**
 * wddm_unlock() - Release the pages of an MDL
 * @ctx: Context
 * @mdl: MDL that is not mapped
 *
 * WDDM: MmUnlockPages and IoFreeMdl.
 *
 * Return: enum wddmcompat_state that the MDL was in, or -EBUSY: it is mapped.
 */
int wddm_unlock(int ctx, __u64 mdl);

/**
 * wddm_map() - Map all of an MDL to an adapter
 * @ctx: Context
 * @adapter: Adapter
 * @mdl: MDL
 * @flags: Combination of enum wddmcompat_map_flags
 * @iova: Gets the IOVA of the first page; has it, with
 *        WDDMCOMPAT_MAP_FIXED_IOVA. Add wddmcompat_mdl_desc.byte_offset of the
 *        first descriptor to get that of the first byte
 * @memory: Gets the memory handle
 *
 * WDDM: DXGKCB_MAPMDLTOIOMMU.
 *
 * Return: 0, or the errors of WDDMCOMPAT_MAP.
 */
int wddm_map(int ctx, __u64 adapter, __u64 mdl, __u32 flags, __u64 *iova,
	     __u64 *memory);

/**
 * wddm_map_range() - Map some pages of an MDL, or ask for logical addresses
 * @ctx: Context
 * @map: What to map, and what has become of it; its size is filled in here
 *
 * Return: 0, or the errors of WDDMCOMPAT_MAP.
 */
int wddm_map_range(int ctx, struct wddmcompat_map *map);

/**
 * wddm_unmap() - Unmap by memory handle
 * @ctx: Context
 * @adapter: Adapter that the memory is mapped to
 * @memory: Memory handle
 *
 * When this returns, no device of the adapter reaches the memory by way of this
 * mapping. The MDL stays locked. WDDM: DXGKCB_UNMAPMDLFROMIOMMU.
 *
 * Return:
 *  - enum wddmcompat_state that the mapping was in
 *  - -ENOENT: There is no such mapping, or not on this adapter.
 *  - -EBUSY: An object of the iommufd needs the range: it is still mapped.
 */
int wddm_unmap(int ctx, __u64 adapter, __u64 memory);

/**
 * DOC: Many at once
 *
 * These do the same as many calls, but enter the kernel only once for up to
 * WDDMCOMPAT_BATCH_MAX of them. One that fails does not keep the next from being
 * tried. Each has a result: 0 or the negative errno that it would have had alone.
 * The size members are filled in.
 *
 * They return 0 when all have been tried, whatever became of them, or a negative
 * errno. Then those that were not tried have -ECANCELED as their result.
 */

/**
 * wddm_lock_many() - Lock many MDLs
 * @ctx: Context
 * @locks: What to lock
 * @num: How many
 * @results: Gets a result for each
 *
 * Return: 0 or a negative errno, see `Many at once`_.
 */
int wddm_lock_many(int ctx, struct wddmcompat_mdl_lock *locks, size_t num,
		   __s32 *results);

/**
 * wddm_map_many() - Map many MDLs
 * @ctx: Context
 * @maps: What to map
 * @num: How many
 * @results: Gets a result for each
 *
 * Return: 0 or a negative errno, see `Many at once`_.
 */
int wddm_map_many(int ctx, struct wddmcompat_map *maps, size_t num,
		  __s32 *results);

/**
 * wddm_unmap_many() - Unmap many mappings
 * @ctx: Context
 * @unmaps: What to unmap
 * @num: How many
 * @results: Gets a result for each
 *
 * Return: 0 or a negative errno, see `Many at once`_.
 */
int wddm_unmap_many(int ctx, struct wddmcompat_unmap *unmaps, size_t num,
		    __s32 *results);

/**
 * wddm_read_events() - Read what happened to MDLs and mappings
 * @ctx: Context
 * @events: Get the events
 * @max: Events that fit there
 *
 * Waits for one, unless the context is O_NONBLOCK.
 *
 * Return:
 *  - How many there are now, at least 1
 *  - -EAGAIN: There is none, and the context is O_NONBLOCK.
 *  - -EINVAL: @max is 0.
 *  - -EINTR: A signal came before an event.
 */
int wddm_read_events(int ctx, struct wddmcompat_event *events, size_t max);

/**
 * wddm_explain() - What an error means, and what to do about it
 * @cmd: What was tried: WDDMCOMPAT_CMD_MAP or another of these;
 *       WDDMCOMPAT_CMD_INFO for wddm_open()
 * @error: Its errno, negative or positive
 *
 * Return: A text of one line or several, good as long as the program runs; or NULL
 * for an error that is none of the module's.
 */
const char *wddm_explain(__u32 cmd, int error);

#ifdef __cplusplus
}
#endif

#endif
