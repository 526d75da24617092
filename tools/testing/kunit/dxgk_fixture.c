// SPDX-License-Identifier: GPL-2.0-only
/*
 * A miniport for the tests of DXGKRNL_INTERFACE. It notes what it is called for, and
 * fails when it is told to.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iopoll.h>
#include <linux/kmsg_dump.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "compat.h"
#include "dxgk_fixture.h"

/* The device's registers, see QEMU's docs/specs/edu */
#define EDU_DMA_SRC 0x80
#define EDU_DMA_DST 0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_CMD 0x98
#define EDU_DMA_START BIT(0)
#define EDU_DMA_TO_MEMORY BIT(1)
#define EDU_BUFFER 0x40000

/**
 * struct fake_edu - A device
 * @pdev: The PCI device
 * @regs: Its registers
 * @idle: Its domain while it is no adapter
 * @begun: Its domain when it was last told to be silent
 * @user: What it is for its miniport
 */
struct fake_edu {
	struct pci_dev *pdev;
	void __iomem *regs;
	struct iommu_domain *idle;
	struct iommu_domain *begun;
	struct fake_device *user;
};

struct fake_miniport fake;

const struct fake_mode fake_modes[2] = {
	{ .name = "remapped" },
	{ .name = "isolation", .isolated = true },
};

static struct fake_edu edus[FAKE_DEVS];
static unsigned int num_edus;
static struct kmsg_dump_iter kmsg;
static struct file *stat_refresh;
static long pins;

static int fake_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct fake_edu *edu = &edus[num_edus];
	int rc;

	if (num_edus == FAKE_DEVS)
		return -EBUSY;
	rc = pcim_enable_device(pdev);
	if (rc)
		return rc;
	edu->regs = pcim_iomap(pdev, 0, 0);
	if (!edu->regs)
		return -ENOMEM;
	edu->pdev = pdev;
	edu->idle = iommu_get_domain_for_dev(&pdev->dev);
	num_edus++;
	return 0;
}

static void fake_pci_remove(struct pci_dev *pdev)
{
	num_edus--;
}

static const struct pci_device_id fake_pci_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{}
};

static struct pci_driver fake_pci_driver = {
	.name = "wddmcompat-dxgk-test",
	.id_table = fake_pci_ids,
	.probe = fake_pci_probe,
	.remove = fake_pci_remove,
	.driver_managed_dma = true,
};

/* In the process that loads the module: the threads of the tests may have no files */
int fake_pins_init(struct kunit_suite *suite)
{
	stat_refresh = filp_open("/proc/sys/vm/stat_refresh", O_RDONLY, 0);
	return PTR_ERR_OR_ZERO(stat_refresh);
}

void fake_pins_exit(struct kunit_suite *suite)
{
	filp_close(stat_refresh, NULL);
}

static int fake_find_devices(void)
{
	int rc = pci_register_driver(&fake_pci_driver);

	if (rc)
		return rc;
	if (num_edus != FAKE_DEVS) {
		pci_unregister_driver(&fake_pci_driver);
		pr_err("wddmcompat: the tests need %u edu devices\n", FAKE_DEVS);
		return -ENODEV;
	}
	return 0;
}

int fake_suite_init(struct kunit_suite *suite)
{
	int rc;

	kmsg_dump_rewind(&kmsg);
	rc = fake_pins_init(suite);
	if (rc)
		return rc;
	rc = fake_find_devices();
	if (rc)
		fake_pins_exit(suite);
	return rc;
}

void fake_suite_exit(struct kunit_suite *suite)
{
	if (!num_edus)
		return;
	pci_unregister_driver(&fake_pci_driver);
	fake_pins_exit(suite);
}

/* The miniport */

static void fake_note(struct fake_device *device, enum fake_ddi ddi)
{
	static const char *const names[] = {
		[FAKE_ADD] = "add",	[FAKE_BEGIN] = "begin",
		[FAKE_END] = "end",	[FAKE_START] = "start",
		[FAKE_STOP] = "stop",	[FAKE_REMOVE] = "remove",
	};
	struct fake_miniport *miniport = device->miniport;
	size_t length = strlen(miniport->log);

	snprintf(miniport->log + length, sizeof(miniport->log) - length,
		 "%s%s%u", length ? " " : "", names[ddi], device->number);
	if (miniport->hook)
		miniport->hook(device, ddi);
}

static NTSTATUS fake_status(struct fake_miniport *miniport, enum fake_ddi ddi)
{
	if (miniport->fail != ddi || !miniport->fail_at || --miniport->fail_at)
		return STATUS_SUCCESS;
	return miniport->fail_status;
}

static struct fake_edu *fake_edu_of(const struct device *dev)
{
	return &edus[dev != &edus[0].pdev->dev];
}

static NTSTATUS fake_add(const PDEVICE_OBJECT dev, PVOID *context)
{
	struct fake_device *device = fake_edu_of(dev)->user;

	fake_note(device, FAKE_ADD);
	*context = device;
	return fake_status(device->miniport, FAKE_ADD);
}

static NTSTATUS fake_ddi_start(const PVOID context, PDXGK_START_INFO info,
			       PDXGKRNL_INTERFACE interface, PULONG sources,
			       PULONG children)
{
	struct fake_device *device = context;

	device->interface = *interface;
	fake_note(device, FAKE_START);
	pci_set_master(to_pci_dev(device->dev));
	return fake_status(device->miniport, FAKE_START);
}

static NTSTATUS fake_ddi_stop(const PVOID context)
{
	struct fake_device *device = context;

	fake_note(device, FAKE_STOP);
	return fake_status(device->miniport, FAKE_STOP);
}

static NTSTATUS fake_remove(const PVOID context)
{
	struct fake_device *device = context;

	fake_note(device, FAKE_REMOVE);
	return fake_status(device->miniport, FAKE_REMOVE);
}

static NTSTATUS fake_reserved(const struct fake_miniport *miniport,
			      DXGK_HARDWARERESERVEDRANGES *ranges)
{
	if (!miniport->num_reserved)
		return STATUS_NOT_SUPPORTED;
	if (!ranges->pPhysicalRanges) {
		ranges->NumRanges = miniport->num_reserved;
		return STATUS_SUCCESS;
	}
	memcpy(ranges->pPhysicalRanges, miniport->reserved,
	       ranges->NumRanges * sizeof(*miniport->reserved));
	ranges->NumRanges = miniport->num_reserved + miniport->reserved_grow;
	return STATUS_SUCCESS;
}

static NTSTATUS fake_answer(struct fake_device *device,
			    const DXGKARG_QUERYADAPTERINFO *args)
{
	struct fake_miniport *miniport = device->miniport;
	DXGK_DRIVERCAPS *driver_caps = args->pOutputData;
	DXGK_PHYSICAL_MEMORY_CAPS *memory_caps = args->pOutputData;
	DXGK_FRAMEBUFFERSAVEAREA *area = args->pOutputData;

	switch (args->Type) {
	case DXGKQAITYPE_DRIVERCAPS:
		driver_caps->HighestAcceptableAddress = phys(miniport->highest);
		driver_caps->MemoryManagementCaps.IoMmuSecureModeSupported =
			miniport->iommu_caps.IommuIsolationSupported;
		return STATUS_SUCCESS;
	case DXGKQAITYPE_IOMMU_CAPS:
		*(DXGK_IOMMU_CAPS *)args->pOutputData = miniport->iommu_caps;
		return STATUS_SUCCESS;
	case DXGKQAITYPE_PHYSICAL_MEMORY_CAPS:
		memory_caps->HighestVisibleAddress = phys(miniport->highest);
		return STATUS_SUCCESS;
	case DXGKQAITYPE_FRAMEBUFFERSAVESIZE:
		if (!miniport->save_bytes)
			return STATUS_NOT_SUPPORTED;
		if (*(UINT *)args->pInputData != device->number)
			return STATUS_INVALID_PARAMETER;
		area->MaximumSize = miniport->save_bytes;
		return STATUS_SUCCESS;
	case DXGKQAITYPE_HARDWARERESERVEDRANGES:
		return fake_reserved(miniport, args->pOutputData);
	}
	return STATUS_NOT_SUPPORTED;
}

static NTSTATUS fake_query(const HANDLE context,
			   const DXGKARG_QUERYADAPTERINFO *args)
{
	struct fake_device *device = context;
	NTSTATUS status = fake_status(device->miniport, FAKE_QUERY);

	return NT_SUCCESS(status) ? fake_answer(device, args) : status;
}

static NTSTATUS fake_begin(const HANDLE context,
			   DXGKARG_BEGINEXCLUSIVEACCESS *args)
{
	struct fake_device *device = context;
	struct fake_edu *edu = fake_edu_of(device->dev);
	struct iommu_domain *domain = iommu_get_domain_for_dev(device->dev);

	fake_note(device, FAKE_BEGIN);
	/* Nothing has changed before: it is idle, or has what the last End saw */
	if (domain != edu->begun)
		device->miniport->domain_errors++;
	return fake_status(device->miniport, FAKE_BEGIN);
}

static NTSTATUS fake_end(const HANDLE context, DXGKARG_ENDEXCLUSIVEACCESS *args)
{
	struct fake_device *device = context;
	struct fake_edu *edu = fake_edu_of(device->dev);
	struct iommu_domain *domain = iommu_get_domain_for_dev(device->dev);

	fake_note(device, FAKE_END);
	/* It has changed since */
	if (domain == edu->begun)
		device->miniport->domain_errors++;
	edu->begun = domain;
	return fake_status(device->miniport, FAKE_END);
}

/**
 * fake_setup() - A miniport as most tests want it
 * @miniport: To initialize
 * @isolated: It supports isolation only, else remapping only
 */
void fake_setup(struct fake_miniport *miniport, bool isolated)
{
	*miniport = (struct fake_miniport){
		.init = {
			.Version = DXGKDDI_INTERFACE_VERSION_WDDM3_0,
			.DxgkDdiAddDevice = fake_add,
			.DxgkDdiStartDevice = fake_ddi_start,
			.DxgkDdiStopDevice = fake_ddi_stop,
			.DxgkDdiRemoveDevice = fake_remove,
			.DxgkDdiQueryAdapterInfo = fake_query,
			.DxgkDdiBeginExclusiveAccess = fake_begin,
			.DxgkDdiEndExclusiveAccess = fake_end,
		},
		.iommu_caps = {
			.IommuIsolationSupported = isolated,
			.DmaRemappingSupported = !isolated,
		},
		.highest = DMA_BIT_MASK(40),
		.save_bytes = FAKE_SAVE_BYTES,
		.fail_status = STATUS_UNSUCCESSFUL,
	};
}

/**
 * fake_start() - Start a logical adapter
 * @miniport: From fake_setup()
 * @first: Number of the first edu device
 * @num: Devices
 *
 * Return: As dxgk_adapter_start().
 */
int fake_start(struct fake_miniport *miniport, unsigned int first,
	       unsigned int num)
{
	struct device *devs[FAKE_DEVS];
	struct dxgk_adapter *adapter;
	unsigned int i;

	miniport->num_devs = num;
	miniport->log[0] = 0;
	for (i = 0; i < num; i++) {
		struct fake_edu *edu = &edus[first + i];

		devs[i] = &edu->pdev->dev;
		miniport->devs[i] = (struct fake_device){
			.miniport = miniport,
			.dev = devs[i],
			.number = i,
		};
		edu->user = &miniport->devs[i];
		edu->begun = edu->idle;
	}
	adapter = dxgk_adapter_start(&miniport->init, devs, num);
	if (IS_ERR(adapter))
		return PTR_ERR(adapter);
	miniport->adapter = adapter;
	miniport->lead = miniport->devs[0].interface.DeviceHandle;
	return 0;
}

void fake_stop(struct fake_miniport *miniport)
{
	dxgk_adapter_stop(miniport->adapter);
	miniport->adapter = NULL;
}

void fake_restart(struct kunit *test)
{
	if (fake.adapter)
		fake_stop(&fake);
	KUNIT_ASSERT_EQ(test, fake_start(&fake, 0, FAKE_DEVS), 0);
}

/* A device that no adapter has yet */
struct device *fake_device(unsigned int number)
{
	return &edus[number].pdev->dev;
}

/* Are all devices as they were before they had an adapter? */
bool fake_is_detached(void)
{
	unsigned int i;

	for (i = 0; i < num_edus; i++) {
		if (iommu_get_domain_for_dev(&edus[i].pdev->dev) != edus[i].idle)
			return false;
	}
	return true;
}

bool fake_isolated(struct kunit *test)
{
	const struct fake_mode *mode = test->param_value;

	return mode && mode->isolated;
}

int fake_init_stopped(struct kunit *test)
{
	fake_setup(&fake, false);
	fake_log_begin();
	pins = fake_pins();
	return 0;
}

/* For tests whose parameter, if any, is the mode */
int fake_init(struct kunit *test)
{
	fake_init_stopped(test);
	fake_setup(&fake, fake_isolated(test));
	return fake_start(&fake, 0, FAKE_DEVS);
}

/* Whatever the test has done, nothing is left; and it was told of its leaks */
void fake_exit(struct kunit *test)
{
	if (fake.adapter)
		fake_stop(&fake);
	KUNIT_EXPECT_TRUE(test, fake_is_detached());
	KUNIT_EXPECT_EQ(test, fake.domain_errors, 0);
	KUNIT_EXPECT_EQ(test, fake_pins(), pins);
	KUNIT_EXPECT_EQ(test, fake_log_count("leaked by the miniport"),
			fake.leaks);
}

/* What can be counted */

/*
 * Each CPU counts for itself, and adds that to the sum now and then. What it is about to
 * add is in neither for a moment: so have them all add what they have.
 */
static void fake_refresh_stats(void)
{
	loff_t pos = 0;
	char nothing;

	WARN_ON(kernel_read(stat_refresh, &nothing, 1, &pos));
}

/* Pages that are pinned in the whole system, as often as they are */
long fake_pins(void)
{
	fake_refresh_stats();
	return global_node_page_state(NR_FOLL_PIN_ACQUIRED) -
	       global_node_page_state(NR_FOLL_PIN_RELEASED);
}

/* Forget what the kernel has said */
void fake_log_begin(void)
{
	char line[256];

	while (kmsg_dump_get_line(&kmsg, false, line, sizeof(line), NULL))
		;
}

/* Lines with @what that the kernel has said since */
unsigned int fake_log_count(const char *what)
{
	struct kmsg_dump_iter iter = kmsg;
	unsigned int count = 0;
	char line[256];
	size_t length;

	while (kmsg_dump_get_line(&iter, false, line, sizeof(line), &length))
		count += !!strnstr(line, what, length);
	return count;
}

/* The first of these lines, by number; UINT_MAX if there is none */
unsigned int fake_log_line(const char *what)
{
	struct kmsg_dump_iter iter = kmsg;
	unsigned int number = 0;
	char line[256];
	size_t length;

	while (kmsg_dump_get_line(&iter, false, line, sizeof(line), &length)) {
		if (strnstr(line, what, length))
			return number;
		number++;
	}
	return UINT_MAX;
}

/* Address spaces of users: kunit_vm_mmap() has one for each test only */

struct mm_struct *fake_mm_new(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	mm->task_size = TASK_SIZE;
	arch_pick_mmap_layout(mm, &current->signal->rlim[RLIMIT_STACK]);
	kthread_use_mm(mm);
	return mm;
}

void fake_mm_free(struct mm_struct *mm)
{
	if (current->mm == mm)
		kthread_unuse_mm(mm);
	mmput(mm);
}

unsigned long fake_user_pages(struct kunit *test, unsigned long num_pages,
			      unsigned long prot)
{
	unsigned long address;

	address = vm_mmap(NULL, 0, num_pages << PAGE_SHIFT, prot,
			  MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(address));
	return address;
}

/* What the devices reach */

/* One transfer between the device's buffer and @address. Takes about 100 ms. */
void fake_dma(struct kunit *test, unsigned int number, u64 address,
	      bool to_memory)
{
	void __iomem *regs = edus[number].regs;
	u32 cmd;

	writeq(to_memory ? EDU_BUFFER : address, regs + EDU_DMA_SRC);
	writeq(to_memory ? address : EDU_BUFFER, regs + EDU_DMA_DST);
	writeq(FAKE_DMA_BYTES, regs + EDU_DMA_COUNT);
	writeq(EDU_DMA_START | (to_memory ? EDU_DMA_TO_MEMORY : 0),
	       regs + EDU_DMA_CMD);
	KUNIT_ASSERT_EQ(test,
			readl_poll_timeout(regs + EDU_DMA_CMD, cmd,
					   !(cmd & EDU_DMA_START), 1000,
					   30 * USEC_PER_SEC),
			0);
}

/* From @memory to the device and back */
void fake_reaches(struct kunit *test, unsigned int number, u64 address,
		  void *memory)
{
	static u8 value;

	value += 0x11;
	memset(memory, value, FAKE_DMA_BYTES);
	fake_dma(test, number, address, false);
	memset(memory, 0, FAKE_DMA_BYTES);
	fake_dma(test, number, address, true);
	KUNIT_EXPECT_NULL(test, memchr_inv(memory, value, FAKE_DMA_BYTES));
}

void fake_reaches_not(struct kunit *test, unsigned int number, u64 address,
		      void *memory)
{
	memset(memory, 0xff, FAKE_DMA_BYTES);
	fake_dma(test, number, address, true);
	KUNIT_EXPECT_NULL(test, memchr_inv(memory, 0xff, FAKE_DMA_BYTES));
}

u64 fake_logical(struct kunit *test, HANDLE memory, u64 offset)
{
	u64 logical = 0;

	KUNIT_EXPECT_EQ(test,
			dxgk_logical_address(fake.lead, memory, offset,
					     &logical),
			0);
	return logical;
}

/* Memory */

/* Where a byte of the kernel's is */
u64 fake_physical(const void *address)
{
	if (is_vmalloc_addr(address))
		return PFN_PHYS(vmalloc_to_pfn(address)) |
		       offset_in_page(address);
	return virt_to_phys((void *)address);
}

/* An MDL of memory of the kernel's. IoFreeMdl() takes it back. */
PMDL fake_mdl(struct kunit *test, void *address, ULONG bytes)
{
	PMDL mdl = IoAllocateMdl(address, bytes, false, false, NULL);

	KUNIT_ASSERT_NOT_NULL(test, mdl);
	MmBuildMdlForNonPagedPool(mdl);
	return mdl;
}

static void fake_pages_free(void *data)
{
	struct page *page = data;

	__free_pages(page, compound_order(page));
}

/* Contiguous pages, until the test ends */
void *fake_pages(struct kunit *test, unsigned int order)
{
	struct page *page;

	page = alloc_pages(GFP_KERNEL | __GFP_ZERO | (order ? __GFP_COMP : 0),
			   order);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test,
			kunit_add_action_or_reset(test, fake_pages_free, page),
			0);
	return page_address(page);
}

MODULE_IMPORT_NS(WDDM_NS(EXPORTED_FOR_KUNIT_TESTING));
MODULE_IMPORT_NS(WDDM_NS(WDDMCOMPAT));
MODULE_DESCRIPTION("KUnit tests of DXGKRNL_INTERFACE");
MODULE_LICENSE("GPL");
