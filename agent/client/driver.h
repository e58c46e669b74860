/*
 * driver.h - a carrier as the client sees it: one object is one link, from its
 * opening to its close. A carrier is a row of the table in client_process.c; the
 * machine in core/link.h neither knows nor cares which one it has.
 */
#ifndef MU_CLIENT_DRIVER_H
#define MU_CLIENT_DRIVER_H

#include <muster/types.h>

struct mu_driver;

enum { MU_DRIVER_UP = 1, MU_DRIVER_LOST = 2, MU_DRIVER_READABLE = 4 };

/* Bytes that the carrier did not take yet, at most; beyond it a link is lost. */
#define MU_DRIVER_OUTBOX_MAX (8u * 1024u * 1024u)

/* Largest carrier message: the largest reply of a broker, and what one of its
 * turns may gather beside it. */
#define MU_DRIVER_MESSAGE_MAX ((64u + 8u) * 1024u * 1024u)

struct mu_driver_ops {
	const char *server; /* who should be at the other end, for a sentence */

	/* Begin to connect; does not wait. MU_EINVAL, MU_EIO, MU_ENOMEM, with
	 * a sentence that names the URL. */
	int (*open)(const char *url, struct mu_driver **out,
	            struct mu_err *err);

	/* Tell the peer that the link ends, if that can be done at once, and
	 * close. */
	void (*close)(struct mu_driver *d);

	/* Good until close. After it was readable, ask events until it says 0. */
	int (*fd)(const struct mu_driver *d);

	/* Of the above; UP and LOST are said once each. */
	unsigned (*events)(struct mu_driver *d);

	/* One message, borrowed until the next call on d. 0, MU_EAGAIN (none),
	 * or another code: the link is of no use any more. */
	int (*recv)(struct mu_driver *d, const void **bytes, size_t *len);

	/* Send, or keep until flush. 0; MU_EFULL (the outbox), MU_EGONE,
	 * MU_ENOMEM: the link is of no use any more. */
	int (*send)(struct mu_driver *d, const void *bytes, size_t len);

	/* Send what was kept, as far as it goes. As send. */
	int (*flush)(struct mu_driver *d);

	/* Is anything kept of which the descriptor does not tell when it can
	 * go? Then call flush soon. */
	bool (*is_parked)(const struct mu_driver *d);

	/* Why the link is of no use any more, in a sentence; "" where the
	 * carrier knows no more than that it is gone. Good until close. */
	const char *(*why)(const struct mu_driver *d);
};

extern const struct mu_driver_ops mu_driver_zmq;
extern const struct mu_driver_ops mu_driver_zookeeper;

#endif /* MU_CLIENT_DRIVER_H */
