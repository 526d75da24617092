// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device reaches when things become complicated: several devices and
 * adapters, revocation, addresses that now lead elsewhere, a process that is gone.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "rig.h"

#define IOVA 0x10000000ULL

FIXTURE(reach)
{
	struct env env;
	struct rig rig;
	struct rig second;
	__u32 second_ioas;
	__u64 second_adapter;
	__u8 *va;
	__u64 mdl;
};

FIXTURE_SETUP(reach)
{
	struct env *env = &self->env;

	ASSERT_EQ(0, env_open(env));
	ASSERT_EQ(0, rig_open(&self->rig, 0, env->iommufd, env->ioas));
	self->va = anon_pages(1);
	memset(self->va, 0, PAGE_SIZE);
	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, PAGE_SIZE, MDL_WRITE,
			       &self->mdl));
	ASSERT_TRUE(device_holds(&self->rig, 1));
}

FIXTURE_TEARDOWN(reach)
{
	if (self->mdl)
		EXPECT_LE(0, wddm_unlock(self->env.ctx, self->mdl));
	rig_close(&self->second);
	rig_close(&self->rig);
	EXPECT_TRUE(env_close(&self->env));
}

static int map_at(const struct env *env, __u64 adapter, __u64 mdl, __u64 iova,
		  __u64 *memory)
{
	return wddm_map_all(env->ctx, adapter, mdl, MAP_WRITE | MAP_AT, &iova,
			    memory);
}

/* A write of the device to an IOVA arrives at an address, or it does not */
static bool reaches(struct rig *rig, __u64 iova, __u8 *va)
{
	bool there;

	memset(va, 0, 100);
	CHECK(device_writes(rig, iova, 100));
	there = is_filled(va, 100, 1);
	/* All or nothing */
	CHECK(there || is_zero(va, 100));
	return there;
}

TEST_F(reach, two_adapters)
{
	const struct env *env = &self->env;
	__u8 *other = anon_pages(1);
	__u64 mdl, here, there, adapter;
	__u32 ioas;

	ASSERT_EQ(0, ioas_alloc(env->iommufd, &ioas));
	ASSERT_EQ(0, wddm_adapter_create(env->ctx, ioas, &adapter));
	ASSERT_EQ(0, rig_open(&self->second, 1, env->iommufd, ioas));
	ASSERT_TRUE(device_holds(&self->second, 1));
	ASSERT_EQ(0, wddm_lock(env->ctx, other, PAGE_SIZE, MDL_WRITE, &mdl));

	/* One adapter is no way into the other */
	ASSERT_EQ(0, map_at(env, env->adapter, self->mdl, IOVA, &here));
	EXPECT_TRUE(reaches(&self->rig, IOVA, self->va));
	EXPECT_FALSE(reaches(&self->second, IOVA, self->va));

	/* The same IOVA is another page there */
	ASSERT_EQ(0, map_at(env, adapter, mdl, IOVA, &there));
	EXPECT_TRUE(reaches(&self->second, IOVA, other));
	EXPECT_FALSE(reaches(&self->second, IOVA, self->va));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, adapter, there));

	/* The same MDL in both, and only one of them loses it */
	ASSERT_EQ(0, map_at(env, adapter, self->mdl, 2 * IOVA, &there));
	EXPECT_TRUE(reaches(&self->second, 2 * IOVA, self->va));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, here));
	EXPECT_FALSE(reaches(&self->rig, IOVA, self->va));
	EXPECT_TRUE(reaches(&self->second, 2 * IOVA, self->va));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, adapter, there));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
	EXPECT_EQ(0, wddm_adapter_destroy(env->ctx, adapter));
}

/* Linked adapters: two devices, one address space */
TEST_F(reach, linked_devices)
{
	const struct env *env = &self->env;
	__u64 memory;

	ASSERT_EQ(0, map_at(env, env->adapter, self->mdl, IOVA, &memory));
	/* One of them comes later than the mapping */
	ASSERT_EQ(0, rig_open(&self->second, 1, env->iommufd, env->ioas));
	ASSERT_TRUE(device_holds(&self->second, 1));
	EXPECT_TRUE(reaches(&self->rig, IOVA, self->va));
	EXPECT_TRUE(reaches(&self->second, IOVA, self->va));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, memory));
	EXPECT_FALSE(reaches(&self->rig, IOVA, self->va));
	EXPECT_FALSE(reaches(&self->second, IOVA, self->va));
}

TEST_F(reach, revoked)
{
	const struct env *env = &self->env;
	__u64 memory;

	ASSERT_EQ(0, map_at(env, env->adapter, self->mdl, IOVA, &memory));
	EXPECT_TRUE(reaches(&self->rig, IOVA, self->va));
	ASSERT_EQ(0, ioas_unmap_range(env->iommufd, env->ioas, IOVA, PAGE_SIZE));
	EXPECT_FALSE(reaches(&self->rig, IOVA, self->va));
	EXPECT_EQ(REVOKED, wddm_unmap(env->ctx, env->adapter, memory));
}

/* Who came after the revocation is reached before and after the unmap */
TEST_F(reach, new_tenant)
{
	const struct env *env = &self->env;
	__u8 *other = anon_pages(1);
	__u64 memory;

	ASSERT_EQ(0, map_at(env, env->adapter, self->mdl, IOVA, &memory));
	ASSERT_EQ(0, ioas_unmap_range(env->iommufd, env->ioas, IOVA, PAGE_SIZE));
	ASSERT_EQ(0, ioas_map_fixed(env->iommufd, env->ioas, other, PAGE_SIZE,
				    IOVA));
	EXPECT_TRUE(reaches(&self->rig, IOVA, other));
	EXPECT_EQ(REVOKED, wddm_unmap(env->ctx, env->adapter, memory));
	EXPECT_TRUE(reaches(&self->rig, IOVA, other));
	EXPECT_FALSE(reaches(&self->rig, IOVA, self->va));
	EXPECT_EQ(0, ioas_unmap_range(env->iommufd, env->ioas, IOVA, PAGE_SIZE));
}

TEST_F(reach, part_of_a_chain_revoked)
{
	const struct env *env = &self->env;
	__u8 *va = anon_pages(3);
	struct wddmcompat_mdl_desc descs[3];
	__u64 mdl, memory;

	/* Backwards, as neighbours would be one area */
	for (int i = 0; i < 3; i++)
		descs[i] = wddm_desc(va + (2 - i) * PAGE_SIZE, PAGE_SIZE,
				     MDL_WRITE);
	ASSERT_EQ(0, wddm_lock_chain(env->ctx, descs, 3, &mdl));
	ASSERT_EQ(0, map_at(env, env->adapter, mdl, IOVA, &memory));
	ASSERT_EQ(0, ioas_unmap_range(env->iommufd, env->ioas, IOVA + PAGE_SIZE,
				      PAGE_SIZE));
	EXPECT_TRUE(reaches(&self->rig, IOVA, va + 2 * PAGE_SIZE));
	EXPECT_FALSE(reaches(&self->rig, IOVA + PAGE_SIZE, va + PAGE_SIZE));
	EXPECT_EQ(REVOKED, wddm_unmap(env->ctx, env->adapter, memory));
	EXPECT_FALSE(reaches(&self->rig, IOVA, va + 2 * PAGE_SIZE));
	EXPECT_FALSE(reaches(&self->rig, IOVA + 2 * PAGE_SIZE, va));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

/* The mapping is worth as much as before when its MDL is taken away */
TEST_F(reach, mdl_revoked)
{
	const struct env *env = &self->env;
	__u64 memory;

	ASSERT_EQ(0, map_at(env, env->adapter, self->mdl, IOVA, &memory));
	EXPECT_EQ((long)PAGE_SIZE, ioas_unmap_all(env->iommufd, env->mdl_ioas));
	EXPECT_TRUE(reaches(&self->rig, IOVA, self->va));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, memory));
	EXPECT_FALSE(reaches(&self->rig, IOVA, self->va));
}

/* The address leads elsewhere now, the device still to the page that was locked */
TEST_F(reach, address_reused)
{
	const struct env *env = &self->env;
	__u64 mdl, memory;
	__u8 *va, *alias;
	int memfd;

	va = shared_pages(1, &memfd);
	alias = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd,
		     0);
	ASSERT_NE(MAP_FAILED, alias);
	ASSERT_EQ(0, wddm_lock(env->ctx, va, PAGE_SIZE, MDL_WRITE, &mdl));
	ASSERT_EQ(va, mmap(va, PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	memset(va, 0, PAGE_SIZE);
	/* Also what is mapped only now, and even where there is no address */
	ASSERT_EQ(0, map_at(env, env->adapter, mdl, IOVA, &memory));
	EXPECT_TRUE(reaches(&self->rig, IOVA, alias));
	EXPECT_TRUE(is_zero(va, PAGE_SIZE));
	ASSERT_EQ(0, munmap(va, PAGE_SIZE));
	EXPECT_TRUE(reaches(&self->rig, IOVA, alias));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
	close(memfd);
}

static int writing_child(int sock, void *arg)
{
	__u8 *va = arg;
	__u64 go;

	va[200] = 2;
	CHECK(!tell(sock, 1));
	CHECK(!hear(sock, &go));
	/* What the device has written since is the parent's, not ours */
	CHECK(is_zero(va, 100));
	return va[200] != 2;
}

/* After fork() the locked page is still the parent's, whoever writes first */
TEST_F(reach, fork)
{
	const struct env *env = &self->env;
	__u64 memory, number;
	pid_t pid;
	int sock;

	ASSERT_EQ(0, map_at(env, env->adapter, self->mdl, IOVA, &memory));
	pid = spawn(writing_child, self->va, &sock);
	ASSERT_EQ(0, hear(sock, &number));
	self->va[300] = 3;
	EXPECT_TRUE(reaches(&self->rig, IOVA, self->va));
	EXPECT_EQ(3, self->va[300]);
	EXPECT_EQ(0, self->va[200]);
	EXPECT_EQ(0, tell(sock, 1));
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, memory));
	close(sock);
}

/* Memory that was never touched, locked to be read: the process writes to it later */
TEST_F(reach, read_only_mdl_sees_later_writes)
{
	const struct env *env = &self->env;
	__u64 mdl, memory, iova = IOVA;
	__u8 *va = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(0, wddm_lock(env->ctx, va, PAGE_SIZE, 0, &mdl));
	ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, mdl, MAP_AT, &iova,
				  &memory));
	fill(va, PAGE_SIZE, 5);
	EXPECT_TRUE(device_sees(&self->rig, IOVA, va, EDU_MAX));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

struct owner {
	const struct env *env;
	int memfd;
};

static int owner_child(int sock, void *arg)
{
	const struct owner *owner = arg;
	const struct env *env = owner->env;
	const int ctx = open_context();
	__u64 adapter, mdl, memory, iova = IOVA, go;
	void *va;

	va = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		  owner->memfd, 0);
	CHECK(!wddm_bind(ctx, env->iommufd, NULL));
	CHECK(!wddm_adapter_create(ctx, env->ioas, &adapter));
	CHECK(!wddm_lock(ctx, va, PAGE_SIZE, MDL_WRITE, &mdl));
	CHECK(!wddm_map_all(ctx, adapter, mdl, MAP_AT | MAP_WRITE, &iova,
			    &memory));
	CHECK(!tell(sock, 1));
	hear(sock, &go);
	return 0;
}

/* We hold the device and the iommufd, the owner of the memory is gone */
TEST_F(reach, owner_killed)
{
	struct owner owner = { .env = &self->env };
	__u64 number;
	__u8 *va;
	pid_t pid;
	int sock;

	va = shared_pages(1, &owner.memfd);
	pid = spawn(owner_child, &owner, &sock);
	ASSERT_EQ(0, hear(sock, &number));
	EXPECT_TRUE(reaches(&self->rig, IOVA, va));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, wait_for(pid));
	EXPECT_FALSE(reaches(&self->rig, IOVA, va));
	munmap(va, PAGE_SIZE);
	EXPECT_TRUE(memory_is_free(owner.memfd));
	close(owner.memfd);
	close(sock);
}

TEST_HARNESS_MAIN
