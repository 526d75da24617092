// SPDX-License-Identifier: GPL-2.0-only
/*
 * Very many objects in one context: they are made, told apart, and go, each way
 * that there is. MAPPINGS=<number> in the environment says how many mappings, a
 * million for example, which takes 2 GiB; of MDLs and adapters it is a tenth.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "tally.h"

/* As many as a debug kernel has time for */
#define MAPPINGS 5000

/* Mappings have a free page between them, so that one can be told from the next */
#define STRIDE (2 * PAGE_SIZE)
#define FIRST 0x100000000

/* Every so many objects one is looked at */
#define SAMPLE 97

FIXTURE(many)
{
	struct env env;
	const char *va;
	__u32 num;
	__u64 mdl;
	__u64 *memory;
};

FIXTURE_SETUP(many)
{
	const char *mappings = getenv("MAPPINGS");

	ASSERT_EQ(0, env_open(&self->env));
	self->num = mappings ? atoi(mappings) : MAPPINGS;
	ASSERT_LE(1000, self->num);
	self->memory = calloc(self->num, sizeof(*self->memory));
	self->va = anon_pages(1);
	ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, PAGE_SIZE, MDL_WRITE,
			       &self->mdl));
	tally_open("many");
}

FIXTURE_TEARDOWN(many)
{
	EXPECT_TRUE(env_close(&self->env));
	free(self->memory);
}

/* Every number below @num once, in an order that is far from the first */
static __u32 shuffled(__u32 i, __u32 num)
{
	const __u32 prime = 999983;

	CHECK(num % prime);
	return (__u64)i * prime % num;
}

static void batch(int ctx, __u32 cmd, void *entries, __u32 num)
{
	static __s32 results[WDDMCOMPAT_BATCH_MAX];
	struct wddmcompat_batch batch = {
		.size = sizeof(batch),
		.cmd = cmd,
		.num_entries = num,
		.entries = (uintptr_t)entries,
		.results = (uintptr_t)results,
	};

	CHECK(!wddm_ioctl(ctx, WDDMCOMPAT_BATCH, &batch));
	CHECK(batch.out_num_done == num);
	tally_add(TALLY_OPERATIONS, num);
}

static __u64 iova_of(__u32 i)
{
	return FIRST + i * STRIDE;
}

static void map_many(const struct env *env, __u64 mdl, __u64 *memory, __u32 num)
{
	const __u32 max = WDDMCOMPAT_BATCH_MAX;
	struct wddmcompat_map *maps = calloc(max, sizeof(*maps));

	for (__u32 done = 0, n; done < num; done += n) {
		n = num - done < max ? num - done : max;
		for (__u32 i = 0; i < n; i++)
			maps[i] = (struct wddmcompat_map){
				.size = sizeof(maps[i]),
				.flags = MAP_AT,
				.adapter = env->adapter,
				.mdl = mdl,
				.iova = iova_of(done + i),
			};
		batch(env->ctx, WDDMCOMPAT_CMD_MAP, maps, n);
		for (__u32 i = 0; i < n; i++)
			memory[done + i] = maps[i].out_memory;
	}
	free(maps);
}

/* In another order than they came; @state is what they all must be in */
static void unmap_many(const struct env *env, const __u64 *memory, __u32 num,
		       __u32 state)
{
	const __u32 max = WDDMCOMPAT_BATCH_MAX;
	struct wddmcompat_unmap *unmaps = calloc(max, sizeof(*unmaps));

	for (__u32 done = 0, n; done < num; done += n) {
		n = num - done < max ? num - done : max;
		for (__u32 i = 0; i < n; i++)
			unmaps[i] = (struct wddmcompat_unmap){
				.size = sizeof(unmaps[i]),
				.adapter = env->adapter,
				.memory = memory[shuffled(done + i, num)],
			};
		batch(env->ctx, WDDMCOMPAT_CMD_UNMAP, unmaps, n);
		for (__u32 i = 0; i < n; i++)
			CHECK(unmaps[i].out_state == state);
	}
	free(unmaps);
}

/* As many as the kernel has of an object's mappings, or a negative errno */
static long count(const struct env *env, __u64 handle)
{
	struct wddmcompat_query query;
	int rc = wddm_query(env->ctx, handle, &query);

	return rc ?: (long)query.out_num_mappings;
}

static bool is_known(const struct env *env, __u64 mdl, __u64 memory, __u32 i)
{
	struct wddmcompat_query query;

	return !wddm_query(env->ctx, memory, &query) &&
	       query.out_type == WDDMCOMPAT_OBJECT_MAPPING &&
	       query.out_iova == iova_of(i) && query.out_num_pages == 1 &&
	       query.out_mdl == mdl && query.out_adapter == env->adapter;
}

static int compare_handles(const void *a, const void *b)
{
	const __u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

/* Sorts them */
static bool are_distinct(__u64 *handles, __u32 num)
{
	qsort(handles, num, sizeof(*handles), compare_handles);
	for (__u32 i = 1; i < num; i++)
		if (handles[i] == handles[i - 1])
			return false;
	return handles[0];
}

/* None of them names anything, now that others have their places in the table */
static bool are_stale(const struct env *env, const __u64 *handles, __u32 num)
{
	for (__u32 i = 0; i < num; i += SAMPLE)
		if (count(env, handles[i]) != -ENOENT)
			return false;
	return true;
}

/* KiB that the kernel keeps and nobody can take from it */
static long kernel_kib(void)
{
	long value, kib = 0;
	char line[128], name[64];
	FILE *file = fopen("/proc/meminfo", "re");

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63[^:]: %ld", name, &value) == 2 &&
		    (!strcmp(name, "SUnreclaim") ||
		     !strcmp(name, "VmallocUsed") ||
		     !strcmp(name, "PageTables")))
			kib += value;
	fclose(file);
	return kib;
}

TEST_F_TIMEOUT(many, by_handle, 1200)
{
	const struct env *env = &self->env;
	const __u32 num = self->num;
	const __u32 few = num / 10;
	__u64 *again = calloc(few, sizeof(*again));

	map_many(env, self->mdl, self->memory, num);
	EXPECT_EQ(num, count(env, self->mdl));
	EXPECT_EQ(num, count(env, env->adapter));
	EXPECT_EQ(1, pins_since(env));
	for (__u32 i = 0; i < num; i += SAMPLE)
		ASSERT_TRUE(is_known(env, self->mdl, self->memory[i], i));
	ASSERT_TRUE(is_known(env, self->mdl, self->memory[num - 1], num - 1));
	EXPECT_EQ(-EBUSY, wddm_unlock(env->ctx, self->mdl));

	unmap_many(env, self->memory, num, LIVE);
	EXPECT_EQ(0, count(env, self->mdl));
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));

	/* Up to the last one the MDL is in use */
	map_many(env, self->mdl, again, few);
	EXPECT_TRUE(are_stale(env, self->memory, num));
	unmap_many(env, again, few - 1, LIVE);
	EXPECT_EQ(1, count(env, self->mdl));
	EXPECT_EQ(-EBUSY, wddm_unlock(env->ctx, self->mdl));
	EXPECT_EQ(-EBUSY, wddm_adapter_destroy(env->ctx, env->adapter));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, again[few - 1]));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
	EXPECT_EQ(0, wddm_adapter_destroy(env->ctx, env->adapter));

	EXPECT_TRUE(are_distinct(self->memory, num));
	EXPECT_TRUE(are_distinct(again, few));
	free(again);
}

TEST_F_TIMEOUT(many, by_close, 1200)
{
	struct env *env = &self->env;

	map_many(env, self->mdl, self->memory, self->num);
	env->leaves_objects = true;
}

/* By one call, behind our back. Nothing is lost, and no event needs memory */
TEST_F_TIMEOUT(many, by_another_hand, 1200)
{
	const struct env *env = &self->env;
	const __u32 num = self->num, max = 1000;
	struct wddmcompat_event *events = calloc(max, sizeof(*events));
	bool *has_event = calloc(num, sizeof(*has_event));
	long before, seen = 0, bytes;
	__u64 index;

	map_many(env, self->mdl, self->memory, num);
	before = kernel_kib();
	EXPECT_EQ(num * (long)PAGE_SIZE,
		  ioas_unmap_all(env->iommufd, env->ioas));
	EXPECT_EQ(1, pins_since(env));
	/* Some time later the last event is there, if nobody reads */
	while (seen < num) {
		bytes = read(env->ctx, events, max * sizeof(*events));
		ASSERT_LT(0, bytes);
		if (!seen)
			EXPECT_GE(before + before / 64, kernel_kib());
		for (size_t i = 0; i < bytes / sizeof(*events); i++, seen++) {
			index = (events[i].iova - FIRST) / STRIDE;
			ASSERT_EQ(FIRST + index * STRIDE, events[i].iova);
			ASSERT_GT(num, index);
			ASSERT_FALSE(has_event[index]);
			has_event[index] = true;
		}
	}
	EXPECT_EQ(num, seen);
	EXPECT_EQ(num, count(env, self->mdl));
	unmap_many(env, self->memory, num, REVOKED);
	EXPECT_EQ(0, count(env, self->mdl));
	ASSERT_EQ(0, fcntl(env->ctx, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(env->ctx, events, sizeof(*events)));
	EXPECT_EQ(EAGAIN, errno);
	map_many(env, self->mdl, self->memory, max);
	unmap_many(env, self->memory, max, LIVE);
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
	free(has_event);
	free(events);
}

/* All that they have taken comes back; not all at once, and not every page */
TEST_F_TIMEOUT(many, take_no_memory_along, 1200)
{
	const struct env *env = &self->env;
	const __u32 num = self->num / 10;
	long first, last;

	for (int round = 0; round < 4; round++) {
		map_many(env, self->mdl, self->memory, num);
		last = kernel_kib();
		if (!round)
			first = last;
		unmap_many(env, self->memory, num, LIVE);
	}
	EXPECT_LT(last - first, first / 8);
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* So that all of them can be locked: the limit is not for root */
TEST_F_TIMEOUT(many, mdls, 1200)
{
	const struct env *env = &self->env;
	const __u32 num = self->num / 10, max = WDDMCOMPAT_BATCH_MAX;
	const struct wddmcompat_mdl_desc desc = wddm_desc(self->va, 1, 0);
	struct wddmcompat_mdl_lock *locks = calloc(max, sizeof(*locks));
	__u64 *mdls = self->memory;
	struct wddmcompat_query query;

	become_root();
	for (__u32 done = 0, n; done < num; done += n) {
		n = num - done < max ? num - done : max;
		for (__u32 i = 0; i < n; i++)
			locks[i] = (struct wddmcompat_mdl_lock){
				.size = sizeof(locks[i]),
				.descs = (uintptr_t)&desc,
				.num_descs = 1,
			};
		batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK, locks, n);
		for (__u32 i = 0; i < n; i++)
			mdls[done + i] = locks[i].out_mdl;
	}
	become_user();
	EXPECT_EQ(1 + (long)num, pins_since(env));
	for (__u32 i = 0; i < num; i += SAMPLE) {
		ASSERT_EQ(0, wddm_query(env->ctx, mdls[i], &query));
		ASSERT_EQ(WDDMCOMPAT_OBJECT_MDL, query.out_type);
	}
	for (__u32 i = 0; i < num; i++)
		ASSERT_EQ(LIVE, wddm_unlock(env->ctx, mdls[shuffled(i, num)]));
	tally_add(TALLY_OPERATIONS, num);
	EXPECT_EQ(1, pins_since(env));
	EXPECT_TRUE(are_distinct(mdls, num));
	/* Each place has been used, and each gets another number */
	map_many(env, self->mdl, mdls + num, num);
	EXPECT_TRUE(are_stale(env, mdls, num));
	unmap_many(env, mdls + num, num, LIVE);
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
	free(locks);
}

/* On many IOASes, because each looks at all that it has for every one that comes */
TEST_F_TIMEOUT(many, adapters, 1200)
{
	const struct env *env = &self->env;
	const __u32 num = self->num / 10, each = 100;
	__u64 *adapters = self->memory;
	__u32 ioas;

	for (__u32 i = 0; i < num; i++) {
		if (i % each == 0)
			ASSERT_EQ(0, ioas_alloc(env->iommufd, &ioas));
		ASSERT_EQ(0, wddm_adapter_create(env->ctx, ioas, &adapters[i]));
	}
	for (__u32 i = 0; i < num; i += SAMPLE)
		ASSERT_EQ(0, count(env, adapters[i]));
	for (__u32 i = 0; i < num; i++)
		ASSERT_EQ(0, wddm_adapter_destroy(env->ctx,
						  adapters[shuffled(i, num)]));
	tally_add(TALLY_OPERATIONS, 2 * num);
	EXPECT_TRUE(are_stale(env, adapters, num));
	EXPECT_TRUE(are_distinct(adapters, num));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

TEST_HARNESS_MAIN
