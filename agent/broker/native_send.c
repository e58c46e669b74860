/*
 * native_send.c - what the native carrier sends. It gathers in outboxes and
 * leaves at the end of the turn; what libzmq does not take is parked.
 */
#include "native_link.h"

#define SHARE_MIN 1024u /* bytes; smaller records are copied to each link */

/* ---- sending ---------------------------------------------------------------------- */

static struct mu_outbox_limits outbox_limits(const struct mu_native *n)
{
	return (struct mu_outbox_limits){ n->limits.outbox_max,
		                          n->limits.reply_max };
}

static struct mu_nlink *open_link(const struct mu_native *n, uint32_t id)
{
	struct mu_nlink *l = mu_idmap_find(&n->links, id);

	return l && l->state == MU_NLINK_OPEN ? l : NULL;
}

struct target {
	struct mu_native *n;
	struct mu_zpeer peer;
};

static int send_to(void *arg, struct mu_zmsg *m)
{
	struct target *t = arg;

	t->n->look = true;
	return mu_zsock_send(t->n->socket, &t->peer, m);
}

/* Give libzmq what it takes. 0: all of it. */
static int push(struct mu_native *n, struct mu_nlink *l)
{
	struct target t = { n, mu_nlink_peer(l) };
	unsigned sent = 0;
	int rc = mu_outbox_flush(&l->out, send_to, &t, &sent);

	n->stats.messages_out += sent;
	if (sent || !l->parked)
		l->stuck_ms = n->now_ms;
	return rc;
}

/* Something was appended (0), or not. What is over the limit may only be over
 * it because this turn has not sent anything yet: so send, and try again. */
static bool again(struct mu_native *n, struct mu_nlink *l, int rc)
{
	if (rc != MU_EFULL || l->parked || l->out.bytes == 0)
		return false;
	if (push(n, l) == MU_EGONE)
		mu_outbox_fini(&l->out); /* flush finds that out again */
	return true;
}

static void appended(struct mu_native *n, struct mu_nlink *l, int rc)
{
	if (rc)
		mu_nlink_cut(n, l,
		             rc == MU_EFULL ? MU_CUT_OVERFLOW : MU_CUT_MEMORY,
		             true);
	else
		mu_nlink_wait(n, l, true);
}

void mu_native_send(struct mu_native *n, uint32_t link, const void *p,
                    size_t len)
{
	const struct mu_outbox_limits limits = outbox_limits(n);
	struct mu_nlink *l = open_link(n, link);
	int rc;

	if (!l)
		return;
	rc = mu_outbox_put(&l->out, &limits, p, len);
	if (again(n, l, rc))
		rc = mu_outbox_put(&l->out, &limits, p, len);
	appended(n, l, rc);
}

static void share(struct mu_native *n, uint32_t link, struct mu_zmsg *m)
{
	const struct mu_outbox_limits limits = outbox_limits(n);
	struct mu_nlink *l = open_link(n, link);
	int rc;

	if (!l)
		return;
	rc = mu_outbox_share(&l->out, &limits, m);
	if (again(n, l, rc))
		rc = mu_outbox_share(&l->out, &limits, m);
	appended(n, l, rc);
}

void mu_native_fanout(struct mu_native *n, const uint32_t *links, size_t count,
                      const void *p, size_t len)
{
	struct mu_zmsg one;
	bool shared = false;
	size_t i;

	mu_zmsg_init(&one);
	if (len >= SHARE_MIN)
		shared = mu_zmsg_copy_in(&one, p, len) == 0;
	for (i = 0; i < count; i++) {
		if (shared)
			share(n, links[i], &one);
		else
			mu_native_send(n, links[i], p, len);
	}
	mu_zmsg_fini(&one);
}

void mu_native_end(struct mu_native *n, uint32_t link)
{
	struct mu_nlink *l = open_link(n, link);

	if (!l)
		return;
	l->state = MU_NLINK_CLOSING;
	mu_nlink_wait(n, l, true);
}

static void park(struct mu_native *n, struct mu_nlink *l)
{
	mu_nlink_park(n, l, true);
	if (n->now_ms - l->stuck_ms < n->limits.outbox_stall_ms)
		return;
	if (l->state == MU_NLINK_OPEN)
		mu_nlink_cut(n, l, MU_CUT_STALLED, true);
	else
		mu_nlink_forget(n, l); /* even the goodbye was not taken */
}

/* Send what waits for a link; frees it if that was the end of it. */
static void flush_link(struct mu_native *n, struct mu_nlink *l)
{
	const struct mu_zpeer peer = mu_nlink_peer(l);
	int rc = push(n, l);

	if (rc == 0 && l->state == MU_NLINK_CLOSING)
		rc = mu_nlink_goodbye(n, &peer) == MU_EAGAIN ? MU_EAGAIN
		                                             : MU_EGONE;
	if (rc == 0)
		mu_nlink_wait(n, l, false);
	else if (rc == MU_EAGAIN)
		park(n, l);
	else if (l->state == MU_NLINK_OPEN)
		mu_nlink_cut(n, l, rc == MU_EGONE ? MU_CUT_GONE : MU_CUT_MEMORY,
		             rc != MU_EGONE);
	else
		mu_nlink_forget(n, l);
}

static void flush_list(struct mu_native *n, bool parked)
{
	struct mu_nlink *l, *next;

	for (l = TAILQ_FIRST(&n->waiting); l; l = next) {
		next = TAILQ_NEXT(l, on_waiting);
		if (l->parked == parked && !l->to_tell)
			flush_link(n, l);
	}
}

void mu_native_flush(struct mu_native *n, uint64_t now_ms)
{
	n->now_ms = now_ms;
	mu_nlink_reap(n);
	flush_list(n, false);
	/* Telling the owner of the cut ones can make more to send. */
	while (!TAILQ_EMPTY(&n->lost)) {
		mu_nlink_reap(n);
		flush_list(n, false);
	}
}

void mu_native_retry(struct mu_native *n, uint64_t now_ms)
{
	n->now_ms = now_ms;
	/* Hear from libzmq's thread which queues have room again. */
	mu_zsock_events(n->socket);
	n->look = true;
	flush_list(n, true);
	mu_nlink_reap(n);
}

bool mu_native_has_parked(const struct mu_native *n)
{
	return n->parked > 0;
}

bool mu_native_is_busy(const struct mu_native *n, uint32_t link)
{
	const struct mu_nlink *l = open_link(n, link);

	return l && l->out.bytes > n->limits.outbox_max / 2;
}

void mu_native_goodbye(struct mu_native *n, unsigned linger_ms)
{
	struct mu_zpeer peer;
	struct mu_nlink *l;

	TAILQ_FOREACH(l, &n->all, on_all)
	{
		peer = mu_nlink_peer(l);
		if (l->state != MU_NLINK_GONE && push(n, l) == 0)
			mu_nlink_goodbye(n, &peer);
	}
	mu_zsock_linger(n->socket, linger_ms);
}
