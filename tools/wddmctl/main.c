// SPDX-License-Identifier: GPL-2.0-only
#include <linux/wddmcompat.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "vfio.h"
#include "wddmctl.h"

struct command {
	const char *name;
	const char *summary;
	/* Below "Usage: wddmctl NAME" */
	const char *help;
	/* It has more than options */
	bool takes_arguments;
	int (*main)(int argc, char **argv);
};

static const struct command commands[] = {
	{
		.name = "info",
		.summary = "tell about the module, the kernel and the IOMMUs",
		.help = "[--json]\n"
			"\n"
			"Tells whether the module is loaded, its version and limits, the kernel that\n"
			"runs, and each IOMMU with the number of devices behind it. Exits with 0 also\n"
			"when the module is not loaded.\n",
		.main = info_main,
	},
	{
		.name = "check",
		.summary = "tell whether this host has all that is needed",
		.help = "[--json]\n"
			"\n"
			"Goes through what the module and a device need on this host. Each line is ok\n"
			"or says what to do. Run it as the user who is going to use the module. Exits\n"
			"with 0 when all is ok and 1 when something is missing.\n",
		.main = check_main,
	},
	{
		.name = "map",
		.summary = "map memory for a device, hold it, and unmap it",
		.help = "--device ADDRESS [--size N | --file PATH] [--chain N]\n"
			"                   [--read-only] [--hold SECONDS] [--json]\n"
			"\n"
			"Takes a device, locks memory, maps it for the device, tells where the device\n"
			"sees it, waits for Enter, and unmaps and unlocks the memory again.\n"
			"\n"
			"  --device ADDRESS  PCI address, as in 0000:00:03.0; must be bound to vfio-pci\n"
			"  --size N[K|M|G]   bytes of fresh memory to map (default 1M)\n"
			"  --file PATH       map this file instead\n"
			"  --chain N         split it into N descriptors (default 1), each in an address\n"
			"                    range of its own; fresh memory then begins at odd offsets\n"
			"  --read-only       the device may not write; needed for files on disk\n"
			"  --hold SECONDS    do not wait for Enter but so long\n"
			"\n"
			"With --json the object is printed as soon as the memory is mapped; whether it\n"
			"was unmapped again, the exit code tells.\n",
		.main = map_main,
	},
	{
		.name = "demo",
		.summary =
			"show that a device reaches what is mapped and no more",
		.help = "--device ADDRESS [--json]\n"
			"\n"
			"Has QEMU's edu device read and write memory before it is mapped, while it is,\n"
			"and after it is unmapped, and checks each time what happened to the memory and\n"
			"what the IOMMU reported. Run it as root. The last line is PASS or FAIL; exits\n"
			"with 0 or 1.\n"
			"\n"
			"  --device ADDRESS  PCI address, as in 0000:00:03.0; must be bound to vfio-pci\n",
		.main = demo_main,
	},
	{
		.name = "explain",
		.summary = "tell what an error means, and what to do about it",
		.help = "OPERATION [ERROR] [--json]\n"
			"       wddmctl explain ERROR [--json]\n"
			"\n"
			"Tells what an operation of the module means by an error: all errors of an\n"
			"operation, all operations with an error, or one of both. An operation is info,\n"
			"bind, adapter-create, adapter-destroy, lock, unlock, map, unmap, query or batch.\n"
			"An error is a name or a number, as in EBUSY or 16.\n",
		.takes_arguments = true,
		.main = explain_main,
	},
	{
		.name = "bench",
		.summary = "measure how long mapping takes, beside iommufd itself",
		.help = "[--device ADDRESS [--device ADDRESS]] [--quick | --threads]\n"
			"                     [--json]\n"
			"\n"
			"Maps and unmaps memory of many sizes and kinds in several ways, in turns: by\n"
			"iommufd's own calls (raw), from pages that it has pinned already (floor), by\n"
			"the module. Prints the median time of raw, the others' ratio to it, and how far\n"
			"the middle half of the times lies apart. Run it as root. What all the columns\n"
			"are, Documentation/performance.rst tells.\n"
			"\n"
			"  --device ADDRESS  PCI address, as in 0000:00:03.0; must be bound to vfio-pci.\n"
			"                    The memory is mapped for it; without it, for no device. A\n"
			"                    second one goes to VFIO type 1, or to the second thread\n"
			"  --quick           a part of it\n"
			"  --threads         measure what two threads do at a time, and nothing else\n",
		.main = bench_main,
	},
};

/* Options of a subcommand, --json and --help, and the one that ends the list */
#define MAX_OPTIONS 10

/* The subcommand that runs; NULL before it is known */
static const struct command *current;

static const char common_help[] =
	"\n"
	"  --json            print one JSON object; handles and addresses are strings\n"
	"  --help            print this\n"
	"\n"
	"Exit codes: 0 done, 1 what was asked for failed, 2 the command line is wrong.\n";

static void print_help(void)
{
	size_t i;

	if (current) {
		printf("Usage: wddmctl %s %s%s", current->name, current->help,
		       common_help);
		return;
	}
	printf("Usage: wddmctl COMMAND [OPTIONS]\n"
	       "\n"
	       "Looks at the wddmcompat module, which maps memory for devices behind an\n"
	       "IOMMU as WDDM does, and uses it by hand.\n"
	       "\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-17s %s\n", commands[i].name, commands[i].summary);
	printf("\n"
	       "\"wddmctl COMMAND --help\" tells about a command.\n"
	       "\"wddmctl --version\" prints the version.\n%s",
	       common_help);
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static __noreturn void refer_to_help(void)
{
	fprintf(stderr, "Try \"wddmctl %s%s--help\".\n",
		current ? current->name : "", current ? " " : "");
	exit(EXIT_USAGE);
}

void usage_error(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "wddmctl: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	refer_to_help();
}

int next_option(int argc, char **argv, const struct option *own,
		unsigned int num_own)
{
	struct option options[MAX_OPTIONS] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
	};
	int option;

	if (own)
		memcpy(&options[2], own, num_own * sizeof(*own));

	/* "+": options of the subcommand are not main()'s business */
	while ((option = getopt_long(argc, argv, current ? "" : "+", options,
				     NULL)) != -1) {
		switch (option) {
		case 'j':
			report_use_json();
			break;
		case 'h':
			print_help();
			exit(EXIT_OK);
		case '?':
			refer_to_help();
		default:
			return option;
		}
	}
	if (current && !current->takes_arguments && optind < argc)
		usage_error("\"%s\" has no place here", argv[optind]);
	return -1;
}

void device_option(char *address, size_t size)
{
	if (vfio_parse_address(optarg, address, size))
		usage_error("\"%s\" is no PCI address as 0000:00:03.0", optarg);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "version", no_argument, NULL, 'v' },
	};

	if (next_option(argc, argv, options, ARRAY_SIZE(options)) == 'v') {
		printf("wddmctl %s, for API version %d of the module\n",
		       VERSION, WDDMCOMPAT_API_VERSION);
		return EXIT_OK;
	}
	if (optind == argc)
		usage_error("which command?");
	current = find_command(argv[optind]);
	if (!current)
		usage_error("there is no command \"%s\"", argv[optind]);

	/* getopt_long() takes the command for the name of the program */
	argv[optind] = argv[0];
	argc -= optind;
	argv += optind;
	/* From the beginning, in the order that is asked for now */
	optind = 0;
	return current->main(argc, argv);
}
