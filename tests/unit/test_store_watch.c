/* Reads and watches through the door: rules 22 to 26, 29 to 38, 41, 68, 72,
 * 98. Link 1 watches, link 2 changes. */
#include "store_bed.h"

static void look(int32_t op, const char *path)
{
	bed_do(1, op, q_path(path, true));
}

static int64_t make(const char *path)
{
	return bed_make(2, path, "x");
}

START_TEST(rule32_the_event_comes_before_the_new_data)
{
	struct bed_reply r;

	make("/a");
	look(MU_OP_GET_DATA, "/a");
	store.slow = true;
	bed_ask(2, MU_OP_SET_DATA, q_set("/a", "new", -1));
	bed_ask(1, MU_OP_SYNC, q_sync("/"));
	bed_ask(1, MU_OP_GET_DATA, q_path("/a", false));
	bed_durable(store.logged);
	bed_event(1, MU_NODE_DATA_CHANGED, "/a");
	bed_reply(1);
	r = bed_reply(1);
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("new")));
}
END_TEST

/* ---- resume: rule 37 ---- */

START_TEST(watches_have_a_limit)
{
	store.config.watches_max = 2;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &store.config, NULL), 0);
	make("/a");
	look(MU_OP_GET_DATA, "/a");
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/b", 0)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_EXISTS, q_path("/c", true)),
	                 MU_EFULL);
	ck_assert_int_eq(bed_err(1, MU_OP_GET_DATA, q_path("/zookeeper", true)),
	                 MU_EFULL);
	/* one more kind on a path that is held is no new watch */
	ck_assert_int_eq(bed_err(1, MU_OP_GET_CHILDREN, q_path("/a", true)), 0);
	bed_send(1, -8, MU_OP_SET_WATCHES,
	         q_set_watches(bed_stats().zxid, LIST("/zookeeper"), NULL,
	                       NULL));
	bed_want(1, -8, MU_EFULL);
	ck_assert_uint_eq(bed_stats().watches, 2);
}
END_TEST

/* A path may be as long as a packet. */
START_TEST(their_paths_have_a_limit)
{
	store.config.watch_bytes_max = 6;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &store.config, NULL), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/a", 0)), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_ADD_WATCH, q_add_watch("/a", 0)), 0);
	bed_subscribe(1, 1, "/b", 0, -1, 0);
	bed_subscribe(1, 2, "/b", 0, -1, 0);
	ck_assert_uint_eq(bed_stats().watch_bytes, 4);
	bed_subscribe(1, 3, "/c", 0, -1, 0);
	ck_assert_uint_eq(bed_stats().watch_bytes, 6);
	ck_assert_int_eq(
		bed_err(1, MU_OP_SUBSCRIBE, q_subscribe(4, "/d", 0, -1, 0)),
		MU_EFULL);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/d", 0)),
	                 MU_EFULL);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/a", 1)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_UNSUBSCRIBE, q_unsubscribe(3)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/d", 0)), 0);
	bed_lost(1);
	ck_assert_uint_eq(bed_stats().watch_bytes, 2);
	bed_lost(2);
	ck_assert_uint_eq(bed_stats().watch_bytes, 0);
}
END_TEST

START_TEST(a_reply_over_the_limit_is_an_error_and_leaves_no_watch)
{
	struct bed_reply r = { 0 };

	make("/a");
	ck_assert_int_eq(bed_err(2, MU_OP_SET_DATA, q_set("/a", "12345", -1)),
	                 0);
	/* frame 4, header 16, data 4 + 5, stat 68 */
	store.config.reply_max = 97;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &store.config, NULL), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_GET_DATA, q_path("/a", false)), 0);
	store.config.reply_max = 96;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &store.config, NULL), 0);
	r = bed_do(1, MU_OP_GET_DATA, q_path("/a", true));
	ck_assert_int_eq(r.err, MU_ETOOBIG);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	ck_assert_uint_eq(bed_stats().watches, 0);
	store.config.reply_max = 40;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &store.config, NULL), 0);
	make("/a/a-name-that-is-long-enough");
	ck_assert_int_eq(bed_err(1, MU_OP_GET_CHILDREN, q_path("/a", true)),
	                 MU_ETOOBIG);
}
END_TEST

START_TEST(one_notification_goes_to_all_who_watch)
{
	make("/a");
	for (uint32_t link = 10; link < 20; link++) {
		bed_connect(link);
		bed_do(link, MU_OP_ADD_WATCH, q_add_watch("/", 1));
	}
	bed_forget();
	store.effects = 0;
	bed_ask(2, MU_OP_SET_DATA, q_set("/a", "x", -1));
	/* LOG, FANOUT, SEND */
	ck_assert_uint_eq(store.effects, 3);
	for (uint32_t link = 10; link < 20; link++) {
		ck_assert(bed_peek(link)->fanned);
		bed_event(link, MU_NODE_DATA_CHANGED, "/a");
	}
}
END_TEST

/* A node's watchers and its parent's take turns: their links are kept once, not
 * once an event. */
START_TEST(receivers_that_alternate_are_listed_once)
{
	const uint32_t *first[2] = { NULL, NULL };
	struct mu_effect e;
	size_t fanouts = 0;

	make("/p");
	bed_connect(3);
	bed_do(1, MU_OP_ADD_WATCH, q_add_watch("/", 1));
	bed_do(3, MU_OP_ADD_WATCH, q_add_watch("/p", 0));
	store.slow = true;
	q_none();
	q_sub(MU_OP_CREATE, "/p/a", "", 0);
	q_sub(MU_OP_CREATE, "/p/b", "", 0);
	q_sub(MU_OP_CREATE, "/p/c", "", 0);
	bed_ask(2, MU_OP_MULTI, q_end());
	ck_assert_int_eq(mu_store_durable(store.s, store.logged), 0);
	for (; mu_store_effect(store.s, &e) && e.kind == MU_FX_FANOUT;
	     fanouts++) {
		ck_assert_uint_eq(e.link_count, 1);
		ck_assert_uint_eq(e.links[0], fanouts % 2 ? 3 : 1);
		if (fanouts < 2)
			first[fanouts] = e.links;
		ck_assert_ptr_eq(e.links, first[fanouts % 2]);
	}
	ck_assert_uint_eq(fanouts, 6);
}
END_TEST

START_TEST(two_thousand_ephemerals_go_at_once_and_each_is_told)
{
	char path[32];

	for (int i = 0; i < 2000; i++) {
		mu_format(path, sizeof path, "/e%d", i);
		bed_ask(1, MU_OP_CREATE, q_create(path, "", 1));
	}
	for (uint32_t link = 10; link < 20; link++) {
		bed_connect(link);
		bed_do(link, MU_OP_ADD_WATCH, q_add_watch("/", 1));
	}
	bed_forget();
	store.effects = 0;
	bed_ask(1, MU_OP_CLOSE_SESSION, q_none());
	/* not one effect an event: those with the same receivers are joined */
	ck_assert_uint_lt(store.effects, 10);
	ck_assert_uint_eq(store.record_count, 2000 * 10 + 1);
	ck_assert_uint_eq(bed_stats().ephemerals, 0);
	for (uint32_t link = 10; link < 20; link++)
		ck_assert(bed_is_open(link));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		rule32_the_event_comes_before_the_new_data,
		watches_have_a_limit,
		their_paths_have_a_limit,
		a_reply_over_the_limit_is_an_error_and_leaves_no_watch,
		one_notification_goes_to_all_who_watch,
		receivers_that_alternate_are_listed_once,
		two_thousand_ephemerals_go_at_once_and_each_is_told,
	};

	return bed_run("store: reads and watches", tests,
	               sizeof tests / sizeof tests[0], bed_open_two, bed_close);
}
