/* Subscriptions that go on from where one got to; what is told of them by the
 * log of changes is what would have been told at the time. */
#include "bed.h"

#define EXACT MU_SUBSCRIBE_EXACT
#define CHILDREN MU_SUBSCRIBE_CHILDREN
#define SUBTREE MU_SUBSCRIBE_SUBTREE

#define SHORT_MS 300
#define INTERVAL_MS 100u
#define LOG_MAX 6u

static void setup(void)
{
	struct mu_store_config config = bed_config();

	config.container_check_interval_ms = INTERVAL_MS;
	bed_open_with(&config);
	bed_connect(1); /* is subscribed live */
	bed_connect(2); /* changes */
	bed_connect(3); /* asks later */
}

static void setup_small(void)
{
	struct mu_store_config config = bed_config();

	config.change_log_max = LOG_MAX;
	bed_open_with(&config);
	bed_connect(1);
	bed_connect(2);
	bed_connect(3);
}

static void setup_none(void)
{
	struct mu_store_config config = bed_config();

	config.change_log_max = 0;
	bed_open_with(&config);
	bed_connect(1);
	bed_connect(2);
	bed_connect(3);
}

static int64_t set(const char *path, const char *data)
{
	return bed_set(2, path, data);
}

static int64_t make(const char *path)
{
	return bed_make(2, path, "");
}

static void ask(uint32_t link, const char *path, int32_t mode, int64_t zxid,
                int32_t n)
{
	bed_ask(link, MU_OP_SUBSCRIBE, q_subscribe(1, path, mode, zxid, n));
}

static void is_live(uint32_t link)
{
	const struct mu_subscribe_reply r = bed_subscribed(link);

	ck_assert_int_eq(r.state, MU_SUBSCRIBED_LIVE);
	ck_assert_int_eq(r.n, MU_CHANGE_N_END);
	ck_assert_int_eq(r.from, 0);
	ck_assert_int_eq(r.to, 0);
}

/* The next change event of both links is the same, byte for byte. */
static void same_event(void)
{
	struct mu_in a = bed_take(1), b = bed_take(3);

	ck_assert_uint_eq(mu_in_left(&a), mu_in_left(&b));
	ck_assert_mem_eq(a.at, b.at, mu_in_left(&a));
	ck_assert_int_eq(mu_get_int(&a), MU_XID_CHANGE);
}

/* Link 1 was subscribed all the time; link 3 asks from where it began, and is
 * told the same, each record. */
static void same_story(const char *path, int32_t mode, int64_t from,
                       unsigned events)
{
	ask(3, path, mode, from, MU_CHANGE_N_END);
	for (; events > 0; events--)
		same_event();
	is_live(3);
	bed_quiet(1);
	bed_quiet(3);
}

static int64_t live(const char *path, int32_t mode)
{
	return bed_subscribe(1, 1, path, mode, -1, 0).zxid;
}

/* ---- what was missed ---- */

START_TEST(what_was_missed_is_told_as_it_was_told_live)
{
	int64_t from = live("/a", SUBTREE);

	make("/a");
	set("/a", "1");
	make("/elsewhere");
	make("/a/b");
	set("/a", "2");
	q_none();
	q_sub(MU_OP_SET_DATA, "/a", "3", -1);
	q_sub(MU_OP_SET_DATA, "/a/b", "x", -1);
	q_sub(MU_OP_SET_DATA, "/a", "4", -1);
	q_sub(MU_OP_DELETE, "/a/b", NULL, -1);
	q_sub(MU_OP_DELETE, "/a", NULL, -1);
	ck_assert_int_eq(bed_err(2, MU_OP_MULTI, q_end()), 0);
	same_story("/a", SUBTREE, from, 11);
	make("/a"); /* and on */
	same_event();
	bed_quiet(3);
}
END_TEST

START_TEST(what_is_missed_after_catching_up_is_nothing)
{
	int64_t from = live("/a", EXACT), last;
	struct mu_change_event e;

	make("/a");
	ask(3, "/a", EXACT, from, MU_CHANGE_N_END);
	e = bed_change(3);
	ck_assert_int_eq(e.prev_zxid, from);
	ck_assert_int_eq(e.prev_n, MU_CHANGE_N_END);
	is_live(3);
	last = set("/a", "1");
	e = bed_change(3);
	ck_assert_int_eq(e.prev_zxid, from + 1);
	ck_assert_int_eq(e.prev_n, 0);
	ask(3, "/a", EXACT, last, 0);
	is_live(3);
	set("/a", "2");
	e = bed_change(3);
	ck_assert_int_eq(e.prev_zxid, last);
	ck_assert_int_eq(e.prev_n, 0);
	bed_quiet(3);
}
END_TEST

START_TEST(one_may_go_on_within_a_transaction)
{
	int64_t zxid;
	struct bed_reply r;

	make("/a");
	q_none();
	for (int i = 0; i < 5; i++)
		q_sub(MU_OP_SET_DATA, "/a", "x", -1);
	r = bed_do(2, MU_OP_MULTI, q_end());
	zxid = r.zxid;
	for (int32_t n = -1; n < 5; n++) {
		ask(3, "/a", EXACT, zxid, n);
		for (int32_t i = n + 1; i < 5; i++) {
			struct mu_change_event e = bed_change(3);

			ck_assert_int_eq(e.zxid, zxid);
			ck_assert_int_eq(e.n, i);
			ck_assert_int_eq(e.stat.version, i + 1);
			ck_assert_int_eq(e.prev_zxid, zxid);
			ck_assert_int_eq(e.prev_n, i - 1);
		}
		is_live(3);
	}
	bed_quiet(3);
}
END_TEST

START_TEST(only_what_fits_the_mode_is_told_and_the_position_is_now)
{
	int64_t from = bed_counts().zxid, now;
	struct mu_subscribe_reply r;

	make("/a");
	make("/a/b");
	make("/a/b/c");
	now = make("/elsewhere");
	ask(3, "/a", CHILDREN, from, MU_CHANGE_N_END);
	ck_assert_int_eq(bed_change(3).type, MU_NODE_CREATED);
	ck_assert_int_eq(bed_change(3).type, MU_NODE_CREATED);
	ck_assert_int_eq(bed_change(3).type, MU_NODE_CHILDREN_CHANGED);
	r = bed_subscribed(3);
	ck_assert_int_eq(r.state, MU_SUBSCRIBED_LIVE);
	ck_assert_int_eq(r.zxid, now);
	bed_quiet(3);
}
END_TEST

START_TEST(one_that_is_replaced_goes_on_from_where_it_is_asked_to)
{
	int64_t zxid;

	make("/a");
	bed_subscribe(3, 1, "/a", EXACT, -1, 0);
	zxid = set("/a", "1");
	bed_change(3);
	set("/a", "2");
	bed_change(3);
	ask(3, "/a", EXACT, zxid, 0);
	ck_assert_int_eq(bed_change(3).stat.version, 2);
	is_live(3);
	set("/a", "3");
	ck_assert_int_eq(bed_change(3).stat.version, 3);
	bed_quiet(3);
}
END_TEST

/* ---- who may know ---- */

START_TEST(only_who_may_read_the_node_is_told_live_and_later_alike)
{
	int64_t from;

	ck_assert_int_eq(bed_auth(2, "digest", "u:p"), 0);
	from = live("/a", SUBTREE);
	make("/a");
	ck_assert_int_eq(bed_err(2, MU_OP_CREATE,
	                         q_create_acl("/a/s", acl_of(31, "auth", ""))),
	                 0);
	set("/a/s", "secret");
	ck_assert_int_eq(bed_err(2, MU_OP_DELETE, q_delete("/a/s", -1)), 0);
	set("/a", "open");
	/* created, children twice (of /a, which is open), data */
	same_story("/a", SUBTREE, from, 4);
	/* Who has the right: all of it. */
	bed_connect(4);
	ck_assert_int_eq(bed_auth(4, "digest", "u:p"), 0);
	ask(4, "/a", SUBTREE, from, MU_CHANGE_N_END);
	for (int i = 0; i < 7; i++)
		bed_change(4);
	is_live(4);
	bed_quiet(4);
}
END_TEST

START_TEST(the_right_is_that_of_the_event_and_not_that_of_now)
{
	int64_t from;

	ck_assert_int_eq(bed_auth(2, "digest", "u:p"), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_CREATE,
	                         q_create_acl("/a", acl_of(31, "auth", ""))),
	                 0);
	from = live("/a", EXACT);
	set("/a", "secret");
	bed_guard(2, "/a", acl_of(31, "world", "anyone"));
	set("/a", "told");
	bed_guard(2, "/a", acl_of(31, "auth", ""));
	set("/a", "secret again");
	same_story("/a", EXACT, from, 1);
}
END_TEST

/* ---- causes ---- */

static bool three_sessions(void)
{
	return bed_counts().sessions == 3;
}

START_TEST(an_expiry_is_told_with_the_session_that_expired)
{
	int64_t from = live("/e", EXACT);
	int64_t session = bed_connect_for(4, SHORT_MS);
	struct mu_change_event e;

	bed_ask(4, MU_OP_CREATE, q_create("/e", "v", 1));
	bed_reply(4);
	bed_lost(4);
	bed_until(three_sessions);
	bed_change(1);
	ask(3, "/e", EXACT, from, MU_CHANGE_N_END);
	bed_change(3);
	same_event();
	is_live(3);
	ask(3, "/e", EXACT, from, MU_CHANGE_N_END);
	bed_change(3);
	e = bed_change(3);
	ck_assert_int_eq(e.type, MU_NODE_DELETED);
	ck_assert_int_eq(e.cause, MU_BY_EXPIRY);
	ck_assert_int_eq(e.session, session);
	ck_assert_int_eq(e.stat.ephemeral_owner, session);
	ck_assert(mu_str_eq(e.data, MU_STR("v")));
	ck_assert(mu_str_eq(mu_origin_address(e.origin),
	                    mu_str_of(bed_address())));
	is_live(3);
}
END_TEST

static bool is_swept(void)
{
	return bed_err(2, MU_OP_EXISTS, q_path("/t", false)) == MU_ENONODE;
}

START_TEST(a_node_past_its_time_to_live_goes_by_nobodys_hand)
{
	int64_t from = live("/t", EXACT);
	struct mu_change_event e;

	ck_assert_int_eq(bed_mortal(2, "/t", 1), 0);
	bed_until(is_swept);
	bed_change(1);
	e = bed_change(1);
	ck_assert_int_eq(e.type, MU_NODE_DELETED);
	ck_assert_int_eq(e.cause, MU_BY_TTL);
	ck_assert_int_eq(e.session, 0);
	ck_assert_uint_eq(e.origin.len, 0);
	ask(3, "/t", EXACT, from, MU_CHANGE_N_END);
	bed_change(3);
	ck_assert_int_eq(bed_change(3).cause, MU_BY_TTL);
	is_live(3);
}
END_TEST

/* ---- in parts ---- */

/* `count` times 50 changes of /a. */
static void change_often(const char *path, const char *data, int count)
{
	for (; count > 0; count--) {
		q_none();
		for (int i = 0; i < 50; i++)
			q_sub(MU_OP_SET_DATA, path, data, -1);
		ck_assert_int_eq(bed_err(2, MU_OP_MULTI, q_end()), 0);
	}
}

/* Ask for all of /a until it is live: events told, and how often asked. */
static unsigned catch_up(int64_t zxid, int32_t n, unsigned *asked)
{
	struct mu_subscribe_reply r = { .zxid = zxid, .n = n };
	unsigned events = 0;

	for (*asked = 0; !*asked || r.state == MU_SUBSCRIBED_MORE; ++*asked) {
		zxid = r.zxid;
		n = r.n;
		ask(3, "/a", EXACT, zxid, n);
		for (;;) {
			struct mu_in in = bed_take(3);
			struct mu_reply_header h;
			struct mu_change_event e;

			ck_assert_int_eq(mu_get_reply_header(&in, &h), 0);
			if (h.xid != MU_XID_CHANGE) {
				ck_assert_int_eq(h.err, 0);
				ck_assert_int_eq(
					mu_get_subscribe_reply(&in, &r), 0);
				break;
			}
			ck_assert_int_eq(mu_get_change_event(&in, &e), 0);
			ck_assert_int_eq(e.prev_zxid, zxid);
			ck_assert_int_eq(e.prev_n, n);
			zxid = e.zxid;
			n = e.n;
			events++;
		}
	}
	ck_assert_int_eq(r.state, MU_SUBSCRIBED_LIVE);
	return events;
}

START_TEST(much_is_told_in_parts_and_between_them_nothing_stands)
{
	static char data[4001];
	int64_t from = make("/a");
	unsigned asked;

	memset(data, 'd', sizeof data - 1);
	change_often("/a", data, 4);
	ask(3, "/a", EXACT, from, 0);
	for (int i = 0; i < 62; i++) /* 256 KiB */
		bed_change(3);
	ck_assert_int_eq(bed_subscribed(3).state, MU_SUBSCRIBED_MORE);
	set("/a", "not told");
	bed_quiet(3);
	ck_assert_uint_eq(catch_up(from, 0, &asked), 201);
	ck_assert_uint_eq(asked, 4);
}
END_TEST

START_TEST(many_changes_are_looked_at_in_parts)
{
	int64_t from = make("/a");
	unsigned asked;

	make("/b");
	change_often("/b", "", 200); /* 10,000 */
	set("/a", "");
	/* And the three of making /b, and setting /a. */
	ck_assert_uint_eq(catch_up(from, 0, &asked), 1);
	ck_assert_uint_eq(asked, 2);
}
END_TEST

/* ---- gaps ---- */

static void is_gap(uint32_t link, int64_t from)
{
	const struct mu_subscribe_reply r = bed_subscribed(link);

	ck_assert_int_eq(r.state, MU_SUBSCRIBED_GAP);
	ck_assert_int_eq(r.zxid, bed_counts().zxid);
	ck_assert_int_eq(r.n, MU_CHANGE_N_END);
	ck_assert_int_eq(r.from, from);
	ck_assert_int_eq(r.to, r.zxid);
}

START_TEST(what_the_log_no_longer_has_is_a_gap_and_what_comes_is_told)
{
	int64_t zxid = make("/a"), now = 0;
	struct mu_change_event e;

	for (uint32_t i = 0; i < LOG_MAX; i++)
		now = set("/a", "x");
	ask(3, "/a", EXACT, zxid, 1);
	for (uint32_t i = 0; i < LOG_MAX; i++)
		bed_change(3);
	is_live(3);
	/* Of making it, children changed of the root is gone too. */
	ask(3, "/a", EXACT, zxid, 0);
	is_gap(3, zxid);
	ask(3, "/a", EXACT, zxid - 1, MU_CHANGE_N_END);
	is_gap(3, zxid - 1);
	set("/a", "y");
	e = bed_change(3);
	ck_assert_int_eq(e.prev_zxid, now);
	ck_assert_int_eq(e.prev_n, MU_CHANGE_N_END);
	bed_quiet(3);
}
END_TEST

START_TEST(who_knows_more_than_there_is_has_a_gap)
{
	int64_t zxid = make("/a");

	ask(3, "/a", EXACT, zxid + 1, 0);
	is_gap(3, 0);
	ask(3, "/a", EXACT, INT64_MAX, MU_CHANGE_N_END);
	is_gap(3, 0);
	set("/a", "y");
	bed_change(3);
	bed_quiet(3);
}
END_TEST

START_TEST(without_a_log_only_who_missed_nothing_goes_on)
{
	int64_t zxid = make("/a");

	ask(3, "/a", EXACT, zxid, 1);
	is_live(3);
	set("/a", "x");
	bed_change(3);
	ask(1, "/a", EXACT, zxid, 1);
	is_gap(1, zxid);
	set("/a", "y");
	bed_change(1);
	bed_change(3);
}
END_TEST

TCase *semantics_resume_small(void)
{
	const TTest *const tests[] = {
		what_the_log_no_longer_has_is_a_gap_and_what_comes_is_told,
	};

	return bed_case("resume: a small log", setup_small, tests,
	                BED_COUNT(tests));
}

TCase *semantics_resume_none(void)
{
	const TTest *const tests[] = {
		who_knows_more_than_there_is_has_a_gap,
		without_a_log_only_who_missed_nothing_goes_on,
	};

	return bed_case("resume: no log", setup_none, tests, BED_COUNT(tests));
}

TCase *semantics_resume(void)
{
	const TTest *const tests[] = {
		what_was_missed_is_told_as_it_was_told_live,
		what_is_missed_after_catching_up_is_nothing,
		one_may_go_on_within_a_transaction,
		only_what_fits_the_mode_is_told_and_the_position_is_now,
		one_that_is_replaced_goes_on_from_where_it_is_asked_to,
		only_who_may_read_the_node_is_told_live_and_later_alike,
		the_right_is_that_of_the_event_and_not_that_of_now,
		an_expiry_is_told_with_the_session_that_expired,
		a_node_past_its_time_to_live_goes_by_nobodys_hand,
		much_is_told_in_parts_and_between_them_nothing_stands,
		many_changes_are_looked_at_in_parts,
		who_knows_more_than_there_is_has_a_gap,
	};

	return bed_case("resume", setup, tests, BED_COUNT(tests));
}
