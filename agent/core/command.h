/*
 * command.h - one write: its bytes as they stand in the journal, and what it
 * does to the tree and the sessions.
 *
 * Pure. Applying is deterministic: the same commands in the same order make the
 * same tree, the same sessions and the same zxids everywhere. All that depends
 * on configuration, link, clock, dice or memory is decided before logging and
 * lies in the command.
 *
 * Layout, in jute's encoding. The journal puts its own header, with a version,
 * in front.
 *
 *     long zxid            its transaction, given when it was logged
 *     int type             an opcode of proto.h
 *     long session         whose it is
 *     long time_ms         wall clock; never less than the command before it
 *     string origin        where from: peer address or key name, for blame
 *     int xid              of the request; 0 where there was none
 *     vector identities    of strings, resolved, for ACLs (acl.h); the address
 *                          is in the origin
 *     int rules            an or of enum mu_command_rules
 *     body                 by type:
 *       createSession      int timeout_ms, buffer password
 *       closeSession       int cause: 0 its client, 1 expired
 *       create, create2, createContainer, createTTL, delete, setData, setACL
 *                          the request's record, encoded afresh
 *       deleteContainer    string path, long czxid
 *       multi              as rule 63: headers, records, terminator
 */
#ifndef MU_CORE_COMMAND_H
#define MU_CORE_COMMAND_H

#include "acl.h"
#include "changelog.h"
#include "proto.h"
#include "quota.h"
#include "session.h"
#include "tree.h"
#include "watch.h"

struct mu_command {
	int64_t zxid;
	int32_t type;
	int64_t session;
	int64_t time_ms;
	struct mu_str origin;
	int32_t xid;
	struct mu_vec identities;
	int32_t rules;
	struct mu_in
		body; /* filled in by mu_get_command; not looked at by put */
};

/* What the configuration said when the command was logged. */
enum mu_command_rules {
	MU_RULE_QUOTAS = 1, /* hard limits are enforced (rule 79) */
	MU_RULE_TTL = 2,    /* nodes may have a time to live (rule 69) */
};

enum mu_close_cause { MU_CAUSE_CLIENT = 0, MU_CAUSE_EXPIRED = 1 };

struct mu_create_session {
	int32_t timeout_ms;
	struct mu_str password; /* MU_PASSWORD_LEN bytes */
};

/* Append all but the body. */
void mu_put_command(struct mu_buf *b, const struct mu_command *c);

/* Decode; strings and body are borrowed from the bytes. MU_EDATA if they are
 * not a command. */
int mu_get_command(const void *bytes, size_t len, struct mu_command *c);

void mu_put_create_session(struct mu_buf *b, const struct mu_create_session *r);
int mu_get_create_session(struct mu_in *in, struct mu_create_session *r);
void mu_put_close_session(struct mu_buf *b, enum mu_close_cause cause);
int mu_get_close_session(struct mu_in *in, enum mu_close_cause *cause);

/* Can this operation be a write command that a client asked for? */
bool mu_command_is_write(int32_t op);

/* Append the body of a client's write: decode it from `in`, encode it afresh,
 * so that nothing undecodable is ever logged. MU_EMARSHAL: it does not decode,
 * or is a multi with something in it that is no write (rules 66, 96); then
 * what was appended must not be used. */
int mu_put_command_body(struct mu_buf *b, int32_t op, struct mu_in *in);

/* Rules 70, 71: is this container, or node with a time to live, to be deleted?
 * Other nodes never are. */
bool mu_node_is_due(const struct mu_tree *tree, mu_node_id id, int64_t time_ms);

/* What a command brought about. An empty one is { 0 }. */
struct mu_outcome {
	/* The caller's: note all that a change event tells, and not only of
	 * which path it is. */
	bool capture;
	int err;              /* the request's result, for the reply's header */
	struct mu_buf body;   /* of the reply */
	struct mu_buf events; /* walk with mu_noted_next, in their order */
	uint32_t event_count;
	/* Changes past a limit of a quota: let through, and refused. */
	uint32_t quota_soft, quota_hard;
	char quota_path[MU_QUOTA_PATH_MAX]; /* of the last, cut to fit */
	struct mu_buf path, acl;            /* scratch */
};
void mu_outcome_fini(struct mu_outcome *out);

/*
 * Apply one command. A request that must fail (no such node, wrong version)
 * fails in out->err, and has changed nothing: that is a result, not an error.
 * Events come in the order in which they happened (rule 30), each as of itself:
 * a later one of the same command does not show in it.
 * now_ms: from when the deadline of a new session counts.
 *
 * Errors, which leave `out` undefined and the tree as it was: MU_ENOMEM;
 * MU_EDATA (the body does not decode, a session is created twice).
 */
int mu_command_apply(const struct mu_command *c, struct mu_tree *tree,
                     struct mu_sessions *sessions, uint64_t now_ms,
                     struct mu_outcome *out);

#endif /* MU_CORE_COMMAND_H */
