// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "report.h"
#include "wddmctl.h"

/* The object that is printed, and within it what is open: innermost last */
#define MAX_DEPTH 8
static struct json_object *open_objects[MAX_DEPTH];
static unsigned int depth;

static struct json_object *checked(struct json_object *object)
{
	if (!object)
		errx(EXIT_FAILED, "out of memory");
	return object;
}

static void push(struct json_object *object)
{
	if (depth == MAX_DEPTH)
		errx(EXIT_FAILED, "report is nested too deeply");
	open_objects[depth++] = object;
}

static struct json_object *innermost(void)
{
	return open_objects[depth - 1];
}

void report_use_json(void)
{
	if (!depth)
		push(checked(json_object_new_object()));
}

static void add(const char *key, struct json_object *value)
{
	json_object_object_add(innermost(), key, checked(value));
}

static char *format_string(const char *format, va_list args)
{
	char *string;

	if (vasprintf(&string, format, args) < 0)
		errx(EXIT_FAILED, "out of memory");
	return string;
}

void report_text(const char *format, ...)
{
	va_list args;

	if (depth)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	fflush(stdout);
}

void report_string(const char *key, const char *label, const char *format, ...)
{
	va_list args;
	char *value;

	va_start(args, format);
	value = format_string(format, args);
	va_end(args);
	if (depth)
		add(key, json_object_new_string(value));
	else if (label)
		report_text("%-15s %s\n", label, value);
	free(value);
}

void report_number(const char *key, const char *label, __u64 value,
		   const char *unit)
{
	if (depth)
		add(key, json_object_new_uint64(value));
	else if (label)
		report_text("%-15s %llu%s%s\n", label, value, *unit ? " " : "",
			    unit);
}

void report_ratio(const char *key, double value)
{
	char text[32];

	if (!depth)
		return;
	/* json-c would print all digits that a double has */
	snprintf(text, sizeof(text), "%.4f", value);
	add(key, json_object_new_double_s(value, text));
}

void report_hex(const char *key, const char *label, __u64 value)
{
	report_string(key, label, "%#llx", value);
}

void report_bool(const char *key, bool value)
{
	if (depth)
		add(key, json_object_new_boolean(value));
}

void report_open_list(const char *key)
{
	struct json_object *list;

	if (!depth)
		return;
	list = checked(json_object_new_array());
	add(key, list);
	push(list);
}

void report_open_item(void)
{
	struct json_object *item;

	if (!depth)
		return;
	item = checked(json_object_new_object());
	if (json_object_array_add(innermost(), item))
		errx(EXIT_FAILED, "out of memory");
	push(item);
}

void report_close(void)
{
	if (depth)
		depth--;
}

static void complain(const char *key, const char *prefix, const char *format,
		     va_list args)
{
	char *message = format_string(format, args);
	struct json_object *value;

	fprintf(stderr, "%s%s\n", prefix, message);
	if (depth) {
		value = checked(json_object_new_string(message));
		json_object_object_add(open_objects[0], key, value);
	}
	free(message);
}

void report_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain("error", "wddmctl: ", format, args);
	va_end(args);
}

void report_todo(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain("todo", "", format, args);
	va_end(args);
}

void report_finish(void)
{
	int flags = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
		    JSON_C_TO_STRING_NOSLASHESCAPE;

	if (!depth)
		return;
	puts(json_object_to_json_string_ext(open_objects[0], flags));
	fflush(stdout);
}
