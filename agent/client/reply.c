#include "client_impl.h"

#include "acl.h"
#include "mem.h"
#include "proto.h"

#include <string.h>

/* A copy with a NUL at *at, which is moved behind it. NULL for what is no
 * string: null, or with a NUL inside. */
static char *keep_text(struct mu_str s, char **at)
{
	char *text = *at;

	if (!s.at || memchr(s.at, '\0', s.len))
		return NULL;
	memcpy(text, s.at, s.len);
	text[s.len] = '\0';
	*at += s.len + 1;
	return text;
}

static int get_stat(struct mu_in *in, struct mu_reply *out)
{
	if (mu_get_stat(in, &out->stat))
		return MU_EPROTO;
	out->result.stat = &out->stat;
	return 0;
}

static int decode_data(struct mu_in *in, struct mu_reply *out)
{
	struct mu_str data = mu_get_str(in);

	if (!mu_in_ok(in))
		return MU_EPROTO;
	out->result.data = data.at;
	out->result.len = data.at ? (int32_t)data.len : -1;
	return get_stat(in, out);
}

static int decode_created(struct mu_in *in, const char *chroot,
                          struct mu_reply *out)
{
	struct mu_str path = mu_get_str(in);
	char *at, *text;

	if (!mu_in_ok(in))
		return MU_EPROTO;
	out->memory = at = mu_alloc((size_t)path.len + 1);
	if (!at)
		return MU_ENOMEM;
	text = keep_text(path, &at);
	if (!text)
		return MU_EPROTO;
	out->result.path = mu_client_strip(chroot, text);
	return get_stat(in, out);
}

/* Names: pointers, then texts. A name takes 4 bytes more on the wire than it
 * has, so its NUL fits into as much room as the vector took. */
static int decode_children(struct mu_in *in, struct mu_reply *out)
{
	struct mu_vec vec;
	struct mu_in names;
	const char **child;
	char *at;
	size_t count;

	if (mu_get_str_vec(in, &vec))
		return MU_EPROTO;
	count = vec.count > 0 ? (size_t)vec.count : 0;
	child = mu_alloc(count * sizeof *child + vec.len + 1);
	if (!child)
		return MU_ENOMEM;
	out->memory = child;
	at = (char *)(child + count);
	names = mu_in_of(vec.at, count ? vec.len : 0);
	for (size_t i = 0; i < count; i++) {
		child[i] = keep_text(mu_get_str(&names), &at);
		if (!child[i])
			return MU_EPROTO;
	}
	out->result.children = child;
	out->result.count = count;
	return get_stat(in, out);
}

/* Entries, then texts: as with names, each NUL has room. */
static int decode_acl(struct mu_in *in, struct mu_reply *out)
{
	struct mu_vec vec;
	struct mu_in entries;
	struct mu_acl_entry *acl;
	char *at;
	size_t count;

	if (mu_get_acl_vec(in, &vec))
		return MU_EPROTO;
	count = vec.count > 0 ? (size_t)vec.count : 0;
	acl = mu_alloc(count * sizeof *acl + vec.len + 1);
	if (!acl)
		return MU_ENOMEM;
	out->memory = acl;
	at = (char *)(acl + count);
	entries = mu_in_of(vec.at, count ? vec.len : 0);
	for (size_t i = 0; i < count; i++) {
		struct mu_acl a = mu_get_acl(&entries);

		acl[i].rights = a.perms;
		acl[i].scheme = keep_text(a.scheme, &at);
		acl[i].id = keep_text(a.id, &at);
		if (!acl[i].scheme || !acl[i].id)
			return MU_EPROTO;
	}
	out->result.acl = acl;
	out->result.count = count;
	return get_stat(in, out);
}

/* Where the results of a multi are put, in one piece of memory: results,
 * stats, texts. */
struct multi {
	struct mu_op_result *result;
	struct mu_stat *stat;
	char *text;
	const char *chroot;
};

static int decode_one_path(struct mu_in *in, struct multi *m,
                           struct mu_op_result *r)
{
	char *text = keep_text(mu_get_str(in), &m->text);

	if (!text)
		return MU_EPROTO;
	r->path = mu_client_strip(m->chroot, text);
	return 0;
}

static int decode_one_stat(struct mu_in *in, struct multi *m,
                           struct mu_op_result *r)
{
	if (mu_get_stat(in, m->stat))
		return MU_EPROTO;
	r->stat = m->stat++;
	return 0;
}

/* Rules 64 and 65. */
static int decode_one(struct mu_in *in, struct multi *m, struct mu_op_result *r)
{
	struct mu_multi_header h;
	int rc;

	if (mu_get_multi_header(in, &h) || h.done)
		return MU_EPROTO;
	switch (h.op) {
	case MU_OP_ERROR:
		r->rc = mu_get_int(in);
		return mu_in_ok(in) && r->rc <= 0 ? 0 : MU_EPROTO;
	case MU_OP_CREATE:
		return decode_one_path(in, m, r);
	case MU_OP_CREATE2:
		rc = decode_one_path(in, m, r);
		return rc ? rc : decode_one_stat(in, m, r);
	case MU_OP_SET_DATA:
		return decode_one_stat(in, m, r);
	case MU_OP_DELETE:
	case MU_OP_CHECK:
		return 0;
	default:
		return MU_EPROTO;
	}
}

/* The code of a whole multi: of the operation that failed, not of those that
 * were rolled back or not tried. */
static int multi_rc(const struct mu_op_result *result, size_t count)
{
	int rc = 0;

	for (size_t i = 0; i < count; i++) {
		if (result[i].rc && result[i].rc != MU_EROLLEDBACK)
			return result[i].rc;
		if (result[i].rc)
			rc = result[i].rc;
	}
	return rc;
}

static int decode_multi(struct mu_in *in, size_t count, const char *chroot,
                        struct mu_reply *out)
{
	struct multi m = { .chroot = chroot };
	struct mu_multi_header end;

	if (count > mu_in_left(in)) /* a result has 9 bytes and more */
		return MU_EPROTO;
	m.result = mu_alloc(count * (sizeof *m.result + sizeof *m.stat) +
	                    mu_in_left(in) + 1);
	if (!m.result)
		return MU_ENOMEM;
	out->memory = m.result;
	m.stat = (struct mu_stat *)(void *)(m.result + count);
	m.text = (char *)(m.stat + count);
	for (size_t i = 0; i < count; i++)
		if (decode_one(in, &m, &m.result[i]))
			return MU_EPROTO;
	if (mu_get_multi_header(in, &end) || !end.done)
		return MU_EPROTO;
	out->result.results = m.result;
	out->result.count = count;
	out->result.rc = multi_rc(m.result, count);
	return 0;
}

static int decode_subscribed(struct mu_in *in, struct mu_reply *out)
{
	struct mu_subscribe_reply r;

	if (mu_get_subscribe_reply(in, &r) || r.n < 0 ||
	    r.state < MU_SUBSCRIBED_LIVE || r.state > MU_SUBSCRIBED_GAP)
		return MU_EPROTO;
	out->subscribed = (struct mu_subscribed){
		.size = sizeof out->subscribed,
		.state = (enum mu_subscribe_state)r.state,
		.zxid = r.zxid,
		.n = r.n,
		.from = r.from,
		.to = r.to,
	};
	out->result.subscribed = &out->subscribed;
	return 0;
}

static int decode(int32_t op, size_t count, const char *chroot,
                  struct mu_in *in, struct mu_reply *out)
{
	switch (op) {
	case MU_OP_GET_DATA:
		return decode_data(in, out);
	case MU_OP_EXISTS:
	case MU_OP_SET_DATA:
	case MU_OP_SET_ACL:
		return get_stat(in, out);
	case MU_OP_GET_ACL:
		return decode_acl(in, out);
	case MU_OP_GET_CHILDREN2:
		return decode_children(in, out);
	case MU_OP_CREATE2:
	case MU_OP_CREATE_CONTAINER:
	case MU_OP_CREATE_TTL:
		return decode_created(in, chroot, out);
	case MU_OP_MULTI:
		return decode_multi(in, count, chroot, out);
	case MU_OP_SUBSCRIBE:
		return decode_subscribed(in, out);
	default:
		return 0; /* what the rest bring is not used */
	}
}

int mu_reply_decode(int32_t op, size_t count, const char *chroot,
                    const void *body, size_t len, struct mu_reply *out)
{
	struct mu_in in = mu_in_of(body, len);
	int rc;

	*out = (struct mu_reply){ .result = { .len = -1 } };
	rc = decode(op, count, chroot, &in, out);
	if (!rc)
		return 0;
	mu_free(out->memory);
	*out = (struct mu_reply){ .result = { .len = -1 } };
	return rc;
}
