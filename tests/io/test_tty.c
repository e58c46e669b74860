/* Is a person looking, how wide is the window, and what does he say? */
#include "child.h"
#include "tty.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int master, slave;
static const char *slave_name;

static void setup(void)
{
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master), 0);
	ck_assert_int_eq(unlockpt(master), 0);
	slave_name = ptsname(master);
	ck_assert_ptr_nonnull(slave_name);
	slave = open(slave_name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(slave, 0);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	unsetenv("COLUMNS");
}

static void teardown(void)
{
	close(slave);
	close(master);
}

START_TEST(a_terminal_is_one_and_a_pipe_is_not)
{
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert(mu_tty_is(slave));
	ck_assert(!mu_tty_is(p[1]));
	ck_assert(!mu_tty_is(-1));
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(colour_is_for_a_terminal_that_can_and_a_person_who_wants_it)
{
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert(mu_tty_colour(slave));
	ck_assert(!mu_tty_colour(p[1]));
	setenv("NO_COLOR", "1", 1);
	ck_assert(!mu_tty_colour(slave));
	setenv("NO_COLOR", "", 1);
	ck_assert(mu_tty_colour(slave));
	setenv("TERM", "dumb", 1);
	ck_assert(!mu_tty_colour(slave));
	unsetenv("TERM");
	ck_assert(!mu_tty_colour(slave));
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(the_width_is_the_window_s_then_columns_then_80)
{
	struct winsize size = { 24, 132, 0, 0 };

	ck_assert_int_eq(mu_tty_width(slave), 80);
	setenv("COLUMNS", "100", 1);
	ck_assert_int_eq(mu_tty_width(slave), 100);
	ck_assert_int_eq(mu_tty_width(-1), 100);
	setenv("COLUMNS", "-5", 1);
	ck_assert_int_eq(mu_tty_width(-1), 80);
	setenv("COLUMNS", "99999999999999999999", 1);
	ck_assert_int_eq(mu_tty_width(-1), 80);
	setenv("COLUMNS", "wide", 1);
	ck_assert_int_eq(mu_tty_width(-1), 80);
	ck_assert_int_eq(ioctl(master, TIOCSWINSZ, &size), 0);
	ck_assert_int_eq(mu_tty_width(slave), 132);
}
END_TEST

/* Ask in a child whose terminal is ours to type on. */
static bool answer(const char *typed)
{
	char shown[64] = "";
	size_t len = 0;
	int status;
	pid_t child = child_fork();

	if (child == 0) {
		int fd;

		setsid();
		fd = open(slave_name, O_RDWR); /* becomes its terminal */
		ioctl(fd, TIOCSCTTY, 0);
		_exit(mu_tty_ask("Delete it all?") ? 10 : 20);
	}
	while (!strstr(shown, "[y/N] ") && len < sizeof shown - 1) {
		struct pollfd p = { master, POLLIN, 0 };
		ssize_t n;

		ck_assert_int_eq(poll(&p, 1, 3000), 1);
		n = read(master, shown + len, sizeof shown - 1 - len);
		ck_assert_int_gt(n, 0);
		len += (size_t)n;
		shown[len] = '\0';
	}
	ck_assert_str_eq(shown, "Delete it all? [y/N] ");
	ck_assert_int_eq(write(master, typed, strlen(typed)),
	                 (ssize_t)strlen(typed));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert(WEXITSTATUS(status) == 10 || WEXITSTATUS(status) == 20);
	return WEXITSTATUS(status) == 10;
}

static const struct {
	const char *typed;
	bool yes;
} answers[] = {
	{ "y\n", true },   { "yes\n", true }, { "YES\n", true },
	{ "n\n", false },  { "\n", false },   { "yesterday\n", false },
	{ "\x04", false }, /* end of the input */
};

START_TEST(only_y_and_yes_are_yes)
{
	ck_assert(answer(answers[_i].typed) == answers[_i].yes);
}
END_TEST

START_TEST(without_a_terminal_the_answer_is_no)
{
	int status;
	pid_t child = child_fork();

	if (child == 0) {
		setsid();
		_exit(mu_tty_ask("Delete it all?") ? 10 : 20);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(WEXITSTATUS(status), 20);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tty");
	TCase *t = tcase_create("tty");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_terminal_is_one_and_a_pipe_is_not);
	tcase_add_test(
		t, colour_is_for_a_terminal_that_can_and_a_person_who_wants_it);
	tcase_add_test(t, the_width_is_the_window_s_then_columns_then_80);
	tcase_add_loop_test(t, only_y_and_yes_are_yes, 0,
	                    sizeof answers / sizeof answers[0]);
	tcase_add_test(t, without_a_terminal_the_answer_is_no);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
