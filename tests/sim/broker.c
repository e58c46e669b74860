#include "broker.h"

#include "err.h"
#include "invariant.h"
#include "plant.h"
#include "sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VERIFY_EVERY 2u /* turns */
#define PURGE_MAX_MS 50u
#define DOWN_MAX_MS 1500u

static struct world *world(const struct broker *b)
{
	return &b->sim->world;
}

static struct history *history(const struct broker *b)
{
	return &b->sim->history;
}

static struct mu_when when(struct broker *b)
{
	uint64_t now = world(b)->now_ms;

	b->told_ms = now;
	return (struct mu_when){ .mono_ms = now,
		                 .wall_ms = 1700000000000 + b->wall_ms +
		                            (int64_t)now };
}

/* ---- effects ---- */

/* The first thing that a broker says on a wire tells whose it is. */
static void note_attach(struct broker *b, uint32_t wire, const uint8_t *bytes,
                        size_t len)
{
	struct mu_in in = mu_in_of(bytes, len);
	struct mu_connect_response r;
	struct known_session *k;
	struct mu_in one;
	struct mu_str rec;

	net_wire(b->sim, wire)->broker_spoke = true;
	if (mu_frame_next(&in, &rec) <= 0)
		return;
	one = mu_in_of(rec.at, rec.len);
	if (mu_get_connect_response(&one, &r) || r.session == 0)
		return;
	k = history_session(history(b), r.session);
	net_wire(b->sim, wire)->session = r.session;
	if (!k->alive)
		world_fail(world(b),
		           "attached to session %" PRIx64
		           ", which is not there",
		           (uint64_t)r.session);
	k->timeout_ms = (uint32_t)r.timeout_ms;
	k->wire = wire;
	k->heard_ms = world(b)->now_ms;
	k->stalls_ms = history(b)->stalls_ms;
	k->broken = false;
}

static void gather(struct broker *b, uint32_t wire, const uint8_t *bytes,
                   size_t len)
{
	uint32_t i = 0;

	if (!net_wire(b->sim, wire)->broker_end)
		return;
	if (!net_wire(b->sim, wire)->broker_spoke)
		note_attach(b, wire, bytes, len);
	net_send_down(b->sim, wire, bytes, len);
	while (i < b->touched_count && b->touched[i] != wire)
		i++;
	if (i < b->touched_count)
		return;
	if (b->touched_count == BROKER_TOUCHED_MAX)
		net_flush(b->sim, b->touched[--b->touched_count]);
	b->touched[b->touched_count++] = wire;
}

static void note_logged(struct broker *b, const struct mu_effect *e)
{
	struct mu_command c;
	enum mu_close_cause cause;
	struct known_session *k;

	if (mu_get_command(e->bytes, e->len, &c)) {
		world_fail(world(b), "a logged command does not decode");
		return;
	}
	k = history_session(history(b), c.session);
	k->logged_zxid = c.zxid;
	if (c.type != MU_OP_CLOSE_SESSION ||
	    mu_get_close_session(&c.body, &cause))
		return;
	/* What its client asked to end, and the journal refused to end, may be
	 * taken for expired at once. */
	if (cause == MU_CAUSE_EXPIRED && !k->ending)
		check_expiry(world(b), k);
	k->ending = true;
}

static void close_wire(struct broker *b, const struct mu_effect *e)
{
	static const uint8_t never[MU_CLOSE_COUNT] = {
		[MU_CLOSE_AHEAD] = 1,      [MU_CLOSE_MALFORMED] = 1,
		[MU_CLOSE_UNKNOWN_OP] = 1, [MU_CLOSE_TOO_MANY] = 1,
		[MU_CLOSE_MEMORY] = 1,     [MU_CLOSE_FLOODED] = 1,
		[MU_CLOSE_ENTROPY] = 1,    [MU_CLOSE_AUTH] = 1,
		[MU_CLOSE_TOLD] = 1,
	};

	world_trace(world(b), "broker closes wire %u: %s", e->link,
	            mu_close_word(e->reason));
	if (never[e->reason])
		world_fail(world(b), "the broker closed a wire: %s",
		           mu_close_word(e->reason));
	net_end(b->sim, e->link);
}

static void carry_out(struct broker *b, const struct mu_effect *e)
{
	switch (e->kind) {
	case MU_FX_SEND:
		gather(b, e->link, e->bytes, e->len);
		break;
	case MU_FX_FANOUT:
		for (size_t i = 0; i < e->link_count; i++)
			gather(b, e->links[i], e->bytes, e->len);
		break;
	case MU_FX_CLOSE:
		close_wire(b, e);
		break;
	case MU_FX_LOG:
		note_logged(b, e);
		storage_append(&b->storage, e->index, e->bytes, e->len);
		break;
	}
}

static void turn(struct broker *b);

/* ---- the journal ---- */

static void go_down(struct broker *b, enum broker_end end, bool in_call);

/* What was logged and is not durable may never have been. */
static void forget_logged(struct broker *b)
{
	struct history *h = history(b);

	h->losses++;
	for (size_t i = 0; i < h->known_count; i++)
		h->known[i].logged_zxid = 0;
}

static enum broker_end some_end(struct broker *b)
{
	return world_chance(world(b), 500) ? BROKER_POWERLESS : BROKER_KILLED;
}

/* The disk took no more: what it took is applied, the rest refused. */
static void refuse(struct broker *b, int rc, const struct mu_err *err)
{
	world_trace(world(b), "refused: %s", err->msg);
	world(b)->counts.refused++;
	forget_logged(b);
	mu_store_refused(b->store, rc);
}

static void synced(void *arg, uint32_t boot, uint32_t batch)
{
	struct broker *b = arg;
	struct mu_err err;
	int rc;

	if (boot != b->boot || !b->storage.busy || batch != b->storage.number)
		return;
	if (b->stalled_until_ms > world(b)->now_ms) {
		world_at(world(b), b->stalled_until_ms, synced, b, boot, batch);
		return;
	}
	rc = storage_write(&b->storage, b->told_ms, &err);
	if (b->storage.platter.dead) {
		go_down(b, some_end(b), false);
		return;
	}
	if (mu_store_durable(b->store, b->storage.durable))
		world_fail(world(b), "the store could not apply");
	if (rc == MU_EDATA) {
		world_trace(world(b), "broker stops: %s", err.msg);
		go_down(b, BROKER_KILLED, false);
		return;
	}
	if (rc)
		refuse(b, rc, &err);
	turn(b);
}

static void sync_start(struct broker *b)
{
	uint32_t number = storage_begin(&b->storage);

	if (number)
		world_at(world(b),
		         world(b)->now_ms +
		                 world_between(world(b), 0,
		                               b->sim->journal_max_ms),
		         synced, b, b->boot, number);
}

/* ---- snapshots ---- */

static void purge(void *arg, uint32_t boot, uint32_t unused)
{
	struct broker *b = arg;
	struct mu_err err;
	int rc;

	(void)unused;
	if (boot != b->boot)
		return;
	rc = storage_purge(&b->storage, &err);
	if (b->storage.platter.dead)
		go_down(b, some_end(b), false);
	else if (rc)
		world_trace(world(b), "no purge: %s", err.msg);
}

void broker_snapshot(struct broker *b)
{
	struct mu_err err;
	int rc;

	if (!broker_is_up(b) || b->stalled_until_ms > world(b)->now_ms)
		return;
	rc = storage_snapshot(&b->storage, b->store, &b->config, &err);
	world_trace(world(b), "snapshot of command %" PRIu64 ": %s",
	            mu_store_index(b->store), rc ? err.msg : "good");
	if (b->storage.platter.dead) {
		go_down(b, some_end(b), false);
		return;
	}
	world(b)->counts.snapshots += rc == 0;
	if (rc == 0)
		world_at(world(b),
		         world(b)->now_ms + world_below(world(b), PURGE_MAX_MS),
		         purge, b, b->boot, 0);
}

/* ---- a turn of its loop ---- */

static void look(struct broker *b)
{
	struct mu_store_stats stats;

	mu_store_stats(b->store, &stats);
	if (stats.zxid < b->zxid)
		world_fail(world(b),
		           "the store's zxid fell from %" PRIx64 " to %" PRIx64,
		           (uint64_t)b->zxid, (uint64_t)stats.zxid);
	b->zxid = stats.zxid;
	if (++b->turns % VERIFY_EVERY == 0) {
		mu_store_verify(b->store);
		history_compare(history(b), mu_store_tree(b->store));
	}
}

static void turn(struct broker *b)
{
	struct mu_effect e;

	while (mu_store_effect(b->store, &e))
		carry_out(b, &e);
	while (b->touched_count)
		net_flush(b->sim, b->touched[--b->touched_count]);
	sync_start(b);
	look(b);
}

static void tick(void *arg, uint32_t boot, uint32_t unused)
{
	struct broker *b = arg;
	uint64_t now = world(b)->now_ms;

	(void)unused;
	if (boot != b->boot)
		return;
	if (b->stalled_until_ms > now) {
		world_at(world(b), b->stalled_until_ms, tick, b, boot, 0);
		return;
	}
	world_at(world(b), now + BROKER_TICK_MS, tick, b, boot, 0);
	if (b->sim->knobs.plant != SIM_PLANT_NO_TICK)
		mu_store_tick(b->store, when(b));
	turn(b);
	check_overdue(world(b), history(b));
}

/* ---- what the wires bring ---- */

void broker_arrived(struct broker *b, uint32_t wire)
{
	const struct wire *w = net_wire(b->sim, wire);

	if (broker_is_up(b) && w->session && w->broker_end)
		check_arrival(world(b), history_session(history(b), w->session),
		              wire);
}

static void hand_in(struct broker *b, uint32_t wire, const void *message,
                    size_t len)
{
	struct mu_in in = mu_in_of(message, len);
	struct wire *w = net_wire(b->sim, wire);
	uint8_t dice[256];
	struct mu_str rec;

	while (mu_frame_next(&in, &rec) > 0 && w->broker_end) {
		size_t wanted = mu_store_entropy_wanted(b->store);
		struct known_session *k;

		for (size_t i = 0; i < wanted; i++)
			dice[i] = (uint8_t)world_random(world(b));
		if (wanted)
			mu_store_entropy(b->store, dice, wanted);
		mu_store_receive(b->store, wire, rec.at, rec.len, when(b));
		k = w->session ? history_session(history(b), w->session) : NULL;
		if (k && k->wire == wire)
			check_heard(world(b), history(b), k);
		if (world_chance(world(b), 300))
			turn(b);
	}
}

void broker_hear(struct broker *b, uint32_t wire, const void *message,
                 size_t len)
{
	struct wire *w = net_wire(b->sim, wire);

	if (!broker_is_up(b) || plant_deafens(b->sim, w->client))
		return;
	if (len == 0) {
		world_trace(world(b), "wire %u: goodbye from its client", wire);
		w->broker_end = false;
		broker_lost(b, wire);
		return;
	}
	if (!w->broker_open) {
		w->broker_open = true;
		if (mu_store_link_open(b->store, wire, "sim", when(b)))
			world_fail(world(b), "a link was not taken in");
	}
	hand_in(b, wire, message, len);
	turn(b);
}

void broker_lost(struct broker *b, uint32_t wire)
{
	if (!broker_is_up(b))
		return;
	mu_store_link_lost(b->store, wire);
	turn(b);
}

/* ---- starts and ends ---- */

bool broker_is_up(const struct broker *b)
{
	return b->store != NULL;
}

/* After a restart every session has a full timeout again. */
static void sessions_start_anew(struct broker *b)
{
	struct history *h = history(b);

	for (size_t i = 0; i < h->known_count; i++) {
		h->known[i].heard_ms = b->told_ms;
		h->known[i].stalls_ms = history(b)->stalls_ms;
		h->known[i].timeout_ms = h->known[i].made_ms;
		h->known[i].wire = 0;
		h->known[i].broken = true;
	}
}

static void configure(struct broker *b)
{
	b->config = (struct mu_store_config){
		.tick_ms = BROKER_TICK_MS,
		.session_timeout_min_ms = 300,
		.session_timeout_max_ms = 4000,
		.handshake_timeout_ms = 1000,
		.packet_max = 65536,
		.reply_max = 1048576,
		.outstanding_max = 1000,
		.sessions_max = 10000,
		.links_max = 10000,
		.watches_max = 100000,
		.subscriptions_per_link_max = 3,
		.change_log_max = 200,
		.change_log_bytes = 1024u * 1024,
		.tree_id = b->tree_id,
	};
	for (size_t i = 0; i < sizeof b->config.hash_key; i++)
		b->config.hash_key[i] = (uint8_t)world_random(world(b));
}

static void start(void *arg, uint32_t end, uint32_t again);

/* The disk let it down again. */
static void start_later(struct broker *b, bool again)
{
	world_at(world(b),
	         world(b)->now_ms + world_between(world(b), 10, DOWN_MAX_MS),
	         start, b, BROKER_KILLED, again);
}

/* A disk that is ill or dies while the broker starts is met again. */
static bool could_open(struct broker *b, uint32_t epoch, bool again)
{
	struct mu_store_config c = b->config;
	struct platter *d = &b->storage.platter;
	struct mu_err err = { 0 };
	int rc;

	c.epoch = epoch;
	if (again && !b->sim->healed && world_chance(world(b), 100))
		d->dies_at = d->calls + world_between(world(b), 1, 60);
	rc = storage_open(&b->storage, &c, when(b), &b->store, &err);
	if (rc == 0 && !d->dead)
		return true;
	if (!d->dead && !d->full && !d->broken && !d->sync_failed)
		world_fail(world(b), "the broker does not start: %s", err.msg);
	world_trace(world(b), "broker does not start: %s",
	            d->dead ? "it dies" : err.msg);
	mu_store_free(b->store);
	b->store = NULL;
	storage_crash(&b->storage, some_end(b) == BROKER_POWERLESS, false);
	start_later(b, true);
	return false;
}

static void start(void *arg, uint32_t end, uint32_t again)
{
	struct broker *b = arg;
	bool wiped = end == BROKER_WIPED;

	b->epoch++;
	if (wiped)
		b->tree_id = (int64_t)world_random(world(b));
	configure(b);
	b->zxid = (int64_t)b->epoch << 32;
	if (wiped) {
		history_restart(history(b), b->zxid);
		linear_reset(&b->sim->recorder.linear, b->zxid);
	}
	if (!could_open(b, b->epoch, again))
		return;
	b->boot++;
	sessions_start_anew(b);
	world(b)->counts.returned += b->storage.returned;
	world_trace(world(b),
	            "broker starts, epoch %u, %" PRIu64 " commands, %" PRIu64
	            " of them nobody was told of",
	            b->epoch, b->storage.durable, b->storage.returned);
	history_compare(history(b), mu_store_tree(b->store));
	tick(b, b->boot, 0);
}

void broker_init(struct broker *b, struct sim *s)
{
	memset(b, 0, sizeof *b);
	b->sim = s;
	storage_init(&b->storage, &s->history);
	b->storage.platter.ignores_syncs =
		s->knobs.plant == SIM_PLANT_LOSE_WRITES;
	start(b, BROKER_WIPED, 0);
}

void broker_fini(struct broker *b)
{
	mu_store_free(b->store);
	b->store = NULL;
	storage_fini(&b->storage);
}

/* ---- faults ---- */

void broker_stall(struct broker *b, uint32_t ms)
{
	uint64_t until = world(b)->now_ms + ms;

	if (!broker_is_up(b) || until <= b->stalled_until_ms)
		return;
	history(b)->stalls_ms += ms;
	b->stalled_until_ms = until;
	world(b)->counts.stalls++;
}

static void go_down(struct broker *b, enum broker_end end, bool in_call)
{
	uint32_t down_ms = world_between(world(b), 10, DOWN_MAX_MS);

	world(b)->counts.crashes++;
	mu_store_free(b->store);
	b->store = NULL;
	b->boot++;
	b->stalled_until_ms = 0;
	b->touched_count = 0;
	b->wall_ms += (int64_t)world_below(world(b), 2000) - 1000;
	forget_logged(b);
	storage_crash(&b->storage, end != BROKER_KILLED, in_call);
	if (end == BROKER_WIPED)
		storage_wipe(&b->storage);
	world_trace(world(b), "broker is down%s",
	            end == BROKER_POWERLESS ? ", without power" : "");
	net_cut_all(b->sim);
	world_at(world(b), world(b)->now_ms + down_ms, start, b, end, true);
}

void broker_crash(struct broker *b, enum broker_end end)
{
	if (broker_is_up(b))
		go_down(b, end, world_chance(world(b), 700));
}

void broker_doom(struct broker *b)
{
	struct platter *d = &b->storage.platter;

	if (broker_is_up(b))
		d->dies_at = d->calls + world_between(world(b), 1, 30);
}

void broker_disk_ill(struct broker *b, bool full)
{
	b->storage.platter.full = full;
	b->storage.platter.broken = !full;
}

void broker_disk_well(struct broker *b)
{
	b->storage.platter.full = b->storage.platter.broken = false;
	b->storage.platter.sync_fails = false;
	b->storage.platter.dies_at = 0;
}

void broker_disk_lies(struct broker *b)
{
	b->storage.platter.sync_fails = true;
}
