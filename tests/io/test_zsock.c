/* zsock: one socket is one link, nothing is dropped in silence, and every loss
 * is told. */
#include "zsock.h"

#include "program.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#define MESSAGE_MAX 65536u
#define DEADLINE_MS 20000

static struct mu_err err;

/* Wait until the socket tells one of `wanted`; what it told on the way is
 * returned too. 0 after the deadline. */
static int await(struct mu_zsock *z, int wanted)
{
	struct pollfd p = { .fd = mu_zsock_fd(z), .events = POLLIN };
	const long end = now_ms() + DEADLINE_MS;
	int told = 0;

	while (now_ms() < end) {
		told |= mu_zsock_events(z);
		if (told & wanted)
			return told;
		poll(&p, 1, 20);
	}
	return 0;
}

struct pair {
	struct mu_zsock *router, *dealer;
	struct mu_zpeer peer; /* after pair_greet */
	char url[128];
};

static struct mu_zsock *router_on(const char *url, char *actual, size_t room)
{
	struct mu_zsock *z;

	ck_assert_int_eq(mu_zsock_router_open(&z, MESSAGE_MAX, &err), 0);
	ck_assert_msg(mu_zsock_bind(z, url, actual, room, &err) == 0, "%s",
	              err.msg);
	return z;
}

static struct mu_zsock *dealer_to(const char *url)
{
	struct mu_zsock *z;

	ck_assert_msg(mu_zsock_dealer_open(&z, url, MESSAGE_MAX, &err) == 0,
	              "%s", err.msg);
	return z;
}

static void pair_open(struct pair *p)
{
	p->router = router_on("tcp://127.0.0.1:*", p->url, sizeof p->url);
	p->dealer = dealer_to(p->url);
}

static void pair_close(struct pair *p)
{
	mu_zsock_close(p->dealer);
	mu_zsock_close(p->router);
}

static int send_bytes(struct mu_zsock *z, const struct mu_zpeer *to,
                      const void *bytes, size_t len)
{
	struct mu_zmsg m;
	int rc;

	mu_zmsg_init(&m);
	ck_assert_int_eq(mu_zmsg_copy_in(&m, bytes, len), 0);
	rc = mu_zsock_send(z, to, &m);
	mu_zmsg_fini(&m);
	return rc;
}

/* Receive one message and compare. */
static void expect(struct mu_zsock *z, struct mu_zpeer *from, const char *bytes)
{
	struct mu_zmsg m;

	mu_zmsg_init(&m);
	ck_assert_int_ne(await(z, MU_ZSOCK_READABLE), 0);
	ck_assert_int_eq(mu_zsock_recv(z, from, &m), 0);
	ck_assert_uint_eq(mu_zmsg_len(&m), strlen(bytes));
	ck_assert_int_eq(memcmp(mu_zmsg_data(&m), bytes, strlen(bytes)), 0);
	mu_zmsg_fini(&m);
}

static void pair_greet(struct pair *p)
{
	ck_assert_int_eq(send_bytes(p->dealer, NULL, "hello", 5), 0);
	expect(p->router, &p->peer, "hello");
}

START_TEST(a_message_goes_there_and_back)
{
	struct pair p;

	pair_open(&p);
	pair_greet(&p);
	ck_assert_int_eq(send_bytes(p.router, &p.peer, "welcome", 7), 0);
	expect(p.dealer, NULL, "welcome");
	pair_close(&p);
}
END_TEST

START_TEST(nothing_to_receive_is_said_and_not_waited_for)
{
	struct pair p;
	struct mu_zmsg m;
	struct mu_zpeer from;

	pair_open(&p);
	mu_zmsg_init(&m);
	ck_assert_int_eq(mu_zsock_recv(p.router, &from, &m), MU_EAGAIN);
	ck_assert_int_eq(mu_zsock_recv(p.dealer, NULL, &m), MU_EAGAIN);
	mu_zmsg_fini(&m);
	pair_close(&p);
}
END_TEST

START_TEST(a_connection_that_came_up_is_told_once)
{
	struct pair p;

	pair_open(&p);
	ck_assert_int_eq(await(p.dealer, MU_ZSOCK_UP | MU_ZSOCK_LOST),
	                 MU_ZSOCK_UP);
	pair_greet(&p);
	ck_assert_int_eq(mu_zsock_events(p.dealer), 0);
	pair_close(&p);
}
END_TEST

START_TEST(the_descriptor_of_a_dealer_wakes_for_its_monitor_and_its_messages)
{
	struct pair p;
	struct pollfd fd = { .events = POLLIN };

	pair_open(&p);
	fd.fd = mu_zsock_fd(p.dealer);
	ck_assert_int_eq(poll(&fd, 1, DEADLINE_MS), 1); /* it came up */
	ck_assert(await(p.dealer, MU_ZSOCK_UP) & MU_ZSOCK_UP);
	pair_greet(&p);
	while (mu_zsock_events(p.dealer) || poll(&fd, 1, 0))
		;
	ck_assert_int_eq(send_bytes(p.router, &p.peer, "x", 1), 0);
	ck_assert_int_eq(poll(&fd, 1, DEADLINE_MS), 1);
	expect(p.dealer, NULL, "x");
	pair_close(&p);
}
END_TEST

START_TEST(a_lost_connection_is_told_once)
{
	struct pair p;

	pair_open(&p);
	pair_greet(&p);
	mu_zsock_close(p.router);
	p.router = NULL;
	ck_assert(await(p.dealer, MU_ZSOCK_LOST) & MU_ZSOCK_LOST);
	ck_assert_int_eq(mu_zsock_events(p.dealer) & MU_ZSOCK_LOST, 0);
	pair_close(&p);
}
END_TEST

/* Rules 88 and 89: a link that broke stays broken. */
START_TEST(a_dealer_does_not_come_back_by_itself)
{
	struct pair p;
	char again[128];
	const long end = now_ms() + 300;

	pair_open(&p);
	pair_greet(&p);
	mu_zsock_close(p.router);
	ck_assert(await(p.dealer, MU_ZSOCK_LOST) & MU_ZSOCK_LOST);
	p.router = router_on(p.url, again, sizeof again);
	send_bytes(p.dealer, NULL, "old", 3);
	while (now_ms() < end) {
		struct pollfd fd = { mu_zsock_fd(p.router), POLLIN, 0 };

		poll(&fd, 1, 20);
		ck_assert_int_eq(mu_zsock_events(p.router), 0);
		ck_assert_int_eq(mu_zsock_events(p.dealer), 0);
	}
	pair_close(&p);
}
END_TEST

START_TEST(a_server_that_closes_with_messages_unread_is_a_loss)
{
	struct pair p;
	int i;

	pair_open(&p);
	pair_greet(&p);
	for (i = 0; i < 20; i++)
		ck_assert_int_eq(send_bytes(p.dealer, NULL, "unread", 6), 0);
	mu_zsock_close(p.router);
	p.router = NULL;
	ck_assert(await(p.dealer, MU_ZSOCK_LOST) & MU_ZSOCK_LOST);
	pair_close(&p);
}
END_TEST

START_TEST(a_refused_connection_is_a_loss)
{
	struct mu_zsock *router, *dealer;
	char url[128];

	router = router_on("tcp://127.0.0.1:*", url, sizeof url);
	mu_zsock_close(router);
	dealer = dealer_to(url);
	ck_assert_int_eq(await(dealer, MU_ZSOCK_UP | MU_ZSOCK_LOST),
	                 MU_ZSOCK_LOST);
	mu_zsock_close(dealer);
}
END_TEST

START_TEST(an_ipc_path_where_nobody_listens_is_a_loss)
{
	struct mu_zsock *dealer = dealer_to("ipc:///nonexistent/muster.sock");

	ck_assert_int_eq(await(dealer, MU_ZSOCK_UP | MU_ZSOCK_LOST),
	                 MU_ZSOCK_LOST);
	mu_zsock_close(dealer);
}
END_TEST

START_TEST(a_name_that_does_not_resolve_is_a_loss)
{
	/* .invalid never resolves (RFC 6761). */
	struct mu_zsock *dealer = dealer_to("tcp://broker.invalid:7400");

	ck_assert_int_eq(await(dealer, MU_ZSOCK_UP | MU_ZSOCK_LOST),
	                 MU_ZSOCK_LOST);
	mu_zsock_close(dealer);
}
END_TEST

/* Whatever libzmq's thread does with the name, closing and connecting anew
 * works. */
START_TEST(a_dealer_may_be_closed_while_its_name_is_looked_up)
{
	struct pair p;
	int i;

	for (i = 0; i < 5; i++)
		mu_zsock_close(dealer_to("tcp://broker.invalid:7400"));
	pair_open(&p);
	pair_greet(&p);
	pair_close(&p);
}
END_TEST

/* A peer that speaks another protocol. */
START_TEST(a_server_that_is_no_zeromq_is_a_loss)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/mu-zsock-XXXXXX", url[64];
	struct mu_zsock *dealer;
	int fd, peer;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(at.sun_path, sizeof at.sun_path, "%s/s", dir);
	snprintf(url, sizeof url, "ipc://%s/s", dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	dealer = dealer_to(url);
	peer = accept(fd, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	ck_assert_int_gt(write(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28),
	                 0);
	close(peer);
	ck_assert_int_eq(await(dealer, MU_ZSOCK_UP | MU_ZSOCK_LOST),
	                 MU_ZSOCK_LOST);
	mu_zsock_close(dealer);
	close(fd);
	unlink(at.sun_path);
	rmdir(dir);
}
END_TEST

static const char *const bad_urls[] = {
	"",
	"127.0.0.1:7400",
	"http://127.0.0.1:7400",
	"inproc://x",
	"tcp://",
	"tcp://:7400",
	"tcp://127.0.0.1",
	"tcp://127.0.0.1:",
	"tcp://127.0.0.1:0",
	"tcp://127.0.0.1:65536",
	"tcp://127.0.0.1:74x0",
	"tcp://127.0.0.1:99999999999999999999",
	"tcp://127.0.0.1:*",
	"ipc://",
};

START_TEST(a_malformed_address_is_refused_at_once)
{
	struct mu_zsock *dealer = NULL;

	err.msg[0] = '\0';
	ck_assert_int_eq(
		mu_zsock_dealer_open(&dealer, bad_urls[_i], MESSAGE_MAX, &err),
		MU_EINVAL);
	ck_assert_ptr_null(dealer);
	ck_assert_ptr_nonnull(strstr(err.msg, bad_urls[_i]));
}
END_TEST

START_TEST(an_address_too_long_is_refused)
{
	struct mu_zsock *dealer = NULL;
	char url[1024] = "ipc:///";

	memset(url + 7, 'x', sizeof url - 8);
	url[sizeof url - 1] = '\0';
	ck_assert_int_eq(mu_zsock_dealer_open(&dealer, url, MESSAGE_MAX, &err),
	                 MU_EINVAL);
	url[200] = '\0'; /* fits us, and not a socket's path */
	ck_assert_int_ne(mu_zsock_dealer_open(&dealer, url, MESSAGE_MAX, &err),
	                 0);
	ck_assert_ptr_null(dealer);
}
END_TEST

START_TEST(a_port_in_use_is_refused_with_a_sentence)
{
	struct mu_zsock *one, *two;
	char url[128];

	one = router_on("tcp://127.0.0.1:*", url, sizeof url);
	ck_assert_int_eq(mu_zsock_router_open(&two, MESSAGE_MAX, &err), 0);
	ck_assert_int_eq(mu_zsock_bind(two, url, NULL, 0, &err), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, url));
	ck_assert_ptr_nonnull(strstr(err.msg, "in use"));
	mu_zsock_close(two);
	mu_zsock_close(one);
}
END_TEST

START_TEST(listening_on_nonsense_is_refused)
{
	static const char *const urls[] = { "tcp://127.0.0.1", "7400",
		                            "udp://127.0.0.1:1",
		                            "tcp://no.such.card:7400" };
	struct mu_zsock *z;

	ck_assert_int_eq(mu_zsock_router_open(&z, MESSAGE_MAX, &err), 0);
	ck_assert_int_eq(mu_zsock_bind(z, urls[_i], NULL, 0, &err), MU_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, urls[_i]));
	mu_zsock_close(z);
}
END_TEST

START_TEST(localhost_and_ipv6_can_be_listened_on)
{
	struct mu_zsock *z, *dealer;
	char url[128];

	z = router_on("tcp://localhost:*", url, sizeof url);
	ck_assert_int_eq(strncmp(url, "tcp://127.0.0.1:", 16), 0);
	mu_zsock_close(z);
	ck_assert_int_eq(mu_zsock_router_open(&z, MESSAGE_MAX, &err), 0);
	if (mu_zsock_bind(z, "tcp://[::1]:*", url, sizeof url, &err) == 0) {
		ck_assert_int_eq(strncmp(url, "tcp://[::1]:", 12), 0);
		dealer = dealer_to(url);
		ck_assert(await(dealer, MU_ZSOCK_UP) & MU_ZSOCK_UP);
		mu_zsock_close(dealer);
	}
	mu_zsock_close(z);
}
END_TEST

START_TEST(an_ipc_socket_left_behind_is_replaced_and_one_in_use_is_not)
{
	char dir[] = "/tmp/mu-zsock-XXXXXX", url[64];
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct mu_zsock *one, *two;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(at.sun_path, sizeof at.sun_path, "%s/s", dir);
	snprintf(url, sizeof url, "ipc://%s/s", dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	close(fd); /* the file stays */
	one = router_on(url, NULL, 0);
	ck_assert_int_eq(mu_zsock_router_open(&two, MESSAGE_MAX, &err), 0);
	ck_assert_int_eq(mu_zsock_bind(two, url, NULL, 0, &err), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "another program listens"));
	mu_zsock_close(two);
	two = dealer_to(url); /* the first one is still there */
	ck_assert(await(two, MU_ZSOCK_UP) & MU_ZSOCK_UP);
	mu_zsock_close(two);
	mu_zsock_close(one);
	unlink(at.sun_path);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_not_removed)
{
	char path[] = "/tmp/mu-zsock-XXXXXX", url[64];
	struct mu_zsock *z;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	snprintf(url, sizeof url, "ipc://%s", path);
	ck_assert_int_eq(mu_zsock_router_open(&z, MESSAGE_MAX, &err), 0);
	ck_assert_int_eq(mu_zsock_bind(z, url, NULL, 0, &err), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "no socket"));
	mu_zsock_close(z);
	ck_assert_int_eq(unlink(path), 0); /* it was still there */
}
END_TEST

/* Send one-byte messages to a dealer that was closed, and look at the socket in
 * between, as a loop does. */
static int send_until_gone(struct pair *p)
{
	const long end = now_ms() + DEADLINE_MS;
	int rc = 0;

	mu_zsock_close(p->dealer);
	p->dealer = NULL;
	while (rc != MU_EGONE && now_ms() < end) {
		mu_zsock_events(p->router);
		rc = send_bytes(p->router, &p->peer, "x", 1);
	}
	return rc;
}

START_TEST(sending_to_a_peer_that_left_says_so)
{
	struct pair p;

	pair_open(&p);
	pair_greet(&p);
	ck_assert_int_eq(send_until_gone(&p), MU_EGONE);
	pair_close(&p);
}
END_TEST

/* libzmq holds a full queue for its peer until the end of what the peer sent
 * has been looked at. */
START_TEST(a_full_queue_to_a_peer_that_left_says_so)
{
	static char block[MESSAGE_MAX];
	struct pair p;
	const long end = now_ms() + DEADLINE_MS;

	pair_open(&p);
	pair_greet(&p);
	while (send_bytes(p.router, &p.peer, block, sizeof block) == 0)
		ck_assert_int_lt(now_ms(), end);
	ck_assert_int_eq(send_until_gone(&p), MU_EGONE);
	pair_close(&p);
}
END_TEST

START_TEST(sending_to_nobody_says_so)
{
	struct pair p;
	struct mu_zpeer nobody = { .len = 5, .bytes = { 0, 1, 2, 3, 4 } };

	pair_open(&p);
	ck_assert_int_eq(send_bytes(p.router, &nobody, "x", 1), MU_EGONE);
	pair_close(&p);
}
END_TEST

/* ROUTER must not drop in silence: a reader that stops is seen, the message is
 * still ours, and when it reads again everything taken arrives. */
START_TEST(a_full_queue_says_so_and_loses_nothing)
{
	static char block[MESSAGE_MAX];
	struct pair p;
	struct mu_zmsg m;
	unsigned sent = 0, got = 0;
	int rc = 0;

	pair_open(&p);
	pair_greet(&p);
	while (rc == 0 && sent < 100000) {
		memcpy(block, &sent, sizeof sent);
		rc = send_bytes(p.router, &p.peer, block, sizeof block);
		sent += rc == 0;
		/* let libzmq's thread move what it can */
		poll(NULL, 0, rc && sent < MU_ZSOCK_HWM ? 1 : 0);
	}
	ck_assert_int_eq(rc, MU_EAGAIN);
	ck_assert_uint_ge(sent, MU_ZSOCK_HWM);

	mu_zmsg_init(&m);
	ck_assert_int_eq(mu_zmsg_copy_in(&m, "kept", 4), 0);
	if (mu_zsock_send(p.router, &p.peer, &m) == MU_EAGAIN)
		ck_assert_uint_eq(mu_zmsg_len(&m), 4);
	else
		sent++;
	while (got < sent) {
		ck_assert_int_ne(await(p.dealer, MU_ZSOCK_READABLE), 0);
		while (mu_zsock_recv(p.dealer, NULL, &m) == 0) {
			if (mu_zmsg_len(&m) == sizeof block)
				ck_assert_int_eq(memcmp(mu_zmsg_data(&m), &got,
				                        sizeof got),
				                 0);
			got++;
		}
	}
	mu_zmsg_fini(&m);
	pair_close(&p);
}
END_TEST

START_TEST(a_message_over_the_limit_cuts_the_peer_and_one_at_it_does_not)
{
	static char block[MESSAGE_MAX + 1];
	struct pair p;
	struct mu_zmsg m;

	pair_open(&p);
	mu_zmsg_init(&m);
	ck_assert_int_eq(send_bytes(p.dealer, NULL, block, MESSAGE_MAX), 0);
	ck_assert_int_ne(await(p.router, MU_ZSOCK_READABLE), 0);
	ck_assert_int_eq(mu_zsock_recv(p.router, &p.peer, &m), 0);
	ck_assert_uint_eq(mu_zmsg_len(&m), MESSAGE_MAX);
	ck_assert_int_eq(send_bytes(p.dealer, NULL, block, MESSAGE_MAX + 1), 0);
	ck_assert(await(p.dealer, MU_ZSOCK_LOST) & MU_ZSOCK_LOST);
	ck_assert_int_eq(mu_zsock_recv(p.router, &p.peer, &m), MU_EAGAIN);
	mu_zmsg_fini(&m);
	pair_close(&p);
}
END_TEST

/* Peers that libzmq lets do what ours never do. */
static void *foreign(void *context, const char *url, const char *id)
{
	void *s = zmq_socket(context, ZMQ_DEALER);
	int linger = 1000;

	if (id)
		zmq_setsockopt(s, ZMQ_ROUTING_ID, id, strlen(id));
	zmq_setsockopt(s, ZMQ_LINGER, &linger, sizeof linger);
	ck_assert_int_eq(zmq_connect(s, url), 0);
	return s;
}

START_TEST(a_message_of_several_parts_breaks_the_protocol)
{
	struct pair p;
	struct mu_zmsg m;
	void *context = zmq_ctx_new(), *s;

	pair_open(&p);
	s = foreign(context, p.url, NULL);
	zmq_send(s, "one", 3, ZMQ_SNDMORE);
	zmq_send(s, "two", 3, ZMQ_SNDMORE);
	zmq_send(s, "last", 4, 0);
	zmq_send(s, "next", 4, 0);
	mu_zmsg_init(&m);
	ck_assert_int_ne(await(p.router, MU_ZSOCK_READABLE), 0);
	p.peer.len = 0;
	ck_assert_int_eq(mu_zsock_recv(p.router, &p.peer, &m), MU_EPROTO);
	ck_assert_uint_eq(p.peer.len, 5);
	ck_assert_int_eq(memcmp(mu_zmsg_data(&m), "last", 4), 0);
	mu_zmsg_fini(&m);
	expect(p.router, &p.peer, "next");
	zmq_close(s);
	zmq_ctx_term(context);
	pair_close(&p);
}
END_TEST

START_TEST(a_peer_that_chose_its_own_routing_id_is_not_believed)
{
	static const struct {
		const char *id;
		unsigned len; /* as it comes back */
	} rows[] = { { "abcde", 5 },
		     { "12345678901234567890123456789012", 32 },
		     { "123456789012345678901234567890123", 0 } };
	struct pair p;
	struct mu_zmsg m;
	void *context = zmq_ctx_new(), *s;

	pair_open(&p);
	s = foreign(context, p.url, rows[_i].id);
	zmq_send(s, "hello", 5, 0);
	mu_zmsg_init(&m);
	ck_assert_int_ne(await(p.router, MU_ZSOCK_READABLE), 0);
	ck_assert_int_eq(mu_zsock_recv(p.router, &p.peer, &m), MU_EPROTO);
	ck_assert_uint_eq(p.peer.len, rows[_i].len);
	mu_zmsg_fini(&m);
	zmq_close(s);
	zmq_ctx_term(context);
	pair_close(&p);
}
END_TEST

START_TEST(a_message_says_where_it_came_from)
{
	struct pair p;
	struct mu_zmsg m;

	pair_open(&p);
	ck_assert_int_eq(send_bytes(p.dealer, NULL, "x", 1), 0);
	mu_zmsg_init(&m);
	ck_assert_str_eq(mu_zmsg_origin(&m), "");
	ck_assert_int_ne(await(p.router, MU_ZSOCK_READABLE), 0);
	ck_assert_int_eq(mu_zsock_recv(p.router, &p.peer, &m), 0);
	ck_assert_str_eq(mu_zmsg_origin(&m), "127.0.0.1");
	mu_zmsg_fini(&m);
	pair_close(&p);
}
END_TEST

START_TEST(shared_bytes_live_until_the_last_reference_goes)
{
	static char block[4096];
	struct mu_zmsg a, b;

	memset(block, 'x', sizeof block);
	mu_zmsg_init(&a);
	mu_zmsg_init(&b);
	ck_assert_int_eq(mu_zmsg_copy_in(&a, block, sizeof block), 0);
	ck_assert_int_eq(mu_zmsg_share(&b, &a), 0);
	ck_assert_ptr_eq(mu_zmsg_data(&a), mu_zmsg_data(&b));
	mu_zmsg_fini(&a);
	ck_assert_int_eq(memcmp(mu_zmsg_data(&b), block, sizeof block), 0);
	mu_zmsg_fini(&b);
}
END_TEST

START_TEST(an_empty_message_arrives)
{
	struct pair p;

	pair_open(&p);
	ck_assert_int_eq(send_bytes(p.dealer, NULL, "", 0), 0);
	expect(p.router, &p.peer, "");
	ck_assert_int_eq(send_bytes(p.router, &p.peer, "", 0), 0);
	expect(p.dealer, NULL, "");
	pair_close(&p);
}
END_TEST

START_TEST(with_linger_the_last_message_before_a_close_arrives)
{
	struct pair p;
	int i;

	pair_open(&p);
	pair_greet(&p);
	for (i = 0; i < 60; i++)
		ck_assert_int_eq(send_bytes(p.router, &p.peer, "more", 4), 0);
	ck_assert_int_eq(send_bytes(p.router, &p.peer, "bye", 3), 0);
	mu_zsock_linger(p.router, DEADLINE_MS);
	mu_zsock_close(p.router);
	p.router = NULL;
	for (i = 0; i < 60; i++)
		expect(p.dealer, NULL, "more");
	expect(p.dealer, NULL, "bye");
	pair_close(&p);
}
END_TEST

START_TEST(the_library_names_its_version)
{
	int major, minor, patch;

	ck_assert_int_eq(
		sscanf(mu_zsock_version(), "%d.%d.%d", &major, &minor, &patch),
		3);
	ck_assert_int_eq(major, 4);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_message_goes_there_and_back,
		nothing_to_receive_is_said_and_not_waited_for,
		a_connection_that_came_up_is_told_once,
		the_descriptor_of_a_dealer_wakes_for_its_monitor_and_its_messages,
		a_lost_connection_is_told_once,
		a_dealer_does_not_come_back_by_itself,
		a_server_that_closes_with_messages_unread_is_a_loss,
		a_refused_connection_is_a_loss,
		an_ipc_path_where_nobody_listens_is_a_loss,
		a_name_that_does_not_resolve_is_a_loss,
		a_dealer_may_be_closed_while_its_name_is_looked_up,
		a_server_that_is_no_zeromq_is_a_loss,
		an_address_too_long_is_refused,
		a_port_in_use_is_refused_with_a_sentence,
		localhost_and_ipv6_can_be_listened_on,
		an_ipc_socket_left_behind_is_replaced_and_one_in_use_is_not,
		a_file_that_is_no_socket_is_not_removed,
		sending_to_a_peer_that_left_says_so,
		a_full_queue_to_a_peer_that_left_says_so,
		sending_to_nobody_says_so,
		a_full_queue_says_so_and_loses_nothing,
		a_message_over_the_limit_cuts_the_peer_and_one_at_it_does_not,
		a_message_of_several_parts_breaks_the_protocol,
		a_message_says_where_it_came_from,
		shared_bytes_live_until_the_last_reference_goes,
		an_empty_message_arrives,
		with_linger_the_last_message_before_a_close_arrives,
		the_library_names_its_version,
	};
	Suite *s = suite_create("zsock");
	TCase *c = tcase_create("zsock");
	SRunner *r;
	size_t i;
	int failed;

	for (i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(c, tests[i]);
	tcase_add_loop_test(c, a_malformed_address_is_refused_at_once, 0,
	                    sizeof bad_urls / sizeof *bad_urls);
	tcase_add_loop_test(c, listening_on_nonsense_is_refused, 0, 4);
	tcase_add_loop_test(
		c, a_peer_that_chose_its_own_routing_id_is_not_believed, 0, 3);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
