/* tcp.c - the TCP carrier as a whole, and whom it lets in. See tcp.h. */
#include "tcp_link.h"

#include "err.h"
#include "mem.h"

#include <string.h>

/* ---- new links ---------------------------------------------------------------------- */

static uint32_t next_link(struct mu_tcp *t)
{
	do
		t->last_link = (t->last_link + 1) | MU_LINK_TCP;
	while (mu_idmap_find(&t->links, t->last_link));
	return t->last_link;
}

/* A link for a connection, known to nobody but us. */
static int link_new(struct mu_tcp *t, struct mu_tlink *l,
                    const struct mu_tcpsock_peer *from)
{
	int rc = mu_places_enter(t->places, from->ip,
	                         t->limits.links_per_address_max);

	if (rc)
		return rc;
	l->id = next_link(t);
	if (mu_idmap_set(&t->links, l->id, l)) {
		mu_places_leave(t->places, from->ip);
		return MU_ENOMEM;
	}
	memcpy(l->ip, from->ip, sizeof l->ip);
	memcpy(l->where, from->where, sizeof l->where);
	l->opened_ms = mu_loop_now_ms(t->loop);
	TAILQ_INSERT_TAIL(&t->all, l, on_all);
	t->stats.links++;
	t->stats.paused++;
	return 0;
}

static void welcome(struct mu_tcp *t, struct mu_tlink *l,
                    const struct mu_tcpsock_peer *from)
{
	char origin[MU_TCP_ADDRESS_MAX + 8];
	int rc = link_new(t, l, from);

	if (rc) {
		mu_tlink_log(t, from->where, 0,
		             rc == MU_EFULL ? MU_TCP_CUT_CROWDED
		                            : MU_TCP_CUT_MEMORY);
		mu_tcpsock_close(l->socket);
		mu_free(l);
		return;
	}
	mu_format(origin, sizeof origin, "tcp:%s", from->host);
	rc = t->owner.open(t->owner.arg, l->id, origin);
	if (rc) {
		mu_tlink_log(t, from->where, l->id,
		             rc == MU_EFULL ? MU_TCP_CUT_TOO_MANY
		                            : MU_TCP_CUT_MEMORY);
		mu_tlink_forget(l);
		return;
	}
	mu_tlink_pause(l, MU_TLINK_READ);
}

/* False: nobody waits, or there is no memory for him now. */
static bool accept_one(struct mu_tlistener *from)
{
	struct mu_tcp *t = from->t;
	struct mu_tlink *l = mu_alloc(sizeof *l);
	struct mu_tcpsock_peer peer;
	int rc;

	if (!l)
		return false;
	l->t = t;
	l->pause = MU_TLINK_FULL;
	rc = mu_tcplisten_accept(from->socket, &t->socket_owner, l, &l->socket,
	                         &peer);
	if (rc) {
		mu_free(l);
		return rc == MU_EIO;
	}
	t->accepted++;
	welcome(t, l, &peer);
	return true;
}

/* libuv asks again for each that waits, but for one that is not taken. */
static void on_waiting(void *arg)
{
	struct mu_tlistener *from = arg;

	from->waits =
		from->t->accepted >= MU_TCP_ACCEPT_MAX || !accept_one(from);
}

/* ---- the turn ------------------------------------------------------------------------ */

void mu_tcp_turn(struct mu_tcp *t)
{
	struct mu_tlistener *from;
	struct mu_tlink *l;

	t->accepted = 0;
	SLIST_FOREACH(from, &t->listeners, next)
	{
		if (from->waits)
			from->waits = !accept_one(from);
	}
	/* None becomes ready within this. */
	while ((l = TAILQ_FIRST(&t->ready)))
		mu_tlink_resume(l);
	mu_tlink_reap(t);
}

bool mu_tcp_has_more(const struct mu_tcp *t)
{
	const struct mu_tlistener *from;

	SLIST_FOREACH(from, &t->listeners, next)
	{
		if (from->waits)
			return true;
	}
	return !TAILQ_EMPTY(&t->ready) || !TAILQ_EMPTY(&t->to_send) ||
	       !TAILQ_EMPTY(&t->lost);
}

/* ---- the whole ------------------------------------------------------------------------ */

int mu_tcp_open(struct mu_loop *loop, const struct mu_tcp_limits *limits,
                const uint8_t key[16], const struct mu_tcp_owner *owner,
                struct mu_tcp **out, struct mu_err *err)
{
	struct mu_tcp *t = mu_alloc(sizeof *t);

	if (t)
		t->places = mu_places_new(key);
	if (!t || !t->places) {
		mu_free(t);
		return mu_err(err, MU_ENOMEM, "out of memory at start");
	}
	t->loop = loop;
	t->log_lines.max = MU_CUT_LINES_MAX;
	t->limits = *limits;
	t->owner = *owner;
	t->socket_owner =
		(struct mu_tcpsock_owner){ mu_tlink_on_data, mu_tlink_on_ended,
		                           mu_tlink_on_writable, t->buffer,
		                           sizeof t->buffer };
	SLIST_INIT(&t->listeners);
	TAILQ_INIT(&t->all);
	TAILQ_INIT(&t->ready);
	TAILQ_INIT(&t->held);
	TAILQ_INIT(&t->to_send);
	TAILQ_INIT(&t->blocked);
	TAILQ_INIT(&t->lingering);
	TAILQ_INIT(&t->lost);
	*out = t;
	return 0;
}

void mu_tcp_close(struct mu_tcp *t)
{
	struct mu_tlistener *from;
	struct mu_tlink *l;

	if (!t)
		return;
	while ((from = SLIST_FIRST(&t->listeners))) {
		SLIST_REMOVE_HEAD(&t->listeners, next);
		mu_tcplisten_close(from->socket);
		mu_free(from);
	}
	while ((l = TAILQ_FIRST(&t->all))) {
		if (l->to_send)
			mu_tcp_out_flush(&l->out, l->socket);
		mu_tlink_forget(l);
	}
	mu_idmap_fini(&t->links);
	mu_places_free(t->places);
	mu_free(t);
}

int mu_tcp_listen(struct mu_tcp *t, const char *address, const char **actual,
                  struct mu_err *err)
{
	struct mu_tlistener *from = mu_alloc(sizeof *from);
	int rc;

	if (!from)
		return mu_err(err, MU_ENOMEM, "out of memory at start");
	from->t = t;
	rc = mu_tcplisten_open(t->loop, address, on_waiting, from,
	                       &from->socket, err);
	if (rc) {
		mu_free(from);
		return rc;
	}
	SLIST_INSERT_HEAD(&t->listeners, from, next);
	*actual = mu_tcplisten_address(from->socket);
	return 0;
}

void mu_tcp_configure(struct mu_tcp *t, const struct mu_tcp_limits *limits)
{
	const uint32_t packet_max = t->limits.packet_max;

	t->limits = *limits;
	t->limits.packet_max = packet_max;
}

/* ---- numbers --------------------------------------------------------------------------- */

void mu_tcp_stats(const struct mu_tcp *t, struct mu_tcp_stats *out)
{
	const struct mu_tlink *l;

	*out = t->stats;
	TAILQ_FOREACH(l, &t->blocked, on_send)
	{
		out->waiting++;
		out->waiting_bytes += l->out.bytes;
	}
}

void mu_tcp_stats_reset(struct mu_tcp *t)
{
	struct mu_tcp_stats kept = { .links = t->stats.links,
		                     .paused = t->stats.paused };

	memcpy(kept.cut, t->stats.cut, sizeof kept.cut);
	t->stats = kept;
}

void mu_tcp_links_reset(struct mu_tcp *t)
{
	struct mu_tlink *l;

	TAILQ_FOREACH(l, &t->all, on_all)
	memset(&l->count, 0, sizeof l->count);
}

void mu_tcp_each(const struct mu_tcp *t,
                 void (*each)(void *arg, const struct mu_tcp_link_info *info),
                 void *arg)
{
	struct mu_tcp_link_info info;
	const struct mu_tlink *l;

	TAILQ_FOREACH(l, &t->all, on_all)
	{
		info = (struct mu_tcp_link_info){
			.link = l->id,
			.where = l->where,
			.greeted = l->greeted,
			.interested = l->pause == MU_TLINK_READ,
			.opened_ms = l->opened_ms,
			.waiting_bytes = l->out.bytes,
			.count = &l->count,
		};
		each(arg, &info);
	}
}
