/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __WDDMCOMPAT_SELFTESTS_CLIENT_H
#define __WDDMCOMPAT_SELFTESTS_CLIENT_H

/*
 * A kernel module that works on our iommufd, and what it is told by parameters: see
 * tools/testing/kunit/client.c
 */
#define CLIENT "wddmcompat_client"
#define CLIENT_PARAMETER(name) "/sys/module/" CLIENT "/parameters/" name

int load_client(void);
int unload_client(void);

#endif
