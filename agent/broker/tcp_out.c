/* tcp_out.c - a ring of shared pieces, and the buffer that gathers behind it. */
#include "tcp_out.h"

#include "mem.h"

#include <string.h>

#define RING_MIN 4u

/* ---- blobs ---------------------------------------------------------------------- */

/* Takes what is in `from`; NULL: memory is out, and it is as it was. */
static struct mu_blob *blob_of(struct mu_buf *from)
{
	struct mu_blob *b = mu_alloc(sizeof *b);

	if (!b)
		return NULL;
	b->refs = 1;
	b->len = mu_buf_take(from, &b->bytes);
	return b;
}

struct mu_blob *mu_blob_new(const void *p, size_t len)
{
	struct mu_buf copy = { 0 };
	struct mu_blob *b = NULL;

	mu_buf_put(&copy, p, len);
	if (!mu_buf_failed(&copy))
		b = blob_of(&copy);
	mu_buf_fini(&copy);
	return b;
}

struct mu_blob *mu_blob_share(struct mu_blob *b)
{
	b->refs++;
	return b;
}

void mu_blob_let_go(struct mu_blob *b)
{
	if (!b || --b->refs)
		return;
	mu_free(b->bytes);
	mu_free(b);
}

static void release(void *kept)
{
	mu_blob_let_go(kept);
}

/* ---- appending -------------------------------------------------------------------- */

static struct mu_blob **slot(const struct mu_tcp_out *o, size_t i)
{
	return &o->ring[(o->head + i) & (o->room - 1)];
}

void mu_tcp_out_fini(struct mu_tcp_out *o)
{
	size_t i;

	for (i = 0; i < o->count; i++)
		mu_blob_let_go(*slot(o, i));
	mu_free(o->ring);
	mu_buf_fini(&o->gather);
	*o = (struct mu_tcp_out){ 0 };
}

static int reserve(struct mu_tcp_out *o, size_t more)
{
	size_t i, room = o->room ? o->room : RING_MIN;
	struct mu_blob **ring;

	if (o->count + more <= o->room)
		return 0;
	while (room < o->count + more)
		room *= 2;
	ring = mu_alloc(room * sizeof(struct mu_blob *));
	if (!ring)
		return MU_ENOMEM;
	for (i = 0; i < o->count; i++)
		ring[i] = *slot(o, i);
	mu_free(o->ring);
	o->ring = ring;
	o->room = room;
	o->head = 0;
	return 0;
}

/* What gathers becomes a piece, so that another can follow it. Room was
 * reserved. */
static int seal(struct mu_tcp_out *o)
{
	struct mu_blob *b;

	if (o->gather.len == 0)
		return 0;
	b = blob_of(&o->gather);
	if (!b)
		return MU_ENOMEM;
	*slot(o, o->count++) = b;
	return 0;
}

static int check(const struct mu_tcp_out *o,
                 const struct mu_tcp_out_limits *limits, size_t len)
{
	const size_t larger = limits->reply_max > limits->bytes_max
	                              ? limits->reply_max
	                              : limits->bytes_max;
	const size_t max = o->bytes ? limits->bytes_max : larger;

	return len > max || o->bytes > max - len ? MU_EFULL : 0;
}

int mu_tcp_out_put(struct mu_tcp_out *o, const struct mu_tcp_out_limits *limits,
                   const void *p, size_t len)
{
	int rc = check(o, limits, len);

	if (rc)
		return rc;
	if (mu_buf_reserve(&o->gather, len)) {
		o->gather.failed = false; /* what is in it is whole */
		return MU_ENOMEM;
	}
	mu_buf_put(&o->gather, p, len);
	o->bytes += len;
	return 0;
}

int mu_tcp_out_share(struct mu_tcp_out *o,
                     const struct mu_tcp_out_limits *limits, struct mu_blob *b)
{
	int rc = check(o, limits, b->len);

	rc = rc ? rc : reserve(o, 2);
	rc = rc ? rc : seal(o);
	if (rc)
		return rc;
	*slot(o, o->count++) = mu_blob_share(b);
	o->bytes += b->len;
	return 0;
}

/* ---- writing ----------------------------------------------------------------------- */

static unsigned gather_spans(const struct mu_tcp_out *o,
                             struct mu_tcpsock_span *v)
{
	unsigned n = 0;

	while (n < o->count && n < MU_TCP_SPANS_MAX) {
		const struct mu_blob *b = *slot(o, n);
		const size_t gone = n ? 0 : o->gone;

		v[n++] = (struct mu_tcpsock_span){ b->bytes + gone,
			                           b->len - gone };
	}
	if (n < MU_TCP_SPANS_MAX && o->gather.len)
		v[n++] = (struct mu_tcpsock_span){ o->gather.data,
			                           o->gather.len };
	return n;
}

static void drop_oldest(struct mu_tcp_out *o)
{
	mu_blob_let_go(*slot(o, 0));
	o->head = (o->head + 1) & (o->room - 1);
	o->count--;
	o->gone = 0;
}

static void empty_gather(struct mu_tcp_out *o)
{
	if (o->gather.room > MU_TCP_OUT_KEEP)
		mu_buf_fini(&o->gather);
	else
		mu_buf_reset(&o->gather);
}

/* `n` bytes have left. Less than all that gathers: it becomes a piece. */
static int take_off(struct mu_tcp_out *o, size_t n)
{
	int rc;

	o->bytes -= n;
	while (o->count && n >= (*slot(o, 0))->len - o->gone) {
		n -= (*slot(o, 0))->len - o->gone;
		drop_oldest(o);
	}
	if (o->count == 0 && n == o->gather.len) {
		empty_gather(o);
		return 0;
	}
	if (o->count == 0) {
		rc = reserve(o, 1);
		rc = rc ? rc : seal(o);
		if (rc)
			return rc;
	}
	o->gone += n;
	return 0;
}

/* The socket keeps the oldest piece until there is room for it. */
static int lend(struct mu_tcp_out *o, struct mu_tcpsock *to)
{
	struct mu_blob *b;
	int rc = 0;

	if (o->count == 0) {
		rc = reserve(o, 1);
		rc = rc ? rc : seal(o);
		if (rc)
			return rc;
	}
	b = *slot(o, 0);
	rc = mu_tcpsock_lend(to, b->bytes + o->gone, b->len - o->gone, release,
	                     mu_blob_share(b));
	if (rc)
		mu_blob_let_go(b);
	return rc ? rc : MU_EAGAIN;
}

int mu_tcp_out_flush(struct mu_tcp_out *o, struct mu_tcpsock *to)
{
	struct mu_tcpsock_span v[MU_TCP_SPANS_MAX];
	size_t written;
	int rc;

	while (o->bytes) {
		rc = mu_tcpsock_write(to, v, gather_spans(o, v), &written);
		if (rc == MU_EAGAIN)
			return lend(o, to);
		rc = rc ? rc : take_off(o, written);
		if (rc)
			return rc;
	}
	mu_free(o->ring);
	o->ring = NULL;
	o->room = o->head = 0;
	return 0;
}

void mu_tcp_out_lent_is_gone(struct mu_tcp_out *o)
{
	o->bytes -= (*slot(o, 0))->len - o->gone;
	drop_oldest(o);
}
