// SPDX-License-Identifier: GPL-2.0-only
/* wdm.h: memory descriptor lists, without an adapter. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "dxgk_fixture.h"

/* The most that an MDL describes */
#define BYTES_MAX ((ULONG)(U32_MAX - PAGE_SIZE + 1))

static long pins;

static int mdl_init(struct kunit *test)
{
	pins = fake_pins();
	return 0;
}

static void mdl_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, fake_pins(), pins);
}

/* Macros */

struct span_row {
	const char *name;
	unsigned long va;
	unsigned long size;
	unsigned long pages;
	unsigned long spanned;
	unsigned long rounded;
};

#define P PAGE_SIZE

static const struct span_row span_rows[] = {
	{ "nothing", 0, 0, 0, 0, 0 },
	{ "nothing in a page", 100, 0, 0, 1, 0 },
	{ "a byte", 0, 1, 1, 1, P },
	{ "the last byte", P - 1, 1, 1, 1, P },
	{ "over the edge", P - 1, 2, 1, 2, P },
	{ "a page", 0, P, 1, 1, P },
	{ "a page but one byte", 1, P - 1, 1, 1, P },
	{ "a page of two", 1, P, 1, 2, P },
	{ "a page and a byte", 5 * P, P + 1, 2, 2, 2 * P },
	{ "the most", P - 1, BYTES_MAX, BYTES_MAX / P, BYTES_MAX / P + 1,
	  BYTES_MAX },
};

KUNIT_ARRAY_PARAM_DESC(span, span_rows, name);

static void test_spans(struct kunit *test)
{
	const struct span_row *row = test->param_value;
	void *va = (void *)row->va;

	KUNIT_EXPECT_EQ(test, BYTES_TO_PAGES(row->size), row->pages);
	KUNIT_EXPECT_EQ(test, ROUND_TO_PAGES(row->size), row->rounded);
	KUNIT_EXPECT_EQ(test, ADDRESS_AND_SIZE_TO_SPAN_PAGES(va, row->size),
			row->spanned);
	KUNIT_EXPECT_EQ(test, MmSizeOfMdl(va, row->size),
			sizeof(MDL) + row->spanned * sizeof(PFN_NUMBER));
	KUNIT_EXPECT_EQ(test, BYTE_OFFSET(va), row->va % P);
	KUNIT_EXPECT_PTR_EQ(test, PAGE_ALIGN_VA(va),
			    (void *)(row->va - row->va % P));
}

/* IoAllocateMdl() and what it initializes */

struct allocate_row {
	const char *name;
	ULONG bytes;
	BOOLEAN secondary;
	PIRP irp;
	bool works;
};

static const struct allocate_row allocate_rows[] = {
	{ "nothing", 0 },
	{ "a byte", 1, .works = true },
	{ "the most", BYTES_MAX, .works = true },
	{ "too much", BYTES_MAX + 1 },
	{ "far too much", U32_MAX },
	{ "secondary", 1, .secondary = true },
	{ "with an IRP", 1, .irp = (PIRP)P },
};

KUNIT_ARRAY_PARAM_DESC(allocate, allocate_rows, name);

static void test_allocate(struct kunit *test)
{
	const struct allocate_row *row = test->param_value;
	void *va = (void *)(7 * P + 123);
	PMDL mdl;

	mdl = IoAllocateMdl(va, row->bytes, row->secondary, false, row->irp);
	KUNIT_ASSERT_EQ(test, !!mdl, row->works);
	if (!mdl)
		return;
	KUNIT_EXPECT_NULL(test, mdl->Next);
	KUNIT_EXPECT_EQ(test, MmGetMdlByteCount(mdl), row->bytes);
	KUNIT_EXPECT_EQ(test, MmGetMdlByteOffset(mdl), 123);
	KUNIT_EXPECT_PTR_EQ(test, MmGetMdlVirtualAddress(mdl), va);
	KUNIT_EXPECT_PTR_EQ(test, MmGetMdlBaseVa(mdl), (void *)(7 * P));
	KUNIT_EXPECT_FALSE(test, mdl->MdlFlags & MDL_PAGES_LOCKED);
	KUNIT_EXPECT_NULL(test,
			  MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
	IoFreeMdl(mdl);
}

/* In memory of the caller's */
static void test_initialize(struct kunit *test)
{
	void *va = (void *)(3 * P + 8);
	PMDL mdl = kunit_kmalloc(test, MmSizeOfMdl(va, 2 * P), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mdl);
	memset(mdl, 0xff, sizeof(*mdl));
	MmInitializeMdl(mdl, va, 2 * P);
	KUNIT_EXPECT_NULL(test, mdl->Next);
	KUNIT_EXPECT_EQ(test, mdl->MdlFlags, 0);
	KUNIT_EXPECT_EQ(test, mdl->Size, MmSizeOfMdl(va, 2 * P));
	KUNIT_EXPECT_NULL(test, mdl->Process);
	KUNIT_EXPECT_NULL(test, mdl->MappedSystemVa);
	KUNIT_EXPECT_EQ(test, MmGetMdlByteCount(mdl), 2 * P);
	KUNIT_EXPECT_PTR_EQ(test, MmGetMdlVirtualAddress(mdl), va);
}

/* What describes nothing can be neither found, mapped nor locked */
static void test_empty(struct kunit *test)
{
	u8 *pages = fake_pages(test, 0);
	PMDL mdl = kunit_kmalloc(test, MmSizeOfMdl(pages, P), GFP_KERNEL);
	struct mm_struct *mm = fake_mm_new(test);

	KUNIT_ASSERT_NOT_NULL(test, mdl);
	MmInitializeMdl(mdl, pages, (SIZE_T)SZ_4G);
	KUNIT_EXPECT_EQ(test, MmGetMdlByteCount(mdl), 0);
	MmBuildMdlForNonPagedPool(mdl);
	KUNIT_EXPECT_FALSE(test, mdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL);
	KUNIT_EXPECT_EQ(test, MmProbeAndLockPages(mdl, KernelMode, IoReadAccess),
			STATUS_ACCESS_VIOLATION);
	KUNIT_EXPECT_EQ(test, MmProbeAndLockPages(mdl, UserMode, IoReadAccess),
			STATUS_ACCESS_VIOLATION);
	KUNIT_EXPECT_NULL(test, MmGetSystemAddressForMdlSafe(mdl, 0));
	IoFreeMdl(NULL);
	fake_mm_free(mm);
}

/* Memory of the kernel's */

static void expect_pfns(struct kunit *test, PMDL mdl, const u8 *first)
{
	ULONG i, num;

	num = ADDRESS_AND_SIZE_TO_SPAN_PAGES(first, MmGetMdlByteCount(mdl));
	first = PAGE_ALIGN_VA(first);
	for (i = 0; i < num; i++)
		KUNIT_EXPECT_EQ(test, MmGetMdlPfnArray(mdl)[i],
				PHYS_PFN(fake_physical(first + i * P)));
}

static void expect_nonpaged(struct kunit *test, u8 *va, ULONG bytes)
{
	PMDL mdl = fake_mdl(test, va, bytes);

	KUNIT_EXPECT_TRUE(test, mdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL);
	expect_pfns(test, mdl, va);
	KUNIT_EXPECT_PTR_EQ(test,
			    MmGetSystemAddressForMdlSafe(mdl, HighPagePriority),
			    (void *)va);
	IoFreeMdl(mdl);
}

static void test_nonpaged_pool(struct kunit *test)
{
	u8 *pages = fake_pages(test, 2);
	u8 *vm = vmalloc(3 * P);

	KUNIT_ASSERT_NOT_NULL(test, vm);
	expect_nonpaged(test, pages, 4 * P);
	expect_nonpaged(test, pages + P - 1, 2);
	expect_nonpaged(test, vm, 3 * P);
	expect_nonpaged(test, vm + 17, 2 * P);
	vfree(vm);
}

/* What has no pages that would stay leaves the MDL as it is */
static void test_no_pool(struct kunit *test)
{
	void __iomem *io = ioremap(0xfee00000, P);
	void *no_pool[] = { (void __force *)io, (void *)P, NULL };
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, !!io);
	for (i = 0; i < ARRAY_SIZE(no_pool); i++) {
		PMDL mdl = fake_mdl(test, no_pool[i], P);

		KUNIT_EXPECT_EQ(test, mdl->MdlFlags & (MDL_PAGES_LOCKED |
						       MDL_SOURCE_IS_NONPAGED_POOL),
				0);
		KUNIT_EXPECT_NULL(test,
				  MmGetSystemAddressForMdlSafe(mdl, 0));
		IoFreeMdl(mdl);
	}
	iounmap(io);
}

static NTSTATUS lock_kernel(struct kunit *test, void *va, ULONG bytes)
{
	PMDL mdl = IoAllocateMdl(va, bytes, false, false, NULL);
	NTSTATUS status;

	KUNIT_ASSERT_NOT_NULL(test, mdl);
	status = MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
	KUNIT_EXPECT_EQ(test, !!(mdl->MdlFlags & MDL_PAGES_LOCKED),
			NT_SUCCESS(status));
	IoFreeMdl(mdl);
	return status;
}

/* A reference to each page, which belongs to nobody's limit */
static void test_lock_kernel_pages(struct kunit *test)
{
	u8 *vm = vmalloc(3 * P), *slab = kmalloc(100, GFP_KERNEL);
	PMDL mdl = IoAllocateMdl(vm + 17, 2 * P, false, false, NULL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, vm);
	KUNIT_ASSERT_NOT_NULL(test, slab);
	KUNIT_ASSERT_NOT_NULL(test, mdl);
	KUNIT_ASSERT_EQ(test, MmProbeAndLockPages(mdl, KernelMode, IoReadAccess),
			STATUS_SUCCESS);
	KUNIT_EXPECT_FALSE(test, mdl->MdlFlags & MDL_WRITE_OPERATION);
	KUNIT_EXPECT_NULL(test, mdl->Process);
	expect_pfns(test, mdl, vm + 17);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, page_count(vmalloc_to_page(vm + i * P)), 2);
	MmUnlockPages(mdl);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, page_count(vmalloc_to_page(vm + i * P)), 1);
	IoFreeMdl(mdl);

	/* Freeing unlocks */
	KUNIT_EXPECT_EQ(test, lock_kernel(test, vm, 3 * P), STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, page_count(vmalloc_to_page(vm)), 1);
	KUNIT_EXPECT_EQ(test, lock_kernel(test, slab, 100), STATUS_NOT_SUPPORTED);
	KUNIT_EXPECT_EQ(test, lock_kernel(test, (void *)P, P),
			STATUS_ACCESS_VIOLATION);
	kfree(slab);
	vfree(vm);
}

/* Not all pages of a block count references, unless it is a compound page */
static void test_lock_kernel_block(struct kunit *test)
{
	u8 *block = (u8 *)__get_free_pages(GFP_KERNEL, 2);
	u8 *compound = (u8 *)__get_free_pages(GFP_KERNEL | __GFP_COMP, 2);

	KUNIT_ASSERT_NOT_NULL(test, block);
	KUNIT_ASSERT_NOT_NULL(test, compound);
	KUNIT_EXPECT_EQ(test, lock_kernel(test, block, 4 * P),
			STATUS_NOT_SUPPORTED);
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(block)), 1);
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(block + P)), 0);
	KUNIT_EXPECT_EQ(test, lock_kernel(test, compound, 4 * P),
			STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(compound)), 1);
	free_pages((unsigned long)compound, 2);
	free_pages((unsigned long)block, 2);
}

/* Memory of a user's */

static void test_lock_user_pages(struct kunit *test)
{
	struct mm_struct *mm = fake_mm_new(test);
	unsigned long user = fake_user_pages(test, 3, PROT_READ | PROT_WRITE);
	PMDL mdl = IoAllocateMdl((void *)(user + 100), 2 * P, false, false,
				 NULL);
	u8 *kernel, byte = 0x5a;

	KUNIT_ASSERT_NOT_NULL(test, mdl);
	KUNIT_ASSERT_EQ(test, copy_to_user((void __user *)user + 100, &byte, 1),
			0);
	KUNIT_ASSERT_EQ(test, MmProbeAndLockPages(mdl, UserMode, IoModifyAccess),
			STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, fake_pins(), pins + 3);
	KUNIT_EXPECT_TRUE(test, mdl->MdlFlags & MDL_PAGES_LOCKED);
	KUNIT_EXPECT_TRUE(test, mdl->MdlFlags & MDL_WRITE_OPERATION);
	KUNIT_EXPECT_PTR_EQ(test, mdl->Process, mm);

	/* Once more is a mistake, and changes nothing */
	KUNIT_EXPECT_EQ(test, MmProbeAndLockPages(mdl, UserMode, IoReadAccess),
			STATUS_INVALID_PARAMETER);
	KUNIT_EXPECT_EQ(test, fake_pins(), pins + 3);

	/* Of nothing, which a miniport can write there, there is no address */
	mdl->ByteCount = 0;
	KUNIT_EXPECT_NULL(test, MmGetSystemAddressForMdlSafe(mdl, 0));
	mdl->ByteCount = 2 * P;

	/* The kernel sees what the user does, from the first byte on */
	kernel = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
	KUNIT_ASSERT_NOT_NULL(test, kernel);
	KUNIT_EXPECT_PTR_EQ(test,
			    (u8 *)MmGetSystemAddressForMdlSafe(mdl, 0), kernel);
	KUNIT_EXPECT_TRUE(test, mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA);
	expect_pfns(test, mdl, kernel);
	KUNIT_EXPECT_EQ(test, kernel[0], 0x5a);
	/* Whatever it is said to be prepared for, or another address to unmap */
	MmPrepareMdlForReuse(mdl);
	MmUnmapLockedPages(kernel + 1, mdl);
	MmBuildMdlForNonPagedPool(mdl);
	kernel[2 * P - 1] = 0xa5;
	KUNIT_ASSERT_EQ(test,
			copy_from_user(&byte, (void __user *)user + 100 + 2 * P - 1,
				       1),
			0);
	KUNIT_EXPECT_EQ(test, byte, 0xa5);
	MmUnmapLockedPages(kernel, mdl);
	KUNIT_EXPECT_FALSE(test, mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA);

	MmUnlockPages(mdl);
	KUNIT_EXPECT_FALSE(test, mdl->MdlFlags & MDL_PAGES_LOCKED);
	KUNIT_EXPECT_EQ(test, fake_pins(), pins);
	IoFreeMdl(mdl);
	fake_mm_free(mm);
}

/* Unlocking undoes the system mapping; freeing undoes both */
static void test_unlock_unmaps(struct kunit *test)
{
	struct mm_struct *mm = fake_mm_new(test);
	unsigned long user = fake_user_pages(test, 1, PROT_READ | PROT_WRITE);
	PMDL mdl = IoAllocateMdl((void *)user, P, false, false, NULL);

	KUNIT_ASSERT_NOT_NULL(test, mdl);
	KUNIT_ASSERT_EQ(test, MmProbeAndLockPages(mdl, UserMode, IoReadAccess),
			STATUS_SUCCESS);
	KUNIT_EXPECT_FALSE(test, mdl->MdlFlags & MDL_WRITE_OPERATION);
	KUNIT_EXPECT_NOT_NULL(test,
			      MmGetSystemAddressForMdlSafe(mdl,
							   LowPagePriority |
							   MdlMappingNoWrite));
	MmUnlockPages(mdl);
	KUNIT_EXPECT_FALSE(test, mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA);
	KUNIT_EXPECT_NULL(test, MmGetSystemAddressForMdlSafe(mdl, 0));

	/* It can be locked again, for another purpose */
	KUNIT_ASSERT_EQ(test, MmProbeAndLockPages(mdl, UserMode, IoWriteAccess),
			STATUS_SUCCESS);
	KUNIT_EXPECT_TRUE(test, mdl->MdlFlags & MDL_WRITE_OPERATION);
	KUNIT_EXPECT_NOT_NULL(test, MmGetSystemAddressForMdlSafe(mdl, 0));
	IoFreeMdl(mdl);
	KUNIT_EXPECT_EQ(test, fake_pins(), pins);
	fake_mm_free(mm);
}

static NTSTATUS lock_user(unsigned long user, ULONG bytes,
			  LOCK_OPERATION operation)
{
	PMDL mdl = IoAllocateMdl((void *)user, bytes, false, false, NULL);
	NTSTATUS status;

	if (!mdl)
		return STATUS_NO_MEMORY;
	status = MmProbeAndLockPages(mdl, UserMode, operation);
	if (NT_SUCCESS(status))
		MmUnlockPages(mdl);
	IoFreeMdl(mdl);
	return status;
}

static void test_lock_refuses(struct kunit *test)
{
	struct mm_struct *mm = fake_mm_new(test);
	unsigned long user = fake_user_pages(test, 2, PROT_READ | PROT_WRITE);
	unsigned long readonly = fake_user_pages(test, 1, PROT_READ);

	KUNIT_EXPECT_EQ(test, lock_user(user, 2 * P, IoWriteAccess),
			STATUS_SUCCESS);
	/* Half of it is not there */
	KUNIT_ASSERT_EQ(test, vm_munmap(user + P, P), 0);
	KUNIT_EXPECT_EQ(test, lock_user(user, 2 * P, IoReadAccess),
			STATUS_ACCESS_VIOLATION);
	KUNIT_EXPECT_EQ(test, lock_user(user + P, 1, IoReadAccess),
			STATUS_ACCESS_VIOLATION);
	KUNIT_EXPECT_EQ(test, lock_user(readonly, P, IoReadAccess),
			STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, lock_user(readonly, P, IoModifyAccess),
			STATUS_ACCESS_VIOLATION);
	KUNIT_EXPECT_EQ(test, lock_user(readonly, P, IoWriteAccess),
			STATUS_ACCESS_VIOLATION);
	KUNIT_EXPECT_EQ(test,
			lock_user((unsigned long)fake_pages(test, 0), P,
				  IoReadAccess),
			STATUS_ACCESS_VIOLATION);
	KUNIT_EXPECT_EQ(test, lock_user(TASK_SIZE_MAX - P, 2 * P, IoReadAccess),
			STATUS_ACCESS_VIOLATION);

	/* Nobody's */
	kthread_unuse_mm(mm);
	KUNIT_EXPECT_EQ(test, lock_user(user, P, IoReadAccess),
			STATUS_ACCESS_VIOLATION);
	fake_mm_free(mm);
}

/* Locked pages count against the limit of whoever has no right to exceed it */
static void test_memlock(struct kunit *test)
{
	struct mm_struct *mm = fake_mm_new(test);
	unsigned long user = fake_user_pages(test, 3, PROT_READ | PROT_WRITE);
	struct rlimit *limit = &current->signal->rlim[RLIMIT_MEMLOCK];
	const struct cred *old;
	struct cred *user_cred;

	user_cred = prepare_creds();
	KUNIT_ASSERT_NOT_NULL(test, user_cred);
	cap_lower(user_cred->cap_effective, CAP_IPC_LOCK);
	old = override_creds(user_cred);
	limit->rlim_cur = 2 * P;
	KUNIT_EXPECT_EQ(test, lock_user(user, 3 * P, IoReadAccess),
			STATUS_INSUFFICIENT_RESOURCES);
	/* Twice: the charge has come back */
	KUNIT_EXPECT_EQ(test, lock_user(user, 2 * P, IoReadAccess),
			STATUS_SUCCESS);
	KUNIT_EXPECT_EQ(test, lock_user(user, 2 * P, IoReadAccess),
			STATUS_SUCCESS);
	revert_creds(old);
	put_cred(user_cred);
	KUNIT_EXPECT_EQ(test, lock_user(user, 3 * P, IoReadAccess),
			STATUS_SUCCESS);
	fake_mm_free(mm);
}

/* Partial MDLs */

static PMDL partial_of(struct kunit *test, PMDL source, u8 *va, ULONG bytes)
{
	PMDL partial = IoAllocateMdl(va, bytes ?: 4 * P, false, false, NULL);

	KUNIT_ASSERT_NOT_NULL(test, partial);
	IoBuildPartialMdl(source, partial, va, bytes);
	return partial;
}

static void test_partial(struct kunit *test)
{
	u8 *pages = fake_pages(test, 2);
	PMDL source = fake_mdl(test, pages + 10, 4 * P - 10);
	PMDL partial;

	partial = partial_of(test, source, pages + P + 5, P);
	KUNIT_EXPECT_TRUE(test, partial->MdlFlags & MDL_PARTIAL);
	KUNIT_EXPECT_EQ(test, MmGetMdlByteOffset(partial), 5);
	KUNIT_EXPECT_EQ(test, MmGetMdlByteCount(partial), P);
	KUNIT_EXPECT_EQ(test, MmGetMdlPfnArray(partial)[0],
			PHYS_PFN(virt_to_phys(pages + P)));
	KUNIT_EXPECT_EQ(test, MmGetMdlPfnArray(partial)[1],
			PHYS_PFN(virt_to_phys(pages + 2 * P)));
	KUNIT_EXPECT_PTR_EQ(test,
			    (u8 *)MmGetSystemAddressForMdlSafe(partial, 0),
			    pages + P + 5);

	/* Once more, for another part: 0 is the rest */
	MmPrepareMdlForReuse(partial);
	IoBuildPartialMdl(source, partial, pages + 3 * P, 0);
	KUNIT_EXPECT_EQ(test, MmGetMdlByteCount(partial), P);
	KUNIT_EXPECT_EQ(test, MmGetMdlPfnArray(partial)[0],
			PHYS_PFN(virt_to_phys(pages + 3 * P)));
	IoFreeMdl(partial);
	IoFreeMdl(source);
}

static void expect_no_part(struct kunit *test, PMDL source, PMDL target, u8 *va,
			   ULONG bytes)
{
	IoBuildPartialMdl(source, target, va, bytes);
	KUNIT_EXPECT_EQ(test, target->MdlFlags, 0);
	KUNIT_EXPECT_EQ(test, target->ByteCount, 0);
}

/* What is no part, or has no room, describes nothing */
static void test_no_partial(struct kunit *test)
{
	u8 *pages = fake_pages(test, 2);
	PMDL source = fake_mdl(test, pages + 10, 4 * P - 10);
	PMDL not_locked = IoAllocateMdl(pages, P, false, false, NULL);
	PMDL target = IoAllocateMdl(pages, 2 * P, false, false, NULL);

	KUNIT_ASSERT_NOT_NULL(test, not_locked);
	KUNIT_ASSERT_NOT_NULL(test, target);
	expect_no_part(test, not_locked, target, pages, 1);
	expect_no_part(test, source, target, pages + 9, 1);
	expect_no_part(test, source, target, pages + 4 * P, 1);
	expect_no_part(test, source, target, pages + 4 * P - 1, 2);
	expect_no_part(test, source, target, pages + 1 * P, 2 * P + 1);
	expect_no_part(test, source, target, pages + 2 * P - 1, P + 2);
	IoBuildPartialMdl(source, target, pages + 10, 2 * P - 10);
	KUNIT_EXPECT_TRUE(test, target->MdlFlags & MDL_PARTIAL);
	IoFreeMdl(target);
	IoFreeMdl(not_locked);
	IoFreeMdl(source);
}

/* A target that holds pages keeps them; a part of what has no address has none */
static void test_partial_of_locked(struct kunit *test)
{
	struct mm_struct *mm = fake_mm_new(test);
	unsigned long user = fake_user_pages(test, 2, PROT_READ | PROT_WRITE);
	PMDL source = IoAllocateMdl((void *)user, 2 * P, false, false, NULL);
	PMDL target = IoAllocateMdl((void *)user, P, false, false, NULL);

	KUNIT_ASSERT_NOT_NULL(test, source);
	KUNIT_ASSERT_NOT_NULL(test, target);
	KUNIT_ASSERT_EQ(test, MmProbeAndLockPages(source, UserMode, IoReadAccess),
			STATUS_SUCCESS);
	KUNIT_ASSERT_EQ(test, MmProbeAndLockPages(target, UserMode, IoReadAccess),
			STATUS_SUCCESS);
	IoBuildPartialMdl(source, target, (void *)(user + P), P);
	KUNIT_EXPECT_FALSE(test, target->MdlFlags & MDL_PARTIAL);
	KUNIT_EXPECT_EQ(test, MmGetMdlPfnArray(target)[0],
			MmGetMdlPfnArray(source)[0]);
	MmUnlockPages(target);
	KUNIT_EXPECT_EQ(test, fake_pins(), pins + 2);

	IoBuildPartialMdl(source, target, (void *)(user + P), P);
	KUNIT_EXPECT_TRUE(test, target->MdlFlags & MDL_PARTIAL);
	KUNIT_EXPECT_NULL(test, target->MappedSystemVa);
	KUNIT_EXPECT_EQ(test, MmGetMdlPfnArray(target)[0],
			MmGetMdlPfnArray(source)[1]);
	/* It has no pages of its own to unlock */
	MmUnlockPages(target);
	KUNIT_EXPECT_EQ(test, fake_pins(), pins + 2);
	IoFreeMdl(target);
	KUNIT_EXPECT_EQ(test, fake_pins(), pins + 2);
	IoFreeMdl(source);
	KUNIT_EXPECT_EQ(test, fake_pins(), pins);
	fake_mm_free(mm);
}

static struct kunit_case mdl_cases[] = {
	KUNIT_CASE_PARAM(test_spans, span_gen_params),
	KUNIT_CASE_PARAM(test_allocate, allocate_gen_params),
	KUNIT_CASE(test_initialize),
	KUNIT_CASE(test_empty),
	KUNIT_CASE(test_nonpaged_pool),
	KUNIT_CASE(test_no_pool),
	KUNIT_CASE(test_lock_kernel_pages),
	KUNIT_CASE(test_lock_kernel_block),
	KUNIT_CASE(test_lock_user_pages),
	KUNIT_CASE(test_unlock_unmaps),
	KUNIT_CASE(test_lock_refuses),
	KUNIT_CASE(test_memlock),
	KUNIT_CASE(test_partial),
	KUNIT_CASE(test_no_partial),
	KUNIT_CASE(test_partial_of_locked),
	{}
};

static struct kunit_suite mdl_suite = {
	.name = "wddmcompat-dxgk-mdl",
	.suite_init = fake_pins_init,
	.suite_exit = fake_pins_exit,
	.init = mdl_init,
	.exit = mdl_exit,
	.test_cases = mdl_cases,
};

kunit_test_suite(mdl_suite);
