// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory control groups: what the module allocates for a process is charged to its
 * group. When the group is full the module says ENOMEM, and can undo everything; and
 * when the process is killed for it, all comes back.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "fixture.h"
#include "kselftest_harness.h"

#define CGROUPS "/tmp/cgroups"
#define GROUP CGROUPS "/wddmcompat"

/* Objects that are made to be counted */
#define OBJECTS 1024
#define CONTEXTS 64

/* A number that stands behind a word in a file of the group */
static long group_number(const char *file, const char *word)
{
	char path[128], name[64];
	long number = -ENOENT, value;
	FILE *stream;

	snprintf(path, sizeof(path), GROUP "/%s", file);
	stream = fopen(path, "re");
	if (!stream)
		return -errno;
	while (fscanf(stream, "%63s %ld", name, &value) == 2)
		if (!strcmp(name, word))
			number = value;
	fclose(stream);
	return number;
}

/*
 * What the kernel has allocated for the group. It adds up what its processors have
 * counted only when enough has changed: by a caller in the group, it has.
 */
static long kernel_bytes(void)
{
	const size_t enough = 1024 * PAGE_SIZE;

	munmap(anon_pages(1024), enough);
	return group_number("memory.stat", "kernel");
}

/* The part of that which it has as whole pages */
static long kernel_page_bytes(void)
{
	return kernel_bytes() - group_number("memory.stat", "slab");
}

FIXTURE(oom)
{
	struct env env;
	long before;
};

FIXTURE_SETUP(oom)
{
	ASSERT_EQ(0, env_open(&self->env));
	become_root();
	ASSERT_EQ(0, mkdir(CGROUPS, 0755));
	ASSERT_EQ(0, mount("none", CGROUPS, "cgroup2", 0, NULL));
	become_user();
	ASSERT_EQ(0, write_text(CGROUPS "/cgroup.subtree_control", "+memory"));
	become_root();
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	become_user();
	self->before = kernel_bytes();
	ASSERT_LE(0, self->before);
}

/* Freed memory is given back in time, not at once */
static bool is_given_back(long before)
{
	const long deadline = now_ms() + 20000;

	while (kernel_bytes() - before > 64 << 10) {
		if (now_ms() > deadline)
			return false;
		usleep(100000);
	}
	return true;
}

FIXTURE_TEARDOWN(oom)
{
	EXPECT_TRUE(is_given_back(self->before));
	become_root();
	EXPECT_EQ(0, rmdir(GROUP));
	EXPECT_EQ(0, umount(CGROUPS));
	EXPECT_EQ(0, rmdir(CGROUPS));
	become_user();
	EXPECT_TRUE(env_close(&self->env));
}

static void join_group(void)
{
	CHECK(!write_text(GROUP "/cgroup.procs", "0"));
}

static int greedy_child(int sock, void *arg)
{
	const struct env *env = arg;
	const size_t bytes = 32 << 20;
	__u64 adapter, mdl, memory, iova = 0;
	const int ctx = open_context();

	(void)sock;
	join_group();
	CHECK(!wddm_bind(ctx, env->iommufd, NULL));
	CHECK(!wddm_adapter_create(ctx, env->ioas, &adapter));
	CHECK(!wddm_lock(ctx, anon_pages(bytes / PAGE_SIZE), bytes, MDL_WRITE,
			 &mdl));
	CHECK(!wddm_map_all(ctx, adapter, mdl, MAP_WRITE, &iova, &memory));
	CHECK(pins_since(env) == (long)(bytes / PAGE_SIZE));
	for (;;)
		anon_pages(256);
	return 0;
}

TEST_F_TIMEOUT(oom, owner_is_killed, 120)
{
	struct env *env = &self->env;
	int status;

	ASSERT_EQ(0, write_text(GROUP "/memory.max", "100663296"));
	for (int i = 1; i <= 3; i++) {
		status = in_child(greedy_child, env);
		EXPECT_EQ(128 + SIGKILL, status);
		EXPECT_EQ(i, group_number("memory.events", "oom_kill"));
		EXPECT_EQ(0, pins_since(env));
		EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	}
}

/**
 * struct charge - What OBJECTS objects were charged
 * @mdls: MDLs of a page, without what iommufd has of them
 * @mappings: Mappings of an MDL, by the module
 * @raw_copies: The same copied with iommufd
 * @adapters: Adapters
 * @array: An MDL of 8192 pages that are scattered
 * @pages: Whole pages for contexts
 */
struct charge {
	long mdls;
	long mappings;
	long raw_copies;
	long adapters;
	long array;
	long pages;
};

static int raw_copy(const struct env *env, __u64 from)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_READABLE,
		.dst_ioas_id = env->ioas,
		.src_ioas_id = env->ioas,
		.length = PAGE_SIZE,
		.src_iova = from,
	};

	return ioctl(env->iommufd, IOMMU_IOAS_COPY, &cmd) ? -errno : 0;
}

static long measure_contexts(const struct env *env)
{
	int ctxs[CONTEXTS];
	long before = kernel_page_bytes(), pages;

	for (int i = 0; i < CONTEXTS; i++) {
		ctxs[i] = open_context();
		CHECK(!wddm_bind(ctxs[i], env->iommufd, NULL));
	}
	pages = kernel_page_bytes() - before;
	for (int i = 0; i < CONTEXTS; i++)
		close(ctxs[i]);
	return pages;
}

/* Taken in turns with others, few of them follow each other in physical memory */
static __u8 *scattered_pages(size_t pages)
{
	__u8 *va = mmap(NULL, 2 * pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(va != MAP_FAILED);
	for (size_t i = 0; i < pages; i++) {
		va[i * PAGE_SIZE] = 1;
		va[(pages + i) * PAGE_SIZE] = 1;
	}
	return va;
}

static void measure(struct env *env, struct charge *charge)
{
	static __u64 mdls[OBJECTS], handles[OBJECTS];
	__u8 *va = scattered_pages(8192);
	__u64 array, iova;
	long before;

	before = kernel_bytes();
	for (int i = 0; i < OBJECTS; i++)
		CHECK(!wddm_lock(env->ctx, va, PAGE_SIZE, 0, &mdls[i]));
	CHECK(ioas_unmap_all(env->iommufd, env->mdl_ioas) > 0);
	charge->mdls = kernel_bytes() - before;
	for (int i = 0; i < OBJECTS; i++)
		CHECK(wddm_unlock(env->ctx, mdls[i]) == REVOKED);

	CHECK(!wddm_lock(env->ctx, va, PAGE_SIZE, 0, &mdls[0]));
	before = kernel_bytes();
	for (int i = 0; i < OBJECTS; i++) {
		iova = 0;
		CHECK(!wddm_map_all(env->ctx, env->adapter, mdls[0], 0, &iova,
				    &handles[i]));
	}
	charge->mappings = kernel_bytes() - before;
	for (int i = 0; i < OBJECTS; i++)
		CHECK(wddm_unmap(env->ctx, env->adapter, handles[i]) == LIVE);
	CHECK(wddm_unlock(env->ctx, mdls[0]) == LIVE);

	iova = 0;
	CHECK(!ioas_map(env->iommufd, env->ioas, va, PAGE_SIZE, &iova));
	before = kernel_bytes();
	for (int i = 0; i < OBJECTS; i++)
		CHECK(!raw_copy(env, iova));
	charge->raw_copies = kernel_bytes() - before;
	CHECK(ioas_unmap_all(env->iommufd, env->ioas) > 0);

	before = kernel_bytes();
	for (int i = 0; i < OBJECTS; i++)
		CHECK(!wddm_adapter_create(env->ctx, env->ioas, &handles[i]));
	charge->adapters = kernel_bytes() - before;
	for (int i = 0; i < OBJECTS; i++)
		CHECK(!wddm_adapter_destroy(env->ctx, handles[i]));

	before = kernel_bytes();
	CHECK(!wddm_lock(env->ctx, va, 8192 * PAGE_SIZE, 0, &array));
	charge->array = kernel_bytes() - before;
	CHECK(wddm_unlock(env->ctx, array) == LIVE);
	charge->pages = measure_contexts(env);
}

static int charged_child(int sock, void *arg)
{
	struct env env = *(struct env *)arg;
	struct charge charge;

	join_group();
	env.ctx = open_context();
	CHECK(!wddm_bind(env.ctx, env.iommufd, &env.mdl_ioas));
	CHECK(!wddm_adapter_create(env.ctx, env.ioas, &env.adapter));
	measure(&env, &charge);
	CHECK(write(sock, &charge, sizeof(charge)) == sizeof(charge));
	return 0;
}

/*
 * iommufd charges its part by itself. What the module adds, objects and arrays of
 * pages, is known by how much they have in them at the least.
 */
TEST_F_TIMEOUT(oom, objects_are_charged, 120)
{
	struct charge charge;
	pid_t pid;
	int sock;

	pid = spawn(charged_child, &self->env, &sock);
	ASSERT_LT(0, pid);
	ASSERT_EQ((ssize_t)sizeof(charge), read(sock, &charge, sizeof(charge)));
	EXPECT_EQ(0, wait_for(pid));
	close(sock);
	TH_LOG("%d MDLs %ld; mappings %ld, raw %ld; adapters %ld; array %ld; pages %ld",
	       OBJECTS, charge.mdls, charge.mappings, charge.raw_copies,
	       charge.adapters, charge.array, charge.pages);
	EXPECT_LE(OBJECTS * 256, charge.mdls);
	EXPECT_LE(charge.raw_copies + OBJECTS * 128, charge.mappings);
	EXPECT_LE(OBJECTS * 512, charge.adapters);
	/* iommufd has 8 bytes for each; a run of pages, most often of one, has 16 */
	EXPECT_LE(8192 * 20, charge.array);
	/* A command page with the owner, one with the carrier; others may go meanwhile */
	EXPECT_LE((CONTEXTS * 2 - 8) * (long)PAGE_SIZE, charge.pages);
}

/* No more than it has now, or as much as it likes */
static void set_full(bool full)
{
	char text[32] = "max";
	long now;

	if (full) {
		now = read_number(GROUP "/memory.current");
		CHECK(now > 0);
		snprintf(text, sizeof(text), "%ld", now);
	}
	CHECK(!write_text(GROUP "/memory.max", text));
}

/* More than what processors keep in reserve for the group */
#define MANY 16384

/* Until the group is full; the last one must be refused with ENOMEM */
static int fill_with_mdls(const struct env *env, void *va, __u64 *mdls)
{
	int rc, num;

	for (num = 0; num < MANY; num++) {
		rc = wddm_lock(env->ctx, va, PAGE_SIZE, 0, &mdls[num]);
		if (rc)
			break;
	}
	CHECK(num < MANY && rc == -ENOMEM);
	return num;
}

static int fill_with_mappings(const struct env *env, __u64 mdl, __u64 *memories)
{
	int rc, num;

	for (num = 0; num < MANY; num++) {
		__u64 iova = 0;

		rc = wddm_map_all(env->ctx, env->adapter, mdl, 0, &iova,
				  &memories[num]);
		if (rc)
			break;
	}
	CHECK(num < MANY && rc == -ENOMEM);
	return num;
}

static int fill_with_adapters(const struct env *env, __u64 *adapters)
{
	int rc, num;

	for (num = 0; num < MANY; num++) {
		rc = wddm_adapter_create(env->ctx, env->ioas, &adapters[num]);
		if (rc)
			break;
	}
	CHECK(num < MANY && rc == -ENOMEM);
	return num;
}

/*
 * In a full group hardly anything can be asked of the kernel, not even that a message be
 * sent: the parent, who is outside, is asked through memory that both have already.
 */
enum question { NOTHING, SET_FULL, SET_FREE, PINS };

struct mailbox {
	atomic_int question;
	long answer;
	struct env *env;
};

static long ask(struct mailbox *box, enum question question)
{
	atomic_store(&box->question, question);
	while (atomic_load(&box->question))
		usleep(1000);
	return box->answer;
}

/* Until the other end of its socket is closed */
static void answer_child(struct mailbox *box, int sock)
{
	struct pollfd end = { .fd = sock };

	while (!poll(&end, 1, 1)) {
		const enum question question = atomic_load(&box->question);

		if (!question)
			continue;
		if (question != PINS)
			set_full(question == SET_FULL);
		box->answer = pinned_pages();
		atomic_store(&box->question, NOTHING);
	}
}

static int full_child(int sock, void *arg)
{
	static __u64 handles[MANY];
	struct mailbox *box = arg;
	struct env env = *box->env;
	void *va = anon_pages(1);
	long pins;
	__u64 mdl;
	int num;

	(void)sock;
	join_group();
	/* Nobody to be killed, and no memory of our own to be had later */
	CHECK(!write_text("/proc/self/oom_score_adj", "-1000"));
	memset(handles, 1, sizeof(handles));
	become_root();
	CHECK(!mlockall(MCL_CURRENT));
	become_user();
	env.ctx = open_context();
	CHECK(!wddm_bind(env.ctx, env.iommufd, NULL));
	CHECK(!wddm_adapter_create(env.ctx, env.ioas, &env.adapter));
	CHECK(!wddm_lock(env.ctx, va, PAGE_SIZE, 0, &mdl));
	pins = ask(box, PINS);

	ask(box, SET_FULL);
	num = fill_with_mdls(&env, va, handles);
	CHECK(ask(box, PINS) == pins + num);
	while (num--)
		CHECK(wddm_unlock(env.ctx, handles[num]) == LIVE);
	CHECK(ask(box, PINS) == pins);
	ask(box, SET_FULL);
	num = fill_with_mappings(&env, mdl, handles);
	while (num--)
		CHECK(wddm_unmap(env.ctx, env.adapter, handles[num]) == LIVE);
	ask(box, SET_FULL);
	num = fill_with_adapters(&env, handles);
	while (num--)
		CHECK(!wddm_adapter_destroy(env.ctx, handles[num]));
	CHECK(ask(box, PINS) == pins);

	/* With room again, everything works; and it ends with the group full */
	ask(box, SET_FREE);
	CHECK(!wddm_lock(env.ctx, va, PAGE_SIZE, 0, &handles[0]));
	CHECK(wddm_unlock(env.ctx, handles[0]) == LIVE);
	ask(box, SET_FULL);
	CHECK(fill_with_mappings(&env, mdl, handles));
	close(env.ctx);
	CHECK(ask(box, PINS) == pins - 1);
	return 0;
}

TEST_F_TIMEOUT(oom, group_is_full, 240)
{
	struct mailbox *box;
	pid_t pid;
	int sock;

	box = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, box);
	box->env = &self->env;
	pid = spawn(full_child, box, &sock);
	ASSERT_LT(0, pid);
	answer_child(box, sock);
	close(sock);
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_EQ(0, pins_since(&self->env));
	EXPECT_EQ(0, ioas_unmap_all(self->env.iommufd, self->env.ioas));
}

TEST_HARNESS_MAIN
