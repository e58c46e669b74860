/* One line for each thing worth saying, and no outsider can forge one. */
#include "log.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int in[2]; /* what is written to stderr comes out of in[0] */

static void setup(void)
{
	ck_assert_int_eq(pipe2(in, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(dup2(in[1], STDERR_FILENO), STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	mu_log_open("", MU_DEBUG);
}

/* All that was written since the last call. */
static const char *written(void)
{
	static char text[1 << 17];
	ssize_t n = read(in[0], text, sizeof text - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* What follows ts= and its value, which must look like a time. */
static const char *after_time(const char *line)
{
	const char *shape = "ts=dddd-dd-ddTdd:dd:dd.dddZ ";

	for (size_t i = 0; shape[i]; i++)
		if (shape[i] == 'd' && i > 2)
			ck_assert_msg(line[i] >= '0' && line[i] <= '9', "%s",
			              line);
		else
			ck_assert_msg(line[i] == shape[i], "%s", line);
	return line + strlen(shape);
}

static void assert_value(const char *value, const char *shown)
{
	char want[512];

	mu_log(MU_INFO, KS("v", value));
	snprintf(want, sizeof want, "level=info v=%s\n", shown);
	ck_assert_str_eq(after_time(written()), want);
}

START_TEST(a_line_has_time_level_and_pairs)
{
	mu_log(MU_WARN, MSG("listening"), KS("url", "tcp://127.0.0.1:7400"),
	       KI("port", 7400), KI("less", -3));
	ck_assert_str_eq(after_time(written()),
	                 "level=warn msg=listening url=tcp://127.0.0.1:7400 "
	                 "port=7400 less=-3\n");
}
END_TEST

START_TEST(the_program_is_named_in_each_line)
{
	mu_log_open("muster-broker", MU_INFO);
	mu_log(MU_INFO, MSG("a"));
	ck_assert_str_eq(after_time(written()),
	                 "level=info prog=muster-broker msg=a\n");
}
END_TEST

START_TEST(values_are_quoted_where_needed_and_only_there)
{
	assert_value("plain-text_1.2/3:4,5", "plain-text_1.2/3:4,5");
	assert_value("two words", "\"two words\"");
	assert_value("a=b", "\"a=b\"");
	assert_value("say \"x\" \\", "\"say \\\"x\\\" \\\\\"");
	assert_value("", "\"\"");
	assert_value(NULL, "\"\"");
	assert_value("ends>", "ends>");
}
END_TEST

START_TEST(a_value_that_ends_in_a_bracket_does_not_swallow_the_space)
{
	mu_log(MU_INFO, KS("a", "x>"), KI("b", 1));
	ck_assert_str_eq(after_time(written()), "level=info a=x> b=1\n");
}
END_TEST

START_TEST(no_byte_of_an_outsider_forges_a_line)
{
	assert_value("x\nts=2026 level=error", "\"x\\nts=2026 level=error\"");
	assert_value("\r\t\x1b[31m\x7f", "\"\\r\\t\\x1b[31m\\x7f\"");
	assert_value("\xc2\x85z", "\"\\xc2\\x85z\"");
	assert_value("\xe2\x80\xa8", "\"\\xe2\\x80\\xa8\"");
	assert_value("\xe2\x80\xae", "\"\\xe2\\x80\\xae\"");
}
END_TEST

START_TEST(utf8_is_shown_and_what_is_not_utf8_is_escaped)
{
	assert_value("Z\xc3\xbcrich", "Z\xc3\xbcrich");
	assert_value("\xe2\x82\xac\xf0\x9f\x98\x80",
	             "\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_value("\xff", "\"\\xff\"");
	assert_value("\xc3", "\"\\xc3\"");
	assert_value("\xe2\x82", "\"\\xe2\\x82\"");
	assert_value("\xc0\xaf", "\"\\xc0\\xaf\"");
	assert_value("\xe0\x80\x80", "\"\\xe0\\x80\\x80\"");
	assert_value("\xed\xa0\x80", "\"\\xed\\xa0\\x80\"");
	assert_value("\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\"");
	assert_value("\xf5\x80\x80\x80", "\"\\xf5\\x80\\x80\\x80\"");
}
END_TEST

START_TEST(lines_above_the_level_are_not_written)
{
	mu_log_level(MU_WARN);
	ck_assert(mu_log_wants(MU_WARN));
	ck_assert(!mu_log_wants(MU_INFO));
	mu_log(MU_INFO, MSG("no"));
	ck_assert_str_eq(written(), "");
	mu_log(MU_WARN, MSG("yes"));
	ck_assert_str_ne(written(), "");
	mu_log_level(MU_DEBUG);
	mu_log(MU_DEBUG, MSG("now"));
	ck_assert_str_ne(written(), "");
}
END_TEST

START_TEST(levels_have_words)
{
	ck_assert_int_eq(mu_log_level_by_word("error"), MU_ERROR);
	ck_assert_int_eq(mu_log_level_by_word("warn"), MU_WARN);
	ck_assert_int_eq(mu_log_level_by_word("info"), MU_INFO);
	ck_assert_int_eq(mu_log_level_by_word("debug"), MU_DEBUG);
	ck_assert_int_eq(mu_log_level_by_word("warning"), -1);
	ck_assert_int_eq(mu_log_level_by_word(""), -1);
}
END_TEST

/* Every length around the limit: the line is whole, within 4 KiB, shows the
 * cut, and its quotes are closed. */
START_TEST(a_long_line_is_cut_at_4_kib_and_stays_well_formed)
{
	static char value[5000];
	const char *fill[] = { "x", " ", "\n", "\xc3\xbc" };

	for (size_t f = 0; f < 4; f++) {
		for (size_t n = 900; n < 4100; n++) {
			const char *got;
			size_t len, unit = strlen(fill[f]);

			if (n > 1100 && n < 1950)
				n = 1950;
			if (n > 2100 && n < 3950)
				n = 3950;
			for (size_t i = 0; i < n; i++)
				memcpy(value + i * unit, fill[f],
				       n * unit < sizeof value ? unit : 0);
			value[n * unit < sizeof value ? n * unit : 0] = '\0';
			mu_log(MU_INFO, KS("v", value), KS("after", "two w"),
			       KI("n", 7));
			got = written();
			len = strlen(got);
			ck_assert_uint_le(len, 4096);
			ck_assert_int_eq(got[len - 1], '\n');
			ck_assert_ptr_eq(strchr(got, '\n'), got + len - 1);
			if (!strstr(got, " n=7\n"))
				ck_assert_ptr_nonnull(strstr(got, "..."));
			len = 0;
			for (; *got; got++)
				len += *got == '"';
			ck_assert_uint_eq(len % 2, 0);
		}
	}
}
END_TEST

START_TEST(the_journal_gets_a_priority_and_no_time)
{
	struct stat st;
	char text[64];

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)st.st_dev,
	         (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	mu_log_open("p", MU_DEBUG);
	mu_log(MU_ERROR, MSG("a"));
	ck_assert_str_eq(written(), "<3>level=error prog=p msg=a\n");
	mu_log(MU_WARN, MSG("a"));
	ck_assert_str_eq(written(), "<4>level=warn prog=p msg=a\n");
	mu_log(MU_INFO, MSG("a"));
	ck_assert_str_eq(written(), "<6>level=info prog=p msg=a\n");
	mu_log(MU_DEBUG, MSG("a"));
	ck_assert_str_eq(written(), "<7>level=debug prog=p msg=a\n");
}
END_TEST

START_TEST(another_journal_stream_is_not_ours)
{
	const char *others[] = { "1:2", "", "x", "1", "1:2:3" };

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		setenv("JOURNAL_STREAM", others[i], 1);
		mu_log_open("", MU_INFO);
		mu_log(MU_INFO, MSG("a"));
		ck_assert_str_eq(after_time(written()), "level=info msg=a\n");
	}
}
END_TEST

/* Blocking, as a real stderr is: a test that hangs here has failed. */
START_TEST(a_reader_that_stops_reading_stops_nobody)
{
	int flags = fcntl(in[1], F_GETFL);
	const char *got;

	ck_assert_int_eq(fcntl(in[1], F_SETFL, flags & ~O_NONBLOCK), 0);
	ck_assert_int_gt(fcntl(in[1], F_SETPIPE_SZ, 8192), 0);
	for (int i = 0; i < 2000; i++)
		mu_log(MU_INFO, MSG("a line that nobody reads"), KI("i", i));
	ck_assert_ptr_nonnull(strstr(written(), "i=0\n"));
	written();
	mu_log(MU_INFO, MSG("again"));
	got = strstr(written(), "lost_lines=");
	ck_assert_ptr_nonnull(got);
	ck_assert_int_gt(atoi(got + 11), 1000);
	mu_log(MU_INFO, MSG("again"));
	ck_assert_ptr_null(strstr(written(), "lost_lines="));
}
END_TEST

START_TEST(a_closed_stderr_is_no_fault_and_errno_is_kept)
{
	close(STDERR_FILENO);
	errno = ENOTTY;
	mu_log(MU_ERROR, MSG("a"));
	ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

#define THREADS 4
#define EACH 500

static void *speaker(void *arg)
{
	for (int i = 0; i < EACH; i++)
		mu_log(MU_INFO, MSG("some words of a thread"),
		       KI("thread", *(int *)arg), KI("i", i));
	return NULL;
}

/* A socket of messages: each write is one message, and must be one line. */
START_TEST(lines_of_many_threads_do_not_mix)
{
	int pair[2], id[THREADS], lines = 0;
	pthread_t t[THREADS];
	char got[5000];
	ssize_t n;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	ck_assert_int_eq(dup2(pair[1], STDERR_FILENO), STDERR_FILENO);
	for (int i = 0; i < THREADS; i++) {
		id[i] = i;
		ck_assert_int_eq(pthread_create(&t[i], NULL, speaker, &id[i]),
		                 0);
	}
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(t[i], NULL), 0);
	while ((n = recv(pair[0], got, sizeof got - 1, MSG_DONTWAIT)) > 0) {
		got[n] = '\0';
		ck_assert_int_eq(strncmp(after_time(got), "level=info ", 11),
		                 0);
		ck_assert_ptr_eq(strchr(got, '\n'), got + n - 1);
		lines++;
	}
	ck_assert_int_gt(lines, THREADS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, a_line_has_time_level_and_pairs);
	tcase_add_test(t, the_program_is_named_in_each_line);
	tcase_add_test(t, values_are_quoted_where_needed_and_only_there);
	tcase_add_test(
		t, a_value_that_ends_in_a_bracket_does_not_swallow_the_space);
	tcase_add_test(t, no_byte_of_an_outsider_forges_a_line);
	tcase_add_test(t, utf8_is_shown_and_what_is_not_utf8_is_escaped);
	tcase_add_test(t, lines_above_the_level_are_not_written);
	tcase_add_test(t, levels_have_words);
	tcase_add_test(t, a_long_line_is_cut_at_4_kib_and_stays_well_formed);
	tcase_add_test(t, the_journal_gets_a_priority_and_no_time);
	tcase_add_test(t, another_journal_stream_is_not_ours);
	tcase_add_test(t, a_reader_that_stops_reading_stops_nobody);
	tcase_add_test(t, a_closed_stderr_is_no_fault_and_errno_is_kept);
	tcase_add_test(t, lines_of_many_threads_do_not_mix);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
