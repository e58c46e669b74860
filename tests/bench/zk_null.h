/*
 * zk_null.h - a server that does nothing, on the libuv that the broker is on: it cuts
 * what comes into frames and answers each with a constant of the right size; whoever
 * asked to watch is told of the next set of anything. No tree, no sessions, no limits:
 * what is left is what reading, framing and writing cost.
 */
#ifndef MU_BENCH_ZK_NULL_H
#define MU_BENCH_ZK_NULL_H

#include <stdint.h>

/* Serve on this port of 127.0.0.1 until killed; returns only if it cannot. */
int zk_null_serve(uint16_t port);

#endif /* MU_BENCH_ZK_NULL_H */
