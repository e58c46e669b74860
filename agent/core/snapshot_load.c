/* snapshot_load.c - a store out of the bytes of a snapshot, or only a look at
 * them; see snapshot.h. Nothing in them is trusted. */
#include "snapshot_impl.h"

#include "bug.h"
#include "crc.h"
#include "err.h"
#include "mem.h"
#include "store_impl.h"
#include "tree_load.h"

#include <string.h>

#define NODE_LEAST 12u /* bytes of a node's record */

enum state { AT_HEAD, AT_BLOCK, AT_END };

struct mu_snapload {
	struct mu_store_config config;
	struct mu_when when;
	bool checks;    /* only: there is no store to be made */
	bool ended;     /* after an error, or done */
	uint64_t total; /* bytes to come, as the caller said; 0: not known */
	enum state state;
	struct mu_buf in; /* a piece that is not yet whole */
	uint64_t at;      /* offset of the piece that is looked at */
	uint32_t chain;
	struct mu_snapshot_info info;
	struct mu_store *store;
	struct mu_buf traits;  /* uint32_t by number - 1: ids */
	uint32_t trait_count;  /* told so far */
	mu_node_id node;       /* the last */
	uint32_t depth;        /* of it */
	uint64_t nodes, bytes; /* so far */
	uint64_t sessions, owned;
	int64_t session;  /* the last */
	uint64_t records; /* in this block */
};

int mu_snapload_new(const struct mu_store_config *config, struct mu_when when,
                    uint64_t total, struct mu_snapload **out,
                    struct mu_err *err)
{
	struct mu_snapload *l = mu_alloc(sizeof *l);

	if (!l)
		return mu_err(err, MU_ENOMEM, "no memory for reading");
	l->checks = !config;
	if (config)
		l->config = *config;
	l->when = when;
	l->total = total;
	*out = l;
	return 0;
}

void mu_snapload_free(struct mu_snapload *l)
{
	if (!l)
		return;
	mu_store_free(l->store);
	mu_buf_fini(&l->traits);
	mu_buf_fini(&l->in);
	mu_free(l);
}

const struct mu_snapshot_info *mu_snapload_info(const struct mu_snapload *l)
{
	return l->state == AT_HEAD ? NULL : &l->info;
}

/* ---- complaints ---- */

/* A record's; the block around it says where it is. */
static int lie(struct mu_err *err, const char *what)
{
	return mu_err(err, MU_EDATA, "%s", what);
}

static int no_memory(struct mu_err *err)
{
	return mu_err(err, MU_ENOMEM, "no memory for the tree");
}

/* ---- numbers ---- */

static uint64_t num(struct mu_in *in)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte;

		if (in->bad || in->at == in->end)
			break;
		byte = *in->at++;
		if (shift == 63 && byte > 1)
			break;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	in->bad = true;
	return 0;
}

static uint32_t num32(struct mu_in *in)
{
	uint64_t v = num(in);

	if (v > UINT32_MAX)
		in->bad = true;
	return (uint32_t)v;
}

static const uint8_t *take_bytes(struct mu_in *in, uint64_t len)
{
	const uint8_t *at = in->at;

	if (in->bad || len > (uint64_t)(in->end - in->at)) {
		in->bad = true;
		return NULL;
	}
	in->at += len;
	return at;
}

/* ---- records ---- */

typedef int read_fn(struct mu_snapload *l, struct mu_in *in,
                    struct mu_err *err);

/* Does it decode as so many entries, and nothing behind them? */
static bool is_acl(const struct mu_vec *v)
{
	struct mu_in in = mu_in_of(v->at, v->len);

	if (v->count <= 0 || v->count > (int32_t)MU_ACL_MAX)
		return false;
	for (int32_t i = 0; i < v->count; i++) {
		struct mu_acl a = mu_get_acl(&in);

		if (!a.scheme.at || !a.id.at)
			return false;
	}
	return mu_in_ok(&in) && mu_in_left(&in) == 0;
}

static int read_trait(struct mu_snapload *l, struct mu_in *in,
                      struct mu_err *err)
{
	struct mu_tree_shared shared = { .owner = (int64_t)num(in) };
	uint32_t id = 0, len;
	int rc;

	shared.aversion = num32(in);
	shared.acl.count = (int32_t)num32(in);
	len = num32(in);
	shared.acl.at = take_bytes(in, len);
	shared.acl.len = len;
	if (in->bad || !is_acl(&shared.acl))
		return lie(err, "an ACL that is none");
	l->trait_count++;
	if (!l->store)
		return 0;
	if (mu_buf_reserve(&l->traits, sizeof id))
		return no_memory(err);
	rc = mu_tree_load_shared(l->store->tree, &shared, &id);
	if (rc == MU_ENOMEM)
		return no_memory(err);
	if (rc)
		return lie(err, "an owner and an ACL that need no telling");
	mu_buf_put(&l->traits, &id, sizeof id);
	return 0;
}

static uint32_t trait_id(const struct mu_snapload *l, uint32_t number)
{
	uint32_t id = 0;

	if (number)
		memcpy(&id, l->traits.data + (number - 1) * sizeof id,
		       sizeof id);
	return id;
}

/* Climb from the last node to the one that is the parent of the next. */
static int climb(struct mu_snapload *l, uint32_t up, mu_node_id *parent)
{
	*parent = l->node;
	if (l->nodes == 0)
		return up ? MU_EDATA : 0;
	if (up > l->depth)
		return MU_EDATA;
	l->depth = l->depth - up + 1;
	for (; l->store && up > 0; up--)
		*parent = mu_tree_parent(l->store->tree, *parent);
	return 0;
}

static void get_row(struct mu_in *in, struct mu_tree_row *row)
{
	uint64_t len;

	row->version = num32(in);
	row->creates = num32(in);
	row->czxid = (int64_t)num(in);
	row->mzxid = (int64_t)((uint64_t)row->czxid + num(in));
	row->pzxid = (int64_t)((uint64_t)row->czxid + num(in));
	row->ctime = (int64_t)num(in);
	row->mtime = (int64_t)((uint64_t)row->ctime + num(in));
	row->name.len = num32(in);
	len = num(in);
	if (len > (uint64_t)INT32_MAX + 1)
		in->bad = true;
	row->data_len = (int32_t)((int64_t)len - 1);
	row->name.at = (const char *)take_bytes(in, row->name.len);
	row->data = take_bytes(in, len ? len - 1 : 0);
}

static int add_node(struct mu_snapload *l, mu_node_id parent,
                    const struct mu_tree_row *row, uint32_t trait,
                    struct mu_err *err)
{
	const char *why = "";
	int rc = mu_tree_load_node(l->store->tree, parent, row,
	                           trait_id(l, trait), &why);

	if (rc)
		return rc == MU_ENOMEM ? no_memory(err) : lie(err, why);
	l->node = mu_tree_count(l->store->tree) - 1; /* ids are dense */
	return 0;
}

static int read_node(struct mu_snapload *l, struct mu_in *in,
                     struct mu_err *err)
{
	uint32_t up = num32(in), trait = num32(in);
	struct mu_tree_row row;
	mu_node_id parent;
	int rc;

	get_row(in, &row);
	if (in->bad)
		return lie(err, "a node that does not decode");
	if (trait > l->trait_count)
		return lie(err, "a node whose owner and ACL nobody told");
	if (l->nodes == l->info.nodes || l->sessions)
		return lie(err, "more nodes than the head says");
	if (climb(l, up, &parent))
		return lie(err, "a node beside the root");
	rc = l->store ? add_node(l, parent, &row, trait, err) : 0;
	if (rc)
		return rc;
	l->nodes++;
	l->bytes += row.name.len;
	l->bytes += row.data_len > 0 ? (uint32_t)row.data_len : 0;
	return 0;
}

static int add_session(struct mu_snapload *l, const uint8_t *password,
                       uint32_t timeout_ms, struct mu_str origin,
                       struct mu_err *err)
{
	struct mu_session *session;
	int rc = mu_sessions_add(l->store->sessions, l->session, password,
	                         timeout_ms, l->when.mono_ms, &session);

	MU_BUG_ON(rc && rc != MU_ENOMEM);
	if (rc)
		return no_memory(err);
	if (origin.len)
		memcpy(session->origin, origin.at, origin.len);
	return 0;
}

static int read_session(struct mu_snapload *l, struct mu_in *in,
                        struct mu_err *err)
{
	int64_t id = (int64_t)num(in);
	uint32_t timeout_ms = num32(in);
	struct mu_str origin = { .len = num32(in) };
	const uint8_t *password = take_bytes(in, MU_PASSWORD_LEN);

	origin.at = (const char *)take_bytes(in, origin.len);
	if (in->bad || origin.len >= MU_ORIGIN_MAX ||
	    memchr(origin.at, '\0', origin.len))
		return lie(err, "a session that does not decode");
	if (!mu_owner_is_session(id) || timeout_ms == 0 ||
	    timeout_ms > INT32_MAX)
		return lie(err, "a session that cannot be");
	if (l->sessions && (uint64_t)id <= (uint64_t)l->session)
		return lie(err, "sessions out of order");
	if (l->sessions == l->info.sessions)
		return lie(err, "more sessions than the head says");
	l->sessions++;
	l->session = id;
	return l->store ? add_session(l, password, timeout_ms, origin, err) : 0;
}

static int read_owned(struct mu_snapload *l, struct mu_in *in,
                      struct mu_err *err)
{
	uint64_t number = num(in);

	if (in->bad || number < 2 || number > l->nodes || l->sessions == 0)
		return lie(err, "an ephemeral that is none");
	l->owned++;
	if (l->store &&
	    mu_tree_load_own(l->store->tree, (mu_node_id)number, l->session))
		return lie(err, "an ephemeral that is not its session's");
	return 0;
}

static const struct {
	const char *name;
	read_fn *read;
} rows[] = {
	[MU_SNAP_TRAIT] = { "trait", read_trait },
	[MU_SNAP_NODE] = { "node", read_node },
	[MU_SNAP_SESSION] = { "session", read_session },
	[MU_SNAP_OWNED] = { "owned", read_owned },
};

/* ---- pieces ---- */

static int read_records(struct mu_snapload *l, struct mu_in *in,
                        struct mu_err *err)
{
	struct mu_err why = { 0 };
	uint8_t kind;
	int rc;

	for (l->records = 0; in->at != in->end; l->records++) {
		kind = *in->at++;
		if (kind >= sizeof rows / sizeof rows[0] || !rows[kind].read)
			rc = mu_err(&why, MU_EDATA, "a record of kind %u",
			            (unsigned)kind);
		else
			rc = rows[kind].read(l, in, &why);
		if (rc == MU_EDATA)
			return mu_err(err, rc,
			              "record %llu of the block at byte %llu "
			              "is wrong: %s",
			              (unsigned long long)l->records + 1,
			              (unsigned long long)l->at, why.msg);
		if (rc)
			return mu_err(err, rc, "%s", why.msg);
	}
	return 0;
}

static int read_head(struct mu_snapload *l, const uint8_t *at,
                     struct mu_err *err)
{
	uint64_t most = l->total / NODE_LEAST;
	int rc = mu_snapshot_head(at, &l->info, err);

	if (rc)
		return rc;
	l->chain = mu_crc32c(0, at, MU_SNAPSHOT_HEAD);
	l->state = AT_BLOCK;
	if (l->checks)
		return 0;
	if (most > l->info.nodes)
		most = l->info.nodes;
	return mu_store_bare(&l->config, l->when, &l->info, (uint32_t)most,
	                     &l->store, err);
}

static bool is_complete(const struct mu_snapload *l)
{
	return l->nodes == l->info.nodes && l->bytes == l->info.tree_bytes &&
	       l->sessions == l->info.sessions &&
	       l->owned == l->info.ephemerals;
}

static int read_end(struct mu_snapload *l, const uint8_t *at, size_t len,
                    struct mu_err *err)
{
	uint8_t counts[MU_SNAP_COUNTS];
	const char *why;

	if (len != MU_SNAP_END_LEN)
		return mu_err(err, MU_EDATA, "its end is malformed");
	mu_snap_put_counts(counts, &l->info);
	if (mu_snap_get32(at + MU_SNAP_COUNTS) != l->chain ||
	    memcmp(at, counts, sizeof counts) != 0)
		return mu_err(err, MU_EDATA,
		              "its end does not belong to its beginning");
	if (!is_complete(l))
		return mu_err(err, MU_EDATA,
		              "it has not all that its head says");
	if (l->store && mu_tree_load_done(l->store->tree, &why))
		return mu_err(err, MU_EDATA, "it has %s", why);
	l->state = AT_END;
	return 0;
}

/* Its head is good already. */
static int read_block(struct mu_snapload *l, const uint8_t *at, size_t len,
                      struct mu_err *err)
{
	const uint8_t *payload = at + MU_SNAP_BLOCK_HEAD;
	struct mu_in in = mu_in_of(payload, len - MU_SNAP_BLOCK_HEAD);
	uint32_t kind = mu_snap_get32(at);
	int rc;

	if (mu_snap_get32(at + 8) != mu_crc32c(0, payload, mu_in_left(&in)))
		return mu_err(err, MU_EDATA,
		              "the block at byte %llu is damaged (checksum)",
		              (unsigned long long)l->at);
	if (kind == MU_SNAP_END)
		return read_end(l, payload, mu_in_left(&in), err);
	rc = read_records(l, &in, err);
	l->chain = mu_crc32c(l->chain, at, MU_SNAP_BLOCK_HEAD);
	return rc;
}

static int check_block_head(const struct mu_snapload *l, const uint8_t *at,
                            struct mu_err *err)
{
	uint32_t kind = mu_snap_get32(at);

	if (mu_snap_get32(at + 12) == mu_crc32c(0, at, 12) &&
	    (kind == MU_SNAP_RECORDS || kind == MU_SNAP_END) &&
	    mu_snap_get32(at + 4) > 0)
		return 0;
	return mu_err(err, MU_EDATA, "the block at byte %llu is damaged (head)",
	              (unsigned long long)l->at);
}

/* How many bytes the piece at `at` has, as far as `have` of them tell. */
static int measure(const struct mu_snapload *l, const uint8_t *at, size_t have,
                   size_t *whole, struct mu_err *err)
{
	*whole = MU_SNAP_BLOCK_HEAD;
	if (l->state == AT_HEAD)
		*whole = MU_SNAPSHOT_HEAD;
	else if (l->state == AT_END)
		return mu_err(err, MU_EDATA,
		              "there are bytes behind its end, which is at "
		              "byte %llu",
		              (unsigned long long)l->at);
	else if (have >= MU_SNAP_BLOCK_HEAD) {
		if (check_block_head(l, at, err))
			return MU_EDATA;
		*whole += mu_snap_get32(at + 4);
	}
	return 0;
}

static int read_piece(struct mu_snapload *l, const uint8_t *at, size_t len,
                      struct mu_err *err)
{
	int rc = l->state == AT_HEAD ? read_head(l, at, err)
	                             : read_block(l, at, len, err);

	l->at += len;
	return rc;
}

/* Take some of the bytes: a whole piece, or what one lacks. */
static int feed_some(struct mu_snapload *l, const uint8_t *at, size_t *len,
                     struct mu_err *err)
{
	size_t whole, more;
	int rc = l->in.len ? 0 : measure(l, at, *len, &whole, err);

	if (rc)
		return rc;
	if (!l->in.len && *len >= whole) {
		*len = whole;
		return read_piece(l, at, whole, err);
	}
	rc = measure(l, l->in.data, l->in.len, &whole, err);
	MU_BUG_ON(rc);
	more = whole - l->in.len;
	if (*len > more)
		*len = more;
	mu_buf_put(&l->in, at, *len);
	if (mu_buf_failed(&l->in))
		return no_memory(err);
	rc = measure(l, l->in.data, l->in.len, &whole, err);
	if (rc || l->in.len < whole)
		return rc;
	rc = read_piece(l, l->in.data, l->in.len, err);
	mu_buf_reset(&l->in);
	return rc;
}

int mu_snapload_feed(struct mu_snapload *l, const void *bytes, size_t len,
                     struct mu_err *err)
{
	const uint8_t *at = bytes;
	int rc = 0;

	MU_BUG_ON(l->ended);
	while (len > 0 && !rc) {
		size_t n = len;

		rc = feed_some(l, at, &n, err);
		at += n;
		len -= n;
	}
	l->ended = rc != 0;
	return rc;
}

int mu_snapload_done(struct mu_snapload *l, struct mu_store **store,
                     struct mu_err *err)
{
	MU_BUG_ON(l->ended);
	l->ended = true;
	if (l->state != AT_END || l->in.len > 0)
		return mu_err(err, MU_EDATA, "it ends at byte %llu, too early",
		              (unsigned long long)(l->at + l->in.len));
	if (l->store) {
		for (uint32_t i = 1; i <= l->trait_count; i++)
			mu_tree_load_let_go(l->store->tree, trait_id(l, i));
	}
	if (store)
		*store = l->store;
	else
		mu_store_free(l->store);
	l->store = NULL;
	return 0;
}
