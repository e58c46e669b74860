#include "net.h"

#include "plant.h"
#include "sim.h"

#include <stdlib.h>
#include <string.h>

void net_init(struct net *n)
{
	memset(n, 0, sizeof *n);
	n->wires = calloc(NET_WIRES_MAX, sizeof *n->wires);
	if (!n->wires)
		abort();
}

static void purge(struct lane *lane, uint64_t after_ms)
{
	struct message **at = &lane->head;

	lane->tail = NULL;
	while (*at) {
		struct message *m = *at;

		if (m->due_ms <= after_ms) {
			lane->tail = m;
			at = &m->next;
			continue;
		}
		*at = m->next;
		free(m);
	}
}

static struct message *pop(struct lane *lane)
{
	struct message *m = lane->head;

	if (!m)
		return NULL;
	lane->head = m->next;
	if (!lane->head)
		lane->tail = NULL;
	return m;
}

void net_fini(struct net *n)
{
	struct message *m;

	for (uint32_t i = 0; i < n->count; i++) {
		while ((m = pop(&n->wires[i].to_broker)))
			free(m);
		while ((m = pop(&n->wires[i].to_client)))
			free(m);
		free(n->wires[i].outbox);
	}
	free(n->wires);
	n->wires = NULL;
}

struct wire *net_wire(struct sim *s, uint32_t wire)
{
	return &s->net.wires[wire - 1];
}

static uint32_t delay(struct sim *s)
{
	return world_between(&s->world, 0, s->delay_max_ms);
}

/* ---- what arrives ---- */

/* NULL: it is a client's. */
static struct subscriber *subscriber_of(struct sim *s, uint32_t wire)
{
	uint32_t number = net_wire(s, wire)->client;

	return number < SIM_CLIENTS_MAX
	               ? NULL
	               : &s->subscribers[number - SIM_CLIENTS_MAX];
}

/* True if the client sleeps; then `fn` comes again when it wakes. */
static bool client_sleeps(struct sim *s, uint32_t wire, world_fn *fn)
{
	const struct client *c = &s->clients[net_wire(s, wire)->client];

	if (subscriber_of(s, wire) || c->stalled_until_ms <= s->world.now_ms)
		return false;
	world_at(&s->world, c->stalled_until_ms, fn, s, wire, 0);
	return true;
}

static bool broker_sleeps(struct sim *s, uint32_t wire, world_fn *fn)
{
	if (s->broker.stalled_until_ms <= s->world.now_ms)
		return false;
	world_at(&s->world, s->broker.stalled_until_ms, fn, s, wire, 0);
	return true;
}

static void arrive_at_client(void *arg, uint32_t wire, uint32_t b)
{
	struct sim *s = arg;
	struct wire *w = net_wire(s, wire);
	struct subscriber *u = subscriber_of(s, wire);
	struct message *m;

	(void)b;
	if (client_sleeps(s, wire, arrive_at_client))
		return;
	m = pop(&w->to_client);
	if (m && w->client_end && u)
		subscriber_hear(u, wire, m->bytes, m->len);
	else if (m && w->client_end)
		client_hear(&s->clients[w->client], wire, m->bytes, m->len);
	free(m);
}

static void arrive_at_broker(void *arg, uint32_t wire, uint32_t b)
{
	struct sim *s = arg;
	struct wire *w = net_wire(s, wire);
	struct message *m;

	(void)b;
	if (w->boot == s->broker.boot && w->to_broker.head &&
	    w->to_broker.head->len)
		broker_arrived(&s->broker, wire);
	if (broker_sleeps(s, wire, arrive_at_broker))
		return;
	m = pop(&w->to_broker);
	if (m && w->broker_end && w->boot == s->broker.boot)
		broker_hear(&s->broker, wire, m->bytes, m->len);
	free(m);
}

static void client_told(void *arg, uint32_t wire, uint32_t b)
{
	struct sim *s = arg;
	struct wire *w = net_wire(s, wire);

	(void)b;
	if (client_sleeps(s, wire, client_told))
		return;
	if (w->client_end && subscriber_of(s, wire))
		subscriber_lost(subscriber_of(s, wire), wire);
	else if (w->client_end)
		client_lost(&s->clients[w->client], wire);
}

static void broker_told(void *arg, uint32_t wire, uint32_t b)
{
	struct sim *s = arg;
	struct wire *w = net_wire(s, wire);

	(void)b;
	if (!w->broker_end || w->boot != s->broker.boot)
		return;
	if (broker_sleeps(s, wire, broker_told))
		return;
	w->broker_end = false;
	broker_lost(&s->broker, wire);
}

/* ---- sending ---- */

static void put(struct sim *s, uint32_t wire, struct lane *lane, world_fn *fn,
                const void *p, size_t len)
{
	struct message *m;

	if (lane->swallows)
		return;
	m = malloc(sizeof *m + len);
	if (!m)
		abort();
	m->next = NULL;
	m->len = len;
	if (len)
		memcpy(m->bytes, p, len);
	m->due_ms = s->world.now_ms + delay(s);
	if (m->due_ms < lane->last_ms)
		m->due_ms = lane->last_ms;
	lane->last_ms = m->due_ms;
	*(lane->tail ? &lane->tail->next : &lane->head) = m;
	lane->tail = m;
	world_at(&s->world, m->due_ms, fn, s, wire, 0);
}

static void opened(void *arg, uint32_t wire, uint32_t b)
{
	struct sim *s = arg;
	struct wire *w = net_wire(s, wire);

	(void)b;
	if (!w->client_end || client_sleeps(s, wire, opened))
		return;
	w->opening = false;
	if (subscriber_of(s, wire))
		subscriber_opened(subscriber_of(s, wire), wire);
	else
		client_opened(&s->clients[w->client], wire);
}

uint32_t net_open(struct sim *s, uint32_t client, uint32_t life)
{
	struct net *n = &s->net;
	uint64_t when = s->world.now_ms + delay(s);
	struct wire *w;

	if (n->count == NET_WIRES_MAX)
		abort();
	w = &n->wires[n->count++];
	w->client = client;
	w->life = life;
	w->client_end = w->opening = true;
	w->boot = s->broker.boot;
	if (broker_is_up(&s->broker) && !n->isolated[client]) {
		w->broker_end = true;
		world_at(&s->world, when, opened, s, n->count, 0);
		return n->count;
	}
	w->to_broker.swallows = w->to_client.swallows = true;
	if (world_chance(&s->world, 500))
		world_at(&s->world, when, client_told, s, n->count, 0);
	return n->count;
}

void net_send_up(struct sim *s, uint32_t wire, const void *p, size_t len)
{
	put(s, wire, &net_wire(s, wire)->to_broker, arrive_at_broker, p, len);
}

void net_shut(struct sim *s, uint32_t wire)
{
	struct wire *w = net_wire(s, wire);

	if (!w->client_end)
		return;
	w->client_end = false;
	if (world_chance(&s->world, 300)) /* the last messages are lost */
		purge(&w->to_broker, s->world.now_ms);
	if (world_chance(&s->world, 600))
		put(s, wire, &w->to_broker, arrive_at_broker, NULL, 0);
	w->to_broker.swallows = w->to_client.swallows = true;
}

void net_send_down(struct sim *s, uint32_t wire, const void *p, size_t len)
{
	struct wire *w = net_wire(s, wire);

	if (w->outbox_room - w->outbox_len < len) {
		w->outbox_room = (w->outbox_len + len) * 2;
		w->outbox = realloc(w->outbox, w->outbox_room);
		if (!w->outbox)
			abort();
	}
	memcpy(w->outbox + w->outbox_len, p, len);
	w->outbox_len += len;
}

void net_flush(struct sim *s, uint32_t wire)
{
	struct wire *w = net_wire(s, wire);

	if (w->outbox_len == 0)
		return;
	plant_message(s, w->outbox, &w->outbox_len, w->outbox_room);
	put(s, wire, &w->to_client, arrive_at_client, w->outbox, w->outbox_len);
	w->outbox_len = 0;
}

void net_end(struct sim *s, uint32_t wire)
{
	struct wire *w = net_wire(s, wire);

	net_flush(s, wire);
	if (w->broker_end)
		put(s, wire, &w->to_client, arrive_at_client, NULL, 0);
	w->broker_end = false;
}

/* ---- faults ---- */

void net_cut(struct sim *s, uint32_t wire, bool tell_client, bool tell_broker)
{
	struct wire *w = net_wire(s, wire);
	uint64_t now = s->world.now_ms;

	purge(&w->to_broker, now);
	purge(&w->to_client, now);
	w->to_broker.swallows = w->to_client.swallows = true;
	if (tell_client)
		world_at(&s->world, now + delay(s), client_told, s, wire, 0);
	if (tell_broker)
		world_at(&s->world, now + delay(s), broker_told, s, wire, 0);
}

void net_half_open(struct sim *s, uint32_t wire, bool upwards)
{
	struct wire *w = net_wire(s, wire);

	(upwards ? &w->to_broker : &w->to_client)->swallows = true;
}

void net_cut_all(struct sim *s)
{
	for (uint32_t i = 1; i <= s->net.count; i++) {
		struct wire *w = net_wire(s, i);

		w->broker_end = false;
		w->outbox_len = 0;
		if (!w->client_end || w->to_client.swallows)
			continue;
		if (world_chance(&s->world, 500))
			purge(&w->to_client, s->world.now_ms);
		w->to_broker.swallows = w->to_client.swallows = true;
		if (world_chance(&s->world, 700))
			world_at(&s->world, w->to_client.last_ms, client_told,
			         s, i, 0);
	}
}
