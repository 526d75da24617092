// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ways to map that are compared. Each is a pair of functions: map all the
 * pieces of a set, unmap them all.
 */
#include <stdint.h>

#include "bench.h"
#include "iommufd.h"
#include "memory.h"
#include "module.h"
#include "type1.h"

/* Where VFIO type 1, which has the program choose, maps the first piece */
#define TYPE1_IOVA 0x100000000ULL

static __u32 num_pieces(const struct bench_set *set)
{
	return set->c.chain * set->c.batch;
}

static __u64 length(const struct bench_set *set, __u32 piece)
{
	return set->c.mixed ? set->c.size >> piece % 5 : set->c.size;
}

/* Mixed chains are alone */
static __u64 mdl_length(const struct bench_set *set)
{
	__u64 sum = 0;
	__u32 i;

	for (i = 0; i < set->c.chain; i++)
		sum += length(set, i);
	return sum;
}

static __u64 address(const struct bench_set *set, __u32 piece)
{
	return (uintptr_t)set->memory.start + piece * set->memory.stride;
}

/* Each piece by iommufd's own calls: what a program does without the module */
static int raw_map(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < num_pieces(set); i++)
		if (iommufd_map(set->rig->iommufd, set->place->ioas,
				address(set, i), length(set, i),
				&set->iovas[i]))
			return -1;
	return 0;
}

static int raw_unmap(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < num_pieces(set); i++)
		if (iommufd_unmap(set->rig->iommufd, set->place->ioas,
				  set->iovas[i], length(set, i)))
			return -1;
	return 0;
}

/*
 * What nobody can be faster than who maps pinned pages through iommufd: a copy for
 * each MDL, of what the keeper has of it.
 */
static int floor_map(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < set->c.batch; i++) {
		set->iovas[i] = 0;
		if (iommufd_copy(set->rig->iommufd, set->place->ioas,
				 set->rig->keeper.ioas, set->kept_iovas[i],
				 mdl_length(set), &set->iovas[i]))
			return -1;
	}
	return 0;
}

static int floor_unmap(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < set->c.batch; i++)
		if (iommufd_unmap(set->rig->iommufd, set->place->ioas,
				  set->iovas[i], mdl_length(set)))
			return -1;
	return 0;
}

/* MDLs that stay locked, one call for each */
static int locked_map(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < set->c.batch; i++)
		if (bench_map(set->rig, set->place, set->mdls[i],
			      &set->iovas[i], &set->handles[i]))
			return -1;
	return 0;
}

static int locked_unmap(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < set->c.batch; i++)
		if (bench_unmap(set->rig, set->place, set->handles[i]))
			return -1;
	return 0;
}

/* MDLs that stay locked, one call for all */
static bool is_batch(const struct bench_set *set)
{
	return set->c.batch > 1;
}

static int batch_map(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < set->c.batch; i++)
		set->maps[i] = (struct wddmcompat_map){
			.flags = WDDMCOMPAT_MAP_WRITEABLE,
			.adapter = set->place->adapter,
			.mdl = set->mdls[i],
		};
	return module_map_many(set->rig->context, set->maps, set->c.batch);
}

static int batch_unmap(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < set->c.batch; i++)
		set->unmaps[i] = (struct wddmcompat_unmap){
			.adapter = set->place->adapter,
			.memory = set->maps[i].out_memory,
		};
	return module_unmap_many(set->rig->context, set->unmaps, set->c.batch);
}

/* Each MDL for one mapping: lock, map, unmap, unlock */
static int lock(const struct bench_set *set, __u32 i, __u64 *mdl)
{
	return module_lock(set->rig->context, &set->descs[i * set->c.chain],
			   set->c.chain, mdl);
}

static int one_shot_map(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < set->c.batch; i++)
		if (lock(set, i, &set->once[i]) ||
		    bench_map(set->rig, set->place, set->once[i],
			      &set->iovas[i], &set->handles[i]))
			return -1;
	return 0;
}

static int one_shot_unmap(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < set->c.batch; i++)
		if (bench_unmap(set->rig, set->place, set->handles[i]) ||
		    module_unlock(set->rig->context, set->once[i]))
			return -1;
	return 0;
}

/* Each piece as programs did before iommufd, with another device */
static bool has_type1(const struct bench_set *set)
{
	return set->rig->container >= 0 && set->c.attached;
}

static int type1_map_all(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < num_pieces(set); i++)
		if (type1_map(set->rig->container, address(set, i),
			      length(set, i),
			      TYPE1_IOVA + i * set->memory.stride))
			return -1;
	return 0;
}

static int type1_unmap_all(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < num_pieces(set); i++)
		if (type1_unmap(set->rig->container,
				TYPE1_IOVA + i * set->memory.stride,
				length(set, i)))
			return -1;
	return 0;
}

const struct bench_work bench_works[BENCH_WORKS] = {
	{ "raw", NULL, raw_map, raw_unmap },
	{ "floor", NULL, floor_map, floor_unmap },
	{ "locked", NULL, locked_map, locked_unmap },
	{ "one-shot", NULL, one_shot_map, one_shot_unmap },
	{ "batch", is_batch, batch_map, batch_unmap },
	{ "type1", has_type1, type1_map_all, type1_unmap_all },
};

static void describe(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < num_pieces(set); i++)
		set->descs[i] = (struct wddmcompat_mdl_desc){
			.start_va = address(set, i),
			.byte_count = length(set, i),
			.flags = WDDMCOMPAT_MDL_WRITE_OPERATION,
		};
}

/* Neighbours are one piece of memory */
static bool get_memory(struct bench_set *set)
{
	const struct bench_case *c = &set->c;

	if (!c->neighbours)
		return bench_memory_get(&set->memory, c->pages, c->size,
					num_pieces(set));
	if (!bench_memory_get(&set->memory, c->pages,
			      c->size * num_pieces(set), 1))
		return false;
	set->memory.stride = c->size;
	return true;
}

int bench_set_open(struct bench_set *set, const struct bench_rig *rig,
		   const struct bench_case *c)
{
	__u32 i;

	*set = (struct bench_set){
		.rig = rig,
		.place = c->attached ? &rig->attached : &rig->alone,
		.c = *c,
	};
	if (!get_memory(set))
		return 1;
	describe(set);
	for (i = 0; i < c->batch; i++)
		if (lock(set, i, &set->mdls[i]) ||
		    bench_map(rig, &rig->keeper, set->mdls[i],
			      &set->kept_iovas[i], &set->kept[i]))
			return -1;
	return 0;
}

int bench_set_close(struct bench_set *set)
{
	__u32 i;

	for (i = 0; i < set->c.batch; i++)
		if (bench_unmap(set->rig, &set->rig->keeper, set->kept[i]) ||
		    module_unlock(set->rig->context, set->mdls[i]))
			return -1;
	bench_memory_put(&set->memory);
	return 0;
}
