/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of DXGKRNL_INTERFACE have in common: a miniport that does as it is
 * told, on QEMU's edu devices.
 */
#ifndef __DXGK_FIXTURE_H
#define __DXGK_FIXTURE_H

#include <dispmprt.h>
#include <kunit/test.h>
#include <linux/dxgkrnl.h>

#define FAKE_DEVS 2

/* What edu transfers in one go */
#define FAKE_DMA_BYTES 2048

/* The save area of each device */
#define FAKE_SAVE_PAGES 8
#define FAKE_SAVE_BYTES (FAKE_SAVE_PAGES * PAGE_SIZE)

enum fake_ddi {
	FAKE_NONE,
	FAKE_ADD,
	FAKE_QUERY,
	FAKE_BEGIN,
	FAKE_END,
	FAKE_START,
	FAKE_STOP,
	FAKE_REMOVE,
};

struct fake_miniport;

/**
 * struct fake_device - A physical adapter of the miniport's
 * @miniport: The miniport
 * @dev: The device
 * @number: Which one of the chain
 * @interface: What it was given at start
 */
struct fake_device {
	struct fake_miniport *miniport;
	struct device *dev;
	unsigned int number;
	DXGKRNL_INTERFACE interface;
};

/**
 * struct fake_miniport - A miniport
 * @init: Its functions and version
 * @iommu_caps: What it says of its adapter
 * @highest: HighestVisibleAddress, and HighestAcceptableAddress
 * @save_bytes: Size of each save area; 0: none
 * @reserved: Hardware reserved ranges
 * @num_reserved: Entries of @reserved
 * @reserved_grow: There is one more when they are asked for
 * @fail: The function that is to fail
 * @fail_at: At which call of it, counted from 1
 * @fail_status: How
 * @hook: Called whenever a function but the query is, if not NULL
 * @domain_errors: Calls of Begin or End in the wrong domain
 * @log: Functions called: "add0 add1 ...", but queries
 * @devs: Its devices
 * @num_devs: Devices in @devs
 * @adapter: The logical adapter, or NULL
 * @lead: hAdapter
 * @leaks: Lines about leaks that fake_exit() is to find
 */
struct fake_miniport {
	DRIVER_INITIALIZATION_DATA init;
	DXGK_IOMMU_CAPS iommu_caps;
	u64 highest;
	size_t save_bytes;
	const DXGK_PHYSICAL_MEMORY_RANGE *reserved;
	unsigned int num_reserved;
	bool reserved_grow;
	enum fake_ddi fail;
	unsigned int fail_at;
	NTSTATUS fail_status;
	void (*hook)(struct fake_device *device, enum fake_ddi ddi);
	unsigned int domain_errors;
	char log[256];
	struct fake_device devs[FAKE_DEVS];
	unsigned int num_devs;
	struct dxgk_adapter *adapter;
	HANDLE lead;
	unsigned int leaks;
};

/* The one that tests work with; its lead's interface */
extern struct fake_miniport fake;
#define dxgk (fake.devs[0].interface)

struct fake_mode {
	const char *name;
	bool isolated;
};

/* Parameters of a test: in each mode */
extern const struct fake_mode fake_modes[2];

int fake_suite_init(struct kunit_suite *suite);
void fake_suite_exit(struct kunit_suite *suite);

/* For suites that have no devices, but count pins: fake_suite_init() does it, too */
int fake_pins_init(struct kunit_suite *suite);
void fake_pins_exit(struct kunit_suite *suite);
int fake_init(struct kunit *test);
int fake_init_stopped(struct kunit *test);
void fake_exit(struct kunit *test);
bool fake_isolated(struct kunit *test);

void fake_setup(struct fake_miniport *miniport, bool isolated);
int __must_check fake_start(struct fake_miniport *miniport, unsigned int first,
			    unsigned int num);
void fake_stop(struct fake_miniport *miniport);
void fake_restart(struct kunit *test);
struct device *fake_device(unsigned int number);
bool fake_is_detached(void);

/* What can be counted */
long fake_pins(void);
void fake_log_begin(void);
unsigned int fake_log_count(const char *what);
unsigned int fake_log_line(const char *what);

/* Address spaces of users */
struct mm_struct *fake_mm_new(struct kunit *test);
void fake_mm_free(struct mm_struct *mm);
unsigned long fake_user_pages(struct kunit *test, unsigned long num_pages,
			      unsigned long prot);

/* What the devices reach */
void fake_dma(struct kunit *test, unsigned int number, u64 address,
	      bool to_memory);
void fake_reaches(struct kunit *test, unsigned int number, u64 address,
		  void *memory);
void fake_reaches_not(struct kunit *test, unsigned int number, u64 address,
		      void *memory);
u64 fake_logical(struct kunit *test, HANDLE memory, u64 offset);

/* Memory */
u64 fake_physical(const void *address);
PMDL fake_mdl(struct kunit *test, void *address, ULONG bytes);
void *fake_pages(struct kunit *test, unsigned int order);

static inline PHYSICAL_ADDRESS phys(u64 address)
{
	return (PHYSICAL_ADDRESS){ .QuadPart = address };
}

static inline HANDLE garbage(void)
{
	return (HANDLE)0x4711;
}

#define FAKE_ANYWHERE phys(U64_MAX)

#define SLOW { .speed = KUNIT_SPEED_SLOW }

#endif
