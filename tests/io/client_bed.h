/*
 * client_bed.h - the client library against a broker that says what the test
 * wants, over either carrier, and what the callbacks were told.
 */
#ifndef MU_TEST_CLIENT_BED_H
#define MU_TEST_CLIENT_BED_H

#include "clock.h"
#include "err.h"
#include "fake_broker.h"
#include "proto.h"
#include "watch.h"

#include <muster/client.h>

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_PATIENCE_MS 20000u

extern struct fake_broker broker;
extern struct mu_client *c;
extern struct mu_client_options options;
extern struct mu_err err;
extern char heard[16384]; /* what the callbacks were told */
extern bool threaded;     /* the broker has its own thread */

/* Fixtures. */
void setup_native(void);
void setup_tcp(void);
/* With a client, and a broker that needs no turns of ours. */
void setup_native_threaded(void);
void setup_tcp_threaded(void);
void teardown(void);

/* Of this carrier, where nobody listens. */
const char *dead_url(void);
/* A client of `broker`, with a chroot or none. */
void make(const char *suffix);
/* The broker gets a thread; teardown ends it. */
void start_thread(void);

/* fmt takes a word and a number. */
void hear(const char *fmt, const char *word, long long a);
bool was_heard(const char *what);
void on_done(struct mu_client *cc, const struct mu_result *r, void *arg);

/* The client by its descriptor and its time only, then the broker. */
void turn(void);
#define UNTIL(condition) \
	do { \
		uint64_t by_ = mu_clock_mono_ms() + CLIENT_PATIENCE_MS; \
		while (!(condition)) { \
			turn(); \
			ck_assert_msg(mu_clock_mono_ms() < by_, \
			              "never: " #condition "; heard: %s", \
			              heard); \
		} \
	} while (0)

struct mu_client_info info(void);
void go_connected(const char *suffix);
/* Turns of the broker alone. */
void broker_until(bool (*is)(void));

TCase *client_case(Suite *s, const char *name, void (*up)(void));
int client_run(Suite *s);

#endif /* MU_TEST_CLIENT_BED_H */
