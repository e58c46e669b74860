/*
 * parting.h - the last words of a host. With a client handle that is connected
 * (the worker's), or of a host whose worker cannot speak any more: a process of
 * the supervisor's takes up the session that was kept. Waits for its answers.
 */
#ifndef MU_HOST_PARTING_H
#define MU_HOST_PARTING_H

#include "agent_conf.h"

#include <muster/client.h>

/* Take the node /members/<name> away, as it stands in *stat, having said in
 * /left/<name> that this is on purpose: others hear that the host left. Each
 * request waits at most timeout_ms. Errors as of muster/client.h. */
int mu_parting_leave(struct mu_client *c, const char *name,
                     const struct mu_stat *stat, uint32_t timeout_ms,
                     struct mu_err *err);

enum mu_parting_how {
	MU_PARTING_FAILED,  /* close the session: others hear that it failed */
	MU_PARTING_LEAVING, /* write the state "leaving", keep the session */
	MU_PARTING_LEFT,    /* as --leave: off the roll, the session closed */
};

/* Nothing to say is well, too: no session was kept for these brokers, or it has
 * ended since. MU_ETIMEDOUT: no broker could be reached, with what was tried. */
int mu_parting(const struct mu_agent_conf *conf, enum mu_parting_how how,
               struct mu_err *err);

#endif /* MU_HOST_PARTING_H */
