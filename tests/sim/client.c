#include "client.h"

#include "err.h"
#include "sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEAD_MAX_MS 1200u

static struct world *world(const struct client *c)
{
	return &c->sim->world;
}

static void wake(void *arg, uint32_t life, uint32_t b);

/* The link machine is called by the time it asked for. */
static void set_alarm(struct client *c)
{
	uint64_t by = c->link ? mu_link_deadline(c->link) : UINT64_MAX;

	if (by == UINT64_MAX || (c->wake_ms && c->wake_ms <= by))
		return;
	if (by < world(c)->now_ms)
		by = world(c)->now_ms;
	c->wake_ms = by;
	world_at(world(c), by, wake, c, c->life, 0);
}

static void wake(void *arg, uint32_t life, uint32_t b)
{
	struct client *c = arg;

	(void)b;
	if (life != c->life || !c->link)
		return;
	if (c->stalled_until_ms > world(c)->now_ms) {
		world_at(world(c), c->stalled_until_ms, wake, c, life, 0);
		return;
	}
	c->wake_ms = 0;
	mu_link_tick(c->link, world(c)->now_ms);
	client_turn(c);
}

/* ---- lives ---- */

static void start(void *arg, uint32_t come_back, uint32_t b)
{
	struct client *c = arg;
	struct mu_link_config config = {
		.hosts = world_between(world(c), 1, 3),
		.outstanding_max = CLIENT_ASKED_MAX,
		.packet_max = 65536,
		.seed = world_random(world(c)),
	};

	(void)b;
	c->timeout_ms = world_between(world(c), 500, 3000);
	config.timeout_ms = c->timeout_ms;
	if (come_back && c->kept_session) {
		config.session = c->kept_session;
		config.last_zxid = c->kept_zxid;
		memcpy(config.password, c->kept_password, 16);
	}
	if (mu_link_new(&config, world(c)->now_ms, &c->link))
		abort();
	c->life++;
	c->wake_ms = 0;
	c->heard_ms = world(c)->now_ms;
	c->done_count = c->ask_count;
	view_start(&c->view, config.session != 0);
	world_trace(world(c), "client %u starts, session %" PRIx64, c->number,
	            (uint64_t)config.session);
	client_turn(c);
}

void client_init(struct client *c, struct sim *s, uint32_t number)
{
	memset(c, 0, sizeof *c);
	c->sim = s;
	c->number = number;
	c->view.world = &s->world;
	c->view.history = &s->history;
	c->view.recorder = &s->recorder;
	c->view.client = number;
	start(c, false, 0);
	app_act(c, 0, 0);
}

void client_fini(struct client *c)
{
	mu_link_free(c->link);
	c->link = NULL;
}

void client_end(struct client *c, bool come_back)
{
	struct mu_link_info info;
	uint64_t next =
		world(c)->now_ms + world_between(world(c), 1, DEAD_MAX_MS);

	mu_link_info(c->link, &info);
	c->kept_session = info.session;
	c->kept_zxid = info.last_zxid;
	memcpy(c->kept_password, info.password, 16);
	mu_link_free(c->link);
	c->link = NULL;
	if (c->wire)
		net_shut(c->sim, c->wire);
	c->wire = 0;
	world_trace(world(c), "client %u is gone%s", c->number,
	            come_back ? ", and will come back" : "");
	if (!c->sim->closing)
		world_at(world(c), next, start, c, come_back, 0);
}

/* ---- what the link machine wants done ---- */

static void check_expired(struct client *c)
{
	struct mu_link_info info;
	const struct known_session *k;
	uint32_t timeout_ms;

	mu_link_info(c->link, &info);
	k = history_session(&c->sim->history, info.session);
	timeout_ms = info.timeout_ms ? info.timeout_ms : c->timeout_ms;
	if (k->alive && !k->ending &&
	    world(c)->now_ms - c->heard_ms < (uint64_t)timeout_ms * 4 / 3)
		world_fail(world(c),
		           "client %u gave session %" PRIx64 " up too early",
		           c->number, (uint64_t)info.session);
}

static void on_state(struct client *c, const struct mu_link_action *a)
{
	struct mu_link_info info;

	mu_link_info(c->link, &info);
	view_state(&c->view, a->state, a->rc, &info);
	if (a->state == MU_LINK_EXPIRED)
		check_expired(c);
}

static void on_done(struct client *c, const struct mu_link_action *a)
{
	const struct asked *q = &c->asked[c->done_count % CLIENT_ASKED_MAX];

	if (c->done_count == c->ask_count || q->cookie != a->cookie ||
	    q->op != a->op) {
		world_fail(world(c),
		           "client %u: request %" PRIu64
		           " is answered out of its turn, or twice",
		           c->number, a->cookie);
		return;
	}
	c->done_count++;
	view_reply(&c->view, q, a->rc, a->zxid, a->bytes, a->len);
}

static void act(struct client *c, const struct mu_link_action *a)
{
	switch (a->kind) {
	case MU_LA_OPEN:
		if (c->wire)
			world_fail(world(c), "client %u has two wires",
			           c->number);
		c->wire = net_open(c->sim, c->number, c->life);
		break;
	case MU_LA_SEND:
		net_send_up(c->sim, c->wire, a->bytes, a->len);
		break;
	case MU_LA_SHUT:
		net_shut(c->sim, c->wire);
		c->wire = 0;
		break;
	case MU_LA_STATE:
		on_state(c, a);
		break;
	case MU_LA_EVENT:
		view_event(&c->view, a->event, a->zxid, a->path);
		app_event(c, a->event, a->path);
		break;
	case MU_LA_DONE:
		on_done(c, a);
		break;
	case MU_LA_CHANGE: /* those who subscribe are in subscriber.c */
		world_fail(world(c), "client %u has not asked for changes",
		           c->number);
		break;
	}
}

void client_turn(struct client *c)
{
	struct mu_link_action a;
	enum mu_link_state state;

	while (mu_link_action(c->link, &a))
		act(c, &a);
	state = c->view.state;
	if (state == MU_LINK_EXPIRED || state == MU_LINK_CLOSED) {
		if (c->done_count != c->ask_count)
			world_fail(world(c),
			           "client %u: %" PRIu64
			           " requests are never answered",
			           c->number, c->ask_count - c->done_count);
		client_end(c, false);
		return;
	}
	set_alarm(c);
}

/* ---- from the wires ---- */

void client_opened(struct client *c, uint32_t wire)
{
	if (wire != c->wire)
		return;
	mu_link_on_open(c->link, world(c)->now_ms);
	client_turn(c);
}

void client_hear(struct client *c, uint32_t wire, const void *p, size_t len)
{
	if (wire != c->wire)
		return;
	if (len)
		c->heard_ms = world(c)->now_ms;
	mu_link_on_message(c->link, p, len, world(c)->now_ms);
	client_turn(c);
}

void client_lost(struct client *c, uint32_t wire)
{
	if (wire != c->wire)
		return;
	mu_link_on_lost(c->link, world(c)->now_ms);
	client_turn(c);
}

/* ---- asking ---- */

void client_ask(struct client *c, int32_t op, uint32_t path, int watch,
                const struct mu_buf *body)
{
	struct asked *q = &c->asked[c->ask_count % CLIENT_ASKED_MAX];
	const struct known_session *k =
		history_session(&c->sim->history, c->view.session);
	struct mu_link_watch w = { 0 };
	int rc;

	if (watch >= 0) {
		w.path = history_path_text(&c->sim->history, path);
		memcpy(&w.kind, &watch, sizeof watch);
	}
	rc = mu_link_request(c->link, op, body->data, body->len,
	                     watch < 0 ? NULL : &w, c->ask_count + 1,
	                     world(c)->now_ms);
	if (rc && rc != MU_EFULL && rc != MU_ECLOSED)
		world_fail(world(c), "client %u: a request is refused: %s",
		           c->number, mu_err_name(rc));
	if (rc)
		return;
	*q = (struct asked){
		.cookie = ++c->ask_count,
		.op = op,
		.path = path,
		.watch = watch,
		.after = k->logged_zxid,
		.losses = c->sim->history.losses,
		.recorded = record_ask(&c->sim->recorder, op, path, body->data,
		                       body->len),
	};
}

static void read_below(struct client *c, const struct mu_tree *t, mu_node_id id)
{
	struct mu_buf b = { 0 };
	uint32_t path;

	mu_tree_path(t, id, &b);
	path = history_path(
		&c->sim->history,
		(struct mu_str){ (const char *)b.data, (uint32_t)b.len });
	mu_buf_fini(&b);
	app_read(c, MU_OP_GET_DATA, path, false);
	app_read(c, MU_OP_GET_CHILDREN2, path, false);
	for (mu_node_id n = mu_tree_first(t, id); n; n = mu_tree_next(t, n))
		if (!mu_str_eq(mu_tree_name(t, n), MU_STR("zookeeper")))
			read_below(c, t, n);
}

void client_read_all(struct client *c)
{
	read_below(c, mu_store_tree(c->sim->broker.store), MU_NODE_ROOT);
	client_turn(c);
}
