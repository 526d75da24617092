// SPDX-License-Identifier: GPL-2.0-only
/* Raw unmapping by iommufd's own ioctl, at the same time as ours */
#include "edu.h"
#include "fixture.h"
#include "kselftest_harness.h"
#include "round.h"
#include "tally.h"

#define RACE_MS 2500

FIXTURE(race_revoke)
{
	struct env env;
	struct edu edu;
	__u8 *va;
	__u64 mdl;
};

FIXTURE_SETUP(race_revoke)
{
	self->edu.fd = -1;
	ASSERT_EQ(0, env_open(&self->env));
	ASSERT_EQ(0, edu_open(&self->edu, 0, self->env.iommufd));
	ASSERT_EQ(0, edu_attach(&self->edu, self->env.ioas));
	self->va = anon_pages(PAGES);
	ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va, PAGES * PAGE_SIZE,
			       MDL_WRITE, &self->mdl));
}

FIXTURE_TEARDOWN(race_revoke)
{
	edu_close(&self->edu);
	EXPECT_TRUE(env_close(&self->env));
}

/* By handle and raw: the handle always works, and then the IOVA is dead */
TEST_F_TIMEOUT(race_revoke, unmap_and_raw_unmap, 3600)
{
	struct round round = {
		.env = &self->env,
		.va = anon_pages(PAGES),
		.adapter = self->env.adapter,
		.contender = raw_unmap,
	};
	const long deadline = now_ms() + race_ms(2 * RACE_MS);
	int live = 0, revoked = 0, rc, reused;

	start(&round);
	while (now_ms() < deadline || !live || !revoked) {
		ASSERT_EQ(0, map(&self->env, self->mdl, &round.iova,
				 &round.memory));
		go(&round);
		rc = unmap(&round);
		reused = raw_map(&round);
		meet(&round);
		live += rc == LIVE;
		revoked += rc == REVOKED;
		balance(&round, rc == LIVE);
		ASSERT_LE(0, rc);
		ASSERT_EQ(0, reused);
		/* Raw: it was there, was not, or somebody else was just at it */
		ASSERT_TRUE(!round.result || round.result == -ENOENT ||
			    round.result == -EBUSY);
		/* The contender may have taken what was put there instead */
		rc = raw_unmap(&round);
		ASSERT_TRUE(!rc || (rc == -ENOENT && !round.result));
	}
	finish(&round);
	TH_LOG("%d were live, %d revoked", live, revoked);
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
}

static int revoke_mdls(struct round *round)
{
	const long length = ioas_unmap_all(round->env->iommufd,
					   round->env->mdl_ioas);

	return length < 0 ? length : 0;
}

/* A map either takes its pages in time or says that there are none */
TEST_F_TIMEOUT(race_revoke, map_and_mdl_revocation, 3600)
{
	struct round round = { .env = &self->env, .contender = revoke_mdls };
	const long deadline = now_ms() + race_ms(RACE_MS);
	int mapped = 0, revoked = 0, rc;

	ASSERT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
	start(&round);
	while (now_ms() < deadline || !mapped || !revoked) {
		__u64 memory;

		ASSERT_EQ(0, wddm_lock(self->env.ctx, self->va,
				       PAGES * PAGE_SIZE, MDL_WRITE,
				       &round.mdl));
		go(&round);
		rc = map(&self->env, round.mdl, &round.iova, &memory);
		meet(&round);
		balance(&round, !rc);
		ASSERT_TRUE(!round.result || round.result == -EBUSY);
		if (!rc) {
			/* The device has no page that is not pinned */
			ASSERT_EQ(PAGES, pins_since(&self->env));
			ASSERT_EQ(LIVE, wddm_unmap(self->env.ctx,
						   self->env.adapter, memory));
			mapped++;
		} else {
			/* Revoked before it began, or in the middle of it */
			ASSERT_TRUE(rc == -EIDRM || rc == -ESTALE);
			revoked++;
		}
		ASSERT_LE(0, unlock(&round));
	}
	finish(&round);
	TH_LOG("%d were mapped, %d revoked", mapped, revoked);
}

static int revoke_all(struct round *round)
{
	const long length = ioas_unmap_all(round->env->iommufd,
					   round->env->ioas);

	return length < 0 ? length : 0;
}

TEST_F_TIMEOUT(race_revoke, map_and_revocation, 3600)
{
	struct round round = { .env = &self->env, .contender = revoke_all };
	const long deadline = now_ms() + race_ms(RACE_MS);
	int outcomes[3] = {}, rc;

	start(&round);
	while (now_ms() < deadline ||
	       !outcomes[0] || !(outcomes[1] + outcomes[2])) {
		__u64 memory, iova = 0;

		go(&round);
		rc = map(&self->env, self->mdl, &iova, &memory);
		meet(&round);
		ASSERT_TRUE(!round.result || round.result == -EBUSY);
		if (rc) {
			ASSERT_EQ(-ESTALE, rc);
			outcomes[2]++;
		} else {
			rc = wddm_unmap(self->env.ctx, self->env.adapter,
					memory);
			ASSERT_TRUE(rc == LIVE || rc == REVOKED);
			outcomes[rc]++;
		}
		/* Revoked is what was there before the contender came */
		balance(&round, rc != LIVE);
		ASSERT_EQ(0, ioas_unmap_all(self->env.iommufd, self->env.ioas));
	}
	finish(&round);
	TH_LOG("%d were live, %d revoked, %d stale", outcomes[0], outcomes[1],
	       outcomes[2]);
	EXPECT_EQ(LIVE, wddm_unlock(self->env.ctx, self->mdl));
}

int main(int argc, char **argv)
{
	tally_open("race_revoke");
	return test_harness_run(argc, argv);
}
