/* muster-agent as it is run, with the real broker, runner and plugins. */
#include "cluster.h"

#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHORT "session_timeout_ms = 600;\n"
#define LOGGER \
	"instances = ( { name = \"logger\"; plugin = \"log\"; " \
	"members = true; connection = true; " \
	"watch = ( { path = \"/config\"; mode = \"subtree\"; } ); } );\n"

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

/* What a command prints about a path, up to a number or text of a JSON key. */
static bool text_of(const char *verb, const char *path, const char *key,
                    char out[64])
{
	char wanted[64];
	struct run r;
	const char *at;

	out[0] = '\0';
	snprintf(wanted, sizeof wanted, "\"%s\":", key);
	if (cluster_muster(&r, verb, path,
	                   strcmp(verb, "stat") == 0 ? "--json" : NULL,
	                   NULL) == 0) {
		at = strstr(r.out, wanted);
		at = at ? at + strlen(wanted) : "";
		at += strspn(at, " \"");
		snprintf(out, 64, "%.*s", (int)strcspn(at, "\",} \n"), at);
	}
	run_free(&r);
	return out[0] != '\0';
}

struct wish {
	const char *verb, *path, *key, *value;
	bool other; /* anything but the value */
};

static bool is_granted(void *arg)
{
	const struct wish *w = arg;
	char now[64];

	return text_of(w->verb, w->path, w->key, now) &&
	       (strcmp(now, w->value) == 0) != w->other;
}

static void wait_value(const char *path, const char *key, const char *value)
{
	struct wish w = { "get", path, key, value, false };

	ck_assert_msg(wait_for(is_granted, &w, WAIT_MS), "%s has no %s %s",
	              path, key, value);
}

static void wait_other_stay(const char *path, const char *czxid)
{
	struct wish w = { "stat", path, "czxid", czxid, true };

	ck_assert_msg(wait_for(is_granted, &w, WAIT_MS), "%s is the same still",
	              path);
}

static void assert_same_stay(const char *path, const char *czxid)
{
	char now[64];

	ck_assert(text_of("stat", path, "czxid", now));
	ck_assert_str_eq(now, czxid);
}

/* ---- the roll ---- */

START_TEST(an_agent_answers_the_roll_call)
{
	cluster_agent_up(
		&c, &a, "alpha",
		"address = \"10.1.2.3\"; port = 99; labels = { role = \"web\"; "
		"};",
		NULL);
	wait_value("/members/alpha", "name", "alpha");
	wait_value("/members/alpha", "address", "10.1.2.3");
	wait_value("/members/alpha", "port", "99");
	wait_value("/members/alpha", "role", "web");
	wait_value("/members/alpha", "state", "up");
}
END_TEST

static const int restarts[] = { SIGTERM, SIGINT, SIGKILL };

START_TEST(a_restart_within_the_timeout_is_seen_by_nobody)
{
	char stay[64];

	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(&c, &a, "alpha", NULL, NULL);
	cluster_agent_wait_log(&b, "joined member=alpha");
	ck_assert(text_of("stat", "/members/alpha", "czxid", stay));
	cluster_agent_stop(&a, restarts[_i]);
	if (restarts[_i] != SIGKILL)
		wait_value("/members/alpha", "state", "leaving");
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "resumed=yes");
	wait_value("/members/alpha", "state", "up");
	assert_same_stay("/members/alpha", stay);
	cluster_edit("create", "/config", "mark");
	cluster_agent_wait_log(&b, "created path=/config");
	ck_assert(!file_has(b.log, "failed member=alpha"));
	ck_assert(!file_has(b.log, "left member=alpha"));
}
END_TEST

START_TEST(an_end_without_a_return_is_left_after_sigterm)
{
	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(&c, &a, "alpha", SHORT, NULL);
	cluster_agent_wait_log(&b, "joined member=alpha");
	ck_assert_int_eq(cluster_agent_stop(&a, SIGTERM), 0);
	cluster_agent_wait_log(&b, "left member=alpha");
	ck_assert(!file_has(b.log, "failed member=alpha"));
}
END_TEST

START_TEST(an_end_without_a_return_is_failed_after_sigkill)
{
	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(&c, &a, "alpha", SHORT, NULL);
	cluster_agent_wait_log(&b, "joined member=alpha");
	cluster_agent_stop(&a, SIGKILL);
	cluster_agent_wait_log(&b, "failed member=alpha");
	ck_assert(!file_has(b.log, "left member=alpha"));
	cluster_agent_start(&a);
	ck_assert(
		file_comes_to_have(a.log, "the session has expired", WAIT_MS));
	wait_value("/members/alpha", "state", "up");
}
END_TEST

START_TEST(leave_is_left_at_once_and_waits_for_the_end)
{
	const char *argv[] = { NULL, "--leave", "-c", NULL, NULL };
	struct run r = { .argv = argv };
	char stay[64], program[512];

	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(&c, &a, "alpha", "session_timeout_ms = 60000;", NULL);
	cluster_agent_wait_log(&b, "joined member=alpha");
	ck_assert(text_of("stat", "/members/alpha", "czxid", stay));
	snprintf(program, sizeof program, "%s",
	         cluster_program("muster-agent"));
	argv[0] = program;
	argv[3] = a.conf;
	run(&r);
	ck_assert_int_eq(r.exit, 0);
	run_free(&r);
	ck_assert_int_eq(program_wait(&a.program, WAIT_MS), 0);
	cluster_agent_wait_log(&b, "left member=alpha");
	cluster_wait_node("/members/alpha", NULL);
	/* A second stay leaves, too: /left is there already. */
	cluster_agent_start(&a);
	wait_other_stay("/members/alpha", stay);
	run(&r);
	ck_assert_int_eq(r.exit, 0);
	run_free(&r);
	program_wait(&a.program, WAIT_MS);
	cluster_wait_node("/members/alpha", NULL);
	ck_assert(!file_has(b.log, "failed member=alpha"));
	/* Nobody is there to leave. */
	run(&r);
	ck_assert_int_eq(r.exit, 1);
	run_free(&r);
}
END_TEST

/* rule 53 */
START_TEST(rule53_a_ghost_of_an_earlier_session_is_replaced)
{
	char stay[64], path[256];

	cluster_agent_up(&c, &a, "alpha", "session_timeout_ms = 60000;", NULL);
	ck_assert(text_of("stat", "/members/alpha", "czxid", stay));
	cluster_agent_stop(&a, SIGKILL);
	snprintf(path, sizeof path, "%s/session", a.run);
	ck_assert_int_eq(unlink(path), 0);
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "replacing the node of an earlier session");
	wait_other_stay("/members/alpha", stay);
}
END_TEST

START_TEST(another_host_of_the_same_name_is_refused_until_the_name_is_free)
{
	char id[64], now[64];

	cluster_agent_up(&c, &a, "alpha", NULL, NULL);
	ck_assert(text_of("get", "/members/alpha", "id", id));
	cluster_agent_init(&c, &b, "beta", NULL);
	cluster_agent_conf(&b, "alpha", c.url, "");
	cluster_agent_start(&b);
	cluster_agent_wait_log(&b, "another host answers to this name");
	ck_assert(file_has(b.log, id));
	ck_assert(text_of("get", "/members/alpha", "id", now));
	ck_assert_str_eq(now, id);
	cluster_agent_stop(&a, SIGUSR2);
	cluster_agent_wait_log(&b, "msg=registered");
}
END_TEST

START_TEST(a_chroot_that_is_not_there_is_made)
{
	cluster_agent_init(&c, &a, "alpha", NULL);
	cluster_agent_conf(&a, "alpha", cluster_url(&c, "/team"), "");
	cluster_agent_start(&a);
	wait_value("/team/members/alpha", "name", "alpha");
}
END_TEST

START_TEST(a_deleted_member_is_made_again)
{
	char stay[64];

	cluster_agent_up(&c, &a, "alpha", NULL, NULL);
	ck_assert(text_of("stat", "/members/alpha", "czxid", stay));
	cluster_edit("rm", "/members/alpha", NULL);
	wait_other_stay("/members/alpha", stay);
}
END_TEST

START_TEST(a_broker_that_lost_its_tree_is_no_failure_of_anyone)
{
	ONLY_NATIVE("a ZooKeeper keeps its tree");
	cluster_agent_up(&c, &a, "alpha", NULL, LOGGER);
	cluster_agent_up(&c, &b, "beta", NULL, NULL);
	cluster_agent_wait_log(&a, "member=beta");
	cluster_broker_lose_tree(&c);
	wait_value("/members/alpha", "state", "up");
	wait_value("/members/beta", "state", "up");
	cluster_agent_wait_log(&a, "the broker came back with another tree");
	ck_assert(!file_has(a.log, "failed member"));
	ck_assert(!file_has(a.log, "left member"));
	ck_assert(program_is_running(&a.program));
}
END_TEST

START_TEST(an_agent_starts_with_the_broker_away)
{
	cluster_broker_stop(&c, SIGTERM);
	cluster_agent_init(&c, &a, "alpha", NULL);
	cluster_agent_instances(&a, "i.conf", LOGGER);
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "instance ready");
	cluster_broker_start(&c);
	wait_value("/members/alpha", "state", "up");
	cluster_agent_wait_log(&a, "msg=connected instance=logger");
}
END_TEST

/* ---- events ---- */

START_TEST(changes_reach_the_plugin_in_order)
{
	cluster_agent_up(&c, &a, "alpha", NULL, LOGGER);
	cluster_edit("create", "/config", "one");
	cluster_agent_wait_log(&a, "created path=/config ");
	cluster_edit("create", "/config/x", "1");
	cluster_agent_wait_log(&a, "created path=/config/x ");
	cluster_agent_wait_log(&a, "children path=/config ");
	cluster_edit("set", "/config/x", "2");
	cluster_agent_wait_log(&a, "changed path=/config/x ");
	cluster_edit("rm", "/config/x", NULL);
	cluster_agent_wait_log(&a, "deleted path=/config/x ");
}
END_TEST

START_TEST(what_is_there_is_delivered_first)
{
	cluster_edit("create", "/config", "one");
	cluster_edit("create", "/config/x", "1");
	cluster_agent_up(&c, &a, "alpha", NULL, LOGGER);
	cluster_agent_wait_log(&a, "present path=/config ");
	cluster_agent_wait_log(&a, "present path=/config/x ");
	ck_assert(!file_has(a.log, "created path="));
}
END_TEST

START_TEST(what_was_missed_is_told_when_the_broker_is_reached_again)
{
	cluster_agent_up(&c, &a, "alpha", SHORT, LOGGER);
	cluster_edit("create", "/config", "one");
	cluster_edit("create", "/config/x", "1");
	cluster_agent_wait_log(&a, "created path=/config/x ");
	/* Stopped until its session has expired. */
	cluster_agent_freeze(&a);
	cluster_wait_node("/members/alpha", NULL);
	cluster_edit("set", "/config", "two");
	cluster_edit("rm", "/config/x", NULL);
	cluster_edit("create", "/config/y", "1");
	cluster_agent_thaw(&a);
	cluster_agent_wait_log(&a, "changed path=/config ");
	cluster_agent_wait_log(&a, "created path=/config/y ");
	cluster_agent_wait_log(&a, "deleted path=/config/x ");
	cluster_agent_wait_log(&a, "disconnected instance=logger");
	/* A subscription tells each change as it was; behind a watch lies what
	 * is found to differ. */
	ck_assert(file_has(a.log, "coalesced") ==
	          (cluster_backend() == CLUSTER_ZOOKEEPER));
	wait_value("/members/alpha", "state", "up");
}
END_TEST

START_TEST(a_member_that_fails_is_told_within_the_timeout)
{
	int64_t killed;

	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(&c, &a, "alpha", SHORT, NULL);
	cluster_agent_wait_log(&b, "joined member=alpha");
	cluster_agent_stop(&a, SIGKILL);
	killed = now_ms();
	cluster_agent_wait_log(&b, "failed member=alpha");
	ck_assert_int_lt(now_ms() - killed, 600 + 2000);
}
END_TEST

/* What the counts of an instance's events add up to. */
static unsigned long counted(const char *log)
{
	char *text = file_read(log, NULL), *at = text;
	unsigned long sum = 0;

	while (at && (at = strstr(at, "counted="))) {
		at += strlen("counted=");
		sum += strtoul(at, NULL, 10);
	}
	free(text);
	return sum;
}

static bool are_all_counted(void *arg)
{
	return counted(a.log) == *(unsigned long *)arg;
}

START_TEST(a_slow_plugin_hears_of_the_newest_and_of_how_many)
{
	unsigned long all = 31;

	cluster_agent_up(
		&c, &a, "alpha", NULL,
		"instances = ( { name = \"slow\"; plugin = \"exec\"; "
		"queue_max = 2; watch = ( { path = \"/config\"; } ); "
		"settings : { events = [ \"created\", \"changed\" ]; "
		"command = \"sleep 0.2; echo counted=$MUSTER_COUNT\"; }; } );");
	cluster_edit("create", "/config", "x");
	for (int i = 0; i < 30; i++)
		cluster_edit("set", "/config", "y");
	ck_assert(wait_for(are_all_counted, &all, WAIT_MS));
	/* Merged, not one by one. */
	ck_assert_uint_lt(file_count(a.log, "counted="), 31);
}
END_TEST

/* ---- instances ---- */

#define LIE(name, file, more) \
	"{ name = \"" name "\"; plugin = \"" MU_BUILD "/tests/lies/" file \
	".so\"; watch = ( { path = \"/config\"; } ); " more " }"
#define HEALTHY \
	"{ name = \"healthy\"; plugin = \"log\"; " \
	"watch = ( { path = \"/config\"; } ); }"

static const struct {
	const char *instances, *said;
} bad[] = {
	{ "instances = ( " LIE("bad", "wrong-abi", "") ", " HEALTHY " );",
	  "ABI" },
	{ "instances = ( " LIE("bad", "no-symbol", "") ", " HEALTHY " );",
	  "the plugin cannot run" },
	{ "instances = ( " LIE("bad", "failing-init", "") ", " HEALTHY " );",
	  "the plugin cannot run" },
	{ "instances = ( " LIE("bad", "crash-init", "") ", " HEALTHY " );",
	  "signal 11" },
	{ "instances = ( " LIE("bad", "crash-event", "") ", " HEALTHY " );",
	  "signal 11" },
	{ "instances = ( " LIE("bad", "exit-event", "") ", " HEALTHY " );",
	  "started again" },
	{ "instances = ( " LIE("bad", "endless-event",
	                       "deadline_ms = 200;") ", " HEALTHY " );",
	  "an event took longer than deadline_ms, 200 ms" },
	{ "instances = ( " LIE("bad", "no-such-file", "") ", " HEALTHY " );",
	  "no-such-file.so" },
};

START_TEST(a_bad_plugin_hurts_only_itself)
{
	cluster_edit("create", "/config", "one");
	cluster_agent_up(&c, &a, "alpha", NULL, bad[_i].instances);
	cluster_agent_wait_log(&a, bad[_i].said);
	cluster_agent_wait_log(&a, "present path=/config ");
	cluster_edit("set", "/config", "two");
	cluster_agent_wait_log(&a, "changed path=/config ");
	ck_assert(program_is_running(&a.program));
}
END_TEST

START_TEST(a_bad_plugin_is_tried_again_with_a_growing_pause)
{
	cluster_edit("create", "/config", "one");
	cluster_agent_up(&c, &a, "alpha", NULL,
	                 "instances = ( " LIE("bad", "crash-event", "") " );");
	cluster_agent_wait_log(&a, "in_ms=100");
	cluster_agent_wait_log(&a, "in_ms=200");
	cluster_agent_wait_log(&a, "in_ms=400");
}
END_TEST

START_TEST(a_killed_runner_is_started_again)
{
	cluster_edit("create", "/config", "one");
	cluster_agent_up(&c, &a, "alpha", NULL, LOGGER);
	cluster_agent_wait_log(&a, "present path=/config ");
	kill(cluster_agent_runner(&a, "logger"), SIGKILL);
	cluster_agent_wait_log(&a, "signal 9");
	cluster_edit("set", "/config", "two");
	cluster_agent_wait_log(&a, "changed path=/config ");
}
END_TEST

START_TEST(no_runner_outlives_its_agent)
{
	pid_t pid;

	cluster_agent_up(&c, &a, "alpha", NULL, LOGGER);
	cluster_agent_wait_log(&a, "instance ready");
	pid = cluster_agent_runner(&a, "logger");
	ck_assert_int_gt(pid, 1);
	cluster_agent_stop(&a, SIGKILL);
	for (int64_t end = now_ms() + WAIT_MS; kill(pid, 0) == 0;) {
		char path[64], *stat;
		bool dead;

		/* Nobody may be there to reap it but init. */
		snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
		stat = file_read(path, NULL);
		dead = !stat || strstr(stat, ") Z ");
		free(stat);
		if (dead)
			break;
		ck_assert_int_lt(now_ms(), end);
	}
}
END_TEST

START_TEST(sighup_starts_stops_and_exchanges_instances)
{
	pid_t kept;

	cluster_agent_up(
		&c, &a, "alpha", NULL,
		"instances = ( { name = \"kept\"; plugin = \"log\"; }, "
		"{ name = \"gone\"; plugin = \"log\"; }, "
		"{ name = \"other\"; plugin = \"log\"; } );");
	cluster_agent_wait_log(&a, "\"instance ready\" instance=kept");
	cluster_agent_wait_log(&a, "\"instance ready\" instance=gone");
	cluster_agent_wait_log(&a, "\"instance ready\" instance=other");
	kept = cluster_agent_runner(&a, "kept");
	cluster_agent_instances(
		&a, "i.conf",
		"instances = ( { name = \"kept\"; plugin = \"log\"; }, "
		"{ name = \"other\"; plugin = \"log\"; queue_max = 5; }, "
		"{ name = \"new\"; plugin = \"log\"; } );");
	program_signal(&a.program, SIGHUP);
	cluster_agent_wait_log(&a, "\"instance stopped\" instance=gone");
	cluster_agent_wait_log(&a, "\"instance stopped\" instance=other");
	cluster_agent_wait_log(&a, "\"instance ready\" instance=new");
	for (int64_t end = now_ms() + WAIT_MS;
	     file_count(a.log, "\"instance ready\" instance=other") < 2;)
		ck_assert_int_lt(now_ms(), end);
	ck_assert_int_eq(kill(kept, 0), 0);
	ck_assert_uint_eq(file_count(a.log, "\"instance ready\" instance=kept"),
	                  1);
}
END_TEST

START_TEST(a_bad_file_at_sighup_changes_nothing_and_says_why)
{
	cluster_agent_up(&c, &a, "alpha", NULL, LOGGER);
	cluster_agent_wait_log(&a, "instance ready");
	cluster_agent_instances(&a, "z.conf",
	                        "instances = (\n{ name = \"x\"; plugin = "
	                        "\"log\";\n nonsense = 1; } );\n");
	program_signal(&a.program, SIGHUP);
	cluster_agent_wait_log(&a, "the new configuration is not used");
	ck_assert(file_has(a.log, "z.conf:3"));
	ck_assert(!file_has(a.log, "instance stopped"));
}
END_TEST

START_TEST(a_report_lands_in_the_tree)
{
	char text[1024], file[256];

	cluster_agent_init(&c, &a, "alpha", NULL);
	snprintf(file, sizeof file, "%s/motd", a.dir);
	snprintf(text, sizeof text,
	         "instances = ( { name = \"motd\"; plugin = \"config-file\"; "
	         "watch = ( { path = \"/config\"; } ); "
	         "settings : { path = \"/config\"; file = \"%s\"; }; } );",
	         file);
	cluster_agent_instances(&a, "i.conf", text);
	cluster_edit("create", "/config", "one");
	cluster_agent_start(&a);
	wait_value("/applied/motd/alpha", "state", "applied");
	wait_value("/applied/motd/alpha", "path", "/config");
	wait_value("/applied/motd/alpha", "version", "0");
	cluster_edit("set", "/config", "two");
	wait_value("/applied/motd/alpha", "version", "1");
	ck_assert(file_has(file, "two"));
	/* The report comes back with the tree, even if nothing has changed. */
	cluster_broker_lose_tree(&c);
	wait_value("/applied/motd/alpha", "version", "1");
}
END_TEST

START_TEST(a_template_has_applied_each_of_its_nodes)
{
	char text[1024], file[256];
	struct run r;

	cluster_agent_init(&c, &a, "alpha", NULL);
	snprintf(file, sizeof file, "%s/t", a.dir);
	file_write_text(file, "{{x}}{{y}}{{#members}}{{name}}{{/members}}");
	snprintf(
		text, sizeof text,
		"instances = ( { name = \"both\"; plugin = \"template\"; "
		"members = true; "
		"watch = ( { path = \"/x\"; }, { path = \"/y\"; } ); "
		"settings : { members = true; nodes = ( { name = \"x\"; path = "
		"\"/x\"; }, { name = \"y\"; path = \"/y\"; } ); files = ( { "
		"template = \"%s\"; file = \"%s/out\"; } ); }; } );",
		file, a.dir);
	cluster_agent_instances(&a, "i.conf", text);
	cluster_edit("create", "/x", "1");
	cluster_edit("create", "/y", "2");
	cluster_agent_start(&a);
	for (int i = 0; i < 2; i++) {
		static const char *const paths[] = { "/x", "/y" };

		ck_assert_int_eq(cluster_muster(&r, "wait", "--applied",
		                                paths[i], "--hosts", "1",
		                                "--timeout", "30s", NULL),
		                 0);
		run_free(&r);
	}
	snprintf(file, sizeof file, "%s/out", a.dir);
	ck_assert(file_comes_to_have(file, "12alpha", WAIT_MS));
	cluster_edit("set", "/y", "3");
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(cluster_muster(&r, "wait", "--applied",
		                                i ? "/x" : "/y", "--hosts", "1",
		                                "--timeout", "30s", NULL),
		                 0);
		run_free(&r);
	}
	ck_assert(file_has(file, "13alpha"));
	wait_value("/applied/both/alpha", "path", "/y");
	/* A member more: the report stays with the node. */
	cluster_edit("create", "/members/beta", "{}");
	ck_assert(file_comes_to_have(file, "13alphabeta", WAIT_MS));
	wait_value("/applied/both/alpha", "path", "/y");
}
END_TEST

static void motd_by(const char *plugin)
{
	char text[1024];

	snprintf(text, sizeof text,
	         "instances = ( { name = \"motd\"; plugin = \"%s\"; "
	         "watch = ( { path = \"/config\"; } ); "
	         "settings : { path = \"/config\"; file = \"%s/motd\"; }; } );",
	         plugin, a.dir);
	cluster_agent_instances(&a, "i.conf", text);
}

START_TEST(with_another_plugin_the_report_of_the_one_before_goes)
{
	cluster_agent_init(&c, &a, "alpha", NULL);
	motd_by("config-file");
	cluster_edit("create", "/config", "one");
	cluster_agent_start(&a);
	wait_value("/applied/motd/alpha", "state", "applied");
	motd_by("log");
	program_signal(&a.program, SIGHUP);
	cluster_wait_node("/applied/motd/alpha", NULL);
	motd_by("config-file");
	program_signal(&a.program, SIGHUP);
	wait_value("/applied/motd/alpha", "state", "applied");
}
END_TEST

START_TEST(a_node_to_follow_that_is_not_watched_is_warned_of)
{
	static const char conf[] =
		"instances = ( { name = \"motd\"; plugin = \"config-file\"; "
		"watch = ( { path = \"/confg\"; } ); "
		"settings : { path = \"/config\"; file = \"/nowhere/x\"; }; } "
		");";
	struct run r;

	cluster_agent_init(&c, &a, "alpha", NULL);
	cluster_agent_instances(&a, "i.conf", conf);
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--check-config", "-c",
	                             a.conf, NULL),
	                 0);
	ck_assert_msg(
		strstr(r.err,
	               "muster-agent: warning: instance motd: settings.path = "
	               "\"/config\" is covered by no `watch`") != NULL,
		"%s", r.err);
	run_free(&r);
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "is covered by no `watch` of the instance");
}
END_TEST

/* Holds the first reload until the test lets go. */
#define HELD_RELOAD \
	"echo >> %s/reloads; while [ ! -e %s/go ]; do sleep 0.02; done"

START_TEST(values_that_were_overtaken_cost_no_reload)
{
	char text[2048], file[256], value[16];

	cluster_agent_init(&c, &a, "alpha", NULL);
	snprintf(text, sizeof text,
	         "instances = ( { name = \"motd\"; plugin = \"config-file\"; "
	         "watch = ( { path = \"/config\"; } ); "
	         "settings : { path = \"/config\"; file = \"%s/motd\"; "
	         "timeout_ms = 25000; reload = \"" HELD_RELOAD "\"; }; } );",
	         a.dir, a.dir, a.dir);
	cluster_agent_instances(&a, "i.conf", text);
	cluster_edit("create", "/config", "v0");
	cluster_agent_start(&a);
	snprintf(file, sizeof file, "%s/reloads", a.dir);
	ck_assert(file_comes_to_have(file, "\n", WAIT_MS));
	for (int i = 1; i <= 40; i++) {
		snprintf(value, sizeof value, "v%d", i);
		cluster_edit("set", "/config", value);
	}
	snprintf(file, sizeof file, "%s/go", a.dir);
	file_write_text(file, "");
	wait_value("/applied/motd/alpha", "version", "40");
	snprintf(file, sizeof file, "%s/motd", a.dir);
	ck_assert(file_has(file, "v40"));
	/* The one that was handled, those that had come by then, and the last
	 * ones if they came late. */
	snprintf(file, sizeof file, "%s/reloads", a.dir);
	ck_assert_uint_ge(file_count(file, "\n"), 2);
	ck_assert_uint_le(file_count(file, "\n"), 3);
	ck_assert(!file_has(a.log, "queue is full"));
}
END_TEST

START_TEST(a_plugin_reads_and_writes_through_its_agent)
{
	cluster_edit("create", "/a", "A");
	cluster_edit("create", "/b", "B");
	for (int i = 0; i < 4; i++)
		cluster_edit("set", "/b", "B");
	cluster_edit("create", "/do", "");
	cluster_agent_up(
		&c, &a, "alpha", NULL,
		"instances = ( { name = \"probe\"; plugin = \"" MU_BUILD
		"/tests/lies/probe.so\"; "
		"watch = ( { path = \"/do\"; mode = \"subtree\"; } ); } );");
	cluster_edit("create", "/do/get", "");
	cluster_agent_wait_log(&a, "data A len 1 version 0");
	cluster_edit("create", "/do/children", "");
	cluster_agent_wait_log(&a, "children: 0");
	cluster_edit("create", "/do/set", "");
	cluster_agent_wait_log(&a, "still A");
	cluster_wait_node("/b", "new");
}
END_TEST

START_TEST(a_plugin_without_a_broker_is_told_so)
{
	cluster_edit("create", "/do", "");
	cluster_agent_up(
		&c, &a, "alpha", NULL,
		"instances = ( { name = \"probe\"; plugin = \"" MU_BUILD
		"/tests/lies/probe.so\"; connection = true; "
		"watch = ( { path = \"/do\"; mode = \"subtree\"; } ); } );");
	cluster_agent_wait_log(&a, "event 20 ");
	cluster_broker_stop(&c, SIGTERM);
	cluster_agent_wait_log(&a, "event 21 ");
	ck_assert(program_is_running(&a.program));
}
END_TEST

/* ---- as a program ---- */

START_TEST(two_agents_on_one_directory_are_refused)
{
	struct run r;

	cluster_agent_up(&c, &a, "alpha", NULL, NULL);
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "-c", a.conf, NULL),
	                 1);
	ck_assert_ptr_nonnull(strstr(r.err, "another agent runs"));
	run_free(&r);
	ck_assert(program_is_running(&a.program));
}
END_TEST

static const struct {
	const char *conf, *instances, *said;
} wrong[] = {
	{ "nonsense = 1;\n", NULL, "agent.conf:" },
	{ "port = 65536;\n", NULL, "agent.conf:" },
	{ "log_level = \"loud\";\n", NULL, "log_level" },
	{ "labels = { n = 1; };\n", NULL, "labels may hold texts only" },
	{ "", "instances = (\n{ plugin = \"log\"; } );", "i.conf:2" },
	{ "", "instances = (\n{ name = \"a/b\"; plugin = \"log\"; } );",
	  "i.conf:2" },
	{ "", "instances = (\n{ name = \"a\"; plugin = \"../x\"; } );",
	  "i.conf:2" },
	{ "",
	  "instances = ( { name = \"a\"; plugin = \"log\";\n"
	  "watch = (\n{ path = \"config\"; } ); } );",
	  "i.conf:3" },
	{ "",
	  "instances = ( { name = \"a\"; plugin = \"log\"; watch = (\n"
	  "{ path = \"/c\"; mode = \"all\"; } ); } );",
	  "exact, children or subtree" },
	{ "",
	  "instances = ( { name = \"a\"; plugin = \"log\"; },\n"
	  "{ name = \"a\"; plugin = \"log\"; } );",
	  "already" },
	{ "", "instances = ( { name = \"a\"; plugin = \"log\" ", "i.conf" },
	{ "", "other = 1;", "i.conf" },
};

START_TEST(a_wrong_configuration_is_told_with_its_place)
{
	struct run r;

	cluster_agent_init(&c, &a, "alpha", wrong[_i].conf);
	if (wrong[_i].instances)
		cluster_agent_instances(&a, "i.conf", wrong[_i].instances);
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--check-config", "-c",
	                             a.conf, NULL),
	                 2);
	ck_assert_msg(strstr(r.err, wrong[_i].said) != NULL, "%s", r.err);
	run_free(&r);
}
END_TEST

START_TEST(the_shipped_files_hold_every_key_and_are_right)
{
	struct run r;
	char *conf = file_read(MU_SOURCE "/conf/agent.conf", NULL);
	char *sample = file_read(MU_SOURCE "/conf/instances.conf", NULL);

	ck_assert_ptr_nonnull(conf);
	ck_assert_ptr_nonnull(sample);
	ck_assert_int_eq(
		cluster_run(&r, "muster-agent", "--print-defaults", NULL), 0);
	ck_assert_uint_gt(r.out_len, 1000);
	ck_assert_msg(strstr(conf, r.out) != NULL,
	              "conf/agent.conf is not what --print-defaults prints");
	run_free(&r);
	cluster_agent_init(&c, &a, "alpha", NULL);
	cluster_agent_instances(&a, "i.conf", sample);
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--check-config", "-c",
	                             a.conf, NULL),
	                 0);
	run_free(&r);
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--check-config", "-c",
	                             MU_SOURCE "/conf/agent.conf", NULL),
	                 0);
	run_free(&r);
	free(conf);
	free(sample);
}
END_TEST

START_TEST(help_and_version_are_printed)
{
	struct run r;

	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--help", NULL), 0);
	ck_assert_ptr_nonnull(strstr(r.out, "SYNOPSIS"));
	ck_assert_ptr_nonnull(strstr(r.out, "queue_max"));
	run_free(&r);
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--version", NULL), 0);
	ck_assert_ptr_nonnull(strstr(r.out, "muster-agent "));
	run_free(&r);
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--nonsense", NULL),
	                 64);
	run_free(&r);
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "too", "many", NULL),
	                 64);
	run_free(&r);
}
END_TEST

START_TEST(files_of_the_agent_are_its_own)
{
	char path[256], *text;
	struct stat st;

	cluster_agent_up(&c, &a, "alpha", NULL, NULL);
	snprintf(path, sizeof path, "%s/session", a.run);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	text = file_read(path, NULL);
	ck_assert_int_eq(strncmp(text, "muster-session 2\n", 17), 0);
	free(text);
	snprintf(path, sizeof path, "%s/identity", a.state);
	text = file_read(path, NULL);
	ck_assert_int_eq(strncmp(text, "muster-identity 1\n", 18), 0);
	ck_assert_uint_eq(strlen(text), 18 + 33);
	free(text);
	cluster_agent_stop(&a, SIGTERM);
	/* Another version's file is not overwritten. */
	file_write_text(path, "muster-identity 2\nx\n");
	cluster_agent_start(&a);
	ck_assert_int_eq(program_wait(&a.program, WAIT_MS), 1);
	ck_assert(file_has(path, "muster-identity 2"));
	cluster_agent_wait_log(&a, "is not an identity of this version");
}
END_TEST

START_TEST(a_broken_session_file_only_costs_the_session)
{
	char path[256];

	cluster_agent_up(&c, &a, "alpha", NULL, NULL);
	cluster_agent_stop(&a, SIGKILL);
	snprintf(path, sizeof path, "%s/session", a.run);
	file_write_text(path, "muster-session 1\nsession zz\n");
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "the kept session cannot be used");
	cluster_agent_wait_log(&a, "replacing the node of an earlier session");
}
END_TEST

/* ---- */

int main(void)
{
	Suite *s = suite_create("agent");
	TCase *tc = tcase_create("system");
	SRunner *sr;
	int failed;

	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 90);
	tcase_add_test(tc, an_agent_answers_the_roll_call);
	tcase_add_loop_test(tc, a_restart_within_the_timeout_is_seen_by_nobody,
	                    0, sizeof restarts / sizeof *restarts);
	tcase_add_test(tc, an_end_without_a_return_is_left_after_sigterm);
	tcase_add_test(tc, an_end_without_a_return_is_failed_after_sigkill);
	tcase_add_test(tc, leave_is_left_at_once_and_waits_for_the_end);
	tcase_add_test(tc, rule53_a_ghost_of_an_earlier_session_is_replaced);
	tcase_add_test(
		tc,
		another_host_of_the_same_name_is_refused_until_the_name_is_free);
	tcase_add_test(tc, a_chroot_that_is_not_there_is_made);
	tcase_add_test(tc, a_deleted_member_is_made_again);
	tcase_add_test(tc, a_broker_that_lost_its_tree_is_no_failure_of_anyone);
	tcase_add_test(tc, an_agent_starts_with_the_broker_away);
	tcase_add_test(tc, changes_reach_the_plugin_in_order);
	tcase_add_test(tc, what_is_there_is_delivered_first);
	tcase_add_test(
		tc, what_was_missed_is_told_when_the_broker_is_reached_again);
	tcase_add_test(tc, a_member_that_fails_is_told_within_the_timeout);
	tcase_add_test(tc, a_slow_plugin_hears_of_the_newest_and_of_how_many);
	tcase_add_loop_test(tc, a_bad_plugin_hurts_only_itself, 0,
	                    sizeof bad / sizeof *bad);
	tcase_add_test(tc, a_bad_plugin_is_tried_again_with_a_growing_pause);
	tcase_add_test(tc, a_killed_runner_is_started_again);
	tcase_add_test(tc, no_runner_outlives_its_agent);
	tcase_add_test(tc, sighup_starts_stops_and_exchanges_instances);
	tcase_add_test(tc, a_bad_file_at_sighup_changes_nothing_and_says_why);
	tcase_add_test(tc, a_report_lands_in_the_tree);
	tcase_add_test(tc, a_template_has_applied_each_of_its_nodes);
	tcase_add_test(tc,
	               with_another_plugin_the_report_of_the_one_before_goes);
	tcase_add_test(tc, a_node_to_follow_that_is_not_watched_is_warned_of);
	tcase_add_test(tc, values_that_were_overtaken_cost_no_reload);
	tcase_add_test(tc, a_plugin_reads_and_writes_through_its_agent);
	tcase_add_test(tc, a_plugin_without_a_broker_is_told_so);
	tcase_add_test(tc, two_agents_on_one_directory_are_refused);
	tcase_add_loop_test(tc, a_wrong_configuration_is_told_with_its_place, 0,
	                    sizeof wrong / sizeof *wrong);
	tcase_add_test(tc, the_shipped_files_hold_every_key_and_are_right);
	tcase_add_test(tc, help_and_version_are_printed);
	tcase_add_test(tc, files_of_the_agent_are_its_own);
	tcase_add_test(tc, a_broken_session_file_only_costs_the_session);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
