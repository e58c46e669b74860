/*
 * test_cli_control.c - `muster broker`, `backup` and `restore` as a user runs
 * them, with the broker's real control socket and a made-up broker behind it, in
 * a process beside the test.
 */
#include "child.h"
#include "control.h"
#include "last_run.h"
#include "unixsock.h"
#include "zst.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATE_BYTES 700001u

static char dir[64], ctl[96], state[96], kept[96];
static unsigned char *bytes; /* of the state; STATE_BYTES */
static pid_t server;

/* ---- the made-up broker ----------------------------------------------------------- */

static struct {
	bool refuses;  /* everything */
	bool damaged;  /* the state breaks off while it is sent */
	bool occupied; /* takes no restore */
} behaves;

static struct mu_control *control;
static int kept_fd = -1;

static char *on_status(void *arg)
{
	(void)arg;
	return strdup("{\"nodes\":3,\"sessions\":{\"used\":1,\"max\":10},"
	              "\"word\":\"two words\",\"list\":[1,2]}");
}

static int no(struct mu_err *e)
{
	snprintf(e->msg, sizeof e->msg, "the disk is full");
	return MU_ENOSPACE;
}

static int on_snapshot(void *arg, uint64_t job, struct mu_err *e)
{
	(void)arg;
	if (behaves.refuses)
		return no(e);
	mu_control_done(control, job, 0, "{\"index\":7}");
	return 0;
}

static int on_verify(void *arg, uint64_t job, struct mu_err *e)
{
	(void)arg, (void)e;
	mu_control_done(control, job, 0, "all is well\n");
	return 0;
}

static int on_backup(void *arg, uint64_t job, struct mu_err *e)
{
	int fd;

	(void)arg;
	if (behaves.refuses)
		return no(e);
	fd = open(state, O_RDWR | O_CLOEXEC);
	mu_control_give(control, job, fd);
	if (behaves.damaged && ftruncate(fd, STATE_BYTES / 2))
		_exit(1);
	return 0;
}

static int on_restore_begin(void *arg, uint64_t job, uint64_t len, int *fd,
                            struct mu_err *e)
{
	(void)arg, (void)job, (void)len;
	if (behaves.occupied) {
		snprintf(e->msg, sizeof e->msg,
		         "this broker has 12 nodes; stop it and move its "
		         "data_dir away first");
		return MU_ENOTEMPTY;
	}
	*fd = kept_fd =
		open(kept, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return 0;
}

static int on_restore_end(void *arg, uint64_t job, bool whole, struct mu_err *e)
{
	(void)arg;
	close(kept_fd);
	if (!whole) {
		unlink(kept);
		return 0;
	}
	if (behaves.refuses) {
		snprintf(e->msg, sizeof e->msg, "no snapshot");
		return MU_EDATA;
	}
	mu_control_done(control, job, 0, "3 nodes restored");
	return 0;
}

static void serve(void)
{
	const struct mu_control_owner owner = {
		on_status,        on_snapshot,    on_verify, on_backup,
		on_restore_begin, on_restore_end, NULL,
	};
	const struct mu_control_config config = { .path = ctl };
	struct mu_loop *loop;
	struct mu_err err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mu_loop_new(&loop, &err) ||
	    mu_control_open(loop, &config, &owner, &control, &err))
		_exit(1);
	mu_loop_run(loop);
	_exit(0);
}

static bool listens(void *arg)
{
	struct mu_err err;
	int fd;

	(void)arg;
	if (mu_unix_connect(ctl, &fd, &err))
		return false;
	close(fd);
	return true;
}

static void start(void)
{
	server = child_fork();
	if (server == 0)
		serve();
	ck_assert(wait_for(listens, NULL, WAIT_MS));
}

static void setup(void)
{
	dir_make(dir, sizeof dir);
	snprintf(ctl, sizeof ctl, "%s/ctl", dir);
	snprintf(state, sizeof state, "%s/state", dir);
	snprintf(kept, sizeof kept, "%s/kept", dir);
	bytes = malloc(STATE_BYTES);
	for (size_t i = 0; i < STATE_BYTES; i++)
		bytes[i] = (unsigned char)(i * 2654435761u >> 11);
	file_write(state, bytes, STATE_BYTES);
	memset(&behaves, 0, sizeof behaves);
	server = 0;
}

static void teardown(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	run_free(&r);
	free(bytes);
	dir_remove(dir);
}

/* ---- running it --------------------------------------------------------------------- */

static const char *in_dir(const char *name)
{
	static char path[2][128];
	static unsigned next;
	char *out = path[next++ % 2];

	snprintf(out, sizeof path[0], "%s/%s", dir, name);
	return out;
}

/* `muster ARGUMENT... --control <ctl>`: its exit code. */
static int muster(struct run *how, const char *const *args)
{
	const char *argv[16] = { MU_BUILD "/muster" };
	size_t n = 1;

	while (*args)
		argv[n++] = *args++;
	argv[n++] = "--control";
	argv[n] = ctl;
	how->argv = argv;
	return run_next(*how);
}
#define CONTROL(...) \
	muster(&(struct run){ .argv = NULL }, \
	       (const char *const[]){ __VA_ARGS__, NULL })

static void assert_file_is_state(const char *path)
{
	size_t len;
	char *got = file_read(path, &len);

	ck_assert_ptr_nonnull(got);
	ck_assert_uint_eq(len, STATE_BYTES);
	ck_assert(memcmp(got, bytes, len) == 0);
	free(got);
}

/* ---- broker --------------------------------------------------------------------------- */

START_TEST(status_is_a_line_a_number_or_json)
{
	start();
	ck_exit(0, CONTROL("broker", "status"));
	ck_has(r.out, "nodes                       3\n");
	ck_has(r.out, "sessions.used               1\n");
	ck_has(r.out, "sessions.max                10\n");
	ck_has(r.out, "word                        two words\n");
	ck_has(r.out, "list                        [1,2]\n");
	ck_exit(0, CONTROL("broker", "status", "--json"));
	ck_has(r.out, "{\"nodes\":3,\"sessions\":{\"used\":1,");
	ck_assert_str_eq(r.err, "");
}
END_TEST

START_TEST(snapshot_and_verify_print_what_the_broker_says)
{
	start();
	ck_exit(0, CONTROL("broker", "snapshot"));
	ck_has(r.out, "index                       7\n");
	ck_exit(0, CONTROL("broker", "verify"));
	ck_assert_str_eq(r.out, "all is well\n");
	ck_exit(0, CONTROL("broker", "verify", "--json"));
	ck_assert_str_eq(r.out, "{\"message\":\"all is well\"}\n");
}
END_TEST

START_TEST(a_refusal_is_printed_and_exit_1)
{
	behaves.refuses = true;
	start();
	ck_exit(1, CONTROL("broker", "snapshot"));
	ck_assert_str_eq(r.err, "muster broker: the disk is full\n");
	ck_exit(1, CONTROL("backup", in_dir("b")));
	ck_assert_str_eq(r.err, "muster backup: the disk is full\n");
	ck_assert_int_ne(access(in_dir("b"), F_OK), 0);
}
END_TEST

START_TEST(without_a_broker_it_is_exit_4)
{
	int fd;

	ck_exit(4, CONTROL("broker", "status"));
	ck_has(r.err, "there is no such socket; does the broker run");
	ck_exit(4, CONTROL("backup", in_dir("b")));
	ck_assert_int_ne(access(in_dir("b"), F_OK), 0);
	file_write_text(ctl, "");
	ck_exit(4, CONTROL("broker", "status"));
	unlink(ctl);
	/* One that listens and does not answer. */
	ck_assert_int_eq(mu_unix_listen(ctl, 0600, &fd, NULL), 0);
	ck_exit(4, CONTROL("broker", "status", "-t", "100ms"));
	ck_has(r.err, "does not answer");
	close(fd);
	ck_exit(4, CONTROL("broker", "status"));
	ck_has(r.err, "nobody answers there");
}
END_TEST

/* Of another program's socket nothing is believed. */
static void answer_with(int listening, const char *text)
{
	struct mu_unix_peer peer;
	char line[64];
	int fd;

	while (mu_unix_accept(listening, &fd, &peer) == MU_EAGAIN) {
		struct pollfd p = { listening, POLLIN, 0 };

		poll(&p, 1, -1);
	}
	fcntl(fd, F_SETFL, 0);
	if (recv(fd, line, sizeof line, 0) > 0)
		(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
	_exit(0);
}

static const char *const lies[] = {
	"",       "ok\n",         "ok x\n", "ok 5\nabc", "ok 1x\n",
	"HTTP\n", "progress 1\n", "ok",     "progress ", "ready\n",
};

START_TEST(an_answer_that_is_none_is_exit_4)
{
	int fd;

	ck_assert_int_eq(mu_unix_listen(ctl, 0600, &fd, NULL), 0);
	server = child_fork();
	if (server == 0)
		answer_with(fd, lies[_i]);
	close(fd);
	ck_exit(4, CONTROL("backup", in_dir("b")));
	ck_assert_str_ne(r.err, "");
	ck_assert_int_ne(access(in_dir("b"), F_OK), 0);
}
END_TEST

START_TEST(arguments_are_checked)
{
	ck_exit(64, CONTROL("broker"));
	ck_exit(64, CONTROL("broker", "stats"));
	ck_has(r.err, "none of status, snapshot, verify");
	ck_exit(64, CONTROL("backup"));
	ck_exit(64, CONTROL("restore"));
	ck_exit(64, CONTROL("broker", "status", "--force"));
	strcpy(ctl, "run/ctl");
	ck_exit(64, CONTROL("broker", "status"));
	ck_has(r.err, "begins with /");
	ck_exit(0, CONTROL("broker", "--help"));
	ck_has(r.out, "/run/muster/broker.ctl");
}
END_TEST

/* ---- backup, restore -------------------------------------------------------------------- */

START_TEST(a_backup_is_restored_byte_by_byte)
{
	struct stat st;

	start();
	ck_exit(0, CONTROL("backup", in_dir("b")));
	ck_has(r.out, "/b: 700001 bytes, packed ");
	ck_assert_str_eq(r.err, "");
	ck_assert_int_eq(stat(in_dir("b"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_exit(0, CONTROL("restore", in_dir("b")));
	ck_assert_str_eq(r.out, "3 nodes restored\n");
	assert_file_is_state(kept);
}
END_TEST

START_TEST(a_pipe_is_as_good_as_a_file)
{
	struct run how = { .argv = NULL };

	start();
	ck_exit(0, CONTROL("backup", "-"));
	ck_assert_uint_gt(r.out_len, 1000);
	how.in = malloc(r.out_len);
	how.in_len = r.out_len;
	memcpy((void *)(uintptr_t)how.in, r.out, r.out_len);
	ck_exit(0, muster(&how, (const char *const[]){ "restore", "-", NULL }));
	assert_file_is_state(kept);
	free((void *)(uintptr_t)how.in);
}
END_TEST

START_TEST(a_backup_replaces_a_file_only_by_force)
{
	start();
	file_write_text(in_dir("b"), "mine");
	ck_exit(5, CONTROL("backup", in_dir("b")));
	ck_has(r.err, "is there already; --force replaces it");
	ck_assert(file_has(in_dir("b"), "mine"));
	ck_exit(0, CONTROL("backup", "--force", in_dir("b"), "--json"));
	ck_has(r.out, "{\"bytes\":700001,\"packed\":");
	ck_exit(0, CONTROL("restore", in_dir("b")));
	assert_file_is_state(kept);
}
END_TEST

START_TEST(a_backup_that_breaks_off_leaves_nothing)
{
	behaves.damaged = true;
	start();
	ck_exit(4, CONTROL("backup", in_dir("b")));
	ck_has(r.err, "closed the connection");
	ck_assert_int_ne(access(in_dir("b"), F_OK), 0);
	ck_exit(1, CONTROL("backup", in_dir("none/b")));
	ck_exit(64, muster(&(struct run){ .pty = true },
	                   (const char *const[]){ "backup", "-", NULL }));
	ck_has(r.out, "not for a terminal");
}
END_TEST

START_TEST(a_full_disk_is_told)
{
	const char *argv[] = { "/bin/sh",
		               "-c",
		               "\"$1\" backup - --control \"$2\" > /dev/full",
		               "sh",
		               MU_BUILD "/muster",
		               ctl,
		               NULL };

	start();
	ck_exit(1, run_next((struct run){ .argv = argv }));
	ck_has(r.err, "cannot write standard output: No space left");
}
END_TEST

START_TEST(a_broker_with_nodes_of_its_own_says_what_to_do)
{
	behaves.occupied = true;
	start();
	ck_exit(0, CONTROL("backup", in_dir("b")));
	ck_exit(5, CONTROL("restore", in_dir("b")));
	ck_assert_str_eq(r.err, "muster restore: this broker has 12 nodes; "
	                        "stop it and move its data_dir away first\n");
	ck_assert_int_ne(access(kept, F_OK), 0);
}
END_TEST

START_TEST(a_broker_that_finds_no_snapshot_in_it_says_so)
{
	start();
	ck_exit(0, CONTROL("backup", in_dir("b")));
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	behaves.refuses = true;
	start();
	ck_exit(1, CONTROL("restore", in_dir("b")));
	ck_assert_str_eq(r.err, "muster restore: no snapshot\n");
}
END_TEST

/* A damaged file is found before the broker is asked. */
START_TEST(a_damaged_backup_is_not_begun_on)
{
	size_t len;
	char *got;

	start();
	ck_exit(0, CONTROL("backup", in_dir("b")));
	got = file_read(in_dir("b"), &len);
	file_write(in_dir("short"), got, len - 1);
	got[len / 2] ^= 1;
	file_write(in_dir("flipped"), got, len);
	free(got);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	server = 0;
	ck_exit(1, CONTROL("restore", in_dir("short")));
	ck_has(r.err, "the data is cut off");
	ck_exit(1, CONTROL("restore", in_dir("flipped")));
	ck_has(r.err, "zstd: ");
	file_write_text(in_dir("text"), "{\"path\":\"/\"}");
	ck_exit(1, CONTROL("restore", in_dir("text")));
	ck_has(r.err, "not a file of zstd");
	file_write_text(in_dir("empty"), "");
	ck_exit(1, CONTROL("restore", in_dir("empty")));
	ck_exit(1, CONTROL("restore", in_dir("none")));
	ck_has(r.err, "muster restore: cannot open ");
	ck_has(r.err, "none: No such file");
	ck_has_not(r.err, "is it whole");
	ck_has(r.err, "No such file");
	ck_exit(1, CONTROL("restore", dir));
	ck_exit(4, CONTROL("restore", in_dir("b")));
}
END_TEST

static bool kept_is_gone(void *arg)
{
	(void)arg;
	return access(kept, F_OK) != 0;
}

/* From a pipe it cannot be: then the broker drops what came. */
START_TEST(a_damaged_pipe_leaves_nothing_in_the_broker)
{
	struct run how = { .argv = NULL };
	size_t len;
	char *got;

	start();
	ck_exit(0, CONTROL("backup", in_dir("b")));
	got = file_read(in_dir("b"), &len);
	how.in = got;
	how.in_len = len - 1;
	ck_exit(1, muster(&how, (const char *const[]){ "restore", "-", NULL }));
	ck_has(r.err, "standard input: the data is cut off");
	free(got);
	ck_assert(wait_for(kept_is_gone, NULL, WAIT_MS));
}
END_TEST

START_TEST(progress_is_for_terminals_only)
{
	start();
	ck_exit(0,
	        muster(&(struct run){ .pty = true },
	               (const char *const[]){ "backup", in_dir("b"), NULL }));
	ck_has(r.out, "\rbackup 0.7 of 0.7 MiB");
	ck_exit(0,
	        muster(&(struct run){ .pty = true },
	               (const char *const[]){ "restore", in_dir("b"), NULL }));
	ck_has(r.out, "\rrestore 0.7 of 0.7 MiB");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli_control");
	TCase *t = tcase_create("control");
	SRunner *sr;
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, status_is_a_line_a_number_or_json);
	tcase_add_test(t, snapshot_and_verify_print_what_the_broker_says);
	tcase_add_test(t, a_refusal_is_printed_and_exit_1);
	tcase_add_test(t, without_a_broker_it_is_exit_4);
	tcase_add_loop_test(t, an_answer_that_is_none_is_exit_4, 0,
	                    (int)(sizeof lies / sizeof *lies));
	tcase_add_test(t, arguments_are_checked);
	tcase_add_test(t, a_backup_is_restored_byte_by_byte);
	tcase_add_test(t, a_pipe_is_as_good_as_a_file);
	tcase_add_test(t, a_backup_replaces_a_file_only_by_force);
	tcase_add_test(t, a_backup_that_breaks_off_leaves_nothing);
	tcase_add_test(t, a_full_disk_is_told);
	tcase_add_test(t, a_broker_with_nodes_of_its_own_says_what_to_do);
	tcase_add_test(t, a_broker_that_finds_no_snapshot_in_it_says_so);
	tcase_add_test(t, a_damaged_backup_is_not_begun_on);
	tcase_add_test(t, a_damaged_pipe_leaves_nothing_in_the_broker);
	tcase_add_test(t, progress_is_for_terminals_only);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
