#include "crowd.h"

#include "proto.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256
#define CHUNK 65536u

/* Check writes down each of its assertions that holds: not here, where there are
 * millions. */
#define MUST(is) \
	do { \
		if (!(is)) \
			ck_abort_msg("%s: %s", #is, strerror(errno)); \
	} while (0)

int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void crowd_open(struct crowd *c, uint16_t port, size_t count,
                uint32_t timeout_ms)
{
	*c = (struct crowd){ .count = count,
		             .port = port,
		             .timeout_ms = timeout_ms };
	c->one = calloc(count, sizeof *c->one);
	ck_assert_ptr_nonnull(c->one);
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	ck_assert_int_ge(c->epoll, 0);
	for (size_t i = 0; i < count; i++)
		c->one[i].fd = -1;
}

void crowd_drop(struct crowd *c, size_t i)
{
	struct crowd_one *o = &c->one[i];

	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
	o->up = false;
	mu_buf_fini(&o->in);
	mu_buf_fini(&o->out);
}

void crowd_close(struct crowd *c)
{
	for (size_t i = 0; i < c->count; i++)
		crowd_drop(c, i);
	close(c->epoll);
	free(c->one);
}

/* ---- sending ------------------------------------------------------------------------ */

static void listen_for(struct crowd *c, size_t i, int how)
{
	const struct crowd_one *o = &c->one[i];
	struct epoll_event e = {
		.events = (o->deaf && o->up ? 0u : (unsigned)EPOLLIN) |
		          (o->out.len ? (unsigned)EPOLLOUT : 0u),
		.data.u64 = i,
	};

	MUST(epoll_ctl(c->epoll, how, o->fd, &e) == 0);
}

static void push(struct crowd *c, size_t i)
{
	struct crowd_one *o = &c->one[i];
	ssize_t n;

	if (o->fd < 0 || o->out.len == 0)
		return;
	n = send(o->fd, o->out.data, o->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
		crowd_drop(c, i);
		return;
	}
	if (n > 0)
		mu_buf_drop(&o->out, (size_t)n);
	listen_for(c, i, EPOLL_CTL_MOD);
}

static size_t begin(struct crowd_one *o, int32_t op)
{
	const size_t at = mu_frame_begin(&o->out);

	mu_put_request_header(&o->out, ++o->xid, op);
	o->sent_us = now_us();
	return at;
}

static void end(struct crowd *c, size_t i, size_t at)
{
	mu_frame_end(&c->one[i].out, at);
	push(c, i);
}

void crowd_ping(struct crowd *c, size_t i)
{
	struct crowd_one *o = &c->one[i];
	size_t at;

	if (o->fd < 0)
		return;
	at = mu_frame_begin(&o->out);
	mu_put_request_header(&o->out, MU_XID_PING, MU_OP_PING);
	end(c, i, at);
}

void crowd_create(struct crowd *c, size_t i, const char *path, int32_t mode)
{
	const struct mu_create_request q = { .path = mu_str_of(path),
		                             .data = { "x", 1 },
		                             .acl = mu_acl_open(),
		                             .mode = mode };
	const size_t at = begin(&c->one[i], MU_OP_CREATE);

	mu_put_create(&c->one[i].out, MU_OP_CREATE, &q);
	end(c, i, at);
}

void crowd_set(struct crowd *c, size_t i, const char *path, const void *data,
               size_t len)
{
	const struct mu_set_data_request q = { mu_str_of(path),
		                               { data, (uint32_t)len },
		                               -1 };
	const size_t at = begin(&c->one[i], MU_OP_SET_DATA);

	mu_put_set_data(&c->one[i].out, &q);
	end(c, i, at);
}

void crowd_get(struct crowd *c, size_t i, const char *path)
{
	const struct mu_path_watch_request q = { mu_str_of(path), false };
	const size_t at = begin(&c->one[i], MU_OP_GET_DATA);

	mu_put_path_watch(&c->one[i].out, &q);
	end(c, i, at);
}

void crowd_watch(struct crowd *c, size_t i, const char *path)
{
	const struct mu_add_watch_request q = { mu_str_of(path), 0 };
	const size_t at = begin(&c->one[i], MU_OP_ADD_WATCH);

	mu_put_add_watch(&c->one[i].out, &q);
	end(c, i, at);
}

uint32_t crowd_waits(const struct crowd_one *o)
{
	return o->fd < 0 ? 0 : (uint32_t)(o->xid - o->answered);
}

/* ---- connecting -------------------------------------------------------------------- */

static void greet(struct crowd *c, size_t i)
{
	struct crowd_one *o = &c->one[i];
	const struct mu_connect_request q = {
		.timeout_ms = (int32_t)c->timeout_ms,
		.session = o->session,
		.password = { o->password, 16 },
	};
	const size_t at = mu_frame_begin(&o->out);

	mu_put_connect_request(&o->out, &q);
	mu_frame_end(&o->out, at);
}

void crowd_dial(struct crowd *c, size_t i, int deaf_bytes)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(c->port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct crowd_one *o = &c->one[i];
	const int one = 1;

	crowd_drop(c, i);
	o->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	MUST(o->fd >= 0);
	setsockopt(o->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (deaf_bytes)
		setsockopt(o->fd, SOL_SOCKET, SO_RCVBUF, &deaf_bytes,
		           sizeof deaf_bytes);
	o->deaf = deaf_bytes > 0;
	o->refused = false;
	o->xid = o->answered = 0;
	greet(c, i);
	listen_for(c, i, EPOLL_CTL_ADD);
	if (connect(o->fd, (struct sockaddr *)&to, sizeof to) &&
	    errno != EINPROGRESS)
		crowd_drop(c, i);
}

size_t crowd_count_up(const struct crowd *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		n += c->one[i].up;
	return n;
}

size_t crowd_up(struct crowd *c, uint32_t limit_ms)
{
	const int64_t until = now_ms() + limit_ms;

	for (size_t i = 0; i < c->count; i++)
		crowd_dial(c, i, 0);
	while (crowd_count_up(c) < c->count && now_ms() < until)
		crowd_turn(c, 20);
	return crowd_count_up(c);
}

/* ---- what comes ------------------------------------------------------------------------ */

static void take_greeting(struct crowd_one *o, struct mu_in *in)
{
	struct mu_connect_response p;

	MUST(mu_get_connect_response(in, &p) == 0);
	o->refused = p.timeout_ms == 0;
	o->up = !o->refused;
	if (o->refused)
		return;
	o->session = p.session;
	memcpy(o->password, p.password.at, sizeof o->password);
}

static void take_record(struct crowd_one *o, const uint8_t *p, size_t len)
{
	struct mu_in in = mu_in_of(p, len);
	struct mu_reply_header h;

	if (!o->up && !o->refused) {
		take_greeting(o, &in);
		return;
	}
	MUST(mu_get_reply_header(&in, &h) == 0);
	if (h.xid == MU_XID_PING) {
		o->pongs++;
	} else if (h.xid == MU_XID_NOTIFICATION) {
		o->events++;
	} else {
		o->answered = h.xid;
		o->err = h.err;
		o->answers++;
		o->took_us = now_us() - o->sent_us;
	}
}

static void take_all(struct crowd_one *o)
{
	size_t at = 0;
	uint32_t len;

	MUST(!mu_buf_failed(&o->in));
	while (o->in.len - at >= sizeof len) {
		memcpy(&len, o->in.data + at, sizeof len);
		len = ntohl(len);
		if (o->in.len - at - sizeof len < len)
			break;
		take_record(o, o->in.data + at + sizeof len, len);
		at += sizeof len + len;
	}
	if (at)
		mu_buf_drop(&o->in, at);
}

static void pull(struct crowd *c, size_t i)
{
	static uint8_t chunk[CHUNK]; /* not in each: there are thousands */
	struct crowd_one *o = &c->one[i];
	const ssize_t n = recv(o->fd, chunk, CHUNK, MSG_DONTWAIT);

	if (n > 0) {
		mu_buf_put(&o->in, chunk, (size_t)n);
		take_all(o);
		if (o->deaf && o->up)
			listen_for(c, i, EPOLL_CTL_MOD);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		crowd_drop(c, i);
	}
}

void crowd_turn(struct crowd *c, int wait_ms)
{
	struct epoll_event e[EVENTS];
	int n = epoll_wait(c->epoll, e, EVENTS, wait_ms);

	for (int k = 0; k < n; k++) {
		const size_t i = (size_t)e[k].data.u64;

		if (c->one[i].fd >= 0 && (e[k].events & EPOLLOUT))
			push(c, i);
		if (c->one[i].fd >= 0 &&
		    (e[k].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
			pull(c, i);
	}
}

bool crowd_settle(struct crowd *c, uint32_t limit_ms)
{
	const int64_t until = now_ms() + limit_ms;
	bool waits = true;

	while (waits && now_ms() < until) {
		waits = false;
		for (size_t i = 0; i < c->count && !waits; i++)
			waits = !c->one[i].deaf && crowd_waits(&c->one[i]) > 0;
		if (waits)
			crowd_turn(c, 20);
	}
	return !waits;
}
