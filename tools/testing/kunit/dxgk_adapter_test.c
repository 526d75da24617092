// SPDX-License-Identifier: GPL-2.0-only
/*
 * Logical adapters: how they start and stop, whatever the miniport does, and whose
 * handles are good for what.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include "dxgk_fixture.h"

#define P PAGE_SIZE

KUNIT_ARRAY_PARAM_DESC(mode, fake_modes, name);

#define FAKE_START_LOG                                                        \
	"add0 add1 begin0 end0 begin1 end1 start0 start1"
#define FAKE_STOP_LOG                                                         \
	" stop1 stop0 begin1 end1 begin0 end0 remove1 remove0"

static int adapter_init(struct kunit *test)
{
	fake_init_stopped(test);
	fake_setup(&fake, fake_isolated(test));
	return 0;
}

static int start(void)
{
	return fake_start(&fake, 0, FAKE_DEVS);
}

/* Start and stop */

static void test_order(struct kunit *test)
{
	u16 command;

	KUNIT_ASSERT_EQ(test, start(), 0);
	KUNIT_EXPECT_STREQ(test, fake.log, FAKE_START_LOG);
	KUNIT_EXPECT_FALSE(test, fake_is_detached());
	fake_stop(&fake);
	KUNIT_EXPECT_STREQ(test, fake.log, FAKE_START_LOG FAKE_STOP_LOG);
	KUNIT_EXPECT_TRUE(test, fake_is_detached());
	/* Nothing may do DMA in the kernel's own domain */
	pci_read_config_word(to_pci_dev(fake.devs[0].dev), PCI_COMMAND,
			     &command);
	KUNIT_EXPECT_FALSE(test, command & PCI_COMMAND_MASTER);
}

static void test_one_device(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, fake_start(&fake, 1, 1), 0);
	fake_stop(&fake);
	KUNIT_EXPECT_STREQ(test, fake.log,
			   "add0 begin0 end0 start0 stop0 begin0 end0 remove0");
}

static void test_num_devices(struct kunit *test)
{
	struct device *devs[DXGK_LINKED_MAX + 1] = {};

	KUNIT_EXPECT_EQ(test, PTR_ERR(dxgk_adapter_start(&fake.init, devs, 0)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test,
			PTR_ERR(dxgk_adapter_start(&fake.init, devs,
						   DXGK_LINKED_MAX + 1)),
			-EINVAL);
}

/* A device can be in one adapter only, and in one once */
static void test_device_in_use(struct kunit *test)
{
	struct device *twice[2];
	static struct fake_miniport second;

	KUNIT_ASSERT_EQ(test, fake_start(&fake, 0, 1), 0);
	twice[0] = fake.devs[0].dev;
	twice[1] = fake.devs[0].dev;
	KUNIT_EXPECT_TRUE(test,
			  IS_ERR(dxgk_adapter_start(&fake.init, twice, 1)));
	fake_stop(&fake);
	KUNIT_EXPECT_TRUE(test,
			  IS_ERR(dxgk_adapter_start(&fake.init, twice, 2)));
	fake.domain_errors = 0;
	KUNIT_EXPECT_TRUE(test, fake_is_detached());
	fake_setup(&second, fake_isolated(test));
	KUNIT_ASSERT_EQ(test, fake_start(&second, 0, FAKE_DEVS), 0);
	fake_stop(&second);
	KUNIT_EXPECT_EQ(test, second.domain_errors, 0);
}

/* What the miniport lacks */

struct ddi_row {
	const char *name;
	size_t offset;
};

#define DDI(name) { #name, offsetof(DRIVER_INITIALIZATION_DATA, DxgkDdi##name) }

static const struct ddi_row ddi_rows[] = {
	DDI(AddDevice),
	DDI(StartDevice),
	DDI(StopDevice),
	DDI(RemoveDevice),
	DDI(QueryAdapterInfo),
	DDI(BeginExclusiveAccess),
	DDI(EndExclusiveAccess),
};

static void test_missing_function(struct kunit *test)
{
	const struct ddi_row *row;

	for (row = ddi_rows; row < ddi_rows + ARRAY_SIZE(ddi_rows); row++) {
		fake_setup(&fake, fake_isolated(test));
		*(void **)((void *)&fake.init + row->offset) = NULL;
		KUNIT_EXPECT_EQ_MSG(test, start(), -EINVAL, "%s", row->name);
		KUNIT_EXPECT_STREQ(test, fake.log, "");
	}
}

static NTSTATUS add_without_context(const PDEVICE_OBJECT dev, PVOID *context)
{
	return STATUS_SUCCESS;
}

static void test_device_is_not_wanted(struct kunit *test)
{
	fake.init.DxgkDdiAddDevice = add_without_context;
	KUNIT_EXPECT_EQ(test, start(), -ENODEV);
	KUNIT_EXPECT_STREQ(test, fake.log, "");
}

/* Versions */

struct version_row {
	const char *name;
	ULONG version;
	int rc;
	size_t size;
};

#define SIZE_2_3 offsetof(DXGKRNL_INTERFACE, DxgkCbAllocateContiguousMemory)
#define SIZE_2_4 offsetof(DXGKRNL_INTERFACE, DxgkCbCreatePhysicalMemoryObject)
#define SIZE_2_9 sizeof(DXGKRNL_INTERFACE)

static const struct version_row version_rows[] = {
	{ "0", 0, -EPROTONOSUPPORT },
	{ "1", 1, 0, SIZE_2_3 },
	{ "WDDM 2.3", DXGKDDI_INTERFACE_VERSION_WDDM2_3, 0, SIZE_2_3 },
	{ "before 2.4", DXGKDDI_INTERFACE_VERSION_WDDM2_4 - 1, 0, SIZE_2_3 },
	{ "WDDM 2.4", DXGKDDI_INTERFACE_VERSION_WDDM2_4, 0, SIZE_2_4 },
	{ "before 2.9", DXGKDDI_INTERFACE_VERSION_WDDM2_9 - 1, 0, SIZE_2_4 },
	{ "WDDM 2.9", DXGKDDI_INTERFACE_VERSION_WDDM2_9, 0, SIZE_2_9 },
	{ "WDDM 3.0", DXGKDDI_INTERFACE_VERSION_WDDM3_0, 0, SIZE_2_9 },
	{ "after 3.0", DXGKDDI_INTERFACE_VERSION_WDDM3_0 + 1, -EPROTONOSUPPORT },
	{ "the last", U32_MAX, -EPROTONOSUPPORT },
};

KUNIT_ARRAY_PARAM_DESC(version, version_rows, name);

/* Each callback that the version has is there, and no other */
static void expect_callbacks(struct kunit *test,
			     const DXGKRNL_INTERFACE *interface, size_t size)
{
	void *const *callbacks = (void *const *)((const void *)interface +
						 SIZE_2_3);
	size_t i;

	for (i = 0; i < (SIZE_2_9 - SIZE_2_3) / sizeof(void *); i++)
		KUNIT_EXPECT_EQ_MSG(test, !!callbacks[i],
				    SIZE_2_3 + i * sizeof(void *) < size,
				    "callback %zu", i);
}

static void test_version(struct kunit *test)
{
	const struct version_row *row = test->param_value;
	unsigned int i;

	fake_setup(&fake, true);
	fake.init.Version = row->version;
	KUNIT_ASSERT_EQ(test, start(), row->rc);
	if (row->rc) {
		KUNIT_EXPECT_STREQ(test, fake.log, "");
		return;
	}
	for (i = 0; i < FAKE_DEVS; i++) {
		const DXGKRNL_INTERFACE *interface = &fake.devs[i].interface;

		KUNIT_EXPECT_EQ(test, interface->Size, row->size);
		KUNIT_EXPECT_EQ(test, interface->Version, row->version);
		KUNIT_EXPECT_NOT_NULL(test, interface->DeviceHandle);
		expect_callbacks(test, interface, row->size);
	}
	KUNIT_EXPECT_PTR_NE(test, fake.devs[0].interface.DeviceHandle,
			    fake.devs[1].interface.DeviceHandle);
}

/* Each function fails at each of its calls: nothing is left, and no trace of it */

static unsigned int count(const char *what)
{
	const char *at = fake.log;
	unsigned int num = 0;

	while ((at = strstr(at, what))) {
		num++;
		at += strlen(what);
	}
	return num;
}

/* What was done is undone; a function that has failed has done nothing */
static void expect_balance(struct kunit *test, enum fake_ddi failed)
{
	KUNIT_EXPECT_EQ(test, count("add") - (failed == FAKE_ADD),
			count("remove"));
	KUNIT_EXPECT_EQ(test, count("start") - (failed == FAKE_START),
			count("stop"));
	KUNIT_EXPECT_EQ(test, count("begin") - (failed == FAKE_BEGIN),
			count("end"));
	KUNIT_EXPECT_TRUE(test, fake_is_detached());
	KUNIT_EXPECT_EQ(test, fake.domain_errors, 0);
}

/* Return: at how many calls it can fail */
static unsigned int run_failing(struct kunit *test, enum fake_ddi ddi,
				NTSTATUS status, int expected)
{
	unsigned int at;
	int rc;

	for (at = 1;; at++) {
		fake_setup(&fake, fake_isolated(test));
		fake.fail = ddi;
		fake.fail_at = at;
		fake.fail_status = status;
		rc = start();
		if (!rc)
			break;
		KUNIT_EXPECT_EQ(test, rc, expected);
		KUNIT_EXPECT_EQ(test, fake.fail_at, 0);
		expect_balance(test, ddi);
	}
	/* It would have been one call too many */
	KUNIT_EXPECT_EQ(test, fake.fail_at, 1);
	fake_stop(&fake);
	return at - 1;
}

static void test_failing_start(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test,
			run_failing(test, FAKE_ADD, STATUS_NO_MEMORY, -ENOMEM),
			2);
	/* Two caps, two save areas, reserved ranges */
	KUNIT_EXPECT_EQ(test,
			run_failing(test, FAKE_QUERY, STATUS_UNSUCCESSFUL, -EIO),
			5);
	KUNIT_EXPECT_EQ(test,
			run_failing(test, FAKE_BEGIN, STATUS_DEVICE_BUSY,
				    -EBUSY),
			2);
	KUNIT_EXPECT_EQ(test,
			run_failing(test, FAKE_END, STATUS_IO_DEVICE_ERROR,
				    -EIO),
			2);
	KUNIT_EXPECT_EQ(test,
			run_failing(test, FAKE_START,
				    STATUS_INSUFFICIENT_RESOURCES, -ENOMEM),
			2);
}

/* Stopping cannot be refused */
static void test_failing_stop(struct kunit *test)
{
	enum fake_ddi ddis[] = { FAKE_STOP, FAKE_BEGIN, FAKE_END, FAKE_REMOVE };
	unsigned int i, at;

	for (i = 0; i < ARRAY_SIZE(ddis); i++) {
		for (at = 1; at <= FAKE_DEVS; at++) {
			fake_setup(&fake, fake_isolated(test));
			KUNIT_ASSERT_EQ(test, start(), 0);
			fake.fail = ddis[i];
			fake.fail_at = at;
			fake_stop(&fake);
			KUNIT_EXPECT_EQ(test, fake.fail_at, 0);
			KUNIT_EXPECT_STREQ(test, fake.log,
					   FAKE_START_LOG FAKE_STOP_LOG);
			KUNIT_EXPECT_TRUE(test, fake_is_detached());
		}
	}
}

/* Caps */

static bool is_remapped(struct kunit *test)
{
	DXGKARGCB_MAPMDLTOIOMMU args;
	DXGKARGCB_UNMAPMDLFROMIOMMU unmap;
	u8 *page = fake_pages(test, 0);
	PMDL mdl = fake_mdl(test, page, P);
	bool remapped;

	args.pMdl = mdl;
	KUNIT_ASSERT_EQ(test, dxgk.DxgkCbMapMdlToIoMmu(fake.lead, &args), 0);
	remapped = fake_logical(test, args.hMemoryHandle, 0) !=
		   virt_to_phys(page);
	unmap.hMemoryHandle = args.hMemoryHandle;
	dxgk.DxgkCbUnmapMdlFromIoMmu(fake.lead, &unmap);
	IoFreeMdl(mdl);
	return remapped;
}

static void test_caps(struct kunit *test)
{
	/* Remapping is preferred */
	fake.iommu_caps.IommuIsolationSupported = true;
	fake.iommu_caps.DmaRemappingSupported = true;
	KUNIT_ASSERT_EQ(test, start(), 0);
	KUNIT_EXPECT_TRUE(test, is_remapped(test));
	fake_stop(&fake);

	fake.iommu_caps.DmaRemappingSupported = false;
	KUNIT_ASSERT_EQ(test, start(), 0);
	KUNIT_EXPECT_FALSE(test, is_remapped(test));
	fake_stop(&fake);

	/* Before 2.9 there is no remapping */
	fake.iommu_caps.DmaRemappingSupported = true;
	fake.init.Version = DXGKDDI_INTERFACE_VERSION_WDDM2_4;
	KUNIT_ASSERT_EQ(test, start(), 0);
	KUNIT_EXPECT_FALSE(test, is_remapped(test));
	fake_stop(&fake);
	fake.iommu_caps.IommuIsolationSupported = false;
	KUNIT_EXPECT_EQ(test, start(), -EOPNOTSUPP);
	expect_balance(test, FAKE_NONE);

	fake.init.Version = DXGKDDI_INTERFACE_VERSION_WDDM3_0;
	fake.iommu_caps.DmaRemappingSupported = false;
	KUNIT_EXPECT_EQ(test, start(), -EOPNOTSUPP);
	expect_balance(test, FAKE_NONE);
}

/* A save area that is whole pages and that the machine can promise */
static void test_save_area(struct kunit *test)
{
	fake.save_bytes = P + 1;
	KUNIT_EXPECT_EQ(test, start(), -EINVAL);
	expect_balance(test, FAKE_NONE);
	fake.save_bytes = SZ_4G;
	KUNIT_EXPECT_EQ(test, start(), -EINVAL);
	expect_balance(test, FAKE_NONE);
	fake.save_bytes = SZ_4G - P;
	if (totalram_pages() < fake.save_bytes / P) {
		KUNIT_EXPECT_EQ(test, start(), -ENOMEM);
		expect_balance(test, FAKE_NONE);
	}
	fake.save_bytes = P;
	KUNIT_ASSERT_EQ(test, start(), 0);
}

/* Hardware reserved ranges */

struct reserved_row {
	const char *name;
	u64 base;
	u64 bytes;
	int rc;
};

#define BIOS 0xf0000

static const struct reserved_row reserved_rows[] = {
	{ "the BIOS", BIOS, 16 * P, 0 },
	{ "its first page", BIOS, P, 0 },
	{ "unaligned base", BIOS + 1, P, -EINVAL },
	{ "unaligned length", BIOS, P - 1, -EINVAL },
	{ "nothing", BIOS, 0, -EINVAL },
	{ "memory", SZ_16M, P, -EINVAL },
	{ "the BIOS and memory", BIOS, SZ_1M, -EINVAL },
	{ "around the end", (u64)0 - P, 2 * P, -EINVAL },
	{ "no struct page", 1ULL << 45, P, -EOPNOTSUPP },
	{ "the interrupts' window", 0xfee00000, P, -EOPNOTSUPP },
};

static void test_reserved_ranges(struct kunit *test)
{
	const struct reserved_row *row;
	DXGK_PHYSICAL_MEMORY_RANGE range;

	for (row = reserved_rows;
	     row < reserved_rows + ARRAY_SIZE(reserved_rows); row++) {
		fake_setup(&fake, fake_isolated(test));
		range.BaseAddress = phys(row->base);
		range.NumberOfBytes = row->bytes;
		fake.reserved = &range;
		fake.num_reserved = 1;
		KUNIT_EXPECT_EQ_MSG(test, start(), row->rc, "%s", row->name);
		if (!row->rc)
			fake_stop(&fake);
		expect_balance(test, FAKE_NONE);
	}
}

static void test_reaches_nothing(struct kunit *test)
{
	fake.highest = 0;
	KUNIT_EXPECT_EQ(test, start(), -EINVAL);
	expect_balance(test, FAKE_NONE);
}

/* More than a miniport can mean, or another number when it is asked again */
static void test_reserved_range_count(struct kunit *test)
{
	const DXGK_PHYSICAL_MEMORY_RANGE range = { phys(BIOS), P };

	fake.reserved = &range;
	fake.num_reserved = 65;
	KUNIT_EXPECT_EQ(test, start(), -EINVAL);
	expect_balance(test, FAKE_NONE);

	fake_setup(&fake, fake_isolated(test));
	fake.reserved = &range;
	fake.num_reserved = 1;
	fake.reserved_grow = true;
	KUNIT_EXPECT_EQ(test, start(), -EINVAL);
	expect_balance(test, FAKE_NONE);
}

/* In both modes they are at their own address from the first moment on */
static void test_reserved_range_is_reached(struct kunit *test)
{
	const DXGK_PHYSICAL_MEMORY_RANGE ranges[] = {
		{ phys(BIOS), P },
		{ phys(BIOS + 4 * P), 12 * P },
	};
	u8 *copy = fake_pages(test, 0);
	PMDL mdl = fake_mdl(test, copy, P);
	DXGKARGCB_MAPMDLTOIOMMU map = { .pMdl = mdl };
	DXGKARGCB_UNMAPMDLFROMIOMMU unmap;
	u64 logical;

	fake.reserved = ranges;
	fake.num_reserved = ARRAY_SIZE(ranges);
	KUNIT_ASSERT_EQ(test, start(), 0);
	KUNIT_ASSERT_EQ(test, dxgk.DxgkCbMapMdlToIoMmu(fake.lead, &map), 0);
	logical = fake_logical(test, map.hMemoryHandle, 0);
	fake_dma(test, 0, BIOS + 15 * P, false);
	fake_dma(test, 0, logical, true);
	KUNIT_EXPECT_MEMEQ(test, copy, phys_to_virt(BIOS + 15 * P),
			   FAKE_DMA_BYTES);
	unmap.hMemoryHandle = map.hMemoryHandle;
	dxgk.DxgkCbUnmapMdlFromIoMmu(fake.lead, &unmap);
	IoFreeMdl(mdl);
}

static void test_overlapping_reserved_ranges(struct kunit *test)
{
	const DXGK_PHYSICAL_MEMORY_RANGE ranges[] = {
		{ phys(BIOS), 4 * P },
		{ phys(BIOS + 3 * P), P },
	};

	fake.reserved = ranges;
	fake.num_reserved = ARRAY_SIZE(ranges);
	KUNIT_EXPECT_NE(test, start(), 0);
	expect_balance(test, FAKE_NONE);
}

/* Every callback with hAdapter, with arguments that are right otherwise */

static u8 *some_page;
static HANDLE some_contiguous, some_pages, some_mapped;

static NTSTATUS do_allocate_contiguous(HANDLE adapter)
{
	DXGKARGCB_ALLOCATECONTIGUOUSMEMORY args = {
		.NumberOfBytes = P,
		.HighestAcceptableAddress = FAKE_ANYWHERE,
		.CacheType = DXGK_MEMORY_CACHING_TYPE_CACHED,
	};
	NTSTATUS status = dxgk.DxgkCbAllocateContiguousMemory(adapter, &args);

	if (NT_SUCCESS(status))
		some_contiguous = args.hMemoryHandle;
	return status;
}

static NTSTATUS do_free_contiguous(HANDLE adapter)
{
	const DXGKARGCB_FREECONTIGUOUSMEMORY args = { some_contiguous };

	return dxgk.DxgkCbFreeContiguousMemory(adapter, &args);
}

static NTSTATUS do_allocate_pages(HANDLE adapter)
{
	DXGKARGCB_ALLOCATEPAGESFORMDL args = {
		.HighAddress = FAKE_ANYWHERE,
		.TotalBytes = P,
		.CacheType = DXGK_MEMORY_CACHING_TYPE_CACHED,
	};
	NTSTATUS status = dxgk.DxgkCbAllocatePagesForMdl(adapter, &args);

	if (NT_SUCCESS(status))
		some_pages = args.hMemoryHandle;
	return status;
}

static NTSTATUS do_free_pages(HANDLE adapter)
{
	const DXGKARGCB_FREEPAGESFROMMDL args = { some_pages };

	return dxgk.DxgkCbFreePagesFromMdl(adapter, &args);
}

static NTSTATUS do_map(HANDLE adapter)
{
	PMDL mdl = IoAllocateMdl(some_page, P, false, false, NULL);
	DXGKARGCB_MAPMDLTOIOMMU args = { .pMdl = mdl };
	NTSTATUS status;

	if (!mdl)
		return STATUS_NO_MEMORY;
	MmBuildMdlForNonPagedPool(mdl);
	status = dxgk.DxgkCbMapMdlToIoMmu(adapter, &args);
	if (NT_SUCCESS(status))
		some_mapped = args.hMemoryHandle;
	IoFreeMdl(mdl);
	return status;
}

static NTSTATUS do_pin(HANDLE adapter)
{
	DXGKARGCB_PINFRAMEBUFFERFORSAVE args = { .CommitSize = P };

	return dxgk.DxgkCbPinFrameBufferForSave(adapter, &args);
}

static NTSTATUS do_pin2(HANDLE adapter)
{
	DXGKARGCB_PINFRAMEBUFFERFORSAVE2 args = { .CommitSize = P };

	return dxgk.DxgkCbPinFrameBufferForSave2(adapter, &args);
}

static NTSTATUS do_unpin(HANDLE adapter)
{
	const DXGKARGCB_UNPINFRAMEBUFFERFORSAVE args = {};

	return dxgk.DxgkCbUnpinFrameBufferForSave(adapter, &args);
}

static void *some_pointer;

static NTSTATUS do_map_frame_buffer(HANDLE adapter)
{
	DXGKARGCB_MAPFRAMEBUFFERPOINTER args = { .Size = P };
	NTSTATUS status = dxgk.DxgkCbMapFrameBufferPointer(adapter, &args);

	if (NT_SUCCESS(status))
		some_pointer = args.pBaseAddress;
	return status;
}

static NTSTATUS do_unmap_frame_buffer(HANDLE adapter)
{
	const DXGKARGCB_UNMAPFRAMEBUFFERPOINTER args = {
		.pBaseAddress = some_pointer,
	};

	return dxgk.DxgkCbUnmapFrameBufferPointer(adapter, &args);
}

struct callback {
	const char *name;
	NTSTATUS (*call)(HANDLE adapter);
};

/* In an order in which all succeed */
static const struct callback callbacks[] = {
	{ "AllocateContiguousMemory", do_allocate_contiguous },
	{ "FreeContiguousMemory", do_free_contiguous },
	{ "AllocatePagesForMdl", do_allocate_pages },
	{ "FreePagesFromMdl", do_free_pages },
	{ "PinFrameBufferForSave", do_pin },
	{ "UnpinFrameBufferForSave", do_unpin },
	{ "PinFrameBufferForSave2", do_pin2 },
	{ "MapFrameBufferPointer", do_map_frame_buffer },
	{ "UnmapFrameBufferPointer", do_unmap_frame_buffer },
	{ "MapMdlToIoMmu", do_map },
};

static void do_unmap(HANDLE adapter, HANDLE memory)
{
	const DXGKARGCB_UNMAPMDLFROMIOMMU args = { memory };

	dxgk.DxgkCbUnmapMdlFromIoMmu(adapter, &args);
}

static void expect_refused(struct kunit *test, HANDLE adapter, NTSTATUS status)
{
	const struct callback *cb;

	for (cb = callbacks; cb < callbacks + ARRAY_SIZE(callbacks); cb++)
		KUNIT_EXPECT_EQ_MSG(test, cb->call(adapter), status, "%s",
				    cb->name);
}

/* Before each call that works, those with other handles have no effect */
static void test_handles(struct kunit *test)
{
	HANDLE linked, garbage_handles[] = { NULL, garbage(), (HANDLE)-1 };
	const struct callback *cb;
	unsigned int i;
	u64 logical;

	KUNIT_ASSERT_EQ(test, start(), 0);
	some_page = fake_pages(test, 0);
	linked = fake.devs[1].interface.DeviceHandle;
	for (cb = callbacks; cb < callbacks + ARRAY_SIZE(callbacks); cb++) {
		for (i = 0; i < ARRAY_SIZE(garbage_handles); i++)
			KUNIT_EXPECT_EQ_MSG(test, cb->call(garbage_handles[i]),
					    STATUS_INVALID_HANDLE, "%s",
					    cb->name);
		KUNIT_EXPECT_EQ_MSG(test, cb->call(linked),
				    STATUS_INVALID_PARAMETER, "%s", cb->name);
		KUNIT_EXPECT_EQ_MSG(test, cb->call(fake.lead), STATUS_SUCCESS,
				    "%s", cb->name);
	}
	/* A handle of memory is none of an adapter */
	expect_refused(test, some_mapped, STATUS_INVALID_HANDLE);

	do_unmap(linked, some_mapped);
	do_unmap(garbage(), some_mapped);
	do_unmap(NULL, some_mapped);
	KUNIT_EXPECT_EQ(test,
			dxgk_logical_address(linked, some_mapped, 0, &logical),
			-EINVAL);
	KUNIT_EXPECT_EQ(test,
			dxgk_logical_address(garbage(), some_mapped, 0, &logical),
			-ENXIO);
	KUNIT_EXPECT_EQ(test,
			dxgk_logical_address(fake.lead, some_mapped, 0, &logical),
			0);
	do_unmap(fake.lead, some_mapped);
	KUNIT_EXPECT_EQ(test,
			dxgk_logical_address(fake.lead, some_mapped, 0, &logical),
			-ENXIO);
	KUNIT_EXPECT_EQ(test, do_unpin(fake.lead), STATUS_SUCCESS);
}

static void test_null_arguments(struct kunit *test)
{
	HANDLE lead;

	KUNIT_ASSERT_EQ(test, start(), 0);
	lead = fake.lead;
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbAllocateContiguousMemory(lead, NULL),
			STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbFreeContiguousMemory(lead, NULL),
			STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbAllocatePagesForMdl(lead, NULL),
			STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbFreePagesFromMdl(lead, NULL),
			STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbMapMdlToIoMmu(lead, NULL),
			STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbPinFrameBufferForSave(lead, NULL),
			STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbPinFrameBufferForSave2(lead, NULL),
			STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbUnpinFrameBufferForSave(lead, NULL),
			STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbMapFrameBufferPointer(lead, NULL),
			STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, dxgk.DxgkCbUnmapFrameBufferPointer(lead, NULL),
			STATUS_INVALID_PARAMETER);
	dxgk.DxgkCbUnmapMdlFromIoMmu(lead, NULL);
}

/* Two adapters: the memory of one is nothing to the other */
static void test_wrong_adapter(struct kunit *test)
{
	static struct fake_miniport other;
	u64 logical;
	HANDLE wrong;

	KUNIT_ASSERT_EQ(test, fake_start(&fake, 0, 1), 0);
	fake_setup(&other, fake_isolated(test));
	KUNIT_ASSERT_EQ(test, fake_start(&other, 1, 1), 0);
	wrong = other.lead;
	some_page = fake_pages(test, 0);
	KUNIT_ASSERT_EQ(test, do_allocate_contiguous(fake.lead), 0);
	KUNIT_ASSERT_EQ(test, do_allocate_pages(fake.lead), 0);
	KUNIT_ASSERT_EQ(test, do_map(fake.lead), 0);
	KUNIT_ASSERT_EQ(test, do_pin(fake.lead), 0);
	KUNIT_ASSERT_EQ(test, do_map_frame_buffer(fake.lead), 0);

	KUNIT_EXPECT_EQ(test, do_free_contiguous(wrong), STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, do_free_pages(wrong), STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, do_unpin(wrong), STATUS_INVALID_DEVICE_STATE);
	KUNIT_EXPECT_EQ(test, do_unmap_frame_buffer(wrong),
			STATUS_INVALID_PARAMETER);
	do_unmap(wrong, some_mapped);
	KUNIT_EXPECT_EQ(test,
			dxgk_logical_address(wrong, some_mapped, 0, &logical),
			-ENXIO);
	logical = fake_logical(test, some_mapped, 0);
	fake_reaches(test, 0, logical, some_page);
	fake_reaches_not(test, 1, logical, some_page);

	/* The same page in both, even 1:1: they are two address spaces */
	wrong = some_mapped;
	KUNIT_EXPECT_EQ(test, do_map(other.lead), STATUS_SUCCESS);
	do_unmap(other.lead, some_mapped);
	some_mapped = wrong;

	KUNIT_EXPECT_EQ(test, do_free_contiguous(fake.lead), 0);
	KUNIT_EXPECT_EQ(test, do_free_pages(fake.lead), 0);
	KUNIT_EXPECT_EQ(test, do_unpin(fake.lead), 0);
	KUNIT_EXPECT_EQ(test, do_unmap_frame_buffer(fake.lead), 0);
	do_unmap(fake.lead, some_mapped);
	fake_stop(&other);
	KUNIT_EXPECT_EQ(test, other.domain_errors, 0);
}

/* One of each kind that a miniport can leave behind */
static void leak(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, do_allocate_contiguous(fake.lead), 0);
	KUNIT_ASSERT_EQ(test, do_allocate_pages(fake.lead), 0);
	KUNIT_ASSERT_EQ(test, do_map(fake.lead), 0);
	KUNIT_ASSERT_EQ(test, do_pin(fake.lead), 0);
	KUNIT_ASSERT_EQ(test, do_map_frame_buffer(fake.lead), 0);
}

/*
 * What is left is listed and released, and the device reaches nothing of it. "run" has
 * set wddmcompat's parameter "verifier".
 */
static void test_leaks(struct kunit *test)
{
	u64 logical;

	some_page = fake_pages(test, 0);
	KUNIT_ASSERT_EQ(test, start(), 0);
	leak(test);
	logical = fake_logical(test, some_mapped, 0);
	fake_stop(&fake);
	KUNIT_EXPECT_EQ(test, fake_log_count(": 5 allocation(s) leaked"), 1);
	KUNIT_EXPECT_EQ(test, fake_log_count(": leaked: "), 5);
	KUNIT_EXPECT_EQ(test, fake_log_count("[wddmcompat_dxgk_kunit]"), 5);
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(some_page)), 1);
	fake.leaks = 1;

	KUNIT_ASSERT_EQ(test, start(), 0);
	fake_reaches_not(test, 0, logical, some_page);
}

/* After the stop no handle is good for anything, also once it is started again */
static void test_stopped(struct kunit *test)
{
	HANDLE lead, linked;
	u64 logical;

	some_page = fake_pages(test, 0);
	KUNIT_ASSERT_EQ(test, start(), 0);
	lead = fake.lead;
	linked = fake.devs[1].interface.DeviceHandle;
	leak(test);
	fake_stop(&fake);
	fake.leaks = 1;
	expect_refused(test, lead, STATUS_INVALID_HANDLE);
	expect_refused(test, linked, STATUS_INVALID_HANDLE);
	do_unmap(lead, some_mapped);
	KUNIT_EXPECT_EQ(test, dxgk_logical_address(lead, some_mapped, 0, &logical),
			-ENXIO);
	KUNIT_EXPECT_EQ(test, dxgk_frame_buffer_address(lead, 0, 0, &logical),
			-ENXIO);

	KUNIT_ASSERT_EQ(test, start(), 0);
	KUNIT_EXPECT_PTR_NE(test, fake.lead, lead);
	expect_refused(test, lead, STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, do_free_contiguous(fake.lead),
			STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, do_free_pages(fake.lead), STATUS_INVALID_HANDLE);
	KUNIT_EXPECT_EQ(test, do_unpin(fake.lead), STATUS_INVALID_DEVICE_STATE);
	do_unmap(fake.lead, some_mapped);
}

/* A callback works from the start of the lead to the stop of the last, not outside */

static NTSTATUS hook_status[FAKE_DEVS][FAKE_REMOVE + 1];

static void call_back(struct fake_device *device, enum fake_ddi ddi)
{
	HANDLE lead = fake.devs[0].interface.DeviceHandle;
	NTSTATUS status = STATUS_UNSUCCESSFUL;

	if (fake.devs[0].interface.Size) {
		status = do_map(lead);
		if (NT_SUCCESS(status))
			do_unmap(lead, some_mapped);
	}
	hook_status[device->number][ddi] = status;
}

static void test_callback_in_ddi(struct kunit *test)
{
	int i;

	some_page = fake_pages(test, 0);
	fake.hook = call_back;
	KUNIT_ASSERT_EQ(test, start(), 0);
	/* There was no interface yet */
	for (i = 0; i < FAKE_DEVS; i++) {
		KUNIT_EXPECT_EQ(test, hook_status[i][FAKE_END],
				STATUS_UNSUCCESSFUL);
		KUNIT_EXPECT_EQ(test, hook_status[i][FAKE_START],
				STATUS_SUCCESS);
	}
	fake_stop(&fake);
	for (i = 0; i < FAKE_DEVS; i++) {
		KUNIT_EXPECT_EQ(test, hook_status[i][FAKE_STOP], STATUS_SUCCESS);
		KUNIT_EXPECT_EQ(test, hook_status[i][FAKE_BEGIN],
				STATUS_INVALID_HANDLE);
		KUNIT_EXPECT_EQ(test, hook_status[i][FAKE_END],
				STATUS_INVALID_HANDLE);
		KUNIT_EXPECT_EQ(test, hook_status[i][FAKE_REMOVE],
				STATUS_INVALID_HANDLE);
	}
}

static struct kunit_case adapter_cases[] = {
	KUNIT_CASE_PARAM(test_order, mode_gen_params),
	KUNIT_CASE_PARAM(test_one_device, mode_gen_params),
	KUNIT_CASE(test_num_devices),
	KUNIT_CASE_PARAM(test_device_in_use, mode_gen_params),
	KUNIT_CASE(test_missing_function),
	KUNIT_CASE(test_device_is_not_wanted),
	KUNIT_CASE_PARAM(test_failing_start, mode_gen_params),
	KUNIT_CASE_PARAM(test_failing_stop, mode_gen_params),
	KUNIT_CASE(test_caps),
	KUNIT_CASE_PARAM(test_save_area, mode_gen_params),
	KUNIT_CASE_PARAM(test_reserved_ranges, mode_gen_params),
	KUNIT_CASE_PARAM(test_reaches_nothing, mode_gen_params),
	KUNIT_CASE_PARAM(test_reserved_range_count, mode_gen_params),
	KUNIT_CASE_PARAM(test_reserved_range_is_reached, mode_gen_params),
	KUNIT_CASE_PARAM(test_overlapping_reserved_ranges, mode_gen_params),
	KUNIT_CASE_PARAM(test_handles, mode_gen_params),
	KUNIT_CASE_PARAM(test_null_arguments, mode_gen_params),
	KUNIT_CASE_PARAM(test_wrong_adapter, mode_gen_params),
	KUNIT_CASE_PARAM(test_leaks, mode_gen_params),
	KUNIT_CASE_PARAM(test_stopped, mode_gen_params),
	KUNIT_CASE_PARAM(test_callback_in_ddi, mode_gen_params),
	{}
};

static struct kunit_suite adapter_suite = {
	.name = "wddmcompat-dxgk-adapter",
	.suite_init = fake_suite_init,
	.suite_exit = fake_suite_exit,
	.init = adapter_init,
	.exit = fake_exit,
	.test_cases = adapter_cases,
};

/* The parameters are versions: no mode */
static struct kunit_case version_cases[] = {
	KUNIT_CASE_PARAM(test_version, version_gen_params),
	{}
};

static struct kunit_suite version_suite = {
	.name = "wddmcompat-dxgk-version",
	.suite_init = fake_suite_init,
	.suite_exit = fake_suite_exit,
	.init = fake_init_stopped,
	.exit = fake_exit,
	.test_cases = version_cases,
};

kunit_test_suites(&adapter_suite, &version_suite);
