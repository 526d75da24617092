// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the calls of a program do. Each argument is a place in a table of values,
 * good ones first: whatever the bytes of a program are, each call is near to one
 * that makes sense. What a call makes the next calls find under 0, as the latest.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/vfio.h>

#include "kselftest.h"
#include "../selftests/fixture.h"
#include "ops.h"

/* Below 4 GiB, for calls as of 32 bits */
#define ARENA 0x10000000UL
#define AREA_SIZE (4UL << 20)
#define NUM_AREAS 8
#define LANES_BASE 0x20000000UL

#define ARRAYS_SIZE (256UL << 10)
#define NOWHERE 0x30000000UL

/* The latest of a kind, the last one first */
#define RECENT 8

struct recent {
	atomic_ullong value[RECENT];
	atomic_uint num;
};

enum kind {
	KIND_ADAPTER,
	KIND_MDL,
	KIND_MEMORY,
	KIND_IOAS,
	KIND_MDL_IOAS,
	KIND_IOVA,
	KIND_CTX,
	KIND_IOMMUFD,
	KIND_NUM,
};

static struct recent recent[KIND_NUM];

/* Descriptors of the latest MDLs, the file of a kind of memory, and a device */
static atomic_uint num_descs_of_mdl;
static int ext4_file;
static char device_path[64];
static atomic_int device = -1;

/* Files of programs have this number or more */
static int first_file;

static void remember(enum kind kind, __u64 value)
{
	recent[kind].value[atomic_fetch_add(&recent[kind].num, 1) % RECENT] =
		value;
}

static __u64 recall(enum kind kind, __u8 arg)
{
	return recent[kind].value[(recent[kind].num - 1 - arg) % RECENT];
}

/* No file is -1, not 0 */
static int recall_fd(enum kind kind, __u8 arg)
{
	return (int)recall(kind, arg & 1) - 1;
}

static int ctx_fd(__u8 arg)
{
	return recall_fd(arg == 0x55 ? KIND_IOMMUFD : KIND_CTX, arg);
}

static int iommufd_fd(__u8 arg)
{
	return recall_fd(arg == 0x55 ? KIND_CTX : KIND_IOMMUFD, arg);
}

static __u64 handle(enum kind kind, __u8 arg)
{
	const __u64 value = recall(kind, arg);

	switch (arg >> 3) {
	case 16:
		return recall(KIND_ADAPTER, arg);
	case 17:
		return recall(KIND_MDL, arg);
	case 18:
		return recall(KIND_MEMORY, arg);
	case 19:
		return value + (1 << 24);
	case 20:
		return value + 1;
	case 21:
		return value ^ (1ULL << 60);
	case 22:
		return value ^ (0xfULL << 60);
	case 23:
		return 0;
	default:
		return value;
	}
}

static __u32 ioas_id(__u8 arg)
{
	switch (arg >> 2) {
	case 1:
		return recall(KIND_MDL_IOAS, arg & 3);
	case 2:
		return recall(KIND_IOAS, 0) + arg;
	case 3:
		return 0;
	default:
		return recall(KIND_IOAS, arg & 3);
	}
}

static __u64 iova(__u8 arg)
{
	static const __u64 others[] = {
		0x100000, 0x200000, 0x101000, 0x100000000, 0x100001, 0,
		0xfee00000, 0x7ffffffff000, ~0xfffULL, ~0ULL, 1ULL << 63,
		/* Where the MDLs are in their IOAS */
		0x111000, 0x112000, 0x500000,
	};

	return arg & 1 ? others[(arg >> 1) % ARRAY_SIZE(others)] :
			 recall(KIND_IOVA, (arg >> 1) & 7) +
				 (arg >> 5) * PAGE_SIZE;
}

static __u64 length(__u8 arg)
{
	static const __u64 lengths[] = {
		0x10000, 0x1000, ~0ULL, 0x2000, 0x200000, 0, 0x1001, 1ULL << 40,
	};

	return lengths[arg % ARRAY_SIZE(lengths)];
}

/* Kinds of memory: see OP_MMAP. A place in the middle of two has both */
static void *address(__u8 arg)
{
	__u8 *area = (__u8 *)ARENA + AREA_SIZE * (arg % NUM_AREAS);

	return area + (arg >> 3) * PAGE_SIZE * (arg & 0x80 ? 64 : 1);
}

/* Failures to inject; the thread's next system calls count */
static void begin_fail(struct lane *lane, const struct call *call)
{
	char text[8];

	if (!call->fail_nth)
		return;
	snprintf(text, sizeof(text), "%u", call->fail_nth);
	CHECK(pwrite(lane->fail_nth, text, strlen(text), 0) > 0);
}

/* Both may themselves be what fails */
static void end_fail(struct lane *lane, const struct call *call)
{
	char text[16] = "";

	if (!call->fail_nth)
		return;
	if (pread(lane->fail_nth, text, sizeof(text) - 1, 0) > 0 &&
	    text[0] == '0')
		lane->faults++;
	while (pwrite(lane->fail_nth, "0", 1, 0) != 1)
		;
}

/* As the 32-bit entry of the kernel takes it, with addresses below 4 GiB */
static long compat_ioctl(int fd, unsigned long cmd, void *arg)
{
	long rc;

	/* 54 is ioctl there; it leaves these registers undefined */
	asm volatile("int $0x80"
		     : "=a"(rc)
		     : "a"(54), "b"(fd), "c"(cmd), "d"(arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)rc;
}

/* A patch at @at of what is at @buf, as far as there is room */
static void apply_patch(const struct call *call, __u8 *buf, size_t room)
{
	static const __u64 values[] = {
		0, 1, 2, 4, 7, 8, 0x10, 0x40, 0x7f, 0x80, 0xff, 0x100, 0xfff,
		0x1000, 0x1001, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
		0xfffff000, 0xfffff001, 0xffffffff, 0x100000000, 1ULL << 47,
		(1ULL << 47) - 4096, 1ULL << 63, ~0xfffULL, ~0ULL,
		NOWHERE, ARENA, 16, 24, 32, 48, 72, 80, 88, 96, 4096, 65536,
	};
	const __u64 value = values[call->patch_with % ARRAY_SIZE(values)];
	const size_t width = call->patch_width % 9;

	if (call->patch_at + width <= room)
		memcpy(buf + call->patch_at, &value, width);
}

/* Where the structure is. What does not fit in there is not there. */
static __u8 *place(const struct lane *lane, const struct call *call,
		   size_t size, size_t *room)
{
	switch (call->how & CALL_PLACE) {
	case PLACE_HALF_OUT:
		*room = size / 2 & ~3UL;
		break;
	case PLACE_END_OUT:
		*room = size - 4;
		break;
	case PLACE_NOWHERE:
		*room = 0;
		return (__u8 *)NOWHERE;
	default:
		*room = PAGE_SIZE;
		return lane->page;
	}
	return lane->page + PAGE_SIZE - *room;
}

/* Whatever the structure, its first member is its size */
static long do_ioctl(struct lane *lane, const struct call *call, int fd,
		     unsigned long cmd, void *arg)
{
	const size_t size = *(__u32 *)arg;
	const bool read_only = (call->how & CALL_PLACE) == PLACE_READ_ONLY;
	size_t room;
	__u8 *at = place(lane, call, size, &room);
	__u8 *given = read_only ? at - lane->page + lane->read_only : at;
	long rc;

	if (room) {
		memset(lane->page, 0, PAGE_SIZE);
		memcpy(at, arg, size < room ? size : room);
		apply_patch(call, at, room);
	}
	begin_fail(lane, call);
	if (call->how & CALL_COMPAT) {
		rc = compat_ioctl(fd, cmd, given);
	} else {
		rc = ioctl(fd, cmd, given);
		if (rc < 0)
			rc = -errno;
	}
	end_fail(lane, call);
	if (rc >= 0)
		memcpy(arg, at, size < room ? size : room);
	return rc;
}

/* An array: good, or where it cannot be read or written */
static __u64 array(const struct lane *lane, __u8 arg)
{
	switch (arg >> 5) {
	case 5:
		return (uintptr_t)lane->read_only;
	case 6:
		return (uintptr_t)lane->page + PAGE_SIZE - 8;
	case 7:
		return NOWHERE;
	default:
		return (uintptr_t)lane->arrays;
	}
}

static long op_open(struct lane *lane, const struct call *call)
{
	int fd;

	begin_fail(lane, call);
	fd = open("/dev/wddmcompat", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		fd = -errno;
	end_fail(lane, call);
	if (fd >= 0)
		remember(KIND_CTX, fd + 1);
	return fd;
}

static long op_open_iommufd(struct lane *lane, const struct call *call)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	(void)lane;
	(void)call;
	if (fd < 0)
		return -errno;
	remember(KIND_IOMMUFD, fd + 1);
	return fd;
}

static long op_close(struct lane *lane, const struct call *call)
{
	int fd = call->arg[0] & 4 ? iommufd_fd(call->arg[0]) :
				    ctx_fd(call->arg[0]);
	long rc;

	begin_fail(lane, call);
	rc = close(fd) ? -errno : 0;
	end_fail(lane, call);
	return rc;
}

static long op_info(struct lane *lane, const struct call *call)
{
	struct wddmcompat_info cmd = {
		.size = sizeof(cmd),
		.flags = call->arg[1] >> 7,
	};

	return do_ioctl(lane, call, ctx_fd(call->arg[0]), WDDMCOMPAT_INFO,
			&cmd);
}

static long op_bind(struct lane *lane, const struct call *call)
{
	const int others[] = { 0, -1, 1000, ctx_fd(0) };
	struct wddmcompat_bind cmd = {
		.size = sizeof(cmd),
		.flags = call->arg[2] >> 7,
		.iommufd = call->arg[1] & 0x80 ? others[call->arg[1] % ARRAY_SIZE(others)] :
						 iommufd_fd(call->arg[1]),
	};
	long rc = do_ioctl(lane, call, ctx_fd(call->arg[0]), WDDMCOMPAT_BIND,
			   &cmd);

	if (!rc)
		remember(KIND_MDL_IOAS, cmd.out_mdl_ioas_id);
	return rc;
}

static long op_adapter_create(struct lane *lane, const struct call *call)
{
	struct wddmcompat_adapter_create cmd = {
		.size = sizeof(cmd),
		.flags = call->arg[2] >> 7,
		.ioas_id = ioas_id(call->arg[1]),
		.__reserved = call->arg[3] >> 7,
	};
	long rc = do_ioctl(lane, call, ctx_fd(call->arg[0]),
			   WDDMCOMPAT_ADAPTER_CREATE, &cmd);

	if (!rc)
		remember(KIND_ADAPTER, cmd.out_adapter);
	return rc;
}

static long op_adapter_destroy(struct lane *lane, const struct call *call)
{
	struct wddmcompat_adapter_destroy cmd = {
		.size = sizeof(cmd),
		.flags = call->arg[2] >> 7,
		.adapter = handle(KIND_ADAPTER, call->arg[1]),
	};

	return do_ioctl(lane, call, ctx_fd(call->arg[0]),
			WDDMCOMPAT_ADAPTER_DESTROY, &cmd);
}

static struct wddmcompat_mdl_desc descriptor(const struct call *call)
{
	static const __u32 counts[] = {
		0x10000, 0x1000, 1, 0x1234, 0x200000, 0xfff, 0xfffff000, 0,
		~0U, 0xffffefff, 0x100000,
	};
	static const __u32 offsets[] = { 0, 1, 0xfff, 0x234, 0x1000, ~0U };

	return (struct wddmcompat_mdl_desc){
		.start_va = (uintptr_t)address(call->arg[2]),
		.byte_offset = offsets[call->arg[3] % ARRAY_SIZE(offsets)],
		.byte_count = counts[call->arg[4] % ARRAY_SIZE(counts)],
		.flags = !(call->arg[5] & 1),
	};
}

/* The last one of a chain may be wrong */
static void spoil(struct wddmcompat_mdl_desc *desc, __u8 how)
{
	switch (how & 0xf) {
	case 8:
		desc->start_va++;
		break;
	case 9:
		desc->start_va = ~0xfffULL;
		break;
	case 10:
		desc->start_va = 0xffff888000000000;
		break;
	case 11:
		desc->start_va = (1ULL << 47) - PAGE_SIZE;
		break;
	case 12:
		desc->flags |= 2;
		break;
	case 13:
		desc->__reserved = 1;
		break;
	case 14:
		desc->start_va = NOWHERE;
		break;
	case 15:
		desc->byte_count = 0;
		break;
	}
}

static struct wddmcompat_mdl_lock lock_command(const struct lane *lane,
					       const struct call *call)
{
	static const __u32 nums[] = {
		1, 1, 2, 3, 70, 64, 65, 130, 0, WDDMCOMPAT_MDL_CHAIN_MAX,
		WDDMCOMPAT_MDL_CHAIN_MAX + 1, ~0U,
	};
	struct wddmcompat_mdl_lock cmd = {
		.size = sizeof(cmd),
		.flags = call->arg[7] >> 7,
		.descs = array(lane, call->arg[8]),
		.num_descs = nums[call->arg[1] % ARRAY_SIZE(nums)],
		.__reserved = call->arg[9] >> 7,
	};
	struct wddmcompat_mdl_desc *descs = (void *)lane->arrays;
	__u32 num = cmd.num_descs % (WDDMCOMPAT_MDL_CHAIN_MAX + 2);

	for (__u32 i = 0; i < num; i++) {
		descs[i] = descriptor(call);
		/* Many are small ones */
		if (num > 4)
			descs[i].byte_count = 1 + i % 3;
	}
	if (num)
		spoil(&descs[num - 1], call->arg[6]);
	return cmd;
}

static long op_mdl_lock(struct lane *lane, const struct call *call)
{
	struct wddmcompat_mdl_lock cmd = lock_command(lane, call);
	long rc = do_ioctl(lane, call, ctx_fd(call->arg[0]),
			   WDDMCOMPAT_MDL_LOCK, &cmd);

	if (!rc) {
		remember(KIND_MDL, cmd.out_mdl);
		num_descs_of_mdl = cmd.num_descs;
	}
	return rc;
}

static long op_mdl_unlock(struct lane *lane, const struct call *call)
{
	struct wddmcompat_mdl_unlock cmd = {
		.size = sizeof(cmd),
		.flags = call->arg[2] >> 7,
		.mdl = handle(KIND_MDL, call->arg[1]),
		.__reserved = call->arg[3] >> 7,
	};

	return do_ioctl(lane, call, ctx_fd(call->arg[0]),
			WDDMCOMPAT_MDL_UNLOCK, &cmd);
}

static struct wddmcompat_map map_command(const struct lane *lane,
					 const struct call *call)
{
	static const __u32 flags[] = { 1, 0, 3, 2, 1, 0, 4, 0x80000000 };
	static const __u64 first[] = { 0, 0, 1, 2, 15, 16, 1ULL << 52, ~0ULL };
	static const __u64 num[] = { 0, 1, 2, 16, ~0ULL, 1ULL << 52 };
	const __u32 logical[] = { 0, num_descs_of_mdl, 1, ~0U };

	return (struct wddmcompat_map){
		.size = sizeof(struct wddmcompat_map),
		.flags = flags[call->arg[3] % ARRAY_SIZE(flags)],
		.adapter = handle(KIND_ADAPTER, call->arg[1]),
		.mdl = handle(KIND_MDL, call->arg[2]),
		.first_page = first[(call->arg[4] >> 3) % ARRAY_SIZE(first)],
		.num_pages = num[call->arg[5] % ARRAY_SIZE(num)],
		.iova = iova(call->arg[6] + 1),
		.logical = array(lane, call->arg[8]),
		.num_logical = logical[call->arg[7] % ARRAY_SIZE(logical)],
		.__reserved = call->arg[9] >> 7,
	};
}

static void remember_mapping(const struct wddmcompat_map *cmd)
{
	remember(KIND_MEMORY, cmd->out_memory);
	remember(KIND_IOVA, cmd->iova);
}

static long op_map(struct lane *lane, const struct call *call)
{
	struct wddmcompat_map cmd = map_command(lane, call);
	long rc = do_ioctl(lane, call, ctx_fd(call->arg[0]), WDDMCOMPAT_MAP,
			   &cmd);

	if (!rc)
		remember_mapping(&cmd);
	return rc;
}

static struct wddmcompat_unmap unmap_command(const struct call *call)
{
	return (struct wddmcompat_unmap){
		.size = sizeof(struct wddmcompat_unmap),
		.flags = call->arg[3] >> 7,
		.adapter = handle(KIND_ADAPTER, call->arg[1]),
		.memory = handle(KIND_MEMORY, call->arg[2]),
		.__reserved = call->arg[4] >> 7,
	};
}

static long op_unmap(struct lane *lane, const struct call *call)
{
	struct wddmcompat_unmap cmd = unmap_command(call);

	return do_ioctl(lane, call, ctx_fd(call->arg[0]), WDDMCOMPAT_UNMAP,
			&cmd);
}

static long op_query(struct lane *lane, const struct call *call)
{
	struct wddmcompat_query cmd = {
		.size = sizeof(cmd),
		.flags = call->arg[2] >> 7,
		.handle = handle(call->arg[3] % 3, call->arg[1]),
	};

	return do_ioctl(lane, call, ctx_fd(call->arg[0]), WDDMCOMPAT_QUERY,
			&cmd);
}

/* Each entry is made by the same arguments, but names the next latest handle */
static size_t fill_entries(const struct lane *lane, const struct call *call,
			   __u32 cmd, __u8 *entries, __u32 num)
{
	struct call one = *call;
	size_t size = 0;

	one.arg[1] = 0;
	one.arg[7] = 0;
	for (__u32 i = 0; i < num; i++) {
		if (cmd == WDDMCOMPAT_CMD_MAP) {
			struct wddmcompat_map map = map_command(lane, &one);

			size = sizeof(map);
			memcpy(entries + i * size, &map, size);
		} else if (cmd == WDDMCOMPAT_CMD_UNMAP) {
			struct wddmcompat_unmap unmap;

			one.arg[2] = call->arg[2] + i;
			unmap = unmap_command(&one);
			size = sizeof(unmap);
			memcpy(entries + i * size, &unmap, size);
		} else {
			struct wddmcompat_mdl_lock lock;

			lock = lock_command(lane, &one);
			size = sizeof(lock);
			memcpy(entries + i * size, &lock, size);
		}
	}
	apply_patch(call, entries, size);
	return size;
}

static void remember_entries(__u32 cmd, const __u8 *entries, __u32 num)
{
	const struct wddmcompat_map *map = (const void *)entries;
	const struct wddmcompat_mdl_lock *lock = (const void *)entries;

	for (__u32 i = 0; i < num; i++) {
		if (cmd == WDDMCOMPAT_CMD_MAP && map[i].out_memory)
			remember_mapping(&map[i]);
		if (cmd == WDDMCOMPAT_CMD_MDL_LOCK && lock[i].out_mdl)
			remember(KIND_MDL, lock[i].out_mdl);
	}
}

static long op_batch(struct lane *lane, const struct call *call)
{
	static const __u32 cmds[] = {
		WDDMCOMPAT_CMD_MAP, WDDMCOMPAT_CMD_UNMAP,
		WDDMCOMPAT_CMD_MDL_LOCK, WDDMCOMPAT_CMD_MAP,
		WDDMCOMPAT_CMD_UNMAP, WDDMCOMPAT_CMD_QUERY,
		WDDMCOMPAT_CMD_BATCH, 1000,
	};
	static const __u32 nums[] = {
		3, 1, 20, 2, 0, WDDMCOMPAT_BATCH_MAX + 1, 100,
	};
	__u8 *entries = lane->arrays + 64 * 1024;
	__u8 *results = lane->arrays + 128 * 1024;
	struct wddmcompat_batch cmd = {
		.size = sizeof(cmd),
		.flags = call->arg[8] >> 7,
		.cmd = cmds[call->arg[1] % ARRAY_SIZE(cmds)],
		.num_entries = nums[call->arg[7] % ARRAY_SIZE(nums)],
		.entries = (uintptr_t)entries,
		.results = array(lane, call->arg[9]),
	};
	/* The patch is for the first of the entries */
	struct call unpatched = *call;
	long rc;

	if (cmd.results == (uintptr_t)lane->arrays)
		cmd.results = (uintptr_t)results;
	fill_entries(lane, call, cmd.cmd, entries,
		     cmd.num_entries > 100 ? 100 : cmd.num_entries);
	unpatched.patch_width = call->patch_at & 1 ? call->patch_width : 0;
	rc = do_ioctl(lane, &unpatched, ctx_fd(call->arg[0]),
		      WDDMCOMPAT_BATCH, &cmd);
	if (!rc)
		remember_entries(cmd.cmd, entries,
				 cmd.num_entries > 100 ? 0 : cmd.num_entries);
	return rc;
}

static long op_read(struct lane *lane, const struct call *call)
{
	static const size_t sizes[] = { 400, 40, 80, 39, 0, 79 };
	size_t room;
	__u8 *at = place(lane, call, 80, &room);
	long rc;

	if ((call->how & CALL_PLACE) == PLACE_READ_ONLY)
		at = lane->read_only;
	begin_fail(lane, call);
	rc = read(ctx_fd(call->arg[0]), at, sizes[call->arg[1] % ARRAY_SIZE(sizes)]);
	if (rc < 0)
		rc = -errno;
	end_fail(lane, call);
	return rc;
}

static long op_poll(struct lane *lane, const struct call *call)
{
	struct pollfd poll_fd = {
		.fd = ctx_fd(call->arg[0]),
		.events = POLLIN,
	};

	(void)lane;
	return poll(&poll_fd, 1, 0) < 0 ? -errno : poll_fd.revents;
}

/* Numbers that are no ioctl, or not by this direction and size */
static long op_odd_ioctl(struct lane *lane, const struct call *call)
{
	struct wddmcompat_info cmd = { .size = sizeof(cmd) };
	const unsigned long number =
		_IOC(call->arg[1] & 3,
		     call->arg[2] & 1 ? WDDMCOMPAT_TYPE : call->arg[2],
		     call->arg[3], call->arg[4]);

	return do_ioctl(lane, call, ctx_fd(call->arg[0]), number, &cmd);
}

static long op_ioas_alloc(struct lane *lane, const struct call *call)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	long rc = do_ioctl(lane, call, iommufd_fd(call->arg[0]),
			   IOMMU_IOAS_ALLOC, &cmd);

	if (!rc)
		remember(KIND_IOAS, cmd.out_ioas_id);
	return rc;
}

static long op_raw_map(struct lane *lane, const struct call *call)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_READABLE |
			 (call->arg[5] & 1 ? 0 : IOMMU_IOAS_MAP_WRITEABLE) |
			 (call->arg[5] & 2 ? IOMMU_IOAS_MAP_FIXED_IOVA : 0),
		.ioas_id = ioas_id(call->arg[1]),
		.user_va = (uintptr_t)address(call->arg[2]),
		.length = length(call->arg[3]),
		.iova = iova(call->arg[4]),
	};
	long rc = do_ioctl(lane, call, iommufd_fd(call->arg[0]),
			   IOMMU_IOAS_MAP, &cmd);

	if (!rc)
		remember(KIND_IOVA, cmd.iova);
	return rc;
}

static long op_raw_unmap(struct lane *lane, const struct call *call)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_id(call->arg[1]),
		.iova = iova(call->arg[3]),
		.length = length(call->arg[2]),
	};

	/* All of it */
	if (cmd.length == ~0ULL || !call->arg[2])
		cmd.iova = 0;
	if (!call->arg[2])
		cmd.length = ~0ULL;
	return do_ioctl(lane, call, iommufd_fd(call->arg[0]), IOMMU_IOAS_UNMAP,
			&cmd);
}

static long op_raw_copy(struct lane *lane, const struct call *call)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_READABLE |
			 (call->arg[5] & 1 ? IOMMU_IOAS_MAP_WRITEABLE : 0) |
			 (call->arg[5] & 2 ? IOMMU_IOAS_MAP_FIXED_IOVA : 0),
		.dst_ioas_id = ioas_id(call->arg[1]),
		.src_ioas_id = ioas_id(call->arg[2] + 4),
		.length = length(call->arg[3]),
		.dst_iova = iova(call->arg[4]),
		.src_iova = iova(call->arg[6] + 1),
	};
	long rc = do_ioctl(lane, call, iommufd_fd(call->arg[0]),
			   IOMMU_IOAS_COPY, &cmd);

	if (!rc)
		remember(KIND_IOVA, cmd.dst_iova);
	return rc;
}

static long op_raw_destroy(struct lane *lane, const struct call *call)
{
	struct iommu_destroy cmd = {
		.size = sizeof(cmd),
		.id = ioas_id(call->arg[1]),
	};

	return do_ioctl(lane, call, iommufd_fd(call->arg[0]), IOMMU_DESTROY,
			&cmd);
}

static long op_raw_allow(struct lane *lane, const struct call *call)
{
	struct iommu_iova_range *range = (void *)lane->arrays;
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_id(call->arg[1]),
		.num_iovas = !(call->arg[2] & 1),
		.allowed_iovas = (uintptr_t)range,
	};

	range->start = iova(call->arg[3] | 1);
	range->last = range->start + length(call->arg[4]) - 1;
	return do_ioctl(lane, call, iommufd_fd(call->arg[0]),
			IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

/* Attach the worker's device to an IOAS, or detach it by closing it */
static long op_device(struct lane *lane, const struct call *call)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};
	/* It enables the device, where ACPICA does not stand failures */
	struct call bind_call = { .how = call->how };
	int fd = atomic_exchange(&device, -1);
	long rc;

	if (fd >= 0)
		close(fd);
	if (call->arg[2] & 1)
		return 0;
	fd = open(device_path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	bind.iommufd = iommufd_fd(call->arg[0]);
	attach.pt_id = ioas_id(call->arg[1]);
	rc = do_ioctl(lane, &bind_call, fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);
	if (!rc)
		rc = do_ioctl(lane, call, fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
			      &attach);
	fd = atomic_exchange(&device, fd);
	if (fd >= 0)
		close(fd);
	return rc;
}

static long map_area(unsigned int number, unsigned int kind)
{
	static const size_t lengths[] = { AREA_SIZE, 64 * 4096, 16 * 4096 };
	const size_t size = lengths[(kind / 8) % ARRAY_SIZE(lengths)];
	int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
	int prot = PROT_READ | PROT_WRITE, fd = -1;
	void *at = (__u8 *)ARENA + number * AREA_SIZE;

	switch (kind % 8) {
	case 1:
		flags = MAP_FIXED | MAP_SHARED;
		fd = memfd_create("area", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, size))
			return -errno;
		break;
	case 2:
		prot = PROT_READ;
		break;
	case 3:
		flags = MAP_FIXED | MAP_SHARED;
		prot = PROT_READ;
		fd = dup(ext4_file);
		break;
	case 4:
		flags |= MAP_HUGETLB;
		break;
	case 5:
		prot = PROT_NONE;
		break;
	}
	at = mmap(at, size, prot, flags, fd, 0);
	if (fd >= 0)
		close(fd);
	if (at == MAP_FAILED)
		return -errno;
	if (kind % 8 == 6)
		return madvise(at, size, MADV_HUGEPAGE) ? -errno : 0;
	return 0;
}

static long op_mmap(struct lane *lane, const struct call *call)
{
	(void)lane;
	return map_area(call->arg[0] % NUM_AREAS, call->arg[1]);
}

/* The page that the kernel has lent to this process; 0 if it has none */
static uintptr_t command_page(void)
{
	char text[128];
	uintptr_t at = 0;
	FILE *file = fopen("/proc/self/maps", "re");

	while (file && fgets(text, sizeof(text), file)) {
		if (!strstr(text, "[wddmcompat]"))
			continue;
		at = strtoul(text, NULL, 16);
		break;
	}
	if (file)
		fclose(file);
	return at;
}

/* Some of the memory, or the command page */
static void *victim(__u8 arg)
{
	return arg & 0x40 ? (void *)command_page() : address(arg);
}

static long op_munmap(struct lane *lane, const struct call *call)
{
	(void)lane;
	return munmap(victim(call->arg[0]), PAGE_SIZE << (call->arg[1] & 7)) ?
		       -errno : 0;
}

static long op_mprotect(struct lane *lane, const struct call *call)
{
	(void)lane;
	return mprotect(victim(call->arg[0]), PAGE_SIZE << (call->arg[1] & 7),
			call->arg[2] & (PROT_READ | PROT_WRITE)) ? -errno : 0;
}

static long op_madvise(struct lane *lane, const struct call *call)
{
	static const int advices[] = {
		MADV_DONTNEED, MADV_HUGEPAGE, MADV_PAGEOUT, MADV_COLD,
		MADV_POPULATE_WRITE, MADV_DONTFORK, MADV_WIPEONFORK, MADV_FREE,
		25 /* MADV_COLLAPSE */, MADV_REMOVE,
	};

	(void)lane;
	return madvise(victim(call->arg[0]), PAGE_SIZE << (call->arg[1] & 7),
		       advices[call->arg[2] % ARRAY_SIZE(advices)]) ? -errno : 0;
}

/* Write to the command page, for as long as a few calls take */
static long op_scribble(struct lane *lane, const struct call *call)
{
	__u64 *page = (__u64 *)command_page();
	const __u64 value = iova(call->arg[2]) + call->arg[3];

	(void)lane;
	if (!page)
		return -ENOENT;
	for (unsigned int i = 0; i < 256U << (call->arg[1] & 7); i++)
		__atomic_store_n(&page[call->arg[0] * 2 % 512], value,
				 __ATOMIC_RELAXED);
	return 0;
}

/* A child has the files but is not their owner */
static void child(const struct call *call)
{
	struct wddmcompat_info cmd = { .size = sizeof(cmd) };
	int fd = ctx_fd(0);

	if (call->arg[0] & 1 && !ioctl(fd, WDDMCOMPAT_INFO, &cmd))
		_exit(1);
	if (call->arg[0] & 2 && read(fd, &cmd, sizeof(cmd)) >= 0)
		_exit(1);
	if (call->arg[0] & 4)
		munmap((void *)ARENA, NUM_AREAS * AREA_SIZE);
	if (call->arg[0] & 8)
		__atomic_store_n((__u8 *)address(call->arg[1]), 1,
				 __ATOMIC_RELAXED);
	if (call->arg[0] & 16)
		kill(getpid(), SIGKILL);
	_exit(0);
}

/* What only its owner can do has worked for a child if that says 1 */
static long op_fork(struct lane *lane, const struct call *call)
{
	pid_t pid = fork();
	int status = 0;

	(void)lane;
	if (!pid)
		child(call);
	if (pid < 0)
		return -errno;
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(!WIFEXITED(status) || !WEXITSTATUS(status));
	return 0;
}

static const struct {
	const char *name;
	long (*execute)(struct lane *lane, const struct call *call);
} ops[OP_NUM] = {
	[OP_OPEN] = { "open", op_open },
	[OP_OPEN_IOMMUFD] = { "open-iommufd", op_open_iommufd },
	[OP_CLOSE] = { "close", op_close },
	[OP_INFO] = { "info", op_info },
	[OP_BIND] = { "bind", op_bind },
	[OP_ADAPTER_CREATE] = { "adapter-create", op_adapter_create },
	[OP_ADAPTER_DESTROY] = { "adapter-destroy", op_adapter_destroy },
	[OP_MDL_LOCK] = { "mdl-lock", op_mdl_lock },
	[OP_MDL_UNLOCK] = { "mdl-unlock", op_mdl_unlock },
	[OP_MAP] = { "map", op_map },
	[OP_UNMAP] = { "unmap", op_unmap },
	[OP_QUERY] = { "query", op_query },
	[OP_BATCH] = { "batch", op_batch },
	[OP_READ] = { "read", op_read },
	[OP_POLL] = { "poll", op_poll },
	[OP_ODD_IOCTL] = { "odd-ioctl", op_odd_ioctl },
	[OP_IOAS_ALLOC] = { "ioas-alloc", op_ioas_alloc },
	[OP_RAW_MAP] = { "raw-map", op_raw_map },
	[OP_RAW_UNMAP] = { "raw-unmap", op_raw_unmap },
	[OP_RAW_COPY] = { "raw-copy", op_raw_copy },
	[OP_RAW_DESTROY] = { "raw-destroy", op_raw_destroy },
	[OP_RAW_ALLOW] = { "raw-allow", op_raw_allow },
	[OP_DEVICE] = { "device", op_device },
	[OP_MMAP] = { "mmap", op_mmap },
	[OP_MUNMAP] = { "munmap", op_munmap },
	[OP_MPROTECT] = { "mprotect", op_mprotect },
	[OP_MADVISE] = { "madvise", op_madvise },
	[OP_SCRIBBLE] = { "scribble", op_scribble },
	[OP_FORK] = { "fork", op_fork },
};

unsigned int calls_num(void)
{
	return OP_NUM;
}

const char *call_name(unsigned int op)
{
	return ops[op].name;
}

void call_execute(struct lane *lane, const struct call *call)
{
	const unsigned int op = call->op % OP_NUM;
	long rc = ops[op].execute(lane, call);

	if (rc >= 0)
		atomic_fetch_add(&shared->succeeded[op], 1);
	if (lane->verbose)
		printf("# %s%s: %ld\n", ops[op].name,
		       call->how & CALL_ASYNC ? ", meanwhile" : "", rc);
}

static void map_areas(void)
{
	for (unsigned int i = 0; i < NUM_AREAS; i++)
		map_area(i, i);
}

/* While the process is root's, and opens no more files than it keeps */
void calls_init(unsigned int worker)
{
	ext4_file = open("/mnt/ext4/fuzz", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(ext4_file >= 0);
	CHECK(!ftruncate(ext4_file, AREA_SIZE));
	snprintf(device_path, sizeof(device_path), "/dev/vfio/devices/vfio%u",
		 worker);
	map_areas();
}

void calls_begin(void)
{
	first_file = dup(STDIN_FILENO);
	CHECK(first_file >= 0);
	close(first_file);
}

static void *map_at(uintptr_t at, size_t size, int prot, int flags, int fd)
{
	void *va = mmap((void *)at, size, prot, flags | MAP_FIXED_NOREPLACE,
			fd, 0);

	CHECK(va == (void *)at);
	return va;
}

/* By the thread that will use it, while the process is root's */
void lane_init(struct lane *lane, unsigned int number)
{
	uintptr_t at = LANES_BASE + number * (1UL << 20);
	int fd = memfd_create("lane", MFD_CLOEXEC);

	CHECK(fd >= 0 && !ftruncate(fd, PAGE_SIZE));
	lane->page = map_at(at, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    fd);
	at += 2 * PAGE_SIZE;
	lane->read_only = map_at(at, PAGE_SIZE, PROT_READ, MAP_SHARED, fd);
	close(fd);
	at += 2 * PAGE_SIZE;
	lane->arrays = map_at(at, ARRAYS_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1);
	lane->fail_nth = open("/proc/thread-self/fail-nth",
			      O_RDWR | O_CLOEXEC);
	CHECK(lane->fail_nth >= 0);
	lane->trace = kcov_open();
}

/* A program leaves nothing behind, not even memory */
void calls_finish(void)
{
	int fd = atomic_exchange(&device, -1);

	if (fd >= 0)
		close(fd);
	close_range(first_file, ~0U, 0);
	memset(recent, 0, sizeof(recent));
	num_descs_of_mdl = 0;
	map_areas();
}
