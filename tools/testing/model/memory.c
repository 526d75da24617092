// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process's memory: an arena of pages at fixed addresses, and what is done to it
 * while it is locked. Each page begins with a stamp that no other page has had.
 *
 * What memory management does is taken as it is documented: a page that is pinned
 * stays with whoever pinned it, and the process sees it at its address until that is
 * unmapped, emptied or given another page. After a fork() it is the parent's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "model.h"

/* Far from where the kernel puts anything by itself */
#define ARENA ((__u8 *)0x1000000000)

/* Newer than some C libraries */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define STAMP_TAG 0x57a3000000000000ULL

enum kind {
	NOTHING,
	ANONYMOUS,
	SHARED,
	PRIVATE,
	KINDS,
};

/**
 * struct place - A page of the arena
 * @kind: What is there
 * @prot: What the process may do
 * @file: Of @kind SHARED or PRIVATE: which file
 * @index: And where in it
 * @own: Of @kind ANONYMOUS or PRIVATE: its page, if it has one
 * @unsure: Of @kind PRIVATE: it may have one that the model has not heard of
 */
struct place {
	enum kind kind;
	int prot;
	unsigned int file;
	unsigned int index;
	struct page *own;
	bool unsure;
};

static struct place arena[ARENA_PAGES];

/* Given to iommufd, which pins them when the module looks whose an area is */
static bool given[ARENA_PAGES];
static struct {
	int fd;
	struct page *pages[FILE_PAGES];
} file[FILES];
static __u64 stamps;

struct page *page_new(__u64 stamp)
{
	struct page *page = calloc(1, sizeof(*page));

	page->stamp = stamp;
	page->refs = 1;
	return page;
}

void page_get(struct page *page)
{
	page->refs++;
}

void page_put(struct page *page)
{
	if (page && !--page->refs)
		free(page);
}

__u64 new_stamp(void)
{
	return STAMP_TAG | ++stamps;
}

bool is_stamp(__u64 word)
{
	return word >> 48 == STAMP_TAG >> 48;
}

/* A page of zeros has no stamp */
void stamp_write(void *at, __u64 stamp)
{
	__u64 *word = at;

	__atomic_store_n(&word[0], stamp, __ATOMIC_RELAXED);
	__atomic_store_n(&word[1], stamp ? ~stamp : 0, __ATOMIC_RELAXED);
}

bool stamp_is(const void *at, __u64 stamp)
{
	const __u64 *word = at;

	return __atomic_load_n(&word[0], __ATOMIC_RELAXED) == stamp &&
	       __atomic_load_n(&word[1], __ATOMIC_RELAXED) ==
		       (stamp ? ~stamp : 0);
}

void *arena_at(__u64 page)
{
	return ARENA + page * PAGE_SIZE;
}

void memory_init(void)
{
	for (int i = 0; i < FILES; i++) {
		file[i].fd = memfd_create("model", MFD_CLOEXEC |
							   MFD_ALLOW_SEALING);
		CHECK(file[i].fd >= 0);
		CHECK(!ftruncate(file[i].fd, FILE_PAGES * PAGE_SIZE));
	}
}

static struct place *place_of(__u64 va)
{
	__u64 page = (va - (uintptr_t)ARENA) / PAGE_SIZE;

	return va >= (uintptr_t)ARENA && page < ARENA_PAGES ? &arena[page] :
							      NULL;
}

static struct page **file_page(const struct place *place)
{
	return &file[place->file].pages[place->index];
}

/* The page that is seen there, if there is one yet */
static struct page *place_look(const struct place *place)
{
	if (place->own)
		return place->own;
	return place->kind == SHARED || place->kind == PRIVATE ?
		       *file_page(place) :
		       NULL;
}

static bool place_is_unsure(const struct place *place)
{
	return place->unsure || given[place - arena];
}

/*
 * Private memory that was pinned, if only for a moment, is no longer the file's. It is
 * known only when they differ.
 */
static void place_learn(struct place *place)
{
	const __u64 *at = arena_at(place - arena);
	struct page *seen = *file_page(place);

	if (place->kind != PRIVATE || place->own ||
	    !(place->prot & PROT_READ) || !place_is_unsure(place) ||
	    at[0] == (seen ? seen->stamp : 0) || !stamp_is(at, at[0]))
		return;
	place->own = page_new(at[0]);
}

/* The page that is written to there, or pinned */
static struct page *place_touch(struct place *place)
{
	struct page **page = place->kind == SHARED ? file_page(place) :
						     &place->own;
	struct page *seen;

	place_learn(place);
	seen = place_look(place);
	if (!*page) {
		*page = page_new(seen ? seen->stamp : 0);
		(*page)->lazy = seen && seen->lazy;
	}
	return *page;
}

static void place_clear(struct place *place)
{
	page_put(place->own);
	*place = (struct place){};
}

bool arena_can_pin(__u64 va, bool write)
{
	const struct place *place = place_of(va);

	return place && place->kind != NOTHING &&
	       place->prot & (write ? PROT_WRITE : PROT_READ);
}

/* iommufd may pin that at any time from now on */
void arena_give(__u64 va)
{
	const struct place *place = place_of(va);

	if (place)
		given[place - arena] = true;
}

bool arena_pin_is_seen(__u64 va)
{
	const struct place *place = place_of(va);

	return place && place->kind == PRIVATE && !place->own;
}

struct page *arena_pin(__u64 va, bool write)
{
	if (!arena_can_pin(va, write))
		return NULL;
	return place_touch(place_of(va));
}

/* Pages of the arena that an operation concerns: from @first, at most @num */
static unsigned int places(const __u64 *arg, unsigned int *first)
{
	unsigned int num = arg[1] % 32 + 1;

	*first = arg[0] % ARENA_PAGES;
	return num < ARENA_PAGES - *first ? num : ARENA_PAGES - *first;
}

/* mmap page num kind prot file index */
void do_mmap(const __u64 *arg, unsigned int n)
{
	const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
			      PROT_READ, PROT_NONE };
	enum kind kind = ANONYMOUS + arg[2] % (KINDS - 1);
	int prot = prots[arg[3] % 4];
	unsigned int f = arg[4] % FILES, index = arg[5] % FILE_PAGES, first;
	unsigned int num = places(arg, &first);
	int flags = MAP_FIXED |
		    (kind == SHARED ? MAP_SHARED : MAP_PRIVATE) |
		    (kind == ANONYMOUS ? MAP_ANONYMOUS : 0);

	(void)n;
	if (kind != ANONYMOUS && num > FILE_PAGES - index)
		num = FILE_PAGES - index;
	if (mmap(arena_at(first), num * PAGE_SIZE, prot, flags,
		 kind == ANONYMOUS ? -1 : file[f].fd,
		 kind == ANONYMOUS ? 0 : index * PAGE_SIZE) == MAP_FAILED)
		wrong("mmap: %m");
	for (unsigned int i = 0; i < num; i++) {
		place_clear(&arena[first + i]);
		arena[first + i] = (struct place){
			.kind = kind,
			.prot = prot,
			.file = f,
			.index = index + i,
		};
	}
}

/* munmap page num */
void do_munmap(const __u64 *arg, unsigned int n)
{
	unsigned int first, num = places(arg, &first);

	(void)n;
	if (munmap(arena_at(first), num * PAGE_SIZE))
		wrong("munmap: %m");
	for (unsigned int i = 0; i < num; i++)
		place_clear(&arena[first + i]);
}

/* move page num to: page by page, as they need not be of one kind */
void do_move(const __u64 *arg, unsigned int n)
{
	unsigned int first, num = places(arg, &first);

	(void)n;
	for (unsigned int i = 0; i < num; i++) {
		unsigned int to = (arg[2] + i) % ARENA_PAGES;

		if (arena[first + i].kind == NOTHING || to == first + i)
			continue;
		if (mremap(arena_at(first + i), PAGE_SIZE, PAGE_SIZE,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   arena_at(to)) == MAP_FAILED)
			wrong("mremap: %m");
		place_clear(&arena[to]);
		arena[to] = arena[first + i];
		arena[to].unsure = place_is_unsure(&arena[first + i]);
		arena[first + i] = (struct place){};
	}
}

/* protect page num prot */
void do_protect(const __u64 *arg, unsigned int n)
{
	const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE };
	unsigned int first, num = places(arg, &first);
	int prot = prots[arg[2] % 3];

	(void)n;
	for (unsigned int i = first; i < first + num; i++) {
		if (arena[i].kind == NOTHING)
			continue;
		if (mprotect(arena_at(i), PAGE_SIZE, prot))
			wrong("mprotect: %m");
		arena[i].prot = prot;
	}
}

static void place_drop(struct place *place)
{
	page_put(place->own);
	place->own = NULL;
}

/* Memory that the kernel may take back, unless somebody has it pinned */
static void place_lazy(struct place *place)
{
	if (place->kind == ANONYMOUS && place->own)
		place->own->lazy = true;
}

/* advise page num advice: some change what is there, most must not be noticed */
void do_advise(const __u64 *arg, unsigned int n)
{
	const int advice[] = {
		MADV_DONTNEED, MADV_DONTNEED,  MADV_FREE,      MADV_HUGEPAGE,
		MADV_COLLAPSE, MADV_MERGEABLE, MADV_PAGEOUT,   MADV_COLD,
		MADV_WILLNEED, MADV_DONTNEED,  MADV_NOHUGEPAGE,
	};
	int what = advice[arg[2] % ARRAY_SIZE(advice)];
	unsigned int first, num = places(arg, &first);

	(void)n;
	for (unsigned int i = first; i < first + num; i++) {
		if (arena[i].kind == NOTHING)
			continue;
		/* Not each is for each kind of memory, which is no matter */
		if (madvise(arena_at(i), PAGE_SIZE, what))
			continue;
		if (what == MADV_DONTNEED)
			place_drop(&arena[i]);
		else if (what == MADV_FREE)
			place_lazy(&arena[i]);
	}
}

/* write page num */
void do_write(const __u64 *arg, unsigned int n)
{
	unsigned int first, num = places(arg, &first);
	struct page *page;

	(void)n;
	for (unsigned int i = first; i < first + num; i++) {
		if (arena[i].kind == NOTHING || !(arena[i].prot & PROT_WRITE))
			continue;
		page = place_touch(&arena[i]);
		page->stamp = new_stamp();
		page->lazy = false;
		stamp_write(arena_at(i), page->stamp);
	}
}

/* Does the process see what it should? */
static void place_check(unsigned int i)
{
	const __u64 *at = arena_at(i);
	struct page *page;

	if (arena[i].kind == NOTHING || !(arena[i].prot & PROT_READ))
		return;
	place_learn(&arena[i]);
	page = place_look(&arena[i]);
	if (page && page->lazy && stamp_is(at, 0))
		page->stamp = 0;
	if (!stamp_is(at, page ? page->stamp : 0))
		wrong("page %u holds %#llx %#llx instead of %#llx", i, at[0],
		      at[1], page ? page->stamp : 0);
}

/* check page num */
void do_check(const __u64 *arg, unsigned int n)
{
	unsigned int first, num = places(arg, &first);

	(void)n;
	for (unsigned int i = first; i < first + num; i++)
		place_check(i);
}

/* punch file index num: pages leave a file, whoever has them locked */
void do_punch(const __u64 *arg, unsigned int n)
{
	unsigned int f = arg[0] % FILES, index = arg[1] % FILE_PAGES;
	unsigned int num = arg[2] % 8 + 1;

	(void)n;
	if (num > FILE_PAGES - index)
		num = FILE_PAGES - index;
	if (fallocate(file[f].fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      index * PAGE_SIZE, num * PAGE_SIZE))
		wrong("fallocate: %m");
	for (unsigned int i = index; i < index + num; i++) {
		page_put(file[f].pages[i]);
		file[f].pages[i] = NULL;
	}
}

/* The context is its parent's, who may write to files just now; the rest is its own */
static void child_writes(const __u64 *arg)
{
	struct context *ctx = &state.ctx[arg[2] % CONTEXTS];
	struct wddmcompat_info info = { .size = sizeof(info) };
	unsigned int first, num = places(arg, &first);

	if (ctx->fd >= 0)
		expect("ioctl of a child", -EIO,
		       wddm_ioctl(ctx->fd, WDDMCOMPAT_INFO, &info));
	for (unsigned int i = first; i < first + num; i++) {
		if (arena[i].kind != ANONYMOUS && !arena[i].own)
			continue;
		place_check(i);
		if (arena[i].prot & PROT_WRITE)
			stamp_write(arena_at(i), new_stamp());
	}
}

/* fork page num ctx parent: a child writes, and its parent before or after it */
void do_fork(const __u64 *arg, unsigned int n)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		wrong("fork: %m");
	if (!pid) {
		child_writes(arg);
		_exit(0);
	}
	if (arg[3] & 1)
		do_write(arg, n);
	if (waitpid(pid, &status, 0) != pid || status)
		wrong("the child ended with %#x: %s", status,
		      WIFEXITED(status) ? "" : strsignal(WTERMSIG(status)));
	do_check(arg, n);
	if (arg[3] & 2)
		do_write(arg, n);
}

/* Nobody has a page of the files any more, but they themselves */
void memory_end(void)
{
	if (munmap(ARENA, ARENA_PAGES * PAGE_SIZE))
		wrong("munmap: %m");
	for (int i = 0; i < FILES; i++)
		if (!memory_is_free(file[i].fd))
			wrong("pages of a file are still pinned");
}
