/* One thread's turns: timers, descriptors, signals, and once a turn. */
#include "loop.h"

#include "clock.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault_mem.c"

static struct mu_loop *loop;
static struct mu_err err;
static int calls;

static void setup(void)
{
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	calls = 0;
}

static void teardown(void)
{
	mu_loop_free(loop);
}

static void count_and_stop(void *arg)
{
	(void)arg;
	calls++;
	mu_loop_stop(loop);
}

static void count_call(void *arg)
{
	(void)arg;
	calls++;
}

static struct mu_timer *timer(mu_loop_fn *fn, void *arg)
{
	struct mu_timer *t;

	ck_assert_int_eq(mu_timer_new(loop, fn, arg, &t), 0);
	return t;
}

/* ---- the loop --------------------------------------------------------------- */

START_TEST(a_loop_with_nothing_to_wait_for_ends)
{
	struct mu_timer *t = timer(count_call, NULL);

	mu_loop_run(loop);
	ck_assert_int_eq(calls, 0);
	mu_timer_free(t);
}
END_TEST

START_TEST(a_stopped_loop_can_run_again)
{
	struct mu_timer *t = timer(count_and_stop, NULL);

	mu_timer_arm(t, 0, 1);
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 1);
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 2);
	mu_timer_free(t);
}
END_TEST

START_TEST(freeing_no_loop_and_no_handle_is_harmless)
{
	mu_loop_free(NULL);
	mu_timer_free(NULL);
	mu_poll_free(NULL);
	mu_signal_free(NULL);
	mu_after_free(NULL);
}
END_TEST

START_TEST(freeing_a_loop_with_a_live_handle_is_a_bug)
{
	timer(count_call, NULL);
	fclose(stderr);
	mu_loop_free(loop);
}
END_TEST

START_TEST(the_time_of_a_turn_is_the_monotonic_clock)
{
	struct mu_timer *t = timer(count_and_stop, NULL);
	uint64_t before = mu_clock_mono_ms();

	mu_timer_arm(t, 1, 0);
	mu_loop_run(loop);
	/* libuv may read the coarse clock, which lags by a tick. */
	ck_assert_uint_ge(mu_loop_now_ms(loop) + 10, before);
	ck_assert_uint_le(mu_loop_now_ms(loop), mu_clock_mono_ms());
	mu_timer_free(t);
}
END_TEST

START_TEST(a_loop_that_cannot_be_allocated_is_an_error)
{
	struct mu_loop *other = NULL;

	fault_alloc_at(0);
	ck_assert_int_eq(mu_loop_new(&other, &err), MU_ENOMEM);
	ck_assert_int_eq(err.code, MU_ENOMEM);
	ck_assert_ptr_null(other);
	fault_alloc_off();
}
END_TEST

START_TEST(a_handle_that_cannot_be_allocated_is_an_error)
{
	struct mu_timer *t = NULL;
	struct mu_poll *p = NULL;
	struct mu_signal *s = NULL;
	struct mu_after *a = NULL;

	fault_alloc_at(0);
	ck_assert_int_eq(mu_timer_new(loop, count_call, NULL, &t), MU_ENOMEM);
	fault_alloc_at(0);
	ck_assert_int_eq(mu_poll_new(loop, 0, NULL, NULL, &p), MU_ENOMEM);
	fault_alloc_at(0);
	ck_assert_int_eq(mu_signal_new(loop, SIGUSR1, count_call, NULL, &s),
	                 MU_ENOMEM);
	fault_alloc_at(0);
	ck_assert_int_eq(mu_after_new(loop, count_call, NULL, &a), MU_ENOMEM);
	fault_alloc_off();
	ck_assert(!t && !p && !s && !a);
}
END_TEST

/* ---- timers ----------------------------------------------------------------- */

START_TEST(a_timer_fires_once_after_its_delay)
{
	struct mu_timer *t = timer(count_call, NULL);
	uint64_t start = mu_clock_mono_us();

	ck_assert(!mu_timer_armed(t));
	mu_timer_arm(t, 20, 0);
	ck_assert(mu_timer_armed(t));
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 1);
	ck_assert(!mu_timer_armed(t));
	/* Both ends are cut to whole ms of a clock that may lag. */
	ck_assert_uint_ge(mu_clock_mono_us() - start, 14000);
	mu_timer_free(t);
}
END_TEST

static void disarm_third(void *arg)
{
	if (++calls == 3)
		mu_timer_disarm(*(struct mu_timer **)arg);
}

START_TEST(a_repeating_timer_fires_until_it_is_disarmed)
{
	struct mu_timer *t = timer(disarm_third, &t);

	mu_timer_arm(t, 0, 1);
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 3);
	ck_assert(!mu_timer_armed(t));
	mu_timer_free(t);
}
END_TEST

START_TEST(arming_an_armed_timer_moves_it)
{
	struct mu_timer *moved = timer(count_call, NULL);
	struct mu_timer *end = timer(count_and_stop, NULL);

	mu_timer_arm(moved, 1, 0);
	mu_timer_arm(moved, 60000, 0);
	mu_timer_arm(end, 20, 0);
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 1);
	ck_assert(mu_timer_armed(moved));
	mu_timer_free(moved);
	mu_timer_free(end);
}
END_TEST

static void free_timer(void *arg)
{
	calls++;
	mu_timer_free(arg);
}

static void free_own(void *arg)
{
	calls++;
	mu_timer_free(*(struct mu_timer **)arg);
}

START_TEST(a_timer_may_be_freed_in_its_own_callback)
{
	struct mu_timer *t = timer(free_own, &t);

	mu_timer_arm(t, 0, 1);
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(a_freed_timer_that_was_due_in_the_same_turn_is_silent)
{
	struct mu_timer *victim = timer(count_call, NULL);
	struct mu_timer *killer = timer(free_timer, victim);

	mu_timer_arm(killer, 1, 0);
	mu_timer_arm(victim, 1, 0);
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 1);
	mu_timer_free(killer);
}
END_TEST

static void arm_again(void *arg)
{
	calls++;
	mu_timer_arm(*(struct mu_timer **)arg, 0, 0);
}

/* It would otherwise keep the loop from ever reaching the other timer. */
START_TEST(a_timer_that_arms_itself_with_no_delay_lets_others_run)
{
	struct mu_timer *t = timer(arm_again, &t);
	struct mu_timer *end = timer(count_and_stop, NULL);

	mu_timer_arm(t, 0, 0);
	mu_timer_arm(end, 10, 0);
	mu_loop_run(loop);
	ck_assert_int_gt(calls, 2);
	mu_timer_free(t);
	mu_timer_free(end);
}
END_TEST

START_TEST(time_that_passed_before_the_run_does_not_count)
{
	struct mu_timer *t = timer(count_and_stop, NULL);
	uint64_t until = mu_clock_mono_ms() + 30, armed;

	while (mu_clock_mono_ms() < until)
		;
	armed = mu_clock_mono_ms();
	mu_timer_arm(t, 25, 0);
	mu_loop_run(loop);
	ck_assert_uint_ge(mu_clock_mono_ms() - armed, 19);
	mu_timer_free(t);
}
END_TEST

/* ---- descriptors ------------------------------------------------------------ */

static struct mu_poll *poll_handle;
static int seen, fds[2];

static void poll_setup(void)
{
	setup();
	seen = 0;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
}

static void on_events(void *arg, int events)
{
	(void)arg;
	calls++;
	seen = events;
	mu_loop_stop(loop);
}

static void watch(int fd, int events)
{
	ck_assert_int_eq(mu_poll_new(loop, fd, on_events, NULL, &poll_handle),
	                 0);
	mu_poll_set(poll_handle, events);
}

START_TEST(bytes_to_read_are_told)
{
	watch(fds[0], MU_POLL_READ);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	mu_loop_run(loop);
	ck_assert_int_eq(seen, MU_POLL_READ);
	mu_poll_free(poll_handle);
}
END_TEST

START_TEST(both_events_are_told_together)
{
	watch(fds[0], MU_POLL_READ | MU_POLL_WRITE);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	mu_loop_run(loop);
	ck_assert_int_eq(seen, MU_POLL_READ | MU_POLL_WRITE);
	mu_poll_free(poll_handle);
}
END_TEST

START_TEST(only_the_events_asked_for_are_told)
{
	struct mu_timer *end = timer(count_and_stop, NULL);

	watch(fds[0], MU_POLL_READ);
	mu_timer_arm(end, 10, 0);
	mu_loop_run(loop);
	ck_assert_int_eq(seen, 0);
	mu_poll_set(poll_handle, MU_POLL_WRITE);
	mu_loop_run(loop);
	ck_assert_int_eq(seen, MU_POLL_WRITE);
	mu_poll_set(poll_handle, 0);
	seen = 0;
	mu_loop_run(loop); /* nothing to wait for: ends */
	ck_assert_int_eq(seen, 0);
	mu_poll_free(poll_handle);
	mu_timer_free(end);
}
END_TEST

START_TEST(the_end_of_a_stream_is_told_as_readable)
{
	watch(fds[0], MU_POLL_READ);
	close(fds[1]);
	mu_loop_run(loop);
	ck_assert_int_eq(seen, MU_POLL_READ);
	mu_poll_free(poll_handle);
}
END_TEST

START_TEST(an_error_is_told_as_both_events_and_once)
{
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	close(p[0]);
	watch(p[1], MU_POLL_READ);
	mu_loop_run(loop);
	ck_assert_int_eq(seen, MU_POLL_READ | MU_POLL_WRITE);
	ck_assert_int_eq(calls, 1);
	mu_loop_run(loop); /* it is not watched any more: ends */
	ck_assert_int_eq(calls, 1);
	mu_poll_set(poll_handle, MU_POLL_WRITE);
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 2);
	mu_poll_free(poll_handle);
	close(p[1]);
}
END_TEST

START_TEST(what_cannot_be_watched_is_refused)
{
	int file = open("/proc/self/exe", O_RDONLY);

	ck_assert_int_eq(mu_poll_new(loop, file, on_events, NULL, &poll_handle),
	                 MU_EIO);
	close(file);
	ck_assert_int_eq(mu_poll_new(loop, file, on_events, NULL, &poll_handle),
	                 MU_EIO);
	watch(fds[0], MU_POLL_READ);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 1);
	mu_poll_free(poll_handle);
}
END_TEST

static void free_poll(void *arg, int events)
{
	(void)arg, (void)events;
	calls++;
	mu_poll_free(poll_handle);
	close(fds[0]);
}

START_TEST(a_poll_may_be_freed_in_its_callback_and_its_descriptor_closed)
{
	ck_assert_int_eq(
		mu_poll_new(loop, fds[0], free_poll, NULL, &poll_handle), 0);
	mu_poll_set(poll_handle, MU_POLL_READ | MU_POLL_WRITE);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(a_descriptor_with_the_number_of_a_closed_one_is_watched_anew)
{
	int other[2];

	watch(fds[0], MU_POLL_WRITE);
	mu_loop_run(loop);
	mu_poll_free(poll_handle);
	close(fds[0]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	ck_assert_int_eq(other[0], fds[0]);
	watch(other[0], MU_POLL_READ);
	ck_assert_int_eq(write(other[1], "x", 1), 1);
	mu_loop_run(loop);
	ck_assert_int_eq(seen, MU_POLL_READ);
	mu_poll_free(poll_handle);
}
END_TEST

/* ---- signals ---------------------------------------------------------------- */

START_TEST(a_signal_calls_back_from_the_loop)
{
	struct mu_signal *s;

	ck_assert_int_eq(mu_signal_new(loop, SIGUSR1, count_and_stop, NULL, &s),
	                 0);
	raise(SIGUSR1);
	ck_assert_int_eq(calls, 0);
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 1);
	mu_signal_free(s);
}
END_TEST

START_TEST(a_signal_that_cannot_be_caught_is_refused)
{
	struct mu_signal *s = NULL;

	ck_assert_int_eq(mu_signal_new(loop, SIGKILL, count_call, NULL, &s),
	                 MU_EIO);
	ck_assert_int_eq(mu_signal_new(loop, 0, count_call, NULL, &s), MU_EIO);
	ck_assert_ptr_null(s);
}
END_TEST

static struct mu_signal *own_signal;

static void free_signal(void *arg)
{
	(void)arg;
	calls++;
	mu_signal_free(own_signal);
}

START_TEST(a_signal_may_be_freed_in_its_own_callback)
{
	ck_assert_int_eq(
		mu_signal_new(loop, SIGUSR1, free_signal, NULL, &own_signal),
		0);
	raise(SIGUSR1);
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 1);
}
END_TEST

/* ---- once each turn --------------------------------------------------------- */

static int turns, turns_at_work;

static void on_turn(void *arg)
{
	turns++;
	if (arg)
		mu_after_set(*(struct mu_after **)arg, false, false);
}

static void work(void *arg)
{
	(void)arg;
	turns_at_work = turns;
}

START_TEST(it_runs_after_the_work_of_a_turn_and_before_waiting)
{
	struct mu_after *a;
	struct mu_timer *t = timer(work, NULL);

	turns = 0;
	ck_assert_int_eq(mu_after_new(loop, on_turn, &a, &a), 0);
	mu_after_set(a, true, false);
	mu_timer_arm(t, 0, 0);
	mu_loop_run(loop);
	/* In the timer's own turn, and then it had switched itself off. */
	ck_assert_int_eq(turns_at_work, 0);
	ck_assert_int_eq(turns, 1);
	mu_after_free(a);
	mu_timer_free(t);
}
END_TEST

START_TEST(without_spin_the_loop_waits_and_with_it_it_does_not)
{
	struct mu_after *a;
	struct mu_timer *end = timer(count_and_stop, NULL);

	turns = 0;
	ck_assert_int_eq(mu_after_new(loop, on_turn, NULL, &a), 0);
	mu_after_set(a, true, false);
	mu_timer_arm(end, 20, 0);
	mu_loop_run(loop);
	ck_assert_int_ge(turns, 1);
	ck_assert_int_lt(turns, 30);
	mu_after_set(a, true, true);
	turns = 0;
	/* In one run, as soon as the machine lets us have 20 ms. */
	for (int tries = 0; turns <= 30 && tries < 100; tries++) {
		turns = 0;
		mu_timer_arm(end, 20, 0);
		mu_loop_run(loop);
	}
	ck_assert_int_gt(turns, 30);
	turns = 0;
	mu_after_set(a, true, false);
	mu_timer_arm(end, 20, 0);
	mu_loop_run(loop);
	ck_assert_int_lt(turns, 30);
	mu_after_free(a);
	mu_timer_free(end);
}
END_TEST

START_TEST(it_does_not_run_while_off)
{
	struct mu_after *a;
	struct mu_timer *end = timer(count_and_stop, NULL);

	turns = 0;
	ck_assert_int_eq(mu_after_new(loop, on_turn, NULL, &a), 0);
	mu_after_set(a, false, true);
	mu_timer_arm(end, 2, 0);
	mu_loop_run(loop);
	ck_assert_int_eq(turns, 0);
	mu_after_free(a);
	mu_timer_free(end);
}
END_TEST

static void free_after(void *arg)
{
	calls++;
	mu_after_free(*(struct mu_after **)arg);
}

START_TEST(it_may_be_freed_in_its_own_callback)
{
	struct mu_after *a;

	ck_assert_int_eq(mu_after_new(loop, free_after, &a, &a), 0);
	mu_after_set(a, true, true);
	mu_loop_run(loop);
	ck_assert_int_eq(calls, 1);
}
END_TEST

static TCase *core_tests(void)
{
	TCase *t = tcase_create("loop");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_loop_with_nothing_to_wait_for_ends);
	tcase_add_test(t, a_stopped_loop_can_run_again);
	tcase_add_test(t, freeing_no_loop_and_no_handle_is_harmless);
	tcase_add_test_raise_signal(
		t, freeing_a_loop_with_a_live_handle_is_a_bug, SIGABRT);
	tcase_add_test(t, the_time_of_a_turn_is_the_monotonic_clock);
	tcase_add_test(t, a_loop_that_cannot_be_allocated_is_an_error);
	tcase_add_test(t, a_handle_that_cannot_be_allocated_is_an_error);
	tcase_add_test(t, a_timer_fires_once_after_its_delay);
	tcase_add_test(t, a_repeating_timer_fires_until_it_is_disarmed);
	tcase_add_test(t, arming_an_armed_timer_moves_it);
	tcase_add_test(t, a_timer_may_be_freed_in_its_own_callback);
	tcase_add_test(t,
	               a_freed_timer_that_was_due_in_the_same_turn_is_silent);
	tcase_add_test(t,
	               a_timer_that_arms_itself_with_no_delay_lets_others_run);
	tcase_add_test(t, time_that_passed_before_the_run_does_not_count);
	tcase_add_test(t, a_signal_calls_back_from_the_loop);
	tcase_add_test(t, a_signal_that_cannot_be_caught_is_refused);
	tcase_add_test(t, a_signal_may_be_freed_in_its_own_callback);
	tcase_add_test(t, it_runs_after_the_work_of_a_turn_and_before_waiting);
	tcase_add_test(t, without_spin_the_loop_waits_and_with_it_it_does_not);
	tcase_add_test(t, it_does_not_run_while_off);
	tcase_add_test(t, it_may_be_freed_in_its_own_callback);
	return t;
}

static TCase *poll_tests(void)
{
	TCase *t = tcase_create("poll");

	tcase_add_checked_fixture(t, poll_setup, teardown);
	tcase_add_test(t, bytes_to_read_are_told);
	tcase_add_test(t, both_events_are_told_together);
	tcase_add_test(t, only_the_events_asked_for_are_told);
	tcase_add_test(t, the_end_of_a_stream_is_told_as_readable);
	tcase_add_test(t, an_error_is_told_as_both_events_and_once);
	tcase_add_test(t, what_cannot_be_watched_is_refused);
	tcase_add_test(
		t,
		a_poll_may_be_freed_in_its_callback_and_its_descriptor_closed);
	tcase_add_test(
		t,
		a_descriptor_with_the_number_of_a_closed_one_is_watched_anew);
	return t;
}

int main(void)
{
	Suite *s = suite_create("loop");
	SRunner *r;
	int failed;

	suite_add_tcase(s, core_tests());
	suite_add_tcase(s, poll_tests());
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
