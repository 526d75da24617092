// SPDX-License-Identifier: GPL-2.0-only
/* Programs: made, changed, written down */
#include <stdio.h>
#include <string.h>

#include "kselftest.h"
#include "ops.h"

/* What nearly every program begins with. 0 is always a good argument, see calls.c */
static const struct call prefix[] = {
	{ .op = OP_OPEN },	     { .op = OP_OPEN_IOMMUFD },
	{ .op = OP_BIND },	     { .op = OP_IOAS_ALLOC },
	{ .op = OP_ADAPTER_CREATE }, { .op = OP_MDL_LOCK },
	{ .op = OP_MAP },
};

/* How much of it */
#define WITH_ADAPTER 5
#define WITH_MDL 6
#define WITH_MAPPING 7

/**
 * struct seed - A main path, one of those that everything begins with
 * @begins: Calls of @prefix
 * @num: Calls of its own
 * @calls: These
 */
struct seed {
	__u32 begins;
	__u32 num;
	struct call calls[6];
};

static const struct seed seeds[] = {
	/* There and back */
	{ WITH_MAPPING,
	  5,
	  { { .op = OP_QUERY },
	    { .op = OP_UNMAP },
	    { .op = OP_MDL_UNLOCK },
	    { .op = OP_ADAPTER_DESTROY },
	    { .op = OP_INFO } } },
	/* A chain, a part of it, and where it is */
	{ WITH_ADAPTER,
	  3,
	  { { .op = OP_MDL_LOCK, .arg = { 0, 2 } },
	    { .op = OP_MAP, .arg = { 0, 0, 0, 0, 1, 0, 0, 1 } },
	    { .op = OP_UNMAP } } },
	/* Revoked, and told */
	{ WITH_MAPPING,
	  4,
	  { { .op = OP_RAW_UNMAP },
	    { .op = OP_POLL },
	    { .op = OP_READ },
	    { .op = OP_UNMAP } } },
	/* The MDL is revoked while it is mapped */
	{ WITH_MAPPING,
	  4,
	  { { .op = OP_RAW_UNMAP, .arg = { 0, 4, 0 } },
	    { .op = OP_READ },
	    { .op = OP_MAP },
	    { .op = OP_UNMAP } } },
	/* A device */
	{ WITH_MAPPING,
	  3,
	  { { .op = OP_DEVICE }, { .op = OP_MAP }, { .op = OP_UNMAP } } },
	/* Batches */
	{ WITH_MAPPING,
	  3,
	  { { .op = OP_BATCH, .arg = { 0, 2 } },
	    { .op = OP_BATCH, .arg = { 0, 0 } },
	    { .op = OP_BATCH, .arg = { 0, 1 } } } },
	/* The user's own mappings, beside and of ours */
	{ WITH_MDL,
	  5,
	  { { .op = OP_RAW_MAP },
	    { .op = OP_RAW_COPY },
	    { .op = OP_MAP },
	    { .op = OP_RAW_UNMAP, .arg = { 0, 0, 2 } },
	    { .op = OP_UNMAP } } },
	/* At the same time */
	{ WITH_MAPPING,
	  2,
	  { { .op = OP_RAW_UNMAP, .how = CALL_ASYNC }, { .op = OP_UNMAP } } },
	{ WITH_MAPPING,
	  2,
	  { { .op = OP_SCRIBBLE, .how = CALL_ASYNC }, { .op = OP_UNMAP } } },
	/* The memory goes, the process divides */
	{ WITH_MAPPING,
	  3,
	  { { .op = OP_MUNMAP }, { .op = OP_FORK }, { .op = OP_UNMAP } } },
	/* Many descriptors, cleared at once */
	{ WITH_ADAPTER,
	  4,
	  { { .op = OP_MDL_LOCK, .arg = { 0, 4 } },
	    { .op = OP_MAP, .arg = { 0, 0, 0, 0, 1, 0, 0, 1 } },
	    { .op = OP_RAW_UNMAP, .arg = { 0, 0, 2 } },
	    { .op = OP_UNMAP } } },
};

unsigned int program_seeds(void)
{
	return ARRAY_SIZE(seeds);
}

void program_seed(struct program *program, unsigned int index)
{
	const struct seed *seed = &seeds[index];

	memcpy(program->calls, prefix, seed->begins * sizeof(*prefix));
	memcpy(program->calls + seed->begins, seed->calls,
	       seed->num * sizeof(*prefix));
	program->num = seed->begins + seed->num;
}

/* xorshift64*, whose state is never 0 */
static __u32 random_word(__u64 *random)
{
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return *random * 2685821657736338717ULL >> 32;
}

__u32 random_below(__u64 *random, __u32 limit)
{
	return (__u64)random_word(random) * limit >> 32;
}

/* The first places of a table are those that work */
static __u8 random_arg(__u64 *random)
{
	switch (random_below(random, 4)) {
	case 0:
		return 0;
	case 1:
		return random_below(random, 256);
	default:
		return random_below(random, 8);
	}
}

static void random_call(struct call *call, __u64 *random)
{
	*call = (struct call){ .op = random_below(random, calls_num()) };
	for (unsigned int i = random_below(random, NUM_ARGS + 1); i-- > 0;)
		call->arg[i] = random_arg(random);
	if (!random_below(random, 8))
		call->fail_nth = 1 + random_below(random, 40);
}

static void change_how(struct call *call, __u64 *random)
{
	switch (random_below(random, 8)) {
	case 0:
		call->how ^= CALL_COMPAT;
		break;
	case 1:
	case 2:
		call->how = (call->how & ~CALL_PLACE) |
			    random_below(random, CALL_PLACE + 1);
		break;
	case 3:
	case 4:
	case 5:
		call->fail_nth = random_below(random, 60);
		break;
	default:
		call->how ^= CALL_ASYNC;
	}
}

static void change_call(struct call *call, __u64 *random)
{
	switch (random_below(random, 8)) {
	case 0:
		random_call(call, random);
		break;
	case 1:
	case 2:
		change_how(call, random);
		break;
	case 3:
		call->patch_at = random_below(random, 128);
		call->patch_width = random_below(random, 9);
		call->patch_with = random_below(random, 256);
		break;
	case 4:
		((__u8 *)call)[random_below(random, sizeof(*call))] ^=
			1 << random_below(random, 8);
		break;
	default:
		call->arg[random_below(random, NUM_ARGS)] = random_arg(random);
	}
}

static void insert_call(struct program *program, __u32 at,
			const struct call *call)
{
	if (program->num == CALLS_MAX)
		program->num--;
	memmove(&program->calls[at + 1], &program->calls[at],
		(program->num - at) * sizeof(*call));
	program->calls[at] = *call;
	program->num++;
}

static void remove_call(struct program *program, __u32 at)
{
	program->num--;
	memmove(&program->calls[at], &program->calls[at + 1],
		(program->num - at) * sizeof(program->calls[0]));
}

/* The first calls of one, the last of another */
static void splice(struct program *program, const struct program *other,
		   __u64 *random)
{
	__u32 keep = random_below(random, program->num + 1);
	__u32 from = random_below(random, other->num);

	while (keep < CALLS_MAX && from < other->num)
		program->calls[keep++] = other->calls[from++];
	program->num = keep;
}

static void mutate_once(struct program *program, const struct program *other,
			__u64 *random)
{
	/* There is room for one more, as an insertion drops the last */
	__u32 at = random_below(random, program->num);
	struct call call;

	switch (random_below(random, 10)) {
	case 0:
		if (program->num > 1)
			remove_call(program, at);
		break;
	case 1:
		call = program->calls[at];
		insert_call(program, random_below(random, program->num), &call);
		break;
	case 2:
		splice(program, other, random);
		break;
	case 3:
	case 4:
	case 5:
		random_call(&call, random);
		insert_call(program, at, &call);
		break;
	default:
		change_call(&program->calls[at], random);
	}
}

void program_mutate(struct program *program, const struct program *other,
		    __u64 *random)
{
	for (unsigned int i = 1 + random_below(random, 6); i-- > 0;)
		mutate_once(program, other, random);
}

void program_random(struct program *program, __u64 *random)
{
	program->num = 1 + random_below(random, CALLS_MAX);
	for (__u32 i = 0; i < program->num; i++)
		random_call(&program->calls[i], random);
}

/* The bytes of each call up to the last that is not 0, and a dot behind each call */
void program_print(const struct program *program, char text[PROGRAM_TEXT])
{
	for (__u32 i = 0; i < program->num; i++) {
		const __u8 *bytes = (const __u8 *)&program->calls[i];
		size_t num = sizeof(program->calls[i]);

		while (num > 1 && !bytes[num - 1])
			num--;
		for (size_t at = 0; at < num; at++)
			text += sprintf(text, "%02x", bytes[at]);
		text += sprintf(text, ".");
	}
}

static bool call_parse(struct call *call, const char *text, size_t length)
{
	if (!length || length % 2 || length > 2 * sizeof(*call))
		return false;
	for (size_t at = 0; at < length / 2; at++) {
		if (sscanf(text + 2 * at, "%2hhx", (__u8 *)call + at) != 1)
			return false;
	}
	return true;
}

bool program_parse(struct program *program, const char *text)
{
	const char *dot;

	*program = (struct program){};
	for (; (dot = strchr(text, '.')); text = dot + 1) {
		if (program->num == CALLS_MAX ||
		    !call_parse(&program->calls[program->num++], text,
				dot - text))
			return false;
	}
	return program->num && !*text;
}
