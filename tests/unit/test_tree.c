/* The contract of agent/core/tree.h, sentence by sentence. */
#include "tree.h"

#include "buf.h"
#include "fault.h"
#include "mem.h"
#include "tree_node.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[16] = "0123456789abcde";
static struct mu_tree *t;
static struct mu_stamp stamp;

static void setup(void)
{
	t = mu_tree_new(key);
	ck_assert_ptr_nonnull(t);
	stamp = (struct mu_stamp){ 100, 1000 };
}

static void teardown(void)
{
	fault_alloc_off();
	mu_tree_verify(t);
	mu_tree_free(t);
}

static mu_node_id at(const char *path)
{
	return mu_tree_find(t, mu_str_of(path));
}

/* Create within the open transaction. */
static int make(const char *path, const char *data, int64_t owner)
{
	struct mu_str p = mu_str_of(path);
	int32_t len = data ? (int32_t)strlen(data) : -1;
	mu_node_id id = MU_NODE_NONE;
	int rc;

	rc = mu_tree_create(t, mu_tree_find(t, mu_path_parent(p)),
	                    mu_path_name(p), data, len, owner, &stamp, &id);
	ck_assert_int_eq(rc == 0, id != MU_NODE_NONE);
	return rc;
}

static int change(const char *path, const char *data)
{
	return mu_tree_set(t, at(path), data, (int32_t)strlen(data), &stamp);
}

static int cut(const char *path)
{
	return mu_tree_delete(t, at(path), &stamp);
}

/* Each in a transaction of its own, one zxid and ms later. */
static int commit(int rc)
{
	mu_tree_commit(t);
	mu_tree_verify(t);
	return rc;
}

static void begin(void)
{
	mu_tree_begin(t);
	stamp.zxid++;
	stamp.time_ms++;
}

static void put(const char *path, const char *data, int64_t owner)
{
	begin();
	ck_assert_int_eq(commit(make(path, data, owner)), 0);
}

static void set(const char *path, const char *data)
{
	begin();
	ck_assert_int_eq(commit(change(path, data)), 0);
}

static void drop(const char *path)
{
	begin();
	ck_assert_int_eq(commit(cut(path)), 0);
}

/* Write `v` into the last `digits` of a path. */
static void number(char *path, int digits, int v)
{
	char *end = path + strlen(path);

	for (; digits > 0; digits--, v /= 10)
		*--end = (char)('0' + v % 10);
}

static void assert_same_stat(struct mu_stat a, struct mu_stat b)
{
	ck_assert_int_eq(a.czxid, b.czxid);
	ck_assert_int_eq(a.mzxid, b.mzxid);
	ck_assert_int_eq(a.pzxid, b.pzxid);
	ck_assert_int_eq(a.ctime, b.ctime);
	ck_assert_int_eq(a.mtime, b.mtime);
	ck_assert_int_eq(a.version, b.version);
	ck_assert_int_eq(a.cversion, b.cversion);
	ck_assert_int_eq(a.ephemeral_owner, b.ephemeral_owner);
	ck_assert_int_eq(a.data_len, b.data_len);
	ck_assert_int_eq(a.num_children, b.num_children);
}

static struct mu_stat stat_of(const char *path)
{
	struct mu_stat st;

	ck_assert_uint_ne(at(path), MU_NODE_NONE);
	mu_tree_stat(t, at(path), &st);
	return st;
}

static void assert_data(const char *path, const char *want)
{
	int32_t len;
	const uint8_t *data = mu_tree_data(t, at(path), &len);

	ck_assert_int_eq(len, (int32_t)strlen(want));
	ck_assert_ptr_nonnull(data);
	ck_assert_mem_eq(data, want, (size_t)len);
}

/* ---- a fresh tree ---- */

START_TEST(rule73_an_empty_tree_counts_five_nodes)
{
	ck_assert_uint_eq(mu_tree_count(t), 5);
	ck_assert_uint_eq(at("/"), MU_NODE_ROOT);
	ck_assert_uint_ne(at("/zookeeper"), MU_NODE_NONE);
	ck_assert_uint_ne(at("/zookeeper/quota"), MU_NODE_NONE);
	ck_assert_uint_ne(at("/zookeeper/config"), MU_NODE_NONE);
	ck_assert_uint_eq(mu_tree_ephemerals(t), 0);
}
END_TEST

START_TEST(rule56_special_nodes_are_not_counted_as_creates)
{
	ck_assert_int_eq(stat_of("/").cversion, -1);
	ck_assert_int_eq(stat_of("/").num_children, 1);
	ck_assert_int_eq(stat_of("/zookeeper").cversion, -2);
	ck_assert_int_eq(stat_of("/zookeeper").num_children, 2);
	ck_assert_int_eq(stat_of("/zookeeper/quota").cversion, 0);
	ck_assert_int_eq(mu_tree_creates(t, MU_NODE_ROOT), 0);
}
END_TEST

START_TEST(special_nodes_have_no_zxid_no_time_and_empty_data)
{
	static const char *const paths[] = { "/", "/zookeeper",
		                             "/zookeeper/config" };

	for (size_t i = 0; i < 3; i++) {
		struct mu_stat st = stat_of(paths[i]);

		ck_assert_int_eq(st.czxid | st.mzxid | st.pzxid, 0);
		ck_assert_int_eq(st.ctime | st.mtime, 0);
		assert_data(paths[i], "");
	}
}
END_TEST

START_TEST(a_tree_may_be_refused_memory_at_every_step)
{
	struct mu_tree *u = NULL;
	unsigned k = 0;

	for (; !u; k++) {
		fault_alloc_at(k);
		u = mu_tree_new(key);
		ck_assert_int_eq(fault_alloc_off(), !u);
	}
	ck_assert_uint_gt(k, 8);
	mu_tree_verify(u);
	mu_tree_free(u);
	mu_tree_free(NULL);
}
END_TEST

/* ---- reading ---- */

START_TEST(a_created_node_can_be_read_back)
{
	put("/a", "one", 0);
	put("/a/b", "two", 0);
	assert_data("/a", "one");
	assert_data("/a/b", "two");
	ck_assert_uint_eq(mu_tree_count(t), 7);
	ck_assert_uint_eq(mu_tree_parent(t, at("/a/b")), at("/a"));
	ck_assert_uint_eq(mu_tree_child(t, at("/a"), MU_STR("b")), at("/a/b"));
	ck_assert_uint_eq(at("/b"), MU_NODE_NONE);
	ck_assert_uint_eq(at("/b/c"), MU_NODE_NONE);
	ck_assert_uint_eq(at("/a/b/c"), MU_NODE_NONE);
}
END_TEST

/* rule 54 */
START_TEST(rule54_a_stat_has_all_fields)
{
	struct mu_stat st;

	put("/a", "abc", 0); /* 101 */
	set("/a", "abcd");   /* 102 */
	put("/a/b", "", 7);  /* 103 */
	st = stat_of("/a");
	ck_assert_int_eq(st.czxid, 101);
	ck_assert_int_eq(st.mzxid, 102);
	ck_assert_int_eq(st.pzxid, 103);
	ck_assert_int_eq(st.ctime, 1001);
	ck_assert_int_eq(st.mtime, 1002);
	ck_assert_int_eq(st.version, 1);
	ck_assert_int_eq(st.cversion, 1);
	ck_assert_int_eq(st.aversion, 0);
	ck_assert_int_eq(st.ephemeral_owner, 0);
	ck_assert_int_eq(st.data_len, 4);
	ck_assert_int_eq(st.num_children, 1);
	ck_assert_int_eq(mu_tree_version(t, at("/a")), 1);
	ck_assert_int_eq(mu_tree_mzxid(t, at("/a")), 102);
	ck_assert_int_eq(mu_tree_pzxid(t, at("/a")), 103);
	ck_assert_uint_eq(mu_tree_children(t, at("/a")), 1);
	st = stat_of("/a/b");
	ck_assert_int_eq(st.czxid, 103);
	ck_assert_int_eq(st.mzxid, 103);
	ck_assert_int_eq(st.pzxid, 103);
	ck_assert_int_eq(st.ephemeral_owner, 7);
	ck_assert_int_eq(st.cversion, 0);
}
END_TEST

START_TEST(rule62_null_data_is_not_empty_data)
{
	int32_t len = 0;

	put("/null", NULL, 0);
	put("/empty", "", 0);
	ck_assert_ptr_null(mu_tree_data(t, at("/null"), &len));
	ck_assert_int_eq(len, -1);
	ck_assert_int_eq(stat_of("/null").data_len, 0);
	assert_data("/empty", "");
	set("/null", "");
	assert_data("/null", "");
	begin();
	ck_assert_int_eq(mu_tree_set(t, at("/empty"), NULL, -1, &stamp), 0);
	commit(0);
	mu_tree_data(t, at("/empty"), &len);
	ck_assert_int_eq(len, -1);
}
END_TEST

START_TEST(data_may_have_any_byte_and_is_a_copy)
{
	char data[] = "a\0b";
	mu_node_id id;
	int32_t len;

	begin();
	ck_assert_int_eq(mu_tree_create(t, MU_NODE_ROOT, MU_STR("a"), data, 3,
	                                0, &stamp, &id),
	                 0);
	commit(0);
	data[0] = 'x';
	ck_assert_mem_eq(mu_tree_data(t, id, &len), "a\0b", 3);
	ck_assert_int_eq(len, 3);
}
END_TEST

/* Names and data lie in the node up to a size, and outside it beyond. */
START_TEST(data_of_every_length_is_kept_set_and_brought_back)
{
	char text[41], other[41];

	put("/name", "", 0);
	for (size_t from = 0; from < sizeof text; from++) {
		for (size_t to = 0; to < sizeof text; to++) {
			memset(text, 'a', sizeof text);
			memset(other, 'b', sizeof other);
			text[from] = other[to] = '\0';
			set("/name", text);
			begin();
			change("/name", other);
			assert_data("/name", other);
			mu_tree_rollback(t);
			assert_data("/name", text);
			set("/name", other);
			assert_data("/name", other);
		}
	}
	ck_assert_uint_ne(at("/name"), MU_NODE_NONE);
}
END_TEST

static const int64_t times[] = { 0,           1,           -1,
	                         4294967295,  4294967296,  -4294967297,
	                         MU_TIME_MAX, -MU_TIME_MAX };

START_TEST(times_are_kept_to_the_year_6429)
{
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		stamp.time_ms = times[i] - 1;
		put("/a", "", 0);
		ck_assert_int_eq(stat_of("/a").ctime, mu_time_clamp(times[i]));
		ck_assert_int_eq(stat_of("/a").mtime, times[i]);
		drop("/a");
	}
	stamp.time_ms = INT64_MAX - 1;
	put("/a", "", 0);
	ck_assert_int_eq(stat_of("/a").mtime, MU_TIME_MAX);
}
END_TEST

START_TEST(a_node_knows_its_path)
{
	struct mu_buf b = { 0 };

	put("/a", "", 0);
	put("/a/bcd", "", 0);
	put("/a/bcd/e", "", 0);
	mu_tree_path(t, at("/a/bcd/e"), &b);
	ck_assert_uint_eq(b.len, 8);
	ck_assert_mem_eq(b.data, "/a/bcd/e", 8);
	mu_tree_path(t, MU_NODE_ROOT, &b);
	ck_assert_mem_eq(b.data, "/a/bcd/e/", 9);
	mu_buf_fini(&b);
	fault_alloc_at(0);
	mu_tree_path(t, at("/a"), &b);
	ck_assert(fault_alloc_off());
	ck_assert(mu_buf_failed(&b));
	mu_buf_fini(&b);
}
END_TEST

START_TEST(all_children_are_walked_once)
{
	unsigned seen = 0, n = 0;

	put("/a", "", 0);
	put("/a/0", "", 0);
	put("/a/1", "", 0);
	put("/a/2", "", 0);
	put("/a/3", "", 0);
	drop("/a/1");
	for (mu_node_id c = mu_tree_first(t, at("/a")); c;
	     c = mu_tree_next(t, c), n++)
		seen |= 1u << (mu_tree_name(t, c).at[0] - '0');
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(seen, 1 | 4 | 8);
	ck_assert_uint_eq(mu_tree_first(t, at("/a/0")), MU_NODE_NONE);
}
END_TEST

START_TEST(bytes_are_those_of_names_and_data)
{
	uint64_t before = mu_tree_bytes(t);

	put("/abc", "12345", 0);
	ck_assert_uint_eq(mu_tree_bytes(t), before + 8);
	set("/abc", "1");
	ck_assert_uint_eq(mu_tree_bytes(t), before + 4);
	begin();
	ck_assert_int_eq(mu_tree_set(t, at("/abc"), NULL, -1, &stamp), 0);
	ck_assert_uint_eq(mu_tree_bytes(t), before + 3);
	mu_tree_rollback(t);
	drop("/abc");
	ck_assert_uint_eq(mu_tree_bytes(t), before);
}
END_TEST

/* ---- changes ---- */

START_TEST(a_name_that_is_taken_is_refused)
{
	put("/a", "kept", 0);
	begin();
	ck_assert_int_eq(make("/a", "new", 0), MU_EEXISTS);
	commit(0);
	assert_data("/a", "kept");
	ck_assert_int_eq(stat_of("/").cversion, 0);
	ck_assert_int_eq(mu_tree_pzxid(t, MU_NODE_ROOT), 101);
}
END_TEST

START_TEST(rule51_an_ephemeral_has_no_children)
{
	put("/e", "", 7);
	begin();
	ck_assert_int_eq(make("/e/x", "", 0), MU_ENOCHILDREN);
	commit(0);
	ck_assert_uint_eq(at("/e/x"), MU_NODE_NONE);
	ck_assert_uint_eq(mu_tree_children(t, at("/e")), 0);
	ck_assert_uint_eq(mu_tree_first(t, at("/e")), MU_NODE_NONE);
	ck_assert_int_eq(mu_tree_creates(t, at("/e")), 0);
}
END_TEST

START_TEST(a_node_with_children_is_not_deleted)
{
	put("/a", "", 0);
	put("/a/b", "", 0);
	begin();
	ck_assert_int_eq(cut("/a"), MU_ENOTEMPTY);
	commit(0);
	ck_assert_uint_ne(at("/a/b"), MU_NODE_NONE);
	drop("/a/b");
	drop("/a");
	ck_assert_uint_eq(at("/a"), MU_NODE_NONE);
}
END_TEST

/* What was seen live: 3 creates show 3; delete one, create one show 5. */
START_TEST(rule56_cversion_is_shown_as_twice_the_creates_less_the_children)
{
	put("/a", "", 0);
	put("/a/1", "", 0);
	put("/a/2", "", 0);
	put("/a/3", "", 0);
	ck_assert_int_eq(stat_of("/a").cversion, 3);
	drop("/a/1");
	put("/a/4", "", 0);
	ck_assert_int_eq(stat_of("/a").cversion, 5);
}
END_TEST

START_TEST(rule56_pzxid_moves_with_creates_and_deletes_of_children)
{
	put("/a", "", 0);
	put("/a/b", "", 0);
	ck_assert_int_eq(stat_of("/a").pzxid, 102);
	set("/a", "x");
	set("/a/b", "x");
	ck_assert_int_eq(stat_of("/a").pzxid, 102);
	drop("/a/b");
	ck_assert_int_eq(stat_of("/a").pzxid, 105);
	ck_assert_int_eq(stat_of("/a").mzxid, 103);
}
END_TEST

START_TEST(rule57_the_stored_creates_are_never_taken_back_by_a_delete)
{
	put("/a", "", 0);
	put("/a/1", "", 0);
	put("/a/2", "", 9);
	drop("/a/1");
	ck_assert_int_eq(mu_tree_creates(t, at("/a")), 2);
}
END_TEST

START_TEST(rule57_creates_overflow_to_the_least_number)
{
	put("/a", "", 0);
	mu_tree_node(t, at("/a"))->creates = INT32_MAX;
	ck_assert_int_eq(mu_tree_creates(t, at("/a")), INT32_MAX);
	put("/a/b", "", 0);
	ck_assert_int_eq(mu_tree_creates(t, at("/a")), INT32_MIN);
}
END_TEST

static const struct {
	uint32_t from, to;
} wraps[] = {
	{ 0, 1 },
	{ 0x7fffffff, 0x80000000 },
	{ 0xfffffffd, 0xfffffffe }, /* -3 to -2 */
	{ 0xfffffffe, 0 },          /* -2, past -1, to 0 */
};

START_TEST(rule55_a_version_wraps_past_minus_one_to_zero)
{
	for (size_t i = 0; i < sizeof wraps / sizeof wraps[0]; i++) {
		mu_tree_node(t, MU_NODE_ROOT)->version = wraps[i].from;
		set("/", "x");
		ck_assert_int_eq(stat_of("/").version, (int32_t)wraps[i].to);
	}
}
END_TEST

START_TEST(the_special_nodes_are_nodes_like_others)
{
	set("/", "root");
	assert_data("/", "root");
	set("/zookeeper/quota", "x");
	assert_data("/zookeeper/quota", "x");
}
END_TEST

START_TEST(deleting_the_root_is_a_bug)
{
	begin();
	mu_tree_delete(t, MU_NODE_ROOT, &stamp);
}
END_TEST

START_TEST(a_change_outside_a_transaction_is_a_bug)
{
	make("/a", "", 0);
}
END_TEST

START_TEST(a_transaction_within_a_transaction_is_a_bug)
{
	begin();
	begin();
}
END_TEST

START_TEST(a_commit_without_a_begin_is_a_bug)
{
	mu_tree_commit(t);
}
END_TEST

START_TEST(a_rollback_without_a_begin_is_a_bug)
{
	mu_tree_rollback(t);
}
END_TEST

START_TEST(verify_sees_a_count_that_is_wrong_which_is_a_bug)
{
	t->count++;
	mu_tree_verify(t);
}
END_TEST

/* ---- owners ---- */

static int collect(void *arg, mu_node_id id)
{
	mu_node_id *ids = arg;

	while (*ids)
		ids++;
	*ids = id;
	return 0;
}

static int stop_at_first(void *arg, mu_node_id id)
{
	++*(unsigned *)arg;
	return id ? 42 : 0;
}

START_TEST(the_ephemerals_of_a_session_are_found_by_its_id)
{
	mu_node_id ids[8] = { 0 };

	put("/a", "", 7);
	put("/b", "", 7);
	put("/c", "", 8);
	put("/d", "", 7);
	put("/p", "", 0);
	ck_assert_uint_eq(mu_tree_ephemerals(t), 4);
	ck_assert_uint_eq(mu_tree_owned_count(t, 7), 3);
	ck_assert_uint_eq(mu_tree_owned_count(t, 8), 1);
	ck_assert_uint_eq(mu_tree_owned_count(t, 9), 0);
	ck_assert_uint_eq(mu_tree_owned_count(t, 0), 0);
	drop("/b");
	ck_assert_int_eq(mu_tree_owned(t, 7, collect, ids), 0);
	ck_assert_uint_eq(ids[2], 0);
	ck_assert_uint_eq(ids[0] + ids[1], at("/a") + at("/d"));
	ck_assert_int_eq(mu_tree_owned(t, 9, collect, ids), 0);
	ck_assert_uint_eq(ids[2], 0);
}
END_TEST

START_TEST(a_walk_over_ephemerals_stops_when_it_is_told_to)
{
	unsigned calls = 0;

	put("/a", "", 7);
	put("/b", "", 7);
	ck_assert_int_eq(mu_tree_owned(t, 7, stop_at_first, &calls), 42);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

START_TEST(an_owner_without_nodes_takes_no_memory)
{
	for (int64_t owner = 1; owner < 1000; owner++) {
		put("/a", "", owner);
		drop("/a");
	}
	ck_assert_uint_eq(t->owners.used, 0);
	ck_assert_uint_lt(t->owners.fresh, 4);
}
END_TEST

START_TEST(rule69_containers_and_ttl_nodes_belong_to_no_session)
{
	const int64_t container = INT64_MIN;
	const int64_t ttl = (int64_t)0xff00000000000005u;

	put("/c", "", container);
	put("/t", "", ttl);
	put("/c/x", "", 0);
	put("/t/x", "", 0);
	ck_assert_int_eq(mu_tree_owner(t, at("/c")), container);
	ck_assert_int_eq(mu_tree_owner(t, at("/t")), ttl);
	/* rule 51 */
	ck_assert_int_eq(stat_of("/c").ephemeral_owner, 0);
	ck_assert_int_eq(stat_of("/t").ephemeral_owner, 0);
	ck_assert_int_eq(stat_of("/c").num_children, 1);
	ck_assert_uint_eq(mu_tree_ephemerals(t), 0);
	ck_assert_uint_eq(mu_tree_owned_count(t, container), 0);
}
END_TEST

START_TEST(a_session_id_may_be_negative)
{
	put("/e", "", -5000000000000000000);
	ck_assert_int_eq(stat_of("/e").ephemeral_owner, -5000000000000000000);
	ck_assert_uint_eq(mu_tree_owned_count(t, -5000000000000000000), 1);
}
END_TEST

/* ---- transactions ---- */

START_TEST(a_rollback_undoes_creates)
{
	struct mu_stat before = stat_of("/"), after;

	begin();
	ck_assert_int_eq(make("/a", "x", 0), 0);
	ck_assert_int_eq(make("/a/b", "x", 7), 0);
	ck_assert_int_eq(make("/a/c", "x", 7), 0);
	ck_assert_uint_ne(at("/a/b"), MU_NODE_NONE);
	mu_tree_verify(t);
	mu_tree_rollback(t);
	ck_assert_uint_eq(at("/a"), MU_NODE_NONE);
	ck_assert_uint_eq(mu_tree_count(t), 5);
	ck_assert_uint_eq(mu_tree_owned_count(t, 7), 0);
	after = stat_of("/");
	assert_same_stat(before, after);
}
END_TEST

START_TEST(a_rollback_undoes_deletes)
{
	struct mu_stat before, after;
	mu_node_id id;

	put("/a", "x", 0);
	put("/a/b", "data", 7);
	before = stat_of("/a");
	id = at("/a/b");
	begin();
	ck_assert_int_eq(cut("/a/b"), 0);
	ck_assert_int_eq(cut("/a"), 0);
	ck_assert_uint_eq(at("/a"), MU_NODE_NONE);
	ck_assert_uint_eq(mu_tree_owned_count(t, 7), 0);
	mu_tree_verify(t);
	mu_tree_rollback(t);
	ck_assert_uint_eq(at("/a/b"), id);
	assert_data("/a/b", "data");
	ck_assert_uint_eq(mu_tree_owned_count(t, 7), 1);
	after = stat_of("/a");
	assert_same_stat(before, after);
}
END_TEST

START_TEST(a_rollback_undoes_sets)
{
	struct mu_stat before, after;

	put("/a", "old", 0);
	before = stat_of("/a");
	begin();
	ck_assert_int_eq(change("/a", "new"), 0);
	ck_assert_int_eq(change("/a", "newer"), 0);
	assert_data("/a", "newer");
	ck_assert_int_eq(stat_of("/a").version, 2);
	mu_tree_rollback(t);
	assert_data("/a", "old");
	after = stat_of("/a");
	assert_same_stat(before, after);
}
END_TEST

START_TEST(a_rollback_undoes_a_node_replaced_under_its_name)
{
	put("/a", "old", 7);
	begin();
	ck_assert_int_eq(cut("/a"), 0);
	ck_assert_int_eq(make("/a", "new", 8), 0);
	ck_assert_int_eq(make("/b", "new", 8), 0);
	ck_assert_int_eq(cut("/b"), 0);
	assert_data("/a", "new");
	mu_tree_verify(t);
	mu_tree_rollback(t);
	assert_data("/a", "old");
	ck_assert_int_eq(stat_of("/a").ephemeral_owner, 7);
	ck_assert_uint_eq(mu_tree_owned_count(t, 8), 0);
}
END_TEST

START_TEST(children_are_in_the_same_order_after_a_rollback)
{
	mu_node_id before[5], c;
	int i = 0;

	put("/a", "", 7);
	put("/b", "", 7);
	put("/c", "", 7);
	put("/d", "", 0);
	for (c = mu_tree_first(t, MU_NODE_ROOT); c; c = mu_tree_next(t, c))
		before[i++] = c;
	begin();
	ck_assert_int_eq(cut("/b"), 0);
	ck_assert_int_eq(cut("/a"), 0);
	ck_assert_int_eq(make("/b", "", 7), 0);
	ck_assert_int_eq(cut("/c"), 0);
	ck_assert_int_eq(cut("/d"), 0);
	mu_tree_rollback(t);
	i = 0;
	for (c = mu_tree_first(t, MU_NODE_ROOT); c; c = mu_tree_next(t, c))
		ck_assert_uint_eq(before[i++], c);
	ck_assert_int_eq(i, 5);
}
END_TEST

START_TEST(a_deleted_nodes_id_is_not_given_again_before_the_commit)
{
	mu_node_id id;

	put("/a", "", 0);
	id = at("/a");
	begin();
	ck_assert_int_eq(cut("/a"), 0);
	ck_assert_int_eq(make("/b", "", 0), 0);
	ck_assert_uint_ne(at("/b"), id);
	commit(0);
	put("/c", "", 0);
	ck_assert_uint_eq(at("/c"), id);
}
END_TEST

START_TEST(borrowed_data_lives_until_the_node_changes_or_the_end)
{
	const uint8_t *data;
	int32_t len;

	put("/a", "old", 0);
	put("/b", "longer than what lies in the node", 0);
	data = mu_tree_data(t, at("/a"), &len);
	begin();
	ck_assert_int_eq(make("/c", "new", 0), 0);
	ck_assert_int_eq(cut("/b"), 0);
	ck_assert_int_eq(cut("/a"), 0);
	ck_assert_mem_eq(data, "old", 3);
	commit(0);
}
END_TEST

START_TEST(a_change_that_fails_leaves_the_others_of_its_transaction)
{
	begin();
	ck_assert_int_eq(make("/a", "", 0), 0);
	ck_assert_int_eq(make("/a", "", 0), MU_EEXISTS);
	ck_assert_int_eq(make("/b", "", 0), 0);
	commit(0);
	ck_assert_uint_ne(at("/a"), MU_NODE_NONE);
	ck_assert_uint_ne(at("/b"), MU_NODE_NONE);
}
END_TEST

START_TEST(a_tree_may_be_freed_within_a_transaction)
{
	struct mu_tree *kept = t;

	t = mu_tree_new(key);
	put("/a", "", 7);
	begin();
	ck_assert_int_eq(change("/a", "x"), 0);
	ck_assert_int_eq(cut("/a"), 0);
	ck_assert_int_eq(make("/b", "", 0), 0);
	mu_tree_free(t);
	t = kept;
}
END_TEST

START_TEST(a_long_transaction_gives_its_memory_back)
{
	char path[] = "/0000";

	begin();
	for (int i = 0; i < 2000; i++) {
		number(path, 4, i);
		ck_assert_int_eq(make(path, "", 7), 0);
	}
	commit(0);
	ck_assert_ptr_null(t->undo);
	ck_assert_uint_eq(mu_tree_owned_count(t, 7), 2000);
}
END_TEST

/* ---- memory that is refused ---- */

static int one_create(void)
{
	return make("/s/new", "data out of the node", 77);
}

static int one_delete(void)
{
	return cut("/s/old");
}

static int one_set(void)
{
	return change("/s/old", "other data");
}

static int (*const sweeps[])(void) = { one_create, one_delete, one_set };

/* Make nodes until the next one needs a page of its own. */
static void fill_page(void)
{
	char path[] = "/000";

	begin();
	for (int i = 0; t->nodes.fresh % MU_SLAB_PAGE; i++) {
		number(path, 3, i);
		ck_assert_int_eq(make(path, "", 0), 0);
	}
	commit(0);
}

/* Each change, with the k-th request refused, until it succeeds: a failure
 * leaves all as it was, and neither commit nor rollback asks for memory. */
START_TEST(a_change_without_memory_changes_nothing)
{
	struct mu_stat before, after;
	unsigned k = 0;
	int rc;

	do {
		/* A fresh tree, so that what was gained is swept again. */
		teardown();
		setup();
		put("/s", "", 0);
		put("/s/old", "x", 0);
		fill_page();
		before = stat_of("/s");
		mu_free(t->undo);
		t->undo = NULL;
		t->undo_room = 0;
		begin();
		fault_alloc_at(k++);
		rc = sweeps[_i]();
		ck_assert_int_eq(fault_alloc_off(), rc != 0);
		mu_tree_verify(t);
		fault_alloc_at(0);
		if (rc == 0) {
			mu_tree_commit(t);
		} else {
			ck_assert_int_eq(rc, MU_ENOMEM);
			after = stat_of("/s");
			assert_same_stat(before, after);
			ck_assert_uint_eq(t->owners.used, 0);
			mu_tree_rollback(t);
		}
		ck_assert(!fault_alloc_off());
	} while (rc);
	ck_assert_uint_gt(k, 1);
}
END_TEST

/* ---- many ---- */

START_TEST(a_create_costs_the_same_among_many_siblings)
{
	char path[] = "/000000";
	uint32_t longest = 0;

	begin();
	for (int i = 0; i < 50000; i++) {
		number(path, 6, i);
		ck_assert_int_eq(make(path, "", 0), 0);
	}
	mu_tree_commit(t);
	for (uint32_t h = 0; h < t->by_name.buckets; h++) {
		uint32_t n = 0;

		for (mu_node_id id = mu_table_first(&t->by_name, h); id;
		     id = mu_tree_node(t, id)->hash_next)
			n++;
		longest = n > longest ? n : longest;
	}
	ck_assert_uint_lt(longest, 20);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tree");
	TCase *c = tcase_create("tree");
	SRunner *r;
	int failed;

	suite_add_tcase(s, c);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, rule73_an_empty_tree_counts_five_nodes);
	tcase_add_test(c, rule56_special_nodes_are_not_counted_as_creates);
	tcase_add_test(c, special_nodes_have_no_zxid_no_time_and_empty_data);
	tcase_add_test(c, a_tree_may_be_refused_memory_at_every_step);
	tcase_add_test(c, a_created_node_can_be_read_back);
	tcase_add_test(c, rule54_a_stat_has_all_fields);
	tcase_add_test(c, rule62_null_data_is_not_empty_data);
	tcase_add_test(c, data_may_have_any_byte_and_is_a_copy);
	tcase_add_test(c, data_of_every_length_is_kept_set_and_brought_back);
	tcase_add_test(c, times_are_kept_to_the_year_6429);
	tcase_add_test(c, a_node_knows_its_path);
	tcase_add_test(c, all_children_are_walked_once);
	tcase_add_test(c, bytes_are_those_of_names_and_data);
	tcase_add_test(c, a_name_that_is_taken_is_refused);
	tcase_add_test(c, rule51_an_ephemeral_has_no_children);
	tcase_add_test(c, a_node_with_children_is_not_deleted);
	tcase_add_test(
		c,
		rule56_cversion_is_shown_as_twice_the_creates_less_the_children);
	tcase_add_test(c,
	               rule56_pzxid_moves_with_creates_and_deletes_of_children);
	tcase_add_test(
		c, rule57_the_stored_creates_are_never_taken_back_by_a_delete);
	tcase_add_test(c, rule57_creates_overflow_to_the_least_number);
	tcase_add_test(c, rule55_a_version_wraps_past_minus_one_to_zero);
	tcase_add_test(c, the_special_nodes_are_nodes_like_others);
	tcase_add_test_raise_signal(c, deleting_the_root_is_a_bug, SIGABRT);
	tcase_add_test_raise_signal(c, a_change_outside_a_transaction_is_a_bug,
	                            SIGABRT);
	tcase_add_test_raise_signal(
		c, a_transaction_within_a_transaction_is_a_bug, SIGABRT);
	tcase_add_test_raise_signal(c, a_commit_without_a_begin_is_a_bug,
	                            SIGABRT);
	tcase_add_test_raise_signal(c, a_rollback_without_a_begin_is_a_bug,
	                            SIGABRT);
	tcase_add_test_raise_signal(
		c, verify_sees_a_count_that_is_wrong_which_is_a_bug, SIGABRT);
	tcase_add_test(c, the_ephemerals_of_a_session_are_found_by_its_id);
	tcase_add_test(c, a_walk_over_ephemerals_stops_when_it_is_told_to);
	tcase_add_test(c, an_owner_without_nodes_takes_no_memory);
	tcase_add_test(c, rule69_containers_and_ttl_nodes_belong_to_no_session);
	tcase_add_test(c, a_session_id_may_be_negative);
	tcase_add_test(c, a_rollback_undoes_creates);
	tcase_add_test(c, a_rollback_undoes_deletes);
	tcase_add_test(c, a_rollback_undoes_sets);
	tcase_add_test(c, a_rollback_undoes_a_node_replaced_under_its_name);
	tcase_add_test(c, children_are_in_the_same_order_after_a_rollback);
	tcase_add_test(c,
	               a_deleted_nodes_id_is_not_given_again_before_the_commit);
	tcase_add_test(c,
	               borrowed_data_lives_until_the_node_changes_or_the_end);
	tcase_add_test(
		c, a_change_that_fails_leaves_the_others_of_its_transaction);
	tcase_add_test(c, a_tree_may_be_freed_within_a_transaction);
	tcase_add_test(c, a_long_transaction_gives_its_memory_back);
	tcase_add_loop_test(c, a_change_without_memory_changes_nothing, 0, 3);
	tcase_add_test(c, a_create_costs_the_same_among_many_siblings);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
