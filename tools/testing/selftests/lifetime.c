// SPDX-License-Identifier: GPL-2.0-only
/*
 * However a context ends, what it made goes with it; and nobody but the address
 * space that opened it can do more than end it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "edu.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define PAGES 4

FIXTURE(lifetime)
{
	struct env env;
	__u8 *va;
	__u64 mdl;
	__u64 iova;
	__u64 memory;
};

FIXTURE_SETUP(lifetime)
{
	ASSERT_EQ(0, env_open(&self->env));
	self->va = anon_pages(PAGES);
	ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, PAGES * PAGE_SIZE,
			       MDL_WRITE, &self->mdl));
	ASSERT_EQ(0, wddm_map_all(self->env.ctx, self->env.adapter, self->mdl,
				  MAP_WRITE, &self->iova, &self->memory));
	self->env.leaves_objects = true;
}

FIXTURE_TEARDOWN(lifetime)
{
	EXPECT_TRUE(env_close(&self->env));
}

static bool still_works(const struct env *env, __u64 mdl, __u64 memory)
{
	__u64 iova = 0, second;

	return wddm_unmap(env->ctx, env->adapter, memory) == LIVE &&
	       !wddm_map_all(env->ctx, env->adapter, mdl, 0, &iova, &second) &&
	       wddm_unmap(env->ctx, env->adapter, second) == LIVE &&
	       wddm_unlock(env->ctx, mdl) == LIVE;
}

/* When close() returns it is done: nothing has to be waited for */
TEST_F(lifetime, close)
{
	struct env *env = &self->env;

	EXPECT_EQ(PAGES, pins_since(env));
	close(env->ctx);
	env->ctx = -1;
	EXPECT_EQ(0, pins_since(env));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	EXPECT_EQ(-ENOENT, iommufd_destroy(env->iommufd, env->mdl_ioas));
	EXPECT_EQ(0, iommufd_destroy(env->iommufd, env->ioas));
}

TEST_F(lifetime, close_with_a_device)
{
	struct env *env = &self->env;
	struct edu edu;

	ASSERT_EQ(0, edu_open(&edu, 0, env->iommufd));
	ASSERT_EQ(0, edu_attach(&edu, env->ioas));
	close(env->ctx);
	env->ctx = -1;
	EXPECT_EQ(0, pins_since(env));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	edu_close(&edu);
	EXPECT_EQ(0, iommufd_destroy(env->iommufd, env->ioas));
}

TEST_F(lifetime, close_one_of_two_descriptors)
{
	struct env *env = &self->env;
	const int second = dup(env->ctx);

	close(env->ctx);
	env->ctx = second;
	EXPECT_EQ(PAGES, pins_since(env));
	EXPECT_TRUE(still_works(env, self->mdl, self->memory));
}

TEST_F(lifetime, close_unbound)
{
	const int ctx = open_context();

	ASSERT_LE(0, ctx);
	EXPECT_EQ(0, close(ctx));
	EXPECT_TRUE(still_works(&self->env, self->mdl, self->memory));
}

/* The context keeps the iommufd */
TEST_F(lifetime, iommufd_closed_first)
{
	struct env *env = &self->env;
	__u64 mdl;

	close(env->iommufd);
	env->iommufd = -1;
	EXPECT_EQ(PAGES, pins_since(env));
	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, PAGE_SIZE, 0, &mdl));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
	EXPECT_TRUE(still_works(env, self->mdl, self->memory));
	EXPECT_EQ(0, pins_since(env));
}

TEST_F(lifetime, iommufd_closed_first_then_close)
{
	struct env *env = &self->env;

	close(env->iommufd);
	close(env->ctx);
	env->iommufd = -1;
	env->ctx = -1;
	EXPECT_TRUE(pins_are_back(env));
}

TEST_F(lifetime, two_contexts_of_one_iommufd)
{
	struct env *env = &self->env;
	__u64 adapter, mdl, memory, iova = 0;
	const int ctx = open_context();

	ASSERT_EQ(0, wddm_bind(ctx, env->iommufd, NULL));
	ASSERT_EQ(0, wddm_adapter_create(ctx, env->ioas, &adapter));
	ASSERT_EQ(0, wddm_lock(ctx, self->va, PAGES * PAGE_SIZE, 0, &mdl));
	ASSERT_EQ(0, wddm_map_all(ctx, adapter, mdl, 0, &iova, &memory));
	EXPECT_EQ(2 * PAGES, pins_since(env));
	close(ctx);
	EXPECT_EQ(PAGES, pins_since(env));
	EXPECT_TRUE(still_works(env, self->mdl, self->memory));
}

/* Every way into a context, from where none of them is open */
static bool is_closed_to_us(int ctx, int iommufd, const struct env *env,
			    __u64 mdl, __u64 memory)
{
	struct wddmcompat_info info = { .size = sizeof(info) };
	struct wddmcompat_batch batch = { .size = sizeof(batch) };
	struct wddmcompat_event event;
	struct wddmcompat_query query;
	__u64 handle, iova = 0;
	int page;

	return wddm_ioctl(ctx, WDDMCOMPAT_INFO, &info) == -EIO &&
	       wddm_bind(ctx, iommufd, NULL) == -EIO &&
	       wddm_adapter_create(ctx, env->ioas, &handle) == -EIO &&
	       wddm_adapter_destroy(ctx, env->adapter) == -EIO &&
	       wddm_lock(ctx, &page, 4, 0, &handle) == -EIO &&
	       wddm_unlock(ctx, mdl) == -EIO &&
	       wddm_map_all(ctx, env->adapter, mdl, 0, &iova, &handle) == -EIO &&
	       wddm_unmap(ctx, env->adapter, memory) == -EIO &&
	       wddm_query(ctx, mdl, &query) == -EIO &&
	       wddm_ioctl(ctx, WDDMCOMPAT_BATCH, &batch) == -EIO &&
	       read(ctx, &event, sizeof(event)) == -1 && errno == EIO;
}

struct child {
	const struct env *env;
	__u64 mdl;
	__u64 memory;
	int unbound;
};

static int forked_child(int sock, void *arg)
{
	const struct child *child = arg;
	const struct env *env = child->env;

	(void)sock;
	CHECK(is_closed_to_us(env->ctx, env->iommufd, env, child->mdl,
			      child->memory));
	CHECK(is_closed_to_us(child->unbound, env->iommufd, env, child->mdl,
			      child->memory));
	close(env->ctx);
	return 0;
}

TEST_F(lifetime, fork)
{
	struct env *env = &self->env;
	struct child child = {
		.env = env,
		.mdl = self->mdl,
		.memory = self->memory,
		.unbound = open_context(),
	};

	EXPECT_EQ(0, in_child(forked_child, &child));
	EXPECT_EQ(PAGES, pins_since(env));
	EXPECT_EQ(0, wddm_bind(child.unbound, env->iommufd, NULL));
	close(child.unbound);
	EXPECT_TRUE(still_works(env, self->mdl, self->memory));
}

static int unmapping_thread(void *arg)
{
	const struct child *child = arg;

	return wddm_unmap(child->env->ctx, child->env->adapter, child->memory);
}

/* It is the address space that counts, not the process */
TEST_F(lifetime, another_process_of_this_address_space)
{
	struct child child = { .env = &self->env, .memory = self->memory };
	const size_t stack = 64 << 10;
	pid_t pid;

	pid = clone(unmapping_thread, (char *)malloc(stack) + stack,
		    CLONE_VM | CLONE_FILES | SIGCHLD, &child);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_EQ(-ENOENT, wddm_unmap(self->env.ctx, self->env.adapter,
				      self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
}

/* What an owner does: everything, in memory that its parent can see */
static int open_and_map(int ctx, int iommufd, __u32 ioas, const void *va)
{
	__u64 adapter, mdl, memory, iova = 0;

	return wddm_bind(ctx, iommufd, NULL) ?:
	       wddm_adapter_create(ctx, ioas, &adapter) ?:
	       wddm_lock(ctx, va, PAGES * PAGE_SIZE, MDL_WRITE, &mdl) ?:
	       wddm_map_all(ctx, adapter, mdl, MAP_WRITE, &iova, &memory);
}

struct owner {
	const struct env *env;
	int memfd;
	bool own_iommufd;
	bool exec;
};

/* Tells its parent when it has done so, and waits to be told to exit */
static int owner_child(int sock, void *arg)
{
	const struct owner *owner = arg;
	const int ctx = open_context();
	int iommufd = owner->env->iommufd;
	__u32 ioas = owner->env->ioas;
	char sock_arg[16], ctx_arg[16];
	void *va;
	__u64 go;

	va = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		  owner->memfd, 0);
	CHECK(va != MAP_FAILED);
	if (owner->own_iommufd) {
		iommufd = open_iommufd();
		CHECK(!ioas_alloc(iommufd, &ioas));
	}
	CHECK(!open_and_map(ctx, iommufd, ioas, va));
	if (owner->exec) {
		fcntl(ctx, F_SETFD, 0);
		fcntl(sock, F_SETFD, 0);
		snprintf(ctx_arg, sizeof(ctx_arg), "%d", ctx);
		snprintf(sock_arg, sizeof(sock_arg), "%d", sock);
		execl("/proc/self/exe", "lifetime", "--after-exec", ctx_arg,
		      sock_arg, NULL);
		CHECK(false);
	}
	CHECK(!tell(sock, 1));
	CHECK(!send_fd(sock, ctx));
	CHECK(!hear(sock, &go));
	return 0;
}

static int after_exec(int ctx, int sock)
{
	const struct env nothing = {};
	__u64 go;

	CHECK(is_closed_to_us(ctx, -1, &nothing, 1, 1));
	CHECK(!tell(sock, 1));
	CHECK(!hear(sock, &go));
	return 0;
}

/* Memory that a child is to lock, without a mapping of our own */
static int child_memory(void)
{
	int memfd;

	munmap(shared_pages(PAGES, &memfd), PAGES * PAGE_SIZE);
	return memfd;
}

TEST_F(lifetime, exit_without_close)
{
	struct owner owner = { .env = &self->env };
	int sock, status;
	__u64 number;
	pid_t pid;

	for (int i = 0; i < 4; i++) {
		const bool killed = i & 1;

		owner.own_iommufd = i & 2;
		owner.memfd = child_memory();
		pid = spawn(owner_child, &owner, &sock);
		ASSERT_EQ(0, hear(sock, &number));
		close(receive_fd(sock));
		EXPECT_EQ(2 * PAGES, pins_since(&self->env));
		if (killed)
			kill(pid, SIGKILL);
		else
			tell(sock, 0);
		status = wait_for(pid);
		EXPECT_EQ(killed ? 128 + SIGKILL : 0, status);
		/* Neither pins nor the address space of the child are left */
		EXPECT_TRUE(memory_is_free(owner.memfd));
		EXPECT_EQ(PAGES, pins_since(&self->env));
		close(owner.memfd);
		close(sock);
	}
	EXPECT_EQ((long)(PAGES * PAGE_SIZE),
		  ioas_unmap_all(self->env.iommufd, self->env.ioas));
}

/* The new program has another address space, and what it inherits is useless */
TEST_F(lifetime, exec)
{
	struct owner owner = {
		.env = &self->env,
		.memfd = child_memory(),
		.own_iommufd = true,
		.exec = true,
	};
	__u64 number;
	pid_t pid;
	int sock;

	pid = spawn(owner_child, &owner, &sock);
	EXPECT_EQ(0, hear(sock, &number));
	tell(sock, 0);
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_TRUE(memory_is_free(owner.memfd));
	EXPECT_EQ(PAGES, pins_since(&self->env));
	close(sock);
}

/* Sent to us, and its owner gone: we can close it, and then all is gone */
TEST_F(lifetime, sent_to_another_process)
{
	struct owner owner = { .env = &self->env, .memfd = child_memory() };
	__u64 number;
	pid_t pid;
	int sock, ctx;

	pid = spawn(owner_child, &owner, &sock);
	ASSERT_EQ(0, hear(sock, &number));
	ctx = receive_fd(sock);
	ASSERT_LE(0, ctx);
	EXPECT_TRUE(is_closed_to_us(ctx, self->env.iommufd, &self->env,
				    self->mdl, self->memory));
	EXPECT_EQ(2 * PAGES, pins_since(&self->env));
	tell(sock, 0);
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_TRUE(is_closed_to_us(ctx, self->env.iommufd, &self->env,
				    self->mdl, self->memory));
	close(ctx);
	EXPECT_TRUE(memory_is_free(owner.memfd));
	EXPECT_EQ(PAGES, pins_since(&self->env));
	EXPECT_EQ((long)(PAGES * PAGE_SIZE),
		  ioas_unmap_all(self->env.iommufd, self->env.ioas));
	close(sock);
}

/* Raw unmapping by another process, to which the iommufd was inherited */
static int revoking_child(int sock, void *arg)
{
	const struct env *env = arg;

	(void)sock;
	CHECK(ioas_unmap_all(env->iommufd, env->ioas) > 0);
	CHECK(ioas_unmap_all(env->iommufd, env->mdl_ioas) > 0);
	return 0;
}

TEST_F(lifetime, revoked_by_another_process)
{
	struct env *env = &self->env;

	EXPECT_EQ(0, in_child(revoking_child, env));
	EXPECT_EQ(0, pins_since(env));
	EXPECT_EQ(REVOKED, wddm_unmap(env->ctx, env->adapter, self->memory));
	EXPECT_EQ(REVOKED, wddm_unlock(env->ctx, self->mdl));
}

/* Address spaces that the kernel has not freed, nor keeps to be used again or for KASAN */
static long address_spaces(void)
{
	long active = -1;
	char line[256];
	FILE *file;

	CHECK(!write_number("/sys/kernel/slab/mm_struct/shrink", 1));
	become_root();
	file = fopen("/proc/slabinfo", "re");
	become_user();
	CHECK(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "mm_struct %ld", &active);
	fclose(file);
	return active;
}

static long open_files(void)
{
	return read_number("/proc/sys/fs/file-nr");
}

static int bind_and_exit(int sock, void *arg)
{
	(void)sock;
	(void)arg;
	CHECK(!wddm_bind(open_context(), open_iommufd(), NULL));
	return 0;
}

#define OWNERS 64

/* Some others come and go meanwhile, and some go late */
static bool are_few(long (*count)(void), long before)
{
	const long deadline = now_ms() + 20000;

	while (count() - before > OWNERS / 2) {
		if (now_ms() > deadline)
			return false;
		usleep(100000);
	}
	return true;
}

TEST_F_TIMEOUT(lifetime, nothing_of_an_owner_is_kept, 120)
{
	const long files = open_files(), spaces = address_spaces();

	ASSERT_LT(0, files);
	ASSERT_LT(0, spaces);
	for (int i = 0; i < OWNERS; i++)
		ASSERT_EQ(0, in_child(bind_and_exit, NULL));
	EXPECT_TRUE(are_few(open_files, files));
	EXPECT_TRUE(are_few(address_spaces, spaces));
}

TEST_F(lifetime, module_stays_while_in_use)
{
	const long refs = read_number("/sys/module/wddmcompat/refcnt");
	long rc;

	/* Nothing to unload if it is built in */
	if (refs == -ENOENT)
		return;
	EXPECT_LT(0, refs);
	become_root();
	rc = syscall(SYS_delete_module, "wddmcompat", O_NONBLOCK);
	become_user();
	EXPECT_EQ(-1, rc);
	EXPECT_EQ(EWOULDBLOCK, errno);
	EXPECT_TRUE(still_works(&self->env, self->mdl, self->memory));
}

/* All that a context does, over and over, in two threads of its own */
static void *work_forever(void *arg)
{
	const struct env *env = arg;
	const int ctx = env->ctx;
	__u8 *va = anon_pages(PAGES);
	struct wddmcompat_mdl_desc descs[2];
	struct wddmcompat_query query;
	__u64 adapter, mdl, memory;

	for (;;) {
		__u64 iova = 0;

		descs[0] = wddm_desc(va, 2 * PAGE_SIZE, MDL_WRITE);
		descs[1] = wddm_desc(va + 3 * PAGE_SIZE, 9, MDL_WRITE);
		wddm_adapter_create(ctx, env->ioas, &adapter);
		wddm_lock_chain(ctx, descs, 2, &mdl);
		wddm_map_all(ctx, adapter, mdl, MAP_WRITE, &iova, &memory);
		wddm_query(ctx, memory, &query);
		wddm_unmap(ctx, adapter, memory);
		wddm_unlock(ctx, mdl);
		wddm_adapter_destroy(ctx, adapter);
	}
	return NULL;
}

static int victim(int sock, void *arg)
{
	struct env env = *(struct env *)arg;
	pthread_t thread;

	/* Its start and its binding are also among what is interrupted */
	tell(sock, 0);
	env.ctx = open_context();
	wddm_bind(env.ctx, env.iommufd, NULL);
	pthread_create(&thread, NULL, work_forever, &env);
	work_forever(&env);
	return 0;
}

TEST_F_TIMEOUT(lifetime, sigkill_anywhere, 120)
{
	int sock, status;
	__u64 number;
	pid_t pid;

	srandom(1);
	for (int i = 0; i < 40; i++) {
		pid = spawn(victim, &self->env, &sock);
		EXPECT_EQ(0, hear(sock, &number));
		usleep(random() % (i < 20 ? 10000 : 100000));
		kill(pid, SIGKILL);
		status = wait_for(pid);
		ASSERT_EQ(128 + SIGKILL, status);
		close(sock);
	}
	EXPECT_EQ(PAGES, pins_since(&self->env));
	EXPECT_EQ((long)(PAGES * PAGE_SIZE),
		  ioas_unmap_all(self->env.iommufd, self->env.ioas));
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--after-exec"))
		return after_exec(atoi(argv[2]), atoi(argv[3]));
	return test_harness_run(argc, argv);
}
