// SPDX-License-Identifier: GPL-2.0-only
/* Memory as MDLs describe it, locked and unlocked. */
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "private.h"
#include "wddmcompat.h"

/* Describe as much of a piece as one descriptor can, and take it off the piece */
static void describe_head(struct iovec *piece, __u32 flags,
			  struct wddmcompat_mdl_desc *desc)
{
	const uintptr_t page = sysconf(_SC_PAGESIZE);
	const uintptr_t va = (uintptr_t)piece->iov_base;
	/* The next one begins at a page, wherever this one does */
	const size_t max = (__u32)-page - (va & (page - 1));
	const size_t bytes = piece->iov_len < max ? piece->iov_len : max;

	*desc = (struct wddmcompat_mdl_desc){
		.start_va = va & ~(page - 1),
		.byte_offset = va & (page - 1),
		.byte_count = bytes,
		.flags = flags,
	};
	piece->iov_base = (char *)piece->iov_base + bytes;
	piece->iov_len -= bytes;
}

int wddm_describe_iov(const struct iovec *iov, unsigned int num, __u32 flags,
		      struct wddmcompat_mdl_desc *descs, unsigned int max)
{
	unsigned int count = 0;

	if (!num)
		return -EINVAL;
	for (unsigned int i = 0; i < num; i++) {
		struct iovec piece = iov[i];

		if (!piece.iov_len ||
		    piece.iov_len - 1 > UINTPTR_MAX - (uintptr_t)piece.iov_base)
			return -EINVAL;
		while (piece.iov_len) {
			if (count == max)
				return -E2BIG;
			describe_head(&piece, flags, &descs[count++]);
		}
	}
	return count;
}

int wddm_lock_descs(int ctx, const struct wddmcompat_mdl_desc *descs,
		    unsigned int num, __u64 *mdl)
{
	struct wddmcompat_mdl_lock cmd = {
		.size = sizeof(cmd),
		.descs = (uintptr_t)descs,
		.num_descs = num,
	};
	int rc = wddm_ioctl(ctx, WDDMCOMPAT_MDL_LOCK, &cmd);

	if (!rc)
		*mdl = cmd.out_mdl;
	return rc;
}

int wddm_lock_iov(int ctx, const struct iovec *iov, unsigned int num,
		  __u32 flags, __u64 *mdl)
{
	struct wddmcompat_mdl_desc descs[WDDMCOMPAT_MDL_CHAIN_MAX];
	int count = wddm_describe_iov(iov, num, flags, descs,
				      WDDMCOMPAT_MDL_CHAIN_MAX);

	return count < 0 ? count : wddm_lock_descs(ctx, descs, count, mdl);
}

int wddm_lock(int ctx, const void *buffer, size_t length, __u32 flags,
	      __u64 *mdl)
{
	const struct iovec piece = {
		.iov_base = (void *)buffer,
		.iov_len = length,
	};

	return wddm_lock_iov(ctx, &piece, 1, flags, mdl);
}

int wddm_unlock(int ctx, __u64 mdl)
{
	struct wddmcompat_mdl_unlock cmd = {
		.size = sizeof(cmd),
		.mdl = mdl,
	};
	int rc = wddm_ioctl(ctx, WDDMCOMPAT_MDL_UNLOCK, &cmd);

	return rc ? rc : (int)cmd.out_state;
}
