// SPDX-License-Identifier: GPL-2.0-only
/* Saving the frame buffer: pinned for the device, mapped for the CPU. */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "dxgk_fixture.h"

#define P PAGE_SIZE

KUNIT_ARRAY_PARAM_DESC(mode, fake_modes, name);

static NTSTATUS pin(UINT index, SIZE_T bytes, PMDL *mdl)
{
	DXGKARGCB_PINFRAMEBUFFERFORSAVE args = {
		.PhysicalAdapterIndex = index,
		.CommitSize = bytes,
		.pMdl = garbage(),
	};
	NTSTATUS status = dxgk.DxgkCbPinFrameBufferForSave(fake.lead, &args);

	*mdl = args.pMdl;
	return status;
}

static NTSTATUS pin2(UINT index, SIZE_T bytes, bool contiguous, DXGK_ADL **adl)
{
	DXGKARGCB_PINFRAMEBUFFERFORSAVE2 args = {
		.PhysicalAdapterIndex = index,
		.CommitSize = bytes,
		.Flags.PreferContiguous = contiguous,
		.pAdl = garbage(),
	};
	NTSTATUS status = dxgk.DxgkCbPinFrameBufferForSave2(fake.lead, &args);

	*adl = args.pAdl;
	return status;
}

static NTSTATUS unpin(UINT index)
{
	const DXGKARGCB_UNPINFRAMEBUFFERFORSAVE args = { index };

	return dxgk.DxgkCbUnpinFrameBufferForSave(fake.lead, &args);
}

static NTSTATUS map(UINT index, SIZE_T offset, SIZE_T bytes,
		    DXGKARGCB_MAPFRAMEBUFFERPOINTER *args)
{
	*args = (DXGKARGCB_MAPFRAMEBUFFERPOINTER){
		.PhysicalAdapterIndex = index,
		.Size = bytes,
		.Offset = offset,
		.pBaseAddress = garbage(),
	};
	return dxgk.DxgkCbMapFrameBufferPointer(fake.lead, args);
}

static NTSTATUS unmap(UINT index, PVOID base)
{
	const DXGKARGCB_UNMAPFRAMEBUFFERPOINTER args = { index, base };

	return dxgk.DxgkCbUnmapFrameBufferPointer(fake.lead, &args);
}

/* Sizes and indices */

struct pin_row {
	const char *name;
	UINT index;
	SIZE_T bytes;
	bool works;
};

static const struct pin_row pin_rows[] = {
	{ "a page", 0, P, true },
	{ "all", 0, FAKE_SAVE_BYTES, true },
	{ "a linked adapter's", 1, FAKE_SAVE_BYTES, true },
	{ "nothing", 0, 0 },
	{ "a byte", 0, 1 },
	{ "a page and a byte", 0, P + 1 },
	{ "a page too much", 0, FAKE_SAVE_BYTES + P },
	{ "far too much", 0, (SIZE_T)0 - P },
	{ "no adapter's", FAKE_DEVS, P },
	{ "index -1", (UINT)-1, P },
};

static void test_pin(struct kunit *test)
{
	const struct pin_row *row;
	NTSTATUS status;
	DXGK_ADL *adl;
	PMDL mdl;

	for (row = pin_rows; row < pin_rows + ARRAY_SIZE(pin_rows); row++) {
		status = row->works ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
		KUNIT_EXPECT_EQ_MSG(test, pin(row->index, row->bytes, &mdl),
				    status, "%s", row->name);
		if (row->works) {
			KUNIT_EXPECT_EQ(test, MmGetMdlByteCount(mdl),
					row->bytes);
			KUNIT_EXPECT_EQ(test, unpin(row->index),
					STATUS_SUCCESS);
		} else {
			KUNIT_EXPECT_NULL(test, mdl);
		}
		KUNIT_EXPECT_EQ_MSG(test, pin2(row->index, row->bytes, false, &adl),
				    status, "%s", row->name);
		if (row->works) {
			KUNIT_EXPECT_EQ(test, adl->PageCount, row->bytes / P);
			KUNIT_EXPECT_EQ(test, unpin(row->index),
					STATUS_SUCCESS);
		} else {
			KUNIT_EXPECT_NULL(test, adl);
		}
	}
}

static void test_pin_twice(struct kunit *test)
{
	DXGK_ADL *adl;
	PMDL mdl;

	KUNIT_EXPECT_EQ(test, unpin(0), STATUS_INVALID_DEVICE_STATE);
	KUNIT_ASSERT_EQ(test, pin(0, P, &mdl), STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, pin(0, P, &mdl), STATUS_INVALID_DEVICE_STATE);
	KUNIT_EXPECT_EQ(test, pin2(0, 2 * P, true, &adl),
			STATUS_INVALID_DEVICE_STATE);
	/* The other adapter's is another one */
	KUNIT_EXPECT_EQ(test, unpin(1), STATUS_INVALID_DEVICE_STATE);
	KUNIT_EXPECT_EQ(test, pin2(1, P, true, &adl), STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, unpin(0), STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, unpin(0), STATUS_INVALID_DEVICE_STATE);
	KUNIT_EXPECT_EQ(test, unpin(1), STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, unpin(FAKE_DEVS), STATUS_INVALID_PARAMETER);
}

static void test_pin2_reserved_flag(struct kunit *test)
{
	DXGKARGCB_PINFRAMEBUFFERFORSAVE2 args = {
		.CommitSize = P,
		.Flags.Reserved = 1,
	};

	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbPinFrameBufferForSave2(fake.lead, &args),
			STATUS_INVALID_PARAMETER);
}

static u64 adl_page(const DXGK_ADL *adl, UINT page)
{
	if (adl->Flags.Contiguous)
		return (adl->BasePageNumber + page) << PAGE_SHIFT;
	return adl->Pages[page] << PAGE_SHIFT;
}

/* MDL, ADL and dxgk_frame_buffer_address() say the same of where the pages are */
static void test_addresses(struct kunit *test)
{
	u64 logical, first = 0;
	DXGK_ADL *adl;
	PMDL mdl;
	int i, prefer;

	KUNIT_EXPECT_EQ(test,
			dxgk_frame_buffer_address(fake.lead, 1, 0, &logical),
			-ENXIO);
	KUNIT_ASSERT_EQ(test, pin(1, FAKE_SAVE_BYTES, &mdl), STATUS_SUCCESS);
	for (i = 0; i < FAKE_SAVE_PAGES; i++) {
		KUNIT_ASSERT_EQ(test,
				dxgk_frame_buffer_address(fake.lead, 1, i * P + 5,
							  &logical),
				0);
		if (!i)
			first = logical;
		if (fake_isolated(test))
			KUNIT_EXPECT_EQ(test, logical,
					PFN_PHYS(MmGetMdlPfnArray(mdl)[i]) + 5);
		else
			KUNIT_EXPECT_EQ(test, logical, first + i * P);
	}
	KUNIT_EXPECT_EQ(test,
			dxgk_frame_buffer_address(fake.lead, 1, FAKE_SAVE_BYTES,
						  &logical),
			-ERANGE);
	KUNIT_EXPECT_EQ(test, unpin(1), STATUS_SUCCESS);

	for (prefer = 0; prefer < 2; prefer++) {
		KUNIT_ASSERT_EQ(test, pin2(1, FAKE_SAVE_BYTES, prefer, &adl), 0);
		if (!fake_isolated(test))
			KUNIT_EXPECT_EQ(test, !!adl->Flags.Contiguous, prefer);
		KUNIT_EXPECT_FALSE(test, adl->Flags.Reserved);
		for (i = 0; i < FAKE_SAVE_PAGES; i++) {
			KUNIT_ASSERT_EQ(test,
					dxgk_frame_buffer_address(fake.lead, 1,
								  i * P, &logical),
					0);
			KUNIT_EXPECT_EQ(test, adl_page(adl, i), logical);
		}
		KUNIT_EXPECT_EQ(test, unpin(1), STATUS_SUCCESS);
	}
}

/* CPU pointers */

struct map_row {
	const char *name;
	UINT index;
	SIZE_T offset;
	SIZE_T bytes;
	bool works;
};

static const struct map_row map_rows[] = {
	{ "the first page", 0, 0, P, true },
	{ "the last page", 0, FAKE_SAVE_BYTES - P, P, true },
	{ "all", 0, 0, FAKE_SAVE_BYTES, true },
	{ "of a linked adapter", 1, 3 * P, 2 * P, true },
	{ "nothing", 0, 0, 0 },
	{ "a byte", 0, 0, 1 },
	{ "at a byte", 0, 1, P },
	{ "a page too far", 0, FAKE_SAVE_BYTES, P },
	{ "a page too much", 0, P, FAKE_SAVE_BYTES },
	{ "around the end", 0, (SIZE_T)0 - P, 2 * P },
	{ "far too much", 0, P, (SIZE_T)0 - P },
	{ "no adapter's", FAKE_DEVS, 0, P },
};

static void test_map(struct kunit *test)
{
	DXGKARGCB_MAPFRAMEBUFFERPOINTER args;
	const struct map_row *row;
	NTSTATUS status;

	for (row = map_rows; row < map_rows + ARRAY_SIZE(map_rows); row++) {
		status = map(row->index, row->offset, row->bytes, &args);
		KUNIT_EXPECT_EQ_MSG(test, status,
				    row->works ? STATUS_SUCCESS :
						 STATUS_INVALID_PARAMETER,
				    "%s", row->name);
		if (!row->works) {
			KUNIT_EXPECT_NULL(test, args.pBaseAddress);
			continue;
		}
		memset(args.pBaseAddress + args.Offset, 0x33, row->bytes);
		/* Another adapter has not mapped it, and it has it once */
		KUNIT_EXPECT_EQ(test, unmap(!row->index, args.pBaseAddress),
				STATUS_INVALID_PARAMETER);
		KUNIT_EXPECT_EQ(test, unmap(row->index, args.pBaseAddress),
				STATUS_SUCCESS);
		KUNIT_EXPECT_EQ(test, unmap(row->index, args.pBaseAddress),
				STATUS_INVALID_PARAMETER);
	}
	KUNIT_EXPECT_EQ(test, unmap(0, NULL), STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, unmap(0, garbage()), STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, unmap(FAKE_DEVS, garbage()),
			STATUS_INVALID_PARAMETER);
}

static u8 *pointer(const DXGKARGCB_MAPFRAMEBUFFERPOINTER *args)
{
	return args->pBaseAddress + args->Offset;
}

/* Several views are of the same bytes, pinned or not, and outlast a pin */
static void test_views(struct kunit *test)
{
	DXGKARGCB_MAPFRAMEBUFFERPOINTER one, two;
	PMDL mdl;

	KUNIT_ASSERT_EQ(test, map(0, 0, 2 * P, &one), STATUS_SUCCESS);
	KUNIT_ASSERT_EQ(test, pin(0, FAKE_SAVE_BYTES, &mdl), STATUS_SUCCESS);
	KUNIT_ASSERT_EQ(test, map(0, P, 2 * P, &two), STATUS_SUCCESS);
	pointer(&one)[P + 7] = 0x77;
	KUNIT_EXPECT_EQ(test, pointer(&two)[7], 0x77);
	KUNIT_EXPECT_EQ(test, unpin(0), STATUS_SUCCESS);
	pointer(&two)[8] = 0x88;
	KUNIT_EXPECT_EQ(test, unmap(0, two.pBaseAddress), STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, pointer(&one)[P + 8], 0x88);
	KUNIT_EXPECT_EQ(test, unmap(0, one.pBaseAddress), STATUS_SUCCESS);
}

/* What the device saves stays, and comes back; it reaches it only while pinned */
static void test_dma(struct kunit *test)
{
	DXGKARGCB_MAPFRAMEBUFFERPOINTER args;
	u64 logical;
	PMDL mdl;
	u8 *saved;

	KUNIT_ASSERT_EQ(test, map(0, 0, FAKE_SAVE_BYTES, &args), STATUS_SUCCESS);
	saved = pointer(&args) + 3 * P;
	KUNIT_ASSERT_EQ(test, pin(0, FAKE_SAVE_BYTES, &mdl), STATUS_SUCCESS);
	KUNIT_ASSERT_EQ(test,
			dxgk_frame_buffer_address(fake.lead, 0, 3 * P, &logical),
			0);
	fake_reaches(test, 0, logical, saved);
	saved[0] = 0x42;
	KUNIT_EXPECT_EQ(test, unpin(0), STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, saved[0], 0x42);
	fake_reaches_not(test, 0, logical, saved);
	saved[0] = 0x42;
	KUNIT_EXPECT_EQ(test, unmap(0, args.pBaseAddress), STATUS_SUCCESS);

	KUNIT_ASSERT_EQ(test, pin(0, 4 * P, &mdl), STATUS_SUCCESS);
	saved = MmGetSystemAddressForMdlSafe(mdl, HighPagePriority);
	KUNIT_ASSERT_NOT_NULL(test, saved);
	KUNIT_EXPECT_EQ(test, saved[3 * P], 0x42);
	KUNIT_EXPECT_EQ(test, saved[3 * P + 1], 0xff);
	KUNIT_EXPECT_EQ(test, unpin(0), STATUS_SUCCESS);
}

/* Small pieces, one after the other, when pinning it all is too much */
static void test_small_pieces(struct kunit *test)
{
	DXGKARGCB_MAPFRAMEBUFFERPOINTER args;
	DXGK_ADL *adl;
	int i;

	fake_stop(&fake);
	fake.highest = 4 * P - 1;
	fake_restart(test);
	KUNIT_EXPECT_EQ(test, pin2(0, FAKE_SAVE_BYTES, true, &adl),
			fake_isolated(test) ? STATUS_INVALID_ADDRESS :
					      STATUS_INSUFFICIENT_RESOURCES);
	for (i = 0; i < FAKE_SAVE_PAGES; i++) {
		KUNIT_ASSERT_EQ(test, map(0, i * P, P, &args), STATUS_SUCCESS);
		memset(pointer(&args), i + 1, P);
		KUNIT_ASSERT_EQ(test, unmap(0, args.pBaseAddress), 0);
	}
	KUNIT_ASSERT_EQ(test, map(0, 0, FAKE_SAVE_BYTES, &args), STATUS_SUCCESS);
	for (i = 0; i < FAKE_SAVE_PAGES; i++)
		KUNIT_EXPECT_NULL(test,
				  memchr_inv(pointer(&args) + i * P, i + 1, P));
	KUNIT_ASSERT_EQ(test, unmap(0, args.pBaseAddress), 0);
}

/* An adapter without a save area has nothing to pin */
static void test_no_area(struct kunit *test)
{
	DXGKARGCB_MAPFRAMEBUFFERPOINTER args;
	PMDL mdl;

	fake_stop(&fake);
	fake.save_bytes = 0;
	fake_restart(test);
	KUNIT_EXPECT_EQ(test, pin(0, P, &mdl), STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, map(0, 0, P, &args), STATUS_INVALID_PARAMETER);
}

/* A pin and a pointer that are left when the adapter stops are leaks */
static void test_leaks(struct kunit *test)
{
	DXGKARGCB_MAPFRAMEBUFFERPOINTER args;
	DXGK_ADL *adl;
	PMDL mdl;

	KUNIT_ASSERT_EQ(test, pin(0, P, &mdl), STATUS_SUCCESS);
	KUNIT_ASSERT_EQ(test, pin2(1, P, true, &adl), STATUS_SUCCESS);
	KUNIT_ASSERT_EQ(test, map(1, 0, P, &args), STATUS_SUCCESS);
	fake_stop(&fake);
	KUNIT_EXPECT_EQ(test, fake_log_count(": 3 allocation(s) leaked"), 1);
	fake.leaks = 1;
}

static struct kunit_case frame_cases[] = {
	KUNIT_CASE_PARAM(test_pin, mode_gen_params),
	KUNIT_CASE_PARAM(test_pin_twice, mode_gen_params),
	KUNIT_CASE_PARAM(test_pin2_reserved_flag, mode_gen_params),
	KUNIT_CASE_PARAM(test_addresses, mode_gen_params),
	KUNIT_CASE_PARAM(test_map, mode_gen_params),
	KUNIT_CASE_PARAM(test_views, mode_gen_params),
	KUNIT_CASE_PARAM(test_dma, mode_gen_params),
	KUNIT_CASE_PARAM(test_small_pieces, mode_gen_params),
	KUNIT_CASE_PARAM(test_no_area, mode_gen_params),
	KUNIT_CASE_PARAM(test_leaks, mode_gen_params),
	{}
};

static struct kunit_suite frame_suite = {
	.name = "wddmcompat-dxgk-frame",
	.suite_init = fake_suite_init,
	.suite_exit = fake_suite_exit,
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = frame_cases,
};

kunit_test_suite(frame_suite);
