// SPDX-License-Identifier: GPL-2.0-only
/* Contexts and adapters: what they can be made of, and what they keep */
#include <fcntl.h>
#include <sys/stat.h>

#include "edu.h"
#include "fixture.h"
#include "kselftest_harness.h"

FIXTURE(bind)
{
	struct env env;
};

FIXTURE_SETUP(bind)
{
	ASSERT_EQ(0, env_open(&self->env));
}

FIXTURE_TEARDOWN(bind)
{
	EXPECT_TRUE(env_close(&self->env));
}

TEST_F(bind, info)
{
	struct wddmcompat_info info = { .size = sizeof(info) };

	ASSERT_EQ(0, wddm_ioctl(self->env.ctx, WDDMCOMPAT_INFO, &info));
	EXPECT_EQ(WDDMCOMPAT_API_VERSION, info.out_api_version);
	EXPECT_EQ(PAGE_SIZE, info.out_page_size);
	EXPECT_EQ(WDDMCOMPAT_MDL_CHAIN_MAX, info.out_chain_max);
	EXPECT_EQ((1ULL << 32) - PAGE_SIZE, info.out_byte_count_max);
}

TEST_F(bind, unknown_ioctls)
{
	struct wddmcompat_info info = { .size = sizeof(info) };
	const unsigned long unknown[] = {
		_IO(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_BATCH + 1),
		_IO(WDDMCOMPAT_TYPE, 0x7f),
		_IO(WDDMCOMPAT_TYPE, 0xff),
		_IO(WDDMCOMPAT_TYPE - 1, WDDMCOMPAT_CMD_INFO),
		_IO(WDDMCOMPAT_TYPE + 1, WDDMCOMPAT_CMD_INFO),
		_IOR(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_INFO, info),
		_IOW(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_INFO, info),
		_IOWR(WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_INFO, info),
		_IOC(_IOC_NONE, WDDMCOMPAT_TYPE, WDDMCOMPAT_CMD_INFO, 8),
		IOMMU_DESTROY,
		0,
	};

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		EXPECT_EQ(-ENOTTY, wddm_ioctl(self->env.ctx, unknown[i], &info));
}

TEST_F(bind, bind_wants_an_iommufd)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int ctx = open_context();
	int closed, memfd;
	void *page;

	ASSERT_LE(0, ctx);
	page = shared_pages(1, &memfd);
	closed = dup(null);
	close(closed);

	EXPECT_EQ(-EBADF, wddm_bind(ctx, -1, NULL));
	EXPECT_EQ(-EBADF, wddm_bind(ctx, closed, NULL));
	EXPECT_EQ(-EBADF, wddm_bind(ctx, INT32_MAX, NULL));
	EXPECT_EQ(-EBADFD, wddm_bind(ctx, null, NULL));
	EXPECT_EQ(-EBADFD, wddm_bind(ctx, memfd, NULL));
	EXPECT_EQ(-EBADFD, wddm_bind(ctx, ctx, NULL));
	EXPECT_EQ(-EBADFD, wddm_bind(ctx, self->env.ctx, NULL));
	EXPECT_EQ(0, wddm_bind(ctx, self->env.iommufd, NULL));

	munmap(page, PAGE_SIZE);
	close(memfd);
	close(ctx);
	close(null);
}

/* Once and for good: also to the same one, and whatever else is wrong with it */
TEST_F(bind, bind_happens_once)
{
	const int iommufd = open_iommufd();

	EXPECT_EQ(-EBUSY, wddm_bind(self->env.ctx, self->env.iommufd, NULL));
	EXPECT_EQ(-EBUSY, wddm_bind(self->env.ctx, iommufd, NULL));
	close(iommufd);
}

TEST_F(bind, mdl_ioas_is_an_ioas_of_its_own)
{
	__u32 mdl_ioas = 0;
	const int ctx = open_context();

	ASSERT_EQ(0, wddm_bind(ctx, self->env.iommufd, &mdl_ioas));
	EXPECT_NE(mdl_ioas, self->env.mdl_ioas);
	EXPECT_NE(mdl_ioas, self->env.ioas);
	EXPECT_EQ(0, ioas_unmap_all(self->env.iommufd, mdl_ioas));
	/* In use, and gone with the context */
	EXPECT_EQ(-EBUSY, iommufd_destroy(self->env.iommufd, mdl_ioas));
	close(ctx);
	EXPECT_EQ(-ENOENT, iommufd_destroy(self->env.iommufd, mdl_ioas));
}

TEST_F(bind, adapter_wants_an_ioas)
{
	const struct env *env = &self->env;
	struct edu edu;
	__u64 adapter;
	int rc;

	EXPECT_EQ(-EINVAL, wddm_adapter_create(env->ctx, env->mdl_ioas,
					       &adapter));
	for (__u32 id = 1000; id < 1010; id++) {
		rc = wddm_adapter_create(env->ctx, id, &adapter);
		EXPECT_TRUE(rc == -ENOENT || rc == -EINVAL);
	}
	rc = wddm_adapter_create(env->ctx, 0, &adapter);
	EXPECT_TRUE(rc == -ENOENT || rc == -EINVAL);
	rc = wddm_adapter_create(env->ctx, UINT32_MAX, &adapter);
	EXPECT_TRUE(rc == -ENOENT || rc == -EINVAL);

	/* The ID of something else */
	ASSERT_EQ(0, edu_open(&edu, 0, env->iommufd));
	rc = wddm_adapter_create(env->ctx, edu.id, &adapter);
	EXPECT_TRUE(rc == -ENOENT || rc == -EINVAL);
	edu_close(&edu);
}

TEST_F(bind, adapter_wants_whole_pages)
{
	const struct env *env = &self->env;
	void *va = anon_pages(1);
	__u64 adapter;
	__u32 ioas;

	ASSERT_EQ(0, ioas_alloc(env->iommufd, &ioas));
	ASSERT_EQ(0, ioas_map_fixed(env->iommufd, ioas, va, 100, 0x10010));
	EXPECT_EQ(-EADDRINUSE, wddm_adapter_create(env->ctx, ioas, &adapter));
	ASSERT_EQ(0, ioas_unmap_range(env->iommufd, ioas, 0x10010, 100));
	ASSERT_EQ(0, wddm_adapter_create(env->ctx, ioas, &adapter));
	EXPECT_EQ(-EINVAL, ioas_map_fixed(env->iommufd, ioas, va, 100, 0x10010));
	EXPECT_EQ(0, wddm_adapter_destroy(env->ctx, adapter));
	EXPECT_EQ(0, iommufd_destroy(env->iommufd, ioas));
}

TEST_F(bind, adapter_keeps_its_ioas)
{
	const struct env *env = &self->env;
	__u64 adapter, second;
	__u32 ioas;

	ASSERT_EQ(0, ioas_alloc(env->iommufd, &ioas));
	ASSERT_EQ(0, wddm_adapter_create(env->ctx, ioas, &adapter));
	ASSERT_EQ(0, wddm_adapter_create(env->ctx, ioas, &second));
	EXPECT_NE(adapter, second);
	EXPECT_EQ(-EBUSY, iommufd_destroy(env->iommufd, ioas));
	EXPECT_EQ(0, wddm_adapter_destroy(env->ctx, adapter));
	EXPECT_EQ(-ENOENT, wddm_adapter_destroy(env->ctx, adapter));
	EXPECT_EQ(-EBUSY, iommufd_destroy(env->iommufd, ioas));
	EXPECT_EQ(0, wddm_adapter_destroy(env->ctx, second));
	EXPECT_EQ(0, iommufd_destroy(env->iommufd, ioas));
}

/* What else a file may be asked for, and is not */
TEST_F(bind, other_system_calls)
{
	char byte = 0;

	EXPECT_EQ(-1, write(self->env.ctx, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED,
				   self->env.ctx, 0));
	EXPECT_EQ(ENODEV, errno);
}

/* Whom else to let in is the administrator's decision */
TEST_F(bind, device_is_for_root)
{
	struct stat stat;

	ASSERT_EQ(0, lstat("/dev/wddmcompat", &stat));
	EXPECT_EQ(S_IFCHR | 0660, stat.st_mode);
	EXPECT_EQ(0, stat.st_uid);
	EXPECT_EQ(0, stat.st_gid);
	EXPECT_EQ(-1, open("/dev/wddmcompat", O_RDWR));
	EXPECT_EQ(EACCES, errno);
}

TEST_HARNESS_MAIN
