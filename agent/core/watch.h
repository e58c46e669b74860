/*
 * watch.h - who wants to hear of which path. Rules 29 to 36 and 41.
 *
 * Pure. A watcher is a link (rule 41: watches belong to the connection), named
 * by the 32-bit number the shell gave it. A watch needs no node (rules 29, 35).
 * One registration per path and link holds a set of kinds, so a link is told
 * once per trigger however many kinds match (rules 30, 31, 33). 3.9's rule:
 * persistent and recursive on one path are both kept (rule 35).
 */
#ifndef MU_CORE_WATCH_H
#define MU_CORE_WATCH_H

#include "path.h"

enum mu_watch_kind {
	MU_WATCH_DATA = 1,       /* one shot: getData, exists */
	MU_WATCH_CHILD = 2,      /* one shot: getChildren */
	MU_WATCH_PERSISTENT = 4, /* addWatch mode 0 */
	MU_WATCH_RECURSIVE = 8,  /* addWatch mode 1 */
};

/* Event types on the wire (rule 22). */
enum mu_node_event {
	MU_NODE_CREATED = 1,
	MU_NODE_DELETED = 2,
	MU_NODE_DATA_CHANGED = 3,
	MU_NODE_CHILDREN_CHANGED = 4,
};

struct mu_watches;

/* key: 16 random bytes for the hash of paths. max: registrations (path, link)
 * that may be held at once. NULL when memory is out. */
struct mu_watches *mu_watches_new(const uint8_t key[16], uint32_t max);
void mu_watches_free(struct mu_watches *w);

/* Register `kinds` (an or of mu_watch_kind) of `link` on `path` (copied).
 * Kinds add up. Errors: MU_EFULL (max is reached), MU_ENOMEM. */
int mu_watches_add(struct mu_watches *w, uint32_t link, struct mu_str path,
                   unsigned kinds);

/* Take `kinds` of `link` on `path` away. MU_ENOWATCHER if none of them is
 * there. */
int mu_watches_remove(struct mu_watches *w, uint32_t link, struct mu_str path,
                      unsigned kinds);

/* The kinds that `link` holds on exactly `path`; 0: none. */
unsigned mu_watches_held(const struct mu_watches *w, uint32_t link,
                         struct mu_str path);

/* Forget all that a link holds. O(its registrations). */
void mu_watches_drop_link(struct mu_watches *w, uint32_t link);

/*
 * A change happened. Finds who is to be told, takes one-shot watches away, and
 * returns the links in *links (owned by w, valid until the next call on w):
 * those on the path itself in the order of their registration, then those on
 * its parent, and so on up. In ZooKeeper's terms (DataTree.java):
 *
 *   CREATED, DATA_CHANGED   data watches of path, persistent ones of path,
 *                           recursive ones of path and of every ancestor
 *   DELETED                 the same, and child watches of path; each once
 *   CHILDREN_CHANGED        child watches of path (the parent), persistent ones
 *                           of path; recursive ones never (rule 34)
 *
 * Returns how many; never fails, for the room is reserved by mu_watches_add.
 */
size_t mu_watches_trigger(struct mu_watches *w, struct mu_str path,
                          enum mu_node_event event, const uint32_t **links);

uint32_t mu_watches_count(const struct mu_watches *w);      /* registrations */
uint32_t mu_watches_path_count(const struct mu_watches *w); /* distinct */
uint64_t mu_watches_path_bytes(const struct mu_watches *w); /* of these */
uint32_t mu_watches_link_count(const struct mu_watches *w, uint32_t link);
uint32_t mu_watches_links(const struct mu_watches *w); /* that hold any */

/* Visit all registrations, those of one path together; or those of one link. In
 * no other promised order. `each` must not add or remove; path is borrowed. */
typedef void mu_watches_fn(void *arg, struct mu_str path, uint32_t link,
                           unsigned kinds);
void mu_watches_each(const struct mu_watches *w, mu_watches_fn *each,
                     void *arg);
void mu_watches_each_of(const struct mu_watches *w, uint32_t link,
                        mu_watches_fn *each, void *arg);

#endif /* MU_CORE_WATCH_H */
