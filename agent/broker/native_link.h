/*
 * native_link.h - the native carrier's links from within: shared by native.c
 * (the whole, reading), native_send.c and native_link.c, and nobody else.
 *
 *   OPEN --mu_native_end---> CLOSING --goodbye sent, or gone--> forgotten
 *   OPEN --cut, goodbye----> CLOSING
 *   OPEN --cut, no goodbye-> GONE ----owner told---------------> forgotten
 *
 * A link is freed by mu_nlink_forget only, which mu_native_send, _fanout and
 * _end never reach: they mark; flush and reap carry out.
 */
#ifndef MU_BROKER_NATIVE_LINK_H
#define MU_BROKER_NATIVE_LINK_H

#include "idmap.h"
#include "line_rate.h"
#include "native.h"
#include "outbox.h"
#include "zsock.h"

#include <sys/queue.h>

#define MU_NLINK_ORIGIN_MAX 64u

enum mu_nlink_state { MU_NLINK_OPEN, MU_NLINK_CLOSING, MU_NLINK_GONE };

struct mu_nlink {
	uint32_t id, peer; /* peer: libzmq's counter */
	enum mu_nlink_state state;
	bool waiting;      /* on n->waiting: there is something to send */
	bool parked;       /* and it was not taken */
	bool to_tell;      /* on n->lost */
	uint64_t stuck_ms; /* no progress since */
	struct mu_outbox out;
	TAILQ_ENTRY(mu_nlink) on_all, on_waiting, on_lost;
	char origin[MU_NLINK_ORIGIN_MAX];
};

TAILQ_HEAD(mu_nlink_list, mu_nlink);

struct mu_native {
	struct mu_zsock *socket;
	/* There may be something to read: the descriptor told, or a call on the
	 * socket may have taken its signal. */
	bool look;
	struct mu_zmsg in; /* the message being read */
	struct mu_native_limits limits;
	struct mu_native_owner owner;
	struct mu_idmap links; /* number -> struct mu_nlink */
	struct mu_idmap
		peers; /* counter -> struct mu_nlink, or the mark below */
	struct mu_nlink_list all, waiting, lost;
	uint32_t last_link;
	uint32_t parked; /* links */
	uint64_t now_ms;
	uint32_t ended[MU_NATIVE_ENDED_MAX]; /* a ring of counters */
	uint64_t ended_count;                /* ever */
	struct mu_line_rate log_lines;       /* about links that were cut */
	struct mu_native_stats stats;
};

/* Stands in `peers` for a peer whose link has ended. */
extern char mu_nlink_ended;

/* zsock lets only libzmq's own routing ids through: a 0 and a counter. */
bool mu_nlink_peer_is_own(const struct mu_zpeer *p);
uint32_t mu_nlink_peer_number(const struct mu_zpeer *p);
struct mu_zpeer mu_nlink_peer(const struct mu_nlink *l);

/* An empty message; as mu_zsock_send. */
int mu_nlink_goodbye(struct mu_native *n, const struct mu_zpeer *to);
/* Tell a peer, before its goodbye, that there are too many links (proto.h). It need
 * not arrive. */
void mu_nlink_turn_away(struct mu_native *n, const struct mu_zpeer *to);
/* This peer is not to be heard again. */
void mu_nlink_remember(struct mu_native *n, uint32_t peer);

/* Put on or take off the list of links that have something to send; parked:
 * libzmq did not take it. */
void mu_nlink_wait(struct mu_native *n, struct mu_nlink *l, bool waiting);
void mu_nlink_park(struct mu_native *n, struct mu_nlink *l, bool parked);

/* Count, and say so in a line. link 0: none was made. */
void mu_nlink_log(struct mu_native *n, const char *origin, uint32_t link,
                  enum mu_cut reason);
/* The carrier ends an open link: the owner hears of it in mu_nlink_reap. What
 * was to be sent is dropped. */
void mu_nlink_cut(struct mu_native *n, struct mu_nlink *l, enum mu_cut reason,
                  bool goodbye);
/* Tell the owner of all links that were cut. */
void mu_nlink_reap(struct mu_native *n);
/* Free it, and remember its peer as ended. */
void mu_nlink_forget(struct mu_native *n, struct mu_nlink *l);

#endif /* MU_BROKER_NATIVE_LINK_H */
