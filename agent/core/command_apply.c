/* What a command does to the tree and the sessions; see command.h. */
#include "command_impl.h"

#include "bug.h"
#include "err.h"
#include "mem.h"

#include <string.h>

void mu_outcome_fini(struct mu_outcome *out)
{
	mu_buf_fini(&out->body);
	mu_buf_fini(&out->events);
	mu_buf_fini(&out->path);
	mu_buf_fini(&out->acl);
}

/* ---- what is noted of a change ---- */

/* Of a transaction that has noted very much already, data is not. */
static void capture_data(const struct run *r, mu_node_id id,
                         struct mu_change_event *e)
{
	int32_t len;
	const uint8_t *data = mu_tree_data(r->tree, id, &len);

	e->whole = len <= MU_CHANGE_DATA_MAX &&
	           r->out->events.len <= MU_CHANGE_EVENTS_MAX;
	if (e->whole && len >= 0)
		e->data = (struct mu_str){ len ? (const char *)data : "",
			                   (uint32_t)len };
}

static void capture(struct run *r, enum mu_node_event type, struct mu_str path,
                    mu_node_id id)
{
	struct mu_change_event e = { .path = path,
		                     .cause = (int32_t)r->cause,
		                     .session = r->c->session,
		                     .origin = r->origin,
		                     .whole = 1 };

	mu_tree_stat(r->tree, id, &e.stat);
	if (type != MU_NODE_CHILDREN_CHANGED)
		capture_data(r, id, &e);
	mu_put_change_tail(&r->out->events, &e);
}

/* The node may be one that was deleted by this command. */
static void note(struct run *r, enum mu_node_event type, struct mu_str path,
                 mu_node_id id)
{
	uint32_t acl_id = mu_tree_acl_id(r->tree, id);
	struct mu_buf *events = &r->out->events;
	struct mu_vec acl;
	size_t begin;

	if (acl_id)
		acl = mu_tree_acl_at(r->tree, acl_id);
	begin = mu_noted_begin(events, type, acl_id ? &acl : NULL);
	if (r->out->capture)
		capture(r, type, path, id);
	else
		mu_put_str(events, path);
	mu_noted_end(events, begin);
	r->out->event_count++;
}

void mu_run_note_both(struct run *r, enum mu_node_event type,
                      struct mu_str path, mu_node_id id)
{
	note(r, type, path, id);
	note(r, MU_NODE_CHILDREN_CHANGED, mu_path_parent(path),
	     mu_tree_parent(r->tree, id));
}

struct mu_str mu_run_scratch_path(const struct run *r)
{
	return (struct mu_str){ (const char *)r->out->path.data,
		                (uint32_t)r->out->path.len };
}

void mu_run_put_stat(struct run *r, mu_node_id id)
{
	struct mu_stat stat;

	mu_tree_stat(r->tree, id, &stat);
	mu_put_stat(&r->out->body, &stat);
}

/* ---- delete: rules 30, 61 ---- */

static bool is_special(struct mu_str path)
{
	static const struct mu_str special[] = {
		{ "/", 1 },
		{ "/zookeeper", 10 },
		{ "/zookeeper/quota", 16 },
		{ "/zookeeper/config", 17 },
	};

	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
		if (mu_str_eq(path, special[i]))
			return true;
	return false;
}

static int32_t data_len(const struct run *r, mu_node_id id)
{
	int32_t len;

	(void)mu_tree_data(r->tree, id, &len);
	return len < 0 ? 0 : len;
}

static int remove_node(struct run *r, mu_node_id id, struct mu_str path)
{
	int32_t len = data_len(r, id);
	int err = mu_tree_delete(r->tree, id, &r->stamp);

	if (!err)
		err = mu_quota_count(r, path, -1, -len);
	if (!err)
		mu_run_note_both(r, MU_NODE_DELETED, path, id);
	return err;
}

static bool version_fits(const struct run *r, mu_node_id id, int32_t expected)
{
	return expected == -1 || expected == mu_tree_version(r->tree, id);
}

static int run_delete(struct run *r, int32_t op, struct mu_in *in)
{
	struct mu_delete_request q;
	mu_node_id id;
	int err;

	(void)op;
	if (mu_get_delete(in, &q))
		return MU_EDATA;
	if (is_special(q.path))
		return MU_EINVAL;
	err = mu_run_find_parent(r, q.path, &id);
	if (!err)
		err = mu_run_may(r, id, MU_PERM_DELETE);
	if (err)
		return err;
	id = mu_path_check(q.path, NULL) ? MU_NODE_NONE
	                                 : mu_tree_find(r->tree, q.path);
	if (!id)
		return MU_ENONODE;
	if (!version_fits(r, id, q.version))
		return MU_EBADVERSION;
	return remove_node(r, id, q.path);
}

/* ---- setData and check: rules 30, 55, 62 ---- */

static int find_at(const struct run *r, struct mu_str path, int32_t perm,
                   mu_node_id *id)
{
	if (mu_path_check(path, NULL))
		return MU_EINVAL;
	*id = mu_tree_find(r->tree, path);
	return *id ? mu_run_may(r, *id, perm) : MU_ENONODE;
}

static int run_set_data(struct run *r, int32_t op, struct mu_in *in)
{
	struct mu_set_data_request q;
	int64_t more;
	mu_node_id id;
	int err;

	(void)op;
	if (mu_get_set_data(in, &q))
		return MU_EDATA;
	err = find_at(r, q.path, MU_PERM_WRITE, &id);
	if (err)
		return err;
	more = (int64_t)q.data.len - data_len(r, id);
	err = mu_quota_check(r, q.path, 0, more);
	if (err)
		return err;
	if (!version_fits(r, id, q.version))
		return MU_EBADVERSION;
	err = mu_tree_set(r->tree, id, q.data.at,
	                  q.data.at ? (int32_t)q.data.len : -1, &r->stamp);
	if (!err)
		err = mu_quota_count(r, q.path, 0, more);
	if (err)
		return err;
	note(r, MU_NODE_DATA_CHANGED, q.path, id);
	mu_run_put_stat(r, id);
	return 0;
}

static int run_check(struct run *r, int32_t op, struct mu_in *in)
{
	struct mu_check_request q;
	mu_node_id id;
	int err;

	(void)op;
	if (mu_get_check(in, &q))
		return MU_EDATA;
	err = find_at(r, q.path, MU_PERM_READ, &id);
	if (err)
		return err;
	return version_fits(r, id, q.version) ? 0 : MU_EBADVERSION;
}

/* ---- setACL: rules 76, 78 ---- */

static int run_set_acl(struct run *r, struct mu_in *in)
{
	struct mu_set_acl_request q;
	uint32_t next;
	mu_node_id id;
	int err;

	if (mu_get_set_acl(in, &q))
		return MU_EDATA;
	if (mu_path_check(q.path, NULL))
		return MU_EINVAL;
	err = mu_run_fix_acl(r, &q.acl);
	if (!err)
		err = find_at(r, q.path, MU_PERM_ADMIN, &id);
	if (err)
		return err;
	if (q.version != -1 && q.version != mu_tree_aversion(r->tree, id))
		return MU_EBADVERSION;
	next = (uint32_t)mu_tree_aversion(r->tree, id) + 1;
	if (next == UINT32_MAX) /* rule 55 */
		next = 0;
	err = mu_tree_put_acl(r->tree, id, &q.acl, (int32_t)next);
	if (!err)
		mu_run_put_stat(r, id);
	return err;
}

/* ---- deleteContainer: rules 70, 71 ---- */

bool mu_node_is_due(const struct mu_tree *tree, mu_node_id id, int64_t time_ms)
{
	int64_t owner = mu_tree_owner(tree, id);

	if (!owner || mu_tree_children(tree, id))
		return false;
	if (owner == MU_OWNER_CONTAINER)
		return mu_tree_creates(tree, id) != 0;
	return mu_owner_is_mortal(owner) &&
	       time_ms - mu_tree_mtime(tree, id) > (owner & MU_TTL_MAX_MS);
}

static int run_delete_container(struct run *r, struct mu_in *in)
{
	struct mu_delete_container_request q;
	mu_node_id id;

	if (mu_get_delete_container(in, &q))
		return MU_EDATA;
	id = mu_path_check(q.path, NULL) ? MU_NODE_NONE
	                                 : mu_tree_find(r->tree, q.path);
	if (!id)
		return MU_ENONODE;
	r->cause = MU_BY_TTL;
	/* It may have changed since this was logged. */
	if (mu_tree_czxid(r->tree, id) != q.czxid ||
	    !mu_node_is_due(r->tree, id, r->c->time_ms))
		return MU_EBADVERSION;
	return remove_node(r, id, q.path);
}

/* ---- multi: rules 63 to 67 ---- */

typedef int run_fn(struct run *r, int32_t op, struct mu_in *in);

static const struct op_row {
	int32_t op;
	int32_t result; /* type in a multi's result (rule 65) */
	run_fn *run;
} op_rows[] = {
	{ MU_OP_CREATE, MU_OP_CREATE, mu_run_create },
	{ MU_OP_CREATE2, MU_OP_CREATE2, mu_run_create },
	{ MU_OP_CREATE_CONTAINER, MU_OP_CREATE2, mu_run_create },
	{ MU_OP_CREATE_TTL, MU_OP_CREATE2, mu_run_create },
	{ MU_OP_DELETE, MU_OP_DELETE, run_delete },
	{ MU_OP_SET_DATA, MU_OP_SET_DATA, run_set_data },
	{ MU_OP_CHECK, MU_OP_CHECK, run_check },
};

static const struct op_row *row_of(int32_t op)
{
	for (size_t i = 0; i < sizeof op_rows / sizeof op_rows[0]; i++)
		if (op_rows[i].op == op)
			return &op_rows[i];
	return NULL;
}

static bool is_fatal(int err)
{
	return err == MU_ENOMEM || err == MU_EDATA;
}

/* One operation of a multi: 1 at the terminator, else as run_fn. */
static int run_sub(struct run *r, struct mu_in *in)
{
	struct mu_multi_header h;
	const struct op_row *row;

	if (mu_get_multi_header(in, &h))
		return MU_EDATA;
	if (h.done)
		return 1;
	row = row_of(h.op);
	if (!row)
		return MU_EDATA;
	mu_put_multi_header(&r->out->body, row->result, false, 0);
	return row->run(r, h.op, in);
}

static int count_subs(struct mu_in in, uint32_t *count)
{
	struct mu_buf none;
	struct mu_multi_header h;

	mu_buf_init(&none);
	none.failed = true; /* decode only: a failed buffer takes nothing */
	for (*count = 0;; ++*count) {
		if (mu_get_multi_header(&in, &h))
			return MU_EDATA;
		if (h.done)
			return 0;
		if (h.op == MU_OP_MULTI ||
		    mu_put_command_body(&none, h.op, &in))
			return MU_EDATA;
	}
}

/* Rule 64: every result is an error; those before the failed one are 0. */
static void put_failures(struct mu_buf *b, uint32_t count, uint32_t failed,
                         int err)
{
	for (uint32_t i = 0; i < count; i++) {
		int code = i < failed ? 0 : i == failed ? err : MU_EROLLEDBACK;

		mu_put_multi_header(b, MU_OP_ERROR, false, code);
		mu_put_int(b, code);
	}
}

static int run_multi(struct run *r, int32_t op, struct mu_in *in)
{
	struct mu_outcome *out = r->out;
	struct mu_in again = *in;
	uint32_t done = 0, count;
	int err;

	(void)op;
	while ((err = run_sub(r, in)) == 0)
		done++;
	if (is_fatal(err))
		return err;
	if (err < 0) {
		if (count_subs(again, &count))
			return MU_EDATA;
		mu_tree_rollback(r->tree);
		mu_tree_begin(r->tree);
		mu_buf_cut(&out->body, 0);
		mu_buf_cut(&out->events, 0);
		out->event_count = 0;
		out->quota_soft = 0;
		put_failures(&out->body, count, done, err);
	}
	mu_put_multi_header(&out->body, MU_OP_ERROR, true, -1);
	return 0;
}

/* ---- sessions: rules 13, 47 ---- */

static int run_create_session(struct run *r, struct mu_in *in)
{
	struct mu_create_session q;
	struct mu_session *session;
	struct mu_str origin = r->c->origin;
	uint8_t password[MU_PASSWORD_LEN];
	int err;

	if (mu_get_create_session(in, &q))
		return MU_EDATA;
	memcpy(password, q.password.at, sizeof password);
	err = mu_sessions_add(r->sessions, r->c->session, password,
	                      (uint32_t)q.timeout_ms, r->now_ms, &session);
	if (err)
		return err == MU_ENOMEM ? MU_ENOMEM : MU_EDATA;
	if (origin.len >= MU_ORIGIN_MAX)
		origin.len = MU_ORIGIN_MAX - 1;
	if (origin.len)
		memcpy(session->origin, origin.at, origin.len);
	session->origin[origin.len] = '\0';
	return 0;
}

static int take_first(void *arg, mu_node_id id)
{
	*(mu_node_id *)arg = id;
	return 1;
}

/* All ephemerals go under the one zxid. */
static int run_close_session(struct run *r, struct mu_in *in)
{
	struct mu_session *session;
	enum mu_close_cause cause;
	mu_node_id id;

	if (mu_get_close_session(in, &cause))
		return MU_EDATA;
	session = mu_sessions_find(r->sessions, r->c->session);
	if (!session)
		return MU_EEXPIRED;
	r->cause = cause == MU_CAUSE_EXPIRED ? MU_BY_EXPIRY : MU_BY_CLOSE;
	if (!r->origin.len) /* nobody asked for an expiry */
		r->origin = mu_str_of(session->origin);
	while (mu_tree_owned(r->tree, r->c->session, take_first, &id)) {
		int err;

		mu_buf_reset(&r->out->path);
		mu_tree_path(r->tree, id, &r->out->path);
		if (mu_buf_failed(&r->out->path))
			return MU_ENOMEM;
		err = remove_node(r, id, mu_run_scratch_path(r));
		MU_BUG_ON(err && err != MU_ENOMEM);
		if (err)
			return err;
	}
	if (mu_buf_failed(&r->out->events))
		return MU_ENOMEM;
	mu_sessions_remove(r->sessions, session);
	return 0;
}

/* ---- the whole ---- */

static int run_any(struct run *r)
{
	struct mu_in in = r->c->body;
	const struct op_row *row;

	switch (r->c->type) {
	case MU_OP_CREATE_SESSION:
		return run_create_session(r, &in);
	case MU_OP_CLOSE_SESSION:
		return run_close_session(r, &in);
	case MU_OP_MULTI:
		return run_multi(r, r->c->type, &in);
	case MU_OP_SET_ACL:
		return run_set_acl(r, &in);
	case MU_OP_DELETE_CONTAINER:
		return run_delete_container(r, &in);
	default:
		row = row_of(r->c->type);
		if (!row || !mu_command_is_write(r->c->type))
			return MU_EDATA;
		return row->run(r, r->c->type, &in);
	}
}

int mu_command_apply(const struct mu_command *c, struct mu_tree *tree,
                     struct mu_sessions *sessions, uint64_t now_ms,
                     struct mu_outcome *out)
{
	struct run r = { .c = c,
		         .tree = tree,
		         .sessions = sessions,
		         .now_ms = now_ms,
		         .stamp = { c->zxid, c->time_ms },
		         .who = { c->identities, c->origin },
		         .cause = MU_BY_REQUEST,
		         .origin = c->origin,
		         .out = out };
	int err;

	mu_buf_reset(&out->body);
	mu_buf_reset(&out->events);
	out->event_count = 0;
	out->quota_soft = out->quota_hard = 0;
	mu_tree_begin(tree);
	err = run_any(&r);
	if (mu_buf_failed(&out->body) || mu_buf_failed(&out->events))
		err = MU_ENOMEM;
	if (is_fatal(err)) {
		mu_tree_rollback(tree);
		return err;
	}
	MU_BUG_ON(err && (out->body.len || out->event_count));
	mu_tree_commit(tree);
	out->err = err;
	return 0;
}
