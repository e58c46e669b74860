/* Commands that are logged and not yet applied: a ring by index. */
#include "store_impl.h"

#include "bug.h"
#include "mem.h"

#include <string.h>

#define RING_MIN 64u

static struct mu_pending **slot(const struct mu_store *s, uint64_t index)
{
	return &s->ring[index & (s->ring_room - 1)];
}

struct mu_pending *mu_log_at(const struct mu_store *s, uint64_t index)
{
	MU_BUG_ON(index <= s->applied || index > s->logged);
	return *slot(s, index);
}

static int reserve(struct mu_store *s)
{
	size_t room = s->ring_room ? s->ring_room * 2 : RING_MIN;
	struct mu_pending **ring;

	if (s->logged - s->applied < s->ring_room)
		return 0;
	ring = mu_alloc(room * sizeof(struct mu_pending *));
	if (!ring)
		return MU_ENOMEM;
	for (uint64_t i = s->applied + 1; i <= s->logged; i++)
		ring[i & (room - 1)] = *slot(s, i);
	mu_free(s->ring);
	s->ring = ring;
	s->ring_room = room;
	return 0;
}

void mu_log_begin(struct mu_store *s, const struct mu_peer *from, int32_t type,
                  int64_t session, int32_t xid)
{
	struct mu_command c = {
		.zxid = s->zxid_taken + 1,
		.type = type,
		.session = session,
		.time_ms = s->wall_ms,
		.origin = mu_str_of(from ? from->origin : ""),
		.xid = xid,
		.rules = (s->config.enforce_quota ? MU_RULE_QUOTAS : 0) |
		         (s->config.ttl_nodes ? MU_RULE_TTL : 0),
	};

	if (from)
		c.identities = mu_peer_who(from).identities;

	mu_buf_reset(&s->scratch);
	if (s->scratch.room > MU_STORE_KEEP)
		mu_buf_fini(&s->scratch);
	mu_put_command(&s->scratch, &c);
}

int mu_log_commit(struct mu_store *s, int32_t type, int64_t session,
                  uint64_t *index)
{
	size_t len = s->scratch.len;
	struct mu_pending *c;

	if (mu_buf_failed(&s->scratch) || reserve(s) || mu_fx_reserve(&s->fx))
		return MU_ENOMEM;
	c = mu_alloc(sizeof *c + len);
	if (!c)
		return MU_ENOMEM;
	c->type = type;
	c->session = session;
	c->len = len;
	memcpy(c->bytes, s->scratch.data, len);
	c->index = *index = ++s->logged;
	s->zxid_taken++;
	s->creating += type == MU_OP_CREATE_SESSION;
	s->pending_bytes += sizeof *c + len;
	*slot(s, c->index) = c;
	mu_fx_log(&s->fx, c->index);
	return 0;
}

struct mu_pending *mu_log_take(struct mu_store *s)
{
	struct mu_pending *c = mu_log_at(s, s->applied + 1);

	s->applied++;
	s->pending_bytes -= sizeof *c + c->len;
	s->creating -= c->type == MU_OP_CREATE_SESSION;
	return c;
}

/* A forgotten command is undone in what it marked when it was logged. */
static void unmark(struct mu_store *s, const struct mu_pending *c)
{
	struct mu_session *session = mu_sessions_find(s->sessions, c->session);

	s->creating -= c->type == MU_OP_CREATE_SESSION;
	if (!session)
		return;
	if (session->logged > s->applied)
		session->logged = s->applied;
	if (c->type == MU_OP_CLOSE_SESSION)
		mu_sessions_unexpire(s->sessions, session, s->mono_ms);
}

void mu_log_forget(struct mu_store *s, struct mu_peer **waited)
{
	struct mu_peer **end = waited;

	for (uint64_t i = s->applied + 1; i <= s->logged; i++) {
		struct mu_pending *c = mu_log_at(s, i);

		unmark(s, c);
		while (c->wait_first) {
			struct mu_peer *p = c->wait_first;

			mu_peer_unwait(p);
			*end = p;
			end = &p->wait_next;
		}
		mu_free(c);
	}
	s->pending_bytes = 0;
	*end = NULL;
	mu_fx_forget(&s->fx, s->applied);
	s->logged = s->applied;
	s->zxid_taken = s->zxid;
}
