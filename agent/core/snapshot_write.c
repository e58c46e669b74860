/* snapshot_write.c - a store's state as a stream of bytes; see snapshot.h. */
#include "snapshot_impl.h"

#include "bug.h"
#include "crc.h"
#include "heap.h"
#include "mem.h"
#include "store_impl.h"
#include "tree_load.h"

#include <string.h>

#define SMALL_MAX 192u /* bytes of a record without what it borrows */

/* A record while it is made: its numbers, and bytes that lie elsewhere. */
struct record {
	uint8_t at[SMALL_MAX];
	size_t len;
	const void *tail;
	size_t tail_len;
};

struct writer {
	const struct mu_store *s;
	mu_sink_fn *sink;
	void *arg;
	int rc;            /* the first that the sink gave */
	uint32_t chain;    /* CRC of the head and the blocks' heads */
	uint32_t *numbers; /* by node id: its number; NULL: no ephemerals */
	uint32_t *traits;  /* by trait id: its number; 0: not told yet */
	uint32_t trait_count;
	struct mu_heap ids;  /* of sessions */
	struct mu_buf block; /* has room for MU_SNAPSHOT_BLOCK */
};

/* ---- blocks ---- */

static void emit(struct writer *w, const void *bytes, size_t len)
{
	if (!w->rc && len)
		w->rc = w->sink(w->arg, bytes, len);
}

/* A block of what stands in `a` and in `b`. */
static void emit_block(struct writer *w, uint32_t kind, struct mu_str a,
                       struct mu_str b)
{
	uint8_t head[MU_SNAP_BLOCK_HEAD];
	uint32_t crc = mu_crc32c(0, a.at, a.len);

	mu_snap_put32(head, kind);
	mu_snap_put32(head + 4, a.len + b.len);
	mu_snap_put32(head + 8, mu_crc32c(crc, b.at, b.len));
	mu_snap_put32(head + 12, mu_crc32c(0, head, 12));
	w->chain = mu_crc32c(w->chain, head, sizeof head);
	emit(w, head, sizeof head);
	emit(w, a.at, a.len);
	emit(w, b.at, b.len);
}

static struct mu_str bytes_of(const void *at, size_t len)
{
	return (struct mu_str){ at, (uint32_t)len };
}

static void flush(struct writer *w)
{
	if (w->block.len)
		emit_block(w, MU_SNAP_RECORDS,
		           bytes_of(w->block.data, w->block.len),
		           bytes_of("", 0));
	mu_buf_reset(&w->block);
}

static void put_record(struct writer *w, const struct record *r)
{
	size_t len = r->len + r->tail_len;

	if (w->block.len + len > MU_SNAPSHOT_BLOCK)
		flush(w);
	if (len > MU_SNAPSHOT_BLOCK) {
		emit_block(w, MU_SNAP_RECORDS, bytes_of(r->at, r->len),
		           bytes_of(r->tail, r->tail_len));
		return;
	}
	mu_buf_put(&w->block, r->at, r->len);
	mu_buf_put(&w->block, r->tail, r->tail_len);
}

/* ---- records ---- */

static void num(struct record *r, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		r->at[r->len++] = (uint8_t)(v | 0x80);
	r->at[r->len++] = (uint8_t)v;
}

static void begin(struct record *r, enum mu_snap_record kind)
{
	r->at[0] = (uint8_t)kind;
	r->len = 1;
	r->tail = NULL;
	r->tail_len = 0;
}

/* The number under which a trait goes; told first if it has none yet. */
static uint32_t trait_number(struct writer *w, uint32_t trait)
{
	struct mu_tree_shared shared;
	struct record r;

	if (!trait || w->traits[trait])
		return trait ? w->traits[trait] : 0;
	mu_tree_shared(w->s->tree, trait, &shared);
	begin(&r, MU_SNAP_TRAIT);
	num(&r, (uint64_t)shared.owner);
	num(&r, shared.aversion);
	num(&r, (uint64_t)shared.acl.count);
	num(&r, shared.acl.len);
	r.tail = shared.acl.at;
	r.tail_len = shared.acl.len;
	put_record(w, &r);
	return w->traits[trait] = ++w->trait_count;
}

static void put_node(struct writer *w, mu_node_id id, uint32_t up)
{
	struct mu_tree_row row;
	struct record r;
	uint32_t trait;

	mu_tree_row(w->s->tree, id, &row, &trait);
	trait = trait_number(w, trait);
	begin(&r, MU_SNAP_NODE);
	num(&r, up);
	num(&r, trait);
	num(&r, row.version);
	num(&r, row.creates);
	num(&r, (uint64_t)row.czxid);
	num(&r, (uint64_t)row.mzxid - (uint64_t)row.czxid);
	num(&r, (uint64_t)row.pzxid - (uint64_t)row.czxid);
	num(&r, (uint64_t)row.ctime);
	num(&r, (uint64_t)row.mtime - (uint64_t)row.ctime);
	num(&r, row.name.len);
	num(&r, (uint64_t)(row.data_len + INT64_C(1)));
	r.tail = row.name.at; /* and the data behind it */
	r.tail_len = row.name.len;
	if (row.data_len > 0)
		r.tail_len += (size_t)row.data_len;
	put_record(w, &r);
}

static void put_nodes(struct writer *w)
{
	mu_node_id id = MU_NODE_ROOT;
	uint32_t up = 0, number = 0;

	for (; id && !w->rc; id = mu_tree_load_next(w->s->tree, id, &up)) {
		number++;
		if (w->numbers)
			w->numbers[id] = number;
		put_node(w, id, up);
	}
}

/* ---- sessions ---- */

static void put_owned(struct writer *w, int64_t session)
{
	const struct mu_tree *t = w->s->tree;
	mu_node_id id = mu_tree_owned_last(t, session);
	struct record r;

	while (id && !w->rc) {
		begin(&r, MU_SNAP_OWNED);
		num(&r, w->numbers[id]);
		put_record(w, &r);
		id = mu_tree_owned_before(t, id);
	}
}

static void put_session(struct writer *w, const struct mu_session *session)
{
	size_t origin = strlen(session->origin);
	struct record r;

	begin(&r, MU_SNAP_SESSION);
	num(&r, (uint64_t)session->id);
	num(&r, session->made_timeout_ms);
	num(&r, origin);
	memcpy(r.at + r.len, session->password, MU_PASSWORD_LEN);
	r.len += MU_PASSWORD_LEN;
	r.tail = session->origin;
	r.tail_len = origin;
	put_record(w, &r);
	put_owned(w, session->id);
}

static void put_sessions(struct writer *w)
{
	while (w->ids.len > 0 && !w->rc) {
		int64_t id = (int64_t)w->ids.entry[0].key;

		mu_heap_remove(&w->ids, 0);
		put_session(w, mu_sessions_find(w->s->sessions, id));
	}
}

/* ---- the whole ---- */

static void not_asked(const void *arg, uint32_t id, uint32_t at)
{
	(void)arg;
	(void)id;
	(void)at;
}

static void add_id(void *arg, struct mu_session *session)
{
	struct writer *w = arg;

	mu_heap_push(&w->ids, (uint64_t)session->id, 0);
}

static int gather(struct writer *w)
{
	const struct mu_tree *t = w->s->tree;

	mu_heap_init(&w->ids, not_asked, NULL);
	if (mu_tree_ephemerals(t)) {
		w->numbers = mu_alloc((size_t)mu_tree_node_top(t) *
		                      sizeof *w->numbers);
		if (!w->numbers)
			return MU_ENOMEM;
	}
	w->traits = mu_alloc((size_t)mu_tree_trait_top(t) * sizeof *w->traits);
	if (!w->traits || mu_buf_reserve(&w->block, MU_SNAPSHOT_BLOCK) ||
	    mu_heap_reserve(&w->ids, mu_sessions_count(w->s->sessions)))
		return MU_ENOMEM;
	mu_sessions_each(w->s->sessions, add_id, w);
	return 0;
}

static void let_go(struct writer *w)
{
	mu_free(w->numbers);
	mu_free(w->traits);
	mu_buf_fini(&w->block);
	mu_heap_fini(&w->ids);
}

static void put_end(struct writer *w, const struct mu_snapshot_info *info)
{
	uint8_t end[MU_SNAP_END_LEN];

	mu_snap_put_counts(end, info);
	mu_snap_put32(end + MU_SNAP_COUNTS, w->chain);
	emit_block(w, MU_SNAP_END, bytes_of(end, sizeof end), bytes_of("", 0));
}

int mu_snapshot_write(const struct mu_store *s, mu_sink_fn *sink, void *arg)
{
	struct writer w = { .s = s, .sink = sink, .arg = arg };
	uint8_t head[MU_SNAPSHOT_HEAD];
	struct mu_snapshot_info info;

	if (gather(&w)) {
		let_go(&w);
		return MU_ENOMEM;
	}
	mu_snapshot_info_of(s, &info);
	mu_snap_put_head(head, &info);
	w.chain = mu_crc32c(0, head, sizeof head);
	emit(&w, head, sizeof head);
	put_nodes(&w);
	put_sessions(&w);
	flush(&w);
	put_end(&w, &info);
	MU_BUG_ON(mu_buf_failed(&w.block));
	let_go(&w);
	return w.rc;
}
