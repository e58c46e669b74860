/* The broker's TCP port as its clients meet it: the program, and raw clients that
 * send what no library would. */
#include "cluster.h"
#include "raw_tcp.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIG (512u * 1024)

static struct cluster c;
static int port;

static void open_with(const char *more)
{
	cluster_open(&c);
	c.with_zk = true;
	cluster_broker_conf(&c, false, more);
	cluster_broker_start(&c);
	ck_assert_str_ne(c.zk, "");
	port = atoi(strrchr(c.zk, ':') + 1);
}

/* It answers, to somebody who behaves, and goes on to the end. */
static void check_served(void)
{
	const int64_t begun = now_ms();
	struct raw r;

	raw_session(&r, port, 10000);
	ck_assert_int_eq(raw_get(&r, "/none", false), MU_ENONODE);
	ck_assert_int_lt(now_ms() - begun, 5000);
	raw_close(&r);
}

static void done(void)
{
	check_served();
	cluster_broker_stop(&c, SIGTERM);
	cluster_close(&c);
}

/* Private memory in KiB. */
static long private_kib(void)
{
	char path[64], *text, *at;
	long sum = 0;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)c.broker.pid);
	text = file_read(path, NULL);
	ck_assert_ptr_nonnull(text);
	for (at = text; (at = strstr(at, "\nPrivate_"));) {
		at = strchr(at, ':') + 1;
		sum += atol(at);
	}
	free(text);
	return sum;
}

/* ---- the main job ----------------------------------------------------------------- */

START_TEST(a_zookeeper_client_creates_reads_and_watches)
{
	struct raw one, two;
	struct mu_watcher_event e;
	struct mu_buf b = { 0 };

	open_with("");
	raw_session(&one, port, 10000);
	raw_session(&two, port, 10000);
	ck_assert_int_eq(raw_create(&one, "/a", "x", 1, 0), 0);
	ck_assert_int_eq(raw_get(&two, "/a", true), 0);
	ck_assert(mu_str_eq(mu_get_str(&two.body), MU_STR("x")));
	raw_put_set(&one, &b, "/a", "y", 1);
	ck_assert_int_eq(raw_ask(&one, &b), 0);
	ck_assert_int_eq(raw_reply(&two), RAW_RECORD);
	ck_assert_int_eq(two.reply.xid, MU_XID_NOTIFICATION);
	ck_assert_int_eq(mu_get_watcher_event(&two.body, &e), 0);
	ck_assert_int_eq(e.type, 3);
	ck_assert(mu_str_eq(e.path, MU_STR("/a")));
	raw_close(&one);
	raw_close(&two);
	done();
}
END_TEST

/* The same tree behind both carriers; an event crosses from one to the other. */
START_TEST(both_carriers_show_one_tree)
{
	struct raw r;
	struct run m;

	open_with("");
	raw_session(&r, port, 10000);
	ck_assert_int_eq(raw_create(&r, "/both", "tcp", 3, 0), 0);
	ck_assert(cluster_node_is("/both", "tcp"));
	ck_assert_int_eq(raw_get(&r, "/both", true), 0);
	ck_assert_int_eq(cluster_muster(&m, "set", "/both", "native", NULL), 0);
	run_free(&m);
	ck_assert_int_eq(raw_reply(&r), RAW_RECORD);
	ck_assert_int_eq(r.reply.xid, MU_XID_NOTIFICATION);
	ck_assert_int_eq(raw_get(&r, "/both", false), 0);
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("native")));
	raw_close(&r);
	done();
}
END_TEST

static bool watches_are_gone(void *arg)
{
	const int fd = raw_dial(port);
	bool gone;
	int how;

	(void)arg;
	ck_assert(raw_send(fd, "wchs", 4));
	gone = strstr(raw_all(fd, NULL, &how), "Total watches:0\n") != NULL;
	close(fd);
	return gone;
}

START_TEST(rule41_closing_the_connection_takes_its_watches)
{
	struct raw r;

	open_with("words = [ \"*\" ];\n");
	raw_session(&r, port, 10000);
	ck_assert_int_eq(raw_get(&r, "/", true), 0);
	ck_assert(!watches_are_gone(NULL));
	raw_close(&r);
	ck_assert(wait_for(watches_are_gone, NULL, WAIT_MS));
	done();
}
END_TEST

START_TEST(rule46_a_closed_connection_does_not_end_the_session)
{
	struct raw r, other;
	struct mu_buf b = { 0 };

	open_with("");
	raw_session(&r, port, 20000);
	ck_assert_int_eq(raw_create(&r, "/e", "", 0, 1), 0);
	close(r.fd);
	raw_session(&other, port, 10000);
	ck_assert_int_eq(raw_get(&other, "/e", false), 0);
	/* the session goes on over a new connection, and ends when it says so */
	r.fd = raw_dial(port);
	ck_assert_int_eq(raw_greet(&r, 20000), RAW_RECORD);
	ck_assert_int_ne(r.timeout_ms, 0);
	mu_frame_begin(&b);
	mu_put_request_header(&b, ++r.xid, MU_OP_CLOSE_SESSION);
	mu_frame_end(&b, 0);
	ck_assert_int_eq(raw_ask(&r, &b), 0);
	ck_assert_int_eq(raw_reply(&r), RAW_CLOSED); /* rule 20 */
	ck_assert_int_eq(raw_get(&other, "/e", false), MU_ENONODE);
	raw_close(&r);
	raw_close(&other);
	done();
}
END_TEST

/* ---- malformed input ----------------------------------------------------------------- */

static const int32_t bad_lengths[] = { INT32_MIN, -2,       -1,      0,
	                               1,         7,        1048576, 1048577,
	                               16777216,  INT32_MAX };

START_TEST(rule3_a_length_out_of_range_closes_without_a_reply)
{
	const uint32_t n = (uint32_t)bad_lengths[_i];
	const uint8_t bytes[12] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16),
		                    (uint8_t)(n >> 8), (uint8_t)n };
	struct raw before, after;

	open_with("");
	raw_open(&before, port);
	raw_session(&after, port, 10000);
	ck_assert(raw_send(before.fd, bytes, sizeof bytes));
	ck_assert_int_le(raw_record(&before), RAW_CLOSED);
	ck_assert(raw_send(after.fd, bytes, sizeof bytes));
	ck_assert_int_le(raw_record(&after), RAW_CLOSED);
	raw_close(&before);
	raw_close(&after);
	done();
}
END_TEST

START_TEST(rule96_the_largest_record_is_taken_and_one_byte_more_is_not)
{
	static char data[1048575];
	struct raw r;
	struct mu_buf b = { 0 };
	size_t overhead;

	open_with("");
	raw_session(&r, port, 10000);
	raw_put_set(&r, &b, "/", data, 0);
	overhead = b.len - 4;
	mu_buf_reset(&b);
	raw_put_set(&r, &b, "/", data, 1048575 - overhead);
	ck_assert_uint_eq(b.len, 4 + 1048575);
	ck_assert_int_eq(raw_ask(&r, &b), 0);
	raw_put_set(&r, &b, "/", data, 1048576 - overhead);
	raw_send(r.fd, b.data, b.len);
	ck_assert_int_le(raw_record(&r), RAW_CLOSED);
	mu_buf_fini(&b);
	raw_close(&r);
	done();
}
END_TEST

START_TEST(rule96_a_body_that_does_not_decode_is_an_error_and_the_link_stays)
{
	struct raw r;
	struct mu_buf b = { 0 };

	open_with("");
	raw_session(&r, port, 10000);
	mu_frame_begin(&b);
	mu_put_request_header(&b, ++r.xid, MU_OP_GET_DATA);
	mu_put_int(&b, 1000); /* of a path that is not there */
	mu_frame_end(&b, 0);
	ck_assert_int_eq(raw_ask(&r, &b), MU_EMARSHAL);
	ck_assert_int_eq(raw_get(&r, "/", false), 0);
	raw_close(&r);
	done();
}
END_TEST

START_TEST(rule18_an_unknown_operation_is_answered_and_the_link_closed)
{
	struct raw r;
	struct mu_buf b = { 0 };

	open_with("");
	raw_session(&r, port, 10000);
	mu_frame_begin(&b);
	mu_put_request_header(&b, ++r.xid, 4711);
	mu_frame_end(&b, 0);
	ck_assert_int_eq(raw_ask(&r, &b), MU_EUNIMPLEMENTED);
	ck_assert_int_eq(raw_record(&r), RAW_CLOSED);
	raw_close(&r);
	done();
}
END_TEST

/* A handshake, then a request, cut at every byte; and the same sent whole after
 * a pause there. */
START_TEST(a_conversation_cut_or_held_up_at_any_byte_harms_nobody)
{
	struct mu_connect_request q = {
		.timeout_ms = 10000, .password = { "0123456789abcdef", 16 }
	};
	struct mu_buf b = { 0 };
	struct raw r = { 0 };
	size_t at = mu_frame_begin(&b), i;

	mu_put_connect_request(&b, &q);
	mu_frame_end(&b, at);
	raw_put_path(&r, &b, MU_OP_GET_DATA, "/", false);
	open_with("");
	for (i = 1; i < b.len; i++) {
		raw_open(&r, port);
		ck_assert(raw_send(r.fd, b.data, i));
		raw_close(&r);
		raw_open(&r, port);
		ck_assert(raw_send(r.fd, b.data, i));
		usleep(200); /* so that it mostly comes in two */
		ck_assert(raw_send(r.fd, b.data + i, b.len - i));
		ck_assert_int_eq(raw_record(&r), RAW_RECORD);
		ck_assert_int_eq(raw_reply(&r), RAW_RECORD);
		ck_assert_int_eq(r.reply.err, 0);
		raw_close(&r);
	}
	mu_buf_fini(&b);
	done();
}
END_TEST

/* ---- slow, silent, greedy --------------------------------------------------------------- */

START_TEST(who_sends_nothing_or_half_a_handshake_is_cut)
{
	struct raw silent, half;
	const int64_t begun = now_ms();

	open_with("handshake_timeout_ms = 300;\n");
	raw_open(&silent, port);
	raw_open(&half, port);
	ck_assert(raw_send(half.fd, "\0\0\0\x2c\0\0", 6));
	ck_assert_int_le(raw_record(&silent), RAW_CLOSED);
	ck_assert_int_le(raw_record(&half), RAW_CLOSED);
	ck_assert_int_ge(now_ms() - begun, 250);
	raw_close(&silent);
	raw_close(&half);
	done();
}
END_TEST

START_TEST(who_stops_in_the_middle_of_a_request_loses_his_session)
{
	struct raw r;

	open_with("");
	raw_session(&r, port, 300);
	ck_assert(raw_send(r.fd, "\0\0\0\x2c\0\0", 6));
	ck_assert_int_le(raw_record(&r), RAW_CLOSED);
	raw_close(&r);
	done();
}
END_TEST

static void make_big(void)
{
	static char data[BIG];
	struct raw r;

	raw_session(&r, port, 10000);
	ck_assert_int_eq(raw_create(&r, "/big", data, sizeof data, 0), 0);
	raw_close(&r);
}

/* Append many requests for the big node, about 40 bytes each. */
static void put_gets(struct raw *r, struct mu_buf *b, unsigned n)
{
	while (n--)
		raw_put_path(r, b, MU_OP_GET_DATA, "/big", false);
}

/* He asks for 20 GiB. */
START_TEST(rule92_who_pipelines_and_never_reads_holds_bounded_memory)
{
	struct raw greedy, good;
	struct mu_buf b = { 0 };
	long before;
	unsigned i;

	open_with("outbox_stall_ms = 60000;\n");
	make_big();
	raw_session(&greedy, port, 60000);
	raw_session(&good, port, 10000);
	before = private_kib();
	put_gets(&greedy, &b, 40000);
	while (b.len > 0) {
		ssize_t n = send(greedy.fd, b.data, b.len, MSG_DONTWAIT);

		if (n <= 0)
			break;
		mu_buf_drop(&b, (size_t)n);
	}
	for (i = 0; i < 200; i++)
		ck_assert_int_eq(raw_get(&good, "/none", false), MU_ENONODE);
	ck_assert_int_lt(private_kib() - before, 8 * 1024);
	mu_buf_fini(&b);
	raw_close(&greedy);
	raw_close(&good);
	done();
}
END_TEST

START_TEST(rule92_who_takes_nothing_for_too_long_is_cut_and_his_session_lives)
{
	struct raw r, again;
	struct mu_buf b = { 0 };
	int rc;

	open_with("outbox_stall_ms = 200;\n");
	make_big();
	raw_session(&r, port, 60000);
	put_gets(&r, &b, 200);
	ck_assert(raw_send(r.fd, b.data, b.len));
	ck_assert(file_comes_to_have(c.log, "stopped reading", WAIT_MS));
	while ((rc = raw_record(&r)) == RAW_RECORD)
		;
	ck_assert_int_le(rc, RAW_CLOSED);
	again = r;
	again.fd = raw_dial(port);
	again.got = (struct mu_buf){ 0 };
	ck_assert_int_eq(raw_greet(&again, 60000), RAW_RECORD);
	ck_assert_int_ne(again.timeout_ms, 0);
	mu_buf_fini(&b);
	raw_close(&r);
	raw_close(&again);
	done();
}
END_TEST

/* All in one go: more than the broker lets wait, but nothing is refused. */
START_TEST(rule80_pipelined_requests_are_made_to_wait_not_refused)
{
	struct raw r;
	struct mu_buf b = { 0 };
	int32_t i;

	open_with("outstanding_max = 10;\n");
	raw_session(&r, port, 10000);
	ck_assert_int_eq(raw_create(&r, "/n", "", 0, 0), 0);
	for (i = 0; i < 3000; i++) {
		raw_put_set(&r, &b, "/n", "x", 1);
		raw_put_path(&r, &b, MU_OP_GET_DATA, "/n", false);
	}
	ck_assert(raw_send(r.fd, b.data, b.len));
	for (i = 0; i < 6000; i++) {
		ck_assert_int_eq(raw_reply(&r), RAW_RECORD);
		ck_assert_int_eq(r.reply.err, 0);
		ck_assert_int_eq(r.reply.xid, 2 + i);
	}
	mu_buf_fini(&b);
	raw_close(&r);
	done();
}
END_TEST

/* ---- many ------------------------------------------------------------------------------- */

static bool log_has(void *arg)
{
	return file_has(c.log, arg);
}

static bool is_let_in(void *arg)
{
	struct raw r;
	bool in;

	(void)arg;
	raw_open(&r, port);
	in = raw_greet(&r, 10000) == RAW_RECORD;
	raw_close(&r);
	return in;
}

START_TEST(rule80_links_of_one_address_are_limited)
{
	struct raw r[4];
	unsigned i;

	open_with("links_per_address_max = 3;\n");
	for (i = 0; i < 3; i++)
		raw_session(&r[i], port, 10000);
	raw_open(&r[3], port);
	ck_assert_int_le(raw_greet(&r[3], 10000), RAW_CLOSED);
	ck_assert(
		wait_for(log_has, "too many links from one address", WAIT_MS));
	raw_close(&r[3]);
	ck_assert_int_eq(raw_get(&r[0], "/", false), 0);
	raw_close(&r[2]);
	ck_assert(wait_for(is_let_in, NULL, WAIT_MS));
	raw_close(&r[0]);
	raw_close(&r[1]);
	cluster_broker_stop(&c, SIGTERM);
	cluster_close(&c);
}
END_TEST

START_TEST(a_flood_of_connects_is_survived)
{
	static int fd[500];
	unsigned i, round;

	open_with("links_per_address_max = 0; links_max = 300;\n");
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 500; i++)
			fd[i] = raw_dial(port);
		for (i = 0; i < 500; i++)
			close(fd[i]);
	}
	done();
}
END_TEST

START_TEST(rule101_no_limit_for_an_address_and_4_kib_for_an_idle_connection)
{
	static int fd[2000];
	struct raw one;
	long before, grown;
	unsigned i;

	open_with("links_per_address_max = 0; words = [ \"*\" ];\n"
	          "handshake_timeout_ms = 600000;\n");
	raw_session(&one, port, 60000);
	before = private_kib();
	for (i = 0; i < 2000; i++) {
		fd[i] = raw_dial(port);
		ck_assert_int_ge(fd[i], 0);
		/* half a handshake: what is kept of it counts too */
		ck_assert(raw_send(fd[i], "\0\0\0\x2c\0\0", 6));
	}
	ck_assert_int_eq(raw_get(&one, "/none", false), MU_ENONODE);
	grown = private_kib() - before;
	printf("idle connections: %ld bytes each\n", grown * 1024 / 2000);
	ck_assert_int_lt(grown, 2000 * 4);
	for (i = 0; i < 2000; i++)
		close(fd[i]);
	raw_close(&one);
	done();
}
END_TEST

/* ---- start and stop ----------------------------------------------------------------------- */

START_TEST(a_port_that_is_taken_is_an_error_that_says_how_to_go_on)
{
	char conf[CLUSTER_PATH_MAX + 16], text[1024];
	struct run r;

	open_with("");
	snprintf(conf, sizeof conf, "%s/second.conf", c.dir);
	snprintf(text, sizeof text,
	         "listen = [ \"ipc://%s/second\" ]; data_dir = \"%s/d2\";\n"
	         "listen_zookeeper = [ \"127.0.0.1:%d\" ]; control = \"\";\n",
	         c.dir, c.dir, port);
	file_write_text(conf, text);
	ck_assert_int_eq(
		cluster_run(&r, "muster-broker", "--config", conf, NULL), 1);
	ck_assert_msg(strstr(r.err, "address already in use") != NULL, "%s",
	              r.err);
	ck_assert_msg(strstr(r.err, "listen_zookeeper = [ ];") != NULL, "%s",
	              r.err);
	run_free(&r);
	done();
}
END_TEST

START_TEST(it_stops_with_links_of_every_kind)
{
	struct raw idle, half, asked;
	struct mu_buf b = { 0 };

	open_with("");
	make_big();
	raw_session(&idle, port, 10000);
	raw_open(&half, port);
	ck_assert(raw_send(half.fd, "\0\0\0\x2c\0\0", 6));
	raw_session(&asked, port, 10000);
	put_gets(&asked, &b, 100);
	ck_assert(raw_send(asked.fd, b.data, b.len));
	ck_assert_int_eq(raw_reply(&asked), RAW_RECORD);
	cluster_broker_stop(&c, SIGTERM);
	ck_assert_int_le(raw_record(&idle), RAW_CLOSED);
	mu_buf_fini(&b);
	raw_close(&idle);
	raw_close(&half);
	raw_close(&asked);
	cluster_close(&c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("broker_tcp");
	TCase *t = tcase_create("broker_tcp");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_zookeeper_client_creates_reads_and_watches);
	tcase_add_test(t, both_carriers_show_one_tree);
	tcase_add_test(t, rule41_closing_the_connection_takes_its_watches);
	tcase_add_test(t, rule46_a_closed_connection_does_not_end_the_session);
	tcase_add_loop_test(t,
	                    rule3_a_length_out_of_range_closes_without_a_reply,
	                    0, sizeof bad_lengths / sizeof *bad_lengths);
	tcase_add_test(
		t, rule96_the_largest_record_is_taken_and_one_byte_more_is_not);
	tcase_add_test(
		t,
		rule96_a_body_that_does_not_decode_is_an_error_and_the_link_stays);
	tcase_add_test(
		t, rule18_an_unknown_operation_is_answered_and_the_link_closed);
	tcase_add_test(t,
	               a_conversation_cut_or_held_up_at_any_byte_harms_nobody);
	tcase_add_test(t, who_sends_nothing_or_half_a_handshake_is_cut);
	tcase_add_test(t,
	               who_stops_in_the_middle_of_a_request_loses_his_session);
	tcase_add_test(
		t, rule92_who_pipelines_and_never_reads_holds_bounded_memory);
	tcase_add_test(
		t,
		rule92_who_takes_nothing_for_too_long_is_cut_and_his_session_lives);
	tcase_add_test(t,
	               rule80_pipelined_requests_are_made_to_wait_not_refused);
	tcase_add_test(t, rule80_links_of_one_address_are_limited);
	tcase_add_test(t, a_flood_of_connects_is_survived);
	tcase_add_test(
		t,
		rule101_no_limit_for_an_address_and_4_kib_for_an_idle_connection);
	tcase_add_test(t,
	               a_port_that_is_taken_is_an_error_that_says_how_to_go_on);
	tcase_add_test(t, it_stops_with_links_of_every_kind);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
