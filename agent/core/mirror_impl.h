/* mirror_impl.h - the inside of a mirror; for mirror*.c. */
#ifndef MU_CORE_MIRROR_IMPL_H
#define MU_CORE_MIRROR_IMPL_H

#include "mirror.h"
#include "mirror_table.h"

enum item_state { ITEM_QUEUED, ITEM_OUT, ITEM_DONE };

/* A read of a scan, or a notification with the read it needs. */
struct mu_mirror_item {
	struct mu_mirror_item *next;
	uint32_t id; /* of the read; given when it goes out */
	enum mu_mirror_what what;
	enum item_state state;
	int type; /* of the notification: enum mu_event_type */
	int64_t zxid;
	int rc;                          /* of the read, when DONE */
	uint32_t tries;                  /* of it, that were refused */
	int64_t seen_zxid;               /* as of when it was read */
	struct mu_mirror_node *got;      /* what was read: owned */
	struct mu_mirror_change *change; /* of a subscription: owned */
	char path[];
};

struct mu_mirror_list {
	struct mu_mirror_item *head, **tail;
	uint32_t count;
};

enum mu_mirror_phase { MIRROR_IDLE, MIRROR_SCANNING, MIRROR_LIVE };

/* What there is more to know with a subscription. */
struct mu_mirror_stream {
	bool on;                  /* a subscription, not a watch */
	bool unread;              /* all is to be read */
	bool quiet;               /* and nobody is to be told of it */
	bool gap;                 /* MU_MIRROR_GAP is to be told */
	bool live;                /* the broker tells whatever comes */
	bool more;                /* it does not: ask again */
	bool behind;              /* the queue was full: ask again */
	size_t bytes;             /* of what waits */
	struct mu_mirror_at told; /* the sink knows all up to there */
	struct mu_mirror_at had;  /* told, or waiting */
	struct mu_mirror_at prev; /* what the next change must name */
	struct mu_mirror_at said; /* told, as far as mu_mirror_position knows */
	uint32_t owed;            /* nodes that were gone, and not told of */
	int64_t owed_zxid;        /* none of them before this one */
	bool unsaid;              /* and so a cursor may lie before `said` */
	/* Of the last reading that was not quiet: it saw all that happened up
	 * to start; and what is not held and ended up to end was told to none.
	 */
	int64_t start_zxid, end_zxid;
	mu_mirror_ready_fn *ready;
};

struct mu_mirror {
	enum mu_mirror_mode mode;
	enum mu_mirror_phase phase;
	struct mu_mirror_limits limits;
	mu_mirror_fn *fn;
	void *arg;
	bool fresh; /* nothing was told yet of this tree */
	struct mu_mirror_table held;
	struct mu_mirror_table found;    /* by the reading under way */
	struct mu_mirror_list scan;      /* its reads */
	struct mu_mirror_list live;      /* notifications, oldest first */
	struct mu_mirror_item *children; /* CHILDREN of the top, not yet sent */
	uint32_t out, last_id;
	int64_t told_pzxid; /* of the top: children told of up to there */
	int32_t told_n;     /* and to this place in it */
	int32_t told_cversion;
	int64_t last_zxid;  /* largest of any reply */
	int64_t start_zxid; /* of the first reply of this reading */
	int64_t end_zxid;   /* of its last */
	struct mu_mirror_stream s;
	struct mu_str top;
	char path[];
};

/* An item at the end of a list; NULL when memory is out. */
struct mu_mirror_item *mu_mirror_item_add(struct mu_mirror_list *list,
                                          struct mu_str path);
void mu_mirror_item_free(struct mu_mirror_item *item);
void mu_mirror_list_clear(struct mu_mirror_list *list);

/* Drop the first. */
void mu_mirror_list_pop(struct mu_mirror_list *list);

/* Room in a table for a node of `len` bytes, in place of `old` (NULL: one
 * more). MU_ETOOBIG, MU_ENOMEM. */
int mu_mirror_admit(const struct mu_mirror *m, struct mu_mirror_table *t,
                    size_t len, const struct mu_mirror_node *old);

/* Call the sink. */
int mu_mirror_tell(struct mu_mirror *m, uint32_t type, uint32_t count,
                   int64_t zxid, const struct mu_mirror_node *now,
                   const struct mu_mirror_node *old);

/* Changes between two stats of one path: at least 1. */
uint32_t mu_mirror_steps(const struct mu_stat *old, const struct mu_stat *now);

/* Hold nothing, as if nothing had been told. */
void mu_mirror_forget(struct mu_mirror *m);

/* Begin to read all, from the top. MU_ENOMEM. */
int mu_mirror_scan(struct mu_mirror *m);

/* Is this of what the mirror watches? */
bool mu_mirror_covers(const struct mu_mirror *m, int type, struct mu_str path);

/* Tell all that is known up to the first read that is not back. What apply says
 * that is not 0 stops the mirror and is returned. */
int mu_mirror_settle(struct mu_mirror *m);

/* A node was gone before it could be read: count that, for its DELETED. */
int mu_mirror_unseen(struct mu_mirror *m, struct mu_str path, int64_t zxid);
/* It has another reason why it cannot be: tell the gap. e: what would have been
 * told. */
int mu_mirror_unread(struct mu_mirror *m, struct mu_mirror_event *e);
/* The same as _unseen of a change of a subscription: until its DELETED is told
 * no cursor moves. gone: as of when there was no node. */
int mu_mirror_owe(struct mu_mirror *m, const struct mu_mirror_change *c,
                  int64_t gone);
/* All up to and with that zxid was told: what is still owed will not come. Tell
 * it. What the sink said. */
int mu_mirror_pay(struct mu_mirror *m, int64_t zxid);
/* Nothing is owed any more: all was read. */
void mu_mirror_owe_nothing(struct mu_mirror *m);

/* Does a come later than b? */
bool mu_mirror_is_behind(struct mu_mirror_at a, struct mu_mirror_at b);
struct mu_mirror_at mu_mirror_place(const struct mu_mirror_change *c);

/* The next change that waits, which is ready to be told. */
int mu_mirror_change_apply(struct mu_mirror *m, struct mu_mirror_item *item);
/* It was told. */
void mu_mirror_change_told(struct mu_mirror *m, const struct mu_mirror_item *i);

/* The gap, if there is one to be told; before what a reading found. */
int mu_mirror_gap_tell(struct mu_mirror *m);
/* The reading has ended, with its telling. */
void mu_mirror_stream_read(struct mu_mirror *m, bool was_fresh);

/* An answer to a read of the scan. What it found is told after the last. */
int mu_mirror_scan_done(struct mu_mirror *m, struct mu_mirror_item *item,
                        const struct mu_mirror_answer *a);

#endif /* MU_CORE_MIRROR_IMPL_H */
