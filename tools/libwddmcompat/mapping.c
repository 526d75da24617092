// SPDX-License-Identifier: GPL-2.0-only
/* Mappings, and what happens to them without their owner's doing. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "private.h"
#include "wddmcompat.h"

int wddm_map_range(int ctx, struct wddmcompat_map *map)
{
	map->size = sizeof(*map);
	return wddm_ioctl(ctx, WDDMCOMPAT_MAP, map);
}

int wddm_map(int ctx, __u64 adapter, __u64 mdl, __u32 flags, __u64 *iova,
	     __u64 *memory)
{
	struct wddmcompat_map map = {
		.flags = flags,
		.adapter = adapter,
		.mdl = mdl,
		.iova = flags & WDDMCOMPAT_MAP_FIXED_IOVA ? *iova : 0,
	};
	int rc = wddm_map_range(ctx, &map);

	if (rc)
		return rc;
	*iova = map.iova;
	*memory = map.out_memory;
	return 0;
}

int wddm_unmap(int ctx, __u64 adapter, __u64 memory)
{
	struct wddmcompat_unmap cmd = {
		.size = sizeof(cmd),
		.adapter = adapter,
		.memory = memory,
	};
	int rc = wddm_ioctl(ctx, WDDMCOMPAT_UNMAP, &cmd);

	return rc ? rc : (int)cmd.out_state;
}

int wddm_read_events(int ctx, struct wddmcompat_event *events, size_t max)
{
	ssize_t bytes = read(ctx, events, max * sizeof(*events));

	return bytes < 0 ? -errno : (int)(bytes / sizeof(*events));
}
