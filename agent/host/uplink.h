/*
 * uplink.h - the agent's session with the broker, on its loop.
 *
 * Keeps a client handle alive for ever: after an expiry it makes the next one.
 * Everything here runs on the loop's thread. What others of the agent want of
 * the broker goes through mu_uplink_send, whose answers come even when the
 * handle is gone, and can be called off by their owner.
 */
#ifndef MU_HOST_UPLINK_H
#define MU_HOST_UPLINK_H

#include "loop.h"

#include <muster/client.h>

/* Requests that subscriptions may have under way, of the 1,000 a link takes. */
#define MU_UPLINK_READS_MAX 500u

struct mu_uplink;

struct mu_uplink_options {
	struct mu_loop *loop;
	const char *brokers;     /* borrowed for the uplink's life */
	const char *runtime_dir; /* likewise; where the session is kept */
	uint32_t timeout_ms;
	const char *name; /* of this host, kept with the session; borrowed */
};

/* Takes up the session that was kept, if there is one for these brokers. Starts
 * with the broker away. MU_EINVAL: brokers; MU_EIO, MU_ENOMEM. */
int mu_uplink_new(const struct mu_uplink_options *o, struct mu_uplink **out,
                  struct mu_err *err);
/* Let go of the session, which lives on until its timeout. Requests under way
 * are forgotten: their done is not called. NULL is allowed. */
void mu_uplink_free(struct mu_uplink *u);

struct mu_uplink_up {
	bool new_handle; /* watches must be armed: none is re-armed for us */
	bool new_tree;   /* the first broker, or one that lost its tree */
	bool lost_tree;  /* the latter: what was told before holds no more */
	int64_t session;
	int64_t tree_id; /* 0: of a ZooKeeper */
	bool streams;    /* the broker has subscriptions */
};

/* Who wants to hear of the link; in the order in which they were added. */
struct mu_uplink_listener {
	void (*on_up)(void *arg, const struct mu_uplink_up *up);
	void (*on_down)(void *arg);
	void (*on_event)(void *arg, const struct mu_watch_event *e);
	/* Changes that the subscription of this number tells of; 0: none. */
	void (*on_change)(void *arg, const struct mu_change *c);
	int32_t subscription;
	void *arg;
	struct mu_uplink_listener *next; /* the uplink's */
};
void mu_uplink_listen(struct mu_uplink *u, struct mu_uplink_listener *l);
void mu_uplink_unlisten(struct mu_uplink *u, struct mu_uplink_listener *l);

/* A number that no subscription had yet: what is told under another one is of
 * one that was given up. */
int32_t mu_uplink_new_subscription(struct mu_uplink *u);

/* The broker's last transaction, as of the last answer of this connection; 0:
 * there was none. All that subscriptions had to tell of it came before. */
int64_t mu_uplink_zxid(const struct mu_uplink *u);
/* Ask for it, if there was no answer for so long. */
void mu_uplink_ask_zxid(struct mu_uplink *u, uint64_t older_ms);

bool mu_uplink_is_up(const struct mu_uplink *u);
/* For one who came late: what on_up would tell it now; false while down. */
bool mu_uplink_now(const struct mu_uplink *u, struct mu_uplink_up *up);
int64_t mu_uplink_session(const struct mu_uplink *u);
uint32_t mu_uplink_outstanding(const struct mu_uplink *u);

/* The name which this host had when the session was kept, if that was another
 * one; else NULL. It is kept with the session until _forget_former. */
const char *mu_uplink_former(const struct mu_uplink *u);
void mu_uplink_forget_former(struct mu_uplink *u);

enum mu_uplink_op {
	MU_UP_GET,
	MU_UP_CHILDREN,
	MU_UP_CREATE,
	MU_UP_SET,
	MU_UP_DELETE,
	MU_UP_MULTI,
	MU_UP_ADD_WATCH,
	MU_UP_SUBSCRIBE,
	MU_UP_UNSUBSCRIBE,
};

struct mu_uplink_request {
	enum mu_uplink_op op;
	const char *path;
	const void *data;
	int32_t len;
	int32_t version;
	unsigned flags; /* create: enum mu_create_flags; add_watch, subscribe:
	                   its mode */
	int32_t subscription; /* subscribe, unsubscribe: its number */
	int64_t zxid;         /* subscribe: from where */
	int32_t n;
	const struct mu_multi_op *ops;
	size_t count;
	/* NULL: nobody wants to know. Called once, later; r->rc as of muster/client.h, MU_ECONNLOSS and
	 * MU_EEXPIRED included. tag: as it was given. */
	void (*done)(void *owner, uint64_t tag, const struct mu_result *r);
	void *owner;
	uint64_t tag;
};

/* MU_ECONNLOSS: not connected now. Other errors as of muster/client.h; done is
 * then never called. */
int mu_uplink_send(struct mu_uplink *u, const struct mu_uplink_request *r);

/* Answers to this owner's requests are not wanted any more. */
void mu_uplink_forget(struct mu_uplink *u, const void *owner);

/* For the end of the agent, outside of the loop: the client handle, to be used
 * with the synchronous calls. Nobody hears of anything from then on. NULL if
 * there is no connection now. */
struct mu_client *mu_uplink_last_words(struct mu_uplink *u);
/* After them: the session was closed for good, so do not take it up again. */
void mu_uplink_closed(struct mu_uplink *u);

#endif /* MU_HOST_UPLINK_H */
