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
 * is told of by its DELETED alone, whose count includes what was not seen.
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
 * the last change that was told before. */
#define MU_MIRROR_GAP 30u

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

/* A read has ended. An id from before a stop is passed over. rc MU_EFULL and
 * MU_ETHROTTLED: it was not carried out, and will be given again; other codes
 * than 0 and MU_ENONODE leave that node as it was held.
 * Returns 0, or, idle from then on: MU_ENOMEM, MU_ETOOBIG (more nodes or bytes
 * than the limits allow), what the sink said. */
int mu_mirror_read_done(struct mu_mirror *m, uint32_t id,
                        const struct mu_mirror_answer *a);

#endif /* MU_CORE_MIRROR_H */
