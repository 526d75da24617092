// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules common to all ioctls, tried on each of them: sizes, flags, reserved
 * members, bad memory. A command that was refused must not have done anything:
 * in the end the very same one succeeds.
 */
#include <string.h>

#include "fixture.h"
#include "kselftest_harness.h"

union command {
	__u32 size;
	struct {
		__u32 size;
		__u32 flags;
	} any;
	struct wddmcompat_info info;
	struct wddmcompat_bind bind;
	struct wddmcompat_adapter_create adapter_create;
	struct wddmcompat_adapter_destroy adapter_destroy;
	struct wddmcompat_mdl_lock mdl_lock;
	struct wddmcompat_mdl_unlock mdl_unlock;
	struct wddmcompat_map map;
	struct wddmcompat_unmap unmap;
	struct wddmcompat_query query;
	struct wddmcompat_batch batch;
};

/**
 * struct scene - Where one command is tried
 * @env: Where it comes from
 * @ctx: Context that gets the command
 * @area: Two pages of memory for the command, then one that is not accessible
 * @va: A page to lock
 * @desc: Describes @va
 * @ioas: An IOAS to make an adapter of
 * @mdl: @va, locked
 * @memory: @mdl, mapped
 * @entry: Of a batch
 * @result: Of a batch
 */
struct scene {
	struct env env;
	int ctx;
	__u8 *area;
	void *va;
	struct wddmcompat_mdl_desc desc;
	__u32 ioas;
	__u64 mdl;
	__u64 memory;
	struct wddmcompat_mdl_lock entry;
	__s32 result;
};

/* prepare() makes a command that will succeed, undo() removes what it did */

static int prepare_info(struct scene *scene, union command *cmd)
{
	scene->ctx = scene->env.ctx;
	cmd->info = (struct wddmcompat_info){ .size = sizeof(cmd->info) };
	return 0;
}

static int undo_info(struct scene *scene, const union command *cmd)
{
	(void)scene;
	return cmd->info.out_api_version == WDDMCOMPAT_API_VERSION ? 0 : -EPROTO;
}

static int prepare_bind(struct scene *scene, union command *cmd)
{
	scene->ctx = open_context();
	cmd->bind = (struct wddmcompat_bind){
		.size = sizeof(cmd->bind),
		.iommufd = scene->env.iommufd,
	};
	return scene->ctx < 0 ? scene->ctx : 0;
}

static int undo_bind(struct scene *scene, const union command *cmd)
{
	(void)cmd;
	close(scene->ctx);
	return 0;
}

static int prepare_adapter_create(struct scene *scene, union command *cmd)
{
	int rc = ioas_alloc(scene->env.iommufd, &scene->ioas);

	cmd->adapter_create = (struct wddmcompat_adapter_create){
		.size = sizeof(cmd->adapter_create),
		.ioas_id = scene->ioas,
	};
	return rc;
}

static int undo_adapter_create(struct scene *scene, const union command *cmd)
{
	return wddm_adapter_destroy(scene->ctx,
				    cmd->adapter_create.out_adapter) ?:
	       iommufd_destroy(scene->env.iommufd, scene->ioas);
}

static int prepare_adapter_destroy(struct scene *scene, union command *cmd)
{
	__u64 adapter = 0;
	int rc = ioas_alloc(scene->env.iommufd, &scene->ioas) ?:
		 wddm_adapter_create(scene->ctx, scene->ioas, &adapter);

	cmd->adapter_destroy = (struct wddmcompat_adapter_destroy){
		.size = sizeof(cmd->adapter_destroy),
		.adapter = adapter,
	};
	return rc;
}

static int undo_adapter_destroy(struct scene *scene, const union command *cmd)
{
	(void)cmd;
	return iommufd_destroy(scene->env.iommufd, scene->ioas);
}

static int prepare_mdl_lock(struct scene *scene, union command *cmd)
{
	cmd->mdl_lock = (struct wddmcompat_mdl_lock){
		.size = sizeof(cmd->mdl_lock),
		.descs = (uintptr_t)&scene->desc,
		.num_descs = 1,
	};
	return 0;
}

static int undo_mdl_lock(struct scene *scene, const union command *cmd)
{
	return wddm_unlock(scene->ctx, cmd->mdl_lock.out_mdl);
}

static int prepare_mdl_unlock(struct scene *scene, union command *cmd)
{
	int rc = wddm_lock_chain(scene->ctx, &scene->desc, 1, &scene->mdl);

	cmd->mdl_unlock = (struct wddmcompat_mdl_unlock){
		.size = sizeof(cmd->mdl_unlock),
		.mdl = scene->mdl,
	};
	return rc;
}

static int undo_mdl_unlock(struct scene *scene, const union command *cmd)
{
	(void)scene;
	return cmd->mdl_unlock.out_state;
}

static int prepare_map(struct scene *scene, union command *cmd)
{
	int rc = wddm_lock_chain(scene->ctx, &scene->desc, 1, &scene->mdl);

	cmd->map = (struct wddmcompat_map){
		.size = sizeof(cmd->map),
		.adapter = scene->env.adapter,
		.mdl = scene->mdl,
	};
	return rc;
}

static int undo_map(struct scene *scene, const union command *cmd)
{
	return wddm_unmap(scene->ctx, scene->env.adapter,
			  cmd->map.out_memory) ?:
	       wddm_unlock(scene->ctx, scene->mdl);
}

static int map_a_page(struct scene *scene)
{
	__u64 iova = 0;

	return wddm_lock_chain(scene->ctx, &scene->desc, 1, &scene->mdl) ?:
	       wddm_map_all(scene->ctx, scene->env.adapter, scene->mdl, 0,
			    &iova, &scene->memory);
}

static int prepare_unmap(struct scene *scene, union command *cmd)
{
	int rc = map_a_page(scene);

	cmd->unmap = (struct wddmcompat_unmap){
		.size = sizeof(cmd->unmap),
		.adapter = scene->env.adapter,
		.memory = scene->memory,
	};
	return rc;
}

static int undo_unmap(struct scene *scene, const union command *cmd)
{
	return (int)cmd->unmap.out_state ?:
	       wddm_unlock(scene->ctx, scene->mdl);
}

static int prepare_query(struct scene *scene, union command *cmd)
{
	int rc = map_a_page(scene);

	cmd->query = (struct wddmcompat_query){
		.size = sizeof(cmd->query),
		.handle = scene->memory,
	};
	return rc;
}

static int undo_query(struct scene *scene, const union command *cmd)
{
	if (cmd->query.out_mdl != scene->mdl)
		return -EPROTO;
	return wddm_unmap(scene->ctx, scene->env.adapter, scene->memory) ?:
	       wddm_unlock(scene->ctx, scene->mdl);
}

static int prepare_batch(struct scene *scene, union command *cmd)
{
	scene->entry = (struct wddmcompat_mdl_lock){
		.size = sizeof(scene->entry),
		.descs = (uintptr_t)&scene->desc,
		.num_descs = 1,
	};
	scene->result = -1;
	cmd->batch = (struct wddmcompat_batch){
		.size = sizeof(cmd->batch),
		.cmd = WDDMCOMPAT_CMD_MDL_LOCK,
		.num_entries = 1,
		.entries = (uintptr_t)&scene->entry,
		.results = (uintptr_t)&scene->result,
	};
	return 0;
}

static int undo_batch(struct scene *scene, const union command *cmd)
{
	if (scene->result || cmd->batch.out_num_done != 1)
		return -EPROTO;
	return wddm_unlock(scene->ctx, scene->entry.out_mdl);
}

FIXTURE(ioctl)
{
	struct scene scene;
};

FIXTURE_VARIANT(ioctl)
{
	unsigned long cmd;
	size_t size;
	__u32 flags;
	size_t reserved;
	int (*prepare)(struct scene *scene, union command *cmd);
	int (*undo)(struct scene *scene, const union command *cmd);
	bool without_iommufd;
	bool no_output;
};

FIXTURE_VARIANT_ADD(ioctl, info)
{
	.cmd = WDDMCOMPAT_INFO,
	.size = sizeof(struct wddmcompat_info),
	.without_iommufd = true,
	.prepare = prepare_info,
	.undo = undo_info,
};

FIXTURE_VARIANT_ADD(ioctl, bind)
{
	.cmd = WDDMCOMPAT_BIND,
	.size = sizeof(struct wddmcompat_bind),
	.without_iommufd = true,
	.prepare = prepare_bind,
	.undo = undo_bind,
};

FIXTURE_VARIANT_ADD(ioctl, adapter_create)
{
	.cmd = WDDMCOMPAT_ADAPTER_CREATE,
	.size = sizeof(struct wddmcompat_adapter_create),
	.reserved = offsetof(struct wddmcompat_adapter_create, __reserved),
	.prepare = prepare_adapter_create,
	.undo = undo_adapter_create,
};

FIXTURE_VARIANT_ADD(ioctl, adapter_destroy)
{
	.cmd = WDDMCOMPAT_ADAPTER_DESTROY,
	.size = sizeof(struct wddmcompat_adapter_destroy),
	.no_output = true,
	.prepare = prepare_adapter_destroy,
	.undo = undo_adapter_destroy,
};

FIXTURE_VARIANT_ADD(ioctl, mdl_lock)
{
	.cmd = WDDMCOMPAT_MDL_LOCK,
	.size = sizeof(struct wddmcompat_mdl_lock),
	.reserved = offsetof(struct wddmcompat_mdl_lock, __reserved),
	.prepare = prepare_mdl_lock,
	.undo = undo_mdl_lock,
};

FIXTURE_VARIANT_ADD(ioctl, mdl_unlock)
{
	.cmd = WDDMCOMPAT_MDL_UNLOCK,
	.size = sizeof(struct wddmcompat_mdl_unlock),
	.reserved = offsetof(struct wddmcompat_mdl_unlock, __reserved),
	.prepare = prepare_mdl_unlock,
	.undo = undo_mdl_unlock,
};

FIXTURE_VARIANT_ADD(ioctl, map)
{
	.cmd = WDDMCOMPAT_MAP,
	.size = sizeof(struct wddmcompat_map),
	.flags = MAP_WRITE | MAP_AT,
	.reserved = offsetof(struct wddmcompat_map, __reserved),
	.prepare = prepare_map,
	.undo = undo_map,
};

FIXTURE_VARIANT_ADD(ioctl, unmap)
{
	.cmd = WDDMCOMPAT_UNMAP,
	.size = sizeof(struct wddmcompat_unmap),
	.reserved = offsetof(struct wddmcompat_unmap, __reserved),
	.prepare = prepare_unmap,
	.undo = undo_unmap,
};

FIXTURE_VARIANT_ADD(ioctl, query)
{
	.cmd = WDDMCOMPAT_QUERY,
	.size = sizeof(struct wddmcompat_query),
	.prepare = prepare_query,
	.undo = undo_query,
};

FIXTURE_VARIANT_ADD(ioctl, batch)
{
	.cmd = WDDMCOMPAT_BATCH,
	.size = sizeof(struct wddmcompat_batch),
	.prepare = prepare_batch,
	.undo = undo_batch,
};

FIXTURE_SETUP(ioctl)
{
	struct scene *scene = &self->scene;

	ASSERT_EQ(0, env_open(&scene->env));
	scene->ctx = scene->env.ctx;
	scene->area = anon_pages(3);
	ASSERT_EQ(0, mprotect(scene->area + 2 * PAGE_SIZE, PAGE_SIZE,
			      PROT_NONE));
	scene->va = anon_pages(1);
	scene->desc = wddm_desc(scene->va, PAGE_SIZE, MDL_WRITE);
}

FIXTURE_TEARDOWN(ioctl)
{
	EXPECT_TRUE(env_close(&self->scene.env));
}

TEST_F(ioctl, takes_longer_structures)
{
	const size_t lengths[] = { variant->size, variant->size + 1,
				   variant->size + 8, PAGE_SIZE - 1,
				   PAGE_SIZE };
	union command *cmd = (void *)self->scene.area;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		ASSERT_EQ(0, variant->prepare(&self->scene, cmd));
		cmd->size = lengths[i];
		ASSERT_EQ(0, wddm_ioctl(self->scene.ctx, variant->cmd, cmd));
		EXPECT_EQ(lengths[i], cmd->size);
		EXPECT_TRUE(is_zero(self->scene.area + variant->size,
				    2 * PAGE_SIZE - variant->size));
		ASSERT_EQ(0, variant->undo(&self->scene, cmd));
	}
}

TEST_F(ioctl, refuses_wrong_lengths)
{
	union command *cmd = (void *)self->scene.area;
	const int last = PAGE_SIZE - 1;
	long pins;

	ASSERT_EQ(0, variant->prepare(&self->scene, cmd));
	pins = pinned_pages();

	for (__u32 size = 0; size < variant->size; size++) {
		cmd->size = size;
		EXPECT_EQ(-EINVAL,
			  wddm_ioctl(self->scene.ctx, variant->cmd, cmd));
	}
	/* What the kernel does not know: its first byte, then its last */
	cmd->size = variant->size + 1;
	self->scene.area[variant->size] = 1;
	EXPECT_EQ(-E2BIG, wddm_ioctl(self->scene.ctx, variant->cmd, cmd));
	cmd->size = last + 1;
	EXPECT_EQ(-E2BIG, wddm_ioctl(self->scene.ctx, variant->cmd, cmd));
	self->scene.area[variant->size] = 0;
	self->scene.area[last] = 0x80;
	EXPECT_EQ(-E2BIG, wddm_ioctl(self->scene.ctx, variant->cmd, cmd));
	/* Nothing that takes more than a page, whatever is in it */
	self->scene.area[last] = 0;
	cmd->size = PAGE_SIZE + 1;
	EXPECT_EQ(-E2BIG, wddm_ioctl(self->scene.ctx, variant->cmd, cmd));
	cmd->size = UINT32_MAX;
	EXPECT_EQ(-E2BIG, wddm_ioctl(self->scene.ctx, variant->cmd, cmd));

	/* It is none of our business what lies behind the structure */
	self->scene.area[last] = 0x80;
	EXPECT_EQ(pins, pinned_pages());
	cmd->size = variant->size;
	ASSERT_EQ(0, wddm_ioctl(self->scene.ctx, variant->cmd, cmd));
	EXPECT_EQ(0x80, self->scene.area[last]);
	EXPECT_EQ(0, variant->undo(&self->scene, cmd));
}

TEST_F(ioctl, refuses_unknown_flags)
{
	union command *cmd = (void *)self->scene.area;
	long pins;

	ASSERT_EQ(0, variant->prepare(&self->scene, cmd));
	pins = pinned_pages();

	for (int bit = 0; bit < 32; bit++) {
		if (variant->flags & 1U << bit)
			continue;
		cmd->any.flags = 1U << bit;
		EXPECT_EQ(-EOPNOTSUPP,
			  wddm_ioctl(self->scene.ctx, variant->cmd, cmd));
	}
	cmd->any.flags = 0;
	if (variant->reserved) {
		__u8 *reserved = self->scene.area + variant->reserved;

		for (size_t i = 0; i < sizeof(__u32); i++) {
			reserved[i] = 1;
			EXPECT_EQ(-EOPNOTSUPP,
				  wddm_ioctl(self->scene.ctx, variant->cmd,
					     cmd));
			reserved[i] = 0;
		}
	}

	EXPECT_EQ(pins, pinned_pages());
	ASSERT_EQ(0, wddm_ioctl(self->scene.ctx, variant->cmd, cmd));
	EXPECT_EQ(0, variant->undo(&self->scene, cmd));
}

TEST_F(ioctl, refuses_bad_memory)
{
	union command *cmd = (void *)self->scene.area;
	__u8 *end = self->scene.area + 2 * PAGE_SIZE;
	void *at_end = end - variant->size;
	void *const bad[] = {
		NULL, end, end - 4, (void *)0xffff888000000000,
		(void *)0x8000000000000000, (void *)-4096L,
	};
	long pins;

	ASSERT_EQ(0, variant->prepare(&self->scene, cmd));
	pins = pinned_pages();

	/* A size, but not all that it promises */
	cmd->size = variant->size;
	memcpy(end - 4, &cmd->size, 4);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EFAULT,
			  wddm_ioctl(self->scene.ctx, variant->cmd, bad[i]));
	memcpy(at_end, cmd, variant->size);
	((union command *)at_end)->size = variant->size + 1;
	EXPECT_EQ(-EFAULT, wddm_ioctl(self->scene.ctx, variant->cmd, at_end));
	((union command *)at_end)->size = UINT32_MAX;
	EXPECT_EQ(-E2BIG, wddm_ioctl(self->scene.ctx, variant->cmd, at_end));

	/* It can be read, but the answer cannot be written */
	if (!variant->no_output) {
		mprotect(cmd, PAGE_SIZE, PROT_READ);
		EXPECT_EQ(-EFAULT,
			  wddm_ioctl(self->scene.ctx, variant->cmd, cmd));
		mprotect(cmd, PAGE_SIZE, PROT_READ | PROT_WRITE);
	}
	EXPECT_EQ(pins, pinned_pages());

	/* Up to the last byte that there is */
	memcpy(at_end, cmd, variant->size);
	ASSERT_EQ(0, wddm_ioctl(self->scene.ctx, variant->cmd, at_end));
	EXPECT_EQ(0, variant->undo(&self->scene, at_end));
}

TEST_F(ioctl, needs_an_iommufd)
{
	union command *cmd = (void *)self->scene.area;
	int ctx;

	ASSERT_EQ(0, variant->prepare(&self->scene, cmd));
	ctx = open_context();
	ASSERT_LE(0, ctx);
	EXPECT_EQ(variant->without_iommufd ? 0 : -ENOTCONN,
		  wddm_ioctl(ctx, variant->cmd, cmd));
	close(ctx);
	ASSERT_EQ(0, wddm_ioctl(self->scene.ctx, variant->cmd, cmd));
	EXPECT_EQ(0, variant->undo(&self->scene, cmd));
}

TEST_HARNESS_MAIN
