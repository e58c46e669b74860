#include "relay.h"

#include "child.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX 256

/* Entry 0 is the listener; 1 and 2 are a pair, 3 and 4, and so on. */
static struct pollfd fds[1 + 2 * PAIRS_MAX];

static struct relay_count *counted; /* or NULL */
static volatile sig_atomic_t wants_cut;

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
		if (counted)
			counted->taken++;
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

static void want_cut(int signum)
{
	(void)signum;
	wants_cut = 1;
}

/* Of what the server has sent, a part goes over still. */
static void cut_pair(size_t i)
{
	char bytes[512];
	ssize_t n = recv(fds[i + 1].fd, bytes,
	                 1 + (size_t)rand() % sizeof bytes, MSG_DONTWAIT);

	if (n > 0)
		(void)!send(fds[i].fd, bytes, (size_t)n,
		            MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fds[i].fd);
	close(fds[i + 1].fd);
	fds[i].fd = fds[i + 1].fd = -1;
	if (counted)
		counted->cut++;
}

static void cut_all(void)
{
	wants_cut = 0;
	for (size_t i = 1; i < 1 + 2 * PAIRS_MAX; i += 2)
		if (fds[i].fd >= 0)
			cut_pair(i);
	if (counted)
		counted->asked++;
}

static void serve(int listener, uint16_t to, const sigset_t *open)
{
	fds[0] = (struct pollfd){ listener, POLLIN, 0 };
	for (size_t i = 1; i < 1 + 2 * PAIRS_MAX; i++)
		fds[i].fd = -1;
	for (;;) {
		/* A signal to cut comes here, or not at all. */
		int ready = ppoll(fds, 1 + 2 * PAIRS_MAX, NULL, open);

		if (wants_cut)
			cut_all();
		if (ready <= 0)
			continue;
		for (size_t i = 1; i < 1 + 2 * PAIRS_MAX; i++)
			if (fds[i].fd >= 0 && fds[i].revents)
				pass(i);
		if (fds[0].revents)
			take(to);
	}
}

struct relay_count *relay_count_new(void)
{
	void *p = mmap(NULL, sizeof(struct relay_count), PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert(p != MAP_FAILED);
	return p;
}

void relay_count_free(struct relay_count *count)
{
	munmap(count, sizeof *count);
}

void relay_cut(const struct program *p)
{
	program_signal(p, SIGHUP);
}

void relay_start(struct program *p, uint16_t *port, uint16_t to)
{
	relay_start_counting(p, port, to, NULL);
}

void relay_start_counting(struct program *p, uint16_t *port, uint16_t to,
                          struct relay_count *count)
{
	const struct sigaction cut = { .sa_handler = want_cut };
	pid_t parent = getpid();
	sigset_t held, open;
	struct sockaddr_in a;
	socklen_t len = sizeof a;
	int fd = loopback(*port, &a);

	ck_assert_msg(bind(fd, (struct sockaddr *)&a, sizeof a) == 0,
	              "port %u was taken by another", (unsigned)*port);
	ck_assert_int_eq(listen(fd, 64), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	*port = ntohs(a.sin_port);
	/* It may be sent before the child is ready for it. */
	sigemptyset(&held);
	sigaddset(&held, SIGHUP);
	sigprocmask(SIG_BLOCK, &held, &open);
	*p = (struct program){ .pid = child_fork() };
	if (p->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		signal(SIGTERM, end);
		sigaction(SIGHUP, &cut, NULL);
		sigdelset(&open, SIGHUP);
		counted = count;
		serve(fd, to, &open);
	}
	sigprocmask(SIG_SETMASK, &open, NULL);
	close(fd);
}
