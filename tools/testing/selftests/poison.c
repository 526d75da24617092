// SPDX-License-Identifier: GPL-2.0-only
/*
 * What comes back from the kernel is what the header says, and nothing else: no
 * byte that nobody has written, no address of the kernel's. The kernel of the tests
 * fills its stack with 0xfe, and freed memory with other patterns if it is told to
 * (slab_debug=P page_poison=1).
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/prctl.h>

#include "fixture.h"
#include "kselftest_harness.h"

/* What a structure is surrounded by, and what its output members hold before */
#define UNTOUCHED 0x5c

/* More than the kernel knows, which must be zero and stay so */
#define LONGER 24

/**
 * struct kind - An ioctl and where it writes
 * @cmd: Its number
 * @size: sizeof its structure
 * @out: Its first output member; the others are right behind
 * @end: What is behind the last of them
 */
struct kind {
	unsigned long cmd;
	size_t size;
	size_t out;
	size_t end;
};

static const struct kind info = {
	.cmd = WDDMCOMPAT_INFO,
	.size = sizeof(struct wddmcompat_info),
	.out = offsetof(struct wddmcompat_info, out_api_version),
	.end = sizeof(struct wddmcompat_info),
};

static const struct kind bind = {
	.cmd = WDDMCOMPAT_BIND,
	.size = sizeof(struct wddmcompat_bind),
	.out = offsetof(struct wddmcompat_bind, out_mdl_ioas_id),
	.end = sizeof(struct wddmcompat_bind),
};

static const struct kind create = {
	.cmd = WDDMCOMPAT_ADAPTER_CREATE,
	.size = sizeof(struct wddmcompat_adapter_create),
	.out = offsetof(struct wddmcompat_adapter_create, out_adapter),
	.end = sizeof(struct wddmcompat_adapter_create),
};

static const struct kind destroy = {
	.cmd = WDDMCOMPAT_ADAPTER_DESTROY,
	.size = sizeof(struct wddmcompat_adapter_destroy),
};

static const struct kind lock = {
	.cmd = WDDMCOMPAT_MDL_LOCK,
	.size = sizeof(struct wddmcompat_mdl_lock),
	.out = offsetof(struct wddmcompat_mdl_lock, out_mdl),
	.end = sizeof(struct wddmcompat_mdl_lock),
};

static const struct kind unlock = {
	.cmd = WDDMCOMPAT_MDL_UNLOCK,
	.size = sizeof(struct wddmcompat_mdl_unlock),
	.out = offsetof(struct wddmcompat_mdl_unlock, out_state),
	.end = offsetof(struct wddmcompat_mdl_unlock, __reserved),
};

static const struct kind map = {
	.cmd = WDDMCOMPAT_MAP,
	.size = sizeof(struct wddmcompat_map),
	.out = offsetof(struct wddmcompat_map, out_memory),
	.end = sizeof(struct wddmcompat_map),
};

static const struct kind unmap = {
	.cmd = WDDMCOMPAT_UNMAP,
	.size = sizeof(struct wddmcompat_unmap),
	.out = offsetof(struct wddmcompat_unmap, out_state),
	.end = offsetof(struct wddmcompat_unmap, __reserved),
};

static const struct kind query = {
	.cmd = WDDMCOMPAT_QUERY,
	.size = sizeof(struct wddmcompat_query),
	.out = offsetof(struct wddmcompat_query, out_type),
	.end = sizeof(struct wddmcompat_query),
};

static const struct kind batch = {
	.cmd = WDDMCOMPAT_BATCH,
	.size = sizeof(struct wddmcompat_batch),
	.out = offsetof(struct wddmcompat_batch, out_num_tried),
	.end = sizeof(struct wddmcompat_batch),
};

FIXTURE(poison)
{
	struct env env;
	size_t longer;
	__u8 *va;
	__u64 mdl;
	__u64 iova;
	__u64 memory;
};

FIXTURE_VARIANT(poison)
{
	size_t longer;
};

FIXTURE_VARIANT_ADD(poison, exact)
{
	.longer = 0,
};

FIXTURE_VARIANT_ADD(poison, longer)
{
	.longer = LONGER,
};

FIXTURE_SETUP(poison)
{
	ASSERT_EQ(0, env_open(&self->env));
	self->longer = variant->longer;
	self->va = anon_pages(4);
	ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, 2 * PAGE_SIZE,
			       MDL_WRITE, &self->mdl));
	ASSERT_EQ(0, wddm_map_all(self->env.ctx, self->env.adapter, self->mdl,
				  MAP_WRITE, &self->iova, &self->memory));
}

FIXTURE_TEARDOWN(poison)
{
	self->env.leaves_objects = true;
	EXPECT_TRUE(env_close(&self->env));
}

static bool is_untouched(const __u8 *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (buf[i] != UNTOUCHED)
			return false;
	return true;
}

/* 0xaa, 0x6b, 0x5a, 0xbb, 0xcc: free pages and slabs, and what is around these */
static bool is_poison(__u8 byte)
{
	return byte == 0xfe || byte == 0xaa || byte == 0x6b || byte == 0x5a ||
	       byte == 0xbb || byte == 0xcc;
}

/* Of memory, of page structures, or of code and data of the kernel */
static bool is_kernel_address(__u64 number)
{
	return (number >= 0xffff800000000000 && number < 0xfffff00000000000) ||
	       (number >= 0xffffffff80000000 &&
		number != WDDMCOMPAT_LOGICAL_NONE);
}

/* Where four bytes in a row are the same pattern, or eight are an address; or -1 */
static long find_leak(const void *buf, size_t len)
{
	const __u8 *bytes = buf;
	__u64 number;

	for (size_t i = 0; i + 4 <= len; i++)
		if (is_poison(bytes[i]) && bytes[i] == bytes[i + 1] &&
		    bytes[i] == bytes[i + 2] && bytes[i] == bytes[i + 3])
			return i;
	for (size_t i = 0; i + sizeof(number) <= len; i += 4) {
		memcpy(&number, bytes + i, sizeof(number));
		if (is_kernel_address(number))
			return i;
	}
	return -1;
}

static int complain(const struct kind *kind, const char *what)
{
	fprintf(stderr, "# ioctl %#lx: %s\n", kind->cmd, what);
	return -EPROTO;
}

/* Whether only output members differ, and all of these if @done */
static int compare(const struct kind *kind, const __u8 *before,
		   const __u8 *after, bool done)
{
	if (!done)
		return memcmp(before, after, kind->size) ?
		       complain(kind, "failed, but has written") : 0;
	if (memcmp(before, after, kind->out) ||
	    memcmp(before + kind->end, after + kind->end,
		   kind->size - kind->end))
		return complain(kind, "has written to an input member");
	for (size_t i = kind->out; i < kind->end; i += sizeof(__u32))
		if (is_untouched(after + i, sizeof(__u32)))
			return complain(kind, "has not written a member");
	if (find_leak(after + kind->out, kind->end - kind->out) >= 0)
		return complain(kind, "has shown what it must not");
	return 0;
}

/*
 * Call an ioctl with a structure in the middle of known bytes. Returns what it
 * returns, or -EPROTO when it has written anything but what it may: nothing if it
 * fails, unless it @always does
 */
static int call_always(const int ctx, const struct kind *kind, void *command,
		       size_t longer, bool always)
{
	__u8 area[3 * 256], before[256];
	__u8 *cmd = area + 256;
	const size_t size = kind->size + longer;
	int rc, bad;

	memset(area, UNTOUCHED, sizeof(area));
	memcpy(cmd, command, kind->size);
	memset(cmd + kind->out, UNTOUCHED, kind->end - kind->out);
	memset(cmd + kind->size, 0, longer);
	*(__u32 *)cmd = size;
	memcpy(before, cmd, kind->size);

	rc = wddm_ioctl(ctx, kind->cmd, cmd);
	bad = compare(kind, before, cmd, !rc || always);
	if (bad)
		return bad;
	if (!is_zero(cmd + kind->size, longer) || !is_untouched(area, 256) ||
	    !is_untouched(cmd + size, area + sizeof(area) - (cmd + size)))
		return complain(kind, "has written outside of the structure");
	memcpy(command, cmd, kind->size);
	return rc;
}

#define call(kind, command) \
	call_always(self->env.ctx, kind, command, self->longer, false)

TEST_F(poison, info)
{
	struct wddmcompat_info cmd = {};

	EXPECT_EQ(0, call(&info, &cmd));
	cmd.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, call(&info, &cmd));
}

TEST_F(poison, bind)
{
	const int ctx = open_context(), null = open("/dev/null", O_RDONLY);
	struct wddmcompat_bind cmd = { .iommufd = self->env.iommufd };

	EXPECT_EQ(-EBUSY, call(&bind, &cmd));
	cmd.iommufd = -1;
	EXPECT_EQ(-EBADF, call(&bind, &cmd));
	cmd.iommufd = null;
	EXPECT_EQ(-EBADFD, call_always(ctx, &bind, &cmd, self->longer, false));
	cmd.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, call(&bind, &cmd));
	cmd.flags = 0;
	cmd.iommufd = self->env.iommufd;
	EXPECT_EQ(0, call_always(ctx, &bind, &cmd, self->longer, false));
	close(null);
	close(ctx);
}

TEST_F(poison, adapter)
{
	struct wddmcompat_adapter_create cmd = { .ioas_id = self->env.ioas };
	struct wddmcompat_adapter_destroy end = {
		.adapter = self->env.adapter,
	};

	EXPECT_EQ(0, call(&create, &cmd));
	EXPECT_EQ(-EBUSY, call(&destroy, &end));
	end.adapter = cmd.out_adapter;
	EXPECT_EQ(0, call(&destroy, &end));
	EXPECT_EQ(-ENOENT, call(&destroy, &end));
	end.adapter = self->mdl;
	EXPECT_EQ(-EINVAL, call(&destroy, &end));
	end.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, call(&destroy, &end));

	cmd.ioas_id = UINT32_MAX;
	EXPECT_EQ(-ENOENT, call(&create, &cmd));
	cmd.ioas_id = self->env.mdl_ioas;
	EXPECT_EQ(-EINVAL, call(&create, &cmd));
	cmd.__reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP, call(&create, &cmd));
}

TEST_F(poison, mdl)
{
	struct wddmcompat_mdl_desc desc = wddm_desc(self->va, 5, MDL_WRITE);
	const struct wddmcompat_mdl_desc before = desc;
	struct wddmcompat_mdl_lock cmd = {
		.descs = (uintptr_t)&desc,
		.num_descs = 1,
	};
	struct wddmcompat_mdl_unlock end = { .mdl = self->mdl };

	EXPECT_EQ(0, call(&lock, &cmd));
	EXPECT_EQ(0, memcmp(&desc, &before, sizeof(desc)));
	EXPECT_EQ(-EBUSY, call(&unlock, &end));
	end.mdl = cmd.out_mdl;
	EXPECT_EQ(0, call(&unlock, &end));
	EXPECT_EQ(-ENOENT, call(&unlock, &end));
	end.mdl = self->memory;
	EXPECT_EQ(-EINVAL, call(&unlock, &end));
	end.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, call(&unlock, &end));

	set_memlock_limit(0);
	EXPECT_EQ(-ENOMEM, call(&lock, &cmd));
	set_memlock_limit(MEMLOCK_LIMIT);
	desc.start_va = PAGE_SIZE;
	EXPECT_EQ(-EFAULT, call(&lock, &cmd));
	desc.start_va = 1;
	EXPECT_EQ(-EINVAL, call(&lock, &cmd));
	cmd.descs = 0;
	EXPECT_EQ(-EFAULT, call(&lock, &cmd));
	cmd.num_descs = 0;
	EXPECT_EQ(-EINVAL, call(&lock, &cmd));
	cmd.__reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP, call(&lock, &cmd));
}

TEST_F(poison, map)
{
	struct wddmcompat_map cmd = {
		.adapter = self->env.adapter,
		.mdl = self->mdl,
		/* What is in and out has its value already */
		.flags = MAP_AT,
		.num_pages = 2,
		.iova = 0x12345000,
	};
	struct wddmcompat_unmap end = { .adapter = self->env.adapter };
	__u64 logical[3];

	memset(logical, UNTOUCHED, sizeof(logical));
	cmd.logical = (uintptr_t)&logical[1];
	cmd.num_logical = 1;
	EXPECT_EQ(0, call(&map, &cmd));
	EXPECT_TRUE(is_untouched((void *)&logical[0], sizeof(__u64)));
	EXPECT_EQ(0x12345000, logical[1]);
	EXPECT_TRUE(is_untouched((void *)&logical[2], sizeof(__u64)));
	end.memory = cmd.out_memory;
	EXPECT_EQ(-EEXIST, call(&map, &cmd));
	EXPECT_EQ(0, call(&unmap, &end));
	EXPECT_EQ(-ENOENT, call(&unmap, &end));
	end.memory = self->mdl;
	EXPECT_EQ(-EINVAL, call(&unmap, &end));
	end.__reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP, call(&unmap, &end));

	cmd.logical = 0;
	EXPECT_EQ(-EFAULT, call(&map, &cmd));
	cmd.num_logical = 2;
	EXPECT_EQ(-EINVAL, call(&map, &cmd));
	cmd.num_logical = 0;
	cmd.num_pages = 3;
	EXPECT_EQ(-EINVAL, call(&map, &cmd));
	cmd.num_pages = 2;
	cmd.iova++;
	EXPECT_EQ(-EINVAL, call(&map, &cmd));
	cmd.mdl = self->memory;
	EXPECT_EQ(-EINVAL, call(&map, &cmd));
	cmd.mdl ^= 1;
	EXPECT_EQ(-EINVAL, call(&map, &cmd));
	cmd.adapter ^= 1;
	EXPECT_EQ(-ENOENT, call(&map, &cmd));
	cmd.flags = UINT32_MAX;
	EXPECT_EQ(-EOPNOTSUPP, call(&map, &cmd));
}

/* Errors that others bring about */
TEST_F(poison, revoked)
{
	struct wddmcompat_map cmd = {
		.adapter = self->env.adapter,
		.mdl = self->mdl,
	};
	struct wddmcompat_query ask = { .handle = self->memory };
	struct wddmcompat_unmap end = {
		.adapter = self->env.adapter,
		.memory = self->memory,
	};
	struct wddmcompat_mdl_unlock release = { .mdl = self->mdl };

	EXPECT_LT(0, ioas_unmap_all(self->env.iommufd, self->env.ioas));
	EXPECT_LT(0, ioas_unmap_all(self->env.iommufd, self->env.mdl_ioas));
	EXPECT_EQ(0, call(&query, &ask));
	EXPECT_EQ(-EIDRM, call(&map, &cmd));
	EXPECT_EQ(0, call(&unmap, &end));
	EXPECT_EQ(0, call(&unlock, &release));
}

TEST_F(poison, read_only)
{
	struct wddmcompat_map cmd = {
		.flags = MAP_WRITE,
		.adapter = self->env.adapter,
	};
	__u64 mdl;

	ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, 1, 0, &mdl));
	cmd.mdl = mdl;
	EXPECT_EQ(-EPERM, call(&map, &cmd));
}

TEST_F(poison, query)
{
	const __u64 handles[] = { self->env.adapter, self->mdl, self->memory };
	struct wddmcompat_query cmd = { .handle = 1 };

	EXPECT_EQ(-ENOENT, call(&query, &cmd));
	for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
		cmd.handle = handles[i];
		EXPECT_EQ(0, call(&query, &cmd));
	}
	cmd.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, call(&query, &cmd));
}

/* Entries that fail are as they were, and results nobody has asked for, too */
TEST_F(poison, batch)
{
	struct wddmcompat_mdl_desc desc = wddm_desc(self->va, 1, 0);
	struct wddmcompat_mdl_lock good, bad, entries[3];
	__s32 results[5];
	struct wddmcompat_batch cmd = {
		.cmd = WDDMCOMPAT_CMD_MDL_LOCK,
		.num_entries = 3,
		.entries = (uintptr_t)entries,
		.results = (uintptr_t)&results[1],
	};

	memset(&good, UNTOUCHED, sizeof(good));
	good.size = sizeof(good);
	good.flags = 0;
	good.descs = (uintptr_t)&desc;
	good.num_descs = 1;
	good.__reserved = 0;
	bad = good;
	bad.descs = 0;
	entries[0] = good;
	entries[1] = bad;
	entries[2] = good;
	memset(results, UNTOUCHED, sizeof(results));

	EXPECT_EQ(0, call(&batch, &cmd));
	EXPECT_EQ(3, cmd.out_num_tried);
	EXPECT_EQ(2, cmd.out_num_done);
	EXPECT_TRUE(is_untouched((void *)&results[0], sizeof(__s32)));
	EXPECT_EQ(0, results[1]);
	EXPECT_EQ(-EFAULT, results[2]);
	EXPECT_EQ(0, results[3]);
	EXPECT_TRUE(is_untouched((void *)&results[4], sizeof(__s32)));
	EXPECT_EQ(0, memcmp(&bad, &entries[1], sizeof(bad)));
	EXPECT_GT(0, find_leak(entries, sizeof(entries)));
	for (int i = 0; i < 3; i += 2) {
		EXPECT_EQ(1, entries[i].out_num_pages);
		EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, entries[i].out_mdl));
		entries[i].out_mdl = good.out_mdl;
		entries[i].out_num_pages = good.out_num_pages;
		EXPECT_EQ(0, memcmp(&good, &entries[i], sizeof(good)));
	}

	/* Here the members that count are written, although it fails */
	cmd.results = 0;
	EXPECT_EQ(-EFAULT, call_always(self->env.ctx, &batch, &cmd,
				       self->longer, true));
	EXPECT_EQ(0, cmd.out_num_tried);
	EXPECT_EQ(0, cmd.out_num_done);

	cmd.entries = 0;
	EXPECT_EQ(-EFAULT, call(&batch, &cmd));
	cmd.num_entries = WDDMCOMPAT_BATCH_MAX + 1;
	EXPECT_EQ(-EINVAL, call(&batch, &cmd));
	cmd.cmd = WDDMCOMPAT_CMD_BATCH;
	EXPECT_EQ(-EOPNOTSUPP, call(&batch, &cmd));
}

static const struct kind *const kinds[] = {
	&info, &bind, &create, &destroy, &lock, &unlock, &map, &unmap, &query,
	&batch,
};

/* Before it is looked at what they ask for */
TEST_F(poison, not_even_begun)
{
	const int unbound = open_context();
	struct kind none = { .cmd = _IO(WDDMCOMPAT_TYPE, 0x7f), .size = 64 };
	__u8 cmd[256] = {};

	EXPECT_EQ(-ENOTTY, call(&none, cmd));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct kind known = *kinds[i];

		/* Too long by a byte that is not zero, and too short */
		known.size++;
		cmd[kinds[i]->size] = 1;
		EXPECT_EQ(-E2BIG, call(&known, cmd));
		cmd[kinds[i]->size] = 0;
		known.size = kinds[i]->size - 4;
		EXPECT_EQ(-EINVAL, call_always(self->env.ctx, &known, cmd, 0,
					       false));
		if (i >= 2)
			EXPECT_EQ(-ENOTCONN,
				  call_always(unbound, kinds[i], cmd,
					      self->longer, false));
	}
	close(unbound);
}

static int try_as_a_child(int sock, void *arg)
{
	const struct env *env = arg;
	__u8 cmd[256] = {};

	(void)sock;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		CHECK(call_always(env->ctx, kinds[i], cmd, 0, false) == -EIO);
	return 0;
}

TEST_F(poison, of_another_process)
{
	EXPECT_EQ(0, in_child(try_as_a_child, &self->env));
}

/* An event ends where it ends, and has nothing in between that is no event's */
TEST_F(poison, events)
{
	const size_t size = sizeof(struct wddmcompat_event);
	__u8 area[8 * sizeof(struct wddmcompat_event)];
	struct wddmcompat_event event;

	memset(area, UNTOUCHED, sizeof(area));
	ASSERT_EQ(0, fcntl(self->env.ctx, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(self->env.ctx, area, sizeof(area)));
	EXPECT_TRUE(is_untouched(area, sizeof(area)));

	EXPECT_LT(0, ioas_unmap_all(self->env.iommufd, self->env.ioas));
	EXPECT_LT(0, ioas_unmap_all(self->env.iommufd, self->env.mdl_ioas));
	EXPECT_EQ(-1, read(self->env.ctx, area, size - 1));
	EXPECT_EQ(-1, read(self->env.ctx, (void *)PAGE_SIZE, size));
	EXPECT_TRUE(is_untouched(area, sizeof(area)));
	/* Room for one and a bit, then for more than there are */
	for (size_t room = 2 * size - 1; room <= 5 * size; room += 3 * size) {
		memset(area, UNTOUCHED, sizeof(area));
		ASSERT_EQ((ssize_t)size,
			  read(self->env.ctx, area + size, room));
		EXPECT_TRUE(is_untouched(area, size));
		EXPECT_TRUE(is_untouched(area + 2 * size,
					 sizeof(area) - 2 * size));
		EXPECT_GT(0, find_leak(area + size, size));
		memcpy(&event, area + size, size);
		EXPECT_EQ(size, event.size);
		EXPECT_EQ(WDDMCOMPAT_EVENT_REVOKED, event.type);
		EXPECT_EQ(2 * PAGE_SIZE, event.length);
	}
}

/* The module's pages in our address space: one for each bound context of ours */
static int find_pages(const __u8 *pages[], int max)
{
	unsigned long start, end;
	char line[256];
	FILE *maps;
	int n = 0;

	/* As after exec: who has changed user is denied its own maps else */
	prctl(PR_SET_DUMPABLE, 1);
	maps = fopen("/proc/self/maps", "re");
	while (maps && n < max && fgets(line, sizeof(line), maps))
		if (strstr(line, "[wddmcompat]") &&
		    sscanf(line, "%lx-%lx", &start, &end) == 2 &&
		    end - start == PAGE_SIZE)
			pages[n++] = (const __u8 *)start;
	if (maps)
		fclose(maps);
	return n;
}

static bool holds(const __u8 *page, __u64 number)
{
	for (size_t i = 0; i + sizeof(number) <= PAGE_SIZE; i += 8)
		if (!memcmp(page + i, &number, sizeof(number)))
			return true;
	return false;
}

/* What two contexts are told apart by on their pages */
#define MINE 0x11111000ULL
#define THEIRS 0x22222000ULL

static int map_at(const struct env *env, __u64 iova)
{
	const void *va = anon_pages(3);
	__u64 mdl, memory;

	return wddm_lock(env->ctx, va, 3 * PAGE_SIZE, MDL_WRITE, &mdl) ?:
	       wddm_map_all(env->ctx, env->adapter, mdl, MAP_AT, &iova,
			    &memory) ?:
	       wddm_unmap(env->ctx, env->adapter, memory) ?:
	       wddm_map_all(env->ctx, env->adapter, mdl, MAP_AT, &iova,
			    &memory);
}

/* A context of this process, until it is closed */
static void open_another(struct env *env)
{
	*env = (struct env){
		.ctx = open_context(),
		.iommufd = open_iommufd(),
	};
	CHECK(!wddm_bind(env->ctx, env->iommufd, &env->mdl_ioas));
	CHECK(!ioas_alloc(env->iommufd, &env->ioas));
	CHECK(!wddm_adapter_create(env->ctx, env->ioas, &env->adapter));
}

/* Works until it is told to end, and has all of its work on its own page */
static int work(int sock, void *arg)
{
	const __u8 *page;
	struct env env;
	__u64 number;

	(void)arg;
	/* The parent's page is not for its children */
	CHECK(find_pages(&page, 1) == 0);
	open_another(&env);
	CHECK(find_pages(&page, 1) == 1);
	CHECK(!map_at(&env, THEIRS));
	CHECK(holds(page, THEIRS) && !holds(page, MINE));
	CHECK(!tell(sock, 1));
	CHECK(!hear(sock, &number));
	return 0;
}

/*
 * A process can read the page that its own commands take. It has found there only
 * what it has itself to do with: not another's commands, not the carrier's, and
 * nothing behind a command.
 */
TEST_F(poison, page)
{
	const __u8 *pages[3];
	struct env other;
	__u64 number;
	pid_t pid;
	int sock;

	pid = spawn(work, NULL, &sock);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, hear(sock, &number));
	ASSERT_EQ(0, map_at(&self->env, MINE));
	ASSERT_EQ(1, find_pages(pages, 3));
	EXPECT_TRUE(holds(pages[0], MINE));
	EXPECT_FALSE(holds(pages[0], THEIRS));

	/* Of two contexts of a process each has its own */
	open_another(&other);
	ASSERT_EQ(2, find_pages(pages, 3));
	EXPECT_NE(holds(pages[0], MINE), holds(pages[1], MINE));
	EXPECT_NE(is_zero(pages[0], PAGE_SIZE), is_zero(pages[1], PAGE_SIZE));
	ASSERT_EQ(0, map_at(&other, THEIRS));
	EXPECT_NE(holds(pages[0], MINE), holds(pages[1], MINE));
	EXPECT_NE(holds(pages[0], THEIRS), holds(pages[1], THEIRS));
	EXPECT_NE(holds(pages[0], MINE), holds(pages[0], THEIRS));
	for (int i = 0; i < 2; i++) {
		EXPECT_GT(0, find_leak(pages[i], PAGE_SIZE));
		/* One thread, one slot; and no command has as many bytes */
		EXPECT_TRUE(is_zero(pages[i] + 64, PAGE_SIZE - 64));
	}

	/* Neither a death nor a close, which go by the carrier, is seen here */
	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, wait_for(pid));
	close(sock);
	close(other.ctx);
	close(other.iommufd);
	ASSERT_EQ(1, find_pages(pages, 3));
	EXPECT_TRUE(holds(pages[0], MINE));
	EXPECT_FALSE(holds(pages[0], THEIRS));
	EXPECT_TRUE(is_zero(pages[0] + 64, PAGE_SIZE - 64));
}

/* Memory that others have had, and pages of contexts that have been used */
static int leave_traces(int sock, void *arg)
{
	const size_t pages = 4096;
	struct env envs[32];

	(void)sock;
	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(envs); i++) {
		open_another(&envs[i]);
		CHECK(!map_at(&envs[i], THEIRS));
	}
	memset(anon_pages(pages), 0xaa, pages * PAGE_SIZE);
	return 0;
}

TEST_F(poison, fresh_pages)
{
	const __u8 *pages[64];
	int ctx[64];

	EXPECT_EQ(0, in_child(leave_traces, NULL));
	for (size_t i = 1; i < ARRAY_SIZE(pages); i++) {
		ctx[i] = open_context();
		ASSERT_EQ(0, wddm_bind(ctx[i], self->env.iommufd, NULL));
	}
	ASSERT_EQ((int)ARRAY_SIZE(pages),
		  find_pages(pages, ARRAY_SIZE(pages)));
	/* All but that of the fixture, which has been used */
	for (size_t i = 0, used = 0; i < ARRAY_SIZE(pages); i++) {
		used += !is_zero(pages[i], PAGE_SIZE);
		EXPECT_GE(1, used);
	}
	for (size_t i = 1; i < ARRAY_SIZE(pages); i++)
		close(ctx[i]);
}

/* Sixteen digits that begin with four f, as %px and %lx print what is the kernel's */
static bool shows_an_address(const char *text)
{
	for (; *text; text++) {
		const size_t digits = strspn(text, "0123456789abcdefABCDEF");

		if (digits >= 16 && !strncasecmp(text + digits - 16, "ffff", 4))
			return true;
		text += digits;
		if (!*text)
			break;
	}
	return false;
}

/* Lines of a file that speak of the module; -1 if one shows an address */
static int read_lines(const char *path, const char *about)
{
	char line[512];
	FILE *file = fopen(path, "re");
	int n = 0;

	while (file && n >= 0 && fgets(line, sizeof(line), file)) {
		if (!strstr(line, about))
			continue;
		n = shows_an_address(line) ? -1 : n + 1;
	}
	if (file)
		fclose(file);
	return n;
}

TEST_F(poison, proc)
{
	const __u64 frame = (1ULL << 55) - 1;
	const __u8 *page;
	char path[64];
	__u64 entry;
	int fd;

	ASSERT_EQ(1, find_pages(&page, 1));
	EXPECT_EQ(1, read_lines("/proc/self/maps", "[wddmcompat]"));
	EXPECT_EQ(1, read_lines("/proc/self/smaps", "[wddmcompat]"));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->env.ctx);
	EXPECT_LT(0, read_lines(path, ":"));
	/* Where the page is in memory, a process that is not root does not see */
	fd = open("/proc/self/pagemap", O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)sizeof(entry),
		  pread(fd, &entry, sizeof(entry),
			(uintptr_t)page / PAGE_SIZE * sizeof(entry)));
	EXPECT_EQ(0, entry & frame);
	close(fd);
}

TEST_F(poison, log)
{
	const int all = 3, size = 10;
	char *line, *log, *rest;
	int n = 0, bytes;

	/* As whoever reads the log: it may be anybody */
	become_root();
	bytes = klogctl(size, NULL, 0);
	ASSERT_LT(0, bytes);
	log = calloc(bytes + 1, 1);
	ASSERT_LT(0, klogctl(all, log, bytes));
	become_user();
	for (rest = log; (line = strsep(&rest, "\n"));) {
		if (!strstr(line, "wddm"))
			continue;
		EXPECT_FALSE(shows_an_address(line));
		n++;
	}
	/* At least that it was loaded */
	EXPECT_LT(0, n);
	free(log);
}

TEST_HARNESS_MAIN
