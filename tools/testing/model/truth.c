// SPDX-License-Identifier: GPL-2.0-only
/* What a device sees, which is what counts; and what is pinned */
#include <string.h>
#include <sys/ioctl.h>

#include "../selftests/rig.h"
#include "model.h"

/* Bytes of a stamp */
#define STAMP 16

static struct rig rig;
static struct ioas *seen; /* by the device */

static int ioas_fd(const struct ioas *ioas)
{
	for (int i = 0; i < IOMMUFDS; i++)
		if (state.iommufd[i].fd >= 0 &&
		    state.iommufd[i].iommufd == ioas->in)
			return state.iommufd[i].fd;
	return -1;
}

/* What the device cannot have is what iommufd does not offer */
static void learn_reserved(struct ioas *ioas, int fd)
{
	struct iommu_iova_range offer[8];
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas->id,
		.num_iovas = 8,
		.allowed_iovas = (uintptr_t)offer,
	};
	__u64 next = 0;

	if (ioctl(fd, IOMMU_IOAS_IOVA_RANGES, &cmd))
		wrong("IOVA_RANGES: %m");
	ioas->num_reserved = 0;
	for (unsigned int i = 0; i < cmd.num_iovas; i++) {
		if (offer[i].start > next)
			ioas->reserved[ioas->num_reserved++] =
				(struct span){ next, offer[i].start - 1 };
		next = offer[i].last + 1;
		if (!next)
			return;
	}
	ioas->reserved[ioas->num_reserved++] = (struct span){ next, UINT64_MAX };
}

static bool stage_is_there(void)
{
	struct area *area = area_find(seen, rig.stage_iova, rig.stage_iova);

	return area && !area->pages->va;
}

/* Of the device's stage only the number of pins is of interest */
static void stage_mapped(void)
{
	struct pages *pages = pages_new(0, 1, true);

	pages->frames[0].page = page_new(0);
	pages->frames[0].pins = 1;
	state.pins++;
	area_add(seen, rig.stage_iova, PAGE_SIZE, pages, 0, true);
	pages->frames[0].pins--;
	pages_put(pages);
}

/* Others may have unmapped it, and put something else there */
static bool stage_is_ready(void)
{
	int fd = ioas_fd(seen);

	if (stage_is_there())
		return true;
	if (fd < 0 || ioas_check(seen, rig.stage_iova, PAGE_SIZE))
		return false;
	expect("map of the stage", 0,
	       ioas_map_fixed(fd, seen->id, rig.stage, PAGE_SIZE,
			      rig.stage_iova));
	stage_mapped();
	return true;
}

/* attach ioas: the device, if nothing is there yet that it could not have */
void do_attach(const __u64 *arg, unsigned int n)
{
	struct ioas *ioas = &state.ioas[ref_slot(arg[0], IOASES)];
	int fd;

	(void)n;
	if (device < 0 || seen || !ioas->live || ioas->num_areas ||
	    ioas->num_allowed)
		return;
	fd = ioas_fd(ioas);
	if (fd < 0)
		return;
	expect("attach", 0, rig_open(&rig, device, fd, ioas->id));
	ioas->attached = true;
	learn_reserved(ioas, fd);
	iommufd_get(ioas->in);
	seen = ioas;
	stage_mapped();
}

/* detach: when nothing is there but what the device began with */
void do_detach(const __u64 *arg, unsigned int n)
{
	struct iommufd *in;

	(void)arg;
	(void)n;
	if (!seen || seen->num_areas != 1 || !stage_is_there() ||
	    ioas_fd(seen) < 0)
		return;
	rig_close(&rig);
	area_remove(seen, seen->areas[0]);
	seen->attached = false;
	seen->num_reserved = 0;
	in = seen->in;
	seen = NULL;
	iommufd_put(in);
}

/* From an address to the stage, or the other way round */
static bool fetch(__u64 iova)
{
	return !edu_read(&rig.edu, iova, STAMP);
}

static bool store(__u64 iova)
{
	return !edu_write(&rig.edu, iova, STAMP);
}

/* What the device reads there: a stamp, or @poison if it reads nothing */
static __u64 device_reads(__u64 iova, __u64 poison)
{
	__u64 found;

	stamp_write(rig.stage, poison);
	if (!fetch(rig.stage_iova) || !fetch(iova))
		wrong("the device does not answer");
	stamp_write(rig.stage, 0);
	if (!store(rig.stage_iova))
		wrong("the device does not answer");
	memcpy(&found, rig.stage, sizeof(found));
	if (!stamp_is(rig.stage, found))
		wrong("the device reads half a stamp, %#llx", found);
	return found;
}

static void check_read(__u64 iova, struct page *page)
{
	const __u64 poison = 0x0123456789abcdef;
	__u64 found = device_reads(iova, poison);

	if (!page) {
		if (is_stamp(found))
			wrong("the device reads %#llx at %#llx, where nothing is",
			      found, iova);
		return;
	}
	if (page->lazy && !found)
		page->stamp = 0;
	if (found != page->stamp)
		wrong("the device reads %#llx at %#llx instead of %#llx", found,
		      iova, page->stamp);
}

static void check_write(__u64 iova, const struct area *area, struct page *page)
{
	const __u64 stamp = new_stamp();

	stamp_write(rig.stage, stamp);
	if (!fetch(rig.stage_iova) || !store(iova))
		wrong("the device does not answer");
	if (page && area->writable) {
		page->stamp = stamp;
		page->lazy = false;
	}
	check_read(iova, page);
}

/* dma base offset write: is there what should be there? */
void do_dma(const __u64 *arg, unsigned int n)
{
	__u64 iova = arg_address(arg[0], arg[1]) & ~(PAGE_SIZE - 1);
	struct page *page = NULL;
	struct area *area;

	(void)n;
	if (!seen || iova == rig.stage_iova || !stage_is_ready())
		return;
	area = area_find(seen, iova, iova);
	if (area)
		page = area_page(area, iova);
	/* Refused is what the IOMMU has to block */
	count(page ? 0 : -EFAULT);
	if (arg[2] & 1)
		check_write(iova, area, page);
	else
		check_read(iova, page);
}

/* pins: as many as the model says, by what this process is charged for */
void do_pins(const __u64 *arg, unsigned int n)
{
	(void)arg;
	(void)n;
	check_pins();
}

/* The device goes, and with it what it kept */
void truth_end(void)
{
	if (!seen)
		return;
	edu_close(&rig.edu);
	iommufd_put(seen->in);
	seen = NULL;
}
