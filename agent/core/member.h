/*
 * member.h - decisions about members: whose node is it, what has changed, did
 * it leave or fail.
 *
 * Pure; the caller reads nodes and decodes records.
 */
#ifndef MU_CORE_MEMBER_H
#define MU_CORE_MEMBER_H

#include "path.h"

#include <muster/plugin.h>

#define MU_MEMBER_UP "up"
#define MU_MEMBER_LEAVING "leaving"

enum mu_claim {
	MU_CLAIM_OURS,  /* of this session: put our record into it */
	MU_CLAIM_GHOST, /* ours, of an earlier session: replace it */
	MU_CLAIM_TAKEN, /* another host answers to this name: keep off */
};

/* We wanted to create our node and it is there. The session decides before the
 * id does, for a record can be overwritten by anybody, an owner by nobody. A node
 * of our id and another session is our ghost only if this session has not held
 * the name yet: else that session is the later one, and another agent lives with
 * our id, of a state directory that was copied. Two such agents would replace
 * each other for ever. */
struct mu_claim_case {
	const char *own_id, *found_id; /* found: in its record; NULL: none */
	int64_t session, owner;        /* owner: its ephemeralOwner */
	bool held;                     /* this session had the name before */
};
enum mu_claim mu_member_claim(const struct mu_claim_case *c);

/*
 * A member is gone: did it leave or fail? MU_EVENT_MEMBER_LEFT if it was last
 * seen leaving, or if /left/<name> names this stay, that is, has its czxid in
 * decimal (left.at NULL: there is no such node). Else MU_EVENT_MEMBER_FAILED.
 */
enum mu_event_type mu_member_end(const struct mu_member *last,
                                 struct mu_str left);

/* True if /left/<name> must be read to decide. */
bool mu_member_end_is_open(const struct mu_member *last);

/*
 * True if plugins are to hear that a member changed: another id, address, port,
 * version, labels, or a state beyond "up" and "leaving". An agent that restarts
 * within its session rewrites its record with another start and state, and that
 * is nobody's business.
 */
bool mu_member_differs(const struct mu_member *a, const struct mu_member *b);

#endif /* MU_CORE_MEMBER_H */
