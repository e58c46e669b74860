/* Making a node: rules 27, 55, 57, 58, 60, 69, 99. */
#include "command_impl.h"

#include "err.h"

#define SUFFIX_MAX 12u /* "-2147483648" and its final NUL (rule 57) */

/* Where the last '/' of a path stands; false if there is none, or a NUL. */
static bool last_slash(struct mu_str path, uint32_t *at)
{
	bool found = false;

	for (uint32_t i = 0; i < path.len; i++) {
		if (path.at[i] == '\0')
			return false;
		if (path.at[i] == '/') {
			*at = i;
			found = true;
		}
	}
	return found;
}

int mu_run_find_parent(const struct run *r, struct mu_str path,
                       mu_node_id *parent)
{
	struct mu_str up = path;
	uint32_t slash = 0;

	if (!last_slash(path, &slash))
		return MU_EINVAL;
	up.len = slash ? slash : 1;
	*parent = mu_path_check(up, NULL) ? MU_NODE_NONE
	                                  : mu_tree_find(r->tree, up);
	return *parent ? 0 : MU_ENONODE;
}

/* The path as it will be, with its number, in out->path. */
static int final_path(struct run *r, const struct mu_create_request *q,
                      mu_node_id parent)
{
	struct mu_buf *b = &r->out->path;

	mu_buf_reset(b);
	mu_buf_put(b, q->path.at, q->path.len);
	if (mu_mode_is_sequential(q->mode)) {
		char suffix[SUFFIX_MAX];
		size_t n = mu_format(suffix, sizeof suffix, "%010d",
		                     (int)mu_tree_creates(r->tree, parent));

		mu_buf_put(b, suffix, n);
	}
	if (mu_buf_failed(b))
		return MU_ENOMEM;
	return mu_path_check(mu_run_scratch_path(r), NULL);
}

/* Rules 27, 69, 99, 102: a time to live comes with its flag and with createTTL,
 * or not at all. */
static int check_ttl(const struct run *r, int32_t op,
                     const struct mu_create_request *q)
{
	if (!mu_mode_is_ttl(q->mode))
		return op == MU_OP_CREATE_TTL ? MU_EINVAL : 0;
	if (!(r->c->rules & MU_RULE_TTL))
		return MU_EUNIMPLEMENTED;
	return op == MU_OP_CREATE_TTL && q->ttl_ms > 0 &&
	                       q->ttl_ms <= MU_TTL_MAX_MS
	               ? 0
	               : MU_EINVAL;
}

static int64_t owner_of(const struct run *r, int32_t op,
                        const struct mu_create_request *q)
{
	if (op == MU_OP_CREATE_CONTAINER || q->mode == MU_MODE_CONTAINER)
		return MU_OWNER_CONTAINER;
	if (op == MU_OP_CREATE_TTL)
		return MU_OWNER_TTL | q->ttl_ms;
	return mu_mode_is_ephemeral(q->mode) ? r->c->session : 0;
}

/* What is looked at before the tree is; the ACL becomes what is kept. */
static int check_create(struct run *r, int32_t op, struct mu_create_request *q)
{
	uint32_t slash;
	int err;

	if (q->mode < MU_MODE_PERSISTENT ||
	    q->mode > MU_MODE_PERSISTENT_SEQUENTIAL_TTL)
		return MU_EINVAL;
	err = check_ttl(r, op, q);
	if (err)
		return err;
	if (mu_mode_is_ephemeral(q->mode) &&
	    !mu_sessions_find(r->sessions, r->c->session))
		return MU_EEXPIRED;
	if (!last_slash(q->path, &slash))
		return MU_EINVAL;
	return mu_run_fix_acl(r, &q->acl);
}

/* What mu_tree_create would refuse, so that a quota comes last (rule 60). */
static int check_place(const struct run *r, mu_node_id parent,
                       struct mu_str name)
{
	int64_t owner = mu_tree_owner(r->tree, parent);

	if (name.len == 0) /* "/" */
		return MU_EEXISTS;
	if (mu_tree_child(r->tree, parent, name))
		return MU_EEXISTS;
	return owner && !mu_owner_is_mortal(owner) ? MU_ENOCHILDREN : 0;
}

static int place_node(struct run *r, mu_node_id parent, int64_t owner,
                      const struct mu_create_request *q, mu_node_id *id)
{
	struct mu_str path = mu_run_scratch_path(r);
	int32_t len = q->data.at ? (int32_t)q->data.len : -1;
	int err = mu_tree_create(r->tree, parent, mu_path_name(path),
	                         q->data.at, len, owner, &r->stamp, id);

	if (!err && !mu_acl_is_open(&q->acl))
		err = mu_tree_put_acl(r->tree, *id, &q->acl, 0);
	if (!err)
		err = mu_quota_count(r, path, 1, q->data.len);
	if (!err)
		err = mu_quota_made(r, path, *id);
	if (!err)
		mu_run_note_both(r, MU_NODE_CREATED, path, *id);
	return err;
}

static int add_node(struct run *r, const struct mu_create_request *q,
                    int64_t owner, mu_node_id *id)
{
	mu_node_id parent;
	int err = mu_run_find_parent(r, q->path, &parent);

	if (!err)
		err = mu_run_may(r, parent, MU_PERM_CREATE);
	if (!err)
		err = final_path(r, q, parent);
	if (!err)
		err = check_place(r, parent,
		                  mu_path_name(mu_run_scratch_path(r)));
	if (!err)
		err = mu_quota_check(r, mu_run_scratch_path(r), 1, q->data.len);
	return err ? err : place_node(r, parent, owner, q, id);
}

int mu_run_create(struct run *r, int32_t op, struct mu_in *in)
{
	struct mu_create_request q;
	mu_node_id id;
	int err;

	if (mu_get_create(in, op, &q))
		return MU_EDATA;
	err = check_create(r, op, &q);
	if (!err)
		err = add_node(r, &q, owner_of(r, op, &q), &id);
	if (err)
		return err;
	mu_put_str(&r->out->body, mu_run_scratch_path(r));
	if (op != MU_OP_CREATE) /* rule 62 */
		mu_run_put_stat(r, id);
	return 0;
}
