// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wddmcompat.h>

#include "report.h"
#include "wddmctl.h"

/* Above all that there are */
#define ERRORS 134

static const struct operation {
	const char *name;
	__u32 cmd;
} operations[] = {
	{ "info", WDDMCOMPAT_CMD_INFO },
	{ "bind", WDDMCOMPAT_CMD_BIND },
	{ "adapter-create", WDDMCOMPAT_CMD_ADAPTER_CREATE },
	{ "adapter-destroy", WDDMCOMPAT_CMD_ADAPTER_DESTROY },
	{ "lock", WDDMCOMPAT_CMD_MDL_LOCK },
	{ "unlock", WDDMCOMPAT_CMD_MDL_UNLOCK },
	{ "map", WDDMCOMPAT_CMD_MAP },
	{ "unmap", WDDMCOMPAT_CMD_UNMAP },
	{ "query", WDDMCOMPAT_CMD_QUERY },
	{ "batch", WDDMCOMPAT_CMD_BATCH },
};

static const struct operation *find_operation(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		if (!strcmp(operations[i].name, text))
			return &operations[i];
	return NULL;
}

/* By its name or by its number; 0 if there is none */
static int find_error(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (!*end && number > 0 && number < ERRORS)
		return number;
	for (int error = 1; error < ERRORS; error++) {
		const char *name = strerrorname_np(error);

		if (name && !strcasecmp(name, text))
			return error;
	}
	return 0;
}

/* Each line of it indented */
static void report_lines(const char *text)
{
	int length;

	for (; *text; text += length + (text[length] == '\n')) {
		length = strcspn(text, "\n");
		report_text("    %.*s\n", length, text);
	}
}

static bool explain(const struct operation *operation, int error)
{
	const char *text = wddm_explain(operation->cmd, error);

	if (!text)
		return false;
	report_open_item();
	report_string("operation", NULL, "%s", operation->name);
	report_string("error", NULL, "%s", strerrorname_np(error));
	report_number("number", NULL, error, "");
	report_string("text", NULL, "%s", text);
	report_close();
	report_text("%s: %s (%d, %s)\n", operation->name,
		    strerrorname_np(error), error, strerror(error));
	report_lines(text);
	return true;
}

/* Of all operations or of one, all errors or one */
static bool explain_all(const struct operation *only, int only_error)
{
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (only && only != &operations[i])
			continue;
		for (int error = 1; error < ERRORS; error++)
			if (!only_error || error == only_error)
				found |= explain(&operations[i], error);
	}
	return found;
}

int explain_main(int argc, char **argv)
{
	const struct operation *operation;
	int error = 0;
	bool found;

	next_option(argc, argv, NULL, 0);
	if (optind == argc)
		usage_error("which operation, or which error?");
	operation = find_operation(argv[optind]);
	if (operation)
		optind++;
	if (optind < argc) {
		error = find_error(argv[optind]);
		if (!error)
			usage_error("\"%s\" is neither an operation nor an error",
				    argv[optind]);
		optind++;
	}
	if (optind < argc)
		usage_error("\"%s\" has no place here", argv[optind]);

	report_open_list("errors");
	found = explain_all(operation, error);
	report_close();
	if (!found)
		report_text("The module never answers so.\n");
	report_finish();
	return EXIT_OK;
}
