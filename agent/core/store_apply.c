/* A command applied: its events told, then those who waited for it answered. */
#include "store_impl.h"

#include "bug.h"
#include "mem.h"

#include <string.h>

/* Rule 36: only those of them are told who may read the node. */
static int keep_readers(struct mu_store *s, const struct mu_vec *acl,
                        const uint32_t **links, size_t *count)
{
	mu_buf_reset(&s->readers);
	for (size_t i = 0; i < *count; i++) {
		const struct mu_peer *p = mu_peer_find(s, (*links)[i]);

		if (mu_peer_may(p, acl, MU_PERM_READ))
			mu_buf_put(&s->readers, &(*links)[i], sizeof **links);
	}
	*links = (const uint32_t *)(const void *)s->readers.data;
	*count = s->readers.len / sizeof **links;
	return mu_buf_failed(&s->readers) ? MU_ENOMEM : 0;
}

/* One notification for all who are told (rules 24, 25). */
static int tell(struct mu_store *s, const struct mu_noted *c)
{
	const uint32_t *links;
	size_t count = mu_watches_trigger(s->watches, c->path, c->type, &links);
	size_t mark;

	if (!c->open && keep_readers(s, &c->acl, &links, &count))
		return MU_ENOMEM;
	if (count == 0)
		return 0;
	mark = mu_fx_begin(&s->fx);
	mu_put_reply_header(&s->fx.bytes, MU_XID_NOTIFICATION, s->zxid, 0);
	mu_put_watcher_event(&s->fx.bytes, (int32_t)c->type, MU_STATE_CONNECTED,
	                     c->path);
	s->stats.events += count;
	return mu_fx_fanout(&s->fx, mark, links, count);
}

static int tell_all(struct mu_store *s)
{
	struct mu_in walk =
		mu_in_of(s->outcome.events.data, s->outcome.events.len);
	bool watched = mu_watches_count(s->watches) > 0;
	bool subscribed = mu_subs_count(s->subs) > 0;
	struct mu_noted c;
	int32_t n = 0;
	int err = 0;

	if (!watched && !subscribed)
		return 0;
	while (!err && mu_noted_next(&walk, &c)) {
		if (watched)
			err = tell(s, &c);
		if (subscribed)
			mu_subs_tell(s, &c, n++);
	}
	return err;
}

static void trim(struct mu_buf *b)
{
	if (b->room > MU_STORE_KEEP)
		mu_buf_fini(b);
}

int mu_apply(struct mu_store *s, const struct mu_command *c)
{
	struct mu_outcome *out = &s->outcome;
	int err;

	out->capture =
		mu_changelog_keeps(s->changes) || mu_subs_count(s->subs) > 0;
	err = mu_command_apply(c, s->tree, s->sessions, s->mono_ms, out);
	if (err)
		return err;
	mu_changelog_add(s->changes, c->zxid, out->event_count,
	                 out->events.data, out->events.len);
	if (c->zxid > s->zxid)
		s->zxid = c->zxid;
	if (c->time_ms > s->wall_ms)
		s->wall_ms = c->time_ms;
	if (c->time_ms > s->applied_ms)
		s->applied_ms = c->time_ms;
	if (c->type == MU_OP_CREATE_SESSION && c->session >= s->applied_session)
		s->applied_session = c->session + 1;
	if (s->applied_session > s->next_session)
		s->next_session = s->applied_session;
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

static void count_quota(struct mu_store *s)
{
	const struct mu_outcome *out = &s->outcome;

	if (!out->quota_soft && !out->quota_hard)
		return;
	s->stats.quota_soft += out->quota_soft;
	s->stats.quota_hard += out->quota_hard;
	memcpy(s->stats.quota_path, out->quota_path,
	       sizeof s->stats.quota_path);
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
	mu_doomed_end(s);
	count_expiry(s, &c);
	count_quota(s);
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
	trim(&s->outcome.acl);
	trim(&s->readers);
	return 0;
}
