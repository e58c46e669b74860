/*
 * subs.h - who is subscribed to which path, and who is to be told of a change.
 *
 * Pure. A subscription belongs to a link, named by the 32-bit number the shell
 * gave it, and has a number of the client's own on that link. It needs no node.
 * A change finds its subscriptions by path: those of the path itself, of its
 * parent and of each ancestor, and no others; without a look at ancestors where
 * nobody has subscribed to a subtree. What a subscription is told, and in what
 * order, is the store's business.
 */
#ifndef MU_CORE_SUBS_H
#define MU_CORE_SUBS_H

#include "watch.h"

struct mu_sub {
	uint32_t link;
	int32_t id;
	int32_t mode; /* enum mu_subscribe_mode */
	/* The event it was told last, or where it began; the owner's to move. */
	int32_t prev_n;
	int64_t prev_zxid;

	/* subs.c's own */
	uint32_t hash_next;
	uint32_t spot, holder;
	uint32_t spot_next, spot_prev;
	uint32_t link_next, link_prev;
};

struct mu_subs;

/* key: 16 random bytes for the hash of paths. NULL when memory is out. */
struct mu_subs *mu_subs_new(const uint8_t key[16]);
void mu_subs_free(struct mu_subs *t); /* NULL is allowed */

/* Add one, which the link must not have; path (legal) is copied. *out is good
 * until it is removed. MU_ENOMEM: nothing has changed. */
int mu_subs_add(struct mu_subs *t, uint32_t link, int32_t id,
                struct mu_str path, enum mu_subscribe_mode mode,
                struct mu_sub **out);

/* NULL: the link has none of that number. */
struct mu_sub *mu_subs_find(const struct mu_subs *t, uint32_t link, int32_t id);

void mu_subs_remove(struct mu_subs *t, struct mu_sub *sub);

/* Forget all that a link has. O(its subscriptions). */
void mu_subs_drop_link(struct mu_subs *t, uint32_t link);

/* The link of `sub` is told `len` bytes more of the transaction `zxid`; how many
 * that are of this transaction in all. */
uint64_t mu_subs_add_told(struct mu_subs *t, const struct mu_sub *sub,
                          int64_t zxid, size_t len);

uint32_t mu_subs_count(const struct mu_subs *t);
uint64_t mu_subs_path_bytes(const struct mu_subs *t); /* of distinct paths */
uint32_t mu_subs_link_count(const struct mu_subs *t, uint32_t link);

/* Does a subscription of this mode to `top` tell of such an event of `path`?
 *   exact     all events of top
 *   children  and created, deleted, data changed of its children
 *   subtree   and these of all below it */
bool mu_sub_fits(enum mu_subscribe_mode mode, struct mu_str top,
                 enum mu_node_event event, struct mu_str path);

/* All subscriptions that fit an event: those to the path itself first, then
 * those to its parent, and so on up; for each mode in the order in which they
 * were added. Do not add or remove meanwhile. */
struct mu_subs_walk {
	const struct mu_subs *t;
	struct mu_str path; /* where the walk is, from the event's path up */
	enum mu_node_event event;
	int level;     /* of the path: 0 itself, 1 its parent, 2 above */
	int mode;      /* whose list `next` is of */
	uint32_t spot; /* of path; 0: nobody has subscribed there */
	uint32_t next;
};
void mu_subs_match(const struct mu_subs *t, struct mu_str path,
                   enum mu_node_event event, struct mu_subs_walk *w);
struct mu_sub *mu_subs_next(struct mu_subs_walk *w); /* NULL at the end */

#endif /* MU_CORE_SUBS_H */
