/*
 * invariant.h - what must hold after every step, given what has happened. Each
 * check fails the world with a sentence.
 *
 * A client's stream of events and replies is held against the history: every
 * reply carries the zxid R at which it was true, so what it says must be what
 * the history has at R, and every event at or before R that this client had
 * asked for must have come before it, once, in order.
 */
#ifndef SIM_INVARIANT_H
#define SIM_INVARIANT_H

#include "link.h"

#include "record.h"

/* ---- sessions, as the broker's host sees them ---- */

/* Something of the session reached the host; was handed to the store. */
void check_arrival(struct world *w, struct known_session *k, uint32_t wire);
void check_heard(struct world *w, const struct history *h,
                 struct known_session *k);
/* The store logged its expiry: not if it was heard of in time. */
void check_expiry(struct world *w, const struct known_session *k);
/* After a tick: nobody lives who was silent for longer than allowed. */
void check_overdue(struct world *w, const struct history *h);

/* ---- one client's stream ---- */

#define VIEW_BOOK_MAX 256u
#define VIEW_CATCHUP_MAX 512u

struct view_watch {
	uint32_t path;
	unsigned kinds; /* 1 << MU_LW_DATA and so on */
};

struct view {
	struct world *world;
	struct history *history;
	struct recorder *recorder;
	uint32_t client;
	int64_t session;
	enum mu_link_state state;
	int64_t seen;    /* the largest zxid of a reply */
	int64_t written; /* and of a write's */
	size_t settled;  /* changes before this are told, or not asked for */
	struct view_watch book[VIEW_BOOK_MAX];
	size_t book_count;
	struct {
		uint32_t path;
		int32_t type;
		bool due;           /* was to be expected */
	} caught[VIEW_CATCHUP_MAX]; /* catch-up events of this link */
	size_t caught_count;
};

/* A request without a reply. */
struct asked {
	uint64_t cookie;
	int32_t op;
	uint32_t path; /* 0: none, or several */
	int watch;     /* MU_LW_*; -1: none */
	int64_t after; /* its session's last write that was logged by then... */
	uint64_t losses; /* ...unless the broker has forgotten it since */
	struct recorded recorded;
};

/* A new link machine: it knows no watches. A resumed session goes on from what
 * it has seen. */
void view_start(struct view *v, bool resumed);
void view_state(struct view *v, enum mu_link_state state, int why,
                const struct mu_link_info *info);
void view_event(struct view *v, int32_t type, int64_t zxid, struct mu_str path);
void view_reply(struct view *v, const struct asked *q, int rc, int64_t zxid,
                const void *body, size_t len);
void view_unwatch(struct view *v, uint32_t path, int kind);

#endif /* SIM_INVARIANT_H */
