/* What few nodes have: ACLs, mortal owners, texts of the broker; tree.h. */
#include "acl.h"
#include "buf.h"
#include "fault.h"
#include "tree_node.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[16] = "0123456789abcde";
static struct mu_tree *t;
static struct mu_stamp stamp = { 7, 1000 };

static void setup(void)
{
	t = mu_tree_new(key);
	ck_assert_ptr_nonnull(t);
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

/* In the open transaction. */
static int make(const char *path, int64_t owner)
{
	struct mu_str p = mu_str_of(path);
	mu_node_id id;

	return mu_tree_create(t, mu_tree_find(t, mu_path_parent(p)),
	                      mu_path_name(p), "x", 1, owner, &stamp, &id);
}

static void put(const char *path, int64_t owner)
{
	mu_tree_begin(t);
	ck_assert_int_eq(make(path, owner), 0);
	mu_tree_commit(t);
}

static int guard(const char *path, int32_t perms, int32_t aversion)
{
	struct mu_acl a = { perms, MU_STR("world"), MU_STR("anyone") };
	uint8_t bytes[64];
	struct mu_buf b = { 0 };
	struct mu_vec v = { 1, bytes, 0 };

	mu_put_acl(&b, &a);
	v.len = b.len;
	memcpy(bytes, b.data, b.len);
	mu_buf_fini(&b);
	return mu_tree_put_acl(t, at(path), &v, aversion);
}

static int32_t perms_of(const char *path)
{
	struct mu_vec v = mu_tree_acl(t, at(path));
	struct mu_in in = mu_in_of(v.at, v.len);

	return mu_get_acl(&in).perms;
}

START_TEST(a_new_node_is_open)
{
	struct mu_vec v;

	put("/a", 0);
	v = mu_tree_acl(t, at("/a"));
	ck_assert(mu_tree_is_open(t, at("/a")));
	ck_assert(mu_acl_is_open(&v));
	ck_assert_int_eq(mu_tree_aversion(t, at("/a")), 0);
}
END_TEST

START_TEST(an_acl_and_its_version_are_kept_and_nothing_else_changes)
{
	struct mu_stat stat;

	put("/a", 0);
	stamp.zxid = 99;
	mu_tree_begin(t);
	ck_assert_int_eq(guard("/a", 1, 5), 0);
	mu_tree_commit(t);
	ck_assert_int_eq(perms_of("/a"), 1);
	ck_assert(!mu_tree_is_open(t, at("/a")));
	mu_tree_stat(t, at("/a"), &stat);
	ck_assert_int_eq(stat.aversion, 5);
	ck_assert_int_eq(stat.mzxid, 7);
	ck_assert_int_eq(stat.pzxid, 7);
	ck_assert_int_eq(stat.version, 0);
	/* Open again, with a version of its own. */
	mu_tree_begin(t);
	ck_assert_int_eq(guard("/a", MU_PERM_ALL, 6), 0);
	mu_tree_commit(t);
	ck_assert(mu_tree_is_open(t, at("/a")));
	ck_assert_int_eq(mu_tree_aversion(t, at("/a")), 6);
}
END_TEST

START_TEST(an_ephemeral_keeps_its_owner_when_its_acl_changes)
{
	put("/e", 77);
	put("/f", 77);
	mu_tree_begin(t);
	ck_assert_int_eq(guard("/e", 1, 1), 0);
	mu_tree_commit(t);
	mu_tree_verify(t);
	ck_assert_uint_eq(mu_tree_owned_count(t, 77), 2);
	ck_assert_int_eq(mu_tree_owner(t, at("/e")), 77);
}
END_TEST

START_TEST(rolling_back_restores_acls_texts_and_mortals)
{
	uint64_t bytes;
	int32_t len;

	put("/a", 0);
	put("/c", MU_OWNER_CONTAINER);
	bytes = mu_tree_bytes(t);
	mu_tree_begin(t);
	ck_assert_int_eq(guard("/a", 1, 1), 0);
	ck_assert_int_eq(guard("/a", 2, 2), 0);
	ck_assert_int_eq(mu_tree_put_text(t, at("/a"), "long text", 9), 0);
	ck_assert_int_eq(make("/new", MU_OWNER_TTL | 5), 0);
	ck_assert_int_eq(guard("/new", 3, 0), 0);
	ck_assert_int_eq(guard("/c", 4, 1), 0);
	ck_assert_int_eq(mu_tree_delete(t, at("/c"), &stamp), 0);
	mu_tree_verify(t);
	mu_tree_rollback(t);
	mu_tree_verify(t);
	ck_assert(mu_tree_is_open(t, at("/a")));
	ck_assert(mu_tree_is_open(t, at("/c")));
	ck_assert_int_eq(mu_tree_aversion(t, at("/a")), 0);
	(void)mu_tree_data(t, at("/a"), &len);
	ck_assert_int_eq(len, 1);
	ck_assert_uint_eq(mu_tree_bytes(t), bytes);
	ck_assert_int_eq(mu_tree_owner(t, at("/c")), MU_OWNER_CONTAINER);
	ck_assert_uint_eq(t->mortals.used, 1);
	ck_assert_uint_eq(t->traits.used, 2); /* the container, the config */
	mu_acls_sweep(&t->acls);
	ck_assert_uint_eq(t->acls.cells.used, 1);
}
END_TEST

START_TEST(a_detached_node_can_still_be_asked_for_its_acl)
{
	mu_node_id id;
	uint32_t acl;

	put("/a", 0);
	mu_tree_begin(t);
	ck_assert_int_eq(guard("/a", 1, 1), 0);
	mu_tree_commit(t);
	id = at("/a");
	mu_tree_begin(t);
	ck_assert_int_eq(mu_tree_delete(t, id, &stamp), 0);
	ck_assert(!mu_tree_is_open(t, id));
	ck_assert_uint_eq(mu_tree_parent(t, id), MU_NODE_ROOT);
	acl = mu_tree_acl_id(t, id);
	mu_tree_commit(t);
	/* By its number until the next transaction. */
	ck_assert_int_eq(mu_tree_acl_at(t, acl).count, 1);
	mu_acls_sweep(&t->acls);
	ck_assert_uint_eq(t->acls.cells.used, 1);
}
END_TEST

START_TEST(a_text_changes_data_and_nothing_else)
{
	struct mu_stat before, after;

	put("/a", 0);
	mu_tree_stat(t, at("/a"), &before);
	mu_tree_begin(t);
	ck_assert_int_eq(mu_tree_put_text(t, at("/a"), "0123456789", 10), 0);
	mu_tree_commit(t);
	mu_tree_stat(t, at("/a"), &after);
	ck_assert_int_eq(after.data_len, 10);
	ck_assert_int_eq(after.mzxid, before.mzxid);
	ck_assert_int_eq(after.version, before.version);
	ck_assert_int_eq(after.mtime, before.mtime);
}
END_TEST

START_TEST(nodes_with_one_acl_share_it)
{
	static const char *const paths[] = { "/a", "/b", "/c", "/d" };

	for (size_t i = 0; i < 4; i++) {
		put(paths[i], 0);
		mu_tree_begin(t);
		ck_assert_int_eq(guard(paths[i], 3, 0), 0);
		mu_tree_commit(t);
	}
	ck_assert_uint_eq(t->traits.used, 2);
	mu_acls_sweep(&t->acls);
	ck_assert_uint_eq(t->acls.cells.used, 2);
	for (size_t i = 0; i < 4; i++) {
		mu_tree_begin(t);
		ck_assert_int_eq(mu_tree_delete(t, at(paths[i]), &stamp), 0);
		mu_tree_commit(t);
	}
	ck_assert_uint_eq(t->traits.used, 1);
}
END_TEST

START_TEST(mortals_are_found_in_their_slots)
{
	uint32_t found = 0;

	put("/c", MU_OWNER_CONTAINER);
	put("/t", MU_OWNER_TTL | 10);
	put("/e", 77);
	put("/p", 0);
	put("/u", MU_OWNER_TTL | MU_TTL_MAX_MS);
	mu_tree_begin(t);
	ck_assert_int_eq(mu_tree_delete(t, at("/t"), &stamp), 0);
	mu_tree_commit(t);
	ck_assert_uint_eq(mu_tree_mortal_slots(t), 3);
	for (uint32_t i = 1; i <= mu_tree_mortal_slots(t); i++) {
		mu_node_id id = mu_tree_mortal_at(t, i);

		ck_assert(!id || id == at("/c") || id == at("/u"));
		found += id != 0;
	}
	ck_assert_uint_eq(found, 2);
}
END_TEST

START_TEST(a_walk_visits_all_below_and_nothing_else)
{
	uint32_t count = 0;

	put("/a", 0);
	put("/a/b", 0);
	put("/a/b/c", 0);
	put("/a/d", 77);
	put("/z", 0);
	for (mu_node_id id = at("/a"); (id = mu_tree_walk(t, id, at("/a")));)
		count++;
	ck_assert_uint_eq(count, 3);
	ck_assert_uint_eq(mu_tree_walk(t, at("/z"), at("/z")), MU_NODE_NONE);
	ck_assert_uint_eq(mu_tree_walk(t, at("/a/d"), at("/a/d")),
	                  MU_NODE_NONE);
}
END_TEST

START_TEST(every_refused_allocation_leaves_the_tree_as_it_was)
{
	int rc = MU_ENOMEM;

	put("/a", 77);
	for (unsigned k = 0; rc == MU_ENOMEM; k++) {
		uint8_t bytes[64] = { 0 };
		struct mu_vec v = { 1, bytes, 12 };

		memset(bytes, 0, sizeof bytes);
		mu_tree_begin(t);
		fault_alloc_at(k);
		rc = mu_tree_put_acl(t, at("/a"), &v, 1);
		if (!rc)
			rc = make("/t", MU_OWNER_TTL | 1);
		ck_assert_int_eq(rc == MU_ENOMEM, fault_alloc_off() != 0);
		mu_tree_verify(t);
		if (rc)
			mu_tree_rollback(t);
		else
			mu_tree_commit(t);
		mu_tree_verify(t);
		ck_assert_int_eq(rc != 0, mu_tree_is_open(t, at("/a")));
	}
	ck_assert_int_eq(rc, 0);
}
END_TEST

/* At random: many nodes, ACLs and owners, half of the transactions undone. */
START_TEST(traits_are_counted_right_whatever_is_done)
{
	static const int64_t owners[] = { 0, 5, 6, MU_OWNER_CONTAINER,
		                          MU_OWNER_TTL | 3 };
	uint64_t seed = 1;
	char path[] = "/x";

	for (int i = 0; i < 3000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		path[1] = (char)('a' + (seed >> 33) % 8);
		mu_tree_begin(t);
		for (int n = 0; n < 3; n++) {
			uint32_t dice = (uint32_t)(seed >> (40 + n));

			path[1] = (char)('a' + (seed >> (33 + n)) % 8);
			if (!at(path))
				make(path, owners[dice % 5]);
			else if (dice % 3)
				guard(path, (int32_t)(dice % 32),
				      (int32_t)(dice % 4));
			else
				mu_tree_delete(t, at(path), &stamp);
		}
		if (seed >> 63)
			mu_tree_commit(t);
		else
			mu_tree_rollback(t);
		mu_tree_verify(t);
	}
	for (path[1] = 'a'; path[1] < 'a' + 8; path[1]++) {
		mu_tree_begin(t);
		if (at(path))
			mu_tree_delete(t, at(path), &stamp);
		mu_tree_commit(t);
	}
	ck_assert_uint_eq(t->traits.used, 1);
	ck_assert_uint_eq(t->owners.used, 0);
	ck_assert_uint_eq(t->mortals.used, 0);
	mu_acls_sweep(&t->acls);
	ck_assert_uint_eq(t->acls.cells.used, 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_new_node_is_open,
		an_acl_and_its_version_are_kept_and_nothing_else_changes,
		an_ephemeral_keeps_its_owner_when_its_acl_changes,
		rolling_back_restores_acls_texts_and_mortals,
		a_detached_node_can_still_be_asked_for_its_acl,
		a_text_changes_data_and_nothing_else,
		nodes_with_one_acl_share_it,
		mortals_are_found_in_their_slots,
		a_walk_visits_all_below_and_nothing_else,
		every_refused_allocation_leaves_the_tree_as_it_was,
		traits_are_counted_right_whatever_is_done,
	};
	Suite *suite = suite_create("tree: traits");
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
