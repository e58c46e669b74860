/* Handshake, attach, close, expiry. Rules 6 to 13, 44 to 48. */
#include "store_impl.h"

#include "bug.h"
#include "mem.h"

#include <string.h>

/* Rule 13: the broker's number, 5 bytes of the clock, then counting. There is
 * one broker; replicated ones will have a number each. */
#define SERVER_ID 1u
#define CLOCK_MASK 0xffffffffffu

static int64_t next_session(const struct mu_store *s)
{
	uint64_t clock = (uint64_t)s->wall_ms & CLOCK_MASK;

	if (s->next_session)
		return s->next_session;
	return (int64_t)((uint64_t)SERVER_ID << 56 | clock << 16);
}

/* Rule 8. */
static uint32_t clamp_timeout(const struct mu_store *s, int32_t asked_ms)
{
	uint32_t ms = asked_ms < 0 ? 0 : (uint32_t)asked_ms;

	if (ms < s->config.session_timeout_min_ms)
		return s->config.session_timeout_min_ms;
	if (ms > s->config.session_timeout_max_ms)
		return s->config.session_timeout_max_ms;
	return ms;
}

static void respond(struct mu_store *s, struct mu_peer *p,
                    const struct mu_connect_response *r)
{
	size_t mark = mu_fx_begin(&s->fx);

	mu_put_connect_response(&s->fx.bytes, r);
	if (mu_fx_send(&s->fx, mark, p->number))
		mu_peer_end(s, p, MU_CLOSE_MEMORY);
}

/* Rule 10: the client reads it as "expired". */
static void refuse(struct mu_store *s, struct mu_peer *p)
{
	static const char zeroes[MU_PASSWORD_LEN];
	struct mu_connect_response r = {
		.password = { zeroes, MU_PASSWORD_LEN },
		.has_read_only = p->has_read_only,
	};

	respond(s, p, &r);
	mu_peer_end(s, p, MU_CLOSE_REFUSED);
}

/* Our own clients are told why they get no session (proto.h); session 0 would tell
 * ZooKeeper's that theirs has expired. */
static void turn_away(struct mu_store *s, struct mu_peer *p, int code,
                      enum mu_close_reason reason)
{
	static const char zeroes[MU_PASSWORD_LEN];
	struct mu_connect_response r = {
		.protocol = code,
		.password = { zeroes, MU_PASSWORD_LEN },
		.has_read_only = p->has_read_only,
	};

	if (p->wants_features)
		respond(s, p, &r);
	mu_peer_end(s, p, reason);
}

void mu_handshake_failed(struct mu_store *s, struct mu_peer *p, int code)
{
	turn_away(s, p, code, MU_CLOSE_JOURNAL);
}

/* The link is the session's one link from now on. */
static void attach(struct mu_store *s, struct mu_peer *p,
                   struct mu_session *session)
{
	struct mu_connect_response r = {
		.protocol = p->wants_features ? MU_FEATURES : 0,
		.timeout_ms = (int32_t)session->timeout_ms,
		.session = session->id,
		.password = { (const char *)session->password,
		              MU_PASSWORD_LEN },
		.has_read_only = p->has_read_only,
		.has_tree_id = p->wants_features,
		.tree_id = s->config.tree_id,
	};

	if (p->state == MU_PEER_NEW)
		mu_peer_list_take(&s->fresh, p);
	p->state = MU_PEER_UP;
	p->session = session;
	session->link = p->number;
	mu_sessions_touch(s->sessions, session, s->mono_ms);
	respond(s, p, &r);
}

/* ---- a session that exists ---- */

/* The old link goes only when the password is right (better than rule 12). The
 * timeout is negotiated again; it holds until a restart, after which the
 * session has the one it was made with. */
static void resume(struct mu_store *s, struct mu_peer *p,
                   const struct mu_connect_request *q)
{
	struct mu_session *session = mu_sessions_find(s->sessions, q->session);
	struct mu_peer *old;

	if (!session || session->closing ||
	    !mu_session_password_is(session, (const uint8_t *)q->password.at,
	                            q->password.len)) {
		refuse(s, p);
		return;
	}
	old = session->link ? mu_peer_find(s, session->link) : NULL;
	if (old)
		mu_peer_end(s, old, MU_CLOSE_MOVED);
	session->timeout_ms = clamp_timeout(s, q->timeout_ms);
	attach(s, p, session);
}

/* ---- a new one ---- */

static int log_create(struct mu_store *s, struct mu_peer *p, int64_t id,
                      uint32_t timeout_ms)
{
	const uint8_t *password = s->pool + s->pool_len - MU_PASSWORD_LEN;
	struct mu_create_session r = {
		.timeout_ms = (int32_t)timeout_ms,
		.password = { (const char *)password, MU_PASSWORD_LEN },
	};
	struct mu_entry *e = mu_entry_new(MU_ENTRY_HANDSHAKE, 0, 0, NULL, 0);
	uint64_t index;

	mu_log_begin(s, p, MU_OP_CREATE_SESSION, id, 0);
	mu_put_create_session(&s->scratch, &r);
	if (!e || mu_log_commit(s, MU_OP_CREATE_SESSION, id, &index)) {
		mu_free(e);
		return MU_ENOMEM;
	}
	s->pool_len -= MU_PASSWORD_LEN;
	memset(s->pool + s->pool_len, 0, MU_PASSWORD_LEN);
	s->next_session = id + 1;
	mu_peer_push(s, p, e, index);
	return 0;
}

static void create(struct mu_store *s, struct mu_peer *p,
                   const struct mu_connect_request *q)
{
	uint64_t sessions =
		(uint64_t)mu_sessions_count(s->sessions) + s->creating;
	int64_t id = next_session(s);

	if (sessions >= s->config.sessions_max) {
		turn_away(s, p, MU_EFULL, MU_CLOSE_TOO_MANY);
		return;
	}
	if (s->pool_len < MU_PASSWORD_LEN) {
		mu_peer_end(s, p, MU_CLOSE_ENTROPY);
		return;
	}
	if (log_create(s, p, id, clamp_timeout(s, q->timeout_ms))) {
		mu_peer_end(s, p, MU_CLOSE_MEMORY);
		return;
	}
	mu_peer_list_take(&s->fresh, p);
	p->state = MU_PEER_CONNECTING;
	p->asked = id;
}

void mu_handshake_done(struct mu_store *s, struct mu_peer *p)
{
	struct mu_session *session = mu_sessions_find(s->sessions, p->asked);

	MU_BUG_ON(!session);
	attach(s, p, session);
}

void mu_handshake(struct mu_store *s, struct mu_peer *p, const void *record,
                  size_t len)
{
	struct mu_in in = mu_in_of(record, len);
	struct mu_connect_request q;

	if (mu_get_connect_request(&in, &q)) {
		mu_peer_end(s, p, MU_CLOSE_MALFORMED);
		return;
	}
	p->has_read_only = q.has_read_only;
	p->wants_features = q.protocol >= MU_PROTOCOL_ASK;
	if (q.last_zxid > s->zxid) /* rule 9 */
		mu_peer_end(s, p, MU_CLOSE_AHEAD);
	else if (q.session)
		resume(s, p, &q);
	else
		create(s, p, &q);
}

/* ---- the end ---- */

int mu_session_log_close(struct mu_store *s, const struct mu_peer *from,
                         struct mu_session *session, int32_t xid,
                         enum mu_close_cause cause)
{
	uint64_t index;

	mu_log_begin(s, from, MU_OP_CLOSE_SESSION, session->id, xid);
	mu_put_close_session(&s->scratch, cause);
	if (mu_log_commit(s, MU_OP_CLOSE_SESSION, session->id, &index))
		return MU_ENOMEM;
	session->closing = true;
	session->logged = index;
	return 0;
}

void mu_sessions_sweep(struct mu_store *s)
{
	struct mu_session *session;

	while ((session = mu_sessions_expire(s->sessions, s->mono_ms)))
		if (mu_session_log_close(s, NULL, session, 0,
		                         MU_CAUSE_EXPIRED)) {
			mu_sessions_unexpire(s->sessions, session, s->mono_ms);
			return;
		}
}
