/* muster-agent's memory: killed, restarted, without a broker, an instance goes on
 * where it was. With the real broker, runner and a plugin that keeps a journal. */
#include "cluster.h"

#include <muster/client.h>
#include <muster/plugin.h>

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cluster c;
static struct cluster_agent a;
static char journal[2 * CLUSTER_PATH_MAX];
static int pause_ms; /* for each event */

static void setup(void)
{
	cluster_open(&c);
	cluster_broker_start(&c);
	cluster_edit("create", "/w", "0");
	snprintf(journal, sizeof journal, "%s/journal", c.dir);
	pause_ms = 0;
}

static void teardown(void)
{
	cluster_close(&c);
}

/* ---- helpers ---- */

static void start_agent(const char *of_agent, const char *more)
{
	char text[2048];

	cluster_agent_init(&c, &a, "alpha", of_agent);
	snprintf(text, sizeof text,
	         "instances = ( { name = \"keeper\"; plugin = \"" MU_BUILD
	         "/tests/lies/journal.so\"; queue_max = 100000; %s watch = ( "
	         "{ path = \"/w\"; mode = \"subtree\"; } ); settings : { file "
	         "= \"%s\"; pause_ms = %d; }; } );",
	         more, journal, pause_ms);
	cluster_agent_instances(&a, "i.conf", text);
	cluster_agent_start(&a);
}

static void start(const char *more)
{
	start_agent(NULL, more);
}

static void again(int signum)
{
	cluster_agent_stop(&a, signum);
	cluster_agent_start(&a);
}

static void wait_journal(const char *text)
{
	char *has;

	if (file_comes_to_have(journal, text, WAIT_MS))
		return;
	has = file_read(journal, NULL);
	ck_abort_msg("'%s' does not come into the journal:\n%s", text,
	             has ? has : "(none)");
}

static void wait_times(const char *file, const char *text, unsigned count)
{
	ck_assert_msg(file_comes_to_count(file, text, count, WAIT_MS),
	              "'%s' is not %u times in %s", text, count, file);
}

static bool is_file(void *arg)
{
	return access(arg, F_OK) == 0;
}

static bool is_no_file(void *arg)
{
	return access(arg, F_OK) != 0;
}

static char *kept(const char *name)
{
	static char path[3 * CLUSTER_PATH_MAX];

	snprintf(path, sizeof path, "%s/instances/%s", a.state, name);
	return path;
}

/* A line of the journal. */
struct line {
	char verdict[16], path[128], data[128];
	unsigned type, flags, count, attempt;
	long long zxid, us;
	int n;
};

/* The next line; false at the end. */
static bool next_line(const char **at, struct line *l)
{
	int used = 0;

	memset(l, 0, sizeof *l);
	if (!**at)
		return false;
	if (sscanf(*at,
	           "%15s type %u flags %u count %u zxid %lld n %d attempt %u "
	           "us %lld path %127s data%n",
	           l->verdict, &l->type, &l->flags, &l->count, &l->zxid, &l->n,
	           &l->attempt, &l->us, l->path, &used) != 9)
		ck_abort_msg("the journal is spoilt: %.200s", *at);
	*at += used + ((*at)[used] == ' ');
	used = (int)strcspn(*at, "\n");
	snprintf(l->data, sizeof l->data, "%.*s", used, *at);
	*at += used;
	*at += **at == '\n';
	return true;
}

/* The last line that has these; the test fails without one. */
static struct line find(unsigned type, const char *path, const char *data)
{
	char *text = file_read(journal, NULL);
	const char *at = text;
	struct line l, found = { .type = 99 };

	while (at && next_line(&at, &l))
		if (l.type == type && strcmp(l.path, path) == 0 &&
		    strcmp(l.data, data) == 0)
			found = l;
	ck_assert_msg(found.type == type,
	              "no event %u of %s with '%s' in the journal:\n%s", type,
	              path, data, text);
	free(text);
	return found;
}

static unsigned times(const char *text)
{
	return file_count(journal, text);
}

/* ---- a writer ---- */

struct writer {
	pthread_t thread;
	volatile bool stop;
	unsigned last; /* written for sure */
};

static void *write_on(void *arg)
{
	struct mu_client_options o = { .size = sizeof o, .brokers = c.url };
	struct writer *w = arg;
	struct mu_client *cl;
	struct mu_err err;
	char text[16];

	ck_assert_int_eq(mu_client_new(&o, &cl, &err), 0);
	ck_assert_int_eq(mu_client_wait(cl, WAIT_MS, &err), 0);
	for (unsigned i = 1; !w->stop; i++) {
		struct timespec pause = { 0, 1000000 };
		int len = snprintf(text, sizeof text, "%u", i);

		ck_assert_int_eq(mu_client_set_sync(cl, "/w", text, len, -1,
		                                    NULL, WAIT_MS, &err),
		                 0);
		w->last = i;
		nanosleep(&pause, NULL); /* some hundred a second */
	}
	mu_client_free(cl);
	return NULL;
}

static void writer_start(struct writer *w)
{
	*w = (struct writer){ 0 };
	ck_assert_int_eq(pthread_create(&w->thread, NULL, write_on, w), 0);
}

static unsigned writer_stop(struct writer *w)
{
	w->stop = true;
	pthread_join(w->thread, NULL);
	return w->last;
}

/* Every change is there, in order, each under one (zxid, n) alone. Returns the
 * number of those that came more than once. */
static unsigned check_journal(unsigned last)
{
	struct line *seen = calloc(last + 1, sizeof *seen);
	char *text = file_read(journal, NULL);
	const char *at = text;
	unsigned most = 0, twice = 0;
	struct line l;

	while (at && next_line(&at, &l)) {
		unsigned i = (unsigned)atoi(l.data);

		if (l.type == MU_EVENT_PRESENT)
			continue;
		ck_assert_uint_eq(l.flags & ~(unsigned)MU_EVENT_AGAIN, 0);
		ck_assert_uint_eq(l.type, MU_EVENT_CHANGED);
		ck_assert_uint_eq(l.count, 1);
		ck_assert_uint_le(i, last);
		if (!seen[i].us) {
			ck_assert_msg(i == most + 1, "%u came behind %u", i,
			              most);
			seen[i] = l;
			most = i;
			continue;
		}
		twice++;
		ck_assert_msg(seen[i].zxid == l.zxid && seen[i].n == l.n,
		              "%u came under two names", i);
		ck_assert_msg(l.flags & MU_EVENT_AGAIN,
		              "%u came twice and does not say so", i);
	}
	ck_assert_uint_eq(most, last);
	free(text);
	free(seen);
	return twice;
}

static bool is_more(void *arg)
{
	return times("done type 3") >= *(unsigned *)arg;
}

static void wait_changes(unsigned count)
{
	ck_assert_msg(wait_for(is_more, &count, WAIT_MS),
	              "%u changes do not come", count);
}

static bool has_last(void *arg)
{
	char text[64];

	snprintf(text, sizeof text, "path /w data %u\n", *(unsigned *)arg);
	return file_has(journal, text);
}

/* ---- killed ---- */

#define KILLS 12u

START_TEST(an_agent_that_is_killed_under_a_writer_loses_nothing)
{
	struct writer w;
	unsigned last, twice;

	ONLY_NATIVE("a ZooKeeper remembers no changes");
	start("");
	wait_journal("path /w data 0");
	writer_start(&w);
	wait_changes(5);
	for (unsigned i = 0; i < KILLS; i++) {
		if (i % 3 == 2)
			kill(cluster_agent_runner(&a, "keeper"), SIGKILL);
		again(SIGKILL);
		wait_changes(times("done type 3") + 5 + i % 4 * 10);
	}
	last = writer_stop(&w);
	ck_assert_msg(wait_for(has_last, &last, WAIT_MS), "%u does not come",
	              last);
	twice = check_journal(last);
	/* Most of these after a start at which the broker did not answer in
	 * time: what came since the cache comes again then. */
	printf("    %u changes, %u kills, %u came again\n", last, KILLS, twice);
}
END_TEST

START_TEST(what_may_have_been_told_says_so_though_its_node_is_gone)
{
	char ok[sizeof journal + 4];

	ONLY_NATIVE("a ZooKeeper remembers no changes");
	start_agent("restart_failures = 1;\n", "");
	wait_journal("path /w data 0");
	cluster_edit("create", "/w/fatal", "one");
	wait_journal("path /w/fatal data one");
	/* It was told, and nobody could keep that it was handled. */
	cluster_edit("set", "/w/fatal", "two");
	wait_journal("path /w/fatal data two");
	program_wait(&a.program, WAIT_MS);
	ck_assert_uint_eq(find(MU_EVENT_CHANGED, "/w/fatal", "two").flags, 0);
	cluster_edit("rm", "/w/fatal", NULL);
	snprintf(ok, sizeof ok, "%s.ok", journal);
	file_write_text(ok, "");
	cluster_agent_start(&a);
	wait_journal("done type 2 ");
	ck_assert_uint_eq(times("path /w/fatal data two"), 2);
	ck_assert_uint_eq(find(MU_EVENT_CHANGED, "/w/fatal", "two").flags,
	                  MU_EVENT_AGAIN);
}
END_TEST

/* A long value is read behind its change, and its node is gone by then: the
 * deletion counts the change, and no end of the agent in between makes it forget. */
START_TEST(what_was_gone_before_it_was_read_is_counted_after_a_kill)
{
	char ok[sizeof journal + 4], big[5001];

	ONLY_NATIVE("a ZooKeeper remembers no changes");
	memset(big, 'b', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	cluster_edit("create", "/w/big", "small");
	cluster_edit("create", "/w/bad", "good");
	snprintf(ok, sizeof ok, "%s.ok", journal);
	file_write_text(ok, "");
	start("");
	wait_journal("path /w/bad data good");
	ck_assert(wait_for(is_file, kept("keeper.cursor"), WAIT_MS));
	cluster_agent_stop(&a, SIGTERM);
	unlink(ok);
	cluster_edit("set", "/w/big", big);
	cluster_edit("set", "/w", "between");
	cluster_edit("set", "/w/bad", "worse");
	cluster_edit("rm", "/w/big", NULL);
	cluster_agent_start(&a);
	wait_journal("path /w data between");
	wait_times(journal, "refused", 3); /* what was handled is on disk */
	cluster_agent_stop(&a, SIGKILL);
	unlink(kept("keeper.cache")); /* so that only the cursor speaks */
	file_write_text(ok, "");
	cluster_agent_start(&a);
	wait_journal("done type 2 ");
	ck_assert_uint_eq(find(MU_EVENT_DELETED, "/w/big", "").count, 2);
	ck_assert_uint_eq(find(MU_EVENT_CHANGED, "/w", "between").flags,
	                  MU_EVENT_AGAIN);
}
END_TEST

START_TEST(what_happened_while_the_agent_was_away_comes_one_by_one)
{
	char *at;

	ONLY_NATIVE("a ZooKeeper remembers no changes");
	cluster_edit("create", "/w/gone", "g");
	start("");
	wait_journal("path /w/gone data g");
	ck_assert(wait_for(is_file, kept("keeper.cursor"), WAIT_MS));
	cluster_agent_stop(&a, SIGTERM);
	cluster_edit("set", "/w", "1");
	cluster_edit("set", "/w", "2");
	cluster_edit("create", "/w/new", "n");
	cluster_edit("rm", "/w/gone", NULL);
	cluster_agent_start(&a);
	wait_journal("type 2 flags 0 count 1");
	/* The present state first, and then what led to it. */
	at = file_read(journal, NULL);
	ck_assert_ptr_nonnull(at);
	ck_assert_msg(times("type 0 ") == 4, "%s", at);
	ck_assert_ptr_null(strstr(strstr(at, "type 3 "), "type 0 "));
	free(at);
	ck_assert_int_gt(find(MU_EVENT_CHANGED, "/w", "2").us,
	                 find(MU_EVENT_CHANGED, "/w", "1").us);
	ck_assert_int_gt(find(MU_EVENT_CREATED, "/w/new", "n").us,
	                 find(MU_EVENT_CHANGED, "/w", "2").us);
	ck_assert_str_eq(find(MU_EVENT_DELETED, "/w/gone", "").path, "/w/gone");
	ck_assert_uint_eq(times("type 3"), 2);
}
END_TEST

START_TEST(an_agent_that_ended_well_tells_nothing_twice)
{
	ONLY_NATIVE("a ZooKeeper remembers no changes");
	start("");
	wait_journal("path /w data 0");
	cluster_edit("set", "/w", "1");
	wait_journal("data 1");
	again(SIGTERM);
	wait_times(journal, "type 0 ", 2);
	cluster_edit("set", "/w", "2");
	wait_journal("type 3 flags 0 count 1");
	wait_journal("data 2");
	ck_assert_uint_eq(times("type 3 "), 2);
	ck_assert_uint_eq(times("flags 1 "), 0);
}
END_TEST

START_TEST(a_change_of_settings_loses_nothing)
{
	ONLY_NATIVE("a ZooKeeper remembers no changes");
	start("");
	wait_journal("path /w data 0");
	cluster_edit("set", "/w", "1");
	wait_journal("data 1");
	cluster_edit("create", "/w/bad", "x");
	wait_journal("refused type 1");
	{
		char text[2048];

		snprintf(text, sizeof text,
		         "instances = ( { name = \"keeper\"; plugin = "
		         "\"" MU_BUILD
		         "/tests/lies/journal.so\"; queue_max = 99999; watch = "
		         "( { path = \"/w\"; mode = \"subtree\"; } ); settings "
		         ": { file = \"%s\"; }; } );",
		         journal);
		cluster_agent_instances(&a, "i.conf", text);
	}
	program_signal(&a.program, SIGHUP);
	cluster_agent_wait_log(&a, "starting it anew");
	wait_times(journal, "refused type 0", 1);
	snprintf(journal + strlen(journal), 4, ".ok");
	file_write_text(journal, "");
	journal[strlen(journal) - 3] = '\0';
	wait_journal("done type 1 flags 1 ");
	ck_assert_uint_gt(find(MU_EVENT_CREATED, "/w/bad", "x").attempt, 1);
	ck_assert_uint_eq(times("type 3 "), 1);
}
END_TEST

/* ---- desired and applied ---- */

START_TEST(a_failed_delivery_goes_on_over_ends_of_runner_and_agent)
{
	unsigned attempt;
	char ok[sizeof journal + 4];

	ONLY_NATIVE("a ZooKeeper remembers no changes");
	cluster_edit("create", "/w/bad", "ok");
	snprintf(ok, sizeof ok, "%s.ok", journal);
	file_write_text(ok, "");
	start("");
	wait_journal("path /w/bad data ok");
	unlink(ok);
	cluster_edit("set", "/w/bad", "x");
	wait_times(journal, "refused type 3", 3);
	/* The cursor stands before it; so does what is known of attempts. */
	attempt = find(MU_EVENT_CHANGED, "/w/bad", "x").attempt;
	ck_assert_uint_ge(attempt, 3);
	kill(cluster_agent_runner(&a, "keeper"), SIGKILL);
	wait_times(journal, "refused type 0", 1);
	again(SIGKILL);
	wait_times(journal, "refused type 0", 2);
	file_write_text(ok, "");
	wait_journal("done type 3");
	attempt = find(MU_EVENT_CHANGED, "/w/bad", "x").attempt;
	ck_assert_uint_ge(attempt, 4);
	ck_assert_uint_eq(find(MU_EVENT_CHANGED, "/w/bad", "x").flags,
	                  MU_EVENT_AGAIN);
	again(SIGTERM);
	wait_times(journal, "done type 0 ", 6);
	cluster_edit("set", "/w", "last");
	wait_journal("data last");
	ck_assert_uint_eq(times("done type 3"), 2);
}
END_TEST

START_TEST(a_newer_value_replaces_the_one_that_fails_after_a_restart)
{
	ONLY_NATIVE("a ZooKeeper remembers no changes");
	start("");
	wait_journal("path /w data 0");
	cluster_edit("create", "/w/bad", "x");
	wait_times(journal, "refused type 1", 2);
	cluster_agent_stop(&a, SIGKILL);
	cluster_edit("set", "/w/bad", "y");
	{
		char ok[sizeof journal + 4];

		snprintf(ok, sizeof ok, "%s.ok", journal);
		cluster_agent_start(&a);
		wait_journal("path /w/bad data y");
		file_write_text(ok, "");
	}
	wait_journal("done type 3");
	ck_assert_str_eq(find(MU_EVENT_CHANGED, "/w/bad", "y").verdict, "done");
}
END_TEST

/* ---- last known good ---- */

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A journal that knows /w and /w/k, and an agent that has ended. */
static void leave_a_memory(int signum)
{
	cluster_edit("create", "/w/k", "v");
	start("members = true;");
	wait_journal("path /w/k data v");
	wait_journal("path /members/alpha ");
	ck_assert(wait_for(is_file, kept("keeper.cache"), WAIT_MS));
	ck_assert(wait_for(is_file, kept("keeper.cursor"), WAIT_MS));
	cluster_agent_stop(&a, signum);
}

static const int signums[] = { SIGTERM, SIGKILL };

START_TEST(without_a_broker_an_instance_begins_with_what_was_last_known)
{
	int64_t begun;

	ONLY_NATIVE("a ZooKeeper is not stopped here");
	leave_a_memory(signums[_i]);
	cluster_broker_stop(&c, SIGTERM);
	unlink(journal);
	begun = now_us();
	cluster_agent_start(&a);
	wait_journal("type 0 flags 8 count 1 ");
	wait_journal("path /w/k data v");
	wait_journal("path /members/alpha ");
	ck_assert_uint_eq(find(MU_EVENT_PRESENT, "/w", "0").flags,
	                  MU_EVENT_STALE);
	ck_assert_uint_eq(
		find(MU_EVENT_MEMBER_PRESENT, "/members/alpha", "").flags,
		MU_EVENT_STALE);
	printf("    from the agent's start to the first callback: %lld ms\n",
	       (long long)(find(MU_EVENT_PRESENT, "/w", "0").us - begun) /
	               1000);
	cluster_broker_start(&c);
	cluster_agent_wait_log(&a, "msg=connected");
	cluster_edit("set", "/w/k", "w");
	cluster_edit("rm", "/w/k", NULL);
	wait_journal("type 2 ");
	ck_assert_uint_eq(find(MU_EVENT_CHANGED, "/w/k", "w").count, 1);
	/* Nothing is told once more that the plugin was told as stale. */
	ck_assert_uint_eq(times("type 0 "), 2);
}
END_TEST

/* Is it in the cache? */
static bool is_known(void *path)
{
	size_t len = 0;
	char *bytes = file_read(kept("keeper.cache"), &len);
	bool has = bytes && memmem(bytes, len, path, strlen(path));

	free(bytes);
	return has;
}

/* The tree is only read, and the agent killed: all that was read is known. */
START_TEST(what_was_read_at_first_is_kept_though_nothing_follows)
{
	ONLY_NATIVE("a ZooKeeper is not stopped here");
	start("members = true;");
	wait_journal("path /w data 0");
	wait_journal("path /members/alpha ");
	ck_assert(wait_for(is_known, "/members/alpha", WAIT_MS));
	cluster_agent_stop(&a, SIGKILL);
	cluster_broker_stop(&c, SIGTERM);
	unlink(journal);
	cluster_agent_start(&a);
	wait_journal("path /w data 0");
	wait_journal("path /members/alpha ");
	ck_assert_uint_eq(find(MU_EVENT_PRESENT, "/w", "0").flags,
	                  MU_EVENT_STALE);
	ck_assert_uint_eq(
		find(MU_EVENT_MEMBER_PRESENT, "/members/alpha", "").flags,
		MU_EVENT_STALE);
}
END_TEST

/* All but the last few of them are handled. */
static bool has_few_waiting(void *written)
{
	char type[24];

	snprintf(type, sizeof type, "done type %d ", MU_EVENT_CHANGED);
	return times(type) + 4 >= *(unsigned *)written;
}

/* There is always something that waits. */
START_TEST(of_an_instance_that_is_never_idle_the_last_known_is_not_old)
{
	char value[32], text[64];
	unsigned i = 0;

	ONLY_NATIVE("a ZooKeeper is not stopped here");
	pause_ms = 300; /* longer than an edit takes */
	start("");
	wait_journal("path /w data 0");
	while (!is_known("value-")) {
		ck_assert_uint_lt(++i, 100);
		snprintf(value, sizeof value, "value-%u", i);
		cluster_edit("set", "/w", value);
		ck_assert(wait_for(has_few_waiting, &i, WAIT_MS));
	}
	cluster_agent_stop(&a, SIGKILL);
	cluster_broker_stop(&c, SIGTERM);
	unlink(journal);
	cluster_agent_start(&a);
	snprintf(text, sizeof text, "type %d flags %d ", MU_EVENT_PRESENT,
	         MU_EVENT_STALE);
	wait_journal(text);
	wait_journal("path /w data value-");
	ck_assert_uint_eq(times("path /w data 0"), 0);
	cluster_broker_start(&c);
	snprintf(text, sizeof text, "path /w data %s\n", value);
	wait_journal(text);
}
END_TEST

/* It was not yet handled when its time came, and nothing follows it. */
START_TEST(what_changed_while_the_agent_was_away_is_known_when_it_is_handled)
{
	pause_ms = 300;
	start("");
	wait_journal("path /w data 0");
	ck_assert(wait_for(is_file, kept("keeper.cache"), WAIT_MS));
	cluster_agent_stop(&a, SIGTERM);
	cluster_edit("set", "/w", "value-1");
	cluster_agent_start(&a);
	wait_journal("path /w data value-1");
	ck_assert(wait_for(is_known, "value-1", WAIT_MS));
}
END_TEST

START_TEST(what_differs_from_the_last_known_is_told_when_the_broker_is_back)
{
	ONLY_NATIVE("a ZooKeeper is not stopped here");
	leave_a_memory(SIGTERM);
	cluster_edit("set", "/w", "other");
	cluster_edit("rm", "/w/k", NULL);
	cluster_broker_stop(&c, SIGTERM);
	unlink(journal);
	cluster_agent_start(&a);
	wait_journal("path /w/k data v");
	cluster_broker_start(&c);
	wait_journal("type 2 ");
	ck_assert_int_gt(find(MU_EVENT_DELETED, "/w/k", "").us,
	                 find(MU_EVENT_CHANGED, "/w", "other").us);
	ck_assert_uint_eq(times("type 3 "), 1);
}
END_TEST

#define RECORD(role, state) \
	"{\"id\":\"1\",\"name\":\"m\",\"address\":\"10.0.0.1\",\"port\":1," \
	"\"version\":\"1\",\"boot_id\":\"b\",\"started\":1," \
	"\"labels\":{\"role\":\"" role "\"},\"state\":\"" state "\"}"

/* As those that were there while it went through them are not. */
START_TEST(of_the_records_of_a_member_the_same_ones_are_told_later_as_at_once)
{
	static char *const path[] = { "/members/here", "/members/went" };
	char type[24];

	ONLY_NATIVE("a ZooKeeper does not tell of what was meanwhile");
	start("members = true;");
	wait_journal("path /members/alpha ");
	for (size_t i = 0; i < 2; i++) {
		cluster_edit("create", path[i], RECORD("1", "up"));
		ck_assert(wait_for(is_known, path[i], WAIT_MS));
	}
	cluster_agent_stop(&a, signums[_i]);
	for (size_t i = 0; i < 2; i++) {
		cluster_edit("set", path[i], RECORD("1", "leaving"));
		cluster_edit("set", path[i], RECORD("1", "up"));
		cluster_edit("set", path[i], RECORD("2", "up"));
		cluster_edit("set", path[i], RECORD("2", "leaving"));
	}
	cluster_edit("rm", "/members/went", NULL);
	unlink(journal);
	cluster_agent_start(&a);
	snprintf(type, sizeof type, "type %d ", MU_EVENT_MEMBER_LEFT);
	wait_journal(type);
	snprintf(type, sizeof type, "type %d ", MU_EVENT_MEMBER_CHANGED);
	ck_assert_uint_eq(times(type), 2); /* the other role */
	find(MU_EVENT_MEMBER_CHANGED, "/members/went", "");
	find(MU_EVENT_MEMBER_CHANGED, "/members/here", "");
}
END_TEST

/* The same of a broker that remembers nothing: all is read, and compared. */
START_TEST(on_a_zookeeper_what_is_gone_is_told_by_comparing)
{
	if (cluster_backend() != CLUSTER_ZOOKEEPER)
		return;
	leave_a_memory(SIGTERM);
	cluster_edit("set", "/w", "other");
	cluster_edit("rm", "/w/k", NULL);
	cluster_broker_stop(&c, SIGTERM);
	unlink(journal);
	cluster_agent_start(&a);
	wait_journal("path /w/k data v");
	ck_assert_uint_eq(find(MU_EVENT_PRESENT, "/w/k", "v").flags,
	                  MU_EVENT_STALE);
	cluster_broker_start(&c);
	wait_journal("type 2 ");
	ck_assert_uint_eq(find(MU_EVENT_DELETED, "/w/k", "").flags,
	                  MU_EVENT_COALESCED);
	ck_assert_uint_eq(find(MU_EVENT_PRESENT, "/w", "other").flags, 0);
}
END_TEST

static void spoil(const char *path)
{
	size_t len;
	char *bytes = file_read(path, &len);

	ck_assert_ptr_nonnull(bytes);
	bytes[len / 2] = (char)(bytes[len / 2] ^ 4);
	file_write(path, bytes, len);
	free(bytes);
}

START_TEST(a_damaged_memory_is_told_set_aside_and_not_used)
{
	ONLY_NATIVE("a ZooKeeper is not stopped here");
	leave_a_memory(SIGTERM);
	spoil(kept("keeper.cache"));
	spoil(kept("keeper.cursor"));
	cluster_broker_stop(&c, SIGTERM);
	unlink(journal);
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "keeper.cache.damaged");
	cluster_agent_wait_log(&a, "keeper.cursor.damaged");
	cluster_agent_wait_log(&a, "no broker can be reached");
	ck_assert(access(kept("keeper.cache.damaged"), F_OK) == 0);
	ck_assert(access(kept("keeper.cursor.damaged"), F_OK) == 0);
	ck_assert(access(kept("keeper.cache"), F_OK) != 0);
	ck_assert_uint_eq(times("type"), 0);
	cluster_broker_start(&c);
	wait_journal("path /w/k data v");
	ck_assert_uint_eq(find(MU_EVENT_PRESENT, "/w/k", "v").flags, 0);
}
END_TEST

START_TEST(another_tree_makes_what_was_remembered_forgotten)
{
	ONLY_NATIVE("a ZooKeeper keeps its tree");
	leave_a_memory(SIGTERM);
	cluster_broker_lose_tree(&c);
	cluster_broker_stop(&c, SIGTERM);
	unlink(journal);
	cluster_agent_start(&a);
	wait_journal("path /w/k data v");
	cluster_broker_start(&c);
	cluster_agent_wait_log(&a, "the tree is another");
	cluster_edit("create", "/w", "new");
	wait_journal("path /w data new");
	ck_assert_uint_eq(times("type 2 "), 0);
	again(SIGKILL);
	wait_times(journal, "path /w data new", 2);
	/* As PRESENT, or as CREATED, if its cursor had not got there; and what
	 * was of the older tree does not come again. */
	ck_assert_uint_eq(times("path /w/k data v"), 1);
	ck_assert_uint_eq(times("flags 8 count 1 zxid 0"), 0);
}
END_TEST

/* The broker comes late, nothing is remembered, and one watch has grown too
 * large to be read: the others are told of all the same. */
START_TEST(what_cannot_be_read_any_more_keeps_off_no_other)
{
	ONLY_NATIVE("a ZooKeeper is not stopped here");
	start_agent("watch_nodes_max = 2;", "members = true;");
	wait_journal("path /w data 0");
	wait_journal("path /members/alpha ");
	ck_assert(wait_for(is_file, kept("keeper.cursor"), WAIT_MS));
	cluster_agent_stop(&a, SIGTERM);
	cluster_edit("create", "/w/1", "v");
	cluster_edit("create", "/w/2", "v");
	cluster_broker_stop(&c, SIGTERM);
	unlink(kept("keeper.cache"));
	unlink(journal);
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "msg=\"no broker can be reached");
	cluster_broker_start(&c);
	wait_journal("path /members/alpha ");
	ck_assert(file_has(a.log, "the instance watches can be read; it begins "
	                          "without"));
}
END_TEST

START_TEST(the_files_of_an_instance_that_is_removed_go)
{
	char cursor[3 * CLUSTER_PATH_MAX], cache[3 * CLUSTER_PATH_MAX];

	ONLY_NATIVE("once is enough");
	leave_a_memory(SIGTERM);
	snprintf(cursor, sizeof cursor, "%s", kept("keeper.cursor"));
	snprintf(cache, sizeof cache, "%s", kept("keeper.cache"));
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "\"instance ready\"");
	wait_times(journal, "path /w/k data v", 2);
	cluster_agent_instances(&a, "i.conf", "instances = ( );");
	program_signal(&a.program, SIGHUP);
	ck_assert(wait_for(is_no_file, cursor, WAIT_MS));
	ck_assert(wait_for(is_no_file, cache, WAIT_MS));
}
END_TEST

/* A directory stands where each of its files should be. */
START_TEST(what_cannot_be_written_stops_no_event)
{
	char cursor[3 * CLUSTER_PATH_MAX], cache[3 * CLUSTER_PATH_MAX];

	ONLY_NATIVE("once is enough");
	start("");
	wait_journal("path /w data 0");
	ck_assert(wait_for(is_file, kept("keeper.cursor"), WAIT_MS));
	cluster_agent_stop(&a, SIGTERM);
	snprintf(cursor, sizeof cursor, "%s", kept("keeper.cursor"));
	snprintf(cache, sizeof cache, "%s", kept("keeper.cache"));
	ck_assert_int_eq(unlink(cursor) || mkdir(cursor, 0755), 0);
	ck_assert_int_eq(unlink(cache) || mkdir(cache, 0755), 0);
	cluster_agent_start(&a);
	wait_times(journal, "path /w data 0", 2);
	cluster_edit("set", "/w", "1");
	wait_journal("data 1");
	cluster_agent_wait_log(&a, "memory cannot be written");
	cluster_edit("set", "/w", "2");
	wait_journal("data 2");
	ck_assert_int_eq(rmdir(cursor) || rmdir(cache), 0);
	cluster_agent_wait_log(&a, "memory is written again");
	ck_assert_uint_eq(file_count(a.log, "memory cannot be written"), 1);
	again(SIGKILL);
	wait_times(journal, "path /w data 2", 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent_keep");
	TCase *tc = tcase_create("memory");
	SRunner *sr;
	int failed;

	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc,
	               an_agent_that_is_killed_under_a_writer_loses_nothing);
	tcase_add_test(
		tc, what_was_gone_before_it_was_read_is_counted_after_a_kill);
	tcase_add_test(tc,
	               what_happened_while_the_agent_was_away_comes_one_by_one);
	tcase_add_test(tc,
	               what_may_have_been_told_says_so_though_its_node_is_gone);
	tcase_add_test(tc, an_agent_that_ended_well_tells_nothing_twice);
	tcase_add_test(tc, a_change_of_settings_loses_nothing);
	tcase_add_test(tc,
	               a_failed_delivery_goes_on_over_ends_of_runner_and_agent);
	tcase_add_test(
		tc, a_newer_value_replaces_the_one_that_fails_after_a_restart);
	tcase_add_loop_test(
		tc,
		without_a_broker_an_instance_begins_with_what_was_last_known, 0,
		2);
	tcase_add_test(tc,
	               what_was_read_at_first_is_kept_though_nothing_follows);
	tcase_add_test(
		tc,
		of_an_instance_that_is_never_idle_the_last_known_is_not_old);
	tcase_add_test(
		tc,
		what_changed_while_the_agent_was_away_is_known_when_it_is_handled);
	tcase_add_test(
		tc,
		what_differs_from_the_last_known_is_told_when_the_broker_is_back);
	tcase_add_loop_test(
		tc,
		of_the_records_of_a_member_the_same_ones_are_told_later_as_at_once,
		0, 2);
	tcase_add_test(tc, on_a_zookeeper_what_is_gone_is_told_by_comparing);
	tcase_add_test(tc, a_damaged_memory_is_told_set_aside_and_not_used);
	tcase_add_test(tc, another_tree_makes_what_was_remembered_forgotten);
	tcase_add_test(tc, what_cannot_be_read_any_more_keeps_off_no_other);
	tcase_add_test(tc, the_files_of_an_instance_that_is_removed_go);
	tcase_add_test(tc, what_cannot_be_written_stops_no_event);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
