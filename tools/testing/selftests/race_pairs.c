// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every operation against every other, and against itself, on the same objects at
 * the same time, with delays that change from round to round.
 *
 * Each operation tells which results it has when it is alone, and which effects it
 * has on others; a table tells what an effect may make of a result. After each round
 * a handle is dead exactly if somebody has ended it, and after each pair nothing is
 * mapped or pinned.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "edu.h"
#include "fixture.h"
#include "kselftest_harness.h"
#include "round.h"
#include "tally.h"

/* Where things are in the adapter's IOAS */
#define MAPPED_IOVA 0x10000000
#define FIXED_IOVA 0x20000000

#define LEN (PAGES * PAGE_SIZE)

/* Of each pair, however slow the machine is */
#define LEAST_ROUNDS 5

/* What is told when a round was wrong: it may have begun in one before */
#define ROUNDS_KEPT 8

/* What handles name */
enum what {
	NOTHING,
	MAPPING, /* of BUSY_MDL, on BUSY_ADAPTER, at MAPPED_IOVA */
	BUSY_MDL,
	BUSY_ADAPTER,
	MDL, /* not mapped */
	ADAPTER, /* with no mapping */
	WHATS,
};

/* What operations do to others */
enum effect {
	ENDS_MAPPING = 1 << 0,
	ENDS_MDL = 1 << 1,
	ENDS_BUSY_MDL = 1 << 2,
	ENDS_ADAPTER = 1 << 3,
	ENDS_BUSY_ADAPTER = 1 << 4,
	USES_MDL = 1 << 5,
	USES_ADAPTER = 1 << 6,
	BINDS = 1 << 7,
	CLOSES_CONTEXT = 1 << 8,
	CLOSES_IOMMUFD = 1 << 9,
	REVOKES_MAPPINGS = 1 << 10,
	REVOKES_MDLS = 1 << 11,
	UNMAPS_FIXED = 1 << 12,
	TAKES_MAPPED_IOVA = 1 << 13,
	TAKES_FIXED_IOVA = 1 << 14,
	TAKES_MEMORY = 1 << 15,
	READS_EVENTS = 1 << 16,
	DETACHES = 1 << 17,
	LOCKS = 1 << 18,
	COPIES = 1 << 19,
};

struct arena;

/**
 * struct hand - What one of the threads does, and gets
 * @op: What it does
 * @result: What that returned
 * @handle: Made by it
 * @adapter: That @handle is mapped to, if it is a mapping
 */
struct hand {
	const struct op *op;
	int result;
	__u64 handle;
	__u64 adapter;
};

/**
 * struct arena - Where two operations meet
 * @round: Of the two threads
 * @env: IOAS and iommufd that outlive contexts
 * @edu: A device on the IOAS
 * @ctx: The context
 * @unbound: Another, that nobody has bound yet
 * @iommufd: The iommufd by another number, which may be closed
 * @mdl_ioas: Of @ctx
 * @handles: What they race about, by enum what
 * @hands: What the first thread does, and the second
 * @history: What they have done in the last rounds
 * @rounds: How many rounds there were
 */
struct arena {
	struct round round;
	struct env *env;
	struct edu *edu;
	__u8 *va;
	int ctx;
	int unbound;
	int iommufd;
	__u32 mdl_ioas;
	__u64 handles[WHATS];
	struct hand hands[2];
	struct hand history[ROUNDS_KEPT][2];
	unsigned long rounds;
};

/**
 * struct op - An operation
 * @name: Its name
 * @run: Returns 0 or more if it has done it
 * @results: What else it may return, whatever happens; ends with 0
 * @ends: What is gone when it has succeeded
 * @effects: What it may do to others
 */
struct op {
	const char *name;
	int (*run)(struct arena *arena, struct hand *hand);
	int results[3];
	enum what ends;
	unsigned int effects;
};

static int do_lock(struct arena *arena, struct hand *hand)
{
	return wddm_lock(arena->ctx, arena->va, LEN, MDL_WRITE, &hand->handle);
}

static int do_unlock(struct arena *arena, struct hand *hand)
{
	return wddm_unlock(arena->ctx, arena->handles[hand->op->ends]);
}

static int map_mdl(struct arena *arena, struct hand *hand, __u32 flags,
		   __u64 iova)
{
	int rc;

	hand->adapter = arena->handles[ADAPTER];
	rc = wddm_map_all(arena->ctx, hand->adapter, arena->handles[MDL], flags,
			  &iova, &hand->handle);
	return rc;
}

static int do_map(struct arena *arena, struct hand *hand)
{
	return map_mdl(arena, hand, MAP_WRITE, 0);
}

static int do_map_fixed(struct arena *arena, struct hand *hand)
{
	return map_mdl(arena, hand, MAP_WRITE | MAP_AT, FIXED_IOVA);
}

static int do_unmap(struct arena *arena, struct hand *hand)
{
	(void)hand;
	return wddm_unmap(arena->ctx, arena->handles[BUSY_ADAPTER],
			  arena->handles[MAPPING]);
}

static int do_query(struct arena *arena, struct hand *hand)
{
	struct wddmcompat_query query;

	(void)hand;
	return wddm_query(arena->ctx, arena->handles[MAPPING], &query);
}

static int do_batch(struct arena *arena, struct hand *hand)
{
	struct wddmcompat_unmap entry = {
		.size = sizeof(entry),
		.adapter = arena->handles[BUSY_ADAPTER],
		.memory = arena->handles[MAPPING],
	};
	__s32 result;
	struct wddmcompat_batch cmd = {
		.size = sizeof(cmd),
		.cmd = WDDMCOMPAT_CMD_UNMAP,
		.num_entries = 1,
		.entries = (uintptr_t)&entry,
		.results = (uintptr_t)&result,
	};

	(void)hand;
	return wddm_ioctl(arena->ctx, WDDMCOMPAT_BATCH, &cmd) ?: result;
}

static int do_create(struct arena *arena, struct hand *hand)
{
	return wddm_adapter_create(arena->ctx, arena->env->ioas, &hand->handle);
}

static int do_destroy(struct arena *arena, struct hand *hand)
{
	return wddm_adapter_destroy(arena->ctx,
				    arena->handles[hand->op->ends]);
}

static int do_bind(struct arena *arena, struct hand *hand)
{
	(void)hand;
	return wddm_bind(arena->unbound, arena->env->iommufd, NULL);
}

static int do_close(struct arena *arena, struct hand *hand)
{
	(void)hand;
	return close(arena->ctx) ? -errno : 0;
}

static int do_close_iommufd(struct arena *arena, struct hand *hand)
{
	(void)hand;
	return close(arena->iommufd) ? -errno : 0;
}

static int do_read(struct arena *arena, struct hand *hand)
{
	struct wddmcompat_event events[4];

	(void)hand;
	return read(arena->ctx, events, sizeof(events)) < 0 ? -errno : 0;
}

static int do_poll(struct arena *arena, struct hand *hand)
{
	struct pollfd pfd = { .fd = arena->ctx, .events = POLLIN };

	(void)hand;
	return poll(&pfd, 1, 0) < 0 ? -errno : 0;
}

static int do_raw_unmap(struct arena *arena, struct hand *hand)
{
	(void)hand;
	return ioas_unmap_range(arena->iommufd, arena->env->ioas, MAPPED_IOVA,
				LEN);
}

static int do_raw_unmap_fixed(struct arena *arena, struct hand *hand)
{
	(void)hand;
	return ioas_unmap_range(arena->iommufd, arena->env->ioas, FIXED_IOVA,
				LEN);
}

static int do_raw_unmap_all(struct arena *arena, struct hand *hand)
{
	const long length = ioas_unmap_all(arena->iommufd, arena->env->ioas);

	(void)hand;
	return length < 0 ? length : 0;
}

static int do_raw_unmap_mdls(struct arena *arena, struct hand *hand)
{
	const long length = ioas_unmap_all(arena->iommufd, arena->mdl_ioas);

	(void)hand;
	return length < 0 ? length : 0;
}

static int do_raw_map(struct arena *arena, struct hand *hand)
{
	(void)hand;
	return ioas_map_fixed(arena->iommufd, arena->env->ioas, arena->va, LEN,
			      MAPPED_IOVA);
}

static int do_raw_map_fixed(struct arena *arena, struct hand *hand)
{
	(void)hand;
	return ioas_map_fixed(arena->iommufd, arena->env->ioas, arena->va, LEN,
			      FIXED_IOVA);
}

static int do_raw_copy(struct arena *arena, struct hand *hand)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_READABLE,
		.dst_ioas_id = arena->env->ioas,
		.src_ioas_id = arena->env->ioas,
		.length = LEN,
		.src_iova = MAPPED_IOVA,
	};

	(void)hand;
	return ioctl(arena->iommufd, IOMMU_IOAS_COPY, &cmd) ? -errno : 0;
}

/*
 * Memory that comes and goes, at the same addresses. They are never free: somebody
 * else could get them, such as the module for its command page, which stays.
 */
static int map_over(struct arena *arena, int prot)
{
	return mmap(arena->va, LEN, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		    -1, 0) == MAP_FAILED ? -errno : 0;
}

static int do_munmap(struct arena *arena, struct hand *hand)
{
	(void)hand;
	return map_over(arena, PROT_NONE) ?:
	       map_over(arena, PROT_READ | PROT_WRITE);
}

static int do_mremap(struct arena *arena, struct hand *hand)
{
	void *va = mremap(arena->va, LEN, LEN,
			  MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);

	(void)hand;
	if (va == MAP_FAILED)
		return -errno;
	munmap(va, LEN);
	return 0;
}

static int do_mprotect(struct arena *arena, struct hand *hand)
{
	(void)hand;
	mprotect(arena->va, LEN, PROT_NONE);
	mprotect(arena->va, LEN, PROT_READ | PROT_WRITE);
	return 0;
}

static int do_madvise(struct arena *arena, struct hand *hand)
{
	(void)hand;
	madvise(arena->va, LEN, MADV_DONTNEED);
	return 0;
}

static int do_fork(struct arena *arena, struct hand *hand)
{
	const pid_t pid = fork();

	(void)arena;
	(void)hand;
	if (!pid)
		_exit(0);
	return pid > 0 ? wait_for(pid) : -errno;
}

static int do_detach(struct arena *arena, struct hand *hand)
{
	int rc;

	(void)hand;
	rc = edu_detach(arena->edu);
	return rc ?: edu_attach(arena->edu, arena->env->ioas);
}

#define ENDS_ALL (ENDS_MAPPING | ENDS_MDL | ENDS_BUSY_MDL | ENDS_ADAPTER |    \
		  ENDS_BUSY_ADAPTER | CLOSES_CONTEXT)

static const struct op ops[] = {
	{ "lock", do_lock, {}, 0, LOCKS },
	{ "unlock", do_unlock, {}, MDL, ENDS_MDL },
	{ "unlock busy", do_unlock, { -EBUSY }, BUSY_MDL, ENDS_BUSY_MDL },
	{ "map", do_map, {}, 0, USES_MDL | USES_ADAPTER },
	{ "map fixed", do_map_fixed, {}, 0,
	  USES_MDL | USES_ADAPTER | TAKES_FIXED_IOVA },
	{ "unmap", do_unmap, {}, MAPPING, ENDS_MAPPING },
	{ "query", do_query, {}, 0, 0 },
	{ "batch unmap", do_batch, {}, MAPPING, ENDS_MAPPING },
	{ "create adapter", do_create, {}, 0, 0 },
	{ "destroy adapter", do_destroy, {}, ADAPTER, ENDS_ADAPTER },
	{ "destroy busy adapter", do_destroy, { -EBUSY }, BUSY_ADAPTER,
	  ENDS_BUSY_ADAPTER },
	{ "bind", do_bind, {}, 0, BINDS },
	{ "close", do_close, {}, 0, ENDS_ALL },
	{ "close iommufd", do_close_iommufd, {}, 0, CLOSES_IOMMUFD },
	{ "read", do_read, { -EAGAIN }, 0, READS_EVENTS },
	{ "poll", do_poll, {}, 0, 0 },
	{ "raw unmap", do_raw_unmap, {}, 0, REVOKES_MAPPINGS },
	{ "raw unmap fixed", do_raw_unmap_fixed, { -ENOENT }, 0, UNMAPS_FIXED },
	{ "raw unmap all", do_raw_unmap_all, {}, 0,
	  REVOKES_MAPPINGS | UNMAPS_FIXED },
	{ "raw unmap mdls", do_raw_unmap_mdls, {}, 0, REVOKES_MDLS },
	{ "raw map", do_raw_map, { -EEXIST }, 0, TAKES_MAPPED_IOVA },
	{ "raw map fixed", do_raw_map_fixed, {}, 0, TAKES_FIXED_IOVA },
	{ "raw copy", do_raw_copy, {}, 0, COPIES },
	{ "munmap", do_munmap, {}, 0, TAKES_MEMORY },
	{ "mremap", do_mremap, {}, 0, TAKES_MEMORY },
	{ "mprotect", do_mprotect, {}, 0, TAKES_MEMORY },
	{ "madvise", do_madvise, {}, 0, 0 },
	{ "fork", do_fork, {}, 0, 0 },
	{ "detach and attach", do_detach, {}, 0, DETACHES },
};

/**
 * struct rule - What an effect may make of an operation's result
 * @run: The operation
 * @effects: Any of these
 * @result: The result
 */
struct rule {
	int (*run)(struct arena *arena, struct hand *hand);
	unsigned int effects;
	int result;
};

static const struct rule rules[] = {
	/* It has no memory to lock, or none that may be written */
	{ do_lock, TAKES_MEMORY, -EFAULT },
	{ do_lock, REVOKES_MDLS, -ESTALE },
	{ do_lock, CLOSES_CONTEXT, -EBADF },

	{ do_unlock, ENDS_MDL | ENDS_BUSY_MDL, -ENOENT },
	{ do_unlock, USES_MDL, -EBUSY },
	{ do_unlock, CLOSES_CONTEXT, -EBADF },

	{ do_map, ENDS_MDL | ENDS_ADAPTER, -ENOENT },
	{ do_map, REVOKES_MDLS, -EIDRM },
	{ do_map, REVOKES_MDLS | REVOKES_MAPPINGS, -ESTALE },
	{ do_map, CLOSES_CONTEXT, -EBADF },
	{ do_map_fixed, ENDS_MDL | ENDS_ADAPTER, -ENOENT },
	{ do_map_fixed, REVOKES_MDLS, -EIDRM },
	{ do_map_fixed, REVOKES_MDLS | UNMAPS_FIXED, -ESTALE },
	{ do_map_fixed, TAKES_FIXED_IOVA, -EEXIST },
	{ do_map_fixed, CLOSES_CONTEXT, -EBADF },

	{ do_unmap, ENDS_MAPPING, -ENOENT },
	{ do_unmap, CLOSES_CONTEXT, -EBADF },
	{ do_batch, ENDS_MAPPING, -ENOENT },
	{ do_batch, CLOSES_CONTEXT, -EBADF },
	{ do_query, ENDS_MAPPING, -ENOENT },
	{ do_query, CLOSES_CONTEXT, -EBADF },

	{ do_create, CLOSES_CONTEXT, -EBADF },
	{ do_destroy, ENDS_ADAPTER | ENDS_BUSY_ADAPTER, -ENOENT },
	{ do_destroy, USES_ADAPTER, -EBUSY },
	{ do_destroy, CLOSES_CONTEXT, -EBADF },
	{ do_bind, BINDS, -EBUSY },
	{ do_close, CLOSES_CONTEXT, -EBADF },
	{ do_close_iommufd, CLOSES_IOMMUFD, -EBADF },
	{ do_read, CLOSES_CONTEXT, -EBADF },

	/* It was there, was not, or somebody else was at it */
	{ do_raw_unmap, ENDS_MAPPING | REVOKES_MAPPINGS, -ENOENT },
	{ do_raw_unmap, ENDS_MAPPING | REVOKES_MAPPINGS, -EBUSY },
	{ do_raw_unmap, CLOSES_IOMMUFD, -EBADF },
	{ do_raw_unmap_fixed, TAKES_FIXED_IOVA | UNMAPS_FIXED, -EBUSY },
	{ do_raw_unmap_fixed, CLOSES_IOMMUFD, -EBADF },
	{ do_raw_unmap_all, ENDS_MAPPING | REVOKES_MAPPINGS, -EBUSY },
	{ do_raw_unmap_all, TAKES_FIXED_IOVA | UNMAPS_FIXED, -EBUSY },
	{ do_raw_unmap_all, TAKES_MAPPED_IOVA | USES_MDL | COPIES, -EBUSY },
	{ do_raw_unmap_all, CLOSES_IOMMUFD, -EBADF },
	/* An area that is on its way in or out */
	{ do_raw_unmap_mdls, LOCKS | ENDS_MDL | REVOKES_MDLS, -EBUSY },
	/* The IOAS goes with its context */
	{ do_raw_unmap_mdls, CLOSES_CONTEXT, -ENOENT },
	{ do_raw_unmap_mdls, CLOSES_IOMMUFD, -EBADF },
	{ do_raw_map, CLOSES_IOMMUFD, -EBADF },
	{ do_raw_map, TAKES_MEMORY, -EFAULT },
	{ do_raw_map_fixed, TAKES_FIXED_IOVA, -EEXIST },
	{ do_raw_map_fixed, TAKES_MEMORY, -EFAULT },
	{ do_raw_map_fixed, CLOSES_IOMMUFD, -EBADF },
	{ do_raw_copy, ENDS_MAPPING | REVOKES_MAPPINGS, -ENOENT },
	{ do_raw_copy, CLOSES_IOMMUFD, -EBADF },
	/* The device was not attached when the other came to it */
	{ do_detach, DETACHES, -EINVAL },
};

#define NUM_OPS ARRAY_SIZE(ops)

static bool is_allowed(const struct hand *hand, const struct op *other)
{
	if (hand->result >= 0)
		return true;
	for (const int *result = hand->op->results; *result; result++)
		if (*result == hand->result)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].run == hand->op->run &&
		    rules[i].effects & other->effects &&
		    rules[i].result == hand->result)
			return true;
	return false;
}

static void hand_run(struct arena *arena, struct hand *hand)
{
	hand->handle = 0;
	hand->result = hand->op->run(arena, hand);
}

static int second_hand(struct round *round)
{
	struct arena *arena = (struct arena *)round;

	hand_run(arena, &arena->hands[1]);
	return 0;
}

static void remember(struct arena *arena)
{
	memcpy(arena->history[arena->rounds++ % ROUNDS_KEPT], arena->hands,
	       sizeof(arena->hands));
}

/* Whether it is so; if not, what has led to it */
static bool is_so(const struct arena *arena, bool so)
{
	for (int i = 0; !so && i < ROUNDS_KEPT; i++) {
		const struct hand *hands =
			arena->history[(arena->rounds + i) % ROUNDS_KEPT];

		if (hands->op)
			fprintf(stderr, "# %s: %d; %s: %d\n",
				hands[0].op->name, hands[0].result,
				hands[1].op->name, hands[1].result);
	}
	return so;
}

#define CHECK_ROUND(arena, cond) \
	check(is_so(arena, cond), #cond, __FILE__, __LINE__)

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int lock(struct arena *arena, enum what what)
{
	return wddm_lock(arena->ctx, arena->va, LEN, MDL_WRITE,
			 &arena->handles[what]);
}

static int create(struct arena *arena, enum what what)
{
	return wddm_adapter_create(arena->ctx, arena->env->ioas,
				   &arena->handles[what]);
}

static int map_busy(struct arena *arena)
{
	__u64 iova = MAPPED_IOVA;

	return wddm_map_all(arena->ctx, arena->handles[BUSY_ADAPTER],
			    arena->handles[BUSY_MDL], MAP_WRITE | MAP_AT, &iova,
			    &arena->handles[MAPPING]);
}

/* Have all that a round needs, whatever of it is left of the one before */
static void prepare(struct arena *arena)
{
	if (!is_open(arena->ctx)) {
		memset(arena->handles, 0, sizeof(arena->handles));
		arena->ctx = open_context();
		CHECK_ROUND(arena, !wddm_bind(arena->ctx, arena->env->iommufd,
					      &arena->mdl_ioas));
		CHECK_ROUND(arena, !fcntl(arena->ctx, F_SETFL, O_NONBLOCK));
	}
	if (!is_open(arena->iommufd))
		arena->iommufd = dup(arena->env->iommufd);
	if (!is_open(arena->unbound))
		arena->unbound = open_context();
	for (enum what what = BUSY_MDL; what < WHATS; what++) {
		if (arena->handles[what])
			continue;
		if (what == BUSY_MDL || what == MDL)
			CHECK_ROUND(arena, !lock(arena, what));
		else
			CHECK_ROUND(arena, !create(arena, what));
	}
	if (!arena->handles[MAPPING])
		CHECK_ROUND(arena, !map_busy(arena));
}

static void end_mapping(struct arena *arena)
{
	const int rc = wddm_unmap(arena->ctx, arena->handles[BUSY_ADAPTER],
				  arena->handles[MAPPING]);

	CHECK_ROUND(arena, rc >= 0);
	arena->handles[MAPPING] = 0;
}

/* A handle is dead if somebody has ended it; one that is revoked is replaced */
static void settle_handle(struct arena *arena, enum what what)
{
	const __u64 handle = arena->handles[what];
	struct wddmcompat_query query;
	int ended = 0, rc;

	for (int i = 0; i < 2; i++)
		ended += arena->hands[i].op->ends == what &&
			 arena->hands[i].result >= 0;
	rc = wddm_query(arena->ctx, handle, &query);
	/* One has ended it, and no other says so */
	CHECK_ROUND(arena, ended <= 1);
	CHECK_ROUND(arena, rc == (ended ? -ENOENT : 0));
	if (rc)
		arena->handles[what] = 0;
	if (rc || query.out_state == WDDMCOMPAT_STATE_LIVE)
		return;
	if (arena->handles[MAPPING] && what != MDL)
		end_mapping(arena);
	if (what != MAPPING)
		CHECK_ROUND(arena, wddm_unlock(arena->ctx, handle) == REVOKED);
	arena->handles[what] = 0;
}

/* What an operation has made */
static void settle_hand(struct arena *arena, const struct hand *hand)
{
	struct wddmcompat_query query;

	if (!hand->handle)
		return;
	CHECK_ROUND(arena, !wddm_query(arena->ctx, hand->handle, &query));
	switch (query.out_type) {
	case WDDMCOMPAT_OBJECT_MAPPING:
		CHECK_ROUND(arena, (int)query.out_state ==
			    wddm_unmap(arena->ctx, hand->adapter, hand->handle));
		break;
	case WDDMCOMPAT_OBJECT_MDL:
		CHECK_ROUND(arena, (int)query.out_state ==
			    wddm_unlock(arena->ctx, hand->handle));
		break;
	default:
		CHECK_ROUND(arena, !wddm_adapter_destroy(arena->ctx, hand->handle));
	}
}

/* What raw mappings there are is known: a handle that is dead has left nothing */
static void settle_iovas(struct arena *arena)
{
	long length = ioas_unmap_all(arena->env->iommufd, arena->env->ioas);

	for (int i = 0; i < 2; i++) {
		int (*run)(struct arena *arena, struct hand *hand) =
			arena->hands[i].op->run;

		if (arena->hands[i].result >= 0 &&
		    (run == do_raw_map || run == do_raw_map_fixed ||
		     run == do_raw_copy))
			length -= LEN;
	}
	if (arena->handles[MAPPING]) {
		length -= LEN;
		end_mapping(arena);
	}
	/* Less, if what the one has mapped the other has unmapped */
	CHECK_ROUND(arena, length <= 0);
}

static bool is_raw(const struct op *op)
{
	return !strncmp(op->name, "raw ", 4);
}

/* After a round: is everything what the results say it is? */
static void settle(struct arena *arena)
{
	if (!is_open(arena->ctx)) {
		memset(arena->handles, 0, sizeof(arena->handles));
		settle_iovas(arena);
		return;
	}
	for (int i = 0; i < 2; i++)
		settle_hand(arena, &arena->hands[i]);
	for (enum what what = MAPPING; what < WHATS; what++)
		settle_handle(arena, what);
	if (is_raw(arena->hands[0].op) || is_raw(arena->hands[1].op))
		settle_iovas(arena);
}

/* A context is bound once */
static void settle_unbound(struct arena *arena)
{
	if (arena->hands[0].op->effects & BINDS ||
	    arena->hands[1].op->effects & BINDS) {
		CHECK_ROUND(arena, -EBUSY == wddm_bind(arena->unbound,
						       arena->env->iommufd,
						       NULL));
		close(arena->unbound);
	}
}

static void pair_round(struct arena *arena)
{
	prepare(arena);
	shuffle(&arena->round);
	go(&arena->round);
	hand_run(arena, &arena->hands[0]);
	meet(&arena->round);
	remember(arena);
	for (int i = 0; i < 2; i++) {
		const struct hand *hand = &arena->hands[i];

		if (is_allowed(hand, arena->hands[!i].op))
			continue;
		CHECK_ROUND(arena, is_allowed(hand, arena->hands[!i].op));
	}
	settle(arena);
	settle_unbound(arena);
}

static void arena_open(struct arena *arena, struct env *env, struct edu *edu)
{
	*arena = (struct arena){
		.round.contender = second_hand,
		.env = env,
		.edu = edu,
		.va = anon_pages(PAGES),
		.ctx = -1,
		.unbound = -1,
		.iommufd = -1,
	};
	start(&arena->round);
}

static void arena_close(struct arena *arena)
{
	finish(&arena->round);
	close(arena->ctx);
	close(arena->unbound);
	close(arena->iommufd);
	munmap(arena->va, LEN);
}

FIXTURE(race_pairs)
{
	struct env env;
	struct edu edu;
};

FIXTURE_SETUP(race_pairs)
{
	self->edu.fd = -1;
	ASSERT_EQ(0, env_open(&self->env));
	ASSERT_EQ(0, edu_open(&self->edu, 0, self->env.iommufd));
	ASSERT_EQ(0, edu_attach(&self->edu, self->env.ioas));
}

FIXTURE_TEARDOWN(race_pairs)
{
	edu_close(&self->edu);
	EXPECT_TRUE(env_close(&self->env));
}

/* One operation against itself and all that come after it */
static long race_against_all(struct env *env, struct edu *edu, size_t first)
{
	struct arena arena;
	long rounds = 0;

	arena_open(&arena, env, edu);
	for (size_t second = first; second < NUM_OPS; second++) {
		const long deadline = now_ms() + race_ms(100);
		int least = LEAST_ROUNDS;

		arena.hands[0].op = &ops[first];
		arena.hands[1].op = &ops[second];
		do {
			pair_round(&arena);
			rounds++;
		} while (--least > 0 || now_ms() < deadline);
	}
	arena_close(&arena);
	return rounds;
}

TEST_F_TIMEOUT(race_pairs, all, 3600)
{
	for (size_t first = 0; first < NUM_OPS; first++) {
		const long rounds = race_against_all(&self->env, &self->edu,
						     first);

		TH_LOG("%s: %ld rounds in %zu pairs", ops[first].name, rounds,
		       NUM_OPS - first);
		ASSERT_TRUE(pins_are_back(&self->env));
		ASSERT_EQ(0, ioas_unmap_all(self->env.iommufd, self->env.ioas));
	}
}

/* Random pairs, in an arena that is a copy of the parent's, until somebody kills us */
static int race_until_killed(int sock, void *arg)
{
	const struct arena *parent = arg;
	struct arena arena;

	arena_open(&arena, parent->env, parent->edu);
	CHECK(!tell(sock, 1));
	for (;;) {
		for (int i = 0; i < 2; i++)
			arena.hands[i].op = &ops[random() % NUM_OPS];
		pair_round(&arena);
	}
	return 0;
}

TEST_F_TIMEOUT(race_pairs, killed, 3600)
{
	const long deadline = now_ms() + race_ms(5000);
	struct arena arena = { .env = &self->env, .edu = &self->edu };
	int kills = 0, sock;
	__u64 number;
	pid_t pid;

	do {
		pid = spawn(race_until_killed, &arena, &sock);
		ASSERT_LT(0, pid);
		ASSERT_EQ(0, hear(sock, &number));
		usleep(random() % 200000);
		EXPECT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(128 + SIGKILL, wait_for(pid));
		close(sock);
		/* It may have been killed while the device was detached */
		edu_attach(&self->edu, self->env.ioas);
		ASSERT_LE(0, ioas_unmap_all(self->env.iommufd, self->env.ioas));
		ASSERT_TRUE(pins_are_back(&self->env));
		kills++;
		tally_add(TALLY_KILLS, 1);
	} while (now_ms() < deadline);
	TH_LOG("%d kills", kills);
}

int main(int argc, char **argv)
{
	tally_open("race_pairs");
	return test_harness_run(argc, argv);
}
