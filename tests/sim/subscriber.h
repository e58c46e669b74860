/*
 * subscriber.h - a client that does nothing but subscribe, on wires of its own,
 * without a link machine: what it is told is held against the history, change by
 * change and byte by byte.
 *
 * It has a new session on every wire and goes on from where it got to. Of each
 * interest it knows the next change that it has not been told of: what is passed
 * over must not fit, and what is told must be the next that does. A gap is
 * allowed where it is announced and where there was need of it.
 */
#ifndef SIM_SUBSCRIBER_H
#define SIM_SUBSCRIBER_H

#include "history.h"

struct sim;

#define SUBSCRIBER_INTERESTS 3u

struct interest {
	int32_t id; /* a new one each time that it is asked for */
	int32_t mode;
	uint32_t path;
	bool stands;
	int64_t zxid; /* all up to here was told; -1: nothing is known */
	int32_t n;
	int64_t prev_zxid; /* what the next event must be behind */
	int32_t prev_n;
	size_t at;     /* of the history's changes: the next */
	uint32_t boot; /* of the broker, when it was last heard */
};

struct subscriber {
	struct sim *sim;
	uint32_t number; /* of its wires' client */
	uint32_t life;
	uint32_t wire; /* 0: none */
	bool up;       /* has a session */
	bool left;     /* for good */
	uint64_t heard_ms;
	int32_t xid;
	int32_t next_id;  /* of a subscription */
	int32_t first_id; /* of this wire */
	int asking;       /* the interest whose answer is awaited; -1: none */
	struct interest interests[SUBSCRIBER_INTERESTS];
};

void subscriber_init(struct subscriber *u, struct sim *s, uint32_t number);

/* From the wires. */
void subscriber_opened(struct subscriber *u, uint32_t wire);
void subscriber_hear(struct subscriber *u, uint32_t wire, const void *p,
                     size_t len);
void subscriber_lost(struct subscriber *u, uint32_t wire);

/* Once all is healed: everything stands, and all was told. */
void subscriber_check_end(struct subscriber *u, int64_t zxid);
/* Close its session, for good. */
void subscriber_leave(struct subscriber *u);

#endif /* SIM_SUBSCRIBER_H */
