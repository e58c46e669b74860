#include "proto.h"

#include "bug.h"
#include "row.h"

#include <string.h>

static const struct {
	int32_t number;
	const char *word;
} ops[] = {
#define OP_ROW(name, number, word) { number, word },
	MU_OP_MAP(OP_ROW)
#undef OP_ROW
};

static const char *op_word(int32_t op)
{
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
		if (ops[i].number == op)
			return ops[i].word;
	return NULL;
}

const char *mu_op_name(int32_t op)
{
	const char *word = op_word(op);

	return word ? word : "unknown";
}

bool mu_op_is_known(int32_t op)
{
	return op_word(op) != NULL;
}

static const struct {
	int32_t number;
	const char *word;
} causes[] = {
#define CAUSE_ROW(name, number, word) { number, word },
	MU_CAUSE_MAP(CAUSE_ROW)
#undef CAUSE_ROW
};

const char *mu_cause_word(int32_t cause)
{
	for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
		if (causes[i].number == cause)
			return causes[i].word;
	return "unknown";
}

bool mu_mode_is_ephemeral(int32_t mode)
{
	return mode == MU_MODE_EPHEMERAL ||
	       mode == MU_MODE_EPHEMERAL_SEQUENTIAL;
}

bool mu_mode_is_sequential(int32_t mode)
{
	return mode == MU_MODE_PERSISTENT_SEQUENTIAL ||
	       mode == MU_MODE_EPHEMERAL_SEQUENTIAL ||
	       mode == MU_MODE_PERSISTENT_SEQUENTIAL_TTL;
}

bool mu_mode_is_ttl(int32_t mode)
{
	return mode == MU_MODE_PERSISTENT_TTL ||
	       mode == MU_MODE_PERSISTENT_SEQUENTIAL_TTL;
}

static int outcome(const struct mu_in *in)
{
	return mu_in_ok(in) ? 0 : MU_EMARSHAL;
}

/* ---- the rows: fields in the order of zookeeper.jute ---- */

static const struct mu_field connect_request_row[] = {
	MU_FIELD(struct mu_connect_request, protocol),
	MU_FIELD(struct mu_connect_request, last_zxid),
	MU_FIELD(struct mu_connect_request, timeout_ms),
	MU_FIELD(struct mu_connect_request, session),
	MU_FIELD(struct mu_connect_request, password),
};

static const struct mu_field connect_response_row[] = {
	MU_FIELD(struct mu_connect_response, protocol),
	MU_FIELD(struct mu_connect_response, timeout_ms),
	MU_FIELD(struct mu_connect_response, session),
	MU_FIELD(struct mu_connect_response, password),
};

static const struct mu_field request_header_row[] = {
	MU_FIELD(struct mu_request_header, xid),
	MU_FIELD(struct mu_request_header, op),
};

static const struct mu_field reply_header_row[] = {
	MU_FIELD(struct mu_reply_header, xid),
	MU_FIELD(struct mu_reply_header, zxid),
	MU_FIELD(struct mu_reply_header, err),
};

static const struct mu_field watcher_event_row[] = {
	MU_FIELD(struct mu_watcher_event, type),
	MU_FIELD(struct mu_watcher_event, state),
	MU_FIELD(struct mu_watcher_event, path),
};

/* Rule 54. */
static const struct mu_field stat_row[] = {
	MU_FIELD(struct mu_stat, czxid),
	MU_FIELD(struct mu_stat, mzxid),
	MU_FIELD(struct mu_stat, ctime),
	MU_FIELD(struct mu_stat, mtime),
	MU_FIELD(struct mu_stat, version),
	MU_FIELD(struct mu_stat, cversion),
	MU_FIELD(struct mu_stat, aversion),
	MU_FIELD(struct mu_stat, ephemeral_owner),
	MU_FIELD(struct mu_stat, data_len),
	MU_FIELD(struct mu_stat, num_children),
	MU_FIELD(struct mu_stat, pzxid),
};

/* The last field is createTTL's alone. */
static const struct mu_field create_row[] = {
	MU_FIELD(struct mu_create_request, path),
	MU_FIELD(struct mu_create_request, data),
	MU_FIELD_ACLS(struct mu_create_request, acl),
	MU_FIELD(struct mu_create_request, mode),
	MU_FIELD(struct mu_create_request, ttl_ms),
};

static const struct mu_field delete_row[] = {
	MU_FIELD(struct mu_delete_request, path),
	MU_FIELD(struct mu_delete_request, version),
};

static const struct mu_field path_watch_row[] = {
	MU_FIELD(struct mu_path_watch_request, path),
	MU_FIELD(struct mu_path_watch_request, watch),
};

static const struct mu_field set_data_row[] = {
	MU_FIELD(struct mu_set_data_request, path),
	MU_FIELD(struct mu_set_data_request, data),
	MU_FIELD(struct mu_set_data_request, version),
};

static const struct mu_field check_row[] = {
	MU_FIELD(struct mu_check_request, path),
	MU_FIELD(struct mu_check_request, version),
};

static const struct mu_field sync_row[] = {
	MU_FIELD(struct mu_sync_request, path),
};

static const struct mu_field set_acl_row[] = {
	MU_FIELD(struct mu_set_acl_request, path),
	MU_FIELD_ACLS(struct mu_set_acl_request, acl),
	MU_FIELD(struct mu_set_acl_request, version),
};

static const struct mu_field delete_container_row[] = {
	MU_FIELD(struct mu_delete_container_request, path),
	MU_FIELD(struct mu_delete_container_request, czxid),
};

static const struct mu_field auth_row[] = {
	MU_FIELD(struct mu_auth_packet, type),
	MU_FIELD(struct mu_auth_packet, scheme),
	MU_FIELD(struct mu_auth_packet, auth),
};

static const struct mu_field watches_row[] = {
	MU_FIELD(struct mu_watches_request, path),
	MU_FIELD(struct mu_watches_request, type),
};

/* The last two fields are setWatches2's alone. */
static const struct mu_field set_watches_row[] = {
	MU_FIELD(struct mu_set_watches, relative_zxid),
	MU_FIELD(struct mu_set_watches, data),
	MU_FIELD(struct mu_set_watches, exist),
	MU_FIELD(struct mu_set_watches, child),
	MU_FIELD(struct mu_set_watches, persistent),
	MU_FIELD(struct mu_set_watches, recursive),
};

static const struct mu_field add_watch_row[] = {
	MU_FIELD(struct mu_add_watch_request, path),
	MU_FIELD(struct mu_add_watch_request, mode),
};

static const struct mu_field subscribe_row[] = {
	MU_FIELD(struct mu_subscribe_request, id),
	MU_FIELD(struct mu_subscribe_request, path),
	MU_FIELD(struct mu_subscribe_request, mode),
	MU_FIELD(struct mu_subscribe_request, zxid),
	MU_FIELD(struct mu_subscribe_request, n),
};

static const struct mu_field subscribe_reply_row[] = {
	MU_FIELD(struct mu_subscribe_reply, state),
	MU_FIELD(struct mu_subscribe_reply, zxid),
	MU_FIELD(struct mu_subscribe_reply, n),
	MU_FIELD(struct mu_subscribe_reply, from),
	MU_FIELD(struct mu_subscribe_reply, to),
};

static const struct mu_field unsubscribe_row[] = {
	MU_FIELD(struct mu_unsubscribe_request, id),
};

static const struct mu_field change_event_row[] = {
	MU_FIELD(struct mu_change_event, id),
	MU_FIELD(struct mu_change_event, type),
	MU_FIELD(struct mu_change_event, zxid),
	MU_FIELD(struct mu_change_event, n),
	MU_FIELD(struct mu_change_event, prev_zxid),
	MU_FIELD(struct mu_change_event, prev_n),
	MU_FIELD(struct mu_change_event, path),
	MU_FIELD(struct mu_change_event, cause),
	MU_FIELD(struct mu_change_event, session),
	MU_FIELD(struct mu_change_event, origin),
	MU_FIELD(struct mu_change_event, stat.czxid),
	MU_FIELD(struct mu_change_event, stat.mzxid),
	MU_FIELD(struct mu_change_event, stat.ctime),
	MU_FIELD(struct mu_change_event, stat.mtime),
	MU_FIELD(struct mu_change_event, stat.version),
	MU_FIELD(struct mu_change_event, stat.cversion),
	MU_FIELD(struct mu_change_event, stat.aversion),
	MU_FIELD(struct mu_change_event, stat.ephemeral_owner),
	MU_FIELD(struct mu_change_event, stat.data_len),
	MU_FIELD(struct mu_change_event, stat.num_children),
	MU_FIELD(struct mu_change_event, stat.pzxid),
	MU_FIELD(struct mu_change_event, whole),
	MU_FIELD(struct mu_change_event, data),
};

static const struct mu_field multi_header_row[] = {
	MU_FIELD(struct mu_multi_header, op),
	MU_FIELD(struct mu_multi_header, done),
	MU_FIELD(struct mu_multi_header, err),
};

static const struct mu_field str_vec_row[] = {
	{ MU_FIELD_KIND_STRS, 0 },
};

static const struct mu_field acl_vec_row[] = {
	{ MU_FIELD_KIND_ACLS, 0 },
};

/* ---- records that are their row and nothing else ---- */

#define GET(name, type) \
	int mu_get_##name(struct mu_in *in, struct type *r) \
	{ \
		mu_row_get(in, name##_row, MU_ROW_COUNT(name##_row), r); \
		return outcome(in); \
	}
#define PUT(name, type) \
	void mu_put_##name(struct mu_buf *b, const struct type *r) \
	{ \
		mu_row_put(b, name##_row, MU_ROW_COUNT(name##_row), r); \
	}

GET(request_header, mu_request_header)
GET(reply_header, mu_reply_header)
GET(watcher_event, mu_watcher_event)
GET(multi_header, mu_multi_header)
GET(stat, mu_stat)
PUT(stat, mu_stat)
GET(delete, mu_delete_request)
PUT(delete, mu_delete_request)
GET(path_watch, mu_path_watch_request)
PUT(path_watch, mu_path_watch_request)
GET(set_data, mu_set_data_request)
PUT(set_data, mu_set_data_request)
GET(check, mu_check_request)
PUT(check, mu_check_request)
GET(sync, mu_sync_request)
PUT(sync, mu_sync_request)
GET(set_acl, mu_set_acl_request)
PUT(set_acl, mu_set_acl_request)
GET(delete_container, mu_delete_container_request)
PUT(delete_container, mu_delete_container_request)
GET(auth, mu_auth_packet)
PUT(auth, mu_auth_packet)
GET(watches, mu_watches_request)
PUT(watches, mu_watches_request)
GET(add_watch, mu_add_watch_request)
PUT(add_watch, mu_add_watch_request)
GET(subscribe, mu_subscribe_request)
PUT(subscribe, mu_subscribe_request)
GET(subscribe_reply, mu_subscribe_reply)
PUT(subscribe_reply, mu_subscribe_reply)
GET(unsubscribe, mu_unsubscribe_request)
PUT(unsubscribe, mu_unsubscribe_request)
GET(change_event, mu_change_event)
PUT(change_event, mu_change_event)
GET(str_vec, mu_vec)
GET(acl_vec, mu_vec)

/* ---- headers, written from their parts ---- */

void mu_put_request_header(struct mu_buf *b, int32_t xid, int32_t op)
{
	struct mu_request_header r = { xid, op };

	mu_row_put(b, request_header_row, MU_ROW_COUNT(request_header_row), &r);
}

void mu_put_reply_header(struct mu_buf *b, int32_t xid, int64_t zxid,
                         int32_t err)
{
	struct mu_reply_header r = { xid, zxid, err };

	mu_row_put(b, reply_header_row, MU_ROW_COUNT(reply_header_row), &r);
}

void mu_put_watcher_event(struct mu_buf *b, int32_t type, int32_t state,
                          struct mu_str path)
{
	struct mu_watcher_event r = { type, state, path };

	mu_row_put(b, watcher_event_row, MU_ROW_COUNT(watcher_event_row), &r);
}

void mu_put_multi_header(struct mu_buf *b, int32_t op, bool done, int32_t err)
{
	struct mu_multi_header r = { op, done, err };

	mu_row_put(b, multi_header_row, MU_ROW_COUNT(multi_header_row), &r);
}

/* ---- a change event in its two parts ---- */

#define CHANGE_HEAD_FIELDS 6u

void mu_put_change_head(struct mu_buf *b, const struct mu_change_event *r)
{
	mu_row_put(b, change_event_row, CHANGE_HEAD_FIELDS, r);
}

void mu_put_change_tail(struct mu_buf *b, const struct mu_change_event *r)
{
	mu_row_put(b, change_event_row + CHANGE_HEAD_FIELDS,
	           MU_ROW_COUNT(change_event_row) - CHANGE_HEAD_FIELDS, r);
}

/* ---- the handshake: an optional end (rule 7) and ours after it ---- */

int mu_get_connect_request(struct mu_in *in, struct mu_connect_request *r)
{
	mu_row_get(in, connect_request_row, MU_ROW_COUNT(connect_request_row),
	           r);
	r->has_read_only = mu_in_left(in) > 0;
	r->read_only = r->has_read_only && mu_get_bool(in);
	return outcome(in);
}

void mu_put_connect_request(struct mu_buf *b,
                            const struct mu_connect_request *r)
{
	mu_row_put(b, connect_request_row, MU_ROW_COUNT(connect_request_row),
	           r);
	if (r->has_read_only)
		mu_put_bool(b, r->read_only);
}

int mu_get_connect_response(struct mu_in *in, struct mu_connect_response *r)
{
	mu_row_get(in, connect_response_row, MU_ROW_COUNT(connect_response_row),
	           r);
	r->has_tree_id = r->protocol > 0;
	r->has_read_only = r->has_tree_id || mu_in_left(in) > 0;
	r->read_only = r->has_read_only && mu_get_bool(in);
	r->tree_id = r->has_tree_id ? mu_get_long(in) : 0;
	return outcome(in);
}

void mu_put_connect_response(struct mu_buf *b,
                             const struct mu_connect_response *r)
{
	mu_row_put(b, connect_response_row, MU_ROW_COUNT(connect_response_row),
	           r);
	if (r->has_read_only || r->protocol > 0)
		mu_put_bool(b, r->read_only);
	if (r->protocol > 0)
		mu_put_long(b, r->tree_id);
}

/* ---- records whose end depends on the operation ---- */

static size_t create_count(int32_t op)
{
	return MU_ROW_COUNT(create_row) - (op != MU_OP_CREATE_TTL);
}

int mu_get_create(struct mu_in *in, int32_t op, struct mu_create_request *r)
{
	r->ttl_ms = 0;
	mu_row_get(in, create_row, create_count(op), r);
	return outcome(in);
}

void mu_put_create(struct mu_buf *b, int32_t op,
                   const struct mu_create_request *r)
{
	mu_row_put(b, create_row, create_count(op), r);
}

static size_t set_watches_count(bool two)
{
	return MU_ROW_COUNT(set_watches_row) - (two ? 0 : 2);
}

int mu_get_set_watches(struct mu_in *in, bool two, struct mu_set_watches *r)
{
	r->persistent = r->recursive = (struct mu_vec){ .count = -1 };
	mu_row_get(in, set_watches_row, set_watches_count(two), r);
	return outcome(in);
}

void mu_put_set_watches(struct mu_buf *b, bool two,
                        const struct mu_set_watches *r)
{
	mu_row_put(b, set_watches_row, set_watches_count(two), r);
}

/* ---- vectors ---- */

void mu_put_vec(struct mu_buf *b, const struct mu_vec *v)
{
	mu_put_int(b, v->count);
	mu_buf_put(b, v->at, v->len);
}

/* clang-format off */
static const uint8_t open_acl[] = {
	0, 0, 0, 31,                              /* perms */
	0, 0, 0, 5, 'w', 'o', 'r', 'l', 'd',      /* scheme */
	0, 0, 0, 6, 'a', 'n', 'y', 'o', 'n', 'e', /* id */
};
/* clang-format on */

struct mu_vec mu_acl_open(void)
{
	return (struct mu_vec){ 1, open_acl, sizeof open_acl };
}

bool mu_acl_is_open(const struct mu_vec *v)
{
	return v->count == 1 && v->len == sizeof open_acl &&
	       memcmp(v->at, open_acl, sizeof open_acl) == 0;
}

/* ---- frames ---- */

size_t mu_frame_begin(struct mu_buf *b)
{
	size_t begin = b->len;

	mu_put_int(b, 0);
	return begin;
}

void mu_frame_end(struct mu_buf *b, size_t begin)
{
	size_t len;

	if (mu_buf_failed(b))
		return;
	len = b->len - begin - 4;
	MU_BUG_ON(len > INT32_MAX);
	mu_patch_int(b, begin, (int32_t)len);
}

int mu_frame_next(struct mu_in *message, struct mu_str *rec)
{
	if (mu_in_ok(message) && mu_in_left(message) == 0)
		return 0;
	*rec = mu_get_str(message);
	/* A length of -1 is a null string to jute; to a frame it is a lie. */
	if (!rec->at)
		message->bad = true;
	return mu_in_ok(message) ? 1 : MU_EPROTO;
}
