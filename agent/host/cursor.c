#include "cursor.h"

#include "err.h"

/* The smallest mark: an empty path, a mode, a place. */
#define MARK_LEAST 20u

static const struct mu_sealed_kind kind = { "MUCURSOR", 1, "a cursor" };

bool mu_keep_place_le(const struct mu_keep_place *a,
                      const struct mu_keep_place *b)
{
	return a->zxid < b->zxid || (a->zxid == b->zxid && a->n <= b->n);
}

static void put_source(struct mu_buf *b, const struct mu_keep_source *s)
{
	mu_put_str(b, s->path);
	mu_put_int(b, s->mode);
}

static struct mu_keep_source get_source(struct mu_in *in)
{
	struct mu_keep_source s;

	s.path = mu_get_str(in);
	s.mode = mu_get_int(in);
	return s;
}

static void put_failed(struct mu_buf *b, const struct mu_cursor *c)
{
	mu_put_bool(b, c->attempts > 0);
	if (!c->attempts)
		return;
	put_source(b, &c->failed_of);
	mu_put_str(b, c->failed_path);
	mu_put_int(b, (int32_t)c->failed_type);
	mu_put_long(b, c->failed_zxid);
	mu_put_int(b, c->failed_n);
	mu_put_int(b, (int32_t)c->attempts);
	mu_put_bool(b, c->yields);
}

void mu_cursor_put(struct mu_buf *b, const struct mu_cursor *c,
                   const struct mu_cursor_mark *marks, size_t count)
{
	int32_t known = 0;

	for (size_t i = 0; i < count; i++)
		known += marks[i].at.known;
	mu_sealed_begin(b, &kind);
	mu_put_long(b, c->tree_id);
	mu_put_int(b, (int32_t)c->brokers);
	mu_put_int(b, known);
	for (size_t i = 0; i < count; i++) {
		if (!marks[i].at.known)
			continue;
		put_source(b, &marks[i].source);
		mu_put_long(b, marks[i].at.zxid);
		mu_put_int(b, marks[i].at.n);
	}
	put_failed(b, c);
	mu_sealed_end(b);
}

static void get_failed(struct mu_in *in, struct mu_cursor *c)
{
	if (!mu_get_bool(in))
		return;
	c->failed_of = get_source(in);
	c->failed_path = mu_get_str(in);
	c->failed_type = (uint32_t)mu_get_int(in);
	c->failed_zxid = mu_get_long(in);
	c->failed_n = mu_get_int(in);
	c->attempts = (uint32_t)mu_get_int(in);
	c->yields = mu_get_bool(in);
}

static void walk(struct mu_in *in, int32_t count, mu_cursor_fn *each, void *arg)
{
	for (int32_t i = 0; i < count && mu_in_ok(in); i++) {
		struct mu_cursor_mark m = { 0 };

		m.source = get_source(in);
		m.at.known = true;
		m.at.zxid = mu_get_long(in);
		m.at.n = mu_get_int(in);
		if (each && mu_in_ok(in))
			each(arg, &m);
	}
}

int mu_cursor_get(const void *p, size_t len, struct mu_cursor *out,
                  mu_cursor_fn *each, void *arg, struct mu_err *err)
{
	struct mu_cursor c = { 0 };
	struct mu_in in, marks;
	int32_t count;
	int rc = mu_sealed_open(p, len, &kind, &in, err);

	if (rc)
		return rc;
	c.tree_id = mu_get_long(&in);
	c.brokers = (uint32_t)mu_get_int(&in);
	count = mu_get_count(&in, MARK_LEAST);
	marks = in;
	walk(&in, count, NULL, NULL);
	get_failed(&in, &c);
	if (!mu_in_ok(&in) || mu_in_left(&in) > 0)
		return mu_err(err, MU_EDATA, "what is in it makes no sense");
	walk(&marks, count, each, arg);
	*out = c;
	return 0;
}
