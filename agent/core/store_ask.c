/* Reads that few clients ask for. Rules 26, 40, 66, 72, 76, 98. */
#include "store_read.h"

/* ---- multiRead: each operation has its own result, and leaves no watch ---- */

static int read_sub(struct reading *r, int32_t op, struct mu_buf *out)
{
	size_t from = out->len;
	int err;

	mu_put_multi_header(out, op, false, 0);
	err = op == MU_OP_GET_DATA ? mu_read_data(r, out)
	                           : mu_read_children(r, out);
	r->kinds = 0;
	if (!err || err == MU_EMARSHAL || err == MU_ETOOBIG)
		return err;
	if (mu_buf_failed(out))
		return MU_ENOMEM;
	mu_buf_cut(out, from);
	mu_put_multi_header(out, MU_OP_ERROR, false, err);
	mu_put_int(out, err);
	return 0;
}

int mu_read_multi(struct reading *r, struct mu_buf *out)
{
	for (;;) {
		struct mu_multi_header h;
		int err;

		if (mu_get_multi_header(&r->in, &h))
			return MU_EMARSHAL;
		if (h.done)
			break;
		if (h.op != MU_OP_GET_DATA && h.op != MU_OP_GET_CHILDREN)
			return MU_EMARSHAL;
		err = read_sub(r, h.op, out);
		if (err)
			return err;
		if (mu_read_too_big(r, out))
			return MU_ETOOBIG;
	}
	mu_put_multi_header(out, MU_OP_ERROR, true, -1);
	return 0;
}

/* ---- about one node ---- */

/* Decode a path and find its node, of which one of `perms` is needed. */
static int find_at(struct reading *r, int32_t perms, mu_node_id *id)
{
	struct mu_sync_request q;

	if (mu_get_sync(&r->in, &q))
		return MU_EMARSHAL;
	if (mu_path_check(q.path, NULL))
		return MU_EINVAL;
	*id = mu_tree_find(r->s->tree, q.path);
	if (!*id)
		return MU_ENONODE;
	return mu_read_may(r, *id, perms) ? 0 : MU_ENOAUTH;
}

int mu_read_acl(struct reading *r, struct mu_buf *out)
{
	struct mu_vec acl;
	mu_node_id id;
	int err = find_at(r, MU_PERM_READ | MU_PERM_ADMIN, &id);

	if (err)
		return err;
	acl = mu_tree_acl(r->s->tree, id);
	if (mu_read_may(r, id, MU_PERM_ADMIN))
		mu_put_vec(out, &acl);
	else
		mu_put_acl_masked(out, &acl);
	mu_read_put_stat(r, id, out);
	return 0;
}

/* All descendants are walked over: a count kept in each node would cost each of
 * them memory, and each write its depth, for what is hardly ever asked. */
int mu_read_all_children(struct reading *r, struct mu_buf *out)
{
	const struct mu_tree *t = r->s->tree;
	mu_node_id top, id;
	uint32_t count = 0;
	int err = find_at(r, MU_PERM_READ, &top);

	if (err)
		return err;
	if (top == MU_NODE_ROOT)
		count = mu_tree_count(t) - 2; /* rule 72 */
	else
		for (id = top; (id = mu_tree_walk(t, id, top));)
			count++;
	mu_put_int(out, (int32_t)count);
	return 0;
}

/* ---- about the session ---- */

struct listing {
	struct reading *r;
	struct mu_buf *out;
	struct mu_str prefix;
	int32_t count;
};

static int list_one(void *arg, mu_node_id id)
{
	struct listing *l = arg;
	struct mu_buf *path = &l->r->s->scratch;

	mu_buf_reset(path);
	mu_tree_path(l->r->s->tree, id, path);
	if (mu_buf_failed(path))
		return MU_ENOMEM;
	if (path->len < l->prefix.len ||
	    !mu_str_starts((struct mu_str){ (const char *)path->data,
	                                    (uint32_t)path->len },
	                   l->prefix))
		return 0;
	mu_put_data(l->out, path->data, (int32_t)path->len);
	l->count++;
	return mu_read_too_big(l->r, l->out) ? MU_ETOOBIG : 0;
}

/* Null, blank, or "/" between blanks: all. */
static bool means_all(struct mu_str prefix)
{
	while (prefix.len && (uint8_t)prefix.at[0] <= ' ') {
		prefix.at++;
		prefix.len--;
	}
	while (prefix.len && (uint8_t)prefix.at[prefix.len - 1] <= ' ')
		prefix.len--;
	return prefix.len == 0 || mu_str_eq(prefix, MU_STR("/"));
}

int mu_read_ephemerals(struct reading *r, struct mu_buf *out)
{
	struct mu_sync_request q;
	struct listing l = { .r = r, .out = out, .prefix = MU_STR("") };
	size_t at = out->len;
	int err;

	if (mu_get_sync(&r->in, &q))
		return MU_EMARSHAL;
	if (!means_all(q.path))
		l.prefix = q.path;
	mu_put_int(out, 0);
	err = mu_tree_owned(r->s->tree, r->p->session->id, list_one, &l);
	if (err)
		return err;
	if (!mu_buf_failed(out))
		mu_patch_int(out, at, l.count);
	return 0;
}

int mu_read_who_am_i(struct reading *r, struct mu_buf *out)
{
	struct mu_who who = mu_peer_who(r->p);
	struct mu_in in = mu_in_of(who.identities.at, who.identities.len);
	struct mu_str address = mu_origin_address(who.origin);
	bool has_address = mu_ip_is_valid(address);

	mu_put_int(out, who.identities.count + has_address);
	if (has_address) {
		mu_put_str(out, MU_STR("ip"));
		mu_put_str(out, address);
	}
	for (int32_t i = 0; i < who.identities.count; i++) {
		struct mu_acl a = mu_identity_parts(mu_get_str(&in));

		mu_put_str(out, a.scheme);
		mu_put_str(out, mu_identity_user(&a));
	}
	return 0;
}

/* ---- its watches ---- */

#define KINDS_ANY \
	(MU_WATCH_DATA | MU_WATCH_CHILD | MU_WATCH_PERSISTENT | \
	 MU_WATCH_RECURSIVE)

/* Rule 26, by number. */
static const unsigned kinds_of[] = {
	0,         MU_WATCH_CHILD,      MU_WATCH_DATA,
	KINDS_ANY, MU_WATCH_PERSISTENT, MU_WATCH_RECURSIVE
};

static int find_watches(struct reading *r, unsigned *kinds)
{
	struct mu_watches_request q;
	unsigned held;

	if (mu_get_watches(&r->in, &q) || q.type < 1 ||
	    q.type >= (int32_t)(sizeof kinds_of / sizeof kinds_of[0]))
		return MU_EMARSHAL;
	r->path = q.path;
	*kinds = kinds_of[q.type];
	held = mu_watches_held(r->s->watches, r->p->number, q.path);
	return held & *kinds ? 0 : MU_ENOWATCHER;
}

int mu_read_check_watches(struct reading *r, struct mu_buf *out)
{
	unsigned kinds;

	(void)out;
	return find_watches(r, &kinds);
}

int mu_read_remove_watches(struct reading *r, struct mu_buf *out)
{
	unsigned kinds;
	int err = find_watches(r, &kinds);

	(void)out;
	return err ? err
	           : mu_watches_remove(r->s->watches, r->p->number, r->path,
	                               kinds);
}
