/*
 * tcp_send.c - what the TCP carrier sends. It gathers in outboxes and leaves at
 * the end of the turn; what the kernel does not take waits for the socket.
 */
#include "tcp_link.h"

#include "jute.h"

#define SHARE_MIN 1024u /* bytes; smaller records are copied to each link */
#define LENGTH_BYTES 4u

static struct mu_tcp_out_limits out_limits(const struct mu_tcp *t)
{
	return (struct mu_tcp_out_limits){ t->limits.outbox_max,
		                           t->limits.reply_max };
}

static struct mu_tlink *open_link(const struct mu_tcp *t, uint32_t id)
{
	struct mu_tlink *l;

	if (!(id & MU_LINK_TCP))
		return NULL;
	l = mu_idmap_find(&t->links, id);
	return l && l->state == MU_TLINK_OPEN ? l : NULL;
}

/* ---- counting ---------------------------------------------------------------------- */

static void sample(uint64_t *count, uint64_t *sum, uint64_t *least,
                   uint64_t *most, uint64_t ms)
{
	if (*count == 0 || ms < *least)
		*least = ms;
	if (ms > *most)
		*most = ms;
	++*count;
	*sum += ms;
}

/* How many records, and the zxid in the last one's header. */
static unsigned frames(const uint8_t *p, size_t len, int64_t *zxid)
{
	const uint8_t *last = p;
	size_t at, left = len;
	struct mu_in in;
	unsigned n = 0;

	for (; left >= LENGTH_BYTES; left -= at, p += at, n++) {
		at = LENGTH_BYTES + ((size_t)p[0] << 24 | (size_t)p[1] << 16 |
		                     (size_t)p[2] << 8 | p[3]);
		if (at > left)
			break;
		last = p;
	}
	in = mu_in_of(last, (size_t)(p - last) + left);
	mu_get_long(&in); /* length and xid */
	*zxid = mu_get_long(&in);
	return n;
}

static void count_sent(struct mu_tlink *l, const void *p, size_t len)
{
	struct mu_tcp_stats *all = &l->t->stats;
	struct mu_tcp_count *c = &l->count;
	const uint64_t now = mu_loop_now_ms(l->t->loop);
	const unsigned n = frames(p, len, &c->last_zxid);

	c->records_out += n;
	all->records_out += n;
	all->bytes_out += len;
	if (!l->asking)
		return;
	l->asking = false;
	c->last_latency_ms = now - l->asked_ms;
	c->last_reply_ms = now;
	sample(&c->latency_count, &c->latency_sum_ms, &c->latency_min_ms,
	       &c->latency_max_ms, c->last_latency_ms);
	sample(&all->latency_count, &all->latency_sum_ms, &all->latency_min_ms,
	       &all->latency_max_ms, c->last_latency_ms);
}

/* ---- sending ----------------------------------------------------------------------- */

/* What is over the limit may only be over it because this turn has not sent
 * anything yet: so send, and try again. */
static bool again(struct mu_tlink *l, int rc)
{
	return rc == MU_EFULL && !l->blocked && l->out.bytes &&
	       mu_tlink_flush(l) && l->state == MU_TLINK_OPEN;
}

static void appended(struct mu_tlink *l, int rc, const void *p, size_t len)
{
	if (l->state != MU_TLINK_OPEN)
		return; /* the flush found it gone */
	if (rc) {
		mu_tlink_cut(l, rc == MU_EFULL ? MU_TCP_CUT_OVERFLOW
		                               : MU_TCP_CUT_MEMORY);
		return;
	}
	count_sent(l, p, len);
	mu_tlink_to_send(l, true);
}

void mu_tcp_send(struct mu_tcp *t, uint32_t link, const void *p, size_t len)
{
	const struct mu_tcp_out_limits limits = out_limits(t);
	struct mu_tlink *l = open_link(t, link);
	int rc;

	if (!l)
		return;
	rc = mu_tcp_out_put(&l->out, &limits, p, len);
	if (again(l, rc))
		rc = mu_tcp_out_put(&l->out, &limits, p, len);
	appended(l, rc, p, len);
}

static void share(struct mu_tlink *l, struct mu_blob *b)
{
	const struct mu_tcp_out_limits limits = out_limits(l->t);
	int rc = mu_tcp_out_share(&l->out, &limits, b);

	if (again(l, rc))
		rc = mu_tcp_out_share(&l->out, &limits, b);
	appended(l, rc, b->bytes, b->len);
}

void mu_tcp_fanout(struct mu_tcp *t, const uint32_t *links, size_t count,
                   const void *p, size_t len)
{
	struct mu_blob *one = NULL;
	struct mu_tlink *l;
	size_t i;

	if (t->stats.links == 0)
		return;
	if (len >= SHARE_MIN)
		one = mu_blob_new(p, len); /* none: each gets a copy */
	for (i = 0; i < count; i++) {
		if (!one) {
			mu_tcp_send(t, links[i], p, len);
			continue;
		}
		l = open_link(t, links[i]);
		if (l)
			share(l, one);
	}
	mu_blob_let_go(one);
}

bool mu_tcp_is_busy(const struct mu_tcp *t, uint32_t link)
{
	const struct mu_tlink *l = open_link(t, link);

	return l && l->out.bytes > t->limits.outbox_max / 2;
}

void mu_tcp_end(struct mu_tcp *t, uint32_t link)
{
	struct mu_tlink *l = open_link(t, link);

	if (l)
		mu_tlink_end(l);
}

/* ---- writing ------------------------------------------------------------------------ */

/* All has left. */
static void sent_all(struct mu_tlink *l)
{
	mu_tlink_to_send(l, false);
	if (l->state != MU_TLINK_CLOSING)
		return;
	mu_buf_fini(&l->in);
	mu_tcpsock_finish(l->socket);
	l->state = MU_TLINK_LINGERING;
	l->stuck_ms = mu_loop_now_ms(l->t->loop);
	TAILQ_INSERT_TAIL(&l->t->lingering, l, on_send);
	mu_tlink_pause(l, MU_TLINK_READ);
}

/* Its outbox has emptied enough to read what it asks for next. */
static void unpause(struct mu_tlink *l)
{
	if (l->state == MU_TLINK_OPEN && l->pause == MU_TLINK_FULL &&
	    l->out.bytes <= MU_TCP_QUIET_BYTES / 2)
		mu_tlink_pause(l, MU_TLINK_READY);
}

/* Only marks: it is called from within mu_tcp_send. */
bool mu_tlink_flush(struct mu_tlink *l)
{
	const int rc = mu_tcp_out_flush(&l->out, l->socket);

	if (rc == 0)
		mu_tlink_to_send(l, l->state == MU_TLINK_CLOSING);
	else if (rc == MU_EAGAIN)
		mu_tlink_block(l, true);
	else if (l->state == MU_TLINK_OPEN)
		mu_tlink_cut(l, rc == MU_EGONE ? MU_TCP_CUT_GONE
		                               : MU_TCP_CUT_MEMORY);
	return rc == 0 || rc == MU_EAGAIN;
}

static void flush_link(struct mu_tlink *l)
{
	const bool good = mu_tlink_flush(l);

	if (!good && l->state == MU_TLINK_CLOSING)
		mu_tlink_forget(l);
	else if (good && !l->blocked)
		sent_all(l);
	if (good)
		unpause(l);
}

/* What the owner did not take, he may take now. */
static void release_held(struct mu_tcp *t)
{
	struct mu_tlink *l, *next;

	for (l = TAILQ_FIRST(&t->held); l; l = next) {
		next = TAILQ_NEXT(l, on_pause);
		if (t->owner.takes(t->owner.arg, l->id, mu_tlink_wanted(l)))
			mu_tlink_pause(l, MU_TLINK_READY);
	}
}

void mu_tcp_flush(struct mu_tcp *t)
{
	struct mu_tlink *l;

	mu_tlink_reap(t);
	release_held(t);
	while ((l = TAILQ_FIRST(&t->to_send))) {
		flush_link(l);
		/* Telling the owner of one that has gone can make more. */
		mu_tlink_reap(t);
	}
}

void mu_tlink_on_writable(void *arg)
{
	struct mu_tlink *l = arg;

	mu_tlink_block(l, false);
	mu_tcp_out_lent_is_gone(&l->out);
	if (l->state == MU_TLINK_GONE)
		return;
	mu_tlink_to_send(l, true); /* the turn flushes */
	unpause(l);
}

/* ---- time --------------------------------------------------------------------------- */

static void check_blocked(struct mu_tlink *l, uint64_t now)
{
	const size_t unsent = mu_tcpsock_unsent(l->socket);

	if (unsent != l->unsent)
		l->stuck_ms = now;
	l->unsent = unsent;
	if (now - l->stuck_ms < l->t->limits.outbox_stall_ms)
		return;
	if (l->state == MU_TLINK_OPEN)
		mu_tlink_cut(l, MU_TCP_CUT_STALLED);
	else if (l->state == MU_TLINK_CLOSING)
		mu_tlink_forget(l);
}

void mu_tcp_tick(struct mu_tcp *t)
{
	const uint64_t now = mu_loop_now_ms(t->loop);
	struct mu_tlink *l, *next;

	for (l = TAILQ_FIRST(&t->blocked); l; l = next) {
		next = TAILQ_NEXT(l, on_send);
		check_blocked(l, now);
	}
	for (l = TAILQ_FIRST(&t->lingering); l; l = next) {
		next = TAILQ_NEXT(l, on_send);
		if (now - l->stuck_ms >= MU_TCP_LINGER_MS)
			mu_tlink_forget(l);
	}
	mu_tlink_reap(t);
}
