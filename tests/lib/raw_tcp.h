/*
 * raw_tcp.h - a ZooKeeper client that sends whatever it is told to: a blocking TCP
 * socket of loopback, with a deadline on each call. What cannot go wrong in a sound
 * test fails the test.
 */
#ifndef MU_TEST_RAW_TCP_H
#define MU_TEST_RAW_TCP_H

#include "proto.h"

#define RAW_LIMIT_S 20

struct raw {
	int fd;
	int32_t xid; /* of the last request */
	int64_t session;
	int32_t timeout_ms;
	char password[16];
	struct mu_buf got; /* the last record */
	struct mu_reply_header reply;
	struct mu_in body; /* behind the header, in `got` */
};

enum { RAW_RECORD = 1, RAW_CLOSED = 0, RAW_RESET = -1, RAW_NOTHING = -2 };

/* -1: refused. */
int raw_dial(int port);
void raw_open(struct raw *r, int port);
void raw_close(struct raw *r);

/* All of it, or the peer has closed: false. */
bool raw_send(int fd, const void *p, size_t len);
/* All that comes until the peer closes, a NUL behind it; static, 1 MiB at most.
 * *how: RAW_CLOSED, RAW_RESET, RAW_NOTHING. */
const char *raw_all(int fd, size_t *len, int *how);
/* The next record into r->got. */
int raw_record(struct raw *r);
/* The same, with a reply header: into r->reply and r->body. */
int raw_reply(struct raw *r);

/* The handshake; session 0: a new one. timeout_ms, session and password are what
 * was answered. RAW_RECORD, or how it ended. */
int raw_greet(struct raw *r, int32_t timeout_ms);
/* Open, and a new session. */
void raw_session(struct raw *r, int port, int32_t timeout_ms);

/* Framed requests, appended; each takes the next xid. */
void raw_put_create(struct raw *r, struct mu_buf *b, const char *path,
                    const void *data, size_t len, int32_t mode);
void raw_put_path(struct raw *r, struct mu_buf *b, int32_t op, const char *path,
                  bool watch);
void raw_put_set(struct raw *r, struct mu_buf *b, const char *path,
                 const void *data, size_t len);
/* Send, and wait for the reply to the last of them; its error. */
int32_t raw_ask(struct raw *r, struct mu_buf *b);
int32_t raw_create(struct raw *r, const char *path, const void *data,
                   size_t len, int32_t mode);
int32_t raw_get(struct raw *r, const char *path, bool watch);

#endif /* MU_TEST_RAW_TCP_H */
