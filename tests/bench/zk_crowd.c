#include "zk_crowd.h"

#include "measure.h"
#include "raw_tcp.h"
#include "zk_pipe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATH "/crowd"
#define IN_BYTES 1024u
#define EVENTS 256
#define MISS_MS 20000
#define LOOK_EVERY_NS 100000

struct one {
	struct raw raw;
	unsigned told; /* of which change its socket has told */
	size_t kept;
	uint8_t in[IN_BYTES];
};

struct zk_crowd {
	int epoll;
	unsigned count, change;
	struct one *one;
	struct raw writer;
};

static void must_send(struct raw *r, struct mu_buf *b)
{
	if (!raw_send(r->fd, b->data, b->len))
		stop("the server closed a connection");
	mu_buf_reset(b);
}

/* What came, once: how many records. */
static unsigned hear(struct one *o)
{
	const ssize_t got = recv(o->raw.fd, o->in + o->kept, IN_BYTES - o->kept,
	                         MSG_DONTWAIT);
	size_t at = 0, len = o->kept + (got > 0 ? (size_t)got : 0);
	unsigned n = 0;

	if (got <= 0)
		stop("the server closed a connection");
	while (len - at >= 4) {
		const uint8_t *p = o->in + at;
		const size_t whole = 4 + ((size_t)p[2] << 8 | p[3]);

		if (whole > len - at)
			break;
		at += whole;
		n++;
	}
	o->kept = len - at;
	memmove(o->in, o->in + at, o->kept);
	return n;
}

/* Until so many records have come to them. A socket tells once of what came: it is
 * then read empty, for no reply here is larger than the room. */
static void wait_records(struct zk_crowd *c, unsigned count)
{
	struct epoll_event e[EVENTS];
	unsigned got = 0;

	while (got < count) {
		const int n = epoll_wait(c->epoll, e, EVENTS, MISS_MS);

		if (n <= 0)
			stop("not all sessions were answered or told");
		for (int i = 0; i < n; i++)
			got += hear(e[i].data.ptr);
	}
}

/* Until something has come to so many of them. Many sessions are many hosts, each
 * woken on its own processors; here a thousand wakes of one thread would be most of
 * what is measured. So it looks, and does not sleep in epoll until all are told. */
static void wait_told(struct zk_crowd *c, unsigned count)
{
	const struct timespec pause = { 0, LOOK_EVERY_NS };
	struct epoll_event e[EVENTS];
	unsigned got = 0;

	c->change++;
	while (got < count) {
		const int n = epoll_wait(c->epoll, e, EVENTS, MISS_MS);

		if (n <= 0)
			stop("not all sessions were told");
		if (n < EVENTS && count > 1)
			nanosleep(&pause, NULL);
		for (int i = 0; i < n; i++) {
			struct one *o = e[i].data.ptr;

			got += o->told != c->change;
			o->told = c->change;
		}
	}
}

/* ---- set up, taken down --------------------------------------------------------- */

static void dial(struct zk_crowd *c, unsigned i, uint16_t port)
{
	static const char password[16];
	const struct mu_connect_request q = { .timeout_ms = ZK_SESSION_MS,
		                              .password = { password, 16 } };
	struct one *o = &c->one[i];
	struct epoll_event e = { EPOLLIN | EPOLLET, { .ptr = o } };
	struct mu_buf b = { 0 };
	size_t at;

	raw_open(&o->raw, port);
	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, o->raw.fd, &e))
		stop("epoll");
	at = mu_frame_begin(&b);
	mu_put_connect_request(&b, &q);
	mu_frame_end(&b, at);
	must_send(&o->raw, &b);
	mu_buf_fini(&b);
}

static void greet_all(struct zk_crowd *c, uint16_t port)
{
	unsigned asked = 0, up = 0;
	struct epoll_event e[EVENTS];

	while (up < c->count) {
		int n;

		while (asked < c->count && asked - up < ZK_CROWD_ASKING)
			dial(c, asked++, port);
		n = epoll_wait(c->epoll, e, EVENTS, MISS_MS);
		if (n <= 0)
			stop("not all sessions were answered");
		for (int i = 0; i < n; i++)
			up += hear(e[i].data.ptr);
	}
}

struct zk_crowd *zk_crowd_open(uint16_t port, unsigned count, int64_t *took_ns)
{
	struct zk_crowd *c = calloc(1, sizeof *c);
	int64_t from;

	if (c)
		c->one = calloc(count, sizeof *c->one);
	if (!c || !c->one)
		stop("out of memory");
	c->count = count;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	raw_session(&c->writer, port, ZK_SESSION_MS);
	raw_create(&c->writer, PATH, "0", 1, MU_MODE_PERSISTENT);
	from = now_ns();
	greet_all(c, port);
	*took_ns = now_ns() - from;
	return c;
}

static void put_close(struct raw *r, struct mu_buf *b)
{
	const size_t at = mu_frame_begin(b);

	mu_put_request_header(b, ++r->xid, MU_OP_CLOSE_SESSION);
	mu_frame_end(b, at);
}

void zk_crowd_close(struct zk_crowd *c)
{
	struct mu_buf b = { 0 };

	for (unsigned i = 0; i < c->count; i++) {
		put_close(&c->one[i].raw, &b);
		must_send(&c->one[i].raw, &b);
	}
	for (unsigned i = 0; i < c->count; i++) {
		if (raw_reply(&c->one[i].raw) != RAW_RECORD)
			stop("a session was not closed");
		raw_close(&c->one[i].raw);
	}
	put_close(&c->writer, &b);
	raw_ask(&c->writer, &b);
	raw_close(&c->writer);
	mu_buf_fini(&b);
	close(c->epoll);
	free(c->one);
	free(c);
}

/* ---- a change -------------------------------------------------------------------- */

void zk_crowd_watch(struct zk_crowd *c, unsigned count)
{
	struct mu_buf b = { 0 };

	for (unsigned i = 0; i < count; i++) {
		raw_put_path(&c->one[i].raw, &b, MU_OP_GET_DATA, PATH, true);
		must_send(&c->one[i].raw, &b);
	}
	mu_buf_fini(&b);
	wait_records(c, count);
}

int64_t zk_crowd_change(struct zk_crowd *c, unsigned count)
{
	struct mu_buf b = { 0 };
	int64_t from, took;

	raw_put_set(&c->writer, &b, PATH, "1", 1);
	from = now_ns();
	must_send(&c->writer, &b);
	wait_told(c, count);
	took = now_ns() - from;
	mu_buf_fini(&b);
	for (unsigned i = 0; i < count; i++)
		if (hear(&c->one[i]) != 1)
			stop("what came is not one notification");
	do
		if (raw_reply(&c->writer) != RAW_RECORD)
			stop("the change was not answered");
	while (c->writer.reply.xid != c->writer.xid);
	if (c->writer.reply.err)
		stop("the change was refused");
	return took;
}
