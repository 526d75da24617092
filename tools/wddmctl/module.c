// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <wddmcompat.h>

#include "module.h"
#include "report.h"

/* Pass on what the library returned; an error is told first */
static int told(int rc, __u32 cmd, const char *what)
{
	const char *text;

	if (rc >= 0)
		return rc;
	text = wddm_explain(cmd, rc);
	report_error("cannot %s: %s", what, strerror(-rc));
	report_todo("%s", text ? text : "The kernel's log (dmesg) may tell more.");
	return -1;
}

bool module_present(void)
{
	return !access("/sys/class/misc/wddmcompat", F_OK);
}

int module_open(void)
{
	return told(wddm_open(), WDDMCOMPAT_CMD_INFO, "open " MODULE_DEVICE);
}

int module_info(int ctx, struct wddmcompat_info *info)
{
	return told(wddm_info(ctx, info), WDDMCOMPAT_CMD_INFO,
		    "ask the module for its limits");
}

int module_bind(int ctx, int iommufd)
{
	return told(wddm_bind(ctx, iommufd), WDDMCOMPAT_CMD_BIND,
		    "bind the module to iommufd");
}

int module_adapter(int ctx, __u32 ioas, __u64 *adapter)
{
	return told(wddm_adapter_create(ctx, ioas, adapter),
		    WDDMCOMPAT_CMD_ADAPTER_CREATE, "make the adapter");
}

int module_lock(int ctx, const struct wddmcompat_mdl_desc *descs, __u32 count,
		__u64 *mdl)
{
	return told(wddm_lock_descs(ctx, descs, count, mdl),
		    WDDMCOMPAT_CMD_MDL_LOCK, "lock the memory");
}

int module_unlock(int ctx, __u64 mdl)
{
	int state = told(wddm_unlock(ctx, mdl), WDDMCOMPAT_CMD_MDL_UNLOCK,
			 "unlock the memory");

	return state < 0 ? -1 : 0;
}

int module_map(int ctx, struct wddmcompat_map *map)
{
	return told(wddm_map_range(ctx, map), WDDMCOMPAT_CMD_MAP,
		    "map the memory");
}

int module_unmap(int ctx, __u64 adapter, __u64 memory)
{
	return told(wddm_unmap(ctx, adapter, memory), WDDMCOMPAT_CMD_UNMAP,
		    "unmap the memory");
}

int module_query(int ctx, __u64 handle, struct wddmcompat_query *query)
{
	return told(wddm_query(ctx, handle, query), WDDMCOMPAT_CMD_QUERY,
		    "ask what a handle names");
}

/* Tell what became of a batch: its call, or the first that has not been done */
static int told_many(int rc, const __s32 *results, __u32 count, __u32 cmd,
		     const char *what)
{
	__u32 i;

	for (i = 0; i < count && !rc; i++)
		rc = results[i];
	return told(rc, cmd, what);
}

int module_map_many(int ctx, struct wddmcompat_map *maps, __u32 count)
{
	__s32 results[MODULE_MANY];
	int rc = wddm_map_many(ctx, maps, count, results);

	return told_many(rc, results, count, WDDMCOMPAT_CMD_MAP,
			 "map many at once");
}

int module_unmap_many(int ctx, struct wddmcompat_unmap *unmaps, __u32 count)
{
	__s32 results[MODULE_MANY];
	int rc = wddm_unmap_many(ctx, unmaps, count, results);

	return told_many(rc, results, count, WDDMCOMPAT_CMD_UNMAP,
			 "unmap many at once");
}
