/* outbox.c - a ring of messages, and the one that still gathers behind it. */
#include "outbox.h"

#include "mem.h"

#include <string.h>

#define RING_MIN 8u
#define GATHER_KEEP 512u /* bytes an empty outbox keeps */

static struct mu_zmsg *slot(const struct mu_outbox *o, size_t i)
{
	return &o->ring[(o->head + i) & (o->room - 1)];
}

void mu_outbox_fini(struct mu_outbox *o)
{
	size_t i;

	for (i = 0; i < o->count; i++)
		mu_zmsg_fini(slot(o, i));
	mu_free(o->ring);
	mu_buf_fini(&o->gather);
	*o = (struct mu_outbox){ 0 };
}

static int reserve(struct mu_outbox *o, size_t more)
{
	size_t i, room = o->room ? o->room : RING_MIN;
	struct mu_zmsg *ring;

	if (o->count + more <= o->room)
		return 0;
	while (room < o->count + more)
		room *= 2;
	ring = mu_alloc(room * sizeof *ring);
	if (!ring)
		return MU_ENOMEM;
	/* libzmq moves messages by their bytes too. */
	for (i = 0; i < o->count; i++)
		ring[i] = *slot(o, i);
	mu_free(o->ring);
	o->ring = ring;
	o->room = room;
	o->head = 0;
	return 0;
}

/* Room was reserved. */
static int push_copy(struct mu_outbox *o, const void *p, size_t len)
{
	struct mu_zmsg *m = slot(o, o->count);
	int rc;

	mu_zmsg_init(m);
	rc = mu_zmsg_copy_in(m, p, len);
	if (rc)
		mu_zmsg_fini(m);
	else
		o->count++;
	return rc;
}

static void empty_gather(struct mu_outbox *o)
{
	if (o->gather.room > GATHER_KEEP)
		mu_buf_fini(&o->gather);
	else
		mu_buf_reset(&o->gather);
}

/* Close the gathering message, so that another can follow it. */
static int seal(struct mu_outbox *o)
{
	int rc;

	if (o->gather.len == 0)
		return 0;
	rc = push_copy(o, o->gather.data, o->gather.len);
	if (!rc)
		empty_gather(o);
	return rc;
}

static int check(const struct mu_outbox *o,
                 const struct mu_outbox_limits *limits, size_t len)
{
	const size_t max = o->bytes ? limits->bytes_max
	                   : limits->reply_max > limits->bytes_max
	                           ? limits->reply_max
	                           : limits->bytes_max;

	return len > max || o->bytes > max - len ? MU_EFULL : 0;
}

static int gather(struct mu_outbox *o, const void *p, size_t len)
{
	int rc = mu_buf_reserve(&o->gather, len);

	if (rc)
		o->gather.failed = false; /* what is in it is whole */
	else
		mu_buf_put(&o->gather, p, len);
	return rc;
}

int mu_outbox_put(struct mu_outbox *o, const struct mu_outbox_limits *limits,
                  const void *p, size_t len)
{
	int rc = check(o, limits, len);

	if (!rc && o->gather.len + len > MU_OUTBOX_GATHER) {
		rc = reserve(o, 2);
		rc = rc ? rc : seal(o);
	}
	if (!rc)
		rc = len > MU_OUTBOX_GATHER ? push_copy(o, p, len)
		                            : gather(o, p, len);
	if (!rc)
		o->bytes += len;
	return rc;
}

int mu_outbox_share(struct mu_outbox *o, const struct mu_outbox_limits *limits,
                    struct mu_zmsg *m)
{
	const size_t len = mu_zmsg_len(m);
	struct mu_zmsg *copy;
	int rc = check(o, limits, len);

	rc = rc ? rc : reserve(o, 2);
	rc = rc ? rc : seal(o);
	if (rc)
		return rc;
	copy = slot(o, o->count);
	mu_zmsg_init(copy);
	rc = mu_zmsg_share(copy, m);
	if (rc) {
		mu_zmsg_fini(copy);
		return rc;
	}
	o->count++;
	o->bytes += len;
	return 0;
}

/* What gathers stays where it is until it is taken, so that more can gather
 * behind it while it waits. */
static int flush_gather(struct mu_outbox *o,
                        int (*send)(void *arg, struct mu_zmsg *m), void *arg,
                        unsigned *sent)
{
	struct mu_zmsg m;
	int rc;

	if (o->gather.len == 0)
		return 0;
	mu_zmsg_init(&m);
	rc = mu_zmsg_copy_in(&m, o->gather.data, o->gather.len);
	rc = rc ? rc : send(arg, &m);
	mu_zmsg_fini(&m);
	if (rc)
		return rc;
	o->bytes -= o->gather.len;
	empty_gather(o);
	++*sent;
	return 0;
}

int mu_outbox_flush(struct mu_outbox *o,
                    int (*send)(void *arg, struct mu_zmsg *m), void *arg,
                    unsigned *sent)
{
	struct mu_zmsg *m;
	size_t len;
	int rc;

	while (o->count) {
		m = slot(o, 0);
		len = mu_zmsg_len(m);
		rc = send(arg, m);
		if (rc)
			return rc;
		mu_zmsg_fini(m);
		o->head = (o->head + 1) & (o->room - 1);
		o->count--;
		o->bytes -= len;
		++*sent;
	}
	mu_free(o->ring);
	o->ring = NULL;
	o->room = o->head = 0;
	return flush_gather(o, send, arg, sent);
}
