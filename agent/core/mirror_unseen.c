/* Changes whose values were to be read, and could not be: nobody was told of them.
 *
 * Where the node was gone its DELETED stands for them. In a subscription that one
 * comes a little later, and meanwhile other events are told, whose places a cursor
 * may not take: whoever goes on from there would count too few. It comes at or
 * before the zxid of the read that found no node; if it was not told when that is
 * past, it was hidden from us. */
#include "bug.h"
#include "mirror_impl.h"

/* The node was gone before it could be read. Its DELETED will say so; if nobody
 * has heard of it, a ghost stands in for it until then. */
int mu_mirror_unseen(struct mu_mirror *m, struct mu_str path, int64_t zxid)
{
	struct mu_mirror_node *n = mu_mirror_table_find(&m->held, path);
	int rc;

	if (!n) {
		rc = mu_mirror_admit(m, &m->held, 0, NULL);
		if (rc)
			return rc;
		n = mu_mirror_node_new(path, (struct mu_str){ 0 }, NULL);
		if (!n)
			return MU_ENOMEM;
		n->ghost = true;
		n->stat.czxid = zxid;
		mu_mirror_table_put(&m->held, n);
	}
	n->unseen++;
	return 0;
}

int mu_mirror_unread(struct mu_mirror *m, struct mu_mirror_event *e)
{
	e->type = MU_MIRROR_GAP;
	e->alone = true;
	return m->fn(m->arg, e);
}

/* ---- what a subscription owes ---- */

int mu_mirror_owe(struct mu_mirror *m, const struct mu_mirror_change *c,
                  int64_t gone)
{
	struct mu_mirror_stream *s = &m->s;
	struct mu_mirror_node *n;
	int rc = mu_mirror_unseen(m, c->path, c->zxid);

	if (rc)
		return rc;
	n = mu_mirror_table_find(&m->held, c->path);
	if (!n->gone_zxid && s->owed++ == 0)
		s->owed_zxid = gone;
	if (gone < s->owed_zxid)
		s->owed_zxid = gone;
	/* A change is never later than the read behind it. */
	n->gone_zxid = gone < c->zxid ? c->zxid : gone;
	return 0;
}

static struct mu_mirror_node *first_gone(const struct mu_mirror *m)
{
	struct mu_mirror_node *n = NULL, *first = NULL;

	while ((n = mu_mirror_table_next(&m->held, n)))
		if (n->gone_zxid && (!first || n->gone_zxid < first->gone_zxid))
			first = n;
	return first;
}

static int tell_gone(struct mu_mirror *m, struct mu_mirror_node *n)
{
	struct mu_mirror_event e = { .type = MU_EVENT_DELETED,
		                     .flags = MU_EVENT_COALESCED,
		                     .count = 1 + n->unseen,
		                     .zxid = n->gone_zxid,
		                     .path = { n->path, n->len } };
	int rc;

	if (!n->ghost)
		e.old_data = n->data;
	rc = m->fn(m->arg, &e);
	if (rc)
		return rc;
	mu_mirror_table_take(&m->held, n);
	mu_mirror_node_free(n);
	m->s.owed--;
	return 0;
}

int mu_mirror_pay(struct mu_mirror *m, int64_t zxid)
{
	int rc = 0;

	while (!rc && m->s.owed && m->s.owed_zxid <= zxid) {
		struct mu_mirror_node *n = first_gone(m);

		MU_BUG_ON(!n);
		m->s.owed_zxid = n->gone_zxid;
		if (n->gone_zxid <= zxid)
			rc = tell_gone(m, n);
	}
	return rc;
}

void mu_mirror_owe_nothing(struct mu_mirror *m)
{
	struct mu_mirror_node *n = NULL;

	while (m->s.owed && (n = mu_mirror_table_next(&m->held, n)))
		n->gone_zxid = 0;
	m->s.owed = 0;
}
