/*
 * cmd_watch.c - muster watch: print each change of a node until stopped.
 *
 * Where the broker has subscriptions it subscribes, and after every loss, of the
 * connection or of the session, again from the change it printed last: each is
 * shown once, or a line says that some may be missing. A ZooKeeper has watches.
 */
#include "cli.h"
#include "commands.h"
#include "watchlines.h"

#define PATIENCE_MS 86400000u /* a watch waits for its broker */

#define FEATURES_SUBSCRIBE 2

struct watching {
	struct watch_lines lines;
	struct cli *cli;
	const char *path;
	bool recursive;
	int failed; /* an exit code */
	bool was_lost;
	bool decided, subscribes; /* of this session: what it does */

	/* A subscription: this one, where it has got to (zxid -1: nowhere yet),
	 * and the change before the next one. */
	int32_t id;
	int64_t tree_id;
	int64_t zxid, prev_zxid;
	int32_t n, prev_n;
};

static void say(const char *what)
{
	fprintf(stderr, "muster watch: %s\n", what);
}

static void fail(struct watching *w, int rc, const char *sentence)
{
	w->failed = cli_fail(w->cli, rc, sentence);
	w->lines.done = true;
}

/* Not the command's failure: on_state or the loop hear of it too. */
static bool is_loss(int rc)
{
	return rc == MU_ECONNLOSS || rc == MU_EEXPIRED || rc == MU_ECLOSED;
}

/* ---- a watch ---- */

static enum mu_addwatch_mode watch_mode(const struct watching *w)
{
	return w->recursive ? MU_ADDWATCH_RECURSIVE : MU_ADDWATCH_PERSISTENT;
}

static void on_event(struct cli *cli, const struct mu_watch_event *e)
{
	struct watching *w = cli->arg;

	watch_lines_event(&w->lines, e);
}

static void watched(struct mu_client *c, const struct mu_result *r, void *arg)
{
	(void)c;
	if (r->rc && !is_loss(r->rc))
		fail(arg, r->rc, NULL);
}

/* ---- a subscription ---- */

static void stand_at(struct watching *w, int64_t zxid, int32_t n)
{
	w->zxid = w->prev_zxid = zxid;
	w->n = w->prev_n = n;
}

static void gap(struct watching *w, int64_t from, int64_t to)
{
	watch_lines_gap(&w->lines, w->path, from, to);
}

static void subscribe(struct watching *w);

static void came_back(struct watching *w, const char *what)
{
	if (w->was_lost)
		say(what);
	w->was_lost = false;
}

static void go_live(struct watching *w, const struct mu_subscribed *s)
{
	const bool from_now = w->zxid < 0;

	came_back(w, from_now ? "connected again; changes in between were not "
	                        "seen"
	                      : "connected again; nothing was missed");
	w->zxid = s->zxid;
	w->n = s->n;
	if (!from_now)
		return;
	w->prev_zxid = s->zxid;
	w->prev_n = s->n;
}

static void subscribed(struct mu_client *c, const struct mu_result *r,
                       void *arg)
{
	struct watching *w = arg;
	const struct mu_subscribed *s = r->subscribed;

	(void)c;
	if (is_loss(r->rc) || w->lines.done)
		return;
	if (r->rc) {
		fail(w, r->rc, NULL);
		return;
	}
	if (s->state == MU_SUBSCRIBED_LIVE) {
		go_live(w, s);
		return;
	}
	if (s->state == MU_SUBSCRIBED_GAP) {
		gap(w, s->from, s->to);
		came_back(w, "connected again; changes may be missing");
	}
	stand_at(w, s->zxid, s->n);
	if (s->state == MU_SUBSCRIBED_MORE)
		subscribe(w);
}

/* Another broker of the list may have no subscriptions. */
static void fall_back(struct watching *w)
{
	int rc = mu_client_add_watch(w->cli->client, w->path, watch_mode(w),
	                             watched, w);

	w->subscribes = false;
	w->zxid = -1;
	came_back(w, "connected again; changes in between were not seen");
	if (rc && !is_loss(rc))
		fail(w, rc, NULL);
}

static void subscribe(struct watching *w)
{
	const struct mu_subscribe what = {
		.size = sizeof what,
		.id = ++w->id,
		.path = w->path,
		.mode = w->recursive ? MU_SUBSCRIBE_SUBTREE
		                     : MU_SUBSCRIBE_EXACT,
		.zxid = w->zxid,
		.n = w->n,
	};
	int rc = mu_client_subscribe(w->cli->client, &what, subscribed, w);

	w->prev_zxid = w->zxid;
	w->prev_n = w->n;
	if (rc == MU_EUNIMPLEMENTED)
		fall_back(w);
	else if (rc && !is_loss(rc))
		fail(w, rc, NULL);
}

/* Children are not told of where the nodes below are. */
static void on_change(struct cli *cli, const struct mu_change *e)
{
	struct watching *w = cli->arg;

	if (e->id != w->id)
		return;
	if (e->prev_zxid != w->prev_zxid || e->prev_n != w->prev_n)
		gap(w, w->prev_zxid, e->prev_zxid);
	stand_at(w, e->zxid, e->n);
	if (!w->recursive || e->type != MU_WATCH_CHILDREN_CHANGED)
		watch_lines_change(&w->lines, e);
}

/* Positions of a tree mean nothing in another. */
static void meet_tree(struct watching *w, int64_t tree_id)
{
	if (w->zxid >= 0 && tree_id != w->tree_id) {
		gap(w, 0, 0);
		w->zxid = -1;
	}
	w->tree_id = tree_id;
}

/* ---- connections ---- */

static void on_connected(struct watching *w)
{
	struct mu_client_info info = { .size = sizeof info };

	mu_client_info(w->cli->client, &info);
	if (!w->decided)
		w->subscribes = info.features >= FEATURES_SUBSCRIBE;
	w->decided = true;
	if (w->subscribes) {
		meet_tree(w, info.tree_id);
		subscribe(w);
		return;
	}
	came_back(w, "connected again; changes in between were not seen");
}

static void on_state(struct cli *cli, enum mu_client_state state, int why)
{
	struct watching *w = cli->arg;

	if (state == MU_CLIENT_CONNECTED)
		on_connected(w);
	if (state != MU_CLIENT_CONNECTING || w->was_lost)
		return;
	w->was_lost = true;
	fprintf(stderr, "muster watch: disconnected (%s), trying again\n",
	        mu_client_strerror(why));
}

/* A subscription is asked for by on_state. */
static int arm(struct watching *w, struct mu_err *err)
{
	if (w->subscribes)
		return 0;
	return mu_client_add_watch_sync(w->cli->client, w->path, watch_mode(w),
	                                w->cli->timeout_ms, err);
}

/* The session is gone and with it the watch: begin a new one, for as long as it
 * takes. */
static int start_again(struct watching *w)
{
	struct cli *cli = w->cli;
	const uint32_t timeout_ms = cli->timeout_ms;
	struct mu_err err = { 0, "" };
	int rc = MU_ECONNLOSS;

	say("the session has expired; starting a new one");
	while (cli_exit_of(rc) == CLI_NO_BROKER) {
		mu_client_free(cli->client);
		cli->client = NULL;
		w->decided = false;
		cli->timeout_ms = PATIENCE_MS;
		rc = cli_connect(cli);
		cli->timeout_ms = timeout_ms;
		if (rc)
			return rc;
		rc = arm(w, &err);
	}
	return rc ? cli_fail(cli, rc, err.msg) : CLI_OK;
}

static int watch(struct watching *w)
{
	struct mu_err err = { 0, "" };
	int rc = arm(w, &err);

	if (rc)
		return cli_fail(w->cli, rc, err.msg);
	while (!w->lines.done) {
		if (cli_pump(w->cli, &w->lines.done) == 0)
			return w->failed;
		rc = start_again(w);
		if (rc)
			return rc;
	}
	return w->failed;
}

int cmd_watch(struct cli *cli)
{
	struct watching w = { .cli = cli, .zxid = -1 };
	int rc;

	watch_lines_init(&w.lines, cli);
	w.path = cli_path(cli, 0);
	if (!w.path ||
	    !cli_given_number(cli, "count", 1, INT32_MAX, -1, &w.lines.left))
		return CLI_USAGE;
	w.recursive = cli_given(cli, "recursive") != NULL;
	w.lines.full = cli_given(cli, "long") != NULL;
	cli->arg = &w;
	cli->on_event = on_event;
	cli->on_change = on_change;
	cli->on_state = on_state;
	rc = cli_connect(cli);
	if (rc == CLI_OK)
		rc = watch(&w);
	/* Closing still answers requests: here, while there is a `w`. */
	w.lines.done = true;
	cli->on_state = NULL;
	cli_disconnect(cli);
	watch_lines_drop(&w.lines);
	return rc;
}
