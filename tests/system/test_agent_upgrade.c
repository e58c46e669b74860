/* muster-agent and a plugin that is exchanged while events go on: by another
 * file, by muster plugin reload, at a SIGHUP. UPGRADES=1000 makes the long test
 * longer. */
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
#include <time.h>
#include <unistd.h>

#define SOURCE MU_BUILD "/tests/lies/recorder.so"
#define UPGRADES 40u
#define PATHS 10u
#define WRITERS 2u
#define PAUSE_NS (1000000000L / (500 / (long)WRITERS))

static struct cluster c;
static struct cluster_agent a;
static char journal[2 * CLUSTER_PATH_MAX], plugin[2 * CLUSTER_PATH_MAX];

static void setup(void)
{
	cluster_open(&c);
	cluster_broker_start(&c);
	cluster_edit("create", "/w", "0");
	cluster_edit("create", "/e", NULL);
	snprintf(journal, sizeof journal, "%s/journal", c.dir);
	snprintf(plugin, sizeof plugin, "%s/recorder.so", c.dir);
}

static void teardown(void)
{
	cluster_close(&c);
}

/* ---- builds ---- */

/* The object with another number and another manner. */
static char *make_build(unsigned number, const char *mode, size_t *len)
{
	static const char wanted[] = "recorder-mark 00000000";
	char *object = file_read(SOURCE, len), mark[40];

	ck_assert_ptr_nonnull(object);
	snprintf(mark, sizeof mark, "recorder-mark %08u %-12s", number, mode);
	for (size_t i = 0; i + sizeof mark < *len; i++)
		if (memcmp(object + i, wanted, sizeof wanted - 1) == 0) {
			memcpy(object + i, mark, strlen(mark));
			return object;
		}
	ck_abort_msg("there is no mark in " SOURCE);
}

/* As packages do it. */
static void install(unsigned number, const char *mode)
{
	char beside[3 * CLUSTER_PATH_MAX];
	size_t len;
	char *object = make_build(number, mode, &len);

	snprintf(beside, sizeof beside, "%s.new", plugin);
	file_write(beside, object, len);
	ck_assert_int_eq(rename(beside, plugin), 0);
	free(object);
}

static void reload(void)
{
	struct run r;

	ck_assert_int_eq(
		cluster_muster(&r, "plugin", "reload", "recorder", NULL), 0);
	run_free(&r);
}

/* ---- helpers ---- */

static void start(const char *conf, const char *instance, const char *settings)
{
	char text[2048];

	install(1, "ok");
	cluster_agent_init(&c, &a, "alpha", conf);
	snprintf(text, sizeof text,
	         "instances = ( { name = \"recorder\"; plugin = \"%s\"; "
	         "queue_max = 100000; memory_max_mb = 0; %s watch = ( { path = "
	         "\"/w\"; mode = "
	         "\"subtree\"; } ); settings : { file = \"%s\"; %s }; } );",
	         plugin, instance, journal, settings);
	cluster_agent_instances(&a, "i.conf", text);
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "instance ready");
	cluster_agent_wait_log(&a, "msg=registered");
	ck_assert(file_comes_to_have(journal, "path /w data 0", WAIT_MS));
}

static void wait_times(const char *file, const char *text, unsigned count)
{
	char *log;

	if (file_comes_to_count(file, text, count, WAIT_MS))
		return;
	log = file_read(a.log, NULL);
	ck_abort_msg("'%s' is not %u times in %s; the log:\n%s", text, count,
	             file, log);
}

static void wait_upgrades(unsigned count)
{
	wait_times(a.log, "msg=\"instance upgraded\"", count);
}

static unsigned upgrades(void)
{
	return file_count(a.log, "msg=\"instance upgraded\"");
}

/* An event is handled, by that build. */
static void check_alive(unsigned build, const char *value)
{
	char *text, *at, wanted[64];

	cluster_edit("set", "/w", value);
	snprintf(wanted, sizeof wanted,
	         "type 3 flags 0 count 1 path /w data %s\n", value);
	wait_times(journal, wanted, 1);
	ck_assert_uint_eq(file_count(journal, wanted), 1);
	text = file_read(journal, NULL);
	at = strstr(text, wanted);
	while (at > text && at[-1] != '\n')
		at--;
	ck_assert_uint_eq((unsigned)atoi(at + strlen("event build ")), build);
	free(text);
}

/* ---- writers, with a journal of their own ---- */

struct written {
	long long zxid;
	char path[16];
	unsigned told;
};

struct writer {
	pthread_t thread;
	unsigned number;
	volatile bool *stop;
	struct written *all;
	size_t count, room;
};

static void note_written(struct writer *w, long long zxid, const char *path)
{
	if (w->count == w->room) {
		w->room = w->room ? 2 * w->room : 4096;
		w->all = realloc(w->all, w->room * sizeof *w->all);
		ck_assert_ptr_nonnull(w->all);
	}
	w->all[w->count] = (struct written){ .zxid = zxid };
	snprintf(w->all[w->count++].path, sizeof w->all->path, "%s", path);
}

static void *write_on(void *arg)
{
	struct mu_client_options o = { .size = sizeof o, .brokers = c.url };
	struct writer *w = arg;
	struct timespec at;
	struct mu_client *cl;
	struct mu_err err;
	struct mu_stat stat;

	ck_assert_int_eq(mu_client_new(&o, &cl, &err), 0);
	ck_assert_int_eq(mu_client_wait(cl, WAIT_MS, &err), 0);
	clock_gettime(CLOCK_MONOTONIC, &at);
	for (unsigned i = 1; !*w->stop; i++) {
		char path[16], text[16];
		int len = snprintf(text, sizeof text, "%u", i);

		snprintf(path, sizeof path, "/w/%u",
		         w->number * PATHS + i % PATHS);
		ck_assert_int_eq(mu_client_set_sync(cl, path, text, len, -1,
		                                    &stat, WAIT_MS, &err),
		                 0);
		note_written(w, stat.mzxid, path);
		at.tv_nsec += PAUSE_NS;
		at.tv_sec += at.tv_nsec / 1000000000L;
		at.tv_nsec %= 1000000000L;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	}
	mu_client_free(cl);
	return NULL;
}

static struct writer writers[WRITERS];
static volatile bool writers_stop;

static void writers_start(void)
{
	char path[16];

	writers_stop = false;
	for (unsigned i = 0; i < WRITERS * PATHS; i++) {
		snprintf(path, sizeof path, "/w/%u", i);
		cluster_edit("create", path, "0");
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] =
			(struct writer){ .number = i, .stop = &writers_stop };
		ck_assert_int_eq(pthread_create(&writers[i].thread, NULL,
		                                write_on, &writers[i]),
		                 0);
	}
}

static void writers_end(void)
{
	writers_stop = true;
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	cluster_edit("set", "/w", "the end");
	wait_times(journal, "path /w data the end\n", 1);
}

/* ---- the journal of the plugin ---- */

struct line {
	unsigned build, type, flags, count;
	long long us, zxid;
	int n;
	char path[64];
};

/* The next event; false at the end. */
static bool next_event(const char **at, struct line *l)
{
	while (*at && **at && strncmp(*at, "event", 5) != 0)
		*at += strcspn(*at, "\n") + 1;
	if (!*at || !**at)
		return false;
	ck_assert_int_eq(sscanf(*at,
	                        "event build %u us %lld zxid %lld n %d type %u "
	                        "flags %u count %u path %63s",
	                        &l->build, &l->us, &l->zxid, &l->n, &l->type,
	                        &l->flags, &l->count, l->path),
	                 8);
	*at += strcspn(*at, "\n") + 1;
	return true;
}

static struct written *find_written(long long zxid)
{
	for (unsigned i = 0; i < WRITERS; i++) {
		struct written *all = writers[i].all;
		size_t lo = 0, hi = writers[i].count;

		while (lo < hi) {
			size_t mid = (lo + hi) / 2;

			if (all[mid].zxid < zxid)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (lo < writers[i].count && all[lo].zxid == zxid)
			return &all[lo];
	}
	return NULL;
}

static int by_size(const void *x, const void *y)
{
	long long p = *(const long long *)x, q = *(const long long *)y;

	return (p > q) - (p < q);
}

static void print_pauses(long long *us, size_t count)
{
	if (count == 0)
		return;
	qsort(us, count, sizeof *us, by_size);
	printf("    pause of events at an upgrade: p50 %.1f ms, p99 %.1f ms, "
	       "max %.1f ms\n",
	       (double)us[count / 2] / 1000,
	       (double)us[count * 99 / 100] / 1000,
	       (double)us[count - 1] / 1000);
}

/* Each change was told once, to one build, in order. Returns how many. */
static size_t check_journal(unsigned most_upgrades)
{
	char *text = file_read(journal, NULL);
	const char *at = text;
	struct line l, last = { 0 }, before = { 0 };
	long long *pause = calloc(2 * most_upgrades + 1, sizeof *pause);
	size_t pauses = 0, told = 0, lost = 0;

	for (; next_event(&at, &l); before = l) {
		/* A new process begins with the present state. */
		if (l.type == MU_EVENT_PRESENT && before.us &&
		    before.type != MU_EVENT_PRESENT &&
		    pauses < 2 * most_upgrades)
			pause[pauses++] = l.us - before.us;
		if (l.type != MU_EVENT_CHANGED || strcmp(l.path, "/w") == 0)
			continue;
		struct written *w = find_written(l.zxid);

		ck_assert_msg(w && strcmp(w->path, l.path) == 0,
		              "%lld of %s was written by nobody", l.zxid,
		              l.path);
		ck_assert_msg(w->told++ == 0, "%lld was told twice", l.zxid);
		ck_assert_msg(l.zxid > last.zxid, "%lld came behind %lld",
		              l.zxid, last.zxid);
		ck_assert_uint_eq(l.flags, 0);
		ck_assert_uint_eq(l.count, 1);
		ck_assert_int_eq(l.n, 0);
		last = l;
		told++;
	}
	for (unsigned i = 0; i < WRITERS; i++)
		for (size_t j = 0; j < writers[i].count; j++)
			lost += writers[i].all[j].told == 0;
	ck_assert_msg(lost == 0, "%zu were lost", lost);
	print_pauses(pause, pauses);
	free(pause);
	free(text);
	for (unsigned i = 0; i < WRITERS; i++)
		free(writers[i].all);
	return told;
}

/* ---- many, under load ---- */

START_TEST(upgrades_under_a_writer_lose_nothing_and_tell_nothing_twice)
{
	const char *wish = getenv("UPGRADES");
	unsigned many = wish ? (unsigned)atoi(wish) : UPGRADES, build = 1;
	int64_t began;
	size_t told;

	ONLY_NATIVE("a ZooKeeper remembers no changes");
	start(NULL, "", "");
	writers_start();
	began = now_ms();
	for (unsigned i = 0; i < many; i++) {
		if (i % 2 == 0)
			install(++build, "ok");
		else
			reload();
		wait_upgrades(i + 1);
	}
	began = now_ms() - began;
	writers_end();
	ck_assert_uint_eq(upgrades(), many);
	told = check_journal(many);
	ck_assert_uint_eq(file_count(journal, "fini "), many);
	ck_assert_uint_eq(file_count(a.log, "did not end well"), 0);
	printf("    %u upgrades, %zu changes at %.0f a second, lost 0, twice "
	       "0\n",
	       many, told, (double)told * 1000 / (double)began);
}
END_TEST

/* ---- refused ---- */

static void check_refused(unsigned build, const char *mode, const char *reason)
{
	char value[40];

	install(build, mode);
	wait_times(a.log, reason, 1);
	ck_assert_uint_eq(upgrades(), 0);
	ck_assert_uint_eq(file_count(journal, "fini "), 0);
	snprintf(value, sizeof value, "after %s", mode);
	check_alive(1, value);
}

/* What the host's record and `muster status` say of the instance. */
static bool is_shown(void *arg)
{
	struct run r;
	bool shown;

	ck_assert_int_eq(cluster_muster(&r, "get", "/members/alpha", NULL), 0);
	shown = strstr(r.out, arg) != NULL;
	run_free(&r);
	return shown;
}

static void wait_shown(const char *state)
{
	char text[CLUSTER_PATH_MAX * 3];

	snprintf(text, sizeof text, "\"recorder\":\"%s", state);
	cluster_wait_for_node("/members/alpha");
	ck_assert_msg(wait_for(is_shown, text, WAIT_MS), "no %s", text);
}

START_TEST(a_refused_upgrade_leaves_the_old_process_as_it_was)
{
	start(NULL, "deadline_ms = 3000;", "");
	check_refused(2, "fail-init",
	              "upgrade refused; the instance goes on with the process "
	              "that it has\" instance=recorder reason=\"it does not "
	              "want to");
	check_refused(3, "crash-init",
	              "was ended by signal 6 (Aborted) in init");
	check_refused(4, "hang-init", "init took longer than deadline_ms");
	wait_shown("ready: upgrade refused: init took longer");
	/* And nothing is tried again with that file. */
	ck_assert_uint_eq(file_count(journal, "init build 4"), 1);
	install(5, "ok");
	wait_upgrades(1);
	check_alive(5, "well");
	wait_shown("ready\"");
}
END_TEST

/* In place of the plugin, as packages do it. */
static void install_text(const char *text)
{
	char beside[3 * CLUSTER_PATH_MAX];

	snprintf(beside, sizeof beside, "%s.new", plugin);
	file_write_text(beside, text);
	ck_assert_int_eq(rename(beside, plugin), 0);
}

START_TEST(a_file_that_is_no_object_is_shown_with_its_own_reason)
{
	char kept[3 * CLUSTER_PATH_MAX], bad[3 * CLUSTER_PATH_MAX];
	struct run r;

	start(NULL, "", "");
	wait_shown("ready\"");
	snprintf(kept, sizeof kept, "%s.kept", plugin);
	ck_assert_int_eq(link(plugin, kept), 0);
	snprintf(bad, sizeof bad, "ready: upgrade refused: %s: ", plugin);
	install_text("no object");
	wait_shown(bad);
	ck_assert_int_eq(cluster_muster(&r, "status", "recorder", NULL), 1);
	ck_assert_msg(strstr(r.out, "upgrade refused: "), "%s", r.out);
	run_free(&r);
	ck_assert_int_eq(cluster_muster(&r, "members", NULL), 0);
	ck_assert_msg(strstr(r.out, "upgrade refused: "), "%s", r.out);
	run_free(&r);
	ck_assert(file_has(a.log, "msg=\"upgrade refused: the plugin's file"));
	/* The file that it runs is there again: nothing is wrong. */
	ck_assert_int_eq(rename(kept, plugin), 0);
	wait_shown("ready\"");
	install(2, "fail-init");
	wait_shown("ready: upgrade refused: it does not want to");
	install_text("no object either");
	wait_shown(bad);
	install(3, "ok");
	wait_upgrades(1);
	wait_shown("ready\"");
	check_alive(3, "well");
}
END_TEST

START_TEST(a_file_that_is_no_object_is_left_alone_until_it_is_one)
{
	size_t len;
	char *object = make_build(2, "ok", &len);
	FILE *f;

	start(NULL, "", "");
	/* In place, as a compiler does it, and slowly. */
	ck_assert_int_eq(unlink(plugin), 0);
	f = fopen(plugin, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(object, 1, len / 2, f), len / 2);
	ck_assert_int_eq(fflush(f), 0);
	wait_times(a.log, "its end is missing", 1);
	wait_shown("ready: upgrade refused: ");
	check_alive(1, "half");
	ck_assert_uint_eq(fwrite(object + len / 2, 1, len - len / 2, f),
	                  len - len / 2);
	ck_assert_int_eq(fclose(f), 0);
	wait_upgrades(1);
	check_alive(2, "whole");
	wait_shown("ready\"");
	/* Of the half alone, and no process was started for it. */
	ck_assert_uint_eq(file_count(a.log, "upgrade refused"), 1);
	ck_assert_uint_eq(file_count(a.log, "upgrading the instance"), 1);
	file_write_text(plugin, "no object");
	free(object);
}
END_TEST

/* ---- the old one ---- */

START_TEST(an_old_process_that_does_not_end_in_its_time_is_killed)
{
	start("stop_grace_ms = 300;\n", "", "");
	install(2, "hang-fini");
	wait_upgrades(1);
	check_alive(2, "second");
	install(3, "ok");
	wait_upgrades(2);
	cluster_agent_wait_log(&a, "the process before did not end well");
	ck_assert(file_has(a.log, "did not end in time (stop_grace_ms"));
	check_alive(3, "third");
}
END_TEST

START_TEST(the_old_process_finishes_the_event_that_it_handles)
{
	start(NULL, "", "");
	install(2, "slow-event");
	wait_upgrades(1);
	cluster_edit("set", "/w", "one");
	cluster_edit("set", "/w", "two");
	cluster_edit("set", "/w", "three");
	install(3, "ok");
	wait_upgrades(2);
	check_alive(3, "four");
	ck_assert_uint_eq(file_count(journal, "path /w data one\n"), 1);
	ck_assert_uint_eq(
		file_count(journal, "type 3 flags 0 count 1 path /w data two"),
		1);
	ck_assert_uint_eq(file_count(journal,
	                             "type 3 flags 0 count 1 path /w data "
	                             "three"),
	                  1);
	ck_assert_uint_eq(file_count(a.log, "did not end well"), 0);
}
END_TEST

START_TEST(the_newest_of_many_changes_wins)
{
	start(NULL, "deadline_ms = 60000;", "");
	install(2, "hang-init");
	wait_times(journal, "init build 2", 1);
	install(3, "ok");
	wait_upgrades(1);
	check_alive(3, "third");
	cluster_agent_wait_log(&a, "the upgrade of the instance begins anew");
}
END_TEST

START_TEST(an_old_process_that_dies_meanwhile_is_followed_by_the_new_one)
{
	start(NULL, "deadline_ms = 3000;", "");
	install(2, "hang-init");
	wait_times(journal, "init build 2", 1);
	kill(cluster_agent_runner(&a, "recorder"), SIGKILL);
	cluster_agent_wait_log(&a, "the process before did not end well");
	/* It hangs, as one that was started in the ordinary way would. */
	wait_times(journal, "init build 2", 2);
	install(3, "ok");
	wait_times(journal, "init build 3", 1);
	check_alive(3, "third");
}
END_TEST

/* ---- no broker, a quarantine, a signal ---- */

START_TEST(an_upgrade_needs_no_broker)
{
	ONLY_NATIVE("the broker is to be stopped");
	start(NULL, "", "");
	cluster_broker_stop(&c, SIGTERM);
	cluster_agent_wait_log(&a, "connection");
	install(2, "ok");
	wait_upgrades(1);
	cluster_broker_start(&c);
	check_alive(2, "back");
}
END_TEST

START_TEST(a_new_file_releases_from_quarantine)
{
	start(NULL, "quarantine_failures = 2; quarantine_window_s = 600;", "");
	install(2, "ok");
	wait_upgrades(1);
	ck_assert_int_eq(unlink(plugin), 0);
	install(3, "crash-init");
	cluster_agent_wait_log(&a, "upgrade refused");
	kill(cluster_agent_runner(&a, "recorder"), SIGKILL);
	cluster_agent_wait_log(&a, "instance quarantined");
	install(4, "ok");
	cluster_agent_wait_log(&a, "instance released from quarantine");
	check_alive(4, "released");
}
END_TEST

START_TEST(a_reload_of_another_host_is_none_of_ours)
{
	struct run r;

	start(NULL, "", "");
	ck_assert_int_eq(cluster_muster(&r, "plugin", "reload", "recorder",
	                                "--host", "alpha", NULL),
	                 0);
	run_free(&r);
	wait_upgrades(1);
	cluster_edit("set", "/reload/recorder", "{\"host\":\"beta\"}");
	cluster_edit("set", "/reload/recorder", "{\"host\":\"alpha\"}");
	wait_upgrades(2);
	check_alive(1, "same build");
	ck_assert_uint_eq(upgrades(), 2);
	program_signal(&a.program, SIGHUP); /* with nothing new: nothing */
	cluster_agent_wait_log(&a, "configuration read again");
	check_alive(1, "still");
	ck_assert_uint_eq(upgrades(), 2);
}
END_TEST

/* ---- nodes ---- */

static long long czxid_of(const char *path)
{
	struct run r;
	const char *at;
	long long zxid = 0;

	ck_assert_int_eq(cluster_muster(&r, "stat", path, "--json", NULL), 0);
	at = strstr(r.out, "\"czxid\":");
	ck_assert_msg(at, "%s", r.out);
	at += strlen("\"czxid\":");
	at += strspn(at, " \"");
	zxid = strtoll(at, NULL, 0);
	run_free(&r);
	return zxid;
}

START_TEST(the_nodes_of_an_instance_outlive_its_process)
{
	long long czxid;

	start(NULL, "", "node = \"/e/node\";");
	cluster_wait_node("/e/node", "1");
	czxid = czxid_of("/e/node");
	install(2, "ok");
	wait_upgrades(1);
	cluster_wait_node("/e/node", "2");
	ck_assert_int_eq(czxid_of("/e/node"), czxid);
	/* One that is refused takes nothing with it. */
	install(3, "fail-init");
	cluster_agent_wait_log(&a, "upgrade refused");
	check_alive(2, "second");
	ck_assert_int_eq(czxid_of("/e/node"), czxid);
	/* What the new one does not want goes, after a while. */
	install(4, "no-nodes");
	wait_upgrades(2);
	check_alive(4, "fourth");
	ck_assert_int_eq(czxid_of("/e/node"), czxid);
	cluster_wait_node("/e/node", NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("agent, upgrades");
	TCase *t = tcase_create("upgrade");

	tcase_add_unchecked_fixture(t, cluster_backend_up, NULL);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, getenv("UPGRADES") ? 3600 : 180);
	tcase_add_test(
		t, upgrades_under_a_writer_lose_nothing_and_tell_nothing_twice);
	tcase_add_test(t, a_refused_upgrade_leaves_the_old_process_as_it_was);
	tcase_add_test(t,
	               a_file_that_is_no_object_is_left_alone_until_it_is_one);
	tcase_add_test(t,
	               a_file_that_is_no_object_is_shown_with_its_own_reason);
	tcase_add_test(t,
	               an_old_process_that_does_not_end_in_its_time_is_killed);
	tcase_add_test(t, the_old_process_finishes_the_event_that_it_handles);
	tcase_add_test(t, the_newest_of_many_changes_wins);
	tcase_add_test(
		t,
		an_old_process_that_dies_meanwhile_is_followed_by_the_new_one);
	tcase_add_test(t, an_upgrade_needs_no_broker);
	tcase_add_test(t, a_new_file_releases_from_quarantine);
	tcase_add_test(t, a_reload_of_another_host_is_none_of_ours);
	tcase_add_test(t, the_nodes_of_an_instance_outlive_its_process);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
