/* A command applied: its events told, then those who waited for it answered. */
#include "store_impl.h"

#include "bug.h"
#include "mem.h"

/* One notification for all who are told (rules 24, 25). */
static int tell(struct mu_store *s, enum mu_node_event type, struct mu_str path)
{
	const uint32_t *links;
	size_t count = mu_watches_trigger(s->watches, path, type, &links);
	size_t mark;

	if (count == 0)
		return 0;
	mark = mu_fx_begin(&s->fx);
	mu_put_reply_header(&s->fx.bytes, MU_XID_NOTIFICATION, s->zxid, 0);
	mu_put_watcher_event(&s->fx.bytes, (int32_t)type, MU_STATE_CONNECTED,
	                     path);
	s->stats.events += count;
	return mu_fx_fanout(&s->fx, mark, links, count);
}

static int tell_all(struct mu_store *s)
{
	struct mu_in walk =
		mu_in_of(s->outcome.events.data, s->outcome.events.len);
	enum mu_node_event type;
	struct mu_str path;
	int err = 0;

	if (mu_watches_count(s->watches) == 0)
		return 0;
	while (!err && mu_outcome_event(&walk, &type, &path))
		err = tell(s, type, path);
	return err;
}

static void trim(struct mu_buf *b)
{
	if (b->room > MU_STORE_KEEP)
		mu_buf_fini(b);
}

int mu_apply(struct mu_store *s, const struct mu_command *c)
{
	int err = mu_command_apply(c, s->tree, s->sessions, s->mono_ms,
	                           &s->outcome);

	if (err)
		return err;
	if (c->zxid > s->zxid)
		s->zxid = c->zxid;
	if (c->time_ms > s->wall_ms)
		s->wall_ms = c->time_ms;
	if (c->type == MU_OP_CREATE_SESSION && c->session >= s->next_session)
		s->next_session = c->session + 1;
	return tell_all(s);
}

/* The link of a session that a command ends, and why the link ends then. */
static struct mu_peer *find_victim(const struct mu_store *s,
                                   const struct mu_command *c,
                                   enum mu_close_reason *reason)
{
	const struct mu_session *session;
	struct mu_in body = c->body;
	enum mu_close_cause cause;

	if (c->type != MU_OP_CLOSE_SESSION ||
	    mu_get_close_session(&body, &cause))
		return NULL;
	*reason = cause == MU_CAUSE_EXPIRED ? MU_CLOSE_EXPIRED
	                                    : MU_CLOSE_SESSION_ENDED;
	session = mu_sessions_find(s->sessions, c->session);
	return session && session->link ? mu_peer_find(s, session->link) : NULL;
}

static void count_expiry(struct mu_store *s, const struct mu_command *c)
{
	struct mu_in body = c->body;
	enum mu_close_cause cause;

	if (c->type == MU_OP_CLOSE_SESSION &&
	    !mu_get_close_session(&body, &cause) && cause == MU_CAUSE_EXPIRED)
		s->stats.expired++;
}

int mu_apply_next(struct mu_store *s)
{
	struct mu_pending *pending = mu_log_at(s, s->applied + 1);
	enum mu_close_reason reason = MU_CLOSE_SESSION_ENDED;
	struct mu_peer *victim, *waiter;
	struct mu_command c;
	int err = mu_get_command(pending->bytes, pending->len, &c);

	MU_BUG_ON(err);
	victim = find_victim(s, &c, &reason);
	err = mu_apply(s, &c);
	MU_BUG_ON(err && err != MU_ENOMEM);
	if (err)
		return err;
	if (victim)
		victim->session = NULL; /* it is gone */
	count_expiry(s, &c);
	mu_log_take(s);
	while ((waiter = pending->wait_first)) {
		mu_peer_unwait(waiter);
		mu_peer_drain(s, waiter);
	}
	if (victim)
		mu_peer_end(s, victim, reason);
	mu_free(pending);
	trim(&s->outcome.body);
	trim(&s->outcome.events);
	trim(&s->outcome.path);
	return 0;
}
