// SPDX-License-Identifier: GPL-2.0-only
/* What poll() and read() on a context tell of revocations */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "fixture.h"
#include "kselftest_harness.h"

#define PAGES 6
#define LEN ((long)(PAGES * PAGE_SIZE))

FIXTURE(events)
{
	struct env env;
	__u64 mdl;
	__u64 iova;
	__u64 memory;
};

/* A chain of three descriptors, two pages each, none the neighbour of another, mapped */
FIXTURE_SETUP(events)
{
	struct wddmcompat_mdl_desc descs[3];
	__u8 *va = anon_pages(PAGES);

	ASSERT_EQ(0, env_open(&self->env));
	for (int i = 0; i < 3; i++)
		descs[i] = wddm_desc(va + 2 * (2 - i) * PAGE_SIZE, 2 * PAGE_SIZE,
				     MDL_WRITE);
	ASSERT_EQ(0, wddm_lock_chain(self->env.ctx, descs, 3, &self->mdl));
	ASSERT_EQ(0, wddm_map_all(self->env.ctx, self->env.adapter, self->mdl,
				  MAP_WRITE, &self->iova, &self->memory));
}

FIXTURE_TEARDOWN(events)
{
	EXPECT_TRUE(env_close(&self->env));
}

static bool has_event(const struct env *env)
{
	struct pollfd poll_ctx = { .fd = env->ctx, .events = POLLIN };

	return poll(&poll_ctx, 1, 0) == 1 && poll_ctx.revents == POLLIN;
}

static ssize_t read_events(const struct env *env, void *buf, size_t len)
{
	const int flags = fcntl(env->ctx, F_GETFL);
	ssize_t n;

	fcntl(env->ctx, F_SETFL, flags | O_NONBLOCK);
	n = read(env->ctx, buf, len);
	if (n < 0)
		n = -errno;
	fcntl(env->ctx, F_SETFL, flags);
	return n;
}

static int raw_unmap(const struct env *env, __u64 iova, size_t pages)
{
	return ioas_unmap_range(env->iommufd, env->ioas, iova,
				pages * PAGE_SIZE);
}

static int unmap(const struct env *env, __u64 memory)
{
	return wddm_unmap(env->ctx, env->adapter, memory);
}

TEST_F(events, tell)
{
	const struct env *env = &self->env;
	struct wddmcompat_event events[3] = {};

	EXPECT_FALSE(has_event(env));
	EXPECT_EQ(-EAGAIN, read_events(env, events, sizeof(events)));

	ASSERT_EQ(0, raw_unmap(env, self->iova, PAGES));
	EXPECT_TRUE(has_event(env));
	/* Too small for it, and it stays */
	EXPECT_EQ(-EINVAL, read_events(env, events, 0));
	EXPECT_EQ(-EINVAL, read_events(env, events, sizeof(*events) - 1));
	EXPECT_TRUE(has_event(env));
	EXPECT_EQ(LEN, ioas_unmap_all(env->iommufd, env->mdl_ioas));
	ASSERT_EQ((ssize_t)(2 * sizeof(*events)),
		  read_events(env, events, sizeof(events)));
	EXPECT_FALSE(has_event(env));
	EXPECT_EQ(-EAGAIN, read_events(env, events, sizeof(events)));

	EXPECT_EQ(sizeof(*events), events[0].size);
	EXPECT_EQ(WDDMCOMPAT_EVENT_REVOKED, events[0].type);
	EXPECT_EQ(self->memory, events[0].handle);
	EXPECT_EQ(env->adapter, events[0].adapter);
	EXPECT_EQ(self->iova, events[0].iova);
	EXPECT_EQ(PAGES * PAGE_SIZE, events[0].length);

	EXPECT_EQ(sizeof(*events), events[1].size);
	EXPECT_EQ(WDDMCOMPAT_EVENT_REVOKED, events[1].type);
	EXPECT_EQ(self->mdl, events[1].handle);
	EXPECT_EQ(0, events[1].adapter);
	EXPECT_EQ(0, events[1].iova);
	EXPECT_EQ(PAGES * PAGE_SIZE, events[1].length);

	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_EQ(REVOKED, wddm_unlock(env->ctx, self->mdl));
}

/* One event for each handle, however many pieces it goes in */
TEST_F(events, one_for_each_handle)
{
	const struct env *env = &self->env;
	struct wddmcompat_event events[2];

	for (int part = 0; part < 3; part++)
		ASSERT_EQ(0, raw_unmap(env, self->iova + part * 2 * PAGE_SIZE,
				       2));
	EXPECT_EQ((ssize_t)sizeof(*events),
		  read_events(env, events, sizeof(events)));
	EXPECT_EQ(self->memory, events[0].handle);
	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* Read a few at a time: all of them come, each once */
TEST_F(events, read_a_few_at_a_time)
{
	const struct env *env = &self->env;
	__u64 iova[7], memory[7];
	struct wddmcompat_event events[3];
	int seen[7] = {}, total = 0;
	ssize_t n;

	EXPECT_EQ(LIVE, unmap(env, self->memory));
	for (int i = 0; i < 7; i++)
		ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, self->mdl, 0,
					  &iova[i], &memory[i]));
	EXPECT_EQ(7 * LEN, ioas_unmap_all(env->iommufd, env->ioas));
	/* Room for two and a bit */
	while ((n = read_events(env, events, sizeof(events) - 8)) > 0) {
		ASSERT_EQ(0, n % (ssize_t)sizeof(*events));
		ASSERT_GE((ssize_t)(2 * sizeof(*events)), n);
		for (size_t e = 0; e < n / sizeof(*events); e++, total++)
			for (int i = 0; i < 7; i++)
				seen[i] += events[e].handle == memory[i];
	}
	EXPECT_EQ(-EAGAIN, n);
	EXPECT_EQ(7, total);
	for (int i = 0; i < 7; i++) {
		ASSERT_EQ(1, seen[i]);
		ASSERT_EQ(REVOKED, unmap(env, memory[i]));
	}
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* The call that ends the handle has told: there is nothing more to say */
TEST_F(events, go_with_their_handle)
{
	const struct env *env = &self->env;
	struct wddmcompat_event event;

	EXPECT_EQ(LEN, ioas_unmap_all(env->iommufd, env->ioas));
	EXPECT_TRUE(has_event(env));
	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_FALSE(has_event(env));
	EXPECT_EQ(LEN, ioas_unmap_all(env->iommufd, env->mdl_ioas));
	EXPECT_TRUE(has_event(env));
	EXPECT_EQ(REVOKED, wddm_unlock(env->ctx, self->mdl));
	EXPECT_FALSE(has_event(env));
	EXPECT_EQ(-EAGAIN, read_events(env, &event, sizeof(event)));
}

TEST_F(events, not_for_what_we_do_ourselves)
{
	const struct env *env = &self->env;

	EXPECT_EQ(LIVE, unmap(env, self->memory));
	EXPECT_FALSE(has_event(env));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
	EXPECT_FALSE(has_event(env));
}

/* An event that cannot be delivered is not lost */
TEST_F(events, read_into_bad_memory)
{
	const struct env *env = &self->env;
	struct wddmcompat_event event;

	ASSERT_EQ(0, raw_unmap(env, self->iova, PAGES));
	EXPECT_EQ(-EFAULT, read_events(env, NULL, sizeof(event)));
	EXPECT_TRUE(has_event(env));
	ASSERT_EQ((ssize_t)sizeof(event),
		  read_events(env, &event, sizeof(event)));
	EXPECT_EQ(self->memory, event.handle);
	EXPECT_EQ(REVOKED, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

struct waiter {
	const struct env *env;
	struct wddmcompat_event event;
	int by_poll;
	ssize_t result;
};

static void *wait_for_event(void *arg)
{
	struct waiter *waiter = arg;
	struct pollfd poll_ctx = { .fd = waiter->env->ctx, .events = POLLIN };

	if (waiter->by_poll)
		waiter->result = poll(&poll_ctx, 1, 20000);
	else
		waiter->result = read(waiter->env->ctx, &waiter->event,
				      sizeof(waiter->event));
	return NULL;
}

TEST_F(events, wake_waiters)
{
	struct waiter reader = { .env = &self->env };
	struct waiter poller = { .env = &self->env, .by_poll = 1 };
	pthread_t threads[2];

	/* The reader comes last and would take away what the poller is to see */
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, wait_for_event, &poller));
	usleep(50000);
	ASSERT_EQ(0, raw_unmap(&self->env, self->iova, PAGES));
	ASSERT_EQ(0, pthread_join(threads[0], NULL));
	EXPECT_EQ(1, poller.result);
	EXPECT_EQ((ssize_t)sizeof(reader.event),
		  read(self->env.ctx, &reader.event, sizeof(reader.event)));

	ASSERT_EQ(0, pthread_create(&threads[1], NULL, wait_for_event, &reader));
	usleep(50000);
	EXPECT_EQ(LEN, ioas_unmap_all(self->env.iommufd,
				      self->env.mdl_ioas));
	ASSERT_EQ(0, pthread_join(threads[1], NULL));
	EXPECT_EQ((ssize_t)sizeof(reader.event), reader.result);
	EXPECT_EQ(self->mdl, reader.event.handle);
	EXPECT_EQ(REVOKED, unmap(&self->env, self->memory));
	EXPECT_EQ(REVOKED, wddm_unlock(self->env.ctx, self->mdl));
}

static void ignore(int sig)
{
	(void)sig;
}

TEST_F(events, read_is_interruptible)
{
	const struct sigaction action = { .sa_handler = ignore };
	const struct itimerval soon = { .it_value.tv_usec = 50000 };
	struct wddmcompat_event event;

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	EXPECT_EQ(-1, read(self->env.ctx, &event, sizeof(event)));
	EXPECT_EQ(EINTR, errno);
	EXPECT_EQ(LIVE, unmap(&self->env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
}

/* Refused by iommufd, because it would split a mapping: nothing has happened */
TEST_F(events, not_for_what_fails)
{
	const struct env *env = &self->env;

	EXPECT_EQ(-ENOENT, raw_unmap(env, self->iova + PAGE_SIZE, 1));
	EXPECT_FALSE(has_event(env));
	EXPECT_EQ(LIVE, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

/* After so many unmaps by others in an IOAS the module does not want to be called */
#define CALLS 8

/* Somebody clears the IOAS: what the module was not called for it finds by itself */
TEST_F_TIMEOUT(events, come_late, 120)
{
	const struct env *env = &self->env;
	struct pollfd poll_ctx = { .fd = env->ctx, .events = POLLIN };
	__u64 iova[CALLS + 1] = {}, memory[CALLS + 1];
	struct wddmcompat_event event;

	for (int i = 0; i <= CALLS; i++)
		ASSERT_EQ(0, wddm_map_all(env->ctx, env->adapter, self->mdl, 0,
					  &iova[i], &memory[i]));
	for (int i = 0; i <= CALLS; i++)
		ASSERT_EQ(0, raw_unmap(env, iova[i], PAGES));
	for (int i = 0; i <= CALLS; i++) {
		ASSERT_EQ(1, poll(&poll_ctx, 1, 60000));
		ASSERT_EQ(sizeof(event),
			  read(env->ctx, &event, sizeof(event)));
	}
	for (int i = 0; i <= CALLS; i++)
		EXPECT_EQ(REVOKED, unmap(env, memory[i]));
	EXPECT_EQ(LIVE, unmap(env, self->memory));
	EXPECT_EQ(LIVE, wddm_unlock(env->ctx, self->mdl));
}

TEST_HARNESS_MAIN
