// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many live mappings: how long unmapping one of them takes, and what they cost in
 * memory of the kernel. Ours beside bare areas of iommufd, as many of them, which
 * it copies from the same pages; and beside few of each, in turns. All are mapped
 * for no device: what a device adds is always the same. And at chosen addresses,
 * because iommufd looks at all that are in use to find one that is not.
 */
#include <stdint.h>
#include <stdlib.h>

#include "bench.h"
#include "iommufd.h"
#include "memory.h"
#include "module.h"
#include "report.h"
#include "wddmctl.h"

/* A mapping is one page of one of these */
#define NUM_MDLS 256
#define MDL_PAGES 16

#define FEW 1000

#define FIRST_IOVA 0x100000000ULL

/* Mappings that are taken away and mapped again in one turn */
#define PICKS 64

/* Fewer do not tell how much memory one takes: the kernel takes it by the page */
#define MEMORY_MIN 10000

struct pages {
	const struct bench_rig *rig;
	struct bench_memory memory;
	__u64 mdls[NUM_MDLS];
	__u64 kept_iovas[NUM_MDLS];
	__u64 kept[NUM_MDLS];
};

/* @memory: the handles of ours */
struct crowd {
	const struct pages *pages;
	const struct crowd_kind *kind;
	struct bench_place place;
	__u64 *memory;
	__u32 count;
};

struct crowd_kind {
	const char *name;
	int (*map)(struct crowd *crowd, __u32 i);
	int (*unmap)(struct crowd *crowd, __u32 i);
};

/* With a free page after each, so that no two are side by side */
static __u64 iova_of(__u32 i)
{
	return FIRST_IOVA + i * 2 * memory_page_size();
}

static int ours_map(struct crowd *crowd, __u32 i)
{
	struct wddmcompat_map map = {
		.flags = WDDMCOMPAT_MAP_WRITEABLE | WDDMCOMPAT_MAP_FIXED_IOVA,
		.adapter = crowd->place.adapter,
		.mdl = crowd->pages->mdls[i % NUM_MDLS],
		.first_page = i / NUM_MDLS % MDL_PAGES,
		.num_pages = 1,
		.iova = iova_of(i),
	};

	if (module_map(crowd->pages->rig->context, &map))
		return -1;
	crowd->memory[i] = map.out_memory;
	return 0;
}

static int ours_unmap(struct crowd *crowd, __u32 i)
{
	return bench_unmap(crowd->pages->rig, &crowd->place, crowd->memory[i]);
}

static int bare_map(struct crowd *crowd, __u32 i)
{
	const struct pages *pages = crowd->pages;
	__u64 page = memory_page_size(), iova = iova_of(i);

	return iommufd_copy(pages->rig->iommufd, crowd->place.ioas,
			    pages->rig->keeper.ioas,
			    pages->kept_iovas[i % NUM_MDLS] +
				    i / NUM_MDLS % MDL_PAGES * page,
			    page, &iova);
}

static int bare_unmap(struct crowd *crowd, __u32 i)
{
	return iommufd_unmap(crowd->pages->rig->iommufd, crowd->place.ioas,
			     iova_of(i), memory_page_size());
}

static const struct crowd_kind ours = { "locked", ours_map, ours_unmap };
static const struct crowd_kind bare = { "floor", bare_map, bare_unmap };

static int pages_open(struct pages *pages, const struct bench_rig *rig)
{
	__u64 size = MDL_PAGES * memory_page_size();
	struct wddmcompat_mdl_desc desc = {
		.byte_count = size,
		.flags = WDDMCOMPAT_MDL_WRITE_OPERATION,
	};
	__u32 i;

	pages->rig = rig;
	if (!bench_memory_get(&pages->memory, BENCH_APART, size, NUM_MDLS)) {
		report_error("cannot get %llu bytes of memory",
			     size * NUM_MDLS);
		return -1;
	}
	for (i = 0; i < NUM_MDLS; i++) {
		desc.start_va = (uintptr_t)pages->memory.start +
				i * pages->memory.stride;
		if (module_lock(rig->context, &desc, 1, &pages->mdls[i]) ||
		    bench_map(rig, &rig->keeper, pages->mdls[i],
			      &pages->kept_iovas[i], &pages->kept[i]))
			return -1;
	}
	return 0;
}

static int crowd_grow(struct crowd *crowd, __u32 count)
{
	__u64 *memory = realloc(crowd->memory, count * sizeof(*memory));

	if (!memory) {
		report_error("out of memory");
		return -1;
	}
	crowd->memory = memory;
	for (; crowd->count < count; crowd->count++)
		if (crowd->kind->map(crowd, crowd->count))
			return -1;
	return 0;
}

static int crowd_open(struct crowd *crowd, const struct pages *pages,
		      const struct crowd_kind *kind, __u32 count)
{
	*crowd = (struct crowd){ .pages = pages, .kind = kind };
	return bench_place_make(pages->rig, &crowd->place) ||
	       crowd_grow(crowd, count);
}

/* One turn: unmap and map again some that lie anywhere */
static int take_turn(struct crowd *crowd, double *unmap_ns, double *map_ns)
{
	__u64 unmap = 0, map = 0, before, between;
	__u32 i, picked;

	for (i = 0; i < PICKS; i++) {
		picked = random() % crowd->count;
		before = bench_now();
		if (crowd->kind->unmap(crowd, picked))
			return -1;
		between = bench_now();
		if (crowd->kind->map(crowd, picked))
			return -1;
		map += bench_now() - between;
		unmap += between - before;
	}
	*unmap_ns = (double)unmap / PICKS;
	*map_ns = (double)map / PICKS;
	return 0;
}

static void report_crowd(const struct crowd *crowd, struct bench_time unmap,
			 struct bench_time map, double few)
{
	report_open_item();
	report_string("work", NULL, "%s", crowd->kind->name);
	report_number("live", NULL, crowd->count, "");
	report_ratio("unmap_ns", unmap.median);
	report_ratio("unmap_spread_percent", unmap.spread);
	report_ratio("map_ns", map.median);
	report_ratio("map_spread_percent", map.spread);
	report_ratio("unmap_ratio_to_few", unmap.median / few);
	report_close();
	report_text("%-9s %9u %12.0f %4.1f %12.0f %4.1f %14.3f\n",
		    crowd->kind->name, crowd->count, unmap.median, unmap.spread,
		    map.median, map.spread, unmap.median / few);
}

/* @crowds: few and many of ours, few and many bare areas */
static int measure(struct crowd *crowds, unsigned int rounds)
{
	static double unmaps[4][BENCH_ROUNDS_MAX], maps[4][BENCH_ROUNDS_MAX];
	struct bench_time unmap[4], map[4];
	unsigned int i, round;

	for (round = 0; round < rounds; round++)
		for (i = 0; i < 4; i++)
			if (take_turn(&crowds[i], &unmaps[i][round],
				      &maps[i][round]))
				return -1;
	for (i = 0; i < 4; i++) {
		unmap[i] = bench_sum_up(unmaps[i], rounds);
		map[i] = bench_sum_up(maps[i], rounds);
	}
	for (i = 1; i < 4; i += 2)
		report_crowd(&crowds[i], unmap[i], map[i], unmap[i - 1].median);
	return 0;
}

static int grow(struct crowd *crowd, __u32 count, double *bytes_each)
{
	__u32 more = count - crowd->count;
	long before = bench_kernel_bytes();

	if (crowd_grow(crowd, count))
		return -1;
	*bytes_each = (double)(bench_kernel_bytes() - before) / more;
	return 0;
}

static void report_memory(__u32 count, double ours_each, double bare_each)
{
	report_open_item();
	report_string("work", NULL, "memory");
	report_number("live", NULL, count, "");
	report_ratio("bytes_each", ours_each);
	report_ratio("bytes_each_floor", bare_each);
	report_close();
	report_text("%-9s %9u %.0f bytes each, of which iommufd has %.0f\n",
		    "memory", count, ours_each, bare_each);
}

int bench_live(const struct bench_rig *rig, const __u32 *counts,
	       unsigned int rounds)
{
	static struct pages pages;
	struct crowd crowds[4];
	double ours_each, bare_each;

	if (pages_open(&pages, rig) ||
	    crowd_open(&crowds[0], &pages, &ours, FEW) ||
	    crowd_open(&crowds[1], &pages, &ours, 1) ||
	    crowd_open(&crowds[2], &pages, &bare, FEW) ||
	    crowd_open(&crowds[3], &pages, &bare, 1))
		return -1;
	report_text("\n%-9s %9s %12s %4s %12s %4s %14s\n", "work", "live",
		    "unmap ns", "+-%", "map ns", "+-%", "unmap to 1000");
	report_open_list("live");
	for (; *counts; counts++) {
		if (grow(&crowds[1], *counts, &ours_each) ||
		    grow(&crowds[3], *counts, &bare_each) ||
		    measure(crowds, rounds))
			return -1;
		if (*counts >= MEMORY_MIN)
			report_memory(*counts, ours_each, bare_each);
	}
	report_close();
	return 0;
}
