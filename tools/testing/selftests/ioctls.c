// SPDX-License-Identifier: GPL-2.0-only
/* Short names for the ioctls of the module and of iommufd */
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>

#include "fixture.h"

int wddm_ioctl(int ctx, unsigned long cmd, void *arg)
{
	return ioctl(ctx, cmd, arg) ? -errno : 0;
}

int wddm_bind(int ctx, int iommufd, __u32 *mdl_ioas)
{
	struct wddmcompat_bind cmd = {
		.size = sizeof(cmd),
		.iommufd = iommufd,
	};
	int rc = wddm_ioctl(ctx, WDDMCOMPAT_BIND, &cmd);

	if (!rc && mdl_ioas)
		*mdl_ioas = cmd.out_mdl_ioas_id;
	return rc;
}

int wddm_adapter_create(int ctx, __u32 ioas, __u64 *adapter)
{
	struct wddmcompat_adapter_create cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
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

struct wddmcompat_mdl_desc wddm_desc(const void *va, size_t bytes, __u32 flags)
{
	uintptr_t start = (uintptr_t)va & ~(PAGE_SIZE - 1);

	return (struct wddmcompat_mdl_desc){
		.start_va = start,
		.byte_offset = (uintptr_t)va - start,
		.byte_count = bytes,
		.flags = flags,
	};
}

int wddm_lock_chain(int ctx, const struct wddmcompat_mdl_desc *descs,
		    __u32 num_descs, __u64 *mdl)
{
	struct wddmcompat_mdl_lock cmd = {
		.size = sizeof(cmd),
		.descs = (uintptr_t)descs,
		.num_descs = num_descs,
	};
	int rc = wddm_ioctl(ctx, WDDMCOMPAT_MDL_LOCK, &cmd);

	if (!rc)
		*mdl = cmd.out_mdl;
	return rc;
}

int wddm_lock(int ctx, const void *va, size_t bytes, __u32 flags, __u64 *mdl)
{
	struct wddmcompat_mdl_desc desc = wddm_desc(va, bytes, flags);

	return wddm_lock_chain(ctx, &desc, 1, mdl);
}

int wddm_unlock(int ctx, __u64 mdl)
{
	struct wddmcompat_mdl_unlock cmd = {
		.size = sizeof(cmd),
		.mdl = mdl,
	};

	return wddm_ioctl(ctx, WDDMCOMPAT_MDL_UNLOCK, &cmd) ?:
	       (int)cmd.out_state;
}

int wddm_map(int ctx, struct wddmcompat_map *map)
{
	map->size = sizeof(*map);
	return wddm_ioctl(ctx, WDDMCOMPAT_MAP, map);
}

int wddm_map_all(int ctx, __u64 adapter, __u64 mdl, __u32 flags, __u64 *iova,
		 __u64 *memory)
{
	struct wddmcompat_map map = {
		.flags = flags,
		.adapter = adapter,
		.mdl = mdl,
		.iova = *iova,
	};
	int rc = wddm_map(ctx, &map);

	if (!rc) {
		*iova = map.iova;
		*memory = map.out_memory;
	}
	return rc;
}

int wddm_unmap(int ctx, __u64 adapter, __u64 memory)
{
	struct wddmcompat_unmap cmd = {
		.size = sizeof(cmd),
		.adapter = adapter,
		.memory = memory,
	};

	return wddm_ioctl(ctx, WDDMCOMPAT_UNMAP, &cmd) ?: (int)cmd.out_state;
}

int wddm_query(int ctx, __u64 handle, struct wddmcompat_query *query)
{
	*query = (struct wddmcompat_query){
		.size = sizeof(*query),
		.handle = handle,
	};
	return wddm_ioctl(ctx, WDDMCOMPAT_QUERY, query);
}

int ioas_alloc(int iommufd, __u32 *ioas)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	if (ioctl(iommufd, IOMMU_IOAS_ALLOC, &cmd))
		return -errno;
	*ioas = cmd.out_ioas_id;
	return 0;
}

static int ioas_map_flags(int iommufd, __u32 ioas, const void *va,
			  size_t length, __u64 *iova, __u32 flags)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = flags | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)va,
		.length = length,
		.iova = *iova,
	};

	if (ioctl(iommufd, IOMMU_IOAS_MAP, &cmd))
		return -errno;
	*iova = cmd.iova;
	return 0;
}

int ioas_map(int iommufd, __u32 ioas, const void *va, size_t length,
	     __u64 *iova)
{
	return ioas_map_flags(iommufd, ioas, va, length, iova, 0);
}

int ioas_map_fixed(int iommufd, __u32 ioas, const void *va, size_t length,
		   __u64 iova)
{
	return ioas_map_flags(iommufd, ioas, va, length, &iova,
			      IOMMU_IOAS_MAP_FIXED_IOVA);
}

static int ioas_unmap(int iommufd, __u32 ioas, __u64 iova, __u64 *length)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = iova,
		.length = *length,
	};

	if (ioctl(iommufd, IOMMU_IOAS_UNMAP, &cmd))
		return -errno;
	*length = cmd.length;
	return 0;
}

int ioas_unmap_range(int iommufd, __u32 ioas, __u64 iova, __u64 length)
{
	__u64 unmapped = length;
	int rc = ioas_unmap(iommufd, ioas, iova, &unmapped);

	if (rc)
		return rc;
	return unmapped == length ? 0 : -EMSGSIZE;
}

long ioas_unmap_all(int iommufd, __u32 ioas)
{
	__u64 length = UINT64_MAX;
	int rc = ioas_unmap(iommufd, ioas, 0, &length);

	/* Without a device, there may be more than memory has: all addresses */
	return rc ?: length > LONG_MAX ? LONG_MAX : (long)length;
}

int ioas_allow(int iommufd, __u32 ioas, __u64 first, __u64 last)
{
	struct iommu_iova_range range = { .start = first, .last = last };
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = 1,
		.allowed_iovas = (uintptr_t)&range,
	};

	return ioctl(iommufd, IOMMU_IOAS_ALLOW_IOVAS, &cmd) ? -errno : 0;
}

int iommufd_destroy(int iommufd, __u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return ioctl(iommufd, IOMMU_DESTROY, &cmd) ? -errno : 0;
}
