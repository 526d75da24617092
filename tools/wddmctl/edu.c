// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci_regs.h>
#include <unistd.h>

#include "edu.h"
#include "report.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

/* Registers */
#define EDU_IDENTITY 0x00
#define EDU_DMA_SOURCE 0x80
#define EDU_DMA_DESTINATION 0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_COMMAND 0x98

/* EDU_IDENTITY: 0xRRrr00ed, where RR.rr is a version */
#define EDU_IDENTITY_MASK 0xffff
#define EDU_IDENTITY_VALUE 0x00ed

/* EDU_DMA_COMMAND */
#define EDU_DMA_START 0x1
#define EDU_DMA_TO_MEMORY 0x2

/* The buffer's place in the addresses that the device knows */
#define EDU_BUFFER 0x40000

/* A transfer takes 100 ms of QEMU's time */
#define EDU_POLL_US 1000
#define EDU_TIMEOUT_US 10000000

/*
 * Registers are read before the memory that the device wrote, and written after
 * the memory that it is to read.
 */
static __u32 read32(struct edu *edu, unsigned int offset)
{
	return __atomic_load_n((__u32 *)(edu->registers + offset),
			       __ATOMIC_ACQUIRE);
}

static void write64(struct edu *edu, unsigned int offset, __u64 value)
{
	__atomic_store_n((__u64 *)(edu->registers + offset), value,
			 __ATOMIC_RELEASE);
}

static int check_identity(struct vfio *device)
{
	__u16 vendor, id;

	if (vfio_config_read16(device, PCI_VENDOR_ID, &vendor) ||
	    vfio_config_read16(device, PCI_DEVICE_ID, &id))
		return -1;
	if (vendor != EDU_VENDOR || id != EDU_DEVICE) {
		report_error("%s is %04x:%04x, and QEMU's edu is 1234:11e8",
			     device->address, vendor, id);
		report_todo("\"lspci -D -d 1234:11e8\" lists edu devices.");
		return -1;
	}
	return 0;
}

/* Let the device answer at its registers and use DMA */
static int enable(struct vfio *device)
{
	__u16 command;

	if (vfio_config_read16(device, PCI_COMMAND, &command))
		return -1;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	return vfio_config_write16(device, PCI_COMMAND, command);
}

int edu_init(struct edu *edu, struct vfio *device)
{
	size_t length;

	if (check_identity(device) || enable(device))
		return -1;
	edu->registers = vfio_map_bar(device, 0, &length);
	if (!edu->registers)
		return -1;
	if (length <= EDU_DMA_COMMAND ||
	    (read32(edu, EDU_IDENTITY) & EDU_IDENTITY_MASK) !=
		    EDU_IDENTITY_VALUE) {
		report_error("%s does not answer as the edu device does",
			     device->address);
		return -1;
	}
	return 0;
}

static int do_dma(struct edu *edu, __u64 source, __u64 destination,
		  unsigned int count, __u64 direction)
{
	unsigned int waited;

	write64(edu, EDU_DMA_SOURCE, source);
	write64(edu, EDU_DMA_DESTINATION, destination);
	write64(edu, EDU_DMA_COUNT, count);
	write64(edu, EDU_DMA_COMMAND, EDU_DMA_START | direction);

	for (waited = 0; waited < EDU_TIMEOUT_US; waited += EDU_POLL_US) {
		if (!(read32(edu, EDU_DMA_COMMAND) & EDU_DMA_START))
			return 0;
		usleep(EDU_POLL_US);
	}
	report_error("the edu device does not come to the end of a transfer");
	return -1;
}

int edu_read(struct edu *edu, __u64 address, unsigned int count)
{
	return do_dma(edu, address, EDU_BUFFER, count, 0);
}

int edu_write(struct edu *edu, __u64 address, unsigned int count)
{
	return do_dma(edu, EDU_BUFFER, address, count, EDU_DMA_TO_MEMORY);
}
