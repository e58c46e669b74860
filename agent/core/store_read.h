/* store_read.h - what the files that answer reads share; for store_*.c. */
#ifndef MU_CORE_STORE_READ_H
#define MU_CORE_STORE_READ_H

#include "store_impl.h"

/* One read being answered. */
struct reading {
	struct mu_store *s;
	struct mu_peer *p;
	const struct mu_request_header *h;
	struct mu_in in;
	struct mu_str path;
	unsigned kinds;     /* of the watch to leave, once the answer is good */
	size_t answer_from; /* in the buffer of effects */
	struct mu_subscribe_reply subscribed;
};

/* Is the answer past reply_max already? */
bool mu_read_too_big(const struct reading *r, const struct mu_buf *out);

/* May the link do one of `perms` to the node? */
bool mu_read_may(const struct reading *r, mu_node_id id, int32_t perms);

void mu_read_put_stat(const struct reading *r, mu_node_id id,
                      struct mu_buf *out);

/* Each appends the body of its answer, or returns an error; then what was
 * appended is not used. */
int mu_read_data(struct reading *r, struct mu_buf *out);
int mu_read_children(struct reading *r, struct mu_buf *out);

/* store_ask.c */
int mu_read_multi(struct reading *r, struct mu_buf *out);
int mu_read_acl(struct reading *r, struct mu_buf *out);
int mu_read_ephemerals(struct reading *r, struct mu_buf *out);
int mu_read_all_children(struct reading *r, struct mu_buf *out);
int mu_read_who_am_i(struct reading *r, struct mu_buf *out);
int mu_read_check_watches(struct reading *r, struct mu_buf *out);
int mu_read_remove_watches(struct reading *r, struct mu_buf *out);

/* store_subscribe.c; before: the events that go out in front of the answer. */
int mu_before_subscribe(struct reading *r);
int mu_read_subscribe(struct reading *r, struct mu_buf *out);
int mu_read_unsubscribe(struct reading *r, struct mu_buf *out);

#endif /* MU_CORE_STORE_READ_H */
