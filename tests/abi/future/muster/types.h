/*
 * muster/types.h - status codes, the Stat of a node, and the error record.
 *
 * Every fallible call returns 0 or one negative MU_E* code, and nothing else:
 * never an errno, never a positive number. Where ZooKeeper has a number for a
 * condition ours is the same (KeeperException.java); the rest count down from
 * -2000. Codes are on the wire and in logs, so a number is never reused and
 * the list only grows at its end.
 *
 * Plain data without functions: any thread may use it. C11 and C++17.
 */
#ifndef MUSTER_TYPES_H
#define MUSTER_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MU_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MU_EXPORT __attribute__((visibility("default")))
#else
#define MU_PRINTF(fmt, args)
#define MU_EXPORT
#endif

/* One list: the enum, the names and the sentences all come from it. */
#define MU_STATUS_MAP(X) \
	X(MU_ESYSTEM, -1, "the server failed while working on the request") \
	X(MU_EROLLEDBACK, -2, "not tried, for an earlier operation failed") \
	X(MU_EDATA, -3, "the data is inconsistent") \
	X(MU_ECONNLOSS, -4, "the connection to the broker was lost") \
	X(MU_EMARSHAL, -5, "the request could not be decoded") \
	X(MU_EUNIMPLEMENTED, -6, "the server does not know this operation") \
	X(MU_ETIMEDOUT, -7, "the deadline passed") \
	X(MU_EINVAL, -8, "an argument is malformed") \
	X(MU_ENOSESSION, -12, "the session is unknown") \
	X(MU_ENONODE, -101, "no such node") \
	X(MU_ENOAUTH, -102, "permission denied") \
	X(MU_EBADVERSION, -103, "the version does not match") \
	X(MU_ENOCHILDREN, -108, "an ephemeral node cannot have children") \
	X(MU_EEXISTS, -110, "the node exists already") \
	X(MU_ENOTEMPTY, -111, "the node has children") \
	X(MU_EEXPIRED, -112, "the session has expired") \
	X(MU_EINVALIDACL, -114, "the ACL is not valid") \
	X(MU_EAUTHFAILED, -115, "authentication failed") \
	X(MU_EMOVED, -118, "the session moved to another connection") \
	X(MU_ENOTREADONLY, -119, "the server is read-only") \
	X(MU_ENOWATCHER, -121, "no such watch") \
	X(MU_EQUOTA, -125, "the quota is exceeded") \
	X(MU_ETHROTTLED, -127, "too many requests are outstanding") \
	X(MU_ENOMEM, -2000, "out of memory") \
	X(MU_EIO, -2001, "the operating system refused") \
	X(MU_EABI, -2002, "the plugin was built for another ABI") \
	X(MU_ETOOBIG, -2003, "larger than the limit") \
	X(MU_EFULL, -2004, "full; try again later") \
	X(MU_ECONFIG, -2005, "the configuration is wrong") \
	X(MU_ECLOSED, -2006, "the handle is closed") \
	X(MU_EAGAIN, -2007, "nothing to do now; try again later") \
	X(MU_EGONE, -2008, "the peer is gone") \
	X(MU_EPROTO, -2009, "the peer broke the protocol") \
	X(MU_ENOSPACE, -2010, "the broker's disk takes no writes now") \
	X(MU_EMAXDATA, -2011, "the tree has reached the broker's max_data")

enum mu_status {
	MU_OK = 0,
#define MU_STATUS_ENUM(name, number, text) name = number,
	MU_STATUS_MAP(MU_STATUS_ENUM)
#undef MU_STATUS_ENUM
};

#define MU_ERR_MSG_MAX 512u /* bytes, with the final NUL */

/* Where a call leaves its sentence for a person; fixed size, so that saying
 * why something failed cannot itself fail. Untouched on success. */
struct mu_err {
	int code;
	char msg[MU_ERR_MSG_MAX];
};

/* What ZooKeeper calls Stat (rule 54). Times are wall clock, in ms since 1970.
 * Versions are shown signed and wrap (rule 57). */
struct mu_stat {
	int64_t czxid;           /* transaction that created the node */
	int64_t mzxid;           /* that last set its data */
	int64_t ctime;           /* ms */
	int64_t mtime;           /* ms */
	int32_t version;         /* of the data */
	int32_t cversion;        /* of the list of children (rule 56) */
	int32_t aversion;        /* of the ACL */
	int64_t ephemeral_owner; /* session id; 0: not ephemeral (rule 51) */
	int32_t data_len;        /* bytes */
	int32_t num_children;
	int64_t pzxid; /* that last created or deleted a child */
};

/* What brought a change about: X(name, number on the wire, word). */
#define MU_CAUSE_MAP(X) \
	X(MU_BY_REQUEST, 0, "request") \
	X(MU_BY_CLOSE, 1, "close") \
	X(MU_BY_EXPIRY, 2, "expiry") \
	X(MU_BY_TTL, 3, "ttl")

/* By a client's write; by the end of a session that its client closed, or that
 * expired; by the broker, which took a container or a node with a time to live
 * that was due. */
enum mu_cause {
#define MU_CAUSE_ENUM(name, number, word) name = number,
	MU_CAUSE_MAP(MU_CAUSE_ENUM)
#undef MU_CAUSE_ENUM
};

/* What a subscription is told of (numbers on the wire).
 *   exact     created, deleted, data changed, children changed: the path itself
 *   children  the same, and created, deleted, data changed one level down
 *   subtree   the same at all depths; children changed of the path alone */
enum mu_subscribe_mode {
	MU_SUBSCRIBE_EXACT = 0,
	MU_SUBSCRIBE_CHILDREN = 1,
	MU_SUBSCRIBE_SUBTREE = 2,
};

/* How a subscription stands when it is answered (numbers on the wire).
 *   live  all up to the position was told, and what comes will be
 *   more  a part was told, up to the position: ask again from there
 *   gap   told from now on; what was changed before may have been missed */
enum mu_subscribe_state {
	MU_SUBSCRIBED_LIVE = 0,
	MU_SUBSCRIBED_MORE = 1,
	MU_SUBSCRIBED_GAP = 2,
};

/* How urgent a log line is. */
enum mu_level { MU_ERROR = 0, MU_WARN = 1, MU_INFO = 2, MU_DEBUG = 3 };

#endif /* MUSTER_TYPES_H */
