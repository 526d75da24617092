// SPDX-License-Identifier: GPL-2.0-only
#include "bench.h"
#include "iommufd.h"
#include "module.h"
#include "report.h"
#include "vfio.h"

int bench_place_make(const struct bench_rig *rig, struct bench_place *place)
{
	if (iommufd_ioas(rig->iommufd, &place->ioas))
		return -1;
	return module_adapter(rig->context, place->ioas, &place->adapter);
}

int bench_place_attach(const struct bench_rig *rig, const char *device,
		       struct bench_place *place)
{
	struct vfio vfio;

	if (vfio_take(&vfio, device, rig->iommufd))
		return -1;
	place->ioas = vfio.ioas;
	return module_adapter(rig->context, place->ioas, &place->adapter);
}

int bench_rig_open(struct bench_rig *rig, const char *device)
{
	*rig = (struct bench_rig){ .container = -1 };
	rig->iommufd = iommufd_open();
	if (rig->iommufd < 0)
		return -1;
	rig->context = module_open();
	if (rig->context < 0 || module_bind(rig->context, rig->iommufd) ||
	    bench_place_make(rig, &rig->alone) ||
	    bench_place_make(rig, &rig->keeper))
		return -1;
	if (!device[0])
		return 0;
	rig->has_device = true;
	return bench_place_attach(rig, device, &rig->attached);
}

int bench_map(const struct bench_rig *rig, const struct bench_place *place,
	      __u64 mdl, __u64 *iova, __u64 *memory)
{
	struct wddmcompat_map map = {
		.flags = WDDMCOMPAT_MAP_WRITEABLE,
		.adapter = place->adapter,
		.mdl = mdl,
	};

	if (module_map(rig->context, &map))
		return -1;
	*iova = map.iova;
	*memory = map.out_memory;
	return 0;
}

int bench_unmap(const struct bench_rig *rig, const struct bench_place *place,
		__u64 memory)
{
	return module_unmap(rig->context, place->adapter, memory) < 0 ? -1 : 0;
}
