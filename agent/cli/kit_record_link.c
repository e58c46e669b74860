/* kit_record_link.c - how a recording follows its nodes: by a subscription, which
 * misses nothing and tells whose each change was; of a ZooKeeper by a watch. */
#include "kit_record_impl.h"

#include <stdlib.h>

#define FEATURES_SUBSCRIBE 2
#define READS_MAX 500u /* the library has 1,000 places for all requests */

/* ---- reads ---- */

struct asked {
	struct watcher *w;
	uint32_t id;
};

static void after(struct watcher *w, int rc);

static void on_read(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct asked *q = arg;
	struct watcher *w = q->w;
	struct mu_mirror_answer a = { .rc = r->rc, .zxid = r->zxid };
	uint32_t id = q->id;

	(void)c;
	free(q);
	w->r->reads--;
	if (w->r->rc || r->rc == MU_ECONNLOSS || r->rc == MU_EEXPIRED)
		return; /* it ends, or will be read again */
	if (r->rc == 0) {
		if (r->len >= 0)
			a.data = (struct mu_str){ r->data ? r->data : "",
				                  (uint32_t)r->len };
		a.stat = r->stat;
		a.names = r->children;
		a.count = r->count;
	}
	after(w, mu_mirror_read_done(w->mirror, id, &a));
}

static int ask(struct watcher *w, const struct mu_mirror_read *read)
{
	struct asked *q = malloc(sizeof *q);
	struct mu_client *c = w->r->cli->client;
	int rc;

	if (!q)
		return MU_ENOMEM;
	*q = (struct asked){ w, read->id };
	rc = read->what == MU_MIRROR_NAMES
	             ? mu_client_children(c, read->path, false, on_read, q)
	             : mu_client_get(c, read->path, false, on_read, q);
	if (rc)
		free(q);
	else
		w->r->reads++;
	return rc;
}

/* What is to be read, of any of them: each answer makes room for one more. */
static void pump(struct recording *r)
{
	struct mu_mirror_read read;

	for (size_t i = 0; i < r->watchers; i++) {
		struct watcher *w = &r->watcher[i];

		while (!r->rc && r->reads < READS_MAX &&
		       mu_mirror_read_next(w->mirror, &read))
			record_fail(r, ask(w, &read), w->path);
	}
}

static void subscribe(struct watcher *w, bool fresh);

/* The mirror was given something. */
static void after(struct watcher *w, int rc)
{
	record_fail(w->r, rc, w->path);
	if (!w->r->rc && mu_mirror_wants_more(w->mirror))
		subscribe(w, false);
	else
		pump(w->r);
}

/* ---- a watch ---- */

static void on_armed(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct watcher *w = arg;

	(void)c;
	if (r->rc == MU_ECONNLOSS)
		w->armed = false;
	else if (r->rc != MU_EEXPIRED)
		record_fail(w->r, r->rc, w->path);
}

/* The library sets it again by itself; what was missed is read. */
static void watch(struct watcher *w, bool fresh)
{
	int rc = 0;

	if (!w->armed)
		rc = mu_client_add_watch(w->r->cli->client, w->path,
		                         w->mode == MU_MIRROR_EXACT
		                                 ? MU_ADDWATCH_PERSISTENT
		                                 : MU_ADDWATCH_RECURSIVE,
		                         on_armed, w);
	w->armed = rc == 0;
	after(w, rc ? rc : mu_mirror_start(w->mirror, fresh));
}

static void on_event(struct cli *cli, const struct mu_watch_event *e)
{
	struct recording *r = cli->arg;

	for (size_t i = 0; i < r->watchers && !r->rc && !r->streams; i++) {
		struct watcher *w = &r->watcher[i];

		if (!mu_mirror_is_idle(w->mirror))
			after(w, mu_mirror_notify(w->mirror, (int)e->type,
			                          e->path, e->zxid));
	}
}

/* ---- a subscription ---- */

struct wished {
	struct watcher *w;
	int32_t id;
};

static void on_subscribed(struct mu_client *c, const struct mu_result *r,
                          void *arg)
{
	struct wished *q = arg;
	struct watcher *w = q->w;
	bool stands = q->id == w->subscription;
	struct mu_mirror_at at;

	(void)c;
	free(q);
	if (!stands || w->r->rc || r->rc == MU_ECONNLOSS ||
	    r->rc == MU_EEXPIRED)
		return;
	if (r->rc) {
		record_fail(w->r, r->rc, w->path);
		return;
	}
	at = (struct mu_mirror_at){ r->subscribed->zxid, r->subscribed->n };
	if (r->subscribed->state == MU_SUBSCRIBED_MORE)
		w->subscription = 0; /* none stands */
	after(w, mu_mirror_subscribed(
			 w->mirror, (enum mu_mirror_state)r->subscribed->state,
			 at));
}

static void subscribe(struct watcher *w, bool fresh)
{
	static const enum mu_subscribe_mode modes[] = {
		[MU_MIRROR_EXACT] = MU_SUBSCRIBE_EXACT,
		[MU_MIRROR_CHILDREN] = MU_SUBSCRIBE_CHILDREN,
		[MU_MIRROR_SUBTREE] = MU_SUBSCRIBE_SUBTREE,
	};
	struct mu_subscribe what = { .size = sizeof what,
		                     .id = ++w->r->last_subscription,
		                     .path = w->path,
		                     .mode = modes[w->mode] };
	struct wished *q = malloc(sizeof *q);
	struct mu_mirror_at from = { 0 };
	int rc = q ? mu_mirror_subscribe(w->mirror, fresh, &from) : MU_ENOMEM;

	if (!rc) {
		*q = (struct wished){ w, what.id };
		w->subscription = what.id;
		what.zxid = from.zxid;
		what.n = from.n;
		rc = mu_client_subscribe(w->r->cli->client, &what,
		                         on_subscribed, q);
	}
	if (rc)
		free(q);
	if (rc != MU_ECONNLOSS && rc != MU_EEXPIRED) /* on_state will say so */
		record_fail(w->r, rc, w->path);
	pump(w->r);
}

static int take_change(struct watcher *w, const struct mu_change *c)
{
	struct mu_mirror_at prev = { c->prev_zxid, c->prev_n };
	struct mu_mirror_change change = mu_mirror_change_of(c);
	int rc = 0;

	if (!mu_mirror_expects(w->mirror, prev))
		rc = mu_mirror_missed(w->mirror);
	return rc ? rc : mu_mirror_change(w->mirror, &change);
}

static void on_change(struct cli *cli, const struct mu_change *c)
{
	struct recording *r = cli->arg;

	for (size_t i = 0; i < r->watchers && !r->rc; i++)
		if (r->watcher[i].subscription == c->id) {
			after(&r->watcher[i], take_change(&r->watcher[i], c));
			return;
		}
}

/* ---- the link ---- */

static void on_connected(struct recording *r)
{
	struct mu_client_info info = { .size = sizeof info };
	bool fresh;

	mu_client_info(r->cli->client, &info);
	fresh = info.tree_id != r->tree_id;
	r->streams = info.features >= FEATURES_SUBSCRIBE;
	r->tree_id = info.tree_id;
	if (fresh && r->roll)
		mu_roll_forget(r->roll);
	for (size_t i = 0; i < r->watchers && !r->rc; i++) {
		r->watcher[i].subscription = 0; /* it went with its link */
		if (r->streams)
			subscribe(&r->watcher[i], fresh);
		else
			watch(&r->watcher[i], fresh);
	}
	if (r->roll && !r->rc)
		record_ask_left(r);
}

static void on_state(struct cli *cli, enum mu_client_state state, int why)
{
	struct recording *r = cli->arg;

	(void)why;
	if (state == MU_CLIENT_CONNECTED) {
		on_connected(r);
		return;
	}
	for (size_t i = 0; i < r->watchers; i++) {
		r->watcher[i].subscription = 0;
		mu_mirror_stop(r->watcher[i].mirror);
	}
}

void record_follow(struct recording *r)
{
	struct cli *cli = r->cli;

	cli->arg = r;
	cli->on_event = on_event;
	cli->on_change = on_change;
	cli->on_state = on_state;
	r->tree_id = -1; /* none: it begins with what is there */
	on_connected(r);
}

void record_unfollow(struct recording *r)
{
	r->cli->on_event = NULL;
	r->cli->on_change = NULL;
	r->cli->on_state = NULL;
}
