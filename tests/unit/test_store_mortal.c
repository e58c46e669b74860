/* Containers, nodes with a time to live, quotas: rules 27, 51, 69 to 71, 79, 99,
 * 100, 102 of zookeeper-semantics.md. */
#include "acl_bed.h"

#define INTERVAL_MS 1000u

static void open_with(bool ttl_nodes, bool enforce_quota)
{
	struct mu_store_config config = bed_config();

	config.container_check_interval_ms = INTERVAL_MS;
	config.session_timeout_max_ms = 3600 * 1000;
	config.ttl_nodes = ttl_nodes;
	config.enforce_quota = enforce_quota;
	bed_open_with(&config);
	for (uint32_t link = 1; link <= 2; link++) {
		bed_link(link);
		bed_shake(link, &(struct mu_connect_request){
					.timeout_ms = 3600 * 1000 });
		(void)bed_take(link);
	}
}

static void setup(void)
{
	open_with(true, false);
}

static int create(int32_t op, const char *path, int32_t mode, int64_t ttl_ms)
{
	struct mu_create_request r = bed_create_request(path, "", mode);

	r.ttl_ms = ttl_ms;
	mu_buf_reset(&bed.q);
	mu_put_create(&bed.q, op, &r);
	return bed_err(1, op, &bed.q);
}

static int container(const char *path)
{
	return create(MU_OP_CREATE_CONTAINER, path, MU_MODE_CONTAINER, 0);
}

static int mortal(const char *path, int64_t ttl_ms)
{
	return create(MU_OP_CREATE_TTL, path, MU_MODE_PERSISTENT_TTL, ttl_ms);
}

static bool is_there(const char *path)
{
	return mu_tree_find(mu_store_tree(bed.s), mu_str_of(path)) != 0;
}

static int drop(const char *path)
{
	return bed_err(1, MU_OP_DELETE, q_delete(path, -1));
}

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
	ck_assert_int_eq(
		mu_tree_owner(mu_store_tree(bed.s),
	                      mu_tree_find(mu_store_tree(bed.s), MU_STR("/c"))),
		INT64_MIN);
}
END_TEST

START_TEST(rule69_a_time_to_live_must_be_enabled)
{
	ck_assert_int_eq(mortal("/t", 1), 0);
	bed_close();
	open_with(false, false);
	ck_assert_int_eq(mortal("/t", 1), MU_EUNIMPLEMENTED);
	ck_assert_int_eq(create(MU_OP_CREATE, "/t", 5, 0), MU_EUNIMPLEMENTED);
	ck_assert_int_eq(container("/c"), 0);
	ck_assert(bed_is_open(1));
}
END_TEST

START_TEST(rule27_a_plain_create_with_the_flag_of_a_container_makes_one)
{
	ck_assert_int_eq(create(MU_OP_CREATE, "/c", 4, 0), 0);
	bed_make(1, "/c/k", "");
	ck_assert_int_eq(drop("/c/k"), 0);
	bed_tick(INTERVAL_MS);
	ck_assert(!is_there("/c"));
}
END_TEST

START_TEST(rule99_a_time_to_live_has_a_range)
{
	ck_assert_int_eq(mortal("/t", 0), MU_EINVAL);
	ck_assert_int_eq(mortal("/t", -1), MU_EINVAL);
	ck_assert_int_eq(mortal("/t", (INT64_C(1) << 40)), MU_EINVAL);
	ck_assert_int_eq(mortal("/t", (INT64_C(1) << 40) - 1), 0);
	ck_assert_int_eq(mortal("/u", 1), 0);
	ck_assert_int_eq(create(MU_OP_CREATE, "/v", 5, 0), MU_EINVAL);
	ck_assert_int_eq(create(MU_OP_CREATE2, "/v", 6, 0), MU_EINVAL);
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
	ck_assert_int_eq(create(MU_OP_CREATE_TTL, "/t", 0, -1), MU_EINVAL);
	ck_assert_int_eq(create(MU_OP_CREATE_TTL, "/t", 0, 5), MU_EINVAL);
	ck_assert_int_eq(create(MU_OP_CREATE_TTL, "/t", 1, -1), MU_EINVAL);
	ck_assert(bed_is_open(1));
}
END_TEST

START_TEST(rule57_sequential_nodes_may_have_a_time_to_live)
{
	ck_assert_int_eq(create(MU_OP_CREATE_TTL, "/t", 6, 100), 0);
	ck_assert(is_there("/t0000000000"));
}
END_TEST

/* ---- rule 70 ---- */

START_TEST(rule70_a_container_goes_when_its_last_child_has_gone)
{
	ck_assert_int_eq(container("/c"), 0);
	bed_tick(INTERVAL_MS);
	ck_assert(is_there("/c")); /* never used */
	bed_make(1, "/c/k", "");
	bed_tick(INTERVAL_MS);
	ck_assert(is_there("/c"));
	ck_assert_int_eq(drop("/c/k"), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_EXISTS, q_path("/c", true)), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_GET_CHILDREN, q_path("/", true)), 0);
	bed_tick(INTERVAL_MS - 1);
	ck_assert(is_there("/c"));
	bed_tick(1);
	ck_assert(!is_there("/c"));
	bed_event(2, MU_NODE_DELETED, "/c");
	bed_event(2, MU_NODE_CHILDREN_CHANGED, "/");
}
END_TEST

START_TEST(rule70_plain_nodes_are_never_swept)
{
	bed_make(1, "/p", "");
	bed_make(1, "/p/k", "");
	ck_assert_int_eq(drop("/p/k"), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/e", "", 1)), 0);
	bed_tick(INTERVAL_MS);
	ck_assert(is_there("/p"));
	ck_assert(is_there("/e"));
}
END_TEST

START_TEST(rule70_a_removal_looks_again_when_it_is_applied)
{
	ck_assert_int_eq(container("/c"), 0);
	bed_make(1, "/c/k", "");
	ck_assert_int_eq(drop("/c/k"), 0);
	bed.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/c/new", "", 0));
	bed_tick(INTERVAL_MS); /* its removal is logged behind */
	ck_assert_uint_eq(bed_stats().logged, bed_stats().applied + 2);
	bed_durable(bed.logged);
	ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert(is_there("/c/new"));
}
END_TEST

START_TEST(rule70_another_node_of_the_name_is_not_taken_for_it)
{
	ck_assert_int_eq(container("/c"), 0);
	bed_make(1, "/c/k", "");
	ck_assert_int_eq(drop("/c/k"), 0);
	bed.slow = true;
	bed_ask(1, MU_OP_DELETE, q_delete("/c", -1));
	bed_ask(1, MU_OP_CREATE, q_create("/c", "", 0));
	bed_tick(INTERVAL_MS);
	bed_durable(bed.logged);
	ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert(is_there("/c"));
}
END_TEST

START_TEST(rule70_no_more_are_removed_than_ten_thousand_a_minute)
{
	char path[32];
	uint32_t nodes, before;

	for (int i = 0; i < 300; i++) {
		mu_format(path, sizeof path, "/t%d", i);
		ck_assert_int_eq(mortal(path, 1), 0);
	}
	nodes = bed_stats().nodes;
	bed_tick(INTERVAL_MS); /* what was saved up is bounded */
	before = nodes - bed_stats().nodes;
	ck_assert_uint_le(before, 500 / 6);
	ck_assert_uint_gt(before, 0);
	bed_tick(50);
	ck_assert_uint_le(nodes - bed_stats().nodes - before, 9);
	ck_assert_uint_ge(nodes - bed_stats().nodes - before, 8);
	bed_pass(2000);
	ck_assert_uint_eq(bed_stats().nodes, nodes - 300);
}
END_TEST

START_TEST(rule70_an_interval_of_none_sweeps_nothing)
{
	struct mu_store_config config = bed.config;

	config.container_check_interval_ms = 0;
	ck_assert_int_eq(mu_store_reconfigure(bed.s, &config, NULL), 0);
	ck_assert_int_eq(mortal("/t", 1), 0);
	bed_tick(10 * INTERVAL_MS);
	ck_assert(is_there("/t"));
}
END_TEST

START_TEST(rule70_clients_do_not_delete_containers)
{
	struct mu_delete_container_request r = { MU_STR("/t"), 0 };

	ck_assert_int_eq(mortal("/t", 1), 0);
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

START_TEST(a_removal_that_the_journal_refused_is_tried_again)
{
	ck_assert_int_eq(mortal("/t", 1), 0);
	bed.slow = true;
	bed_tick(INTERVAL_MS);
	ck_assert_uint_eq(bed_stats().logged, bed_stats().applied + 1);
	mu_store_refused(bed.s);
	bed_drain();
	bed.logged = bed_stats().logged;
	bed.slow = false;
	ck_assert(is_there("/t"));
	bed_tick(INTERVAL_MS);
	ck_assert(!is_there("/t"));
}
END_TEST

START_TEST(a_sweep_survives_every_refused_allocation)
{
	int refused = 1;

	ck_assert_int_eq(mortal("/t", 1), 0);
	for (unsigned k = 0; refused; k++) {
		bed.now.mono_ms += INTERVAL_MS;
		bed.now.wall_ms += INTERVAL_MS;
		fault_alloc_at(k);
		mu_store_tick(bed.s, bed.now);
		refused = fault_alloc_off();
		ck_assert(is_there("/t"));
		if (!refused)
			bed_pump();
		else
			bed_drain();
	}
	ck_assert(!is_there("/t"));
}
END_TEST

/* ---- rule 71 ---- */

START_TEST(rule71_setting_restarts_the_clock)
{
	ck_assert_int_eq(mortal("/t", 1500), 0);
	bed_tick(INTERVAL_MS);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/t", "y", -1)), 0);
	bed_tick(INTERVAL_MS);
	ck_assert(is_there("/t"));
	bed_tick(INTERVAL_MS);
	ck_assert(!is_there("/t"));
}
END_TEST

START_TEST(rule71_a_node_with_children_stays)
{
	ck_assert_int_eq(mortal("/t", 1), 0);
	bed_make(1, "/t/k", "");
	bed_tick(INTERVAL_MS);
	ck_assert(is_there("/t"));
	ck_assert_int_eq(drop("/t/k"), 0);
	bed_tick(INTERVAL_MS);
	ck_assert(!is_there("/t"));
}
END_TEST

START_TEST(rule71_the_time_must_have_passed)
{
	ck_assert_int_eq(mortal("/t", INTERVAL_MS), 0);
	bed_tick(INTERVAL_MS);
	ck_assert(is_there("/t"));
	bed_tick(INTERVAL_MS);
	ck_assert(!is_there("/t"));
}
END_TEST

/* ---- quotas ---- */

static void want_used(const char *quota, const char *want)
{
	char path[128];
	struct bed_reply r;
	struct mu_str text;

	mu_format(path, sizeof path, "/zookeeper/quota%s/zookeeper_stats",
	          quota);
	r = bed_do(1, MU_OP_GET_DATA, q_path(path, false));
	ck_assert_int_eq(r.err, 0);
	text = mu_get_str(&r.body);
	ck_assert_msg(mu_str_eq(text, mu_str_of(want)), "%.*s, not %s",
	              (int)text.len, text.at, want);
}

/* As zkCli's setquota makes one for a path of one part. */
static void set_quota(const char *path, const char *limits)
{
	char node[128];

	mu_format(node, sizeof node, "/zookeeper/quota%s", path);
	bed_make(1, node, "");
	mu_format(node, sizeof node, "/zookeeper/quota%s/zookeeper_limits",
	          path);
	bed_make(1, node, limits);
	mu_format(node, sizeof node, "/zookeeper/quota%s/zookeeper_stats",
	          path);
	bed_make(1, node, "count=0,bytes=0");
}

START_TEST(rule79_what_is_there_is_counted_when_a_quota_is_set)
{
	bed_make(1, "/a", "12345");
	bed_make(1, "/a/b", "123");
	bed_make(1, "/ab", "1");
	set_quota("/a", "count=10,bytes=-1");
	want_used("/a", "count=2,bytes=8");
}
END_TEST

START_TEST(rule100_every_change_is_counted)
{
	struct mu_stat before;

	bed_make(1, "/a", "12345");
	set_quota("/a", "count=100,bytes=1000");
	before = bed_stat(1, "/zookeeper/quota/a/zookeeper_stats");
	want_used("/a", "count=1,bytes=5");
	bed_make(1, "/a/b", "123");
	want_used("/a", "count=2,bytes=8");
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a/b", "1", -1)), 0);
	want_used("/a", "count=2,bytes=6");
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/a/n", NULL, 1)),
	                 0); /* null data are no bytes */
	want_used("/a", "count=3,bytes=6");
	ck_assert_int_eq(drop("/a/b"), 0);
	want_used("/a", "count=2,bytes=5");
	bed_make(1, "/b", "elsewhere");
	want_used("/a", "count=2,bytes=5");
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
	set_quota("/a", "count=100,bytes=-1");
	ck_assert_int_eq(bed_err(2, MU_OP_CREATE, q_create("/a/e", "xyz", 1)),
	                 0);
	want_used("/a", "count=2,bytes=3");
	ck_assert_int_eq(bed_err(2, MU_OP_CLOSE_SESSION, q_none()), 0);
	want_used("/a", "count=1,bytes=0");
}
END_TEST

START_TEST(rule79_a_failed_multi_counts_nothing)
{
	bed_make(1, "/a", "");
	set_quota("/a", "count=100,bytes=-1");
	q_none();
	q_sub(MU_OP_CREATE, "/a/b", "x", 0);
	q_sub(MU_OP_CHECK, "/none", NULL, -1);
	ck_assert_int_eq(bed_err(1, MU_OP_MULTI, q_end()), 0);
	want_used("/a", "count=1,bytes=0");
}
END_TEST

START_TEST(rule79_a_soft_limit_warns)
{
	bed_make(1, "/a", "");
	set_quota("/a", "count=2,bytes=4");
	bed_make(1, "/a/b", "1234");
	ck_assert_uint_eq(bed_stats().quota_soft, 0);
	bed_make(1, "/a/c", "");
	ck_assert_uint_eq(bed_stats().quota_soft, 1);
	ck_assert_str_eq(bed_stats().quota_path, "/a");
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a/c", "5", -1)), 0);
	ck_assert_uint_eq(bed_stats().quota_soft, 2);
	ck_assert_uint_eq(bed_stats().quota_hard, 0);
}
END_TEST

START_TEST(rule79_a_hard_limit_warns_where_it_is_not_enforced)
{
	bed_make(1, "/a", "");
	set_quota("/a", "count=-1,bytes=-1=;countHardLimit=1");
	bed_make(1, "/a/b", "");
	ck_assert_uint_eq(bed_stats().quota_soft, 1);
	want_used("/a", "count=2,bytes=0");
}
END_TEST

START_TEST(rule79_a_hard_limit_refuses_where_it_is_enforced)
{
	bed_close();
	open_with(true, true);
	bed_make(1, "/a", "");
	set_quota("/a", "count=-1,bytes=-1=;byteHardLimit=4;countHardLimit=2");
	bed_make(1, "/a/b", "1234");
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/a/c", "", 0)),
	                 MU_EQUOTA);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "5", -1)),
	                 MU_EQUOTA);
	ck_assert_str_eq(bed_stats().quota_path, "/a");
	ck_assert_uint_eq(bed_stats().quota_hard, 2);
	want_used("/a", "count=2,bytes=4");
	/* Other faults come first (rule 60), and less is always allowed. */
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/a/b", "", 0)),
	                 MU_EEXISTS);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a/b", "1", -1)), 0);
	ck_assert_int_eq(drop("/a/b"), 0);
	want_used("/a", "count=1,bytes=0");
}
END_TEST

START_TEST(rule79_the_quota_nearest_to_the_node_counts)
{
	bed_make(1, "/a", "");
	bed_make(1, "/a/b", "");
	set_quota("/a", "count=100,bytes=-1");
	bed_make(1, "/zookeeper/quota/a/b", "");
	bed_make(1, "/zookeeper/quota/a/b/zookeeper_limits", "count=1,bytes=1");
	bed_make(1, "/zookeeper/quota/a/b/zookeeper_stats", "");
	want_used("/a/b", "count=1,bytes=0");
	bed_make(1, "/a/b/c", "");
	want_used("/a/b", "count=2,bytes=0");
	want_used("/a", "count=2,bytes=0");
	ck_assert_int_eq(drop("/zookeeper/quota/a/b/zookeeper_limits"), 0);
	bed_make(1, "/a/b/d", "");
	want_used("/a/b", "count=2,bytes=0");
	want_used("/a", "count=3,bytes=0");
}
END_TEST

START_TEST(rule79_texts_that_are_none_break_nothing)
{
	bed_make(1, "/a", "");
	set_quota("/a", "nonsense");
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA,
	                         q_set("/zookeeper/quota/a/zookeeper_stats",
	                               "count=9223372036854775807", -1)),
	                 0);
	bed_make(1, "/a/b", "x");
	want_used("/a", "count=-9223372036854775808,bytes=0");
	bed_make(1, "/zookeeper/quota/zookeeper_stats", "x");
	bed_make(1, "/zookeeper/quota/zookeeper_limits", "count=0");
	bed_make(1, "/c", "");
	bed_make(1, "/zookeeper/quota/none", "");
	bed_make(1, "/zookeeper/quota/none/zookeeper_stats", "");
	want_used("/none", "count=0,bytes=0");
}
END_TEST

START_TEST(a_counted_change_survives_every_refused_allocation)
{
	int rc = 0, refused = 1, stopped = 0;

	for (unsigned k = 0; refused; k++) {
		bed_close();
		setup();
		bed_make(1, "/a", "");
		set_quota("/a", "count=100,bytes=-1");
		bed.slow = true;
		bed_ask(1, MU_OP_CREATE, q_create("/a/b", "123456789", 0));
		bed_ask(1, MU_OP_DELETE, q_delete("/a/b", -1));
		fault_alloc_at(k);
		rc = mu_store_durable(bed.s, bed.logged);
		refused = fault_alloc_off();
		ck_assert(rc == 0 || (rc == MU_ENOMEM && refused));
		stopped += rc != 0;
	}
	ck_assert_int_gt(stopped, 3);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		rule51_a_container_shows_no_owner_and_has_children,
		rule69_a_time_to_live_must_be_enabled,
		rule27_a_plain_create_with_the_flag_of_a_container_makes_one,
		rule99_a_time_to_live_has_a_range,
		rule99_in_a_multi_the_flag_without_the_time_is_not_decoded,
		rule102_a_time_to_live_without_its_flag_is_refused,
		rule57_sequential_nodes_may_have_a_time_to_live,
		rule70_a_container_goes_when_its_last_child_has_gone,
		rule70_plain_nodes_are_never_swept,
		rule70_a_removal_looks_again_when_it_is_applied,
		rule70_another_node_of_the_name_is_not_taken_for_it,
		rule70_no_more_are_removed_than_ten_thousand_a_minute,
		rule70_an_interval_of_none_sweeps_nothing,
		rule70_clients_do_not_delete_containers,
		a_removal_that_the_journal_refused_is_tried_again,
		a_sweep_survives_every_refused_allocation,
		rule71_setting_restarts_the_clock,
		rule71_a_node_with_children_stays,
		rule71_the_time_must_have_passed,
		rule79_what_is_there_is_counted_when_a_quota_is_set,
		rule100_every_change_is_counted,
		rule100_what_goes_with_a_session_is_counted,
		rule79_a_failed_multi_counts_nothing,
		rule79_a_soft_limit_warns,
		rule79_a_hard_limit_warns_where_it_is_not_enforced,
		rule79_a_hard_limit_refuses_where_it_is_enforced,
		rule79_the_quota_nearest_to_the_node_counts,
		rule79_texts_that_are_none_break_nothing,
		a_counted_change_survives_every_refused_allocation,
	};

	return bed_run("store: mortals and quotas", tests,
	               sizeof tests / sizeof tests[0], setup, bed_close);
}
