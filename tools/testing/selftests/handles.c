// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handles name exactly one object: one that is stale, foreign, of another type or
 * made up never hits another.
 */
#include <stdlib.h>

#include "fixture.h"
#include "kselftest_harness.h"

FIXTURE(handles)
{
	struct env env;
	void *va;
	__u64 mdl;
	__u64 memory;
};

FIXTURE_SETUP(handles)
{
	__u64 iova = 0;

	ASSERT_EQ(0, env_open(&self->env));
	self->va = anon_pages(1);
	ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, PAGE_SIZE, MDL_WRITE,
			       &self->mdl));
	ASSERT_EQ(0, wddm_map_all(self->env.ctx, self->env.adapter, self->mdl,
				  0, &iova, &self->memory));
}

FIXTURE_TEARDOWN(handles)
{
	if (self->mdl) {
		EXPECT_EQ(LIVE, wddm_unmap(self->env.ctx, self->env.adapter,
					   self->memory));
		EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
	}
	EXPECT_TRUE(env_close(&self->env));
}

static int map(int ctx, __u64 adapter, __u64 mdl)
{
	__u64 iova = 0, memory;

	return wddm_map_all(ctx, adapter, mdl, 0, &iova, &memory);
}

TEST_F(handles, are_unlike)
{
	EXPECT_NE(0, self->env.adapter);
	EXPECT_NE(0, self->mdl);
	EXPECT_NE(0, self->memory);
	EXPECT_NE(self->env.adapter, self->mdl);
	EXPECT_NE(self->env.adapter, self->memory);
	EXPECT_NE(self->mdl, self->memory);
}

TEST_F(handles, mistyped)
{
	const int ctx = self->env.ctx;
	const __u64 adapter = self->env.adapter, mdl = self->mdl;
	const __u64 memory = self->memory;

	EXPECT_EQ(-EINVAL, wddm_adapter_destroy(ctx, mdl));
	EXPECT_EQ(-EINVAL, wddm_adapter_destroy(ctx, memory));
	EXPECT_EQ(-EINVAL, wddm_unlock(ctx, adapter));
	EXPECT_EQ(-EINVAL, wddm_unlock(ctx, memory));
	EXPECT_EQ(-EINVAL, map(ctx, mdl, mdl));
	EXPECT_EQ(-EINVAL, map(ctx, memory, mdl));
	EXPECT_EQ(-EINVAL, map(ctx, adapter, adapter));
	EXPECT_EQ(-EINVAL, map(ctx, adapter, memory));
	EXPECT_EQ(-EINVAL, map(ctx, mdl, adapter));
	EXPECT_EQ(-EINVAL, wddm_unmap(ctx, adapter, adapter));
	EXPECT_EQ(-EINVAL, wddm_unmap(ctx, adapter, mdl));
	EXPECT_EQ(-EINVAL, wddm_unmap(ctx, mdl, memory));
	EXPECT_EQ(-EINVAL, wddm_unmap(ctx, memory, memory));
	EXPECT_EQ(-EINVAL, wddm_unmap(ctx, memory, adapter));
}

TEST_F(handles, stale)
{
	const int ctx = self->env.ctx;
	const __u64 adapter = self->env.adapter;
	struct wddmcompat_query query;
	__u64 mdl, memory, second, iova = 0;

	ASSERT_EQ(0, wddm_adapter_create(ctx, self->env.ioas, &second));
	ASSERT_EQ(0, wddm_lock(ctx, self->va, PAGE_SIZE, 0, &mdl));
	ASSERT_EQ(0, wddm_map_all(ctx, second, mdl, 0, &iova, &memory));

	EXPECT_EQ(LIVE, wddm_unmap(ctx, second, memory));
	EXPECT_EQ(-ENOENT, wddm_unmap(ctx, second, memory));
	EXPECT_EQ(LIVE, wddm_unlock(ctx, mdl));
	EXPECT_EQ(-ENOENT, wddm_unlock(ctx, mdl));
	EXPECT_EQ(-ENOENT, map(ctx, adapter, mdl));
	EXPECT_EQ(0, wddm_adapter_destroy(ctx, second));
	EXPECT_EQ(-ENOENT, wddm_adapter_destroy(ctx, second));
	EXPECT_EQ(-ENOENT, map(ctx, second, self->mdl));
	EXPECT_EQ(-ENOENT, wddm_unmap(ctx, second, self->memory));
	EXPECT_EQ(-ENOENT, wddm_query(ctx, memory, &query));
	EXPECT_EQ(-ENOENT, wddm_query(ctx, mdl, &query));
	EXPECT_EQ(-ENOENT, wddm_query(ctx, second, &query));
}

/* Two adapters of one IOAS are two: what one mapped, the other cannot unmap */
TEST_F(handles, of_another_adapter)
{
	const int ctx = self->env.ctx;
	__u64 second;

	ASSERT_EQ(0, wddm_adapter_create(ctx, self->env.ioas, &second));
	EXPECT_EQ(-ENOENT, wddm_unmap(ctx, second, self->memory));
	EXPECT_EQ(-EBUSY, wddm_unlock(ctx, self->mdl));
	EXPECT_EQ(0, wddm_adapter_destroy(ctx, second));
}

/* A context that looks just the same, on the same iommufd and on another */
TEST_F(handles, of_another_context)
{
	const int fds[] = { self->env.iommufd, open_iommufd() };
	struct wddmcompat_query query;

	for (int i = 0; i < 2; i++) {
		const int ctx = open_context();
		__u64 adapter, mdl, memory, iova = 0x10000;
		__u32 ioas;

		ASSERT_EQ(0, wddm_bind(ctx, fds[i], NULL));
		ASSERT_EQ(0, ioas_alloc(fds[i], &ioas));
		ASSERT_EQ(0, wddm_adapter_create(ctx, ioas, &adapter));
		ASSERT_EQ(0, wddm_lock(ctx, self->va, PAGE_SIZE, 0, &mdl));
		ASSERT_EQ(0, wddm_map_all(ctx, adapter, mdl, 0, &iova,
					  &memory));

		EXPECT_EQ(-ENOENT, wddm_unmap(ctx, self->env.adapter,
					      self->memory));
		EXPECT_EQ(-ENOENT, wddm_unmap(ctx, adapter, self->memory));
		EXPECT_EQ(-ENOENT, wddm_unmap(ctx, self->env.adapter, memory));
		EXPECT_EQ(-ENOENT, map(ctx, adapter, self->mdl));
		EXPECT_EQ(-ENOENT, map(ctx, self->env.adapter, mdl));
		EXPECT_EQ(-ENOENT, wddm_unlock(ctx, self->mdl));
		EXPECT_EQ(-ENOENT, wddm_adapter_destroy(ctx,
							self->env.adapter));
		EXPECT_EQ(-ENOENT, wddm_query(ctx, self->memory, &query));
		EXPECT_EQ(-ENOENT, wddm_unmap(self->env.ctx, adapter, memory));
		EXPECT_EQ(-ENOENT, wddm_query(self->env.ctx, memory, &query));

		EXPECT_EQ(LIVE, wddm_unmap(ctx, adapter, memory));
		close(ctx);
	}
	close(fds[1]);
}

/* Whatever is made of a number, it does nothing. Only -ENOENT or -EINVAL */
static bool is_nothing(const struct env *env, __u64 number)
{
	struct wddmcompat_query query;
	const int rc[] = {
		wddm_query(env->ctx, number, &query),
		wddm_unmap(env->ctx, env->adapter, number),
		wddm_unlock(env->ctx, number),
		wddm_adapter_destroy(env->ctx, number),
		map(env->ctx, env->adapter, number),
		map(env->ctx, number, number),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rc); i++)
		if (rc[i] != -ENOENT && rc[i] != -EINVAL)
			return false;
	return true;
}

TEST_F(handles, made_up)
{
	const struct env *env = &self->env;
	const __u64 real[] = { env->adapter, self->mdl, self->memory };

	EXPECT_EQ(-ENOENT, wddm_unmap(env->ctx, env->adapter, UINT64_MAX));
	EXPECT_TRUE(is_nothing(env, 0));
	EXPECT_TRUE(is_nothing(env, UINT64_MAX));
	for (int i = 1; i < 300; i++)
		EXPECT_TRUE(is_nothing(env, i));
	for (size_t i = 0; i < ARRAY_SIZE(real); i++) {
		for (int bit = 0; bit < 64; bit++)
			EXPECT_TRUE(is_nothing(env, real[i] ^ 1ULL << bit));
		EXPECT_TRUE(is_nothing(env, ~real[i]));
		EXPECT_TRUE(is_nothing(env, real[i] + 1));
		EXPECT_TRUE(is_nothing(env, real[i] - 1));
	}
	srandom(1);
	for (int i = 0; i < 1000; i++)
		EXPECT_TRUE(is_nothing(env, (__u64)random() << 33 ^
				       (__u64)random() << 11 ^ random()));
}

/* Slots are used again, numbers are not */
TEST_F(handles, never_again)
{
	const struct env *env = &self->env;
	enum { ROUNDS = 500 };
	__u64 seen[ROUNDS], iova = 0x100000;

	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, self->mdl,
					  MAP_AT, &iova, &seen[i]));
		for (int j = 0; j < i; j++)
			ASSERT_NE(seen[j], seen[i]);
		if (i)
			ASSERT_EQ(-ENOENT, wddm_unmap(env->ctx, env->adapter,
						      seen[i - 1]));
		ASSERT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, seen[i]));
	}
}

TEST_F(handles, query)
{
	const struct env *env = &self->env;
	struct wddmcompat_query query;

	ASSERT_EQ(0, wddm_query(env->ctx, env->adapter, &query));
	EXPECT_EQ(WDDMCOMPAT_OBJECT_ADAPTER, query.out_type);
	EXPECT_EQ(WDDMCOMPAT_STATE_LIVE, query.out_state);
	EXPECT_EQ(1, query.out_num_mappings);
	EXPECT_EQ(env->ioas, query.out_ioas_id);
	EXPECT_EQ(0, query.out_num_descs);
	EXPECT_EQ(0, query.out_map_flags);
	EXPECT_EQ(0, query.out_num_pages);
	EXPECT_EQ(0, query.out_iova);
	EXPECT_EQ(0, query.out_adapter);
	EXPECT_EQ(0, query.out_mdl);

	ASSERT_EQ(0, wddm_query(env->ctx, self->mdl, &query));
	EXPECT_EQ(WDDMCOMPAT_OBJECT_MDL, query.out_type);
	EXPECT_EQ(WDDMCOMPAT_STATE_LIVE, query.out_state);
	EXPECT_EQ(1, query.out_num_mappings);
	EXPECT_EQ(0, query.out_ioas_id);
	EXPECT_EQ(1, query.out_num_descs);
	EXPECT_EQ(0, query.out_map_flags);
	EXPECT_EQ(1, query.out_num_pages);
	EXPECT_EQ(0, query.out_iova);
	EXPECT_EQ(0, query.out_adapter);
	EXPECT_EQ(0, query.out_mdl);

	ASSERT_EQ(0, wddm_query(env->ctx, self->memory, &query));
	EXPECT_EQ(WDDMCOMPAT_OBJECT_MAPPING, query.out_type);
	EXPECT_EQ(WDDMCOMPAT_STATE_LIVE, query.out_state);
	EXPECT_EQ(0, query.out_num_mappings);
	EXPECT_EQ(0, query.out_ioas_id);
	EXPECT_EQ(0, query.out_num_descs);
	EXPECT_EQ(0, query.out_map_flags);
	EXPECT_EQ(1, query.out_num_pages);
	EXPECT_NE(0, query.out_iova);
	EXPECT_EQ(env->adapter, query.out_adapter);
	EXPECT_EQ(self->mdl, query.out_mdl);
}

TEST_HARNESS_MAIN
