/* view.c - see view.h. */
#include "view.h"

#include "cli.h"
#include "walk.h"

#include "json.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DIRTY_MAX 10000u   /* events kept one by one; beyond, all is read */
#define NEVER_MS 86400000u /* how long "never" waits for a broker */

struct top {
	char *path;
	unsigned depth;
	bool armed, read;
};

struct paths {
	char **at;
	size_t count, room;
};

struct view {
	struct cli *cli;
	bool follow, lost, changed;
	bool stale; /* all is to be read again */
	struct top *top;
	size_t tops;
	struct view_node *node; /* by path */
	size_t count, room;
	struct paths dirty; /* told by events, not read since */
};

int64_t view_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- lists of paths ---- */

static int paths_add(struct paths *p, const char *path)
{
	if (p->count == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		char **at = realloc(p->at, room * sizeof *at);

		if (!at)
			return MU_ENOMEM;
		p->at = at;
		p->room = room;
	}
	p->at[p->count] = strdup(path);
	return p->at[p->count] && ++p->count ? 0 : MU_ENOMEM;
}

static void paths_wipe(struct paths *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->at[i]);
	free(p->at);
	*p = (struct paths){ 0 };
}

/* ---- nodes ---- */

/* The place of the first node that is not before `path`. */
static size_t place_of(const struct view *v, const char *path)
{
	size_t low = 0, high = v->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(v->node[mid].path, path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct view_node *find(const struct view *v, const char *path)
{
	size_t i = place_of(v, path);

	return i < v->count && strcmp(v->node[i].path, path) == 0 ? &v->node[i]
	                                                          : NULL;
}

const struct view_node *view_find(const struct view *v, const char *path)
{
	return find(v, path);
}

const struct view_node *view_below(const struct view *v, const char *prefix,
                                   size_t *count)
{
	size_t from = place_of(v, prefix), to = from, len = strlen(prefix);

	while (to < v->count && strncmp(v->node[to].path, prefix, len) == 0)
		to++;
	*count = to - from;
	return v->node + from;
}

static struct view_node *node_make(struct view *v, const char *path)
{
	size_t i = place_of(v, path);
	char *copy;

	if (v->count == v->room) {
		size_t room = v->room ? v->room * 2 : 64;
		struct view_node *node = realloc(v->node, room * sizeof *node);

		if (!node)
			return NULL;
		v->node = node;
		v->room = room;
	}
	copy = strdup(path);
	if (!copy)
		return NULL;
	memmove(v->node + i + 1, v->node + i, (v->count - i) * sizeof *v->node);
	v->count++;
	v->node[i] = (struct view_node){ .path = copy };
	return &v->node[i];
}

static void node_fini(struct view_node *n)
{
	free(n->path);
	mu_json_free(n->json);
}

static void node_drop(struct view *v, const char *path)
{
	size_t i = place_of(v, path);

	if (i == v->count || strcmp(v->node[i].path, path) != 0)
		return;
	node_fini(&v->node[i]);
	v->count--;
	memmove(v->node + i, v->node + i + 1, (v->count - i) * sizeof *v->node);
}

static void nodes_wipe(struct view *v)
{
	for (size_t i = 0; i < v->count; i++)
		node_fini(&v->node[i]);
	v->count = 0;
}

static struct mu_json *object_of(const struct mu_value *value)
{
	struct mu_json *j = NULL;

	if (value->len <= 0 ||
	    mu_json_parse(value->data, (size_t)value->len, &j, NULL))
		return NULL;
	if (mu_json_is_object(j))
		return j;
	mu_json_free(j);
	return NULL;
}

static int node_put(struct view *v, const char *path,
                    const struct mu_value *value)
{
	struct view_node *n = find(v, path);

	if (!n)
		n = node_make(v, path);
	if (!n)
		return MU_ENOMEM;
	mu_json_free(n->json);
	n->json = object_of(value);
	n->stat = value->stat;
	n->there = true;
	return 0;
}

/* ---- tops ---- */

/* The top that covers the path; NULL: none. */
static struct top *top_of(const struct view *v, const char *path)
{
	for (size_t i = 0; i < v->tops; i++) {
		struct top *t = &v->top[i];
		unsigned levels = 0;

		if (strcmp(path, t->path) == 0)
			return t;
		if (!walk_is_below(path, t->path))
			continue;
		for (const char *p = path + strlen(t->path); *p; p++)
			levels += *p == '/';
		if (levels <= t->depth)
			return t;
	}
	return NULL;
}

bool view_covers(const struct view *v, const char *path)
{
	return top_of(v, path) != NULL;
}

int view_add(struct view *v, const char *path, unsigned depth)
{
	struct top *top;
	char *copy;

	for (size_t i = 0; i < v->tops; i++)
		if (v->top[i].depth == depth &&
		    strcmp(v->top[i].path, path) == 0)
			return 0;
	top = realloc(v->top, (v->tops + 1) * sizeof *top);
	if (!top)
		return MU_ENOMEM;
	v->top = top;
	copy = strdup(path);
	if (!copy)
		return MU_ENOMEM;
	v->top[v->tops++] = (struct top){ .path = copy, .depth = depth };
	return 0;
}

/* ---- reading ---- */

/* What became of one node. */
static int take(struct view *v, const char *path, int rc,
                const struct mu_value *value)
{
	static const struct mu_value secret = { .len = -1 };
	struct view_node *n;

	if (rc == 0)
		return node_put(v, path, value);
	if (rc == MU_ENOAUTH)
		return node_put(v, path, &secret);
	if (rc != MU_ENONODE)
		return rc;
	n = find(v, path);
	if (n && strcmp(top_of(v, path)->path, path) == 0)
		n->there = false;
	else
		node_drop(v, path);
	return 0;
}

static int fetch(struct view *v, const struct paths *p, bool stat_only)
{
	struct mu_value *value = calloc(p->count + 1, sizeof *value);
	int *rcs = calloc(p->count + 1, sizeof *rcs);
	int rc = value && rcs ? 0 : MU_ENOMEM;

	if (rc == 0)
		rc = cli_fetch(v->cli, p->at, p->count, stat_only, value, rcs);
	for (size_t i = 0; rc == 0 && i < p->count; i++)
		rc = take(v, p->at[i], rcs[i], &value[i]);
	for (size_t i = 0; value && i < p->count; i++)
		mu_value_free(&value[i]);
	free(value);
	free(rcs);
	return rc;
}

/* A list without the tops of which the Stat alone is wanted, which go to
 * `bare`. */
static int sort_out(const struct view *v, const struct paths *all,
                    struct paths *full, struct paths *bare)
{
	int rc = 0;

	for (size_t i = 0; i < all->count && rc == 0; i++) {
		const struct top *t = top_of(v, all->at[i]);

		if (t)
			rc = paths_add(t->depth ? full : bare, all->at[i]);
	}
	return rc;
}

static int fetch_all(struct view *v, const struct paths *all)
{
	struct paths full = { 0 }, bare = { 0 };
	int rc = sort_out(v, all, &full, &bare);

	if (rc == 0 && full.count)
		rc = fetch(v, &full, false);
	if (rc == 0 && bare.count)
		rc = fetch(v, &bare, true);
	paths_wipe(&full);
	paths_wipe(&bare);
	return rc;
}

static int list_top(struct view *v, const struct top *t, struct paths *out)
{
	struct walk w = { 0 };
	int rc;

	if (t->depth == 0)
		return paths_add(out, t->path);
	rc = walk_tree(v->cli, t->path, t->depth, &w);
	for (size_t i = 0; rc == 0 && i < w.count; i++)
		rc = paths_add(out, w.node[i].path);
	walk_free(&w);
	return rc == MU_ENONODE ? 0 : rc;
}

/* The watch first: what changes while it is read is told. */
static int read_top(struct view *v, struct top *t)
{
	struct paths all = { 0 };
	int rc = 0;

	if (!find(v, t->path) && !node_make(v, t->path))
		return MU_ENOMEM;
	if (v->follow && !t->armed)
		rc = mu_client_add_watch_sync(v->cli->client, t->path,
		                              t->depth ? MU_ADDWATCH_RECURSIVE
		                                       : MU_ADDWATCH_PERSISTENT,
		                              v->cli->timeout_ms, NULL);
	if (rc)
		return rc;
	t->armed = v->follow;
	rc = list_top(v, t, &all);
	if (rc == 0)
		rc = fetch_all(v, &all);
	paths_wipe(&all);
	t->read = rc == 0;
	return rc;
}

static int read_dirty(struct view *v)
{
	struct paths all = v->dirty;
	int rc;

	v->dirty = (struct paths){ 0 };
	rc = fetch_all(v, &all);
	paths_wipe(&all);
	return rc;
}

static void forget_all(struct view *v)
{
	nodes_wipe(v);
	paths_wipe(&v->dirty);
	for (size_t i = 0; i < v->tops; i++)
		v->top[i].read = false;
	v->stale = false;
}

int view_read(struct view *v)
{
	int rc = 0;

	do {
		if (v->stale)
			forget_all(v);
		for (size_t i = 0; i < v->tops && rc == 0; i++)
			if (!v->top[i].read)
				rc = read_top(v, &v->top[i]);
		if (rc == 0 && v->dirty.count)
			rc = read_dirty(v);
	} while (rc == 0 && (v->stale || v->dirty.count));
	v->changed = false;
	if (rc) {
		v->stale = true;
		/* It may be up again already: no other event tells of that. */
		v->changed = !v->lost;
	}
	return rc;
}

/* ---- events ---- */

static void on_event(struct cli *cli, const struct mu_watch_event *e)
{
	struct view *v = cli->arg;

	/* Children come and go with events of their own, but for a top's. */
	if (e->type == MU_WATCH_CHILDREN_CHANGED || !top_of(v, e->path))
		return;
	v->changed = true;
	if (v->dirty.count == DIRTY_MAX || paths_add(&v->dirty, e->path))
		v->stale = true;
}

static void on_state(struct cli *cli, enum mu_client_state state, int why)
{
	struct view *v = cli->arg;

	(void)why;
	if (state == MU_CLIENT_CONNECTED && v->lost)
		v->stale = true;
	v->lost = state != MU_CLIENT_CONNECTED;
	v->changed = true;
}

bool view_is_lost(const struct view *v)
{
	return v->lost;
}

static void listen(struct view *v)
{
	v->cli->arg = v;
	v->cli->on_event = on_event;
	v->cli->on_state = on_state;
}

int view_wait(struct view *v, int64_t until_ms)
{
	int rc = v->cli->client ? 0 : MU_EEXPIRED;

	while (rc == 0 && !v->changed) {
		struct pollfd p = { mu_client_fd(v->cli->client), POLLIN, 0 };
		int ms = mu_client_timeout_ms(v->cli->client);
		int64_t left = until_ms - view_clock_ms();

		if (until_ms >= 0 && left <= 0)
			return MU_ETIMEDOUT;
		if (until_ms >= 0 && left < ms)
			ms = (int)left;
		poll(&p, 1, ms);
		rc = mu_client_process(v->cli->client);
	}
	v->changed = false;
	return rc;
}

int view_restart(struct view *v, int64_t until_ms)
{
	const uint32_t timeout_ms = v->cli->timeout_ms;
	int64_t left = until_ms < 0 ? NEVER_MS : until_ms - view_clock_ms();
	int rc;

	mu_client_free(v->cli->client);
	v->cli->client = NULL;
	v->cli->timeout_ms = left > 1 ? (uint32_t)left : 1;
	rc = cli_connect(v->cli);
	v->cli->timeout_ms = timeout_ms;
	v->lost = false;
	v->stale = true;
	for (size_t i = 0; i < v->tops; i++)
		v->top[i].armed = false;
	return rc;
}

struct view *view_new(struct cli *cli, bool follow)
{
	struct view *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	v->cli = cli;
	v->follow = follow;
	if (follow)
		listen(v);
	return v;
}

void view_free(struct view *v)
{
	if (!v)
		return;
	v->cli->on_event = NULL;
	v->cli->on_state = NULL;
	nodes_wipe(v);
	free(v->node);
	for (size_t i = 0; i < v->tops; i++)
		free(v->top[i].path);
	free(v->top);
	paths_wipe(&v->dirty);
	free(v);
}
