// SPDX-License-Identifier: GPL-2.0-only
/*
 * NTSTATUS and errno: the one table of what is what.
 */
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kernel.h>

#include "../compat.h"
#include "dxgk.h"

/* Of those with the same status, the first is what it becomes on the way back */
static const struct {
	int rc;
	NTSTATUS status;
} dxgk_statuses[] = {
	{ 0, STATUS_SUCCESS },
	{ -ENOMEM, STATUS_INSUFFICIENT_RESOURCES },
	{ -ENOSPC, STATUS_INSUFFICIENT_RESOURCES },
	{ -EINVAL, STATUS_INVALID_PARAMETER },
	{ -ERANGE, STATUS_INVALID_PARAMETER },
	{ -EOVERFLOW, STATUS_INVALID_PARAMETER },
	{ -ENXIO, STATUS_INVALID_HANDLE },
	{ -ENOENT, STATUS_INVALID_HANDLE },
	{ -EBADF, STATUS_INVALID_HANDLE },
	{ -EOPNOTSUPP, STATUS_NOT_SUPPORTED },
	{ -EEXIST, STATUS_CONFLICTING_ADDRESSES },
	{ -EADDRINUSE, STATUS_CONFLICTING_ADDRESSES },
	{ -EADDRNOTAVAIL, STATUS_INVALID_ADDRESS },
	{ -EFAULT, STATUS_ACCESS_VIOLATION },
	{ -EPERM, STATUS_ACCESS_DENIED },
	{ -EACCES, STATUS_ACCESS_DENIED },
	{ -EBUSY, STATUS_DEVICE_BUSY },
	{ -ENODEV, STATUS_DEVICE_NOT_READY },
	{ -EPROTONOSUPPORT, STATUS_REVISION_MISMATCH },
	{ -EALREADY, STATUS_ALREADY_COMMITTED },
	{ -EBADFD, STATUS_INVALID_DEVICE_STATE },
	{ -EINTR, STATUS_CANCELLED },
	{ -EIO, STATUS_IO_DEVICE_ERROR },
	{ -ENOMEM, STATUS_NO_MEMORY },
};

/**
 * dxgk_errno_to_status() - What a WDDM callback says of an errno
 * @rc: 0 or a negative errno
 *
 * Context: Any.
 * Return: The NTSTATUS; STATUS_UNSUCCESSFUL for what has none of its own.
 */
int dxgk_errno_to_status(int rc)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dxgk_statuses); i++) {
		if (dxgk_statuses[i].rc == rc)
			return dxgk_statuses[i].status;
	}
	return STATUS_UNSUCCESSFUL;
}
EXPORT_SYMBOL_NS_GPL(dxgk_errno_to_status, WDDM_EXPORT_NS);

/**
 * dxgk_status_to_errno() - What Linux says of an NTSTATUS
 * @status: NTSTATUS
 *
 * Context: Any.
 * Return: 0 for every success; -EIO for a failure that has no errno of its own.
 */
int dxgk_status_to_errno(int status)
{
	unsigned int i;

	if (NT_SUCCESS(status))
		return 0;
	for (i = 0; i < ARRAY_SIZE(dxgk_statuses); i++) {
		if (dxgk_statuses[i].status == status)
			return dxgk_statuses[i].rc;
	}
	return -EIO;
}
EXPORT_SYMBOL_NS_GPL(dxgk_status_to_errno, WDDM_EXPORT_NS);
