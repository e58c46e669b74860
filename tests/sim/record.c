#include "record.h"

#include "proto.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TRACED_OPS 15u /* of a path whose history is wrong */
#define DIGITS 10u     /* that a sequential name ends in */

void recorder_init(struct recorder *r, struct history *h)
{
	linear_init(&r->linear);
	r->history = h;
}

void recorder_fini(struct recorder *r)
{
	linear_fini(&r->linear);
}

/* ---- paths and values ---- */

/* The path before the digits, if it ends in so many; else NULL. */
static struct mu_str before_digits(struct mu_str path)
{
	struct mu_str none = { NULL, 0 };

	if (path.len < DIGITS + 2)
		return none;
	for (uint32_t i = path.len - DIGITS; i < path.len; i++)
		if (path.at[i] < '0' || path.at[i] > '9')
			return none;
	path.len -= DIGITS;
	return path;
}

static uint32_t stem_of(struct recorder *r, struct mu_str path)
{
	struct mu_str stem = before_digits(path);

	return stem.at ? history_path(r->history, stem) : 0;
}

static uint32_t parent_of(struct recorder *r, struct mu_str path)
{
	while (path.len > 1 && path.at[path.len - 1] != '/')
		path.len--;
	if (path.len > 1)
		path.len--;
	return history_path(r->history, path);
}

static int32_t number_of(struct mu_str path)
{
	struct mu_str stem = before_digits(path);
	int64_t n = 0;

	for (uint32_t i = stem.len; stem.at && i < path.len; i++)
		n = n * 10 + (path.at[i] - '0');
	return (int32_t)n;
}

/* The application never writes the same twice, but for null and nothing. */
static uint64_t value_of(struct mu_str data)
{
	uint64_t print;

	if (!data.at)
		return 0;
	print = history_print(data.at, data.len);
	if (data.len == 0)
		return 1;
	return print < LINEAR_COMMON ? print + LINEAR_COMMON : print;
}

/* ---- asking ---- */

static void ask(struct recorder *r, struct recorded *q, uint32_t request,
                struct linear_op op, struct mu_str path)
{
	bool special =
		path.len <= 1 || mu_path_is_within(path, MU_STR("/zookeeper"));

	op.request = request;
	if (special)
		op.kind = LINEAR_ORDER;
	else
		op.path = history_path(r->history, path);
	op.stem = special ? 0 : stem_of(r, path);
	q->count++;
	linear_ask(&r->linear, &op);
}

static void ask_create(struct recorder *r, struct recorded *q, uint32_t request,
                       int32_t op, struct mu_in *in)
{
	struct linear_op o = { .kind = LINEAR_CREATE, .write = true };
	struct mu_create_request c;

	if (mu_get_create(in, op, &c))
		abort();
	o.value = value_of(c.data);
	if (mu_mode_is_sequential(c.mode))
		o.parent = parent_of(r, c.path);
	o.shown.owner = mu_mode_is_ephemeral(c.mode);
	ask(r, q, request, o, c.path);
}

static void ask_set(struct recorder *r, struct recorded *q, uint32_t request,
                    struct mu_in *in)
{
	struct mu_set_data_request c;

	if (mu_get_set_data(in, &c))
		abort();
	ask(r, q, request,
	    (struct linear_op){ .kind = LINEAR_SET,
	                        .write = true,
	                        .value = value_of(c.data) },
	    c.path);
}

static void ask_delete(struct recorder *r, struct recorded *q, uint32_t request,
                       struct mu_in *in)
{
	struct mu_delete_request c;

	if (mu_get_delete(in, &c))
		abort();
	ask(r, q, request,
	    (struct linear_op){ .kind = LINEAR_DELETE, .write = true }, c.path);
}

static void ask_check(struct recorder *r, struct recorded *q, uint32_t request,
                      struct mu_in *in)
{
	struct mu_check_request c;

	if (mu_get_check(in, &c))
		abort();
	ask(r, q, request,
	    (struct linear_op){ .kind = LINEAR_READ, .write = true }, c.path);
}

static void ask_one(struct recorder *r, struct recorded *q, uint32_t request,
                    int32_t op, struct mu_in *in)
{
	switch (op) {
	case MU_OP_CREATE:
	case MU_OP_CREATE2:
		ask_create(r, q, request, op, in);
		break;
	case MU_OP_SET_DATA:
		ask_set(r, q, request, in);
		break;
	case MU_OP_DELETE:
		ask_delete(r, q, request, in);
		break;
	case MU_OP_CHECK:
		ask_check(r, q, request, in);
		break;
	default:
		abort();
	}
}

static void ask_multi(struct recorder *r, struct recorded *q, uint32_t request,
                      struct mu_in *in)
{
	struct mu_multi_header header;

	while (mu_get_multi_header(in, &header) == 0 && !header.done)
		ask_one(r, q, request, header.op, in);
}

static bool is_read(int32_t op)
{
	return op == MU_OP_GET_DATA || op == MU_OP_EXISTS ||
	       op == MU_OP_GET_CHILDREN || op == MU_OP_GET_CHILDREN2;
}

struct recorded record_ask(struct recorder *r, int32_t op, uint32_t path,
                           const void *body, size_t len)
{
	struct recorded q = { .first = r->linear.count };
	uint32_t request = linear_request(&r->linear);
	struct mu_in in = mu_in_of(body, len);

	if (op == MU_OP_MULTI)
		ask_multi(r, &q, request, &in);
	else if (is_read(op))
		ask(r, &q, request, (struct linear_op){ .kind = LINEAR_READ },
		    history_path_text(r->history, path));
	else if (op == MU_OP_SYNC || op == MU_OP_ADD_WATCH)
		ask(r, &q, request, (struct linear_op){ .kind = LINEAR_ORDER },
		    MU_STR("/"));
	else
		ask_one(r, &q, request, op, &in);
	return q;
}

/* ---- being answered ---- */

static struct linear_shown shown_by(const struct mu_stat *s)
{
	return (struct linear_shown){ .exists = true,
		                      .has_stat = true,
		                      .version = s->version,
		                      .czxid = s->czxid,
		                      .mzxid = s->mzxid,
		                      .owner = s->ephemeral_owner };
}

static void answer(struct recorder *r, size_t at, enum linear_kind kind,
                   int64_t zxid, const struct linear_shown *shown)
{
	if (r->linear.ops[at].kind == LINEAR_ORDER)
		kind = LINEAR_ORDER;
	linear_answer(&r->linear, at, kind, zxid, shown);
}

/* What a refusal says of the path. */
static void answer_failed(struct recorder *r, size_t at, int rc, int64_t zxid)
{
	struct linear_shown shown = { .exists = rc != MU_ENONODE };
	const struct linear_op *op = &r->linear.ops[at];
	bool says = rc == MU_ENONODE || rc == MU_EBADVERSION ||
	            rc == MU_ENOTEMPTY || rc == MU_EEXISTS;

	/* A create without a parent says nothing of its own path, nor does one
	 * whose name the broker was to choose. */
	if (op->kind == LINEAR_CREATE && (rc != MU_EEXISTS || op->parent))
		says = false;
	answer(r, at, says ? LINEAR_READ : LINEAR_ORDER, zxid, &shown);
}

static void answer_read(struct recorder *r, size_t at, int32_t op, int64_t zxid,
                        struct mu_in *in)
{
	struct linear_shown shown = { .exists = true };
	struct mu_str data = { NULL, 0 };
	struct mu_stat stat;

	if (op == MU_OP_GET_DATA)
		data = mu_get_str(in);
	if (op == MU_OP_GET_CHILDREN2)
		for (int32_t n = mu_get_count(in, 4); n > 0; n--)
			mu_get_str(in);
	if (op != MU_OP_GET_CHILDREN && mu_get_stat(in, &stat) == 0)
		shown = shown_by(&stat);
	if (op == MU_OP_GET_DATA) {
		shown.has_value = true;
		shown.value = value_of(data);
	}
	answer(r, at, LINEAR_READ, zxid, &shown);
}

static void answer_create(struct recorder *r, size_t at, bool with_stat,
                          int64_t zxid, int64_t session, struct mu_in *in)
{
	struct linear_op *op = &r->linear.ops[at];
	struct mu_str path = mu_get_str(in);
	struct linear_shown shown = {
		.exists = true,
		.has_stat = true,
		.czxid = zxid,
		.mzxid = zxid,
		.owner = op->shown.owner ? session : 0,
	};
	struct mu_stat stat;

	if (with_stat && mu_get_stat(in, &stat) == 0)
		shown = shown_by(&stat);
	shown.has_value = true;
	shown.value = op->value;
	if (op->parent) {
		op->path = history_path(r->history, path);
		op->stem = stem_of(r, path);
		op->number = number_of(path);
	}
	answer(r, at, LINEAR_CREATE, zxid, &shown);
}

static void answer_set(struct recorder *r, size_t at, int64_t zxid,
                       struct mu_in *in)
{
	struct linear_shown shown = { .exists = true };
	struct mu_stat stat;

	if (mu_get_stat(in, &stat) == 0)
		shown = shown_by(&stat);
	shown.has_value = true;
	shown.value = r->linear.ops[at].value;
	answer(r, at, LINEAR_SET, zxid, &shown);
}

static void answer_one(struct recorder *r, size_t at, int32_t op, int64_t zxid,
                       int64_t session, struct mu_in *in)
{
	struct linear_shown there = { .exists = true };

	if (is_read(op))
		answer_read(r, at, op, zxid, in);
	else if (op == MU_OP_CREATE || op == MU_OP_CREATE2)
		answer_create(r, at, op == MU_OP_CREATE2, zxid, session, in);
	else if (op == MU_OP_SET_DATA)
		answer_set(r, at, zxid, in);
	else if (op == MU_OP_DELETE)
		answer(r, at, LINEAR_DELETE, zxid, NULL);
	else if (op == MU_OP_CHECK)
		answer(r, at, LINEAR_READ, zxid, &there);
	else
		answer(r, at, LINEAR_ORDER, zxid, NULL);
}

/* Of several operations of a multi on one path only what the last change left
 * can be seen. */
static void merge(struct recorder *r, const struct recorded *q)
{
	struct linear_op *ops = r->linear.ops + q->first;

	for (uint32_t i = 0; i < q->count; i++)
		for (uint32_t k = i + 1; k < q->count; k++) {
			struct linear_op *a = &ops[i], *b = &ops[k];

			if (a->path != b->path || a->kind == LINEAR_ORDER ||
			    b->kind == LINEAR_ORDER)
				continue;
			if (b->kind == LINEAR_READ) {
				b->kind = LINEAR_ORDER;
				continue;
			}
			if (b->kind == LINEAR_DELETE)
				b->shown = (struct linear_shown){ 0 };
			a->kind = LINEAR_ORDER;
			b->kind = LINEAR_SEVERAL;
		}
}

static void answer_failed_multi(struct recorder *r, const struct recorded *q,
                                int64_t zxid)
{
	for (uint32_t i = 0; i < q->count; i++)
		answer(r, q->first + i, LINEAR_ORDER, zxid, NULL);
}

static void answer_multi(struct recorder *r, const struct recorded *q,
                         int64_t zxid, int64_t session, struct mu_in *in)
{
	struct mu_multi_header header;

	for (uint32_t i = 0; i < q->count; i++) {
		if (mu_get_multi_header(in, &header) || header.done)
			abort();
		if (header.op == MU_OP_ERROR) { /* one for all (rule 65) */
			answer_failed_multi(r, q, zxid);
			return;
		}
		answer_one(r, q->first + i, header.op, zxid, session, in);
	}
	merge(r, q);
}

void record_answer(struct recorder *r, const struct recorded *q, int32_t op,
                   int rc, int64_t zxid, int64_t session,
                   const struct mu_str *body)
{
	struct mu_in in = mu_in_of(body->at, body->len);

	if (op == MU_OP_MULTI && rc)
		answer_failed_multi(r, q, zxid);
	else if (op == MU_OP_MULTI)
		answer_multi(r, q, zxid, session, &in);
	else if (rc)
		answer_failed(r, q->first, rc, zxid);
	else
		answer_one(r, q->first, op, zxid, session, &in);
}

/* ---- the end ---- */

static const char *name(const void *arg, uint32_t path)
{
	const struct history *h = arg;

	return path ? h->paths[path - 1].text : "?";
}

static void trace_op(struct world *w, const struct linear_op *op)
{
	static const char *const kinds[] = { "shows",   "creates", "sets",
		                             "deletes", "leaves",  "is" };
	const struct linear_shown *s = &op->shown;

	if (op->zxid == 0)
		world_trace(w, "  request %u, unanswered: %s", op->request,
		            kinds[op->kind]);
	else if (!s->exists)
		world_trace(w, "  request %u at %" PRIx64 " %s: nothing",
		            op->request, (uint64_t)op->zxid, kinds[op->kind]);
	else
		world_trace(w,
		            "  request %u at %" PRIx64 " %s: czxid %" PRIx64
		            ", mzxid %" PRIx64 ", version %d, value %" PRIx64,
		            op->request, (uint64_t)op->zxid, kinds[op->kind],
		            (uint64_t)s->czxid, (uint64_t)s->mzxid, s->version,
		            s->value);
}

void recorder_check(struct recorder *r)
{
	const struct linear *l = &r->linear;
	size_t from = 0;
	char why[256];

	if (linear_check(&r->linear, name, r->history, why))
		return;
	world_fail(r->history->world, "not linearizable: %s", why);
	if (l->bad > TRACED_OPS)
		from = l->bad - TRACED_OPS;
	for (size_t i = from; i <= l->bad && l->bad < l->count; i++)
		if (l->ops[i].path == l->ops[l->bad].path)
			trace_op(r->history->world, &l->ops[i]);
}
