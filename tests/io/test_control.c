/* The control socket, with the test as the broker behind it and, in threads, as
 * those who ask. */
#include "child.h"
#include "control.h"
#include "program.h"
#include "unixsock.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_MS 60000
#define BACKUP_BYTES (3u * 1024 * 1024 + 7)

static char dir[64], path[96];
static struct mu_loop *loop;
static struct mu_timer *limit;
static struct mu_control *control;
static struct mu_err err;

/* ---- the broker behind it ------------------------------------------------------------ */

static struct {
	uint64_t job; /* of the last request */
	unsigned begun, restores, ended, cut;
	int fails;  /* what the next call gives */
	bool waits; /* the answer comes later */
	char kept[96];
	int kept_fd;
	uint64_t restore_len;
} broker;

static unsigned char *backup; /* BACKUP_BYTES */

static char *on_status(void *arg)
{
	(void)arg;
	return broker.fails ? NULL : strdup("{\"nodes\":3}");
}

static int work(uint64_t job, const char *text, struct mu_err *e)
{
	broker.job = job;
	broker.begun++;
	if (broker.fails) {
		e->code = broker.fails;
		snprintf(e->msg, sizeof e->msg, "not\nnow");
		return broker.fails;
	}
	if (!broker.waits)
		mu_control_done(control, job, 0, text);
	return 0;
}

static int on_snapshot(void *arg, uint64_t job, struct mu_err *e)
{
	(void)arg;
	return work(job, "{\"index\":7}", e);
}

static int on_verify(void *arg, uint64_t job, struct mu_err *e)
{
	(void)arg;
	return work(job, "", e);
}

/* An open file that has no name any more. */
static int backup_file(void)
{
	char name[128];
	int fd;

	snprintf(name, sizeof name, "%s/snapshot", dir);
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, backup, BACKUP_BYTES), BACKUP_BYTES);
	unlink(name);
	return fd;
}

static int on_backup(void *arg, uint64_t job, struct mu_err *e)
{
	(void)arg, (void)e;
	broker.job = job;
	broker.begun++;
	if (!broker.waits)
		mu_control_give(control, job, backup_file());
	return 0;
}

static int on_restore_begin(void *arg, uint64_t job, uint64_t len, int *fd,
                            struct mu_err *e)
{
	(void)arg;
	broker.job = job;
	broker.restore_len = len;
	if (broker.fails) {
		snprintf(e->msg, sizeof e->msg, "not empty: stop it first");
		return broker.fails;
	}
	broker.restores++;
	broker.kept_fd =
		open(broker.kept, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(broker.kept_fd, 0);
	*fd = broker.kept_fd;
	return 0;
}

static int on_restore_end(void *arg, uint64_t job, bool whole, struct mu_err *e)
{
	(void)arg;
	ck_assert_uint_eq(job, broker.job);
	close(broker.kept_fd);
	broker.kept_fd = -1;
	broker.ended++;
	if (!whole) {
		broker.cut++;
		return 0;
	}
	return work(job, "restored", e);
}

static const struct mu_control_owner owner = {
	.status = on_status,
	.snapshot = on_snapshot,
	.verify = on_verify,
	.backup = on_backup,
	.restore_begin = on_restore_begin,
	.restore_end = on_restore_end,
};

static void too_late(void *arg)
{
	(void)arg;
	ck_abort_msg("not over in time");
}

static void open_with(uint32_t line_ms, uint32_t idle_ms)
{
	const struct mu_control_config config = { path, line_ms, idle_ms, 20 };
	int rc = mu_control_open(loop, &config, &owner, &control, &err);

	ck_assert_msg(rc == 0, "%s", err.msg);
}

static void setup(void)
{
	dir_make(dir, sizeof dir);
	snprintf(path, sizeof path, "%s/ctl", dir);
	memset(&broker, 0, sizeof broker);
	broker.kept_fd = -1;
	snprintf(broker.kept, sizeof broker.kept, "%s/kept", dir);
	backup = malloc(BACKUP_BYTES);
	for (size_t i = 0; i < BACKUP_BYTES; i++)
		backup[i] = (unsigned char)(i * 2654435761u >> 13);
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	ck_assert_int_eq(mu_timer_new(loop, too_late, NULL, &limit), 0);
	mu_timer_arm(limit, LIMIT_MS, 0);
	control = NULL;
}

static void teardown(void)
{
	mu_control_close(control);
	mu_timer_free(limit);
	mu_loop_free(loop);
	free(backup);
	dir_remove(dir);
}

/* ---- those who ask --------------------------------------------------------------------- */

static int dial(void)
{
	struct mu_err why;
	int fd, rc = mu_unix_connect(path, &fd, &why);

	ck_assert_msg(rc == 0, "%s", why.msg);
	return fd;
}

static void say(int fd, const void *p, size_t len)
{
	const char *at = p;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* it has hung up: what it said tells why */
		at += n;
		len -= (size_t)n;
	}
}

/* To the end of the connection; the NUL behind it is not counted. */
static size_t hear(int fd, char *out, size_t room)
{
	size_t len = 0;
	ssize_t n;

	while (len + 1 < room &&
	       (n = recv(fd, out + len, room - 1 - len, 0)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	return len;
}

/* Up to the next '\n', which is left out. */
static void hear_line(int fd, char *out, size_t room)
{
	size_t len = 0;

	while (len + 1 < room && recv(fd, out + len, 1, 0) == 1 &&
	       out[len] != '\n')
		len++;
	out[len] = '\0';
}

struct asker {
	void (*fn)(struct asker *a);
	const char *request;
	const void *body;
	size_t body_len;
	char *got;
	size_t got_len, room;
	int fd, over; /* an eventfd */
	pthread_t thread;
	struct mu_poll *poll;
	bool done;
};

static void *asker_main(void *arg)
{
	struct asker *a = arg;

	a->fn(a);
	ck_assert_int_eq(eventfd_write(a->over, 1), 0);
	return NULL;
}

static void on_over(void *arg, int events)
{
	struct asker *a = arg;

	(void)events;
	a->done = true;
	mu_poll_set(a->poll, 0);
	mu_loop_stop(loop);
}

static void asker_start(struct asker *a, void (*fn)(struct asker *))
{
	a->fn = fn;
	a->done = false;
	a->fd = a->fd > 0 ? a->fd : dial();
	if (!a->got) {
		a->room = BACKUP_BYTES + 4096;
		a->got = malloc(a->room);
	}
	a->over = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_ge(a->over, 0);
	ck_assert_int_eq(mu_poll_new(loop, a->over, on_over, a, &a->poll), 0);
	mu_poll_set(a->poll, MU_POLL_READ);
	ck_assert_int_eq(pthread_create(&a->thread, NULL, asker_main, a), 0);
}

static void asker_wait(struct asker *a)
{
	while (!a->done)
		mu_loop_run(loop);
	ck_assert_int_eq(pthread_join(a->thread, NULL), 0);
	mu_poll_free(a->poll);
	close(a->over);
}

static void asker_end(struct asker *a)
{
	if (a->fd > 0)
		close(a->fd);
	a->fd = 0;
	free(a->got);
	a->got = NULL;
}

static void ask_and_hear(struct asker *a)
{
	say(a->fd, a->request, strlen(a->request));
	a->got_len = hear(a->fd, a->got, a->room);
}

/* Leave out what was said while the broker was at work. */
static void drop_progress(struct asker *a)
{
	while (strncmp(a->got, "progress ", 9) == 0) {
		size_t len = strcspn(a->got, "\n") + 1;

		ck_assert_uint_le(len, a->got_len);
		memmove(a->got, a->got + len, a->got_len - len + 1);
		a->got_len -= len;
	}
}

/* One request from its begin to its end; borrowed until the next. */
static const char *ask(const char *request)
{
	static struct asker a;

	asker_end(&a);
	a = (struct asker){ .request = request };
	asker_start(&a, ask_and_hear);
	asker_wait(&a);
	return a.got;
}

static struct mu_control_stats stats(void)
{
	struct mu_control_stats st;

	mu_control_stats(control, &st);
	return st;
}

struct condition {
	bool (*is_true)(uint64_t arg);
	uint64_t arg;
};

static void look(void *arg)
{
	const struct condition *c = arg;

	if (c->is_true(c->arg))
		mu_loop_stop(loop);
}

/* Run the loop until it is so. */
static void until(bool (*is_true)(uint64_t arg), uint64_t arg)
{
	struct condition c = { is_true, arg };
	struct mu_timer *t;

	ck_assert_int_eq(mu_timer_new(loop, look, &c, &t), 0);
	mu_timer_arm(t, 1, 2);
	while (!is_true(arg))
		mu_loop_run(loop);
	mu_timer_free(t);
}

static bool has_connections(uint64_t count)
{
	return stats().connections == count;
}

static bool has_taken(uint64_t count)
{
	return stats().taken == count;
}

static bool has_refused(uint64_t count)
{
	return stats().refused == count;
}

static bool has_begun(uint64_t count)
{
	return broker.begun == count;
}

static bool has_restores(uint64_t count)
{
	return broker.restores == count;
}

static void until_connections(uint32_t count)
{
	until(has_connections, count);
}

/* ---- requests ---------------------------------------------------------------------------- */

START_TEST(status_is_answered_with_its_length)
{
	open_with(0, 0);
	ck_assert_str_eq(ask("status\n"), "ok 11\n{\"nodes\":3}");
	until_connections(0);
	ck_assert_uint_eq(stats().requests, 1);
	ck_assert_uint_eq(stats().refused, 0);
}
END_TEST

START_TEST(a_status_for_which_there_is_no_memory_is_an_error)
{
	open_with(0, 0);
	broker.fails = MU_ENOMEM;
	ck_assert_str_eq(ask("status\n"), "error -2000 out of memory\n");
}
END_TEST

START_TEST(work_that_is_done_at_once_is_answered)
{
	open_with(0, 0);
	ck_assert_str_eq(ask("snapshot\n"), "ok 11\n{\"index\":7}");
	ck_assert_str_eq(ask("verify\n"), "ok 0\n");
	ck_assert_uint_eq(broker.begun, 2);
}
END_TEST

START_TEST(work_that_is_refused_at_once_is_one_line)
{
	open_with(0, 0);
	broker.fails = MU_EIO;
	ck_assert_str_eq(ask("snapshot\n"), "error -2001 not now\n");
	ck_assert_str_eq(ask("verify\n"), "error -2001 not now\n");
}
END_TEST

/* The answer is given once a line of progress was heard. */
static void ask_and_wait_for_progress(struct asker *a)
{
	say(a->fd, a->request, strlen(a->request));
	do
		hear_line(a->fd, a->got, a->room);
	while (a->got[0] && strncmp(a->got, "progress writing, ", 18) != 0);
}

START_TEST(work_that_takes_its_time_says_that_it_goes_on)
{
	struct asker a = { .request = "snapshot\n" };

	open_with(0, 0);
	broker.waits = true;
	asker_start(&a, ask_and_hear);
	until(has_begun, 1);
	mu_control_progress(control, broker.job, "writing");
	mu_control_done(control, broker.job, MU_ENOSPACE, "disk\nfull");
	mu_control_done(control, broker.job, 0, "twice");
	asker_wait(&a);
	ck_assert_ptr_nonnull(strstr(a.got, "error -2010 disk full\n"));
	ck_assert_ptr_null(strstr(a.got, "twice"));
	asker_end(&a);
}
END_TEST

static void say_writing(void *arg)
{
	(void)arg;
	if (broker.begun)
		mu_control_progress(control, broker.job, "writing");
}

START_TEST(progress_has_what_the_owner_says)
{
	struct asker a = { .request = "verify\n" };
	struct mu_timer *t;

	open_with(0, 0);
	broker.waits = true;
	ck_assert_int_eq(mu_timer_new(loop, say_writing, NULL, &t), 0);
	mu_timer_arm(t, 0, 5);
	asker_start(&a, ask_and_wait_for_progress);
	asker_wait(&a);
	ck_assert_msg(a.got[0], "no line of progress");
	mu_timer_free(t);
	mu_control_done(control, broker.job, 0, "fine");
	asker_start(&a, ask_and_hear); /* its request is not looked at */
	asker_wait(&a);
	ck_assert_ptr_nonnull(strstr(a.got, "ok 4\nfine"));
	asker_end(&a);
}
END_TEST

START_TEST(an_answer_for_who_has_gone_is_dropped)
{
	char byte;
	int fd, file;

	open_with(0, 0);
	broker.waits = true;
	fd = dial();
	say(fd, "backup\n", 7);
	until(has_begun, 1);
	close(fd);
	until_connections(0); /* its line of progress found him gone */
	mu_control_done(control, broker.job, 0, "nobody hears");
	file = backup_file();
	mu_control_give(control, broker.job, file);
	ck_assert_int_eq((int)read(file, &byte, 1), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

static const struct {
	const char *request, *answer;
} wrong[] = {
	{ "stat\n", "error -6 there are status" },
	{ "\n", "error -6 " },
	{ "status \n", "error -6 " },
	{ "statusx\n", "error -6 " },
	{ "restore\n", "error -6 " },
	{ "restore \n", "error -8 restore wants a length" },
	{ "restore -1\n", "error -8 " },
	{ "restore 1x\n", "error -8 " },
	{ "restore 99999999999999999999\n", "error -8 " },
};

START_TEST(a_request_that_is_none_is_told_what_there_is)
{
	const char *got;

	open_with(0, 0);
	got = ask(wrong[_i].request);
	ck_assert_msg(
		strncmp(got, wrong[_i].answer, strlen(wrong[_i].answer)) == 0,
		"%s", got);
	ck_assert_uint_eq(broker.begun + broker.restores, 0);
}
END_TEST

START_TEST(a_line_has_a_limit)
{
	char line[MU_CONTROL_LINE_MAX + 2];

	open_with(0, 0);
	memset(line, 'a', sizeof line);
	line[MU_CONTROL_LINE_MAX - 1] = '\n';
	line[MU_CONTROL_LINE_MAX] = '\0';
	ck_assert_ptr_nonnull(strstr(ask(line), "error -6 "));
	memset(line, 'a', sizeof line);
	line[MU_CONTROL_LINE_MAX] = '\n';
	line[MU_CONTROL_LINE_MAX + 1] = '\0';
	ck_assert_str_eq(ask(line), "error -2003 the line is too long\n");
}
END_TEST

START_TEST(who_does_not_finish_his_line_is_cut_off)
{
	int fd;
	char byte;

	open_with(60, 0);
	fd = dial();
	say(fd, "stat", 4);
	until(has_taken, 1);
	until_connections(0);
	ck_assert_int_le((int)recv(fd, &byte, 1, 0), 0);
	close(fd);
}
END_TEST

/* ---- backup ------------------------------------------------------------------------------- */

static void assert_is_backup(const struct asker *a)
{
	char head[32];
	size_t len =
		(size_t)snprintf(head, sizeof head, "ok %u\n", BACKUP_BYTES);

	ck_assert_uint_eq(a->got_len, len + BACKUP_BYTES);
	ck_assert(memcmp(a->got, head, len) == 0);
	ck_assert(memcmp(a->got + len, backup, BACKUP_BYTES) == 0);
}

static void only_hear(struct asker *a)
{
	a->got_len = hear(a->fd, a->got, a->room);
}

/* The broker's end takes but little at a time, so that a piece goes in parts. */
static void narrow_all(void)
{
	const int small = 4096;

	for (int fd = 3; fd < 256; fd++) {
		struct sockaddr_un at;
		socklen_t len = sizeof at;
		int listens = 0;

		if (getsockname(fd, (struct sockaddr *)&at, &len) ||
		    at.sun_family != AF_UNIX || len <= sizeof at.sun_family ||
		    strcmp(at.sun_path, path) != 0)
			continue;
		len = sizeof listens;
		ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN,
		                            &listens, &len),
		                 0);
		if (!listens)
			ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF,
			                            &small, sizeof small),
			                 0);
	}
}

START_TEST(a_backup_is_sent_whole_and_a_slow_reader_delays_nobody)
{
	struct asker a = { .fn = NULL };

	open_with(0, 0);
	a.fd = dial();
	until(has_taken, 1);
	narrow_all();
	say(a.fd, "backup\n", 7);
	until(has_begun, 1);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(ask("status\n"), "ok 11\n{\"nodes\":3}");
	ck_assert_uint_eq(broker.begun, 1);
	asker_start(&a, only_hear);
	asker_wait(&a);
	assert_is_backup(&a);
	asker_end(&a);
}
END_TEST

START_TEST(a_backup_that_comes_later_is_sent_then)
{
	struct asker a = { .request = "backup\n" };

	open_with(0, 0);
	broker.waits = true;
	a.fd = dial();
	asker_start(&a, ask_and_hear);
	until(has_begun, 1);
	mu_control_give(control, broker.job, backup_file());
	asker_wait(&a);
	drop_progress(&a);
	assert_is_backup(&a);
	asker_end(&a);
}
END_TEST

START_TEST(who_takes_nothing_of_his_backup_is_cut_off)
{
	int fd;

	open_with(0, 60);
	fd = dial();
	say(fd, "backup\n", 7);
	until(has_begun, 1);
	until_connections(0);
	close(fd);
}
END_TEST

START_TEST(an_empty_file_is_a_backup_of_no_bytes)
{
	struct asker a = { .request = "backup\n" };
	char name[128];

	open_with(0, 0);
	broker.waits = true;
	asker_start(&a, ask_and_hear);
	until(has_begun, 1);
	snprintf(name, sizeof name, "%s/empty", dir);
	mu_control_give(control, broker.job,
	                open(name, O_RDWR | O_CREAT, 0600));
	asker_wait(&a);
	drop_progress(&a);
	ck_assert_str_eq(a.got, "ok 0\n");
	asker_end(&a);
}
END_TEST

/* ---- restore ------------------------------------------------------------------------------ */

static void ask_restore(struct asker *a)
{
	char line[64];

	say(a->fd, a->request, strlen(a->request));
	hear_line(a->fd, line, sizeof line);
	snprintf(a->got, a->room, "%s|", line);
	if (strcmp(line, "ready") == 0)
		say(a->fd, a->body, a->body_len);
	hear(a->fd, a->got + strlen(a->got), a->room - strlen(a->got));
}

static const char *restore(const char *request, size_t len)
{
	static struct asker a;

	asker_end(&a);
	a = (struct asker){ .request = request,
		            .body = backup,
		            .body_len = len };
	asker_start(&a, ask_restore);
	asker_wait(&a);
	return a.got;
}

static void assert_kept(size_t len)
{
	unsigned char *got = malloc(len + 1);
	int fd = open(broker.kept, O_RDONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, got, len + 1), (ssize_t)len);
	ck_assert(memcmp(got, backup, len) == 0);
	close(fd);
	free(got);
}

START_TEST(the_bytes_of_a_restore_are_kept_and_judged)
{
	char request[64];

	open_with(0, 0);
	snprintf(request, sizeof request, "restore %u\n", BACKUP_BYTES);
	ck_assert_str_eq(restore(request, BACKUP_BYTES),
	                 "ready|ok 8\nrestored");
	ck_assert_uint_eq(broker.restore_len, BACKUP_BYTES);
	ck_assert_uint_eq(broker.ended, 1);
	ck_assert_uint_eq(broker.cut, 0);
	assert_kept(BACKUP_BYTES);
}
END_TEST

START_TEST(a_restore_may_come_with_its_line)
{
	struct asker a = { .request = "restore 5\nhelloworld" };

	open_with(0, 0);
	asker_start(&a, ask_and_hear);
	asker_wait(&a);
	ck_assert_str_eq(a.got, "ready\nok 8\nrestored");
	memcpy(backup, "hello", 5);
	assert_kept(5);
	asker_end(&a);
}
END_TEST

START_TEST(a_restore_of_no_bytes_is_judged_too)
{
	open_with(0, 0);
	ck_assert_str_eq(restore("restore 0\n", 0), "ready|ok 8\nrestored");
	ck_assert_uint_eq(broker.ended, 1);
}
END_TEST

START_TEST(a_restore_that_is_refused_takes_no_bytes)
{
	open_with(0, 0);
	broker.fails = MU_ENOTEMPTY;
	ck_assert_str_eq(restore("restore 5\n", 5),
	                 "error -111 not empty: stop it first|");
	ck_assert_uint_eq(broker.ended, 0);
}
END_TEST

START_TEST(a_restore_that_breaks_off_is_told_to_the_owner_once)
{
	int fd;

	open_with(0, 0);
	fd = dial();
	say(fd, "restore 10\n12345", 16);
	until(has_restores, 1);
	ck_assert_uint_eq(broker.cut, 0);
	close(fd);
	until_connections(0);
	ck_assert_uint_eq(broker.ended, 1);
	ck_assert_uint_eq(broker.cut, 1);
	ck_assert_uint_eq(broker.begun, 0);
}
END_TEST

START_TEST(who_sends_nothing_of_his_restore_is_cut_off)
{
	int fd;

	open_with(0, 60);
	fd = dial();
	say(fd, "restore 10\n12345", 16);
	until(has_restores, 1);
	until_connections(0);
	ck_assert_uint_eq(broker.cut, 1);
	close(fd);
}
END_TEST

START_TEST(a_restore_that_cannot_be_kept_is_told_so)
{
	open_with(0, 0);
	snprintf(broker.kept, sizeof broker.kept, "/dev/full");
	ck_assert_str_eq(restore("restore 5\n", 5),
	                 "ready|error -2001 cannot keep what comes: No space "
	                 "left on device\n");
	ck_assert_uint_eq(broker.ended, 1);
	ck_assert_uint_eq(broker.cut, 1);
}
END_TEST

START_TEST(closing_ends_all_that_is_under_way)
{
	int restoring, waiting, sending;
	uint64_t job;

	open_with(0, 0);
	restoring = dial();
	say(restoring, "restore 10\n12345", 16);
	until(has_restores, 1);
	job = broker.job;
	sending = dial();
	say(sending, "backup\n", 7);
	until(has_begun, 1);
	broker.waits = true;
	waiting = dial();
	say(waiting, "verify\n", 7);
	until(has_begun, 2);
	broker.job = job;
	mu_control_close(control);
	control = NULL;
	ck_assert_uint_eq(broker.ended, 1);
	ck_assert_uint_eq(broker.cut, 1);
	ck_assert_int_ne(access(path, F_OK), 0);
	close(restoring);
	close(sending);
	close(waiting);
}
END_TEST

/* ---- who may, and how many ------------------------------------------------------------------- */

START_TEST(one_connection_too_many_is_told_so)
{
	int fd[MU_CONTROL_CONNECTIONS_MAX];

	open_with(0, 0);
	for (size_t i = 0; i < MU_CONTROL_CONNECTIONS_MAX; i++)
		fd[i] = dial();
	until_connections(MU_CONTROL_CONNECTIONS_MAX);
	ck_assert_str_eq(ask(""), "error -2004 too many connections to the "
	                          "control socket\n");
	ck_assert_uint_eq(stats().refused, 1);
	close(fd[7]);
	until_connections(MU_CONTROL_CONNECTIONS_MAX - 1);
	ck_assert_str_eq(ask("status\n"), "ok 11\n{\"nodes\":3}");
	for (size_t i = 0; i < MU_CONTROL_CONNECTIONS_MAX; i++)
		if (i != 7)
			close(fd[i]);
	until_connections(0);
}
END_TEST

START_TEST(the_socket_is_for_its_user_alone)
{
	struct stat st;

	umask(0);
	open_with(0, 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

/* Somebody has opened the file to all: it is looked at who asks, still. */
START_TEST(a_stranger_is_told_that_he_may_not)
{
	int pair[2], status;
	pid_t pid;
	char got[256] = "";

	if (geteuid() != 0)
		return; /* nobody can be had */
	open_with(0, 0);
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(pipe(pair), 0);
	pid = child_fork();
	if (pid == 0) {
		struct mu_err why;
		int fd;

		if (setuid(65534) || mu_unix_connect(path, &fd, &why))
			_exit(1);
		say(fd, "status\n", 7);
		hear(fd, got, sizeof got);
		_exit(write(pair[1], got, strlen(got)) < 0);
	}
	close(pair[1]);
	until(has_refused, 1);
	ck_assert_int_gt((int)read(pair[0], got, sizeof got - 1), 0);
	ck_assert_str_eq(got, "error -102 only root and the broker's own user "
	                      "may ask\n");
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(pair[0]);
}
END_TEST

/* ---- the file ---------------------------------------------------------------------------------- */

START_TEST(a_missing_directory_is_made_and_what_is_left_there_replaced)
{
	int fd;

	snprintf(path, sizeof path, "%s/a/b/ctl", dir);
	/* Listened on once, by one who ended without a word. */
	ck_assert_int_eq(mu_unix_listen(path, 0600, &fd, &err), 0);
	close(fd);
	ck_assert_int_eq(access(path, F_OK), 0);
	open_with(0, 0);
	ck_assert_str_eq(ask("status\n"), "ok 11\n{\"nodes\":3}");
}
END_TEST

START_TEST(a_socket_in_use_is_refused_and_stays)
{
	const struct mu_control_config config = { .path = path };
	struct mu_control *second;

	open_with(0, 0);
	ck_assert_int_eq(mu_control_open(loop, &config, &owner, &second, &err),
	                 MU_EFULL);
	ck_assert_ptr_nonnull(strstr(err.msg, "another process listens on "));
	ck_assert_str_eq(ask("status\n"), "ok 11\n{\"nodes\":3}");
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_refused_and_stays)
{
	const struct mu_control_config config = { .path = path };
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	struct stat st;

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(mu_control_open(loop, &config, &owner, &control, &err),
	                 MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "is no socket"));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
}
END_TEST

START_TEST(a_path_that_cannot_be_is_refused)
{
	char longer[160];
	struct mu_control_config config = { .path = "run/ctl" };

	ck_assert_int_eq(mu_control_open(loop, &config, &owner, &control, &err),
	                 MU_ECONFIG);
	memset(longer, 'a', sizeof longer);
	longer[0] = '/';
	longer[108] = '\0';
	config.path = longer;
	ck_assert_int_eq(mu_control_open(loop, &config, &owner, &control, &err),
	                 MU_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "too long"));
	config.path = "/proc/none/ctl";
	ck_assert_int_eq(mu_control_open(loop, &config, &owner, &control, &err),
	                 MU_EIO);
}
END_TEST

START_TEST(connecting_says_why_it_cannot)
{
	char file[128];
	int fd;

	ck_assert_int_eq(mu_unix_connect(path, &fd, &err), MU_ENONODE);
	ck_assert_ptr_nonnull(strstr(err.msg, path));
	snprintf(file, sizeof file, "%s/x/ctl", dir);
	ck_assert_int_eq(mu_unix_connect(file, &fd, &err), MU_ENONODE);
	ck_assert_int_eq(mu_unix_listen(path, 0600, &fd, &err), 0);
	close(fd);
	ck_assert_int_eq(mu_unix_connect(path, &fd, &err), MU_EGONE);
	ck_assert_int_eq(mu_unix_connect("ctl", &fd, &err), MU_ECONFIG);
}
END_TEST

static TCase *group(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 90);
	suite_add_tcase(s, tc);
	return tc;
}

static void add_requests(TCase *tc)
{
	tcase_add_test(tc, status_is_answered_with_its_length);
	tcase_add_test(tc, a_status_for_which_there_is_no_memory_is_an_error);
	tcase_add_test(tc, work_that_is_done_at_once_is_answered);
	tcase_add_test(tc, work_that_is_refused_at_once_is_one_line);
	tcase_add_test(tc, work_that_takes_its_time_says_that_it_goes_on);
	tcase_add_test(tc, progress_has_what_the_owner_says);
	tcase_add_test(tc, an_answer_for_who_has_gone_is_dropped);
	tcase_add_loop_test(tc, a_request_that_is_none_is_told_what_there_is, 0,
	                    (int)(sizeof wrong / sizeof *wrong));
	tcase_add_test(tc, a_line_has_a_limit);
	tcase_add_test(tc, who_does_not_finish_his_line_is_cut_off);
}

static void add_bytes(TCase *tc)
{
	tcase_add_test(tc,
	               a_backup_is_sent_whole_and_a_slow_reader_delays_nobody);
	tcase_add_test(tc, a_backup_that_comes_later_is_sent_then);
	tcase_add_test(tc, who_takes_nothing_of_his_backup_is_cut_off);
	tcase_add_test(tc, an_empty_file_is_a_backup_of_no_bytes);
	tcase_add_test(tc, the_bytes_of_a_restore_are_kept_and_judged);
	tcase_add_test(tc, a_restore_may_come_with_its_line);
	tcase_add_test(tc, a_restore_of_no_bytes_is_judged_too);
	tcase_add_test(tc, a_restore_that_is_refused_takes_no_bytes);
	tcase_add_test(tc, a_restore_that_breaks_off_is_told_to_the_owner_once);
	tcase_add_test(tc, who_sends_nothing_of_his_restore_is_cut_off);
	tcase_add_test(tc, a_restore_that_cannot_be_kept_is_told_so);
	tcase_add_test(tc, closing_ends_all_that_is_under_way);
}

int main(void)
{
	Suite *s = suite_create("control");
	TCase *tc;
	SRunner *sr;
	int failed;

	add_requests(group(s, "requests"));
	add_bytes(group(s, "backup and restore"));
	tc = group(s, "who may");
	tcase_add_test(tc, one_connection_too_many_is_told_so);
	tcase_add_test(tc, the_socket_is_for_its_user_alone);
	tcase_add_test(tc, a_stranger_is_told_that_he_may_not);
	tcase_add_test(
		tc,
		a_missing_directory_is_made_and_what_is_left_there_replaced);
	tcase_add_test(tc, a_socket_in_use_is_refused_and_stays);
	tcase_add_test(tc, a_file_that_is_no_socket_is_refused_and_stays);
	tcase_add_test(tc, a_path_that_cannot_be_is_refused);
	tcase_add_test(tc, connecting_says_why_it_cannot);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
