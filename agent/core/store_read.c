/* Requests answered from applied state. Rules 26, 29, 37, 68, 72, 98. */
#include "store_read.h"

bool mu_read_too_big(const struct reading *r, const struct mu_buf *out)
{
	return out->len - r->answer_from > r->s->config.reply_max;
}

bool mu_read_may(const struct reading *r, mu_node_id id, int32_t perms)
{
	const struct mu_tree *t = r->s->tree;
	struct mu_vec acl;

	if (mu_tree_is_open(t, id))
		return true;
	acl = mu_tree_acl(t, id);
	return mu_peer_may(r->p, &acl, perms);
}

/* again: the client had it before its link ended. It stays then even if paths may
 * no more be so long: to refuse it would end that client, or all that it watches. */
static int add_watch(struct reading *r, struct mu_str path, unsigned kinds,
                     bool again)
{
	struct mu_store *s = r->s;
	uint32_t link = r->p->number;

	if (!again && !mu_path_fits(s, path))
		return MU_EINVAL;
	if (mu_interests_full(s) && !mu_watches_held(s->watches, link, path))
		return MU_EFULL;
	return mu_watches_add(s->watches, link, path, kinds);
}

/* ---- exists, getData, getChildren, getChildren2 ---- */

/* Decode the request and find its node; `kinds` is what it would leave. */
static int find_node(struct reading *r, unsigned kinds, mu_node_id *id)
{
	struct mu_path_watch_request q;

	if (mu_get_path_watch(&r->in, &q))
		return MU_EMARSHAL;
	if (mu_path_check(q.path, NULL))
		return MU_EINVAL;
	r->path = q.path;
	*id = mu_tree_find(r->s->tree, q.path);
	if (*id && !mu_read_may(r, *id, MU_PERM_READ))
		return MU_ENOAUTH;
	if (q.watch && (*id || r->h->op == MU_OP_EXISTS)) /* rule 29 */
		r->kinds = kinds;
	return *id ? 0 : MU_ENONODE;
}

void mu_read_put_stat(const struct reading *r, mu_node_id id,
                      struct mu_buf *out)
{
	struct mu_stat stat;

	mu_tree_stat(r->s->tree, id, &stat);
	mu_put_stat(out, &stat);
}

static int read_exists(struct reading *r, struct mu_buf *out)
{
	mu_node_id id;
	int err = find_node(r, MU_WATCH_DATA, &id);

	if (!err)
		mu_read_put_stat(r, id, out);
	return err;
}

int mu_read_data(struct reading *r, struct mu_buf *out)
{
	const uint8_t *data;
	mu_node_id id;
	int32_t len;
	int err = find_node(r, MU_WATCH_DATA, &id);

	if (err)
		return err;
	data = mu_tree_data(r->s->tree, id, &len);
	mu_put_data(out, data, len);
	mu_read_put_stat(r, id, out);
	return 0;
}

int mu_read_children(struct reading *r, struct mu_buf *out)
{
	const struct mu_tree *t = r->s->tree;
	mu_node_id id;
	int err = find_node(r, MU_WATCH_CHILD, &id);

	if (err)
		return err;
	mu_put_int(out, (int32_t)mu_tree_children(t, id));
	for (mu_node_id c = mu_tree_first(t, id); c; c = mu_tree_next(t, c)) {
		mu_put_str(out, mu_tree_name(t, c));
		if (mu_read_too_big(r, out))
			return MU_ETOOBIG;
	}
	if (r->h->op == MU_OP_GET_CHILDREN2)
		mu_read_put_stat(r, id, out);
	return 0;
}

/* ---- sync, addWatch ---- */

static int read_sync(struct reading *r, struct mu_buf *out)
{
	struct mu_sync_request q;

	if (mu_get_sync(&r->in, &q))
		return MU_EMARSHAL;
	mu_put_str(out, q.path);
	return 0;
}

static int read_add_watch(struct reading *r, struct mu_buf *out)
{
	struct mu_add_watch_request q;

	if (mu_get_add_watch(&r->in, &q) || q.mode < 0 || q.mode > 1)
		return MU_EMARSHAL; /* rule 26 */
	if (mu_path_check(q.path, NULL))
		return MU_EINVAL;
	r->path = q.path;
	r->kinds = q.mode ? MU_WATCH_RECURSIVE : MU_WATCH_PERSISTENT;
	mu_put_int(out, 0); /* rule 98 */
	return 0;
}

/* ---- setWatches, setWatches2: rule 37 ---- */

/* What happened to a node since `rel`; 0: nothing, the watch is armed again. */
typedef int missed_fn(const struct mu_tree *t, mu_node_id id, int64_t rel);

static int missed_by_data(const struct mu_tree *t, mu_node_id id, int64_t rel)
{
	if (!id)
		return MU_NODE_DELETED;
	return mu_tree_mzxid(t, id) > rel ? MU_NODE_DATA_CHANGED : 0;
}

static int missed_by_exist(const struct mu_tree *t, mu_node_id id, int64_t rel)
{
	(void)t;
	(void)rel;
	return id ? MU_NODE_CREATED : 0;
}

static int missed_by_child(const struct mu_tree *t, mu_node_id id, int64_t rel)
{
	if (!id)
		return MU_NODE_DELETED;
	return mu_tree_pzxid(t, id) > rel ? MU_NODE_CHILDREN_CHANGED : 0;
}

/* Rule 38: persistent watches are registered again, and that is all. */
static int missed_by_persistent(const struct mu_tree *t, mu_node_id id,
                                int64_t rel)
{
	(void)t;
	(void)id;
	(void)rel;
	return 0;
}

/* Rule 36, and better: also what was missed is told only to who may read it. */
static int tell_missed(struct reading *r, int event, struct mu_str path,
                       mu_node_id id)
{
	struct mu_fx *fx = &r->s->fx;
	size_t mark;

	if (id && !mu_read_may(r, id, MU_PERM_READ))
		return 0;
	mark = mu_fx_begin(fx);
	mu_put_reply_header(&fx->bytes, MU_XID_NOTIFICATION, -1, 0);
	mu_put_watcher_event(&fx->bytes, event, MU_STATE_CONNECTED, path);
	r->s->stats.events++;
	return mu_fx_send(fx, mark, r->p->number);
}

static bool paths_are_legal(const struct mu_vec *v)
{
	struct mu_in in = mu_in_of(v->at, v->len);

	for (int32_t i = 0; i < v->count; i++)
		if (mu_path_check(mu_get_str(&in), NULL))
			return false;
	return true;
}

static int resume(struct reading *r, const struct mu_vec *v, int64_t rel,
                  missed_fn *missed, unsigned kind)
{
	const struct mu_tree *t = r->s->tree;
	struct mu_in in = mu_in_of(v->at, v->len);
	int err = 0;

	for (int32_t i = 0; i < v->count && !err; i++) {
		struct mu_str path = mu_get_str(&in);
		mu_node_id id = mu_tree_find(t, path);
		int event = missed(t, id, rel);

		if (event)
			err = tell_missed(r, event, path, id);
		else
			err = add_watch(r, path, kind, true);
	}
	return err;
}

static int set_watches(struct reading *r)
{
	struct mu_set_watches q;
	const struct {
		const struct mu_vec *paths;
		missed_fn *missed;
		unsigned kind;
	} rows[] = {
		{ &q.data, missed_by_data, MU_WATCH_DATA },
		{ &q.exist, missed_by_exist, MU_WATCH_DATA },
		{ &q.child, missed_by_child, MU_WATCH_CHILD },
		{ &q.persistent, missed_by_persistent, MU_WATCH_PERSISTENT },
		{ &q.recursive, missed_by_persistent, MU_WATCH_RECURSIVE },
	};
	const size_t count = sizeof rows / sizeof rows[0];
	int err = 0;

	if (mu_get_set_watches(&r->in, r->h->op == MU_OP_SET_WATCHES2, &q))
		return MU_EMARSHAL;
	for (size_t i = 0; i < count; i++)
		if (!paths_are_legal(rows[i].paths))
			return MU_EINVAL;
	for (size_t i = 0; i < count && !err; i++)
		err = resume(r, rows[i].paths, q.relative_zxid, rows[i].missed,
		             rows[i].kind);
	return err;
}

/* ---- the whole ---- */

static const struct read_row {
	int32_t op;
	int (*before)(struct reading *r); /* what goes out in front of it */
	int (*body)(struct reading *r, struct mu_buf *out);
} rows[] = {
	{ MU_OP_EXISTS, NULL, read_exists },
	{ MU_OP_GET_DATA, NULL, mu_read_data },
	{ MU_OP_GET_CHILDREN, NULL, mu_read_children },
	{ MU_OP_GET_CHILDREN2, NULL, mu_read_children },
	{ MU_OP_SYNC, NULL, read_sync },
	{ MU_OP_ADD_WATCH, NULL, read_add_watch },
	{ MU_OP_GET_ACL, NULL, mu_read_acl },
	{ MU_OP_MULTI_READ, NULL, mu_read_multi },
	{ MU_OP_GET_EPHEMERALS, NULL, mu_read_ephemerals },
	{ MU_OP_GET_ALL_CHILDREN_NUMBER, NULL, mu_read_all_children },
	{ MU_OP_WHO_AM_I, NULL, mu_read_who_am_i },
	{ MU_OP_CHECK_WATCHES, NULL, mu_read_check_watches },
	{ MU_OP_REMOVE_WATCHES, NULL, mu_read_remove_watches },
	{ MU_OP_SUBSCRIBE, mu_before_subscribe, mu_read_subscribe },
	{ MU_OP_UNSUBSCRIBE, NULL, mu_read_unsubscribe },
	{ MU_OP_SET_WATCHES, set_watches, NULL },
	{ MU_OP_SET_WATCHES2, set_watches, NULL },
};

static const struct read_row *row_of(int32_t op)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].op == op)
			return &rows[i];
	return NULL;
}

bool mu_is_read(int32_t op)
{
	return row_of(op) != NULL;
}

/* Write the body; leave the watch only when the answer is sure to go out, or
 * when there is no node to answer about and exists asked (rule 29). */
static int answer(struct reading *r, const struct read_row *row,
                  struct mu_buf *out)
{
	int err = row->body ? row->body(r, out) : 0;
	int watch_err;

	if (!err && mu_read_too_big(r, out))
		err = MU_ETOOBIG;
	if (mu_buf_failed(out) || mu_fx_reserve(&r->s->fx))
		return MU_ENOMEM;
	if (!r->kinds || (err && err != MU_ENONODE))
		return err;
	watch_err = add_watch(r, r->path, r->kinds, false);
	return watch_err ? watch_err : err;
}

void mu_read(struct mu_store *s, struct mu_peer *p,
             const struct mu_request_header *h, struct mu_in body)
{
	const struct read_row *row = row_of(h->op);
	struct mu_buf *out = &s->fx.bytes;
	struct reading r = { .s = s, .p = p, .h = h, .in = body };
	int err = row->before ? row->before(&r) : 0;
	size_t mark = mu_fx_begin(&s->fx);

	mu_put_reply_header(out, h->xid, s->zxid, 0);
	r.answer_from = mark;
	if (!err)
		err = answer(&r, row, out);
	if (err) {
		mu_fx_undo(&s->fx, mark);
		mu_reply(s, p, h->xid, s->zxid, err, NULL);
	} else if (mu_fx_send(&s->fx, mark, p->number)) {
		mu_peer_end(s, p, MU_CLOSE_MEMORY);
	} else {
		s->stats.replies++;
	}
}
