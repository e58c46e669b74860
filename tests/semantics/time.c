/* What time alone does: sessions that expire, nodes that are swept. Rules 27, 41,
 * 44 to 46, 52, 53, 70, 71. */
#include "bed.h"

#define SHORT_MS 300
#define INTERVAL_MS 100u

static void setup(void)
{
	struct mu_store_config config = bed_config();

	config.container_check_interval_ms = INTERVAL_MS;
	bed_open_with(&config);
	bed_connect(1);
}

static bool is_there(const char *path)
{
	return bed_err(1, MU_OP_EXISTS, q_path(path, false)) == 0;
}

static bool one_session(void)
{
	return bed_counts().sessions == 1;
}

/* The session of `link`, with little time left, on link + 1. */
static void make_short(uint32_t link, int64_t session)
{
	struct mu_connect_request q = bed_hello();

	q.session = session;
	q.timeout_ms = SHORT_MS;
	q.password = (struct mu_str){ (const char *)bed.password, 16 };
	bed_link(link + 1);
	bed_shake(link + 1, &q);
	ck_assert_int_eq(bed_welcome(link + 1).timeout_ms, SHORT_MS);
}

START_TEST(rule45_a_session_expires_at_its_timeout_and_not_before)
{
	int64_t session = bed_connect(2);
	uint64_t start;

	ck_assert_int_eq(bed_err(2, MU_OP_CREATE, q_create("/e", "", 1)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_EXISTS, q_path("/e", true)), 0);
	start = bed_now_ms();
	make_short(2, session);
	bed_until(one_session);
	ck_assert_uint_ge(bed_now_ms() - start, SHORT_MS);
	bed_event(1, MU_NODE_DELETED, "/e");
	ck_assert(bed_is_closed(3, MU_CLOSE_EXPIRED));
	ck_assert_uint_eq(bed_counts().ephemerals, 0);
}
END_TEST

START_TEST(rule46_a_lost_link_does_not_end_the_session)
{
	int64_t session = bed_connect(2);

	ck_assert_int_eq(bed_err(2, MU_OP_CREATE, q_create("/e", "", 1)), 0);
	bed_lost(2);
	ck_assert(is_there("/e"));
	ck_assert_uint_eq(bed_counts().sessions, 2);
	bed_resume(3, session);
	ck_assert_int_eq(bed_welcome(3).session, session);
	ck_assert_int_eq(bed_stat(3, "/e").ephemeral_owner, session);
}
END_TEST

static bool two_sessions(void)
{
	return bed_counts().sessions == 2;
}

START_TEST(rule44_only_those_who_ask_nothing_expire)
{
	bed_connect_for(2, SHORT_MS);
	bed_connect_for(3, bed.timeout_ms);
	bed_until(two_sessions);
	ck_assert(bed_is_closed(2, MU_CLOSE_EXPIRED));
	ck_assert(bed_is_open(1));
	ck_assert(bed_is_open(3));
}
END_TEST

START_TEST(rule10_a_session_that_expired_is_refused)
{
	int64_t session = bed_connect_for(2, SHORT_MS);

	bed_lost(2);
	bed_until(one_session);
	bed_resume(3, session);
	ck_assert_int_eq(bed_welcome(3).session, 0);
	ck_assert(bed_is_closed(3, MU_CLOSE_REFUSED));
}
END_TEST

START_TEST(rule47_an_expiry_takes_all_ephemerals_under_one_zxid)
{
	int64_t session = bed_connect(2), zxid;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
			bed_err(2, MU_OP_CREATE, q_create("/e-", "", 3)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/", 0)), 0);
	zxid = bed_counts().zxid;
	make_short(2, session);
	bed_until(one_session);
	ck_assert_int_eq(bed_counts().zxid, zxid + 1); /* rule 52 */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(bed_event(1, MU_NODE_CHILDREN_CHANGED, "/"),
		                 zxid + 1);
	bed_quiet(1);
}
END_TEST

START_TEST(rule53_a_new_session_meets_its_predecessors_ephemeral)
{
	int64_t old = bed_connect(2);

	ck_assert_int_eq(bed_err(2, MU_OP_CREATE, q_create("/m", "x", 1)), 0);
	bed_lost(2);
	bed_connect(3);
	ck_assert_int_eq(bed_err(3, MU_OP_CREATE, q_create("/m", "x", 1)),
	                 MU_EEXISTS);
	ck_assert_int_eq(bed_stat(3, "/m").ephemeral_owner, old);
	q_none();
	q_sub(MU_OP_DELETE, "/m", NULL, -1);
	q_sub(MU_OP_CREATE, "/m", "mine", 1);
	ck_assert_int_eq(bed_err(3, MU_OP_MULTI, q_end()), 0);
	ck_assert_int_ne(bed_stat(3, "/m").ephemeral_owner, old);
}
END_TEST

/* ---- sweeps ---- */

static const char *swept;

static bool is_swept(void)
{
	return !is_there(swept);
}

static void until_swept(const char *path)
{
	swept = path;
	bed_until(is_swept);
}

START_TEST(rule70_a_container_goes_when_its_last_child_has_gone)
{
	ck_assert_int_eq(bed_container(1, "/unused"), 0);
	ck_assert_int_eq(bed_create(1, MU_OP_CREATE, "/c", 4, 0), 0);
	bed_make(1, "/c/k", "");
	bed_make(1, "/plain", "");
	bed_make(1, "/plain/k", "");
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/plain/k", -1)), 0);
	ck_assert_int_eq(bed_mortal(1, "/clock", 1), 0);
	until_swept("/clock"); /* a sweep has been */
	ck_assert(is_there("/c"));
	bed_connect(2);
	ck_assert_int_eq(bed_err(2, MU_OP_EXISTS, q_path("/c", true)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/c/k", -1)), 0);
	until_swept("/c");
	bed_event(2, MU_NODE_DELETED, "/c");
	ck_assert(is_there("/unused"));
	ck_assert(is_there("/plain"));
}
END_TEST

START_TEST(rule71_a_node_with_children_stays)
{
	struct mu_create_request r = bed_create_request("/t", "", 5);

	r.ttl_ms = 1;
	mu_buf_reset(&bed.q);
	mu_put_create(&bed.q, MU_OP_CREATE_TTL, &r);
	bed_hold(); /* no sweep between the two */
	bed_ask(1, MU_OP_CREATE_TTL, &bed.q);
	bed_ask(1, MU_OP_CREATE, q_create("/t/k", "", 0));
	bed_release();
	ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert_int_eq(bed_mortal(1, "/long", 3600 * 1000), 0);
	ck_assert_int_eq(bed_mortal(1, "/clock", 1), 0);
	until_swept("/clock");
	ck_assert(is_there("/t"));
	ck_assert(is_there("/long"));
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/t/k", -1)), 0);
	until_swept("/t");
	ck_assert(is_there("/long"));
}
END_TEST

TCase *semantics_time(void)
{
	const TTest *const tests[] = {
		rule45_a_session_expires_at_its_timeout_and_not_before,
		rule46_a_lost_link_does_not_end_the_session,
		rule44_only_those_who_ask_nothing_expire,
		rule10_a_session_that_expired_is_refused,
		rule47_an_expiry_takes_all_ephemerals_under_one_zxid,
		rule53_a_new_session_meets_its_predecessors_ephemeral,
		rule70_a_container_goes_when_its_last_child_has_gone,
		rule71_a_node_with_children_stays,
	};

	return bed_case("time", setup, tests, BED_COUNT(tests));
}
