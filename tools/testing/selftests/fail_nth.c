// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every ioctl, and what else a program can do to a context, with each point on its way
 * failing: sweep.h tells what must hold. With and without a device, because an IOAS
 * without one has no page tables and takes other ways in the kernel. What the carrier
 * does for the program is in fail_carrier.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "edu.h"
#include "failing.h"
#include "kselftest_harness.h"
#include "sweep.h"
#include "tally.h"

/* Locking */

static void want_page(struct scene *s)
{
	set_descs(s, s->va, PAGE_SIZE, MDL_WRITE);
}

static void want_read_only(struct scene *s)
{
	set_descs(s, s->va + 100, 3 * PAGE_SIZE, 0);
}

static void want_huge(struct scene *s)
{
	set_descs(s, s->huge, HUGE_SIZE, MDL_WRITE);
}

static void want_shared(struct scene *s)
{
	set_descs(s, s->shared, 5 * PAGE_SIZE, MDL_WRITE);
}

static void want_long_chain(struct scene *s)
{
	want_descs(s, SCENE_DESCS);
}

static int unlock(struct scene *s)
{
	const int state = wddm_unlock(s->env->ctx, s->mdl);

	return state < 0 ? state : 0;
}

static void lock_long_chain(struct scene *s)
{
	want_long_chain(s);
	lock_wanted(s);
}

/* Mapping */

static void want_map(struct scene *s, __u32 flags)
{
	s->map = (struct wddmcompat_map){
		.size = sizeof(s->map),
		.flags = flags | MAP_WRITE,
		.adapter = s->env->adapter,
		.mdl = s->mdl,
		.iova = flags & MAP_AT ? FIXED_IOVA : 0,
	};
}

static int map(struct scene *s)
{
	struct wddmcompat_map cmd = s->map;
	const int rc = wddm_ioctl(s->env->ctx, WDDMCOMPAT_MAP, &cmd);

	s->told = cmd.out_memory;
	if (!rc)
		s->memory = cmd.out_memory;
	return rc;
}

static int unmap(struct scene *s)
{
	const int state = wddm_unmap(s->env->ctx, s->env->adapter, s->memory);

	return state < 0 ? state : 0;
}

static void undo_map(struct scene *s)
{
	SURE(wddm_unmap(s->env->ctx, s->env->adapter, s->memory) == LIVE);
	s->memory = 0;
}

static void map_wanted(struct scene *s)
{
	SURE(!map(s));
	s->told = 0;
}

static void prepare_auto(struct scene *s)
{
	lock_chain(s);
	want_map(s, 0);
}

static void prepare_fixed(struct scene *s)
{
	lock_chain(s);
	want_map(s, MAP_AT);
}

static void prepare_logical(struct scene *s)
{
	prepare_auto(s);
	s->map.logical = (uintptr_t)s->logical;
	s->map.num_logical = s->num_descs;
}

/* The second page of the second descriptor, and what comes after it */
static void prepare_part(struct scene *s)
{
	prepare_auto(s);
	s->map.first_page = 2;
}

static void prepare_huge(struct scene *s)
{
	want_huge(s);
	lock_wanted(s);
	want_map(s, 0);
}

static void prepare_long(struct scene *s)
{
	lock_long_chain(s);
	want_map(s, MAP_AT);
}

static void prepare_mapped(struct scene *s)
{
	prepare_fixed(s);
	map_wanted(s);
}

static void prepare_mapped_long(struct scene *s)
{
	prepare_long(s);
	map_wanted(s);
}

static void finish_mapped(struct scene *s)
{
	undo_map(s);
	undo_lock(s);
}

/* Queries */

static int query(struct scene *s)
{
	struct wddmcompat_query cmd;

	return wddm_query(s->env->ctx, s->memory, &cmd);
}

static int info(struct scene *s)
{
	struct wddmcompat_info cmd = { .size = sizeof(cmd) };

	return wddm_ioctl(s->env->ctx, WDDMCOMPAT_INFO, &cmd);
}

static void undo_nothing(struct scene *s)
{
	(void)s;
}

/* Adapters */

static int adapter_create(struct scene *s)
{
	struct wddmcompat_adapter_create cmd = {
		.size = sizeof(cmd),
		.ioas_id = s->ioas,
	};
	const int rc =
		wddm_ioctl(s->env->ctx, WDDMCOMPAT_ADAPTER_CREATE, &cmd);

	s->told = cmd.out_adapter;
	if (!rc)
		s->adapter = cmd.out_adapter;
	return rc;
}

static int adapter_destroy(struct scene *s)
{
	return wddm_adapter_destroy(s->env->ctx, s->adapter);
}

static void undo_adapter_create(struct scene *s)
{
	SURE(!adapter_destroy(s));
}

static void create_adapter(struct scene *s)
{
	SURE(!adapter_create(s));
	s->told = 0;
}

/* A second adapter of the IOAS that has one, and maybe a device */
static void use_same_ioas(struct scene *s)
{
	s->ioas = s->env->ioas;
}

/* Contexts */

static void allow_open(mode_t mode)
{
	become_root();
	SURE(!chmod("/dev/wddmcompat", mode));
	become_user();
}

static void prepare_open(struct scene *s)
{
	(void)s;
	allow_open(0666);
}

static void finish_open(struct scene *s)
{
	(void)s;
	allow_open(0660);
}

static int open_second(struct scene *s)
{
	s->ctx = open("/dev/wddmcompat", O_RDWR | O_CLOEXEC);
	return s->ctx < 0 ? -errno : 0;
}

/* Batches */

#define UNTOUCHED 12345

static int batch(struct scene *s, __u32 what, void *entries)
{
	struct wddmcompat_batch cmd = {
		.size = sizeof(cmd),
		.cmd = what,
		.num_entries = SCENE_BATCH,
		.entries = (uintptr_t)entries,
		.results = (uintptr_t)s->results,
	};

	for (int i = 0; i < SCENE_BATCH; i++)
		s->results[i] = UNTOUCHED;
	return wddm_ioctl(s->env->ctx, WDDMCOMPAT_BATCH, &cmd);
}

/*
 * Entries are done whose result is 0, and no others. If not all are, those that are
 * have to be undone for all to be as before.
 */
static int settle_batch(struct scene *s, int rc,
			void (*undo)(struct scene *s, int i))
{
	int failed = 0;

	for (int i = 0; i < SCENE_BATCH; i++) {
		SURE((s->results[i] == UNTOUCHED) == !!rc);
		if (s->results[i])
			failed = s->results[i];
	}
	if (rc)
		return rc;
	for (int i = 0; failed && i < SCENE_BATCH; i++)
		if (!s->results[i])
			undo(s, i);
	return failed;
}

static void undo_batch(struct scene *s, void (*undo)(struct scene *s, int i))
{
	for (int i = 0; i < SCENE_BATCH; i++)
		undo(s, i);
}

static int batch_lock(struct scene *s)
{
	for (int i = 0; i < SCENE_BATCH; i++)
		s->locks[i] = (struct wddmcompat_mdl_lock){
			.size = sizeof(s->locks[i]),
			.descs = (uintptr_t)&s->descs[i],
			.num_descs = 1,
		};
	return batch(s, WDDMCOMPAT_CMD_MDL_LOCK, s->locks);
}

static void batch_unlock_one(struct scene *s, int i)
{
	SURE(wddm_unlock(s->env->ctx, s->locks[i].out_mdl) == LIVE);
}

static int settle_batch_lock(struct scene *s, int rc)
{
	return settle_batch(s, rc, batch_unlock_one);
}

static void undo_batch_lock(struct scene *s)
{
	undo_batch(s, batch_unlock_one);
}

static int batch_map(struct scene *s)
{
	for (int i = 0; i < SCENE_BATCH; i++)
		s->maps[i] = s->map;
	return batch(s, WDDMCOMPAT_CMD_MAP, s->maps);
}

static void batch_unmap_one(struct scene *s, int i)
{
	SURE(wddm_unmap(s->env->ctx, s->env->adapter, s->maps[i].out_memory) ==
	     LIVE);
}

static int settle_batch_map(struct scene *s, int rc)
{
	return settle_batch(s, rc, batch_unmap_one);
}

static void undo_batch_map(struct scene *s)
{
	undo_batch(s, batch_unmap_one);
}

static void batch_map_one(struct scene *s, int i)
{
	s->maps[i] = s->map;
	SURE(!wddm_map(s->env->ctx, &s->maps[i]));
}

static void prepare_batch_unmap(struct scene *s)
{
	prepare_auto(s);
	undo_batch(s, batch_map_one);
}

static int batch_unmap(struct scene *s)
{
	for (int i = 0; i < SCENE_BATCH; i++)
		s->unmaps[i] = (struct wddmcompat_unmap){
			.size = sizeof(s->unmaps[i]),
			.adapter = s->env->adapter,
			.memory = s->maps[i].out_memory,
		};
	return batch(s, WDDMCOMPAT_CMD_UNMAP, s->unmaps);
}

static int settle_batch_unmap(struct scene *s, int rc)
{
	return settle_batch(s, rc, batch_map_one);
}

static void undo_batch_unmap(struct scene *s)
{
	undo_batch(s, batch_map_one);
}

static void finish_batch_unmap(struct scene *s)
{
	undo_batch(s, batch_unmap_one);
	undo_lock(s);
}

/* What iommufd's own ioctl unmaps, with our callback on the way */

static void undo_raw_unmap(struct scene *s)
{
	SURE(wddm_unmap(s->env->ctx, s->env->adapter, s->memory) == REVOKED);
	map_wanted(s);
}

/* When it fails because iommufd could not answer, it has been done */
static int settle_raw_unmap(struct scene *s, int rc)
{
	if (!rc)
		SURE(state_of(s, s->memory) == REVOKED);
	else if (state_of(s, s->memory) == REVOKED)
		undo_raw_unmap(s);
	return rc;
}

static int raw_unlock(struct scene *s)
{
	const long bytes = ioas_unmap_all(s->env->iommufd, s->env->mdl_ioas);

	return bytes < 0 ? bytes : 0;
}

static void undo_raw_unlock(struct scene *s)
{
	SURE(wddm_unlock(s->env->ctx, s->mdl) == REVOKED);
	lock_wanted(s);
	s->told = 0;
}

static int settle_raw_unlock(struct scene *s, int rc)
{
	if (!rc)
		SURE(state_of(s, s->mdl) == REVOKED);
	else if (state_of(s, s->mdl) == REVOKED)
		undo_raw_unlock(s);
	return rc;
}

/* Events */

static void prepare_event(struct scene *s)
{
	prepare_mapped(s);
	SURE(!do_raw_unmap(s));
}

static int read_event(struct scene *s)
{
	struct wddmcompat_event event;

	if (read(s->env->ctx, &event, sizeof(event)) < 0)
		return -errno;
	return event.handle == s->memory ? 0 : -ENOMSG;
}

static int poll_event(struct scene *s)
{
	struct pollfd fd = { .fd = s->env->ctx, .events = POLLIN };

	if (poll(&fd, 1, 0) < 0)
		return -errno;
	return fd.revents == POLLIN ? 0 : -ENOMSG;
}

/* What has been read does not come again */
static void undo_read_event(struct scene *s)
{
	struct pollfd fd = { .fd = s->env->ctx, .events = POLLIN };

	SURE(!poll(&fd, 1, 0));
	undo_raw_unmap(s);
	SURE(!do_raw_unmap(s));
}

static void finish_event(struct scene *s)
{
	SURE(wddm_unmap(s->env->ctx, s->env->adapter, s->memory) == REVOKED);
	s->memory = 0;
	undo_lock(s);
}

/* The table */

/*
 * Handles, of a context whose table has no room: what allocates one first needs another
 * node of the tree. A table keeps the nodes that it has, so each time with a new one.
 */

#define NODE_SLOTS 64

static void fill_node(struct scene *s)
{
	__u64 adapter;

	bind_new(s);
	for (int i = 1; i < NODE_SLOTS; i++)
		SURE(!wddm_adapter_create(s->ctx, s->env->ioas, &adapter));
	s->node_adapter = adapter;
	SURE(!wddm_lock(s->ctx, s->va, PAGE_SIZE, MDL_WRITE, &s->node_mdl));
}

static int node_adapter_create(struct scene *s)
{
	return wddm_adapter_create(s->ctx, s->env->ioas, &s->told);
}

static void undo_node_adapter_create(struct scene *s)
{
	SURE(!wddm_adapter_destroy(s->ctx, s->told));
}

static int node_lock(struct scene *s)
{
	return wddm_lock(s->ctx, s->va, PAGE_SIZE, MDL_WRITE, &s->told);
}

static void undo_node_lock(struct scene *s)
{
	SURE(wddm_unlock(s->ctx, s->told) == LIVE);
}

static int node_map(struct scene *s)
{
	__u64 iova = FIXED_IOVA;

	return wddm_map_all(s->ctx, s->node_adapter, s->node_mdl,
			    MAP_WRITE | MAP_AT, &iova, &s->told);
}

static void undo_node_map(struct scene *s)
{
	SURE(wddm_unmap(s->ctx, s->node_adapter, s->told) == LIVE);
}

FIXTURE(fail_nth)
{
	struct env env;
	struct edu edu;
	struct scene scene;
};

FIXTURE_VARIANT(fail_nth)
{
	struct entry entry;
};

FIXTURE_VARIANT_ADD(fail_nth, open_context)
{
	.entry.name = "open_context",
	.entry.prepare = prepare_open,
	.entry.call = open_second,
	.entry.undo = close_second,
	.entry.finish = finish_open,
};

FIXTURE_VARIANT_ADD(fail_nth, bind)
{
	.entry.name = "bind",
	.entry.prepare = prepare_bind,
	.entry.call = bind_second,
	.entry.undo = undo_bind,
	.entry.finish = close_second,
};

FIXTURE_VARIANT_ADD(fail_nth, close_empty)
{
	.entry.name = "close_empty",
	.entry.prepare = bind_new,
	.entry.call = do_close,
	.entry.settle = settle_close,
	.entry.undo = bind_new,
	.entry.finish = close_second,
};

FIXTURE_VARIANT_ADD(fail_nth, close_with_objects)
{
	.entry.name = "close_with_objects",
	.entry.prepare = fill_second,
	.entry.call = do_close,
	.entry.settle = settle_close,
	.entry.undo = fill_second,
	.entry.finish = close_second,
};

FIXTURE_VARIANT_ADD(fail_nth, info)
{
	.entry.name = "info",
	.entry.call = info,
	.entry.undo = undo_nothing,
};

FIXTURE_VARIANT_ADD(fail_nth, adapter_create)
{
	.entry.name = "adapter_create",
	.entry.call = adapter_create,
	.entry.undo = undo_adapter_create,
};

FIXTURE_VARIANT_ADD(fail_nth, adapter_create_again)
{
	.entry.name = "adapter_create_again",
	.entry.prepare = use_same_ioas,
	.entry.call = adapter_create,
	.entry.undo = undo_adapter_create,
};

FIXTURE_VARIANT_ADD(fail_nth, adapter_destroy)
{
	.entry.name = "adapter_destroy",
	.entry.prepare = create_adapter,
	.entry.call = adapter_destroy,
	.entry.undo = create_adapter,
	.entry.finish = undo_adapter_create,
};

FIXTURE_VARIANT_ADD(fail_nth, adapter_create_node)
{
	.entry.name = "adapter_create_node",
	.entry.prepare = fill_node,
	.entry.call = node_adapter_create,
	.entry.undo = undo_node_adapter_create,
	.entry.finish = close_second,
};

FIXTURE_VARIANT_ADD(fail_nth, lock_node)
{
	.entry.name = "lock_node",
	.entry.prepare = fill_node,
	.entry.call = node_lock,
	.entry.undo = undo_node_lock,
	.entry.finish = close_second,
	.entry.also = ESTALE,
};

FIXTURE_VARIANT_ADD(fail_nth, map_node)
{
	.entry.name = "map_node",
	.entry.prepare = fill_node,
	.entry.call = node_map,
	.entry.undo = undo_node_map,
	.entry.finish = close_second,
};

FIXTURE_VARIANT_ADD(fail_nth, lock_page)
{
	.entry.name = "lock_page",
	.entry.prepare = want_page,
	.entry.call = do_lock,
	.entry.undo = undo_lock,
	.entry.also = ESTALE,
};

FIXTURE_VARIANT_ADD(fail_nth, lock_read_only)
{
	.entry.name = "lock_read_only",
	.entry.prepare = want_read_only,
	.entry.call = do_lock,
	.entry.undo = undo_lock,
	.entry.also = ESTALE,
};

FIXTURE_VARIANT_ADD(fail_nth, lock_huge)
{
	.entry.name = "lock_huge",
	.entry.prepare = want_huge,
	.entry.call = do_lock,
	.entry.undo = undo_lock,
	.entry.also = ESTALE,
};

FIXTURE_VARIANT_ADD(fail_nth, lock_shared)
{
	.entry.name = "lock_shared",
	.entry.prepare = want_shared,
	.entry.call = do_lock,
	.entry.undo = undo_lock,
	.entry.also = ESTALE,
};

FIXTURE_VARIANT_ADD(fail_nth, lock_chain)
{
	.entry.name = "lock_chain",
	.entry.prepare = want_chain,
	.entry.call = do_lock,
	.entry.undo = undo_lock,
	.entry.also = ESTALE,
};

FIXTURE_VARIANT_ADD(fail_nth, lock_long_chain)
{
	.entry.name = "lock_long_chain",
	.entry.prepare = want_long_chain,
	.entry.call = do_lock,
	.entry.undo = undo_lock,
	.entry.also = ESTALE,
	.entry.step = 17,
};

FIXTURE_VARIANT_ADD(fail_nth, map)
{
	.entry.name = "map",
	.entry.prepare = prepare_auto,
	.entry.call = map,
	.entry.undo = undo_map,
	.entry.finish = undo_lock,
};

FIXTURE_VARIANT_ADD(fail_nth, map_fixed)
{
	.entry.name = "map_fixed",
	.entry.prepare = prepare_fixed,
	.entry.call = map,
	.entry.undo = undo_map,
	.entry.finish = undo_lock,
};

FIXTURE_VARIANT_ADD(fail_nth, map_logical)
{
	.entry.name = "map_logical",
	.entry.prepare = prepare_logical,
	.entry.call = map,
	.entry.undo = undo_map,
	.entry.finish = undo_lock,
};

FIXTURE_VARIANT_ADD(fail_nth, map_part)
{
	.entry.name = "map_part",
	.entry.prepare = prepare_part,
	.entry.call = map,
	.entry.undo = undo_map,
	.entry.finish = undo_lock,
};

FIXTURE_VARIANT_ADD(fail_nth, map_huge)
{
	.entry.name = "map_huge",
	.entry.prepare = prepare_huge,
	.entry.call = map,
	.entry.undo = undo_map,
	.entry.finish = undo_lock,
};

FIXTURE_VARIANT_ADD(fail_nth, map_long_chain)
{
	.entry.name = "map_long_chain",
	.entry.prepare = prepare_long,
	.entry.call = map,
	.entry.undo = undo_map,
	.entry.finish = undo_lock,
	.entry.step = 17,
};

FIXTURE_VARIANT_ADD(fail_nth, query)
{
	.entry.name = "query",
	.entry.prepare = prepare_mapped,
	.entry.call = query,
	.entry.undo = undo_nothing,
	.entry.finish = finish_mapped,
};

FIXTURE_VARIANT_ADD(fail_nth, unmap)
{
	.entry.name = "unmap",
	.entry.prepare = prepare_mapped,
	.entry.call = unmap,
	.entry.undo = map_wanted,
	.entry.finish = finish_mapped,
};

FIXTURE_VARIANT_ADD(fail_nth, unmap_long_chain)
{
	.entry.name = "unmap_long_chain",
	.entry.prepare = prepare_mapped_long,
	.entry.call = unmap,
	.entry.undo = map_wanted,
	.entry.finish = finish_mapped,
};

FIXTURE_VARIANT_ADD(fail_nth, unlock)
{
	.entry.name = "unlock",
	.entry.prepare = lock_chain,
	.entry.call = unlock,
	.entry.undo = lock_wanted,
	.entry.finish = undo_lock,
};

FIXTURE_VARIANT_ADD(fail_nth, unlock_long_chain)
{
	.entry.name = "unlock_long_chain",
	.entry.prepare = lock_long_chain,
	.entry.call = unlock,
	.entry.undo = lock_wanted,
	.entry.finish = undo_lock,
};

FIXTURE_VARIANT_ADD(fail_nth, batch_lock)
{
	.entry.name = "batch_lock",
	.entry.prepare = want_chain,
	.entry.call = batch_lock,
	.entry.settle = settle_batch_lock,
	.entry.undo = undo_batch_lock,
	.entry.also = ESTALE,
};

FIXTURE_VARIANT_ADD(fail_nth, batch_map)
{
	.entry.name = "batch_map",
	.entry.prepare = prepare_auto,
	.entry.call = batch_map,
	.entry.settle = settle_batch_map,
	.entry.undo = undo_batch_map,
	.entry.finish = undo_lock,
};

FIXTURE_VARIANT_ADD(fail_nth, batch_unmap)
{
	.entry.name = "batch_unmap",
	.entry.prepare = prepare_batch_unmap,
	.entry.call = batch_unmap,
	.entry.settle = settle_batch_unmap,
	.entry.undo = undo_batch_unmap,
	.entry.finish = finish_batch_unmap,
};

FIXTURE_VARIANT_ADD(fail_nth, raw_unmap)
{
	.entry.name = "raw_unmap",
	.entry.prepare = prepare_mapped,
	.entry.call = do_raw_unmap,
	.entry.settle = settle_raw_unmap,
	.entry.undo = undo_raw_unmap,
	.entry.finish = finish_mapped,
};

FIXTURE_VARIANT_ADD(fail_nth, raw_unlock)
{
	.entry.name = "raw_unlock",
	.entry.prepare = lock_chain,
	.entry.call = raw_unlock,
	.entry.settle = settle_raw_unlock,
	.entry.undo = undo_raw_unlock,
	.entry.finish = undo_lock,
};

FIXTURE_VARIANT_ADD(fail_nth, read_event)
{
	.entry.name = "read_event",
	.entry.prepare = prepare_event,
	.entry.call = read_event,
	.entry.undo = undo_read_event,
	.entry.finish = finish_event,
};

FIXTURE_VARIANT_ADD(fail_nth, poll_event)
{
	.entry.name = "poll_event",
	.entry.prepare = prepare_event,
	.entry.call = poll_event,
	.entry.undo = undo_nothing,
	.entry.finish = finish_event,
};

FIXTURE_SETUP(fail_nth)
{
	self->edu.fd = -1;
	ASSERT_EQ(0, env_open(&self->env));
	scene_init(&self->scene, &self->env);
}

FIXTURE_TEARDOWN(fail_nth)
{
	edu_close(&self->edu);
	EXPECT_TRUE(env_close(&self->env));
}

TEST_F_TIMEOUT(fail_nth, no_device, SWEEP_TIMEOUT)
{
	static const struct injector injector = {
		"no device", thread_fails, thread_failed,
	};

	sweep(&self->scene, &variant->entry, &injector);
}

TEST_F_TIMEOUT(fail_nth, device, SWEEP_TIMEOUT)
{
	static const struct injector injector = {
		"device", thread_fails, thread_failed,
	};

	ASSERT_EQ(0, edu_open(&self->edu, 0, self->env.iommufd));
	ASSERT_EQ(0, edu_attach(&self->edu, self->env.ioas));
	sweep(&self->scene, &variant->entry, &injector);
}

int main(int argc, char **argv)
{
	tally_open("fail_nth");
	failing_setup();
	return test_harness_run(argc, argv);
}
