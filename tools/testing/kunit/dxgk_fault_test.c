// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every callback with every allocation on its way failing, one at a time, every copy,
 * and every pin: it says so or does without, leaves nothing behind, and works when it
 * is called again. Those that give back cannot fail, whatever fails on their way.
 *
 * A thread without an address space, as a test is, does itself what else a thread of
 * the carrier's does. The entries with memory of a user have an address space; there
 * it is done to both, one after the other.
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched.h>

#include "dxgk_fixture.h"
#include "fault.h"

#define P PAGE_SIZE
#define CACHED DXGK_MEMORY_CACHING_TYPE_CACHED
#define NON_CACHED DXGK_MEMORY_CACHING_TYPE_NON_CACHED

/* What the entries work with: there before the calls, or made by them */
static u8 *pages;
static unsigned long user;
static PMDL mdl;
static HANDLE memory;
static DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT object;
static HANDLE opened;
static DXGKARGCB_MAP_PHYSICAL_MEMORY view;
static DXGKARGCB_MAPFRAMEBUFFERPOINTER pointer;
static DXGK_ADL *adl;

/**
 * struct fault_entry - Calls that allocate, and those that give back
 * @name: For the reader
 * @call: Allocate
 * @undo: Give back
 * @prepare: Make what they need, or NULL
 * @finish: Undo @prepare, or NULL
 * @user: In a user's address space
 * @stopped: Without an adapter
 */
struct fault_entry {
	const char *name;
	NTSTATUS (*call)(void);
	void (*undo)(void);
	void (*prepare)(struct kunit *test);
	void (*finish)(void);
	bool user;
	bool stopped;
};

/* Start and stop */

static NTSTATUS start(void)
{
	return dxgk_errno_to_status(fake_start(&fake, 0, FAKE_DEVS));
}

static void stop(void)
{
	fake_stop(&fake);
}

/* WDDM 2.4 */

static NTSTATUS do_contiguous(SIZE_T bytes, DXGK_MEMORY_CACHING_TYPE cache)
{
	DXGKARGCB_ALLOCATECONTIGUOUSMEMORY args = {
		.NumberOfBytes = bytes,
		.HighestAcceptableAddress = FAKE_ANYWHERE,
		.CacheType = cache,
	};
	NTSTATUS status;

	status = dxgk.DxgkCbAllocateContiguousMemory(fake.lead, &args);
	memory = args.hMemoryHandle;
	return status;
}

static NTSTATUS contiguous(void)
{
	return do_contiguous(5 * P, CACHED);
}

static NTSTATUS contiguous_non_cached(void)
{
	return do_contiguous(5 * P, NON_CACHED);
}

static void free_contiguous(void)
{
	const DXGKARGCB_FREECONTIGUOUSMEMORY args = { memory };

	dxgk.DxgkCbFreeContiguousMemory(fake.lead, &args);
}

static NTSTATUS pages_for_mdl(void)
{
	DXGKARGCB_ALLOCATEPAGESFORMDL args = {
		.HighAddress = FAKE_ANYWHERE,
		.TotalBytes = 5 * P,
		.CacheType = CACHED,
	};
	NTSTATUS status = dxgk.DxgkCbAllocatePagesForMdl(fake.lead, &args);

	memory = args.hMemoryHandle;
	mdl = args.pMdl;
	return status;
}

static void free_pages_from_mdl(void)
{
	const DXGKARGCB_FREEPAGESFROMMDL args = { memory };

	dxgk.DxgkCbFreePagesFromMdl(fake.lead, &args);
}

static NTSTATUS map_mdl(void)
{
	DXGKARGCB_MAPMDLTOIOMMU args = { .pMdl = mdl };
	NTSTATUS status = dxgk.DxgkCbMapMdlToIoMmu(fake.lead, &args);

	memory = args.hMemoryHandle;
	return status;
}

static void unmap_mdl(void)
{
	const DXGKARGCB_UNMAPMDLFROMIOMMU args = { memory };

	dxgk.DxgkCbUnmapMdlFromIoMmu(fake.lead, &args);
}

/* Edges, full pages, and a chain */
static void prepare_chain(struct kunit *test)
{
	mdl = fake_mdl(test, pages + 100, 2 * P);
	mdl->Next = fake_mdl(test, pages + 3 * P, P);
}

static void finish_chain(void)
{
	IoFreeMdl(mdl->Next);
	IoFreeMdl(mdl);
}

static void prepare_user_mdl(struct kunit *test)
{
	mdl = IoAllocateMdl((void *)(user + 100), 2 * P, false, false, NULL);
	KUNIT_ASSERT_NOT_NULL(test, mdl);
	KUNIT_ASSERT_EQ(test, MmProbeAndLockPages(mdl, UserMode, IoWriteAccess),
			STATUS_SUCCESS);
}

static void finish_user_mdl(void)
{
	MmUnlockPages(mdl);
	IoFreeMdl(mdl);
}

static NTSTATUS pin(void)
{
	DXGKARGCB_PINFRAMEBUFFERFORSAVE args = { .CommitSize = 3 * P };

	return dxgk.DxgkCbPinFrameBufferForSave(fake.lead, &args);
}

static NTSTATUS pin2_array(void)
{
	DXGKARGCB_PINFRAMEBUFFERFORSAVE2 args = { .CommitSize = 3 * P };

	return dxgk.DxgkCbPinFrameBufferForSave2(fake.lead, &args);
}

static NTSTATUS pin2_contiguous(void)
{
	DXGKARGCB_PINFRAMEBUFFERFORSAVE2 args = {
		.CommitSize = 3 * P,
		.Flags.PreferContiguous = true,
	};

	return dxgk.DxgkCbPinFrameBufferForSave2(fake.lead, &args);
}

static void unpin(void)
{
	const DXGKARGCB_UNPINFRAMEBUFFERFORSAVE args = {};

	dxgk.DxgkCbUnpinFrameBufferForSave(fake.lead, &args);
}

static NTSTATUS map_pointer(void)
{
	pointer = (DXGKARGCB_MAPFRAMEBUFFERPOINTER){ .Size = 3 * P };
	return dxgk.DxgkCbMapFrameBufferPointer(fake.lead, &pointer);
}

static void unmap_pointer(void)
{
	const DXGKARGCB_UNMAPFRAMEBUFFERPOINTER args = {
		.pBaseAddress = pointer.pBaseAddress,
	};

	dxgk.DxgkCbUnmapFrameBufferPointer(fake.lead, &args);
}

/* WDDM 2.9 */

static NTSTATUS create(DXGK_PHYSICAL_MEMORY_TYPE type)
{
	object = (DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT){
		.hAdapter = fake.lead,
		.Size = 3 * P,
		.Type = type,
		.CacheType = CACHED,
	};
	if (type == DXGK_PHYSICAL_MEMORY_TYPE_SECTION)
		object.Section.PageProtection = PAGE_READWRITE;
	else if (type == DXGK_PHYSICAL_MEMORY_TYPE_MDL)
		object.Mdl.HighAddress = FAKE_ANYWHERE;
	else
		object.ContiguousMemory.HighestAcceptableAddress = FAKE_ANYWHERE;
	return dxgk.DxgkCbCreatePhysicalMemoryObject(&object);
}

static NTSTATUS create_mdl(void)
{
	return create(DXGK_PHYSICAL_MEMORY_TYPE_MDL);
}

static NTSTATUS create_contiguous(void)
{
	return create(DXGK_PHYSICAL_MEMORY_TYPE_CONTIGUOUS_MEMORY);
}

static NTSTATUS create_section(void)
{
	return create(DXGK_PHYSICAL_MEMORY_TYPE_SECTION);
}

static void destroy(void)
{
	const DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT args = {
		object.hPhysicalMemoryObject,
		object.hAdapterMemoryObject,
	};

	dxgk.DxgkCbDestroyPhysicalMemoryObject(&args);
}

static void prepare_object(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, create_mdl(), STATUS_SUCCESS);
}

static void close(void)
{
	const DXGKARGCB_CLOSE_PHYSICAL_MEMORY_OBJECT args = { opened };

	dxgk.DxgkCbClosePhysicalMemoryObject(&args);
}

static void prepare_closed_object(struct kunit *test)
{
	object = (DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT){
		.Size = P,
		.Type = DXGK_PHYSICAL_MEMORY_TYPE_SECTION,
		.CacheType = CACHED,
		.Section.PageProtection = PAGE_READWRITE,
	};
	KUNIT_ASSERT_EQ(test, dxgk.DxgkCbCreatePhysicalMemoryObject(&object),
			STATUS_SUCCESS);
}

static NTSTATUS open(void)
{
	DXGKARGCB_OPEN_PHYSICAL_MEMORY_OBJECT args = {
		.hPhysicalMemoryObject = object.hPhysicalMemoryObject,
		.hAdapter = fake.lead,
	};
	NTSTATUS status = dxgk.DxgkCbOpenPhysicalMemoryObject(&args);

	opened = args.hAdapterMemoryObject;
	return status;
}

static NTSTATUS map_view(DXGK_ACCESS_MODE mode)
{
	view = (DXGKARGCB_MAP_PHYSICAL_MEMORY){
		.hPhysicalMemoryObject = object.hPhysicalMemoryObject,
		.AccessMode = mode,
		.Size = 3 * P,
	};
	return dxgk.DxgkCbMapPhysicalMemory(&view);
}

static NTSTATUS view_of_kernel(void)
{
	return map_view(DXGK_ACCESS_MODE_KERNEL_MODE);
}

static NTSTATUS view_of_user(void)
{
	return map_view(DXGK_ACCESS_MODE_USER_MODE);
}

static void unmap_view(void)
{
	const DXGKARGCB_UNMAP_PHYSICAL_MEMORY args = {
		view.hPhysicalMemoryObject,
		view.pMappedAddress,
		view.Size,
	};

	dxgk.DxgkCbUnmapPhysicalMemory(&args);
}

static NTSTATUS allocate_adl(bool prefer_contiguous)
{
	DXGKARGCB_ALLOCATE_ADL args = {
		.hAdapterMemoryObject = object.hAdapterMemoryObject,
		.Size = 3 * P,
		.Flags.PreferContiguous = prefer_contiguous,
	};
	NTSTATUS status = dxgk.DxgkCbAllocateAdl(&args);

	adl = args.pAdl;
	return status;
}

static NTSTATUS adl_array(void)
{
	return allocate_adl(false);
}

static NTSTATUS adl_contiguous(void)
{
	return allocate_adl(true);
}

static void free_adl(void)
{
	const DXGKARGCB_FREE_ADL args = { object.hAdapterMemoryObject, adl };

	dxgk.DxgkCbFreeAdl(&args);
}

/* wdm.h */

static NTSTATUS allocate_mdl(void)
{
	mdl = IoAllocateMdl(pages, 4 * P, false, false, NULL);
	return mdl ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static void free_mdl(void)
{
	IoFreeMdl(mdl);
}

static void prepare_unlocked_mdl(struct kunit *test)
{
	mdl = IoAllocateMdl((void *)user, 2 * P, false, false, NULL);
	KUNIT_ASSERT_NOT_NULL(test, mdl);
}

static NTSTATUS lock_mdl(void)
{
	return MmProbeAndLockPages(mdl, UserMode, IoWriteAccess);
}

static void unlock_mdl(void)
{
	MmUnlockPages(mdl);
}

static void prepare_pages_for_mdl(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, pages_for_mdl(), STATUS_SUCCESS);
}

static NTSTATUS system_address(void)
{
	return MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) ?
		       STATUS_SUCCESS :
		       STATUS_NO_MEMORY;
}

static void unmap_system_address(void)
{
	MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
}

static const struct fault_entry fault_entries[] = {
	{ "dxgk_adapter_start", start, stop, .stopped = true },
	{ "AllocateContiguousMemory", contiguous, free_contiguous },
	{ "AllocateContiguousMemory, non-cached", contiguous_non_cached,
	  free_contiguous },
	{ "AllocatePagesForMdl", pages_for_mdl, free_pages_from_mdl },
	{ "MapMdlToIoMmu", map_mdl, unmap_mdl, prepare_chain, finish_chain },
	{ "MapMdlToIoMmu, user memory", map_mdl, unmap_mdl, prepare_user_mdl,
	  finish_user_mdl, .user = true },
	{ "PinFrameBufferForSave", pin, unpin },
	{ "PinFrameBufferForSave2, array", pin2_array, unpin },
	{ "PinFrameBufferForSave2, contiguous", pin2_contiguous, unpin },
	{ "MapFrameBufferPointer", map_pointer, unmap_pointer },
	{ "CreatePhysicalMemoryObject, MDL", create_mdl, destroy },
	{ "CreatePhysicalMemoryObject, contiguous", create_contiguous, destroy },
	{ "CreatePhysicalMemoryObject, section", create_section, destroy },
	{ "OpenPhysicalMemoryObject", open, close, prepare_closed_object,
	  destroy },
	{ "MapPhysicalMemory, kernel", view_of_kernel, unmap_view,
	  prepare_object, destroy },
	{ "MapPhysicalMemory, user", view_of_user, unmap_view, prepare_object,
	  destroy, .user = true },
	{ "AllocateAdl, array", adl_array, free_adl, prepare_object, destroy },
	{ "AllocateAdl, contiguous", adl_contiguous, free_adl, prepare_object,
	  destroy },
	{ "IoAllocateMdl", allocate_mdl, free_mdl },
	{ "MmProbeAndLockPages", lock_mdl, unlock_mdl, prepare_unlocked_mdl,
	  free_mdl, .user = true },
	{ "MmGetSystemAddressForMdlSafe", system_address, unmap_system_address,
	  prepare_pages_for_mdl, free_pages_from_mdl },
};

KUNIT_ARRAY_PARAM_DESC(fault, fault_entries, name);

static int fault_suite_init(struct kunit_suite *suite)
{
	return fault_init() ?: fake_suite_init(suite);
}

static void expect_nothing_left(struct kunit *test, long pins, unsigned int nth)
{
	KUNIT_EXPECT_EQ_MSG(test, fake_pins(), pins, "point %u", nth);
	KUNIT_EXPECT_EQ_MSG(test, fake_log_count("leaked by the miniport"), 0,
			    "point %u", nth);
	if (!fake.adapter)
		KUNIT_EXPECT_TRUE_MSG(test, fake_is_detached(), "point %u", nth);
	/* An attach that has failed is one that has not changed the domain */
	fake.domain_errors = 0;
}

/**
 * struct fault_count - What came of it
 * @points: Where something failed
 * @refused: Where that made the call fail
 * @undo_points: Where something failed on the way back
 */
struct fault_count {
	unsigned int points;
	unsigned int refused;
	unsigned int undo_points;
};

/* What it is to be about. Copies and iommufd's own have errors of all sorts. */
static enum fault_kind kind;
static enum fault_where where;

static void expect_status(struct kunit *test, NTSTATUS status, unsigned int nth)
{
	if (kind != FAULT_SLAB && kind != FAULT_PAGES)
		return;
	if (status != STATUS_INSUFFICIENT_RESOURCES &&
	    status != STATUS_NO_MEMORY)
		KUNIT_FAIL(test, "point %u: %#x", nth, status);
}

/* The @nth on the way of a call. Returns whether there was one. */
static bool fail_call(struct kunit *test, const struct fault_entry *entry,
		      unsigned int nth, struct fault_count *count)
{
	long pins = fake_pins();
	NTSTATUS status;
	bool reached;

	fake_log_begin();
	fault_begin(kind, where, nth);
	status = entry->call();
	reached = fault_end();
	count->points += reached;
	if (NT_SUCCESS(status)) {
		entry->undo();
	} else {
		KUNIT_EXPECT_TRUE(test, reached);
		count->refused++;
		expect_status(test, status, nth);
	}
	expect_nothing_left(test, pins, nth);
	return reached;
}

/* The @nth on the way back, which nothing stops. Returns whether there was one. */
static bool fail_undo(struct kunit *test, const struct fault_entry *entry,
		      unsigned int nth, struct fault_count *count)
{
	long pins = fake_pins();
	bool reached;

	fake_log_begin();
	KUNIT_ASSERT_EQ(test, entry->call(), STATUS_SUCCESS);
	fault_begin(kind, where, nth);
	entry->undo();
	reached = fault_end();
	count->undo_points += reached;
	expect_nothing_left(test, pins, nth);
	return reached;
}

/* All on a way, until it was free several times: its length is not always the same */
static void sweep(struct kunit *test, const struct fault_entry *entry,
		  struct fault_count *count,
		  bool (*fail)(struct kunit *test,
			       const struct fault_entry *entry,
			       unsigned int nth, struct fault_count *count))
{
	unsigned int nth, free = 0;

	for (nth = 1; free < 4; nth++)
		free = fail(test, entry, nth, count) ? 0 : free + 1;
}

/*
 * A slab that is used up asks for pages: that adds a point, and hides one behind it.
 * So where pages fail, all is done several times.
 */
static void sweep_kind(struct kunit *test, const struct fault_entry *entry)
{
	unsigned int i, sweeps = kind == FAULT_PAGES ? 3 : 1;
	struct fault_count count = {};

	for (i = 0; i < sweeps; i++) {
		sweep(test, entry, &count, fail_call);
		/* The kernel's own way to detach a device warns then */
		if (!entry->stopped)
			sweep(test, entry, &count, fail_undo);
	}
	kunit_info(test,
		   "# points %s, %s%s: %u, of which %u fail it; %u on the way back\n",
		   entry->name, fault_kind_name(kind),
		   where == FAULT_CARRIER ? " of the carrier" : "",
		   count.points, count.refused, count.undo_points);
	/* Some allocate no page, and some do without */
	if (kind == FAULT_SLAB && where == FAULT_THREAD)
		KUNIT_EXPECT_GT(test, count.refused, 0);
}

/* In an address space of its own, as page tables stay once they are there */
static void run_kind(struct kunit *test, const struct fault_entry *entry)
{
	struct mm_struct *mm = NULL;

	if (entry->user) {
		mm = fake_mm_new(test);
		user = fake_user_pages(test, 3, PROT_READ | PROT_WRITE);
		KUNIT_ASSERT_EQ(test, fault_find_carrier(), 0);
	}
	if (entry->prepare)
		entry->prepare(test);
	sweep_kind(test, entry);
	if (entry->finish)
		entry->finish();
	if (mm)
		fake_mm_free(mm);
}

static void run_fault(struct kunit *test, bool isolated)
{
	const struct fault_entry *entry = test->param_value;

	pages = fake_pages(test, 2);
	fake_setup(&fake, isolated);
	if (!entry->stopped)
		KUNIT_ASSERT_EQ(test, start(), STATUS_SUCCESS);
	for (kind = 0; kind < FAULT_KINDS; kind++) {
		where = FAULT_THREAD;
		run_kind(test, entry);
		where = FAULT_CARRIER;
		if (entry->user)
			run_kind(test, entry);
	}
}

static void test_remapped(struct kunit *test)
{
	run_fault(test, false);
}

static void test_isolated(struct kunit *test)
{
	run_fault(test, true);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE_PARAM_ATTR(test_remapped, fault_gen_params, SLOW),
	KUNIT_CASE_PARAM_ATTR(test_isolated, fault_gen_params, SLOW),
	{}
};

static struct kunit_suite fault_suite = {
	.name = "wddmcompat-dxgk-fault",
	.suite_init = fault_suite_init,
	.suite_exit = fake_suite_exit,
	.init = fake_init_stopped,
	.exit = fake_exit,
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
