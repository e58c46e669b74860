/*
 * muster/client.h - a session with a Muster broker. C11 and C++17.
 *
 * Asynchronous: no thread of this library ever calls you (libzmq has threads of
 * its own, and the name of a host is looked up in one; none runs your code). A handle has one file descriptor that
 * becomes readable when there is something to do, and a time by which to call in
 * any case: they fit poll, epoll, libuv, anything. Synchronous calls stand at
 * the end, for simple programs.
 *
 *     struct mu_client *c;
 *     if (mu_client_new(&options, &c, &err))
 *             fail(err.msg);
 *     for (;;) {
 *             struct pollfd p = { mu_client_fd(c), POLLIN, 0 };
 *             poll(&p, 1, mu_client_timeout_ms(c));
 *             mu_client_process(c);
 *     }
 *
 * Threads   A handle belongs to one thread at a time.
 * Calling   Every call may be made from inside a callback, synchronous ones
 *           included; only mu_client_free may not.
 * Memory    What a callback is handed is borrowed until it returns. What a call
 *           is handed is copied.
 * Paths     As ZooKeeper's (zookeeperProgrammers.md; PathUtils.java), UTF-8,
 *           NUL-terminated here. With a chroot all paths are below it, in calls
 *           and in events alike.
 * Errors    0 or a negative MU_E* code of muster/types.h.
 * Sessions  A session outlives its connections. When one is lost, requests
 *           without an answer end with MU_ECONNLOSS (they may have been carried
 *           out), the library connects to the next broker of the list, resumes
 *           the session and re-arms all watches. What a one-shot watch missed
 *           is told then; what a persistent watch missed is not (ZooKeeper's
 *           rule): read again after MU_CLIENT_CONNECTED, or subscribe, which
 *           misses nothing. While disconnected you do not know whether your
 *           ephemerals live. After MU_CLIENT_EXPIRED the handle is dead and all
 *           calls give MU_EEXPIRED: free it and make a new one.
 */
#ifndef MUSTER_CLIENT_H
#define MUSTER_CLIENT_H

#include <muster/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mu_client; /* opaque */

/* The library's version, "0.1.0". */
MU_EXPORT const char *mu_client_version(void);

/* A status in words: "no such node". Static text, never NULL. */
MU_EXPORT const char *mu_client_strerror(int status);

enum mu_client_state {
	MU_CLIENT_CONNECTING = 0, /* also: disconnected, trying again */
	MU_CLIENT_CONNECTED = 1,
	MU_CLIENT_EXPIRED = 2, /* terminal */
	MU_CLIENT_CLOSED = 3,  /* terminal, after mu_client_close */
};

enum mu_watch_event_type {
	MU_WATCH_CREATED = 1,
	MU_WATCH_DELETED = 2,
	MU_WATCH_DATA_CHANGED = 3,
	MU_WATCH_CHILDREN_CHANGED = 4,
};

struct mu_watch_event {
	uint32_t size; /* of this struct as the library knows it */
	enum mu_watch_event_type type;
	const char *path;
	int64_t zxid; /* of the change; -1 if the server does not tell */
};

/* A change that a subscription tells of. (zxid, n) is its id: n counts from 0
 * in the transaction. Of one subscription they come in the order of their ids,
 * each once. */
struct mu_change {
	uint32_t size; /* of this struct as the library knows it */
	int32_t id;    /* of the subscription */
	enum mu_watch_event_type type;
	int64_t zxid;
	int32_t n;
	/* The change told before it by this subscription; of the first one the
	 * position that was asked from, or from now on (zxid, n) of the answer.
	 * If you know of another one, something was lost: read again. */
	int64_t prev_zxid;
	int32_t prev_n;
	const char *path;
	int32_t cause;      /* enum mu_cause; a later broker may know more */
	int64_t session;    /* whose doing it was; expiry: the expired one */
	const char *origin; /* where that session came from; "": unknown */
	/* The node as this very change left it, also inside a multi. Deleted: as
	 * it was last. Children changed: the parent, without its data. */
	const struct mu_stat *stat;
	const void *data;
	int32_t len; /* bytes; -1: null data, or not whole */
	bool whole;  /* false: it did not come along, being longer than 4 KiB
	                (stat->data_len says how long) or of a transaction with
	                very much data: get it */
};

/* Sizes of before a field was added at the end are taken too: what the caller
 * does not know of is as if it were 0. */
struct mu_client_options {
	uint32_t size; /* sizeof(struct mu_client_options): set it first */

	/* One URL or several with commas between: "tcp://10.0.0.1:7400",
	 * "ipc:///run/muster/broker.sock". "tcp://a:7400,b:7400/team" has the
	 * chroot /team; after ipc URLs a chroot is written "#/team".
	 * "zookeeper://a:2181,b,c/team" is a ZooKeeper (3.6 and later: the
	 * persistent watches) over plain TCP, a port left out is 2181; it does
	 * not stand in one list with the others. They are tried in random
	 * order. Required. */
	const char *brokers;

	uint32_t timeout_ms; /* session timeout to ask for; 0: 3,000. The broker
	                        may answer another: mu_client_info */

	/* To resume a session: from an earlier mu_client_info. 0: a new one. */
	int64_t session;
	uint8_t password[16];
	int64_t last_zxid;

	/* The connection came up (0), went (why), or the session ended: with
	 * MU_EEXPIRED a broker said so; with MU_ETIMEDOUT none was heard of for
	 * 4/3 of the timeout (rule 49), and a broker that was away itself may
	 * still have it: a new handle may ask for it again. */
	void (*on_state)(struct mu_client *c, enum mu_client_state state,
	                 int why, void *arg);
	/* A watch fired. Events come in the order of their zxids, and before
	 * any reply that shows the change (rule 32). */
	void (*on_event)(struct mu_client *c, const struct mu_watch_event *e,
	                 void *arg);
	void *arg;

	/* A subscription tells of a change. Changes too come before any reply
	 * that shows them. NULL: nobody is told. */
	void (*on_change)(struct mu_client *c, const struct mu_change *change,
	                  void *arg);
};

/* Start a session. Does not wait: the first connection is made by
 * mu_client_process. Errors: MU_EINVAL (a URL, a size, no brokers), MU_EIO,
 * MU_ENOMEM. */
MU_EXPORT int mu_client_new(const struct mu_client_options *options,
                            struct mu_client **out, struct mu_err *err);

/* Let go of the handle. The session is not closed: its ephemerals live until
 * its timeout, and it can be resumed. Callbacks of outstanding requests are not
 * called. NULL is allowed. */
MU_EXPORT void mu_client_free(struct mu_client *c);

/* Close the session, waiting at most timeout_ms for the broker to confirm: its
 * ephemerals are gone then. MU_ETIMEDOUT, MU_ECONNLOSS: not confirmed; they go
 * with the timeout at the latest. The handle is CLOSED in any case. */
MU_EXPORT int mu_client_close(struct mu_client *c, uint32_t timeout_ms);

MU_EXPORT int mu_client_fd(const struct mu_client *c);
/* ms until mu_client_process must be called; 0: now; never negative. */
MU_EXPORT int mu_client_timeout_ms(const struct mu_client *c);
/* Do what there is to do, without waiting; calls your callbacks. 0, or
 * MU_EEXPIRED, MU_ECLOSED when the handle is at its end. */
MU_EXPORT int mu_client_process(struct mu_client *c);

struct mu_client_info {
	uint32_t size; /* set it to sizeof(struct mu_client_info) first */
	enum mu_client_state state;
	uint32_t timeout_ms; /* as negotiated; 0 before the first connection */
	int64_t session;     /* 0 before the first connection */
	uint8_t password[16];
	int64_t last_zxid;
	int32_t features; /* the broker's feature number; 0: a ZooKeeper; from
	                     2: it has subscriptions */
	int64_t tree_id;  /* another one: the broker has lost its tree */
	bool resumed;     /* the session is older than this connection */
	char broker[256]; /* URL in use */
};
MU_EXPORT void mu_client_info(const struct mu_client *c,
                              struct mu_client_info *info);

/* ---- requests ---- */

/* Rights of an ACL, or'ed together (rule 28). */
enum mu_acl_rights {
	MU_ACL_READ = 1,
	MU_ACL_WRITE = 2,
	MU_ACL_CREATE = 4,
	MU_ACL_DELETE = 8,
	MU_ACL_ADMIN = 16,
	MU_ACL_ALL = 31,
};

struct mu_acl_entry {
	int32_t rights;
	const char *scheme; /* "world", "digest", "ip", "auth" */
	const char *id;     /* "anyone", "user:hash", "10.0.0.0/8", "" */
};

struct mu_op_result {     /* of one operation of a multi */
	int rc;           /* its own code; MU_EROLLEDBACK: a later one */
	const char *path; /* create: the path as made; else NULL */
	const struct mu_stat *stat; /* set, create: or NULL */
};

struct mu_subscribed { /* how a subscription stands */
	uint32_t size; /* of this struct as the library knows it */
	enum mu_subscribe_state state;
	int64_t zxid; /* all up to here was told, or is in the gap */
	int32_t n;
	int64_t from, to; /* gap: zxids whose changes may be missing; else 0 */
};

struct mu_result {
	uint32_t size;
	int rc;           /* 0 or MU_E*; the rest is set only on 0 */
	int64_t zxid;     /* the broker's last transaction */
	const char *path; /* create: as made, with its sequence number */
	const void *data; /* get */
	int32_t len;      /* bytes; -1: null data */
	const struct mu_stat *stat;  /* get, exists, set, create, children */
	const char *const *children; /* names; count entries */
	size_t count; /* of children, of results, or of entries of the ACL */
	const struct mu_op_result *results; /* multi; also set when it failed */
	const struct mu_acl_entry *acl;     /* get_acl */
	const struct mu_subscribed *subscribed; /* subscribe */
};

typedef void mu_done_fn(struct mu_client *c, const struct mu_result *r,
                        void *arg);

enum mu_create_flags { /* or them together */
	               MU_CREATE_PERSISTENT = 0,
	               MU_CREATE_EPHEMERAL = 1,
	               MU_CREATE_SEQUENTIAL = 2,
	               MU_CREATE_CONTAINER =
	                       4, /* goes with none of the others */
};

struct mu_create_options {
	uint32_t size; /* sizeof(struct mu_create_options): set it first */
	const char *path;
	const void *data;
	int32_t len;    /* -1: null data */
	unsigned flags; /* enum mu_create_flags */
	const struct mu_acl_entry *acl;
	size_t acl_count; /* 0: everybody may do everything */
	int64_t ttl_ms;   /* not 0: a node with this time to live */
};

enum mu_addwatch_mode {
	MU_ADDWATCH_PERSISTENT = 0, /* the node and its list of children */
	MU_ADDWATCH_RECURSIVE = 1,  /* the node and all below it */
};

/*
 * Each returns 0 and calls `done` (NULL: nobody) exactly once later, from
 * mu_client_process, in the order of the requests; or fails and never calls it:
 * MU_EINVAL (path), MU_EFULL (1,000 are outstanding), MU_ETOOBIG, MU_EEXPIRED,
 * MU_ECLOSED, MU_ENOMEM. `watch`: leave a one-shot watch (rule 29).
 * version -1: any. data NULL with len -1: null data.
 *
 * The result's rc: as the broker says (types.h), or MU_ECONNLOSS, MU_EEXPIRED.
 */
MU_EXPORT int mu_client_get(struct mu_client *c, const char *path, bool watch,
                            mu_done_fn *done, void *arg);
MU_EXPORT int mu_client_exists(struct mu_client *c, const char *path,
                               bool watch, mu_done_fn *done, void *arg);
MU_EXPORT int mu_client_children(struct mu_client *c, const char *path,
                                 bool watch, mu_done_fn *done, void *arg);
MU_EXPORT int mu_client_create(struct mu_client *c, const char *path,
                               const void *data, int32_t len, unsigned flags,
                               mu_done_fn *done, void *arg);
/* The same with all that a node can be given. A time to live goes with neither
 * MU_CREATE_EPHEMERAL nor MU_CREATE_CONTAINER; a ZooKeeper may have it switched
 * off (MU_EUNIMPLEMENTED). */
MU_EXPORT int mu_client_create_with(struct mu_client *c,
                                    const struct mu_create_options *options,
                                    mu_done_fn *done, void *arg);
/* The ACL of a node. Who may not change it sees "x" for the hash of a digest. */
MU_EXPORT int mu_client_get_acl(struct mu_client *c, const char *path,
                                mu_done_fn *done, void *arg);
/* version: of the ACL (aversion of the Stat). */
MU_EXPORT int mu_client_set_acl(struct mu_client *c, const char *path,
                                const struct mu_acl_entry *acl, size_t count,
                                int32_t version, mu_done_fn *done, void *arg);
MU_EXPORT int mu_client_set(struct mu_client *c, const char *path,
                            const void *data, int32_t len, int32_t version,
                            mu_done_fn *done, void *arg);
MU_EXPORT int mu_client_delete(struct mu_client *c, const char *path,
                               int32_t version, mu_done_fn *done, void *arg);
MU_EXPORT int mu_client_sync(struct mu_client *c, const char *path,
                             mu_done_fn *done, void *arg);
MU_EXPORT int mu_client_add_watch(struct mu_client *c, const char *path,
                                  enum mu_addwatch_mode mode, mu_done_fn *done,
                                  void *arg);

enum mu_op_kind {
	MU_OPKIND_CREATE,
	MU_OPKIND_DELETE,
	MU_OPKIND_SET,
	MU_OPKIND_CHECK,
};

struct mu_multi_op {
	enum mu_op_kind kind;
	const char *path;
	const void *data; /* create, set */
	int32_t len;      /* -1: null data */
	int32_t version;  /* delete, set, check; -1: any */
	unsigned flags;   /* create: enum mu_create_flags */
};

/* All or nothing, in one transaction. The result's rc is that of the first
 * operation that failed. */
MU_EXPORT int mu_client_multi(struct mu_client *c,
                              const struct mu_multi_op *ops, size_t count,
                              mu_done_fn *done, void *arg);

/* ---- subscriptions: changes without a gap ----
 *
 * A broker of ours (features from 2) keeps a log of its latest changes. Who
 * subscribes from the position it got to is told of every change since, each
 * once and in order, and then of those to come; where the log does not reach
 * back any more, the answer says so.
 *
 *     on_state CONNECTED   subscribe from your position (zxid -1: from now)
 *     on_change            handle it; its (zxid, n) is your position
 *     done, rc 0: LIVE     what comes will be told; (zxid, n) of the answer is
 *                          a position to begin from too
 *                 MORE     no subscription stands, a part was told, or nothing
 *                          yet: subscribe again, from (zxid, n) of the answer
 *                 GAP      it stands from (zxid, n) of the answer, which is now:
 *                          read what you want to know, after this
 *
 * It belongs to the connection and goes with it: the library does not ask again,
 * and nothing of it is told after on_state said that the connection went.
 * Positions are the broker's and hold in any session; with another tree_id
 * (mu_client_info) they mean nothing: subscribe from now, and read.
 */
struct mu_subscribe {
	uint32_t size;    /* sizeof(struct mu_subscribe): set it first */
	int32_t id;       /* a number of your own. One in use on this connection
	                  is replaced; with another you can tell the changes of
	                  the new one from those of the old */
	const char *path; /* needs no node, and no right: you are told of the
	                     changes of nodes that you may read */
	enum mu_subscribe_mode mode;
	/* Known already: all up to and with (zxid, n); n INT32_MAX: with the
	 * whole transaction. zxid -1: everything, so from now on. */
	int64_t zxid;
	int32_t n;
};

/*
 * Both return and call `done` as the requests above do. They do not wait for a
 * connection. Errors, at once: as there, and MU_EINVAL (size, path, mode, a
 * zxid or n that is negative but for zxid -1), MU_ECONNLOSS (there is no
 * connection now: ask after on_state says CONNECTED), MU_EUNIMPLEMENTED (the
 * server has no subscriptions: its features are below 2).
 *
 * The result's rc of subscribe: MU_EFULL (1,000 on this connection, or as many
 * as the broker takes together), MU_ECONNLOSS, or as the broker says. On 0
 * `subscribed` is set. Of unsubscribe: MU_ENOWATCHER (no such id); after it, no
 * change of that id is told.
 */
MU_EXPORT int mu_client_subscribe(struct mu_client *c,
                                  const struct mu_subscribe *what,
                                  mu_done_fn *done, void *arg);
MU_EXPORT int mu_client_unsubscribe(struct mu_client *c, int32_t id,
                                    mu_done_fn *done, void *arg);

/* What brought a change about, in a word: "expiry"; "unknown" for a number that
 * is not in muster/types.h. Static text. */
MU_EXPORT const char *mu_client_cause_word(int32_t cause);

/* ---- synchronous: wait at most timeout_ms, calling other callbacks the while;
 * MU_ETIMEDOUT then (the request may still be carried out). err may be NULL. */

/* Wait for CONNECTED. The sentence says what was tried and why it failed. */
MU_EXPORT int mu_client_wait(struct mu_client *c, uint32_t timeout_ms,
                             struct mu_err *err);

struct mu_value {
	void *data;  /* freed by mu_value_free */
	int32_t len; /* bytes; -1: null data */
	struct mu_stat stat;
};
MU_EXPORT void mu_value_free(struct mu_value *v);

struct mu_names {
	char **names; /* sorted by byte; freed by mu_names_free */
	size_t count;
	struct mu_stat stat; /* of the parent */
};
MU_EXPORT void mu_names_free(struct mu_names *n);

MU_EXPORT int mu_client_get_sync(struct mu_client *c, const char *path,
                                 struct mu_value *out, uint32_t timeout_ms,
                                 struct mu_err *err);
MU_EXPORT int mu_client_exists_sync(struct mu_client *c, const char *path,
                                    struct mu_stat *out, uint32_t timeout_ms,
                                    struct mu_err *err);
MU_EXPORT int mu_client_children_sync(struct mu_client *c, const char *path,
                                      struct mu_names *out, uint32_t timeout_ms,
                                      struct mu_err *err);
/* made: room for the path as made, or NULL. */
MU_EXPORT int mu_client_create_sync(struct mu_client *c, const char *path,
                                    const void *data, int32_t len,
                                    unsigned flags, char *made, size_t room,
                                    uint32_t timeout_ms, struct mu_err *err);
MU_EXPORT int mu_client_set_sync(struct mu_client *c, const char *path,
                                 const void *data, int32_t len, int32_t version,
                                 struct mu_stat *out, uint32_t timeout_ms,
                                 struct mu_err *err);
MU_EXPORT int mu_client_delete_sync(struct mu_client *c, const char *path,
                                    int32_t version, uint32_t timeout_ms,
                                    struct mu_err *err);
MU_EXPORT int mu_client_sync_sync(struct mu_client *c, const char *path,
                                  uint32_t timeout_ms, struct mu_err *err);
/* failed: index of the operation that failed, or NULL. */
MU_EXPORT int mu_client_multi_sync(struct mu_client *c,
                                   const struct mu_multi_op *ops, size_t count,
                                   size_t *failed, uint32_t timeout_ms,
                                   struct mu_err *err);
MU_EXPORT int mu_client_add_watch_sync(struct mu_client *c, const char *path,
                                       enum mu_addwatch_mode mode,
                                       uint32_t timeout_ms, struct mu_err *err);

#ifdef __cplusplus
}
#endif

#endif /* MUSTER_CLIENT_H */
