// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address descriptor lists: pages of a physical memory object as the adapter sees
 * them, which are mapped as long as the list is there.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "../compat.h"
#include "dxgk.h"

/**
 * struct dxgk_adl - An ADL of a physical memory object
 * @adl: What the miniport has
 * @allocation: To be given back
 * @opened: The object, of which it is a use
 * @node: In physical->adls
 * @map: Where its pages are mapped
 */
struct dxgk_adl {
	DXGK_ADL adl;
	struct dxgk_allocation allocation;
	struct dxgk_opened *opened;
	struct list_head node;
	struct dxgk_map map;
};

static DXGK_PAGE_NUMBER adl_page(const struct dxgk_map *map, unsigned long page)
{
	return dxgk_map_address(map, page) >> PAGE_SHIFT;
}

static bool map_is_contiguous(const struct dxgk_map *map,
			      unsigned long num_pages)
{
	unsigned long i;

	for (i = 1; i < num_pages; i++) {
		if (adl_page(map, i) != adl_page(map, 0) + i)
			return false;
	}
	return true;
}

/**
 * dxgk_adl_fill() - Say where pages are for the adapter
 * @adl: To fill; all zero before
 * @map: The pages
 * @num_pages: Their number
 * @prefer_contiguous: As a range, if they are one
 *
 * Return: 0 or -ENOMEM; dxgk_adl_clear() is to follow.
 */
int dxgk_adl_fill(DXGK_ADL *adl, const struct dxgk_map *map,
		  unsigned long num_pages, bool prefer_contiguous)
{
	unsigned long i;

	adl->PageCount = num_pages;
	if (prefer_contiguous && map_is_contiguous(map, num_pages)) {
		adl->Flags.Contiguous = 1;
		adl->BasePageNumber = adl_page(map, 0);
		return 0;
	}
	adl->Pages = kvmalloc_array(num_pages, sizeof(*adl->Pages),
				    GFP_KERNEL | __GFP_NOWARN);
	if (!adl->Pages)
		return -ENOMEM;
	for (i = 0; i < num_pages; i++)
		adl->Pages[i] = adl_page(map, i);
	return 0;
}

void dxgk_adl_clear(DXGK_ADL *adl)
{
	if (!adl->Flags.Contiguous)
		kvfree(adl->Pages);
	adl->Pages = NULL;
}

static void adl_release(struct dxgk_allocation *allocation)
{
	struct dxgk_adl *adl =
		container_of(allocation, struct dxgk_adl, allocation);
	struct dxgk_physical *physical = adl->opened->physical;

	/* A second call for the same list finds nothing */
	mutex_lock(&physical->lock);
	list_del_init(&adl->node);
	mutex_unlock(&physical->lock);
	dxgk_unmap(&adl->map);
	wddm_object_unuse(&adl->opened->obj);
	wddm_object_put(&adl->opened->obj);
	dxgk_adl_clear(&adl->adl);
	kfree(adl);
}

static const struct dxgk_kind kind_adl = {
	.name = "address descriptor list",
	.release = adl_release,
};

static int adl_check(const struct dxgk_physical *physical,
		     const DXGKARGCB_ALLOCATE_ADL *args)
{
	if (args->Flags.Reserved || !args->Size || !PAGE_ALIGNED(args->Size) ||
	    !PAGE_ALIGNED(args->Offset) || args->Offset >= physical->size ||
	    args->Size > physical->size - args->Offset)
		return -EINVAL;
	/* Only of such memory can it be kept in every mode */
	if (args->Flags.RequireContiguous &&
	    physical->type != DXGK_PHYSICAL_MEMORY_TYPE_CONTIGUOUS_MEMORY)
		return -EINVAL;
	return 0;
}

static struct dxgk_adl *adl_create(struct dxgk_opened *opened,
				   const DXGKARGCB_ALLOCATE_ADL *args)
{
	struct dxgk_physical *physical = opened->physical;
	const struct wddmcompat_page_desc desc = {
		.pages = physical->pages->pages + (args->Offset >> PAGE_SHIFT),
		.byte_count = args->Size,
		.writeable = !physical->readonly,
	};
	const struct dxgk_chain chain = {
		.descs = &desc,
		.num = 1,
		.boundary = physical->boundary,
	};
	struct dxgk_adl *adl;
	int rc;

	adl = kzalloc_obj(*adl, GFP_KERNEL);
	if (!adl)
		return ERR_PTR(-ENOMEM);
	rc = dxgk_map(opened->device->adapter, &chain, &adl->map);
	if (rc)
		goto err_free;
	rc = dxgk_adl_fill(&adl->adl, &adl->map, args->Size >> PAGE_SHIFT,
			   args->Flags.PreferContiguous ||
				   args->Flags.RequireContiguous);
	if (rc)
		goto err_unmap;
	return adl;

err_unmap:
	dxgk_unmap(&adl->map);
err_free:
	kfree(adl);
	return ERR_PTR(rc);
}

/* The caller has entered the adapter that has opened the object */
static int allocate_adl(struct dxgk_opened *opened,
			DXGKARGCB_ALLOCATE_ADL *args, void *caller)
{
	struct dxgk_physical *physical = opened->physical;
	struct dxgk_adl *adl;
	int rc;

	rc = adl_check(physical, args);
	if (rc)
		return rc;
	rc = wddm_object_use(&opened->obj);
	if (rc)
		return rc;
	adl = adl_create(opened, args);
	if (IS_ERR(adl)) {
		wddm_object_unuse(&opened->obj);
		return PTR_ERR(adl);
	}
	wddm_object_get(&opened->obj);
	adl->opened = opened;
	dxgk_leaks_add(&opened->device->adapter->leaks, &adl->allocation,
		       &kind_adl, args->Size, caller);
	mutex_lock(&physical->lock);
	list_add(&adl->node, &physical->adls);
	mutex_unlock(&physical->lock);
	args->pAdl = &adl->adl;
	return 0;
}

/* DxgkCbAllocateAdl */
NTSTATUS dxgk_allocate_adl(DXGKARGCB_ALLOCATE_ADL *args)
{
	struct dxgk_opened *opened;
	int rc;

	might_sleep();
	if (!args)
		return STATUS_INVALID_PARAMETER;
	args->pAdl = NULL;
	opened = dxgk_opened_enter(args->hAdapterMemoryObject);
	if (IS_ERR(opened))
		return dxgk_errno_to_status(PTR_ERR(opened));
	rc = allocate_adl(opened, args, __builtin_return_address(0));
	dxgk_opened_leave(opened);
	return dxgk_errno_to_status(rc);
}

/* Take an ADL off its object's list, if it is one of it */
static struct dxgk_adl *adl_take(struct dxgk_physical *physical,
				 const DXGK_ADL *wanted)
{
	struct dxgk_adl *adl, *found = NULL;

	mutex_lock(&physical->lock);
	list_for_each_entry(adl, &physical->adls, node) {
		if (&adl->adl == wanted) {
			list_del_init(&adl->node);
			found = adl;
			break;
		}
	}
	mutex_unlock(&physical->lock);
	return found;
}

static int free_adl(struct dxgk_opened *opened, const DXGK_ADL *wanted)
{
	struct dxgk_adl *adl = adl_take(opened->physical, wanted);

	if (!adl)
		return -EINVAL;
	dxgk_leaks_del(&opened->device->adapter->leaks, &adl->allocation);
	adl_release(&adl->allocation);
	return 0;
}

/* DxgkCbFreeAdl */
VOID dxgk_free_adl(const DXGKARGCB_FREE_ADL *args)
{
	struct dxgk_opened *opened = ERR_PTR(-EINVAL);
	int rc;

	might_sleep();
	if (args)
		opened = dxgk_opened_enter(args->hAdapterMemoryObject);
	rc = PTR_ERR_OR_ZERO(opened);
	if (!rc) {
		rc = free_adl(opened, args->pAdl);
		dxgk_opened_leave(opened);
	}
	if (rc)
		wddm_complain("DxgkCbFreeAdl", rc, __builtin_return_address(0));
}
