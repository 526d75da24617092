// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host.h"
#include "kernel.h"
#include "report.h"
#include "type1.h"

static int open_group(const char *address)
{
	char path[PATH_MAX], group[16];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 address);
	if (!host_link(path, group, sizeof(group)))
		return -1;
	snprintf(path, sizeof(path), "/dev/vfio/%s", group);
	return open(path, O_RDWR | O_CLOEXEC);
}

int type1_take(const char *address)
{
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	int group = open_group(address);

	if (container >= 0 && group >= 0 &&
	    !ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) &&
	    !ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return container;
	if (group >= 0)
		close(group);
	if (container >= 0)
		close(container);
	return -1;
}

int type1_map(int container, __u64 user_va, __u64 length, __u64 iova)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = user_va,
		.iova = iova,
		.size = length,
	};

	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map)) {
		report_error("VFIO type 1 cannot map %llu bytes: %m", length);
		return -1;
	}
	return 0;
}

int type1_unmap(int container, __u64 iova, __u64 length)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = length,
	};

	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap)) {
		report_error("VFIO type 1 cannot unmap %#llx: %m", iova);
		return -1;
	}
	return 0;
}
