/* Writes through the door: rules 27, 51 to 67, 73, 95, 96. */
#include "bed.h"

static void setup(void)
{
	bed_open();
	bed_connect(1);
}

static int create(const char *path, int32_t mode)
{
	return bed_err(1, MU_OP_CREATE, q_create(path, "x", mode));
}

/* The path that a create made. */
static const char *made(const char *path, int32_t mode)
{
	static char text[256];
	struct bed_reply r = bed_do(1, MU_OP_CREATE, q_create(path, "x", mode));
	struct mu_str s;

	ck_assert_int_eq(r.err, 0);
	s = mu_get_str(&r.body);
	ck_assert_uint_lt(s.len, sizeof text);
	memcpy(text, s.at, s.len);
	text[s.len] = '\0';
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	return text;
}

START_TEST(rule27_modes_that_create_does_not_know_are_refused)
{
	static const int32_t modes[] = { -1, 5, 6, 7, INT32_MAX };

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		ck_assert_int_eq(create("/a", modes[i]), MU_EINVAL);
	for (int32_t mode = 0; mode < 4; mode++)
		ck_assert_int_eq(create("/a", mode),
		                 mode == 1 ? MU_EEXISTS : 0);
}
END_TEST

START_TEST(rule51_ephemerals_have_an_owner_and_no_children)
{
	int64_t session = bed_connect(2);

	ck_assert_int_eq(bed_err(2, MU_OP_CREATE, q_create("/e", "", 1)), 0);
	ck_assert_int_eq(bed_stat(1, "/e").ephemeral_owner, session);
	ck_assert_int_eq(create("/e/child", 0), MU_ENOCHILDREN);
	bed_make(1, "/p", "");
	ck_assert_int_eq(bed_stat(1, "/p").ephemeral_owner, 0);
}
END_TEST

START_TEST(rule52_failed_writes_use_up_a_zxid)
{
	int64_t before = bed_counts().zxid;

	ck_assert_int_eq(create("/no/where", 0), MU_ENONODE);
	ck_assert_int_eq(bed_counts().zxid, before + 1);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/none", -1)),
	                 MU_ENONODE);
	ck_assert_int_eq(bed_counts().zxid, before + 2);
	bed_connect(2); /* createSession */
	ck_assert_int_eq(bed_counts().zxid, before + 3);
	bed_err(2, MU_OP_CLOSE_SESSION, q_none());
	ck_assert_int_eq(bed_counts().zxid, before + 4);
}
END_TEST

START_TEST(rule55_a_version_must_match_or_be_any)
{
	bed_make(1, "/a", "x");
	ck_assert_int_eq(bed_stat(1, "/a").version, 0);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "y", 1)),
	                 MU_EBADVERSION);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "y", 0)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "y", -1)), 0);
	ck_assert_int_eq(bed_stat(1, "/a").version, 2);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "y", -2)),
	                 MU_EBADVERSION);
}
END_TEST

START_TEST(rule56_cversion_counts_creates_and_deletes)
{
	struct mu_stat before, after;

	bed_make(1, "/p", "");
	bed_make(1, "/p/a", "");
	bed_make(1, "/p/b", "");
	bed_make(1, "/p/c", "");
	before = bed_stat(1, "/p");
	ck_assert_int_eq(before.cversion, 3);
	ck_assert_int_eq(before.num_children, 3);
	bed_err(1, MU_OP_DELETE, q_delete("/p/a", -1));
	after = bed_stat(1, "/p");
	ck_assert_int_eq(after.pzxid, before.pzxid + 1);
	bed_make(1, "/p/d", "");
	after = bed_stat(1, "/p");
	ck_assert_int_eq(after.cversion, 5);
	ck_assert_int_eq(after.pzxid, before.pzxid + 2);
}
END_TEST

START_TEST(rule57_sequence_numbers_are_never_reused)
{
	bed_make(1, "/q", "");
	ck_assert_str_eq(made("/q/n-", 2), "/q/n-0000000000");
	ck_assert_str_eq(made("/q/n-", 2), "/q/n-0000000001");
	bed_err(1, MU_OP_DELETE, q_delete("/q/n-0000000001", -1));
	ck_assert_str_eq(made("/q/m-", 3), "/q/m-0000000002");
	bed_make(1, "/q/plain", ""); /* also counts */
	ck_assert_str_eq(made("/q/n-", 2), "/q/n-0000000004");
}
END_TEST

START_TEST(rule58_the_path_is_judged_with_its_number)
{
	bed_make(1, "/a", "");
	ck_assert_str_eq(made("/a/", 2), "/a/0000000000");
	ck_assert_int_eq(create("/a/", 0), MU_EINVAL);
	ck_assert_str_eq(made("/", 2), "/0000000001");
	ck_assert_str_eq(made("/a/.", 2), "/a/.0000000001");
}
END_TEST

START_TEST(rule59_illegal_paths_are_refused)
{
	static const char *const paths[] = { "",      "a",        "/.",
		                             "/..",   "//",       "/a\x01",
		                             "/\x7f", "/\xc3\x28" };

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		int err = create(paths[i], 0);

		/* "//": its parent "/" is there, its name is empty */
		ck_assert_msg(err == MU_EINVAL, "%s: %d", paths[i], err);
		ck_assert_int_eq(
			bed_err(1, MU_OP_SET_DATA, q_set(paths[i], "", -1)),
			MU_EINVAL);
	}
}
END_TEST

static int create_with(const char *path, int32_t mode, struct mu_vec acl)
{
	struct mu_create_request q = bed_create_request(path, "x", mode);

	q.acl = acl;
	mu_buf_reset(&bed.q);
	mu_put_create(&bed.q, MU_OP_CREATE, &q);
	return bed_err(1, MU_OP_CREATE, &bed.q);
}

START_TEST(rule60_create_checks_in_zookeepers_order)
{
	struct mu_vec none = { -1, NULL, 0 }, open = mu_acl_open();

	bed_make(1, "/a", "");
	ck_assert_int_eq(create("/e", 1), 0);
	/* mode, before the path and all else */
	ck_assert_int_eq(create_with("bad", 9, none), MU_EINVAL);
	/* a path without a slash, before the ACL */
	ck_assert_int_eq(create_with("bad", 0, none), MU_EINVAL);
	/* the ACL, before the missing parent */
	ck_assert_int_eq(create_with("/no/x", 0, none), MU_EINVALIDACL);
	/* the missing parent, before the path as a whole */
	ck_assert_int_eq(create_with("/no/.", 0, open), MU_ENONODE);
	/* the path, before "exists" and the ephemeral parent */
	ck_assert_int_eq(create_with("/e/.", 0, open), MU_EINVAL);
	ck_assert_int_eq(create_with("/a", 0, open), MU_EEXISTS);
	ck_assert_int_eq(create_with("/", 0, open), MU_EEXISTS);
	ck_assert_int_eq(create_with("/e/x", 0, open), MU_ENOCHILDREN);
}
END_TEST

START_TEST(rule60_an_acl_that_is_null_or_empty_is_refused)
{
	struct mu_vec null = { -1, NULL, 0 }, empty = { 0, NULL, 0 };

	ck_assert_int_eq(create_with("/a", 0, null), MU_EINVALIDACL);
	ck_assert_int_eq(create_with("/a", 0, empty), MU_EINVALIDACL);
	ck_assert_int_eq(create_with("/a", 0, mu_acl_open()), 0);
}
END_TEST

START_TEST(rule61_delete_checks_in_zookeepers_order)
{
	static const char *const special[] = { "/", "/zookeeper",
		                               "/zookeeper/quota",
		                               "/zookeeper/config" };

	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(
			bed_err(1, MU_OP_DELETE, q_delete(special[i], 7)),
			MU_EINVAL);
	bed_make(1, "/p", "");
	bed_make(1, "/p/c", "");
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("nothing", -1)),
	                 MU_EINVAL);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/no/x", -1)),
	                 MU_ENONODE);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/p/x", -1)),
	                 MU_ENONODE);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/p/", -1)),
	                 MU_ENONODE);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/p", 3)),
	                 MU_EBADVERSION);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/p", 0)),
	                 MU_ENOTEMPTY);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/p/c", 0)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/p", -1)), 0);
}
END_TEST

START_TEST(rule62_null_data_stays_null)
{
	struct bed_reply r;

	bed_make(1, "/a", NULL);
	r = bed_do(1, MU_OP_GET_DATA, q_path("/a", false));
	ck_assert_int_eq(mu_get_int(&r.body), -1);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "", -1)), 0);
	r = bed_do(1, MU_OP_GET_DATA, q_path("/a", false));
	ck_assert_int_eq(mu_get_int(&r.body), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", NULL, -1)), 0);
	r = bed_do(1, MU_OP_GET_DATA, q_path("/a", false));
	ck_assert_int_eq(mu_get_int(&r.body), -1);
}
END_TEST

START_TEST(rule62_create2_answers_a_stat_too)
{
	struct bed_reply r = bed_do(1, MU_OP_CREATE2, q_create("/a", "xyz", 0));
	struct mu_stat stat;

	ck_assert_int_eq(r.err, 0);
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("/a")));
	ck_assert_int_eq(mu_get_stat(&r.body, &stat), 0);
	ck_assert_int_eq(stat.data_len, 3);
	ck_assert_int_eq(stat.czxid, r.zxid);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
}
END_TEST

/* ---- multi ---- */

static void want_result(struct mu_in *in, int32_t op)
{
	struct mu_multi_header h;

	ck_assert_int_eq(mu_get_multi_header(in, &h), 0);
	ck_assert_int_eq(h.op, op);
	ck_assert(!h.done);
	ck_assert_int_eq(h.err, 0);
}

static void want_failure(struct mu_in *in, int32_t err)
{
	struct mu_multi_header h;

	ck_assert_int_eq(mu_get_multi_header(in, &h), 0);
	ck_assert_int_eq(h.op, -1);
	ck_assert(!h.done);
	ck_assert_int_eq(h.err, err);
	ck_assert_int_eq(mu_get_int(in), err);
}

static void want_end(struct mu_in *in)
{
	struct mu_multi_header h;

	ck_assert_int_eq(mu_get_multi_header(in, &h), 0);
	ck_assert_int_eq(h.op, -1);
	ck_assert(h.done);
	ck_assert_int_eq(h.err, -1);
	ck_assert_uint_eq(mu_in_left(in), 0);
}

START_TEST(rule65_a_multi_answers_each_operation_under_one_zxid)
{
	int64_t before = bed_counts().zxid;
	struct bed_reply r;
	struct mu_stat stat;

	q_none();
	q_sub(MU_OP_CREATE, "/a", "x", 0);
	q_sub(MU_OP_CREATE2, "/a/s-", "x", 2);
	q_sub(MU_OP_SET_DATA, "/a", "yy", 0);
	q_sub(MU_OP_CHECK, "/a", NULL, 1);
	q_sub(MU_OP_DELETE, "/a/s-0000000000", NULL, 0);
	r = bed_do(1, MU_OP_MULTI, q_end());
	ck_assert_int_eq(r.err, 0);
	ck_assert_int_eq(r.zxid, before + 1);
	want_result(&r.body, MU_OP_CREATE);
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("/a")));
	want_result(&r.body, MU_OP_CREATE2);
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("/a/s-0000000000")));
	ck_assert_int_eq(mu_get_stat(&r.body, &stat), 0);
	want_result(&r.body, MU_OP_SET_DATA);
	ck_assert_int_eq(mu_get_stat(&r.body, &stat), 0);
	ck_assert_int_eq(stat.version, 1);
	ck_assert_int_eq(stat.num_children, 1);
	want_result(&r.body, MU_OP_CHECK);
	want_result(&r.body, MU_OP_DELETE);
	want_end(&r.body);
	stat = bed_stat(1, "/a");
	ck_assert_int_eq(stat.czxid, before + 1);
	ck_assert_int_eq(stat.pzxid, before + 1);
}
END_TEST

START_TEST(rule65_an_empty_multi_is_legal)
{
	int64_t before = bed_counts().zxid;
	struct bed_reply r;

	q_none();
	r = bed_do(1, MU_OP_MULTI, q_end());
	ck_assert_int_eq(r.err, 0);
	want_end(&r.body);
	ck_assert_int_eq(bed_counts().zxid, before + 1); /* rule 95 */
}
END_TEST

START_TEST(rule64_a_failed_multi_changes_nothing_and_says_what_failed)
{
	int64_t before = bed_counts().zxid;
	uint32_t nodes = bed_counts().nodes;
	struct bed_reply r;

	bed_do(1, MU_OP_ADD_WATCH, q_add_watch("/", 1));
	q_none();
	q_sub(MU_OP_CREATE, "/a", "x", 0);
	q_sub(MU_OP_CREATE, "/b", "x", 0);
	q_sub(MU_OP_CHECK, "/a", NULL, 9);
	q_sub(MU_OP_CREATE, "/c", "x", 0);
	r = bed_do(1, MU_OP_MULTI, q_end()); /* and no event before it */
	ck_assert_int_eq(r.err, 0);
	want_failure(&r.body, 0);
	want_failure(&r.body, 0);
	want_failure(&r.body, MU_EBADVERSION);
	want_failure(&r.body, MU_EROLLEDBACK);
	want_end(&r.body);
	ck_assert_int_eq(bed_counts().zxid, before + 1);
	ck_assert_uint_eq(bed_counts().nodes, nodes);
}
END_TEST

START_TEST(rule64_a_multi_may_fail_at_its_first_and_at_its_last)
{
	struct bed_reply r;

	q_none();
	q_sub(MU_OP_CHECK, "/none", NULL, -1);
	q_sub(MU_OP_CREATE, "/c", "x", 0);
	r = bed_do(1, MU_OP_MULTI, q_end());
	want_failure(&r.body, MU_ENONODE);
	want_failure(&r.body, MU_EROLLEDBACK);
	want_end(&r.body);
	q_none();
	q_sub(MU_OP_CREATE, "/c", "x", 0);
	q_sub(MU_OP_CREATE_TTL, "/k", "x", 5); /* of 0 ms */
	r = bed_do(1, MU_OP_MULTI, q_end());
	want_failure(&r.body, 0);
	want_failure(&r.body, MU_EINVAL);
	want_end(&r.body);
}
END_TEST

START_TEST(rule63_the_create_family_delete_set_and_check_are_allowed)
{
	static const int32_t bad[] = {
		MU_OP_MULTI,         MU_OP_SYNC, MU_OP_SET_ACL,
		MU_OP_CLOSE_SESSION, 0,          99
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		q_none();
		q_sub(MU_OP_CREATE, "/a", "x", 0);
		q_sub(bad[i], "/a", "x", 0);
		ck_assert_int_eq(bed_err(1, MU_OP_MULTI, q_end()), MU_EMARSHAL);
	}
}
END_TEST

START_TEST(rule66_reads_in_a_multi_make_it_undecodable)
{
	int64_t before = bed_counts().zxid;

	q_none();
	q_sub(MU_OP_CREATE, "/a", "x", 0);
	mu_put_multi_header(&bed.q, MU_OP_GET_DATA, false, -1);
	mu_put_path_watch(
		&bed.q, &(struct mu_path_watch_request){ MU_STR("/a"), false });
	ck_assert_int_eq(bed_err(1, MU_OP_MULTI, q_end()), MU_EMARSHAL);
	ck_assert_int_eq(bed_counts().zxid, before);
}
END_TEST

START_TEST(rule67_a_multis_events_come_in_order_with_one_zxid)
{
	int64_t zxid;

	bed_connect(2);
	bed_do(2, MU_OP_ADD_WATCH, q_add_watch("/", 1));
	q_none();
	q_sub(MU_OP_CREATE, "/a", "x", 0);
	q_sub(MU_OP_SET_DATA, "/a", "y", 0);
	q_sub(MU_OP_DELETE, "/a", NULL, 1);
	zxid = bed_do(1, MU_OP_MULTI, q_end()).zxid;
	ck_assert_int_eq(bed_event(2, MU_NODE_CREATED, "/a"), zxid);
	ck_assert_int_eq(bed_event(2, MU_NODE_DATA_CHANGED, "/a"), zxid);
	ck_assert_int_eq(bed_event(2, MU_NODE_DELETED, "/a"), zxid);
	bed_quiet(2);
}
END_TEST

START_TEST(rule73_an_empty_tree_has_five_nodes)
{
	ck_assert_uint_eq(bed_counts().nodes, 5);
	ck_assert_int_eq(bed_stat(1, "/zookeeper/config").data_len, 0);
	bed_stat(1, "/zookeeper/quota");
}
END_TEST

START_TEST(rule95_replies_carry_the_last_zxid)
{
	int64_t zxid = bed_do(1, MU_OP_CREATE, q_create("/a", "", 0)).zxid;

	ck_assert_int_eq(zxid, bed_counts().zxid);
	ck_assert_int_eq(bed_do(1, MU_OP_EXISTS, q_path("/a", false)).zxid,
	                 zxid);
	ck_assert_int_eq(bed_do(1, MU_OP_EXISTS, q_path("/b", false)).zxid,
	                 zxid);
	ck_assert_int_eq(bed_do(1, MU_OP_CREATE, q_create("/a", "", 0)).zxid,
	                 zxid + 1);
}
END_TEST

START_TEST(rule96_a_body_that_does_not_decode_keeps_the_link)
{
	static const int32_t ops[] = { MU_OP_CREATE,       MU_OP_CREATE2,
		                       MU_OP_DELETE,       MU_OP_SET_DATA,
		                       MU_OP_EXISTS,       MU_OP_GET_DATA,
		                       MU_OP_GET_CHILDREN, MU_OP_GET_CHILDREN2,
		                       MU_OP_SYNC,         MU_OP_MULTI,
		                       MU_OP_SET_WATCHES,  MU_OP_SET_WATCHES2,
		                       MU_OP_ADD_WATCH };
	int64_t before = bed_counts().zxid;

	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
		struct mu_buf junk = { 0 };

		mu_put_int(&junk, 77);
		mu_put_int(&junk, 1);
		ck_assert_int_eq(bed_err(1, ops[i], &junk), MU_EMARSHAL);
		mu_buf_fini(&junk);
	}
	ck_assert(bed_is_open(1));
	ck_assert_int_eq(bed_counts().zxid, before); /* nothing was logged */
}
END_TEST

START_TEST(rule96_a_record_without_a_header_ends_the_link)
{
	bed_receive(1, "1234567", 7);
	ck_assert(bed_is_closed(1, MU_CLOSE_MALFORMED));
	bed_connect(2);
	bed_receive(2, "", 0);
	ck_assert(bed_is_closed(2, MU_CLOSE_MALFORMED));
}
END_TEST

START_TEST(rule18_unknown_operations_are_answered_then_the_link_ends)
{
	static const int32_t ops[] = { MU_OP_CHECK,
		                       MU_OP_NOTIFICATION,
		                       MU_OP_CREATE_SESSION,
		                       MU_OP_ERROR,
		                       10,
		                       999,
		                       1002,
		                       INT32_MIN };

	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
		uint32_t link = 10 + (uint32_t)i;
		struct bed_reply r;

		bed_connect(link);
		r = bed_do(link, ops[i], q_none());
		ck_assert_int_eq(r.err, MU_EUNIMPLEMENTED);
		ck_assert_int_eq(r.zxid, -1);
		ck_assert(bed_is_closed(link, MU_CLOSE_UNKNOWN_OP));
	}
}
END_TEST

START_TEST(rule100_operations_that_are_not_enabled_keep_the_link)
{
	static const int32_t ops[] = {
		MU_OP_RECONFIG,
		MU_OP_SASL,
		MU_OP_DELETE_CONTAINER,
	};

	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
		struct bed_reply r = bed_do(1, ops[i], q_none());

		ck_assert_int_eq(r.err, MU_EUNIMPLEMENTED);
		ck_assert_int_eq(r.zxid, bed_counts().zxid);
	}
	ck_assert(bed_is_open(1));
}
END_TEST

START_TEST(rule54_a_stat_says_who_made_and_changed_the_node)
{
	struct bed_reply r = bed_do(1, MU_OP_CREATE, q_create("/a", "abc", 0));
	int64_t made_at = r.zxid, made_ms = bed_stat(1, "/a").ctime;
	struct mu_stat stat;

	r = bed_do(1, MU_OP_SET_DATA, q_set("/a", "abcde", -1));
	ck_assert_int_eq(r.err, 0);
	ck_assert_uint_eq(mu_in_left(&r.body), 68);
	mu_get_stat(&r.body, &stat);
	ck_assert_int_eq(stat.czxid, made_at);
	ck_assert_int_eq(stat.mzxid, r.zxid);
	ck_assert_int_eq(stat.ctime, made_ms);
	ck_assert_int_ge(stat.mtime, made_ms);
	ck_assert_int_eq(stat.version, 1);
	ck_assert_int_eq(stat.data_len, 5);
	ck_assert_int_eq(stat.pzxid, made_at);
	ck_assert_int_eq(stat.aversion, 0);
}
END_TEST

TCase *semantics_write(void)
{
	const TTest *const tests[] = {
		rule54_a_stat_says_who_made_and_changed_the_node,
		rule27_modes_that_create_does_not_know_are_refused,
		rule51_ephemerals_have_an_owner_and_no_children,
		rule52_failed_writes_use_up_a_zxid,
		rule55_a_version_must_match_or_be_any,
		rule56_cversion_counts_creates_and_deletes,
		rule57_sequence_numbers_are_never_reused,
		rule58_the_path_is_judged_with_its_number,
		rule59_illegal_paths_are_refused,
		rule60_create_checks_in_zookeepers_order,
		rule60_an_acl_that_is_null_or_empty_is_refused,
		rule61_delete_checks_in_zookeepers_order,
		rule62_null_data_stays_null,
		rule62_create2_answers_a_stat_too,
		rule65_a_multi_answers_each_operation_under_one_zxid,
		rule65_an_empty_multi_is_legal,
		rule64_a_failed_multi_changes_nothing_and_says_what_failed,
		rule64_a_multi_may_fail_at_its_first_and_at_its_last,
		rule63_the_create_family_delete_set_and_check_are_allowed,
		rule66_reads_in_a_multi_make_it_undecodable,
		rule67_a_multis_events_come_in_order_with_one_zxid,
		rule73_an_empty_tree_has_five_nodes,
		rule95_replies_carry_the_last_zxid,
		rule96_a_body_that_does_not_decode_keeps_the_link,
		rule96_a_record_without_a_header_ends_the_link,
		rule18_unknown_operations_are_answered_then_the_link_ends,
		rule100_operations_that_are_not_enabled_keep_the_link,
	};

	return bed_case("writes", setup, tests, BED_COUNT(tests));
}
