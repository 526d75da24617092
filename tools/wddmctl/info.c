// SPDX-License-Identifier: GPL-2.0-only
#include <sys/utsname.h>
#include <unistd.h>

#include "host.h"
#include "module.h"
#include "report.h"
#include "wddmctl.h"

static int report_module(void)
{
	struct wddmcompat_info info;
	int fd, failed;

	report_bool("module_loaded", module_present());
	if (!module_present()) {
		report_text("%-15s %s\n", "module",
			    "not loaded; \"wddmctl check\" tells what to do");
		return 0;
	}
	report_text("%-15s %s\n", "module", "loaded");

	fd = module_open();
	if (fd < 0)
		return -1;
	failed = module_info(fd, &info);
	close(fd);
	if (failed)
		return -1;
	report_number("api_version", "API version", info.out_api_version, "");
	report_number("page_size", "page", info.out_page_size, "bytes");
	report_number("byte_count_max", "descriptor", info.out_byte_count_max,
		      "bytes at most");
	report_number("chain_max", "chain", info.out_chain_max,
		      "descriptors at most");
	return 0;
}

static void report_iommu(const char *name, void *arg)
{
	unsigned int devices = host_iommu_devices(name);

	(void)arg;
	report_open_item();
	report_string("name", NULL, "%s", name);
	report_number("devices", NULL, devices, "");
	report_text("%-15s %s, %u %s\n", "IOMMU", name, devices,
		    devices == 1 ? "device" : "devices");
	report_close();
}

static void report_iommus(void)
{
	report_open_list("iommus");
	if (!host_list("/sys/class/iommu", report_iommu, NULL))
		report_text("%-15s %s\n", "IOMMU",
			    "none; \"wddmctl check\" tells what to do");
	report_close();
}

int info_main(int argc, char **argv)
{
	struct utsname kernel;
	int failed;

	next_option(argc, argv, NULL, 0);

	failed = report_module();
	uname(&kernel);
	report_string("kernel", "kernel", "%s", kernel.release);
	report_iommus();
	report_finish();
	return failed ? EXIT_FAILED : EXIT_OK;
}
