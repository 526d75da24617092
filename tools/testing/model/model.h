/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of what the module, iommufd and memory management promise, small enough
 * to be believed, and random operations that are done to both.
 *
 * An operation names things by slots ("a3" is the adapter in slot 3), so that it
 * still means something when others before it are left out: a slot whose object
 * is gone, or never came, still has a number, a stale handle. That makes a
 * sequence short, see shrink.c. What an operation does, and whether, depends on
 * its arguments and the model alone: the same sequence does the same.
 */
#ifndef __WDDMCOMPAT_MODEL_H
#define __WDDMCOMPAT_MODEL_H

#include <stdnoreturn.h>

#include "../selftests/fixture.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define CONTEXTS 4
#define IOMMUFDS 2
#define IOASES 6
#define ADAPTERS 8
#define MDLS 24
#define MAPPINGS 256
#define RAWS 16

/* memory.c: pages, and the addresses at which the process sees them */

/* Small pages, then some that can become huge ones */
#define SMALL_PAGES 64
#define ARENA_PAGES (SMALL_PAGES + 1024)
#define FILES 2
#define FILE_PAGES 32

/**
 * struct page - A page frame
 * @refs: Who has it: an address, a file, a pin
 * @lazy: The kernel may have given it back (MADV_FREE): it holds @stamp or zeros
 * @stamp: What it begins with; 0 for nothing
 */
struct page {
	unsigned int refs;
	bool lazy;
	__u64 stamp;
};

/**
 * struct pages - What iommufd makes of a user address: see its iopt_pages
 * @refs: Areas that have it
 * @va: Address
 * @writable: It is pinned for writing
 * @num: Pages
 * @frames: Those that are pinned
 */
struct pages {
	unsigned int refs;
	__u64 va;
	bool writable;
	unsigned long num;
	struct {
		struct page *page;
		unsigned int pins; /* surely */
		unsigned int notices; /* perhaps: of a mapping, to be called */
	} frames[];
};

void memory_init(void);
void memory_end(void);
struct page *page_new(__u64 stamp);
void page_get(struct page *page);
void page_put(struct page *page);
__u64 new_stamp(void);
bool is_stamp(__u64 word);
void stamp_write(void *at, __u64 stamp);
bool stamp_is(const void *at, __u64 stamp);
void *arena_at(__u64 page);

/* The page that the process sees there, brought in; NULL if it may not have it */
struct page *arena_pin(__u64 va, bool write);

/* Could it be had? */
bool arena_can_pin(__u64 va, bool write);

/* Would trying to have it change what the process sees later? */
bool arena_pin_is_seen(__u64 va);
void arena_give(__u64 va);

/* state.c: contexts and what belongs to them */

struct context;
struct mdl;
struct mapping;

/**
 * struct area - Addresses in an IOAS: see iommufd's iopt_area
 * @iova: First address
 * @length: Bytes
 * @pages: What is there
 * @start: Byte of @pages that @iova is
 * @writable: A device may write
 * @mapping: It belongs to this one, or to none
 * @mdl: Or to this
 * @index: Its number there
 */
struct area {
	__u64 iova;
	__u64 length;
	struct pages *pages;
	__u64 start;
	bool writable;
	struct mapping *mapping;
	struct mdl *mdl;
	unsigned int index;
};

struct span {
	__u64 first;
	__u64 last;
};

/**
 * struct iommufd - An open /dev/iommu, or one that a context keeps
 * @refs: Slot, contexts, device
 */
struct iommufd {
	unsigned int refs;
};

/**
 * struct ioas - An IOAS
 * @live: It is there
 * @in: Where
 * @id: Its number
 * @adapters: Adapters that were made of it
 * @attached: A device sees it
 * @mdls_of: It is where this context keeps its MDLs
 * @areas: By address
 * @num_areas: Their number
 * @max_areas: For which there is room
 * @reserved: Addresses that the device cannot have
 * @num_reserved: Their number
 * @allowed: Addresses that the kernel may choose; none: all
 * @num_allowed: Their number
 */
struct ioas {
	bool live;
	struct iommufd *in;
	__u32 id;
	unsigned int adapters;
	bool attached;
	struct context *mdls_of;
	struct area **areas;
	unsigned int num_areas;
	unsigned int max_areas;
	struct span reserved[8];
	unsigned int num_reserved;
	struct span allowed[3];
	unsigned int num_allowed;
};

/**
 * struct object - What a handle names, or has named
 * @handle: The handle
 * @ctx: Context; NULL if there is no such object (any more)
 */
struct object {
	__u64 handle;
	struct context *ctx;
};

/**
 * struct adapter - An adapter
 * @obj: Its handle
 * @ioas: IOAS
 * @mappings: How many use it
 * @calls: How often the module was told of an unmap there that was not its own,
 *         at most
 */
struct adapter {
	struct object obj;
	struct ioas *ioas;
	unsigned int mappings;
	unsigned int calls;
};

/*
 * After that many calls the module lets go of what it has pinned in an IOAS, and what
 * comes then is loose, until it counts anew: see watch.c
 */
#define CALLS_MAX 8

/* What is known of a state that user space can ask for */
enum known {
	IS_LIVE,
	IS_REVOKED,
	MAY_BE_REVOKED,
};

/* The same of an event that can be read */
enum event {
	NO_EVENT,
	AN_EVENT,
	PERHAPS_AN_EVENT,
};

struct desc {
	unsigned long first;
	__u32 offset;
};

/* Descriptors that follow each other in memory: an area of the MDL IOAS */
struct segment {
	unsigned long first;
	unsigned long num;
	bool writable;
	bool there; /* as the module believes */
	struct pages *pages;
};

struct mdl {
	struct object obj;
	enum known state;
	enum event event;
	unsigned int mappings;
	__u64 iova;
	unsigned long num_pages;
	unsigned int num_descs;
	struct desc *descs;
	unsigned int num_segs;
	struct segment *segs;
};

/**
 * struct mapping - A mapping
 * @obj: Its handle
 * @adapter: Adapter
 * @mdl: MDL
 * @state: What was told
 * @event: What can be read
 * @loose: The module may have let go of the pins that tell it of unmaps, see
 *         watch.c: what others do is noticed later, or when it is unmapped
 * @lost: Areas of it were unmapped by others
 * @iova: Address
 * @first: First page of the MDL
 * @num: Pages
 * @flags: MAP_WRITE or 0
 */
struct mapping {
	struct object obj;
	struct adapter *adapter;
	struct mdl *mdl;
	enum known state;
	enum event event;
	bool loose;
	bool lost;
	__u64 iova;
	unsigned long first;
	unsigned long num;
	__u32 flags;
};

#define HISTORY 65536

/**
 * struct context - A context
 * @fd: Its file, or -1
 * @iommufd: What it is bound to, or NULL
 * @iommufd_slot: The slot that was in
 * @mdls: Its MDL IOAS
 * @next_iova: Where the next MDL goes there
 * @calls: As in an adapter
 * @history: All handles that it ever had, so that none comes twice
 */
struct context {
	int fd;
	struct iommufd *iommufd;
	struct ioas mdls;
	__u64 next_iova;
	unsigned int calls;
	__u64 history[HISTORY];
};

struct raw {
	__u64 iova;
	__u64 length;
};

struct state {
	struct context ctx[CONTEXTS];
	struct {
		int fd;
		struct iommufd *iommufd;
	} iommufd[IOMMUFDS];
	struct ioas ioas[IOASES];
	struct adapter adapter[ADAPTERS];
	struct mdl mdl[MDLS];
	struct mapping mapping[MAPPINGS];
	struct raw raw[RAWS];
	unsigned long pins; /* Pages that are pinned surely */
	unsigned long may_be_pinned; /* and perhaps */
};

extern struct state state;

void state_init(void);
struct iommufd *iommufd_get(struct iommufd *iommufd);
void iommufd_put(struct iommufd *iommufd);
void ioas_init(struct ioas *ioas, struct iommufd *in, __u32 id);
void ioas_fini(struct ioas *ioas);

struct pages *pages_new(__u64 va, unsigned long num, bool writable);
void pages_get(struct pages *pages);
void pages_put(struct pages *pages);
bool pages_can_pin(const struct pages *pages, unsigned long first,
		   unsigned long num);
bool pages_pin_is_clear(const struct pages *pages, unsigned long first,
			unsigned long num);
void pages_pin(struct pages *pages, unsigned long first, unsigned long num);
void pages_unpin(struct pages *pages, unsigned long first, unsigned long num);

struct area *area_add(struct ioas *ioas, __u64 iova, __u64 length,
		      struct pages *pages, __u64 start, bool writable);
struct area *area_find(const struct ioas *ioas, __u64 iova, __u64 last);
struct page *area_page(const struct area *area, __u64 iova);
void area_remove(struct ioas *ioas, struct area *area);

/* IOMMU_IOAS_UNMAP by the holder: what goes, and whom it concerns */
int ioas_unmap(struct ioas *ioas, __u64 first, __u64 last, __u64 *unmapped);

/* Is there room? -EINVAL, -EEXIST, -EOVERFLOW */
int ioas_check(const struct ioas *ioas, __u64 iova, __u64 length);
bool ioas_has_room(const struct ioas *ioas, __u64 length, __u64 alignment);
bool ioas_is_allowed(const struct ioas *ioas, __u64 iova, __u64 length);
__u64 ioas_alignment(const struct ioas *ioas);
struct ioas *ioas_by_id(const struct iommufd *in, __u32 id);

void mdl_unlocked(struct mdl *mdl);
void mapping_unmapped(struct mapping *mapping);
void context_closed(struct context *ctx);
void handle_is_new(struct context *ctx, __u64 handle, unsigned int type);

/* By the letter of its type: "adm" */
#define LETTERS "adm"
struct object *object_at(char letter, unsigned int slot);
unsigned int object_slots(char letter);
struct object *handle_find(const struct context *ctx, __u64 handle);
int handle_lookup(const struct context *ctx, __u64 handle, unsigned int type,
		  struct object **obj);
struct segment *mdl_segment(const struct mdl *mdl, unsigned long page);
void mapping_add_area(struct mapping *mapping, const struct segment *seg,
		      unsigned long page, unsigned long num);
void tell_adapters(const struct ioas *ioas, const struct adapter *own);

/* Ask about what the model cannot know */
void mdls_ask(struct context *ctx);
bool mapping_is_unclear(const struct mapping *mapping);
bool mapping_has_likeness(const struct mapping *mapping);
void mapping_ask_areas(struct mapping *mapping);
bool iommufd_has_loose(const struct iommufd *in);

/* ops.c: operations */

#define ARGS 44

struct op {
	__u8 code;
	__u8 num;
	__u64 arg[ARGS];
};

/* An argument that names a slot */
#define REF_TAG 0x5ef0000000000000ULL
#define REF(letter, slot) (REF_TAG | (__u64)(letter) << 16 | (slot))

static inline bool is_ref(__u64 arg, char letter)
{
	return arg >> 48 == REF_TAG >> 48 && (char)(arg >> 16) == letter;
}

static inline unsigned int ref_slot(__u64 arg, unsigned int num)
{
	return (arg & 0xffff) % num;
}

/* More than there are kinds of operations */
#define OP_CODES 256

const char *op_name(unsigned int code);
void op_generate(struct op *op);
void op_execute(const struct op *op);
void op_print(const struct op *op, char *buf, size_t size);
int op_parse(struct op *op, char *line);
__u64 arg_handle(__u64 arg);
__u64 arg_address(__u64 base, __u64 offset);
struct ioas *arg_ioas(__u64 arg);
__u32 arg_ioas_id(__u64 arg);

void random_seed(__u64 seed);
__u64 random_number(void);
__u64 random_below(__u64 limit);
bool one_in(unsigned int n);

/* Each does what the arguments say. wddm.c, raw.c, memory.c, truth.c */
typedef void op_fn(const __u64 *arg, unsigned int num);
op_fn do_open, do_close, do_bind, do_info, do_create, do_destroy, do_lock,
	do_unlock, do_map, do_unmap, do_query, do_batch, do_events;
op_fn do_fopen, do_fclose, do_ialloc, do_idestroy, do_imap, do_icopy, do_iunmap,
	do_iclear, do_allow;
op_fn do_mmap, do_munmap, do_move, do_protect, do_advise, do_write, do_check,
	do_punch, do_fork;
op_fn do_attach, do_detach, do_dma, do_pins;
void truth_end(void);

/* model.c: what is wrong, and the end of it */

extern int device;
noreturn void wrong(const char *fmt, ...);
void expect(const char *what, long want, long got);

/* What has come of the present operation, if nothing did before */
void count(long result);
void check_pins(void);

/**
 * struct run - Operations, and how far a process has come with them
 * @num: Operations
 * @max: For which there is room
 * @at: The one that is being executed
 * @message: What was wrong with it
 * @ops: The operations
 */
struct run {
	unsigned long num;
	unsigned long max;
	unsigned long at;
	char message[1024];
	struct op ops[];
};

struct run *run_alloc(unsigned long num);
void run_free(struct run *run);

/* In a process of its own; made up from @seed, or as they are. Did all go well? */
bool run_execute(struct run *run, const __u64 *seed);

/* shrink.c: a shorter one that goes wrong as well, in the place of @run */
struct run *shrink(struct run *run);

#endif
