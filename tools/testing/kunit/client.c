// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel module that uses the iommufd of a program, for two self-tests.
 *
 * share: the program writes its file descriptor and the number of an IOAS to the
 * parameter "hold": a page is mapped there, by a context of ours. Reading it says
 * whether the page can be unmapped and mapped again, writing -1 ends it.
 *
 * held: the program writes these two and an IOVA to "first_pin" or "second_pin": the
 * page there is pinned, and whoever unmaps it is held in the middle. Reading it says
 * how many are. "let go" ends that, and "unpin" is to follow when they are through.
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>

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

/**
 * struct client_pin - A page that iommufd must ask us for before it goes
 * @access: Ours on its IOAS; NULL if there is no pin
 * @iova: The page
 * @lock: Protects @pinned
 * @pinned: It is
 * @let_go: Nobody is held any more
 * @held: How many are
 */
struct client_pin {
	struct iommufd_access *access;
	unsigned long iova;
	struct mutex lock; /* pinned */
	bool pinned;
	struct completion let_go;
	atomic_t held;
};

static struct client_pin client_pins[2];

static void pin_unmapped(void *data, unsigned long iova, unsigned long length)
{
	struct client_pin *pin = data;

	if (pin->iova - iova >= length)
		return;
	atomic_inc(&pin->held);
	wait_for_completion(&pin->let_go);
	mutex_lock(&pin->lock);
	if (pin->pinned)
		iommufd_access_unpin_pages(pin->access, pin->iova, PAGE_SIZE);
	pin->pinned = false;
	mutex_unlock(&pin->lock);
	atomic_dec(&pin->held);
}

static const struct iommufd_access_ops pin_ops = {
	.needs_pin_pages = 1,
	.unmap = pin_unmapped,
};

static int pin_page(struct client_pin *pin)
{
	struct page *page;
	int rc;

	mutex_lock(&pin->lock);
	rc = iommufd_access_pin_pages(pin->access, pin->iova, PAGE_SIZE, &page,
				      0);
	pin->pinned = !rc;
	mutex_unlock(&pin->lock);
	return rc;
}

static int pin_begin_in(struct client_pin *pin, struct iommufd_ctx *ictx,
			u32 ioas)
{
	struct iommufd_access *access;
	u32 id;
	int rc;

	access = iommufd_access_create(ictx, &pin_ops, pin, &id);
	if (IS_ERR(access))
		return PTR_ERR(access);
	pin->access = access;
	rc = iommufd_access_attach(access, ioas);
	if (!rc)
		rc = pin_page(pin);
	if (rc) {
		iommufd_access_destroy(access);
		pin->access = NULL;
	}
	return rc;
}

static int pin_begin(struct client_pin *pin, int fd, u32 ioas)
{
	struct file *file = fget(fd);
	struct iommufd_ctx *ictx;
	int rc;

	if (!file)
		return -EBADF;
	ictx = iommufd_ctx_from_file(file);
	fput(file);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	mutex_init(&pin->lock);
	init_completion(&pin->let_go);
	atomic_set(&pin->held, 0);
	rc = pin_begin_in(pin, ictx, ioas);
	iommufd_ctx_put(ictx);
	return rc;
}

/* Nobody is being held */
static void pin_end(struct client_pin *pin)
{
	complete_all(&pin->let_go);
	iommufd_access_detach(pin->access);
	iommufd_access_destroy(pin->access);
	pin->access = NULL;
}

static int pin_set(const char *val, const struct kernel_param *kp)
{
	struct client_pin *pin = kp->arg;
	u32 ioas;
	int fd;

	if (!pin->access) {
		if (sscanf(val, "%d %u %lx", &fd, &ioas, &pin->iova) != 3)
			return -EINVAL;
		return pin_begin(pin, fd, ioas);
	}
	if (sysfs_streq(val, "let go"))
		complete_all(&pin->let_go);
	else if (sysfs_streq(val, "unpin"))
		pin_end(pin);
	else
		return -EINVAL;
	return 0;
}

static int pin_get(char *buffer, const struct kernel_param *kp)
{
	struct client_pin *pin = kp->arg;

	return sysfs_emit(buffer, "%d\n", atomic_read(&pin->held));
}

static const struct kernel_param_ops pin_param_ops = {
	.set = pin_set,
	.get = pin_get,
};
module_param_cb(first_pin, &pin_param_ops, &client_pins[0], 0600);
MODULE_PARM_DESC(first_pin, "File descriptor of an iommufd, an IOAS of it and an IOVA; or what to do");
module_param_cb(second_pin, &pin_param_ops, &client_pins[1], 0600);
MODULE_PARM_DESC(second_pin, "The same");

static int __init client_init(void)
{
	return 0;
}

static void __exit client_exit(void)
{
	int i;

	client_end();
	for (i = 0; i < ARRAY_SIZE(client_pins); i++)
		if (client_pins[i].access)
			pin_end(&client_pins[i]);
}

module_init(client_init);
module_exit(client_exit);

MODULE_DESCRIPTION("User of a program's iommufd, for tests of wddmcompat");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(WDDM_NS(IOMMUFD));
MODULE_IMPORT_NS(WDDM_NS(WDDMCOMPAT));
