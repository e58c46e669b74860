/* mirror_impl.h - the inside of a mirror; for mirror.c and mirror_scan.c. */
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
	int rc;                     /* of the read, when DONE */
	struct mu_mirror_node *got; /* what was read: owned */
	char path[];
};

struct mu_mirror_list {
	struct mu_mirror_item *head, **tail;
	uint32_t count;
};

enum mu_mirror_phase { MIRROR_IDLE, MIRROR_SCANNING, MIRROR_LIVE };

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
	int32_t told_cversion;
	int64_t last_zxid;  /* largest of any reply */
	int64_t start_zxid; /* of the first reply of this reading */
	struct mu_str top;
	char path[];
};

/* An item at the end of a list; NULL when memory is out. */
struct mu_mirror_item *mu_mirror_item_add(struct mu_mirror_list *list,
                                          struct mu_str path);
void mu_mirror_item_free(struct mu_mirror_item *item);
void mu_mirror_list_clear(struct mu_mirror_list *list);

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

/* An answer to a read of the scan. What it found is told after the last. */
int mu_mirror_scan_done(struct mu_mirror *m, struct mu_mirror_item *item,
                        const struct mu_mirror_answer *a);

#endif /* MU_CORE_MIRROR_IMPL_H */
