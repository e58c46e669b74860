/*
 * The sources of an instance: where each goes on from, and what is kept of it.
 * See hosted.h and keep.h.
 *
 * An instance of which something is kept was told things before this agent, or
 * this instance, was there. Its new process is given the present state first, as
 * after a crash of it: read quietly from the broker; or from the cache, if no
 * broker answers in time. What comes then is what had not been handled.
 */
#include "hosted_impl.h"

#include "err.h"
#include "log.h"
#include "mem.h"
#include "member.h"

#include <stdlib.h>
#include <string.h>

/* A broker that is away at the start is given these two; one that is there, to be
 * read, the third. */
#define STALE_MS 40u
#define STALE_MORE_MS 10u
#define READING_MS 10000u

/* ---- where to go on from ---- */

struct mu_hosted_source *mu_hosted_members_source(struct mu_hosted *h)
{
	return h->conf->members ? &h->source[h->conf->watches] : NULL;
}

static void on_reached(void *arg, int32_t source, int64_t zxid, int32_t n)
{
	struct mu_hosted *h = arg;

	mu_kept_reached(h->kept, (size_t)source, zxid, n);
}

static struct mu_mailbox_failure on_failed(void *arg)
{
	struct mu_hosted *h = arg;

	return mu_mailbox_failed(h->mail);
}

static void on_due(void *arg)
{
	mu_hosted_keep(arg, false);
}

static int open_kept(struct mu_hosted *h)
{
	size_t count = h->conf->watches + h->conf->members;
	struct mu_kept_options o = { .name = h->conf->name,
		                     .count = count,
		                     .failed = on_failed,
		                     .on_due = on_due,
		                     .arg = h };
	struct mu_keep_source *names = mu_alloc((count + 1) * sizeof *names);
	int rc;

	if (!names)
		return MU_ENOMEM;
	for (size_t i = 0; i < h->conf->watches; i++) {
		names[i].path = mu_str_of(h->conf->watch[i].path);
		names[i].mode = (int32_t)h->conf->watch[i].mode;
	}
	if (h->conf->members) {
		names[count - 1].path = MU_STR("/members");
		names[count - 1].mode = MU_KEEP_MEMBERS;
	}
	o.source = names;
	rc = mu_kept_open(h->o.keep, &o, &h->kept);
	mu_free(names);
	return rc;
}

/* From where the broker is to tell what came: as of the cache, for the instance
 * may be given that; what it had before is passed over then. */
static bool resume(struct mu_hosted_source *s, struct mu_sub_position *from)
{
	struct mu_hosted *h = s->h;
	struct mu_keep_place at = *mu_kept_place(h->kept, (size_t)s->index);
	struct mu_cache_part part;

	if (!at.known)
		return false;
	s->resumes = true;
	s->had = at;
	if (mu_kept_cached(h->kept, (size_t)s->index, &part) &&
	    mu_keep_place_le(&part.at, &at))
		at = part.at;
	*from = (struct mu_sub_position){ mu_kept_tree(h->kept), at.zxid,
		                          at.n };
	h->handled = h->resuming = true;
	return true;
}

static void on_ready(void *arg, bool quiet);
static void on_position(void *arg, int64_t zxid, int32_t n);

static int watch(struct mu_hosted_source *s)
{
	struct mu_hosted *h = s->h;
	const struct mu_watch_conf *w = &h->conf->watch[s->index];
	struct mu_sub_position from;
	struct mu_sub_options o = { .loop = h->o.loop,
		                    .uplink = h->o.uplink,
		                    .path = w->path,
		                    .mode = w->mode,
		                    .who = h->conf->name,
		                    .fn = mu_hosted_change,
		                    .on_ready = on_ready,
		                    .on_position = on_position,
		                    .arg = s };

	o.limits = (struct mu_mirror_limits){
		(uint32_t)h->o.agent->watch_nodes_max,
		(uint32_t)h->o.agent->watch_queue_max,
		(size_t)h->o.agent->watch_bytes_max
	};
	if (resume(s, &from))
		o.from = &from;
	return mu_sub_new(&o, &s->sub);
}

static int listen_to_members(struct mu_hosted_source *s)
{
	struct mu_hosted *h = s->h;
	struct mu_sub_position from;
	bool resumes = resume(s, &from);
	int rc =
		mu_members_want(h->o.members, resumes ? &from : NULL, &resumes);

	s->resumes = s->resumes && resumes;
	if (!rc && !s->resumes)
		mu_hosted_members(h);
	return rc;
}

static void remember_failed(struct mu_hosted *h)
{
	struct mu_mailbox_failure f = mu_kept_failed(h->kept);

	/* Without memory it is a first attempt again. */
	if (f.e)
		(void)mu_mailbox_tried(h->mail, &f);
}

static void on_await(void *arg);

int mu_hosted_subscribe(struct mu_hosted *h)
{
	size_t count = h->conf->watches + h->conf->members;
	int rc = open_kept(h);

	if (rc)
		return rc;
	h->source = mu_alloc((count + 1) * sizeof *h->source);
	if (!h->source)
		return MU_ENOMEM;
	rc = mu_mailbox_track(h->mail, (int32_t)count, on_reached, h);
	if (!rc)
		rc = mu_timer_new(h->o.loop, on_await, h, &h->await_timer);
	remember_failed(h);
	for (size_t i = 0; i < count && !rc; i++) {
		struct mu_hosted_source *s = &h->source[i];

		s->h = h;
		s->index = (int32_t)i;
		h->sources++;
		rc = i < h->conf->watches ? watch(s) : listen_to_members(s);
	}
	if (!rc)
		mu_hosted_await(h);
	return rc;
}

void mu_hosted_unsubscribe(struct mu_hosted *h)
{
	for (size_t i = 0; i < h->sources; i++)
		mu_sub_free(h->source[i].sub);
	h->sources = 0;
	mu_free(h->source);
	h->source = NULL;
	mu_timer_free(h->await_timer);
	mu_kept_close(h->kept);
	h->kept = NULL;
}

/* ---- events ---- */

bool mu_hosted_had(const struct mu_hosted_source *s, int64_t zxid, int32_t n,
                   bool past, struct mu_chan_event *e)
{
	struct mu_keep_place at = { true, zxid, n };
	bool had = s->resumes && s->had.known && mu_keep_place_le(&at, &s->had);

	/* It was handled, by a process that is gone; the one of now was given
	 * an older state. Not so if it has later ones in it, which will not be
	 * told by themselves: of a value that was read, and not when it was
	 * told before. */
	if (had && !s->stale && e->count == 1)
		return true;
	if (had || (s->resumes && (past || zxid <= s->since) &&
	            !mu_keep_was_clean(s->h->o.keep)))
		e->flags |= MU_EVENT_AGAIN;
	return false;
}

void mu_hosted_source_gap(struct mu_hosted_source *s)
{
	s->had.known = false;
	mu_kept_restart(s->h->kept, (size_t)s->index);
}

void mu_hosted_source_put(struct mu_hosted_source *s, bool exact, int64_t zxid,
                          int32_t n)
{
	if (exact)
		mu_mailbox_position(s->h->mail, s->index, zxid, n);
	mu_kept_changed(s->h->kept);
}

static void position(struct mu_hosted_source *s, int64_t zxid, int32_t n)
{
	/* What was not taken is not handled. */
	if (!s->h->stop && (s->sub || !s->h->missed_members))
		mu_mailbox_position(s->h->mail, s->index, zxid, n);
}

static void on_position(void *arg, int64_t zxid, int32_t n)
{
	position(arg, zxid, n);
}

void mu_hosted_members_position(struct mu_hosted *h, int64_t zxid, int32_t n)
{
	struct mu_hosted_source *s = mu_hosted_members_source(h);

	if (s)
		position(s, zxid, n);
}

/* ---- what the cache has ---- */

int mu_hosted_cached_member(const struct mu_cache_node *node,
                            struct mu_hosted_cached *out)
{
	struct mu_str name = mu_path_name(node->path);

	*out = (struct mu_hosted_cached){ 0 };
	out->name = mu_alloc((size_t)name.len + 1);
	if (!out->name)
		return MU_ENOMEM;
	memcpy(out->name, name.at, name.len);
	mu_record_decode(node->data, out->name, node->stat.czxid, &out->record);
	return 0;
}

void mu_hosted_cached_wipe(struct mu_hosted_cached *c)
{
	if (c->name)
		mu_record_wipe(&c->record);
	mu_free(c->name);
}

/* What is there now, sorted: paths of nodes, names of members. */
struct census {
	struct mu_str *at; /* borrowed texts */
	size_t count, room;
};

static int count_in(struct census *c, struct mu_str name)
{
	if (c->count == c->room) {
		size_t room = c->room ? 2 * c->room : 64;
		struct mu_str *at = mu_realloc(c->at, room * sizeof *at);

		if (!at)
			return MU_ENOMEM;
		c->at = at;
		c->room = room;
	}
	c->at[c->count++] = name;
	return 0;
}

static int count_node(void *arg, const struct mu_mirror_event *e)
{
	return count_in(arg, e->path);
}

static int by_text(const void *a, const void *b)
{
	const struct mu_str *x = a, *y = b;
	uint32_t len = x->len < y->len ? x->len : y->len;
	int d = len ? memcmp(x->at, y->at, len) : 0;

	return d ? d : (x->len > y->len) - (x->len < y->len);
}

static int take_census(const struct mu_hosted_source *s, struct census *c)
{
	const struct mu_member *m = NULL;
	int rc = 0;

	if (s->sub)
		rc = mu_sub_present(s->sub, count_node, c);
	while (!s->sub && !rc && (m = mu_members_next(s->h->o.members, m)))
		rc = count_in(c, mu_str_of(m->name));
	if (c->count > 0)
		qsort(c->at, c->count, sizeof *c->at, by_text);
	return rc;
}

static bool is_there(const struct census *c, struct mu_str name)
{
	return c->count > 0 &&
	       bsearch(&name, c->at, c->count, sizeof *c->at, by_text);
}

static int64_t place_zxid(const struct mu_hosted_source *s)
{
	return mu_kept_place(s->h->kept, (size_t)s->index)->zxid;
}

static void tell_node_gone(struct mu_hosted_source *s,
                           const struct mu_cache_node *node)
{
	struct mu_mirror_event e = { .type = MU_EVENT_DELETED,
		                     .flags = MU_EVENT_COALESCED,
		                     .count = 1,
		                     .zxid = place_zxid(s),
		                     .path = node->path,
		                     .old_data = node->data };

	(void)mu_hosted_change(s, &e);
}

/* Whether it left or failed nobody can say any more, unless it was leaving. */
static void tell_member_gone(struct mu_hosted_source *s,
                             const struct mu_cache_node *node)
{
	struct mu_roll_event e = { .flags = MU_EVENT_COALESCED, .count = 1 };
	struct mu_hosted_cached c;

	if (mu_hosted_cached_member(node, &c) == 0) {
		e.type = mu_member_end(&c.record.member, (struct mu_str){ 0 });
		e.zxid = place_zxid(s);
		e.member = &c.record.member;
		mu_hosted_member(s->h, &e);
	}
	mu_hosted_cached_wipe(&c);
}

/* The broker could not go on from where we were: what is there was told as
 * PRESENT, and what is not there any more is told here. A member that a process
 * has not heard of is not missed. */
static void tell_gone(struct mu_hosted_source *s)
{
	struct census c = { 0 };
	struct mu_cache_part part;
	struct mu_cache_node node;
	int rc;

	if (!mu_kept_cached(s->h->kept, (size_t)s->index, &part) ||
	    (!s->sub && !s->stale))
		return;
	rc = take_census(s, &c);
	if (rc)
		mu_log(MU_ERROR,
		       MSG("an instance cannot be told what went while the "
		           "agent was away"),
		       KS("instance", s->h->conf->name),
		       KS("reason", mu_err_text(rc)));
	while (!rc && mu_cache_next(&part, &node)) {
		if (is_there(&c, s->sub ? node.path : mu_path_name(node.path)))
			continue;
		if (s->sub)
			tell_node_gone(s, &node);
		else
			tell_member_gone(s, &node);
	}
	mu_free(c.at);
}

/* ---- ready ---- */

static void drop_cache(struct mu_hosted *h)
{
	for (size_t i = 0; i < h->sources; i++)
		if (!h->source[i].ready)
			return;
	mu_timer_disarm(h->await_timer);
	mu_kept_drop_cache(h->kept);
}

static void ready(struct mu_hosted_source *s, bool quiet)
{
	struct mu_hosted *h = s->h;

	s->ready = true;
	s->since = mu_uplink_zxid(h->o.uplink);
	if (!quiet && s->resumes) {
		s->resumes = false;
		tell_gone(s);
	}
	/* A ZooKeeper has no positions: that it was read must do. */
	if (!quiet && mu_kept_tree(h->kept) == 0)
		position(s, 0, 0);
	mu_kept_changed(h->kept);
	drop_cache(h);
	mu_hosted_begin(h);
}

static void on_ready(void *arg, bool quiet)
{
	struct mu_hosted_source *s = arg;

	if (!s->h->stop)
		ready(s, quiet);
}

void mu_hosted_members_ready(struct mu_hosted *h, bool quiet)
{
	struct mu_hosted_source *s = mu_hosted_members_source(h);

	if (!s || h->stop)
		return;
	/* Read for somebody who goes on, it told nobody. */
	if (quiet && !s->resumes)
		mu_hosted_members(h);
	ready(s, quiet);
}

/* ---- waiting for it ---- */

static bool is_awaited(const struct mu_hosted_source *s)
{
	return s->resumes && !s->ready && !s->stale && !s->waived;
}

bool mu_hosted_can_begin(const struct mu_hosted *h)
{
	for (size_t i = 0; i < h->sources; i++)
		if (is_awaited(&h->source[i]))
			return false;
	return true;
}

bool mu_hosted_is_stale(const struct mu_hosted_source *s)
{
	return s->stale && !s->ready;
}

void mu_hosted_await(struct mu_hosted *h)
{
	if (h->await_timer && !mu_hosted_can_begin(h))
		mu_timer_arm(h->await_timer, STALE_MS, 0);
}

/* There is no broker: what is remembered must do. Where nothing is, it waits. */
static void go_stale(struct mu_hosted *h)
{
	struct mu_cache_part part;
	bool any = false;

	for (size_t i = 0; i < h->sources; i++) {
		struct mu_hosted_source *s = &h->source[i];

		if (!is_awaited(s) || !mu_kept_cached(h->kept, i, &part))
			continue;
		s->stale = any = true;
	}
	if (any)
		mu_log(MU_WARN,
		       MSG("no broker has answered yet; the instance begins "
		           "with what "
		           "the agent remembers"),
		       KS("instance", h->conf->name));
}

/* There is one, and a watch of it cannot be read: that keeps off no other. */
static void go_without(struct mu_hosted *h)
{
	for (size_t i = 0; i < h->sources; i++)
		h->source[i].waived = true;
	mu_log(MU_WARN,
	       MSG("not all that the instance watches can be read; it begins "
	           "without"),
	       KS("instance", h->conf->name));
}

/* The first time of either kind, and not the second in a row? Where the machine is
 * slow, what came before the timer rang is read before it rings again. */
static bool rings_first(struct mu_hosted *h, bool *once, uint64_t again_ms)
{
	if (*once)
		return false;
	h->awaited = h->reading = false;
	*once = true;
	mu_timer_arm(h->await_timer, again_ms, 0);
	return true;
}

static void on_await(void *arg)
{
	struct mu_hosted *h = arg;

	if (mu_hosted_can_begin(h))
		return;
	if (mu_uplink_is_up(h->o.uplink)) {
		if (rings_first(h, &h->reading, READING_MS))
			return;
		go_without(h);
	} else {
		if (rings_first(h, &h->awaited, STALE_MORE_MS))
			return;
		go_stale(h);
	}
	h->awaited = h->reading = false;
	mu_hosted_begin(h);
}

/* ---- another tree ---- */

bool mu_hosted_is_foreign(const struct mu_hosted *h, int64_t tree_id)
{
	return mu_kept_is_foreign(h->kept, tree_id);
}

void mu_hosted_restart_sources(struct mu_hosted *h)
{
	for (size_t i = 0; i < h->sources; i++) {
		struct mu_hosted_source *s = &h->source[i];

		s->resumes = s->stale = s->ready = s->had.known = false;
	}
	h->prologue_due = h->resuming = false;
}

/* ---- the cache ---- */

static int put_node(void *arg, const struct mu_mirror_event *e)
{
	mu_cache_node(arg, e->path, e->data, e->stat);
	return 0;
}

static void put_members(const struct mu_hosted *h, struct mu_cache_writer *w)
{
	const struct mu_member *m = NULL;
	char path[MU_MEMBER_PATH_MAX];

	while ((m = mu_members_next(h->o.members, m))) {
		struct mu_stat stat = { .czxid = m->czxid, .mzxid = m->czxid };
		char *json = mu_record_encode(m, NULL);

		mu_format(path, sizeof path, "/members/%s", m->name);
		if (json)
			mu_cache_node(w, mu_str_of(path), mu_str_of(json),
			              &stat);
		else
			w->b->failed = true;
		free(json);
	}
}

static void put_source(void *arg, size_t i, struct mu_cache_writer *w)
{
	struct mu_hosted *h = arg;

	if (!h->source[i].sub)
		put_members(h, w);
	else if (mu_sub_present(h->source[i].sub, put_node, w))
		w->b->failed = true;
}

/* Is what is held what was handled? */
static bool is_settled(const struct mu_hosted *h)
{
	if (h->stop || h->prologue_due || h->missed_members ||
	    mu_mailbox_count(h->mail) || mu_mailbox_count(h->prologue))
		return false;
	for (size_t i = 0; i < h->sources; i++)
		if (!h->source[i].ready)
			return false;
	return true;
}

void mu_hosted_keep(struct mu_hosted *h, bool at_end)
{
	if (at_end ? !mu_kept_is_changed(h->kept) : !mu_kept_is_due(h->kept))
		return;
	if (is_settled(h))
		mu_kept_save(h->kept, put_source, h);
}
