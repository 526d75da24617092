// SPDX-License-Identifier: GPL-2.0-only
/*
 * 1:1: the address for the device is the physical one. Who can share a page, and
 * which pages cannot be had.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sizes.h>

#include "dxgk_fixture.h"

#define P PAGE_SIZE

static int isolation_init(struct kunit *test)
{
	fake_init_stopped(test);
	fake_setup(&fake, true);
	return fake_start(&fake, 0, FAKE_DEVS);
}

static NTSTATUS map_mdl(PMDL mdl, HANDLE *memory)
{
	DXGKARGCB_MAPMDLTOIOMMU args = { .pMdl = mdl };
	NTSTATUS status = dxgk.DxgkCbMapMdlToIoMmu(fake.lead, &args);

	*memory = args.hMemoryHandle;
	return status;
}

static NTSTATUS map(struct kunit *test, u8 *va, ULONG bytes, HANDLE *memory)
{
	PMDL mdl = fake_mdl(test, va, bytes);
	NTSTATUS status = map_mdl(mdl, memory);

	IoFreeMdl(mdl);
	return status;
}

static void unmap(HANDLE memory)
{
	const DXGKARGCB_UNMAPMDLFROMIOMMU args = { memory };

	dxgk.DxgkCbUnmapMdlFromIoMmu(fake.lead, &args);
}

/* What goes with a buffer of pages 0 to 3 that is mapped already, and what not */

struct second_row {
	const char *name;
	unsigned long first_offset;
	unsigned long first_bytes;
	unsigned long second_offset;
	unsigned long second_bytes;
	bool works;
};

static const struct second_row second_rows[] = {
	{ "beside", 0, P, P, P, true },
	{ "far away", 0, P, 3 * P, P, true },
	{ "one page, two halves", 0, P / 2, P / 2, P / 2, true },
	{ "one page, overlapping halves", 0, P / 2, 10, P / 2, true },
	{ "the last page is the other's first", 0, P + 100, P + 100, P, true },
	{ "the first page is the other's last", P + 100, P, 0, P + 100, true },
	{ "both edges", 10, P, 10, P, true },
	{ "a byte each", 5, 1, 5, 1, true },
	{ "the same page", 0, P, 0, P, false },
	{ "part of a full page", 0, P, 0, 1, false },
	{ "a full page of a part", 0, 1, 0, P, false },
	{ "its edge within another", P - 1, 2, 0, 2 * P, false },
	{ "an edge over full pages", 0, 3 * P, P + 5, P, false },
	{ "its second page is full", 100, 3 * P, P, 10, false },
	{ "all but the first byte", 1, 2 * P - 1, 0, P, false },
};

KUNIT_ARRAY_PARAM_DESC(second, second_rows, name);

static void test_second_buffer(struct kunit *test)
{
	const struct second_row *row = test->param_value;
	u8 *pages = fake_pages(test, 2);
	HANDLE first, second;
	NTSTATUS status;
	u64 at;

	KUNIT_ASSERT_EQ(test,
			map(test, pages + row->first_offset, row->first_bytes,
			    &first),
			STATUS_SUCCESS);
	status = map(test, pages + row->second_offset, row->second_bytes,
		     &second);
	KUNIT_EXPECT_EQ(test, status,
			row->works ? STATUS_SUCCESS :
				     STATUS_CONFLICTING_ADDRESSES);
	at = fake_logical(test, first, 0);
	KUNIT_EXPECT_EQ(test, at, virt_to_phys(pages + row->first_offset));
	if (!row->works) {
		/* Nothing has happened: without the first, there is room */
		KUNIT_EXPECT_NULL(test, second);
		unmap(first);
		KUNIT_ASSERT_EQ(test,
				map(test, pages + row->second_offset,
				    row->second_bytes, &second),
				STATUS_SUCCESS);
		unmap(second);
		return;
	}
	at = fake_logical(test, second, row->second_bytes - 1);
	KUNIT_EXPECT_EQ(test, at,
			virt_to_phys(pages + row->second_offset +
				     row->second_bytes - 1));
	unmap(first);
	unmap(second);
}

/* A shared page is reached as long as one buffer has it, whichever goes first */
static void test_shared_page_counts(struct kunit *test)
{
	enum { NUM = 5 };
	u8 *page = fake_pages(test, 0);
	u64 at = virt_to_phys(page);
	HANDLE memory[NUM];
	unsigned int i;

	for (i = 0; i < NUM; i++)
		KUNIT_ASSERT_EQ(test, map(test, page + 64 * i, 64, &memory[i]),
				STATUS_SUCCESS);
	unmap(memory[2]);
	unmap(memory[0]);
	fake_reaches(test, 0, at, page);
	unmap(memory[4]);
	unmap(memory[1]);
	fake_reaches(test, 1, at, page);
	unmap(memory[3]);
	fake_reaches_not(test, 0, at, page);
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(page)), 1);
}

/* A chain may share a page with itself */
static void test_shared_in_chain(struct kunit *test)
{
	u8 *pages = fake_pages(test, 1);
	PMDL head = fake_mdl(test, pages, 100);
	PMDL tail = fake_mdl(test, pages + 100, 2 * P - 100);
	HANDLE memory;

	head->Next = tail;
	KUNIT_ASSERT_EQ(test, map_mdl(head, &memory), STATUS_SUCCESS);
	fake_reaches(test, 0, fake_logical(test, memory, 100), pages + 100);
	fake_reaches(test, 0, fake_logical(test, memory, P), pages + P);
	unmap(memory);
	fake_reaches_not(test, 0, virt_to_phys(pages), pages);
	IoFreeMdl(head);
	IoFreeMdl(tail);
}

/* A chain that is refused at its end leaves nothing of its beginning */
static void test_conflict_in_chain(struct kunit *test)
{
	u8 *pages = fake_pages(test, 2);
	PMDL head = fake_mdl(test, pages + 10, 2 * P - 10);
	PMDL tail = fake_mdl(test, pages + 3 * P, P);
	HANDLE memory, refused;
	long before;

	KUNIT_ASSERT_EQ(test, map(test, pages + 3 * P, P, &memory), 0);
	before = fake_pins();
	head->Next = tail;
	KUNIT_EXPECT_EQ(test, map_mdl(head, &refused),
			STATUS_CONFLICTING_ADDRESSES);
	KUNIT_EXPECT_EQ(test, fake_pins(), before);
	fake_reaches_not(test, 0, virt_to_phys(pages), pages);
	fake_reaches_not(test, 0, virt_to_phys(pages + P), pages + P);
	unmap(memory);
	KUNIT_EXPECT_EQ(test, map_mdl(head, &memory), STATUS_SUCCESS);
	unmap(memory);
	IoFreeMdl(head);
	IoFreeMdl(tail);
}

/* One may write, the other may not: they cannot share */
static void test_other_right(struct kunit *test)
{
	struct mm_struct *mm = fake_mm_new(test);
	unsigned long user = fake_user_pages(test, 1, PROT_READ | PROT_WRITE);
	PMDL reads = IoAllocateMdl((void *)user, 100, false, false, NULL);
	PMDL writes = IoAllocateMdl((void *)(user + 100), 100, false, false,
				    NULL);
	HANDLE first, second;

	KUNIT_ASSERT_NOT_NULL(test, reads);
	KUNIT_ASSERT_NOT_NULL(test, writes);
	KUNIT_ASSERT_EQ(test, MmProbeAndLockPages(writes, UserMode, IoWriteAccess),
			STATUS_SUCCESS);
	KUNIT_ASSERT_EQ(test, MmProbeAndLockPages(reads, UserMode, IoReadAccess),
			STATUS_SUCCESS);
	KUNIT_ASSERT_EQ(test, MmGetMdlPfnArray(reads)[0],
			MmGetMdlPfnArray(writes)[0]);
	KUNIT_ASSERT_EQ(test, map_mdl(reads, &first), STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, map_mdl(writes, &second),
			STATUS_CONFLICTING_ADDRESSES);
	unmap(first);
	KUNIT_ASSERT_EQ(test, map_mdl(writes, &second), STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, map_mdl(reads, &first),
			STATUS_CONFLICTING_ADDRESSES);
	unmap(second);
	MmUnlockPages(reads);
	MmUnlockPages(writes);
	IoFreeMdl(reads);
	IoFreeMdl(writes);
	fake_mm_free(mm);
}

/* Full pages and edges of a user's memory */
static void test_user_memory(struct kunit *test)
{
	struct mm_struct *mm = fake_mm_new(test);
	unsigned long user = fake_user_pages(test, 3, PROT_READ | PROT_WRITE);
	PMDL mdl = IoAllocateMdl((void *)(user + 10), 3 * P - 20, false, false,
				 NULL);
	HANDLE memory;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, mdl);
	KUNIT_ASSERT_EQ(test, MmProbeAndLockPages(mdl, UserMode, IoWriteAccess),
			STATUS_SUCCESS);
	KUNIT_ASSERT_EQ(test, map_mdl(mdl, &memory), STATUS_SUCCESS);
	for (i = 0; i < 3; i++) {
		u64 at = PFN_PHYS(MmGetMdlPfnArray(mdl)[i]);

		KUNIT_EXPECT_EQ(test, fake_logical(test, memory, i * P), at + 10);
		fake_reaches(test, 0, at, phys_to_virt(at));
	}
	unmap(memory);
	MmUnlockPages(mdl);
	IoFreeMdl(mdl);
	fake_mm_free(mm);
}

/* What the device does not see cannot be mapped; the last that it sees can */
static void test_highest_visible(struct kunit *test)
{
	u8 *page = fake_pages(test, 0);
	u64 last = virt_to_phys(page) + P - 1;
	HANDLE memory;

	fake_stop(&fake);
	fake.highest = last;
	fake_restart(test);
	KUNIT_ASSERT_EQ(test, map(test, page, P, &memory), STATUS_SUCCESS);
	unmap(memory);

	fake_stop(&fake);
	fake.highest = last - 1;
	fake_restart(test);
	KUNIT_EXPECT_EQ(test, map(test, page, P, &memory),
			STATUS_INVALID_ADDRESS);
	KUNIT_EXPECT_NULL(test, memory);
	/* All of the page, even if the buffer is less */
	KUNIT_EXPECT_EQ(test, map(test, page, 100, &memory),
			STATUS_INVALID_ADDRESS);
	fake_reaches_not(test, 0, virt_to_phys(page), page);
}

/* Memory that the callbacks choose is where the device sees it */
static void test_chosen_memory_is_visible(struct kunit *test)
{
	DXGKARGCB_ALLOCATECONTIGUOUSMEMORY contiguous = {
		.NumberOfBytes = 4 * P,
		.HighestAcceptableAddress = FAKE_ANYWHERE,
		.CacheType = DXGK_MEMORY_CACHING_TYPE_CACHED,
	};
	DXGKARGCB_ALLOCATEPAGESFORMDL pages = {
		.HighAddress = FAKE_ANYWHERE,
		.TotalBytes = 4 * P,
		.CacheType = DXGK_MEMORY_CACHING_TYPE_CACHED,
	};
	DXGKARGCB_FREECONTIGUOUSMEMORY free_contiguous;
	DXGKARGCB_FREEPAGESFROMMDL free_pages;
	int i;

	fake_stop(&fake);
	fake.highest = SZ_128M - 1;
	fake_restart(test);
	KUNIT_ASSERT_EQ(test,
			dxgk.DxgkCbAllocateContiguousMemory(fake.lead,
							    &contiguous),
			STATUS_SUCCESS);
	KUNIT_ASSERT_EQ(test, dxgk.DxgkCbAllocatePagesForMdl(fake.lead, &pages),
			STATUS_SUCCESS);
	KUNIT_EXPECT_LE(test, fake_physical(contiguous.pMemory) + 4 * P - 1,
			fake.highest);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_LE(test,
				PFN_PHYS(MmGetMdlPfnArray(pages.pMdl)[i]) + P - 1,
				fake.highest);
	free_contiguous.hMemoryHandle = contiguous.hMemoryHandle;
	free_pages.hMemoryHandle = pages.hMemoryHandle;
	KUNIT_EXPECT_EQ(test,
			dxgk.DxgkCbFreeContiguousMemory(fake.lead,
							&free_contiguous),
			0);
	KUNIT_EXPECT_EQ(test,
			dxgk.DxgkCbFreePagesFromMdl(fake.lead, &free_pages), 0);

	/* None is above */
	contiguous.LowestAcceptableAddress = phys(SZ_128M);
	KUNIT_EXPECT_EQ(test,
			dxgk.DxgkCbAllocateContiguousMemory(fake.lead,
							    &contiguous),
			STATUS_INSUFFICIENT_RESOURCES);
	pages.LowAddress = phys(SZ_128M);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbAllocatePagesForMdl(fake.lead, &pages),
			STATUS_INSUFFICIENT_RESOURCES);
}

/* A linked chain sees the same memory at the same addresses */
static void test_linked(struct kunit *test)
{
	u8 *page = fake_pages(test, 0);
	HANDLE memory;

	KUNIT_ASSERT_EQ(test, map(test, page, P, &memory), STATUS_SUCCESS);
	fake_reaches(test, 0, virt_to_phys(page), page);
	fake_reaches(test, 1, virt_to_phys(page), page);
	unmap(memory);
	fake_reaches_not(test, 1, virt_to_phys(page), page);
}

static struct kunit_case isolation_cases[] = {
	KUNIT_CASE(test_shared_page_counts),
	KUNIT_CASE(test_shared_in_chain),
	KUNIT_CASE(test_conflict_in_chain),
	KUNIT_CASE(test_other_right),
	KUNIT_CASE(test_user_memory),
	KUNIT_CASE(test_highest_visible),
	KUNIT_CASE(test_chosen_memory_is_visible),
	KUNIT_CASE(test_linked),
	KUNIT_CASE_PARAM(test_second_buffer, second_gen_params),
	{}
};

static struct kunit_suite isolation_suite = {
	.name = "wddmcompat-dxgk-isolation",
	.suite_init = fake_suite_init,
	.suite_exit = fake_suite_exit,
	.init = isolation_init,
	.exit = fake_exit,
	.test_cases = isolation_cases,
};

kunit_test_suite(isolation_suite);
