/* Looking at the store from outside: store.h, watch.h and session.h. */
#include "store_bed.h"

#include "session.h"
#include "watch.h"

START_TEST(a_link_and_its_session_are_shown)
{
	struct mu_store_link l;
	int64_t session;

	bed_open();
	ck_assert(!mu_store_link_look(store.s, 1, &l));
	session = bed_connect(1);
	ck_assert(mu_store_link_look(store.s, 1, &l));
	ck_assert_int_eq(l.session, session);
	ck_assert_uint_gt(l.timeout_ms, 0);
	ck_assert_uint_eq(l.waiting, 0);
	store.slow = true;
	bed_send(1, 1, MU_OP_SET_DATA, q_set("/", "x", -1));
	bed_send(1, 2, MU_OP_GET_DATA, q_path("/", false));
	ck_assert(mu_store_link_look(store.s, 1, &l));
	ck_assert_uint_eq(l.waiting, 2);
	bed_lost(1);
	ck_assert(!mu_store_link_look(store.s, 1, &l));
	bed_close();
}
END_TEST

START_TEST(rule80_a_link_takes_as_many_as_may_wait_and_no_more)
{
	struct mu_store_config c = bed_config();
	int32_t i;

	c.outstanding_max = 3;
	bed_open_with(&c);
	ck_assert(mu_store_link_takes(store.s, 1, 10)); /* unknown */
	bed_connect(1);
	store.slow = true;
	for (i = 1; i <= 3; i++) {
		ck_assert(mu_store_link_takes(store.s, 1, 10));
		bed_send(1, i, MU_OP_SET_DATA, q_set("/", "x", -1));
	}
	ck_assert(!mu_store_link_takes(store.s, 1, 10));
	ck_assert_uint_eq(bed_stats().throttled, 0);
	/* it says what the store does */
	bed_send(1, 4, MU_OP_SET_DATA, q_set("/", "x", -1));
	ck_assert_uint_eq(bed_stats().throttled, 1);
	bed_close();
}
END_TEST

static char text[256];

static void note(void *arg, struct mu_str path, uint32_t link, unsigned kinds)
{
	const size_t len = strlen(text);

	(void)arg;
	mu_format(text + len, sizeof text - len, "%.*s:%u:%u ", (int)path.len,
	          path.at, (unsigned)link, kinds);
}

START_TEST(watches_are_visited_path_by_path_and_link_by_link)
{
	static const uint8_t key[16] = "0123456789abcde";
	struct mu_watches *w = mu_watches_new(key, 100);

	ck_assert_uint_eq(mu_watches_links(w), 0);
	mu_watches_each(w, note, NULL);
	mu_watches_each_of(w, 7, note, NULL);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(mu_watches_add(w, 7, MU_STR("/a"), MU_WATCH_DATA), 0);
	ck_assert_int_eq(mu_watches_add(w, 8, MU_STR("/b"), MU_WATCH_CHILD), 0);
	ck_assert_int_eq(mu_watches_add(w, 8, MU_STR("/a"), MU_WATCH_CHILD), 0);
	ck_assert_uint_eq(mu_watches_links(w), 2);
	mu_watches_each(w, note, NULL);
	/* those of one path stand together, whichever path comes first */
	ck_assert_ptr_nonnull(strstr(text, "/a:7:1 /a:8:2 "));
	ck_assert_ptr_nonnull(strstr(text, "/b:8:2 "));
	ck_assert_uint_eq(strlen(text), 21);
	text[0] = '\0';
	mu_watches_each_of(w, 7, note, NULL);
	ck_assert_str_eq(text, "/a:7:1 ");
	text[0] = '\0';
	mu_watches_each_of(w, 8, note, NULL);
	ck_assert_uint_eq(strlen(text), 14);
	mu_watches_free(w);
}
END_TEST

START_TEST(what_is_left_of_a_session_stands_still_in_a_stall)
{
	static const uint8_t key[16] = "0123456789abcde";
	static const uint8_t password[16] = "password";
	struct mu_sessions *s = mu_sessions_new(key, 10);
	struct mu_session *one;

	ck_assert_int_eq(mu_sessions_add(s, 1, password, 1000, 5000, &one), 0);
	ck_assert_uint_eq(mu_session_left_ms(s, one, 5000), 1000);
	ck_assert_uint_eq(mu_session_left_ms(s, one, 5999), 1);
	ck_assert_uint_eq(mu_session_left_ms(s, one, 6000), 0);
	ck_assert_uint_eq(mu_session_left_ms(s, one, 9000), 0);
	mu_sessions_stalled(s, 500);
	ck_assert_uint_eq(mu_session_left_ms(s, one, 6000), 500);
	mu_sessions_touch(s, one, 6000);
	ck_assert_uint_eq(mu_session_left_ms(s, one, 6000), 1000);
	mu_sessions_free(s);
}
END_TEST

START_TEST(sessions_and_watches_are_those_of_the_store)
{
	bed_open();
	ck_assert_uint_eq(mu_sessions_count(mu_store_sessions(store.s)), 0);
	bed_connect(1);
	ck_assert_int_eq(bed_ask(1, MU_OP_GET_DATA, q_path("/", true)), 1);
	ck_assert_uint_eq(mu_sessions_count(mu_store_sessions(store.s)), 1);
	ck_assert_uint_eq(mu_watches_count(mu_store_watches(store.s)), 1);
	bed_close();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store: look");
	TCase *c = tcase_create("look");
	SRunner *r;
	int failed;

	tcase_add_test(c, a_link_and_its_session_are_shown);
	tcase_add_test(c, rule80_a_link_takes_as_many_as_may_wait_and_no_more);
	tcase_add_test(c, watches_are_visited_path_by_path_and_link_by_link);
	tcase_add_test(c, what_is_left_of_a_session_stands_still_in_a_stall);
	tcase_add_test(c, sessions_and_watches_are_those_of_the_store);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
