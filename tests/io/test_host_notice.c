/* Nodes that an agent keeps up for others: notices as they are, and the reports and
 * alarms made of them. The link is a fake with a small tree: nothing is answered
 * before the test says so. */
#include "alarms.h"
#include "applied.h"
#include "fault.h"
#include "json.h"
#include "log.h"
#include "loop.h"
#include "notice.h"
#include "program.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODES 32
#define ASKED 64
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- the link ---- */

struct node {
	char path[128];
	char *text;
};

struct asked {
	struct mu_uplink_request q;
	char path[128];
	char *data;
};

static struct node nodes[NODES];
static struct asked asked[ASKED];
static size_t asked_count;
static struct mu_uplink_listener *listener; /* the notices' */
static struct mu_uplink_listener *subscribers;
static int32_t subscription; /* the last number */
static bool up, streams;
static int refuse; /* the next of this op is answered with... */
static enum mu_uplink_op refused_op;
static size_t requests; /* ever */

static struct node *node(const char *path)
{
	for (size_t i = 0; i < NODES; i++)
		if (strcmp(nodes[i].path, path) == 0)
			return &nodes[i];
	return NULL;
}

static void node_put(const char *path, const char *text)
{
	struct node *n = node(path);

	n = n ? n : node("");
	ck_assert_ptr_nonnull(n);
	snprintf(n->path, sizeof n->path, "%s", path);
	free(n->text);
	n->text = strdup(text);
}

/* The subscriptions of the link. */
static struct {
	int32_t id;
	char path[128];
} followed[NODES];

static int32_t watching(const char *path)
{
	for (size_t i = 0; i < NODES; i++)
		if (followed[i].id && strcmp(followed[i].path, path) == 0)
			return followed[i].id;
	return 0;
}

static size_t count_followed(void)
{
	size_t n = 0;

	for (size_t i = 0; i < NODES; i++)
		n += followed[i].id != 0;
	return n;
}

static void tell_change(struct mu_uplink_listener *l, const char *path)
{
	struct mu_change c = { .size = sizeof c,
		               .type = MU_WATCH_DELETED,
		               .path = path,
		               .session = 0x2a,
		               .origin = "10.0.0.7" };

	l->on_change(l->arg, &c);
}

/* Who watches it is known by the notice alone: it must not take what is not for
 * it. */
static void node_delete(const char *path)
{
	struct node *n = node(path);
	struct mu_watch_event e = { .type = MU_WATCH_DELETED, .path = path };
	struct mu_uplink_listener *l = subscribers;

	free(n->text);
	*n = (struct node){ 0 };
	if (!up)
		return;
	if (!streams) {
		listener->on_event(listener->arg, &e);
		return;
	}
	while (l && (!l->subscription || l->subscription != watching(path)))
		l = l->next;
	if (l)
		tell_change(l, path);
}

static void tree_wipe(void)
{
	for (size_t i = 0; i < NODES; i++) {
		free(nodes[i].text);
		nodes[i] = (struct node){ 0 };
	}
}

void mu_uplink_listen(struct mu_uplink *u, struct mu_uplink_listener *l)
{
	(void)u;
	if (l->on_up) {
		listener = l;
		return;
	}
	l->next = subscribers;
	subscribers = l;
}

void mu_uplink_unlisten(struct mu_uplink *u, struct mu_uplink_listener *l)
{
	struct mu_uplink_listener **link = &subscribers;

	(void)u;
	while (*link && *link != l)
		link = &(*link)->next;
	if (*link)
		*link = l->next;
	else
		listener = NULL;
}

int32_t mu_uplink_new_subscription(struct mu_uplink *u)
{
	(void)u;
	return ++subscription;
}

bool mu_uplink_is_up(const struct mu_uplink *u)
{
	(void)u;
	return up;
}

void mu_uplink_forget(struct mu_uplink *u, const void *owner)
{
	(void)u;
	for (size_t i = 0; i < asked_count; i++)
		if (asked[i].q.owner == owner)
			asked[i].q.done = NULL;
}

int mu_uplink_send(struct mu_uplink *u, const struct mu_uplink_request *r)
{
	struct asked *a = &asked[asked_count];

	(void)u;
	if (!up)
		return MU_ECONNLOSS;
	ck_assert_uint_lt(asked_count, ASKED);
	a->q = *r;
	snprintf(a->path, sizeof a->path, "%s", r->path ? r->path : "");
	a->data = r->data ? strndup(r->data, (size_t)r->len) : NULL;
	asked_count++;
	requests++;
	return 0;
}

static void follow(const char *path, int32_t id)
{
	size_t i = 0;

	while (i < NODES && followed[i].id)
		i++;
	ck_assert_uint_lt(i, NODES);
	followed[i].id = id;
	snprintf(followed[i].path, sizeof followed[i].path, "%s", path);
}

static void unfollow(int32_t id)
{
	for (size_t i = 0; i < NODES; i++)
		if (followed[i].id == id)
			followed[i].id = 0;
}

static bool has_parent(const char *path)
{
	char parent[128];

	snprintf(parent, sizeof parent, "%.*s",
	         (int)(strrchr(path, '/') - path), path);
	return !parent[0] || node(parent);
}

static int carry_out(const struct asked *a, struct mu_result *r)
{
	struct node *n = node(a->path);

	if (refuse && a->q.op == refused_op) {
		int rc = refuse;

		refuse = 0;
		return rc;
	}
	switch (a->q.op) {
	case MU_UP_CREATE:
		if (n)
			return MU_EEXISTS;
		if (!has_parent(a->path))
			return MU_ENONODE;
		node_put(a->path, a->data ? a->data : "");
		return 0;
	case MU_UP_ADD_WATCH:
		ck_assert(!streams);
		return 0;
	case MU_UP_SUBSCRIBE:
		ck_assert(streams);
		ck_assert_int_eq(a->q.zxid, -1);
		ck_assert_uint_eq(a->q.flags, MU_SUBSCRIBE_EXACT);
		follow(a->path, a->q.subscription);
		return 0;
	case MU_UP_UNSUBSCRIBE:
		unfollow(a->q.subscription);
		return 0;
	case MU_UP_SET:
		if (!n)
			return MU_ENONODE;
		node_put(a->path, a->data);
		return 0;
	case MU_UP_GET:
		r->data = n ? n->text : NULL;
		r->len = n ? (int32_t)strlen(n->text) : -1;
		return n ? 0 : MU_ENONODE;
	case MU_UP_DELETE:
		if (!n)
			return MU_ENONODE;
		node_delete(a->path);
		return 0;
	default:
		ck_abort_msg("what is %d?", (int)a->q.op);
	}
}

/* Answer the oldest; false: nothing is asked. */
static bool answer(void)
{
	struct asked a = asked[0];
	struct mu_result r = { .size = sizeof r };

	if (asked_count == 0)
		return false;
	memmove(asked, asked + 1, --asked_count * sizeof *asked);
	r.rc = carry_out(&a, &r);
	if (a.q.done)
		a.q.done(a.q.owner, a.q.tag, &r);
	free(a.data);
	return true;
}

static void settle(void)
{
	while (answer())
		;
}

static void link_up(bool new_tree, bool lost_tree)
{
	struct mu_uplink_up now = { .new_tree = new_tree,
		                    .lost_tree = lost_tree,
		                    .streams = streams };

	up = true;
	memset(followed, 0, sizeof followed);
	listener->on_up(listener->arg, &now);
}

static void link_down(void)
{
	up = false;
	while (asked_count > 0)
		free(asked[--asked_count].data);
	listener->on_down(listener->arg);
}

/* ---- the bed ---- */

#define PATH "/top/mid/one"

static struct mu_loop *loop;
static struct mu_notices *notices;
static unsigned deletions;
static char deleted_by[256];
static char found[256]; /* by on_found */

static void setup(void)
{
	struct mu_err err;

	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	ck_assert_int_eq(mu_notices_new(loop, NULL, "a note", &notices), 0);
	deletions = 0;
	requests = 0;
	found[0] = '\0';
}

static void teardown(void)
{
	mu_notices_free(notices);
	notices = NULL;
	mu_loop_free(loop);
	while (asked_count > 0)
		free(asked[--asked_count].data);
	tree_wipe();
	up = false;
	refuse = 0;
	streams = false;
	memset(followed, 0, sizeof followed);
	ck_assert_int_eq(fault_alloc_live(), 0);
}

static void on_deleted(void *arg, const char *by)
{
	snprintf(deleted_by, sizeof deleted_by, "%s", by);
	ck_assert_ptr_eq(arg, &deletions);
	deletions++;
}

static char *on_found(void *arg, const char *text, struct mu_str was)
{
	(void)arg;
	snprintf(found, sizeof found, "%s after %.*s", text, (int)was.len,
	         was.at ? was.at : "");
	return was.at ? strdup(found) : NULL;
}

static void put(const char *path, const char *text)
{
	struct mu_notice n = { .path = path, .text = strdup(text) };

	ck_assert_int_eq(mu_notices_put(notices, &n), 0);
}

static void put_watched(const char *path, const char *text)
{
	struct mu_notice n = { .path = path,
		               .text = strdup(text),
		               .on_deleted = on_deleted,
		               .arg = &deletions };

	ck_assert_int_eq(mu_notices_put(notices, &n), 0);
}

static void put_looking(const char *path, const char *text)
{
	struct mu_notice n = { .path = path,
		               .text = strdup(text),
		               .on_found = on_found };

	ck_assert_int_eq(mu_notices_put(notices, &n), 0);
}

static void ck_node(const char *path, const char *text)
{
	struct node *n = node(path);

	if (!text) {
		ck_assert_msg(!n, "%s is there: %s", path, n ? n->text : "");
		return;
	}
	ck_assert_msg(n != NULL, "there is no %s", path);
	ck_assert_str_eq(n->text, text);
}

/* ---- notices ---- */

START_TEST(a_notice_is_written_with_the_two_nodes_above_it)
{
	link_up(true, false);
	put(PATH, "a");
	settle();
	ck_node("/top", "");
	ck_node("/top/mid", "");
	ck_node(PATH, "a");
	put(PATH, "b");
	settle();
	ck_node(PATH, "b");
	ck_assert_uint_eq(mu_notices_count(notices), 1);
}
END_TEST

START_TEST(
	what_was_put_while_the_broker_was_away_is_written_then_the_newest_alone)
{
	put(PATH, "a");
	put(PATH, "b");
	ck_assert_uint_eq(requests, 0);
	link_up(true, false);
	settle();
	ck_node(PATH, "b");
	link_down();
	put(PATH, "c");
	link_up(false, false);
	settle();
	ck_node(PATH, "c");
}
END_TEST

START_TEST(what_is_written_is_not_written_again_but_in_another_tree)
{
	link_up(true, false);
	put(PATH, "a");
	settle();
	requests = 0;
	link_down();
	link_up(false, false);
	settle();
	ck_assert_uint_eq(requests, 0);
	link_down();
	tree_wipe();
	link_up(true, true);
	settle();
	ck_node(PATH, "a");
}
END_TEST

/* Whatever answer the connection takes with it. */
START_TEST(a_connection_that_breaks_at_any_point_loses_nothing)
{
	streams = _i;
	for (int steps = 0; steps < 8; steps++) {
		link_up(steps == 0, false);
		put_watched(PATH, "a");
		for (int i = 0; i < steps; i++)
			answer();
		link_down();
		link_up(false, false);
		settle();
		ck_node(PATH, "a");
		ck_assert_int_eq(mu_notices_remove(notices, PATH), 0);
		for (int i = 0; i < steps; i++)
			answer();
		link_down();
		link_up(false, false);
		settle();
		ck_node(PATH, NULL);
		ck_assert_uint_eq(mu_notices_count(notices), 0);
		ck_assert_uint_eq(deletions, 0);
		link_down();
		tree_wipe();
	}
}
END_TEST

START_TEST(what_is_put_while_it_is_taken_away_stays_and_the_other_way_round)
{
	link_up(true, false);
	put(PATH, "a");
	settle();
	ck_assert_int_eq(mu_notices_remove(notices, PATH), 0);
	put(PATH, "b"); /* before the answer */
	settle();
	ck_node(PATH, "b");
	put(PATH, "c");
	ck_assert_int_eq(mu_notices_remove(notices, PATH), 0);
	settle();
	ck_node(PATH, NULL);
	ck_assert_uint_eq(mu_notices_count(notices), 0);
}
END_TEST

START_TEST(what_is_put_again_before_any_answer_is_looked_after)
{
	for (int steps = 0; steps < 10; steps++) {
		streams = _i;
		link_up(steps == 0, false);
		deletions = 0;
		put_watched(PATH, "a");
		for (int i = 0; i < steps; i++)
			answer();
		mu_notices_remove(notices, PATH);
		put_watched(PATH, "b");
		settle();
		ck_node(PATH, "b");
		node_delete(PATH);
		ck_assert_uint_eq(deletions, 1);
		settle();
		ck_assert_uint_eq(count_followed(), 0);
		tree_wipe();
		link_down();
	}
}
END_TEST

/* As of an agent whose instances come and go under ever new names. */
START_TEST(names_that_come_and_go_take_no_memory)
{
	long before = fault_alloc_live();
	char path[64];

	link_up(true, false);
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof path, "/top/mid/n%d", i);
		put(path, "a");
		if (i % 2)
			settle();
		ck_assert_int_eq(mu_notices_remove(notices, path), 0);
		settle();
		ck_node(path, NULL);
	}
	ck_assert_uint_eq(mu_notices_count(notices), 0);
	ck_assert_int_eq(fault_alloc_live(), before);
}
END_TEST

START_TEST(what_is_to_go_while_the_broker_is_away_goes_then_and_is_forgotten)
{
	node_put("/top", "");
	node_put("/top/mid", "");
	node_put(PATH, "left by an agent before");
	ck_assert_int_eq(mu_notices_remove(notices, PATH), 0);
	ck_assert_uint_eq(mu_notices_count(notices), 1);
	link_up(true, false);
	settle();
	ck_node(PATH, NULL);
	ck_assert_uint_eq(mu_notices_count(notices), 0);
	/* In another tree there is nothing to take away. */
	link_down();
	ck_assert_int_eq(mu_notices_remove(notices, PATH), 0);
	requests = 0;
	link_up(true, true);
	ck_assert_uint_eq(requests, 0);
	ck_assert_uint_eq(mu_notices_count(notices), 0);
}
END_TEST

START_TEST(who_deletes_it_is_heard_once_and_the_notice_is_no_more)
{
	streams = _i;
	link_up(true, false);
	put_watched(PATH, "a");
	settle();
	node_delete(PATH);
	ck_assert_uint_eq(deletions, 1);
	ck_assert_str_eq(deleted_by, _i ? "10.0.0.7 session 0x2a" : "");
	ck_assert_uint_eq(mu_notices_count(notices), 0);
	settle();
	ck_assert_uint_eq(count_followed(), 0);
	put_watched(PATH, "b");
	settle();
	ck_node(PATH, "b");
	node_delete(PATH);
	ck_assert_uint_eq(deletions, 2);
}
END_TEST

START_TEST(a_deletion_while_the_link_was_down_is_seen_when_it_is_back)
{
	streams = _i;
	link_up(true, false);
	put_watched(PATH, "a");
	settle();
	link_down();
	link_up(false, false);
	settle();
	ck_assert_uint_eq(deletions, 0);
	link_down();
	node_delete(PATH);
	ck_assert_uint_eq(deletions, 0);
	link_up(false, false);
	settle();
	ck_assert_uint_eq(deletions, 1);
	ck_assert_uint_eq(mu_notices_count(notices), 0);
	ck_node(PATH, NULL);
}
END_TEST

START_TEST(our_own_deletion_and_a_lost_tree_are_told_to_nobody)
{
	streams = _i;
	link_up(true, false);
	put_watched(PATH, "a");
	settle();
	ck_assert_int_eq(mu_notices_remove(notices, PATH), 0);
	settle();
	ck_assert_uint_eq(deletions, 0);
	ck_assert_uint_eq(count_followed(), 0);
	put_watched(PATH, "b");
	settle();
	link_down();
	tree_wipe();
	link_up(true, true);
	settle();
	ck_node(PATH, "b");
	ck_assert_uint_eq(deletions, 0);
	mu_notices_forget(notices, &deletions);
	node_delete(PATH);
	ck_assert_uint_eq(deletions, 0);
}
END_TEST

START_TEST(what_stood_there_is_looked_at_before_it_is_written_over)
{
	node_put("/top", "");
	node_put("/top/mid", "");
	node_put(PATH, "old");
	link_up(true, false);
	put_looking(PATH, "new");
	settle();
	ck_node(PATH, "new after old");
	mu_notices_remove(notices, PATH);
	settle();
	put_looking(PATH, "new");
	settle();
	ck_assert_str_eq(found, "new after ");
	ck_node(PATH, "new");
	/* Put again before the answer: it is the newest that is written. */
	put_looking(PATH, "x");
	put_looking(PATH, "y");
	settle();
	ck_node(PATH, "y after new");
	put_looking(PATH, "x");
	put(PATH, "z");
	found[0] = '\0';
	settle();
	ck_node(PATH, "z");
	ck_assert_str_eq(found, "");
}
END_TEST

START_TEST(what_fails_is_kept_and_what_can_only_fail_is_left)
{
	link_up(true, false);
	refused_op = MU_UP_SET;
	refuse = MU_EQUOTA;
	put(PATH, "a");
	settle();
	ck_node(PATH, NULL);
	ck_assert_uint_eq(mu_notices_count(notices), 1);
	put(PATH, "b");
	settle();
	ck_node(PATH, "b");
	refused_op = MU_UP_DELETE;
	refuse = MU_ETHROTTLED;
	mu_notices_remove(notices, PATH);
	settle();
	ck_assert_uint_eq(mu_notices_count(notices), 1);
	refuse = MU_ENOTEMPTY;
	mu_notices_remove(notices, PATH);
	settle();
	ck_assert_uint_eq(mu_notices_count(notices), 0);
	ck_node(PATH, "b");
}
END_TEST

/* ---- what the log hears of it ---- */

static char log_file[] = "/tmp/muster-notice.XXXXXX";
static int stderr_was;

static void catch_log(void)
{
	int fd;

	strcpy(strrchr(log_file, '.'), ".XXXXXX");
	fd = mkstemp(log_file);
	mu_log_open("test", MU_INFO);
	stderr_was = dup(2);
	ck_assert_int_ge(dup2(fd, 2), 0);
	close(fd);
}

static void release_log(void)
{
	dup2(stderr_was, 2);
	close(stderr_was);
	unlink(log_file);
}

static void refuse_next(enum mu_uplink_op op, int rc, const char *text)
{
	refused_op = op;
	refuse = rc;
	put(PATH, text);
	settle();
}

static void ck_logged(const char *text, unsigned times)
{
	ck_assert_uint_eq(file_count(log_file, text), times);
}

START_TEST(the_log_hears_once_of_what_goes_on_failing_for_the_same_reason)
{
	link_up(true, false);
	put(PATH, "a");
	settle();
	catch_log();
	for (int i = 0; i < 3; i++)
		refuse_next(MU_UP_SET, MU_EQUOTA, "b");
	ck_logged("level=error prog=test msg=\"a node cannot be written", 1);
	refuse_next(MU_UP_SET, MU_ETHROTTLED, "b");
	refuse_next(MU_UP_SET, MU_ETHROTTLED, "b");
	ck_logged("a node cannot be written", 2);
	ck_logged("a node is written again", 0);
	/* A link that breaks says nothing of the node. */
	link_down();
	link_up(false, false);
	settle();
	ck_node(PATH, "b");
	ck_logged("level=info prog=test msg=\"a node is written again\"", 1);
	put(PATH, "c");
	settle();
	ck_logged("a node is written again", 1);
	refuse_next(MU_UP_SET, MU_ETHROTTLED, "d");
	ck_logged("a node cannot be written", 3);
	refused_op = MU_UP_DELETE;
	for (int i = 0; i < 2; i++) {
		refuse = MU_ETHROTTLED;
		mu_notices_remove(notices, PATH);
		settle();
	}
	ck_logged("a node cannot be taken away", 1);
	refuse_next(MU_UP_SET, MU_ETHROTTLED, "e");
	ck_logged("a node cannot be written", 4);
	release_log();
}
END_TEST

static unsigned rings; /* each half a second */

/* Another one fails, and fails; is the first one asked for again? */
static void fail_another(void *arg)
{
	(void)arg;
	if (asked_count > 0 || ++rings == 16) {
		mu_loop_stop(loop);
		return;
	}
	refuse = MU_EQUOTA;
	put("/top/mid/two", "b");
	settle();
}

START_TEST(one_that_fails_time_and_again_keeps_no_other_waiting)
{
	struct mu_timer *t;

	rings = 0;
	link_up(true, false);
	refused_op = MU_UP_SET;
	refuse = MU_ETHROTTLED;
	put(PATH, "a");
	settle();
	ck_assert_int_eq(mu_timer_new(loop, fail_another, NULL, &t), 0);
	mu_timer_arm(t, 500, 500);
	mu_loop_run(loop);
	mu_timer_free(t);
	ck_assert_uint_gt(asked_count, 0);
	settle();
	ck_node(PATH, "a");
}
END_TEST

START_TEST(without_memory_nothing_changes)
{
	char *text = strdup("a");
	struct mu_notice n = { .path = PATH, .text = text };
	struct mu_notices *none = NULL;
	int rc = MU_ENOMEM;

	fault_alloc_at(0);
	ck_assert_int_eq(mu_notices_put(notices, &n), MU_ENOMEM);
	fault_alloc_at(0);
	ck_assert_int_eq(mu_notices_remove(notices, PATH), MU_ENOMEM);
	fault_alloc_off();
	ck_assert_uint_eq(mu_notices_count(notices), 0);
	ck_assert_int_eq(mu_notices_put(notices, &n), 0);
	link_up(true, false);
	settle();
	ck_node(PATH, "a");
	mu_notices_free(notices);
	for (unsigned k = 0; rc; k++) {
		fault_alloc_at(k);
		rc = mu_notices_new(loop, NULL, "a note", &none);
		fault_alloc_off();
	}
	notices = none;
}
END_TEST

/* ---- reports ---- */

#define REPORT "/applied/page/h1"

static struct mu_applied *applied;

static void applied_setup(void)
{
	struct mu_err err;

	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	ck_assert_int_eq(mu_applied_new(loop, NULL, "h1", &applied), 0);
	link_up(true, false);
}

static void applied_teardown(void)
{
	mu_applied_free(applied);
	applied = NULL;
	teardown();
}

static int report(enum mu_report_state state, int32_t version)
{
	struct mu_chan_report r = { .path = MU_STR("/config/page"),
		                    .zxid = 100 + version,
		                    .version = version,
		                    .digest = MU_STR("d"),
		                    .state = (int32_t)state };

	return mu_applied_report(applied, "page", &r);
}

static void ck_report(int64_t version, const char *state, int64_t in_force)
{
	struct node *n = node(REPORT);
	const struct mu_json *was;
	struct mu_json *j;

	ck_assert_ptr_nonnull(n);
	ck_assert_int_eq(mu_json_parse(n->text, strlen(n->text), &j, NULL), 0);
	ck_assert_int_eq(mu_json_get_int(j, "version", -9), version);
	ck_assert_str_eq(mu_json_get_str(j, "state", ""), state);
	was = mu_json_get_object(j, "in_force");
	ck_assert_msg((was != NULL) == (in_force > -9), "%s", n->text);
	if (was) {
		ck_assert_int_eq(mu_json_get_int(was, "version", -9), in_force);
		ck_assert_int_eq(mu_json_get_int(was, "zxid", -9),
		                 100 + in_force);
		ck_assert_str_eq(mu_json_get_str(was, "path", ""),
		                 "/config/page");
		ck_assert_str_eq(mu_json_get_str(was, "digest", ""), "d");
		ck_assert_int_gt(mu_json_get_int(was, "at", 0), 0);
	}
	mu_json_free(j);
}

START_TEST(a_report_keeps_what_is_in_force_beside_what_was_refused)
{
	report(MU_REPORT_REJECTED, 0);
	settle();
	ck_report(0, "rejected", -9);
	report(MU_REPORT_APPLIED, 1);
	settle();
	ck_report(1, "applied", 1);
	report(MU_REPORT_REJECTED, 2);
	settle();
	ck_report(2, "rejected", 1);
	report(MU_REPORT_FAILED, 3);
	settle();
	ck_report(3, "failed", 1);
	report(MU_REPORT_APPLIED, -1);
	report(MU_REPORT_FAILED, 4);
	settle();
	ck_report(4, "failed", -1);
}
END_TEST

START_TEST(what_is_in_force_is_known_to_the_next_agent)
{
	static const enum mu_report_state last[] = { MU_REPORT_APPLIED,
		                                     MU_REPORT_REJECTED };

	report(MU_REPORT_APPLIED, 5);
	report(last[_i], 5 + _i);
	settle();
	mu_applied_free(applied);
	ck_assert_int_eq(mu_applied_new(loop, NULL, "h1", &applied), 0);
	link_up(true, false);
	report(MU_REPORT_FAILED, 8);
	report(MU_REPORT_FAILED, 9);
	settle();
	ck_report(9, "failed", 5);
	report(MU_REPORT_REJECTED, 10);
	settle();
	ck_report(10, "rejected", 5);
}
END_TEST

static int report_on(const char *path, enum mu_report_state state,
                     int32_t version)
{
	struct mu_chan_report r = { .path = mu_str_of(path),
		                    .zxid = 100 + version,
		                    .version = version,
		                    .state = (int32_t)state };

	return mu_applied_report(applied, "page", &r);
}

/* "/a 1, /b 2": also_in_force of the record. */
static void ck_also(const char *wanted)
{
	const struct mu_json *list;
	struct mu_json *j;
	struct node *n;
	char text[8000] = "";

	settle();
	n = node(REPORT);
	ck_assert_ptr_nonnull(n);
	ck_assert_int_eq(mu_json_parse(n->text, strlen(n->text), &j, NULL), 0);
	list = mu_json_get_array(j, "also_in_force");
	for (size_t i = 0; list && i < mu_json_count(list); i++) {
		const struct mu_json *o = mu_json_at(list, i);
		size_t len = strlen(text);
		int64_t version = mu_json_get_int(o, "version", -9);

		snprintf(text + len, sizeof text - len, "%s%s %d",
		         i ? ", " : "", mu_json_get_str(o, "path", ""),
		         (int)version);
		ck_assert_int_eq(mu_json_get_int(o, "zxid", 0), 100 + version);
	}
	ck_assert_str_eq(text, wanted);
	ck_assert(!list || mu_json_count(list) > 0);
	mu_json_free(j);
}

START_TEST(nodes_that_were_applied_before_are_told_beside_the_last_one)
{
	settle();
	report_on("/a", MU_REPORT_APPLIED, 1);
	settle();
	ck_also("");
	report_on("/b", MU_REPORT_APPLIED, 2);
	ck_also("/a 1");
	report_on("/c", MU_REPORT_APPLIED, 3);
	ck_also("/b 2, /a 1");
	report_on("/a", MU_REPORT_APPLIED, 4);
	ck_also("/c 3, /b 2");
	/* What is refused leaves all in force; /a stands in in_force. */
	report_on("/b", MU_REPORT_REJECTED, 5);
	ck_also("/c 3, /b 2");
	/* A node that is gone is not in force. */
	report_on("/b", MU_REPORT_APPLIED, -1);
	ck_also("/a 4, /c 3");
	report_on("/c", MU_REPORT_APPLIED, 6);
	ck_also("/a 4");
	/* What is no path is none of them. */
	report_on("odd", MU_REPORT_APPLIED, 1);
	ck_also("/c 6, /a 4");
	report_on("/d", MU_REPORT_APPLIED, 1);
	ck_also("/c 6, /a 4");
}
END_TEST

START_TEST(an_instance_that_begins_has_one_node_in_force_at_most)
{
	settle();
	report_on("/a", MU_REPORT_APPLIED, 1);
	report_on("/b", MU_REPORT_APPLIED, 2);
	mu_applied_begin(applied, "other");
	report_on("/b", MU_REPORT_REJECTED, 3);
	ck_also("/a 1");
	mu_applied_begin(applied, "page");
	report_on("/c", MU_REPORT_REJECTED, 3);
	settle();
	ck_also("");
	report_on("/c", MU_REPORT_APPLIED, 3);
	report_on("/a", MU_REPORT_APPLIED, 1);
	ck_also("/c 3");
}
END_TEST

START_TEST(of_too_many_nodes_the_last_ones_are_known)
{
	char path[32], wanted[8000] = "";
	size_t len = 0;

	settle();
	for (int i = 0; i < (int)MU_APPLIED_NODES_MAX; i++) {
		snprintf(path, sizeof path, "/%d", i);
		report_on(path, MU_REPORT_APPLIED, i);
	}
	for (int i = (int)MU_APPLIED_NODES_MAX - 2; i >= 0; i--)
		len += (size_t)snprintf(wanted + len, sizeof wanted - len,
		                        "%s/%d %d", len ? ", " : "", i, i);
	ck_also(wanted);
	report_on("/last", MU_REPORT_APPLIED, 7);
	snprintf(wanted, sizeof wanted, "%s", "");
	len = 0;
	for (int i = (int)MU_APPLIED_NODES_MAX - 1; i >= 1; i--)
		len += (size_t)snprintf(wanted + len, sizeof wanted - len,
		                        "%s/%d %d", len ? ", " : "", i, i);
	ck_also(wanted);
}
END_TEST

START_TEST(a_report_on_another_node_without_memory_leaves_what_was)
{
	int rc = MU_ENOMEM;

	settle();
	report_on("/a", MU_REPORT_APPLIED, 1);
	report_on("/b", MU_REPORT_APPLIED, 2);
	settle();
	for (unsigned k = 0; rc; k++) {
		fault_alloc_at(k);
		rc = report_on("/c", MU_REPORT_APPLIED, 3);
		fault_alloc_off();
		ck_assert(rc == 0 || rc == MU_ENOMEM);
		ck_also(rc ? "/a 1" : "/b 2, /a 1");
	}
}
END_TEST

START_TEST(a_record_that_is_none_is_written_over)
{
	static const char *const odd[] = {
		"",
		"x",
		"7",
		"[]",
		"{\"state\":7}",
		"{\"in_force\":3}",
		"{\"state\":\"failed\"}",
	};

	for (size_t i = 0; i < COUNT(odd); i++) {
		mu_applied_remove(applied, "page");
		settle();
		node_put("/applied", "");
		node_put("/applied/page", "");
		node_put(REPORT, odd[i]);
		report(MU_REPORT_FAILED, 2);
		settle();
		ck_report(2, "failed", -9);
	}
}
END_TEST

START_TEST(an_instance_that_is_no_more_takes_its_report_along)
{
	long before;

	settle();
	before = fault_alloc_live();
	report(MU_REPORT_APPLIED, 5);
	settle();
	mu_applied_remove(applied, "page");
	settle();
	ck_node(REPORT, NULL);
	ck_assert_int_eq(fault_alloc_live(), before);
	report(MU_REPORT_REJECTED, 6);
	mu_applied_remove(applied, "page"); /* while it looks */
	settle();
	ck_node(REPORT, NULL);
	ck_assert_int_eq(fault_alloc_live(), before);
	report(MU_REPORT_REJECTED, 7);
	settle();
	ck_report(7, "rejected", -9);
}
END_TEST

START_TEST(a_report_without_memory_leaves_what_was)
{
	int rc = MU_ENOMEM;

	report(MU_REPORT_APPLIED, 1);
	settle();
	for (unsigned k = 0; rc; k++) {
		fault_alloc_at(k);
		rc = report(MU_REPORT_APPLIED, 2);
		fault_alloc_off();
		ck_assert(rc == 0 || rc == MU_ENOMEM);
		settle();
		ck_report(rc ? 1 : 2, "applied", rc ? 1 : 2);
	}
	mu_applied_remove(applied, "page");
	settle();
	for (unsigned k = 0, fired = 1; fired; k++) {
		fault_alloc_at(k);
		(void)report(MU_REPORT_REJECTED, 3);
		settle();
		fired = (unsigned)fault_alloc_off();
	}
}
END_TEST

/* ---- alarms ---- */

#define ALARM "/alarms/quarantine/page@h1"

START_TEST(an_alarm_says_who_and_why_and_takes_no_memory_when_it_is_over)
{
	struct mu_alarm alarm = { .since_ms = 7,
		                  .failures = 5,
		                  .reason = "it hangs",
		                  .on_released = on_deleted,
		                  .arg = &deletions };
	struct mu_alarms *a;
	long before;

	deletions = 0;
	ck_assert_int_eq(mu_alarms_new(loop, NULL, "h1", &a), 0);
	link_up(true, false);
	before = fault_alloc_live();
	mu_alarms_clear(a, "page");
	settle();
	ck_assert_int_eq(mu_alarms_raise(a, "page", &alarm), 0);
	settle();
	ck_node(ALARM, "{\"instance\":\"page\",\"host\":\"h1\",\"since\":7,"
	               "\"failures\":5,\"reason\":\"it hangs\"}");
	node_delete(ALARM);
	ck_assert_uint_eq(deletions, 1);
	ck_assert_int_eq(fault_alloc_live(), before);
	ck_assert_int_eq(mu_alarms_raise(a, "page", &alarm), 0);
	settle();
	mu_alarms_forget(a, &deletions);
	mu_alarms_clear(a, "page");
	settle();
	ck_node(ALARM, NULL);
	ck_assert_uint_eq(deletions, 1);
	ck_assert_int_eq(fault_alloc_live(), before);
	mu_alarms_free(a);
}
END_TEST

static TCase *group(Suite *s, const char *name, SFun up_, SFun down_)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, up_, down_);
	tcase_set_timeout(t, 60); /* a retry takes 5 s */
	suite_add_tcase(s, t);
	return t;
}

static void add_notices(TCase *t)
{
	tcase_add_test(t, a_notice_is_written_with_the_two_nodes_above_it);
	tcase_add_test(
		t,
		what_was_put_while_the_broker_was_away_is_written_then_the_newest_alone);
	tcase_add_test(
		t, what_is_written_is_not_written_again_but_in_another_tree);
	tcase_add_loop_test(
		t, a_connection_that_breaks_at_any_point_loses_nothing, 0, 2);
	tcase_add_test(
		t,
		what_is_put_while_it_is_taken_away_stays_and_the_other_way_round);
	tcase_add_loop_test(
		t, what_is_put_again_before_any_answer_is_looked_after, 0, 2);
	tcase_add_test(t, names_that_come_and_go_take_no_memory);
	tcase_add_test(
		t,
		what_is_to_go_while_the_broker_is_away_goes_then_and_is_forgotten);
	tcase_add_loop_test(
		t, who_deletes_it_is_heard_once_and_the_notice_is_no_more, 0,
		2);
	tcase_add_loop_test(
		t, a_deletion_while_the_link_was_down_is_seen_when_it_is_back,
		0, 2);
	tcase_add_loop_test(
		t, our_own_deletion_and_a_lost_tree_are_told_to_nobody, 0, 2);
	tcase_add_test(t,
	               what_stood_there_is_looked_at_before_it_is_written_over);
	tcase_add_test(t, what_fails_is_kept_and_what_can_only_fail_is_left);
	tcase_add_test(
		t,
		the_log_hears_once_of_what_goes_on_failing_for_the_same_reason);
	tcase_add_test(t, one_that_fails_time_and_again_keeps_no_other_waiting);
	tcase_add_test(t, without_memory_nothing_changes);
}

int main(void)
{
	Suite *s = suite_create("host_notice");
	TCase *t;
	SRunner *sr;
	int failed;

	add_notices(group(s, "notices", setup, teardown));
	t = group(s, "reports", applied_setup, applied_teardown);
	tcase_add_test(t,
	               a_report_keeps_what_is_in_force_beside_what_was_refused);
	tcase_add_loop_test(t, what_is_in_force_is_known_to_the_next_agent, 0,
	                    2);
	tcase_add_test(
		t, nodes_that_were_applied_before_are_told_beside_the_last_one);
	tcase_add_test(t,
	               an_instance_that_begins_has_one_node_in_force_at_most);
	tcase_add_test(t, of_too_many_nodes_the_last_ones_are_known);
	tcase_add_test(t,
	               a_report_on_another_node_without_memory_leaves_what_was);
	tcase_add_test(t, a_record_that_is_none_is_written_over);
	tcase_add_test(t, an_instance_that_is_no_more_takes_its_report_along);
	tcase_add_test(t, a_report_without_memory_leaves_what_was);
	t = group(s, "alarms", setup, teardown);
	tcase_add_test(
		t,
		an_alarm_says_who_and_why_and_takes_no_memory_when_it_is_over);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
