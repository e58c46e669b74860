/*
 * keep.h - what the agent remembers on disk of its instances, in
 * state_dir/instances. Lives on the loop's thread; the disk is another thread's
 * (io/saver.h), which nobody waits for but the end of the agent.
 *
 *     <instance>.cursor   how far it has handled what it asked for; 20 ms after
 *                         it moved, and at the end
 *     <instance>.cache    the last known good state: taken every 5 s at most (a
 *                         small one four times a second, for what came since is
 *                         told again after a start without a broker), and at the
 *                         end; written when all that it holds is handled
 *     clean               the agent ended well: all that was given and handled
 *                         stands in the cursors
 *
 * A file that is damaged, or of another version, is renamed <file>.damaged, told
 * of in the log, and not used. What the disk refuses is told once, and stops
 * nothing.
 */
#ifndef MU_HOST_KEEP_H
#define MU_HOST_KEEP_H

#include "cache.h"
#include "loop.h"
#include "mailbox.h"

#define MU_KEEP_CURSOR_MS 20u
#define MU_KEEP_CACHE_MS 5000u
#define MU_KEEP_SMALL_MS 250u      /* a cache that is not larger than: */
#define MU_KEEP_SMALL (64u * 1024) /* bytes */
#define MU_KEEP_FLUSH_MS 2000u /* the end of the agent waits so long for it */
#define MU_KEEP_FILE_MAX (512u * 1024 * 1024) /* bytes; beyond: not kept */

struct mu_keep; /* of one agent */
struct mu_kept; /* of one instance */

struct mu_keep_options {
	struct mu_loop *loop;
	const char *state_dir;
	uint32_t brokers; /* mu_brokers_hash */
};

/* MU_ENOMEM. A directory that is not there, or not to be written, is no error. */
int mu_keep_new(const struct mu_keep_options *o, struct mu_keep **out);
/* Writes what is not written yet. All of it must be closed. NULL is allowed. */
void mu_keep_free(struct mu_keep *k);

/* The agent before this one ended well: what its cursors do not cover was not
 * given to anybody, but for the one event of mu_kept_failed. */
bool mu_keep_was_clean(const struct mu_keep *k);

/* Something was handled that the cursors will not cover: this agent will not have
 * ended well. */
void mu_keep_unclean(struct mu_keep *k);

/* The broker has this tree: what is kept of another is forgotten. */
void mu_keep_tree(struct mu_keep *k, int64_t tree_id);

/* Forget the instances, and remove their files, that are not open and of whom
 * is_there says no: those of a configuration that is no more. */
void mu_keep_only(struct mu_keep *k,
                  bool (*is_there)(void *arg, const char *name), void *arg);

/* ---- one instance ---- */

struct mu_kept_options {
	const char *name;
	const struct mu_keep_source *source; /* copied */
	size_t count;
	/* The event that was given and not handled, as mu_mailbox_failed. */
	struct mu_mailbox_failure (*failed)(void *arg);
	void (*on_due)(void *arg); /* mu_kept_is_due has become true */
	void *arg;
};

/* Opened for the first time its files are read, later what it was closed with is
 * taken up. Sources are numbered as given. MU_ENOMEM. */
int mu_kept_open(struct mu_keep *k, const struct mu_kept_options *o,
                 struct mu_kept **out);
void mu_kept_close(struct mu_kept *p); /* NULL is allowed */

/* Is something kept of it that belongs to another tree? */
bool mu_kept_is_foreign(const struct mu_kept *p, int64_t tree_id);
int64_t mu_kept_tree(const struct mu_kept *p);

/* Up to where a source was handled; not `known`: it is to begin anew. */
const struct mu_keep_place *mu_kept_place(const struct mu_kept *p, size_t i);
/* What the cache has of a source, as of a place that is not beyond that of
 * mu_kept_place. False: nothing. Borrowed until mu_kept_drop_cache, which the
 * caller calls when all is said. */
bool mu_kept_cached(const struct mu_kept *p, size_t i,
                    struct mu_cache_part *out);
void mu_kept_drop_cache(struct mu_kept *p);
/* The event that was given and not handled, in the life before; borrowed until the
 * next call that changes something. */
struct mu_mailbox_failure mu_kept_failed(const struct mu_kept *p);

/* The source was handled up to there; one that lies behind is passed over. */
void mu_kept_reached(struct mu_kept *p, size_t i, int64_t zxid, int32_t n);
/* The broker cannot go on from there: the next place may lie behind. Until then
 * this one holds. */
void mu_kept_restart(struct mu_kept *p, size_t i);
/* An event failed: `failed` says something new. */
void mu_kept_touch(struct mu_kept *p);

/* What the cache would hold has changed, or can be written now and could not
 * before: on_due comes, soon or when it is time. */
void mu_kept_changed(struct mu_kept *p);
/* It is time to write the cache. */
bool mu_kept_is_due(const struct mu_kept *p);
/* It has changed since it was written, whether it is time or not. One that waits
 * (mu_kept_save_ahead) is not written. */
bool mu_kept_is_changed(const struct mu_kept *p);
/* The cache: each is called for every source and puts its nodes. Sources without
 * a place are left out. All that they hold is handled. */
typedef void mu_kept_fn(void *arg, size_t i, struct mu_cache_writer *w);
void mu_kept_save(struct mu_kept *p, mu_kept_fn *each, void *arg);
/* The same where not all of it is handled: it is written when the sources have
 * reached these places (one for each; not `known`: left out), unless something else
 * is saved before, or a source is to go on from elsewhere. Without memory for it
 * it is due once more; one that is too large is told at once, and does not wait. */
void mu_kept_save_ahead(struct mu_kept *p, const struct mu_keep_place *at,
                        mu_kept_fn *each, void *arg);
bool mu_kept_has_ahead(const struct mu_kept *p); /* one waits so */
/* One that waits so is not to be written: it is due once more. */
void mu_kept_drop_ahead(struct mu_kept *p);

#endif /* MU_HOST_KEEP_H */
