/*
 * test_cli_status.c - desired and applied, as `muster` tells of them: status of an
 * instance, wait, alarms, plugin release and reload. Records are written here as
 * agents write them, but for the last test, which has an agent. A broker for each
 * test.
 */
#include "json.h"
#include "last_run.h"

#include <check.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cluster cluster;
static struct program waiter;

static void up(void)
{
	cluster_open(&cluster);
	cluster_broker_conf(&cluster, true, NULL);
	cluster_broker_start(&cluster);
}

static void down(void)
{
	program_stop(&waiter, SIGKILL);
	run_free(&r);
	cluster_close(&cluster);
}

/* ---- the cluster, as it would be ---- */

static void set(const char *path, const char *text)
{
	struct run s = { 0 };

	ck_assert_int_eq(cluster_muster(&s, "set", "-c", path, text, NULL), 0);
	run_free(&s);
}

static int64_t zxid_of(const char *path)
{
	struct run s = { 0 };
	struct mu_json *j;
	int64_t zxid;

	ck_assert_int_eq(cluster_muster(&s, "stat", "--json", path, NULL), 0);
	ck_assert_int_eq(mu_json_parse(s.out, s.out_len, &j, NULL), 0);
	zxid = mu_json_get_int(j, "mzxid", 0);
	mu_json_free(j);
	run_free(&s);
	return zxid;
}

/* A member; `instances`: what stands between the braces, or NULL. */
static void member(const char *name, const char *instances)
{
	char path[64], text[512];

	snprintf(path, sizeof path, "/members/%s", name);
	snprintf(text, sizeof text, "{\"id\":\"1\",\"state\":\"up\"%s%s%s}",
	         instances ? ",\"instances\":{" : "",
	         instances ? instances : "", instances ? "}" : "");
	set(path, text);
}

/* A report on /config/page. */
static void report(const char *where, const char *state, int version,
                   int64_t zxid, const char *reason)
{
	char path[64], text[512];

	snprintf(path, sizeof path, "/applied/%s", where);
	snprintf(text, sizeof text,
	         "{\"path\":\"/config/page\",\"zxid\":%" PRId64
	         ",\"version\":%d,\"digest\":\"crc32c:0badcafe\","
	         "\"state\":\"%s\",\"reason\":\"%s\",\"at\":1}",
	         zxid, version, state, reason);
	set(path, text);
}

static void applied(const char *where, int version)
{
	report(where, "applied", version, zxid_of("/config/page"), "");
}

/* /config/page at this version. */
static void page_at(int version)
{
	for (int i = 0; i <= version; i++)
		set("/config/page", "text");
}

/* The row of a host, from its instance on; static. */
static const char *row_of(const char *host)
{
	static char row[512];
	char name[64];
	const char *at;

	snprintf(name, sizeof name, "  %s ", host);
	at = strstr(r.out, name);
	ck_assert_msg(at != NULL, "no row of %s in \"%s\"", host, r.out);
	while (at > r.out && at[-1] != '\n')
		at--;
	snprintf(row, sizeof row, "%.*s", (int)strcspn(at, "\n"), at);
	return row;
}

/* ---- status INSTANCE ---- */

START_TEST(status_of_an_instance_says_who_has_applied_what_and_why_not)
{
	page_at(1);
	member("a1", NULL);
	member("b1", NULL);
	member("c1", NULL);
	member("d1", "\"page\":\"starting\",\"other\":\"ready\"");
	applied("page/a1", 1);
	report("page/b1", "applied", 0, zxid_of("/config/page") - 1, "");
	report("page/c1", "rejected", 1, zxid_of("/config/page"),
	       "nginx says no");
	applied("page/e1", 1);
	ck_assert_int_eq(MUSTER("status", "page"), 1);
	ck_has(row_of("a1"), "page      applied ");
	ck_has(row_of("a1"), "/config/page  1        -      1     0x");
	ck_has(row_of("a1"), "crc32c:0badcafe");
	ck_has(row_of("b1"), "page      behind ");
	ck_has(row_of("b1"), "/config/page  0        -      1     0x");
	ck_has(row_of("c1"), "page      rejected ");
	ck_has(row_of("c1"), "/config/page  -        1      1     -  ");
	ck_has(row_of("c1"), "nginx says no");
	ck_has(row_of("d1"), "page      no report yet ");
	ck_has(row_of("d1"), "/config/page  -        -      1     -");
	ck_has(row_of("d1"), "starting");
	ck_has(row_of("e1"), "page      stale (applied) ");
	ck_out_has("\napplied by 1 of 4 live\n");
	ck_has_not(r.out, "other");
}
END_TEST

START_TEST(status_of_an_instance_ends_with_0_once_all_live_hosts_have_it)
{
	page_at(3);
	member("a1", NULL);
	member("b1", NULL);
	applied("page/a1", 3);
	report("page/gone", "failed", 2, 1, "no room");
	ck_assert_int_eq(MUSTER("status", "page"), 0);
	ck_has(row_of("gone"), "stale (failed)");
	ck_out_has("applied by 1 of 1 live");
	set("/config/page", "newer");
	ck_assert_int_eq(MUSTER("status", "page"), 1);
	ck_has(row_of("a1"), "behind");
}
END_TEST

START_TEST(the_same_version_of_a_node_made_again_is_another)
{
	page_at(0);
	member("a1", NULL);
	applied("page/a1", 0);
	ck_assert_int_eq(MUSTER("status", "page"), 0);
	ck_assert_int_eq(MUSTER("rm", "/config/page"), 0);
	ck_assert_int_eq(MUSTER("status", "page"), 1);
	ck_has(row_of("a1"), "behind");
	ck_has(row_of("a1"), "gone");
	page_at(0);
	ck_assert_int_eq(MUSTER("status", "page"), 1);
	ck_has(row_of("a1"), "behind");
	ck_has(row_of("a1"), "/config/page  0        -      0 ");
}
END_TEST

START_TEST(a_deletion_is_applied_by_who_reports_it)
{
	page_at(0);
	member("a1", NULL);
	report("page/a1", "applied", -1, 1, "the node is gone");
	ck_assert_int_eq(MUSTER("status", "page"), 1);
	ck_assert_int_eq(MUSTER("rm", "/config/page"), 0);
	ck_assert_int_eq(MUSTER("status", "page"), 0);
	ck_has(row_of("a1"), "page      applied ");
}
END_TEST

/* A report as an agent writes it of what was refused. */
static void refused(const char *where, const char *state, int version,
                    const char *in_force)
{
	char path[64], text[512];

	snprintf(path, sizeof path, "/applied/%s", where);
	snprintf(text, sizeof text,
	         "{\"path\":\"/config/page\",\"zxid\":7,\"version\":%d,"
	         "\"digest\":\"new\",\"state\":\"%s\",\"reason\":\"it says "
	         "no\",\"at\":1,\"in_force\":{%s}}",
	         version, state, in_force);
	set(path, text);
}

/* A report may name any path, and nodes of members and reports come and go. */
START_TEST(a_report_may_be_on_a_node_that_is_gone_wherever_that_was)
{
	static const char *const gone[] = { "/members/zz", "/applied/app/zz",
		                            "/alarms/zz", "/config/zz" };
	char text[200];

	member("web1", "\"app\":\"ready\"");
	for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
		snprintf(text, sizeof text,
		         "{\"path\":\"%s\",\"zxid\":1,\"version\":0,"
		         "\"digest\":\"\",\"state\":\"applied\","
		         "\"reason\":\"\",\"at\":1}",
		         gone[i]);
		set("/applied/app/web1", text);
		ck_exit(1, MUSTER("status", "app"));
		ck_has(row_of("web1"), gone[i]);
		ck_has(row_of("web1"), "gone");
		ck_has_not(r.out, "  zz ");
		ck_exit(0, MUSTER("status"));
	}
}
END_TEST

START_TEST(what_is_in_force_is_told_beside_what_was_refused)
{
	page_at(3);
	member("a1", NULL);
	member("b1", NULL);
	member("c1", NULL);
	refused("page/a1", "rejected", 3,
	        "\"path\":\"/config/page\",\"digest\":\"old\",\"zxid\":16,"
	        "\"version\":2,\"at\":1");
	refused("page/b1", "failed", 2,
	        "\"path\":\"/config/page\",\"digest\":\"\",\"zxid\":0,"
	        "\"version\":-1,\"at\":1");
	/* Of another node it is no version of this one. */
	refused("page/c1", "failed", 3,
	        "\"path\":\"/config/other\",\"digest\":\"x\",\"zxid\":5,"
	        "\"version\":9,\"at\":1");
	ck_assert_int_eq(MUSTER("status", "page"), 1);
	ck_has(row_of("a1"), "/config/page  2        3      3     0x10  old");
	ck_has(row_of("a1"), "it says no");
	ck_has(row_of("b1"), "/config/page  gone     2      3     -     -");
	ck_has(row_of("c1"), "/config/page  -        3      3     -     -");
	ck_assert_int_eq(MUSTER("status", "page", "--json"), 1);
	ck_out_has("\"version_in_force\":2,\"version_tried\":3}");
	ck_out_has("\"version_in_force\":-2,\"version_tried\":2}");
	ck_out_has("\"version_in_force\":-1,\"version_tried\":3}");
	ck_assert_int_eq(
		MUSTER("wait", "--applied", "/config/page", "-t", "100ms"), 1);
	ck_err_has("a1 (rejected, version 2 is in force: it says no), "
	           "b1 (failed version 2: it says no), "
	           "c1 (failed: it says no)\n");
}
END_TEST

START_TEST(status_json_has_state_and_both_versions_of_each)
{
	page_at(1);
	member("a1", NULL);
	member("b1", "\"page\":\"ready\"");
	applied("page/a1", 1);
	ck_assert_int_eq(MUSTER("status", "page", "--json"), 1);
	ck_out_has("\"host\":\"a1\",\"stale\":false,\"node_version\":1,"
	           "\"report\":{\"path\":\"/config/page\"");
	ck_out_has("\"state\":\"applied\",\"current\":true,"
	           "\"path\":\"/config/page\",\"node_zxid\":");
	ck_out_has("\"host\":\"b1\",\"stale\":false,\"node_version\":1,"
	           "\"state\":\"no report yet\",\"current\":false");
}
END_TEST

START_TEST(an_instance_that_reports_nothing_is_shown_where_it_is_asked_for)
{
	member("a1", "\"hook\":\"ready\"");
	ck_assert_int_eq(MUSTER("status"), 0);
	ck_has_not(r.out, "hook");
	ck_assert_int_eq(MUSTER("status", "hook"), 1);
	ck_has(row_of("a1"), "hook      no reports ");
	ck_has(row_of("a1"), "ready; no host has reported, and not every "
	                     "plugin does");
	ck_out_has("\nno host has reported, 1 runs it\n");
	member("a1", "\"hook\":\"unwell: it hums (MU_EIO)\"");
	member("b1", "\"hook\":\"starting\"");
	ck_assert_int_eq(MUSTER("status", "hook"), 1);
	ck_has(row_of("a1"), "hook      no reports ");
	ck_has(row_of("a1"), "unwell: it hums");
	ck_has_not(r.out, "MU_EIO");
	ck_has(row_of("b1"), "hook      no report yet ");
	page_at(0);
	applied("hook/c1", 0);
	ck_assert_int_eq(MUSTER("status", "hook"), 1);
	ck_has(row_of("a1"), "hook      no report yet ");
}
END_TEST

START_TEST(a_name_that_no_instance_can_have_is_refused)
{
	ck_assert_int_eq(MUSTER("status", "../page"), 64);
	ck_err_has("no name of an instance");
}
END_TEST

/* The second picture comes by itself. */
START_TEST(an_instance_that_cannot_run_is_shown_among_all)
{
	member("a1", "\"quiet\":\"ready\",\"new\":\"starting\","
	             "\"odd\":\"refused: there is no such plugin\"");
	ck_assert_int_eq(MUSTER("status"), 0);
	ck_has(row_of("a1"), "odd       no report yet  a1 ");
	ck_has(row_of("a1"), "refused: there is no such plugin");
	ck_has_not(r.out, "quiet");
	ck_has_not(r.out, "new ");
}
END_TEST

START_TEST(status_watch_shows_each_change)
{
	const char *argv[] = { cluster_program("muster"), "status", "page",
		               "--watch", NULL };
	char out[CLUSTER_PATH_MAX + 16];

	snprintf(out, sizeof out, "%s/status.out", cluster.dir);
	page_at(0);
	member("a1", NULL);
	applied("page/a1", 0);
	program_start(&waiter, argv, out, out);
	ck_assert(file_comes_to_have(out, "applied by 1 of 1 live", WAIT_MS));
	set("/config/page", "newer");
	ck_assert(file_comes_to_have(out, "applied by 0 of 1 live", WAIT_MS));
	member("b1", NULL);
	applied("page/b1", 1);
	ck_assert(file_comes_to_have(out, "applied by 1 of 2 live", WAIT_MS));
	ck_assert(program_is_running(&waiter));
}
END_TEST

/* ---- quarantine and other alarms ---- */

static void quarantine(const char *name, const char *reason)
{
	char path[96], text[256];

	snprintf(path, sizeof path, "/alarms/quarantine/%s", name);
	snprintf(text, sizeof text,
	         "{\"instance\":\"page\",\"host\":\"a1\",\"since\":"
	         "1700000000000,\"failures\":5,\"reason\":\"%s\"}",
	         reason);
	set(path, text);
}

START_TEST(quarantine_is_shown_by_status_of_the_cluster_and_of_the_instance)
{
	page_at(0);
	member("a1", NULL);
	applied("page/a1", 0);
	quarantine("page@a1", "killed by signal 11");
	ck_assert_int_eq(MUSTER("status"), 0);
	ck_out_has("\nALARM");
	ck_out_has("\nquarantine/page@a1  2023-11-1");
	ck_out_has("killed by signal 11\n");
	ck_assert_int_eq(MUSTER("status", "--json"), 0);
	ck_out_has("\"alarms\":[{\"name\":\"quarantine/page@a1\",\"since\":"
	           "1700000000000,\"alarm\":{");
	ck_assert_int_eq(MUSTER("status", "page"), 1);
	ck_has(row_of("a1"), "page      quarantined ");
	ck_has(row_of("a1"), "killed by signal 11");
	ck_out_has("applied by 0 of 1 live");
}
END_TEST

START_TEST(quarantine_is_known_from_the_member_too)
{
	member("a1", "\"page\":\"quarantined: it hangs\",\"x\":\"ready\","
	             "\"web\":\"unwell: it is (not) there (MU_EGONE)\"");
	ck_assert_int_eq(MUSTER("status", "page"), 1);
	ck_has(row_of("a1"), "page      quarantined ");
	ck_has(row_of("a1"), "it hangs");
	ck_assert_int_eq(MUSTER("members"), 0);
	ck_out_has("TROUBLE");
	ck_out_has("page quarantined: it hangs; web unwell: it is (not) "
	           "there\n");
	ck_has_not(r.out, "x ready");
}
END_TEST

START_TEST(an_alarm_of_any_kind_is_shown)
{
	set("/alarms/mass-failure", "{\"reason\":\"4 of 9 members are gone\"}");
	ck_assert_int_eq(MUSTER("status"), 0);
	ck_out_has("\nmass-failure  2");
	ck_out_has("4 of 9 members are gone");
	ck_assert_int_eq(MUSTER("rm", "/alarms/mass-failure"), 0);
	ck_assert_int_eq(MUSTER("status"), 0);
	ck_has_not(r.out, "ALARM");
}
END_TEST

START_TEST(release_deletes_the_alarm_of_the_host_or_of_all)
{
	quarantine("page@a1", "one");
	quarantine("page@b1", "two");
	quarantine("page2@a1", "three");
	ck_assert_int_eq(MUSTER("plugin", "release"), 0);
	ck_out_has("INSTANCE  HOST  SINCE");
	ck_out_has("page      a1    2023-11-1");
	ck_out_has("  5         three");
	ck_assert_int_eq(MUSTER("plugin", "release", "page", "--host", "b1"),
	                 0);
	ck_assert_str_eq(r.out, "page is released on b1\n");
	ck_assert_int_eq(MUSTER("ls", "/alarms/quarantine"), 0);
	ck_assert_str_eq(r.out, "page2@a1\npage@a1\n");
	quarantine("page@c1", "four");
	ck_assert_int_eq(MUSTER("plugin", "release", "page"), 0);
	ck_assert_str_eq(r.out,
	                 "page is released on a1\npage is released on c1\n");
	ck_assert_int_eq(MUSTER("ls", "/alarms/quarantine"), 0);
	ck_assert_str_eq(r.out, "page2@a1\n");
}
END_TEST

START_TEST(release_of_what_is_not_in_quarantine_says_so)
{
	ck_assert_int_eq(MUSTER("plugin", "release"), 0);
	ck_assert_str_eq(r.out, "");
	ck_err_has("nothing is in quarantine");
	ck_assert_int_eq(MUSTER("plugin", "release", "page"), 2);
	ck_err_has("page is in quarantine on no host: nothing to release");
	ck_assert_int_eq(MUSTER("plugin", "release", "--json"), 0);
	ck_assert_str_eq(r.out, "[]\n");
	ck_assert_int_eq(MUSTER("plugin", "release", "page", "--dir", "x"), 64);
	ck_assert_int_eq(MUSTER("plugin", "release", "a@b"), 64);
}
END_TEST

START_TEST(reload_sets_the_node_that_agents_watch)
{
	struct mu_json *j;
	int64_t first;

	member("a1", "\"page\":\"ready\"");
	ck_assert_int_eq(MUSTER("plugin", "reload", "page"), 0);
	ck_assert_str_eq(r.out, "page is to be reloaded on all its hosts\n");
	ck_assert_str_eq(r.err, "");
	ck_assert_int_eq(MUSTER("get", "/reload/page"), 0);
	ck_assert_int_eq(mu_json_parse(r.out, r.out_len, &j, NULL), 0);
	ck_assert_str_eq(mu_json_get_str(j, "host", "?"), "");
	ck_assert_int_gt(mu_json_get_int(j, "at_ms", 0), 1600000000000);
	ck_has(mu_json_get_str(j, "by", ""), "@");
	mu_json_free(j);
	first = zxid_of("/reload/page");
	ck_assert_int_eq(
		MUSTER("plugin", "reload", "page", "--host", "a1", "--json"),
		0);
	ck_out_has("{\"instance\":\"page\",\"host\":\"a1\",\"zxid\":");
	ck_out_has("\"hosts\":1,\"away\":0}");
	ck_assert_int_gt(zxid_of("/reload/page"), first);
	ck_assert_int_eq(MUSTER("get", "/reload/page"), 0);
	ck_out_has("{\"host\":\"a1\",");
}
END_TEST

static void assert_no_request(void)
{
	struct run s = { 0 };

	ck_assert_int_eq(cluster_muster(&s, "stat", "/reload", NULL), 2);
	run_free(&s);
}

START_TEST(reload_of_what_nobody_has_fails_and_writes_nothing)
{
	member("a1", "\"page\":\"ready\"");
	member("c1", "\"hook\":\"ready\"");
	ck_exit(2, MUSTER("plugin", "reload", "pgae"));
	ck_err_has("no host has an instance \"pgae\"");
	ck_err_has("`muster members --json` shows");
	ck_assert_str_eq(r.out, "");
	ck_exit(2, MUSTER("plugin", "reload", "page", "--host", "b1"));
	ck_err_has("b1 has no instance \"page\"");
	ck_exit(2, MUSTER("plugin", "reload", "page", "--host", "c1"));
	ck_err_has("c1 has no instance \"page\"");
	ck_err_has("`muster status page` shows");
	assert_no_request();
	ck_assert_int_eq(MUSTER("plugin", "reload"), 64);
	ck_assert_int_eq(MUSTER("plugin", "reload", "a/b"), 64);
}
END_TEST

/* Its report and its alarm are still there. */
START_TEST(reload_is_asked_of_hosts_that_are_away)
{
	member("a1", "\"hook\":\"ready\"");
	page_at(0);
	applied("page/b1", 0);
	set("/alarms/quarantine/odd@b1", "{\"reason\":\"it hangs\"}");
	ck_exit(0, MUSTER("plugin", "reload", "page", "--json"));
	ck_out_has("\"hosts\":0,\"away\":1}");
	ck_err_has("warning: who has it is no member now");
	ck_exit(0, MUSTER("get", "/reload/page"));
	ck_exit(0, MUSTER("plugin", "reload", "odd", "--host", "b1"));
	ck_exit(0, MUSTER("get", "/reload/odd"));
	ck_exit(2, MUSTER("plugin", "reload", "page", "--host", "a1"));
}
END_TEST

/* As that of an agent that has begun, or is about to end. */
START_TEST(reload_waits_for_a_member_that_names_no_instance_yet)
{
	const char *argv[] = { cluster_program("muster"), "plugin", "reload",
		               "page", NULL };
	char out[CLUSTER_PATH_MAX + 16];
	int rc = 2;

	member("a1", "");
	ck_exit(2, MUSTER("plugin", "reload", "page"));
	assert_no_request();
	snprintf(out, sizeof out, "%s/reload.out", cluster.dir);
	/* On a machine that is late the member may say so too late. */
	for (int i = 0; rc == 2 && i < 5; i++) {
		member("a1", "");
		program_start(&waiter, argv, out, out);
		member("a1", "\"page\":\"starting\"");
		rc = program_wait(&waiter, WAIT_MS);
	}
	ck_assert_int_eq(rc, 0);
	ck_exit(0, MUSTER("get", "/reload/page"));
}
END_TEST

/* ---- wait ---- */

static void wait_start(const char *const *args)
{
	const char *argv[16] = { cluster_program("muster"), "wait", "--applied",
		                 "/config/page" };
	char out[CLUSTER_PATH_MAX + 16], err[CLUSTER_PATH_MAX + 16];

	for (size_t i = 0; args[i]; i++)
		argv[i + 4] = args[i];
	snprintf(out, sizeof out, "%s/wait.out", cluster.dir);
	snprintf(err, sizeof err, "%s/wait.err", cluster.dir);
	program_start(&waiter, argv, out, err);
}
#define WAIT(...) wait_start((const char *const[]){ __VA_ARGS__, NULL })

static void ck_said(const char *text)
{
	ck_assert_msg(file_comes_to_have(waiter.err, text, WAIT_MS),
	              "no \"%s\" in \"%s\"", text, file_read(waiter.err, NULL));
}

static void ck_ends(int code, const char *out)
{
	char *text;

	ck_assert_int_eq(program_wait(&waiter, WAIT_MS), code);
	text = file_read(waiter.out, NULL);
	ck_has(text, out);
	free(text);
}

START_TEST(wait_ends_at_once_when_all_have_applied_it)
{
	page_at(2);
	member("a1", NULL);
	member("b1", NULL);
	applied("page/a1", 2);
	applied("page/b1", 2);
	report("page/gone", "failed", 1, 1, "not there any more");
	report("other/b1", "applied", 2, zxid_of("/config/page"), "");
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page/"), 0);
	ck_assert_str_eq(r.out, "/config/page version 2: applied by 3 of 3\n");
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page", "--json",
	                        "--instance", "page"),
	                 0);
	ck_out_has("{\"path\":\"/config/page\",\"version\":2,\"zxid\":");
	ck_out_has("\"done\":true,\"applied\":2,\"of\":2,\"hosts\":[{\"done\":"
	           "true,\"instance\":\"page\",\"host\":\"a1\"");
}
END_TEST

/* A report on another node than /config/page; `also`: what stands with it. */
static void report_elsewhere(const char *where, const char *state,
                             const char *also)
{
	char path[64], text[1024];

	snprintf(path, sizeof path, "/applied/%s", where);
	snprintf(text, sizeof text,
	         "{\"path\":\"/config/other\",\"zxid\":1,\"version\":0,"
	         "\"digest\":\"\",\"state\":\"%s\",\"reason\":\"no\","
	         "\"at\":1%s%s}",
	         state, also[0] ? "," : "", also);
	set(path, text);
}

/* "also_in_force", with /config/page at this version. */
static const char *also_page(int version)
{
	static char text[300];

	snprintf(text, sizeof text,
	         "\"also_in_force\":[{\"path\":\"/config/third\",\"zxid\":1,"
	         "\"version\":9},{\"path\":\"/config/page\",\"zxid\":%" PRId64
	         ",\"version\":%d}]",
	         zxid_of("/config/page"), version);
	return text;
}

START_TEST(a_node_counts_that_is_in_force_beside_the_one_reported_last)
{
	char text[300];

	page_at(2);
	member("a1", NULL);
	member("b1", NULL);
	member("c1", NULL);
	member("d1", "\"page\":\"ready\"");
	report_elsewhere("page/a1", "applied", also_page(2));
	report_elsewhere("page/b1", "rejected", also_page(1));
	/* As in_force of a report on another node. */
	snprintf(text, sizeof text,
	         "\"in_force\":{\"path\":\"/config/page\",\"zxid\":%" PRId64
	         ",\"version\":2}",
	         zxid_of("/config/page"));
	report_elsewhere("page/c1", "failed", text);
	report_elsewhere("elsewhere/c1", "applied", "");
	WAIT("-t", "100");
	ck_said("2 of 4 applied; waiting for b1 (at version 1), "
	        "d1 (no report yet)\n");
	report_elsewhere("page/d1", "applied", also_page(2));
	ck_said("3 of 4 applied; waiting for b1 (at version 1)\n");
	report_elsewhere("page/b1", "rejected", also_page(2));
	ck_ends(0, "/config/page version 2: applied by 4 of 4\n");
	/* status tells of the newest report. */
	MUSTER("status", "page");
	ck_has(row_of("b1"), "rejected");
	ck_has(row_of("b1"), "/config/other");
}
END_TEST

START_TEST(odd_lists_of_nodes_in_force_are_none)
{
	static const char *const odd[] = {
		"\"also_in_force\":7",
		"\"also_in_force\":[]",
		"\"also_in_force\":[7,{},{\"path\":1}]",
		"\"also_in_force\":{\"path\":\"/config/page\",\"version\":0}",
		"\"in_force\":[\"/config/page\"]",
	};

	page_at(0);
	member("a1", NULL);
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		report_elsewhere("page/a1", "applied", odd[i]);
		ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page",
		                        "-t", "1ms"),
		                 1);
		ck_err_has("no host has reported on /config/page yet");
	}
}
END_TEST

START_TEST(wait_tells_each_change_until_the_last_has_applied_it)
{
	page_at(7);
	member("web1", NULL);
	member("web2", NULL);
	member("web4", NULL);
	applied("page/web1", 7);
	report("page/web2", "failed", 7, zxid_of("/config/page"),
	       "reload\\nfails");
	report("page/web4", "applied", 6, zxid_of("/config/page") - 1, "");
	WAIT("-t", "100");
	ck_said("1 of 3 applied; waiting for web2 (failed: reload?fails), "
	        "web4 (at version 6)\n");
	applied("page/web4", 7);
	ck_said("2 of 3 applied; waiting for web2 (failed: reload?fails)\n");
	member("web5", "\"page\":\"ready\"");
	ck_said("2 of 4 applied; waiting for web2 (failed: reload?fails), "
	        "web5 (no report yet)\n");
	applied("page/web5", 7);
	ck_said("3 of 4 applied; waiting for web2");
	quarantine("page@web2", "it hangs");
	ck_said("waiting for web2 (quarantined: it hangs)\n");
	ck_assert_int_eq(MUSTER("rm", "/alarms/quarantine/page@web2"), 0);
	applied("page/web2", 7);
	ck_ends(0, "/config/page version 7: applied by 4 of 4\n");
	ck_said("4 of 4 applied\n");
}
END_TEST

START_TEST(a_host_that_goes_is_waited_for_no_longer)
{
	page_at(1);
	member("a1", NULL);
	member("b1", NULL);
	applied("page/a1", 1);
	report("page/b1", "applied", 0, 1, "");
	WAIT("-t", "100");
	ck_said("1 of 2 applied; waiting for b1 (at version 0)\n");
	ck_assert_int_eq(MUSTER("rm", "/members/b1"), 0);
	ck_ends(0, "applied by 1 of 1\n");
}
END_TEST

START_TEST(at_the_timeout_wait_says_who_lags_and_why)
{
	page_at(3);
	member("a1", NULL);
	member("b1", NULL);
	applied("page/a1", 3);
	report("other/b1", "rejected", 3, zxid_of("/config/page"),
	       "bad syntax");
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page", "-t", "1"),
	                 1);
	ck_err_has("muster wait: after 1s version 3 of /config/page is not "
	           "applied by all: 1 of 2 applied; waiting for b1/other "
	           "(rejected: bad syntax)\n");
	ck_assert_str_eq(r.out, "");
	ck_assert_int_eq(
		MUSTER("wait", "--applied", "/config/page", "-t", "1", "-j"),
		1);
	ck_out_has("\"done\":false,\"applied\":1,\"of\":2");
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page", "-t", "1",
	                        "--instance", "page"),
	                 0);
}
END_TEST

START_TEST(an_edit_while_waiting_is_said_and_then_waited_for)
{
	page_at(0);
	member("a1", NULL);
	report("page/a1", "applied", -1, 1, "");
	WAIT("-t", "100");
	ck_said("0 of 1 applied; waiting for a1 (has applied that it was "
	        "deleted)\n");
	set("/config/page", "newer");
	ck_said("muster wait: /config/page was edited meanwhile: waiting for "
	        "version 1 now, no longer 0\n");
	report("page/a1", "applied", 0, zxid_of("/config/page"), "");
	ck_said("waiting for a1 (at version 0)");
	applied("page/a1", 1);
	ck_ends(0, "/config/page version 1: applied by 1 of 1\n");
}
END_TEST

START_TEST(with_version_a_later_edit_is_not_waited_for)
{
	page_at(2);
	member("a1", NULL);
	report("page/a1", "applied", 1, zxid_of("/config/page"), "");
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page",
	                        "--version", "1", "-t", "1"),
	                 0);
	ck_assert_str_eq(r.out, "/config/page version 1: applied by 1 of 1\n");
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page",
	                        "--version", "2", "-t", "1"),
	                 1);
	WAIT("--version", "3", "-t", "100");
	ck_said("waiting for a1 (at version 1)");
	set("/config/page", "3");
	set("/config/page", "4");
	report("page/a1", "applied", 3, zxid_of("/config/page"), "");
	ck_ends(0, "/config/page version 3: applied by 1 of 1\n");
}
END_TEST

START_TEST(wait_is_not_done_before_so_many_hosts_have_it)
{
	page_at(0);
	WAIT("--hosts", "2", "-t", "100");
	ck_said("no host has reported on /config/page yet\n");
	member("a1", NULL);
	applied("page/a1", 0);
	ck_said("1 of 1 applied; waiting for 1 more to report\n");
	member("b1", NULL);
	applied("page/b1", 0);
	ck_ends(0, "applied by 2 of 2\n");
}
END_TEST

START_TEST(digits_in_a_reason_are_no_news)
{
	int64_t zxid;
	char *told;

	page_at(2);
	zxid = zxid_of("/config/page");
	member("a1", NULL);
	member("b1", NULL);
	report("page/a1", "rejected", 1, zxid - 1, "pid 11: old");
	WAIT("-t", "100");
	ck_said("0 of 1 applied; waiting for a1 (rejected version 1: pid 11: "
	        "old)\n");
	report("page/a1", "rejected", 2, zxid, "pid 12: no");
	ck_said("0 of 1 applied; waiting for a1 (rejected: pid 12: no)\n");
	report("page/a1", "rejected", 2, zxid, "pid 345: no");
	report("page/a1", "rejected", 2, zxid, "pid 6: never");
	ck_said("0 of 1 applied; waiting for a1 (rejected: pid 6: never)\n");
	told = file_read(waiter.err, NULL);
	ck_has_not(told, "345");
	free(told);
	applied("page/a1", 2);
	ck_ends(0, "applied by 1 of 1\n");
}
END_TEST

START_TEST(what_can_never_be_applied_is_said)
{
	page_at(1);
	member("a1", "\"page\":\"ready\"");
	applied("page/a1", 1);
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page", "-t", "1",
	                        "--instance", "pgae"),
	                 1);
	ck_err_has("no live host has an instance \"pgae\" that reports on "
	           "/config/page\n");
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page", "-t", "1",
	                        "--version", "9"),
	                 1);
	ck_err_has("waiting for a1 (at version 1); the node itself is at "
	           "version 1\n");
}
END_TEST

START_TEST(with_an_instance_its_hosts_count_before_anybody_has_reported)
{
	page_at(0);
	member("a1", "\"page\":\"ready\"");
	WAIT("--instance", "page", "-t", "100");
	ck_said("0 of 1 applied; waiting for a1 (no report yet, of any host: "
	        "not every plugin reports)\n");
	applied("page/a1", 0);
	ck_ends(0, "applied by 1 of 1\n");
}
END_TEST

START_TEST(a_node_that_is_not_there_is_nothing_to_wait_for)
{
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/pgae"), 2);
	ck_err_has("/config/pgae does not exist");
	page_at(0);
	member("a1", NULL);
	WAIT("-t", "100");
	ck_said("no host has reported");
	ck_assert_int_eq(MUSTER("rm", "/config/page"), 0);
	ck_ends(2, "");
	ck_said("/config/page was deleted meanwhile");
}
END_TEST

START_TEST(wait_survives_a_restart_of_the_broker)
{
	page_at(1);
	member("a1", NULL);
	report("page/a1", "applied", 0, 1, "");
	WAIT("-t", "300");
	ck_said("waiting for a1 (at version 0)");
	cluster_broker_restart(&cluster, _i ? SIGKILL : SIGTERM);
	applied("page/a1", 1);
	ck_ends(0, "/config/page version 1: applied by 1 of 1\n");
}
END_TEST

START_TEST(a_session_that_is_lost_is_begun_again)
{
	page_at(1);
	WAIT("-t", "300");
	ck_said("no host has reported");
	cluster_broker_lose_tree(&cluster);
	ck_ends(2, "");
}
END_TEST

START_TEST(on_a_terminal_progress_is_one_line)
{
	const char *argv[] = { cluster_program("muster"),
		               "wait",
		               "--applied",
		               "/config/page",
		               "-t",
		               "1",
		               NULL };
	struct run how = { .argv = argv, .pty = true };

	page_at(1);
	member("a1", NULL);
	report("page/a1", "failed", 1, 1, "\\u001b[31mno");
	setenv("TERM", "xterm", 1);
	run(&how);
	ck_assert_int_eq(how.exit, 1);
	ck_has(how.out, "\r\033[K0 of 1 applied; waiting for a1 (failed: "
	                "?[31mno)\r\nmuster wait: after 1s");
	run_free(&how);
}
END_TEST

START_TEST(wait_wants_a_path_and_sensible_numbers)
{
	ck_assert_int_eq(MUSTER("wait"), 64);
	ck_err_has("--applied PATH");
	ck_assert_int_eq(MUSTER("wait", "--applied", "config"), 64);
	ck_err_has("a path starts with /: try /config");
	ck_assert_int_eq(MUSTER("wait", "--applied", "/x", "-t", "0"), 64);
	ck_assert_int_eq(MUSTER("wait", "--applied", "/x", "-t", "24.1h"), 64);
	ck_assert_int_eq(MUSTER("wait", "--applied", "/x", "-n", "0"), 64);
	ck_assert_int_eq(MUSTER("wait", "--applied", "/x", "-i", "a/b"), 64);
	ck_assert_int_eq(MUSTER("wait", "--help"), 0);
	ck_out_has("5m unless given");
	ck_has_not(r.out, "5s unless given");
}
END_TEST

/* ---- with an agent ---- */

START_TEST(an_edit_is_waited_for_until_the_agent_has_applied_it)
{
	static struct cluster_agent a;
	char text[1024];

	cluster_agent_init(&cluster, &a, "alpha", NULL);
	snprintf(text, sizeof text,
	         "instances = ( { name = \"page\"; plugin = \"config-file\"; "
	         "memory_max_mb = 0; "
	         "watch = ( { path = \"/config/page\"; } ); settings : { path "
	         "= \"/config/page\"; file = \"%s/page\"; check = "
	         "\"grep -q good %%f\"; }; } );",
	         a.dir);
	cluster_agent_instances(&a, "page.conf", text);
	cluster_agent_start(&a);
	set("/config/page", "good 1");
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page"), 0);
	set("/config/page", "bad");
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page", "-t", "3"),
	                 1);
	ck_err_has("waiting for alpha (rejected, version 0 is in force: ");
	/* An agent that was started again knows it from its own record. */
	ck_assert_int_eq(cluster_agent_stop(&a, SIGTERM), 0);
	cluster_agent_start(&a);
	set("/config/page", "worse");
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page", "-t", "3"),
	                 1);
	ck_err_has("waiting for alpha (rejected, version 0 is in force: ");
	ck_assert_int_eq(MUSTER("status", "page"), 1);
	ck_has(row_of("alpha"), "/config/page  0        2      2     0x");
	set("/config/page", "good 2");
	ck_assert_int_eq(MUSTER("wait", "--applied", "/config/page"), 0);
	ck_assert_str_eq(r.out, "/config/page version 3: applied by 1 of 1\n");
	ck_assert_int_eq(MUSTER("status", "page"), 0);
	ck_has(row_of("alpha"), "page      applied  alpha  /config/page  3 ");
}
END_TEST

/* ---- all ---- */

static TCase *group(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_unchecked_fixture(t, cluster_backend_up, NULL);
	tcase_add_checked_fixture(t, up, down);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	return t;
}

static void add_status(TCase *t)
{
	tcase_add_test(
		t, status_of_an_instance_says_who_has_applied_what_and_why_not);
	tcase_add_test(
		t,
		status_of_an_instance_ends_with_0_once_all_live_hosts_have_it);
	tcase_add_test(t, the_same_version_of_a_node_made_again_is_another);
	tcase_add_test(t, a_deletion_is_applied_by_who_reports_it);
	tcase_add_test(
		t, a_report_may_be_on_a_node_that_is_gone_wherever_that_was);
	tcase_add_test(t, what_is_in_force_is_told_beside_what_was_refused);
	tcase_add_test(t, status_json_has_state_and_both_versions_of_each);
	tcase_add_test(
		t,
		an_instance_that_reports_nothing_is_shown_where_it_is_asked_for);
	tcase_add_test(t, a_name_that_no_instance_can_have_is_refused);
	tcase_add_test(t, an_instance_that_cannot_run_is_shown_among_all);
	tcase_add_test(t, status_watch_shows_each_change);
}

static void add_alarms(TCase *t)
{
	tcase_add_test(
		t,
		quarantine_is_shown_by_status_of_the_cluster_and_of_the_instance);
	tcase_add_test(t, quarantine_is_known_from_the_member_too);
	tcase_add_test(t, an_alarm_of_any_kind_is_shown);
	tcase_add_test(t, release_deletes_the_alarm_of_the_host_or_of_all);
	tcase_add_test(t, release_of_what_is_not_in_quarantine_says_so);
	tcase_add_test(t, reload_sets_the_node_that_agents_watch);
	tcase_add_test(t, reload_of_what_nobody_has_fails_and_writes_nothing);
	tcase_add_test(t, reload_is_asked_of_hosts_that_are_away);
	tcase_add_test(t, reload_waits_for_a_member_that_names_no_instance_yet);
}

static void add_wait(TCase *t)
{
	tcase_add_test(t, wait_ends_at_once_when_all_have_applied_it);
	tcase_add_test(
		t, a_node_counts_that_is_in_force_beside_the_one_reported_last);
	tcase_add_test(t, odd_lists_of_nodes_in_force_are_none);
	tcase_add_test(t, wait_tells_each_change_until_the_last_has_applied_it);
	tcase_add_test(t, a_host_that_goes_is_waited_for_no_longer);
	tcase_add_test(t, at_the_timeout_wait_says_who_lags_and_why);
	tcase_add_test(t, an_edit_while_waiting_is_said_and_then_waited_for);
	tcase_add_test(t, with_version_a_later_edit_is_not_waited_for);
	tcase_add_test(t, wait_is_not_done_before_so_many_hosts_have_it);
	tcase_add_test(
		t,
		with_an_instance_its_hosts_count_before_anybody_has_reported);
	tcase_add_test(t, digits_in_a_reason_are_no_news);
	tcase_add_test(t, what_can_never_be_applied_is_said);
	tcase_add_test(t, a_node_that_is_not_there_is_nothing_to_wait_for);
	tcase_add_loop_test(t, wait_survives_a_restart_of_the_broker, 0, 2);
	tcase_add_test(t, a_session_that_is_lost_is_begun_again);
	tcase_add_test(t, on_a_terminal_progress_is_one_line);
	tcase_add_test(t, wait_wants_a_path_and_sensible_numbers);
	tcase_add_test(t, an_edit_is_waited_for_until_the_agent_has_applied_it);
}

int main(void)
{
	Suite *s = suite_create("cli_status");
	SRunner *sr;
	int failed;

	add_status(group(s, "status"));
	add_alarms(group(s, "alarms"));
	add_wait(group(s, "wait"));
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
