/* The contract of agent/core/session.h; rules 8, 10 to 13 and 44 to 48. */
#include "session.h"

#include "fault.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MAX 300u

static const uint8_t key[16] = "0123456789abcde";
static const uint8_t password[MU_PASSWORD_LEN] = "a password of 1";
static struct mu_sessions *s;

static void setup(void)
{
	s = mu_sessions_new(key, MAX);
	ck_assert_ptr_nonnull(s);
}

static void teardown(void)
{
	fault_alloc_off();
	mu_sessions_free(s);
}

static struct mu_session *add(int64_t id, uint32_t timeout_ms, uint64_t now)
{
	struct mu_session *out = NULL;

	ck_assert_int_eq(
		mu_sessions_add(s, id, password, timeout_ms, now, &out), 0);
	return out;
}

/* The id of what expires at `now`; 0: nothing. */
static int64_t expire(uint64_t now)
{
	struct mu_session *e = mu_sessions_expire(s, now);

	return e ? e->id : 0;
}

START_TEST(an_added_session_is_found_by_its_id)
{
	struct mu_session *a = add(7, 1000, 0), *b = add(-8, 2000, 0);

	ck_assert_ptr_eq(mu_sessions_find(s, 7), a);
	ck_assert_ptr_eq(mu_sessions_find(s, -8), b);
	ck_assert_ptr_null(mu_sessions_find(s, 9));
	ck_assert_int_eq(a->id, 7);
	ck_assert_uint_eq(a->timeout_ms, 1000);
	ck_assert_uint_eq(a->link, 0);
	ck_assert(!a->closing);
	ck_assert_uint_eq(a->logged, 0);
	ck_assert_str_eq(a->origin, "");
	ck_assert_mem_eq(a->password, password, MU_PASSWORD_LEN);
	ck_assert_uint_eq(mu_sessions_count(s), 2);
}
END_TEST

START_TEST(an_id_that_is_taken_is_refused)
{
	struct mu_session *a = add(7, 1000, 0), *out = NULL;

	ck_assert_int_eq(mu_sessions_add(s, 7, password, 5, 0, &out),
	                 MU_EEXISTS);
	ck_assert_ptr_null(out);
	ck_assert_uint_eq(a->timeout_ms, 1000);
	ck_assert_uint_eq(mu_sessions_count(s), 1);
}
END_TEST

START_TEST(the_limit_can_be_reached_and_not_passed)
{
	struct mu_session *first = add(1, 1000, 0), *out = NULL;

	for (int64_t id = 2; id <= MAX; id++)
		add(id, 1000, 0);
	ck_assert_int_eq(mu_sessions_add(s, MAX + 1, password, 5, 0, &out),
	                 MU_EFULL);
	ck_assert_ptr_null(out);
	ck_assert_uint_eq(mu_sessions_count(s), MAX);
	ck_assert_ptr_eq(mu_sessions_find(s, 1), first);
	mu_sessions_remove(s, first);
	add(MAX + 1, 1000, 0);
}
END_TEST

START_TEST(a_removed_session_is_gone)
{
	add(7, 1000, 0);
	mu_sessions_remove(s, mu_sessions_find(s, 7));
	ck_assert_ptr_null(mu_sessions_find(s, 7));
	ck_assert_uint_eq(mu_sessions_count(s), 0);
	ck_assert_int_eq(expire(10000), 0);
}
END_TEST

START_TEST(rule45_a_session_expires_at_its_deadline_and_not_before)
{
	add(7, 1000, 500);
	ck_assert_int_eq(expire(1499), 0);
	ck_assert_int_eq(expire(1500), 7);
	ck_assert(mu_sessions_find(s, 7)->closing);
	ck_assert_int_eq(expire(9999), 0);
}
END_TEST

START_TEST(rule44_a_touch_moves_the_deadline)
{
	struct mu_session *a = add(7, 1000, 0);

	mu_sessions_touch(s, a, 600);
	ck_assert_int_eq(expire(1000), 0);
	mu_sessions_touch(s, a, 1200);
	ck_assert_int_eq(expire(2199), 0);
	ck_assert_int_eq(expire(2200), 7);
}
END_TEST

START_TEST(a_timeout_made_shorter_counts_from_the_next_touch)
{
	struct mu_session *a = add(7, 10000, 0);

	add(8, 5000, 0);
	a->timeout_ms = 1000;
	mu_sessions_touch(s, a, 100);
	ck_assert_int_eq(expire(1099), 0);
	ck_assert_int_eq(expire(1100), 7);
	ck_assert_int_eq(expire(5000), 8);
}
END_TEST

START_TEST(sessions_expire_in_the_order_of_their_deadlines)
{
	add(1, 3000, 0);
	add(2, 1000, 0);
	add(3, 2000, 0);
	mu_sessions_touch(s, mu_sessions_find(s, 2), 1500);
	ck_assert_int_eq(expire(9000), 3);
	ck_assert_int_eq(expire(9000), 2);
	ck_assert_int_eq(expire(9000), 1);
	ck_assert_int_eq(expire(9000), 0);
}
END_TEST

START_TEST(a_stall_of_the_broker_expires_nobody)
{
	struct mu_session *a = add(7, 1000, 10000);

	mu_sessions_stalled(s, 5000);
	ck_assert_int_eq(expire(15999), 0);
	ck_assert_int_eq(expire(16000), 7);
	mu_sessions_unexpire(s, a, 16000);
	mu_sessions_touch(s, a, 16000);
	ck_assert_int_eq(expire(16999), 0);
	ck_assert_int_eq(expire(17000), 7);
}
END_TEST

START_TEST(a_stall_longer_than_the_clock_is_no_time_at_all)
{
	mu_sessions_stalled(s, 5000);
	add(7, 1000, 0);
	ck_assert_int_eq(expire(5999), 0);
	ck_assert_int_eq(expire(6000), 7);
}
END_TEST

START_TEST(a_session_that_is_closing_does_not_expire)
{
	struct mu_session *a = add(7, 1000, 0);

	add(8, 2000, 0);
	a->closing = true;
	ck_assert_int_eq(expire(5000), 8);
	ck_assert_int_eq(expire(5000), 0);
	mu_sessions_touch(s, a, 5000);
	mu_sessions_remove(s, a);
	ck_assert_uint_eq(mu_sessions_count(s), 1);
}
END_TEST

START_TEST(an_unexpired_session_is_found_again_at_once)
{
	struct mu_session *a = add(7, 1000, 0);

	ck_assert_int_eq(expire(1000), 7);
	fault_alloc_at(0);
	mu_sessions_unexpire(s, a, 1000);
	ck_assert(!fault_alloc_off());
	ck_assert(!a->closing);
	ck_assert_int_eq(expire(1000), 7);
	ck_assert(a->closing);
	ck_assert_int_eq(expire(1000), 0);
}
END_TEST

START_TEST(a_close_that_was_not_logged_can_be_taken_back_too)
{
	struct mu_session *a = add(7, 1000, 0);

	a->closing = true;
	mu_sessions_unexpire(s, a, 100);
	ck_assert_int_eq(expire(100), 7);
	ck_assert_int_eq(expire(100), 0);
}
END_TEST

START_TEST(rule10_a_password_is_compared_whole)
{
	struct mu_session *a = add(7, 1000, 0);
	uint8_t other[MU_PASSWORD_LEN];

	ck_assert(mu_session_password_is(a, password, MU_PASSWORD_LEN));
	ck_assert(!mu_session_password_is(a, password, MU_PASSWORD_LEN - 1));
	ck_assert(!mu_session_password_is(a, NULL, 0));
	for (unsigned i = 0; i < MU_PASSWORD_LEN; i++) {
		memcpy(other, password, sizeof other);
		other[i] ^= 0x80;
		ck_assert(!mu_session_password_is(a, other, sizeof other));
	}
}
END_TEST

static void sum(void *arg, struct mu_session *session)
{
	*(int64_t *)arg += session->id;
}

START_TEST(each_visits_all_once)
{
	int64_t total = 0;

	for (int64_t id = 1; id <= 100; id++)
		add(id, 1000, 0);
	mu_sessions_each(s, sum, &total);
	ck_assert_int_eq(total, 5050);
}
END_TEST

START_TEST(pointers_are_good_until_the_session_is_removed)
{
	struct mu_session *a = add(1, 1000, 0);

	for (int64_t id = 2; id <= MAX; id++)
		add(id, 1000, 0);
	ck_assert_ptr_eq(mu_sessions_find(s, 1), a);
	ck_assert_int_eq(a->id, 1);
}
END_TEST

START_TEST(an_add_without_memory_changes_nothing)
{
	struct mu_session *out = NULL;
	unsigned k = 0;
	int rc;

	do {
		fault_alloc_at(k++);
		rc = mu_sessions_add(s, 7, password, 1000, 0, &out);
		ck_assert_int_eq(fault_alloc_off(), rc != 0);
		ck_assert(rc == 0 || rc == MU_ENOMEM);
		ck_assert_uint_eq(mu_sessions_count(s), rc == 0);
		ck_assert_int_eq(mu_sessions_find(s, 7) != NULL, rc == 0);
		ck_assert_int_eq(out != NULL, rc == 0);
		if (rc) { /* so that what was gained is swept again */
			teardown();
			setup();
		}
	} while (rc);
	ck_assert_uint_gt(k, 3);
	ck_assert_int_eq(expire(1000), 7);
}
END_TEST

START_TEST(a_table_may_be_refused_memory_at_every_step)
{
	struct mu_sessions *v = NULL;
	unsigned k = 0;

	while (!v) {
		fault_alloc_at(k++);
		v = mu_sessions_new(key, 1);
		ck_assert_int_eq(fault_alloc_off(), !v);
	}
	ck_assert_uint_gt(k, 2);
	mu_sessions_free(v);
	mu_sessions_free(NULL);
}
END_TEST

/* Against deadlines kept in an array. */
START_TEST(sessions_expire_as_the_model_says)
{
	uint64_t deadline[MAX + 1] = { 0 }, now = 0;

	srand(3);
	for (int i = 0; i < 5000; i++, now += (uint64_t)rand() % 20) {
		int64_t id = 1 + rand() % (int)MAX, due;
		struct mu_session *a = mu_sessions_find(s, id);

		if (a) {
			mu_sessions_touch(s, a, now);
			deadline[id] = now + a->timeout_ms;
		} else {
			a = add(id, 100 + (uint32_t)rand() % 3000, now);
			deadline[id] = now + a->timeout_ms;
		}
		while ((due = expire(now)) != 0) {
			ck_assert_uint_le(deadline[due], now);
			deadline[due] = 0;
			mu_sessions_remove(s, mu_sessions_find(s, due));
		}
		for (id = 1; id <= MAX; id++)
			if (deadline[id] && deadline[id] <= now)
				ck_abort_msg("session %d is late", (int)id);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *c = tcase_create("session");
	SRunner *r;
	int failed;

	suite_add_tcase(suite, c);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, an_added_session_is_found_by_its_id);
	tcase_add_test(c, an_id_that_is_taken_is_refused);
	tcase_add_test(c, the_limit_can_be_reached_and_not_passed);
	tcase_add_test(c, a_removed_session_is_gone);
	tcase_add_test(c,
	               rule45_a_session_expires_at_its_deadline_and_not_before);
	tcase_add_test(c, rule44_a_touch_moves_the_deadline);
	tcase_add_test(c, a_timeout_made_shorter_counts_from_the_next_touch);
	tcase_add_test(c, sessions_expire_in_the_order_of_their_deadlines);
	tcase_add_test(c, a_stall_of_the_broker_expires_nobody);
	tcase_add_test(c, a_stall_longer_than_the_clock_is_no_time_at_all);
	tcase_add_test(c, a_session_that_is_closing_does_not_expire);
	tcase_add_test(c, an_unexpired_session_is_found_again_at_once);
	tcase_add_test(c, a_close_that_was_not_logged_can_be_taken_back_too);
	tcase_add_test(c, rule10_a_password_is_compared_whole);
	tcase_add_test(c, each_visits_all_once);
	tcase_add_test(c, pointers_are_good_until_the_session_is_removed);
	tcase_add_test(c, an_add_without_memory_changes_nothing);
	tcase_add_test(c, a_table_may_be_refused_memory_at_every_step);
	tcase_add_test(c, sessions_expire_as_the_model_says);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
