/* Links as the store sees them: found by their number, each with a queue of
 * what waits for a command to be applied. */
#include "store_impl.h"

#include "bug.h"
#include "mem.h"

#include <string.h>

/* Answers to reads that waited gather up to so many times reply_max. */
#define TURN_REPLIES 4u

/* ---- the table ---- */

/* Numbers are the shell's own, so nobody outside can make them fall together:
 * a multiplication spreads them. */
static uint64_t number_hash(uint32_t number)
{
	return (uint64_t)number * 0x9e3779b97f4a7c15u >> 32;
}

static struct mu_peer *peer_at(const void *arg, uint32_t id)
{
	const struct mu_store *s = arg;

	return mu_slab_at(&s->peers, id);
}

static uint64_t peer_hash(const void *arg, uint32_t id)
{
	return number_hash(peer_at(arg, id)->number);
}

static uint32_t *peer_next(const void *arg, uint32_t id)
{
	return &peer_at(arg, id)->hash_next;
}

static const struct mu_table_ops by_number_ops = { peer_hash, peer_next };

int mu_peers_init(struct mu_store *s)
{
	mu_slab_init(&s->peers, sizeof(struct mu_peer));
	return mu_table_init(&s->by_number, &by_number_ops, s);
}

static void drop_queue(struct mu_store *s, struct mu_peer *p)
{
	struct mu_entry *e;

	while ((e = mu_peer_pop(s, p)))
		mu_free(e);
}

static void drop(struct mu_store *s, struct mu_peer *p)
{
	drop_queue(s, p);
	mu_buf_fini(&p->ids);
	p->id_count = 0;
}

static void drop_of(void *arg, uint32_t id)
{
	drop(arg, peer_at(arg, id));
}

void mu_peers_fini(struct mu_store *s)
{
	mu_table_each(&s->by_number, drop_of, s);
	mu_table_fini(&s->by_number);
	mu_slab_fini(&s->peers);
}

static uint32_t find_id(const struct mu_store *s, uint32_t number)
{
	uint32_t id = mu_table_first(&s->by_number, number_hash(number));

	while (id && peer_at(s, id)->number != number)
		id = peer_at(s, id)->hash_next;
	return id;
}

struct mu_peer *mu_peer_find(const struct mu_store *s, uint32_t number)
{
	uint32_t id = find_id(s, number);

	return id ? peer_at(s, id) : NULL;
}

struct mu_peer *mu_peer_add(struct mu_store *s, uint32_t number)
{
	uint32_t id = mu_slab_new(&s->peers);
	struct mu_peer *p;

	if (!id)
		return NULL;
	p = peer_at(s, id);
	p->number = number;
	mu_table_insert(&s->by_number, number_hash(number), id);
	return p;
}

void mu_peer_free(struct mu_store *s, struct mu_peer *p)
{
	uint32_t id = find_id(s, p->number);

	MU_BUG_ON(p->head || p->waits_for || p->session);
	mu_table_remove(&s->by_number, number_hash(p->number), id);
	mu_slab_free(&s->peers, id);
}

void mu_peer_list_add(struct mu_peers *list, struct mu_peer *p)
{
	p->prev = list->last;
	p->next = NULL;
	*(list->last ? &list->last->next : &list->first) = p;
	list->last = p;
}

void mu_peer_list_take(struct mu_peers *list, struct mu_peer *p)
{
	*(p->prev ? &p->prev->next : &list->first) = p->next;
	*(p->next ? &p->next->prev : &list->last) = p->prev;
	p->prev = p->next = NULL;
}

void mu_peer_end(struct mu_store *s, struct mu_peer *p,
                 enum mu_close_reason reason)
{
	if (p->state == MU_PEER_ENDED)
		return;
	if (p->state == MU_PEER_NEW)
		mu_peer_list_take(&s->fresh, p);
	mu_peer_unwait(p);
	drop(s, p);
	mu_watches_drop_link(s->watches, p->number);
	mu_subs_drop_link(s->subs, p->number);
	if (p->session)
		p->session->link = 0;
	p->session = NULL;
	p->state = MU_PEER_ENDED;
	p->reason = reason;
	mu_peer_list_add(&s->ended, p);
}

/* ---- the queue ---- */

struct mu_entry *mu_entry_new(enum mu_entry_kind kind, int32_t xid, int32_t op,
                              const void *bytes, size_t len)
{
	struct mu_entry *e = mu_alloc(sizeof *e + len);

	if (!e)
		return NULL;
	e->kind = kind;
	e->xid = xid;
	e->op = op;
	e->len = len;
	e->charge = sizeof *e + len;
	if (len)
		memcpy(e->bytes, bytes, len);
	return e;
}

void mu_peer_push(struct mu_store *s, struct mu_peer *p, struct mu_entry *e,
                  uint64_t wait)
{
	e->next = NULL;
	e->wait = p->tail && p->tail->wait > wait ? p->tail->wait : wait;
	*(p->tail ? &p->tail->next : &p->head) = e;
	p->tail = e;
	p->entries++;
	p->bytes += e->charge;
	s->queued_bytes += sizeof *e + e->len;
	mu_peer_wait(s, p);
}

struct mu_entry *mu_peer_pop(struct mu_store *s, struct mu_peer *p)
{
	struct mu_entry *e = p->head;

	if (!e)
		return NULL;
	p->head = e->next;
	if (!p->head)
		p->tail = NULL;
	p->entries--;
	p->bytes -= e->charge;
	s->queued_bytes -= sizeof *e + e->len;
	return e;
}

void mu_peer_wait(struct mu_store *s, struct mu_peer *p)
{
	struct mu_pending *c;

	if (p->waits_for || !p->head)
		return;
	c = mu_log_at(s, p->head->wait);
	p->waits_for = c;
	p->wait_prev = c->wait_last;
	p->wait_next = NULL;
	*(c->wait_last ? &c->wait_last->wait_next : &c->wait_first) = p;
	c->wait_last = p;
}

void mu_peer_unwait(struct mu_peer *p)
{
	struct mu_pending *c = p->waits_for;

	if (!c)
		return;
	*(p->wait_prev ? &p->wait_prev->wait_next : &c->wait_first) =
		p->wait_next;
	*(p->wait_next ? &p->wait_next->wait_prev : &c->wait_last) =
		p->wait_prev;
	p->wait_prev = p->wait_next = NULL;
	p->waits_for = NULL;
}

/* ---- answering what has waited ---- */

static void answer_read(struct mu_store *s, struct mu_peer *p,
                        const struct mu_entry *e)
{
	struct mu_request_header h = { e->xid, e->op };

	mu_read(s, p, &h, mu_in_of(e->bytes, e->len));
}

/* The session is up: what came meanwhile is received now, in its order. */
static void admit_early(struct mu_store *s, struct mu_peer *p)
{
	struct mu_entry *e = p->head;

	p->head = p->tail = NULL;
	p->entries = 0;
	p->bytes = 0;
	while (e) {
		struct mu_entry *next = e->next;

		s->queued_bytes -= sizeof *e + e->len;
		if (p->state != MU_PEER_ENDED && e->kind == MU_ENTRY_RAW)
			mu_request(s, p, e->bytes, e->len);
		else if (p->state != MU_PEER_ENDED)
			mu_request_oversize(s, p, e->bytes, e->len);
		mu_free(e);
		e = next;
	}
}

static void answer(struct mu_store *s, struct mu_peer *p,
                   const struct mu_entry *e)
{
	switch (e->kind) {
	case MU_ENTRY_WRITE:
		mu_reply(s, p, e->xid, s->zxid, s->outcome.err,
		         &s->outcome.body);
		break;
	case MU_ENTRY_READ:
		answer_read(s, p, e);
		break;
	case MU_ENTRY_ERROR:
		mu_reply(s, p, e->xid, s->zxid, e->err, NULL);
		break;
	case MU_ENTRY_GOODBYE:
		mu_reply(s, p, e->xid, -1, e->err, NULL);
		mu_peer_end(s, p, MU_CLOSE_UNKNOWN_OP);
		break;
	case MU_ENTRY_HANDSHAKE: /* see mu_handshake_done */
	case MU_ENTRY_RAW:
	case MU_ENTRY_OVERSIZE: /* only behind a handshake */
		MU_BUG_ON(true);
	}
}

/* Links that waited long may have asked for more than is good to hold in memory
 * at once: one link (its answers begin at `from`), or all of them together. */
static void answer_bounded(struct mu_store *s, struct mu_peer *p,
                           const struct mu_entry *e, size_t from)
{
	size_t max = s->config.reply_max, out = s->fx.bytes.len;

	if (e->kind == MU_ENTRY_READ &&
	    (out - from > max || out / TURN_REPLIES > max)) {
		s->stats.throttled++;
		mu_reply(s, p, e->xid, s->zxid, MU_ETHROTTLED, NULL);
		return;
	}
	answer(s, p, e);
}

void mu_peer_drain(struct mu_store *s, struct mu_peer *p)
{
	size_t from = s->fx.bytes.len;

	while (p->head && p->head->wait <= s->applied) {
		struct mu_entry *e = mu_peer_pop(s, p);

		if (e->kind == MU_ENTRY_HANDSHAKE) {
			mu_handshake_done(s, p);
			if (p->state != MU_PEER_ENDED)
				admit_early(s, p);
		} else {
			answer_bounded(s, p, e, from);
		}
		mu_free(e);
	}
	mu_peer_wait(s, p);
}

void mu_peer_flush(struct mu_store *s, struct mu_peer *p, int code)
{
	size_t from = s->fx.bytes.len;
	struct mu_entry *e;

	while ((e = mu_peer_pop(s, p))) {
		if (e->kind == MU_ENTRY_HANDSHAKE)
			mu_handshake_failed(s, p, code);
		else if (e->kind == MU_ENTRY_WRITE)
			mu_reply(s, p, e->xid, s->zxid, code, NULL);
		else
			answer_bounded(s, p, e, from);
		mu_free(e);
	}
}
