/*
 * tcp_read.c - what the TCP carrier reads: bytes into records.
 *
 * Records are handed over where they were read to; only what is left of one at
 * the end of a read is kept, and grows with what comes, whatever length it
 * claims.
 */
#include "tcp_link.h"

#include "bug.h"
#include "jute.h"

#define LENGTH_BYTES 4u
#define RECORD_MIN 8u /* bytes, rule 96 */

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* ---- words ------------------------------------------------------------------------ */

/* Of the four bytes that would be a length: 0, or how many belong to a word. */
static size_t word_len(const struct mu_tlink *l, const uint8_t *p)
{
	const struct mu_tcp_owner *o = &l->t->owner;
	const size_t len = l->greeted ? 0 : o->word_len(o->arg, p);

	MU_BUG_ON(len > MU_TCP_WORD_MAX);
	return len;
}

static void answer_word(struct mu_tlink *l, const uint8_t *p)
{
	const struct mu_tcp_owner *o = &l->t->owner;
	const struct mu_tcp_out_limits limits = { SIZE_MAX, SIZE_MAX };
	struct mu_buf answer = { 0 };

	l->count.records_in++;
	l->t->stats.records_in++;
	o->lost(o->arg, l->id); /* it will never be a session */
	o->word(o->arg, l->id, p, &answer);
	if (!mu_buf_failed(&answer) && answer.len)
		mu_tcp_out_put(&l->out, &limits, answer.data, answer.len);
	mu_buf_fini(&answer);
	mu_tlink_log(l->t, l->where, l->id, MU_TCP_CUT_WORD);
	mu_tlink_end(l);
}

/* ---- records ----------------------------------------------------------------------- */

/* What the outbox holds leaves now rather than at the turn's end, so that a
 * peer which reads is not made to wait. False: the link must wait. */
static bool has_room(struct mu_tlink *l)
{
	if (l->out.bytes <= MU_TCP_QUIET_BYTES)
		return true;
	if (!l->blocked)
		mu_tlink_flush(l);
	return l->out.bytes <= MU_TCP_QUIET_BYTES;
}

static void hand_over(struct mu_tlink *l, const uint8_t *p, size_t len)
{
	struct mu_tcp *t = l->t;

	l->greeted = true;
	l->count.records_in++;
	t->stats.records_in++;
	l->count.last_xid = (int32_t)be32(p);
	l->count.last_op = (int32_t)be32(p + 4);
	if (!l->asking)
		l->asked_ms = mu_loop_now_ms(t->loop);
	l->asking = true;
	t->owner.record(t->owner.arg, l->id, p, len);
}

/* One record, or word, off the start of the bytes: how many those were; 0: it is
 * not whole, must wait, or the link has ended. */
static size_t take_one(struct mu_tlink *l, const uint8_t *p, size_t len)
{
	const struct mu_tcp_owner *o = &l->t->owner;
	size_t word;
	uint32_t n;

	if (len < LENGTH_BYTES)
		return 0;
	word = word_len(l, p);
	if (word && len >= word)
		answer_word(l, p);
	if (word)
		return 0;
	n = be32(p);
	if (n < RECORD_MIN || n > l->t->limits.packet_max) {
		mu_tlink_cut(l, MU_TCP_CUT_LENGTH);
		return 0;
	}
	if (len - LENGTH_BYTES < n)
		return 0;
	if (!has_room(l)) {
		if (l->state == MU_TLINK_OPEN)
			mu_tlink_pause(l, MU_TLINK_FULL);
		return 0;
	}
	if (!o->takes(o->arg, l->id, n)) {
		mu_tlink_pause(l, MU_TLINK_HELD);
		return 0;
	}
	hand_over(l, p + LENGTH_BYTES, n);
	return LENGTH_BYTES + n;
}

static size_t take(struct mu_tlink *l, const uint8_t *p, size_t len)
{
	size_t at = 0, n = 1;

	while (n && l->state == MU_TLINK_OPEN) {
		n = take_one(l, p + at, len - at);
		at += n;
	}
	return at;
}

/* Keep bytes for later. */
static void keep(struct mu_tlink *l, const uint8_t *p, size_t len)
{
	if (l->state != MU_TLINK_OPEN || len == 0)
		return;
	mu_buf_put(&l->in, p, len);
	if (mu_buf_failed(&l->in))
		mu_tlink_cut(l, MU_TCP_CUT_MEMORY);
}

/* Records that were kept, off their start. */
static void take_kept(struct mu_tlink *l)
{
	const size_t n = take(l, l->in.data, l->in.len);

	if (l->state != MU_TLINK_OPEN)
		return;
	mu_buf_drop(&l->in, n);
	if (l->in.len == 0)
		mu_buf_fini(&l->in);
}

/* How many bytes the record that was begun still misses. */
static size_t missing(const struct mu_tlink *l)
{
	size_t whole = LENGTH_BYTES;

	if (l->in.len >= LENGTH_BYTES) {
		whole = word_len(l, l->in.data);
		if (!whole)
			whole = LENGTH_BYTES + be32(l->in.data);
	}
	return whole - l->in.len;
}

/* ---- the socket ---------------------------------------------------------------------- */

static void take_read(struct mu_tlink *l, const uint8_t *p, size_t len)
{
	size_t n;

	while (l->in.len && len && l->pause == MU_TLINK_READ) {
		n = missing(l);
		n = n < len ? n : len;
		keep(l, p, n);
		p += n;
		len -= n;
		if (l->state != MU_TLINK_OPEN)
			return;
		take_kept(l);
		if (l->state != MU_TLINK_OPEN)
			return;
	}
	if (l->pause == MU_TLINK_READ) {
		n = take(l, p, len);
		p += n;
		len -= n;
	}
	keep(l, p, len);
}

void mu_tlink_on_data(void *arg, const uint8_t *p, size_t len)
{
	struct mu_tlink *l = arg;
	struct mu_tcp *t = l->t;

	if (l->state != MU_TLINK_OPEN)
		return; /* what comes after our last words */
	t->stats.bytes_in += len;
	take_read(l, p, len);
	/* A full share: the others come first. */
	if (l->state == MU_TLINK_OPEN && l->pause == MU_TLINK_READ &&
	    len == t->socket_owner.buffer_len)
		mu_tlink_pause(l, MU_TLINK_READY);
	mu_tlink_reap(t);
}

void mu_tlink_on_ended(void *arg, int rc)
{
	struct mu_tlink *l = arg;

	switch (l->state) {
	case MU_TLINK_OPEN:
		mu_tlink_cut(l, rc ? MU_TCP_CUT_GONE : MU_TCP_CUT_LEFT);
		mu_tlink_reap(l->t);
		break;
	case MU_TLINK_CLOSING: /* it may read on though it has said all */
		if (rc)
			mu_tlink_forget(l);
		break;
	case MU_TLINK_LINGERING:
		mu_tlink_forget(l);
		break;
	case MU_TLINK_GONE:
		break;
	}
}

size_t mu_tlink_wanted(const struct mu_tlink *l)
{
	MU_BUG_ON(l->in.len < LENGTH_BYTES);
	return be32(l->in.data);
}

void mu_tlink_resume(struct mu_tlink *l)
{
	mu_tlink_pause(l, MU_TLINK_READ);
	if (l->in.len)
		take_kept(l);
}
