/* command_impl.h - what the operations of a command share; for command_*.c. */
#ifndef MU_CORE_COMMAND_IMPL_H
#define MU_CORE_COMMAND_IMPL_H

#include "command.h"

/* One application. Each operation returns 0, a result that the client is told,
 * or MU_ENOMEM. */
struct run {
	const struct mu_command *c;
	struct mu_tree *tree;
	struct mu_sessions *sessions;
	uint64_t now_ms;
	struct mu_stamp stamp;
	struct mu_who who;
	enum mu_cause cause;
	struct mu_str origin; /* of who brought it about */
	struct mu_outcome *out;
};

/* ---- command_apply.c ---- */

/* Note an event of a node, and that its parent's children have changed. */
void mu_run_note_both(struct run *r, enum mu_node_event type,
                      struct mu_str path, mu_node_id id);

/* What stands in out->path. */
struct mu_str mu_run_scratch_path(const struct run *r);

void mu_run_put_stat(struct run *r, mu_node_id id);

/* ---- command_create.c ---- */

/* The node in front of the last '/', by ZooKeeper's order: whether a path is
 * legal as a whole is looked at later, and an illegal parent is just not there
 * (rules 60, 61). MU_EINVAL, MU_ENONODE. */
int mu_run_find_parent(const struct run *r, struct mu_str path,
                       mu_node_id *parent);

int mu_run_create(struct run *r, int32_t op, struct mu_in *in);

/* ---- command_guard.c ---- */

/* May who asks do this to the node? MU_ENOAUTH. */
int mu_run_may(const struct run *r, mu_node_id id, int32_t perm);

/* Make an ACL that was asked for the one that is kept (in out->acl). Errors as
 * mu_acl_fix. */
int mu_run_fix_acl(struct run *r, struct mu_vec *acl);

/* The quota for a path, if there is one: would these more nodes and bytes fit?
 * MU_EQUOTA where a hard limit is enforced; else it is only noted. */
int mu_quota_check(struct run *r, struct mu_str path, int64_t count,
                   int64_t bytes);

/* Count a change in the zookeeper_stats of the quota for a path. MU_ENOMEM. */
int mu_quota_count(struct run *r, struct mu_str path, int64_t count,
                   int64_t bytes);

/* A node was made: where it is a zookeeper_stats, count what there is. */
int mu_quota_made(struct run *r, struct mu_str path, mu_node_id id);

#endif /* MU_CORE_COMMAND_IMPL_H */
