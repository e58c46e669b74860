/*
 * zk_server.h - a real ZooKeeper for tests, as Debian's package has it: one
 * server, or an ensemble on loopback; own directories, free ports. It dies with
 * the test's process.
 *
 * A JVM takes a second or more to start: one for each test program, not for each
 * test.
 */
#ifndef MU_TEST_ZK_SERVER_H
#define MU_TEST_ZK_SERVER_H

#include "program.h"

#define ZK_SKIP_EXIT 77 /* run.sh: this program was skipped, and said why */

struct zk_server {
	struct program program;
	char dir[128]; /* holds zoo.cfg, data, log */
	char log[160];
	uint16_t port; /* for clients, on 127.0.0.1 */
};

/* False: java or ZooKeeper is missing, and one line on standard output says
 * "SKIPPED: " with `what` and how to install it. */
bool zk_is_installed(const char *what);

/* Start one server and wait until it answers; tick_ms 100 allows session
 * timeouts from 200 ms. `more`: lines of zoo.cfg to add, or NULL. */
void zk_server_start(struct zk_server *s, unsigned tick_ms, const char *more);

/* Start `count` servers that form an ensemble and wait until all serve. */
void zk_ensemble_start(struct zk_server s[], size_t count, unsigned tick_ms);

/* What `srvr` has behind "Mode: ": "standalone", "leader", "follower"; "" while
 * it does not serve. */
void zk_server_mode(const struct zk_server *s, char mode[16]);

/* For wait_for, of a struct zk_server: it does, or its program has ended. */
bool zk_server_serves_or_ended(void *server);

/* End it; a killed server keeps its directory until zk_server_free. */
void zk_server_stop(struct zk_server *s, int signum);
/* Start it again on its data and ports; does not wait for an ensemble. */
void zk_server_again(struct zk_server *s);
/* Stop it if it runs, and remove its directory. May be called when no test runs
 * any more: it asserts nothing. */
void zk_server_free(struct zk_server *s);

#endif /* MU_TEST_ZK_SERVER_H */
