/*
 * zsock.c - the one file that includes <zmq.h>.
 *
 * One libzmq context a process, made with the first socket and ended with the
 * last; a mutex guards it, for sockets of several threads share it. All else
 * belongs to the socket's thread.
 */
#include "zsock.h"

#include "bug.h"
#include "err.h"
#include "mem.h"
#include "zurl.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

#define SOCKETS_MAX 4096 /* a dealer takes three */
#define BACKLOG 512
#define HANDSHAKE_MS 10000
/* "Off": with -1 libzmq says nothing at all when a name does not resolve; with
 * a time it says that it will try again, long after we have closed. */
#define RECONNECT_NEVER_MS INT_MAX
/* What libzmq makes for a peer that brings no routing id: a 0 and a counter. */
#define OWN_ID_LEN 5u

struct mu_zsock {
	void *socket;
	void *monitor; /* the reading end of the monitor; dealer only */
	int fd;        /* router: ZMQ_FD; dealer: epoll over both ZMQ_FDs */
	bool named;    /* the address has a name to be looked up */
	bool up, lost; /* told already */
};

/* ---- the context ------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	void *zmq;
	unsigned sockets;
	unsigned monitors; /* names their inproc endpoints */
	/* libzmq's thread may sit in a name lookup, and ending the context would
	 * wait for that; so it is left to the next use. */
	bool looking_up;
} context = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *context_socket(int type)
{
	void *socket = NULL;

	pthread_mutex_lock(&context.lock);
	if (!context.zmq) {
		context.zmq = zmq_ctx_new();
		if (context.zmq) {
			zmq_ctx_set(context.zmq, ZMQ_IO_THREADS, 1);
			zmq_ctx_set(context.zmq, ZMQ_MAX_SOCKETS, SOCKETS_MAX);
		}
	}
	if (context.zmq)
		socket = zmq_socket(context.zmq, type);
	if (socket)
		context.sockets++;
	pthread_mutex_unlock(&context.lock);
	return socket;
}

static void context_close(void *socket)
{
	void *end = NULL;

	if (!socket)
		return;
	zmq_close(socket);
	pthread_mutex_lock(&context.lock);
	MU_BUG_ON(context.sockets == 0);
	if (--context.sockets == 0 && !context.looking_up) {
		end = context.zmq;
		context.zmq = NULL;
	}
	pthread_mutex_unlock(&context.lock);
	while (end && zmq_ctx_term(end) && errno == EINTR)
		;
}

static void context_looks_up(bool yes)
{
	pthread_mutex_lock(&context.lock);
	context.looking_up = yes;
	pthread_mutex_unlock(&context.lock);
}

static unsigned context_monitor(void)
{
	unsigned n;

	pthread_mutex_lock(&context.lock);
	n = ++context.monitors;
	pthread_mutex_unlock(&context.lock);
	return n;
}

/* ---- messages ------------------------------------------------------------ */

_Static_assert(sizeof(zmq_msg_t) <= sizeof(struct mu_zmsg),
               "a message must fit");
_Static_assert(_Alignof(zmq_msg_t) <= _Alignof(struct mu_zmsg),
               "a message must be aligned");

static zmq_msg_t *inner(struct mu_zmsg *m)
{
	return (zmq_msg_t *)(void *)m->opaque;
}

void mu_zmsg_init(struct mu_zmsg *m)
{
	zmq_msg_init(inner(m));
}

void mu_zmsg_fini(struct mu_zmsg *m)
{
	zmq_msg_close(inner(m));
}

const void *mu_zmsg_data(struct mu_zmsg *m)
{
	return zmq_msg_data(inner(m));
}

size_t mu_zmsg_len(const struct mu_zmsg *m)
{
	return zmq_msg_size((const zmq_msg_t *)(const void *)m->opaque);
}

int mu_zmsg_copy_in(struct mu_zmsg *m, const void *p, size_t len)
{
	zmq_msg_t fresh;

	if (zmq_msg_init_size(&fresh, len))
		return MU_ENOMEM;
	if (len)
		memcpy(zmq_msg_data(&fresh), p, len);
	zmq_msg_move(inner(m), &fresh);
	return 0;
}

int mu_zmsg_share(struct mu_zmsg *dst, struct mu_zmsg *src)
{
	return zmq_msg_copy(inner(dst), inner(src)) ? MU_ENOMEM : 0;
}

const char *mu_zmsg_origin(struct mu_zmsg *m)
{
	const char *at = zmq_msg_gets(inner(m), "Peer-Address");

	return at ? at : "";
}

/* ---- opening --------------------------------------------------------------- */

struct option {
	int name, value;
};

static int set_options(void *socket, const struct option *o, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (zmq_setsockopt(socket, o[i].name, &o[i].value,
		                   sizeof o[i].value))
			return MU_EIO;
	}
	return 0;
}

static int set_limits(void *socket, size_t message_max)
{
	static const struct option shared[] = {
		{ ZMQ_LINGER, 0 },
		{ ZMQ_SNDHWM, MU_ZSOCK_HWM },
		{ ZMQ_RCVHWM, MU_ZSOCK_HWM },
		{ ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS },
	};
	const int64_t max = (int64_t)message_max;

	if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof max))
		return MU_EIO;
	return set_options(socket, shared, sizeof shared / sizeof *shared);
}

static int socket_fd(void *socket)
{
	int fd = -1;
	size_t len = sizeof fd;

	return zmq_getsockopt(socket, ZMQ_FD, &fd, &len) ? -1 : fd;
}

/* An empty socket of a type, with its limits. */
static int open_socket(struct mu_zsock **out, int type, size_t message_max,
                       struct mu_err *err)
{
	struct mu_zsock *z = mu_alloc(sizeof *z);

	if (!z)
		return mu_err(err, MU_ENOMEM, "out of memory for a socket");
	z->fd = -1;
	z->socket = context_socket(type);
	if (!z->socket || set_limits(z->socket, message_max)) {
		mu_err(err, MU_EIO, "cannot open a ZeroMQ socket: %s",
		       zmq_strerror(errno));
		mu_zsock_close(z);
		return MU_EIO;
	}
	*out = z;
	return 0;
}

int mu_zsock_router_open(struct mu_zsock **out, size_t message_max,
                         struct mu_err *err)
{
	static const struct option router[] = {
		{ ZMQ_ROUTER_MANDATORY, 1 },
		{ ZMQ_BACKLOG, BACKLOG },
	};
	struct mu_zsock *z;
	int rc = open_socket(&z, ZMQ_ROUTER, message_max, err);

	if (rc)
		return rc;
	z->fd = socket_fd(z->socket);
	if (set_options(z->socket, router, sizeof router / sizeof *router) ||
	    z->fd < 0) {
		mu_err(err, MU_EIO, "cannot set up a ZeroMQ socket: %s",
		       zmq_strerror(errno));
		mu_zsock_close(z);
		return MU_EIO;
	}
	*out = z;
	return 0;
}

/* An IPv6 address stands in brackets; with IPv6 on, libzmq would look up a name
 * as IPv6 first and only. */
static int set_family(void *socket, const char *url)
{
	const struct option ipv6 = { ZMQ_IPV6,
		                     strncmp(url, "tcp://[", 7) == 0 };

	return set_options(socket, &ipv6, 1);
}

/* ---- listening ------------------------------------------------------------- */

static int bind_error(const char *url, int why, struct mu_err *err)
{
	switch (why) {
	case EADDRINUSE:
		return mu_err(
			err, MU_EIO,
			"cannot listen on %s: the address is in use; stop "
			"the program that has it or choose another",
			url);
	case EACCES:
	case EPERM:
		return mu_err(err, MU_EIO,
		              "cannot listen on %s: permission denied", url);
	case EINVAL:
	case ENODEV:
	case EPROTONOSUPPORT:
	case ENAMETOOLONG:
		return mu_err(err, MU_EINVAL,
		              "cannot listen on %s: it must be an address like "
		              "tcp://127.0.0.1:7400 or ipc:///path (%s)",
		              url, zmq_strerror(why));
	default:
		return mu_err(err, MU_EIO, "cannot listen on %s: %s", url,
		              zmq_strerror(why));
	}
}

int mu_zsock_bind(struct mu_zsock *z, const char *url, char *actual,
                  size_t room, struct mu_err *err)
{
	static const char named[] = "tcp://localhost:";
	char at[MU_ZURL_MAX + 16], bound[MU_ZURL_MAX + 16] = "";
	size_t len = sizeof bound;
	int rc;

	if (!mu_zurl_is_ours(url))
		return mu_err(err, MU_EINVAL,
		              "cannot listen on %.200s: it must begin with "
		              "tcp:// or ipc://",
		              url);
	/* libzmq takes a name here for the name of a network card. */
	if (strncmp(url, named, strlen(named)) == 0)
		mu_format(at, sizeof at, "tcp://127.0.0.1:%s",
		          url + strlen(named));
	else
		mu_format(at, sizeof at, "%s", url);
	if (strncmp(at, "ipc://", 6) == 0) {
		rc = mu_zurl_ipc_is_free(at, err);
		if (rc)
			return rc;
	}
	if (set_family(z->socket, at) || zmq_bind(z->socket, at))
		return bind_error(url, errno, err);
	if (!actual)
		return 0;
	zmq_getsockopt(z->socket, ZMQ_LAST_ENDPOINT, bound, &len);
	mu_format(actual, room, "%s", bound);
	return 0;
}

/* ---- connecting -------------------------------------------------------------- */

static int watch_fd(int epoll, void *socket)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = socket_fd(socket);

	return fd < 0 ? -1 : epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

/* Have the socket tell what becomes of its connection, and make one descriptor
 * of both. -1 with errno. */
static int open_monitor(struct mu_zsock *z)
{
	static const int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
	                          ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED |
	                          ZMQ_EVENT_CONNECT_RETRIED |
	                          ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
	                          ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
	                          ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
	static const struct option linger = { ZMQ_LINGER, 0 };
	char name[48];

	mu_format(name, sizeof name, "inproc://mu-monitor-%u",
	          context_monitor());
	if (zmq_socket_monitor(z->socket, name, events))
		return -1;
	z->monitor = context_socket(ZMQ_PAIR);
	if (!z->monitor || set_options(z->monitor, &linger, 1) ||
	    zmq_connect(z->monitor, name))
		return -1;
	z->fd = epoll_create1(EPOLL_CLOEXEC);
	if (z->fd < 0 || watch_fd(z->fd, z->socket) ||
	    watch_fd(z->fd, z->monitor))
		return -1;
	return 0;
}

int mu_zsock_dealer_open(struct mu_zsock **out, const char *url,
                         size_t message_max, struct mu_err *err)
{
	static const struct option dealer[] = {
		{ ZMQ_RECONNECT_IVL, RECONNECT_NEVER_MS },
	};
	struct mu_zsock *z;
	int rc, why;

	if (!mu_zurl_is_ours(url) || !mu_zurl_has_port(url))
		return mu_err(err, MU_EINVAL,
		              "%.200s is no address of a broker; write "
		              "tcp://HOST:PORT or ipc:///PATH",
		              url);
	rc = open_socket(&z, ZMQ_DEALER, message_max, err);
	if (rc)
		return rc;
	z->named = mu_zurl_has_name(url);
	if (set_options(z->socket, dealer, 1) || set_family(z->socket, url) ||
	    open_monitor(z) || zmq_connect(z->socket, url)) {
		why = errno;
		z->named = false; /* nothing was looked up */
		mu_zsock_close(z);
		return mu_err(err, why == EINVAL ? MU_EINVAL : MU_EIO,
		              "cannot connect to %s: %s", url,
		              zmq_strerror(why));
	}
	*out = z;
	return 0;
}

void mu_zsock_linger(struct mu_zsock *z, unsigned ms)
{
	const struct option linger = { ZMQ_LINGER, (int)ms };

	set_options(z->socket, &linger, 1);
}

void mu_zsock_close(struct mu_zsock *z)
{
	if (!z)
		return;
	if (z->named && !z->up && !z->lost)
		context_looks_up(true);
	if (z->monitor) {
		zmq_socket_monitor(z->socket, NULL, 0);
		close(z->fd);
		context_close(z->monitor);
	}
	context_close(z->socket);
	mu_free(z);
}

/* ---- events, receive, send ---------------------------------------------------- */

int mu_zsock_fd(const struct mu_zsock *z)
{
	return z->fd;
}

static bool is_readable(void *socket)
{
	int events = 0;
	size_t len = sizeof events;

	zmq_getsockopt(socket, ZMQ_EVENTS, &events, &len);
	return events & ZMQ_POLLIN;
}

/* One event of the monitor: a number (its value is of no use to us), and the
 * address in a second part. 0 when there is none. */
static unsigned next_monitor_event(void *monitor)
{
	zmq_msg_t part;
	uint16_t event = 0;
	bool first = true, more = true;

	zmq_msg_init(&part);
	while (more && zmq_msg_recv(&part, monitor, ZMQ_DONTWAIT) >= 0) {
		if (first && zmq_msg_size(&part) >= sizeof event)
			memcpy(&event, zmq_msg_data(&part), sizeof event);
		first = false;
		more = zmq_msg_more(&part);
	}
	zmq_msg_close(&part);
	return event;
}

static int monitor_events(struct mu_zsock *z)
{
	int told = 0;
	unsigned event;

	/* Asking for its events makes its descriptor quiet. */
	if (!is_readable(z->monitor))
		return 0;
	while ((event = next_monitor_event(z->monitor)) != 0) {
		if (event != ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
			told |= z->lost ? 0 : MU_ZSOCK_LOST;
			z->lost = true;
		} else if (!z->up && !z->lost) {
			told |= MU_ZSOCK_UP;
			z->up = true;
		}
	}
	if (told)
		context_looks_up(false); /* so the thread is at work again */
	return told;
}

int mu_zsock_events(struct mu_zsock *z)
{
	int told = z->monitor ? monitor_events(z) : 0;

	return told | (is_readable(z->socket) ? MU_ZSOCK_READABLE : 0);
}

/* The parts of a message come at once or not at all. */
static int recv_part(void *socket, zmq_msg_t *part)
{
	int rc;

	do
		rc = zmq_msg_recv(part, socket, ZMQ_DONTWAIT);
	while (rc < 0 && errno == EINTR);
	if (rc >= 0)
		return 0;
	return errno == EAGAIN ? MU_EAGAIN : MU_EIO;
}

static int recv_peer(void *socket, struct mu_zpeer *from)
{
	zmq_msg_t id;
	size_t len;
	int rc;

	zmq_msg_init(&id);
	rc = recv_part(socket, &id);
	if (rc)
		goto out;
	len = zmq_msg_size(&id);
	from->len = 0;
	if (len <= sizeof from->bytes) {
		from->len = (uint8_t)len;
		memcpy(from->bytes, zmq_msg_data(&id), len);
	}
	if (len != OWN_ID_LEN || from->bytes[0] != 0)
		rc = MU_EPROTO;
out:
	zmq_msg_close(&id);
	return rc;
}

int mu_zsock_recv(struct mu_zsock *z, struct mu_zpeer *from, struct mu_zmsg *m)
{
	int rc = from ? recv_peer(z->socket, from) : 0;
	int got;

	if (rc && rc != MU_EPROTO)
		return rc;
	got = recv_part(z->socket, inner(m));
	while (!got && zmq_msg_more(inner(m))) {
		rc = MU_EPROTO;
		got = recv_part(z->socket, inner(m));
	}
	return got ? got : rc;
}

static int send_part(void *socket, zmq_msg_t *part, int flags)
{
	int rc;

	do
		rc = zmq_msg_send(part, socket, flags | ZMQ_DONTWAIT);
	while (rc < 0 && errno == EINTR);
	if (rc >= 0)
		return 0;
	switch (errno) {
	case EAGAIN:
		return MU_EAGAIN;
	case EHOSTUNREACH:
		return MU_EGONE;
	default:
		return MU_EIO;
	}
}

int mu_zsock_send(struct mu_zsock *z, const struct mu_zpeer *to,
                  struct mu_zmsg *m)
{
	zmq_msg_t id;
	int rc;

	/* Behind an accepted id the body is taken, or dropped with its peer. */
	if (to) {
		if (zmq_msg_init_size(&id, to->len))
			return MU_ENOMEM;
		memcpy(zmq_msg_data(&id), to->bytes, to->len);
		rc = send_part(z->socket, &id, ZMQ_SNDMORE);
		zmq_msg_close(&id);
		if (rc)
			return rc;
	}
	return send_part(z->socket, inner(m), 0);
}

const char *mu_zsock_version(void)
{
	static char text[32];
	int major, minor, patch;

	zmq_version(&major, &minor, &patch);
	pthread_mutex_lock(&context.lock);
	if (!text[0])
		mu_format(text, sizeof text, "%d.%d.%d", major, minor, patch);
	pthread_mutex_unlock(&context.lock);
	return text;
}
