/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much a program has done, for whoever watches it: with TALLY=<directory> in
 * the environment it keeps the numbers in a file there, see soak. Without, this
 * does nothing.
 */
#ifndef __WDDMCOMPAT_SELFTESTS_TALLY_H
#define __WDDMCOMPAT_SELFTESTS_TALLY_H

enum tally {
	TALLY_OPERATIONS,
	TALLY_FAULTS,
	TALLY_KILLS,
	TALLY_NUM,
};

/* Before the program forks or starts threads: they all count in the same file */
void tally_open(const char *name);
void tally_add(enum tally what, unsigned long number);

#endif
