/*
 * zk_crowd.h - many sessions that mostly wait, in one thread: how fast they are set
 * up, and how fast all of them hear of a change.
 */
#ifndef MU_BENCH_ZK_CROWD_H
#define MU_BENCH_ZK_CROWD_H

#include <stdint.h>

#define ZK_CROWD_ASKING \
	32u /* handshakes at a time: ZooKeeper's backlog is 50 */

struct zk_crowd;

/* Dial and greet. *took_ns: from the first dial to the last answer. */
struct zk_crowd *zk_crowd_open(uint16_t port, unsigned count, int64_t *took_ns);
/* Close the sessions, and wait until they are. */
void zk_crowd_close(struct zk_crowd *c);

/* Let the first `count` read /crowd and watch it. */
void zk_crowd_watch(struct zk_crowd *c, unsigned count);
/* Change it, by another session: from the request until the last of their
 * notifications is there to be read, in ns. They are then read, outside of that
 * time: it is the server's and not ours. They do not watch any more. */
int64_t zk_crowd_change(struct zk_crowd *c, unsigned count);

#endif /* MU_BENCH_ZK_CROWD_H */
