// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way in for 32-bit processes: each ioctl does what it does for others. The
 * structures are the same, so this program has only to take the other door, which
 * is int $0x80, and to keep what it names below 4 GiB.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "fixture.h"
#include "ia32.h"
#include "kselftest_harness.h"
#include "rig.h"

/* Numbers of a 32-bit process */
#define NR_READ 3
#define NR_OPEN 5
#define NR_CLOSE 6
#define NR_IOCTL 54
#define NR_POLL 168

#define PAGES 4
#define LEN (PAGES * PAGE_SIZE)

/**
 * struct low - What a 32-bit process has in its memory
 * @any: The structure of an ioctl
 * @descs: Of an MDL
 * @logical: Of a mapping
 * @locks: Entries of a batch
 * @results: Of a batch
 * @event: What was read
 * @poll: What is waited for
 */
struct low {
	union {
		struct wddmcompat_info info;
		struct wddmcompat_bind bind;
		struct wddmcompat_adapter_create create;
		struct wddmcompat_adapter_destroy destroy;
		struct wddmcompat_mdl_lock lock;
		struct wddmcompat_mdl_unlock unlock;
		struct wddmcompat_map map;
		struct wddmcompat_unmap unmap;
		struct wddmcompat_query query;
		struct wddmcompat_batch batch;
	};
	struct wddmcompat_mdl_desc descs[2];
	__u64 logical[2];
	struct wddmcompat_mdl_lock locks[2];
	__s32 results[2];
	struct wddmcompat_event event;
	struct pollfd poll;
};

FIXTURE(compat32)
{
	struct env env;
	struct low *low;
	__u8 *va;
};

/* Where a 32-bit process could have it */
static void *low_pages(size_t pages)
{
	void *va = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_32BIT,
			-1, 0);

	CHECK(va != MAP_FAILED && (uintptr_t)va + pages * PAGE_SIZE <= 1UL << 32);
	return va;
}

FIXTURE_SETUP(compat32)
{
	ASSERT_EQ(0, env_open(&self->env));
	self->low = low_pages(1);
	self->va = low_pages(PAGES);
}

FIXTURE_TEARDOWN(compat32)
{
	self->env.leaves_objects = true;
	EXPECT_TRUE(env_close(&self->env));
}

/* A system call of a 32-bit process. The kernel may use the registers it lacks */
static int syscall32(unsigned long nr, unsigned long first,
		     unsigned long second, unsigned long third)
{
	long rc;

	asm volatile("int $0x80"
		     : "=a"(rc)
		     : "a"(nr), "b"(first), "c"(second), "d"(third)
		     : "memory", "cc", "r8", "r9", "r10", "r11");
	return rc;
}

static int ioctl32(int ctx, unsigned long cmd, void *arg)
{
	return syscall32(NR_IOCTL, ctx, cmd, (uintptr_t)arg);
}

/* A descriptor for each half of the memory, and a chain of both */
static int lock(const struct env *env, struct low *low, __u8 *va, __u64 *mdl)
{
	int rc;

	low->descs[0] = wddm_desc(va + 16, LEN / 2 - 16, MDL_WRITE);
	low->descs[1] = wddm_desc(va + LEN / 2, LEN / 2, MDL_WRITE);
	low->lock = (struct wddmcompat_mdl_lock){
		.size = sizeof(low->lock),
		.descs = (uintptr_t)low->descs,
		.num_descs = 2,
	};
	rc = ioctl32(env->ctx, WDDMCOMPAT_MDL_LOCK, low);
	*mdl = low->lock.out_mdl;
	return rc;
}

static int map(const struct env *env, struct low *low, __u64 mdl, __u64 *iova,
	       __u64 *memory)
{
	int rc;

	low->map = (struct wddmcompat_map){
		.size = sizeof(low->map),
		.flags = MAP_WRITE,
		.adapter = env->adapter,
		.mdl = mdl,
		.logical = (uintptr_t)low->logical,
		.num_logical = 2,
	};
	rc = ioctl32(env->ctx, WDDMCOMPAT_MAP, low);
	*iova = low->map.iova;
	*memory = low->map.out_memory;
	return rc;
}

static int unmap(const struct env *env, struct low *low, __u64 memory)
{
	low->unmap = (struct wddmcompat_unmap){
		.size = sizeof(low->unmap),
		.adapter = env->adapter,
		.memory = memory,
		.out_state = 77,
	};
	return ioctl32(env->ctx, WDDMCOMPAT_UNMAP, low) ?:
	       (int)low->unmap.out_state;
}

static int unlock(const struct env *env, struct low *low, __u64 mdl)
{
	low->unlock = (struct wddmcompat_mdl_unlock){
		.size = sizeof(low->unlock),
		.mdl = mdl,
		.out_state = 77,
	};
	return ioctl32(env->ctx, WDDMCOMPAT_MDL_UNLOCK, low) ?:
	       (int)low->unlock.out_state;
}

/* The answer by this door and by the other are the same */
static bool query_agrees(const struct env *env, struct low *low, __u64 handle)
{
	struct wddmcompat_query query;

	low->query = (struct wddmcompat_query){
		.size = sizeof(low->query),
		.handle = handle,
	};
	return !ioctl32(env->ctx, WDDMCOMPAT_QUERY, low) &&
	       !wddm_query(env->ctx, handle, &query) &&
	       !memcmp(&low->query, &query, sizeof(query));
}

TEST_F(compat32, info)
{
	struct low *low = self->low;

	low->info = (struct wddmcompat_info){ .size = sizeof(low->info) };
	ASSERT_EQ(0, ioctl32(self->env.ctx, WDDMCOMPAT_INFO, low));
	EXPECT_EQ(WDDMCOMPAT_API_VERSION, low->info.out_api_version);
	EXPECT_EQ(PAGE_SIZE, low->info.out_page_size);
	EXPECT_EQ(WDDMCOMPAT_MDL_CHAIN_MAX, low->info.out_chain_max);
	EXPECT_EQ((__u32)-PAGE_SIZE, low->info.out_byte_count_max);
}

/* From open to close, by no other door. The module's page is in reach, too */
TEST_F(compat32, whole_life)
{
	struct low *low = self->low;
	struct env env = { .iommufd = self->env.iommufd };
	char *path = low_pages(1);
	__u64 mdl, iova, memory;

	strcpy(path, "/dev/wddmcompat");
	become_root();
	env.ctx = syscall32(NR_OPEN, (uintptr_t)path, O_RDWR, 0);
	become_user();
	ASSERT_LE(0, env.ctx);
	low->bind = (struct wddmcompat_bind){
		.size = sizeof(low->bind),
		.iommufd = env.iommufd,
	};
	ASSERT_EQ(0, ioctl32(env.ctx, WDDMCOMPAT_BIND, low));
	EXPECT_NE(0, low->bind.out_mdl_ioas_id);
	low->create = (struct wddmcompat_adapter_create){
		.size = sizeof(low->create),
		.ioas_id = self->env.ioas,
	};
	ASSERT_EQ(0, ioctl32(env.ctx, WDDMCOMPAT_ADAPTER_CREATE, low));
	env.adapter = low->create.out_adapter;

	ASSERT_EQ(0, lock(&env, low, self->va, &mdl));
	EXPECT_EQ(PAGES, low->lock.out_num_pages);
	EXPECT_EQ(PAGES, pins_since(&self->env));
	ASSERT_EQ(0, map(&env, low, mdl, &iova, &memory));
	EXPECT_EQ(PAGES, low->map.num_pages);
	EXPECT_EQ(iova + 16, low->logical[0]);
	EXPECT_EQ(iova + LEN / 2, low->logical[1]);
	EXPECT_TRUE(query_agrees(&env, low, env.adapter));
	EXPECT_TRUE(query_agrees(&env, low, mdl));
	EXPECT_TRUE(query_agrees(&env, low, memory));
	EXPECT_EQ(-EBUSY, unlock(&env, low, mdl));

	EXPECT_EQ(LIVE, unmap(&env, low, memory));
	EXPECT_EQ(-ENOENT, unmap(&env, low, memory));
	EXPECT_EQ(0, ioas_unmap_all(env.iommufd, self->env.ioas));
	EXPECT_EQ(LIVE, unlock(&env, low, mdl));
	EXPECT_EQ(0, pins_since(&self->env));
	low->destroy = (struct wddmcompat_adapter_destroy){
		.size = sizeof(low->destroy),
		.adapter = env.adapter,
	};
	EXPECT_EQ(0, ioctl32(env.ctx, WDDMCOMPAT_ADAPTER_DESTROY, low));
	EXPECT_EQ(0, syscall32(NR_CLOSE, env.ctx, 0, 0));
}

TEST_F(compat32, dma)
{
	const struct env *env = &self->env;
	__u64 mdl, iova, memory;
	struct rig rig;

	ASSERT_EQ(0, rig_open(&rig, 0, env->iommufd, env->ioas));
	ASSERT_EQ(0, lock(env, self->low, self->va, &mdl));
	ASSERT_EQ(0, map(env, self->low, mdl, &iova, &memory));
	ASSERT_TRUE(device_holds(&rig, 1));
	ASSERT_TRUE(device_writes(&rig, self->low->logical[0], 100));
	EXPECT_TRUE(is_filled(self->va + 16, 100, 1));
	EXPECT_TRUE(device_sees(&rig, iova, self->va, 200));
	EXPECT_EQ(LIVE, unmap(env, self->low, memory));
	ASSERT_TRUE(device_holds(&rig, 2));
	ASSERT_TRUE(device_writes(&rig, iova + 16, 100));
	EXPECT_TRUE(is_filled(self->va + 16, 100, 1));
	rig_close(&rig);
}

TEST_F(compat32, batch)
{
	const struct env *env = &self->env;
	struct low *low = self->low;

	low->descs[0] = wddm_desc(self->va, PAGE_SIZE, 0);
	for (int i = 0; i < 2; i++)
		low->locks[i] = (struct wddmcompat_mdl_lock){
			.size = sizeof(low->locks[i]),
			.descs = (uintptr_t)low->descs,
			.num_descs = 1,
		};
	low->batch = (struct wddmcompat_batch){
		.size = sizeof(low->batch),
		.cmd = WDDMCOMPAT_CMD_MDL_LOCK,
		.num_entries = 2,
		.entries = (uintptr_t)low->locks,
		.results = (uintptr_t)low->results,
	};
	memset(low->results, 0x77, sizeof(low->results));
	ASSERT_EQ(0, ioctl32(env->ctx, WDDMCOMPAT_BATCH, low));
	EXPECT_EQ(2, low->batch.out_num_tried);
	EXPECT_EQ(2, low->batch.out_num_done);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(0, low->results[i]);
		EXPECT_EQ(LIVE, unlock(env, low, low->locks[i].out_mdl));
	}
}

TEST_F(compat32, events)
{
	const struct env *env = &self->env;
	struct low *low = self->low;
	__u64 mdl, iova, memory;

	ASSERT_EQ(0, lock(env, low, self->va, &mdl));
	ASSERT_EQ(0, map(env, low, mdl, &iova, &memory));
	low->poll = (struct pollfd){ .fd = env->ctx, .events = POLLIN };
	EXPECT_EQ(0, syscall32(NR_POLL, (uintptr_t)&low->poll, 1, 0));
	EXPECT_LT(0, ioas_unmap_all(env->iommufd, env->ioas));
	EXPECT_EQ(1, syscall32(NR_POLL, (uintptr_t)&low->poll, 1, 0));
	EXPECT_EQ(-EINVAL, syscall32(NR_READ, env->ctx, (uintptr_t)&low->event,
				     sizeof(low->event) - 1));
	ASSERT_EQ((int)sizeof(low->event),
		  syscall32(NR_READ, env->ctx, (uintptr_t)&low->event,
			    sizeof(low->event)));
	EXPECT_EQ(memory, low->event.handle);
	EXPECT_EQ(env->adapter, low->event.adapter);
	EXPECT_EQ(iova, low->event.iova);
	EXPECT_EQ(LEN, low->event.length);
	EXPECT_EQ(REVOKED, unmap(env, low, memory));
	EXPECT_EQ(LIVE, unlock(env, low, mdl));
}

/* What a register holds above its 32 bits is nothing that was said */
TEST_F(compat32, upper_halves_of_registers)
{
	const unsigned long noise = 0xdeadbeefUL << 32;
	struct low *low = self->low;

	low->info = (struct wddmcompat_info){ .size = sizeof(low->info) };
	EXPECT_EQ(0, syscall32(NR_IOCTL, noise | self->env.ctx,
			       noise | WDDMCOMPAT_INFO,
			       noise | (uintptr_t)low));
	EXPECT_EQ(PAGE_SIZE, low->info.out_page_size);
}

/* Those of a pointer in a structure are, as all its members are 64 bits for all */
TEST_F(compat32, upper_halves_of_members)
{
	const __u64 noise = 0xdeadbeefULL << 32;
	const struct env *env = &self->env;
	struct low *low = self->low;
	__u64 mdl, iova, memory;

	ASSERT_EQ(0, lock(env, low, self->va, &mdl));
	EXPECT_EQ(LIVE, unlock(env, low, mdl));
	low->lock = (struct wddmcompat_mdl_lock){
		.size = sizeof(low->lock),
		.descs = noise | (uintptr_t)low->descs,
		.num_descs = 2,
	};
	EXPECT_EQ(-EFAULT, ioctl32(env->ctx, WDDMCOMPAT_MDL_LOCK, low));
	low->lock.descs = (uintptr_t)low->descs;
	low->descs[1].start_va |= noise;
	EXPECT_EQ(-EFAULT, ioctl32(env->ctx, WDDMCOMPAT_MDL_LOCK, low));
	EXPECT_EQ(0, pins_since(env));

	ASSERT_EQ(0, lock(env, low, self->va, &mdl));
	low->map = (struct wddmcompat_map){
		.size = sizeof(low->map),
		.adapter = env->adapter,
		.mdl = mdl,
		.logical = noise | (uintptr_t)low->logical,
		.num_logical = 2,
	};
	EXPECT_EQ(-EFAULT, ioctl32(env->ctx, WDDMCOMPAT_MAP, low));
	low->map.logical &= ~noise;
	low->map.adapter ^= 1ULL << 32;
	EXPECT_EQ(-ENOENT, ioctl32(env->ctx, WDDMCOMPAT_MAP, low));
	low->map.adapter = env->adapter;
	low->map.first_page = 1ULL << 32;
	EXPECT_EQ(-EINVAL, ioctl32(env->ctx, WDDMCOMPAT_MAP, low));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	ASSERT_EQ(0, map(env, low, mdl, &iova, &memory));
	EXPECT_EQ(-ENOENT, unmap(env, low, memory ^ 1ULL << 32));
	EXPECT_EQ(LIVE, unmap(env, low, memory));

	low->locks[0] = (struct wddmcompat_mdl_lock){
		.size = sizeof(low->locks[0]),
		.descs = (uintptr_t)low->descs,
		.num_descs = 2,
	};
	low->batch = (struct wddmcompat_batch){
		.size = sizeof(low->batch),
		.cmd = WDDMCOMPAT_CMD_MDL_LOCK,
		.num_entries = 1,
		.entries = noise | (uintptr_t)low->locks,
		.results = (uintptr_t)low->results,
	};
	EXPECT_EQ(-EFAULT, ioctl32(env->ctx, WDDMCOMPAT_BATCH, low));
	low->batch.entries &= ~noise;
	low->batch.results |= noise;
	EXPECT_EQ(-EFAULT, ioctl32(env->ctx, WDDMCOMPAT_BATCH, low));
	EXPECT_EQ(0, low->batch.out_num_tried);
	low->batch.results &= ~noise;
	EXPECT_EQ(0, ioctl32(env->ctx, WDDMCOMPAT_BATCH, low));
	EXPECT_EQ(1, low->batch.out_num_done);
}

/* The rules common to all ioctls are those of the other door */
TEST_F(compat32, errors)
{
	void *const bad[] = {
		NULL, (void *)0xfffff000, (void *)0xffffffff,
		(void *)(1UL << 31),
	};
	struct low *low = self->low;
	const int unbound = open_context();

	for (unsigned int nr = 0; nr <= 0x10; nr++) {
		const bool known = nr <= WDDMCOMPAT_CMD_BATCH;

		low->info = (struct wddmcompat_info){ .size = 4 };
		EXPECT_EQ(known ? -EINVAL : -ENOTTY,
			  ioctl32(self->env.ctx, _IO(WDDMCOMPAT_TYPE, nr),
				  low));
		EXPECT_EQ(nr < 2 ? -EINVAL : known ? -ENOTCONN : -ENOTTY,
			  ioctl32(unbound, _IO(WDDMCOMPAT_TYPE, nr), low));
		EXPECT_EQ(-ENOTTY, ioctl32(self->env.ctx,
					   _IOWR(WDDMCOMPAT_TYPE, nr, int),
					   low));
		EXPECT_EQ(-ENOTTY, ioctl32(self->env.ctx, _IO(';', nr), low));
		for (size_t i = 0; known && i < ARRAY_SIZE(bad); i++)
			EXPECT_EQ(-EFAULT, ioctl32(self->env.ctx,
						   _IO(WDDMCOMPAT_TYPE, nr),
						   bad[i]));
	}
	close(unbound);
}

static int try_as_a_child(int sock, void *arg)
{
	struct low *low = low_pages(1);

	(void)sock;
	low->info = (struct wddmcompat_info){ .size = sizeof(low->info) };
	CHECK(ioctl32(*(int *)arg, WDDMCOMPAT_INFO, low) == -EIO);
	return 0;
}

TEST_F(compat32, of_another_process)
{
	EXPECT_EQ(0, in_child(try_as_a_child, &self->env.ctx));
}

/**
 * struct program - What the program of 32 bits gets
 * @env: Where its context comes to
 * @edu: A device on the IOAS
 */
struct program {
	const struct env *env;
	const struct edu *edu;
};

/* Beside this one */
static int execute_ia32(int sock, void *arg)
{
	const struct program *program = arg;
	char path[256] = "", *end;
	int pipes[2];

	(void)sock;
	CHECK(readlink("/proc/self/exe", path, sizeof(path) - 32) > 0);
	end = strrchr(path, '/');
	strcpy(end, "/programs/ia32");
	CHECK(!pipe(pipes));
	CHECK(write(pipes[1], &program->env->ioas, sizeof(__u32)) ==
	      sizeof(__u32));
	CHECK(dup2(program->env->iommufd, IA32_IOMMUFD) >= 0);
	CHECK(dup2(program->edu->fd, IA32_DEVICE) >= 0);
	CHECK(dup2(pipes[0], IA32_PIPE) >= 0);
	/* To open the module's device */
	become_root();
	execl(path, path, NULL);
	CHECK(!"the program is there and can be executed");
	return 1;
}

TEST_F(compat32, program)
{
	struct edu edu;
	struct program program = { &self->env, &edu };

	ASSERT_EQ(0, edu_open(&edu, 0, self->env.iommufd));
	ASSERT_EQ(0, edu_attach(&edu, self->env.ioas));
	EXPECT_EQ(0, in_child(execute_ia32, &program));
	EXPECT_EQ(0, pins_since(&self->env));
	EXPECT_EQ(0, ioas_unmap_all(self->env.iommufd, self->env.ioas));
	edu_close(&edu);
}

TEST_HARNESS_MAIN
