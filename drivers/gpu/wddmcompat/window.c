// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows: a user address for pages that have none.
 *
 * IOAS_MAP wants a user address. Pages of the kernel get one in the carrier's
 * address space, see command.c, for as long as it takes to pin them. No thread
 * runs there, so no user ever sees them.
 *
 * A shared iommufd can keep the address: its holder may have made an area of its
 * own from ours, which pins at that address again when a device is attached to it
 * later. So that this never finds the pages of another window, no window is opened
 * where another has been, until half of the address space has been used up.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mutex.h>
#include <linux/sizes.h>

#include "wddmcompat_private.h"

struct window {
	struct page **pages;
	unsigned long num_pages;
};

/* The lower half: where mmap() puts nothing unless it is asked to */
#define WINDOW_FIRST SZ_4G
#define WINDOW_END (TASK_SIZE_MAX / 2)

/* Address of the next window */
static unsigned long window_next = WINDOW_FIRST;
static DEFINE_MUTEX(window_lock);

static int window_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct window *window = file->private_data;
	unsigned long num_pages;
	int rc;

	if (!window)
		return -EINVAL;
	num_pages = window->num_pages;
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	rc = vm_insert_pages(vma, vma->vm_start, window->pages, &num_pages);
	/* That is what it says when it has no memory for page tables */
	return rc == -EFAULT ? -ENOMEM : rc;
}

static const struct file_operations window_file_fops = {
	.owner = THIS_MODULE,
	.mmap = window_file_mmap,
};

/* Take addresses that no window has had */
static unsigned long window_take(unsigned long length)
{
	unsigned long uaddr;

	mutex_lock(&window_lock);
	if (length > WINDOW_END - window_next)
		window_next = WINDOW_FIRST;
	uaddr = window_next;
	window_next += length;
	mutex_unlock(&window_lock);
	return uaddr;
}

/**
 * wddm_window_open() - Give pages an address in the carrier
 * @pages: The pages, each with a reference of the caller's. Not slab, not anonymous
 * @num_pages: Their number
 * @uaddr: Where they are
 *
 * Context: In the carrier's address space. May sleep.
 * Return: 0, -EINVAL for pages that cannot be shown, -ENOMEM.
 */
int wddm_window_open(struct page **pages, unsigned long num_pages,
		     unsigned long *uaddr)
{
	struct window window = { pages, num_pages };
	unsigned long length = num_pages << PAGE_SHIFT;
	struct file *file;
	unsigned long i;

	KUNIT_STATIC_STUB_REDIRECT(wddm_window_open, pages, num_pages, uaddr);
	if (length > WINDOW_END - WINDOW_FIRST)
		return -ENOMEM;
	for (i = 0; i < num_pages; i++) {
		/* They cannot be pinned, and iommufd would try for ever */
		if (is_zone_movable_page(pages[i]))
			return -EINVAL;
	}
	file = anon_inode_getfile("[wddmcompat-window]", &window_file_fops,
				  &window, O_RDWR);
	if (IS_ERR(file))
		return PTR_ERR(file);
	/* Only the loader's own addresses can be in the way: try behind them */
	do {
		*uaddr = vm_mmap(file, window_take(length), length,
				 PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED_NOREPLACE, 0);
	} while (*uaddr == (unsigned long)-EEXIST);
	/* The file lives as long as the window, but @window does not */
	file->private_data = NULL;
	fput(file);
	return IS_ERR_VALUE(*uaddr) ? (int)*uaddr : 0;
}
EXPORT_SYMBOL_IF_KUNIT(wddm_window_open);

/* Unmap memory of ours from the address space in use. It is not to stay there. */
void wddm_munmap(unsigned long uaddr, unsigned long length)
{
	while (vm_munmap(uaddr, length) == -ENOMEM)
		cond_resched();
}

void wddm_window_close(unsigned long uaddr, unsigned long num_pages)
{
	wddm_munmap(uaddr, num_pages << PAGE_SHIFT);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_window_close);
