// SPDX-License-Identifier: GPL-2.0-only
#include <sys/utsname.h>

#include "bench.h"
#include "report.h"
#include "type1.h"
#include "wddmctl.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* From here on fewer rounds do: a turn is long, and nothing short disturbs it */
#define LARGE (16 * MIB)

struct request {
	char devices[2][16];
	unsigned int num_devices;
	bool quick;
	bool threads;
};

/* What is measured; lists end with a 0 */
struct plan {
	unsigned int rounds;
	unsigned int rounds_large;
	__u64 sizes[16];
	__u32 chains[8];
	__u32 batches[8];
	__u32 live[8];
};

static const struct plan plan_full = {
	.rounds = 21,
	.rounds_large = 5,
	.sizes = { 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 2 * MIB,
		   16 * MIB, 64 * MIB, 256 * MIB, GIB },
	.chains = { 2, 4, 16, 64, 256, 1024 },
	.batches = { 2, 4, 16, 64, 256 },
	.live = { 1, 1000, 100000, 1000000 },
};

static const struct plan plan_quick = {
	.rounds = 9,
	.rounds_large = 3,
	.sizes = { 4 * KIB, 64 * KIB, 2 * MIB, 64 * MIB },
	.chains = { 16, 256 },
	.batches = { 64 },
	.live = { 1000, 20000 },
};

static void parse(struct request *request, int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "quick", no_argument, NULL, 'q' },
		{ "threads", no_argument, NULL, 't' },
	};
	int option;

	*request = (struct request){ 0 };
	while ((option = next_option(argc, argv, options,
				     ARRAY_SIZE(options))) != -1) {
		switch (option) {
		case 'd':
			if (request->num_devices ==
			    ARRAY_SIZE(request->devices))
				usage_error("two devices are enough");
			device_option(request->devices[request->num_devices],
				      sizeof(request->devices[0]));
			request->num_devices++;
			break;
		case 'q':
			request->quick = true;
			break;
		case 't':
			request->threads = true;
			break;
		}
	}
}

static unsigned int rounds(const struct plan *plan, const struct bench_case *c)
{
	return c->size * c->chain * c->batch < LARGE ? plan->rounds :
						       plan->rounds_large;
}

static int compare(const struct bench_rig *rig, const struct plan *plan,
		   struct bench_case c)
{
	return bench_compare(rig, &c, rounds(plan, &c));
}

/* One piece of each size */
static int compare_sizes(const struct bench_rig *rig, const struct plan *plan,
			 struct bench_case c)
{
	unsigned int i;

	for (i = 0; plan->sizes[i]; i++) {
		c.size = plan->sizes[i];
		if (bench_pages_are_huge(c.pages) && c.size < 2 * MIB)
			continue;
		if (compare(rig, plan, c))
			return -1;
	}
	return 0;
}

static int compare_pages(const struct bench_rig *rig, const struct plan *plan)
{
	struct bench_case c = { .chain = 1, .batch = 1 };

	for (c.pages = BENCH_ADJACENT; c.pages <= BENCH_APART; c.pages++) {
		c.attached = true;
		if (rig->has_device && compare_sizes(rig, plan, c))
			return -1;
		c.attached = false;
		if (compare_sizes(rig, plan, c))
			return -1;
	}
	return 0;
}

/* One MDL of more and more pieces */
static int compare_chains(const struct bench_rig *rig, const struct plan *plan,
			  struct bench_case c)
{
	unsigned int i;

	for (i = 0; plan->chains[i]; i++) {
		c.chain = plan->chains[i];
		if (compare(rig, plan, c))
			return -1;
	}
	return 0;
}

static int compare_batches(const struct bench_rig *rig, const struct plan *plan,
			   struct bench_case c)
{
	unsigned int i;

	for (i = 0; plan->batches[i]; i++) {
		c.batch = plan->batches[i];
		if (compare(rig, plan, c))
			return -1;
	}
	return 0;
}

/* Many pages, as one MDL or as many */
static int compare_many(const struct bench_rig *rig, const struct plan *plan,
			bool attached)
{
	const struct bench_case small = {
		.pages = BENCH_APART,
		.size = 4 * KIB,
		.chain = 1,
		.batch = 1,
		.attached = attached,
	};
	struct bench_case mixed = small, neighbours = small;

	neighbours.neighbours = true;
	mixed.size = 64 * KIB;
	mixed.mixed = true;
	return compare_chains(rig, plan, small) ||
	       compare_chains(rig, plan, neighbours) ||
	       compare_chains(rig, plan, mixed) ||
	       compare_batches(rig, plan, small);
}

static int compare_all(const struct bench_rig *rig, const struct plan *plan)
{
	int failed;

	report_open_list("cases");
	bench_compare_head();
	failed = compare_pages(rig, plan) ||
		 (rig->has_device && compare_many(rig, plan, true)) ||
		 compare_many(rig, plan, false);
	report_close();
	return failed;
}

static int measure(const struct request *request, const struct plan *plan)
{
	struct bench_rig rig;

	if (bench_rig_open(&rig, request->devices[0]))
		return -1;
	if (request->threads)
		return bench_threads(&rig, request->devices[1],
				     plan->rounds_large);
	if (request->devices[1][0])
		rig.container = type1_take(request->devices[1]);
	/* First, as the kernel's pages are to lie as they do on a fresh machine */
	return bench_kernel(&rig, plan->rounds) || compare_all(&rig, plan) ||
	       bench_locked(&rig) || bench_live(&rig, plan->live, plan->rounds);
}

int bench_main(int argc, char **argv)
{
	struct request request;
	struct utsname kernel;
	int failed;

	parse(&request, argc, argv);
	uname(&kernel);
	report_string("kernel", "kernel", "%s", kernel.release);
	if (request.num_devices)
		report_string("device", "device", "%s", request.devices[0]);
	failed = measure(&request, request.quick ? &plan_quick : &plan_full);
	report_finish();
	return failed ? EXIT_FAILED : EXIT_OK;
}
