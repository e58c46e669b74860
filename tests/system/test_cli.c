/*
 * test_cli.c - `muster` as a user runs it: every command with good and bad input,
 * what it prints and its exit codes. One broker serves all tests; each has paths
 * of its own. `muster watch` is in test_cli_watch.c.
 */
#include "json.h"
#include "last_run.h"

#include <muster/client.h>

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct cluster cluster;

#define ck_out(text) ck_assert_str_eq(r.out, text)

/* Run `muster` with options of struct run. */
static int muster_with(struct run *how, const char *const *args)
{
	const char *argv[16] = { cluster_program("muster") };

	for (size_t i = 0; args[i]; i++)
		argv[i + 1] = args[i];
	how->argv = argv;
	return run_next(*how);
}
#define ARGS(...) \
	(const char *const[]) \
	{ \
		__VA_ARGS__, NULL \
	}

static int muster_fed(const void *in, size_t len, const char *const *args)
{
	struct run how = { .in = in, .in_len = len };

	return muster_with(&how, args);
}

static int muster_on_terminal(const char *in, const char *const *args)
{
	struct run how = { .in = in, .in_len = strlen(in), .pty = true };

	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	return muster_with(&how, args);
}

/* What was printed, as JSON; fails the test if it is none. */
static struct mu_json *printed(void)
{
	struct mu_err err = { 0, "" };
	struct mu_json *j = NULL;
	int rc = mu_json_parse(r.out, strlen(r.out), &j, &err);

	ck_assert_msg(rc == 0, "%s: %s", err.msg, r.out);
	return j;
}

static void ck_json_str(const char *key, const char *text)
{
	struct mu_json *j = printed();

	ck_assert_str_eq(mu_json_get_str(j, key, "(absent)"), text);
	mu_json_free(j);
}

static void ck_json_int(const char *key, int64_t v)
{
	struct mu_json *j = printed();

	ck_assert_int_eq(mu_json_get_int(j, key, -77), v);
	mu_json_free(j);
}

static void broker_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	cluster_open(&cluster);
	cluster_broker_conf(&cluster, true, NULL);
	cluster_broker_start(&cluster);
}

static void broker_down(void)
{
	cluster_close(&cluster);
}

/* ---- the command line itself ------------------------------------------------- */

static const struct {
	const char *name, *options[5];
} commands[] = {
	{ "get", { NULL } },
	{ "set", { "--file", "--if-version", "--create", NULL } },
	{ "create",
	  { "--file", "--parents", "--sequential", "--ephemeral", NULL } },
	{ "rm", { "--recursive", "--yes", "--if-version", NULL } },
	{ "ls", { "--long", NULL } },
	{ "tree", { "--depth", NULL } },
	{ "stat", { NULL } },
	{ "watch", { "--recursive", "--count", NULL } },
	{ "members", { NULL } },
	{ "status", { "--watch", NULL } },
	{ "version", { NULL } },
};
#define COMMANDS ((int)(sizeof commands / sizeof commands[0]))

START_TEST(help_of_a_command_tells_its_options_and_exit_codes)
{
	static const char *const codes[] = { "\n  0  ", "\n  1  ", "\n  2  ",
		                             "\n  3  ", "\n  4  ", "\n  5  ",
		                             "\n  64 ", NULL };
	char title[64];

	ck_assert_int_eq(MUSTER(commands[_i].name, "--help"), 0);
	ck_assert_str_eq(r.err, "");
	snprintf(title, sizeof title, "muster %s - ", commands[_i].name);
	ck_out_has(title);
	for (size_t i = 0; commands[_i].options[i]; i++)
		ck_out_has(commands[_i].options[i]);
	ck_out_has("--json");
	ck_out_has("--broker URL");
	ck_out_has("MUSTER_BROKER");
	ck_out_has("--timeout TIME");
	ck_out_has("A TIME without a unit is in seconds");
	ck_out_has("EXIT STATUS");
	for (size_t i = 0; codes[i]; i++)
		ck_out_has(codes[i]);
}
END_TEST

START_TEST(help_names_every_command)
{
	char line[64];

	ck_assert_int_eq(MUSTER("--help"), 0);
	for (int i = 0; i < COMMANDS; i++) {
		snprintf(line, sizeof line, "\n  %s ", commands[i].name);
		ck_out_has(line);
	}
	ck_out_has("EXIT STATUS");
}
END_TEST

START_TEST(an_unknown_command_is_a_usage_error_that_names_it)
{
	ck_assert_int_eq(MUSTER("gte", "/a"), 64);
	ck_err_has("no command \"gte\"");
	ck_err_has("muster --help");
	ck_assert_int_eq(MUSTER("gte", "--help"), 64);
	ck_assert_str_eq(r.out, "");
}
END_TEST

START_TEST(no_command_is_a_usage_error)
{
	ck_assert_int_eq(MUSTER("--json"), 64);
	ck_err_has("which command?");
}
END_TEST

START_TEST(an_unknown_option_is_a_usage_error_for_every_command)
{
	ck_assert_int_eq(MUSTER(commands[_i].name, "--bogus"), 64);
	ck_err_has("--bogus is no option here");
	ck_err_has(commands[_i].name);
	ck_assert_int_eq(MUSTER(commands[_i].name, "-Q"), 64);
	ck_err_has("-Q is no option here");
	ck_assert_str_eq(r.out, "");
}
END_TEST

START_TEST(an_option_without_its_value_is_a_usage_error)
{
	ck_assert_int_eq(MUSTER("get", "/", "--broker"), 64);
	ck_err_has("--broker wants a value");
	ck_assert_int_eq(MUSTER("set", "/a", "-f"), 64);
	ck_err_has("-f wants a value");
}
END_TEST

START_TEST(too_many_arguments_are_a_usage_error_for_every_command)
{
	ck_assert_int_eq(MUSTER(commands[_i].name, "/a", "b", "c", "d"), 64);
	ck_err_has("takes ");
}
END_TEST

START_TEST(a_missing_argument_is_a_usage_error)
{
	static const char *const need[] = { "get", "set",  "create",
		                            "rm",  "stat", "watch" };

	ck_assert_int_eq(MUSTER(need[_i]), 64);
	ck_err_has("takes PATH");
}
END_TEST

START_TEST(numbers_of_options_are_checked)
{
	static const char *const bad[][4] = {
		{ "set", "--if-version", "x", "/a" },
		{ "set", "--if-version", "-1", "/a" },
		{ "set", "--if-version", "2147483648", "/a" },
		{ "set", "--if-version", "", "/a" },
		{ "rm", "--if-version", "1x", "/a" },
		{ "tree", "--depth", "-1", "/a" },
		{ "tree", "--depth", "1001", "/a" },
		{ "watch", "--count", "0", "/a" },
	};

	ck_assert_int_eq(MUSTER(bad[_i][0], bad[_i][1], bad[_i][2], bad[_i][3]),
	                 64);
	ck_err_has(bad[_i][1]);
	ck_err_has("takes a number");
}
END_TEST

static const char *const bad_times[] = {
	"",      "0",
	"0.9ms", "-1",
	"1 s",   "1d",
	"1.",    "99999999999999999999",
	"241h",  "9223372036854775807h",
	"86401", "24.001h", /* these two are well for --for */
};

#define BAD_TIMES ((int)(sizeof bad_times / sizeof bad_times[0]))

START_TEST(times_of_options_are_checked)
{
	const char *time = bad_times[_i];
	char said[80];

	snprintf(said, sizeof said,
	         "such as 500ms, 60s (or 60), 5m, 1h; not "
	         "\"%s\"",
	         time);
	ck_assert_int_eq(MUSTER("get", "--timeout", time, "/"), 64);
	ck_err_has("--timeout takes a time from 1ms to 24h, ");
	ck_err_has(said);
	ck_assert_int_eq(MUSTER("wait", "-a", "/", "-t", time), 64);
	ck_err_has("--timeout takes a time from 1ms to 24h, ");
	if (_i >= BAD_TIMES - 2)
		return;
	ck_assert_int_eq(MUSTER("plugin", "record", "--members", "--for", time),
	                 64);
	ck_err_has("--for takes a time from 1ms to 240h, ");
}
END_TEST

START_TEST(times_of_options_take_each_unit)
{
	static const char *const good[] = { "5000ms", "5",     "5s",   "0.5m",
		                            "24h",    "1440m", "86400" };

	ck_assert_int_eq(MUSTER("get", "--timeout", good[_i], "/"), 0);
	ck_assert_int_eq(MUSTER("wait", "-a", "/nowhere", "-t", good[_i]), 2);
}
END_TEST

START_TEST(options_may_stand_before_and_after_the_command)
{
	ck_assert_int_eq(MUSTER("create", "/order", "v"), 0);
	ck_assert_int_eq(MUSTER("--json", "-t", "9", "get", "/order"), 0);
	ck_json_str("data", "v");
	ck_assert_int_eq(MUSTER("-jt", "9", "get", "/order"), 0);
	ck_json_str("data", "v");
	ck_assert_int_eq(MUSTER("--time", "9000ms", "get", "/order", "-j"), 0);
	ck_json_str("data", "v");
	ck_assert_int_eq(MUSTER("--timeout=9s", "get", "/order"), 0);
	ck_out("v");
}
END_TEST

START_TEST(version_needs_no_broker)
{
	ck_assert_int_eq(MUSTER("version", "-b", "ipc:///nowhere"), 0);
	ck_has(r.out, "muster 0.");
	ck_assert_int_eq(MUSTER("--version"), 0);
	ck_has(r.out, "muster 0.");
	ck_assert_int_eq(MUSTER("version", "--json"), 0);
	ck_has(r.out, "{\"version\":\"0.");
}
END_TEST

/* ---- paths ----------------------------------------------------------------------- */

static const char *const bad_paths[] = { "//a",  "/a//b",   "/a/../b",
	                                 "/./a", "/a\001b", "/\xff" };
static const char *const path_commands[] = { "get",  "create", "rm",   "ls",
	                                     "tree", "stat",   "watch" };

START_TEST(a_malformed_path_is_a_usage_error)
{
	for (size_t i = 0; i < sizeof bad_paths / sizeof bad_paths[0]; i++) {
		ck_assert_msg(MUSTER(path_commands[_i], bad_paths[i]) == 64,
		              "%s %s: exit %d", path_commands[_i], bad_paths[i],
		              r.exit);
		ck_assert_str_ne(r.err, "");
	}
}
END_TEST

START_TEST(a_path_without_its_slash_is_told_what_was_meant)
{
	ck_assert_int_eq(MUSTER(path_commands[_i], "config/web"), 64);
	ck_err_has("try /config/web");
}
END_TEST

START_TEST(a_slash_at_the_end_of_a_path_is_dropped)
{
	ck_assert_int_eq(MUSTER("create", "/slash/", "v"), 0);
	ck_out("/slash\n");
	ck_assert_int_eq(MUSTER("get", "/slash/"), 0);
	ck_out("v");
}
END_TEST

START_TEST(a_node_that_is_not_there_is_exit_2)
{
	static const char *const reads[] = { "get",  "rm",   "ls",
		                             "tree", "stat", "set" };

	ck_assert_int_eq(MUSTER(reads[_i], "/is/not/there",
	                        strcmp(reads[_i], "set") == 0 ? "v" : NULL),
	                 2);
	ck_err_has("/is/not/there");
	ck_assert_str_eq(r.out, "");
}
END_TEST

/* ---- get, set, create --------------------------------------------------------------- */

START_TEST(get_prints_the_bytes_and_nothing_else)
{
	ck_assert_int_eq(MUSTER("create", "/get", "no newline"), 0);
	ck_assert_int_eq(MUSTER("get", "/get"), 0);
	ck_out("no newline");
	ck_assert_str_eq(r.err, "");
}
END_TEST

START_TEST(get_json_has_the_value_and_the_stat)
{
	ck_assert_int_eq(MUSTER("create", "/getj", "päge \"1\""), 0);
	ck_assert_int_eq(MUSTER("set", "/getj", "two"), 0);
	ck_assert_int_eq(MUSTER("get", "--json", "/getj"), 0);
	ck_json_str("path", "/getj");
	ck_json_str("data", "two");
	ck_json_int("version", 1);
	ck_json_int("data_length", 3);
	ck_json_int("children", 0);
	ck_json_int("ephemeral_owner", 0);
}
END_TEST

START_TEST(null_and_empty_values_are_told_apart_in_json)
{
	ck_assert_int_eq(MUSTER("create", "/null"), 0);
	ck_assert_int_eq(MUSTER("create", "/empty", ""), 0);
	ck_assert_int_eq(MUSTER("get", "/null"), 0);
	ck_out("");
	ck_assert_int_eq(MUSTER("get", "/empty"), 0);
	ck_out("");
	ck_assert_int_eq(MUSTER("get", "-j", "/null"), 0);
	ck_out_has("\"data\":null");
	ck_assert_int_eq(MUSTER("get", "-j", "/empty"), 0);
	ck_out_has("\"data\":\"\"");
	ck_assert_int_eq(MUSTER("set", "/null", ""), 0);
	ck_assert_int_eq(MUSTER("get", "-j", "/null"), 0);
	ck_out_has("\"data\":\"\"");
}
END_TEST

/* Every byte, among them NUL and what is not UTF-8. */
static void all_bytes(unsigned char *out)
{
	for (unsigned i = 0; i < 512; i++)
		out[i] = (unsigned char)i;
}

START_TEST(binary_data_comes_back_as_it_went)
{
	unsigned char bytes[512];
	char file[CLUSTER_PATH_MAX + 16];

	all_bytes(bytes);
	snprintf(file, sizeof file, "%s/bytes", cluster.dir);
	file_write(file, bytes, sizeof bytes);
	ck_assert_int_eq(MUSTER("create", "/bin", "-f", file), 0);
	ck_assert_int_eq(MUSTER("get", "/bin"), 0);
	ck_assert_uint_eq(r.out_len, sizeof bytes);
	ck_assert_mem_eq(r.out, bytes, sizeof bytes);
}
END_TEST

START_TEST(a_value_is_read_from_standard_input)
{
	unsigned char bytes[512];

	all_bytes(bytes);
	ck_assert_int_eq(MUSTER("create", "/stdin"), 0);
	ck_assert_int_eq(muster_fed(bytes, sizeof bytes,
	                            ARGS("set", "/stdin", "-f", "-")),
	                 0);
	ck_out("/stdin version 1\n");
	ck_assert_int_eq(MUSTER("get", "/stdin"), 0);
	ck_assert_uint_eq(r.out_len, sizeof bytes);
	ck_assert_mem_eq(r.out, bytes, sizeof bytes);
	ck_assert_int_eq(muster_fed("", 0, ARGS("set", "/stdin", "-f", "-")),
	                 0);
	ck_assert_int_eq(MUSTER("get", "-j", "/stdin"), 0);
	ck_out_has("\"data\":\"\"");
}
END_TEST

START_TEST(data_that_is_not_utf8_is_base64_in_json)
{
	ck_assert_int_eq(
		muster_fed("\xff\xfe\0", 3, ARGS("create", "/raw", "-f", "-")),
		0);
	ck_assert_int_eq(MUSTER("get", "--json", "/raw"), 0);
	ck_json_str("data_base64", "//4A");
	ck_json_str("data", "(absent)");
}
END_TEST

/* Sizes around the block in which input is read. */
START_TEST(a_value_of_any_size_comes_back_as_it_went)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, 8192, 1000000 };
	size_t len = sizes[_i];
	char *data = malloc(len), path[32];

	ck_assert_ptr_nonnull(data);
	for (size_t i = 0; i < len; i++)
		data[i] = (char)('a' + i % 23);
	snprintf(path, sizeof path, "/size%zu", len);
	ck_assert_int_eq(muster_fed(data, len, ARGS("create", path, "-f", "-")),
	                 0);
	ck_assert_int_eq(MUSTER("get", path), 0);
	ck_assert_uint_eq(r.out_len, len);
	ck_assert_mem_eq(r.out, data, len);
	free(data);
}
END_TEST

START_TEST(a_value_over_the_packet_limit_is_refused_and_changes_nothing)
{
	static const size_t sizes[] = { 1048576, 3000000, 9000000 };
	char *data = calloc(1, sizes[_i]), path[32];

	snprintf(path, sizeof path, "/large%d", _i);
	ck_assert_ptr_nonnull(data);
	ck_assert_int_eq(MUSTER("create", path, "old"), 0);
	ck_assert_int_eq(
		muster_fed(data, sizes[_i], ARGS("set", path, "-f", "-")), 1);
	ck_err_has("larger than the limit");
	ck_assert_int_eq(MUSTER("get", path), 0);
	ck_out("old");
	free(data);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_told)
{
	ck_assert_int_eq(MUSTER("create", "/nofile", "-f", "/no/such/file"), 1);
	ck_err_has("cannot open /no/such/file");
	ck_assert_int_eq(MUSTER("create", "/nofile", "-f", "/"), 1);
	ck_err_has("cannot read /");
	ck_assert_int_eq(MUSTER("get", "/nofile"), 2);
}
END_TEST

START_TEST(a_value_and_a_file_at_once_are_a_usage_error)
{
	ck_assert_int_eq(MUSTER("set", "/a", "v", "-f", "/dev/null"), 64);
	ck_err_has("not both");
	ck_assert_int_eq(MUSTER("create", "/a", "v", "-f", "/dev/null"), 64);
	ck_err_has("not both");
}
END_TEST

START_TEST(set_without_a_value_is_a_usage_error)
{
	ck_assert_int_eq(MUSTER("set", "/zookeeper"), 64);
	ck_err_has("which value?");
}
END_TEST

START_TEST(set_prints_the_new_version)
{
	ck_assert_int_eq(MUSTER("create", "/set", "0"), 0);
	ck_assert_int_eq(MUSTER("set", "/set", "1"), 0);
	ck_out("/set version 1\n");
	ck_assert_int_eq(MUSTER("set", "/set", "2", "--json"), 0);
	ck_json_str("path", "/set");
	ck_json_int("version", 2);
	ck_assert(cluster_node_is("/set", "2"));
}
END_TEST

START_TEST(a_value_that_looks_like_an_option_stands_after_two_dashes)
{
	ck_assert_int_eq(MUSTER("create", "/dash", "--", "-5"), 0);
	ck_assert(cluster_node_is("/dash", "-5"));
	ck_assert_int_eq(MUSTER("set", "/dash", "--", "--json"), 0);
	ck_assert(cluster_node_is("/dash", "--json"));
}
END_TEST

START_TEST(set_if_version_writes_over_that_version_only)
{
	ck_assert_int_eq(MUSTER("create", "/ifv", "0"), 0);
	ck_assert_int_eq(MUSTER("set", "/ifv", "1", "--if-version", "0"), 0);
	ck_assert_int_eq(MUSTER("set", "/ifv", "2", "--if-version", "0"), 3);
	ck_err_has("at version 1, not 0");
	ck_err_has("--if-version 1");
	ck_assert(cluster_node_is("/ifv", "1"));
	ck_assert_int_eq(MUSTER("set", "/ifv", "2", "-i", "2"), 3);
	ck_assert(cluster_node_is("/ifv", "1"));
}
END_TEST

START_TEST(set_create_makes_the_node_and_its_parents)
{
	ck_assert_int_eq(MUSTER("set", "/mk/a/b", "v"), 2);
	ck_err_has("add --create");
	ck_assert_int_eq(MUSTER("set", "--create", "/mk/a/b", "v"), 0);
	ck_out("/mk/a/b version 0\n");
	ck_assert(cluster_node_is("/mk/a/b", "v"));
	ck_assert_int_eq(MUSTER("set", "-c", "/mk/a/b", "w"), 0);
	ck_out("/mk/a/b version 1\n");
	ck_assert_int_eq(MUSTER("set", "-c", "-i", "1", "/mk/a/b", "x"), 64);
	ck_assert(cluster_node_is("/mk/a/b", "w"));
}
END_TEST

START_TEST(create_prints_the_path)
{
	ck_assert_int_eq(MUSTER("create", "/cr", "v"), 0);
	ck_out("/cr\n");
	ck_assert_int_eq(MUSTER("create", "/cr2", "--json"), 0);
	ck_json_str("path", "/cr2");
}
END_TEST

START_TEST(create_refuses_what_exists)
{
	ck_assert_int_eq(MUSTER("create", "/twice", "1"), 0);
	ck_assert_int_eq(MUSTER("create", "/twice", "2"), 5);
	ck_err_has("/twice");
	ck_assert(cluster_node_is("/twice", "1"));
}
END_TEST

START_TEST(create_parents_makes_them_and_bears_what_exists)
{
	ck_assert_int_eq(MUSTER("create", "/par/a/b", "v"), 2);
	ck_assert_int_eq(MUSTER("create", "-p", "/par/a/b", "v"), 0);
	ck_assert_int_eq(MUSTER("create", "-p", "/par/a/b"), 0);
	ck_out("/par/a/b\n");
	/* A value that would be dropped is an error. */
	ck_assert_int_eq(MUSTER("create", "-p", "/par/a/b", "w"), 5);
	ck_assert(cluster_node_is("/par/a/b", "v"));
}
END_TEST

START_TEST(create_sequential_prints_the_name_as_made)
{
	ck_assert_int_eq(MUSTER("create", "/seq"), 0);
	ck_assert_int_eq(MUSTER("create", "-s", "/seq/job-", "v"), 0);
	ck_out("/seq/job-0000000000\n");
	ck_assert_int_eq(MUSTER("create", "--sequential", "/seq/"), 0);
	ck_out("/seq/0000000001\n");
	ck_assert_int_eq(MUSTER("ls", "/seq"), 0);
	ck_out("0000000001\njob-0000000000\n");
}
END_TEST

START_TEST(create_ephemeral_holds_the_node_until_it_is_stopped)
{
	const char *argv[] = {
		cluster_program("muster"), "create", "-e", "/eph", "v", NULL
	};
	char out[CLUSTER_PATH_MAX + 16];
	struct program p;

	snprintf(out, sizeof out, "%s/eph.out", cluster.dir);
	program_start(&p, argv, out, out);
	cluster_wait_node("/eph", "v");
	ck_assert_int_eq(MUSTER("get", "-j", "/eph"), 0);
	ck_has_not(r.out, "\"ephemeral_owner\":0");
	ck_assert_int_eq(MUSTER("tree", "/eph"), 0);
	ck_out_has("/eph*");
	ck_assert_int_eq(MUSTER("create", "/eph/child"), 1);
	ck_err_has("ephemeral");
	ck_assert(file_comes_to_have(out, "/eph\n", WAIT_MS));
	ck_assert_int_eq(program_stop(&p, _i ? SIGTERM : SIGINT), 0);
	/* Its session was closed, not left to its timeout. */
	ck_assert_int_eq(MUSTER("get", "/eph"), 2);
}
END_TEST

/* ---- rm --------------------------------------------------------------------------------- */

START_TEST(rm_deletes_a_node)
{
	ck_assert_int_eq(MUSTER("create", "/rm"), 0);
	ck_assert_int_eq(MUSTER("rm", "/rm"), 0);
	ck_out("");
	ck_assert_int_eq(MUSTER("get", "/rm"), 2);
	ck_assert_int_eq(MUSTER("create", "/rm"), 0);
	ck_assert_int_eq(MUSTER("rm", "--json", "/rm"), 0);
	ck_json_str("path", "/rm");
	ck_json_int("deleted", 1);
}
END_TEST

START_TEST(rm_of_a_node_with_children_says_how)
{
	ck_assert_int_eq(MUSTER("create", "-p", "/rmc/a"), 0);
	ck_assert_int_eq(MUSTER("rm", "/rmc"), 5);
	ck_err_has("rm -r");
	ck_assert_int_eq(MUSTER("stat", "/rmc/a"), 0);
}
END_TEST

START_TEST(rm_if_version_deletes_that_version_only)
{
	ck_assert_int_eq(MUSTER("create", "/rmv", "0"), 0);
	ck_assert_int_eq(MUSTER("rm", "-i", "7", "/rmv"), 3);
	ck_assert_int_eq(MUSTER("rm", "-r", "-i", "0", "/rmv"), 64);
	ck_assert_int_eq(MUSTER("rm", "-i", "0", "/rmv"), 0);
}
END_TEST

START_TEST(rm_of_what_must_stay_is_a_usage_error)
{
	ck_assert_int_eq(MUSTER("rm", "-r", "--yes", "/"), 64);
	ck_assert_int_eq(MUSTER("rm", "-r", "--yes", "/zookeeper"), 64);
	if (cluster_backend() != CLUSTER_ZOOKEEPER) /* it is above our root */
		ck_assert_int_eq(MUSTER("stat", "/zookeeper"), 0);
}
END_TEST

START_TEST(rm_recursive_without_a_terminal_shows_the_nodes_and_refuses)
{
	struct run sh = { 0 };
	const char *argv[] = { "setsid", "-w", cluster_program("muster"),
		               "rm",     "-r", "/ask",
		               NULL };

	ck_assert_int_eq(MUSTER("create", "-p", "/ask/a/b"), 0);
	sh.argv = argv;
	run(&sh);
	ck_assert_int_eq(sh.exit, 1);
	ck_has(sh.err, "  /ask\n");
	ck_has(sh.err, "  /ask/a/b\n");
	ck_has(sh.err, "nothing was deleted");
	ck_has(sh.err, "--yes");
	run_free(&sh);
	ck_assert_int_eq(MUSTER("stat", "/ask/a/b"), 0);
}
END_TEST

START_TEST(rm_recursive_shows_twenty_nodes_at_most)
{
	const char *argv[] = { "setsid", "-w", cluster_program("muster"),
		               "rm",     "-r", "/many",
		               NULL };
	struct run sh = { .argv = argv };
	char path[32];

	ck_assert_int_eq(MUSTER("create", "/many"), 0);
	for (int i = 0; i < 20; i++) { /* with their parent 21 */
		snprintf(path, sizeof path, "/many/n%02d", i);
		ck_assert_int_eq(MUSTER("create", path), 0);
	}
	run(&sh);
	ck_assert_int_eq(sh.exit, 1);
	ck_has(sh.err, "  /many/n18\n");
	ck_has_not(sh.err, "/many/n19");
	ck_has(sh.err, "... and 1 more");
	run_free(&sh);
}
END_TEST

START_TEST(rm_recursive_asks_on_the_terminal)
{
	ck_assert_int_eq(MUSTER("create", "-p", "/tty/a"), 0);
	ck_assert_int_eq(muster_on_terminal("n\n", ARGS("rm", "-r", "/tty")),
	                 1);
	ck_out_has("Delete 2 nodes? [y/N]");
	ck_out_has("nothing was deleted");
	ck_assert_int_eq(MUSTER("stat", "/tty/a"), 0);
	ck_assert_int_eq(muster_on_terminal("y\n", ARGS("rm", "-r", "/tty")),
	                 0);
	ck_assert_int_eq(MUSTER("stat", "/tty"), 2);
}
END_TEST

/* top, 3 nodes below it, and the rest below those. */
static void make_many(const char *top, int count)
{
	struct mu_client_options o = { .size = sizeof o,
		                       .brokers = cluster.url };
	struct mu_client *c;
	char path[64];

	ck_assert_int_eq(mu_client_new(&o, &c, NULL), 0);
	for (int i = 0; i < count; i++) {
		if (i == 0)
			snprintf(path, sizeof path, "%s", top);
		else if (i < 4)
			snprintf(path, sizeof path, "%s/d%d", top, i);
		else
			snprintf(path, sizeof path, "%s/d%d/n%d", top,
			         1 + i % 3, i);
		ck_assert_int_eq(mu_client_create_sync(c, path, NULL, -1, 0,
		                                       NULL, 0, WAIT_MS, NULL),
		                 0);
	}
	mu_client_close(c, WAIT_MS);
	mu_client_free(c);
}

/* At the size of a transaction, one past it, and well beyond. */
START_TEST(rm_recursive_yes_deletes_a_tree_of_any_size)
{
	static const int sizes[] = { 1, 100, 101, 300, 1500 };
	char path[32];

	snprintf(path, sizeof path, "/big%d", sizes[_i]);
	make_many(path, sizes[_i]);
	ck_assert_int_eq(MUSTER("rm", "-r", "--yes", "--json", path), 0);
	ck_json_int("deleted", sizes[_i]);
	ck_assert_int_eq(MUSTER("stat", path), 2);
}
END_TEST

START_TEST(rm_recursive_of_a_missing_node_is_exit_2)
{
	ck_assert_int_eq(MUSTER("rm", "-r", "--yes", "/no/tree"), 2);
	ck_err_has("/no/tree");
}
END_TEST

/* ---- ls, tree, stat ------------------------------------------------------------------------ */

static void make_tree(const char *top)
{
	static const char *const below[] = { "b/x", "b!", "a", "b/x/deep" };
	char path[64];

	for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", top, below[i]);
		ck_assert_int_eq(MUSTER("create", "-p", path), 0);
	}
	snprintf(path, sizeof path, "%s/a", top);
	ck_assert_int_eq(MUSTER("set", path, "12345"), 0);
}

START_TEST(ls_prints_a_name_a_line_sorted)
{
	make_tree("/ls");
	ck_assert_int_eq(MUSTER("ls", "/ls"), 0);
	ck_out("a\nb\nb!\n");
	ck_assert_int_eq(MUSTER("ls", "/ls/a"), 0);
	ck_out("");
	ck_assert_int_eq(MUSTER("ls", "--json", "/ls"), 0);
	ck_out("[\"a\",\"b\",\"b!\"]\n");
	ck_assert_int_eq(MUSTER("ls", "--json", "/ls/a"), 0);
	ck_out("[]\n");
}
END_TEST

START_TEST(ls_without_a_path_lists_the_root)
{
	ONLY_NATIVE("the root is a node of its own there");
	ck_assert_int_eq(MUSTER("ls"), 0);
	ck_out_has("zookeeper\n");
}
END_TEST

START_TEST(ls_long_is_a_table)
{
	make_tree("/lsl");
	ck_assert_int_eq(MUSTER("ls", "-l", "/lsl"), 0);
	ck_assert_int_eq(strncmp(r.out, "NAME  VERSION  BYTES  CHILDREN  ", 32),
	                 0);
	ck_out_has("\na     1        5      0         2");
	ck_out_has("\nb     0        0      1         2");
	ck_assert_int_eq(MUSTER("ls", "-l", "--json", "/lsl"), 0);
	mu_json_free(printed());
	ck_out_has("[{\"name\":\"a\",");
	ck_out_has("\"data_length\":5");
}
END_TEST

static bool crowd_is_listed(void *unused)
{
	(void)unused;
	return MUSTER("ls", "/crowd") == 0;
}

/* The protocol cannot page; so it says what to do, and that works. */
START_TEST(ls_of_too_many_says_how_many_and_what_to_do)
{
	struct cluster small;
	char path[256];

	ONLY_NATIVE("a real ZooKeeper has no reply_max");
	cluster_open(&small);
	cluster_broker_conf(&small, false, "reply_max = 4096;\n");
	cluster_broker_start(&small);
	ck_assert_int_eq(MUSTER("create", "/crowd"), 0);
	for (int i = 0; i < 20; i++) {
		if (i == 19) /* as many as fit */
			ck_assert_int_eq(MUSTER("ls", "/crowd"), 0);
		snprintf(path, sizeof path, "/crowd/%0200d", i);
		ck_assert_int_eq(MUSTER("create", path), 0);
	}
	for (int i = 0; i < 3; i++) {
		static const char *const option[] = { "--", "--long",
			                              "--json" };

		ck_assert_int_eq(MUSTER("ls", option[i], "/crowd"), 1);
		ck_out("");
		ck_err_has("larger than the limit");
		ck_err_has("/crowd has 20 children");
		ck_err_has("reply_max in broker.conf");
	}
	ck_assert_int_eq(MUSTER("get", path), 0);
	ck_assert_int_eq(MUSTER("ls", "/no/crowd"), 2);
	ck_assert_str_eq(strstr(r.err, "reply_max") ? r.err : "", "");
	cluster_broker_conf(&small, false, "reply_max = 8192;\n");
	kill(small.broker.pid, SIGHUP);
	ck_assert(wait_for(crowd_is_listed, NULL, WAIT_MS));
	cluster_close(&small);
}
END_TEST

START_TEST(tree_draws_parents_before_their_children)
{
	make_tree("/draw");
	ck_assert_int_eq(MUSTER("tree", "/draw"), 0);
	ck_out("/draw\n"
	       "├── a  (5 bytes, version 1)\n"
	       "├── b\n"
	       "│   └── x\n"
	       "│       └── deep\n"
	       "└── b!\n");
}
END_TEST

START_TEST(tree_goes_no_deeper_than_asked)
{
	make_tree("/deep");
	ck_assert_int_eq(MUSTER("tree", "-d", "1", "/deep"), 0);
	ck_out("/deep\n├── a  (5 bytes, version 1)\n├── b\n└── b!\n");
	ck_assert_int_eq(MUSTER("tree", "-d", "0", "/deep"), 0);
	ck_out("/deep\n");
}
END_TEST

START_TEST(tree_json_is_a_list_of_nodes)
{
	make_tree("/treej");
	ck_assert_int_eq(MUSTER("tree", "-j", "/treej"), 0);
	mu_json_free(printed());
	ck_out_has("[{\"path\":\"/treej\",");
	ck_out_has("{\"path\":\"/treej/b/x/deep\",");
}
END_TEST

START_TEST(stat_prints_zookeepers_fields)
{
	static const char *const fields[] = {
		"cZxid ",
		"ctime ",
		"mZxid ",
		"mtime ",
		"pZxid ",
		"version ",
		"cversion ",
		"aclVersion ",
		"dataLength",
		"numChildren",
		"ephemeralOwner 0x0\n",
	};

	ck_assert_int_eq(MUSTER("create", "/stat", "abc"), 0);
	ck_assert_int_eq(MUSTER("stat", "/stat"), 0);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		ck_out_has(fields[i]);
	ck_out_has("dataLength     3\n");
	ck_assert_int_eq(MUSTER("stat", "--json", "/stat"), 0);
	ck_json_str("path", "/stat");
	ck_json_int("data_length", 3);
	ck_json_int("version", 0);
}
END_TEST

/* ---- members, status -------------------------------------------------------------------------- */

/* Records as agents write them; these tests run one after the other. */
static void make_members(void)
{
	ck_assert_int_eq(
		MUSTER("set", "-c", "/members/alpha",
	               "{\"id\":\"1f\",\"name\":\"alpha\",\"address\":"
	               "\"10.0.0.1\",\"port\":80,\"version\":\"0.1.0\","
	               "\"state\":\"up\",\"labels\":{\"role\":\"web\"}}"),
		0);
	ck_assert_int_eq(MUSTER("set", "-c", "/members/odd", "not json"), 0);
	ck_assert_int_eq(
		MUSTER("set", "-c", "/applied/page/alpha",
	               "{\"path\":\"/config/page\",\"zxid\":7,\"version\":3,"
	               "\"digest\":\"\",\"state\":\"rejected\",\"reason\":"
	               "\"nginx says \\u001b[31mno\"}"),
		0);
	ck_assert_int_eq(
		MUSTER("set", "-c", "/applied/page/gone",
	               "{\"path\":\"/config/page\",\"zxid\":7,\"version\":3,"
	               "\"state\":\"applied\",\"reason\":\"\"}"),
		0);
}

START_TEST(members_is_a_table_and_shows_unreadable_records_as_such)
{
	make_members();
	ck_assert_int_eq(MUSTER("members"), 0);
	ck_assert_int_eq(strncmp(r.out, "NAME   STATE       SINCE ", 25), 0);
	ck_out_has("\nalpha  up          2");
	ck_out_has("10.0.0.1:80");
	ck_out_has("{\"role\":\"web\"}");
	ck_out_has("\nodd    unreadable  2");
}
END_TEST

START_TEST(members_json_has_the_record)
{
	make_members();
	ck_assert_int_eq(MUSTER("members", "--json"), 0);
	mu_json_free(printed());
	ck_out_has("[{\"name\":\"alpha\",");
	ck_out_has("\"record\":{\"id\":\"1f\",");
	ck_out_has("{\"name\":\"odd\",");
}
END_TEST

START_TEST(status_shows_the_broker_and_what_each_host_applied)
{
	make_members();
	ck_assert_int_eq(MUSTER("status"), 0);
	if (cluster_backend() == CLUSTER_NATIVE)
		ck_out_has("broker    ipc://");
	else
		ck_out_has("broker    zookeeper://");
	ck_out_has(cluster_backend() == CLUSTER_ZOOKEEPER
	                   ? "speaks    ZooKeeper"
	                   : "speaks    Muster");
	ck_out_has("members   2");
	ck_out_has("INSTANCE  STATE ");
	ck_out_has("page      rejected         alpha  /config/page  -        3 "
	           "     gone ");
	ck_out_has("page      stale (applied)  gone ");
	/* What comes from nodes cannot command the terminal. */
	ck_out_has("nginx says ?[31mno");
	ck_has_not(r.out, "\033");
}
END_TEST

START_TEST(status_json_has_all_of_it)
{
	make_members();
	ck_assert_int_eq(MUSTER("status", "--json"), 0);
	ck_json_int("members", 2);
	ck_out_has("\"applied\":[{\"instance\":\"page\",\"host\":\"alpha\","
	           "\"stale\":false,\"node_version\":-2,\"report\":{");
	ck_out_has("\"host\":\"gone\",\"stale\":true");
}
END_TEST

START_TEST(status_shows_where_the_node_is_now)
{
	make_members();
	ck_assert_int_eq(MUSTER("status"), 0);
	ck_out_has("gone");
	ck_assert_int_eq(MUSTER("set", "-c", "/config/page", "x"), 0);
	ck_assert_int_eq(MUSTER("set", "/config/page", "y"), 0);
	ck_assert_int_eq(MUSTER("status", "page", "--json"), 1);
	ck_out_has("\"stale\":false,\"node_version\":1,\"report\":{");
	ck_assert_int_eq(MUSTER("rm", "-ry", "/config"), 0);
}
END_TEST

START_TEST(a_malformed_path_is_judged_before_the_broker_is_asked)
{
	ck_assert_int_eq(MUSTER("set", "-c", "/a/../b", "x"), 64);
	ck_err_has("..");
	ck_assert_int_eq(MUSTER("get", "/a//b"), 64);
}
END_TEST

START_TEST(status_of_one_instance_shows_no_other)
{
	make_members();
	ck_assert_int_eq(MUSTER("set", "-c", "/applied/other/alpha", "{}"), 0);
	ck_assert_int_eq(MUSTER("status", "page"), 1);
	ck_out_has("page      rejected");
	ck_has_not(r.out, "other");
	ck_assert_int_eq(MUSTER("status", "nosuch"), 2);
	ck_err_has("/applied/nosuch");
}
END_TEST

START_TEST(without_members_the_tables_are_empty)
{
	MUSTER("rm", "-r", "-y", "/members");
	MUSTER("rm", "-r", "-y", "/applied");
	ck_assert_int_eq(MUSTER("members"), 0);
	ck_out("");
	ck_err_has("none");
	ck_assert_int_eq(MUSTER("members", "--json"), 0);
	ck_out("[]\n");
	ck_assert_int_eq(MUSTER("status"), 0);
	ck_out_has("members   0");
	ck_has_not(r.out, "INSTANCE");
	ck_assert_int_eq(MUSTER("status", "--json"), 0);
	ck_out_has("\"applied\":[]");
}
END_TEST

/* ---- terminals and pipes -------------------------------------------------------------------------- */

START_TEST(colour_is_for_terminals_only)
{
	static const char *const lines[][3] = { { "tree", "/", NULL },
		                                { "ls", "-l", "/" },
		                                { "members" } };
	const char *const *args =
		ARGS(lines[_i][0], lines[_i][1], lines[_i][2]);

	make_members();
	ck_assert_int_eq(muster_on_terminal("", args), 0);
	ck_out_has("\033[");
	ck_assert_int_eq(muster_with(&(struct run){ 0 }, args), 0);
	ck_has_not(r.out, "\033");
}
END_TEST

START_TEST(no_color_and_a_dumb_terminal_turn_colour_off)
{
	const char *argv[] = { cluster_program("muster"), "tree", "/", NULL };
	struct run how = { .argv = argv, .pty = true };

	ck_assert_int_eq(MUSTER("set", "-c", "/plain", "v"), 0);
	setenv("TERM", "xterm", 1);
	setenv("NO_COLOR", "1", 1);
	run(&how);
	ck_assert_int_eq(how.exit, 0);
	ck_has(how.out, "plain");
	ck_has_not(how.out, "\033");
	run_free(&how);
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	run(&how);
	ck_assert_int_eq(how.exit, 0);
	ck_has_not(how.out, "\033");
	run_free(&how);
}
END_TEST

START_TEST(ls_on_a_terminal_stands_in_columns)
{
	ck_assert_int_eq(MUSTER("create", "-p", "/cols/aa"), 0);
	ck_assert_int_eq(MUSTER("create", "-p", "/cols/bb"), 0);
	ck_assert_int_eq(muster_on_terminal("", ARGS("ls", "/cols")), 0);
	ck_out_has("aa  bb");
}
END_TEST

START_TEST(get_on_a_terminal_ends_with_a_newline)
{
	ck_assert_int_eq(MUSTER("create", "/eol", "v"), 0);
	ck_assert_int_eq(muster_on_terminal("", ARGS("get", "/eol")), 0);
	ck_out("v\r\n");
	ck_assert_int_eq(MUSTER("set", "/eol", "v\n"), 0);
	ck_assert_int_eq(muster_on_terminal("", ARGS("get", "/eol")), 0);
	ck_out("v\r\n");
}
END_TEST

/* More is printed than a pipe holds: SIGPIPE ends it, and it says nothing. */
START_TEST(a_reader_that_goes_away_ends_it_quietly)
{
	const char *argv[] = { "sh", "-c",
		               "{ \"$0\" tree --json /pipe 2>&3; echo $? >&3; }"
		               " 3>&2 | head -c 1",
		               cluster_program("muster"), NULL };
	struct run sh = { .argv = argv };

	make_many("/pipe", 1500);
	run(&sh);
	ck_assert_int_eq(sh.exit, 0);
	ck_assert_str_eq(sh.out, "[");
	ck_assert_str_eq(sh.err, "141\n");
	run_free(&sh);
}
END_TEST

START_TEST(a_full_disk_is_told)
{
	static const char *const reads[] = { "get", "ls", "stat", "tree" };
	const char *argv[] = { "sh",
		               "-c",
		               "\"$0\" \"$1\" /full $2 > /dev/full",
		               cluster_program("muster"),
		               reads[_i / 2],
		               _i % 2 ? "--json" : "--timeout=5",
		               NULL };
	struct run sh = { .argv = argv };

	ck_assert_int_eq(MUSTER("create", "-p", "/full/child"), 0);
	ck_assert_int_eq(MUSTER("set", "/full", "v"), 0);
	run(&sh);
	ck_assert_int_eq(sh.exit, 1);
	ck_has(sh.err, "cannot write standard output");
	run_free(&sh);
}
END_TEST

/* ---- brokers -------------------------------------------------------------------------------------- */

START_TEST(no_broker_is_exit_4_within_the_timeout)
{
	/* Long enough to have tried it, however busy the machine is. */
	ck_assert_int_eq(MUSTER(_i ? "watch" : "get", "/", "-t", "3", "-b",
	                        "tcp://127.0.0.1:1"),
	                 4);
	ck_err_has("tcp://127.0.0.1:1");
	ck_err_has("is muster-broker running there?");
	ck_assert_str_eq(r.out, "");
	ck_assert_uint_ge(r.took_ms, 3000);
	ck_assert_uint_lt(r.took_ms, 20000);
}
END_TEST

START_TEST(a_socket_that_is_not_there_is_exit_4)
{
	ck_assert_int_eq(MUSTER("ls", "-t", "3", "-b", "ipc:///no/such.sock"),
	                 4);
	ck_err_has("ipc:///no/such.sock");
	ck_err_has("is muster-broker running there?");
}
END_TEST

START_TEST(a_url_that_is_none_is_a_usage_error)
{
	static const char *const bad[] = { "junk",      "http://h:1", "tcp://",
		                           "tcp://h:x", "tcp://h:0",  "," };

	ck_assert_msg(MUSTER("ls", "-b", bad[_i]) == 64, "%s: %d", bad[_i],
	              r.exit);
	ck_assert_str_ne(r.err, "");
}
END_TEST

START_TEST(the_option_goes_before_the_environment)
{
	ck_assert_int_eq(MUSTER("create", "/env", "v"), 0);
	ck_assert_int_eq(setenv("MUSTER_BROKER", "ipc:///no/such.sock", 1), 0);
	ck_assert_int_eq(MUSTER("get", "/env", "-t", "300ms"), 4);
	ck_assert_int_eq(MUSTER("get", "/env", "-b", cluster.url), 0);
	ck_out("v");
	ck_assert_int_eq(MUSTER("get", "/env", "-b", cluster.tcp), 0);
	ck_out("v");
}
END_TEST

START_TEST(the_next_broker_of_the_list_is_tried)
{
	char urls[2 * CLUSTER_PATH_MAX + 32];

	ck_assert_int_eq(MUSTER("create", "/list", "v"), 0);
	if (cluster_backend() == CLUSTER_NATIVE)
		snprintf(urls, sizeof urls, "ipc:///no/such.sock,%s",
		         cluster.url);
	else
		snprintf(urls, sizeof urls, "zookeeper://127.0.0.1:1,%s",
		         cluster.url);
	ck_assert_int_eq(MUSTER("get", "/list", "-b", urls), 0);
	ck_out("v");
}
END_TEST

START_TEST(a_chroot_hides_what_is_above_it)
{
	char url[2 * CLUSTER_PATH_MAX];

	ck_assert_int_eq(MUSTER("create", "-p", "/team/x/y"), 0);
	snprintf(url, sizeof url, "%s/team", cluster.tcp);
	ck_assert_int_eq(MUSTER("ls", "-b", url), 0);
	ck_out("x\n");
	ck_assert_int_eq(MUSTER("create", "-b", url, "/x/z", "v"), 0);
	ck_out("/x/z\n");
	ck_assert(cluster_node_is("/team/x/z", "v"));
	ck_assert_int_eq(MUSTER("tree", "-b", url), 0);
	ck_out("/\n└── x\n    ├── y\n    └── z  (1 byte, version 0)\n");
}
END_TEST

/* ---- all -------------------------------------------------------------------------------------------- */

static TCase *group(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_unchecked_fixture(t, cluster_backend_up, NULL);
	tcase_add_unchecked_fixture(t, broker_up, broker_down);
	tcase_set_timeout(t, 90);
	suite_add_tcase(s, t);
	return t;
}

static void add_usage(TCase *t)
{
	tcase_add_loop_test(t,
	                    help_of_a_command_tells_its_options_and_exit_codes,
	                    0, COMMANDS);
	tcase_add_test(t, help_names_every_command);
	tcase_add_test(t, an_unknown_command_is_a_usage_error_that_names_it);
	tcase_add_test(t, no_command_is_a_usage_error);
	tcase_add_loop_test(
		t, an_unknown_option_is_a_usage_error_for_every_command, 0,
		COMMANDS);
	tcase_add_test(t, an_option_without_its_value_is_a_usage_error);
	tcase_add_loop_test(
		t, too_many_arguments_are_a_usage_error_for_every_command, 0,
		COMMANDS);
	tcase_add_loop_test(t, a_missing_argument_is_a_usage_error, 0, 6);
	tcase_add_loop_test(t, numbers_of_options_are_checked, 0, 8);
	tcase_add_loop_test(t, times_of_options_are_checked, 0, BAD_TIMES);
	tcase_add_loop_test(t, times_of_options_take_each_unit, 0, 7);
	tcase_add_test(t, options_may_stand_before_and_after_the_command);
	tcase_add_test(t, version_needs_no_broker);
	tcase_add_loop_test(t, a_malformed_path_is_a_usage_error, 0, 7);
	tcase_add_loop_test(t, a_path_without_its_slash_is_told_what_was_meant,
	                    0, 7);
	tcase_add_test(t, a_slash_at_the_end_of_a_path_is_dropped);
	tcase_add_loop_test(t, a_node_that_is_not_there_is_exit_2, 0, 6);
}

static void add_values(TCase *t)
{
	tcase_add_test(t, get_prints_the_bytes_and_nothing_else);
	tcase_add_test(t, get_json_has_the_value_and_the_stat);
	tcase_add_test(t, null_and_empty_values_are_told_apart_in_json);
	tcase_add_test(t, binary_data_comes_back_as_it_went);
	tcase_add_test(t, a_value_is_read_from_standard_input);
	tcase_add_test(t, data_that_is_not_utf8_is_base64_in_json);
	tcase_add_loop_test(t, a_value_of_any_size_comes_back_as_it_went, 0, 6);
	tcase_add_loop_test(
		t, a_value_over_the_packet_limit_is_refused_and_changes_nothing,
		0, 3);
	tcase_add_test(t, a_file_that_cannot_be_read_is_told);
	tcase_add_test(t, a_value_and_a_file_at_once_are_a_usage_error);
	tcase_add_test(t, set_without_a_value_is_a_usage_error);
	tcase_add_test(t, set_prints_the_new_version);
	tcase_add_test(
		t, a_value_that_looks_like_an_option_stands_after_two_dashes);
	tcase_add_test(t, set_if_version_writes_over_that_version_only);
	tcase_add_test(t, set_create_makes_the_node_and_its_parents);
	tcase_add_test(t, create_prints_the_path);
	tcase_add_test(t, create_refuses_what_exists);
	tcase_add_test(t, create_parents_makes_them_and_bears_what_exists);
	tcase_add_test(t, create_sequential_prints_the_name_as_made);
	tcase_add_loop_test(
		t, create_ephemeral_holds_the_node_until_it_is_stopped, 0, 2);
}

static void add_rm(TCase *t)
{
	tcase_add_test(t, rm_deletes_a_node);
	tcase_add_test(t, rm_of_a_node_with_children_says_how);
	tcase_add_test(t, rm_if_version_deletes_that_version_only);
	tcase_add_test(t, rm_of_what_must_stay_is_a_usage_error);
	tcase_add_test(
		t, rm_recursive_without_a_terminal_shows_the_nodes_and_refuses);
	tcase_add_test(t, rm_recursive_shows_twenty_nodes_at_most);
	tcase_add_test(t, rm_recursive_asks_on_the_terminal);
	tcase_add_loop_test(t, rm_recursive_yes_deletes_a_tree_of_any_size, 0,
	                    5);
	tcase_add_test(t, rm_recursive_of_a_missing_node_is_exit_2);
}

static void add_lists(TCase *t)
{
	tcase_add_test(t, ls_prints_a_name_a_line_sorted);
	tcase_add_test(t, ls_without_a_path_lists_the_root);
	tcase_add_test(t, ls_long_is_a_table);
	tcase_add_test(t, ls_of_too_many_says_how_many_and_what_to_do);
	tcase_add_test(t, tree_draws_parents_before_their_children);
	tcase_add_test(t, tree_goes_no_deeper_than_asked);
	tcase_add_test(t, tree_json_is_a_list_of_nodes);
	tcase_add_test(t, stat_prints_zookeepers_fields);
	tcase_add_test(t,
	               members_is_a_table_and_shows_unreadable_records_as_such);
	tcase_add_test(t, members_json_has_the_record);
	tcase_add_test(t, status_shows_the_broker_and_what_each_host_applied);
	tcase_add_test(t, status_json_has_all_of_it);
	tcase_add_test(t, status_shows_where_the_node_is_now);
	tcase_add_test(t,
	               a_malformed_path_is_judged_before_the_broker_is_asked);
	tcase_add_test(t, status_of_one_instance_shows_no_other);
	tcase_add_test(t, without_members_the_tables_are_empty);
}

static void add_outside(TCase *t)
{
	tcase_add_loop_test(t, colour_is_for_terminals_only, 0, 3);
	tcase_add_test(t, no_color_and_a_dumb_terminal_turn_colour_off);
	tcase_add_test(t, ls_on_a_terminal_stands_in_columns);
	tcase_add_test(t, get_on_a_terminal_ends_with_a_newline);
	tcase_add_test(t, a_reader_that_goes_away_ends_it_quietly);
	tcase_add_loop_test(t, a_full_disk_is_told, 0, 8);
	tcase_add_loop_test(t, no_broker_is_exit_4_within_the_timeout, 0, 2);
	tcase_add_test(t, a_socket_that_is_not_there_is_exit_4);
	tcase_add_loop_test(t, a_url_that_is_none_is_a_usage_error, 0, 6);
	tcase_add_test(t, the_option_goes_before_the_environment);
	tcase_add_test(t, the_next_broker_of_the_list_is_tried);
	tcase_add_test(t, a_chroot_hides_what_is_above_it);
}

int main(void)
{
	Suite *s = suite_create("cli");
	SRunner *sr = srunner_create(s);
	int failed;

	add_usage(group(s, "the command line itself"));
	add_values(group(s, "get, set, create"));
	add_rm(group(s, "rm"));
	add_lists(group(s, "ls, tree, stat, members, status"));
	add_outside(group(s, "terminals, pipes, brokers"));
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
