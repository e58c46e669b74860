#include "sub.h"

#include "log.h"
#include "mem.h"

#include <string.h>

#define TOO_BIG_RETRY_MS 60000u
#define RETRY_MS 1000u /* after the mirror went idle, or a read was refused */

struct mu_sub {
	struct mu_sub_options o;
	struct mu_mirror *mirror;
	struct mu_timer *retry;
	struct mu_uplink_listener listener;
	bool armed;   /* the watch stands on this handle, or was asked for */
	bool failing; /* the log has said so */
};

static void pump(struct mu_sub *s);

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

/* Something was handed to the mirror: see whether it can go on. */
static void after(struct mu_sub *s, int rc)
{
	if (rc == MU_ETOOBIG)
		complain(s,
		         "the watch covers more than watch_nodes_max or "
		         "watch_bytes_max allows",
		         rc);
	else if (rc)
		complain(s, "the watch stands still and will be read again",
		         rc);
	if (mu_mirror_is_idle(s->mirror) && mu_uplink_is_up(s->o.uplink))
		mu_timer_arm(s->retry,
		             rc == MU_ETOOBIG ? TOO_BIG_RETRY_MS : RETRY_MS, 0);
	else if (!rc)
		s->failing = false;
	pump(s);
}

static struct mu_str data_of(const struct mu_result *r)
{
	if (r->len < 0)
		return (struct mu_str){ 0 };
	return (struct mu_str){ r->data ? r->data : "", (uint32_t)r->len };
}

static void on_read(void *owner, uint64_t tag, const struct mu_result *r)
{
	struct mu_sub *s = owner;
	struct mu_mirror_answer a = { .rc = r->rc, .zxid = r->zxid };

	/* The link went; on_down stops the mirror, if it did not yet. */
	if (r->rc == MU_ECONNLOSS || r->rc == MU_EEXPIRED)
		return;
	if (r->rc == 0) {
		a.data = data_of(r);
		a.stat = r->stat;
		a.names = r->children;
		a.count = r->count;
	} else if (r->rc != MU_ENONODE && r->rc != MU_ETHROTTLED) {
		mu_log(MU_WARN, MSG("a watched node cannot be read"),
		       KS("instance", s->o.who), KS("path", s->o.path),
		       KS("reason", mu_client_strerror(r->rc)));
	}
	after(s, mu_mirror_read_done(s->mirror, (uint32_t)tag, &a));
}

static void pump(struct mu_sub *s)
{
	struct mu_mirror_read read;

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

/* ---- the link ---- */

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

static void start(struct mu_sub *s, bool fresh)
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

static void on_up(void *arg, const struct mu_uplink_up *up)
{
	struct mu_sub *s = arg;

	if (up->new_handle)
		s->armed = false;
	if (up->new_tree && s->o.on_forget)
		s->o.on_forget(s->o.arg);
	start(s, up->new_tree);
}

static void on_down(void *arg)
{
	struct mu_sub *s = arg;

	mu_mirror_stop(s->mirror);
	mu_timer_disarm(s->retry);
}

static void on_event(void *arg, const struct mu_watch_event *e)
{
	struct mu_sub *s = arg;

	if (!mu_mirror_is_idle(s->mirror))
		after(s, mu_mirror_notify(s->mirror, (int)e->type, e->path,
		                          e->zxid));
}

static void on_retry(void *arg)
{
	struct mu_sub *s = arg;

	if (!mu_uplink_is_up(s->o.uplink))
		return;
	if (mu_mirror_is_idle(s->mirror))
		start(s, false);
	else
		pump(s);
}

int mu_sub_new(const struct mu_sub_options *o, struct mu_sub **out)
{
	struct mu_sub *s = mu_alloc(sizeof *s);
	int rc;

	if (!s)
		return MU_ENOMEM;
	s->o = *o;
	rc = mu_timer_new(o->loop, on_retry, s, &s->retry);
	if (!rc)
		rc = mu_mirror_new(o->path, o->mode, &o->limits, o->fn, o->arg,
		                   &s->mirror);
	if (rc) {
		if (s->retry)
			mu_timer_free(s->retry);
		mu_free(s);
		return rc;
	}
	s->o.path = mu_mirror_path(s->mirror);
	s->listener = (struct mu_uplink_listener){ on_up, on_down, on_event, s,
		                                   NULL };
	mu_uplink_listen(o->uplink, &s->listener);
	if (mu_uplink_is_up(o->uplink))
		start(s, true);
	*out = s;
	return 0;
}

int mu_sub_present(const struct mu_sub *s, mu_mirror_fn *fn, void *arg)
{
	return mu_mirror_present(s->mirror, fn, arg);
}

void mu_sub_free(struct mu_sub *s)
{
	if (!s)
		return;
	mu_uplink_unlisten(s->o.uplink, &s->listener);
	mu_uplink_forget(s->o.uplink, s);
	mu_timer_free(s->retry);
	mu_mirror_free(s->mirror);
	mu_free(s);
}
