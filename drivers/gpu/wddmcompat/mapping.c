// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: pages of an MDL in the IOAS of an adapter, and their unmapping by
 * memory handle. WDDM: DXGKCB_MAPMDLTOIOMMU and DXGKCB_UNMAPMDLFROMIOMMU.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <uapi/linux/iommufd.h>

#include "compat.h"
#include "wddmcompat_private.h"

#define MAP_FLAGS (WDDMCOMPAT_MAP_WRITEABLE | WDDMCOMPAT_MAP_FIXED_IOVA)

static struct kmem_cache *mapping_cache;

#ifdef CONFIG_LOCKDEP
static struct lock_class_key mapping_claim_key;
static struct lockdep_map mapping_claim_map =
	STATIC_LOCKDEP_MAP_INIT("wddm_mapping", &mapping_claim_key);
#endif

int wddm_mappings_init(void)
{
	mapping_cache = KMEM_CACHE(wddm_mapping, SLAB_ACCOUNT);
	return mapping_cache ? 0 : -ENOMEM;
}

/* There is no mapping any more */
void wddm_mappings_exit(void)
{
	kmem_cache_destroy(mapping_cache);
}

/* Is the page range in the MDL? A @num_pages of 0 becomes the rest of it. */
static int map_check_pages(const struct wddmcompat_mdl *mdl, u64 first_page,
			   u64 *num_pages)
{
	if (first_page >= mdl->num_pages)
		return -EINVAL;
	if (!*num_pages)
		*num_pages = mdl->num_pages - first_page;
	return *num_pages > mdl->num_pages - first_page ? -EINVAL : 0;
}

static int mapping_use(struct wddm_mapping *mapping)
{
	struct wddmcompat_adapter *adapter = wddm_mapping_adapter(mapping);
	int rc;

	rc = wddm_object_use(&adapter->obj);
	if (rc)
		return rc;
	rc = wddm_object_use(wddm_mdl_obj(mapping->range.mdl));
	if (rc)
		wddm_object_unuse(&adapter->obj);
	return rc;
}

static void mapping_unuse(struct wddm_mapping *mapping)
{
	wddm_object_unuse(wddm_mdl_obj(mapping->range.mdl));
	wddm_object_unuse(&wddm_mapping_adapter(mapping)->obj);
}

void wddm_mapping_free(struct wddm_object *obj)
{
	struct wddm_mapping *mapping =
		container_of(obj, struct wddm_mapping, range.obj);

	wddm_range_fini(&mapping->range);
	wddm_object_put(wddm_mdl_obj(mapping->range.mdl));
	wddm_object_put(&wddm_mapping_adapter(mapping)->obj);
	kmem_cache_free(mapping_cache, mapping);
}

/* A mapping that is nowhere yet, but uses its adapter and MDL */
static struct wddm_mapping *mapping_alloc(struct wddmcompat_adapter *adapter,
					  struct wddmcompat_mdl *mdl,
					  unsigned long first_page,
					  unsigned long num_pages, u32 flags)
{
	struct wddm_mapping *mapping;
	int rc;

	mapping = kmem_cache_alloc(mapping_cache, GFP_KERNEL);
	if (!mapping)
		return ERR_PTR(-ENOMEM);
	rc = wddm_range_init(&mapping->range, &adapter->ioas, mdl, first_page,
			     num_pages);
	if (rc)
		goto err_free;
	mapping->range.writeable = flags & WDDMCOMPAT_MAP_WRITEABLE;
	rc = mapping_use(mapping);
	if (rc)
		goto err_range;
	rc = wddm_object_init(wddm_mapping_obj(mapping), adapter->obj.ctx,
			      WDDMCOMPAT_OBJECT_MAPPING);
	if (rc)
		goto err_unuse;
	wddm_object_get(&adapter->obj);
	wddm_object_get(wddm_mdl_obj(mdl));
	return mapping;

err_unuse:
	mapping_unuse(mapping);
err_range:
	wddm_range_fini(&mapping->range);
err_free:
	kmem_cache_free(mapping_cache, mapping);
	return ERR_PTR(rc);
}

static void mapping_abort(struct wddm_mapping *mapping)
{
	mapping_unuse(mapping);
	wddm_object_remove(wddm_mapping_obj(mapping));
}

/* Copy the pages from the MDL IOAS to the adapter's, and watch them there */
static int mapping_copy(struct wddm_mapping *mapping, unsigned long num_pages,
			unsigned long iova, u32 flags)
{
	struct wddm_range *range = &mapping->range;
	struct wddm_range *src = &range->mdl->range;
	unsigned long length = num_pages << PAGE_SHIFT;
	u32 copy_flags = IOMMU_IOAS_MAP_READABLE;
	int rc;

	if (flags & WDDMCOMPAT_MAP_WRITEABLE)
		copy_flags |= IOMMU_IOAS_MAP_WRITEABLE;
	if (flags & WDDMCOMPAT_MAP_FIXED_IOVA)
		copy_flags |= IOMMU_IOAS_MAP_FIXED_IOVA;
	rc = wddm_ioas_copy(range->ioas, src->ioas,
			    src->node.start + (range->first_page << PAGE_SHIFT),
			    length, copy_flags, &iova);
	/* No such area: it was unmapped behind our back, in this very moment */
	if (rc == -ENOENT)
		return -ESTALE;
	if (rc)
		return rc;

	wddm_range_place(range, iova, num_pages);
	rc = wddm_range_watch(range);
	if (!rc)
		return 0;
	/* What is not as we mapped it is not ours to unmap */
	wddm_range_abort(range, rc == -ESTALE ? 0 : length);
	/* Pages that the MDL has pinned can be pinned: it was revoked meanwhile */
	return rc == -ENOMEM ? rc : -ESTALE;
}

/**
 * mapping_create() - Map pages of an MDL to an adapter
 * @adapter: Adapter
 * @mdl: MDL of the same context
 * @first_page: First page of @mdl
 * @num_pages: Pages; 0 for the rest
 * @iova: With WDDMCOMPAT_MAP_FIXED_IOVA where to map
 * @flags: enum wddmcompat_map_flags
 *
 * Return: The mapping, not published yet, or ERR_PTR.
 */
static struct wddm_mapping *mapping_create(struct wddmcompat_adapter *adapter,
					   struct wddmcompat_mdl *mdl,
					   u64 first_page, u64 num_pages,
					   u64 iova, u32 flags)
{
	struct wddm_mapping *mapping;
	int rc;

	if (flags & ~MAP_FLAGS)
		return ERR_PTR(-EOPNOTSUPP);
	rc = map_check_pages(mdl, first_page, &num_pages);
	if (rc)
		return ERR_PTR(rc);
	if (flags & WDDMCOMPAT_MAP_FIXED_IOVA &&
	    (!PAGE_ALIGNED(iova) || iova > U64_MAX - (num_pages << PAGE_SHIFT)))
		return ERR_PTR(-EINVAL);
	if (READ_ONCE(mdl->range.state) == WDDMCOMPAT_STATE_REVOKED)
		return ERR_PTR(-EIDRM);

	if (!(flags & WDDMCOMPAT_MAP_FIXED_IOVA))
		iova = 0;

	mapping = mapping_alloc(adapter, mdl, first_page, num_pages, flags);
	if (IS_ERR(mapping))
		return mapping;
	rc = mapping_copy(mapping, num_pages, iova, flags);
	if (rc) {
		mapping_abort(mapping);
		return ERR_PTR(rc);
	}
	return mapping;
}

static bool mapping_is_unmapped(const struct wddm_mapping *mapping)
{
	/* Pairs with mapping_unmap(): who sees it can rely on it */
	return smp_load_acquire(&mapping->range.unmapped);
}

/* Nobody is unmapping it: it is unmapped, or who waits has to do it */
static bool mapping_is_settled(struct wddm_mapping *mapping)
{
	return mapping_is_unmapped(mapping) ||
	       !atomic_read(&wddm_mapping_obj(mapping)->uses);
}

/*
 * Become the one thread that unmaps a mapping. Who comes later waits until it is unmapped,
 * which is -ENOENT, or until the other has failed, and then tries it himself. Who is
 * @killable and killed does not wait.
 *
 * With a lock for this, a mapping would be larger by a quarter. So it is a state, all who
 * wait do so on one queue of the adapter, and lockdep is told.
 */
static int mapping_claim(struct wddm_mapping *mapping, bool killable)
{
	struct wddmcompat_adapter *adapter = wddm_mapping_adapter(mapping);

	lock_map_acquire(&mapping_claim_map);
	while (wddm_object_retire(wddm_mapping_obj(mapping))) {
		int rc = 0;

		if (killable)
			rc = wait_event_killable(adapter->unmap_wait,
						 mapping_is_settled(mapping));
		else
			wait_event(adapter->unmap_wait,
				   mapping_is_settled(mapping));
		if (!rc && !mapping_is_unmapped(mapping))
			continue;
		lock_map_release(&mapping_claim_map);
		return rc ? -EINTR : -ENOENT;
	}
	return 0;
}

static void mapping_unclaim(struct wddm_mapping *mapping)
{
	struct wddmcompat_adapter *adapter = wddm_mapping_adapter(mapping);

	if (mapping->range.unmapped)
		wddm_object_remove(wddm_mapping_obj(mapping));
	else
		wddm_object_unretire(wddm_mapping_obj(mapping));
	/* Who waits is on the queue before he looks at the mapping */
	if (wq_has_sleeper(&adapter->unmap_wait))
		wake_up_all(&adapter->unmap_wait);
	lock_map_release(&mapping_claim_map);
}

/*
 * Unmap a mapping that the caller has a reference to. When this returns 0 or -ENOENT
 * nothing of it is mapped, whoever unmapped it.
 */
static int mapping_unmap(struct wddm_mapping *mapping, bool killable,
			 u32 *state)
{
	int rc;

	rc = mapping_claim(mapping, killable);
	if (rc)
		return rc;
	rc = wddm_range_unmap(&mapping->range);
	if (!rc) {
		*state = mapping->range.state;
		mapping_unuse(mapping);
		/* Pairs with mapping_is_unmapped() */
		smp_store_release(&mapping->range.unmapped, true);
	}
	mapping_unclaim(mapping);
	return rc;
}

/* Unmap, come what may: of a context that ends, or a handle that was not told */
void wddm_mapping_undo(struct wddm_object *obj)
{
	struct wddm_mapping *mapping =
		container_of(obj, struct wddm_mapping, range.obj);

	wddm_range_undo(&mapping->range);
	mapping_unuse(mapping);
	wddm_object_remove(obj);
}

/* Where the first byte of descriptor @i is for the device */
static u64 mapping_logical(const struct wddm_mapping *mapping, u32 i)
{
	const struct wddm_range *range = &mapping->range;
	const struct wddm_desc *desc = &range->mdl->descs[i];
	unsigned long num_pages = wddm_range_length(range) >> PAGE_SHIFT;

	if (desc->first_page < range->first_page ||
	    desc->first_page - range->first_page >= num_pages)
		return WDDMCOMPAT_LOGICAL_NONE;
	return range->node.start +
	       ((desc->first_page - range->first_page) << PAGE_SHIFT) +
	       desc->byte_offset;
}

static int map_put_logical(const struct wddm_mapping *mapping,
			   const struct wddmcompat_map *cmd)
{
	u64 __user *logical = u64_to_user_ptr(cmd->logical);
	u32 i;

	for (i = 0; i < cmd->num_logical; i++) {
		if (put_user(mapping_logical(mapping, i), logical + i))
			return -EFAULT;
	}
	return 0;
}

static int map_objects(struct wddm_ucmd *ucmd, struct wddmcompat_map *cmd,
		       struct wddmcompat_adapter *adapter,
		       struct wddmcompat_mdl *mdl)
{
	struct wddm_mapping *mapping;
	int rc;

	if (cmd->num_logical && cmd->num_logical != mdl->num_descs)
		return -EINVAL;
	mapping = mapping_create(adapter, mdl, cmd->first_page, cmd->num_pages,
				 cmd->iova, cmd->flags);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping);
	rc = map_put_logical(mapping, cmd);
	if (rc) {
		wddm_mapping_undo(wddm_mapping_obj(mapping));
		return rc;
	}
	cmd->num_pages = wddm_range_length(&mapping->range) >> PAGE_SHIFT;
	cmd->iova = mapping->range.node.start;
	cmd->out_memory = wddm_mapping_obj(mapping)->handle;
	ucmd->new_obj = wddm_mapping_obj(mapping);
	return 0;
}

int wddm_map_ioctl(struct wddm_ucmd *ucmd)
{
	struct wddm_handle_table *handles = &ucmd->ctx->handles;
	struct wddmcompat_map *cmd = ucmd->cmd;
	struct wddm_object *adapter, *mdl;
	int rc;

	if (cmd->flags & ~MAP_FLAGS || cmd->__reserved)
		return -EOPNOTSUPP;
	adapter = wddm_handle_get_typed(handles, cmd->adapter,
					WDDMCOMPAT_OBJECT_ADAPTER);
	if (IS_ERR(adapter))
		return PTR_ERR(adapter);
	mdl = wddm_handle_get_typed(handles, cmd->mdl, WDDMCOMPAT_OBJECT_MDL);
	if (IS_ERR(mdl)) {
		rc = PTR_ERR(mdl);
		goto out_adapter;
	}
	rc = map_objects(ucmd, cmd,
			 container_of(adapter, struct wddmcompat_adapter, obj),
			 container_of(mdl, struct wddmcompat_mdl, range.obj));
	wddm_object_put(mdl);

out_adapter:
	wddm_object_put(adapter);
	return rc;
}

/*
 * The mapping that @memory names on the adapter that @adapter names. A mapping knows
 * its adapter; that is looked up only to say what is wrong with it.
 */
static struct wddm_mapping *mapping_get(struct wddm_handle_table *handles,
					u64 adapter, u64 memory)
{
	struct wddm_mapping *mapping;
	struct wddm_object *obj;
	int rc = -ENOENT;

	obj = wddm_handle_get_typed(handles, memory, WDDMCOMPAT_OBJECT_MAPPING);
	if (IS_ERR(obj)) {
		rc = PTR_ERR(obj);
	} else {
		mapping = container_of(obj, struct wddm_mapping, range.obj);
		if (wddm_mapping_adapter(mapping)->obj.handle == adapter)
			return mapping;
		wddm_object_put(obj);
	}
	obj = wddm_handle_get_typed(handles, adapter,
				    WDDMCOMPAT_OBJECT_ADAPTER);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	wddm_object_put(obj);
	return ERR_PTR(rc);
}

int wddm_unmap_ioctl(struct wddm_ucmd *ucmd)
{
	struct wddmcompat_unmap *cmd = ucmd->cmd;
	struct wddm_mapping *mapping;
	int rc;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	mapping = mapping_get(&ucmd->ctx->handles, cmd->adapter, cmd->memory);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping);
	rc = mapping_unmap(mapping, true, &cmd->out_state);
	wddm_object_put(wddm_mapping_obj(mapping));
	return rc;
}

/**
 * wddmcompat_map_mdl_to_iommu() - Map an MDL to the IOMMU domain of an adapter
 * @adapter: Adapter
 * @mdl: MDL of the same context
 * @args: What of it to map, and how; and where it is then
 *
 * WDDM: DXGKCB_MAPMDLTOIOMMU.
 *
 * Context: May sleep; any process or kthread.
 * Return:
 *  - 0: args->memory is a handle for wddmcompat_unmap_mdl_from_iommu().
 *  - -EINVAL: The pages are not within the MDL, the MDL is another context's, or
 *    the IOVA is not aligned or not in an allowed range.
 *  - -EOPNOTSUPP: A flag that is not defined.
 *  - -EEXIST: The IOVA is in use.
 *  - -EPERM: WDDMCOMPAT_MAP_WRITEABLE, but the pages are not writeable.
 *  - -EIDRM, -ESTALE: User space that holds the iommufd has unmapped the MDL, or
 *    the new mapping.
 *  - -ENOSPC, -ENOMEM.
 */
int wddmcompat_map_mdl_to_iommu(struct wddmcompat_adapter *adapter,
				struct wddmcompat_mdl *mdl,
				struct wddmcompat_map_args *args)
{
	struct wddm_mapping *mapping;

	if (adapter->obj.ctx != wddm_mdl_obj(mdl)->ctx)
		return -EINVAL;
	mapping = mapping_create(adapter, mdl, args->first_page,
				 args->num_pages, args->iova, args->flags);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping);
	args->iova = mapping->range.node.start;
	args->memory = wddm_mapping_obj(mapping)->handle;
	wddm_handle_publish(&adapter->obj.ctx->handles,
			    wddm_mapping_obj(mapping));
	return 0;
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_map_mdl_to_iommu, WDDM_EXPORT_NS);

/**
 * wddmcompat_unmap_mdl_from_iommu() - Unmap by memory handle
 * @adapter: Adapter that the MDL is mapped to
 * @memory: Handle from wddmcompat_map_mdl_to_iommu()
 *
 * When this returns, no device of the adapter reaches the pages by way of this
 * mapping. The MDL stays as it is and can be mapped again. A handle that names no
 * mapping of the adapter is a bug of the caller, and nothing is done. In a shared
 * iommufd, so is an object such as a hardware queue that still needs the range.
 * WDDM: DXGKCB_UNMAPMDLFROMIOMMU.
 *
 * Context: May sleep; any process or kthread.
 */
void wddmcompat_unmap_mdl_from_iommu(struct wddmcompat_adapter *adapter,
				     u64 memory)
{
	struct wddm_mapping *mapping;
	u32 state;
	int rc;

	mapping = mapping_get(&adapter->obj.ctx->handles, adapter->obj.handle,
			      memory);
	if (IS_ERR(mapping)) {
		wddm_complain("wddmcompat_unmap_mdl_from_iommu",
			      PTR_ERR(mapping), __builtin_return_address(0));
		return;
	}
	rc = mapping_unmap(mapping, false, &state);
	if (rc)
		wddm_complain("wddmcompat_unmap_mdl_from_iommu", rc,
			      __builtin_return_address(0));
	wddm_object_put(wddm_mapping_obj(mapping));
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_unmap_mdl_from_iommu, WDDM_EXPORT_NS);

/**
 * wddmcompat_mdl_logical_address() - Where a descriptor is for the device
 * @adapter: Adapter that the MDL is mapped to
 * @memory: Handle of the mapping
 * @desc: Which descriptor of the MDL
 *
 * Context: May sleep.
 * Return: The IOVA of the descriptor's first byte, or WDDMCOMPAT_LOGICAL_NONE if
 * it is not in the mapped range or there is no such mapping or descriptor.
 */
u64 wddmcompat_mdl_logical_address(struct wddmcompat_adapter *adapter,
				   u64 memory, u32 desc)
{
	u64 logical = WDDMCOMPAT_LOGICAL_NONE;
	struct wddm_mapping *mapping;

	mapping = mapping_get(&adapter->obj.ctx->handles, adapter->obj.handle,
			      memory);
	if (IS_ERR(mapping))
		return logical;
	if (desc < mapping->range.mdl->num_descs)
		logical = mapping_logical(mapping, desc);
	wddm_object_put(wddm_mapping_obj(mapping));
	return logical;
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_mdl_logical_address, WDDM_EXPORT_NS);
