/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the tour share.
 */
#ifndef _EDU_MINIPORT_TOUR_H
#define _EDU_MINIPORT_TOUR_H

#include "miniport.h"

/**
 * struct tour - The tour of the callbacks
 * @dxgkrnl: The callbacks
 * @adapter: hAdapter for them: the handle of the lead device
 * @low: Memory is asked for from here on...
 * @high: ... to here: where the devices could not reach it without being remapped,
 *        or, in isolation mode, where they can
 * @failures: Steps that failed
 */
struct tour {
	const DXGKRNL_INTERFACE *dxgkrnl;
	HANDLE adapter;
	PHYSICAL_ADDRESS low;
	PHYSICAL_ADDRESS high;
	unsigned int failures;
};

#define TOUR_BYTES (MEMORY_PAGES * PAGE_SIZE)

/* tour.c */
void __printf(1, 2) remark(const char *format, ...);
bool __printf(3, 4) step(struct tour *tour, bool ok, const char *format, ...);
bool __printf(4, 5) step_status(struct tour *tour, NTSTATUS status,
				NTSTATUS want, const char *format, ...);
bool locate(struct tour *tour, struct memory *memory, HANDLE handle,
	    u64 offset);
void check_reached(struct tour *tour, const char *name,
		   const struct memory *memory);
void check_blocked(struct tour *tour, const char *name, struct memory *memory,
		   const char *how);

/* tour_memory.c: WDDM 2.4 */
void tour_contiguous(struct tour *tour);
void tour_pages(struct tour *tour);
void tour_own_mdl(struct tour *tour);
void tour_chain(struct tour *tour);
void tour_user_mdl(struct tour *tour);
void tour_out_of_sight(struct tour *tour);
void tour_frame_buffer(struct tour *tour);
void tour_reserved(struct tour *tour);

/* tour_objects.c: WDDM 2.9 */
void tour_objects(struct tour *tour);

/* tour_refused.c: what must not work */
void tour_refused(struct tour *tour);
unsigned int count_wrong_refusals(const DXGKRNL_INTERFACE *dxgkrnl,
				  HANDLE adapter, NTSTATUS want);

#endif
