// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages to the IOMMU domain of an adapter, in one of two ways.
 *
 * *Remapped*: iommufd chooses one range of addresses for all pages, as far as the
 * devices can see.
 *
 * *1:1*: each page has its physical address. Two buffers that share a page, each
 * having a part of it, then want the same address: such a page is mapped by itself
 * and counted. All other pages belong to one buffer, and are mapped in the longest
 * pieces that there are. What does not go together iommufd refuses, because there is
 * something at that address already.
 */
#include <linux/err.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "../compat.h"
#include "dxgk.h"

/* Fixed addresses tried, at most, to keep a boundary */
#define BOUNDARY_TRIES 4096

/**
 * struct dxgk_shared_page - A page that buffers share, in 1:1 mode
 * @pfn: Its number, and its address
 * @count: Parts of buffers that it has
 * @writeable: The device may write
 * @mdl: The page, locked
 * @memory: Memory handle
 */
struct dxgk_shared_page {
	unsigned long pfn;
	unsigned long count;
	bool writeable;
	struct wddmcompat_mdl *mdl;
	u64 memory;
};

/* What has no mapping can always be freed */
static void mdl_drop(struct wddmcompat_mdl *mdl)
{
	WARN_ON(wddmcompat_mdl_free(mdl));
}

/* At the pages' own addresses: what the API says of an address that it refuses */
static int identity_map(struct dxgk_adapter *adapter,
			struct wddmcompat_mdl *mdl, unsigned long first_page,
			unsigned long num_pages, bool writeable, u64 *memory)
{
	struct wddmcompat_map_args args = {
		.first_page = first_page,
		.num_pages = num_pages,
		.flags = WDDMCOMPAT_MAP_FIXED_IOVA |
			 (writeable ? WDDMCOMPAT_MAP_WRITEABLE : 0),
		.iova = page_to_phys(wddmcompat_mdl_page(mdl, first_page)),
	};
	int rc;

	if (args.iova + ((u64)num_pages << PAGE_SHIFT) - 1 > adapter->highest)
		return -EADDRNOTAVAIL;
	rc = wddmcompat_map_mdl_to_iommu(adapter->adapter, mdl, &args);
	/* Nothing else is wrong with it: the address is reserved */
	if (rc == -EINVAL)
		return -EADDRNOTAVAIL;
	*memory = args.memory;
	return rc;
}

static struct dxgk_shared_page *shared_create(struct dxgk_adapter *adapter,
					      struct page *page, bool writeable,
					      unsigned long uaddr)
{
	const struct wddmcompat_page_desc desc = {
		.pages = &page,
		.byte_count = PAGE_SIZE,
		.writeable = writeable,
	};
	struct dxgk_shared_page *shared;
	int rc;

	shared = kzalloc_obj(*shared, GFP_KERNEL);
	if (!shared)
		return ERR_PTR(-ENOMEM);
	shared->pfn = page_to_pfn(page);
	shared->writeable = writeable;
	shared->mdl = wddm_mdl_create_at(adapter->ctx, &desc, 1,
					 uaddr ? &uaddr : NULL);
	if (IS_ERR(shared->mdl)) {
		rc = PTR_ERR(shared->mdl);
		goto err_free;
	}
	rc = identity_map(adapter, shared->mdl, 0, 1, writeable,
			  &shared->memory);
	if (rc)
		goto err_mdl;
	rc = xa_err(xa_store(&adapter->shared, shared->pfn, shared,
			     GFP_KERNEL));
	if (rc)
		goto err_unmap;
	return shared;

err_unmap:
	wddmcompat_unmap_mdl_from_iommu(adapter->adapter, shared->memory);
err_mdl:
	mdl_drop(shared->mdl);
err_free:
	kfree(shared);
	return ERR_PTR(rc);
}

static void shared_destroy(struct dxgk_adapter *adapter,
			   struct dxgk_shared_page *shared)
{
	xa_erase(&adapter->shared, shared->pfn);
	wddmcompat_unmap_mdl_from_iommu(adapter->adapter, shared->memory);
	mdl_drop(shared->mdl);
	kfree(shared);
}

static struct dxgk_shared_page *shared_get(struct dxgk_adapter *adapter,
					   struct page *page, bool writeable,
					   unsigned long uaddr)
{
	struct dxgk_shared_page *shared;

	mutex_lock(&adapter->shared_lock);
	shared = xa_load(&adapter->shared, page_to_pfn(page));
	if (!shared)
		shared = shared_create(adapter, page, writeable, uaddr);
	else if (shared->writeable != writeable)
		shared = ERR_PTR(-EEXIST);
	if (!IS_ERR(shared))
		shared->count++;
	mutex_unlock(&adapter->shared_lock);
	return shared;
}

static void shared_put(struct dxgk_adapter *adapter,
		       struct dxgk_shared_page *shared)
{
	mutex_lock(&adapter->shared_lock);
	if (!--shared->count)
		shared_destroy(adapter, shared);
	mutex_unlock(&adapter->shared_lock);
}

/**
 * struct part_walk - Goes through a chain, one part at a time
 * @chain: The chain
 * @desc: Descriptor of the part
 * @page: First page of the part, in its descriptor
 * @desc_page: First page of the descriptor, in the chain
 * @num_pages: Pages of the part
 * @is_shared: Part of a page only, so that the page may be shared
 */
struct part_walk {
	const struct dxgk_chain *chain;
	u32 desc;
	unsigned long page;
	unsigned long desc_page;
	unsigned long num_pages;
	bool is_shared;
};

static unsigned long desc_pages(const struct wddmcompat_page_desc *desc)
{
	return wddm_span_pages(desc->byte_offset, desc->byte_count, PAGE_SHIFT);
}

/* Does the buffer have only a part of this page? */
static bool desc_page_is_partial(const struct wddmcompat_page_desc *desc,
				 unsigned long page)
{
	u64 end = (u64)desc->byte_offset + desc->byte_count;

	return (!page && desc->byte_offset) ||
	       ((u64)(page + 1) << PAGE_SHIFT) > end;
}

/* On to the next part; false when there is none. Begins with all zero but chain. */
static bool part_next(struct part_walk *walk)
{
	const struct wddmcompat_page_desc *desc;
	unsigned long num_pages, page;

	walk->page += walk->num_pages;
	desc = &walk->chain->descs[walk->desc];
	num_pages = desc_pages(desc);
	if (walk->page == num_pages) {
		if (++walk->desc == walk->chain->num)
			return false;
		walk->desc_page += num_pages;
		walk->page = 0;
		desc++;
		num_pages = desc_pages(desc);
	}
	page = walk->page;
	walk->is_shared = desc_page_is_partial(desc, page);
	do {
		page++;
	} while (!walk->is_shared && page < num_pages &&
		 !desc_page_is_partial(desc, page) &&
		 page_to_pfn(desc->pages[page]) ==
			 page_to_pfn(desc->pages[page - 1]) + 1);
	walk->num_pages = page - walk->page;
	return true;
}

static int part_map(struct dxgk_map *map, const struct part_walk *walk,
		    struct dxgk_part *part)
{
	const struct dxgk_chain *chain = walk->chain;
	const struct wddmcompat_page_desc *desc = &chain->descs[walk->desc];
	struct dxgk_shared_page *shared;
	unsigned long uaddr = 0;

	if (!walk->is_shared)
		return identity_map(map->adapter, map->mdl,
				    walk->desc_page + walk->page,
				    walk->num_pages, desc->writeable,
				    &part->memory);
	if (chain->uaddrs)
		uaddr = chain->uaddrs[walk->desc] + (walk->page << PAGE_SHIFT);
	shared = shared_get(map->adapter, desc->pages[walk->page],
			    desc->writeable, uaddr);
	if (IS_ERR(shared))
		return PTR_ERR(shared);
	part->shared = shared;
	return 0;
}

static void part_unmap(struct dxgk_map *map, struct dxgk_part *part)
{
	if (part->shared)
		shared_put(map->adapter, part->shared);
	else
		wddmcompat_unmap_mdl_from_iommu(map->adapter->adapter,
						part->memory);
}

static void map_unmap_parts(struct dxgk_map *map)
{
	while (map->num_parts)
		part_unmap(map, &map->parts[--map->num_parts]);
	if (map->parts != &map->part)
		kvfree(map->parts);
}

static int map_alloc_parts(struct dxgk_map *map, unsigned long num)
{
	map->num_parts = 0;
	map->parts = &map->part;
	map->part = (struct dxgk_part){};
	if (num > 1)
		map->parts = kvcalloc(num, sizeof(*map->parts),
				      GFP_KERNEL | __GFP_NOWARN);
	return map->parts ? 0 : -ENOMEM;
}

static int map_identity(struct dxgk_map *map, const struct dxgk_chain *chain)
{
	struct part_walk walk = { .chain = chain };
	unsigned long num = 0;
	int rc;

	while (part_next(&walk))
		num++;
	rc = map_alloc_parts(map, num);
	if (rc)
		return rc;
	walk = (struct part_walk){ .chain = chain };
	while (part_next(&walk)) {
		rc = part_map(map, &walk, &map->parts[map->num_parts]);
		if (rc) {
			map_unmap_parts(map);
			return rc;
		}
		map->num_parts++;
	}
	return 0;
}

/*
 * iommufd knows no boundary, but it has found the first hole that is large enough. From
 * there on, take the first where an address fits that is aligned to the size.
 */
static int map_within_boundary(struct dxgk_map *map, u64 bytes,
			       struct wddmcompat_map_args *args)
{
	struct dxgk_adapter *adapter = map->adapter;
	unsigned int tries = BOUNDARY_TRIES;
	u64 step = roundup_pow_of_two(bytes);
	u64 iova = ALIGN(args->iova, step);
	int rc = -ENOSPC;

	args->flags |= WDDMCOMPAT_MAP_FIXED_IOVA;
	for (; tries-- && iova <= adapter->highest; iova += step) {
		if (adapter->highest - iova < bytes - 1)
			break;
		args->iova = iova;
		rc = wddmcompat_map_mdl_to_iommu(adapter->adapter, map->mdl,
						 args);
		/* In use or reserved: on to the next */
		if (rc != -EEXIST && rc != -EINVAL)
			return rc;
		rc = -ENOSPC;
	}
	return rc;
}

/* Devices may write to what is mapped if they may write to every part of it */
static int chain_writeable(const struct dxgk_chain *chain, bool *writeable)
{
	u32 i;

	*writeable = chain->descs[0].writeable;
	for (i = 1; i < chain->num; i++) {
		if (chain->descs[i].writeable != *writeable)
			return -EINVAL;
	}
	return 0;
}

static int map_remapped(struct dxgk_map *map, const struct dxgk_chain *chain)
{
	u64 bytes = (u64)wddmcompat_mdl_num_pages(map->mdl) << PAGE_SHIFT;
	struct wddmcompat_adapter *adapter = map->adapter->adapter;
	struct wddmcompat_map_args args = {};
	bool writeable;
	int rc;

	rc = chain_writeable(chain, &writeable);
	if (rc)
		return rc;
	if (writeable)
		args.flags = WDDMCOMPAT_MAP_WRITEABLE;
	rc = wddmcompat_map_mdl_to_iommu(adapter, map->mdl, &args);
	if (rc)
		return rc;
	if (dxgk_crosses(args.iova, bytes, chain->boundary)) {
		wddmcompat_unmap_mdl_from_iommu(adapter, args.memory);
		rc = map_within_boundary(map, bytes, &args);
		if (rc)
			return rc;
	}
	map->iova = args.iova;
	map->num_parts = 1;
	map->parts = &map->part;
	map->part = (struct dxgk_part){ .memory = args.memory };
	return 0;
}

/**
 * dxgk_map() - Let the devices of an adapter reach pages
 * @adapter: The adapter, which the caller has entered
 * @chain: The pages
 * @map: To initialize
 *
 * Context: May sleep.
 * Return: 0; -EEXIST: in 1:1 mode, an address is in use by a buffer that cannot
 * share it; -EADDRNOTAVAIL: in 1:1 mode, a page is where the devices do not reach,
 * or its address is reserved; -EOPNOTSUPP: a page is none that iommufd takes;
 * -ENOSPC, -ENOMEM.
 */
int dxgk_map(struct dxgk_adapter *adapter, const struct dxgk_chain *chain,
	     struct dxgk_map *map)
{
	int rc;

	map->adapter = adapter;
	map->identity = adapter->identity || chain->identity;
	map->mdl = wddm_mdl_create_at(adapter->ctx, chain->descs, chain->num,
				      chain->uaddrs);
	if (IS_ERR(map->mdl)) {
		rc = PTR_ERR(map->mdl);
		/* The descriptors are right, so it is the pages */
		return rc == -EINVAL ? -EOPNOTSUPP : rc;
	}
	if (map->identity)
		rc = map_identity(map, chain);
	else
		rc = map_remapped(map, chain);
	if (rc)
		mdl_drop(map->mdl);
	return rc;
}

/* As dxgk_map(), of whole pages that the device may write to */
int dxgk_map_pages(struct dxgk_adapter *adapter, struct page **pages,
		   unsigned long num_pages, struct dxgk_map *map)
{
	const struct wddmcompat_page_desc desc = {
		.pages = pages,
		.byte_count = num_pages << PAGE_SHIFT,
		.writeable = true,
	};
	const struct dxgk_chain chain = { .descs = &desc, .num = 1 };

	return dxgk_map(adapter, &chain, map);
}

/* When this returns, no device reaches the pages by way of this map */
void dxgk_unmap(struct dxgk_map *map)
{
	map_unmap_parts(map);
	mdl_drop(map->mdl);
}

/* Where page number @page is for the devices */
u64 dxgk_map_address(const struct dxgk_map *map, unsigned long page)
{
	if (map->identity)
		return page_to_phys(wddmcompat_mdl_page(map->mdl, page));
	return map->iova + ((u64)page << PAGE_SHIFT);
}

/* Where byte number @offset of the buffers is for the devices. -ERANGE: nowhere. */
int dxgk_map_logical(const struct dxgk_map *map, u64 offset, u64 *logical)
{
	u32 i;

	for (i = 0; i < map->mdl->num_descs; i++) {
		const struct wddm_desc *desc = &map->mdl->descs[i];
		u64 byte = desc->byte_offset + offset;

		if (offset < desc->byte_count) {
			*logical = dxgk_map_address(map, desc->first_page +
						    (byte >> PAGE_SHIFT)) +
				   offset_in_page(byte);
			return 0;
		}
		offset -= desc->byte_count;
	}
	return -ERANGE;
}
