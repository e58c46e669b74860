/*
 * The sources of an instance: where each goes on from, and when it can. See hosted.h
 * and keep.h; hosted_cache.c for the cache.
 *
 * An instance of which something is kept was told things before this agent, or
 * this instance, was there. Its new process is given the present state first, as
 * after a crash of it: read quietly from the broker; or from the cache, if no
 * broker answers in time. What comes then is what had not been handled.
 */
#include "hosted_impl.h"

#include "log.h"
#include "mem.h"

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
	bool first = !mu_kept_place(h->kept, (size_t)source)->known;

	mu_kept_reached(h->kept, (size_t)source, zxid, n);
	if (first)
		mu_kept_changed(h->kept); /* without a place it is left out */
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
	if (!rc && s->resumes)
		mu_hosted_members_were(s, &from);
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
	for (size_t i = 0; i < h->sources; i++) {
		if (mu_kept_place(h->kept, i)->known &&
		    mu_mailbox_is_ahead(h->mail, (int32_t)i))
			mu_keep_unclean(h->o.keep);
		mu_sub_free(h->source[i].sub);
	}
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

void mu_hosted_source_put(struct mu_hosted_source *s, bool moves, int64_t zxid,
                          int32_t n)
{
	if (moves)
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
		mu_hosted_tell_gone(s);
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
	mu_kept_drop_ahead(h->kept);
	h->prologue_due = h->resuming = false;
}
