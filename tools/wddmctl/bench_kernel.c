// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only a kernel module can do, with the help of one, wddmcompat_bench: map
 * pages of its own, and pin as ours pins without keeping which pages these are. On
 * a machine that does not have it, that is not measured.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "iommufd.h"
#include "memory.h"
#include "module.h"
#include "report.h"
#include "wddmctl.h"

#define PARAMETERS "/sys/module/wddmcompat_bench/parameters/"

/* Pairs of map and unmap in a turn */
#define PAIRS 16

/* MDLs that are locked to see what one takes */
#define LOCKED 16
#define LOCKED_SIZE (64ULL << 20)

static bool has_helper(void)
{
	return !access(PARAMETERS "begin", F_OK);
}

static int parameter_set(const char *name, const char *value)
{
	char path[128];
	bool done;
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	done = fd >= 0 && write(fd, value, strlen(value)) > 0;
	if (!done)
		report_error("cannot write \"%s\" to %s: %m", value, path);
	if (fd >= 0)
		close(fd);
	return done ? 0 : -1;
}

static int parameter_get(const char *name, char *value, size_t size)
{
	char path[128];
	ssize_t length = -1;
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		length = read(fd, value, size - 1);
	if (length < 0)
		report_error("cannot read %s: %m", path);
	if (fd >= 0)
		close(fd);
	value[length < 0 ? 0 : length] = '\0';
	return length < 0 ? -1 : 0;
}

/* --- Pages of the kernel -------------------------------------------------- */

/* Where the helper's pages are: copied from @keeper at @kept_iova */
struct caller {
	int iommufd;
	__u32 ioas;
	__u32 keeper;
	__u64 kept_iova;
	__u64 length;
	__u32 runs;
};

static int caller_open(struct caller *caller, const struct bench_rig *rig)
{
	char text[64];

	caller->iommufd = rig->iommufd;
	if (iommufd_ioas(rig->iommufd, &caller->ioas) ||
	    iommufd_ioas(rig->iommufd, &caller->keeper))
		return -1;
	snprintf(text, sizeof(text), "%d %u %u", rig->iommufd, caller->ioas,
		 caller->keeper);
	if (parameter_set("begin", text) ||
	    parameter_get("begin", text, sizeof(text)))
		return -1;
	if (sscanf(text, "%llu %llu %u", &caller->kept_iova, &caller->length,
		   &caller->runs) == 3)
		return 0;
	report_error("the helper says \"%s\"", text);
	return -1;
}

/* The helper maps and unmaps, and takes the time */
static int helper_turn(const char *name, double *ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%u", PAIRS);
	if (parameter_set(name, text) ||
	    parameter_get(name, text, sizeof(text)))
		return -1;
	*ns = strtod(text, NULL);
	return 0;
}

static int locked_turn(const struct caller *caller, double *ns)
{
	(void)caller;
	return helper_turn("map", ns);
}

static int dma_turn(const struct caller *caller, double *ns)
{
	(void)caller;
	return helper_turn("dma", ns);
}

/* The program copies what the helper has pinned. The turn before attached the device */
static int floor_turn(const struct caller *caller, double *ns)
{
	__u64 start = bench_now(), iova;
	unsigned int i;

	for (i = 0; i < PAIRS; i++) {
		iova = 0;
		if (iommufd_copy(caller->iommufd, caller->ioas, caller->keeper,
				 caller->kept_iova, caller->length, &iova) ||
		    iommufd_unmap(caller->iommufd, caller->ioas, iova,
				  caller->length))
			return -1;
	}
	*ns = (double)(bench_now() - start) / PAIRS;
	return 0;
}

static const struct {
	const char *name;
	int (*take_turn)(const struct caller *caller, double *ns);
} works[] = {
	{ "locked", locked_turn },
	{ "floor", floor_turn },
	{ "dma-api", dma_turn },
};

static int compare(const struct caller *caller, unsigned int rounds)
{
	static double turns[ARRAY_SIZE(works)][BENCH_ROUNDS_MAX];
	struct bench_time time;
	unsigned int round, i;
	double ns;

	for (i = 0; i < ARRAY_SIZE(works); i++)
		if (works[i].take_turn(caller, &ns))
			return -1;
	for (round = 0; round < rounds; round++)
		for (i = 0; i < ARRAY_SIZE(works); i++)
			if (works[i].take_turn(caller, &turns[i][round]))
				return -1;
	for (i = 0; i < ARRAY_SIZE(works); i++) {
		time = bench_sum_up(turns[i], rounds);
		report_open_item();
		report_string("work", NULL, "%s", works[i].name);
		report_number("size", NULL, caller->length, "");
		report_number("runs", NULL, caller->runs, "");
		report_ratio("ns", time.median);
		report_ratio("spread_percent", time.spread);
		report_close();
		report_text("%-9s %9llu %6u %12.0f %4.1f\n", works[i].name,
			    caller->length, caller->runs, time.median,
			    time.spread);
	}
	return 0;
}

int bench_kernel(const struct bench_rig *rig, unsigned int rounds)
{
	struct caller caller;
	int failed;

	if (!has_helper())
		return 0;
	report_open_list("kernel_caller");
	report_text("\n%-9s %9s %6s %12s %4s\n", "kernel", "bytes", "runs",
		    "ns", "+-%");
	failed = caller_open(&caller, rig) || compare(&caller, rounds) ||
		 parameter_set("begin", "-1");
	report_close();
	return failed ? -1 : 0;
}

/* --- Memory of the kernel that locked memory takes ------------------------ */

static int lock_all(const struct bench_rig *rig, __u64 start, double *each)
{
	const struct wddmcompat_mdl_desc desc = {
		.start_va = start,
		.byte_count = LOCKED_SIZE,
		.flags = WDDMCOMPAT_MDL_WRITE_OPERATION,
	};
	long before = bench_kernel_bytes();
	__u64 mdls[LOCKED];
	unsigned int i;

	for (i = 0; i < LOCKED; i++)
		if (module_lock(rig->context, &desc, 1, &mdls[i]))
			return -1;
	*each = (double)(bench_kernel_bytes() - before) / LOCKED;
	for (i = 0; i < LOCKED; i++)
		if (module_unlock(rig->context, mdls[i]))
			return -1;
	return 0;
}

/* What iommufd takes for the same: an area, whose pages an access has pinned */
static int pin_all(const struct bench_rig *rig, __u64 start, double *each)
{
	long before = bench_kernel_bytes();
	__u64 iovas[LOCKED];
	unsigned int i;
	char text[96];
	__u32 ioas;

	if (iommufd_ioas(rig->iommufd, &ioas))
		return -1;
	for (i = 0; i < LOCKED; i++) {
		if (iommufd_map(rig->iommufd, ioas, start, LOCKED_SIZE,
				&iovas[i]))
			return -1;
		snprintf(text, sizeof(text), "%d %u %llu %llu", rig->iommufd,
			 ioas, iovas[i], LOCKED_SIZE);
		if (parameter_set("pin", text))
			return -1;
	}
	*each = (double)(bench_kernel_bytes() - before) / LOCKED;
	if (parameter_set("pin", "-1"))
		return -1;
	for (i = 0; i < LOCKED; i++)
		if (iommufd_unmap(rig->iommufd, ioas, iovas[i], LOCKED_SIZE))
			return -1;
	return 0;
}

static int measure_locked(const struct bench_rig *rig, enum bench_pages pages,
			  struct bench_memory *memory)
{
	__u64 start = (uintptr_t)memory->start;
	double ours, bare;

	/* Once before, so that the kernel's caches have what they keep anyway */
	if (lock_all(rig, start, &ours) || lock_all(rig, start, &ours) ||
	    (has_helper() &&
	     (pin_all(rig, start, &bare) || pin_all(rig, start, &bare))))
		return -1;
	report_open_item();
	report_string("pages", NULL, "%s", bench_pages_name(pages));
	report_number("size", NULL, LOCKED_SIZE, "");
	report_ratio("bytes_each", ours);
	if (has_helper())
		report_ratio("bytes_each_iommufd", bare);
	report_close();
	report_text("%-9s %9llu %12.0f", bench_pages_name(pages), LOCKED_SIZE,
		    ours);
	if (has_helper())
		report_text(" %16.0f", bare);
	report_text("\n");
	return 0;
}

int bench_locked(const struct bench_rig *rig)
{
	struct bench_memory memory;
	enum bench_pages pages;
	int failed = 0;

	report_text("\n%-9s %9s %12s %16s\n", "locked", "bytes", "kernel bytes",
		    "of which iommufd");
	report_open_list("locked");
	for (pages = BENCH_ADJACENT; !failed && pages <= BENCH_APART; pages++) {
		if (!bench_memory_get(&memory, pages, LOCKED_SIZE, 1))
			continue;
		failed = measure_locked(rig, pages, &memory);
		bench_memory_put(&memory);
	}
	report_close();
	return failed;
}
