// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host.h"
#include "module.h"
#include "report.h"
#include "wddmctl.h"

#define UNSAFE_INTERRUPTS \
	"/sys/module/iommufd/parameters/allow_unsafe_interrupts"

/* Less than this holds not even two frames of a 4K display */
#define MEMLOCK_WANTED (64UL << 20)

static bool all_ok = true;

static void check(const char *name, const char *found, const char *todo)
{
	report_open_item();
	report_string("name", NULL, "%s", name);
	report_bool("ok", !todo);
	report_string("found", NULL, "%s", found);
	if (todo)
		report_string("todo", NULL, "%s", todo);
	report_close();

	report_text("%-7s %-11s %s\n", todo ? "missing" : "ok", name, found);
	if (todo)
		report_text("%-19s %s\n", "", todo);
	all_ok &= !todo;
}

static __printf(2, 3) void is_ok(const char *name, const char *found, ...)
{
	char text[256];
	va_list args;

	va_start(args, found);
	vsnprintf(text, sizeof(text), found, args);
	va_end(args);
	check(name, text, NULL);
}

/* Tell what was found and what to do about it */
static __printf(3, 4) void is_missing(const char *name, const char *todo,
				      const char *found, ...)
{
	char text[256];
	va_list args;

	va_start(args, found);
	vsnprintf(text, sizeof(text), found, args);
	va_end(args);
	check(name, text, todo);
}

static const char do_become_root[] =
	"Run this as root, or let your user read and write that file.";
static const char do_load_iommufd[] =
	"Run \"modprobe iommufd\"; without such a module, get a kernel with CONFIG_IOMMUFD.";
static const char do_enable_iommu[] =
	"Enable VT-d, AMD-Vi or SMMU in the firmware; on Intel, boot with intel_iommu=on.";
static const char do_remap_interrupts[] =
	"Enable it in the firmware or, if you trust the devices: echo Y > " UNSAFE_INTERRUPTS;
static const char do_load_vfio[] =
	"Run \"modprobe vfio-pci\"; without such a module, get a kernel with CONFIG_VFIO_PCI.";
static const char do_change_kernel[] =
	"Get a kernel with CONFIG_VFIO_DEVICE_CDEV.";
static const char do_raise_memlock[] =
	"Add \"* - memlock unlimited\" to /etc/security/limits.conf and log in again.";
static const char do_build_again[] =
	"Build the module and wddmctl from one source, and load that module.";

static void check_iommufd(void)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		is_ok("iommufd", "/dev/iommu can be opened");
	else
		is_missing("iommufd",
			   errno == ENOENT ? do_load_iommufd : do_become_root,
			   "/dev/iommu: %m");
	if (fd >= 0)
		close(fd);
}

/* An IOMMU that has no device is of no use */
struct iommus {
	unsigned int active;
	unsigned int devices;
};

static void count_iommu(const char *name, void *arg)
{
	unsigned int devices = host_iommu_devices(name);
	struct iommus *iommus = arg;

	iommus->active += devices > 0;
	iommus->devices += devices;
}

static void check_iommu(void)
{
	struct iommus iommus = { 0 };
	unsigned int groups;

	host_list("/sys/class/iommu", count_iommu, &iommus);
	groups = host_list("/sys/kernel/iommu_groups", NULL, NULL);
	if (iommus.active && groups)
		is_ok("IOMMU", "active: %u, with %u devices in %u groups",
		      iommus.active, iommus.devices, groups);
	else
		is_missing("IOMMU", do_enable_iommu, "none is active");
}

/*
 * A PC is to remap interrupts, and then says so in the names of its interrupt
 * controllers. Other machines isolate interrupts in ways that show nowhere, so
 * nothing is said about them.
 */
static void check_interrupts(void)
{
	if (host_file_has("/proc/interrupts", " IR-"))
		is_ok("interrupts", "remapped: no device can forge another's");
	else if (host_file_has(UNSAFE_INTERRUPTS, "Y"))
		is_ok("interrupts", "not remapped; iommufd may allow that");
	else if (host_file_has("/proc/interrupts", "IO-APIC"))
		is_missing("interrupts", do_remap_interrupts,
			   "not remapped: a device could forge another's");
}

static void check_vfio(void)
{
	if (access("/sys/bus/pci/drivers/vfio-pci", F_OK))
		is_missing("VFIO", do_load_vfio, "no driver vfio-pci");
	else if (!host_file_has("/proc/devices", "vfio-dev"))
		is_missing("VFIO", do_change_kernel, "no character devices");
	else
		is_ok("VFIO", "vfio-pci with character devices, now %u",
		      host_list("/dev/vfio/devices", NULL, NULL));
}

/* With it, the kernel counts locked memory against no limit */
static bool has_ipc_lock(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &
	       CAP_TO_MASK(CAP_IPC_LOCK);
}

static void check_memlock(void)
{
	struct rlimit limit = { 0 };

	if (has_ipc_lock()) {
		is_ok("memlock", "no limit, thanks to CAP_IPC_LOCK");
		return;
	}
	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		is_ok("memlock", "no limit");
	else if (limit.rlim_cur >= MEMLOCK_WANTED)
		is_ok("memlock", "%lu MiB can be locked", limit.rlim_cur >> 20);
	else
		is_missing("memlock", do_raise_memlock,
			   "only %lu KiB can be locked", limit.rlim_cur >> 10);
}

static void check_module(void)
{
	struct wddmcompat_info info = { .size = sizeof(info) };
	int fd;

	if (!module_present()) {
		is_missing("module", MODULE_LOAD, "not loaded");
		return;
	}
	fd = open(MODULE_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		is_missing("module", do_become_root, MODULE_DEVICE ": %m");
		return;
	}
	if (ioctl(fd, WDDMCOMPAT_INFO, &info))
		is_missing("module", do_build_again, "does not answer: %m");
	else if (info.out_api_version != WDDMCOMPAT_API_VERSION)
		is_missing("module", do_build_again,
			   "API version %u, and wddmctl has %u",
			   info.out_api_version, WDDMCOMPAT_API_VERSION);
	else
		is_ok("module", "loaded, API version %u", info.out_api_version);
	close(fd);
}

int check_main(int argc, char **argv)
{
	next_option(argc, argv, NULL, 0);

	report_open_list("checks");
	check_iommufd();
	check_iommu();
	check_interrupts();
	check_vfio();
	check_memlock();
	check_module();
	report_close();
	report_bool("ok", all_ok);
	report_finish();
	return all_ok ? EXIT_OK : EXIT_FAILED;
}
