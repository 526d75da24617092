// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tour of WDDM 2.9's callbacks: physical memory objects, their address
 * descriptor lists, and the CPU's views of them.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "tour.h"

typedef DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT object_args;

/**
 * struct kind - A physical memory object to look at
 * @name: What is told of it
 * @type: What it is made of
 * @cache: How the CPU sees it
 * @prefer: Its ADL is to be contiguous if it can be
 * @require: It must be
 */
struct kind {
	const char *name;
	DXGK_PHYSICAL_MEMORY_TYPE type;
	DXGK_MEMORY_CACHING_TYPE cache;
	bool prefer;
	bool require;
};

static const struct kind kinds[] = {
	{
		.name = "object of an MDL, ADL an array",
		.type = DXGK_PHYSICAL_MEMORY_TYPE_MDL,
		.cache = DXGK_MEMORY_CACHING_TYPE_CACHED,
	},
	{
		.name = "object of an MDL, ADL contiguous if possible",
		.type = DXGK_PHYSICAL_MEMORY_TYPE_MDL,
		.cache = DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED,
		.prefer = true,
	},
	{
		.name = "object of contiguous memory, ADL contiguous",
		.type = DXGK_PHYSICAL_MEMORY_TYPE_CONTIGUOUS_MEMORY,
		.cache = DXGK_MEMORY_CACHING_TYPE_CACHED,
		.require = true,
	},
	{
		.name = "object of a section, ADL an array",
		.type = DXGK_PHYSICAL_MEMORY_TYPE_SECTION,
		.cache = DXGK_MEMORY_CACHING_TYPE_CACHED,
	},
	{
		.name = "object of a section, ADL contiguous if possible",
		.type = DXGK_PHYSICAL_MEMORY_TYPE_SECTION,
		.cache = DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED,
		.prefer = true,
	},
};

static object_args object_describe(struct tour *tour, const struct kind *kind)
{
	object_args args = {
		.hAdapter = tour->adapter,
		.Size = TOUR_BYTES,
		.Type = kind->type,
		.CacheType = kind->cache,
	};

	switch (kind->type) {
	case DXGK_PHYSICAL_MEMORY_TYPE_MDL:
		args.Mdl.LowAddress = tour->low;
		args.Mdl.HighAddress = tour->high;
		break;
	case DXGK_PHYSICAL_MEMORY_TYPE_CONTIGUOUS_MEMORY:
		args.ContiguousMemory.LowestAcceptableAddress = tour->low;
		args.ContiguousMemory.HighestAcceptableAddress = tour->high;
		break;
	case DXGK_PHYSICAL_MEMORY_TYPE_SECTION:
		args.Section.DesiredAccess = SECTION_ALL_ACCESS;
		args.Section.PageProtection = PAGE_READWRITE;
		args.Section.AllocationAttributes = SEC_COMMIT;
		break;
	case DXGK_PHYSICAL_MEMORY_TYPE_IO_SPACE:
		break;
	}
	return args;
}

/* --- What the devices see ----------------------------------------------------- */

/* The form of an ADL: what was asked for, or nothing in particular */
static bool adl_is_as_asked(const struct kind *kind, const DXGK_ADL *adl)
{
	if (adl->PageCount != MEMORY_PAGES)
		return false;
	if (kind->require)
		return adl->Flags.Contiguous;
	if (kind->prefer && !miniport_isolated())
		return adl->Flags.Contiguous;
	return true;
}

static void object_adl(struct tour *tour, const struct kind *kind,
		       HANDLE adapter_memory, struct memory *memory)
{
	bool in_sight = !miniport_isolated() ||
			memory_is_below(memory, miniport_highest());
	DXGKARGCB_ALLOCATE_ADL args = {
		.hAdapterMemoryObject = adapter_memory,
		.Size = TOUR_BYTES,
		.Flags.PreferContiguous = kind->prefer,
		.Flags.RequireContiguous = kind->require,
	};
	DXGKARGCB_FREE_ADL free = { .hAdapterMemoryObject = adapter_memory };
	NTSTATUS status;
	unsigned int i;

	status = tour->dxgkrnl->DxgkCbAllocateAdl(&args);
	if (!in_sight)
		step_status(tour, status, STATUS_INVALID_ADDRESS,
			    "%s: it is out of sight, and gets no ADL",
			    kind->name);
	else
		step_status(tour, status, STATUS_SUCCESS, "%s: it gets an ADL",
			    kind->name);
	if (!NT_SUCCESS(status)) {
		memory_put(memory);
		return;
	}
	step(tour, adl_is_as_asked(kind, args.pAdl),
	     "%s: the ADL has the form that was asked for", kind->name);
	for (i = 0; i < memory->num_pages; i++)
		memory->logical[i] = adl_address(args.pAdl, i);
	check_reached(tour, kind->name, memory);
	free.pAdl = args.pAdl;
	tour->dxgkrnl->DxgkCbFreeAdl(&free);
	check_blocked(tour, kind->name, memory, "without its ADL");
}

/* --- What the CPU sees -------------------------------------------------------- */

static NTSTATUS map_object(struct tour *tour, HANDLE object,
			   DXGK_ACCESS_MODE mode, SIZE_T bytes,
			   DXGKARGCB_MAP_PHYSICAL_MEMORY *map)
{
	*map = (DXGKARGCB_MAP_PHYSICAL_MEMORY){
		.hPhysicalMemoryObject = object,
		.AccessMode = mode,
		.Size = bytes,
	};
	return tour->dxgkrnl->DxgkCbMapPhysicalMemory(map);
}

static void unmap_object(struct tour *tour,
			 const DXGKARGCB_MAP_PHYSICAL_MEMORY *map)
{
	const DXGKARGCB_UNMAP_PHYSICAL_MEMORY unmap = {
		.hPhysicalMemoryObject = map->hPhysicalMemoryObject,
		.pBaseAddress = map->pMappedAddress,
		.Size = map->Size,
	};

	tour->dxgkrnl->DxgkCbUnmapPhysicalMemory(&unmap);
}

static const char greeting[] = "written by the kernel";

/* The process that takes this tour sees what the kernel has written, until unmapped */
static void user_view(struct tour *tour, const char *name, HANDLE object,
		      void *kernel)
{
	DXGKARGCB_MAP_PHYSICAL_MEMORY map;
	char seen[sizeof(greeting)] = "";
	unsigned long left;
	void __user *user;
	NTSTATUS status;

	status = map_object(tour, object, DXGK_ACCESS_MODE_USER_MODE,
			    TOUR_BYTES, &map);
	if (!step_status(tour, status, STATUS_SUCCESS,
			 "%s: the process has an address for it", name))
		return;
	user = (void __user *)map.pMappedAddress + map.Offset;
	memcpy(kernel, greeting, sizeof(greeting));
	left = copy_from_user(seen, user, sizeof(seen));
	step(tour, !left && !memcmp(seen, greeting, sizeof(seen)),
	     "%s: kernel and process see the same bytes", name);
	unmap_object(tour, &map);
	step(tour, copy_from_user(seen, user, sizeof(seen)),
	     "%s: once it is unmapped, the process sees nothing", name);
}

static void object_views(struct tour *tour, const struct kind *kind,
			 const object_args *object)
{
	DXGKARGCB_MAP_PHYSICAL_MEMORY map;
	struct memory memory = {};
	NTSTATUS status;
	void *kernel;

	status = map_object(tour, object->hPhysicalMemoryObject,
			    DXGK_ACCESS_MODE_KERNEL_MODE, TOUR_BYTES, &map);
	if (!step_status(tour, status, STATUS_SUCCESS,
			 "%s: the kernel has an address for it", kind->name))
		return;
	kernel = (u8 *)map.pMappedAddress + map.Offset;
	memory_of_address(&memory, kernel, TOUR_BYTES);
	object_adl(tour, kind, object->hAdapterMemoryObject, &memory);
	user_view(tour, kind->name, object->hPhysicalMemoryObject, kernel);
	unmap_object(tour, &map);
}

static void tour_object(struct tour *tour, const struct kind *kind)
{
	DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT destroy = {};
	object_args args = object_describe(tour, kind);
	DXGKARGCB_MAP_PHYSICAL_MEMORY map;
	NTSTATUS status;

	status = tour->dxgkrnl->DxgkCbCreatePhysicalMemoryObject(&args);
	if (!step_status(tour, status, STATUS_SUCCESS, "%s: it is created",
			 kind->name))
		return;
	object_views(tour, kind, &args);
	destroy.hPhysicalMemoryObject = args.hPhysicalMemoryObject;
	destroy.hAdapterMemoryObject = args.hAdapterMemoryObject;
	tour->dxgkrnl->DxgkCbDestroyPhysicalMemoryObject(&destroy);
	status = map_object(tour, args.hPhysicalMemoryObject,
			    DXGK_ACCESS_MODE_KERNEL_MODE, TOUR_BYTES, &map);
	step_status(tour, status, STATUS_INVALID_HANDLE,
		    "%s: it is destroyed, and its handle with it", kind->name);
}

/* --- An object that no adapter has at first ------------------------------------ */

static void tour_open(struct tour *tour)
{
	const struct kind kind = {
		.name = "object that is opened later",
		.type = DXGK_PHYSICAL_MEMORY_TYPE_MDL,
		.cache = DXGK_MEMORY_CACHING_TYPE_CACHED,
	};
	object_args args = object_describe(tour, &kind);
	DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT destroy = {};
	DXGKARGCB_CLOSE_PHYSICAL_MEMORY_OBJECT close = {};
	DXGKARGCB_OPEN_PHYSICAL_MEMORY_OBJECT open = {};
	DXGKARGCB_ALLOCATE_ADL adl = { .Size = TOUR_BYTES };
	NTSTATUS status;

	args.hAdapter = NULL;
	status = tour->dxgkrnl->DxgkCbCreatePhysicalMemoryObject(&args);
	if (!step_status(tour, status, STATUS_SUCCESS, "%s: it is created",
			 kind.name))
		return;
	/* Any device of the chain stands for the adapter here */
	open.hPhysicalMemoryObject = args.hPhysicalMemoryObject;
	open.hAdapter = linked[1]->dxgkrnl.DeviceHandle;
	status = tour->dxgkrnl->DxgkCbOpenPhysicalMemoryObject(&open);
	if (step_status(tour, status, STATUS_SUCCESS, "%s: it is opened",
			kind.name)) {
		args.hAdapterMemoryObject = open.hAdapterMemoryObject;
		object_views(tour, &kind, &args);
		close.hAdapterMemoryObject = open.hAdapterMemoryObject;
		tour->dxgkrnl->DxgkCbClosePhysicalMemoryObject(&close);
		adl.hAdapterMemoryObject = open.hAdapterMemoryObject;
		status = tour->dxgkrnl->DxgkCbAllocateAdl(&adl);
		step_status(tour, status, STATUS_INVALID_HANDLE,
			    "%s: once it is closed, it gets no ADL",
			    kind.name);
	}
	destroy.hPhysicalMemoryObject = args.hPhysicalMemoryObject;
	tour->dxgkrnl->DxgkCbDestroyPhysicalMemoryObject(&destroy);
}

/* --- The device's registers ------------------------------------------------------ */

/* Memory that is none: the CPU sees it, but iommufd takes it for no device */
static void tour_io_space(struct tour *tour)
{
	DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT destroy = {};
	DXGKARGCB_OPEN_PHYSICAL_MEMORY_OBJECT open = {};
	DXGKARGCB_MAP_PHYSICAL_MEMORY map;
	object_args args = {
		.Size = PAGE_SIZE,
		.Type = DXGK_PHYSICAL_MEMORY_TYPE_IO_SPACE,
		.CacheType = DXGK_MEMORY_CACHING_TYPE_NON_CACHED,
		.IOSpace.BaseAddress.QuadPart = linked[1]->edu->bar,
	};
	const char *name = "object of device 1's registers";
	const void __iomem *regs;
	NTSTATUS status;

	status = tour->dxgkrnl->DxgkCbCreatePhysicalMemoryObject(&args);
	if (!step_status(tour, status, STATUS_SUCCESS, "%s: it is created",
			 name))
		return;
	status = map_object(tour, args.hPhysicalMemoryObject,
			    DXGK_ACCESS_MODE_KERNEL_MODE, PAGE_SIZE, &map);
	if (step_status(tour, status, STATUS_SUCCESS,
			"%s: the kernel has an address for it", name)) {
		regs = (void __iomem __force *)map.pMappedAddress + map.Offset;
		step(tour, (readl(regs + EDU_ID) & 0xff) == EDU_ID_BYTE,
		     "%s: they say what device it is", name);
		unmap_object(tour, &map);
	}
	open.hPhysicalMemoryObject = args.hPhysicalMemoryObject;
	open.hAdapter = tour->adapter;
	status = tour->dxgkrnl->DxgkCbOpenPhysicalMemoryObject(&open);
	step_status(tour, status, STATUS_NOT_SUPPORTED,
		    "%s: for devices it is not supported", name);
	destroy.hPhysicalMemoryObject = args.hPhysicalMemoryObject;
	tour->dxgkrnl->DxgkCbDestroyPhysicalMemoryObject(&destroy);
}

void tour_objects(struct tour *tour)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		tour_object(tour, &kinds[i]);
	tour_open(tour);
	tour_io_space(tour);
}
