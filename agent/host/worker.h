/*
 * worker.h - the agent at work: keeps this host on the roll and runs its plugins,
 * on a loop of its own, until a signal ends it.
 */
#ifndef MU_HOST_WORKER_H
#define MU_HOST_WORKER_H

#include "agent_conf.h"

/* Runs to the end; an enum mu_agent_exit. `file` (NULL: the defaults) is what
 * SIGHUP reads again; conf is borrowed, what *instances holds is taken. */
int mu_worker_run(const char *file, const struct mu_agent_conf *conf,
                  struct mu_instance_confs *instances);

/* A sentence into text if there is no directory of instances. */
bool mu_worker_lacks_conf_dir(const struct mu_agent_conf *conf, char *text,
                              size_t room);

#endif /* MU_HOST_WORKER_H */
