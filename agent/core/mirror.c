#include "mirror.h"

#include "bug.h"
#include "err.h"
#include "mem.h"
#include "mirror_impl.h"

#include <string.h>

/* ---- lists of reads ---- */

struct mu_mirror_item *mu_mirror_item_add(struct mu_mirror_list *list,
                                          struct mu_str path)
{
	struct mu_mirror_item *item = mu_alloc(sizeof *item + path.len + 1);

	if (!item)
		return NULL;
	memcpy(item->path, path.at, path.len);
	if (!list->head)
		list->tail = &list->head;
	*list->tail = item;
	list->tail = &item->next;
	list->count++;
	return item;
}

void mu_mirror_item_free(struct mu_mirror_item *item)
{
	mu_mirror_node_free(item->got);
	mu_free(item->change);
	mu_free(item);
}

void mu_mirror_list_pop(struct mu_mirror_list *list)
{
	struct mu_mirror_item *item = list->head;

	list->head = item->next;
	list->count--;
	mu_mirror_item_free(item);
}

void mu_mirror_list_clear(struct mu_mirror_list *list)
{
	while (list->head)
		mu_mirror_list_pop(list);
}

/* ---- life ---- */

int mu_mirror_new(const char *path, enum mu_mirror_mode mode,
                  const struct mu_mirror_limits *limits, mu_mirror_fn *fn,
                  void *arg, struct mu_mirror **out)
{
	struct mu_str top = mu_str_of(path);
	struct mu_mirror *m;
	int rc = mu_path_check(top, NULL);

	if (rc)
		return rc;
	m = mu_alloc(sizeof *m + top.len + 1);
	if (!m)
		return MU_ENOMEM;
	memcpy(m->path, path, top.len);
	m->top = (struct mu_str){ m->path, top.len };
	m->mode = mode;
	m->limits = *limits;
	m->fn = fn;
	m->arg = arg;
	m->fresh = true;
	m->s.unread = true;
	m->s.told.zxid = -1;
	m->s.said.zxid = -1;
	*out = m;
	return 0;
}

void mu_mirror_free(struct mu_mirror *m)
{
	if (!m)
		return;
	mu_mirror_stop(m);
	mu_mirror_table_clear(&m->held);
	mu_free(m);
}

const char *mu_mirror_path(const struct mu_mirror *m)
{
	return m->path;
}

enum mu_mirror_mode mu_mirror_mode(const struct mu_mirror *m)
{
	return m->mode;
}

uint32_t mu_mirror_count(const struct mu_mirror *m)
{
	return m->held.count;
}

bool mu_mirror_is_idle(const struct mu_mirror *m)
{
	return m->phase == MIRROR_IDLE;
}

void mu_mirror_stop(struct mu_mirror *m)
{
	m->phase = MIRROR_IDLE;
	mu_mirror_list_clear(&m->scan);
	mu_mirror_list_clear(&m->live);
	mu_mirror_table_clear(&m->found);
	m->children = NULL;
	m->out = 0;
	m->s.bytes = 0;
	m->s.live = false;
}

void mu_mirror_forget(struct mu_mirror *m)
{
	mu_mirror_table_clear(&m->held);
	m->s.owed = 0;
	m->s.unsaid = false;
	m->told_pzxid = 0;
	m->fresh = true;
}

int mu_mirror_scan(struct mu_mirror *m)
{
	struct mu_mirror_item *item = mu_mirror_item_add(&m->scan, m->top);

	if (!item)
		return MU_ENOMEM;
	item->what = MU_MIRROR_NODE;
	m->start_zxid = 0;
	m->end_zxid = 0;
	m->phase = MIRROR_SCANNING;
	return 0;
}

int mu_mirror_start(struct mu_mirror *m, bool fresh)
{
	mu_mirror_stop(m);
	if (fresh)
		mu_mirror_forget(m);
	/* A watch tells of no place to go on from. */
	m->s.on = false;
	m->s.unread = true;
	m->s.quiet = false;
	m->s.told.zxid = -1;
	return mu_mirror_scan(m);
}

/* ---- what both kinds of reading share ---- */

int mu_mirror_admit(const struct mu_mirror *m, struct mu_mirror_table *t,
                    size_t len, const struct mu_mirror_node *old)
{
	size_t others = t->bytes - (old ? old->data.len : 0);

	if (len > m->limits.bytes_max || others > m->limits.bytes_max - len)
		return MU_ETOOBIG;
	if (old)
		return 0;
	return t->count < m->limits.nodes_max ? mu_mirror_table_reserve(t)
	                                      : MU_ETOOBIG;
}

int mu_mirror_tell(struct mu_mirror *m, uint32_t type, uint32_t count,
                   int64_t zxid, const struct mu_mirror_node *now,
                   const struct mu_mirror_node *old)
{
	const struct mu_mirror_node *any = now ? now : old;
	struct mu_mirror_event e = { .type = type, .count = count };

	e.zxid = zxid;
	e.path = (struct mu_str){ any->path, any->len };
	if (now) {
		e.data = now->data;
		e.stat = &now->stat;
	}
	if (old && !old->ghost)
		e.old_data = old->data;
	if (m->phase == MIRROR_SCANNING && !m->fresh)
		e.flags = MU_EVENT_COALESCED;
	return m->fn(m->arg, &e);
}

uint32_t mu_mirror_steps(const struct mu_stat *old, const struct mu_stat *now)
{
	uint32_t d = (uint32_t)now->version - (uint32_t)old->version;

	/* Another life of the path: it was deleted and created between. */
	if (old->czxid != now->czxid)
		return 2;
	return d && d < INT32_MAX ? d : 1;
}

/* ---- reads ---- */

static bool hand_out(struct mu_mirror *m, struct mu_mirror_list *list,
                     struct mu_mirror_read *out)
{
	struct mu_mirror_item *i = list->head;

	while (i && i->state != ITEM_QUEUED)
		i = i->next;
	if (!i)
		return false;
	i->state = ITEM_OUT;
	i->id = ++m->last_id;
	m->out++;
	if (m->children == i)
		m->children = NULL;
	*out = (struct mu_mirror_read){ i->id, i->what, i->path };
	return true;
}

bool mu_mirror_read_next(struct mu_mirror *m, struct mu_mirror_read *out)
{
	if (m->phase == MIRROR_IDLE || m->out >= MU_MIRROR_OUT_MAX)
		return false;
	if (m->phase == MIRROR_SCANNING)
		return hand_out(m, &m->scan, out);
	return hand_out(m, &m->live, out);
}

/* ---- live events ---- */

static int apply_value(struct mu_mirror *m, struct mu_mirror_item *item)
{
	struct mu_mirror_node *now = item->got;
	struct mu_mirror_node *old = mu_mirror_table_find(
		&m->held, (struct mu_str){ now->path, now->len });
	uint32_t type = MU_EVENT_CREATED, count = 1;
	bool known = old && !old->ghost;
	bool same_life = known && old->stat.czxid == now->stat.czxid;
	int rc;

	if (same_life && old->stat.mzxid >= now->stat.mzxid)
		return 0; /* told already, with an earlier event */
	if (known) {
		type = MU_EVENT_CHANGED;
		count = mu_mirror_steps(&old->stat, &now->stat);
	} else if (now->stat.version > 0) {
		count += (uint32_t)now->stat.version;
	}
	if (old)
		count += old->unseen;
	rc = mu_mirror_admit(m, &m->held, now->data.len, old);
	if (rc)
		return rc;
	rc = mu_mirror_tell(m, type, count,
	                    item->zxid >= 0 ? item->zxid : now->stat.mzxid, now,
	                    old);
	if (rc)
		return rc;
	if (!same_life && mu_str_eq(m->top, mu_str_of(now->path))) {
		m->told_pzxid = now->stat.pzxid;
		m->told_cversion = now->stat.cversion;
		m->told_n = INT32_MAX;
	}
	mu_mirror_table_put(&m->held, now);
	item->got = NULL;
	return 0;
}

static int apply_deleted(struct mu_mirror *m, struct mu_mirror_item *item)
{
	struct mu_mirror_node *n =
		mu_mirror_table_find(&m->held, mu_str_of(item->path));
	int rc;

	/* Not held: the reading that missed it told so. Held from a later
	 * creation: that one's event stands for this too. */
	if (!n || (item->zxid >= 0 && item->zxid <= n->stat.czxid))
		return 0;
	rc = mu_mirror_tell(m, MU_EVENT_DELETED, 1 + n->unseen,
	                    item->zxid >= 0 ? item->zxid : m->last_zxid, NULL,
	                    n);
	if (rc)
		return rc;
	mu_mirror_table_take(&m->held, n);
	mu_mirror_node_free(n);
	return 0;
}

/* The list of children moved, and nothing else is told: a newer value, if there
 * is one, has an event of its own coming. */
static int apply_children(struct mu_mirror *m, struct mu_mirror_item *item)
{
	struct mu_mirror_node *top = mu_mirror_table_find(&m->held, m->top);
	struct mu_mirror_node *now = item->got;
	struct mu_stat was;
	uint32_t count;
	int rc;

	if (!top || top->ghost || now->stat.pzxid <= m->told_pzxid)
		return 0;
	count = (uint32_t)now->stat.cversion - (uint32_t)m->told_cversion;
	if (count == 0 || count > INT32_MAX)
		count = 1;
	was = top->stat;
	top->stat.pzxid = now->stat.pzxid;
	top->stat.cversion = now->stat.cversion;
	top->stat.num_children = now->stat.num_children;
	rc = mu_mirror_tell(m, MU_EVENT_CHILDREN, count,
	                    item->zxid >= 0 ? item->zxid : now->stat.pzxid, top,
	                    top);
	if (rc) {
		top->stat = was;
		return rc;
	}
	m->told_pzxid = now->stat.pzxid;
	m->told_cversion = now->stat.cversion;
	m->told_n = INT32_MAX;
	return 0;
}

static int unread(struct mu_mirror *m, const struct mu_mirror_item *item)
{
	struct mu_mirror_event e = { .count = 1,
		                     .zxid = item->zxid,
		                     .path = mu_str_of(item->path) };

	if (item->zxid < 0)
		e.zxid = m->last_zxid;
	return mu_mirror_unread(m, &e);
}

static int apply(struct mu_mirror *m, struct mu_mirror_item *item)
{
	if (item->change)
		return mu_mirror_change_apply(m, item);
	if (item->type == MU_EVENT_DELETED)
		return apply_deleted(m, item);
	if (item->got && item->type == MU_EVENT_CHILDREN)
		return apply_children(m, item);
	if (item->got)
		return apply_value(m, item);
	if (item->rc == MU_ENONODE && item->type != MU_EVENT_CHILDREN)
		return mu_mirror_unseen(m, mu_str_of(item->path), item->zxid);
	if (item->rc && item->rc != MU_ENONODE)
		return unread(m, item);
	return 0; /* gone, or its read fell to a later one */
}

int mu_mirror_settle(struct mu_mirror *m)
{
	while (m->phase == MIRROR_LIVE && m->live.head &&
	       m->live.head->state == ITEM_DONE) {
		int rc = apply(m, m->live.head);

		if (rc) {
			mu_mirror_stop(m);
			return rc;
		}
		mu_mirror_change_told(m, m->live.head);
		mu_mirror_list_pop(&m->live);
	}
	return 0;
}

bool mu_mirror_covers(const struct mu_mirror *m, int type, struct mu_str path)
{
	bool top = mu_str_eq(path, m->top);
	bool lists = m->s.on || m->mode == MU_MIRROR_EXACT;

	if (type < MU_EVENT_CREATED || type > MU_EVENT_CHILDREN)
		return false;
	if (type == MU_EVENT_CHILDREN)
		return top && lists;
	if (m->mode == MU_MIRROR_EXACT)
		return top;
	if (top || m->mode == MU_MIRROR_SUBTREE)
		return top || mu_path_is_within(path, m->top);
	return path.len > 1 && mu_str_eq(mu_path_parent(path), m->top);
}

static int enqueue(struct mu_mirror *m, uint32_t type, struct mu_str path,
                   int64_t zxid)
{
	struct mu_mirror_item *item = mu_mirror_item_add(&m->live, path);

	if (!item)
		return MU_ENOMEM;
	item->type = (int)type;
	item->zxid = zxid;
	item->what = MU_MIRROR_NODE;
	item->state = type == MU_EVENT_DELETED ? ITEM_DONE : ITEM_QUEUED;
	if (type != MU_EVENT_CHILDREN)
		return 0;
	/* One read of the top answers for all that were not sent yet. */
	if (m->children)
		m->children->state = ITEM_DONE;
	m->children = item;
	return 0;
}

int mu_mirror_notify(struct mu_mirror *m, int type, const char *path,
                     int64_t zxid)
{
	struct mu_str at = mu_str_of(path);
	int rc;

	if (m->phase == MIRROR_IDLE || m->s.on ||
	    !mu_mirror_covers(m, type, at))
		return 0;
	if (m->live.count >= m->limits.queue_max)
		return mu_mirror_start(m, false);
	rc = enqueue(m, (uint32_t)type, at, zxid);
	if (!rc && type != MU_EVENT_CHANGED && m->mode != MU_MIRROR_EXACT &&
	    at.len > 1 && mu_str_eq(mu_path_parent(at), m->top))
		rc = enqueue(m, MU_EVENT_CHILDREN, m->top, zxid);
	if (rc) {
		mu_mirror_stop(m);
		return rc;
	}
	return mu_mirror_settle(m);
}

/* ---- answers ---- */

static struct mu_mirror_item *find_out(struct mu_mirror_list *list, uint32_t id)
{
	struct mu_mirror_item *i = list->head;

	while (i && (i->state != ITEM_OUT || i->id != id))
		i = i->next;
	return i;
}

static int live_done(struct mu_mirror *m, struct mu_mirror_item *item,
                     const struct mu_mirror_answer *a)
{
	item->rc = a->rc;
	item->seen_zxid = a->zxid;
	item->state = ITEM_DONE;
	if (a->rc == 0) {
		item->got = mu_mirror_node_new(mu_str_of(item->path), a->data,
		                               a->stat);
		if (!item->got) {
			mu_mirror_stop(m);
			return MU_ENOMEM;
		}
	}
	return mu_mirror_settle(m);
}

bool mu_mirror_may_pass(int rc)
{
	return rc && rc != MU_ENONODE && rc != MU_ENOAUTH;
}

static bool comes_again(struct mu_mirror_item *item, int rc)
{
	if (rc == MU_EFULL || rc == MU_ETHROTTLED)
		return true;
	return mu_mirror_may_pass(rc) && ++item->tries < MU_MIRROR_TRIES_MAX;
}

int mu_mirror_read_done(struct mu_mirror *m, uint32_t id,
                        const struct mu_mirror_answer *a)
{
	struct mu_mirror_item *item;
	bool scan = m->phase == MIRROR_SCANNING;
	int rc;

	item = find_out(scan ? &m->scan : &m->live, id);
	if (m->phase == MIRROR_IDLE || !item)
		return 0;
	m->out--;
	if (a->zxid > m->last_zxid)
		m->last_zxid = a->zxid;
	if (scan && !m->start_zxid)
		m->start_zxid = a->zxid;
	if (scan && a->zxid > m->end_zxid)
		m->end_zxid = a->zxid;
	if (comes_again(item, a->rc)) {
		item->state = ITEM_QUEUED;
		return 0;
	}
	if (!scan)
		return live_done(m, item, a);
	rc = mu_mirror_scan_done(m, item, a);
	if (!rc && m->phase == MIRROR_SCANNING && !m->scan.head) {
		bool fresh = m->fresh;

		m->phase = MIRROR_LIVE;
		m->fresh = false;
		mu_mirror_stream_read(m, fresh);
		return mu_mirror_settle(m);
	}
	if (rc)
		mu_mirror_stop(m);
	return rc;
}
