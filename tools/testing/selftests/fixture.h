/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the self-tests share: short names for the ioctls, the surroundings that
 * every test starts from, and the search for leaks that every test ends with.
 *
 * Functions return 0 or a negative errno, unless it is said otherwise, so that a
 * test reads EXPECT_EQ(-EBUSY, wddm_unlock(...)).
 */
#ifndef __WDDMCOMPAT_SELFTESTS_FIXTURE_H
#define __WDDMCOMPAT_SELFTESTS_FIXTURE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/wddmcompat.h>

#define PAGE_SIZE ((size_t)getpagesize())
#define HUGE_SIZE ((size_t)2 << 20)

/* The only descriptor flag and the flag that it permits, by shorter names */
#define MDL_WRITE WDDMCOMPAT_MDL_WRITE_OPERATION
#define MAP_WRITE WDDMCOMPAT_MAP_WRITEABLE
#define MAP_AT WDDMCOMPAT_MAP_FIXED_IOVA

#define LIVE ((int)WDDMCOMPAT_STATE_LIVE)
#define REVOKED ((int)WDDMCOMPAT_STATE_REVOKED)

/* ioctls of the module */
int wddm_ioctl(int ctx, unsigned long cmd, void *arg);
int wddm_bind(int ctx, int iommufd, __u32 *mdl_ioas);
int wddm_adapter_create(int ctx, __u32 ioas, __u64 *adapter);
int wddm_adapter_destroy(int ctx, __u64 adapter);
struct wddmcompat_mdl_desc wddm_desc(const void *va, size_t bytes, __u32 flags);
int wddm_lock_chain(int ctx, const struct wddmcompat_mdl_desc *descs,
		    __u32 num_descs, __u64 *mdl);
int wddm_lock(int ctx, const void *va, size_t bytes, __u32 flags, __u64 *mdl);
int wddm_map(int ctx, struct wddmcompat_map *map);
int wddm_map_all(int ctx, __u64 adapter, __u64 mdl, __u32 flags, __u64 *iova,
		 __u64 *memory);
int wddm_query(int ctx, __u64 handle, struct wddmcompat_query *query);

/* These two return the state that the object was in, or a negative errno */
int wddm_unlock(int ctx, __u64 mdl);
int wddm_unmap(int ctx, __u64 adapter, __u64 memory);

/*
 * ioctls of iommufd. To unmap a range is -EMSGSIZE if there was more or less, to
 * unmap all returns the bytes that there were
 */
int ioas_alloc(int iommufd, __u32 *ioas);
int ioas_map(int iommufd, __u32 ioas, const void *va, size_t length,
	     __u64 *iova);
int ioas_map_fixed(int iommufd, __u32 ioas, const void *va, size_t length,
		   __u64 iova);
int ioas_unmap_range(int iommufd, __u32 ioas, __u64 iova, __u64 length);
long ioas_unmap_all(int iommufd, __u32 ioas);
int ioas_allow(int iommufd, __u32 ioas, __u64 first, __u64 last);
int iommufd_destroy(int iommufd, __u32 id);

/**
 * struct env - What a test starts from
 * @ctx: A context, bound to
 * @iommufd: this iommufd
 * @mdl_ioas: IOAS of the context's MDLs
 * @ioas: An IOAS of the test's own, made into
 * @adapter: this adapter
 * @pins: Pages that were pinned in the system when the test began
 * @users: Open contexts in the system when the test began
 * @leaves_objects: The test leaves objects to be torn down with the context
 *
 * The test runs as an ordinary user without capabilities, whose memory is
 * charged, and can become root for a while.
 */
struct env {
	int ctx;
	int iommufd;
	__u32 mdl_ioas;
	__u32 ioas;
	__u64 adapter;
	long pins;
	long users;
	bool leaves_objects;
};

int env_open(struct env *env);

/* Complains and returns false if something is left behind */
bool env_close(struct env *env);

int open_context(void);
int open_iommufd(void);

/* What the ordinary user may lock */
#define MEMLOCK_LIMIT ((size_t)64 << 20)

void become_root(void);
void become_user(void);
int set_memlock_limit(size_t bytes);

/* Pages pinned in the whole system, and of them those since @env was opened */
long pinned_pages(void);
long pins_since(const struct env *env);

/* Waits until there are none; false if there are some forever */
bool pins_are_back(const struct env *env);

/* The file of some memory has neither pins nor writable mappings */
bool memory_is_free(int memfd);

/* Files like those in /proc/sys, as root. A negative errno if it cannot be done */
long read_number(const char *path);
int write_number(const char *path, long number);
int write_text(const char *path, const char *text);

/*
 * Anonymous memory, populated; a transparent huge page and a small one behind it;
 * shared memory with @fd as its second way in
 */
void *anon_pages(size_t pages);
void *huge_page(void);
void *shared_pages(size_t pages, int *fd);

/* Bytes that tell one place from another and one seed from another */
void fill(void *buf, size_t len, unsigned int seed);
bool is_filled(const void *buf, size_t len, unsigned int seed);
bool is_zero(const void *buf, size_t len);

/* Frame of the page at @va, as root sees it; 0 if there is none */
__u64 page_frame(const void *va);

/*
 * A child process runs fn() and exits with what it returns. The two ends of @sock
 * carry numbers in both directions.
 */
pid_t spawn(int (*fn)(int sock, void *arg), void *arg, int *sock);
int wait_for(pid_t pid);
int in_child(int (*fn)(int sock, void *arg), void *arg);
int tell(int sock, __u64 number);
int hear(int sock, __u64 *number);
int send_fd(int sock, int fd);
int receive_fd(int sock);

/* For children and threads, where there is no ASSERT: ends the process */
void check(bool so, const char *what, const char *file, int line);
#define CHECK(cond) check(cond, #cond, __FILE__, __LINE__)

/* Milliseconds since some point in the past */
long now_ms(void);

#endif
