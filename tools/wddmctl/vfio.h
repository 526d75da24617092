/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCI device in the hands of this process: opened through VFIO's character
 * device, bound to an iommufd and attached to an IOAS, an address space for
 * DMA that is empty at first.
 */
#ifndef WDDMCTL_VFIO_H
#define WDDMCTL_VFIO_H

#include <linux/types.h>
#include <stddef.h>

struct vfio {
	char address[16];
	/* As in /dev/vfio/devices/ */
	char name[32];
	int iommufd;
	int fd;
	__u32 ioas;
};

/* Make 0000:00:03.0 of 0:3.0 and the like; -1 if @text is no PCI address */
int vfio_parse_address(const char *text, char *address, size_t size);

/*
 * Take the device at the PCI address, with an iommufd that is open already or,
 * if that is -1, with a new one. Returns 0, or -1 after having reported what went
 * wrong and what to do. Leaving is left to the end of the process.
 */
int vfio_take(struct vfio *device, const char *address, int iommufd);

/* Access to the PCI configuration space; 0, or -1 with an error reported */
int vfio_config_read16(struct vfio *device, unsigned int offset, __u16 *value);
int vfio_config_write16(struct vfio *device, unsigned int offset, __u16 value);

/* Map a BAR into memory; NULL with an error reported */
void *vfio_map_bar(struct vfio *device, unsigned int bar, size_t *length);

#endif
