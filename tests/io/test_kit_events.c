/* The file that `muster plugin run` replays: what is read, what is refused, and
 * what its lines do to the tree in memory. */
#include "kit_events.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct kit_events events;
static struct kit_tree tree;
static struct kit_event event;
static struct mu_err err;

static void teardown(void)
{
	kit_event_wipe(&event);
	kit_events_free(&events);
	kit_tree_fini(&tree);
}

static int read_text(const char *text)
{
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int rc;

	ck_assert_ptr_nonnull(in);
	rc = kit_events_read(in, "f", &events, &err);
	fclose(in);
	return rc;
}

static void read_good(const char *text)
{
	ck_assert_msg(read_text(text) == 0, "%s", err.msg);
}

/* Play the next line. */
static void play(size_t i)
{
	ck_assert_uint_lt(i, events.count);
	kit_event_wipe(&event);
	ck_assert_int_eq(kit_line_play(&events.line[i], &tree, &event), 0);
}

static void ck_str(struct mu_str s, const char *text)
{
	ck_assert_msg(s.at && s.len == strlen(text) &&
	                      memcmp(s.at, text, s.len) == 0,
	              "\"%.*s\", not \"%s\"", s.at ? (int)s.len : 0,
	              s.at ? s.at : "", text);
}

/* ---- reading ---- */

START_TEST(lines_are_counted_and_those_that_say_nothing_are_passed_over)
{
	read_good("# a file\n\n{\"node\":\"/a\"}\n  \n"
	          "{\"event\":\"changed\",\"path\":\"/a\"}");
	ck_assert_uint_eq(events.count, 2);
	ck_assert_uint_eq(events.line[0].number, 3);
	ck_assert_int_eq(events.line[0].type, -1);
	ck_assert_uint_eq(events.line[1].number, 5);
	ck_assert_int_eq(events.line[1].type, MU_EVENT_CHANGED);
}
END_TEST

static const struct {
	const char *line, *word;
} bad[] = {
	{ "{", "f:1: " },
	{ "[]", "either" },
	{ "7", "either" },
	{ "{}", "either" },
	{ "{\"event\":\"created\",\"node\":\"/a\"}", "either" },
	{ "{\"event\":\"creaed\",\"path\":\"/a\"}", "\"creaed\" is no event" },
	{ "{\"event\":7,\"path\":\"/a\"}", "is no event" },
	{ "{\"event\":\"created\"}", "\"path\" is missing" },
	{ "{\"event\":\"created\",\"path\":\"a\"}", "start" },
	{ "{\"event\":\"created\",\"path\":\"/a//b\"}", "empty" },
	{ "{\"event\":\"created\",\"path\":\"/a\",\"dta\":\"\"}", "\"dta\"" },
	{ "{\"event\":\"created\",\"path\":\"/a\",\"data\":7}", "\"data\"" },
	{ "{\"event\":\"created\",\"path\":\"/a\",\"data_base64\":\"*\"}",
	  "\"data\"" },
	{ "{\"event\":\"created\",\"path\":\"/a\",\"zxid\":\"7\"}",
	  "\"zxid\" must be a whole number" },
	{ "{\"event\":\"created\",\"path\":\"/a\",\"zxid\":-1}", "\"zxid\"" },
	{ "{\"event\":\"created\",\"path\":\"/a\",\"count\":0}", "\"count\"" },
	{ "{\"event\":\"created\",\"path\":\"/a\",\"version\":3000000000}",
	  "\"version\"" },
	{ "{\"event\":\"created\",\"path\":\"/a\",\"flags\":[\"agin\"]}",
	  "\"again\"" },
	{ "{\"event\":\"created\",\"path\":\"/a\",\"flags\":\"again\"}",
	  "\"again\"" },
	{ "{\"event\":\"created\",\"path\":\"/a\",\"cause\":\"whim\"}",
	  "\"cause\" must be \"request\"" },
	{ "{\"event\":\"created\",\"path\":\"/a\",\"author\":7}",
	  "\"author\" must be a text" },
	{ "{\"call\":\"tock\"}", "\"tock\" is no call" },
	{ "{\"call\":7}", "is no call" },
	{ "{\"call\":\"tick\",\"path\":\"/a\"}", "\"path\" is no key" },
	{ "{\"call\":\"tick\",\"node\":\"/a\"}", "either" },
	{ "{\"event\":\"joined\"}", "\"member\" is missing" },
	{ "{\"event\":\"joined\",\"member\":{}}", "\"name\"" },
	{ "{\"event\":\"joined\",\"member\":{\"name\":\"a/b\"}}", "\"name\"" },
	{ "{\"event\":\"joined\",\"member\":7}", "\"name\"" },
	{ "{\"node\":\"/a\",\"count\":2}", "\"count\" is no key" },
	{ "{\"node\":7}", "must be a text" },
};

START_TEST(a_line_that_is_not_sound_is_refused_with_its_number)
{
	ck_assert_int_eq(read_text(bad[_i].line), MU_EDATA);
	ck_assert_msg(strstr(err.msg, bad[_i].word) != NULL, "%s", err.msg);
	ck_assert_msg(strncmp(err.msg, "f:1: ", 5) == 0, "%s", err.msg);
	ck_assert_uint_eq(events.count, 0);
}
END_TEST

/* {"node":"/ppp...","data":"ddd..."} */
static int read_long(size_t path, size_t data)
{
	char *text = malloc(path + data + 64), *at = text;
	int rc;

	ck_assert_ptr_nonnull(text);
	at += sprintf(at, "{\"node\":\"/");
	memset(at, 'p', path - 1);
	at += path - 1;
	at += sprintf(at, "\",\"data\":\"");
	memset(at, 'd', data);
	strcpy(at + data, "\"}");
	rc = read_text(text);
	free(text);
	kit_events_free(&events);
	return rc;
}

START_TEST(paths_and_values_have_limits)
{
	ck_assert_int_eq(read_long(4096, 1 << 20), 0);
	ck_assert_int_eq(read_long(4097, 1), MU_EDATA);
	ck_assert_msg(strstr(err.msg, "path is over 4096") != NULL, "%s",
	              err.msg);
	ck_assert_int_eq(read_long(10, (1 << 20) + 1), MU_EDATA);
	ck_assert_msg(strstr(err.msg, "over 1 MiB") != NULL, "%s", err.msg);
}
END_TEST

START_TEST(after_a_bad_line_nothing_is_left)
{
	ck_assert_int_eq(read_text("{\"node\":\"/a\"}\n{\"nod\":\"/b\"}\n"),
	                 MU_EDATA);
	ck_assert_msg(strncmp(err.msg, "f:2: ", 5) == 0, "%s", err.msg);
	ck_assert_ptr_null(events.line);
}
END_TEST

/* ---- playing ---- */

START_TEST(a_node_line_makes_a_node_and_what_is_above_it)
{
	read_good("{\"node\":\"/a/b\",\"data\":\"x\",\"version\":7}\n");
	play(0);
	ck_assert_ptr_null(event.path);
	ck_assert_ptr_nonnull(kit_tree_find(&tree, "/"));
	ck_assert_int_eq(kit_tree_find(&tree, "/a")->len, -1);
	ck_assert_int_eq(kit_tree_find(&tree, "/a")->stat.num_children, 1);
	ck_assert_int_eq(kit_tree_find(&tree, "/a/b")->len, 1);
	ck_assert_int_eq(kit_tree_find(&tree, "/a/b")->stat.version, 7);
}
END_TEST

START_TEST(an_event_has_what_it_says_and_what_follows_from_the_tree)
{
	read_good("{\"node\":\"/a\",\"data\":\"old\",\"version\":3}\n"
	          "{\"event\":\"changed\",\"path\":\"/a\",\"data\":\"new\","
	          "\"zxid\":9,\"n\":2,\"count\":4,\"attempt\":5,"
	          "\"flags\":[\"again\",\"coalesced\"]}\n");
	play(0);
	play(1);
	ck_assert_uint_eq(event.e.type, MU_EVENT_CHANGED);
	ck_str(event.e.path, "/a");
	ck_str(event.e.data, "new");
	ck_str(event.e.old_data, "old");
	ck_assert_int_eq(event.e.zxid, 9);
	ck_assert_int_eq(event.e.n, 2);
	ck_assert_uint_eq(event.e.count, 4);
	ck_assert_uint_eq(event.e.attempt, 5);
	ck_assert_uint_eq(event.e.flags, MU_EVENT_AGAIN | MU_EVENT_COALESCED);
	ck_assert(event.e.has_stat);
	ck_assert_int_eq(event.e.stat.version, 4);
	ck_assert_int_eq(event.e.stat.mzxid, 9);
	ck_assert_int_eq(event.e.stat.data_len, 3);
}
END_TEST

START_TEST(an_event_without_data_has_the_nodes)
{
	read_good("{\"node\":\"/a\",\"data\":\"x\"}\n"
	          "{\"event\":\"present\",\"path\":\"/a\"}\n"
	          "{\"event\":\"changed\",\"path\":\"/a\",\"data\":null}\n");
	play(0);
	play(1);
	ck_str(event.e.data, "x");
	ck_assert_ptr_null(event.e.old_data.at);
	play(2);
	ck_assert_ptr_null(event.e.data.at);
	ck_str(event.e.old_data, "x");
	ck_assert_int_eq(kit_tree_find(&tree, "/a")->len, -1);
}
END_TEST

START_TEST(a_deleted_node_goes_with_what_is_below_it_and_nothing_else)
{
	read_good("{\"node\":\"/a/b\",\"data\":\"x\"}\n{\"node\":\"/a/b/c\"}\n"
	          "{\"node\":\"/a/bc\"}\n"
	          "{\"event\":\"deleted\",\"path\":\"/a/b\"}\n");
	for (size_t i = 0; i < 4; i++)
		play(i);
	ck_str(event.e.old_data, "x");
	ck_assert(!event.e.has_stat);
	ck_assert_ptr_null(kit_tree_find(&tree, "/a/b"));
	ck_assert_ptr_null(kit_tree_find(&tree, "/a/b/c"));
	ck_assert_ptr_nonnull(kit_tree_find(&tree, "/a/bc"));
	ck_assert_int_eq(kit_tree_find(&tree, "/a")->stat.num_children, 1);
}
END_TEST

START_TEST(a_member_comes_and_goes_with_its_node)
{
	read_good(
		"{\"event\":\"joined\",\"member\":{\"name\":\"w\",\"port\":80,"
		"\"address\":\"h\",\"labels\":{\"a\":1}}}\n"
		"{\"event\":\"failed\",\"member\":{\"name\":\"w\"}}\n");
	play(0);
	ck_assert(event.e.has_member);
	ck_str(event.e.path, "/members/w");
	ck_str(event.e.name, "w");
	ck_str(event.e.address, "h");
	ck_str(event.e.labels, "{\"a\":1}");
	ck_assert_uint_eq(event.e.port, 80);
	ck_assert_ptr_nonnull(kit_tree_find(&tree, "/members/w"));
	play(1);
	ck_str(event.e.labels, "{}");
	ck_assert_ptr_null(kit_tree_find(&tree, "/members/w"));
}
END_TEST

START_TEST(zxids_that_are_not_given_go_on_from_the_last)
{
	read_good("{\"event\":\"connected\"}\n"
	          "{\"event\":\"created\",\"path\":\"/a\",\"zxid\":40}\n"
	          "{\"event\":\"created\",\"path\":\"/b\"}\n");
	play(0);
	ck_assert_int_eq(event.e.zxid, 1);
	ck_str(event.e.path, "");
	play(1);
	play(2);
	ck_assert_int_eq(event.e.zxid, 41);
	ck_assert_int_eq(event.e.stat.czxid, 41);
}
END_TEST

START_TEST(an_event_says_who_and_how)
{
	read_good("{\"event\":\"deleted\",\"path\":\"/a\",\"cause\":"
	          "\"expiry\",\"author\":\"web1\",\"author_session\":-5,"
	          "\"flags\":[\"stale\",\"renewed\"]}\n"
	          "{\"event\":\"gap\",\"path\":\"/a\"}\n");
	play(0);
	ck_assert_int_eq(event.e.cause, MU_BY_EXPIRY);
	ck_str(event.e.author, "web1");
	ck_assert_int_eq(event.e.author_session, -5);
	ck_assert_uint_eq(event.e.flags, MU_EVENT_STALE | MU_EVENT_RENEWED);
	play(1);
	ck_assert_int_eq(event.e.type, MU_EVENT_GAP);
	ck_assert_int_eq(event.e.cause, MU_BY_REQUEST);
	ck_str(event.e.author, "");
}
END_TEST

START_TEST(a_call_line_is_a_tick_or_a_check)
{
	read_good("{\"call\":\"tick\"}\n{\"call\":\"check\"}\n");
	ck_assert_int_eq(events.line[0].type, KIT_LINE_TICK);
	ck_assert_int_eq(events.line[1].type, KIT_LINE_CHECK);
	play(0);
	ck_assert_uint_eq(tree.count, 0);
}
END_TEST

/* ---- calls ---- */

static struct mu_chan_result result;
static struct mu_buf answer;

static uint32_t call_flags;

static int call(int op, const char *path, const char *data, int32_t version)
{
	struct mu_chan_call c = { .id = 5,
		                  .flags = call_flags,
		                  .op = op,
		                  .path = mu_str_of(path),
		                  .data = mu_str_of(data),
		                  .version = version };
	struct mu_str rec;
	struct mu_in in;
	int rc;

	mu_buf_reset(&answer);
	rc = kit_tree_answer(&tree, &c, &answer);
	ck_assert_int_eq(mu_chan_next(&answer, &rec), 1);
	in = mu_in_of(rec.at, rec.len);
	ck_assert_int_eq(mu_chan_type(&in), MU_CHAN_RESULT);
	ck_assert_int_eq(mu_get_chan_result(&in, &result), 0);
	ck_assert_int_eq(result.rc, rc);
	ck_assert_uint_eq(result.id, 5);
	return rc;
}

START_TEST(calls_are_answered_as_by_a_broker)
{
	struct mu_in in;

	read_good("{\"node\":\"/a/y\",\"data\":\"1\",\"version\":2}\n"
	          "{\"node\":\"/a/x/deep\"}\n");
	play(0);
	play(1);
	ck_assert_int_eq(call(MU_CALL_GET, "/no", NULL, 0), MU_ENONODE);
	ck_assert_int_eq(call(MU_CALL_SET, "/no", "v", -1), MU_ENONODE);
	ck_assert_int_eq(call(MU_CALL_GET, "no", NULL, 0), MU_EINVAL);
	ck_assert_int_eq(call(MU_CALL_SET, "/a/y", "v", 1), MU_EBADVERSION);
	ck_assert_int_eq(call(MU_CALL_GET, "/a/y", NULL, 0), 0);
	ck_str(result.data, "1");
	ck_assert_int_eq(result.stat.version, 2);
	ck_assert_int_eq(call(MU_CALL_SET, "/a/y", "vv", 2), 0);
	ck_assert_int_eq(result.stat.version, 3);
	ck_assert_int_eq(call(MU_CALL_GET, "/a/y", NULL, 0), 0);
	ck_str(result.data, "vv");
	ck_assert_int_eq(call(MU_CALL_CHILDREN, "/a", NULL, 0), 0);
	ck_assert_int_eq(result.names.count, 2);
	in = mu_in_of(result.names.at, result.names.len);
	ck_str(mu_get_str(&in), "x");
	ck_str(mu_get_str(&in), "y");
	ck_assert_int_eq(call(MU_CALL_CHILDREN, "/", NULL, 0), 0);
	ck_assert_int_eq(result.names.count, 1);
	mu_buf_fini(&answer);
}
END_TEST

START_TEST(nodes_are_made_and_deleted_as_by_a_broker)
{
	ck_assert_int_eq(call(MU_CALL_CREATE, "/a/b", "1", -1), MU_ENONODE);
	ck_assert_int_eq(call(MU_CALL_CREATE, "/", "1", -1), MU_EEXISTS);
	ck_assert_int_eq(call(MU_CALL_CREATE, "/a", NULL, -1), 0);
	ck_assert_int_eq(call(MU_CALL_CREATE, "/a", "1", -1), MU_EEXISTS);
	call_flags = MU_PLUGIN_EPHEMERAL;
	ck_assert_int_eq(call(MU_CALL_CREATE, "/a/b", "1", -1), 0);
	ck_assert_int_ne(result.stat.ephemeral_owner, 0);
	call_flags = 0;
	ck_assert_int_eq(call(MU_CALL_CREATE, "/a/b/c", "1", -1),
	                 MU_ENOCHILDREN);
	ck_assert_int_eq(call(MU_CALL_GET, "/a/b", NULL, 0), 0);
	ck_str(result.data, "1");
	ck_assert_int_eq(call(MU_CALL_DELETE, "/a", NULL, -1), MU_ENOTEMPTY);
	ck_assert_int_eq(call(MU_CALL_DELETE, "/no", NULL, -1), MU_ENONODE);
	ck_assert_int_eq(call(MU_CALL_DELETE, "/a/b", NULL, 1), MU_EBADVERSION);
	ck_assert_int_eq(call(MU_CALL_DELETE, "/a/b", NULL, 0), 0);
	ck_assert_int_eq(call(MU_CALL_GET, "/a/b", NULL, 0), MU_ENONODE);
	ck_assert_int_eq(call(MU_CALL_DELETE, "/a", NULL, -1), 0);
	ck_assert_int_eq(call(MU_CALL_DELETE, "/", NULL, -1), MU_EINVAL);
	mu_buf_fini(&answer);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kit_events");
	TCase *t = tcase_create("lines");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(
		t,
		lines_are_counted_and_those_that_say_nothing_are_passed_over);
	tcase_add_loop_test(t,
	                    a_line_that_is_not_sound_is_refused_with_its_number,
	                    0, (int)COUNT(bad));
	tcase_add_test(t, paths_and_values_have_limits);
	tcase_add_test(t, after_a_bad_line_nothing_is_left);
	tcase_add_test(t, a_node_line_makes_a_node_and_what_is_above_it);
	tcase_add_test(
		t, an_event_has_what_it_says_and_what_follows_from_the_tree);
	tcase_add_test(t, an_event_without_data_has_the_nodes);
	tcase_add_test(
		t, a_deleted_node_goes_with_what_is_below_it_and_nothing_else);
	tcase_add_test(t, a_member_comes_and_goes_with_its_node);
	tcase_add_test(t, zxids_that_are_not_given_go_on_from_the_last);
	tcase_add_test(t, calls_are_answered_as_by_a_broker);
	tcase_add_test(t, an_event_says_who_and_how);
	tcase_add_test(t, a_call_line_is_a_tick_or_a_check);
	tcase_add_test(t, nodes_are_made_and_deleted_as_by_a_broker);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
