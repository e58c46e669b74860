/*
 * store_impl.h - what the files of the store share; nobody else includes it.
 *
 *   store.c          the door: links, time, durable, replay, counters
 *   store_fx.c       the queue of effects
 *   store_peer.c     links as the store sees them, and who waits for what
 *   store_log.c      commands that are logged and not yet applied
 *   store_session.c  handshake, attach, expiry
 *   store_request.c  what kind of request it is, and whether it must wait
 *   store_admit.c    whether there is room for it, and its path is not too long
 *   store_read.c     requests answered from applied state
 *   store_ask.c      those that few clients ask for
 *   store_auth.c     who is at the other end of a link
 *   store_sweep.c    containers and nodes with a time to live that are due
 *   store_apply.c    a command applied, its events told, its waiters answered
 *   store_subscribe.c  subscriptions: catching up, and telling of a change
 *   store_look.c     looking at it from outside
 *   store_verify.c   the store's promises to itself
 *   store_load.c     coming out of a snapshot, and beginning after it
 *   snapshot_write.c, snapshot_load.c  its state as bytes, and back
 *
 * Waiting. A link has a queue of entries; each waits for the index of a logged
 * command. A link with a queue stands in the list of waiters of exactly one
 * pending command: the one its first entry waits for. So applying a command
 * finds those who waited for it without a search, and nobody else.
 *
 * Memory. What ends a link allocates nothing: a link that ended stands in a list
 * until mu_store_effect has told of it. So running out of memory can always be
 * answered by ending the link.
 */
#ifndef MU_CORE_STORE_IMPL_H
#define MU_CORE_STORE_IMPL_H

#include "store.h"

#include "command.h"
#include "hash.h"
#include "slab.h"
#include "subs.h"

#define MU_STORE_KEEP (1024u * 1024) /* bytes: buffers above are given back */
#define MU_HEADER_LEN 8u             /* bytes of a request header */
#define MU_STATE_CONNECTED 3 /* KeeperState SyncConnected, rules 23 and 24 */

/* ---- effects ---- */

struct mu_fx_item {
	int kind; /* enum mu_effect_kind, or MU_FX_DROPPED */
	uint32_t link;
	size_t from, len;              /* SEND, FANOUT: in bytes */
	size_t links_from, link_count; /* FANOUT: in links */
	uint64_t index;                /* LOG */
};

#define MU_FX_DROPPED (-1)

struct mu_fx {
	struct mu_fx_item *items; /* owned */
	size_t head, count, room; /* those from head to count are to be told */
	struct mu_buf bytes;
	uint32_t *links; /* owned */
	size_t link_count, link_room;
};

void mu_fx_fini(struct mu_fx *fx);

/* A new call on the store begins: let go of what has been told. */
void mu_fx_start(struct mu_fx *fx);

/* Begin a record in fx->bytes; its frame's length comes with mu_fx_send or
 * mu_fx_fanout, whose mark this is. */
size_t mu_fx_begin(struct mu_fx *fx);

/* Drop what was written since the mark, and the memory of a failure. */
void mu_fx_undo(struct mu_fx *fx, size_t mark);

/* Queue the record. Joined to the effect before it where that has the same
 * receivers. MU_ENOMEM: undone. */
int mu_fx_send(struct mu_fx *fx, size_t mark, uint32_t link);
int mu_fx_fanout(struct mu_fx *fx, size_t mark, const uint32_t *links,
                 size_t count);

/* Make room for one more effect, so that mu_fx_log cannot fail. */
int mu_fx_reserve(struct mu_fx *fx);
void mu_fx_log(struct mu_fx *fx, uint64_t index);

/* Forget LOG effects above `index`. */
void mu_fx_forget(struct mu_fx *fx, uint64_t index);

/* ---- links ---- */

enum mu_entry_kind {
	MU_ENTRY_HANDSHAKE, /* its createSession is logged */
	MU_ENTRY_WRITE,     /* logged */
	MU_ENTRY_READ,      /* bytes: the request's body */
	MU_ENTRY_ERROR,     /* a reply with `err`, in its turn */
	MU_ENTRY_GOODBYE,   /* the same, and the link ends (rule 18) */
	MU_ENTRY_RAW,       /* bytes: a record from before the session was up */
	MU_ENTRY_OVERSIZE,  /* bytes: the head of such a record, too large */
};

struct mu_entry {
	struct mu_entry *next;
	uint64_t wait; /* index that must have been applied */
	enum mu_entry_kind kind;
	int32_t xid, op, err;
	size_t charge; /* bytes it counts for */
	size_t len;
	uint8_t bytes[];
};

enum mu_peer_state {
	MU_PEER_NEW,        /* no handshake yet; in store.fresh */
	MU_PEER_CONNECTING, /* its createSession is logged */
	MU_PEER_UP,
	MU_PEER_ENDED, /* in store.ended, to be told */
};

struct mu_pending;

struct mu_peer {
	uint32_t number;    /* the shell's */
	uint32_t hash_next; /* for the table by number */
	enum mu_peer_state state;
	enum mu_close_reason reason; /* ENDED, or doomed */
	bool last_words;    /* nothing more is read: what is queued ends it */
	bool has_read_only; /* rule 7, for the response */
	bool wants_features;
	bool doomed; /* in store.doomed */
	uint64_t opened_ms;
	struct mu_session *session; /* UP; NULL when the session has ended */
	int64_t asked;              /* CONNECTING: id in its createSession */
	struct mu_entry *head, *tail;
	uint32_t entries;
	size_t bytes;                /* charged by entries */
	struct mu_peer *prev, *next; /* in store.fresh, ended or doomed */
	struct mu_pending *waits_for;
	struct mu_peer *wait_prev, *wait_next;
	struct mu_buf ids; /* identities besides its address: strings */
	int32_t id_count;
	char origin[MU_ORIGIN_MAX];
};

struct mu_peers { /* a list in the order of joining */
	struct mu_peer *first, *last;
};

/* ---- commands in flight ---- */

struct mu_pending {
	uint64_t index;
	int32_t type;
	int64_t session;
	struct mu_peer *wait_first, *wait_last;
	size_t len;
	uint8_t bytes[];
};

/* The walk over containers and nodes with a time to live. */
struct mu_sweep {
	uint32_t slot;      /* to be looked at next; 0: not under way */
	uint64_t began_ms;  /* the last */
	uint64_t last_ms;   /* when credit was counted */
	uint64_t credit_ms; /* time for which nothing was removed */
};

struct mu_store {
	struct mu_store_config config;
	struct mu_tree *tree;
	struct mu_watches *watches;
	struct mu_subs *subs;
	struct mu_changelog *changes;
	struct mu_sessions *sessions;
	struct mu_fx fx;
	mu_busy_fn *busy; /* NULL: no link is */
	void *busy_arg;

	uint64_t mono_ms, last_tick_ms;
	int64_t wall_ms;    /* never decreases */
	int64_t zxid;       /* last applied, at least epoch << 32 */
	int64_t zxid_taken; /* last given to a command */
	int64_t zxid_replayed;
	uint64_t logged, applied;
	bool dead; /* applying ran out of memory */

	struct mu_slab peers;
	struct mu_table by_number;
	struct mu_peers fresh, ended;
	struct mu_peers doomed; /* miss an event: to be ended in this turn */
	/* A position between the two is of a history that is not ours: the last
	 * zxid applied before the store began, and its first after that. */
	int64_t hole_from, hole_to;

	struct mu_pending **ring; /* owned; index & (ring_room - 1) */
	size_t ring_room;
	uint32_t creating;                    /* createSessions among them */
	uint64_t pending_bytes, queued_bytes; /* of commands, of entries */
	struct mu_buf scratch;
	struct mu_outcome outcome;
	struct mu_buf readers; /* scratch: links that may hear of an event */
	struct mu_sweep sweep;

	int64_t next_session; /* 0: none given yet */
	/* The same, and the clock, as far as commands that were applied say:
	 * what a snapshot has of them. */
	int64_t applied_session, applied_ms;
	uint8_t pool[256]; /* random bytes not yet used */
	size_t pool_len;
	struct mu_store_stats stats; /* only what is counted, not looked up */
};

/* store_peer.c */
int mu_peers_init(struct mu_store *s);
void mu_peers_fini(struct mu_store *s);
struct mu_peer *mu_peer_find(const struct mu_store *s, uint32_t number);
struct mu_peer *mu_peer_add(struct mu_store *s, uint32_t number);
void mu_peer_free(struct mu_store *s, struct mu_peer *p);
void mu_peer_list_add(struct mu_peers *list, struct mu_peer *p);
void mu_peer_list_take(struct mu_peers *list, struct mu_peer *p);

/* End a link: its queue and its watches go, its session stays. Told by the last
 * effects of this turn. Does nothing if it has ended. Cannot fail. */
void mu_peer_end(struct mu_store *s, struct mu_peer *p,
                 enum mu_close_reason reason);

/* A new entry, not yet queued; NULL when memory is out. */
struct mu_entry *mu_entry_new(enum mu_entry_kind kind, int32_t xid, int32_t op,
                              const void *bytes, size_t len);
/* Put an entry at the end of the link's queue, waiting at least for `wait`. */
void mu_peer_push(struct mu_store *s, struct mu_peer *p, struct mu_entry *e,
                  uint64_t wait);
struct mu_entry *mu_peer_pop(struct mu_store *s, struct mu_peer *p);
/* If the link has a queue, let it wait for its first entry's command. */
void mu_peer_wait(struct mu_store *s, struct mu_peer *p);
void mu_peer_unwait(struct mu_peer *p);
/* Answer what no longer waits. */
void mu_peer_drain(struct mu_store *s, struct mu_peer *p);
/* The same after mu_store_refused: nothing waits, and writes have failed. */
void mu_peer_flush(struct mu_store *s, struct mu_peer *p, int code);

/* store_log.c */
struct mu_pending *mu_log_at(const struct mu_store *s, uint64_t index);
/* Begin a command in s->scratch; the caller appends its body. */
void mu_log_begin(struct mu_store *s, const struct mu_peer *from, int32_t type,
                  int64_t session, int32_t xid);
/* Log what stands in s->scratch. MU_ENOMEM: nothing was logged. */
int mu_log_commit(struct mu_store *s, int32_t type, int64_t session,
                  uint64_t *index);
/* Take the one after the last applied out of the ring; the caller frees it. */
struct mu_pending *mu_log_take(struct mu_store *s);
/* Forget all; links that waited are put into *waited, linked by wait_next. */
void mu_log_forget(struct mu_store *s, struct mu_peer **waited);

/* store_session.c */
void mu_handshake(struct mu_store *s, struct mu_peer *p, const void *record,
                  size_t len);
/* The createSession for which a link waited is applied. */
void mu_handshake_done(struct mu_store *s, struct mu_peer *p);
/* It cannot be: MU_ENOSPACE and the like. */
void mu_handshake_failed(struct mu_store *s, struct mu_peer *p, int code);
/* Log the end of a session. MU_ENOMEM: nothing was logged. */
int mu_session_log_close(struct mu_store *s, const struct mu_peer *from,
                         struct mu_session *session, int32_t xid,
                         enum mu_close_cause cause);
void mu_sessions_sweep(struct mu_store *s);

/* store_request.c */
/* A record on a link whose session is up. */
void mu_request(struct mu_store *s, struct mu_peer *p, const void *record,
                size_t len);
void mu_request_oversize(struct mu_store *s, struct mu_peer *p,
                         const void *head, size_t len);
/* Send a reply; without a body if err. Ends the link when memory is out. */
void mu_reply(struct mu_store *s, struct mu_peer *p, int32_t xid, int64_t zxid,
              int err, const struct mu_buf *body);
/* Reply now if nothing is ahead of it, else in its turn. */
void mu_reply_in_turn(struct mu_store *s, struct mu_peer *p, int32_t xid,
                      int err, bool goodbye);
/* Queue an entry of a record that came too early. */
void mu_request_raw(struct mu_store *s, struct mu_peer *p,
                    enum mu_entry_kind kind, const void *record, size_t len);

/* store_admit.c */
/* Has the link, or have all of them together, so many requests waiting that one
 * of `len` bytes is refused? */
bool mu_request_is_full(const struct mu_store *s, const struct mu_peer *p,
                        size_t len);
/* The same for the link alone. */
bool mu_link_is_full(const struct mu_store *s, const struct mu_peer *p,
                     size_t len);
/* May one more entry of `len` bytes wait? Else it was answered, or the link has
 * ended. */
bool mu_request_admit(struct mu_store *s, struct mu_peer *p, int32_t xid,
                      size_t len);
/* May this write be logged? body: as it would be. MU_EINVAL: it makes a node with
 * a path longer than path_max; MU_EQUOTA: its session has too many ephemerals;
 * MU_EMAXDATA: there is no room for what it adds. */
int mu_request_judge(struct mu_store *s, const struct mu_peer *p, int32_t op,
                     struct mu_in body);
/* May a watch or a subscription be on this path? False is counted. */
bool mu_path_fits(struct mu_store *s, struct mu_str path);

/* store_auth.c */
/* Who is at the other end; borrowed from the peer. */
struct mu_who mu_peer_who(const struct mu_peer *p);
bool mu_peer_may(const struct mu_peer *p, const struct mu_vec *acl,
                 int32_t perms);
/* An auth packet; answered at once. */
void mu_auth(struct mu_store *s, struct mu_peer *p,
             const struct mu_request_header *h, struct mu_in *in);

/* store_sweep.c */
void mu_mortals_sweep(struct mu_store *s);

/* store_read.c */
bool mu_is_read(int32_t op);
/* Answer a read from applied state; body: after the header. */
void mu_read(struct mu_store *s, struct mu_peer *p,
             const struct mu_request_header *h, struct mu_in body);

/* store_subscribe.c */
/* Tell those who are subscribed of the change (zxid, n). Links for which there
 * was no memory, or which were told too much, are then in s->doomed. */
void mu_subs_tell(struct mu_store *s, const struct mu_noted *c, int32_t n);
/* End the links in s->doomed. */
void mu_doomed_end(struct mu_store *s);
/* Would one more watch or subscription be too many? */
bool mu_interests_full(const struct mu_store *s);
uint64_t mu_interest_bytes(const struct mu_store *s); /* of their paths */

/* store_load.c */
struct mu_snapshot_info;
/* A store without a single node, though with room for some, and with what `info`
 * says of it. Errors as mu_store_new. */
int mu_store_bare(const struct mu_store_config *config, struct mu_when when,
                  const struct mu_snapshot_info *info, uint32_t nodes,
                  struct mu_store **out, struct mu_err *err);

/* store_apply.c */
/* Apply a decoded command. MU_ENOMEM, MU_EDATA as mu_command_apply. */
int mu_apply(struct mu_store *s, const struct mu_command *c);
/* Apply the next pending command and answer those who waited. MU_ENOMEM. */
int mu_apply_next(struct mu_store *s);

#endif /* MU_CORE_STORE_IMPL_H */
