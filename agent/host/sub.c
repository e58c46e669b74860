#include "sub.h"

#include "log.h"
#include "mailbox.h"
#include "mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TOO_BIG_RETRY_MS 60000u
#define RETRY_MS 1000u /* after the mirror went idle, or a read was not sent */
#define REFUSED_LAST_MS 10000u /* after a read was refused, at most */
/* How far the broker has got is asked for this often, so that a subscription of
 * which nothing is to be told does not fall behind the broker's log. */
#define POSITION_MS 30000u

struct mu_sub {
	struct mu_sub_options o;
	struct mu_sub_position from;
	struct mu_mirror *mirror;
	struct mu_timer *retry, *position;
	struct mu_uplink_listener listener;
	bool begun;   /* there was a broker */
	bool resumes; /* `from` is to be used with the first broker */
	bool streams; /* the broker has subscriptions */
	bool armed;   /* the watch stands on this handle, or was asked for */
	bool failing; /* the log has said so */
	bool resting; /* no read goes out until the timer rings */
	uint32_t refusals; /* of reads, in a row */
};

static void pump(struct mu_sub *s);
static void subscribe(struct mu_sub *s, bool fresh);

/* ---- reads ---- */

/* Once for each run of trouble, not once for each retry. */
static void complain(struct mu_sub *s, const char *what, int rc)
{
	if (!s->failing)
		mu_log(MU_ERROR, MSG(what), KS("instance", s->o.who),
		       KS("path", s->o.path),
		       KS("reason", mu_client_strerror(rc)));
	s->failing = true;
}

static void tell_position(struct mu_sub *s)
{
	struct mu_mirror_at at;

	while (s->o.on_position && mu_mirror_position(s->mirror, &at))
		s->o.on_position(s->o.arg, at.zxid, at.n);
}

/* Something was handed to the mirror: see whether it can go on. */
static void after(struct mu_sub *s, int rc)
{
	if (rc == MU_ETOOBIG)
		complain(s,
		         "the watch covers more than watch_nodes_max or "
		         "watch_bytes_max allows",
		         rc);
	else if (rc)
		complain(s, "the watch stands still and will go on later", rc);
	if (mu_mirror_is_idle(s->mirror) && mu_uplink_is_up(s->o.uplink))
		mu_timer_arm(s->retry,
		             rc == MU_ETOOBIG ? TOO_BIG_RETRY_MS : RETRY_MS, 0);
	else if (!rc)
		s->failing = false;
	tell_position(s);
	if (mu_mirror_wants_more(s->mirror))
		subscribe(s, false);
	else
		pump(s);
}

static struct mu_str bytes(const void *data, int32_t len)
{
	if (len < 0)
		return (struct mu_str){ 0 };
	return (struct mu_str){ data ? data : "", (uint32_t)len };
}

/* The broker had no memory for the answer, or no room, or trouble: what is read
 * keeps its place, and all that is behind it waits. */
static void rest(struct mu_sub *s, int rc)
{
	uint32_t ms;

	if (s->resting)
		return; /* it was sent together with the one before */
	if (s->refusals++ == 0)
		mu_log(MU_WARN,
		       MSG("a watched node cannot be read now; trying again"),
		       KS("instance", s->o.who), KS("path", s->o.path),
		       KS("reason", mu_client_strerror(rc)));
	ms = mu_backoff_ms(s->refusals);
	s->resting = true;
	mu_timer_arm(s->retry, ms < REFUSED_LAST_MS ? ms : REFUSED_LAST_MS, 0);
}

static void wake(struct mu_sub *s)
{
	s->resting = false;
	s->refusals = 0;
}

static void on_read(void *owner, uint64_t tag, const struct mu_result *r)
{
	struct mu_sub *s = owner;
	struct mu_mirror_answer a = { .rc = r->rc, .zxid = r->zxid };

	/* The link went; on_down stops the mirror, if it did not yet. */
	if (r->rc == MU_ECONNLOSS || r->rc == MU_EEXPIRED)
		return;
	if (r->rc == 0) {
		a.data = bytes(r->data, r->len);
		a.stat = r->stat;
		a.names = r->children;
		a.count = r->count;
	} else if (mu_mirror_may_pass(r->rc)) {
		rest(s, r->rc);
	} else if (r->rc != MU_ENONODE) {
		mu_log(MU_WARN, MSG("a watched node cannot be read"),
		       KS("instance", s->o.who), KS("path", s->o.path),
		       KS("reason", mu_client_strerror(r->rc)));
	}
	if (!mu_mirror_may_pass(r->rc) && !s->resting)
		s->refusals = 0;
	after(s, mu_mirror_read_done(s->mirror, (uint32_t)tag, &a));
}

static void pump(struct mu_sub *s)
{
	struct mu_mirror_read read;

	if (s->resting)
		return;
	while (mu_uplink_outstanding(s->o.uplink) < MU_UPLINK_READS_MAX &&
	       mu_mirror_read_next(s->mirror, &read)) {
		struct mu_uplink_request r = {
			.op = read.what == MU_MIRROR_NAMES ? MU_UP_CHILDREN
			                                   : MU_UP_GET,
			.path = read.path,
			.done = on_read,
			.owner = s,
			.tag = read.id,
		};
		struct mu_mirror_answer refused = { .rc = MU_EFULL };

		if (mu_uplink_send(s->o.uplink, &r) == 0)
			continue;
		(void)mu_mirror_read_done(s->mirror, read.id, &refused);
		mu_timer_arm(s->retry, RETRY_MS, 0);
		return;
	}
	if (mu_uplink_outstanding(s->o.uplink) >= MU_UPLINK_READS_MAX)
		mu_timer_arm(s->retry, RETRY_MS / 10, 0);
}

/* ---- a watch ---- */

static void on_armed(void *owner, uint64_t tag, const struct mu_result *r)
{
	struct mu_sub *s = owner;

	(void)tag;
	if (r->rc == 0)
		return;
	s->armed = false;
	if (r->rc == MU_ECONNLOSS || r->rc == MU_EEXPIRED)
		return;
	complain(s, "the watch cannot be set", r->rc);
	mu_mirror_stop(s->mirror);
	mu_timer_arm(s->retry, RETRY_MS, 0);
}

static void watch(struct mu_sub *s, bool fresh)
{
	struct mu_uplink_request r = {
		.op = MU_UP_ADD_WATCH,
		.path = s->o.path,
		.flags = s->o.mode == MU_MIRROR_EXACT ? MU_ADDWATCH_PERSISTENT
		                                      : MU_ADDWATCH_RECURSIVE,
		.done = on_armed,
		.owner = s,
	};
	int rc = 0;

	/* The reads go out behind it, so none can be answered before it
	 * stands. */
	if (!s->armed)
		rc = mu_uplink_send(s->o.uplink, &r);
	if (!rc) {
		s->armed = true;
		rc = mu_mirror_start(s->mirror, fresh);
	}
	after(s, rc);
}

static void on_event(void *arg, const struct mu_watch_event *e)
{
	struct mu_sub *s = arg;

	if (!s->streams && !mu_mirror_is_idle(s->mirror))
		after(s, mu_mirror_notify(s->mirror, (int)e->type, e->path,
		                          e->zxid));
}

/* ---- a subscription ---- */

static void complain_of_gap(const struct mu_sub *s,
                            const struct mu_subscribed *r)
{
	char from[24], to[24];

	snprintf(from, sizeof from, "0x%" PRIx64, (uint64_t)r->from);
	snprintf(to, sizeof to, "0x%" PRIx64, (uint64_t)r->to);
	mu_log(MU_WARN,
	       MSG("the broker does not know any more what was changed in "
	           "between; all is read again"),
	       KS("instance", s->o.who), KS("path", s->o.path),
	       KS("from", from), KS("to", to));
}

static void on_subscribed(void *owner, uint64_t tag, const struct mu_result *r)
{
	struct mu_sub *s = owner;
	struct mu_mirror_at at;

	if ((int32_t)tag != s->listener.subscription || r->rc == MU_ECONNLOSS ||
	    r->rc == MU_EEXPIRED)
		return;
	if (r->rc) {
		complain(s, "the subscription was refused", r->rc);
		mu_mirror_stop(s->mirror);
		mu_timer_arm(s->retry, RETRY_MS, 0);
		return;
	}
	at = (struct mu_mirror_at){ r->subscribed->zxid, r->subscribed->n };
	if (r->subscribed->state == MU_SUBSCRIBED_MORE)
		s->listener.subscription = 0; /* none stands */
	if (r->subscribed->state == MU_SUBSCRIBED_GAP)
		complain_of_gap(s, r->subscribed);
	after(s, mu_mirror_subscribed(
			 s->mirror, (enum mu_mirror_state)r->subscribed->state,
			 at));
}

/* The one that stands, if there is one, is given up. */
static int unsubscribe(struct mu_sub *s)
{
	struct mu_uplink_request r = { .op = MU_UP_UNSUBSCRIBE,
		                       .subscription =
		                               s->listener.subscription };

	s->listener.subscription = 0;
	return r.subscription ? mu_uplink_send(s->o.uplink, &r) : 0;
}

static void subscribe(struct mu_sub *s, bool fresh)
{
	static const unsigned modes[] = { MU_SUBSCRIBE_EXACT,
		                          MU_SUBSCRIBE_CHILDREN,
		                          MU_SUBSCRIBE_SUBTREE };
	struct mu_uplink_request r = { .op = MU_UP_SUBSCRIBE,
		                       .path = s->o.path,
		                       .flags = modes[s->o.mode],
		                       .done = on_subscribed,
		                       .owner = s };
	struct mu_mirror_at from;
	int rc = unsubscribe(s);

	if (!rc)
		rc = mu_mirror_subscribe(s->mirror, fresh, &from);
	if (!rc) {
		r.subscription = mu_uplink_new_subscription(s->o.uplink);
		r.zxid = from.zxid;
		r.n = from.n;
		r.tag = (uint64_t)r.subscription;
		rc = mu_uplink_send(s->o.uplink, &r);
	}
	if (rc) {
		mu_mirror_stop(s->mirror);
		after(s, rc);
		return;
	}
	s->listener.subscription = r.subscription;
	pump(s);
}

static int miss(struct mu_sub *s, const struct mu_change *c)
{
	char zxid[24];

	snprintf(zxid, sizeof zxid, "0x%" PRIx64, (uint64_t)c->zxid);
	mu_log(MU_ERROR,
	       MSG("a change came, but not the one before it; all is read "
	           "again"),
	       KS("instance", s->o.who), KS("path", s->o.path),
	       KS("zxid", zxid));
	return mu_mirror_missed(s->mirror);
}

static void on_change(void *arg, const struct mu_change *c)
{
	struct mu_sub *s = arg;
	struct mu_mirror_at prev = { c->prev_zxid, c->prev_n };
	struct mu_mirror_change change = mu_mirror_change_of(c);
	int rc = 0;

	if (!mu_mirror_expects(s->mirror, prev))
		rc = miss(s, c);
	after(s, rc ? rc : mu_mirror_change(s->mirror, &change));
}

static void on_position_due(void *arg)
{
	struct mu_sub *s = arg;
	int rc;

	if (!s->streams || !mu_uplink_is_up(s->o.uplink))
		return;
	rc = mu_mirror_reached(s->mirror, mu_uplink_zxid(s->o.uplink));
	if (rc)
		after(s, rc);
	tell_position(s);
	mu_uplink_ask_zxid(s->o.uplink, POSITION_MS);
}

/* ---- the link ---- */

static void start(struct mu_sub *s, bool fresh)
{
	if (s->streams)
		subscribe(s, fresh);
	else
		watch(s, fresh);
}

/* The first broker: go on where it was left, if this is the tree. */
static bool resume(struct mu_sub *s, const struct mu_uplink_up *up)
{
	struct mu_mirror_at from = { s->from.zxid, s->from.n };
	bool good = s->resumes && up->streams && !up->lost_tree &&
	            up->tree_id == s->from.tree_id;

	s->resumes = false;
	if (good)
		mu_mirror_resume(s->mirror, from);
	return good;
}

static void go_up(struct mu_sub *s, const struct mu_uplink_up *up)
{
	bool resumes = resume(s, up);

	s->begun = true;
	s->streams = up->streams;
	s->listener.subscription = 0; /* it went with its connection */
	if (up->new_handle || up->streams)
		s->armed = false;
	if (up->new_tree && s->o.on_forget && !resumes)
		s->o.on_forget(s->o.arg);
	start(s, up->new_tree && !resumes);
}

static void on_up(void *arg, const struct mu_uplink_up *up)
{
	go_up(arg, up);
}

static void on_down(void *arg)
{
	struct mu_sub *s = arg;

	s->listener.subscription = 0;
	wake(s);
	mu_mirror_stop(s->mirror);
	mu_timer_disarm(s->retry);
}

static void on_retry(void *arg)
{
	struct mu_sub *s = arg;

	s->resting = false;
	if (!mu_uplink_is_up(s->o.uplink))
		return;
	if (mu_mirror_is_idle(s->mirror))
		start(s, false);
	else
		pump(s);
}

static int make(struct mu_sub *s)
{
	const struct mu_sub_options *o = &s->o;
	int rc = mu_timer_new(o->loop, on_retry, s, &s->retry);

	if (!rc)
		rc = mu_timer_new(o->loop, on_position_due, s, &s->position);
	if (!rc)
		rc = mu_mirror_new(o->path, o->mode, &o->limits, o->fn, o->arg,
		                   &s->mirror);
	return rc;
}

int mu_sub_new(const struct mu_sub_options *o, struct mu_sub **out)
{
	struct mu_sub *s = mu_alloc(sizeof *s);
	struct mu_uplink_up up;
	int rc;

	if (!s)
		return MU_ENOMEM;
	s->o = *o;
	if (o->from)
		s->from = *o->from;
	s->resumes = o->from != NULL;
	rc = make(s);
	if (rc) {
		mu_sub_free(s);
		return rc;
	}
	mu_mirror_on_ready(s->mirror, o->on_ready);
	s->o.path = mu_mirror_path(s->mirror);
	s->listener = (struct mu_uplink_listener){ .on_up = on_up,
		                                   .on_down = on_down,
		                                   .on_event = on_event,
		                                   .on_change = on_change,
		                                   .arg = s };
	mu_uplink_listen(o->uplink, &s->listener);
	mu_timer_arm(s->position, POSITION_MS, POSITION_MS);
	if (mu_uplink_now(o->uplink, &up))
		go_up(s, &up);
	*out = s;
	return 0;
}

bool mu_sub_rewind(struct mu_sub *s, const struct mu_sub_position *from)
{
	bool later = from->zxid > s->from.zxid ||
	             (from->zxid == s->from.zxid && from->n >= s->from.n);

	if (s->begun || (s->resumes && from->tree_id != s->from.tree_id))
		return false;
	if (!s->resumes || !later)
		s->from = *from;
	s->resumes = true;
	return true;
}

int mu_sub_present(const struct mu_sub *s, mu_mirror_fn *fn, void *arg)
{
	return mu_mirror_present(s->mirror, fn, arg);
}

void mu_sub_free(struct mu_sub *s)
{
	if (!s)
		return;
	if (s->mirror && mu_uplink_is_up(s->o.uplink))
		(void)unsubscribe(s);
	mu_uplink_unlisten(s->o.uplink, &s->listener);
	mu_uplink_forget(s->o.uplink, s);
	mu_timer_free(s->retry);
	mu_timer_free(s->position);
	mu_mirror_free(s->mirror);
	mu_free(s);
}
