/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A WDDM display miniport for QEMU's edu device. README.rst tells what is where.
 */
#ifndef _EDU_MINIPORT_H
#define _EDU_MINIPORT_H

#include <linux/mutex.h>
#include <linux/types.h>

#include <wdm.h>
#include <d3dkmddi.h>
#include <dispmprt.h>

/* Physical adapters in the logical one */
#define LINKED 2

/* hardware.c: the device, which knows nothing of WDDM */

/*
 * What one transfer moves, and what the device's buffer is taken to have. There are
 * 4096 bytes, but QEMU (before 8.1) gives up at a transfer that includes the last.
 */
#define EDU_BYTES 4095

/**
 * struct edu - A device
 * @regs: Its registers
 * @bar: Where they are for the CPU
 * @lock: One transfer at a time
 * @silent: No transfer at all: the IOMMU is being changed. Under @lock
 */
struct edu {
	void __iomem *regs;
	u64 bar;
	struct mutex lock; /* transfers, silent */
	bool silent;
};

/* In QEMU's documentation: the low byte of the identification is always this */
#define EDU_ID 0x00
#define EDU_ID_BYTE 0xed

enum edu_direction {
	EDU_READS,
	EDU_WRITES,
};

void edu_init(struct edu *edu, void __iomem *regs, u64 bar);
void edu_silence(struct edu *edu, bool silent);
int __must_check edu_dma(struct edu *edu, enum edu_direction direction,
			 u64 address, u32 offset, u32 count);

/* miniport.c: what Dxgkrnl calls */

/**
 * struct adapter - The miniport's context of a physical adapter
 * @pdo: The device for Linux
 * @edu: The device for us
 * @index: Its place in the linked chain; 0 leads
 * @dxgkrnl: What it may call. Valid while it is started
 * @begun: DxgkDdiBeginExclusiveAccess was called so often
 * @ended: And DxgkDdiEndExclusiveAccess so often
 * @small_handle: Memory handle of a page that was allocated at start, so that the
 *                frame buffer can be saved when there is no memory
 * @small: The page, for the CPU
 * @small_logical: The page, for the device
 */
struct adapter {
	PDEVICE_OBJECT pdo;
	struct edu *edu;
	UINT index;
	DXGKRNL_INTERFACE dxgkrnl;
	unsigned int begun;
	unsigned int ended;
	HANDLE small_handle;
	u8 *small;
	u64 small_logical;
};

/* The linked chain; [0] is the lead device. There is one in this driver. */
extern struct adapter *linked[LINKED];

/* Bytes of the module parameter reserved */
#define RESERVED_BYTES SZ_64K

const DRIVER_INITIALIZATION_DATA *miniport_entry(void);
bool miniport_isolated(void);
u64 miniport_highest(void);
u64 miniport_reserved(void);

/* pci.c: the Linux driver */
struct edu *pci_edu(PDEVICE_OBJECT pdo, UINT *index);

/* power.c: the device's buffer in the frame buffer save area */

#define SAVE_BYTES ROUND_TO_PAGES(EDU_BYTES)

enum save_path {
	SAVE_PINNED,
	SAVE_IN_PIECES,
};

NTSTATUS power_init(struct adapter *adapter);
void power_exit(struct adapter *adapter);
int power_load(struct adapter *adapter);
int power_dump(struct adapter *adapter);
NTSTATUS power_move(struct adapter *adapter, enum edu_direction direction,
		    enum save_path *path);
int power_suspend(struct adapter *adapter);
int power_resume(struct adapter *adapter);

/* memory.c: what the devices reach of some pages */

#define MEMORY_PAGES 3

/**
 * struct memory - Pages, for the CPU and for the devices
 * @num_pages: Pages
 * @first: First byte of the buffer within the first page
 * @bytes: Bytes of the buffer
 * @cpu: Each page, for the CPU
 * @logical: Each page, for the devices. Kept when they no longer reach it
 * @pages: Each page. Held, so that memory that was freed can be looked at
 */
struct memory {
	unsigned int num_pages;
	size_t first;
	size_t bytes;
	u8 *cpu[MEMORY_PAGES];
	u64 logical[MEMORY_PAGES];
	struct page *pages[MEMORY_PAGES];
};

void memory_of_address(struct memory *memory, void *va, size_t bytes);
bool memory_of_mdl(struct memory *memory, PMDL mdl);
void memory_freed(struct memory *memory);
void memory_put(struct memory *memory);
u64 adl_address(const DXGK_ADL *adl, UINT page);
bool memory_ends_above(u64 address);
bool memory_is_above(const struct memory *memory, u64 address);
bool memory_is_below(const struct memory *memory, u64 address);
bool memory_copied(const struct memory *memory, struct adapter *adapter);
bool memory_blocked(const struct memory *memory, struct adapter *adapter);

/* tour.c: every callback, once around */
bool __printf(2, 3) say_ok(bool ok, const char *format, ...);
int tour_take(void);
void tour_farewell(const DXGKRNL_INTERFACE *dxgkrnl);

#endif
