/*
 * roster.h - this host's own node in /members: made, kept, and made again after
 * whatever took it. Lives on the loop's thread.
 */
#ifndef MU_HOST_ROSTER_H
#define MU_HOST_ROSTER_H

#include "uplink.h"

#include <muster/plugin.h>

struct mu_roster;

/* self: texts borrowed for the roster's life. */
int mu_roster_new(struct mu_loop *loop, struct mu_uplink *uplink,
                  const struct mu_member *self, struct mu_roster **out);
void mu_roster_free(struct mu_roster *r); /* NULL is allowed */

bool mu_roster_is_registered(const struct mu_roster *r);
/* It was at some time, so that others may have seen this host. */
bool mu_roster_was_registered(const struct mu_roster *r);

/* How an instance of this host is (see states.h; NULL: there is none any more),
 * for the record. Written a second later, with all that was said until then. */
void mu_roster_instance(struct mu_roster *r, const char *instance,
                        const char *state);

/*
 * Last words, outside of the loop, each waiting at most timeout_ms a request.
 * _say_leaving writes the state "leaving" and keeps the session; MU_ENONODE: the
 * roll does not have this host. _leave takes the node away, having said in /left
 * that this was on purpose, and closes the session; it is no error if the node
 * was not there. MU_ECONNLOSS: there is no connection now.
 */
int mu_roster_say_leaving(struct mu_roster *r, uint32_t timeout_ms,
                          struct mu_err *err);
int mu_roster_leave(struct mu_roster *r, uint32_t timeout_ms,
                    struct mu_err *err);

#endif /* MU_HOST_ROSTER_H */
