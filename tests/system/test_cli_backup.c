/*
 * test_cli_backup.c - `muster broker`, `backup` and `restore` against a real
 * broker: what was backed up while it served is what another one then has.
 */
#include "last_run.h"
#include "zst.h"

#include <muster/client.h>

#include <check.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cluster cluster;
static char ctl[CLUSTER_PATH_MAX + 16];

#define CONTROL(...) MUSTER(__VA_ARGS__, "--control", ctl)

static const char *in_dir(const char *name)
{
	return cluster_file(&cluster, name);
}

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	cluster_open(&cluster);
	snprintf(ctl, sizeof ctl, "%s/broker.ctl", cluster.dir);
	cluster_broker_start(&cluster);
}

static void teardown(void)
{
	run_free(&r);
	cluster_close(&cluster);
}

/* Another broker, with nothing in it. */
static void begin_anew(void)
{
	char command[4 * CLUSTER_PATH_MAX];

	cluster_broker_stop(&cluster, SIGTERM);
	snprintf(command, sizeof command, "rm -rf '%s/broker'", cluster.dir);
	ck_assert_int_eq(system(command), 0);
	cluster_broker_start(&cluster);
	ck_exit(2, MUSTER("get", "/a"));
}

START_TEST(status_snapshot_and_verify_answer)
{
	cluster_edit("create", "/a", "1");
	ck_exit(0, CONTROL("broker", "status", "--json"));
	ck_has(r.out, "\"nodes\":");
	ck_exit(0, CONTROL("broker", "snapshot"));
	ck_exit(0, CONTROL("broker", "snapshot")); /* nothing has changed */
	ck_exit(0, CONTROL("broker", "verify"));
	ck_exit(0, MUSTER("get", "/a"));
}
END_TEST

START_TEST(a_backup_has_all_that_the_broker_had)
{
	char *before;

	cluster_edit("create", "/a", "1");
	cluster_edit("create", "/a/null", NULL);
	cluster_edit("create", "/a/b", "two");
	cluster_edit("set", "/a/b", "three");
	ck_exit(0, MUSTER("stat", "--json", "/a"));
	before = strdup(r.out);
	ck_exit(0, CONTROL("backup", in_dir("one")));
	cluster_edit("set", "/a/b", "later");
	begin_anew();
	ck_exit(0, CONTROL("restore", in_dir("one")));
	if (program_is_running(&cluster.broker))
		cluster_broker_stop(&cluster, SIGTERM);
	cluster_broker_start(&cluster);
	ck_assert(cluster_node_is("/a", "1"));
	ck_assert(cluster_node_is("/a/b", "three"));
	ck_exit(0, MUSTER("get", "--json", "/a/null"));
	ck_has(r.out, "\"data\":null");
	ck_exit(0, MUSTER("stat", "--json", "/a"));
	ck_assert_str_eq(r.out, before);
	free(before);
	/* And it goes on from there. */
	cluster_edit("create", "/a/new", "n");
	cluster_broker_restart(&cluster, SIGKILL);
	ck_assert(cluster_node_is("/a/new", "n"));
	ck_assert(cluster_node_is("/a/b", "three"));
}
END_TEST

START_TEST(a_broker_with_nodes_takes_no_restore)
{
	cluster_edit("create", "/a", "1");
	ck_exit(0, CONTROL("backup", in_dir("one")));
	cluster_edit("set", "/a", "2");
	ck_exit(5, CONTROL("restore", in_dir("one")));
	ck_assert_str_ne(r.err, "");
	ck_assert(cluster_node_is("/a", "2"));
}
END_TEST

/* zstd finds nothing wrong with it: the broker has to. */
static int to_file(void *arg, const void *p, size_t len)
{
	return fwrite(p, 1, len, arg) == len ? 0 : MU_EIO;
}

static void pack(const char *path, const void *p, size_t len)
{
	FILE *f = fopen(path, "wb");
	struct mu_zst *z;

	ck_assert_int_eq(mu_zst_pack_new(len, &z), 0);
	ck_assert_int_eq(mu_zst_feed(z, p, len, to_file, f, NULL), 0);
	ck_assert_int_eq(mu_zst_done(z, to_file, f, NULL), 0);
	mu_zst_free(z);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(what_is_no_snapshot_is_refused_and_nothing_has_changed)
{
	pack(in_dir("text"), "this is no snapshot", 19);
	ck_exit(1, CONTROL("restore", in_dir("text")));
	pack(in_dir("none"), "", 0);
	ck_exit(1, CONTROL("restore", in_dir("none")));
	cluster_edit("create", "/a", "1");
	cluster_broker_restart(&cluster, SIGKILL);
	ck_assert(cluster_node_is("/a", "1"));
}
END_TEST

/* ---- while others write ------------------------------------------------------------- */

struct writer {
	pthread_t thread;
	volatile bool stop;
	unsigned written;
};

/* Two nodes in one transaction, always the same value. */
static void *write_pairs(void *arg)
{
	struct writer *w = arg;
	struct mu_client_options o = { .size = sizeof o,
		                       .brokers = cluster.url };
	struct mu_client *c;
	char value[16];

	if (mu_client_new(&o, &c, NULL) || mu_client_wait(c, WAIT_MS, NULL))
		return NULL;
	while (!w->stop) {
		struct mu_multi_op ops[2] = {
			{ .kind = MU_OPKIND_SET, .path = "/a", .version = -1 },
			{ .kind = MU_OPKIND_SET, .path = "/b", .version = -1 },
		};

		ops[0].data = ops[1].data = value;
		ops[0].len = ops[1].len =
			snprintf(value, sizeof value, "%u", ++w->written);
		if (mu_client_multi_sync(c, ops, 2, NULL, WAIT_MS, NULL))
			break;
	}
	mu_client_close(c, WAIT_MS);
	mu_client_free(c);
	return NULL;
}

START_TEST(a_backup_while_others_write_is_of_one_moment)
{
	struct writer w = { .stop = false };
	char *a;

	cluster_edit("create", "/a", "0");
	cluster_edit("create", "/b", "0");
	ck_assert_int_eq(pthread_create(&w.thread, NULL, write_pairs, &w), 0);
	for (int i = 0; i < 3; i++)
		ck_exit(0, CONTROL("backup", "--force", in_dir("one")));
	w.stop = true;
	pthread_join(w.thread, NULL);
	ck_assert_uint_gt(w.written, 0);
	begin_anew();
	ck_exit(0, CONTROL("restore", in_dir("one")));
	if (program_is_running(&cluster.broker))
		cluster_broker_stop(&cluster, SIGTERM);
	cluster_broker_start(&cluster);
	ck_exit(0, MUSTER("get", "/a"));
	a = strdup(r.out);
	ck_exit(0, MUSTER("get", "/b"));
	ck_assert_str_eq(r.out, a);
	free(a);
}
END_TEST

START_TEST(a_killed_brokers_socket_is_taken_over)
{
	struct stat st;

	ck_assert_int_eq(stat(ctl, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	cluster_broker_stop(&cluster, SIGKILL);
	ck_exit(4, CONTROL("broker", "status"));
	cluster_broker_start(&cluster);
	ck_exit(0, CONTROL("broker", "status"));
	cluster_broker_stop(&cluster, SIGTERM);
	ck_assert_int_ne(access(ctl, F_OK), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli_backup");
	TCase *t = tcase_create("backup");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 180);
	tcase_add_test(t, status_snapshot_and_verify_answer);
	tcase_add_test(t, a_backup_has_all_that_the_broker_had);
	tcase_add_test(t, a_broker_with_nodes_takes_no_restore);
	tcase_add_test(t,
	               what_is_no_snapshot_is_refused_and_nothing_has_changed);
	tcase_add_test(t, a_backup_while_others_write_is_of_one_moment);
	tcase_add_test(t, a_killed_brokers_socket_is_taken_over);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
