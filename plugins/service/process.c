#include "process.h"

#include "fail.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILL_MS 1000u /* from SIGKILL to the end, at most */

/* Field 22 of /proc/PID/stat, and the state (3), behind the name, which may hold
 * anything. 0: there is no such process, or it is a zombie. */
static uint64_t read_start(pid_t pid)
{
	char path[64], text[1024], state = 'Z', *end;
	unsigned long long started = 0;
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	end = strrchr(text, ')');
	if (!end ||
	    sscanf(end + 1,
	           " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d "
	           "%*d %*d %*d %*d %*d %llu",
	           &state, &started) != 2 ||
	    state == 'Z' || state == 'X')
		return 0;
	return started;
}

int process_open(pid_t pid, struct process *p, struct mu_err *err)
{
	uint64_t before = pid > 0 ? read_start(pid) : 0;
	int fd;

	if (!before)
		return fail(err, MU_ENONODE, "no process %d", (int)pid);
	fd = pidfd_open(pid, 0);
	if (fd < 0)
		return fail(err, errno == ESRCH ? MU_ENONODE : MU_EIO,
		            "process %d cannot be watched: %s", (int)pid,
		            strerror(errno));
	/* The number may have changed hands between the two. */
	if (read_start(pid) != before) {
		close(fd);
		return fail(err, MU_ENONODE, "process %d has just ended",
		            (int)pid);
	}
	*p = (struct process){ fd, pid, before };
	return 0;
}

void process_close(struct process *p)
{
	if (p->fd >= 0)
		close(p->fd);
	*p = (struct process){ .fd = -1 };
}

bool process_is_held(const struct process *p)
{
	return p->fd >= 0;
}

bool process_reap(pid_t pid, char *how, size_t room)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) != pid)
		return false;
	if (WIFSIGNALED(status))
		snprintf(how, room, "process %d was ended by signal %d (%s)",
		         (int)pid, WTERMSIG(status),
		         strsignal(WTERMSIG(status)));
	else
		snprintf(how, room, "process %d exited with status %d",
		         (int)pid, WEXITSTATUS(status));
	return true;
}

bool process_has_ended(const struct process *p, char *how, size_t room)
{
	struct pollfd f = { p->fd, POLLIN, 0 };

	if (poll(&f, 1, 0) <= 0)
		return false;
	if (!process_reap(p->pid, how, room))
		snprintf(how, room, "process %d has ended", (int)p->pid);
	return true;
}

static void send_signal(const struct process *p, int signum)
{
	if (kill(-p->pid, signum) < 0) /* it leads none */
		(void)pidfd_send_signal(p->fd, signum, NULL, 0);
}

static int64_t mono_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* True once it has ended. */
static bool wait_for(const struct process *p, uint32_t ms)
{
	struct pollfd f = { p->fd, POLLIN, 0 };
	int64_t until = mono_ms() + ms, left = ms;

	while (left > 0 && poll(&f, 1, left < 60000 ? (int)left : 60000) <= 0)
		left = until - mono_ms();
	return left > 0;
}

bool process_end(const struct process *p, uint32_t grace_ms)
{
	send_signal(p, SIGTERM);
	if (wait_for(p, grace_ms))
		return true;
	send_signal(p, SIGKILL);
	(void)wait_for(p, KILL_MS);
	return false;
}
