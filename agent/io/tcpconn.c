#include "tcpconn.h"

#include "clock.h"
#include "err.h"
#include "lookup.h"
#include "mem.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

struct mu_tcpconn {
	enum { LOOKING, CONNECTING, OPEN, FAILED } state;
	int epoll, timer, sock; /* sock: -1 without */
	bool hears_room;        /* the descriptor tells of room to write */
	struct mu_lookup *lookup;
	const struct addrinfo *all, *at; /* the lookup's */
	unsigned left;                   /* addresses to be tried yet */
	uint64_t by_ms;                  /* the end of it all */
	uint64_t address_by_ms;          /* the end of this address's time */
	int last;                        /* errno of the address before */
	int rc;                          /* FAILED: why */
	uint16_t port;
	char host[MU_LOOKUP_HOST_MAX];
	struct mu_err err;
};

/* ---- small things ---- */

static int watch(struct mu_tcpconn *c, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events };

	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e) ? errno : 0;
}

static void rewatch(struct mu_tcpconn *c, uint32_t events)
{
	struct epoll_event e = { .events = events };

	(void)epoll_ctl(c->epoll, EPOLL_CTL_MOD, c->sock, &e);
}

/* Let the descriptor become readable at a time of mu_clock_mono_ms. */
static void alarm_at(struct mu_tcpconn *c, uint64_t at_ms)
{
	struct itimerspec when = { 0 };

	when.it_value.tv_sec = (time_t)(at_ms / 1000);
	when.it_value.tv_nsec = (long)(at_ms % 1000) * 1000000;
	(void)timerfd_settime(c->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* A connection that never was: nothing is left to be told by the descriptor but
 * this, so the alarm is left ringing. */
static int fail(struct mu_tcpconn *c, int rc)
{
	c->state = FAILED;
	c->rc = rc;
	shut(&c->sock);
	alarm_at(c, 1);
	return rc;
}

static int fail_with(struct mu_tcpconn *c, int rc, const char *what)
{
	(void)mu_err(&c->err, rc, "cannot connect to %s port %u: %s", c->host,
	             (unsigned)c->port, what);
	return fail(c, rc);
}

/* ---- made ---- */

static int prepare(struct mu_tcpconn *c)
{
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->epoll < 0 || c->timer < 0)
		return errno;
	return watch(c, c->timer, EPOLLIN);
}

static int begin(struct mu_tcpconn *c, struct mu_err *err)
{
	int rc = prepare(c);
	int why;

	if (!rc) {
		why = mu_lookup_start(c->host, c->port, &c->lookup, err);
		if (why)
			return why;
		rc = watch(c, mu_lookup_fd(c->lookup), EPOLLIN);
	}
	if (rc)
		return mu_err(err, MU_EIO, "cannot connect to %s port %u: %s",
		              c->host, (unsigned)c->port, strerror(rc));
	alarm_at(c, c->by_ms);
	return 0;
}

int mu_tcpconn_open(const char *host, uint16_t port, uint32_t limit_ms,
                    struct mu_tcpconn **out, struct mu_err *err)
{
	struct mu_tcpconn *c = mu_alloc(sizeof *c);
	int rc;

	if (!c)
		return mu_err(err, MU_ENOMEM, "out of memory");
	c->epoll = c->timer = c->sock = -1;
	c->port = port;
	c->by_ms = mu_clock_mono_ms() + limit_ms;
	if (mu_format(c->host, sizeof c->host, "%s", host) < strlen(host))
		rc = mu_err(err, MU_EINVAL,
		            "the host name %.40s... has more than %u bytes",
		            host, MU_LOOKUP_HOST_MAX - 1);
	else
		rc = begin(c, err);
	if (rc)
		mu_tcpconn_close(c);
	else
		*out = c;
	return rc;
}

void mu_tcpconn_close(struct mu_tcpconn *c)
{
	if (!c)
		return;
	shut(&c->sock);
	shut(&c->timer);
	shut(&c->epoll);
	mu_lookup_end(c->lookup);
	mu_free(c);
}

int mu_tcpconn_fd(const struct mu_tcpconn *c)
{
	return c->epoll;
}

const char *mu_tcpconn_why(const struct mu_tcpconn *c)
{
	return c->err.msg;
}

/* ---- connecting ---- */

/* Begin with the address at hand. 0: it goes on, or is through already; an
 * errno: this address is of no use. */
static int dial(struct mu_tcpconn *c)
{
	const struct addrinfo *a = c->at;
	int one = 1;

	c->sock = socket(a->ai_family,
	                 SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->sock < 0)
		return errno;
	(void)setsockopt(c->sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(c->sock, a->ai_addr, a->ai_addrlen) && errno != EINPROGRESS)
		return errno;
	return watch(c, c->sock, EPOLLOUT);
}

/* The next address; MU_EIO when all were tried. */
static int dial_next(struct mu_tcpconn *c)
{
	while (c->left) {
		uint64_t now = mu_clock_mono_ms();

		c->left--;
		c->at = c->at && c->at->ai_next ? c->at->ai_next : c->all;
		c->last = dial(c);
		if (c->last) {
			shut(&c->sock);
			continue;
		}
		c->address_by_ms = now + MU_TCPCONN_ADDRESS_MS;
		if (c->left == 0 || c->address_by_ms > c->by_ms)
			c->address_by_ms = c->by_ms;
		alarm_at(c, c->address_by_ms);
		c->state = CONNECTING;
		return MU_EAGAIN;
	}
	return fail_with(c, c->last == ETIMEDOUT ? MU_ETIMEDOUT : MU_EIO,
	                 strerror(c->last));
}

/* Begin anywhere, so that an address which does not answer is not the first of
 * every attempt. */
static int look(struct mu_tcpconn *c)
{
	unsigned skip;
	int rc = mu_lookup_result(c->lookup, &c->all, &c->err);

	if (rc == MU_EAGAIN) {
		if (mu_clock_mono_ms() < c->by_ms)
			return rc;
		return fail_with(c, MU_ETIMEDOUT,
		                 "no name server has answered in time");
	}
	if (rc)
		return fail(c, rc);
	(void)epoll_ctl(c->epoll, EPOLL_CTL_DEL, mu_lookup_fd(c->lookup), NULL);
	for (const struct addrinfo *a = c->all; a; a = a->ai_next)
		c->left++;
	mu_clock_random(&skip, sizeof skip);
	for (skip %= c->left; skip; skip--)
		c->at = c->at ? c->at->ai_next : c->all;
	return dial_next(c);
}

/* A port that nobody listens on can be the very port that this socket was
 * given: it is then connected to itself, and keeps the server from its port. */
static bool is_own_echo(int sock)
{
	struct sockaddr_storage own = { 0 }, peer = { 0 };
	socklen_t own_len = sizeof own, peer_len = sizeof peer;

	return getsockname(sock, (struct sockaddr *)&own, &own_len) == 0 &&
	       getpeername(sock, (struct sockaddr *)&peer, &peer_len) == 0 &&
	       own_len == peer_len && memcmp(&own, &peer, own_len) == 0;
}

/* A peer that closes while bytes are under way to it resets the connection;
 * that says no more than that it has closed. */
static bool is_just_gone(int why)
{
	return why == EPIPE || why == ECONNRESET;
}

/* 0: it is through; an errno, EAGAIN among them. */
static int outcome(const struct mu_tcpconn *c)
{
	struct pollfd p = { .fd = c->sock, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int why = 0;

	if (poll(&p, 1, 0) <= 0)
		return mu_clock_mono_ms() < c->address_by_ms ? EAGAIN
		                                             : ETIMEDOUT;
	if (getsockopt(c->sock, SOL_SOCKET, SO_ERROR, &why, &len))
		return errno;
	if (is_just_gone(why))
		return 0; /* it was open: what is read tells the rest */
	return !why && is_own_echo(c->sock) ? ECONNREFUSED : why;
}

static int connecting(struct mu_tcpconn *c)
{
	int why = outcome(c);

	if (why == EAGAIN)
		return MU_EAGAIN;
	if (why) {
		c->last = why;
		shut(&c->sock);
		return dial_next(c);
	}
	shut(&c->timer);
	mu_lookup_end(c->lookup);
	c->lookup = NULL;
	c->all = c->at = NULL;
	rewatch(c, EPOLLIN);
	c->state = OPEN;
	return 0;
}

int mu_tcpconn_step(struct mu_tcpconn *c)
{
	if (c->state == LOOKING && look(c) != MU_EAGAIN)
		return c->rc;
	if (c->state == CONNECTING)
		return connecting(c);
	if (c->state == LOOKING)
		return MU_EAGAIN;
	return c->state == OPEN ? 0 : c->rc;
}

/* ---- open ---- */

static int lose(struct mu_tcpconn *c, int why)
{
	if (is_just_gone(why))
		return MU_EGONE;
	return mu_err(&c->err, MU_EGONE,
	              "lost the connection to %s port %u: %s", c->host,
	              (unsigned)c->port, strerror(why));
}

int mu_tcpconn_read(struct mu_tcpconn *c, void *out, size_t room, size_t *got)
{
	ssize_t n;

	do
		n = recv(c->sock, out, room, 0);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return MU_EGONE;
	if (n < 0)
		return errno == EAGAIN ? MU_EAGAIN : lose(c, errno);
	*got = (size_t)n;
	return 0;
}

static size_t bytes_of(const struct iovec *pieces, int count)
{
	size_t len = 0;

	for (int i = 0; i < count; i++)
		len += pieces[i].iov_len;
	return len;
}

static void hear_room(struct mu_tcpconn *c, bool on)
{
	if (c->hears_room == on)
		return;
	c->hears_room = on;
	rewatch(c, on ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

int mu_tcpconn_writev(struct mu_tcpconn *c, const struct iovec *pieces,
                      int count, size_t *took)
{
	struct msghdr m = { 0 };
	ssize_t n;

	m.msg_iov = (struct iovec *)(uintptr_t)pieces; /* only read */
	m.msg_iovlen = (size_t)count;
	do
		n = sendmsg(c->sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		return lose(c, errno);
	*took = n < 0 ? 0 : (size_t)n;
	hear_room(c, *took < bytes_of(pieces, count));
	return 0;
}
