/* SPDX-License-Identifier: GPL-2.0-only */
/* A mock device of iommufd's, attached to an adapter, whose tables can be read. */
#ifndef __WDDMCOMPAT_MOCK_H
#define __WDDMCOMPAT_MOCK_H

#include <linux/types.h>

struct page;
struct wddmcompat_adapter;

/**
 * struct mock_device - A mock device
 * @adapter: What it is attached to
 * @id: Object ID of the device
 * @hwpt_id: Object ID of its page table
 * @idev_id: Object ID that iommufd knows the device by
 */
struct mock_device {
	struct wddmcompat_adapter *adapter;
	u32 id;
	u32 hwpt_id;
	u32 idev_id;
};

int mock_attach(struct mock_device *mock, struct wddmcompat_adapter *adapter);
int mock_detach(struct mock_device *mock);
int mock_destroy(struct mock_device *mock, u32 id);
bool mock_reaches(struct mock_device *mock, u64 iova, struct page *page);

/**
 * struct mock_queue - A hardware queue of a mock device, since Linux 6.17
 * @id: Object ID of the queue
 * @viommu_id: Object ID of its virtual IOMMU
 * @hwpt_id: Object ID of that one's page table
 */
struct mock_queue {
	u32 id;
	u32 viommu_id;
	u32 hwpt_id;
};

int mock_queue_create(struct mock_device *mock, u64 iova,
		      struct mock_queue *queue);
int mock_queue_destroy(struct mock_device *mock, struct mock_queue *queue);

#endif
