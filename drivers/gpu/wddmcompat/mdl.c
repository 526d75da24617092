// SPDX-License-Identifier: GPL-2.0-only
/*
 * MDLs: from descriptors to locked pages and back.
 *
 * The pages of a chain are laid one behind the other in the MDL IOAS of the context
 * and pinned there through our access. That charges them once, keeps them where they
 * are, and lets IOAS_COPY take any run of them into the IOAS of an adapter.
 *
 * Descriptors that follow each other in memory, with the same right to write, make up a
 * *segment*: one area for iommufd, as everything that is done to a chain is done area by
 * area.
 */
#include <kunit/visibility.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "wddmcompat_private.h"

/**
 * wddm_span_pages() - Pages that a descriptor touches
 * @byte_offset: First byte within the first page
 * @byte_count: Bytes from there on, at least 1
 * @page_shift: log2 of a page
 *
 * WDDM: ADDRESS_AND_SIZE_TO_SPAN_PAGES.
 */
unsigned long wddm_span_pages(u32 byte_offset, u32 byte_count,
			      unsigned int page_shift)
{
	u64 end = (u64)byte_offset + byte_count;

	return (end + BIT_ULL(page_shift) - 1) >> page_shift;
}
EXPORT_SYMBOL_IF_KUNIT(wddm_span_pages);

static bool byte_range_is_valid(u32 byte_offset, u32 byte_count,
				unsigned int page_shift)
{
	u32 page_size = BIT(page_shift);

	return byte_offset < page_size && byte_count &&
	       byte_count <= U32_MAX - page_size + 1;
}

/**
 * wddm_desc_check() - Does a descriptor keep its rules?
 * @desc: Descriptor from user space
 * @page_shift: log2 of a page
 *
 * Return: 0; -EOPNOTSUPP for flags that are not defined or a reserved member that
 * is set; -EINVAL for the rest. Whether there is memory, locking will tell.
 */
int wddm_desc_check(const struct wddmcompat_mdl_desc *desc,
		    unsigned int page_shift)
{
	u64 page_size = BIT_ULL(page_shift);
	u64 length, last;

	if (desc->flags & ~WDDMCOMPAT_MDL_WRITE_OPERATION || desc->__reserved)
		return -EOPNOTSUPP;
	if (desc->start_va & (page_size - 1))
		return -EINVAL;
	if (!byte_range_is_valid(desc->byte_offset, desc->byte_count,
				 page_shift))
		return -EINVAL;
	length = (u64)wddm_span_pages(desc->byte_offset, desc->byte_count,
				      page_shift)
		 << page_shift;
	if (check_add_overflow(desc->start_va, length - 1, &last))
		return -EINVAL;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(wddm_desc_check);

/* The segment that page number @page of an MDL is in */
u32 wddm_mdl_find_segment(const struct wddmcompat_mdl *mdl, unsigned long page)
{
	u32 low = 0, high = mdl->num_segs - 1;

	while (low < high) {
		u32 mid = low + (high - low + 1) / 2;

		if (mdl->segs[mid].first_page <= page)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}
EXPORT_SYMBOL_IF_KUNIT(wddm_mdl_find_segment);

/* Frame number of page number @page of an MDL */
unsigned long wddm_mdl_pfn(const struct wddmcompat_mdl *mdl, unsigned long page)
{
	const struct wddm_segment *seg =
		&mdl->segs[wddm_mdl_find_segment(mdl, page)];

	return wddm_runs_pfn(seg->runs, page - seg->first_page);
}

/* The page itself, of an MDL that has it locked */
static struct page *mdl_page(const struct wddmcompat_mdl *mdl,
			     unsigned long page)
{
	return pfn_to_page(wddm_mdl_pfn(mdl, page));
}

/* An MDL with room for descriptors and segments. All have to be there before mdl_init(). */
static struct wddmcompat_mdl *mdl_alloc(u32 num_descs, u32 num_segs)
{
	struct wddmcompat_mdl *mdl;

	mdl = kvzalloc(struct_size(mdl, segs, num_segs), GFP_KERNEL_ACCOUNT);
	if (!mdl)
		return NULL;
	mdl->descs = kvmalloc_array(num_descs, sizeof(*mdl->descs),
				    GFP_KERNEL_ACCOUNT);
	if (!mdl->descs) {
		kvfree(mdl);
		return NULL;
	}
	return mdl;
}

/* The descriptors that are added from now on are a segment */
static void mdl_add_segment(struct wddmcompat_mdl *mdl, unsigned long uaddr,
			    bool writeable)
{
	const u32 i = mdl->num_segs++;

	mdl->segs[i].first_page = mdl->num_pages;
	mdl->segs[i].uaddr = uaddr;
	mdl->segs[i].writeable = writeable;
}

static void mdl_add_desc(struct wddmcompat_mdl *mdl, u32 byte_offset,
			 u32 byte_count)
{
	unsigned long num_pages =
		wddm_span_pages(byte_offset, byte_count, PAGE_SHIFT);

	mdl->descs[mdl->num_descs++] = (struct wddm_desc){
		.first_page = mdl->num_pages,
		.byte_offset = byte_offset,
		.byte_count = byte_count,
	};
	mdl->segs[mdl->num_segs - 1].num_pages += num_pages;
	mdl->num_pages += num_pages;
}

static void mdl_free_memory(struct wddmcompat_mdl *mdl)
{
	u32 i;

	for (i = 0; i < mdl->num_segs; i++)
		wddm_runs_free(mdl->segs[i].runs);
	kvfree(mdl->descs);
	kvfree(mdl);
}

/* Find an MDL a place in the MDL IOAS that none has had */
static int mdl_place(struct wddmcompat_mdl *mdl, struct wddmcompat_context *ctx)
{
	/* A gap behind each MDL: see what watch.c says about iommufd's count */
	u64 length = ((u64)mdl->num_pages + 1) << PAGE_SHIFT;
	s64 iova = atomic64_read(&ctx->mdl_iova);
	u64 next;

	do {
		if (check_add_overflow((u64)iova, length, &next))
			return -ENOSPC;
	} while (!atomic64_try_cmpxchg(&ctx->mdl_iova, &iova, next));
	wddm_range_place(&mdl->range, iova, mdl->num_pages);
	return 0;
}

/* Make an object of an MDL whose segments are known, and find it a place */
static int mdl_init(struct wddmcompat_mdl *mdl, struct wddmcompat_context *ctx)
{
	int rc;

	rc = wddm_range_init(&mdl->range, &ctx->mdls, mdl, 0, mdl->num_pages);
	if (rc)
		return rc;
	rc = mdl_place(mdl, ctx);
	if (rc)
		goto err_range;
	rc = wddm_object_init(wddm_mdl_obj(mdl), ctx, WDDMCOMPAT_OBJECT_MDL);
	if (rc)
		goto err_range;
	return 0;

err_range:
	wddm_range_fini(&mdl->range);
	return rc;
}

static void mdl_free_owned_pages(struct wddmcompat_mdl *mdl)
{
	unsigned long i;

	for (i = 0; i < mdl->num_pages; i++)
		__free_page(mdl_page(mdl, i));
}

void wddm_mdl_free(struct wddm_object *obj)
{
	struct wddmcompat_mdl *mdl =
		container_of(obj, struct wddmcompat_mdl, range.obj);

	if (mdl->owns_pages)
		mdl_free_owned_pages(mdl);
	wddm_range_fini(&mdl->range);
	mdl_free_memory(mdl);
}

/*
 * Map the segments into the MDL IOAS and pin them. The pages stay after the addresses
 * have gone.
 */
static int mdl_lock(struct wddmcompat_mdl *mdl, enum wddm_via via)
{
	unsigned long iova = mdl->range.node.start;
	unsigned long mapped = 0;
	int rc = 0;
	u32 i;

	for (i = 0; i < mdl->num_segs; i++) {
		const struct wddm_segment *seg = &mdl->segs[i];
		unsigned long length = seg->num_pages << PAGE_SHIFT;

		rc = wddm_ioas_map(mdl->range.ioas, via, iova + mapped,
				   seg->uaddr, length, seg->writeable);
		/* It may be mapped, and iommufd could not say so */
		if (!rc || rc == -EFAULT)
			mapped += length;
		if (rc)
			break;
	}
	if (!rc)
		rc = wddm_range_watch(&mdl->range);
	/* Who has mapped nothing has nothing to wait for, and can be killed */
	if (rc && mapped)
		wddm_range_abort(&mdl->range, mapped);
	return rc;
}

static int mdl_unlock(struct wddmcompat_mdl *mdl, u32 *state)
{
	struct wddm_object *obj = wddm_mdl_obj(mdl);
	int rc;

	rc = wddm_object_retire(obj);
	if (rc)
		return rc;
	rc = wddm_range_unmap(&mdl->range);
	if (rc) {
		wddm_object_unretire(obj);
		return rc;
	}
	*state = mdl->range.state;
	wddm_object_remove(obj);
	return 0;
}

/* Unlock, come what may: of a context that ends, or a handle that was not told */
void wddm_mdl_undo(struct wddm_object *obj)
{
	struct wddmcompat_mdl *mdl =
		container_of(obj, struct wddmcompat_mdl, range.obj);

	wddm_range_undo(&mdl->range);
	wddm_object_remove(obj);
}

/* Check descriptors from user space, and the addresses that they name */
static int mdl_check_descs(const struct wddmcompat_mdl_desc *descs, u32 num)
{
	int rc;
	u32 i;

	for (i = 0; i < num; i++) {
		rc = wddm_desc_check(&descs[i], PAGE_SHIFT);
		if (rc)
			return rc;
	}
	for (i = 0; i < num; i++) {
		if (!access_ok(u64_to_user_ptr(descs[i].start_va),
			       (u64)descs[i].byte_offset + descs[i].byte_count))
			return -EFAULT;
	}
	return 0;
}

/*
 * A longer descriptor shares its segment with none, so that no segment becomes longer than
 * a descriptor can be, nor the list of pages that it takes to pin one: nobody can tell
 * before whether they are there.
 */
#define SHARING_BYTES_MAX (SZ_4G / WDDMCOMPAT_MDL_CHAIN_MAX)

/* Does descriptor @i begin a segment? Not if it goes on where the one before it ends. */
static bool desc_begins_segment(const struct wddmcompat_mdl_desc *descs, u32 i)
{
	const struct wddmcompat_mdl_desc *prev;

	if (!i || descs[i].byte_offset ||
	    descs[i].byte_count > SHARING_BYTES_MAX)
		return true;
	prev = &descs[i - 1];
	return descs[i].flags != prev->flags ||
	       prev->byte_count > SHARING_BYTES_MAX ||
	       descs[i].start_va != prev->start_va + prev->byte_offset +
					    prev->byte_count;
}

/* An MDL of checked descriptors, or NULL */
static struct wddmcompat_mdl *
mdl_of_descs(const struct wddmcompat_mdl_desc *descs, u32 num)
{
	struct wddmcompat_mdl *mdl;
	u32 num_segs = 0, i;

	for (i = 0; i < num; i++)
		num_segs += desc_begins_segment(descs, i);
	mdl = mdl_alloc(num, num_segs);
	if (!mdl)
		return NULL;
	for (i = 0; i < num; i++) {
		if (desc_begins_segment(descs, i))
			mdl_add_segment(mdl, descs[i].start_va,
					descs[i].flags &
						WDDMCOMPAT_MDL_WRITE_OPERATION);
		mdl_add_desc(mdl, descs[i].byte_offset, descs[i].byte_count);
	}
	return mdl;
}

/* Lock the memory that checked descriptors name */
static struct wddmcompat_mdl *
mdl_lock_user(struct wddmcompat_context *ctx,
	      const struct wddmcompat_mdl_desc *descs, u32 num)
{
	struct wddmcompat_mdl *mdl;
	int rc;

	mdl = mdl_of_descs(descs, num);
	if (!mdl)
		return ERR_PTR(-ENOMEM);
	rc = mdl_init(mdl, ctx);
	if (rc) {
		mdl_free_memory(mdl);
		return ERR_PTR(rc);
	}
	rc = mdl_lock(mdl, WDDM_VIA_OWNER);
	if (rc) {
		wddm_object_remove(wddm_mdl_obj(mdl));
		return ERR_PTR(rc);
	}
	return mdl;
}

int wddm_mdl_lock_ioctl(struct wddm_ucmd *ucmd)
{
	struct wddmcompat_mdl_lock *cmd = ucmd->cmd;
	struct wddmcompat_mdl_desc *descs;
	struct wddmcompat_mdl *mdl;
	int rc;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	if (!cmd->num_descs || cmd->num_descs > WDDMCOMPAT_MDL_CHAIN_MAX)
		return -EINVAL;
	descs = memdup_array_user(u64_to_user_ptr(cmd->descs), cmd->num_descs,
				  sizeof(*descs));
	if (IS_ERR(descs))
		return PTR_ERR(descs);
	rc = mdl_check_descs(descs, cmd->num_descs);
	if (rc)
		goto out_descs;
	mdl = mdl_lock_user(ucmd->ctx, descs, cmd->num_descs);
	if (IS_ERR(mdl)) {
		rc = PTR_ERR(mdl);
		goto out_descs;
	}
	cmd->out_mdl = wddm_mdl_obj(mdl)->handle;
	cmd->out_num_pages = mdl->num_pages;
	ucmd->new_obj = wddm_mdl_obj(mdl);

out_descs:
	kfree(descs);
	return rc;
}

int wddm_mdl_unlock_ioctl(struct wddm_ucmd *ucmd)
{
	struct wddmcompat_mdl_unlock *cmd = ucmd->cmd;
	struct wddm_object *obj;
	int rc;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	obj = wddm_handle_get_typed(&ucmd->ctx->handles, cmd->mdl,
				    WDDMCOMPAT_OBJECT_MDL);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	rc = mdl_unlock(container_of(obj, struct wddmcompat_mdl, range.obj),
			&cmd->out_state);
	wddm_object_put(obj);
	return rc;
}

/**
 * struct mdl_window - An MDL that is to be locked in a window
 * @mdl: The MDL
 * @pages: All of its pages
 */
struct mdl_window {
	struct wddmcompat_mdl *mdl;
	struct page **pages;
};

/* Lock an MDL in a window; in the carrier */
static int mdl_lock_pages(void *data)
{
	const struct mdl_window *window = data;
	struct wddmcompat_mdl *mdl = window->mdl;
	unsigned long uaddr;
	int rc;
	u32 i;

	rc = wddm_window_open(window->pages, mdl->num_pages, &uaddr);
	if (rc)
		return rc;
	for (i = 0; i < mdl->num_segs; i++)
		mdl->segs[i].uaddr =
			uaddr + (mdl->segs[i].first_page << PAGE_SHIFT);
	rc = mdl_lock(mdl, WDDM_VIA_CARRIER);
	wddm_window_close(uaddr, mdl->num_pages);
	return rc;
}

/* Note which pages the segments have to have */
static int mdl_set_pages(struct wddmcompat_mdl *mdl, struct page **pages)
{
	u32 i;

	for (i = 0; i < mdl->num_segs; i++) {
		struct wddm_segment *seg = &mdl->segs[i];

		seg->runs = wddm_runs_alloc(pages + seg->first_page,
					    seg->num_pages, GFP_KERNEL);
		if (!seg->runs)
			return -ENOMEM;
	}
	return 0;
}

/*
 * Lock an MDL that consists of @pages; frees it if that fails. Without @by_address they
 * are given an address, else they have one in the calling process.
 */
static int mdl_lock_given(struct wddmcompat_mdl *mdl,
			  struct wddmcompat_context *ctx, struct page **pages,
			  bool by_address)
{
	struct mdl_window window = { mdl, pages };
	int rc;

	rc = mdl_set_pages(mdl, pages);
	if (!rc)
		rc = mdl_init(mdl, ctx);
	if (rc) {
		mdl_free_memory(mdl);
		return rc;
	}
	if (by_address)
		rc = mdl_lock(mdl, WDDM_VIA_CALLER);
	else
		rc = wddm_carrier_call(&ctx->iommufd, mdl_lock_pages, &window);
	if (rc)
		wddm_object_remove(wddm_mdl_obj(mdl));
	return rc;
}

static unsigned long page_desc_pages(const struct wddmcompat_page_desc *desc)
{
	return wddm_span_pages(desc->byte_offset, desc->byte_count, PAGE_SHIFT);
}

/* Does descriptor @i begin a segment? Those in a window all follow each other. */
static bool page_desc_begins_segment(const struct wddmcompat_page_desc *descs,
				     const unsigned long *uaddrs, u32 i)
{
	if (!i || descs[i].writeable != descs[i - 1].writeable)
		return true;
	return uaddrs &&
	       uaddrs[i] != uaddrs[i - 1] +
				    (page_desc_pages(&descs[i - 1])
				     << PAGE_SHIFT);
}

/* An MDL of checked descriptors, or NULL */
static struct wddmcompat_mdl *
mdl_of_page_descs(const struct wddmcompat_page_desc *descs, u32 num_descs,
		  const unsigned long *uaddrs)
{
	struct wddmcompat_mdl *mdl;
	u32 num_segs = 0, i;

	for (i = 0; i < num_descs; i++)
		num_segs += page_desc_begins_segment(descs, uaddrs, i);
	mdl = mdl_alloc(num_descs, num_segs);
	if (!mdl)
		return NULL;
	for (i = 0; i < num_descs; i++) {
		if (page_desc_begins_segment(descs, uaddrs, i))
			mdl_add_segment(mdl, uaddrs ? uaddrs[i] : 0,
					descs[i].writeable);
		mdl_add_desc(mdl, descs[i].byte_offset, descs[i].byte_count);
	}
	return mdl;
}

/* The pages of all descriptors of an MDL, or NULL */
static struct page **mdl_gather_pages(const struct wddmcompat_mdl *mdl,
				      const struct wddmcompat_page_desc *descs)
{
	struct page **pages;
	u32 i;

	pages = kvmalloc_array(mdl->num_pages, sizeof(*pages),
			       GFP_KERNEL | __GFP_NOWARN);
	if (!pages)
		return NULL;
	for (i = 0; i < mdl->num_descs; i++)
		memcpy(pages + mdl->descs[i].first_page, descs[i].pages,
		       page_desc_pages(&descs[i]) * sizeof(*pages));
	return pages;
}

/**
 * wddm_mdl_create_at() - Describe pages that the caller owns or has addresses of
 * @ctx: Context
 * @descs: Chain of descriptors
 * @num_descs: Descriptors in @descs, 1 to WDDMCOMPAT_MDL_CHAIN_MAX
 * @uaddrs: Where the first page of each is in the calling process, or NULL. Pages
 *          that it names may be anonymous
 *
 * Return: As wddmcompat_mdl_create(), and what iommufd says of @uaddrs.
 */
struct wddmcompat_mdl *
wddm_mdl_create_at(struct wddmcompat_context *ctx,
		   const struct wddmcompat_page_desc *descs, u32 num_descs,
		   const unsigned long *uaddrs)
{
	struct wddmcompat_mdl *mdl;
	struct page **pages;
	int rc;
	u32 i;

	if (!num_descs || num_descs > WDDMCOMPAT_MDL_CHAIN_MAX)
		return ERR_PTR(-EINVAL);
	for (i = 0; i < num_descs; i++) {
		if (!byte_range_is_valid(descs[i].byte_offset,
					 descs[i].byte_count, PAGE_SHIFT))
			return ERR_PTR(-EINVAL);
	}
	mdl = mdl_of_page_descs(descs, num_descs, uaddrs);
	if (!mdl)
		return ERR_PTR(-ENOMEM);
	pages = mdl_gather_pages(mdl, descs);
	if (!pages) {
		mdl_free_memory(mdl);
		return ERR_PTR(-ENOMEM);
	}
	rc = mdl_lock_given(mdl, ctx, pages, uaddrs);
	kvfree(pages);
	if (rc)
		return ERR_PTR(rc);
	wddm_handle_publish(&ctx->handles, wddm_mdl_obj(mdl));
	return mdl;
}

/**
 * wddmcompat_mdl_create() - Describe pages that the caller owns
 * @ctx: Context
 * @descs: Chain of descriptors
 * @num_descs: Descriptors in @descs, 1 to WDDMCOMPAT_MDL_CHAIN_MAX
 *
 * Each page needs a reference of the caller's, who keeps it until the MDL is
 * freed. Pages of the slab allocator and anonymous pages do not qualify, nor those
 * of a CMA area, which cannot be told apart: pinning them never ends. Of a block
 * of more than one page only one allocated with __GFP_COMP, or split_page().
 * Nothing is charged to anybody's memlock limit. WDDM: MmBuildMdlForNonPagedPool.
 *
 * Context: May sleep; any process or kthread.
 * Return: The MDL, which wddmcompat_mdl_free() takes back, or ERR_PTR: -EINVAL (a
 * descriptor breaks its rules, or a page does not qualify), -EIO (other pages were
 * found than were given), -ENOSPC, -ENOMEM; in a shared iommufd also -EEXIST and
 * -ESTALE, when its holder meddles with the MDL IOAS.
 */
struct wddmcompat_mdl *
wddmcompat_mdl_create(struct wddmcompat_context *ctx,
		      const struct wddmcompat_page_desc *descs, u32 num_descs)
{
	return wddm_mdl_create_at(ctx, descs, num_descs, NULL);
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_mdl_create, WDDM_EXPORT_NS);

static void owned_pages_free(struct page **pages, unsigned long num_pages)
{
	while (num_pages--)
		__free_page(pages[num_pages]);
	kvfree(pages);
}

static struct page **owned_pages_alloc(unsigned long num_pages)
{
	struct page **pages;
	unsigned long i;

	pages = kvmalloc_array(num_pages, sizeof(*pages),
			       GFP_KERNEL | __GFP_NOWARN);
	if (!pages)
		return NULL;
	for (i = 0; i < num_pages; i++) {
		pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!pages[i]) {
			owned_pages_free(pages, i);
			return NULL;
		}
	}
	return pages;
}

/**
 * wddmcompat_mdl_alloc() - Allocate pages and describe them
 * @ctx: Context
 * @byte_count: Bytes, at least 1 and at most 4 GiB less a page
 *
 * The pages are zeroed, are writeable by the device, and go with the MDL.
 * WDDM: DXGKCB_ALLOCATEPAGESFORMDL.
 *
 * Context: May sleep; any process or kthread.
 * Return: The MDL, which wddmcompat_mdl_free() takes back, or ERR_PTR: -EINVAL
 * (@byte_count), -ENOSPC, -ENOMEM.
 */
struct wddmcompat_mdl *wddmcompat_mdl_alloc(struct wddmcompat_context *ctx,
					    u32 byte_count)
{
	struct wddmcompat_mdl *mdl;
	struct page **pages;
	unsigned long num_pages;
	int rc;

	if (!byte_range_is_valid(0, byte_count, PAGE_SHIFT))
		return ERR_PTR(-EINVAL);
	mdl = mdl_alloc(1, 1);
	if (!mdl)
		return ERR_PTR(-ENOMEM);
	mdl_add_segment(mdl, 0, true);
	mdl_add_desc(mdl, 0, byte_count);
	num_pages = mdl->num_pages;
	pages = owned_pages_alloc(num_pages);
	if (!pages) {
		mdl_free_memory(mdl);
		return ERR_PTR(-ENOMEM);
	}
	rc = mdl_lock_given(mdl, ctx, pages, false);
	if (rc) {
		owned_pages_free(pages, num_pages);
		return ERR_PTR(rc);
	}
	kvfree(pages);
	mdl->owns_pages = true;
	wddm_handle_publish(&ctx->handles, wddm_mdl_obj(mdl));
	return mdl;
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_mdl_alloc, WDDM_EXPORT_NS);

/**
 * wddmcompat_mdl_free() - The end of an MDL
 * @mdl: From wddmcompat_mdl_create() or wddmcompat_mdl_alloc()
 *
 * WDDM: IoFreeMdl, DXGKCB_FREEPAGESFROMMDL.
 *
 * Context: May sleep; any process or kthread.
 * Return: 0, or -EBUSY while the MDL is mapped: then nothing is done.
 */
int wddmcompat_mdl_free(struct wddmcompat_mdl *mdl)
{
	u32 state;

	return mdl_unlock(mdl, &state);
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_mdl_free, WDDM_EXPORT_NS);

/**
 * wddmcompat_mdl_page() - A page of an MDL
 * @mdl: The MDL
 * @index: Which one, counted through all its descriptors
 *
 * WDDM: MmGetMdlPfnArray.
 *
 * Context: Any.
 * Return: The page, valid until wddmcompat_mdl_free(), or NULL if there is none.
 */
struct page *wddmcompat_mdl_page(const struct wddmcompat_mdl *mdl,
				 unsigned long index)
{
	return index < mdl->num_pages ? mdl_page(mdl, index) : NULL;
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_mdl_page, WDDM_EXPORT_NS);

/**
 * wddmcompat_mdl_num_pages() - Pages of all descriptors of an MDL
 * @mdl: The MDL
 *
 * Context: Any.
 * Return: The number of pages.
 */
unsigned long wddmcompat_mdl_num_pages(const struct wddmcompat_mdl *mdl)
{
	return mdl->num_pages;
}
EXPORT_SYMBOL_NS_GPL(wddmcompat_mdl_num_pages, WDDM_EXPORT_NS);
