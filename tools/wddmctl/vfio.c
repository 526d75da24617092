// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"
#include "iommufd.h"
#include "kernel.h"
#include "report.h"
#include "vfio.h"

#define PCI_DEVICES "/sys/bus/pci/devices"
#define VFIO_DEVICES "/dev/vfio/devices"

int vfio_parse_address(const char *text, char *address, size_t size)
{
	unsigned int domain, bus, slot, function;
	int end = 0;

	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function,
		   &end) != 4) {
		domain = 0;
		if (sscanf(text, "%2x:%2x.%1x%n", &bus, &slot, &function,
			   &end) != 3)
			return -1;
	}
	if (text[end] || slot > 0x1f || function > 7)
		return -1;
	snprintf(address, size, "%04x:%02x:%02x.%x", domain, bus, slot,
		 function);
	return 0;
}

/* Tell how the device gets from the driver that it has now, if any, to VFIO */
static const char hand_over[] =
	"If nothing else on this machine needs it, hand it over with:\n"
	"  modprobe vfio-pci\n"
	"  echo vfio-pci > " PCI_DEVICES "/%s/driver_override\n"
	"%s  echo %s > /sys/bus/pci/drivers_probe";

static void report_not_vfio(const char *address)
{
	char path[PATH_MAX], driver[64], unbind[256] = "";

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver", address);
	if (host_link(path, driver, sizeof(driver)))
		snprintf(unbind, sizeof(unbind),
			 "  echo %s > /sys/bus/pci/drivers/%s/unbind\n",
			 address, driver);
	else
		snprintf(driver, sizeof(driver), "none");

	report_error("%s must be bound to vfio-pci, but its driver is: %s",
		     address, driver);
	report_todo(hand_over, address, unbind, address);
}

static int find_vfio_name(struct vfio *device)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s", device->address);
	if (access(path, F_OK)) {
		report_error("there is no PCI device %s", device->address);
		report_todo("\"lspci -D\" lists those that there are.");
		return -1;
	}
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/vfio-dev",
		 device->address);
	if (!host_first(path, device->name, sizeof(device->name))) {
		report_not_vfio(device->address);
		return -1;
	}
	return 0;
}

static int open_files(struct vfio *device)
{
	char path[PATH_MAX];

	if (device->iommufd < 0)
		device->iommufd = iommufd_open();
	if (device->iommufd < 0)
		return -1;
	snprintf(path, sizeof(path), VFIO_DEVICES "/%s", device->name);
	device->fd = open(path, O_RDWR | O_CLOEXEC);
	if (device->fd < 0) {
		report_error("cannot open %s: %m", path);
		report_todo("\"wddmctl check\" tells what is missing.");
		return -1;
	}
	return 0;
}

static const char *bind_advice(int error)
{
	switch (error) {
	case EPERM:
		return "Its interrupts are not isolated: \"wddmctl check\" tells what to do.";
	case EBUSY:
		return "Another device of its IOMMU group has a driver; all of them must go to\n"
		       "vfio-pci. Its directory in sysfs lists them in iommu_group/devices.";
	case EINVAL:
		return "Another program has it, or there is no IOMMU before it.";
	default:
		return "The kernel's log (dmesg) may tell more.";
	}
}

static int bind_and_attach(struct vfio *device)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = device->iommufd,
	};
	const char *advice;
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};

	if (ioctl(device->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind)) {
		advice = bind_advice(errno);
		report_error("cannot bind %s to iommufd: %m", device->address);
		report_todo("%s", advice);
		return -1;
	}
	if (iommufd_ioas(device->iommufd, &device->ioas))
		return -1;
	attach.pt_id = device->ioas;
	if (ioctl(device->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach)) {
		report_error("cannot attach %s to an IOAS: %m",
			     device->address);
		report_todo("The kernel's log (dmesg) may tell more.");
		return -1;
	}
	return 0;
}

int vfio_take(struct vfio *device, const char *address, int iommufd)
{
	*device = (struct vfio){ .iommufd = iommufd, .fd = -1 };
	snprintf(device->address, sizeof(device->address), "%s", address);

	if (find_vfio_name(device) || open_files(device))
		return -1;
	return bind_and_attach(device);
}

static int get_region(struct vfio *device, __u32 index,
		      struct vfio_region_info *region)
{
	*region = (struct vfio_region_info){
		.argsz = sizeof(*region),
		.index = index,
	};
	if (ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, region)) {
		report_error("cannot ask VFIO for region %u of %s: %m", index,
			     device->address);
		return -1;
	}
	return 0;
}

int vfio_config_read16(struct vfio *device, unsigned int offset, __u16 *value)
{
	struct vfio_region_info region;

	if (get_region(device, VFIO_PCI_CONFIG_REGION_INDEX, &region))
		return -1;
	if (pread(device->fd, value, sizeof(*value), region.offset + offset) !=
	    sizeof(*value)) {
		report_error("cannot read the configuration space of %s",
			     device->address);
		return -1;
	}
	*value = le16toh(*value);
	return 0;
}

int vfio_config_write16(struct vfio *device, unsigned int offset, __u16 value)
{
	struct vfio_region_info region;

	if (get_region(device, VFIO_PCI_CONFIG_REGION_INDEX, &region))
		return -1;
	value = htole16(value);
	if (pwrite(device->fd, &value, sizeof(value), region.offset + offset) !=
	    sizeof(value)) {
		report_error("cannot write the configuration space of %s",
			     device->address);
		return -1;
	}
	return 0;
}

void *vfio_map_bar(struct vfio *device, unsigned int bar, size_t *length)
{
	struct vfio_region_info region;
	void *registers;

	if (get_region(device, VFIO_PCI_BAR0_REGION_INDEX + bar, &region))
		return NULL;
	registers = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 device->fd, region.offset);
	if (registers == MAP_FAILED) {
		report_error("cannot map BAR %u of %s: %m", bar,
			     device->address);
		return NULL;
	}
	*length = region.size;
	return registers;
}
