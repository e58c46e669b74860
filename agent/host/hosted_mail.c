/* The events of an instance: into its mailbox, and out to its runner. See
 * hosted.h. */
#include "hosted_impl.h"

#include "err.h"
#include "log.h"

#include <string.h>

#define RETELL_MS 1000u

/* ---- out ---- */

/* Put an event into the channel. One that is too long for a frame with its old
 * value goes without that. MU_ETOOBIG: too long all the same. */
static int put_event(struct mu_hosted *h, const struct mu_chan_event *e)
{
	struct mu_buf *out = mu_pipe_out(h->run->pipe);
	struct mu_chan_event less = *e;
	size_t before = out->len;

	mu_put_chan_event(out, e);
	if (out->len - before <= MU_CHAN_FRAME_MAX)
		return mu_pipe_send(h->run->pipe);
	mu_buf_cut(out, before);
	less.old_data = (struct mu_str){ NULL, 0 };
	mu_put_chan_event(out, &less);
	if (out->len - before <= MU_CHAN_FRAME_MAX)
		return mu_pipe_send(h->run->pipe);
	mu_buf_cut(out, before);
	return MU_ETOOBIG;
}

bool mu_hosted_is_busy(const struct mu_hosted *h)
{
	return mu_mailbox_is_out(h->mail) || mu_mailbox_is_out(h->prologue) ||
	       mu_hosted_turn_is_out(h);
}

void mu_hosted_doing(const struct mu_hosted *h, char *out, size_t room)
{
	const struct mu_chan_event *e = mu_mailbox_out(h->prologue);

	e = e ? e : mu_mailbox_out(h->mail);
	if (h->asked)
		mu_format(out, room, "%s",
		          h->at_stop[0] ? h->at_stop : "in fini");
	else if (!h->ready_ms)
		mu_format(out, room, "in init");
	else if (mu_hosted_turn_is_out(h))
		mu_format(out, room, "in %s", mu_hosted_turn_doing(h));
	else if (!e)
		mu_format(out, room, "while no event was with it");
	else
		mu_format(out, room, "while it handled %s%s%.*s, zxid 0x%llx",
		          mu_event_word(e->type), e->path.len ? " " : "",
		          (int)(e->path.len < 300 ? e->path.len : 300),
		          e->path.len ? e->path.at : "",
		          (unsigned long long)e->zxid);
}

/* The event that was to go out did not. */
static void not_given(struct mu_hosted *h, struct mu_mailbox *from,
                      uint64_t seq, int rc)
{
	uint64_t now = mu_loop_now_ms(h->o.loop);

	if (rc == MU_ETOOBIG)
		mu_log(MU_ERROR,
		       MSG("an event was dropped, for its value is larger than "
		           "a plugin can be given"),
		       KS("instance", h->conf->name));
	if (rc == MU_ETOOBIG || rc == MU_ENOMEM) {
		mu_mailbox_ack(from, seq, rc == MU_ENOMEM ? rc : 0, now);
		mu_timer_arm(h->timer, MU_BACKOFF_FIRST_MS, 0);
		return;
	}
	mu_hosted_pipe_end(h->run, rc);
}

static bool is_empty(const struct mu_hosted *h)
{
	return mu_mailbox_count(h->mail) == 0 &&
	       mu_mailbox_count(h->prologue) == 0;
}

/* Nothing can be given now: see to it that we come back in time. */
static void rest(struct mu_hosted *h, const struct mu_mailbox *from)
{
	uint64_t now = mu_loop_now_ms(h->o.loop);
	uint64_t due = mu_mailbox_due_ms(from);

	if (h->prologue_due)
		due = UINT64_MAX; /* a source says when it goes on */
	if (due != UINT64_MAX)
		mu_timer_arm(h->timer, due > now ? due - now : 0, 0);
	else if (h->missed_members)
		mu_timer_arm(h->timer, RETELL_MS, 0);
	else
		mu_timer_disarm(h->timer);
}

/* The next event that the plugin knows of: an older one hears of no gaps. */
static const struct mu_chan_event *
give_wanted(const struct mu_hosted *h, struct mu_mailbox *from, uint64_t now)
{
	const struct mu_chan_event *e;

	while ((e = mu_mailbox_give(from, now)) && e->type == MU_EVENT_GAP &&
	       !(h->wants & MU_WANT_GAP))
		mu_mailbox_ack(from, e->seq, 0, now);
	return e;
}

static void put_members(struct mu_hosted *h, uint32_t flags);

void mu_hosted_next(struct mu_hosted *h)
{
	uint64_t now = mu_loop_now_ms(h->o.loop);
	struct mu_mailbox *from = h->mail;
	const struct mu_chan_event *e;
	int rc;

	if (h->state != HOSTED_READY || h->gone || mu_hosted_is_busy(h))
		return;
	if (mu_upgrade_is_due(h->upgrade)) {
		mu_hosted_ask_to_stop(h);
		return;
	}
	if (h->missed_members && is_empty(h)) {
		h->missed_members = false;
		put_members(h, MU_EVENT_OVERFLOW | MU_EVENT_COALESCED);
	}
	if (mu_mailbox_count(h->prologue) > 0)
		from = h->prologue;
	else if (!h->prologue_due)
		mu_upgrade_told(h->upgrade);
	if (mu_hosted_turn_give(h, !h->prologue_due &&
	                                   mu_mailbox_due_ms(from) <= now))
		return;
	e = h->prologue_due ? NULL : give_wanted(h, from, now);
	if (!e) {
		rest(h, from);
		mu_hosted_keep(h, false);
		return;
	}
	h->given_ms = now;
	rc = put_event(h, e);
	if (rc)
		not_given(h, from, e->seq, rc);
	else
		mu_timer_arm(h->timer, (uint64_t)h->conf->deadline_ms, 0);
}

int mu_hosted_ack(struct mu_hosted *h, const struct mu_chan_ack *m)
{
	bool first = mu_mailbox_is_out(h->prologue);
	struct mu_mailbox *from = first ? h->prologue : h->mail;
	int rc;

	h->at_stop[0] = '\0';
	if (mu_hosted_turn_is_out(h))
		return mu_hosted_turn_ack(h, m);
	rc = mu_mailbox_ack(from, m->seq, m->rc, mu_loop_now_ms(h->o.loop));
	/* One that is killed for it may have answered all the same. */
	if (rc)
		return h->state == HOSTED_ENDING ? 0 : rc;
	h->handled = h->handled || m->rc == 0;
	if (m->rc)
		mu_kept_touch(h->kept);
	mu_mailbox_yield(h->prologue, h->mail);
	return 0;
}

void mu_hosted_drop(struct mu_hosted *h)
{
	mu_mailbox_drop(h->mail);
	mu_mailbox_drop(h->prologue);
	h->missed_members = false;
	h->handled = false; /* so that the next runner needs no prologue */
	mu_hosted_restart_sources(h);
}

void mu_hosted_lost(struct mu_hosted *h)
{
	mu_hosted_turns_end(h);
	if (mu_upgrade_is_on(h->upgrade))
		mu_ephemerals_pass(h->o.ephemerals, h->conf->name);
	else
		mu_ephemerals_end(h->o.ephemerals, h->conf->name);
	if (h->stop)
		mu_ephemerals_settle(h->o.ephemerals, h->conf->name);
	h->prologue_due = false;
	mu_mailbox_lost(h->mail);
	mu_mailbox_clear(h->prologue);
	mu_kept_touch(h->kept);
}

/* ---- in ---- */

int mu_hosted_put(struct mu_hosted *h, const struct mu_chan_event *e)
{
	int rc = mu_mailbox_put(h->mail, e);

	/* What comes of the prologue again and again must not keep off what
	 * may put it right. */
	if (!rc)
		mu_mailbox_yield(h->prologue, h->mail);
	return rc;
}

static struct mu_chan_event change_event(const struct mu_hosted_source *s,
                                         const struct mu_mirror_event *from)
{
	struct mu_chan_event e = { .type = from->type,
		                   .flags = from->flags,
		                   .count = from->count,
		                   .zxid = from->zxid,
		                   .path = from->path,
		                   .data = from->data,
		                   .old_data = from->old_data,
		                   .n = from->n,
		                   .cause = from->cause,
		                   .author_session = from->session,
		                   .author = from->origin,
		                   .source = s->index };

	if (from->stat) {
		e.has_stat = true;
		e.stat = *from->stat;
	}
	return e;
}

/* A plugin that does not want to hear of it is told with the next event. */
static void tell_gap(struct mu_hosted_source *s,
                     const struct mu_mirror_event *gap)
{
	char path[400];

	if (!gap->alone) {
		mu_hosted_source_gap(s);
		return;
	}
	mu_format(path, sizeof path, "%.*s", (int)gap->path.len, gap->path.at);
	mu_log(MU_WARN,
	       MSG("a change cannot be told to an instance, for the node "
	           "cannot be read"),
	       KS("instance", s->h->conf->name), KS("path", path));
}

int mu_hosted_change(void *arg, const struct mu_mirror_event *from)
{
	struct mu_hosted_source *s = arg;
	struct mu_chan_event e = change_event(s, from);
	struct mu_hosted *h = s->h;
	int rc;

	if (h->stop || (from->exact &&
	                mu_hosted_had(s, from->zxid, from->n, from->past, &e)))
		return 0;
	rc = mu_hosted_put(h, &e);
	if (rc)
		return rc;
	if (from->type == MU_MIRROR_GAP)
		tell_gap(s, from);
	mu_hosted_source_put(s, from->exact && !from->held, from->zxid,
	                     from->n);
	mu_hosted_next(h);
	return 0;
}

struct mu_chan_event mu_hosted_member_event(uint32_t type,
                                            const struct mu_member *m,
                                            char path[MU_MEMBER_PATH_MAX])
{
	struct mu_chan_event e = { .type = type, .count = 1 };

	mu_format(path, MU_MEMBER_PATH_MAX, "/members/%s", m->name);
	e.path = mu_str_of(path);
	e.zxid = m->czxid;
	e.has_member = true;
	e.name = mu_str_of(m->name);
	e.id = mu_str_of(m->id);
	e.address = mu_str_of(m->address);
	e.version = mu_str_of(m->version);
	e.boot_id = mu_str_of(m->boot_id);
	e.state = mu_str_of(m->state);
	e.labels = mu_str_of(m->labels);
	e.port = m->port;
	e.started_ms = m->started_ms;
	e.czxid = m->czxid;
	return e;
}

static void put_member(struct mu_hosted *h, const struct mu_chan_event *e)
{
	int rc = mu_hosted_put(h, e);

	if (!rc)
		return;
	if (!h->missed_members)
		mu_log(MU_ERROR,
		       MSG("the queue is full; the members will be told again "
		           "when it is empty"),
		       KS("instance", h->conf->name),
		       KS("reason", mu_err_text(rc)));
	h->missed_members = true;
}

/* All of them, for one that has just come or has missed some. */
static void put_members(struct mu_hosted *h, uint32_t flags)
{
	const struct mu_member *m = NULL;
	char path[MU_MEMBER_PATH_MAX];

	while ((m = mu_members_next(h->o.members, m))) {
		struct mu_chan_event e = mu_hosted_member_event(
			MU_EVENT_MEMBER_PRESENT, m, path);

		e.flags = flags;
		e.source = (int32_t)h->conf->watches;
		put_member(h, &e);
	}
}

void mu_hosted_members(struct mu_hosted *h)
{
	put_members(h, 0);
}

static struct mu_chan_event roll_event(const struct mu_hosted_source *s,
                                       const struct mu_roll_event *from,
                                       char path[MU_MEMBER_PATH_MAX])
{
	struct mu_chan_event e =
		mu_hosted_member_event(from->type, from->member, path);

	e.flags = from->flags;
	e.count = from->count;
	e.zxid = from->zxid;
	e.n = from->n;
	e.cause = from->cause;
	e.author_session = from->session;
	e.author = from->origin;
	e.source = s->index;
	return e;
}

void mu_hosted_member(struct mu_hosted *h, const struct mu_roll_event *from)
{
	struct mu_hosted_source *s = mu_hosted_members_source(h);
	char path[MU_MEMBER_PATH_MAX];
	struct mu_chan_event e;

	if (!s || h->stop)
		return;
	e = roll_event(s, from, path);
	/* Whoever began with those who are there hears of nothing before. */
	if ((from->past && !s->resumes) ||
	    (from->exact &&
	     mu_hosted_had(s, from->zxid, from->n, from->past, &e)))
		return;
	put_member(h, &e);
	mu_hosted_source_put(s,
	                     from->exact && !from->held && !h->missed_members,
	                     from->zxid, from->n);
	mu_hosted_next(h);
}

void mu_hosted_members_gap(struct mu_hosted *h,
                           const struct mu_mirror_event *gap)
{
	struct mu_hosted_source *s = mu_hosted_members_source(h);
	struct mu_chan_event e;

	if (!s || h->stop)
		return;
	e = change_event(s, gap);
	put_member(h, &e);
	mu_hosted_source_gap(s);
	mu_hosted_next(h);
}

static struct mu_chan_event link_event(bool up)
{
	return (struct mu_chan_event){ .type = up ? MU_EVENT_CONNECTED
		                                  : MU_EVENT_DISCONNECTED,
		                       .path = MU_STR(""),
		                       .count = 1,
		                       .source = -1 };
}

void mu_hosted_link(struct mu_hosted *h, bool up)
{
	struct mu_chan_event e = link_event(up);
	int64_t session = mu_uplink_session(h->o.uplink);

	if (up && h->session && h->session != session)
		e.flags |= MU_EVENT_RENEWED;
	h->session = up ? session : h->session;
	mu_hosted_await(h);
	if (up) {
		mu_mailbox_linked(h->mail);
		mu_mailbox_linked(h->prologue);
	}
	if (h->conf->connection && !h->stop && mu_hosted_put(h, &e))
		mu_log(MU_ERROR,
		       MSG("the queue is full; an event about the "
		           "connection was not taken"),
		       KS("instance", h->conf->name));
	mu_hosted_next(h);
}

/* ---- the present state, once more ---- */

struct prologue {
	struct mu_hosted *h;
	const struct mu_hosted_source *source;
	size_t left_out;
	int why;
};

static void begin_with(struct prologue *p, const struct mu_chan_event *e)
{
	int rc = mu_mailbox_put(p->h->prologue, e);

	if (!rc)
		return;
	p->left_out++;
	p->why = rc;
}

/* One that does not fit keeps out no other. */
static int begin_with_node(void *arg, const struct mu_mirror_event *from)
{
	struct prologue *p = arg;
	struct mu_chan_event e = change_event(p->source, from);

	begin_with(p, &e);
	return 0;
}

static void begin_with_member(struct prologue *p, const struct mu_member *m,
                              uint32_t flags)
{
	char path[MU_MEMBER_PATH_MAX];
	struct mu_chan_event e =
		mu_hosted_member_event(MU_EVENT_MEMBER_PRESENT, m, path);

	e.flags = flags;
	e.source = p->source->index;
	begin_with(p, &e);
}

static void begin_with_members(struct prologue *p)
{
	const struct mu_member *m = NULL;
	size_t before = p->left_out;

	while ((m = mu_members_next(p->h->o.members, m)))
		begin_with_member(p, m, 0);
	if (p->left_out != before)
		p->h->missed_members = true;
}

/* A node of the cache. */
static void begin_with_cached(struct prologue *p,
                              const struct mu_cache_node *node)
{
	struct mu_mirror_event e = { .type = MU_EVENT_PRESENT,
		                     .flags = MU_EVENT_STALE,
		                     .count = 1,
		                     .zxid = node->stat.mzxid,
		                     .path = node->path,
		                     .data = node->data,
		                     .stat = &node->stat };
	struct mu_hosted_cached c;

	if (p->source->sub) {
		begin_with_node(p, &e);
		return;
	}
	if (mu_hosted_cached_member(node, &c) == 0)
		begin_with_member(p, &c.record.member, MU_EVENT_STALE);
	mu_hosted_cached_wipe(&c);
}

static void begin_with_cache(struct prologue *p)
{
	struct mu_cache_part part;
	struct mu_cache_node node;

	if (!mu_kept_cached(p->h->kept, (size_t)p->source->index, &part))
		return;
	while (mu_cache_next(&part, &node))
		begin_with_cached(p, &node);
}

static void begin_with_source(struct prologue *p,
                              const struct mu_hosted_source *s)
{
	int rc;

	p->source = s;
	if (mu_hosted_is_stale(s)) {
		begin_with_cache(p);
	} else if (p->h->resuming && !s->resumes) {
		return; /* what is there waits in the mail, or will */
	} else if (!s->sub) {
		begin_with_members(p);
	} else {
		rc = mu_sub_present(s->sub, begin_with_node, p);
		p->left_out += rc != 0;
		p->why = rc ? rc : p->why;
	}
}

void mu_hosted_begin(struct mu_hosted *h)
{
	struct prologue p = { .h = h };
	struct mu_chan_event e = link_event(true);

	if (!h->prologue_due || !mu_hosted_can_begin(h))
		return;
	h->prologue_due = false;
	/* At the start of the agent it waits in the mail. */
	if (h->conf->connection && !h->resuming && mu_uplink_is_up(h->o.uplink))
		begin_with(&p, &e);
	for (size_t i = 0; i < h->sources; i++)
		begin_with_source(&p, &h->source[i]);
	h->resuming = false;
	if (p.left_out)
		mu_log(MU_ERROR,
		       MSG("not all of the present state could be given again "
		           "to the new process; it will hear of the rest when "
		           "that changes"),
		       KS("instance", h->conf->name),
		       KI("left_out", p.left_out),
		       KS("reason", mu_err_text(p.why)));
	mu_hosted_next(h);
}

void mu_hosted_prologue(struct mu_hosted *h)
{
	/* Where nothing was handled yet, all that is there waits still. */
	if (!h->handled)
		return;
	h->prologue_due = true;
	mu_hosted_begin(h);
}
