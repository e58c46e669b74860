/* muster-agent as two processes: a worker that ends or hangs is back before
 * anybody sees it, and one that cannot come back is heard of at once. */
#include "cluster.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RESTARTS 100
#define LONG_SESSION "session_timeout_ms = 60000;\n"
#define LOGGER \
	"instances = ( { name = \"logger\"; plugin = \"log\"; " \
	"members = true; memory_max_mb = 0; " \
	"watch = ( { path = \"/config\"; } ); } );\n"

static struct cluster c;
static struct cluster_agent a, b;

static void setup(void)
{
	cluster_open(&c);
	cluster_broker_start(&c);
}

static void teardown(void)
{
	cluster_close(&c);
}

/* ---- helpers ---- */

/* Milliseconds since 1970 of the last line of a log that has the text. */
static int64_t logged_ms(const char *file, const char *text)
{
	char *log = file_read(file, NULL), *at = NULL, *line, *rest;
	struct tm tm = { 0 };
	int64_t ms;

	ck_assert_ptr_nonnull(log);
	for (char *p = log; (p = strstr(p, text)); p++)
		at = p;
	ck_assert_msg(at != NULL, "no '%s' in %s", text, file);
	for (line = at; line > log && line[-1] != '\n';)
		line--;
	rest = strptime(line, "ts=%Y-%m-%dT%H:%M:%S.", &tm);
	ck_assert_ptr_nonnull(rest);
	ms = (int64_t)timegm(&tm) * 1000 + atoi(rest);
	free(log);
	return ms;
}

/* Which stay of a member this is. */
static void stay_of(const char *path, char out[64])
{
	struct run r;
	const char *at;

	ck_assert_int_eq(cluster_muster(&r, "stat", path, "--json", NULL), 0);
	at = strstr(r.out, "\"czxid\":");
	ck_assert_ptr_nonnull(at);
	at += strlen("\"czxid\":");
	snprintf(out, 64, "%.*s", (int)strcspn(at, ",}"), at);
	run_free(&r);
}

static bool is_gone(void *arg)
{
	char path[64], *stat;
	bool gone;

	/* Nobody may be there to reap it but init. */
	snprintf(path, sizeof path, "/proc/%d/stat", (int)*(pid_t *)arg);
	stat = file_read(path, NULL);
	gone = !stat || strstr(stat, ") Z ");
	free(stat);
	return gone;
}

static void wait_gone(pid_t pid)
{
	ck_assert_msg(wait_for(is_gone, &pid, WAIT_MS), "process %d lives on",
	              (int)pid);
}

static void kill_worker(const struct cluster_agent *x)
{
	pid_t pid = cluster_agent_worker(x);

	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	wait_gone(pid);
}

static pid_t child_of(pid_t parent)
{
	char path[64], *text;
	pid_t pid;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent,
	         (int)parent);
	text = file_read(path, NULL);
	pid = text ? (pid_t)atoi(text) : 0;
	free(text);
	ck_assert_int_gt(pid, 1);
	return pid;
}

static bool has_session(const struct cluster_agent *x)
{
	char path[CLUSTER_PATH_MAX * 2];

	snprintf(path, sizeof path, "%s/session", x->run);
	return access(path, F_OK) == 0;
}

/* ---- nobody sees it ---- */

static void watcher_start(struct program *p, const char *name, bool deep)
{
	const char *argv[] = {
		cluster_program("muster"), "watch", "--json", "/members",
		deep ? "-r" : NULL,        NULL
	};
	char out[sizeof p->out], err[sizeof p->err];

	snprintf(out, sizeof out, "%s/%s.out", c.dir, name);
	snprintf(err, sizeof err, "%s/%s.log", c.dir, name);
	program_start(p, argv, out, err);
}

/* As an upgrade does it, and three ways to crash. */
static void restart(unsigned i)
{
	switch (i % 4) {
	case 0:
		ck_assert_int_eq(cluster_agent_stop(&a, SIGTERM), 0);
		break;
	case 1:
		kill_worker(&a);
		return;
	case 2:
		kill(cluster_agent_worker(&a), SIGKILL);
		cluster_agent_stop(&a, SIGKILL);
		break;
	case 3:
		cluster_agent_stop(&a, SIGKILL);
		break;
	}
	cluster_agent_start(&a);
}

struct watchers {
	struct program flat, deep;
};

static bool do_both_watch(void *arg)
{
	struct watchers *w = arg;

	cluster_edit("set", "/members", "x");
	return file_has(w->flat.out, "\"changed\"") &&
	       file_has(w->deep.out, "\"changed\"");
}

/* A last event, behind which no other can be on its way. */
static void watchers_end(struct watchers *w)
{
	cluster_edit("create", "/members/last", "x");
	ck_assert(file_comes_to_have(w->flat.out, "\"event\":\"children\"",
	                             WAIT_MS));
	ck_assert(
		file_comes_to_have(w->deep.out, "\"/members/last\"", WAIT_MS));
	ck_assert_uint_eq(file_count(w->flat.out, "\"event\":\"children\""), 1);
	ck_assert_uint_eq(file_count(w->deep.out, "\"created\""), 1);
	ck_assert_uint_eq(file_count(w->deep.out, "\"deleted\""), 0);
	program_stop(&w->flat, SIGTERM);
	program_stop(&w->deep, SIGTERM);
}

START_TEST(a_hundred_restarts_are_seen_by_nobody)
{
	struct watchers w = { 0 };
	char before[64], after[64];

	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(&c, &a, "alpha",
	                 LONG_SESSION
	                 "restart_failures = 100; restart_window_s = 1;\n",
	                 NULL);
	cluster_agent_wait_log(&b, "joined member=alpha");
	stay_of("/members/alpha", before);
	watcher_start(&w.flat, "flat", false);
	watcher_start(&w.deep, "deep", true);
	ck_assert(wait_for(do_both_watch, &w, WAIT_MS));
	for (unsigned i = 0; i < RESTARTS; i++) {
		restart(i);
		cluster_agent_wait_times(&a, "msg=registered", i + 2);
	}
	stay_of("/members/alpha", after);
	ck_assert_str_eq(before, after);
	watchers_end(&w);
	ck_assert_uint_eq(file_count(a.log, "resumed=yes"), RESTARTS);
	ck_assert_uint_eq(file_count(b.log, "member=alpha"), 1);
	printf("%d restarts: 0 events at a watcher of /members\n", RESTARTS);
}
END_TEST

START_TEST(a_killed_worker_is_back_before_its_session_expires)
{
	char before[64], after[64];
	pid_t worker, runner;
	int64_t from, took;

	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(&c, &a, "alpha", NULL, LOGGER);
	cluster_agent_wait_log(&a, "instance ready");
	cluster_agent_wait_log(&b, "joined member=alpha");
	stay_of("/members/alpha", before);
	worker = cluster_agent_worker(&a);
	runner = child_of(worker);
	from = now_ms();
	kill(worker, SIGKILL);
	cluster_agent_wait_times(&a, "msg=registered", 2);
	took = now_ms() - from;
	printf("worker killed: registered again after %d ms\n", (int)took);
	ck_assert_int_lt(took, 3000); /* the session's timeout */
	cluster_agent_wait_times(&a, "instance ready", 2);
	wait_gone(runner);
	stay_of("/members/alpha", after);
	ck_assert_str_eq(before, after);
	cluster_edit("create", "/config", "mark");
	cluster_agent_wait_log(&b, "created path=/config");
	ck_assert(!file_has(b.log, "failed member=alpha"));
	ck_assert(!file_has(b.log, "left member=alpha"));
	ck_assert(file_has(a.log, "prog=muster-supervisor msg=\"the worker has "
	                          "ended\""));
	ck_assert(program_is_running(&a.program));
}
END_TEST

START_TEST(a_worker_that_hangs_is_killed_and_started_again)
{
	char before[64], after[64];
	pid_t hung;

	cluster_agent_up(&c, &a, "alpha", LONG_SESSION "watchdog_ms = 1000;\n",
	                 NULL);
	stay_of("/members/alpha", before);
	hung = cluster_agent_worker(&a);
	ck_assert_int_eq(kill(hung, SIGSTOP), 0);
	cluster_agent_wait_log(&a, "the worker gives no sign of life");
	wait_gone(hung);
	cluster_agent_wait_times(&a, "msg=registered", 2);
	stay_of("/members/alpha", after);
	ck_assert_str_eq(before, after);
}
END_TEST

/* With the watchdog as it comes: half of the session, which the worker may have
 * spoken to last a third of it before. The session is longer than the usual one
 * for the sake of busy machines. */
START_TEST(a_worker_that_hangs_is_seen_by_nobody_with_the_default_watchdog)
{
	char before[64], after[64];
	pid_t hung;
	int64_t from;

	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(&c, &a, "alpha", "session_timeout_ms = 8000;\n", NULL);
	cluster_agent_wait_log(&b, "joined member=alpha");
	stay_of("/members/alpha", before);
	hung = cluster_agent_worker(&a);
	from = now_ms();
	ck_assert_int_eq(kill(hung, SIGSTOP), 0);
	cluster_agent_wait_log(&a, "the worker gives no sign of life");
	wait_gone(hung);
	cluster_agent_wait_times(&a, "msg=registered", 2);
	printf("worker hung: registered again after %d ms (session timeout "
	       "8000)\n",
	       (int)(now_ms() - from));
	stay_of("/members/alpha", after);
	ck_assert_str_eq(before, after);
	ck_assert(file_has(a.log, "resumed=yes"));
	cluster_edit("create", "/config", "mark");
	cluster_agent_wait_log(&b, "created path=/config");
	ck_assert(!file_has(b.log, "failed member=alpha"));
	ck_assert(!file_has(b.log, "left member=alpha"));
}
END_TEST

static const char *const stalls[] = {
	"session_timeout_ms = 3000; watchdog_ms = 1000;\n",
	"session_timeout_ms = 3000;\n",
};

START_TEST(an_agent_that_stood_still_as_a_whole_is_not_taken_for_hung)
{
	pid_t worker;

	cluster_agent_up(&c, &a, "alpha", stalls[_i], NULL);
	worker = cluster_agent_worker(&a);
	cluster_agent_freeze(&a);
	cluster_wait_node("/members/alpha", NULL);
	cluster_agent_thaw(&a);
	cluster_agent_wait_times(&a, "msg=registered", 2);
	ck_assert_int_eq(cluster_agent_worker(&a), worker);
	ck_assert(!file_has(a.log, "no sign of life"));
}
END_TEST

START_TEST(nothing_outlives_a_supervisor_that_was_killed)
{
	pid_t worker, runner;

	cluster_agent_up(&c, &a, "alpha", LONG_SESSION, LOGGER);
	cluster_agent_wait_log(&a, "instance ready");
	worker = cluster_agent_worker(&a);
	runner = child_of(worker);
	cluster_agent_stop(&a, SIGKILL);
	wait_gone(worker);
	wait_gone(runner);
	cluster_agent_start(&a);
	cluster_agent_wait_times(&a, "msg=registered", 2);
	ck_assert(file_has(a.log, "resumed=yes"));
	ck_assert(!file_has(a.log, "another agent runs"));
}
END_TEST

START_TEST(an_agent_conf_that_became_wrong_keeps_no_worker_from_coming_back)
{
	cluster_agent_up(&c, &a, "alpha", LONG_SESSION, NULL);
	file_write_text(a.conf, "nonsense = 1;\n");
	kill_worker(&a);
	cluster_agent_wait_times(&a, "msg=registered", 2);
	ck_assert(file_has(a.log, "the configuration has become wrong"));
	ck_assert(file_has(a.log, "agent.conf:1"));
}
END_TEST

START_TEST(a_worker_that_comes_back_takes_what_a_sighup_would)
{
	char text[2048], *was;

	cluster_agent_up(&c, &a, "alpha", LONG_SESSION, NULL);
	was = file_read(a.conf, NULL);
	snprintf(text, sizeof text, "%sport = 80; log_level = \"warn\";\n",
	         was);
	free(was);
	file_write_text(a.conf, text);
	kill_worker(&a);
	cluster_agent_wait_log(&a, "takes effect at the next start\" key=port");
	/* The signal waits until the worker can take it. */
	ck_assert_int_eq(cluster_agent_stop(&a, SIGTERM), 0);
	ck_assert(!file_has(a.log, "msg=ending"));
}
END_TEST

START_TEST(the_lock_names_the_supervisor)
{
	char path[CLUSTER_PATH_MAX * 2], *text;

	cluster_agent_up(&c, &a, "alpha", LONG_SESSION, NULL);
	kill_worker(&a);
	cluster_agent_wait_times(&a, "msg=registered", 2);
	snprintf(path, sizeof path, "%s/lock", a.run);
	text = file_read(path, NULL);
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(atoi(text), a.program.pid);
	free(text);
}
END_TEST

/* ---- it cannot come back ---- */

static void end_often(void)
{
	for (unsigned i = 0; i < 3; i++) {
		cluster_agent_wait_times(&a, "msg=registered", i + 1);
		kill_worker(&a);
	}
}

static void end_with_a_wrong_conf_dir(void)
{
	cluster_agent_instances(&a, "z.conf", "instances = (\nnonsense");
	kill_worker(&a);
}

static const struct {
	void (*end)(void);
	const char *said;
} hopeless[] = {
	{ end_often, "failures=3" },
	{ end_with_a_wrong_conf_dir, "z.conf:2" },
};

START_TEST(one_that_cannot_come_back_is_heard_of_at_once)
{
	int64_t decided, heard;

	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(&c, &a, "alpha",
	                 LONG_SESSION "restart_failures = 3;\n", NULL);
	cluster_agent_wait_log(&b, "joined member=alpha");
	hopeless[_i].end();
	ck_assert_int_eq(program_wait(&a.program, WAIT_MS), 3);
	cluster_agent_wait_log(&b, "failed member=alpha");
	decided = logged_ms(a.log, "closing its session");
	heard = logged_ms(b.log, "failed member=alpha");
	printf("a worker given up: heard by a plugin of another host after %d "
	       "ms (session timeout 60000)\n",
	       (int)(heard - decided));
	ck_assert_int_lt(heard - decided, 5000);
	ck_assert(file_has(a.log, hopeless[_i].said));
	ck_assert(file_has(a.log, "the agent has given up"));
	ck_assert(!has_session(&a));
	ck_assert(!file_has(b.log, "left member=alpha"));
	/* The next start begins anew. */
	cluster_agent_instances(&a, "z.conf", "");
	cluster_agent_start(&a);
	cluster_agent_wait_log(&b, "joined member=alpha");
}
END_TEST

START_TEST(one_that_cannot_tell_the_others_says_so_and_ends)
{
	cluster_agent_up(&c, &a, "alpha",
	                 LONG_SESSION "restart_failures = 1;\n", NULL);
	cluster_broker_stop(&c, SIGTERM);
	kill_worker(&a);
	ck_assert_int_eq(program_wait(&a.program, WAIT_MS), 3);
	ck_assert(file_has(a.log, "the others could not be told"));
	/* They will see it at the timeout, or the next start takes it up. */
	ck_assert(has_session(&a));
	cluster_broker_start(&c);
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "resumed=yes");
}
END_TEST

START_TEST(a_wrong_conf_dir_at_the_first_start_ends_with_2)
{
	cluster_agent_init(&c, &a, "alpha", NULL);
	cluster_agent_instances(&a, "z.conf", "instances = (\nnonsense");
	cluster_agent_start(&a);
	ck_assert_int_eq(program_wait(&a.program, WAIT_MS), 2);
	ck_assert(file_has(a.log, "z.conf:2"));
	ck_assert(!file_has(a.log, "started again"));
}
END_TEST

/* ---- told to end in a pause ---- */

/* Until a pause has come that is long enough to do something in it. */
static void come_to_a_pause(void)
{
	for (unsigned i = 0; !file_has(a.log, "in_ms=6400"); i++) {
		cluster_agent_wait_times(&a, "msg=\"worker started\"", i + 1);
		kill_worker(&a);
		cluster_agent_wait_times(&a, "will be started again", i + 1);
	}
}

#define PAUSING LONG_SESSION "restart_failures = 100;\n"

START_TEST(sigterm_in_a_pause_ends_at_once_and_keeps_the_session)
{
	char before[64], after[64];

	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(&c, &a, "alpha", PAUSING, NULL);
	cluster_agent_wait_log(&b, "joined member=alpha");
	stay_of("/members/alpha", before);
	come_to_a_pause();
	ck_assert_int_eq(cluster_agent_stop(&a, SIGTERM), 0);
	ck_assert(file_has(a.log, "the others were told"));
	ck_assert(has_session(&a));
	ck_assert(cluster_node_is("/members/alpha", "") == false);
	cluster_agent_start(&a);
	cluster_agent_wait_times(&a, "msg=registered", 2);
	stay_of("/members/alpha", after);
	ck_assert_str_eq(before, after);
	ck_assert(!file_has(b.log, "failed member=alpha"));
}
END_TEST

START_TEST(an_end_in_a_pause_without_a_return_is_left)
{
	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(
		&c, &a, "alpha",
		"session_timeout_ms = 10000; restart_failures = 100;\n", NULL);
	cluster_agent_wait_log(&b, "joined member=alpha");
	come_to_a_pause();
	ck_assert_int_eq(cluster_agent_stop(&a, SIGTERM), 0);
	cluster_agent_wait_log(&b, "left member=alpha");
	ck_assert(!file_has(b.log, "failed member=alpha"));
}
END_TEST

START_TEST(leave_in_a_pause_is_left_at_once)
{
	struct run r;

	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(&c, &a, "alpha", PAUSING, NULL);
	cluster_agent_wait_log(&b, "joined member=alpha");
	come_to_a_pause();
	cluster_run(&r, "muster-agent", "--leave", "-c", a.conf, NULL);
	ck_assert_msg(r.exit == 0, "%s", r.err);
	run_free(&r);
	ck_assert_int_eq(program_wait(&a.program, WAIT_MS), 0);
	cluster_agent_wait_log(&b, "left member=alpha");
	ck_assert(!has_session(&a));
}
END_TEST

/* ---- the service manager ---- */

static int notify_socket(char path[108])
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const int on = 1;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(path, 108, "%.90s/notify", c.dir);
	snprintf(at.sun_path, sizeof at.sun_path, "%.100s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(
		setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
	return fd;
}

/* What was said so far, a line a datagram's line, and by whom. */
struct said {
	int fd;
	pid_t by; /* all of it; -1: by several */
	char text[65536];
	const char *wanted;
	unsigned n;
};

static void hear(struct said *s)
{
	char control[CMSG_SPACE(sizeof(struct ucred))];
	size_t len = strlen(s->text);
	struct iovec iov = { s->text + len, sizeof s->text - len - 2 };
	struct msghdr m = { .msg_iov = &iov,
		            .msg_iovlen = 1,
		            .msg_control = control,
		            .msg_controllen = sizeof control };
	struct ucred who;
	ssize_t n;

	while ((n = recvmsg(s->fd, &m, 0)) > 0) {
		len += (size_t)n;
		memcpy(s->text + len, "\n", 2);
		len++;
		ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&m));
		memcpy(&who, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof who);
		s->by = s->by == 0 || s->by == who.pid ? who.pid : -1;
		iov.iov_base = s->text + len;
		iov.iov_len = sizeof s->text - len - 2;
		m.msg_controllen = sizeof control;
	}
}

static unsigned times_said(const struct said *s, const char *text)
{
	unsigned n = 0;

	for (const char *p = s->text; (p = strstr(p, text)); p++)
		n++;
	return n;
}

static bool is_said(void *arg)
{
	struct said *s = arg;

	hear(s);
	return times_said(s, s->wanted) >= s->n;
}

static void wait_said(struct said *s, const char *text, unsigned n)
{
	s->wanted = text;
	s->n = n;
	ck_assert_msg(wait_for(is_said, s, WAIT_MS), "'%s' was not said:\n%s",
	              text, s->text);
}

START_TEST(the_service_manager_hears_of_it_all_from_the_main_process)
{
	static struct said s;
	char path[108], main_pid[32];
	unsigned pings;

	s.fd = notify_socket(path);
	cluster_agent_init(&c, &a, "alpha", LONG_SESSION);
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "200000", 1);
	cluster_agent_start(&a);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	wait_said(&s, "READY=1\n", 1);
	snprintf(main_pid, sizeof main_pid, "MAINPID=%d\n", (int)a.program.pid);
	wait_said(&s, main_pid, 1);
	wait_said(&s, "WATCHDOG=1\n", 3);
	cluster_agent_wait_log(&a, "msg=registered");
	kill_worker(&a);
	wait_said(&s, "STATUS=to be started again", 1);
	cluster_agent_wait_times(&a, "msg=registered", 2);
	/* It does not say that it lives because its worker does. */
	kill(cluster_agent_worker(&a), SIGSTOP);
	hear(&s);
	pings = times_said(&s, "WATCHDOG=1\n");
	wait_said(&s, "WATCHDOG=1\n", pings + 3);
	kill(cluster_agent_worker(&a), SIGCONT);
	ck_assert_int_eq(cluster_agent_stop(&a, SIGTERM), 0);
	wait_said(&s, "STOPPING=1\n", 1);
	ck_assert_uint_eq(times_said(&s, "READY=1\n"), 1);
	ck_assert_int_ne(s.by, -1);
	close(s.fd);
}
END_TEST

/* ---- small ---- */

#ifndef __SANITIZE_ADDRESS__
static long private_kib(pid_t pid)
{
	char path[64], *text, *at;
	long kib = 0;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	text = file_read(path, NULL);
	ck_assert_ptr_nonnull(text);
	for (at = text; (at = strstr(at, "Private_")); at++)
		kib += strtol(at + strcspn(at, " "), NULL, 10);
	free(text);
	ck_assert_int_gt(kib, 0);
	return kib;
}
#endif

START_TEST(an_agent_is_small)
{
#ifndef __SANITIZE_ADDRESS__
	long supervisor, worker, runner;

	cluster_agent_up(&c, &b, "beta", NULL, NULL);
	cluster_agent_wait_times(&b, "msg=registered", 1);
	supervisor = private_kib(b.program.pid);
	worker = private_kib(cluster_agent_worker(&b));
	cluster_agent_up(&c, &a, "alpha", NULL, LOGGER);
	cluster_agent_wait_log(&a, "instance ready");
	cluster_agent_wait_log(&a, "member=beta");
	runner = private_kib(child_of(cluster_agent_worker(&a)));
	printf("private memory: supervisor %ld KiB, worker without plugins %ld "
	       "KiB, a runner %ld KiB\n",
	       supervisor, worker, runner);
	ck_assert_int_lt(supervisor, 1024);
	ck_assert_int_lt(supervisor + worker, 5 * 1024);
	ck_assert_int_lt(runner, 3 * 1024);
	/* One with an instance is no larger, but for the runner. */
	ck_assert_int_lt(private_kib(a.program.pid) +
	                         private_kib(cluster_agent_worker(&a)),
	                 5 * 1024);
#endif
}
END_TEST

/* ---- */

int main(void)
{
	Suite *s = suite_create("agent_supervisor");
	TCase *tc = tcase_create("system");
	SRunner *sr;
	int failed;

	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 240);
	tcase_add_test(tc, a_hundred_restarts_are_seen_by_nobody);
	tcase_add_test(tc, a_killed_worker_is_back_before_its_session_expires);
	tcase_add_test(tc, a_worker_that_hangs_is_killed_and_started_again);
	tcase_add_test(
		tc,
		a_worker_that_hangs_is_seen_by_nobody_with_the_default_watchdog);
	tcase_add_loop_test(
		tc, an_agent_that_stood_still_as_a_whole_is_not_taken_for_hung,
		0, sizeof stalls / sizeof *stalls);
	tcase_add_test(tc, nothing_outlives_a_supervisor_that_was_killed);
	tcase_add_test(
		tc,
		an_agent_conf_that_became_wrong_keeps_no_worker_from_coming_back);
	tcase_add_test(tc, a_worker_that_comes_back_takes_what_a_sighup_would);
	tcase_add_test(tc, the_lock_names_the_supervisor);
	tcase_add_test(tc, a_wrong_conf_dir_at_the_first_start_ends_with_2);
	tcase_add_loop_test(tc, one_that_cannot_come_back_is_heard_of_at_once,
	                    0, sizeof hopeless / sizeof *hopeless);
	tcase_add_test(tc, one_that_cannot_tell_the_others_says_so_and_ends);
	tcase_add_test(tc,
	               sigterm_in_a_pause_ends_at_once_and_keeps_the_session);
	tcase_add_test(tc, an_end_in_a_pause_without_a_return_is_left);
	tcase_add_test(tc, leave_in_a_pause_is_left_at_once);
	tcase_add_test(
		tc, the_service_manager_hears_of_it_all_from_the_main_process);
	tcase_add_test(tc, an_agent_is_small);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
