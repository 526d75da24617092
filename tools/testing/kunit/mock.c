// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <uapi/linux/iommufd.h>

#include "iommufd_test.h"
#include "mock.h"
#include "wddmcompat_private.h"

static int mock_command(struct mock_device *mock, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return wddm_command(mock->adapter->ioas.iommufd, WDDM_VIA_CARRIER,
			    IOMMU_TEST_CMD, cmd, sizeof(*cmd));
}

/* Make a mock device and attach it to the IOAS of an adapter */
int mock_attach(struct mock_device *mock, struct wddmcompat_adapter *adapter)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = adapter->ioas.id,
	};
	int rc;

	mock->adapter = adapter;
	rc = mock_command(mock, &cmd);
	mock->id = cmd.mock_domain.out_stdev_id;
	mock->hwpt_id = cmd.mock_domain.out_hwpt_id;
	mock->idev_id = cmd.mock_domain.out_idev_id;
	return rc;
}

/* Destroy any object of the iommufd */
int mock_destroy(struct mock_device *mock, u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return wddm_command(mock->adapter->ioas.iommufd, WDDM_VIA_CARRIER,
			    IOMMU_DESTROY, &cmd, sizeof(cmd));
}

int mock_detach(struct mock_device *mock)
{
	return mock_destroy(mock, mock->id);
}

struct mock_look {
	struct mock_device *mock;
	u64 iova;
	struct page *page;
};

/* iommufd compares with the page at a user address, so the page gets one */
static int mock_look(void *data)
{
	struct mock_look *look = data;
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MD_CHECK_MAP,
		.id = look->mock->hwpt_id,
	};
	unsigned long uaddr;
	int rc;

	rc = wddm_window_open(&look->page, 1, &uaddr);
	if (rc)
		return rc;
	cmd.check_map.iova = look->iova;
	cmd.check_map.length = PAGE_SIZE;
	cmd.check_map.uptr = uaddr;
	rc = mock_command(look->mock, &cmd);
	wddm_window_close(uaddr, 1);
	return rc;
}

/* Does the device find @page, and all of it, at @iova? */
bool mock_reaches(struct mock_device *mock, u64 iova, struct page *page)
{
	struct mock_look look = { mock, iova, page };

	return !wddm_carrier_call(mock->adapter->ioas.iommufd, mock_look,
				  &look);
}

#ifdef IOMMU_HW_QUEUE_ALLOC
static int queue_command(struct mock_device *mock, unsigned int cmd,
			 void *command, size_t size)
{
	return wddm_command(mock->adapter->ioas.iommufd, WDDM_VIA_CARRIER, cmd,
			    command, size);
}

/* Let a hardware queue lie in the page at @iova, which then cannot be unmapped */
int mock_queue_create(struct mock_device *mock, u64 iova,
		      struct mock_queue *queue)
{
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
		.dev_id = mock->idev_id,
		.pt_id = mock->adapter->ioas.id,
	};
	struct iommu_viommu_alloc viommu = {
		.size = sizeof(viommu),
		.type = IOMMU_VIOMMU_TYPE_SELFTEST,
		.dev_id = mock->idev_id,
	};
	struct iommu_hw_queue_alloc hw_queue = {
		.size = sizeof(hw_queue),
		.type = IOMMU_HW_QUEUE_TYPE_SELFTEST,
		.nesting_parent_iova = iova,
		.length = PAGE_SIZE,
	};
	int rc;

	rc = queue_command(mock, IOMMU_HWPT_ALLOC, &hwpt, sizeof(hwpt));
	if (rc)
		return rc;
	viommu.hwpt_id = hwpt.out_hwpt_id;
	rc = queue_command(mock, IOMMU_VIOMMU_ALLOC, &viommu, sizeof(viommu));
	if (rc)
		return rc;
	hw_queue.viommu_id = viommu.out_viommu_id;
	rc = queue_command(mock, IOMMU_HW_QUEUE_ALLOC, &hw_queue,
			   sizeof(hw_queue));
	queue->hwpt_id = hwpt.out_hwpt_id;
	queue->viommu_id = viommu.out_viommu_id;
	queue->id = hw_queue.out_hw_queue_id;
	return rc;
}

int mock_queue_destroy(struct mock_device *mock, struct mock_queue *queue)
{
	return mock_destroy(mock, queue->id) ?:
	       mock_destroy(mock, queue->viommu_id) ?:
	       mock_destroy(mock, queue->hwpt_id);
}
#endif
