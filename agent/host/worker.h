/*
 * worker.h - the agent at work: keeps this host on the roll and runs its plugins,
 * on a loop of its own, until a signal ends it. Signals that it handles may be
 * blocked before; no libuv or libzmq may have been in use in this process.
 */
#ifndef MU_HOST_WORKER_H
#define MU_HOST_WORKER_H

#include "agent_conf.h"

struct mu_worker_options {
	const char *file; /* that SIGHUP reads again; NULL: the defaults */
	const struct mu_agent_conf *conf; /* borrowed */
	int line; /* to the supervisor, see lifeline.h; the worker's to keep */
	bool again; /* one was at work before: what stands in the file now
	               takes effect as at SIGHUP */
};

/* Runs to the end; an enum mu_agent_exit. */
int mu_worker_run(const struct mu_worker_options *o);

/* A sentence into text if there is no directory of instances. */
bool mu_worker_lacks_conf_dir(const struct mu_agent_conf *conf, char *text,
                              size_t room);

#endif /* MU_HOST_WORKER_H */
