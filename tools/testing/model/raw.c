// SPDX-License-Identifier: GPL-2.0-only
/* What the holder of an iommufd can do by iommufd's own ioctls */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "model.h"

/* Pages in one raw mapping, at most; and bytes of any number that makes sense */
#define RAW_PAGES 64

static int slot_fd(__u64 arg)
{
	return state.iommufd[arg % IOMMUFDS].fd;
}

static struct iommufd *slot_iommufd(__u64 arg)
{
	return state.iommufd[arg % IOMMUFDS].iommufd;
}

static int do_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

/* fopen iommufd */
void do_fopen(const __u64 *arg, unsigned int n)
{
	const unsigned int slot = arg[0] % IOMMUFDS;
	int fd;

	(void)n;
	if (state.iommufd[slot].fd >= 0)
		return;
	fd = open_iommufd();
	if (fd < 0)
		wrong("open of an iommufd: %s", strerror(-fd));
	state.iommufd[slot].fd = fd;
	state.iommufd[slot].iommufd = iommufd_get(NULL);
}

/* fclose iommufd: what is bound to it keeps it. While a mapping is loose the model has to look. */
void do_fclose(const __u64 *arg, unsigned int n)
{
	const unsigned int slot = arg[0] % IOMMUFDS;

	(void)n;
	if (state.iommufd[slot].fd < 0 ||
	    iommufd_has_loose(state.iommufd[slot].iommufd))
		return;
	close(state.iommufd[slot].fd);
	state.iommufd[slot].fd = -1;
	iommufd_put(state.iommufd[slot].iommufd);
	state.iommufd[slot].iommufd = NULL;
}

/* ialloc iommufd to */
void do_ialloc(const __u64 *arg, unsigned int n)
{
	struct ioas *ioas = &state.ioas[ref_slot(arg[1], IOASES)];
	const int fd = slot_fd(arg[0]);
	__u32 id;

	(void)n;
	if (fd < 0 || ioas->live)
		return;
	expect("IOAS_ALLOC", 0, ioas_alloc(fd, &id));
	if (ioas_by_id(slot_iommufd(arg[0]), id))
		wrong("IOAS_ALLOC: %u is in use", id);
	ioas_init(ioas, slot_iommufd(arg[0]), id);
}

/* idestroy iommufd ioas */
void do_idestroy(const __u64 *arg, unsigned int n)
{
	const __u32 id = arg_ioas_id(arg[1]);
	const int fd = slot_fd(arg[0]);
	struct ioas *ioas;
	int rc, want = 0;

	(void)n;
	if (fd < 0)
		return;
	ioas = ioas_by_id(slot_iommufd(arg[0]), id);
	rc = iommufd_destroy(fd, id);
	if (!ioas)
		/* It may be an access of the module, or a device */
		want = rc == -EBUSY ? rc : -ENOENT;
	else if (ioas->adapters || ioas->attached || ioas->mdls_of)
		want = -EBUSY;
	expect("DESTROY", want, rc);
	if (!rc)
		ioas_fini(ioas);
}

/*
 * Where to put something in an IOAS, and what is said to that. What begins within a
 * page cannot be where pages are asked for.
 */
static int judge_place(const struct ioas *ioas, bool fixed, __u64 iova,
		       __u64 start, __u64 length, int rc)
{
	if (length & (ioas_alignment(ioas) - 1))
		return -EINVAL;
	if (fixed)
		return ioas_check(ioas, iova, length);
	if (start & (ioas_alignment(ioas) - 1))
		return -EINVAL;
	/* The alignment that iommufd chooses is its own affair */
	if (ioas_has_room(ioas, length + PAGE_SIZE, HUGE_SIZE))
		return 0;
	if (!ioas_has_room(ioas, length, 1))
		return -ENOSPC;
	return rc == -ENOSPC ? rc : 0;
}

static void check_place(const struct ioas *ioas, bool fixed, __u64 asked,
			__u64 iova, __u64 length)
{
	if (fixed ? iova != asked :
		    !iova || ioas_check(ioas, iova, length) ||
			    !ioas_is_allowed(ioas, iova, length))
		wrong("a wrong IOVA, %#llx", iova);
}

static void raw_made(__u64 to, __u64 iova, __u64 length)
{
	state.raw[ref_slot(to, RAWS)] = (struct raw){ iova, length };
}

static int judge_map_flags(__u32 flags, bool overflow)
{
	if (flags & ~(IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
		      IOMMU_IOAS_MAP_WRITEABLE))
		return -EOPNOTSUPP;
	if (overflow)
		return -EOVERFLOW;
	if (!(flags & (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)))
		return -EINVAL;
	return 0;
}

/* imap iommufd ioas page offset length flags base offset to */
void do_imap(const __u64 *arg, unsigned int n)
{
	const int fd = slot_fd(arg[0]);
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = arg[5],
		.ioas_id = arg_ioas_id(arg[1]),
		.user_va = (arg[2] < ARENA_PAGES ?
				    (uintptr_t)arena_at(arg[2]) :
				    arg[2]) +
			   arg[3] % PAGE_SIZE,
		.length = arg[4] % (RAW_PAGES * PAGE_SIZE),
		.iova = arg_address(arg[6], arg[7]),
	};
	const struct iommu_ioas_map in = cmd;
	const bool fixed = in.flags & IOMMU_IOAS_MAP_FIXED_IOVA;
	const __u64 start = in.user_va % PAGE_SIZE;
	const unsigned long num = (start + in.length + PAGE_SIZE - 1) /
				  PAGE_SIZE;
	struct pages *pages;
	struct ioas *ioas;
	int rc, want;

	(void)n;
	if (fd < 0)
		return;
	ioas = ioas_by_id(slot_iommufd(arg[0]), in.ioas_id);
	pages = pages_new(in.user_va - start, num,
			  in.flags & IOMMU_IOAS_MAP_WRITEABLE);
	if (ioas && ioas->attached && !pages_pin_is_clear(pages, 0, num))
		goto out_pages;
	rc = do_ioctl(fd, IOMMU_IOAS_MAP, &cmd);
	want = judge_map_flags(in.flags, in.iova == UINT64_MAX);
	if (!want && !ioas)
		want = -ENOENT;
	else if (!want && in.user_va + in.length < in.user_va)
		want = -EOVERFLOW;
	else if (!want && !in.length)
		want = -EINVAL;
	want = want ?: judge_place(ioas, fixed, in.iova, start, in.length, rc);
	if (!want && start & (ioas_alignment(ioas) - 1))
		want = -EINVAL;
	else if (!want && ioas->attached && !pages_can_pin(pages, 0, num))
		want = -EFAULT;
	expect("IOAS_MAP", want, rc);
	if (rc)
		goto out_pages;
	check_place(ioas, fixed, in.iova, cmd.iova, in.length);
	area_add(ioas, cmd.iova, in.length, pages, start, pages->writable);
	raw_made(arg[8], cmd.iova, in.length);
	for (unsigned long i = 0; i < num; i++)
		arena_give(pages->va + i * PAGE_SIZE);

out_pages:
	pages_put(pages);
}

/* Areas without a gap from first to last, or -ENOENT */
static int judge_source(const struct ioas *ioas, __u64 first, __u64 last)
{
	struct area *area;

	for (;;) {
		area = area_find(ioas, first, first);
		if (!area)
			return -ENOENT;
		if (area->iova + area->length - 1 >= last)
			return 0;
		first = area->iova + area->length;
	}
}

/**
 * struct piece - What is copied of one area
 * @pages: From it
 * @start: Where in them
 * @length: Bytes
 */
struct piece {
	struct pages *pages;
	__u64 start;
	__u64 length;
};

static unsigned int pieces_of(const struct ioas *ioas, __u64 first,
			      __u64 length, struct piece *pieces,
			      unsigned int max)
{
	const __u64 last = first + length - 1;
	unsigned int num = 0;

	while (num < max) {
		struct area *area = area_find(ioas, first, first);
		__u64 end = area->iova + area->length - 1;

		if (end > last)
			end = last;
		pieces[num++] = (struct piece){
			area->pages,
			area->start + (first - area->iova),
			end - first + 1,
		};
		if (end == last)
			break;
		first = end + 1;
	}
	return num;
}

static unsigned long piece_first(const struct piece *piece)
{
	return piece->start / PAGE_SIZE;
}

static unsigned long piece_num(const struct piece *piece)
{
	return (piece->start + piece->length - 1) / PAGE_SIZE -
	       piece_first(piece) + 1;
}

/* What a device sees is pinned: can it be, and does the model know with which end? */
static bool pieces_are_clear(const struct piece *pieces, unsigned int num)
{
	for (unsigned int i = 0; i < num; i++)
		if (!pages_pin_is_clear(pieces[i].pages,
					piece_first(&pieces[i]),
					piece_num(&pieces[i])))
			return false;
	return true;
}

static int judge_pieces(const struct ioas *dst, const struct piece *pieces,
			unsigned int num, bool write)
{
	for (unsigned int i = 0; i < num; i++) {
		if (write && !pieces[i].pages->writable)
			return -EPERM;
		if (pieces[i].start & (ioas_alignment(dst) - 1))
			return -EINVAL;
	}
	for (unsigned int i = 0; dst->attached && i < num; i++)
		if (!pages_can_pin(pieces[i].pages, piece_first(&pieces[i]),
				   piece_num(&pieces[i])))
			return -EFAULT;
	return 0;
}

#define PIECES 1200

/* icopy iommufd dst src base offset length flags base offset to */
void do_icopy(const __u64 *arg, unsigned int n)
{
	static struct piece pieces[PIECES];
	const int fd = slot_fd(arg[0]);
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = arg[6],
		.dst_ioas_id = arg_ioas_id(arg[1]),
		.src_ioas_id = arg_ioas_id(arg[2]),
		.src_iova = arg_address(arg[3], arg[4]),
		.length = arg[5],
		.dst_iova = arg_address(arg[7], arg[8]),
	};
	const struct iommu_ioas_copy in = cmd;
	const bool fixed = in.flags & IOMMU_IOAS_MAP_FIXED_IOVA;
	bool overflow;
	struct ioas *src, *dst;
	unsigned int num = 0;
	int rc, want;
	__u64 last = 0, iova;

	(void)n;
	if (fd < 0)
		return;
	src = ioas_by_id(slot_iommufd(arg[0]), in.src_ioas_id);
	dst = ioas_by_id(slot_iommufd(arg[0]), in.dst_ioas_id);
	overflow = in.length == UINT64_MAX || in.src_iova == UINT64_MAX ||
		   in.dst_iova == UINT64_MAX;
	want = judge_map_flags(in.flags, overflow);
	if (!want && !src)
		want = -ENOENT;
	else if (!want && !in.length)
		want = -EINVAL;
	else if (!want &&
		 __builtin_add_overflow(in.src_iova, in.length - 1, &last))
		want = -EOVERFLOW;
	want = want ?: judge_source(src, in.src_iova, last);
	if (!want)
		num = pieces_of(src, in.src_iova, in.length, pieces, PIECES);
	if (!want && !dst)
		want = -ENOENT;
	if (!want && dst->attached && !pieces_are_clear(pieces, num))
		return;
	rc = do_ioctl(fd, IOMMU_IOAS_COPY, &cmd);
	want = want ?: judge_place(dst, fixed, in.dst_iova, pieces[0].start,
				   in.length, rc);
	want = want ?: judge_pieces(dst, pieces, num,
				    in.flags & IOMMU_IOAS_MAP_WRITEABLE);
	expect("IOAS_COPY", want, rc);
	if (rc)
		return;
	check_place(dst, fixed, in.dst_iova, cmd.dst_iova, in.length);
	iova = cmd.dst_iova;
	for (unsigned int i = 0; i < num; i++) {
		area_add(dst, iova, pieces[i].length, pieces[i].pages,
			 pieces[i].start,
			 in.flags & IOMMU_IOAS_MAP_WRITEABLE);
		iova += pieces[i].length;
	}
	raw_made(arg[9], cmd.dst_iova, in.length);
}

/* The module may have given up more than the model knows */
static void ask(struct ioas *ioas)
{
	if (ioas->mdls_of)
		mdls_ask(ioas->mdls_of);
}

/* iunmap iommufd ioas base offset length */
void do_iunmap(const __u64 *arg, unsigned int n)
{
	const int fd = slot_fd(arg[0]);
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = arg_ioas_id(arg[1]),
		.iova = arg_address(arg[2], arg[3]),
		.length = arg[4],
	};
	const struct iommu_ioas_unmap in = cmd;
	__u64 last, unmapped = 0;
	struct ioas *ioas;
	int want = 0, rc;

	(void)n;
	if (fd < 0 || (!in.iova && in.length == UINT64_MAX))
		return;
	ioas = ioas_by_id(slot_iommufd(arg[0]), in.ioas_id);
	rc = do_ioctl(fd, IOMMU_IOAS_UNMAP, &cmd);
	if (!ioas)
		want = -ENOENT;
	else if (in.iova == UINT64_MAX || in.length == UINT64_MAX)
		want = -EOVERFLOW;
	else if (!in.length)
		want = -EINVAL;
	else if (__builtin_add_overflow(in.iova, in.length - 1, &last))
		want = -EOVERFLOW;
	else
		want = ioas_unmap(ioas, in.iova, last, &unmapped) ?:
		       unmapped ? 0 : -ENOENT;
	expect("IOAS_UNMAP", want, rc);
	if (!rc && cmd.length != unmapped)
		wrong("IOAS_UNMAP: %#llx bytes instead of %#llx", cmd.length,
		      unmapped);
	if (ioas)
		ask(ioas);
}

/* iclear iommufd ioas */
void do_iclear(const __u64 *arg, unsigned int n)
{
	const int fd = slot_fd(arg[0]);
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = arg_ioas_id(arg[1]),
		.length = UINT64_MAX,
	};
	struct ioas *ioas;
	__u64 unmapped;
	int rc;

	(void)n;
	if (fd < 0)
		return;
	ioas = ioas_by_id(slot_iommufd(arg[0]), cmd.ioas_id);
	rc = do_ioctl(fd, IOMMU_IOAS_UNMAP, &cmd);
	if (!ioas) {
		expect("IOAS_UNMAP of all", -ENOENT, rc);
		return;
	}
	expect("IOAS_UNMAP of all",
	       ioas_unmap(ioas, 0, UINT64_MAX, &unmapped), rc);
	if (cmd.length != unmapped)
		wrong("IOAS_UNMAP of all: %#llx bytes instead of %#llx",
		      cmd.length, unmapped);
	ask(ioas);
}

static int judge_allow(const struct ioas *ioas, const struct span *spans,
		       unsigned int num)
{
	for (unsigned int i = 0; i < num; i++) {
		if (spans[i].first >= spans[i].last)
			return -EINVAL;
		for (unsigned int j = 0; j < i; j++)
			if (spans[i].first <= spans[j].last &&
			    spans[j].first <= spans[i].last)
				return -EINVAL;
	}
	for (unsigned int i = 0; i < num; i++)
		for (unsigned int j = 0; j < ioas->num_reserved; j++)
			if (spans[i].first <= ioas->reserved[j].last &&
			    ioas->reserved[j].first <= spans[i].last)
				return -EADDRINUSE;
	return 0;
}

/* Adjacent ranges are one to iommufd: what is there can be in both */
static void allow_spans(struct ioas *ioas, struct span *spans,
			unsigned int num)
{
	unsigned int i = 0, j;

	while (i < num) {
		for (j = 0; j < num; j++)
			if (spans[i].last + 1 == spans[j].first)
				break;
		if (j == num) {
			i++;
			continue;
		}
		spans[j].first = spans[i].first;
		spans[i] = spans[--num];
	}
	memcpy(ioas->allowed, spans, num * sizeof(*spans));
	ioas->num_allowed = num;
}

/* allow iommufd ioas, and two for each range: first last */
void do_allow(const __u64 *arg, unsigned int n)
{
	const int fd = slot_fd(arg[0]);
	struct span spans[3];
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = arg_ioas_id(arg[1]),
		.allowed_iovas = (uintptr_t)spans,
	};
	struct ioas *ioas;
	int want, rc;

	if (fd < 0)
		return;
	for (; cmd.num_iovas < 3 && 2 * cmd.num_iovas + 3 < n; cmd.num_iovas++)
		spans[cmd.num_iovas] =
			(struct span){ arg[2 * cmd.num_iovas + 2],
				       arg[2 * cmd.num_iovas + 3] };
	ioas = ioas_by_id(slot_iommufd(arg[0]), cmd.ioas_id);
	want = ioas ? judge_allow(ioas, spans, cmd.num_iovas) : -ENOENT;
	rc = do_ioctl(fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
	expect("IOAS_ALLOW_IOVAS", want, rc);
	if (rc)
		return;
	allow_spans(ioas, spans, cmd.num_iovas);
}
