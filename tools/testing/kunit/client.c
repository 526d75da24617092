// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel module that uses the iommufd of a program, for the self-test share. The
 * program writes its file descriptor and the number of an IOAS to the parameter
 * "hold": a page is mapped there, by a context of ours. Reading it says whether the
 * page can be unmapped and mapped again, writing -1 ends it.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/mutex.h>

#include "compat.h"
#include "wddmcompat_private.h"

static DEFINE_MUTEX(client_lock); /* all of the following */
static struct wddmcompat_context *client_ctx;
static struct wddmcompat_adapter *client_adapter;
static struct wddmcompat_mdl *client_mdl;
static struct wddmcompat_map_args client_args;

static int client_map(void)
{
	client_args = (struct wddmcompat_map_args){};
	return wddmcompat_map_mdl_to_iommu(client_adapter, client_mdl,
					   &client_args);
}

static int client_make(u32 ioas)
{
	client_adapter = wddmcompat_adapter_create(client_ctx, ioas);
	if (IS_ERR(client_adapter))
		return PTR_ERR(client_adapter);
	client_mdl = wddmcompat_mdl_alloc(client_ctx, PAGE_SIZE);
	if (IS_ERR(client_mdl))
		return PTR_ERR(client_mdl);
	return client_map();
}

static void client_end(void)
{
	if (client_ctx)
		wddmcompat_context_destroy(client_ctx);
	client_ctx = NULL;
}

static int client_begin(int fd, u32 ioas)
{
	struct file *iommufd = fget(fd);
	int rc;

	if (!iommufd)
		return -EBADF;
	client_ctx = wddmcompat_context_create(iommufd);
	fput(iommufd);
	if (IS_ERR(client_ctx)) {
		rc = PTR_ERR(client_ctx);
		client_ctx = NULL;
		return rc;
	}
	rc = client_make(ioas);
	if (rc)
		client_end();
	return rc;
}

static int hold_set(const char *val, const struct kernel_param *kp)
{
	int fd, num, rc = 0;
	u32 ioas;

	num = sscanf(val, "%d %u", &fd, &ioas);
	if (num < 1)
		return -EINVAL;
	mutex_lock(&client_lock);
	client_end();
	if (num == 2)
		rc = client_begin(fd, ioas);
	mutex_unlock(&client_lock);
	return rc;
}

static int hold_get(char *buffer, const struct kernel_param *kp)
{
	bool works = false;

	mutex_lock(&client_lock);
	if (client_ctx) {
		wddmcompat_unmap_mdl_from_iommu(client_adapter,
						client_args.memory);
		works = !client_map();
	}
	mutex_unlock(&client_lock);
	return sysfs_emit(buffer, "%d\n", works);
}

static const struct kernel_param_ops hold_ops = {
	.set = hold_set,
	.get = hold_get,
};
module_param_cb(hold, &hold_ops, NULL, 0600);
MODULE_PARM_DESC(hold, "File descriptor of an iommufd, and an IOAS of it; or -1");

static int __init client_init(void)
{
	return 0;
}

static void __exit client_exit(void)
{
	client_end();
}

module_init(client_init);
module_exit(client_exit);

MODULE_DESCRIPTION("User of a program's iommufd, for tests of wddmcompat");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(WDDM_NS(WDDMCOMPAT));
