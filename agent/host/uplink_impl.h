/* uplink_impl.h - the inside of the uplink; for uplink*.c. */
#ifndef MU_HOST_UPLINK_IMPL_H
#define MU_HOST_UPLINK_IMPL_H

#include "identity.h"
#include "uplink.h"

/* A request that was sent and not answered. */
struct mu_pending {
	struct mu_pending *next, **prev;
	struct mu_uplink *u;
	void (*done)(void *owner, uint64_t tag, const struct mu_result *r);
	void *owner;
	uint64_t tag;
};

struct mu_uplink {
	struct mu_loop *loop;
	const char *brokers, *runtime_dir, *name;
	uint32_t timeout_ms;
	uint32_t negotiated_ms;   /* that the log has told of */
	struct mu_client *client; /* NULL: the next one is to be made */
	struct mu_poll *poll;
	int fd; /* that poll watches */
	struct mu_timer *timer;
	struct mu_timer *trouble; /* no broker: see why */
	struct mu_after *after;
	struct mu_uplink_listener *listeners;
	struct mu_pending *pending;
	uint32_t outstanding;
	bool up, ended, silent, processing;
	bool unheard;             /* it ended because no broker was heard of */
	bool again;               /* the log says so already, of this outage */
	bool new_handle;          /* nobody was told yet of this handle */
	bool streams;             /* the broker has subscriptions */
	bool told;                /* somebody was told of a tree */
	int64_t tree_id, session; /* of the last connection */
	int64_t zxid;             /* of the last answer of this one */
	uint64_t zxid_ms;         /* when it came, or was asked for */
	int32_t subscription;     /* the last number given */
	struct mu_saved_session saved;
	char former[MU_NAME_MAX + 1]; /* "": this host was always called so */
};

/* The handle is gone: whoever still waits gets an end. */
void mu_uplink_fail_all(struct mu_uplink *u);

#endif /* MU_HOST_UPLINK_IMPL_H */
