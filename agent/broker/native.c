/* native.c - the native carrier as a whole, and what it reads. See native.h. */
#include "native_link.h"

#include "bug.h"
#include "err.h"
#include "mem.h"
#include "proto.h"
#include "tcp.h"

#include <string.h>

/* ---- reading --------------------------------------------------------------------- */

static void set_origin(struct mu_nlink *l, struct mu_zmsg *m)
{
	static const char ipc[] = "localhost"; /* and ":uid:gid:pid" */
	const char *from = mu_zmsg_origin(m);
	const bool is_ipc = strncmp(from, ipc, strlen(ipc)) == 0;

	mu_format(l->origin, sizeof l->origin, "%s%s",
	          is_ipc ? "ipc" : "tcp:", is_ipc ? from + strlen(ipc) : from);
}

static uint32_t next_link(struct mu_native *n)
{
	do
		n->last_link = (n->last_link + 1) & ~MU_LINK_TCP;
	while (n->last_link == 0 || mu_idmap_find(&n->links, n->last_link));
	return n->last_link;
}

/* A link for a new peer, known to nobody but us; NULL: the peer is refused. */
static struct mu_nlink *link_new(struct mu_native *n, uint32_t peer,
                                 enum mu_cut *why)
{
	struct mu_nlink *l;

	*why = MU_CUT_TOO_MANY;
	if (n->stats.links >= n->limits.links_max)
		return NULL;
	*why = MU_CUT_MEMORY;
	l = mu_alloc(sizeof *l);
	if (!l)
		return NULL;
	l->peer = peer;
	l->id = next_link(n);
	set_origin(l, &n->in);
	if (mu_idmap_set(&n->links, l->id, l))
		goto free_link;
	if (mu_idmap_set(&n->peers, peer, l))
		goto drop_id;
	TAILQ_INSERT_TAIL(&n->all, l, on_all);
	n->stats.links++;
	return l;

drop_id:
	mu_idmap_drop(&n->links, l->id);
free_link:
	mu_free(l);
	return NULL;
}

static struct mu_nlink *welcome(struct mu_native *n,
                                const struct mu_zpeer *from)
{
	enum mu_cut why;
	struct mu_nlink *l = link_new(n, mu_nlink_peer_number(from), &why);

	if (!l) {
		mu_nlink_log(n, mu_zmsg_origin(&n->in), 0, why);
		mu_nlink_turn_away(n, from);
		mu_nlink_goodbye(n, from);
		mu_nlink_remember(n, mu_nlink_peer_number(from));
		return NULL;
	}
	if (n->owner.open(n->owner.arg, l->id, l->origin)) {
		mu_nlink_log(n, l->origin, l->id, MU_CUT_TOO_MANY);
		mu_nlink_turn_away(n, from);
		l->state = MU_NLINK_CLOSING;
		mu_nlink_wait(n, l, true);
		return NULL;
	}
	return l;
}

static void take_records(struct mu_native *n, struct mu_nlink *l)
{
	struct mu_in in = mu_in_of(mu_zmsg_data(&n->in), mu_zmsg_len(&n->in));
	struct mu_str rec = { 0 };
	int rc = 1;

	/* The owner may end the link at any record. */
	while (l->state == MU_NLINK_OPEN &&
	       (rc = mu_frame_next(&in, &rec)) == 1) {
		if (rec.len <= n->limits.packet_max)
			n->owner.record(n->owner.arg, l->id, rec.at, rec.len);
		else
			n->owner.oversize(n->owner.arg, l->id, rec.at,
			                  MU_NATIVE_OVERSIZE_HEAD);
	}
	if (l->state == MU_NLINK_OPEN && rc < 0)
		mu_nlink_cut(n, l, MU_CUT_MALFORMED, true);
}

/* rc: as mu_zsock_recv gave it. */
static void take_message(struct mu_native *n, const struct mu_zpeer *from,
                         int rc)
{
	struct mu_nlink *l;
	void *known;

	if (!mu_nlink_peer_is_own(from)) {
		mu_nlink_log(n, mu_zmsg_origin(&n->in), 0, MU_CUT_OWN_ID);
		if (from->len)
			mu_nlink_goodbye(n, from);
		return;
	}
	known = mu_idmap_find(&n->peers, mu_nlink_peer_number(from));
	if (known == &mu_nlink_ended)
		return;
	if (!known && mu_zmsg_len(&n->in) == 0)
		return; /* came and left */
	l = known ? known : welcome(n, from);
	if (!l || l->state != MU_NLINK_OPEN)
		return;
	if (rc == MU_EPROTO)
		mu_nlink_cut(n, l, MU_CUT_PARTS, true);
	else if (mu_zmsg_len(&n->in) == 0)
		mu_nlink_cut(n, l, MU_CUT_LEFT, false);
	else
		take_records(n, l);
}

void mu_native_read(struct mu_native *n, uint64_t now_ms)
{
	struct mu_zpeer from = { 0 };
	unsigned messages = 0;
	size_t bytes = 0;
	int rc;

	n->now_ms = now_ms;
	if (!n->look)
		return;
	while (messages < MU_NATIVE_TURN_MESSAGES &&
	       bytes < MU_NATIVE_TURN_BYTES) {
		rc = mu_zsock_recv(n->socket, &from, &n->in);
		if (rc && rc != MU_EPROTO)
			break;
		messages++;
		bytes += mu_zmsg_len(&n->in);
		take_message(n, &from, rc);
		mu_nlink_reap(n);
	}
	n->stats.messages_in += messages;
	/* Let go of the last one's bytes. */
	mu_zmsg_fini(&n->in);
	mu_zmsg_init(&n->in);
}

void mu_native_wake(struct mu_native *n)
{
	n->look = true;
}

/* Asking libzmq costs four system calls; a broker whose clients are all on TCP
 * spares them. */
bool mu_native_readable(struct mu_native *n)
{
	if (n->look)
		n->look = mu_zsock_events(n->socket) & MU_ZSOCK_READABLE;
	return n->look;
}

/* ---- the whole ----------------------------------------------------------------------- */

int mu_native_open(const struct mu_native_limits *limits,
                   const struct mu_native_owner *owner, struct mu_native **out,
                   struct mu_err *err)
{
	struct mu_native *n;
	int rc;

	MU_BUG_ON(limits->packet_max < MU_NATIVE_OVERSIZE_HEAD);
	n = mu_alloc(sizeof *n);
	if (!n)
		return mu_err(err, MU_ENOMEM, "out of memory at start");
	n->limits = *limits;
	n->owner = *owner;
	n->log_lines.max = MU_CUT_LINES_MAX;
	TAILQ_INIT(&n->all);
	TAILQ_INIT(&n->waiting);
	TAILQ_INIT(&n->lost);
	rc = mu_zsock_router_open(
		&n->socket,
		(size_t)limits->packet_max * MU_NATIVE_MESSAGE_PACKETS, err);
	if (rc) {
		mu_free(n);
		return rc;
	}
	mu_zmsg_init(&n->in);
	n->look = true;
	*out = n;
	return 0;
}

void mu_native_close(struct mu_native *n)
{
	struct mu_nlink *l;

	if (!n)
		return;
	while ((l = TAILQ_FIRST(&n->all))) {
		l->to_tell = false;
		mu_nlink_forget(n, l);
	}
	mu_zmsg_fini(&n->in);
	mu_zsock_close(n->socket);
	mu_idmap_fini(&n->links);
	mu_idmap_fini(&n->peers);
	mu_free(n);
}

int mu_native_listen(struct mu_native *n, const char *url, char *actual,
                     size_t room, struct mu_err *err)
{
	return mu_zsock_bind(n->socket, url, actual, room, err);
}

int mu_native_fd(const struct mu_native *n)
{
	return mu_zsock_fd(n->socket);
}

void mu_native_configure(struct mu_native *n,
                         const struct mu_native_limits *limits)
{
	const uint32_t packet_max = n->limits.packet_max;

	n->limits = *limits;
	n->limits.packet_max = packet_max;
}

void mu_native_stats(const struct mu_native *n, struct mu_native_stats *out)
{
	const struct mu_nlink *l;

	*out = n->stats;
	out->parked = n->parked;
	TAILQ_FOREACH(l, &n->waiting, on_waiting)
	out->parked_bytes += l->out.bytes;
}
