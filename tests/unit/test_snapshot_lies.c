/*
 * Snapshots whose checksums are right and whose contents are not: each lie is
 * refused with a sentence, and none is believed. A forged snapshot is the
 * smallest good one, with one thing wrong.
 */
#include "snapshot_kit.h"

#include "crc.h"
#include "snapshot_impl.h"
#include "tree.h"

#define ID INT64_C(0x100000000000011)

static struct forge {
	struct mu_snapshot_info info;
	struct mu_buf records;
} forge;
static struct mu_err err;

static void num(uint64_t v)
{
	uint8_t byte;

	for (; v >= 0x80; v >>= 7) {
		byte = (uint8_t)(v | 0x80);
		mu_buf_put(&forge.records, &byte, 1);
	}
	byte = (uint8_t)v;
	mu_buf_put(&forge.records, &byte, 1);
}

static void node_of(uint32_t up, uint32_t trait, uint32_t creates,
                    struct mu_str name)
{
	num(MU_SNAP_NODE);
	num(up);
	num(trait);
	num(0); /* version */
	num(creates);
	for (int i = 0; i < 5; i++)
		num(0); /* zxids and times */
	num(name.len);
	num(1); /* empty data */
	mu_buf_put(&forge.records, name.at, name.len);
	forge.info.nodes++;
	forge.info.tree_bytes += name.len;
}

static void node(uint32_t up, uint32_t trait, const char *name)
{
	node_of(up, trait, 0, mu_str_of(name));
}

static void trait(int64_t owner, uint32_t aversion, struct mu_vec acl)
{
	num(MU_SNAP_TRAIT);
	num((uint64_t)owner);
	num(aversion);
	num((uint64_t)acl.count);
	num(acl.len);
	mu_buf_put(&forge.records, acl.at, acl.len);
}

static void session_of(int64_t id, uint64_t timeout_ms, struct mu_str origin)
{
	static const uint8_t password[MU_PASSWORD_LEN];

	num(MU_SNAP_SESSION);
	num((uint64_t)id);
	num(timeout_ms);
	num(origin.len);
	mu_buf_put(&forge.records, password, sizeof password);
	mu_buf_put(&forge.records, origin.at, origin.len);
	forge.info.sessions++;
}

static void session(int64_t id)
{
	session_of(id, 1000, MU_STR("here"));
}

static void owned(uint64_t number)
{
	num(MU_SNAP_OWNED);
	num(number);
	forge.info.ephemerals++;
}

/* What every tree has: nodes 1 to 4. The next, with up = 3, stands below the
 * root. */
static void base(void)
{
	node(0, 0, "");
	node(0, 0, "zookeeper");
	node(0, 0, "quota");
	node(1, 0, "config");
}

static void block(struct mu_buf *out, uint32_t *chain, uint32_t kind,
                  const void *payload, size_t len)
{
	uint8_t head[MU_SNAP_BLOCK_HEAD];

	mu_snap_put32(head, kind);
	mu_snap_put32(head + 4, (uint32_t)len);
	mu_snap_put32(head + 8, mu_crc32c(0, payload, len));
	mu_snap_put32(head + 12, mu_crc32c(0, head, 12));
	*chain = mu_crc32c(*chain, head, sizeof head);
	mu_buf_put(out, head, sizeof head);
	mu_buf_put(out, payload, len);
}

static struct mu_buf forged(void)
{
	uint8_t head[MU_SNAPSHOT_HEAD], end[MU_SNAP_END_LEN];
	struct mu_buf out = { 0 };
	uint32_t chain;

	mu_snap_put_head(head, &forge.info);
	mu_buf_put(&out, head, sizeof head);
	chain = mu_crc32c(0, head, sizeof head);
	if (forge.records.len)
		block(&out, &chain, MU_SNAP_RECORDS, forge.records.data,
		      forge.records.len);
	mu_snap_put_counts(end, &forge.info);
	mu_snap_put32(end + MU_SNAP_COUNTS, chain);
	block(&out, &chain, MU_SNAP_END, end, sizeof end);
	ck_assert(!mu_buf_failed(&out));
	return out;
}

/* ---- the truth, so that a lie is the one thing that is wrong ---- */

static void truth(void)
{
	struct mu_vec acl = mu_acl_open();

	base();
	trait(ID, 0, acl);
	trait(MU_OWNER_CONTAINER, 3, acl);
	node(2, 0, "plain");
	node_of(0, 2, 7, MU_STR("box"));
	node(1, 1, "mine");
	node(2, 1, "two");
	session(ID);
	owned(7);
	owned(8);
	session(ID + 1);
}

START_TEST(the_forger_can_tell_the_truth)
{
	struct mu_store_config config = kit_config(4);
	struct mu_store *s = NULL;
	struct mu_buf b;
	int rc;

	truth();
	b = forged();
	rc = load_pieces(b.data, b.len, b.len, &config, &s, &err);
	ck_assert_msg(rc == 0, "%s", err.msg);
	mu_store_verify(s);
	ck_assert_uint_eq(mu_tree_count(mu_store_tree(s)), 9);
	mu_store_free(s);
	mu_buf_fini(&b);
}
END_TEST

/* ---- lies ---- */

static void no_nodes(void)
{
	forge.info.nodes = 4;
}

static void no_root_name(void)
{
	node(0, 0, "name");
	forge.info.nodes = 4;
}

static void above_the_root(void)
{
	base();
	node(3, 0, "beside");
}

static void first_not_the_root(void)
{
	node(1, 0, "");
	forge.info.nodes = 4;
}

static void a_name_twice(void)
{
	base();
	node(2, 0, "twin");
	node(1, 0, "twin");
}

static void a_name_with_a_slash(void)
{
	base();
	node(2, 0, "a/b");
}

static void a_name_that_is_empty(void)
{
	base();
	node(2, 0, "");
}

static void a_name_of_dots(void)
{
	base();
	node(2, 0, "..");
}

static void a_name_with_a_nul(void)
{
	base();
	node_of(2, 0, 0, (struct mu_str){ "a\0b", 3 });
}

static void a_name_not_utf8(void)
{
	base();
	node(2, 0, "\xff");
}

static void no_zookeeper(void)
{
	node(0, 0, "");
	node(0, 0, "zookeeper");
	node(0, 0, "config");
	node(1, 0, "quota");
}

static void no_config(void)
{
	node(0, 0, "");
	node(0, 0, "zookeeper");
	node(0, 0, "quota");
	node(1, 0, "other");
}

static void a_quota_that_ends(void)
{
	trait(MU_OWNER_CONTAINER, 0, mu_acl_open());
	node(0, 0, "");
	node(0, 0, "zookeeper");
	node(0, 1, "quota");
	node(1, 0, "config");
}

static void an_ephemeral_root(void)
{
	trait(ID, 0, mu_acl_open());
	node(0, 1, "");
	node(0, 0, "zookeeper");
	forge.info.nodes = 4;
}

static void a_child_of_an_ephemeral(void)
{
	base();
	trait(ID, 0, mu_acl_open());
	node(2, 1, "mine");
	node(0, 0, "child");
}

static void an_ephemeral_with_creates(void)
{
	base();
	trait(ID, 0, mu_acl_open());
	node_of(2, 1, 1, MU_STR("mine"));
}

static void a_trait_not_told(void)
{
	base();
	trait(ID, 0, mu_acl_open());
	node(2, 2, "mine");
}

static void a_trait_of_nothing(void)
{
	base();
	trait(0, 0, mu_acl_open());
}

static void an_acl_of_none(void)
{
	base();
	trait(ID, 0, (struct mu_vec){ 0, (const uint8_t *)"", 0 });
}

static void an_acl_cut_short(void)
{
	struct mu_vec acl = mu_acl_open();

	base();
	acl.len--;
	trait(ID, 0, acl);
}

static void an_acl_with_more(void)
{
	struct mu_vec acl = mu_acl_open();

	base();
	acl.count = 2;
	trait(ID, 0, acl);
}

static void an_orphan(void)
{
	base();
	trait(ID, 0, mu_acl_open());
	node(2, 1, "mine");
	node(1, 0, "not");
	session(ID + 1);
	owned(6);
}

static void an_ephemeral_of_another(void)
{
	base();
	trait(ID, 0, mu_acl_open());
	node(2, 1, "mine");
	session(ID + 1);
	owned(5);
}

static void an_ephemeral_nobody_has(void)
{
	base();
	trait(ID, 0, mu_acl_open());
	node(2, 1, "mine");
	node(1, 1, "too");
	session(ID);
	owned(5);
}

static void an_ephemeral_twice(void)
{
	base();
	trait(ID, 0, mu_acl_open());
	node(2, 1, "mine");
	node(1, 1, "too");
	session(ID);
	owned(5);
	owned(5);
}

static void an_ephemeral_beyond(void)
{
	base();
	session(ID);
	owned(5);
}

static void an_ephemeral_before_sessions(void)
{
	base();
	owned(2);
}

static void a_session_of_no_id(void)
{
	base();
	session(0);
}

static void a_session_named_like_a_container(void)
{
	base();
	session(MU_OWNER_CONTAINER);
}

static void a_session_without_time(void)
{
	base();
	session_of(ID, 0, MU_STR("x"));
}

static void a_session_with_too_much_time(void)
{
	base();
	session_of(ID, (uint64_t)INT32_MAX + 1, MU_STR("x"));
}

static void a_session_twice(void)
{
	base();
	session(ID);
	session(ID);
}

static void an_origin_too_long(void)
{
	char text[MU_ORIGIN_MAX + 1] = { 0 };

	base();
	memset(text, 'o', MU_ORIGIN_MAX);
	session_of(ID, 1000, mu_str_of(text));
}

static void an_origin_with_a_nul(void)
{
	base();
	session_of(ID, 1000, (struct mu_str){ "a\0b", 3 });
}

static void a_node_after_a_session(void)
{
	base();
	session(ID);
	node(2, 0, "late");
}

static void a_record_of_no_kind(void)
{
	base();
	num(99);
}

static void a_number_without_end(void)
{
	base();
	num(MU_SNAP_OWNED);
	for (int i = 0; i < 10; i++)
		mu_buf_put(&forge.records, "\xff", 1);
}

static void a_record_cut_short(void)
{
	base();
	mu_buf_cut(&forge.records, forge.records.len - 1);
}

static void more_nodes(void)
{
	base();
	forge.info.nodes++;
}

static void fewer_nodes(void)
{
	base();
	node(2, 0, "more");
	forge.info.nodes--;
}

static void more_sessions(void)
{
	base();
	forge.info.sessions++;
}

static void fewer_sessions(void)
{
	base();
	session(ID);
	forge.info.sessions--;
}

static void more_ephemerals(void)
{
	base();
	forge.info.ephemerals++;
}

static void more_bytes(void)
{
	base();
	forge.info.tree_bytes++;
}

static void a_zxid_below_zero(void)
{
	base();
	forge.info.zxid = -1;
}

static void an_index_out_of_range(void)
{
	base();
	forge.info.index = UINT64_MAX;
}

static void nodes_beyond_number(void)
{
	base();
	forge.info.nodes = UINT64_MAX;
}

static void a_version_of_nothing(void)
{
	base();
	forge.info.version = 0;
}

static void a_time_out_of_range(void)
{
	base();
	mu_buf_cut(&forge.records, 0);
	node(0, 0, "");
	mu_buf_cut(&forge.records, 0);
	num(MU_SNAP_NODE);
	for (int i = 0; i < 7; i++)
		num(0);
	num((uint64_t)1 << 60); /* ctime */
	num(0);
	num(0);
	num(1);
}

static const struct lie {
	void (*tell)(void);
	const char *says;
	bool deep; /* is not seen by a mere look */
} lies[] = {
	{ no_nodes, "not all that its head says", false },
	{ no_root_name, "a root that has a name", true },
	{ above_the_root, "beside the root", false },
	{ first_not_the_root, "beside the root", false },
	{ a_name_twice, "a name twice", true },
	{ a_name_with_a_slash, "a name that no node has", true },
	{ a_name_that_is_empty, "a name that no node has", true },
	{ a_name_of_dots, "a name that no node has", true },
	{ a_name_with_a_nul, "a name that no node has", true },
	{ a_name_not_utf8, "a name that no node has", true },
	{ no_zookeeper, "no /zookeeper as it must be", true },
	{ no_config, "no /zookeeper as it must be", true },
	{ a_quota_that_ends, "no /zookeeper as it must be", true },
	{ an_ephemeral_root, "a child of an ephemeral", true },
	{ a_child_of_an_ephemeral, "a child of an ephemeral", true },
	{ an_ephemeral_with_creates, "has had children", true },
	{ a_trait_not_told, "nobody told", false },
	{ a_trait_of_nothing, "need no telling", true },
	{ an_acl_of_none, "an ACL that is none", false },
	{ an_acl_cut_short, "an ACL that is none", false },
	{ an_acl_with_more, "an ACL that is none", false },
	{ an_orphan, "not its session's", true },
	{ an_ephemeral_of_another, "not its session's", true },
	{ an_ephemeral_nobody_has, "that no session has", true },
	{ an_ephemeral_twice, "not its session's", true },
	{ an_ephemeral_beyond, "an ephemeral that is none", false },
	{ an_ephemeral_before_sessions, "an ephemeral that is none", false },
	{ a_session_of_no_id, "a session that cannot be", false },
	{ a_session_named_like_a_container, "a session that cannot be", false },
	{ a_session_without_time, "a session that cannot be", false },
	{ a_session_with_too_much_time, "a session that cannot be", false },
	{ a_session_twice, "out of order", false },
	{ an_origin_too_long, "does not decode", false },
	{ an_origin_with_a_nul, "does not decode", false },
	{ a_node_after_a_session, "more nodes than", false },
	{ a_record_of_no_kind, "a record of kind 99", false },
	{ a_number_without_end, "an ephemeral that is none", false },
	{ a_record_cut_short, "does not decode", false },
	{ more_nodes, "not all that its head says", false },
	{ fewer_nodes, "more nodes than", false },
	{ more_sessions, "not all that its head says", false },
	{ fewer_sessions, "more sessions than", false },
	{ more_ephemerals, "not all that its head says", false },
	{ more_bytes, "not all that its head says", false },
	{ a_zxid_below_zero, "what no snapshot can", false },
	{ an_index_out_of_range, "what no snapshot can", false },
	{ nodes_beyond_number, "what no snapshot can", false },
	{ a_version_of_nothing, "what no snapshot can", false },
	{ a_time_out_of_range, "a time that no node has", true },
};

START_TEST(every_lie_is_refused_with_a_sentence)
{
	struct mu_store_config config = kit_config(4);
	const struct lie *lie = &lies[_i];
	struct mu_store *s = NULL;
	struct mu_buf b;

	lie->tell();
	b = forged();
	ck_assert_int_eq(load_pieces(b.data, b.len, b.len, &config, &s, &err),
	                 MU_EDATA);
	ck_assert_msg(strstr(err.msg, lie->says) != NULL, "lie %d: %s", _i,
	              err.msg);
	ck_assert_ptr_null(s);
	if (!lie->deep) {
		ck_assert_int_eq(
			load_pieces(b.data, b.len, 13, NULL, NULL, &err),
			MU_EDATA);
		ck_assert_ptr_nonnull(strstr(err.msg, lie->says));
	}
	mu_buf_fini(&b);
}
END_TEST

/* It may be that there are four thousand million nodes: memory is not taken for
 * what cannot be in so few bytes. */
START_TEST(room_is_made_for_no_more_than_can_come)
{
	struct mu_store_config config = kit_config(4);
	struct mu_store *s = NULL;
	struct mu_buf b;

	base();
	forge.info.nodes = UINT32_MAX - 1;
	b = forged();
	ck_assert_int_eq(load_pieces(b.data, b.len, b.len, &config, &s, &err),
	                 MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "not all that its head says"));
	mu_buf_fini(&b);
}
END_TEST

static void setup(void)
{
	memset(&forge, 0, sizeof forge);
	memset(&err, 0, sizeof err);
	forge.info.version = MU_SNAPSHOT_VERSION;
	forge.info.tree_id = 1;
	forge.info.index = 9;
	forge.info.term = 1;
	forge.info.zxid = 10;
}

static void teardown(void)
{
	mu_buf_fini(&forge.records);
}

int main(void)
{
	Suite *suite = suite_create("snapshot: lies");
	TCase *tc = tcase_create("lies");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_forger_can_tell_the_truth);
	tcase_add_loop_test(tc, every_lie_is_refused_with_a_sentence, 0,
	                    (int)(sizeof lies / sizeof *lies));
	tcase_add_test(tc, room_is_made_for_no_more_than_can_come);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
