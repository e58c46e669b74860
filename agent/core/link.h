/*
 * link.h - the client's side of a session, as a table of states.
 *
 * Pure. A carrier below (ZeroMQ or TCP) opens, sends and closes; an
 * application above asks and is told; this machine is between them and knows
 * rules 6 to 10, 14 to 17, 29, 37, 39, 43, 44, 48 to 50. One thread owns it.
 *
 *     IDLE -> OPENING -> HANDSHAKE -> REARMING -> CONNECTED
 *      ^________|___________|____________|___________|      (link lost: again)
 *                           '-> EXPIRED, CLOSED             (the end)
 *
 * A session outlives its links. When a link goes, requests without a reply end
 * with MU_ECONNLOSS (requests not yet sent included), in order; watches are
 * kept and re-armed on the next link before anything else is sent (setWatches,
 * or setWatches2 when there is a persistent one; batches of at most 128 KiB,
 * all with the zxid seen when the link was lost). One-shot watches leave the
 * book when their event comes. Subscriptions are another matter: they belong to
 * one link and go with it; the application asks again, from where it got to.
 *
 * Times are CLOCK_MONOTONIC in ms, given with each call. With T the negotiated
 * timeout: a ping goes out when nothing was sent for T/3; a link that was
 * silent for 2T/3 is lost; a session not heard of for 4T/3 is expired (rule
 * 49), and the state is told with MU_ETIMEDOUT: no server has said so, and one
 * that was away itself may still have it (MU_EEXPIRED: a server said so); an
 * attempt to connect has T/hosts.
 */
#ifndef MU_CORE_LINK_H
#define MU_CORE_LINK_H

#include "proto.h"

enum mu_link_state {
	MU_LINK_IDLE,      /* waiting to try the next host */
	MU_LINK_OPENING,   /* the carrier connects */
	MU_LINK_HANDSHAKE, /* ConnectRequest is out */
	MU_LINK_REARMING,  /* setWatches are out */
	MU_LINK_CONNECTED,
	MU_LINK_EXPIRED, /* terminal */
	MU_LINK_CLOSED,  /* terminal: closed by us */
};

struct mu_link_config {
	uint32_t timeout_ms;      /* to ask for */
	uint32_t hosts;           /* how many there are to try, at least 1 */
	uint32_t outstanding_max; /* requests without a reply; default 1,000 */
	uint32_t packet_max;
	uint32_t first_host; /* where to begin; the shell draws it */
	/* To resume a session: its id and password; id 0: a new session. */
	int64_t session;
	uint8_t password[16];
	int64_t last_zxid;
	uint64_t seed; /* for the delay before a reconnect */
};

enum mu_link_action_kind {
	MU_LA_OPEN,  /* connect to host number `host` (a new carrier link) */
	MU_LA_SEND,  /* framed bytes to the open carrier link */
	MU_LA_SHUT,  /* drop the carrier link; nothing of it may be fed later */
	MU_LA_STATE, /* `state` and `rc` (why) changed */
	MU_LA_EVENT, /* a watch event */
	MU_LA_DONE,  /* a request ended: cookie, rc, zxid, body */
	MU_LA_CHANGE, /* a change event of a subscription */
};

struct mu_link_action {
	enum mu_link_action_kind kind;
	uint32_t host;
	enum mu_link_state state;
	int rc;          /* DONE, STATE: 0 or MU_E* */
	uint64_t cookie; /* DONE */
	int32_t op;      /* DONE: the operation that was asked */
	int64_t zxid;  /* DONE, EVENT, CHANGE: of the header; -1 if not told */
	int32_t event; /* EVENT: enum mu_node_event */
	struct mu_str path; /* EVENT */
	/* CHANGE. Its path and its origin, which is never null, have a NUL
	 * behind them. */
	const struct mu_change_event *change;
	const uint8_t *bytes; /* SEND: frames. DONE: the reply's body */
	size_t len;
};

/* SENDs that follow one another share one action up to here. */
#define MU_LINK_GATHER_MAX (64u * 1024u)

struct mu_link;

int mu_link_new(const struct mu_link_config *config, uint64_t now_ms,
                struct mu_link **out);
void mu_link_free(struct mu_link *l); /* NULL is allowed; tells nobody */

/* What the carrier saw. `message` is one carrier message: framed records. An
 * empty message is the broker's goodbye. */
void mu_link_on_open(struct mu_link *l, uint64_t now_ms);
void mu_link_on_message(struct mu_link *l, const void *message, size_t len,
                        uint64_t now_ms);
void mu_link_on_lost(struct mu_link *l, uint64_t now_ms);

/* Time passed. mu_link_deadline: when to call it next at the latest. */
void mu_link_tick(struct mu_link *l, uint64_t now_ms);
uint64_t mu_link_deadline(const struct mu_link *l);

/* What a request asks to be watched. */
struct mu_link_watch {
	struct mu_str path; /* at NULL: none */
	enum {
		MU_LW_DATA,
		MU_LW_EXIST,
		MU_LW_CHILD,
		MU_LW_PERSISTENT,
		MU_LW_RECURSIVE
	} kind;
};

/*
 * Ask. `body` is the request's record without its header (copied). Queued
 * until the link is CONNECTED. MU_LA_DONE with `cookie` comes exactly once, in
 * the order of the requests, unless this call fails. A watch enters the book
 * when its reply says that it was left (rule 29: exists leaves one on a missing
 * node too, as an exist watch).
 *
 * A link that never opened takes no request with it: what was asked while there
 * was none waits for the next.
 *
 * subscribe and unsubscribe are about one link, so they do not wait for another:
 * only a link that is CONNECTED takes them, with a server that has them. Each
 * CHANGE is told in its place among events and replies, as the broker sent it.
 *
 * Errors: MU_EFULL (outstanding_max), MU_ETOOBIG (over packet_max), MU_EEXPIRED
 * or MU_ECLOSED (terminal state, or closing), MU_ECONNLOSS (subscriptions: not
 * CONNECTED), MU_EUNIMPLEMENTED (subscriptions: features are too few),
 * MU_ENOMEM.
 */
int mu_link_request(struct mu_link *l, int32_t op, const void *body, size_t len,
                    const struct mu_link_watch *watch, uint64_t cookie,
                    uint64_t now_ms);

/* Close the session: closeSession goes out behind what is queued; CLOSED
 * follows its reply. STATE's rc is 0 where the broker has closed it. A link
 * that is not up is CLOSED at once, and the session left to its timeout (rule
 * 46). */
void mu_link_close(struct mu_link *l, uint64_t now_ms);

/* Take a watch out of the book (it is not re-armed, its events are dropped). */
void mu_link_unwatch(struct mu_link *l, struct mu_str path, int kind);

/* The next thing to do, in order; false when there is none. Bytes are borrowed
 * until the next mu_link_action. Running out of memory inside the machine ends
 * the link (STATE says MU_ENOMEM, requests MU_ECONNLOSS), never silently loses
 * an action. The next link is opened only when all actions were taken. */
bool mu_link_action(struct mu_link *l, struct mu_link_action *out);

/* Take over the memory that the action taken last points into (SEND, DONE,
 * EVENT, CHANGE): what it borrowed is the caller's, to be freed with mu_free.
 * NULL if there is none. An event's path has a NUL behind it. */
void *mu_link_take_bytes(struct mu_link *l);

struct mu_link_info {
	enum mu_link_state state;
	int64_t session; /* 0: none yet */
	uint8_t password[16];
	uint32_t timeout_ms; /* negotiated */
	int32_t features;    /* 0: a ZooKeeper */
	int64_t tree_id;     /* 0 where features is 0 */
	int64_t last_zxid;
	uint32_t host;
	uint32_t outstanding;
	uint32_t watches;
	bool resumed; /* the session is older than this link */
};
void mu_link_info(const struct mu_link *l, struct mu_link_info *out);

const char *mu_link_state_word(enum mu_link_state state);

#endif /* MU_CORE_LINK_H */
