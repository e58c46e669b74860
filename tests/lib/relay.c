#include "relay.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX 256

/* Entry 0 is the listener; 1 and 2 are a pair, 3 and 4, and so on. */
static struct pollfd fds[1 + 2 * PAIRS_MAX];

static int loopback(uint16_t port, struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	*a = (struct sockaddr_in){ .sin_family = AF_INET,
		                   .sin_port = htons(port) };
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static void take(uint16_t to)
{
	struct sockaddr_in a;
	int in = accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC), one = 1, out;

	if (in < 0)
		return;
	setsockopt(in, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	out = loopback(to, &a);
	for (size_t i = 1; i < 1 + 2 * PAIRS_MAX; i += 2) {
		if (fds[i].fd >= 0)
			continue;
		if (connect(out, (struct sockaddr *)&a, sizeof a))
			break;
		fds[i] = (struct pollfd){ in, POLLIN, 0 };
		fds[i + 1] = (struct pollfd){ out, POLLIN, 0 };
		return;
	}
	close(in);
	close(out);
}

static void pass(size_t from)
{
	static char bytes[65536];
	size_t to = from % 2 ? from + 1 : from - 1;
	ssize_t n = recv(fds[from].fd, bytes, sizeof bytes, 0);
	ssize_t sent = 0, put = 0;

	while (sent < n && put >= 0) {
		put = send(fds[to].fd, bytes + sent, (size_t)(n - sent),
		           MSG_NOSIGNAL);
		sent += put;
	}
	if (n > 0 && put >= 0)
		return;
	close(fds[from].fd);
	close(fds[to].fd);
	fds[from].fd = fds[to].fd = -1;
}

static void end(int signum)
{
	(void)signum;
	_exit(0);
}

static void serve(int listener, uint16_t to)
{
	signal(SIGTERM, end);
	fds[0] = (struct pollfd){ listener, POLLIN, 0 };
	for (size_t i = 1; i < 1 + 2 * PAIRS_MAX; i++)
		fds[i].fd = -1;
	for (;;) {
		poll(fds, 1 + 2 * PAIRS_MAX, -1);
		for (size_t i = 1; i < 1 + 2 * PAIRS_MAX; i++)
			if (fds[i].fd >= 0 && fds[i].revents)
				pass(i);
		if (fds[0].revents)
			take(to);
	}
}

void relay_start(struct program *p, uint16_t *port, uint16_t to)
{
	pid_t parent = getpid();
	struct sockaddr_in a;
	socklen_t len = sizeof a;
	int fd = loopback(*port, &a);

	ck_assert_msg(bind(fd, (struct sockaddr *)&a, sizeof a) == 0,
	              "port %u was taken by another", (unsigned)*port);
	ck_assert_int_eq(listen(fd, 64), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	*port = ntohs(a.sin_port);
	*p = (struct program){ .pid = fork() };
	ck_assert_int_ge(p->pid, 0);
	if (p->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		serve(fd, to);
	}
	close(fd);
}
