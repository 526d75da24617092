/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef WDDMCTL_COMPILER_H
#define WDDMCTL_COMPILER_H

#define __printf(a, b) __attribute((format(printf, a, b)))
#define __noreturn __attribute((noreturn))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
