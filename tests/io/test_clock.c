/* What the OS says about time, and its random bytes. */
#include "clock.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

START_TEST(the_monotonic_clock_never_goes_back)
{
	uint64_t last = mu_clock_mono_us();

	for (int i = 0; i < 10000; i++) {
		uint64_t now = mu_clock_mono_us();

		ck_assert_uint_ge(now, last);
		last = now;
	}
}
END_TEST

START_TEST(milliseconds_and_microseconds_are_the_same_clock)
{
	uint64_t us = mu_clock_mono_us();
	uint64_t ms = mu_clock_mono_ms();
	uint64_t later_us = mu_clock_mono_us();

	ck_assert_uint_ge(ms, us / 1000);
	ck_assert_uint_le(ms, later_us / 1000);
}
END_TEST

START_TEST(the_monotonic_clock_is_that_of_the_system)
{
	struct timespec t;
	uint64_t us;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	us = mu_clock_mono_us();
	ck_assert_uint_ge(us, (uint64_t)t.tv_sec * 1000000 +
	                              (uint64_t)t.tv_nsec / 1000);
	ck_assert_uint_lt(us, ((uint64_t)t.tv_sec + 10) * 1000000);
}
END_TEST

START_TEST(the_wall_clock_counts_from_1970)
{
	int64_t before = (int64_t)time(NULL) * 1000;
	int64_t ms = mu_clock_wall_ms();

	/* time() may read a coarser clock that lags by a tick. */
	ck_assert_int_ge(ms, before - 100);
	ck_assert_int_lt(ms, before + 11000);
}
END_TEST

START_TEST(random_bytes_differ_from_call_to_call)
{
	unsigned char a[32] = { 0 }, b[32] = { 0 }, none[32] = { 0 };

	mu_clock_random(a, sizeof a);
	mu_clock_random(b, sizeof b);
	ck_assert_int_ne(memcmp(a, b, sizeof a), 0);
	ck_assert_int_ne(memcmp(a, none, sizeof a), 0);
}
END_TEST

START_TEST(exactly_the_bytes_asked_for_are_filled)
{
	unsigned char all[34];

	memset(all, 0xee, sizeof all);
	mu_clock_random(all + 1, 32);
	ck_assert_uint_eq(all[0], 0xee);
	ck_assert_uint_eq(all[33], 0xee);
	mu_clock_random(all, 0);
	ck_assert_uint_eq(all[0], 0xee);
}
END_TEST

static void on_alarm(int signum)
{
	(void)signum;
}

/* 16 MiB come in many pieces, with signals in between. */
START_TEST(a_large_request_is_filled_to_its_end)
{
	size_t len = 16u << 20;
	unsigned char *p = calloc(1, len);
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
	size_t zeros = 0;

	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(sigaction(SIGALRM, &sa, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
	mu_clock_random(p, len);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &off, NULL), 0);
	for (size_t i = len - 4096; i < len; i++)
		zeros += p[i] == 0;
	/* 16 of 4096 are zero by chance; 200 are not. */
	ck_assert_uint_lt(zeros, 200);
	free(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("clock");
	TCase *t = tcase_create("clock");
	SRunner *r;
	int failed;

	tcase_add_test(t, the_monotonic_clock_never_goes_back);
	tcase_add_test(t, milliseconds_and_microseconds_are_the_same_clock);
	tcase_add_test(t, the_monotonic_clock_is_that_of_the_system);
	tcase_add_test(t, the_wall_clock_counts_from_1970);
	tcase_add_test(t, random_bytes_differ_from_call_to_call);
	tcase_add_test(t, exactly_the_bytes_asked_for_are_filled);
	tcase_add_test(t, a_large_request_is_filled_to_its_end);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
