/*
 * client_impl.h - what the files of the client library share.
 *
 *     client.c          the handle: made, asked about, closed, freed
 *     client_process.c  its loop: actions of the link, words of the carrier
 *     client_why.c      why no broker could be reached, in words
 *     requests.c        asking
 *     reply.c           bytes of a reply into struct mu_result; pure
 *     sync.c            asking and waiting
 *     url.c             the list of brokers; pure
 *     driver_zmq.c, driver_zookeeper.c   the carriers
 */
#ifndef MU_CLIENT_IMPL_H
#define MU_CLIENT_IMPL_H

#include <muster/client.h>

#include "buf.h"
#include "driver.h"
#include "link.h"
#include "url.h"

/* Actions and messages of one mu_client_process. */
#define MU_CLIENT_BUDGET 1000u

/* How soon to try again what the carrier did not take. */
#define MU_CLIENT_RETRY_MS 10u

#define MU_CLIENT_TIMEOUT_DEFAULT_MS 3000u

/* A request that is outstanding; its address is the link's cookie. */
struct mu_call {
	struct mu_call *prev, *next;
	mu_done_fn *done; /* NULL: nobody */
	void *arg;
	size_t count; /* of a multi's operations */
};

struct mu_client {
	struct mu_client_options options; /* brokers: not kept */
	struct mu_url_list brokers;
	uint32_t order[MU_URL_COUNT_MAX]; /* in which they are tried */
	char (*why)[MU_ERR_MSG_MAX]; /* of each broker: why it failed last */
	bool why_told;               /* of this link, by its carrier */

	struct mu_link *link;
	enum mu_link_state link_state; /* as the link told last */
	uint32_t host;                 /* the broker which was tried last */

	const struct mu_driver_ops *ops;
	struct mu_driver *driver; /* NULL: no carrier link */
	bool up;                  /* the link was told that it is open */
	bool lost; /* the carrier said so; what it brought comes first */

	int epoll;
	int wake;       /* eventfd: there is something to do */
	bool awake;     /* it was written to */
	bool work;      /* there is something to do */
	unsigned depth; /* calls of mu_client_process that are running */

	enum mu_client_state state; /* as on_state told last */
	int end;                    /* EXPIRED, CLOSED: why */
	struct mu_call calls;       /* head of a ring */
	struct mu_buf path, body;   /* of the request being made */
};

/* client_process.c */

/* The link may have got something to do. */
void mu_client_poke(struct mu_client *c);
/* Wait until there is something to do, or until_ms. */
void mu_client_pause(struct mu_client *c, uint64_t until_ms);
void mu_client_drop_carrier(struct mu_client *c);

/* client_why.c */

/* Note why the link that was in `state` went. */
void mu_client_note(struct mu_client *c, enum mu_link_state state, int rc);
/* All that was noted, in one sentence; "" if nothing was. */
void mu_client_reasons(const struct mu_client *c, char *out, size_t room);

/* requests.c */

/* The action is MU_LA_DONE; its bytes were taken over. */
void mu_call_done(struct mu_client *c, const struct mu_link_action *a);
/* Nobody waits any more for requests whose argument is `arg`. */
void mu_calls_forget(struct mu_client *c, const void *arg);
/* Forget all, callbacks not called. */
void mu_calls_drop(struct mu_client *c);
/* The path as the application knows it: the chroot taken off. */
const char *mu_client_strip(const char *chroot, const char *path);

/* reply.c */

struct mu_reply {
	struct mu_result result;
	struct mu_stat stat;
	struct mu_subscribed subscribed;
	void *memory; /* the result points into it */
};

/* Decode the body of a reply to `op` with `count` operations (multi). The
 * result points into the bytes and into out->memory, which the caller frees.
 * MU_EPROTO: the body is not a reply to op; MU_ENOMEM. out->result is then
 * without contents, and there is nothing to be freed. */
int mu_reply_decode(int32_t op, size_t count, const char *chroot,
                    const void *body, size_t len, struct mu_reply *out);

#endif /* MU_CLIENT_IMPL_H */
