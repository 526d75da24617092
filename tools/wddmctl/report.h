/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a subcommand has to say, either as text for a person, line by line as
 * it happens, or as one JSON object for a program, when all is said.
 */
#ifndef WDDMCTL_REPORT_H
#define WDDMCTL_REPORT_H

#include <linux/types.h>
#include <stdbool.h>

#include "compiler.h"

/* Say it in JSON */
void report_use_json(void);

/* For a person only: it has no place in the JSON object */
void report_text(const char *format, ...) __printf(1, 2);

/*
 * A member of the JSON object that is open now. As text, it is a line with a
 * label; without a label (NULL), it is for JSON only.
 */
void report_string(const char *key, const char *label, const char *format, ...)
	__printf(3, 4);
void report_number(const char *key, const char *label, __u64 value,
		   const char *unit);
void report_hex(const char *key, const char *label, __u64 value);
/* For JSON only, with four digits behind the point */
void report_ratio(const char *key, double value);
void report_bool(const char *key, bool value);

/* Open an array, then an object in it for each of its items; close what is open */
void report_open_list(const char *key);
void report_open_item(void);
void report_close(void);

/*
 * What went wrong, and on a line of its own what to do about it: on stderr, and
 * as members "error" and "todo" in JSON
 */
void report_error(const char *format, ...) __printf(1, 2);
void report_todo(const char *format, ...) __printf(1, 2);

/* All is said: print the JSON object. Later errors go to stderr only */
void report_finish(void);

#endif
