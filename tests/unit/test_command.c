/* The bytes of a command, and what it does: each sentence of command.h. */
#include "command.h"

#include "fault.h"
#include "tree_node.h"

#include <check.h>

static const uint8_t key[16] = { 1 };
static struct mu_tree *tree;
static struct mu_sessions *sessions;
static struct mu_outcome out;
static struct mu_buf b;
static int64_t zxid;

static void setup(void)
{
	zxid = 0;
	tree = mu_tree_new(key);
	sessions = mu_sessions_new(key, 100);
	ck_assert(tree && sessions);
	mu_buf_init(&b);
	out = (struct mu_outcome){ 0 };
}

static void teardown(void)
{
	mu_tree_verify(tree);
	mu_tree_free(tree);
	mu_sessions_free(sessions);
	mu_outcome_fini(&out);
	mu_buf_fini(&b);
}

static void begin(int32_t type, int64_t session)
{
	struct mu_command c = { .zxid = zxid + 1,
		                .type = type,
		                .session = session,
		                .time_ms = 1001 + zxid,
		                .origin = MU_STR("10.1.2.3:4"),
		                .xid = 5 };

	zxid++;
	mu_buf_reset(&b);
	mu_put_command(&b, &c);
}

static int apply(void)
{
	struct mu_command c;
	int err = mu_get_command(b.data, b.len, &c);

	return err ? err : mu_command_apply(&c, tree, sessions, 0, &out);
}

static int make_session(int64_t id, uint32_t password_len)
{
	struct mu_create_session q = {
		.timeout_ms = 500,
		.password = { "0123456789abcdefX", password_len },
	};

	begin(MU_OP_CREATE_SESSION, id);
	mu_put_create_session(&b, &q);
	return apply();
}

static int close_session(int64_t id)
{
	begin(MU_OP_CLOSE_SESSION, id);
	mu_put_close_session(&b, MU_CAUSE_EXPIRED);
	return apply();
}

static void put_create(const char *path, int32_t mode, int64_t session)
{
	struct mu_create_request q = { .path = mu_str_of(path),
		                       .data = MU_STR("data"),
		                       .acl = mu_acl_open(),
		                       .mode = mode };

	begin(MU_OP_CREATE, session);
	mu_put_create(&b, MU_OP_CREATE, &q);
}

static int create(const char *path, int32_t mode, int64_t session)
{
	put_create(path, mode, session);
	return apply();
}

START_TEST(a_command_reads_back_as_it_was_written)
{
	struct mu_command c;

	begin(MU_OP_DELETE, 77);
	mu_put_int(&b, 4242);
	ck_assert_int_eq(mu_get_command(b.data, b.len, &c), 0);
	ck_assert_int_eq(c.zxid, 1);
	ck_assert_int_eq(c.type, MU_OP_DELETE);
	ck_assert_int_eq(c.session, 77);
	ck_assert_int_eq(c.time_ms, 1001);
	ck_assert(mu_str_eq(c.origin, MU_STR("10.1.2.3:4")));
	ck_assert_int_eq(c.xid, 5);
	ck_assert_int_eq(c.identities.count, 0);
	ck_assert_uint_eq(mu_in_left(&c.body), 4);
	ck_assert_int_eq(mu_get_int(&c.body), 4242);
}
END_TEST

START_TEST(a_command_has_the_layout_that_the_header_states)
{
	static const uint8_t want[] = {
		0,   0,   0,   0,   0,   0,   0,    1,    /* zxid */
		0,   0,   0,   2,                         /* type */
		0,   0,   0,   0,   0,   0,   0,    9,    /* session */
		0,   0,   0,   0,   0,   0,   0x03, 0xe9, /* time */
		0,   0,   0,   10,  '1', '0', '.',  '1',  /* origin */
		'.', '2', '.', '3', ':', '4',             /**/
		0,   0,   0,   5,                         /* xid */
		0,   0,   0,   0,                         /* identities */
		0,   0,   0,   0,                         /* rules */
	};

	begin(MU_OP_DELETE, 9);
	ck_assert_uint_eq(b.len, sizeof want);
	ck_assert_mem_eq(b.data, want, sizeof want);
}
END_TEST

START_TEST(a_command_cut_short_anywhere_does_not_decode)
{
	struct mu_command c;

	begin(MU_OP_DELETE, 77);
	for (size_t n = 0; n < b.len; n++)
		ck_assert_int_eq(mu_get_command(b.data, n, &c), MU_EDATA);
}
END_TEST

START_TEST(a_body_cut_short_anywhere_is_not_applied)
{
	size_t head;

	put_create("/a", 0, 1);
	head = b.len;
	for (size_t n = 51; n < head; n++) {
		b.len = n;
		ck_assert_int_eq(apply(), MU_EDATA);
		ck_assert_uint_eq(mu_tree_count(tree), 5);
	}
	b.len = head;
	ck_assert_int_eq(apply(), 0);
}
END_TEST

START_TEST(requests_are_logged_as_they_were_sent)
{
	struct mu_buf in = { 0 }, copy = { 0 };
	struct mu_create_request q = { .path = MU_STR("/a"),
		                       .data = { NULL, 0 },
		                       .acl = mu_acl_open(),
		                       .mode = 2 };
	struct mu_in from;

	mu_put_multi_header(&in, MU_OP_CREATE, false, -1);
	mu_put_create(&in, MU_OP_CREATE, &q);
	q.ttl_ms = 77;
	mu_put_multi_header(&in, MU_OP_CREATE_TTL, false, -1);
	mu_put_create(&in, MU_OP_CREATE_TTL, &q);
	mu_put_multi_header(&in, MU_OP_DELETE, false, -1);
	mu_put_delete(&in, &(struct mu_delete_request){ MU_STR("/b"), 3 });
	mu_put_multi_header(&in, -1, true, -1);
	from = mu_in_of(in.data, in.len);
	ck_assert_int_eq(mu_put_command_body(&copy, MU_OP_MULTI, &from), 0);
	ck_assert_uint_eq(copy.len, in.len);
	ck_assert_mem_eq(copy.data, in.data, in.len);
	mu_buf_fini(&in);
	mu_buf_fini(&copy);
}
END_TEST

START_TEST(only_writes_are_commands)
{
	struct mu_in in = mu_in_of("", 0);

	ck_assert(mu_command_is_write(MU_OP_CREATE));
	ck_assert(mu_command_is_write(MU_OP_CREATE2));
	ck_assert(mu_command_is_write(MU_OP_DELETE));
	ck_assert(mu_command_is_write(MU_OP_SET_DATA));
	ck_assert(mu_command_is_write(MU_OP_MULTI));
	ck_assert(!mu_command_is_write(MU_OP_CHECK));
	ck_assert(!mu_command_is_write(MU_OP_GET_DATA));
	ck_assert(!mu_command_is_write(MU_OP_CREATE_SESSION));
	ck_assert_int_eq(mu_put_command_body(&b, MU_OP_GET_DATA, &in),
	                 MU_EMARSHAL);
}
END_TEST

START_TEST(a_session_is_made_with_what_the_command_carries)
{
	struct mu_session *s;

	ck_assert_int_eq(make_session(7, 16), 0);
	s = mu_sessions_find(sessions, 7);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->timeout_ms, 500);
	ck_assert_mem_eq(s->password, "0123456789abcdef", 16);
	ck_assert_str_eq(s->origin, "10.1.2.3:4");
	ck_assert_uint_eq(s->link, 0);
}
END_TEST

START_TEST(a_session_is_not_made_twice_nor_without_a_password)
{
	ck_assert_int_eq(make_session(7, 16), 0);
	ck_assert_int_eq(make_session(7, 16), MU_EDATA);
	ck_assert_int_eq(make_session(8, 15), MU_EDATA);
	ck_assert_int_eq(make_session(8, 17), MU_EDATA);
	ck_assert_uint_eq(mu_sessions_count(sessions), 1);
}
END_TEST

START_TEST(rule47_closing_takes_the_ephemerals_and_tells_of_each)
{
	struct mu_in walk;
	struct mu_noted change;
	int deleted = 0, changed = 0;

	make_session(7, 16);
	make_session(8, 16);
	ck_assert_int_eq(create("/p", 0, 7), 0);
	ck_assert_int_eq(create("/p/a", 1, 7), 0);
	ck_assert_int_eq(create("/b", 1, 7), 0);
	ck_assert_int_eq(create("/other", 1, 8), 0);
	ck_assert_int_eq(close_session(7), 0);
	ck_assert_int_eq(out.err, 0);
	ck_assert_uint_eq(out.event_count, 4);
	walk = mu_in_of(out.events.data, out.events.len);
	while (mu_noted_next(&walk, &change)) {
		deleted += change.type == MU_NODE_DELETED;
		changed += change.type == MU_NODE_CHILDREN_CHANGED;
	}
	ck_assert_int_eq(deleted, 2);
	ck_assert_int_eq(changed, 2);
	ck_assert_uint_eq(mu_tree_ephemerals(tree), 1);
	ck_assert_uint_eq(mu_sessions_count(sessions), 1);
	ck_assert_int_eq(mu_tree_pzxid(tree, mu_tree_find(tree, MU_STR("/p"))),
	                 zxid);
}
END_TEST

/* The last number there is, then the least: ZooKeeper's %010d of an int. */
START_TEST(rule57_the_number_after_the_last_is_the_least)
{
	static const char *const made[] = { "/a/n2147483646", "/a/n2147483647",
		                            "/a/n-2147483648",
		                            "/a/n-2147483647" };
	struct mu_in in;

	ck_assert_int_eq(create("/a", MU_MODE_PERSISTENT, 0), 0);
	mu_tree_node(tree, mu_tree_find(tree, MU_STR("/a")))->creates =
		INT32_MAX - 1;
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
		ck_assert_int_eq(create("/a/n", 2, 0), 0);
		ck_assert_int_eq(out.err, 0);
		in = mu_in_of(out.body.data, out.body.len);
		ck_assert(mu_str_eq(mu_get_str(&in), mu_str_of(made[i])));
	}
}
END_TEST

START_TEST(closing_an_unknown_session_is_a_result_not_an_error)
{
	ck_assert_int_eq(close_session(7), 0);
	ck_assert_int_eq(out.err, MU_EEXPIRED);
}
END_TEST

START_TEST(an_ephemeral_needs_a_living_owner)
{
	ck_assert_int_eq(create("/e", 1, 7), 0);
	ck_assert_int_eq(out.err, MU_EEXPIRED);
	ck_assert_uint_eq(mu_tree_count(tree), 5);
}
END_TEST

START_TEST(a_failed_request_has_changed_nothing_and_tells_nobody)
{
	ck_assert_int_eq(create("/a", 0, 1), 0);
	ck_assert_uint_eq(out.event_count, 2);
	ck_assert_int_eq(create("/a", 0, 1), 0);
	ck_assert_int_eq(out.err, MU_EEXISTS);
	ck_assert_uint_eq(out.event_count, 0);
	ck_assert_uint_eq(out.body.len, 0);
}
END_TEST

static void put_multi(void)
{
	struct mu_create_request q = { .path = MU_STR("/m"),
		                       .data = MU_STR("data"),
		                       .acl = mu_acl_open() };

	begin(MU_OP_MULTI, 1);
	mu_put_multi_header(&b, MU_OP_CREATE2, false, -1);
	mu_put_create(&b, MU_OP_CREATE2, &q);
	mu_put_multi_header(&b, MU_OP_SET_DATA, false, -1);
	mu_put_set_data(&b, &(struct mu_set_data_request){ MU_STR("/m"),
	                                                   MU_STR("new"), 0 });
	mu_put_multi_header(&b, -1, true, -1);
}

START_TEST(rule64_a_failed_multi_tells_nobody)
{
	put_multi();
	mu_buf_cut(&b, b.len - 9); /* the terminator */
	mu_put_multi_header(&b, MU_OP_CHECK, false, -1);
	mu_put_check(&b, &(struct mu_check_request){ MU_STR("/m"), 0 });
	mu_put_multi_header(&b, -1, true, -1);
	ck_assert_int_eq(apply(), 0);
	ck_assert_int_eq(out.err, 0);
	ck_assert_uint_eq(out.body.len, 3 * (9 + 4) + 9);
	ck_assert_uint_eq(out.event_count, 0);
	ck_assert_uint_eq(out.events.len, 0);
	ck_assert_uint_eq(mu_tree_count(tree), 5);
}
END_TEST

START_TEST(a_multi_in_a_multi_is_not_applied)
{
	begin(MU_OP_MULTI, 1);
	mu_put_multi_header(&b, MU_OP_MULTI, false, -1);
	mu_put_multi_header(&b, -1, true, -1);
	mu_put_multi_header(&b, -1, true, -1);
	ck_assert_int_eq(apply(), MU_EDATA);
}
END_TEST

/* After each refusal the tree is as it was; at last the command goes through. */
static void sweep(uint32_t nodes)
{
	struct mu_command c;
	unsigned refusals = 0;

	ck_assert_int_eq(mu_get_command(b.data, b.len, &c), 0);
	for (unsigned k = 0;; k++) {
		int err, reached;

		mu_outcome_fini(&out);
		fault_alloc_at(k);
		err = mu_command_apply(&c, tree, sessions, 0, &out);
		reached = fault_alloc_off();
		if (!err) {
			ck_assert_int_eq(out.err, 0);
			break;
		}
		ck_assert_int_eq(err, MU_ENOMEM);
		ck_assert_int_eq(reached, 1);
		mu_tree_verify(tree);
		ck_assert_uint_eq(mu_tree_count(tree), nodes);
		refusals++;
	}
	ck_assert_uint_ge(refusals, 2);
}

START_TEST(applying_survives_the_loss_of_any_allocation)
{
	make_session(7, 16);
	put_create("/a", 1, 7);
	sweep(5);
	put_multi();
	sweep(6);
	begin(MU_OP_CLOSE_SESSION, 7);
	mu_put_close_session(&b, MU_CAUSE_CLIENT);
	sweep(7);
	ck_assert_uint_eq(mu_sessions_count(sessions), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_command_reads_back_as_it_was_written,
		a_command_has_the_layout_that_the_header_states,
		a_command_cut_short_anywhere_does_not_decode,
		a_body_cut_short_anywhere_is_not_applied,
		requests_are_logged_as_they_were_sent,
		only_writes_are_commands,
		a_session_is_made_with_what_the_command_carries,
		a_session_is_not_made_twice_nor_without_a_password,
		rule47_closing_takes_the_ephemerals_and_tells_of_each,
		rule57_the_number_after_the_last_is_the_least,
		closing_an_unknown_session_is_a_result_not_an_error,
		an_ephemeral_needs_a_living_owner,
		a_failed_request_has_changed_nothing_and_tells_nobody,
		rule64_a_failed_multi_tells_nobody,
		a_multi_in_a_multi_is_not_applied,
		applying_survives_the_loss_of_any_allocation,
	};
	Suite *suite = suite_create("command");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
