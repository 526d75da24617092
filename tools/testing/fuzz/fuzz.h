/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fuzzer that is guided by KCOV: it makes programs of calls, keeps those that
 * reach code of the module that none has reached before, and makes new ones of
 * them. See README.rst.
 */
#ifndef __WDDMCOMPAT_FUZZ_H
#define __WDDMCOMPAT_FUZZ_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/types.h>

/* program.c: programs as bytes */

#define NUM_ARGS 10
#define CALLS_MAX 24

/* Each call in hexadecimal and a dot, and the end of the string */
#define PROGRAM_TEXT (CALLS_MAX * (sizeof(struct call) * 2 + 1) + 1)

/**
 * struct call - One call of a program. Any bytes are one
 * @op: What to do: see calls.c
 * @how: How: CALL_*
 * @fail_nth: Which failure to inject, or 0
 * @arg: Its arguments. Each is a place in a table of good and bad values
 * @patch_at: Offset in the structure, of what is overwritten there
 * @patch_width: Bytes of it; 0 for none
 * @patch_with: Place in a table of values
 */
struct call {
	__u8 op;
	__u8 how;
	__u8 fail_nth;
	__u8 arg[NUM_ARGS];
	__u8 patch_at;
	__u8 patch_width;
	__u8 patch_with;
};

/* The next call does not wait for this one */
#define CALL_ASYNC 0x80
/* As a process of 32 bits would call */
#define CALL_COMPAT 0x40
/* Where the structure is: enum place */
#define CALL_PLACE 0x07

struct program {
	__u32 num;
	struct call calls[CALLS_MAX];
};

void program_seed(struct program *program, unsigned int index);
unsigned int program_seeds(void);
void program_random(struct program *program, __u64 *random);
void program_mutate(struct program *program, const struct program *other,
		    __u64 *random);
void program_print(const struct program *program, char text[PROGRAM_TEXT]);
bool program_parse(struct program *program, const char *text);
__u32 random_below(__u64 *random, __u32 limit);

/* kcov.c: what of the module is executed */

#define SECTIONS_MAX 4
#define SECTION_NAME 32

/**
 * struct section - Code of the module
 * @name: Of the section in the module's file
 * @start: Where it has been loaded
 * @size: Its bytes
 * @first: Of its bytes in struct shared's seen
 */
struct section {
	char name[SECTION_NAME];
	uintptr_t start;
	size_t size;
	size_t first;
};

/* More than the code of the module */
#define CODE_MAX (1024 * 1024)

/* The code of the module as it is loaded: before kcov_open() */
void kcov_init(void);

/* For the thread that calls, which is traced until it ends */
uint64_t *kcov_open(void);
void kcov_start(uint64_t *trace);

/* Marks the code that was executed. Returns how much of it was not marked before */
unsigned int kcov_collect(uint64_t *trace, atomic_uchar *seen);

/* One line for each place in the code that is marked. Returns their number */
unsigned int kcov_write(const char *path, const atomic_uchar *seen);

/* calls.c: what the calls of a program do */

enum place {
	PLACE_GOOD,
	PLACE_READ_ONLY = 4,
	PLACE_HALF_OUT,
	PLACE_END_OUT,
	PLACE_NOWHERE,
};

/**
 * struct lane - A thread that executes calls
 * @trace: What it has executed, see KCOV
 * @fail_nth: Its /proc/thread-self/fail-nth
 * @page: A page of its own, with nothing behind it
 * @read_only: The same page, where it cannot be written
 * @arrays: More room, for arrays
 * @verbose: Print each call
 * @faults: Failures that were injected
 */
struct lane {
	uint64_t *trace;
	int fail_nth;
	__u8 *page;
	__u8 *read_only;
	__u8 *arrays;
	bool verbose;
	unsigned long faults;
};

void calls_init(unsigned int worker);
void lane_init(struct lane *lane, unsigned int number);
void calls_begin(void);
void call_execute(struct lane *lane, const struct call *call);
void calls_finish(void);
unsigned int calls_num(void);
const char *call_name(unsigned int op);

#define OPS_MAX 64
#define CORPUS_MAX 4096

/**
 * struct shared - What all processes of the fuzzer share
 * @executed: Programs
 * @calls: Calls
 * @faults: Failures injected
 * @edges: Places of the module's code that were reached
 * @lock: For @corpus
 * @num_seeds: Seeds that were taken
 * @num_corpus: Programs in @corpus
 * @succeeded: Calls of each kind that succeeded
 * @seen: For each byte of the module's code whether it was reached
 * @corpus: Programs that reached something new
 */
struct shared {
	atomic_ulong executed;
	atomic_ulong calls;
	atomic_ulong faults;
	atomic_uint edges;
	atomic_flag lock;
	atomic_uint num_seeds;
	atomic_uint num_corpus;
	atomic_ulong succeeded[OPS_MAX];
	atomic_uchar seen[CODE_MAX];
	struct program corpus[CORPUS_MAX];
};

extern struct shared *shared;

#endif
