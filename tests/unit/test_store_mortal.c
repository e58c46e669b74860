/* Containers, nodes with a time to live, quotas: rules 27, 51, 69 to 71, 79, 99,
 * 100, 102 of zookeeper-semantics.md. */
#include "store_bed.h"

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

static bool is_there(const char *path)
{
	return mu_tree_find(mu_store_tree(store.s), mu_str_of(path)) != 0;
}

static int drop(const char *path)
{
	return bed_err(1, MU_OP_DELETE, q_delete(path, -1));
}

START_TEST(rule51_a_container_is_told_by_its_owner_in_the_tree)
{
	ck_assert_int_eq(bed_container(1, "/c"), 0);
	ck_assert_int_eq(mu_tree_owner(mu_store_tree(store.s),
	                               mu_tree_find(mu_store_tree(store.s),
	                                            MU_STR("/c"))),
	                 INT64_MIN);
}
END_TEST

START_TEST(rule27_a_plain_create_with_the_flag_of_a_container_makes_one)
{
	ck_assert_int_eq(bed_create(1, MU_OP_CREATE, "/c", 4, 0), 0);
	bed_make(1, "/c/k", "");
	ck_assert_int_eq(drop("/c/k"), 0);
	bed_tick(INTERVAL_MS);
	ck_assert(!is_there("/c"));
}
END_TEST

/* ---- rule 70 ---- */

START_TEST(rule70_a_container_goes_when_its_last_child_has_gone)
{
	ck_assert_int_eq(bed_container(1, "/c"), 0);
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
	ck_assert_int_eq(bed_container(1, "/c"), 0);
	bed_make(1, "/c/k", "");
	ck_assert_int_eq(drop("/c/k"), 0);
	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/c/new", "", 0));
	bed_tick(INTERVAL_MS); /* its removal is logged behind */
	ck_assert_uint_eq(bed_stats().logged, bed_stats().applied + 2);
	bed_durable(store.logged);
	ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert(is_there("/c/new"));
}
END_TEST

START_TEST(rule70_another_node_of_the_name_is_not_taken_for_it)
{
	ck_assert_int_eq(bed_container(1, "/c"), 0);
	bed_make(1, "/c/k", "");
	ck_assert_int_eq(drop("/c/k"), 0);
	store.slow = true;
	bed_ask(1, MU_OP_DELETE, q_delete("/c", -1));
	bed_ask(1, MU_OP_CREATE, q_create("/c", "", 0));
	bed_tick(INTERVAL_MS);
	bed_durable(store.logged);
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
		ck_assert_int_eq(bed_mortal(1, path, 1), 0);
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
	struct mu_store_config config = store.config;

	config.container_check_interval_ms = 0;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &config, NULL), 0);
	ck_assert_int_eq(bed_mortal(1, "/t", 1), 0);
	bed_tick(10 * INTERVAL_MS);
	ck_assert(is_there("/t"));
}
END_TEST

START_TEST(a_removal_that_the_journal_refused_is_tried_again)
{
	ck_assert_int_eq(bed_mortal(1, "/t", 1), 0);
	store.slow = true;
	bed_tick(INTERVAL_MS);
	ck_assert_uint_eq(bed_stats().logged, bed_stats().applied + 1);
	mu_store_refused(store.s, MU_EIO);
	bed_drain();
	store.logged = bed_stats().logged;
	store.slow = false;
	ck_assert(is_there("/t"));
	bed_tick(INTERVAL_MS);
	ck_assert(!is_there("/t"));
}
END_TEST

START_TEST(a_sweep_survives_every_refused_allocation)
{
	int refused = 1;

	ck_assert_int_eq(bed_mortal(1, "/t", 1), 0);
	for (unsigned k = 0; refused; k++) {
		store.now.mono_ms += INTERVAL_MS;
		store.now.wall_ms += INTERVAL_MS;
		fault_alloc_at(k);
		mu_store_tick(store.s, store.now);
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
	ck_assert_int_eq(bed_mortal(1, "/t", 1500), 0);
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
	ck_assert_int_eq(bed_mortal(1, "/t", 1), 0);
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
	ck_assert_int_eq(bed_mortal(1, "/t", INTERVAL_MS), 0);
	bed_tick(INTERVAL_MS);
	ck_assert(is_there("/t"));
	bed_tick(INTERVAL_MS);
	ck_assert(!is_there("/t"));
}
END_TEST

/* ---- quotas ---- */

START_TEST(rule79_a_soft_limit_warns)
{
	bed_make(1, "/a", "");
	bed_set_quota("/a", "count=2,bytes=4");
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
	bed_set_quota("/a", "count=-1,bytes=-1=;countHardLimit=1");
	bed_make(1, "/a/b", "");
	ck_assert_uint_eq(bed_stats().quota_soft, 1);
	bed_want_used("/a", "count=2,bytes=0");
}
END_TEST

START_TEST(rule79_a_refusal_for_a_quota_names_its_path)
{
	bed_close();
	open_with(true, true);
	bed_make(1, "/a", "");
	bed_set_quota("/a",
	              "count=-1,bytes=-1=;byteHardLimit=4;countHardLimit=2");
	bed_make(1, "/a/b", "1234");
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/a/c", "", 0)),
	                 MU_EQUOTA);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "5", -1)),
	                 MU_EQUOTA);
	ck_assert_str_eq(bed_stats().quota_path, "/a");
	ck_assert_uint_eq(bed_stats().quota_hard, 2);
}
END_TEST

START_TEST(a_counted_change_survives_every_refused_allocation)
{
	int rc = 0, refused = 1, stopped = 0;

	for (unsigned k = 0; refused; k++) {
		bed_close();
		setup();
		bed_make(1, "/a", "");
		bed_set_quota("/a", "count=100,bytes=-1");
		store.slow = true;
		bed_ask(1, MU_OP_CREATE, q_create("/a/b", "123456789", 0));
		bed_ask(1, MU_OP_DELETE, q_delete("/a/b", -1));
		fault_alloc_at(k);
		rc = mu_store_durable(store.s, store.logged);
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
		rule51_a_container_is_told_by_its_owner_in_the_tree,
		rule27_a_plain_create_with_the_flag_of_a_container_makes_one,
		rule70_a_container_goes_when_its_last_child_has_gone,
		rule70_plain_nodes_are_never_swept,
		rule70_a_removal_looks_again_when_it_is_applied,
		rule70_another_node_of_the_name_is_not_taken_for_it,
		rule70_no_more_are_removed_than_ten_thousand_a_minute,
		rule70_an_interval_of_none_sweeps_nothing,
		a_removal_that_the_journal_refused_is_tried_again,
		a_sweep_survives_every_refused_allocation,
		rule71_setting_restarts_the_clock,
		rule71_a_node_with_children_stays,
		rule71_the_time_must_have_passed,
		rule79_a_soft_limit_warns,
		rule79_a_hard_limit_warns_where_it_is_not_enforced,
		rule79_a_refusal_for_a_quota_names_its_path,
		a_counted_change_survives_every_refused_allocation,
	};

	return bed_run("store: mortals and quotas", tests,
	               sizeof tests / sizeof tests[0], setup, bed_close);
}
