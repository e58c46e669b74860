#include "kit_runner.h"

#include "cli.h"

#include "clock.h"
#include "err.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES 65536u
#define EXEC_FAILED 127
#define SEND_S 30 /* a runner that does not read */

/* ---- where it is ---- */

int kit_runner_place(struct cli *cli, char out[KIT_PLACE_MAX])
{
	const char *given = cli_given(cli, "runner");
	char self[KIT_PLACE_MAX / 2], text[MU_ERR_MSG_MAX], *slash;
	ssize_t n;

	if (!given)
		given = getenv("MUSTER_RUNNER");
	if (given && given[0]) {
		mu_format(out, KIT_PLACE_MAX, "%s", given);
	} else {
		n = readlink("/proc/self/exe", self, sizeof self - 1);
		self[n > 0 ? n : 0] = '\0';
		slash = strrchr(self, '/');
		if (slash)
			*slash = '\0';
		mu_format(out, KIT_PLACE_MAX, "%s/muster-runner", self);
		if (access(out, X_OK))
			mu_format(out, KIT_PLACE_MAX,
			          "%s/../libexec/muster-runner", self);
	}
	if (access(out, X_OK) == 0)
		return CLI_OK;
	mu_format(text, sizeof text,
	          "cannot run %.300s: %s; name muster-runner with --runner or "
	          "MUSTER_RUNNER",
	          out, strerror(errno));
	return cli_fail(cli, MU_EIO, text);
}

/* ---- start ---- */

/* In the child: nothing but system calls. */
static void become(int channel, const char *const *argv)
{
	sigset_t none;

	/* Not at MU_CHAN_FD already, else dup2 would leave close-on-exec on. */
	if (channel == MU_CHAN_FD)
		channel = fcntl(channel, F_DUPFD_CLOEXEC, MU_CHAN_FD + 1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	close_range(MU_CHAN_FD, ~0u, CLOSE_RANGE_CLOEXEC);
	if (dup2(channel, MU_CHAN_FD) == MU_CHAN_FD)
		execv(argv[0], (char **)(uintptr_t)argv);
	_exit(EXEC_FAILED);
}

int kit_runner_start(struct kit_runner *r, const char *const *argv,
                     struct mu_err *err)
{
	const struct timeval most = { SEND_S, 0 };
	int fds[2];
	pid_t pid;

	*r = (struct kit_runner){ .fd = -1, .pidfd = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return mu_err(err, MU_EIO, "cannot make a channel: %s",
		              strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become(fds[1], argv);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return mu_err(err, MU_EIO, "cannot start %s: %s", argv[0],
		              strerror(errno));
	}
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
	r->pid = pid;
	r->fd = fds[0];
	r->pidfd = pidfd_open(pid, 0);
	if (r->pidfd >= 0)
		return 0;
	mu_err(err, MU_EIO, "cannot look after the runner: %s",
	       strerror(errno));
	kit_runner_fini(r);
	return MU_EIO;
}

/* ---- the channel ---- */

int kit_runner_send(struct kit_runner *r)
{
	size_t done = 0;

	if (mu_buf_failed(&r->out)) {
		mu_buf_reset(&r->out);
		return MU_ENOMEM;
	}
	while (done < r->out.len) {
		ssize_t n = send(r->fd, r->out.data + done, r->out.len - done,
		                 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			mu_buf_reset(&r->out);
			return errno == EAGAIN ? MU_ETIMEDOUT : MU_EGONE;
		}
		done += (size_t)n;
	}
	mu_buf_reset(&r->out);
	return 0;
}

static int left_ms(uint64_t deadline_ms)
{
	uint64_t now = mu_clock_mono_ms();

	return deadline_ms > now ? (int)(deadline_ms - now) : 0;
}

/* Something to read, or nothing more will come. A child that the plugin forked
 * may hold the channel open, so its end alone does not tell. */
static int await(const struct kit_runner *r, uint64_t deadline_ms)
{
	struct pollfd p[2] = { { r->fd, POLLIN, 0 }, { r->pidfd, POLLIN, 0 } };
	int n;

	do
		n = poll(p, 2, left_ms(deadline_ms));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return MU_ETIMEDOUT;
	return p[0].revents ? 0 : MU_EGONE;
}

static int receive(struct kit_runner *r)
{
	ssize_t n;

	if (mu_buf_reserve(&r->in, READ_BYTES))
		return MU_ENOMEM;
	do
		n = read(r->fd, r->in.data + r->in.len, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return MU_EGONE;
	r->in.len += (size_t)n;
	return 0;
}

int kit_runner_read(struct kit_runner *r, uint64_t deadline_ms,
                    struct mu_str *rec)
{
	int rc;

	mu_buf_drop(&r->in, r->taken);
	r->taken = 0;
	for (;;) {
		rc = mu_chan_next(&r->in, rec);
		if (rc < 0)
			return MU_EPROTO;
		if (rc == 1) {
			r->taken = (size_t)rec->len + 4;
			return 0;
		}
		rc = await(r, deadline_ms);
		if (rc == 0)
			rc = receive(r);
		if (rc)
			return rc;
	}
}

/* ---- its end ---- */

bool kit_runner_wait(struct kit_runner *r, uint64_t deadline_ms)
{
	struct pollfd p = { r->pidfd, POLLIN, 0 };
	int n;

	if (r->pid == 0)
		return true;
	do
		n = poll(&p, 1, left_ms(deadline_ms));
	while (n < 0 && errno == EINTR);
	/* Its group goes with it, while the number is ours still; itself, should
	 * it lead no group yet. */
	kill(-r->pid, SIGKILL);
	kill(r->pid, SIGKILL);
	while (waitpid(r->pid, &r->status, 0) < 0 && errno == EINTR)
		;
	r->pid = 0;
	return n > 0;
}

void kit_runner_fini(struct kit_runner *r)
{
	(void)kit_runner_wait(r, 0);
	if (r->fd >= 0)
		close(r->fd);
	if (r->pidfd >= 0)
		close(r->pidfd);
	r->fd = r->pidfd = -1;
	mu_buf_fini(&r->in);
	mu_buf_fini(&r->out);
}

int64_t kit_runner_memory(const struct kit_runner *r)
{
	char name[64], line[256];
	long long kib = -1;
	FILE *f;

	snprintf(name, sizeof name, "/proc/%d/smaps_rollup", (int)r->pid);
	f = r->pid ? fopen(name, "re") : NULL;
	if (!f)
		return -1;
	while (kib < 0 && fgets(line, sizeof line, f))
		if (sscanf(line, "Anonymous: %lld", &kib) != 1)
			kib = -1;
	fclose(f);
	return kib < 0 ? -1 : kib * 1024;
}

long kit_runner_files(const struct kit_runner *r)
{
	char name[64];
	long n = 0;
	DIR *d;

	snprintf(name, sizeof name, "/proc/%d/fd", (int)r->pid);
	d = opendir(name);
	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}
