// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the devices reach of some pages, told by their DMA: a page table may look as
 * it likes, what counts is which bytes change.
 */
#include <linux/dxgkrnl.h>
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "miniport.h"

/* What pages are filled with where no DMA is expected; the pattern has it, too */
#define UNTOUCHED 0xee
#define SECRET 0x5a
#define IN_DEVICE 0xc3
#define NOT_DUMPED 0x11

/* How much a device tries where it must not succeed: less than any page has */
#define ATTEMPT_BYTES 2048

/* --- Pages ------------------------------------------------------------------ */

static struct page *page_of(const void *va)
{
	return is_vmalloc_addr(va) ? vmalloc_to_page(va) : virt_to_page(va);
}

/* Pages by their address for the CPU. The caller says where they are for devices. */
void memory_of_address(struct memory *memory, void *va, size_t bytes)
{
	u8 *base = PAGE_ALIGN_VA(va);
	unsigned int i;

	memory->first = BYTE_OFFSET(va);
	memory->bytes = bytes;
	memory->num_pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(va, bytes);
	for (i = 0; i < memory->num_pages; i++) {
		memory->cpu[i] = base + i * PAGE_SIZE;
		memory->pages[i] = page_of(memory->cpu[i]);
		get_page(memory->pages[i]);
	}
}

/* Pages by their MDL, which ends the mapping that this makes for the CPU */
bool memory_of_mdl(struct memory *memory, PMDL mdl)
{
	void *va = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
	unsigned int i;

	if (!va)
		return false;
	memory_of_address(memory, va, MmGetMdlByteCount(mdl));
	for (i = 0; i < memory->num_pages; i++)
		if (page_to_pfn(memory->pages[i]) != MmGetMdlPfnArray(mdl)[i])
			return false;
	return true;
}

/* The CPU's mapping goes; the pages stay, as they are held */
void memory_freed(struct memory *memory)
{
	unsigned int i;

	for (i = 0; i < memory->num_pages; i++)
		memory->cpu[i] = page_address(memory->pages[i]);
}

void memory_put(struct memory *memory)
{
	unsigned int i;

	for (i = 0; i < memory->num_pages; i++)
		put_page(memory->pages[i]);
	memory->num_pages = 0;
}

bool memory_is_above(const struct memory *memory, u64 address)
{
	unsigned int i;

	for (i = 0; i < memory->num_pages; i++)
		if (page_to_phys(memory->pages[i]) <= address)
			return false;
	return true;
}

bool memory_is_below(const struct memory *memory, u64 address)
{
	unsigned int i;

	for (i = 0; i < memory->num_pages; i++)
		if (page_to_phys(memory->pages[i]) + PAGE_SIZE - 1 > address)
			return false;
	return true;
}

/* Has the machine memory beyond @address? */
bool memory_ends_above(u64 address)
{
	return __pa(high_memory - 1) > address;
}

/* An ADL has page numbers: one for all, or one for each */
u64 adl_address(const DXGK_ADL *adl, UINT page)
{
	DXGK_PAGE_NUMBER number;

	number = adl->Flags.Contiguous ? adl->BasePageNumber + page :
					 adl->Pages[page];
	return (u64)number << PAGE_SHIFT;
}

/* --- DMA that must get through ---------------------------------------------- */

static u8 *byte_at(const struct memory *memory, size_t pos)
{
	return memory->cpu[pos >> PAGE_SHIFT] + offset_in_page(pos);
}

static void fill(const struct memory *memory, u8 value)
{
	unsigned int i;

	for (i = 0; i < memory->num_pages; i++)
		memset(memory->cpu[i], value, PAGE_SIZE);
}

static bool is_filled(const struct memory *memory, u8 value)
{
	unsigned int i;

	for (i = 0; i < memory->num_pages; i++)
		if (memchr_inv(memory->cpu[i], value, PAGE_SIZE))
			return false;
	return true;
}

static u8 pattern(u8 seed, size_t i)
{
	return seed * 101 + i * 31 + (i >> 8) * 17 + 7;
}

/* Bytes from @pos on that follow each other for the devices, @count at most */
static u32 run(const struct memory *memory, size_t pos, u32 count)
{
	const u64 *logical = memory->logical + (pos >> PAGE_SHIFT);
	u32 bytes = PAGE_SIZE - offset_in_page(pos);

	for (; bytes < count && logical[1] == logical[0] + PAGE_SIZE; logical++)
		bytes += PAGE_SIZE;
	return min(bytes, count);
}

/* The device moves @count bytes at @pos: in one transfer where that is possible */
static int move(const struct memory *memory, struct edu *edu,
		enum edu_direction direction, size_t pos, u32 count)
{
	u32 done, bytes;
	u64 logical;
	int rc;

	for (done = 0; done < count; done += bytes, pos += bytes) {
		bytes = run(memory, pos, count - done);
		logical = memory->logical[pos >> PAGE_SHIFT] +
			  offset_in_page(pos);
		rc = edu_dma(edu, direction, logical, done, bytes);
		if (rc)
			return rc;
	}
	return 0;
}

/*
 * The device copies bytes from the buffer's first half to the second. Looks at all
 * bytes of all pages: those that it was to write are a copy, and no others changed.
 */
bool memory_copied(const struct memory *memory, struct adapter *adapter)
{
	u32 count = min_t(size_t, memory->bytes / 2, EDU_BYTES);
	size_t from = memory->first + memory->bytes / 2 - count;
	size_t to = memory->first + memory->bytes - count;
	static u8 seed;
	size_t i;
	u8 want;

	seed++;
	fill(memory, UNTOUCHED);
	for (i = 0; i < count; i++)
		*byte_at(memory, from + i) = pattern(seed, i);
	if (move(memory, adapter->edu, EDU_READS, from, count) ||
	    move(memory, adapter->edu, EDU_WRITES, to, count))
		return false;
	for (i = 0; i < memory->num_pages * PAGE_SIZE; i++) {
		want = UNTOUCHED;
		if (i >= from && i < from + count)
			want = pattern(seed, i - from);
		else if (i >= to && i < to + count)
			want = pattern(seed, i - to);
		if (*byte_at(memory, i) != want)
			return false;
	}
	return count;
}

/* --- DMA that must be blocked ----------------------------------------------- */

/*
 * The device, whose own buffer is full, tries to write to one page and to read
 * another: the memory keeps its bytes, and none of them come to the device.
 */
bool memory_blocked(const struct memory *memory, struct adapter *adapter)
{
	u64 write = memory->logical[0];
	u64 read = memory->logical[memory->num_pages - 1];
	struct edu *edu = adapter->edu;

	if (adapter->index)
		swap(write, read);
	fill(memory, SECRET);
	memset(adapter->small, IN_DEVICE, EDU_BYTES);
	if (power_load(adapter) ||
	    edu_dma(edu, EDU_WRITES, write, 0, ATTEMPT_BYTES) ||
	    edu_dma(edu, EDU_READS, read, 0, ATTEMPT_BYTES))
		return false;
	memset(adapter->small, NOT_DUMPED, EDU_BYTES);
	if (power_dump(adapter))
		return false;
	return is_filled(memory, SECRET) &&
	       !memchr(adapter->small, SECRET, ATTEMPT_BYTES) &&
	       !memchr(adapter->small, NOT_DUMPED, EDU_BYTES);
}
