// SPDX-License-Identifier: GPL-2.0-only
/* Many locks, maps or unmaps in one call. */
#include <errno.h>
#include <stdint.h>

#include "private.h"
#include "wddmcompat.h"

/* Each entry has its size as its first member */
static int run_all(int ctx, __u32 cmd, void *entries, __u32 size, size_t num,
		   __s32 *results)
{
	char *entry = entries;
	size_t tried = 0;
	int rc = 0;

	for (size_t i = 0; i < num; i++) {
		*(__u32 *)(entry + i * size) = size;
		results[i] = -ECANCELED;
	}
	while (tried < num && !rc) {
		const size_t left = num - tried;
		struct wddmcompat_batch batch = {
			.size = sizeof(batch),
			.cmd = cmd,
			.num_entries = left < WDDMCOMPAT_BATCH_MAX ?
					       left :
					       WDDMCOMPAT_BATCH_MAX,
			.entries = (uintptr_t)(entry + tried * size),
			.results = (uintptr_t)(results + tried),
		};

		rc = wddm_ioctl(ctx, WDDMCOMPAT_BATCH, &batch);
		/* Set also when the call was cut short */
		tried += batch.out_num_tried;
	}
	return rc;
}

int wddm_lock_many(int ctx, struct wddmcompat_mdl_lock *locks, size_t num,
		   __s32 *results)
{
	return run_all(ctx, WDDMCOMPAT_CMD_MDL_LOCK, locks, sizeof(*locks), num,
		       results);
}

int wddm_map_many(int ctx, struct wddmcompat_map *maps, size_t num,
		  __s32 *results)
{
	return run_all(ctx, WDDMCOMPAT_CMD_MAP, maps, sizeof(*maps), num,
		       results);
}

int wddm_unmap_many(int ctx, struct wddmcompat_unmap *unmaps, size_t num,
		    __s32 *results)
{
	return run_all(ctx, WDDMCOMPAT_CMD_UNMAP, unmaps, sizeof(*unmaps), num,
		       results);
}
