/*
 * muster/plugin.h - what a plugin offers the agent, and what it gets in return.
 *
 * A plugin is a shared object that exports one constant, `mu_plugin`. That
 * constant is read before any of the plugin's functions is called, so a plugin
 * built for another ABI is refused with a reason, never called. C11, C++17.
 *
 * Process   Each configured instance lives in a process of its own, the runner,
 *           with the limits of its configuration. What it does to itself hurts
 *           nobody else. When it dies it is started again, after 0.1 s doubling
 *           to 60 s (anew once it ran well for 60 s). If init says
 *           MU_ECONFIG, or the object is refused, after 60 s at once. One that
 *           dies too often is quarantined: not started until it is released.
 * Again     What `self` held went with the process. So the new one, if one
 *           before it handled any event, is given the present state first: as
 *           far as it asked for them, CONNECTED if there is a broker now,
 *           PRESENT for each node, MEMBER_PRESENT for each member. Then the
 *           event that was not acknowledged, with MU_EVENT_AGAIN, and what was
 *           queued. These may be older than what was told as present, and the
 *           last for each path leads to it: a CHANGED may bring an older value
 *           first, a DELETED or FAILED may speak of what was not there. Build
 *           anew from PRESENT, then put in and take out as each event says, and
 *           whatever the order you end up right. So it is, too, when the agent
 *           itself was started again: it remembers how far each instance got.
 *           Without a broker PRESENT and MEMBER_PRESENT then come from its
 *           memory, with MU_EVENT_STALE.
 *           When the broker came back with another tree, nothing of the old
 *           one holds any more. Then each instance is ended (fini) and its
 *           process is started anew, so that it begins with an empty memory
 *           and is given what is there now; events of the old tree that still
 *           waited are dropped, and no LEFT or FAILED is told for its members.
 * Upgrade   When the file of the plugin is another, or on muster plugin reload, a
 *           new process is started beside the one that is there: it loads the
 *           object and runs init. If that does not work it is ended, and the old
 *           one goes on as if nothing had been. If it does, the old one finishes
 *           what it is handling and is ended (fini); only then is the new one
 *           given anything, ticks included: first the present state, as above,
 *           then what waited. So both are there while init runs: what two may
 *           not hold at once (a port, a lock, the file that is written) is to be
 *           taken with the first event or tick, not in init. Ephemeral nodes
 *           that the old one has made stay; create of the same path succeeds,
 *           and makes the node, whose value is then the new one, the new
 *           process's own. One that it has neither made so nor removed 5 s after
 *           it has handled the present state is deleted. The same holds over
 *           a restart of the agent, or a crash of it, that is over before its
 *           session is: nobody sees such a node go.
 * Threads   All calls into an instance come one at a time, on one thread. The
 *           functions in struct mu_host may be called only from inside such a
 *           call and on that thread; wake alone may be called from anywhere.
 * Time      Each call has a deadline (30 s unless configured): past it the
 *           whole process group of the instance is killed, and started again.
 * Growth    What is new stands at the end of its struct; `size` tells what the
 *           other side knows. Ask with MU_HAS before you use a field that was
 *           not there in the first release (it says so), and do without it
 *           where there is none: so your plugin runs with older agents too. An
 *           older plugin is given no kind of event that it could not know.
 * Memory    A pointer passed in is borrowed until the call returns, or for as
 *           long as its own comment says. Ownership never crosses this line:
 *           each side frees what it made.
 * Errors    0, or a negative MU_E* code with a sentence in *err (err->code need
 *           not be set). An event that ends in an error was not handled: it is
 *           given again with the same back-off, until it is handled or a newer
 *           event for the same path has come to replace it.
 * Order     Events of one watch, and those of the members, come in the order of
 *           their (zxid, n), at least once; between two of these there is none,
 *           and what two watches cover is told for each. After a crash one may
 *           come twice, with MU_EVENT_AGAIN set, behind the
 *           present state (see Again), whose own zxids are those of the values
 *           and members it tells of.
 * Files     0 is /dev/null; 1 and 2 are a pipe to the agent, which logs each line
 *           under the instance's name, so many a second (output_lines_max), and
 *           reads it for as long as this process lives: what is to outlive it
 *           must write elsewhere. stdout is flushed at the end of each line.
 */
#ifndef MUSTER_PLUGIN_H
#define MUSTER_PLUGIN_H

#include <muster/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when an existing field changes its meaning. New fields go at the end
 * of a struct and do not raise it: `size` says which fields the maker knew. */
#define MU_PLUGIN_ABI 1u
/* Counts the times that fields were added: for people, never compared. */
#define MU_PLUGIN_REVISION 2u

/* True if `s`, a struct with a member `size`, has `field`. */
#define MU_HAS(s, type, field) \
	((s)->size >= offsetof(type, field) + sizeof((s)->field))

/* X(name, number, word: in the configuration and in the environment of exec) */
#define MU_EVENT_MAP(X) \
	X(MU_EVENT_PRESENT, 0, "present") \
	X(MU_EVENT_CREATED, 1, "created") \
	X(MU_EVENT_DELETED, 2, "deleted") \
	X(MU_EVENT_CHANGED, 3, "changed") \
	X(MU_EVENT_CHILDREN, 4, "children") \
	X(MU_EVENT_MEMBER_PRESENT, 10, "member-present") \
	X(MU_EVENT_MEMBER_JOINED, 11, "joined") \
	X(MU_EVENT_MEMBER_LEFT, 12, "left") \
	X(MU_EVENT_MEMBER_FAILED, 13, "failed") \
	X(MU_EVENT_MEMBER_CHANGED, 14, "member-changed") \
	X(MU_EVENT_CONNECTED, 20, "connected") \
	X(MU_EVENT_DISCONNECTED, 21, "disconnected") \
	X(MU_EVENT_GAP, 30, "gap")

/*
 * PRESENT and MEMBER_PRESENT tell how things stand, one event for each node or
 * member that is there: when the instance starts, and when its process was
 * started again, be it after a crash or because the broker came back with
 * another tree (see Again). CREATED to CHILDREN are ZooKeeper's four. LEFT went
 * on purpose, FAILED did not. CONNECTED and DISCONNECTED speak of the agent and
 * its broker. GAP: events on this path, and below it where that is watched too,
 * may be missing, for the broker does not remember so far back; what differs
 * follows, with MU_EVENT_COALESCED. Or, where the new value of one node cannot be
 * read any more (its ACL): this change of it; what is known of it stays, and its
 * next event counts it too. Only for a plugin that wants MU_WANT_GAP.
 */
enum mu_event_type {
#define MU_EVENT_ENUM(name, number, word) name = number,
	MU_EVENT_MAP(MU_EVENT_ENUM)
#undef MU_EVENT_ENUM
};

enum mu_event_flags {
	MU_EVENT_AGAIN = 1,     /* was given before and not acknowledged, or,
	                           after a crash of the agent, may have been */
	MU_EVENT_COALESCED = 2, /* found by reading again after a connect: what
	                           lay between may not have been seen */
	MU_EVENT_OVERFLOW = 4,  /* the queue was full: stands for `count` */
	MU_EVENT_STALE = 8,     /* as the agent remembers the broker, which is
	                           away now; what differs follows once it is
	                           back */
	MU_EVENT_RENEWED = 16,  /* of CONNECTED: the agent's session is another
	                           one, the ephemerals of this instance went
	                           with the old one: make them again. On
	                           DISCONNECTED: it was so in between */
};

/* A host that answers the roll call; from /members/<name>. Texts are never
 * NULL, empty where the record has none. */
struct mu_member {
	uint32_t size;
	const char *name;
	const char *id; /* random, of the host's state directory */
	const char *address;
	uint32_t port;       /* 0: none */
	const char *version; /* of its agent */
	const char *boot_id;
	int64_t started_ms; /* wall clock, when its agent started */
	const char *state;  /* "up", "leaving" */
	const char *labels; /* JSON object, "{}" */
	int64_t czxid;      /* names this stay: changes with each return */
};

struct mu_event {
	uint32_t size;  /* sizeof(struct mu_event) of the runner */
	uint32_t type;  /* enum mu_event_type */
	uint32_t flags; /* enum mu_event_flags, or-ed */
	uint32_t count; /* of changes that this event stands for, at least 1 */
	int64_t zxid;   /* transaction; with n it names the event */
	int32_t n;      /* place in its transaction */
	uint32_t attempt; /* 1 at first */
	const char *path; /* never NULL; "" for CONNECTED and DISCONNECTED */
	/* The node's value now; NULL: no value (null data, or no node). A NUL
	 * stands behind the last byte, not counted. So with old_data. */
	const void *data;
	int32_t data_len;               /* bytes; -1: no value */
	const void *old_data;           /* the value known before; NULL: none */
	int32_t old_len;                /* bytes; -1: none */
	const struct mu_stat *stat;     /* NULL where the node is gone */
	const struct mu_member *member; /* NULL but for MEMBER_* */

	/* Since revision 2; see MU_HAS. */
	int32_t cause;          /* enum mu_cause: how it came about */
	int64_t author_session; /* that did it, or that ended; 0: unknown */
	const char *author;     /* where that session came from, as the broker
	                           saw it: "tcp:ADDRESS", or through its ipc
	                           socket "ipc:UID:GID:PID", the numbers of user,
	                           group and process on the broker's host; never
	                           NULL, "" where it is unknown */
};

enum mu_report_state {
	MU_REPORT_APPLIED = 0, /* in force */
	MU_REPORT_REJECTED =
		1,            /* refused by a check; the old one is in force */
	MU_REPORT_FAILED = 2, /* tried and failed; the old one is in force */
};

struct mu_report {
	const char *path;   /* the node it speaks of */
	int64_t zxid;       /* of the value it speaks of */
	int32_t version;    /* -1: of a node that is gone */
	const char *digest; /* of the bytes, as the plugin likes; or "" */
	enum mu_report_state state;
	const char *reason; /* a sentence; when applied, as a rule "" */
};

enum mu_plugin_create_flags {
	MU_PLUGIN_EPHEMERAL = 1, /* goes with the instance's process */
};

/* The agent's side. Lives as long as the instance; `agent` is for the agent.
 * Functions with timeout_ms ask the agent, which asks the broker: MU_ETIMEDOUT,
 * MU_ECONNLOSS (no broker now) and the broker's codes; err may be NULL. After
 * MU_ETIMEDOUT and MU_ECONNLOSS a change may have been made or not. MU_EFULL: the
 * broker has not answered 16 that were given up. */
struct mu_host {
	uint32_t abi;  /* MU_PLUGIN_ABI of the runner */
	uint32_t size; /* sizeof(struct mu_host) of the runner, bytes */
	void *agent;
	const char *instance; /* name of this instance */
	const char *member;   /* name of this host in /members */

	/* Write one line to the agent's log, under the instance's name. Of
	 * more than `log_lines_max` of the instance in a second the rest is
	 * counted only, and the log tells how many. */
	void (*log)(const struct mu_host *h, enum mu_level level,
	            const char *fmt, ...) MU_PRINTF(3, 4);

	/* Settings of this instance, by key: "file", "reload.timeout",
	 * "events[0]". The fallback comes back if the key is absent or has
	 * another type; a key that was never asked for as the type it has, or
	 * not at all when init has ended well, is logged as a warning. Texts
	 * are borrowed until fini. */
	const char *(*setting_str)(const struct mu_host *h, const char *key,
	                           const char *fallback);
	int64_t (*setting_int)(const struct mu_host *h, const char *key,
	                       int64_t fallback);
	bool (*setting_bool)(const struct mu_host *h, const char *key,
	                     bool fallback);
	double (*setting_float)(const struct mu_host *h, const char *key,
	                        double fallback);
	/* Number of elements of a list or array; -1 if there is none. */
	int (*setting_count)(const struct mu_host *h, const char *key);

	/* Read a node. *data and *stat are borrowed until the next call of get
	 * or children, or the end of the callback; *len -1: null data, and
	 * *data NULL. A NUL stands behind the last byte, not counted. stat may
	 * be NULL. MU_ENONODE, ... */
	int (*get)(const struct mu_host *h, const char *path, const void **data,
	           int32_t *len, struct mu_stat *stat, uint32_t timeout_ms,
	           struct mu_err *err);
	/* List a node's children: names, sorted; borrowed likewise. */
	int (*children)(const struct mu_host *h, const char *path,
	                const char *const **names, size_t *count,
	                uint32_t timeout_ms, struct mu_err *err);
	/* Set a node's value; version -1: any. MU_ENONODE, MU_EBADVERSION... */
	int (*set)(const struct mu_host *h, const char *path, const void *data,
	           int32_t len, int32_t version, uint32_t timeout_ms,
	           struct mu_err *err);
	/* Tell how things stand: the agent writes it to
	 * /applied/<instance>/<member>, again after a broken connection. Does
	 * not wait. The newest report replaces one not yet written; of other
	 * nodes that were reported as applied it keeps the versions, of those
	 * reported last. So what is made of several nodes is reported with each
	 * whose value is in force. */
	int (*report)(const struct mu_host *h, const struct mu_report *r,
	              struct mu_err *err);

	/* Since revision 2; see MU_HAS. */

	/* Create a node whose parent is there; len -1: null data. flags: enum
	 * mu_plugin_create_flags, or-ed. An ephemeral one belongs to the
	 * session of the agent, which deletes it when the process of this
	 * instance ends, however it ends (but see Upgrade, also for the end of
	 * the agent itself); if there is no broker then, once it
	 * is back. At most 1,000 of an instance at a time (MU_EFULL), with paths
	 * of at most 1,024 bytes (MU_ETOOBIG). When the session expires, they
	 * are gone: see MU_EVENT_RENEWED. MU_EEXISTS, MU_ENONODE (no parent),
	 * MU_ENOCHILDREN (under an ephemeral one); MU_EINVAL: path, flags. */
	int (*create)(const struct mu_host *h, const char *path,
	              const void *data, int32_t len, uint32_t flags,
	              uint32_t timeout_ms, struct mu_err *err);
	/* Delete a node (`delete` is a word of C++); version -1: any.
	 * MU_ENONODE, MU_EBADVERSION, MU_ENOTEMPTY. */
	int (*remove)(const struct mu_host *h, const char *path,
	              int32_t version, uint32_t timeout_ms, struct mu_err *err);
	/* Ask for a tick soon: after what is being handled now, and at most
	 * one event more. Any thread may call it, and a signal handler, from the begin of
	 * init to the end of fini; it never waits. Calls before that tick
	 * begins count as one. Without a tick it does nothing. */
	void (*wake)(const struct mu_host *h);
	/* Is this the end of the instance? In fini: true if it is no longer in
	 * the configuration, false if a process of its name follows, be it with
	 * other settings, another plugin or another agent, now or later. Then
	 * what it has left running is found again; else nobody comes for it. An
	 * instance without a process at that time is not told. */
	bool (*is_removed)(const struct mu_host *h);
};

enum mu_plugin_wants {
	MU_WANT_GAP = 1, /* MU_EVENT_GAP */
	/* Only what is newest of each path matters: while an event waits, newer
	 * ones of the same watch and path (of values, of children, of a member)
	 * may take its place. What is given is the newest, as it is, with
	 * `count` and old_data from before the first. The one being handled
	 * stays. An agent that does not know this gives each. */
	MU_WANT_NEWEST = 2,
};

/* The plugin's side. */
struct mu_plugin {
	uint32_t abi;     /* MU_PLUGIN_ABI */
	uint32_t size;    /* sizeof(struct mu_plugin), bytes */
	const char *name; /* [a-z0-9-]{1,32}; as the file, without .so */
	const char *help; /* a line for people; may be NULL */

	/* Make the instance and store it in *self. On error *self is not read
	 * and fini is not called: undo everything here. Required. */
	int (*init)(const struct mu_host *h, void **self, struct mu_err *err);

	/* Handle one event. 0: handled. Required. */
	int (*event)(void *self, const struct mu_event *e, struct mu_err *err);

	/* Stop threads, close files, free the instance. Cannot fail. Required.
	 * Not called after a crash or a kill. */
	void (*fini)(void *self);

	/* Since revision 2. An agent that does not know them does not call
	 * them; leave out, or NULL, what there is no need for. */

	uint32_t wants; /* enum mu_plugin_wants, or-ed */

	/* Called every tick_ms of the instance's configuration (unless it is
	 * 0, as it is if not set), and soon after wake: between events, under
	 * the same deadline. A tick that could not be given in time is not made
	 * up for. An error goes to the log, if it is another than that of the
	 * tick before; the next tick comes as usual. */
	int (*tick)(void *self, struct mu_err *err);

	/* Is all well with what this instance looks after? Called every
	 * check_ms (unless it is 0), as tick is. 0, or a code with a sentence
	 * that says what is wrong: that is logged when it changes, and shown
	 * with the state of the instance, until a check says 0. Nothing else
	 * follows from it. */
	int (*check)(void *self, struct mu_err *err);
};

extern MU_EXPORT const struct mu_plugin mu_plugin;

#ifdef __cplusplus
}
#endif

#endif /* MUSTER_PLUGIN_H */
