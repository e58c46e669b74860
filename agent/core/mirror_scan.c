/* Reading all of a subscription, and telling what differs from what is held. */
#include "bug.h"
#include "mem.h"
#include "mirror_impl.h"

#include <string.h>

struct difference {
	uint32_t type, count;
	int64_t zxid;
	const char *path;
	struct mu_mirror_node *now, *old; /* in found, in held; or NULL */
};

struct differences {
	struct difference *at;
	size_t count;
};

static void list_remove(struct mu_mirror_list *list,
                        struct mu_mirror_item *item)
{
	struct mu_mirror_item **p = &list->head;

	while (*p != item)
		p = &(*p)->next;
	*p = item->next;
	if (!*p)
		list->tail = p;
	list->count--;
	mu_mirror_item_free(item);
}

/* ---- gathering ---- */

static int add_read(struct mu_mirror *m, struct mu_str path,
                    enum mu_mirror_what what)
{
	struct mu_mirror_item *item = mu_mirror_item_add(&m->scan, path);

	if (!item)
		return MU_ENOMEM;
	item->what = what;
	return 0;
}

static int add_children(struct mu_mirror *m, const char *parent,
                        const struct mu_mirror_answer *a)
{
	size_t len = strlen(parent);
	int rc = 0;

	/* Nodes and names still to be read are each at most nodes_max. */
	if (m->found.count + a->count > m->limits.nodes_max ||
	    m->scan.count + a->count > 2 * (size_t)m->limits.nodes_max)
		return MU_ETOOBIG;
	if (len == 1)
		len = 0; /* "/" + name */
	for (size_t i = 0; i < a->count && !rc; i++) {
		size_t n = strlen(a->names[i]);
		char *path = mu_alloc(len + n + 2);

		if (!path)
			return MU_ENOMEM;
		memcpy(path, parent, len);
		path[len] = '/';
		memcpy(path + len + 1, a->names[i], n);
		rc = add_read(m, mu_str_of(path), MU_MIRROR_NODE);
		mu_free(path);
	}
	return rc;
}

static int add_node(struct mu_mirror *m, struct mu_str path,
                    const struct mu_mirror_answer *a)
{
	struct mu_mirror_node *n;
	int rc = mu_mirror_admit(m, &m->found, a->rc ? 0 : a->data.len, NULL);

	if (rc)
		return rc;
	n = mu_mirror_node_new(path, a->rc ? (struct mu_str){ 0 } : a->data,
	                       a->rc ? NULL : a->stat);
	if (!n)
		return MU_ENOMEM;
	n->kept = a->rc != 0;
	if (n->kept && m->s.quiet) {
		mu_mirror_node_free(n);
		return 0;
	}
	mu_mirror_table_put(&m->found, n);
	if (n->kept || n->stat.num_children == 0 || m->mode == MU_MIRROR_EXACT)
		return 0;
	if (m->mode == MU_MIRROR_CHILDREN && !mu_str_eq(path, m->top))
		return 0;
	return add_read(m, path, MU_MIRROR_NAMES);
}

/* ---- comparing ---- */

static bool comes_before(const struct difference *a, const struct difference *b)
{
	bool a_list = a->type == MU_EVENT_CHILDREN;
	bool b_list = b->type == MU_EVENT_CHILDREN;

	if (a->zxid != b->zxid)
		return a->zxid < b->zxid;
	if (a_list != b_list)
		return b_list;
	return strcmp(a->path, b->path) < 0;
}

static void sift(struct difference *at, size_t i, size_t count)
{
	for (;;) {
		size_t big = i, left = 2 * i + 1;
		struct difference swap;

		if (left < count && comes_before(&at[big], &at[left]))
			big = left;
		if (left + 1 < count && comes_before(&at[big], &at[left + 1]))
			big = left + 1;
		if (big == i)
			return;
		swap = at[i];
		at[i] = at[big];
		at[big] = swap;
		i = big;
	}
}

static void sort(struct difference *at, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift(at, i, count);
	for (size_t i = count; i-- > 1;) {
		struct difference swap = at[0];

		at[0] = at[i];
		at[i] = swap;
		sift(at, 0, i);
	}
}

static void note(struct differences *d, uint32_t type, uint32_t count,
                 int64_t zxid, struct mu_mirror_node *now,
                 struct mu_mirror_node *old)
{
	d->at[d->count++] = (struct difference){
		type, count, zxid, now ? now->path : old->path, now, old
	};
}

/* Likewise it may change the list many times. */
static bool is_list_newer(const struct mu_mirror *m, const struct mu_stat *now)
{
	if (now->pzxid != m->told_pzxid)
		return now->pzxid > m->told_pzxid;
	return m->told_n != INT32_MAX && now->cversion != m->told_cversion;
}

static void compare_node(struct mu_mirror *m, struct differences *d,
                         struct mu_mirror_node *now)
{
	struct mu_str path = { now->path, now->len };
	struct mu_mirror_node *old = mu_mirror_table_find(&m->held, path);
	uint32_t type = m->fresh ? MU_EVENT_PRESENT : MU_EVENT_CREATED;
	uint32_t count = 1;

	if (now->kept)
		return;
	if (!old || old->ghost) {
		if (!m->fresh && now->stat.version > 0)
			count += (uint32_t)now->stat.version;
		note(d, type, count, now->stat.mzxid, now, old);
		return;
	}
	/* One transaction may set it twice, and only one was told. */
	if (old->past || old->stat.mzxid != now->stat.mzxid ||
	    old->stat.czxid != now->stat.czxid ||
	    old->stat.version != now->stat.version)
		note(d, MU_EVENT_CHANGED,
		     mu_mirror_steps(&old->stat, &now->stat), now->stat.mzxid,
		     now, old);
	if (mu_str_eq(path, m->top) && old->stat.czxid == now->stat.czxid &&
	    is_list_newer(m, &now->stat)) {
		count = (uint32_t)now->stat.cversion -
		        (uint32_t)m->told_cversion;
		note(d, MU_EVENT_CHILDREN,
		     count && count < INT32_MAX ? count : 1, now->stat.pzxid,
		     now, old);
	}
}

/* True for a node below one that could not be read: nothing is known of it. */
static bool is_shadowed(const struct mu_mirror *m, struct mu_str path)
{
	while (path.len > m->top.len) {
		const struct mu_mirror_node *n;

		path = mu_path_parent(path);
		n = mu_mirror_table_find(&m->found, path);
		if (n && n->kept)
			return true;
	}
	return false;
}

static void compare(struct mu_mirror *m, struct differences *d)
{
	struct mu_mirror_node *n = NULL;

	while ((n = mu_mirror_table_next(&m->found, n)))
		compare_node(m, d, n);
	while ((n = mu_mirror_table_next(&m->held, n))) {
		struct mu_str path = { n->path, n->len };

		if (!mu_mirror_table_find(&m->found, path) &&
		    !is_shadowed(m, path))
			note(d, MU_EVENT_DELETED, 1 + n->unseen, m->start_zxid,
			     NULL, n);
	}
	sort(d->at, d->count);
}

/* ---- telling ---- */

/* The sink has taken it: from now on it is what is held. */
static void commit(struct mu_mirror *m, const struct difference *d)
{
	struct mu_str top = m->top;

	bool same_life = d->type == MU_EVENT_CHANGED &&
	                 d->old->stat.czxid == d->now->stat.czxid;

	if (d->now && mu_str_eq(mu_str_of(d->now->path), top) && !same_life) {
		m->told_pzxid = d->now->stat.pzxid;
		m->told_cversion = d->now->stat.cversion;
		m->told_n = INT32_MAX;
	}
	if (d->type == MU_EVENT_CHILDREN)
		return;
	if (d->now) {
		mu_mirror_table_take(&m->found, d->now);
		mu_mirror_table_put(&m->held, d->now);
		return;
	}
	mu_mirror_table_take(&m->held, d->old);
	mu_mirror_node_free(d->old);
}

static int tell_children(struct mu_mirror *m, const struct difference *d)
{
	struct mu_mirror_node *top = mu_mirror_table_find(&m->held, m->top);
	struct mu_stat was = top->stat;
	int rc;

	/* As of the last event of its value; the rest comes with the next. */
	top->stat.pzxid = d->now->stat.pzxid;
	top->stat.cversion = d->now->stat.cversion;
	top->stat.num_children = d->now->stat.num_children;
	rc = mu_mirror_tell(m, d->type, d->count, d->zxid, top, top);
	if (rc)
		top->stat = was;
	return rc;
}

static int tell(struct mu_mirror *m, const struct difference *d)
{
	int rc;

	if (d->type == MU_EVENT_CHILDREN) {
		rc = tell_children(m, d);
	} else {
		/* So that commit cannot fail. */
		rc = d->now ? mu_mirror_table_reserve(&m->held) : 0;
		if (!rc)
			rc = mu_mirror_tell(m, d->type, d->count, d->zxid,
			                    d->now, d->old);
	}
	if (!rc)
		commit(m, d);
	return rc;
}

/* Hold what was found, and tell nobody. */
static void finish_quietly(struct mu_mirror *m)
{
	struct mu_mirror_node *n = NULL;

	while ((n = mu_mirror_table_next(&m->found, n))) {
		n->quiet = true;
		if (!mu_str_eq(mu_str_of(n->path), m->top))
			continue;
		m->told_pzxid = n->stat.pzxid;
		m->told_cversion = n->stat.cversion;
		m->told_n = INT32_MAX;
	}
	mu_mirror_table_clear(&m->held);
	m->held = m->found;
	m->found = (struct mu_mirror_table){ 0 };
}

static int finish(struct mu_mirror *m)
{
	/* A node gives one difference, the top two. */
	size_t most = (size_t)m->found.count + m->held.count + 1;
	struct differences d = { mu_alloc(most * sizeof *d.at), 0 };
	int rc = 0;

	if (!d.at)
		return MU_ENOMEM;
	compare(m, &d);
	rc = mu_mirror_gap_tell(m);
	for (size_t i = 0; i < d.count && !rc; i++)
		rc = tell(m, &d.at[i]);
	mu_free(d.at);
	mu_mirror_table_clear(&m->found);
	return rc;
}

int mu_mirror_scan_done(struct mu_mirror *m, struct mu_mirror_item *item,
                        const struct mu_mirror_answer *a)
{
	int rc = 0;

	if (item->what == MU_MIRROR_NODE && a->rc != MU_ENONODE)
		rc = add_node(m, mu_str_of(item->path), a);
	else if (item->what == MU_MIRROR_NAMES && a->rc == 0)
		rc = add_children(m, item->path, a);
	else if (item->what == MU_MIRROR_NAMES && a->rc != MU_ENONODE)
		rc = a->rc;
	list_remove(&m->scan, item);
	if (rc || m->scan.head)
		return rc;
	if (!m->s.quiet)
		return finish(m);
	finish_quietly(m);
	return 0;
}

/* ---- telling it all again ---- */

int mu_mirror_present(const struct mu_mirror *m, mu_mirror_fn *fn, void *arg)
{
	size_t most = (size_t)m->held.count + 1;
	struct differences d = { mu_alloc(most * sizeof *d.at), 0 };
	struct mu_mirror_node *n = NULL;
	int rc = 0;

	if (!d.at)
		return MU_ENOMEM;
	while ((n = mu_mirror_table_next(&m->held, n)))
		if (!n->ghost)
			note(&d, MU_EVENT_PRESENT, 1, n->stat.mzxid, n, NULL);
	sort(d.at, d.count);
	for (size_t i = 0; i < d.count && !rc; i++) {
		struct mu_mirror_event e = { .type = MU_EVENT_PRESENT,
			                     .count = 1,
			                     .zxid = d.at[i].zxid };

		n = d.at[i].now;
		e.path = (struct mu_str){ n->path, n->len };
		e.data = n->data;
		e.stat = &n->stat;
		rc = fn(arg, &e);
	}
	mu_free(d.at);
	return rc;
}
