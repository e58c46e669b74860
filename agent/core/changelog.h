/*
 * changelog.h - what was changed last, so that who was away is told what it
 * missed: a ring of transactions.
 *
 * Pure. One thread (the broker's loop) owns a log. It holds whole transactions,
 * at most so many changes and so many bytes of them: the oldest go for a new
 * one. What went is not hidden: the log knows from which position on it has
 * everything. Running out of memory is no error here: the log then begins anew,
 * behind the transaction that it could not take.
 *
 * A change is kept as the command noted it: its type, the ACL that the node had,
 * and the end of the change event as it goes over the wire (proto.h), so that
 * telling of it is a copy.
 */
#ifndef MU_CORE_CHANGELOG_H
#define MU_CORE_CHANGELOG_H

#include "proto.h"
#include "watch.h"

/* ---- one change ---- */

struct mu_noted {
	enum mu_node_event type;
	bool open;         /* every one may read the node: no ACL is kept */
	struct mu_vec acl; /* of the node at the event, or as it last was */
	struct mu_str path;
	/* What mu_put_change_tail wrote; the path alone where nothing more was
	 * captured. */
	struct mu_str tail;
};

/* Append a change: begin, then append the tail, which begins with the path, then
 * end with what begin gave. acl NULL: open. */
size_t mu_noted_begin(struct mu_buf *b, enum mu_node_event type,
                      const struct mu_vec *acl);
void mu_noted_end(struct mu_buf *b, size_t begin);

/* The next of the changes that were appended, borrowed from them; false at their
 * end. */
bool mu_noted_next(struct mu_in *walk, struct mu_noted *out);

/* ---- the log ---- */

struct mu_changelog;

/* An empty log that has all behind (0, -1). NULL when memory is out. */
struct mu_changelog *mu_changelog_new(void);
void mu_changelog_free(struct mu_changelog *l); /* NULL is allowed */

/* How much it may hold: changes (0: none), and bytes of memory. What is too much
 * goes at once. A new log may hold nothing. */
void mu_changelog_limit(struct mu_changelog *l, uint32_t changes,
                        uint64_t bytes);
bool mu_changelog_keeps(const struct mu_changelog *l); /* may it hold any? */

/* Forget all: the log has everything behind (zxid, n), which is nothing yet. */
void mu_changelog_start(struct mu_changelog *l, int64_t zxid, int32_t n);

/* The `count` changes in bytes[0..len) were made by transaction `zxid`, which is
 * above those before it. None: nothing happens. What cannot be held, by the
 * limits or by memory, takes with it all that is older. */
void mu_changelog_add(struct mu_changelog *l, int64_t zxid, uint32_t count,
                      const void *bytes, size_t len);

/* Has the log every change behind (zxid, n)? */
bool mu_changelog_reaches(const struct mu_changelog *l, int64_t zxid,
                          int32_t n);
/* How many changes that transaction made, if it was the last that made any or is
 * above it; -1: not known. */
int32_t mu_changelog_of(const struct mu_changelog *l, int64_t zxid);
/* The least such position. */
int64_t mu_changelog_floor(const struct mu_changelog *l, int32_t *n);

uint32_t mu_changelog_count(const struct mu_changelog *l); /* changes held */
uint64_t mu_changelog_bytes(const struct mu_changelog *l);

/* Walk through all behind (zxid, n), in order. Good until the log changes. */
struct mu_changelog_walk {
	const struct mu_changelog *l;
	uint64_t at; /* the transaction that `in` is of */
	struct mu_in in;
	int64_t zxid; /* where the last change stands */
	int32_t n;
};
void mu_changelog_seek(const struct mu_changelog *l, int64_t zxid, int32_t n,
                       struct mu_changelog_walk *w);
/* False: there is no more, and zxid and n have not moved. */
bool mu_changelog_next(struct mu_changelog_walk *w, struct mu_noted *out);

#endif /* MU_CORE_CHANGELOG_H */
