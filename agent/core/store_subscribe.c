/* Subscriptions: asked for, caught up from the change log, told of each change.
 * What catching up tells and what is told live is one and the same record, to
 * the same readers. */
#include "store_read.h"

#define REPLY_ROOM 128u /* bytes: enough for an answer with its header */
#define CROWD 256u      /* subscriptions looked at together */
#define BUSY_ANSWERS 8u /* caught up in one turn of the store */

uint64_t mu_interest_bytes(const struct mu_store *s)
{
	return mu_watches_path_bytes(s->watches) + mu_subs_path_bytes(s->subs);
}

bool mu_interests_full(const struct mu_store *s)
{
	uint64_t count = mu_watches_count(s->watches);

	return count + mu_subs_count(s->subs) >= s->config.watches_max ||
	       (s->config.watch_bytes_max &&
	        mu_interest_bytes(s) >= s->config.watch_bytes_max);
}

/* A change event of `sub`, begun in the buffer of effects. */
static size_t put_event(struct mu_store *s, const struct mu_sub *sub,
                        const struct mu_noted *c, int64_t zxid, int32_t n)
{
	struct mu_change_event e = { .id = sub->id,
		                     .type = (int32_t)c->type,
		                     .zxid = zxid,
		                     .n = n,
		                     .prev_zxid = sub->prev_zxid,
		                     .prev_n = sub->prev_n };
	size_t mark = mu_fx_begin(&s->fx);

	mu_put_reply_header(&s->fx.bytes, MU_XID_CHANGE, zxid, 0);
	mu_put_change_head(&s->fx.bytes, &e);
	mu_buf_put(&s->fx.bytes, c->tail.at, c->tail.len);
	return mark;
}

static void count_events(struct mu_store *s, size_t count)
{
	s->stats.events += count;
	s->stats.change_events += count;
}

/* ---- live ---- */

/* Those who may be told the same, byte for byte, are told at once. */
struct crowd {
	struct mu_sub *subs[CROWD];
	uint32_t links[CROWD];
	size_t count;
};

static bool is_same(const struct mu_sub *a, const struct mu_sub *b)
{
	return a->id == b->id && a->prev_zxid == b->prev_zxid &&
	       a->prev_n == b->prev_n;
}

static void doom(struct mu_store *s, uint32_t link, enum mu_close_reason reason)
{
	struct mu_peer *p = mu_peer_find(s, link);

	if (p->doomed)
		return;
	p->doomed = true;
	p->reason = reason;
	mu_peer_list_add(&s->doomed, p);
}

void mu_doomed_end(struct mu_store *s)
{
	struct mu_peer *p;

	while ((p = s->doomed.first)) {
		mu_peer_list_take(&s->doomed, p);
		p->doomed = false;
		mu_peer_end(s, p, p->reason);
	}
}

/* A small request may make many changes, each told to many subscriptions: what
 * they take together is bounded, first for the link that has the most. */
static bool is_too_much(struct mu_store *s, const struct mu_sub *sub,
                        size_t len)
{
	uint64_t max = s->config.reply_max > MU_TOLD_MAX ? s->config.reply_max
	                                                 : MU_TOLD_MAX;

	return mu_subs_add_told(s->subs, sub, s->zxid, len) > max ||
	       s->fx.bytes.len > max * MU_TOLD_ALL_FACTOR;
}

/* Nobody is told what was written since the mark, if all were told too much. */
static void send(struct mu_store *s, size_t mark, const uint32_t *links,
                 size_t count)
{
	int err = 0;

	count_events(s, count);
	if (count == 0)
		mu_fx_undo(&s->fx, mark);
	else if (count == 1)
		err = mu_fx_send(&s->fx, mark, links[0]);
	else
		err = mu_fx_fanout(&s->fx, mark, links, count);
	for (size_t i = 0; err && i < count; i++)
		doom(s, links[i], MU_CLOSE_MEMORY);
}

/* The one at `first` and all behind it that are told the same. */
static void tell_alike(struct mu_store *s, const struct mu_noted *c, int32_t n,
                       struct crowd *crowd, size_t first)
{
	const struct mu_sub like = *crowd->subs[first];
	size_t mark = put_event(s, &like, c, s->zxid, n);
	size_t len = s->fx.bytes.len - mark;
	size_t count = 0;

	for (size_t i = first; i < crowd->count; i++) {
		struct mu_sub *sub = crowd->subs[i];

		if (!sub || !is_same(sub, &like))
			continue;
		crowd->subs[i] = NULL;
		if (is_too_much(s, sub, len)) {
			doom(s, sub->link, MU_CLOSE_TOLD);
			continue;
		}
		crowd->links[count++] = sub->link;
		sub->prev_zxid = s->zxid;
		sub->prev_n = n;
	}
	send(s, mark, crowd->links, count);
}

static void tell_crowd(struct mu_store *s, const struct mu_noted *c, int32_t n,
                       struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->count; i++)
		if (crowd->subs[i])
			tell_alike(s, c, n, crowd, i);
	crowd->count = 0;
}

static bool may_hear(const struct mu_store *s, const struct mu_sub *sub,
                     const struct mu_noted *c)
{
	const struct mu_peer *p;

	if (c->open && !s->doomed.first)
		return true;
	p = mu_peer_find(s, sub->link);
	return !p->doomed && (c->open || mu_peer_may(p, &c->acl, MU_PERM_READ));
}

void mu_subs_tell(struct mu_store *s, const struct mu_noted *c, int32_t n)
{
	struct crowd crowd;
	struct mu_subs_walk walk;
	struct mu_sub *sub;

	crowd.count = 0;
	mu_subs_match(s->subs, c->path, c->type, &walk);
	while ((sub = mu_subs_next(&walk))) {
		if (!may_hear(s, sub, c))
			continue;
		crowd.subs[crowd.count++] = sub;
		if (crowd.count == CROWD)
			tell_crowd(s, c, n, &crowd);
	}
	tell_crowd(s, c, n, &crowd);
}

/* ---- subscribe ---- */

static int decode(struct reading *r, struct mu_subscribe_request *q)
{
	if (mu_get_subscribe(&r->in, q))
		return MU_EMARSHAL;
	if (mu_path_check(q->path, NULL) || q->mode < MU_SUBSCRIBE_EXACT ||
	    q->mode > MU_SUBSCRIBE_SUBTREE || q->zxid < -1 || q->n < -1 ||
	    !mu_path_fits(r->s, q->path))
		return MU_EINVAL;
	return 0;
}

/* Room for one of this number; the one that had it is gone then. */
static int make_place(struct reading *r, int32_t id)
{
	struct mu_store *s = r->s;
	uint32_t link = r->p->number;
	struct mu_sub *old = mu_subs_find(s->subs, link, id);

	if (old)
		mu_subs_remove(s->subs, old);
	if (mu_interests_full(s) ||
	    mu_subs_link_count(s->subs, link) >=
	            s->config.subscriptions_per_link_max)
		return MU_EFULL;
	return 0;
}

/* Is it of a history that is not ours: ahead of us, or of a time before this
 * start of which nothing has come down to us? A life that ended before anything
 * happened in it has told no more than where it began: that stands for all that
 * was before it. */
static bool is_strange(const struct mu_store *s, int64_t zxid)
{
	bool is_beginning = (zxid & UINT32_MAX) == 0;

	return zxid > s->zxid ||
	       (zxid > s->hole_from && zxid < s->hole_to && !is_beginning);
}

struct catching {
	struct reading *r;
	const struct mu_subscribe_request *q;
	struct mu_sub at; /* id, and what was told last */
	size_t told;      /* bytes */
	uint32_t looks;
};

/* Many may catch up at once on one link. What is told to one of them comes in front
 * of its answer, so who is told to ask again does so when that has arrived. */
static bool is_busy(const struct mu_store *s, uint32_t link)
{
	return s->fx.bytes.len > MU_SUBSCRIBE_BYTES * BUSY_ANSWERS ||
	       (s->busy && s->busy(s->busy_arg, link));
}

/* Not 0: memory is out, or MU_EAGAIN: no more in this answer. */
static int catch_one(struct catching *c, const struct mu_noted *change,
                     int64_t zxid, int32_t n)
{
	struct mu_store *s = c->r->s;
	size_t mark, len;

	if (c->looks++ >= MU_SUBSCRIBE_LOOKS)
		return MU_EAGAIN;
	if (!mu_sub_fits((enum mu_subscribe_mode)c->q->mode, c->q->path,
	                 change->type, change->path))
		return 0;
	if (!change->open && !mu_peer_may(c->r->p, &change->acl, MU_PERM_READ))
		return 0;
	if (!c->told && is_busy(s, c->r->p->number))
		return MU_EAGAIN;
	mark = put_event(s, &c->at, change, zxid, n);
	len = s->fx.bytes.len - mark;
	if (c->told && c->told + len > MU_SUBSCRIBE_BYTES) {
		mu_fx_undo(&s->fx, mark);
		return MU_EAGAIN;
	}
	if (mu_fx_send(&s->fx, mark, c->r->p->number))
		return MU_ENOMEM;
	c->told += len;
	c->at.prev_zxid = zxid;
	c->at.prev_n = n;
	count_events(s, 1);
	return 0;
}

/* Tell what was missed, until it is all or enough for one answer. */
static int catch_up(struct catching *c)
{
	struct mu_subscribe_reply *reply = &c->r->subscribed;
	struct mu_changelog_walk walk;
	struct mu_noted change;
	int err = 0;

	mu_changelog_seek(c->r->s->changes, c->q->zxid, c->q->n, &walk);
	while (!err) {
		reply->zxid = walk.zxid;
		reply->n = walk.n;
		if (!mu_changelog_next(&walk, &change))
			break;
		err = catch_one(c, &change, walk.zxid, walk.n);
	}
	if (err == MU_EAGAIN)
		reply->state = MU_SUBSCRIBED_MORE;
	return err == MU_ENOMEM ? err : 0;
}

/* Where it begins; for a gap, and for "from now on", with what comes next. */
static int begin(struct catching *c)
{
	struct mu_store *s = c->r->s;
	struct mu_subscribe_reply *reply = &c->r->subscribed;
	const struct mu_subscribe_request *q = c->q;
	bool strange = is_strange(s, q->zxid);

	reply->state = MU_SUBSCRIBED_LIVE;
	c->at.prev_zxid = q->zxid;
	c->at.prev_n = q->n;
	if (q->zxid >= 0 && !strange &&
	    mu_changelog_reaches(s->changes, q->zxid, q->n))
		return catch_up(c);
	c->at.prev_zxid = s->zxid;
	c->at.prev_n = MU_CHANGE_N_END;
	if (q->zxid < 0)
		return 0;
	s->stats.gaps++;
	reply->state = MU_SUBSCRIBED_GAP;
	reply->from = strange ? 0 : q->zxid;
	reply->to = s->zxid;
	return 0;
}

/* The answer is sure to go out once the subscription stands. */
static int stand(struct catching *c)
{
	struct mu_store *s = c->r->s;
	struct mu_sub *sub;

	if (mu_buf_reserve(&s->fx.bytes, REPLY_ROOM) || mu_fx_reserve(&s->fx)) {
		s->fx.bytes.failed = false;
		return MU_ENOMEM;
	}
	if (c->r->subscribed.state == MU_SUBSCRIBED_MORE)
		return 0;
	c->r->subscribed.zxid = s->zxid;
	c->r->subscribed.n = MU_CHANGE_N_END;
	if (mu_subs_add(s->subs, c->r->p->number, c->q->id, c->q->path,
	                (enum mu_subscribe_mode)c->q->mode, &sub))
		return MU_ENOMEM;
	sub->prev_zxid = c->at.prev_zxid;
	sub->prev_n = c->at.prev_n;
	return 0;
}

int mu_before_subscribe(struct reading *r)
{
	struct mu_subscribe_request q;
	struct catching c = { .r = r, .q = &q };
	int err = decode(r, &q);

	if (!err)
		err = make_place(r, q.id);
	c.at.id = q.id;
	if (!err)
		err = begin(&c);
	return err ? err : stand(&c);
}

int mu_read_subscribe(struct reading *r, struct mu_buf *out)
{
	mu_put_subscribe_reply(out, &r->subscribed);
	return 0;
}

int mu_read_unsubscribe(struct reading *r, struct mu_buf *out)
{
	struct mu_unsubscribe_request q;
	struct mu_sub *sub;

	(void)out;
	if (mu_get_unsubscribe(&r->in, &q))
		return MU_EMARSHAL;
	sub = mu_subs_find(r->s->subs, r->p->number, q.id);
	if (!sub)
		return MU_ENOWATCHER;
	mu_subs_remove(r->s->subs, sub);
	return 0;
}
