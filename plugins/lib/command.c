#include "command.h"

#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Conventional for programs that were not written for more. */
#define FILES_USUAL 1024

extern char **environ;

/* What is open while a command runs; -1: not. */
struct files {
	int input;
	int output[2]; /* pipe: read end, write end */
	int start[2];  /* pipe: errno of a failed start; closed by exec */
	int go[2];     /* pipe: a byte, for one that lives on: it may begin */
	int pidfd;
};

static const struct files no_files = {
	-1, { -1, -1 }, { -1, -1 }, { -1, -1 }, -1
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_files(struct files *f)
{
	close_fd(&f->input);
	close_fd(&f->output[0]);
	close_fd(&f->output[1]);
	close_fd(&f->start[0]);
	close_fd(&f->start[1]);
	close_fd(&f->go[0]);
	close_fd(&f->go[1]);
	close_fd(&f->pidfd);
}

/* The input as a file in memory: unlike a pipe it needs nobody to feed it, and
 * a command that does not read it is no trouble. */
static int open_input(const void *p, int32_t len)
{
	const char *at = p;
	size_t left = len > 0 ? (size_t)len : 0;
	int fd;

	if (len < 0)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("input", MFD_CLOEXEC);
	while (fd >= 0 && left > 0) {
		ssize_t n = write(fd, at, left);

		if (n < 0 && errno != EINTR)
			close_fd(&fd);
		if (n > 0) {
			at += n;
			left -= (size_t)n;
		}
	}
	if (fd >= 0)
		(void)lseek(fd, 0, SEEK_SET);
	return fd;
}

static int open_files(struct files *f, const struct mu_command *c,
                      struct mu_err *err)
{
	*f = no_files;
	f->input = open_input(c->input, c->input_len);
	if (f->input < 0 || pipe2(f->output, O_CLOEXEC) < 0 ||
	    pipe2(f->start, O_CLOEXEC) < 0)
		return fail(err, MU_EIO, "cannot prepare to run %s: %s",
		            c->argv[0], strerror(errno));
	(void)fcntl(f->output[0], F_SETFL, O_NONBLOCK);
	return 0;
}

/* ---- in the child ---- */

static bool is_named_in(const char *const *env, const char *entry)
{
	size_t name = strcspn(entry, "=") + 1; /* with its '=' */

	for (; env && *env; env++)
		if (strncmp(*env, entry, name) == 0)
			return true;
	return false;
}

/* `more`, and what of our environment it does not name: shells differ in which
 * of two entries of one name they take. */
static char **make_env(const char *const *more)
{
	size_t n = 0;
	char **env;

	for (size_t i = 0; environ && environ[i]; i++)
		n++;
	for (size_t i = 0; more && more[i]; i++)
		n++;
	env = calloc(n + 1, sizeof *env);
	n = 0;
	for (size_t i = 0; env && more && more[i]; i++)
		env[n++] = (char *)more[i];
	for (size_t i = 0; env && environ && environ[i]; i++)
		if (!is_named_in(more, environ[i]))
			env[n++] = environ[i];
	return env;
}

static void lift_limit(struct rlimit *r, rlim_t wish)
{
	r->rlim_cur = wish < r->rlim_max ? wish : r->rlim_max;
}

/* The plugin's limits are the plugin's: a service that a command starts must
 * not die of them an hour later. */
static void lift_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_AS, &r) == 0) {
		lift_limit(&r, RLIM_INFINITY);
		(void)setrlimit(RLIMIT_AS, &r);
	}
	if (getrlimit(RLIMIT_CPU, &r) == 0) {
		lift_limit(&r, RLIM_INFINITY);
		(void)setrlimit(RLIMIT_CPU, &r);
	}
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		lift_limit(&r, FILES_USUAL);
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_others(void)
{
	if (close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	for (int fd = 3; fd < 4096; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The end of the pipe instead of the byte: the plugin died, or will not have it. */
static void await_go(const struct files *f)
{
	char go;
	ssize_t n;

	close(f->go[1]);
	do
		n = read(f->go[0], &go, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(127);
}

/* parent: whose death is ours too; 0: nobody's, once we may begin. */
static _Noreturn void become(const struct mu_command *c, const struct files *f,
                             pid_t parent)
{
	char **env;
	int e;

	reset_signals();
	if (parent) {
		(void)setpgid(0, 0);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(127);
	} else {
		(void)setsid();
	}
	if (dup2(f->input, 0) < 0 || dup2(f->output[1], 1) < 0 ||
	    dup2(f->output[1], 2) < 0)
		goto failed;
	close_others();
	lift_limits();
	env = make_env(c->env);
	if (!env)
		goto failed;
	if (!parent)
		await_go(f);
	execvpe(c->argv[0], (char *const *)c->argv, env);
failed:
	e = errno;
	(void)!write(f->start[1], &e, sizeof e);
	_exit(127);
}

/* ---- in the parent ---- */

/* Wait until the child has become the command: 0, or why it could not. */
static int await_start(int fd)
{
	int e = 0;
	ssize_t n;

	do
		n = read(fd, &e, sizeof e);
	while (n < 0 && errno == EINTR);
	return n == sizeof e ? e : 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Take a piece of what the command has printed. What is beyond the limit is
 * read too, so that the command need not wait for us, and forgotten. False at
 * the end of the pipe. */
static bool drain(int fd, struct mu_command_end *end)
{
	char chunk[4 * MU_COMMAND_OUTPUT_MAX];
	size_t keep = MU_COMMAND_OUTPUT_MAX - end->output_len;
	ssize_t n = read(fd, chunk, sizeof chunk);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	if (keep > (size_t)n)
		keep = (size_t)n;
	memcpy(end->output + end->output_len, chunk, keep);
	end->output_len += keep;
	return true;
}

/* Collect output until the command ends. True if the limit came first. */
static bool watch(struct files *f, uint32_t timeout_ms,
                  struct mu_command_end *end)
{
	int64_t deadline = now_ms() + timeout_ms;

	for (;;) {
		struct pollfd p[2] = { { .fd = f->pidfd, .events = POLLIN },
			               { .fd = f->output[0],
			                 .events = POLLIN } };
		int64_t left = deadline - now_ms();

		if (left <= 0)
			return true;
		if (poll(p, 2, left > INT_MAX ? INT_MAX : (int)left) < 0 &&
		    errno != EINTR)
			return true;
		if (p[1].revents && !drain(f->output[0], end))
			close_fd(&f->output[0]);
		if (p[0].revents)
			return false;
	}
}

static void reap(pid_t pid, struct mu_command_end *end)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		end->signum = WTERMSIG(status);
	else
		end->status = WEXITSTATUS(status);
}

/* Follow a child that has been forked, to its end. */
static int attend(pid_t pid, const struct mu_command *c, struct files *f,
                  struct mu_command_end *end, struct mu_err *err)
{
	int e;

	(void)setpgid(pid, pid); /* whoever of the two comes first */
	close_fd(&f->start[1]);
	close_fd(&f->output[1]);
	e = await_start(f->start[0]);
	if (e == 0) {
		f->pidfd = pidfd_open(pid, 0);
		e = f->pidfd < 0 ? errno : 0;
	}
	if (e == 0)
		end->timed_out = watch(f, c->timeout_ms, end);
	if (e || end->timed_out)
		(void)kill(-pid, SIGKILL);
	reap(pid, end);
	if (e)
		return fail(err, MU_EIO, "cannot run %s: %s", c->argv[0],
		            strerror(e));
	if (f->output[0] >= 0)
		(void)drain(f->output[0], end);
	end->output[end->output_len] = '\0';
	return 0;
}

int mu_command_run(const struct mu_command *c, struct mu_command_end *end,
                   struct mu_err *err)
{
	pid_t parent = getpid(), pid;
	struct files f;
	int rc;

	memset(end, 0, sizeof *end);
	end->timeout_ms = c->timeout_ms;
	rc = open_files(&f, c, err);
	if (rc)
		goto done;
	pid = fork();
	if (pid == 0)
		become(c, &f, parent);
	if (pid < 0)
		rc = fail(err, MU_EIO, "cannot start a process: %s",
		          strerror(errno));
	else
		rc = attend(pid, c, &f, end, err);
done:
	close_files(&f);
	return rc;
}

/* The output of one that lives on: a file, or nowhere. */
static int open_output(const char *file)
{
	return open(file ? file : "/dev/null",
	            O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

/* It is forked: have it begin, and see it do so. */
static int let_go(pid_t pid, const struct mu_command *c, struct files *f,
                  struct mu_err *err)
{
	int e, rc = c->before ? c->before(c->arg, pid, err) : 0;

	if (rc == 0)
		(void)!write(f->go[1], "", 1);
	close_fd(&f->go[1]);
	close_fd(&f->start[1]);
	e = await_start(f->start[0]);
	if (rc == 0 && e == 0)
		return 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (rc)
		return rc;
	return fail(err, MU_EIO, "cannot run %s: %s", c->argv[0], strerror(e));
}

int mu_command_start(const struct mu_command *c, const char *file, pid_t *pid,
                     struct mu_err *err)
{
	struct files f = no_files;
	int rc = 0;

	f.input = open_input(NULL, -1);
	f.output[1] = open_output(file);
	if (f.input < 0 || f.output[1] < 0 || pipe2(f.start, O_CLOEXEC) < 0 ||
	    pipe2(f.go, O_CLOEXEC) < 0) {
		rc = fail(err, MU_EIO, "cannot prepare to run %s: %s%s%s",
		          c->argv[0], f.output[1] < 0 && file ? file : "",
		          f.output[1] < 0 && file ? ": " : "", strerror(errno));
		goto done;
	}
	*pid = fork();
	if (*pid == 0)
		become(c, &f, 0);
	rc = *pid < 0 ? fail(err, MU_EIO, "cannot start a process: %s",
	                     strerror(errno))
	              : let_go(*pid, c, &f, err);
done:
	close_files(&f);
	return rc;
}

int mu_command_run_shell(const char *text, const struct mu_command *c,
                         struct mu_command_end *end, struct mu_err *err)
{
	const char *const argv[] = { "/bin/sh", "-c", text, NULL };
	struct mu_command shell = *c;

	shell.argv = argv;
	return mu_command_run(&shell, end, err);
}

bool mu_command_is_good(const struct mu_command_end *end)
{
	return !end->timed_out && end->signum == 0 && end->status == 0;
}

/* The first line that says something; its length in *len. */
static const char *first_line(const char *text, size_t *len)
{
	text += strspn(text, " \t\r\n");
	*len = strcspn(text, "\r\n");
	return text;
}

void mu_command_describe(const struct mu_command_end *end, const char *text,
                         char *out, size_t room)
{
	char how[96];
	size_t len;
	const char *line = first_line(end->output, &len);

	if (end->timed_out)
		snprintf(how, sizeof how,
		         "not done in %" PRIu32 " ms (timeout_ms), killed",
		         end->timeout_ms);
	else if (end->signum)
		snprintf(how, sizeof how, "killed by signal %d (%s)",
		         end->signum, strsignal(end->signum));
	else
		snprintf(how, sizeof how, "exit status %d", end->status);
	if (len)
		snprintf(out, room, "%s: %.*s", how, (int)len, line);
	else if (mu_command_is_good(end))
		snprintf(out, room, "%s", how);
	else
		snprintf(out, room, "%s, without output: %s", how, text);
}
