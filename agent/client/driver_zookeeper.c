/* driver_zookeeper.c - the TCP carrier: ZooKeeper's frames in a stream of bytes
 * (rules 1 and 3). The stream is cut behind whole frames; what is inside them
 * is the link machine's. */
#include "driver.h"

#include "err.h"
#include "jute.h"
#include "mem.h"
#include "tcpconn.h"

#include <string.h>
#include <sys/uio.h>

#define READ_BYTES (64u * 1024u) /* asked of the system at once */
#define LENGTH_BYTES 4u

/* The link machine gives up sooner. */
#define CONNECT_LIMIT_MS (30u * 1000u)

struct mu_driver {
	struct mu_tcpconn *tcp;
	struct mu_buf in; /* whole frames, then the beginning of one */
	size_t whole;     /* bytes of the whole ones */
	size_t lent; /* bytes that recv lent out; dropped by the next call */
	struct mu_buf out; /* what the connection did not take yet */
	int failed;        /* the link is of no use any more: why */
	bool up, told_lost;
	struct mu_err why;
	char url[256];
};

/* "zookeeper://host:port", as url.c puts it; an IPv6 host in brackets. */
static int open_at(struct mu_driver *d, const char *url, struct mu_err *err)
{
	const char *at = strstr(url, "://");
	const char *colon = strrchr(url, ':');
	char host[256];
	uint16_t port = 0;

	at = at ? at + 3 : url;
	if (!colon || colon < at)
		return mu_err(err, MU_EINVAL, "%s has no port", url);
	for (const char *digit = colon + 1; *digit; digit++)
		port = (uint16_t)(port * 10 + (*digit - '0'));
	if (*at == '[')
		mu_format(host, sizeof host, "%.*s", (int)(colon - at) - 2,
		          at + 1);
	else
		mu_format(host, sizeof host, "%.*s", (int)(colon - at), at);
	return mu_tcpconn_open(host, port, CONNECT_LIMIT_MS, &d->tcp, err);
}

static int zk_open(const char *url, struct mu_driver **out, struct mu_err *err)
{
	struct mu_driver *d = mu_alloc(sizeof *d);
	int rc;

	if (!d)
		return mu_err(err, MU_ENOMEM, "out of memory");
	mu_format(d->url, sizeof d->url, "%s", url);
	rc = open_at(d, url, err);
	if (rc)
		mu_free(d);
	else
		*out = d;
	return rc;
}

/* The end of the stream is the goodbye of this carrier. */
static void zk_close(struct mu_driver *d)
{
	mu_tcpconn_close(d->tcp);
	mu_buf_fini(&d->in);
	mu_buf_fini(&d->out);
	mu_free(d);
}

static int zk_fd(const struct mu_driver *d)
{
	return mu_tcpconn_fd(d->tcp);
}

static int lose(struct mu_driver *d, int rc)
{
	d->failed = rc;
	if (!d->why.msg[0])
		(void)mu_err(&d->why, rc, "%s", mu_tcpconn_why(d->tcp));
	return rc;
}

/* ---- out ---- */

/* Write what waits, and `bytes` behind it; keep what does not go. */
static int write_out(struct mu_driver *d, const void *bytes, size_t len)
{
	struct iovec v[2] = { { d->out.data, d->out.len },
		              { (void *)(uintptr_t)bytes, len } };
	size_t waited = d->out.len, took = 0;
	int rc = mu_tcpconn_writev(d->tcp, v, 2, &took);

	if (rc)
		return lose(d, rc);
	mu_buf_drop(&d->out, took < waited ? took : waited);
	took -= took < waited ? took : waited;
	if (len - took > MU_DRIVER_OUTBOX_MAX - d->out.len)
		return lose(d, MU_EFULL);
	if (took < len)
		mu_buf_put(&d->out, (const char *)bytes + took, len - took);
	if (mu_buf_failed(&d->out))
		return lose(d, MU_ENOMEM);
	if (d->out.len == 0 && d->out.room > READ_BYTES)
		mu_buf_fini(&d->out);
	return 0;
}

static int zk_send(struct mu_driver *d, const void *bytes, size_t len)
{
	return d->failed ? d->failed : write_out(d, bytes, len);
}

static int zk_flush(struct mu_driver *d)
{
	if (d->failed || d->out.len == 0)
		return d->failed;
	return write_out(d, NULL, 0);
}

/* The descriptor tells when there is room, and events flushes then. */
static bool zk_is_parked(const struct mu_driver *d)
{
	(void)d;
	return false;
}

/* ---- in ---- */

/* Move `whole` behind the last whole frame. A length that cannot be makes all
 * behind it unreadable, so the link is lost; the frames before it are good. */
static int find_frames(struct mu_driver *d)
{
	while (d->in.len - d->whole >= LENGTH_BYTES) {
		struct mu_in in = mu_in_of(d->in.data + d->whole, LENGTH_BYTES);
		int32_t len = mu_get_int(&in);

		if (len < 0 || (uint32_t)len > MU_DRIVER_MESSAGE_MAX) {
			(void)mu_err(&d->why, MU_EPROTO,
			             "%s sent a frame of %ld bytes, and the "
			             "limit is %u; is it a ZooKeeper?",
			             d->url, (long)len, MU_DRIVER_MESSAGE_MAX);
			return lose(d, MU_EPROTO);
		}
		if (d->in.len - d->whole - LENGTH_BYTES < (uint32_t)len)
			return 0;
		d->whole += LENGTH_BYTES + (uint32_t)len;
	}
	return 0;
}

static void drop_lent(struct mu_driver *d)
{
	mu_buf_drop(&d->in, d->lent);
	d->whole -= d->lent;
	d->lent = 0;
	if (d->in.len == 0 && d->in.room > 2 * READ_BYTES)
		mu_buf_fini(&d->in);
}

/* Read until there is a whole frame, or nothing more. */
static int read_in(struct mu_driver *d)
{
	int rc = 0;

	while (!rc && d->whole == 0) {
		size_t got = 0;

		if (mu_buf_reserve(&d->in, READ_BYTES))
			return lose(d, MU_ENOMEM);
		rc = mu_tcpconn_read(d->tcp, d->in.data + d->in.len, READ_BYTES,
		                     &got);
		d->in.len += got;
		if (!rc)
			rc = find_frames(d);
		else if (rc != MU_EAGAIN)
			lose(d, rc);
	}
	return rc;
}

static void come_up(struct mu_driver *d)
{
	int rc = mu_tcpconn_step(d->tcp);

	if (rc == 0)
		d->up = true;
	else if (rc != MU_EAGAIN)
		lose(d, rc);
}

static unsigned zk_events(struct mu_driver *d)
{
	unsigned events = 0;

	drop_lent(d);
	if (!d->failed && !d->up) {
		come_up(d);
		events = d->up ? MU_DRIVER_UP : 0;
	}
	if (!d->failed && d->up) {
		(void)zk_flush(d);
		(void)read_in(d);
	}
	if (d->whole)
		return events | MU_DRIVER_READABLE;
	if (d->failed && !d->told_lost) {
		d->told_lost = true;
		events |= MU_DRIVER_LOST;
	}
	return events;
}

static int zk_recv(struct mu_driver *d, const void **bytes, size_t *len)
{
	drop_lent(d);
	if (d->whole == 0)
		return d->failed ? d->failed : MU_EAGAIN;
	*bytes = d->in.data;
	*len = d->lent = d->whole;
	return 0;
}

static const char *zk_why(const struct mu_driver *d)
{
	return d->why.msg;
}

const struct mu_driver_ops mu_driver_zookeeper = {
	.server = "ZooKeeper",
	.open = zk_open,
	.close = zk_close,
	.fd = zk_fd,
	.events = zk_events,
	.recv = zk_recv,
	.send = zk_send,
	.flush = zk_flush,
	.is_parked = zk_is_parked,
	.why = zk_why,
};
