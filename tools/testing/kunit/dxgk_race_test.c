// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads of a miniport that call back while its adapter starts and stops: each
 * callback either works or says that there is no such adapter, and what it has given
 * goes with the adapter if the thread does not give it back first.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/string.h>

#include "dxgk_fixture.h"

#define P PAGE_SIZE
#define CACHED DXGK_MEMORY_CACHING_TYPE_CACHED

/* How long they race */
#define RACE_TIME (2 * HZ)
#define LEAST_STARTS 3

/* More than any of them takes */
#define MEET_TIME (120 * HZ)

/* Each callback by two threads, so that they meet each other, too */
#define THREADS_PER_ENTRY 2

struct racer;

/**
 * struct race_entry - Callbacks that give something, and those that take it back
 * @name: For the reader
 * @call: Get it
 * @undo: Give it back, if the adapter has not gone with it
 * @other: What @call may say, besides STATUS_INVALID_HANDLE
 */
struct race_entry {
	const char *name;
	NTSTATUS (*call)(struct racer *racer);
	void (*undo)(struct racer *racer);
	NTSTATUS other;
};

/**
 * struct racer - A thread of the miniport's
 * @task: The thread
 * @entry: What it calls
 * @lead: hAdapter
 * @mdl: Memory of its own
 * @memory: What it got
 * @object: What it got
 * @adl: What it got
 * @pointer: What it got
 * @done: How often it got it; read by others
 * @refused: How often there was no adapter; read by others
 * @wrong: What it should not have been told
 */
struct racer {
	struct task_struct *task;
	const struct race_entry *entry;
	HANDLE lead;
	PMDL mdl;
	HANDLE memory;
	DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT object;
	PDXGK_ADL adl;
	void *pointer;
	unsigned long done;
	unsigned long refused;
	NTSTATUS wrong;
};

/* The callbacks, which are the same at each start, and who to call them for */
static DXGKRNL_INTERFACE calls;
static HANDLE lead;

static NTSTATUS map_mdl(struct racer *racer)
{
	DXGKARGCB_MAPMDLTOIOMMU args = { .pMdl = racer->mdl };
	NTSTATUS status = calls.DxgkCbMapMdlToIoMmu(racer->lead, &args);

	racer->memory = args.hMemoryHandle;
	return status;
}

static void unmap_mdl(struct racer *racer)
{
	const DXGKARGCB_UNMAPMDLFROMIOMMU args = { racer->memory };

	calls.DxgkCbUnmapMdlFromIoMmu(racer->lead, &args);
}

static NTSTATUS contiguous(struct racer *racer)
{
	DXGKARGCB_ALLOCATECONTIGUOUSMEMORY args = {
		.NumberOfBytes = 2 * P,
		.HighestAcceptableAddress = FAKE_ANYWHERE,
		.CacheType = CACHED,
	};
	NTSTATUS status;

	status = calls.DxgkCbAllocateContiguousMemory(racer->lead, &args);
	racer->memory = args.hMemoryHandle;
	return status;
}

static void free_contiguous(struct racer *racer)
{
	const DXGKARGCB_FREECONTIGUOUSMEMORY args = { racer->memory };

	calls.DxgkCbFreeContiguousMemory(racer->lead, &args);
}

static NTSTATUS pages_for_mdl(struct racer *racer)
{
	DXGKARGCB_ALLOCATEPAGESFORMDL args = {
		.HighAddress = FAKE_ANYWHERE,
		.TotalBytes = 3 * P,
		.CacheType = CACHED,
	};
	NTSTATUS status;

	status = calls.DxgkCbAllocatePagesForMdl(racer->lead, &args);
	racer->memory = args.hMemoryHandle;
	return status;
}

static void free_pages_from_mdl(struct racer *racer)
{
	const DXGKARGCB_FREEPAGESFROMMDL args = { racer->memory };

	calls.DxgkCbFreePagesFromMdl(racer->lead, &args);
}

static NTSTATUS pin(struct racer *racer)
{
	DXGKARGCB_PINFRAMEBUFFERFORSAVE args = { .CommitSize = 3 * P };

	return calls.DxgkCbPinFrameBufferForSave(racer->lead, &args);
}

static void unpin(struct racer *racer)
{
	const DXGKARGCB_UNPINFRAMEBUFFERFORSAVE args = {};

	calls.DxgkCbUnpinFrameBufferForSave(racer->lead, &args);
}

static NTSTATUS map_pointer(struct racer *racer)
{
	DXGKARGCB_MAPFRAMEBUFFERPOINTER args = { .Size = 2 * P };
	NTSTATUS status;

	status = calls.DxgkCbMapFrameBufferPointer(racer->lead, &args);
	racer->pointer = args.pBaseAddress;
	return status;
}

static void unmap_pointer(struct racer *racer)
{
	const DXGKARGCB_UNMAPFRAMEBUFFERPOINTER args = {
		.pBaseAddress = racer->pointer,
	};

	calls.DxgkCbUnmapFrameBufferPointer(racer->lead, &args);
}

static NTSTATUS create(struct racer *racer, HANDLE adapter)
{
	racer->object = (DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT){
		.hAdapter = adapter,
		.Size = 2 * P,
		.Type = DXGK_PHYSICAL_MEMORY_TYPE_MDL,
		.CacheType = CACHED,
		.Mdl.HighAddress = FAKE_ANYWHERE,
	};
	return calls.DxgkCbCreatePhysicalMemoryObject(&racer->object);
}

static void destroy(struct racer *racer)
{
	const DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT args = {
		racer->object.hPhysicalMemoryObject,
		racer->object.hAdapterMemoryObject,
	};

	calls.DxgkCbDestroyPhysicalMemoryObject(&args);
}

static NTSTATUS adl(struct racer *racer)
{
	DXGKARGCB_ALLOCATE_ADL args = { .Size = 2 * P };
	NTSTATUS status = create(racer, racer->lead);

	if (!NT_SUCCESS(status))
		return status;
	args.hAdapterMemoryObject = racer->object.hAdapterMemoryObject;
	status = calls.DxgkCbAllocateAdl(&args);
	racer->adl = args.pAdl;
	if (!NT_SUCCESS(status))
		destroy(racer);
	return status;
}

static void free_adl(struct racer *racer)
{
	const DXGKARGCB_FREE_ADL args = {
		racer->object.hAdapterMemoryObject,
		racer->adl,
	};

	calls.DxgkCbFreeAdl(&args);
	destroy(racer);
}

/* An object of no adapter, which stays, opened by one that goes */
static NTSTATUS open(struct racer *racer)
{
	DXGKARGCB_OPEN_PHYSICAL_MEMORY_OBJECT args = {
		.hAdapter = racer->lead,
	};
	NTSTATUS status = create(racer, NULL);

	if (!NT_SUCCESS(status))
		return status;
	args.hPhysicalMemoryObject = racer->object.hPhysicalMemoryObject;
	status = calls.DxgkCbOpenPhysicalMemoryObject(&args);
	racer->memory = args.hAdapterMemoryObject;
	if (!NT_SUCCESS(status))
		destroy(racer);
	return status;
}

static void close(struct racer *racer)
{
	const DXGKARGCB_CLOSE_PHYSICAL_MEMORY_OBJECT args = { racer->memory };

	calls.DxgkCbClosePhysicalMemoryObject(&args);
	destroy(racer);
}

static const struct race_entry race_entries[] = {
	{ "MapMdlToIoMmu", map_mdl, unmap_mdl },
	{ "AllocateContiguousMemory", contiguous, free_contiguous },
	{ "AllocatePagesForMdl", pages_for_mdl, free_pages_from_mdl },
	{ "PinFrameBufferForSave", pin, unpin, STATUS_INVALID_DEVICE_STATE },
	{ "MapFrameBufferPointer", map_pointer, unmap_pointer },
	{ "AllocateAdl", adl, free_adl },
	{ "OpenPhysicalMemoryObject", open, close },
};

#define NUM_RACERS (ARRAY_SIZE(race_entries) * THREADS_PER_ENTRY)

static struct racer racers[NUM_RACERS];

static unsigned long racer_count(const struct racer *racer, bool started)
{
	return started ? READ_ONCE(racer->done) : READ_ONCE(racer->refused);
}

static int race_thread(void *data)
{
	struct racer *racer = data;
	NTSTATUS status;

	while (!kthread_should_stop()) {
		racer->lead = READ_ONCE(lead);
		status = racer->entry->call(racer);
		if (NT_SUCCESS(status)) {
			racer->entry->undo(racer);
			WRITE_ONCE(racer->done, racer->done + 1);
		} else if (status == STATUS_INVALID_HANDLE) {
			WRITE_ONCE(racer->refused, racer->refused + 1);
		} else if (status != racer->entry->other) {
			racer->wrong = status;
		}
		cond_resched();
	}
	return 0;
}

static void racers_start(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < NUM_RACERS; i++) {
		struct racer *racer = &racers[i];

		*racer = (struct racer){
			.entry = &race_entries[i / THREADS_PER_ENTRY],
			.mdl = fake_mdl(test, fake_pages(test, 1), 2 * P),
		};
	}
	for (i = 0; i < NUM_RACERS; i++) {
		racers[i].task = kthread_run(race_thread, &racers[i],
					     "dxgk-race/%u", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(racers[i].task));
	}
}

static void racers_stop(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < NUM_RACERS; i++)
		kthread_stop(racers[i].task);
	for (i = 0; i < NUM_RACERS; i++) {
		struct racer *racer = &racers[i];

		kunit_info(test, "%s: %lu done, %lu refused",
			   racer->entry->name, racer->done, racer->refused);
		KUNIT_EXPECT_EQ_MSG(test, racer->wrong, STATUS_SUCCESS, "%s",
				    racer->entry->name);
		KUNIT_EXPECT_GT_MSG(test, racer->done, 0UL, "%s",
				    racer->entry->name);
		KUNIT_EXPECT_GT_MSG(test, racer->refused, 0UL, "%s",
				    racer->entry->name);
		IoFreeMdl(racer->mdl);
	}
}

/* Wait until each has got through once more, or each has been refused */
static bool racers_meet(bool started)
{
	unsigned long end = jiffies + MEET_TIME;
	unsigned long before[NUM_RACERS];
	unsigned int i;

	for (i = 0; i < NUM_RACERS; i++)
		before[i] = racer_count(&racers[i], started);
	for (i = 0; i < NUM_RACERS; i++) {
		while (racer_count(&racers[i], started) == before[i]) {
			if (time_after(jiffies, end))
				return false;
			usleep_range(100, 200);
		}
	}
	return true;
}

static void test_stop(struct kunit *test)
{
	unsigned long end = jiffies + RACE_TIME;
	unsigned int starts = 0;
	bool met = true;

	calls = dxgk;
	WRITE_ONCE(lead, fake.lead);
	racers_start(test);
	do {
		met &= racers_meet(true);
		fake_stop(&fake);
		met &= racers_meet(false);
		if (fake_start(&fake, 0, FAKE_DEVS))
			break;
		WRITE_ONCE(lead, fake.lead);
		starts++;
	} while (met && (starts < LEAST_STARTS || time_before(jiffies, end)));
	racers_stop(test);
	kunit_info(test, "%u starts", starts);
	KUNIT_EXPECT_TRUE(test, met);
	KUNIT_EXPECT_NOT_NULL(test, fake.adapter);
	/* What had been given when it stopped, nobody knows */
	fake.leaks = fake_log_count("leaked by the miniport");
}

KUNIT_ARRAY_PARAM_DESC(mode, fake_modes, name);

static struct kunit_case race_cases[] = {
	KUNIT_CASE_PARAM_ATTR(test_stop, mode_gen_params, SLOW),
	{}
};

static struct kunit_suite race_suite = {
	.name = "wddmcompat-dxgk-race",
	.suite_init = fake_suite_init,
	.suite_exit = fake_suite_exit,
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = race_cases,
};

kunit_test_suite(race_suite);
