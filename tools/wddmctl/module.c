// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "module.h"
#include "report.h"

/* What to do about an error; the first that fits */
static const struct {
	unsigned long request;
	int error;
	const char *text;
} advice[] = {
	{ WDDMCOMPAT_MDL_LOCK, ENOMEM,
	  "Over the limit of locked memory? Raise \"ulimit -l\" or run this as root." },
	{ WDDMCOMPAT_MDL_LOCK, EFAULT,
	  "A file on disk can be locked for reading only: try --read-only." },
	{ WDDMCOMPAT_MAP, EEXIST, "The IOVA is in use or reserved." },
	{ 0, ENOTTY,
	  "The module is of another version: build it and wddmctl from one source." },
	{ 0, E2BIG,
	  "The module is of another version: build it and wddmctl from one source." },
};

static const char *find_advice(unsigned long request, int error)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(advice); i++)
		if (advice[i].error == error &&
		    (advice[i].request == request || !advice[i].request))
			return advice[i].text;
	return "The kernel's log (dmesg) may tell more.";
}

static int call(int fd, unsigned long request, void *arg, const char *what)
{
	const char *todo;

	if (!ioctl(fd, request, arg))
		return 0;
	todo = find_advice(request, errno);
	report_error("cannot %s: %m", what);
	report_todo("%s", todo);
	return -1;
}

bool module_present(void)
{
	return !access("/sys/class/misc/wddmcompat", F_OK);
}

int module_open(void)
{
	int fd;

	if (!module_present()) {
		report_error("the module is not loaded");
		report_todo(MODULE_LOAD);
		return -1;
	}
	fd = open(MODULE_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		report_error("cannot open " MODULE_DEVICE ": %m");
		report_todo("Run this as root.");
	}
	return fd;
}

int module_info(int fd, struct wddmcompat_info *info)
{
	*info = (struct wddmcompat_info){ .size = sizeof(*info) };
	return call(fd, WDDMCOMPAT_INFO, info, "ask the module for its limits");
}

int module_bind(int fd, int iommufd)
{
	struct wddmcompat_bind bind = {
		.size = sizeof(bind),
		.iommufd = iommufd,
	};

	return call(fd, WDDMCOMPAT_BIND, &bind, "bind the module to iommufd");
}

int module_adapter(int fd, __u32 ioas, __u64 *adapter)
{
	struct wddmcompat_adapter_create create = {
		.size = sizeof(create),
		.ioas_id = ioas,
	};

	if (call(fd, WDDMCOMPAT_ADAPTER_CREATE, &create, "make the adapter"))
		return -1;
	*adapter = create.out_adapter;
	return 0;
}

int module_lock(int fd, const struct wddmcompat_mdl_desc *descs, __u32 count,
		__u64 *mdl, __u64 *pages)
{
	struct wddmcompat_mdl_lock lock = {
		.size = sizeof(lock),
		.descs = (uintptr_t)descs,
		.num_descs = count,
	};

	if (call(fd, WDDMCOMPAT_MDL_LOCK, &lock, "lock the memory"))
		return -1;
	*mdl = lock.out_mdl;
	*pages = lock.out_num_pages;
	return 0;
}

int module_unlock(int fd, __u64 mdl)
{
	struct wddmcompat_mdl_unlock unlock = {
		.size = sizeof(unlock),
		.mdl = mdl,
	};

	return call(fd, WDDMCOMPAT_MDL_UNLOCK, &unlock, "unlock the memory");
}

int module_map(int fd, struct wddmcompat_map *map)
{
	map->size = sizeof(*map);
	return call(fd, WDDMCOMPAT_MAP, map, "map the memory");
}

int module_unmap(int fd, __u64 adapter, __u64 memory, __u32 *state)
{
	struct wddmcompat_unmap unmap = {
		.size = sizeof(unmap),
		.adapter = adapter,
		.memory = memory,
	};

	if (call(fd, WDDMCOMPAT_UNMAP, &unmap, "unmap the memory"))
		return -1;
	*state = unmap.out_state;
	return 0;
}

int module_batch(int fd, __u32 cmd, void *entries, __u32 count)
{
	static __s32 results[WDDMCOMPAT_BATCH_MAX];
	struct wddmcompat_batch batch = {
		.size = sizeof(batch),
		.cmd = cmd,
		.num_entries = count,
		.entries = (uintptr_t)entries,
		.results = (uintptr_t)results,
	};

	if (call(fd, WDDMCOMPAT_BATCH, &batch, "do many in one call"))
		return -1;
	if (batch.out_num_done == count)
		return 0;
	report_error("only %u of a batch of %u were done", batch.out_num_done,
		     count);
	return -1;
}
