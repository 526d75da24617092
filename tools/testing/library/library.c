// SPDX-License-Identifier: GPL-2.0-only
/*
 * libwddmcompat, as a program sees it. What the calls behind it do, the self-tests
 * know; here is what the library adds.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wddmcompat.h>

#include <linux/iommufd.h>

#include "kselftest_harness.h"

#define PAGE ((size_t)getpagesize())
#define PAGES 4
#define WRITE WDDMCOMPAT_MDL_WRITE_OPERATION
/* More than the module takes in one call */
#define MANY (WDDMCOMPAT_BATCH_MAX + 1000)

#define LIVE ((int)WDDMCOMPAT_STATE_LIVE)
#define REVOKED ((int)WDDMCOMPAT_STATE_REVOKED)

/* --- Descriptors, for which there need be no memory ----------------------- */

static struct iovec piece(uintptr_t base, size_t length)
{
	return (struct iovec){ .iov_base = (void *)base, .iov_len = length };
}

TEST(describe_pieces)
{
	const struct iovec iov[] = {
		piece(16 * PAGE + 5, 10),
		piece(32 * PAGE, 3 * PAGE),
		piece(48 * PAGE - 1, 2),
	};
	struct wddmcompat_mdl_desc descs[3];

	ASSERT_EQ(3, wddm_describe_iov(iov, 3, WRITE, descs, 3));
	EXPECT_EQ(16 * PAGE, descs[0].start_va);
	EXPECT_EQ(5, descs[0].byte_offset);
	EXPECT_EQ(10, descs[0].byte_count);
	EXPECT_EQ(32 * PAGE, descs[1].start_va);
	EXPECT_EQ(0, descs[1].byte_offset);
	EXPECT_EQ(3 * PAGE, descs[1].byte_count);
	EXPECT_EQ(47 * PAGE, descs[2].start_va);
	EXPECT_EQ(PAGE - 1, descs[2].byte_offset);
	EXPECT_EQ(2, descs[2].byte_count);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(WRITE, descs[i].flags);
		EXPECT_EQ(0, descs[i].__reserved);
	}
}

/* All but the first begin at a page, and all but the last end at one */
TEST(describe_more_than_4_gib)
{
	const uintptr_t base = 16 * PAGE + 123;
	const size_t length = ((size_t)10 << 30) + 7;
	const struct iovec iov = piece(base, length);
	struct wddmcompat_mdl_desc descs[4];
	uintptr_t at = base;
	int num;

	num = wddm_describe_iov(&iov, 1, 0, descs, 4);
	ASSERT_EQ(3, num);
	for (int i = 0; i < num; i++) {
		EXPECT_EQ(at, descs[i].start_va + descs[i].byte_offset);
		EXPECT_EQ(i ? 0 : 123, descs[i].byte_offset);
		EXPECT_GE((__u32)-PAGE,
			  descs[i].byte_offset + descs[i].byte_count);
		at += descs[i].byte_count;
	}
	EXPECT_EQ(base + length, at);
	EXPECT_EQ(-E2BIG, wddm_describe_iov(&iov, 1, 0, descs, 2));
}

TEST(describe_what_is_wrong)
{
	const struct iovec empty = piece(PAGE, 0);
	const struct iovec wraps = piece(UINTPTR_MAX - PAGE + 1, PAGE + 1);
	const struct iovec last = piece(UINTPTR_MAX - PAGE + 1, PAGE);
	const struct iovec two[] = { last, empty };
	struct wddmcompat_mdl_desc descs[2];

	EXPECT_EQ(-EINVAL, wddm_describe_iov(&empty, 1, 0, descs, 2));
	EXPECT_EQ(-EINVAL, wddm_describe_iov(&wraps, 1, 0, descs, 2));
	EXPECT_EQ(-EINVAL, wddm_describe_iov(&last, 0, 0, descs, 2));
	EXPECT_EQ(-EINVAL, wddm_describe_iov(two, 2, 0, descs, 2));
	EXPECT_EQ(-E2BIG, wddm_describe_iov(&last, 1, 0, descs, 0));
	EXPECT_EQ(1, wddm_describe_iov(&last, 1, 0, descs, 2));
}

/* --- Words ---------------------------------------------------------------- */

TEST(explain)
{
	const char *of_map = wddm_explain(WDDMCOMPAT_CMD_MAP, EINVAL);

	ASSERT_NE(NULL, of_map);
	EXPECT_EQ(of_map, wddm_explain(WDDMCOMPAT_CMD_MAP, -EINVAL));
	/* Another one where it means something else */
	EXPECT_NE(of_map, wddm_explain(WDDMCOMPAT_CMD_QUERY, EINVAL));
	EXPECT_EQ(wddm_explain(WDDMCOMPAT_CMD_INFO, EIO),
		  wddm_explain(WDDMCOMPAT_CMD_MAP, EIO));
	EXPECT_EQ(NULL, wddm_explain(WDDMCOMPAT_CMD_MAP, EXDEV));
	EXPECT_EQ(NULL, wddm_explain(WDDMCOMPAT_CMD_MAP, 0));
}

/* --- A context that is not bound ------------------------------------------ */

TEST(unbound)
{
	struct wddmcompat_unmap unmaps[2] = {};
	__s32 results[2] = {};
	struct wddmcompat_info info;
	__u64 handle = 17;
	int ctx = wddm_open();

	ASSERT_LE(0, ctx);
	EXPECT_EQ(FD_CLOEXEC, fcntl(ctx, F_GETFD));
	ASSERT_EQ(0, wddm_info(ctx, &info));
	EXPECT_EQ(WDDMCOMPAT_API_VERSION, info.out_api_version);
	EXPECT_EQ(PAGE, info.out_page_size);

	EXPECT_EQ(-EBADF, wddm_bind(ctx, -1));
	EXPECT_EQ(-EBADFD, wddm_bind(ctx, ctx));
	EXPECT_EQ(-ENOTCONN, wddm_adapter_create(ctx, 1, &handle));
	EXPECT_EQ(17, handle);
	EXPECT_EQ(-ENOTCONN, wddm_unmap_many(ctx, unmaps, 2, results));
	EXPECT_EQ(-ECANCELED, results[0]);
	EXPECT_EQ(-ECANCELED, results[1]);
	EXPECT_EQ(0, close(ctx));
	EXPECT_EQ(-EBADF, wddm_info(ctx, &info));
}

/* --- Memory --------------------------------------------------------------- */

FIXTURE(library)
{
	int iommufd;
	int ctx;
	__u32 ioas;
	__u64 adapter;
	char *memory;
};

FIXTURE_SETUP(library)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	self->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->iommufd);
	ASSERT_EQ(0, ioctl(self->iommufd, IOMMU_IOAS_ALLOC, &cmd));
	self->ioas = cmd.out_ioas_id;
	self->ctx = wddm_open();
	ASSERT_LE(0, self->ctx);
	ASSERT_EQ(0, wddm_bind(self->ctx, self->iommufd));
	ASSERT_EQ(0, wddm_adapter_create(self->ctx, self->ioas, &self->adapter));
	self->memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
}

/* An adapter can only go when nothing is mapped to it */
FIXTURE_TEARDOWN(library)
{
	EXPECT_EQ(0, wddm_adapter_destroy(self->ctx, self->adapter));
	EXPECT_EQ(0, close(self->ctx));
	EXPECT_EQ(0, close(self->iommufd));
	EXPECT_EQ(0, munmap(self->memory, PAGES * PAGE));
}

TEST_F(library, buffer)
{
	struct wddmcompat_query query;
	__u64 mdl, iova, memory, other = 17;

	/* The last byte of the first page to the first of the third */
	ASSERT_EQ(0, wddm_lock(self->ctx, self->memory + PAGE - 1, PAGE + 2,
			       WRITE, &mdl));
	ASSERT_EQ(0, wddm_query(self->ctx, mdl, &query));
	EXPECT_EQ(WDDMCOMPAT_OBJECT_MDL, query.out_type);
	EXPECT_EQ(3, query.out_num_pages);

	ASSERT_EQ(0, wddm_map(self->ctx, self->adapter, mdl,
			      WDDMCOMPAT_MAP_WRITEABLE, &iova, &memory));
	ASSERT_EQ(0, wddm_query(self->ctx, memory, &query));
	EXPECT_EQ(iova, query.out_iova);
	EXPECT_EQ(3, query.out_num_pages);
	EXPECT_EQ(WDDMCOMPAT_MAP_WRITEABLE, query.out_map_flags);
	EXPECT_EQ(mdl, query.out_mdl);

	/* On error nothing is written */
	EXPECT_EQ(-EEXIST, wddm_map(self->ctx, self->adapter, mdl,
				    WDDMCOMPAT_MAP_FIXED_IOVA, &iova, &other));
	EXPECT_EQ(17, other);
	EXPECT_EQ(-EBUSY, wddm_unlock(self->ctx, mdl));
	EXPECT_EQ(-EBUSY, wddm_adapter_destroy(self->ctx, self->adapter));

	EXPECT_EQ(-ENOENT, wddm_unmap(self->ctx, self->adapter, memory + 1));
	EXPECT_EQ(LIVE, wddm_unmap(self->ctx, self->adapter, memory));
	EXPECT_EQ(-ENOENT, wddm_unmap(self->ctx, self->adapter, memory));
	EXPECT_EQ(-ENOENT, wddm_query(self->ctx, memory, &query));
	EXPECT_EQ(LIVE, wddm_unlock(self->ctx, mdl));
	EXPECT_EQ(-ENOENT, wddm_unlock(self->ctx, mdl));
}

TEST_F(library, fixed_iova)
{
	const __u64 wanted = 1 << 24;
	__u64 mdl, iova = wanted, memory;

	ASSERT_EQ(0, wddm_lock(self->ctx, self->memory, PAGE, 0, &mdl));
	EXPECT_EQ(-EPERM, wddm_map(self->ctx, self->adapter, mdl,
				   WDDMCOMPAT_MAP_WRITEABLE, &iova, &memory));
	ASSERT_EQ(0, wddm_map(self->ctx, self->adapter, mdl,
			      WDDMCOMPAT_MAP_FIXED_IOVA, &iova, &memory));
	EXPECT_EQ(wanted, iova);
	EXPECT_EQ(LIVE, wddm_unmap(self->ctx, self->adapter, memory));
	EXPECT_EQ(LIVE, wddm_unlock(self->ctx, mdl));
}

TEST_F(library, scatter_list)
{
	const struct iovec iov[] = {
		{ self->memory + 3 * PAGE + 7, 100 },
		{ self->memory + PAGE - 3, 6 },
	};
	__u64 logical[2];
	struct wddmcompat_map map = {
		.adapter = self->adapter,
		.logical = (uintptr_t)logical,
		.num_logical = 2,
	};

	ASSERT_EQ(0, wddm_lock_iov(self->ctx, iov, 2, 0, &map.mdl));
	ASSERT_EQ(0, wddm_map_range(self->ctx, &map));
	EXPECT_EQ(3, map.num_pages);
	EXPECT_EQ(map.iova + 7, logical[0]);
	EXPECT_EQ(map.iova + 2 * PAGE - 3, logical[1]);
	EXPECT_EQ(LIVE, wddm_unmap(self->ctx, self->adapter, map.out_memory));
	EXPECT_EQ(LIVE, wddm_unlock(self->ctx, map.mdl));
	EXPECT_EQ(-EINVAL, wddm_lock_iov(self->ctx, iov, 0, 0, &map.mdl));
}

/* --- Many at once --------------------------------------------------------- */

TEST_F(library, many)
{
	struct wddmcompat_mdl_desc desc = {
		.start_va = (uintptr_t)self->memory,
		.byte_count = PAGE,
	};
	struct wddmcompat_mdl_lock locks[3] = {};
	struct wddmcompat_map maps[3] = {};
	struct wddmcompat_unmap unmaps[3] = {};
	__s32 results[3];

	for (int i = 0; i < 3; i++) {
		locks[i].descs = (uintptr_t)&desc;
		locks[i].num_descs = i == 1 ? 0 : 1;
	}
	ASSERT_EQ(0, wddm_lock_many(self->ctx, locks, 3, results));
	EXPECT_EQ(0, results[0]);
	EXPECT_EQ(-EINVAL, results[1]);
	EXPECT_EQ(0, results[2]);

	for (int i = 0; i < 3; i++) {
		maps[i].adapter = self->adapter;
		maps[i].mdl = locks[i].out_mdl;
	}
	ASSERT_EQ(0, wddm_map_many(self->ctx, maps, 3, results));
	EXPECT_EQ(0, results[0]);
	EXPECT_EQ(-ENOENT, results[1]);
	EXPECT_EQ(0, results[2]);

	for (int i = 0; i < 3; i++) {
		unmaps[i].adapter = self->adapter;
		unmaps[i].memory = maps[i].out_memory;
	}
	ASSERT_EQ(0, wddm_unmap_many(self->ctx, unmaps, 3, results));
	EXPECT_EQ(0, results[0]);
	EXPECT_EQ(-ENOENT, results[1]);
	EXPECT_EQ(0, results[2]);
	EXPECT_EQ(LIVE, wddm_unlock(self->ctx, locks[0].out_mdl));
	EXPECT_EQ(LIVE, wddm_unlock(self->ctx, locks[2].out_mdl));
	EXPECT_EQ(0, wddm_unmap_many(self->ctx, unmaps, 0, results));
}

/* In two calls: the last one is where it belongs */
TEST_F(library, more_than_one_call_takes)
{
	struct wddmcompat_unmap *unmaps = calloc(MANY, sizeof(*unmaps));
	__s32 *results = calloc(MANY, sizeof(*results));
	__u64 mdl, iova;

	ASSERT_NE(NULL, unmaps);
	ASSERT_NE(NULL, results);
	for (size_t i = 0; i < MANY; i++)
		unmaps[i] = (struct wddmcompat_unmap){
			.adapter = self->adapter,
			.memory = 1,
		};
	ASSERT_EQ(0, wddm_lock(self->ctx, self->memory, PAGE, 0, &mdl));
	ASSERT_EQ(0, wddm_map(self->ctx, self->adapter, mdl, 0, &iova,
			      &unmaps[MANY - 1].memory));
	ASSERT_EQ(0, wddm_unmap_many(self->ctx, unmaps, MANY, results));
	for (size_t i = 0; i < MANY - 1; i++)
		ASSERT_EQ(-ENOENT, results[i]);
	EXPECT_EQ(0, results[MANY - 1]);
	EXPECT_EQ(LIVE, wddm_unlock(self->ctx, mdl));
	free(results);
	free(unmaps);
}

/* --- Events --------------------------------------------------------------- */

static int raw_unmap_all(int iommufd, __u32 ioas)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.length = UINT64_MAX,
	};

	return ioctl(iommufd, IOMMU_IOAS_UNMAP, &cmd);
}

TEST_F(library, events)
{
	struct pollfd poll_ctx = { .fd = self->ctx, .events = POLLIN };
	struct wddmcompat_event events[3];
	__u64 mdl, iovas[2], memories[2];

	ASSERT_EQ(0, fcntl(self->ctx, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, wddm_read_events(self->ctx, events, 3));
	ASSERT_EQ(0, wddm_lock(self->ctx, self->memory, PAGE, 0, &mdl));
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, wddm_map(self->ctx, self->adapter, mdl, 0,
				      &iovas[i], &memories[i]));
	ASSERT_EQ(0, raw_unmap_all(self->iommufd, self->ioas));
	EXPECT_EQ(1, poll(&poll_ctx, 1, 0));
	EXPECT_EQ(-EINVAL, wddm_read_events(self->ctx, events, 0));
	EXPECT_EQ(2, wddm_read_events(self->ctx, events, 3));
	EXPECT_EQ(-EAGAIN, wddm_read_events(self->ctx, events, 3));
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(WDDMCOMPAT_EVENT_REVOKED, events[i].type);
		EXPECT_EQ(self->adapter, events[i].adapter);
		EXPECT_EQ(events[i].handle == memories[0] ? iovas[0] : iovas[1],
			  events[i].iova);
		EXPECT_EQ(REVOKED,
			  wddm_unmap(self->ctx, self->adapter, memories[i]));
	}
	EXPECT_EQ(LIVE, wddm_unlock(self->ctx, mdl));
}

/* --- Threads and processes ------------------------------------------------ */

#define THREADS 4
#define ROUNDS 200

struct job {
	int ctx;
	__u64 adapter;
	const void *memory;
};

/* Returns the first call that fails, or NULL */
static void *lock_to_unlock(void *arg)
{
	const struct job *job = arg;
	__u64 mdl, iova, memory;

	for (int i = 0; i < ROUNDS; i++) {
		if (wddm_lock(job->ctx, job->memory, PAGES * PAGE, 0, &mdl))
			return "lock";
		if (wddm_map(job->ctx, job->adapter, mdl, 0, &iova, &memory))
			return "map";
		if (wddm_unmap(job->ctx, job->adapter, memory) != LIVE)
			return "unmap";
		if (wddm_unlock(job->ctx, mdl) != LIVE)
			return "unlock";
	}
	return NULL;
}

TEST_F_TIMEOUT(library, threads, 120)
{
	struct job job = { self->ctx, self->adapter, self->memory };
	pthread_t threads[THREADS];
	void *failed;

	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, lock_to_unlock,
					    &job));
	for (int i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &failed));
		EXPECT_EQ(NULL, failed);
	}
}

TEST_F(library, child_has_no_context)
{
	int status;
	pid_t child = fork();
	__u64 mdl;

	ASSERT_LE(0, child);
	if (!child)
		_exit(-wddm_lock(self->ctx, self->memory, PAGE, 0, &mdl));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EIO, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
