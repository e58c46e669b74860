#include "raw_tcp.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALL_MAX (1u << 20)

/* ---- bytes --------------------------------------------------------------------- */

int raw_dial(int port)
{
	const struct timeval limit = { .tv_sec = RAW_LIMIT_S };
	const int one = 1;
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (struct sockaddr *)&at, sizeof at)) {
		close(fd);
		return -1;
	}
	return fd;
}

void raw_open(struct raw *r, int port)
{
	memset(r, 0, sizeof *r);
	r->fd = raw_dial(port);
	ck_assert_int_ge(r->fd, 0);
}

void raw_close(struct raw *r)
{
	close(r->fd);
	mu_buf_fini(&r->got);
}

bool raw_send(int fd, const void *p, size_t len)
{
	const char *at = p;
	ssize_t n;

	for (; len; at += n, len -= (size_t)n) {
		n = send(fd, at, len, MSG_NOSIGNAL);
		ck_assert_msg(n > 0 || errno != EAGAIN, "nobody reads");
		if (n <= 0)
			return false;
	}
	return true;
}

static int how_it_ended(ssize_t n)
{
	if (n == 0)
		return RAW_CLOSED;
	return errno == EAGAIN ? RAW_NOTHING : RAW_RESET;
}

const char *raw_all(int fd, size_t *len, int *how)
{
	static char text[ALL_MAX];
	size_t at = 0;
	ssize_t n;

	while ((n = recv(fd, text + at, sizeof text - 1 - at, 0)) > 0)
		at += (size_t)n;
	text[at] = '\0';
	if (len)
		*len = at;
	*how = how_it_ended(n);
	return text;
}

/* 0 bytes are as good as the rest being missing: how it ended. */
static int read_whole(int fd, void *p, size_t len)
{
	char *at = p;
	ssize_t n;

	for (; len; at += n, len -= (size_t)n) {
		n = recv(fd, at, len, 0);
		if (n <= 0)
			return how_it_ended(n);
	}
	return RAW_RECORD;
}

int raw_record(struct raw *r)
{
	uint32_t len;
	int rc = read_whole(r->fd, &len, sizeof len);

	if (rc != RAW_RECORD)
		return rc;
	mu_buf_reset(&r->got);
	len = ntohl(len);
	ck_assert_uint_le(len, 1u << 27);
	return read_whole(r->fd, mu_buf_grow(&r->got, len), len);
}

int raw_reply(struct raw *r)
{
	const int rc = raw_record(r);

	if (rc != RAW_RECORD)
		return rc;
	r->body = mu_in_of(r->got.data, r->got.len);
	ck_assert_int_eq(mu_get_reply_header(&r->body, &r->reply), 0);
	return rc;
}

/* ---- sessions -------------------------------------------------------------------- */

int raw_greet(struct raw *r, int32_t timeout_ms)
{
	const struct mu_connect_request q = { .timeout_ms = timeout_ms,
		                              .session = r->session,
		                              .password = { r->password, 16 } };
	struct mu_connect_response p;
	struct mu_buf b = { 0 };
	const size_t at = mu_frame_begin(&b);
	struct mu_in in;
	int rc;

	mu_put_connect_request(&b, &q);
	mu_frame_end(&b, at);
	raw_send(r->fd, b.data, b.len);
	mu_buf_fini(&b);
	rc = raw_record(r);
	if (rc != RAW_RECORD)
		return rc;
	in = mu_in_of(r->got.data, r->got.len);
	ck_assert_int_eq(mu_get_connect_response(&in, &p), 0);
	r->session = p.session;
	r->timeout_ms = p.timeout_ms;
	ck_assert_uint_eq(p.password.len, 16);
	memcpy(r->password, p.password.at, 16);
	return rc;
}

void raw_session(struct raw *r, int port, int32_t timeout_ms)
{
	raw_open(r, port);
	ck_assert_int_eq(raw_greet(r, timeout_ms), RAW_RECORD);
	ck_assert_int_ne(r->session, 0);
}

/* ---- requests ---------------------------------------------------------------------- */

static size_t begin(struct raw *r, struct mu_buf *b, int32_t op)
{
	const size_t at = mu_frame_begin(b);

	mu_put_request_header(b, ++r->xid, op);
	return at;
}

void raw_put_create(struct raw *r, struct mu_buf *b, const char *path,
                    const void *data, size_t len, int32_t mode)
{
	const struct mu_create_request q = { .path = mu_str_of(path),
		                             .data = { data, (uint32_t)len },
		                             .acl = mu_acl_open(),
		                             .mode = mode };
	const size_t at = begin(r, b, MU_OP_CREATE);

	mu_put_create(b, MU_OP_CREATE, &q);
	mu_frame_end(b, at);
}

void raw_put_path(struct raw *r, struct mu_buf *b, int32_t op, const char *path,
                  bool watch)
{
	const struct mu_path_watch_request q = { mu_str_of(path), watch };
	const size_t at = begin(r, b, op);

	mu_put_path_watch(b, &q);
	mu_frame_end(b, at);
}

void raw_put_set(struct raw *r, struct mu_buf *b, const char *path,
                 const void *data, size_t len)
{
	const struct mu_set_data_request q = { mu_str_of(path),
		                               { data, (uint32_t)len },
		                               -1 };
	const size_t at = begin(r, b, MU_OP_SET_DATA);

	mu_put_set_data(b, &q);
	mu_frame_end(b, at);
}

int32_t raw_ask(struct raw *r, struct mu_buf *b)
{
	ck_assert(raw_send(r->fd, b->data, b->len));
	mu_buf_fini(b);
	do
		ck_assert_int_eq(raw_reply(r), RAW_RECORD);
	while (r->reply.xid != r->xid);
	return r->reply.err;
}

int32_t raw_create(struct raw *r, const char *path, const void *data,
                   size_t len, int32_t mode)
{
	struct mu_buf b = { 0 };

	raw_put_create(r, &b, path, data, len, mode);
	return raw_ask(r, &b);
}

int32_t raw_get(struct raw *r, const char *path, bool watch)
{
	struct mu_buf b = { 0 };

	raw_put_path(r, &b, MU_OP_GET_DATA, path, watch);
	return raw_ask(r, &b);
}
