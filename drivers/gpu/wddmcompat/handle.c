// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects and the 64-bit handles that name them.
 *
 * A handle is a type, a generation and an index:
 *
 *	63..60 type    59..24 generation    23..0 index
 *
 * The index is that of a slot. Slots come in chunks, one more whenever there is none
 * free, and stay until the table goes: when an object goes, its slot keeps the
 * generation that the next one gets. So no handle is ever used twice. A slot that has
 * seen every generation is retired.
 *
 * A slot has one word: the address of the object that its handle names, or, as no
 * address is odd, a *vacant* word:
 *
 *	61..26 generation    25..1 next free slot    0 one
 *
 * The slot that was given back last is the first to be used again: it is in the
 * caches. To find an object takes no more than the spinlock and its reference, so
 * there is little to gain by looking without it.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/bitfield.h>
#include <linux/bug.h>
#include <linux/err.h>
#include <linux/nospec.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "wddmcompat_private.h"

#define HANDLE_INDEX GENMASK_ULL(WDDM_HANDLE_INDEX_BITS - 1, 0)
#define HANDLE_GENERATION                                                     \
	GENMASK_ULL(WDDM_HANDLE_INDEX_BITS + WDDM_HANDLE_GENERATION_BITS - 1, \
		    WDDM_HANDLE_INDEX_BITS)
#define HANDLE_TYPE GENMASK_ULL(63, 60)
#define GENERATION_MASK GENMASK_ULL(WDDM_HANDLE_GENERATION_BITS - 1, 0)

#define VACANT BIT_ULL(0)
#define VACANT_NEXT GENMASK_ULL(WDDM_HANDLE_INDEX_BITS + 1, 1)
#define VACANT_GENERATION GENMASK_ULL(61, 26)

/* More than any index: the end of the list of free slots */
#define NO_SLOT BIT(WDDM_HANDLE_INDEX_BITS)

void wddm_handles_init(struct wddm_handle_table *table)
{
	spin_lock_init(&table->lock);
	mutex_init(&table->grow_lock);
	table->first_generation = get_random_u64() & GENERATION_MASK;
	table->num_slots = 0;
	table->first_free = NO_SLOT;
	memset(table->branches, 0, sizeof(table->branches));
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handles_init);

void wddm_handles_destroy(struct wddm_handle_table *table)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(table->branches); i++) {
		struct wddm_handle_branch *branch = table->branches[i];

		for (j = 0; branch && j < ARRAY_SIZE(branch->chunks); j++)
			kfree(branch->chunks[j]);
		kfree(branch);
	}
	mutex_destroy(&table->grow_lock);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handles_destroy);

enum wddmcompat_object_type wddm_handle_type(u64 handle)
{
	return FIELD_GET(HANDLE_TYPE, handle);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handle_type);

static u64 vacant_word(u64 generation, u32 next)
{
	return FIELD_PREP(VACANT_GENERATION, generation) |
	       FIELD_PREP(VACANT_NEXT, next) | VACANT;
}

/* A slot that is there */
static union wddm_handle_slot *slot_at(struct wddm_handle_table *table,
				       u32 index)
{
	const u32 chunk = index / WDDM_HANDLE_FANOUT;

	lockdep_assert_held(&table->lock);
	return &table->branches[chunk / WDDM_HANDLE_FANOUT]
			->chunks[chunk % WDDM_HANDLE_FANOUT]
			->slots[index % WDDM_HANDLE_FANOUT];
}

/* The object of a slot, if it is there and has one */
static struct wddm_object *slot_object(struct wddm_handle_table *table,
				       u32 index)
{
	const union wddm_handle_slot *slot;

	if (index >= table->num_slots)
		return NULL;
	/* It may be what user space has made up */
	slot = slot_at(table, array_index_nospec(index, table->num_slots));
	return slot->vacant & VACANT ? NULL : slot->obj;
}

/* For a part of the table */
void *wddm_handles_alloc(size_t size)
{
	KUNIT_STATIC_STUB_REDIRECT(wddm_handles_alloc, size);
	return kzalloc(size, GFP_KERNEL_ACCOUNT);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handles_alloc);

static int table_add_chunk(struct wddm_handle_table *table)
{
	const u32 first = table->num_slots;
	const u32 at = first / WDDM_HANDLE_FANOUT;
	struct wddm_handle_branch **branch;
	struct wddm_handle_chunk *chunk;
	u32 i;

	if (first > HANDLE_INDEX)
		return -ENOSPC;
	/* Nobody looks for what is not there yet */
	branch = &table->branches[at / WDDM_HANDLE_FANOUT];
	if (!*branch)
		*branch = wddm_handles_alloc(sizeof(**branch));
	chunk = wddm_handles_alloc(sizeof(*chunk));
	if (!*branch || !chunk) {
		kfree(chunk);
		return -ENOMEM;
	}
	(*branch)->chunks[at % WDDM_HANDLE_FANOUT] = chunk;

	spin_lock(&table->lock);
	for (i = WDDM_HANDLE_FANOUT; i--; table->first_free = first + i)
		chunk->slots[i].vacant = vacant_word(table->first_generation,
						     table->first_free);
	table->num_slots += WDDM_HANDLE_FANOUT;
	spin_unlock(&table->lock);
	return 0;
}

/* Make room, unless somebody else has since there were @num_slots */
static int table_grow(struct wddm_handle_table *table, u32 num_slots)
{
	int rc = 0;

	mutex_lock(&table->grow_lock);
	if (table->num_slots == num_slots)
		rc = table_add_chunk(table);
	mutex_unlock(&table->grow_lock);
	return rc;
}

/* Take the first free slot. Returns false when there is none of @num_slots. */
static bool table_take(struct wddm_handle_table *table, u32 *index,
		       u64 *generation, u32 *num_slots)
{
	u64 vacant;

	spin_lock(&table->lock);
	*num_slots = table->num_slots;
	*index = table->first_free;
	if (*index != NO_SLOT) {
		vacant = slot_at(table, *index)->vacant;
		*generation = FIELD_GET(VACANT_GENERATION, vacant);
		table->first_free = FIELD_GET(VACANT_NEXT, vacant);
	}
	spin_unlock(&table->lock);
	return *index != NO_SLOT;
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
	u32 index, num_slots;
	u64 generation;
	int rc;

	while (!table_take(table, &index, &generation, &num_slots)) {
		rc = table_grow(table, num_slots);
		if (rc)
			return rc;
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
	union wddm_handle_slot *slot;

	spin_lock(&table->lock);
	slot = slot_at(table, FIELD_GET(HANDLE_INDEX, obj->handle));
	WARN_ON(!(slot->vacant & VACANT));
	slot->obj = obj;
	spin_unlock(&table->lock);
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handle_publish);

/* The end of a handle, reserved or published */
void wddm_handle_release(struct wddm_handle_table *table, u64 handle)
{
	u64 next = (FIELD_GET(HANDLE_GENERATION, handle) + 1) & GENERATION_MASK;
	u32 index = FIELD_GET(HANDLE_INDEX, handle);

	spin_lock(&table->lock);
	slot_at(table, index)->vacant = vacant_word(next, table->first_free);
	if (next != table->first_generation)
		table->first_free = index;
	spin_unlock(&table->lock);
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

	spin_lock(&table->lock);
	obj = slot_object(table, FIELD_GET(HANDLE_INDEX, handle));
	if (!obj || obj->handle != handle)
		obj = ERR_PTR(-ENOENT);
	else
		wddm_object_get(obj);
	spin_unlock(&table->lock);
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

/* What slot @index names, without a reference: while nobody can make it go */
struct wddm_object *wddm_handle_at(struct wddm_handle_table *table, u32 index)
{
	struct wddm_object *obj;

	spin_lock(&table->lock);
	obj = slot_object(table, index);
	spin_unlock(&table->lock);
	return obj;
}
EXPORT_SYMBOL_IF_KUNIT(wddm_handle_at);

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
