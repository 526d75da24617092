// SPDX-License-Identifier: GPL-2.0-only
/* Let the kernel fail where it can */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "failing.h"
#include "fixture.h"

static const char *const kind_names[FAIL_KINDS] = {
	[FAIL_SLAB] = "failslab",
	[FAIL_PAGES] = "fail_page_alloc",
	[FAIL_COPY] = "fail_usercopy",
};

/* As root, as are those that call it */
static int open_setting(const char *kind, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, name);
	return open(path, flags | O_CLOEXEC);
}

/* Settings are numbers, addresses or Y and N */
static void set(const char *kind, const char *name, const char *format, ...)
{
	char value[32];
	va_list args;
	int fd, len;

	va_start(args, format);
	len = vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	fd = open_setting(kind, name, O_WRONLY);
	CHECK(fd >= 0);
	CHECK(write(fd, value, len) == len);
	close(fd);
}

/**
 * struct code - Where a function is
 * @name: Its name
 * @start: Its first byte
 * @end: The first byte of the next
 */
struct code {
	const char *name;
	unsigned long start;
	unsigned long end;
};

/* Functions that points can be looked for in, and iommufd's that is spared */
static struct code codes[] = {
	{ .name = "iommufd_get_object" },
	{ .name = "mm_work_fn" },
	{ .name = "ioas_watch_work" },
	{}
};

static const struct code *code_of(const char *name)
{
	const struct code *code = codes;

	while (strcmp(code->name, name))
		code++;
	return code;
}

static void code_see_start(struct code *code, const char *name,
			   unsigned long at)
{
	if (!strcmp(name, code->name)) {
		code->start = at;
		code->end = ~0UL;
	}
}

static void code_see_end(struct code *code, unsigned long at)
{
	if (code->start && at > code->start && at < code->end)
		code->end = at;
}

/* Modules' symbols come in no order */
static void kallsyms_read(bool ends)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char name[128];
	unsigned long at;

	CHECK(file);
	while (fscanf(file, "%lx %*c %127s%*[^\n]", &at, name) == 2) {
		for (struct code *code = codes; code->name; code++) {
			if (ends)
				code_see_end(code, at);
			else
				code_see_start(code, name, at);
		}
	}
	fclose(file);
}

static void kind_setup(const char *kind)
{
	set(kind, "probability", "0");
	set(kind, "verbose", "0");
	set(kind, "space", "0");
	set(kind, "task-filter", "N");
}

/* Any allocation may fail, and none is to be talked about */
void failing_setup(void)
{
	const struct code *spared;

	kallsyms_read(false);
	kallsyms_read(true);
	for (const struct code *code = codes; code->name; code++)
		CHECK(code->start);
	for (int kind = 0; kind < FAIL_KINDS; kind++)
		kind_setup(kind_names[kind]);
	set("failslab", "ignore-gfp-wait", "N");
	set("fail_page_alloc", "ignore-gfp-wait", "N");
	set("fail_page_alloc", "ignore-gfp-highmem", "N");
	set("fail_page_alloc", "min-order", "0");
	/* An object that we have a hold of cannot be gone, as this would pretend */
	kind_setup("fail_iommufd");
	spared = code_of("iommufd_get_object");
	set("fail_iommufd", "reject-start", "0x%lx", spared->start);
	set("fail_iommufd", "reject-end", "0x%lx", spared->end);
}

/* Of the calling thread; each test is a process of its own */
static int thread_file(void)
{
	static pid_t opened_by;
	static int fd;

	if (opened_by != getpid()) {
		become_root();
		fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
		become_user();
		CHECK(fd >= 0);
		opened_by = getpid();
	}
	return fd;
}

void thread_fails(unsigned int nth)
{
	const int fd = thread_file();
	char buf[16];
	const int len = snprintf(buf, sizeof(buf), "%u", nth);

	CHECK(pwrite(fd, buf, len, 0) == len);
}

/* What remains to be counted. To ask is a point, too: that it fails is an answer. */
bool thread_failed(void)
{
	const int fd = thread_file();
	char buf[16] = "";
	bool failed;

	failed = pread(fd, buf, sizeof(buf) - 1, 0) > 0 && !atoi(buf);
	while (pwrite(fd, "0", 1, 0) != 1)
		CHECK(errno == EFAULT);
	return failed;
}

/* A kind that has failed may not again. To ask may be what fails. */
static bool has_failed(const char *kind)
{
	const int fd = open_setting(kind, "times", O_RDONLY);
	char buf[16] = "";
	ssize_t len = -1;

	if (fd >= 0)
		len = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	return len <= 0 || !atoi(buf);
}

static void may_fail(bool may)
{
	const int fd = open("/proc/self/make-it-fail", O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, may ? "1" : "0", 1) == 1);
	close(fd);
}

/* Come to a point of each kind */
static void pass_points(void)
{
	const int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	void *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	char byte;

	if (fd >= 0 && pread(fd, &byte, 1, 0) != 1)
		CHECK(errno == EFAULT || errno == ENOMEM);
	close(fd);
	if (page != MAP_FAILED)
		munmap(page, PAGE_SIZE);
}

/*
 * Every nth point fails, counted from one that nobody knows. So first let one fail in
 * this thread: what comes is counted from there.
 */
static void count_from_here(const char *kind)
{
	set(kind, "task-filter", "Y");
	set(kind, "times", "1");
	may_fail(true);
	set(kind, "probability", "100");
	while (!has_failed(kind))
		pass_points();
	set(kind, "probability", "0");
	may_fail(false);
	set(kind, "task-filter", "N");
}

/* As often as @times says */
static void fail_within(const char *function, const char *kind, int times)
{
	const struct code *code = code_of(function);

	set(kind, "require-start", "0x%lx", code->start);
	set(kind, "require-end", "0x%lx", code->end);
	set(kind, "times", "%d", times);
	set(kind, "probability", "100");
}

void function_fails(const char *function, enum fail_kind kind, unsigned int nth)
{
	const char *name = kind_names[kind];

	become_root();
	set(name, "interval", "%u", nth);
	count_from_here(name);
	fail_within(function, name, 1);
	become_user();
}

void function_fails_always(const char *function, enum fail_kind kind)
{
	const char *name = kind_names[kind];

	become_root();
	set(name, "interval", "1");
	fail_within(function, name, -1);
	become_user();
}

bool function_failed(enum fail_kind kind)
{
	const char *name = kind_names[kind];
	bool failed;

	become_root();
	failed = has_failed(name);
	set(name, "probability", "0");
	set(name, "require-start", "0");
	set(name, "require-end", "0x%lx", ~0UL);
	become_user();
	return failed;
}
