/* One TCP connection, made without waiting. */
#include "tcpconn.h"

#include "clock.h"
#include "fake_tcp.h"

#include <check.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PATIENCE_MS 20000u
#define MISSING "no-such-host.invalid"

static struct fake_tcp peer;
static struct mu_tcpconn *c;
static struct mu_err err;

static void setup(void)
{
	ck_assert(fake_tcp_open(&peer, false, 0));
}

static void teardown(void)
{
	mu_tcpconn_close(c);
	c = NULL;
	fake_tcp_close(&peer);
}

static void open_to(const char *host, uint16_t port, uint32_t limit_ms)
{
	err = (struct mu_err){ 0 };
	ck_assert_msg(mu_tcpconn_open(host, port, limit_ms, &c, &err) == 0,
	              "%s", err.msg);
}

static bool is_readable(int wait_ms)
{
	struct pollfd p = { mu_tcpconn_fd(c), POLLIN, 0 };

	return poll(&p, 1, wait_ms) == 1;
}

/* Wait as a loop would: by the descriptor only. */
static int connect_it(void)
{
	int rc;

	while ((rc = mu_tcpconn_step(c)) == MU_EAGAIN)
		ck_assert_msg(is_readable(PATIENCE_MS), "it says nothing");
	return rc;
}

static void go_open(void)
{
	open_to("127.0.0.1", peer.port, PATIENCE_MS);
	ck_assert_int_eq(connect_it(), 0);
	fake_tcp_wait(&peer, (int)PATIENCE_MS);
	ck_assert(fake_tcp_accept(&peer));
}

static int read_some(char *out, size_t room, size_t *got)
{
	int rc;

	while ((rc = mu_tcpconn_read(c, out, room, got)) == MU_EAGAIN)
		ck_assert(is_readable(PATIENCE_MS));
	return rc;
}

/* ---- connecting ---- */

START_TEST(bytes_go_both_ways)
{
	struct iovec v[2] = { { "\0\0\0\3", 4 }, { "abc", 3 } };
	const uint8_t *frames = NULL;
	size_t len = 0, took = 0;
	char in[16];

	go_open();
	ck_assert(!is_readable(0));
	ck_assert_int_eq(mu_tcpconn_read(c, in, sizeof in, &len), MU_EAGAIN);
	ck_assert_int_eq(mu_tcpconn_writev(c, v, 2, &took), 0);
	ck_assert_uint_eq(took, 7);
	while (!fake_tcp_recv(&peer, &frames, &len))
		fake_tcp_wait(&peer, 100);
	ck_assert_uint_eq(len, 7);
	ck_assert_int_eq(memcmp(frames + 4, "abc", 3), 0);
	fake_tcp_send(&peer, "hello", 5, 0);
	ck_assert_int_eq(read_some(in, sizeof in, &len), 0);
	ck_assert_uint_eq(len, 5);
	ck_assert_str_eq(mu_tcpconn_why(c), "");
}
END_TEST

START_TEST(ipv6_is_spoken)
{
	struct fake_tcp six;

	if (!fake_tcp_open(&six, true, 0))
		return; /* this machine has no IPv6 */
	open_to("::1", six.port, PATIENCE_MS);
	ck_assert_int_eq(connect_it(), 0);
	fake_tcp_close(&six);
}
END_TEST

/* localhost may have both addresses; only one of them has a listener. */
START_TEST(a_name_is_looked_up_and_each_of_its_addresses_tried)
{
	for (int i = 0; i < 10; i++) {
		open_to("localhost", peer.port, PATIENCE_MS);
		ck_assert_msg(connect_it() == 0, "%s", mu_tcpconn_why(c));
		mu_tcpconn_close(c);
	}
	c = NULL;
}
END_TEST

START_TEST(a_refusal_is_told_with_host_port_and_reason)
{
	char wanted[64];

	fake_tcp_close(&peer);
	open_to("127.0.0.1", peer.port, PATIENCE_MS);
	ck_assert_int_eq(connect_it(), MU_EIO);
	snprintf(wanted, sizeof wanted, "127.0.0.1 port %u: Connection refused",
	         (unsigned)peer.port);
	ck_assert_ptr_nonnull(strstr(mu_tcpconn_why(c), wanted));
	ck_assert_int_eq(mu_tcpconn_step(c), MU_EIO);
	ck_assert(fake_tcp_open(&peer, false, 0));
}
END_TEST

START_TEST(a_name_that_does_not_exist_is_told)
{
	int rc;

	open_to(MISSING, 2181, 3000);
	rc = connect_it();
	/* Where no name server answers, it is the limit. */
	ck_assert(rc == MU_EIO || rc == MU_ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(mu_tcpconn_why(c), MISSING));
}
END_TEST

/* A queue that is full makes the kernel ignore who comes. */
START_TEST(the_limit_ends_it)
{
	struct mu_tcpconn *others[8];
	uint64_t from;

	ck_assert_int_eq(listen(peer.listener, 0), 0);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(mu_tcpconn_open("127.0.0.1", peer.port,
		                                 PATIENCE_MS, &others[i], &err),
		                 0);
	for (int i = 0; i < 8; i++)
		(void)mu_tcpconn_step(others[i]);
	from = mu_clock_mono_ms();
	open_to("127.0.0.1", peer.port, 150);
	ck_assert_int_eq(connect_it(), MU_ETIMEDOUT);
	ck_assert_uint_ge(mu_clock_mono_ms() - from, 150);
	ck_assert_ptr_nonnull(strstr(mu_tcpconn_why(c), "timed out"));
	for (int i = 0; i < 8; i++)
		mu_tcpconn_close(others[i]);
}
END_TEST

START_TEST(a_host_may_have_255_bytes_and_not_256)
{
	char host[257];

	memset(host, 'a', 256);
	host[256] = '\0';
	ck_assert_int_eq(mu_tcpconn_open(host, 1, 100, &c, &err), MU_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "255 bytes"));
	host[255] = '\0';
	open_to(host, 1, 100);
}
END_TEST

START_TEST(close_takes_null_and_does_not_wait_for_a_name)
{
	uint64_t from = mu_clock_mono_ms();

	mu_tcpconn_close(NULL);
	for (int i = 0; i < 20; i++) {
		open_to(MISSING, 2181, PATIENCE_MS);
		mu_tcpconn_close(c);
	}
	c = NULL;
	ck_assert_uint_lt(mu_clock_mono_ms() - from, 2000);
}
END_TEST

static unsigned threads(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

START_TEST(one_name_does_not_cost_a_thread_for_each_who_asks)
{
	struct mu_tcpconn *many[60];

	for (int i = 0; i < 60; i++)
		ck_assert_int_eq(
			mu_tcpconn_open(MISSING, 2181, 3000, &many[i], &err),
			0);
	ck_assert_uint_lt(threads(), 30);
	for (int i = 0; i < 60; i++) {
		c = many[i];
		ck_assert_int_ne(connect_it(), 0);
		mu_tcpconn_close(c);
	}
	c = NULL;
}
END_TEST

/* ---- open ---- */

START_TEST(a_peer_that_closes_is_gone_without_a_fault)
{
	size_t got;
	char in[16];

	go_open();
	fake_tcp_send(&peer, "x", 1, 0);
	fake_tcp_hang_up(&peer);
	ck_assert_int_eq(read_some(in, sizeof in, &got), 0);
	ck_assert_int_eq(read_some(in, sizeof in, &got), MU_EGONE);
	ck_assert_str_eq(mu_tcpconn_why(c), "");
}
END_TEST

START_TEST(a_peer_that_resets_is_gone_without_a_fault)
{
	struct linger now = { 1, 0 };
	size_t got;
	char in[16];

	go_open();
	setsockopt(peer.conn, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	fake_tcp_hang_up(&peer);
	ck_assert_int_eq(read_some(in, sizeof in, &got), MU_EGONE);
	ck_assert_str_eq(mu_tcpconn_why(c), "");
}
END_TEST

/* Before we looked, it was through and over. */
START_TEST(a_connection_that_was_reset_at_once_was_open)
{
	struct linger now = { 1, 0 };
	size_t got;
	char in[16];

	open_to("127.0.0.1", peer.port, PATIENCE_MS);
	ck_assert_int_eq(mu_tcpconn_step(c) % MU_EAGAIN, 0);
	fake_tcp_wait(&peer, (int)PATIENCE_MS);
	ck_assert(fake_tcp_accept(&peer));
	setsockopt(peer.conn, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	fake_tcp_hang_up(&peer);
	ck_assert_int_eq(connect_it(), 0);
	ck_assert_int_eq(read_some(in, sizeof in, &got), MU_EGONE);
}
END_TEST

START_TEST(writing_to_one_who_has_gone_kills_nobody)
{
	struct iovec v = { "x", 1 };
	size_t took;
	int rc = 0;

	go_open();
	fake_tcp_hang_up(&peer);
	for (int i = 0; i < 1000 && !rc; i++) {
		rc = mu_tcpconn_writev(c, &v, 1, &took);
		(void)poll(NULL, 0, rc ? 0 : 1);
	}
	ck_assert_int_eq(rc, MU_EGONE);
}
END_TEST

START_TEST(what_does_not_go_is_left_and_room_is_told)
{
	static char much[1 << 20], in[1 << 20];
	struct iovec v = { much, sizeof much };
	size_t took = sizeof much;

	go_open();
	for (int i = 0; i < 1000 && took == sizeof much; i++)
		ck_assert_int_eq(mu_tcpconn_writev(c, &v, 1, &took), 0);
	ck_assert_uint_lt(took, sizeof much);
	ck_assert_int_eq(mu_tcpconn_writev(c, &v, 1, &took), 0);
	while (!is_readable(0)) {
		fake_tcp_wait(&peer, 100);
		ck_assert_int_gt(recv(peer.conn, in, sizeof in, MSG_DONTWAIT),
		                 0);
	}
	ck_assert_int_eq(mu_tcpconn_writev(c, &v, 1, &took), 0);
	ck_assert_uint_gt(took, 0);
	/* Once all goes again, room is no news. */
	v.iov_len = 1;
	while (recv(peer.conn, in, sizeof in, MSG_DONTWAIT) > 0)
		(void)poll(NULL, 0, 1);
	ck_assert_int_eq(mu_tcpconn_writev(c, &v, 1, &took), 0);
	ck_assert_uint_eq(took, 1);
	ck_assert(!is_readable(0));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tcpconn");
	TCase *tc = tcase_create("tcpconn");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bytes_go_both_ways);
	tcase_add_test(tc, ipv6_is_spoken);
	tcase_add_test(tc, a_name_is_looked_up_and_each_of_its_addresses_tried);
	tcase_add_test(tc, a_refusal_is_told_with_host_port_and_reason);
	tcase_add_test(tc, a_name_that_does_not_exist_is_told);
	tcase_add_test(tc, the_limit_ends_it);
	tcase_add_test(tc, a_host_may_have_255_bytes_and_not_256);
	tcase_add_test(tc, close_takes_null_and_does_not_wait_for_a_name);
	tcase_add_test(tc, one_name_does_not_cost_a_thread_for_each_who_asks);
	tcase_add_test(tc, a_peer_that_closes_is_gone_without_a_fault);
	tcase_add_test(tc, a_peer_that_resets_is_gone_without_a_fault);
	tcase_add_test(tc, a_connection_that_was_reset_at_once_was_open);
	tcase_add_test(tc, writing_to_one_who_has_gone_kills_nobody);
	tcase_add_test(tc, what_does_not_go_is_left_and_room_is_told);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
