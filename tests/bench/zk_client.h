/*
 * zk_client.h - what a program sees that uses ZooKeeper's own C client: the threaded
 * library, loaded and not linked, so that the build does not need it.
 */
#ifndef MU_BENCH_ZK_CLIENT_H
#define MU_BENCH_ZK_CLIENT_H

#include "zk_sides.h"

#define ZK_LAPS_MAX 20000
#define ZK_KILLS 20
#define ZK_KILL_TIMEOUT_MS 1000

enum zk_call { ZK_GET, ZK_SET, ZK_WATCH, ZK_CALLS };

/* False: it is not installed, and a line on standard output says so. */
bool zk_client_load(void);

/* Two sessions to a server: one calls, one watches. */
struct zk_caller;
struct zk_caller *zk_caller_open(uint16_t port);
void zk_caller_close(struct zk_caller *c);
/* Call again and again for `ms`, one at a time; each took. ZK_WATCH: a set, until the
 * other session's callback. Returns how many. */
size_t zk_caller_laps(struct zk_caller *c, enum zk_call call, unsigned ms,
                      int64_t took[], size_t max);

/* On both at once: processes that hold an ephemeral node each are killed, at all
 * phases of their heartbeats. took: until a watcher's callback, ns. */
void zk_client_crash(const struct zk_sides *s,
                     int64_t took[ZK_SIDES][ZK_KILLS]);
/* Such a process: holds until killed. Returns only if it cannot. */
int zk_client_hold(const char *host, const char *path);

#endif /* MU_BENCH_ZK_CLIENT_H */
