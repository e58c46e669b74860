/*
 * tcp_link.h - the TCP carrier's links from within: shared by tcp.c (the whole),
 * tcp_read.c, tcp_send.c and tcp_link.c, and nobody else.
 *
 *   OPEN ------mu_tcp_end, a word----> CLOSING --all is sent--> LINGERING
 *   OPEN ------cut-------------------> GONE ---owner told-----> forgotten
 *   CLOSING ---gone, takes nothing---> forgotten
 *   LINGERING -peer closed, 1 s------> forgotten
 *
 * LINGERING: closing with bytes of the peer unread would be a reset, which can
 * overtake our last words; so they are read and dropped for a moment.
 *
 * A link is freed by mu_tlink_forget only, which mu_tcp_send, _fanout and _end
 * never reach: they mark; turn, flush, tick and the socket's callbacks carry out.
 *
 * A link that is not read is paused, and stands in at most one list: `ready` (go
 * on in the next turn), `held` (the owner did not take its record); or in none,
 * when its outbox must empty first.
 */
#ifndef MU_BROKER_TCP_LINK_H
#define MU_BROKER_TCP_LINK_H

#include "idmap.h"
#include "line_rate.h"
#include "places.h"
#include "tcp.h"
#include "tcp_out.h"

#include <sys/queue.h>

enum mu_tlink_state {
	MU_TLINK_OPEN,
	MU_TLINK_CLOSING,
	MU_TLINK_LINGERING,
	MU_TLINK_GONE, /* on t->lost */
};
enum mu_tlink_pause {
	MU_TLINK_READ,
	MU_TLINK_READY,
	MU_TLINK_HELD,
	MU_TLINK_FULL
};

struct mu_tlink {
	struct mu_tcp *t;
	struct mu_tcpsock *socket;
	uint32_t id;
	enum mu_tlink_state state;
	enum mu_tlink_pause pause;
	bool greeted; /* a record came: no word can */
	bool to_send; /* on t->to_send */
	bool blocked; /* on t->blocked: a piece is lent */
	bool asking;  /* records since asked_ms without a reply */
	uint64_t asked_ms, opened_ms;
	uint64_t stuck_ms; /* blocked, lingering: no progress since */
	size_t unsent;     /* of the lent piece, when last looked at */
	struct mu_buf in;  /* what is not a whole record yet, or not taken */
	struct mu_tcp_out out;
	struct mu_tcp_count count;
	TAILQ_ENTRY(mu_tlink) on_all, on_pause, on_send, on_lost;
	uint8_t ip[16];
	char where[MU_TCP_ADDRESS_MAX];
};

TAILQ_HEAD(mu_tlink_list, mu_tlink);

struct mu_tlistener {
	struct mu_tcplisten *socket;
	struct mu_tcp *t;
	bool waits; /* somebody is to be accepted */
	SLIST_ENTRY(mu_tlistener) next;
};

struct mu_tcp {
	struct mu_loop *loop;
	struct mu_tcp_limits limits;
	struct mu_tcp_owner owner;
	struct mu_tcpsock_owner socket_owner;
	struct mu_idmap links; /* number -> struct mu_tlink */
	struct mu_places *places;
	SLIST_HEAD(, mu_tlistener) listeners;
	struct mu_tlink_list all, ready, held;
	struct mu_tlink_list to_send;            /* not blocked */
	struct mu_tlink_list blocked, lingering; /* by on_send too */
	struct mu_tlink_list lost;
	uint32_t last_link;
	unsigned accepted;             /* in this turn */
	struct mu_line_rate log_lines; /* about links that were cut */
	struct mu_tcp_stats stats;
	uint8_t buffer
		[MU_TCP_READ_MAX]; /* of all sockets, one after the other */
};

/* tcp_link.c */
/* Count, and say so in a line. link 0: none was made. */
void mu_tlink_log(struct mu_tcp *t, const char *where, uint32_t link,
                  enum mu_tcp_cut reason);
/* The carrier ends an open link: the owner hears of it in mu_tlink_reap. */
void mu_tlink_cut(struct mu_tlink *l, enum mu_tcp_cut reason);
/* Close after what is in its outbox. */
void mu_tlink_end(struct mu_tlink *l);
/* Tell the owner of all links that were cut. */
void mu_tlink_reap(struct mu_tcp *t);
/* Close and free it. */
void mu_tlink_forget(struct mu_tlink *l);
/* Read, or not, and why. */
void mu_tlink_pause(struct mu_tlink *l, enum mu_tlink_pause pause);
/* Put on or take off the list of those with something to send. */
void mu_tlink_to_send(struct mu_tlink *l, bool on);
void mu_tlink_block(struct mu_tlink *l, bool on);

/* tcp_read.c: callbacks of the socket */
void mu_tlink_on_data(void *arg, const uint8_t *p, size_t len);
void mu_tlink_on_ended(void *arg, int rc);
/* The length of the record for which a link is held. */
size_t mu_tlink_wanted(const struct mu_tlink *l);
/* Go on with a link that was paused. */
void mu_tlink_resume(struct mu_tlink *l);

/* tcp_send.c */
void mu_tlink_on_writable(void *arg);
/* Write what the kernel takes. False: the connection, or memory, is gone; an open
 * link has then been cut. Frees nothing. */
bool mu_tlink_flush(struct mu_tlink *l);

#endif /* MU_BROKER_TCP_LINK_H */
