#include "zk_pipe.h"

#include "measure.h"
#include "raw_tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_BYTES 65536u
#define OUT_BYTES 65536u
#define EVENTS 64
#define NAME_DIGITS 10u
#define DATA_BYTES 100
#define CHILDREN 10
#define MISS_MS 20000 /* no reply for so long: the server is dead */
#define EXISTS_ALREADY (-110)
#define SCATTER 7919u /* from one name to the next */

struct session {
	struct raw raw;      /* its xid is the last one asked for */
	int32_t answered;    /* the last xid answered */
	struct mu_buf frame; /* the request, but for what is patched */
	unsigned names;      /* in the request, to be patched */
	size_t digits;       /* where those of the first are */
	size_t stride;       /* and how far on the next */
	uint32_t *name;      /* what they are to say */
	uint32_t left;       /* still to be asked */
	uint32_t made, taken, set;
	bool scatters;  /* sets go to the nodes made */
	uint32_t among; /* not 0: names go round so many, in steps */
	size_t kept;    /* bytes of a reply that is not whole yet */
	uint8_t in[IN_BYTES];
};

struct zk_pipe {
	int epoll;
	unsigned count, outstanding;
	struct session *session;
	uint8_t out[OUT_BYTES];
};

/* ---- bytes -------------------------------------------------------------------- */

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void put_digits(uint8_t *p, uint32_t v)
{
	for (unsigned i = NAME_DIGITS; i--; v /= 10)
		p[i] = (uint8_t)('0' + v % 10);
}

/* ---- the nodes ------------------------------------------------------------------ */

static const char *data(void)
{
	static char text[DATA_BYTES];

	memset(text, 'x', sizeof text);
	return text;
}

static void make(struct session *s, const char *path)
{
	const int32_t rc = raw_create(&s->raw, path, data(), DATA_BYTES,
	                              MU_MODE_PERSISTENT);

	if (rc && rc != EXISTS_ALREADY)
		stop("cannot make the nodes");
}

static void make_nodes(struct session *s, unsigned id)
{
	char path[64];

	make(s, "/zkbench");
	snprintf(path, sizeof path, "/zkbench/s%u", id);
	make(s, path);
	snprintf(path, sizeof path, "/zkbench/s%u/made", id);
	make(s, path);
	snprintf(path, sizeof path, "/zkbench/s%u/ten", id);
	make(s, path);
	for (unsigned i = 0; i < CHILDREN; i++) {
		snprintf(path, sizeof path, "/zkbench/s%u/ten/child%u", id, i);
		make(s, path);
	}
}

/* ---- opened, closed --------------------------------------------------------------- */

struct zk_pipe *zk_pipe_open(uint16_t port, unsigned sessions,
                             unsigned outstanding)
{
	struct zk_pipe *p = calloc(1, sizeof *p);

	if (p)
		p->session = calloc(sessions, sizeof *p->session);
	if (!p || !p->session)
		stop("out of memory");
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->count = sessions;
	p->outstanding = outstanding;
	for (unsigned i = 0; i < sessions; i++) {
		struct session *s = &p->session[i];
		struct epoll_event e = { EPOLLIN, { .ptr = s } };

		raw_session(&s->raw, port, ZK_SESSION_MS);
		make_nodes(s, i);
		s->answered = s->raw.xid;
		if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, s->raw.fd, &e))
			stop("epoll");
	}
	return p;
}

void zk_pipe_close(struct zk_pipe *p)
{
	struct mu_buf b = { 0 };

	for (unsigned i = 0; i < p->count; i++) {
		struct session *s = &p->session[i];
		const size_t at = mu_frame_begin(&b);

		mu_put_request_header(&b, ++s->raw.xid, MU_OP_CLOSE_SESSION);
		mu_frame_end(&b, at);
		raw_ask(&s->raw, &b);
		raw_close(&s->raw);
		mu_buf_fini(&s->frame);
	}
	close(p->epoll);
	free(p->session);
	free(p);
}

void zk_pipe_scatter(struct zk_pipe *p)
{
	for (unsigned i = 0; i < p->count; i++)
		p->session[i].scatters = p->session[i].made > 0;
}

/* ---- asking and hearing ------------------------------------------------------------- */

static void put_delete(struct session *s, const char *path)
{
	const struct mu_delete_request q = { mu_str_of(path), -1 };
	const size_t at = mu_frame_begin(&s->frame);

	mu_put_request_header(&s->frame, ++s->raw.xid, MU_OP_DELETE);
	mu_put_delete(&s->frame, &q);
	mu_frame_end(&s->frame, at);
}

/* ZK_MULTI_CREATES of them; s->stride is set. */
static void put_multi(struct session *s, const char *path)
{
	const struct mu_create_request q = { .path = mu_str_of(path),
		                             .data = { data(), DATA_BYTES },
		                             .acl = mu_acl_open() };
	const size_t at = mu_frame_begin(&s->frame);
	size_t from = 0;

	mu_put_request_header(&s->frame, ++s->raw.xid, MU_OP_MULTI);
	for (int i = 0; i < ZK_MULTI_CREATES; i++) {
		from = s->frame.len;
		mu_put_multi_header(&s->frame, MU_OP_CREATE, false, -1);
		mu_put_create(&s->frame, MU_OP_CREATE, &q);
	}
	s->stride = s->frame.len - from;
	mu_put_multi_header(&s->frame, -1, true, -1);
	mu_frame_end(&s->frame, at);
}

/* Whose digits the request's names are. */
static uint32_t *names_of(struct session *s, enum mu_op op)
{
	if (op == MU_OP_DELETE)
		return &s->taken;
	return op == MU_OP_SET_DATA ? &s->set : &s->made;
}

/* A request that names nodes of those which `create` makes. */
static void prepare_names(struct session *s, enum mu_op op, const char *path)
{
	s->names = op == MU_OP_MULTI ? ZK_MULTI_CREATES : 1;
	s->name = names_of(s, op);
	s->among = op == MU_OP_SET_DATA ? s->made : 0;
	s->digits = 16 + strlen(path) - NAME_DIGITS;
	if (op == MU_OP_CREATE)
		raw_put_create(&s->raw, &s->frame, path, data(), DATA_BYTES,
		               MU_MODE_PERSISTENT);
	else if (op == MU_OP_DELETE)
		put_delete(s, path);
	else if (op == MU_OP_SET_DATA)
		raw_put_set(&s->raw, &s->frame, path, data(), DATA_BYTES);
	else
		put_multi(s, path);
	if (op == MU_OP_MULTI)
		s->digits += 9; /* the first one's header */
	if (op == MU_OP_DELETE)
		s->left = s->made - s->taken;
}

/* The request of this load, and how many of it there are to be. */
static void prepare(struct session *s, unsigned id, enum mu_op op)
{
	const char *below = op == MU_OP_GET_CHILDREN ? "/ten" : "";
	const bool names = op == MU_OP_CREATE || op == MU_OP_DELETE ||
	                   op == MU_OP_MULTI ||
	                   (op == MU_OP_SET_DATA && s->scatters);
	char path[64];

	s->left = UINT32_MAX;
	s->names = 0;
	mu_buf_reset(&s->frame);
	if (names)
		below = "/made/0000000000";
	snprintf(path, sizeof path, "/zkbench/s%u%s", id, below);
	if (names)
		prepare_names(s, op, path);
	else if (op == MU_OP_SET_DATA)
		raw_put_set(&s->raw, &s->frame, path, data(), DATA_BYTES);
	else
		raw_put_path(&s->raw, &s->frame, (int32_t)op, path, false);
	s->raw.xid--; /* it is a pattern: not asked yet */
}

static uint32_t next_name(struct session *s)
{
	const uint32_t n = (*s->name)++;

	return s->among ? (uint32_t)((uint64_t)n * SCATTER % s->among) : n;
}

/* Up to n more, in one write; how many. */
static unsigned ask(struct zk_pipe *p, struct session *s, unsigned n)
{
	size_t len = 0;

	if (n > s->left)
		n = s->left;
	for (unsigned i = 0; i < n; i++, len += s->frame.len) {
		uint8_t *at = p->out + len;

		memcpy(at, s->frame.data, s->frame.len);
		put_be32(at + 4, (uint32_t)++s->raw.xid);
		for (unsigned k = 0; k < s->names; k++)
			put_digits(at + s->digits + k * s->stride,
			           next_name(s));
	}
	s->left -= n;
	if (n && !raw_send(s->raw.fd, p->out, len))
		stop("the server closed a connection");
	return n;
}

/* What came, once: how many replies. */
static unsigned hear(struct session *s, int flags)
{
	ssize_t got =
		recv(s->raw.fd, s->in + s->kept, IN_BYTES - s->kept, flags);
	size_t len = s->kept + (got > 0 ? (size_t)got : 0), at = 0;
	unsigned n = 0;

	if (got <= 0)
		stop("the server closed a connection, or says nothing");
	while (len - at >= 4 && len - at - 4 >= be32(s->in + at)) {
		const uint8_t *reply = s->in + at + 4;

		if (be32(reply) != (uint32_t)++s->answered || be32(reply + 12))
			stop("a reply is an error, or out of order");
		at += 4 + be32(s->in + at);
		n++;
	}
	s->kept = len - at;
	memmove(s->in, s->in + at, s->kept);
	return n;
}

/* ---- loads ------------------------------------------------------------------------------ */

/* Everybody's first requests: how many. */
static unsigned begin(struct zk_pipe *p, enum mu_op op, uint32_t count)
{
	unsigned live = 0;

	for (unsigned i = 0; i < p->count; i++) {
		struct session *s = &p->session[i];

		prepare(s, i, op);
		if (p->outstanding * s->frame.len > OUT_BYTES)
			stop("too many outstanding");
		if (count)
			s->left = count / p->count;
		live += ask(p, s, p->outstanding);
	}
	return live;
}

double zk_pipe_run(struct zk_pipe *p, enum mu_op op, unsigned ms,
                   uint32_t count)
{
	const int64_t from = now_ns();
	const int64_t until = ms ? from + (int64_t)ms * 1000000 : INT64_MAX;
	unsigned live = begin(p, op, count);
	struct epoll_event e[EVENTS];
	int64_t now = from;
	uint64_t done = 0;

	while (live) {
		const int n = epoll_wait(p->epoll, e, EVENTS, MISS_MS);

		if (n <= 0)
			stop("the server does not answer");
		now = now_ns();
		for (int i = 0; i < n; i++) {
			struct session *s = e[i].data.ptr;
			const unsigned k = hear(s, MSG_DONTWAIT);

			done += k;
			live -= k;
			if (now < until)
				live += ask(p, s, k);
		}
	}
	return (double)done * 1e9 / (double)(now_ns() - from);
}

size_t zk_pipe_one(struct zk_pipe *p, enum mu_op op, unsigned ms,
                   int64_t took[], size_t max)
{
	const int64_t until = now_ns() + (int64_t)ms * 1000000;
	struct session *s = &p->session[0];
	size_t n = 0;
	int64_t from;

	prepare(s, 0, op);
	for (from = now_ns(); from < until && n < max; from = now_ns()) {
		if (!ask(p, s, 1))
			break;
		while (!hear(s, 0))
			continue;
		took[n++] = now_ns() - from;
	}
	return n;
}
