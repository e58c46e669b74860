/* The native carrier without a store: an owner that notes what it is told, real
 * dealers at the other end, everything on one thread. */
#include "native.h"

#include "buf.h"
#include "data_kit.h"
#include "idmap.h"
#include "jute.h"
#include "line_rate.h"
#include "log.h"
#include "program.h"
#include "proto.h"
#include "zsock.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define PACKET_MAX 4096u
#define DEADLINE_MS 20000
#define LINKS 64

struct world {
	struct mu_native *n;
	char dir[32], url[128], tcp[128];
	/* what the owner was told */
	struct mu_buf text; /* "link:bytes " of each record */
	unsigned opened, records, oversize, lost;
	uint32_t last, lost_links[LINKS];
	char origin[80];
	bool refuse; /* to open */
	bool echo;
	uint64_t clock_ms; /* our own, so that stalls need no waiting */
};

static struct mu_err err;

/* ---- the owner ------------------------------------------------------------------ */

static int on_open(void *arg, uint32_t link, const char *origin)
{
	struct world *w = arg;

	w->opened++;
	w->last = link;
	snprintf(w->origin, sizeof w->origin, "%s", origin);
	return w->refuse ? MU_EFULL : 0;
}

static void on_record(void *arg, uint32_t link, const void *p, size_t len)
{
	struct world *w = arg;
	struct mu_buf b = { 0 };
	size_t at;

	w->records++;
	w->last = link;
	mu_buf_put(&w->text, p, len < 32 ? len : 32);
	mu_buf_put(&w->text, " ", 1);
	if (len >= 3 && memcmp(p, "end", 3) == 0)
		mu_native_end(w->n, link);
	if (!w->echo)
		return;
	at = mu_frame_begin(&b);
	mu_buf_put(&b, p, len);
	mu_frame_end(&b, at);
	mu_native_send(w->n, link, b.data, b.len);
	mu_buf_fini(&b);
}

static void on_oversize(void *arg, uint32_t link, const void *head, size_t len)
{
	struct world *w = arg;

	(void)head;
	w->oversize++;
	w->last = link;
	ck_assert_uint_eq(len, MU_NATIVE_OVERSIZE_HEAD);
}

static void on_lost(void *arg, uint32_t link)
{
	struct world *w = arg;

	w->lost_links[w->lost++ % LINKS] = link;
}

static struct world world;

static struct mu_native_limits limits(void)
{
	return (struct mu_native_limits){ .packet_max = PACKET_MAX,
		                          .reply_max = 1 << 20,
		                          .outbox_max = 1 << 16,
		                          .outbox_stall_ms = 5000,
		                          .links_max = 40 };
}

static struct world *world_open(void)
{
	struct world *w = &world;
	const struct mu_native_limits l = limits();
	const struct mu_native_owner owner = { on_open, on_record, on_oversize,
		                               on_lost, w };

	mu_log_open("test", MU_ERROR);
	memset(w, 0, sizeof *w);
	snprintf(w->dir, sizeof w->dir, "/tmp/mu-native-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(w->dir));
	snprintf(w->url, sizeof w->url, "ipc://%.31s/s", w->dir);
	ck_assert_int_eq(mu_native_open(&l, &owner, &w->n, &err), 0);
	ck_assert_msg(mu_native_listen(w->n, w->url, NULL, 0, &err) == 0, "%s",
	              err.msg);
	ck_assert_int_eq(mu_native_listen(w->n, "tcp://127.0.0.1:*", w->tcp,
	                                  sizeof w->tcp, &err),
	                 0);
	w->clock_ms = 1000;
	return w;
}

static void world_close(struct world *w)
{
	char path[64];

	mu_native_close(w->n);
	mu_buf_fini(&w->text);
	snprintf(path, sizeof path, "%.31s/s", w->dir);
	unlink(path);
	ck_assert_int_eq(rmdir(w->dir), 0);
}

static void turn(struct world *w)
{
	mu_native_wake(w->n);
	mu_native_read(w->n, w->clock_ms);
	mu_native_flush(w->n, w->clock_ms);
	mu_native_retry(w->n, w->clock_ms);
}

/* Turns until `what` has reached `least`; false after the deadline. */
static bool until(struct world *w, const unsigned *what, unsigned least)
{
	const long end = now_ms() + DEADLINE_MS;
	struct pollfd p = { .fd = mu_native_fd(w->n), .events = POLLIN };

	for (turn(w); *what < least && now_ms() < end; turn(w)) {
		if (!mu_native_readable(w->n))
			poll(&p, 1, 5);
	}
	return *what >= least;
}

static uint64_t cuts(struct world *w, enum mu_cut reason)
{
	struct mu_native_stats s;

	mu_native_stats(w->n, &s);
	return s.cut[reason];
}

static uint32_t links(struct world *w)
{
	struct mu_native_stats s;

	mu_native_stats(w->n, &s);
	return s.links;
}

/* ---- clients ---------------------------------------------------------------------- */

static struct mu_zsock *dial(const char *url)
{
	struct mu_zsock *z;

	ck_assert_msg(mu_zsock_dealer_open(&z, url, 1 << 24, &err) == 0, "%s",
	              err.msg);
	return z;
}

static int say_bytes(struct mu_zsock *z, const void *p, size_t len)
{
	struct mu_zmsg m;
	int rc;

	mu_zmsg_init(&m);
	ck_assert_int_eq(mu_zmsg_copy_in(&m, p, len), 0);
	rc = mu_zsock_send(z, NULL, &m);
	mu_zmsg_fini(&m);
	return rc;
}

static void frame(struct mu_buf *b, const void *p, size_t len)
{
	const size_t at = mu_frame_begin(b);

	mu_buf_put(b, p, len);
	mu_frame_end(b, at);
}

static void say(struct mu_zsock *z, const char *text)
{
	struct mu_buf b = { 0 };

	frame(&b, text, strlen(text));
	ck_assert_int_eq(say_bytes(z, b.data, b.len), 0);
	mu_buf_fini(&b);
}

/* The next message for a client; the world goes on turning. -1: none came; -2:
 * the link was lost. */
static long hear(struct world *w, struct mu_zsock *z, struct mu_zmsg *m)
{
	const long end = now_ms() + DEADLINE_MS;
	struct pollfd p = { .fd = mu_zsock_fd(z), .events = POLLIN };
	int told;

	while (now_ms() < end) {
		turn(w);
		told = mu_zsock_events(z);
		if (mu_zsock_recv(z, NULL, m) == 0)
			return (long)mu_zmsg_len(m);
		if (told & MU_ZSOCK_LOST)
			return -2;
		poll(&p, 1, 5);
	}
	return -1;
}

static void expect(struct world *w, struct mu_zsock *z, const char *text)
{
	struct mu_buf b = { 0 };
	struct mu_zmsg m;

	mu_zmsg_init(&m);
	if (*text)
		frame(&b, text, strlen(text));
	ck_assert_int_eq(hear(w, z, &m), (long)b.len);
	if (b.len)
		ck_assert_int_eq(memcmp(mu_zmsg_data(&m), b.data, b.len), 0);
	mu_zmsg_fini(&m);
	mu_buf_fini(&b);
}

#define expect_goodbye(w, z) expect(w, z, "")

/* Who is not let in is told why (proto.h), and goodbye. */
static void expect_turned_away(struct world *w, struct mu_zsock *z)
{
	struct mu_connect_response r;
	struct mu_str record;
	struct mu_zmsg m;
	struct mu_in in;

	mu_zmsg_init(&m);
	ck_assert_int_gt(hear(w, z, &m), 0);
	in = mu_in_of(mu_zmsg_data(&m), mu_zmsg_len(&m));
	ck_assert_int_eq(mu_frame_next(&in, &record), 1);
	in = mu_in_of(record.at, record.len);
	ck_assert_int_eq(mu_get_connect_response(&in, &r), 0);
	ck_assert_int_eq(r.protocol, MU_ETHROTTLED);
	ck_assert_int_eq(r.timeout_ms, 0);
	ck_assert_int_eq(r.session, 0);
	mu_zmsg_fini(&m);
	expect_goodbye(w, z);
}

/* A client that has said hello; its number is in w->last. */
static struct mu_zsock *dial_in(struct world *w)
{
	struct mu_zsock *z = dial(w->url);
	const unsigned records = w->records;

	say(z, "hello");
	ck_assert(until(w, &w->records, records + 1));
	return z;
}

static void expect_text(struct world *w, const char *text)
{
	mu_buf_put(&w->text, "", 1);
	ck_assert_str_eq((const char *)w->text.data, text);
	mu_buf_reset(&w->text);
}

/* ---- reading ------------------------------------------------------------------------- */

START_TEST(a_peer_is_a_link_and_its_records_come_without_their_length)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial(w->url), *t = dial(w->tcp);

	say(z, "hello");
	ck_assert(until(w, &w->records, 1));
	ck_assert_uint_eq(w->opened, 1);
	ck_assert_uint_ne(w->last, 0);
	ck_assert_msg(strncmp(w->origin, "ipc", 3) == 0, "%s", w->origin);
	expect_text(w, "hello ");
	say(z, "again");
	ck_assert(until(w, &w->records, 2));
	ck_assert_uint_eq(w->opened, 1);
	say(t, "tcp");
	ck_assert(until(w, &w->records, 3));
	ck_assert_uint_eq(w->opened, 2);
	ck_assert_str_eq(w->origin, "tcp:127.0.0.1");
	mu_zsock_close(z);
	mu_zsock_close(t);
	world_close(w);
}
END_TEST

START_TEST(records_of_one_message_come_in_order)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial(w->url);
	struct mu_buf b = { 0 };

	frame(&b, "one", 3);
	frame(&b, "", 0);
	frame(&b, "three", 5);
	ck_assert_int_eq(say_bytes(z, b.data, b.len), 0);
	ck_assert(until(w, &w->records, 3));
	expect_text(w, "one  three ");
	mu_buf_fini(&b);
	mu_zsock_close(z);
	world_close(w);
}
END_TEST

START_TEST(a_turn_reads_a_share_and_no_more)
{
	struct world *w = world_open();
	struct mu_zsock *z[10];
	unsigned i, j, before;

	for (i = 0; i < 10; i++) {
		z[i] = dial(w->tcp);
		for (j = 0; j < MU_ZSOCK_HWM; j++)
			say(z[i], "x");
	}
	/* all of it arrives: nothing is dropped between the turns */
	while (w->records < 10 * MU_ZSOCK_HWM) {
		before = w->records;
		mu_native_wake(w->n);
		mu_native_read(w->n, w->clock_ms);
		ck_assert_uint_le(w->records - before, MU_NATIVE_TURN_MESSAGES);
		poll(NULL, 0, w->records == before ? 1 : 0);
	}
	ck_assert(until(w, &w->records, 10 * MU_ZSOCK_HWM));
	for (i = 0; i < 10; i++)
		mu_zsock_close(z[i]);
	world_close(w);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
} malformed[] = {
	{ "\xff\xff\xff\xff", 4 },     /* negative */
	{ "\x80\x00\x00\x00x", 5 },    /* very negative */
	{ "\x00\x00\x00\x05zzzz", 8 }, /* past the end */
	{ "\x00\x00\x00", 3 },         /* half a length */
	{ "\x7f\xff\xff\xff"
	  "abcd",
	  8 }, /* huge */
	{ "GET / HTTP/1.1\r\n\r\n", 18 },
	{ "x", 1 },
};

START_TEST(a_malformed_message_ends_its_link_with_a_goodbye)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial_in(w), *other = dial_in(w);
	struct mu_buf b = { 0 };

	frame(&b, "good", 4);
	mu_buf_put(&b, malformed[_i].bytes, malformed[_i].len);
	mu_buf_reset(&w->text);
	ck_assert_int_eq(say_bytes(z, b.data, b.len), 0);
	ck_assert(until(w, &w->lost, 1));
	expect_text(w, "good "); /* what came before it counts */
	expect_goodbye(w, z);
	ck_assert_uint_eq(cuts(w, MU_CUT_MALFORMED), 1);
	say(z, "late"); /* is not heard */
	say(other, "fine");
	ck_assert(until(w, &w->records, 4));
	expect_text(w, "fine ");
	ck_assert_uint_eq(w->lost, 1);
	mu_buf_fini(&b);
	mu_zsock_close(z);
	mu_zsock_close(other);
	world_close(w);
}
END_TEST

START_TEST(garbage_never_does_more_than_end_its_own_link)
{
	struct world *w = world_open();
	struct mu_zsock *steady = dial_in(w), *z;
	uint32_t seed = 12345;
	uint8_t p[300];
	size_t i, len;
	int round;

	for (round = 0; round < 60; round++) {
		z = dial(w->url);
		for (i = 0; i < sizeof p; i++) {
			seed = seed * 1664525u + 1013904223u;
			p[i] = (uint8_t)(seed >> 24);
		}
		p[0] = p[1] = p[2] = 0; /* reach past the first length */
		len = 1 + (seed >> 8) % sizeof p;
		ck_assert_int_eq(say_bytes(z, p, len), 0);
		ck_assert(until(w, &w->opened, (unsigned)round + 2));
		mu_zsock_close(z);
	}
	ck_assert_uint_eq(cuts(w, MU_CUT_MALFORMED), w->lost);
	ck_assert_uint_gt(w->lost, 0);
	mu_buf_reset(&w->text);
	i = w->records;
	say(steady, "steady");
	ck_assert(until(w, &w->records, (unsigned)i + 1));
	expect_text(w, "steady ");
	mu_zsock_close(steady);
	world_close(w);
}
END_TEST

START_TEST(a_clients_goodbye_ends_the_link)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial_in(w);
	const uint32_t link = w->last;

	ck_assert_int_eq(say_bytes(z, "", 0), 0);
	ck_assert(until(w, &w->lost, 1));
	ck_assert_uint_eq(w->lost_links[0], link);
	ck_assert_uint_eq(links(w), 0);
	ck_assert_uint_eq(cuts(w, MU_CUT_LEFT), 1);
	mu_zsock_close(z);
	world_close(w);
}
END_TEST

START_TEST(a_goodbye_and_nothing_else_makes_no_link)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial(w->url), *next;

	ck_assert_int_eq(say_bytes(z, "", 0), 0);
	next = dial_in(w);
	turn(w);
	ck_assert_uint_eq(w->opened, 1);
	ck_assert_uint_eq(w->lost, 0);
	mu_zsock_close(z);
	mu_zsock_close(next);
	world_close(w);
}
END_TEST

/* Peers that libzmq lets do what ours never do. */
static void *foreign(void *context, const char *url, const char *id)
{
	void *s = zmq_socket(context, ZMQ_DEALER);
	int ms = 1000;

	if (id)
		zmq_setsockopt(s, ZMQ_ROUTING_ID, id, strlen(id));
	zmq_setsockopt(s, ZMQ_LINGER, &ms, sizeof ms);
	ms = 10;
	zmq_setsockopt(s, ZMQ_RCVTIMEO, &ms, sizeof ms);
	ck_assert_int_eq(zmq_connect(s, url), 0);
	return s;
}

static int foreign_hear(struct world *w, void *s)
{
	const long end = now_ms() + DEADLINE_MS;
	char p[64];
	int n = -1;

	while (n < 0 && now_ms() < end) {
		turn(w);
		n = zmq_recv(s, p, sizeof p, 0);
	}
	return n;
}

START_TEST(a_message_of_several_parts_ends_the_link)
{
	struct world *w = world_open();
	void *context = zmq_ctx_new(), *s = foreign(context, w->url, NULL);

	zmq_send(s, "\0\0\0\1a", 5, ZMQ_SNDMORE);
	zmq_send(s, "\0\0\0\1b", 5, 0);
	ck_assert_int_eq(foreign_hear(w, s), 0);
	ck_assert_uint_eq(w->records, 0);
	ck_assert_uint_eq(w->lost, 1);
	ck_assert_uint_eq(cuts(w, MU_CUT_PARTS), 1);
	zmq_close(s);
	zmq_ctx_term(context);
	world_close(w);
}
END_TEST

START_TEST(a_peer_with_a_routing_id_of_its_own_is_sent_away)
{
	struct world *w = world_open();
	void *context = zmq_ctx_new(), *s = foreign(context, w->url, "mine");

	zmq_send(s, "\0\0\0\1a", 5, 0);
	ck_assert_int_eq(foreign_hear(w, s), 0);
	ck_assert_uint_eq(w->opened, 0);
	ck_assert_uint_eq(cuts(w, MU_CUT_OWN_ID), 1);
	zmq_close(s);
	zmq_ctx_term(context);
	world_close(w);
}
END_TEST

/* ---- limits -------------------------------------------------------------------------- */

static void say_large(struct mu_zsock *z, size_t len)
{
	struct mu_buf b = { 0 };
	void *p = calloc(1, len);

	frame(&b, p, len);
	ck_assert_int_eq(say_bytes(z, b.data, b.len), 0);
	mu_buf_fini(&b);
	free(p);
}

START_TEST(a_record_at_the_limit_is_a_record_and_one_past_it_is_oversize)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial_in(w);

	say_large(z, PACKET_MAX);
	ck_assert(until(w, &w->records, 2));
	ck_assert_uint_eq(w->oversize, 0);
	say_large(z, PACKET_MAX + 1);
	ck_assert(until(w, &w->oversize, 1));
	say_large(z, 4 * PACKET_MAX - 4);
	ck_assert(until(w, &w->oversize, 2));
	say(z, "still here");
	ck_assert(until(w, &w->records, 3));
	ck_assert_uint_eq(w->lost, 0);
	mu_zsock_close(z);
	world_close(w);
}
END_TEST

START_TEST(a_message_beyond_four_packets_cuts_the_connection)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial_in(w), *other = dial_in(w);
	struct mu_zmsg m;

	mu_zmsg_init(&m);
	say_large(z, 4 * PACKET_MAX - 3);
	ck_assert_int_eq(hear(w, z, &m), -2);
	ck_assert_uint_eq(w->oversize, 0);
	say(other, "fine");
	ck_assert(until(w, &w->records, 3));
	mu_zmsg_fini(&m);
	mu_zsock_close(z);
	mu_zsock_close(other);
	world_close(w);
}
END_TEST

START_TEST(one_link_too_many_is_told_why_and_goodbye_and_leaves_room_again)
{
	struct world *w = world_open();
	struct mu_zsock *z[41];
	unsigned i;

	for (i = 0; i < 40; i++)
		z[i] = dial_in(w);
	ck_assert_uint_eq(links(w), 40);
	z[40] = dial(w->url);
	say(z[40], "hello");
	expect_turned_away(w, z[40]);
	ck_assert_uint_eq(w->opened, 40);
	ck_assert_uint_eq(cuts(w, MU_CUT_TOO_MANY), 1);
	mu_zsock_close(z[40]);
	ck_assert_int_eq(say_bytes(z[7], "", 0), 0);
	ck_assert(until(w, &w->lost, 1));
	z[40] = dial_in(w);
	ck_assert_uint_eq(w->opened, 41);
	for (i = 0; i < 41; i++)
		mu_zsock_close(z[i]);
	world_close(w);
}
END_TEST

START_TEST(a_link_that_the_owner_refuses_is_told_why_and_goodbye)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial(w->url);

	w->refuse = true;
	say(z, "hello");
	expect_turned_away(w, z);
	ck_assert_uint_eq(w->opened, 1);
	ck_assert_uint_eq(w->records, 0);
	ck_assert_uint_eq(w->lost, 0);
	turn(w);
	ck_assert_uint_eq(links(w), 0);
	mu_zsock_close(z);
	world_close(w);
}
END_TEST

/* ---- sending -------------------------------------------------------------------------- */

static void send_text(struct world *w, uint32_t link, const char *text)
{
	struct mu_buf b = { 0 };

	frame(&b, text, strlen(text));
	mu_native_send(w->n, link, b.data, b.len);
	mu_buf_fini(&b);
}

START_TEST(what_is_sent_in_a_turn_is_one_message)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial_in(w);
	struct mu_zmsg m;
	struct mu_native_stats s;
	int i;

	mu_zmsg_init(&m);
	for (i = 0; i < 100; i++)
		send_text(w, w->last, "abc");
	ck_assert_int_eq(hear(w, z, &m), 700);
	mu_native_stats(w->n, &s);
	ck_assert_uint_eq(s.messages_out, 1);
	mu_zmsg_fini(&m);
	mu_zsock_close(z);
	world_close(w);
}
END_TEST

START_TEST(an_ended_link_gets_what_was_sent_and_a_goodbye_and_is_not_heard)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial_in(w);
	const uint32_t link = w->last;

	send_text(w, link, "last words");
	mu_native_end(w->n, link);
	send_text(w, link, "too late");
	expect(w, z, "last words");
	expect_goodbye(w, z);
	ck_assert_uint_eq(links(w), 0);
	say(z, "anybody there?");
	ck_assert_uint_eq(w->records, 1);
	mu_zsock_close(z);
	z = dial_in(w); /* so the late one has been read and ignored */
	ck_assert_uint_eq(w->records, 2);
	ck_assert_uint_eq(w->opened, 2);
	ck_assert_uint_eq(w->lost, 0);
	mu_zsock_close(z);
	world_close(w);
}
END_TEST

START_TEST(records_behind_the_one_that_ended_the_link_are_not_heard)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial(w->url);
	struct mu_buf b = { 0 };

	frame(&b, "end", 3);
	frame(&b, "more", 4);
	ck_assert_int_eq(say_bytes(z, b.data, b.len), 0);
	expect_goodbye(w, z);
	expect_text(w, "end ");
	mu_buf_fini(&b);
	mu_zsock_close(z);
	world_close(w);
}
END_TEST

START_TEST(numbers_that_are_no_links_are_ignored)
{
	struct world *w = world_open();
	const uint32_t none[] = { 0, 7, 4000000000u };

	send_text(w, 7, "x");
	mu_native_end(w->n, 7);
	mu_native_fanout(w->n, none, 3, "xxxx", 4);
	turn(w);
	ck_assert_uint_eq(links(w), 0);
	world_close(w);
}
END_TEST

START_TEST(a_fanout_reaches_all_in_order_with_what_else_they_get)
{
	struct world *w = world_open();
	const size_t len = _i ? 3000 : 10; /* shared; copied */
	struct mu_zsock *z[10];
	uint32_t id[10];
	struct mu_buf b = { 0 }, all;
	struct mu_zmsg m;
	char *p = malloc(len);
	int i;
	long n;

	memset(p, 'f', len);
	frame(&b, p, len);
	for (i = 0; i < 10; i++) {
		z[i] = dial_in(w);
		id[i] = w->last;
		send_text(w, id[i], "before");
	}
	mu_native_fanout(w->n, id, 10, b.data, b.len);
	mu_zmsg_init(&m);
	for (i = 0; i < 10; i++)
		send_text(w, id[i], "after");
	for (i = 0; i < 10; i++) {
		mu_buf_init(&all);
		while (all.len < 10 + 4 + len + 9) {
			n = hear(w, z[i], &m);
			ck_assert_int_gt(n, 0);
			mu_buf_put(&all, mu_zmsg_data(&m), (size_t)n);
		}
		ck_assert_uint_eq(all.len, 10 + 4 + len + 9);
		ck_assert_int_eq(memcmp(all.data + 4, "before", 6), 0);
		ck_assert_int_eq(memcmp(all.data + 10, b.data, b.len), 0);
		ck_assert_int_eq(memcmp(all.data + 14 + len + 4, "after", 5),
		                 0);
		mu_buf_fini(&all);
		mu_zsock_close(z[i]);
	}
	mu_zmsg_fini(&m);
	mu_buf_fini(&b);
	free(p);
	world_close(w);
}
END_TEST

/* Fill a link whose peer does not read, until the outbox holds something. */
static unsigned fill(struct world *w, uint32_t link)
{
	static char block[16000];
	struct mu_buf b = { 0 };
	unsigned i;

	for (i = 0; i < 10000 && !mu_native_has_parked(w->n); i++) {
		mu_buf_reset(&b);
		memcpy(block, &i, sizeof i);
		frame(&b, block, sizeof block);
		mu_native_send(w->n, link, b.data, b.len);
		turn(w);
	}
	mu_buf_fini(&b);
	ck_assert(mu_native_has_parked(w->n));
	return i;
}

START_TEST(a_reader_that_stops_is_ended_and_nobody_else_notices)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial_in(w), *other;
	const uint32_t link = w->last;
	struct mu_native_stats s;
	int i;

	other = dial_in(w);
	fill(w, link);
	w->clock_ms += 4000; /* libzmq's thread may have moved a little more */
	turn(w);
	ck_assert_uint_eq(w->lost, 0);
	for (i = 0; i < 100 && w->lost == 0; i++) {
		fill(w, link);
		w->clock_ms += 6000;
		turn(w);
	}
	ck_assert_uint_eq(w->lost, 1);
	ck_assert_uint_eq(w->lost_links[0], link);
	ck_assert_uint_eq(cuts(w, MU_CUT_STALLED), 1);
	mu_native_stats(w->n, &s);
	ck_assert_uint_eq(s.parked_bytes, 0);
	w->echo = true;
	say(other, "hello?");
	expect(w, other, "hello?");
	/* not even the goodbye is taken: it is forgotten all the same */
	w->clock_ms += 6000;
	turn(w);
	ck_assert_uint_eq(links(w), 1);
	ck_assert(!mu_native_has_parked(w->n));
	mu_zsock_close(z);
	mu_zsock_close(other);
	world_close(w);
}
END_TEST

START_TEST(a_full_outbox_ends_the_link_with_what_it_holds_bounded)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial_in(w);
	const uint32_t link = w->last;
	static char block[8000];
	struct mu_native_stats s;
	struct mu_buf b = { 0 };
	unsigned i;

	frame(&b, block, sizeof block);
	for (i = 0; i < 10000 && w->lost == 0; i++) {
		mu_native_send(w->n, link, b.data, b.len);
		turn(w);
		mu_native_stats(w->n, &s);
		ck_assert_uint_le(s.parked_bytes, limits().outbox_max);
	}
	ck_assert_uint_eq(w->lost, 1);
	ck_assert_uint_eq(cuts(w, MU_CUT_OVERFLOW), 1);
	mu_buf_fini(&b);
	mu_zsock_close(z);
	world_close(w);
}
END_TEST

START_TEST(a_slow_reader_gets_everything_in_order)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial_in(w);
	unsigned sent = fill(w, w->last), got = 0, number;
	struct mu_zmsg m;

	mu_zmsg_init(&m);
	while (got < sent) {
		ck_assert_int_eq(hear(w, z, &m), 16004);
		memcpy(&number, (const char *)mu_zmsg_data(&m) + 4,
		       sizeof number);
		ck_assert_uint_eq(number, got);
		got++;
	}
	turn(w);
	ck_assert(!mu_native_has_parked(w->n));
	ck_assert_uint_eq(w->lost, 0);
	mu_zmsg_fini(&m);
	mu_zsock_close(z);
	world_close(w);
}
END_TEST

START_TEST(a_burst_larger_than_the_outbox_reaches_a_reader_that_reads)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial_in(w);
	static char block[40000];
	struct mu_buf b = { 0 };
	struct mu_zmsg m;
	int i;

	frame(&b, block, sizeof block);
	for (i = 0; i < 20; i++) /* 800 KB, the limit is 64 KiB */
		mu_native_send(w->n, w->last, b.data, b.len);
	mu_zmsg_init(&m);
	for (i = 0; i < 20; i++)
		ck_assert_int_eq(hear(w, z, &m), (long)b.len);
	ck_assert_uint_eq(w->lost, 0);
	mu_zmsg_fini(&m);
	mu_buf_fini(&b);
	mu_zsock_close(z);
	world_close(w);
}
END_TEST

START_TEST(a_large_reply_passes_and_one_past_reply_max_does_not)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial_in(w);
	const size_t max = limits().reply_max;
	char *p = calloc(1, max + 1);
	struct mu_zmsg m;

	mu_zmsg_init(&m);
	mu_native_send(w->n, w->last, p, max);
	ck_assert_int_eq(hear(w, z, &m), (long)max);
	mu_native_send(w->n, w->last, p, max + 1);
	ck_assert(until(w, &w->lost, 1));
	ck_assert_uint_eq(cuts(w, MU_CUT_OVERFLOW), 1);
	expect_goodbye(w, z);
	mu_zmsg_fini(&m);
	free(p);
	mu_zsock_close(z);
	world_close(w);
}
END_TEST

START_TEST(a_peer_that_is_gone_is_found_by_sending)
{
	struct world *w = world_open();
	struct mu_zsock *z = dial_in(w);
	const long end = now_ms() + DEADLINE_MS;
	const uint32_t link = w->last;

	mu_zsock_close(z);
	while (w->lost == 0 && now_ms() < end) {
		send_text(w, link, "ping");
		turn(w);
	}
	ck_assert_uint_eq(w->lost, 1);
	ck_assert_uint_eq(links(w), 0);
	ck_assert_uint_eq(cuts(w, MU_CUT_GONE), 1);
	world_close(w);
}
END_TEST

START_TEST(a_goodbye_reaches_everybody_when_the_broker_stops)
{
	struct world *w = world_open();
	struct mu_zsock *z[10];
	struct mu_zmsg m;
	struct pollfd p = { .events = POLLIN };
	int i;

	for (i = 0; i < 10; i++) {
		z[i] = dial_in(w);
		send_text(w, w->last, "last");
	}
	mu_native_goodbye(w->n, DEADLINE_MS);
	mu_native_close(w->n);
	w->n = NULL;
	mu_zmsg_init(&m);
	for (i = 0; i < 10; i++) {
		p.fd = mu_zsock_fd(z[i]);
		while (mu_zsock_recv(z[i], NULL, &m))
			ck_assert_int_eq(poll(&p, 1, DEADLINE_MS), 1);
		ck_assert_uint_eq(mu_zmsg_len(&m), 8);
		while (mu_zsock_recv(z[i], NULL, &m))
			ck_assert_int_eq(poll(&p, 1, DEADLINE_MS), 1);
		ck_assert_uint_eq(mu_zmsg_len(&m), 0);
		mu_zsock_close(z[i]);
	}
	mu_zmsg_fini(&m);
	world_close(w);
}
END_TEST

START_TEST(links_that_come_and_go_leave_nothing_behind)
{
	struct world *w = world_open();
	struct mu_zsock *z;
	int i;

	w->echo = true;
	for (i = 0; i < 500; i++) {
		z = dial(w->url);
		say(z, "x");
		expect(w, z, "x");
		mu_native_end(w->n, w->last);
		expect_goodbye(w, z);
		mu_zsock_close(z);
	}
	ck_assert_uint_eq(w->opened, 500);
	ck_assert_uint_eq(links(w), 0);
	world_close(w);
}
END_TEST

START_TEST(limits_can_change_while_it_runs)
{
	struct world *w = world_open();
	struct mu_native_limits l = limits();
	struct mu_zsock *z = dial_in(w), *two = dial(w->url);

	l.links_max = 1;
	mu_native_configure(w->n, &l);
	say(two, "hello");
	expect_turned_away(w, two);
	ck_assert_uint_eq(w->opened, 1);
	mu_zsock_close(z);
	mu_zsock_close(two);
	world_close(w);
}
END_TEST

/* All in one second by the broker's clock. */
START_TEST(of_the_links_it_cut_so_many_a_second_are_logged)
{
	struct world *w = world_open();
	struct mu_zsock *z[MU_CUT_LINES_MAX + 2];
	unsigned i, lines = 0;
	char *said, *at;
	int kept;

	mu_log_open("test", MU_WARN);
	kept = kit_listen(STDERR_FILENO);
	for (i = 0; i < MU_CUT_LINES_MAX + 2; i++) {
		z[i] = dial_in(w);
		say_bytes(z[i], "\xff\xff\xff\xff", 4);
		if (!until(w, &w->lost, i + 1))
			break;
	}
	said = kit_hear(STDERR_FILENO, kept);
	ck_assert_uint_eq(i, MU_CUT_LINES_MAX + 2);
	for (at = said; (at = strstr(at, "link cut")); at++)
		lines++;
	ck_assert_uint_eq(lines, MU_CUT_LINES_MAX);
	for (i = 0; i < MU_CUT_LINES_MAX + 2; i++)
		mu_zsock_close(z[i]);
	free(said);
	world_close(w);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_peer_is_a_link_and_its_records_come_without_their_length,
		records_of_one_message_come_in_order,
		a_turn_reads_a_share_and_no_more,
		garbage_never_does_more_than_end_its_own_link,
		a_clients_goodbye_ends_the_link,
		a_goodbye_and_nothing_else_makes_no_link,
		a_message_of_several_parts_ends_the_link,
		a_peer_with_a_routing_id_of_its_own_is_sent_away,
		a_record_at_the_limit_is_a_record_and_one_past_it_is_oversize,
		a_message_beyond_four_packets_cuts_the_connection,
		one_link_too_many_is_told_why_and_goodbye_and_leaves_room_again,
		a_link_that_the_owner_refuses_is_told_why_and_goodbye,
		what_is_sent_in_a_turn_is_one_message,
		an_ended_link_gets_what_was_sent_and_a_goodbye_and_is_not_heard,
		records_behind_the_one_that_ended_the_link_are_not_heard,
		numbers_that_are_no_links_are_ignored,
		a_reader_that_stops_is_ended_and_nobody_else_notices,
		a_full_outbox_ends_the_link_with_what_it_holds_bounded,
		a_slow_reader_gets_everything_in_order,
		a_burst_larger_than_the_outbox_reaches_a_reader_that_reads,
		a_large_reply_passes_and_one_past_reply_max_does_not,
		a_peer_that_is_gone_is_found_by_sending,
		a_goodbye_reaches_everybody_when_the_broker_stops,
		links_that_come_and_go_leave_nothing_behind,
		limits_can_change_while_it_runs,
		of_the_links_it_cut_so_many_a_second_are_logged,
	};
	Suite *s = suite_create("native");
	TCase *c = tcase_create("native");
	SRunner *r;
	size_t i;
	int failed;

	for (i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(c, tests[i]);
	tcase_add_loop_test(c, a_malformed_message_ends_its_link_with_a_goodbye,
	                    0, sizeof malformed / sizeof *malformed);
	tcase_add_loop_test(
		c, a_fanout_reaches_all_in_order_with_what_else_they_get, 0, 2);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
