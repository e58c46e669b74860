/* Reads and watches through the door: rules 22 to 26, 29 to 38, 41, 68, 72,
 * 98. Link 1 watches, link 2 changes. */
#include "bed.h"

static void look(int32_t op, const char *path)
{
	bed_do(1, op, q_path(path, true));
}

static int64_t set(const char *path)
{
	return bed_set(2, path, "x");
}

static int64_t drop(const char *path)
{
	return bed_delete(2, path);
}

static int64_t make(const char *path)
{
	return bed_make(2, path, "x");
}

START_TEST(rule22_rule23_rule24_a_notification_is_type_state_path)
{
	struct mu_in in;

	make("/a");
	look(MU_OP_GET_DATA, "/a");
	set("/a");
	in = bed_take(1);
	ck_assert_int_eq(mu_get_int(&in), MU_XID_NOTIFICATION);
	ck_assert_int_eq(mu_get_long(&in), bed_counts().zxid); /* rule 25 */
	ck_assert_int_eq(mu_get_int(&in), 0);
	ck_assert_int_eq(mu_get_int(&in), 3); /* rule 22: NodeDataChanged */
	ck_assert_int_eq(mu_get_int(&in), 3); /* rule 23: SyncConnected */
	ck_assert(mu_str_eq(mu_get_str(&in), MU_STR("/a")));
	ck_assert_uint_eq(mu_in_left(&in), 0);
}
END_TEST

START_TEST(rule25_a_notification_carries_the_zxid_of_its_change)
{
	int64_t zxid;

	make("/a");
	look(MU_OP_GET_DATA, "/a");
	zxid = set("/a");
	ck_assert_int_eq(bed_event(1, MU_NODE_DATA_CHANGED, "/a"), zxid);
}
END_TEST

START_TEST(rule26_other_addwatch_modes_do_not_decode)
{
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/a", 2)),
	                 MU_EMARSHAL);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/a", -1)),
	                 MU_EMARSHAL);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("a", 0)),
	                 MU_EINVAL);
	ck_assert_uint_eq(bed_counts().watches, 0);
}
END_TEST

START_TEST(rule29_exists_leaves_a_watch_on_nothing)
{
	ck_assert_int_eq(bed_err(1, MU_OP_EXISTS, q_path("/a", true)),
	                 MU_ENONODE);
	make("/a");
	bed_event(1, MU_NODE_CREATED, "/a");
	set("/a"); /* one shot */
	bed_quiet(1);
}
END_TEST

START_TEST(rule29_reads_of_nothing_leave_nothing)
{
	static const int32_t ops[] = { MU_OP_GET_DATA, MU_OP_GET_CHILDREN,
		                       MU_OP_GET_CHILDREN2 };

	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(bed_err(1, ops[i], q_path("/a", true)),
		                 MU_ENONODE);
	ck_assert_int_eq(bed_err(1, MU_OP_EXISTS, q_path("a", true)),
	                 MU_EINVAL);
	ck_assert_uint_eq(bed_counts().watches, 0);
}
END_TEST

START_TEST(rule29_get_children_leaves_a_child_watch)
{
	make("/a");
	look(MU_OP_GET_CHILDREN2, "/a");
	set("/a");
	bed_quiet(1);
	make("/a/b");
	bed_event(1, MU_NODE_CHILDREN_CHANGED, "/a");
	look(MU_OP_GET_CHILDREN, "/a");
	drop("/a/b");
	bed_event(1, MU_NODE_CHILDREN_CHANGED, "/a");
}
END_TEST

START_TEST(a_read_without_the_flag_leaves_nothing)
{
	make("/a");
	bed_do(1, MU_OP_GET_DATA, q_path("/a", false));
	ck_assert_uint_eq(bed_counts().watches, 0);
}
END_TEST

START_TEST(rule30_create_tells_of_the_node_then_of_its_parent)
{
	look(MU_OP_GET_CHILDREN, "/");
	bed_ask(1, MU_OP_EXISTS, q_path("/a", true));
	bed_reply(1);
	make("/a");
	bed_event(1, MU_NODE_CREATED, "/a");
	bed_event(1, MU_NODE_CHILDREN_CHANGED, "/");
	bed_quiet(1);
}
END_TEST

START_TEST(rule30_delete_tells_each_watcher_once)
{
	make("/a");
	look(MU_OP_GET_DATA, "/a");
	look(MU_OP_GET_CHILDREN, "/a");
	look(MU_OP_GET_CHILDREN, "/");
	drop("/a");
	bed_event(1, MU_NODE_DELETED, "/a");
	bed_event(1, MU_NODE_CHILDREN_CHANGED, "/");
	bed_quiet(1);
	ck_assert_uint_eq(bed_counts().watches, 0);
}
END_TEST

START_TEST(rule30_setting_the_same_bytes_is_a_change)
{
	make("/a");
	look(MU_OP_GET_DATA, "/a");
	set("/a");
	bed_event(1, MU_NODE_DATA_CHANGED, "/a");
}
END_TEST

START_TEST(rule30_failed_writes_tell_nobody)
{
	make("/a");
	look(MU_OP_GET_DATA, "/a");
	bed_do(2, MU_OP_SET_DATA, q_set("/a", "x", 7));
	bed_do(2, MU_OP_CREATE, q_create("/a", "x", 0));
	bed_quiet(1);
	ck_assert_uint_eq(bed_counts().watches, 1);
}
END_TEST

START_TEST(rule31_two_reads_leave_one_watch)
{
	make("/a");
	look(MU_OP_GET_DATA, "/a");
	look(MU_OP_GET_DATA, "/a");
	look(MU_OP_EXISTS, "/a");
	set("/a");
	bed_event(1, MU_NODE_DATA_CHANGED, "/a");
	bed_quiet(1);
}
END_TEST

START_TEST(rule32_the_writer_sees_its_event_before_its_reply)
{
	int32_t xid;

	make("/a");
	look(MU_OP_GET_DATA, "/a");
	xid = bed_ask(1, MU_OP_SET_DATA, q_set("/a", "y", -1));
	bed_event(1, MU_NODE_DATA_CHANGED, "/a");
	bed_want(1, xid, 0);
}
END_TEST

START_TEST(rule33_a_watcher_is_told_once_however_many_of_its_watches_match)
{
	make("/a");
	look(MU_OP_GET_DATA, "/a");
	bed_do(1, MU_OP_ADD_WATCH, q_add_watch("/a", 0));
	bed_do(1, MU_OP_ADD_WATCH, q_add_watch("/a", 1));
	set("/a");
	bed_event(1, MU_NODE_DATA_CHANGED, "/a");
	bed_quiet(1);
	set("/a"); /* the standard one is gone, the others stay */
	bed_event(1, MU_NODE_DATA_CHANGED, "/a");
}
END_TEST

START_TEST(rule34_persistent_sees_children_recursive_sees_descendants)
{
	bed_connect(3);
	make("/a");
	bed_do(1, MU_OP_ADD_WATCH, q_add_watch("/a", 0));
	bed_do(3, MU_OP_ADD_WATCH, q_add_watch("/a", 1));
	make("/a/b");
	bed_event(1, MU_NODE_CHILDREN_CHANGED, "/a");
	bed_event(3, MU_NODE_CREATED, "/a/b");
	make("/a/b/c");
	bed_event(3, MU_NODE_CREATED, "/a/b/c");
	bed_quiet(1);
	bed_quiet(3);
}
END_TEST

START_TEST(rule35_addwatch_needs_no_node_and_both_modes_are_kept)
{
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/a", 1)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/a", 0)), 0);
	make("/a");
	bed_event(1, MU_NODE_CREATED, "/a");
	make("/a/b");
	bed_event(1, MU_NODE_CREATED, "/a/b");
	bed_event(1, MU_NODE_CHILDREN_CHANGED, "/a");
}
END_TEST

/* ---- resume: rule 37 ---- */

START_TEST(rule37_catch_up_tells_what_was_missed_before_its_reply)
{
	int64_t rel;

	make("/same");
	make("/changed");
	make("/parent");
	make("/gone");
	rel = make("/gone2");
	set("/changed");
	make("/parent/kid");
	drop("/gone");
	drop("/gone2");
	make("/new");
	bed_send(1, MU_XID_SET_WATCHES, MU_OP_SET_WATCHES,
	         q_set_watches(rel, LIST("/same", "/changed", "/gone"),
	                       LIST("/new", "/never"),
	                       LIST("/same", "/parent", "/gone2")));
	/* rule 25: catch-up events carry -1 */
	ck_assert_int_eq(bed_event(1, MU_NODE_DATA_CHANGED, "/changed"), -1);
	bed_event(1, MU_NODE_DELETED, "/gone");
	bed_event(1, MU_NODE_CREATED, "/new");
	bed_event(1, MU_NODE_CHILDREN_CHANGED, "/parent");
	bed_event(1, MU_NODE_DELETED, "/gone2");
	bed_want(1, MU_XID_SET_WATCHES, 0);
	ck_assert_uint_eq(bed_counts().watches, 2); /* /same, /never */
	make("/never");
	bed_event(1, MU_NODE_CREATED, "/never");
	set("/same");
	bed_event(1, MU_NODE_DATA_CHANGED, "/same");
	make("/same/kid");
	bed_event(1, MU_NODE_CHILDREN_CHANGED, "/same");
	bed_quiet(1);
}
END_TEST

START_TEST(rule37_a_change_at_the_zxid_seen_is_not_told_again)
{
	int64_t rel;

	make("/a");
	rel = set("/a");
	bed_send(1, -8, MU_OP_SET_WATCHES,
	         q_set_watches(rel, LIST("/a"), NULL, NULL));
	bed_want(1, -8, 0);
	bed_send(1, -8, MU_OP_SET_WATCHES,
	         q_set_watches(rel - 1, LIST("/a"), NULL, NULL));
	bed_event(1, MU_NODE_DATA_CHANGED, "/a");
	bed_want(1, -8, 0);
}
END_TEST

START_TEST(rule37_a_child_made_at_the_zxid_seen_is_not_told_again)
{
	int64_t rel;

	make("/p");
	rel = make("/p/kid");
	bed_send(1, -8, MU_OP_SET_WATCHES,
	         q_set_watches(rel, NULL, NULL, LIST("/p")));
	bed_want(1, -8, 0);
	bed_send(1, -8, MU_OP_SET_WATCHES,
	         q_set_watches(rel - 1, NULL, NULL, LIST("/p")));
	bed_event(1, MU_NODE_CHILDREN_CHANGED, "/p");
	bed_want(1, -8, 0);
}
END_TEST

START_TEST(rule37_an_illegal_path_refuses_all)
{
	make("/a");
	bed_send(1, -8, MU_OP_SET_WATCHES,
	         q_set_watches(0, LIST("/a"), NULL, LIST("/b", "c")));
	bed_want(1, -8, MU_EINVAL);
	ck_assert_uint_eq(bed_counts().watches, 0);
}
END_TEST

START_TEST(rule38_persistent_watches_are_armed_again_and_told_nothing)
{
	int64_t rel = make("/a");

	set("/a");
	q_set_watches(rel, NULL, NULL, NULL);
	q_strings(LIST("/a"));
	q_strings(LIST("/"));
	bed_send(1, -8, MU_OP_SET_WATCHES2, &bed.q);
	bed_want(1, -8, 0);
	make("/a/b");
	bed_event(1, MU_NODE_CREATED, "/a/b");
	bed_event(1, MU_NODE_CHILDREN_CHANGED, "/a");
	ck_assert_uint_eq(bed_counts().watches, 2);
}
END_TEST

START_TEST(rule41_watches_go_with_the_link)
{
	int64_t session = bed_connect(3);

	bed_do(3, MU_OP_ADD_WATCH, q_add_watch("/", 1));
	bed_lost(3);
	ck_assert_uint_eq(bed_counts().watches, 0);
	bed_resume(4, session);
	bed_welcome(4);
	bed_do(4, MU_OP_ADD_WATCH, q_add_watch("/", 1));
	bed_resume(5, session);
	bed_welcome(5);
	ck_assert_uint_eq(bed_counts().watches, 0);
	make("/a");
	bed_quiet(4);
	bed_quiet(5);
}
END_TEST

START_TEST(rule68_sync_answers_its_path_be_it_there_or_not)
{
	struct bed_reply r = bed_do(1, MU_OP_SYNC, q_sync("/none"));

	ck_assert_int_eq(r.err, 0);
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("/none")));
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
}
END_TEST

START_TEST(rule72_children_are_listed_in_any_order)
{
	bool seen[3] = { false };
	struct bed_reply r;
	struct mu_stat stat;

	make("/p");
	make("/p/a");
	make("/p/b");
	make("/p/c");
	r = bed_do(1, MU_OP_GET_CHILDREN2, q_path("/p", false));
	ck_assert_int_eq(mu_get_count(&r.body, 4), 3);
	for (int i = 0; i < 3; i++) {
		struct mu_str name = mu_get_str(&r.body);

		ck_assert_uint_eq(name.len, 1);
		ck_assert(!seen[name.at[0] - 'a']);
		seen[name.at[0] - 'a'] = true;
	}
	ck_assert_int_eq(mu_get_stat(&r.body, &stat), 0);
	ck_assert_int_eq(stat.num_children, 3);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	r = bed_do(1, MU_OP_GET_CHILDREN, q_path("/p/a", false));
	ck_assert_int_eq(mu_get_count(&r.body, 4), 0);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
}
END_TEST

START_TEST(rule98_addwatch_is_answered_with_an_int_and_set_watches_with_none)
{
	struct bed_reply r = bed_do(1, MU_OP_ADD_WATCH, q_add_watch("/a", 0));

	ck_assert_uint_eq(mu_in_left(&r.body), 4);
	ck_assert_int_eq(mu_get_int(&r.body), 0);
	bed_send(1, -8, MU_OP_SET_WATCHES, q_set_watches(0, NULL, NULL, NULL));
	r = bed_reply(1);
	ck_assert_int_eq(r.err, 0);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
}
END_TEST

START_TEST(events_of_one_change_go_only_to_those_who_watch_each)
{
	bed_connect(3);
	make("/a");
	make("/b");
	look(MU_OP_GET_DATA, "/a");
	look(MU_OP_GET_DATA, "/b");
	bed_do(3, MU_OP_EXISTS, q_path("/a", true));
	q_none();
	q_sub(MU_OP_SET_DATA, "/a", "x", -1);
	q_sub(MU_OP_SET_DATA, "/b", "x", -1);
	bed_do(2, MU_OP_MULTI, q_end());
	bed_event(1, MU_NODE_DATA_CHANGED, "/a");
	bed_event(1, MU_NODE_DATA_CHANGED, "/b");
	bed_event(3, MU_NODE_DATA_CHANGED, "/a");
	bed_quiet(1);
	bed_quiet(3);
}
END_TEST

TCase *semantics_watch(void)
{
	const TTest *const tests[] = {
		rule22_rule23_rule24_a_notification_is_type_state_path,
		rule25_a_notification_carries_the_zxid_of_its_change,
		rule26_other_addwatch_modes_do_not_decode,
		rule29_exists_leaves_a_watch_on_nothing,
		rule29_reads_of_nothing_leave_nothing,
		rule29_get_children_leaves_a_child_watch,
		a_read_without_the_flag_leaves_nothing,
		rule30_create_tells_of_the_node_then_of_its_parent,
		rule30_delete_tells_each_watcher_once,
		rule30_setting_the_same_bytes_is_a_change,
		rule30_failed_writes_tell_nobody,
		rule31_two_reads_leave_one_watch,
		rule32_the_writer_sees_its_event_before_its_reply,
		rule33_a_watcher_is_told_once_however_many_of_its_watches_match,
		rule34_persistent_sees_children_recursive_sees_descendants,
		rule35_addwatch_needs_no_node_and_both_modes_are_kept,
		rule37_catch_up_tells_what_was_missed_before_its_reply,
		rule37_a_change_at_the_zxid_seen_is_not_told_again,
		rule37_a_child_made_at_the_zxid_seen_is_not_told_again,
		rule37_an_illegal_path_refuses_all,
		rule38_persistent_watches_are_armed_again_and_told_nothing,
		rule41_watches_go_with_the_link,
		rule68_sync_answers_its_path_be_it_there_or_not,
		rule72_children_are_listed_in_any_order,
		rule98_addwatch_is_answered_with_an_int_and_set_watches_with_none,
		events_of_one_change_go_only_to_those_who_watch_each,
	};

	return bed_case("reads and watches", bed_open_two, tests,
	                BED_COUNT(tests));
}
