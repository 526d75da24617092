// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel does for a program in threads of its own, with each point on its way
 * failing: in the carrier (see command.c), which binds a context and ends it, and in
 * the work that looks after mappings (see range.c). Faults are for the whole system
 * here: nothing else may use the module at the same time.
 */
#include <stdio.h>

#include "failing.h"
#include "kselftest_harness.h"
#include "sweep.h"
#include "tally.h"

static void slab_fails(unsigned int nth)
{
	function_fails("mm_work_fn", FAIL_SLAB, nth);
}

static bool slab_failed(void)
{
	return function_failed(FAIL_SLAB);
}

static void pages_fail(unsigned int nth)
{
	function_fails("mm_work_fn", FAIL_PAGES, nth);
}

static bool pages_failed(void)
{
	return function_failed(FAIL_PAGES);
}

static void copy_fails(unsigned int nth)
{
	function_fails("mm_work_fn", FAIL_COPY, nth);
}

static bool copy_failed(void)
{
	return function_failed(FAIL_COPY);
}

FIXTURE(fail_carrier)
{
	struct env env;
	struct scene scene;
};

FIXTURE_VARIANT(fail_carrier)
{
	struct entry entry;
};

FIXTURE_VARIANT_ADD(fail_carrier, bind)
{
	.entry.name = "bind",
	.entry.prepare = prepare_bind,
	.entry.call = bind_second,
	.entry.undo = undo_bind,
	.entry.finish = close_second,
};

FIXTURE_VARIANT_ADD(fail_carrier, close_empty)
{
	.entry.name = "close_empty",
	.entry.prepare = bind_new,
	.entry.call = do_close,
	.entry.settle = settle_close,
	.entry.undo = bind_new,
	.entry.finish = close_second,
};

FIXTURE_VARIANT_ADD(fail_carrier, close_with_objects)
{
	.entry.name = "close_with_objects",
	.entry.prepare = fill_second,
	.entry.call = do_close,
	.entry.settle = settle_close,
	.entry.undo = fill_second,
	.entry.finish = close_second,
};

FIXTURE_SETUP(fail_carrier)
{
	ASSERT_EQ(0, env_open(&self->env));
	scene_init(&self->scene, &self->env);
}

FIXTURE_TEARDOWN(fail_carrier)
{
	EXPECT_TRUE(env_close(&self->env));
}

TEST_F_TIMEOUT(fail_carrier, slab, SWEEP_TIMEOUT)
{
	static const struct injector injector = {
		"slab", slab_fails, slab_failed,
	};

	sweep(&self->scene, &variant->entry, &injector);
}

TEST_F_TIMEOUT(fail_carrier, pages, SWEEP_TIMEOUT)
{
	static const struct injector injector = {
		"pages", pages_fail, pages_failed,
	};

	sweep(&self->scene, &variant->entry, &injector);
}

TEST_F_TIMEOUT(fail_carrier, copy, SWEEP_TIMEOUT)
{
	static const struct injector injector = {
		"copy", copy_fails, copy_failed,
	};

	sweep(&self->scene, &variant->entry, &injector);
}

/*
 * When others unmap a lot, mappings are let go of and looked after by a work, see
 * range.c. It must not give up one that it had no memory to look at.
 */
#define LOOSE 3
#define OTHERS 8
#define WATCH_MS 1000

FIXTURE(fail_watch)
{
	struct env env;
	struct scene scene;
};

FIXTURE_SETUP(fail_watch)
{
	ASSERT_EQ(0, env_open(&self->env));
	scene_init(&self->scene, &self->env);
}

FIXTURE_TEARDOWN(fail_watch)
{
	EXPECT_TRUE(env_close(&self->env));
}

static __u64 watch_iova(int i)
{
	return FIXED_IOVA + 16 * i * PAGE_SIZE;
}

static int watch_raw_unmap(const struct scene *s, int i)
{
	return ioas_unmap_range(s->env->iommufd, s->env->ioas, watch_iova(i),
				CHAIN_BYTES);
}

static bool is_revoked_soon(const struct scene *s, __u64 memory)
{
	const long deadline = now_ms() + 10 * WATCH_MS;

	while (state_of(s, memory) != REVOKED) {
		if (now_ms() > deadline)
			return false;
		usleep(10000);
	}
	return true;
}

/* Mappings of which all but LOOSE are unmapped by others, while memory is short */
static bool watch(struct scene *s, unsigned int nth)
{
	__u64 memory[LOOSE + OTHERS];
	bool failed;
	int i;

	lock_chain(s);
	for (i = 0; i < LOOSE + OTHERS; i++) {
		__u64 iova = watch_iova(i);

		SURE(!wddm_map_all(s->env->ctx, s->env->adapter, s->mdl,
				   MAP_WRITE | MAP_AT, &iova, &memory[i]));
	}
	if (nth)
		function_fails("ioas_watch_work", FAIL_SLAB, nth);
	else
		function_fails_always("ioas_watch_work", FAIL_SLAB);
	for (i = LOOSE; i < LOOSE + OTHERS; i++)
		SURE(!watch_raw_unmap(s, i));
	usleep(WATCH_MS * 1000);
	failed = function_failed(FAIL_SLAB);

	/* None is given up */
	for (i = 0; i < LOOSE; i++) {
		SURE(state_of(s, memory[i]) == LIVE);
		SURE(!watch_raw_unmap(s, i));
	}
	for (i = 0; i < LOOSE + OTHERS; i++) {
		SURE(is_revoked_soon(s, memory[i]));
		SURE(wddm_unmap(s->env->ctx, s->env->adapter, memory[i]) ==
		     REVOKED);
	}
	undo_lock(s);
	return failed;
}

TEST_F_TIMEOUT(fail_watch, each_allocation, SWEEP_TIMEOUT)
{
	unsigned int nth = 0, free = 0, points = 0;

	while (free < 2) {
		free = watch(&self->scene, ++nth) ? 0 : free + 1;
		points += !free;
		tally_add(TALLY_FAULTS, !free);
	}
	printf("# points watch, slab: %u\n", points);
	EXPECT_GT(points, 0);
}

TEST_F_TIMEOUT(fail_watch, all_allocations, SWEEP_TIMEOUT)
{
	watch(&self->scene, 0);
}

int main(int argc, char **argv)
{
	tally_open("fail_carrier");
	failing_setup();
	return test_harness_run(argc, argv);
}
