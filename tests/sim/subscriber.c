#include "subscriber.h"

#include "sim.h"
#include "subs.h"

#include <inttypes.h>
#include <string.h>

#define TIMEOUT_MS 1000
#define TAIL_AT 32u /* in a change event: where the path begins */
#define SILENT_MS 1000u
#define AWAY_MAX_MS 800u
#define BEAT_MAX_MS 250u
#define ANOTHER 40u      /* permille of beats: it turns to something else */
#define OFTEN_ENOUGH 50u /* changes that the log has in any case */

static const struct {
	const char *path;
	int32_t mode;
} wishes[] = {
	{ "/", MU_SUBSCRIBE_SUBTREE },          { "/", MU_SUBSCRIBE_CHILDREN },
	{ "/a", MU_SUBSCRIBE_CHILDREN },        { "/a", MU_SUBSCRIBE_SUBTREE },
	{ "/a/x", MU_SUBSCRIBE_EXACT },         { "/b", MU_SUBSCRIBE_SUBTREE },
	{ "/members", MU_SUBSCRIBE_CHILDREN },  { "/e1", MU_SUBSCRIBE_EXACT },
	{ "/config/page", MU_SUBSCRIBE_EXACT },
};

static struct world *world(const struct subscriber *u)
{
	return &u->sim->world;
}

static struct history *history(const struct subscriber *u)
{
	return &u->sim->history;
}

/* Of the broker at the other end: what it sent may come when it is gone. */
static uint32_t boot_of(struct subscriber *u)
{
	return net_wire(u->sim, u->wire)->boot;
}

/* ---- sending ---- */

static void send_body(struct subscriber *u, const struct mu_buf *body)
{
	struct mu_buf b = { 0 };
	size_t begin = mu_frame_begin(&b);

	mu_buf_put(&b, body->data, body->len);
	mu_frame_end(&b, begin);
	net_send_up(u->sim, u->wire, b.data, b.len);
	mu_buf_fini(&b);
}

static void say_hello(struct subscriber *u)
{
	static const char password[16];
	struct mu_connect_request q = {
		.protocol = MU_PROTOCOL_ASK,
		.timeout_ms = TIMEOUT_MS,
		.password = { password, sizeof password },
		.has_read_only = true,
	};
	struct mu_buf b = { 0 };

	mu_put_connect_request(&b, &q);
	send_body(u, &b);
	mu_buf_fini(&b);
}

static void send_plain(struct subscriber *u, int32_t xid, int32_t op)
{
	struct mu_buf b = { 0 };

	mu_put_request_header(&b, xid, op);
	send_body(u, &b);
	mu_buf_fini(&b);
}

static void unsubscribe(struct subscriber *u, struct interest *in)
{
	struct mu_unsubscribe_request q = { in->id };
	struct mu_buf b = { 0 };

	if (!in->stands)
		return;
	in->stands = false;
	mu_put_request_header(&b, ++u->xid, MU_OP_UNSUBSCRIBE);
	mu_put_unsubscribe(&b, &q);
	send_body(u, &b);
	mu_buf_fini(&b);
}

static void ask(struct subscriber *u, int i)
{
	struct interest *in = &u->interests[i];
	struct mu_subscribe_request q = {
		.id = in->id = ++u->next_id,
		.path = history_path_text(history(u), in->path),
		.mode = in->mode,
		.zxid = in->zxid,
		.n = in->n,
	};
	struct mu_buf b = { 0 };

	u->asking = i;
	in->prev_zxid = in->zxid;
	in->prev_n = in->n;
	mu_put_request_header(&b, ++u->xid, MU_OP_SUBSCRIBE);
	mu_put_subscribe(&b, &q);
	send_body(u, &b);
	mu_buf_fini(&b);
}

/* One after the other, until all stand. */
static void ask_next(struct subscriber *u)
{
	for (int i = 0; u->asking < 0 && i < (int)SUBSCRIBER_INTERESTS; i++)
		if (!u->interests[i].stands)
			ask(u, i);
}

/* ---- lives ---- */

static void turn_to_something(struct subscriber *u, struct interest *in)
{
	uint32_t w = world_below(world(u), sizeof wishes / sizeof wishes[0]);

	in->path = history_path(history(u), mu_str_of(wishes[w].path));
	in->mode = wishes[w].mode;
	in->zxid = -1;
	in->n = 0;
}

static void start(void *arg, uint32_t a, uint32_t b)
{
	struct subscriber *u = arg;

	(void)a;
	(void)b;
	if (u->left || u->wire)
		return;
	u->up = false;
	u->asking = -1;
	u->heard_ms = world(u)->now_ms;
	for (uint32_t i = 0; i < SUBSCRIBER_INTERESTS; i++)
		u->interests[i].stands = false;
	u->wire = net_open(u->sim, u->number, ++u->life);
}

static void start_later(struct subscriber *u)
{
	u->wire = 0;
	world_at(world(u),
	         world(u)->now_ms + world_between(world(u), 1, AWAY_MAX_MS),
	         start, u, 0, 0);
}

static void let_go(struct subscriber *u)
{
	net_shut(u->sim, u->wire);
	start_later(u);
}

static void beat(void *arg, uint32_t a, uint32_t b)
{
	struct subscriber *u = arg;
	struct interest *in =
		&u->interests[world_below(world(u), SUBSCRIBER_INTERESTS)];

	(void)a;
	(void)b;
	if (u->left)
		return;
	world_at(world(u),
	         world(u)->now_ms + world_between(world(u), 50, BEAT_MAX_MS),
	         beat, u, 0, 0);
	if (!u->wire)
		return;
	if (world(u)->now_ms - u->heard_ms > SILENT_MS) {
		let_go(u);
		return;
	}
	if (!u->up)
		return;
	send_plain(u, MU_XID_PING, MU_OP_PING);
	if (u->asking >= 0 || u->sim->healed)
		return;
	if (world_chance(world(u), ANOTHER)) {
		unsubscribe(u, in);
		if (world_chance(world(u), 500))
			turn_to_something(u, in);
	}
	ask_next(u);
}

void subscriber_init(struct subscriber *u, struct sim *s, uint32_t number)
{
	memset(u, 0, sizeof *u);
	u->sim = s;
	u->number = number;
	for (uint32_t i = 0; i < SUBSCRIBER_INTERESTS; i++)
		turn_to_something(u, &u->interests[i]);
	start(u, 0, 0);
	beat(u, 0, 0);
}

/* ---- what it is told ---- */

static bool fits(const struct subscriber *u, const struct interest *in,
                 const struct change *c)
{
	return mu_sub_fits((enum mu_subscribe_mode)in->mode,
	                   history_path_text(history(u), in->path), c->type,
	                   history_path_text(history(u), c->path));
}

/* What is before (zxid, n) is past: none of it was left out. */
static void pass(struct subscriber *u, struct interest *in, int64_t zxid,
                 int32_t n)
{
	const struct history *h = history(u);

	for (; in->at < h->change_count; in->at++) {
		const struct change *c = &h->changes[in->at];

		if (c->zxid > zxid || (c->zxid == zxid && c->n >= n))
			return;
		if (fits(u, in, c))
			world_fail(world(u),
			           "subscriber %u was not told of change "
			           "(%" PRIx64 ", %d) of %s before (%" PRIx64
			           ", %d)",
			           u->number, (uint64_t)c->zxid, c->n,
			           h->paths[c->path - 1].text, (uint64_t)zxid,
			           n);
	}
}

static bool is_what_happened(const struct subscriber *u,
                             const struct interest *in,
                             const struct mu_change_event *e,
                             struct mu_str tail)
{
	const struct history *h = history(u);
	const struct change *c = &h->changes[in->at];

	return in->at < h->change_count && c->zxid == e->zxid && c->n == e->n &&
	       (int32_t)c->type == e->type && fits(u, in, c) &&
	       c->tail_len == tail.len &&
	       memcmp(c->tail, tail.at, tail.len) == 0;
}

static struct interest *interest_of(struct subscriber *u, int32_t id)
{
	for (uint32_t i = 0; i < SUBSCRIBER_INTERESTS; i++)
		if (u->interests[i].id == id &&
		    (u->interests[i].stands || u->asking == (int)i))
			return &u->interests[i];
	return NULL;
}

static void on_change(struct subscriber *u, struct mu_in body)
{
	const struct mu_in all = body;
	struct mu_change_event e;
	struct mu_str tail;
	struct interest *in;

	if (mu_get_change_event(&body, &e) || mu_in_left(&body) ||
	    e.id <= u->first_id || e.id > u->next_id) {
		world_fail(world(u),
		           "subscriber %u is told what it cannot read",
		           u->number);
		return;
	}
	in = interest_of(u, e.id);
	if (!in) /* it has just unsubscribed */
		return;
	world_trace(world(u), "subscriber %u: change (%" PRIx64 ", %d)",
	            u->number, (uint64_t)e.zxid, e.n);
	if (e.prev_zxid != in->prev_zxid || e.prev_n != in->prev_n)
		world_fail(
			world(u),
			"subscriber %u: (%" PRIx64 ", %d) is behind (%" PRIx64
			", %d), not (%" PRIx64 ", %d)",
			u->number, (uint64_t)e.zxid, e.n, (uint64_t)e.prev_zxid,
			e.prev_n, (uint64_t)in->prev_zxid, in->prev_n);
	pass(u, in, e.zxid, e.n);
	tail.at = (const char *)all.at + TAIL_AT;
	tail.len = (uint32_t)mu_in_left(&all) - TAIL_AT;
	if (!is_what_happened(u, in, &e, tail))
		world_fail(world(u),
		           "subscriber %u is told of change (%" PRIx64
		           ", %d), which is past, or was not so",
		           u->number, (uint64_t)e.zxid, e.n);
	in->at++;
	in->prev_zxid = in->zxid = e.zxid;
	in->prev_n = in->n = e.n;
	in->boot = boot_of(u);
	world(u)->counts.changes++;
}

static void check_gap(struct subscriber *u, const struct interest *in,
                      const struct mu_subscribe_reply *r)
{
	size_t missed = history_after(history(u), r->zxid) - in->at;

	world(u)->counts.gaps++;
	if (in->zxid < 0 || r->to != r->zxid ||
	    (r->from != in->zxid && r->from != 0))
		world_fail(world(u), "subscriber %u has a strange gap",
		           u->number);
	if (in->boot == boot_of(u) && missed < OFTEN_ENOUGH)
		world_fail(world(u),
		           "subscriber %u has a gap without need: it missed "
		           "%zu changes",
		           u->number, missed);
}

static void on_subscribed(struct subscriber *u, struct mu_in body)
{
	struct interest *in = &u->interests[u->asking];
	struct mu_subscribe_reply r;

	if (mu_get_subscribe_reply(&body, &r)) {
		world_fail(world(u), "subscriber %u: an answer is damaged",
		           u->number);
		return;
	}
	world_trace(world(u), "subscriber %u stands: %d at %" PRIx64, u->number,
	            r.state, (uint64_t)r.zxid);
	if (in->zxid < 0 || r.state == MU_SUBSCRIBED_GAP) {
		if (r.state == MU_SUBSCRIBED_GAP)
			check_gap(u, in, &r);
		in->at = history_after(history(u), r.zxid);
		in->prev_zxid = r.zxid;
		in->prev_n = r.n;
	} else {
		world(u)->counts.went_on++;
		if (in->boot != boot_of(u))
			world(u)->counts.went_on_anew++;
		pass(u, in, r.zxid, r.n);
	}
	in->stands = r.state != MU_SUBSCRIBED_MORE;
	in->zxid = r.zxid;
	in->n = r.n;
	in->boot = boot_of(u);
	u->asking = -1;
	ask_next(u);
}

/* Whatever is answered at a zxid: all up to it was told before. */
static void on_zxid(struct subscriber *u, int64_t zxid)
{
	for (uint32_t i = 0; i < SUBSCRIBER_INTERESTS; i++) {
		struct interest *in = &u->interests[i];

		if (!in->stands)
			continue;
		pass(u, in, zxid, MU_CHANGE_N_END);
		if (zxid > in->zxid) {
			in->zxid = zxid;
			in->n = MU_CHANGE_N_END;
		}
		in->boot = boot_of(u);
	}
}

static void on_reply(struct subscriber *u, struct mu_in rec)
{
	struct mu_reply_header h;

	if (mu_get_reply_header(&rec, &h)) {
		world_fail(world(u), "subscriber %u: no header", u->number);
		return;
	}
	if (h.xid == MU_XID_CHANGE) {
		on_change(u, rec);
		return;
	}
	if (h.err == MU_EEXPIRED) /* it was silent for too long */
		return;
	if (h.err)
		world_fail(world(u), "subscriber %u is answered %d", u->number,
		           h.err);
	on_zxid(u, h.zxid);
	if (h.xid == u->xid && u->asking >= 0)
		on_subscribed(u, rec);
}

static void on_welcome(struct subscriber *u, struct mu_in rec)
{
	struct mu_connect_response r;
	int rc = mu_get_connect_response(&rec, &r);

	/* No session while the journal takes none (proto.h); the end follows. */
	if (rc == 0 && (r.protocol == MU_ENOSPACE || r.protocol == MU_EIO))
		return;
	if (rc || r.protocol != MU_FEATURES) {
		world_fail(world(u), "subscriber %u is not welcome", u->number);
		return;
	}
	u->up = true;
	u->first_id = u->next_id;
	ask_next(u);
}

/* ---- from the wires ---- */

void subscriber_opened(struct subscriber *u, uint32_t wire)
{
	if (wire == u->wire)
		say_hello(u);
}

void subscriber_hear(struct subscriber *u, uint32_t wire, const void *p,
                     size_t len)
{
	struct mu_in in = mu_in_of(p, len);
	struct mu_str rec;

	if (wire != u->wire)
		return;
	if (len == 0) {
		subscriber_lost(u, wire);
		return;
	}
	u->heard_ms = world(u)->now_ms;
	while (mu_frame_next(&in, &rec) > 0)
		(u->up ? on_reply : on_welcome)(u, mu_in_of(rec.at, rec.len));
}

void subscriber_lost(struct subscriber *u, uint32_t wire)
{
	if (wire == u->wire)
		let_go(u);
}

/* ---- the end ---- */

void subscriber_check_end(struct subscriber *u, int64_t zxid)
{
	for (uint32_t i = 0; i < SUBSCRIBER_INTERESTS; i++) {
		struct interest *in = &u->interests[i];

		if (!in->stands)
			world_fail(world(u), "subscriber %u does not stand",
			           u->number);
		pass(u, in, zxid, MU_CHANGE_N_END);
	}
}

void subscriber_leave(struct subscriber *u)
{
	u->left = true;
	if (u->wire)
		send_plain(u, ++u->xid, MU_OP_CLOSE_SESSION);
}
