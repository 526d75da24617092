// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device goes while memory is mapped for it: its driver is unbound, the kernel
 * removes it, or it is pulled out. VFIO asks its user to let go, and waits. Whenever
 * the user does, what is mapped stays as it is, can be unmapped and unlocked, and
 * is reached by the device that comes next.
 *
 * Needs a machine whose edu devices are in slots: boot --edu-hotplug.
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fixture.h"
#include "rig.h"
#include "tally.h"
#include "kselftest_harness.h"

#define PAGES ((size_t)4)

#define SYSFS_DEVICES "/sys/bus/pci/devices"

/* How long a device may take to come or go. A busy host is slow */
#define PATIENCE_MS 60000

/**
 * struct device - A PCI device by its address
 * @address: Such as 0000:01:00.0
 * @dir: Its directory
 */
struct device {
	char address[16];
	char dir[64];
};

/* .../0000:01:00.0/vfio-dev/vfio0 */
static bool find_device(const struct edu *edu, struct device *device)
{
	char path[64], target[256] = "", *at;
	struct stat st;

	if (fstat(edu->fd, &st))
		return false;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", major(st.st_rdev),
		 minor(st.st_rdev));
	if (readlink(path, target, sizeof(target) - 1) < 0)
		return false;
	at = strstr(target, "/vfio-dev/");
	if (!at)
		return false;
	*at = '\0';
	at = strrchr(target, '/');
	snprintf(device->address, sizeof(device->address), "%s", at + 1);
	snprintf(device->dir, sizeof(device->dir), SYSFS_DEVICES "/%s",
		 device->address);
	return true;
}

static bool is_there(const struct device *device)
{
	return !access(device->dir, F_OK);
}

static bool comes_to_be(const struct device *device, bool there)
{
	const long deadline = now_ms() + PATIENCE_MS;

	while (is_there(device) != there) {
		if (now_ms() > deadline)
			return false;
		usleep(10000);
	}
	return true;
}

/* vfio-pci takes it, as at the start of the machine */
static int give_to_vfio(const struct device *device)
{
	char path[96];
	int rc;

	snprintf(path, sizeof(path), "%s/driver_override", device->dir);
	rc = write_text(path, "vfio-pci");
	return rc ?: write_text("/sys/bus/pci/drivers_probe", device->address);
}

/*
 * What takes the device away does not return before its user has let go. So that is
 * done by a child, who is there before anything is open: or it would have it open, too.
 */
enum way {
	UNBIND = 1,
	REMOVE,
	WAYS,
};

static int taker(int sock, void *arg)
{
	struct device device;
	char path[96];
	__u64 way;
	int rc;

	(void)arg;
	while (!hear(sock, &way)) {
		CHECK(recv(sock, &device, sizeof(device), MSG_WAITALL) ==
		      sizeof(device));
		if (way == UNBIND) {
			rc = write_text("/sys/bus/pci/drivers/vfio-pci/unbind",
					device.address);
		} else {
			snprintf(path, sizeof(path), "%s/remove", device.dir);
			rc = write_text(path, "1");
		}
		CHECK(!tell(sock, -rc));
	}
	return 0;
}

FIXTURE(unplug)
{
	struct env env;
	struct rig rig;
	struct device device;
	pid_t taker;
	int sock;
	int memfd;
	__u8 *va;
	__u64 mdl;
	__u64 iova;
	__u64 memory;
	int request;
};

/* VFIO says by an eventfd that it wants the device back */
static int listen_for_request(const struct edu *edu)
{
	struct {
		struct vfio_irq_set set;
		__s32 fd;
	} cmd = {
		.set = {
			.argsz = sizeof(cmd),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD |
				 VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_REQ_IRQ_INDEX,
			.count = 1,
		},
		.fd = eventfd(0, EFD_CLOEXEC),
	};

	if (ioctl(edu->fd, VFIO_DEVICE_SET_IRQS, &cmd))
		return -errno;
	return cmd.fd;
}

static bool request_comes(int eventfd)
{
	struct pollfd pfd = { .fd = eventfd, .events = POLLIN };

	return poll(&pfd, 1, PATIENCE_MS) == 1;
}

FIXTURE_SETUP(unplug)
{
	struct env *env = &self->env;

	self->taker = spawn(taker, NULL, &self->sock);
	ASSERT_LT(0, self->taker);
	ASSERT_EQ(0, env_open(env));
	ASSERT_EQ(0, rig_open(&self->rig, 0, env->iommufd, env->ioas));
	ASSERT_TRUE(find_device(&self->rig.edu, &self->device));
	self->request = listen_for_request(&self->rig.edu);
	ASSERT_LE(0, self->request);
	self->va = shared_pages(PAGES, &self->memfd);
	ASSERT_EQ(0, wddm_lock(env->ctx, self->va, PAGES * PAGE_SIZE, MDL_WRITE,
			       &self->mdl));
	ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, self->mdl, MAP_WRITE,
				  &self->iova, &self->memory));
}

FIXTURE_TEARDOWN(unplug)
{
	rig_close(&self->rig);
	close(self->request);
	close(self->sock);
	EXPECT_EQ(0, wait_for(self->taker));
	munmap(self->va, PAGES * PAGE_SIZE);
	close(self->memfd);
	EXPECT_TRUE(env_close(&self->env));
}

static void begin_to_take(int sock, const struct device *device, enum way way)
{
	CHECK(!tell(sock, way));
	CHECK(send(sock, device, sizeof(*device), MSG_NOSIGNAL) ==
	      sizeof(*device));
}

/* 0, or the error that the taker has met */
static int end_to_take(int sock)
{
	__u64 result;
	int rc;

	rc = hear(sock, &result);
	return rc ?: -(int)result;
}

static int bring_back(const struct device *device, enum way way)
{
	if (way == REMOVE) {
		const int rc = write_text("/sys/bus/pci/rescan", "1");

		if (rc)
			return rc;
	}
	return give_to_vfio(device);
}

/* The device writes and it arrives in our memory */
static bool device_reaches(struct rig *rig, __u64 iova, __u8 *va,
			   unsigned int seed)
{
	memset(va, 0, EDU_MAX);
	return device_holds(rig, seed) && device_writes(rig, iova, EDU_MAX) &&
	       is_filled(va, EDU_MAX, seed);
}

static bool is_live(int ctx, __u64 memory)
{
	struct wddmcompat_query query;

	return !wddm_query(ctx, memory, &query) && query.out_state == LIVE;
}

/* Asked for, the device still works until its user lets go, and then comes again */
static void take_and_bring_back(struct __test_metadata *_metadata,
				struct _test_data_unplug *self, enum way way)
{
	struct env *env = &self->env;

	begin_to_take(self->sock, &self->device, way);
	ASSERT_TRUE(request_comes(self->request));
	EXPECT_TRUE(device_reaches(&self->rig, self->iova, self->va, 1));
	EXPECT_TRUE(is_live(env->ctx, self->memory));
	rig_close(&self->rig);
	ASSERT_EQ(0, end_to_take(self->sock));
	EXPECT_TRUE(is_live(env->ctx, self->memory));
	EXPECT_EQ((long)PAGES, pins_since(env));

	ASSERT_EQ(0, bring_back(&self->device, way));
	ASSERT_EQ(0, rig_open(&self->rig, 0, env->iommufd, env->ioas));
	EXPECT_TRUE(device_reaches(&self->rig, self->iova, self->va, 2));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, self->memory));
	memset(self->va, 0, EDU_MAX);
	EXPECT_TRUE(device_writes(&self->rig, self->iova, EDU_MAX));
	EXPECT_TRUE(is_zero(self->va, EDU_MAX));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

TEST_F_TIMEOUT(unplug, unbind, 300)
{
	take_and_bring_back(_metadata, self, UNBIND);
}

TEST_F_TIMEOUT(unplug, remove, 300)
{
	take_and_bring_back(_metadata, self, REMOVE);
}

/* All is unmapped and unlocked while nobody is there, and mapped again after */
TEST_F_TIMEOUT(unplug, unmap_without_device, 300)
{
	struct env *env = &self->env;

	for (enum way way = UNBIND; way < WAYS; way++) {
		begin_to_take(self->sock, &self->device, way);
		ASSERT_TRUE(request_comes(self->request));
		rig_close(&self->rig);
		close(self->request);
		ASSERT_EQ(0, end_to_take(self->sock));
		EXPECT_EQ(LIVE,
			  wddm_unmap(env->ctx, env->adapter, self->memory));
		EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
		EXPECT_EQ(0, pins_since(env));
		ASSERT_EQ(0, wddm_lock(env->ctx, self->va, PAGES * PAGE_SIZE,
				       MDL_WRITE, &self->mdl));
		ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, self->mdl,
					  MAP_WRITE, &self->iova,
					  &self->memory));
		ASSERT_EQ(0, bring_back(&self->device, way));
		ASSERT_EQ(0, rig_open(&self->rig, 0, env->iommufd, env->ioas));
		self->request = listen_for_request(&self->rig.edu);
		ASSERT_LE(0, self->request);
		EXPECT_TRUE(device_reaches(&self->rig, self->iova, self->va, 3));
	}
	env->leaves_objects = true;
}

/* A transfer is on its way; when the memory is unmapped it arrives nowhere */
TEST_F_TIMEOUT(unplug, unbind_during_dma, 300)
{
	struct env *env = &self->env;

	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(device_holds(&self->rig, 4));
		edu_start_write(&self->rig.edu, self->iova);
		begin_to_take(self->sock, &self->device, UNBIND);
		ASSERT_TRUE(request_comes(self->request));
		if (i)
			edu_start_write(&self->rig.edu, self->iova);
		if (i != 2)
			rig_close(&self->rig);
		EXPECT_EQ(LIVE,
			  wddm_unmap(env->ctx, env->adapter, self->memory));
		memset(self->va, 0, EDU_MAX);
		usleep(300000);
		EXPECT_TRUE(is_zero(self->va, EDU_MAX));
		rig_close(&self->rig);
		close(self->request);
		ASSERT_EQ(0, end_to_take(self->sock));
		ASSERT_EQ(0, bring_back(&self->device, UNBIND));
		ASSERT_EQ(0, rig_open(&self->rig, 0, env->iommufd, env->ioas));
		self->request = listen_for_request(&self->rig.edu);
		ASSERT_LE(0, self->request);
		ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, self->mdl,
					  MAP_WRITE, &self->iova,
					  &self->memory));
	}
	env->leaves_objects = true;
}

/* Context and iommufd are closed while VFIO waits for its device */
TEST_F_TIMEOUT(unplug, close_during_unbind, 300)
{
	struct env *env = &self->env;

	begin_to_take(self->sock, &self->device, UNBIND);
	ASSERT_TRUE(request_comes(self->request));
	close(env->ctx);
	env->ctx = -1;
	EXPECT_EQ(1, pins_since(env)); /* the stage, which the device reaches */
	memset(self->va, 0, EDU_MAX);
	EXPECT_TRUE(device_holds(&self->rig, 5));
	EXPECT_TRUE(device_writes(&self->rig, self->iova, EDU_MAX));
	EXPECT_TRUE(is_zero(self->va, EDU_MAX));
	close(env->iommufd);
	env->iommufd = -1;
	rig_close(&self->rig);
	EXPECT_EQ(0, end_to_take(self->sock));
	EXPECT_EQ(0, bring_back(&self->device, UNBIND));
}

/* A user who has its own of everything, and does not care what VFIO asks */
static int deaf_user(int sock, void *arg)
{
	const int memfd = *(int *)arg;
	__u64 adapter, mdl, memory, iova = 0;
	struct device device;
	struct rig rig;
	__u32 ioas;
	int ctx, iommufd;
	void *va;

	ctx = open_context();
	iommufd = open_iommufd();
	va = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		  memfd, 0);
	CHECK(va != MAP_FAILED);
	CHECK(!wddm_bind(ctx, iommufd, NULL));
	CHECK(!ioas_alloc(iommufd, &ioas));
	CHECK(!wddm_adapter_create(ctx, ioas, &adapter));
	CHECK(!rig_open(&rig, 0, iommufd, ioas));
	CHECK(find_device(&rig.edu, &device));
	CHECK(!wddm_lock(ctx, va, PAGES * PAGE_SIZE, MDL_WRITE, &mdl));
	CHECK(!wddm_map_all(ctx, adapter, mdl, MAP_WRITE, &iova, &memory));
	CHECK(device_holds(&rig, 6));
	CHECK(!tell(sock, 1));
	CHECK(send(sock, &device, sizeof(device), 0) == sizeof(device));
	for (;;)
		edu_write(&rig.edu, iova, EDU_MAX);
	return 0;
}

TEST_F_TIMEOUT(unplug, kill_during_unbind, 300)
{
	struct env *env = &self->env;
	struct device device;
	int sock, status;
	__u64 number;
	pid_t pid;

	rig_close(&self->rig);
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
	for (enum way way = UNBIND; way < WAYS; way++) {
		pid = spawn(deaf_user, &self->memfd, &sock);
		ASSERT_LT(0, pid);
		ASSERT_EQ(0, hear(sock, &number));
		ASSERT_EQ((ssize_t)sizeof(device),
			  recv(sock, &device, sizeof(device), MSG_WAITALL));
		begin_to_take(self->sock, &device, way);
		usleep(300000);
		kill(pid, SIGKILL);
		status = wait_for(pid);
		EXPECT_EQ(128 + SIGKILL, status);
		close(sock);
		ASSERT_EQ(0, end_to_take(self->sock));
		EXPECT_EQ(0, pins_since(env));
		memset(self->va, 0, EDU_MAX);
		usleep(300000);
		EXPECT_TRUE(is_zero(self->va, EDU_MAX));
		ASSERT_EQ(0, bring_back(&device, way));
	}
}

/* What boot does for who says it in the kernel's log, where a line must have an end */
static void ask_for(const char *what)
{
	char line[32];

	snprintf(line, sizeof(line), "vm: %s edu0\n", what);
	CHECK(!write_text("/dev/kmsg", line));
}

/* The kernel is rid of a device a moment before the slot is: asked too early, QEMU refuses */
static bool plug_in(const struct device *device)
{
	const long deadline = now_ms() + PATIENCE_MS;

	while (!is_there(device)) {
		if (now_ms() > deadline)
			return false;
		ask_for("plug");
		sleep(1);
	}
	return true;
}

/* Pulled out of its slot, and another one put in */
TEST_F_TIMEOUT(unplug, pull, 300)
{
	struct env *env = &self->env;

	ask_for("unplug");
	ASSERT_TRUE(request_comes(self->request));
	EXPECT_TRUE(device_reaches(&self->rig, self->iova, self->va, 7));
	rig_close(&self->rig);
	ASSERT_TRUE(comes_to_be(&self->device, false));
	EXPECT_TRUE(is_live(env->ctx, self->memory));
	EXPECT_EQ((long)PAGES, pins_since(env));

	ASSERT_TRUE(plug_in(&self->device));
	ASSERT_EQ(0, give_to_vfio(&self->device));
	ASSERT_EQ(0, rig_open(&self->rig, 0, env->iommufd, env->ioas));
	EXPECT_TRUE(device_reaches(&self->rig, self->iova, self->va, 8));
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* Pulled out from under a user who is killed, while it writes */
TEST_F_TIMEOUT(unplug, pull_from_the_dead, 300)
{
	struct env *env = &self->env;
	struct device device;
	int sock, status;
	__u64 number;
	pid_t pid;

	rig_close(&self->rig);
	EXPECT_EQ(LIVE, wddm_unmap(env->ctx, env->adapter, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
	pid = spawn(deaf_user, &self->memfd, &sock);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, hear(sock, &number));
	ASSERT_EQ((ssize_t)sizeof(device),
		  recv(sock, &device, sizeof(device), MSG_WAITALL));
	ask_for("unplug");
	usleep(1000000);
	kill(pid, SIGKILL);
	status = wait_for(pid);
	EXPECT_EQ(128 + SIGKILL, status);
	close(sock);
	ASSERT_TRUE(comes_to_be(&device, false));
	EXPECT_EQ(0, pins_since(env));
	memset(self->va, 0, EDU_MAX);
	ASSERT_TRUE(plug_in(&device));
	EXPECT_EQ(0, give_to_vfio(&device));
	EXPECT_TRUE(is_zero(self->va, EDU_MAX));
}

int main(int argc, char **argv)
{
	tally_open("unplug");
	return test_harness_run(argc, argv);
}
