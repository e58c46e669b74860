/* The client library over plain TCP: what is that carrier's own. What holds on
 * both stands in test_client.c. */
#include "client_bed.h"

#include "driver.h"

#include <arpa/inet.h>

static char why[MU_ERR_MSG_MAX];
static int got_len;

static void on_len(struct mu_client *cc, const struct mu_result *r, void *arg)
{
	got_len = r->rc ? -1 : r->len;
	on_done(cc, r, arg);
}

/* ---- a session ---- */

START_TEST(replies_in_single_bytes_are_put_together)
{
	broker.piece = 1;
	go_connected("");
	for (int i = 0; i < 20; i++)
		mu_client_get(c, "/a", false, on_done, "x");
	mu_client_get(c, "/a", false, on_len, "last");
	UNTIL(was_heard("last=0"));
	ck_assert_int_eq(got_len, 5);
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

/* ---- links ---- */

/* A busy machine may take longer to hear why not. */
static void wait_in_vain(const char *reason)
{
	fake_broker_start(&broker);
	UNTIL(mu_client_wait(c, 400, &err) == MU_ETIMEDOUT &&
	      strstr(err.msg, reason));
	fake_broker_stop(&broker);
	mu_format(why, sizeof why, "%s", err.msg);
}

START_TEST(a_server_that_closes_without_a_word_is_told_in_words)
{
	broker.leave = true;
	make("");
	wait_in_vain("closed the connection");
	ck_assert_ptr_nonnull(strstr(why, "closed the connection without an "
	                                  "answer; this ZooKeeper may be"));
}
END_TEST

START_TEST(a_port_without_a_server_is_told_in_words)
{
	fake_tcp_close(&broker.tcp);
	make("");
	UNTIL(mu_client_wait(c, 300, &err) == MU_ETIMEDOUT &&
	      strstr(err.msg, "Connection refused"));
	ck_assert(fake_tcp_open(&broker.tcp, false, 0));
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
	wait_in_vain("is it a ZooKeeper?");
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

int main(void)
{
	Suite *s = suite_create("client, tcp");
	TCase *tc = client_case(s, "tcp", setup_tcp);

	tcase_add_test(tc, replies_in_single_bytes_are_put_together);
	tcase_add_test(tc, a_thousand_replies_in_odd_pieces_stay_in_order);
	tcase_add_test(tc,
	               a_server_that_closes_without_a_word_is_told_in_words);
	tcase_add_test(tc, a_port_without_a_server_is_told_in_words);
	tcase_add_test(tc, hosts_are_tried_in_random_order);
	tcase_add_loop_test(tc, a_length_that_cannot_be_ends_the_link, 0,
	                    (int)(sizeof bad_lengths / sizeof bad_lengths[0]));
	tcase_add_test(tc, the_largest_length_is_waited_for);
	tcase_add_test(tc, an_empty_frame_ends_the_link);
	tcase_add_test(tc, garbage_for_an_answer_is_no_connection);
	tcase_add_test(tc, a_request_larger_than_the_socket_goes_in_parts);
	return client_run(s);
}
