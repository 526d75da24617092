// SPDX-License-Identifier: GPL-2.0-only
/* What is where: IOASes and their areas, MDLs, mappings, pins; and what revokes */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "model.h"

/* Where the module puts the first MDL: see context.c */
#define MDL_IOVA_FIRST 0x100000

/* Bits of a handle that say what it names, as Documentation/design.rst has it */
#define HANDLE_TYPE_SHIFT 60

struct state state;

void state_init(void)
{
	for (int i = 0; i < CONTEXTS; i++)
		state.ctx[i].fd = -1;
	for (int i = 0; i < IOMMUFDS; i++)
		state.iommufd[i].fd = -1;
}

struct iommufd *iommufd_get(struct iommufd *iommufd)
{
	if (!iommufd)
		iommufd = calloc(1, sizeof(*iommufd));
	iommufd->refs++;
	return iommufd;
}

/* Without anybody who has it open, all of it goes */
void iommufd_put(struct iommufd *iommufd)
{
	if (--iommufd->refs)
		return;
	for (int i = 0; i < IOASES; i++)
		if (state.ioas[i].live && state.ioas[i].in == iommufd)
			ioas_fini(&state.ioas[i]);
	free(iommufd);
}

void ioas_init(struct ioas *ioas, struct iommufd *in, __u32 id)
{
	*ioas = (struct ioas){ .live = true, .in = in, .id = id };
}

void ioas_fini(struct ioas *ioas)
{
	while (ioas->num_areas)
		area_remove(ioas, ioas->areas[0]);
	free(ioas->areas);
	ioas->areas = NULL;
	ioas->max_areas = 0;
	ioas->live = false;
}

struct pages *pages_new(__u64 va, unsigned long num, bool writable)
{
	struct pages *pages =
		calloc(1, sizeof(*pages) + num * sizeof(pages->frames[0]));

	pages->refs = 1;
	pages->va = va;
	pages->num = num;
	pages->writable = writable;
	return pages;
}

void pages_get(struct pages *pages)
{
	pages->refs++;
}

void pages_put(struct pages *pages)
{
	if (!--pages->refs)
		free(pages);
}

static __u64 pages_va(const struct pages *pages, unsigned long i)
{
	return pages->va + i * PAGE_SIZE;
}

/* Are all pinned already, or could be? */
bool pages_can_pin(const struct pages *pages, unsigned long first,
		   unsigned long num)
{
	for (unsigned long i = first; i < first + num; i++)
		if (!pages->frames[i].pins &&
		    !arena_can_pin(pages_va(pages, i), pages->writable))
			return false;
	return true;
}

/*
 * Does the model know what comes of pinning them? Not of those that perhaps are
 * pinned, and not if it fails in the middle and has broken COW before.
 */
bool pages_pin_is_clear(const struct pages *pages, unsigned long first,
			unsigned long num)
{
	bool can = pages_can_pin(pages, first, num);

	for (unsigned long i = first; i < first + num; i++) {
		if (pages->frames[i].pins)
			continue;
		if (pages->frames[i].notices ||
		    (!can && arena_pin_is_seen(pages_va(pages, i))))
			return false;
	}
	return true;
}

void pages_pin(struct pages *pages, unsigned long first, unsigned long num)
{
	for (unsigned long i = first; i < first + num; i++) {
		if (pages->frames[i].pins++)
			continue;
		pages->frames[i].page =
			arena_pin(pages_va(pages, i), pages->writable);
		if (!pages->frames[i].page)
			wrong("the model pins what cannot be pinned");
		page_get(pages->frames[i].page);
		state.pins++;
		if (pages->frames[i].notices)
			state.may_be_pinned--;
	}
}

void pages_unpin(struct pages *pages, unsigned long first, unsigned long num)
{
	for (unsigned long i = first; i < first + num; i++) {
		if (--pages->frames[i].pins)
			continue;
		page_put(pages->frames[i].page);
		pages->frames[i].page = NULL;
		state.pins--;
		if (pages->frames[i].notices)
			state.may_be_pinned++;
	}
}

/* A mapping's pin of the first page of an area, by which the module is called */
static void pages_notice(struct pages *pages, unsigned long i, int change)
{
	unsigned int *notices = &pages->frames[i].notices;
	bool before = *notices;

	*notices += change;
	if (!pages->frames[i].pins)
		state.may_be_pinned += (int)!!*notices - (int)before;
}

static __u64 area_last(const struct area *area)
{
	return area->iova + area->length - 1;
}

static unsigned long area_first_page(const struct area *area)
{
	return area->start / PAGE_SIZE;
}

static unsigned long area_num_pages(const struct area *area)
{
	return (area->start + area->length - 1) / PAGE_SIZE -
	       area_first_page(area) + 1;
}

/* Index of the first area that ends at @iova or behind it */
static unsigned int area_index(const struct ioas *ioas, __u64 iova)
{
	unsigned int low = 0, high = ioas->num_areas;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (area_last(ioas->areas[mid]) < iova)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The first area that has any of these addresses */
struct area *area_find(const struct ioas *ioas, __u64 iova, __u64 last)
{
	unsigned int i = area_index(ioas, iova);

	if (i == ioas->num_areas || ioas->areas[i]->iova > last)
		return NULL;
	return ioas->areas[i];
}

struct area *area_add(struct ioas *ioas, __u64 iova, __u64 length,
		      struct pages *pages, __u64 start, bool writable)
{
	struct area *area = calloc(1, sizeof(*area));
	unsigned int i = area_index(ioas, iova);

	*area = (struct area){
		.iova = iova,
		.length = length,
		.pages = pages,
		.start = start,
		.writable = writable,
	};
	pages_get(pages);
	if (ioas->num_areas == ioas->max_areas) {
		ioas->max_areas = 2 * ioas->max_areas + 16;
		ioas->areas = realloc(ioas->areas,
				      ioas->max_areas * sizeof(*ioas->areas));
	}
	memmove(ioas->areas + i + 1, ioas->areas + i,
		(ioas->num_areas - i) * sizeof(*ioas->areas));
	ioas->areas[i] = area;
	ioas->num_areas++;
	if (ioas->attached)
		pages_pin(pages, area_first_page(area), area_num_pages(area));
	return area;
}

static void area_disown(struct area *area)
{
	if (area->mapping)
		pages_notice(area->pages, area_first_page(area), -1);
	area->mapping = NULL;
	area->mdl = NULL;
}

void area_remove(struct ioas *ioas, struct area *area)
{
	unsigned int i = area_index(ioas, area->iova);

	memmove(ioas->areas + i, ioas->areas + i + 1,
		(ioas->num_areas - i - 1) * sizeof(*ioas->areas));
	ioas->num_areas--;
	area_disown(area);
	if (ioas->attached)
		pages_unpin(area->pages, area_first_page(area),
			    area_num_pages(area));
	pages_put(area->pages);
	free(area);
}

/* The page at an address of an area, if the model knows it */
struct page *area_page(const struct area *area, __u64 iova)
{
	return area->pages
		->frames[(area->start + (iova - area->iova)) / PAGE_SIZE]
		.page;
}

__u64 ioas_alignment(const struct ioas *ioas)
{
	return ioas->adapters || ioas->attached || ioas->mdls_of ? PAGE_SIZE :
								   1;
}

static bool span_hits(const struct span *span, __u64 first, __u64 last)
{
	return span->first <= last && first <= span->last;
}

static const struct span *ioas_reserved(const struct ioas *ioas, __u64 first,
					__u64 last)
{
	for (unsigned int i = 0; i < ioas->num_reserved; i++)
		if (span_hits(&ioas->reserved[i], first, last))
			return &ioas->reserved[i];
	return NULL;
}

/* What iommufd says of an address that it is given */
int ioas_check(const struct ioas *ioas, __u64 iova, __u64 length)
{
	__u64 last;

	if (iova & (ioas_alignment(ioas) - 1))
		return -EINVAL;
	if (__builtin_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	if (ioas_reserved(ioas, iova, last))
		return -EINVAL;
	return area_find(ioas, iova, last) ? -EEXIST : 0;
}

static bool span_has_room(const struct ioas *ioas, const struct span *span,
			  __u64 length, __u64 alignment)
{
	const struct span *reserved;
	__u64 iova = span->first, last;
	const struct area *area;

	for (;;) {
		if (__builtin_add_overflow(iova, alignment - 1, &iova))
			return false;
		iova &= ~(alignment - 1);
		if (__builtin_add_overflow(iova, length - 1, &last) ||
		    last > span->last)
			return false;
		reserved = ioas_reserved(ioas, iova, last);
		area = area_find(ioas, iova, last);
		if (!reserved && !area)
			return true;
		iova = area ? area_last(area) : reserved->last;
		if (!++iova)
			return false;
	}
}

/* Is there an address with this alignment that iommufd may choose? */
bool ioas_has_room(const struct ioas *ioas, __u64 length, __u64 alignment)
{
	const struct span all = { PAGE_SIZE, UINT64_MAX - PAGE_SIZE };
	struct span span;

	if (!ioas->num_allowed)
		return span_has_room(ioas, &all, length, alignment);
	for (unsigned int i = 0; i < ioas->num_allowed; i++) {
		span = ioas->allowed[i];
		/* It never chooses 0 */
		if (span.first < all.first)
			span.first = all.first;
		if (span.last > all.last)
			span.last = all.last;
		if (span.first <= span.last &&
		    span_has_room(ioas, &span, length, alignment))
			return true;
	}
	return false;
}

bool ioas_is_allowed(const struct ioas *ioas, __u64 iova, __u64 length)
{
	if (!ioas->num_allowed)
		return true;
	for (unsigned int i = 0; i < ioas->num_allowed; i++)
		if (ioas->allowed[i].first <= iova &&
		    iova + length - 1 <= ioas->allowed[i].last)
			return true;
	return false;
}

struct ioas *ioas_by_id(const struct iommufd *in, __u32 id)
{
	for (int i = 0; i < IOASES; i++)
		if (state.ioas[i].live && state.ioas[i].in == in &&
		    state.ioas[i].id == id)
			return &state.ioas[i];
	for (int i = 0; i < CONTEXTS; i++)
		if (state.ctx[i].mdls.live && state.ctx[i].mdls.in == in &&
		    state.ctx[i].mdls.id == id)
			return &state.ctx[i].mdls;
	return NULL;
}

/*
 * An unmap in an IOAS, of which the module is told by way of each adapter there but
 * the one by which it unmaps itself
 */
void tell_adapters(const struct ioas *ioas, const struct adapter *own)
{
	for (int i = 0; i < ADAPTERS; i++) {
		struct adapter *adapter = &state.adapter[i];

		if (adapter == own || !adapter->obj.ctx ||
		    adapter->ioas != ioas || ++adapter->calls < CALLS_MAX)
			continue;
		for (int j = 0; j < MAPPINGS; j++)
			if (state.mapping[j].obj.ctx &&
			    state.mapping[j].adapter == adapter)
				state.mapping[j].loose = true;
	}
}

void mapping_add_area(struct mapping *mapping, const struct segment *seg,
		      unsigned long page, unsigned long num)
{
	__u64 iova = mapping->iova + (page - mapping->first) * PAGE_SIZE;
	struct area *area;

	area = area_add(mapping->adapter->ioas, iova, num * PAGE_SIZE,
			seg->pages, (page - seg->first) * PAGE_SIZE,
			mapping->flags & MAP_WRITE);
	area->mapping = mapping;
	pages_notice(seg->pages, page - seg->first, 1);
}

static void mdl_let_go(struct mdl *mdl)
{
	for (unsigned int i = 0; i < mdl->num_segs; i++)
		pages_unpin(mdl->segs[i].pages, 0, mdl->segs[i].num);
	mdl->state = IS_REVOKED;
	mdl->event = AN_EVENT;
}

/*
 * An area of an MDL goes. The first one revokes it, whose pages are unpinned then.
 * So of more that go, the module is not told.
 */
static void mdl_taken(struct mdl *mdl, unsigned int seg)
{
	mdl->obj.ctx->calls++;
	if (mdl->state != IS_LIVE)
		return;
	mdl->segs[seg].there = false;
	mdl_let_go(mdl);
}

/* An area of a mapping goes. Of a loose one that may be noticed later. */
static void mapping_taken(struct mapping *mapping)
{
	mapping->lost = true;
	if (mapping->state != IS_LIVE)
		return;
	mapping->state = mapping->loose ? MAY_BE_REVOKED : IS_REVOKED;
	mapping->event = mapping->loose ? PERHAPS_AN_EVENT : AN_EVENT;
	mapping->loose = true;
}

/* Somebody else than the module unmaps an area */
static void area_taken(struct ioas *ioas, struct area *area)
{
	struct mapping *mapping = area->mapping;
	struct mdl *mdl = area->mdl;
	unsigned int index = area->index;

	area_remove(ioas, area);
	if (mapping) {
		mapping_taken(mapping);
		tell_adapters(ioas, NULL);
	}
	if (mdl)
		mdl_taken(mdl, index);
}

/* iommufd goes from area to area, and stops at one that is not in it as a whole */
int ioas_unmap(struct ioas *ioas, __u64 first, __u64 last, __u64 *unmapped)
{
	struct area *area;
	__u64 end;

	*unmapped = 0;
	while ((area = area_find(ioas, first, last))) {
		end = area_last(area);
		if (area->iova < first || end > last)
			return -ENOENT;
		*unmapped += area->length;
		area_taken(ioas, area);
		if (end == last)
			break;
		first = end + 1;
	}
	return 0;
}

struct segment *mdl_segment(const struct mdl *mdl, unsigned long page)
{
	unsigned int low = 0, high = mdl->num_segs - 1;

	while (low < high) {
		unsigned int mid = (low + high + 1) / 2;

		if (mdl->segs[mid].first <= page)
			low = mid;
		else
			high = mid - 1;
	}
	return &mdl->segs[low];
}

/*
 * A run of segments that the module believes to be there goes by one unmap. In a
 * revoked MDL they are not guarded: whatever is in their place by then goes, too.
 */
static void mdl_run_unmapped(struct mdl *mdl, __u64 first, __u64 last)
{
	struct ioas *ioas = &mdl->obj.ctx->mdls;
	struct area *area;

	while ((area = area_find(ioas, first, last))) {
		if (area->iova < first || area_last(area) > last)
			return;
		area_remove(ioas, area);
	}
}

void mdl_unlocked(struct mdl *mdl)
{
	struct ioas *ioas = &mdl->obj.ctx->mdls;
	unsigned int i = 0, end;
	struct area *area;

	while (i < mdl->num_segs) {
		for (end = i; end < mdl->num_segs && mdl->segs[end].there;)
			end++;
		if (end > i)
			mdl_run_unmapped(mdl,
					 mdl->iova + mdl->segs[i].first * PAGE_SIZE,
					 mdl->iova + (mdl->segs[end - 1].first +
						      mdl->segs[end - 1].num) *
							PAGE_SIZE - 1);
		i = end + 1;
	}
	for (unsigned int j = 0; j < ioas->num_areas; j++) {
		area = ioas->areas[j];
		if (area->mdl == mdl)
			area_disown(area);
	}
	for (i = 0; i < mdl->num_segs; i++) {
		if (mdl->state == IS_LIVE)
			pages_unpin(mdl->segs[i].pages, 0, mdl->segs[i].num);
		pages_put(mdl->segs[i].pages);
	}
	free(mdl->descs);
	mdl->descs = NULL;
	free(mdl->segs);
	mdl->segs = NULL;
	mdl->obj.ctx = NULL;
}

/* Would the module take this area for its own because it begins as its own did? */
static bool area_is_like(const struct area *area, const struct mapping *mapping)
{
	struct mdl *mdl = mapping->mdl;
	unsigned long page = mapping->first;
	const struct page *found;
	struct segment *seg;
	__u64 iova;

	while (page < mapping->first + mapping->num) {
		seg = mdl_segment(mdl, page);
		iova = mapping->iova + (page - mapping->first) * PAGE_SIZE;
		if (area->iova <= iova && iova <= area_last(area)) {
			found = area_page(area, iova);
			if (!found ||
			    found == seg->pages->frames[page - seg->first].page)
				return true;
		}
		page = seg->first + seg->num;
	}
	return false;
}

/*
 * May there be an area that begins as one of the mapping's does? If it is larger than
 * that, the mapping is not unmapped as long as it is there. The pages of a revoked MDL
 * may be in use again, for whatever is there.
 */
bool mapping_has_likeness(const struct mapping *mapping)
{
	const struct ioas *ioas = mapping->adapter->ioas;
	const __u64 last = mapping->iova + mapping->num * PAGE_SIZE - 1;

	for (unsigned int i = area_index(ioas, mapping->iova);
	     i < ioas->num_areas && ioas->areas[i]->iova <= last; i++)
		if (ioas->areas[i]->mapping != mapping &&
		    (mapping->mdl->state != IS_LIVE ||
		     area_is_like(ioas->areas[i], mapping)))
			return true;
	return false;
}

/*
 * The module knows the areas of a loose mapping by their first page. Another area may
 * have come that begins with the same one; and its own may have another, when
 * neither the MDL nor a device pins the pages any more. With a revoked MDL it takes
 * what it finds for its own.
 */
bool mapping_is_unclear(const struct mapping *mapping)
{
	if (!mapping->loose)
		return false;
	if (mapping->mdl->state != IS_LIVE && !mapping->adapter->ioas->attached)
		return true;
	return mapping_has_likeness(mapping);
}

/* Is there a mapping in whose place another area may be, or come? */
bool iommufd_has_loose(const struct iommufd *in)
{
	for (int i = 0; i < MAPPINGS; i++) {
		const struct mapping *mapping = &state.mapping[i];

		if (mapping->obj.ctx && mapping->adapter->ioas->in == in &&
		    mapping->loose)
			return true;
	}
	return false;
}

/* Is an area there? It is if it can be copied. */
static bool area_is_there(int fd, const struct ioas *ioas,
			  const struct area *area)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_READABLE,
		.src_ioas_id = ioas->id,
		.src_iova = area->iova,
		.length = area->length,
	};
	int rc;

	if (ioas_alloc(fd, &cmd.dst_ioas_id))
		wrong("no IOAS to look with");
	rc = ioctl(fd, IOMMU_IOAS_COPY, &cmd) ? -errno : 0;
	if (rc != 0 && rc != -ENOENT)
		wrong("to look at an area: %s", strerror(-rc));
	if (iommufd_destroy(fd, cmd.dst_ioas_id))
		wrong("the IOAS to look with stays");
	return !rc;
}

static int iommufd_fd(const struct iommufd *in)
{
	for (int i = 0; i < IOMMUFDS; i++)
		if (state.iommufd[i].fd >= 0 && state.iommufd[i].iommufd == in)
			return state.iommufd[i].fd;
	return -1;
}

/* Unmapped, and the model cannot say what has gone: see */
void mapping_ask_areas(struct mapping *mapping)
{
	struct ioas *ioas = mapping->adapter->ioas;
	const __u64 last = mapping->iova + mapping->num * PAGE_SIZE - 1;
	int fd = iommufd_fd(ioas->in);
	unsigned int i = area_index(ioas, mapping->iova);

	while (i < ioas->num_areas && ioas->areas[i]->iova <= last) {
		struct area *area = ioas->areas[i];

		if (fd < 0 ? area->mapping != mapping :
			     area_is_there(fd, ioas, area)) {
			if (area->mapping == mapping)
				area_disown(area);
			i++;
		} else if (area->mapping == mapping) {
			area_remove(ioas, area);
		} else {
			area_taken(ioas, area);
			i = area_index(ioas, mapping->iova);
		}
	}
}

void mapping_unmapped(struct mapping *mapping)
{
	struct ioas *ioas = mapping->adapter->ioas;
	const __u64 last = mapping->iova + mapping->num * PAGE_SIZE - 1;
	unsigned int i = area_index(ioas, mapping->iova);

	if (mapping_is_unclear(mapping))
		mapping_ask_areas(mapping);
	while (i < ioas->num_areas && ioas->areas[i]->iova <= last) {
		if (ioas->areas[i]->mapping != mapping) {
			i++;
			continue;
		}
		area_remove(ioas, ioas->areas[i]);
		tell_adapters(ioas, mapping->adapter);
	}
	mapping->adapter->mappings--;
	mapping->mdl->mappings--;
	mapping->obj.ctx = NULL;
}

/*
 * After some unmaps by others the module gives up all MDLs of a context; but it counts
 * anew when some time has passed. So see which it was.
 */
void mdls_ask(struct context *ctx)
{
	struct wddmcompat_query query;

	if (ctx->calls < CALLS_MAX)
		return;
	for (int i = 0; i < MDLS; i++) {
		struct mdl *mdl = &state.mdl[i];

		if (mdl->obj.ctx != ctx || mdl->state != IS_LIVE)
			continue;
		expect("query of an MDL that may be revoked", 0,
		       wddm_query(ctx->fd, mdl->obj.handle, &query));
		if (query.out_state == WDDMCOMPAT_STATE_REVOKED)
			mdl_let_go(mdl);
	}
}

void context_closed(struct context *ctx)
{
	for (int i = 0; i < MAPPINGS; i++)
		if (state.mapping[i].obj.ctx == ctx)
			mapping_unmapped(&state.mapping[i]);
	for (int i = 0; i < ADAPTERS; i++) {
		if (state.adapter[i].obj.ctx != ctx)
			continue;
		state.adapter[i].ioas->adapters--;
		state.adapter[i].obj.ctx = NULL;
	}
	for (int i = 0; i < MDLS; i++)
		if (state.mdl[i].obj.ctx == ctx)
			mdl_unlocked(&state.mdl[i]);
	ctx->fd = -1;
	if (!ctx->iommufd)
		return;
	ioas_fini(&ctx->mdls);
	iommufd_put(ctx->iommufd);
	ctx->iommufd = NULL;
}

/* No number comes twice in a context, and none is zero */
void handle_is_new(struct context *ctx, __u64 handle, unsigned int type)
{
	unsigned int i = (handle * 0x9e3779b97f4a7c15ULL) >> 48;

	if (!handle || handle >> HANDLE_TYPE_SHIFT != type)
		wrong("a handle %#llx of type %u", handle, type);
	for (; ctx->history[i % HISTORY]; i++)
		if (ctx->history[i % HISTORY] == handle)
			wrong("the handle %#llx was given before", handle);
	ctx->history[i % HISTORY] = handle;
}

struct object *object_at(char letter, unsigned int slot)
{
	switch (letter) {
	case 'a':
		return &state.adapter[slot].obj;
	case 'd':
		return &state.mdl[slot].obj;
	default:
		return &state.mapping[slot].obj;
	}
}

unsigned int object_slots(char letter)
{
	return letter == 'a' ? ADAPTERS : letter == 'd' ? MDLS : MAPPINGS;
}

/* Find what a number names, whatever slot it was taken from */
struct object *handle_find(const struct context *ctx, __u64 handle)
{
	for (const char *letter = LETTERS; *letter; letter++) {
		for (unsigned int i = 0; i < object_slots(*letter); i++) {
			struct object *obj = object_at(*letter, i);

			if (obj->ctx == ctx && obj->handle == handle)
				return obj;
		}
	}
	return NULL;
}

int handle_lookup(const struct context *ctx, __u64 handle, unsigned int type,
		  struct object **obj)
{
	unsigned int found = handle >> HANDLE_TYPE_SHIFT;

	if (found != type && found >= WDDMCOMPAT_OBJECT_ADAPTER &&
	    found <= WDDMCOMPAT_OBJECT_MAPPING)
		return -EINVAL;
	*obj = handle_find(ctx, handle);
	return *obj ? 0 : -ENOENT;
}
