/*
 * The TCP carrier with no memory: each of its allocations is refused in turn, on
 * real sockets, in everything it does. Whatever fails: nothing leaks, who was not
 * served is closed rather than left hanging, and somebody else is served.
 *
 * The clients and the owner use no memory of the carrier's allocator, so that it
 * is the carrier that is refused.
 */
#include "err.h"
#include "fault.h"
#include "jute.h"
#include "log.h"
#include "loop.h"
#include "program.h"
#include "raw_tcp.h"
#include "tcp.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE_MS 20000
#define SWEEP_MAX 200u
#define CHUNK (1u << 20)
#define CHUNKS_MAX 512u
#define ECHO_MAX 128u

struct client {
	int fd; /* -1: not there, or closed */
	size_t got;
	bool closed;
	char last[64]; /* the last bytes that came */
};

struct world {
	struct mu_loop *loop;
	struct mu_tcp *t;
	struct mu_after *after;
	int port;
	uint32_t link[8]; /* in the order in which they came */
	unsigned opened, records, lost, words;
	struct client client[3];
	bool (*is)(struct world *w);
	unsigned least;
	bool came;
	long end;
};
/* The survivor is there before memory is out, the victim comes after. */
enum { SURVIVOR, VICTIM, OTHER };

static struct world world;
static struct mu_err err;
static uint8_t chunk[4 + CHUNK];

static void put_length(uint8_t *frame, size_t len)
{
	frame[0] = (uint8_t)(len >> 24);
	frame[1] = (uint8_t)(len >> 16);
	frame[2] = (uint8_t)(len >> 8);
	frame[3] = (uint8_t)len;
}

/* ---- the owner -------------------------------------------------------------------- */

static int on_open(void *arg, uint32_t link, const char *origin)
{
	struct world *w = arg;

	(void)origin;
	w->link[w->opened++ % 8] = link;
	return 0;
}

static bool on_takes(void *arg, uint32_t link, size_t len)
{
	(void)arg;
	(void)link;
	(void)len;
	return true;
}

static void on_record(void *arg, uint32_t link, const void *p, size_t len)
{
	struct world *w = arg;
	uint8_t echo[4 + ECHO_MAX] = { 0, 0, 0, (uint8_t)len };

	ck_assert_uint_le(len, ECHO_MAX);
	memcpy(echo + 4, p, len);
	w->records++;
	mu_tcp_send(w->t, link, echo, 4 + len);
}

static size_t on_word_len(void *arg, const uint8_t first[4])
{
	(void)arg;
	return memcmp(first, "word", 4) == 0 ? 4 : 0;
}

static void on_word(void *arg, uint32_t link, const uint8_t *p,
                    struct mu_buf *out)
{
	struct world *w = arg;

	(void)link;
	w->words++;
	mu_buf_put(out, p, 4);
}

static void on_lost(void *arg, uint32_t link)
{
	struct world *w = arg;

	(void)link;
	w->lost++;
}

/* ---- the loop --------------------------------------------------------------------- */

static void read_client(struct client *c)
{
	static char bytes[65536];
	ssize_t n;

	while (c->fd >= 0 && !c->closed) {
		n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		c->closed = n <= 0;
		if (n <= 0)
			return;
		c->got += (size_t)n;
		if ((size_t)n < sizeof c->last)
			memcpy(c->last, bytes, (size_t)n);
	}
}

static void on_turn(void *arg)
{
	struct world *w = arg;

	mu_tcp_turn(w->t);
	mu_tcp_flush(w->t);
	w->came = w->is(w);
	if (w->came || now_ms() > w->end)
		mu_loop_stop(w->loop);
	/* Not to sleep: what is waited for may come to a client of ours. */
	mu_after_set(w->after, true, true);
}

static void until(struct world *w, bool (*is)(struct world *w), unsigned least)
{
	w->is = is;
	w->least = least;
	w->end = now_ms() + DEADLINE_MS;
	mu_loop_run(w->loop);
	ck_assert_msg(w->came, "it did not come");
}

static uint32_t links(const struct world *w)
{
	struct mu_tcp_stats s;

	mu_tcp_stats(w->t, &s);
	return s.links;
}

static uint32_t waiting(const struct world *w)
{
	struct mu_tcp_stats s;

	mu_tcp_stats(w->t, &s);
	return s.waiting;
}

static bool victim_has(struct world *w)
{
	read_client(&w->client[VICTIM]);
	return w->client[VICTIM].got >= w->least || w->client[VICTIM].closed;
}

static bool survivor_has(struct world *w)
{
	read_client(&w->client[SURVIVOR]);
	return w->client[SURVIVOR].got >= w->least ||
	       w->client[SURVIVOR].closed;
}

static bool other_has(struct world *w)
{
	read_client(&w->client[OTHER]);
	return w->client[OTHER].got >= w->least || w->client[OTHER].closed;
}

static bool has_links(struct world *w)
{
	return links(w) == w->least;
}

static bool has_bytes(struct world *w)
{
	struct mu_tcp_stats s;

	mu_tcp_stats(w->t, &s);
	read_client(&w->client[VICTIM]);
	return s.bytes_in >= w->least || w->client[VICTIM].closed;
}

/* ---- the world --------------------------------------------------------------------- */

static struct mu_tcp_limits limits(uint32_t links_per_address_max)
{
	return (struct mu_tcp_limits){
		.packet_max = 4096,
		.reply_max = 2 * CHUNK,
		.outbox_max = CHUNKS_MAX * CHUNK,
		.outbox_stall_ms = 60000,
		.links_per_address_max = links_per_address_max,
	};
}

static int carrier_open(struct world *w)
{
	static const uint8_t key[16] = { 1 };
	const struct mu_tcp_limits l = limits(50);
	const struct mu_tcp_owner owner = {
		on_open, on_takes, on_record, on_word_len, on_word, on_lost, w
	};
	const char *actual;
	int rc = mu_tcp_open(w->loop, &l, key, &owner, &w->t, &err);

	if (rc)
		return rc;
	rc = mu_tcp_listen(w->t, "127.0.0.1:*", &actual, &err);
	if (rc) {
		mu_tcp_close(w->t);
		return rc;
	}
	w->port = atoi(strrchr(actual, ':') + 1);
	return 0;
}

static void loop_open(struct world *w)
{
	mu_log_open("test", MU_ERROR);
	memset(w, 0, sizeof *w);
	for (size_t i = 0; i < 3; i++)
		w->client[i].fd = -1;
	ck_assert_int_eq(mu_loop_new(&w->loop, &err), 0);
	ck_assert_int_eq(mu_after_new(w->loop, on_turn, w, &w->after), 0);
	mu_after_set(w->after, true, true);
}

static void loop_close(struct world *w)
{
	mu_after_free(w->after);
	mu_loop_free(w->loop);
	for (size_t i = 0; i < 3; i++)
		if (w->client[i].fd >= 0)
			close(w->client[i].fd);
	ck_assert_int_eq(fault_alloc_live(), 0);
}

static void dial(struct world *w, int which)
{
	w->client[which] = (struct client){ .fd = raw_dial(w->port) };
	ck_assert_int_ge(w->client[which].fd, 0);
}

static void hang_up(struct world *w, int which)
{
	if (w->client[which].fd >= 0)
		close(w->client[which].fd);
	w->client[which].fd = -1;
}

/* "is it well?" comes back, framed. */
static void is_served(struct world *w, int which, bool (*has)(struct world *w))
{
	static const char said[] = "\0\0\0\13is it well?";
	struct client *c = &w->client[which];

	c->got = 0;
	ck_assert(raw_send(c->fd, said, sizeof said - 1));
	until(w, has, sizeof said - 1);
	ck_assert(!c->closed);
	ck_assert_uint_eq(c->got, sizeof said - 1);
	ck_assert_mem_eq(c->last, said, sizeof said - 1);
}

static bool cut_for_memory(const struct world *w)
{
	struct mu_tcp_stats s;

	mu_tcp_stats(w->t, &s);
	ck_assert_uint_le(s.cut[MU_TCP_CUT_MEMORY], 1);
	return s.cut[MU_TCP_CUT_MEMORY] == 1;
}

/* ---- the sweeps --------------------------------------------------------------------- */

/* `prepare` with memory, `act` without, for as long as the k-th allocation comes
 * at all; `settle` with memory again: what must hold whether it was refused or
 * not. */
struct sweep {
	void (*prepare)(struct world *w);
	void (*act)(struct world *w);
	void (*settle)(struct world *w, bool refused);
	unsigned least; /* allocations that it is known to make */
	bool first;     /* before any other link: the survivor comes after it */
};

static void sweep(const struct sweep *s)
{
	bool refused = true;
	unsigned k;

	for (k = 0; refused; k++) {
		struct world *w = &world;

		ck_assert_uint_lt(k, SWEEP_MAX);
		loop_open(w);
		ck_assert_int_eq(carrier_open(w), 0);
		if (!s->first) {
			dial(w, SURVIVOR);
			is_served(w, SURVIVOR, survivor_has);
		}
		s->prepare(w);
		fault_alloc_at(k);
		s->act(w);
		refused = fault_alloc_off();
		s->settle(w, refused);
		is_served(w, SURVIVOR, survivor_has);
		dial(w, OTHER);
		is_served(w, OTHER, other_has);
		hang_up(w, SURVIVOR);
		hang_up(w, VICTIM);
		hang_up(w, OTHER);
		until(w, has_links, 0);
		mu_tcp_close(w->t);
		loop_close(w);
	}
	ck_assert_uint_gt(k, s->least);
}

START_TEST(a_carrier_that_has_no_memory_to_open_is_not_there)
{
	struct world *w = &world;
	bool refused = true;
	unsigned k;
	int rc;

	for (k = 0; refused; k++) {
		ck_assert_uint_lt(k, SWEEP_MAX);
		loop_open(w);
		fault_alloc_at(k);
		rc = carrier_open(w);
		refused = fault_alloc_off();
		ck_assert_int_eq(rc, refused ? MU_ENOMEM : 0);
		if (rc) {
			ck_assert(strstr(err.msg, "out of memory"));
			ck_assert_int_eq(carrier_open(w), 0);
		}
		dial(w, OTHER);
		is_served(w, OTHER, other_has);
		mu_tcp_close(w->t);
		loop_close(w);
	}
	ck_assert_uint_gt(k, 4);
}
END_TEST

static void prepare_accept(struct world *w)
{
	dial(w, VICTIM);
}

static void act_accept(struct world *w)
{
	ck_assert(raw_send(w->client[VICTIM].fd, "\0\0\0\11let me in", 4 + 9));
	until(w, victim_has, 4 + 9);
}

static void settle_accept(struct world *w, bool refused)
{
	const bool closed = w->client[VICTIM].closed;
	const struct mu_tcp_limits l = limits(closed ? 2 : 3);

	/* Who could not be taken waits, and is; else he is closed. */
	ck_assert(refused || !closed);
	ck_assert(closed == cut_for_memory(w));
	/* He does not count among those of his address. */
	mu_tcp_configure(w->t, &l);
	dial(w, SURVIVOR);
	is_served(w, SURVIVOR, survivor_has);
}

START_TEST(who_cannot_be_let_in_waits_or_is_closed)
{
	const struct sweep s = { prepare_accept, act_accept, settle_accept, 3,
		                 true };

	sweep(&s);
}
END_TEST

/* ---- reading and answering ------------------------------------------------------------ */

static void prepare_victim(struct world *w)
{
	dial(w, VICTIM);
	is_served(w, VICTIM, victim_has);
	w->client[VICTIM].got = 0;
}

/* A record in pieces: one is kept, and grows. */
static void act_pieces(struct world *w)
{
	static uint8_t record[4 + 100] = { 0, 0, 0, 100 };
	static const size_t cuts[] = { 3, 30, 99, sizeof record };
	struct mu_tcp_stats s;
	unsigned before;
	size_t at = 0;

	mu_tcp_stats(w->t, &s);
	before = (unsigned)s.bytes_in;
	for (size_t i = 0; i < 4 && !w->client[VICTIM].closed; i++) {
		raw_send(w->client[VICTIM].fd, record + at, cuts[i] - at);
		at = cuts[i];
		w->client[VICTIM].got = 0;
		until(w, has_bytes, before + (unsigned)at);
	}
	if (!w->client[VICTIM].closed)
		until(w, victim_has, sizeof record);
}

static void settle_victim(struct world *w, bool refused)
{
	ck_assert(refused || !w->client[VICTIM].closed);
	ck_assert(w->client[VICTIM].closed == cut_for_memory(w));
	ck_assert_uint_eq(w->lost, w->client[VICTIM].closed);
	if (!w->client[VICTIM].closed)
		is_served(w, VICTIM, victim_has);
}

START_TEST(what_cannot_be_kept_ends_its_link)
{
	const struct sweep s = { prepare_victim, act_pieces, settle_victim, 2,
		                 false };

	sweep(&s);
}
END_TEST

static void prepare_word(struct world *w)
{
	dial(w, VICTIM);
	until(w, has_links, 2);
}

static void act_word(struct world *w)
{
	ck_assert(raw_send(w->client[VICTIM].fd, "word", 4));
	until(w, victim_has, UINT32_MAX); /* that is: closed */
}

/* Half an answer is none. */
static void settle_word(struct world *w, bool refused)
{
	ck_assert(w->client[VICTIM].closed);
	ck_assert_uint_eq(w->words, 1);
	ck_assert_uint_eq(w->client[VICTIM].got, refused ? 0 : 4);
}

START_TEST(a_word_that_cannot_be_answered_ends_its_link)
{
	const struct sweep s = { prepare_word, act_word, settle_word, 2,
		                 false };

	sweep(&s);
}
END_TEST

/* ---- one that does not read ------------------------------------------------------------ */

static size_t stuffed; /* bytes sent to the victim */

/* Until the kernel takes no more; and behind that more, some of it in pieces that
 * others could have too. */
static void stuff(struct world *w)
{
	static uint8_t shared[4 + 5000];
	unsigned chunks;

	put_length(chunk, CHUNK);
	put_length(shared, 5000);
	stuffed = 0;
	for (chunks = 0; !waiting(w) && links(w) == 2; chunks++) {
		ck_assert_uint_lt(chunks, CHUNKS_MAX);
		mu_tcp_send(w->t, w->link[1], chunk, sizeof chunk);
		mu_tcp_flush(w->t);
		stuffed += sizeof chunk;
	}
	for (unsigned i = 0; i < 6; i++) {
		mu_tcp_fanout(w->t, &w->link[1], 1, shared, sizeof shared);
		mu_tcp_send(w->t, w->link[1], shared, sizeof shared);
		stuffed += 2 * sizeof shared;
	}
	mu_tcp_flush(w->t);
}

/* All of it, or the end. */
static void act_stuffed(struct world *w)
{
	stuff(w);
	until(w, victim_has, (unsigned)stuffed);
}

static void settle_stuffed(struct world *w, bool refused)
{
	if (!w->client[VICTIM].closed)
		ck_assert_uint_eq(w->client[VICTIM].got, stuffed);
	settle_victim(w, refused);
}

START_TEST(what_cannot_wait_for_a_reader_ends_its_link)
{
	const struct sweep s = { prepare_victim, act_stuffed, settle_stuffed, 4,
		                 false };

	sweep(&s);
}
END_TEST

/* The carrier closes on it. */
static void act_closed(struct world *w)
{
	stuff(w);
	mu_tcp_close(w->t);
	w->t = NULL;
}

START_TEST(a_carrier_may_close_on_one_that_does_not_read)
{
	bool refused = true;
	unsigned k;

	for (k = 0; refused; k++) {
		struct world *w = &world;

		ck_assert_uint_lt(k, SWEEP_MAX);
		loop_open(w);
		ck_assert_int_eq(carrier_open(w), 0);
		dial(w, SURVIVOR);
		is_served(w, SURVIVOR, survivor_has);
		prepare_victim(w);
		fault_alloc_at(k);
		act_closed(w);
		refused = fault_alloc_off();
		loop_close(w);
	}
	ck_assert_uint_gt(k, 4);
}
END_TEST

/* ---- to many -------------------------------------------------------------------------------- */

/* Before it, something to gather, so that a share stands behind it. */
static void act_fanout(struct world *w)
{
	static uint8_t small[4 + 8] = { 0, 0, 0, 8 }, large[4 + 5000];
	const uint32_t to[] = { w->link[0], w->link[1] };

	put_length(large, 5000);
	w->client[SURVIVOR].got = 0;
	mu_tcp_fanout(w->t, to, 2, small, sizeof small);
	mu_tcp_fanout(w->t, to, 2, large, sizeof large);
	until(w, victim_has, sizeof small + sizeof large);
	until(w, survivor_has, sizeof small + sizeof large);
}

/* It may be either's memory; the other has it all. Who is left is the survivor. */
static void settle_fanout(struct world *w, bool refused)
{
	struct client *a = &w->client[SURVIVOR], *b = &w->client[VICTIM];
	const size_t all = 4 + 8 + 4 + 5000;

	ck_assert(!(a->closed && b->closed));
	ck_assert(refused || (!a->closed && !b->closed));
	ck_assert((a->closed || b->closed) == cut_for_memory(w));
	ck_assert(a->closed || a->got == all);
	ck_assert(b->closed || b->got == all);
	if (a->closed) {
		hang_up(w, SURVIVOR);
		*a = *b;
		b->fd = -1;
	}
}

START_TEST(who_cannot_be_told_with_the_others_is_closed_alone)
{
	const struct sweep s = { prepare_victim, act_fanout, settle_fanout, 4,
		                 false };

	sweep(&s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tcp_alloc");
	TCase *c = tcase_create("sweeps");
	SRunner *sr;
	int failed;

	tcase_set_timeout(c, 60);
	tcase_add_test(c, a_carrier_that_has_no_memory_to_open_is_not_there);
	tcase_add_test(c, who_cannot_be_let_in_waits_or_is_closed);
	tcase_add_test(c, what_cannot_be_kept_ends_its_link);
	tcase_add_test(c, a_word_that_cannot_be_answered_ends_its_link);
	tcase_add_test(c, what_cannot_wait_for_a_reader_ends_its_link);
	tcase_add_test(c, a_carrier_may_close_on_one_that_does_not_read);
	tcase_add_test(c, who_cannot_be_told_with_the_others_is_closed_alone);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
