// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a command reaches iommufd.
 *
 * iommufd has no in-kernel call for IOAS_MAP, _COPY and _UNMAP, so we call the
 * ioctl handler of its file. It reads the command with copy_from_user() from the
 * address space in use, and writes the answer there: the command has to lie in
 * user memory. That is a page of ours, which an anonymous file lends to an address
 * space. Two address spaces have one:
 *
 * The *owner's* is used when the process that opened a context calls us. It is
 * fast, and iommufd sees the owner's addresses, which IOAS_MAP needs. The page is
 * *sealed*: it cannot be unmapped, moved, protected, emptied or pinned, so that
 * iommufd always finds its command and can always write its answer, without which
 * nobody would know what it has mapped. But the owner can write there, too: what
 * comes back is checked, see wddm_range_watch().
 *
 * The *carrier's* is used for everything else: for callers from the kernel, from
 * another process or from none, and for the teardown of a dead process. It is the
 * address space of the process that loaded this module, usually a modprobe that
 * exits in the next moment. We keep the address space and the process does not:
 * no thread runs in it, nobody reads or writes it, and a command in it is as safe
 * as in kernel memory. A process that loads modules is trusted anyway.
 *
 * When a context of the kernel locks memory of the process that is calling, neither
 * will do: iommufd has to see that process's addresses, and that process must not
 * touch a command of a context that is not its own. It gets a page for the length
 * of the command that it cannot write either. Nor can iommufd write its answer.
 */
#include <kunit/visibility.h>
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/iommufd.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/path.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "wddmcompat_private.h"

static struct mm_struct *carrier_mm;

/*
 * Where the loader has found /dev/iommu: who wants a private iommufd later may have
 * another root, or as a kthread none. Empty if there was none.
 */
static struct path iommu_path;

/* Keep what we need of the process that loads the module */
int wddm_carrier_init(void)
{
	if (!current->mm)
		return -ESRCH;
	mmget(current->mm);
	carrier_mm = current->mm;
	if (kern_path("/dev/iommu", LOOKUP_FOLLOW, &iommu_path))
		pr_info("wddmcompat: no /dev/iommu: no private contexts for kernel modules\n");
	return 0;
}

void wddm_carrier_exit(void)
{
	path_put(&iommu_path);
	mmput(carrier_mm);
}

/*
 * The page is in the page tables from the start. Nothing takes it out of there
 * again: a sealed VMA is not unmapped or changed, one of bare frames (VM_PFNMAP) not
 * reclaimed, emptied by MADV_DONTNEED or given to userfaultfd.
 */
static int command_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct page *page = file->private_data;

	if (vma->vm_pgoff || vma_pages(vma) != 1 ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vm_flags_set(vma, VM_SEALED | VM_DONTCOPY);
	if (!(vma->vm_flags & VM_WRITE))
		vm_flags_clear(vma, VM_MAYWRITE);
	return remap_pfn_range(vma, vma->vm_start, page_to_pfn(page), PAGE_SIZE,
			       vma->vm_page_prot);
}

static int command_file_release(struct inode *inode, struct file *file)
{
	__free_page(file->private_data);
	return 0;
}

/* The VMA holds the file and the file the page: neither holds a context */
static const struct file_operations command_file_fops = {
	.owner = THIS_MODULE,
	.mmap = command_file_mmap,
	.release = command_file_release,
};

/* In the page's address space, which has nothing else there since it is sealed */
static int command_page_unmap(void *data)
{
	struct wddm_command_page *cpage = data;

	mmap_write_lock(cpage->mm);
	vm_flags_clear(vma_lookup(cpage->mm, cpage->uaddr), VM_SEALED);
	mmap_write_unlock(cpage->mm);
	wddm_munmap(cpage->uaddr, PAGE_SIZE);
	return 0;
}

static void command_page_fini(struct wddm_command_page *cpage)
{
	command_page_unmap(cpage);
	fput(cpage->file);
}

/* Lend a command page to the address space in use, which may write it if @prot says so */
static int command_page_init(struct wddm_command_page *cpage,
			     unsigned long prot)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	struct file *file;
	unsigned long uaddr;

	if (!page)
		return -ENOMEM;
	file = anon_inode_getfile("[wddmcompat]", &command_file_fops, page,
				  O_RDWR);
	if (IS_ERR(file)) {
		__free_page(page);
		return PTR_ERR(file);
	}
	uaddr = vm_mmap(file, 0, PAGE_SIZE, prot, MAP_SHARED, 0);
	if (IS_ERR_VALUE(uaddr)) {
		fput(file);
		return uaddr;
	}
	cpage->file = file;
	cpage->slots = page_address(page);
	cpage->mm = current->mm;
	cpage->uaddr = uaddr;
	bitmap_zero(cpage->busy, WDDM_COMMAND_SLOTS);
	init_waitqueue_head(&cpage->wait);
	return 0;
}

static bool command_slot_try(struct wddm_command_page *cpage,
			     unsigned int *slot)
{
	unsigned long busy;

	BUILD_BUG_ON(WDDM_COMMAND_SLOTS > BITS_PER_LONG);
	do {
		/* Others take and free slots meanwhile: what is tried may be taken */
		busy = READ_ONCE(*cpage->busy);
		*slot = find_first_zero_bit(&busy, WDDM_COMMAND_SLOTS);
		if (*slot == WDDM_COMMAND_SLOTS)
			return false;
	} while (test_and_set_bit_lock(*slot, cpage->busy));
	return true;
}

static void command_slot_put(struct wddm_command_page *cpage, unsigned int slot)
{
	clear_bit_unlock(slot, cpage->busy);
	/* A waiter is on the queue before it looks for a slot */
	if (wq_has_sleeper(&cpage->wait))
		wake_up(&cpage->wait);
}

/**
 * struct command_array - An array that stands behind the structure of a command
 * @pointer: Offset of the member that iommufd finds it by
 * @offset: Its own offset
 */
struct command_array {
	size_t pointer;
	size_t offset;
};

/* Give iommufd a command in the address space in use, and get its answer */
static int command_run(struct wddm_iommufd *iommufd,
		       struct wddm_command_page *cpage, unsigned int cmd,
		       void *command, size_t size,
		       const struct command_array *array)
{
	struct file *file = iommufd->file;
	unsigned int slot;
	unsigned long uaddr;
	void *kaddr;
	int rc;

	if (wait_event_killable(cpage->wait, command_slot_try(cpage, &slot)))
		return -EINTR;
	kaddr = cpage->slots + slot * WDDM_COMMAND_SIZE;
	uaddr = cpage->uaddr + slot * WDDM_COMMAND_SIZE;
	memcpy(kaddr, command, size);
	if (array)
		*(u64 *)(kaddr + array->pointer) = uaddr + array->offset;
	rc = file->f_op->unlocked_ioctl(file, cmd, uaddr);
	memcpy(command, kaddr, size);
	command_slot_put(cpage, slot);
	return rc;
}

/* A call in another address space, charged to the memory cgroup of the caller */
struct mm_work {
	struct work_struct work;
	struct mm_struct *mm;
	struct mem_cgroup *memcg;
	int (*fn)(void *data);
	void *data;
	int rc;
};

static int mm_call_in_kthread(struct mm_struct *mm, int (*fn)(void *data),
			      void *data)
{
	int rc;

	kthread_use_mm(mm);
	rc = fn(data);
	kthread_unuse_mm(mm);
	return rc;
}

static void mm_work_fn(struct work_struct *work)
{
	struct mm_work *call = container_of(work, struct mm_work, work);
	struct mem_cgroup *old = set_active_memcg(call->memcg);

	call->rc = mm_call_in_kthread(call->mm, call->fn, call->data);
	set_active_memcg(old);
}

/* Call a function in an address space that we hold */
static int mm_call(struct wddm_iommufd *iommufd, struct mm_struct *mm,
		   int (*fn)(void *data), void *data)
{
	struct mm_work call = { .mm = mm, .fn = fn, .data = data };

	if (current->mm == mm)
		return fn(data);
	if ((current->flags & PF_KTHREAD) && !current->mm)
		return mm_call_in_kthread(mm, fn, data);

	call.memcg = get_mem_cgroup_from_mm(current->mm);
	INIT_WORK_ONSTACK(&call.work, mm_work_fn);
	queue_work(iommufd->wq, &call.work);
	flush_work(&call.work);
	destroy_work_on_stack(&call.work);
	mem_cgroup_put(call.memcg);
	return call.rc;
}

/**
 * wddm_carrier_call() - Call a function in the carrier's address space
 * @iommufd: Whose workqueue to use if need be
 * @fn: The function
 * @data: Its argument
 *
 * Context: Any that may sleep, with or without an address space of its own.
 * Return: What @fn returns.
 */
int wddm_carrier_call(struct wddm_iommufd *iommufd, int (*fn)(void *data),
		      void *data)
{
	return mm_call(iommufd, carrier_mm, fn, data);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_carrier_call);

struct carrier_command {
	struct wddm_iommufd *iommufd;
	unsigned int cmd;
	void *command;
	size_t size;
	const struct command_array *array;
};

static int carrier_command_fn(void *data)
{
	struct carrier_command *c = data;

	return command_run(c->iommufd, &c->iommufd->carrier, c->cmd, c->command,
			   c->size, c->array);
}

static int command_run_carrier(struct wddm_iommufd *iommufd, unsigned int cmd,
			       void *command, size_t size,
			       const struct command_array *array)
{
	struct carrier_command c = { iommufd, cmd, command, size, array };

	return wddm_carrier_call(iommufd, carrier_command_fn, &c);
}

/* Give iommufd a command in the caller's address space that it cannot touch */
static int command_run_caller(struct wddm_iommufd *iommufd, unsigned int cmd,
			      void *command, size_t size)
{
	struct wddm_command_page cpage;
	int rc;

	if (!current->mm)
		return -ESRCH;
	rc = command_page_init(&cpage, PROT_READ);
	if (rc)
		return rc;
	rc = command_run(iommufd, &cpage, cmd, command, size, NULL);
	command_page_fini(&cpage);
	return rc;
}

/**
 * wddm_command() - Execute an ioctl of iommufd
 * @iommufd: Where
 * @via: Which command page to take
 * @cmd: Number of the ioctl
 * @command: Its structure, which is overwritten with the answer. Unless it came
 *           by WDDM_VIA_CARRIER the owner may have tampered with both
 * @size: sizeof the structure
 *
 * Context: May sleep. Takes iommufd's locks, and by way of its unmap callback
 * ioas->lock.
 * Return: What the ioctl returns. With WDDM_VIA_CALLER, -EFAULT means that iommufd
 * has done it and could not write its answer.
 */
int wddm_command(struct wddm_iommufd *iommufd, enum wddm_via via,
		 unsigned int cmd, void *command, size_t size)
{
	if (WARN_ON(size > WDDM_COMMAND_SIZE))
		return -E2BIG;
	if (via == WDDM_VIA_CALLER)
		return command_run_caller(iommufd, cmd, command, size);
	if (via == WDDM_VIA_OWNER ||
	    (via == WDDM_VIA_ANY && iommufd->owner.mm &&
	     current->mm == iommufd->owner.mm))
		return command_run(iommufd, &iommufd->owner, cmd, command, size,
				   NULL);
	return command_run_carrier(iommufd, cmd, command, size, NULL);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_command);

/**
 * wddm_command_array() - Execute an ioctl of iommufd that has an array
 * @iommufd: Where
 * @cmd: Number of the ioctl
 * @command: Its structure, and the array behind it. Both are overwritten
 * @size: Size of both
 * @pointer: Offset of the member that iommufd is to find the array by
 * @offset: Offset of the array
 *
 * By way of the carrier: nobody can tamper with it.
 *
 * Context: May sleep.
 * Return: What the ioctl returns.
 */
int wddm_command_array(struct wddm_iommufd *iommufd, unsigned int cmd,
		       void *command, size_t size, size_t pointer,
		       size_t offset)
{
	const struct command_array array = { pointer, offset };

	if (WARN_ON(size > WDDM_COMMAND_SIZE))
		return -E2BIG;
	return command_run_carrier(iommufd, cmd, command, size, &array);
}

/* In the carrier, because the caller may have no right to it */
static int iommufd_open_device(void *data)
{
	struct wddm_iommufd *iommufd = data;

	if (!iommu_path.dentry)
		return -ENODEV;
	iommufd->file = dentry_open(&iommu_path, O_RDWR, current_cred());
	return PTR_ERR_OR_ZERO(iommufd->file);
}

/* Get the reference that keeps the iommufd open: iommufd_ctx_put() ends it */
static int iommufd_get(struct wddm_iommufd *iommufd, struct file *file)
{
	int rc;

	iommufd->file = file;
	if (!file) {
		rc = wddm_carrier_call(iommufd, iommufd_open_device, iommufd);
		if (rc)
			return rc;
	}
	iommufd->ictx = iommufd_ctx_from_file(iommufd->file);
	if (!file)
		fput(iommufd->file);
	return PTR_ERR_OR_ZERO(iommufd->ictx);
}

static int iommufd_open_carrier(void *data)
{
	struct wddm_iommufd *iommufd = data;

	return command_page_init(&iommufd->carrier, PROT_READ | PROT_WRITE);
}

static int iommufd_close_carrier(void *data)
{
	struct wddm_iommufd *iommufd = data;

	command_page_fini(&iommufd->carrier);
	return 0;
}

/**
 * wddm_iommufd_open() - Prepare to give commands to an iommufd
 * @iommufd: To initialize
 * @file: What should be an iommufd, of which we take our own reference; or NULL for
 *        a new one
 * @owner: The caller's address space, which will own the context, or NULL
 *
 * All that a later unmap needs is allocated here.
 *
 * Return: 0, -EBADFD if @file is no iommufd, or another error.
 */
int wddm_iommufd_open(struct wddm_iommufd *iommufd, struct file *file,
		      struct mm_struct *owner)
{
	int rc;

	iommufd->wq = alloc_workqueue("wddmcompat", WQ_UNBOUND, 0);
	if (!iommufd->wq)
		return -ENOMEM;
	rc = iommufd_get(iommufd, file);
	if (rc)
		goto err_wq;
	rc = wddm_carrier_call(iommufd, iommufd_open_carrier, iommufd);
	if (rc)
		goto err_ictx;
	iommufd->owner.mm = NULL;
	if (owner) {
		rc = command_page_init(&iommufd->owner, PROT_READ | PROT_WRITE);
		if (rc)
			goto err_carrier;
	}
	return 0;

err_carrier:
	wddm_carrier_call(iommufd, iommufd_close_carrier, iommufd);
err_ictx:
	iommufd_ctx_put(iommufd->ictx);
err_wq:
	destroy_workqueue(iommufd->wq);
	return rc;
}

/* Whoever closes: the owner may live on, and could never unmap the page itself */
static void iommufd_close_owner(struct wddm_iommufd *iommufd)
{
	struct mm_struct *mm = iommufd->owner.mm;

	/* If nobody uses it any more, all that was mapped there is going already */
	if (mmget_not_zero(mm)) {
		mm_call(iommufd, mm, command_page_unmap, &iommufd->owner);
		mmput(mm);
	}
	fput(iommufd->owner.file);
}

/* The owner's address space, if there is one, still exists, used or not */
void wddm_iommufd_close(struct wddm_iommufd *iommufd)
{
	if (iommufd->owner.mm)
		iommufd_close_owner(iommufd);
	wddm_carrier_call(iommufd, iommufd_close_carrier, iommufd);
	iommufd_ctx_put(iommufd->ictx);
	destroy_workqueue(iommufd->wq);
}
