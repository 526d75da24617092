/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wddmctl: look at the wddmcompat module, and use it by hand.
 *
 * main.c     the subcommands, their help, and options
 * info.c     wddmctl info
 * check.c    wddmctl check
 * map.c      wddmctl map
 * demo.c     wddmctl demo
 * explain.c  wddmctl explain
 * bench.c    wddmctl bench, see bench.h
 * module.c   the calls of the module
 * iommufd.c  the calls of iommufd
 * vfio.c     a PCI device, through VFIO and iommufd
 * type1.c    a PCI device, through VFIO alone
 * edu.c      QEMU's edu device
 * memory.c   memory that descriptors describe
 * host.c     what sysfs and procfs tell
 * kmsg.c     what the kernel says
 * report.c   text or JSON
 */
#ifndef WDDMCTL_H
#define WDDMCTL_H

#include <getopt.h>
#include <stddef.h>

#include "compiler.h"

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

int info_main(int argc, char **argv);
int check_main(int argc, char **argv);
int map_main(int argc, char **argv);
int demo_main(int argc, char **argv);
int explain_main(int argc, char **argv);
int bench_main(int argc, char **argv);

/*
 * The next option of the subcommand's own, or -1 when there is none left. Takes
 * care of those that all have: --json and --help. Does not return when help was
 * asked for or the command line is wrong.
 */
int next_option(int argc, char **argv, const struct option *own,
		unsigned int num_own);

/* Take the value of the option --device, a PCI address */
void device_option(char *address, size_t size);

/* Say what is wrong with the command line and where help is, and exit */
void usage_error(const char *format, ...) __printf(1, 2) __noreturn;

#endif
