#include "program.h"

#include "child.h"

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_MS 5

/* ---- waiting ---------------------------------------------------------------- */

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool wait_for(bool (*is_true)(void *arg), void *arg, uint32_t limit_ms)
{
	int64_t until = now_ms() + limit_ms;

	while (!is_true(arg)) {
		if (now_ms() >= until)
			return false;
		poll(NULL, 0, LOOK_EVERY_MS);
	}
	return true;
}

/* ---- files ------------------------------------------------------------------- */

char *file_read(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0, room = 4096;
	char *p = malloc(room);
	ssize_t got;

	if (fd < 0) {
		free(p);
		return NULL;
	}
	if (!p) /* the keeper of cluster.c calls this: no ck_assert */
		abort();
	while ((got = read(fd, p + n, room - n - 1)) > 0) {
		n += (size_t)got;
		if (n + 1 == room) {
			room *= 2;
			p = realloc(p, room);
			if (!p)
				abort();
		}
	}
	close(fd);
	p[n] = '\0';
	if (len)
		*len = n;
	return p;
}

void file_write(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "wbe");

	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

void file_write_text(const char *path, const char *text)
{
	file_write(path, text, strlen(text));
}

unsigned file_count(const char *path, const char *text)
{
	char *all = file_read(path, NULL);
	unsigned n = 0;

	if (!all)
		return 0;
	for (char *p = strstr(all, text); p; p = strstr(p + 1, text))
		n++;
	free(all);
	return n;
}

bool file_has(const char *path, const char *text)
{
	return file_count(path, text) > 0;
}

struct file_text {
	const char *path, *text;
	unsigned count;
};

static bool has_text(void *arg)
{
	const struct file_text *f = arg;

	return file_count(f->path, f->text) >= f->count;
}

bool file_comes_to_count(const char *path, const char *text, unsigned count,
                         uint32_t limit_ms)
{
	struct file_text f = { path, text, count };

	return wait_for(has_text, &f, limit_ms);
}

bool file_comes_to_have(const char *path, const char *text, uint32_t limit_ms)
{
	return file_comes_to_count(path, text, 1, limit_ms);
}

void dir_make(char *out, size_t room)
{
	const char *tmp = getenv("TMPDIR");
	int n = snprintf(out, room, "%s/muster-test.XXXXXX",
	                 tmp && tmp[0] ? tmp : "/tmp");

	ck_assert_int_lt(n, (int)room);
	ck_assert_ptr_nonnull(mkdtemp(out));
}

static int remove_entry(const char *path, const struct stat *s, int type,
                        struct FTW *ftw)
{
	(void)s;
	(void)type;
	(void)ftw;
	return remove(path) && errno != ENOENT ? -1 : 0;
}

/* Programs that are just ending may still put a file in: hence the tries. */
void dir_remove(const char *path)
{
	(void)chmod(path, 0700);
	for (int i = 0; i < 200 && access(path, F_OK) == 0; i++) {
		if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0)
			return;
		poll(NULL, 0, LOOK_EVERY_MS);
	}
}

/* ---- ports ----------------------------------------------------------------------- */

/* All are held until all are known. */
void ports_free(uint16_t ports[], size_t count)
{
	int fd[PORTS_MAX];

	ck_assert_uint_le(count, sizeof fd / sizeof fd[0]);
	for (size_t i = 0; i < count; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET };
		socklen_t len = sizeof a;

		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(bind(fd[i], (struct sockaddr *)&a, sizeof a),
		                 0);
		getsockname(fd[i], (struct sockaddr *)&a, &len);
		ports[i] = ntohs(a.sin_port);
	}
	for (size_t i = 0; i < count; i++)
		close(fd[i]);
}

/* ---- starting -------------------------------------------------------------------- */

/* In the child: die with the test, default signals, no descriptor but 0 to 2. */
static void become(pid_t parent, const char *const *argv)
{
	sigset_t nothing;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&nothing);
	sigprocmask(SIG_SETMASK, &nothing, NULL);
	close_range(3, ~0U, 0);
	execvp(argv[0], (char *const *)(void *)(uintptr_t)argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Put three descriptors in place of 0 to 2. */
static void redirect(int in, int out, int err)
{
	int fd[3] = { in, out, err };

	for (int i = 0; i < 3; i++) {
		fd[i] = fcntl(fd[i], F_DUPFD, 3);
		if (fd[i] < 0)
			_exit(126);
	}
	for (int i = 0; i < 3; i++)
		dup2(fd[i], i);
}

static int exit_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- to its end ---------------------------------------------------------------------- */

/* What a running program still has to be given, and what it has said. */
struct pump {
	struct run *r;
	int in, out, err; /* our ends; -1: done */
	size_t given;
};

static void collect(int *fd, char **text, size_t *len)
{
	char chunk[16384];
	ssize_t n = read(*fd, chunk, sizeof chunk);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) { /* a terminal's end is EIO */
		close(*fd);
		*fd = -1;
		return;
	}
	*text = realloc(*text, *len + (size_t)n + 1);
	ck_assert_ptr_nonnull(*text);
	memcpy(*text + *len, chunk, (size_t)n);
	*len += (size_t)n;
	(*text)[*len] = '\0';
}

static void feed(struct pump *p)
{
	const char *in = p->r->in;
	ssize_t n = write(p->in, in + p->given, p->r->in_len - p->given);

	if (n > 0)
		p->given += (size_t)n;
	if ((n < 0 && errno != EAGAIN && errno != EINTR) ||
	    p->given == p->r->in_len) {
		if (p->in != p->out)
			close(p->in);
		p->in = -1;
	}
}

/* Until both outputs are closed or the time is over. */
static void pump(struct pump *p, int64_t until)
{
	while (p->out >= 0 || p->err >= 0) {
		struct pollfd fd[3] = {
			{ p->in, POLLOUT, 0 },
			{ p->out, POLLIN, 0 },
			{ p->err, POLLIN, 0 },
		};
		int64_t left = until - now_ms();

		if (left <= 0)
			return;
		poll(fd, 3, (int)left);
		if (fd[0].revents)
			feed(p);
		if (fd[1].revents)
			collect(&p->out, &p->r->out, &p->r->out_len);
		if (fd[2].revents)
			collect(&p->err, &p->r->err, &p->r->err_len);
	}
}

static pid_t start_piped(struct pump *p, pid_t parent)
{
	int in[2] = { -1, -1 }, out[2], err[2];
	pid_t pid;

	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	if (p->r->in)
		ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	else
		in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid = child_fork();
	if (pid == 0) {
		redirect(in[0], out[1], err[1]);
		become(parent, p->r->argv);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	if (in[1] >= 0)
		fcntl(in[1], F_SETFL, O_NONBLOCK);
	p->in = in[1];
	p->out = out[0];
	p->err = err[0];
	return pid;
}

static pid_t start_on_terminal(struct pump *p, pid_t parent)
{
	const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	pid_t pid = forkpty(&p->out, NULL, NULL, &size);

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		become(parent, p->r->argv);
	fcntl(p->out, F_SETFD, FD_CLOEXEC);
	p->in = p->r->in ? p->out : -1;
	p->err = -1;
	return pid;
}

void run(struct run *r)
{
	uint32_t limit_ms = r->limit_ms ? r->limit_ms : WAIT_MS;
	int64_t from = now_ms(), until = from + limit_ms;
	struct pump p = { .r = r };
	struct program program = { 0 };

	signal(SIGPIPE, SIG_IGN);
	r->out = calloc(1, 1);
	r->err = calloc(1, 1);
	r->out_len = r->err_len = 0;
	ck_assert(r->out != NULL && r->err != NULL);
	program.pid = r->pty ? start_on_terminal(&p, getpid())
	                     : start_piped(&p, getpid());
	if (p.in >= 0 && r->in_len == 0)
		feed(&p);
	pump(&p, until);
	r->exit = program_wait(
		&program, until > now_ms() ? (uint32_t)(until - now_ms()) : 0);
	if (p.in >= 0 && p.in != p.out)
		close(p.in);
	if (p.out >= 0)
		close(p.out);
	if (p.err >= 0)
		close(p.err);
	r->took_ms = (uint32_t)(now_ms() - from);
}

void run_free(struct run *r)
{
	free(r->out);
	free(r->err);
	r->out = r->err = NULL;
}

/* ---- in the background ---------------------------------------------------------------- */

void program_start(struct program *p, const char *const *argv, const char *out,
                   const char *err)
{
	pid_t parent = getpid();

	snprintf(p->out, sizeof p->out, "%s", out);
	snprintf(p->err, sizeof p->err, "%s", err);
	p->pid = child_fork();
	if (p->pid == 0) {
		const int how = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;

		redirect(open("/dev/null", O_RDONLY | O_CLOEXEC),
		         open(out, how, 0644), open(err, how, 0644));
		become(parent, argv);
	}
}

void program_signal(const struct program *p, int signum)
{
	ck_assert_int_gt(p->pid, 0);
	ck_assert_int_eq(kill(p->pid, signum), 0);
}

struct ending {
	struct program *p;
	int status;
};

static bool has_ended(void *arg)
{
	struct ending *e = arg;

	return waitpid(e->p->pid, &e->status, WNOHANG) == e->p->pid;
}

int program_wait(struct program *p, uint32_t limit_ms)
{
	struct ending e = { p, 0 };
	bool in_time = wait_for(has_ended, &e, limit_ms);

	if (!in_time) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	p->pid = 0;
	return in_time ? exit_of(e.status) : -1;
}

int program_stop(struct program *p, int signum)
{
	if (p->pid == 0)
		return 0;
	program_signal(p, signum);
	return program_wait(p, WAIT_MS);
}

bool program_is_running(struct program *p)
{
	if (p->pid > 0 && waitpid(p->pid, NULL, WNOHANG) == p->pid)
		p->pid = 0;
	return p->pid > 0;
}

unsigned process_descriptors(pid_t pid)
{
	char path[64];
	unsigned count = 0;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	d = opendir(path);
	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

/* ---- the test itself --------------------------------------------------------------------- */

uint32_t env_number(const char *name, uint32_t otherwise)
{
	const char *text = getenv(name);

	return text && text[0] ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

void env_keep_dir(const char *name, const char *dir)
{
	const char *to = getenv(name);
	char command[512];

	if (!to || !to[0])
		return;
	snprintf(command, sizeof command, "cp -a %s %s", dir, to);
	if (system(command))
		printf("    could not copy %s\n", dir);
}

bool is_root(const char *test)
{
	if (geteuid() == 0)
		return true;
	printf("SKIPPED: %s: only root can become another user\n", test);
	return false;
}
