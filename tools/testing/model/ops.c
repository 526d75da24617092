// SPDX-License-Identifier: GPL-2.0-only
/* Operations: their names, arguments as text, and how they are made up */
#include <stdlib.h>
#include <string.h>

#include "model.h"

static __u64 random_state;

void random_seed(__u64 seed)
{
	random_state = seed;
}

/* splitmix64 */
__u64 random_number(void)
{
	__u64 z = random_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

__u64 random_below(__u64 limit)
{
	return random_number() % limit;
}

bool one_in(unsigned int n)
{
	return !random_below(n);
}

__u64 arg_handle(__u64 arg)
{
	for (const char *letter = LETTERS; *letter; letter++)
		if (is_ref(arg, *letter))
			return object_at(*letter,
					 ref_slot(arg, object_slots(*letter)))
				->handle;
	return arg;
}

/* An address of something, or any number */
__u64 arg_address(__u64 base, __u64 offset)
{
	if (is_ref(base, 'm'))
		base = state.mapping[ref_slot(base, MAPPINGS)].iova;
	else if (is_ref(base, 'd'))
		base = state.mdl[ref_slot(base, MDLS)].iova;
	else if (is_ref(base, 'r'))
		base = state.raw[ref_slot(base, RAWS)].iova;
	return base + offset;
}

__u32 arg_ioas_id(__u64 arg)
{
	if (is_ref(arg, 'i'))
		return state.ioas[ref_slot(arg, IOASES)].id;
	if (is_ref(arg, 'k'))
		return state.ctx[ref_slot(arg, CONTEXTS)].mdls.id;
	return arg;
}

static void put(struct op *op, __u64 arg)
{
	op->arg[op->num++] = arg;
}

/* Mostly one that can be used */
static __u64 any_ctx(void)
{
	__u64 ctx = random_below(CONTEXTS);

	for (int i = 0; i < CONTEXTS && !state.ctx[ctx].iommufd; i++) {
		if (one_in(12))
			break;
		ctx = (ctx + 1) % CONTEXTS;
	}
	return ctx;
}

static __u64 any_how(void)
{
	return one_in(30) ? random_below(16) : 0;
}

static __u64 any_iommufd(void)
{
	return random_below(IOMMUFDS);
}

/* A number that nobody gave */
static __u64 made_up(void)
{
	switch (random_below(5)) {
	case 0:
		return 0;
	case 1:
		return random_number();
	case 2:
		return random_below(5) << 60 | random_below(64);
	case 3:
		return UINT64_MAX;
	default:
		return arg_handle(REF('m', random_below(MAPPINGS))) +
		       (1 << 24);
	}
}

/*
 * The letter and slot of an object: mostly one that is there and belongs to the context,
 * sometimes another's, a former one, or one of another type
 */
static __u64 any_object(const struct context *ctx, char letter)
{
	const unsigned int num = object_slots(letter);
	const unsigned int first = random_below(num);

	if (one_in(40))
		return made_up();
	if (one_in(20))
		return REF(LETTERS[random_below(3)], first);
	if (one_in(12))
		return REF(letter, first);
	for (unsigned int i = 0; i < num; i++)
		if (object_at(letter, (first + i) % num)->ctx == ctx)
			return REF(letter, (first + i) % num);
	return REF(letter, first);
}

static bool has_any(const struct context *ctx, char letter)
{
	for (unsigned int i = 0; i < object_slots(letter); i++)
		if (object_at(letter, i)->ctx == ctx)
			return true;
	return false;
}

/* Mostly one in which something can be mapped */
static __u64 any_ready_ctx(void)
{
	__u64 ctx = any_ctx();

	for (int i = 0; i < CONTEXTS && !one_in(20); i++) {
		if (has_any(&state.ctx[ctx], 'a') &&
		    has_any(&state.ctx[ctx], 'd'))
			break;
		ctx = (ctx + 1) % CONTEXTS;
	}
	return ctx;
}

/* Mostly one that has an object of this type */
static __u64 any_ctx_with(char letter)
{
	__u64 ctx = any_ctx();

	for (int i = 0; i < CONTEXTS && !one_in(20); i++) {
		if (has_any(&state.ctx[ctx], letter))
			break;
		ctx = (ctx + 1) % CONTEXTS;
	}
	return ctx;
}

static __u64 any_adapter(const struct context *ctx)
{
	return any_object(ctx, 'a');
}

static __u64 any_mdl(const struct context *ctx)
{
	return any_object(ctx, 'd');
}

static __u64 any_mapping(const struct context *ctx)
{
	return any_object(ctx, 'm');
}

static __u64 free_slot(char letter)
{
	const unsigned int num = object_slots(letter);
	const unsigned int first = random_below(num);

	for (unsigned int i = 0; i < num; i++)
		if (!object_at(letter, (first + i) % num)->ctx)
			return REF(letter, (first + i) % num);
	return REF(letter, first);
}

/* Mostly one in this iommufd, or with NULL in any */
static __u64 any_ioas_in(const struct iommufd *in)
{
	unsigned int first = random_below(IOASES);

	if (one_in(30))
		return random_below(40);
	for (unsigned int i = 0; i < IOASES && !one_in(20); i++) {
		const struct ioas *ioas = &state.ioas[(first + i) % IOASES];

		if (ioas->live && (!in || ioas->in == in))
			return REF('i', (first + i) % IOASES);
	}
	return REF('i', first);
}

static __u64 any_ioas(void)
{
	return any_ioas_in(NULL);
}

/* Of the contexts' own ones, too: whose MDLs are in danger then */
static __u64 any_raw_ioas(void)
{
	return one_in(12) ? REF('k', random_below(CONTEXTS)) : any_ioas();
}

/* The slot of the iommufd that an IOAS is in, so that most operations find it */
static __u64 its_iommufd(__u64 ioas)
{
	const struct ioas *it = NULL;

	if (is_ref(ioas, 'i'))
		it = &state.ioas[ref_slot(ioas, IOASES)];
	else if (is_ref(ioas, 'k'))
		it = &state.ctx[ref_slot(ioas, CONTEXTS)].mdls;
	for (int i = 0; it && it->live && i < IOMMUFDS; i++)
		if (state.iommufd[i].iommufd == it->in && !one_in(40))
			return i;
	return any_iommufd();
}

static __u64 any_number(void)
{
	const __u64 numbers[] = { 0, 1, 4095, 4096, 4097, 0xfee00000,
				  1ULL << 39, 1ULL << 48, 1ULL << 63,
				  UINT64_MAX - 4095, UINT64_MAX, 0x5000000000 };

	return numbers[random_below(ARRAY_SIZE(numbers))];
}

/* One whose first address is in use there */
static __u64 any_raw(const struct ioas *ioas)
{
	unsigned int first = random_below(RAWS);

	for (unsigned int i = 0; ioas && i < RAWS; i++) {
		__u64 iova = state.raw[(first + i) % RAWS].iova;

		if (iova && area_find(ioas, iova, iova))
			return REF('r', (first + i) % RAWS);
	}
	return REF('r', first);
}

static __u64 mapping_in(const struct ioas *ioas)
{
	unsigned int first = random_below(MAPPINGS);

	for (unsigned int i = 0; ioas && i < MAPPINGS; i++) {
		unsigned int slot = (first + i) % MAPPINGS;
		const struct mapping *mapping = &state.mapping[slot];

		if (mapping->obj.ctx && mapping->adapter->ioas == ioas)
			return REF('m', slot);
	}
	return REF('m', first);
}

/* A place in an IOAS: near something that is there, or anywhere */
static void put_address(struct op *op, __u64 ioas)
{
	const struct ioas *it = is_ref(ioas, 'i') ?
				&state.ioas[ref_slot(ioas, IOASES)] :
				is_ref(ioas, 'k') ?
				&state.ctx[ref_slot(ioas, CONTEXTS)].mdls :
				NULL;

	if (one_in(16)) {
		put(op, any_number());
		put(op, 0);
		return;
	}
	if (one_in(4)) {
		put(op, random_below(64) * PAGE_SIZE);
		put(op, 0);
		return;
	}
	if (is_ref(ioas, 'k'))
		put(op, any_mdl(&state.ctx[ref_slot(ioas, CONTEXTS)]));
	else if (one_in(3))
		put(op, any_raw(it));
	else
		put(op, mapping_in(it));
	put(op, one_in(2) ? 0 :
		one_in(8) ? random_below(3 * PAGE_SIZE) :
			    random_below(6) * PAGE_SIZE);
}

/* As long as what is there, or not */
static __u64 any_length(const struct op *op, unsigned int base)
{
	const __u64 arg = op->arg[base];

	if (one_in(20))
		return any_number();
	if (one_in(10))
		return random_below(5 * PAGE_SIZE);
	if (is_ref(arg, 'm') && one_in(2))
		return state.mapping[ref_slot(arg, MAPPINGS)].num * PAGE_SIZE;
	if (is_ref(arg, 'd') && one_in(2))
		return state.mdl[ref_slot(arg, MDLS)].num_pages * PAGE_SIZE;
	if (is_ref(arg, 'r') && one_in(2))
		return state.raw[ref_slot(arg, RAWS)].length;
	return (1 + random_below(8)) * PAGE_SIZE;
}

static __u64 any_page(void)
{
	return one_in(4) ? SMALL_PAGES + random_below(1024) :
			   random_below(SMALL_PAGES);
}

/* Mostly one that can be locked */
static __u64 any_good_page(bool write)
{
	__u64 page = any_page();

	for (int i = 0; i < 16 && !one_in(40); i++) {
		if (arena_can_pin((uintptr_t)arena_at(page), write))
			break;
		page = any_page();
	}
	return page;
}

/* Addresses that are not the process's, or not in a way that it can lock */
static __u64 any_bad_page(void)
{
	const __u64 pages[] = { 0, PAGE_SIZE, 0x1000000000 - PAGE_SIZE,
				0xffff888000000000, UINT64_MAX - 4095,
				0x1000000001, 0x7f0000000000 };

	return pages[random_below(ARRAY_SIZE(pages))] ?:
	       ARENA_PAGES;
}

static void put_desc(struct op *op, unsigned int max_pages)
{
	__u64 flags = one_in(3) ? 0 : MDL_WRITE;
	__u64 offset = one_in(2) ? 0 : random_below(PAGE_SIZE);
	__u64 bytes = 1 + random_below(max_pages * PAGE_SIZE);
	__u64 page = any_good_page(flags);

	if (one_in(200))
		flags |= 1ULL << random_below(64);
	if (one_in(300))
		offset = PAGE_SIZE + random_below(2) * 0xffff0000;
	if (one_in(300))
		bytes = one_in(2) ? 0 : UINT32_MAX - random_below(8192);
	put(op, one_in(200) ? any_bad_page() : page);
	put(op, offset);
	put(op, bytes);
	put(op, flags);
}

/* One that goes on where the one before it ends, most often: that one then ends with its page */
static void put_neighbour(struct op *op, unsigned int max_pages)
{
	__u64 *before = &op->arg[op->num - 4];
	__u64 pages = (before[1] + before[2] + PAGE_SIZE - 1) / PAGE_SIZE;

	if (before[0] + pages >= ARENA_PAGES || before[1] >= PAGE_SIZE) {
		put_desc(op, max_pages);
		return;
	}
	before[2] = pages * PAGE_SIZE - before[1] - one_in(10);
	put(op, before[0] + pages);
	put(op, one_in(10));
	put(op, 1 + random_below(max_pages * PAGE_SIZE));
	put(op, one_in(10) ? before[3] ^ MDL_WRITE : before[3]);
}

static void make_ctx(struct op *op)
{
	put(op, any_ctx());
}

static void make_bind(struct op *op)
{
	put(op, any_ctx());
	put(op, random_below(one_in(10) ? 4 : 2));
	put(op, any_how());
}

static void make_info(struct op *op)
{
	put(op, any_ctx());
	put(op, any_how());
}

static void make_create(struct op *op)
{
	__u64 ctx = any_ctx();

	put(op, ctx);
	put(op, free_slot('a'));
	put(op, one_in(30) ? REF('k', ctx) :
			     any_ioas_in(state.ctx[ctx].iommufd));
	put(op, any_how());
}

static void make_destroy(struct op *op)
{
	__u64 ctx = any_ctx_with('a');

	put(op, ctx);
	put(op, any_adapter(&state.ctx[ctx]));
	put(op, any_how());
}

static void make_lock(struct op *op)
{
	unsigned int num = one_in(3) ? 1 + random_below(8) : 1;
	bool many = one_in(30);

	put(op, any_ctx());
	put(op, free_slot('d'));
	put(op, any_how());
	/* A long chain, one that is too long, none */
	put(op, many ? random_below(one_in(10) ? 1030 : 100) :
		one_in(100) ? 0 : 1);
	for (unsigned int i = 0; i < num; i++) {
		if (i && one_in(3))
			put_neighbour(op, many ? 2 : 4);
		else
			put_desc(op, many ? 2 : one_in(10) ? 24 : 4);
	}
}

static void make_unlock(struct op *op)
{
	__u64 ctx = any_ctx_with('d');

	put(op, ctx);
	put(op, any_mdl(&state.ctx[ctx]));
	put(op, any_how());
}

static void make_map(struct op *op)
{
	__u64 ctx = any_ready_ctx(), adapter = any_adapter(&state.ctx[ctx]);
	__u64 mdl = any_mdl(&state.ctx[ctx]);
	unsigned long pages = is_ref(mdl, 'd') ?
			state.mdl[ref_slot(mdl, MDLS)].num_pages ?: 1 : 1;
	__u64 ioas = 0, first;

	if (is_ref(adapter, 'a') &&
	    state.adapter[ref_slot(adapter, ADAPTERS)].obj.ctx)
		ioas = REF('i', state.adapter[ref_slot(adapter, ADAPTERS)].ioas -
					state.ioas);
	put(op, ctx);
	put(op, free_slot('m'));
	put(op, adapter);
	put(op, mdl);
	put(op, random_below(4) | (one_in(60) ? 1ULL << random_below(64) : 0));
	first = one_in(20) ? random_below(pages + 2) :
		one_in(3) ? random_below(pages) : 0;
	put(op, first);
	put(op, one_in(20) ? random_below(pages + 2) :
		one_in(60) ? any_number() :
		one_in(3) && first < pages ? random_below(pages - first + 1) :
					     0);
	put_address(op, ioas);
	put(op, one_in(3) ? random_below(3) : 0);
	put(op, any_how());
}

static void put_unmap(struct op *op, const struct context *ctx)
{
	__u64 memory = any_mapping(ctx), adapter = any_adapter(ctx);
	const struct mapping *mapping = is_ref(memory, 'm') ?
			&state.mapping[ref_slot(memory, MAPPINGS)] : NULL;

	if (mapping && mapping->obj.ctx && !one_in(12))
		adapter = REF('a', mapping->adapter - state.adapter);
	put(op, adapter);
	put(op, memory);
}

static void make_unmap(struct op *op)
{
	__u64 ctx = any_ctx_with('m');

	put(op, ctx);
	put_unmap(op, &state.ctx[ctx]);
	put(op, any_how());
}

static void make_query(struct op *op)
{
	__u64 ctx = any_ctx();

	put(op, ctx);
	put(op, one_in(4) ? any_adapter(&state.ctx[ctx]) :
		one_in(2) ? any_mdl(&state.ctx[ctx]) :
			    any_mapping(&state.ctx[ctx]));
	put(op, any_how());
}

static void make_batch(struct op *op)
{
	const __u64 cmds[] = { WDDMCOMPAT_CMD_MDL_LOCK, WDDMCOMPAT_CMD_MAP,
			       WDDMCOMPAT_CMD_UNMAP };
	__u64 ctx = any_ready_ctx(), cmd = cmds[random_below(3)];
	const struct context *it = &state.ctx[ctx];
	bool many = cmd != WDDMCOMPAT_CMD_MDL_LOCK && one_in(4);
	unsigned int num = many ? 1 : random_below(7);

	put(op, ctx);
	put(op, one_in(40) ? random_below(12) : cmd);
	put(op, any_how());
	put(op, many ? random_below(128) : 1);
	for (unsigned int i = 0; i < num; i++) {
		if (cmd == WDDMCOMPAT_CMD_MDL_LOCK) {
			put(op, REF('d', (ref_slot(free_slot('d'), MDLS) + i) % MDLS));
			put_desc(op, 3);
		} else if (cmd == WDDMCOMPAT_CMD_MAP) {
			put(op, free_slot('m'));
			put(op, any_adapter(it));
			put(op, any_mdl(it));
			put(op, one_in(200) ? 4 : random_below(2));
			put(op, one_in(4));
		} else {
			put_unmap(op, it);
			op->num += 3;
		}
	}
}

static void make_events(struct op *op)
{
	put(op, any_ctx());
	put(op, random_below(16));
	put(op, any_how());
}

static void make_iommufd(struct op *op)
{
	put(op, any_iommufd());
}

static void make_ialloc(struct op *op)
{
	put(op, any_iommufd());
	put(op, REF('i', random_below(IOASES)));
}

static void make_idestroy(struct op *op)
{
	__u64 ioas = one_in(4) ? random_below(40) : any_raw_ioas();

	put(op, its_iommufd(ioas));
	put(op, ioas);
}

static __u64 any_map_flags(void)
{
	if (one_in(30))
		return random_below(16);
	return IOMMU_IOAS_MAP_READABLE |
	       (one_in(2) ? IOMMU_IOAS_MAP_WRITEABLE : 0) |
	       (one_in(2) ? IOMMU_IOAS_MAP_FIXED_IOVA : 0);
}

static void make_imap(struct op *op)
{
	__u64 ioas = any_raw_ioas();

	put(op, its_iommufd(ioas));
	put(op, ioas);
	put(op, one_in(40) ? any_bad_page() : any_good_page(true));
	put(op, one_in(100) ? random_below(PAGE_SIZE) : 0);
	put(op, one_in(100) ? random_below(8 * PAGE_SIZE) :
			      (1 + random_below(8)) * PAGE_SIZE);
	put(op, any_map_flags());
	put_address(op, ioas);
	put(op, REF('r', random_below(RAWS)));
}

static void make_icopy(struct op *op)
{
	__u64 src = one_in(3) ? REF('k', random_below(CONTEXTS)) : any_ioas();
	__u64 dst = any_raw_ioas();

	put(op, its_iommufd(src));
	put(op, dst);
	put(op, src);
	put_address(op, src);
	put(op, any_length(op, 3));
	put(op, any_map_flags());
	put_address(op, dst);
	put(op, REF('r', random_below(RAWS)));
}

static void make_iunmap(struct op *op)
{
	__u64 ioas = any_raw_ioas();

	put(op, its_iommufd(ioas));
	put(op, ioas);
	put_address(op, ioas);
	put(op, any_length(op, 2));
}

static void make_iclear(struct op *op)
{
	__u64 ioas = any_raw_ioas();

	put(op, its_iommufd(ioas));
	put(op, ioas);
}

/* A narrow window, so that it fills up; or all again */
static void make_allow(struct op *op)
{
	__u64 ioas = any_raw_ioas(), first;

	put(op, its_iommufd(ioas));
	put(op, ioas);
	for (__u64 num = random_below(4); num; num--) {
		first = one_in(10) ? any_number() :
				     random_below(64) * 16 * PAGE_SIZE;
		put(op, first);
		put(op, first + random_below(64) * PAGE_SIZE - one_in(2));
	}
}

static void make_pages(struct op *op)
{
	put(op, any_page());
	put(op, one_in(2) ? random_below(4) : random_below(32));
}

static void make_mmap(struct op *op)
{
	put(op, any_page());
	put(op, random_below(32));
	put(op, one_in(2) ? 0 : random_below(3));
	put(op, one_in(6) ? random_below(4) : 0);
	put(op, random_below(FILES));
	put(op, random_below(FILE_PAGES));
}

static void make_move(struct op *op)
{
	make_pages(op);
	put(op, any_page());
}

static void make_advise(struct op *op)
{
	make_pages(op);
	put(op, random_number() % 64);
}

static void make_protect(struct op *op)
{
	make_pages(op);
	put(op, one_in(2) ? 0 : random_below(3));
}

static void make_punch(struct op *op)
{
	put(op, random_below(FILES));
	put(op, random_below(FILE_PAGES));
	put(op, random_below(8));
}

static void make_fork(struct op *op)
{
	make_pages(op);
	put(op, any_ctx());
	put(op, random_below(4));
}

static void make_attach(struct op *op)
{
	put(op, REF('i', random_below(IOASES)));
}

static void make_none(struct op *op)
{
	(void)op;
}

static void make_dma(struct op *op)
{
	__u64 ioas = 0;

	for (int i = 0; i < IOASES; i++)
		if (state.ioas[i].live && state.ioas[i].attached)
			ioas = REF('i', i);
	put_address(op, ioas);
	put(op, random_below(2));
}

/**
 * struct kind - A kind of operation
 * @name: Its name
 * @weight: How often it is done; per mille or so
 * @make: Makes up its arguments
 * @execute: Does it, in the model and in the kernel
 */
static const struct kind {
	const char *name;
	unsigned int weight;
	void (*make)(struct op *op);
	op_fn *execute;
} kinds[] = {
	{ "open", 4, make_ctx, do_open },
	{ "close", 1, make_ctx, do_close },
	{ "bind", 8, make_bind, do_bind },
	{ "info", 4, make_info, do_info },
	{ "create", 20, make_create, do_create },
	{ "destroy", 14, make_destroy, do_destroy },
	{ "lock", 120, make_lock, do_lock },
	{ "unlock", 100, make_unlock, do_unlock },
	{ "map", 200, make_map, do_map },
	{ "unmap", 150, make_unmap, do_unmap },
	{ "query", 100, make_query, do_query },
	{ "batch", 30, make_batch, do_batch },
	{ "events", 20, make_events, do_events },
	{ "fopen", 4, make_iommufd, do_fopen },
	{ "fclose", 1, make_iommufd, do_fclose },
	{ "ialloc", 20, make_ialloc, do_ialloc },
	{ "idestroy", 8, make_idestroy, do_idestroy },
	{ "imap", 40, make_imap, do_imap },
	{ "icopy", 30, make_icopy, do_icopy },
	{ "iunmap", 40, make_iunmap, do_iunmap },
	{ "iclear", 2, make_iclear, do_iclear },
	{ "allow", 3, make_allow, do_allow },
	{ "mmap", 40, make_mmap, do_mmap },
	{ "munmap", 8, make_pages, do_munmap },
	{ "move", 12, make_move, do_move },
	{ "protect", 20, make_protect, do_protect },
	{ "advise", 20, make_advise, do_advise },
	{ "write", 40, make_pages, do_write },
	{ "check", 30, make_pages, do_check },
	{ "punch", 8, make_punch, do_punch },
	{ "fork", 1, make_fork, do_fork },
	{ "attach", 3, make_attach, do_attach },
	{ "detach", 2, make_none, do_detach },
	{ "dma", 0, make_dma, do_dma },
	{ "pins", 2, make_none, do_pins },
};

/* A transfer takes as long as a thousand other operations */
#define DMA_ONE_IN 4000

/* NULL behind the last */
const char *op_name(unsigned int code)
{
	return code < ARRAY_SIZE(kinds) ? kinds[code].name : NULL;
}

static int kind_of(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return i;
	return -EINVAL;
}

/* What is missing of the surroundings in which most operations make sense */
static int missing(void)
{
	const unsigned int i = random_below(64);

	if (device >= 0 && one_in(16))
		return kind_of("attach");
	if (state.iommufd[i % IOMMUFDS].fd < 0)
		return kind_of("fopen");
	if (state.ctx[i % CONTEXTS].fd < 0)
		return kind_of("open");
	if (!state.ctx[i % CONTEXTS].iommufd)
		return kind_of("bind");
	if (!state.ioas[i % IOASES].live)
		return kind_of("ialloc");
	if (!state.adapter[i % ADAPTERS].obj.ctx)
		return kind_of("create");
	if (!arena_can_pin((uintptr_t)arena_at(any_page()), true))
		return kind_of("mmap");
	return -ENOENT;
}

static bool are_fewer(char letter, unsigned int limit)
{
	unsigned int num = 0;

	for (unsigned int i = 0; i < object_slots(letter); i++)
		num += !!object_at(letter, i)->ctx;
	return num < limit;
}

/* Rather make something than end it, while there is little */
static int balanced(int code)
{
	if (code == kind_of("destroy") && are_fewer('a', ADAPTERS / 2))
		return one_in(4) ? code : kind_of("create");
	if (code == kind_of("unlock") && are_fewer('d', MDLS * 2 / 3))
		return one_in(4) ? code : kind_of("lock");
	if (code == kind_of("unmap") && are_fewer('m', 32))
		return one_in(4) ? code : kind_of("map");
	return code;
}

void op_generate(struct op *op)
{
	unsigned int total = 0, code = 0;
	__u64 pick;
	int need;

	*op = (struct op){};
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
		total += kinds[i].weight;
	pick = random_below(total);
	while (pick >= kinds[code].weight)
		pick -= kinds[code++].weight;
	code = balanced(code);
	need = one_in(4) ? missing() : -ENOENT;
	if (need >= 0)
		code = need;
	if (device >= 0 && one_in(DMA_ONE_IN))
		code = kind_of("dma");
	op->code = code;
	kinds[code].make(op);
}

void op_execute(const struct op *op)
{
	kinds[op->code].execute(op->arg, op->num);
}

static int print_arg(__u64 arg, char *buf, size_t size)
{
	if (arg >> 48 == REF_TAG >> 48)
		return snprintf(buf, size, " %c%u", (char)(arg >> 16),
				(unsigned int)(arg & 0xffff));
	return snprintf(buf, size, arg < 4096 ? " %llu" : " %#llx", arg);
}

void op_print(const struct op *op, char *buf, size_t size)
{
	size_t at = snprintf(buf, size, "%s", kinds[op->code].name);

	for (unsigned int i = 0; i < op->num && at < size; i++)
		at += print_arg(op->arg[i], buf + at, size - at);
}

int op_parse(struct op *op, char *line)
{
	char *word = strtok(line, "\n ");
	int code = word ? kind_of(word) : -EINVAL;

	if (code < 0)
		return code;
	*op = (struct op){ .code = code };
	while ((word = strtok(NULL, "\n "))) {
		if (op->num == ARGS)
			return -E2BIG;
		put(op, strchr("admirk", *word) ?
				REF(*word, strtoul(word + 1, NULL, 10)) :
				strtoull(word, NULL, 0));
	}
	return 0;
}
