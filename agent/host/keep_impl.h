/* keep_impl.h - the inside of what is kept; for keep*.c. */
#ifndef MU_HOST_KEEP_IMPL_H
#define MU_HOST_KEEP_IMPL_H

#include "keep.h"
#include "saver.h"

#include <limits.h>

#define MU_CURSOR_EXT ".cursor"
#define MU_CACHE_EXT ".cache"
#define MU_DAMAGED_EXT ".damaged"

/* The event that failed, copied. */
struct mu_kept_failure {
	struct mu_chan_event e; /* e.path lies in text */
	uint32_t attempts;      /* 0: none */
	bool yields;
	char *text;
};

struct mu_kept {
	struct mu_kept *next;
	struct mu_keep *k;
	struct mu_kept_options o; /* name and sources are copies */
	bool open;
	struct mu_cursor_mark *mark; /* one for each source */
	int64_t tree_id;
	struct mu_kept_failure
		failure;        /* from the file, or from when it was closed */
	bool dirty;             /* the cursor is to be written */
	bool stored;            /* there is a cursor on disk, or on its way */
	bool changed;           /* the cache is out of date */
	bool too_big;           /* the log has said so */
	uint64_t saved_ms;      /* the cache was written; 0: never */
	size_t saved_len;       /* and was so long */
	struct mu_timer *timer; /* the cache is due */
	struct mu_buf ahead; /* a cache that waits until these are reached: */
	struct mu_keep_place
		*ahead_at; /* of each source; NULL: there is none */
	char *cache;       /* the file as it was read; NULL: none */
	size_t cache_len;
};

struct mu_keep {
	struct mu_keep_options o;
	struct mu_saver *saver;
	struct mu_timer *timer; /* write what is dirty */
	struct mu_kept *all;
	bool was_clean;
	bool unclean; /* this agent, whatever its end */
	bool tree_known;
	int64_t tree_id;
	char dir[PATH_MAX];
};

/* Where a file of the agent's memory lies. */
void mu_keep_path(char out[PATH_MAX], const struct mu_keep *k,
                  const char *name);
/* The name of a file of an instance. */
void mu_kept_name(char out[NAME_MAX + 1], const struct mu_kept *p,
                  const char *ext);
struct mu_kept *mu_keep_find(const struct mu_keep *k, const char *name);
void mu_kept_free(struct mu_kept *p); /* NULL is allowed */
/* Nothing is known of it any more; its files go. */
void mu_kept_forget(struct mu_kept *p);
void mu_kept_remove_files(struct mu_kept *p);
void mu_kept_write_cursor(struct mu_kept *p);

/* Of what is written in a cursor, the event that failed; and back. */
void mu_kept_put_failure(const struct mu_kept *p, struct mu_cursor *c);
void mu_kept_take_failure(struct mu_kept *p, const struct mu_cursor *c);
void mu_kept_failure_put(struct mu_kept_failure *f,
                         const struct mu_mailbox_failure *from);
void mu_kept_failure_drop(struct mu_kept_failure *f);

/* Of two sources that are alike the one that is behind counts. arg: the kept. */
mu_cursor_fn mu_kept_take_mark;
/* Is there a place to go on from? */
bool mu_kept_has_place(const struct mu_kept *p);

/* Read the files of an instance: keep_read.c. */
void mu_kept_read(struct mu_kept *p);

#endif /* MU_HOST_KEEP_IMPL_H */
