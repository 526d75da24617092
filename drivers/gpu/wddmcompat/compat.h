/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that this module supports. No other file
 * asks for a version.
 */
#ifndef __WDDMCOMPAT_COMPAT_H
#define __WDDMCOMPAT_COMPAT_H

#include <linux/gfp.h>
#include <linux/iommufd.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "wddmcompat needs Linux 6.12 or newer"
#endif

/* cdd30ebb1b9f ("module: Convert symbol namespace to string literal"), 6.13 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define WDDM_NS(ns) #ns
#else
#define WDDM_NS(ns) ns
#endif

#define WDDM_EXPORT_NS WDDM_NS(WDDMCOMPAT)

/* 2932ba8d9c99 ("slab: Introduce kmalloc_obj() and family"), 7.0 */
#ifndef kzalloc_obj
#define kzalloc_obj(obj, gfp) kzalloc(sizeof(obj), gfp)
#endif

/*
 * alloc_contig_range() takes acr_flags_t instead of a migrate type, since gfp.h has
 * that type
 */
static inline int wddm_alloc_contig_range(unsigned long start,
					  unsigned long end)
{
#ifndef CONFIG_CONTIG_ALLOC
	return -EOPNOTSUPP;
#elif defined(ACR_FLAGS_NONE)
	return alloc_contig_range(start, end, ACR_FLAGS_NONE, GFP_KERNEL);
#else
	return alloc_contig_range(start, end, MIGRATE_MOVABLE, GFP_KERNEL);
#endif
}

/* shmem_file_setup() takes vma_flags_t, since mm.h has an empty set of them */
#ifdef EMPTY_VMA_FLAGS
#define wddm_shmem_file_setup(name, size)                                     \
	shmem_file_setup(name, size, EMPTY_VMA_FLAGS)
#else
#define wddm_shmem_file_setup(name, size) shmem_file_setup(name, size, 0)
#endif

/* 2fb69c602d57 ("iommufd: Support pasid attach/replace"), 6.15 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
static inline int wddm_device_attach(struct iommufd_device *idev, u32 *pt_id)
{
	return iommufd_device_attach(idev, IOMMU_NO_PASID, pt_id);
}

static inline void wddm_device_detach(struct iommufd_device *idev)
{
	iommufd_device_detach(idev, IOMMU_NO_PASID);
}
#else
static inline int wddm_device_attach(struct iommufd_device *idev, u32 *pt_id)
{
	return iommufd_device_attach(idev, pt_id);
}

static inline void wddm_device_detach(struct iommufd_device *idev)
{
	iommufd_device_detach(idev);
}
#endif

#endif
