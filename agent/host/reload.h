/*
 * reload.h - hears of /reload/<instance>: somebody wants the process of that
 * instance exchanged (muster plugin reload), here or on all hosts. Its value is
 * JSON: {host or "", at_ms, by}. Lives on the loop's thread.
 */
#ifndef MU_HOST_RELOAD_H
#define MU_HOST_RELOAD_H

#include "sub.h"

struct mu_reload;

struct mu_reload_options {
	struct mu_loop *loop;
	struct mu_uplink *uplink;
	struct mu_mirror_limits limits;
	const char *host; /* our name; borrowed */
	/* why: for the log. */
	void (*fn)(void *arg, const char *instance, const char *why);
	void *arg;
};

/* What stands there already was meant for processes before. MU_ENOMEM. */
int mu_reload_new(const struct mu_reload_options *o, struct mu_reload **out);
void mu_reload_free(struct mu_reload *r); /* NULL is allowed */

#endif /* MU_HOST_RELOAD_H */
