#include "tcpsock.h"

#include "bug.h"
#include "err.h"
#include "loop_uv.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BACKLOG 1024 /* connections that the kernel holds for us */
#define PORT_MAX 65535

struct mu_tcplisten {
	uv_tcp_t uv; /* first: see mu_uv_close */
	mu_loop_fn *waiting;
	void *arg;
	bool one_waits;
	char address[MU_TCP_ADDRESS_MAX];
};

struct mu_tcpsock {
	uv_tcp_t uv; /* first: see mu_uv_close */
	const struct mu_tcpsock_owner *owner;
	void *arg;
	bool reading, ended, closed, lent;
};

/* What is lent, for as long as it is. */
struct lent {
	uv_write_t uv; /* first */
	struct mu_tcpsock *to;
	void (*release)(void *kept);
	void *kept;
};

/* ---- addresses ---------------------------------------------------------------- */

static int bad_address(const char *address, struct mu_err *err)
{
	return mu_err(err, MU_EINVAL,
	              "\"%.100s\" is not an address to listen on; write "
	              "HOST:PORT with an IPv4 address, an IPv6 address in "
	              "brackets or localhost, and a port from 1 to 65535 or *",
	              address);
}

/* "2181" or "*"; -1 for anything else. */
static int parse_port(const char *text)
{
	char *end;
	long port;

	if (strcmp(text, "*") == 0)
		return 0;
	if (*text < '0' || *text > '9')
		return -1;
	port = strtol(text, &end, 10);
	return *end || port < 1 || port > PORT_MAX ? -1 : (int)port;
}

static int parse(const char *address, struct sockaddr_storage *out,
                 struct mu_err *err)
{
	const char *colon = strrchr(address, ':');
	const int port = colon ? parse_port(colon + 1) : -1;
	char host[MU_TCP_ADDRESS_MAX];
	size_t len;
	int rc;

	if (port < 0 || colon - address >= (long)sizeof host)
		return bad_address(address, err);
	len = (size_t)(colon - address);
	memcpy(host, address, len);
	host[len] = '\0';
	memset(out, 0, sizeof *out);
	if (strcmp(host, "localhost") == 0)
		mu_format(host, sizeof host, "127.0.0.1");
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		rc = uv_ip6_addr(host + 1, port, (struct sockaddr_in6 *)out);
	} else {
		rc = uv_ip4_addr(host, port, (struct sockaddr_in *)out);
	}
	return rc ? bad_address(address, err) : 0;
}

static void describe(const struct sockaddr_storage *at,
                     struct mu_tcpsock_peer *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	const struct sockaddr_in *v4 = (const void *)at;
	const struct sockaddr_in6 *v6 = (const void *)at;

	memset(out, 0, sizeof *out);
	if (at->ss_family == AF_INET6) {
		memcpy(out->ip, &v6->sin6_addr, sizeof out->ip);
		uv_ip6_name(v6, out->host, sizeof out->host);
		mu_format(out->where, sizeof out->where, "[%s]:%u", out->host,
		          (unsigned)ntohs(v6->sin6_port));
		return;
	}
	memcpy(out->ip, mapped, sizeof mapped);
	memcpy(out->ip + sizeof mapped, &v4->sin_addr, 4);
	uv_ip4_name(v4, out->host, sizeof out->host);
	mu_format(out->where, sizeof out->where, "%s:%u", out->host,
	          (unsigned)ntohs(v4->sin_port));
}

/* ---- listening ------------------------------------------------------------------ */

/* A failed accept (too many descriptors: libuv has turned it away) is told too;
 * there is nothing to take then. */
static void on_connection(uv_stream_t *uv, int status)
{
	struct mu_tcplisten *t = (struct mu_tcplisten *)uv;

	if (status)
		return;
	t->one_waits = true;
	t->waiting(t->arg); /* may close t */
}

static int listen_on(struct mu_tcplisten *t,
                     const struct sockaddr_storage *where)
{
	const unsigned flags =
		where->ss_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0;
	struct sockaddr_storage real;
	struct mu_tcpsock_peer self;
	int len = sizeof real, rc;

	rc = uv_tcp_bind(&t->uv, (const struct sockaddr *)where, flags);
	rc = rc ? rc : uv_listen((uv_stream_t *)&t->uv, BACKLOG, on_connection);
	rc = rc ? rc
	        : uv_tcp_getsockname(&t->uv, (struct sockaddr *)&real, &len);
	if (rc)
		return rc;
	describe(&real, &self);
	mu_format(t->address, sizeof t->address, "%s", self.where);
	return 0;
}

int mu_tcplisten_open(struct mu_loop *l, const char *address,
                      mu_loop_fn *waiting, void *arg, struct mu_tcplisten **out,
                      struct mu_err *err)
{
	struct sockaddr_storage where;
	struct mu_tcplisten *t;
	int rc = parse(address, &where, err);

	if (rc)
		return rc;
	t = mu_alloc(sizeof *t);
	if (!t)
		return mu_err(err, MU_ENOMEM, "%.100s: out of memory", address);
	t->waiting = waiting;
	t->arg = arg;
	rc = uv_tcp_init(&l->uv, &t->uv);
	if (rc) {
		mu_free(t);
		return mu_err(err, mu_uv_status(rc), "%.100s: %s", address,
		              uv_strerror(rc));
	}
	rc = listen_on(t, &where);
	if (rc) {
		mu_tcplisten_close(t);
		return mu_err(err, mu_uv_status(rc), "%.100s: %s", address,
		              uv_strerror(rc));
	}
	*out = t;
	return 0;
}

void mu_tcplisten_close(struct mu_tcplisten *t)
{
	if (t)
		mu_uv_close((uv_handle_t *)&t->uv);
}

const char *mu_tcplisten_address(const struct mu_tcplisten *t)
{
	return t->address;
}

static int tell_peer(struct mu_tcpsock *t, struct mu_tcpsock_peer *peer)
{
	struct sockaddr_storage from;
	int len = sizeof from;

	if (uv_tcp_getpeername(&t->uv, (struct sockaddr *)&from, &len))
		return MU_EIO;
	describe(&from, peer);
	return 0;
}

int mu_tcplisten_accept(struct mu_tcplisten *t,
                        const struct mu_tcpsock_owner *owner, void *arg,
                        struct mu_tcpsock **out, struct mu_tcpsock_peer *peer)
{
	struct mu_tcpsock *s;
	int rc;

	if (!t->one_waits)
		return MU_EAGAIN;
	s = mu_alloc(sizeof *s);
	if (!s)
		return MU_ENOMEM;
	s->owner = owner;
	s->arg = arg;
	MU_BUG_ON(uv_tcp_init(t->uv.loop, &s->uv) != 0);
	t->one_waits = false;
	rc = uv_accept((uv_stream_t *)&t->uv, (uv_stream_t *)&s->uv);
	if (rc || (peer && tell_peer(s, peer))) {
		mu_uv_close((uv_handle_t *)&s->uv);
		return MU_EIO;
	}
	uv_tcp_nodelay(&s->uv, 1);
	*out = s;
	return 0;
}

/* ---- reading ----------------------------------------------------------------------- */

static void give_room(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
	const struct mu_tcpsock *t = (const struct mu_tcpsock *)h;

	(void)suggested;
	*out = uv_buf_init((char *)t->owner->buffer,
	                   (unsigned)t->owner->buffer_len);
}

static void end(struct mu_tcpsock *t, int rc)
{
	if (t->ended)
		return;
	t->ended = true;
	mu_tcpsock_read(t, false);
	t->owner->ended(t->arg, rc); /* may close t */
}

static void on_read(uv_stream_t *uv, ssize_t n, const uv_buf_t *buf)
{
	struct mu_tcpsock *t = (struct mu_tcpsock *)uv;

	if (n > 0)
		t->owner->data(t->arg, (const uint8_t *)buf->base, (size_t)n);
	else if (n < 0)
		end(t, n == UV_EOF ? 0 : MU_EGONE);
}

void mu_tcpsock_read(struct mu_tcpsock *t, bool on)
{
	if (on == t->reading || (on && t->ended))
		return;
	t->reading = on;
	if (on)
		MU_BUG_ON(uv_read_start((uv_stream_t *)&t->uv, give_room,
		                        on_read) != 0);
	else
		uv_read_stop((uv_stream_t *)&t->uv);
}

/* ---- writing ----------------------------------------------------------------------- */

int mu_tcpsock_write(struct mu_tcpsock *t, const struct mu_tcpsock_span *pieces,
                     unsigned count, size_t *written)
{
	uv_buf_t v[MU_TCP_SPANS_MAX];
	unsigned i;
	int n;

	MU_BUG_ON(t->lent || count == 0 || count > MU_TCP_SPANS_MAX);
	for (i = 0; i < count; i++) {
		/* libuv only reads from it. */
		v[i].base = (char *)(uintptr_t)pieces[i].at;
		v[i].len = pieces[i].len;
	}
	*written = 0;
	n = uv_try_write((uv_stream_t *)&t->uv, v, count);
	if (n == UV_EAGAIN || n == UV_ENOBUFS)
		return MU_EAGAIN;
	if (n < 0)
		return MU_EGONE;
	*written = (size_t)n;
	return 0;
}

/* Also called, with an error, when the connection is closed under it. */
static void on_written(uv_write_t *uv, int status)
{
	struct lent *w = (struct lent *)uv;
	struct mu_tcpsock *t = w->to;

	t->lent = false;
	w->release(w->kept);
	mu_free(w);
	if (t->closed)
		return;
	if (status)
		end(t, MU_EGONE);
	else
		t->owner->writable(t->arg);
}

int mu_tcpsock_lend(struct mu_tcpsock *t, const void *p, size_t len,
                    void (*release)(void *kept), void *kept)
{
	uv_buf_t v = { .base = (char *)(uintptr_t)p, .len = len };
	struct lent *w;

	MU_BUG_ON(t->lent);
	w = mu_alloc(sizeof *w);
	if (!w)
		return MU_ENOMEM;
	w->to = t;
	w->release = release;
	w->kept = kept;
	if (uv_write(&w->uv, (uv_stream_t *)&t->uv, &v, 1, on_written)) {
		mu_free(w);
		return MU_EGONE;
	}
	t->lent = true;
	return 0;
}

size_t mu_tcpsock_unsent(const struct mu_tcpsock *t)
{
	return uv_stream_get_write_queue_size((const uv_stream_t *)&t->uv);
}

/* ---- the end -------------------------------------------------------------------------- */

void mu_tcpsock_finish(struct mu_tcpsock *t)
{
	uv_os_fd_t fd;

	if (uv_fileno((const uv_handle_t *)&t->uv, &fd) == 0)
		shutdown(fd, SHUT_WR);
}

void mu_tcpsock_close(struct mu_tcpsock *t)
{
	if (!t)
		return;
	t->closed = true;
	mu_uv_close((uv_handle_t *)&t->uv);
}
