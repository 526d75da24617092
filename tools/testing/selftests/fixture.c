// SPDX-License-Identifier: GPL-2.0-only
/* What every test starts from, and what must not be left when it ends */
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "fixture.h"

/* Nobody else's, so that nothing but the tests is charged to it */
#define ORDINARY_USER 64242

/* How long the kernel may take to tidy up after it was told to */
#define SETTLE_MS 5000

long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Without it no test makes sense */
static void give_up(const char *what)
{
	fprintf(stderr, "# cannot go on: %s: %s\n", what, strerror(errno));
	abort();
}

void become_root(void)
{
	if (seteuid(0))
		give_up("become root");
}

void become_user(void)
{
	if (seteuid(getuid()))
		give_up("become an ordinary user");
}

/* Our limit is all we give up for good: the way back to root stays open */
static int drop_privileges(void)
{
	const struct rlimit limit = { MEMLOCK_LIMIT, MEMLOCK_LIMIT };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) || setgroups(0, NULL) ||
	    setresgid(ORDINARY_USER, ORDINARY_USER, 0) ||
	    setresuid(ORDINARY_USER, ORDINARY_USER, 0))
		return -errno;
	return 0;
}

int set_memlock_limit(size_t bytes)
{
	const struct rlimit limit = { bytes, MEMLOCK_LIMIT };

	return setrlimit(RLIMIT_MEMLOCK, &limit) ? -errno : 0;
}

static int open_as_root(const char *path, int flags)
{
	int fd;

	become_root();
	fd = open(path, flags | O_CLOEXEC);
	become_user();
	if (fd >= 0)
		return fd;
	fprintf(stderr, "# %s: %s\n", path, strerror(errno));
	return -errno;
}

int open_context(void)
{
	return open_as_root("/dev/wddmcompat", O_RDWR);
}

int open_iommufd(void)
{
	return open_as_root("/dev/iommu", O_RDWR);
}

long read_number(const char *path)
{
	char buf[32] = "";
	ssize_t n;
	int fd;

	become_root();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	become_user();
	if (fd < 0)
		return -errno;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	return n > 0 ? strtol(buf, NULL, 0) : -EIO;
}

int write_text(const char *path, const char *text)
{
	int fd, rc;

	become_root();
	fd = open(path, O_WRONLY | O_CLOEXEC);
	rc = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
	become_user();
	if (fd >= 0)
		close(fd);
	return rc;
}

int write_number(const char *path, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", number);
	return write_text(path, text);
}

/* The counters are kept for each CPU and not added up unless asked */
long pinned_pages(void)
{
	long pinned = 0, value;
	int found = 0;
	char name[64];
	FILE *file;

	if (write_number("/proc/sys/vm/stat_refresh", 1))
		give_up("stat_refresh");
	file = fopen("/proc/vmstat", "re");
	if (!file)
		give_up("vmstat");
	while (fscanf(file, "%63s %ld", name, &value) == 2) {
		if (!strcmp(name, "nr_foll_pin_acquired")) {
			pinned += value;
			found++;
		} else if (!strcmp(name, "nr_foll_pin_released")) {
			pinned -= value;
			found++;
		}
	}
	fclose(file);
	if (found != 2)
		give_up("nr_foll_pin");
	return pinned;
}

long pins_since(const struct env *env)
{
	return pinned_pages() - env->pins;
}

bool pins_are_back(const struct env *env)
{
	const long deadline = now_ms() + SETTLE_MS;

	while (pins_since(env)) {
		if (now_ms() > deadline)
			return false;
		usleep(10000);
	}
	return true;
}

/* Open contexts, as the reference count of the module tells; 0 if it is built in */
static long open_contexts(void)
{
	const long refs = read_number("/sys/module/wddmcompat/refcnt");

	return refs == -ENOENT ? 0 : refs;
}

int env_open(struct env *env)
{
	int rc;

	*env = (struct env){ .ctx = -1, .iommufd = -1 };
	rc = drop_privileges();
	if (rc)
		return rc;
	env->pins = pinned_pages();
	env->users = open_contexts();
	env->ctx = open_context();
	if (env->ctx < 0)
		return env->ctx;
	env->iommufd = open_iommufd();
	if (env->iommufd < 0)
		return env->iommufd;
	rc = wddm_bind(env->ctx, env->iommufd, &env->mdl_ioas);
	if (rc)
		return rc;
	rc = ioas_alloc(env->iommufd, &env->ioas);
	if (rc)
		return rc;
	return wddm_adapter_create(env->ctx, env->ioas, &env->adapter);
}

/* With a limit of one page, one page can be locked if none is charged already */
static bool memlock_is_back(void)
{
	int ctx, iommufd, rc;
	void *page;
	__u64 mdl;

	ctx = open_context();
	iommufd = open_iommufd();
	page = anon_pages(1);
	rc = wddm_bind(ctx, iommufd, NULL);
	if (!rc)
		rc = set_memlock_limit(PAGE_SIZE);
	if (!rc)
		rc = wddm_lock(ctx, page, PAGE_SIZE, MDL_WRITE, &mdl);
	set_memlock_limit(MEMLOCK_LIMIT);
	close(ctx);
	close(iommufd);
	munmap(page, PAGE_SIZE);
	return !rc;
}

/* A context that was closed before the test began may have been on its way out then */
static bool system_is_clean(const struct env *env)
{
	return !pins_since(env) && open_contexts() <= env->users &&
	       memlock_is_back();
}

static bool system_settles(const struct env *env)
{
	const long deadline = now_ms() + SETTLE_MS;

	while (!system_is_clean(env)) {
		if (now_ms() > deadline) {
			fprintf(stderr,
				"# left behind: %ld pins, %ld contexts, memlock charge is %s\n",
				pins_since(env), open_contexts() - env->users,
				memlock_is_back() ? "back" : "not back");
			return false;
		}
		usleep(10000);
	}
	return true;
}

/* What a test that tidied up after itself leaves in an open context: nothing */
static bool context_is_empty(const struct env *env)
{
	if (env->leaves_objects || env->ctx < 0 || env->iommufd < 0)
		return true;
	if (!pins_are_back(env)) {
		fprintf(stderr, "# still pinned in an open context: %ld pages\n",
			pins_since(env));
		return false;
	}
	if (ioas_unmap_all(env->iommufd, env->mdl_ioas)) {
		fprintf(stderr, "# the MDL IOAS is not empty\n");
		return false;
	}
	return true;
}

/* The iommufd that a context was bound to knows nothing of it once it is closed */
static bool iommufd_is_free(const struct env *env)
{
	int rc;

	if (env->iommufd < 0 || !env->ioas)
		return true;
	rc = iommufd_destroy(env->iommufd, env->mdl_ioas);
	if (rc != -ENOENT) {
		fprintf(stderr, "# the MDL IOAS outlives its context: %s\n",
			strerror(-rc));
		return false;
	}
	if (ioas_unmap_all(env->iommufd, env->ioas)) {
		fprintf(stderr, "# the adapter's IOAS is not empty\n");
		return false;
	}
	return true;
}

bool env_close(struct env *env)
{
	bool clean = context_is_empty(env);

	if (env->ctx >= 0) {
		close(env->ctx);
		clean &= iommufd_is_free(env);
	}
	if (env->iommufd >= 0)
		close(env->iommufd);
	return clean & system_settles(env);
}

void *anon_pages(size_t pages)
{
	void *va = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (va == MAP_FAILED)
		give_up("mmap");
	return va;
}

/* The kernel can split a page or be short of large ones, and does not say so */
static bool is_huge(const __u8 *va)
{
	const size_t frames = HUGE_SIZE / PAGE_SIZE;
	const __u64 first = page_frame(va);

	return first && first % frames == 0 &&
	       page_frame(va + HUGE_SIZE / 2) == first + frames / 2 &&
	       page_frame(va + HUGE_SIZE - 1) == first + frames - 1;
}

void *huge_page(void)
{
	const size_t len = 2 * HUGE_SIZE;
	__u8 *va = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (va == MAP_FAILED)
		give_up("mmap");
	va = (__u8 *)(((uintptr_t)va + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	if (madvise(va, HUGE_SIZE, MADV_HUGEPAGE))
		give_up("MADV_HUGEPAGE");
	*va = 1;
	va[HUGE_SIZE] = 1;
	if (!is_huge(va))
		give_up("huge page");
	return va;
}

void *shared_pages(size_t pages, int *fd)
{
	void *va;

	*fd = memfd_create("shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0 || ftruncate(*fd, pages * PAGE_SIZE))
		give_up("memfd");
	va = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, *fd, 0);
	if (va == MAP_FAILED)
		give_up("mmap");
	return va;
}

/* A file cannot be sealed while somebody can write to it, a device included */
bool memory_is_free(int memfd)
{
	const long deadline = now_ms() + SETTLE_MS;

	while (fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE)) {
		if (errno != EBUSY || now_ms() > deadline)
			return false;
		usleep(10000);
	}
	return true;
}

/* A prime period: no two pages alike */
static __u8 pattern(size_t i, unsigned int seed)
{
	return 1 + (i + seed * 37) % 251;
}

void fill(void *buf, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		((__u8 *)buf)[i] = pattern(i, seed);
}

bool is_filled(const void *buf, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		if (((const __u8 *)buf)[i] != pattern(i, seed))
			return false;
	return true;
}

bool is_zero(const void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((const __u8 *)buf)[i])
			return false;
	return true;
}

__u64 page_frame(const void *va)
{
	const __u64 present = 1ULL << 63, frame = (1ULL << 55) - 1;
	__u64 entry = 0;
	int fd;

	/* The frame is shown to those who were root when they opened the file */
	become_root();
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pread(fd, &entry, sizeof(entry),
		  (uintptr_t)va / PAGE_SIZE * sizeof(entry)) != sizeof(entry))
		entry = 0;
	become_user();
	close(fd);
	return entry & present ? entry & frame : 0;
}
