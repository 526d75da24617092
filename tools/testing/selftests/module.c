// SPDX-License-Identifier: GPL-2.0-only
/* The module itself: in use, unloaded, loaded again */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fixture.h"
#include "kselftest_harness.h"

/* Where the test machine has it */
#define MODULE "/lib/modules/wddmcompat.ko"

static int unload(void)
{
	return syscall(SYS_delete_module, "wddmcompat", O_NONBLOCK) ? -errno : 0;
}

/* What a thread of the kernel lets go of is gone in a moment */
static bool is_unloaded_soon(void)
{
	const long deadline = now_ms() + 10000;
	int rc;

	while ((rc = unload()) == -EWOULDBLOCK && now_ms() < deadline)
		usleep(10000);
	return !rc;
}

static int load(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return rc;
}

static bool is_there(void)
{
	return !access("/dev/wddmcompat", F_OK) &&
	       !access("/sys/module/wddmcompat", F_OK);
}

FIXTURE(module)
{
	struct env env;
};

FIXTURE_SETUP(module)
{
	self->env = (struct env){ .ctx = -1, .iommufd = -1 };
}

/* For the programs that come after this one, as it was for this one */
FIXTURE_TEARDOWN_PARENT(module)
{
	EXPECT_TRUE(!is_there() || is_unloaded_soon());
	EXPECT_EQ(0, load());
}

TEST_F(module, stays_while_a_context_is_open)
{
	const int ctx = open_context();

	ASSERT_LE(0, ctx);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	EXPECT_TRUE(is_there());
	close(ctx);
	EXPECT_EQ(0, unload());
	EXPECT_FALSE(is_there());
}

static int close_last(int sock, void *arg)
{
	__u64 number;

	CHECK(!hear(sock, &number));
	return close(*(int *)arg);
}

/* Whoever closes last, the page goes out of its owner, which lives on */
TEST_F(module, is_free_after_a_foreign_close)
{
	int ctx = open_context(), iommufd = open_iommufd(), sock;
	pid_t pid;

	ASSERT_EQ(0, wddm_bind(ctx, iommufd, NULL));
	pid = spawn(close_last, &ctx, &sock);
	close(ctx);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	ASSERT_EQ(0, tell(sock, 0));
	ASSERT_EQ(0, wait_for(pid));
	EXPECT_TRUE(is_unloaded_soon());
}

TEST_F(module, works_when_it_is_loaded_again)
{
	ASSERT_EQ(0, unload());
	EXPECT_FALSE(is_there());
	ASSERT_EQ(0, load());
	ASSERT_TRUE(is_there());
	ASSERT_EQ(0, env_open(&self->env));
	EXPECT_TRUE(env_close(&self->env));
}

/* It is for user space, which brings its own iommufd, that it is worth loading then */
TEST_F(module, loads_where_there_is_no_iommufd)
{
	ASSERT_EQ(0, unload());
	ASSERT_EQ(0, rename("/dev/iommu", "/dev/iommu.hidden"));
	EXPECT_EQ(0, load());
	ASSERT_EQ(0, rename("/dev/iommu.hidden", "/dev/iommu"));
	ASSERT_EQ(0, env_open(&self->env));
	EXPECT_TRUE(env_close(&self->env));
}

TEST_HARNESS_MAIN
