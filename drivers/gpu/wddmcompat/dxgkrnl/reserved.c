// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that hardware uses always, because firmware has given it to it: mapped 1:1
 * before the hardware is attached, whatever the mode.
 *
 * Such memory is none of the kernel's. Where the kernel has a struct page for it all
 * the same, as on a PC for what lies among its memory, iommufd can be brought to
 * map it; elsewhere it cannot.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "dxgk.h"

/* More than that is a mistake of the miniport's */
#define RESERVED_MAX 64

static int range_check(const DXGK_PHYSICAL_MEMORY_RANGE *range)
{
	u64 base = range->BaseAddress.QuadPart;
	u64 bytes = range->NumberOfBytes;

	if (!PAGE_ALIGNED(base) || !PAGE_ALIGNED(bytes) || !bytes ||
	    bytes > DXGK_BYTES_MAX || base + bytes < base)
		return -EINVAL;
	/* A miniport must not get at the kernel's memory by claiming it */
	return dxgk_is_memory(base, bytes) ? -EINVAL : 0;
}

static struct page **range_pages(const DXGK_PHYSICAL_MEMORY_RANGE *range)
{
	unsigned long pfn = PHYS_PFN(range->BaseAddress.QuadPart);
	unsigned long num_pages = range->NumberOfBytes >> PAGE_SHIFT;
	struct page **pages;
	unsigned long i;

	pages = kvmalloc_array(num_pages, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < num_pages; i++) {
		if (!pfn_valid(pfn + i) || !page_count(pfn_to_page(pfn + i))) {
			kvfree(pages);
			return ERR_PTR(-EOPNOTSUPP);
		}
		pages[i] = pfn_to_page(pfn + i);
	}
	return pages;
}

/* At its own address, also if the adapter is remapped */
static int range_map(struct dxgk_adapter *adapter,
		     const DXGK_PHYSICAL_MEMORY_RANGE *range,
		     struct dxgk_map *map)
{
	struct wddmcompat_page_desc desc = {
		.byte_count = range->NumberOfBytes,
		.writeable = true,
	};
	const struct dxgk_chain chain = {
		.descs = &desc,
		.num = 1,
		.identity = true,
	};
	int rc;

	rc = range_check(range);
	if (rc)
		return rc;
	desc.pages = range_pages(range);
	if (IS_ERR(desc.pages))
		return PTR_ERR(desc.pages);
	rc = dxgk_map(adapter, &chain, map);
	kvfree(desc.pages);
	return rc;
}

static int ranges_map(struct dxgk_adapter *adapter,
		      const DXGK_HARDWARERESERVEDRANGES *ranges)
{
	unsigned int i;
	int rc;

	adapter->reserved = kcalloc(ranges->NumRanges,
				    sizeof(*adapter->reserved), GFP_KERNEL);
	if (!adapter->reserved)
		return -ENOMEM;
	for (i = 0; i < ranges->NumRanges; i++) {
		rc = range_map(adapter, &ranges->pPhysicalRanges[i],
			       &adapter->reserved[i]);
		if (rc)
			return rc;
		adapter->num_reserved++;
	}
	return 0;
}

/**
 * dxgk_reserved_map() - Map what the hardware uses always
 * @adapter: Adapter that is being started
 *
 * Return: 0; -EINVAL: a range is not made of whole pages, or is the kernel's memory;
 * -EOPNOTSUPP: there is no struct page for it, so iommufd cannot map it; what
 * dxgk_map() returns, or the miniport's error.
 */
int dxgk_reserved_map(struct dxgk_adapter *adapter)
{
	DXGK_HARDWARERESERVEDRANGES ranges = {};
	DXGK_PHYSICAL_MEMORY_RANGE *array;
	UINT num;
	int rc;

	rc = dxgk_adapter_query_reserved(adapter, &ranges);
	if (rc || !ranges.NumRanges)
		return rc;
	num = ranges.NumRanges;
	if (num > RESERVED_MAX)
		return -EINVAL;
	array = kcalloc(num, sizeof(*array), GFP_KERNEL);
	if (!array)
		return -ENOMEM;
	ranges.pPhysicalRanges = array;
	rc = dxgk_adapter_query_reserved(adapter, &ranges);
	/* The array is ours to give, and the number was the miniport's */
	if (!rc && (ranges.NumRanges != num || ranges.pPhysicalRanges != array))
		rc = -EINVAL;
	if (!rc)
		rc = ranges_map(adapter, &ranges);
	kfree(array);
	return rc;
}

void dxgk_reserved_unmap(struct dxgk_adapter *adapter)
{
	while (adapter->num_reserved)
		dxgk_unmap(&adapter->reserved[--adapter->num_reserved]);
	kfree(adapter->reserved);
}
