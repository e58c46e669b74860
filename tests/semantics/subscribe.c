/* Subscriptions: who is told of what, when, and what an event says. Ours, not
 * ZooKeeper's (proto.h). Link 1 is subscribed, link 2 changes. */
#include "bed.h"

#define EXACT MU_SUBSCRIBE_EXACT
#define CHILDREN MU_SUBSCRIBE_CHILDREN
#define SUBTREE MU_SUBSCRIBE_SUBTREE

#define LINK_MAX 5u
#define INTERESTS_MAX 8u

static int64_t prev_zxid; /* of link 1, subscription 1 */
static int32_t prev_n;

static void setup_limits(void)
{
	struct mu_store_config config = bed_config();

	config.subscriptions_per_link_max = LINK_MAX;
	config.watches_max = INTERESTS_MAX;
	bed_open_with(&config);
	bed_connect(1);
	bed_connect(2);
}

/* Number 1 of link 1, from now on. */
static void subscribe(const char *path, int32_t mode)
{
	struct mu_subscribe_reply r = bed_subscribe(1, 1, path, mode, -1, 0);

	ck_assert_int_eq(r.state, MU_SUBSCRIBED_LIVE);
	ck_assert_int_eq(r.n, MU_CHANGE_N_END);
	ck_assert_int_eq(r.from, 0);
	ck_assert_int_eq(r.to, 0);
	prev_zxid = r.zxid;
	prev_n = r.n;
}

/* The next event of it, behind the one before. */
static struct mu_change_event told(enum mu_node_event type, const char *path)
{
	struct mu_change_event e = bed_change(1);

	ck_assert_int_eq(e.id, 1);
	ck_assert_int_eq(e.type, type);
	ck_assert_msg(mu_str_eq(e.path, mu_str_of(path)), "%.*s, not %s",
	              (int)e.path.len, e.path.at, path);
	ck_assert_int_eq(e.prev_zxid, prev_zxid);
	ck_assert_int_eq(e.prev_n, prev_n);
	ck_assert(e.zxid > prev_zxid || (e.zxid == prev_zxid && e.n > prev_n));
	prev_zxid = e.zxid;
	prev_n = e.n;
	return e;
}

static void is_data(const struct mu_change_event *e, const char *data)
{
	ck_assert_int_eq(e->whole, 1);
	ck_assert(e->data.at != NULL);
	ck_assert(mu_str_eq(e->data, mu_str_of(data)));
	ck_assert_int_eq(e->stat.data_len, (int32_t)strlen(data));
}

static int64_t set(const char *path, const char *data)
{
	return bed_set(2, path, data);
}

static void drop(const char *path)
{
	ck_assert_int_eq(bed_err(2, MU_OP_DELETE, q_delete(path, -1)), 0);
}

static bool same_stat(const struct mu_stat *a, const struct mu_stat *b)
{
	return a->czxid == b->czxid && a->mzxid == b->mzxid &&
	       a->ctime == b->ctime && a->mtime == b->mtime &&
	       a->version == b->version && a->cversion == b->cversion &&
	       a->aversion == b->aversion && a->data_len == b->data_len &&
	       a->ephemeral_owner == b->ephemeral_owner &&
	       a->num_children == b->num_children && a->pzxid == b->pzxid;
}

/* ---- what is told ---- */

START_TEST(from_now_on_every_change_of_the_path_is_told_in_order)
{
	subscribe("/a", EXACT);
	bed_quiet(1);
	bed_make(2, "/a", "1");
	set("/a", "2");
	bed_make(2, "/a/b", "x");
	set("/a/b", "y");
	drop("/a/b");
	drop("/a");
	told(MU_NODE_CREATED, "/a");
	told(MU_NODE_DATA_CHANGED, "/a");
	told(MU_NODE_CHILDREN_CHANGED, "/a");
	told(MU_NODE_CHILDREN_CHANGED, "/a");
	told(MU_NODE_DELETED, "/a");
	bed_quiet(1);
}
END_TEST

START_TEST(children_are_told_one_level_down_and_of_the_path_that_they_changed)
{
	bed_make(2, "/a", "1");
	subscribe("/a", CHILDREN);
	bed_make(2, "/a/b", "x");
	set("/a/b", "y");
	bed_make(2, "/a/b/c", "z");
	set("/a/b/c", "z");
	drop("/a/b/c");
	drop("/a/b");
	told(MU_NODE_CREATED, "/a/b");
	told(MU_NODE_CHILDREN_CHANGED, "/a");
	told(MU_NODE_DATA_CHANGED, "/a/b");
	told(MU_NODE_DELETED, "/a/b");
	told(MU_NODE_CHILDREN_CHANGED, "/a");
	bed_quiet(1);
}
END_TEST

START_TEST(a_subtree_is_told_at_all_depths_and_children_changed_of_its_top)
{
	subscribe("/a", SUBTREE);
	bed_make(2, "/a", "1");
	bed_make(2, "/a/b", "x");
	bed_make(2, "/a/b/c", "z");
	set("/a/b/c", "z");
	bed_make(2, "/ab", "not below it");
	drop("/a/b/c");
	told(MU_NODE_CREATED, "/a");
	told(MU_NODE_CREATED, "/a/b");
	told(MU_NODE_CHILDREN_CHANGED, "/a");
	told(MU_NODE_CREATED, "/a/b/c");
	told(MU_NODE_DATA_CHANGED, "/a/b/c");
	told(MU_NODE_DELETED, "/a/b/c");
	bed_quiet(1);
}
END_TEST

START_TEST(a_path_needs_no_node)
{
	subscribe("/no/such/thing", EXACT);
	bed_make(2, "/no", "");
	bed_make(2, "/no/such", "");
	bed_make(2, "/no/such/thing", "");
	told(MU_NODE_CREATED, "/no/such/thing");
}
END_TEST

START_TEST(a_write_that_fails_is_told_to_nobody)
{
	bed_make(2, "/a", "1");
	subscribe("/a", EXACT);
	ck_assert_int_eq(bed_err(2, MU_OP_SET_DATA, q_set("/a", "x", 7)),
	                 MU_EBADVERSION);
	q_none();
	q_sub(MU_OP_SET_DATA, "/a", "x", -1);
	q_sub(MU_OP_CHECK, "/a", NULL, 7);
	ck_assert_int_eq(bed_err(2, MU_OP_MULTI, q_end()), 0);
	set("/a", "2");
	ck_assert_int_eq(told(MU_NODE_DATA_CHANGED, "/a").n, 0);
	bed_quiet(1);
}
END_TEST

/* ---- what an event says ---- */

START_TEST(an_event_says_what_the_node_was_when_it_happened)
{
	struct mu_change_event e;
	struct mu_stat stat;

	subscribe("/a", EXACT);
	bed_make(2, "/a", "one");
	stat = bed_stat(2, "/a");
	e = told(MU_NODE_CREATED, "/a");
	is_data(&e, "one");
	ck_assert(same_stat(&e.stat, &stat));
	ck_assert_int_eq(e.zxid, stat.czxid);
	set("/a", "three");
	stat = bed_stat(2, "/a");
	e = told(MU_NODE_DATA_CHANGED, "/a");
	is_data(&e, "three");
	ck_assert(same_stat(&e.stat, &stat));
	drop("/a");
	e = told(MU_NODE_DELETED, "/a");
	is_data(&e, "three");
	ck_assert(same_stat(&e.stat, &stat));
}
END_TEST

START_TEST(children_changed_says_how_the_parent_is_and_brings_no_data)
{
	struct mu_change_event e;
	struct mu_stat stat;

	bed_make(2, "/a", "data");
	subscribe("/a", EXACT);
	bed_make(2, "/a/b", "");
	stat = bed_stat(2, "/a");
	e = told(MU_NODE_CHILDREN_CHANGED, "/a");
	ck_assert(same_stat(&e.stat, &stat));
	ck_assert_int_eq(e.stat.num_children, 1);
	ck_assert_int_eq(e.whole, 1);
	ck_assert_ptr_null(e.data.at);
}
END_TEST

START_TEST(null_data_is_not_empty_data)
{
	struct mu_change_event e;

	subscribe("/a", EXACT);
	bed_make(2, "/a", NULL);
	e = told(MU_NODE_CREATED, "/a");
	ck_assert_ptr_null(e.data.at);
	ck_assert_int_eq(e.whole, 1);
	set("/a", "");
	e = told(MU_NODE_DATA_CHANGED, "/a");
	is_data(&e, "");
}
END_TEST

START_TEST(data_comes_along_up_to_4_kib_and_not_a_byte_more)
{
	static char data[MU_CHANGE_DATA_MAX + 2];
	struct mu_change_event e;

	memset(data, 'd', MU_CHANGE_DATA_MAX);
	subscribe("/a", EXACT);
	bed_make(2, "/a", data);
	e = told(MU_NODE_CREATED, "/a");
	is_data(&e, data);
	data[MU_CHANGE_DATA_MAX] = 'd';
	set("/a", data);
	e = told(MU_NODE_DATA_CHANGED, "/a");
	ck_assert_int_eq(e.whole, 0);
	ck_assert_ptr_null(e.data.at);
	ck_assert_int_eq(e.stat.data_len, MU_CHANGE_DATA_MAX + 1);
	drop("/a");
	ck_assert_int_eq(told(MU_NODE_DELETED, "/a").whole, 0);
}
END_TEST

START_TEST(events_of_a_multi_are_told_one_by_one_as_of_each)
{
	struct mu_change_event e[6];

	subscribe("/a", CHILDREN);
	q_none();
	q_sub(MU_OP_CREATE, "/a", "1", 0);
	q_sub(MU_OP_SET_DATA, "/a", "22", -1);
	q_sub(MU_OP_CREATE, "/a/b", "x", 0);
	q_sub(MU_OP_SET_DATA, "/a", "333", -1);
	q_sub(MU_OP_DELETE, "/a/b", NULL, -1);
	ck_assert_int_eq(bed_err(2, MU_OP_MULTI, q_end()), 0);
	e[0] = told(MU_NODE_CREATED, "/a"); /* 1 is of "/" */
	e[1] = told(MU_NODE_DATA_CHANGED, "/a");
	e[2] = told(MU_NODE_CREATED, "/a/b");
	e[3] = told(MU_NODE_CHILDREN_CHANGED, "/a");
	e[4] = told(MU_NODE_DATA_CHANGED, "/a");
	e[5] = told(MU_NODE_DELETED, "/a/b");
	is_data(&e[0], "1");
	is_data(&e[1], "22");
	is_data(&e[2], "x");
	is_data(&e[4], "333");
	is_data(&e[5], "x");
	ck_assert_int_eq(e[0].n, 0);
	ck_assert_int_eq(e[1].n, 2);
	ck_assert_int_eq(e[0].stat.version, 0);
	ck_assert_int_eq(e[1].stat.version, 1);
	ck_assert_int_eq(e[1].stat.num_children, 0);
	ck_assert_int_eq(e[3].stat.num_children, 1);
	for (size_t i = 1; i < 6; i++)
		ck_assert_int_eq(e[i].zxid, e[0].zxid);
	ck_assert_int_eq(told(MU_NODE_CHILDREN_CHANGED, "/a").stat.num_children,
	                 0);
	bed_quiet(1);
}
END_TEST

START_TEST(an_event_says_who_brought_it_about_and_from_where)
{
	int64_t author = bed_connect(3);
	struct mu_change_event e;

	subscribe("/a", EXACT);
	bed_make(3, "/a", "1");
	e = told(MU_NODE_CREATED, "/a");
	ck_assert_int_eq(e.cause, MU_BY_REQUEST);
	ck_assert_int_eq(e.session, author);
	ck_assert(mu_str_eq(mu_origin_address(e.origin),
	                    mu_str_of(bed_address())));
}
END_TEST

START_TEST(the_end_of_a_session_is_the_cause_of_its_ephemerals_end)
{
	int64_t author = bed_connect(3);
	struct mu_change_event e;

	ck_assert_int_eq(bed_err(3, MU_OP_CREATE, q_create("/a", "v", 1)), 0);
	subscribe("/a", EXACT);
	ck_assert_int_eq(bed_err(3, MU_OP_CLOSE_SESSION, q_none()), 0);
	e = told(MU_NODE_DELETED, "/a");
	ck_assert_int_eq(e.cause, MU_BY_CLOSE);
	ck_assert_int_eq(e.session, author);
	ck_assert_int_eq(e.stat.ephemeral_owner, author);
	is_data(&e, "v");
	ck_assert(mu_str_eq(mu_origin_address(e.origin),
	                    mu_str_of(bed_address())));
}
END_TEST

/* ---- order ---- */

START_TEST(events_come_before_the_reply_that_shows_the_change)
{
	int32_t xid;

	subscribe("/a", EXACT);
	xid = bed_ask(1, MU_OP_CREATE, q_create("/a", "1", 0));
	told(MU_NODE_CREATED, "/a");
	bed_want(1, xid, 0);
	set("/a", "2");
	xid = bed_ask(1, MU_OP_GET_DATA, q_path("/a", false));
	told(MU_NODE_DATA_CHANGED, "/a");
	bed_want(1, xid, 0);
}
END_TEST

START_TEST(a_subscription_stands_behind_the_sessions_own_earlier_writes)
{
	int32_t xid;

	bed_hold();
	xid = bed_ask(1, MU_OP_CREATE, q_create("/a", "1", 0));
	bed_ask(1, MU_OP_SUBSCRIBE, q_subscribe(1, "/a", EXACT, -1, 0));
	bed_ask(1, MU_OP_SET_DATA, q_set("/a", "2", -1));
	bed_release();
	bed_want(1, xid, 0);
	ck_assert_int_eq(bed_subscribed(1).state, MU_SUBSCRIBED_LIVE);
	ck_assert_int_eq(bed_change(1).type, MU_NODE_DATA_CHANGED);
	bed_want(1, xid + 2, 0);
	bed_quiet(1);
}
END_TEST

/* ---- several ---- */

START_TEST(each_subscription_is_told_for_itself)
{
	struct mu_change_event e;
	int64_t first;

	bed_make(2, "/a", "");
	bed_subscribe(1, 10, "/a", EXACT, -1, 0);
	set("/a", "1");
	first = bed_change(1).zxid;
	bed_subscribe(1, -20, "/", SUBTREE, -1, 0);
	set("/a", "2");
	e = bed_change(1);
	ck_assert_int_eq(e.id, 10);
	ck_assert_int_eq(e.prev_zxid, first);
	ck_assert_int_eq(e.prev_n, 0);
	e = bed_change(1);
	ck_assert_int_eq(e.id, -20);
	ck_assert_int_eq(e.prev_n, MU_CHANGE_N_END);
	bed_quiet(1);
}
END_TEST

START_TEST(watches_and_subscriptions_do_not_mind_each_other)
{
	bed_make(2, "/a", "");
	ck_assert_int_eq(bed_err(1, MU_OP_GET_DATA, q_path("/a", true)), 0);
	subscribe("/a", EXACT);
	set("/a", "1");
	bed_event(1, MU_NODE_DATA_CHANGED, "/a");
	told(MU_NODE_DATA_CHANGED, "/a");
	set("/a", "2");
	told(MU_NODE_DATA_CHANGED, "/a");
	bed_quiet(1);
}
END_TEST

START_TEST(a_number_in_use_is_replaced)
{
	bed_make(2, "/a", "");
	bed_make(2, "/b", "");
	subscribe("/a", EXACT);
	subscribe("/b", EXACT);
	set("/a", "1");
	set("/b", "1");
	told(MU_NODE_DATA_CHANGED, "/b");
	bed_quiet(1);
}
END_TEST

START_TEST(what_is_unsubscribed_is_told_no_more)
{
	bed_make(2, "/a", "");
	subscribe("/a", EXACT);
	ck_assert_int_eq(bed_err(1, MU_OP_UNSUBSCRIBE, q_unsubscribe(2)),
	                 MU_ENOWATCHER);
	ck_assert_int_eq(bed_err(2, MU_OP_UNSUBSCRIBE, q_unsubscribe(1)),
	                 MU_ENOWATCHER);
	ck_assert_int_eq(bed_err(1, MU_OP_UNSUBSCRIBE, q_unsubscribe(1)), 0);
	set("/a", "1");
	bed_quiet(1);
	ck_assert_int_eq(bed_err(1, MU_OP_UNSUBSCRIBE, q_unsubscribe(1)),
	                 MU_ENOWATCHER);
}
END_TEST

START_TEST(subscriptions_go_with_their_link_and_not_with_the_session)
{
	int64_t session = bed_connect(3);

	bed_make(2, "/a", "");
	bed_subscribe(3, 1, "/a", EXACT, -1, 0);
	bed_lost(3);
	bed_resume(4, session);
	bed_welcome(4);
	set("/a", "1");
	ck_assert_int_eq(bed_err(4, MU_OP_UNSUBSCRIBE, q_unsubscribe(1)),
	                 MU_ENOWATCHER);
	bed_quiet(4);
}
END_TEST

/* ---- refusals ---- */

START_TEST(a_bad_path_mode_or_position_is_refused_and_changes_nothing)
{
	static const struct {
		const char *path;
		int32_t mode;
		int64_t zxid;
		int32_t n;
	} bad[] = {
		{ "a", 0, -1, 0 },  { "/a/", 0, -1, 0 },   { NULL, 0, -1, 0 },
		{ "/a", 3, -1, 0 }, { "/a", -1, -1, 0 },   { "/a", 0, -2, 0 },
		{ "/a", 0, 1, -2 }, { "/a//b", 1, -1, 0 },
	};

	bed_make(2, "/a", "");
	subscribe("/a", EXACT);
	for (size_t i = 0; i < BED_COUNT(bad); i++)
		ck_assert_int_eq(
			bed_err(1, MU_OP_SUBSCRIBE,
		                q_subscribe(1, bad[i].path, bad[i].mode,
		                            bad[i].zxid, bad[i].n)),
			MU_EINVAL);
	ck_assert_int_eq(bed_err(1, MU_OP_SUBSCRIBE, q_none()), MU_EMARSHAL);
	ck_assert_int_eq(bed_err(1, MU_OP_UNSUBSCRIBE, q_none()), MU_EMARSHAL);
	set("/a", "1");
	told(MU_NODE_DATA_CHANGED, "/a");
}
END_TEST

/* Rule 18, as to a ZooKeeper that knows nothing of it. */
START_TEST(who_did_not_ask_for_features_asks_for_an_unknown_operation)
{
	static const int32_t ops[] = { MU_OP_SUBSCRIBE, MU_OP_UNSUBSCRIBE };

	for (uint32_t i = 0; i < 2; i++) {
		struct mu_connect_request q = bed_hello();
		struct bed_reply r;

		q.protocol = 0;
		bed_link(5 + i);
		bed_shake(5 + i, &q);
		bed_welcome(5 + i);
		r = bed_do(5 + i, ops[i], q_subscribe(1, "/", EXACT, -1, 0));
		ck_assert_int_eq(r.err, MU_EUNIMPLEMENTED);
		ck_assert_int_eq(r.zxid, -1);
		ck_assert(bed_is_closed(5 + i, MU_CLOSE_UNKNOWN_OP));
	}
}
END_TEST

START_TEST(a_link_has_as_many_subscriptions_as_it_may_and_not_one_more)
{
	for (int32_t id = 0; id < (int32_t)LINK_MAX; id++)
		bed_subscribe(1, id, "/a", EXACT, -1, 0);
	ck_assert_int_eq(bed_err(1, MU_OP_SUBSCRIBE,
	                         q_subscribe(99, "/b", EXACT, -1, 0)),
	                 MU_EFULL);
	bed_subscribe(1, 3, "/b", EXACT, -1, 0); /* in its own place */
	ck_assert_int_eq(bed_err(1, MU_OP_UNSUBSCRIBE, q_unsubscribe(3)), 0);
	bed_subscribe(1, 99, "/b", EXACT, -1, 0);
	bed_subscribe(2, 99, "/b", EXACT, -1, 0);
}
END_TEST

START_TEST(watches_and_subscriptions_are_held_to_one_limit)
{
	for (int32_t id = 0; id < 4; id++) {
		bed_subscribe(1, id, "/a", EXACT, -1, 0);
		bed_subscribe(2, id, "/a", EXACT, -1, 0);
	}
	ck_assert_int_eq(bed_err(1, MU_OP_SUBSCRIBE,
	                         q_subscribe(99, "/b", EXACT, -1, 0)),
	                 MU_EFULL);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/a", 0)),
	                 MU_EFULL);
	ck_assert_int_eq(bed_err(2, MU_OP_UNSUBSCRIBE, q_unsubscribe(0)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/a", 0)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_SUBSCRIBE,
	                         q_subscribe(99, "/b", EXACT, -1, 0)),
	                 MU_EFULL);
}
END_TEST

TCase *semantics_subscribe_limits(void)
{
	const TTest *const tests[] = {
		a_link_has_as_many_subscriptions_as_it_may_and_not_one_more,
		watches_and_subscriptions_are_held_to_one_limit,
	};

	return bed_case("subscriptions: limits", setup_limits, tests,
	                BED_COUNT(tests));
}

TCase *semantics_subscribe(void)
{
	const TTest *const tests[] = {
		from_now_on_every_change_of_the_path_is_told_in_order,
		children_are_told_one_level_down_and_of_the_path_that_they_changed,
		a_subtree_is_told_at_all_depths_and_children_changed_of_its_top,
		a_path_needs_no_node,
		a_write_that_fails_is_told_to_nobody,
		an_event_says_what_the_node_was_when_it_happened,
		children_changed_says_how_the_parent_is_and_brings_no_data,
		null_data_is_not_empty_data,
		data_comes_along_up_to_4_kib_and_not_a_byte_more,
		events_of_a_multi_are_told_one_by_one_as_of_each,
		an_event_says_who_brought_it_about_and_from_where,
		the_end_of_a_session_is_the_cause_of_its_ephemerals_end,
		events_come_before_the_reply_that_shows_the_change,
		a_subscription_stands_behind_the_sessions_own_earlier_writes,
		each_subscription_is_told_for_itself,
		watches_and_subscriptions_do_not_mind_each_other,
		a_number_in_use_is_replaced,
		what_is_unsubscribed_is_told_no_more,
		subscriptions_go_with_their_link_and_not_with_the_session,
		a_bad_path_mode_or_position_is_refused_and_changes_nothing,
		who_did_not_ask_for_features_asks_for_an_unknown_operation,
	};

	return bed_case("subscriptions", bed_open_two, tests, BED_COUNT(tests));
}
