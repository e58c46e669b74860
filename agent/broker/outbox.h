/*
 * outbox.h - what is still to be sent to one link, in order and bounded.
 *
 * Small records gather into messages of up to MU_OUTBOX_GATHER bytes; a large
 * one is a message of its own; one that goes to many links is shared. The loop's
 * thread owns it. An outbox with nothing in it owns next to nothing.
 */
#ifndef MU_BROKER_OUTBOX_H
#define MU_BROKER_OUTBOX_H

#include "buf.h"
#include "zsock.h"

#define MU_OUTBOX_GATHER 16384u /* bytes of a gathered message */

struct mu_outbox {
	struct mu_zmsg *ring; /* whole messages, oldest at head; owned */
	size_t room, head, count;
	struct mu_buf gather; /* the open message behind them */
	size_t bytes;         /* in all of them */
};

struct mu_outbox_limits {
	size_t bytes_max; /* parked */
	size_t reply_max; /* of one record where nothing is parked */
};

/* An empty outbox is { 0 }. Fini, or forget all that is in it. */
void mu_outbox_fini(struct mu_outbox *o);

/* Append framed records (copied). MU_EFULL: over the limits; MU_ENOMEM. On
 * error nothing was appended. */
int mu_outbox_put(struct mu_outbox *o, const struct mu_outbox_limits *limits,
                  const void *p, size_t len);

/* Append another reference to a message. Errors as mu_outbox_put. */
int mu_outbox_share(struct mu_outbox *o, const struct mu_outbox_limits *limits,
                    struct mu_zmsg *m);

/* Send in order until all is gone (0) or `send` gives an error, which comes
 * back (MU_EAGAIN: not now); what was not sent stays. *sent grows by the number
 * of messages that went. send: as mu_zsock_send. MU_ENOMEM. */
int mu_outbox_flush(struct mu_outbox *o,
                    int (*send)(void *arg, struct mu_zmsg *m), void *arg,
                    unsigned *sent);

#endif /* MU_BROKER_OUTBOX_H */
