// SPDX-License-Identifier: GPL-2.0-only
/* Handles: what is used again and what never is. */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "wddmcompat_private.h"

#define INDEX_MAX GENMASK_ULL(WDDM_HANDLE_INDEX_BITS - 1, 0)
#define INDEX(handle) ((handle) & INDEX_MAX)
#define GENERATION_MAX GENMASK_ULL(WDDM_HANDLE_GENERATION_BITS - 1, 0)

static struct wddm_handle_table table;

static int handle_init(struct kunit *test)
{
	wddm_handles_init(&table);
	return 0;
}

static void handle_exit(struct kunit *test)
{
	wddm_handles_destroy(&table);
}

static u64 reserve(struct kunit *test, enum wddmcompat_object_type type)
{
	u64 handle;

	KUNIT_ASSERT_EQ(test, wddm_handle_reserve(&table, type, &handle), 0);
	return handle;
}

/* An object that is published in the table, with a reference that never ends */
static void publish(struct wddm_object *obj, u64 handle)
{
	refcount_set(&obj->refs, 1);
	obj->handle = handle;
	wddm_handle_publish(&table, obj);
}

static void test_types(struct kunit *test)
{
	enum wddmcompat_object_type type;

	for (type = WDDMCOMPAT_OBJECT_ADAPTER;
	     type <= WDDMCOMPAT_OBJECT_MAPPING; type++) {
		u64 handle = reserve(test, type);

		KUNIT_EXPECT_NE(test, handle, 0);
		KUNIT_EXPECT_EQ(test, wddm_handle_type(handle), type);
	}
}

static void test_reserved_names_nothing(struct kunit *test)
{
	struct wddm_object obj;
	u64 handle = reserve(test, WDDMCOMPAT_OBJECT_MDL);

	KUNIT_EXPECT_EQ(test, PTR_ERR(wddm_handle_get(&table, handle)),
			-ENOENT);
	publish(&obj, handle);
	KUNIT_EXPECT_PTR_EQ(test, wddm_handle_get(&table, handle), &obj);
	KUNIT_EXPECT_EQ(test, refcount_read(&obj.refs), 2);
	wddm_handle_release(&table, handle);
	KUNIT_EXPECT_EQ(test, PTR_ERR(wddm_handle_get(&table, handle)),
			-ENOENT);
}

static void test_mistyped(struct kunit *test)
{
	struct wddm_object obj;
	u64 handle = reserve(test, WDDMCOMPAT_OBJECT_MDL);
	struct wddm_object *found;

	publish(&obj, handle);
	found = wddm_handle_get_typed(&table, handle, WDDMCOMPAT_OBJECT_MDL);
	KUNIT_EXPECT_PTR_EQ(test, found, &obj);
	found = wddm_handle_get_typed(&table, handle,
				      WDDMCOMPAT_OBJECT_MAPPING);
	KUNIT_EXPECT_EQ(test, PTR_ERR(found), -EINVAL);
	/* No type at all is no handle at all */
	found = wddm_handle_get_typed(&table, handle & GENMASK_ULL(59, 0),
				      WDDMCOMPAT_OBJECT_MDL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(found), -ENOENT);
	found = wddm_handle_get_typed(&table, handle | GENMASK_ULL(63, 60),
				      WDDMCOMPAT_OBJECT_MDL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(found), -ENOENT);
}

/* The slot is used again, the number is not */
static void test_reuse(struct kunit *test)
{
	u64 first = reserve(test, WDDMCOMPAT_OBJECT_MDL);
	struct wddm_object obj;
	u64 second;

	wddm_handle_release(&table, first);
	second = reserve(test, WDDMCOMPAT_OBJECT_MDL);
	KUNIT_EXPECT_EQ(test, INDEX(first), INDEX(second));
	KUNIT_EXPECT_NE(test, first, second);

	publish(&obj, second);
	KUNIT_EXPECT_EQ(test, PTR_ERR(wddm_handle_get(&table, first)), -ENOENT);
	KUNIT_EXPECT_PTR_EQ(test, wddm_handle_get(&table, second), &obj);
}

static void test_no_number_twice(struct kunit *test)
{
	u64 handle, previous = 0;
	int i;

	for (i = 0; i < 10000; i++) {
		handle = reserve(test, WDDMCOMPAT_OBJECT_MAPPING);
		KUNIT_ASSERT_NE(test, handle, previous);
		wddm_handle_release(&table, handle);
		previous = handle;
	}
}

static void test_generation_wraps(struct kunit *test)
{
	u64 last, next;

	table.first_generation = GENERATION_MAX;
	last = reserve(test, WDDMCOMPAT_OBJECT_MDL);
	wddm_handle_release(&table, last);
	next = reserve(test, WDDMCOMPAT_OBJECT_MDL);
	KUNIT_EXPECT_EQ(test, INDEX(last), INDEX(next));
	KUNIT_EXPECT_NE(test, last, next);
	/* Nothing of it may have spilt into the type */
	KUNIT_EXPECT_EQ(test, wddm_handle_type(last), WDDMCOMPAT_OBJECT_MDL);
	KUNIT_EXPECT_EQ(test, wddm_handle_type(next), WDDMCOMPAT_OBJECT_MDL);
}

/* A slot that has seen all generations is not used any more */
static void test_slot_retires(struct kunit *test)
{
	u64 last, next;

	table.first_generation = 5;
	last = reserve(test, WDDMCOMPAT_OBJECT_MDL);
	/* As if all had been used up to the one before the first */
	table.first_generation = 6;
	wddm_handle_release(&table, last);
	next = reserve(test, WDDMCOMPAT_OBJECT_MDL);
	KUNIT_EXPECT_NE(test, INDEX(last), INDEX(next));
}

/* Handles of one table mean nothing in another */
static void test_tables_differ(struct kunit *test)
{
	struct wddm_handle_table other;
	struct wddm_object obj;
	u64 mine, foreign;

	wddm_handles_init(&other);
	KUNIT_ASSERT_EQ(test,
			wddm_handle_reserve(&other, WDDMCOMPAT_OBJECT_MDL,
					    &foreign),
			0);
	mine = reserve(test, WDDMCOMPAT_OBJECT_MDL);
	KUNIT_EXPECT_EQ(test, INDEX(mine), INDEX(foreign));
	publish(&obj, mine);
	KUNIT_EXPECT_EQ(test, PTR_ERR(wddm_handle_get(&table, foreign)),
			-ENOENT);
	wddm_handles_destroy(&other);
}

static void test_many(struct kunit *test)
{
	const int count = 20000;
	u64 *handles = kunit_kcalloc(test, count, sizeof(*handles), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, handles);
	for (i = 0; i < count; i++)
		handles[i] = reserve(test, WDDMCOMPAT_OBJECT_MAPPING);
	for (i = 0; i < count; i++)
		KUNIT_ASSERT_EQ(test, INDEX(handles[i]), i);
	/* Slots in the middle come back before there are new ones */
	wddm_handle_release(&table, handles[700]);
	wddm_handle_release(&table, handles[300]);
	KUNIT_EXPECT_EQ(test, INDEX(reserve(test, WDDMCOMPAT_OBJECT_MDL)), 300);
	KUNIT_EXPECT_EQ(test, INDEX(reserve(test, WDDMCOMPAT_OBJECT_MDL)), 700);
	KUNIT_EXPECT_EQ(test, INDEX(reserve(test, WDDMCOMPAT_OBJECT_MDL)),
			count);
}

/* The last to be given back is the first to be used again, each with a number of its own */
static void test_order(struct kunit *test)
{
	u64 old[5], new;
	int i;

	for (i = 0; i < ARRAY_SIZE(old); i++)
		old[i] = reserve(test, WDDMCOMPAT_OBJECT_MDL);
	for (i = 0; i < ARRAY_SIZE(old); i++)
		wddm_handle_release(&table, old[i]);
	while (i--) {
		new = reserve(test, WDDMCOMPAT_OBJECT_MDL);
		KUNIT_EXPECT_EQ(test, INDEX(new), INDEX(old[i]));
		KUNIT_EXPECT_NE(test, new, old[i]);
	}
}

/* What is made, gone or made up is told apart on both sides of where a chunk ends */
static void test_chunks(struct kunit *test)
{
	const int count = 3 * WDDM_HANDLE_FANOUT;
	struct wddm_object *objs, *found;
	int i;

	objs = kunit_kcalloc(test, count, sizeof(*objs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objs);
	KUNIT_EXPECT_NULL(test, wddm_handle_at(&table, 0));
	for (i = 0; i < count; i++) {
		u64 handle = reserve(test, WDDMCOMPAT_OBJECT_MDL);

		KUNIT_ASSERT_EQ(test, INDEX(handle), i);
		KUNIT_ASSERT_NULL(test, wddm_handle_at(&table, i));
		publish(&objs[i], handle);
	}
	KUNIT_EXPECT_EQ(test, table.num_slots, count);
	for (i = 0; i < count; i++) {
		found = wddm_handle_get(&table, objs[i].handle);
		KUNIT_ASSERT_PTR_EQ(test, found, &objs[i]);
		KUNIT_ASSERT_PTR_EQ(test, wddm_handle_at(&table, i), found);
	}
	for (i = count; i <= INDEX_MAX; i = 2 * i + 1) {
		found = wddm_handle_get(&table, objs[0].handle | i);
		KUNIT_EXPECT_EQ(test, PTR_ERR(found), -ENOENT);
		KUNIT_EXPECT_NULL(test, wddm_handle_at(&table, i));
	}
	for (i = 0; i < count; i += 2)
		wddm_handle_release(&table, objs[i].handle);
	for (i = 0; i < count; i++) {
		found = wddm_handle_at(&table, i);
		KUNIT_ASSERT_PTR_EQ(test, found, i % 2 ? &objs[i] : NULL);
	}
}

/* How many allocations succeed before all fail */
static int allocations_left;

static void *alloc_some(size_t size)
{
	return allocations_left-- > 0 ? kzalloc(size, GFP_KERNEL) : NULL;
}

static void expect_no_memory(struct kunit *test, int allocations)
{
	u64 handle;

	allocations_left = allocations;
	KUNIT_EXPECT_EQ(test,
			wddm_handle_reserve(&table, WDDMCOMPAT_OBJECT_MDL,
					    &handle),
			-ENOMEM);
}

/* Without memory there is no room; what there is stays good, and memory makes room again */
static void test_no_memory(struct kunit *test)
{
	struct wddm_object obj;
	u64 first, handle;
	int i;

	kunit_activate_static_stub(test, wddm_handles_alloc, alloc_some);
	/* For a branch or a chunk */
	expect_no_memory(test, 0);
	expect_no_memory(test, 1);
	allocations_left = 1;
	first = reserve(test, WDDMCOMPAT_OBJECT_MDL);
	KUNIT_EXPECT_EQ(test, INDEX(first), 0);
	publish(&obj, first);
	for (i = 1; i < WDDM_HANDLE_FANOUT; i++)
		reserve(test, WDDMCOMPAT_OBJECT_MDL);
	expect_no_memory(test, 0);
	expect_no_memory(test, 0);
	KUNIT_EXPECT_EQ(test, table.num_slots, WDDM_HANDLE_FANOUT);
	KUNIT_EXPECT_PTR_EQ(test, wddm_handle_get(&table, first), &obj);
	/* What is free needs no memory */
	wddm_handle_release(&table, first);
	handle = reserve(test, WDDMCOMPAT_OBJECT_MDL);
	KUNIT_EXPECT_EQ(test, INDEX(handle), INDEX(first));
	allocations_left = 1;
	handle = reserve(test, WDDMCOMPAT_OBJECT_MDL);
	KUNIT_EXPECT_EQ(test, INDEX(handle), WDDM_HANDLE_FANOUT);
}

/* Every index is in use but the last 64; nothing spills over when they are, too */
static void test_table_is_full(struct kunit *test)
{
	const u32 index = INDEX_MAX + 1 - 64;
	u64 handles[64];
	int i;

	/* Nobody looks for those that are as if they were there */
	table.num_slots = INDEX_MAX + 1 - WDDM_HANDLE_FANOUT;
	for (i = 64; i < WDDM_HANDLE_FANOUT; i++)
		reserve(test, WDDMCOMPAT_OBJECT_MDL);
	KUNIT_EXPECT_EQ(test, table.num_slots, INDEX_MAX + 1);

	for (i = 0; i < ARRAY_SIZE(handles); i++) {
		handles[i] = reserve(test, WDDMCOMPAT_OBJECT_MAPPING);
		KUNIT_ASSERT_EQ(test, INDEX(handles[i]), index + i);
		KUNIT_ASSERT_EQ(test, wddm_handle_type(handles[i]),
				WDDMCOMPAT_OBJECT_MAPPING);
	}
	for (i = 0; i < 3; i++) {
		u64 handle;

		KUNIT_ASSERT_EQ(test,
				wddm_handle_reserve(&table,
						    WDDMCOMPAT_OBJECT_MDL,
						    &handle),
				-ENOSPC);
	}

	/* One that goes makes room for one, which is not the same */
	for (i = 0; i < ARRAY_SIZE(handles); i += 21) {
		u64 old = handles[i], none;

		wddm_handle_release(&table, old);
		handles[i] = reserve(test, WDDMCOMPAT_OBJECT_MAPPING);
		KUNIT_EXPECT_EQ(test, INDEX(handles[i]), INDEX(old));
		KUNIT_EXPECT_NE(test, handles[i], old);
		KUNIT_EXPECT_EQ(test,
				wddm_handle_reserve(&table,
						    WDDMCOMPAT_OBJECT_MDL,
						    &none),
				-ENOSPC);
	}
}

static struct kunit_case handle_cases[] = {
	KUNIT_CASE(test_types),
	KUNIT_CASE(test_reserved_names_nothing),
	KUNIT_CASE(test_mistyped),
	KUNIT_CASE(test_reuse),
	KUNIT_CASE(test_no_number_twice),
	KUNIT_CASE(test_generation_wraps),
	KUNIT_CASE(test_slot_retires),
	KUNIT_CASE(test_tables_differ),
	KUNIT_CASE(test_many),
	KUNIT_CASE(test_order),
	KUNIT_CASE(test_chunks),
	KUNIT_CASE(test_no_memory),
	KUNIT_CASE(test_table_is_full),
	{}
};

static struct kunit_suite handle_suite = {
	.name = "wddmcompat-handle",
	.init = handle_init,
	.exit = handle_exit,
	.test_cases = handle_cases,
};

kunit_test_suite(handle_suite);

MODULE_DESCRIPTION("KUnit tests of wddmcompat");
MODULE_LICENSE("GPL");
