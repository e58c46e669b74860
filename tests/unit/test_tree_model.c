/*
 * A tree against a naive model: a list of paths, copied whole at begin and put
 * back at rollback. Random changes, some of which must fail; after each
 * transaction the two must show the same.
 */
#include "tree.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES 64
#define OWNERS 4
#define TRANSACTIONS 500

struct row {
	bool live;
	char path[32];
	char data[16];
	int32_t len;
	int64_t owner;
	uint32_t creates;
	struct mu_stat stat; /* cversion and num_children are worked out */
};

struct model {
	struct row row[NODES];
};

static const uint8_t key[16] = "another key of 1";
static struct mu_tree *t;
static struct model now, saved;
static struct mu_stamp stamp;

static struct row *row_find(const char *path)
{
	for (int i = 0; i < NODES; i++)
		if (now.row[i].live && strcmp(now.row[i].path, path) == 0)
			return &now.row[i];
	return NULL;
}

static bool is_child(const struct row *r, const char *of)
{
	struct mu_str path = mu_str_of(r->path);

	return r->live && path.len > 1 &&
	       mu_str_eq(mu_path_parent(path), mu_str_of(of));
}

static int32_t children(const char *path)
{
	int32_t n = 0;

	for (int i = 0; i < NODES; i++)
		n += is_child(&now.row[i], path);
	return n;
}

static struct row *row_new(void)
{
	for (int i = 0; i < NODES; i++)
		if (!now.row[i].live)
			return &now.row[i];
	return NULL;
}

static struct row *parent_row(const char *path)
{
	char text[32];
	struct mu_str p = mu_path_parent(mu_str_of(path));

	snprintf(text, sizeof text, "%.*s", (int)p.len, p.at);
	return row_find(text);
}

static unsigned dice(unsigned n)
{
	return (unsigned)rand() % n;
}

/* "/r", "/r/3", "/r/3/1": few names, so that they meet. */
static void random_path(char *out)
{
	unsigned depth = dice(3);

	strcpy(out, "/r");
	for (unsigned i = 0; i < depth; i++)
		sprintf(out + strlen(out), "/%u", dice(5));
}

static int32_t random_data(char *out)
{
	int32_t len = (int32_t)dice(17) - 1;

	for (int32_t i = 0; i < len; i++)
		out[i] = (char)dice(256);
	return len;
}

static void model_create(const char *path, const char *data, int32_t len,
                         int64_t owner)
{
	struct row *p = parent_row(path), *r = row_new();

	ck_assert_ptr_nonnull(r);
	memset(r, 0, sizeof *r);
	r->live = true;
	strcpy(r->path, path);
	r->len = len;
	if (len > 0)
		memcpy(r->data, data, (size_t)len);
	r->owner = owner;
	r->stat = (struct mu_stat){ .czxid = stamp.zxid,
		                    .mzxid = stamp.zxid,
		                    .pzxid = stamp.zxid,
		                    .ctime = stamp.time_ms,
		                    .mtime = stamp.time_ms,
		                    .ephemeral_owner = owner };
	p->creates++;
	p->stat.pzxid = stamp.zxid;
}

static void try_create(const char *path)
{
	struct mu_str s = mu_str_of(path);
	struct row *p = parent_row(path);
	int64_t owner = dice(2) ? 0 : (int64_t)dice(OWNERS);
	char data[16];
	int32_t len = random_data(data);
	mu_node_id id;
	int want = 0, rc;

	if (!p)
		return;
	if (p->owner)
		want = MU_ENOCHILDREN;
	else if (row_find(path))
		want = MU_EEXISTS;
	rc = mu_tree_create(t, mu_tree_find(t, mu_path_parent(s)),
	                    mu_path_name(s), len < 0 ? NULL : data, len, owner,
	                    &stamp, &id);
	ck_assert_int_eq(rc, want);
	if (rc == 0)
		model_create(path, data, len, owner);
}

static void try_delete(const char *path)
{
	struct row *r = row_find(path);
	int want, rc;

	if (!r)
		return;
	want = children(path) ? MU_ENOTEMPTY : 0;
	rc = mu_tree_delete(t, mu_tree_find(t, mu_str_of(path)), &stamp);
	ck_assert_int_eq(rc, want);
	if (rc)
		return;
	parent_row(path)->stat.pzxid = stamp.zxid;
	r->live = false;
}

static void try_set(const char *path)
{
	struct row *r = row_find(path);

	if (!r)
		return;
	r->len = random_data(r->data);
	ck_assert_int_eq(mu_tree_set(t, mu_tree_find(t, mu_str_of(path)),
	                             r->len < 0 ? NULL : r->data, r->len,
	                             &stamp),
	                 0);
	r->stat.mzxid = stamp.zxid;
	r->stat.mtime = stamp.time_ms;
	r->stat.version++;
}

/* Fields, for between them lie bytes that mean nothing. */
static bool same_stat(const struct mu_stat *a, const struct mu_stat *b)
{
	return a->czxid == b->czxid && a->mzxid == b->mzxid &&
	       a->pzxid == b->pzxid && a->ctime == b->ctime &&
	       a->mtime == b->mtime && a->version == b->version &&
	       a->cversion == b->cversion && a->aversion == b->aversion &&
	       a->ephemeral_owner == b->ephemeral_owner &&
	       a->data_len == b->data_len && a->num_children == b->num_children;
}

static void compare_row(const struct row *r)
{
	mu_node_id id = mu_tree_find(t, mu_str_of(r->path));
	struct mu_stat want = r->stat, got;
	const uint8_t *data;
	int32_t len;

	if (!id)
		ck_abort_msg("%s is lost", r->path);
	mu_tree_stat(t, id, &got);
	want.num_children = children(r->path);
	want.cversion = (int32_t)r->creates * 2 - want.num_children;
	want.data_len = r->len < 0 ? 0 : r->len;
	data = mu_tree_data(t, id, &len);
	ck_assert_msg(
		same_stat(&got, &want) && len == r->len &&
			(len <= 0 || memcmp(data, r->data, (size_t)len) == 0),
		"%s is not as the model has it", r->path);
}

static void compare(void)
{
	uint32_t live = 0, owned[OWNERS] = { 0 };

	for (int i = 0; i < NODES; i++) {
		if (!now.row[i].live)
			continue;
		live++;
		owned[now.row[i].owner]++;
		if (strcmp(now.row[i].path, "/") != 0)
			compare_row(&now.row[i]);
	}
	/* The root is a row; the three special nodes and "" are not. */
	ck_assert_uint_eq(mu_tree_count(t), live + 4);
	for (int64_t o = 1; o < OWNERS; o++)
		ck_assert_uint_eq(mu_tree_owned_count(t, o), owned[o]);
	mu_tree_verify(t);
}

static void (*const tries[])(const char *path) = { try_create, try_create,
	                                           try_create, try_delete,
	                                           try_set };

static void transaction(void)
{
	unsigned changes = 1 + dice(12);
	char path[32];

	stamp.zxid++;
	stamp.time_ms += dice(100);
	saved = now;
	mu_tree_begin(t);
	while (changes-- > 0) {
		random_path(path);
		tries[dice(5)](path);
	}
	if (dice(3)) {
		mu_tree_commit(t);
	} else {
		mu_tree_rollback(t);
		now = saved;
	}
	compare();
}

START_TEST(a_tree_does_as_the_model_does)
{
	srand((unsigned)_i);
	memset(&now, 0, sizeof now);
	now.row[0].live = true;
	strcpy(now.row[0].path, "/");
	stamp = (struct mu_stamp){ 1, 1 };
	t = mu_tree_new(key);
	ck_assert_ptr_nonnull(t);
	for (int i = 0; i < TRANSACTIONS; i++)
		transaction();
	mu_tree_free(t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tree_model");
	TCase *c = tcase_create("tree_model");
	SRunner *r;
	int failed;

	suite_add_tcase(s, c);
	tcase_add_loop_test(c, a_tree_does_as_the_model_does, 1, 6);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
