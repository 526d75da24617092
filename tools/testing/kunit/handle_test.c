// SPDX-License-Identifier: GPL-2.0-only
/* Handles: what is used again and what never is. */
#include <kunit/test.h>
#include <linux/module.h>

#include "wddmcompat_private.h"

#define INDEX(handle) ((handle) & GENMASK_ULL(WDDM_HANDLE_INDEX_BITS - 1, 0))
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
	/* Slots in the middle come back, lowest first */
	wddm_handle_release(&table, handles[700]);
	wddm_handle_release(&table, handles[300]);
	KUNIT_EXPECT_EQ(test, INDEX(reserve(test, WDDMCOMPAT_OBJECT_MDL)), 300);
	KUNIT_EXPECT_EQ(test, INDEX(reserve(test, WDDMCOMPAT_OBJECT_MDL)), 700);
	KUNIT_EXPECT_EQ(test, INDEX(reserve(test, WDDMCOMPAT_OBJECT_MDL)),
			count);
}

/* Fill the slots from @index on, as many as 1 << @order, as if they were in use */
static void fill_slots(struct kunit *test, unsigned long index,
		       unsigned int order)
{
	XA_STATE_ORDER(xas, &table.xa, index, order);

	do {
		xas_lock(&xas);
		xas_store(&xas, xa_mk_value(0));
		if (!xas_error(&xas))
			xas_clear_mark(&xas, XA_FREE_MARK);
		xas_unlock(&xas);
	} while (xas_nomem(&xas, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, xas_error(&xas), 0);
}

/* Every index is in use but the last 64; nothing spills over when they are, too */
static void test_table_is_full(struct kunit *test)
{
	const u64 index_max = GENMASK_ULL(WDDM_HANDLE_INDEX_BITS - 1, 0);
	unsigned long index = 0;
	u64 handles[64];
	int order, i;

	for (order = WDDM_HANDLE_INDEX_BITS - 6; order; order -= 6) {
		for (i = 0; i < 63; i++, index += 1UL << order)
			fill_slots(test, index, order);
	}
	KUNIT_ASSERT_EQ(test, index, index_max + 1 - ARRAY_SIZE(handles));

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
