/*
 * test_cli_plugin.c - `muster plugin new`, `check`, `run` and `record`, as somebody
 * who writes a plugin runs them: with the compiler, and without a cluster but for
 * record.
 */
#include "json.h"
#include "last_run.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct cluster cluster;

static const char *file_in(const char *name)
{
	return cluster_file(&cluster, name);
}

static const char *lie(const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/tests/lies/%s.so", MU_BUILD, name);
	return path;
}

/* A directory, and a machine on which Muster is installed: muster in PATH, its
 * headers known to pkg-config. */
static void setup(void)
{
	char path[4096];
	const char *was = getenv("PATH");

	signal(SIGPIPE, SIG_IGN);
	cluster_open(&cluster);
	snprintf(path, sizeof path, "%s:%s", MU_BUILD, was ? was : "/usr/bin");
	setenv("PATH", path, 1);
	setenv("PKG_CONFIG_PATH", cluster.dir, 1);
	unsetenv("MUSTER_RUNNER");
	unsetenv("MAKEFLAGS"); /* of the make that runs the tests */
	unsetenv("MAKELEVEL");
	unsetenv("CFLAGS");
	file_write_text(file_in("muster.pc"),
	                "Name: muster\nDescription: d\nVersion: 1\n"
	                "Cflags: -I" MU_SOURCE "/include\n");
}

static void teardown(void)
{
	run_free(&r);
	cluster_close(&cluster);
}

/* A script in the directory; stops at the first command that fails. */
static int shell(const char *script)
{
	static char text[8192];
	static const char *argv[] = { "sh", "-ec", text, NULL };

	snprintf(text, sizeof text, "cd %s\n%s", cluster.dir, script);
	return run_next((struct run){ .argv = argv, .limit_ms = 3 * WAIT_MS });
}

/* ---- from nothing ------------------------------------------------------------------ */

/* What stands in the README behind this fence. */
static void readme_block(const char *fence, char *out, size_t room)
{
	char *all = file_read(MU_SOURCE "/README.md", NULL), *at, *end;

	ck_assert_ptr_nonnull(all);
	at = strstr(all, fence);
	ck_assert_msg(at != NULL, "the README has no %s", fence);
	at += strlen(fence);
	end = strstr(at, "\n```");
	ck_assert_ptr_nonnull(end);
	ck_assert_uint_lt((size_t)(end - at) + 2, room);
	snprintf(out, room, "%.*s\n", (int)(end - at), at);
	free(all);
}

START_TEST(from_nothing_to_a_tested_plugin_as_the_readme_says)
{
	char script[4096];

	readme_block("```sh kit\n", script, sizeof script);
	ck_has(script, "muster plugin new");
	ck_exit(0, shell(script));
	ck_has(r.out, "leave nothing behind");
	ck_has(r.out, "fit to run: 0 errors, 0 warnings");
}
END_TEST

START_TEST(make_check_fails_once_the_plugin_does_something_else)
{
	ck_exit(0, shell("muster plugin new a-plugin >new.txt\n"
	                 "make -C a-plugin check\n"
	                 "sed -i 's/is gone/went/' a-plugin/a-plugin.c\n"));
	ck_assert_int_ne(shell("make -C a-plugin check"), 0);
	ck_has(r.out, "+    log info: /config/a-plugin went");
	ck_exit(0, shell("make -C a-plugin expected check clean"));
}
END_TEST

/* Not only that make failed. */
START_TEST(make_check_says_why_a_callback_did_not_end_well)
{
	ck_exit(0, shell("muster plugin new census >new.txt\n"
	                 "sed -i 's/p->events++;/p->events++; abort();/' "
	                 "census/census.c\n"));
	ck_assert_int_ne(shell("make -C census check"), 0);
	ck_has(r.out, "present /config/census\n"
	              "    failed: its process was ended by signal 6");
	ck_assert_int_ne(shell("make -C census expected"), 0);
	ck_has(r.out, "ended by signal 6");
}
END_TEST

START_TEST(make_says_how_it_finds_an_installation_elsewhere)
{
	setenv("PKG_CONFIG_PATH", file_in("nowhere"), 1);
	setenv("PKG_CONFIG_LIBDIR", file_in("nowhere"), 1);
	ck_exit(0, shell("muster plugin new census >new.txt"));
	ck_assert_int_ne(shell("make -C census"), 0);
	ck_has(r.err, "does not find muster.pc");
	ck_has(r.err, "PKG_CONFIG_PATH=PREFIX/lib/pkgconfig");
	ck_has(r.err, "PKG_CONFIG_SYSROOT_DIR=DESTDIR");
	ck_has_not(r.err, "muster/plugin.h: No such file");
	ck_assert_int_ne(shell("make -C census PKG_CONFIG=none-such"), 0);
	ck_has(r.err, "none-such does not find muster.pc");
	unsetenv("PKG_CONFIG_LIBDIR");
}
END_TEST

static const struct {
	const char *name, *word;
} bad_names[] = {
	{ "", "cannot be a plugin's name" },
	{ "Census", "cannot be a plugin's name" },
	{ "a/b", "cannot be a plugin's name" },
	{ "..", "cannot be a plugin's name" },
	{ "a_b", "cannot be a plugin's name" },
	{ "abcdefghijklmnopqrstuvwxyzabcdefg", "at most 32" },
	{ "9to5", "begin with a letter" },
	{ "int", "no word of C" },
};

START_TEST(a_bad_name_is_refused_and_nothing_is_written)
{
	ck_exit(64, MUSTER("plugin", "new", bad_names[_i].name, "--dir",
	                   file_in("there")));
	ck_has(r.err, bad_names[_i].word);
	ck_assert_int_ne(access(file_in("there"), F_OK), 0);
}
END_TEST

START_TEST(a_file_that_is_there_is_not_touched)
{
	ck_assert_int_eq(mkdir(file_in("there"), 0700), 0);
	file_write_text(file_in("there/expected.txt"), "mine\n");
	ck_exit(5,
	        MUSTER("plugin", "new", "census", "--dir", file_in("there")));
	ck_has(r.err, "expected.txt is there already");
	ck_assert_int_ne(access(file_in("there/census.c"), F_OK), 0);
	/* What cannot be looked at is not called there. */
	ck_exit(1, MUSTER("plugin", "new", "census", "--dir",
	                  file_in("there/expected.txt")));
	ck_has(r.err, "cannot make /");
	ck_has(r.err, "there/expected.txt/census.c: Not a directory");
	ck_assert(file_has(file_in("there/expected.txt"), "mine\n"));
}
END_TEST

START_TEST(what_is_no_verb_or_no_option_of_it_is_said)
{
	ck_exit(64, MUSTER("plugin", "frob"));
	ck_has(r.err, "none of new, check, run, record");
	ck_exit(64, MUSTER("plugin", "check", "a.so", "--events", "x"));
	ck_has(r.err, "--events is no option of check");
	ck_exit(64, MUSTER("plugin", "run", "a.so"));
	ck_has(r.err, "--events");
	ck_exit(64, MUSTER("plugin", "run", "a.txt", "--events", "x"));
	ck_has(r.err, "NAME.so");
	ck_exit(64, MUSTER("plugin", "record"));
	ck_has(r.err, "record what?");
	ck_exit(64, MUSTER("plugin", "record", "--watch", "config:subtree"));
	ck_has(r.err, "config:subtree");
	ck_exit(64, MUSTER("plugin", "record", "--watch", "/config:subtre"));
	ck_has(r.err, "\"subtre\" is none of exact, children and subtree; of a "
	              "path that ends so, say \"/config:subtre:exact\"");
	ck_exit(1, MUSTER("plugin", "check", lie("probe"), "--runner",
	                  file_in("no-runner")));
	ck_has(r.err, "name muster-runner with --runner");
}
END_TEST

/* ---- lies -------------------------------------------------------------------------- */

static const struct {
	const char *lie, *word; /* of an error: word NULL: it is fit */
} checked[] = {
	{ "bad-name", "error: its name is not" },
	{ "crash-constructor", "signal 11" },
	{ "crash-fini", "signal 11" },
	{ "cut-struct", "has 60 bytes, as in no published" },
	{ "crash-init", "signal 11" },
	{ "failing-init", "error: the moon is not full" },
	{ "function-symbol", "is a function" },
	{ "is-not-there", "No such file" },
	{ "late-calls", "bytes of memory behind" },
	{ "no-event", "has no event" },
	{ "no-fini", "has no fini" },
	{ "no-init", "has no init" },
	{ "no-name", "error: its name is not" },
	{ "no-symbol", "has no symbol mu_plugin" },
	{ "nonsense-init", "init returned 42" },
	{ "other-name", "calls itself exec" },
	{ "short-struct", "has 40 bytes" },
	{ "size-lie", "says that its mu_plugin has 1073741824 bytes" },
	{ "tiny-symbol", "3 bytes" },
	{ "undefined", "undefined symbol: nobody_has_this" },
	{ "wrong-abi", "is built for plugin ABI 2, this muster has 1" },
	{ "probe", NULL },
	{ "crash-event", NULL },
	{ "fork-event", NULL },
	{ "thread-calls", NULL },
};

START_TEST(check_ends_each_lie_of_a_file_or_of_init_in_a_sentence)
{
	const char *word = checked[_i].word;

	ck_exit(word ? 1 : 0, MUSTER("plugin", "check", lie(checked[_i].lie)));
	ck_has(r.out, word ? word : "leave nothing behind");
	ck_has(r.out, word ? "not fit to run: 1 error" : "fit to run: 0");
	if (word)
		ck_has(r.out, "    to do: ");
}
END_TEST

static const char events_text[] =
	"{\"node\":\"/a\",\"data\":\"x\"}\n"
	"{\"event\":\"present\",\"path\":\"/do/get\"}\n"
	"{\"event\":\"changed\",\"path\":\"/x\",\"data\":\"y\"}\n"
	"{\"event\":\"deleted\",\"path\":\"/x\"}\n";

/* How long one that hangs is waited for; also for one that only is slow. */
static const struct {
	const char *lie;
	int exit;
	const char *word;
	const char *timeout;
} ran[] = {
	{ "abort-event", 1, "failed: its process was ended by signal 6", NULL },
	{ "close-fds", 0, "still here", NULL },
	{ "cpu-burn", 1, "failed: it took longer than 1500 ms", "1500ms" },
	{ "crash-event", 1, "failed: its process was ended by signal 11",
	  NULL },
	{ "crash-constructor", 1, "failed: its process was ended by signal",
	  NULL },
	{ "crash-fini", 1, "fini\n    failed: its process was ended by signal",
	  NULL },
	{ "crash-init", 1, "init\n    failed: its process was ended by signal",
	  NULL },
	{ "endless-event", 1, "failed: it took longer than 1500 ms", "1500ms" },
	{ "exit-event", 1, "failed: its process exited with status 0", NULL },
	{ "failing-init", 1, "failed, MU_ECONFIG: the moon is not full", NULL },
	{ "fd-leak", 0, " open files\n", NULL },
	{ "fork-event", 1, "failed: its process exited with status 9", NULL },
	{ "late-calls", 0, "5 callbacks handled", NULL },
	{ "malloc-bomb", 1, "failed, MU_ENOMEM: malloc refused after", NULL },
	{ "no-fini", 1, "has no fini", NULL },
	{ "nonsense-codes", 1, "which is no MU_E code", NULL },
	{ "nonsense-init", 1, "init returned 42", NULL },
	{ "print-crash", 1, "ended by signal 6", NULL },
	{ "probe", 0, "log info: data x len 1", NULL },
	{ "speechless", 1, "left no reason in err", NULL },
	{ "stack-overflow", 1, "ended by signal 11", NULL },
	{ "stdout-event", 0, "5 callbacks handled", NULL },
	{ "thread-calls", 0, "get -8 report -8", NULL },
	{ "undefined", 1, "nobody_has_this", NULL },
	{ "unterminated", 1, "failed, MU_EIO: xxxx", NULL },
	{ "wrong-abi", 1, "plugin ABI 2", NULL },
};

START_TEST(run_ends_each_lie_of_a_callback_in_a_sentence)
{
	file_write_text(file_in("events"), events_text);
	ck_exit(ran[_i].exit,
	        MUSTER("plugin", "run", lie(ran[_i].lie), "--events",
	               file_in("events"), "--timeout",
	               ran[_i].timeout ? ran[_i].timeout : "20s"));
	ck_has(r.out, ran[_i].word);
	ck_has(r.out, " failed; slowest ");
}
END_TEST

START_TEST(check_tells_what_a_plugin_has)
{
	char file[600];

	ck_exit(0, MUSTER("plugin", "check", lie("ticker")));
	ck_has(r.out, "bytes (revision 2)");
	ck_has(r.out, "ok: it has tick, check, events of gaps\n");
	ck_exit(0, MUSTER("plugin", "check", lie("probe")));
	ck_has_not(r.out, "it has tick");
	snprintf(file, sizeof file, "%s/tests/abi/1/abi.so", MU_BUILD);
	ck_exit(0, MUSTER("plugin", "check", file));
	ck_has(r.out, "48 bytes (revision 1: without tick and check)");
	snprintf(file, sizeof file, "%s/tests/abi/future/abi.so", MU_BUILD);
	ck_exit(0, MUSTER("plugin", "check", file));
	ck_has(r.out, "(newer than this muster");
	ck_has(r.out, "warning: it wants 0x80000000, which this muster does "
	              "not know");
}
END_TEST

START_TEST(run_gives_ticks_and_checks_where_the_file_has_them)
{
	static const char lines[] =
		"{\"node\":\"/e\"}\n"
		"{\"call\":\"tick\"}\n"
		"{\"event\":\"created\",\"path\":\"/do/create\"}\n"
		"{\"event\":\"created\",\"path\":\"/do/create-null\"}\n"
		"{\"event\":\"created\",\"path\":\"/do/remove\"}\n"
		"{\"event\":\"deleted\",\"path\":\"/x\",\"cause\":"
		"\"expiry\",\"author\":\"web1\",\"author_session\":31}\n"
		"{\"event\":\"gap\",\"path\":\"/x\"}\n"
		"{\"call\":\"check\"}\n"
		"{\"event\":\"created\",\"path\":\"/do/ill\"}\n"
		"{\"call\":\"check\"}\n";

	file_write_text(file_in("events"), lines);
	ck_exit(1, MUSTER("plugin", "run", lie("ticker"), "--events",
	                  file_in("events"), "--no-figures"));
	ck_has(r.out, "tick\n    log info: tick 1\n    handled\n");
	ck_has(r.out, "    create /e/a: done\n");
	ck_has(r.out, "    create /e/b: done\n");
	ck_has(r.out, "    remove /e/a: the version does not match\n");
	ck_has(r.out, "event 2 flags 0 /x by 2 0x1f 'web1'\n");
	ck_has(r.out, "event 30 flags 0 /x");
	ck_has(r.out, "check\n    handled\n");
	ck_has(r.out, "check\n    failed, MU_EIO: not well\n");
	ck_has(r.out, "9 callbacks handled, 2 failed\n");
	/* One that has neither, and does not know what a gap is. */
	ck_exit(1, MUSTER("plugin", "run", lie("probe"), "--events",
	                  file_in("events"), "--no-figures"));
	ck_has(r.out, "failed, MU_EUNIMPLEMENTED: the plugin has no tick\n");
	ck_has(r.out, "failed, MU_EUNIMPLEMENTED: the plugin has no check\n");
	ck_has_not(r.out, "gap");
}
END_TEST

/* Leaks what its setting says, once an init. */
static const char leaky[] =
	"#include <muster/plugin.h>\n"
	"#include <fcntl.h>\n#include <pthread.h>\n#include <stdlib.h>\n"
	"#include <string.h>\n#include <unistd.h>\n"
	"int visible;\n"
	"static void *stay(void *a) { for (;;) pause(); return a; }\n"
	"static int init(const struct mu_host *h, void **self, struct mu_err "
	"*e) {\n"
	"  const char *what = h->setting_str(h, \"leak\", \"\");\n"
	"  pthread_t t; (void)e;\n"
	"  *self = malloc(10);\n"
	"  if (!strcmp(what, \"memory\")) *self = malloc(10);\n"
	"  if (!strcmp(what, \"file\")) visible = open(\"/dev/null\", 0);\n"
	"  if (!strcmp(what, \"thread\")) pthread_create(&t, NULL, stay, "
	"NULL);\n"
	"  return 0; }\n"
	"static int event(void *s, const struct mu_event *v, struct mu_err *e) "
	"{\n"
	"  (void)s; (void)v; (void)e; return 0; }\n"
	"static void fini(void *s) { free(s); }\n"
	"const struct mu_plugin mu_plugin = { .abi = MU_PLUGIN_ABI,\n"
	"  .size = sizeof(struct mu_plugin), .name = \"leaky\",\n"
	"  .init = init, .event = event, .fini = fini };\n";

static const struct {
	const char *what, *word;
} leaks[] = {
	{ "nothing", NULL },
	{ "memory", "bytes of memory behind" },
	{ "file", "left 20 open descriptors behind" },
	{ "thread", "left 20 threads behind" },
};

START_TEST(check_tells_what_init_and_fini_leave_behind)
{
	char settings[64];

	snprintf(settings, sizeof settings, "leak = \"%s\";\nnobody = 1;\n",
	         leaks[_i].what);
	file_write_text(file_in("leaky.c"), leaky);
	file_write_text(file_in("settings"), settings);
	ck_exit(0, shell("cc -shared -fPIC $(pkg-config --cflags muster) "
	                 "-o leaky.so leaky.c"));
	ck_exit(leaks[_i].word ? 1 : 0,
	        MUSTER("plugin", "check", file_in("leaky.so"), "--settings",
	               file_in("settings"), "--rounds", "20", "--timeout",
	               "20s"));
	ck_has(r.out, leaks[_i].word ? leaks[_i].word : "leave nothing behind");
	ck_has(r.out, "warning: it exports 1 more name: visible");
	ck_has(r.out, "warning: in init: ");
	ck_has(r.out, "nobody");
	ck_has(r.out, ", 2 warnings");
	if (strcmp(leaks[_i].what, "file") == 0)
		ck_has_not(r.out, "threads behind");
}
END_TEST

START_TEST(check_says_what_a_file_is_that_is_no_plugin)
{
	char script[2048];

	ck_exit(1, MUSTER("plugin", "check", file_in("none.so")));
	ck_has(r.out, "none.so: No such file");
	ck_has(r.out, "to do: name a file that is there");
	file_write_text(file_in("text.so"), "#!/bin/sh\n");
	ck_exit(1, MUSTER("plugin", "check", file_in("text.so")));
	ck_has(r.out, "not an ELF file");
	file_write_text(file_in("empty.so"), "");
	ck_exit(1, MUSTER("plugin", "check", file_in("empty.so")));
	ck_has(r.out, "empty");
	snprintf(script, sizeof script, "head -c 8192 %s >probe.so\n",
	         lie("probe"));
	ck_exit(0, shell(script));
	ck_exit(1, MUSTER("plugin", "check", file_in("probe.so")));
	ck_has(r.out, "cut short");
	ck_exit(0, shell("echo 'int needed(void) { return 1; }' >n.c\n"
	                 "cc -shared -fPIC -o libneeded.so n.c\n"
	                 "muster plugin new needs >new.txt\n"
	                 "cc -shared -fPIC $(pkg-config --cflags muster) "
	                 "-Wl,--no-as-needed -o needs.so needs/needs.c "
	                 "-L. -lneeded\n"));
	ck_exit(1, MUSTER("plugin", "check", file_in("needs.so")));
	ck_has(r.out, "libneeded.so");
	ck_has(r.out, "to do: install the library that it needs");
}
END_TEST

static struct mu_json *json_of(const char *text)
{
	struct mu_json *j = NULL;
	struct mu_err err;

	ck_assert_msg(mu_json_parse(text, strlen(text), &j, &err) == 0,
	              "%s: %s", err.msg, text);
	return j;
}

START_TEST(check_and_run_speak_json)
{
	struct mu_json *j;
	char *line, *rest;
	unsigned lines = 0;

	ck_exit(1, MUSTER("plugin", "check", lie("wrong-abi"), "--json"));
	j = json_of(r.out);
	ck_assert_int_eq(mu_json_get_int(j, "errors", -1), 1);
	ck_assert_uint_eq(mu_json_count(mu_json_get_array(j, "findings")), 1);
	mu_json_free(j);
	file_write_text(file_in("events"), events_text);
	ck_exit(0, MUSTER("plugin", "run", lie("probe"), "--events",
	                  file_in("events"), "--json", "--timeout", "20s"));
	for (line = strtok_r(r.out, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest), lines++) {
		j = json_of(line);
		if (lines == 1) {
			ck_assert_str_eq(mu_json_get_str(j, "callback", ""),
			                 "present /do/get");
			ck_assert_str_eq(mu_json_get_str(j, "outcome", ""),
			                 "handled");
			ck_assert_int_ge(mu_json_get_int(j, "us", -1), 0);
			ck_assert_uint_eq(
				mu_json_count(mu_json_get_array(j, "notes")),
				3);
		}
		mu_json_free(j);
	}
	ck_assert_uint_eq(lines, 6); /* init, three events, fini, the sum */
}
END_TEST

START_TEST(a_broken_events_file_is_told_with_its_line)
{
	file_write_text(file_in("events"),
	                "# one\n{\"event\":\"chnged\",\"path\":\"/a\"}\n");
	ck_exit(1, MUSTER("plugin", "run", lie("probe"), "--events",
	                  file_in("events")));
	ck_has(r.err, "events:2: \"chnged\" is no event");
	ck_assert_str_eq(r.out, "");
}
END_TEST

/* ---- record ------------------------------------------------------------------------ */

/* Each change has its place in its transaction, its cause and its author; what was
 * there before has none of them. */
static void ck_tells_whose(const char *file)
{
	static const char *const changes[] = { "changed", "created", "deleted",
		                               "joined", "failed" };
	char *text = file_read(file, NULL), *after;
	size_t told = 0;

	for (char *line = strtok_r(text, "\n", &after); line;
	     line = strtok_r(NULL, "\n", &after)) {
		char start[64];

		for (size_t i = 0; i < COUNT(changes); i++) {
			snprintf(start, sizeof start, "{\"event\":\"%s\",",
			         changes[i]);
			if (strncmp(line, start, strlen(start)) != 0)
				continue;
			told++;
			ck_has(line, "\"n\":0,\"cause\":\"request\","
			             "\"author_session\":");
			ck_has(line, ",\"author\":\"");
		}
		if (strncmp(line, "{\"event\":\"present\"", 18) == 0)
			ck_assert(!strstr(line, "author"));
	}
	ck_assert_uint_eq(told, COUNT(changes));
	free(text);
}

START_TEST(what_is_recorded_from_a_cluster_runs_without_it)
{
	const char *argv[] = { cluster_program("muster"),
		               "plugin",
		               "record",
		               "--watch",
		               "/config:subtree",
		               "--watch",
		               "/other",
		               "--members",
		               NULL };
	const char *file = file_in("recorded");
	char text[256];
	struct program p;

	cluster_broker_start(&cluster);
	cluster_edit("create", "/config", NULL);
	cluster_edit("create", "/config/web", "one");
	cluster_edit("create", "/other", "1");
	cluster_edit("create", "/members", NULL);
	cluster_edit("create", "/members/w0", "{\"address\":\"10.0.0.9\"}");
	program_start(&p, argv, file, file_in("record.log"));
	ck_assert(file_comes_to_have(file, "\"path\":\"/other\"", WAIT_MS));
	ck_assert(
		file_comes_to_have(file, "\"path\":\"/config/web\"", WAIT_MS));
	ck_assert(file_comes_to_have(file, "\"event\":\"member-present\"",
	                             WAIT_MS));
	cluster_edit("set", "/config/web", "two");
	ck_assert(file_comes_to_have(file, "\"data\":\"two\"", WAIT_MS));
	cluster_edit("create", "/config/new", "n");
	ck_assert(file_comes_to_have(file, "\"event\":\"created\"", WAIT_MS));
	cluster_edit("rm", "/config/new", NULL);
	ck_assert(file_comes_to_have(file, "\"event\":\"deleted\"", WAIT_MS));
	cluster_edit("create", "/members/w1", "{\"address\":\"10.0.0.1\"}");
	ck_assert(file_comes_to_have(file, "\"event\":\"joined\"", WAIT_MS));
	cluster_edit("rm", "/members/w1", NULL);
	ck_assert(file_comes_to_have(file, "\"event\":\"failed\"", WAIT_MS));
	ck_assert_int_eq(program_stop(&p, SIGTERM), 0);
	cluster_broker_stop(&cluster, SIGTERM);
	ck_tells_whose(file);

	ck_exit(0, MUSTER("plugin", "run", lie("probe"), "--events", file,
	                  "--no-figures", "--timeout", "20s"));
	ck_has(r.out, "present /config/web\n");
	ck_has(r.out, "path /config/web data two 3 old one 3");
	ck_has(r.out, "deleted /config/new\n");
	ck_has(r.out, "member w1||10.0.0.1|0|");
	ck_has(r.out, "failed /members/w1\n");
	snprintf(text, sizeof text, "%s", r.out);
	ck_exit(0, MUSTER("plugin", "run", lie("probe"), "--events", file,
	                  "--no-figures", "--timeout", "20s"));
	ck_assert_int_eq(strncmp(text, r.out, sizeof text - 1), 0);
	/* Whose a change was comes to the plugin. */
	ck_exit(0, MUSTER("plugin", "run", lie("ticker"), "--events", file,
	                  "--no-figures", "--timeout", "20s"));
	ck_has(r.out, " /config/new by 0 0x");
	ck_assert(!strstr(r.out, " /config/new by 0 0x0 "));
	ck_assert(!strstr(r.out, " /members/w1 by 0 0x0 "));
	ck_has(r.out, " /members/w0 by 0 0x0 ''");
}
END_TEST

START_TEST(a_recording_with_a_time_ends_by_itself_and_is_whole)
{
	cluster_broker_start(&cluster);
	cluster_edit("create", "/config", "c");
	ck_exit(0, MUSTER("plugin", "record", "--watch", "/config", "--for",
	                  "2", "-o", file_in("recorded")));
	ck_has(r.err, "1 event in ");
	ck_assert_uint_eq(file_count(file_in("recorded"), "\n"), 1);
	ck_assert(file_has(file_in("recorded"), "\"event\":\"present\""));
}
END_TEST

#define WATCHES 60
#define BELOW 40

/* Each may have 32 reads under way, and the library has 1,000 places. */
START_TEST(more_is_read_at_first_than_may_be_asked_at_once)
{
	const char *argv[8 + 2 * WATCHES] = { cluster_program("muster"),
		                              "plugin",
		                              "record",
		                              "--for",
		                              "3s",
		                              "-o",
		                              file_in("recorded") };
	char path[32];

	cluster_broker_start(&cluster);
	cluster_edit("create", "/wide", "x");
	for (int i = 0; i < BELOW; i++) {
		snprintf(path, sizeof path, "/wide/%d", i);
		cluster_edit("create", path, "x");
	}
	for (int i = 0; i < WATCHES; i++) {
		argv[7 + 2 * i] = "--watch";
		argv[8 + 2 * i] = "/wide:subtree";
	}
	run_free(&r);
	r = (struct run){ .argv = argv };
	run(&r);
	r.argv = NULL;
	ck_assert_msg(r.exit == 0, "%s", r.err);
	ck_assert_uint_eq(file_count(file_in("recorded"), "\n"),
	                  WATCHES * (BELOW + 1));
}
END_TEST

START_TEST(recording_goes_on_when_the_broker_comes_back)
{
	const char *argv[] = { cluster_program("muster"),
		               "plugin",
		               "record",
		               "--watch",
		               "/config",
		               NULL };
	const char *file = file_in("recorded");
	struct program p;

	cluster_broker_start(&cluster);
	cluster_edit("create", "/config", "one");
	program_start(&p, argv, file, file_in("record.log"));
	ck_assert(file_comes_to_have(file, "\"data\":\"one\"", WAIT_MS));
	cluster_broker_restart(&cluster, SIGKILL);
	cluster_edit("set", "/config", "two");
	ck_assert(file_comes_to_have(file, "\"data\":\"two\"", WAIT_MS));
	cluster_edit("set", "/config", "three");
	ck_assert(file_comes_to_have(file, "\"data\":\"three\"", WAIT_MS));
	ck_assert_uint_eq(file_count(file, "\"event\":\"present\""), 1);
	ck_assert_int_eq(program_stop(&p, SIGINT), 0);
}
END_TEST

/* Watches would show the last of them. */
START_TEST(no_change_is_missing_though_the_link_was_cut)
{
	const char *argv[] = {
		cluster_program("muster"), "plugin", "record", "--watch",
		"/config:subtree",         NULL
	};
	const char *file = file_in("recorded");
	char *text;
	struct program p;

	cluster_broker_start(&cluster);
	cluster_edit("create", "/config", "zero");
	program_start(&p, argv, file, file_in("record.log"));
	ck_assert(file_comes_to_have(file, "\"data\":\"zero\"", WAIT_MS));
	program_signal(&p, SIGSTOP);
	cluster_edit("set", "/config", "one");
	cluster_broker_restart(&cluster, SIGKILL);
	cluster_edit("set", "/config", "two");
	cluster_edit("create", "/config/a", "three");
	cluster_edit("rm", "/config/a", NULL);
	cluster_edit("set", "/config", "four");
	program_signal(&p, SIGCONT);
	ck_assert(file_comes_to_have(file, "\"data\":\"four\"", WAIT_MS));
	ck_assert_int_eq(program_stop(&p, SIGINT), 0);
	ck_assert(file_has(file, "\"data\":\"one\""));
	ck_assert(file_has(file, "\"data\":\"two\""));
	ck_assert(file_has(file, "\"data\":\"three\""));
	ck_assert(file_has(file, "\"event\":\"deleted\""));
	ck_assert(!file_has(file, "coalesced"));
	ck_assert(!file_has(file, "\"event\":\"gap\""));
	ck_exit(0, MUSTER("plugin", "run", lie("probe"), "--events", file,
	                  "--no-figures", "--timeout", "20s"));
	text = strstr(r.out, "data one");
	ck_assert_ptr_nonnull(text);
	text = strstr(text, "data two");
	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_nonnull(strstr(text, "data four"));
}
END_TEST

START_TEST(with_its_tree_a_recording_ends_and_makes_nothing_up)
{
	const char *argv[] = { cluster_program("muster"),
		               "plugin",
		               "record",
		               "--watch",
		               "/config",
		               "--members",
		               NULL };
	const char *file = file_in("recorded");
	struct program p;

	cluster_broker_start(&cluster);
	cluster_edit("create", "/config", "old");
	cluster_edit("create", "/members", NULL);
	cluster_edit("create", "/members/w0", "{}");
	program_start(&p, argv, file, file_in("record.log"));
	ck_assert(file_comes_to_have(file, "\"data\":\"old\"", WAIT_MS));
	ck_assert(file_comes_to_have(file, "\"event\":\"member-present\"",
	                             WAIT_MS));
	program_signal(&p, SIGSTOP);
	cluster_broker_lose_tree(&cluster);
	program_signal(&p, SIGCONT);
	/* The session went with the tree. */
	ck_assert_int_eq(program_wait(&p, WAIT_MS), 4);
	ck_assert(!file_has(file, "\"event\":\"deleted\""));
	ck_assert(!file_has(file, "\"event\":\"failed\""));
}
END_TEST

START_TEST(without_a_broker_nothing_is_recorded_and_no_file_is_left)
{
	ck_exit(4, MUSTER("plugin", "record", "--watch", "/config", "-o",
	                  file_in("recorded"), "--timeout", "200ms"));
	ck_assert_int_ne(access(file_in("recorded"), F_OK), 0);
}
END_TEST

static TCase *group(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	return t;
}

static void add_new(TCase *t)
{
	tcase_add_test(t, from_nothing_to_a_tested_plugin_as_the_readme_says);
	tcase_add_test(t, make_check_fails_once_the_plugin_does_something_else);
	tcase_add_test(t, make_check_says_why_a_callback_did_not_end_well);
	tcase_add_test(t, make_says_how_it_finds_an_installation_elsewhere);
	tcase_add_loop_test(t, a_bad_name_is_refused_and_nothing_is_written, 0,
	                    (int)COUNT(bad_names));
	tcase_add_test(t, a_file_that_is_there_is_not_touched);
	tcase_add_test(t, what_is_no_verb_or_no_option_of_it_is_said);
}

static void add_lies(TCase *t)
{
	tcase_add_loop_test(
		t, check_ends_each_lie_of_a_file_or_of_init_in_a_sentence, 0,
		(int)COUNT(checked));
	tcase_add_loop_test(t, run_ends_each_lie_of_a_callback_in_a_sentence, 0,
	                    (int)COUNT(ran));
	tcase_add_test(t, check_tells_what_a_plugin_has);
	tcase_add_test(t, run_gives_ticks_and_checks_where_the_file_has_them);
	tcase_add_loop_test(t, check_tells_what_init_and_fini_leave_behind, 0,
	                    (int)COUNT(leaks));
	tcase_add_test(t, check_says_what_a_file_is_that_is_no_plugin);
	tcase_add_test(t, check_and_run_speak_json);
	tcase_add_test(t, a_broken_events_file_is_told_with_its_line);
}

static void add_record(TCase *t)
{
	tcase_add_test(t, what_is_recorded_from_a_cluster_runs_without_it);
	tcase_add_test(t, a_recording_with_a_time_ends_by_itself_and_is_whole);
	tcase_add_test(t, more_is_read_at_first_than_may_be_asked_at_once);
	tcase_add_test(t, recording_goes_on_when_the_broker_comes_back);
	tcase_add_test(t, no_change_is_missing_though_the_link_was_cut);
	tcase_add_test(t, with_its_tree_a_recording_ends_and_makes_nothing_up);
	tcase_add_test(
		t, without_a_broker_nothing_is_recorded_and_no_file_is_left);
}

int main(void)
{
	Suite *s = suite_create("cli_plugin");
	SRunner *sr = srunner_create(s);
	int failed;

	add_new(group(s, "new"));
	add_lies(group(s, "lies"));
	add_record(group(s, "record"));
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
