// SPDX-License-Identifier: GPL-2.0-only
/*
 * WDDM 2.9: physical memory objects, address descriptor lists of them, and addresses
 * for the CPU, of the kernel and of a user.
 */
#include <linux/file.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "dxgk_fixture.h"

#define P PAGE_SIZE
#define CACHED DXGK_MEMORY_CACHING_TYPE_CACHED
#define NON_CACHED DXGK_MEMORY_CACHING_TYPE_NON_CACHED
#define WRITE_COMBINED DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED
#define OF_MDL DXGK_PHYSICAL_MEMORY_TYPE_MDL
#define CONTIGUOUS DXGK_PHYSICAL_MEMORY_TYPE_CONTIGUOUS_MEMORY
#define SECTION DXGK_PHYSICAL_MEMORY_TYPE_SECTION
#define IO_SPACE DXGK_PHYSICAL_MEMORY_TYPE_IO_SPACE

KUNIT_ARRAY_PARAM_DESC(mode, fake_modes, name);

/**
 * struct object - A physical memory object that a test works with
 * @physical: hPhysicalMemoryObject
 * @opened: hAdapterMemoryObject
 */
struct object {
	HANDLE physical;
	HANDLE opened;
};

/* Arguments for an object of a type, which work */
static DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT
create_args(DXGK_PHYSICAL_MEMORY_TYPE type, SIZE_T bytes)
{
	DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT args = {
		.hAdapter = fake.lead,
		.Size = bytes,
		.Type = type,
		.CacheType = CACHED,
		.hPhysicalMemoryObject = garbage(),
		.hAdapterMemoryObject = garbage(),
	};

	switch (type) {
	case OF_MDL:
		args.Mdl.HighAddress = FAKE_ANYWHERE;
		break;
	case CONTIGUOUS:
		args.ContiguousMemory.HighestAcceptableAddress = FAKE_ANYWHERE;
		break;
	case SECTION:
		args.Section.DesiredAccess = SECTION_ALL_ACCESS;
		args.Section.PageProtection = PAGE_READWRITE;
		args.Section.AllocationAttributes = SEC_COMMIT;
		break;
	case IO_SPACE:
		args.IOSpace.BaseAddress =
			phys(pci_resource_start(to_pci_dev(fake.devs[0].dev), 0));
		args.CacheType = NON_CACHED;
		break;
	}
	return args;
}

static struct object create(struct kunit *test, DXGK_PHYSICAL_MEMORY_TYPE type,
			    SIZE_T bytes)
{
	DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT args = create_args(type, bytes);

	KUNIT_ASSERT_EQ(test, dxgk.DxgkCbCreatePhysicalMemoryObject(&args),
			STATUS_SUCCESS);
	KUNIT_EXPECT_NOT_NULL(test, args.hPhysicalMemoryObject);
	KUNIT_EXPECT_NOT_NULL(test, args.hAdapterMemoryObject);
	return (struct object){ args.hPhysicalMemoryObject,
				args.hAdapterMemoryObject };
}

static NTSTATUS open(HANDLE physical, HANDLE adapter, HANDLE *opened)
{
	DXGKARGCB_OPEN_PHYSICAL_MEMORY_OBJECT args = {
		.hPhysicalMemoryObject = physical,
		.hAdapter = adapter,
		.hAdapterMemoryObject = garbage(),
	};
	NTSTATUS status = dxgk.DxgkCbOpenPhysicalMemoryObject(&args);

	*opened = args.hAdapterMemoryObject;
	return status;
}

static void close(HANDLE opened)
{
	const DXGKARGCB_CLOSE_PHYSICAL_MEMORY_OBJECT args = { opened };

	dxgk.DxgkCbClosePhysicalMemoryObject(&args);
}

static void destroy(HANDLE physical, HANDLE opened)
{
	const DXGKARGCB_DESTROY_PHYSICAL_MEMORY_OBJECT args = { physical,
								opened };

	dxgk.DxgkCbDestroyPhysicalMemoryObject(&args);
}

static NTSTATUS map(HANDLE physical, DXGK_ACCESS_MODE mode, SIZE_T offset,
		    SIZE_T bytes, DXGKARGCB_MAP_PHYSICAL_MEMORY *args)
{
	*args = (DXGKARGCB_MAP_PHYSICAL_MEMORY){
		.hPhysicalMemoryObject = physical,
		.AccessMode = mode,
		.Offset = offset,
		.Size = bytes,
		.pMappedAddress = garbage(),
	};
	return dxgk.DxgkCbMapPhysicalMemory(args);
}

static NTSTATUS map_kernel(HANDLE physical, SIZE_T offset, SIZE_T bytes,
			   DXGKARGCB_MAP_PHYSICAL_MEMORY *args)
{
	return map(physical, DXGK_ACCESS_MODE_KERNEL_MODE, offset, bytes, args);
}

static NTSTATUS map_user(HANDLE physical, SIZE_T offset, SIZE_T bytes,
			 DXGKARGCB_MAP_PHYSICAL_MEMORY *args)
{
	return map(physical, DXGK_ACCESS_MODE_USER_MODE, offset, bytes, args);
}

static void unmap_at(HANDLE physical, PVOID base, SIZE_T bytes)
{
	const DXGKARGCB_UNMAP_PHYSICAL_MEMORY args = { physical, base, bytes };

	dxgk.DxgkCbUnmapPhysicalMemory(&args);
}

static void unmap(const DXGKARGCB_MAP_PHYSICAL_MEMORY *args)
{
	unmap_at(args->hPhysicalMemoryObject, args->pMappedAddress, args->Size);
}

static NTSTATUS allocate_adl(HANDLE opened, SIZE_T offset, SIZE_T bytes,
			     UINT flags, DXGK_ADL **adl)
{
	DXGKARGCB_ALLOCATE_ADL args = {
		.hAdapterMemoryObject = opened,
		.Offset = offset,
		.Size = bytes,
		.Flags.Value = flags,
		.pAdl = garbage(),
	};
	NTSTATUS status = dxgk.DxgkCbAllocateAdl(&args);

	*adl = args.pAdl;
	return status;
}

static void free_adl(HANDLE opened, DXGK_ADL *adl)
{
	const DXGKARGCB_FREE_ADL args = { opened, adl };

	dxgk.DxgkCbFreeAdl(&args);
}

#define REQUIRE 1
#define PREFER 2

static u64 adl_page(const DXGK_ADL *adl, UINT page)
{
	if (adl->Flags.Contiguous)
		return (u64)(adl->BasePageNumber + page) << PAGE_SHIFT;
	return (u64)adl->Pages[page] << PAGE_SHIFT;
}

/* Does a handle name an object? Ask, without an effect. */
static bool exists(HANDLE physical)
{
	DXGKARGCB_MAP_PHYSICAL_MEMORY args;

	return map_kernel(physical, 0, 0, &args) != STATUS_INVALID_HANDLE;
}

static bool is_open(HANDLE opened)
{
	DXGK_ADL *adl;

	return allocate_adl(opened, 0, 0, 0, &adl) != STATUS_INVALID_HANDLE;
}

/* Create: what is refused, and with which status */

#define BAD STATUS_INVALID_PARAMETER

struct create_row {
	const char *name;
	DXGK_PHYSICAL_MEMORY_TYPE type;
	u64 bytes;
	NTSTATUS status;
	void (*change)(DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT *args);
};

typedef DXGKARGCB_CREATE_PHYSICAL_MEMORY_OBJECT create_t;

static void no_cache_type(create_t *args)
{
	args->CacheType = WRITE_COMBINED + 1;
}

static void non_cached(create_t *args)
{
	args->CacheType = NON_CACHED;
}

static void write_combined(create_t *args)
{
	args->CacheType = WRITE_COMBINED;
}

static void no_type(create_t *args)
{
	args->Type = IO_SPACE + 1;
}

static void mdl_low_above_high(create_t *args)
{
	args->Mdl.LowAddress = phys(P);
	args->Mdl.HighAddress = phys(0);
}

static void mdl_skip_a_byte(create_t *args)
{
	args->Mdl.SkipBytes = phys(1);
}

static void mdl_skip_backwards(create_t *args)
{
	args->Mdl.SkipBytes = phys((u64)0 - P);
}

static void mdl_unknown_flag(create_t *args)
{
	args->Mdl.Flags = 0x80;
}

static void mdl_large_pages(create_t *args)
{
	args->Mdl.Flags = MM_ALLOCATE_FAST_LARGE_PAGES;
}

static void contiguous_boundary(create_t *args)
{
	args->ContiguousMemory.BoundaryAddressMultiple = phys(3 * P);
}

static void contiguous_low_above_high(create_t *args)
{
	args->ContiguousMemory.LowestAcceptableAddress = phys(P);
	args->ContiguousMemory.HighestAcceptableAddress = phys(0);
}

static void contiguous_low(create_t *args)
{
	args->ContiguousMemory.HighestAcceptableAddress = phys(SZ_16M - 1);
}

static void section_executable(create_t *args)
{
	args->Section.PageProtection = PAGE_EXECUTE;
}

static void section_unprotected(create_t *args)
{
	args->Section.PageProtection = 0;
}

static void section_readonly(create_t *args)
{
	args->Section.PageProtection = PAGE_READONLY;
}

static void section_no_attribute(create_t *args)
{
	args->Section.AllocationAttributes = 0;
}

static void section_unknown_attribute(create_t *args)
{
	args->Section.AllocationAttributes = SEC_COMMIT | 1;
}

static void section_object_attributes(create_t *args)
{
	args->Section.ObjectAttributes = garbage();
}

static void io_later(create_t *args)
{
	args->hAdapter = NULL;
}

static void io_unaligned(create_t *args)
{
	args->hAdapter = NULL;
	args->IOSpace.BaseAddress.QuadPart++;
}

static void io_memory(create_t *args)
{
	args->hAdapter = NULL;
	args->IOSpace.BaseAddress = phys(SZ_16M);
}

static void io_behind_the_end(create_t *args)
{
	args->hAdapter = NULL;
	args->IOSpace.BaseAddress = phys(iomem_resource.end + 1);
}

static void io_over_the_end(create_t *args)
{
	args->hAdapter = NULL;
	args->IOSpace.BaseAddress = phys(iomem_resource.end + 1 - P);
}

static void io_around_the_end(create_t *args)
{
	args->hAdapter = NULL;
	args->IOSpace.BaseAddress = phys((u64)0 - P);
}

static void garbage_adapter(create_t *args)
{
	args->hAdapter = garbage();
}

static void linked_adapter(create_t *args)
{
	args->hAdapter = fake.devs[1].interface.DeviceHandle;
}

static const struct create_row create_rows[] = {
	{ "MDL", OF_MDL, P },
	{ "a byte", OF_MDL, 1 },
	{ "MDL, non-cached", OF_MDL, 3 * P, 0, non_cached },
	{ "MDL, write-combined", OF_MDL, 3 * P, 0, write_combined },
	{ "contiguous", CONTIGUOUS, 5 * P },
	{ "contiguous, low", CONTIGUOUS, 5 * P, 0, contiguous_low },
	{ "contiguous, write-combined", CONTIGUOUS, 5 * P, 0, write_combined },
	{ "section", SECTION, 5 * P },
	{ "section, write-combined", SECTION, 2 * P, 0, write_combined },
	{ "section, read-only", SECTION, 2 * P, 0, section_readonly },
	{ "section, no attribute", SECTION, 2 * P, 0, section_no_attribute },
	{ "of a linked adapter", OF_MDL, P, 0, linked_adapter },
	{ "IO space, later", IO_SPACE, P, 0, io_later },
	{ "no size", OF_MDL, 0, BAD },
	{ "no size, contiguous", CONTIGUOUS, 0, BAD },
	{ "no size, section", SECTION, 0, BAD },
	{ "no size, IO space", IO_SPACE, 0, BAD, io_later },
	{ "too large", OF_MDL, U64_MAX, BAD },
	{ "too large, contiguous", CONTIGUOUS, U64_MAX, BAD },
	{ "no such type", OF_MDL, P, BAD, no_type },
	{ "no cache type", OF_MDL, P, BAD, no_cache_type },
	{ "no cache type, contiguous", CONTIGUOUS, P, BAD, no_cache_type },
	{ "no cache type, section", SECTION, P, BAD, no_cache_type },
	{ "MDL, low above high", OF_MDL, P, BAD, mdl_low_above_high },
	{ "MDL, skip a byte", OF_MDL, P, BAD, mdl_skip_a_byte },
	{ "MDL, skip backwards", OF_MDL, P, BAD, mdl_skip_backwards },
	{ "MDL, unknown flag", OF_MDL, P, BAD, mdl_unknown_flag },
	{ "MDL, large pages", OF_MDL, P, STATUS_NOT_SUPPORTED, mdl_large_pages },
	{ "contiguous, bad boundary", CONTIGUOUS, P, BAD, contiguous_boundary },
	{ "contiguous, low above high", CONTIGUOUS, P, BAD,
	  contiguous_low_above_high },
	{ "section, non-cached", SECTION, P, BAD, non_cached },
	{ "section, executable", SECTION, P, BAD, section_executable },
	{ "section, no protection", SECTION, P, BAD, section_unprotected },
	{ "section, unknown attribute", SECTION, P, BAD,
	  section_unknown_attribute },
	{ "section, object attributes", SECTION, P, BAD,
	  section_object_attributes },
	{ "IO space", IO_SPACE, P, STATUS_NOT_SUPPORTED },
	{ "IO space, unaligned", IO_SPACE, P, BAD, io_unaligned },
	{ "IO space in memory", IO_SPACE, P, BAD, io_memory },
	{ "IO space behind the end", IO_SPACE, P, BAD, io_behind_the_end },
	{ "IO space over the end", IO_SPACE, 2 * P, BAD, io_over_the_end },
	{ "IO space around the end", IO_SPACE, 2 * P, BAD, io_around_the_end },
	{ "garbage adapter", OF_MDL, P, STATUS_INVALID_HANDLE, garbage_adapter },
};

static void run_create(struct kunit *test, const struct create_row *row)
{
	create_t args = create_args(row->type, row->bytes);
	NTSTATUS status;

	if (row->change)
		row->change(&args);
	status = dxgk.DxgkCbCreatePhysicalMemoryObject(&args);
	KUNIT_EXPECT_EQ_MSG(test, status, row->status, "%s", row->name);
	if (!NT_SUCCESS(status)) {
		KUNIT_EXPECT_NULL(test, args.hPhysicalMemoryObject);
		KUNIT_EXPECT_NULL(test, args.hAdapterMemoryObject);
		return;
	}
	KUNIT_EXPECT_EQ(test, !args.hAdapterMemoryObject, !args.hAdapter);
	KUNIT_EXPECT_TRUE(test, exists(args.hPhysicalMemoryObject));
	destroy(args.hPhysicalMemoryObject, args.hAdapterMemoryObject);
	KUNIT_EXPECT_FALSE(test, exists(args.hPhysicalMemoryObject));
	KUNIT_EXPECT_FALSE(test, is_open(args.hAdapterMemoryObject));
}

static void test_create(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(create_rows); i++)
		run_create(test, &create_rows[i]);
}

/* Open, close, destroy */

static void test_open_later(struct kunit *test)
{
	create_t args = create_args(SECTION, P);
	HANDLE opened, again;

	args.hAdapter = NULL;
	KUNIT_ASSERT_EQ(test, dxgk.DxgkCbCreatePhysicalMemoryObject(&args), 0);
	KUNIT_EXPECT_NULL(test, args.hAdapterMemoryObject);
	KUNIT_EXPECT_EQ(test, open(args.hPhysicalMemoryObject, garbage(), &opened),
			STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_NULL(test, opened);
	KUNIT_EXPECT_EQ(test, open(args.hPhysicalMemoryObject, NULL, &opened),
			STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, open(garbage(), fake.lead, &opened),
			STATUS_INVALID_HANDLE);
	/* Any device of the chain will do, once */
	KUNIT_ASSERT_EQ(test,
			open(args.hPhysicalMemoryObject,
			     fake.devs[1].interface.DeviceHandle, &opened),
			STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test,
			open(args.hPhysicalMemoryObject, fake.lead, &again),
			STATUS_ALREADY_COMMITTED);
	KUNIT_EXPECT_NULL(test, again);
	/* Closed, it can be opened again */
	close(opened);
	KUNIT_EXPECT_FALSE(test, is_open(opened));
	close(opened);
	KUNIT_ASSERT_EQ(test,
			open(args.hPhysicalMemoryObject, fake.lead, &again), 0);
	KUNIT_EXPECT_PTR_NE(test, opened, again);
	close(again);
	destroy(args.hPhysicalMemoryObject, NULL);
	KUNIT_EXPECT_FALSE(test, exists(args.hPhysicalMemoryObject));
	destroy(args.hPhysicalMemoryObject, NULL);
}

static void test_io_space_is_not_opened(struct kunit *test)
{
	create_t args = create_args(IO_SPACE, P);
	HANDLE opened;

	args.hAdapter = NULL;
	KUNIT_ASSERT_EQ(test, dxgk.DxgkCbCreatePhysicalMemoryObject(&args), 0);
	KUNIT_EXPECT_EQ(test,
			open(args.hPhysicalMemoryObject, fake.lead, &opened),
			STATUS_NOT_SUPPORTED);
	KUNIT_EXPECT_NULL(test, opened);
	destroy(args.hPhysicalMemoryObject, NULL);
}

/* An object in use stays, with all that uses it */
static void test_destroy_refuses(struct kunit *test)
{
	struct object one = create(test, OF_MDL, 2 * P);
	struct object two = create(test, OF_MDL, P);
	DXGKARGCB_MAP_PHYSICAL_MEMORY view;
	DXGK_ADL *adl;

	/* Open, and not said so; or what is open is another one's */
	destroy(one.physical, NULL);
	destroy(one.physical, two.opened);
	destroy(one.physical, garbage());
	destroy(one.opened, one.opened);
	KUNIT_EXPECT_TRUE(test, exists(one.physical));
	KUNIT_EXPECT_TRUE(test, is_open(one.opened));
	KUNIT_EXPECT_TRUE(test, is_open(two.opened));

	KUNIT_ASSERT_EQ(test, allocate_adl(one.opened, 0, P, 0, &adl), 0);
	destroy(one.physical, one.opened);
	close(one.opened);
	KUNIT_EXPECT_TRUE(test, is_open(one.opened));
	KUNIT_EXPECT_TRUE(test, exists(one.physical));
	free_adl(one.opened, adl);

	KUNIT_ASSERT_EQ(test, map_kernel(one.physical, 0, P, &view), 0);
	destroy(one.physical, one.opened);
	KUNIT_EXPECT_TRUE(test, is_open(one.opened));
	KUNIT_ASSERT_TRUE(test, exists(one.physical));
	memset(view.pMappedAddress, 1, P);
	unmap(&view);

	destroy(one.physical, one.opened);
	KUNIT_EXPECT_FALSE(test, is_open(one.opened));
	KUNIT_EXPECT_FALSE(test, exists(one.physical));
	close(two.opened);
	/* What was created for an adapter is not opened by it again */
	KUNIT_EXPECT_EQ(test, open(two.physical, fake.lead, &two.opened),
			STATUS_ALREADY_COMMITTED);
	destroy(two.physical, NULL);
	KUNIT_EXPECT_FALSE(test, exists(two.physical));
}

/* Address descriptor lists */

struct adl_row {
	const char *name;
	DXGK_PHYSICAL_MEMORY_TYPE type;
	SIZE_T offset;
	SIZE_T bytes;
	UINT flags;
	NTSTATUS status;
};

/* Of an object of 8 pages */
static const struct adl_row adl_rows[] = {
	{ "all", OF_MDL, 0, 8 * P, 0 },
	{ "a page", OF_MDL, 3 * P, P, 0 },
	{ "the last page", OF_MDL, 7 * P, P, PREFER },
	{ "prefer contiguous", OF_MDL, P, 6 * P, PREFER },
	{ "contiguous", CONTIGUOUS, 0, 8 * P, 0 },
	{ "contiguous, preferred", CONTIGUOUS, P, 4 * P, PREFER },
	{ "contiguous, required", CONTIGUOUS, P, 4 * P, REQUIRE },
	{ "required and preferred", CONTIGUOUS, 0, 8 * P, REQUIRE | PREFER },
	{ "section", SECTION, P, 7 * P, 0 },
	{ "section, preferred", SECTION, P, 7 * P, PREFER },
	{ "nothing", OF_MDL, 0, 0, 0, BAD },
	{ "a byte", OF_MDL, 0, 1, 0, BAD },
	{ "at a byte", OF_MDL, 1, P, 0, BAD },
	{ "a page too far", OF_MDL, 8 * P, P, 0, BAD },
	{ "a page too much", OF_MDL, P, 8 * P, 0, BAD },
	{ "around the end", OF_MDL, (SIZE_T)0 - P, 2 * P, 0, BAD },
	{ "far too much", OF_MDL, P, (SIZE_T)0 - P, 0, BAD },
	{ "MDL, required", OF_MDL, 0, P, REQUIRE, BAD },
	{ "section, required", SECTION, 0, P, REQUIRE, BAD },
	{ "reserved", CONTIGUOUS, 0, P, 4, BAD },
	{ "last reserved", CONTIGUOUS, 0, P, 0x80000000, BAD },
};

static void expect_adl(struct kunit *test, const struct adl_row *row,
		       HANDLE physical, const DXGK_ADL *adl)
{
	DXGKARGCB_MAP_PHYSICAL_MEMORY view;
	UINT i, num = row->bytes / P;

	KUNIT_EXPECT_EQ(test, adl->PageCount, num);
	KUNIT_EXPECT_FALSE(test, adl->Flags.Reserved);
	if (row->flags && !fake_isolated(test))
		KUNIT_EXPECT_TRUE(test, adl->Flags.Contiguous);
	if (row->flags & REQUIRE)
		KUNIT_EXPECT_TRUE(test, adl->Flags.Contiguous);
	KUNIT_ASSERT_EQ(test,
			map_kernel(physical, row->offset, row->bytes, &view), 0);
	for (i = 0; i < num; i++) {
		u64 page = adl_page(adl, i);

		if (fake_isolated(test))
			KUNIT_EXPECT_EQ(test, page,
					fake_physical(view.pMappedAddress +
						      i * P));
		else
			KUNIT_EXPECT_EQ(test, page, adl_page(adl, 0) + i * P);
	}
	unmap(&view);
}

static void run_adl(struct kunit *test, const struct adl_row *row)
{
	struct object object = create(test, row->type, 8 * P);
	NTSTATUS status;
	DXGK_ADL *adl;

	status = allocate_adl(object.opened, row->offset, row->bytes,
			      row->flags, &adl);
	KUNIT_EXPECT_EQ_MSG(test, status, row->status, "%s", row->name);
	if (NT_SUCCESS(status)) {
		expect_adl(test, row, object.physical, adl);
		free_adl(object.opened, adl);
	} else {
		KUNIT_EXPECT_NULL(test, adl);
	}
	destroy(object.physical, object.opened);
	KUNIT_EXPECT_FALSE(test, exists(object.physical));
}

static void test_adl(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(adl_rows); i++)
		run_adl(test, &adl_rows[i]);
}

static void test_adl_handles(struct kunit *test)
{
	struct object one = create(test, OF_MDL, 2 * P);
	struct object two = create(test, OF_MDL, 2 * P);
	DXGK_ADL *adl, *refused, not_an_adl = {};

	KUNIT_EXPECT_EQ(test, allocate_adl(garbage(), 0, P, 0, &adl),
			STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, allocate_adl(NULL, 0, P, 0, &adl),
			STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, allocate_adl(one.physical, 0, P, 0, &adl),
			STATUS_INVALID_HANDLE);
	KUNIT_ASSERT_EQ(test, allocate_adl(one.opened, 0, P, 0, &adl), 0);
	/* No effect: it is none, none of this object's, or a wrong handle */
	free_adl(one.opened, NULL);
	free_adl(one.opened, &not_an_adl);
	free_adl(one.opened, garbage());
	free_adl(two.opened, adl);
	free_adl(garbage(), adl);
	free_adl(one.physical, adl);
	/* It is still there: so the object is in use */
	close(one.opened);
	KUNIT_EXPECT_TRUE(test, is_open(one.opened));
	if (fake_isolated(test))
		KUNIT_EXPECT_EQ(test,
				allocate_adl(one.opened, 0, 2 * P, 0, &refused),
				STATUS_CONFLICTING_ADDRESSES);
	free_adl(one.opened, adl);
	/* Twice: the pointer is no ADL any more */
	free_adl(one.opened, adl);
	destroy(one.physical, one.opened);
	KUNIT_EXPECT_FALSE(test, exists(one.physical));
	destroy(two.physical, two.opened);
}

/* Two ADLs of the same pages */
static void test_adl_overlap(struct kunit *test)
{
	struct object object = create(test, OF_MDL, 3 * P);
	DXGK_ADL *first, *second, *third;
	NTSTATUS status;

	KUNIT_ASSERT_EQ(test, allocate_adl(object.opened, 0, 2 * P, 0, &first),
			0);
	KUNIT_ASSERT_EQ(test, allocate_adl(object.opened, 2 * P, P, 0, &third),
			0);
	status = allocate_adl(object.opened, P, 2 * P, PREFER, &second);
	if (fake_isolated(test)) {
		KUNIT_EXPECT_EQ(test, status, STATUS_CONFLICTING_ADDRESSES);
		KUNIT_EXPECT_NULL(test, second);
	} else {
		KUNIT_EXPECT_EQ(test, status, STATUS_SUCCESS);
		KUNIT_EXPECT_NE(test, adl_page(first, 1), adl_page(second, 0));
		free_adl(object.opened, second);
	}
	free_adl(object.opened, third);
	free_adl(object.opened, first);
	destroy(object.physical, object.opened);
}

/* Each page of an ADL is reached, until it is freed, and no other page of it */
static void run_adl_dma(struct kunit *test, DXGK_PHYSICAL_MEMORY_TYPE type)
{
	struct object object = create(test, type, 3 * P);
	DXGKARGCB_MAP_PHYSICAL_MEMORY view;
	DXGK_ADL *adl;
	u64 first, second;
	u8 *memory;

	KUNIT_ASSERT_EQ(test, map_kernel(object.physical, 0, 3 * P, &view), 0);
	memory = view.pMappedAddress;
	KUNIT_ASSERT_EQ(test, allocate_adl(object.opened, P, 2 * P, 0, &adl), 0);
	first = adl_page(adl, 0);
	second = adl_page(adl, 1);
	fake_reaches(test, 0, first, memory + P);
	fake_reaches(test, 1, second, memory + 2 * P);
	if (fake_isolated(test))
		fake_reaches_not(test, 0, fake_physical(memory), memory);
	free_adl(object.opened, adl);
	fake_reaches_not(test, 0, first, memory + P);
	fake_reaches_not(test, 0, second, memory + 2 * P);
	unmap(&view);
	destroy(object.physical, object.opened);
}

static void test_adl_dma(struct kunit *test)
{
	run_adl_dma(test, OF_MDL);
	run_adl_dma(test, CONTIGUOUS);
	run_adl_dma(test, SECTION);
}

/* Addresses for the CPU */

struct view_row {
	const char *name;
	SIZE_T offset;
	SIZE_T bytes;
	NTSTATUS status;
};

/* Of an object of 4 pages */
static const struct view_row view_rows[] = {
	{ "all", 0, 4 * P },
	{ "a byte", 0, 1 },
	{ "the last byte", 4 * P - 1, 1 },
	{ "over an edge", P - 1, 2 },
	{ "unaligned", 100, 3 * P },
	{ "nothing", 0, 0, BAD },
	{ "at the end", 4 * P, 1, BAD },
	{ "a byte too much", 1, 4 * P, BAD },
	{ "around the end", (SIZE_T)-1, 2, BAD },
	{ "far too much", 1, (SIZE_T)-1, BAD },
};

static void run_view(struct kunit *test, HANDLE physical,
		     const struct view_row *row, DXGK_ACCESS_MODE mode)
{
	DXGKARGCB_MAP_PHYSICAL_MEMORY view;
	NTSTATUS status;

	status = map(physical, mode, row->offset, row->bytes, &view);
	KUNIT_EXPECT_EQ_MSG(test, status, row->status, "%s", row->name);
	if (!NT_SUCCESS(status)) {
		KUNIT_EXPECT_NULL(test, view.pMappedAddress);
		return;
	}
	KUNIT_EXPECT_EQ(test, view.Offset, row->offset % P);
	KUNIT_EXPECT_EQ(test, view.Size,
			ROUND_TO_PAGES(row->offset % P + row->bytes));
	KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(view.pMappedAddress));
	if (mode == DXGK_ACCESS_MODE_KERNEL_MODE)
		memset(view.pMappedAddress, 0x5a, view.Size);
	else
		KUNIT_EXPECT_EQ(test,
				clear_user((void __user *)view.pMappedAddress,
					   view.Size),
				0);
	unmap(&view);
}

static void test_views(struct kunit *test)
{
	struct object object = create(test, OF_MDL, 4 * P);
	struct mm_struct *mm = fake_mm_new(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(view_rows); i++) {
		run_view(test, object.physical, &view_rows[i],
			 DXGK_ACCESS_MODE_KERNEL_MODE);
		run_view(test, object.physical, &view_rows[i],
			 DXGK_ACCESS_MODE_USER_MODE);
	}
	fake_mm_free(mm);
	destroy(object.physical, object.opened);
	KUNIT_EXPECT_FALSE(test, exists(object.physical));
}

static void test_view_refuses(struct kunit *test)
{
	struct object object = create(test, OF_MDL, P);
	DXGKARGCB_MAP_PHYSICAL_MEMORY view;

	KUNIT_EXPECT_EQ(test, map_kernel(garbage(), 0, P, &view),
			STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, map_kernel(NULL, 0, P, &view),
			STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, map_kernel(object.opened, 0, P, &view),
			STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test,
			map(object.physical, DXGK_ACCESS_MODE_USER_MODE + 1, 0, P,
			    &view),
			STATUS_INVALID_PARAMETER);
	/* A thread of the kernel has no address space of a user's */
	KUNIT_EXPECT_EQ(test, map_user(object.physical, 0, P, &view),
			STATUS_ACCESS_DENIED);
	KUNIT_EXPECT_NULL(test, view.pMappedAddress);
	destroy(object.physical, object.opened);
}

/* Only what was mapped is unmapped */
static void test_unmap_refuses(struct kunit *test)
{
	struct object one = create(test, OF_MDL, 2 * P);
	struct object two = create(test, OF_MDL, 2 * P);
	DXGKARGCB_MAP_PHYSICAL_MEMORY view;
	u8 *memory;

	KUNIT_ASSERT_EQ(test, map_kernel(one.physical, 0, 2 * P, &view), 0);
	memory = view.pMappedAddress;
	unmap_at(two.physical, memory, 2 * P);
	unmap_at(one.physical, memory, P);
	unmap_at(one.physical, memory, 2 * P + 1);
	unmap_at(one.physical, memory + P, P);
	unmap_at(one.physical, NULL, 2 * P);
	unmap_at(garbage(), memory, 2 * P);
	memset(memory, 0x5a, 2 * P);
	unmap(&view);
	unmap(&view);
	destroy(one.physical, one.opened);
	KUNIT_EXPECT_FALSE(test, exists(one.physical));
	destroy(two.physical, two.opened);
}

/* Kernel, user and device see the same bytes, of each kind of memory */
static void run_same_bytes(struct kunit *test, DXGK_PHYSICAL_MEMORY_TYPE type)
{
	struct object object = create(test, type, 2 * P);
	struct mm_struct *mm = fake_mm_new(test);
	DXGKARGCB_MAP_PHYSICAL_MEMORY kernel, user;
	u8 *bytes, byte = 0x42;
	void __user *address;

	KUNIT_ASSERT_EQ(test, map_kernel(object.physical, P + 5, 10, &kernel), 0);
	KUNIT_ASSERT_EQ(test, map_user(object.physical, P, P, &user), 0);
	bytes = kernel.pMappedAddress + kernel.Offset;
	address = (void __user *)user.pMappedAddress + 5;
	KUNIT_EXPECT_EQ(test, copy_to_user(address, &byte, 1), 0);
	KUNIT_EXPECT_EQ(test, bytes[0], 0x42);
	bytes[1] = 0x24;
	KUNIT_EXPECT_EQ(test, copy_from_user(&byte, address + 1, 1), 0);
	KUNIT_EXPECT_EQ(test, byte, 0x24);
	unmap(&user);
	KUNIT_EXPECT_NE(test, copy_from_user(&byte, address, 1), 0);
	unmap(&kernel);
	fake_mm_free(mm);
	destroy(object.physical, object.opened);
	KUNIT_EXPECT_FALSE(test, exists(object.physical));
}

static void test_same_bytes(struct kunit *test)
{
	run_same_bytes(test, OF_MDL);
	run_same_bytes(test, CONTIGUOUS);
	run_same_bytes(test, SECTION);
}

/* A section that is read-only is so for the user */
static void test_read_only_section(struct kunit *test)
{
	create_t args = create_args(SECTION, P);
	struct mm_struct *mm = fake_mm_new(test);
	DXGKARGCB_MAP_PHYSICAL_MEMORY user;
	struct vm_area_struct *vma;
	u8 byte = 1;

	args.Section.PageProtection = PAGE_READONLY;
	KUNIT_ASSERT_EQ(test, dxgk.DxgkCbCreatePhysicalMemoryObject(&args), 0);
	KUNIT_ASSERT_EQ(test, map_user(args.hPhysicalMemoryObject, 0, P, &user),
			0);
	/* Nor can it be made writable, which is up to this flag */
	mmap_read_lock(mm);
	vma = vma_lookup(mm, (unsigned long)user.pMappedAddress);
	KUNIT_EXPECT_NOT_NULL(test, vma);
	KUNIT_EXPECT_FALSE(test, vma && vma->vm_flags & VM_MAYWRITE);
	mmap_read_unlock(mm);
	KUNIT_EXPECT_EQ(test,
			copy_from_user(&byte,
				       (void __user *)user.pMappedAddress, 1),
			0);
	KUNIT_EXPECT_EQ(test, byte, 0);
	KUNIT_EXPECT_EQ(test,
			copy_to_user((void __user *)user.pMappedAddress, &byte,
				     1),
			1);
	unmap(&user);
	fake_mm_free(mm);
	KUNIT_ASSERT_EQ(test,
			map_kernel(args.hPhysicalMemoryObject, 0, P, &user), 0);
	KUNIT_EXPECT_EQ(test, *(u8 *)user.pMappedAddress, 0);
	unmap(&user);
	destroy(args.hPhysicalMemoryObject, args.hAdapterMemoryObject);
}

static struct file *view_file(struct kunit *test, struct mm_struct *mm,
			      const DXGKARGCB_MAP_PHYSICAL_MEMORY *view)
{
	struct vm_area_struct *vma;
	struct file *file;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, (unsigned long)view->pMappedAddress);
	file = vma ? get_file(vma->vm_file) : NULL;
	mmap_read_unlock(mm);
	KUNIT_ASSERT_NOT_NULL(test, file);
	return file;
}

/*
 * Nothing is left of it, even if the process has cut it to pieces. Nor can the process
 * have its file's memory once more, which could be other memory of the object's.
 */
static void test_user_view_in_pieces(struct kunit *test)
{
	struct object object = create(test, OF_MDL, 4 * P);
	struct mm_struct *mm = fake_mm_new(test);
	DXGKARGCB_MAP_PHYSICAL_MEMORY user;
	unsigned long address;
	struct file *file;
	u8 byte;

	KUNIT_ASSERT_EQ(test, map_user(object.physical, P, 3 * P, &user), 0);
	address = (unsigned long)user.pMappedAddress;
	file = view_file(test, mm, &user);
	KUNIT_EXPECT_EQ(test, (long)vm_mmap(file, 0, P, PROT_READ, MAP_SHARED, P),
			-EPERM);
	fput(file);

	KUNIT_EXPECT_EQ(test, vm_munmap(address + P, P), 0);
	KUNIT_EXPECT_EQ(test, copy_from_user(&byte, (void __user *)address, 1),
			0);
	unmap(&user);
	KUNIT_EXPECT_EQ(test, copy_from_user(&byte, (void __user *)address, 1),
			1);
	address += 2 * P;
	KUNIT_EXPECT_EQ(test, copy_from_user(&byte, (void __user *)address, 1),
			1);
	fake_mm_free(mm);
	destroy(object.physical, object.opened);
}

/*
 * By whoever closes the files of a process that has died. Such a view does not keep the
 * module, as nobody may be left to unmap it.
 */
static void test_user_view_of_the_dead(struct kunit *test)
{
	struct object object = create(test, OF_MDL, P);
	struct mm_struct *mm = fake_mm_new(test);
	DXGKARGCB_MAP_PHYSICAL_MEMORY user;
	struct module *module;
	struct file *file;
	int refs;

	KUNIT_ASSERT_EQ(test, map_user(object.physical, 0, P, &user), 0);
	file = view_file(test, mm, &user);
	module = file->f_op->owner;
	fput(file);
	KUNIT_ASSERT_NOT_NULL(test, module);
	refs = module_refcount(module);
	fake_mm_free(mm);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, module_refcount(module), refs - 1);
	unmap(&user);
	destroy(object.physical, object.opened);
	KUNIT_EXPECT_FALSE(test, exists(object.physical));
}

/* Only the process itself can unmap; its memory stays until then, come what may */
static void test_user_view_outlives(struct kunit *test)
{
	struct object object = create(test, OF_MDL, P);
	struct mm_struct *other, *mm = fake_mm_new(test);
	DXGKARGCB_MAP_PHYSICAL_MEMORY user;
	void __user *address;
	u8 byte = 0x42;

	KUNIT_ASSERT_EQ(test, map_user(object.physical, 0, P, &user), 0);
	address = (void __user *)user.pMappedAddress;
	KUNIT_EXPECT_EQ(test, copy_to_user(address, &byte, 1), 0);

	kthread_unuse_mm(mm);
	unmap(&user);
	other = fake_mm_new(test);
	unmap(&user);
	fake_mm_free(other);
	kthread_use_mm(mm);

	destroy(object.physical, object.opened);
	KUNIT_EXPECT_FALSE(test, exists(object.physical));
	byte = 0;
	KUNIT_EXPECT_EQ(test, copy_from_user(&byte, address, 1), 0);
	KUNIT_EXPECT_EQ(test, byte, 0x42);
	fake_mm_free(mm);
}

/* Nor is memory that a file system is in to be had as a device's */
static void test_io_space_is_no_pmem(struct kunit *test)
{
	const u64 start = iomem_resource.end + 1 - P;
	struct resource pmem = {
		.name = "pmem",
		.start = start,
		.end = iomem_resource.end,
		.flags = IORESOURCE_MEM,
		.desc = IORES_DESC_PERSISTENT_MEMORY,
	};
	create_t args = create_args(IO_SPACE, P);

	args.hAdapter = NULL;
	args.IOSpace.BaseAddress = phys(start);
	KUNIT_ASSERT_EQ(test, dxgk.DxgkCbCreatePhysicalMemoryObject(&args), 0);
	destroy(args.hPhysicalMemoryObject, NULL);
	KUNIT_ASSERT_EQ(test, insert_resource(&iomem_resource, &pmem), 0);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbCreatePhysicalMemoryObject(&args),
			STATUS_INVALID_PARAMETER);
	remove_resource(&pmem);
}

static void expect_regs(struct kunit *test, DXGK_MEMORY_CACHING_TYPE cache)
{
	create_t args = create_args(IO_SPACE, P);
	DXGKARGCB_MAP_PHYSICAL_MEMORY view;
	void __iomem *regs;

	args.hAdapter = NULL;
	args.CacheType = cache;
	KUNIT_ASSERT_EQ(test, dxgk.DxgkCbCreatePhysicalMemoryObject(&args), 0);
	KUNIT_ASSERT_EQ(test,
			map_kernel(args.hPhysicalMemoryObject, 0, P, &view), 0);
	regs = (void __iomem *)view.pMappedAddress + view.Offset;
	/* edu: what is written to register 4 is read back inverted */
	writel(0x12345678, regs + 4);
	KUNIT_EXPECT_EQ(test, readl(regs + 4), ~0x12345678U);
	unmap(&view);
	destroy(args.hPhysicalMemoryObject, NULL);
	KUNIT_EXPECT_FALSE(test, exists(args.hPhysicalMemoryObject));
}

/* Registers of the device, for the CPU: QEMU's are the same by each kind of cache */
static void test_io_space_view(struct kunit *test)
{
	expect_regs(test, DXGK_MEMORY_CACHING_TYPE_NON_CACHED);
	expect_regs(test, DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED);
	expect_regs(test, DXGK_MEMORY_CACHING_TYPE_CACHED);
}

static void test_io_space_is_not_for_users(struct kunit *test)
{
	create_t args = create_args(IO_SPACE, P);
	DXGKARGCB_MAP_PHYSICAL_MEMORY view;
	struct mm_struct *mm;

	args.hAdapter = NULL;
	KUNIT_ASSERT_EQ(test, dxgk.DxgkCbCreatePhysicalMemoryObject(&args), 0);
	mm = fake_mm_new(test);
	KUNIT_EXPECT_EQ(test, map_user(args.hPhysicalMemoryObject, 0, P, &view),
			STATUS_INVALID_PARAMETER);
	fake_mm_free(mm);
	destroy(args.hPhysicalMemoryObject, NULL);
	KUNIT_EXPECT_FALSE(test, exists(args.hPhysicalMemoryObject));
}

/* An object of no adapter stays when one stops; one of an adapter's is a leak */
static void test_adapter_stops(struct kunit *test)
{
	struct object object = create(test, OF_MDL, P);
	create_t args = create_args(OF_MDL, P);
	DXGKARGCB_MAP_PHYSICAL_MEMORY view;
	HANDLE opened, again;
	DXGK_ADL *adl;

	args.hAdapter = NULL;
	KUNIT_ASSERT_EQ(test, dxgk.DxgkCbCreatePhysicalMemoryObject(&args), 0);
	KUNIT_ASSERT_EQ(test,
			open(args.hPhysicalMemoryObject, fake.lead, &opened), 0);
	KUNIT_ASSERT_EQ(test, allocate_adl(object.opened, 0, P, 0, &adl), 0);
	KUNIT_ASSERT_EQ(test, allocate_adl(opened, 0, P, PREFER, &adl), 0);
	KUNIT_ASSERT_EQ(test, map_kernel(object.physical, 0, P, &view), 0);

	fake_stop(&fake);
	fake.leaks = 1;
	/* What depends on it goes before it */
	KUNIT_EXPECT_LT(test, fake_log_line("leaked: address descriptor list"),
			fake_log_line("leaked: opened physical memory object"));
	KUNIT_EXPECT_LT(test,
			fake_log_line("leaked: opened physical memory object"),
			fake_log_line("leaked: physical memory object"));
	KUNIT_EXPECT_FALSE(test, exists(object.physical));
	KUNIT_EXPECT_FALSE(test, is_open(object.opened));
	KUNIT_EXPECT_FALSE(test, is_open(opened));
	free_adl(opened, adl);
	close(opened);
	destroy(object.physical, object.opened);
	KUNIT_EXPECT_EQ(test, open(args.hPhysicalMemoryObject, fake.lead, &again),
			STATUS_INVALID_HANDLE);

	KUNIT_ASSERT_TRUE(test, exists(args.hPhysicalMemoryObject));
	fake_restart(test);
	KUNIT_ASSERT_EQ(test,
			open(args.hPhysicalMemoryObject, fake.lead, &again), 0);
	destroy(args.hPhysicalMemoryObject, again);
	KUNIT_EXPECT_FALSE(test, exists(args.hPhysicalMemoryObject));
}

static void test_null_arguments(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbCreatePhysicalMemoryObject(NULL), BAD);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbOpenPhysicalMemoryObject(NULL), BAD);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbMapPhysicalMemory(NULL), BAD);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbAllocateAdl(NULL), BAD);
	dxgk.DxgkCbDestroyPhysicalMemoryObject(NULL);
	dxgk.DxgkCbClosePhysicalMemoryObject(NULL);
	dxgk.DxgkCbUnmapPhysicalMemory(NULL);
	dxgk.DxgkCbFreeAdl(NULL);
}

static struct kunit_case physical_cases[] = {
	KUNIT_CASE_PARAM(test_create, mode_gen_params),
	KUNIT_CASE_PARAM(test_open_later, mode_gen_params),
	KUNIT_CASE_PARAM(test_io_space_is_not_opened, mode_gen_params),
	KUNIT_CASE_PARAM(test_destroy_refuses, mode_gen_params),
	KUNIT_CASE_PARAM(test_adl, mode_gen_params),
	KUNIT_CASE_PARAM(test_adl_handles, mode_gen_params),
	KUNIT_CASE_PARAM(test_adl_overlap, mode_gen_params),
	KUNIT_CASE_PARAM_ATTR(test_adl_dma, mode_gen_params, SLOW),
	KUNIT_CASE_PARAM(test_views, mode_gen_params),
	KUNIT_CASE_PARAM(test_view_refuses, mode_gen_params),
	KUNIT_CASE_PARAM(test_unmap_refuses, mode_gen_params),
	KUNIT_CASE_PARAM(test_same_bytes, mode_gen_params),
	KUNIT_CASE_PARAM(test_read_only_section, mode_gen_params),
	KUNIT_CASE_PARAM(test_user_view_in_pieces, mode_gen_params),
	KUNIT_CASE_PARAM(test_user_view_of_the_dead, mode_gen_params),
	KUNIT_CASE_PARAM(test_user_view_outlives, mode_gen_params),
	KUNIT_CASE_PARAM(test_io_space_view, mode_gen_params),
	KUNIT_CASE_PARAM(test_io_space_is_no_pmem, mode_gen_params),
	KUNIT_CASE_PARAM(test_io_space_is_not_for_users, mode_gen_params),
	KUNIT_CASE_PARAM(test_adapter_stops, mode_gen_params),
	KUNIT_CASE_PARAM(test_null_arguments, mode_gen_params),
	{}
};

static struct kunit_suite physical_suite = {
	.name = "wddmcompat-dxgk-physical",
	.suite_init = fake_suite_init,
	.suite_exit = fake_suite_exit,
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = physical_cases,
};

kunit_test_suite(physical_suite);
