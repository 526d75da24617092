// SPDX-License-Identifier: GPL-2.0-only
/* NTSTATUS and errno: each row of the table, both ways. */
#include <linux/errno.h>
#include <linux/string.h>

#include "dxgk_fixture.h"

struct status_row {
	const char *name;
	int rc;
	NTSTATUS status;
	int back;
};

static const struct status_row status_rows[] = {
	{ "0", 0, STATUS_SUCCESS, 0 },
	{ "ENOMEM", -ENOMEM, STATUS_INSUFFICIENT_RESOURCES, -ENOMEM },
	{ "ENOSPC", -ENOSPC, STATUS_INSUFFICIENT_RESOURCES, -ENOMEM },
	{ "EINVAL", -EINVAL, STATUS_INVALID_PARAMETER, -EINVAL },
	{ "ERANGE", -ERANGE, STATUS_INVALID_PARAMETER, -EINVAL },
	{ "EOVERFLOW", -EOVERFLOW, STATUS_INVALID_PARAMETER, -EINVAL },
	{ "ENXIO", -ENXIO, STATUS_INVALID_HANDLE, -ENXIO },
	{ "ENOENT", -ENOENT, STATUS_INVALID_HANDLE, -ENXIO },
	{ "EBADF", -EBADF, STATUS_INVALID_HANDLE, -ENXIO },
	{ "EOPNOTSUPP", -EOPNOTSUPP, STATUS_NOT_SUPPORTED, -EOPNOTSUPP },
	{ "EEXIST", -EEXIST, STATUS_CONFLICTING_ADDRESSES, -EEXIST },
	{ "EADDRINUSE", -EADDRINUSE, STATUS_CONFLICTING_ADDRESSES, -EEXIST },
	{ "EADDRNOTAVAIL", -EADDRNOTAVAIL, STATUS_INVALID_ADDRESS,
	  -EADDRNOTAVAIL },
	{ "EFAULT", -EFAULT, STATUS_ACCESS_VIOLATION, -EFAULT },
	{ "EPERM", -EPERM, STATUS_ACCESS_DENIED, -EPERM },
	{ "EACCES", -EACCES, STATUS_ACCESS_DENIED, -EPERM },
	{ "EBUSY", -EBUSY, STATUS_DEVICE_BUSY, -EBUSY },
	{ "ENODEV", -ENODEV, STATUS_DEVICE_NOT_READY, -ENODEV },
	{ "EPROTONOSUPPORT", -EPROTONOSUPPORT, STATUS_REVISION_MISMATCH,
	  -EPROTONOSUPPORT },
	{ "EALREADY", -EALREADY, STATUS_ALREADY_COMMITTED, -EALREADY },
	{ "EBADFD", -EBADFD, STATUS_INVALID_DEVICE_STATE, -EBADFD },
	{ "EINTR", -EINTR, STATUS_CANCELLED, -EINTR },
	{ "EIO", -EIO, STATUS_IO_DEVICE_ERROR, -EIO },
	{ "unknown", -EXDEV, STATUS_UNSUCCESSFUL, -EIO },
	{ "not an errno", 1, STATUS_UNSUCCESSFUL, -EIO },
	{ "INT_MIN", INT_MIN, STATUS_UNSUCCESSFUL, -EIO },
};

KUNIT_ARRAY_PARAM_DESC(status, status_rows, name);

static void test_errno_and_back(struct kunit *test)
{
	const struct status_row *row = test->param_value;

	KUNIT_EXPECT_EQ(test, dxgk_errno_to_status(row->rc), row->status);
	KUNIT_EXPECT_EQ(test, dxgk_status_to_errno(row->status), row->back);
}

/* Codes that no errno becomes, and successes that are not 0 */
static void test_status(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dxgk_status_to_errno(STATUS_NO_MEMORY), -ENOMEM);
	KUNIT_EXPECT_EQ(test, dxgk_status_to_errno((NTSTATUS)0xC0000002), -EIO);
	KUNIT_EXPECT_EQ(test, dxgk_status_to_errno(0x00000103), 0);
	KUNIT_EXPECT_EQ(test, dxgk_status_to_errno(0x40000000), 0);
	KUNIT_EXPECT_EQ(test, dxgk_status_to_errno(-1), -EIO);
}

static struct kunit_case status_cases[] = {
	KUNIT_CASE_PARAM(test_errno_and_back, status_gen_params),
	KUNIT_CASE(test_status),
	{}
};

static struct kunit_suite status_suite = {
	.name = "wddmcompat-dxgk-status",
	.test_cases = status_cases,
};

kunit_test_suite(status_suite);
