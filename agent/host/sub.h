/*
 * sub.h - one subscription at work: a mirror, its watch and its reads. Lives on
 * the loop's thread.
 */
#ifndef MU_HOST_SUB_H
#define MU_HOST_SUB_H

#include "mirror.h"
#include "uplink.h"

struct mu_sub;

struct mu_sub_options {
	struct mu_loop *loop;
	struct mu_uplink *uplink;
	struct mu_mirror_limits limits;
	const char *path;
	enum mu_mirror_mode mode;
	const char *who;  /* for the log: borrowed for the sub's life */
	mu_mirror_fn *fn; /* may refuse: asked again a second later */
	void (*on_forget)(void *arg); /* the tree is another: what was told
	                                 holds no more; or NULL */
	void *arg;
};

/* Starts at once if the uplink is up. MU_EINVAL (path), MU_ENOMEM. */
int mu_sub_new(const struct mu_sub_options *o, struct mu_sub **out);
/* Tell fn of all that is held; see mu_mirror_present. */
int mu_sub_present(const struct mu_sub *s, mu_mirror_fn *fn, void *arg);
void mu_sub_free(struct mu_sub *s); /* NULL is allowed */

#endif /* MU_HOST_SUB_H */
