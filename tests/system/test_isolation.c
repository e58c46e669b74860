/* No plugin hurts another: what each bad one comes to, what its neighbour sees
 * of it, and what a plugin is and may. With the real broker, runner and
 * plugins. */
#include "cluster.h"
#include "json.h"

#include "cgroup.h"
#include "crc.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN_USER "games" /* is on each Debian, and runs nothing */

#define ONE(name, file, more) \
	"{ name = \"" name "\"; plugin = \"" MU_BUILD "/tests/lies/" file \
	".so\"; watch = ( { path = \"/config\"; } ); " more " }"
#define NEIGHBOUR \
	"{ name = \"neighbour\"; plugin = \"log\"; " \
	"watch = ( { path = \"/config\"; } ); }"
#define TWICE "quarantine_failures = 2; "
#define NO_LIMIT "memory_max_mb = 0; " /* a sanitizer takes it all */

static struct cluster c;
static struct cluster_agent a;

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

static void start(const char *more, const char *instances)
{
	cluster_agent_up(&c, &a, "alpha", more, instances);
}

static void configure(const char *instances)
{
	cluster_agent_instances(&a, "i.conf", instances);
	program_signal(&a.program, SIGHUP);
}

/* `muster VERB PATH` prints this text. */
struct said {
	const char *verb, *path, *text;
};

static bool is_said(void *arg)
{
	const struct said *s = arg;
	struct run r;
	bool found;

	cluster_muster(&r, s->verb, s->path, NULL);
	found = strstr(r.out, s->text) != NULL;
	run_free(&r);
	return found;
}

static void wait_said(const char *verb, const char *path, const char *text)
{
	struct said s = { verb, path, text };

	ck_assert_msg(wait_for(is_said, &s, WAIT_MS),
	              "muster %s %s does not say %s", verb, path, text);
}

/* A lie where every user can read it; static text. */
static const char *copied(const char *lie)
{
	static char file[256];
	char from[512];
	size_t len;
	char *data;

	snprintf(from, sizeof from, MU_BUILD "/tests/lies/%s.so", lie);
	snprintf(file, sizeof file, "%s/%s.so", c.dir, lie);
	data = file_read(from, &len);
	ck_assert_msg(data != NULL, "%s is not there", from);
	file_write(file, data, len);
	free(data);
	ck_assert_int_eq(chmod(file, 0644), 0);
	ck_assert_int_eq(chmod(c.dir, 0755), 0);
	return file;
}

static void start_copy(const char *lie, const char *more)
{
	char text[1024];

	snprintf(text, sizeof text,
	         "instances = ( { name = \"one\"; plugin = \"%s\"; "
	         "watch = ( { path = \"/config\"; } ); %s }, " NEIGHBOUR " );",
	         copied(lie), more);
	start(NULL, text);
}

/* ---- bad plugins ---- */

static const struct {
	const char *instance, *said;
} bad[] = {
	{ ONE("bad", "crash-event", TWICE), "signal 11 (Segmentation fault)" },
	{ ONE("bad", "abort-event", TWICE), "signal 6 (Aborted)" },
	{ ONE("bad", "endless-event", TWICE "deadline_ms = 300;"),
	  "an event took longer than deadline_ms, 300 ms" },
	{ ONE("bad", "cpu-burn", TWICE "cpu_max_s = 1;"), "signal 24 " },
	{ ONE("bad", "sleep-event", TWICE "deadline_ms = 300;"),
	  "an event took longer than deadline_ms, 300 ms" },
	{ ONE("bad", "malloc-crash", TWICE "memory_max_mb = 100;"),
	  "signal 11 (Segmentation fault)" },
	{ ONE("bad", "fd-crash", TWICE "files_max = 50;"),
	  "it printed last: cannot open what I need: Too many open files" },
	{ ONE("bad", "stack-overflow", TWICE),
	  "signal 11 (Segmentation fault)" },
	{ ONE("bad", "flood", TWICE "deadline_ms = 300;"),
	  "an event took longer than deadline_ms, 300 ms" },
};

START_TEST(a_bad_plugin_ends_in_quarantine_and_its_neighbour_goes_on)
{
	char text[1024];

	cluster_edit("create", "/config", "one");
	snprintf(text, sizeof text, "instances = ( %s, " NEIGHBOUR " );",
	         bad[_i].instance);
	start(NULL, text);
	cluster_agent_wait_log(&a, "msg=\"instance quarantined");
	ck_assert(file_has(a.log, bad[_i].said));
	cluster_agent_wait_log(&a, "present path=/config ");
	cluster_edit("set", "/config", "two");
	cluster_agent_wait_log(&a, "changed path=/config ");
	/* It was started twice, and is not a third time. */
	ck_assert_uint_eq(file_count(a.log, "process will be started again"),
	                  1);
	ck_assert_uint_eq(file_count(a.log, "msg=\"instance ready\" "
	                                    "instance=neighbour"),
	                  1);
}
END_TEST

/* How many it had when one more was refused; with those that were just being
 * tried by others, so more than the limit, but far from the 300 of the bomb. */
static int refused_after(void)
{
	char *text = file_read(a.log, NULL);
	char *at = strstr(text, "fork refused after ");
	int n = at ? atoi(at + 19) : -1;

	free(text);
	ck_assert_int_gt(n, 0);
	return n;
}

START_TEST(a_fork_bomb_meets_the_limit_of_its_user)
{
	if (!is_root(__func__))
		return;
	cluster_edit("create", "/config", "one");
	start_copy("fork-bomb", TWICE "deadline_ms = 1000; user = \"" OWN_USER
	                              "\"; processes_max = 20;");
	cluster_agent_wait_log(&a, "msg=\"instance quarantined");
	ck_assert_int_lt(refused_after(), 100);
	cluster_edit("set", "/config", "two");
	cluster_agent_wait_log(&a, "changed path=/config ");
}
END_TEST

START_TEST(a_fork_bomb_meets_the_limit_of_its_cgroup)
{
	char base[512], text[700];
	struct mu_err why;

	if (mu_cgroup_find(base, sizeof base, &why)) {
		printf("SKIPPED: %s: %s\n", __func__, why.msg);
		return;
	}
	cluster_edit("create", "/config", "one");
	start(NULL, "instances = ( " ONE(
			    "bad", "fork-bomb",
			    TWICE "deadline_ms = 1000; "
				  "processes_max = 20;") ", " NEIGHBOUR " );");
	cluster_agent_wait_log(&a, "msg=\"instance quarantined");
	cluster_agent_wait_log(&a, "wanted more processes than processes_max");
	ck_assert_int_lt(refused_after(), 100);
	cluster_edit("set", "/config", "two");
	cluster_agent_wait_log(&a, "changed path=/config ");
	cluster_agent_stop(&a, SIGTERM);
	/* And no group of this agent is left. */
	snprintf(text, sizeof text, "%s/muster-%08x-bad", base,
	         mu_crc32c(0, a.state, strlen(a.state)));
	ck_assert_int_ne(access(text, F_OK), 0);
}
END_TEST

static bool is_gone(void *arg)
{
	return kill(*(pid_t *)arg, 0) != 0;
}

/* Children of a runner have nobody who ends them when the agent is killed. */
START_TEST(what_a_killed_agent_left_in_its_cgroup_is_ended_by_the_next)
{
	char base[512], file[700], *text, *last;
	struct mu_err why;
	pid_t pid;

	if (mu_cgroup_find(base, sizeof base, &why)) {
		printf("SKIPPED: %s: %s\n", __func__, why.msg);
		return;
	}
	cluster_edit("create", "/config", "one");
	start(NULL, "instances = ( " ONE("bad", "fork-bomb",
	                                 "processes_max = 20; ") " );");
	cluster_agent_wait_log(&a, "fork refused after");
	snprintf(file, sizeof file, "%s/muster-%08x-bad/cgroup.procs", base,
	         mu_crc32c(0, a.state, strlen(a.state)));
	text = file_read(file, NULL);
	ck_assert_ptr_nonnull(text);
	text[strlen(text) - 1] = '\0';
	last = strrchr(text, '\n');
	ck_assert_ptr_nonnull(last);
	pid = (pid_t)atoi(last + 1);
	free(text);
	cluster_agent_stop(&a, SIGKILL);
	cluster_agent_start(&a);
	ck_assert(wait_for(is_gone, &pid, WAIT_MS));
	cluster_agent_stop(&a, SIGTERM);
}
END_TEST

START_TEST(a_flood_is_logged_in_part_and_the_rest_is_counted)
{
	cluster_edit("create", "/config", "one");
	start(NULL, "instances = ( " ONE("bad", "flood",
	                                 TWICE "deadline_ms = 2500; "
	                                       "output_lines_max = 7;") " );");
	cluster_agent_wait_log(&a, "lines of its output were dropped");
	cluster_agent_wait_log(&a, "msg=\"instance quarantined");
	ck_assert(file_has(a.log, "msg=\"flood line 0 of a plugin that cannot "
	                          "be quiet\" instance=bad from=output"));
	ck_assert(file_has(a.log, " logged_per_s=7"));
	ck_assert_uint_ge(file_count(a.log, "from=output"), 2 * 7);
	/* Two lives, of less than 2.5 s each, or more on a busy machine. */
	ck_assert_uint_lt(file_count(a.log, "from=output"), 30 * 7);
}
END_TEST

static unsigned dropped_lines(void)
{
	static const char word[] = " dropped_lines=";
	char *log = file_read(a.log, NULL);
	unsigned sum = 0;

	ck_assert_ptr_nonnull(log);
	for (const char *at = log; (at = strstr(at, word)); at += sizeof word)
		sum += (unsigned)atoi(at + sizeof word - 1);
	free(log);
	return sum;
}

START_TEST(a_flood_on_the_channel_is_held_up_there)
{
	cluster_edit("create", "/config", "one");
	start(NULL, "instances = ( " ONE("bad", "chatter",
	                                 TWICE "deadline_ms = 1000; "
	                                       "log_lines_max = 150; "
	                                       "settings = { mode = "
	                                       "\"lines\"; };") " );");
	cluster_agent_wait_log(&a, "msg=\"instance quarantined");
	ck_assert(file_has(a.log, "logs too much; lines of it were dropped"));
	ck_assert_uint_ge(file_count(a.log, "msg=x instance=bad"), 100);
	/* Each of two lives has a second, or some more on a busy machine. */
	ck_assert_uint_lt(file_count(a.log, "msg=x instance=bad"), 30 * 150);
	/* 64 each 5 ms, and 4,096 at the end; twice, and twice that again on a
	 * machine that does not look at its clock. */
	ck_assert_uint_lt(file_count(a.log, "msg=x instance=bad") +
	                          dropped_lines(),
	                  2 * 2 * (200 * 64 + 4096));
}
END_TEST

START_TEST(a_runner_that_reads_no_answer_is_ended)
{
	static char value[100001];

	memset(value, 'v', sizeof value - 1);
	cluster_edit("create", "/config", value);
	start(NULL, "instances = ( " ONE("bad", "chatter",
	                                 "quarantine_failures = 0; "
	                                 "settings = { mode = "
	                                 "\"deaf\"; };") " );");
	cluster_agent_wait_log(&a, "reason=\"its runner does not read what it "
	                           "is sent");
}
END_TEST

/* The broker is stalled: the runner's time for a call is over a little before the
 * agent's. A few of them go to the broker, which others want to ask, too. */
START_TEST(who_asks_again_at_once_makes_sense)
{
	char text[512];

	ONLY_NATIVE("a ZooKeeper is not stopped here");
	cluster_edit("create", "/config", "one");
	snprintf(text, sizeof text,
	         "instances = ( " ONE("one", "impatient",
	                              "settings = { wait_ms = %d; };") " );",
	         _i);
	start("session_timeout_ms = 20000;\n", text);
	cluster_agent_wait_log(&a, "msg=asking");
	program_signal(&c.broker, SIGSTOP);
	cluster_agent_wait_log(&a, "full, 50 times");
	program_signal(&c.broker, SIGCONT);
	ck_assert(!file_has(a.log, "what makes no sense"));
}
END_TEST

START_TEST(last_words_without_an_end_of_line_are_kept)
{
	cluster_edit("create", "/config", "bad");
	start(NULL, "instances = ( " ONE("one", "bad-value", TWICE) " );");
	cluster_agent_wait_log(&a, "msg=\"a full line\" instance=one "
	                           "from=output");
	cluster_agent_wait_log(&a, "msg=\"this value kills me\" instance=one "
	                           "from=output");
	cluster_agent_wait_log(&a, "; it printed last: this value kills me\"");
}
END_TEST

/* ---- what cannot be killed ---- */

#define FREEZER "/sys/fs/cgroup/freezer"

/* In a frozen cgroup (v1) even SIGKILL waits, as it does for a process that the
 * kernel holds at a disk or a network that is away. False: there is none here. */
static bool freeze(const char *dir, pid_t pid)
{
	char file[300], number[16];

	if (access(FREEZER "/cgroup.procs", W_OK) || mkdir(dir, 0755))
		return false;
	snprintf(file, sizeof file, "%s/cgroup.procs", dir);
	snprintf(number, sizeof number, "%d", (int)pid);
	file_write_text(file, number);
	snprintf(file, sizeof file, "%s/freezer.state", dir);
	file_write_text(file, "FROZEN");
	return file_comes_to_have(file, "FROZEN", WAIT_MS);
}

static bool is_removed(void *arg)
{
	return rmdir(arg) == 0;
}

/* What was killed meanwhile ends now, and leaves it empty. */
static void thaw(char *dir)
{
	char file[300];

	snprintf(file, sizeof file, "%s/freezer.state", dir);
	file_write_text(file, "THAWED");
	ck_assert(wait_for(is_removed, dir, WAIT_MS));
}

START_TEST(a_process_that_cannot_be_killed_keeps_no_agent_from_its_end)
{
	char dir[200];
	pid_t pid;
	int code;

	cluster_edit("create", "/config", "one");
	start("stop_grace_ms = 200;\nsession_timeout_ms = 40000;\n",
	      "instances = ( " NEIGHBOUR " );");
	cluster_agent_wait_log(&a, "instance=neighbour pid=");
	pid = cluster_agent_runner(&a, "neighbour");
	snprintf(dir, sizeof dir, FREEZER "/muster-test-%d", (int)getpid());
	if (!freeze(dir, pid)) {
		printf("SKIPPED: %s: no freezer of cgroup v1 here\n", __func__);
		return;
	}
	code = program_stop(&a.program, SIGTERM);
	thaw(dir);
	ck_assert_int_eq(code, 0);
	ck_assert(file_has(a.log, "does not end; the agent ends without it\" "
	                          "instance=neighbour"));
	wait_said("get", "/members/alpha", "\"state\":\"leaving\"");
}
END_TEST

/* ---- quarantine ---- */

#define ALARM "/alarms/quarantine/one@alpha"

static void start_quarantined(const char *more)
{
	char text[1024];

	cluster_edit("create", "/config", "bad");
	snprintf(text, sizeof text,
	         "instances = ( " ONE("one", "bad-value", TWICE "%s") " );",
	         more);
	start(NULL, text);
	cluster_agent_wait_log(&a, "msg=\"instance quarantined");
}

START_TEST(quarantine_is_shown_in_the_record_and_by_an_alarm)
{
	start_quarantined("");
	cluster_wait_for_node(ALARM);
	wait_said("get", ALARM,
	          "{\"instance\":\"one\",\"host\":\"alpha\","
	          "\"since\":1");
	wait_said("get", ALARM,
	          "\"failures\":2,\"reason\":\"it was ended by "
	          "signal 6 (Aborted) while it handled present "
	          "/config");
	wait_said("get", "/members/alpha",
	          "\"instances\":{\"one\":\"quarantined: it was ended by");
	wait_said("members", "--json", "\"one\":\"quarantined: it was");
}
END_TEST

static int64_t stat_of(const char *path, const char *key)
{
	struct run s = { 0 };
	struct mu_json *j;
	int64_t v;

	ck_assert_int_eq(cluster_muster(&s, "stat", "--json", path, NULL), 0);
	ck_assert_int_eq(mu_json_parse(s.out, s.out_len, &j, NULL), 0);
	v = mu_json_get_int(j, key, 0);
	mu_json_free(j);
	run_free(&s);
	return v;
}

/* An alarm takes several requests, for the nodes above it: who writes the record at
 * once is faster. */
START_TEST(the_record_says_quarantined_no_later_than_the_alarm)
{
	start_quarantined("");
	cluster_wait_for_node(ALARM);
	wait_said("get", "/members/alpha", "\"one\":\"quarantined: it was");
	ck_assert_int_lt(stat_of("/members/alpha", "mzxid"),
	                 stat_of(ALARM, "czxid"));
}
END_TEST

START_TEST(who_deletes_the_alarm_releases_the_instance_and_its_events)
{
	start_quarantined("");
	cluster_wait_for_node(ALARM);
	cluster_edit("set", "/config", "good 1");
	cluster_edit("set", "/config", "good 2");
	cluster_edit("rm", ALARM, NULL);
	cluster_agent_wait_log(&a, "because=\"its alarm was deleted\" by=");
	/* A ZooKeeper does not tell who it was. */
	ck_assert(file_has(a.log, " session 0x") ||
	          file_has(a.log, "by=unknown"));
	cluster_agent_wait_log(&a, "got good 2");
	wait_said("get", "/members/alpha", "\"instances\":{\"one\":\"ready\"}");
	/* And again, as often as need be. */
	cluster_edit("set", "/config", "bad");
	cluster_agent_wait_times(&a, "msg=\"instance quarantined", 2);
	cluster_wait_for_node(ALARM);
}
END_TEST

START_TEST(an_alarm_is_deleted_while_the_agent_does_not_look)
{
	ONLY_NATIVE("it stops the broker");
	start_quarantined("");
	cluster_wait_for_node(ALARM);
	cluster_broker_stop(&c, SIGTERM);
	cluster_agent_wait_log(&a, "connection to the broker was lost");
	program_signal(&a.program, SIGSTOP);
	cluster_broker_start(&c);
	cluster_edit("set", "/config", "good");
	cluster_edit("rm", ALARM, NULL);
	program_signal(&a.program, SIGCONT);
	cluster_agent_wait_log(&a, "because=\"its alarm was deleted\"");
	cluster_agent_wait_log(&a, "got good");
}
END_TEST

START_TEST(an_alarm_is_raised_when_the_broker_is_back)
{
	ONLY_NATIVE("it stops the broker");
	cluster_edit("create", "/config", "good");
	start(NULL, "instances = ( " ONE("one", "crash-init",
	                                 "quarantine_failures = 4;") " );");
	cluster_broker_stop(&c, SIGTERM);
	cluster_agent_wait_log(&a, "msg=\"instance quarantined");
	cluster_broker_start(&c);
	cluster_wait_for_node(ALARM);
	cluster_broker_restart(&c, SIGKILL);
	cluster_wait_for_node(ALARM);
	ck_assert(!file_has(a.log, "released from quarantine"));
	cluster_broker_lose_tree(&c);
	cluster_wait_for_node(ALARM);
	ck_assert(!file_has(a.log, "released from quarantine"));
}
END_TEST

START_TEST(other_settings_release_an_instance)
{
	start_quarantined("");
	cluster_wait_for_node(ALARM);
	cluster_edit("set", "/config", "good");
	configure("instances = ( " ONE("one", "bad-value",
	                               "queue_max = 10;") " );");
	cluster_agent_wait_log(&a, "msg=\"instance released from quarantine\" "
	                           "instance=one because=\"its settings have "
	                           "changed\"");
	cluster_agent_wait_log(&a, "got good");
	cluster_wait_node(ALARM, NULL);
}
END_TEST

START_TEST(another_plugin_file_releases_an_instance)
{
	const struct timespec t[2] = { { 1000000000, 0 }, { 1000000000, 0 } };

	cluster_edit("create", "/config", "bad");
	start_copy("bad-value", TWICE);
	cluster_agent_wait_log(&a, "msg=\"instance quarantined");
	cluster_wait_for_node(ALARM);
	cluster_edit("set", "/config", "good");
	ck_assert_int_eq(utimensat(AT_FDCWD, copied("bad-value"), t, 0), 0);
	cluster_agent_wait_log(&a, "because=\"its plugin's file has changed\"");
	cluster_agent_wait_log(&a, "got good");
	cluster_wait_node(ALARM, NULL);
}
END_TEST

START_TEST(a_restart_of_the_agent_releases_an_instance)
{
	start_quarantined("");
	cluster_wait_for_node(ALARM);
	cluster_agent_stop(&a, SIGTERM);
	cluster_wait_for_node(ALARM);
	cluster_edit("set", "/config", "good");
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "got good");
	cluster_wait_node(ALARM, NULL);
}
END_TEST

START_TEST(an_alarm_that_is_deleted_while_the_agent_ends_is_nobodys)
{
	cluster_edit("create", "/config", "bad");
	start("stop_grace_ms = 2000;",
	      "instances = ( " ONE("one", "bad-value", TWICE NO_LIMIT) ", " ONE(
		      "two", "sleep-event", NO_LIMIT) " );");
	cluster_agent_wait_log(&a, "msg=\"instance quarantined");
	cluster_wait_for_node(ALARM);
	program_signal(&a.program, SIGTERM);
	cluster_agent_wait_log(&a, "msg=ending");
	cluster_edit("rm", ALARM, NULL);
	ck_assert_int_eq(cluster_agent_stop(&a, SIGTERM), 0);
	ck_assert(!file_has(a.log, "released from quarantine"));
	ck_assert(!file_has(a.log, "the worker has ended"));
}
END_TEST

START_TEST(a_removed_instance_leaves_no_alarm_and_no_state)
{
	start_quarantined("");
	cluster_wait_for_node(ALARM);
	configure("instances = ( );");
	cluster_wait_node(ALARM, NULL);
	wait_said("get", "/members/alpha", "\"instances\":{}");
}
END_TEST

START_TEST(one_that_says_that_it_cannot_run_is_not_quarantined)
{
	start(NULL, "instances = ( " ONE("one", "nonsense-init",
	                                 "quarantine_failures = 1;") " );");
	cluster_agent_wait_times(&a, "the plugin cannot run; trying again", 4);
	ck_assert(!file_has(a.log, "quarantined"));
	wait_said("get", "/members/alpha",
	          "\"instances\":{\"one\":\"refused: init returned 42");
}
END_TEST

START_TEST(zero_failures_are_never_too_many)
{
	cluster_edit("create", "/config", "bad");
	start(NULL, "instances = ( " ONE("one", "bad-value",
	                                 "quarantine_failures = 0;") " );");
	cluster_agent_wait_times(&a, "process will be started again", 6);
	ck_assert(!file_has(a.log, "quarantined"));
}
END_TEST

/* ---- who a plugin is ---- */

START_TEST(an_instance_runs_as_its_user_from_its_first_code_on)
{
	char want[512];

	if (!is_root(__func__))
		return;
	start_copy("who", "user = \"" OWN_USER "\"; group = \"nogroup\"; "
	                  "files_max = 77; ");
	snprintf(want, sizeof want,
	         "uid 5 gid 65534 groups '65534 ' umask 022 processes ");
	cluster_agent_wait_log(&a, "work dir can be written");
	for (int i = 0; i < 2; i++) {
		char line[600];

		snprintf(line, sizeof line, "%s %s", i ? "now" : "early", want);
		ck_assert_msg(file_has(a.log, line), "%s", line);
	}
	snprintf(want, sizeof want,
	         " files 77 priv 1 caps 0000000000000000 bound "
	         "0000000000000000 cwd %s/instances/one.d",
	         a.state);
	ck_assert_uint_eq(file_count(a.log, want), 2);
}
END_TEST

static struct stat look_at(const char *dir)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", a.state, dir);
	ck_assert_int_eq(stat(path, &st), 0);
	return st;
}

START_TEST(the_directory_of_an_instance_is_its_users_and_can_be_reached)
{
	struct stat st;

	if (!is_root(__func__))
		return;
	start_copy("who", "user = \"" OWN_USER "\"; ");
	cluster_agent_wait_log(&a, "work dir can be written");
	st = look_at("instances/one.d");
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_uint_eq(st.st_uid, 5);
	st = look_at("instances");
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	ck_assert_uint_eq(st.st_uid, 0);
}
END_TEST

START_TEST(what_a_link_leads_to_is_not_given_away)
{
	char path[512], text[1024];

	if (!is_root(__func__))
		return;
	start(NULL, "instances = ( );");
	snprintf(path, sizeof path, "%s/instances", a.state);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/other", a.state);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof path, "%s/instances/one.d", a.state);
	ck_assert_int_eq(symlink("../other", path), 0);
	snprintf(text, sizeof text,
	         "instances = ( { name = \"one\"; plugin = \"%s\"; user = "
	         "\"" OWN_USER "\"; } );",
	         copied("who"));
	configure(text);
	cluster_agent_wait_log(&a, "cannot give the directory");
	ck_assert_uint_eq(look_at("other").st_uid, 0);
}
END_TEST

START_TEST(a_limit_of_processes_is_set_with_the_user)
{
	char base[512];

	if (!is_root(__func__))
		return;
	if (mu_cgroup_find(base, sizeof base, NULL) == 0) {
		printf("SKIPPED: %s: a cgroup does it here\n", __func__);
		return;
	}
	start_copy("who", "user = \"" OWN_USER "\"; processes_max = 33; ");
	cluster_agent_wait_log(&a, "now uid 5 ");
	ck_assert_uint_eq(file_count(a.log, " processes 33 "), 2);
}
END_TEST

START_TEST(root_without_a_user_gives_up_what_undoes_limits)
{
	char *text, *at;
	unsigned long long caps;

	if (!is_root(__func__))
		return;
	start(NULL, "instances = ( " ONE("one", "who", "") " );");
	cluster_agent_wait_log(&a, "now uid 0 gid 0 ");
	text = file_read(a.log, NULL);
	at = strstr(text, " caps ");
	ck_assert_ptr_nonnull(at);
	caps = strtoull(at + 6, NULL, 16);
	free(text);
	/* CAP_CHOWN stays; SYS_MODULE, SYS_PTRACE, SYS_RESOURCE do not. */
	ck_assert(caps & 1);
	ck_assert_uint_eq(caps & (1ull << 16 | 1ull << 19 | 1ull << 24), 0);
}
END_TEST

START_TEST(the_environment_is_clean)
{
	setenv("NOTIFY_SOCKET", "/nowhere", 1);
	setenv("SECRET_OF_THE_AGENT", "hush", 1);
	setenv("TZ", "Europe/Lisbon", 1);
	setenv("WANTED", "as the agent has it", 1);
	start(NULL, "instances = ( " ONE("one", "who",
	                                 "environment = [ \"COLOUR=blue\", "
	                                 "\"WANTED\", \"NOT_THERE\" ];") " );");
	cluster_agent_wait_log(&a, "work dir can be written");
	ck_assert(!file_has(a.log, "SECRET_OF_THE_AGENT"));
	ck_assert(!file_has(a.log, "NOTIFY_SOCKET"));
	ck_assert(!file_has(a.log, "NOT_THERE"));
	ck_assert(file_has(a.log, "env TZ=Europe/Lisbon"));
	ck_assert(file_has(a.log, "env PATH="));
	ck_assert(file_has(a.log, "env COLOUR=blue"));
	ck_assert(file_has(a.log, "env WANTED=as the agent has it"));
}
END_TEST

START_TEST(the_way_to_its_directory_is_open_whatever_the_agents_umask)
{
	char path[300];
	struct stat st;

	umask(077);
	start(NULL, "instances = ( " ONE("one", "who", "") " );");
	umask(022);
	cluster_agent_wait_log(&a, "work dir can be written");
	snprintf(path, sizeof path, "%s/instances", a.state);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0755);
	snprintf(path, sizeof path, "%s/instances/one.d", a.state);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
}
END_TEST

START_TEST(a_work_dir_that_is_named_is_made_and_used)
{
	char text[512], want[300];

	snprintf(text, sizeof text,
	         "instances = ( " ONE("one", "who",
	                              "work_dir = \"%s/some/where\";") " );",
	         c.dir);
	start(NULL, text);
	snprintf(want, sizeof want, " cwd %s/some/where", c.dir);
	cluster_agent_wait_log(&a, "work dir can be written");
	ck_assert_uint_eq(file_count(a.log, want), 2);
}
END_TEST

START_TEST(a_work_dir_is_not_made_through_a_link_of_its_users)
{
	char text[512], his[200], link[300], real[200], new[300];
	struct stat st;

	if (!is_root(__func__))
		return;
	snprintf(his, sizeof his, "%s/his", c.dir);
	snprintf(real, sizeof real, "%s/real", c.dir);
	snprintf(link, sizeof link, "%s/link", his);
	ck_assert(mkdir(his, 0755) == 0 && mkdir(real, 0755) == 0);
	ck_assert(chown(his, 5, 60) == 0 && symlink(real, link) == 0);
	snprintf(text, sizeof text,
	         "instances = ( " ONE("one", "who",
	                              "user = \"" OWN_USER
	                              "\"; work_dir = \"%s/new\";") " );",
	         link);
	start(NULL, text);
	cluster_agent_wait_log(&a, "a link on the way is somebody's who could "
	                           "point it anywhere");
	snprintf(new, sizeof new, "%s/new", real);
	ck_assert_int_eq(lstat(new, &st), -1);
}
END_TEST

/* ---- configurations that cannot be ---- */

static void check_config(struct run *r, bool as_nobody)
{
	const char *argv[] = { "setpriv",
		               "--reuid=65534",
		               "--regid=65534",
		               "--clear-groups",
		               cluster_program("muster-agent"),
		               "-c",
		               a.conf,
		               "--check-config",
		               NULL };

	*r = (struct run){ .argv = as_nobody ? argv : argv + 4 };
	run(r);
}

static const struct {
	const char *more, *said;
	bool as_nobody;
} wrong[] = {
	{ "user = \"nobody-has-this-name\";",
	  "i.conf:1: user and group: there is no user 'nobody-has-this-name' "
	  "on this host",
	  false },
	{ "group = \"no-such-group\";",
	  "user and group: there is no group 'no-such-group' on this host",
	  false },
	{ "user = \"4000000000\";", "no user has the number 4000000000",
	  false },
	{ "work_dir = \"here\";", "work_dir must begin with '/', not here",
	  false },
	{ "environment = [ \"=x\" ];",
	  "environment must hold \"NAME=value\" or \"NAME\", not =x", false },
	{ "user = \"" OWN_USER "\";",
	  "user and group need an agent that runs as root: one", true },
	{ "processes_max = 10;",
	  "i.conf:1: processes_max of one needs a user of its own (set user to "
	  "another one than the agent's), or a cgroup that is delegated to the "
	  "agent (Delegate=pids in its systemd unit), and there ",
	  true },
	{ "processes_max = 4194305;", "processes_max", false },
	{ "output_lines_max = 0;", "output_lines_max", false },
	{ "output_lines_max = 10001;", "output_lines_max", false },
	{ "quarantine_failures = 1001;", "quarantine_failures", false },
	{ "quarantine_window_s = 0;", "quarantine_window_s", false },
	{ "quarantine_window_s = 86401;", "quarantine_window_s", false },
};

START_TEST(what_cannot_be_is_refused_with_a_sentence)
{
	char text[512];
	struct run r;

	if (wrong[_i].as_nobody && !is_root(__func__))
		return;
	cluster_agent_init(&c, &a, "alpha", NULL);
	ck_assert_int_eq(chmod(c.dir, 0755), 0);
	snprintf(text, sizeof text,
	         "instances = ( { name = \"one\"; plugin = \"log\"; "
	         "members = true; %s } );",
	         wrong[_i].more);
	cluster_agent_instances(&a, "i.conf", text);
	check_config(&r, wrong[_i].as_nobody);
	ck_assert_msg(r.exit == 2, "%d %s", r.exit, r.err);
	ck_assert_msg(strstr(r.err, wrong[_i].said) != NULL, "%s", r.err);
	run_free(&r);
}
END_TEST

START_TEST(what_is_at_its_limit_is_taken)
{
	struct run r;

	cluster_agent_init(&c, &a, "alpha", NULL);
	cluster_agent_instances(
		&a, "i.conf",
		"instances = ( { name = \"one\"; plugin = \"log\"; "
		"members = true; output_lines_max = 10000; processes_max = 0; "
		"quarantine_failures = 1000; quarantine_window_s = 86400; }, "
		"{ name = \"two\"; plugin = \"log\"; members = true; "
		"output_lines_max = 1; quarantine_window_s = 1; } );");
	check_config(&r, false);
	ck_assert_msg(r.exit == 0, "%s", r.err);
	run_free(&r);
}
END_TEST

static void add_cases(Suite *s)
{
	TCase *tc = tcase_create("isolation");

	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(
		tc, a_bad_plugin_ends_in_quarantine_and_its_neighbour_goes_on,
		0, (int)(sizeof bad / sizeof bad[0]));
	tcase_add_test(tc, a_fork_bomb_meets_the_limit_of_its_user);
	tcase_add_test(tc, a_fork_bomb_meets_the_limit_of_its_cgroup);
	tcase_add_test(
		tc,
		what_a_killed_agent_left_in_its_cgroup_is_ended_by_the_next);
	tcase_add_test(tc, a_flood_is_logged_in_part_and_the_rest_is_counted);
	tcase_add_test(tc, a_flood_on_the_channel_is_held_up_there);
	tcase_add_test(tc, a_runner_that_reads_no_answer_is_ended);
	tcase_add_loop_test(tc, who_asks_again_at_once_makes_sense, 1, 4);
	tcase_add_test(tc, last_words_without_an_end_of_line_are_kept);
	tcase_add_test(
		tc,
		a_process_that_cannot_be_killed_keeps_no_agent_from_its_end);
	tcase_add_test(tc, quarantine_is_shown_in_the_record_and_by_an_alarm);
	tcase_add_test(tc, the_record_says_quarantined_no_later_than_the_alarm);
	tcase_add_test(
		tc, who_deletes_the_alarm_releases_the_instance_and_its_events);
	tcase_add_test(tc, an_alarm_is_deleted_while_the_agent_does_not_look);
	tcase_add_test(tc, an_alarm_is_raised_when_the_broker_is_back);
	tcase_add_test(tc, other_settings_release_an_instance);
	tcase_add_test(tc, another_plugin_file_releases_an_instance);
	tcase_add_test(tc, a_restart_of_the_agent_releases_an_instance);
	tcase_add_test(
		tc, an_alarm_that_is_deleted_while_the_agent_ends_is_nobodys);
	tcase_add_test(tc, a_removed_instance_leaves_no_alarm_and_no_state);
	tcase_add_test(tc, one_that_says_that_it_cannot_run_is_not_quarantined);
	tcase_add_test(tc, zero_failures_are_never_too_many);
	tcase_add_test(tc, an_instance_runs_as_its_user_from_its_first_code_on);
	tcase_add_test(
		tc,
		the_directory_of_an_instance_is_its_users_and_can_be_reached);
	tcase_add_test(tc, what_a_link_leads_to_is_not_given_away);
	tcase_add_test(tc, a_limit_of_processes_is_set_with_the_user);
	tcase_add_test(tc, root_without_a_user_gives_up_what_undoes_limits);
	tcase_add_test(tc, the_environment_is_clean);
	tcase_add_test(
		tc, the_way_to_its_directory_is_open_whatever_the_agents_umask);
	tcase_add_test(tc, a_work_dir_that_is_named_is_made_and_used);
	tcase_add_test(tc, a_work_dir_is_not_made_through_a_link_of_its_users);
	tcase_add_loop_test(tc, what_cannot_be_is_refused_with_a_sentence, 0,
	                    (int)(sizeof wrong / sizeof wrong[0]));
	tcase_add_test(tc, what_is_at_its_limit_is_taken);
	suite_add_tcase(s, tc);
}

int main(void)
{
	Suite *s = suite_create("isolation");
	SRunner *sr;
	int failed;

	add_cases(s);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
