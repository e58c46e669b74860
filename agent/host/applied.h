/*
 * applied.h - what instances report, written to /applied/<instance>/<member>.
 * Lives on the loop's thread. The newest report of an instance replaces one not
 * yet written; what a broken connection or a lost tree took is written again.
 *
 *     {"path","zxid","version","digest","state","reason","at",
 *      "in_force":{"path","digest","zxid","version","at"},
 *      "also_in_force":[{"path","zxid","version"}]}
 *
 * in_force is what the instance reported as applied last, on this host: of one that
 * is applied the same, of one that was refused the good one before it. It outlives
 * the agent in that very record. It is absent where there was none.
 *
 * also_in_force are the other nodes that are there and were reported as applied by
 * the instance as this agent has it configured, the last one first: so an instance
 * that makes one thing of several nodes reports on each of them in turn. It is
 * absent where there are none. Each begin forgets them.
 */
#ifndef MU_HOST_APPLIED_H
#define MU_HOST_APPLIED_H

#include "chan.h"
#include "uplink.h"

#define MU_REPORT_TEXT_MAX 4096u /* bytes of each text in a report */
/* Nodes of an instance that are remembered; beyond it, those put in force last. */
#define MU_APPLIED_NODES_MAX 100u

struct mu_applied;

/* member: name of this host; borrowed. MU_ENOMEM. */
int mu_applied_new(struct mu_loop *loop, struct mu_uplink *uplink,
                   const char *member, struct mu_applied **out);
void mu_applied_free(struct mu_applied *a); /* NULL is allowed */

/* MU_ETOOBIG: a text over the limit; MU_ENOMEM. What was reported before is
 * then still on its way. */
int mu_applied_report(struct mu_applied *a, const char *instance,
                      const struct mu_chan_report *r);

/* This instance begins, be it with other settings or in another tree: of several
 * nodes that it put in force before, only the last one is known still. */
void mu_applied_begin(struct mu_applied *a, const char *instance);

/* This instance is no more: take away what it reported, now or at the next
 * connection to this tree. An error is logged and left at that. Its next report,
 * if it comes back, is as any. */
void mu_applied_remove(struct mu_applied *a, const char *instance);

#endif /* MU_HOST_APPLIED_H */
