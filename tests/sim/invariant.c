#include "invariant.h"

#include "broker.h"
#include "err.h"

#include <inttypes.h>
#include <string.h>

/* ---- sessions ---- */

void check_arrival(struct world *w, struct known_session *k, uint32_t wire)
{
	uint64_t last =
		k->arrived_ms > k->heard_ms ? k->arrived_ms : k->heard_ms;

	if (k->wire != wire)
		return;
	if (w->now_ms - last + 2 * BROKER_TICK_MS >= k->timeout_ms)
		k->broken = true;
	k->arrived_ms = w->now_ms;
}

void check_heard(struct world *w, const struct history *h,
                 struct known_session *k)
{
	k->heard_ms = k->arrived_ms = w->now_ms;
	k->stalls_ms = h->stalls_ms;
	k->broken = false;
}

void check_expiry(struct world *w, const struct known_session *k)
{
	world_trace(w, "session %" PRIx64 " expires", (uint64_t)k->id);
	w->counts.expired++;
	/* Nobody has come for it: it has a full timeout since the broker began,
	 * or since it was made, by the store's last reading of the clock. */
	if (!k->wire &&
	    w->now_ms - k->heard_ms + 2 * BROKER_TICK_MS < k->timeout_ms)
		world_fail(w,
		           "session %" PRIx64 " expires %" PRIu64
		           " ms after the start, its timeout is %u",
		           (uint64_t)k->id, w->now_ms - k->heard_ms,
		           k->timeout_ms);
	if (k->wire && !k->broken && w->now_ms - k->arrived_ms < k->timeout_ms)
		world_fail(w,
		           "session %" PRIx64 " expires %" PRIu64
		           " ms after it was heard of, its timeout is %u",
		           (uint64_t)k->id, w->now_ms - k->arrived_ms,
		           k->timeout_ms);
}

void check_overdue(struct world *w, const struct history *h)
{
	for (size_t i = 0; i < h->known_count; i++) {
		const struct known_session *k = &h->known[i];
		uint64_t stalls_ms = h->stalls_ms - k->stalls_ms;

		if (!k->alive || k->ending)
			continue;
		if (w->now_ms - k->heard_ms >
		    stalls_ms + k->timeout_ms + 2 * BROKER_TICK_MS)
			world_fail(w,
			           "session %" PRIx64
			           " lives, silent for %" PRIu64
			           " ms with a timeout of %u",
			           (uint64_t)k->id, w->now_ms - k->heard_ms,
			           k->timeout_ms);
	}
}

/* ---- the book of watches ---- */

#define KIND(kind) (1u << (kind))

static unsigned spent_by(int32_t type)
{
	unsigned data = KIND(MU_LW_DATA) | KIND(MU_LW_EXIST);

	if (type == MU_NODE_CHILDREN_CHANGED)
		return KIND(MU_LW_CHILD);
	return type == MU_NODE_DELETED ? data | KIND(MU_LW_CHILD) : data;
}

static unsigned held(const struct view *v, uint32_t path)
{
	for (size_t i = 0; i < v->book_count; i++)
		if (v->book[i].path == path)
			return v->book[i].kinds;
	return 0;
}

static void enter(struct view *v, uint32_t path, unsigned kinds)
{
	size_t i = 0;

	while (i < v->book_count && v->book[i].path != path)
		i++;
	if (i == VIEW_BOOK_MAX) {
		world_fail(v->world, "the model's book of watches is full");
		return;
	}
	if (i == v->book_count)
		v->book[v->book_count++] = (struct view_watch){ path, 0 };
	v->book[i].kinds |= kinds;
}

static void leave(struct view *v, uint32_t path, unsigned kinds)
{
	for (size_t i = 0; i < v->book_count; i++)
		if (v->book[i].path == path) {
			v->book[i].kinds &= ~kinds;
			if (!v->book[i].kinds)
				v->book[i] = v->book[--v->book_count];
			return;
		}
}

/* Is some recursive watch on the path or above it? */
static bool is_below_recursive(const struct view *v, uint32_t path)
{
	struct mu_str p = history_path_text(v->history, path);

	for (size_t i = 0; i < v->book_count; i++)
		if ((v->book[i].kinds & KIND(MU_LW_RECURSIVE)) &&
		    mu_path_is_within(
			    p, history_path_text(v->history, v->book[i].path)))
			return true;
	return false;
}

static bool wants(const struct view *v, int32_t type, uint32_t path)
{
	unsigned kinds = spent_by(type) | KIND(MU_LW_PERSISTENT);

	return (held(v, path) & kinds) || (type != MU_NODE_CHILDREN_CHANGED &&
	                                   is_below_recursive(v, path));
}

void view_unwatch(struct view *v, uint32_t path, int kind)
{
	leave(v, path, KIND(kind));
}

/* ---- events ---- */

/* Changes up to here (not included) are past: none of them was left out. */
static void settle(struct view *v, size_t until, const char *before)
{
	const struct history *h = v->history;

	for (; v->settled < until; v->settled++) {
		const struct change *c = &h->changes[v->settled];

		if (wants(v, (int32_t)c->type, c->path))
			world_fail(
				v->world,
				"client %u was not told of event %d of %s at "
				"%" PRIx64 " before %s",
				v->client, (int)c->type,
				h->paths[c->path - 1].text, (uint64_t)c->zxid,
				before);
	}
}

static void live_event(struct view *v, int32_t type, int64_t zxid,
                       uint32_t path)
{
	const struct history *h = v->history;
	size_t at = v->settled;

	while (at < h->change_count &&
	       !(h->changes[at].zxid == zxid && h->changes[at].path == path &&
	         (int32_t)h->changes[at].type == type))
		at++;
	if (at == h->change_count || !wants(v, type, path)) {
		world_fail(v->world,
		           "client %u is told of event %d of %s at %" PRIx64
		           ", which %s",
		           v->client, (int)type, h->paths[path - 1].text,
		           (uint64_t)zxid,
		           at == h->change_count ? "has not happened or is past"
		                                 : "it did not ask for");
		return;
	}
	settle(v, at, "a later one");
	v->world->counts.events++;
	v->settled = at + 1;
	leave(v, path, spent_by(type));
}

static void catchup_event(struct view *v, int32_t type, uint32_t path)
{
	if (v->caught_count == VIEW_CATCHUP_MAX) {
		world_fail(v->world, "client %u is told too much", v->client);
		return;
	}
	v->caught[v->caught_count].path = path;
	v->caught[v->caught_count].type = type;
	v->caught[v->caught_count++].due = false;
}

void view_event(struct view *v, int32_t type, int64_t zxid, struct mu_str path)
{
	bool rearming = v->state == MU_LINK_REARMING;
	uint32_t number = history_path(v->history, path);

	world_trace(v->world, "client %u: event %d of %s at %" PRIx64,
	            v->client, (int)type, v->history->paths[number - 1].text,
	            (uint64_t)zxid);
	if (rearming != (zxid == -1))
		world_fail(v->world,
		           "client %u: an event at %" PRId64 " in state %s",
		           v->client, zxid, mu_link_state_word(v->state));
	else if (rearming)
		catchup_event(v, type, number);
	else
		live_event(v, type, zxid, number);
}

/* ---- catching up: rule 37 ---- */

static bool is_root(const struct view *v, uint32_t path)
{
	return v->history->paths[path - 1].len == 1;
}

/* What setWatches must tell of one watch, with the tree as it was at `now`. */
static int32_t missed(const struct view *v, int kind, uint32_t path,
                      int64_t now)
{
	const struct change *c = history_state(v->history, path, now);
	bool exists = c ? c->exists : is_root(v, path);

	switch (kind) {
	case MU_LW_DATA:
		if (!exists)
			return MU_NODE_DELETED;
		return c && c->stat.mzxid > v->seen ? MU_NODE_DATA_CHANGED : 0;
	case MU_LW_EXIST:
		return exists ? MU_NODE_CREATED : 0;
	case MU_LW_CHILD:
		if (!exists)
			return MU_NODE_DELETED;
		return c && c->stat.pzxid > v->seen ? MU_NODE_CHILDREN_CHANGED
		                                    : 0;
	default: /* rule 38 */
		return 0;
	}
}

static void expect(struct view *v, int32_t type, uint32_t path)
{
	for (size_t i = 0; i < v->caught_count; i++)
		if (!v->caught[i].due && v->caught[i].path == path &&
		    v->caught[i].type == type) {
			v->caught[i].due = true;
			v->world->counts.caught_up++;
			return;
		}
	world_fail(v->world, "client %u was not caught up on event %d of %s",
	           v->client, (int)type, v->history->paths[path - 1].text);
}

static void check_catchup(struct view *v, int64_t now)
{
	struct view_watch before[VIEW_BOOK_MAX];
	size_t count = v->book_count;

	memcpy(before, v->book, sizeof before);
	for (int kind = MU_LW_DATA; kind <= MU_LW_CHILD; kind++)
		for (size_t i = 0; i < count; i++) {
			uint32_t path = before[i].path;
			int32_t type = missed(v, kind, path, now);

			if (!(before[i].kinds & KIND(kind)) || !type ||
			    !wants(v, type, path))
				continue;
			expect(v, type, path);
			leave(v, path, spent_by(type));
		}
	for (size_t i = 0; i < v->caught_count; i++)
		if (!v->caught[i].due)
			world_fail(
				v->world,
				"client %u was caught up on event %d of %s, "
				"which it knew",
				v->client, (int)v->caught[i].type,
				v->history->paths[v->caught[i].path - 1].text);
	v->caught_count = 0;
}

/* ---- states ---- */

void view_start(struct view *v, bool resumed)
{
	v->state = MU_LINK_IDLE;
	v->book_count = v->caught_count = 0;
	if (resumed)
		return;
	v->seen = v->written = v->session = 0;
}

static void connected(struct view *v, const struct mu_link_info *info)
{
	if (info->last_zxid < v->seen)
		world_fail(v->world, "client %u goes back to %" PRIx64,
		           v->client, (uint64_t)info->last_zxid);
	if (v->session && v->session != info->session)
		world_fail(v->world, "client %u has another session",
		           v->client);
	check_catchup(v, info->last_zxid);
	v->world->counts.resumed += info->resumed;
	v->session = info->session;
	v->seen = info->last_zxid;
	v->settled = history_after(v->history, v->seen);
}

void view_state(struct view *v, enum mu_link_state state, int why,
                const struct mu_link_info *info)
{
	world_trace(v->world, "client %u is %s: %s", v->client,
	            mu_link_state_word(state), mu_err_name(why));
	if (why == MU_EPROTO || why == MU_ENOMEM)
		world_fail(v->world, "client %u lost its link: %s", v->client,
		           mu_err_text(why));
	/* Told on a link that did not last: those watches are spent. */
	for (size_t i = 0; state == MU_LINK_IDLE && i < v->caught_count; i++)
		leave(v, v->caught[i].path, spent_by(v->caught[i].type));
	if (state == MU_LINK_IDLE)
		v->caught_count = 0;
	if (state == MU_LINK_CONNECTED)
		connected(v, info);
	v->state = state;
}

/* ---- replies ---- */

static bool is_write(int32_t op)
{
	return op == MU_OP_CREATE || op == MU_OP_CREATE2 ||
	       op == MU_OP_DELETE || op == MU_OP_SET_DATA || op == MU_OP_MULTI;
}

static void check_write(struct view *v, const struct asked *q, int rc,
                        int64_t zxid)
{
	const struct written *w = history_written(v->history, zxid);

	if (!w || w->session != v->session || w->op != q->op || w->err != rc)
		world_fail(v->world,
		           "client %u is told of a %s at %" PRIx64
		           " with %s, which was not so",
		           v->client, mu_op_name(q->op), (uint64_t)zxid,
		           mu_err_name(rc));
	if (zxid <= v->written)
		world_fail(v->world,
		           "client %u: a write at %" PRIx64
		           " is answered after one at %" PRIx64,
		           v->client, (uint64_t)zxid, (uint64_t)v->written);
	v->written = zxid;
}

static bool same_stat(const struct mu_stat *a, const struct mu_stat *b)
{
	return a->czxid == b->czxid && a->mzxid == b->mzxid &&
	       a->pzxid == b->pzxid && a->ctime == b->ctime &&
	       a->mtime == b->mtime && a->version == b->version &&
	       a->cversion == b->cversion && a->aversion == b->aversion &&
	       a->ephemeral_owner == b->ephemeral_owner &&
	       a->data_len == b->data_len && a->num_children == b->num_children;
}

static uint64_t names_print(struct mu_in *in)
{
	int32_t count = mu_get_count(in, 4);
	uint64_t print = 0;

	for (int32_t i = 0; i < count; i++) {
		struct mu_str name = mu_get_str(in);

		print += history_print(name.at, name.len);
	}
	return print;
}

/* What a good reply says of its path. */
static bool says_the_same(const struct change *c, const struct asked *q,
                          struct mu_in in)
{
	struct mu_stat stat;
	struct mu_str data;
	bool same = true;

	if (q->op == MU_OP_GET_CHILDREN || q->op == MU_OP_GET_CHILDREN2)
		same = names_print(&in) == c->children;
	if (q->op == MU_OP_GET_DATA) {
		data = mu_get_str(&in);
		same = data.at ? history_print(data.at, data.len) == c->data
		               : c->stat.data_len == 0;
	}
	if (q->op == MU_OP_GET_CHILDREN)
		return same && mu_in_ok(&in);
	return same && mu_get_stat(&in, &stat) == 0 &&
	       same_stat(&stat, &c->stat);
}

static void check_read(struct view *v, const struct asked *q, int rc,
                       int64_t zxid, const void *body, size_t len)
{
	const struct change *c = history_state(v->history, q->path, zxid);
	bool good = !c || says_the_same(c, q, mu_in_of(body, len));

	if (!c && is_root(v, q->path))
		return;
	if (rc != 0 && rc != MU_ENONODE)
		world_fail(v->world, "client %u: %s is answered %s", v->client,
		           mu_op_name(q->op), mu_err_name(rc));
	if ((rc == 0) != (c && c->exists) || (rc == 0 && !good))
		world_fail(v->world,
		           "client %u: %s of %s at %" PRIx64
		           " (%s) is not what was there",
		           v->client, mu_op_name(q->op),
		           v->history->paths[q->path - 1].text, (uint64_t)zxid,
		           mu_err_name(rc));
}

/* Rule 29. */
static void enter_watch(struct view *v, const struct asked *q, int rc)
{
	int kind = q->watch;

	if (kind < 0 || (rc && !(rc == MU_ENONODE && kind == MU_LW_EXIST)))
		return;
	if (!rc && kind == MU_LW_EXIST)
		kind = MU_LW_DATA;
	enter(v, q->path, KIND(kind));
}

/* The session's end is on its way, or the journal refused: no promise. */
static bool is_excused(const struct view *v, int rc)
{
	const struct known_session *k = history_session(v->history, v->session);

	return rc == MU_EIO || rc == MU_ENOSPACE ||
	       (rc == MU_EEXPIRED && k->ending);
}

void view_reply(struct view *v, const struct asked *q, int rc, int64_t zxid,
                const void *body, size_t len)
{
	if (zxid == -1) { /* not traced: there can be very many */
		v->world->counts.lost++;
		if (rc != MU_ECONNLOSS && rc != MU_EEXPIRED)
			world_fail(v->world, "client %u: no reply, but %s",
			           v->client, mu_err_name(rc));
		return;
	}
	world_trace(v->world, "client %u: %s %s is %s at %" PRIx64, v->client,
	            mu_op_name(q->op),
	            q->path ? v->history->paths[q->path - 1].text : "",
	            mu_err_name(rc), (uint64_t)zxid);
	if (zxid < v->seen)
		world_fail(v->world,
		           "client %u goes back from %" PRIx64 " to %" PRIx64,
		           v->client, (uint64_t)v->seen, (uint64_t)zxid);
	v->seen = zxid;
	v->world->counts.replies++;
	v->world->counts.failed += rc != 0;
	settle(v, history_after(v->history, zxid), "a reply");
	if (is_excused(v, rc))
		return;
	record_answer(v->recorder, &q->recorded, q->op, rc, zxid, v->session,
	              &(struct mu_str){ body, (uint32_t)len });
	if (zxid < q->after && q->losses == v->history->losses)
		world_fail(v->world,
		           "client %u is answered at %" PRIx64
		           " without its own write at %" PRIx64,
		           v->client, (uint64_t)zxid, (uint64_t)q->after);
	if (is_write(q->op))
		check_write(v, q, rc, zxid);
	else if (q->op != MU_OP_SYNC && q->op != MU_OP_ADD_WATCH)
		check_read(v, q, rc, zxid, body, len);
	else if (rc)
		world_fail(v->world, "client %u: %s is answered %s", v->client,
		           mu_op_name(q->op), mu_err_name(rc));
	enter_watch(v, q, rc);
}
