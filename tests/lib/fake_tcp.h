/*
 * fake_tcp.h - the plain TCP side of the fake broker: a listener on loopback and
 * the connection that came last. Whole frames come out, any bytes go in. One
 * thread; blocking nowhere but in a send that the other side does not read.
 */
#ifndef MU_TEST_FAKE_TCP_H
#define MU_TEST_FAKE_TCP_H

#include "buf.h"

#include <stdint.h>

struct fake_tcp {
	int listener, conn; /* conn: -1 without one */
	uint16_t port;
	struct mu_buf in;
	size_t used;      /* of in: handed out by the call before */
	bool fresh;       /* nothing was handed out of this connection yet */
	unsigned accepts; /* connections that came */
	unsigned ends;    /* connections that the other side closed */
};

/* On 127.0.0.1, or ::1; port 0: any. False where there is no such address. */
bool fake_tcp_open(struct fake_tcp *t, bool v6, uint16_t port);
void fake_tcp_close(struct fake_tcp *t);
/* Wait for something to do, at most wait_ms. */
void fake_tcp_wait(const struct fake_tcp *t, int wait_ms);
/* Take a connection if one waits; closes the one before. */
bool fake_tcp_accept(struct fake_tcp *t);
/* The whole frames that came (borrowed until the next call); false if there are
 * none. */
bool fake_tcp_recv(struct fake_tcp *t, const uint8_t **frames, size_t *len);
/* In pieces of `piece` bytes, each a packet of its own; 0: all at once. What the
 * other side does not want is forgotten. */
void fake_tcp_send(struct fake_tcp *t, const void *bytes, size_t len,
                   size_t piece);
/* Close the connection. */
void fake_tcp_hang_up(struct fake_tcp *t);

#endif /* MU_TEST_FAKE_TCP_H */
