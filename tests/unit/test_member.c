/* Decisions about members, and the roll. See member.h and roll.h. */
#include "member.h"
#include "roll.h"

#include "fault.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static enum mu_claim claim(const char *own_id, int64_t session,
                           const char *found_id, int64_t owner)
{
	struct mu_claim_case c = { own_id, found_id, session, owner, false };

	return mu_member_claim(&c);
}

static struct mu_member a_member(const char *name, int64_t czxid)
{
	struct mu_member m = { .size = sizeof m };

	m.name = name;
	m.id = "id";
	m.address = "10.0.0.1";
	m.port = 80;
	m.version = "1";
	m.boot_id = "b";
	m.started_ms = 5;
	m.state = "up";
	m.labels = "{}";
	m.czxid = czxid;
	return m;
}

/* ---- member.h ---- */

/* rule 53 */
START_TEST(rule53_a_node_of_this_session_is_ours_whatever_it_says)
{
	ck_assert_int_eq(claim("me", 7, "me", 7), MU_CLAIM_OURS);
	ck_assert_int_eq(claim("me", 7, "", 7), MU_CLAIM_OURS);
	ck_assert_int_eq(claim("me", 7, "you", 7), MU_CLAIM_OURS);
}
END_TEST

START_TEST(rule53_a_node_of_our_id_and_another_session_is_our_ghost)
{
	ck_assert_int_eq(claim("me", 7, "me", 6), MU_CLAIM_GHOST);
	ck_assert_int_eq(claim("me", 7, "me", 0), MU_CLAIM_GHOST);
}
END_TEST

START_TEST(our_id_in_a_later_session_is_another_agents)
{
	struct mu_claim_case c = { "me", "me", 7, 8, .held = true };

	ck_assert_int_eq(mu_member_claim(&c), MU_CLAIM_TAKEN);
	c.owner = 7;
	ck_assert_int_eq(mu_member_claim(&c), MU_CLAIM_OURS);
	c.owner = 8;
	c.held = false;
	ck_assert_int_eq(mu_member_claim(&c), MU_CLAIM_GHOST);
}
END_TEST

START_TEST(a_node_of_another_id_is_another_hosts)
{
	ck_assert_int_eq(claim("me", 7, "you", 6), MU_CLAIM_TAKEN);
	ck_assert_int_eq(claim("me", 7, "", 6), MU_CLAIM_TAKEN);
	ck_assert_int_eq(claim("me", 7, NULL, 6), MU_CLAIM_TAKEN);
	ck_assert_int_eq(claim("me", 0, "you", 0), MU_CLAIM_TAKEN);
}
END_TEST

static const struct {
	const char *state, *left;
	enum mu_event_type want;
} ends[] = {
	{ "up", NULL, MU_EVENT_MEMBER_FAILED },
	{ "up", "42", MU_EVENT_MEMBER_LEFT },
	{ "up", "41", MU_EVENT_MEMBER_FAILED },
	{ "up", "421", MU_EVENT_MEMBER_FAILED },
	{ "up", "4", MU_EVENT_MEMBER_FAILED },
	{ "up", "", MU_EVENT_MEMBER_FAILED },
	{ "leaving", NULL, MU_EVENT_MEMBER_LEFT },
	{ "leaving", "41", MU_EVENT_MEMBER_LEFT },
	{ "", NULL, MU_EVENT_MEMBER_FAILED },
};

START_TEST(a_member_leaves_on_purpose_or_fails)
{
	struct mu_member m = a_member("m", 42);

	m.state = ends[_i].state;
	ck_assert_int_eq(mu_member_end(&m, mu_str_of(ends[_i].left)),
	                 ends[_i].want);
}
END_TEST

START_TEST(a_restart_within_the_session_is_no_change)
{
	struct mu_member a = a_member("m", 1), b = a;

	b.state = "leaving";
	b.started_ms = 6;
	b.boot_id = "c";
	ck_assert(!mu_member_differs(&a, &b));
}
END_TEST

START_TEST(what_others_use_is_a_change)
{
	struct mu_member a = a_member("m", 1), b;

	b = a, b.id = "x";
	ck_assert(mu_member_differs(&a, &b));
	b = a, b.address = "x";
	ck_assert(mu_member_differs(&a, &b));
	b = a, b.port = 81;
	ck_assert(mu_member_differs(&a, &b));
	b = a, b.version = "2";
	ck_assert(mu_member_differs(&a, &b));
	b = a, b.labels = "{\"a\":\"b\"}";
	ck_assert(mu_member_differs(&a, &b));
	b = a, b.state = "maintenance";
	ck_assert(mu_member_differs(&a, &b));
}
END_TEST

/* ---- roll.h ---- */

static struct mu_roll *r;
static char told[1024];

static void on_event(void *arg, const struct mu_roll_event *e)
{
	static const char *const word[] = { "present", "joined", "left",
		                            "failed", "changed" };
	size_t len = strlen(told);

	(void)arg;
	len += (size_t)snprintf(
		told + len, sizeof told - len, "%s %s %lld%s",
		e->type == MU_EVENT_GAP
			? "gap"
			: word[e->type - MU_EVENT_MEMBER_PRESENT],
		e->member->name, (long long)e->member->czxid,
		e->flags & MU_EVENT_COALESCED ? " coalesced" : "");
	if (e->exact)
		len += (size_t)snprintf(told + len, sizeof told - len,
		                        " of (%lld,%d) by %d 0x%llx %.*s",
		                        (long long)e->zxid, e->n, e->cause,
		                        (long long)e->session,
		                        (int)e->origin.len, e->origin.at);
	snprintf(told + len, sizeof told - len, "%s; ", e->past ? " past" : "");
}

static void setup(void)
{
	told[0] = '\0';
	r = mu_roll_new(on_event, NULL);
	ck_assert_ptr_nonnull(r);
}

static void teardown(void)
{
	mu_roll_free(r);
}

static int change_with(uint32_t type, const struct mu_member *m)
{
	struct mu_roll_change c = {
		.type = type, .count = 1, .zxid = 9, .member = m
	};

	return mu_roll_change(r, &c);
}

static void change(uint32_t type, const char *name, int64_t czxid)
{
	struct mu_member m = a_member(name, czxid);

	ck_assert_int_eq(change_with(type, &m), 0);
}

static void assert_told(const char *want)
{
	ck_assert_str_eq(told, want);
	told[0] = '\0';
}

START_TEST(the_first_delivery_is_present_and_later_ones_join)
{
	change(MU_EVENT_PRESENT, "b", 1);
	change(MU_EVENT_CREATED, "a", 2);
	assert_told("present b 1; joined a 2; ");
	ck_assert_uint_eq(mu_roll_count(r), 2);
	ck_assert_str_eq(mu_roll_next(r, NULL)->name, "a");
	ck_assert_str_eq(mu_roll_next(r, mu_roll_next(r, NULL))->name, "b");
}
END_TEST

START_TEST(an_end_waits_for_the_answer_and_all_else_behind_it)
{
	change(MU_EVENT_PRESENT, "a", 1);
	change(MU_EVENT_DELETED, "a", 0);
	change(MU_EVENT_CREATED, "b", 2);
	assert_told("present a 1; ");
	ck_assert_str_eq(mu_roll_question(r), "a");
	ck_assert_ptr_null(mu_roll_question(r));
	mu_roll_answer(r, (struct mu_str){ NULL, 0 });
	assert_told("failed a 1; joined b 2; ");
	ck_assert_ptr_null(mu_roll_question(r));
}
END_TEST

START_TEST(left_names_the_stay_that_ended)
{
	change(MU_EVENT_PRESENT, "a", 17);
	change(MU_EVENT_DELETED, "a", 0);
	ck_assert_ptr_nonnull(mu_roll_question(r));
	mu_roll_answer(r, MU_STR("17"));
	assert_told("present a 17; left a 17; ");
}
END_TEST

START_TEST(one_last_seen_leaving_left_without_a_question)
{
	struct mu_member m = a_member("a", 3);

	change(MU_EVENT_PRESENT, "a", 3);
	m.state = "leaving";
	ck_assert_int_eq(change_with(MU_EVENT_CHANGED, &m), 0);
	change(MU_EVENT_DELETED, "a", 0);
	assert_told("present a 3; left a 3; ");
}
END_TEST

START_TEST(one_that_went_and_came_back_unseen_is_told_of_twice)
{
	change(MU_EVENT_PRESENT, "a", 1);
	change(MU_EVENT_CHANGED, "a", 5);
	ck_assert_str_eq(mu_roll_question(r), "a");
	mu_roll_answer(r, MU_STR("1"));
	assert_told("present a 1; left a 1 coalesced; joined a 5 coalesced; ");
	ck_assert_uint_eq(mu_roll_count(r), 1);
}
END_TEST

START_TEST(one_that_was_leaving_and_came_back_left_and_joined)
{
	struct mu_member m = a_member("a", 1);

	m.state = "leaving";
	ck_assert_int_eq(change_with(MU_EVENT_PRESENT, &m), 0);
	change(MU_EVENT_CHANGED, "a", 5);
	assert_told("present a 1; left a 1 coalesced; joined a 5 coalesced; ");
}
END_TEST

START_TEST(a_lost_question_is_asked_again)
{
	change(MU_EVENT_PRESENT, "a", 1);
	change(MU_EVENT_DELETED, "a", 0);
	ck_assert_ptr_nonnull(mu_roll_question(r));
	mu_roll_ask_again(r);
	mu_roll_answer(r, MU_STR("1")); /* nobody asked */
	ck_assert_str_eq(mu_roll_question(r), "a");
	mu_roll_answer(r, (struct mu_str){ NULL, 0 });
	assert_told("present a 1; failed a 1; ");
}
END_TEST

START_TEST(the_end_of_one_never_seen_tells_nobody)
{
	change(MU_EVENT_DELETED, "ghost", 0);
	assert_told("");
	ck_assert_ptr_null(mu_roll_question(r));
}
END_TEST

START_TEST(another_tree_tells_of_no_ends)
{
	change(MU_EVENT_PRESENT, "a", 1);
	change(MU_EVENT_PRESENT, "b", 1);
	change(MU_EVENT_DELETED, "a", 0);
	told[0] = '\0';
	mu_roll_forget(r);
	ck_assert_uint_eq(mu_roll_count(r), 0);
	ck_assert_ptr_null(mu_roll_question(r));
	change(MU_EVENT_PRESENT, "b", 2);
	assert_told("present b 2; ");
}
END_TEST

static int past(uint32_t type, const struct mu_member *m)
{
	char origin[] = "host7";
	struct mu_roll_change c = { .type = type,
		                    .count = 1,
		                    .zxid = 9,
		                    .member = m,
		                    .n = 3,
		                    .exact = true,
		                    .past = true,
		                    .cause = 2,
		                    .session = 5,
		                    .origin = mu_str_of(origin) };
	int rc = mu_roll_change(r, &c);

	memset(origin, 'x', sizeof origin); /* it was copied */
	return rc;
}

static void gap(void)
{
	const struct mu_member nobody = { .size = sizeof nobody };
	const struct mu_roll_change c = { .type = MU_EVENT_GAP,
		                          .count = 1,
		                          .member = &nobody };

	ck_assert_int_eq(mu_roll_change(r, &c), 0);
}

START_TEST(a_gap_comes_behind_what_waits_for_an_answer)
{
	change(MU_EVENT_PRESENT, "a", 1);
	told[0] = '\0';
	change(MU_EVENT_DELETED, "a", 0);
	gap();
	change(MU_EVENT_CREATED, "b", 2);
	assert_told("");
	ck_assert_str_eq(mu_roll_question(r), "a");
	mu_roll_answer(r, (struct mu_str){ 0 });
	assert_told("failed a 1; gap  0; joined b 2; ");
	ck_assert_uint_eq(mu_roll_count(r), 1);
}
END_TEST

/* It joined before the position from which is told, and went before all was
 * read: whoever goes on from there knows it. */
START_TEST(a_change_of_one_who_went_before_all_was_read_is_no_joining)
{
	struct mu_member m = a_member("a", 1);
	struct mu_roll_change c = { .type = MU_EVENT_CHANGED,
		                    .count = 1,
		                    .zxid = 9,
		                    .member = &m,
		                    .exact = true };

	ck_assert_int_eq(mu_roll_change(r, &c), 0);
	assert_told("changed a 1 of (9,0) by 0 0x0 ; ");
	m = a_member("b", 2);
	ck_assert_int_eq(mu_roll_put_past(r, &m), 0);
	ck_assert_int_eq(mu_roll_change(r, &c), 0);
	assert_told("");
	m.port++;
	ck_assert_int_eq(mu_roll_change(r, &c), 0);
	assert_told("changed b 2 of (9,0) by 0 0x0 ; ");
}
END_TEST

START_TEST(what_is_past_is_told_as_it_was_and_changes_nothing)
{
	struct mu_member m = a_member("a", 1);

	ck_assert_int_eq(mu_roll_put(r, &m), 0);
	assert_told("");
	ck_assert_int_eq(past(MU_EVENT_CREATED, &m), 0);
	assert_told("joined a 1 of (9,3) by 2 0x5 host7 past; ");
	m.port++;
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &m), 0);
	assert_told("changed a 1 of (9,3) by 2 0x5 host7 past; ");
	m = a_member("gone", 8);
	ck_assert_int_eq(past(MU_EVENT_DELETED, &m), 0);
	change(MU_EVENT_CREATED, "b", 2);
	assert_told("");
	ck_assert(mu_roll_is_waiting(r));
	ck_assert_str_eq(mu_roll_question(r), "gone");
	mu_roll_answer(r, (struct mu_str){ NULL, 0 });
	assert_told("failed gone 8 of (9,3) by 2 0x5 host7 past; joined b 2; ");
	ck_assert(!mu_roll_is_waiting(r));
	ck_assert_int_eq(past(MU_EVENT_DELETED, &m), 0);
	ck_assert_str_eq(mu_roll_question(r), "gone");
	mu_roll_answer(r, MU_STR("8"));
	assert_told("left gone 8 of (9,3) by 2 0x5 host7 past; ");
	m.state = "leaving";
	ck_assert_int_eq(past(MU_EVENT_DELETED, &m), 0);
	assert_told("left gone 8 of (9,3) by 2 0x5 host7 past; ");
	ck_assert_uint_eq(mu_roll_count(r), 2);
}
END_TEST

#define CHANGED_A "changed a 1 of (9,3) by 2 0x5 host7 past; "

START_TEST(a_change_of_the_past_is_told_if_it_would_have_been_told_then)
{
	struct mu_member was = a_member("a", 1), m = was;

	ck_assert_int_eq(past(MU_EVENT_CHANGED, &m), 0);
	assert_told(CHANGED_A); /* what it was is not known */
	m.state = "leaving";
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &m), 0);
	assert_told("");
	m.port++;
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &m), 0);
	assert_told(CHANGED_A);
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &was), 0);
	assert_told(CHANGED_A);
	m = a_member("a", 2); /* another stay of it */
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &m), 0);
	assert_told("changed a 2 of (9,3) by 2 0x5 host7 past; ");
}
END_TEST

START_TEST(what_was_before_all_that_is_told_is_what_changes_are_held_against)
{
	struct mu_member a = a_member("a", 1), b = a_member("b", 2);

	ck_assert_int_eq(mu_roll_put_past(r, &b), 0);
	ck_assert_int_eq(mu_roll_put_past(r, &a), 0);
	ck_assert_uint_eq(mu_roll_count(r), 0);
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &a), 0);
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &b), 0);
	assert_told("");
	b.state = "leaving";
	ck_assert_int_eq(past(MU_EVENT_DELETED, &b), 0);
	assert_told("left b 2 of (9,3) by 2 0x5 host7 past; ");
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &b), 0);
	assert_told("changed b 2 of (9,3) by 2 0x5 host7 past; ");
	mu_roll_forget_past(r);
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &a), 0);
	assert_told(CHANGED_A);
	fault_alloc_at(0);
	ck_assert_int_eq(mu_roll_put_past(r, &a), MU_ENOMEM);
	ck_assert(fault_alloc_off());
}
END_TEST

START_TEST(a_change_of_the_past_that_stands_for_several_is_told)
{
	struct mu_member a = a_member("a", 1);
	struct mu_roll_change c = { .type = MU_EVENT_CHANGED,
		                    .count = 2,
		                    .zxid = 9,
		                    .member = &a,
		                    .exact = true,
		                    .past = true };

	ck_assert_int_eq(mu_roll_put_past(r, &a), 0);
	ck_assert_int_eq(mu_roll_change(r, &c), 0);
	assert_told("changed a 1 of (9,0) by 0 0x0  past; ");
}
END_TEST

/* Between the two others may have been told. */
START_TEST(behind_a_change_that_is_not_past_it_is_not_known_what_was_before)
{
	struct mu_member a = a_member("a", 1), b = a_member("b", 2);

	ck_assert_int_eq(mu_roll_put_past(r, &a), 0);
	ck_assert_int_eq(mu_roll_put_past(r, &b), 0);
	ck_assert_int_eq(mu_roll_put(r, &a), 0);
	change(MU_EVENT_CHANGED, "a", 1);
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &b), 0);
	assert_told("");
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &a), 0);
	assert_told(CHANGED_A);
	change(MU_EVENT_DELETED, "b", 2);
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &b), 0);
	assert_told("changed b 2 of (9,3) by 2 0x5 host7 past; ");
}
END_TEST

START_TEST(behind_a_gap_it_is_not_known_what_was_before)
{
	struct mu_member a = a_member("a", 1);

	ck_assert_int_eq(mu_roll_put_past(r, &a), 0);
	gap();
	assert_told("gap  0; ");
	ck_assert_int_eq(past(MU_EVENT_CHANGED, &a), 0);
	assert_told(CHANGED_A);
}
END_TEST

START_TEST(one_who_was_put_in_is_known_from_then_on)
{
	struct mu_member m = a_member("a", 1);

	ck_assert_int_eq(mu_roll_put(r, &m), 0);
	change(MU_EVENT_CHANGED, "a", 1);
	assert_told(""); /* it is the same */
	m = a_member("a", 4);
	ck_assert_int_eq(mu_roll_put(r, &m), 0);
	ck_assert_uint_eq(mu_roll_count(r), 1);
	change(MU_EVENT_DELETED, "a", 0);
	ck_assert_str_eq(mu_roll_question(r), "a");
	mu_roll_answer(r, MU_STR("4"));
	assert_told("left a 4; ");
	fault_alloc_at(0);
	ck_assert_int_eq(mu_roll_put(r, &m), MU_ENOMEM);
	ck_assert(fault_alloc_off());
	ck_assert_uint_eq(mu_roll_count(r), 0);
}
END_TEST

START_TEST(a_record_without_texts_is_taken)
{
	struct mu_member m = { .size = sizeof m, .name = "a" };

	ck_assert_int_eq(change_with(MU_EVENT_PRESENT, &m), 0);
	ck_assert_str_eq(mu_roll_next(r, NULL)->address, "");
}
END_TEST

START_TEST(the_queue_ends_at_its_limit)
{
	struct mu_member m = a_member("a", 1);

	change(MU_EVENT_PRESENT, "a", 1);
	change(MU_EVENT_DELETED, "a", 0);
	for (uint32_t i = 1; i < MU_ROLL_QUEUE_MAX; i++)
		ck_assert_int_eq(change_with(MU_EVENT_DELETED, &m), 0);
	ck_assert_int_eq(change_with(MU_EVENT_DELETED, &m), MU_EFULL);
	ck_assert_ptr_nonnull(mu_roll_question(r));
	mu_roll_answer(r, (struct mu_str){ NULL, 0 });
	assert_told("present a 1; failed a 1; ");
}
END_TEST

START_TEST(a_change_survives_the_loss_of_any_allocation)
{
	unsigned refusals = 0;

	for (char name[] = "a"; name[0] <= 'z'; name[0]++) {
		struct mu_member m = a_member(name, 1);

		for (unsigned k = 0;; k++) {
			size_t before = mu_roll_count(r);
			int rc;

			fault_alloc_at(k);
			rc = change_with(MU_EVENT_PRESENT, &m);
			if (!fault_alloc_off()) {
				ck_assert_int_eq(rc, 0);
				break;
			}
			ck_assert_int_eq(rc, MU_ENOMEM);
			ck_assert_uint_eq(mu_roll_count(r), before);
			refusals++;
		}
		told[0] = '\0';
	}
	ck_assert_uint_ge(refusals, 26);
	ck_assert_uint_eq(mu_roll_count(r), 26);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("member");
	TCase *tc = tcase_create("decisions");
	SRunner *sr;
	int failed;

	tcase_add_test(tc,
	               rule53_a_node_of_this_session_is_ours_whatever_it_says);
	tcase_add_test(
		tc, rule53_a_node_of_our_id_and_another_session_is_our_ghost);
	tcase_add_test(tc, our_id_in_a_later_session_is_another_agents);
	tcase_add_test(tc, a_node_of_another_id_is_another_hosts);
	tcase_add_loop_test(tc, a_member_leaves_on_purpose_or_fails, 0,
	                    sizeof ends / sizeof *ends);
	tcase_add_test(tc, a_restart_within_the_session_is_no_change);
	tcase_add_test(tc, what_others_use_is_a_change);
	suite_add_tcase(s, tc);
	tc = tcase_create("roll");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_first_delivery_is_present_and_later_ones_join);
	tcase_add_test(tc, an_end_waits_for_the_answer_and_all_else_behind_it);
	tcase_add_test(tc, left_names_the_stay_that_ended);
	tcase_add_test(tc, one_last_seen_leaving_left_without_a_question);
	tcase_add_test(tc, one_that_went_and_came_back_unseen_is_told_of_twice);
	tcase_add_test(tc, one_that_was_leaving_and_came_back_left_and_joined);
	tcase_add_test(tc, a_lost_question_is_asked_again);
	tcase_add_test(tc, the_end_of_one_never_seen_tells_nobody);
	tcase_add_test(tc, another_tree_tells_of_no_ends);
	tcase_add_test(tc, a_gap_comes_behind_what_waits_for_an_answer);
	tcase_add_test(
		tc, a_change_of_one_who_went_before_all_was_read_is_no_joining);
	tcase_add_test(tc, what_is_past_is_told_as_it_was_and_changes_nothing);
	tcase_add_test(
		tc,
		a_change_of_the_past_is_told_if_it_would_have_been_told_then);
	tcase_add_test(
		tc,
		what_was_before_all_that_is_told_is_what_changes_are_held_against);
	tcase_add_test(tc,
	               a_change_of_the_past_that_stands_for_several_is_told);
	tcase_add_test(
		tc,
		behind_a_change_that_is_not_past_it_is_not_known_what_was_before);
	tcase_add_test(tc, behind_a_gap_it_is_not_known_what_was_before);
	tcase_add_test(tc, one_who_was_put_in_is_known_from_then_on);
	tcase_add_test(tc, a_record_without_texts_is_taken);
	tcase_add_test(tc, the_queue_ends_at_its_limit);
	tcase_add_test(tc, a_change_survives_the_loss_of_any_allocation);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
