/*
 * members.h - the members of the cluster as this agent sees them, for the
 * instances that want to hear of them. Lives on the loop's thread.
 */
#ifndef MU_HOST_MEMBERS_H
#define MU_HOST_MEMBERS_H

#include "roll.h"
#include "sub.h"

struct mu_members;

/* fn: told of each coming and going. Nothing is asked of the broker before
 * mu_members_want. */
int mu_members_new(struct mu_loop *loop, struct mu_uplink *uplink,
                   const struct mu_mirror_limits *limits, mu_roll_fn *fn,
                   void *arg, struct mu_members **out);
void mu_members_free(struct mu_members *m); /* NULL is allowed */

/* Somebody wants to hear: begin to watch, if that is not done. MU_ENOMEM. */
int mu_members_want(struct mu_members *m);

/* Who is there now; see mu_roll_next. */
const struct mu_member *mu_members_next(const struct mu_members *m,
                                        const struct mu_member *after);

#endif /* MU_HOST_MEMBERS_H */
