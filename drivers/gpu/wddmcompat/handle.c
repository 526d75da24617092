// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects and the 64-bit handles that name them.
 *
 * A handle is a type, a generation and an index:
 *
 *	63..60 type    59..24 generation    23..0 index
 *
 * The index is a slot of an xarray, which is never erased: when an object goes,
 * its slot keeps the generation that the next one gets. So no handle is ever used
 * twice. A slot that has seen every generation is retired.
 */
#include <kunit/visibility.h>
#include <linux/bitfield.h>
#include <linux/bug.h>
#include <linux/random.h>

#include "wddmcompat_private.h"

#define HANDLE_INDEX GENMASK_ULL(WDDM_HANDLE_INDEX_BITS - 1, 0)
#define HANDLE_GENERATION                                                     \
	GENMASK_ULL(WDDM_HANDLE_INDEX_BITS + WDDM_HANDLE_GENERATION_BITS - 1, \
		    WDDM_HANDLE_INDEX_BITS)
#define HANDLE_TYPE GENMASK_ULL(63, 60)
#define GENERATION_MASK GENMASK_ULL(WDDM_HANDLE_GENERATION_BITS - 1, 0)

/* Slots whose entry is the generation of the next handle */
#define SLOT_FREE XA_MARK_1

void wddm_handles_init(struct wddm_handle_table *table)
{
	xa_init_flags(&table->xa, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	table->first_generation = get_random_u64() & GENERATION_MASK;
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handles_init);

void wddm_handles_destroy(struct wddm_handle_table *table)
{
	xa_destroy(&table->xa);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handles_destroy);

enum wddmcompat_object_type wddm_handle_type(u64 handle)
{
	return FIELD_GET(HANDLE_TYPE, handle);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handle_type);

/* Take a slot that had an object before. Returns false when there is none. */
static bool handle_reuse(struct wddm_handle_table *table, u32 *index,
			 u64 *generation)
{
	XA_STATE(xas, &table->xa, 0);
	void *entry;

	xa_lock(&table->xa);
	entry = xas_find_marked(&xas, HANDLE_INDEX, SLOT_FREE);
	if (entry) {
		xas_clear_mark(&xas, SLOT_FREE);
		*index = xas.xa_index;
		*generation = xa_to_value(entry);
	}
	xa_unlock(&table->xa);
	return entry;
}

/**
 * wddm_handle_reserve() - Take a number that names nothing yet
 * @table: Handle table
 * @type: What it will name
 * @handle: The number; goes back with wddm_handle_release()
 *
 * Return: 0, -ENOMEM, or -ENOSPC when every index is in use.
 */
int wddm_handle_reserve(struct wddm_handle_table *table,
			enum wddmcompat_object_type type, u64 *handle)
{
	u64 generation = table->first_generation;
	u32 index;
	int rc;

	if (!handle_reuse(table, &index, &generation)) {
		rc = xa_alloc(&table->xa, &index, xa_mk_value(generation),
			      XA_LIMIT(0, HANDLE_INDEX), GFP_KERNEL_ACCOUNT);
		if (rc)
			return rc == -EBUSY ? -ENOSPC : rc;
	}
	*handle = FIELD_PREP(HANDLE_TYPE, type) |
		  FIELD_PREP(HANDLE_GENERATION, generation) |
		  FIELD_PREP(HANDLE_INDEX, index);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handle_reserve);

/* Make the handle of @obj, which was reserved, name it */
void wddm_handle_publish(struct wddm_handle_table *table,
			 struct wddm_object *obj)
{
	void *old = xa_store(&table->xa, FIELD_GET(HANDLE_INDEX, obj->handle),
			     obj, GFP_KERNEL_ACCOUNT);

	/* The slot was reserved, so there was nothing to allocate */
	WARN_ON(!xa_is_value(old));
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handle_publish);

/* The end of a handle, reserved or published */
void wddm_handle_release(struct wddm_handle_table *table, u64 handle)
{
	u64 next = (FIELD_GET(HANDLE_GENERATION, handle) + 1) & GENERATION_MASK;
	u32 index = FIELD_GET(HANDLE_INDEX, handle);

	xa_lock(&table->xa);
	__xa_store(&table->xa, index, xa_mk_value(next), 0);
	if (next != table->first_generation)
		__xa_set_mark(&table->xa, index, SLOT_FREE);
	xa_unlock(&table->xa);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handle_release);

/**
 * wddm_handle_get() - Find what a handle names
 * @table: Handle table
 * @handle: Whatever the caller has got from its caller
 *
 * Return: The object, with a reference for wddm_object_put(), or -ENOENT.
 */
struct wddm_object *wddm_handle_get(struct wddm_handle_table *table, u64 handle)
{
	struct wddm_object *obj;

	xa_lock(&table->xa);
	obj = xa_load(&table->xa, FIELD_GET(HANDLE_INDEX, handle));
	if (!obj || xa_is_value(obj) || obj->handle != handle)
		obj = ERR_PTR(-ENOENT);
	else
		wddm_object_get(obj);
	xa_unlock(&table->xa);
	return obj;
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handle_get);

/* As wddm_handle_get(), but a handle of another type is -EINVAL */
struct wddm_object *wddm_handle_get_typed(struct wddm_handle_table *table,
					  u64 handle,
					  enum wddmcompat_object_type type)
{
	enum wddmcompat_object_type found = wddm_handle_type(handle);

	if (found != type && found >= WDDMCOMPAT_OBJECT_ADAPTER &&
	    found <= WDDMCOMPAT_OBJECT_MAPPING)
		return ERR_PTR(-EINVAL);
	return wddm_handle_get(table, handle);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handle_get_typed);

/* Begin an object: one reference, and a handle that does not name it yet */
int wddm_object_init(struct wddm_object *obj, struct wddmcompat_context *ctx,
		     enum wddmcompat_object_type type)
{
	obj->ctx = ctx;
	refcount_set(&obj->refs, 1);
	atomic_set(&obj->uses, 0);
	return wddm_handle_reserve(&ctx->handles, type, &obj->handle);
}

/* From now on the handle names nothing, if it ever did; drops the first reference */
void wddm_object_remove(struct wddm_object *obj)
{
	wddm_handle_release(&obj->ctx->handles, obj->handle);
	wddm_object_put(obj);
}

/* Undo what made an object, come what may, and remove it */
void wddm_object_undo(struct wddm_object *obj)
{
	static void (*const undo[])(struct wddm_object *obj) = {
		[WDDMCOMPAT_OBJECT_ADAPTER] = wddm_adapter_undo,
		[WDDMCOMPAT_OBJECT_MDL] = wddm_mdl_undo,
		[WDDMCOMPAT_OBJECT_MAPPING] = wddm_mapping_undo,
	};

	undo[wddm_handle_type(obj->handle)](obj);
}

void wddm_object_get(struct wddm_object *obj)
{
	refcount_inc(&obj->refs);
}

void wddm_object_put(struct wddm_object *obj)
{
	static void (*const free[])(struct wddm_object *obj) = {
		[WDDMCOMPAT_OBJECT_ADAPTER] = wddm_adapter_free,
		[WDDMCOMPAT_OBJECT_MDL] = wddm_mdl_free,
		[WDDMCOMPAT_OBJECT_MAPPING] = wddm_mapping_free,
		[WDDM_OBJECT_DXGK_DEVICE] = dxgk_device_free,
		[WDDM_OBJECT_DXGK_MEMORY] = dxgk_memory_free,
		[WDDM_OBJECT_DXGK_PHYSICAL] = dxgk_physical_free,
		[WDDM_OBJECT_DXGK_OPENED] = dxgk_opened_free,
	};

	if (refcount_dec_and_test(&obj->refs))
		free[wddm_handle_type(obj->handle)](obj);
}

/* Depend on @obj until wddm_object_unuse(). -ENOENT if it is being destroyed. */
int wddm_object_use(struct wddm_object *obj)
{
	return atomic_inc_unless_negative(&obj->uses) ? 0 : -ENOENT;
}

void wddm_object_unuse(struct wddm_object *obj)
{
	atomic_dec(&obj->uses);
}

/*
 * Begin to destroy @obj, of which the caller has @uses: nobody can come to depend on
 * it any more. -EBUSY if somebody else does, -ENOENT if another thread was faster.
 */
int wddm_object_retire_used(struct wddm_object *obj, int uses)
{
	int found = atomic_cmpxchg(&obj->uses, uses, -1);

	if (found == uses)
		return 0;
	return found < 0 ? -ENOENT : -EBUSY;
}

/* As wddm_object_retire_used(), by a caller that has no use of it */
int wddm_object_retire(struct wddm_object *obj)
{
	return wddm_object_retire_used(obj, 0);
}

/* Destroying @obj has failed: it is as before wddm_object_retire() */
void wddm_object_unretire(struct wddm_object *obj)
{
	atomic_set(&obj->uses, 0);
}
