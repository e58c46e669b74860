/* The bytes of a command; what it does is in command_apply.c. */
#include "command.h"

void mu_put_command(struct mu_buf *b, const struct mu_command *c)
{
	mu_put_long(b, c->zxid);
	mu_put_int(b, c->type);
	mu_put_long(b, c->session);
	mu_put_long(b, c->time_ms);
	mu_put_str(b, c->origin);
	mu_put_int(b, c->xid);
	mu_put_vec(b, &c->identities);
	mu_put_int(b, c->rules);
}

int mu_get_command(const void *bytes, size_t len, struct mu_command *c)
{
	struct mu_in in = mu_in_of(bytes, len);

	c->zxid = mu_get_long(&in);
	c->type = mu_get_int(&in);
	c->session = mu_get_long(&in);
	c->time_ms = mu_get_long(&in);
	c->origin = mu_get_str(&in);
	c->xid = mu_get_int(&in);
	if (mu_get_str_vec(&in, &c->identities))
		return MU_EDATA;
	c->rules = mu_get_int(&in);
	if (!mu_in_ok(&in))
		return MU_EDATA;
	c->body = in;
	return 0;
}

void mu_put_create_session(struct mu_buf *b, const struct mu_create_session *r)
{
	mu_put_int(b, r->timeout_ms);
	mu_put_str(b, r->password);
}

int mu_get_create_session(struct mu_in *in, struct mu_create_session *r)
{
	r->timeout_ms = mu_get_int(in);
	r->password = mu_get_str(in);
	return mu_in_ok(in) && r->timeout_ms > 0 &&
	                       r->password.len == MU_PASSWORD_LEN
	               ? 0
	               : MU_EDATA;
}

void mu_put_close_session(struct mu_buf *b, enum mu_close_cause cause)
{
	mu_put_int(b, (int32_t)cause);
}

int mu_get_close_session(struct mu_in *in, enum mu_close_cause *cause)
{
	int32_t value = mu_get_int(in);

	if (!mu_in_ok(in) ||
	    (value != MU_CAUSE_CLIENT && value != MU_CAUSE_EXPIRED))
		return MU_EDATA;
	*cause = (enum mu_close_cause)value;
	return 0;
}

/* ---- the bodies of clients' writes ---- */

static int copy_create(struct mu_buf *b, int32_t op, struct mu_in *in)
{
	struct mu_create_request r;
	int err = mu_get_create(in, op, &r);

	if (!err)
		mu_put_create(b, op, &r);
	return err;
}

static int copy_delete(struct mu_buf *b, int32_t op, struct mu_in *in)
{
	struct mu_delete_request r;
	int err = mu_get_delete(in, &r);

	(void)op;
	if (!err)
		mu_put_delete(b, &r);
	return err;
}

static int copy_set_data(struct mu_buf *b, int32_t op, struct mu_in *in)
{
	struct mu_set_data_request r;
	int err = mu_get_set_data(in, &r);

	(void)op;
	if (!err)
		mu_put_set_data(b, &r);
	return err;
}

static int copy_check(struct mu_buf *b, int32_t op, struct mu_in *in)
{
	struct mu_check_request r;
	int err = mu_get_check(in, &r);

	(void)op;
	if (!err)
		mu_put_check(b, &r);
	return err;
}

static int copy_set_acl(struct mu_buf *b, int32_t op, struct mu_in *in)
{
	struct mu_set_acl_request r;
	int err = mu_get_set_acl(in, &r);

	(void)op;
	if (!err)
		mu_put_set_acl(b, &r);
	return err;
}

/* The operations that change, or in a multi guard, the tree. */
static const struct copy_row {
	int32_t op;
	bool alone, inside; /* a multi */
	int (*copy)(struct mu_buf *b, int32_t op, struct mu_in *in);
} copy_rows[] = {
	{ MU_OP_CREATE, true, true, copy_create },
	{ MU_OP_CREATE2, true, true, copy_create },
	{ MU_OP_CREATE_CONTAINER, true, true, copy_create },
	{ MU_OP_CREATE_TTL, true, true, copy_create },
	{ MU_OP_DELETE, true, true, copy_delete },
	{ MU_OP_SET_DATA, true, true, copy_set_data },
	{ MU_OP_SET_ACL, true, false, copy_set_acl },
	{ MU_OP_CHECK, false, true, copy_check },
};

static const struct copy_row *row_of(int32_t op)
{
	for (size_t i = 0; i < sizeof copy_rows / sizeof copy_rows[0]; i++)
		if (copy_rows[i].op == op)
			return &copy_rows[i];
	return NULL;
}

bool mu_command_is_write(int32_t op)
{
	const struct copy_row *row = row_of(op);

	return op == MU_OP_MULTI || (row && row->alone);
}

/* Rule 99: in a multi a flag of a time to live comes with one. */
static bool has_hidden_ttl(int32_t op, struct mu_in in)
{
	struct mu_create_request r;

	if (op != MU_OP_CREATE && op != MU_OP_CREATE2 &&
	    op != MU_OP_CREATE_CONTAINER)
		return false;
	return !mu_get_create(&in, op, &r) && mu_mode_is_ttl(r.mode);
}

static int copy_multi(struct mu_buf *b, struct mu_in *in)
{
	for (;;) {
		struct mu_multi_header h;
		const struct copy_row *row;
		int err = mu_get_multi_header(in, &h);

		if (err)
			return err;
		if (h.done) {
			mu_put_multi_header(b, MU_OP_ERROR, true, -1);
			return 0;
		}
		row = row_of(h.op);
		if (!row || !row->inside || has_hidden_ttl(h.op, *in))
			return MU_EMARSHAL;
		mu_put_multi_header(b, h.op, false, -1);
		err = row->copy(b, h.op, in);
		if (err)
			return err;
	}
}

int mu_put_command_body(struct mu_buf *b, int32_t op, struct mu_in *in)
{
	const struct copy_row *row;

	if (op == MU_OP_MULTI)
		return copy_multi(b, in);
	row = row_of(op);
	return row ? row->copy(b, op, in) : MU_EMARSHAL;
}
