/*
 * ephemerals.h - the ephemeral nodes that instances asked for: they belong to
 * the agent's session, and go when the runner goes that they were made for.
 * Lives on the loop's thread.
 *
 * A node is deleted only if it is still the one that was made: of our session,
 * and of the czxid that the broker told. Without a broker it waits until there
 * is one; when the session is another one, all have gone with the old one. What is
 * held stands in a file too (ephemerals_file.h): the next agent, if it takes up
 * the session after a restart or a crash of this one, has them as left over.
 *
 * While an instance is upgraded (upgrade.h) it has two runners for a moment. What
 * the new one makes goes if that one goes. What the old one made is the new one's
 * when it makes it again, be the node there already; the rest is left over when
 * the old one has ended, and goes some time after.
 */
#ifndef MU_HOST_EPHEMERALS_H
#define MU_HOST_EPHEMERALS_H

#include "uplink.h"

#define MU_EPHEMERALS_MAX 1000u      /* of an instance */
#define MU_EPHEMERALS_PATH_MAX 1024u /* bytes; each is kept, and in a file */

struct mu_ephemerals;

struct mu_ephemerals_options {
	struct mu_loop *loop;
	struct mu_uplink *uplink;
	const char *runtime_dir;    /* where the file is; borrowed */
	void (*on_gone)(void *arg); /* some are deleted, or will not be */
	void *arg;
};

/* MU_ENOMEM. */
int mu_ephemerals_new(const struct mu_ephemerals_options *o,
                      struct mu_ephemerals **out);
void mu_ephemerals_free(struct mu_ephemerals *e); /* NULL is allowed */

/* Which runner of an instance asks: the one it has, or the one that is to take
 * its place. */
enum mu_ephemerals_of { MU_OF_THIS = 1, MU_OF_NEXT = 2 };

/*
 * A request to create `path` for `instance` is about to go out: remember it, for
 * its answer may never come. MU_EAGAIN: the one that was there is being deleted;
 * ask again after on_gone. MU_EFULL: MU_EPHEMERALS_MAX. MU_ETOOBIG:
 * MU_EPHEMERALS_PATH_MAX. MU_ENOMEM.
 */
int mu_ephemerals_add(struct mu_ephemerals *e, const char *instance,
                      const char *path, enum mu_ephemerals_of of);
/* Does the instance hold this node from a runner before that one? */
bool mu_ephemerals_is_left(const struct mu_ephemerals *e, const char *instance,
                           const char *path, enum mu_ephemerals_of of);
/* Its answer (MU_EAGAIN: it was not sent); czxid of the node if rc is 0, 0 if that
 * is not known. What was not made is forgotten; what may have been made is not. */
void mu_ephemerals_made(struct mu_ephemerals *e, const char *instance,
                        const char *path, int rc, int64_t czxid);
/* The instance has deleted it itself. */
void mu_ephemerals_removed(struct mu_ephemerals *e, const char *instance,
                           const char *path);
/* Its runner has ended: delete what it has made, but what the next one has, too. */
void mu_ephemerals_end(struct mu_ephemerals *e, const char *instance);
/* The next one has, or is called off: delete what it alone has made. */
void mu_ephemerals_end_next(struct mu_ephemerals *e, const char *instance);
/* The next one is the runner now. What it has not made is left over. */
void mu_ephemerals_pass(struct mu_ephemerals *e, const char *instance);
/* Are there any left over, be it from an agent before this one? */
bool mu_ephemerals_has_left(const struct mu_ephemerals *e,
                            const char *instance);
/* Delete what is left over. */
void mu_ephemerals_settle(struct mu_ephemerals *e, const char *instance);

/* Those that are left over of instances that are no more go. */
void mu_ephemerals_only(struct mu_ephemerals *e,
                        bool (*is_known)(void *arg, const char *instance),
                        void *arg);
/* The agent ends, and keeps its session: what is there is the next one's. */
void mu_ephemerals_stay(struct mu_ephemerals *e);

/* True while deletions are under way, with a broker there to do them. */
bool mu_ephemerals_is_busy(const struct mu_ephemerals *e);

#endif /* MU_HOST_EPHEMERALS_H */
