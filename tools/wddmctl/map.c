// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "module.h"
#include "report.h"
#include "vfio.h"
#include "wddmctl.h"

#define DEFAULT_SIZE (1024 * 1024)

struct request {
	char device[16];
	const char *file;
	__u64 size;
	__u32 chain;
	bool read_only;
	/* Seconds; -1: until Enter */
	long hold;
};

struct result {
	struct vfio device;
	int context;
	__u64 adapter;
	__u64 mdl;
	__u64 pages;
	__u64 iova;
	__u64 memory;
	struct wddmcompat_mdl_desc descs[WDDMCOMPAT_MDL_CHAIN_MAX];
	__u64 logical[WDDMCOMPAT_MDL_CHAIN_MAX];
};

static __u64 parse_number(const char *option, const char *text, __u64 min,
			  __u64 max)
{
	char *end;
	__u64 value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || value < min ||
	    value > max)
		usage_error("--%s takes a number from %llu to %llu, not \"%s\"",
			    option, min, max, text);
	return value;
}

static __u64 parse_size(const char *text)
{
	static const char units[] = "KMG";
	unsigned int shift = 0;
	const char *unit;
	__u64 value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10 * (unit - units + 1);
		end++;
	}
	if (errno || *end || text[0] == '-' || !value ||
	    value > UINT64_MAX >> shift)
		usage_error("\"%s\" is no size as 4096, 64K or 2G", text);
	return value << shift;
}

static void parse(struct request *request, int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "size", required_argument, NULL, 's' },
		{ "file", required_argument, NULL, 'f' },
		{ "chain", required_argument, NULL, 'c' },
		{ "read-only", no_argument, NULL, 'r' },
		{ "hold", required_argument, NULL, 't' },
	};
	int option;

	*request = (struct request){ .chain = 1, .hold = -1 };
	while ((option = next_option(argc, argv, options,
				     ARRAY_SIZE(options))) != -1) {
		switch (option) {
		case 'd':
			device_option(request->device, sizeof(request->device));
			break;
		case 's':
			request->size = parse_size(optarg);
			break;
		case 'f':
			request->file = optarg;
			break;
		case 'c':
			request->chain = parse_number("chain", optarg, 1,
						      WDDMCOMPAT_MDL_CHAIN_MAX);
			break;
		case 'r':
			request->read_only = true;
			break;
		case 't':
			request->hold =
				parse_number("hold", optarg, 0, INT32_MAX);
			break;
		}
	}
	if (!request->device[0])
		usage_error("--device is missing");
	if (request->file && request->size)
		usage_error("--size and --file exclude each other");
	if (!request->file && !request->size)
		request->size = DEFAULT_SIZE;
}

/* Open the file, if one was asked for: its size is the size that is wanted */
static int open_file(struct request *request, int *fd)
{
	struct stat status;

	*fd = -1;
	if (!request->file)
		return 0;
	*fd = open(request->file,
		   (request->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &status)) {
		report_error("cannot open %s: %m", request->file);
		return -1;
	}
	request->size = status.st_size;
	return 0;
}

/* An odd number below the page size, another one for each descriptor */
static __u32 odd_offset(__u32 index)
{
	return 291 * (2 * index + 1) % memory_page_size();
}

/* Split the size into equal descriptors, the last of which takes the rest */
static int describe(const struct request *request, int fd, __u64 count_max,
		    struct wddmcompat_mdl_desc *descs)
{
	__u64 share = request->size / request->chain;
	__u64 last = request->size - share * (request->chain - 1);
	bool writeable = !request->read_only;
	__u32 i, count, offset;
	int failed;

	if (!share) {
		report_error("%llu bytes cannot be split into %u descriptors",
			     request->size, request->chain);
		return -1;
	}
	if (last > count_max) {
		report_error("a descriptor holds at most %llu bytes",
			     count_max);
		report_todo("Split the memory into more: --chain N");
		return -1;
	}
	for (i = 0; i < request->chain; i++) {
		count = i == request->chain - 1 ? last : share;
		offset = request->chain > 1 ? odd_offset(i) : 0;
		failed = fd < 0 ? memory_anonymous(&descs[i], offset, count,
						   writeable) :
				  memory_file(&descs[i], fd, i * share, count,
					      writeable);
		if (failed)
			return -1;
	}
	return 0;
}

static int lock_and_map(const struct request *request, struct result *result)
{
	struct wddmcompat_map map = {
		.flags = request->read_only ? 0 : WDDMCOMPAT_MAP_WRITEABLE,
		.logical = (uintptr_t)result->logical,
		.num_logical = request->chain,
	};

	if (module_lock(result->context, result->descs, request->chain,
			&result->mdl))
		return -1;
	map.adapter = result->adapter;
	map.mdl = result->mdl;
	if (module_map(result->context, &map))
		return -1;
	result->pages = map.num_pages;
	result->iova = map.iova;
	result->memory = map.out_memory;
	return 0;
}

static int set_up(struct request *request, struct result *result)
{
	struct wddmcompat_info info;
	int fd;

	if (open_file(request, &fd) ||
	    vfio_take(&result->device, request->device, -1))
		return -1;
	result->context = module_open();
	if (result->context < 0 || module_info(result->context, &info) ||
	    module_bind(result->context, result->device.iommufd) ||
	    module_adapter(result->context, result->device.ioas,
			   &result->adapter))
		return -1;
	if (describe(request, fd, info.out_byte_count_max, result->descs))
		return -1;
	return lock_and_map(request, result);
}

static void report_descriptor(__u32 index,
			      const struct wddmcompat_mdl_desc *desc,
			      __u64 logical)
{
	report_open_item();
	report_hex("start_va", NULL, desc->start_va);
	report_number("byte_offset", NULL, desc->byte_offset, "");
	report_number("byte_count", NULL, desc->byte_count, "");
	report_hex("logical_address", NULL, logical);
	report_close();
	report_text("%-10u %#-16llx %12u %12u  %#llx\n", index, desc->start_va,
		    desc->byte_offset, desc->byte_count, logical);
}

static void report_result(const struct request *request,
			  const struct result *result)
{
	__u32 i;

	report_string("device", "device", "%s", result->device.address);
	report_number("ioas", "IOAS", result->device.ioas, "");
	report_hex("adapter", "adapter", result->adapter);
	report_hex("mdl", "MDL", result->mdl);
	report_hex("memory", "memory handle", result->memory);
	report_hex("iova", "IOVA", result->iova);
	report_number("pages", "pages", result->pages, "");
	report_bool("writeable", !request->read_only);
	report_text("%-15s %s\n", "device may",
		    request->read_only ? "read" : "read and write");

	report_text("\n%-10s %-16s %12s %12s  %s\n", "descriptor", "start VA",
		    "byte offset", "byte count", "logical address");
	report_open_list("descriptors");
	for (i = 0; i < request->chain; i++)
		report_descriptor(i, &result->descs[i], result->logical[i]);
	report_close();
}

static void hold(long seconds)
{
	int key;

	if (seconds >= 0) {
		report_text("\nMapped for %ld s.\n", seconds);
		sleep(seconds);
		return;
	}
	report_text("\nMapped until you press Enter.\n");
	do
		key = getchar();
	while (key != '\n' && key != EOF);
}

static int tear_down(const struct result *result)
{
	int state = module_unmap(result->context, result->adapter,
				 result->memory);

	if (state < 0)
		return -1;
	report_text("Unmapped%s.\n", state == WDDMCOMPAT_STATE_REVOKED ?
					     ": another way had been faster" :
					     "");
	if (module_unlock(result->context, result->mdl))
		return -1;
	report_text("Unlocked.\n");
	return 0;
}

int map_main(int argc, char **argv)
{
	static struct result result;
	struct request request;

	parse(&request, argc, argv);
	if (set_up(&request, &result)) {
		report_finish();
		return EXIT_FAILED;
	}
	report_result(&request, &result);
	report_finish();
	hold(request.hold);
	return tear_down(&result) ? EXIT_FAILED : EXIT_OK;
}
