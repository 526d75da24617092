// SPDX-License-Identifier: GPL-2.0-only
/*
 * What we ask of iommufd: one function for each of its ioctls, and our access on
 * an IOAS. No other file but adapter.c, which attaches devices, talks to iommufd.
 */
#include <kunit/visibility.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/iommufd.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/workqueue.h>
#include <uapi/linux/iommufd.h>

#include "wddmcompat_private.h"

/* IOMMU_IOAS_ALLOC: a new IOAS, with no device and no mapping */
int wddm_ioas_alloc(struct wddm_iommufd *iommufd, u32 *ioas_id)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int rc;

	rc = wddm_command(iommufd, WDDM_VIA_CARRIER, IOMMU_IOAS_ALLOC, &cmd,
			  sizeof(cmd));
	*ioas_id = cmd.out_ioas_id;
	return rc;
}
EXPORT_SYMBOL_IF_KUNIT(wddm_ioas_alloc);

/* How often to ask for an IOAS that is in use, a millisecond apart */
#define FREE_TRIES 100

/*
 * IOMMU_DESTROY of an IOAS. Another thread that is in a command about it keeps it for
 * a moment, and where failures are injected the command may not be copied. It stays
 * if its holder has attached devices to it.
 */
void wddm_ioas_free(struct wddm_iommufd *iommufd, u32 ioas_id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = ioas_id };
	int tries = 0;
	int rc;

	for (;;) {
		rc = wddm_command(iommufd, WDDM_VIA_CARRIER, IOMMU_DESTROY,
				  &cmd, sizeof(cmd));
		if ((rc != -EBUSY && rc != -EFAULT) || ++tries == FREE_TRIES)
			break;
		usleep_range(1000, 2000);
	}
	if (rc)
		pr_debug("wddmcompat: IOAS %u is still in use: %d\n", ioas_id,
			 rc);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_ioas_free);

static const struct iommufd_access_ops ioas_access_ops = {
	.needs_pin_pages = 1,
	.unmap = wddm_ranges_unmapped,
};

/**
 * wddm_ioas_attach() - Put our access on an IOAS
 * @ioas: To initialize
 * @iommufd: Where the IOAS is
 * @ioas_id: ID that should be that of an IOAS
 *
 * From here on the IOAS cannot be destroyed, its IOVA are aligned to pages, and
 * wddm_ranges_unmapped() is called before an area goes that we have pinned.
 */
int wddm_ioas_attach(struct wddm_ioas *ioas, struct wddm_iommufd *iommufd,
		     u32 ioas_id)
{
	struct iommufd_access *access;
	u32 access_id;
	int rc;

	ioas->iommufd = iommufd;
	ioas->id = ioas_id;
	wddm_watch_init(ioas);

	access = iommufd_access_create(iommufd->ictx, &ioas_access_ops, ioas,
				       &access_id);
	if (IS_ERR(access)) {
		rc = PTR_ERR(access);
		goto err_watch;
	}
	rc = iommufd_access_attach(access, ioas_id);
	if (rc) {
		iommufd_access_destroy(access);
		goto err_watch;
	}
	ioas->access = access;
	return 0;

err_watch:
	wddm_watch_fini(ioas);
	return rc;
}

/**
 * struct waker - Somebody who wakes a task at every tick
 * @work: Does it
 * @task: The task, which looks each time whether it has to sleep on
 */
struct waker {
	struct delayed_work work;
	struct task_struct *task;
};

static void waker_work(struct work_struct *work)
{
	struct waker *waker =
		container_of(to_delayed_work(work), struct waker, work);

	wake_up_process(waker->task);
	schedule_delayed_work(&waker->work, 1);
}

/*
 * iommufd_access_destroy() waits for those who are calling us, uninterruptibly, but the
 * last of them wakes only interruptible waiters. It would sleep until its time is up: a
 * minute, before 6.17 ten seconds.
 */
static void access_destroy(struct iommufd_access *access)
{
	struct waker waker = { .task = current };

	INIT_DELAYED_WORK_ONSTACK(&waker.work, waker_work);
	schedule_delayed_work(&waker.work, 1);
	iommufd_access_destroy(access);
	cancel_delayed_work_sync(&waker.work);
	destroy_delayed_work_on_stack(&waker.work);
}

void wddm_ioas_detach(struct wddm_ioas *ioas)
{
	/*
	 * First off the list of those whom iommufd calls: it takes a reference for
	 * each call, and an access that has one cannot be destroyed.
	 */
	iommufd_access_detach(ioas->access);
	access_destroy(ioas->access);
	wddm_watch_fini(ioas);
}

/*
 * IOMMU_IOAS_MAP of user addresses: the owner's, the caller's, or in the carrier a
 * window. The caller's way has no answer: wddm_range_watch() finds out.
 */
int wddm_ioas_map(struct wddm_ioas *ioas, enum wddm_via via, unsigned long iova,
		  unsigned long uaddr, unsigned long length, bool writeable)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.ioas_id = ioas->id,
		.user_va = uaddr,
		.length = length,
		.iova = iova,
	};
	int rc;

	if (writeable)
		cmd.flags |= IOMMU_IOAS_MAP_WRITEABLE;
	rc = wddm_command(ioas->iommufd, via, IOMMU_IOAS_MAP, &cmd,
			  sizeof(cmd));
	return via == WDDM_VIA_CALLER && rc == -EFAULT ? 0 : rc;
}

/*
 * IOMMU_IOAS_COPY. @dst_iova is in and out with IOMMU_IOAS_MAP_FIXED_IOVA, else
 * out. The owner may have made it up: wddm_range_watch() finds out.
 */
int wddm_ioas_copy(struct wddm_ioas *dst, struct wddm_ioas *src,
		   unsigned long src_iova, unsigned long length, u32 flags,
		   unsigned long *dst_iova)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dst_ioas_id = dst->id,
		.src_ioas_id = src->id,
		.length = length,
		.dst_iova = *dst_iova,
		.src_iova = src_iova,
	};
	int rc;

	rc = wddm_command(dst->iommufd, WDDM_VIA_ANY, IOMMU_IOAS_COPY, &cmd,
			  sizeof(cmd));
	if (rc)
		return rc;
	if (flags & IOMMU_IOAS_MAP_FIXED_IOVA)
		return 0;
	if (!PAGE_ALIGNED(cmd.dst_iova) || cmd.dst_iova > ULONG_MAX - (length - 1))
		return -ESTALE;
	*dst_iova = cmd.dst_iova;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(wddm_ioas_copy);

/* IOMMU_IOAS_UNMAP. -ENOENT if there is nothing, or only a part of an area. */
int wddm_ioas_unmap(struct wddm_ioas *ioas, enum wddm_via via,
		    unsigned long iova, unsigned long length)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas->id,
		.iova = iova,
		.length = length,
	};

	return wddm_command(ioas->iommufd, via, IOMMU_IOAS_UNMAP, &cmd,
			    sizeof(cmd));
}
EXPORT_SYMBOL_IF_KUNIT(wddm_ioas_unmap);

/* As many as a command has room for. A PC has three. */
#define IOVA_RANGES_MAX 6

/**
 * wddm_ioas_limit() - Say how far the addresses go that iommufd may choose
 * @ioas: IOAS of ours, with its devices attached and nothing chosen yet
 * @last: The last address that all its devices can use
 *
 * IOMMU_IOAS_IOVA_RANGES and IOMMU_IOAS_ALLOW_IOVAS. What iommufd allows may not
 * touch what is reserved, so it is what it offers, up to @last. Ranges that the
 * command has no room for are not used.
 *
 * Return: 0, -ENOSPC if nothing is left, or what iommufd returns.
 */
int wddm_ioas_limit(struct wddm_ioas *ioas, u64 last)
{
	struct {
		union {
			struct iommu_ioas_iova_ranges offer;
			struct iommu_ioas_allow_iovas allow;
		};
		struct iommu_iova_range ranges[IOVA_RANGES_MAX];
	} cmd = {
		.offer.size = sizeof(cmd.offer),
		.offer.ioas_id = ioas->id,
		.offer.num_iovas = IOVA_RANGES_MAX,
	};
	size_t array = offsetof(typeof(cmd), ranges);
	u32 i, num;
	int rc;

	BUILD_BUG_ON(sizeof(cmd) > WDDM_COMMAND_SIZE);
	rc = wddm_command_array(ioas->iommufd, IOMMU_IOAS_IOVA_RANGES, &cmd,
				sizeof(cmd),
				offsetof(typeof(cmd.offer), allowed_iovas),
				array);
	if (rc && rc != -EMSGSIZE)
		return rc;
	num = min(cmd.offer.num_iovas, IOVA_RANGES_MAX);
	/* A range of one address iommufd takes for none */
	for (i = 0; i < num && cmd.ranges[i].start < last; i++)
		cmd.ranges[i].last = min(cmd.ranges[i].last, last);
	if (!i)
		return -ENOSPC;
	cmd.allow = (struct iommu_ioas_allow_iovas){
		.size = sizeof(cmd.allow),
		.ioas_id = ioas->id,
		.num_iovas = i,
	};
	return wddm_command_array(ioas->iommufd, IOMMU_IOAS_ALLOW_IOVAS, &cmd,
				  sizeof(cmd),
				  offsetof(typeof(cmd.allow), allowed_iovas),
				  array);
}
