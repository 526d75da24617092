// SPDX-License-Identifier: GPL-2.0-only
/*
 * Map pieces of memory that lie anywhere to one range of device addresses, and ask
 * where each piece begins there. Works without a device, too.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <wddmcompat.h>

#include <linux/iommufd.h>

#define PIECES 3

static int ok(int rc, const char *what)
{
	if (rc >= 0)
		return rc;
	errno = -rc;
	err(1, "%s", what);
}

static __u32 make_ioas(int iommufd)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };

	if (ioctl(iommufd, IOMMU_IOAS_ALLOC, &ioas))
		err(1, "IOMMU_IOAS_ALLOC");
	return ioas.out_ioas_id;
}

/* A header, a payload and a trailer, say: none of whole pages */
static void get_pieces(struct iovec *pieces)
{
	static const size_t lengths[PIECES] = { 64, 100000, 16 };

	for (int i = 0; i < PIECES; i++) {
		pieces[i].iov_len = lengths[i];
		pieces[i].iov_base = malloc(lengths[i]);
		if (!pieces[i].iov_base)
			err(1, "malloc");
	}
}

int main(void)
{
	int iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	struct iovec pieces[PIECES];
	__u64 logical[PIECES];
	struct wddmcompat_map map = {
		.logical = (uintptr_t)logical,
		.num_logical = PIECES,
	};
	int ctx;

	if (iommufd < 0)
		err(1, "/dev/iommu");
	ctx = ok(wddm_open(), "wddm_open");
	ok(wddm_bind(ctx, iommufd), "wddm_bind");
	ok(wddm_adapter_create(ctx, make_ioas(iommufd), &map.adapter),
	   "wddm_adapter_create");

	/* One MDL, for reading only */
	get_pieces(pieces);
	ok(wddm_lock_iov(ctx, pieces, PIECES, 0, &map.mdl), "wddm_lock_iov");
	ok(wddm_map_range(ctx, &map), "wddm_map_range");
	printf("%llu pages from IOVA %#llx on\n", map.num_pages, map.iova);
	for (int i = 0; i < PIECES; i++)
		printf("%zu bytes at %p: the device finds them at %#llx\n",
		       pieces[i].iov_len, pieces[i].iov_base, logical[i]);

	ok(wddm_unmap(ctx, map.adapter, map.out_memory), "wddm_unmap");
	ok(wddm_unlock(ctx, map.mdl), "wddm_unlock");
	for (int i = 0; i < PIECES; i++)
		free(pieces[i].iov_base);
	return 0;
}
