// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory callbacks of WDDM 2.4: contiguous memory, pages for an MDL, and the
 * miniport's own MDLs; each remapped and 1:1.
 */
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dxgk_fixture.h"

#define P PAGE_SIZE
#define BYTES_MAX ((u64)U32_MAX - PAGE_SIZE + 1)
#define CACHED DXGK_MEMORY_CACHING_TYPE_CACHED
#define NON_CACHED DXGK_MEMORY_CACHING_TYPE_NON_CACHED
#define WRITE_COMBINED DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED
/* More than the test machine has */
#define NO_MEMORY_THERE SZ_1T

KUNIT_ARRAY_PARAM_DESC(mode, fake_modes, name);

static NTSTATUS free_contiguous(HANDLE memory)
{
	const DXGKARGCB_FREECONTIGUOUSMEMORY args = { memory };

	return dxgk.DxgkCbFreeContiguousMemory(fake.lead, &args);
}

static NTSTATUS free_pages_of(HANDLE memory)
{
	const DXGKARGCB_FREEPAGESFROMMDL args = { memory };

	return dxgk.DxgkCbFreePagesFromMdl(fake.lead, &args);
}

static void unmap(HANDLE memory)
{
	const DXGKARGCB_UNMAPMDLFROMIOMMU args = { memory };

	dxgk.DxgkCbUnmapMdlFromIoMmu(fake.lead, &args);
}

static NTSTATUS map(PMDL mdl, HANDLE *memory)
{
	DXGKARGCB_MAPMDLTOIOMMU args = { .pMdl = mdl };
	NTSTATUS status = dxgk.DxgkCbMapMdlToIoMmu(fake.lead, &args);

	*memory = args.hMemoryHandle;
	return status;
}

static bool is_memory(HANDLE memory)
{
	u64 logical;

	return !dxgk_logical_address(fake.lead, memory, 0, &logical);
}

static bool crosses(u64 start, u64 bytes, u64 boundary)
{
	return boundary && start / boundary != (start + bytes - 1) / boundary;
}

/* Contiguous memory */

struct contiguous_row {
	const char *name;
	u64 bytes;
	u64 low;
	u64 high;
	u64 boundary;
	unsigned int cache;
	NTSTATUS status;
};

#define BAD STATUS_INVALID_PARAMETER
#define NONE STATUS_INSUFFICIENT_RESOURCES
#define ALL U64_MAX

static const struct contiguous_row contiguous_rows[] = {
	{ "a byte", 1, 0, ALL, 0, CACHED },
	{ "a page", P, 0, ALL, 0, CACHED },
	{ "a page and a byte", P + 1, 0, ALL, 0, CACHED },
	{ "many pages", 37 * P, 0, ALL, 0, CACHED },
	{ "non-cached", 3 * P, 0, ALL, 0, NON_CACHED },
	{ "write-combined", 3 * P, 0, ALL, 0, WRITE_COMBINED },
	{ "low", 2 * P, 0, SZ_16M - 1, 0, CACHED },
	{ "28 bits", 16 * P, 0, SZ_256M - 1, 0, CACHED },
	{ "not low", 2 * P, SZ_32M, SZ_512M - 1, 0, CACHED },
	{ "an exact place", 4 * P, SZ_64M, SZ_128M - 1, SZ_64M, CACHED },
	{ "in one block", 4 * P, 0, ALL, 4 * P, CACHED },
	{ "in one large block", 5 * P, 0, ALL, SZ_64K, CACHED },
	{ "high signed", P, 0, S64_MAX, 0, CACHED },
	{ "0 bytes", 0, 0, ALL, 0, CACHED, BAD },
	{ "more than an MDL", BYTES_MAX + 1, 0, ALL, 0, CACHED, BAD },
	{ "far more", ALL, 0, ALL, 0, CACHED, BAD },
	{ "no power of two", P, 0, ALL, 3 * P, CACHED, BAD },
	{ "a small boundary", 2 * P, 0, ALL, P, CACHED, BAD },
	{ "a boundary within a page", 1, 0, ALL, P / 2, CACHED, BAD },
	{ "low above high", P, SZ_16M, SZ_16M - 1, 0, CACHED, BAD },
	{ "no cache type", P, 0, ALL, 0, WRITE_COMBINED + 1, BAD },
	{ "a short range", P, SZ_32M, SZ_32M + P - 2, 0, CACHED, NONE },
	{ "no memory there", P, NO_MEMORY_THERE, ALL, 0, CACHED, NONE },
	{ "more than there is", BYTES_MAX, 0, ALL, 0, CACHED, NONE },
};

static NTSTATUS allocate_contiguous(const struct contiguous_row *row,
				    DXGKARGCB_ALLOCATECONTIGUOUSMEMORY *args)
{
	*args = (DXGKARGCB_ALLOCATECONTIGUOUSMEMORY){
		.NumberOfBytes = row->bytes,
		.LowestAcceptableAddress = phys(row->low),
		.HighestAcceptableAddress = phys(row->high),
		.BoundaryAddressMultiple = phys(row->boundary),
		.CacheType = row->cache,
		.hMemoryHandle = garbage(),
		.pMemory = garbage(),
	};
	return dxgk.DxgkCbAllocateContiguousMemory(fake.lead, args);
}

static void expect_contiguous(struct kunit *test,
			      const struct contiguous_row *row,
			      const DXGKARGCB_ALLOCATECONTIGUOUSMEMORY *args)
{
	u64 first = fake_physical(args->pMemory);
	u64 bytes = ROUND_TO_PAGES(row->bytes);
	u64 logical = fake_logical(test, args->hMemoryHandle, 0);
	u8 *memory = args->pMemory;
	u64 i;

	KUNIT_EXPECT_GE(test, first, row->low);
	KUNIT_EXPECT_LE(test, first + bytes - 1, row->high);
	KUNIT_EXPECT_FALSE(test, crosses(first, bytes, row->boundary));
	KUNIT_EXPECT_FALSE(test, crosses(logical, bytes, row->boundary));
	for (i = 0; i < bytes; i += P) {
		KUNIT_EXPECT_EQ(test, fake_physical(memory + i), first + i);
		KUNIT_EXPECT_NULL(test, memchr_inv(memory + i, 0, P));
		memset(memory + i, 0xff, P);
		if (i < row->bytes)
			KUNIT_EXPECT_EQ(test,
					fake_logical(test, args->hMemoryHandle,
						     i),
					logical + i);
	}
	if (fake.iommu_caps.IommuIsolationSupported)
		KUNIT_EXPECT_EQ(test, logical, first);
}

static void run_contiguous(struct kunit *test, const struct contiguous_row *row)
{
	DXGKARGCB_ALLOCATECONTIGUOUSMEMORY args;
	NTSTATUS status;

	status = allocate_contiguous(row, &args);
	KUNIT_EXPECT_EQ_MSG(test, status, row->status, "%s", row->name);
	if (!NT_SUCCESS(status)) {
		KUNIT_EXPECT_NULL(test, args.hMemoryHandle);
		KUNIT_EXPECT_NULL(test, args.pMemory);
		return;
	}
	expect_contiguous(test, row, &args);
	KUNIT_EXPECT_EQ(test, free_contiguous(args.hMemoryHandle),
			STATUS_SUCCESS);
	KUNIT_EXPECT_FALSE(test, is_memory(args.hMemoryHandle));
	KUNIT_EXPECT_EQ(test, free_contiguous(args.hMemoryHandle),
			STATUS_INVALID_HANDLE);
}

static void test_contiguous(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(contiguous_rows); i++)
		run_contiguous(test, &contiguous_rows[i]);
}

static const struct contiguous_row one_page = { "", P, 0, ALL, 0, CACHED };

/* The device reaches it until it is freed, and so does a linked one */
static void test_contiguous_dma(struct kunit *test)
{
	const struct contiguous_row row = { "", 2 * P, 0, ALL, 0, NON_CACHED };
	DXGKARGCB_ALLOCATECONTIGUOUSMEMORY args;
	u64 logical;

	KUNIT_ASSERT_EQ(test, allocate_contiguous(&row, &args), 0);
	logical = fake_logical(test, args.hMemoryHandle, P);
	fake_reaches(test, 0, logical, args.pMemory + P);
	fake_reaches(test, 1, logical, args.pMemory + P);
	KUNIT_EXPECT_EQ(test, free_contiguous(args.hMemoryHandle), 0);
}

/* Freed, it is nobody's */
static void test_contiguous_dma_ends(struct kunit *test)
{
	struct page *page;
	DXGKARGCB_ALLOCATECONTIGUOUSMEMORY args;
	u64 logical;

	KUNIT_ASSERT_EQ(test, allocate_contiguous(&one_page, &args), 0);
	logical = fake_logical(test, args.hMemoryHandle, 0);
	/* Keep the page, so that its bytes can be looked at */
	page = pfn_to_page(PHYS_PFN(fake_physical(args.pMemory)));
	get_page(page);
	KUNIT_EXPECT_EQ(test, free_contiguous(args.hMemoryHandle), 0);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	fake_reaches_not(test, 0, logical, page_address(page));
	put_page(page);
}

/* Pages for an MDL */

struct pages_row {
	const char *name;
	u64 bytes;
	u64 low;
	u64 high;
	u64 skip;
	unsigned int cache;
	ULONG flags;
	NTSTATUS status;
};

#define CHUNKS MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS
#define NOT_SUPPORTED STATUS_NOT_SUPPORTED

static const struct pages_row pages_rows[] = {
	{ "a byte", 1, 0, ALL, 0, CACHED, 0 },
	{ "a page", P, 0, ALL, 0, CACHED, 0 },
	{ "some pages", 5 * P + 1, 0, ALL, 0, CACHED, 0 },
	{ "fully required", 9 * P, 0, ALL, 0, CACHED, MM_ALLOCATE_FULLY_REQUIRED },
	{ "prefer contiguous", 9 * P, 0, ALL, 0, CACHED,
	  MM_ALLOCATE_PREFER_CONTIGUOUS },
	{ "not zeroed", 2 * P, 0, ALL, 0, CACHED, MM_DONT_ZERO_ALLOCATION },
	{ "non-cached", 3 * P, 0, ALL, 0, NON_CACHED, 0 },
	{ "write-combined", 3 * P, 0, ALL, 0, WRITE_COMBINED, 0 },
	{ "low", 4 * P, 0, SZ_16M - 1, 0, CACHED, 0 },
	{ "not low", 4 * P, SZ_512M, SZ_1G - 1, 0, CACHED, 0 },
	{ "skip unused", 4 * P, 0, SZ_256M - 1, SZ_1G, CACHED, 0 },
	{ "skip once", 2 * P, 0, P - 1, SZ_16M, CACHED, 0 },
	{ "one chunk", 4 * P, 0, ALL, 0, CACHED, CHUNKS },
	{ "chunks", 8 * P, 0, ALL, 4 * P, CACHED, CHUNKS },
	{ "0 bytes", 0, 0, ALL, 0, CACHED, 0, BAD },
	{ "more than an MDL", BYTES_MAX + 1, 0, ALL, 0, CACHED, 0, BAD },
	{ "far more", ALL, 0, ALL, 0, CACHED, 0, BAD },
	{ "skip a byte", P, 0, ALL, 1, CACHED, 0, BAD },
	{ "skip a page and a byte", P, 0, ALL, P + 1, CACHED, 0, BAD },
	{ "skip backwards", 2 * P, SZ_64M, SZ_64M + P - 1, (u64)0 - P, CACHED, 0,
	  BAD },
	{ "low above high", P, P, 0, 0, CACHED, 0, BAD },
	{ "no cache type", P, 0, ALL, 0, WRITE_COMBINED + 1, 0, BAD },
	{ "unknown flag", P, 0, ALL, 0, CACHED, 0x80, BAD },
	{ "last unknown flag", P, 0, ALL, 0, CACHED, 0x80000000, BAD },
	{ "chunks of 3 pages", 6 * P, 0, ALL, 3 * P, CACHED, CHUNKS, BAD },
	{ "half a chunk", 6 * P, 0, ALL, 4 * P, CACHED, CHUNKS, BAD },
	{ "local", P, 0, ALL, 0, CACHED, MM_ALLOCATE_FROM_LOCAL_NODE_ONLY,
	  NOT_SUPPORTED },
	{ "no wait", P, 0, ALL, 0, CACHED, MM_ALLOCATE_NO_WAIT, NOT_SUPPORTED },
	{ "hot remove", P, 0, ALL, 0, CACHED, MM_ALLOCATE_AND_HOT_REMOVE,
	  NOT_SUPPORTED },
	{ "large pages", SZ_2M, 0, ALL, 0, CACHED, MM_ALLOCATE_FAST_LARGE_PAGES,
	  NOT_SUPPORTED },
	{ "a short range", 2 * P, SZ_64M, SZ_64M + P - 1, 0, CACHED, 0, NONE },
	{ "no memory there", P, NO_MEMORY_THERE, ALL, 0, CACHED, 0, NONE },
};

static NTSTATUS allocate_pages_for(const struct pages_row *row,
				   DXGKARGCB_ALLOCATEPAGESFORMDL *args)
{
	*args = (DXGKARGCB_ALLOCATEPAGESFORMDL){
		.LowAddress = phys(row->low),
		.HighAddress = phys(row->high),
		.SkipBytes = phys(row->skip),
		.TotalBytes = row->bytes,
		.CacheType = row->cache,
		.Flags = row->flags,
		.hMemoryHandle = garbage(),
		.pMdl = garbage(),
	};
	return dxgk.DxgkCbAllocatePagesForMdl(fake.lead, args);
}

/* Is the page in the range, or where it is repeated? */
static bool row_has(const struct pages_row *row, u64 start)
{
	u64 offset = start - row->low;

	if (start < row->low)
		return false;
	if (row->skip && !(row->flags & CHUNKS))
		offset %= row->skip;
	return offset + P - 1 <= row->high - row->low;
}

static void expect_pages(struct kunit *test, const struct pages_row *row,
			 const DXGKARGCB_ALLOCATEPAGESFORMDL *args)
{
	PPFN_NUMBER pfns = MmGetMdlPfnArray(args->pMdl);
	u64 i, num = BYTES_TO_PAGES(row->bytes);
	u64 chunk = row->skip ? row->skip / P : num;
	u8 *memory;

	KUNIT_EXPECT_EQ(test, MmGetMdlByteCount(args->pMdl), row->bytes);
	KUNIT_EXPECT_EQ(test, MmGetMdlByteOffset(args->pMdl), 0);
	KUNIT_EXPECT_NULL(test, MmGetMdlBaseVa(args->pMdl));
	KUNIT_EXPECT_TRUE(test, args->pMdl->MdlFlags & MDL_PAGES_LOCKED);
	memory = MmGetSystemAddressForMdlSafe(args->pMdl, NormalPagePriority);
	KUNIT_ASSERT_NOT_NULL(test, memory);
	for (i = 0; i < num; i++) {
		KUNIT_EXPECT_TRUE(test, row_has(row, PFN_PHYS(pfns[i])));
		KUNIT_EXPECT_EQ(test, fake_physical(memory + i * P),
				PFN_PHYS(pfns[i]));
		if (row->flags & CHUNKS && i % chunk)
			KUNIT_EXPECT_EQ(test, pfns[i], pfns[i - 1] + 1);
		if (!(row->flags & MM_DONT_ZERO_ALLOCATION))
			KUNIT_EXPECT_NULL(test,
					  memchr_inv(memory + i * P, 0, P));
		memset(memory + i * P, 0xff, P);
		if (fake.iommu_caps.IommuIsolationSupported)
			KUNIT_EXPECT_EQ(test,
					fake_logical(test, args->hMemoryHandle,
						     i * P),
					PFN_PHYS(pfns[i]));
	}
}

static void run_pages(struct kunit *test, const struct pages_row *row)
{
	DXGKARGCB_ALLOCATEPAGESFORMDL args;
	NTSTATUS status;

	status = allocate_pages_for(row, &args);
	KUNIT_EXPECT_EQ_MSG(test, status, row->status, "%s", row->name);
	if (!NT_SUCCESS(status)) {
		KUNIT_EXPECT_NULL(test, args.hMemoryHandle);
		KUNIT_EXPECT_NULL(test, args.pMdl);
		return;
	}
	expect_pages(test, row, &args);
	KUNIT_EXPECT_EQ(test, free_pages_of(args.hMemoryHandle), STATUS_SUCCESS);
	KUNIT_EXPECT_FALSE(test, is_memory(args.hMemoryHandle));
	KUNIT_EXPECT_EQ(test, free_pages_of(args.hMemoryHandle),
			STATUS_INVALID_HANDLE);
}

static void test_pages(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pages_rows); i++)
		run_pages(test, &pages_rows[i]);
}

static void test_pages_dma(struct kunit *test)
{
	const struct pages_row row = { "", 2 * P, 0, ALL, 0, CACHED, 0 };
	DXGKARGCB_ALLOCATEPAGESFORMDL args;
	struct page *page;
	u64 logical;
	u8 *memory;

	KUNIT_ASSERT_EQ(test, allocate_pages_for(&row, &args), 0);
	memory = MmGetSystemAddressForMdlSafe(args.pMdl, HighPagePriority);
	KUNIT_ASSERT_NOT_NULL(test, memory);
	/* The MDL is the callback's */
	MmUnlockPages(args.pMdl);
	IoFreeMdl(args.pMdl);
	KUNIT_EXPECT_TRUE(test, args.pMdl->MdlFlags & MDL_PAGES_LOCKED);
	logical = fake_logical(test, args.hMemoryHandle, P);
	fake_reaches(test, 0, logical, memory + P);

	page = pfn_to_page(MmGetMdlPfnArray(args.pMdl)[1]);
	get_page(page);
	KUNIT_EXPECT_EQ(test, free_pages_of(args.hMemoryHandle), 0);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	fake_reaches_not(test, 0, logical, page_address(page));
	put_page(page);
}

/* MDLs of the miniport's */

static void test_map_kernel_memory(struct kunit *test)
{
	u8 *pages = fake_pages(test, 1);
	PMDL mdl = fake_mdl(test, pages + 10, 2 * P - 20);
	u64 logical, first;
	HANDLE memory;

	KUNIT_ASSERT_EQ(test, map(mdl, &memory), STATUS_SUCCESS);
	/* It stays without the MDL */
	IoFreeMdl(mdl);
	first = fake_logical(test, memory, 0);
	KUNIT_EXPECT_EQ(test, first % P, 10);
	if (fake_isolated(test))
		KUNIT_EXPECT_EQ(test, first, virt_to_phys(pages) + 10);
	KUNIT_EXPECT_EQ(test, fake_logical(test, memory, 2 * P - 21),
			first + 2 * P - 21);
	KUNIT_EXPECT_EQ(test,
			dxgk_logical_address(fake.lead, memory, 2 * P - 20,
					     &logical),
			-ERANGE);
	KUNIT_EXPECT_EQ(test,
			dxgk_logical_address(fake.lead, memory, ALL, &logical),
			-ERANGE);
	fake_reaches(test, 0, first, pages + 10);

	unmap(memory);
	KUNIT_EXPECT_EQ(test,
			dxgk_logical_address(fake.lead, memory, 0, &logical),
			-ENXIO);
	fake_reaches_not(test, 0, first, pages + 10);
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(pages)), 1);
	/* Again: nothing happens */
	unmap(memory);
}

/* Handles of another kind, or of nothing, name nothing */
static void test_kinds(struct kunit *test)
{
	const struct pages_row pages_row = { "", P, 0, ALL, 0, CACHED, 0 };
	PMDL mdl = fake_mdl(test, fake_pages(test, 0), P);
	DXGKARGCB_ALLOCATECONTIGUOUSMEMORY contiguous;
	DXGKARGCB_ALLOCATEPAGESFORMDL pages;
	HANDLE mapped, wrong[] = { NULL, garbage(), (HANDLE)-1, fake.lead };
	unsigned int i;

	KUNIT_ASSERT_EQ(test, allocate_contiguous(&one_page, &contiguous), 0);
	KUNIT_ASSERT_EQ(test, allocate_pages_for(&pages_row, &pages), 0);
	KUNIT_ASSERT_EQ(test, map(mdl, &mapped), 0);
	IoFreeMdl(mdl);

	KUNIT_EXPECT_EQ(test, free_pages_of(contiguous.hMemoryHandle),
			STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, free_pages_of(mapped), STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, free_contiguous(pages.hMemoryHandle),
			STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, free_contiguous(mapped), STATUS_INVALID_HANDLE);
	unmap(contiguous.hMemoryHandle);
	unmap(pages.hMemoryHandle);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		KUNIT_EXPECT_EQ(test, free_pages_of(wrong[i]),
				STATUS_INVALID_HANDLE);
		KUNIT_EXPECT_EQ(test, free_contiguous(wrong[i]),
				STATUS_INVALID_HANDLE);
		unmap(wrong[i]);
		KUNIT_EXPECT_FALSE(test, is_memory(wrong[i]));
	}

	KUNIT_EXPECT_TRUE(test, is_memory(contiguous.hMemoryHandle));
	KUNIT_EXPECT_TRUE(test, is_memory(pages.hMemoryHandle));
	KUNIT_EXPECT_TRUE(test, is_memory(mapped));
	KUNIT_EXPECT_EQ(test, free_contiguous(contiguous.hMemoryHandle), 0);
	KUNIT_EXPECT_EQ(test, free_pages_of(pages.hMemoryHandle), 0);
	unmap(mapped);
}

/* What is not locked, or cannot be pinned */
static void test_map_refuses(struct kunit *test)
{
	void *small = kunit_kzalloc(test, 64, GFP_KERNEL);
	u8 *page = fake_pages(test, 0);
	PMDL unlocked = IoAllocateMdl(page, P, false, false, NULL);
	PMDL locked = fake_mdl(test, page, P);
	PMDL slab, other;
	HANDLE memory;

	KUNIT_ASSERT_NOT_NULL(test, small);
	KUNIT_ASSERT_NOT_NULL(test, unlocked);
	KUNIT_EXPECT_EQ(test, map(NULL, &memory), STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, map(unlocked, &memory), STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_NULL(test, memory);
	/* Anywhere in a chain */
	locked->Next = unlocked;
	KUNIT_EXPECT_EQ(test, map(locked, &memory), STATUS_INVALID_PARAMETER);
	locked->Next = NULL;
	/* Fields that only the miniport itself can have written */
	locked->ByteCount = 0;
	KUNIT_EXPECT_EQ(test, map(locked, &memory), STATUS_INVALID_PARAMETER);
	locked->ByteCount = P;
	locked->ByteOffset = P;
	KUNIT_EXPECT_EQ(test, map(locked, &memory), STATUS_INVALID_PARAMETER);
	locked->ByteOffset = 0;
	MmGetMdlPfnArray(locked)[0] = PHYS_PFN(1ULL << 45);
	KUNIT_EXPECT_EQ(test, map(locked, &memory), STATUS_NOT_SUPPORTED);
	MmGetMdlPfnArray(locked)[0] = PHYS_PFN(virt_to_phys(page));
	/* One contiguous range is read-only or it is not */
	other = fake_mdl(test, fake_pages(test, 0), P);
	other->MdlFlags &= ~MDL_WRITE_OPERATION;
	locked->Next = other;
	if (!fake_isolated(test))
		KUNIT_EXPECT_EQ(test, map(locked, &memory),
				STATUS_INVALID_PARAMETER);
	locked->Next = NULL;
	IoFreeMdl(other);
	slab = fake_mdl(test, small, 64);
	KUNIT_EXPECT_EQ(test, map(slab, &memory), STATUS_NOT_SUPPORTED);
	KUNIT_EXPECT_NULL(test, memory);
	IoFreeMdl(slab);
	IoFreeMdl(locked);
	IoFreeMdl(unlocked);
}

/* A chain is one memory; 1024 are the most */
static void test_chain(struct kunit *test)
{
	enum { MOST = 1024, ORDER = 2 };
	u8 *pages = fake_pages(test, ORDER);
	PMDL *mdls = kunit_kcalloc(test, MOST + 1, sizeof(*mdls), GFP_KERNEL);
	u64 offset, logical;
	HANDLE memory;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, mdls);
	/* Pieces of 13 bytes, which together are less than the pages */
	for (i = 0; i <= MOST; i++) {
		mdls[i] = fake_mdl(test, pages + 13 * i, 13);
		if (i && i < MOST)
			mdls[i - 1]->Next = mdls[i];
	}
	KUNIT_ASSERT_EQ(test, map(mdls[0], &memory), STATUS_SUCCESS);
	for (offset = 0; offset < 13 * MOST; offset += 1009) {
		u64 at = fake_logical(test, memory, offset);

		KUNIT_EXPECT_EQ(test, at % P, offset % P);
		if (fake_isolated(test))
			KUNIT_EXPECT_EQ(test, at,
					virt_to_phys(pages) + offset);
	}
	KUNIT_EXPECT_EQ(test,
			dxgk_logical_address(fake.lead, memory, 13 * MOST,
					     &logical),
			-ERANGE);
	unmap(memory);

	mdls[MOST - 1]->Next = mdls[MOST];
	KUNIT_EXPECT_EQ(test, map(mdls[0], &memory), STATUS_INVALID_PARAMETER);
	for (i = 0; i <= MOST; i++)
		IoFreeMdl(mdls[i]);
}

static void test_map_twice(struct kunit *test)
{
	u8 *page = fake_pages(test, 0);
	PMDL mdl = fake_mdl(test, page, P);
	HANDLE first, second;
	NTSTATUS status;
	u64 logical;

	KUNIT_ASSERT_EQ(test, map(mdl, &first), STATUS_SUCCESS);
	logical = fake_logical(test, first, 0);
	status = map(mdl, &second);
	if (fake_isolated(test)) {
		KUNIT_EXPECT_EQ(test, status, STATUS_CONFLICTING_ADDRESSES);
		KUNIT_EXPECT_NULL(test, second);
	} else {
		KUNIT_EXPECT_EQ(test, status, STATUS_SUCCESS);
		KUNIT_EXPECT_PTR_NE(test, first, second);
		unmap(first);
		fake_reaches_not(test, 0, logical, page);
		fake_reaches(test, 0, fake_logical(test, second, 0), page);
		unmap(second);
	}
	if (fake_isolated(test)) {
		fake_reaches(test, 0, logical, page);
		unmap(first);
	}
	IoFreeMdl(mdl);
}

static PMDL lock_user(struct kunit *test, unsigned long user, ULONG bytes,
		      LOCK_OPERATION operation)
{
	PMDL mdl = IoAllocateMdl((void *)user, bytes, false, false, NULL);

	KUNIT_ASSERT_NOT_NULL(test, mdl);
	KUNIT_ASSERT_EQ(test, MmProbeAndLockPages(mdl, UserMode, operation),
			STATUS_SUCCESS);
	return mdl;
}

/* Anonymous memory, by its own process; the pages stay when process and MDL go */
static void test_map_user_memory(struct kunit *test)
{
	struct mm_struct *other, *mm = fake_mm_new(test);
	unsigned long user = fake_user_pages(test, 2, PROT_READ | PROT_WRITE);
	PMDL mdl = lock_user(test, user + 100, P, IoModifyAccess);
	struct page *page = pfn_to_page(MmGetMdlPfnArray(mdl)[0]);
	HANDLE memory, refused;

	KUNIT_ASSERT_EQ(test, map(mdl, &memory), STATUS_SUCCESS);
	get_page(page);

	kthread_unuse_mm(mm);
	KUNIT_EXPECT_EQ(test, map(mdl, &refused), STATUS_NOT_SUPPORTED);
	other = fake_mm_new(test);
	KUNIT_EXPECT_EQ(test, map(mdl, &refused), STATUS_NOT_SUPPORTED);
	fake_mm_free(other);

	MmUnlockPages(mdl);
	IoFreeMdl(mdl);
	fake_mm_free(mm);
	fake_reaches(test, 0, fake_logical(test, memory, 0),
		     page_address(page) + 100);
	unmap(memory);
	put_page(page);
}

/* MDLs of a process' memory: two that follow each other there, and one that does not */
static void test_map_user_chain(struct kunit *test)
{
	static const unsigned int at[] = { 0, 1, 3 };
	struct mm_struct *mm = fake_mm_new(test);
	unsigned long user = fake_user_pages(test, 4, PROT_READ | PROT_WRITE);
	PMDL mdls[ARRAY_SIZE(at)];
	struct page *page;
	HANDLE memory;
	int i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		mdls[i] = lock_user(test, user + at[i] * P, P, IoModifyAccess);
		if (i)
			mdls[i - 1]->Next = mdls[i];
	}
	KUNIT_ASSERT_EQ(test, map(mdls[0], &memory), STATUS_SUCCESS);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		page = pfn_to_page(MmGetMdlPfnArray(mdls[i])[0]);
		fake_reaches(test, 0, fake_logical(test, memory, i * P),
			     page_address(page));
	}
	unmap(memory);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		MmUnlockPages(mdls[i]);
		IoFreeMdl(mdls[i]);
	}
	fake_mm_free(mm);
}

/**
 * struct spy - Looks for the page that a command for iommufd is in
 * @mm: Where it is while a miniport has an MDL of the process mapped
 * @seen: How often it was there
 * @open: How often the process could have touched it
 */
struct spy {
	struct mm_struct *mm;
	unsigned int seen;
	unsigned int open;
};

static bool is_command_page(const struct vm_area_struct *vma)
{
	const char *name = "[wddmcompat]";

	return vma->vm_file &&
	       !strcmp(vma->vm_file->f_path.dentry->d_name.name, name);
}

static int spy_thread(void *data)
{
	struct vm_area_struct *vma;
	struct spy *spy = data;

	while (!kthread_should_stop()) {
		VMA_ITERATOR(vmi, spy->mm, 0);

		mmap_read_lock(spy->mm);
		for_each_vma(vmi, vma) {
			if (!is_command_page(vma))
				continue;
			spy->seen++;
			/* Not sealed only when it is about to be unmapped */
			spy->open += !!(vma->vm_flags &
					(VM_WRITE | VM_MAYWRITE));
		}
		mmap_read_unlock(spy->mm);
		cond_resched();
	}
	return 0;
}

/* What it does not see in so many maps, there is not */
#define SPY_MAPS 2000

/* The process that a miniport works for must not write to a command */
static void test_command_is_not_touched(struct kunit *test)
{
	struct spy spy = { .mm = fake_mm_new(test) };
	unsigned long user = fake_user_pages(test, 1, PROT_READ | PROT_WRITE);
	PMDL mdl = lock_user(test, user, P, IoModifyAccess);
	struct task_struct *thread = kthread_run(spy_thread, &spy, "spy");
	HANDLE memory;
	int i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	for (i = 0; i < SPY_MAPS && READ_ONCE(spy.seen) < 10; i++) {
		KUNIT_EXPECT_EQ(test, map(mdl, &memory), STATUS_SUCCESS);
		unmap(memory);
	}
	kthread_stop(thread);
	KUNIT_EXPECT_GT(test, spy.seen, 0);
	KUNIT_EXPECT_EQ(test, spy.open, 0);
	MmUnlockPages(mdl);
	IoFreeMdl(mdl);
	fake_mm_free(spy.mm);
}

/**
 * struct give_back - Memory that two threads give back
 * @memory: The memory
 * @ready: How many are
 * @status: What the second was told
 * @done: That it was
 */
struct give_back {
	HANDLE memory;
	atomic_t ready;
	NTSTATUS status;
	struct completion done;
};

static void go_together(struct give_back *both)
{
	atomic_inc(&both->ready);
	while (atomic_read(&both->ready) < 2)
		cond_resched();
}

static int give_back_thread(void *data)
{
	struct give_back *both = data;

	go_together(both);
	both->status = free_contiguous(both->memory);
	complete(&both->done);
	return 0;
}

#define GIVE_BACK_ROUNDS 50

/* Of two threads one does it, and the other is told that there is nothing */
static void test_given_back_once(struct kunit *test)
{
	const struct contiguous_row row = { "a page", P, 0, ALL, 0, CACHED };
	DXGKARGCB_ALLOCATECONTIGUOUSMEMORY args;
	struct give_back both;
	NTSTATUS status;
	int i;

	for (i = 0; i < GIVE_BACK_ROUNDS; i++) {
		KUNIT_ASSERT_EQ(test, allocate_contiguous(&row, &args), 0);
		both.memory = args.hMemoryHandle;
		atomic_set(&both.ready, 0);
		init_completion(&both.done);
		KUNIT_ASSERT_FALSE(test,
				   IS_ERR(kthread_run(give_back_thread, &both,
						      "give-back")));
		go_together(&both);
		status = free_contiguous(both.memory);
		wait_for_completion(&both.done);
		KUNIT_EXPECT_EQ(test, (status == 0) + (both.status == 0), 1);
	}
}

/* Locked for reading: the device reads and does not write */
static void test_read_only(struct kunit *test)
{
	struct mm_struct *mm = fake_mm_new(test);
	unsigned long user = fake_user_pages(test, 1, PROT_READ | PROT_WRITE);
	PMDL mdl, writable = lock_user(test, user, P, IoWriteAccess);
	u8 *bytes = page_address(pfn_to_page(MmGetMdlPfnArray(writable)[0]));
	HANDLE memory;
	u64 logical;

	mdl = lock_user(test, user, P, IoReadAccess);
	KUNIT_ASSERT_EQ(test, map(mdl, &memory), STATUS_SUCCESS);
	logical = fake_logical(test, memory, 0);
	memset(bytes, 0x77, P);
	fake_dma(test, 0, logical, false);
	fake_reaches_not(test, 0, logical, bytes);
	unmap(memory);

	/* It did read it */
	KUNIT_ASSERT_EQ(test, map(writable, &memory), STATUS_SUCCESS);
	fake_dma(test, 0, fake_logical(test, memory, 0), true);
	KUNIT_EXPECT_NULL(test, memchr_inv(bytes, 0x77, FAKE_DMA_BYTES));
	unmap(memory);

	MmUnlockPages(mdl);
	IoFreeMdl(mdl);
	MmUnlockPages(writable);
	IoFreeMdl(writable);
	fake_mm_free(mm);
}

/* Part of a locked MDL is as locked */
static void test_map_partial(struct kunit *test)
{
	u8 *pages = fake_pages(test, 1);
	PMDL source = fake_mdl(test, pages, 2 * P);
	PMDL partial = IoAllocateMdl(pages + P, P, false, false, NULL);
	HANDLE memory;

	KUNIT_ASSERT_NOT_NULL(test, partial);
	IoBuildPartialMdl(source, partial, pages + P, P);
	KUNIT_ASSERT_EQ(test, map(partial, &memory), STATUS_SUCCESS);
	fake_reaches(test, 0, fake_logical(test, memory, 0), pages + P);
	unmap(memory);
	IoFreeMdl(partial);
	IoFreeMdl(source);
}

/* A narrow adapter: what it sees can be used, and no more */
static void test_narrow(struct kunit *test)
{
	enum { ORDER = 5, HALF = P << (ORDER - 1) };
	u8 *pages = fake_pages(test, ORDER);
	PMDL half = fake_mdl(test, pages, HALF);
	PMDL all = fake_mdl(test, pages, 2 * HALF);
	HANDLE first, second;
	u64 logical;

	fake_stop(&fake);
	fake.highest = 2 * HALF - 1;
	fake_restart(test);
	KUNIT_EXPECT_EQ(test, map(all, &first), STATUS_INSUFFICIENT_RESOURCES);
	KUNIT_ASSERT_EQ(test, map(half, &first), STATUS_SUCCESS);
	logical = fake_logical(test, first, HALF - 1);
	KUNIT_EXPECT_LT(test, logical, 2 * HALF);
	/* iommufd keeps the first page, and aligns what is large */
	KUNIT_EXPECT_EQ(test, map(half, &second),
			STATUS_INSUFFICIENT_RESOURCES);
	fake_reaches(test, 1, fake_logical(test, first, P), pages + P);
	unmap(first);
	IoFreeMdl(half);
	IoFreeMdl(all);
}

static struct kunit_case memory_cases[] = {
	KUNIT_CASE_PARAM(test_contiguous, mode_gen_params),
	KUNIT_CASE_PARAM(test_contiguous_dma, mode_gen_params),
	KUNIT_CASE_PARAM(test_contiguous_dma_ends, mode_gen_params),
	KUNIT_CASE_PARAM(test_pages, mode_gen_params),
	KUNIT_CASE_PARAM(test_pages_dma, mode_gen_params),
	KUNIT_CASE_PARAM(test_map_kernel_memory, mode_gen_params),
	KUNIT_CASE_PARAM(test_kinds, mode_gen_params),
	KUNIT_CASE_PARAM(test_map_refuses, mode_gen_params),
	KUNIT_CASE_PARAM_ATTR(test_chain, mode_gen_params, SLOW),
	KUNIT_CASE_PARAM(test_map_twice, mode_gen_params),
	KUNIT_CASE_PARAM(test_map_user_memory, mode_gen_params),
	KUNIT_CASE_PARAM(test_map_user_chain, mode_gen_params),
	KUNIT_CASE_PARAM(test_command_is_not_touched, mode_gen_params),
	KUNIT_CASE_PARAM(test_given_back_once, mode_gen_params),
	KUNIT_CASE_PARAM(test_read_only, mode_gen_params),
	KUNIT_CASE_PARAM(test_map_partial, mode_gen_params),
	KUNIT_CASE(test_narrow),
	{}
};

static struct kunit_suite memory_suite = {
	.name = "wddmcompat-dxgk-memory",
	.suite_init = fake_suite_init,
	.suite_exit = fake_suite_exit,
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = memory_cases,
};

kunit_test_suite(memory_suite);
