/*
 * plugins.h - all instances of this agent: started, stopped, exchanged when
 * conf.d/ changes, and told what concerns them all. Lives on the loop's thread.
 */
#ifndef MU_HOST_PLUGINS_H
#define MU_HOST_PLUGINS_H

#include "hosted.h"

struct mu_plugins;

struct mu_plugins_options {
	struct mu_loop *loop;
	struct mu_uplink *uplink;
	const struct mu_agent_conf *agent;
	void (*on_stopped)(void *arg); /* all, after mu_plugins_stop */
	void *arg;
	struct mu_roster *roster; /* is told how each is */
};

/* MU_ENOMEM. No instance is there. */
int mu_plugins_new(const struct mu_plugins_options *o, struct mu_plugins **out);
void mu_plugins_free(struct mu_plugins *p); /* NULL is allowed */

/* Make the instances be those of `confs`, which is emptied: new ones start, those
 * that are not in it stop, changed ones stop and start anew, the others go on
 * untouched. */
void mu_plugins_apply(struct mu_plugins *p, struct mu_instance_confs *confs);

/* Stop all; on_stopped is called from the loop when the last has ended, or past
 * stop_grace_ms and 2 s: what was killed and has not ended by then is left to the
 * kernel. Not for good: the session is kept, and nodes of plugins stay for the next agent. */
void mu_plugins_stop(struct mu_plugins *p, bool for_good);

#endif /* MU_HOST_PLUGINS_H */
