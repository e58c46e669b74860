/* kit_record.c - muster plugin record: write what an instance on this cluster would
 * be given, present state first. What changed and who left is decided by the same
 * core that an agent has. */
#include "cli.h"
#include "kit.h"

#include "chan.h"
#include "err.h"
#include "json.h"
#include "mirror.h"
#include "roll.h"
#include "savefile.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define NODES_MAX 1000000u
#define QUEUE_MAX 1000000u
#define BYTES_MAX (1u << 30)
#define FILE_MODE 0600 /* it may hold what an ACL protects */
#define FOR_MAX_MS ((int64_t)240 * 3600 * 1000)
#define MEMBERS "/members"

struct recording;

struct watcher {
	struct recording *r;
	struct mu_mirror *mirror;
	char *path;
	enum mu_mirror_mode mode;
};

struct recording {
	struct cli *cli;
	FILE *out;
	struct watcher *watcher;
	size_t watchers;
	struct mu_roll *roll; /* NULL: members are not asked for */
	size_t written;
	int rc; /* why it must end; 0: it need not */
	char why[MU_ERR_MSG_MAX];
};

static void fail(struct recording *r, int rc, const char *what)
{
	if (rc == 0 || r->rc)
		return;
	r->rc = rc;
	mu_format(r->why, sizeof r->why, "%.300s: %s", what,
	          mu_client_strerror(rc));
}

/* ---- lines ---- */

static int write_line(struct recording *r, struct mu_json *o)
{
	char *text = mu_json_text(o);

	mu_json_free(o);
	if (!text)
		return MU_ENOMEM;
	fputs(text, r->out);
	fputc('\n', r->out);
	free(text);
	if (fflush(r->out) || ferror(r->out))
		return MU_EIO;
	r->written++;
	return 0;
}

static int set_flags(struct mu_json *o, uint32_t flags)
{
	struct mu_json *a;

	if (!(flags & MU_EVENT_COALESCED))
		return 0; /* the others are the mailbox's */
	a = mu_json_array();
	if (a && mu_json_add_str(a, "coalesced") == 0)
		return mu_json_set(o, "flags", a);
	mu_json_free(a);
	return MU_ENOMEM;
}

static struct mu_json *line_of(uint32_t type, uint32_t flags, uint32_t count,
                               int64_t zxid)
{
	struct mu_json *o = mu_json_object();
	int rc = mu_json_set_str(o, "event", mu_event_word(type));

	/* A server before 3.9 does not tell the zxid: -1. */
	if (!rc && zxid >= 0)
		rc = mu_json_set_int(o, "zxid", zxid);
	if (!rc && count > 1)
		rc = mu_json_set_int(o, "count", count);
	rc = rc ? rc : set_flags(o, flags);
	if (!rc)
		return o;
	mu_json_free(o);
	return NULL;
}

static int on_change(void *arg, const struct mu_mirror_event *e)
{
	struct watcher *w = arg;
	struct mu_json *o = line_of(e->type, e->flags, e->count, e->zxid);
	char *path = strndup(e->path.at, e->path.len);
	int rc = path ? mu_json_set_str(o, "path", path) : MU_ENOMEM;

	free(path);
	if (!rc && e->stat && e->type != MU_EVENT_CHILDREN)
		rc = mu_json_set_data(o, "data", e->data.at,
		                      e->data.at ? (int32_t)e->data.len : -1);
	if (!rc && e->stat)
		rc = cli_json_stat(o, e->stat);
	if (!rc)
		rc = write_line(w->r, o);
	else
		mu_json_free(o);
	fail(w->r, rc, "an event cannot be written");
	return rc;
}

/* ---- members ---- */

static int set_member(struct mu_json *o, const struct mu_member *m)
{
	struct mu_json *member = mu_json_object(), *labels = NULL;
	int rc = mu_json_set_str(member, "name", m->name) ||
	         mu_json_set_str(member, "id", m->id) ||
	         mu_json_set_str(member, "address", m->address) ||
	         mu_json_set_int(member, "port", m->port) ||
	         mu_json_set_str(member, "version", m->version) ||
	         mu_json_set_str(member, "boot_id", m->boot_id) ||
	         mu_json_set_int(member, "started", m->started_ms) ||
	         mu_json_set_str(member, "state", m->state) ||
	         mu_json_set_int(member, "czxid", m->czxid);

	if (!rc &&
	    mu_json_parse(m->labels, strlen(m->labels), &labels, NULL) == 0)
		rc = mu_json_set(member, "labels", labels);
	if (!rc)
		return mu_json_set(o, "member", member);
	mu_json_free(member);
	return MU_ENOMEM;
}

static void on_member(void *arg, const struct mu_roll_event *e)
{
	struct recording *r = arg;
	struct mu_json *o = line_of(e->type, e->flags, e->count, e->zxid);
	int rc = o ? set_member(o, e->member) : MU_ENOMEM;

	if (!rc)
		rc = write_line(r, o);
	else
		mu_json_free(o);
	fail(r, rc, "an event cannot be written");
}

static void on_left(struct mu_client *c, const struct mu_result *res,
                    void *arg);

/* Did it leave or fail? /left/NAME says. */
static void ask_left(struct recording *r)
{
	const char *name = mu_roll_question(r->roll);
	char *path;
	int rc;

	if (!name)
		return;
	path = cli_join("/left", name);
	rc = path ? mu_client_get(r->cli->client, path, false, on_left, r)
	          : MU_ENOMEM;
	free(path);
	fail(r, rc, "/left cannot be read");
}

static void on_left(struct mu_client *c, const struct mu_result *res, void *arg)
{
	struct recording *r = arg;
	struct mu_str left = { 0 };

	(void)c;
	if (r->rc)
		return;
	if (res->rc == MU_ECONNLOSS) {
		mu_roll_ask_again(r->roll); /* once it is connected again */
		return;
	}
	if (res->rc && res->rc != MU_ENONODE) {
		fail(r, res->rc, "/left cannot be read");
		return;
	}
	if (res->rc == 0 && res->len > 0)
		left = (struct mu_str){ res->data, (uint32_t)res->len };
	mu_roll_answer(r->roll, left);
	ask_left(r);
}

/* The record of /members/NAME; one that cannot be read has its name alone. */
static int on_member_node(void *arg, const struct mu_mirror_event *e)
{
	struct watcher *w = arg;
	struct mu_str name = mu_path_name(e->path);
	struct mu_member m = { .size = sizeof m };
	struct mu_roll_change c = { .type = e->type,
		                    .flags = e->flags,
		                    .count = e->count,
		                    .zxid = e->zxid,
		                    .member = &m };
	struct mu_json *j = NULL;
	char *text, *labels;
	int rc;

	if (e->type == MU_EVENT_CHILDREN || mu_str_eq(e->path, MU_STR(MEMBERS)))
		return 0;
	if (e->data.at)
		(void)mu_json_parse(e->data.at, e->data.len, &j, NULL);
	text = strndup(name.at, name.len);
	labels = j ? mu_json_get_text(j, "labels") : NULL;
	m.name = text;
	m.id = mu_json_get_str(j, "id", "");
	m.address = mu_json_get_str(j, "address", "");
	m.port = (uint32_t)mu_json_get_int(j, "port", 0);
	m.version = mu_json_get_str(j, "version", "");
	m.boot_id = mu_json_get_str(j, "boot_id", "");
	m.state = mu_json_get_str(j, "state", "");
	m.started_ms = mu_json_get_int(j, "started", 0);
	m.labels = labels && labels[0] == '{' ? labels : "{}";
	m.czxid = e->stat ? e->stat->czxid : 0;
	rc = text ? mu_roll_change(w->r->roll, &c) : MU_ENOMEM;
	free(labels);
	free(text);
	mu_json_free(j);
	fail(w->r, rc, MEMBERS);
	if (!rc)
		ask_left(w->r);
	return rc;
}

/* ---- reads ---- */

struct asked {
	struct watcher *w;
	uint32_t id;
};

static void pump(struct watcher *w);

static void on_read(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct asked *q = arg;
	struct watcher *w = q->w;
	struct mu_mirror_answer a = { .rc = r->rc, .zxid = r->zxid };
	uint32_t id = q->id;

	(void)c;
	free(q);
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
	fail(w->r, mu_mirror_read_done(w->mirror, id, &a), w->path);
	pump(w);
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
	return rc;
}

static void pump(struct watcher *w)
{
	struct mu_mirror_read read;

	while (!w->r->rc && mu_mirror_read_next(w->mirror, &read))
		fail(w->r, ask(w, &read), w->path);
}

/* ---- the link ---- */

static void on_event(struct cli *cli, const struct mu_watch_event *e)
{
	struct recording *r = cli->arg;

	for (size_t i = 0; i < r->watchers && !r->rc; i++) {
		struct watcher *w = &r->watcher[i];

		if (mu_mirror_is_idle(w->mirror))
			continue;
		fail(r,
		     mu_mirror_notify(w->mirror, (int)e->type, e->path,
		                      e->zxid),
		     w->path);
		pump(w);
	}
}

static void read_all(struct recording *r, bool fresh)
{
	for (size_t i = 0; i < r->watchers && !r->rc; i++) {
		fail(r, mu_mirror_start(r->watcher[i].mirror, fresh),
		     r->watcher[i].path);
		pump(&r->watcher[i]);
	}
	if (r->roll && !r->rc)
		ask_left(r);
}

/* The library sets the watches again by itself; what was missed is read. */
static void on_state(struct cli *cli, enum mu_client_state state, int why)
{
	struct recording *r = cli->arg;

	(void)why;
	if (state == MU_CLIENT_CONNECTED)
		read_all(r, false);
	else
		for (size_t i = 0; i < r->watchers; i++)
			mu_mirror_stop(r->watcher[i].mirror);
}

static int arm(struct recording *r)
{
	struct cli *cli = r->cli;

	for (size_t i = 0; i < r->watchers; i++) {
		const struct watcher *w = &r->watcher[i];
		struct mu_err err = { 0, "" };
		int rc = mu_client_add_watch_sync(
			cli->client, w->path,
			w->mode == MU_MIRROR_EXACT ? MU_ADDWATCH_PERSISTENT
						   : MU_ADDWATCH_RECURSIVE,
			cli->timeout_ms, &err);

		if (rc)
			return cli_fail(cli, rc, err.msg);
	}
	return CLI_OK;
}

/* ---- what to watch ---- */

static const struct {
	const char *word;
	enum mu_mirror_mode mode;
} modes[] = {
	{ ":exact", MU_MIRROR_EXACT },
	{ ":children", MU_MIRROR_CHILDREN },
	{ ":subtree", MU_MIRROR_SUBTREE },
};

static int add(struct recording *r, const char *path, size_t len,
               enum mu_mirror_mode mode, mu_mirror_fn *fn)
{
	static const struct mu_mirror_limits limits = { NODES_MAX, QUEUE_MAX,
		                                        BYTES_MAX };
	struct watcher *w = &r->watcher[r->watchers];
	int rc;

	*w = (struct watcher){ .r = r, .mode = mode };
	w->path = strndup(path, len);
	rc = w->path ? mu_mirror_new(w->path, mode, &limits, fn, w, &w->mirror)
	             : MU_ENOMEM;
	if (rc == 0) {
		r->watchers++;
		return CLI_OK;
	}
	free(w->path);
	return rc == MU_EINVAL
	               ? cli_usage(r->cli,
	                           "--watch %s: a path, with :exact, "
	                           ":children or :subtree behind it if you "
	                           "like",
	                           path)
	               : cli_fail(r->cli, rc, NULL);
}

/* Where a mode would stand there is a word that is none: ":subtre". */
static const char *odd_mode(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (!colon || !colon[1] ||
	    strspn(colon + 1, "abcdefghijklmnopqrstuvwxyz") !=
	            strlen(colon + 1))
		return NULL;
	return colon + 1;
}

static int add_given(struct recording *r, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		size_t n = strlen(modes[i].word);

		if (len > n && strcmp(text + len - n, modes[i].word) == 0)
			return add(r, text, len - n, modes[i].mode, on_change);
	}
	if (odd_mode(text))
		return cli_usage(r->cli,
		                 "--watch %s: \"%s\" is none of exact, "
		                 "children and subtree; of a path that ends "
		                 "so, say \"%s:exact\"",
		                 text, odd_mode(text), text);
	return add(r, text, len, MU_MIRROR_EXACT, on_change);
}

static int add_all(struct recording *r)
{
	const char *text;
	int rc = CLI_OK;

	for (size_t i = 0; !rc && (text = cli_given_nth(r->cli, "watch", i));
	     i++)
		rc = add_given(r, text);
	if (rc == CLI_OK && cli_given(r->cli, "members")) {
		r->roll = mu_roll_new(on_member, r);
		rc = r->roll ? add(r, MEMBERS, strlen(MEMBERS),
		                   MU_MIRROR_CHILDREN, on_member_node)
		             : cli_fail(r->cli, MU_ENOMEM, NULL);
	}
	if (rc == CLI_OK && r->watchers == 0)
		return cli_usage(r->cli,
		                 "record what? --watch PATH[:MODE], --members");
	return rc;
}

/* ---- recording ---- */

static int64_t mono_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until the time is over, a signal comes (signals: it can be read then), or
 * something is wrong. */
static int turn_until(struct recording *r, int signals, int64_t end_ms)
{
	struct mu_client *c = r->cli->client;

	while (!r->rc) {
		struct pollfd p[2] = { { mu_client_fd(c), POLLIN, 0 },
			               { signals, POLLIN, 0 } };
		int64_t left = end_ms - mono_ms();
		int ms = mu_client_timeout_ms(c);
		int rc;

		if (left <= 0)
			return CLI_OK;
		poll(p, 2, left < ms ? (int)left : ms);
		if (p[1].revents)
			return CLI_OK;
		rc = mu_client_process(c);
		if (rc)
			return cli_fail(r->cli, rc, NULL);
	}
	return cli_fail(r->cli, r->rc, r->why);
}

static int record(struct recording *r, int64_t for_ms)
{
	struct cli *cli = r->cli;
	sigset_t stop;
	int signals, rc;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	signals = signalfd(-1, &stop, SFD_CLOEXEC);
	if (signals < 0)
		return cli_fail(cli, MU_EIO, strerror(errno));
	rc = cli_connect(cli);
	if (rc == CLI_OK)
		rc = arm(r);
	if (rc == CLI_OK) {
		cli->arg = r;
		cli->on_event = on_event;
		cli->on_state = on_state;
		read_all(r, true);
		rc = turn_until(r, signals, mono_ms() + for_ms);
	}
	/* Closing still answers requests: to nobody. */
	r->rc = r->rc ? r->rc : MU_ECLOSED;
	cli->on_event = NULL;
	cli->on_state = NULL;
	cli_disconnect(cli);
	close(signals);
	return rc;
}

static void recording_fini(struct recording *r)
{
	for (size_t i = 0; i < r->watchers; i++) {
		mu_mirror_free(r->watcher[i].mirror);
		free(r->watcher[i].path);
	}
	free(r->watcher);
	mu_roll_free(r->roll);
}

/* What was recorded before something went wrong is kept. */
static int record_to_file(struct recording *r, const char *file, int64_t for_ms)
{
	struct mu_savefile *s;
	struct mu_err err = { 0, "" };
	int fd, rc = mu_savefile_open(file, true, FILE_MODE, &s, &err);
	bool whole;

	if (rc)
		return cli_fail(r->cli, rc, err.msg);
	fd = dup(mu_savefile_fd(s));
	r->out = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!r->out) {
		mu_savefile_abort(s);
		return cli_fail(r->cli, MU_EIO, strerror(errno));
	}
	rc = record(r, for_ms);
	whole = fclose(r->out) == 0 && r->rc != MU_EIO;
	if (!whole || (rc && r->written == 0)) {
		mu_savefile_abort(s);
		return rc ? rc : cli_fail(r->cli, MU_EIO, file);
	}
	if (mu_savefile_commit(s, &err))
		return cli_fail(r->cli, MU_EIO, err.msg);
	fprintf(stderr, "muster plugin: %zu event%s in %s\n", r->written,
	        r->written == 1 ? "" : "s", file);
	return rc;
}

int kit_record(struct cli *cli)
{
	struct recording r = { .cli = cli, .out = stdout };
	const char *file = cli_given(cli, "output");
	int64_t for_ms;
	int rc;

	if (!cli_given_time(cli, "for", FOR_MAX_MS, FOR_MAX_MS, &for_ms))
		return CLI_USAGE;
	r.watcher = calloc(CLI_AGAIN_MAX + 1, sizeof *r.watcher);
	rc = r.watcher ? add_all(&r) : cli_fail(cli, MU_ENOMEM, NULL);
	if (rc == CLI_OK && file && strcmp(file, "-") != 0)
		rc = record_to_file(&r, file, for_ms);
	else if (rc == CLI_OK)
		rc = record(&r, for_ms);
	recording_fini(&r);
	return rc;
}
