// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <libgen.h>
#include <sys/syscall.h>

#include "client.h"
#include "fixture.h"

int load_client(void)
{
	char exe[256] = "", path[320];
	int fd, rc;

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/../" CLIENT ".ko", dirname(exe));
	become_root();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	rc = fd < 0 || syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	become_user();
	if (fd >= 0)
		close(fd);
	return rc;
}

int unload_client(void)
{
	int rc;

	become_root();
	rc = syscall(SYS_delete_module, CLIENT, O_NONBLOCK) ? -errno : 0;
	become_user();
	return rc;
}
