// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tour: every callback is called, and what it gave is shown to be true by the
 * devices' DMA. Each step is a line of the log, as KTAP has them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dxgkrnl.h>
#include <linux/io.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/printk.h>

#include "tour.h"

/* A line of the log; @format says what is so, if all is well */
static void say_result(bool ok, const char *format, va_list *args)
{
	struct va_format vaf = { .fmt = format, .va = args };

	pr_info("%sok - %pV\n", ok ? "" : "not ", &vaf);
}

/* What is worth to be known, but proves nothing */
void remark(const char *format, ...)
{
	struct va_format vaf = { .fmt = format };
	va_list args;

	va_start(args, format);
	vaf.va = &args;
	pr_info("# %pV\n", &vaf);
	va_end(args);
}

/* Something outside of the tour that was looked at */
bool say_ok(bool ok, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_result(ok, format, &args);
	va_end(args);
	return ok;
}

/* A step of the tour */
bool step(struct tour *tour, bool ok, const char *format, ...)
{
	va_list args;

	tour->failures += !ok;
	va_start(args, format);
	say_result(ok, format, &args);
	va_end(args);
	return ok;
}

/* A step whose result is a status */
bool step_status(struct tour *tour, NTSTATUS status, NTSTATUS want,
		 const char *format, ...)
{
	va_list args;

	if (status != want)
		remark("status %#x instead of %#x", status, want);
	tour->failures += status != want;
	va_start(args, format);
	say_result(status == want, format, &args);
	va_end(args);
	return status == want;
}

/* --- Where memory is -------------------------------------------------------- */

/*
 * Where the pages are for the devices, by their memory handle. The buffer begins
 * with byte @offset of what the handle names.
 */
bool locate(struct tour *tour, struct memory *memory, HANDLE handle, u64 offset)
{
	size_t byte = 0;
	unsigned int i;
	u64 logical;
	int rc;

	for (i = 0; i < memory->num_pages; i++) {
		rc = dxgk_logical_address(tour->adapter, handle, offset + byte,
					  &logical);
		if (rc) {
			remark("byte %zu has no address: %d", byte, rc);
			return step(tour, false, "the memory has addresses");
		}
		memory->logical[i] = PAGE_ALIGN_DOWN(logical);
		byte = (i + 1) * PAGE_SIZE - memory->first;
	}
	return true;
}

/* Remapped: any addresses within the devices' sight. Isolation: the physical ones. */
static bool is_placed(const struct memory *memory)
{
	unsigned int i;
	u64 logical;

	for (i = 0; i < memory->num_pages; i++) {
		logical = memory->logical[i];
		if (logical > miniport_highest() - (PAGE_SIZE - 1))
			return false;
		if (miniport_isolated() &&
		    logical != page_to_phys(memory->pages[i]))
			return false;
	}
	return true;
}

/* @memory is mapped: where, and what do the devices make of it? */
void check_reached(struct tour *tour, const char *name,
		   const struct memory *memory)
{
	bool ok = true;
	unsigned int i;

	remark("%s: physical %#llx is logical %#llx", name,
	       (u64)page_to_phys(memory->pages[0]), memory->logical[0]);
	step(tour, is_placed(memory),
	     miniport_isolated() ?
		     "%s: for the devices it is at its physical addresses" :
		     "%s: for the devices it is at addresses that they can send",
	     name);
	for (i = 0; i < LINKED; i++)
		ok &= memory_copied(memory, linked[i]);
	step(tour, ok, "%s: each device reads and writes its bytes and no others",
	     name);
}

/* @memory is mapped no longer. It is let go here, too. */
void check_blocked(struct tour *tour, const char *name, struct memory *memory,
		   const char *how)
{
	bool ok = true;
	unsigned int i;

	memory_freed(memory);
	for (i = 0; i < LINKED; i++)
		ok &= memory_blocked(memory, linked[i]);
	step(tour, ok, "%s: once it is %s, no device reads or writes it", name,
	     how);
	memory_put(memory);
}

/* --- The tour --------------------------------------------------------------- */

static void tour_start(struct tour *tour)
{
	bool objects = miniport_entry()->Version >=
		       DXGKDDI_INTERFACE_VERSION_WDDM2_9;
	unsigned int i;

	remark("%u linked devices, WDDM version %#x, %s, sight up to %#llx",
	       LINKED, tour->dxgkrnl->Version,
	       miniport_isolated() ? "isolation" : "remapped",
	       miniport_highest());
	step(tour, tour->dxgkrnl->Version == miniport_entry()->Version,
	     "the interface has the version that was asked for");
	step(tour, tour->dxgkrnl->DxgkCbMapMdlToIoMmu,
	     "the interface has the callbacks of WDDM 2.4");
	step(tour, !tour->dxgkrnl->DxgkCbAllocateAdl == !objects,
	     "the interface has those of WDDM 2.9 only if it was asked for");
	for (i = 0; i < LINKED; i++)
		step(tour, linked[i]->begun == 1 && linked[i]->ended == 1,
		     "device %u was silent once, while it was attached", i);
}

int tour_take(void)
{
	bool isolated = miniport_isolated();
	u64 highest = miniport_highest();
	struct tour tour = {
		.dxgkrnl = &linked[0]->dxgkrnl,
		.adapter = linked[0]->dxgkrnl.DeviceHandle,
		.low.QuadPart = isolated ? 0 : highest + 1,
		.high.QuadPart = isolated ? highest : S64_MAX,
	};

	remark("== What the miniport was started with");
	tour_start(&tour);
	if (miniport_reserved())
		tour_reserved(&tour);
	remark("== Memory in one piece");
	tour_contiguous(&tour);
	remark("== Pages");
	tour_pages(&tour);
	remark("== Memory that the miniport describes");
	tour_own_mdl(&tour);
	tour_chain(&tour);
	tour_user_mdl(&tour);
	if (isolated && memory_ends_above(highest))
		tour_out_of_sight(&tour);
	remark("== The frame buffer save area");
	tour_frame_buffer(&tour);
	if (tour.dxgkrnl->DxgkCbAllocateAdl) {
		remark("== Physical memory objects");
		tour_objects(&tour);
	}
	remark("== What is refused");
	tour_refused(&tour);
	return tour.failures ? -EIO : 0;
}

/* The adapter has been stopped; @dxgkrnl is what it had */
void tour_farewell(const DXGKRNL_INTERFACE *dxgkrnl)
{
	unsigned int wrong;

	wrong = count_wrong_refusals(dxgkrnl, dxgkrnl->DeviceHandle,
				     STATUS_INVALID_HANDLE);
	say_ok(!wrong, "every callback refuses the handle of a stopped adapter");
}
