// SPDX-License-Identifier: GPL-2.0-only
/* One call after the other with each point on its way failing */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "sweep.h"
#include "tally.h"

/* How long the kernel may take to tidy up */
#define SETTLE_MS 5000

/* How often a way is to be free before it is believed to be: it varies in length */
#define FREE_TIMES 3

/* Where we are, for the reader of a failure */
static struct {
	const char *entry;
	const char *injector;
	unsigned int nth;
	int rc;
} where = { "no sweep", "no injector", 0, 0 };

void sure(bool so, const char *what, const char *file, int line)
{
	if (!so)
		fprintf(stderr, "# %s, %s, point %u, call returned %d:\n",
			where.entry, where.injector, where.nth, where.rc);
	check(so, what, file, line);
}

/**
 * struct books - What there is
 * @pins: Pages pinned in the system
 * @charged: Pages charged to this process
 * @bytes: Of the address space
 * @users: Open contexts
 * @next_id: ID that the next object of the iommufd gets
 * @objects: What is known of the adapter, the MDL and the mapping
 */
struct books {
	long pins;
	long charged;
	long bytes;
	long users;
	__u32 next_id;
	struct wddmcompat_query objects[3];
};

/* A line of /proc/self/status, in kilobytes. Without stdio, which needs memory. */
static long status_kb(const char *name)
{
	static char buf[4096];
	const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	const ssize_t n = read(fd, buf, sizeof(buf) - 1);
	const char *line;

	close(fd);
	CHECK(n > 0);
	buf[n] = 0;
	line = strstr(buf, name);
	CHECK(line);
	return strtol(line + strlen(name), NULL, 10);
}

static __u32 next_id(int iommufd)
{
	__u32 id;

	CHECK(!ioas_alloc(iommufd, &id));
	CHECK(!iommufd_destroy(iommufd, id));
	return id;
}

/* What a handle names, but for the number */
static void describe(const struct scene *s, __u64 handle,
		     struct wddmcompat_query *query)
{
	if (wddm_query(s->env->ctx, handle, query))
		memset(query, 0, sizeof(*query));
	query->handle = 0;
	query->out_mdl = 0;
}

static void books_take(const struct scene *s, struct books *books)
{
	memset(books, 0, sizeof(*books));
	books->pins = pinned_pages();
	books->charged = status_kb("VmPin:") * 1024 / PAGE_SIZE;
	books->bytes = status_kb("VmSize:") * 1024;
	books->users = read_number("/sys/module/wddmcompat/refcnt");
	books->next_id = next_id(s->env->iommufd);
	describe(s, s->env->adapter, &books->objects[0]);
	describe(s, s->mdl, &books->objects[1]);
	describe(s, s->memory, &books->objects[2]);
}

static void say_differences(const struct books *before, const struct books *now)
{
	fprintf(stderr,
		"# before: %ld pins, %ld charged, %ld bytes, %ld users, next ID %u\n# now:    %ld pins, %ld charged, %ld bytes, %ld users, next ID %u\n",
		before->pins, before->charged, before->bytes, before->users,
		before->next_id, now->pins, now->charged, now->bytes,
		now->users, now->next_id);
	for (int i = 0; i < 3; i++)
		if (memcmp(&before->objects[i], &now->objects[i],
			   sizeof(now->objects[i])))
			fprintf(stderr,
				"# object %d was in state %u with %u mappings, is in %u with %u\n",
				i, before->objects[i].out_state,
				before->objects[i].out_num_mappings,
				now->objects[i].out_state,
				now->objects[i].out_num_mappings);
}

/* All is as before, at the latest when the kernel has tidied up */
static bool books_are(const struct scene *s, const struct books *before)
{
	const long deadline = now_ms() + SETTLE_MS;
	struct books now;

	for (;;) {
		books_take(s, &now);
		if (!memcmp(before, &now, sizeof(now)))
			return true;
		if (now_ms() > deadline) {
			say_differences(before, &now);
			return false;
		}
		usleep(10000);
	}
}

/* The user is charged with so many pages: for one more, the limit has to be larger */
static bool charge_is(const struct scene *s, long pages)
{
	bool is;
	__u64 mdl;

	set_memlock_limit(pages * PAGE_SIZE);
	is = wddm_lock(s->env->ctx, s->va, PAGE_SIZE, MDL_WRITE, &mdl) ==
	     -ENOMEM;
	set_memlock_limit((pages + 1) * PAGE_SIZE);
	is &= !wddm_lock(s->env->ctx, s->va, PAGE_SIZE, MDL_WRITE, &mdl) &&
	      wddm_unlock(s->env->ctx, mdl) == LIVE;
	set_memlock_limit(MEMLOCK_LIMIT);
	return is;
}

static bool errno_makes_sense(const struct entry *entry, int rc)
{
	return rc == -ENOMEM || rc == -EFAULT || rc == -entry->also;
}

static void fails_cleanly(struct scene *s, const struct entry *entry,
			  const struct books *before)
{
	struct wddmcompat_query query;

	SURE(errno_makes_sense(entry, where.rc));
	if (s->told)
		SURE(wddm_query(s->env->ctx, s->told, &query) == -ENOENT);
	SURE(books_are(s, before));
	SURE(charge_is(s, before->charged));
}

/* The slot of the handle table: a lost one would never come again */
static __u32 slot_of(__u64 handle)
{
	return handle & ((1 << 24) - 1);
}

/* In both IOASes there is nothing that has no handle */
static bool ioases_are_empty(const struct scene *s)
{
	return !ioas_unmap_all(s->env->iommufd, s->env->ioas) &&
	       !ioas_unmap_all(s->env->iommufd, s->env->mdl_ioas);
}

static int do_call(struct scene *s, const struct entry *entry)
{
	s->told = 0;
	return entry->call(s);
}

/**
 * struct swept - What came of it
 * @points: Where something failed
 * @refused: Where that made the call fail
 * @slot: Of the handle that the call gave the first time
 */
struct swept {
	unsigned int points;
	unsigned int refused;
	__u32 slot;
};

/* Returns whether there was such a point. There is none with number 0. */
static bool sweep_point(struct scene *s, const struct entry *entry,
			const struct injector *injector, unsigned int nth,
			struct swept *swept)
{
	struct books base, before;
	bool failed = false;

	where.nth = nth;
	where.rc = 0;
	books_take(s, &base);
	if (entry->prepare)
		entry->prepare(s);
	books_take(s, &before);

	if (nth)
		injector->begin(nth);
	where.rc = do_call(s, entry);
	if (nth)
		failed = injector->end();
	if (entry->settle)
		where.rc = entry->settle(s, where.rc);
	swept->points += failed;
	swept->refused += !!where.rc;
	if (where.rc) {
		SURE(failed);
		fails_cleanly(s, entry, &before);
		where.rc = do_call(s, entry);
		if (entry->settle)
			where.rc = entry->settle(s, where.rc);
		SURE(!where.rc);
	}
	if (!nth)
		swept->slot = slot_of(s->told);
	SURE(slot_of(s->told) == swept->slot);
	entry->undo(s);
	SURE(books_are(s, &before));
	if (entry->finish)
		entry->finish(s);
	SURE(books_are(s, &base));
	SURE(ioases_are_empty(s));
	return failed;
}

void sweep(struct scene *s, const struct entry *entry,
	   const struct injector *injector)
{
	const unsigned int step = entry->step ?: 1;
	unsigned int nth, free = 0;
	struct swept swept = {};

	where.entry = entry->name;
	where.injector = injector->name;
	sweep_point(s, entry, injector, 0, &swept);
	for (nth = 1; free < FREE_TIMES; nth += nth < 2 * step ? 1 : step) {
		free = sweep_point(s, entry, injector, nth, &swept) ? 0 :
								      free + 1;
		tally_add(TALLY_OPERATIONS, 1);
		tally_add(TALLY_FAULTS, !free);
	}
	printf("# points %s, %s: %u, of which %u fail the call\n", entry->name,
	       injector->name, swept.points, swept.refused);
}
