// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: kill [--kills N] [--seconds N] [--seed N]
 *
 * A storm of SIGKILL. A victim does all that can be done with contexts, over and
 * over, and says in shared memory what it is about to do. It is killed in the
 * middle of it: each time in another step, as the killer waits for that step and
 * a random time longer. After some kills nothing of the victims may be left: no
 * pin, no charge, no context, no object in the iommufd, no mapping in the IOAS. And
 * the context of the killer works as before.
 *
 * --kills: at least so many for each kind of victim; --seconds: for so long, all
 * kinds together.
 */
#include <fcntl.h>
#include <getopt.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "fixture.h"
#include "kselftest.h"
#include "tally.h"

#define THREADS 3
/* Of an MDL of a victim, at most */
#define PAGES ((size_t)48)
/* Of our own MDL */
#define OWN_PAGES ((size_t)4)
#define BATCH 6
/* At once, because one is made too quickly to be met in it */
#define ADAPTERS 4

/* What a victim maps itself is there, far from where iommufd chooses */
#define RAW_IOVA 0x6000000000ULL
#define RAW_SLOTS 8

enum step {
	OPEN,
	BIND,
	CREATE,
	LOCK,
	MAP,
	QUERY,
	BATCH_LOCK,
	BATCH_MAP,
	RAW_MAP,
	LOCK_CHAIN,
	RAW_UNMAP,
	READ,
	POLL,
	BATCH_UNMAP,
	UNMAP,
	UNLOCK,
	DESTROY,
	EXIT,
	EXEC,
	CLOSE,
	STEPS,
};

static const char *const step_names[STEPS] = {
	[OPEN] = "open",
	[BIND] = "bind",
	[CREATE] = "adapter create",
	[LOCK] = "lock",
	[MAP] = "map",
	[QUERY] = "query",
	[BATCH_LOCK] = "batch lock",
	[BATCH_MAP] = "batch map",
	[RAW_MAP] = "raw map",
	[LOCK_CHAIN] = "lock chain",
	[RAW_UNMAP] = "raw unmap",
	[READ] = "read",
	[POLL] = "poll",
	[BATCH_UNMAP] = "batch unmap",
	[UNMAP] = "unmap",
	[UNLOCK] = "unlock",
	[DESTROY] = "adapter destroy",
	[EXIT] = "exit",
	[EXEC] = "exec",
	[CLOSE] = "close",
};

enum met {
	NOBODY_IS_THERE,
	VICTIM_IS_THERE,
	BOTH_ARE_THERE,
};

/**
 * struct board - What victim and killer share
 * @aim: The step to be killed in
 * @met: Who has come to where @aim begins
 * @now: The step that each thread of the victim is in, or STEPS in between
 * @done: Steps that all victims have done
 */
struct board {
	int aim;
	atomic_uint met;
	atomic_int now[THREADS];
	atomic_ulong done;
};

/**
 * struct work - What a victim works on, all its threads on the same
 * @board: To be kept up to date
 * @sock: Where the killer wants the contexts to be sent; or -1
 * @shares: The iommufd and the IOAS are the killer's
 * @seed: For its random numbers
 * @ctx: The context; handles and IDs are those of its objects
 */
struct work {
	struct board *board;
	int sock;
	bool shares;
	unsigned int seed;
	int ctx;
	int iommufd;
	__u32 ioas;
	__u32 mdl_ioas;
	__u64 adapters[ADAPTERS];
	__u64 mdl;
	__u64 memory;
	__u64 mdls[BATCH];
	__u64 memories[BATCH];
};

static unsigned int dice(struct work *work, unsigned int sides)
{
	return rand_r(&work->seed) % sides;
}

/* The other threads must not be told, as glibc would */
static int open_device(const char *path)
{
	int fd;

	syscall(SYS_setresuid, -1, 0, -1);
	fd = open(path, O_RDWR | O_CLOEXEC);
	syscall(SYS_setresuid, -1, getuid(), -1);
	return fd;
}

/* Not there before it is locked, so that locking takes its time */
static void *new_memory(void)
{
	void *va = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(va != MAP_FAILED);
	return va;
}

static void do_open(struct work *work)
{
	work->ctx = open_device("/dev/wddmcompat");
	if (work->sock >= 0)
		send_fd(work->sock, work->ctx);
	if (!work->shares) {
		work->iommufd = open_device("/dev/iommu");
		ioas_alloc(work->iommufd, &work->ioas);
	}
}

static void do_bind(struct work *work)
{
	wddm_bind(work->ctx, work->iommufd, &work->mdl_ioas);
}

static void do_create(struct work *work)
{
	for (int i = 0; i < ADAPTERS; i++)
		wddm_adapter_create(work->ctx, work->ioas, &work->adapters[i]);
}

static void do_lock(struct work *work)
{
	const size_t pages = 1 + dice(work, PAGES);
	void *va = new_memory();

	wddm_lock(work->ctx, va, pages * PAGE_SIZE, MDL_WRITE, &work->mdl);
	munmap(va, PAGES * PAGE_SIZE);
}

static void do_lock_chain(struct work *work)
{
	struct wddmcompat_mdl_desc descs[BATCH];
	__u8 *va = new_memory();

	for (size_t i = 0; i < BATCH; i++)
		descs[i] = wddm_desc(va + 2 * i * PAGE_SIZE, PAGE_SIZE, 0);
	wddm_lock_chain(work->ctx, descs, BATCH, &work->mdls[0]);
	munmap(va, PAGES * PAGE_SIZE);
}

static void do_map(struct work *work)
{
	__u64 iova = 0;

	wddm_map_all(work->ctx, work->adapters[0], work->mdl, MAP_WRITE, &iova,
		     &work->memory);
}

/* Even shorter */
static void do_query(struct work *work)
{
	struct wddmcompat_query query;

	for (int i = 0; i < 16; i++)
		wddm_query(work->ctx, work->memory, &query);
}

static void do_batch(struct work *work, __u32 cmd, void *entries)
{
	__s32 results[BATCH];
	struct wddmcompat_batch batch = {
		.size = sizeof(batch),
		.cmd = cmd,
		.num_entries = BATCH,
		.entries = (uintptr_t)entries,
		.results = (uintptr_t)results,
	};

	wddm_ioctl(work->ctx, WDDMCOMPAT_BATCH, &batch);
}

static void do_batch_lock(struct work *work)
{
	struct wddmcompat_mdl_desc descs[BATCH];
	struct wddmcompat_mdl_lock locks[BATCH];
	__u8 *va = new_memory();

	for (size_t i = 0; i < BATCH; i++) {
		descs[i] = wddm_desc(va + i * PAGE_SIZE, PAGE_SIZE, MDL_WRITE);
		locks[i] = (struct wddmcompat_mdl_lock){
			.size = sizeof(locks[i]),
			.descs = (uintptr_t)&descs[i],
			.num_descs = 1,
		};
	}
	do_batch(work, WDDMCOMPAT_CMD_MDL_LOCK, locks);
	for (size_t i = 0; i < BATCH; i++)
		work->mdls[i] = locks[i].out_mdl;
	munmap(va, PAGES * PAGE_SIZE);
}

static void do_batch_map(struct work *work)
{
	struct wddmcompat_map maps[BATCH];

	for (size_t i = 0; i < BATCH; i++)
		maps[i] = (struct wddmcompat_map){
			.size = sizeof(maps[i]),
			.adapter = work->adapters[0],
			.mdl = work->mdls[i],
		};
	do_batch(work, WDDMCOMPAT_CMD_MAP, maps);
	for (size_t i = 0; i < BATCH; i++)
		work->memories[i] = maps[i].out_memory;
}

static void do_batch_unmap(struct work *work)
{
	struct wddmcompat_unmap unmaps[BATCH];

	for (size_t i = 0; i < BATCH; i++)
		unmaps[i] = (struct wddmcompat_unmap){
			.size = sizeof(unmaps[i]),
			.adapter = work->adapters[0],
			.memory = work->memories[i],
		};
	do_batch(work, WDDMCOMPAT_CMD_UNMAP, unmaps);
}

static void do_raw_map(struct work *work)
{
	void *va = new_memory();

	ioas_map_fixed(work->iommufd, work->ioas, va, PAGE_SIZE,
		       RAW_IOVA + dice(work, RAW_SLOTS) * PAGE_SIZE);
	munmap(va, PAGES * PAGE_SIZE);
}

/*
 * Its own, or all there is, which revokes what the module has there. Of a mapping
 * whose MDL was revoked as well the module may not know whether it is still its own,
 * and leave it to the holder of the IOAS: so not where the killer looks.
 */
static void do_raw_unmap(struct work *work)
{
	if (dice(work, 2))
		ioas_unmap_all(work->iommufd, work->ioas);
	else
		ioas_unmap_range(work->iommufd, work->ioas, RAW_IOVA,
				 RAW_SLOTS * PAGE_SIZE);
	if (!work->shares && !dice(work, 4))
		ioas_unmap_all(work->iommufd, work->mdl_ioas);
}

/* Waits for ever only if that is where it is to die */
static void do_read(struct work *work)
{
	const bool waits = work->board->aim == READ;
	struct wddmcompat_event event;

	fcntl(work->ctx, F_SETFL, waits ? 0 : O_NONBLOCK);
	do {
		read(work->ctx, &event, sizeof(event));
	} while (waits);
}

static void do_poll(struct work *work)
{
	const bool waits = work->board->aim == POLL;
	struct pollfd pfd = { .fd = work->ctx, .events = POLLIN };

	do {
		poll(&pfd, 1, waits ? -1 : 0);
	} while (waits);
}

static void do_unmap(struct work *work)
{
	wddm_unmap(work->ctx, work->adapters[0], work->memory);
}

static void do_unlock(struct work *work)
{
	wddm_unlock(work->ctx, work->mdl);
	for (size_t i = 0; i < BATCH; i++)
		wddm_unlock(work->ctx, work->mdls[i]);
}

static void do_destroy(struct work *work)
{
	for (int i = 0; i < ADAPTERS; i++)
		wddm_adapter_destroy(work->ctx, work->adapters[i]);
}

static void do_exit(struct work *work)
{
	if (work->board->aim == EXIT)
		_exit(0);
}

static void do_exec(struct work *work)
{
	if (work->board->aim == EXEC)
		execl("/proc/self/exe", "kill", "--nothing", NULL);
}

static void do_close(struct work *work)
{
	const bool iommufd_first = dice(work, 2);

	if (!work->shares && iommufd_first)
		close(work->iommufd);
	close(work->ctx);
	if (!work->shares && !iommufd_first)
		close(work->iommufd);
}

static void (*const steps[STEPS])(struct work *work) = {
	[OPEN] = do_open,
	[BIND] = do_bind,
	[CREATE] = do_create,
	[LOCK] = do_lock,
	[MAP] = do_map,
	[QUERY] = do_query,
	[BATCH_LOCK] = do_batch_lock,
	[BATCH_MAP] = do_batch_map,
	[RAW_MAP] = do_raw_map,
	[LOCK_CHAIN] = do_lock_chain,
	[RAW_UNMAP] = do_raw_unmap,
	[READ] = do_read,
	[POLL] = do_poll,
	[BATCH_UNMAP] = do_batch_unmap,
	[UNMAP] = do_unmap,
	[UNLOCK] = do_unlock,
	[DESTROY] = do_destroy,
	[EXIT] = do_exit,
	[EXEC] = do_exec,
	[CLOSE] = do_close,
};

/* What can be left out, so that a context ends with live objects */
static bool is_omitted(struct work *work, enum step step)
{
	return step >= BATCH_UNMAP && step <= DESTROY &&
	       step != (enum step)work->board->aim && dice(work, 2);
}

/* The killer sleeps until the victim is there, and the victim waits until it runs */
static void meet_killer(struct board *board)
{
	if (atomic_load(&board->met) != NOBODY_IS_THERE)
		return;
	atomic_store(&board->met, VICTIM_IS_THERE);
	syscall(SYS_futex, &board->met, FUTEX_WAKE, 1, NULL, NULL, 0);
	while (atomic_load(&board->met) != BOTH_ARE_THERE)
		sched_yield();
}

static bool meet_victim(struct board *board)
{
	const struct timespec timeout = { .tv_sec = 120 };

	while (atomic_load(&board->met) != VICTIM_IS_THERE)
		if (syscall(SYS_futex, &board->met, FUTEX_WAIT, NOBODY_IS_THERE,
			    &timeout, NULL, 0) &&
		    errno == ETIMEDOUT)
			return false;
	atomic_store(&board->met, BOTH_ARE_THERE);
	return true;
}

static void take_step(struct work *work, unsigned int thread, enum step step)
{
	struct board *board = work->board;

	atomic_store(&board->now[thread], step);
	steps[step](work);
	atomic_store(&board->now[thread], STEPS);
	atomic_fetch_add(&board->done, 1);
}

/* The first thread does everything in its order */
static void work_in_order(struct work *work)
{
	for (;;) {
		for (enum step step = 0; step < STEPS; step++) {
			if (is_omitted(work, step))
				continue;
			if ((int)step == work->board->aim)
				meet_killer(work->board);
			take_step(work, 0, step);
		}
	}
}

struct helper {
	pthread_t thread;
	struct work *work;
	unsigned int index;
};

/* The others get in its way: whatever it has, they use it, and end it */
static void *help(void *arg)
{
	const struct helper *helper = arg;
	struct board *board = helper->work->board;

	for (;;) {
		const enum step step = dice(helper->work, STEPS);

		if (step != OPEN && (int)step != board->aim)
			take_step(helper->work, helper->index, step);
	}
	return NULL;
}

static void be_victim(struct work *work, unsigned int threads)
{
	struct helper helpers[THREADS];

	for (unsigned int i = 1; i < threads; i++) {
		helpers[i] = (struct helper){ .work = work, .index = i };
		CHECK(!pthread_create(&helpers[i].thread, NULL, help,
				      &helpers[i]));
	}
	work_in_order(work);
}

/**
 * struct kind - A kind of victim
 * @name: What is special about it
 * @threads: How many it has
 * @shares: It works on an IOAS of the killer's
 * @held: It sends its contexts to the killer, who has them longer than it lives
 */
struct kind {
	const char *name;
	unsigned int threads;
	bool shares;
	bool held;
};

static const struct kind kinds[] = {
	{ "with an iommufd of its own", 1, false, false },
	{ "on a shared IOAS", 1, true, false },
	{ "with threads", THREADS, true, false },
	{ "with threads and an iommufd of its own", THREADS, false, false },
	{ "that is survived by its contexts", 1, true, true },
	{ "with threads that is survived by its contexts", THREADS, true, true },
};

/**
 * struct storm - The killer's side
 * @env: Where; its own context has
 * @mdl: an MDL and
 * @memory: a mapping
 * @va: of this memory
 * @ioas: The IOAS that victims share
 * @next_id: The lowest free ID of the iommufd while no victim is there
 * @pins: Pinned pages then
 * @users: Open contexts then
 * @board: Shared with the victim
 * @aimed: Kills at each step
 * @hit: Threads that were in it when they were killed
 * @between: Threads that were in none
 */
struct storm {
	struct env env;
	__u64 mdl;
	__u64 memory;
	void *va;
	__u32 ioas;
	__u32 next_id;
	long pins;
	long users;
	struct board *board;
	unsigned long aimed[STEPS];
	unsigned long hit[STEPS];
	unsigned long between;
};

static long open_contexts(void)
{
	return read_number("/sys/module/wddmcompat/refcnt");
}

/* A kernel thread closes the command pages' files a moment later than the context */
static bool contexts_are_closed(const struct storm *storm)
{
	const long deadline = now_ms() + 5000;

	while (open_contexts() != storm->users) {
		if (now_ms() > deadline)
			return false;
		usleep(1000);
	}
	return true;
}

/* iommufd gives the lowest number that is free: if it changes, something is left */
static __u32 next_id(const struct storm *storm)
{
	__u32 id;

	CHECK(!ioas_alloc(storm->env.iommufd, &id));
	CHECK(!iommufd_destroy(storm->env.iommufd, id));
	return id;
}

/* With a limit of our own pages and one more, there is room for one, not two */
static bool memlock_is_back(const struct storm *storm)
{
	void *va = anon_pages(2);
	bool back;
	__u64 mdl;

	set_memlock_limit((OWN_PAGES + 1) * PAGE_SIZE);
	back = wddm_lock(storm->env.ctx, va, 2 * PAGE_SIZE, 0, &mdl) ==
		       -ENOMEM &&
	       !wddm_lock(storm->env.ctx, va, PAGE_SIZE, 0, &mdl) &&
	       wddm_unlock(storm->env.ctx, mdl) == LIVE;
	set_memlock_limit(MEMLOCK_LIMIT);
	munmap(va, 2 * PAGE_SIZE);
	return back;
}

static bool own_context_works(struct storm *storm)
{
	const struct env *env = &storm->env;
	__u64 iova = 0;

	return wddm_unmap(env->ctx, env->adapter, storm->memory) == LIVE &&
	       !wddm_map_all(env->ctx, env->adapter, storm->mdl, MAP_WRITE,
			     &iova, &storm->memory);
}

/* What victims have mapped themselves is theirs to leave, and the rest is not */
static bool ioas_is_empty(const struct storm *storm)
{
	ioas_unmap_range(storm->env.iommufd, storm->ioas, RAW_IOVA,
			 RAW_SLOTS * PAGE_SIZE);
	return !ioas_unmap_all(storm->env.iommufd, storm->ioas);
}

static bool is_so(bool so, const char *what)
{
	if (!so)
		ksft_print_msg("not so: %s\n", what);
	return so;
}

/* The dead have no closing of files left to do when they can be waited for */
static bool nothing_is_left(struct storm *storm)
{
	return is_so(pinned_pages() == storm->pins, "pins are back") &
	       is_so(contexts_are_closed(storm), "contexts are closed") &
	       is_so(next_id(storm) == storm->next_id, "no object is left") &
	       is_so(memlock_is_back(storm), "the charge is back") &
	       is_so(own_context_works(storm), "our own context works");
}

static void storm_open(struct storm *storm)
{
	struct env *env = &storm->env;
	__u64 iova = 0;

	CHECK(!env_open(env));
	storm->board = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(storm->board != MAP_FAILED);
	CHECK(!ioas_alloc(env->iommufd, &storm->ioas));
	storm->va = anon_pages(OWN_PAGES);
	CHECK(!wddm_lock(env->ctx, storm->va, OWN_PAGES * PAGE_SIZE, MDL_WRITE,
			 &storm->mdl));
	CHECK(!wddm_map_all(env->ctx, env->adapter, storm->mdl, MAP_WRITE,
			    &iova, &storm->memory));
	env->leaves_objects = true;
	storm->next_id = next_id(storm);
	storm->pins = pinned_pages();
	storm->users = open_contexts();
}

static void wait_ns(long ns)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - from.tv_sec) * 1000000000L + now.tv_nsec -
			 from.tv_nsec <
		 ns);
}

/* From nothing to 8 ms, as likely to be short as long */
static long random_ns(void)
{
	const long most = 1L << (random() % 24);

	return random() % most;
}

static pid_t start_victim(struct storm *storm, const struct kind *kind, int sock)
{
	struct work work = {
		.board = storm->board,
		.sock = sock,
		.shares = kind->shares,
		.seed = random(),
		.ctx = -1,
		.iommufd = kind->shares ? storm->env.iommufd : -1,
		.ioas = storm->ioas,
	};
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	be_victim(&work, kind->threads);
	return 0;
}

static void count(struct storm *storm, enum step aim, unsigned int threads)
{
	storm->aimed[aim]++;
	for (unsigned int i = 0; i < threads; i++) {
		const int step = atomic_load(&storm->board->now[i]);

		if (step == STEPS)
			storm->between++;
		else
			storm->hit[step]++;
	}
}

/* The contexts that a dead victim has sent: nobody can use them any more */
static bool take_over(int sock)
{
	struct wddmcompat_info info = { .size = sizeof(info) };
	bool refused = true;
	int ctx;

	while ((ctx = receive_fd(sock)) >= 0) {
		refused &= wddm_ioctl(ctx, WDDMCOMPAT_INFO, &info) == -EIO;
		close(ctx);
	}
	return refused;
}

/* One victim, killed in or shortly after the step @aim */
static bool kill_one(struct storm *storm, const struct kind *kind, enum step aim)
{
	struct board *board = storm->board;
	bool came, refused;
	int socks[2], status;
	pid_t pid;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  0, socks));
	board->aim = aim;
	atomic_store(&board->met, NOBODY_IS_THERE);
	for (unsigned int i = 0; i < THREADS; i++)
		atomic_store(&board->now[i], STEPS);
	pid = start_victim(storm, kind, kind->held ? socks[1] : -1);
	CHECK(pid > 0);
	close(socks[1]);
	came = meet_victim(board);
	wait_ns(random_ns());
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid);
	count(storm, aim, kind->threads);
	tally_add(TALLY_KILLS, 1);
	tally_add(TALLY_OPERATIONS, atomic_exchange(&board->done, 0));
	refused = take_over(socks[0]);
	close(socks[0]);
	/* At once, because the next victim may unmap everything */
	return is_so(came, "the victim came to its end") &
	       is_so(refused, "contexts of the dead are refused") &
	       is_so(ioas_is_empty(storm), "the IOAS is empty");
}

/* Each step in turn, until it is enough */
static bool storm_of(struct storm *storm, const struct kind *kind,
		     unsigned long kills, long deadline)
{
	unsigned long killed = 0;

	memset(storm->aimed, 0, sizeof(storm->aimed));
	memset(storm->hit, 0, sizeof(storm->hit));
	storm->between = 0;
	while (killed < kills || now_ms() < deadline) {
		for (enum step aim = 0; aim < STEPS; aim++, killed++) {
			if (!kill_one(storm, kind, aim)) {
				ksft_print_msg("killed in: %s\n",
					       step_names[aim]);
				return false;
			}
		}
		if (!nothing_is_left(storm))
			return false;
	}
	ksft_print_msg("%lu kills, %lu threads in between\n", killed,
		       storm->between);
	for (enum step step = 0; step < STEPS; step++)
		ksft_print_msg("  %-16s %5lu aimed at %5lu hit\n",
			       step_names[step], storm->aimed[step],
			       storm->hit[step]);
	return true;
}

static void parse(int argc, char **argv, unsigned long *kills, long *seconds)
{
	static const struct option options[] = {
		{ "kills", required_argument, NULL, 'k' },
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'r' },
		{ "nothing", no_argument, NULL, 'n' },
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'n')
			_exit(0);
		else if (option == 'k')
			*kills = strtoul(optarg, NULL, 0);
		else if (option == 's')
			*seconds = strtol(optarg, NULL, 0);
		else if (option == 'r')
			srandom(strtoul(optarg, NULL, 0));
		else
			exit(2);
	}
}

int main(int argc, char **argv)
{
	const long num_kinds = ARRAY_SIZE(kinds);
	struct storm storm = {};
	unsigned long kills = 0;
	long seconds = 30;

	parse(argc, argv, &kills, &seconds);
	tally_open("kill");
	ksft_print_header();
	ksft_set_plan(num_kinds + 1);
	storm_open(&storm);
	for (long i = 0; i < num_kinds; i++)
		ksft_test_result(storm_of(&storm, &kinds[i], kills,
					  now_ms() + seconds * 1000 / num_kinds),
				 "kill a victim %s\n", kinds[i].name);
	ksft_test_result(env_close(&storm.env), "close\n");
	ksft_finished();
}
