// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device reaches what is mapped and no more, shown step by step. Nothing is
 * taken on trust: each step looks at the memory, at what the IOMMU reported or
 * at what the kernel counts, and the first that does not find what it expects
 * ends the demo.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wddmcompat.h>

#include "edu.h"
#include "host.h"
#include "kmsg.h"
#include "memory.h"
#include "module.h"
#include "report.h"
#include "vfio.h"
#include "wddmctl.h"

#define NUM_PIECES 3

/*
 * Where the chain goes in the device's address space. It is chosen here, so that
 * the device uses the same addresses before, during and after.
 */
#define IOVA 0x40000000ULL

/* What memory is filled with at times: pattern() is of many other bytes */
#define BEFORE 0xa5
#define BETWEEN 0x5a
#define AFTER 0xc3

/* The kernel logs a fault at once, but no more than a few in so long a time */
#define FAULT_WAIT_MS 2000
#define FAULT_RATELIMIT_S 5

struct demo {
	char address[16];
	struct vfio device;
	struct edu edu;
	int context;
	int kmsg;
	long pins;
	struct wddmcompat_mdl_desc pieces[NUM_PIECES];
	__u64 adapter;
	__u64 mdl;
	__u64 memory;
	__u64 logical[NUM_PIECES];
};

static const char intro[] =
	"A device reads and writes memory by itself: that is DMA. Between device and\n"
	"memory stands the IOMMU, which lets through what is mapped and nothing else.\n"
	"Here memory is mapped for a device and taken away from it again. The device,\n"
	"\"edu\", copies between memory and a small buffer of its own.\n";

/* --- What a step says --------------------------------------------------- */

/* One line of a step; @ok is NULL when there was nothing to check */
static void line(const char *name, const bool *ok, const char *format,
		 va_list args)
{
	const char *verdict = "";
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	if (ok)
		verdict = *ok ? "ok" : "FAIL";

	report_open_item();
	report_string("name", NULL, "%s", name);
	report_string("text", NULL, "%s", text);
	if (ok)
		report_bool("ok", *ok);
	report_close();
	report_text("   %-4s  %-7s  %s\n", verdict, name, text);
}

/* What is done, or what there is */
static __printf(2, 3) void tell(const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line(name, NULL, format, args);
	va_end(args);
}

/* What was looked at, and was it as it should be? */
static __printf(3, 4) bool check(const char *name, bool ok, const char *format,
				 ...)
{
	va_list args;

	va_start(args, format);
	line(name, &ok, format, args);
	va_end(args);
	return ok;
}

/* --- Memory and what should be in it ------------------------------------- */

/* Byte @index of what the device carries for a piece: no byte repeats nearby */
static unsigned char pattern(unsigned int piece, __u64 index)
{
	return piece * 101 + index * 31 + (index >> 8) * 17 + 7;
}

static void fill(struct demo *demo, unsigned char byte)
{
	unsigned int i;

	for (i = 0; i < NUM_PIECES; i++)
		memset(memory_pages(&demo->pieces[i]), byte,
		       memory_pages_length(&demo->pieces[i]));
}

static __u64 total_length(const struct demo *demo)
{
	__u64 length = 0;
	unsigned int i;

	for (i = 0; i < NUM_PIECES; i++)
		length += memory_pages_length(&demo->pieces[i]);
	return length;
}

static void write_pattern(struct demo *demo, unsigned int piece)
{
	const struct wddmcompat_mdl_desc *desc = &demo->pieces[piece];
	unsigned char *bytes = memory_pages(desc) + desc->byte_offset;
	__u64 i;

	for (i = 0; i < desc->byte_count; i++)
		bytes[i] = pattern(piece, i);
}

/*
 * Count the bytes, in all pages of all pieces, that are not what they should be:
 * the pattern in the piece that the device wrote (none: NUM_PIECES), and the
 * filling everywhere else.
 */
static __u64 count_wrong(const struct demo *demo, unsigned int written,
			 unsigned char filling)
{
	const struct wddmcompat_mdl_desc *desc;
	const unsigned char *pages;
	__u64 wrong = 0, i, index;
	unsigned char expected;
	unsigned int piece;

	for (piece = 0; piece < NUM_PIECES; piece++) {
		desc = &demo->pieces[piece];
		pages = memory_pages(desc);
		for (i = 0; i < memory_pages_length(desc); i++) {
			/* Huge, and so outside, for what is before the piece */
			index = i - desc->byte_offset;
			expected = filling;
			if (piece == written && index < desc->byte_count)
				expected = pattern(piece, index);
			wrong += pages[i] != expected;
		}
	}
	return wrong;
}

static bool memory_untouched(const struct demo *demo, unsigned char filling)
{
	__u64 wrong = count_wrong(demo, NUM_PIECES, filling);

	return check("memory", !wrong, "%llu of %llu bytes changed", wrong,
		     total_length(demo));
}

/* --- DMA that must not get through ---------------------------------------- */

typedef int edu_transfer(struct edu *edu, __u64 address, unsigned int count);

/* Where the page that a piece begins in is for the device, mapped or not */
static __u64 piece_iova(const struct demo *demo, unsigned int piece)
{
	__u64 iova = IOVA;
	unsigned int i;

	for (i = 0; i < piece; i++)
		iova += memory_pages_length(&demo->pieces[i]);
	return iova;
}

/* The address of its first byte for the device */
static __u64 piece_address(const struct demo *demo, unsigned int piece)
{
	return piece_iova(demo, piece) + demo->pieces[piece].byte_offset;
}

static bool transfer(struct demo *demo, edu_transfer *edu_transfer,
		     unsigned int piece)
{
	__u32 count = demo->pieces[piece].byte_count;
	__u64 address = piece_address(demo, piece);

	tell("DMA", "the device %s %#llx: %u bytes, piece %u",
	     edu_transfer == edu_read ? "reads from" : "writes to", address,
	     count, piece + 1);
	return !edu_transfer(&demo->edu, address, count);
}

/*
 * Have the device do a transfer that must fail, and find the IOMMU's report in
 * the kernel's log. The kernel writes only so many of them in some seconds: when
 * there is none, try once more after that time.
 */
static bool blocked(struct demo *demo, edu_transfer *edu_transfer,
		    unsigned int piece)
{
	__u64 iova = piece_iova(demo, piece);
	unsigned int attempt;
	char report[256];

	for (attempt = 0; attempt < 2; attempt++) {
		if (attempt) {
			tell("",
			     "no report; the kernel logs few: again in %u s",
			     FAULT_RATELIMIT_S);
			sleep(FAULT_RATELIMIT_S);
		}
		kmsg_skip(demo->kmsg);
		if (!transfer(demo, edu_transfer, piece))
			return false;
		if (kmsg_wait_address(demo->kmsg, iova, memory_page_size(),
				      FAULT_WAIT_MS, report, sizeof(report)))
			return check("IOMMU", true, "%s", report);
	}
	return check("IOMMU", false, "no fault in the kernel's log");
}

/* --- The steps ------------------------------------------------------------ */

static bool take_device(struct demo *demo)
{
	if (vfio_take(&demo->device, demo->address, -1) ||
	    edu_init(&demo->edu, &demo->device))
		return false;
	return check("device", true, "%s is an edu; it is /dev/vfio/devices/%s",
		     demo->device.address, demo->device.name) &&
	       check("IOMMU", true, "it is attached to IOAS %u, which is empty",
		     demo->device.ioas);
}

static bool use_unmapped(struct demo *demo)
{
	bool stopped;

	fill(demo, BEFORE);
	stopped = blocked(demo, edu_write, 0);
	return memory_untouched(demo, BEFORE) && stopped;
}

/* Wait until as many pages more than at the start are counted as pinned */
static bool pinned(struct demo *demo, long more)
{
	unsigned int tries = HOST_PINS_LAG_S * 10;
	long pins;

	do {
		host_refresh_pins();
		pins = host_pinned_pages() - demo->pins;
		if (pins == more)
			break;
		usleep(100000);
	} while (--tries);
	return check("pins", pins == more, "%ld pages more than at the start",
		     pins);
}

static bool lock(struct demo *demo)
{
	struct wddmcompat_query query;
	unsigned int i;

	if (module_bind(demo->context, demo->device.iommufd) ||
	    module_adapter(demo->context, demo->device.ioas, &demo->adapter) ||
	    module_lock(demo->context, demo->pieces, NUM_PIECES, &demo->mdl) ||
	    module_query(demo->context, demo->mdl, &query))
		return false;

	for (i = 0; i < NUM_PIECES; i++)
		tell("piece", "%u: %u bytes, from byte %u of the page at %#llx",
		     i + 1, demo->pieces[i].byte_count,
		     demo->pieces[i].byte_offset, demo->pieces[i].start_va);
	return check("MDL",
		     query.out_num_pages * memory_page_size() ==
			     total_length(demo),
		     "%#llx has %llu pages", demo->mdl, query.out_num_pages) &&
	       pinned(demo, query.out_num_pages);
}

static bool map(struct demo *demo)
{
	struct wddmcompat_map map = {
		.flags = WDDMCOMPAT_MAP_WRITEABLE | WDDMCOMPAT_MAP_FIXED_IOVA,
		.adapter = demo->adapter,
		.mdl = demo->mdl,
		.iova = IOVA,
		.logical = (uintptr_t)demo->logical,
		.num_logical = NUM_PIECES,
	};
	bool ok = true;
	unsigned int i;

	if (module_map(demo->context, &map))
		return false;
	demo->memory = map.out_memory;

	tell("handle", "memory %#llx of adapter %#llx", demo->memory,
	     demo->adapter);
	ok &= check("range", map.iova == IOVA, "%#llx to %#llx", map.iova,
		    map.iova + total_length(demo) - 1);
	for (i = 0; i < NUM_PIECES; i++)
		ok &= check("piece", demo->logical[i] == piece_address(demo, i),
			    "%u begins at %#llx", i + 1, demo->logical[i]);
	return ok;
}

/* The device carries a piece off, and brings it back after it was wiped */
static bool carry(struct demo *demo, unsigned int piece)
{
	__u64 wrong;

	write_pattern(demo, piece);
	if (!transfer(demo, edu_read, piece))
		return false;
	fill(demo, BETWEEN);
	if (!transfer(demo, edu_write, piece))
		return false;
	wrong = count_wrong(demo, piece, BETWEEN);
	return check("memory", !wrong, "%llu of %llu bytes are wrong", wrong,
		     total_length(demo));
}

static bool use_mapped(struct demo *demo)
{
	unsigned int i;

	for (i = 0; i < NUM_PIECES; i++)
		if (!carry(demo, i))
			return false;
	return true;
}

static bool unmap(struct demo *demo)
{
	int state = module_unmap(demo->context, demo->adapter, demo->memory);

	if (state < 0)
		return false;
	return check("handle", state == WDDMCOMPAT_STATE_LIVE,
		     "memory %#llx is unmapped", demo->memory);
}

/*
 * For the second and third piece only the memory is looked at: an Intel IOMMU's
 * driver logs no more than three faults in five seconds.
 */
static bool use_after_unmap(struct demo *demo)
{
	bool stopped;

	fill(demo, AFTER);
	stopped = blocked(demo, edu_write, 0) && blocked(demo, edu_read, 0) &&
		  transfer(demo, edu_write, 1) && transfer(demo, edu_write, 2);
	return memory_untouched(demo, AFTER) && stopped;
}

static bool unmap_again(struct demo *demo)
{
	int rc = wddm_unmap(demo->context, demo->adapter, demo->memory);

	return check("handle", rc == -ENOENT, "memory %#llx: %s", demo->memory,
		     rc < 0 ? strerrorname_np(-rc) : "unmapped once more");
}

static bool unlock(struct demo *demo)
{
	if (module_unlock(demo->context, demo->mdl))
		return false;
	return check("MDL", true, "%#llx is unlocked", demo->mdl) &&
	       pinned(demo, 0);
}

static const struct step {
	const char *title;
	const char *why;
	bool (*run)(struct demo *demo);
} steps[] = {
	{
		"Take the device",
		"From here on it sees memory only through an address space of ours.",
		take_device,
	},
	{
		"The device writes where nothing is mapped",
		"The IOMMU must stop it and report a fault, and no byte may change.",
		use_unmapped,
	},
	{
		"Lock three pieces of memory",
		"Three descriptors in one chain, an MDL. Its pages are pinned: they stay there.",
		lock,
	},
	{
		"Map the MDL for the device",
		"Scattered in memory, the pieces get one gapless range of device addresses.",
		map,
	},
	{
		"The device reads each piece, and writes it back after we wiped it",
		"Now it must work, for exactly these bytes: all others are compared too.",
		use_mapped,
	},
	{
		"Unmap by the memory handle",
		"When this returns, the device must not reach the memory any more.",
		unmap,
	},
	{
		"The device writes and reads at the same addresses again",
		"The pages are still locked: only the IOMMU stands before them.",
		use_after_unmap,
	},
	{
		"Unmap a second time",
		"The handle names nothing now and must be refused, not hit something else.",
		unmap_again,
	},
	{
		"Unlock the memory",
		"The kernel counts pinned pages: it must be as many as at the start.",
		unlock,
	},
};

static bool run_step(struct demo *demo, unsigned int index)
{
	const struct step *step = &steps[index];
	bool ok;

	report_text("\n%u. %s\n   %s\n", index + 1, step->title, step->why);
	report_open_item();
	report_number("number", NULL, index + 1, "");
	report_string("title", NULL, "%s", step->title);
	report_open_list("facts");
	ok = step->run(demo);
	report_close();
	report_bool("ok", ok);
	report_close();
	return ok;
}

static int prepare(struct demo *demo)
{
	__u32 page = memory_page_size();

	if (!host_refresh_pins())
		sleep(HOST_PINS_LAG_S);
	demo->pins = host_pinned_pages();
	demo->context = module_open();
	if (demo->context < 0)
		return -1;
	demo->kmsg = kmsg_open();
	if (demo->kmsg < 0)
		return -1;
	/* Odd beginnings; the second piece goes over the end of its page */
	if (memory_anonymous(&demo->pieces[0], 291, 1001, true) ||
	    memory_anonymous(&demo->pieces[1], page - 31, 3333, true) ||
	    memory_anonymous(&demo->pieces[2], 2047, 777, true))
		return -1;
	return 0;
}

static bool run(struct demo *demo)
{
	bool ok = true;
	unsigned int i;

	report_text("%s", intro);
	report_open_list("steps");
	for (i = 0; ok && i < ARRAY_SIZE(steps); i++)
		ok = run_step(demo, i);
	report_close();
	return ok;
}

int demo_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
	};
	struct demo demo = { .context = -1, .kmsg = -1 };
	bool ok;

	while (next_option(argc, argv, options, ARRAY_SIZE(options)) == 'd')
		device_option(demo.address, sizeof(demo.address));
	if (!demo.address[0])
		usage_error("--device is missing");

	ok = !prepare(&demo) && run(&demo);
	report_string("result", NULL, "%s", ok ? "PASS" : "FAIL");
	report_text("\n%s\n", ok ? "PASS" : "FAIL");
	report_finish();
	return ok ? EXIT_OK : EXIT_FAILED;
}
