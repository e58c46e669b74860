/*
 * zk_sides.h - the two servers that are held against each other, fresh, on loopback,
 * their data below one temporary directory.
 *
 * ZooKeeper as Debian has it, with the heap that its zkServer.sh gives it (1000 MB),
 * the JVM's own choice of everything else, fsync on, one data directory for snapshots
 * and log. The broker with the configuration it ships with, but for the limits on
 * numbers of links.
 */
#ifndef MU_BENCH_ZK_SIDES_H
#define MU_BENCH_ZK_SIDES_H

#include "cluster.h"
#include "zk_server.h"
#include "zk_table.h"

#define ZK_TICK_MS 500

struct zk_sides {
	const char *name[ZK_SIDES];
	uint16_t port[ZK_SIDES];
	pid_t pid[ZK_SIDES];
	bool is_durable; /* the broker: its log does not say that it is not */
	struct cluster cluster; /* its directory holds everything */
	struct zk_server zk;
};

void zk_sides_start(struct zk_sides *s);
void zk_sides_stop(struct zk_sides *s);

/* For wait_for: somebody listens on this port of 127.0.0.1, a uint16_t. */
bool is_listening(void *port);

/* Resident memory of a process. */
double rss_mib(pid_t pid);
/* Processor time that a process, or this thread, has used, in seconds. */
double cpu_s(pid_t pid);
double own_cpu_s(void);

#endif /* MU_BENCH_ZK_SIDES_H */
