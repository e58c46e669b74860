/* The door: what the shell hands in, and what it takes out. */
#include "store_impl.h"

#include "bug.h"
#include "err.h"
#include "mem.h"

#include <string.h>

static const char *const close_words[] = {
#define CLOSE_WORD(name, word) [name] = word,
	MU_CLOSE_MAP(CLOSE_WORD)
#undef CLOSE_WORD
};

const char *mu_close_word(enum mu_close_reason reason)
{
	MU_BUG_ON((unsigned)reason >= MU_CLOSE_COUNT);
	return close_words[reason];
}

/* ---- making one ---- */

static const struct {
	const char *name;
	size_t at;
} limit_rows[] = {
#define LIMIT(name) \
	{ \
#name, offsetof(struct mu_store_config, name) \
	}
	LIMIT(tick_ms),
	LIMIT(session_timeout_min_ms),
	LIMIT(session_timeout_max_ms),
	LIMIT(handshake_timeout_ms),
	LIMIT(packet_max),
	LIMIT(reply_max),
	LIMIT(outstanding_max),
	LIMIT(sessions_max),
	LIMIT(links_max),
	LIMIT(watches_max),
#undef LIMIT
};

static int check_config(const struct mu_store_config *c, struct mu_err *err)
{
	for (size_t i = 0; i < sizeof limit_rows / sizeof limit_rows[0]; i++) {
		uint32_t value;

		memcpy(&value, (const uint8_t *)c + limit_rows[i].at,
		       sizeof value);
		if (value == 0)
			return mu_err(err, MU_EINVAL,
			              "%s is 0; it must be at least 1",
			              limit_rows[i].name);
		if (value > INT32_MAX)
			return mu_err(err, MU_EINVAL,
			              "%s is %u; it must be at most %d",
			              limit_rows[i].name, (unsigned)value,
			              INT32_MAX);
	}
	if (c->session_timeout_min_ms > c->session_timeout_max_ms)
		return mu_err(err, MU_EINVAL,
		              "session_timeout_min_ms is %u, more than "
		              "session_timeout_max_ms, which is %u",
		              (unsigned)c->session_timeout_min_ms,
		              (unsigned)c->session_timeout_max_ms);
	return 0;
}

static int make_parts(struct mu_store *s)
{
	const uint8_t *key = s->config.hash_key;

	if (mu_peers_init(s))
		return MU_ENOMEM;
	/* The limits on sessions and watches may change while running, and
	 * must not decide what a command does: they are kept at the door. */
	s->tree = mu_tree_new(key);
	s->watches = mu_watches_new(key, UINT32_MAX);
	s->subs = mu_subs_new(key);
	s->changes = mu_changelog_new();
	s->sessions = mu_sessions_new(key, UINT32_MAX);
	return s->tree && s->watches && s->subs && s->changes && s->sessions
	               ? 0
	               : MU_ENOMEM;
}

static void limit_changes(struct mu_store *s)
{
	mu_changelog_limit(s->changes, s->config.change_log_max,
	                   s->config.change_log_bytes);
}

int mu_store_new(const struct mu_store_config *config, struct mu_when when,
                 struct mu_store **out, struct mu_err *err)
{
	int rc = check_config(config, err);
	struct mu_store *s;

	if (rc)
		return rc;
	s = mu_alloc(sizeof *s);
	if (!s)
		return mu_err(err, MU_ENOMEM, "no memory for the tree");
	s->config = *config;
	s->mono_ms = s->last_tick_ms = when.mono_ms;
	s->sweep.began_ms = s->sweep.last_ms = when.mono_ms;
	s->wall_ms = when.wall_ms;
	s->zxid = s->zxid_taken = (int64_t)((uint64_t)config->epoch << 32);
	if (make_parts(s)) {
		mu_store_free(s);
		return mu_err(err, MU_ENOMEM, "no memory for the tree");
	}
	limit_changes(s);
	mu_changelog_start(s->changes, s->zxid, -1);
	*out = s;
	return 0;
}

void mu_store_free(struct mu_store *s)
{
	if (!s)
		return;
	for (uint64_t i = s->applied + 1; i <= s->logged; i++)
		mu_free(mu_log_at(s, i));
	mu_free(s->ring);
	mu_peers_fini(s);
	mu_fx_fini(&s->fx);
	mu_buf_fini(&s->scratch);
	mu_outcome_fini(&s->outcome);
	mu_buf_fini(&s->readers);
	mu_watches_free(s->watches);
	mu_subs_free(s->subs);
	mu_changelog_free(s->changes);
	mu_sessions_free(s->sessions);
	mu_tree_free(s->tree);
	memset(s->pool, 0, sizeof s->pool);
	mu_free(s);
}

int mu_store_reconfigure(struct mu_store *s,
                         const struct mu_store_config *config,
                         struct mu_err *err)
{
	struct mu_store_config next = *config;
	int rc = check_config(config, err);

	if (rc)
		return rc;
	memcpy(next.hash_key, s->config.hash_key, sizeof next.hash_key);
	next.epoch = s->config.epoch;
	next.tree_id = s->config.tree_id;
	s->config = next;
	limit_changes(s);
	return 0;
}

size_t mu_store_entropy_wanted(const struct mu_store *s)
{
	size_t room = sizeof s->pool - s->pool_len;

	return room >= sizeof s->pool / 2 ? room : 0;
}

void mu_store_entropy(struct mu_store *s, const void *bytes, size_t len)
{
	size_t room = sizeof s->pool - s->pool_len;
	size_t n = len < room ? len : room;

	if (n)
		memcpy(s->pool + s->pool_len, bytes, n);
	s->pool_len += n;
}

/* ---- links ---- */

static void start(struct mu_store *s)
{
	MU_BUG_ON(s->dead);
	mu_fx_start(&s->fx);
}

/* Whichever call sees it first: what is touched after a stall must not gain
 * it. */
static void note_stall(struct mu_store *s)
{
	uint64_t since_ms = s->mono_ms - s->last_tick_ms;
	uint64_t tick_ms = s->config.tick_ms;

	if (since_ms <= 2 * tick_ms)
		return;
	s->last_tick_ms = s->mono_ms;
	mu_sessions_stalled(s->sessions, since_ms - tick_ms);
	s->stats.stalled_ms += since_ms - tick_ms;
}

static void start_at(struct mu_store *s, struct mu_when when)
{
	start(s);
	if (when.mono_ms > s->mono_ms)
		s->mono_ms = when.mono_ms;
	if (when.wall_ms > s->wall_ms)
		s->wall_ms = when.wall_ms;
	note_stall(s);
}

/* A clock that stands still while the broker was stalled. */
static uint64_t unstalled_ms(const struct mu_store *s)
{
	return s->mono_ms - s->stats.stalled_ms;
}

int mu_store_link_open(struct mu_store *s, uint32_t link, const char *origin,
                       struct mu_when when)
{
	struct mu_peer *p;

	start_at(s, when);
	MU_BUG_ON(link == 0 || mu_peer_find(s, link));
	if (s->by_number.count >= s->config.links_max)
		return MU_EFULL;
	p = mu_peer_add(s, link);
	if (!p)
		return MU_ENOMEM;
	p->opened_ms = unstalled_ms(s);
	mu_format(p->origin, sizeof p->origin, "%s", origin ? origin : "");
	mu_peer_list_add(&s->fresh, p);
	return 0;
}

void mu_store_link_lost(struct mu_store *s, uint32_t link)
{
	struct mu_peer *p;

	start(s);
	p = mu_peer_find(s, link);
	if (!p)
		return;
	mu_peer_end(s, p, MU_CLOSE_SILENT); /* nobody is told */
	mu_peer_list_take(&s->ended, p);
	mu_peer_free(s, p);
}

void mu_store_receive(struct mu_store *s, uint32_t link, const void *record,
                      size_t len, struct mu_when when)
{
	struct mu_peer *p;

	start_at(s, when);
	p = mu_peer_find(s, link);
	if (!p)
		return;
	switch (p->state) {
	case MU_PEER_NEW:
		mu_handshake(s, p, record, len);
		break;
	case MU_PEER_CONNECTING:
		mu_request_raw(s, p, MU_ENTRY_RAW, record, len);
		break;
	case MU_PEER_UP:
		mu_request(s, p, record, len);
		break;
	case MU_PEER_ENDED:
		break;
	}
}

void mu_store_oversize(struct mu_store *s, uint32_t link, const void *head,
                       size_t len, struct mu_when when)
{
	size_t kept = len < MU_HEADER_LEN ? len : MU_HEADER_LEN;
	struct mu_peer *p;

	start_at(s, when);
	p = mu_peer_find(s, link);
	if (!p)
		return;
	s->stats.oversize++;
	if (p->state == MU_PEER_NEW)
		mu_peer_end(s, p, MU_CLOSE_MALFORMED);
	else if (p->state == MU_PEER_CONNECTING)
		mu_request_raw(s, p, MU_ENTRY_OVERSIZE, head, kept);
	else if (p->state == MU_PEER_UP)
		mu_request_oversize(s, p, head, kept);
}

/* ---- time ---- */

void mu_store_tick(struct mu_store *s, struct mu_when when)
{
	struct mu_peer *p;
	uint64_t now_ms;

	start_at(s, when);
	s->last_tick_ms = s->mono_ms;
	mu_sessions_sweep(s);
	mu_mortals_sweep(s);
	now_ms = unstalled_ms(s);
	while ((p = s->fresh.first) &&
	       now_ms >= p->opened_ms + s->config.handshake_timeout_ms)
		mu_peer_end(s, p, MU_CLOSE_HANDSHAKE);
}

/* ---- the journal ---- */

int mu_store_durable(struct mu_store *s, uint64_t index)
{
	start(s);
	MU_BUG_ON(index > s->logged);
	while (s->applied < index)
		if (mu_apply_next(s)) {
			s->dead = true;
			return MU_ENOMEM;
		}
	return 0;
}

void mu_store_refused(struct mu_store *s, int code)
{
	struct mu_peer *waited, *next;

	start(s);
	mu_log_forget(s, &waited);
	for (; waited; waited = next) {
		next = waited->wait_next;
		waited->wait_next = NULL;
		mu_peer_flush(s, waited, code);
	}
}

int mu_store_replay(struct mu_store *s, const void *command, size_t len)
{
	struct mu_command c;
	int err;

	start(s);
	MU_BUG_ON(s->logged != s->applied);
	if (mu_get_command(command, len, &c) || c.zxid <= s->zxid_replayed)
		return MU_EDATA;
	/* All that this tree ever was comes now. What is older was another's:
	 * not that of zxid 0, which would be everybody's. */
	if (s->applied == 0)
		mu_changelog_start(s->changes, c.zxid - 1, -1);
	err = mu_apply(s, &c);
	if (err == MU_ENOMEM)
		s->dead = true;
	if (err)
		return err;
	s->zxid_replayed = c.zxid;
	s->zxid_taken = s->zxid;
	s->logged = ++s->applied;
	return 0;
}

/* ---- effects ---- */

static void show(const struct mu_store *s, const struct mu_fx_item *item,
                 struct mu_effect *out)
{
	const struct mu_pending *command;

	*out = (struct mu_effect){ .kind = (enum mu_effect_kind)item->kind };
	if (item->kind == MU_FX_LOG) {
		command = mu_log_at(s, item->index);
		out->index = item->index;
		out->bytes = command->bytes;
		out->len = command->len;
		return;
	}
	out->link = item->link;
	out->bytes = s->fx.bytes.data + item->from;
	out->len = item->len;
	if (item->kind == MU_FX_FANOUT) {
		out->links = s->fx.links + item->links_from;
		out->link_count = item->link_count;
	}
}

/* After all that was sent: the links that have ended. */
static bool show_ended(struct mu_store *s, struct mu_effect *out)
{
	struct mu_peer *p = s->ended.first;

	if (!p)
		return false;
	*out = (struct mu_effect){ .kind = MU_FX_CLOSE,
		                   .link = p->number,
		                   .reason = p->reason };
	s->stats.closed[p->reason]++;
	mu_peer_list_take(&s->ended, p);
	mu_peer_free(s, p);
	return true;
}

bool mu_store_effect(struct mu_store *s, struct mu_effect *out)
{
	struct mu_fx *fx = &s->fx;

	while (fx->head < fx->count) {
		const struct mu_fx_item *item = &fx->items[fx->head++];

		if (item->kind == MU_FX_DROPPED)
			continue;
		show(s, item, out);
		return true;
	}
	return show_ended(s, out);
}

/* ---- looking ---- */

void mu_store_stats(const struct mu_store *s, struct mu_store_stats *out)
{
	*out = s->stats;
	out->zxid = s->zxid;
	out->logged = s->logged;
	out->applied = s->applied;
	out->links = s->by_number.count;
	out->sessions = mu_sessions_count(s->sessions);
	out->nodes = mu_tree_count(s->tree);
	out->ephemerals = mu_tree_ephemerals(s->tree);
	out->watches = mu_watches_count(s->watches);
	out->tree_bytes = mu_tree_bytes(s->tree);
	out->tree_memory = mu_tree_memory(s->tree);
	out->waiting_bytes = s->pending_bytes + s->queued_bytes;
	out->subscriptions = mu_subs_count(s->subs);
	out->watch_bytes = mu_interest_bytes(s);
	out->changes = mu_changelog_count(s->changes);
	out->change_bytes = mu_changelog_bytes(s->changes);
	out->change_floor = mu_changelog_floor(s->changes, NULL);
}

const struct mu_tree *mu_store_tree(const struct mu_store *s)
{
	return s->tree;
}
