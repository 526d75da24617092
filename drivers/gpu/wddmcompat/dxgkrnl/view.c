// SPDX-License-Identifier: GPL-2.0-only
/*
 * Views: addresses that the CPU has a physical memory object at.
 *
 * A view of the kernel is a use of its object. One of user space is not, as a process
 * may do with it what it wants, or die: it keeps the pages, by a file of its own, and
 * they go when it goes. We keep the inode of that file, by which all that is mapped of
 * it is found.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../compat.h"
#include "dxgk.h"

/**
 * struct dxgk_view - An address of some of an object
 * @node: In physical->views
 * @inode: Of user space: that of the file that is mapped there. NULL for the kernel
 * @address: The address, in the address space that has the file mapped
 * @size: Bytes, whole pages
 */
struct dxgk_view {
	struct list_head node;
	struct inode *inode;
	unsigned long address;
	size_t size;
};

/**
 * struct view_pages - What a view of user space is of
 * @pages: The object's pages
 * @first: The first one
 * @is_mapped: They are mapped, which is done once
 */
struct view_pages {
	struct dxgk_pages *pages;
	unsigned long first;
	bool is_mapped;
};

/* A process can have a file that it has mapped be mapped again: remap_file_pages() */
static int view_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct view_pages *view = file->private_data;
	struct dxgk_pages *pages = view->pages;
	unsigned long num_pages = vma_pages(vma);
	int rc;

	if (xchg(&view->is_mapped, true))
		return -EPERM;
	/* Who gets to read does not get to write later */
	if (!(vma->vm_flags & VM_WRITE))
		vm_flags_clear(vma, VM_MAYWRITE);
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = dxgk_cache_prot(pages->cache, vma->vm_page_prot);
	rc = vm_insert_pages(vma, vma->vm_start, pages->pages + view->first,
			     &num_pages);
	/* That is what it says when it has no memory for page tables */
	return rc == -EFAULT ? -ENOMEM : rc;
}

static void view_pages_free(struct view_pages *view)
{
	dxgk_pages_put(view->pages);
	kfree(view);
}

static int view_file_release(struct inode *inode, struct file *file)
{
	view_pages_free(file->private_data);
	return 0;
}

static const struct file_operations view_file_fops = {
	.owner = THIS_MODULE,
	.mmap = view_file_mmap,
	.release = view_file_release,
};

/* With an inode that is no other file's */
static struct file *view_file_open(struct dxgk_pages *pages,
				   unsigned long first)
{
	struct view_pages *view;
	struct file *file;

	view = kzalloc_obj(*view, GFP_KERNEL_ACCOUNT);
	if (!view)
		return ERR_PTR(-ENOMEM);
	dxgk_pages_get(pages);
	view->pages = pages;
	view->first = first;
	file = anon_inode_create_getfile("[wddmcompat-memory]", &view_file_fops,
					 view, O_RDWR, NULL);
	if (IS_ERR(file))
		view_pages_free(view);
	return file;
}

/* Whole pages of the object that @offset and @size, which are in it, touch */
static void view_round(size_t *offset, size_t *size)
{
	size_t skip = offset_in_page(*offset);

	*offset -= skip;
	*size = PAGE_ALIGN(*size + skip);
}

static unsigned long view_map_user(struct dxgk_physical *physical,
				   size_t offset, struct dxgk_view *view)
{
	unsigned long prot = PROT_READ | (physical->readonly ? 0 : PROT_WRITE);
	unsigned long address;
	struct file *file;

	file = view_file_open(physical->pages, offset >> PAGE_SHIFT);
	if (IS_ERR(file))
		return PTR_ERR(file);
	address = vm_mmap(file, 0, view->size, prot, MAP_SHARED, 0);
	if (!IS_ERR_VALUE(address)) {
		view->inode = file_inode(file);
		ihold(view->inode);
	}
	fput(file);
	return address;
}

static unsigned long view_map_kernel(struct dxgk_physical *physical,
				     size_t offset, size_t size)
{
	pgprot_t prot = physical->readonly ? PAGE_KERNEL_RO : PAGE_KERNEL;
	void *address;

	address = vmap(physical->pages->pages + (offset >> PAGE_SHIFT),
		       size >> PAGE_SHIFT, VM_MAP,
		       dxgk_cache_prot(physical->cache, prot));
	return address ? (unsigned long)address : -ENOMEM;
}

static unsigned long view_map_io(struct dxgk_physical *physical, size_t offset,
				 size_t size)
{
	phys_addr_t base = physical->io_base + offset;
	void __iomem *address;

	switch (physical->cache) {
	case DXGK_MEMORY_CACHING_TYPE_WRITE_COMBINED:
		address = ioremap_wc(base, size);
		break;
	case DXGK_MEMORY_CACHING_TYPE_CACHED:
		address = ioremap_cache(base, size);
		break;
	default:
		address = ioremap(base, size);
		break;
	}
	return address ? (__force unsigned long)address : -ENOMEM;
}

static void view_unmap_kernel(struct dxgk_physical *physical,
			      const struct dxgk_view *view)
{
	if (physical->pages)
		vunmap((void *)view->address);
	else
		iounmap((__force void __iomem *)view->address);
}

static int view_check(const struct dxgk_physical *physical,
		      const DXGKARGCB_MAP_PHYSICAL_MEMORY *args)
{
	if (!args->Size || args->Offset >= physical->size ||
	    args->Size > physical->size - args->Offset)
		return -EINVAL;
	switch (args->AccessMode) {
	case DXGK_ACCESS_MODE_KERNEL_MODE:
		return 0;
	case DXGK_ACCESS_MODE_USER_MODE:
		if (!physical->pages)
			return -EINVAL;
		return current->mm ? 0 : -EACCES;
	}
	return -EINVAL;
}

static unsigned long view_map(struct dxgk_physical *physical,
			      DXGK_ACCESS_MODE mode, size_t offset,
			      struct dxgk_view *view)
{
	if (mode == DXGK_ACCESS_MODE_USER_MODE)
		return view_map_user(physical, offset, view);
	if (!physical->pages)
		return view_map_io(physical, offset, view->size);
	return view_map_kernel(physical, offset, view->size);
}

static struct dxgk_view *view_create(struct dxgk_physical *physical,
				     DXGK_ACCESS_MODE mode, size_t offset,
				     size_t size)
{
	struct dxgk_view *view;

	view = kzalloc_obj(*view, GFP_KERNEL_ACCOUNT);
	if (!view)
		return ERR_PTR(-ENOMEM);
	view->size = size;
	view->address = view_map(physical, mode, offset, view);
	if (IS_ERR_VALUE(view->address)) {
		int rc = view->address;

		kfree(view);
		return ERR_PTR(rc);
	}
	return view;
}

static void view_free(struct dxgk_view *view)
{
	iput(view->inode);
	kfree(view);
}

static int map_physical(struct dxgk_physical *physical,
			DXGKARGCB_MAP_PHYSICAL_MEMORY *args)
{
	size_t offset = args->Offset, size = args->Size;
	struct dxgk_view *view;
	int rc;

	rc = view_check(physical, args);
	if (rc)
		return rc;
	rc = wddm_object_use(&physical->obj);
	if (rc)
		return rc;
	view_round(&offset, &size);
	view = view_create(physical, args->AccessMode, offset, size);
	if (IS_ERR(view)) {
		wddm_object_unuse(&physical->obj);
		return PTR_ERR(view);
	}
	mutex_lock(&physical->lock);
	list_add(&view->node, &physical->views);
	mutex_unlock(&physical->lock);
	args->Offset -= offset;
	args->Size = size;
	args->pMappedAddress = (PVOID)view->address;
	if (view->inode)
		wddm_object_unuse(&physical->obj);
	return 0;
}

/* DxgkCbMapPhysicalMemory */
NTSTATUS dxgk_map_physical(DXGKARGCB_MAP_PHYSICAL_MEMORY *args)
{
	struct dxgk_physical *physical;
	int rc;

	might_sleep();
	if (!args)
		return STATUS_INVALID_PARAMETER;
	args->pMappedAddress = NULL;
	physical = dxgk_physical_enter(args->hPhysicalMemoryObject);
	if (IS_ERR(physical))
		return dxgk_errno_to_status(PTR_ERR(physical));
	rc = map_physical(physical, args);
	dxgk_physical_leave(physical);
	return dxgk_errno_to_status(rc);
}

static bool vma_is_of(const struct vm_area_struct *vma,
		      const struct inode *inode)
{
	return vma->vm_file && file_inode(vma->vm_file) == inode;
}

static bool mm_has_mapped(struct mm_struct *mm, const struct inode *inode)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;

	for_each_vma(vmi, vma) {
		if (vma_is_of(vma, inode))
			return true;
	}
	return false;
}

/* Has the calling process any of it, wherever it has moved it? */
static bool view_is_ours(const struct dxgk_view *view)
{
	bool ours;

	if (!current->mm)
		return false;
	mmap_read_lock(current->mm);
	ours = mm_has_mapped(current->mm, view->inode);
	mmap_read_unlock(current->mm);
	return ours;
}

/* Nobody has any of it: the process has unmapped it, or is dead */
static bool view_is_gone(const struct dxgk_view *view)
{
	struct address_space *mapping = view->inode->i_mapping;
	bool gone;

	/* Who cuts it to pieces takes it out of there for a moment */
	i_mmap_lock_read(mapping);
	gone = !mapping_mapped(mapping);
	i_mmap_unlock_read(mapping);
	return gone;
}

static struct dxgk_view *view_find(struct dxgk_physical *physical,
				   unsigned long address, size_t size,
				   bool gone)
{
	struct dxgk_view *view;

	list_for_each_entry(view, &physical->views, node) {
		if (view->address != address || view->size != size)
			continue;
		if (!view->inode ||
		    (gone ? view_is_gone(view) : view_is_ours(view)))
			return view;
	}
	return NULL;
}

/*
 * Take a view off the list: the kernel's, or one of the calling process. One that
 * nobody has any more can be that of a process that has died, whose files are closed
 * when it has no memory left, or of one that has unmapped it itself.
 */
static struct dxgk_view *view_take(struct dxgk_physical *physical,
				   unsigned long address, size_t size)
{
	struct dxgk_view *view;

	mutex_lock(&physical->lock);
	view = view_find(physical, address, size, false) ?:
	       view_find(physical, address, size, true);
	if (view)
		list_del(&view->node);
	mutex_unlock(&physical->lock);
	return view;
}

/* Something else may be there now, if the process has unmapped some of it itself */
static bool view_is_whole(const struct dxgk_view *view)
{
	struct vm_area_struct *vma;
	bool whole;

	if (!current->mm)
		return false;
	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, view->address);
	whole = vma && vma_is_of(vma, view->inode) &&
		vma->vm_start == view->address &&
		vma->vm_end == view->address + view->size;
	mmap_read_unlock(current->mm);
	return whole;
}

/* Where it is not whole the addresses stay, with nothing at them */
static void view_unmap_user(const struct dxgk_view *view)
{
	unmap_mapping_range(view->inode->i_mapping, 0, 0, 1);
	if (view_is_whole(view))
		vm_munmap(view->address, view->size);
}

static int unmap_physical(struct dxgk_physical *physical,
			  const DXGKARGCB_UNMAP_PHYSICAL_MEMORY *args)
{
	struct dxgk_view *view;

	view = view_take(physical, (unsigned long)args->pBaseAddress,
			 args->Size);
	if (!view)
		return -EINVAL;
	if (view->inode) {
		view_unmap_user(view);
	} else {
		view_unmap_kernel(physical, view);
		wddm_object_unuse(&physical->obj);
	}
	view_free(view);
	return 0;
}

/* DxgkCbUnmapPhysicalMemory */
VOID dxgk_unmap_physical(const DXGKARGCB_UNMAP_PHYSICAL_MEMORY *args)
{
	struct dxgk_physical *physical = ERR_PTR(-EINVAL);
	int rc;

	might_sleep();
	if (args)
		physical = dxgk_physical_enter(args->hPhysicalMemoryObject);
	rc = PTR_ERR_OR_ZERO(physical);
	if (!rc) {
		rc = unmap_physical(physical, args);
		dxgk_physical_leave(physical);
	}
	if (rc)
		wddm_complain("DxgkCbUnmapPhysicalMemory", rc,
			      __builtin_return_address(0));
}

/* All views of an object that goes. Those of user space stay, with their pages. */
void dxgk_views_release(struct dxgk_physical *physical)
{
	struct dxgk_view *view, *next;
	LIST_HEAD(views);

	/* Another thread may be unmapping one for user space */
	mutex_lock(&physical->lock);
	list_splice_init(&physical->views, &views);
	mutex_unlock(&physical->lock);
	list_for_each_entry_safe(view, next, &views, node) {
		if (!view->inode)
			view_unmap_kernel(physical, view);
		view_free(view);
	}
}
