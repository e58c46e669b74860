/*
 * fake_broker.h - a broker that says what a test wants it to say: a ROUTER and
 * the codec, and no tree. One thread: fake_broker_turn when there may be something to
 * do; or fake_broker_start, which has a thread of its own do it until fake_broker_stop.
 *
 * Answers by path: a last part "missing" is no node, "null" has null data,
 * "bad" fails with MU_EBADVERSION; all else exists and holds "hello".
 */
#ifndef MU_TEST_FAKE_BROKER_H
#define MU_TEST_FAKE_BROKER_H

#include "buf.h"
#include "zsock.h"

#include <pthread.h>
#include <stdatomic.h>

struct fake_broker {
	struct mu_zsock *z;
	char url[256];
	struct mu_zpeer peer; /* who spoke last */
	bool has_peer;
	char log[8192];    /* "hello; getData /a watch; ..." of all that came */
	unsigned messages; /* carrier messages with records */
	unsigned goodbyes; /* empty messages */

	/* What it does. */
	atomic_bool mute;    /* answer nothing at all */
	atomic_bool hold;    /* answer only hello, pings, setWatches */
	atomic_bool refuse;  /* hello: the session has expired */
	atomic_bool leave;   /* hello: goodbye */
	atomic_bool garbage; /* hello: bytes of no protocol */
	atomic_bool cut;     /* replies lack their last byte */
	int32_t timeout_ms;

	int64_t zxid;
	struct mu_buf out;
	pthread_t thread;
	atomic_bool stop;
};

void fake_broker_open(struct fake_broker *f, const char *url);
void fake_broker_close(struct fake_broker *f);
/* Answer what is there; false if there was nothing. */
bool fake_broker_turn(struct fake_broker *f);
void fake_broker_start(struct fake_broker *f);
void fake_broker_stop(struct fake_broker *f);
/* To the one that spoke last. */
void fake_broker_event(struct fake_broker *f, int32_t type, const char *path);
void fake_broker_goodbye(struct fake_broker *f);

#endif /* MU_TEST_FAKE_BROKER_H */
