/* Containers, nodes with a time to live, quotas: rules 27, 51, 69 to 71, 79, 99,
 * 100, 102 of zookeeper-semantics.md. */
#include "bed.h"

#define NEVER_MS (3600 * 1000)

static void open_with(bool ttl_nodes, bool enforce_quota, uint32_t interval_ms)
{
	struct mu_store_config config = bed_config();

	config.container_check_interval_ms = interval_ms;
	config.ttl_nodes = ttl_nodes;
	config.enforce_quota = enforce_quota;
	bed_open_with(&config);
	bed_connect(1);
	bed_connect(2);
}

static void setup(void)
{
	open_with(true, false, NEVER_MS);
}

static bool is_there(const char *path)
{
	return bed_err(1, MU_OP_EXISTS, q_path(path, false)) == 0;
}

static int drop(const char *path)
{
	return bed_err(1, MU_OP_DELETE, q_delete(path, -1));
}

START_TEST(rule69_a_time_to_live_must_be_enabled)
{
	ck_assert_int_eq(bed_mortal(1, "/t", 1), 0);
	bed_close();
	open_with(false, false, NEVER_MS);
	ck_assert_int_eq(bed_mortal(1, "/t", 1), MU_EUNIMPLEMENTED);
	ck_assert_int_eq(bed_create(1, MU_OP_CREATE, "/t", 5, 0),
	                 MU_EUNIMPLEMENTED);
	ck_assert_int_eq(bed_container(1, "/c"), 0);
	ck_assert(bed_is_open(1));
}
END_TEST

START_TEST(rule99_a_time_to_live_has_a_range)
{
	ck_assert_int_eq(bed_mortal(1, "/t", 0), MU_EINVAL);
	ck_assert_int_eq(bed_mortal(1, "/t", -1), MU_EINVAL);
	ck_assert_int_eq(bed_mortal(1, "/t", (INT64_C(1) << 40)), MU_EINVAL);
	ck_assert_int_eq(bed_mortal(1, "/t", (INT64_C(1) << 40) - 1), 0);
	ck_assert_int_eq(bed_mortal(1, "/u", 1), 0);
	ck_assert_int_eq(bed_create(1, MU_OP_CREATE, "/v", 5, 0), MU_EINVAL);
	ck_assert_int_eq(bed_create(1, MU_OP_CREATE2, "/v", 6, 0), MU_EINVAL);
}
END_TEST

START_TEST(rule99_in_a_multi_the_flag_without_the_time_is_not_decoded)
{
	q_none();
	q_sub(MU_OP_CREATE, "/a", "", 0);
	q_sub(MU_OP_CREATE, "/t", "", 5);
	ck_assert_int_eq(bed_err(1, MU_OP_MULTI, q_end()), MU_EMARSHAL);
	ck_assert(!is_there("/a"));
}
END_TEST

START_TEST(rule102_a_time_to_live_without_its_flag_is_refused)
{
	ck_assert_int_eq(bed_create(1, MU_OP_CREATE_TTL, "/t", 0, -1),
	                 MU_EINVAL);
	ck_assert_int_eq(bed_create(1, MU_OP_CREATE_TTL, "/t", 0, 5),
	                 MU_EINVAL);
	ck_assert_int_eq(bed_create(1, MU_OP_CREATE_TTL, "/t", 1, -1),
	                 MU_EINVAL);
	ck_assert(bed_is_open(1));
}
END_TEST

START_TEST(rule57_sequential_nodes_may_have_a_time_to_live)
{
	ck_assert_int_eq(bed_create(1, MU_OP_CREATE_TTL, "/t", 6, 100), 0);
	ck_assert(is_there("/t0000000000"));
}
END_TEST

START_TEST(rule70_clients_do_not_delete_containers)
{
	struct mu_delete_container_request r = { MU_STR("/t"), 0 };

	ck_assert_int_eq(bed_mortal(1, "/t", 1), 0);
	mu_buf_reset(&bed.q);
	mu_put_delete_container(&bed.q, &r);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE_CONTAINER, &bed.q),
	                 MU_EUNIMPLEMENTED);
	q_none();
	q_sub(MU_OP_DELETE_CONTAINER, "/t", "", 0);
	ck_assert_int_eq(bed_err(1, MU_OP_MULTI, q_end()), MU_EMARSHAL);
	ck_assert(is_there("/t"));
}
END_TEST

/* ---- quotas ---- */

START_TEST(rule79_what_is_there_is_counted_when_a_quota_is_set)
{
	bed_make(1, "/a", "12345");
	bed_make(1, "/a/b", "123");
	bed_make(1, "/ab", "1");
	bed_set_quota("/a", "count=10,bytes=-1");
	bed_want_used("/a", "count=2,bytes=8");
}
END_TEST

START_TEST(rule100_every_change_is_counted)
{
	struct mu_stat before;

	bed_make(1, "/a", "12345");
	bed_set_quota("/a", "count=100,bytes=1000");
	before = bed_stat(1, "/zookeeper/quota/a/zookeeper_stats");
	bed_want_used("/a", "count=1,bytes=5");
	bed_make(1, "/a/b", "123");
	bed_want_used("/a", "count=2,bytes=8");
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a/b", "1", -1)), 0);
	bed_want_used("/a", "count=2,bytes=6");
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/a/n", NULL, 1)),
	                 0); /* null data are no bytes */
	bed_want_used("/a", "count=3,bytes=6");
	ck_assert_int_eq(drop("/a/b"), 0);
	bed_want_used("/a", "count=2,bytes=5");
	bed_make(1, "/b", "elsewhere");
	bed_want_used("/a", "count=2,bytes=5");
	/* Counting is no change of the node that holds the count. */
	ck_assert_int_eq(
		bed_stat(1, "/zookeeper/quota/a/zookeeper_stats").mzxid,
		before.mzxid);
	ck_assert_int_eq(
		bed_stat(1, "/zookeeper/quota/a/zookeeper_stats").version,
		before.version);
}
END_TEST

START_TEST(rule100_what_goes_with_a_session_is_counted)
{
	bed_make(1, "/a", "");
	bed_set_quota("/a", "count=100,bytes=-1");
	ck_assert_int_eq(bed_err(2, MU_OP_CREATE, q_create("/a/e", "xyz", 1)),
	                 0);
	bed_want_used("/a", "count=2,bytes=3");
	ck_assert_int_eq(bed_err(2, MU_OP_CLOSE_SESSION, q_none()), 0);
	bed_want_used("/a", "count=1,bytes=0");
}
END_TEST

START_TEST(rule79_a_failed_multi_counts_nothing)
{
	bed_make(1, "/a", "");
	bed_set_quota("/a", "count=100,bytes=-1");
	q_none();
	q_sub(MU_OP_CREATE, "/a/b", "x", 0);
	q_sub(MU_OP_CHECK, "/none", NULL, -1);
	ck_assert_int_eq(bed_err(1, MU_OP_MULTI, q_end()), 0);
	bed_want_used("/a", "count=1,bytes=0");
}
END_TEST

START_TEST(rule79_the_quota_nearest_to_the_node_counts)
{
	bed_make(1, "/a", "");
	bed_make(1, "/a/b", "");
	bed_set_quota("/a", "count=100,bytes=-1");
	bed_make(1, "/zookeeper/quota/a/b", "");
	bed_make(1, "/zookeeper/quota/a/b/zookeeper_limits", "count=1,bytes=1");
	bed_make(1, "/zookeeper/quota/a/b/zookeeper_stats", "");
	bed_want_used("/a/b", "count=1,bytes=0");
	bed_make(1, "/a/b/c", "");
	bed_want_used("/a/b", "count=2,bytes=0");
	bed_want_used("/a", "count=2,bytes=0");
	ck_assert_int_eq(drop("/zookeeper/quota/a/b/zookeeper_limits"), 0);
	bed_make(1, "/a/b/d", "");
	bed_want_used("/a/b", "count=2,bytes=0");
	bed_want_used("/a", "count=3,bytes=0");
}
END_TEST

START_TEST(rule79_texts_that_are_none_break_nothing)
{
	bed_make(1, "/a", "");
	bed_set_quota("/a", "nonsense");
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA,
	                         q_set("/zookeeper/quota/a/zookeeper_stats",
	                               "count=9223372036854775807", -1)),
	                 0);
	bed_make(1, "/a/b", "x");
	bed_want_used("/a", "count=-9223372036854775808,bytes=0");
	bed_make(1, "/zookeeper/quota/zookeeper_stats", "x");
	bed_make(1, "/zookeeper/quota/zookeeper_limits", "count=0");
	bed_make(1, "/c", "");
	bed_make(1, "/zookeeper/quota/none", "");
	bed_make(1, "/zookeeper/quota/none/zookeeper_stats", "");
	bed_want_used("/none", "count=0,bytes=0");
}
END_TEST

START_TEST(rule79_a_hard_limit_refuses_where_it_is_enforced)
{
	bed_close();
	open_with(true, true, NEVER_MS);
	bed_make(1, "/a", "");
	bed_set_quota("/a",
	              "count=-1,bytes=-1=;byteHardLimit=4;countHardLimit=2");
	bed_make(1, "/a/b", "1234");
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/a/c", "", 0)),
	                 MU_EQUOTA);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "5", -1)),
	                 MU_EQUOTA);
	bed_want_used("/a", "count=2,bytes=4");
	/* Other faults come first (rule 60), and less is always allowed. */
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/a/b", "", 0)),
	                 MU_EEXISTS);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a/b", "1", -1)), 0);
	ck_assert_int_eq(drop("/a/b"), 0);
	bed_want_used("/a", "count=1,bytes=0");
}
END_TEST

START_TEST(rule51_a_container_shows_no_owner_and_has_children)
{
	struct mu_create_request q = bed_create_request("/c", "x", 4);
	struct bed_reply r;
	struct mu_stat stat;

	mu_buf_reset(&bed.q);
	mu_put_create(&bed.q, MU_OP_CREATE_CONTAINER, &q);
	r = bed_do(1, MU_OP_CREATE_CONTAINER, &bed.q);
	ck_assert_int_eq(r.err, 0);
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("/c")));
	ck_assert_int_eq(mu_get_stat(&r.body, &stat), 0);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	ck_assert_int_eq(stat.ephemeral_owner, 0);
	bed_make(1, "/c/k", "");
	ck_assert_int_eq(bed_stat(1, "/c").num_children, 1);
}
END_TEST

TCase *semantics_mortal(void)
{
	const TTest *const tests[] = {
		rule51_a_container_shows_no_owner_and_has_children,
		rule79_a_hard_limit_refuses_where_it_is_enforced,
		rule69_a_time_to_live_must_be_enabled,
		rule99_a_time_to_live_has_a_range,
		rule99_in_a_multi_the_flag_without_the_time_is_not_decoded,
		rule102_a_time_to_live_without_its_flag_is_refused,
		rule57_sequential_nodes_may_have_a_time_to_live,
		rule70_clients_do_not_delete_containers,
		rule79_what_is_there_is_counted_when_a_quota_is_set,
		rule100_every_change_is_counted,
		rule100_what_goes_with_a_session_is_counted,
		rule79_a_failed_multi_counts_nothing,
		rule79_the_quota_nearest_to_the_node_counts,
		rule79_texts_that_are_none_break_nothing,
	};

	return bed_case("mortals and quotas", setup, tests, BED_COUNT(tests));
}
