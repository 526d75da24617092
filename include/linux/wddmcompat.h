/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wddmcompat for kernel modules: map memory that an MDL describes to the IOMMU
 * domain of an adapter, and unmap it again by its memory handle.
 *
 * A module that uses this imports the symbol namespace WDDMCOMPAT.
 */
#ifndef _LINUX_WDDMCOMPAT_H
#define _LINUX_WDDMCOMPAT_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <uapi/linux/wddmcompat.h>

struct device;
struct file;
struct page;
struct wddmcompat_adapter;
struct wddmcompat_context;
struct wddmcompat_mdl;

/**
 * struct wddmcompat_page_desc - One descriptor of a chain of pages
 * @pages: The pages: as many as @byte_offset and @byte_count span
 * @byte_offset: First byte within the first page, less than a page.
 *               WDDM: ByteOffset
 * @byte_count: Bytes from there on, at least 1 and at most 4 GiB less a page.
 *              WDDM: ByteCount
 * @writeable: Devices may be allowed to write. WDDM: MDL_WRITE_OPERATION
 *
 * The next descriptor in the array takes the place of Next. Neighbours in it that are
 * equally writeable share an area of iommufd.
 */
struct wddmcompat_page_desc {
	struct page **pages;
	u32 byte_offset;
	u32 byte_count;
	bool writeable;
};

/**
 * struct wddmcompat_map_args - What wddmcompat_map_mdl_to_iommu() takes and gives
 * @first_page: First page of the MDL to map
 * @num_pages: Pages to map; 0 is all from @first_page on
 * @flags: Combination of enum wddmcompat_map_flags
 * @iova: With WDDMCOMPAT_MAP_FIXED_IOVA, where to map. On return, where it is
 * @memory: On return, the memory handle. WDDM: hMemoryHandle
 */
struct wddmcompat_map_args {
	u64 first_page;
	u64 num_pages;
	u32 flags;
	u64 iova;
	u64 memory;
};

struct wddmcompat_context *wddmcompat_context_create(struct file *iommufd);
void wddmcompat_context_destroy(struct wddmcompat_context *ctx);

struct wddmcompat_adapter *
wddmcompat_adapter_create(struct wddmcompat_context *ctx, u32 ioas_id);
int __must_check wddmcompat_adapter_destroy(struct wddmcompat_adapter *adapter);
int __must_check
wddmcompat_adapter_attach_device(struct wddmcompat_adapter *adapter,
				 struct device *dev);
void wddmcompat_adapter_detach_device(struct wddmcompat_adapter *adapter,
				      struct device *dev);

struct wddmcompat_mdl *
wddmcompat_mdl_create(struct wddmcompat_context *ctx,
		      const struct wddmcompat_page_desc *descs, u32 num_descs);
struct wddmcompat_mdl *wddmcompat_mdl_alloc(struct wddmcompat_context *ctx,
					    u32 byte_count);
int __must_check wddmcompat_mdl_free(struct wddmcompat_mdl *mdl);
struct page *wddmcompat_mdl_page(const struct wddmcompat_mdl *mdl,
				 unsigned long index);
unsigned long wddmcompat_mdl_num_pages(const struct wddmcompat_mdl *mdl);

int __must_check
wddmcompat_map_mdl_to_iommu(struct wddmcompat_adapter *adapter,
			    struct wddmcompat_mdl *mdl,
			    struct wddmcompat_map_args *args);
void wddmcompat_unmap_mdl_from_iommu(struct wddmcompat_adapter *adapter,
				     u64 memory);
u64 wddmcompat_mdl_logical_address(struct wddmcompat_adapter *adapter,
				   u64 memory, u32 desc);

#endif
