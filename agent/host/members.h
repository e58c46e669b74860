/*
 * members.h - the members of the cluster as this agent sees them, for the
 * instances that want to hear of them. Lives on the loop's thread.
 */
#ifndef MU_HOST_MEMBERS_H
#define MU_HOST_MEMBERS_H

#include "roll.h"
#include "sub.h"

struct mu_members;

struct mu_members_options {
	struct mu_loop *loop;
	struct mu_uplink *uplink;
	struct mu_mirror_limits limits;
	mu_roll_fn *fn; /* told of each coming and going */
	/* As of struct mu_sub_options, for all of the members; or NULL. A
	 * position is told when no coming or going waits any more. */
	void (*on_ready)(void *arg, bool quiet);
	void (*on_position)(void *arg, int64_t zxid, int32_t n);
	/* Comings and goings may be missing (MU_MIRROR_GAP); or NULL. */
	void (*on_gap)(void *arg, const struct mu_mirror_event *gap);
	void *arg;
};

/* Nothing is asked of the broker before mu_members_want. */
int mu_members_new(const struct mu_members_options *o, struct mu_members **out);
void mu_members_free(struct mu_members *m); /* NULL is allowed */

/*
 * Somebody wants to hear: begin to watch, if that is not done. from: what it has
 * had; NULL: nothing, it is to begin with those who are there. What is told is
 * told to all, from the smallest position that was asked for before the first
 * connection; so whoever asked for a later one passes over what it has had, and
 * whoever asked for none over what is `past`.
 * *resumes: false if the watch had begun already, too late to go back to `from`:
 * begin with those who are there. MU_ENOMEM.
 */
int mu_members_want(struct mu_members *m, const struct mu_sub_position *from,
                    bool *resumes);

/* What a member's record was as of `from`, which whoever wants to hear from there
 * has kept: a change of the past is told if it differs from that. To be called
 * right behind mu_members_want; where the past is told from before that, it is
 * passed over. MU_ENOMEM: more may be told than is new. */
int mu_members_was(struct mu_members *m, const struct mu_sub_position *from,
                   const struct mu_member *member);

/* Who is there now; see mu_roll_next. */
const struct mu_member *mu_members_next(const struct mu_members *m,
                                        const struct mu_member *after);

#endif /* MU_HOST_MEMBERS_H */
