/*
 * peer.h - a client of a broker that sends whatever it is told to, over either
 * carrier: framed records go in, records come out, and the broker may end the
 * link. Blocking, with a deadline on each call. What cannot go wrong in a sound
 * test fails the test.
 */
#ifndef MU_TEST_PEER_H
#define MU_TEST_PEER_H

#include "jute.h"
#include "raw_tcp.h"
#include "zsock.h"

enum peer_carrier { PEER_NATIVE, PEER_TCP };
enum { PEER_RECORD = 1, PEER_ENDED = 0 };

struct peer {
	enum peer_carrier carrier;
	bool ended; /* by the broker */
	struct raw tcp;
	struct mu_zsock *z;
	struct mu_zmsg message;
	struct mu_in rest; /* of the message: records not handed out yet */
};

/* "tcp://127.0.0.1:7400", "ipc:///path"; for TCP "zookeeper://127.0.0.1:2181". */
void peer_open(struct peer *p, const char *url);
/* Goodbye, where the carrier has one. */
void peer_close(struct peer *p);
/* Framed records, in one message or one write. False: the broker has ended the
 * link. */
bool peer_send(struct peer *p, const void *framed, size_t len);
/* The next record, without its length, good until the next call: PEER_RECORD, or
 * PEER_ENDED; neither within the deadline fails the test. */
int peer_record(struct peer *p, struct mu_str *record);

#endif /* MU_TEST_PEER_H */
