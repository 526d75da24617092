// SPDX-License-Identifier: GPL-2.0-only
/* Map a buffer for a device that is bound to vfio-pci, and unmap it again. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <wddmcompat.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#define LENGTH 0x100000

/* A negative errno of the library ends the program, with words */
static int ok(int rc, __u32 cmd)
{
	const char *text;

	if (rc >= 0)
		return rc;
	errno = -rc;
	text = wddm_explain(cmd, rc);
	err(1, "%s", text ? text : "wddmcompat");
}

/* An address space for devices, empty at first, and the device in it */
static __u32 attach(const char *path, int iommufd)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};
	int device = open(path, O_RDWR | O_CLOEXEC);

	if (device < 0 || ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &bind) ||
	    ioctl(iommufd, IOMMU_IOAS_ALLOC, &ioas))
		err(1, "%s", path);
	attach.pt_id = ioas.out_ioas_id;
	if (ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
		err(1, "%s", path);
	return ioas.out_ioas_id;
}

int main(int argc, char **argv)
{
	__u64 adapter, mdl, iova, memory;
	int iommufd, ctx;
	void *buffer;

	if (argc != 2)
		errx(2, "usage: map_buffer /dev/vfio/devices/vfioN");
	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (iommufd < 0)
		err(1, "/dev/iommu");
	/* Whole pages, as the device reaches whole pages */
	buffer = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		err(1, "mmap");

	ctx = ok(wddm_open(), WDDMCOMPAT_CMD_INFO);
	ok(wddm_bind(ctx, iommufd), WDDMCOMPAT_CMD_BIND);
	ok(wddm_adapter_create(ctx, attach(argv[1], iommufd), &adapter),
	   WDDMCOMPAT_CMD_ADAPTER_CREATE);

	ok(wddm_lock(ctx, buffer, LENGTH, WDDMCOMPAT_MDL_WRITE_OPERATION, &mdl),
	   WDDMCOMPAT_CMD_MDL_LOCK);
	ok(wddm_map(ctx, adapter, mdl, WDDMCOMPAT_MAP_WRITEABLE, &iova, &memory),
	   WDDMCOMPAT_CMD_MAP);
	printf("pages from IOVA %#llx on, memory handle %#llx\n", iova, memory);

	/* ... here the device reads and writes ... */

	ok(wddm_unmap(ctx, adapter, memory), WDDMCOMPAT_CMD_UNMAP);
	ok(wddm_unlock(ctx, mdl), WDDMCOMPAT_CMD_MDL_UNLOCK);
	printf("unmapped: the device does not reach it any more\n");
	return 0;
}
