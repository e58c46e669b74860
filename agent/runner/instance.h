/*
 * instance.h - one configured use of a plugin: load it, call it, and make
 * whatever it answers into a code and a sentence that can be passed on.
 *
 * Runs on the runner's one thread. The plugin may crash, hang or exit in any of
 * these calls; they then do not return.
 */
#ifndef MU_RUNNER_INSTANCE_H
#define MU_RUNNER_INSTANCE_H

#include "hostcalls.h"

struct mu_instance {
	struct mu_hostcalls calls;
	struct mu_plugin plugin; /* what it exports */
	void *self;              /* the plugin's own */
	uint32_t cpu_max_s;      /* for each callback */
};

/*
 * Load `file` and see whether it may be called: nothing of it but constructors
 * has run after that. Errors as of mu_dso_load, mu_abi_adopt,
 * mu_abi_check_name and mu_hostcalls_hear_wake.
 */
int mu_instance_load(struct mu_instance *i, const char *file,
                     struct mu_err *err);

/*
 * The calls. A code that is no MU_E* one becomes MU_ESYSTEM; the sentence
 * always ends, fits a line, and is never empty on error. Settings that were asked
 * for as another type, or not at all by an init that succeeded, go to the log.
 * mu_instance_event writes to the record `e` was decoded from: texts and data get
 * their NUL. _tick and _check only where the plugin has them.
 */
int mu_instance_start(struct mu_instance *i, struct mu_err *err);
int mu_instance_event(struct mu_instance *i, const struct mu_chan_event *e,
                      struct mu_err *err);
int mu_instance_tick(struct mu_instance *i, struct mu_err *err);
int mu_instance_check(struct mu_instance *i, struct mu_err *err);
void mu_instance_end(struct mu_instance *i);

#endif /* MU_RUNNER_INSTANCE_H */
