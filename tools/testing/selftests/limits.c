// SPDX-License-Identifier: GPL-2.0-only
/*
 * How far it goes: what fits works, what is one more is refused with the errno that
 * the header names, and then everything works as before. Those of descriptors are
 * in chain, those of locked memory in memlock, very many of a kind in many.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "edu.h"
#include "fixture.h"
#include "kselftest_harness.h"
#include "rig.h"

FIXTURE(limits)
{
	struct env env;
	__u8 *va;
	__u64 mdl;
};

FIXTURE_SETUP(limits)
{
	ASSERT_EQ(0, env_open(&self->env));
	self->va = anon_pages(1);
	ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, PAGE_SIZE, MDL_WRITE,
			       &self->mdl));
}

FIXTURE_TEARDOWN(limits)
{
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
	EXPECT_TRUE(env_close(&self->env));
}

static int map(const struct env *env, __u64 mdl, __u64 *iova, __u64 *memory)
{
	return wddm_map_all(env->ctx, env->adapter, mdl, 0, iova, memory);
}

static int map_at(const struct env *env, __u64 mdl, __u64 iova, __u64 *memory)
{
	return wddm_map_all(env->ctx, env->adapter, mdl, MAP_AT, &iova, memory);
}

static int unmap(const struct env *env, __u64 memory)
{
	return wddm_unmap(env->ctx, env->adapter, memory);
}

/* The longest descriptor: all bytes but those of a page, from the last of a page on */
#define COUNT_MAX ((__u32)-PAGE_SIZE)
#define MANY_PAGES ((size_t)1 << 20)

/* What it is made of, again and again. A page is not to be pinned 2^21 times */
#define FILE_SIZE HUGE_SIZE

static __u8 *map_again_and_again(int fd)
{
	const size_t length = MANY_PAGES * PAGE_SIZE;
	__u8 *va = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
			MAP_NORESERVE, -1, 0);

	CHECK(va != MAP_FAILED);
	for (size_t i = 0; i < length; i += FILE_SIZE)
		CHECK(mmap(va + i, FILE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd,
			   0) != MAP_FAILED);
	return va;
}

static void allow_memlock(size_t bytes)
{
	const struct rlimit limit = { bytes, bytes };

	become_root();
	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit));
	become_user();
}

TEST_F_TIMEOUT(limits, longest_descriptor, 600)
{
	const struct env *env = &self->env;
	const __u64 length = MANY_PAGES * PAGE_SIZE, iova = 1ULL << 32;
	struct wddmcompat_mdl_desc desc = {
		.byte_offset = PAGE_SIZE - 1,
		.byte_count = COUNT_MAX,
		.flags = MDL_WRITE,
	};
	struct wddmcompat_query query;
	__u64 mdl, memory, logical;
	struct wddmcompat_map last = {
		.flags = MAP_WRITE,
		.adapter = env->adapter,
		.first_page = MANY_PAGES - 1,
	};
	struct rig rig;
	__u8 *file;
	int fd;

	file = shared_pages(FILE_SIZE / PAGE_SIZE, &fd);
	desc.start_va = (uintptr_t)map_again_and_again(fd);
	ASSERT_EQ(0, rig_open(&rig, 0, env->iommufd, env->ioas));

	/* That of the fixture and that of the device are charged as well */
	allow_memlock(length + PAGE_SIZE);
	EXPECT_EQ(-ENOMEM, wddm_lock_chain(env->ctx, &desc, 1, &mdl));
	EXPECT_EQ(2, pins_since(env));
	allow_memlock(length + 2 * PAGE_SIZE);
	ASSERT_EQ(0, wddm_lock_chain(env->ctx, &desc, 1, &mdl));
	EXPECT_EQ((long)MANY_PAGES + 2, pins_since(env));
	ASSERT_EQ(0, wddm_query(env->ctx, mdl, &query));
	EXPECT_EQ(MANY_PAGES, query.out_num_pages);

	last.mdl = mdl;
	last.num_logical = 1;
	last.logical = (uintptr_t)&logical;
	ASSERT_EQ(0, wddm_map(env->ctx, &last));
	EXPECT_EQ(1, last.num_pages);
	EXPECT_EQ(WDDMCOMPAT_LOGICAL_NONE, logical);
	EXPECT_EQ(LIVE, unmap(env, last.out_memory));
	last.num_pages = 2;
	EXPECT_EQ(-EINVAL, wddm_map(env->ctx, &last));

	last.flags |= MAP_AT;
	last.iova = iova;
	last.first_page = 0;
	last.num_pages = 0;
	ASSERT_EQ(0, wddm_map(env->ctx, &last));
	memory = last.out_memory;
	EXPECT_EQ(MANY_PAGES, last.num_pages);
	EXPECT_EQ(iova + PAGE_SIZE - 1, logical);
	ASSERT_TRUE(device_holds(&rig, 3));
	ASSERT_TRUE(device_writes(&rig, iova + length - 64, 64));
	EXPECT_TRUE(is_filled(file + FILE_SIZE - 64, 64, 3));
	/* In the middle, where 32 bits have none left */
	ASSERT_TRUE(device_writes(&rig, iova + (1ULL << 31), 64));
	EXPECT_TRUE(is_filled(file, 64, 3));
	EXPECT_EQ(LIVE, unmap(env, memory));
	ASSERT_TRUE(device_holds(&rig, 4));
	ASSERT_TRUE(device_writes(&rig, iova + length - 64, 64));
	EXPECT_TRUE(is_filled(file + FILE_SIZE - 64, 64, 3));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
	rig_close(&rig);
	EXPECT_EQ(1, pins_since(env));
	allow_memlock(MEMLOCK_LIMIT);
	munmap((void *)(uintptr_t)desc.start_va, length);
}

#define CONTEXTS 64
#define ADAPTERS 64

/**
 * struct crowd - Contexts with adapters, one mapping on each
 * @num: How many contexts, and adapters of each
 * @shared: They are all of one iommufd, and of the same IOASes
 * @iommufd: Of each context, or of the first
 * @ctx: The contexts
 * @ioas: What the adapters are made of
 * @adapter: The adapters
 * @memory: The mappings
 */
struct crowd {
	int num;
	bool shared;
	int iommufd[CONTEXTS];
	int ctx[CONTEXTS];
	__u32 ioas[CONTEXTS][ADAPTERS];
	__u64 adapter[CONTEXTS][ADAPTERS];
	__u64 memory[CONTEXTS][ADAPTERS];
};

/* In an IOAS that contexts share they are next to each other */
static void open_crowd(struct crowd *crowd, const void *va)
{
	for (int c = 0; c < crowd->num; c++) {
		const int owner = crowd->shared ? 0 : c;
		__u64 mdl;

		if (owner == c)
			crowd->iommufd[c] = open_iommufd();
		crowd->ctx[c] = open_context();
		CHECK(!wddm_bind(crowd->ctx[c], crowd->iommufd[owner], NULL));
		CHECK(!wddm_lock(crowd->ctx[c], va, PAGE_SIZE, 0, &mdl));
		for (int a = 0; a < crowd->num; a++) {
			__u64 iova = c * PAGE_SIZE;

			if (owner == c)
				CHECK(!ioas_alloc(crowd->iommufd[owner],
						  &crowd->ioas[c][a]));
			CHECK(!wddm_adapter_create(crowd->ctx[c],
						   crowd->ioas[owner][a],
						   &crowd->adapter[c][a]));
			CHECK(!wddm_map_all(crowd->ctx[c],
					    crowd->adapter[c][a], mdl, MAP_AT,
					    &iova, &crowd->memory[c][a]));
		}
	}
}

/* Each knows its own and nobody else's. Some leave before the others */
static void look_around(const struct crowd *crowd)
{
	struct wddmcompat_query query;

	for (int c = 0; c < crowd->num; c += 5) {
		const int ctx = crowd->ctx[c];
		const __u64 adapter = crowd->adapter[c][c];
		const __u64 memory = crowd->memory[c][c];

		CHECK(!wddm_query(ctx, memory, &query));
		CHECK(query.out_adapter == adapter);
		CHECK(query.out_iova == c * PAGE_SIZE);
		CHECK(wddm_query(crowd->ctx[c ^ 1], memory, &query) == -ENOENT);
		CHECK(wddm_unmap(ctx, adapter, memory) == LIVE);
		CHECK(!wddm_adapter_destroy(ctx, adapter));
	}
}

static void close_crowd(const struct crowd *crowd)
{
	for (int c = 0; c < crowd->num; c++) {
		close(crowd->ctx[c]);
		if (!crowd->shared || !c)
			close(crowd->iommufd[c]);
	}
}

TEST_F_TIMEOUT(limits, contexts_and_adapters, 600)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));

	crowd->num = CONTEXTS;
	open_crowd(crowd, self->va);
	EXPECT_EQ(1 + crowd->num, pins_since(&self->env));
	look_around(crowd);
	close_crowd(crowd);
	EXPECT_EQ(1, pins_since(&self->env));
	free(crowd);
}

/* Here each unmap is told to all contexts, so there are not as many */
TEST_F_TIMEOUT(limits, contexts_that_share, 600)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));

	crowd->num = CONTEXTS / 4;
	crowd->shared = true;
	open_crowd(crowd, self->va);
	EXPECT_EQ(1 + crowd->num, pins_since(&self->env));
	look_around(crowd);
	EXPECT_EQ(crowd->num * (long)PAGE_SIZE,
		  ioas_unmap_all(crowd->iommufd[0], crowd->ioas[0][1]));
	EXPECT_EQ(REVOKED, wddm_unmap(crowd->ctx[0], crowd->adapter[0][1],
				      crowd->memory[0][1]));
	close_crowd(crowd);
	EXPECT_EQ(1, pins_since(&self->env));
	free(crowd);
}

/* A context takes no file descriptor but its own: with none left it works on */
TEST_F(limits, no_file_descriptor_left)
{
	const struct env *env = &self->env;
	const int ctx = open_context();
	__u64 adapter, mdl, memory, iova = 0;
	struct rlimit limit;
	rlim_t before;
	__u32 ioas;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	before = limit.rlim_cur;
	limit.rlim_cur = ctx + 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-1, dup(ctx));
	EXPECT_EQ(EMFILE, errno);
	ASSERT_EQ(0, wddm_bind(ctx, env->iommufd, NULL));
	ASSERT_EQ(0, ioas_alloc(env->iommufd, &ioas));
	ASSERT_EQ(0, wddm_adapter_create(ctx, ioas, &adapter));
	ASSERT_EQ(0, wddm_lock(ctx, self->va, PAGE_SIZE, 0, &mdl));
	ASSERT_EQ(0, wddm_map_all(ctx, adapter, mdl, 0, &iova, &memory));
	EXPECT_EQ(LIVE, wddm_unmap(ctx, adapter, memory));
	EXPECT_EQ(LIVE, wddm_unlock(ctx, mdl));
	close(ctx);
	limit.rlim_cur = before;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(0, iommufd_destroy(env->iommufd, ioas));
}

/* Of what iommufd may choose from */
static int allow(const struct env *env, const struct iommu_iova_range *ranges,
		 __u32 num)
{
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = env->ioas,
		.num_iovas = num,
		.allowed_iovas = (uintptr_t)ranges,
	};

	return ioctl(env->iommufd, IOMMU_IOAS_ALLOW_IOVAS, &cmd) ? -errno : 0;
}

/* Pages in a window that is full of mappings of one page each */
#define ROOM 64
#define WINDOW 0x1000000ULL

static void fill_window(const struct env *env, __u64 mdl, __u64 memory[])
{
	bool seen[ROOM] = {};
	__u64 iova;

	for (int i = 0; i < ROOM; i++) {
		__u64 at;

		CHECK(!map(env, mdl, &iova, &at));
		CHECK(iova >= WINDOW && iova < WINDOW + ROOM * PAGE_SIZE);
		CHECK(!seen[(iova - WINDOW) / PAGE_SIZE]);
		seen[(iova - WINDOW) / PAGE_SIZE] = true;
		memory[(iova - WINDOW) / PAGE_SIZE] = at;
	}
}

TEST_F(limits, iova_space)
{
	const struct env *env = &self->env;
	const __u8 *va = anon_pages(2);
	__u64 memory[ROOM], two, iova, at;

	ASSERT_EQ(0, ioas_allow(env->iommufd, env->ioas, WINDOW,
				WINDOW + ROOM * PAGE_SIZE - 1));
	ASSERT_EQ(0, wddm_lock(env->ctx, va, 2 * PAGE_SIZE, 0, &two));
	for (int round = 0; round < 2; round++) {
		fill_window(env, self->mdl, memory);
		EXPECT_EQ(-ENOSPC, map(env, self->mdl, &iova, &at));
		EXPECT_EQ(-ENOSPC, map(env, two, &iova, &at));
		/* As much as half of it is free, but nowhere two pages */
		for (int i = 0; i < ROOM; i += 2)
			EXPECT_EQ(LIVE, unmap(env, memory[i]));
		for (int i = 0; i < 3; i++)
			EXPECT_EQ(-ENOSPC, map(env, two, &iova, &at));
		/* At last there are */
		EXPECT_EQ(LIVE, unmap(env, memory[21]));
		ASSERT_EQ(0, map(env, two, &iova, &at));
		EXPECT_LE(WINDOW + 20 * PAGE_SIZE, iova);
		EXPECT_GE(WINDOW + 21 * PAGE_SIZE, iova);
		EXPECT_EQ(-ENOSPC, map(env, two, &iova, &memory[0]));
		EXPECT_EQ(LIVE, unmap(env, at));
		ASSERT_EQ(0, map(env, self->mdl, &iova, &memory[21]));
		for (int i = 0; i < ROOM; i += 2)
			ASSERT_EQ(0, map(env, self->mdl, &iova, &memory[i]));
		EXPECT_EQ(-ENOSPC, map(env, self->mdl, &iova, &at));
		for (int i = 0; i < ROOM; i++)
			EXPECT_EQ(LIVE, unmap(env, memory[i]));
		EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	}
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, two));
}

/* What is chosen is in a window; who says where is not held to them */
TEST_F(limits, iova_windows)
{
	const struct env *env = &self->env;
	const __u64 size = 4 * PAGE_SIZE;
	const struct iommu_iova_range windows[] = {
		{ .start = 0x40000000, .last = 0x40000000 + size - 1 },
		{ .start = 0x7000000000, .last = 0x7000000000 + size - 1 },
		{ .start = PAGE_SIZE, .last = PAGE_SIZE + size - 1 },
	};
	const __u8 *va = anon_pages(5);
	__u64 memory[12], five, iova, at;
	int seen[3] = {};

	ASSERT_EQ(0, wddm_lock(env->ctx, va, 5 * PAGE_SIZE, 0, &five));
	ASSERT_EQ(0, allow(env, windows, 3));
	EXPECT_EQ(-ENOSPC, map(env, five, &iova, &at));
	for (int i = 0; i < 12; i++) {
		ASSERT_EQ(0, map(env, self->mdl, &iova, &memory[i]));
		for (int w = 0; w < 3; w++)
			seen[w] += iova >= windows[w].start &&
				   iova <= windows[w].last;
	}
	for (int w = 0; w < 3; w++)
		EXPECT_EQ(4, seen[w]);
	EXPECT_EQ(-ENOSPC, map(env, self->mdl, &iova, &at));
	ASSERT_EQ(0, map_at(env, five, 0x50000000, &at));
	EXPECT_EQ(LIVE, unmap(env, at));
	/* No window at all is no limit */
	ASSERT_EQ(0, allow(env, NULL, 0));
	ASSERT_EQ(0, map(env, five, &iova, &at));
	EXPECT_EQ(LIVE, unmap(env, at));
	for (int i = 0; i < 12; i++)
		EXPECT_EQ(LIVE, unmap(env, memory[i]));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, five));
}

/* With numbers of 64 bits: up to the last page but one, and never around the end */
TEST_F(limits, iova_end)
{
	const struct env *env = &self->env;
	const __u64 last = -PAGE_SIZE, pages = 3;
	const __u8 *va = anon_pages(pages);
	__u64 mdl, memory, second;

	ASSERT_EQ(0, wddm_lock(env->ctx, va, pages * PAGE_SIZE, 0, &mdl));
	for (__u64 page = 0; page < pages; page++)
		EXPECT_EQ(-EINVAL, map_at(env, mdl, last - page * PAGE_SIZE,
					  &memory));
	EXPECT_EQ(-EINVAL, map_at(env, self->mdl, last, &memory));
	ASSERT_EQ(0, map_at(env, mdl, last - pages * PAGE_SIZE, &memory));
	EXPECT_EQ(-EEXIST, map_at(env, self->mdl, last - PAGE_SIZE, &second));
	EXPECT_EQ(LIVE, unmap(env, memory));
	ASSERT_EQ(0, map_at(env, self->mdl, last - PAGE_SIZE, &memory));
	EXPECT_EQ(LIVE, unmap(env, memory));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

#define RANGES_MAX 8

/* Where the devices of an IOAS can have anything. Returns how many ranges */
static int iova_ranges(const struct env *env, struct iommu_iova_range *ranges)
{
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = env->ioas,
		.num_iovas = RANGES_MAX,
		.allowed_iovas = (uintptr_t)ranges,
	};

	if (ioctl(env->iommufd, IOMMU_IOAS_IOVA_RANGES, &cmd))
		return -errno;
	return cmd.num_iovas;
}

/* An IOMMU has fewer bits than an address, and holes */
TEST_F(limits, reach_of_the_iommu)
{
	const struct env *env = &self->env;
	struct iommu_iova_range ranges[RANGES_MAX];
	__u64 memory, second, iova;
	struct edu edu;
	int num;

	/* What is mapped where it does not reach keeps the device out */
	ASSERT_EQ(0, map_at(env, self->mdl, 1ULL << 62, &memory));
	ASSERT_EQ(0, edu_open(&edu, 0, env->iommufd));
	EXPECT_EQ(-EADDRINUSE, edu_attach(&edu, env->ioas));
	EXPECT_EQ(LIVE, unmap(env, memory));
	ASSERT_EQ(0, edu_attach(&edu, env->ioas));

	num = iova_ranges(env, ranges);
	ASSERT_LE(2, num);
	for (int i = 0; i < num; i++) {
		const __u64 first = ranges[i].start;
		const __u64 last = ranges[i].last + 1 - PAGE_SIZE;

		if (first)
			EXPECT_EQ(-EINVAL, map_at(env, self->mdl,
						  first - PAGE_SIZE, &memory));
		EXPECT_EQ(-EINVAL, map_at(env, self->mdl, last + PAGE_SIZE,
					  &memory));
		ASSERT_EQ(0, map_at(env, self->mdl, first, &memory));
		ASSERT_EQ(0, map_at(env, self->mdl, last, &second));
		EXPECT_EQ(LIVE, unmap(env, memory));
		EXPECT_EQ(LIVE, unmap(env, second));
	}
	/* A window where nothing reaches cannot be had */
	EXPECT_NE(0, ioas_allow(env->iommufd, env->ioas, 1ULL << 62,
				(1ULL << 62) + PAGE_SIZE - 1));
	ASSERT_EQ(0, map(env, self->mdl, &iova, &memory));
	EXPECT_EQ(LIVE, unmap(env, memory));
	edu_close(&edu);
}

/* The third device of the test machine sends 28 bits of an address */
#define NARROW 2
#define NARROW_LAST ((1ULL << 28) - 1)

/*
 * Nobody tells iommufd what a device of VFIO can send: who uses the device says so
 * by a window. At its upper end, where the next bit would be lost, the device finds
 * what was mapped; the rest of the window is full.
 */
TEST_F(limits, device_with_few_address_bits)
{
	const struct env *env = &self->env;
	const __u64 rest = NARROW_LAST + 1 - 2 * PAGE_SIZE;
	__u8 *va = anon_pages(1);
	__u64 mdl, from, to, from_memory, to_memory, iova;
	struct edu edu;

	ASSERT_EQ(0, edu_open(&edu, NARROW, env->iommufd));
	ASSERT_EQ(0, edu_attach(&edu, env->ioas));
	ASSERT_EQ(0, ioas_allow(env->iommufd, env->ioas, rest, NARROW_LAST));
	ASSERT_EQ(0, wddm_lock(env->ctx, va, PAGE_SIZE, MDL_WRITE, &mdl));
	ASSERT_EQ(0, map(env, self->mdl, &from, &from_memory));
	ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, mdl, MAP_WRITE, &to,
				  &to_memory));
	EXPECT_GT(NARROW_LAST, from);
	EXPECT_GT(NARROW_LAST, to);
	EXPECT_EQ(-ENOSPC, map(env, self->mdl, &iova, &iova));

	fill(self->va, PAGE_SIZE, 5);
	ASSERT_EQ(0, edu_read(&edu, from, EDU_MAX));
	ASSERT_EQ(0, edu_write(&edu, to + PAGE_SIZE - EDU_MAX, EDU_MAX));
	EXPECT_TRUE(is_filled(va + PAGE_SIZE - EDU_MAX, EDU_MAX, 5));
	EXPECT_EQ(LIVE, unmap(env, from_memory));
	EXPECT_EQ(LIVE, unmap(env, to_memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
	edu_close(&edu);
}

TEST_HARNESS_MAIN
