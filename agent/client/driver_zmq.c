/* driver_zmq.c - the native carrier: one DEALER is one link (rules 88, 89). */
#include "driver.h"

#include "mem.h"
#include "zsock.h"

struct parked {
	struct parked *next;
	struct mu_zmsg msg;
	size_t len;
};

struct mu_driver {
	struct mu_zsock *z;
	struct mu_zmsg in; /* what recv lent out */
	struct parked *first, **end;
	size_t parked_bytes;
	bool up, lost;
};

/* How long a goodbye may take to leave; over an open connection, at once. */
#define GOODBYE_MS 20u

static int zmq_open(const char *url, struct mu_driver **out, struct mu_err *err)
{
	struct mu_driver *d = mu_alloc(sizeof *d);
	int rc;

	if (!d)
		return MU_ENOMEM;
	rc = mu_zsock_dealer_open(&d->z, url, MU_DRIVER_MESSAGE_MAX, err);
	if (rc) {
		mu_free(d);
		return rc;
	}
	mu_zmsg_init(&d->in);
	d->end = &d->first;
	*out = d;
	return 0;
}

static void unpark(struct mu_driver *d)
{
	struct parked *p = d->first;

	d->first = p->next;
	if (!d->first)
		d->end = &d->first;
	d->parked_bytes -= p->len;
	mu_zmsg_fini(&p->msg);
	mu_free(p);
}

/* An empty message is the goodbye of this carrier. Where it cannot get out, the
 * broker finds out by itself. */
static void say_goodbye(struct mu_driver *d)
{
	struct mu_zmsg bye;

	if (!d->up || d->lost || d->first)
		return;
	mu_zmsg_init(&bye);
	if (mu_zsock_send(d->z, NULL, &bye) == 0)
		mu_zsock_linger(d->z, GOODBYE_MS);
	mu_zmsg_fini(&bye);
}

static void zmq_close(struct mu_driver *d)
{
	say_goodbye(d);
	while (d->first)
		unpark(d);
	mu_zmsg_fini(&d->in);
	mu_zsock_close(d->z);
	mu_free(d);
}

static int zmq_fd(const struct mu_driver *d)
{
	return mu_zsock_fd(d->z);
}

static unsigned zmq_events(struct mu_driver *d)
{
	int seen = mu_zsock_events(d->z);
	unsigned events = 0;

	if (seen & MU_ZSOCK_UP) {
		events |= MU_DRIVER_UP;
		d->up = true;
	}
	if (seen & MU_ZSOCK_READABLE)
		events |= MU_DRIVER_READABLE;
	if (seen & MU_ZSOCK_LOST) {
		events |= MU_DRIVER_LOST;
		d->lost = true;
	}
	return events;
}

static int zmq_recv(struct mu_driver *d, const void **bytes, size_t *len)
{
	int rc = mu_zsock_recv(d->z, NULL, &d->in);

	if (rc)
		return rc;
	*bytes = mu_zmsg_data(&d->in);
	*len = mu_zmsg_len(&d->in);
	return 0;
}

static int park(struct mu_driver *d, struct mu_zmsg *m, size_t len)
{
	struct parked *p;

	if (len > MU_DRIVER_OUTBOX_MAX - d->parked_bytes)
		return MU_EFULL;
	p = mu_alloc(sizeof *p);
	if (!p)
		return MU_ENOMEM;
	mu_zmsg_init(&p->msg);
	if (mu_zmsg_share(&p->msg, m)) {
		mu_zmsg_fini(&p->msg);
		mu_free(p);
		return MU_ENOMEM;
	}
	p->len = len;
	*d->end = p;
	d->end = &p->next;
	d->parked_bytes += len;
	return 0;
}

static int zmq_flush(struct mu_driver *d)
{
	while (d->first) {
		int rc = mu_zsock_send(d->z, NULL, &d->first->msg);

		if (rc == MU_EAGAIN)
			return 0;
		if (rc)
			return rc;
		unpark(d);
	}
	return 0;
}

static int zmq_send(struct mu_driver *d, const void *bytes, size_t len)
{
	struct mu_zmsg m;
	int rc = zmq_flush(d);

	if (rc)
		return rc;
	mu_zmsg_init(&m);
	rc = mu_zmsg_copy_in(&m, bytes, len);
	if (!rc)
		rc = d->first ? MU_EAGAIN : mu_zsock_send(d->z, NULL, &m);
	if (rc == MU_EAGAIN)
		rc = park(d, &m, len);
	mu_zmsg_fini(&m);
	return rc;
}

static bool zmq_is_parked(const struct mu_driver *d)
{
	return d->first != NULL;
}

/* ZeroMQ tells of a loss and not of its reason. */
static const char *zmq_why(const struct mu_driver *d)
{
	(void)d;
	return "";
}

const struct mu_driver_ops mu_driver_zmq = {
	.server = "muster-broker",
	.open = zmq_open,
	.close = zmq_close,
	.fd = zmq_fd,
	.events = zmq_events,
	.recv = zmq_recv,
	.send = zmq_send,
	.flush = zmq_flush,
	.is_parked = zmq_is_parked,
	.why = zmq_why,
};
