#include "forked.h"

#include "clock.h"
#include "err.h"
#include "loop.h"
#include "mem.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_NICE 10
#define KEPT_FD 3
#define UNKNOWN 255 /* it could not begin, or somebody else waited for it */

struct mu_forked {
	struct mu_forked_options o;
	pid_t pid;
	int pidfd;
	struct mu_poll *poll; /* NULL: it has ended */
};

/* All else that it inherited is ours: our sockets must end with us, and our
 * locks too. Signals stay blocked. */
_Noreturn static void child(const struct mu_forked_options *o, pid_t parent)
{
	unsigned first = KEPT_FD;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(UNKNOWN);
	if (o->keep_fd >= 0) {
		if (o->keep_fd != KEPT_FD && dup2(o->keep_fd, KEPT_FD) < 0)
			_exit(UNKNOWN);
		first++;
	}
	if (close_range(first, ~0u, 0))
		_exit(UNKNOWN);
	(void)!nice(CHILD_NICE); /* than the broker, whatever that is */
	_exit(o->work(o->arg));
}

static pid_t fork_child(const struct mu_forked_options *o)
{
	const pid_t self = getpid();
	sigset_t all, before;
	pid_t pid;
	int number;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		child(o, self);
	number = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = number;
	return pid;
}

/* By its number, which is its own until it was waited for: a pidfd that is
 * polled does not block. */
static pid_t wait_for(pid_t pid, int *how, int flags)
{
	pid_t rc;

	do
		rc = waitpid(pid, how, flags);
	while (rc < 0 && errno == EINTR);
	return rc;
}

static void on_end(void *arg, int events)
{
	struct mu_forked *f = arg;
	int how = 0, status = UNKNOWN;
	pid_t rc;

	(void)events;
	rc = wait_for(f->pid, &how, WNOHANG);
	if (rc == 0) {
		mu_poll_set(f->poll, MU_POLL_READ);
		return;
	}
	mu_poll_free(f->poll);
	f->poll = NULL;
	if (rc > 0)
		status = WIFSIGNALED(how) ? -WTERMSIG(how) : WEXITSTATUS(how);
	f->o.ended(f->o.arg, status);
}

/* The child runs already: without a way to hear of its end it must not. */
static int watch(struct mu_loop *l, struct mu_forked *f)
{
	f->pidfd = (int)syscall(SYS_pidfd_open, f->pid, 0);
	if (f->pidfd >= 0 &&
	    mu_poll_new(l, f->pidfd, on_end, f, &f->poll) == 0) {
		mu_poll_set(f->poll, MU_POLL_READ);
		return 0;
	}
	kill(f->pid, SIGKILL);
	wait_for(f->pid, NULL, 0);
	if (f->pidfd >= 0)
		close(f->pidfd);
	return MU_EIO;
}

int mu_forked_start(struct mu_loop *l, const struct mu_forked_options *o,
                    struct mu_forked **out, uint64_t *held_us,
                    struct mu_err *err)
{
	struct mu_forked *f = mu_alloc(sizeof *f);
	const uint64_t before_us = mu_clock_mono_us();
	int rc;

	if (!f)
		return mu_err(err, MU_ENOMEM, "no memory for a child");
	f->o = *o;
	f->pid = fork_child(o);
	if (f->pid < 0) {
		rc = mu_err(err, MU_EIO, "cannot fork: %s", strerror(errno));
		mu_free(f);
		return rc;
	}
	*held_us = mu_clock_mono_us() - before_us;
	if (watch(l, f)) {
		mu_free(f);
		return mu_err(err, MU_EIO, "a child cannot be watched (pidfd)");
	}
	*out = f;
	return 0;
}

void mu_forked_kill(struct mu_forked *f)
{
	if (f->poll)
		syscall(SYS_pidfd_send_signal, f->pidfd, SIGKILL, NULL, 0);
}

void mu_forked_free(struct mu_forked *f)
{
	if (!f)
		return;
	if (f->poll) {
		mu_forked_kill(f);
		wait_for(f->pid, NULL, 0);
		mu_poll_free(f->poll);
	}
	close(f->pidfd);
	mu_free(f);
}
