// SPDX-License-Identifier: GPL-2.0-only
/*
 * What locked memory counts against RLIMIT_MEMLOCK. That nothing is still charged
 * in the end is tried after every test, here as elsewhere.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "fixture.h"
#include "kselftest_harness.h"

#define PAGES ((size_t)16)

FIXTURE(memlock)
{
	struct env env;
	__u8 *va;
};

FIXTURE_SETUP(memlock)
{
	ASSERT_EQ(0, env_open(&self->env));
	self->va = anon_pages(PAGES + 1);
	ASSERT_EQ(0, set_memlock_limit(PAGES * PAGE_SIZE));
}

FIXTURE_TEARDOWN(memlock)
{
	EXPECT_TRUE(env_close(&self->env));
}

static int lock_pages(const struct env *env, const void *va, size_t pages,
		      __u64 *mdl)
{
	return wddm_lock(env->ctx, va, pages * PAGE_SIZE, MDL_WRITE, mdl);
}

TEST_F(memlock, limit)
{
	const struct env *env = &self->env;
	__u64 mdl;

	EXPECT_EQ(-ENOMEM, lock_pages(env, self->va, PAGES + 1, &mdl));
	EXPECT_EQ(0, pins_since(env));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->mdl_ioas));
	/* What was refused is not charged: all of the limit is there */
	ASSERT_EQ(0, lock_pages(env, self->va, PAGES, &mdl));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));

	set_memlock_limit(PAGES * PAGE_SIZE - 1);
	EXPECT_EQ(-ENOMEM, lock_pages(env, self->va, PAGES, &mdl));
	set_memlock_limit(0);
	EXPECT_EQ(-ENOMEM, lock_pages(env, self->va, 1, &mdl));
	EXPECT_EQ(0, pins_since(env));
}

TEST_F(memlock, sum)
{
	const struct env *env = &self->env;
	__u64 first, second;

	ASSERT_EQ(0, lock_pages(env, self->va, PAGES - 1, &first));
	EXPECT_EQ(-ENOMEM, lock_pages(env, self->va, 2, &second));
	ASSERT_EQ(0, lock_pages(env, self->va, 1, &second));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, second));
	EXPECT_EQ(-ENOMEM, lock_pages(env, self->va, 2, &second));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, first));
	ASSERT_EQ(0, lock_pages(env, self->va, 2, &second));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, second));
}

/* The user is charged, not the context */
TEST_F(memlock, contexts_share_the_limit)
{
	const struct env *env = &self->env;
	const int ctx = open_context(), iommufd = open_iommufd();
	__u64 first, second;

	ASSERT_EQ(0, wddm_bind(ctx, iommufd, NULL));
	ASSERT_EQ(0, lock_pages(env, self->va, PAGES, &first));
	EXPECT_EQ(-ENOMEM, wddm_lock(ctx, self->va, 1, 0, &second));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, first));
	EXPECT_EQ(0, wddm_lock(ctx, self->va, PAGES * PAGE_SIZE, 0, &second));
	/* Its pages go with it */
	close(ctx);
	EXPECT_EQ(0, lock_pages(env, self->va, PAGES, &first));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, first));
	close(iommufd);
}

TEST_F(memlock, nothing_accumulates)
{
	const struct env *env = &self->env;
	__u64 mdl, memory, iova = 0;

	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(0, lock_pages(env, self->va, PAGES, &mdl));
		ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, mdl,
					  MAP_WRITE, &iova, &memory));
		ASSERT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, memory));
		ASSERT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
		ASSERT_EQ(-ENOMEM, lock_pages(env, self->va, PAGES + 1, &mdl));
	}
}

/* However often and to whatever it is mapped */
TEST_F(memlock, counts_once)
{
	const struct env *env = &self->env;
	__u64 mdl, adapter, memory[4], iova[4] = {};
	__u32 ioas;

	ASSERT_EQ(0, ioas_alloc(env->iommufd, &ioas));
	ASSERT_EQ(0, wddm_adapter_create(env->ctx, ioas, &adapter));
	ASSERT_EQ(0, lock_pages(env, self->va, PAGES, &mdl));
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, wddm_map_all(env->ctx,
					  i % 2 ? adapter : env->adapter, mdl,
					  MAP_WRITE, &iova[i], &memory[i]));
	EXPECT_EQ((long)PAGES, pins_since(env));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(LIVE, wddm_unmap(env->ctx,
					   i % 2 ? adapter : env->adapter,
					   memory[i]));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
	EXPECT_EQ(0, wddm_adapter_destroy(env->ctx, adapter));
}

TEST_F(memlock, chain)
{
	const struct env *env = &self->env;
	struct wddmcompat_mdl_desc descs[PAGES + 1];
	__u64 mdl;

	for (size_t i = 0; i <= PAGES; i++)
		descs[i] = wddm_desc(self->va + i * PAGE_SIZE, 1, MDL_WRITE);
	/* The last one is too much, and takes the others along */
	EXPECT_EQ(-ENOMEM, wddm_lock_chain(env->ctx, descs, PAGES + 1, &mdl));
	EXPECT_EQ(0, pins_since(env));
	ASSERT_EQ(0, wddm_lock_chain(env->ctx, descs, PAGES, &mdl));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

/* A large page is as many as its small ones */
TEST_F(memlock, huge_page)
{
	const struct env *env = &self->env;
	const size_t pages = HUGE_SIZE / PAGE_SIZE;
	__u8 *va = huge_page();
	__u64 mdl, second;

	set_memlock_limit(HUGE_SIZE - 1);
	EXPECT_EQ(-ENOMEM, lock_pages(env, va, pages, &mdl));
	set_memlock_limit(HUGE_SIZE);
	ASSERT_EQ(0, lock_pages(env, va, pages, &mdl));
	EXPECT_EQ(-ENOMEM, lock_pages(env, self->va, 1, &second));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

/* As everywhere else: CAP_IPC_LOCK is above the limit */
TEST_F(memlock, root_is_not_charged)
{
	const struct env *env = &self->env;
	__u64 of_root, of_user;

	become_root();
	ASSERT_EQ(0, lock_pages(env, self->va, PAGES + 1, &of_root));
	become_user();
	EXPECT_EQ(0, lock_pages(env, self->va, PAGES, &of_user));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, of_root));
	/* It is not refunded either */
	EXPECT_EQ(-ENOMEM, lock_pages(env, self->va, 1, &of_root));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, of_user));
}

TEST_F(memlock, revoked_is_not_charged)
{
	const struct env *env = &self->env;
	__u64 mdl, second;

	ASSERT_EQ(0, lock_pages(env, self->va, PAGES, &mdl));
	EXPECT_EQ((long)(PAGES * PAGE_SIZE),
		  ioas_unmap_all(env->iommufd, env->mdl_ioas));
	EXPECT_EQ(0, pins_since(env));
	ASSERT_EQ(0, lock_pages(env, self->va, PAGES, &second));
	EXPECT_EQ(REVOKED, wddm_unlock(env->ctx, mdl));
	EXPECT_EQ(-ENOMEM, lock_pages(env, self->va, 1, &mdl));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, second));
}

/* All that its process leaves to the kernel */
static int lock_and_exit(int sock, void *arg)
{
	const int ctx = open_context(), iommufd = open_iommufd();
	__u64 mdl;

	(void)sock;
	CHECK(!wddm_bind(ctx, iommufd, NULL));
	CHECK(!wddm_lock(ctx, arg, PAGES * PAGE_SIZE, MDL_WRITE, &mdl));
	CHECK(wddm_lock(ctx, arg, 1, MDL_WRITE, &mdl) == -ENOMEM);
	return 0;
}

TEST_F(memlock, exit_without_unlock)
{
	__u64 mdl;

	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, in_child(lock_and_exit, self->va));
	EXPECT_TRUE(pins_are_back(&self->env));
	EXPECT_EQ(0, lock_pages(&self->env, self->va, PAGES, &mdl));
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, mdl));
}

/* iommufd's other way of counting, for which the process is asked */
static long locked_kib(void)
{
	char line[128];
	long kib = -1;
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmLck: %ld", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

TEST_F(memlock, charged_to_the_process)
{
	const int ctx = open_context(), iommufd = open_iommufd();
	struct iommu_option mode = {
		.size = sizeof(mode),
		.option_id = IOMMU_OPTION_RLIMIT_MODE,
		.op = IOMMU_OPTION_OP_SET,
		.val64 = 1,
	};
	__u64 mdl;

	become_root();
	ASSERT_EQ(0, ioctl(iommufd, IOMMU_OPTION, &mode));
	become_user();
	ASSERT_EQ(0, wddm_bind(ctx, iommufd, NULL));
	ASSERT_EQ(0, wddm_lock(ctx, self->va, PAGES * PAGE_SIZE, 0, &mdl));
	EXPECT_EQ((long)(PAGES * PAGE_SIZE >> 10), locked_kib());
	EXPECT_EQ(LIVE, wddm_unlock(ctx, mdl));
	EXPECT_EQ(0, locked_kib());
	EXPECT_EQ(-ENOMEM, wddm_lock(ctx, self->va, (PAGES + 1) * PAGE_SIZE, 0,
				     &mdl));
	EXPECT_EQ(0, locked_kib());
	ASSERT_EQ(0, wddm_lock(ctx, self->va, PAGES * PAGE_SIZE, 0, &mdl));
	close(ctx);
	EXPECT_EQ(0, locked_kib());
	close(iommufd);
}

/* Another user, who has a limit to itself */
#define OTHER_USER 64243

static void become_other_user(void)
{
	become_root();
	CHECK(!setresgid(OTHER_USER, OTHER_USER, 0));
	CHECK(!setresuid(OTHER_USER, OTHER_USER, 0));
}

/* All of the limit, and not a page more: 0, or what is refused */
static int lock_all(const void *va, int *ctx, __u64 *mdl)
{
	const int iommufd = open_iommufd();
	int rc;

	*ctx = open_context();
	rc = wddm_bind(*ctx, iommufd, NULL);
	close(iommufd);
	if (rc)
		return rc;
	if (wddm_lock(*ctx, va, (PAGES + 1) * PAGE_SIZE, 0, mdl) != -ENOMEM)
		return -EPROTO;
	return wddm_lock(*ctx, va, PAGES * PAGE_SIZE, 0, mdl);
}

static int lock_all_in_child(int sock, void *arg)
{
	__u64 mdl;
	int ctx;

	(void)sock;
	return -lock_all(arg, &ctx, &mdl);
}

/* A child is the same user: what its parent has locked, it cannot */
TEST_F(memlock, children_share_the_limit)
{
	const struct env *env = &self->env;
	__u64 mdl;

	EXPECT_EQ(0, in_child(lock_all_in_child, self->va));
	ASSERT_EQ(0, lock_pages(env, self->va, 1, &mdl));
	EXPECT_EQ(ENOMEM, in_child(lock_all_in_child, self->va));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
	EXPECT_EQ(0, in_child(lock_all_in_child, self->va));
}

static int lock_all_as_another(int sock, void *arg)
{
	become_other_user();
	return lock_all_in_child(sock, arg);
}

TEST_F(memlock, users_do_not_share_it)
{
	const struct env *env = &self->env;
	__u64 mdl;

	ASSERT_EQ(0, lock_pages(env, self->va, PAGES, &mdl));
	EXPECT_EQ(0, in_child(lock_all_as_another, self->va));
	EXPECT_EQ(-ENOMEM, wddm_lock(env->ctx, self->va, 1, 0, &mdl));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

/* What a process has locked stays charged to the user that it was then */
static int lock_and_become_another(int sock, void *arg)
{
	__u64 first, second;
	int before, after;

	(void)sock;
	CHECK(!lock_all(arg, &before, &first));
	become_other_user();
	CHECK(!lock_all(arg, &after, &second));
	/* Each gets back what was its own */
	CHECK(wddm_unlock(before, first) == LIVE);
	CHECK(wddm_lock(after, arg, 1, 0, &first) == -ENOMEM);
	CHECK(wddm_unlock(after, second) == LIVE);
	CHECK(!wddm_lock(after, arg, PAGES * PAGE_SIZE, 0, &second));
	return 0;
}

TEST_F(memlock, another_user_later)
{
	__u64 mdl;

	EXPECT_EQ(0, in_child(lock_and_become_another, self->va));
	EXPECT_TRUE(pins_are_back(&self->env));
	EXPECT_EQ(0, lock_pages(&self->env, self->va, PAGES, &mdl));
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, mdl));
}

TEST_HARNESS_MAIN
