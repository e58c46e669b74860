/* The changes that a subscription tells a mirror: at once to the sink, or, where a
 * reading or a value is waited for, copied into the queue. See mirror.h. */
#include "mem.h"
#include "mirror_impl.h"

#include <string.h>

bool mu_mirror_is_behind(struct mu_mirror_at a, struct mu_mirror_at b)
{
	return a.zxid != b.zxid ? a.zxid > b.zxid : a.n > b.n;
}

struct mu_mirror_at mu_mirror_place(const struct mu_mirror_change *c)
{
	return (struct mu_mirror_at){ c->zxid, c->n };
}

struct copy {
	struct mu_mirror_change c;
	struct mu_stat stat;
	char text[];
};

static struct mu_str put_text(char **at, struct mu_str s)
{
	struct mu_str copy = { s.at ? *at : NULL, s.len };

	if (s.at)
		memcpy(*at, s.at, s.len);
	*at += s.at ? s.len : 0;
	return copy;
}

static struct mu_mirror_change *copy_of(const struct mu_mirror_change *c)
{
	/* One byte more, so that an empty text has a place. */
	struct copy *copy = mu_alloc(sizeof *copy + (size_t)c->path.len +
	                             c->data.len + c->origin.len + 1);
	char *at;

	if (!copy)
		return NULL;
	at = copy->text;
	copy->c = *c;
	copy->stat = *c->stat;
	copy->c.stat = &copy->stat;
	copy->c.path = put_text(&at, c->path);
	copy->c.data = put_text(&at, c->data);
	copy->c.origin = put_text(&at, c->origin);
	return &copy->c;
}

static bool has_value(const struct mu_mirror_change *c)
{
	return c->type == MU_EVENT_CREATED || c->type == MU_EVENT_CHANGED;
}

static int enqueue(struct mu_mirror *m, const struct mu_mirror_change *c)
{
	struct mu_mirror_item *item;

	if (m->live.count >= m->limits.queue_max ||
	    m->s.bytes + c->data.len > m->limits.bytes_max) {
		m->s.behind = true;
		return 0;
	}
	item = mu_mirror_item_add(&m->live, c->path);
	if (!item)
		return MU_ENOMEM;
	item->change = copy_of(c);
	if (!item->change)
		return MU_ENOMEM; /* with the whole list */
	item->type = c->type;
	item->zxid = c->zxid;
	item->what = MU_MIRROR_NODE;
	item->state = has_value(c) && !c->whole ? ITEM_QUEUED : ITEM_DONE;
	m->s.bytes += c->data.len;
	m->s.had = mu_mirror_place(c);
	return 0;
}

/* Nothing waits: tell it without a copy. */
static int tell_now(struct mu_mirror *m, const struct mu_mirror_change *c)
{
	struct mu_mirror_item item = { .change = (struct mu_mirror_change *)c };
	int rc = mu_mirror_change_apply(m, &item);

	if (!rc) {
		m->s.had = mu_mirror_place(c);
		m->s.told = m->s.had;
	}
	return rc;
}

struct mu_mirror_change mu_mirror_change_of(const struct mu_change *c)
{
	struct mu_mirror_change out = {
		.type = (int)c->type,
		.zxid = c->zxid,
		.n = c->n,
		.path = mu_str_of(c->path),
		.whole = c->whole,
		.stat = c->stat,
		.cause = c->cause,
		.session = c->session,
		.origin = mu_str_of(c->origin),
	};

	if (c->len >= 0)
		out.data = (struct mu_str){ c->data ? c->data : "",
			                    (uint32_t)c->len };
	return out;
}

int mu_mirror_change(struct mu_mirror *m, const struct mu_mirror_change *c)
{
	struct mu_mirror_stream *s = &m->s;
	int rc = 0;

	if (m->phase == MIRROR_IDLE || !s->on || s->behind)
		return 0;
	s->prev = mu_mirror_place(c);
	if (!mu_mirror_is_behind(mu_mirror_place(c), s->had) ||
	    !mu_mirror_covers(m, c->type, c->path))
		return 0;
	if (m->phase == MIRROR_LIVE && !m->live.head &&
	    (c->whole || !has_value(c)))
		rc = tell_now(m, c);
	else
		rc = enqueue(m, c);
	if (rc)
		mu_mirror_stop(m);
	return rc;
}
