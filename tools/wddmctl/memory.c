// SPDX-License-Identifier: GPL-2.0-only
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"
#include "report.h"

__u64 memory_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

unsigned char *memory_pages(const struct wddmcompat_mdl_desc *desc)
{
	return (unsigned char *)(uintptr_t)desc->start_va;
}

__u64 memory_pages_length(const struct wddmcompat_mdl_desc *desc)
{
	__u64 end = (__u64)desc->byte_offset + desc->byte_count;
	__u64 page = memory_page_size();

	return (end + page - 1) / page * page;
}

static void describe(struct wddmcompat_mdl_desc *desc, __u32 offset,
		     __u32 count, bool writeable)
{
	*desc = (struct wddmcompat_mdl_desc){
		.byte_offset = offset,
		.byte_count = count,
		.flags = writeable ? WDDMCOMPAT_MDL_WRITE_OPERATION : 0,
	};
}

int memory_anonymous(struct wddmcompat_mdl_desc *desc, __u32 offset,
		     __u32 count, bool writeable)
{
	__u64 length;
	void *start;

	describe(desc, offset, count, writeable);
	length = memory_pages_length(desc);

	/* A page that nobody can touch keeps one range apart from the next */
	start = mmap(NULL, length + memory_page_size(), PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED ||
	    mprotect(start, length, PROT_READ | PROT_WRITE)) {
		report_error("cannot get %u bytes of memory: %m", count);
		return -1;
	}
	desc->start_va = (uintptr_t)start;
	return 0;
}

int memory_file(struct wddmcompat_mdl_desc *desc, int fd, __u64 position,
		__u32 count, bool writeable)
{
	__u32 offset = position % memory_page_size();
	void *start;

	describe(desc, offset, count, writeable);
	start = mmap(NULL, memory_pages_length(desc),
		     writeable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
		     fd, position - offset);
	if (start == MAP_FAILED) {
		report_error("cannot map the file into memory: %m");
		return -1;
	}
	desc->start_va = (uintptr_t)start;
	return 0;
}
