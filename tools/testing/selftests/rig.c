// SPDX-License-Identifier: GPL-2.0-only
/* An edu device with a page of its own */
#include <string.h>

#include "fixture.h"
#include "rig.h"

/* Far from where iommufd puts anything by itself */
#define STAGE_IOVA 0x5000000000ULL

int rig_open(struct rig *rig, unsigned int index, int iommufd, __u32 ioas)
{
	int rc;

	*rig = (struct rig){
		.edu.fd = -1,
		.iommufd = iommufd,
		.ioas = ioas,
		.stage = anon_pages(1),
		.stage_iova = STAGE_IOVA + index * PAGE_SIZE,
	};
	rc = ioas_map_fixed(iommufd, ioas, rig->stage, PAGE_SIZE,
			    rig->stage_iova);
	if (!rc)
		rc = edu_open(&rig->edu, index, iommufd);
	if (!rc)
		rc = edu_attach(&rig->edu, ioas);
	return rc;
}

void rig_close(struct rig *rig)
{
	if (!rig->stage)
		return;
	edu_close(&rig->edu);
	ioas_unmap_range(rig->iommufd, rig->ioas, rig->stage_iova, PAGE_SIZE);
	munmap(rig->stage, PAGE_SIZE);
	rig->stage = NULL;
}

bool device_holds(struct rig *rig, unsigned int seed)
{
	fill(rig->stage, EDU_MAX, seed);
	return !edu_read(&rig->edu, rig->stage_iova, EDU_MAX);
}

bool device_writes(struct rig *rig, __u64 iova, size_t len)
{
	return !edu_write(&rig->edu, iova, len);
}

bool device_sees(struct rig *rig, __u64 iova, const void *va, size_t len)
{
	if (edu_read(&rig->edu, iova, len))
		return false;
	memset(rig->stage, 0, EDU_MAX);
	if (edu_write(&rig->edu, rig->stage_iova, len))
		return false;
	return !memcmp(rig->stage, va, len);
}
