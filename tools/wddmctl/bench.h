/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of "wddmctl bench" share.
 *
 * bench.c          the command: what is measured, in which order
 * bench_rig.c      devices, IOASes and adapters to measure on
 * bench_memory.c   memory whose pages lie as wanted, and the kernel's own
 * bench_works.c    the ways to map that are compared
 * bench_compare.c  ways of one case, in turns, and their table
 * bench_live.c     many live mappings: time and memory
 * bench_kernel.c   what takes a kernel module to measure
 * bench_threads.c  two threads
 *
 * Whatever fails has been reported, and ends the command.
 */
#ifndef WDDMCTL_BENCH_H
#define WDDMCTL_BENCH_H

#include <linux/types.h>
#include <linux/wddmcompat.h>
#include <stdbool.h>
#include <stddef.h>

/* --- bench_rig.c ---------------------------------------------------------- */

/* An IOAS, and the adapter that is made of it */
struct bench_place {
	__u32 ioas;
	__u64 adapter;
};

/*
 * @keeper has what is to stay pinned, and no device. @container is VFIO type 1's, or
 * -1 if there is none.
 */
struct bench_rig {
	int iommufd;
	int context;
	bool has_device;
	struct bench_place attached;
	struct bench_place alone;
	struct bench_place keeper;
	int container;
};

/* @device is "" for none */
int bench_rig_open(struct bench_rig *rig, const char *device);
int bench_place_make(const struct bench_rig *rig, struct bench_place *place);
int bench_place_attach(const struct bench_rig *rig, const char *device,
		       struct bench_place *place);

/* Have the module map a whole MDL */
int bench_map(const struct bench_rig *rig, const struct bench_place *place,
	      __u64 mdl, __u64 *iova, __u64 *memory);
int bench_unmap(const struct bench_rig *rig, const struct bench_place *place,
		__u64 memory);

/* --- bench_memory.c ------------------------------------------------------- */

/* In the order in which they are used: those that lie apart leave their traces */
enum bench_pages {
	/* Of 4 KiB, and most follow each other: a machine that has just booted */
	BENCH_ADJACENT,
	BENCH_THP,
	BENCH_HUGETLB,
	/* Of 4 KiB, no two of which follow each other: a fragmented machine */
	BENCH_APART,
};

const char *bench_pages_name(enum bench_pages pages);
bool bench_pages_are_huge(enum bench_pages pages);

struct bench_memory {
	unsigned char *start;
	__u64 length;
	__u64 stride;
	void *filler;
};

/*
 * @count pieces of @size bytes, each in an address range of its own; false where
 * the machine does not have such pages.
 */
bool bench_memory_get(struct bench_memory *memory, enum bench_pages pages,
		      __u64 size, __u32 count);
void bench_memory_put(struct bench_memory *memory);

/* Percent of the 4 KiB pages that are followed by the next; -1 if nobody tells */
int bench_memory_adjacent(const struct bench_memory *memory);

/* Bytes that the kernel has taken for itself */
long bench_kernel_bytes(void);

/* --- bench_works.c -------------------------------------------------------- */

/*
 * @batch MDLs, each of a chain of @chain pieces of @size bytes. In a mixed chain
 * they are of @size, a half of it, and so on to a sixteenth, and then again. Pieces that
 * are @neighbours follow each other in the address space; others have a hole between them.
 */
struct bench_case {
	enum bench_pages pages;
	__u64 size;
	__u32 chain;
	__u32 batch;
	bool mixed;
	bool neighbours;
	bool attached;
};

/* Pieces of a case, at most */
#define BENCH_PIECES_MAX 1024

/* What the works of a case have before they begin, and where they note what they do */
struct bench_set {
	const struct bench_rig *rig;
	const struct bench_place *place;
	struct bench_case c;
	struct bench_memory memory;
	struct wddmcompat_mdl_desc descs[BENCH_PIECES_MAX];
	__u64 mdls[BENCH_PIECES_MAX];
	__u64 kept_iovas[BENCH_PIECES_MAX];
	__u64 kept[BENCH_PIECES_MAX];
	__u64 once[BENCH_PIECES_MAX];
	__u64 handles[BENCH_PIECES_MAX];
	__u64 iovas[BENCH_PIECES_MAX];
	struct wddmcompat_map maps[BENCH_PIECES_MAX];
	struct wddmcompat_unmap unmaps[BENCH_PIECES_MAX];
};

/* One way to map the pieces of a set, and to unmap them again */
struct bench_work {
	const char *name;
	/* NULL: in every case */
	bool (*fits)(const struct bench_set *set);
	int (*map)(struct bench_set *set);
	int (*unmap)(struct bench_set *set);
};

#define BENCH_WORKS 6
/* The first is what all are compared with */
extern const struct bench_work bench_works[BENCH_WORKS];

/* 1 if the machine does not have the memory */
int bench_set_open(struct bench_set *set, const struct bench_rig *rig,
		   const struct bench_case *c);
int bench_set_close(struct bench_set *set);

/* --- bench_compare.c ------------------------------------------------------ */

/* Rounds, at most */
#define BENCH_ROUNDS_MAX 64

struct bench_time {
	double median;
	/* Half of the times are within so many percent of the median, in all */
	double spread;
};

__u64 bench_now(void);
struct bench_time bench_sum_up(double *times, unsigned int count);

/* Measure the works of a case in turns, @rounds times, and report them */
void bench_compare_head(void);
int bench_compare(const struct bench_rig *rig, const struct bench_case *c,
		  unsigned int rounds);

/* --- bench_live.c, bench_kernel.c, bench_threads.c ------------------------ */

/* @counts ends with a 0 */
int bench_live(const struct bench_rig *rig, const __u32 *counts,
	       unsigned int rounds);
int bench_kernel(const struct bench_rig *rig, unsigned int rounds);
int bench_locked(const struct bench_rig *rig);

/* @second is a device for the second thread, or "" */
int bench_threads(const struct bench_rig *rig, const char *second,
		  unsigned int rounds);

#endif
