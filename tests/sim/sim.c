#include "sim.h"

#include <inttypes.h>
#include <string.h>

#define JOURNAL_MAX_MS 3u
#define SLOW_JOURNAL_MAX_MS 200u
#define SLOW_NET_MAX_MS 200u
#define SETTLE_MS 9000u /* longer than any session's timeout and a round */
#define READ_MS 500u

struct sim *sim_running;

static const char *const fault_words[] = {
#define FAULT_WORD(name, word) [name] = word,
	SIM_FAULT_MAP(FAULT_WORD)
#undef FAULT_WORD
};

/* ---- faults ---- */

/* Some wire that is open now; 0: none. */
static uint32_t some_wire(struct sim *s)
{
	uint32_t i = world_below(&s->world, s->knobs.clients + SIM_SUBSCRIBERS);

	return i < s->knobs.clients ? s->clients[i].wire
	                            : s->subscribers[i - s->knobs.clients].wire;
}

static void join_again(void *arg, uint32_t client, uint32_t b)
{
	struct sim *s = arg;

	(void)b;
	s->net.isolated[client] = false;
}

static void isolate(struct sim *s)
{
	uint32_t client =
		world_below(&s->world, s->knobs.clients + SIM_SUBSCRIBERS);
	uint32_t wire;

	if (client < s->knobs.clients) {
		wire = s->clients[client].wire;
	} else {
		client -= s->knobs.clients;
		wire = s->subscribers[client].wire;
		client += SIM_CLIENTS_MAX;
	}
	s->net.isolated[client] = true;
	if (wire)
		net_cut(s, wire, world_chance(&s->world, 500),
		        world_chance(&s->world, 500));
	world_at(&s->world,
	         s->world.now_ms + world_between(&s->world, 50, 2000),
	         join_again, s, client, 0);
}

static void speed_up(void *arg, uint32_t a, uint32_t b)
{
	struct sim *s = arg;

	(void)a;
	(void)b;
	s->delay_max_ms = s->knobs.delay_max_ms;
	s->journal_max_ms = JOURNAL_MAX_MS;
}

static void slow_down(struct sim *s, bool net)
{
	if (net)
		s->delay_max_ms = world_between(&s->world, 20, SLOW_NET_MAX_MS);
	else
		s->journal_max_ms =
			world_between(&s->world, 20, SLOW_JOURNAL_MAX_MS);
	world_at(&s->world,
	         s->world.now_ms + world_between(&s->world, 50, 1500), speed_up,
	         s, 0, 0);
}

static void stall_client(struct sim *s)
{
	uint32_t i = world_below(&s->world, s->knobs.clients);

	s->clients[i].stalled_until_ms =
		s->world.now_ms + world_between(&s->world, 20, 2000);
}

static void make_well(void *arg, uint32_t a, uint32_t b)
{
	struct sim *s = arg;

	(void)a;
	(void)b;
	broker_disk_well(&s->broker);
}

static void make_ill(struct sim *s, bool full)
{
	broker_disk_ill(&s->broker, full);
	world_at(&s->world,
	         s->world.now_ms + world_between(&s->world, 20, 1500),
	         make_well, s, 0, 0);
}

static void snapshot(void *arg, uint32_t a, uint32_t b)
{
	struct sim *s = arg;
	uint32_t every_ms = s->knobs.snapshot_every_ms;

	(void)a;
	(void)b;
	if (s->healed || every_ms == 0)
		return;
	world_at(&s->world,
	         s->world.now_ms + world_between(&s->world, 1, 2 * every_ms),
	         snapshot, s, 0, 0);
	broker_snapshot(&s->broker);
}

static enum sim_fault draw(struct sim *s)
{
	uint32_t total = 0, at, i = 0;

	for (size_t k = 0; k < SIM_FAULT_COUNT; k++)
		total += s->knobs.weight[k];
	at = world_below(&s->world, total);
	while (at >= s->knobs.weight[i])
		at -= s->knobs.weight[i++];
	return (enum sim_fault)i;
}

static void strike(struct sim *s, enum sim_fault fault)
{
	struct world *w = &s->world;
	uint32_t wire = some_wire(s);

	world_trace(w, "FAULT %s", fault_words[fault]);
	switch (fault) {
	case SIM_CUT:
		if (wire)
			net_cut(s, wire, world_chance(w, 700),
			        world_chance(w, 500));
		break;
	case SIM_HALF_OPEN:
		if (wire)
			net_half_open(s, wire, world_chance(w, 500));
		break;
	case SIM_ISOLATE:
		isolate(s);
		break;
	case SIM_SLOW_NET:
	case SIM_SLOW_JOURNAL:
		slow_down(s, fault == SIM_SLOW_NET);
		break;
	case SIM_STALL_BROKER:
		broker_stall(&s->broker, world_between(w, 20, 2000));
		break;
	case SIM_STALL_CLIENT:
		stall_client(s);
		break;
	case SIM_DISK_FULL:
	case SIM_DISK_BROKEN:
		make_ill(s, fault == SIM_DISK_FULL);
		break;
	case SIM_DISK_LIES:
		broker_disk_lies(&s->broker);
		break;
	case SIM_KILL:
		broker_crash(&s->broker, BROKER_KILLED);
		break;
	case SIM_POWER:
		broker_crash(&s->broker, BROKER_POWERLESS);
		break;
	case SIM_DOOM:
		broker_doom(&s->broker);
		break;
	case SIM_WIPE:
		broker_crash(&s->broker, BROKER_WIPED);
		break;
	case SIM_FAULT_COUNT:
		break;
	}
}

static void fault(void *arg, uint32_t a, uint32_t b)
{
	struct sim *s = arg;

	(void)a;
	(void)b;
	if (s->healed || s->knobs.fault_every_ms == 0)
		return;
	world_at(&s->world,
	         s->world.now_ms + world_between(&s->world, 1,
	                                         2 * s->knobs.fault_every_ms),
	         fault, s, 0, 0);
	strike(s, draw(s));
}

/* ---- a run ---- */

static void run_until(struct sim *s, uint64_t until_ms)
{
	while (!world_has_failed(&s->world) && world_step(&s->world, until_ms))
		;
}

static void heal(struct sim *s)
{
	s->healed = true;
	memset(s->net.isolated, 0, sizeof s->net.isolated);
	speed_up(s, 0, 0);
	broker_disk_well(&s->broker);
	world_trace(&s->world, "HEALED");
	/* Once more, with nothing left to chance but what was not synced. */
	broker_crash(&s->broker, BROKER_POWERLESS);
}

static void check_end(struct sim *s)
{
	struct mu_store_stats stats;

	mu_store_stats(s->broker.store, &stats);
	mu_store_verify(s->broker.store);
	history_compare(&s->history, mu_store_tree(s->broker.store));
	if (stats.sessions != s->knobs.clients + SIM_SUBSCRIBERS)
		world_fail(&s->world, "%u sessions are left, of %u clients",
		           stats.sessions, s->knobs.clients + SIM_SUBSCRIBERS);
	for (uint32_t i = 0; i < SIM_SUBSCRIBERS; i++)
		subscriber_check_end(&s->subscribers[i], stats.zxid);
	for (uint32_t i = 0; i < s->knobs.clients; i++) {
		const struct client *c = &s->clients[i];

		if (c->view.state != MU_LINK_CONNECTED ||
		    c->done_count != c->ask_count)
			world_fail(&s->world,
			           "client %u is %s, %" PRIu64
			           " requests are not answered",
			           i, mu_link_state_word(c->view.state),
			           c->ask_count - c->done_count);
		else if (c->view.seen != stats.zxid)
			world_fail(&s->world,
			           "client %u has seen %" PRIx64
			           ", the store is at %" PRIx64,
			           i, (uint64_t)c->view.seen,
			           (uint64_t)stats.zxid);
	}
}

/* When everybody has left, nothing of them is left: neither sessions nor links
 * nor watches nor ephemerals. */
static void leave(struct sim *s)
{
	struct mu_store_stats stats;

	s->closing = true;
	for (uint32_t i = 0; i < s->knobs.clients; i++) {
		mu_link_close(s->clients[i].link, s->world.now_ms);
		client_turn(&s->clients[i]);
	}
	for (uint32_t i = 0; i < SIM_SUBSCRIBERS; i++)
		subscriber_leave(&s->subscribers[i]);
	run_until(s, s->world.now_ms + READ_MS);
	mu_store_stats(s->broker.store, &stats);
	if (stats.sessions || stats.links || stats.watches ||
	    stats.subscriptions || stats.ephemerals)
		world_fail(&s->world,
		           "left behind: %u sessions, %u links, %u watches, "
		           "%u subscriptions, %u ephemerals",
		           stats.sessions, stats.links, stats.watches,
		           stats.subscriptions, stats.ephemerals);
}

/* All live clients are connected in the end, and read what is there. */
static void finish(struct sim *s)
{
	heal(s);
	run_until(s, s->world.now_ms + SETTLE_MS);
	if (world_has_failed(&s->world))
		return;
	for (uint32_t i = 0; i < s->knobs.clients; i++)
		if (s->clients[i].link)
			client_read_all(&s->clients[i]);
	run_until(s, s->world.now_ms + READ_MS);
	if (!world_has_failed(&s->world))
		check_end(s);
	if (!world_has_failed(&s->world))
		leave(s);
}

bool sim_run(struct sim *s, const struct sim_knobs *knobs, uint64_t seed)
{
	memset(s, 0, sizeof *s);
	s->knobs = *knobs;
	world_init(&s->world, seed);
	sim_running = s;
	speed_up(s, 0, 0);
	history_init(&s->history, &s->world);
	recorder_init(&s->recorder, &s->history);
	net_init(&s->net);
	broker_init(&s->broker, s);
	for (uint32_t i = 0; i < knobs->clients; i++)
		client_init(&s->clients[i], s, i);
	for (uint32_t i = 0; i < SIM_SUBSCRIBERS; i++)
		subscriber_init(&s->subscribers[i], s, SIM_CLIENTS_MAX + i);
	fault(s, 0, 0);
	snapshot(s, 0, 0);
	run_until(s, s->world.now_ms + knobs->trouble_ms);
	if (!world_has_failed(&s->world))
		finish(s);
	if (!world_has_failed(&s->world))
		recorder_check(&s->recorder);
	sim_running = NULL;
	return !world_has_failed(&s->world);
}

void sim_fini(struct sim *s)
{
	for (uint32_t i = 0; i < s->knobs.clients; i++)
		client_fini(&s->clients[i]);
	broker_fini(&s->broker);
	net_fini(&s->net);
	recorder_fini(&s->recorder);
	history_fini(&s->history);
	world_fini(&s->world);
}

void sim_dump(const struct sim *s, FILE *to)
{
	world_dump(&s->world, to);
	fprintf(to,
	        "again: SIM_TRACE=1 CK_RUN_CASE=%s SIM_SEED=%" PRIu64
	        " tests/sim/test_sim (below the build's directory)\n",
	        s->knobs.name, s->world.seed);
	fflush(to);
}
