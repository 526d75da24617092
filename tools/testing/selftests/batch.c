// SPDX-License-Identifier: GPL-2.0-only
/* Many in one call: each entry for itself, and exactly known which are done */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "kselftest_harness.h"

#define ENTRIES 12

FIXTURE(batch)
{
	struct env env;
	__u8 *va;
	struct wddmcompat_mdl_desc descs[ENTRIES];
	struct wddmcompat_mdl_lock locks[ENTRIES];
	struct wddmcompat_map maps[ENTRIES];
	struct wddmcompat_unmap unmaps[ENTRIES];
	__s32 results[ENTRIES];
};

FIXTURE_SETUP(batch)
{
	ASSERT_EQ(0, env_open(&self->env));
	self->va = anon_pages(ENTRIES);
	for (int i = 0; i < ENTRIES; i++) {
		self->descs[i] = wddm_desc(self->va + i * PAGE_SIZE, PAGE_SIZE,
					   MDL_WRITE);
		self->locks[i] = (struct wddmcompat_mdl_lock){
			.size = sizeof(self->locks[i]),
			.descs = (uintptr_t)&self->descs[i],
			.num_descs = 1,
		};
		self->maps[i] = (struct wddmcompat_map){
			.size = sizeof(self->maps[i]),
			.flags = MAP_WRITE,
			.adapter = self->env.adapter,
		};
		self->unmaps[i] = (struct wddmcompat_unmap){
			.size = sizeof(self->unmaps[i]),
			.adapter = self->env.adapter,
		};
		self->results[i] = 1;
	}
}

FIXTURE_TEARDOWN(batch)
{
	EXPECT_TRUE(env_close(&self->env));
}

static int batch(int ctx, __u32 cmd, void *entries, __u32 num, __s32 *results,
		 struct wddmcompat_batch *batch)
{
	*batch = (struct wddmcompat_batch){
		.size = sizeof(*batch),
		.cmd = cmd,
		.num_entries = num,
		.entries = (uintptr_t)entries,
		.results = (uintptr_t)results,
		.out_num_tried = UINT32_MAX,
		.out_num_done = UINT32_MAX,
	};
	return wddm_ioctl(ctx, WDDMCOMPAT_BATCH, batch);
}

TEST_F(batch, life)
{
	const struct env *env = &self->env;
	struct wddmcompat_query query;
	struct wddmcompat_batch cmd;

	ASSERT_EQ(0, batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK, self->locks,
			   ENTRIES, self->results, &cmd));
	EXPECT_EQ(ENTRIES, cmd.out_num_tried);
	EXPECT_EQ(ENTRIES, cmd.out_num_done);
	EXPECT_EQ(ENTRIES, pins_since(env));
	for (int i = 0; i < ENTRIES; i++) {
		EXPECT_EQ(0, self->results[i]);
		EXPECT_EQ(1, self->locks[i].out_num_pages);
		self->maps[i].mdl = self->locks[i].out_mdl;
		self->results[i] = 1;
	}
	ASSERT_EQ(0, batch(env->ctx, WDDMCOMPAT_CMD_MAP, self->maps, ENTRIES,
			   self->results, &cmd));
	EXPECT_EQ(ENTRIES, cmd.out_num_tried);
	EXPECT_EQ(ENTRIES, cmd.out_num_done);
	for (int i = 0; i < ENTRIES; i++) {
		EXPECT_EQ(0, self->results[i]);
		ASSERT_EQ(0, wddm_query(env->ctx, self->maps[i].out_memory,
					&query));
		EXPECT_EQ(self->maps[i].iova, query.out_iova);
		EXPECT_EQ(self->locks[i].out_mdl, query.out_mdl);
		self->unmaps[i].memory = self->maps[i].out_memory;
		self->results[i] = 1;
	}
	ASSERT_EQ(0, batch(env->ctx, WDDMCOMPAT_CMD_UNMAP, self->unmaps,
			   ENTRIES, self->results, &cmd));
	EXPECT_EQ(ENTRIES, cmd.out_num_tried);
	EXPECT_EQ(ENTRIES, cmd.out_num_done);
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	for (int i = 0; i < ENTRIES; i++) {
		EXPECT_EQ(0, self->results[i]);
		EXPECT_EQ(WDDMCOMPAT_STATE_LIVE, self->unmaps[i].out_state);
		EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->locks[i].out_mdl));
	}
}

/* An entry that fails has the result that it would have alone; the others go on */
TEST_F(batch, partial_locks)
{
	const struct env *env = &self->env;
	struct wddmcompat_batch cmd;
	int done = 0;

	self->descs[1].byte_count = 0;
	self->descs[3].start_va = PAGE_SIZE;
	self->locks[4].num_descs = 0;
	self->locks[6].flags = 1;
	self->locks[7].__reserved = 1;
	self->locks[9].descs = 0;
	self->locks[10].size = sizeof(self->locks[10]) - 1;
	ASSERT_EQ(0, batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK, self->locks,
			   ENTRIES, self->results, &cmd));
	EXPECT_EQ(-EINVAL, self->results[1]);
	EXPECT_EQ(-EFAULT, self->results[3]);
	EXPECT_EQ(-EINVAL, self->results[4]);
	EXPECT_EQ(-EOPNOTSUPP, self->results[6]);
	EXPECT_EQ(-EOPNOTSUPP, self->results[7]);
	EXPECT_EQ(-EFAULT, self->results[9]);
	EXPECT_EQ(-EINVAL, self->results[10]);
	EXPECT_EQ(ENTRIES, cmd.out_num_tried);
	EXPECT_EQ(ENTRIES - 7, cmd.out_num_done);
	EXPECT_EQ(ENTRIES - 7, pins_since(env));
	for (int i = 0; i < ENTRIES; i++) {
		if (self->results[i]) {
			EXPECT_EQ(0, self->locks[i].out_mdl);
			continue;
		}
		EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->locks[i].out_mdl));
		done++;
	}
	EXPECT_EQ(ENTRIES - 7, done);
}

TEST_F(batch, partial_maps_and_unmaps)
{
	const struct env *env = &self->env;
	const __u64 at = 0x400000;
	struct wddmcompat_batch cmd;
	__u64 mdl;

	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, PAGE_SIZE, MDL_WRITE, &mdl));
	for (int i = 0; i < ENTRIES; i++) {
		self->maps[i].mdl = mdl;
		self->maps[i].iova = at + i * PAGE_SIZE;
		self->maps[i].flags |= MAP_AT;
	}
	self->maps[0].mdl = ~mdl;
	self->maps[2].iova = at + PAGE_SIZE;
	self->maps[4].first_page = 1;
	self->maps[5].adapter = mdl;
	self->maps[11].flags = 1U << 31;
	ASSERT_EQ(0, batch(env->ctx, WDDMCOMPAT_CMD_MAP, self->maps, ENTRIES,
			   self->results, &cmd));
	EXPECT_TRUE(self->results[0] == -ENOENT || self->results[0] == -EINVAL);
	EXPECT_EQ(-EEXIST, self->results[2]);
	EXPECT_EQ(-EINVAL, self->results[4]);
	EXPECT_EQ(-EINVAL, self->results[5]);
	EXPECT_EQ(-EOPNOTSUPP, self->results[11]);
	EXPECT_EQ(ENTRIES, cmd.out_num_tried);
	EXPECT_EQ(ENTRIES - 5, cmd.out_num_done);

	/* Those that failed have no handle; one is unmapped twice */
	for (int i = 0; i < ENTRIES; i++) {
		EXPECT_EQ(!!self->results[i], !self->maps[i].out_memory);
		self->unmaps[i].memory = self->maps[i].out_memory;
		self->results[i] = 1;
	}
	self->unmaps[4].memory = self->maps[1].out_memory;
	ASSERT_EQ(0, batch(env->ctx, WDDMCOMPAT_CMD_UNMAP, self->unmaps,
			   ENTRIES, self->results, &cmd));
	for (int i = 0; i < ENTRIES; i++)
		EXPECT_EQ(i == 4 || !self->maps[i].out_memory ? -ENOENT : 0,
			  self->results[i]);
	EXPECT_EQ(ENTRIES, cmd.out_num_tried);
	EXPECT_EQ(ENTRIES - 5, cmd.out_num_done);
	EXPECT_EQ(0, ioas_unmap_all(env->iommufd, env->ioas));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, mdl));
}

TEST_F(batch, refused)
{
	const struct env *env = &self->env;
	const __u32 others[] = {
		WDDMCOMPAT_CMD_INFO, WDDMCOMPAT_CMD_BIND,
		WDDMCOMPAT_CMD_ADAPTER_CREATE, WDDMCOMPAT_CMD_ADAPTER_DESTROY,
		WDDMCOMPAT_CMD_MDL_UNLOCK, WDDMCOMPAT_CMD_QUERY,
		WDDMCOMPAT_CMD_BATCH, WDDMCOMPAT_CMD_BATCH + 1, 0xff,
		UINT32_MAX, WDDMCOMPAT_MAP,
	};
	/* Of an entry: too short, not aligned, longer than any can be */
	const __u32 sizes[] = {
		0,
		sizeof(self->locks[0]) - 1,
		sizeof(self->locks[0]) + 4,
		PAGE_SIZE + 8,
		UINT32_MAX - 7,
	};
	struct wddmcompat_batch cmd;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		EXPECT_EQ(-EOPNOTSUPP, batch(env->ctx, others[i], self->locks,
					     1, self->results, &cmd));
	EXPECT_EQ(-EINVAL, batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK, self->locks,
				 0, self->results, &cmd));
	EXPECT_EQ(-EINVAL, batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK, self->locks,
				 WDDMCOMPAT_BATCH_MAX + 1, self->results, &cmd));
	EXPECT_EQ(-EINVAL, batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK, self->locks,
				 UINT32_MAX, self->results, &cmd));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		self->locks[0].size = sizes[i];
		EXPECT_EQ(-EINVAL, batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK,
					 self->locks, 2, self->results, &cmd));
	}
	EXPECT_EQ(0, pins_since(env));
	for (int i = 0; i < ENTRIES; i++)
		EXPECT_EQ(1, self->results[i]);
}

/* Entries of a later version, which know more than the kernel does */
TEST_F(batch, longer_entries)
{
	const struct env *env = &self->env;
	struct {
		struct wddmcompat_mdl_lock lock;
		__u64 unknown;
	} entries[3] = {};
	struct wddmcompat_batch cmd;

	for (int i = 0; i < 3; i++) {
		entries[i].lock = self->locks[i];
		entries[i].lock.size = sizeof(entries[i]);
	}
	entries[1].unknown = 1;
	ASSERT_EQ(0, batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK, entries, 3,
			   self->results, &cmd));
	EXPECT_EQ(0, self->results[0]);
	EXPECT_EQ(-E2BIG, self->results[1]);
	EXPECT_EQ(0, self->results[2]);
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, entries[0].lock.out_mdl));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, entries[2].lock.out_mdl));
}

/*
 * After a fault the answer tells exactly what is done: entries that were tried have
 * a result, those with the result 0 have a handle, and nothing else is locked.
 */
static void check_fault(struct __test_metadata *_metadata,
			const struct env *env,
			const struct wddmcompat_batch *cmd,
			const struct wddmcompat_mdl_lock *locks,
			const __s32 *results, __u32 tried_at_most)
{
	__u32 done = 0;

	EXPECT_GE(tried_at_most, cmd->out_num_tried);
	EXPECT_EQ(cmd->out_num_done, pins_since(env));
	for (__u32 i = 0; i < tried_at_most; i++) {
		if (i >= cmd->out_num_tried || results[i])
			continue;
		EXPECT_EQ(LIVE, wddm_unlock(env->ctx, locks[i].out_mdl));
		done++;
	}
	EXPECT_EQ(done, cmd->out_num_done);
	EXPECT_EQ(0, pins_since(env));
}

TEST_F(batch, entries_end)
{
	const struct env *env = &self->env;
	__u8 *end = (__u8 *)anon_pages(2) + PAGE_SIZE;
	struct wddmcompat_batch cmd;

	ASSERT_EQ(0, munmap(end, PAGE_SIZE));
	/* Whole ones, and one that is cut in its middle: a result as any other */
	for (int there = 1; there <= 5; there++) {
		const size_t len = there * sizeof(self->locks[0]) - there % 2 * 8;
		struct wddmcompat_mdl_lock *locks = (void *)(end - len);
		const __u32 whole = len / sizeof(*locks);

		memcpy(locks, self->locks, len);
		ASSERT_EQ(0, batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK, locks,
				   ENTRIES, self->results, &cmd));
		EXPECT_EQ(ENTRIES, cmd.out_num_tried);
		EXPECT_EQ(whole, cmd.out_num_done);
		for (__u32 i = 0; i < ENTRIES; i++)
			EXPECT_EQ(i < whole ? 0 : -EFAULT, self->results[i]);
		for (__u32 i = 0; i < whole; i++)
			EXPECT_EQ(LIVE, wddm_unlock(env->ctx, locks[i].out_mdl));
	}
	EXPECT_EQ(-EFAULT, batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK, NULL,
				 ENTRIES, self->results, &cmd));
	EXPECT_EQ(0, pins_since(env));
}

TEST_F(batch, results_end)
{
	const struct env *env = &self->env;
	__s32 *end = (__s32 *)((__u8 *)anon_pages(2) + PAGE_SIZE);
	struct wddmcompat_batch cmd;

	ASSERT_EQ(0, mprotect(end, PAGE_SIZE, PROT_READ));
	for (int there = 0; there <= 5; there++) {
		ASSERT_EQ(-EFAULT, batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK,
					 self->locks, ENTRIES, end - there,
					 &cmd));
		check_fault(_metadata, env, &cmd, self->locks, end - there,
			    there);
	}
	EXPECT_EQ(-EFAULT, batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK, self->locks,
				 ENTRIES, NULL, &cmd));
	EXPECT_EQ(0, pins_since(env));
}

/* An entry whose answer cannot be written has failed, and is not done */
TEST_F(batch, entries_are_read_only)
{
	const struct env *env = &self->env;
	struct wddmcompat_mdl_lock *locks = anon_pages(1);
	struct wddmcompat_batch cmd;
	int rc;

	memcpy(locks, self->locks, sizeof(self->locks));
	ASSERT_EQ(0, mprotect(locks, PAGE_SIZE, PROT_READ));
	rc = batch(env->ctx, WDDMCOMPAT_CMD_MDL_LOCK, locks, ENTRIES,
		   self->results, &cmd);
	EXPECT_TRUE(!rc || rc == -EFAULT);
	EXPECT_EQ(rc ? 0 : ENTRIES, cmd.out_num_tried);
	for (__u32 i = 0; i < cmd.out_num_tried; i++)
		EXPECT_EQ(-EFAULT, self->results[i]);
	EXPECT_EQ(0, cmd.out_num_done);
	EXPECT_EQ(0, pins_since(env));
}

TEST_F(batch, most)
{
	const struct env *env = &self->env;
	const __u32 max = WDDMCOMPAT_BATCH_MAX;
	struct wddmcompat_unmap *unmaps = calloc(max, sizeof(*unmaps));
	__s32 *results = calloc(max, sizeof(*results));
	struct wddmcompat_batch cmd;
	__u32 wrong = 0;

	for (__u32 i = 0; i < max; i++)
		unmaps[i] = (struct wddmcompat_unmap){
			.size = sizeof(*unmaps),
			.adapter = env->adapter,
			.memory = i,
		};
	ASSERT_EQ(0, batch(env->ctx, WDDMCOMPAT_CMD_UNMAP, unmaps, max, results,
			   &cmd));
	EXPECT_EQ(max, cmd.out_num_tried);
	EXPECT_EQ(0, cmd.out_num_done);
	for (__u32 i = 0; i < max; i++)
		wrong += results[i] != -ENOENT && results[i] != -EINVAL;
	EXPECT_EQ(0, wrong);
}

TEST_HARNESS_MAIN
