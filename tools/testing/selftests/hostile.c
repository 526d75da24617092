// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module lends a page of its own to the address space of a context, where the
 * process can get at it. Whatever it does with it, unmapping works and nothing is
 * left behind.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "fixture.h"
#include "kselftest_harness.h"

#define PAGES 4

FIXTURE(hostile)
{
	struct env env;
	__u8 *page;
	__u8 *va;
	__u64 mdl;
	__u64 iova;
	__u64 memory;
};

/* The module's page in our address space; NULL if there is none */
static void *find_page(void)
{
	unsigned long start;
	void *page = NULL;
	char line[256];
	FILE *maps;

	become_root();
	maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[wddmcompat]") &&
		    sscanf(line, "%lx-", &start) == 1)
			page = (void *)start;
	become_user();
	if (maps)
		fclose(maps);
	return page;
}

FIXTURE_SETUP(hostile)
{
	ASSERT_EQ(0, env_open(&self->env));
	self->va = anon_pages(PAGES);
	ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, PAGES * PAGE_SIZE,
			       MDL_WRITE, &self->mdl));
	ASSERT_EQ(0, wddm_map_all(self->env.ctx, self->env.adapter, self->mdl,
				  MAP_WRITE, &self->iova, &self->memory));
	self->page = find_page();
	ASSERT_NE(NULL, self->page);
}

FIXTURE_TEARDOWN(hostile)
{
	EXPECT_TRUE(env_close(&self->env));
}

/* Nothing of ours is at the IOVA any more: somebody else can have it */
static bool is_dead(const struct env *env, __u64 iova)
{
	void *va = anon_pages(PAGES);
	const int rc = ioas_map_fixed(env->iommufd, env->ioas, va,
				      PAGES * PAGE_SIZE, iova);

	if (!rc)
		ioas_unmap_range(env->iommufd, env->ioas, iova,
				 PAGES * PAGE_SIZE);
	munmap(va, PAGES * PAGE_SIZE);
	return !rc;
}

/*
 * The page is damaged. To unmap and unlock must work, other things may: whatever
 * they say is true.
 */
static void expect_resilience(struct __test_metadata *_metadata,
			      const struct env *env, __u64 mdl, __u64 iova,
			      __u64 memory)
{
	const int ctx = env->ctx;
	__u64 second, third, adapter;
	int rc;

	EXPECT_EQ(LIVE, wddm_unmap(ctx, env->adapter, memory));
	EXPECT_TRUE(is_dead(env, iova));
	EXPECT_EQ(-ENOENT, wddm_unmap(ctx, env->adapter, memory));
	rc = wddm_map_all(ctx, env->adapter, mdl, MAP_WRITE, &iova, &second);
	if (!rc) {
		EXPECT_EQ(LIVE, wddm_unmap(ctx, env->adapter, second));
		EXPECT_TRUE(is_dead(env, iova));
	}
	rc = wddm_adapter_create(ctx, env->ioas, &adapter);
	if (!rc)
		EXPECT_EQ(0, wddm_adapter_destroy(ctx, adapter));
	rc = wddm_lock(ctx, anon_pages(1), PAGE_SIZE, MDL_WRITE, &third);
	if (!rc)
		EXPECT_EQ(LIVE, wddm_unlock(ctx, third));
	EXPECT_EQ(LIVE, wddm_unlock(ctx, mdl));
}

#define EXPECT_RESILIENCE()                                                   \
	expect_resilience(_metadata, &self->env, self->mdl, self->iova,       \
			  self->memory)

TEST_F(hostile, unmapped)
{
	ASSERT_EQ(0, munmap(self->page, PAGE_SIZE));
	EXPECT_RESILIENCE();
}

/* It says no, or it copes */
TEST_F(hostile, protected)
{
	mprotect(self->page, PAGE_SIZE, PROT_NONE);
	EXPECT_RESILIENCE();
}

TEST_F(hostile, read_only)
{
	mprotect(self->page, PAGE_SIZE, PROT_READ);
	EXPECT_RESILIENCE();
}

TEST_F(hostile, moved)
{
	mremap(self->page, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
	       anon_pages(1));
	EXPECT_RESILIENCE();
}

TEST_F(hostile, grown)
{
	mremap(self->page, PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE);
	madvise(self->page, PAGE_SIZE, MADV_DONTNEED);
	madvise(self->page, PAGE_SIZE, MADV_REMOVE);
	madvise(self->page, PAGE_SIZE, MADV_DOFORK);
	EXPECT_RESILIENCE();
}

static void replace(void *page, int prot)
{
	CHECK(mmap(page, PAGE_SIZE, prot,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page);
}

TEST_F(hostile, replaced_by_zeros)
{
	replace(self->page, PROT_READ | PROT_WRITE);
	EXPECT_RESILIENCE();
}

TEST_F(hostile, replaced_by_a_read_only_page)
{
	replace(self->page, PROT_READ);
	EXPECT_RESILIENCE();
}

/* A command that succeeds, but is not the one that the module gave */
TEST_F(hostile, replaced_by_another_command)
{
	const struct env *env = &self->env;
	const __u64 decoy_iova = 0x70000000;
	struct iommu_ioas_unmap decoy = {
		.size = sizeof(decoy),
		.ioas_id = env->ioas,
		.iova = decoy_iova,
		.length = PAGE_SIZE,
	};

	ASSERT_EQ(0, ioas_map_fixed(env->iommufd, env->ioas, anon_pages(1),
				    PAGE_SIZE, decoy_iova));
	replace(self->page, PROT_READ | PROT_WRITE);
	for (size_t at = 0; at + sizeof(decoy) <= PAGE_SIZE; at += 64)
		memcpy(self->page + at, &decoy, sizeof(decoy));
	EXPECT_RESILIENCE();
	ioas_unmap_all(env->iommufd, env->ioas);
}

/* One that is too long, and one for another IOAS */
TEST_F(hostile, replaced_by_garbage)
{
	replace(self->page, PROT_READ | PROT_WRITE);
	memset(self->page, 0xff, PAGE_SIZE);
	EXPECT_RESILIENCE();
}

TEST_F(hostile, locked_itself)
{
	__u64 mdl;
	const int rc = wddm_lock(self->env.ctx, self->page, PAGE_SIZE,
				 MDL_WRITE, &mdl);

	if (!rc)
		EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, mdl));
	EXPECT_RESILIENCE();
}

/* The page goes, and the context with everything in it after it */
TEST_F(hostile, unmapped_then_closed)
{
	ASSERT_EQ(0, munmap(self->page, PAGE_SIZE));
	close(self->env.ctx);
	self->env.ctx = -1;
	EXPECT_EQ(0, pins_since(&self->env));
	EXPECT_EQ(0, ioas_unmap_all(self->env.iommufd, self->env.ioas));
}

TEST_F(hostile, replaced_then_closed)
{
	replace(self->page, PROT_READ | PROT_WRITE);
	*self->page = 0x5a;
	close(self->env.ctx);
	self->env.ctx = -1;
	EXPECT_EQ(0, pins_since(&self->env));
	EXPECT_EQ(0, ioas_unmap_all(self->env.iommufd, self->env.ioas));
	/* What is there now is not the module's to unmap */
	EXPECT_EQ(0x5a, *self->page);
}

/* It is not a child's, who has nothing to do with it */
static int child_without_page(int sock, void *arg)
{
	(void)sock;
	(void)arg;
	CHECK(!find_page());
	return 0;
}

TEST_F(hostile, not_inherited)
{
	EXPECT_EQ(0, in_child(child_without_page, NULL));
	EXPECT_RESILIENCE();
}

static atomic_bool stop;

static void *scribble(void *page)
{
	unsigned int seed = 1;

	while (!stop) {
		atomic_uint *word = page;

		word += rand_r(&seed) % (PAGE_SIZE / sizeof(*word));
		atomic_store(word, rand_r(&seed));
	}
	return NULL;
}

/*
 * Written to while the kernel reads it. The process harms itself: it may get any
 * answer and, since it gave iommufd other commands than the module did, have
 * mappings that the module knows nothing of. All else is as it should be.
 */
TEST_F_TIMEOUT(hostile, scribbled_on, 60)
{
	struct env *env = &self->env;
	const long deadline = now_ms() + 3000;
	void *va = anon_pages(PAGES);
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, self->page));
	while (now_ms() < deadline) {
		__u64 mdl, memory, iova = 0;

		if (wddm_lock(env->ctx, va, PAGES * PAGE_SIZE, MDL_WRITE, &mdl))
			continue;
		if (!wddm_map_all(env->ctx, env->adapter, mdl, 0, &iova,
				  &memory))
			wddm_unmap(env->ctx, env->adapter, memory);
		wddm_unlock(env->ctx, mdl);
	}
	stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	close(env->ctx);
	env->ctx = -1;
	EXPECT_LE(0, ioas_unmap_all(env->iommufd, env->ioas));
	EXPECT_EQ(0, pins_since(env));
	EXPECT_EQ(-ENOENT, iommufd_destroy(env->iommufd, env->mdl_ioas));
	EXPECT_EQ(0, iommufd_destroy(env->iommufd, env->ioas));
}

/* A page whose faults nobody answers, in place of the module's */
static void block(void *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)page, .len = PAGE_SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int uffd;

	replace(page, PROT_READ | PROT_WRITE);
	become_root();
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	become_user();
	CHECK(uffd >= 0);
	CHECK(!ioctl(uffd, UFFDIO_API, &api));
	CHECK(!ioctl(uffd, UFFDIO_REGISTER, &reg));
}

static int stuck_child(int sock, void *arg)
{
	const struct env *env = arg;
	const int ctx = open_context();
	__u64 adapter, mdl, memory, iova = 0;
	void *page;

	/* We have only our own: the parent's was not inherited */
	CHECK(!wddm_bind(ctx, env->iommufd, NULL));
	CHECK(!wddm_adapter_create(ctx, env->ioas, &adapter));
	CHECK(!wddm_lock(ctx, anon_pages(1), PAGE_SIZE, 0, &mdl));
	CHECK(!wddm_map_all(ctx, adapter, mdl, 0, &iova, &memory));
	page = find_page();
	CHECK(page);
	block(page);
	CHECK(!tell(sock, 1));
	/* May or may not block, depending on how the module gives commands */
	wddm_unmap(ctx, adapter, memory);
	wddm_lock(ctx, anon_pages(1), PAGE_SIZE, 0, &mdl);
	wddm_map_all(ctx, adapter, mdl, 0, &iova, &memory);
	pause();
	return 0;
}

/* One context that is stuck is nobody else's problem, and can be killed */
TEST_F_TIMEOUT(hostile, stuck, 60)
{
	int sock, status;
	__u64 number;
	pid_t pid;

	pid = spawn(stuck_child, &self->env, &sock);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, hear(sock, &number));
	usleep(300000);
	EXPECT_RESILIENCE();
	EXPECT_EQ(0, kill(pid, SIGKILL));
	status = wait_for(pid);
	EXPECT_EQ(128 + SIGKILL, status);
	EXPECT_TRUE(pins_are_back(&self->env));
	close(sock);
}

TEST_HARNESS_MAIN
