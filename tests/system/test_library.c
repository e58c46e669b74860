/*
 * test_library.c - libmuster as an outsider gets it: the headers, the two
 * libraries and muster.pc as built, with the system's compilers.
 */
#include "last_run.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A library built with a sanitizer wants programs built likewise. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZE "-fsanitize=address,undefined "
#else
#define SANITIZE ""
#endif

#define C_FLAGS \
	SANITIZE "-std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra " \
		 "-Wpedantic -Werror "
#define CXX_FLAGS "-std=c++17 -Wall -Wextra -Wpedantic -Werror "
/* muster.pc names the installed places; here the built ones stand in. */
#define PKG_CONFIG \
	"PKG_CONFIG_PATH=\"$BUILD\" pkg-config " \
	"--define-variable=libdir=\"$BUILD\" " \
	"--define-variable=includedir=\"$SOURCE/include\" "

static struct cluster cluster;

/* A command line as a user would type it, with BUILD, SOURCE, LIBRARY (of these
 * tests) and DIR set; its exit code. */
static int shell(const char *line)
{
	const char *argv[] = { "sh", "-c", line, NULL };

	return run_next((struct run){ .argv = argv, .limit_ms = 60000 });
}

#define ck_shell(line) \
	ck_assert_msg(shell(line) == 0, "%s\nexit %d\n%s%s", line, r.exit, \
	              r.out, r.err)

static void up(void)
{
	cluster_open(&cluster);
	setenv("BUILD", MU_BUILD, 1);
	setenv("SOURCE", MU_SOURCE, 1);
	setenv("LIBRARY", MU_SOURCE "/tests/system/library", 1);
	setenv("DIR", cluster.dir, 1);
}

static void down(void)
{
	run_free(&r);
	cluster_close(&cluster);
}

/* ---- programs ----------------------------------------------------------------- */

static const char shared[] =
	"cc " C_FLAGS "-o \"$DIR/$0\" \"$LIBRARY/$0.c\" "
	"$(" PKG_CONFIG "--cflags --libs muster) -Wl,-rpath,\"$BUILD\"";
static const char archive[] =
	"cc " C_FLAGS "-o \"$DIR/$0\" \"$LIBRARY/$0.c\" "
	"$(" PKG_CONFIG "--cflags --libs --static muster | "
	"sed 's/-lmuster/-l:libmuster.a/')";

/* Build tests/system/library/<name>.c, run it against a broker. */
static int build_and_run(const char *build, const char *name)
{
	const char *cc[] = { "sh", "-c", build, name, NULL };
	char program[2 * CLUSTER_PATH_MAX];
	const char *argv[] = { program, cluster.url, NULL };

	run_next((struct run){ .argv = cc, .limit_ms = 60000 });
	ck_assert_msg(r.exit == 0, "%s: exit %d\n%s%s", name, r.exit, r.out,
	              r.err);
	cluster_broker_start(&cluster);
	snprintf(program, sizeof program, "%s/%s", cluster.dir, name);
	return run_next((struct run){ .argv = argv });
}

START_TEST(the_example_runs_with_the_shared_library)
{
	ck_assert_int_eq(build_and_run(shared, "loop"), 0);
	ck_assert_str_eq(r.out, "hello\n");
	ck_shell("ldd \"$DIR/loop\"");
	ck_assert_ptr_nonnull(strstr(r.out, "libmuster.so.0 => " MU_BUILD));
}
END_TEST

START_TEST(the_example_runs_with_the_static_library)
{
	ck_assert_int_eq(build_and_run(archive, "loop"), 0);
	ck_assert_str_eq(r.out, "hello\n");
	ck_shell("ldd \"$DIR/loop\"");
	ck_assert_ptr_null(strstr(r.out, "libmuster"));
}
END_TEST

/* The node was ephemeral: closed means gone. */
START_TEST(the_example_closes_its_session)
{
	struct run m = { 0 };

	ck_assert_int_eq(build_and_run(shared, "loop"), 0);
	ck_assert_int_eq(cluster_muster(&m, "stat", "/loop", NULL), 2);
	run_free(&m);
}
END_TEST

START_TEST(the_example_says_what_is_wrong)
{
	ck_assert_int_eq(build_and_run(shared, "loop"), 0);
	ck_assert_int_eq(shell("\"$DIR/loop\" nonsense"), 1);
	ck_assert_ptr_nonnull(strstr(r.err, "nonsense"));
	ck_assert_int_eq(shell("\"$DIR/loop\""), 1);
	ck_assert_ptr_nonnull(strstr(r.err, "tcp://HOST:PORT"));
}
END_TEST

START_TEST(a_program_may_use_the_names_of_the_inside)
{
	ck_assert_int_eq(build_and_run(_i ? archive : shared, "names"), 0);
	ck_assert_str_eq(r.out, "zookeeper\n");
}
END_TEST

/* ---- what the header shows -------------------------------------------------------- */

/* Without white space, so that indentation does not matter. */
static char *squeeze(char *text)
{
	char *out = text;

	for (const char *p = text; *p; p++)
		if (!isspace((unsigned char)*p))
			*out++ = *p;
	*out = '\0';
	return text;
}

START_TEST(the_example_is_the_one_in_the_header)
{
	char *header = file_read(MU_SOURCE "/include/muster/client.h", NULL);
	char *example =
		file_read(MU_SOURCE "/tests/system/library/loop.c", NULL);
	char *at, *rest, *end;
	unsigned lines = 0;

	ck_assert(header != NULL && example != NULL);
	squeeze(example);
	at = strstr(header, "struct mu_client *c;");
	ck_assert_ptr_nonnull(at);
	end = strstr(at, "\n *\n");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	for (char *line = strtok_r(at, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		line += strspn(line, " *");
		if (*line == '}')
			continue;
		ck_assert_msg(strstr(example, squeeze(line)) != NULL,
		              "not in loop.c: %s", line);
		lines++;
	}
	ck_assert_uint_ge(lines, 7);
	free(header);
	free(example);
}
END_TEST

static const char *const headers[] = { "types.h", "client.h", "plugin.h" };

START_TEST(each_header_stands_alone_in_c11)
{
	setenv("HEADER", headers[_i], 1);
	ck_shell("echo \"#include <muster/$HEADER>\" | "
	         "cc " C_FLAGS "-fsyntax-only -I\"$SOURCE/include\" -x c -");
}
END_TEST

START_TEST(each_header_stands_alone_in_cxx17)
{
	if (shell("command -v g++") != 0) {
		fprintf(stderr,
		        "\n*** SKIPPED: g++ is missing, nobody looks "
		        "whether muster/%s is C++17 ***\n\n",
		        headers[_i]);
		return;
	}
	setenv("HEADER", headers[_i], 1);
	ck_shell("echo \"#include <muster/$HEADER>\" | "
	         "g++ " CXX_FLAGS
	         "-fsyntax-only -I\"$SOURCE/include\" -x c++ -");
}
END_TEST

START_TEST(a_cxx_program_links)
{
	char source[CLUSTER_PATH_MAX + 16];

	if (shell("command -v g++") != 0) {
		fprintf(stderr, "\n*** SKIPPED: g++ is missing, nobody looks "
		                "whether C++ programs link ***\n\n");
		return;
	}
	snprintf(source, sizeof source, "%s/v.cc", cluster.dir);
	file_write_text(source,
	                "#include <muster/client.h>\n#include <cstdio>\n"
	                "int main() { std::puts(mu_client_version()); }\n");
	ck_shell("g++ " SANITIZE CXX_FLAGS "-o \"$DIR/v\" \"$DIR/v.cc\" "
	         "$(" PKG_CONFIG "--cflags --libs muster) "
	         "-Wl,-rpath,\"$BUILD\" && \"$DIR/v\"");
	ck_assert_int_eq(strncmp(r.out, "0.", 2), 0);
}
END_TEST

/* ---- what the libraries show --------------------------------------------------------- */

/* nm's third column; versions and the version's own name taken off. */
#define NAMES \
	"| awk 'NF == 3 && $2 != \"A\" { sub(/@.*/, \"\", $3); print $3 }' "
#define SHARED_NAMES "nm -D --defined-only \"$BUILD/libmuster.so\" " NAMES
#define ARCHIVE_NAMES "nm -g --defined-only \"$BUILD/libmuster.a\" " NAMES
/* What client.h declares. */
#define DECLARED_NAMES \
	"tr '\\n' ' ' < \"$SOURCE/include/muster/client.h\" | " \
	"grep -oE 'MU_EXPORT [^(]*\\(' | grep -oE '[a-z_0-9]+\\($' | tr -d " \
	"'('"

/* Only what outsiders may call. */
static void ck_only_public_names(void)
{
	unsigned names = 0;
	char *rest;

	for (char *name = strtok_r(r.out, "\n", &rest); name;
	     name = strtok_r(NULL, "\n", &rest)) {
		ck_assert_msg(strncmp(name, "mu_client_", 10) == 0 ||
		                      strcmp(name, "mu_value_free") == 0 ||
		                      strcmp(name, "mu_names_free") == 0,
		              "%s is visible outside", name);
		names++;
	}
	ck_assert_uint_ge(names, 30);
}

START_TEST(the_shared_library_exports_its_calls_only)
{
	ck_shell(SHARED_NAMES);
	ck_only_public_names();
}
END_TEST

START_TEST(the_static_library_shows_its_calls_only)
{
	ck_shell(ARCHIVE_NAMES);
	ck_only_public_names();
}
END_TEST

START_TEST(all_that_the_header_declares_is_in_the_library)
{
	ck_shell(SHARED_NAMES "| sort > \"$DIR/shared\"");
	ck_shell(ARCHIVE_NAMES "| sort > \"$DIR/archive\"");
	ck_shell(DECLARED_NAMES " | sort > \"$DIR/declared\"");
	ck_shell("diff \"$DIR/declared\" \"$DIR/shared\"");
	ck_shell("diff \"$DIR/declared\" \"$DIR/archive\"");
	ck_shell("test $(wc -l < \"$DIR/declared\") -ge 30");
}
END_TEST

START_TEST(every_export_carries_the_version)
{
	ck_shell("nm -D --defined-only \"$BUILD/libmuster.so\" | "
	         "awk '$2 == \"T\" && $3 !~ /@@MUSTER_[01]$/'");
	ck_assert_str_eq(r.out, "");
}
END_TEST

START_TEST(the_shared_library_needs_libzmq_and_libc_only)
{
	ck_shell("readelf -d \"$BUILD/libmuster.so\" | grep NEEDED | "
	         "grep -vE 'libzmq|libc\\.so|ld-linux|lib[a-z]*san\\.' || :");
	ck_assert_str_eq(r.out, "");
	ck_shell("readelf -d \"$BUILD/libmuster.so\" | grep SONAME");
	ck_assert_ptr_nonnull(strstr(r.out, "[libmuster.so.0]"));
}
END_TEST

/* ---- all ------------------------------------------------------------------------------ */

int main(void)
{
	Suite *s = suite_create("library");
	TCase *t = tcase_create("library");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, up, down);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, the_example_runs_with_the_shared_library);
	tcase_add_test(t, the_example_runs_with_the_static_library);
	tcase_add_test(t, the_example_closes_its_session);
	tcase_add_test(t, the_example_says_what_is_wrong);
	tcase_add_loop_test(t, a_program_may_use_the_names_of_the_inside, 0, 2);
	tcase_add_test(t, the_example_is_the_one_in_the_header);
	tcase_add_loop_test(t, each_header_stands_alone_in_c11, 0, 3);
	tcase_add_loop_test(t, each_header_stands_alone_in_cxx17, 0, 3);
	tcase_add_test(t, a_cxx_program_links);
	tcase_add_test(t, the_shared_library_exports_its_calls_only);
	tcase_add_test(t, the_static_library_shows_its_calls_only);
	tcase_add_test(t, all_that_the_header_declares_is_in_the_library);
	tcase_add_test(t, every_export_carries_the_version);
	tcase_add_test(t, the_shared_library_needs_libzmq_and_libc_only);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
