/* The nodes of plugins, with no memory: each allocation of the agent's thread is
 * refused in turn. Nothing leaks, what could not be remembered was refused, and
 * all that was is deleted in the end, if a moment later. */
#include "ephemerals.h"
#include "fake_broker.h"
#include "fault.h"
#include "loop_until.h"
#include "program.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SWEEP_MAX 500u

static struct fake_broker broker;
static struct mu_loop *loop;
static struct mu_uplink *uplink;
static struct mu_ephemerals *e;
static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void setup(void)
{
	dir_make(dir, sizeof dir);
}

static void sweep_dir(void)
{
	unlink(in_dir("ephemerals"));
	unlink(in_dir("ephemerals.new"));
	unlink(in_dir("session"));
}

static void teardown(void)
{
	sweep_dir();
	ck_assert_int_eq(rmdir(dir), 0);
}

static bool is_up(void)
{
	return mu_uplink_is_up(uplink);
}

static bool is_done(void)
{
	return is_up() && !mu_ephemerals_is_busy(e);
}

static void on_gone(void *arg)
{
	(void)arg;
}

static void world_begin(void)
{
	struct mu_uplink_options o = { .brokers = broker.url,
		                       .runtime_dir = dir,
		                       .timeout_ms = 3000,
		                       .name = "host" };
	struct mu_err err;

	fake_broker_open(&broker, "tcp://127.0.0.1:*");
	fake_broker_start(&broker);
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	o.loop = loop;
	ck_assert_int_eq(mu_uplink_new(&o, &uplink, &err), 0);
	ck_assert(loop_until(loop, is_up));
}

static void world_end(void)
{
	mu_uplink_free(uplink);
	mu_loop_free(loop);
	fake_broker_close(&broker);
	sweep_dir();
}

static int add(const char *path, enum mu_ephemerals_of of)
{
	int rc = mu_ephemerals_add(e, "web", path, of);

	if (!rc)
		mu_ephemerals_made(e, "web", path, 0, 7);
	return rc;
}

/* Two are made, one is taken away; a third, if so, is made by the runner that is
 * to come. Then the runners go. *left: how many nodes go with them. */
static int live(bool third, unsigned *left)
{
	struct mu_ephemerals_options o = { .loop = loop,
		                           .uplink = uplink,
		                           .runtime_dir = dir,
		                           .on_gone = on_gone };
	int rc = mu_ephemerals_new(&o, &e);

	if (rc)
		return rc;
	rc = add("/svc/one", MU_OF_THIS);
	*left += rc == 0;
	if (!rc) {
		rc = add("/svc/two", MU_OF_THIS);
		if (!rc)
			mu_ephemerals_removed(e, "web", "/svc/two");
	}
	if (!rc && third) {
		rc = add("/svc/three", MU_OF_NEXT);
		*left += rc == 0;
	}
	mu_ephemerals_end(e, "web");
	if (third)
		mu_ephemerals_end_next(e, "web");
	return rc;
}

START_TEST(whatever_is_refused_what_was_made_is_deleted)
{
	unsigned refused = 0, k = 0;
	bool fired = true;
	long before = fault_alloc_live();

	for (; fired && k < SWEEP_MAX; k++) {
		unsigned left = 0;
		int rc;

		world_begin();
		fault_alloc_at(k);
		rc = live(_i, &left);
		fired = fault_alloc_off();
		ck_assert(fired || rc == 0);
		ck_assert(rc == 0 || rc == MU_ENOMEM);
		refused += rc != 0;
		if (e)
			ck_assert(loop_until(loop, is_done));
		mu_ephemerals_free(e);
		e = NULL;
		fake_broker_stop(&broker);
		ck_assert_msg(!!strstr(broker.log, "getData /svc/one") ==
		                      (left > 0),
		              "at %u: %s", k, broker.log);
		ck_assert_msg(!!strstr(broker.log, "getData /svc/three") ==
		                      (left > 1),
		              "at %u: %s", k, broker.log);
		ck_assert_ptr_null(strstr(broker.log, "/svc/two"));
		world_end();
		ck_assert_msg(fault_alloc_live() == before, "leak at %u: %ld",
		              k, fault_alloc_live() - before);
	}
	ck_assert(!fired);
	ck_assert_uint_ge(refused, 5);
	ck_assert_uint_ge(k, 10);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ephemerals without memory");
	TCase *tc = tcase_create("sweep");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, whatever_is_refused_what_was_made_is_deleted, 0,
	                    2);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
