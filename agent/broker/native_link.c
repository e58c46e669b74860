/* native_link.c - the life of one link, and its end. See native_link.h. */
#include "native_link.h"

#include "bug.h"
#include "log.h"
#include "mem.h"
#include "proto.h"
#include "session.h"

char mu_nlink_ended;

const char *mu_cut_word(enum mu_cut reason)
{
	static const char *const words[] = {
#define MU_CUT_WORD(name, word) word,
		MU_CUT_MAP(MU_CUT_WORD)
#undef MU_CUT_WORD
	};
	return words[reason];
}

/* ---- peers ------------------------------------------------------------------ */

bool mu_nlink_peer_is_own(const struct mu_zpeer *p)
{
	return p->len == 5 && p->bytes[0] == 0;
}

uint32_t mu_nlink_peer_number(const struct mu_zpeer *p)
{
	return (uint32_t)p->bytes[1] << 24 | (uint32_t)p->bytes[2] << 16 |
	       (uint32_t)p->bytes[3] << 8 | p->bytes[4];
}

struct mu_zpeer mu_nlink_peer(const struct mu_nlink *l)
{
	return (struct mu_zpeer){
		.len = 5,
		.bytes = { 0, (uint8_t)(l->peer >> 24),
		           (uint8_t)(l->peer >> 16), (uint8_t)(l->peer >> 8),
		           (uint8_t)l->peer },
	};
}

/* Not to be heard again. libzmq never gives a counter twice, so forgetting the
 * oldest of many costs nothing worse than a goodbye more. */
void mu_nlink_remember(struct mu_native *n, uint32_t peer)
{
	uint32_t *at = &n->ended[n->ended_count % MU_NATIVE_ENDED_MAX];

	if (mu_idmap_set(&n->peers, peer, &mu_nlink_ended))
		return;
	if (n->ended_count++ >= MU_NATIVE_ENDED_MAX)
		mu_idmap_drop(&n->peers, *at);
	*at = peer;
}

int mu_nlink_goodbye(struct mu_native *n, const struct mu_zpeer *to)
{
	struct mu_zmsg empty;
	int rc;

	n->look = true;
	mu_zmsg_init(&empty);
	rc = mu_zsock_send(n->socket, to, &empty);
	mu_zmsg_fini(&empty);
	return rc;
}

void mu_nlink_turn_away(struct mu_native *n, const struct mu_zpeer *to)
{
	static const char zeroes[MU_PASSWORD_LEN];
	const struct mu_connect_response r = {
		.protocol = MU_ETHROTTLED,
		.password = { zeroes, MU_PASSWORD_LEN },
	};
	struct mu_buf record = { 0 };
	struct mu_zmsg answer;
	size_t frame = mu_frame_begin(&record);

	n->look = true;
	mu_put_connect_response(&record, &r);
	mu_frame_end(&record, frame);
	mu_zmsg_init(&answer);
	if (!mu_buf_failed(&record) &&
	    mu_zmsg_copy_in(&answer, record.data, record.len) == 0)
		mu_zsock_send(n->socket, to, &answer);
	mu_zmsg_fini(&answer);
	mu_buf_fini(&record);
}

/* ---- ending links -------------------------------------------------------------- */

/* Peers make these lines, so there are only so many a second. */
void mu_nlink_log(struct mu_native *n, const char *origin, uint32_t link,
                  enum mu_cut reason)
{
	const bool usual = reason == MU_CUT_LEFT || reason == MU_CUT_GONE;

	n->stats.cut[reason]++;
	if (usual) {
		mu_log(MU_DEBUG, MSG("link ended"), KI("link", link),
		       KS("from", origin), KS("reason", mu_cut_word(reason)));
		return;
	}
	if (!mu_line_rate_take(&n->log_lines, n->now_ms))
		return;
	mu_log(MU_WARN, MSG("link cut"), KI("link", link), KS("from", origin),
	       KS("reason", mu_cut_word(reason)),
	       KI("unsaid", n->log_lines.unsaid));
	n->log_lines.unsaid = 0;
}

void mu_nlink_park(struct mu_native *n, struct mu_nlink *l, bool parked)
{
	if (parked && !l->parked)
		n->parked++;
	if (!parked && l->parked)
		n->parked--;
	l->parked = parked;
}

void mu_nlink_wait(struct mu_native *n, struct mu_nlink *l, bool waiting)
{
	if (waiting && !l->waiting)
		TAILQ_INSERT_TAIL(&n->waiting, l, on_waiting);
	if (!waiting && l->waiting)
		TAILQ_REMOVE(&n->waiting, l, on_waiting);
	if (!waiting)
		mu_nlink_park(n, l, false);
	l->waiting = waiting;
}

void mu_nlink_forget(struct mu_native *n, struct mu_nlink *l)
{
	MU_BUG_ON(l->to_tell);
	mu_nlink_wait(n, l, false);
	mu_outbox_fini(&l->out);
	mu_idmap_drop(&n->links, l->id);
	mu_nlink_remember(n, l->peer);
	TAILQ_REMOVE(&n->all, l, on_all);
	n->stats.links--;
	mu_free(l);
}

/* The carrier ends an open link: the owner hears of it in mu_nlink_reap(). */
void mu_nlink_cut(struct mu_native *n, struct mu_nlink *l, enum mu_cut reason,
                  bool goodbye)
{
	MU_BUG_ON(l->state != MU_NLINK_OPEN);
	mu_nlink_log(n, l->origin, l->id, reason);
	mu_outbox_fini(&l->out);
	l->state = goodbye ? MU_NLINK_CLOSING : MU_NLINK_GONE;
	l->stuck_ms = n->now_ms;
	mu_nlink_wait(n, l, goodbye);
	l->to_tell = true;
	TAILQ_INSERT_TAIL(&n->lost, l, on_lost);
}

void mu_nlink_reap(struct mu_native *n)
{
	struct mu_nlink *l;

	while ((l = TAILQ_FIRST(&n->lost))) {
		TAILQ_REMOVE(&n->lost, l, on_lost);
		l->to_tell = false;
		n->owner.lost(n->owner.arg, l->id);
		if (l->state == MU_NLINK_GONE)
			mu_nlink_forget(n, l);
	}
}
