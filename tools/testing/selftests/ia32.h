/* SPDX-License-Identifier: GPL-2.0-only */
/* What compat32 leaves open for ia32 */
#ifndef __WDDMCOMPAT_SELFTESTS_IA32_H
#define __WDDMCOMPAT_SELFTESTS_IA32_H

#define IA32_IOMMUFD 100
/* An edu device that is attached to an IOAS */
#define IA32_DEVICE 101
/* The ID of the IOAS comes through this */
#define IA32_PIPE 102

#endif
