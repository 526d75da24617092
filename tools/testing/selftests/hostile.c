// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module lends a page of its own to the address space of a context, where
 * iommufd finds its commands. The process can write to it, see race_page.c, and that
 * is all: it cannot get rid of it, put something else in its place, or have it
 * pinned, and nor can anybody else.
 */
#include <fcntl.h>
#include <linux/mman.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "command_page.h"
#include "edu.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define PAGES 4
#define MARK 0x5a

FIXTURE(hostile)
{
	struct env env;
	__u8 *page;
	__u8 *va;
	__u64 mdl;
	__u64 iova;
	__u64 memory;
};

/* In the last slot, which is used when the others are */
static void mark(__u8 *page)
{
	page[PAGE_SIZE - 1] = MARK;
}

/* The page is where it was, and still itself */
static bool is_untouched(const __u8 *page)
{
	return find_command_page() == page && page[PAGE_SIZE - 1] == MARK;
}

FIXTURE_SETUP(hostile)
{
	ASSERT_EQ(0, env_open(&self->env));
	self->va = anon_pages(PAGES);
	ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, PAGES * PAGE_SIZE,
			       MDL_WRITE, &self->mdl));
	ASSERT_EQ(0, wddm_map_all(self->env.ctx, self->env.adapter, self->mdl,
				  MAP_WRITE, &self->iova, &self->memory));
	self->page = find_command_page();
	ASSERT_NE(NULL, self->page);
	mark(self->page);
}

/* Whatever was tried: all is as before, and works */
FIXTURE_TEARDOWN(hostile)
{
	const struct env *env = &self->env;
	__u64 third, memory, iova = self->iova;

	EXPECT_TRUE(is_untouched(self->page));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, self->memory));
	EXPECT_EQ(-ENOENT, wddm_unmap(env->ctx, env->adapter, self->memory));
	EXPECT_EQ(0, wddm_map_all(env->ctx, env->adapter, self->mdl,
				  MAP_WRITE | MAP_AT, &iova, &memory));
	EXPECT_EQ(0, wddm_lock(env->ctx, anon_pages(1), PAGE_SIZE, MDL_WRITE,
			       &third));
	EXPECT_EQ(PAGES + 1, pins_since(env));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, third));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
	EXPECT_TRUE(env_close(&self->env));
}

static int error(long rc)
{
	return rc == -1 ? -errno : 0;
}

static int try_munmap(__u8 *page)
{
	return error(munmap(page, PAGE_SIZE));
}

static int try_munmap_with_neighbours(__u8 *page)
{
	return error(munmap(page - PAGE_SIZE, 3 * PAGE_SIZE));
}

static int try_no_access(__u8 *page)
{
	return error(mprotect(page, PAGE_SIZE, PROT_NONE));
}

static int try_read_only(__u8 *page)
{
	return error(mprotect(page, PAGE_SIZE, PROT_READ));
}

static int try_move(__u8 *page)
{
	return error((long)mremap(page, PAGE_SIZE, PAGE_SIZE,
				  MREMAP_MAYMOVE | MREMAP_FIXED,
				  anon_pages(1)));
}

static int try_move_and_keep(__u8 *page)
{
	return error((long)mremap(page, PAGE_SIZE, PAGE_SIZE,
				  MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
}

static int try_grow(__u8 *page)
{
	return error((long)mremap(page, PAGE_SIZE, 2 * PAGE_SIZE,
				  MREMAP_MAYMOVE));
}

static int try_duplicate(__u8 *page)
{
	return error((long)mremap(page, 0, PAGE_SIZE, MREMAP_MAYMOVE));
}

static int try_move_over(__u8 *page)
{
	return error((long)mremap(anon_pages(1), PAGE_SIZE, PAGE_SIZE,
				  MREMAP_MAYMOVE | MREMAP_FIXED, page));
}

static int try_map_over(__u8 *page)
{
	return error((long)mmap(page, PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				0));
}

static int try_map_around(__u8 *page)
{
	return error((long)mmap(page - PAGE_SIZE, 3 * PAGE_SIZE, PROT_READ,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				0));
}

static int try_remap_file_pages(__u8 *page)
{
	return error(syscall(SYS_remap_file_pages, page, PAGE_SIZE, 0, 0, 0));
}

static int try_userfaultfd(__u8 *page, __u64 features, __u64 mode)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)page, .len = PAGE_SIZE },
		.mode = mode,
	};
	int uffd, rc;

	become_root();
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	become_user();
	CHECK(uffd >= 0);
	CHECK(!ioctl(uffd, UFFDIO_API, &api));
	rc = error(ioctl(uffd, UFFDIO_REGISTER, &reg));
	close(uffd);
	return rc;
}

static int try_answer_faults(__u8 *page)
{
	return try_userfaultfd(page, 0, UFFDIO_REGISTER_MODE_MISSING);
}

static int try_answer_writes(__u8 *page)
{
	return try_userfaultfd(page, UFFD_FEATURE_PAGEFAULT_FLAG_WP,
			       UFFDIO_REGISTER_MODE_WP);
}

/* Both in and out, by one who could write to any other page of his */
static int try_proc_mem(__u8 *page)
{
	__u64 word = 0;
	int fd, rc;

	become_root();
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	become_user();
	CHECK(fd >= 0);
	rc = error(pread(fd, &word, sizeof(word), (uintptr_t)page));
	CHECK(rc == error(pwrite(fd, &word, sizeof(word), (uintptr_t)page)));
	close(fd);
	return rc;
}

static int try_process_vm(__u8 *page)
{
	__u64 word = 0;
	struct iovec local = { &word, sizeof(word) };
	struct iovec remote = { page, sizeof(word) };
	int rc;

	rc = error(process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	CHECK(rc == error(process_vm_readv(getpid(), &local, 1, &remote, 1,
					   0)));
	return rc;
}

static int try_vmsplice(__u8 *page)
{
	struct iovec iov = { page, PAGE_SIZE };
	int pipes[2], rc;

	CHECK(!pipe(pipes));
	rc = error(vmsplice(pipes[1], &iov, 1, SPLICE_F_GIFT));
	close(pipes[0]);
	close(pipes[1]);
	return rc;
}

/**
 * struct attempt - Something that a process might do to the page
 * @name: What
 * @fn: How
 * @rc: How it is refused
 */
struct attempt {
	const char *name;
	int (*fn)(__u8 *page);
	int rc;
};

static const struct attempt attempts[] = {
	{ "munmap", try_munmap, -EPERM },
	{ "munmap with neighbours", try_munmap_with_neighbours, -EPERM },
	{ "mprotect: no access", try_no_access, -EPERM },
	{ "mprotect: read only", try_read_only, -EPERM },
	{ "mremap: move", try_move, -EPERM },
	{ "mremap: move and keep", try_move_and_keep, -EPERM },
	{ "mremap: grow", try_grow, -EPERM },
	{ "mremap: duplicate", try_duplicate, -EPERM },
	{ "mremap over it", try_move_over, -EPERM },
	{ "mmap over it", try_map_over, -EPERM },
	{ "mmap around it", try_map_around, -EPERM },
	{ "remap_file_pages", try_remap_file_pages, -EPERM },
	{ "userfaultfd: missing", try_answer_faults, -EINVAL },
	{ "userfaultfd: written", try_answer_writes, -EINVAL },
	{ "/proc/self/mem", try_proc_mem, -EIO },
	{ "process_vm_writev", try_process_vm, -EFAULT },
	{ "vmsplice", try_vmsplice, -EFAULT },
};

TEST_F(hostile, attempts)
{
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		EXPECT_EQ(attempts[i].rc, attempts[i].fn(self->page)) {
			TH_LOG("%s", attempts[i].name);
		}
		ASSERT_TRUE(is_untouched(self->page));
	}
}

/**
 * struct advice - Advice for the page
 * @name: Its name
 * @advice: The advice
 * @rc: What comes of it: 0 if it has no effect
 */
struct advice {
	const char *name;
	int advice;
	int rc;
};

#define ADVICE(name, rc) { #name, MADV_##name, rc }

static const struct advice advices[] = {
	ADVICE(DONTNEED, -EINVAL),
	ADVICE(DONTNEED_LOCKED, -EINVAL),
	ADVICE(REMOVE, -ENODEV),
	ADVICE(FREE, -EINVAL),
	ADVICE(DOFORK, -EINVAL),
	ADVICE(WIPEONFORK, -EINVAL),
	ADVICE(PAGEOUT, -EINVAL),
	ADVICE(COLD, -EINVAL),
	ADVICE(COLLAPSE, -EINVAL),
	ADVICE(HUGEPAGE, 0),
	ADVICE(MERGEABLE, 0),
	ADVICE(POPULATE_READ, -EINVAL),
	ADVICE(POPULATE_WRITE, -EINVAL),
};

TEST_F(hostile, advice)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		EXPECT_EQ(advices[i].rc,
			  error(madvise(self->page, PAGE_SIZE,
					advices[i].advice))) {
			TH_LOG("%s", advices[i].name);
		}
		ASSERT_TRUE(is_untouched(self->page));
	}
}

/* Neither as an MDL nor by iommufd's own means, when a device makes it pin */
TEST_F(hostile, pinned)
{
	const struct env *env = &self->env;
	struct edu edu;
	__u64 mdl, iova;

	EXPECT_EQ(-EFAULT, wddm_lock(env->ctx, self->page, PAGE_SIZE, MDL_WRITE,
				     &mdl));
	EXPECT_EQ(-EFAULT, wddm_lock(env->ctx, self->page, PAGE_SIZE, 0, &mdl));
	ASSERT_EQ(0, edu_open(&edu, 0, env->iommufd));
	ASSERT_EQ(0, edu_attach(&edu, env->ioas));
	EXPECT_EQ(-EFAULT, ioas_map(env->iommufd, env->ioas, self->page,
				    PAGE_SIZE, &iova));
	edu_close(&edu);
}

/* At the same address in parent and child */
static long ordinary_word;

/* Another process, whom nothing else in ours is closed to */
static int trace_parent(int sock, void *arg)
{
	const pid_t pid = getppid();
	__u8 *page = arg;
	__u64 word = 0;
	struct iovec local = { &word, sizeof(word) };
	struct iovec remote = { page, sizeof(word) };
	int status;

	become_root();
	CHECK(!ptrace(PTRACE_SEIZE, pid, 0, 0));
	CHECK(!ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	CHECK(!ptrace(PTRACE_POKEDATA, pid, &ordinary_word, 0));
	CHECK(error(ptrace(PTRACE_POKEDATA, pid, page, 0)) == -EIO);
	errno = 0;
	ptrace(PTRACE_PEEKDATA, pid, page, 0);
	CHECK(errno == EIO);
	CHECK(error(process_vm_writev(pid, &local, 1, &remote, 1, 0)) ==
	      -EFAULT);
	CHECK(!ptrace(PTRACE_DETACH, pid, 0, 0));
	return tell(sock, 1);
}

TEST_F(hostile, traced)
{
	EXPECT_EQ(0, in_child(trace_parent, self->page));
}

/* It is not a child's, who has nothing to do with it */
static int child_without_page(int sock, void *arg)
{
	(void)sock;
	(void)arg;
	CHECK(!find_command_page());
	return 0;
}

TEST_F(hostile, not_inherited)
{
	EXPECT_EQ(0, in_child(child_without_page, NULL));
}

/* Memory whose faults nobody answers */
static void *blocked_page(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .len = PAGE_SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	void *page = anon_pages(1);
	int uffd;

	become_root();
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	become_user();
	CHECK(uffd >= 0);
	CHECK(!ioctl(uffd, UFFDIO_API, &api));
	reg.range.start = (uintptr_t)page;
	CHECK(!ioctl(uffd, UFFDIO_REGISTER, &reg));
	CHECK(!madvise(page, PAGE_SIZE, MADV_DONTNEED));
	return page;
}

static int stuck_child(int sock, void *arg)
{
	const struct env *env = arg;
	const int ctx = open_context();
	__u64 adapter, mdl, memory, iova = 0;
	void *page = blocked_page();

	CHECK(!wddm_bind(ctx, env->iommufd, NULL));
	CHECK(!wddm_adapter_create(ctx, env->ioas, &adapter));
	CHECK(!wddm_lock(ctx, anon_pages(1), PAGE_SIZE, 0, &mdl));
	CHECK(!wddm_map_all(ctx, adapter, mdl, 0, &iova, &memory));
	CHECK(!tell(sock, 1));
	wddm_lock(ctx, page, PAGE_SIZE, 0, &mdl);
	/* It cannot have been locked */
	tell(sock, 2);
	return 0;
}

/* One context that is stuck is nobody else's problem, and can be killed */
TEST_F_TIMEOUT(hostile, stuck, 60)
{
	const struct env *env = &self->env;
	__u64 number, mdl, memory, iova = 0;
	int sock;
	pid_t pid;

	pid = spawn(stuck_child, &self->env, &sock);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, hear(sock, &number));
	usleep(300000);
	ASSERT_EQ(0, wddm_lock(env->ctx, anon_pages(1), PAGE_SIZE, 0, &mdl));
	EXPECT_EQ(0, wddm_map_all(env->ctx, env->adapter, mdl, 0, &iova,
				  &memory));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, wait_for(pid));
	/* It was stuck to its end */
	EXPECT_EQ(-EPIPE, hear(sock, &number));
	close(sock);
}

TEST_HARNESS_MAIN
