/*
 * link_impl.h - what the files of the link machine share; nobody else includes
 * it, save their tests.
 *
 *     link.c          the table of states, time, the carrier's word
 *     link_message.c  records from the broker, made into moves of the table
 *     link_request.c  requests: asked, sent, answered, failed
 *     link_queue.c    the actions that wait to be taken
 *     link_watch.c    the book of watches, and its batches for the next link
 *     link_zookeeper.c  what watches on a ZooKeeper need besides
 */
#ifndef MU_CORE_LINK_IMPL_H
#define MU_CORE_LINK_IMPL_H

#include "link.h"

#define MU_PASSWORD_BYTES 16u

/* ---- link_watch.c ---- */

/* A path and the kinds of watch on it; kinds are an or of MU_BOOK(kind). */
struct mu_book_entry {
	struct mu_book_entry *chain;       /* of its bucket */
	struct mu_book_entry *prev, *next; /* of all, in order of entering */
	uint64_t hash;
	unsigned kinds;
	uint32_t len; /* of path */
	char path[];
};

#define MU_BOOK(kind) (1u << (kind)) /* of MU_LW_DATA and so on */

struct mu_book {
	struct mu_book_entry **buckets; /* a power of two */
	struct mu_book_entry *first, *last;
	uint32_t room;      /* buckets */
	uint32_t paths;     /* entries */
	uint32_t watches;   /* kinds of all entries */
	uint32_t recursive; /* entries with a recursive watch */
	uint32_t lasting;   /* entries with a persistent or recursive one */
	uint8_t key[16];    /* of the hash */
};

/* Largest record of setWatches, unless one path alone is longer (rule 39). */
#define MU_BOOK_BATCH_MAX (128u * 1024u)

/* Where the making of batches stands: the next kind of the next entry. */
struct mu_book_walk {
	const struct mu_book_entry *at;
	unsigned kind;
};

int mu_book_init(struct mu_book *b, const uint8_t key[16]); /* MU_ENOMEM */
void mu_book_fini(struct mu_book *b);

/* Make an entry ahead, so that entering it later cannot fail; freed with
 * mu_free if it is never entered. NULL when memory is out. */
struct mu_book_entry *mu_book_entry_new(struct mu_str path);
/* Enter one watch; `e` is given away. Kinds of one path add up. */
void mu_book_enter(struct mu_book *b, struct mu_book_entry *e, unsigned kind);
/* Take one watch out, if it is there. */
void mu_book_leave(struct mu_book *b, struct mu_str path, unsigned kind);
/* Does a watch ask for this event? path must be legal. */
bool mu_book_wants(const struct mu_book *b, struct mu_str path, int32_t event);
/* What is watched at the path itself: an or of MU_BOOK(kind). */
unsigned mu_book_kinds(const struct mu_book *b, struct mu_str path);
/* The event came: its one-shot watches leave the book. */
void mu_book_spend(struct mu_book *b, struct mu_str path, int32_t event);

/* Append the next batch's record (setWatches, setWatches2 if `two`), without
 * frame and header. 1; 0 when there is none left; MU_ENOMEM. */
struct mu_book_walk mu_book_walk_of(const struct mu_book *b);
int mu_book_batch(struct mu_book_walk *walk, bool two, int64_t relative_zxid,
                  struct mu_buf *out);

/* ---- link_queue.c ---- */

struct mu_link_node {
	struct mu_link_node *next;
	struct mu_link_action pub;
	struct mu_buf own; /* pub.bytes, pub.path or pub.change lie in it */
	bool fixed;        /* lies in struct mu_link */
};

/* OPEN, SHUT and STATE must never want for memory. A new link is opened only
 * when the queue is empty, so between two OPENs stand at most the six states
 * of one life, one SHUT, and the two that may follow on IDLE. */
#define MU_LINK_FIXED 10u

/* ---- link_request.c ---- */

struct mu_link_req {
	struct mu_link_node done; /* first; its own bytes are the request's
	                             body until it is sent, then the reply's */
	struct mu_link_req *next;
	struct mu_book_entry *watch; /* owned, NULL: none */
	int watch_kind;
	int32_t xid; /* 0: not sent yet */
};

struct mu_link {
	struct mu_link_config config;
	enum mu_link_state state;
	uint64_t now_ms; /* as last told */

	/* The session. */
	int64_t session;
	uint8_t password[MU_PASSWORD_BYTES];
	uint32_t timeout_ms; /* negotiated; until then as asked */
	bool negotiated;
	int32_t features;
	int64_t tree_id;
	int64_t last_zxid;
	uint64_t heard_ms; /* the session was last heard of */
	bool resumed;

	/* This link, or the attempt at one. */
	bool carrier; /* OPEN was taken, and SHUT was not */
	bool closing; /* closeSession is out */
	uint32_t host;
	uint32_t tries;      /* attempts in this round through the hosts */
	uint64_t due_ms;     /* IDLE: when to try */
	uint64_t attempt_by; /* OPENING, HANDSHAKE: given up then */
	uint64_t sent_ms;
	uint64_t up_ms; /* CONNECTED since */
	uint64_t random;
	uint32_t rearm_left; /* setWatches without a reply */
	int64_t rearm_zxid;  /* the largest zxid of those replies */

	struct mu_book book;

	/* Requests without a reply: those sent, then those to be sent. */
	struct mu_link_req *reqs, **reqs_end;
	struct mu_link_req *unsent;
	uint32_t outstanding;
	int32_t xid; /* the last one given */

	/* Actions to be taken, and the one that was taken last. */
	struct mu_link_node *actions, **actions_end;
	struct mu_link_node *taken;
	struct mu_link_node fixed[MU_LINK_FIXED];
	bool fixed_used[MU_LINK_FIXED];
	struct mu_link_node *last_send; /* a SEND at the queue's end, or NULL */
};

/* Everything that can move the machine. */
enum mu_link_input {
	MU_LI_DUE,     /* the delay is over */
	MU_LI_OPEN,    /* the carrier is up */
	MU_LI_WELCOME, /* ConnectResponse with a session */
	MU_LI_REFUSED, /* ConnectResponse: our session has expired */
	MU_LI_ARMED,   /* every setWatches is confirmed */
	MU_LI_BYE,     /* closeSession is answered */
	MU_LI_LOST,    /* the link went */
	MU_LI_CUT,     /* it went while the session was being closed */
	MU_LI_DEAD,    /* not heard of for too long */
	MU_LI_CLOSE,   /* the application asks */
};

/* One move. `why` goes into MU_LA_STATE. */
void mu_link_step(struct mu_link *l, enum mu_link_input input, int why);
/* The link is of no use any more: LOST or CUT. */
void mu_link_lose(struct mu_link *l, int why);
/* True in the states that have a carrier link. */
bool mu_link_state_has_link(enum mu_link_state state);

/* Queue what cannot fail. */
void mu_link_push(struct mu_link *l, enum mu_link_action_kind kind, int rc);
void mu_link_push_node(struct mu_link *l, struct mu_link_node *n);
/* Queue one record as a frame, xid 0: without a request header (only the
 * ConnectRequest). MU_ENOMEM, and nothing has changed. */
int mu_link_send(struct mu_link *l, int32_t xid, int32_t op, const void *body,
                 size_t len);
/* Change the last byte of the record that mu_link_send has just queued. */
void mu_link_amend(struct mu_link *l, uint8_t last);
/* Queue an event (the path is copied). MU_ENOMEM. */
int mu_link_push_event(struct mu_link *l, int32_t event, int64_t zxid,
                       struct mu_str path);
/* Queue a change (all is copied). MU_ENOMEM. */
int mu_link_push_change(struct mu_link *l, int64_t zxid,
                        const struct mu_change_event *e);
/* Take what was not sent yet out of the queue. */
void mu_link_unsend(struct mu_link *l);
void mu_link_queue_fini(struct mu_link *l);

/* Send what waited for CONNECTED. MU_ENOMEM: the rest waits still. */
int mu_link_flush(struct mu_link *l);
/* Every request ends with rc. */
void mu_link_fail_all(struct mu_link *l, int rc);
/* The reply to the oldest request. 0; MU_EPROTO (nobody asked); MU_ENOMEM. */
int mu_link_answer(struct mu_link *l, const struct mu_reply_header *h,
                   const void *body, size_t len);
void mu_link_requests_fini(struct mu_link *l);

/* ---- link_zookeeper.c ---- */

/* The last byte of a request that leaves a watch (of a read: whether it does; of
 * addWatch: its mode), where it must be another than was asked; or -1. */
int mu_link_watch_byte(const struct mu_link *l, const struct mu_link_req *r);
/* Does the server tell of this child only, and not of the parent's children? */
bool mu_link_hides_children(const struct mu_link *l, int32_t event,
                            struct mu_str path, struct mu_str *parent);
/* Was the event told already, of its child? */
bool mu_link_tells_twice(const struct mu_link *l, int32_t event,
                         struct mu_str path);

#endif /* MU_CORE_LINK_IMPL_H */
