/*
 * crowd.h - many sessions at once over the broker's plain TCP port, by one thread:
 * non-blocking sockets that greet, send what they are told and count what comes.
 */
#ifndef MU_TEST_CROWD_H
#define MU_TEST_CROWD_H

#include "buf.h"
#include "program.h"

struct crowd_one {
	int fd;       /* -1: closed */
	bool up;      /* it has been greeted */
	bool refused; /* the greeting said that its session is gone */
	bool deaf;    /* nothing of it is read */
	int64_t session;
	char password[16];
	struct mu_buf in, out;
	int32_t xid;      /* of the last request */
	int32_t answered; /* of the last answer */
	int32_t err;      /* of that */
	uint32_t answers, pongs, events;
	int64_t sent_us; /* when the last request went out */
	int64_t took_us; /* how long the last answer took */
};

struct crowd {
	struct crowd_one *one;
	size_t count;
	int epoll;
	uint16_t port;
	uint32_t timeout_ms;
};

int64_t now_us(void);

/* `count` members without a connection. */
void crowd_open(struct crowd *c, uint16_t port, size_t count,
                uint32_t timeout_ms);
void crowd_close(struct crowd *c);
/* Connect member i and greet: a new session, or the one that it had. deaf_bytes:
 * its receive buffer, and nothing of it is read once it is up; 0: it reads. */
void crowd_dial(struct crowd *c, size_t i, int deaf_bytes);
/* Dial all, and wait until all are up; how many are. */
size_t crowd_up(struct crowd *c, uint32_t limit_ms);
size_t crowd_count_up(const struct crowd *c);
/* Close its socket without a word. */
void crowd_drop(struct crowd *c, size_t i);

/* Requests: sent as far as the socket takes them, the rest in later turns. */
void crowd_ping(struct crowd *c, size_t i);
void crowd_create(struct crowd *c, size_t i, const char *path, int32_t mode);
void crowd_set(struct crowd *c, size_t i, const char *path, const void *data,
               size_t len);
void crowd_get(struct crowd *c, size_t i, const char *path);
void crowd_watch(struct crowd *c, size_t i, const char *path);
/* Requests of it without an answer. */
uint32_t crowd_waits(const struct crowd_one *o);

/* Wait up to wait_ms for something to come, and take it. */
void crowd_turn(struct crowd *c, int wait_ms);
/* Turn until nobody (who is not deaf) waits for an answer; false past the limit. */
bool crowd_settle(struct crowd *c, uint32_t limit_ms);

#endif /* MU_TEST_CROWD_H */
