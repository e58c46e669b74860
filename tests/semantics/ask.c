/* Reads that few clients ask for: rules 19, 26, 40, 66, 72, 81, 98 of
 * zookeeper-semantics.md. */
#include "bed.h"

/* ---- multiRead ---- */

static void want_header(struct mu_in *in, int32_t op, bool done, int32_t err)
{
	struct mu_multi_header h;

	ck_assert_int_eq(mu_get_multi_header(in, &h), 0);
	ck_assert_int_eq(h.op, op);
	ck_assert_int_eq(h.done, done);
	ck_assert_int_eq(h.err, err);
}

START_TEST(rule66_a_multi_read_answers_each_and_leaves_no_watch)
{
	struct bed_reply r;
	struct mu_stat stat;

	bed_make(1, "/a", "data");
	bed_make(1, "/a/c", "");
	bed_make(1, "/s", "secret");
	bed_guard(1, "/s", acl_of(MU_PERM_WRITE, "world", "anyone"));
	q_none();
	q_sub_read(MU_OP_GET_DATA, "/a", true);
	q_sub_read(MU_OP_GET_DATA, "/none", true);
	q_sub_read(MU_OP_GET_CHILDREN, "/a", true);
	q_sub_read(MU_OP_GET_DATA, "/s", true);
	r = bed_do(1, MU_OP_MULTI_READ, q_end());
	ck_assert_int_eq(r.err, 0);
	want_header(&r.body, MU_OP_GET_DATA, false, 0);
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("data")));
	ck_assert_int_eq(mu_get_stat(&r.body, &stat), 0);
	ck_assert_int_eq(stat.num_children, 1);
	want_header(&r.body, MU_OP_ERROR, false, MU_ENONODE);
	ck_assert_int_eq(mu_get_int(&r.body), MU_ENONODE);
	want_header(&r.body, MU_OP_GET_CHILDREN, false, 0);
	ck_assert_int_eq(mu_get_int(&r.body), 1);
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("c")));
	want_header(&r.body, MU_OP_ERROR, false, MU_ENOAUTH);
	ck_assert_int_eq(mu_get_int(&r.body), MU_ENOAUTH);
	want_header(&r.body, MU_OP_ERROR, true, -1);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	ck_assert_uint_eq(bed_counts().watches, 0);
}
END_TEST

START_TEST(rule66_an_empty_multi_read_is_legal)
{
	struct bed_reply r;

	q_none();
	r = bed_do(1, MU_OP_MULTI_READ, q_end());
	ck_assert_int_eq(r.err, 0);
	want_header(&r.body, MU_OP_ERROR, true, -1);
}
END_TEST

START_TEST(rule66_writes_in_a_multi_read_make_it_undecodable)
{
	static const int32_t bad[] = { MU_OP_EXISTS, MU_OP_GET_CHILDREN2,
		                       MU_OP_SET_DATA, MU_OP_MULTI_READ };

	bed_make(1, "/a", "");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		q_none();
		q_sub_read(MU_OP_GET_DATA, "/a", false);
		q_sub_read(bad[i], "/a", false);
		ck_assert_int_eq(bed_err(1, MU_OP_MULTI_READ, q_end()),
		                 MU_EMARSHAL);
	}
	q_none();
	q_sub_read(MU_OP_GET_DATA, "/a", false);
	ck_assert_int_eq(bed_err(1, MU_OP_MULTI_READ, &bed.q), MU_EMARSHAL);
	ck_assert(bed_is_open(1));
}
END_TEST

/* ---- watches ---- */

static const struct mu_buf *q_watches(const char *path, int32_t type)
{
	struct mu_watches_request r = { mu_str_of(path), type };

	mu_buf_reset(&bed.q);
	mu_put_watches(&bed.q, &r);
	return &bed.q;
}

static int check_watches(const char *path, int32_t type)
{
	return bed_err(1, MU_OP_CHECK_WATCHES, q_watches(path, type));
}

static int remove_watches(const char *path, int32_t type)
{
	return bed_err(1, MU_OP_REMOVE_WATCHES, q_watches(path, type));
}

static void watch_all(void)
{
	ck_assert_int_eq(bed_err(1, MU_OP_GET_DATA, q_path("/a", true)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_GET_CHILDREN, q_path("/a", true)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/a", 0)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/a", 1)), 0);
}

START_TEST(rule40_each_kind_of_watch_is_checked_and_removed_alone)
{
	static const int32_t kinds[] = { 1, 2, 4, 5 };

	bed_make(1, "/a", "");
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(check_watches("/a", kinds[i]), MU_ENOWATCHER);
	watch_all();
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(check_watches("/a", kinds[i]), 0);
		ck_assert_int_eq(remove_watches("/a", kinds[i]), 0);
		ck_assert_int_eq(check_watches("/a", kinds[i]), MU_ENOWATCHER);
		ck_assert_int_eq(remove_watches("/a", kinds[i]), MU_ENOWATCHER);
	}
	ck_assert_uint_eq(bed_counts().watches, 0);
}
END_TEST

START_TEST(rule40_any_removes_all_and_only_ones_own)
{
	bed_make(1, "/a", "");
	watch_all();
	ck_assert_int_eq(bed_err(2, MU_OP_GET_DATA, q_path("/a", true)), 0);
	ck_assert_int_eq(check_watches("/a", 3), 0);
	ck_assert_int_eq(remove_watches("/a", 3), 0);
	ck_assert_int_eq(check_watches("/a", 3), MU_ENOWATCHER);
	ck_assert_uint_eq(bed_counts().watches, 1);
	ck_assert_int_eq(check_watches("/none", 3), MU_ENOWATCHER);
}
END_TEST

START_TEST(rule26_other_types_of_watch_are_not_decoded)
{
	ck_assert_int_eq(check_watches("/a", 0), MU_EMARSHAL);
	ck_assert_int_eq(check_watches("/a", 6), MU_EMARSHAL);
	ck_assert_int_eq(remove_watches("/a", -1), MU_EMARSHAL);
	ck_assert_int_eq(bed_err(1, MU_OP_REMOVE_WATCHES, q_none()),
	                 MU_EMARSHAL);
}
END_TEST

START_TEST(rule98_removing_and_checking_have_no_body_and_send_no_event)
{
	struct bed_reply r;

	bed_make(1, "/a", "");
	watch_all();
	r = bed_do(1, MU_OP_CHECK_WATCHES, q_watches("/a", 3));
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	r = bed_do(1, MU_OP_REMOVE_WATCHES, q_watches("/a", 4));
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	bed_quiet(1);
}
END_TEST

/* ---- lists and counts ---- */

START_TEST(rule72_ephemerals_are_ones_own_by_a_raw_prefix)
{
	ck_assert_int_eq(bed_ephemerals(1, "/"), 0);
	bed_make(1, "/p", "");
	bed_err(1, MU_OP_CREATE, q_create("/a", "", 1));
	bed_err(1, MU_OP_CREATE, q_create("/ab", "", 1));
	bed_err(1, MU_OP_CREATE, q_create("/p/a", "", 1));
	bed_err(2, MU_OP_CREATE, q_create("/ac", "", 1));
	ck_assert_int_eq(bed_ephemerals(1, "/"), 3);
	ck_assert_int_eq(bed_ephemerals(1, ""), 3);
	ck_assert_int_eq(bed_ephemerals(1, NULL), 3);
	ck_assert_int_eq(bed_ephemerals(1, " / "), 3);
	ck_assert_int_eq(bed_ephemerals(1, "/a"), 2); /* and /ab */
	ck_assert_int_eq(bed_ephemerals(1, "/ab"), 1);
	ck_assert_int_eq(bed_ephemerals(1, "/abc"), 0);
	ck_assert_int_eq(bed_ephemerals(1, "p"), 0);
	ck_assert_int_eq(bed_ephemerals(2, "/a"), 1);
	ck_assert_int_eq(bed_err(1, MU_OP_GET_EPHEMERALS, q_none()),
	                 MU_EMARSHAL);
}
END_TEST

START_TEST(rule72_ephemerals_wait_for_ones_own_write)
{
	struct bed_reply r;

	bed_hold();
	bed_ask(1, MU_OP_CREATE, q_create("/a", "", 1));
	bed_ask(1, MU_OP_GET_EPHEMERALS, q_sync("/"));
	bed_quiet(1);
	bed_release();
	ck_assert_int_eq(bed_reply(1).err, 0);
	r = bed_reply(1);
	ck_assert_int_eq(mu_get_int(&r.body), 1);
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("/a")));
}
END_TEST

static int32_t all_children(const char *path)
{
	struct bed_reply r =
		bed_do(1, MU_OP_GET_ALL_CHILDREN_NUMBER, q_sync(path));

	ck_assert_int_eq(r.err, 0);
	ck_assert_uint_eq(mu_in_left(&r.body), 4);
	return mu_get_int(&r.body);
}

START_TEST(rule72_all_descendants_are_counted)
{
	ck_assert_int_eq(all_children("/"), 3); /* rule 73 */
	bed_make(1, "/a", "");
	ck_assert_int_eq(all_children("/a"), 0);
	bed_make(1, "/a/b", "");
	bed_make(1, "/a/b/c", "");
	bed_make(1, "/a/d", "");
	bed_make(1, "/ab", "");
	ck_assert_int_eq(all_children("/a"), 3);
	ck_assert_int_eq(all_children("/a/b"), 1);
	ck_assert_int_eq(all_children("/a/b/c"), 0);
	ck_assert_int_eq(all_children("/"), 8);
	ck_assert_int_eq(
		bed_err(1, MU_OP_GET_ALL_CHILDREN_NUMBER, q_sync("/none")),
		MU_ENONODE);
}
END_TEST

START_TEST(rule19_what_the_c_client_cannot_ask_is_answered)
{
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/", 1)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_GET_EPHEMERALS, q_sync("/")), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_GET_ALL_CHILDREN_NUMBER, q_sync("/")),
	                 0);
	ck_assert_int_eq(bed_err(1, MU_OP_WHO_AM_I, q_none()), 0);
}
END_TEST

START_TEST(rule81_who_asks_for_read_only_is_served_and_may_write)
{
	struct mu_connect_request q = bed_hello();
	struct mu_connect_response r;

	q.read_only = true;
	bed_link(3);
	bed_shake(3, &q);
	r = bed_welcome(3);
	ck_assert_int_ne(r.session, 0);
	ck_assert(r.has_read_only && !r.read_only);
	bed_make(3, "/a", "");
}
END_TEST

TCase *semantics_ask(void)
{
	const TTest *const tests[] = {
		rule66_a_multi_read_answers_each_and_leaves_no_watch,
		rule66_an_empty_multi_read_is_legal,
		rule66_writes_in_a_multi_read_make_it_undecodable,
		rule40_each_kind_of_watch_is_checked_and_removed_alone,
		rule40_any_removes_all_and_only_ones_own,
		rule26_other_types_of_watch_are_not_decoded,
		rule98_removing_and_checking_have_no_body_and_send_no_event,
		rule72_ephemerals_are_ones_own_by_a_raw_prefix,
		rule72_ephemerals_wait_for_ones_own_write,
		rule72_all_descendants_are_counted,
		rule19_what_the_c_client_cannot_ask_is_answered,
		rule81_who_asks_for_read_only_is_served_and_may_write,
	};

	return bed_case("rare reads", bed_open_two, tests, BED_COUNT(tests));
}
