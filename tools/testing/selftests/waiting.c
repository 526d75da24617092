// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that have to wait in the middle, for memory whose faults the test answers when
 * it likes: what others see meanwhile, and that whoever waits can be killed.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "fixture.h"
#include "kselftest_harness.h"

/* The module's page for commands has room for so many at a time */
#define SLOTS 32
#define MORE (SLOTS + 8)

FIXTURE(waiting)
{
	struct env env;
	int uffd;
};

FIXTURE_SETUP(waiting)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};

	ASSERT_EQ(0, env_open(&self->env));
	become_root();
	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	become_user();
	ASSERT_LE(0, self->uffd);
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
}

FIXTURE_TEARDOWN(waiting)
{
	close(self->uffd);
	EXPECT_TRUE(env_close(&self->env));
}

/* A page whose faults of this mode we answer */
static void watch(int uffd, void *page, __u64 mode)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)page, .len = PAGE_SIZE },
		.mode = mode,
	};

	CHECK(!ioctl(uffd, UFFDIO_REGISTER, &reg));
}

static void write_protect(int uffd, void *page, bool protect)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)page, .len = PAGE_SIZE },
		.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	CHECK(!ioctl(uffd, UFFDIO_WRITEPROTECT, &wp));
}

static void give_memory(int uffd, void *page)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)page, .len = PAGE_SIZE },
	};

	CHECK(!ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
}

static void wait_for_fault(int uffd)
{
	struct uffd_msg msg;

	CHECK(read(uffd, &msg, sizeof(msg)) == sizeof(msg));
}

/**
 * struct call - A lock ioctl that a thread does
 * @thread: The thread
 * @ctx: Context
 * @lock: The ioctl's structure
 * @desc: What it locks
 * @rc: What it returned
 */
struct call {
	pthread_t thread;
	int ctx;
	struct wddmcompat_mdl_lock *lock;
	struct wddmcompat_mdl_desc desc;
	int rc;
};

static void *do_call(void *arg)
{
	struct call *call = arg;

	call->rc = wddm_ioctl(call->ctx, WDDMCOMPAT_MDL_LOCK, call->lock);
	return NULL;
}

/* @memory is where the structure of the ioctl is, and @va what it locks */
static void begin(struct call *call, int ctx, void *memory, void *va)
{
	call->ctx = ctx;
	call->desc = wddm_desc(va, PAGE_SIZE, MDL_WRITE);
	call->lock = memory;
	*call->lock = (struct wddmcompat_mdl_lock){
		.size = sizeof(*call->lock),
		.descs = (uintptr_t)&call->desc,
		.num_descs = 1,
	};
}

static void start(struct call *call)
{
	CHECK(!pthread_create(&call->thread, NULL, do_call, call));
}

static void finish(struct call *call)
{
	CHECK(!pthread_join(call->thread, NULL));
}

/* The slot of a handle is used again, with the next generation */
#define NEXT_GENERATION 0x1000000

TEST_F(waiting, handle_is_known_to_its_maker_only)
{
	const int ctx = self->env.ctx;
	void *memory = anon_pages(1), *va = anon_pages(1);
	struct wddmcompat_query query;
	struct call call;
	__u64 guess;

	ASSERT_EQ(0, wddm_lock(ctx, va, PAGE_SIZE, MDL_WRITE, &guess));
	ASSERT_EQ(LIVE, wddm_unlock(ctx, guess));
	guess += NEXT_GENERATION;
	begin(&call, ctx, memory, va);
	watch(self->uffd, memory, UFFDIO_REGISTER_MODE_WP);
	write_protect(self->uffd, memory, true);

	start(&call);
	/* All is done but to write the answer */
	wait_for_fault(self->uffd);
	EXPECT_EQ(-ENOENT, wddm_query(ctx, guess, &query));
	EXPECT_EQ(-ENOENT, wddm_unlock(ctx, guess));
	write_protect(self->uffd, memory, false);
	finish(&call);
	EXPECT_EQ(0, call.rc);
	EXPECT_EQ(guess, call.lock->out_mdl);
	EXPECT_EQ(LIVE, wddm_unlock(ctx, guess));
}

/*
 * One that pins memory which does not come, and others that have to wait for it with
 * their commands given to iommufd, until there is no room for more
 */
static void fill_slots(int uffd, int ctx, void *late, struct call *calls)
{
	watch(uffd, late, UFFDIO_REGISTER_MODE_MISSING);
	begin(&calls[0], ctx, calloc(1, sizeof(*calls->lock)), late);
	start(&calls[0]);
	wait_for_fault(uffd);
	for (int i = 1; i < MORE; i++) {
		begin(&calls[i], ctx, calloc(1, sizeof(*calls->lock)),
		      anon_pages(1));
		start(&calls[i]);
	}
	/* Whether they are there yet makes no difference to what is right */
	usleep(500000);
}

static void *reserve_page(void)
{
	void *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	return page;
}

TEST_F_TIMEOUT(waiting, more_commands_than_slots, 60)
{
	void *late = reserve_page();
	struct call calls[MORE];

	fill_slots(self->uffd, self->env.ctx, late, calls);
	give_memory(self->uffd, late);
	for (int i = 0; i < MORE; i++) {
		finish(&calls[i]);
		EXPECT_EQ(0, calls[i].rc);
		EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx,
					    calls[i].lock->out_mdl));
	}
}

static int lock_in_clone(void *arg)
{
	do_call(arg);
	return 0;
}

/* Another process of this address space, as a thread cannot be killed alone */
TEST_F_TIMEOUT(waiting, killed_without_a_slot, 60)
{
	const size_t stack = 64 << 10;
	void *late = reserve_page();
	struct call calls[MORE], call;
	pid_t pid;

	fill_slots(self->uffd, self->env.ctx, late, calls);
	begin(&call, self->env.ctx, calloc(1, sizeof(*call.lock)),
	      anon_pages(1));
	pid = clone(lock_in_clone, (char *)malloc(stack) + stack,
		    CLONE_VM | CLONE_FILES | SIGCHLD, &call);
	ASSERT_LT(0, pid);
	usleep(500000);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	/* Nobody has given anything back, so it has got no slot */
	EXPECT_EQ(128 + SIGKILL, wait_for(pid));
	give_memory(self->uffd, late);
	for (int i = 0; i < MORE; i++) {
		finish(&calls[i]);
		EXPECT_EQ(0, calls[i].rc);
		EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx,
					    calls[i].lock->out_mdl));
	}
}

TEST_HARNESS_MAIN
