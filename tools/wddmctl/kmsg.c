// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kmsg.h"
#include "report.h"

/* The longest record that the kernel gives */
#define RECORD_MAX 8192

int kmsg_open(void)
{
	int fd;

	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		report_error("cannot read the kernel's log, /dev/kmsg: %m");
		report_todo("Run this as root.");
		return -1;
	}
	kmsg_skip(fd);
	return fd;
}

void kmsg_skip(int fd)
{
	lseek(fd, 0, SEEK_END);
}

static bool has_address(const char *text, __u64 page, __u64 page_size)
{
	__u64 address;
	char *end;

	while ((text = strstr(text, "0x"))) {
		address = strtoull(text, &end, 16);
		if (address >= page && address - page < page_size)
			return true;
		text = end;
	}
	return false;
}

/* Cut "priority,sequence,time,flags;text\nkeys" down to the text */
static const char *record_text(char *record)
{
	char *text = strchr(record, ';');

	if (!text)
		return "";
	text[strcspn(text, "\n")] = '\0';
	return text + 1;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool kmsg_wait_address(int fd, __u64 page, __u64 page_size,
		       unsigned int milliseconds, char *line, size_t size)
{
	long deadline = now_ms() + milliseconds;
	struct pollfd log = { .fd = fd, .events = POLLIN };
	char record[RECORD_MAX];
	const char *text;
	ssize_t length;
	long left;

	for (;;) {
		length = read(fd, record, sizeof(record) - 1);
		if (length >= 0) {
			record[length] = '\0';
			text = record_text(record);
			if (!has_address(text, page, page_size))
				continue;
			snprintf(line, size, "%s", text);
			return true;
		}
		/* EPIPE: the record was overwritten before it was read */
		if (errno == EPIPE || errno == EINTR)
			continue;
		left = deadline - now_ms();
		if (errno != EAGAIN || left <= 0)
			return false;
		poll(&log, 1, left);
	}
}
