// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions that Dxgkrnl calls, as a display miniport has them. Nothing here is
 * about Linux but the module's parameters.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include "miniport.h"

static ulong version = DXGKDDI_INTERFACE_VERSION;
module_param(version, ulong, 0444);
MODULE_PARM_DESC(version, "DXGKDDI_INTERFACE_VERSION to ask for (default: 3.0)");

static bool isolation;
module_param(isolation, bool, 0444);
MODULE_PARM_DESC(isolation, "do without DMA remapping: logical addresses are physical ones");

static ulong highest = 0x0fffffff;
module_param(highest, ulong, 0444);
MODULE_PARM_DESC(highest, "last address that the devices can send (default: QEMU's default, 28 bits)");

static ulong reserved;
module_param(reserved, ulong, 0444);
MODULE_PARM_DESC(reserved, "physical address of 64 KiB that the hardware has to itself (default: none)");

struct adapter *linked[LINKED];

bool miniport_isolated(void)
{
	return isolation;
}

u64 miniport_highest(void)
{
	return highest;
}

u64 miniport_reserved(void)
{
	return reserved;
}

static NTSTATUS add_device(const PDEVICE_OBJECT pdo, PVOID *context)
{
	struct adapter *adapter;

	adapter = devm_kzalloc(pdo, sizeof(*adapter), GFP_KERNEL);
	if (!adapter)
		return STATUS_NO_MEMORY;
	adapter->pdo = pdo;
	adapter->edu = pci_edu(pdo, &adapter->index);
	linked[adapter->index] = adapter;
	*context = adapter;
	return STATUS_SUCCESS;
}

static NTSTATUS remove_device(const PVOID context)
{
	struct adapter *adapter = context;

	say_ok(adapter->begun == 2 && adapter->ended == 2,
	       "device %u was silent once more, while it was detached",
	       adapter->index);
	linked[adapter->index] = NULL;
	devm_kfree(adapter->pdo, adapter);
	return STATUS_SUCCESS;
}

static NTSTATUS start_device(const PVOID context, PDXGK_START_INFO info,
			     PDXGKRNL_INTERFACE dxgkrnl, PULONG num_sources,
			     PULONG num_children)
{
	struct adapter *adapter = context;

	if (dxgkrnl->Size > sizeof(adapter->dxgkrnl))
		return STATUS_REVISION_MISMATCH;
	memcpy(&adapter->dxgkrnl, dxgkrnl, dxgkrnl->Size);
	/* This device shows nothing */
	*num_sources = 0;
	*num_children = 0;
	/* From here on it may do DMA: its IOMMU domain is there */
	pci_set_master(to_pci_dev(adapter->pdo));
	return power_init(adapter);
}

static NTSTATUS stop_device(const PVOID context)
{
	struct adapter *adapter = context;

	power_exit(adapter);
	return STATUS_SUCCESS;
}

static NTSTATUS iommu_caps(DXGK_IOMMU_CAPS *caps)
{
	caps->IommuIsolationSupported = true;
	caps->DmaRemappingSupported = !isolation;
	return STATUS_SUCCESS;
}

static NTSTATUS physical_memory_caps(DXGK_PHYSICAL_MEMORY_CAPS *caps)
{
	caps->HighestVisibleAddress.QuadPart = highest;
	return STATUS_SUCCESS;
}

/* Asked instead of the two above by a Dxgkrnl that talks WDDM 2.4 to us */
static NTSTATUS driver_caps(DXGK_DRIVERCAPS *caps)
{
	caps->HighestAcceptableAddress.QuadPart = highest;
	caps->MemoryManagementCaps.IoMmuSecureModeSupported = true;
	return STATUS_SUCCESS;
}

/* Each device has its own area */
static NTSTATUS frame_buffer_save_size(DXGK_FRAMEBUFFERSAVEAREA *area)
{
	area->MaximumSize = SAVE_BYTES;
	return STATUS_SUCCESS;
}

/* Asked twice: how many, then which */
static NTSTATUS reserved_ranges(DXGK_HARDWARERESERVEDRANGES *ranges)
{
	if (!reserved)
		return STATUS_NOT_SUPPORTED;
	ranges->NumRanges = 1;
	if (ranges->pPhysicalRanges) {
		ranges->pPhysicalRanges->BaseAddress.QuadPart = reserved;
		ranges->pPhysicalRanges->NumberOfBytes = RESERVED_BYTES;
	}
	return STATUS_SUCCESS;
}

static NTSTATUS query_adapter_info(const HANDLE context,
				   const DXGKARG_QUERYADAPTERINFO *args)
{
	switch (args->Type) {
	case DXGKQAITYPE_DRIVERCAPS:
		return driver_caps(args->pOutputData);
	case DXGKQAITYPE_IOMMU_CAPS:
		return iommu_caps(args->pOutputData);
	case DXGKQAITYPE_PHYSICAL_MEMORY_CAPS:
		return physical_memory_caps(args->pOutputData);
	case DXGKQAITYPE_FRAMEBUFFERSAVESIZE:
		return frame_buffer_save_size(args->pOutputData);
	case DXGKQAITYPE_HARDWARERESERVEDRANGES:
		return reserved_ranges(args->pOutputData);
	}
	return STATUS_NOT_SUPPORTED;
}

/* From here on the device must not touch memory... */
static NTSTATUS begin_exclusive_access(const HANDLE context,
				       DXGKARG_BEGINEXCLUSIVEACCESS *args)
{
	struct adapter *adapter = context;

	edu_silence(adapter->edu, true);
	adapter->begun++;
	return STATUS_SUCCESS;
}

/* ... until here, where its IOMMU domain has changed */
static NTSTATUS end_exclusive_access(const HANDLE context,
				     DXGKARG_ENDEXCLUSIVEACCESS *args)
{
	struct adapter *adapter = context;

	adapter->ended++;
	edu_silence(adapter->edu, false);
	return STATUS_SUCCESS;
}

static DRIVER_INITIALIZATION_DATA miniport_init = {
	.DxgkDdiAddDevice = add_device,
	.DxgkDdiStartDevice = start_device,
	.DxgkDdiStopDevice = stop_device,
	.DxgkDdiRemoveDevice = remove_device,
	.DxgkDdiQueryAdapterInfo = query_adapter_info,
	.DxgkDdiBeginExclusiveAccess = begin_exclusive_access,
	.DxgkDdiEndExclusiveAccess = end_exclusive_access,
};

/* What DriverEntry gives to DxgkInitialize() */
const DRIVER_INITIALIZATION_DATA *miniport_entry(void)
{
	miniport_init.Version = version;
	return &miniport_init;
}
