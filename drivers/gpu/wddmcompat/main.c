// SPDX-License-Identifier: GPL-2.0-only
/*
 * wddmcompat: what WDDM's DXGKCB_MAPMDLTOIOMMU and DXGKCB_UNMAPMDLFROMIOMMU do, on
 * iommufd. Here are the module, its misc device and the table of ioctls.
 */
#include <linux/compat.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "wddmcompat_private.h"

int wddm_info_ioctl(struct wddm_ucmd *ucmd)
{
	struct wddmcompat_info *cmd = ucmd->cmd;

	if (cmd->flags)
		return -EOPNOTSUPP;
	cmd->out_api_version = WDDMCOMPAT_API_VERSION;
	cmd->out_page_size = PAGE_SIZE;
	cmd->out_chain_max = WDDMCOMPAT_MDL_CHAIN_MAX;
	cmd->out_byte_count_max = U32_MAX - PAGE_SIZE + 1;
	return 0;
}

static void query_adapter(struct wddmcompat_query *cmd, struct wddm_object *obj)
{
	cmd->out_ioas_id =
		container_of(obj, struct wddmcompat_adapter, obj)->ioas.id;
}

static void query_mdl(struct wddmcompat_query *cmd, struct wddm_object *obj)
{
	struct wddmcompat_mdl *mdl =
		container_of(obj, struct wddmcompat_mdl, range.obj);

	cmd->out_state = READ_ONCE(mdl->range.state);
	cmd->out_num_descs = mdl->num_descs;
	cmd->out_num_pages = mdl->num_pages;
}

static void query_mapping(struct wddmcompat_query *cmd, struct wddm_object *obj)
{
	struct wddm_mapping *mapping =
		container_of(obj, struct wddm_mapping, range.obj);
	struct wddm_range *range = &mapping->range;

	cmd->out_state = READ_ONCE(range->state);
	cmd->out_map_flags = range->writeable ? WDDMCOMPAT_MAP_WRITEABLE : 0;
	cmd->out_num_pages = wddm_range_length(range) >> PAGE_SHIFT;
	cmd->out_iova = range->node.start;
	cmd->out_adapter = wddm_mapping_adapter(mapping)->obj.handle;
	cmd->out_mdl = wddm_mdl_obj(range->mdl)->handle;
}

int wddm_query_ioctl(struct wddm_ucmd *ucmd)
{
	static void (*const query[])(struct wddmcompat_query *cmd,
				     struct wddm_object *obj) = {
		[WDDMCOMPAT_OBJECT_ADAPTER] = query_adapter,
		[WDDMCOMPAT_OBJECT_MDL] = query_mdl,
		[WDDMCOMPAT_OBJECT_MAPPING] = query_mapping,
	};
	struct wddmcompat_query *cmd = ucmd->cmd;
	struct wddm_object *obj;

	if (cmd->flags)
		return -EOPNOTSUPP;
	obj = wddm_handle_get(&ucmd->ctx->handles, cmd->handle);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	*cmd = (struct wddmcompat_query){
		.size = cmd->size,
		.handle = cmd->handle,
		.out_type = wddm_handle_type(cmd->handle),
		.out_num_mappings = max(atomic_read(&obj->uses), 0),
	};
	query[cmd->out_type](cmd, obj);
	wddm_object_put(obj);
	return 0;
}

/* What a structure for any ioctl needs */
union ucmd_buffer {
	struct wddmcompat_info info;
	struct wddmcompat_bind bind;
	struct wddmcompat_adapter_create adapter_create;
	struct wddmcompat_adapter_destroy adapter_destroy;
	struct wddmcompat_mdl_lock mdl_lock;
	struct wddmcompat_mdl_unlock mdl_unlock;
	struct wddmcompat_map map;
	struct wddmcompat_unmap unmap;
	struct wddmcompat_query query;
	struct wddmcompat_batch batch;
};

/**
 * struct ioctl_op - An ioctl
 * @execute: Handler
 * @size: sizeof its structure
 * @min_size: Size of the structure in the release that brought the ioctl
 * @unbound: Works before WDDMCOMPAT_BIND
 * @final: Has effects that cannot be undone when the answer cannot be written: it
 *         is made sure of before
 * @batched: Can be an entry of a WDDMCOMPAT_BATCH
 */
struct ioctl_op {
	int (*execute)(struct wddm_ucmd *ucmd);
	u32 size;
	u32 min_size;
	bool unbound;
	bool final;
	bool batched;
};

static const struct ioctl_op ioctl_ops[] = {
	[WDDMCOMPAT_CMD_INFO] = {
		.execute = wddm_info_ioctl,
		.size = sizeof(struct wddmcompat_info),
		.min_size = offsetofend(struct wddmcompat_info,
					out_byte_count_max),
		.unbound = true,
	},
	[WDDMCOMPAT_CMD_BIND] = {
		.execute = wddm_bind_ioctl,
		.size = sizeof(struct wddmcompat_bind),
		.min_size = offsetofend(struct wddmcompat_bind,
					out_mdl_ioas_id),
		.unbound = true,
		.final = true,
	},
	[WDDMCOMPAT_CMD_ADAPTER_CREATE] = {
		.execute = wddm_adapter_create_ioctl,
		.size = sizeof(struct wddmcompat_adapter_create),
		.min_size = offsetofend(struct wddmcompat_adapter_create,
					out_adapter),
	},
	[WDDMCOMPAT_CMD_ADAPTER_DESTROY] = {
		.execute = wddm_adapter_destroy_ioctl,
		.size = sizeof(struct wddmcompat_adapter_destroy),
		.min_size = offsetofend(struct wddmcompat_adapter_destroy,
					adapter),
		.final = true,
	},
	[WDDMCOMPAT_CMD_MDL_LOCK] = {
		.execute = wddm_mdl_lock_ioctl,
		.size = sizeof(struct wddmcompat_mdl_lock),
		.min_size = offsetofend(struct wddmcompat_mdl_lock,
					out_num_pages),
		.batched = true,
	},
	[WDDMCOMPAT_CMD_MDL_UNLOCK] = {
		.execute = wddm_mdl_unlock_ioctl,
		.size = sizeof(struct wddmcompat_mdl_unlock),
		.min_size = offsetofend(struct wddmcompat_mdl_unlock,
					__reserved),
		.final = true,
	},
	[WDDMCOMPAT_CMD_MAP] = {
		.execute = wddm_map_ioctl,
		.size = sizeof(struct wddmcompat_map),
		.min_size = offsetofend(struct wddmcompat_map, out_memory),
		.batched = true,
	},
	[WDDMCOMPAT_CMD_UNMAP] = {
		.execute = wddm_unmap_ioctl,
		.size = sizeof(struct wddmcompat_unmap),
		.min_size = offsetofend(struct wddmcompat_unmap, __reserved),
		.final = true,
		.batched = true,
	},
	[WDDMCOMPAT_CMD_QUERY] = {
		.execute = wddm_query_ioctl,
		.size = sizeof(struct wddmcompat_query),
		.min_size = offsetofend(struct wddmcompat_query, out_mdl),
	},
	[WDDMCOMPAT_CMD_BATCH] = {
		.execute = wddm_batch_ioctl,
		.size = sizeof(struct wddmcompat_batch),
		.min_size = offsetofend(struct wddmcompat_batch, out_num_done),
		.final = true,
	},
};

static const struct ioctl_op *find_op(unsigned int nr)
{
	if (nr >= ARRAY_SIZE(ioctl_ops))
		return NULL;
	return &ioctl_ops[array_index_nospec(nr, ARRAY_SIZE(ioctl_ops))];
}

/* Write the structure back, as much of it as the caller knows */
static int ucmd_respond(struct wddm_ucmd *ucmd)
{
	if (copy_to_user(ucmd->ubuffer, ucmd->cmd,
			 min(ucmd->user_size, ucmd->size)))
		return -EFAULT;
	return 0;
}

/* A new object is known to others only once its maker has the handle */
static int finish_ucmd(struct wddm_ucmd *ucmd, const struct ioctl_op *op)
{
	int rc = ucmd_respond(ucmd);

	if (ucmd->new_obj) {
		if (rc)
			wddm_object_undo(ucmd->new_obj);
		else
			wddm_handle_publish(&ucmd->ctx->handles, ucmd->new_obj);
	}
	/* Writing worked just now; what was done must not be denied */
	return op->final ? 0 : rc;
}

/* Execute one ioctl, or one entry of a batch */
static int execute(struct wddmcompat_context *ctx, const struct ioctl_op *op,
		   void __user *ubuffer)
{
	struct wddm_ucmd ucmd = {
		.ctx = ctx,
		.ubuffer = ubuffer,
		.size = op->size,
	};
	union ucmd_buffer buf;
	int rc;

	if (!op->unbound && !wddm_context_is_bound(ctx))
		return -ENOTCONN;
	if (get_user(ucmd.user_size, (u32 __user *)ubuffer))
		return -EFAULT;
	if (ucmd.user_size < op->min_size)
		return -EINVAL;
	if (ucmd.user_size > PAGE_SIZE)
		return -E2BIG;
	rc = copy_struct_from_user(&buf, op->size, ubuffer, ucmd.user_size);
	if (rc)
		return rc;
	ucmd.cmd = &buf;
	if (op->final && ucmd_respond(&ucmd))
		return -EFAULT;
	rc = op->execute(&ucmd);
	return rc ?: finish_ucmd(&ucmd, op);
}

/* The entries of a batch, one after the other; the results say what came of it */
static int batch_execute(struct wddmcompat_context *ctx,
			 struct wddmcompat_batch *cmd,
			 const struct ioctl_op *op, u32 entry_size)
{
	s32 __user *results = u64_to_user_ptr(cmd->results);
	void __user *entry = u64_to_user_ptr(cmd->entries);
	u32 user_size;
	int rc;

	for (; cmd->out_num_tried < cmd->num_entries; entry += entry_size) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		/* A result that cannot be written must not be one of a success */
		if (put_user(-ECANCELED, results + cmd->out_num_tried))
			return -EFAULT;
		if (get_user(user_size, (u32 __user *)entry))
			rc = -EFAULT;
		else if (user_size != entry_size)
			rc = -EINVAL;
		else
			rc = execute(ctx, op, entry);
		if (!rc)
			cmd->out_num_done++;
		if (put_user(rc, results + cmd->out_num_tried++))
			return -EFAULT;
	}
	return 0;
}

int wddm_batch_ioctl(struct wddm_ucmd *ucmd)
{
	struct wddmcompat_batch *cmd = ucmd->cmd;
	const struct ioctl_op *op = find_op(cmd->cmd);
	u32 entry_size;
	int rc;

	if (cmd->flags || !op || !op->batched)
		return -EOPNOTSUPP;
	if (!cmd->num_entries || cmd->num_entries > WDDMCOMPAT_BATCH_MAX)
		return -EINVAL;
	if (get_user(entry_size, (u32 __user *)u64_to_user_ptr(cmd->entries)))
		return -EFAULT;
	if (entry_size < op->min_size || entry_size > PAGE_SIZE ||
	    !IS_ALIGNED(entry_size, sizeof(u64)))
		return -EINVAL;
	cmd->out_num_tried = 0;
	cmd->out_num_done = 0;
	rc = batch_execute(ucmd->ctx, cmd, op, entry_size);
	if (rc)
		ucmd_respond(ucmd);
	return rc;
}

/* The context is the owner's. A child, or who was sent the file, can close it. */
static int check_owner(const struct wddmcompat_context *ctx)
{
	return current->mm == ctx->owner ? 0 : -EIO;
}

static long wddmcompat_fops_ioctl(struct file *file, unsigned int cmd,
				  unsigned long arg)
{
	struct wddmcompat_context *ctx = file->private_data;
	const struct ioctl_op *op = find_op(_IOC_NR(cmd));
	int rc;

	if (!op || cmd != _IO(WDDMCOMPAT_TYPE, _IOC_NR(cmd)))
		return -ENOTTY;
	rc = check_owner(ctx);
	return rc ?: execute(ctx, op, (void __user *)arg);
}

static ssize_t wddmcompat_fops_read(struct file *file, char __user *buf,
				    size_t count, loff_t *ppos)
{
	struct wddmcompat_context *ctx = file->private_data;
	int rc = check_owner(ctx);

	return rc
		       ?: wddm_events_read(ctx, buf, count,
					   file->f_flags & O_NONBLOCK);
}

static __poll_t wddmcompat_fops_poll(struct file *file,
				     struct poll_table_struct *table)
{
	struct wddmcompat_context *ctx = file->private_data;

	return check_owner(ctx) ? EPOLLERR : wddm_events_poll(ctx, file, table);
}

static int wddmcompat_fops_open(struct inode *inode, struct file *file)
{
	if (!current->mm)
		return -EIO;
	file->private_data = wddm_context_alloc(current->mm);
	return file->private_data ? 0 : -ENOMEM;
}

static int wddmcompat_fops_release(struct inode *inode, struct file *file)
{
	wddm_context_free(file->private_data);
	return 0;
}

static const struct file_operations wddmcompat_fops = {
	.owner = THIS_MODULE,
	.open = wddmcompat_fops_open,
	.release = wddmcompat_fops_release,
	.unlocked_ioctl = wddmcompat_fops_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read = wddmcompat_fops_read,
	.poll = wddmcompat_fops_poll,
};

static struct miscdevice wddmcompat_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "wddmcompat",
	.fops = &wddmcompat_fops,
	.mode = 0660,
};

/**
 * wddm_complain() - Say what a caller must not do, but cannot be refused
 * @what: What it has called, and cannot be told by
 * @rc: What is wrong
 * @caller: Who it was
 */
void wddm_complain(const char *what, int rc, const void *caller)
{
	pr_warn_ratelimited("wddmcompat: %s from %pS does nothing: %d\n", what,
			    caller, rc);
}

static int __init wddmcompat_init(void)
{
	int rc;

	rc = wddm_carrier_init();
	if (rc)
		return rc;
	rc = wddm_mappings_init();
	if (rc)
		goto err_carrier;
	rc = dxgk_init();
	if (rc)
		goto err_mappings;
	rc = misc_register(&wddmcompat_misc);
	if (rc)
		goto err_dxgk;
	return 0;

err_dxgk:
	dxgk_exit();
err_mappings:
	wddm_mappings_exit();
err_carrier:
	wddm_carrier_exit();
	return rc;
}

static void __exit wddmcompat_exit(void)
{
	misc_deregister(&wddmcompat_misc);
	dxgk_exit();
	wddm_mappings_exit();
	wddm_carrier_exit();
}

module_init(wddmcompat_init);
module_exit(wddmcompat_exit);

MODULE_DESCRIPTION("WDDM MDL to IOMMU mapping on iommufd");
MODULE_AUTHOR("wddmcompat developers");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(WDDM_NS(IOMMUFD));
