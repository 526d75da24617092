/* SPDX-License-Identifier: GPL-2.0-only */
/* What the calls that are swept (see sweep.h) work with, and the steps they share */
#ifndef __WDDMCOMPAT_SELFTESTS_SCENE_H
#define __WDDMCOMPAT_SELFTESTS_SCENE_H

#include "fixture.h"

/* Descriptors of the longest chain: more than there are bits in a word */
#define SCENE_DESCS 66
#define SCENE_PAGES (2 * SCENE_DESCS)
#define SCENE_BATCH 3

/**
 * struct scene - What calls work with
 * @env: A context, an iommufd, an adapter
 * @va: SCENE_PAGES of memory
 * @huge: A huge page
 * @shared: SCENE_PAGES of shared memory
 * @descs: What is locked
 * @num_descs: Descriptors in @descs
 * @mdl: What has been locked, or 0
 * @map: Arguments of a mapping
 * @memory: What has been mapped, or 0
 * @told: Handle in the answer of the call, or 0
 * @logical: Logical addresses
 * @locks: Entries of a batch, as are the next two
 * @maps: The same
 * @unmaps: The same
 * @results: What came of them
 * @ctx: Another context, or -1
 * @node_adapter: An adapter of that
 * @node_mdl: An MDL of that
 * @ioas: Another IOAS
 * @adapter: Another adapter
 */
struct scene {
	struct env *env;
	__u8 *va;
	__u8 *huge;
	__u8 *shared;
	struct wddmcompat_mdl_desc descs[SCENE_DESCS];
	__u32 num_descs;
	__u64 mdl;
	struct wddmcompat_map map;
	__u64 memory;
	__u64 told;
	__u64 logical[SCENE_DESCS];
	struct wddmcompat_mdl_lock locks[SCENE_BATCH];
	struct wddmcompat_map maps[SCENE_BATCH];
	struct wddmcompat_unmap unmaps[SCENE_BATCH];
	__s32 results[SCENE_BATCH];
	int ctx;
	__u64 node_adapter;
	__u64 node_mdl;
	__u32 ioas;
	__u64 adapter;
};

void scene_init(struct scene *s, struct env *env);

/* As CHECK(), and says what sweep() was at */
void sure(bool so, const char *what, const char *file, int line);
#define SURE(cond) sure(cond, #cond, __FILE__, __LINE__)

/* Where mappings at a chosen address are, and the bytes of the chain of three */
#define FIXED_IOVA 0x40000000ULL
#define CHAIN_BYTES (4 * PAGE_SIZE)

void set_descs(struct scene *s, const void *va, size_t bytes, __u32 flags);
void want_descs(struct scene *s, __u32 num);
void want_chain(struct scene *s);
int do_lock(struct scene *s);
void undo_lock(struct scene *s);
void lock_wanted(struct scene *s);
void lock_chain(struct scene *s);
int state_of(const struct scene *s, __u64 handle);
int do_raw_unmap(struct scene *s);
void close_second(struct scene *s);
void prepare_bind(struct scene *s);
int bind_second(struct scene *s);
void bind_new(struct scene *s);
void undo_bind(struct scene *s);
void fill_second(struct scene *s);
int do_close(struct scene *s);
int settle_close(struct scene *s, int rc);

#endif
