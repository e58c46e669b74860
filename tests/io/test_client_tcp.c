/* The client library over plain TCP, against a ZooKeeper that says what the test
 * wants. What does not depend on the carrier stands in test_client.c. */
#include "fake_broker.h"

#include "clock.h"
#include "driver.h"
#include "err.h"
#include "watch.h"

#include <muster/client.h>

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 10000u

static struct fake_broker broker;
static struct mu_client *c;
static struct mu_client_options options;
static struct mu_err err;
static char heard[16384];
static char why[MU_ERR_MSG_MAX];
static size_t got_len;

static void hear(const char *word, const char *what, long long n)
{
	size_t len = strlen(heard);

	mu_format(heard + len, sizeof heard - len, "%s%s%s%lld",
	          len ? "; " : "", word, what, n);
}

static void on_state(struct mu_client *cc, enum mu_client_state state, int rc,
                     void *arg)
{
	static const char *const words[] = { "connecting", "connected",
		                             "expired", "closed" };

	(void)cc, (void)arg;
	hear(words[state], " ", rc);
}

static void on_event(struct mu_client *cc, const struct mu_watch_event *e,
                     void *arg)
{
	(void)cc, (void)arg;
	hear("event ", e->path, e->type);
	ck_assert_int_eq(e->zxid, -1); /* rule 25 */
}

static void on_done(struct mu_client *cc, const struct mu_result *r, void *arg)
{
	(void)cc;
	hear(arg, "=", r->rc);
	got_len = r->rc ? 0 : (size_t)r->len;
}

static void make(const char *suffix)
{
	static char urls[512];

	mu_format(urls, sizeof urls, "%s%s", broker.url, suffix);
	options.brokers = urls;
	ck_assert_msg(mu_client_new(&options, &c, &err) == 0, "%s", err.msg);
}

static void setup(void)
{
	fake_broker_open(&broker, "zookeeper://");
	options = (struct mu_client_options){ .size = sizeof options,
		                              .on_state = on_state,
		                              .on_event = on_event };
	heard[0] = '\0';
}

static void teardown(void)
{
	mu_client_free(c);
	c = NULL;
	fake_broker_close(&broker);
}

/* The client by its descriptor and its time only, then the broker. */
static void turn(void)
{
	struct pollfd p[3] = { { mu_client_fd(c), POLLIN, 0 },
		               { broker.tcp.listener, POLLIN, 0 },
		               { broker.tcp.conn, POLLIN, 0 } };
	int wait = mu_client_timeout_ms(c);

	(void)poll(p, broker.deaf ? 2 : 3, wait < 20 ? wait : 20);
	mu_client_process(c);
	fake_broker_turn(&broker);
}

#define UNTIL(condition) \
	do { \
		uint64_t by_ = mu_clock_mono_ms() + PATIENCE_MS; \
		while (!(condition)) { \
			turn(); \
			ck_assert_msg(mu_clock_mono_ms() < by_, \
			              "never: " #condition "; heard: %s", \
			              heard); \
		} \
	} while (0)

static bool was_heard(const char *what)
{
	return strstr(heard, what) != NULL;
}

static struct mu_client_info info(void)
{
	struct mu_client_info i = { .size = sizeof i };

	mu_client_info(c, &i);
	return i;
}

static void go_connected(const char *suffix)
{
	make(suffix);
	UNTIL(info().state == MU_CLIENT_CONNECTED);
}

/* ---- a session ---- */

START_TEST(a_zookeeper_is_known_by_its_answer)
{
	go_connected("");
	ck_assert_str_eq(heard, "connected 0");
	ck_assert_int_eq(info().features, 0);
	ck_assert_int_eq(info().tree_id, 0);
	ck_assert_uint_eq(info().timeout_ms, 3000);
	ck_assert_str_eq(info().broker, broker.url);
}
END_TEST

START_TEST(a_chroot_is_put_before_paths_and_taken_off)
{
	go_connected("/team");
	mu_client_get(c, "/a", true, on_done, "get");
	UNTIL(was_heard("get=0"));
	ck_assert_ptr_nonnull(strstr(broker.log, "getData /team/a watch"));
	fake_broker_event(&broker, MU_NODE_DATA_CHANGED, "/team/a");
	UNTIL(was_heard("event /a3"));
}
END_TEST

START_TEST(replies_in_single_bytes_are_put_together)
{
	broker.piece = 1;
	go_connected("");
	for (int i = 0; i < 20; i++)
		mu_client_get(c, "/a", false, on_done, "x");
	mu_client_get(c, "/a", false, on_done, "last");
	UNTIL(was_heard("last=0"));
	ck_assert_uint_eq(got_len, 5);
}
END_TEST

START_TEST(a_thousand_replies_in_odd_pieces_stay_in_order)
{
	broker.piece = 1021;
	go_connected("");
	for (int i = 0; i < 999; i++)
		ck_assert_int_eq(mu_client_get(c, "/a", false, NULL, NULL), 0);
	mu_client_get(c, "/a/missing", false, on_done, "last");
	UNTIL(was_heard("last=-101"));
}
END_TEST

START_TEST(free_closes_the_connection)
{
	uint64_t by = mu_clock_mono_ms() + PATIENCE_MS;

	go_connected("");
	mu_client_free(c);
	c = NULL;
	while (!broker.goodbyes && mu_clock_mono_ms() < by) {
		fake_broker_wait(&broker, 10);
		fake_broker_turn(&broker);
	}
	ck_assert_uint_eq(broker.goodbyes, 1);
}
END_TEST

START_TEST(close_closes_the_session)
{
	go_connected("");
	fake_broker_start(&broker);
	ck_assert_int_eq(mu_client_close(c, PATIENCE_MS), 0);
	fake_broker_stop(&broker);
	ck_assert_ptr_nonnull(strstr(broker.log, "close"));
}
END_TEST

START_TEST(an_idle_client_waits)
{
	struct pollfd p = { .events = POLLIN };

	go_connected("");
	UNTIL(mu_client_timeout_ms(c) > 100);
	p.fd = mu_client_fd(c);
	ck_assert_int_eq(poll(&p, 1, 50), 0);
}
END_TEST

/* ---- links ---- */

START_TEST(a_lost_link_fails_requests_and_watches_are_armed_again)
{
	go_connected("");
	mu_client_get(c, "/a", true, on_done, "get");
	mu_client_add_watch(c, "/b", MU_ADDWATCH_RECURSIVE, on_done, "add");
	UNTIL(was_heard("add=0"));
	broker.hold = true;
	mu_client_sync(c, "/a", on_done, "sync");
	UNTIL(strstr(broker.log, "held"));
	broker.hold = false;
	fake_broker_goodbye(&broker);
	UNTIL(was_heard("sync=-4; connected 0"));
	ck_assert(was_heard("connecting -2008; sync=-4"));
	ck_assert_ptr_nonnull(strstr(broker.log, "resume; setWatches2"));
	ck_assert(info().resumed);
	fake_broker_event(&broker, MU_NODE_CREATED, "/b/c");
	UNTIL(was_heard("event /b/c1"));
}
END_TEST

/* What came before the end is heard before it. */
START_TEST(an_answer_just_before_the_end_counts)
{
	uint64_t by = mu_clock_mono_ms() + PATIENCE_MS;

	go_connected("");
	mu_client_get(c, "/a", false, on_done, "get");
	mu_client_process(c);
	while (!strstr(broker.log, "getData") && mu_clock_mono_ms() < by) {
		fake_broker_wait(&broker, 10);
		fake_broker_turn(&broker);
	}
	fake_broker_goodbye(&broker);
	UNTIL(was_heard("connecting"));
	ck_assert_str_eq(heard, "connected 0; get=0; connecting -2008");
}
END_TEST

/* Rule 10. */
START_TEST(rule10_a_refused_session_has_expired)
{
	options.session = 0x1234;
	broker.refuse = true;
	make("");
	UNTIL(was_heard("expired -112"));
}
END_TEST

/* Rules 9 and 80: no answer, then the end. */
START_TEST(rule9_a_server_that_closes_without_a_word_is_left_for_the_next)
{
	char urls[600];
	struct fake_broker mute;

	fake_broker_open(&mute, "zookeeper://");
	mute.leave = true;
	fake_broker_start(&mute);
	mu_format(urls, sizeof urls, "%s,%s", mute.url, broker.url);
	options.brokers = urls;
	ck_assert_int_eq(mu_client_new(&options, &c, &err), 0);
	UNTIL(info().state == MU_CLIENT_CONNECTED);
	ck_assert_str_eq(info().broker, broker.url);
	fake_broker_stop(&mute);
	fake_broker_close(&mute);
}
END_TEST

static void wait_in_vain(void)
{
	fake_broker_start(&broker);
	ck_assert_int_eq(mu_client_wait(c, 400, &err), MU_ETIMEDOUT);
	fake_broker_stop(&broker);
	mu_format(why, sizeof why, "%s", err.msg);
}

START_TEST(a_server_that_closes_without_a_word_is_told_in_words)
{
	broker.leave = true;
	make("");
	wait_in_vain();
	ck_assert_ptr_nonnull(strstr(why, "closed the connection without an "
	                                  "answer; this ZooKeeper may be"));
}
END_TEST

START_TEST(a_port_without_a_server_is_told_in_words)
{
	fake_tcp_close(&broker.tcp);
	make("");
	ck_assert_int_eq(mu_client_wait(c, 300, &err), MU_ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(err.msg, "Connection refused"));
	ck_assert(fake_tcp_open(&broker.tcp, false, 0));
}
END_TEST

START_TEST(a_silent_server_is_left_and_pinged_before)
{
	broker.timeout_ms = 600;
	go_connected("");
	ck_assert_uint_eq(info().timeout_ms, 600);
	broker.mute = true;
	UNTIL(was_heard("connecting -7"));
	ck_assert_ptr_nonnull(strstr(broker.log, "held"));
}
END_TEST

START_TEST(hosts_are_tried_in_random_order)
{
	struct fake_tcp hosts[4];
	bool seen[4] = { false };
	char urls[256] = "zookeeper://";
	size_t len = strlen(urls);

	for (int i = 0; i < 4; i++) {
		ck_assert(fake_tcp_open(&hosts[i], false, 0));
		len += mu_format(urls + len, sizeof urls - len,
		                 "%s127.0.0.1:%u", i ? "," : "",
		                 (unsigned)hosts[i].port);
	}
	options.brokers = urls;
	for (int round = 0; round < 100; round++) {
		ck_assert_int_eq(mu_client_new(&options, &c, &err), 0);
		mu_client_process(c);
		for (int i = 0; i < 4; i++)
			if (atoi(strrchr(info().broker, ':') + 1) ==
			    hosts[i].port)
				seen[i] = true;
		mu_client_free(c);
	}
	c = NULL;
	for (int i = 0; i < 4; i++) {
		ck_assert_msg(seen[i], "host %d never came first", i);
		fake_tcp_close(&hosts[i]);
	}
}
END_TEST

/* ---- frames that cannot be ---- */

static void send_length(int32_t length)
{
	uint32_t wire = htonl((uint32_t)length);

	fake_tcp_send(&broker.tcp, &wire, 4, 0);
}

static const int32_t bad_lengths[] = { -1, INT32_MIN, INT32_MAX,
	                               (int32_t)MU_DRIVER_MESSAGE_MAX + 1 };

START_TEST(a_length_that_cannot_be_ends_the_link)
{
	go_connected("");
	send_length(bad_lengths[_i]);
	UNTIL(was_heard("connecting -2008"));
}
END_TEST

START_TEST(the_largest_length_is_waited_for)
{
	go_connected("");
	send_length((int32_t)MU_DRIVER_MESSAGE_MAX);
	for (int i = 0; i < 10; i++)
		turn();
	ck_assert_str_eq(heard, "connected 0");
}
END_TEST

START_TEST(an_empty_frame_ends_the_link)
{
	go_connected("");
	send_length(0);
	UNTIL(was_heard("connecting -2009"));
}
END_TEST

START_TEST(garbage_for_an_answer_is_no_connection)
{
	broker.garbage = true;
	make("");
	wait_in_vain();
	ck_assert_ptr_nonnull(strstr(why, broker.url));
	ck_assert_ptr_nonnull(strstr(why, "is it a ZooKeeper?"));
}
END_TEST

START_TEST(a_request_larger_than_the_socket_goes_in_parts)
{
	static char data[1000000];

	go_connected("");
	broker.deaf = true;
	for (int i = 0; i < 7; i++)
		ck_assert_int_eq(mu_client_set(c, "/a", data, sizeof data, -1,
		                               on_done, "set"),
		                 0);
	for (int i = 0; i < 5; i++)
		turn();
	/* It waits for room, and not by asking again and again. */
	ck_assert_int_gt(mu_client_timeout_ms(c), 50);
	broker.deaf = false;
	UNTIL(was_heard("set=0; set=0; set=0; set=0; set=0; set=0; set=0"));
}
END_TEST

START_TEST(a_server_that_stops_reading_costs_the_link)
{
	static char data[1000000];

	broker.timeout_ms = 60000; /* not the silence, however slow we are */
	go_connected("");
	broker.deaf = true;
	for (int i = 0; i < 900 && !was_heard("connecting"); i++) {
		ck_assert_int_eq(mu_client_set(c, "/a", data, sizeof data, -1,
		                               NULL, NULL),
		                 0);
		mu_client_process(c);
	}
	ck_assert(was_heard("connected 0; connecting -2008"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client over tcp");
	TCase *tc = tcase_create("tcp");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_zookeeper_is_known_by_its_answer);
	tcase_add_test(tc, a_chroot_is_put_before_paths_and_taken_off);
	tcase_add_test(tc, replies_in_single_bytes_are_put_together);
	tcase_add_test(tc, a_thousand_replies_in_odd_pieces_stay_in_order);
	tcase_add_test(tc, free_closes_the_connection);
	tcase_add_test(tc, close_closes_the_session);
	tcase_add_test(tc, an_idle_client_waits);
	tcase_add_test(tc,
	               a_lost_link_fails_requests_and_watches_are_armed_again);
	tcase_add_test(tc, an_answer_just_before_the_end_counts);
	tcase_add_test(tc, rule10_a_refused_session_has_expired);
	tcase_add_test(
		tc,
		rule9_a_server_that_closes_without_a_word_is_left_for_the_next);
	tcase_add_test(tc,
	               a_server_that_closes_without_a_word_is_told_in_words);
	tcase_add_test(tc, a_port_without_a_server_is_told_in_words);
	tcase_add_test(tc, a_silent_server_is_left_and_pinged_before);
	tcase_add_test(tc, hosts_are_tried_in_random_order);
	tcase_add_loop_test(tc, a_length_that_cannot_be_ends_the_link, 0,
	                    (int)(sizeof bad_lengths / sizeof bad_lengths[0]));
	tcase_add_test(tc, the_largest_length_is_waited_for);
	tcase_add_test(tc, an_empty_frame_ends_the_link);
	tcase_add_test(tc, garbage_for_an_answer_is_no_connection);
	tcase_add_test(tc, a_request_larger_than_the_socket_goes_in_parts);
	tcase_add_test(tc, a_server_that_stops_reading_costs_the_link);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
