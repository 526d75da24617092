// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory whose pages lie as wanted. A kernel that is not short of memory gives pages
 * that follow each other, in one direction or the other. Where they are to lie apart,
 * another page is taken after each, and kept.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "host.h"
#include "memory.h"

#define HUGE_SIZE (2ULL << 20)

/* How often to try, as long as not too much is kept, and how many percent will do */
#define ADJACENT_TRIES 4
#define ADJACENT_KEPT_MAX 0x80000000ULL
#define ADJACENT_MIN 90

/* Of an entry in /proc/self/pagemap: the page frame, which is 0 if not for us */
#define PAGEMAP_FRAME ((1ULL << 55) - 1)

const char *bench_pages_name(enum bench_pages pages)
{
	static const char *const names[] = {
		[BENCH_ADJACENT] = "adjacent",
		[BENCH_THP] = "thp",
		[BENCH_HUGETLB] = "hugetlb",
		[BENCH_APART] = "apart",
	};

	return names[pages];
}

bool bench_pages_are_huge(enum bench_pages pages)
{
	return pages == BENCH_THP || pages == BENCH_HUGETLB;
}

static void *reserve(__u64 length, int flags)
{
	void *start = mmap(NULL, length, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return start == MAP_FAILED ? NULL : start;
}

static bool get_hugetlb(struct bench_memory *memory)
{
	memory->start = reserve(memory->length, MAP_HUGETLB);
	return memory->start;
}

/* Huge pages begin at multiples of their size; what is too much stays untouched */
static bool get_thp(struct bench_memory *memory)
{
	uintptr_t start = (uintptr_t)reserve(memory->length + HUGE_SIZE, 0);
	int adjacent;
	__u64 at;

	if (!start)
		return false;
	start = (start + HUGE_SIZE - 1) / HUGE_SIZE * HUGE_SIZE;
	memory->start = (unsigned char *)start;
	if (madvise(memory->start, memory->length, MADV_HUGEPAGE))
		return false;
	for (at = 0; at < memory->length; at += HUGE_SIZE)
		memory->start[at] = 1;
	/* Only root is told, and others are to believe it */
	adjacent = bench_memory_adjacent(memory);
	return adjacent < 0 || adjacent >= 99;
}

/* Small pages that nobody has, taken one by one */
static unsigned char *reserve_small(__u64 length)
{
	unsigned char *start = reserve(length, 0);

	if (!start || !madvise(start, length, MADV_NOHUGEPAGE))
		return start;
	munmap(start, length);
	return NULL;
}

static bool get_apart(struct bench_memory *memory)
{
	__u64 page = memory_page_size(), at;
	unsigned char *filler;

	memory->start = reserve_small(memory->length);
	filler = reserve_small(memory->length);
	memory->filler = filler;
	if (!memory->start || !filler)
		return false;
	for (at = 0; at < memory->length; at += page) {
		memory->start[at] = 1;
		filler[at] = 1;
	}
	return true;
}

static void touch(struct bench_memory *memory, bool backward)
{
	__u64 page = memory_page_size(), at;

	for (at = 0; at < memory->length; at += page)
		memory->start[backward ? memory->length - page - at : at] = 1;
}

/*
 * The kernel hands out a free block from its beginning or from its end. So if one way
 * to touch the pages does not get them in order, the other may; what has been got in
 * vain is kept meanwhile, so as not to get it again.
 */
static bool get_adjacent(struct bench_memory *memory)
{
	void *kept[ADJACENT_TRIES] = { NULL };
	bool found = false;
	unsigned int i;
	int adjacent;

	for (i = 0; i < ADJACENT_TRIES && !found; i++) {
		if (i * memory->length > ADJACENT_KEPT_MAX)
			break;
		memory->start = reserve_small(memory->length);
		if (!memory->start)
			break;
		touch(memory, i % 2);
		adjacent = bench_memory_adjacent(memory);
		/* Only root is told, and others are to believe it */
		found = adjacent < 0 || adjacent >= ADJACENT_MIN ||
			memory->length == memory_page_size();
		kept[i] = memory->start;
	}
	for (i = 0; i < ADJACENT_TRIES; i++)
		if (kept[i] && kept[i] != memory->start)
			munmap(kept[i], memory->length);
	return found;
}

bool bench_memory_get(struct bench_memory *memory, enum bench_pages pages,
		      __u64 size, __u32 count)
{
	static bool (*const get[])(struct bench_memory *memory) = {
		[BENCH_ADJACENT] = get_adjacent,
		[BENCH_THP] = get_thp,
		[BENCH_HUGETLB] = get_hugetlb,
		[BENCH_APART] = get_apart,
	};
	/* A page, or a huge one, keeps one piece apart from the next */
	__u64 gap = bench_pages_are_huge(pages) ? HUGE_SIZE :
						  memory_page_size();

	*memory = (struct bench_memory){
		.stride = count > 1 ? size + gap : size,
	};
	memory->length = memory->stride * count;
	if (get[pages](memory))
		return true;
	bench_memory_put(memory);
	return false;
}

void bench_memory_put(struct bench_memory *memory)
{
	if (memory->start)
		munmap(memory->start, memory->length);
	if (memory->filler)
		munmap(memory->filler, memory->length);
	*memory = (struct bench_memory){ 0 };
}

int bench_memory_adjacent(const struct bench_memory *memory)
{
	__u64 page = memory_page_size(), num = memory->length / page;
	__u64 frame, last = 0, next = 0, known = 0, i, j;
	uint64_t entries[512];
	ssize_t bytes;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	for (i = 0; fd >= 0 && i < num; i += j) {
		bytes = pread(fd, entries, sizeof(entries),
			      ((uintptr_t)memory->start / page + i) *
				      sizeof(entries[0]));
		if (bytes <= 0)
			break;
		for (j = 0; j < bytes / sizeof(entries[0]) && i + j < num;
		     j++) {
			frame = entries[j] & PAGEMAP_FRAME;
			known += frame != 0;
			next += frame && frame == last + 1;
			last = frame;
		}
	}
	if (fd >= 0)
		close(fd);
	if (!known)
		return -1;
	return known > 1 ? 100 * next / (known - 1) : 0;
}

long bench_kernel_bytes(void)
{
	long kib, sum = 0;
	char line[128], name[64];
	FILE *file;

	host_refresh_pins();
	file = fopen("/proc/meminfo", "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63[^:]: %ld", name, &kib) == 2 &&
		    (!strcmp(name, "Slab") || !strcmp(name, "VmallocUsed") ||
		     !strcmp(name, "Percpu")))
			sum += kib * 1024;
	if (file)
		fclose(file);
	return sum;
}
