/* What an application asks for, at random. */
#include "client.h"

#include "sim.h"

#include <string.h>

#define NODES_MAX 70u /* sequential nodes are not made beyond */
#define OWN_LEN 5u    /* letters that make a value like no other */
#define RECENT 60u    /* paths that are picked from, besides the fixed ones */

static const char *const fixed[] = {
	"/a",     "/b",     "/a/x",     "/a/y",    "/b/x",
	"/a/x/1", "/a/x/2", "/members", "/config", "/config/page",
	"/e1",    "/e2",    "/a/x/1/z", "/b/x/e",  "/members/host",
};

static struct world *world(const struct client *c)
{
	return &c->sim->world;
}

static uint32_t some_path(struct client *c)
{
	struct history *h = &c->sim->history;
	uint32_t recent = h->path_count < RECENT ? h->path_count : RECENT;
	size_t count = sizeof fixed / sizeof fixed[0];

	if (world_chance(world(c), 20))
		return history_path(h, MU_STR("/"));
	if (recent && world_chance(world(c), 250))
		return h->path_count - world_below(world(c), recent);
	return history_path(
		h, mu_str_of(fixed[world_below(world(c), (uint32_t)count)]));
}

static struct mu_str text(const struct client *c, uint32_t path)
{
	return history_path_text(&c->sim->history, path);
}

/* ---- records ---- */

static struct mu_str some_data(struct client *c, char *room, uint32_t max)
{
	uint32_t len = world_below(world(c), max), n = ++c->sim->values;

	if (world_chance(world(c), 50))
		return (struct mu_str){ NULL, 0 };
	if (world_chance(world(c), 30))
		return (struct mu_str){ room, 0 };
	for (uint32_t i = 0; i < len; i++)
		room[i] = (char)('a' + world_below(world(c), 26));
	/* No value is written twice (linear.h). */
	for (uint32_t i = 0; i < OWN_LEN; i++, n /= 26)
		room[i] = (char)('a' + n % 26);
	return (struct mu_str){ room, len < OWN_LEN ? OWN_LEN : len };
}

static int32_t some_version(struct client *c)
{
	return world_chance(world(c), 700) ? -1
	                                   : (int32_t)world_below(world(c), 4);
}

static void put_create(struct client *c, struct mu_buf *b, int32_t op,
                       uint32_t path)
{
	struct mu_create_request q = { .path = text(c, path),
		                       .acl = mu_acl_open(),
		                       .mode = (int32_t)world_below(world(c),
		                                                    4) };
	char data[24], name[300];

	if (world_chance(world(c), 500))
		q.mode = MU_MODE_PERSISTENT;
	if (mu_tree_count(c->sim->history.tree) > NODES_MAX)
		q.mode &= 1;
	if (mu_mode_is_sequential(q.mode) && q.path.len < 200) {
		memcpy(name, q.path.at, q.path.len);
		memcpy(name + q.path.len, "/q", 2);
		q.path = (struct mu_str){ name, q.path.len + 2 };
		if (name[1] == '/') /* "//q" */
			q.path = MU_STR("/q");
	}
	q.data = some_data(c, data, sizeof data);
	mu_put_create(b, op, &q);
}

static void put_delete(struct client *c, struct mu_buf *b, uint32_t path)
{
	struct mu_delete_request q = { text(c, path), some_version(c) };

	mu_put_delete(b, &q);
}

static void put_set(struct client *c, struct mu_buf *b, uint32_t path)
{
	char data[24];
	struct mu_set_data_request q = { text(c, path),
		                         some_data(c, data, sizeof data),
		                         some_version(c) };

	mu_put_set_data(b, &q);
}

static void put_check(struct client *c, struct mu_buf *b, uint32_t path)
{
	struct mu_check_request q = { text(c, path), some_version(c) };

	mu_put_check(b, &q);
}

/* ---- acts ---- */

static void do_create(struct client *c, struct mu_buf *b)
{
	uint32_t path = some_path(c);
	int32_t op = world_chance(world(c), 500) ? MU_OP_CREATE : MU_OP_CREATE2;

	put_create(c, b, op, path);
	client_ask(c, op, 0, -1, b);
}

static void do_delete(struct client *c, struct mu_buf *b)
{
	uint32_t path = some_path(c);

	put_delete(c, b, path);
	client_ask(c, MU_OP_DELETE, path, -1, b);
}

static void do_set(struct client *c, struct mu_buf *b)
{
	uint32_t path = some_path(c);

	put_set(c, b, path);
	client_ask(c, MU_OP_SET_DATA, path, -1, b);
}

static void do_multi(struct client *c, struct mu_buf *b)
{
	uint32_t count = world_below(world(c), 5);

	for (uint32_t i = 0; i < count; i++) {
		static const int32_t ops[] = { MU_OP_CREATE, MU_OP_CREATE2,
			                       MU_OP_DELETE, MU_OP_SET_DATA,
			                       MU_OP_CHECK };
		int32_t op = ops[world_below(world(c), 5)];
		uint32_t path = some_path(c);

		mu_put_multi_header(b, op, false, -1);
		if (op == MU_OP_DELETE)
			put_delete(c, b, path);
		else if (op == MU_OP_SET_DATA)
			put_set(c, b, path);
		else if (op == MU_OP_CHECK)
			put_check(c, b, path);
		else
			put_create(c, b, op, path);
	}
	mu_put_multi_header(b, MU_OP_ERROR, true, -1);
	client_ask(c, MU_OP_MULTI, 0, -1, b);
}

void app_read(struct client *c, int32_t op, uint32_t path, bool watch)
{
	struct mu_path_watch_request q = { text(c, path), watch };
	struct mu_buf b = { 0 };
	int kind = MU_LW_CHILD;

	if (op == MU_OP_GET_DATA)
		kind = MU_LW_DATA;
	if (op == MU_OP_EXISTS)
		kind = MU_LW_EXIST;
	mu_put_path_watch(&b, &q);
	client_ask(c, op, path, watch ? kind : -1, &b);
	mu_buf_fini(&b);
}

void app_event(struct client *c, int32_t type, struct mu_str path)
{
	uint32_t number = history_path(&c->sim->history, path);

	if (c->sim->healed || !world_chance(world(c), 600))
		return;
	if (type == MU_NODE_CHILDREN_CHANGED)
		app_read(c, MU_OP_GET_CHILDREN, number, true);
	else
		app_read(c,
		         type == MU_NODE_DELETED ? MU_OP_EXISTS
		                                 : MU_OP_GET_DATA,
		         number, true);
}

static void do_read(struct client *c, struct mu_buf *b)
{
	static const int32_t ops[] = { MU_OP_GET_DATA, MU_OP_EXISTS,
		                       MU_OP_GET_CHILDREN,
		                       MU_OP_GET_CHILDREN2 };

	(void)b;
	app_read(c, ops[world_below(world(c), 4)], some_path(c),
	         world_chance(world(c), 600));
}

static void do_sync(struct client *c, struct mu_buf *b)
{
	struct mu_sync_request q = { text(c, some_path(c)) };

	mu_put_sync(b, &q);
	client_ask(c, MU_OP_SYNC, 0, -1, b);
}

static void do_add_watch(struct client *c, struct mu_buf *b)
{
	uint32_t path = some_path(c);
	struct mu_add_watch_request q = { text(c, path),
		                          (int32_t)world_below(world(c), 2) };

	mu_put_add_watch(b, &q);
	client_ask(c, MU_OP_ADD_WATCH, path,
	           q.mode ? MU_LW_RECURSIVE : MU_LW_PERSISTENT, b);
}

static void do_unwatch(struct client *c, struct mu_buf *b)
{
	struct view *v = &c->view;
	struct view_watch w;
	int kind = (int)world_below(world(c), 5);

	(void)b;
	if (v->state != MU_LINK_CONNECTED || !v->book_count)
		return;
	w = v->book[world_below(world(c), (uint32_t)v->book_count)];
	mu_link_unwatch(c->link, text(c, w.path), kind);
	view_unwatch(v, w.path, kind);
}

static void do_burst(struct client *c, struct mu_buf *b)
{
	for (uint32_t i = world_below(world(c), 12); i; i--) {
		mu_buf_reset(b);
		(world_chance(world(c), 500) ? do_set : do_read)(c, b);
	}
}

static void do_close(struct client *c, struct mu_buf *b)
{
	(void)b;
	mu_link_close(c->link, world(c)->now_ms);
}

static void do_die(struct client *c, struct mu_buf *b)
{
	(void)b;
	client_end(c, false);
}

static void do_come_back(struct client *c, struct mu_buf *b)
{
	(void)b;
	client_end(c, true);
}

static const struct {
	uint32_t weight;
	void (*act)(struct client *c, struct mu_buf *b);
} acts[] = {
	{ 240, do_create },   { 50, do_delete },  { 160, do_set },
	{ 300, do_read },     { 70, do_multi },   { 30, do_sync },
	{ 30, do_add_watch }, { 15, do_unwatch }, { 40, do_burst },
	{ 2, do_close },      { 1, do_die },      { 3, do_come_back },
};

static void do_something(struct client *c)
{
	struct mu_buf b = { 0 };
	uint32_t total = 0, at, i = 0;

	for (size_t k = 0; k < sizeof acts / sizeof acts[0]; k++)
		total += acts[k].weight;
	at = world_below(world(c), total);
	while (at >= acts[i].weight)
		at -= acts[i++].weight;
	acts[i].act(c, &b);
	mu_buf_fini(&b);
	if (c->link)
		client_turn(c);
}

void app_act(void *client, uint32_t a, uint32_t b)
{
	struct client *c = client;
	uint32_t pause = c->sim->knobs.pause_max_ms;

	(void)a;
	(void)b;
	if (c->sim->healed)
		return;
	world_at(world(c), world(c)->now_ms + world_between(world(c), 1, pause),
	         app_act, c, 0, 0);
	if (c->link && c->stalled_until_ms <= world(c)->now_ms)
		do_something(c);
}
