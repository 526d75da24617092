// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program of 32 bits, which compat32 starts. It has no library, which would be one
 * of another processor, only the header: sizes and offsets are those of 64 bits. It
 * locks its memory, maps it, has the device write there, and unmaps it again.
 *
 * iommufd itself has no way in for 32-bit processes. So one of 64 bits has made the
 * IOAS, attached the device, and left the files open here.
 */
#include <linux/wddmcompat.h>

#include "ia32.h"

#define PAGE 4096

/* System calls of a 32-bit process, and their arguments */
#define NR_EXIT 1
#define NR_READ 3
#define NR_WRITE 4
#define NR_OPEN 5
#define NR_CLOSE 6
#define NR_IOCTL 54
#define NR_NANOSLEEP 162
#define NR_MMAP 192
#define RDWR 2
#define PROT_READ_WRITE 3
#define MAP_SHARED 1
#define MAP_POPULATED 0x8022
#define E_NOENT 2
#define E_BUSY 16

/* The registers and bits of edu, see edu.c */
#define EDU_SOURCE 0x80
#define EDU_DESTINATION 0x88
#define EDU_COUNT 0x90
#define EDU_COMMAND 0x98
#define EDU_START 1
#define EDU_TO_MEMORY 2
#define EDU_BUFFER 0x40000

/* Beyond what 32 bits can say */
#define IOVA 0x123456000ULL

static int syscall(int nr, int a, int b, int c, int d, int e)
{
	int rc;

	asm volatile("int $0x80"
		     : "=a"(rc)
		     : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
		     : "memory");
	return rc;
}

static void say(const char *text)
{
	int len = 0;

	while (text[len])
		len++;
	syscall(NR_WRITE, 1, (int)text, len, 0, 0);
}

static void check(int so, const char *what)
{
	if (so)
		return;
	say("# not so: ");
	say(what);
	say("\n");
	syscall(NR_EXIT, 1, 0, 0, 0, 0);
}

#define CHECK(cond) check(cond, #cond)

static int ioctl(int fd, unsigned int cmd, void *arg)
{
	return syscall(NR_IOCTL, fd, cmd, (int)arg, 0, 0);
}

/* Of a file from its start, or of nothing. The sixth argument takes a register more */
static void *mmap(int len, int flags, int fd)
{
	int rc;

	asm volatile("push %%ebp\n\t"
		     "xor %%ebp, %%ebp\n\t"
		     "int $0x80\n\t"
		     "pop %%ebp"
		     : "=a"(rc)
		     : "a"(NR_MMAP), "b"(0), "c"(len), "d"(PROT_READ_WRITE),
		       "S"(flags), "D"(fd)
		     : "memory");
	CHECK((unsigned int)rc < -4096U);
	return (void *)rc;
}

/* At once: the device does not take halves */
static void set(__u8 *reg, __u64 value)
{
	__atomic_store_n((__u64 *)reg, value, __ATOMIC_RELEASE);
}

static void transfer(__u8 *bar, __u64 source, __u64 destination, __u32 command)
{
	const __u32 *busy = (__u32 *)(bar + EDU_COMMAND);
	const int wait[2] = { 0, 1000000 };

	set(bar + EDU_SOURCE, source);
	set(bar + EDU_DESTINATION, destination);
	set(bar + EDU_COUNT, 64);
	set(bar + EDU_COMMAND, command | EDU_START);
	while (__atomic_load_n(busy, __ATOMIC_ACQUIRE) & EDU_START)
		syscall(NR_NANOSLEEP, (int)wait, 0, 0, 0, 0);
}

/* The last bytes of the first descriptor, up to where the second begins */
static int device_writes(__u8 *bar, __u64 logical, __u8 *va)
{
	int i;

	for (i = 0; i < 64; i++)
		va[PAGE + i] = i + 1;
	/* From the second descriptor to the first */
	transfer(bar, logical, EDU_BUFFER, 0);
	transfer(bar, EDU_BUFFER, logical - 64, EDU_TO_MEMORY);
	for (i = 0; i < 64; i++)
		if (va[PAGE - 64 + i] != i + 1)
			return 0;
	return 1;
}

static void whole_life(void)
{
	const int ctx = syscall(NR_OPEN, (int)"/dev/wddmcompat", RDWR, 0, 0, 0);
	struct wddmcompat_bind bind = {
		.size = sizeof(bind),
		.iommufd = IA32_IOMMUFD,
	};
	struct wddmcompat_adapter_create adapter = { .size = sizeof(adapter) };
	__u8 *va = mmap(2 * PAGE, MAP_POPULATED, -1);
	__u8 *bar = mmap(1 << 20, MAP_SHARED, IA32_DEVICE);
	const struct wddmcompat_mdl_desc descs[2] = {
		{
			.start_va = (__u32)va,
			.byte_offset = 5,
			.byte_count = PAGE - 5,
			.flags = WDDMCOMPAT_MDL_WRITE_OPERATION,
		}, {
			.start_va = (__u32)va + PAGE,
			.byte_count = PAGE,
			.flags = WDDMCOMPAT_MDL_WRITE_OPERATION,
		},
	};
	struct wddmcompat_mdl_lock lock = {
		.size = sizeof(lock),
		.descs = (__u32)descs,
		.num_descs = 2,
	};
	struct wddmcompat_mdl_unlock unlock = { .size = sizeof(unlock) };
	__u64 logical[2];
	struct wddmcompat_map map = {
		.size = sizeof(map),
		.flags = WDDMCOMPAT_MAP_WRITEABLE | WDDMCOMPAT_MAP_FIXED_IOVA,
		.iova = IOVA,
		.logical = (__u32)logical,
		.num_logical = 2,
	};
	struct wddmcompat_unmap unmap = { .size = sizeof(unmap) };

	CHECK(ctx >= 0);
	CHECK(!ioctl(ctx, WDDMCOMPAT_BIND, &bind));
	CHECK(syscall(NR_READ, IA32_PIPE, (int)&adapter.ioas_id,
		      sizeof(adapter.ioas_id), 0, 0) == sizeof(adapter.ioas_id));
	CHECK(!ioctl(ctx, WDDMCOMPAT_ADAPTER_CREATE, &adapter));
	CHECK(!ioctl(ctx, WDDMCOMPAT_MDL_LOCK, &lock));
	CHECK(lock.out_num_pages == 2);
	map.adapter = adapter.out_adapter;
	map.mdl = lock.out_mdl;
	CHECK(!ioctl(ctx, WDDMCOMPAT_MAP, &map));
	CHECK(map.iova == IOVA && map.num_pages == 2);
	CHECK(logical[0] == IOVA + 5 && logical[1] == IOVA + PAGE);
	CHECK(device_writes(bar, logical[1], va));

	unlock.mdl = lock.out_mdl;
	CHECK(ioctl(ctx, WDDMCOMPAT_MDL_UNLOCK, &unlock) == -E_BUSY);
	unmap.adapter = adapter.out_adapter;
	unmap.memory = map.out_memory;
	CHECK(!ioctl(ctx, WDDMCOMPAT_UNMAP, &unmap));
	CHECK(unmap.out_state == WDDMCOMPAT_STATE_LIVE);
	CHECK(ioctl(ctx, WDDMCOMPAT_UNMAP, &unmap) == -E_NOENT);
	va[PAGE - 64] = 99;
	CHECK(!device_writes(bar, logical[1], va));
	CHECK(va[PAGE - 64] == 99);
	CHECK(!ioctl(ctx, WDDMCOMPAT_MDL_UNLOCK, &unlock));
	CHECK(unlock.out_state == WDDMCOMPAT_STATE_LIVE);
	CHECK(!syscall(NR_CLOSE, ctx, 0, 0, 0, 0));
}

void _start(void)
{
	whole_life();
	syscall(NR_EXIT, 0, 0, 0, 0, 0);
}
