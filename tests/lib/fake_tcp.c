#include "fake_tcp.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int bind_to(int fd, bool v6, uint16_t port)
{
	struct sockaddr_in six_or_four = { .sin_family = AF_INET,
		                           .sin_port = htons(port) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		                    .sin6_port = htons(port),
		                    .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	six_or_four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (v6)
		return bind(fd, (struct sockaddr *)&six, sizeof six);
	return bind(fd, (struct sockaddr *)&six_or_four, sizeof six_or_four);
}

bool fake_tcp_open(struct fake_tcp *t, bool v6, uint16_t port)
{
	struct sockaddr_in6 own; /* the port stands at one place in both */
	socklen_t len = sizeof own;
	int one = 1;

	*t = (struct fake_tcp){ .conn = -1 };
	t->listener = socket(v6 ? AF_INET6 : AF_INET,
	                     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->listener < 0)
		return false;
	setsockopt(t->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind_to(t->listener, v6, port)) {
		close(t->listener);
		return false;
	}
	ck_assert_int_eq(listen(t->listener, 64), 0);
	getsockname(t->listener, (struct sockaddr *)&own, &len);
	t->port = ntohs(own.sin6_port);
	return true;
}

void fake_tcp_close(struct fake_tcp *t)
{
	fake_tcp_hang_up(t);
	close(t->listener);
	mu_buf_fini(&t->in);
}

void fake_tcp_hang_up(struct fake_tcp *t)
{
	if (t->conn >= 0)
		close(t->conn);
	t->conn = -1;
}

void fake_tcp_wait(const struct fake_tcp *t, int wait_ms)
{
	struct pollfd p[2] = { { t->listener, POLLIN, 0 },
		               { t->conn, POLLIN, 0 } };

	(void)poll(p, 2, wait_ms);
}

bool fake_tcp_accept(struct fake_tcp *t)
{
	int fd = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC), one = 1;

	if (fd < 0)
		return false;
	fake_tcp_hang_up(t);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	t->conn = fd;
	t->fresh = true;
	t->accepts++;
	mu_buf_reset(&t->in);
	t->used = 0;
	return true;
}

static void read_some(struct fake_tcp *t)
{
	ssize_t n;

	ck_assert_int_eq(mu_buf_reserve(&t->in, 65536), 0);
	n = recv(t->conn, t->in.data + t->in.len, 65536, MSG_DONTWAIT);
	if (n > 0) {
		t->in.len += (size_t)n;
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	t->ends++;
	fake_tcp_hang_up(t);
}

static size_t whole_of(const struct mu_buf *b)
{
	size_t at = 0;

	while (b->len - at >= 4) {
		uint32_t len;

		memcpy(&len, b->data + at, 4);
		len = ntohl(len);
		if (b->len - at - 4 < len)
			break;
		at += 4 + len;
	}
	return at;
}

bool fake_tcp_recv(struct fake_tcp *t, const uint8_t **frames, size_t *len)
{
	mu_buf_drop(&t->in, t->used);
	t->used = 0;
	if (t->conn >= 0)
		read_some(t);
	t->used = whole_of(&t->in);
	*frames = t->in.data;
	*len = t->used;
	return t->used > 0;
}

void fake_tcp_send(struct fake_tcp *t, const void *bytes, size_t len,
                   size_t piece)
{
	const char *at = bytes;

	while (len && t->conn >= 0) {
		size_t want = piece && piece < len ? piece : len;
		ssize_t n = send(t->conn, at, want, MSG_NOSIGNAL);

		if (n < 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}
