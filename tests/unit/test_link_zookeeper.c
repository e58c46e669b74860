/* The link on a ZooKeeper: watches that a server before 3.9 lets disturb one
 * another (rule 35), and its handshake. */
#include "link_bed.h"

#include "fault.h"

static int32_t features;
static uint64_t cookies;

/* As put_welcome, from a ZooKeeper: rule 7. */
static void put_zookeeper(struct mu_buf *b, bool read_only_byte)
{
	size_t at = mu_frame_begin(b);

	mu_put_connect_response(b, &(struct mu_connect_response){
					   .protocol = features,
					   .timeout_ms = (int32_t)TIMEOUT,
					   .session = SESSION,
					   .password = { PASSWORD, 16 },
					   .has_read_only = read_only_byte,
					   .has_tree_id = features > 0 });
	mu_frame_end(b, at);
}

static void go_up_on(bool read_only_byte)
{
	struct mu_buf b = { 0 };

	go_handshake();
	put_zookeeper(&b, read_only_byte);
	feed_free(&b);
}

static void setup(void)
{
	bed_setup();
	features = 0;
	cookies = 0;
	go_up_on(true);
	drain();
	ck_assert_int_eq(info().state, MU_LINK_CONNECTED);
}

/* Ask for a watch; the byte that goes out behind "bod" and says whether, or
 * which. The application's own is 'y'. */
static int asked(int32_t op, const char *path, int kind)
{
	ck_assert_int_eq(ask_watch(op, path, kind, ++cookies), 0);
	drain();
	ck_assert_uint_eq(last_record.len, 4);
	return last_record.data[3];
}

#define ADD(path, kind) asked(MU_OP_ADD_WATCH, path, kind)

static void answer(int32_t err)
{
	reply((int32_t)cookies, 10 + (int64_t)cookies, err);
	drain();
}

static void stand(const char *path, int kind)
{
	(void)ADD(path, kind);
	answer(0);
}

static void stand_both(void)
{
	stand("/p", MU_LW_RECURSIVE);
	stand("/p", MU_LW_PERSISTENT);
}

/* ---- */

START_TEST(rule7_a_zookeeper_may_leave_out_the_read_only_byte)
{
	bed_teardown();
	bed_setup();
	go_up_on(_i);
	ck_assert_str_eq(drain(), "state rearming 0; state connected 0");
	ck_assert_int_eq(info().features, 0);
	ck_assert_int_eq(info().tree_id, 0);
}
END_TEST

START_TEST(rule35_persistent_beside_recursive_goes_out_as_recursive)
{
	stand("/p", MU_LW_RECURSIVE);
	ck_assert_int_eq(ADD("/p", MU_LW_PERSISTENT), 1);
	answer(0);
	ck_assert_uint_eq(info().watches, 2);
}
END_TEST

START_TEST(rule35_a_recursive_watch_on_its_way_counts)
{
	(void)ADD("/p", MU_LW_RECURSIVE);
	ck_assert_int_eq(ADD("/p", MU_LW_PERSISTENT), 1);
}
END_TEST

START_TEST(rule35_each_alone_goes_out_as_asked)
{
	ck_assert_int_eq(ADD("/p", MU_LW_PERSISTENT), 'y');
	answer(0);
	ck_assert_int_eq(ADD("/p", MU_LW_PERSISTENT), 'y');
	ck_assert_int_eq(ADD("/p", MU_LW_RECURSIVE), 'y');
	ck_assert_int_eq(ADD("/other", MU_LW_PERSISTENT), 'y');
}
END_TEST

static const struct {
	int standing, asked, byte;
	int32_t op;
} one_shots[] = {
	{ MU_LW_RECURSIVE, MU_LW_DATA, 0, MU_OP_GET_DATA },
	{ MU_LW_RECURSIVE, MU_LW_EXIST, 0, MU_OP_EXISTS },
	{ MU_LW_RECURSIVE, MU_LW_CHILD, 'y', MU_OP_GET_CHILDREN2 },
	{ MU_LW_PERSISTENT, MU_LW_DATA, 0, MU_OP_GET_DATA },
	{ MU_LW_PERSISTENT, MU_LW_EXIST, 0, MU_OP_EXISTS },
	{ MU_LW_PERSISTENT, MU_LW_CHILD, 0, MU_OP_GET_CHILDREN2 },
	{ MU_LW_DATA, MU_LW_DATA, 'y', MU_OP_GET_DATA },
};

START_TEST(rule35_a_one_shot_watch_leaves_a_lasting_one_alone)
{
	stand("/p", one_shots[_i].standing);
	ck_assert_int_eq(asked(one_shots[_i].op, "/p", one_shots[_i].asked),
	                 one_shots[_i].byte);
	ck_assert_int_eq(
		asked(one_shots[_i].op, "/p/below", one_shots[_i].asked), 'y');
}
END_TEST

START_TEST(rule31_a_one_shot_watch_that_was_not_asked_for_is_spent_all_the_same)
{
	stand("/p", MU_LW_PERSISTENT);
	(void)asked(MU_OP_GET_DATA, "/p", MU_LW_DATA);
	answer(0);
	ck_assert_uint_eq(info().watches, 2);
	event(-1, MU_NODE_DATA_CHANGED, "/p");
	ck_assert_str_eq(drain(), "event /p 3");
	ck_assert_uint_eq(info().watches, 1);
}
END_TEST

START_TEST(rule34_children_changed_is_made_from_what_the_children_tell)
{
	stand_both();
	event(-1, MU_NODE_CREATED, "/p/x");
	ck_assert_str_eq(drain(), "event /p/x 1; event /p 4");
	event(-1, MU_NODE_DELETED, "/p/x");
	ck_assert_str_eq(drain(), "event /p/x 2; event /p 4");
	event(-1, MU_NODE_DATA_CHANGED, "/p/x");
	ck_assert_str_eq(drain(), "event /p/x 3");
	event(-1, MU_NODE_CREATED, "/p/x/deep");
	ck_assert_str_eq(drain(), "event /p/x/deep 1");
	event(-1, MU_NODE_DELETED, "/p");
	ck_assert_str_eq(drain(), "event /p 2");
}
END_TEST

START_TEST(rule34_children_of_the_root_are_told_too)
{
	stand("/", MU_LW_PERSISTENT);
	stand("/", MU_LW_RECURSIVE);
	event(-1, MU_NODE_CREATED, "/x");
	ck_assert_str_eq(drain(), "event /x 1; event / 4");
	event(-1, MU_NODE_CREATED, "/");
	ck_assert_str_eq(drain(), "event / 1");
}
END_TEST

START_TEST(rule34_one_kind_alone_makes_nothing_up)
{
	stand("/p", MU_LW_RECURSIVE);
	event(-1, MU_NODE_CREATED, "/p/x");
	ck_assert_str_eq(drain(), "event /p/x 1");
}
END_TEST

/* 3.9 keeps both, and tells of the children besides. */
START_TEST(rule35_a_server_that_keeps_both_is_heard_once)
{
	stand_both();
	event(-1, MU_NODE_CREATED, "/p/x");
	event(-1, MU_NODE_CHILDREN_CHANGED, "/p");
	ck_assert_str_eq(drain(), "event /p/x 1; event /p 4");
}
END_TEST

START_TEST(rule37_what_was_missed_is_told_while_watches_are_armed_again)
{
	stand_both();
	(void)asked(MU_OP_GET_CHILDREN2, "/p", MU_LW_CHILD);
	answer(0);
	mu_link_on_lost(l, now);
	drain();
	go_up_on(true);
	drain();
	event(-1, MU_NODE_CHILDREN_CHANGED, "/p");
	ck_assert_str_eq(drain(), "event /p 4");
}
END_TEST

START_TEST(a_broker_of_ours_needs_none_of_this)
{
	bed_teardown();
	bed_setup();
	features = 1;
	go_up_on(true);
	drain();
	stand("/p", MU_LW_RECURSIVE);
	ck_assert_int_eq(ADD("/p", MU_LW_PERSISTENT), 'y');
	answer(0);
	ck_assert_int_eq(asked(MU_OP_GET_DATA, "/p", MU_LW_DATA), 'y');
	answer(0);
	event(5, MU_NODE_CREATED, "/p/x");
	event(5, MU_NODE_CHILDREN_CHANGED, "/p");
	ck_assert_str_eq(drain(), "event /p/x 1; event /p 4");
}
END_TEST

/* What waited for a link is seen to when it goes out. */
START_TEST(requests_that_waited_are_seen_to_as_well)
{
	stand("/p", MU_LW_RECURSIVE);
	mu_link_on_lost(l, now);
	drain();
	ck_assert_int_eq(ask_watch(MU_OP_ADD_WATCH, "/p", MU_LW_PERSISTENT, 9),
	                 0);
	go_up_on(true);
	drain();
	reply(MU_XID_SET_WATCHES, 20, 0);
	ck_assert_str_eq(drain(), "state connected 0; send addWatch#2");
	ck_assert_int_eq(last_record.data[3], 1);
}
END_TEST

START_TEST(an_event_made_up_without_memory_ends_the_link)
{
	struct mu_buf b = { 0 };

	stand_both();
	put_event(&b, -1, MU_NODE_CREATED, "/p/x");
	fault_alloc_at(2); /* the first event takes two */
	feed_free(&b);
	ck_assert(fault_alloc_off());
	ck_assert_str_eq(drain(), "event /p/x 1; shut; state idle -2000");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("link_zookeeper");
	TCase *tc = tcase_create("zookeeper");

	tcase_add_checked_fixture(tc, setup, bed_teardown);
	tcase_add_loop_test(
		tc, rule7_a_zookeeper_may_leave_out_the_read_only_byte, 0, 2);
	tcase_add_test(
		tc, rule35_persistent_beside_recursive_goes_out_as_recursive);
	tcase_add_test(tc, rule35_a_recursive_watch_on_its_way_counts);
	tcase_add_test(tc, rule35_each_alone_goes_out_as_asked);
	tcase_add_loop_test(tc,
	                    rule35_a_one_shot_watch_leaves_a_lasting_one_alone,
	                    0, (int)(sizeof one_shots / sizeof one_shots[0]));
	tcase_add_test(
		tc,
		rule31_a_one_shot_watch_that_was_not_asked_for_is_spent_all_the_same);
	tcase_add_test(
		tc,
		rule34_children_changed_is_made_from_what_the_children_tell);
	tcase_add_test(tc, rule34_children_of_the_root_are_told_too);
	tcase_add_test(tc, rule34_one_kind_alone_makes_nothing_up);
	tcase_add_test(tc, rule35_a_server_that_keeps_both_is_heard_once);
	tcase_add_test(
		tc,
		rule37_what_was_missed_is_told_while_watches_are_armed_again);
	tcase_add_test(tc, a_broker_of_ours_needs_none_of_this);
	tcase_add_test(tc, requests_that_waited_are_seen_to_as_well);
	tcase_add_test(tc, an_event_made_up_without_memory_ends_the_link);
	suite_add_tcase(s, tc);
	return bed_run(s);
}
