// SPDX-License-Identifier: GPL-2.0-only
/* The module's own operations: what is asked, what must come of it, what does */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "model.h"

/* Ways to hand over a structure */
enum how {
	HOW_SHORT = 1, /* shorter than the kernel's */
	HOW_EMPTY, /* its size is 0 */
	HOW_LONG, /* longer, with zeros */
	HOW_TAIL, /* longer, with something else */
	HOW_FLAG, /* a flag that is not defined */
	HOW_NULL, /* it is nowhere */
	HOW_READONLY, /* the answer cannot be written */
	HOW_CUT, /* its end cannot be read */
	HOW_NUMBER, /* of an ioctl that does not exist */
	HOW_ARRAY, /* what it points to is nowhere */
	HOW_LAST, /* for an array: it ends before the last element */
	HOWS,
};

/* Pages that all MDLs together may have, below MEMLOCK_LIMIT */
#define PINS_MAX 12000

/* The highest address that a process can have, and then some */
#define USER_END 0x8000000000000000ULL

/* Pages behind each of which there is nothing */
enum stage {
	STAGE,
	STAGE_READONLY,
	STAGE_RESULTS,
	STAGES,
};

static __u8 *stage_end(enum stage which)
{
	static __u8 *stage;

	if (!stage) {
		stage = mmap(NULL, 2 * STAGES * PAGE_SIZE,
			     PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(stage != MAP_FAILED);
		for (int i = 0; i < STAGES; i++)
			CHECK(!mprotect(stage + (2 * i + 1) * PAGE_SIZE,
					PAGE_SIZE, PROT_NONE));
	}
	return stage + (2 * which + 1) * PAGE_SIZE;
}

static void stage_protect(int prot)
{
	CHECK(!mprotect(stage_end(STAGE_READONLY) - PAGE_SIZE, PAGE_SIZE, prot));
}

/* An ioctl by a structure in any of the ways. All begin with size and flags. */
static int issue(const struct context *ctx, unsigned long cmd, void *arg,
		 size_t size, enum how how)
{
	const size_t tail = how == HOW_LONG || how == HOW_TAIL ? 24 : 0;
	const size_t cut = how == HOW_CUT ? 8 : 0;
	__u8 *at = stage_end(how == HOW_READONLY ? STAGE_READONLY : STAGE) -
		   size - tail + cut;
	__u32 words[2];
	int rc;

	memcpy(words, arg, sizeof(words));
	words[0] = size + tail;
	if (how == HOW_SHORT)
		words[0] -= 4;
	else if (how == HOW_EMPTY)
		words[0] = 0;
	else if (how == HOW_FLAG)
		words[1] |= 1U << 31;
	memcpy(arg, words, sizeof(words));

	if (how == HOW_READONLY)
		stage_protect(PROT_READ | PROT_WRITE);
	memset(at + size, how == HOW_TAIL, tail);
	memcpy(at, arg, size - cut);
	if (how == HOW_READONLY)
		stage_protect(PROT_READ);
	if (how == HOW_NUMBER)
		cmd = _IO(WDDMCOMPAT_TYPE, 0x0a);
	rc = ioctl(ctx->fd, cmd, how == HOW_NULL ? NULL : at) ? -errno : 0;
	if (how != HOW_READONLY && how != HOW_CUT)
		memcpy(arg, at, size);
	return rc;
}

/*
 * What the structure alone makes of an ioctl; 0 if it comes to what it says. @final:
 * that its answer can be written is made sure of before.
 */
static int judge_structure(const struct context *ctx, enum how how,
			   bool needs_bound, bool final)
{
	if (ctx->fd < 0)
		return -EBADF;
	if (how == HOW_NUMBER)
		return -ENOTTY;
	if (needs_bound && !ctx->iommufd)
		return -ENOTCONN;
	switch (how) {
	case HOW_NULL:
	case HOW_CUT:
		return -EFAULT;
	case HOW_SHORT:
	case HOW_EMPTY:
		return -EINVAL;
	case HOW_TAIL:
		return -E2BIG;
	case HOW_READONLY:
		if (final)
			return -EFAULT;
		return 0;
	case HOW_FLAG:
		return -EOPNOTSUPP;
	default:
		return 0;
	}
}

static struct context *arg_context(__u64 arg)
{
	return &state.ctx[arg % CONTEXTS];
}

static enum how arg_how(__u64 arg)
{
	return arg % HOWS;
}

/* open ctx */
void do_open(const __u64 *arg, unsigned int n)
{
	struct context *ctx = arg_context(arg[0]);

	(void)n;
	if (ctx->fd >= 0)
		return;
	*ctx = (struct context){ .fd = open_context() };
	if (ctx->fd < 0)
		wrong("open: %s", strerror(-ctx->fd));
	CHECK(!fcntl(ctx->fd, F_SETFL, O_RDWR | O_NONBLOCK));
}

/* close ctx */
void do_close(const __u64 *arg, unsigned int n)
{
	struct context *ctx = arg_context(arg[0]);

	(void)n;
	if (ctx->fd < 0)
		return;
	close(ctx->fd);
	context_closed(ctx);
}

/* bind ctx iommufd how: number 2 is no file, number 3 is another */
void do_bind(const __u64 *arg, unsigned int n)
{
	struct context *ctx = arg_context(arg[0]);
	const enum how how = arg_how(arg[2]);
	const unsigned int slot = arg[1] % 4;
	struct wddmcompat_bind cmd = { .iommufd = -1 };
	int want = judge_structure(ctx, how, false, true), rc;

	(void)n;
	if (slot < IOMMUFDS)
		cmd.iommufd = state.iommufd[slot].fd;
	else if (slot == 3)
		cmd.iommufd = ctx->fd;
	if (!want && cmd.iommufd < 0)
		want = -EBADF;
	else if (!want && ctx->iommufd)
		want = -EBUSY;
	else if (!want && slot == 3)
		want = -EBADFD;

	rc = issue(ctx, WDDMCOMPAT_BIND, &cmd, sizeof(cmd), how);
	expect("bind", want, rc);
	if (rc)
		return;
	ctx->iommufd = iommufd_get(state.iommufd[slot].iommufd);
	if (ioas_by_id(ctx->iommufd, cmd.out_mdl_ioas_id))
		wrong("bind: the MDL IOAS is somebody else's");
	ioas_init(&ctx->mdls, ctx->iommufd, cmd.out_mdl_ioas_id);
	ctx->mdls.mdls_of = ctx;
	ctx->next_iova = 1 << 20;
}

/* info ctx how */
void do_info(const __u64 *arg, unsigned int n)
{
	struct context *ctx = arg_context(arg[0]);
	const enum how how = arg_how(arg[1]);
	struct wddmcompat_info cmd = {};
	int want = judge_structure(ctx, how, false, false), rc;

	(void)n;
	if (!want && how == HOW_READONLY)
		want = -EFAULT;
	rc = issue(ctx, WDDMCOMPAT_INFO, &cmd, sizeof(cmd), how);
	expect("info", want, rc);
	if (!rc && (cmd.out_api_version != WDDMCOMPAT_API_VERSION ||
		    cmd.out_page_size != PAGE_SIZE ||
		    cmd.out_chain_max != WDDMCOMPAT_MDL_CHAIN_MAX ||
		    cmd.out_byte_count_max != UINT32_MAX - PAGE_SIZE + 1))
		wrong("info: its content");
}

static bool ioas_is_aligned(const struct ioas *ioas)
{
	for (unsigned int i = 0; i < ioas->num_areas; i++)
		if ((ioas->areas[i]->iova | ioas->areas[i]->length |
		     ioas->areas[i]->start) % PAGE_SIZE)
			return false;
	return true;
}

/* create ctx to ioas how */
void do_create(const __u64 *arg, unsigned int n)
{
	struct context *ctx = arg_context(arg[0]);
	struct adapter *adapter = &state.adapter[ref_slot(arg[1], ADAPTERS)];
	const enum how how = arg_how(arg[3]);
	struct wddmcompat_adapter_create cmd = {
		.ioas_id = arg_ioas_id(arg[2]),
	};
	int want = judge_structure(ctx, how, true, false), rc;
	struct ioas *ioas;

	(void)n;
	if (adapter->obj.ctx)
		return;
	ioas = ioas_by_id(ctx->iommufd, cmd.ioas_id);
	/* It would keep the MDL IOAS of another context after its end */
	if (ioas && ioas->mdls_of && ioas->mdls_of != ctx)
		return;
	if (!want && ioas == &ctx->mdls)
		want = -EINVAL;
	else if (!want && !ioas)
		want = -ENOENT;
	else if (!want && !ioas_is_aligned(ioas))
		want = -EADDRINUSE;
	else if (!want && how == HOW_READONLY)
		want = -EFAULT;

	rc = issue(ctx, WDDMCOMPAT_ADAPTER_CREATE, &cmd, sizeof(cmd), how);
	expect("create", want, rc);
	if (rc)
		return;
	handle_is_new(ctx, cmd.out_adapter, WDDMCOMPAT_OBJECT_ADAPTER);
	*adapter = (struct adapter){
		.obj = { cmd.out_adapter, ctx },
		.ioas = ioas,
	};
	ioas->adapters++;
}

/* destroy ctx adapter how */
void do_destroy(const __u64 *arg, unsigned int n)
{
	struct context *ctx = arg_context(arg[0]);
	const enum how how = arg_how(arg[2]);
	struct wddmcompat_adapter_destroy cmd = {
		.adapter = arg_handle(arg[1]),
	};
	int want = judge_structure(ctx, how, true, true), rc;
	struct adapter *adapter = NULL;
	struct object *obj;

	(void)n;
	if (!want)
		want = handle_lookup(ctx, cmd.adapter,
				     WDDMCOMPAT_OBJECT_ADAPTER, &obj);
	if (!want) {
		adapter = (struct adapter *)obj;
		if (adapter->mappings)
			want = -EBUSY;
	}
	rc = issue(ctx, WDDMCOMPAT_ADAPTER_DESTROY, &cmd, sizeof(cmd), how);
	expect("destroy", want, rc);
	if (rc)
		return;
	adapter->ioas->adapters--;
	adapter->obj.ctx = NULL;
}

/* A descriptor from four arguments: page (or an address) offset bytes flags */
static struct wddmcompat_mdl_desc arg_desc(const __u64 *arg)
{
	return (struct wddmcompat_mdl_desc){
		.start_va = arg[0] < ARENA_PAGES ?
				    (uintptr_t)arena_at(arg[0]) :
				    arg[0],
		.byte_offset = arg[1],
		.byte_count = arg[2],
		.flags = arg[3],
		.__reserved = arg[3] >> 32,
	};
}

static unsigned long desc_pages(const struct wddmcompat_mdl_desc *desc)
{
	return ((__u64)desc->byte_offset + desc->byte_count + PAGE_SIZE - 1) /
	       PAGE_SIZE;
}

static int judge_desc(const struct wddmcompat_mdl_desc *desc)
{
	__u64 last;

	if (desc->flags & ~MDL_WRITE || desc->__reserved)
		return -EOPNOTSUPP;
	if (desc->start_va % PAGE_SIZE || desc->byte_offset >= PAGE_SIZE ||
	    !desc->byte_count ||
	    desc->byte_count > UINT32_MAX - PAGE_SIZE + 1 ||
	    __builtin_add_overflow(desc->start_va,
				   desc_pages(desc) * PAGE_SIZE - 1, &last))
		return -EINVAL;
	return 0;
}

#define SHARING_MAX ((__u32)4 << 20)

/* Does a descriptor go on where the one before it ends, at the edge of a page? */
static bool desc_joins(const struct wddmcompat_mdl_desc *before,
		       const struct wddmcompat_mdl_desc *desc)
{
	const __u64 end = before->start_va + before->byte_offset +
			  before->byte_count;

	return desc->start_va == end && !desc->byte_offset &&
	       desc->flags == before->flags &&
	       desc->byte_count <= SHARING_MAX &&
	       before->byte_count <= SHARING_MAX;
}

/* A lock that has begun: an MDL that is not there yet */
static struct mdl mdl_prepare(struct context *ctx,
			      const struct wddmcompat_mdl_desc *descs,
			      unsigned int num)
{
	struct mdl mdl = { .num_descs = num, .iova = ctx->next_iova };
	unsigned int first = 0;

	mdl.descs = calloc(num, sizeof(*mdl.descs));
	mdl.segs = calloc(num, sizeof(*mdl.segs));
	for (unsigned int i = 0; i < num; i++) {
		struct segment *seg = &mdl.segs[mdl.num_segs];

		mdl.descs[i] = (struct desc){ mdl.num_pages,
					      descs[i].byte_offset };
		mdl.num_pages += desc_pages(&descs[i]);
		if (i + 1 < num && desc_joins(&descs[i], &descs[i + 1]))
			continue;
		seg->first = mdl.descs[first].first;
		seg->num = mdl.num_pages - seg->first;
		seg->writable = descs[first].flags & MDL_WRITE;
		seg->there = true;
		seg->pages = pages_new(descs[first].start_va, seg->num,
				       seg->writable);
		mdl.num_segs++;
		first = i + 1;
	}
	return mdl;
}

static void mdl_forget(struct mdl *mdl)
{
	for (unsigned int i = 0; i < mdl->num_segs; i++)
		pages_put(mdl->segs[i].pages);
	free(mdl->segs);
	free(mdl->descs);
}

static bool mdl_can_pin(const struct mdl *mdl)
{
	for (unsigned int i = 0; i < mdl->num_segs; i++)
		if (!pages_can_pin(mdl->segs[i].pages, 0, mdl->segs[i].num))
			return false;
	return true;
}

/* What pinning changes is seen only if it fails on the way */
static bool mdl_pin_is_clear(const struct mdl *mdl)
{
	if (mdl_can_pin(mdl))
		return true;
	for (unsigned int i = 0; i < mdl->num_segs; i++)
		for (unsigned long j = 0; j < mdl->segs[i].num; j++)
			if (arena_pin_is_seen(mdl->segs[i].pages->va +
					      j * PAGE_SIZE))
				return false;
	return true;
}

static void mdl_pin(struct mdl *mdl)
{
	for (unsigned int i = 0; i < mdl->num_segs; i++)
		pages_pin(mdl->segs[i].pages, 0, mdl->segs[i].num);
}

static void mdl_unpin(struct mdl *mdl)
{
	for (unsigned int i = 0; i < mdl->num_segs; i++)
		pages_unpin(mdl->segs[i].pages, 0, mdl->segs[i].num);
}

/* The descriptors are as they should be: what comes of locking them? */
static int judge_lock(struct context *ctx, const struct mdl *mdl)
{
	if (area_find(&ctx->mdls, mdl->iova,
		      mdl->iova + mdl->num_pages * PAGE_SIZE - 1))
		return -EEXIST;
	return mdl_can_pin(mdl) ? 0 : -EFAULT;
}

static bool descs_are_too_many(const struct wddmcompat_mdl_desc *descs,
			       unsigned int num)
{
	unsigned long pages = state.pins;

	for (unsigned int i = 0; i < num; i++)
		pages += desc_pages(&descs[i]);
	return pages > PINS_MAX;
}

static int judge_descs(const struct wddmcompat_mdl_desc *descs,
		       unsigned int num)
{
	int rc;

	if (!num || num > WDDMCOMPAT_MDL_CHAIN_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < num; i++) {
		rc = judge_desc(&descs[i]);
		if (rc)
			return rc;
	}
	for (unsigned int i = 0; i < num; i++)
		if (descs[i].start_va >= USER_END)
			return -EFAULT;
	return 0;
}

static void mdl_locked(struct context *ctx, struct mdl *mdl,
		       const struct mdl *made,
		       const struct wddmcompat_mdl_lock *cmd)
{
	*mdl = *made;
	handle_is_new(ctx, cmd->out_mdl, WDDMCOMPAT_OBJECT_MDL);
	expect("pages of the MDL", mdl->num_pages, cmd->out_num_pages);
	mdl->obj = (struct object){ cmd->out_mdl, ctx };
	mdl_pin(mdl);
	for (unsigned int i = 0; i < mdl->num_segs; i++) {
		struct segment *seg = &mdl->segs[i];
		struct area *area = area_add(&ctx->mdls,
					     mdl->iova + seg->first * PAGE_SIZE,
					     seg->num * PAGE_SIZE, seg->pages,
					     0, seg->writable);

		area->mdl = mdl;
		area->index = i;
	}
}

/* The model's part of a lock that has been tried with valid descriptors */
static void lock_tried(struct context *ctx, struct mdl *mdl,
		       const struct wddmcompat_mdl_desc *descs,
		       const struct wddmcompat_mdl_lock *cmd, bool undone,
		       int rc)
{
	struct mdl made = mdl_prepare(ctx, descs, cmd->num_descs);
	int want = judge_lock(ctx, &made);

	/* Addresses of the MDL IOAS are never used twice, and a gap is left */
	ctx->next_iova += (made.num_pages + 1) * PAGE_SIZE;
	expect("lock", !want && undone ? -EFAULT : want, rc);
	if (!rc) {
		mdl_locked(ctx, mdl, &made, cmd);
		return;
	}
	if (!want) {
		mdl_pin(&made);
		mdl_unpin(&made);
	}
	mdl_forget(&made);
}

/* Can the model tell what comes of it? */
static bool lock_is_clear(struct context *ctx,
			  const struct wddmcompat_mdl_desc *descs,
			  unsigned int num)
{
	struct mdl made;
	bool clear;

	if (descs_are_too_many(descs, num))
		return false;
	made = mdl_prepare(ctx, descs, num);
	clear = mdl_pin_is_clear(&made);
	mdl_forget(&made);
	return clear;
}

/* lock ctx to how repeat, and four for each descriptor */
void do_lock(const __u64 *arg, unsigned int n)
{
	struct context *ctx = arg_context(arg[0]);
	struct mdl *mdl = &state.mdl[ref_slot(arg[1], MDLS)];
	const enum how how = arg_how(arg[2]);
	const unsigned int given = n < 4 ? 0 : (n - 4) / 4;
	const unsigned int num = given * (arg[3] % 1100);
	struct wddmcompat_mdl_desc *descs;
	struct wddmcompat_mdl_lock cmd = { .num_descs = num };
	int want = judge_structure(ctx, how, true, false), rc;

	if (mdl->obj.ctx)
		return;
	descs = calloc(num + 1, sizeof(*descs));
	for (unsigned int i = 0; i < num; i++)
		descs[i] = arg_desc(arg + 4 + i % given * 4);
	cmd.descs = how == HOW_ARRAY ? 0 : (uintptr_t)descs;
	if (!want && num && num <= WDDMCOMPAT_MDL_CHAIN_MAX && !cmd.descs)
		want = -EFAULT;
	if (!want)
		want = judge_descs(descs, num);
	if (want || lock_is_clear(ctx, descs, num)) {
		rc = issue(ctx, WDDMCOMPAT_MDL_LOCK, &cmd, sizeof(cmd), how);
		if (want)
			expect("lock", want, rc);
		else
			lock_tried(ctx, mdl, descs, &cmd, how == HOW_READONLY,
				   rc);
	}
	free(descs);
}

/* unlock ctx mdl how */
void do_unlock(const __u64 *arg, unsigned int n)
{
	struct context *ctx = arg_context(arg[0]);
	const enum how how = arg_how(arg[2]);
	struct wddmcompat_mdl_unlock cmd = { .mdl = arg_handle(arg[1]) };
	int want = judge_structure(ctx, how, true, true), rc;
	struct object *obj;
	struct mdl *mdl = NULL;

	(void)n;
	if (!want)
		want = handle_lookup(ctx, cmd.mdl, WDDMCOMPAT_OBJECT_MDL, &obj);
	if (!want) {
		mdl = (struct mdl *)obj;
		if (mdl->mappings)
			want = -EBUSY;
	}
	rc = issue(ctx, WDDMCOMPAT_MDL_UNLOCK, &cmd, sizeof(cmd), how);
	expect("unlock", want, rc);
	if (rc)
		return;
	expect("state of the unlocked MDL", mdl->state, cmd.out_state);
	mdl_unlocked(mdl);
}

static bool map_may_write(const struct mdl *mdl, unsigned long first,
			  unsigned long num)
{
	for (unsigned long page = first; page < first + num;) {
		const struct segment *seg = mdl_segment(mdl, page);

		if (!seg->writable)
			return false;
		page = seg->first + seg->num;
	}
	return true;
}

/*
 * What iommufd says of where to map. With limits to what it may choose, that depends on
 * the alignment that it would like to have: at most that of a huge page.
 */
static int judge_room(const struct ioas *ioas, bool fixed, __u64 iova,
		      __u64 length, int rc)
{
	if (fixed)
		return ioas_check(ioas, iova, length);
	if (ioas_has_room(ioas, length, HUGE_SIZE))
		return 0;
	if (!ioas_has_room(ioas, length, PAGE_SIZE))
		return -ENOSPC;
	return rc == -ENOSPC ? rc : 0;
}

static int judge_map(const struct adapter *adapter, const struct mdl *mdl,
		     const struct wddmcompat_map *cmd, int rc)
{
	const bool fixed = cmd->flags & MAP_AT;
	__u64 num = cmd->num_pages;
	int want;

	if (cmd->num_logical && cmd->num_logical != mdl->num_descs)
		return -EINVAL;
	if (cmd->first_page >= mdl->num_pages ||
	    num > mdl->num_pages - cmd->first_page)
		return -EINVAL;
	if (!num)
		num = mdl->num_pages - cmd->first_page;
	if (fixed && (cmd->iova % PAGE_SIZE ||
		      cmd->iova > UINT64_MAX - num * PAGE_SIZE))
		return -EINVAL;
	if (mdl->state == IS_REVOKED)
		return -EIDRM;
	want = judge_room(adapter->ioas, fixed, cmd->iova, num * PAGE_SIZE, rc);
	if (want)
		return want;
	if (cmd->flags & MAP_WRITE &&
	    !map_may_write(mdl, cmd->first_page, num))
		return -EPERM;
	return 0;
}

/* The areas of a mapping, one for each segment that it touches */
static void mapping_add_areas(struct mapping *mapping)
{
	unsigned long page = mapping->first, end = page + mapping->num;

	while (page < end) {
		struct segment *seg = mdl_segment(mapping->mdl, page);
		unsigned long next = seg->first + seg->num;

		if (next > end)
			next = end;
		mapping_add_area(mapping, seg, page, next - page);
		page = next;
	}
}

static void mapping_made(struct context *ctx, struct mapping *mapping,
			 struct adapter *adapter, struct mdl *mdl,
			 const struct wddmcompat_map *in,
			 const struct wddmcompat_map *out)
{
	__u64 num = in->num_pages ?: mdl->num_pages - in->first_page;
	const struct ioas *ioas = adapter->ioas;

	handle_is_new(ctx, out->out_memory, WDDMCOMPAT_OBJECT_MAPPING);
	expect("pages of the mapping", num, out->num_pages);
	if (in->flags & MAP_AT)
		expect("IOVA of the mapping", in->iova, out->iova);
	else if (!out->iova || out->iova % PAGE_SIZE ||
		 ioas_check(ioas, out->iova, num * PAGE_SIZE) ||
		 !ioas_is_allowed(ioas, out->iova, num * PAGE_SIZE))
		wrong("map: to a wrong IOVA, %#llx", out->iova);
	*mapping = (struct mapping){
		.obj = { out->out_memory, ctx },
		.adapter = adapter,
		.mdl = mdl,
		.iova = out->iova,
		.first = in->first_page,
		.num = num,
		.flags = in->flags & MAP_WRITE,
		.loose = adapter->calls >= CALLS_MAX,
	};
	adapter->mappings++;
	mdl->mappings++;
	mapping_add_areas(mapping);
}

static void check_logical(const struct mapping *mapping, const __u64 *logical,
			  unsigned int num)
{
	for (unsigned int i = 0; i < num; i++) {
		const struct desc *desc = &mapping->mdl->descs[i];
		__u64 want = WDDMCOMPAT_LOGICAL_NONE;

		if (desc->first >= mapping->first &&
		    desc->first < mapping->first + mapping->num)
			want = mapping->iova +
			       (desc->first - mapping->first) * PAGE_SIZE +
			       desc->offset;
		if (logical[i] != want)
			wrong("logical address %u is %#llx instead of %#llx", i,
			      logical[i], want);
	}
}

/* What the arguments of a map have led to; @undone: it cannot be told */
static void map_tried(struct context *ctx, struct mapping *mapping,
		      const struct wddmcompat_map *in,
		      const struct wddmcompat_map *out, bool undone, int rc)
{
	struct object *adapter = NULL, *mdl = NULL;
	int want = 0;

	if (in->flags & ~(MAP_WRITE | MAP_AT) || in->__reserved)
		want = -EOPNOTSUPP;
	want = want ?: handle_lookup(ctx, in->adapter,
				     WDDMCOMPAT_OBJECT_ADAPTER, &adapter);
	want = want ?: handle_lookup(ctx, in->mdl, WDDMCOMPAT_OBJECT_MDL, &mdl);
	/* With limits to the IOVA there may be no room, or there may */
	want = want ?: judge_map((struct adapter *)adapter, (struct mdl *)mdl,
				 in, undone && rc != -ENOSPC ? 0 : rc);
	expect("map", !want && undone ? -EFAULT : want, rc);
	if (!rc)
		mapping_made(ctx, mapping, (struct adapter *)adapter,
			     (struct mdl *)mdl, in, out);
	else if (!want)
		tell_adapters(((struct adapter *)adapter)->ioas,
			      (struct adapter *)adapter);
}

/* The number of descriptors of the MDL that is meant, if there is one */
static unsigned int num_descs(const struct context *ctx, __u64 handle)
{
	struct object *obj;

	if (handle_lookup(ctx, handle, WDDMCOMPAT_OBJECT_MDL, &obj))
		return 1;
	return ((struct mdl *)obj)->num_descs;
}

/* map ctx to adapter mdl flags first num base offset logical how */
void do_map(const __u64 *arg, unsigned int n)
{
	struct context *ctx = arg_context(arg[0]);
	struct mapping *mapping = &state.mapping[ref_slot(arg[1], MAPPINGS)];
	const enum how how = arg_how(arg[10]);
	struct wddmcompat_map in = {
		.adapter = arg_handle(arg[2]),
		.mdl = arg_handle(arg[3]),
		.flags = arg[4],
		.first_page = arg[5],
		.num_pages = arg[6],
		.iova = arg_address(arg[7], arg[8]),
		.__reserved = arg[4] >> 32,
	};
	struct wddmcompat_map out;
	__u64 *logical = NULL;
	int want = judge_structure(ctx, how, true, false), rc;
	bool undone = how == HOW_READONLY;

	(void)n;
	if (mapping->obj.ctx)
		return;
	/* 1: as many as there are; 2: one too many */
	if (arg[9] % 3) {
		in.num_logical = num_descs(ctx, in.mdl) + arg[9] % 3 - 1;
		logical = calloc(in.num_logical, sizeof(*logical));
		in.logical = how == HOW_ARRAY ? 0 : (uintptr_t)logical;
		undone |= how == HOW_ARRAY;
	}
	out = in;
	rc = issue(ctx, WDDMCOMPAT_MAP, &out, sizeof(out), how);
	if (want)
		expect("map", want, rc);
	else
		map_tried(ctx, mapping, &in, &out, undone, rc);
	if (!rc)
		check_logical(mapping, logical, in.num_logical);
	free(logical);
}

static int judge_unmap(const struct context *ctx, __u64 adapter, __u64 memory,
		       struct mapping **mapping)
{
	struct object *obj;
	int rc;

	rc = handle_lookup(ctx, adapter, WDDMCOMPAT_OBJECT_ADAPTER, &obj);
	if (rc)
		return rc;
	rc = handle_lookup(ctx, memory, WDDMCOMPAT_OBJECT_MAPPING,
			   (struct object **)mapping);
	if (rc)
		return rc;
	return (*mapping)->adapter->obj.handle == adapter ? 0 : -ENOENT;
}

static void unmap_tried(struct context *ctx, __u64 adapter, __u64 memory,
			__u32 out_state, int rc)
{
	struct mapping *mapping;
	int want = judge_unmap(ctx, adapter, memory, &mapping);

	if (!want && rc == -EBUSY && mapping->loose &&
	    mapping_has_likeness(mapping)) {
		mapping_ask_areas(mapping);
		want = rc;
	}
	expect("unmap", want, rc);
	if (rc)
		return;
	/* What may have been revoked is, as it is looked after now */
	if (!mapping_is_unclear(mapping))
		expect("state of the unmapped mapping",
		       mapping->state == IS_LIVE ? LIVE : REVOKED, out_state);
	else if (mapping->state == IS_REVOKED)
		expect("state of the unmapped mapping", REVOKED, out_state);
	mapping_unmapped(mapping);
}

/* unmap ctx adapter memory how */
void do_unmap(const __u64 *arg, unsigned int n)
{
	struct context *ctx = arg_context(arg[0]);
	const enum how how = arg_how(arg[3]);
	struct wddmcompat_unmap cmd = {
		.adapter = arg_handle(arg[1]),
		.memory = arg_handle(arg[2]),
	};
	const struct wddmcompat_unmap in = cmd;
	int want = judge_structure(ctx, how, true, true), rc;

	(void)n;
	rc = issue(ctx, WDDMCOMPAT_UNMAP, &cmd, sizeof(cmd), how);
	if (want)
		expect("unmap", want, rc);
	else
		unmap_tried(ctx, in.adapter, in.memory, cmd.out_state, rc);
}

static void query_adapter(const struct adapter *adapter,
			  struct wddmcompat_query *want)
{
	want->out_type = WDDMCOMPAT_OBJECT_ADAPTER;
	want->out_num_mappings = adapter->mappings;
	want->out_ioas_id = adapter->ioas->id;
}

static void query_mdl(const struct mdl *mdl, struct wddmcompat_query *want)
{
	want->out_type = WDDMCOMPAT_OBJECT_MDL;
	want->out_state = mdl->state;
	want->out_num_mappings = mdl->mappings;
	want->out_num_descs = mdl->num_descs;
	want->out_num_pages = mdl->num_pages;
}

static void query_mapping(struct mapping *mapping,
			  struct wddmcompat_query *want, __u32 out_state)
{
	want->out_type = WDDMCOMPAT_OBJECT_MAPPING;
	want->out_state = mapping->state;
	want->out_map_flags = mapping->flags;
	want->out_num_pages = mapping->num;
	want->out_iova = mapping->iova;
	want->out_adapter = mapping->adapter->obj.handle;
	want->out_mdl = mapping->mdl->obj.handle;
	/* What was unmapped without the module being told is found out later */
	if (mapping->state == MAY_BE_REVOKED ||
	    (mapping->state == IS_LIVE && mapping_is_unclear(mapping))) {
		want->out_state = out_state;
		if (out_state != REVOKED)
			return;
		mapping->state = IS_REVOKED;
		mapping->event = AN_EVENT;
	}
}

static void query_text(const struct wddmcompat_query *query, char *buf,
		       size_t size)
{
	snprintf(buf, size,
		 "type %u state %u mappings %u ioas %u descs %u flags %u pages %llu iova %#llx adapter %#llx mdl %#llx",
		 query->out_type, query->out_state, query->out_num_mappings,
		 query->out_ioas_id, query->out_num_descs, query->out_map_flags,
		 query->out_num_pages, query->out_iova, query->out_adapter,
		 query->out_mdl);
}

static void check_query(const struct wddmcompat_query *got,
			const struct wddmcompat_query *want)
{
	char text[2][256];

	if (!memcmp(got, want, sizeof(*got)))
		return;
	query_text(got, text[0], sizeof(text[0]));
	query_text(want, text[1], sizeof(text[1]));
	wrong("query: %s\n# instead of: %s", text[0], text[1]);
}

/* query ctx handle how */
void do_query(const __u64 *arg, unsigned int n)
{
	struct context *ctx = arg_context(arg[0]);
	const enum how how = arg_how(arg[2]);
	struct wddmcompat_query cmd = { .handle = arg_handle(arg[1]) }, want = {
		.size = sizeof(want) + (how == HOW_LONG ? 24 : 0),
		.handle = cmd.handle,
	};
	int rc = judge_structure(ctx, how, true, false);
	struct object *obj = handle_find(ctx, cmd.handle);

	(void)n;
	if (!rc && !obj)
		rc = -ENOENT;
	else if (!rc && how == HOW_READONLY)
		rc = -EFAULT;
	expect("query", rc,
	       issue(ctx, WDDMCOMPAT_QUERY, &cmd, sizeof(cmd), how));
	if (rc)
		return;
	if (obj >= &state.adapter[0].obj && obj <= &state.adapter[ADAPTERS - 1].obj)
		query_adapter((struct adapter *)obj, &want);
	else if (obj >= &state.mdl[0].obj && obj <= &state.mdl[MDLS - 1].obj)
		query_mdl((struct mdl *)obj, &want);
	else
		query_mapping((struct mapping *)obj, &want, cmd.out_state);
	check_query(&cmd, &want);
}

#define BATCH_ARGS 5
#define BATCH_MAX 256

/* An entry of a batch, as long as any of the structures can be */
union entry {
	struct wddmcompat_mdl_lock lock;
	struct wddmcompat_map map;
	struct wddmcompat_unmap unmap;
};

/**
 * struct batch - A batch and what it points to
 * @ctx: Where
 * @cmd: WDDMCOMPAT_CMD_... of the entries
 * @size: Of an entry
 * @num: Entries
 * @slot: Where the new objects go, an entry each
 * @in: The entries as they were
 * @out: And as they are afterwards, in one array
 * @descs: What is locked, a descriptor for each
 */
struct batch {
	struct context *ctx;
	__u32 cmd;
	size_t size;
	unsigned int num;
	unsigned int slot[BATCH_MAX];
	union entry in[BATCH_MAX];
	__u8 *out;
	struct wddmcompat_mdl_desc descs[BATCH_MAX];
};

static void batch_add(struct batch *batch, const __u64 *arg, unsigned int turn)
{
	unsigned int i = batch->num++;
	union entry *in = &batch->in[i];

	switch (batch->cmd) {
	case WDDMCOMPAT_CMD_MDL_LOCK:
		batch->slot[i] = (ref_slot(arg[0], MDLS) + turn) % MDLS;
		batch->descs[i] = arg_desc(arg + 1);
		in->lock = (struct wddmcompat_mdl_lock){
			.size = batch->size,
			.descs = (uintptr_t)&batch->descs[i],
			.num_descs = 1,
		};
		break;
	case WDDMCOMPAT_CMD_MAP:
		batch->slot[i] = (ref_slot(arg[0], MAPPINGS) + turn) % MAPPINGS;
		in->map = (struct wddmcompat_map){
			.size = batch->size,
			.adapter = arg_handle(arg[1]),
			.mdl = arg_handle(arg[2]),
			.flags = arg[3],
			.first_page = arg[4],
			.num_pages = 1,
		};
		break;
	default:
		in->unmap = (struct wddmcompat_unmap){
			.size = batch->size,
			.adapter = arg_handle(arg[0]),
			.memory = is_ref(arg[1], 'm') ?
					  arg_handle(arg[1] + turn) :
					  arg[1],
		};
	}
}

/* To look what has gone by one unmap it takes a look before the next */
static bool batch_unmap_is_clear(const struct batch *batch, unsigned int i)
{
	const struct wddmcompat_unmap *in = &batch->in[i].unmap;
	struct mapping *mapping;

	return batch->num == 1 ||
	       judge_unmap(batch->ctx, in->adapter, in->memory, &mapping) ||
	       !mapping_is_unclear(mapping);
}

/* Are its new objects' slots free, and can the model tell what comes of it? */
static bool batch_is_clear(const struct batch *batch)
{
	bool used[MAPPINGS] = {};
	unsigned long pages = 0;

	for (unsigned int i = 0; i < batch->num; i++) {
		const unsigned int slot = batch->slot[i];

		if (batch->cmd == WDDMCOMPAT_CMD_UNMAP) {
			if (!batch_unmap_is_clear(batch, i))
				return false;
			continue;
		}
		if (used[slot])
			return false;
		used[slot] = true;
		if (batch->cmd == WDDMCOMPAT_CMD_MAP) {
			if (state.mapping[slot].obj.ctx)
				return false;
			continue;
		}
		pages += desc_pages(&batch->descs[i]);
		if (state.mdl[slot].obj.ctx || state.pins + pages > PINS_MAX)
			return false;
		if (!judge_descs(&batch->descs[i], 1) &&
		    !lock_is_clear(batch->ctx, &batch->descs[i], 1))
			return false;
	}
	return true;
}

static void batch_entry(struct batch *batch, unsigned int i, int rc)
{
	const union entry *in = &batch->in[i];
	union entry out;
	int want;

	memcpy(&out, batch->out + i * batch->size, batch->size);
	switch (batch->cmd) {
	case WDDMCOMPAT_CMD_MDL_LOCK:
		want = judge_descs(&batch->descs[i], 1);
		if (want)
			expect("lock in a batch", want, rc);
		else
			lock_tried(batch->ctx, &state.mdl[batch->slot[i]],
				   &batch->descs[i], &out.lock, false, rc);
		break;
	case WDDMCOMPAT_CMD_MAP:
		map_tried(batch->ctx, &state.mapping[batch->slot[i]], &in->map,
			  &out.map, false, rc);
		break;
	default:
		unmap_tried(batch->ctx, in->unmap.adapter, in->unmap.memory,
			    out.unmap.out_state, rc);
	}
}

/* Results that end where the process's memory does; with @last one too early */
static __s32 *batch_results(const struct batch *batch, bool last)
{
	return (__s32 *)stage_end(STAGE_RESULTS) - batch->num + last;
}

static void batch_run(struct batch *batch, enum how how, int want)
{
	struct wddmcompat_batch cmd = {
		.cmd = batch->cmd,
		.num_entries = batch->num,
	};
	__s32 *results = batch_results(batch, how == HOW_LAST);
	unsigned int tried = batch->num - (how == HOW_LAST), done = 0;
	int rc;

	cmd.entries = how == HOW_ARRAY ? 0 : (uintptr_t)batch->out;
	cmd.results = (uintptr_t)results;
	if (!want && batch->cmd != WDDMCOMPAT_CMD_MDL_LOCK &&
	    batch->cmd != WDDMCOMPAT_CMD_MAP &&
	    batch->cmd != WDDMCOMPAT_CMD_UNMAP)
		want = -EOPNOTSUPP;
	else if (!want && !batch->num)
		want = -EINVAL;
	else if (!want && (how == HOW_ARRAY || how == HOW_LAST))
		want = -EFAULT;
	rc = issue(batch->ctx, WDDMCOMPAT_BATCH, &cmd, sizeof(cmd), how);
	expect("batch", want, rc);
	if (rc && !(how == HOW_LAST && rc == -EFAULT))
		return;
	expect("entries that were tried", tried, cmd.out_num_tried);
	for (unsigned int i = 0; i < tried; i++) {
		batch_entry(batch, i, results[i]);
		done += !results[i];
	}
	expect("entries that are done", done, cmd.out_num_done);
}

/* batch ctx cmd how repeat, and five for each entry */
void do_batch(const __u64 *arg, unsigned int n)
{
	static struct batch batch;
	const enum how how = arg_how(arg[2]);
	const unsigned int given = n < 4 ? 0 : (n - 4) / BATCH_ARGS;
	const unsigned int num = given * (arg[3] % 128);

	batch = (struct batch){
		.ctx = arg_context(arg[0]),
		.cmd = arg[1],
		.size = arg[1] == WDDMCOMPAT_CMD_MDL_LOCK ?
				sizeof(struct wddmcompat_mdl_lock) :
			arg[1] == WDDMCOMPAT_CMD_MAP ?
				sizeof(struct wddmcompat_map) :
				sizeof(struct wddmcompat_unmap),
	};
	for (unsigned int i = 0; i < num && i < BATCH_MAX; i++)
		batch_add(&batch, arg + 4 + i % given * BATCH_ARGS, i / given);
	if (!batch_is_clear(&batch))
		return;
	batch.out = calloc(batch.num + 1, batch.size);
	for (unsigned int i = 0; i < batch.num; i++)
		memcpy(batch.out + i * batch.size, &batch.in[i], batch.size);
	batch_run(&batch, how,
		  judge_structure(batch.ctx, how, true, true));
	free(batch.out);
}

#define EVENTS_MAX 16

/**
 * struct subject - What an event can be of
 * @event: Is there one?
 * @state: It is revoked once there was one
 * @want: What the event says
 */
struct subject {
	enum event *event;
	enum known *state;
	struct wddmcompat_event want;
};

static bool find_subject(const struct context *ctx, __u64 handle,
			 struct subject *subject)
{
	struct object *obj = handle_find(ctx, handle);
	struct mapping *mapping;
	struct mdl *mdl = NULL;

	subject->want = (struct wddmcompat_event){
		.size = sizeof(subject->want),
		.type = WDDMCOMPAT_EVENT_REVOKED,
		.handle = handle,
	};
	if (!obj)
		return false;
	if (obj >= &state.mdl[0].obj && obj <= &state.mdl[MDLS - 1].obj) {
		mdl = (struct mdl *)obj;
		subject->event = &mdl->event;
		subject->state = &mdl->state;
		subject->want.length = mdl->num_pages * PAGE_SIZE;
		return true;
	}
	if (obj < &state.mapping[0].obj)
		return false;
	mapping = (struct mapping *)obj;
	if (mapping->state == IS_LIVE && mapping_is_unclear(mapping))
		mapping->event = PERHAPS_AN_EVENT;
	subject->event = &mapping->event;
	subject->state = &mapping->state;
	subject->want.adapter = mapping->adapter->obj.handle;
	subject->want.iova = mapping->iova;
	subject->want.length = mapping->num * PAGE_SIZE;
	return true;
}

/* How many events there are, at least and at most */
static void count_events(const struct context *ctx, unsigned int *min,
			 unsigned int *max)
{
	*min = 0;
	*max = 0;
	for (int i = 0; i < MDLS; i++)
		if (state.mdl[i].obj.ctx == ctx &&
		    state.mdl[i].event == AN_EVENT)
			(*min)++;
	for (int i = 0; i < MAPPINGS; i++) {
		const struct mapping *mapping = &state.mapping[i];

		if (mapping->obj.ctx != ctx)
			continue;
		if (mapping->event == AN_EVENT)
			(*min)++;
		else if (mapping->event == PERHAPS_AN_EVENT ||
			 (mapping->state == IS_LIVE &&
			  mapping_is_unclear(mapping)))
			(*max)++;
	}
	*max += *min;
}

static void event_read(const struct context *ctx,
		       const struct wddmcompat_event *event)
{
	struct subject subject;

	if (!find_subject(ctx, event->handle, &subject) ||
	    *subject.event == NO_EVENT)
		wrong("events: one of %#llx, which has none", event->handle);
	if (memcmp(event, &subject.want, sizeof(*event)))
		wrong("events: of %#llx with adapter %#llx iova %#llx length %#llx",
		      event->handle, event->adapter, event->iova,
		      event->length);
	*subject.event = NO_EVENT;
	*subject.state = IS_REVOKED;
}

/* events ctx room how: read them, as many as there is room for */
void do_events(const __u64 *arg, unsigned int n)
{
	struct context *ctx = arg_context(arg[0]);
	const unsigned int room = arg[1] % EVENTS_MAX;
	const enum how how = arg_how(arg[2]);
	struct wddmcompat_event events[EVENTS_MAX];
	struct pollfd poller = { .fd = ctx->fd, .events = POLLIN };
	unsigned int min, max, num;
	ssize_t got;

	(void)n;
	if (ctx->fd < 0)
		return;
	count_events(ctx, &min, &max);
	/* Those that may be may come at any time */
	poll(&poller, 1, 0);
	if (!(poller.revents & POLLIN) ? min : !max)
		wrong("events: poll says %#x with %u to %u events",
		      poller.revents, min, max);
	got = read(ctx->fd, how == HOW_NULL ? NULL : events,
		   room ? room * sizeof(*events) : sizeof(*events) - 1);
	if (got < 0)
		got = -errno;
	if (!room) {
		expect("events", -EINVAL, got);
		return;
	}
	if (!max || (got == -EAGAIN && !min)) {
		expect("events", -EAGAIN, got);
		return;
	}
	if (how == HOW_NULL) {
		expect("events", -EFAULT, got);
		return;
	}
	if (got <= 0 || got % sizeof(*events))
		wrong("events: %zd from read", got);
	count(0);
	num = got / sizeof(*events);
	if (num > room || num < (min < room ? min : room) || num > max)
		wrong("events: %u instead of %u to %u", num, min, max);
	for (unsigned int i = 0; i < num; i++)
		event_read(ctx, &events[i]);
}
