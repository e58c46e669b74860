/*
 * serve.h - the life of a runner: START, READY, then EVENT, TICK or CHECK and
 * their ACK, WAKE, STOP.
 */
#ifndef MU_RUNNER_SERVE_H
#define MU_RUNNER_SERVE_H

#include "channel.h"

#include <sys/types.h>

enum mu_runner_exit {
	MU_RUNNER_DONE = 0,    /* STOP, or the agent has ended */
	MU_RUNNER_USAGE = 2,   /* not started by an agent */
	MU_RUNNER_REFUSED = 3, /* the plugin cannot run; READY said why */
	MU_RUNNER_TROUBLE = 4, /* out of memory, or the agent made no sense */
};

/* Run one instance, as the agent at the other end of the channel says, until
 * the end: an enum mu_runner_exit. `parent` is getppid() as it was when main
 * began. rounds: 0, or begin and end it that many times and tell in READY what
 * that left behind; see rounds.h. */
int mu_serve(struct mu_channel *c, pid_t parent, unsigned rounds);

#endif /* MU_RUNNER_SERVE_H */
