// SPDX-License-Identifier: GPL-2.0-only
/* What the calls that are swept work with */
#include <string.h>

#include "scene.h"

void scene_init(struct scene *s, struct env *env)
{
	int memfd;

	memset(s, 0, sizeof(*s));
	s->env = env;
	s->ctx = -1;
	s->va = anon_pages(SCENE_PAGES);
	s->huge = huge_page();
	s->shared = shared_pages(SCENE_PAGES, &memfd);
	close(memfd);
	CHECK(!ioas_alloc(env->iommufd, &s->ioas));
}

void set_descs(struct scene *s, const void *va, size_t bytes, __u32 flags)
{
	s->descs[0] = wddm_desc(va, bytes, flags);
	s->num_descs = 1;
}

/* Every second descriptor has two pages, and no two are neighbours */
void want_descs(struct scene *s, __u32 num)
{
	for (__u32 i = 0; i < num; i++)
		s->descs[i] = wddm_desc(s->va + (SCENE_PAGES - 2 * (i + 1)) *
							PAGE_SIZE,
					(1 + i % 2) * PAGE_SIZE, MDL_WRITE);
	s->num_descs = num;
}

void want_chain(struct scene *s)
{
	want_descs(s, 3);
}

int do_lock(struct scene *s)
{
	struct wddmcompat_mdl_lock cmd = {
		.size = sizeof(cmd),
		.descs = (uintptr_t)s->descs,
		.num_descs = s->num_descs,
	};
	const int rc = wddm_ioctl(s->env->ctx, WDDMCOMPAT_MDL_LOCK, &cmd);

	s->told = cmd.out_mdl;
	if (!rc)
		s->mdl = cmd.out_mdl;
	return rc;
}

void undo_lock(struct scene *s)
{
	SURE(wddm_unlock(s->env->ctx, s->mdl) == LIVE);
	s->mdl = 0;
}

void lock_wanted(struct scene *s)
{
	SURE(!do_lock(s));
}

void lock_chain(struct scene *s)
{
	want_chain(s);
	lock_wanted(s);
}

int state_of(const struct scene *s, __u64 handle)
{
	struct wddmcompat_query cmd;

	return wddm_query(s->env->ctx, handle, &cmd) ?: (int)cmd.out_state;
}

int do_raw_unmap(struct scene *s)
{
	return ioas_unmap_range(s->env->iommufd, s->env->ioas, FIXED_IOVA,
				CHAIN_BYTES);
}

void close_second(struct scene *s)
{
	SURE(!close(s->ctx));
	s->ctx = -1;
}

void prepare_bind(struct scene *s)
{
	s->ctx = open_context();
	SURE(s->ctx >= 0);
}

int bind_second(struct scene *s)
{
	return wddm_bind(s->ctx, s->env->iommufd, NULL);
}

void bind_new(struct scene *s)
{
	prepare_bind(s);
	SURE(!bind_second(s));
}

/* Only its end unbinds a context */
void undo_bind(struct scene *s)
{
	close_second(s);
	prepare_bind(s);
}

/* Close, with everything that there can be */
void fill_second(struct scene *s)
{
	__u64 adapter, mdl, iova = FIXED_IOVA, memory;

	bind_new(s);
	SURE(!wddm_adapter_create(s->ctx, s->env->ioas, &adapter));
	want_chain(s);
	SURE(!wddm_lock_chain(s->ctx, s->descs, s->num_descs, &mdl));
	SURE(!wddm_map_all(s->ctx, adapter, mdl, MAP_WRITE | MAP_AT, &iova,
			   &memory));
	SURE(!do_raw_unmap(s));
	SURE(!wddm_map_all(s->ctx, adapter, mdl, MAP_WRITE | MAP_AT, &iova,
			   &memory));
}

int do_close(struct scene *s)
{
	return close(s->ctx) ? -errno : 0;
}

/* Whatever failed, it is closed */
int settle_close(struct scene *s, int rc)
{
	SURE(!rc);
	SURE(!ioas_unmap_all(s->env->iommufd, s->env->ioas));
	return 0;
}

