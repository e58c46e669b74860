/* The agent's end of a runner's channel, with the test as the runner. */
#include "buf.h"
#include "fault.h"
#include "pipe.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT_MS 10000

static struct mu_loop *loop;
static struct mu_timer *limit;
static struct mu_pipe *p;
static int theirs;
static char told[256];
static size_t frames, turns, most;
static struct mu_after *turn;
static bool stop_at_first;
static int end_rc, refuse;
static bool ended;

static int on_frame(void *arg, struct mu_str record)
{
	struct mu_in in = mu_in_of(record.at, record.len);
	struct mu_chan_log m;

	(void)arg;
	ck_assert_int_eq(mu_chan_type(&in), MU_CHAN_LOG);
	ck_assert_int_eq(mu_get_chan_log(&in, &m), 0);
	frames++;
	if (turn)
		return 0;
	ck_assert_uint_lt(strlen(told) + m.text.len, sizeof told);
	strncat(told, m.text.at, m.text.len);
	return refuse;
}

static void on_end(void *arg, int rc)
{
	(void)arg;
	ck_assert(!ended);
	ended = true;
	end_rc = rc;
	mu_loop_stop(loop);
}

static void too_late(void *arg)
{
	(void)arg;
	ck_abort_msg("the pipe did not end in time");
}

static void setup(void)
{
	struct mu_err err;

	told[0] = '\0';
	ended = false;
	frames = turns = most = 0;
	turn = NULL;
	refuse = 0;
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	ck_assert_int_eq(mu_timer_new(loop, too_late, NULL, &limit), 0);
	mu_timer_arm(limit, LIMIT_MS, 0);
	ck_assert_int_eq(
		mu_pipe_new(loop, on_frame, on_end, NULL, &p, &theirs, &err),
		0);
}

static void teardown(void)
{
	mu_pipe_free(p);
	mu_after_free(turn);
	mu_timer_free(limit);
	mu_loop_free(loop);
	if (theirs >= 0)
		close(theirs);
}

static void hang_up(void)
{
	close(theirs);
	theirs = -1;
}

/* Frames that say each letter of a text, `at` bytes of them a write. */
static void say(const char *text, size_t at)
{
	struct mu_buf b;

	mu_buf_init(&b);
	for (; *text; text++) {
		struct mu_chan_log m = { MU_INFO, { text, 1 } };

		mu_put_chan_log(&b, &m);
	}
	for (size_t i = 0; i < b.len; i += at) {
		size_t n = b.len - i < at ? b.len - i : at;

		ck_assert_int_eq(send(theirs, b.data + i, n, MSG_NOSIGNAL),
		                 (ssize_t)n);
	}
	mu_buf_fini(&b);
}

START_TEST(frames_come_whole_however_they_were_cut)
{
	say("abcdef", (size_t)_i);
	hang_up();
	mu_loop_run(loop);
	ck_assert_str_eq(told, "abcdef");
	ck_assert_int_eq(end_rc, 0);
}
END_TEST

START_TEST(a_frame_that_makes_no_sense_ends_the_pipe)
{
	refuse = MU_EPROTO;
	say("ab", 1000);
	mu_loop_run(loop);
	ck_assert_str_eq(told, "a");
	ck_assert_int_eq(end_rc, MU_EPROTO);
	ck_assert_int_eq(mu_pipe_send(p), MU_EGONE);
}
END_TEST

START_TEST(a_frame_over_the_limit_ends_the_pipe)
{
	static const uint8_t big[] = { 0x00, 0x80, 0x00, 0x01, 0 };
	static const uint8_t negative[] = { 0xff, 0xff, 0xff, 0xff, 0 };

	ck_assert_int_eq(send(theirs, _i ? negative : big, 5, 0), 5);
	mu_loop_run(loop);
	ck_assert_int_eq(end_rc, MU_ETOOBIG);
}
END_TEST

START_TEST(half_a_frame_before_the_end_is_no_frame)
{
	say("a", 1000);
	ck_assert_int_eq(send(theirs, "\0\0", 2, 0), 2);
	hang_up();
	mu_loop_run(loop);
	ck_assert_str_eq(told, "a");
	ck_assert_int_eq(end_rc, 0);
}
END_TEST

START_TEST(a_runner_that_does_not_read_fills_the_pipe_to_its_limit)
{
	size_t sent = 0;
	int rc = 0;

	for (int i = 0; i < 1000 && !rc; i++) {
		uint8_t *at = mu_buf_grow(mu_pipe_out(p), 1024 * 1024);

		ck_assert_ptr_nonnull(at);
		memset(at, 0, 1024 * 1024);
		rc = mu_pipe_send(p);
		sent += rc == 0;
	}
	ck_assert_int_eq(rc, MU_EFULL);
	ck_assert_uint_ge(sent, MU_PIPE_OUT_MAX / (1024 * 1024));
	ck_assert_uint_le(mu_pipe_out(p)->len, MU_PIPE_OUT_MAX);
	ck_assert(!ended);
}
END_TEST

/* ---- how much at a time ---- */

static void on_turn(void *arg)
{
	static size_t before;

	(void)arg;
	if (turns == 0)
		before = 0;
	if (frames - before > most)
		most = frames - before;
	before = frames;
	turns++;
	if (stop_at_first && frames)
		mu_loop_stop(loop);
}

static void count_turns(void)
{
	ck_assert_int_eq(mu_after_new(loop, on_turn, NULL, &turn), 0);
	mu_after_set(turn, true, false);
}

static void say_often(size_t n)
{
	struct mu_chan_log m = { MU_INFO, MU_STR("x") };
	struct mu_buf b;

	mu_buf_init(&b);
	while (n-- > 0)
		mu_put_chan_log(&b, &m);
	ck_assert_int_eq(send(theirs, b.data, b.len, MSG_NOSIGNAL),
	                 (ssize_t)b.len);
	mu_buf_fini(&b);
}

START_TEST(a_flood_of_small_frames_is_handled_a_few_at_a_time)
{
	count_turns();
	say_often(10 * MU_PIPE_FRAMES + 1);
	hang_up();
	mu_loop_run(loop);
	ck_assert_int_eq(end_rc, 0);
	ck_assert_uint_eq(frames, 10 * MU_PIPE_FRAMES + 1);
	/* On a slow machine the rest is over when the turn is: its timer and what
	 * comes from the channel are both in one. */
	ck_assert_uint_ge(most, MU_PIPE_FRAMES);
	ck_assert_uint_le(most, 2 * MU_PIPE_FRAMES);
}
END_TEST

START_TEST(of_the_last_words_so_many_are_read)
{
	count_turns();
	say_often(MU_PIPE_LAST_FRAMES + 1);
	hang_up();
	mu_pipe_drain(p);
	ck_assert_uint_eq(frames, MU_PIPE_LAST_FRAMES);
}
END_TEST

START_TEST(what_was_left_for_later_is_not_lost_at_the_end)
{
	count_turns();
	say_often(MU_PIPE_LAST_FRAMES);
	stop_at_first = true;
	mu_loop_run(loop);
	/* Twice as many on a slow machine, as above. */
	ck_assert_uint_ge(frames, MU_PIPE_FRAMES);
	ck_assert_uint_le(frames, 2 * MU_PIPE_FRAMES);
	ck_assert_uint_lt(frames, MU_PIPE_LAST_FRAMES);
	hang_up();
	mu_pipe_drain(p);
	ck_assert_uint_eq(frames, MU_PIPE_LAST_FRAMES);
	ck_assert(ended);
}
END_TEST

static void enough(void *arg)
{
	(void)arg;
	mu_loop_stop(loop);
}

START_TEST(a_runner_that_will_not_read_any_more_is_left_alone)
{
	uint8_t *at = mu_buf_grow(mu_pipe_out(p), 1024 * 1024);
	struct mu_timer *t;

	ck_assert_ptr_nonnull(at);
	memset(at, 0, 1024 * 1024);
	ck_assert_int_eq(mu_pipe_send(p), 0);
	ck_assert_uint_gt(mu_pipe_out(p)->len, 0);
	count_turns();
	while (recv(theirs, told, sizeof told, MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(shutdown(theirs, SHUT_RD), 0);
	ck_assert_int_eq(mu_timer_new(loop, enough, NULL, &t), 0);
	mu_timer_arm(t, 100, 0);
	mu_loop_run(loop);
	mu_timer_free(t);
	ck_assert_uint_lt(turns, 20);
	ck_assert(!ended); /* it may have something to say still */
	say("a", 100);
	mu_pipe_drain(p);
	ck_assert_uint_eq(frames, 1);
}
END_TEST

START_TEST(without_memory_to_read_into_it_is_read_later)
{
	say("ab", 1000);
	hang_up();
	fault_alloc_at(0);
	mu_loop_run(loop);
	ck_assert(fault_alloc_off());
	ck_assert_str_eq(told, "ab");
	ck_assert_int_eq(end_rc, 0);
}
END_TEST

START_TEST(what_is_sent_arrives)
{
	struct mu_chan_log m = { MU_INFO, MU_STR("hello") };
	char got[64];
	size_t len;

	mu_put_chan_log(mu_pipe_out(p), &m);
	len = mu_pipe_out(p)->len;
	ck_assert_int_eq(mu_pipe_send(p), 0);
	ck_assert_int_eq(recv(theirs, got, sizeof got, 0), (ssize_t)len);
	ck_assert_mem_eq(got + len - 5, "hello", 5);
}
END_TEST

START_TEST(a_runner_that_is_gone_is_no_signal)
{
	hang_up();
	mu_buf_put(mu_pipe_out(p), "\0\0\0\0", 4);
	ck_assert_int_eq(mu_pipe_send(p), 0);
	mu_loop_run(loop);
	ck_assert_int_eq(end_rc, 0);
}
END_TEST

START_TEST(what_a_dead_runner_said_last_is_read)
{
	say("abc", 5);
	hang_up();
	mu_pipe_drain(p);
	ck_assert_str_eq(told, "abc");
	ck_assert(ended);
	ck_assert_int_eq(end_rc, 0);
	mu_pipe_drain(p); /* there is no more */
	ck_assert_str_eq(told, "abc");
}
END_TEST

START_TEST(draining_waits_for_nobody)
{
	say("a", 64);
	mu_pipe_drain(p); /* somebody holds the other end still */
	ck_assert_str_eq(told, "a");
	ck_assert(!ended);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("host_pipe");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, frames_come_whole_however_they_were_cut, 1, 20);
	tcase_add_test(tc, a_frame_that_makes_no_sense_ends_the_pipe);
	tcase_add_loop_test(tc, a_frame_over_the_limit_ends_the_pipe, 0, 2);
	tcase_add_test(tc, half_a_frame_before_the_end_is_no_frame);
	tcase_add_test(tc,
	               a_runner_that_does_not_read_fills_the_pipe_to_its_limit);
	tcase_add_test(tc, a_flood_of_small_frames_is_handled_a_few_at_a_time);
	tcase_add_test(tc, of_the_last_words_so_many_are_read);
	tcase_add_test(tc, what_was_left_for_later_is_not_lost_at_the_end);
	tcase_add_test(tc, a_runner_that_will_not_read_any_more_is_left_alone);
	tcase_add_test(tc, without_memory_to_read_into_it_is_read_later);
	tcase_add_test(tc, what_is_sent_arrives);
	tcase_add_test(tc, a_runner_that_is_gone_is_no_signal);
	tcase_add_test(tc, what_a_dead_runner_said_last_is_read);
	tcase_add_test(tc, draining_waits_for_nobody);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
