/*
 * sub.h - one subscription at work: a mirror, its watch and its reads. Lives on
 * the loop's thread.
 */
#ifndef MU_HOST_SUB_H
#define MU_HOST_SUB_H

#include "mirror.h"
#include "uplink.h"

struct mu_sub;

/* Behind a change: this one, and all before it, were handled. */
struct mu_sub_position {
	int64_t tree_id; /* of mu_uplink_up */
	int64_t zxid;
	int32_t n; /* INT32_MAX: the whole transaction */
};

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
	/* Go on behind this: copied; NULL: from what is there, as PRESENT. A
	 * broker with another tree, or one without subscriptions, makes it
	 * NULL; one that does not know any more what came since says so with
	 * MU_MIRROR_GAP, and then all that is there is PRESENT. */
	const struct mu_sub_position *from;
	/* All that is there was read for the first time, of this tree; or NULL.
	 * quiet: with `from`, and fn was told nothing of it (mu_sub_present
	 * tells it now); what came since follows. Else its PRESENTs went to fn.
	 */
	void (*on_ready)(void *arg, bool quiet);
	/* All events up to this one were handed to fn; or NULL. Not called for
	 * a position that an exact event has told already. */
	void (*on_position)(void *arg, int64_t zxid, int32_t n);
};

/* Starts at once if the uplink is up. MU_EINVAL (path), MU_ENOMEM. */
int mu_sub_new(const struct mu_sub_options *o, struct mu_sub **out);
/* Tell fn of all that is held; see mu_mirror_present. */
int mu_sub_present(const struct mu_sub *s, mu_mirror_fn *fn, void *arg);
/* Begin behind `from` instead, if it is an earlier one, or if there was none. No
 * more than one tree: false if that of `from` is another, or if a broker was
 * asked already; nothing has changed then. */
bool mu_sub_rewind(struct mu_sub *s, const struct mu_sub_position *from);
void mu_sub_free(struct mu_sub *s); /* NULL is allowed */

#endif /* MU_HOST_SUB_H */
