/* The book of watches, and how it is brought to the next link. */
#include "link_bed.h"

#include "fault.h"
#include "link_impl.h"
#include "mem.h"

/* Ask, and have it answered. Each test counts xids from 1 with this alone. */
static int32_t xid;

static void watch(int kind, const char *path, int32_t err)
{
	static const int32_t ops[] = {
		[MU_LW_DATA] = MU_OP_GET_DATA,
		[MU_LW_EXIST] = MU_OP_EXISTS,
		[MU_LW_CHILD] = MU_OP_GET_CHILDREN2,
		[MU_LW_PERSISTENT] = MU_OP_ADD_WATCH,
		[MU_LW_RECURSIVE] = MU_OP_ADD_WATCH,
	};

	ck_assert_int_eq(ask_watch(ops[kind], path, kind, 1), 0);
	reply(++xid, 10, err);
	drain();
}

static void connected(void)
{
	bed_setup();
	xid = 0;
	go_connected();
}

/* Is an event of this type on this path told? */
static bool is_told(int32_t type, const char *path)
{
	event(20, type, path);
	return strstr(drain(), "event") != NULL;
}

#define EACH_EVENT(type) \
	for (int32_t type = MU_NODE_CREATED; type <= MU_NODE_CHILDREN_CHANGED; \
	     type++)

/* ---- what enters ---- */

START_TEST(rule29_a_reply_leaves_the_watch_it_says)
{
	static const struct {
		int kind;
		int32_t err;
		uint32_t left;
	} rows[] = {
		{ MU_LW_DATA, 0, 1 },           { MU_LW_DATA, MU_ENONODE, 0 },
		{ MU_LW_EXIST, 0, 1 },          { MU_LW_EXIST, MU_ENONODE, 1 },
		{ MU_LW_EXIST, MU_ENOAUTH, 0 }, { MU_LW_CHILD, 0, 1 },
		{ MU_LW_CHILD, MU_ENONODE, 0 }, { MU_LW_PERSISTENT, 0, 1 },
		{ MU_LW_RECURSIVE, 0, 1 },      { MU_LW_RECURSIVE, -5, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t before = info().watches;
		char path[8];

		mu_format(path, sizeof path, "/%zu", i);
		watch(rows[i].kind, path, rows[i].err);
		ck_assert_uint_eq(info().watches, before + rows[i].left);
	}
}
END_TEST

START_TEST(a_watch_enters_only_with_the_reply)
{
	ask_watch(MU_OP_GET_DATA, "/a", MU_LW_DATA, 1);
	ck_assert_uint_eq(info().watches, 0);
	ck_assert(!is_told(MU_NODE_DATA_CHANGED, "/a"));
	reply(1, 10, 0);
	ck_assert(is_told(MU_NODE_DATA_CHANGED, "/a"));
}
END_TEST

START_TEST(a_request_that_is_lost_leaves_no_watch)
{
	ask_watch(MU_OP_GET_DATA, "/a", MU_LW_DATA, 1);
	mu_link_on_lost(l, now);
	ck_assert_uint_eq(info().watches, 0);
}
END_TEST

/* Connected, disconnected and expired are told to the application as states,
 * once; no watch is used up by them. */
START_TEST(rule43_a_lost_link_uses_up_no_watch)
{
	watch(MU_LW_DATA, "/a", 0);
	watch(MU_LW_CHILD, "/a", 0);
	watch(MU_LW_EXIST, "/b", MU_ENONODE);
	mu_link_on_lost(l, now);
	ck_assert_str_eq(drain(), "shut; state idle -2008");
	ck_assert_uint_eq(info().watches, 3);
	go_up();
	ck_assert_str_eq(drain(), "state rearming 0; send setWatches#-8");
	reply(MU_XID_SET_WATCHES, 20, 0);
	ck_assert_str_eq(drain(), "state connected 0");
	ck_assert(is_told(MU_NODE_DATA_CHANGED, "/a"));
	ck_assert(is_told(MU_NODE_CHILDREN_CHANGED, "/a"));
	ck_assert(is_told(MU_NODE_CREATED, "/b"));
}
END_TEST

START_TEST(rule43_after_expired_nothing_is_armed_again)
{
	watch(MU_LW_DATA, "/a", 0);
	mu_link_on_lost(l, now);
	drain();
	go_handshake();
	welcome(0, 0);
	ck_assert_str_eq(drain(), "shut; state expired -112");
	tick_at(now + 100000);
	ck_assert_str_eq(drain(), "");
}
END_TEST

START_TEST(rule31_the_same_watch_twice_is_one)
{
	watch(MU_LW_DATA, "/a", 0);
	watch(MU_LW_DATA, "/a", 0);
	ck_assert_uint_eq(info().watches, 1);
	ck_assert(is_told(MU_NODE_DATA_CHANGED, "/a"));
	ck_assert(!is_told(MU_NODE_DATA_CHANGED, "/a"));
}
END_TEST

START_TEST(many_watches_are_found)
{
	char path[32];

	for (int i = 0; i < 1000; i++) {
		mu_format(path, sizeof path, "/node-%d", i);
		watch(MU_LW_DATA, path, 0);
	}
	ck_assert_uint_eq(info().watches, 1000);
	for (int i = 999; i >= 0; i--) {
		mu_format(path, sizeof path, "/node-%d", i);
		ck_assert(is_told(MU_NODE_DELETED, path));
	}
	ck_assert_uint_eq(info().watches, 0);
}
END_TEST

/* ---- what is told ---- */

static void assert_table(int kind, int32_t err, const bool told[5],
                         const bool stays[5])
{
	EACH_EVENT(type)
	{
		uint32_t before = info().watches;

		watch(kind, "/a", err);
		ck_assert_int_eq(is_told(type, "/a"), told[type]);
		ck_assert_uint_eq(info().watches, before + stays[type]);
		mu_link_unwatch(l, MU_STR("/a"), kind);
		if (kind == MU_LW_EXIST)
			mu_link_unwatch(l, MU_STR("/a"), MU_LW_DATA);
		ck_assert_uint_eq(info().watches, before);
	}
}

/*                            -    created deleted data children */
static const bool all[5] = { false, true, true, true, true };
static const bool data[5] = { false, true, true, true, false };
static const bool not_data[5] = { false, false, false, false, true };
static const bool child[5] = { false, false, true, false, true };
static const bool not_child[5] = { false, true, false, true, false };

START_TEST(rule30_a_data_watch_hears_once_of_the_node)
{
	assert_table(MU_LW_DATA, 0, data, not_data);
}
END_TEST

START_TEST(rule30_an_exist_watch_hears_once_of_the_node)
{
	assert_table(MU_LW_EXIST, MU_ENONODE, data, not_data);
	assert_table(MU_LW_EXIST, 0, data, not_data);
}
END_TEST

START_TEST(rule30_a_child_watch_hears_once_of_children_and_the_end)
{
	assert_table(MU_LW_CHILD, 0, child, not_child);
}
END_TEST

START_TEST(rule33_a_persistent_watch_hears_of_all_and_stays)
{
	assert_table(MU_LW_PERSISTENT, 0, all, all);
}
END_TEST

START_TEST(rule34_a_recursive_watch_never_hears_of_children)
{
	assert_table(MU_LW_RECURSIVE, 0, data, all);
}
END_TEST

START_TEST(rule33_a_recursive_watch_hears_of_all_below)
{
	watch(MU_LW_RECURSIVE, "/a/b", 0);
	ck_assert(is_told(MU_NODE_CREATED, "/a/b/c/d"));
	ck_assert(is_told(MU_NODE_DATA_CHANGED, "/a/b/c"));
	ck_assert(!is_told(MU_NODE_CHILDREN_CHANGED, "/a/b/c"));
	ck_assert(!is_told(MU_NODE_CREATED, "/a/bc"));
	ck_assert(!is_told(MU_NODE_CREATED, "/a"));
	ck_assert(!is_told(MU_NODE_CREATED, "/"));
}
END_TEST

START_TEST(a_recursive_watch_on_the_root_hears_of_everything)
{
	watch(MU_LW_RECURSIVE, "/", 0);
	ck_assert(is_told(MU_NODE_CREATED, "/a/b"));
	ck_assert(is_told(MU_NODE_DATA_CHANGED, "/"));
}
END_TEST

START_TEST(a_persistent_watch_hears_nothing_from_below)
{
	watch(MU_LW_PERSISTENT, "/a", 0);
	EACH_EVENT(type)
	{
		ck_assert(!is_told(type, "/a/b"));
	}
}
END_TEST

START_TEST(rule35_persistent_and_recursive_on_one_path_are_both_kept)
{
	watch(MU_LW_RECURSIVE, "/a", 0);
	watch(MU_LW_PERSISTENT, "/a", 0);
	ck_assert_uint_eq(info().watches, 2);
	ck_assert(is_told(MU_NODE_CHILDREN_CHANGED, "/a"));
	ck_assert(is_told(MU_NODE_CREATED, "/a/b"));
	mu_link_unwatch(l, MU_STR("/a"), MU_LW_PERSISTENT);
	ck_assert(!is_told(MU_NODE_CHILDREN_CHANGED, "/a"));
	ck_assert(is_told(MU_NODE_CREATED, "/a/b"));
}
END_TEST

START_TEST(rule30_one_event_spends_all_that_match_and_is_told_once)
{
	watch(MU_LW_DATA, "/a", 0);
	watch(MU_LW_CHILD, "/a", 0);
	watch(MU_LW_PERSISTENT, "/a", 0);
	event(20, MU_NODE_DELETED, "/a");
	ck_assert_str_eq(drain(), "event /a 2");
	ck_assert_uint_eq(info().watches, 1);
}
END_TEST

START_TEST(an_unknown_type_of_event_is_dropped)
{
	watch(MU_LW_PERSISTENT, "/a", 0);
	ck_assert(!is_told(0, "/a"));
	ck_assert(!is_told(5, "/a"));
	ck_assert(!is_told(-1, "/a"));
	ck_assert_int_eq(info().state, MU_LINK_CONNECTED);
}
END_TEST

START_TEST(an_unwatched_path_is_silent)
{
	watch(MU_LW_DATA, "/a", 0);
	mu_link_unwatch(l, MU_STR("/a"), MU_LW_CHILD);
	ck_assert_uint_eq(info().watches, 1);
	mu_link_unwatch(l, MU_STR("/a"), MU_LW_DATA);
	mu_link_unwatch(l, MU_STR("/a"), MU_LW_DATA);
	ck_assert_uint_eq(info().watches, 0);
	ck_assert(!is_told(MU_NODE_DATA_CHANGED, "/a"));
}
END_TEST

START_TEST(rule25_an_event_has_the_zxid_of_its_header)
{
	struct mu_link_action a;

	watch(MU_LW_DATA, "/a", 0);
	event(77, MU_NODE_DATA_CHANGED, "/a");
	ck_assert(mu_link_action(l, &a));
	ck_assert_int_eq(a.kind, MU_LA_EVENT);
	ck_assert_int_eq(a.zxid, 77);
	ck_assert_int_eq(a.path.at[a.path.len], '\0');
}
END_TEST

START_TEST(rule17_an_event_does_not_move_last_zxid)
{
	watch(MU_LW_DATA, "/a", 0);
	event(77, MU_NODE_DATA_CHANGED, "/a");
	ck_assert_int_eq(info().last_zxid, 10);
}
END_TEST

START_TEST(rule32_an_event_comes_before_the_reply_behind_it)
{
	struct mu_buf b = { 0 };

	watch(MU_LW_DATA, "/a", 0);
	ask(9);
	drain();
	put_event(&b, 20, MU_NODE_DATA_CHANGED, "/a");
	put_reply(&b, ++xid, 20, 0, "");
	feed_free(&b);
	ck_assert_str_eq(drain(), "event /a 3; done 9 0");
}
END_TEST

/* ---- the next link ---- */

static void lose(void)
{
	mu_link_on_lost(l, now);
	drain();
}

static struct mu_set_watches last_set_watches(bool two)
{
	struct mu_in in = mu_in_of(last_record.data, last_record.len);
	struct mu_set_watches r;

	ck_assert_int_eq(mu_get_set_watches(&in, two, &r), 0);
	ck_assert_uint_eq(mu_in_left(&in), 0);
	return r;
}

static void assert_one(const struct mu_vec *v, const char *path)
{
	struct mu_in in = mu_in_of(v->at, v->len);

	ck_assert_int_eq(v->count, 1);
	ck_assert(mu_str_eq(mu_get_str(&in), mu_str_of(path)));
}

START_TEST(rule39_one_shot_watches_come_by_setwatches)
{
	struct mu_set_watches r;

	watch(MU_LW_DATA, "/d", 0);
	watch(MU_LW_EXIST, "/e", MU_ENONODE);
	watch(MU_LW_CHILD, "/c", 0);
	lose();
	go_up();
	ck_assert_str_eq(drain(), "state rearming 0; send setWatches#-8");
	r = last_set_watches(false);
	ck_assert_int_eq(r.relative_zxid, 10);
	assert_one(&r.data, "/d");
	assert_one(&r.exist, "/e");
	assert_one(&r.child, "/c");
}
END_TEST

START_TEST(rule39_a_persistent_watch_makes_it_setwatches2)
{
	struct mu_set_watches r;

	watch(MU_LW_DATA, "/d", 0);
	watch(MU_LW_PERSISTENT, "/p", 0);
	watch(MU_LW_RECURSIVE, "/r", 0);
	lose();
	go_up();
	ck_assert_str_eq(drain(), "state rearming 0; send setWatches2#-8");
	r = last_set_watches(true);
	assert_one(&r.data, "/d");
	ck_assert_int_eq(r.child.count, 0);
	assert_one(&r.persistent, "/p");
	assert_one(&r.recursive, "/r");
	mu_link_unwatch(l, MU_STR("/p"), MU_LW_PERSISTENT);
	mu_link_unwatch(l, MU_STR("/r"), MU_LW_RECURSIVE);
	lose();
	go_up();
	ck_assert_str_eq(drain(), "state rearming 0; send setWatches#-8");
}
END_TEST

START_TEST(rule14_requests_wait_until_the_watches_are_armed)
{
	watch(MU_LW_DATA, "/a", 0);
	lose();
	ask(5);
	go_up();
	ask(6);
	ck_assert_str_eq(drain(), "state rearming 0; send setWatches#-8");
	reply(MU_XID_SET_WATCHES, 12, 0);
	ck_assert_str_eq(drain(), "state connected 0; send sync#2; "
	                          "send sync#3");
	ck_assert_int_eq(info().last_zxid, 12);
}
END_TEST

START_TEST(rule37_catch_up_events_come_before_the_link_is_connected)
{
	watch(MU_LW_DATA, "/a", 0);
	watch(MU_LW_DATA, "/b", 0);
	lose();
	go_up();
	drain();
	event(-1, MU_NODE_DATA_CHANGED, "/a");
	reply(MU_XID_SET_WATCHES, 12, 0);
	ck_assert_str_eq(drain(), "event /a 3; state connected 0");
	ck_assert_uint_eq(info().watches, 1);
}
END_TEST

START_TEST(the_zxid_is_that_of_the_loss_until_all_batches_are_confirmed)
{
	char path[32];

	for (int i = 0; i < 20000; i++) {
		mu_format(path, sizeof path, "/node-%010d", i);
		watch(MU_LW_DATA, path, 0);
	}
	lose();
	go_up();
	ck_assert_str_eq(drain(), "state rearming 0; send setWatches#-8; "
	                          "send setWatches#-8; send setWatches#-8; "
	                          "send setWatches#-8");
	ck_assert_int_eq(last_set_watches(false).relative_zxid, 10);
	reply(MU_XID_SET_WATCHES, 50, 0);
	ck_assert_int_eq(info().last_zxid, 10);
	lose();
	go_up();
	drain();
	ck_assert_int_eq(last_set_watches(false).relative_zxid, 10);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(info().last_zxid, 10);
		reply(MU_XID_SET_WATCHES, 60 - i, 0);
	}
	ck_assert_int_eq(info().last_zxid, 60);
	ck_assert_int_eq(info().state, MU_LINK_CONNECTED);
}
END_TEST

START_TEST(rule16_setwatches_that_nobody_sent_cannot_be_confirmed)
{
	reply(MU_XID_SET_WATCHES, 12, 0);
	ck_assert_str_eq(drain(), "shut; state idle -2009");
}
END_TEST

START_TEST(refused_setwatches_end_the_link)
{
	watch(MU_LW_DATA, "/a", 0);
	lose();
	go_up();
	drain();
	reply(MU_XID_SET_WATCHES, 12, MU_EMARSHAL);
	ck_assert_str_eq(drain(), "shut; state idle -5");
	ck_assert_uint_eq(info().watches, 1);
}
END_TEST

START_TEST(a_session_without_watches_sends_none)
{
	lose();
	go_up();
	ck_assert_str_eq(drain(), "state rearming 0; state connected 0");
}
END_TEST

/* ---- batches ---- */

static struct mu_book book;

static void book_setup(void)
{
	static const uint8_t key[16] = "key of this test";

	ck_assert_int_eq(mu_book_init(&book, key), 0);
}

static void book_teardown(void)
{
	mu_book_fini(&book);
}

/* A path of exactly `len` bytes that no other `n` gives. */
static void enter_long(int n, uint32_t len, int kind)
{
	static char path[300000];
	struct mu_book_entry *e;

	memset(path, 'x', len);
	mu_format(path, 16, "/%08d", n);
	path[9] = 'x';
	e = mu_book_entry_new((struct mu_str){ path, len });
	ck_assert_ptr_nonnull(e);
	mu_book_enter(&book, e, MU_BOOK(kind));
}

/* The batches' sizes with their request header. */
static unsigned batches(bool two, size_t sizes[8])
{
	struct mu_book_walk walk = mu_book_walk_of(&book);
	struct mu_buf b = { 0 };
	unsigned n = 0;

	while (mu_book_batch(&walk, two, 1, &b) == 1) {
		ck_assert_uint_lt(n, 8);
		sizes[n++] = 8 + b.len;
		mu_buf_reset(&b);
	}
	mu_buf_fini(&b);
	return n;
}

START_TEST(rule39_a_batch_may_be_of_exactly_128_KiB)
{
	size_t sizes[8];
	uint32_t bare = 8 + 8 + 3 * 4;

	enter_long(1, 65536, MU_LW_DATA);
	enter_long(2, 65536 - bare - 8, MU_LW_CHILD);
	ck_assert_uint_eq(batches(false, sizes), 1);
	ck_assert_uint_eq(sizes[0], MU_BOOK_BATCH_MAX);
}
END_TEST

START_TEST(rule39_one_byte_more_makes_two_batches)
{
	size_t sizes[8];
	uint32_t bare = 8 + 8 + 3 * 4;

	enter_long(1, 65536, MU_LW_DATA);
	enter_long(2, 65536 - bare - 7, MU_LW_CHILD);
	ck_assert_uint_eq(batches(false, sizes), 2);
	ck_assert_uint_eq(sizes[0], bare + 4 + 65536);
}
END_TEST

START_TEST(setwatches2_counts_its_two_vectors_more)
{
	size_t sizes[8];
	uint32_t bare = 8 + 8 + 5 * 4;

	enter_long(1, 65536, MU_LW_RECURSIVE);
	enter_long(2, 65536 - bare - 8, MU_LW_PERSISTENT);
	ck_assert_uint_eq(batches(true, sizes), 1);
	ck_assert_uint_eq(sizes[0], MU_BOOK_BATCH_MAX);
}
END_TEST

START_TEST(a_path_longer_than_a_batch_goes_alone)
{
	size_t sizes[8];

	enter_long(1, 10, MU_LW_DATA);
	enter_long(2, 200000, MU_LW_DATA);
	enter_long(3, 10, MU_LW_DATA);
	ck_assert_uint_eq(batches(false, sizes), 3);
	ck_assert_uint_gt(sizes[1], 200000);
}
END_TEST

START_TEST(kinds_of_one_path_may_part_between_batches)
{
	size_t sizes[8];

	enter_long(1, 100000, MU_LW_DATA);
	enter_long(1, 100000, MU_LW_CHILD);
	ck_assert_uint_eq(book.paths, 1);
	ck_assert_uint_eq(batches(false, sizes), 2);
	ck_assert_uint_eq(sizes[0], sizes[1]);
}
END_TEST

START_TEST(an_empty_book_has_no_batch)
{
	size_t sizes[8];

	ck_assert_uint_eq(batches(true, sizes), 0);
}
END_TEST

START_TEST(a_book_without_memory_for_buckets_still_finds)
{
	for (int i = 0; i < 16; i++)
		enter_long(i, 20, MU_LW_DATA);
	fault_alloc_at(1); /* the entry is had, the buckets are not */
	enter_long(16, 20, MU_LW_DATA);
	ck_assert(fault_alloc_off());
	for (int i = 0; i < 17; i++)
		enter_long(i, 20, MU_LW_CHILD);
	ck_assert_uint_eq(book.paths, 17);
	ck_assert_uint_eq(book.watches, 34);
}
END_TEST

START_TEST(a_batch_without_memory_says_so)
{
	unsigned k = 0;
	int rc;

	enter_long(1, 5000, MU_LW_DATA);
	enter_long(2, 5000, MU_LW_PERSISTENT);
	do {
		struct mu_book_walk walk = mu_book_walk_of(&book);
		struct mu_buf b = { 0 };

		fault_alloc_at(k++);
		rc = mu_book_batch(&walk, true, 1, &b);
		ck_assert(rc == 1 || rc == MU_ENOMEM);
		mu_buf_fini(&b);
	} while (fault_alloc_off());
	ck_assert_int_eq(rc, 1);
	ck_assert_uint_gt(k, 3);
}
END_TEST

START_TEST(entries_leave_from_the_middle_and_the_ends)
{
	static const int order[] = { 1, 0, 3, 2 };
	char path[20];

	for (int i = 0; i < 4; i++)
		enter_long(i, 12, MU_LW_DATA);
	for (size_t i = 0; i < 4; i++) {
		memset(path, 'x', sizeof path);
		mu_format(path, 16, "/%08d", order[i]);
		path[9] = 'x';
		mu_book_leave(&book, (struct mu_str){ path, 12 },
		              MU_BOOK(MU_LW_DATA));
		ck_assert_uint_eq(book.paths, 3 - i);
	}
	ck_assert_ptr_null(book.first);
	ck_assert_ptr_null(book.last);
}
END_TEST

/* ---- out of memory ---- */

START_TEST(an_event_without_memory_keeps_its_watch_and_ends_the_link)
{
	struct mu_buf b = { 0 };

	watch(MU_LW_DATA, "/a", 0);
	put_event(&b, 20, MU_NODE_DATA_CHANGED, "/a");
	for (unsigned k = 0; k < 2; k++) {
		fault_alloc_at(k);
		feed(&b);
		ck_assert(fault_alloc_off());
		ck_assert_str_eq(drain(), "shut; state idle -2000");
		ck_assert_uint_eq(info().watches, 1);
		go_up();
		drain();
	}
	mu_buf_fini(&b);
}
END_TEST

START_TEST(rearming_without_memory_tries_again)
{
	struct mu_buf greeting = { 0 };
	unsigned k = 0;
	int fired;

	watch(MU_LW_DATA, "/a", 0);
	lose();
	put_welcome(&greeting, 3000, SESSION, PASSWORD);
	do {
		go_handshake();
		fault_alloc_at(k++);
		feed(&greeting);
		fired = fault_alloc_off();
		ck_assert_int_eq(info().state,
		                 fired ? MU_LINK_IDLE : MU_LINK_REARMING);
		if (fired)
			drain();
	} while (fired);
	ck_assert_uint_gt(k, 2);
	ck_assert_str_eq(drain(), "state rearming 0; send setWatches#-8");
	mu_buf_fini(&greeting);
}
END_TEST

static TCase *connected_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, connected, bed_teardown);
	suite_add_tcase(s, tc);
	return tc;
}

static void add_told(TCase *tc)
{
	tcase_add_test(tc, rule30_a_data_watch_hears_once_of_the_node);
	tcase_add_test(tc, rule30_an_exist_watch_hears_once_of_the_node);
	tcase_add_test(tc,
	               rule30_a_child_watch_hears_once_of_children_and_the_end);
	tcase_add_test(tc, rule33_a_persistent_watch_hears_of_all_and_stays);
	tcase_add_test(tc, rule34_a_recursive_watch_never_hears_of_children);
	tcase_add_test(tc, rule33_a_recursive_watch_hears_of_all_below);
	tcase_add_test(tc, a_recursive_watch_on_the_root_hears_of_everything);
	tcase_add_test(tc, a_persistent_watch_hears_nothing_from_below);
	tcase_add_test(
		tc, rule35_persistent_and_recursive_on_one_path_are_both_kept);
	tcase_add_test(tc,
	               rule30_one_event_spends_all_that_match_and_is_told_once);
	tcase_add_test(tc, an_unknown_type_of_event_is_dropped);
	tcase_add_test(tc, an_unwatched_path_is_silent);
	tcase_add_test(tc, rule25_an_event_has_the_zxid_of_its_header);
	tcase_add_test(tc, rule17_an_event_does_not_move_last_zxid);
	tcase_add_test(tc, rule32_an_event_comes_before_the_reply_behind_it);
}

static void add_rearm(TCase *tc)
{
	tcase_add_test(tc, rule39_one_shot_watches_come_by_setwatches);
	tcase_add_test(tc, rule39_a_persistent_watch_makes_it_setwatches2);
	tcase_add_test(tc, rule14_requests_wait_until_the_watches_are_armed);
	tcase_add_test(
		tc, rule37_catch_up_events_come_before_the_link_is_connected);
	tcase_add_test(
		tc,
		the_zxid_is_that_of_the_loss_until_all_batches_are_confirmed);
	tcase_add_test(tc,
	               rule16_setwatches_that_nobody_sent_cannot_be_confirmed);
	tcase_add_test(tc, refused_setwatches_end_the_link);
	tcase_add_test(tc, a_session_without_watches_sends_none);
}

static void add_batches(TCase *tc)
{
	tcase_add_checked_fixture(tc, book_setup, book_teardown);
	tcase_add_test(tc, rule39_a_batch_may_be_of_exactly_128_KiB);
	tcase_add_test(tc, rule39_one_byte_more_makes_two_batches);
	tcase_add_test(tc, setwatches2_counts_its_two_vectors_more);
	tcase_add_test(tc, a_path_longer_than_a_batch_goes_alone);
	tcase_add_test(tc, kinds_of_one_path_may_part_between_batches);
	tcase_add_test(tc, an_empty_book_has_no_batch);
	tcase_add_test(tc, a_book_without_memory_for_buckets_still_finds);
	tcase_add_test(tc, a_batch_without_memory_says_so);
	tcase_add_test(tc, entries_leave_from_the_middle_and_the_ends);
}

int main(void)
{
	Suite *s = suite_create("link_watch");
	TCase *enters = connected_case(s, "enters");
	TCase *batch = tcase_create("batches");
	TCase *memory = connected_case(s, "memory");

	tcase_add_test(enters, rule29_a_reply_leaves_the_watch_it_says);
	tcase_add_test(enters, a_watch_enters_only_with_the_reply);
	tcase_add_test(enters, a_request_that_is_lost_leaves_no_watch);
	tcase_add_test(enters, rule43_a_lost_link_uses_up_no_watch);
	tcase_add_test(enters, rule43_after_expired_nothing_is_armed_again);
	tcase_add_test(enters, rule31_the_same_watch_twice_is_one);
	tcase_add_test(enters, many_watches_are_found);
	add_told(connected_case(s, "told"));
	add_rearm(connected_case(s, "rearm"));
	suite_add_tcase(s, batch);
	add_batches(batch);
	tcase_add_test(
		memory,
		an_event_without_memory_keeps_its_watch_and_ends_the_link);
	tcase_add_test(memory, rearming_without_memory_tries_again);
	return bed_run(s);
}
