/*
 * fake_broker.h - a broker that says what a test wants it to say: a carrier and
 * the codec, and no tree. Over zookeeper:// it is a ZooKeeper 3.8: features 0,
 * notifications without a zxid. One thread: fake_broker_turn when there may be something to
 * do; or fake_broker_start, which has a thread of its own do it until fake_broker_stop.
 *
 * Answers by path: a last part "missing" is no node, "null" has null data,
 * "bad" fails with MU_EBADVERSION; all else exists and holds "hello".
 */
#ifndef MU_TEST_FAKE_BROKER_H
#define MU_TEST_FAKE_BROKER_H

#include "buf.h"
#include "fake_tcp.h"
#include "proto.h"
#include "zsock.h"

#include <pthread.h>
#include <stdatomic.h>

struct fake_broker {
	struct mu_zsock *z;  /* NULL over TCP */
	struct fake_tcp tcp; /* over zookeeper:// */
	char url[256];
	struct mu_zpeer peer; /* who spoke last */
	bool has_peer;
	char log[8192];    /* "hello; getData /a watch; ..." of all that came */
	unsigned messages; /* carrier messages with records */
	unsigned goodbyes; /* empty messages; over TCP, ends of connections */

	/* What it does. */
	atomic_bool mute;      /* answer nothing at all */
	atomic_bool hold;      /* answer only hello, pings, setWatches */
	atomic_bool refuse;    /* hello: the session has expired */
	atomic_bool leave;     /* hello: goodbye */
	atomic_bool garbage;   /* hello: bytes of no protocol */
	atomic_bool cut;       /* replies lack their last byte */
	atomic_bool deaf;      /* TCP: read nothing more */
	size_t piece;          /* TCP: bytes a packet; 0: as it comes */
	unsigned refuse_reads; /* so many more, with: */
	int refuse_with;
	unsigned refused; /* such reads, so far */
	int32_t timeout_ms;
	int32_t features; /* that it answers with */
	/* How the next subscribe is answered, and the changes, with their
	 * frames, which are told before. */
	struct mu_subscribe_reply subscribed;
	struct mu_buf caught_up;

	int64_t zxid;
	struct mu_buf out;
	pthread_t thread;
	atomic_bool stop;
};

/* url: "tcp://127.0.0.1:*" or ipc for ZeroMQ, "zookeeper://" for TCP on any port
 * of 127.0.0.1. */
void fake_broker_open(struct fake_broker *f, const char *url);
void fake_broker_close(struct fake_broker *f);
/* To wait on; one of them over TCP, where the connection is another. */
void fake_broker_wait(struct fake_broker *f, int wait_ms);
/* Answer what is there; false if there was nothing. */
bool fake_broker_turn(struct fake_broker *f);
void fake_broker_start(struct fake_broker *f);
void fake_broker_stop(struct fake_broker *f);
/* To the one that spoke last. */
void fake_broker_event(struct fake_broker *f, int32_t type, const char *path);
void fake_broker_change(struct fake_broker *f, const struct mu_change_event *e);
/* The same at the end of *b, which may be caught_up. */
void fake_broker_put_change(struct mu_buf *b, const struct mu_change_event *e);
void fake_broker_goodbye(struct fake_broker *f);

#endif /* MU_TEST_FAKE_BROKER_H */
