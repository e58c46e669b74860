/*
 * zk_pipe.h - a client that is not in the way: some sessions over plain TCP, so many
 * requests outstanding in each, one thread.
 *
 * A request is encoded once and copied with another xid (and, where nodes are made or
 * deleted, another name); of a reply it looks at xid and error. Whatever is not as it
 * must be ends the bench.
 *
 * Session N has nodes of its own: /zkbench/sN with 100 bytes (get, exists, set),
 * /zkbench/sN/ten with ten children (getChildren), and below /zkbench/sN/made what
 * `create` makes with 100 bytes each (`multi`: twenty at a time) and `delete` takes away,
 * in the same order.
 */
#ifndef MU_BENCH_ZK_PIPE_H
#define MU_BENCH_ZK_PIPE_H

#include "proto.h"

#define ZK_SESSION_MS 60000 /* asked for by all sessions that just hold */
#define ZK_MULTI_CREATES 20 /* of one multi */

struct zk_pipe;

/* Dial, greet, make the nodes if they are not there. */
struct zk_pipe *zk_pipe_open(uint16_t port, unsigned sessions,
                             unsigned outstanding);
/* Close the sessions too. */
void zk_pipe_close(struct zk_pipe *p);

/* From now on a set is of the nodes that `create` and `multi` have made in that session
 * so far, of each in turn and of none beside the one before. */
void zk_pipe_scatter(struct zk_pipe *p);

/* Keep all outstanding for `ms`, or until `count` were answered where that is not
 * 0; a delete goes on until nothing is left. Replies a second. */
double zk_pipe_run(struct zk_pipe *p, enum mu_op op, unsigned ms,
                   uint32_t count);

/* One at a time on the first session, blocking, for `ms`: what each took. Returns
 * how many; at most `max`. */
size_t zk_pipe_one(struct zk_pipe *p, enum mu_op op, unsigned ms,
                   int64_t took[], size_t max);

#endif /* MU_BENCH_ZK_PIPE_H */
