// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: an open file, or a kernel module's. What belongs to it, in which order
 * it goes, and the events that user space reads from it.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "wddmcompat_private.h"

/*
 * Where MDLs begin in their IOAS. They are laid one behind the other in 16 EiB
 * and no IOVA is used twice, so there is nothing to search for. Who has used them
 * up needs a new context.
 */
#define MDL_IOVA_FIRST SZ_1M

struct wddmcompat_context *wddm_context_alloc(struct mm_struct *owner)
{
	struct wddmcompat_context *ctx;

	ctx = kzalloc_obj(*ctx, GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return NULL;
	ctx->owner = owner;
	if (owner)
		mmgrab(owner);
	wddm_handles_init(&ctx->handles);
	atomic64_set(&ctx->mdl_iova, MDL_IOVA_FIRST);
	mutex_init(&ctx->bind_lock);
	mutex_init(&ctx->read_lock);
	spin_lock_init(&ctx->events_lock);
	INIT_LIST_HEAD(&ctx->events);
	init_waitqueue_head(&ctx->events_wait);
	return ctx;
}

bool wddm_context_is_bound(struct wddmcompat_context *ctx)
{
	/* Pairs with wddm_context_bind(): what it has prepared can be seen */
	return smp_load_acquire(&ctx->bound);
}

/**
 * wddm_context_bind() - Bind a context to an iommufd
 * @ctx: Context that is not bound
 * @iommufd: What should be an iommufd, or NULL for a new one
 *
 * Context: ctx->bind_lock is held.
 * Return: 0, -EBADFD if @iommufd is something else, or another error.
 */
int wddm_context_bind(struct wddmcompat_context *ctx, struct file *iommufd)
{
	u32 ioas_id;
	int rc;

	lockdep_assert_held(&ctx->bind_lock);
	if (ctx->bound)
		return -EBUSY;
	rc = wddm_iommufd_open(&ctx->iommufd, iommufd, ctx->owner);
	if (rc)
		return rc;
	rc = wddm_ioas_alloc(&ctx->iommufd, &ioas_id);
	if (rc)
		goto err_iommufd;
	rc = wddm_ioas_attach(&ctx->mdls, &ctx->iommufd, ioas_id);
	if (rc)
		goto err_ioas;
	/* Pairs with wddm_context_is_bound() */
	smp_store_release(&ctx->bound, true);
	return 0;

err_ioas:
	wddm_ioas_free(&ctx->iommufd, ioas_id);
err_iommufd:
	wddm_iommufd_close(&ctx->iommufd);
	return rc;
}

int wddm_bind_ioctl(struct wddm_ucmd *ucmd)
{
	struct wddmcompat_bind *cmd = ucmd->cmd;
	struct wddmcompat_context *ctx = ucmd->ctx;
	struct file *file;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	file = fget(cmd->iommufd);
	if (!file)
		return -EBADF;
	mutex_lock(&ctx->bind_lock);
	rc = wddm_context_bind(ctx, file);
	cmd->out_mdl_ioas_id = ctx->mdls.id;
	mutex_unlock(&ctx->bind_lock);
	fput(file);
	return rc;
}

/* So many, so that a call in the carrier is not mistaken for a hung task */
#define UNDO_BATCH 1024

struct context_undo {
	struct wddmcompat_context *ctx;
	enum wddmcompat_object_type type;
	u32 index;
};

/* Undo objects of one type. Returns whether there may be more. */
static int context_undo_some(void *data)
{
	struct context_undo *undo = data;
	struct wddm_handle_table *handles = &undo->ctx->handles;
	unsigned int num = 0;

	for (; undo->index < handles->num_slots; undo->index++) {
		struct wddm_object *obj = wddm_handle_at(handles, undo->index);

		if (!obj || wddm_handle_type(obj->handle) != undo->type)
			continue;
		wddm_object_undo(obj);
		if (++num == UNDO_BATCH)
			return true;
		cond_resched();
	}
	return false;
}

/*
 * Undo every object of one type. Nothing else runs in the context. It is done in the
 * carrier, as the caller may be in the middle of exit().
 */
static void context_undo(struct wddmcompat_context *ctx,
			 enum wddmcompat_object_type type)
{
	struct context_undo undo = { .ctx = ctx, .type = type };

	while (wddm_carrier_call(&ctx->iommufd, context_undo_some, &undo))
		;
}

/* Mappings leave before the pins that they are made of */
static void context_unbind(struct wddmcompat_context *ctx)
{
	ctx->patience = wddm_patience_end();
	context_undo(ctx, WDDMCOMPAT_OBJECT_MAPPING);
	context_undo(ctx, WDDMCOMPAT_OBJECT_ADAPTER);
	context_undo(ctx, WDDMCOMPAT_OBJECT_MDL);
	wddm_ioas_detach(&ctx->mdls);
	wddm_ioas_free(&ctx->iommufd, ctx->mdls.id);
	wddm_iommufd_close(&ctx->iommufd);
}

/**
 * wddm_context_free() - The end of a context and of all that belongs to it
 * @ctx: Context that nobody uses any more
 *
 * When this returns, no mapping, no pin and no memlock charge of the context is
 * left, whatever state its owner has left it in. Only an area that an object of a
 * shared iommufd needs stays, as that iommufd's own.
 *
 * Context: May sleep.
 */
void wddm_context_free(struct wddmcompat_context *ctx)
{
	if (ctx->bound)
		context_unbind(ctx);
	WARN_ON(!list_empty(&ctx->events));
	wddm_handles_destroy(&ctx->handles);
	mutex_destroy(&ctx->read_lock);
	mutex_destroy(&ctx->bind_lock);
	if (ctx->owner)
		mmdrop(ctx->owner);
	kfree(ctx);
}

/**
 * wddmcompat_context_create() - Make a context for a kernel module
 * @iommufd: An iommufd to share with the user space that opened it; or NULL for
 *           a private one, which no user space can reach
 *
 * In a shared iommufd user space can reach all that the context locks and maps:
 * lock nothing there that it must not see. Two modules never share a private
 * one.
 *
 * Context: May sleep; any process or kthread.
 * Return: The context, which wddmcompat_context_destroy() takes back, or
 * ERR_PTR: -EBADFD (@iommufd is no iommufd), -ENODEV (there was no /dev/iommu when
 * this module was loaded), -ENOMEM.
 */
struct wddmcompat_context *wddmcompat_context_create(struct file *iommufd)
{
	struct wddmcompat_context *ctx;
	int rc;

	ctx = wddm_context_alloc(NULL);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&ctx->bind_lock);
	rc = wddm_context_bind(ctx, iommufd);
	mutex_unlock(&ctx->bind_lock);
	if (rc) {
		wddm_context_free(ctx);
		return ERR_PTR(rc);
	}
	return ctx;
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_context_create, WDDM_EXPORT_NS);

/**
 * wddmcompat_context_destroy() - The end of a kernel module's context
 * @ctx: From wddmcompat_context_create(); nobody may use it, or anything made
 *       in it, any more
 *
 * Unmaps, detaches and unlocks whatever is left, in this order.
 *
 * Context: May sleep; any process or kthread.
 */
void wddmcompat_context_destroy(struct wddmcompat_context *ctx)
{
	wddm_context_free(ctx);
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_context_destroy, WDDM_EXPORT_NS);

/* Tell user space that a range was revoked. The range is the event: no memory. */
void wddm_event_queue(struct wddm_range *range)
{
	struct wddmcompat_context *ctx = range->obj.ctx;

	spin_lock(&ctx->events_lock);
	list_add_tail(&range->event, &ctx->events);
	spin_unlock(&ctx->events_lock);
	wake_up_interruptible_poll(&ctx->events_wait, EPOLLIN | EPOLLRDNORM);
}

/* The range is going: its event, if nobody has read it, with it */
void wddm_event_cancel(struct wddm_range *range)
{
	struct wddmcompat_context *ctx = range->obj.ctx;

	spin_lock(&ctx->events_lock);
	list_del_init(&range->event);
	spin_unlock(&ctx->events_lock);
}

static void event_fill(struct wddmcompat_event *event,
		       const struct wddm_range *range)
{
	*event = (struct wddmcompat_event){
		.size = sizeof(*event),
		.type = WDDMCOMPAT_EVENT_REVOKED,
		.handle = range->obj.handle,
		.length = wddm_range_length(range),
	};
	if (wddm_handle_type(range->obj.handle) == WDDMCOMPAT_OBJECT_MAPPING) {
		struct wddm_mapping *mapping =
			container_of(range, struct wddm_mapping, range);

		event->adapter = wddm_mapping_adapter(mapping)->obj.handle;
		event->iova = range->node.start;
	}
}

static struct wddm_range *event_first(struct wddmcompat_context *ctx)
{
	lockdep_assert_held(&ctx->events_lock);
	return list_first_entry_or_null(&ctx->events, struct wddm_range, event);
}

static bool event_peek(struct wddmcompat_context *ctx,
		       struct wddmcompat_event *event)
{
	struct wddm_range *range;

	spin_lock(&ctx->events_lock);
	range = event_first(ctx);
	if (range)
		event_fill(event, range);
	spin_unlock(&ctx->events_lock);
	return range;
}

/* An event was delivered, unless its range has gone and taken it along */
static void event_delivered(struct wddmcompat_context *ctx, u64 handle)
{
	struct wddm_range *range;

	spin_lock(&ctx->events_lock);
	range = event_first(ctx);
	if (range && range->obj.handle == handle)
		list_del_init(&range->event);
	spin_unlock(&ctx->events_lock);
}

/* Without the lock: who acts on it looks again */
static bool events_are_pending(struct wddmcompat_context *ctx)
{
	return !list_empty(&ctx->events);
}

/* Copy the events that there are, as many as fit. Returns their bytes. */
static ssize_t events_copy(struct wddmcompat_context *ctx, char __user *buf,
			   size_t count)
{
	struct wddmcompat_event event;
	size_t done = 0;

	while (count - done >= sizeof(event) && event_peek(ctx, &event)) {
		if (copy_to_user(buf + done, &event, sizeof(event)))
			return done ?: -EFAULT;
		event_delivered(ctx, event.handle);
		done += sizeof(event);
	}
	return done;
}

/* read(): at least one event and as many as fit */
ssize_t wddm_events_read(struct wddmcompat_context *ctx, char __user *buf,
			 size_t count, bool nonblock)
{
	ssize_t done;

	if (count < sizeof(struct wddmcompat_event))
		return -EINVAL;
	for (;;) {
		if (mutex_lock_interruptible(&ctx->read_lock))
			return -ERESTARTSYS;
		done = events_copy(ctx, buf, count);
		mutex_unlock(&ctx->read_lock);
		if (done)
			return done;
		if (nonblock)
			return -EAGAIN;
		if (wait_event_interruptible(ctx->events_wait,
					     events_are_pending(ctx)))
			return -ERESTARTSYS;
	}
}

__poll_t wddm_events_poll(struct wddmcompat_context *ctx, struct file *file,
			  struct poll_table_struct *table)
{
	poll_wait(file, &ctx->events_wait, table);
	return events_are_pending(ctx) ? EPOLLIN | EPOLLRDNORM : 0;
}
