/* Configuration files: rows in, a checked struct or a precise sentence out. */
#include "conffile.h"

#include "chan.h"
#include "files.h"
#include "mem.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault_mem.c"
#include "program.h"

struct sample {
	int64_t port, bytes, free;
	bool keep;
	char *name, *path, *none;
	struct mu_conf_list brokers, labels;
};

#define AT(field) offsetof(struct sample, field)

static const struct mu_conf_row rows[] = {
	{ "port", MU_CONF_INT, AT(port), "7400", 1, 65535, "", "Where to.",
	  false },
	{ "max_bytes", MU_CONF_INT, AT(bytes), "8388608", 0, INT64_MAX, "bytes",
	  "How much.", true },
	{ "free", MU_CONF_INT, AT(free), NULL, 0, 0, "ms", "Anything.", false },
	{ "keep", MU_CONF_BOOL, AT(keep), "true", 0, 0, "", "Keep it.", true },
	{ "name", MU_CONF_STR, AT(name), "\"a b\"", 1, 5, "", "Who.", false },
	{ "path", MU_CONF_STR, AT(path), "/run/x", 0, 0, "", "Where.", false },
	{ "none", MU_CONF_STR, AT(none), NULL, 0, 0, "", "Nothing.", false },
	{ "brokers", MU_CONF_LIST, AT(brokers), "[ \"x\", \"y\" ]", 1, 3, "",
	  "Whom.", false },
	{ "labels", MU_CONF_LIST, AT(labels), NULL, 0, 0, "", "How.", false },
	{ "plugins", MU_CONF_GROUP, 0, NULL, 0, 0, "", "What.", false },
	{ NULL, MU_CONF_INT, 0, NULL, 0, 0, NULL, NULL, false },
};

static struct mu_conf *conf;
static struct sample got;
static struct mu_err err;

static void setup(void)
{
	conf = NULL;
	memset(&err, 0, sizeof err);
	memset(&got, 0xee, sizeof got);
}

static void teardown(void)
{
	mu_conf_close(conf);
}

static void parse(const char *text)
{
	mu_conf_close(conf);
	conf = NULL;
	ck_assert_msg(mu_conf_parse("t.conf", text, &conf, &err) == 0, "%s",
	              err.msg);
}

static void fill(const char *text)
{
	parse(text);
	ck_assert_msg(mu_conf_fill(mu_conf_root(conf), rows, &got, &err) == 0,
	              "%s", err.msg);
}

static void assert_not_parsed(const char *text, const char *sentence)
{
	ck_assert_int_eq(mu_conf_parse("t.conf", text, &conf, &err),
	                 MU_ECONFIG);
	ck_assert_int_eq(err.code, MU_ECONFIG);
	ck_assert_str_eq(err.msg, sentence);
	ck_assert_ptr_null(conf);
}

static void assert_refused(const char *text, const char *sentence)
{
	parse(text);
	ck_assert_int_eq(mu_conf_fill(mu_conf_root(conf), rows, &got, &err),
	                 MU_ECONFIG);
	ck_assert_int_eq(err.code, MU_ECONFIG);
	ck_assert_str_eq(err.msg, sentence);
	ck_assert(!got.name && !got.path && !got.brokers.item);
	ck_assert(!got.port && !got.keep && !got.brokers.count);
}

/* ---- fill ------------------------------------------------------------------- */

START_TEST(without_a_file_all_is_default)
{
	ck_assert_int_eq(mu_conf_fill(NULL, rows, &got, &err), 0);
	ck_assert_int_eq(got.port, 7400);
	ck_assert_int_eq(got.bytes, 8388608);
	ck_assert_int_eq(got.free, 0);
	ck_assert(got.keep);
	ck_assert_str_eq(got.name, "a b");
	ck_assert_str_eq(got.path, "/run/x");
	ck_assert_ptr_null(got.none);
	ck_assert_uint_eq(got.brokers.count, 2);
	ck_assert_str_eq(got.brokers.item[1], "y");
	ck_assert_uint_eq(got.labels.count, 0);
	mu_conf_wipe(rows, &got);
	ck_assert(!got.name && !got.brokers.item && !got.port);
}
END_TEST

START_TEST(what_stands_in_the_file_wins)
{
	fill("port = 1; max_bytes = 5000000000L; free = -7; keep = false;\n"
	     "name = \"z\"; none = \"\"; brokers = (\"p\", \"q\", \"r\");\n"
	     "labels = \"one\"; plugins = ({ a = 1; });");
	ck_assert_int_eq(got.port, 1);
	ck_assert_int_eq(got.bytes, 5000000000);
	ck_assert(!got.keep);
	ck_assert_str_eq(got.name, "z");
	ck_assert_str_eq(got.none, "");
	ck_assert_uint_eq(got.brokers.count, 3);
	ck_assert_str_eq(got.brokers.item[2], "r");
	ck_assert_uint_eq(got.labels.count, 1);
	ck_assert_str_eq(got.labels.item[0], "one");
	mu_conf_wipe(rows, &got);
}
END_TEST

START_TEST(limits_hold_at_the_value_and_one_past_it)
{
	fill("port = 65535; name = \"12345\"; labels = [];");
	mu_conf_wipe(rows, &got);
	assert_refused("\nport = 65536;",
	               "t.conf:2: port: 65536 is out of range (allowed: 1 to "
	               "65535)");
	assert_refused("port = 0;", "t.conf:1: port: 0 is out of range "
	                            "(allowed: 1 to 65535)");
	assert_refused("max_bytes = -1;",
	               "t.conf:1: max_bytes: -1 is out of range (allowed: 0 or "
	               "more bytes)");
	assert_refused("name = \"123456\";",
	               "t.conf:1: name: has 6 bytes (allowed: a text in "
	               "quotes, 1 to 5 bytes)");
	assert_refused("name = \"\";",
	               "t.conf:1: name: has 0 bytes (allowed: a text in "
	               "quotes, 1 to 5 bytes)");
	assert_refused("brokers = [];",
	               "t.conf:1: brokers: has 0 entries (allowed: a text or a "
	               "list of texts, 1 to 3 entries)");
	assert_refused("brokers = [\"a\",\"b\",\"c\",\"d\"];",
	               "t.conf:1: brokers: has 4 entries (allowed: a text or a "
	               "list of texts, 1 to 3 entries)");
}
END_TEST

START_TEST(a_wrong_type_is_told_with_file_line_and_key)
{
	assert_refused("port = \"7400\";",
	               "t.conf:1: port: must be a whole number (allowed: 1 to "
	               "65535)");
	assert_refused("port = 7.5;",
	               "t.conf:1: port: must be a whole number (allowed: 1 to "
	               "65535)");
	assert_refused("keep = 1;", "t.conf:1: keep: must be true or false "
	                            "(allowed: true or false)");
	assert_refused("path = 1;", "t.conf:1: path: must be a text in quotes "
	                            "(allowed: a text in quotes)");
	assert_refused("labels = [1];",
	               "t.conf:1: labels: must be a list of texts (allowed: a "
	               "text or a list of texts)");
	assert_refused("labels = { a = 1; };",
	               "t.conf:1: labels: must be a list of texts (allowed: a "
	               "text or a list of texts)");
	assert_refused("plugins = 1;",
	               "t.conf:1: plugins: must be a group or a list (allowed: "
	               "a group or a list)");
}
END_TEST

START_TEST(an_unknown_key_comes_with_what_was_meant)
{
	assert_refused("keep = true;\nbrokrs = \"x\";",
	               "t.conf:2: brokrs: unknown key (did you mean brokers?)");
	assert_refused("prot = 1;",
	               "t.conf:1: prot: unknown key (did you mean port?)");
	assert_refused("prefix = 1;", "t.conf:1: prefix: unknown key");
	assert_refused("x = 1;", "t.conf:1: x: unknown key");
}
END_TEST

START_TEST(an_error_after_good_keys_leaves_nothing)
{
	assert_refused("name = \"abc\"; labels = [\"a\", \"b\"];\n"
	               "plugins = 5;",
	               "t.conf:2: plugins: must be a group or a list (allowed: "
	               "a group or a list)");
}
END_TEST

START_TEST(only_a_group_can_be_filled_from)
{
	parse("plugins = ( 5 );");
	ck_assert_int_eq(
		mu_conf_fill(mu_conf_sub(mu_conf_root(conf), "plugins"), rows,
	                     &got, &err),
		MU_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "t.conf:1: must be a group"));
}
END_TEST

START_TEST(a_default_that_breaks_its_row_is_a_bug)
{
	const struct mu_conf_row bad[] = {
		{ "port", MU_CONF_INT, AT(port), "0", 1, 2, "", "", false },
		{ NULL, MU_CONF_INT, 0, NULL, 0, 0, NULL, NULL, false },
	};

	fclose(stderr);
	mu_conf_fill(NULL, bad, &got, &err);
}
END_TEST

START_TEST(without_memory_it_fails_whole_until_there_is_some)
{
	unsigned k = 0;
	int rc;

	parse("name = \"z\"; brokers = [\"a\", \"b\"]; labels = \"l\";");
	do {
		fault_alloc_at(k++);
		rc = mu_conf_fill(mu_conf_root(conf), rows, &got, &err);
		if (!fault_alloc_off())
			break;
		ck_assert_int_eq(rc, MU_ENOMEM);
		ck_assert(!got.name && !got.brokers.item && !got.labels.item);
	} while (1);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(k, 8);
	mu_conf_wipe(rows, &got);
}
END_TEST

START_TEST(without_memory_nothing_is_parsed)
{
	unsigned k = 0;
	int rc;

	do {
		conf = NULL;
		fault_alloc_at(k++);
		rc = mu_conf_parse("d/t.conf", "a = 1;", &conf, &err);
		ck_assert_int_eq(rc, fault_alloc_off() ? MU_ENOMEM : 0);
	} while (rc);
	ck_assert_uint_eq(k, 5);
}
END_TEST

/* ---- parse ------------------------------------------------------------------ */

START_TEST(a_syntax_error_has_file_and_line)
{
	assert_not_parsed("a = 1;\nb = ;\n", "t.conf:2: syntax error");
	assert_not_parsed("a = 1;\na = 2;", "t.conf:2: duplicate setting name");
}
END_TEST

/* libconfig itself would read 0, or -1, and say nothing. */
START_TEST(a_number_that_would_be_cut_is_refused)
{
	parse("a = 2147483647; b = -2147483648; c = 0x7fffffff;\n"
	      "d = 9223372036854775807L; e = 4294967296L; f = 1e30;\n"
	      "g = 99999999999.5; h = 0xffffffffL; i = [ 1, 2 ];");
	mu_conf_close(conf);
	conf = NULL;
	assert_not_parsed("\na = 2147483648;",
	                  "t.conf:2: 2147483648 needs an L at its end: "
	                  "2147483648L");
	assert_not_parsed("a = -2147483649;",
	                  "t.conf:1: -2147483649 needs an L at its end: "
	                  "-2147483649L");
	assert_not_parsed("a = 0xffffffff;",
	                  "t.conf:1: 0xffffffff needs an L at its end: "
	                  "0xffffffffL");
	assert_not_parsed("a = [ 1, 4294967296 ];",
	                  "t.conf:1: 4294967296 needs an L at its end: "
	                  "4294967296L");
	assert_not_parsed("a = 9223372036854775808L;",
	                  "t.conf:1: 9223372036854775808L is too large a "
	                  "number (allowed: up to 9223372036854775807L)");
	assert_not_parsed("a = 0x10000000000000000L;",
	                  "t.conf:1: 0x10000000000000000L is too large a "
	                  "number (allowed: up to 9223372036854775807L)");
}
END_TEST

START_TEST(large_numbers_in_texts_comments_and_names_are_no_numbers)
{
	parse("# 99999999999\n// 99999999999\n/* 99999999999\n */\n"
	      "a99999999999 = \"99999999999 \\\" 99999999999\";\n"
	      "b-99999999999 = 1; c = \"#\"; d = \"/*\"; # at the end");
	ck_assert_uint_eq(mu_conf_count(mu_conf_root(conf)), 4);
	mu_conf_close(conf);
	conf = NULL;
	assert_not_parsed("/*\n\n*/ a = \"\n\"; # x\n b = 99999999999;",
	                  "t.conf:5: 99999999999 needs an L at its end: "
	                  "99999999999L");
}
END_TEST

START_TEST(nesting_and_keys_have_limits)
{
	char text[700] = "", key[300];

	for (int i = 0; i < 15; i++)
		strcat(text, "a:{");
	for (int i = 0; i < 15; i++)
		strcat(text, "};");
	parse(text);
	mu_conf_close(conf);
	conf = NULL;
	memmove(text + 3, text, strlen(text) + 1);
	memcpy(text, "a:{", 3);
	strcat(text, "};");
	assert_not_parsed(text, "t.conf:0: nested deeper than 16, or a key "
	                        "longer than 255 bytes");
	memset(key, 'k', sizeof key);
	snprintf(text, sizeof text, "%.254s = 1;", key);
	parse(text);
	mu_conf_close(conf);
	conf = NULL;
	snprintf(text, sizeof text, "%.256s = 1;", key);
	assert_not_parsed(text, "t.conf:0: nested deeper than 16, or a key "
	                        "longer than 255 bytes");
}
END_TEST

/* ---- files ------------------------------------------------------------------ */

static char dir[64];

static void file_setup(void)
{
	setup();
	dir_make(dir, sizeof dir);
}

static void file_teardown(void)
{
	teardown();
	dir_remove(dir);
}

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const char *text, size_t len)
{
	ck_assert_int_eq(mu_file_replace(in_dir(name), text, len, 0600, &err),
	                 0);
}

/* An included file is named as it stands in the file that includes it. */
static void assert_not_opened(int code, const char *fmt, const char *name)
{
	char want[512];

	snprintf(want, sizeof want, fmt, name[0] == 'a' ? in_dir(name) : name,
	         dir);
	ck_assert_int_eq(mu_conf_open(in_dir("a.conf"), &conf, &err), code);
	ck_assert_str_eq(err.msg, want);
	ck_assert_ptr_null(conf);
}

START_TEST(a_file_is_read)
{
	put("a.conf", "x = 1;\n", 7);
	ck_assert_int_eq(mu_conf_open(in_dir("a.conf"), &conf, &err), 0);
	ck_assert_uint_eq(mu_conf_count(mu_conf_root(conf)), 1);
	ck_assert_str_eq(mu_conf_file(mu_conf_root(conf)), in_dir("a.conf"));
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
	assert_not_opened(MU_EIO, "there is no file %s", "a.conf");
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
	put("a.conf", "x = 1;\n\0y = 1;\n", 15);
	assert_not_opened(MU_ECONFIG, "%s:2: there is a NUL byte", "a.conf");
}
END_TEST

START_TEST(a_file_over_1_mib_is_refused)
{
	size_t max = MU_CONF_FILE_MAX;
	char *big = malloc(max + 1);

	ck_assert_ptr_nonnull(big);
	memset(big, ' ', max + 1);
	memcpy(big, "x = 1;", 6);
	put("a.conf", big, max);
	ck_assert_int_eq(mu_conf_open(in_dir("a.conf"), &conf, &err), 0);
	mu_conf_close(conf);
	conf = NULL;
	put("a.conf", big, max + 1);
	assert_not_opened(MU_ECONFIG, "%s:1: larger than 1048576 bytes",
	                  "a.conf");
	put("b.conf", big, max + 1);
	put("a.conf", "@include \"b.conf\"\n", 18);
	assert_not_opened(MU_ECONFIG, "%s:1: larger than 1048576 bytes",
	                  "b.conf");
	free(big);
}
END_TEST

START_TEST(an_included_file_stands_beside_the_one_that_includes_it)
{
	const struct mu_conf_node *n;

	put("a.conf", "@include \"b.conf\"\nx = 1;\n", 25);
	put("b.conf", "\ny = ( 2 );\n", 12);
	ck_assert_msg(mu_conf_open(in_dir("a.conf"), &conf, &err) == 0, "%s",
	              err.msg);
	n = mu_conf_sub(mu_conf_root(conf), "y");
	ck_assert_ptr_nonnull(n);
	ck_assert_str_eq(mu_conf_file(n), "b.conf");
	ck_assert_int_eq(mu_conf_line(n), 2);
}
END_TEST

START_TEST(errors_name_the_included_file)
{
	put("a.conf", "@include \"b.conf\"\n", 18);
	assert_not_opened(MU_ECONFIG,
	                  "%s:1: cannot open include file (its name is taken "
	                  "relative to %s/)",
	                  "a.conf");
	put("b.conf", "\n\ny = ;", 7);
	assert_not_opened(MU_ECONFIG, "%s:3: syntax error", "b.conf");
	put("b.conf", "\ny = 4294967296;", 16);
	assert_not_opened(MU_ECONFIG,
	                  "%s:2: 4294967296 needs an L at its end: 4294967296L",
	                  "b.conf");
	put("b.conf", "\nnam = 1;\n", 10);
	ck_assert_int_eq(mu_conf_open(in_dir("a.conf"), &conf, &err), 0);
	ck_assert_int_eq(mu_conf_fill(mu_conf_root(conf), rows, &got, &err),
	                 MU_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "b.conf:2: nam: unknown key"));
}
END_TEST

/* ---- looking and walking ---------------------------------------------------- */

START_TEST(groups_and_lists_are_found_by_key_and_place)
{
	const struct mu_conf_node *root, *list;

	parse("a = 1;\nlist = ( { x = 1; },\n { x = 2; } );\nempty = ();");
	root = mu_conf_root(conf);
	list = mu_conf_sub(root, "list");
	ck_assert_ptr_nonnull(list);
	ck_assert_uint_eq(mu_conf_count(list), 2);
	ck_assert_int_eq(mu_conf_line(list), 2);
	ck_assert_ptr_nonnull(mu_conf_at(list, 1));
	ck_assert_ptr_null(mu_conf_at(list, 2));
	ck_assert_uint_eq(mu_conf_count(mu_conf_sub(root, "empty")), 0);
	ck_assert_ptr_null(mu_conf_sub(root, "a"));
	ck_assert_ptr_null(mu_conf_sub(root, "none"));
	ck_assert_ptr_null(mu_conf_sub(list, "x"));
	ck_assert_ptr_null(mu_conf_sub(NULL, "x"));
	ck_assert_uint_eq(mu_conf_count(NULL), 0);
	ck_assert_str_eq(mu_conf_file(list), "t.conf");
}
END_TEST

static char told[1024];

static int tell(void *arg, const char *key, int type, const char *text,
                int64_t number)
{
	size_t len = strlen(told);

	snprintf(told + len, sizeof told - len, "%s %d %s %lld\n", key, type,
	         text ? text : "-", (long long)number);
	return arg && --*(int *)arg == 0 ? -77 : 0;
}

START_TEST(a_walk_tells_every_scalar_flat_and_the_count_of_each_list)
{
	char want[1024];

	parse("s = \"text\"; i = 5; l = 5000000000L; b = true; f = 0.5;\n"
	      "g : { h : { x = 1; }; e : { }; };\n"
	      "events = [ \"a\", \"b\" ]; none = ();\n"
	      "deep = ( { y = 2; }, ( 3 ) );");
	told[0] = '\0';
	ck_assert_int_eq(mu_conf_walk(mu_conf_root(conf), tell, NULL), 0);
	snprintf(want, sizeof want,
	         "s %d text 0\ni %d - 5\nl %d - 5000000000\nb %d - 1\n"
	         "f %d 0.5 0\ng.h.x %d - 1\nevents %d - 2\nevents[0] %d a 0\n"
	         "events[1] %d b 0\nnone %d - 0\ndeep %d - 2\n"
	         "deep[0].y %d - 2\ndeep[1] %d - 1\ndeep[1][0] %d - 3\n",
	         MU_SETTING_STR, MU_SETTING_INT, MU_SETTING_INT,
	         MU_SETTING_BOOL, MU_SETTING_FLOAT, MU_SETTING_INT,
	         MU_SETTING_COUNT, MU_SETTING_STR, MU_SETTING_STR,
	         MU_SETTING_COUNT, MU_SETTING_COUNT, MU_SETTING_INT,
	         MU_SETTING_COUNT, MU_SETTING_INT);
	ck_assert_str_eq(told, want);
}
END_TEST

START_TEST(a_walk_ends_when_it_is_told_to)
{
	int left = 2;

	parse("a = 1; g : { b = 2; c = 3; };");
	told[0] = '\0';
	ck_assert_int_eq(mu_conf_walk(mu_conf_root(conf), tell, &left), -77);
	ck_assert_str_eq(told, "a 1 - 1\ng.b 1 - 2\n");
	ck_assert_int_eq(mu_conf_walk(NULL, tell, NULL), 0);
}
END_TEST

/* ---- help ------------------------------------------------------------------- */

static char *help(void)
{
	static char text[8192];
	FILE *f = tmpfile();
	size_t n;

	ck_assert_ptr_nonnull(f);
	mu_conf_help(rows, fileno(f));
	rewind(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

START_TEST(the_sample_file_says_what_a_key_takes)
{
	const char *text = help();

	ck_assert_ptr_nonnull(strstr(
		text, "# Where to.\n# Allowed: 1 to 65535. Default: 7400.\n"
		      "# port = 7400;\n"));
	ck_assert_ptr_nonnull(strstr(
		text, "\n\n# How much.\n# Allowed: 0 or more bytes. Default: "
		      "8388608. SIGHUP may change it.\n"
		      "# max_bytes = 8388608;\n"));
	ck_assert_ptr_nonnull(strstr(text, "# path = \"/run/x\";\n"));
	ck_assert_ptr_nonnull(strstr(text, "# Allowed: any number of ms.\n"));
}
END_TEST

START_TEST(the_sample_file_is_valid_and_means_the_defaults)
{
	char *text = help(), *line;
	struct sample want;

	/* Take the comment off the lines "# key = value;". */
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "# ", 2) == 0 && strstr(line, " = ") &&
		    strstr(line, " = ") < strchr(line, '\n'))
			line[0] = ' ';
	}
	fill(text);
	ck_assert_int_eq(mu_conf_fill(NULL, rows, &want, &err), 0);
	ck_assert_int_eq(got.port, want.port);
	ck_assert_int_eq(got.bytes, want.bytes);
	ck_assert_int_eq(got.keep, want.keep);
	ck_assert_str_eq(got.name, want.name);
	ck_assert_str_eq(got.path, want.path);
	ck_assert_uint_eq(got.brokers.count, want.brokers.count);
	mu_conf_wipe(rows, &got);
	mu_conf_wipe(rows, &want);
}
END_TEST

static TCase *text_tests(void)
{
	TCase *t = tcase_create("text");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, without_a_file_all_is_default);
	tcase_add_test(t, what_stands_in_the_file_wins);
	tcase_add_test(t, limits_hold_at_the_value_and_one_past_it);
	tcase_add_test(t, a_wrong_type_is_told_with_file_line_and_key);
	tcase_add_test(t, an_unknown_key_comes_with_what_was_meant);
	tcase_add_test(t, an_error_after_good_keys_leaves_nothing);
	tcase_add_test(t, only_a_group_can_be_filled_from);
	tcase_add_test_raise_signal(t, a_default_that_breaks_its_row_is_a_bug,
	                            SIGABRT);
	tcase_add_test(t, without_memory_it_fails_whole_until_there_is_some);
	tcase_add_test(t, without_memory_nothing_is_parsed);
	tcase_add_test(t, a_syntax_error_has_file_and_line);
	tcase_add_test(t, a_number_that_would_be_cut_is_refused);
	tcase_add_test(
		t, large_numbers_in_texts_comments_and_names_are_no_numbers);
	tcase_add_test(t, nesting_and_keys_have_limits);
	tcase_add_test(t, groups_and_lists_are_found_by_key_and_place);
	tcase_add_test(
		t, a_walk_tells_every_scalar_flat_and_the_count_of_each_list);
	tcase_add_test(t, a_walk_ends_when_it_is_told_to);
	tcase_add_test(t, the_sample_file_says_what_a_key_takes);
	tcase_add_test(t, the_sample_file_is_valid_and_means_the_defaults);
	return t;
}

static TCase *file_tests(void)
{
	TCase *t = tcase_create("files");

	tcase_add_checked_fixture(t, file_setup, file_teardown);
	tcase_add_test(t, a_file_is_read);
	tcase_add_test(t, a_file_that_is_not_there_is_named);
	tcase_add_test(t, a_nul_byte_is_refused);
	tcase_add_test(t, a_file_over_1_mib_is_refused);
	tcase_add_test(t,
	               an_included_file_stands_beside_the_one_that_includes_it);
	tcase_add_test(t, errors_name_the_included_file);
	return t;
}

int main(void)
{
	Suite *s = suite_create("conffile");
	SRunner *r;
	int failed;

	suite_add_tcase(s, text_tests());
	suite_add_tcase(s, file_tests());
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
