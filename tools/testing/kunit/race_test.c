// SPDX-License-Identifier: GPL-2.0-only
/*
 * The API for kernel modules, by several threads at the same time; and that the
 * windows by which pages of the kernel are locked meanwhile are open in the carrier
 * and nowhere else.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/string.h>

#include "compat.h"
#include "wddmcompat_private.h"

#define RACE_TIME (2 * HZ)

static struct wddmcompat_context *ctx;

/* What all threads use */
static struct wddmcompat_adapter *adapter;
static struct wddmcompat_mdl *mdl;

static int race_init(struct kunit *test)
{
	ctx = wddmcompat_context_create(NULL);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	adapter = wddmcompat_adapter_create(ctx, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(adapter));
	mdl = wddmcompat_mdl_alloc(ctx, 3 * PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mdl));
	return 0;
}

static void race_exit(struct kunit *test)
{
	/* Also called when race_init() has failed */
	if (!IS_ERR(ctx))
		wddmcompat_context_destroy(ctx);
}

/**
 * struct racer - A thread
 * @task: The thread
 * @round: What it does over and over: 0, or what went wrong
 * @rounds: How often it has
 * @wrong: What went wrong
 */
struct racer {
	struct task_struct *task;
	int (*round)(void);
	unsigned long rounds;
	int wrong;
};

static int race_thread(void *data)
{
	struct racer *racer = data;

	while (!kthread_should_stop()) {
		int rc = racer->round();

		if (rc)
			racer->wrong = rc;
		racer->rounds++;
		cond_resched();
	}
	return 0;
}

/* An MDL of its own, on everybody's adapter */
static int round_own_mdl(void)
{
	struct wddmcompat_map_args args = { .flags = WDDMCOMPAT_MAP_WRITEABLE };
	struct wddmcompat_mdl *own = wddmcompat_mdl_alloc(ctx, 2 * PAGE_SIZE);
	int rc;

	if (IS_ERR(own))
		return PTR_ERR(own);
	rc = wddmcompat_map_mdl_to_iommu(adapter, own, &args);
	if (!rc) {
		if (wddmcompat_mdl_free(own) != -EBUSY)
			return -EDOM;
		wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	}
	return wddmcompat_mdl_free(own) ?: rc;
}

/* Everybody's MDL, on everybody's adapter */
static int round_shared_mdl(void)
{
	struct wddmcompat_map_args args = {};
	int rc;

	rc = wddmcompat_map_mdl_to_iommu(adapter, mdl, &args);
	if (rc)
		return rc;
	if (wddmcompat_mdl_logical_address(adapter, args.memory, 0) !=
	    args.iova)
		return -EDOM;
	wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
	if (wddmcompat_mdl_logical_address(adapter, args.memory, 0) !=
	    WDDMCOMPAT_LOGICAL_NONE)
		return -EDOM;
	return 0;
}

/* Everybody's MDL, on an adapter of its own */
static int round_own_adapter(void)
{
	struct wddmcompat_adapter *own = wddmcompat_adapter_create(ctx, 0);
	struct wddmcompat_map_args args = {};
	int rc;

	if (IS_ERR(own))
		return PTR_ERR(own);
	rc = wddmcompat_map_mdl_to_iommu(own, mdl, &args);
	if (!rc) {
		if (wddmcompat_adapter_destroy(own) != -EBUSY)
			return -EDOM;
		wddmcompat_unmap_mdl_from_iommu(own, args.memory);
	}
	return wddmcompat_adapter_destroy(own) ?: rc;
}

/* A context of its own, which goes with all that is in it */
static int round_own_context(void)
{
	struct wddmcompat_context *own = wddmcompat_context_create(NULL);
	struct wddmcompat_map_args args = {};
	struct wddmcompat_adapter *own_adapter;
	struct wddmcompat_mdl *own_mdl;
	int rc = -EDOM;

	if (IS_ERR(own))
		return PTR_ERR(own);
	own_adapter = wddmcompat_adapter_create(own, 0);
	own_mdl = wddmcompat_mdl_alloc(own, PAGE_SIZE);
	if (!IS_ERR(own_adapter) && !IS_ERR(own_mdl))
		rc = wddmcompat_map_mdl_to_iommu(own_adapter, own_mdl, &args);
	wddmcompat_context_destroy(own);
	return rc;
}

/* Another on everybody's iommufd and IOAS */
static int round_shared_iommufd(void)
{
	struct wddmcompat_context *own;
	struct wddmcompat_adapter *own_adapter;
	int rc = 0;

	own = wddmcompat_context_create(ctx->iommufd.file);
	if (IS_ERR(own))
		return PTR_ERR(own);
	own_adapter = wddmcompat_adapter_create(own, adapter->ioas.id);
	if (IS_ERR(own_adapter))
		rc = PTR_ERR(own_adapter);
	wddmcompat_context_destroy(own);
	return rc;
}

static int (*const rounds[])(void) = {
	round_own_mdl,	   round_own_mdl,     round_shared_mdl,
	round_shared_mdl,  round_own_adapter, round_own_adapter,
	round_own_context, round_shared_iommufd,
};

static struct racer racers[ARRAY_SIZE(rounds)];

static void racers_start(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(racers); i++) {
		racers[i] = (struct racer){ .round = rounds[i] };
		racers[i].task = kthread_run(race_thread, &racers[i],
					     "wddm-race/%u", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(racers[i].task));
	}
}

static void racers_stop(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(racers); i++) {
		kthread_stop(racers[i].task);
		kunit_info(test, "%ps: %lu rounds", racers[i].round,
			   racers[i].rounds);
		KUNIT_EXPECT_EQ_MSG(test, racers[i].wrong, 0, "%ps",
				    racers[i].round);
		KUNIT_EXPECT_GT_MSG(test, racers[i].rounds, 0UL, "%ps",
				    racers[i].round);
	}
}

/* Windows in an address space */
static unsigned int count_windows(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	unsigned int count = 0;

	VMA_ITERATOR(vmi, mm, 0);

	mmap_read_lock(mm);
	for_each_vma(vmi, vma) {
		if (vma->vm_file &&
		    !strcmp(vma->vm_file->f_path.dentry->d_name.name,
			    "[wddmcompat-window]"))
			count++;
	}
	mmap_read_unlock(mm);
	return count;
}

static int count_own_windows(void *data)
{
	unsigned int *count = data;

	*count = count_windows(current->mm);
	return 0;
}

/* In the address spaces of all processes */
static unsigned int count_visible_windows(unsigned int *processes)
{
	struct task_struct *task;
	struct mm_struct *mm;
	unsigned int count = 0;
	pid_t nr;

	for (nr = 1; nr < 1000; nr++) {
		rcu_read_lock();
		task = pid_task(find_vpid(nr), PIDTYPE_PID);
		if (task)
			get_task_struct(task);
		rcu_read_unlock();
		if (!task)
			continue;
		/* NULL for kernel threads, whosoever address space they use */
		mm = get_task_mm(task);
		put_task_struct(task);
		if (!mm)
			continue;
		++*processes;
		count += count_windows(mm);
		mmput(mm);
	}
	return count;
}

static void test_threads(struct kunit *test)
{
	unsigned int visible = 0, processes = 0, in_carrier = 0, count = 0;
	unsigned long end = jiffies + RACE_TIME;

	racers_start(test);
	while (time_before(jiffies, end) || !in_carrier) {
		wddm_carrier_call(&ctx->iommufd, count_own_windows, &count);
		in_carrier += count;
		visible += count_visible_windows(&processes);
		cond_resched();
	}
	racers_stop(test);
	kunit_info(test, "%u windows in the carrier, %u in %u processes",
		   in_carrier, visible, processes);
	KUNIT_EXPECT_EQ(test, visible, 0);
	KUNIT_EXPECT_GT(test, processes, 0);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
	KUNIT_EXPECT_EQ(test, wddmcompat_adapter_destroy(adapter), 0);
}

/* Whoever comes first unmaps a handle, and to the other it is as if it had */
static struct {
	u64 memory;
	atomic_t turn;
} handle;

static int unmap_thread(void *data)
{
	int turn = 0;

	while (!kthread_should_stop()) {
		if (atomic_read_acquire(&handle.turn) <= turn) {
			cond_resched();
			continue;
		}
		turn = atomic_read(&handle.turn);
		wddmcompat_unmap_mdl_from_iommu(adapter, handle.memory);
		if (wddmcompat_mdl_logical_address(adapter, handle.memory, 0) !=
		    WDDMCOMPAT_LOGICAL_NONE)
			return -EDOM;
		atomic_inc(&handle.turn);
		turn++;
	}
	return 0;
}

static void test_two_unmaps(struct kunit *test)
{
	unsigned long end = jiffies + RACE_TIME;
	struct task_struct *task;
	unsigned long count = 0;

	atomic_set(&handle.turn, 0);
	task = kthread_run(unmap_thread, NULL, "wddm-unmap");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	while (time_before(jiffies, end)) {
		struct wddmcompat_map_args args = {};
		int turn;

		if (wddmcompat_map_mdl_to_iommu(adapter, mdl, &args))
			break;
		handle.memory = args.memory;
		turn = atomic_inc_return(&handle.turn);
		wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
		while (atomic_read_acquire(&handle.turn) == turn)
			cond_resched();
		if (wddmcompat_mdl_logical_address(adapter, args.memory, 0) !=
		    WDDMCOMPAT_LOGICAL_NONE)
			break;
		count++;
	}
	KUNIT_EXPECT_EQ(test, kthread_stop(task), 0);
	KUNIT_EXPECT_FALSE(test, time_before(jiffies, end));
	kunit_info(test, "%lu rounds", count);
	KUNIT_EXPECT_GT(test, count, 0UL);
	KUNIT_EXPECT_EQ(test, wddmcompat_mdl_free(mdl), 0);
	KUNIT_EXPECT_EQ(test, wddmcompat_adapter_destroy(adapter), 0);
}

static struct kunit_case race_cases[] = {
	KUNIT_CASE_SLOW(test_threads),
	KUNIT_CASE_SLOW(test_two_unmaps),
	{}
};

static struct kunit_suite race_suite = {
	.name = "wddmcompat-race",
	.init = race_init,
	.exit = race_exit,
	.test_cases = race_cases,
};

kunit_test_suite(race_suite);
