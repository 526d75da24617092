// SPDX-License-Identifier: GPL-2.0-only
/* QEMU's edu device, driven through VFIO */
#include <dirent.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "edu.h"
#include "fixture.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

/* Its registers and its buffer, at an address that only it knows */
#define EDU_SOURCE 0x80
#define EDU_DESTINATION 0x88
#define EDU_COUNT 0x90
#define EDU_COMMAND 0x98
#define EDU_START 1
#define EDU_TO_MEMORY 2
#define EDU_BUFFER 0x40000

#define PCI_COMMAND 4
#define PCI_COMMAND_MEMORY 2
#define PCI_COMMAND_MASTER 4

#define SYSFS_DEVICES "/sys/bus/pci/devices"
#define VFIO_DEVICES "/dev/vfio/devices"

static bool has_id(const char *address, const char *file, long id)
{
	char path[128];

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%.32s/%s", address, file);
	return read_number(path) == id;
}

static int is_edu(const struct dirent *entry)
{
	return has_id(entry->d_name, "vendor", EDU_VENDOR) &&
	       has_id(entry->d_name, "device", EDU_DEVICE);
}

static int is_vfio(const struct dirent *entry)
{
	return entry->d_name[0] == 'v';
}

/* vfio-pci names its character device in the directory of the PCI device */
static int open_cdev(const char *address)
{
	struct dirent **names;
	char path[128];
	int n, fd;

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%.32s/vfio-dev", address);
	n = scandir(path, &names, is_vfio, alphasort);
	if (n < 1)
		return -ENODEV;
	snprintf(path, sizeof(path), VFIO_DEVICES "/%.32s", names[0]->d_name);
	become_root();
	fd = open(path, O_RDWR | O_CLOEXEC);
	become_user();
	return fd < 0 ? -errno : fd;
}

static int open_device(unsigned int index)
{
	struct dirent **names;
	int n;

	n = scandir(SYSFS_DEVICES, &names, is_edu, alphasort);
	if (n <= (int)index) {
		fprintf(stderr, "# only %d edu devices\n", n);
		return -ENODEV;
	}
	return open_cdev(names[index]->d_name);
}

static int region_info(const struct edu *edu, __u32 index,
		       struct vfio_region_info *info)
{
	*info = (struct vfio_region_info){
		.argsz = sizeof(*info),
		.index = index,
	};
	return ioctl(edu->fd, VFIO_DEVICE_GET_REGION_INFO, info) ? -errno : 0;
}

static int enable_dma(const struct edu *edu)
{
	const __u16 on = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	struct vfio_region_info config;
	__u16 command;
	int rc;

	rc = region_info(edu, VFIO_PCI_CONFIG_REGION_INDEX, &config);
	if (rc)
		return rc;
	if (pread(edu->fd, &command, sizeof(command),
		  config.offset + PCI_COMMAND) != sizeof(command))
		return -EIO;
	command |= on;
	if (pwrite(edu->fd, &command, sizeof(command),
		   config.offset + PCI_COMMAND) != sizeof(command))
		return -EIO;
	return 0;
}

static int map_registers(struct edu *edu)
{
	struct vfio_region_info info;
	void *bar;
	int rc;

	rc = region_info(edu, VFIO_PCI_BAR0_REGION_INDEX, &info);
	if (rc)
		return rc;
	bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, edu->fd,
		   info.offset);
	if (bar == MAP_FAILED)
		return -errno;
	edu->bar = bar;
	edu->bar_size = info.size;
	return 0;
}

static int bind_iommufd(struct edu *edu, int iommufd)
{
	struct vfio_device_bind_iommufd cmd = {
		.argsz = sizeof(cmd),
		.iommufd = iommufd,
	};

	if (ioctl(edu->fd, VFIO_DEVICE_BIND_IOMMUFD, &cmd))
		return -errno;
	edu->id = cmd.out_devid;
	return 0;
}

int edu_open(struct edu *edu, unsigned int index, int iommufd)
{
	int rc;

	*edu = (struct edu){ .fd = open_device(index) };
	if (edu->fd < 0)
		return edu->fd;
	rc = bind_iommufd(edu, iommufd);
	if (!rc)
		rc = enable_dma(edu);
	if (!rc)
		rc = map_registers(edu);
	if (rc)
		edu_close(edu);
	return rc;
}

void edu_close(struct edu *edu)
{
	if (edu->bar)
		munmap(edu->bar, edu->bar_size);
	if (edu->fd >= 0)
		close(edu->fd);
	*edu = (struct edu){ .fd = -1 };
}

int edu_attach(struct edu *edu, __u32 ioas)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.pt_id = ioas,
	};

	return ioctl(edu->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd) ? -errno : 0;
}

int edu_detach(struct edu *edu)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	return ioctl(edu->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd) ? -errno : 0;
}

static void set(struct edu *edu, unsigned int reg, __u64 value)
{
	__atomic_store_n((__u64 *)(edu->bar + reg), value, __ATOMIC_RELEASE);
}

static bool is_busy(const struct edu *edu)
{
	return EDU_START & __atomic_load_n((__u64 *)(edu->bar + EDU_COMMAND),
					   __ATOMIC_ACQUIRE);
}

static void start(struct edu *edu, __u64 source, __u64 destination, size_t len,
		  __u64 command)
{
	set(edu, EDU_SOURCE, source);
	set(edu, EDU_DESTINATION, destination);
	set(edu, EDU_COUNT, len);
	set(edu, EDU_COMMAND, command | EDU_START);
}

static int transfer(struct edu *edu, __u64 source, __u64 destination,
		    size_t len, __u64 command)
{
	const long deadline = now_ms() + 10000;

	if (len > EDU_MAX)
		return -EINVAL;
	start(edu, source, destination, len, command);
	while (is_busy(edu)) {
		if (now_ms() > deadline)
			return -ETIMEDOUT;
		usleep(2000);
	}
	return 0;
}

int edu_read(struct edu *edu, __u64 iova, size_t len)
{
	return transfer(edu, iova, EDU_BUFFER, len, 0);
}

int edu_write(struct edu *edu, __u64 iova, size_t len)
{
	return transfer(edu, EDU_BUFFER, iova, len, EDU_TO_MEMORY);
}

void edu_start_write(struct edu *edu, __u64 iova)
{
	start(edu, EDU_BUFFER, iova, EDU_MAX, EDU_TO_MEMORY);
}
