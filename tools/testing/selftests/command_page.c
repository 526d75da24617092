// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "command_page.h"
#include "fixture.h"

void *find_command_page(void)
{
	unsigned long start, end;
	char line[256], rights[5];
	void *page = NULL;
	FILE *maps;

	become_root();
	maps = fopen("/proc/self/maps", "re");
	while (!page && maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[wddmcompat]") &&
		    sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3 &&
		    end - start == PAGE_SIZE && !strcmp(rights, "rw-s"))
			page = (void *)start;
	become_user();
	if (maps)
		fclose(maps);
	return page;
}

bool command_is_unmap(const void *page)
{
	return __atomic_load_n((const __u32 *)page, __ATOMIC_RELAXED) ==
	       sizeof(struct iommu_ioas_unmap);
}
