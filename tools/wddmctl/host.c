// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

static int is_not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

unsigned int host_list(const char *directory,
		       void (*visit)(const char *name, void *arg), void *arg)
{
	struct dirent **entries;
	int i, count;

	count = scandir(directory, &entries, is_not_hidden, versionsort);
	if (count < 0)
		return 0;
	for (i = 0; i < count; i++) {
		if (visit)
			visit(entries[i]->d_name, arg);
		free(entries[i]);
	}
	free(entries);
	return count;
}

struct first {
	char *name;
	size_t size;
	bool found;
};

static void keep_first(const char *name, void *arg)
{
	struct first *first = arg;

	if (!first->found)
		snprintf(first->name, first->size, "%s", name);
	first->found = true;
}

bool host_first(const char *directory, char *name, size_t size)
{
	struct first first = { .name = name, .size = size };

	host_list(directory, keep_first, &first);
	return first.found;
}

bool host_file_has(const char *path, const char *text)
{
	bool found = false;
	char *line = NULL;
	size_t size = 0;
	FILE *file;

	file = fopen(path, "r");
	if (!file)
		return false;
	while (!found && getline(&line, &size, file) >= 0)
		found = strstr(line, text);
	free(line);
	fclose(file);
	return found;
}

bool host_link(const char *path, char *name, size_t size)
{
	char target[PATH_MAX];
	ssize_t length;

	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	snprintf(name, size, "%s", basename(target));
	return true;
}

unsigned int host_iommu_devices(const char *iommu)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/class/iommu/%s/devices", iommu);
	return host_list(path, NULL, NULL);
}

long host_pinned_pages(void)
{
	long acquired = 0, released = 0;
	char line[128];
	FILE *file;

	file = fopen("/proc/vmstat", "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "nr_foll_pin_acquired %ld", &acquired) == 1)
			continue;
		if (sscanf(line, "nr_foll_pin_released %ld", &released) == 1)
			break;
	}
	fclose(file);
	return acquired - released;
}

/*
 * Each CPU counts for itself, and adds to the sum about once in a second. When
 * root reads this file, if the kernel has it, they all do it at once.
 */
bool host_refresh_pins(void)
{
	char nothing;
	bool done;
	int fd;

	fd = open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = read(fd, &nothing, sizeof(nothing)) >= 0;
	close(fd);
	return done;
}
