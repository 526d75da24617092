// SPDX-License-Identifier: GPL-2.0-only
/* Contexts, what they know, and their adapters. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "private.h"
#include "wddmcompat.h"

int wddm_ioctl(int ctx, unsigned long request, void *arg)
{
	return ioctl(ctx, request, arg) ? -errno : 0;
}

static int check_version(int ctx)
{
	struct wddmcompat_info info;
	int rc = wddm_info(ctx, &info);

	if (rc)
		return rc;
	return info.out_api_version == WDDMCOMPAT_API_VERSION ? 0 : -EPROTO;
}

int wddm_open(void)
{
	int ctx = open("/dev/wddmcompat", O_RDWR | O_CLOEXEC), rc;

	if (ctx < 0)
		return -errno;
	rc = check_version(ctx);
	if (!rc)
		return ctx;
	close(ctx);
	return rc;
}

int wddm_bind(int ctx, int iommufd)
{
	struct wddmcompat_bind cmd = {
		.size = sizeof(cmd),
		.iommufd = iommufd,
	};

	return wddm_ioctl(ctx, WDDMCOMPAT_BIND, &cmd);
}

int wddm_info(int ctx, struct wddmcompat_info *info)
{
	struct wddmcompat_info cmd = { .size = sizeof(cmd) };
	int rc = wddm_ioctl(ctx, WDDMCOMPAT_INFO, &cmd);

	if (!rc)
		*info = cmd;
	return rc;
}

int wddm_query(int ctx, __u64 handle, struct wddmcompat_query *query)
{
	struct wddmcompat_query cmd = {
		.size = sizeof(cmd),
		.handle = handle,
	};
	int rc = wddm_ioctl(ctx, WDDMCOMPAT_QUERY, &cmd);

	if (!rc)
		*query = cmd;
	return rc;
}

int wddm_adapter_create(int ctx, __u32 ioas_id, __u64 *adapter)
{
	struct wddmcompat_adapter_create cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_id,
	};
	int rc = wddm_ioctl(ctx, WDDMCOMPAT_ADAPTER_CREATE, &cmd);

	if (!rc)
		*adapter = cmd.out_adapter;
	return rc;
}

int wddm_adapter_destroy(int ctx, __u64 adapter)
{
	struct wddmcompat_adapter_destroy cmd = {
		.size = sizeof(cmd),
		.adapter = adapter,
	};

	return wddm_ioctl(ctx, WDDMCOMPAT_ADAPTER_DESTROY, &cmd);
}
