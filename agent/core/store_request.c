/* A record on a link whose session is up: what kind of request it is, and
 * whether its answer must wait for others. */
#include "store_impl.h"

#include "mem.h"

/* Past outstanding_max requests are refused in their turn, which costs an entry
 * each; past this many times as much the link is cut. */
#define FLOOD_FACTOR 8u

/* Known, and refused: one broker has no members to configure (rule 100), only
 * the broker itself deletes containers, and there is no SASL. The link is kept,
 * as ZooKeeper keeps it where it has something not enabled. */
static bool is_refused(int32_t op)
{
	return op == MU_OP_RECONFIG || op == MU_OP_DELETE_CONTAINER ||
	       op == MU_OP_SASL;
}

/* Ours, and asked by who did not ask for them: as unknown as to ZooKeeper. */
static bool is_ours_only(const struct mu_peer *p, int32_t op)
{
	return !p->wants_features &&
	       (op == MU_OP_SUBSCRIBE || op == MU_OP_UNSUBSCRIBE);
}

/* ---- replies ---- */

void mu_reply(struct mu_store *s, struct mu_peer *p, int32_t xid, int64_t zxid,
              int err, const struct mu_buf *body)
{
	size_t mark = mu_fx_begin(&s->fx);

	mu_put_reply_header(&s->fx.bytes, xid, zxid, err);
	if (body && !err)
		mu_buf_put(&s->fx.bytes, body->data, body->len);
	if (mu_fx_send(&s->fx, mark, p->number)) {
		mu_peer_end(s, p, MU_CLOSE_MEMORY);
		return;
	}
	s->stats.replies++;
}

void mu_reply_in_turn(struct mu_store *s, struct mu_peer *p, int32_t xid,
                      int err, bool goodbye)
{
	enum mu_entry_kind kind = goodbye ? MU_ENTRY_GOODBYE : MU_ENTRY_ERROR;
	struct mu_entry *e;

	if (!p->head) {
		mu_reply(s, p, xid, goodbye ? -1 : s->zxid, err, NULL);
		if (goodbye)
			mu_peer_end(s, p, MU_CLOSE_UNKNOWN_OP);
		return;
	}
	e = mu_entry_new(kind, xid, 0, NULL, 0);
	if (!e) {
		mu_peer_end(s, p, MU_CLOSE_MEMORY);
		return;
	}
	e->err = err;
	p->last_words = goodbye;
	mu_peer_push(s, p, e, 0);
}

/* ---- what must not go on ---- */

static bool is_flood(const struct mu_store *s, const struct mu_peer *p)
{
	return p->entries / FLOOD_FACTOR >= s->config.outstanding_max;
}

void mu_request_raw(struct mu_store *s, struct mu_peer *p,
                    enum mu_entry_kind kind, const void *record, size_t len)
{
	struct mu_entry *e;

	if (mu_link_is_full(s, p, len)) {
		mu_peer_end(s, p, MU_CLOSE_FLOODED);
		return;
	}
	e = mu_entry_new(kind, 0, 0, record, len);
	if (!e) {
		mu_peer_end(s, p, MU_CLOSE_MEMORY);
		return;
	}
	mu_peer_push(s, p, e, 0);
}

/* ---- kinds ---- */

/* A read waits for the session's own writes, and sync for everybody's. */
static void read_request(struct mu_store *s, struct mu_peer *p,
                         const struct mu_request_header *h,
                         const struct mu_in *in)
{
	uint64_t wait = h->op == MU_OP_SYNC ? s->logged : p->session->logged;
	size_t len = mu_in_left(in);
	struct mu_entry *e;

	if (!p->head && wait <= s->applied) {
		mu_read(s, p, h, *in);
		return;
	}
	if (!mu_request_admit(s, p, h->xid, len))
		return;
	e = mu_entry_new(MU_ENTRY_READ, h->xid, h->op, in->at, len);
	if (!e) {
		mu_peer_end(s, p, MU_CLOSE_MEMORY);
		return;
	}
	mu_peer_push(s, p, e, wait);
}

static void write_request(struct mu_store *s, struct mu_peer *p,
                          const struct mu_request_header *h, struct mu_in *in)
{
	struct mu_entry *e;
	uint64_t index;
	size_t from;
	int err;

	if (!mu_request_admit(s, p, h->xid, mu_in_left(in)))
		return;
	mu_log_begin(s, p, h->op, p->session->id, h->xid);
	from = s->scratch.len;
	err = mu_put_command_body(&s->scratch, h->op, in);
	if (!err && !mu_buf_failed(&s->scratch))
		err = mu_request_judge(s, p, h->op,
		                       mu_in_of(s->scratch.data + from,
		                                s->scratch.len - from));
	if (err) {
		mu_reply_in_turn(s, p, h->xid, err, false);
		return;
	}
	e = mu_entry_new(MU_ENTRY_WRITE, h->xid, h->op, NULL, 0);
	if (!e || mu_log_commit(s, h->op, p->session->id, &index)) {
		mu_free(e);
		mu_reply_in_turn(s, p, h->xid, MU_ENOMEM, false);
		return;
	}
	e->charge += s->scratch.len;
	p->session->logged = index;
	mu_peer_push(s, p, e, index);
}

static void close_request(struct mu_store *s, struct mu_peer *p,
                          const struct mu_request_header *h)
{
	struct mu_entry *e =
		mu_entry_new(MU_ENTRY_WRITE, h->xid, h->op, NULL, 0);

	if (!e ||
	    mu_session_log_close(s, p, p->session, h->xid, MU_CAUSE_CLIENT)) {
		mu_free(e);
		mu_reply_in_turn(s, p, h->xid, MU_ENOMEM, false);
		return;
	}
	mu_peer_push(s, p, e, p->session->logged);
}

static void dispatch(struct mu_store *s, struct mu_peer *p,
                     const struct mu_request_header *h, struct mu_in *in)
{
	if (h->op == MU_OP_PING) /* rule 16: outside the order */
		mu_reply(s, p, MU_XID_PING, s->zxid, 0, NULL);
	else if (h->op == MU_OP_AUTH) /* so is this */
		mu_auth(s, p, h, in);
	else if (is_ours_only(p, h->op))
		mu_reply_in_turn(s, p, h->xid, MU_EUNIMPLEMENTED, true);
	else if (mu_is_read(h->op))
		read_request(s, p, h, in);
	else if (mu_command_is_write(h->op))
		write_request(s, p, h, in);
	else if (h->op == MU_OP_CLOSE_SESSION)
		close_request(s, p, h);
	else
		mu_reply_in_turn(s, p, h->xid, MU_EUNIMPLEMENTED,
		                 !is_refused(h->op));
}

/* What every request must pass; false if it went no further. */
static bool enter(struct mu_store *s, struct mu_peer *p, struct mu_in *in,
                  struct mu_request_header *h)
{
	if (p->last_words)
		return false;
	if (mu_get_request_header(in, h)) {
		mu_peer_end(s, p, MU_CLOSE_MALFORMED);
		return false;
	}
	s->stats.requests++;
	if (is_flood(s, p)) {
		mu_peer_end(s, p, MU_CLOSE_FLOODED);
		return false;
	}
	if (p->session->closing) { /* rule 48 */
		mu_reply_in_turn(s, p, h->xid, MU_EEXPIRED, false);
		return false;
	}
	mu_sessions_touch(s->sessions, p->session, s->mono_ms); /* rule 44 */
	return true;
}

void mu_request(struct mu_store *s, struct mu_peer *p, const void *record,
                size_t len)
{
	struct mu_in in = mu_in_of(record, len);
	struct mu_request_header h;

	if (enter(s, p, &in, &h))
		dispatch(s, p, &h, &in);
}

void mu_request_oversize(struct mu_store *s, struct mu_peer *p,
                         const void *head, size_t len)
{
	struct mu_in in = mu_in_of(head, len);
	struct mu_request_header h;

	if (enter(s, p, &in, &h))
		mu_reply_in_turn(s, p, h.xid, MU_ETOOBIG, false);
}
