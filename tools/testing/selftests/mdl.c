// SPDX-License-Identifier: GPL-2.0-only
/* Which memory can be locked, which cannot, and what a lock is worth */
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "edu.h"
#include "fixture.h"
#include "kselftest_harness.h"

FIXTURE(mdl)
{
	struct env env;
};

FIXTURE_SETUP(mdl)
{
	ASSERT_EQ(0, env_open(&self->env));
}

FIXTURE_TEARDOWN(mdl)
{
	EXPECT_TRUE(env_close(&self->env));
}

static long pages_of(const void *va, size_t bytes)
{
	return ((uintptr_t)va % PAGE_SIZE + bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

/* Lock and unlock; exactly the described pages are pinned in between */
static int locks(const struct env *env, const void *va, size_t bytes,
		 __u32 flags)
{
	const long before = pinned_pages(), pages = pages_of(va, bytes);
	struct wddmcompat_query query;
	__u64 mdl;
	int rc;

	rc = wddm_lock(env->ctx, va, bytes, flags, &mdl);
	if (rc)
		return rc;
	if (pinned_pages() - before != pages)
		return -ERANGE;
	rc = wddm_query(env->ctx, mdl, &query);
	if (rc || (long)query.out_num_pages != pages)
		return rc ?: -EPROTO;
	rc = wddm_unlock(env->ctx, mdl);
	if (rc)
		return rc;
	return pinned_pages() == before ? 0 : -EBUSY;
}

/* How a lock fails: 0 if it does not, -EPROTO if it leaves something behind */
static int refuses(const struct env *env, const void *va, size_t bytes,
		   __u32 flags)
{
	const long before = pinned_pages();
	__u64 mdl = 0;
	int rc;

	rc = wddm_lock(env->ctx, va, bytes, flags, &mdl);
	if (pinned_pages() != before || mdl ||
	    ioas_unmap_all(env->iommufd, env->mdl_ioas))
		return -EPROTO;
	return rc;
}

/* Anonymous memory that nobody has touched */
static __u8 *reserve(size_t pages)
{
	return mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

TEST_F(mdl, anonymous)
{
	__u8 *va = anon_pages(8), *untouched = reserve(8);

	EXPECT_EQ(0, locks(&self->env, va, 8 * PAGE_SIZE, MDL_WRITE));
	EXPECT_EQ(0, locks(&self->env, va, 8 * PAGE_SIZE, 0));
	EXPECT_EQ(0, locks(&self->env, va + 100, 5 * PAGE_SIZE, MDL_WRITE));
	EXPECT_EQ(0, locks(&self->env, untouched, 4 * PAGE_SIZE, 0));
	EXPECT_EQ(0, locks(&self->env, untouched, 8 * PAGE_SIZE, MDL_WRITE));
}

/* An untouched page that is locked for reading is not the shared page of zeros */
TEST_F(mdl, no_zero_page)
{
	__u8 *va = reserve(1);
	__u64 mdl, frame;

	EXPECT_EQ(0, __atomic_load_n(va, __ATOMIC_RELAXED));
	frame = page_frame(va);
	ASSERT_EQ(0, wddm_lock(self->env.ctx, va, PAGE_SIZE, 0, &mdl));
	EXPECT_NE(frame, page_frame(va));
	frame = page_frame(va);
	*va = 1;
	EXPECT_EQ(frame, page_frame(va));
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, mdl));
}

TEST_F(mdl, transparent_huge_pages)
{
	__u8 *va = huge_page();

	fill(va, HUGE_SIZE, 1);
	EXPECT_EQ(0, locks(&self->env, va, HUGE_SIZE, MDL_WRITE));
	EXPECT_EQ(0, locks(&self->env, va + 3 * PAGE_SIZE + 5,
			   HUGE_SIZE - 4 * PAGE_SIZE, MDL_WRITE));
	/* From the huge page into a small one */
	EXPECT_EQ(0, locks(&self->env, va + HUGE_SIZE - PAGE_SIZE,
			   2 * PAGE_SIZE, MDL_WRITE));
	EXPECT_TRUE(is_filled(va, HUGE_SIZE, 1));
}

TEST_F(mdl, hugetlb)
{
	const char *path = "/proc/sys/vm/nr_hugepages";
	const long before = read_number(path);
	__u8 *va;
	int fd;

	ASSERT_EQ(0, write_number(path, before + 2));
	va = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	ASSERT_NE(MAP_FAILED, va);
	EXPECT_EQ(0, locks(&self->env, va, HUGE_SIZE, MDL_WRITE));
	EXPECT_EQ(0, locks(&self->env, va + HUGE_SIZE - 1, 1, 0));
	munmap(va, HUGE_SIZE);

	fd = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(fd, HUGE_SIZE));
	va = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, va);
	EXPECT_EQ(0, locks(&self->env, va, HUGE_SIZE, MDL_WRITE));
	munmap(va, HUGE_SIZE);
	close(fd);
	EXPECT_EQ(0, write_number(path, before));
}

TEST_F(mdl, shmem)
{
	int memfd, tmpfs;
	void *va;

	va = shared_pages(4, &memfd);
	EXPECT_EQ(0, locks(&self->env, va, 4 * PAGE_SIZE, MDL_WRITE));
	munmap(va, 4 * PAGE_SIZE);

	va = mmap(NULL, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(0, locks(&self->env, va, 4 * PAGE_SIZE, MDL_WRITE));
	EXPECT_EQ(0, locks(&self->env, va, 4 * PAGE_SIZE, 0));

	tmpfs = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_EQ(0, ftruncate(tmpfs, 4 * PAGE_SIZE));
	va = mmap(NULL, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		  tmpfs, 0);
	ASSERT_NE(MAP_FAILED, va);
	EXPECT_EQ(0, locks(&self->env, va, 4 * PAGE_SIZE, MDL_WRITE));
	close(tmpfs);
	close(memfd);
}

/* A file with two pages of known content, and an ordinary user's at that */
static int file_with_pages(void)
{
	char content[2 * PAGE_SIZE];
	int fd;

	fill(content, sizeof(content), 3);
	become_root();
	fd = open("/mnt/ext4", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	become_user();
	if (write(fd, content, sizeof(content)) != (ssize_t)sizeof(content))
		return -1;
	return fd;
}

TEST_F(mdl, read_only_mappings)
{
	const size_t len = 2 * PAGE_SIZE;
	int memfd, file = file_with_pages();
	void *va;

	ASSERT_LE(0, file);
	va = anon_pages(2);
	ASSERT_EQ(0, mprotect(va, len, PROT_READ));
	EXPECT_EQ(0, locks(&self->env, va, len, 0));
	EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, MDL_WRITE));

	va = shared_pages(2, &memfd);
	ASSERT_EQ(0, mprotect(va, len, PROT_READ));
	EXPECT_EQ(0, locks(&self->env, va, len, 0));
	EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, MDL_WRITE));

	va = mmap(NULL, len, PROT_READ, MAP_SHARED, file, 0);
	EXPECT_EQ(0, locks(&self->env, va, len, 0));
	EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, MDL_WRITE));

	va = mmap(NULL, len, PROT_READ, MAP_PRIVATE, file, 0);
	EXPECT_EQ(0, locks(&self->env, va, len, 0));
	EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, MDL_WRITE));
	EXPECT_TRUE(is_filled(va, len, 3));
	close(memfd);
	close(file);
}

/* Its own copy of a file can be written, the file stays as it was */
TEST_F(mdl, private_file)
{
	const size_t len = 2 * PAGE_SIZE;
	int file = file_with_pages();
	char content[len], *va;
	__u64 mdl;

	ASSERT_LE(0, file);
	va = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	ASSERT_NE(MAP_FAILED, va);
	EXPECT_EQ(0, locks(&self->env, va, len, 0));
	ASSERT_EQ(0, wddm_lock(self->env.ctx, va, len, MDL_WRITE, &mdl));
	EXPECT_TRUE(is_filled(va, len, 3));
	fill(va, len, 4);
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, mdl));
	ASSERT_EQ((ssize_t)len, pread(file, content, len, 0));
	EXPECT_TRUE(is_filled(content, len, 3));
	close(file);
}

/* A file system would not learn what a device writes, and writes back */
TEST_F(mdl, shared_file)
{
	const size_t len = 2 * PAGE_SIZE;
	int file = file_with_pages();
	void *va;

	ASSERT_LE(0, file);
	va = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, va);
	EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, MDL_WRITE));
	EXPECT_EQ(0, locks(&self->env, va, len, 0));
	/* Also when it has been written just now */
	memset(va, 1, len);
	EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, MDL_WRITE));

	/* There is no page behind the end of a file */
	ASSERT_EQ(0, ftruncate(file, PAGE_SIZE));
	EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, 0));
	close(file);
}

/* One range across memory of several kinds */
TEST_F(mdl, many_kinds)
{
	const size_t len = 8 * PAGE_SIZE;
	__u8 *va = anon_pages(8);
	int memfd;

	munmap(shared_pages(4, &memfd), 4 * PAGE_SIZE);
	ASSERT_NE(MAP_FAILED, mmap(va + 2 * PAGE_SIZE, 4 * PAGE_SIZE,
				   PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, memfd, 0));
	EXPECT_EQ(0, locks(&self->env, va, len, MDL_WRITE));
	ASSERT_EQ(0, mprotect(va + PAGE_SIZE, PAGE_SIZE, PROT_READ));
	EXPECT_EQ(0, locks(&self->env, va, len, 0));
	EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, MDL_WRITE));
	close(memfd);
}

TEST_F(mdl, holes)
{
	const size_t len = 5 * PAGE_SIZE;

	for (int hole = 0; hole < 5; hole++) {
		__u8 *va = anon_pages(5);

		munmap(va + hole * PAGE_SIZE, PAGE_SIZE);
		EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, MDL_WRITE));
		EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, 0));
	}
	EXPECT_EQ(-EFAULT, refuses(&self->env, NULL, PAGE_SIZE, MDL_WRITE));
	EXPECT_EQ(-EFAULT, refuses(&self->env, NULL, PAGE_SIZE, 0));
}

TEST_F(mdl, no_access)
{
	const size_t len = 5 * PAGE_SIZE;

	for (int page = 0; page < 5; page++) {
		__u8 *va = anon_pages(5);

		mprotect(va + page * PAGE_SIZE, PAGE_SIZE, PROT_NONE);
		EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, MDL_WRITE));
		EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, 0));
		mprotect(va + page * PAGE_SIZE, PAGE_SIZE, PROT_READ);
		EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, MDL_WRITE));
		EXPECT_EQ(0, locks(&self->env, va, len, 0));
	}
}

TEST_F(mdl, device_memory)
{
	const size_t len = 3 * PAGE_SIZE;
	__u8 *va = anon_pages(3), *bar;
	struct edu edu;
	int devmem;

	ASSERT_EQ(0, edu_open(&edu, 0, self->env.iommufd));
	EXPECT_EQ(-EFAULT, refuses(&self->env, edu.bar, PAGE_SIZE, MDL_WRITE));
	EXPECT_EQ(-EFAULT, refuses(&self->env, edu.bar, PAGE_SIZE, 0));
	/* Between pages that could be locked */
	bar = mremap(edu.bar, PAGE_SIZE, PAGE_SIZE,
		     MREMAP_MAYMOVE | MREMAP_FIXED, va + PAGE_SIZE);
	ASSERT_EQ(va + PAGE_SIZE, bar);
	EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, MDL_WRITE));
	EXPECT_EQ(-EFAULT, refuses(&self->env, va, len, 0));
	munmap(bar, PAGE_SIZE);
	edu_close(&edu);

	become_root();
	devmem = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	va = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, devmem, 0xf0000);
	become_user();
	ASSERT_NE(MAP_FAILED, va);
	EXPECT_EQ(-EFAULT, refuses(&self->env, va, PAGE_SIZE, 0));
	close(devmem);
}

TEST_F(mdl, kernel_addresses)
{
	static const uintptr_t addresses[] = {
		0x00007ffffffff000, 0x0000800000000000, 0x00ffffffffff0000,
		0x8000000000000000, 0xff00000000000000, 0xffff800000000000,
		0xffff888000000000, 0xffff888000100000, 0xffffffff81000000,
		0xffffffffff600000, 0xffffffffffffd000,
	};

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		const void *va = (void *)addresses[i];

		EXPECT_EQ(-EFAULT, refuses(&self->env, va, PAGE_SIZE, 0));
		EXPECT_EQ(-EFAULT, refuses(&self->env, va, PAGE_SIZE + 1,
					   MDL_WRITE));
	}
}

TEST_F(mdl, wrap_around)
{
	const void *last = (void *)-PAGE_SIZE;

	EXPECT_EQ(-EINVAL, refuses(&self->env, last, 2 * PAGE_SIZE, 0));
	EXPECT_EQ(-EINVAL, refuses(&self->env, last, PAGE_SIZE + 1, MDL_WRITE));
	EXPECT_EQ(-EINVAL, refuses(&self->env, (char *)last + 1, PAGE_SIZE, 0));
	EXPECT_EQ(-EINVAL, refuses(&self->env, (void *)-(16 * PAGE_SIZE),
				   17 * PAGE_SIZE, MDL_WRITE));
}

/* The pages are locked, not the addresses: whatever becomes of those */
TEST_F(mdl, outlives_its_addresses)
{
	const struct env *env = &self->env;
	__u8 *va = anon_pages(4);
	__u64 mdl;

	ASSERT_EQ(0, wddm_lock(env->ctx, va, 4 * PAGE_SIZE, MDL_WRITE, &mdl));
	ASSERT_EQ(0, madvise(va, PAGE_SIZE, MADV_DONTNEED));
	ASSERT_EQ(0, mprotect(va + PAGE_SIZE, PAGE_SIZE, PROT_NONE));
	ASSERT_EQ(0, munmap(va + 2 * PAGE_SIZE, 2 * PAGE_SIZE));
	EXPECT_EQ(4, pins_since(env));
	ASSERT_EQ(0, munmap(va, 2 * PAGE_SIZE));
	EXPECT_EQ(4, pins_since(env));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
	EXPECT_EQ(0, pins_since(env));
}

TEST_F(mdl, pages_stay_where_they_are)
{
	const struct env *env = &self->env;
	__u8 *va = anon_pages(2);
	__u64 mdl, frames[2];
	pid_t pid;

	ASSERT_EQ(0, wddm_lock(env->ctx, va, 2 * PAGE_SIZE, MDL_WRITE, &mdl));
	frames[0] = page_frame(va);
	frames[1] = page_frame(va + PAGE_SIZE);
	ASSERT_NE(0, frames[0]);

	ASSERT_EQ(0, write_number("/proc/sys/vm/compact_memory", 1));
	madvise(va, 2 * PAGE_SIZE, MADV_PAGEOUT);
	/* A write after fork() would copy any other page */
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	va[0] = 1;
	va[PAGE_SIZE] = 1;
	EXPECT_EQ(frames[0], page_frame(va));
	EXPECT_EQ(frames[1], page_frame(va + PAGE_SIZE));
	kill(pid, SIGKILL);
	wait_for(pid);
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

/* Locks of the same page do not know of each other */
TEST_F(mdl, locked_twice)
{
	const struct env *env = &self->env;
	__u8 *va = anon_pages(2);
	__u64 first, second;

	ASSERT_EQ(0, wddm_lock(env->ctx, va, 2 * PAGE_SIZE, MDL_WRITE, &first));
	ASSERT_EQ(0, wddm_lock(env->ctx, va, PAGE_SIZE, 0, &second));
	EXPECT_NE(first, second);
	EXPECT_EQ(3, pins_since(env));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, first));
	EXPECT_EQ(1, pins_since(env));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, second));
}

TEST_HARNESS_MAIN
