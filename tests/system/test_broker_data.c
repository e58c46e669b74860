/* A broker and its data directory: restores that are killed, or that others write
 * into; trouble that is told once; what verify, --check-data and --repair say. */
#include "crash_bed.h"
#include "last_run.h"
#include "unixsock.h"

#include <muster/client.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct crash_bed bed;
static char ctl[CLUSTER_PATH_MAX + 16];
static char backup[CLUSTER_PATH_MAX + 16];

#define CONTROL(...) MUSTER(__VA_ARGS__, "--control", ctl)

static void start(void)
{
	ck_assert_msg(crash_bed_start(&bed), "the broker did not start");
}

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	crash_bed_open(&bed, false, false, "snapshot_interval_s = 0;\n");
	snprintf(ctl, sizeof ctl, "%s/broker.ctl", bed.k.dir);
	snprintf(backup, sizeof backup, "%s/backup", bed.k.dir);
	setenv("MUSTER_BROKER", bed.k.ipc, 1);
	start();
}

static void teardown(void)
{
	run_free(&r);
	crash_bed_close(&bed);
}

static void stop(int signum)
{
	const int code = signum == SIGKILL ? 128 + SIGKILL : 0;

	ck_assert_int_eq(program_stop(&bed.k.broker, signum), code);
	crash_wait_child(&bed.c);
}

static void begin_anew(void)
{
	char command[4 * CLUSTER_PATH_MAX];

	stop(SIGKILL);
	snprintf(command, sizeof command, "rm -rf '%s'/*", bed.data);
	ck_assert_int_eq(system(command), 0);
}

/* A backup of ten nodes and their sum. */
static void make_backup(void)
{
	char path[16];

	cluster_edit("create", "/b", "whole");
	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof path, "/b/%d", i);
		cluster_edit("create", path, "x");
	}
	ck_exit(0, CONTROL("backup", backup));
}

static bool is_restored(void)
{
	if (MUSTER("ls", "/b") != 0)
		return false;
	for (char i = '0'; i <= '9'; i++)
		ck_assert_msg(strchr(r.out, i) != NULL, "half a tree: %s",
		              r.out);
	ck_assert(cluster_node_is("/b", "whole"));
	return true;
}

static bool is_ready(void *arg)
{
	(void)arg;
	return access(bed.k.ready, F_OK) == 0 && is_restored();
}

/* ---- restore ---- */

static unsigned descriptors_before;

static bool are_as_before(void *arg)
{
	(void)arg;
	return process_descriptors(bed.k.broker.pid) <= descriptors_before;
}

START_TEST(a_restored_broker_is_ready_again_and_holds_no_more_than_before)
{
	make_backup();
	begin_anew();
	start();
	ck_exit(2, MUSTER("get", "/b"));
	descriptors_before = process_descriptors(bed.k.broker.pid);
	ck_exit(0, CONTROL("restore", backup));
	ck_assert(wait_for(is_ready, NULL, WAIT_MS));
	ck_assert(program_is_running(&bed.k.broker));
	ck_assert(wait_for(are_as_before, NULL, WAIT_MS));
	ck_assert_uint_eq(file_count(bed.k.log, "a backup was restored"), 1);
	/* It serves, keeps what it is told, and stops as any other. */
	cluster_edit("create", "/later", "1");
	stop(SIGTERM);
	ck_assert_int_ne(access(bed.k.ready, F_OK), 0);
	start();
	ck_assert(is_restored());
	ck_assert(cluster_node_is("/later", "1"));
}
END_TEST

/* Done, or killed after it was answered. */
static bool is_over(void *arg)
{
	(void)arg;
	return bed.c.plan->hits > 0 ||
	       (file_count(bed.k.log, " msg=listening ") == 2 &&
	        access(bed.k.ready, F_OK) == 0);
}

/* At each call by which it changes the directory. */
START_TEST(a_restore_that_is_killed_leaves_all_or_nothing)
{
	unsigned nothing = 0, all = 0;
	bool killed = true;

	make_backup();
	for (uint32_t at = 0; killed && at < 100; at++) {
		begin_anew();
		crash_arm(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
		unlink(bed.k.log);
		start();
		ck_exit(2, MUSTER("get", "/b"));
		bed.c.plan->calls = 0;
		bed.c.plan->at = at;
		bed.c.plan->act = at % 2 ? CRASH_KILL_AFTER : CRASH_KILL_BEFORE;
		CONTROL("restore", backup);
		if (r.exit == 0)
			ck_assert(wait_for(is_over, NULL, WAIT_MS));
		bed.c.plan->act = CRASH_COUNT;
		killed = bed.c.plan->hits > 0;
		if (killed)
			ck_assert_int_eq(crash_bed_end(&bed), 128 + SIGKILL);
		crash_arm(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
		if (killed)
			start();
		if (is_restored())
			all++;
		else
			nothing++;
		cluster_edit("create", "/goes-on", "1");
	}
	ck_assert(!killed);
	ck_assert_uint_gt(nothing, 0);
	ck_assert_uint_gt(all, 2);
}
END_TEST

/* What is asked of the control socket by hand. */
static int ask(const char *line)
{
	struct mu_err err;
	int fd;

	ck_assert_msg(mu_unix_connect(ctl, &fd, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(send(fd, line, strlen(line), 0),
	                 (ssize_t)strlen(line));
	return fd;
}

/* A line, without its end; those that say progress are passed over. */
static const char *answer(int fd)
{
	static char line[600];

	do {
		size_t len = 0;

		while (len < sizeof line - 1 &&
		       recv(fd, line + len, 1, 0) == 1 && line[len] != '\n')
			len++;
		line[len] = '\0';
	} while (strncmp(line, "progress", 8) == 0);
	return line;
}

/* Acknowledged is acknowledged. */
START_TEST(a_node_that_came_while_the_bytes_came_is_not_lost)
{
	int fd = ask("restore 10\n");

	ck_assert_str_eq(answer(fd), "ready");
	cluster_edit("create", "/mine", "1");
	ck_assert_int_eq(send(fd, "0123456789", 10, 0), 10);
	ck_has(answer(fd), "error -111 the broker has a tree of 6 nodes");
	close(fd);
	ck_assert(cluster_node_is("/mine", "1"));
	stop(SIGKILL);
	start();
	ck_assert(cluster_node_is("/mine", "1"));
}
END_TEST

START_TEST(one_restore_at_a_time)
{
	int first = ask("restore 10\n"), second;

	ck_assert_str_eq(answer(first), "ready");
	second = ask("restore 10\n");
	ck_has(answer(second), "another restore is under way");
	close(second);
	ck_assert_int_eq(send(first, "0123456789", 10, 0), 10);
	ck_has(answer(first), "error -3 ");
	close(first);
	first = ask("restore 10\n");
	ck_assert_str_eq(answer(first), "ready");
	close(first);
}
END_TEST

/* The broker ends while one is under way: nothing of it is left. */
START_TEST(a_stop_in_a_restore_drops_it)
{
	char place[CLUSTER_PATH_MAX + 64];
	int fd = ask("restore 10\n");

	ck_assert_str_eq(answer(fd), "ready");
	snprintf(place, sizeof place, "%s/restore.tmp", bed.data);
	ck_assert_int_eq(access(place, F_OK), 0);
	stop(_i ? SIGKILL : SIGTERM);
	close(fd);
	if (_i)
		start();
	ck_assert_int_ne(access(place, F_OK), 0);
}
END_TEST

/* ---- trouble ---- */

/* How often the broker's loop went to sleep. */
static unsigned long sleeps(void)
{
	char path[64], *text, *at;
	unsigned long count;

	snprintf(path, sizeof path, "/proc/%d/status", (int)bed.k.broker.pid);
	text = file_read(path, NULL);
	ck_assert_ptr_nonnull(text);
	at = strstr(text, "\nvoluntary_ctxt_switches:");
	ck_assert_ptr_nonnull(at);
	count = strtoul(strchr(at, ':') + 1, NULL, 10);
	free(text);
	return count;
}

/* What it has used of a processor, in ticks of which a second has 100. */
static unsigned long used(void)
{
	unsigned long user = 0, system = 0;
	char path[64], *text;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)bed.k.broker.pid);
	text = file_read(path, NULL);
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(sscanf(strrchr(text, ')'),
	                        ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u "
	                        "%*u %lu %lu",
	                        &user, &system),
	                 2);
	free(text);
	return user + system;
}

static unsigned long sleeps_before;

static bool has_slept(void *arg)
{
	(void)arg;
	return sleeps() > sleeps_before + 20;
}

#define REFUSED "writes are refused"
#define TAKEN "writes are taken again"

static bool was_taken(void *arg)
{
	return file_count(bed.k.log, TAKEN) >= *(unsigned *)arg;
}

static int set(struct mu_client *c, const char *text)
{
	return mu_client_set_sync(c, "/a", text, (int32_t)strlen(text), -1,
	                          NULL, WAIT_MS, NULL);
}

/* However many are refused; and a broker that recovered by itself is idle: its
 * loop is not kept awake by the news. */
START_TEST(trouble_is_told_when_it_begins_and_when_it_ends)
{
	struct mu_client_options o = { .size = sizeof o, .brokers = bed.k.ipc };
	unsigned long used_before;
	struct mu_client *c;

	cluster_edit("create", "/a", "1");
	for (unsigned round = 1; round <= 2; round++) {
		ck_assert_int_eq(mu_client_new(&o, &c, NULL), 0);
		ck_assert_int_eq(mu_client_wait(c, WAIT_MS, NULL), 0);
		crash_now(&bed.c, CRASH_FAIL, CRASH_CHANGES, ENOSPC);
		for (int i = 0; i < 10; i++)
			ck_assert_int_eq(set(c, "never"), MU_ENOSPACE);
		ck_assert_uint_eq(file_count(bed.k.log, REFUSED), round);
		ck_assert_uint_eq(file_count(bed.k.log, TAKEN), round - 1);
		ck_exit(0, CONTROL("broker", "status", "--json"));
		ck_has(r.out, "\"state\":\"read-only\"");
		ck_has(r.out, "\"trouble\":\"cannot ");
		mu_client_free(c); /* its session stays */
		crash_now(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
		ck_assert(wait_for(was_taken, &round, WAIT_MS));
		sleeps_before = sleeps();
		used_before = used();
		ck_assert(wait_for(has_slept, NULL, WAIT_MS));
		ck_assert_uint_lt(used() - used_before, 20);
		ck_exit(0, CONTROL("broker", "status", "--json"));
		ck_has(r.out, "\"state\":\"ready\"");
		ck_assert(cluster_node_is("/a", "1"));
	}
	cluster_edit("set", "/a", "2");
	ck_assert_uint_eq(file_count(bed.k.log, REFUSED), 2);
	ck_assert_uint_eq(file_count(bed.k.log, TAKEN), 2);
}
END_TEST

/* ---- looking ---- */

static const char *first_of(const char *prefix)
{
	static char path[CLUSTER_PATH_MAX + 300];
	struct dirent *e;
	DIR *d = opendir(bed.data);

	ck_assert_ptr_nonnull(d);
	path[0] = '\0';
	while ((e = readdir(d)))
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			snprintf(path, sizeof path, "%s/%s", bed.data,
			         e->d_name);
	closedir(d);
	ck_assert_str_ne(path, "");
	return path;
}

static void spoil(const char *path, long at)
{
	FILE *f = fopen(path, "r+b");
	int byte;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
	byte = fgetc(f);
	ck_assert_int_eq(fseek(f, -1, SEEK_CUR), 0);
	fputc(byte ^ 4, f);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(verify_names_the_damaged_file_and_the_broker_goes_on)
{
	cluster_edit("create", "/a", "1");
	ck_exit(0, CONTROL("broker", "snapshot"));
	ck_exit(0, CONTROL("broker", "verify"));
	ck_has(r.out, "snapshot-");
	ck_has(r.out, ": good\n");
	spoil(first_of("snapshot-"), 300);
	ck_exit(1, CONTROL("broker", "verify"));
	ck_has(r.err, "snapshot-0");
	ck_has(r.err, "DAMAGED");
	cluster_edit("set", "/a", "2");
	ck_assert(cluster_node_is("/a", "2"));
}
END_TEST

static int broker(const char *one, const char *two, const char *three,
                  const char *four)
{
	const char *argv[] = {
		cluster_program("muster-broker"), one, two, three, four, NULL
	};

	return run_next((struct run){ .argv = argv });
}

START_TEST(the_program_looks_and_mends_and_says_so_by_its_exit_code)
{
	cluster_edit("create", "/a", "1");
	cluster_edit("create", "/b", "1");
	cluster_edit("create", "/c", "1");
	ck_exit(1, broker("--check-data", bed.data, NULL, NULL));
	ck_has(r.err, "a broker is at work");
	stop(SIGTERM);
	ck_exit(0, broker("--check-data", bed.data, NULL, NULL));
	ck_has(r.out, ": good");
	ck_exit(0, broker("--repair", bed.data, NULL, NULL));
	spoil(first_of("journal-"), 64 + 60);
	ck_exit(1, broker("--check-data", bed.data, NULL, NULL));
	ck_has(r.out, "DAMAGED");
	ck_exit(1, broker("--repair", bed.data, NULL, NULL));
	ck_has(r.out, "nothing was changed");
	ck_assert(!crash_bed_start(&bed));
	ck_assert_int_eq(crash_bed_end(&bed), 1);
	ck_exit(0, broker("--repair", bed.data, "--yes", NULL));
	ck_has(r.out, "cut");
	first_of("lost-journal-");
	ck_exit(0, broker("--check-data", bed.data, NULL, NULL));
	start();
	cluster_edit("create", "/new", "1");
}
END_TEST

START_TEST(arguments_that_do_not_fit_together_are_refused)
{
	ck_exit(64, broker("--yes", NULL, NULL, NULL));
	ck_exit(64, broker("--check-data", bed.data, "--yes", NULL));
	ck_exit(64, broker("--check-data", bed.data, "--repair", bed.data));
	ck_exit(64, broker("--check-data", NULL, NULL, NULL));
	ck_exit(1, broker("--check-data", "/nowhere/at/all", NULL, NULL));
	ck_has(r.err, "is no directory");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("broker_data");
	TCase *t = tcase_create("data");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 300);
	tcase_add_test(
		t,
		a_restored_broker_is_ready_again_and_holds_no_more_than_before);
	tcase_add_test(t, a_restore_that_is_killed_leaves_all_or_nothing);
	tcase_add_test(t, a_node_that_came_while_the_bytes_came_is_not_lost);
	tcase_add_test(t, one_restore_at_a_time);
	tcase_add_loop_test(t, a_stop_in_a_restore_drops_it, 0, 2);
	tcase_add_test(t, trouble_is_told_when_it_begins_and_when_it_ends);
	tcase_add_test(t, verify_names_the_damaged_file_and_the_broker_goes_on);
	tcase_add_test(
		t, the_program_looks_and_mends_and_says_so_by_its_exit_code);
	tcase_add_test(t, arguments_that_do_not_fit_together_are_refused);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
