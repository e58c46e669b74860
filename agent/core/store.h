/*
 * store.h - the door of the whole state machine: records, links and time go
 * in; ordered effects come out.
 *
 * Pure. One thread (the broker's loop) owns a store. Nothing here asks the
 * clock, the network, the disk or the dice: the shell hands them in and carries
 * the effects out, in the order in which they come.
 *
 *   record -> decode -> a read?  answered from applied state, in its session's
 *                                order: behind its own earlier writes, and
 *                                nobody else's
 *                       a write? -> command -> MU_FX_LOG -> [journal]
 *                                -> mu_store_durable -> applied -> events, reply
 *
 * A command is applied only when the journal says that it is durable, so nobody
 * reads what a crash could take back. Applying is deterministic (command.h):
 * what depends on link, clock, dice or configuration is decided before logging
 * and lies in the command. zxid = epoch << 32 | counter; every command uses one
 * up, also a failed one (rule 52); its events have the ids (zxid, n), n counting
 * from 0 within it.
 *
 * Subscriptions (proto.h) are ours. A link that asked for features is told of
 * each change to what it subscribed to, once and in order, as long as it lives;
 * what happened while it was away it is told from a bounded log of changes, or
 * it is told that this is not possible. Nothing is left out in silence: where
 * memory for an event is refused, or the events of one transaction are too many
 * bytes for one link (MU_TOLD_MAX) or for all of them (MU_TOLD_ALL_FACTOR), the
 * link ends; its client goes on from where it got to, a part at a time.
 *
 * Better than ZooKeeper, on purpose: passwords of sessions are random (rule
 * 11); a password is checked before the old link is dropped (rule 12); catch-up
 * events are told only to who may read the node, as live ones are (rule 36).
 */
#ifndef MU_CORE_STORE_H
#define MU_CORE_STORE_H

#include "acl.h"
#include "quota.h"

struct mu_store;

/* The shell's reading of the clocks at the start of a loop turn. */
struct mu_when {
	uint64_t mono_ms; /* CLOCK_MONOTONIC: deadlines */
	int64_t wall_ms;  /* since 1970: goes into commands, never decreases */
};

/* Of one transaction a link is told this many bytes, or reply_max if that is more;
 * all links together, of what is made durable at once, so many times as much. */
#define MU_TOLD_MAX (8u * 1024 * 1024)
#define MU_TOLD_ALL_FACTOR 4u

#define MU_SUPER_DIGEST_MAX 256u /* bytes, with the final NUL */

/* All limits have a config key of the same name (conf/broker.conf). */
struct mu_store_config {
	uint8_t hash_key[16]; /* random */
	uint32_t epoch;       /* grows by one at each start; from the journal */
	int64_t tree_id;      /* random, made with an empty store */
	uint32_t tick_ms;     /* how often the shell means to call tick */
	uint32_t session_timeout_min_ms, session_timeout_max_ms; /* rule 8 */
	uint32_t handshake_timeout_ms;
	uint32_t packet_max;      /* bytes of a record, rule 3 */
	uint32_t reply_max;       /* bytes of a reply; reads that waited are
	                             throttled when their link's answers pass
	                             it, or those of all links four times it */
	uint32_t outstanding_max; /* requests of one link without a reply */
	/* Bytes of all requests that wait, for the journal or behind others:
	 * past it new ones are throttled. 0: no limit. */
	uint64_t waiting_max;
	/* Bytes that the tree may take in memory (mu_tree_memory): past it what
	 * makes it larger is refused with MU_EMAXDATA. 0: no limit. */
	uint64_t max_data;
	/* Bytes of the path of a node to be made, with its number if it is given
	 * one, of a watch and of a subscription: past it MU_EINVAL, as for a path
	 * that no node can have. Not of what is applied or loaded: nodes that
	 * have longer ones are read, written and deleted. Nor of watches that a
	 * client sets again: what it had stays. 0: no limit. */
	uint32_t path_max;
	/* Bytes of the paths of one session's ephemerals, with MU_NODE_COST for
	 * each: past it there are no more (MU_EQUOTA). All of them go in the one
	 * transaction that ends the session, and each is told by its path. Not
	 * of what is applied or loaded. 0: no limit. */
	uint64_t session_ephemeral_bytes_max;
	uint32_t sessions_max, links_max;
	uint32_t watches_max; /* watches and subscriptions together */
	/* Bytes of the paths that they name: at it there are no more of either.
	 * 0: no limit. */
	uint64_t watch_bytes_max;
	uint32_t subscriptions_per_link_max; /* 0: none */
	/* The change log, from which a subscription catches up: changes and
	 * bytes of memory. 0: there is none. */
	uint32_t change_log_max;
	uint64_t change_log_bytes;
	/* How often containers and nodes with a time to live are looked at
	 * (rule 70); 0: never. */
	uint32_t container_check_interval_ms;
	bool ttl_nodes;     /* may there be nodes with a time to live? */
	bool enforce_quota; /* are hard limits of quotas (rule 79)? */
	/* The digest ("user:hash") of who may do everything; "": nobody. */
	char super_digest[MU_SUPER_DIGEST_MAX];
	mu_sha1_fn *sha1; /* NULL: no digests, they are refused */
};

/* Why a link ends. X(name, word for logs and counters) */
#define MU_CLOSE_MAP(X) \
	X(MU_CLOSE_SESSION_ENDED, "session closed by its client") \
	X(MU_CLOSE_EXPIRED, "session expired") \
	X(MU_CLOSE_REFUSED, "session unknown, expired or wrong password") \
	X(MU_CLOSE_MOVED, "session attached to another link") \
	X(MU_CLOSE_AHEAD, "client has seen a later zxid") \
	X(MU_CLOSE_HANDSHAKE, "no handshake in time") \
	X(MU_CLOSE_MALFORMED, "record without a header") \
	X(MU_CLOSE_UNKNOWN_OP, "unknown operation") \
	X(MU_CLOSE_TOO_MANY, "too many sessions: sessions_max") \
	X(MU_CLOSE_SILENT, "silent for the session's timeout") \
	X(MU_CLOSE_MEMORY, "out of memory") \
	X(MU_CLOSE_FLOODED, "far too many requests without a reply") \
	X(MU_CLOSE_JOURNAL, "the journal could not take the new session") \
	X(MU_CLOSE_ENTROPY, "no random bytes for a new session") \
	X(MU_CLOSE_AUTH, "authentication failed") \
	X(MU_CLOSE_TOLD, \
	  "its subscriptions have too much to tell of one change")

enum mu_close_reason {
#define MU_CLOSE_ENUM(name, word) name,
	MU_CLOSE_MAP(MU_CLOSE_ENUM)
#undef MU_CLOSE_ENUM
		MU_CLOSE_COUNT
};
const char *mu_close_word(enum mu_close_reason reason);

enum mu_effect_kind {
	MU_FX_SEND,   /* bytes to one link */
	MU_FX_FANOUT, /* the same bytes to many links */
	MU_FX_CLOSE,  /* end a link, after what was sent to it */
	MU_FX_LOG,    /* make this command durable, then mu_store_durable() */
};

struct mu_effect {
	enum mu_effect_kind kind;
	uint32_t link;         /* SEND, CLOSE */
	const uint32_t *links; /* FANOUT */
	size_t link_count;
	const uint8_t *bytes; /* SEND, FANOUT: framed records. LOG: a command */
	size_t len;
	uint64_t index;              /* LOG: counts from 1 without gaps */
	enum mu_close_reason reason; /* CLOSE */
};

/* Errors: MU_ENOMEM, MU_EINVAL (a limit of 0, min over max). */
int mu_store_new(const struct mu_store_config *config, struct mu_when when,
                 struct mu_store **out, struct mu_err *err);
void mu_store_free(struct mu_store *s); /* NULL is allowed */

/* Limits that may change while running (SIGHUP); tree id, epoch and key of
 * `config` are not looked at. Errors as mu_store_new; unchanged on error. */
int mu_store_reconfigure(struct mu_store *s,
                         const struct mu_store_config *config,
                         struct mu_err *err);

/* Random bytes for session ids and passwords: how many are wanted now (0: none)
 * and here they are. The shell asks before each mu_store_receive. Without them
 * a session is refused, never guessable. */
size_t mu_store_entropy_wanted(const struct mu_store *s);
void mu_store_entropy(struct mu_store *s, const void *bytes, size_t len);

/* A link came up; `link` is a number (not 0) that the shell does not give again
 * for as long as it lives. origin: where from, for logs and blame. On error the
 * shell ends the link itself: MU_EFULL (links_max), MU_ENOMEM. */
int mu_store_link_open(struct mu_store *s, uint32_t link, const char *origin,
                       struct mu_when when);

/* The carrier lost the link (or ends it). Its watches go; its session stays
 * (rule 46). Unknown numbers are ignored. */
void mu_store_link_lost(struct mu_store *s, uint32_t link);

/* One record came in, without its length. Anything may be in it. Records for a
 * link that has ended are ignored. The first is the handshake. A session that is
 * resumed gets the timeout asked for now; after a restart it has the one that
 * it was made with. */
void mu_store_receive(struct mu_store *s, uint32_t link, const void *record,
                      size_t len, struct mu_when when);

/* A record over packet_max came in; `head` is what is known of its start.
 * Answered with MU_ETOOBIG where a header can be read, in its turn. */
void mu_store_oversize(struct mu_store *s, uint32_t link, const void *head,
                       size_t len, struct mu_when when);

/* Time passed: expire sessions, end silent links, log the removal of containers
 * and nodes with a time to live that are due. If the call comes later than
 * tick_ms promised by more than a tick, deadlines move by that. */
void mu_store_tick(struct mu_store *s, struct mu_when when);

/* All commands up to `index` are durable: apply them. MU_ENOMEM: the broker
 * must stop; only mu_store_free may follow. */
int mu_store_durable(struct mu_store *s, uint64_t index);

/* The journal failed for all commands above what was durable: they are
 * forgotten, and their requests answered with `code`. */
void mu_store_refused(struct mu_store *s, int code);

/* At start, before any link: apply the next command from the journal. It has its
 * zxid from when it was logged, in whatever epoch, and takes the next index.
 * MU_EDATA if it does not decode or its zxid is not above the one before it:
 * nothing has changed. MU_ENOMEM: as mu_store_durable. */
int mu_store_replay(struct mu_store *s, const void *command, size_t len);

/* After the restore (snapshot.h) and the replay, before any link: the epoch of
 * this start, below which no new zxid lies. All sessions have a full timeout
 * from `when` on. */
void mu_store_begin(struct mu_store *s, uint32_t epoch, struct mu_when when);

/* Of the last command that was applied, also before a restart; 0: none. */
uint64_t mu_store_index(const struct mu_store *s);
int64_t mu_store_tree_id(const struct mu_store *s);
/* Before any link: a tree that was restored from a backup is another one. */
void mu_store_set_tree_id(struct mu_store *s, int64_t tree_id);

/* The next effect, in order; false when there is none. Bytes and links are
 * borrowed until the next call on s other than this one. Links that ended are
 * told last, after all that was sent to them; take all effects before giving a
 * link's number again. */
bool mu_store_effect(struct mu_store *s, struct mu_effect *out);

struct mu_store_stats {
	int64_t zxid;
	uint64_t logged, applied; /* indices */
	uint32_t links, sessions, nodes, ephemerals, watches;
	uint64_t tree_bytes;
	uint64_t tree_memory, waiting_bytes; /* what is held to the limits */
	uint64_t requests, replies, events, throttled, oversize, expired;
	/* Requests refused for it. */
	uint64_t over_max_data, over_path_max, over_ephemeral_bytes;
	uint64_t stalled_ms; /* by how much deadlines have been moved */
	/* Subscriptions; how many change events they were told (also in
	 * `events`), and how many could not resume. */
	uint32_t subscriptions;
	uint64_t watch_bytes; /* of the paths of watches and subscriptions */
	uint64_t change_events, gaps;
	/* The change log: what it holds, and the zxid it reaches back to. */
	uint32_t changes;
	uint64_t change_bytes;
	int64_t change_floor;
	uint64_t closed[MU_CLOSE_COUNT];
	/* Writes past a limit of a quota that were let through, and that were
	 * refused; and for which path the last was. */
	uint64_t quota_soft, quota_hard;
	char quota_path[MU_QUOTA_PATH_MAX];
};
void mu_store_stats(const struct mu_store *s, struct mu_store_stats *out);

/* Would a request of `len` bytes on this link be taken now? False: it would be
 * refused as throttled, for those of the link that wait; a carrier that can make
 * its peer wait offers it again when some were answered. True for a link that is
 * unknown or has ended. */
bool mu_store_link_takes(const struct mu_store *s, uint32_t link, size_t len);

/* Has the link so much to be sent already that no subscription should be caught up
 * on it now? It is told then to ask again (proto.h: MORE). NULL, as it begins:
 * never. The shell's, for as long as the store lives. */
typedef bool mu_busy_fn(void *arg, uint32_t link);
void mu_store_on_busy(struct mu_store *s, mu_busy_fn *busy, void *arg);

/* What is known of a link, and of its session if that is up. */
struct mu_store_link {
	int64_t session;     /* 0: none */
	uint32_t timeout_ms; /* of the session */
	uint32_t waiting;    /* requests without a reply */
	const char *origin;  /* borrowed */
};
/* False: there is no such link. */
bool mu_store_link_look(const struct mu_store *s, uint32_t link,
                        struct mu_store_link *out);

/* Read only: who is attached, and who watches what. Borrowed. */
struct mu_sessions;
struct mu_watches;
const struct mu_sessions *mu_store_sessions(const struct mu_store *s);
const struct mu_watches *mu_store_watches(const struct mu_store *s);

/* For tests and for snapshots: the tree behind the door, read only. */
struct mu_tree;
const struct mu_tree *mu_store_tree(const struct mu_store *s);

/* For tests: check the store's promises to itself; MU_BUG_ON the first that
 * does not hold (every ephemeral has a live owner, a session's link points back,
 * queues are in order). */
void mu_store_verify(const struct mu_store *s);

#endif /* MU_CORE_STORE_H */
