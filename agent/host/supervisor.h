/*
 * supervisor.h - the main process of the agent: starts the worker, a child that
 * is a copy of this process as it was before anything of libzmq or the loop was
 * set up, and starts it again when it ends. One thread, no event loop.
 *
 *     systemd <- READY, STOPPING, WATCHDOG -- supervisor -- signals --> worker
 *                                                        <-- words --
 *
 * The worker dies with the supervisor (PDEATHSIG). The lock of runtime_dir is
 * held by both and bears the supervisor's pid, so that signals go to it, also
 * while no worker lives, and that no next agent starts before both are gone.
 */
#ifndef MU_HOST_SUPERVISOR_H
#define MU_HOST_SUPERVISOR_H

#include "agent_conf.h"

/* Runs to the end; an enum mu_agent_exit. `file` (NULL: the defaults) is where
 * conf came from. */
int mu_supervisor_run(const char *file, const struct mu_agent_conf *conf);

#endif /* MU_HOST_SUPERVISOR_H */
