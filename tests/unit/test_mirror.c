/* The mirror's contract, as agent/core/mirror.h states it, against a small tree
 * that answers its reads when it is told to. */
#include "mirror.h"

#include "fault.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a tree ---- */

#define NODES 64

static struct node {
	char path[32];
	char data[16];
	bool null;
	struct mu_stat stat;
} tree[NODES];
static int64_t zxid;

static struct node *at(const char *path)
{
	for (int i = 0; i < NODES; i++)
		if (tree[i].path[0] && strcmp(tree[i].path, path) == 0)
			return &tree[i];
	return NULL;
}

static struct node *parent_of(const char *path)
{
	struct mu_str p = mu_path_parent(mu_str_of(path));
	char text[32];

	snprintf(text, sizeof text, "%.*s", (int)p.len, p.at);
	return at(text);
}

static void family(const char *path, int by)
{
	struct node *p = path[1] ? parent_of(path) : NULL;

	if (!p)
		return;
	p->stat.num_children += by;
	p->stat.cversion++;
	p->stat.pzxid = zxid;
}

static void make(const char *path, const char *data)
{
	struct node *n = tree;

	while (n->path[0])
		n++;
	zxid++;
	*n = (struct node){ .stat = { .czxid = zxid, .mzxid = zxid } };
	n->stat.pzxid = zxid;
	snprintf(n->path, sizeof n->path, "%s", path);
	snprintf(n->data, sizeof n->data, "%s", data);
	family(path, 1);
}

static void edit(const char *path, const char *data)
{
	struct node *n = at(path);

	snprintf(n->data, sizeof n->data, "%s", data);
	n->stat.mzxid = ++zxid;
	n->stat.version++;
}

static void drop(const char *path)
{
	at(path)->path[0] = '\0';
	++zxid;
	family(path, -1);
}

/* ---- the other side ---- */

static struct mu_mirror *m;
static char told[4096];
static int sink_rc;

static int sink(void *arg, const struct mu_mirror_event *e)
{
	static const char *const word[] = { "present", "created", "deleted",
		                            "changed", "children" };
	size_t len = strlen(told);
	bool gap = e->type == MU_MIRROR_GAP;

	(void)arg;
	if (sink_rc)
		return sink_rc;
	ck_assert_uint_ge(e->count, 1);
	ck_assert((gap || e->type == MU_EVENT_DELETED) == (e->stat == NULL));
	ck_assert(gap == e->alone); /* there is no other on a watch */
	len += (size_t)snprintf(told + len, sizeof told - len, "%s %.*s",
	                        gap ? "gap" : word[e->type], (int)e->path.len,
	                        e->path.at);
	if (e->data.at)
		len += (size_t)snprintf(told + len, sizeof told - len, "=%.*s",
		                        (int)e->data.len, e->data.at);
	if (e->old_data.at)
		len += (size_t)snprintf(told + len, sizeof told - len, "<%.*s",
		                        (int)e->old_data.len, e->old_data.at);
	if (e->count > 1)
		len += (size_t)snprintf(told + len, sizeof told - len, " x%u",
		                        e->count);
	snprintf(told + len, sizeof told - len, "%s; ",
	         e->flags & MU_EVENT_COALESCED ? "!" : "");
	return 0;
}

static void assert_told(const char *want)
{
	ck_assert_str_eq(told, want);
	told[0] = '\0';
}

static const struct mu_mirror_limits roomy = { 100, 100, 10000 };

static void mirror_with(const char *path, enum mu_mirror_mode mode,
                        const struct mu_mirror_limits *limits)
{
	mu_mirror_free(m);
	m = NULL;
	ck_assert_int_eq(mu_mirror_new(path, mode, limits, sink, NULL, &m), 0);
}

static void mirror(const char *path, enum mu_mirror_mode mode)
{
	mirror_with(path, mode, &roomy);
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
}

static int answer_node(const struct mu_mirror_read *read)
{
	const struct node *n = at(read->path);
	struct mu_mirror_answer a = { .zxid = zxid };

	if (!n) {
		a.rc = MU_ENONODE;
		return mu_mirror_read_done(m, read->id, &a);
	}
	if (!n->null)
		a.data = mu_str_of(n->data);
	a.stat = &n->stat;
	return mu_mirror_read_done(m, read->id, &a);
}

static int answer_names(const struct mu_mirror_read *read)
{
	struct mu_mirror_answer a = { .zxid = zxid };
	const char *names[NODES];

	for (int i = 0; i < NODES; i++)
		if (tree[i].path[0] && strlen(tree[i].path) > 1 &&
		    parent_of(tree[i].path) == at(read->path))
			names[a.count++] = strrchr(tree[i].path, '/') + 1;
	if (!at(read->path))
		a.rc = MU_ENONODE;
	a.names = names;
	return mu_mirror_read_done(m, read->id, &a);
}

static int answer(const struct mu_mirror_read *read)
{
	return read->what == MU_MIRROR_NODE ? answer_node(read)
	                                    : answer_names(read);
}

/* Answer all there is to read, from the tree as it is now. */
static int serve(void)
{
	struct mu_mirror_read read;
	int rc = 0;

	while (!rc && mu_mirror_read_next(m, &read))
		rc = answer(&read);
	return rc;
}

static void notify(int type, const char *path)
{
	ck_assert_int_eq(mu_mirror_notify(m, type, path, zxid), 0);
}

static void setup(void)
{
	zxid = 10;
	sink_rc = 0;
	told[0] = '\0';
	memset(tree, 0, sizeof tree);
	make("/", "");
	make("/c", "top");
	make("/c/a", "1");
	make("/c/b", "2");
	make("/c/a/x", "deep");
}

static void teardown(void)
{
	mu_mirror_free(m);
	m = NULL;
}

/* ---- the first delivery ---- */

static const struct {
	const char *path;
	enum mu_mirror_mode mode;
	const char *want;
} firsts[] = {
	{ "/c", MU_MIRROR_EXACT, "present /c=top; " },
	{ "/c", MU_MIRROR_CHILDREN,
	  "present /c=top; present /c/a=1; present /c/b=2; " },
	{ "/c", MU_MIRROR_SUBTREE,
	  "present /c=top; present /c/a=1; present /c/b=2; "
	  "present /c/a/x=deep; " },
	{ "/", MU_MIRROR_CHILDREN, "present /=; present /c=top; " },
	{ "/none", MU_MIRROR_SUBTREE, "" },
};

START_TEST(all_that_is_there_is_present_at_first)
{
	mirror(firsts[_i].path, firsts[_i].mode);
	ck_assert_int_eq(serve(), 0);
	assert_told(firsts[_i].want);
}
END_TEST

START_TEST(a_null_value_has_no_data)
{
	at("/c")->null = true;
	mirror("/c", MU_MIRROR_EXACT);
	serve();
	assert_told("present /c; ");
}
END_TEST

START_TEST(a_path_must_be_legal)
{
	ck_assert_int_eq(
		mu_mirror_new("c", MU_MIRROR_EXACT, &roomy, sink, NULL, &m),
		MU_EINVAL);
	mu_mirror_free(NULL);
}
END_TEST

START_TEST(an_idle_mirror_reads_nothing_and_hears_nothing)
{
	struct mu_mirror_read read;

	mirror_with("/c", MU_MIRROR_EXACT, &roomy);
	ck_assert(mu_mirror_is_idle(m));
	ck_assert(!mu_mirror_read_next(m, &read));
	notify(3, "/c");
	assert_told("");
	ck_assert_str_eq(mu_mirror_path(m), "/c");
	ck_assert_int_eq(mu_mirror_mode(m), MU_MIRROR_EXACT);
}
END_TEST

/* ---- live ---- */

START_TEST(a_change_brings_the_new_value_and_the_old)
{
	mirror("/c", MU_MIRROR_SUBTREE);
	serve();
	told[0] = '\0';
	edit("/c/a/x", "deeper");
	notify(3, "/c/a/x");
	serve();
	assert_told("changed /c/a/x=deeper<deep; ");
}
END_TEST

START_TEST(a_creation_and_a_deletion_below_the_top_change_its_children)
{
	mirror("/c", MU_MIRROR_CHILDREN);
	serve();
	told[0] = '\0';
	make("/c/n", "new");
	notify(1, "/c/n");
	serve();
	assert_told("created /c/n=new; children /c=top<top; ");
	drop("/c/n");
	notify(2, "/c/n");
	serve();
	assert_told("deleted /c/n<new; children /c=top<top; ");
}
END_TEST

/* rule 34 */
START_TEST(rule34_deeper_down_children_are_not_told_of)
{
	mirror("/c", MU_MIRROR_SUBTREE);
	serve();
	told[0] = '\0';
	make("/c/b/y", "y");
	notify(1, "/c/b/y");
	serve();
	assert_told("created /c/b/y=y; ");
}
END_TEST

START_TEST(an_exact_watch_hears_of_its_children_from_the_broker)
{
	mirror("/c", MU_MIRROR_EXACT);
	serve();
	told[0] = '\0';
	make("/c/n", "new");
	notify(1, "/c/n");
	notify(4, "/c");
	serve();
	assert_told("children /c=top<top; ");
}
END_TEST

START_TEST(what_lies_outside_is_passed_over)
{
	struct mu_mirror_read read;

	mirror("/c/a", MU_MIRROR_CHILDREN);
	serve();
	told[0] = '\0';
	notify(3, "/c");
	notify(3, "/c/ab");
	notify(3, "/c/a/x/y");
	notify(4, "/c/a");
	notify(9, "/c/a");
	ck_assert(!mu_mirror_read_next(m, &read));
}
END_TEST

START_TEST(events_keep_the_order_of_their_notifications)
{
	struct mu_mirror_read one, two;

	mirror("/c", MU_MIRROR_SUBTREE);
	serve();
	told[0] = '\0';
	edit("/c/b", "22");
	notify(3, "/c/b");
	edit("/c/a", "11");
	notify(3, "/c/a");
	drop("/c/a/x");
	notify(2, "/c/a/x");
	ck_assert(mu_mirror_read_next(m, &one));
	ck_assert(mu_mirror_read_next(m, &two));
	ck_assert_str_eq(one.path, "/c/b");
	answer(&two);
	assert_told("");
	answer(&one);
	assert_told("changed /c/b=22<2; changed /c/a=11<1; "
	            "deleted /c/a/x<deep; ");
}
END_TEST

START_TEST(changes_that_a_newer_value_overtook_are_counted_not_told)
{
	mirror("/c", MU_MIRROR_EXACT);
	serve();
	told[0] = '\0';
	for (int i = 0; i < 5; i++) {
		edit("/c", "new");
		notify(3, "/c");
	}
	serve();
	assert_told("changed /c=new<top x5; ");
}
END_TEST

START_TEST(a_node_gone_before_it_was_read_is_told_by_its_deletion)
{
	mirror("/c", MU_MIRROR_SUBTREE);
	serve();
	told[0] = '\0';
	make("/c/b/n", "new");
	notify(1, "/c/b/n");
	edit("/c/b/n", "newer");
	notify(3, "/c/b/n");
	drop("/c/b/n");
	serve();
	assert_told("");
	notify(2, "/c/b/n");
	serve();
	assert_told("deleted /c/b/n x3; ");
}
END_TEST

START_TEST(a_known_node_gone_before_it_was_read_counts_its_change)
{
	mirror("/c", MU_MIRROR_EXACT);
	serve();
	told[0] = '\0';
	edit("/c", "new");
	notify(3, "/c");
	drop("/c");
	serve();
	notify(2, "/c");
	assert_told("deleted /c<top x2; ");
}
END_TEST

START_TEST(a_deletion_and_a_creation_are_both_told)
{
	mirror("/c/b", MU_MIRROR_EXACT);
	serve();
	told[0] = '\0';
	drop("/c/b");
	notify(2, "/c/b");
	make("/c/b", "again");
	notify(1, "/c/b");
	serve();
	assert_told("deleted /c/b<2; created /c/b=again; ");
}
END_TEST

START_TEST(a_new_life_that_was_read_already_is_not_told_again)
{
	int64_t changed;

	mirror("/c/b", MU_MIRROR_EXACT);
	serve();
	told[0] = '\0';
	edit("/c/b", "22");
	changed = zxid;
	drop("/c/b");
	make("/c/b", "again");
	ck_assert_int_eq(mu_mirror_notify(m, 3, "/c/b", changed), 0);
	serve();
	assert_told("changed /c/b=again<2 x2; ");
	ck_assert_int_eq(mu_mirror_notify(m, 2, "/c/b", changed + 1), 0);
	ck_assert_int_eq(mu_mirror_notify(m, 1, "/c/b", changed + 2), 0);
	serve();
	assert_told("");
}
END_TEST

START_TEST(an_unknown_zxid_will_do)
{
	mirror("/c/b", MU_MIRROR_EXACT);
	serve();
	told[0] = '\0';
	edit("/c/b", "22");
	ck_assert_int_eq(mu_mirror_notify(m, 3, "/c/b", -1), 0);
	serve();
	drop("/c/b");
	ck_assert_int_eq(mu_mirror_notify(m, 2, "/c/b", -1), 0);
	assert_told("changed /c/b=22<2; deleted /c/b<22; ");
}
END_TEST

START_TEST(many_changes_of_children_need_few_reads)
{
	struct mu_mirror_read read;
	int reads = 0;

	mirror("/c", MU_MIRROR_CHILDREN);
	serve();
	told[0] = '\0';
	for (char path[] = "/c/k"; path[3] <= 'o'; path[3]++) {
		make(path, "v");
		notify(1, path);
	}
	while (mu_mirror_read_next(m, &read)) {
		reads++;
		answer(&read);
	}
	ck_assert_int_eq(reads, 6);
	assert_told("created /c/k=v; created /c/l=v; created /c/m=v; "
	            "created /c/n=v; created /c/o=v; children /c=top<top x5; ");
}
END_TEST

START_TEST(a_read_that_was_not_carried_out_is_given_again)
{
	struct mu_mirror_answer no = { .rc = MU_EFULL };
	struct mu_mirror_read read;

	mirror("/c", MU_MIRROR_EXACT);
	ck_assert(mu_mirror_read_next(m, &read));
	ck_assert_int_eq(mu_mirror_read_done(m, read.id, &no), 0);
	no.rc = MU_ETHROTTLED;
	ck_assert(mu_mirror_read_next(m, &read));
	ck_assert_int_eq(mu_mirror_read_done(m, read.id, &no), 0);
	serve();
	assert_told("present /c=top; ");
}
END_TEST

START_TEST(only_so_many_reads_are_under_way)
{
	struct mu_mirror_read read;
	uint32_t n = 0;

	for (char path[] = "/c/A"; path[3] < 'A' + 40; path[3]++)
		make(path, "v");
	mirror("/c", MU_MIRROR_CHILDREN);
	ck_assert(mu_mirror_read_next(m, &read));
	answer(&read);
	ck_assert(mu_mirror_read_next(m, &read));
	answer(&read);
	while (mu_mirror_read_next(m, &read))
		n++;
	ck_assert_uint_eq(n, MU_MIRROR_OUT_MAX);
}
END_TEST

/* ---- after a connect ---- */

/* rule 38 */
START_TEST(rule38_what_was_missed_is_found_by_reading_again)
{
	mirror("/c", MU_MIRROR_SUBTREE);
	serve();
	told[0] = '\0';
	mu_mirror_stop(m);
	ck_assert(mu_mirror_is_idle(m));
	edit("/c/b", "22");
	edit("/c/b", "222");
	drop("/c/a/x");
	make("/c/n", "new");
	edit("/c", "top2");
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	serve();
	assert_told("changed /c/b=222<2 x2!; created /c/n=new!; "
	            "children /c=top<top!; changed /c=top2<top!; "
	            "deleted /c/a/x<deep!; ");
}
END_TEST

START_TEST(nothing_missed_is_nothing_told)
{
	mirror("/c", MU_MIRROR_SUBTREE);
	serve();
	told[0] = '\0';
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	serve();
	assert_told("");
	ck_assert_uint_eq(mu_mirror_count(m), 4);
}
END_TEST

START_TEST(another_life_counts_as_two_changes)
{
	mirror("/c/b", MU_MIRROR_EXACT);
	serve();
	told[0] = '\0';
	drop("/c/b");
	make("/c/b", "again");
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	serve();
	assert_told("changed /c/b=again<2 x2!; ");
}
END_TEST

START_TEST(another_tree_is_present_and_nothing_is_deleted)
{
	mirror("/c", MU_MIRROR_SUBTREE);
	serve();
	told[0] = '\0';
	drop("/c/a/x");
	drop("/c/a");
	ck_assert_int_eq(mu_mirror_start(m, true), 0);
	serve();
	assert_told("present /c=top; present /c/b=2; ");
}
END_TEST

START_TEST(a_first_reading_cut_short_is_still_the_first)
{
	struct mu_mirror_read read;

	mirror("/c", MU_MIRROR_CHILDREN);
	ck_assert(mu_mirror_read_next(m, &read));
	answer(&read);
	mu_mirror_stop(m);
	read.path = "/c";
	answer(&read); /* too late */
	assert_told("");
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	serve();
	assert_told("present /c=top; present /c/a=1; present /c/b=2; ");
}
END_TEST

START_TEST(notifications_wait_for_the_end_of_the_reading)
{
	struct mu_mirror_read top, names;

	mirror("/c", MU_MIRROR_CHILDREN);
	ck_assert(mu_mirror_read_next(m, &top));
	answer(&top);
	ck_assert(mu_mirror_read_next(m, &names));
	answer(&names);
	make("/c/n", "new"); /* after the names were read */
	notify(1, "/c/n");
	edit("/c/b", "22"); /* before its own read */
	notify(3, "/c/b");
	assert_told("");
	serve();
	assert_told("present /c=top; present /c/a=1; present /c/b=22; "
	            "created /c/n=new; children /c=top<top; ");
}
END_TEST

START_TEST(a_deletion_seen_by_the_reading_is_not_told_again)
{
	mirror("/c", MU_MIRROR_CHILDREN);
	serve();
	told[0] = '\0';
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	drop("/c/b");
	notify(2, "/c/b");
	serve();
	assert_told("deleted /c/b<2!; children /c=top<top!; ");
}
END_TEST

START_TEST(a_node_that_cannot_be_read_stays_as_it_was)
{
	struct mu_mirror_answer no = { .rc = MU_ENOAUTH };
	struct mu_mirror_read read;

	mirror("/c", MU_MIRROR_SUBTREE);
	serve();
	told[0] = '\0';
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	while (mu_mirror_read_next(m, &read)) {
		if (strcmp(read.path, "/c/a") == 0)
			ck_assert_int_eq(mu_mirror_read_done(m, read.id, &no),
			                 0);
		else
			answer(&read);
	}
	assert_told("");
	ck_assert_uint_eq(mu_mirror_count(m), 4);
	edit("/c/a", "11");
	notify(3, "/c/a");
	ck_assert(mu_mirror_read_next(m, &read));
	ck_assert_int_eq(mu_mirror_read_done(m, read.id, &no), 0);
	assert_told("gap /c/a; ");
	edit("/c/a", "12");
	notify(3, "/c/a");
	serve();
	assert_told("changed /c/a=12<1 x2; ");
}
END_TEST

/* The first reading, and then a change: each read is refused n times. */
static unsigned refuse(unsigned n, int rc)
{
	struct mu_mirror_answer no = { .rc = rc };
	struct mu_mirror_read read;
	unsigned tries = 0;

	while (mu_mirror_read_next(m, &read)) {
		if (strcmp(read.path, "/c/a") != 0 || tries == n) {
			answer(&read);
			continue;
		}
		tries++;
		assert_told("");
		ck_assert_int_eq(mu_mirror_read_done(m, read.id, &no), 0);
	}
	return tries;
}

START_TEST(a_read_that_is_refused_for_what_may_pass_is_given_again)
{
	static const int codes[] = { MU_ENOMEM, MU_ETOOBIG, MU_ESYSTEM };
	unsigned n = MU_MIRROR_TRIES_MAX - 1;

	mirror("/c", MU_MIRROR_CHILDREN);
	ck_assert_uint_eq(refuse(n, codes[_i]), n);
	assert_told("present /c=top; present /c/a=1; present /c/b=2; ");
	edit("/c/a", "11");
	notify(3, "/c/a");
	drop("/c/b");
	notify(2, "/c/b");
	ck_assert_uint_eq(refuse(n, codes[_i]), n);
	assert_told("changed /c/a=11<1; deleted /c/b<2; children /c=top<top; ");
}
END_TEST

START_TEST(a_read_that_is_refused_too_often_is_given_up)
{
	mirror("/c", MU_MIRROR_CHILDREN);
	serve();
	told[0] = '\0';
	edit("/c/a", "11");
	notify(3, "/c/a");
	edit("/c/b", "22");
	notify(3, "/c/b");
	ck_assert_uint_eq(refuse(UINT32_MAX, MU_ENOMEM), MU_MIRROR_TRIES_MAX);
	assert_told("gap /c/a; changed /c/b=22<2; ");
	/* One that was not carried out is none. */
	edit("/c/a", "12");
	notify(3, "/c/a");
	ck_assert_uint_eq(refuse(3 * MU_MIRROR_TRIES_MAX, MU_ETHROTTLED),
	                  3 * MU_MIRROR_TRIES_MAX);
	assert_told("changed /c/a=12<1 x2; ");
}
END_TEST

START_TEST(what_says_something_of_the_node_does_not_pass)
{
	ck_assert(!mu_mirror_may_pass(0));
	ck_assert(!mu_mirror_may_pass(MU_ENONODE));
	ck_assert(!mu_mirror_may_pass(MU_ENOAUTH));
	ck_assert(mu_mirror_may_pass(MU_ENOMEM));
	ck_assert(mu_mirror_may_pass(MU_ETOOBIG));
	ck_assert(mu_mirror_may_pass(MU_ETHROTTLED));
}
END_TEST

START_TEST(names_that_cannot_be_read_end_the_reading)
{
	struct mu_mirror_answer no = { .rc = MU_ENOAUTH };
	struct mu_mirror_read read;

	mirror("/c", MU_MIRROR_CHILDREN);
	ck_assert(mu_mirror_read_next(m, &read));
	answer(&read);
	ck_assert(mu_mirror_read_next(m, &read));
	ck_assert_int_eq(mu_mirror_read_done(m, read.id, &no), MU_ENOAUTH);
	ck_assert(mu_mirror_is_idle(m));
}
END_TEST

START_TEST(a_directory_gone_between_two_reads_is_no_error)
{
	struct mu_mirror_read read;

	mirror("/c/a", MU_MIRROR_CHILDREN);
	ck_assert(mu_mirror_read_next(m, &read));
	answer(&read);
	drop("/c/a/x");
	drop("/c/a");
	ck_assert_int_eq(serve(), 0);
	notify(2, "/c/a");
	assert_told("present /c/a=1; deleted /c/a<1; ");
}
END_TEST

START_TEST(a_ghost_is_told_of_by_the_next_reading)
{
	mirror("/c", MU_MIRROR_SUBTREE);
	serve();
	told[0] = '\0';
	make("/c/b/n", "n");
	notify(1, "/c/b/n");
	drop("/c/b/n");
	serve();
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	serve();
	assert_told("deleted /c/b/n x2!; ");
	make("/c/b/n", "n");
	notify(1, "/c/b/n");
	drop("/c/b/n");
	serve();
	make("/c/b/n", "again");
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	serve();
	assert_told("created /c/b/n=again!; ");
}
END_TEST

/* ---- limits and refusals ---- */

START_TEST(as_many_nodes_as_the_limit_and_no_more)
{
	struct mu_mirror_limits limits = { 3, 10, 100 };

	mirror_with("/c", MU_MIRROR_CHILDREN, &limits);
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	ck_assert_int_eq(serve(), 0);
	ck_assert_uint_eq(mu_mirror_count(m), 3);
	make("/c/n", "one too many");
	notify(1, "/c/n");
	ck_assert_int_eq(serve(), MU_ETOOBIG);
	ck_assert(mu_mirror_is_idle(m));
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	ck_assert_int_eq(serve(), MU_ETOOBIG);
	drop("/c/n");
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	ck_assert_int_eq(serve(), 0);
}
END_TEST

START_TEST(as_many_bytes_as_the_limit_and_no_more)
{
	struct mu_mirror_limits limits = { 9, 10, 4 };

	mirror_with("/c", MU_MIRROR_EXACT, &limits);
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	ck_assert_int_eq(serve(), 0);
	edit("/c", "four");
	notify(3, "/c");
	ck_assert_int_eq(serve(), 0);
	edit("/c", "fives");
	notify(3, "/c");
	ck_assert_int_eq(serve(), MU_ETOOBIG);
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	ck_assert_int_eq(serve(), MU_ETOOBIG);
}
END_TEST

START_TEST(beyond_the_queue_all_is_read_again)
{
	struct mu_mirror_limits limits = { 9, 2, 100 };

	mirror_with("/c", MU_MIRROR_SUBTREE, &limits);
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	serve();
	told[0] = '\0';
	for (int i = 0; i < 2; i++) {
		edit("/c/b", "new");
		notify(3, "/c/b");
	}
	edit("/c/a", "new");
	notify(3, "/c/a");
	serve();
	assert_told("changed /c/b=new<2 x2!; changed /c/a=new<1!; ");
}
END_TEST

START_TEST(an_event_that_was_not_taken_is_found_again)
{
	mirror("/c", MU_MIRROR_CHILDREN);
	serve();
	told[0] = '\0';
	make("/c/n", "new");
	notify(1, "/c/n");
	sink_rc = MU_EFULL;
	ck_assert_int_eq(serve(), MU_EFULL);
	ck_assert(mu_mirror_is_idle(m));
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	ck_assert_int_eq(serve(), MU_EFULL);
	sink_rc = 0;
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	ck_assert_int_eq(serve(), 0);
	assert_told("created /c/n=new!; children /c=top<top!; ");
}
END_TEST

START_TEST(a_list_of_children_that_was_not_taken_is_found_again)
{
	mirror("/c", MU_MIRROR_EXACT);
	serve();
	told[0] = '\0';
	make("/c/n", "new");
	notify(4, "/c");
	sink_rc = MU_EFULL;
	ck_assert_int_eq(serve(), MU_EFULL);
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	ck_assert_int_eq(serve(), MU_EFULL);
	sink_rc = 0;
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	ck_assert_int_eq(serve(), 0);
	assert_told("children /c=top<top!; ");
}
END_TEST

START_TEST(a_deletion_that_was_not_taken_is_found_again)
{
	mirror("/c/b", MU_MIRROR_EXACT);
	serve();
	told[0] = '\0';
	drop("/c/b");
	sink_rc = MU_EFULL;
	ck_assert_int_eq(mu_mirror_notify(m, 2, "/c/b", zxid), MU_EFULL);
	sink_rc = 0;
	ck_assert_int_eq(mu_mirror_start(m, false), 0);
	serve();
	assert_told("deleted /c/b<2!; ");
}
END_TEST

/* One whole run: first reading, a change of each kind, a reading again. */
static int whole_run(void)
{
	int rc = mu_mirror_start(m, false);

	rc = rc ? rc : serve();
	if (!at("/c/n"))
		make("/c/n", "n");
	rc = rc ? rc : mu_mirror_notify(m, 1, "/c/n", zxid);
	rc = rc ? rc : mu_mirror_notify(m, 1, "/c/ghost", zxid);
	rc = rc ? rc : serve();
	edit("/c/a", "v");
	rc = rc ? rc : mu_mirror_notify(m, 3, "/c/a", zxid);
	rc = rc ? rc : serve();
	edit("/c/b", "w");
	rc = rc ? rc : mu_mirror_start(m, false);
	return rc ? rc : serve();
}

START_TEST(any_allocation_may_fail_and_the_next_start_finds_all)
{
	unsigned refusals = 0;

	for (unsigned k = 0;; k++) {
		int rc;

		mirror_with("/c", MU_MIRROR_SUBTREE, &roomy);
		fault_alloc_at(k);
		rc = whole_run();
		if (!fault_alloc_off()) {
			ck_assert_int_eq(rc, 0);
			break;
		}
		ck_assert_int_eq(rc, MU_ENOMEM);
		ck_assert(mu_mirror_is_idle(m));
		ck_assert_int_eq(mu_mirror_start(m, false), 0);
		ck_assert_int_eq(serve(), 0);
		ck_assert_uint_ge(mu_mirror_count(m), 5);
		refusals++;
		told[0] = '\0';
	}
	ck_assert_uint_ge(refusals, 20);
	fault_alloc_at(0);
	mu_mirror_free(m);
	m = NULL;
	ck_assert_int_eq(
		mu_mirror_new("/c", MU_MIRROR_EXACT, &roomy, sink, NULL, &m),
		MU_ENOMEM);
	ck_assert(fault_alloc_off());
}
END_TEST

/* ---- telling it all again ---- */

START_TEST(what_is_held_is_told_as_present_and_nothing_changes)
{
	mirror("/c", MU_MIRROR_SUBTREE);
	ck_assert_int_eq(serve(), 0);
	edit("/c/a", "new");
	notify(3, "/c/a");
	ck_assert_int_eq(serve(), 0);
	told[0] = '\0';
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(mu_mirror_present(m, sink, NULL), 0);
		assert_told("present /c=top; present /c/b=2; "
		            "present /c/a/x=deep; present /c/a=new; ");
	}
	drop("/c/b");
	notify(2, "/c/b");
	ck_assert_int_eq(serve(), 0);
	assert_told("deleted /c/b<2; children /c=top<top; ");
	/* Also while the connection is away. */
	mu_mirror_stop(m);
	ck_assert_int_eq(mu_mirror_present(m, sink, NULL), 0);
	assert_told("present /c=top; present /c/a/x=deep; present /c/a=new; ");
}
END_TEST

START_TEST(present_is_what_the_sink_was_told_and_not_more)
{
	struct mu_mirror_read read;

	mirror("/c", MU_MIRROR_CHILDREN);
	ck_assert_int_eq(mu_mirror_present(m, sink, NULL), 0);
	assert_told(""); /* nothing was read yet */
	ck_assert_int_eq(serve(), 0);
	edit("/c/a", "new");
	notify(3, "/c/a");
	ck_assert(mu_mirror_read_next(m, &read)); /* on its way */
	/* A ghost was told to nobody. */
	make("/c/g", "");
	notify(1, "/c/g");
	drop("/c/g");
	told[0] = '\0';
	ck_assert_int_eq(mu_mirror_present(m, sink, NULL), 0);
	assert_told("present /c=top; present /c/a=1; present /c/b=2; ");
	ck_assert_int_eq(answer(&read), 0);
	ck_assert_int_eq(serve(), 0);
	ck_assert_uint_eq(mu_mirror_count(m), 4); /* with the ghost */
	told[0] = '\0';
	ck_assert_int_eq(mu_mirror_present(m, sink, NULL), 0);
	assert_told("present /c=top; present /c/b=2; present /c/a=new; ");
}
END_TEST

START_TEST(present_ends_when_it_is_refused_or_without_memory)
{
	mirror("/c", MU_MIRROR_SUBTREE);
	ck_assert_int_eq(serve(), 0);
	told[0] = '\0';
	sink_rc = MU_EFULL;
	ck_assert_int_eq(mu_mirror_present(m, sink, NULL), MU_EFULL);
	sink_rc = 0;
	fault_alloc_at(0);
	ck_assert_int_eq(mu_mirror_present(m, sink, NULL), MU_ENOMEM);
	ck_assert(fault_alloc_off());
	assert_told("");
	ck_assert(!mu_mirror_is_idle(m));
	ck_assert_uint_eq(mu_mirror_count(m), 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mirror");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, all_that_is_there_is_present_at_first, 0,
	                    sizeof firsts / sizeof *firsts);
	tcase_add_test(tc, a_null_value_has_no_data);
	tcase_add_test(tc, a_path_must_be_legal);
	tcase_add_test(tc, an_idle_mirror_reads_nothing_and_hears_nothing);
	tcase_add_test(tc, a_change_brings_the_new_value_and_the_old);
	tcase_add_test(
		tc,
		a_creation_and_a_deletion_below_the_top_change_its_children);
	tcase_add_test(tc, rule34_deeper_down_children_are_not_told_of);
	tcase_add_test(tc,
	               an_exact_watch_hears_of_its_children_from_the_broker);
	tcase_add_test(tc, what_lies_outside_is_passed_over);
	tcase_add_test(tc, events_keep_the_order_of_their_notifications);
	tcase_add_test(
		tc, changes_that_a_newer_value_overtook_are_counted_not_told);
	tcase_add_test(tc,
	               a_node_gone_before_it_was_read_is_told_by_its_deletion);
	tcase_add_test(tc,
	               a_known_node_gone_before_it_was_read_counts_its_change);
	tcase_add_test(tc, a_deletion_and_a_creation_are_both_told);
	tcase_add_test(tc, a_new_life_that_was_read_already_is_not_told_again);
	tcase_add_test(tc, an_unknown_zxid_will_do);
	tcase_add_test(tc, many_changes_of_children_need_few_reads);
	tcase_add_test(tc, a_read_that_was_not_carried_out_is_given_again);
	tcase_add_test(tc, only_so_many_reads_are_under_way);
	tcase_add_test(tc, rule38_what_was_missed_is_found_by_reading_again);
	tcase_add_test(tc, nothing_missed_is_nothing_told);
	tcase_add_test(tc, another_life_counts_as_two_changes);
	tcase_add_test(tc, another_tree_is_present_and_nothing_is_deleted);
	tcase_add_test(tc, a_first_reading_cut_short_is_still_the_first);
	tcase_add_test(tc, notifications_wait_for_the_end_of_the_reading);
	tcase_add_test(tc, a_deletion_seen_by_the_reading_is_not_told_again);
	tcase_add_test(tc, a_node_that_cannot_be_read_stays_as_it_was);
	tcase_add_loop_test(
		tc, a_read_that_is_refused_for_what_may_pass_is_given_again, 0,
		3);
	tcase_add_test(tc, a_read_that_is_refused_too_often_is_given_up);
	tcase_add_test(tc, what_says_something_of_the_node_does_not_pass);
	tcase_add_test(tc, names_that_cannot_be_read_end_the_reading);
	tcase_add_test(tc, a_directory_gone_between_two_reads_is_no_error);
	tcase_add_test(tc, a_ghost_is_told_of_by_the_next_reading);
	tcase_add_test(tc, as_many_nodes_as_the_limit_and_no_more);
	tcase_add_test(tc, as_many_bytes_as_the_limit_and_no_more);
	tcase_add_test(tc, beyond_the_queue_all_is_read_again);
	tcase_add_test(tc, an_event_that_was_not_taken_is_found_again);
	tcase_add_test(tc,
	               a_list_of_children_that_was_not_taken_is_found_again);
	tcase_add_test(tc, a_deletion_that_was_not_taken_is_found_again);
	tcase_add_test(tc,
	               any_allocation_may_fail_and_the_next_start_finds_all);
	tcase_add_test(tc, what_is_held_is_told_as_present_and_nothing_changes);
	tcase_add_test(tc, present_is_what_the_sink_was_told_and_not_more);
	tcase_add_test(tc, present_ends_when_it_is_refused_or_without_memory);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
