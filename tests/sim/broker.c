#include "broker.h"

#include "err.h"
#include "invariant.h"
#include "plant.h"
#include "sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VERIFY_EVERY 2u /* turns */
#define PLANT_LOST_WRITES 5u
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
		journal_append(&b->journal, world(b), e->index, e->bytes,
		               e->len);
		break;
	}
}

static void turn(struct broker *b);

/* ---- the journal ---- */

static void synced(void *arg, uint32_t boot, uint32_t batch)
{
	struct broker *b = arg;
	uint64_t upto = b->journal.syncing;

	if (boot != b->boot || !upto || batch != b->journal.batch)
		return;
	if (b->stalled_until_ms > world(b)->now_ms) {
		world_at(world(b), b->stalled_until_ms, synced, b, boot, batch);
		return;
	}
	for (uint64_t i = b->journal.durable; i < upto; i++)
		history_apply(history(b), b->journal.entries[i].bytes,
		              b->journal.entries[i].len, b->told_ms);
	b->journal.durable = upto;
	b->journal.syncing = 0;
	if (mu_store_durable(b->store, upto))
		world_fail(world(b), "the store could not apply");
	turn(b);
}

static void sync_start(struct broker *b)
{
	struct journal *j = &b->journal;

	if (j->syncing || j->durable == j->count)
		return;
	j->syncing = j->count;
	world_at(world(b),
	         world(b)->now_ms +
	                 world_between(world(b), 0, b->sim->journal_max_ms),
	         synced, b, b->boot, ++j->batch);
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

/* What was logged and is not durable may never have been. */
static void forget_logged(struct broker *b)
{
	struct history *h = history(b);

	h->losses++;
	for (size_t i = 0; i < h->known_count; i++)
		h->known[i].logged_zxid = 0;
}

bool broker_is_up(const struct broker *b)
{
	return b->store != NULL;
}

static void replay(struct broker *b)
{
	struct journal *j = &b->journal;

	for (size_t i = 0; i < j->count; i++) {
		int err = mu_store_replay(b->store, j->entries[i].bytes,
		                          j->entries[i].len);

		if (err)
			world_fail(world(b), "command %zu is not replayed: %s",
			           i + 1, mu_err_name(err));
		if (i >= j->durable) /* durable, and nobody was told */
			history_apply(history(b), j->entries[i].bytes,
			              j->entries[i].len, b->told_ms);
	}
	j->durable = j->count;
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

static void start(void *arg, uint32_t keep, uint32_t unused)
{
	struct broker *b = arg;
	struct mu_store_config config = {
		.epoch = ++b->epoch,
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
	};
	struct mu_err err;

	(void)unused;
	for (size_t i = 0; i < sizeof config.hash_key; i++)
		config.hash_key[i] = (uint8_t)world_random(world(b));
	if (!keep)
		b->tree_id = (int64_t)world_random(world(b));
	config.tree_id = b->tree_id;
	if (mu_store_new(&config, when(b), &b->store, &err)) {
		world_fail(world(b), "no store: %s", err.msg);
		return;
	}
	b->boot++;
	b->zxid = (int64_t)b->epoch << 32;
	if (!keep)
		history_restart(history(b), b->zxid);
	replay(b);
	sessions_start_anew(b);
	world_trace(world(b), "broker starts, epoch %u, %zu commands", b->epoch,
	            b->journal.count);
	history_compare(history(b), mu_store_tree(b->store));
	tick(b, b->boot, 0);
}

void broker_init(struct broker *b, struct sim *s)
{
	memset(b, 0, sizeof *b);
	b->sim = s;
	start(b, 0, 0);
}

void broker_fini(struct broker *b)
{
	mu_store_free(b->store);
	b->store = NULL;
	journal_fini(&b->journal);
}

void broker_stall(struct broker *b, uint32_t ms)
{
	uint64_t until = world(b)->now_ms + ms;

	if (!broker_is_up(b) || until <= b->stalled_until_ms)
		return;
	history(b)->stalls_ms += ms;
	b->stalled_until_ms = until;
	world(b)->counts.stalls++;
}

void broker_refuse(struct broker *b)
{
	if (!broker_is_up(b) || b->stalled_until_ms > world(b)->now_ms)
		return;
	world(b)->counts.refused++;
	forget_logged(b);
	journal_cut(&b->journal, b->journal.durable);
	mu_store_refused(b->store);
	turn(b);
}

/* What a crash leaves: all that was said to be durable, and some of what was on
 * its way to the disk. */
static void crash_journal(struct broker *b, bool keep)
{
	struct journal *j = &b->journal;
	uint64_t left = j->durable;

	if (!keep) {
		journal_cut(j, 0);
		return;
	}
	left += world_below(world(b), (uint32_t)(j->count - left) + 1);
	if (b->sim->knobs.plant == SIM_PLANT_LOSE_WRITES &&
	    left > PLANT_LOST_WRITES)
		left = j->durable - PLANT_LOST_WRITES;
	journal_cut(j, left);
}

void broker_crash(struct broker *b, bool keep)
{
	uint32_t down_ms = world_between(world(b), 10, DOWN_MAX_MS);

	if (!broker_is_up(b))
		return;
	world(b)->counts.crashes++;
	mu_store_free(b->store);
	b->store = NULL;
	b->boot++;
	b->stalled_until_ms = 0;
	b->touched_count = 0;
	b->wall_ms += (int64_t)world_below(world(b), 2000) - 1000;
	forget_logged(b);
	crash_journal(b, keep);
	net_cut_all(b->sim);
	world_at(world(b), world(b)->now_ms + down_ms, start, b, keep, 0);
}
