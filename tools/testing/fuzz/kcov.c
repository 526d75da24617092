// SPDX-License-Identifier: GPL-2.0-only
/* What of the module is executed: KCOV, of which only the module's code counts */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/kcov.h>

#include "kselftest.h"
#include "../selftests/fixture.h"
#include "fuzz.h"

/* Places that one program executes, at most */
#define TRACE_ENTRIES (256 << 10)

static struct section sections[SECTIONS_MAX];
static unsigned int num_sections;

static void add_section(const char *name, uintptr_t start, size_t size)
{
	struct section *section = &sections[num_sections];
	const struct section *last = section - 1;

	CHECK(start && num_sections < SECTIONS_MAX);
	snprintf(section->name, sizeof(section->name), "%s", name);
	section->start = start;
	section->size = size;
	section->first = num_sections++ ? last->first + last->size : 0;
	CHECK(section->first + size <= CODE_MAX);
}

/*
 * Where sections end nobody tells; the module's code as a whole is not larger than
 * what it takes in memory.
 */
void kcov_init(void)
{
	static const char *const names[] = { ".text", ".text.unlikely" };
	const long size = read_number("/sys/module/wddmcompat/coresize");

	CHECK(size > 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[64], text[32] = "";
		FILE *file;

		snprintf(path, sizeof(path),
			 "/sys/module/wddmcompat/sections/%s", names[i]);
		file = fopen(path, "re");
		if (!file)
			continue;
		CHECK(fgets(text, sizeof(text), file));
		fclose(file);
		add_section(names[i], strtoul(text, NULL, 16), size);
	}
	CHECK(num_sections);
	/* The module is one block of memory: a section ends where the next begins */
	for (unsigned int i = 0; i < num_sections; i++) {
		for (unsigned int j = 0; j < num_sections; j++) {
			if (sections[j].start > sections[i].start &&
			    sections[j].start - sections[i].start <
				    sections[i].size)
				sections[i].size = sections[j].start -
						   sections[i].start;
		}
	}
}

uint64_t *kcov_open(void)
{
	const size_t size = TRACE_ENTRIES * sizeof(uint64_t);
	uint64_t *trace;
	int fd;

	fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK(!ioctl(fd, KCOV_INIT_TRACE, TRACE_ENTRIES));
	trace = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(trace != MAP_FAILED);
	CHECK(!ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC));
	return trace;
}

void kcov_start(uint64_t *trace)
{
	__atomic_store_n(trace, 0, __ATOMIC_RELAXED);
}

static const struct section *find_section(uintptr_t pc)
{
	for (unsigned int i = 0; i < num_sections; i++) {
		if (pc - sections[i].start < sections[i].size)
			return &sections[i];
	}
	return NULL;
}

unsigned int kcov_collect(uint64_t *trace, atomic_uchar *seen)
{
	uint64_t num = __atomic_load_n(trace, __ATOMIC_RELAXED);
	unsigned int found = 0;

	for (uint64_t i = 1; i <= num; i++) {
		const struct section *section = find_section(trace[i]);

		if (section && !atomic_exchange(&seen[section->first +
						      trace[i] -
						      section->start],
						1))
			found++;
	}
	return found;
}

unsigned int kcov_write(const char *path, const atomic_uchar *seen)
{
	unsigned int num = 0;
	FILE *file = fopen(path, "we");

	CHECK(file);
	for (unsigned int i = 0; i < num_sections; i++) {
		const struct section *section = &sections[i];

		for (size_t at = 0; at < section->size; at++) {
			if (!seen[section->first + at])
				continue;
			fprintf(file, "%s %zx\n", section->name, at);
			num++;
		}
	}
	CHECK(!fclose(file));
	return num;
}
