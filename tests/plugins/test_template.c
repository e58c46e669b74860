/* The shipped plugin template: files are rendered from nodes and members. */
#include "plugin_bed.h"

#include <signal.h>
#include <sys/stat.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ANSWERS_MAX 12

static char names[8][300]; /* of files, in the settings */
static size_t name_count;
/* What the broker says; what has no row is not there. Ends in a zero row. */
static struct fake_answer answers[ANSWERS_MAX + 1];
static int64_t zxid;

/* The broker's node, for reads: anew, changed, or with NULL gone. */
static void node_is(const char *path, const char *text)
{
	struct fake_answer *x = answers;

	while (x->op && !(x->op == MU_CALL_GET && strcmp(x->path, path) == 0))
		x++;
	ck_assert(x < answers + ANSWERS_MAX);
	*x = (struct fake_answer){ .op = MU_CALL_GET,
		                   .path = path,
		                   .text = text,
		                   .rc = text ? 0 : MU_ENONODE };
	if (!text)
		x->text = "no such node";
}

static void children_are(const char *path, const char *const *list)
{
	struct fake_answer *x = answers;

	while (x->op)
		x++;
	ck_assert(x < answers + ANSWERS_MAX);
	*x = (struct fake_answer){ .op = MU_CALL_CHILDREN,
		                   .path = path,
		                   .names = list };
}

/* Until the end of the test. */
static const char *kept(const char *name)
{
	ck_assert_uint_lt(name_count, COUNT(names));
	snprintf(names[name_count], sizeof names[0], "%s/%s", dir, name);
	return names[name_count++];
}

static void setup(void)
{
	dir_setup();
	name_count = 0;
	zxid = 1000;
	memset(answers, 0, sizeof answers);
}

/* Settings of file number i: <name>.t is its template, and says `text`. */
static void file_of(int i, const char *text)
{
	static const struct {
		const char *template_key, *file_key, *template, *file;
	} files[] = {
		{ "files[0].template", "files[0].file", "one.t", "one" },
		{ "files[1].template", "files[1].file", "two.t", "two" },
	};

	put(files[i].template, text);
	set_str(files[i].template_key, kept(files[i].template));
	set_str(files[i].file_key, kept(files[i].file));
}

/* Nodes a (text) and b, and one file that shows them. */
static void two_nodes(const char *text)
{
	set_num("nodes", MU_SETTING_COUNT, 2);
	set_str("nodes[0].name", "a");
	set_str("nodes[0].path", "/a");
	set_str("nodes[1].name", "b");
	set_str("nodes[1].path", "/b");
	set_num("files", MU_SETTING_COUNT, 1);
	file_of(0, text);
}

/* The same with a second file, of the same text. */
static void two_files(const char *text)
{
	two_nodes(text);
	rows[row_count - 3] =
		(struct mu_setting)FAKE_NUM("files", MU_SETTING_COUNT, 2);
	file_of(1, text);
}

static void start(void)
{
	start_well("template", (struct fake_options){ .work_dir = work,
	                                              .answers = answers });
}

static struct mu_chan_event value_event(const char *path, const char *text)
{
	struct mu_chan_event e = { .type = MU_EVENT_CHANGED,
		                   .path = mu_str_of(path),
		                   .zxid = ++zxid,
		                   .has_stat = true };

	e.data = mu_str_of(text);
	e.stat.version = 3;
	e.stat.mzxid = zxid;
	return e;
}

static int give(const char *path, const char *text)
{
	node_is(path, text);
	return fake_event(&a, value_event(path, text));
}

static int take_away(const char *path)
{
	struct mu_chan_event e = { .type = MU_EVENT_DELETED,
		                   .path = mu_str_of(path),
		                   .zxid = ++zxid };

	node_is(path, NULL);
	return fake_event(&a, e);
}

static int member_event(uint32_t type, const char *name, const char *address)
{
	struct mu_chan_event e = { .type = type,
		                   .zxid = ++zxid,
		                   .has_member = true };
	char path[100];

	snprintf(path, sizeof path, "/members/%s", name);
	e.path = mu_str_of(path);
	e.name = mu_str_of(name);
	e.address = mu_str_of(address);
	e.port = 80;
	e.state = MU_STR("up");
	e.labels = MU_STR("{\"zone\":\"north\"}");
	e.czxid = zxid;
	return fake_event(&a, e);
}

static void assert_clean(const char *name)
{
	static const char *const ends[] = { "new", "old", "pending",
		                            "pending-new" };
	char beside[60];

	for (size_t i = 0; i < COUNT(ends); i++) {
		snprintf(beside, sizeof beside, "%s.muster-%s", name, ends[i]);
		ck_assert_msg(!there(beside), "%s", beside);
	}
}

/* ---- rendering ---- */

START_TEST(a_file_is_rendered_from_two_nodes)
{
	two_nodes("a={{a}} b={{b}} on {{host}} by {{instance}}\n");
	node_is("/b", "<&\">");
	start();
	/* b was never told of: it is read. Nothing is escaped. */
	ck_assert_int_eq(give("/a", "1"), 0);
	ck_assert_str_eq(content("one"), "a=1 b=<&\"> on host1 by test\n");
	ck_assert_int_eq(give("/b", "2"), 0);
	ck_assert_str_eq(content("one"), "a=1 b=2 on host1 by test\n");
	ck_assert_int_eq(a.report.state, MU_REPORT_APPLIED);
	ck_assert_str_eq(a.report.path, "/b");
	ck_assert_int_eq(a.report.version, 3);
	ck_assert_int_eq(a.report.zxid, zxid);
	ck_assert_ptr_nonnull(strstr(a.report.digest, "crc32c:"));
	assert_clean("one");
	fake_stop(&a);
}
END_TEST

START_TEST(json_is_for_dots_and_sections)
{
	two_nodes("{{a.x.y}}{{#a.list}}[{{.}}]{{/a.list}}{{#a.on}}on{{/a.on}}"
	          "{{^a.off}}off{{/a.off}}{{a.none}} {{a.n}} {{a.f}}{{b}}");
	set_num("nodes[0].json", MU_SETTING_BOOL, 1);
	node_is("/b", "!");
	start();
	ck_assert_int_eq(give("/a",
	                      "{\"x\":{\"y\":\"deep\"},\"list\":[1,\"b\"],"
	                      "\"on\":true,\"off\":null,\"n\":-5,"
	                      "\"f\":0.5}"),
	                 0);
	ck_assert_str_eq(content("one"), "deep[1][b]onoff -5 0.5!");
	fake_stop(&a);
}
END_TEST

START_TEST(what_is_not_json_leaves_the_file_as_it_is)
{
	two_nodes("{{a.x}}");
	set_num("nodes[0].json", MU_SETTING_BOOL, 1);
	node_is("/b", "");
	put("one", "old");
	start();
	ck_assert_int_eq(give("/a", "{ no"), 0);
	ck_assert_str_eq(content("one"), "old");
	ck_assert_int_eq(a.report.state, MU_REPORT_REJECTED);
	ck_assert_ptr_nonnull(strstr(a.report.reason, "/a is not JSON: "));
	ck_assert_int_eq(give("/a", "{\"x\":1}"), 0);
	ck_assert_str_eq(content("one"), "1");
	ck_assert_int_eq(a.report.state, MU_REPORT_APPLIED);
	fake_stop(&a);
}
END_TEST

START_TEST(a_missing_node_leaves_the_file_as_it_is)
{
	two_nodes("{{a}}{{b}}");
	put("one", "old");
	start();
	ck_assert_int_eq(give("/a", "1"), 0);
	ck_assert_str_eq(content("one"), "old");
	ck_assert_int_eq(a.report.state, MU_REPORT_REJECTED);
	ck_assert_str_eq(a.report.reason,
	                 "/b is not there; the files are left as they are");
	ck_assert_int_eq(give("/b", "2"), 0);
	ck_assert_str_eq(content("one"), "12");
	ck_assert_int_eq(take_away("/a"), 0);
	ck_assert_str_eq(content("one"), "12");
	ck_assert_int_eq(a.report.state, MU_REPORT_REJECTED);
	ck_assert_int_eq(a.report.version, -1);
	fake_stop(&a);
}
END_TEST

START_TEST(an_optional_node_may_be_missing)
{
	two_nodes("{{a}}{{#b}} b={{b}}{{/b}}{{^b}} none{{/b}}");
	set_num("nodes[1].optional", MU_SETTING_BOOL, 1);
	start();
	ck_assert_int_eq(give("/a", "1"), 0);
	ck_assert_str_eq(content("one"), "1 none");
	ck_assert_int_eq(give("/b", "2"), 0);
	ck_assert_str_eq(content("one"), "1 b=2");
	ck_assert_int_eq(take_away("/b"), 0);
	ck_assert_str_eq(content("one"), "1 none");
	fake_stop(&a);
}
END_TEST

START_TEST(children_are_a_sorted_list)
{
	static const char *const list[] = { "h2", "h1", "h3", NULL };

	two_nodes(
		"{{#b}}{{name}}={{port}}{{value}}{{^last}},{{/last}}{{/b}}\n");
	set_num("nodes[1].children", MU_SETTING_BOOL, 1);
	set_num("nodes[1].json", MU_SETTING_BOOL, 1);
	children_are("/b", list);
	node_is("/b/h1", "{\"port\":1}");
	node_is("/b/h2", "{\"port\":2,\"name\":\"two\"}");
	node_is("/b/h3", NULL); /* went in between */
	start();
	ck_assert_int_eq(give("/a", ""), 0);
	ck_assert_str_eq(content("one"), "h1=1,two=2\n");
	ck_assert_int_eq(give("/b/h0", "[]"), 0);
	ck_assert_int_eq(give("/b/h9", "9"), 0);
	ck_assert_str_eq(content("one"), "h0=,h1=1,two=2,h9=9\n");
	ck_assert_int_eq(take_away("/b/h1"), 0);
	ck_assert_str_eq(content("one"), "h0=,two=2,h9=9\n");
	/* Neither the node itself nor one further down. */
	ck_assert_int_eq(give("/b", "5"), 0);
	ck_assert_int_eq(give("/b/h2/deep", "5"), 0);
	ck_assert_str_eq(content("one"), "h0=,two=2,h9=9\n");
	fake_stop(&a);
}
END_TEST

START_TEST(members_are_a_list_with_labels)
{
	static const char *const list[] = { "host1", "web", NULL };

	set_num("members", MU_SETTING_BOOL, 1);
	set_num("files", MU_SETTING_COUNT, 1);
	file_of(0, "{{#members}}{{name}} {{address}}:{{port}} {{state}} "
	           "{{labels.zone}}{{#self}} self{{/self}}\n{{/members}}");
	children_are("/members", list);
	node_is("/members/host1",
	        "{\"address\":\"10.0.0.1\",\"port\":7,\"state\":\"leaving\"}");
	node_is("/members/web", "{\"address\":\"10.0.0.2\"}");
	start();
	ck_assert_int_eq(
		member_event(MU_EVENT_MEMBER_PRESENT, "web", "10.0.0.3"), 0);
	/* Those not told of yet were read: the first file is whole. */
	ck_assert_str_eq(content("one"), "host1 10.0.0.1:7 up  self\n"
	                                 "web 10.0.0.2:0 up \n");
	ck_assert_int_eq(member_event(MU_EVENT_MEMBER_JOINED, "db", "10.0.0.4"),
	                 0);
	ck_assert_int_eq(
		member_event(MU_EVENT_MEMBER_CHANGED, "web", "10.0.0.5"), 0);
	ck_assert_str_eq(content("one"), "db 10.0.0.4:80 up north\n"
	                                 "host1 10.0.0.1:7 up  self\n"
	                                 "web 10.0.0.5:80 up north\n");
	ck_assert_int_eq(member_event(MU_EVENT_MEMBER_FAILED, "web", ""), 0);
	ck_assert_int_eq(member_event(MU_EVENT_MEMBER_LEFT, "host1", ""), 0);
	ck_assert_str_eq(content("one"), "db 10.0.0.4:80 up north\n");
	fake_stop(&a);
}
END_TEST

START_TEST(a_value_is_never_taken_for_a_template)
{
	two_nodes("{{a}}{{>a}}{{b}}");
	node_is("/b", "");
	start();
	ck_assert_int_eq(give("/a", "{{>a}}{{b}}"), 0);
	ck_assert_str_eq(content("one"), "{{>a}}{{b}}");
	fake_stop(&a);
}
END_TEST

START_TEST(a_template_may_come_from_a_node)
{
	two_nodes("");
	rows[row_count - 2] = (struct mu_setting)FAKE_STR("files[0].node", "b");
	node_is("/b", "{{a}}?");
	start();
	ck_assert_int_eq(give("/a", "1"), 0);
	ck_assert_str_eq(content("one"), "1?");
	ck_assert_int_eq(give("/b", "{{a}}!"), 0);
	ck_assert_str_eq(content("one"), "1!");
	/* Malformed: the file stays. */
	ck_assert_int_eq(give("/b", "{{#a}}"), MU_EDATA);
	ck_assert_int_eq(a.report.state, MU_REPORT_REJECTED);
	ck_assert_ptr_nonnull(strstr(a.report.reason, "template /b: "));
	ck_assert_str_eq(content("one"), "1!");
	fake_stop(&a);
}
END_TEST

START_TEST(bytes_are_kept_as_they_are)
{
	struct mu_chan_event e;

	two_nodes("{{a}}{{b}}");
	node_is("/b", "");
	start();
	ck_assert_int_eq(give("/a", "x"), 0);
	e = value_event("/a", "");
	e.data = MU_STR("a\0b\r\n\xff");
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_mem_eq(content("one"), "a\0b\r\n\xff", 7);
	fake_stop(&a);
}
END_TEST

/* ---- events ---- */

START_TEST(without_news_nothing_is_done)
{
	struct stat before, after;

	two_nodes("{{a}}{{b}}");
	set_str("reload", "echo reload >> $D/reloads");
	node_is("/b", "2");
	start();
	ck_assert_int_eq(give("/a", "1"), 0);
	ck_assert_int_eq(stat(in_dir("one"), &before), 0);
	ck_assert_int_eq(give("/b", "2"), 0);
	ck_assert_int_eq(give("/elsewhere", "2"), 0);
	ck_assert_int_eq(stat(in_dir("one"), &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_str_eq(content("reloads"), "reload\n");
	/* Whoever waits for /b hears that it is applied. */
	ck_assert_str_eq(a.report.path, "/b");
	ck_assert_int_eq(a.report.state, MU_REPORT_APPLIED);
	fake_stop(&a);
}
END_TEST

START_TEST(an_older_event_changes_nothing_and_the_last_one_counts)
{
	struct mu_chan_event old, gone;

	two_nodes("{{a}}{{b}}");
	node_is("/a", "");
	node_is("/b", "");
	start();
	old = value_event("/a", "old");
	gone = (struct mu_chan_event){ .type = MU_EVENT_DELETED,
		                       .path = MU_STR("/a"),
		                       .zxid = ++zxid };
	ck_assert_int_eq(give("/b", ""), 0);
	ck_assert_int_eq(give("/a", "new"), 0);
	ck_assert_int_eq(fake_event(&a, old), 0);
	ck_assert_int_eq(fake_event(&a, gone), 0);
	ck_assert_str_eq(content("one"), "new");
	/* Found by reading again: its zxid may be any. */
	old.flags = MU_EVENT_COALESCED;
	ck_assert_int_eq(fake_event(&a, old), 0);
	ck_assert_str_eq(content("one"), "old");
	fake_stop(&a);
}
END_TEST

START_TEST(without_a_broker_the_first_event_comes_again)
{
	two_nodes("{{a}}{{b}}");
	put("one", "old");
	node_is("/b", "2");
	answers[0].rc = MU_ECONNLOSS;
	answers[0].text = "no broker now";
	start();
	ck_assert_int_eq(give("/a", "1"), MU_ECONNLOSS);
	ck_assert_ptr_nonnull(strstr(a.ack.reason,
	                             "the files stay as they were rendered "
	                             "last: "));
	ck_assert_str_eq(content("one"), "old");
	node_is("/b", "2");
	ck_assert_int_eq(give("/a", "1"), 0);
	ck_assert_str_eq(content("one"), "12");
	fake_stop(&a);
}
END_TEST

/* What was reported since this was asked last. */
static const char *reported(void)
{
	static char text[1000];

	snprintf(text, sizeof text, "%.*s", (int)a.reports.len,
	         a.reports.len ? (const char *)a.reports.data : "");
	mu_buf_cut(&a.reports, 0);
	return text;
}

START_TEST(each_node_is_reported_on_once_its_value_is_in_force)
{
	two_nodes("{{a}}{{b}}");
	set_str("files[0].check", "! grep bad %f");
	node_is("/b", "1");
	start();
	/* Both were read: at version 7 all that this broker has is. */
	ck_assert_int_eq(give("/a", "1"), 0);
	ck_assert_str_eq(reported(), "/b 7\n/a 7\n");
	ck_assert_int_eq(give("/b", "2"), 0);
	ck_assert_str_eq(reported(), "/b 3\n");
	ck_assert_int_eq(give("/a", "bad"), MU_EDATA);
	ck_assert_str_eq(reported(), "/a 3\n");
	ck_assert_int_eq(give("/b", "3"), MU_EDATA);
	ck_assert_str_eq(reported(), "/b 7\n");
	ck_assert_int_eq(a.report.state, MU_REPORT_REJECTED);
	/* Mended by a: what b has is in force by now, too. */
	ck_assert_int_eq(give("/a", "good"), 0);
	ck_assert_str_eq(reported(), "/b 7\n/a 7\n");
	ck_assert_int_eq(a.report.state, MU_REPORT_APPLIED);
	ck_assert_str_eq(content("one"), "good3");
	fake_stop(&a);
}
END_TEST

START_TEST(nodes_of_a_list_are_reported_on_before_single_ones)
{
	static const char *const list[] = { "h1", "h2", NULL };

	two_nodes("{{a}}{{#b}}{{name}}{{/b}}");
	set_num("nodes[1].children", MU_SETTING_BOOL, 1);
	children_are("/b", list);
	node_is("/a", "1");
	node_is("/b/h1", "");
	node_is("/b/h2", "");
	start();
	ck_assert_int_eq(give("/b/h2", "x"), 0);
	ck_assert_str_eq(reported(), "/b/h1 7\n/a 7\n/b/h2 7\n");
	ck_assert_int_eq(take_away("/b/h1"), 0);
	ck_assert_str_eq(reported(), "/b/h1 -1\n");
	ck_assert_int_eq(a.report.state, MU_REPORT_APPLIED);
	fake_stop(&a);
}
END_TEST

START_TEST(an_event_that_is_no_news_is_not_reported_on_again)
{
	struct mu_chan_event old, e;

	two_nodes("{{a}}{{b}}");
	node_is("/b", "2");
	start();
	old = value_event("/a", "old");
	node_is("/a", "1");
	e = value_event("/a", "1");
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_str_eq(reported(), "/b 7\n/a 7\n");
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_str_eq(reported(), "/a 3\n");
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_int_eq(fake_event(&a, old), 0);
	ck_assert_str_eq(reported(), "");
	/* The same value, but another version: somebody may wait for it. */
	e.stat.version = 4;
	e.zxid = e.stat.mzxid = ++zxid;
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_str_eq(reported(), "/a 4\n");
	fake_stop(&a);
}
END_TEST

START_TEST(a_member_that_changes_is_reported_with_the_node_of_the_last_report)
{
	static const char *const list[] = { "host1", NULL };
	char digest[64];

	two_nodes("{{a}}{{b}}{{#members}}{{name}} {{address}}{{/members}}");
	set_num("members", MU_SETTING_BOOL, 1);
	set_str("files[0].check", "! grep bad %f");
	children_are("/members", list);
	node_is("/members/host1", "{}");
	node_is("/a", "1");
	node_is("/b", "2");
	start();
	ck_assert_int_eq(member_event(MU_EVENT_MEMBER_PRESENT, "host1", "x"),
	                 0);
	ck_assert_str_eq(reported(), "/b 7\n/a 7\n");
	ck_assert_int_eq(give("/b", "3"), 0);
	ck_assert_str_eq(reported(), "/b 3\n");
	snprintf(digest, sizeof digest, "%s", a.report.digest);
	ck_assert_int_eq(member_event(MU_EVENT_MEMBER_JOINED, "web", "y"), 0);
	ck_assert_str_eq(reported(), "/b 3\n");
	ck_assert_int_eq(a.report.zxid, zxid - 1); /* of the node's value */
	ck_assert_str_ne(a.report.digest, digest);
	ck_assert_int_eq(member_event(MU_EVENT_MEMBER_CHANGED, "web", "bad"),
	                 MU_EDATA);
	ck_assert_str_eq(reported(), "/b 3\n");
	ck_assert_int_eq(a.report.state, MU_REPORT_REJECTED);
	fake_stop(&a);
}
END_TEST

START_TEST(of_members_alone_the_member_is_reported_on)
{
	static const char *const list[] = { "host1", NULL };

	set_num("members", MU_SETTING_BOOL, 1);
	set_num("files", MU_SETTING_COUNT, 1);
	file_of(0, "{{#members}}{{name}}{{/members}}");
	children_are("/members", list);
	node_is("/members/host1", "{}");
	start();
	ck_assert_int_eq(member_event(MU_EVENT_MEMBER_JOINED, "web", "y"), 0);
	ck_assert_str_eq(reported(), "/members/web -1\n");
	fake_stop(&a);
}
END_TEST

/* The event of a bad /a waits to be given again, and that of /b behind it. */
START_TEST(what_failed_is_mended_by_another_node)
{
	struct mu_chan_event e;

	two_nodes("{{a}}{{b}}");
	set_str("files[0].check", "! grep 1bad %f");
	node_is("/b", "bad");
	start();
	e = value_event("/a", "1");
	node_is("/a", "1");
	ck_assert_int_eq(fake_event(&a, e), MU_EDATA);
	ck_assert_int_eq(a.report.state, MU_REPORT_REJECTED);
	node_is("/b", "good");
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_str_eq(content("one"), "1good");
	ck_assert_int_eq(a.report.state, MU_REPORT_APPLIED);
	fake_stop(&a);
}
END_TEST

START_TEST(what_failed_is_tried_without_a_broker_too)
{
	struct mu_chan_event e;

	two_nodes("{{a}}{{b}}");
	set_str("files[0].check", "test -e $D/well");
	node_is("/b", "2");
	start();
	node_is("/a", "1");
	e = value_event("/a", "1");
	ck_assert_int_eq(fake_event(&a, e), MU_EDATA);
	answers[0].rc = MU_ECONNLOSS;
	answers[0].text = "no broker now";
	put("well", "");
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_str_eq(content("one"), "12");
	fake_stop(&a);
}
END_TEST

/* ---- several files as one ---- */

#define BOTH "echo $(cat $D/one $D/two) >> $D/reloads; "

START_TEST(all_files_change_before_the_one_reload)
{
	two_files("{{a}}");
	set_str("reload", BOTH);
	node_is("/b", "");
	start();
	ck_assert_int_eq(give("/a", "1 "), 0);
	ck_assert_int_eq(give("/a", "2 "), 0);
	ck_assert_str_eq(content("reloads"), "1 1\n2 2\n");
	assert_clean("one");
	assert_clean("two");
	fake_stop(&a);
}
END_TEST

START_TEST(no_file_changes_before_all_are_checked)
{
	two_files("{{a}}");
	/* The first check looks at the second file's new value too. */
	set_str("files[0].check", "cat %f $MUSTER_NEW_2 $D/one >> $D/seen");
	set_str("files[1].check", "! grep bad $MUSTER_FILE");
	set_str("reload", BOTH);
	node_is("/b", "");
	put("one", "old");
	put("two", "old");
	start();
	ck_assert_int_eq(give("/a", "bad"), MU_EDATA);
	ck_assert_str_eq(content("seen"), "badbadold");
	ck_assert_str_eq(content("one"), "old");
	ck_assert_str_eq(content("two"), "old");
	ck_assert(!there("reloads"));
	ck_assert_int_eq(a.report.state, MU_REPORT_REJECTED);
	ck_assert_ptr_nonnull(strstr(a.report.reason, "check of "));
	ck_assert_ptr_nonnull(strstr(a.report.reason, "/two: exit status 1: "));
	assert_clean("one");
	assert_clean("two");
	fake_stop(&a);
}
END_TEST

START_TEST(a_failed_reload_undoes_all_files)
{
	two_files("{{a}}");
	set_str("reload", BOTH "! grep bad $D/one");
	node_is("/b", "");
	put("one", "old");
	start();
	ck_assert_int_eq(give("/a", "bad"), MU_EDATA);
	ck_assert_str_eq(content("one"), "old");
	ck_assert(!there("two")); /* there was none */
	ck_assert_str_eq(content("reloads"), "badbad\nold\n");
	ck_assert_int_eq(a.report.state, MU_REPORT_FAILED);
	assert_clean("one");
	assert_clean("two");
	fake_stop(&a);
}
END_TEST

START_TEST(a_file_that_cannot_be_replaced_undoes_the_others)
{
	two_files("{{a}}");
	set_str("reload", BOTH);
	/* In between: something that no file can take the place of. */
	set_str("files[1].check", "test ! -e $D/trap || { rm $D/two; mkdir "
	                          "-p $D/two/full; }");
	node_is("/b", "");
	start();
	ck_assert_int_eq(give("/a", "old"), 0);
	put("trap", "");
	ck_assert_int_eq(give("/a", "new"), MU_EIO);
	ck_assert_str_eq(content("one"), "old");
	ck_assert_int_eq(a.report.state, MU_REPORT_FAILED);
	ck_assert_ptr_nonnull(strstr(a.report.reason, "cannot replace "));
	fake_stop(&a);
}
END_TEST

/* Kills the runner the first time, between rename and reload. */
#define DEADLY \
	"if [ -e $D/deadly ]; then rm $D/deadly; kill -9 $PPID; exec sleep " \
	"1000; fi; "

static void crash_on(const char *path, const char *text)
{
	put("deadly", "");
	node_is(path, text);
	fake_send(&a, value_event(path, text));
	ck_assert_int_eq(fake_ack(&a, FAKE_WAIT_MS), FAKE_GONE);
	ck_assert_int_eq(fake_exit(&a), SIGKILL);
	fake_fini(&a);
}

START_TEST(after_a_crash_all_go_back_to_the_last_good_ones)
{
	two_files("{{a}}");
	set_str("reload", DEADLY BOTH "! grep bad $D/one");
	node_is("/b", "");
	put("one", "old1");
	put("two", "old2");
	start();
	crash_on("/a", "bad 1");
	ck_assert_str_eq(content("two"), "bad 1");
	start();
	ck_assert_int_eq(give("/a", "bad 2"), MU_EDATA);
	ck_assert_str_eq(content("one"), "old1");
	ck_assert_str_eq(content("two"), "old2");
	assert_clean("one");
	assert_clean("two");
	fake_stop(&a);
}
END_TEST

/* The set had one file when it crashed, and has two now: of the second, which
 * the mark does not name, nothing is kept. */
START_TEST(after_a_crash_a_file_that_is_new_in_the_set_stays)
{
	two_files("{{a}}");
	set_str("reload", DEADLY "! grep bad $D/one");
	node_is("/b", "");
	put("one", "old1");
	put("two", "old2");
	for (size_t i = 0; i < row_count; i++)
		if (mu_str_eq(rows[i].key, MU_STR("files")))
			rows[i].number = 1;
	start();
	crash_on("/a", "bad 1");
	for (size_t i = 0; i < row_count; i++)
		if (mu_str_eq(rows[i].key, MU_STR("files")))
			rows[i].number = 2;
	start();
	ck_assert_int_eq(give("/a", "bad 2"), MU_EDATA);
	ck_assert_str_eq(content("one"), "old1");
	ck_assert_str_eq(content("two"), "old2");
	assert_clean("one");
	assert_clean("two");
	fake_stop(&a);
}
END_TEST

START_TEST(what_was_edited_by_hand_is_kept)
{
	two_files("{{a}}");
	node_is("/b", "");
	start();
	ck_assert_int_eq(give("/a", "1"), 0);
	put("two", "mine");
	ck_assert_int_eq(give("/a", "2"), 0);
	ck_assert_str_eq(content("two"), "2");
	ck_assert_str_eq(content("two.muster-hand"), "mine");
	ck_assert(!there("one.muster-hand"));
	ck_assert(fake_logged(&a, "(edited by hand?)"));
	fake_stop(&a);
}
END_TEST

START_TEST(what_an_earlier_process_rendered_is_no_edit_by_hand)
{
	two_files("{{a}}{{b}}");
	node_is("/a", "1");
	node_is("/b", "x");
	start();
	ck_assert_int_eq(give("/a", "1"), 0);
	fake_stop(&a);
	put("two", "mine");
	node_is("/a", "2");
	start();
	ck_assert_int_eq(give("/a", "2"), 0);
	ck_assert_str_eq(content("one"), "2x");
	ck_assert_str_eq(content("two.muster-hand"), "mine");
	ck_assert(!there("one.muster-hand"));
	fake_stop(&a);
}
END_TEST

/* ---- settings ---- */

START_TEST(a_template_that_is_not_there_is_told)
{
	two_nodes("");
	ck_assert_int_eq(unlink(in_dir("one.t")), 0);
	node_is("/b", "");
	start();
	ck_assert_int_eq(give("/a", "1"), MU_EIO);
	ck_assert_ptr_nonnull(strstr(a.report.reason, "one.t is not there"));
	fake_stop(&a);
}
END_TEST

static const struct {
	const char *key, *value, *word;
} bad_settings[] = {
	{ "nodes[1].name", "a", "two have the name" },
	{ "nodes[1].name", "a.b", "nodes[1] needs `name`" },
	{ "nodes[1].name", "host", "is taken" },
	{ "nodes[1].path", "/a", "is in two" },
	{ "nodes[1].path", "b", "nodes[1] needs `path`" },
	{ "files[0].file", "one", "files[0] needs `file`" },
	{ "files[0].template", "one.t", "files[0] needs `template`" },
	{ "files[0].node", "a", "not both" },
	{ "files[0].mode", "rwx", "files[0].mode" },
};

START_TEST(a_wrong_setting_is_refused)
{
	two_nodes("");
	reset_str(bad_settings[_i].key, bad_settings[_i].value);
	start_plugin("template", (struct fake_options){ .work_dir = work });
	assert_refused(bad_settings[_i].word);
}
END_TEST

START_TEST(the_mode_is_as_configured_and_all_settings_are_read)
{
	struct stat st;

	two_nodes("{{a}}");
	set_str("files[0].mode", "0600");
	set_num("timeout_ms", MU_SETTING_INT, 20000);
	node_is("/b", "");
	start();
	ck_assert(!fake_logged(&a, "was not read"));
	ck_assert_int_eq(give("/a", "1"), 0);
	ck_assert_int_eq(stat(in_dir("one"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	fake_stop(&a);
}
END_TEST

static void add_rendering(TCase *tc)
{
	tcase_add_test(tc, a_file_is_rendered_from_two_nodes);
	tcase_add_test(tc, json_is_for_dots_and_sections);
	tcase_add_test(tc, what_is_not_json_leaves_the_file_as_it_is);
	tcase_add_test(tc, a_missing_node_leaves_the_file_as_it_is);
	tcase_add_test(tc, an_optional_node_may_be_missing);
	tcase_add_test(tc, children_are_a_sorted_list);
	tcase_add_test(tc, members_are_a_list_with_labels);
	tcase_add_test(tc, a_value_is_never_taken_for_a_template);
	tcase_add_test(tc, a_template_may_come_from_a_node);
	tcase_add_test(tc, bytes_are_kept_as_they_are);
}

static void add_events(TCase *tc)
{
	tcase_add_test(tc, without_news_nothing_is_done);
	tcase_add_test(tc,
	               an_older_event_changes_nothing_and_the_last_one_counts);
	tcase_add_test(tc, each_node_is_reported_on_once_its_value_is_in_force);
	tcase_add_test(tc, nodes_of_a_list_are_reported_on_before_single_ones);
	tcase_add_test(tc, an_event_that_is_no_news_is_not_reported_on_again);
	tcase_add_test(
		tc,
		a_member_that_changes_is_reported_with_the_node_of_the_last_report);
	tcase_add_test(tc, of_members_alone_the_member_is_reported_on);
	tcase_add_test(tc, without_a_broker_the_first_event_comes_again);
	tcase_add_test(tc, what_failed_is_mended_by_another_node);
	tcase_add_test(tc, what_failed_is_tried_without_a_broker_too);
}

static void add_files(TCase *tc)
{
	tcase_add_test(tc, all_files_change_before_the_one_reload);
	tcase_add_test(tc, no_file_changes_before_all_are_checked);
	tcase_add_test(tc, a_failed_reload_undoes_all_files);
	tcase_add_test(tc, a_file_that_cannot_be_replaced_undoes_the_others);
	tcase_add_test(tc, after_a_crash_all_go_back_to_the_last_good_ones);
	tcase_add_test(tc, after_a_crash_a_file_that_is_new_in_the_set_stays);
	tcase_add_test(tc, what_was_edited_by_hand_is_kept);
	tcase_add_test(tc, what_an_earlier_process_rendered_is_no_edit_by_hand);
	tcase_add_test(tc, a_template_that_is_not_there_is_told);
	tcase_add_loop_test(tc, a_wrong_setting_is_refused, 0,
	                    (int)COUNT(bad_settings));
	tcase_add_test(tc, the_mode_is_as_configured_and_all_settings_are_read);
}

int main(void)
{
	Suite *s = suite_create("template");
	TCase *tc = tcase_create("template");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, dir_teardown);
	add_rendering(tc);
	add_events(tc);
	add_files(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
