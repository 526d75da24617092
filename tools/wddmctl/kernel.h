/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What wddmctl needs of VFIO's and iommufd's interface, also where the system's
 * headers are older than its kernel: those of Debian 12 are of Linux 6.1, but
 * linux/iommufd.h came with 6.2 and VFIO's character devices with 6.6.
 */
#ifndef WDDMCTL_KERNEL_H
#define WDDMCTL_KERNEL_H

#include <linux/types.h>
#include <linux/vfio.h>

/* Make an IOAS: all that is used of linux/iommufd.h */
struct iommu_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};

#define IOMMU_IOAS_ALLOC _IO(';', 0x81)

#ifndef VFIO_DEVICE_BIND_IOMMUFD
struct vfio_device_bind_iommufd {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
};

#define VFIO_DEVICE_BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)

struct vfio_device_attach_iommufd_pt {
	__u32 argsz;
	__u32 flags;
	__u32 pt_id;
};

#define VFIO_DEVICE_ATTACH_IOMMUFD_PT _IO(VFIO_TYPE, VFIO_BASE + 19)
#endif

#endif
