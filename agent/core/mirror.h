/*
 * mirror.h - what an agent knows of the tree through one subscription, and
 * which events follow from it.
 *
 * Pure. The shell arms the watch, carries the reads to the broker and brings
 * the answers and notifications back, in the order in which they came over the
 * link; the mirror decides what to read and calls the sink with the events.
 *
 *     mu_mirror_start()            a connection is up and the watch was asked
 *                                  for: read all of it, tell what differs
 *     mu_mirror_read_next() ...    reads to send, some at a time
 *     mu_mirror_read_done()        an answer
 *     mu_mirror_notify()           the watch fired
 *     mu_mirror_stop()             the connection went
 *
 * Where the broker has subscriptions, a subscription takes the watch's place:
 *
 *     mu_mirror_subscribe()        a connection is up: where to subscribe from
 *     mu_mirror_subscribed()       the reply
 *     mu_mirror_change()           a change event
 *     mu_mirror_read_...(), mu_mirror_stop() as above
 *
 * Then each change gives one event, with its own value, in the order of
 * (zxid, n), over any number of connections, and nothing is read but at first,
 * and values that are too long to come with their change (whole is false);
 * those may be newer than their event, as below. See mu_mirror_subscribe.
 *
 * The rest of this comment is about watches.
 *
 * A watch that persists says nothing of what was missed while the link was
 * down (rule 38), hence the full reading after each start. What it finds is
 * told as PRESENT when all of it is new (the first time, or after the broker
 * lost its tree), else as CREATED, CHANGED, DELETED, CHILDREN with
 * MU_EVENT_COALESCED, in the order of the zxids (a DELETED has that at which
 * the reading began). Notifications that come while it goes on wait for its
 * end.
 *
 * Live events come in the order of their notifications. A value may be newer
 * than its event; the changes it overtook are then not told again, the event's
 * count says how many they were. A node that was gone before it could be read
 * is told of by its DELETED alone, whose count includes what was not seen. (If
 * that DELETED is not ours to be told, for we may not read the node any more, the
 * mirror tells it, COALESCED, once all that it was read with was told.)
 *
 * exact     created, deleted, changed, children of the path: arm PERSISTENT
 * children  the same, and created, deleted, changed one level down: RECURSIVE
 * subtree   the same at all depths: RECURSIVE
 *
 * A recursive watch is never told that children changed (rule 34): CHILDREN of
 * the top follows from a direct child's creation and deletion.
 */
#ifndef MU_CORE_MIRROR_H
#define MU_CORE_MIRROR_H

#include "path.h"

#include <muster/client.h>
#include <muster/plugin.h>

#define MU_MIRROR_OUT_MAX 32u /* reads of one mirror under way */

enum mu_mirror_mode {
	MU_MIRROR_EXACT,
	MU_MIRROR_CHILDREN,
	MU_MIRROR_SUBTREE,
};

struct mu_mirror_limits {
	uint32_t nodes_max; /* nodes held */
	uint32_t queue_max; /* notifications waiting; beyond: read all again */
	size_t bytes_max;   /* of values held */
};

/* The type of an event of the mirror's own: changes may be missing; what
 * differs follows, COALESCED. Its path is the top, its zxid and n are those of
 * the last change that was told before. `alone`: this one change of this path is
 * missing, for its value cannot be read; what is held stays, and the node's next
 * event counts it too. */
#define MU_MIRROR_GAP MU_EVENT_GAP

struct mu_mirror_event {
	uint32_t type;  /* PRESENT, CREATED, DELETED, CHANGED, CHILDREN; GAP */
	uint32_t flags; /* 0 or MU_EVENT_COALESCED */
	uint32_t count; /* changes it stands for, at least 1 */
	int64_t zxid;
	int32_t n;  /* its place in the transaction, where exact */
	bool exact; /* a change as the broker told it: (zxid, n) names it, and a
	               cursor may move there once it is handled. Others move no
	               cursor; the position that is told behind them does */
	bool past;  /* what is held is newer (or not there, as before): nothing
	               that is held changed with it */
	bool held;  /* exact; but something before it is not told yet (a node
	               was gone before it could be read), so a cursor must not
	               move there. A position is told when it may */
	bool alone; /* GAP: of this change and no other */
	struct mu_str path, data, old_data; /* at NULL: none */
	const struct mu_stat *stat;         /* NULL: the node is gone */
	const struct mu_stat *last; /* DELETED: as it last was; NULL: unknown */
	int cause;                  /* enum mu_cause; where exact */
	int64_t session;            /* its author; 0: unknown */
	struct mu_str origin;       /* the same; at NULL: unknown */
};

/* Takes an event; its contents are borrowed for the call. Not 0: it could not,
 * and the mirror goes idle with this event, and those behind it, untold: a
 * later start finds them again. Must not call the mirror. */
typedef int mu_mirror_fn(void *arg, const struct mu_mirror_event *e);

struct mu_mirror;

/* MU_EINVAL: path; MU_ENOMEM. The mirror is idle. */
int mu_mirror_new(const char *path, enum mu_mirror_mode mode,
                  const struct mu_mirror_limits *limits, mu_mirror_fn *fn,
                  void *arg, struct mu_mirror **out);
void mu_mirror_free(struct mu_mirror *m); /* NULL is allowed */

const char *mu_mirror_path(const struct mu_mirror *m);
enum mu_mirror_mode mu_mirror_mode(const struct mu_mirror *m);
uint32_t mu_mirror_count(const struct mu_mirror *m); /* nodes held */

/* Tell fn, not the sink, of each node that is held: PRESENT, in the order of the
 * zxids. That is the state as of the last event that the sink took. The mirror
 * does not change. MU_ENOMEM: nothing was told; what fn says that is not 0 ends
 * it and is returned. */
int mu_mirror_present(const struct mu_mirror *m, mu_mirror_fn *fn, void *arg);

/* Of a change in its transaction; zxid -1: none. */
struct mu_mirror_at {
	int64_t zxid;
	int32_t n; /* INT32_MAX: the whole transaction */
};

/* Whoever is told has had all up to and including `from`: go on behind it. To be
 * called before the first subscription. */
void mu_mirror_resume(struct mu_mirror *m, struct mu_mirror_at from);

/* Call ready when all that is there was read for the first time: quiet, in a
 * mirror that resumes, where the sink hears nothing of that reading but
 * mu_mirror_present can tell it, and what came since follows; or not, and the
 * sink was told PRESENT. It must not call the mirror, but for _present. */
typedef void mu_mirror_ready_fn(void *arg, bool quiet);
void mu_mirror_on_ready(struct mu_mirror *m, mu_mirror_ready_fn *ready);

/*
 * A subscription is asked for, from *from (zxid -1: from now). Forgets reads
 * under way and what waits; keeps what is held. fresh: as of mu_mirror_start.
 * MU_ENOMEM: the mirror is idle.
 *
 * If nothing was read yet, or changes were missed (GAP), all is read behind the
 * subscription. Changes that come meanwhile wait for the end of it, and those
 * that it saw already are passed over: PRESENT, or what it found to differ,
 * stands for them. Not so when it was quiet: they are told as they are, for
 * nobody has heard of them, and change nothing that is held, being `past`.
 */
int mu_mirror_subscribe(struct mu_mirror *m, bool fresh,
                        struct mu_mirror_at *from);

enum mu_mirror_state { /* as on the wire */
	               MU_MIRROR_LIVE,
	               MU_MIRROR_MORE, /* a part was told, up to `at`: ask again */
	               MU_MIRROR_GAP_FOUND,
};

/* The reply. Behind a gap all is read again; then comes MU_MIRROR_GAP, and what
 * differs: COALESCED, or as PRESENT if the sink was told nothing yet of this
 * tree. MU_ENOMEM: idle. */
int mu_mirror_subscribed(struct mu_mirror *m, enum mu_mirror_state state,
                         struct mu_mirror_at at);

/* True if a change with this one before it is the next. If not, some are
 * missing. */
bool mu_mirror_expects(const struct mu_mirror *m, struct mu_mirror_at prev);

/* Changes are missing though the subscription goes on: as a gap in the reply.
 * MU_ENOMEM: idle. */
int mu_mirror_missed(struct mu_mirror *m);

struct mu_mirror_change {
	int type; /* as on the wire, 1 to 4 */
	int64_t zxid;
	int32_t n;
	struct mu_str path, data; /* data.at NULL: null, or not whole */
	bool whole;
	const struct mu_stat *stat; /* as of the change; of a deleted node as it
	                               last was */
	int cause;
	int64_t session;
	struct mu_str origin;
};

/* As the client library tells it; borrows from it. */
struct mu_mirror_change mu_mirror_change_of(const struct mu_change *c);

/* The next change. Paths that this subscription does not cover, changes that
 * came before, and all of them while idle, are passed over. MU_ENOMEM,
 * MU_ETOOBIG (more nodes or bytes than the limits allow: the next subscription
 * reads all again, as behind a gap), or what the sink said: idle from then on,
 * and the next subscription begins with this change. */
int mu_mirror_change(struct mu_mirror *m, const struct mu_mirror_change *c);

/* True if all that was given is told, and there is more to be had: it is time
 * for the next mu_mirror_subscribe. */
bool mu_mirror_wants_more(const struct mu_mirror *m);

/* The broker has told on this link that its tree has got to zxid. Passed over
 * unless the subscription is live. What the sink said: idle from then on. */
int mu_mirror_reached(struct mu_mirror *m, int64_t zxid);

/* True, once for each: the sink has had all up to *at, and no exact event has
 * said so. */
bool mu_mirror_position(struct mu_mirror *m, struct mu_mirror_at *at);

/* Read everything. fresh: forget what is held first, so that what is there
 * comes as PRESENT and nothing as DELETED. MU_ENOMEM: the mirror is idle. */
int mu_mirror_start(struct mu_mirror *m, bool fresh);

/* Forget reads under way and notifications waiting; keep what is held. */
void mu_mirror_stop(struct mu_mirror *m);

/* True before start, after stop, and after an error of notify or read_done:
 * start is then needed before anything more is told. */
bool mu_mirror_is_idle(const struct mu_mirror *m);

/* A watch fired. type as on the wire (1 to 4); zxid -1: not known. Paths and
 * types that this subscription does not cover are passed over, and all of them
 * while idle. MU_ENOMEM, or what the sink said: idle from then on. */
int mu_mirror_notify(struct mu_mirror *m, int type, const char *path,
                     int64_t zxid);

enum mu_mirror_what { MU_MIRROR_NODE, MU_MIRROR_NAMES };

struct mu_mirror_read {
	uint32_t id;
	enum mu_mirror_what what; /* value and stat, or names of the children */
	const char *path;         /* borrowed until the next call */
};

/* The next read to send. False: none now. */
bool mu_mirror_read_next(struct mu_mirror *m, struct mu_mirror_read *out);

struct mu_mirror_answer {
	int rc;       /* of the read; the rest is set when it is 0 */
	int64_t zxid; /* of the reply; also with MU_ENONODE */
	struct mu_str data;
	const struct mu_stat *stat;
	const char *const *names;
	size_t count;
};

/* True for the end of a read that says nothing of the node: another try may go
 * well. Not 0, MU_ENONODE, MU_ENOAUTH. */
bool mu_mirror_may_pass(int rc);

/* A read that was refused so often for what may pass is given up. */
#define MU_MIRROR_TRIES_MAX 64u

/* A read has ended. An id from before a stop is passed over. rc MU_EFULL and
 * MU_ETHROTTLED: it was not carried out, and will be given again; others that may
 * pass: likewise, MU_MIRROR_TRIES_MAX times in all. When to ask for it
 * (mu_mirror_read_next) is the shell's to say; all that is behind it waits.
 * What cannot be read leaves that node as it was held: in a reading of all
 * nothing is said of it, a change gives a GAP, `alone`.
 * Returns 0, or, idle from then on: MU_ENOMEM, MU_ETOOBIG (more nodes or bytes
 * than the limits allow), what the sink said. */
int mu_mirror_read_done(struct mu_mirror *m, uint32_t id,
                        const struct mu_mirror_answer *a);

#endif /* MU_CORE_MIRROR_H */
