// SPDX-License-Identifier: GPL-2.0-only
/*
 * Errors in words. Each that linux/wddmcompat.h names is here; a test of the
 * library compares.
 */
#include <errno.h>
#include <stddef.h>

#include "private.h"
#include "wddmcompat.h"

/* For every command */
#define ANY 0xffffffff

/* The first that fits is taken: those of a command come before those of all */
static const struct {
	__u32 cmd;
	int error;
	const char *text;
} errors[] = {
	/* Of wddm_open(), which asks for the version */
	{ WDDMCOMPAT_CMD_INFO, ENOENT,
	  "There is no /dev/wddmcompat: the module is not loaded.\n"
	  "Run \"modprobe wddmcompat\", or \"insmod wddmcompat.ko\" where it was built." },
	{ WDDMCOMPAT_CMD_INFO, ENODEV,
	  "The module behind /dev/wddmcompat is not loaded.\n"
	  "Run \"modprobe wddmcompat\", or \"insmod wddmcompat.ko\" where it was built." },
	{ WDDMCOMPAT_CMD_INFO, EACCES,
	  "This user may not open /dev/wddmcompat.\n"
	  "Run it as root, or as a member of the group that the file belongs to." },
	{ WDDMCOMPAT_CMD_INFO, EPROTO,
	  "The module has another version of the interface.\n"
	  "Build it and the program from one source." },

	{ WDDMCOMPAT_CMD_BIND, EBADF,
	  "The iommufd is not an open file.\n"
	  "Open /dev/iommu first." },
	{ WDDMCOMPAT_CMD_BIND, EBADFD,
	  "That file is none of /dev/iommu.\n"
	  "Pass the descriptor of an iommufd." },
	{ WDDMCOMPAT_CMD_BIND, EBUSY,
	  "The context is bound already, and stays so.\n"
	  "Open another context for another iommufd." },

	{ WDDMCOMPAT_CMD_ADAPTER_CREATE, ENOENT,
	  "The iommufd has no IOAS with this ID.\n"
	  "Was it destroyed, or is it another iommufd's?" },
	{ WDDMCOMPAT_CMD_ADAPTER_CREATE, EINVAL,
	  "The ID is not that of an IOAS, or it is the one in which the context keeps its MDLs." },
	{ WDDMCOMPAT_CMD_ADAPTER_CREATE, EADDRINUSE,
	  "The IOAS has mappings that are not aligned to pages.\n"
	  "Unmap them, or use another IOAS." },
	{ WDDMCOMPAT_CMD_ADAPTER_DESTROY, EBUSY,
	  "The adapter still has mappings, revoked ones included.\n"
	  "Unmap them first." },

	{ WDDMCOMPAT_CMD_MDL_LOCK, EINVAL,
	  "There are no descriptors or too many of them, or one breaks its rules:\n"
	  "its start is within a page, its offset is not, it is empty, too long or wraps around." },
	{ WDDMCOMPAT_CMD_MDL_LOCK, EFAULT,
	  "There is no memory at an address, or it may not be read, or written if the device is to.\n"
	  "A file on disk can be locked for reading only, memory of a device not at all." },
	{ WDDMCOMPAT_CMD_MDL_LOCK, ENOMEM,
	  "Out of memory, or over the limit of locked memory.\n"
	  "Raise \"ulimit -l\", or run it with CAP_IPC_LOCK." },
	{ WDDMCOMPAT_CMD_MDL_LOCK, E2BIG,
	  "More pieces of memory than an MDL can have, or a structure that the module does not know.\n"
	  "Lock the pieces as more than one MDL." },
	{ WDDMCOMPAT_CMD_MDL_LOCK, EEXIST,
	  "The program has mapped something into the IOAS of its MDLs by itself.\n"
	  "That IOAS is for looking at only." },
	{ WDDMCOMPAT_CMD_MDL_LOCK, ESTALE,
	  "The program unmapped pages from the IOAS of its MDLs while they were being locked." },
	{ WDDMCOMPAT_CMD_MDL_UNLOCK, EBUSY,
	  "The MDL is still mapped.\n"
	  "Unmap it first." },

	{ WDDMCOMPAT_CMD_MAP, EINVAL,
	  "The pages are not all within the MDL, the array for logical addresses has not its length,\n"
	  "or the IOVA is not aligned or not allowed. IOMMU_IOAS_IOVA_RANGES tells what is." },
	{ WDDMCOMPAT_CMD_MAP, EEXIST,
	  "The IOVA is in use or reserved.\n"
	  "Choose another, or let the module choose." },
	{ WDDMCOMPAT_CMD_MAP, EPERM,
	  "The device was to write, but the memory was locked for reading.\n"
	  "Lock it with WDDMCOMPAT_MDL_WRITE_OPERATION." },
	{ WDDMCOMPAT_CMD_MAP, EIDRM,
	  "The MDL is revoked: its pages were unmapped by another way than the module.\n"
	  "Unlock it, and lock the memory again." },
	{ WDDMCOMPAT_CMD_MAP, ESTALE,
	  "The program unmapped the range by another way while it was being mapped." },
	{ WDDMCOMPAT_CMD_UNMAP, ENOENT,
	  "There is no such mapping, or it is on another adapter.\n"
	  "Was it unmapped already?" },
	{ WDDMCOMPAT_CMD_UNMAP, EBUSY,
	  "An object of the iommufd, such as a hardware queue, needs the range.\n"
	  "Destroy that first: the memory is still mapped." },

	{ WDDMCOMPAT_CMD_BATCH, EFAULT,
	  "The entries cannot be read, or a result cannot be written.\n"
	  "What has a result was done as it says." },
	{ WDDMCOMPAT_CMD_BATCH, EINTR,
	  "The process is about to end.\n"
	  "What has a result was done as it says." },
	{ WDDMCOMPAT_CMD_BATCH, EINVAL,
	  "There are none or too many, or the first one has not the size of its structure." },
	{ WDDMCOMPAT_CMD_BATCH, EOPNOTSUPP,
	  "Only locks, maps and unmaps can be done many at once." },

	{ ANY, ENOTTY,
	  "The module does not know this call.\n"
	  "Is it older than the program?" },
	{ ANY, EINVAL,
	  "A value can never be right, or the handle is of another type." },
	{ ANY, E2BIG,
	  "The structure has members that the module does not know.\n"
	  "Is it older than the program?" },
	{ ANY, EOPNOTSUPP,
	  "A flag is not defined, or a reserved member is not zero.\n"
	  "Is the module older than the program?" },
	{ ANY, EFAULT,
	  "The structure, or an array that it names, cannot be accessed." },
	{ ANY, EIO,
	  "Only the process that opened the context can use it.\n"
	  "Open another one in the child." },
	{ ANY, ENOTCONN,
	  "No iommufd is bound to the context.\n"
	  "Bind it first." },
	{ ANY, ENOENT,
	  "The handle names nothing: it is another context's, or what it named is gone." },
	{ ANY, ENOMEM,
	  "Out of memory, or over the limit of locked memory.\n"
	  "The kernel's log (dmesg) may tell more." },
	{ ANY, ENOSPC,
	  "No room is left in the IOVA space, as devices and program limit it, or for a handle." },
	{ ANY, EINTR,
	  "The process is about to end.\n"
	  "Nothing was done." },
};

const char *wddm_explain(__u32 cmd, int error)
{
	const int positive = error < 0 ? -error : error;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].error == positive &&
		    (errors[i].cmd == cmd || errors[i].cmd == ANY))
			return errors[i].text;
	return NULL;
}
