/* A subscription at work: over a link to a broker that says what it is told to
 * say. The agent's own uplink and loop. */
#include "fake_broker.h"
#include "program.h"
#include "sub.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 30000

static struct fake_broker broker;
static struct mu_loop *loop;
static struct mu_uplink *uplink;
static struct mu_sub *sub;
static char dir[64];
static char told[4096];
static int64_t began_ms;

static int sink(void *arg, const struct mu_mirror_event *e)
{
	static const char *const word[] = { "present", "created", "deleted",
		                            "changed", "children" };
	size_t len = strlen(told);

	(void)arg;
	snprintf(told + len, sizeof told - len, "%s %.*s=%.*s@%lld; ",
	         e->type == MU_MIRROR_GAP ? "gap" : word[e->type],
	         (int)e->path.len, e->path.at, (int)e->data.len,
	         e->data.at ? e->data.at : "",
	         (long long)(e->exact ? e->zxid : 0));
	return 0;
}

static void setup(void)
{
	struct mu_uplink_options o = { .brokers = broker.url,
		                       .runtime_dir = dir,
		                       .timeout_ms = 30000,
		                       .name = "host" };
	struct mu_err err;

	told[0] = '\0';
	began_ms = now_ms();
	dir_make(dir, sizeof dir);
	fake_broker_open(&broker, "tcp://127.0.0.1:*");
	broker.features = 2;
	broker.zxid = 10;
	broker.subscribed =
		(struct mu_subscribe_reply){ .zxid = 10, .n = INT32_MAX };
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	o.loop = loop;
	ck_assert_int_eq(mu_uplink_new(&o, &uplink, &err), 0);
}

static void teardown(void)
{
	mu_sub_free(sub);
	sub = NULL;
	mu_uplink_free(uplink);
	mu_loop_free(loop);
	fake_broker_close(&broker);
	dir_remove(dir);
}

/* ---- turning both, on one thread ---- */

struct wanted {
	const char *told;  /* all that is to be told; NULL: nothing more */
	unsigned refusals; /* as many reads are to be refused */
	struct mu_timer *timer;
};

static void on_tick(void *arg)
{
	const struct wanted *w = arg;

	while (fake_broker_turn(&broker))
		;
	if ((w->told ? strcmp(told, w->told) == 0
	             : broker.refused >= w->refusals) ||
	    now_ms() - began_ms > PATIENCE_MS)
		mu_loop_stop(loop);
}

static void turn(struct wanted w)
{
	ck_assert_int_eq(mu_timer_new(loop, on_tick, &w, &w.timer), 0);
	mu_timer_arm(w.timer, 1, 1);
	mu_loop_run(loop);
	mu_timer_free(w.timer);
}

static void wait_told(const char *want)
{
	turn((struct wanted){ .told = want });
	ck_assert_str_eq(told, want);
	told[0] = '\0';
}

static void wait_refusals(unsigned count)
{
	turn((struct wanted){ .refusals = count });
	ck_assert_uint_ge(broker.refused, count);
}

static void subscribe(void)
{
	struct mu_sub_options o = { .loop = loop,
		                    .uplink = uplink,
		                    .limits = { 100, 100, 100000 },
		                    .path = "/w",
		                    .mode = MU_MIRROR_EXACT,
		                    .who = "test",
		                    .fn = sink };

	ck_assert_int_eq(mu_sub_new(&o, &sub), 0);
}

/* A change of /w, behind the one before; whole: it comes with its value. */
static void change(int64_t zxid, int64_t prev, const char *data)
{
	struct mu_change_event e = { .id = 1,
		                     .type = MU_EVENT_CHANGED,
		                     .zxid = zxid,
		                     .prev_zxid = prev,
		                     .prev_n = prev == 10 ? INT32_MAX : 0,
		                     .path = MU_STR("/w") };

	e.stat.mzxid = zxid;
	e.stat.version = (int32_t)zxid;
	e.whole = data != NULL;
	if (data)
		e.data = mu_str_of(data);
	broker.zxid = zxid;
	fake_broker_change(&broker, &e);
}

/* ---- reads that are refused ---- */

START_TEST(a_read_that_the_broker_refuses_is_tried_again_and_keeps_its_place)
{
	static const int codes[] = { MU_ENOMEM, MU_ETOOBIG, MU_ETHROTTLED };

	subscribe();
	wait_told("present /w=hello@0; ");
	broker.refuse_reads = 3;
	broker.refuse_with = codes[_i];
	change(1011, 10, NULL);
	change(1012, 1011, "short");
	wait_refusals(3);
	ck_assert_str_eq(told, "");
	wait_told("changed /w=hello@1011; changed /w=short@1012; ");
	ck_assert_uint_eq(broker.refused, 3);
}
END_TEST

/* The first reading too: it is not told with a hole in it. */
START_TEST(the_first_reading_waits_for_what_is_refused)
{
	broker.refuse_reads = 2;
	broker.refuse_with = MU_ENOMEM;
	subscribe();
	wait_told("present /w=hello@0; ");
	ck_assert_uint_eq(broker.refused, 2);
}
END_TEST

/* With pauses that double: 100, 200, 400 ms. */
START_TEST(the_broker_is_not_asked_without_a_pause)
{
	int64_t begun;

	subscribe();
	wait_told("present /w=hello@0; ");
	broker.refuse_reads = 3;
	broker.refuse_with = MU_ETHROTTLED;
	begun = now_ms();
	change(1011, 10, NULL);
	wait_told("changed /w=hello@1011; ");
	ck_assert_int_ge(now_ms() - begun, 690);
}
END_TEST

START_TEST(what_may_not_be_read_any_more_is_a_gap_at_once)
{
	subscribe();
	wait_told("present /w=hello@0; ");
	broker.refuse_reads = 1;
	broker.refuse_with = MU_ENOAUTH;
	change(1011, 10, NULL);
	change(1012, 1011, "short");
	wait_told("gap /w=@1011; changed /w=short@1012; ");
}
END_TEST

/* The subscription is asked for again from where it was. */
START_TEST(a_read_that_was_cut_off_is_made_over_the_next_link)
{
	subscribe();
	wait_told("present /w=hello@0; ");
	broker.refuse_reads = UINT32_MAX;
	broker.refuse_with = MU_ENOMEM;
	change(1011, 10, NULL);
	change(1012, 1011, "short");
	wait_refusals(2);
	broker.refuse_reads = 0;
	ck_assert_ptr_null(strstr(broker.log, "from 10."));
	fake_broker_goodbye(&broker);
	while (!strstr(broker.log, " from 10.2147483647") &&
	       now_ms() - began_ms < PATIENCE_MS)
		turn((struct wanted){ .refusals = 0 });
	ck_assert_ptr_nonnull(strstr(broker.log, " from 10.2147483647"));
	ck_assert_str_eq(told, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("subscriptions of the agent");
	TCase *tc = tcase_create("io");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(
		tc,
		a_read_that_the_broker_refuses_is_tried_again_and_keeps_its_place,
		0, 3);
	tcase_add_test(tc, the_first_reading_waits_for_what_is_refused);
	tcase_add_test(tc, the_broker_is_not_asked_without_a_pause);
	tcase_add_test(tc, what_may_not_be_read_any_more_is_a_gap_at_once);
	tcase_add_test(tc, a_read_that_was_cut_off_is_made_over_the_next_link);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
