// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <sys/ioctl.h>

#include "iommufd.h"
#include "kernel.h"
#include "report.h"

#define READ_WRITE (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

int iommufd_open(void)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		report_error("cannot open /dev/iommu: %m");
		report_todo("\"wddmctl check\" tells what is missing.");
	}
	return fd;
}

int iommufd_ioas(int fd, __u32 *ioas)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	if (ioctl(fd, IOMMU_IOAS_ALLOC, &alloc)) {
		report_error("cannot make an IOAS: %m");
		return -1;
	}
	*ioas = alloc.out_ioas_id;
	return 0;
}

int iommufd_map(int fd, __u32 ioas, __u64 user_va, __u64 length, __u64 *iova)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = READ_WRITE,
		.ioas_id = ioas,
		.user_va = user_va,
		.length = length,
	};

	if (ioctl(fd, IOMMU_IOAS_MAP, &map)) {
		report_error("iommufd cannot map %llu bytes: %m", length);
		return -1;
	}
	*iova = map.iova;
	return 0;
}

int iommufd_copy(int fd, __u32 to, __u32 from, __u64 from_iova, __u64 length,
		 __u64 *iova)
{
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = READ_WRITE | (*iova ? IOMMU_IOAS_MAP_FIXED_IOVA : 0),
		.dst_ioas_id = to,
		.src_ioas_id = from,
		.length = length,
		.dst_iova = *iova,
		.src_iova = from_iova,
	};

	if (ioctl(fd, IOMMU_IOAS_COPY, &copy)) {
		report_error("iommufd cannot copy %llu bytes: %m", length);
		return -1;
	}
	*iova = copy.dst_iova;
	return 0;
}

int iommufd_unmap(int fd, __u32 ioas, __u64 iova, __u64 length)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas,
		.iova = iova,
		.length = length,
	};

	if (ioctl(fd, IOMMU_IOAS_UNMAP, &unmap)) {
		report_error("iommufd cannot unmap %#llx: %m", iova);
		return -1;
	}
	return 0;
}
