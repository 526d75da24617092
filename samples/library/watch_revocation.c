// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notice that a mapping was removed by somebody else who holds the iommufd: here
 * by the program itself, with iommufd's own call.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <wddmcompat.h>

#include <linux/iommufd.h>

static char buffer[100000];

static int ok(int rc, const char *what)
{
	if (rc >= 0)
		return rc;
	errno = -rc;
	err(1, "%s", what);
}

static void make_ioas(int iommufd, __u32 *ioas_id)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };

	if (ioctl(iommufd, IOMMU_IOAS_ALLOC, &ioas))
		err(1, "IOMMU_IOAS_ALLOC");
	*ioas_id = ioas.out_ioas_id;
}

/* Everything, whosever it is */
static void unmap_all(int iommufd, __u32 ioas_id)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas_id,
		.length = UINT64_MAX,
	};

	if (ioctl(iommufd, IOMMU_IOAS_UNMAP, &unmap))
		err(1, "IOMMU_IOAS_UNMAP");
}

static void watch(int ctx)
{
	struct pollfd poll_ctx = { .fd = ctx, .events = POLLIN };
	struct wddmcompat_event event;

	if (poll(&poll_ctx, 1, 10000) != 1)
		errx(1, "no event");
	ok(wddm_read_events(ctx, &event, 1), "wddm_read_events");
	printf("memory handle %#llx: %llu bytes at IOVA %#llx are gone\n",
	       event.handle, event.length, event.iova);
}

int main(void)
{
	int iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC), ctx, state;
	__u64 adapter, mdl, iova, memory;
	__u32 ioas_id;

	if (iommufd < 0)
		err(1, "/dev/iommu");
	make_ioas(iommufd, &ioas_id);
	ctx = ok(wddm_open(), "wddm_open");
	ok(wddm_bind(ctx, iommufd), "wddm_bind");
	ok(wddm_adapter_create(ctx, ioas_id, &adapter), "wddm_adapter_create");
	ok(wddm_lock(ctx, buffer, sizeof(buffer), 0, &mdl), "wddm_lock");
	ok(wddm_map(ctx, adapter, mdl, 0, &iova, &memory), "wddm_map");
	printf("memory handle %#llx is mapped at IOVA %#llx\n", memory, iova);

	unmap_all(iommufd, ioas_id);
	watch(ctx);

	/* The handle is there until it is unmapped, which tells the same */
	state = ok(wddm_unmap(ctx, adapter, memory), "wddm_unmap");
	printf("unmapped; it was %s\n",
	       state == WDDMCOMPAT_STATE_REVOKED ? "revoked" : "live");
	ok(wddm_unlock(ctx, mdl), "wddm_unlock");
	return 0;
}
