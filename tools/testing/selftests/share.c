// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts and iommufds that more than one process has, and one of them goes first.
 * (That nobody but the owner can use a context: lifetime.)
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "client.h"
#include "fixture.h"
#include "rig.h"
#include "kselftest_harness.h"

#define PAGES ((size_t)4)
#define BYTES (PAGES * PAGE_SIZE)

FIXTURE(share)
{
	struct env env;
	__u8 *va;
	int memfd;
};

FIXTURE_SETUP(share)
{
	ASSERT_EQ(0, env_open(&self->env));
	self->va = shared_pages(PAGES, &self->memfd);
}

FIXTURE_TEARDOWN(share)
{
	munmap(self->va, BYTES);
	EXPECT_TRUE(memory_is_free(self->memfd));
	close(self->memfd);
	EXPECT_TRUE(env_close(&self->env));
}

/**
 * struct owner - What a child does: it has a mapping of shared memory
 * @memfd: The memory
 * @iommufd: Of its parent, or -1 for its own
 * @ioas: In it
 */
struct owner {
	int memfd;
	int iommufd;
	__u32 ioas;
};

/* Tells where, sends context and iommufd, and lives until it is told something */
static int be_owner(int sock, void *arg)
{
	struct owner *owner = arg;
	__u64 adapter, mdl, memory, number, iova = 0;
	const int ctx = open_context();
	void *va;

	va = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		  owner->memfd, 0);
	CHECK(va != MAP_FAILED);
	if (owner->iommufd < 0) {
		owner->iommufd = open_iommufd();
		CHECK(!ioas_alloc(owner->iommufd, &owner->ioas));
	}
	CHECK(!wddm_bind(ctx, owner->iommufd, NULL));
	CHECK(!wddm_adapter_create(ctx, owner->ioas, &adapter));
	CHECK(!wddm_lock(ctx, va, BYTES, MDL_WRITE, &mdl));
	CHECK(!wddm_map_all(ctx, adapter, mdl, MAP_WRITE, &iova, &memory));
	CHECK(!tell(sock, iova) && !tell(sock, owner->ioas));
	CHECK(!send_fd(sock, ctx) && !send_fd(sock, owner->iommufd));
	CHECK(!hear(sock, &number));
	return 0;
}

/**
 * struct legacy - What is left of an owner that is dead
 * @ctx: Its context
 * @iommufd: Its iommufd
 * @iova: Its mapping
 * @ioas: Where that is
 */
struct legacy {
	int ctx;
	int iommufd;
	__u64 iova;
	__u64 ioas;
};

/* An owner, who does what it does and exits */
static bool inherit(struct legacy *legacy, struct owner *owner, int signal)
{
	int sock, status;
	pid_t pid;

	pid = spawn(be_owner, owner, &sock);
	if (pid < 0 || hear(sock, &legacy->iova) || hear(sock, &legacy->ioas))
		return false;
	legacy->ctx = receive_fd(sock);
	legacy->iommufd = receive_fd(sock);
	if (signal)
		kill(pid, signal);
	else
		tell(sock, 0);
	status = wait_for(pid);
	close(sock);
	return legacy->ctx >= 0 && legacy->iommufd >= 0 &&
	       status == (signal ? 128 + signal : 0);
}

/* Where a device of ours writes: only as long as the context of the dead is open */
TEST_F_TIMEOUT(share, context_of_the_dead, 120)
{
	static const int signals[] = { 0, SIGKILL };
	struct owner owner = { .memfd = self->memfd };
	struct env *env = &self->env;
	struct legacy legacy;
	struct rig rig;
	__u64 adapter;

	for (int i = 0; i < 2; i++) {
		owner.iommufd = -1;
		ASSERT_TRUE(inherit(&legacy, &owner, signals[i]));
		EXPECT_EQ((long)PAGES, pins_since(env));
		ASSERT_EQ(0, rig_open(&rig, 0, legacy.iommufd, legacy.ioas));
		EXPECT_EQ(-EIO, wddm_adapter_create(legacy.ctx, legacy.ioas,
						    &adapter));
		memset(self->va, 0, BYTES);
		EXPECT_TRUE(device_holds(&rig, 1));
		EXPECT_TRUE(device_writes(&rig, legacy.iova, EDU_MAX));
		EXPECT_TRUE(is_filled(self->va, EDU_MAX, 1));
		close(legacy.ctx);
		memset(self->va, 0, BYTES);
		EXPECT_TRUE(device_writes(&rig, legacy.iova, EDU_MAX));
		EXPECT_TRUE(is_zero(self->va, BYTES));
		rig_close(&rig);
		EXPECT_EQ(0, ioas_unmap_all(legacy.iommufd, legacy.ioas));
		EXPECT_EQ(0, iommufd_destroy(legacy.iommufd, legacy.ioas));
		close(legacy.iommufd);
		EXPECT_EQ(0, pins_since(env));
	}
}

TEST_F(share, order_of_closing)
{
	struct owner owner = { .memfd = self->memfd };
	struct legacy legacy;

	for (int i = 0; i < 2; i++) {
		owner.iommufd = -1;
		ASSERT_TRUE(inherit(&legacy, &owner, 0));
		close(i ? legacy.ctx : legacy.iommufd);
		EXPECT_EQ(i ? 0 : (long)PAGES, pins_since(&self->env));
		close(i ? legacy.iommufd : legacy.ctx);
		EXPECT_EQ(0, pins_since(&self->env));
	}
}

/* The iommufd alone is as good as new, and can be used for a context of our own */
TEST_F(share, iommufd_of_the_dead)
{
	struct owner owner = { .memfd = self->memfd, .iommufd = -1 };
	__u64 adapter, mdl, memory;
	struct legacy legacy;
	int ctx;

	ASSERT_TRUE(inherit(&legacy, &owner, SIGKILL));
	close(legacy.ctx);
	EXPECT_EQ(0, pins_since(&self->env));
	EXPECT_EQ(0, ioas_unmap_all(legacy.iommufd, legacy.ioas));
	ctx = open_context();
	ASSERT_EQ(0, wddm_bind(ctx, legacy.iommufd, NULL));
	ASSERT_EQ(0, wddm_adapter_create(ctx, legacy.ioas, &adapter));
	ASSERT_EQ(0, wddm_lock(ctx, self->va, BYTES, MDL_WRITE, &mdl));
	EXPECT_EQ(0, wddm_map_all(ctx, adapter, mdl, MAP_WRITE, &legacy.iova,
				  &memory));
	close(legacy.iommufd);
	EXPECT_EQ((long)PAGES, pins_since(&self->env));
	close(ctx);
	EXPECT_EQ(0, pins_since(&self->env));
}

/* Two processes on one IOAS: what one has is none of the other's business */
TEST_F(share, two_owners_of_one_ioas)
{
	struct env *env = &self->env;
	struct owner owner = {
		.memfd = self->memfd,
		.iommufd = env->iommufd,
		.ioas = env->ioas,
	};
	__u64 mdl, memory, iova = 0, theirs, number;
	int sock, status;
	pid_t pid;

	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, BYTES, 0, &mdl));
	ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, mdl, 0, &iova,
				  &memory));
	pid = spawn(be_owner, &owner, &sock);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, hear(sock, &theirs));
	ASSERT_EQ(0, hear(sock, &number));
	EXPECT_NE(iova, theirs);
	EXPECT_EQ((long)(2 * PAGES), pins_since(env));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, memory));
	/* Theirs is still there: nothing else can be */
	EXPECT_EQ(-EEXIST, ioas_map_fixed(env->iommufd, env->ioas, self->va,
					  BYTES, theirs));
	ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, mdl, 0, &iova,
				  &memory));
	kill(pid, SIGKILL);
	status = wait_for(pid);
	EXPECT_EQ(128 + SIGKILL, status);
	close(sock); /* with the files that we have not received */
	EXPECT_EQ((long)PAGES, pins_since(env));
	EXPECT_EQ(0, ioas_map_fixed(env->iommufd, env->ioas, self->va, BYTES,
				    theirs));
	EXPECT_EQ(0, ioas_unmap_range(env->iommufd, env->ioas, theirs, BYTES));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

#define MAPPINGS 12
/* So many foreign unmaps, that the module lets go of the other mappings */
#define FOREIGN_UNMAPS 9

/* Its memory and the MDL are gone, and most of the mappings */
static int reckless_owner(int sock, void *arg)
{
	struct owner *owner = arg;
	const int ctx = open_context();
	__u64 adapter, mdl, memory, iova[MAPPINGS] = {};
	__u32 mdl_ioas;
	void *va;

	(void)sock;
	va = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		  owner->memfd, 0);
	CHECK(va != MAP_FAILED);
	CHECK(!wddm_bind(ctx, owner->iommufd, &mdl_ioas));
	CHECK(!wddm_adapter_create(ctx, owner->ioas, &adapter));
	CHECK(!wddm_lock(ctx, va, BYTES, MDL_WRITE, &mdl));
	for (int i = 0; i < MAPPINGS; i++)
		CHECK(!wddm_map_all(ctx, adapter, mdl, 0, &iova[i], &memory));
	munmap(va, BYTES);
	CHECK(ioas_unmap_all(owner->iommufd, mdl_ioas) > 0);
	for (int i = 0; i < FOREIGN_UNMAPS; i++)
		CHECK(!ioas_unmap_range(owner->iommufd, owner->ioas, iova[i],
					BYTES));
	return 0;
}

/* Pages that nobody can pin any more are unmapped nevertheless */
TEST_F(share, reckless_owner)
{
	struct env *env = &self->env;
	struct owner owner = {
		.memfd = self->memfd,
		.iommufd = env->iommufd,
		.ioas = env->ioas,
	};

	EXPECT_EQ(0, in_child(reckless_owner, &owner));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
}

/* Has inherited the context and closes it last, when it is told to */
static int last_child(int sock, void *arg)
{
	const struct env *env = arg;
	__u64 number;

	CHECK(!hear(sock, &number));
	close(env->ctx);
	CHECK(!tell(sock, 0));
	CHECK(!hear(sock, &number));
	return 0;
}

TEST_F(share, child_closes_last)
{
	struct env *env = &self->env;
	__u64 mdl, memory, number, iova = 0;
	pid_t pid;
	int sock;

	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, BYTES, MDL_WRITE, &mdl));
	ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, mdl, MAP_WRITE, &iova,
				  &memory));
	env->leaves_objects = true;
	pid = spawn(last_child, env, &sock);
	ASSERT_LT(0, pid);
	close(env->ctx);
	env->ctx = -1;
	EXPECT_EQ((long)PAGES, pins_since(env));
	tell(sock, 0);
	EXPECT_EQ(0, hear(sock, &number));
	EXPECT_EQ(0, pins_since(env));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	tell(sock, 0);
	EXPECT_EQ(0, wait_for(pid));
	close(sock);
}

/* What a child that has our address space leaves there */
static long vfork_result;

/* It has our address space until it is another program: so our context, too */
TEST_F(share, vfork)
{
	struct env *env = &self->env;
	static __u64 memory;
	__u64 mdl, iova = 0;
	pid_t pid;

	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, BYTES, MDL_WRITE, &mdl));
	pid = vfork();
	if (!pid) {
		vfork_result = wddm_map_all(env->ctx, env->adapter, mdl,
					    MAP_WRITE, &iova, &memory);
		execl("/proc/self/exe", "share", "--nothing", NULL);
		_exit(1);
	}
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_EQ(0, vfork_result);
	EXPECT_EQ((long)PAGES, pins_since(env));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

/* Opened by a child in our address space, which exits: gone with its files */
TEST_F(share, vfork_opens)
{
	struct env *env = &self->env;
	__u64 adapter, mdl, memory, iova = 0;
	pid_t pid;
	int ctx;

	pid = vfork();
	if (!pid) {
		ctx = open_context();
		wddm_bind(ctx, env->iommufd, NULL);
		wddm_adapter_create(ctx, env->ioas, &adapter);
		wddm_lock(ctx, self->va, BYTES, MDL_WRITE, &mdl);
		wddm_map_all(ctx, adapter, mdl, MAP_WRITE, &iova, &memory);
		vfork_result = pins_since(env);
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_EQ((long)PAGES, vfork_result);
	EXPECT_EQ(0, pins_since(env));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
}

/* The context is closed by exec, and its owner lives on as another program */
static int exec_child(int sock, void *arg)
{
	char sock_arg[16];
	struct owner *owner = arg;
	__u64 adapter, mdl, memory, iova = 0;
	const int ctx = open_context();
	void *va;

	va = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		  owner->memfd, 0);
	CHECK(va != MAP_FAILED);
	CHECK(!wddm_bind(ctx, owner->iommufd, NULL));
	CHECK(!wddm_adapter_create(ctx, owner->ioas, &adapter));
	CHECK(!wddm_lock(ctx, va, BYTES, MDL_WRITE, &mdl));
	CHECK(!wddm_map_all(ctx, adapter, mdl, MAP_WRITE, &iova, &memory));
	fcntl(sock, F_SETFD, 0);
	snprintf(sock_arg, sizeof(sock_arg), "%d", sock);
	execl("/proc/self/exe", "share", "--after-exec", sock_arg, NULL);
	return 1;
}

static int after_exec(int sock)
{
	__u64 number;

	CHECK(!tell(sock, 0));
	CHECK(!hear(sock, &number));
	return 0;
}

TEST_F(share, exec_closes)
{
	struct env *env = &self->env;
	struct owner owner = {
		.memfd = self->memfd,
		.iommufd = env->iommufd,
		.ioas = env->ioas,
	};
	__u64 number;
	pid_t pid;
	int sock;

	pid = spawn(exec_child, &owner, &sock);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, hear(sock, &number));
	EXPECT_EQ(0, pins_since(env));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	munmap(self->va, BYTES);
	EXPECT_TRUE(memory_is_free(self->memfd));
	tell(sock, 0);
	EXPECT_EQ(0, wait_for(pid));
	close(sock);
}

/* Whoever becomes another user pays back what the first was charged */
#define OTHER_USER 64243

static int setuid_child(int sock, void *arg)
{
	const struct env *env = arg;
	const int ctx = open_context();
	void *va = anon_pages(PAGES);
	__u64 first, second, number;

	CHECK(!wddm_bind(ctx, env->iommufd, NULL));
	CHECK(!wddm_lock(ctx, va, BYTES, MDL_WRITE, &first));
	become_root();
	CHECK(!setresuid(OTHER_USER, OTHER_USER, 0));
	/* There is room for one MDL of each user, and for no more of the second */
	CHECK(!set_memlock_limit(BYTES));
	CHECK(!wddm_lock(ctx, va, BYTES, MDL_WRITE, &second));
	CHECK(wddm_unlock(ctx, first) == LIVE);
	CHECK(wddm_lock(ctx, va, BYTES, MDL_WRITE, &first) == -ENOMEM);
	CHECK(!tell(sock, 0));
	CHECK(!hear(sock, &number));
	CHECK(wddm_unlock(ctx, second) == LIVE);
	CHECK(!wddm_lock(ctx, va, BYTES, MDL_WRITE, &first));
	return 0;
}

TEST_F(share, setuid_in_between)
{
	struct env *env = &self->env;
	__u64 mdl, number;
	pid_t pid;
	int sock;

	pid = spawn(setuid_child, env, &sock);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, hear(sock, &number));
	/* Nothing of it is charged to us any more */
	set_memlock_limit(BYTES);
	EXPECT_EQ(0, wddm_lock(env->ctx, self->va, BYTES, MDL_WRITE, &mdl));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
	set_memlock_limit(MEMLOCK_LIMIT);
	tell(sock, 0);
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_EQ(0, pins_since(env));
	close(sock);
}

#define CLIENT_HOLD CLIENT_PARAMETER("hold")

static int hold(int iommufd, __u32 ioas)
{
	char line[32];

	snprintf(line, sizeof(line), "%d %u\n", iommufd, ioas);
	return write_text(CLIENT_HOLD, line);
}

/* Lets the kernel module in on everything it has */
static int hosting_owner(int sock, void *arg)
{
	struct owner *owner = arg;

	if (owner->iommufd < 0) {
		owner->iommufd = open_iommufd();
		CHECK(!ioas_alloc(owner->iommufd, &owner->ioas));
	}
	CHECK(!hold(owner->iommufd, owner->ioas));
	return be_owner(sock, owner);
}

/*
 * The owner of the iommufd is killed. What it had is gone, what the kernel module has
 * works on, in an iommufd that no process has any more.
 */
TEST_F(share, kernel_client_outlives_owner)
{
	struct owner owner = { .memfd = self->memfd };
	struct env *env = &self->env;
	int sock, status;
	__u64 number;
	pid_t pid;

	ASSERT_EQ(0, load_client());
	for (int i = 0; i < 2; i++) {
		owner.iommufd = i ? env->iommufd : -1;
		owner.ioas = env->ioas;
		pid = spawn(hosting_owner, &owner, &sock);
		ASSERT_LT(0, pid);
		EXPECT_EQ(0, hear(sock, &number));
		EXPECT_EQ(1, read_number(CLIENT_HOLD));
		kill(pid, SIGKILL);
		status = wait_for(pid);
		EXPECT_EQ(128 + SIGKILL, status);
		close(sock);
		EXPECT_EQ(1, pins_since(env));
		EXPECT_EQ(1, read_number(CLIENT_HOLD));
		EXPECT_EQ(0, write_number(CLIENT_HOLD, -1));
		EXPECT_EQ(0, pins_since(env));
		EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	}
	EXPECT_EQ(0, unload_client());
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--nothing"))
		return 0;
	if (argc == 3 && !strcmp(argv[1], "--after-exec"))
		return after_exec(atoi(argv[2]));
	return test_harness_run(argc, argv);
}
