/* A mirror fed by a subscription: each change is told as it is. See mirror.h.
 *
 * What was read is as of no one moment: each node as of its own read, and a path
 * that is not held was not there when its parent's list was read. So a change
 * that comes behind the reading may be in it already. The place (at_zxid, at_n)
 * of a node says which changes it has in it, so nothing depends on how readings
 * and changes came to lie between each other. */
#include "bug.h"
#include "mem.h"
#include "mirror_impl.h"

#include <string.h>

static void advance(struct mu_mirror_at *a, struct mu_mirror_at to)
{
	if (mu_mirror_is_behind(to, *a))
		*a = to;
}

/* ---- life ---- */

void mu_mirror_resume(struct mu_mirror *m, struct mu_mirror_at from)
{
	m->s.told = from;
	m->s.said = from;
	m->s.quiet = true;
}

void mu_mirror_on_ready(struct mu_mirror *m, mu_mirror_ready_fn *ready)
{
	m->s.ready = ready;
}

int mu_mirror_subscribe(struct mu_mirror *m, bool fresh,
                        struct mu_mirror_at *from)
{
	struct mu_mirror_stream *s = &m->s;

	mu_mirror_stop(m);
	if (fresh) {
		mu_mirror_forget(m);
		s->quiet = false;
		s->gap = false;
		s->unread = true;
		s->told.zxid = -1;
		s->said.zxid = -1;
	}
	/* Where everything is PRESENT, nothing before matters. */
	if (s->unread && m->fresh && !s->quiet)
		s->told.zxid = -1;
	s->on = true;
	s->more = false;
	s->behind = false;
	s->had = s->told;
	s->prev = s->told;
	*from = s->told;
	if (s->unread)
		return mu_mirror_scan(m);
	m->phase = MIRROR_LIVE;
	return 0;
}

/* Nothing waits: all that was had is told. */
static int settle_at_had(struct mu_mirror *m)
{
	struct mu_mirror_stream *s = &m->s;
	int rc;

	if (m->live.head)
		return 0;
	s->told = s->had;
	rc = m->phase != MIRROR_LIVE
	             ? 0
	             : mu_mirror_pay(m, s->told.n == INT32_MAX
	                                        ? s->told.zxid
	                                        : s->told.zxid - 1);
	if (rc)
		mu_mirror_stop(m);
	return rc;
}

/* Read all once more: what waits of before is in it. */
static int read_again(struct mu_mirror *m)
{
	struct mu_mirror_stream *s = &m->s;
	bool live = s->live;
	int rc;

	mu_mirror_stop(m);
	s->live = live;
	s->unread = true;
	s->quiet = false;
	s->gap = true;
	rc = mu_mirror_scan(m);
	if (rc)
		mu_mirror_stop(m);
	return rc;
}

int mu_mirror_subscribed(struct mu_mirror *m, enum mu_mirror_state state,
                         struct mu_mirror_at at)
{
	struct mu_mirror_stream *s = &m->s;

	if (m->phase == MIRROR_IDLE)
		return 0;
	if (s->prev.zxid < 0 || state == MU_MIRROR_GAP_FOUND)
		s->prev = at;
	s->live = state != MU_MIRROR_MORE;
	s->more = state == MU_MIRROR_MORE;
	if (!s->behind)
		advance(&s->had, at);
	if (state == MU_MIRROR_GAP_FOUND) {
		s->behind = false;
		s->had = at;
		s->told = at;
		return read_again(m);
	}
	return settle_at_had(m);
}

bool mu_mirror_expects(const struct mu_mirror *m, struct mu_mirror_at prev)
{
	const struct mu_mirror_stream *s = &m->s;

	return m->phase == MIRROR_IDLE || s->behind ||
	       (prev.zxid == s->prev.zxid && prev.n == s->prev.n);
}

int mu_mirror_missed(struct mu_mirror *m)
{
	return m->phase == MIRROR_IDLE ? 0 : read_again(m);
}

/* ---- telling ---- */

static struct mu_mirror_event event_of(const struct mu_mirror_change *c)
{
	static const uint32_t type[] = { MU_EVENT_PRESENT, MU_EVENT_CREATED,
		                         MU_EVENT_DELETED, MU_EVENT_CHANGED,
		                         MU_EVENT_CHILDREN };

	return (struct mu_mirror_event){ .type = type[c->type],
		                         .count = 1,
		                         .zxid = c->zxid,
		                         .n = c->n,
		                         .exact = true,
		                         .path = c->path,
		                         .cause = c->cause,
		                         .session = c->session,
		                         .origin = c->origin };
}

static void said(struct mu_mirror *m, const struct mu_mirror_event *e)
{
	advance(&m->s.said, (struct mu_mirror_at){ e->zxid, e->n });
	m->s.unsaid = e->held;
}

static int send(struct mu_mirror *m, struct mu_mirror_event *e)
{
	int rc;

	e->held = e->exact && m->s.owed > 0;
	rc = m->fn(m->arg, e);
	if (!rc && e->exact)
		said(m, e);
	return rc;
}

/* It stands for what was owed of this node too. */
static int send_for(struct mu_mirror *m, const struct mu_mirror_node *old,
                    struct mu_mirror_event *e)
{
	uint32_t owed = m->s.owed;
	int rc;

	if (old && old->gone_zxid)
		m->s.owed--;
	rc = send(m, e);
	if (rc)
		m->s.owed = owed;
	return rc;
}

int mu_mirror_gap_tell(struct mu_mirror *m)
{
	struct mu_mirror_event e = { .type = MU_MIRROR_GAP, .count = 1 };
	int rc;

	if (!m->s.on || !m->s.gap)
		return 0;
	e.path = m->top;
	e.zxid = m->s.said.zxid < 0 ? 0 : m->s.said.zxid;
	e.n = m->s.said.zxid < 0 ? 0 : m->s.said.n;
	rc = send(m, &e);
	m->s.gap = rc != 0;
	return rc;
}

void mu_mirror_stream_read(struct mu_mirror *m, bool was_fresh)
{
	struct mu_mirror_stream *s = &m->s;
	bool quiet = s->quiet;

	mu_mirror_owe_nothing(m);
	s->unread = false;
	s->quiet = false;
	s->start_zxid = quiet ? 0 : m->start_zxid;
	s->end_zxid = quiet ? 0 : m->end_zxid;
	if (was_fresh && s->ready)
		s->ready(m->arg, quiet);
}

/* True if the reading that was told stands for this one too. */
static bool is_passed(const struct mu_mirror *m,
                      const struct mu_mirror_change *c,
                      const struct mu_mirror_node *old)
{
	if (c->zxid <= m->s.start_zxid)
		return true;
	return !old && c->type != MU_EVENT_CREATED &&
	       c->type != MU_EVENT_CHILDREN && c->zxid <= m->s.end_zxid;
}

/* True if the node has this change in it. */
static bool is_in(const struct mu_mirror_node *n,
                  const struct mu_mirror_change *c)
{
	struct mu_mirror_at at = { n->at_zxid, n->at_n };

	return !n->ghost && !mu_mirror_is_behind(mu_mirror_place(c), at);
}

/* Nobody has heard of it, and what is held is newer. */
static int tell_past(struct mu_mirror *m, const struct mu_mirror_change *c,
                     struct mu_mirror_node *newer)
{
	struct mu_mirror_event e = event_of(c);
	int rc;

	e.past = true;
	e.stat = c->stat;
	e.data = c->data;
	if (c->type == MU_EVENT_DELETED) {
		e.stat = NULL;
		e.last = c->stat;
		e.data = (struct mu_str){ 0 };
		e.old_data = c->data;
	} else if (!c->whole && newer && c->type != MU_EVENT_CHILDREN) {
		e.data = newer->data;
		e.stat = &newer->stat;
	}
	rc = send(m, &e);
	if (!rc && newer)
		newer->past = true;
	return rc;
}

static int apply_deleted(struct mu_mirror *m, const struct mu_mirror_change *c,
                         struct mu_mirror_node *old)
{
	struct mu_mirror_event e = event_of(c);
	int rc;

	e.last = c->stat;
	e.count += old->unseen;
	e.old_data = c->whole || old->ghost ? c->data : old->data;
	rc = send_for(m, old, &e);
	if (rc)
		return rc;
	mu_mirror_table_take(&m->held, old);
	mu_mirror_node_free(old);
	return 0;
}

static int apply_children(struct mu_mirror *m, const struct mu_mirror_change *c,
                          struct mu_mirror_node *top)
{
	struct mu_mirror_at told = { m->told_pzxid, m->told_n };
	struct mu_mirror_event e = event_of(c);
	bool in = top && !top->ghost &&
	          !mu_mirror_is_behind(mu_mirror_place(c), told);
	int rc;

	if (in && !top->quiet)
		return 0;
	e.past = in || !top || top->ghost;
	e.stat = c->stat;
	if (top && !top->ghost && c->stat->czxid == top->stat.czxid &&
	    c->stat->version == top->stat.version) {
		e.data = top->data;
		e.old_data = top->data;
	}
	rc = send(m, &e);
	if (rc || e.past)
		return rc;
	top->stat.pzxid = c->stat->pzxid;
	top->stat.cversion = c->stat->cversion;
	top->stat.num_children = c->stat->num_children;
	m->told_pzxid = c->zxid;
	m->told_n = c->n;
	m->told_cversion = c->stat->cversion;
	return 0;
}

/* By how many changes of its value a node that was read is ahead of its change, as
 * far as Stats can say. */
static uint32_t ahead(const struct mu_stat *now, const struct mu_stat *then)
{
	int32_t by =
		(int32_t)((uint32_t)now->version - (uint32_t)then->version);

	if (now->czxid == then->czxid && by > 0)
		return (uint32_t)by;
	return now->czxid != then->czxid;
}

/* How many changes the node that was read for the first one has in it besides:
 * they will be passed over. Those that wait are known one by one; while the
 * broker tells of the past in parts, others may be yet to come, and where Stats
 * do not tell how many, those that were not counted here are told as they were. */
static uint32_t overtaken(const struct mu_mirror_item *first,
                          const struct mu_mirror_node *now)
{
	uint32_t by = ahead(&now->stat, first->change->stat), count = 0;

	for (const struct mu_mirror_item *i = first->next; i; i = i->next) {
		const struct mu_mirror_change *c = i->change;

		if (!c || !is_in(now, c))
			break;
		count += c->type != MU_EVENT_CHILDREN &&
		         mu_str_eq(c->path, first->change->path);
	}
	return count > by ? count : by;
}

/* now: the node with this change in it, not yet held. It is taken when 0 is
 * returned. more: changes that are in it too, and come behind this one. */
static int apply_value(struct mu_mirror *m, const struct mu_mirror_change *c,
                       struct mu_mirror_node *now, struct mu_mirror_node *old,
                       uint32_t more)
{
	struct mu_mirror_event e = event_of(c);
	int rc = mu_mirror_admit(m, &m->held, now->data.len, old);

	if (rc)
		return rc;
	e.data = now->data;
	e.stat = &now->stat;
	if (old && !old->ghost && c->type != MU_EVENT_CREATED)
		e.old_data = old->data;
	if (old)
		e.count += old->unseen;
	if (old && old->ghost)
		e.type = MU_EVENT_CREATED;
	e.count += more;
	rc = send_for(m, old, &e);
	if (!rc)
		mu_mirror_table_put(&m->held, now);
	return rc;
}

static int apply_whole(struct mu_mirror *m, const struct mu_mirror_change *c,
                       struct mu_mirror_node *old)
{
	struct mu_mirror_node *now =
		mu_mirror_node_new(c->path, c->data, c->stat);
	int rc;

	if (!now)
		return MU_ENOMEM;
	now->at_zxid = c->zxid;
	now->at_n = c->n;
	rc = apply_value(m, c, now, old, 0);
	if (rc)
		mu_mirror_node_free(now);
	return rc;
}

static int tell_unread(struct mu_mirror *m, const struct mu_mirror_change *c,
                       struct mu_mirror_node *old)
{
	struct mu_mirror_event e = event_of(c);
	int rc;

	e.held = m->s.owed > 0;
	rc = mu_mirror_unread(m, &e);
	if (rc)
		return rc;
	said(m, &e);
	if (old)
		old->unseen++;
	return 0;
}

/* Its value was too long to come with it, and was read. */
static int apply_read(struct mu_mirror *m, struct mu_mirror_item *item,
                      struct mu_mirror_node *old)
{
	const struct mu_mirror_change *c = item->change;
	uint32_t more;
	int rc;

	if (item->rc == MU_ENONODE)
		return mu_mirror_owe(m, c, item->seen_zxid);
	if (item->rc)
		return tell_unread(m, c, old);
	more = overtaken(item, item->got);
	item->got->counts = true;
	item->got->ahead = more;
	rc = apply_value(m, c, item->got, old, more);
	if (!rc)
		item->got = NULL;
	return rc;
}

/* What is held has it in it: somebody was told so, or is told now. */
static int pass_over(struct mu_mirror *m, const struct mu_mirror_change *c,
                     struct mu_mirror_node *n)
{
	if (n->quiet || (n->counts && n->ahead == 0))
		return tell_past(m, c, n);
	if (n->counts)
		n->ahead--;
	return 0;
}

static int apply(struct mu_mirror *m, const struct mu_mirror_change *c,
                 struct mu_mirror_item *item)
{
	struct mu_mirror_node *old = mu_mirror_table_find(&m->held, c->path);

	if (is_passed(m, c, old))
		return 0;
	if (c->type == MU_EVENT_CHILDREN)
		return apply_children(m, c, old);
	if (old && is_in(old, c))
		return pass_over(m, c, old);
	if (c->type == MU_EVENT_DELETED)
		return old ? apply_deleted(m, c, old) : tell_past(m, c, NULL);
	return c->whole ? apply_whole(m, c, old) : apply_read(m, item, old);
}

int mu_mirror_change_apply(struct mu_mirror *m, struct mu_mirror_item *item)
{
	int rc = mu_mirror_pay(m, item->change->zxid - 1);

	rc = rc ? rc : apply(m, item->change, item);
	if (rc == MU_ETOOBIG) {
		m->s.unread = true;
		m->s.gap = true;
	}
	return rc;
}

void mu_mirror_change_told(struct mu_mirror *m, const struct mu_mirror_item *i)
{
	if (!i->change)
		return;
	m->s.told = i->next ? mu_mirror_place(i->change) : m->s.had;
	m->s.bytes -= i->change->data.len;
}

/* ---- how far we are ---- */

bool mu_mirror_wants_more(const struct mu_mirror *m)
{
	return m->phase == MIRROR_LIVE && m->s.on && !m->live.head &&
	       (m->s.more || m->s.behind);
}

int mu_mirror_reached(struct mu_mirror *m, int64_t zxid)
{
	/* Others of the same transaction may still come. */
	struct mu_mirror_at at = { zxid - 1, INT32_MAX };

	if (m->phase == MIRROR_IDLE || !m->s.live || m->s.behind)
		return 0;
	advance(&m->s.had, at);
	return m->phase == MIRROR_LIVE ? settle_at_had(m) : 0;
}

bool mu_mirror_position(struct mu_mirror *m, struct mu_mirror_at *at)
{
	struct mu_mirror_stream *s = &m->s;

	if (m->phase != MIRROR_LIVE || !s->on || m->live.head || s->owed ||
	    !(s->unsaid || mu_mirror_is_behind(s->told, s->said)))
		return false;
	s->unsaid = false;
	s->said = s->told;
	*at = s->told;
	return true;
}
