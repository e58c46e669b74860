/* The TCP carrier without a store: an owner that notes what it is told, real
 * sockets, and a loop that runs until what is waited for has come. */
#include "buf.h"
#include "err.h"
#include "log.h"
#include "loop.h"
#include "program.h"
#include "raw_tcp.h"
#include "tcp.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET_MAX 4096u
#define OUTBOX_MAX (1u << 20)
#define DEADLINE_MS 20000
#define LINKS 600

struct world {
	struct mu_loop *loop;
	struct mu_tcp *t;
	struct mu_after *after;
	struct mu_timer *timer;
	int port;
	/* what the owner was told */
	struct mu_buf text; /* of each record, its first bytes, and a space */
	unsigned opened, records, lost, words;
	unsigned turn_records, turn_records_max;
	uint32_t last, link[LINKS];
	char origin[80];
	bool refuse, echo, deaf; /* deaf: takes nothing */
	/* what `until` waits for */
	bool (*is)(struct world *w);
	unsigned least;
	bool came;
	long end;
	/* a client that is read while the world runs */
	int fd;
	struct mu_buf got;
	bool closed, reset;
};

static struct world world;
static struct mu_err err;

/* ---- the owner ------------------------------------------------------------------ */

static int on_open(void *arg, uint32_t link, const char *origin)
{
	struct world *w = arg;

	ck_assert(link & MU_LINK_TCP);
	w->link[w->opened++ % LINKS] = w->last = link;
	snprintf(w->origin, sizeof w->origin, "%s", origin);
	return w->refuse ? MU_EFULL : 0;
}

static bool on_takes(void *arg, uint32_t link, size_t len)
{
	const struct world *w = arg;

	(void)link;
	ck_assert_uint_le(len, PACKET_MAX);
	return !w->deaf;
}

static void on_record(void *arg, uint32_t link, const void *p, size_t len)
{
	struct world *w = arg;
	struct mu_buf b = { 0 };
	size_t at;

	w->records++;
	w->turn_records++;
	w->last = link;
	mu_buf_put(&w->text, p, len < 16 ? len : 16);
	mu_buf_put(&w->text, " ", 1);
	if (w->echo) {
		at = mu_frame_begin(&b);
		mu_buf_put(&b, p, len);
		mu_frame_end(&b, at);
		mu_tcp_send(w->t, link, b.data, b.len);
		mu_buf_fini(&b);
	}
	if (memcmp(p, "end", 3) == 0)
		mu_tcp_end(w->t, link);
}

static size_t on_word_len(void *arg, const uint8_t first[4])
{
	(void)arg;
	if (memcmp(first, "long", 4) == 0)
		return MU_TCP_WORD_MAX;
	return memcmp(first, "word", 4) == 0 ? 4 : 0;
}

static void on_word(void *arg, uint32_t link, const uint8_t *p,
                    struct mu_buf *out)
{
	struct world *w = arg;

	(void)link;
	w->words++;
	mu_buf_put(out, p, *p == 'l' ? MU_TCP_WORD_MAX : 4);
}

static void on_lost(void *arg, uint32_t link)
{
	struct world *w = arg;

	w->lost++;
	w->last = link;
}

/* ---- the loop -------------------------------------------------------------------- */

static void read_client(struct world *w)
{
	char bytes[65536];
	ssize_t n;

	while (w->fd >= 0 && !w->closed &&
	       (n = recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT)) != -1) {
		w->closed = n == 0;
		mu_buf_put(&w->got, bytes, (size_t)n);
	}
	if (w->fd >= 0 && !w->closed && errno == ECONNRESET)
		w->closed = w->reset = true;
}

static void on_turn(void *arg)
{
	struct world *w = arg;

	if (w->turn_records > w->turn_records_max)
		w->turn_records_max = w->turn_records;
	w->turn_records = 0;
	mu_tcp_turn(w->t);
	mu_tcp_flush(w->t);
	read_client(w);
	w->came = w->is(w);
	if (w->came || now_ms() > w->end)
		mu_loop_stop(w->loop);
	mu_after_set(w->after, true, mu_tcp_has_more(w->t));
}

static void on_timer(void *arg)
{
	mu_tcp_tick(((struct world *)arg)->t);
}

static bool until(struct world *w, bool (*is)(struct world *w), unsigned least)
{
	w->is = is;
	w->least = least;
	w->end = now_ms() + DEADLINE_MS;
	mu_loop_run(w->loop);
	return w->came;
}

static bool has_records(struct world *w)
{
	return w->records >= w->least;
}

static bool has_opened(struct world *w)
{
	return w->opened >= w->least;
}

static bool has_lost(struct world *w)
{
	return w->lost >= w->least;
}

static bool has_bytes(struct world *w)
{
	struct mu_tcp_stats s;

	mu_tcp_stats(w->t, &s);
	return s.bytes_in >= w->least;
}

static bool has_got(struct world *w)
{
	return w->got.len >= w->least || w->closed;
}

static bool has_closed(struct world *w)
{
	return w->closed;
}

static bool has_paused(struct world *w)
{
	struct mu_tcp_stats s;

	mu_tcp_stats(w->t, &s);
	return s.paused >= w->least;
}

static bool has_links(struct world *w)
{
	struct mu_tcp_stats s;

	mu_tcp_stats(w->t, &s);
	return s.links == w->least;
}

static uint64_t cuts(struct world *w, enum mu_tcp_cut reason)
{
	struct mu_tcp_stats s;

	mu_tcp_stats(w->t, &s);
	return s.cut[reason];
}

static struct mu_tcp_limits limits(void)
{
	return (struct mu_tcp_limits){ .packet_max = PACKET_MAX,
		                       .reply_max = OUTBOX_MAX,
		                       .outbox_max = OUTBOX_MAX,
		                       .outbox_stall_ms = 60000 };
}

static struct world *world_open(void)
{
	static const uint8_t key[16] = { 1 };
	const struct mu_tcp_limits l = limits();
	const struct mu_tcp_owner owner = { on_open,     on_takes, on_record,
		                            on_word_len, on_word,  on_lost,
		                            &world };
	struct world *w = &world;
	const char *actual;

	mu_log_open("test", MU_ERROR);
	memset(w, 0, sizeof *w);
	w->fd = -1;
	ck_assert_int_eq(mu_loop_new(&w->loop, &err), 0);
	ck_assert_int_eq(mu_tcp_open(w->loop, &l, key, &owner, &w->t, &err), 0);
	ck_assert_msg(mu_tcp_listen(w->t, "127.0.0.1:*", &actual, &err) == 0,
	              "%s", err.msg);
	w->port = atoi(strrchr(actual, ':') + 1);
	ck_assert_int_eq(mu_after_new(w->loop, on_turn, w, &w->after), 0);
	ck_assert_int_eq(mu_timer_new(w->loop, on_timer, w, &w->timer), 0);
	mu_after_set(w->after, true, false);
	mu_timer_arm(w->timer, 2, 2);
	return w;
}

static void world_close(struct world *w)
{
	mu_tcp_close(w->t);
	mu_after_free(w->after);
	mu_timer_free(w->timer);
	mu_loop_free(w->loop);
	mu_buf_fini(&w->text);
	mu_buf_fini(&w->got);
	if (w->fd >= 0)
		close(w->fd);
}

/* ---- clients ---------------------------------------------------------------------- */

static void frame(struct mu_buf *b, const void *p, size_t len)
{
	const size_t at = mu_frame_begin(b);

	mu_buf_put(b, p, len);
	mu_frame_end(b, at);
}

static void say(int fd, const char *text)
{
	struct mu_buf b = { 0 };

	frame(&b, text, strlen(text));
	ck_assert(raw_send(fd, b.data, b.len));
	mu_buf_fini(&b);
}

/* The client that the world reads; it has said hello. */
static void dial_in(struct world *w)
{
	const unsigned records = w->records;

	w->fd = raw_dial(w->port);
	ck_assert_int_ge(w->fd, 0);
	say(w->fd, "hello, hello");
	ck_assert(until(w, has_records, records + 1));
}

static void expect_text(struct world *w, const char *text)
{
	mu_buf_put(&w->text, "", 1);
	ck_assert_str_eq((const char *)w->text.data, text);
	mu_buf_reset(&w->text);
}

/* What the client has got, and nothing else. */
static void expect_got(struct world *w, const char *text)
{
	struct mu_buf b = { 0 };

	frame(&b, text, strlen(text));
	ck_assert(until(w, has_got, (unsigned)b.len));
	ck_assert_uint_eq(w->got.len, b.len);
	ck_assert_mem_eq(w->got.data, b.data, b.len);
	mu_buf_reset(&w->got);
	mu_buf_fini(&b);
}

/* ---- reading ------------------------------------------------------------------------- */

START_TEST(a_record_comes_without_its_length_and_is_answered)
{
	struct world *w = world_open();

	w->echo = true;
	w->fd = raw_dial(w->port);
	say(w->fd, "one-one-one");
	expect_got(w, "one-one-one");
	ck_assert_uint_eq(w->opened, 1);
	ck_assert_uint_eq(w->last, w->link[0]);
	ck_assert_str_eq(w->origin, "tcp:127.0.0.1");
	expect_text(w, "one-one-one ");
	say(w->fd, "two-two-two");
	expect_got(w, "two-two-two");
	ck_assert_uint_eq(w->opened, 1);
	world_close(w);
}
END_TEST

START_TEST(records_may_be_split_at_every_byte)
{
	struct world *w = world_open();
	struct mu_buf b = { 0 };
	unsigned bytes = 0, i;
	size_t at;

	frame(&b, "first-record", 12);
	frame(&b, "second--", 8);
	frame(&b, "the third of them", 17);
	for (at = 1; at < b.len; at++) {
		const int fd = raw_dial(w->port);

		ck_assert(raw_send(fd, b.data, at));
		bytes += (unsigned)at;
		ck_assert(until(w, has_bytes, bytes));
		ck_assert(raw_send(fd, b.data + at, b.len - at));
		bytes += (unsigned)(b.len - at);
		ck_assert(until(w, has_bytes, bytes));
		expect_text(w, "first-record second-- the third of the ");
		close(fd);
	}
	w->fd = raw_dial(w->port);
	for (i = 0; i < b.len; i++) {
		ck_assert(raw_send(w->fd, b.data + i, 1));
		ck_assert(until(w, has_bytes, ++bytes));
	}
	expect_text(w, "first-record second-- the third of the ");
	mu_buf_fini(&b);
	world_close(w);
}
END_TEST

START_TEST(rule3_a_record_of_the_limit_is_taken_and_one_more_is_not)
{
	struct world *w = world_open();
	static char data[PACKET_MAX + 1];
	struct mu_buf b = { 0 };

	dial_in(w);
	frame(&b, data, PACKET_MAX);
	ck_assert(raw_send(w->fd, b.data, b.len));
	ck_assert(until(w, has_records, 2));
	mu_buf_reset(&b);
	frame(&b, data, PACKET_MAX + 1);
	ck_assert(raw_send(w->fd, b.data, 4)); /* its length is enough */
	ck_assert(until(w, has_closed, 0));
	ck_assert_uint_eq(w->got.len, 0); /* without a reply */
	ck_assert_uint_eq(cuts(w, MU_TCP_CUT_LENGTH), 1);
	ck_assert_uint_eq(w->lost, 1);
	ck_assert_uint_eq(w->records, 2);
	mu_buf_fini(&b);
	world_close(w);
}
END_TEST

START_TEST(rule96_a_record_of_eight_bytes_is_taken_and_of_seven_is_not)
{
	struct world *w = world_open();

	dial_in(w);
	say(w->fd, "12345678");
	ck_assert(until(w, has_records, 2));
	say(w->fd, "1234567");
	ck_assert(until(w, has_closed, 0));
	ck_assert_uint_eq(w->records, 2);
	ck_assert_uint_eq(cuts(w, MU_TCP_CUT_LENGTH), 1);
	world_close(w);
}
END_TEST

/* Good records before a bad length are handed over, nothing after it. */
START_TEST(what_stands_before_a_bad_length_counts)
{
	struct world *w = world_open();
	struct mu_buf b = { 0 };

	frame(&b, "good one", 8);
	mu_buf_put(&b, "\xff\xff\xff\xff", 4);
	frame(&b, "not heard", 9);
	w->fd = raw_dial(w->port);
	ck_assert(raw_send(w->fd, b.data, b.len));
	ck_assert(until(w, has_closed, 0));
	expect_text(w, "good one ");
	mu_buf_fini(&b);
	world_close(w);
}
END_TEST

START_TEST(a_turn_reads_a_share_of_each_link)
{
	struct world *w = world_open();
	struct mu_buf b = { 0 };
	unsigned i;

	for (i = 0; i < 20000; i++)
		frame(&b, "12345678", 8);
	w->fd = raw_dial(w->port);
	fcntl(w->fd, F_SETFL, O_NONBLOCK);
	i = 0;
	while (b.len) {
		const ssize_t n = send(w->fd, b.data, b.len, MSG_NOSIGNAL);

		if (n > 0)
			mu_buf_drop(&b, (size_t)n);
		ck_assert(until(w, has_records, ++i));
	}
	ck_assert(until(w, has_records, 20000));
	ck_assert_uint_le(w->turn_records_max, MU_TCP_READ_MAX / 12 + 1);
	ck_assert_uint_ge(w->turn_records_max, 100);
	mu_buf_fini(&b);
	world_close(w);
}
END_TEST

/* ---- words ---------------------------------------------------------------------------- */

START_TEST(rule4_a_word_is_answered_and_the_link_closed_without_a_reset)
{
	struct world *w = world_open();

	w->fd = raw_dial(w->port);
	ck_assert(raw_send(w->fd, "word and then more", 18));
	ck_assert(until(w, has_got, 4));
	ck_assert_mem_eq(w->got.data, "word", 4);
	ck_assert(until(w, has_closed, 0));
	ck_assert(!w->reset);
	ck_assert_uint_eq(w->words, 1);
	ck_assert_uint_eq(w->lost, 1);
	ck_assert_uint_eq(w->records, 0);
	close(w->fd);
	w->fd = -1;
	ck_assert(until(w, has_links, 0));
	world_close(w);
}
END_TEST

START_TEST(rule4_a_word_may_be_split_at_every_byte)
{
	struct world *w = world_open();
	const char *bytes = "long12345678";
	unsigned i, sent = 0;

	for (i = 1; i < MU_TCP_WORD_MAX; i++) {
		w->fd = raw_dial(w->port);
		w->closed = false;
		mu_buf_reset(&w->got);
		ck_assert(raw_send(w->fd, bytes, i));
		sent += i;
		ck_assert(until(w, has_bytes, sent));
		ck_assert(raw_send(w->fd, bytes + i, MU_TCP_WORD_MAX - i));
		sent += MU_TCP_WORD_MAX - i;
		ck_assert(until(w, has_closed, 0));
		ck_assert_uint_eq(w->got.len, MU_TCP_WORD_MAX);
		ck_assert_mem_eq(w->got.data, bytes, MU_TCP_WORD_MAX);
		close(w->fd);
		w->fd = -1;
	}
	world_close(w);
}
END_TEST

START_TEST(rule4_after_a_record_a_word_is_a_length)
{
	struct world *w = world_open();

	dial_in(w);
	ck_assert(raw_send(w->fd, "word", 4));
	ck_assert(until(w, has_closed, 0));
	ck_assert_uint_eq(w->words, 0);
	ck_assert_uint_eq(cuts(w, MU_TCP_CUT_LENGTH), 1);
	world_close(w);
}
END_TEST

/* A peer that never closes does not keep us. */
START_TEST(after_our_last_words_the_peer_has_a_moment_to_close)
{
	struct world *w = world_open();
	const long begun = now_ms();

	w->fd = raw_dial(w->port);
	ck_assert(raw_send(w->fd, "word", 4));
	ck_assert(until(w, has_closed, 0));
	ck_assert(until(w, has_links, 0));
	ck_assert_int_ge(now_ms() - begun, MU_TCP_LINGER_MS - 100);
	world_close(w);
}
END_TEST

/* ---- the end of a link ------------------------------------------------------------------ */

START_TEST(a_peer_that_leaves_is_lost)
{
	struct world *w = world_open();

	dial_in(w);
	close(w->fd);
	w->fd = -1;
	ck_assert(until(w, has_lost, 1));
	ck_assert_uint_eq(w->last, w->link[0]);
	ck_assert_uint_eq(cuts(w, MU_TCP_CUT_LEFT), 1);
	ck_assert(until(w, has_links, 0));
	/* what is sent to it goes nowhere */
	mu_tcp_send(w->t, w->link[0], "\0\0\0\1x", 5);
	mu_tcp_end(w->t, w->link[0]);
	world_close(w);
}
END_TEST

START_TEST(a_reset_is_a_loss)
{
	const struct linger hard = { 1, 0 };
	struct world *w = world_open();

	dial_in(w);
	setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(w->fd);
	w->fd = -1;
	ck_assert(until(w, has_lost, 1));
	ck_assert_uint_eq(cuts(w, MU_TCP_CUT_GONE), 1);
	world_close(w);
}
END_TEST

START_TEST(a_link_ends_after_what_was_sent_to_it)
{
	struct world *w = world_open();
	struct mu_buf b = { 0 };

	w->echo = true;
	w->fd = raw_dial(w->port);
	frame(&b, "end this", 8);
	frame(&b, "not heard", 9); /* unread bytes make no reset of it */
	ck_assert(raw_send(w->fd, b.data, b.len));
	ck_assert(until(w, has_closed, 0));
	ck_assert(!w->reset);
	ck_assert_uint_eq(w->got.len, 12);
	ck_assert_uint_eq(w->records, 1);
	ck_assert_uint_eq(w->lost, 0); /* it was the owner's own doing */
	mu_buf_fini(&b);
	world_close(w);
}
END_TEST

START_TEST(a_link_that_is_refused_is_closed_and_counted)
{
	struct world *w = world_open();

	w->refuse = true;
	w->fd = raw_dial(w->port);
	ck_assert(until(w, has_closed, 0));
	ck_assert_uint_eq(w->lost, 0);
	ck_assert_uint_eq(cuts(w, MU_TCP_CUT_TOO_MANY), 1);
	ck_assert(until(w, has_links, 0));
	world_close(w);
}
END_TEST

START_TEST(rule80_links_of_one_address_are_counted)
{
	struct mu_tcp_limits l = limits();
	struct world *w = world_open();
	int fd[4], i;

	l.links_per_address_max = 3;
	mu_tcp_configure(w->t, &l);
	for (i = 0; i < 3; i++)
		fd[i] = raw_dial(w->port);
	ck_assert(until(w, has_opened, 3));
	w->fd = raw_dial(w->port);
	ck_assert(until(w, has_closed, 0));
	ck_assert_uint_eq(cuts(w, MU_TCP_CUT_CROWDED), 1);
	ck_assert_uint_eq(w->opened, 3);
	close(fd[0]);
	ck_assert(until(w, has_links, 2));
	fd[0] = raw_dial(w->port);
	ck_assert(until(w, has_opened, 4));
	for (i = 0; i < 3; i++)
		close(fd[i]);
	ck_assert(until(w, has_links, 0));
	world_close(w);
}
END_TEST

START_TEST(more_connects_than_a_turn_takes_are_all_let_in)
{
	static int fd[LINKS];
	struct world *w = world_open();
	unsigned i;

	w->echo = true;
	for (i = 0; i < LINKS; i++)
		fd[i] = raw_dial(w->port);
	ck_assert(until(w, has_opened, LINKS));
	ck_assert(until(w, has_links, LINKS));
	w->fd = fd[LINKS - 1];
	say(w->fd, "still here");
	expect_got(w, "still here");
	for (i = 0; i + 1 < LINKS; i++)
		close(fd[i]);
	ck_assert(until(w, has_links, 1));
	world_close(w);
}
END_TEST

/* ---- back-pressure ----------------------------------------------------------------------- */

/* Send as much as is taken; how much. */
static size_t stuff(struct world *w, const struct mu_buf *b, int fd)
{
	size_t at = 0;
	long quiet = now_ms();

	while (at < b->len && now_ms() - quiet < 200) {
		const ssize_t n = send(fd, b->data + at, b->len - at,
		                       MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			at += (size_t)n;
			quiet = now_ms();
		}
		until(w, has_records, 0);
	}
	return at;
}

START_TEST(rule92_who_does_not_read_is_not_read)
{
	static char data[PACKET_MAX];
	struct world *w = world_open();
	struct mu_buf b = { 0 };
	struct mu_tcp_stats s;
	int fd = raw_dial(w->port);
	size_t i, sent;

	w->echo = true;
	for (i = 0; i < 8000; i++) {
		memcpy(data, &i, sizeof i);
		frame(&b, data, sizeof data); /* 32 MiB in all */
	}
	sent = stuff(w, &b, fd);
	ck_assert_uint_lt(sent, b.len);
	mu_tcp_stats(w->t, &s);
	ck_assert_uint_eq(s.paused, 1);
	ck_assert_uint_eq(s.waiting, 1);
	ck_assert_uint_le(s.waiting_bytes, MU_TCP_QUIET_BYTES + PACKET_MAX + 4);
	/* meanwhile somebody else is served */
	w->fd = raw_dial(w->port);
	say(w->fd, "well behaved");
	expect_got(w, "well behaved");
	close(w->fd);
	/* and when it reads, it gets all of it, in order */
	w->fd = fd;
	w->closed = false;
	while (w->got.len < b.len) {
		if (sent < b.len) {
			const ssize_t n = send(fd, b.data + sent, b.len - sent,
			                       MSG_DONTWAIT | MSG_NOSIGNAL);

			sent += n > 0 ? (size_t)n : 0;
		}
		ck_assert(until(w, has_got, (unsigned)w->got.len + 1));
		ck_assert(!w->closed);
	}
	ck_assert_uint_eq(w->got.len, b.len);
	ck_assert_mem_eq(w->got.data, b.data, b.len);
	mu_tcp_stats(w->t, &s);
	ck_assert_uint_eq(s.waiting, 0);
	mu_buf_fini(&b);
	world_close(w);
}
END_TEST

START_TEST(rule92_who_takes_nothing_for_too_long_is_cut)
{
	static char data[PACKET_MAX];
	struct mu_tcp_limits l = limits();
	struct world *w = world_open();
	struct mu_buf b = { 0 };
	int fd = raw_dial(w->port);
	size_t i;

	w->echo = true;
	for (i = 0; i < 20000; i++)
		frame(&b, data, sizeof data);
	stuff(w, &b, fd);
	ck_assert_uint_eq(w->lost, 0);
	l.outbox_stall_ms = 50;
	mu_tcp_configure(w->t, &l);
	ck_assert(until(w, has_lost, 1));
	ck_assert_uint_eq(cuts(w, MU_TCP_CUT_STALLED), 1);
	ck_assert(until(w, has_links, 0));
	mu_buf_fini(&b);
	close(fd);
	world_close(w);
}
END_TEST

START_TEST(rule92_an_outbox_over_its_limit_ends_the_link)
{
	static char data[65536];
	struct world *w = world_open();
	struct mu_buf b = { 0 };
	unsigned i;

	w->fd = raw_dial(w->port);
	say(w->fd, "hello, hello");
	ck_assert(until(w, has_records, 1));
	frame(&b, data, sizeof data);
	for (i = 0; i < 1000 && w->lost == 0; i++) {
		close(dup(0)); /* nothing of the loop runs in between */
		mu_tcp_send(w->t, w->link[0], b.data, b.len);
		mu_tcp_flush(w->t);
	}
	ck_assert_uint_eq(w->lost, 1);
	ck_assert_uint_eq(cuts(w, MU_TCP_CUT_OVERFLOW), 1);
	mu_buf_fini(&b);
	world_close(w);
}
END_TEST

START_TEST(rule80_what_the_owner_does_not_take_is_offered_again)
{
	struct world *w = world_open();
	struct mu_buf b = { 0 };
	unsigned i;
	char text[16];

	dial_in(w);
	w->deaf = true;
	for (i = 0; i < 100; i++) {
		snprintf(text, sizeof text, "record%02u", i);
		frame(&b, text, 8);
	}
	ck_assert(raw_send(w->fd, b.data, b.len));
	ck_assert(until(w, has_paused, 1));
	ck_assert_uint_eq(w->records, 1);
	w->deaf = false;
	mu_buf_reset(&w->text);
	ck_assert(until(w, has_records, 101));
	for (i = 0; i < 100; i++) {
		snprintf(text, sizeof text, "record%02u", i);
		ck_assert_mem_eq(w->text.data + 9 * i, text, 8);
	}
	/* and it is read again */
	say(w->fd, "one more");
	ck_assert(until(w, has_records, 102));
	mu_buf_fini(&b);
	world_close(w);
}
END_TEST

START_TEST(a_held_link_may_leave)
{
	struct world *w = world_open();

	dial_in(w);
	w->deaf = true;
	say(w->fd, "not taken");
	ck_assert(until(w, has_paused, 1));
	mu_tcp_end(w->t, w->link[0]);
	ck_assert(until(w, has_closed, 0));
	ck_assert_uint_eq(w->records, 1);
	world_close(w);
}
END_TEST

/* ---- fan-out -------------------------------------------------------------------------------- */

static const size_t fanout_sizes[] = { 20, 1023, 1024, 60000 };

START_TEST(a_fanout_reaches_all_in_order_and_ignores_what_is_not_ours)
{
	static char data[60000];
	struct world *w = world_open();
	uint32_t links[22];
	struct mu_buf small = { 0 }, big = { 0 }, wanted = { 0 };
	int fd[20], i;

	for (i = 0; i < 20; i++)
		fd[i] = raw_dial(w->port);
	ck_assert(until(w, has_opened, 20));
	memcpy(links, w->link, sizeof(uint32_t) * 20);
	links[20] = 7; /* of the other carrier */
	links[21] = MU_LINK_TCP | 999999;
	memset(data, 'x', sizeof data);
	frame(&small, "a reply", 7);
	frame(&big, data, fanout_sizes[_i]);
	for (i = 0; i < 20; i++)
		mu_tcp_send(w->t, links[i], small.data, small.len);
	mu_tcp_fanout(w->t, links, 22, big.data, big.len);
	mu_tcp_fanout(w->t, links, 22, small.data, small.len);
	mu_buf_put(&wanted, small.data, small.len);
	mu_buf_put(&wanted, big.data, big.len);
	mu_buf_put(&wanted, small.data, small.len);
	for (i = 0; i < 20; i++) {
		w->fd = fd[i];
		mu_buf_reset(&w->got);
		ck_assert(until(w, has_got, (unsigned)wanted.len));
		ck_assert_uint_eq(w->got.len, wanted.len);
		ck_assert_mem_eq(w->got.data, wanted.data, wanted.len);
		close(fd[i]);
	}
	w->fd = -1;
	mu_buf_fini(&small);
	mu_buf_fini(&big);
	mu_buf_fini(&wanted);
	world_close(w);
}
END_TEST

/* Shared bytes live until the last of them has read; closing lets go of all. */
START_TEST(shared_bytes_outlive_a_receiver_that_does_not_read)
{
	static char data[200000];
	struct world *w = world_open();
	struct mu_buf b = { 0 };
	uint32_t links[2];
	int slow = raw_dial(w->port), i;

	ck_assert(until(w, has_opened, 1));
	w->fd = raw_dial(w->port);
	ck_assert(until(w, has_opened, 2));
	memcpy(links, w->link, sizeof links);
	frame(&b, data, sizeof data);
	for (i = 0; i < 4; i++) {
		mu_tcp_fanout(w->t, links, 2, b.data, b.len);
		ck_assert(
			until(w, has_got, (unsigned)b.len * (unsigned)(i + 1)));
	}
	world_close(w);
	close(slow);
	mu_buf_fini(&b);
}
END_TEST

/* ---- addresses ------------------------------------------------------------------------------ */

static const struct {
	const char *address;
	int rc;
} addresses[] = {
	{ "127.0.0.1:*", 0 },          { "localhost:*", 0 },
	{ "127.0.0.1", MU_EINVAL },    { "127.0.0.1:", MU_EINVAL },
	{ "127.0.0.1:0", MU_EINVAL },  { "127.0.0.1:65536", MU_EINVAL },
	{ ":2181", MU_EINVAL },        { "", MU_EINVAL },
	{ "[::1:2181", MU_EINVAL },    { "127.0.0.1:2181x", MU_EINVAL },
	{ "example:2181", MU_EINVAL }, { "127.0.0.1:-1", MU_EINVAL },
	{ "192.0.2.1:*", MU_EIO },
};

START_TEST(an_address_is_taken_or_refused_with_a_sentence)
{
	struct world *w = world_open();
	const char *actual = NULL;
	int rc;

	err.msg[0] = '\0';
	rc = mu_tcp_listen(w->t, addresses[_i].address, &actual, &err);
	ck_assert_int_eq(rc, addresses[_i].rc);
	if (rc)
		ck_assert_ptr_nonnull(strstr(err.msg, addresses[_i].address));
	else
		ck_assert_int_eq(strncmp(actual, "127.0.0.1:", 10), 0);
	world_close(w);
}
END_TEST

START_TEST(a_port_in_use_is_refused)
{
	struct world *w = world_open();
	const char *actual;
	char text[32];

	snprintf(text, sizeof text, "127.0.0.1:%d", w->port);
	ck_assert_int_eq(mu_tcp_listen(w->t, text, &actual, &err), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "in use"));
	world_close(w);
}
END_TEST

/* ---- numbers ----------------------------------------------------------------------------------- */

static struct mu_tcp_link_info seen;
static unsigned visited;

static void note(void *arg, const struct mu_tcp_link_info *info)
{
	(void)arg;
	visited++;
	seen = *info;
}

START_TEST(what_went_in_and_out_is_counted)
{
	struct world *w = world_open();
	struct mu_tcp_stats s;
	struct mu_buf b = { 0 };

	w->echo = true;
	dial_in(w);
	ck_assert(until(w, has_got, 16));
	mu_buf_reset(&w->got);
	mu_put_request_header(&b, 77, MU_OP_GET_DATA);
	mu_put_long(&b, 0x1234); /* echoed, where a reply has its zxid */
	mu_buf_cut(&b, 0);
	mu_put_int(&b, 77);
	mu_put_long(&b, 0x400001234);
	{
		struct mu_buf f = { 0 };

		frame(&f, b.data, b.len);
		ck_assert(raw_send(w->fd, f.data, f.len));
		mu_buf_fini(&f);
	}
	ck_assert(until(w, has_got, 16));
	mu_tcp_stats(w->t, &s);
	ck_assert_uint_eq(s.links, 1);
	ck_assert_uint_eq(s.records_in, 2);
	ck_assert_uint_eq(s.records_out, 2);
	ck_assert_uint_eq(s.bytes_in, 16 + 16);
	ck_assert_uint_eq(s.bytes_out, 16 + 16);
	ck_assert_uint_eq(s.latency_count, 2);
	mu_tcp_each(w->t, note, NULL);
	ck_assert_uint_eq(visited, 1);
	ck_assert_uint_eq(seen.link, w->link[0]);
	ck_assert(seen.greeted);
	ck_assert_uint_eq(seen.count->records_in, 2);
	ck_assert_int_eq(seen.count->last_xid, 77);
	ck_assert_int_eq(seen.count->last_zxid, 0x400001234);
	mu_tcp_stats_reset(w->t);
	mu_tcp_links_reset(w->t);
	mu_tcp_stats(w->t, &s);
	ck_assert_uint_eq(s.links, 1);
	ck_assert_uint_eq(s.records_in, 0);
	ck_assert_uint_eq(seen.count->records_in, 0);
	mu_buf_fini(&b);
	world_close(w);
}
END_TEST

static void add_reading(TCase *c)
{
	tcase_add_test(c, a_record_comes_without_its_length_and_is_answered);
	tcase_add_test(c, records_may_be_split_at_every_byte);
	tcase_add_test(
		c, rule3_a_record_of_the_limit_is_taken_and_one_more_is_not);
	tcase_add_test(
		c, rule96_a_record_of_eight_bytes_is_taken_and_of_seven_is_not);
	tcase_add_test(c, what_stands_before_a_bad_length_counts);
	tcase_add_test(c, a_turn_reads_a_share_of_each_link);
	tcase_add_test(
		c,
		rule4_a_word_is_answered_and_the_link_closed_without_a_reset);
	tcase_add_test(c, rule4_a_word_may_be_split_at_every_byte);
	tcase_add_test(c, rule4_after_a_record_a_word_is_a_length);
	tcase_add_test(c, after_our_last_words_the_peer_has_a_moment_to_close);
}

static void add_links(TCase *c)
{
	tcase_add_test(c, a_peer_that_leaves_is_lost);
	tcase_add_test(c, a_reset_is_a_loss);
	tcase_add_test(c, a_link_ends_after_what_was_sent_to_it);
	tcase_add_test(c, a_link_that_is_refused_is_closed_and_counted);
	tcase_add_test(c, rule80_links_of_one_address_are_counted);
	tcase_add_test(c, more_connects_than_a_turn_takes_are_all_let_in);
	tcase_add_test(c, rule92_who_does_not_read_is_not_read);
	tcase_add_test(c, rule92_who_takes_nothing_for_too_long_is_cut);
	tcase_add_test(c, rule92_an_outbox_over_its_limit_ends_the_link);
	tcase_add_test(c, rule80_what_the_owner_does_not_take_is_offered_again);
	tcase_add_test(c, a_held_link_may_leave);
	tcase_add_loop_test(
		c, a_fanout_reaches_all_in_order_and_ignores_what_is_not_ours,
		0, sizeof fanout_sizes / sizeof *fanout_sizes);
	tcase_add_test(c, shared_bytes_outlive_a_receiver_that_does_not_read);
	tcase_add_loop_test(c, an_address_is_taken_or_refused_with_a_sentence,
	                    0, sizeof addresses / sizeof *addresses);
	tcase_add_test(c, a_port_in_use_is_refused);
	tcase_add_test(c, what_went_in_and_out_is_counted);
}

int main(void)
{
	Suite *s = suite_create("tcp");
	TCase *c = tcase_create("tcp");
	SRunner *r;
	int failed;

	tcase_set_timeout(c, 60);
	add_reading(c);
	add_links(c);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
