/* The agent's own files, and what it reads from conf.d. */
#include "agent_conf.h"
#include "chan.h"
#include "identity.h"
#include "mem.h"
#include "program.h"
#include "record.h"
#include "unheard.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct mu_err err;

static void setup(void)
{
	dir_make(dir, sizeof dir);
}

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void teardown(void)
{
	static const char *const names[] = { "identity", "session", "leave",
		                             "lock",     "a.conf",  "b.conf",
		                             "c.txt" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(in_dir(names[i]));
	ck_assert_int_eq(rmdir(dir), 0);
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

/* ---- identity ---- */

START_TEST(an_id_is_made_once_and_kept)
{
	char one[MU_ID_LEN + 1], two[MU_ID_LEN + 1];

	ck_assert_int_eq(mu_identity_load(dir, one, &err), 0);
	ck_assert_uint_eq(strspn(one, "0123456789abcdef"), MU_ID_LEN);
	ck_assert_int_eq(mu_identity_load(dir, two, &err), 0);
	ck_assert_str_eq(one, two);
	unlink(in_dir("identity"));
	ck_assert_int_eq(mu_identity_load(dir, two, &err), 0);
	ck_assert_str_ne(one, two);
}
END_TEST

static const char *const strange[] = {
	"",
	"muster-identity 2\n0123456789abcdef0123456789abcdef\n",
	"muster-identity 1\n0123456789abcdef0123456789abcde\n",
	"muster-identity 1\n0123456789abcdef0123456789abcdeg\n",
	"muster-identity 1\n0123456789abcdef0123456789abcdef0\n",
};

START_TEST(a_strange_identity_is_refused_and_left_alone)
{
	char id[MU_ID_LEN + 1];

	put("identity", strange[_i]);
	ck_assert_int_eq(mu_identity_load(dir, id, &err), MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "identity"));
}
END_TEST

/* ---- session ---- */

START_TEST(a_session_comes_back_as_it_was_kept)
{
	struct mu_saved_session s = { .session = INT64_MIN + 5,
		                      .last_zxid = 0x100000002,
		                      .tree_id = -7,
		                      .brokers = 0xfffffffe,
		                      .name = " web 1" };
	struct mu_saved_session got;
	struct stat st;

	ck_assert_int_eq(mu_session_load(dir, &got, &err), MU_ENONODE);
	for (uint8_t i = 0; i < 16; i++)
		s.password[i] = (uint8_t)(i * 17);
	ck_assert_int_eq(mu_session_save(dir, &s, &err), 0);
	ck_assert_int_eq(stat(in_dir("session"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(mu_session_load(dir, &got, &err), 0);
	ck_assert_int_eq(got.session, s.session);
	ck_assert_int_eq(got.last_zxid, s.last_zxid);
	ck_assert_int_eq(got.tree_id, s.tree_id);
	ck_assert_uint_eq(got.brokers, s.brokers);
	ck_assert_str_eq(got.name, s.name);
	ck_assert_mem_eq(got.password, s.password, 16);
	mu_session_forget(dir);
	ck_assert_int_eq(mu_session_load(dir, &got, &err), MU_ENONODE);
}
END_TEST

/* Cut at every byte, no session file is taken for a whole one. */
START_TEST(a_torn_session_is_refused)
{
	struct mu_saved_session s = { .session = 1, .name = "a" }, got;
	char text[512];
	size_t len;
	FILE *f;

	ck_assert_int_eq(mu_session_save(dir, &s, &err), 0);
	f = fopen(in_dir("session"), "r");
	len = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	for (size_t n = 0; n < len - 1; n++) {
		char cut[512];

		snprintf(cut, sizeof cut, "%.*s", (int)n, text);
		put("session", cut);
		ck_assert_int_eq(mu_session_load(dir, &got, &err), MU_EDATA);
	}
}
END_TEST

START_TEST(a_session_of_another_version_is_refused)
{
	struct mu_saved_session got;

	put("session", "muster-session 1\nsession 1\npassword "
	               "00000000000000000000000000000000\nzxid 1\ntree 1\n"
	               "brokers 1\nend\n");
	ck_assert_int_eq(mu_session_load(dir, &got, &err), MU_EDATA);
}
END_TEST

START_TEST(a_name_at_the_limit_is_kept_with_its_session)
{
	struct mu_saved_session s = { .session = 1 }, got;

	memset(s.name, 'n', MU_NAME_MAX);
	ck_assert_int_eq(mu_session_save(dir, &s, &err), 0);
	ck_assert_int_eq(mu_session_load(dir, &got, &err), 0);
	ck_assert_str_eq(got.name, s.name);
}
END_TEST

START_TEST(other_brokers_have_another_hash)
{
	ck_assert_uint_ne(mu_brokers_hash("tcp://a:1"),
	                  mu_brokers_hash("tcp://a:2"));
}
END_TEST

START_TEST(how_leaving_went_is_told_once)
{
	ck_assert_int_eq(mu_leave_read(dir, &err), MU_ENONODE);
	ck_assert_int_eq(mu_leave_say(dir, NULL, &err), 0);
	ck_assert_int_eq(mu_leave_read(dir, &err), 0);
	ck_assert_int_eq(mu_leave_say(dir, "no broker", &err), 0);
	ck_assert_int_eq(mu_leave_read(dir, &err), MU_EGONE);
	ck_assert_str_eq(err.msg, "no broker");
	put("leave", "muster-leave 2\nleft\n");
	ck_assert_int_eq(mu_leave_read(dir, &err), MU_EDATA);
	put("leave", "muster-leave 1\nle");
	ck_assert_int_eq(mu_leave_read(dir, &err), MU_EDATA);
	mu_leave_forget(dir);
	ck_assert_int_eq(mu_leave_read(dir, &err), MU_ENONODE);
}
END_TEST

START_TEST(one_agent_holds_the_lock)
{
	int fd, other, pid;

	ck_assert_int_eq(mu_runtime_holder(dir, &pid, &err), MU_ENONODE);
	ck_assert_int_eq(mu_runtime_lock(dir, &fd, &err), 0);
	ck_assert_int_eq(mu_runtime_lock(dir, &other, &err), MU_EFULL);
	ck_assert_ptr_nonnull(strstr(err.msg, "another agent runs"));
	ck_assert_int_eq(mu_runtime_holder(dir, &pid, &err), 0);
	ck_assert_int_eq(pid, getpid());
	close(fd);
	ck_assert_int_eq(mu_runtime_holder(dir, &pid, &err), MU_ENONODE);
}
END_TEST

/* ---- conf.d ---- */

#define ONE "instances = ( { name = \"a\"; plugin = \"log\"; %s } );"

static struct mu_instance_conf *parse(const char *more)
{
	struct mu_instance_confs c = { 0 };
	struct mu_instance_conf *one;
	char text[512];

	snprintf(text, sizeof text, ONE, more);
	ck_assert_int_eq(mu_instance_confs_parse("x", text, &c, &err), 0);
	ck_assert_uint_eq(c.count, 1);
	one = c.at[0];
	c.count = 0;
	mu_instance_confs_wipe(&c);
	return one;
}

static const char *const differing[] = {
	"",
	"members = true;",
	"connection = true;",
	"deadline_ms = 31000;",
	"queue_max = 999;",
	"memory_max_mb = 1;",
	"files_max = 1;",
	"cpu_max_s = 1;",
	"tick_ms = 1;",
	"check_ms = 9999;",
	"watch = ( { path = \"/a\"; } );",
	"watch = ( { path = \"/b\"; } );",
	"watch = ( { path = \"/a\"; mode = \"subtree\"; } );",
	"watch = ( { path = \"/a\"; }, { path = \"/b\"; } );",
	"settings : { x = 1; };",
	"settings : { x = 2; };",
	"settings : { x = \"1\"; };",
};
#define DIFFERING (sizeof differing / sizeof *differing)

START_TEST(instances_are_equal_only_if_all_is)
{
	for (size_t i = 0; i < DIFFERING; i++) {
		struct mu_instance_conf *x = parse(differing[i]);

		for (size_t k = 0; k < DIFFERING; k++) {
			struct mu_instance_conf *y = parse(differing[k]);

			ck_assert(mu_instance_conf_eq(x, y) == (i == k));
			mu_instance_conf_free(y);
		}
		mu_instance_conf_free(x);
	}
}
END_TEST

START_TEST(ticks_and_checks_have_their_limits)
{
	static const char *const bad[] = { "tick_ms = -1;",
		                           "tick_ms = 86400001;",
		                           "check_ms = -1;",
		                           "check_ms = 86400001;" };
	struct mu_instance_conf *x = parse("tick_ms = 86400000; check_ms = 0;");
	struct mu_instance_confs c = { 0 };
	char text[512];

	ck_assert_int_eq(x->tick_ms, 86400000);
	ck_assert_int_eq(x->check_ms, 0);
	mu_instance_conf_free(x);
	x = parse("tick_ms = 0; check_ms = 86400000;");
	ck_assert_int_eq(x->tick_ms, 0);
	ck_assert_int_eq(x->check_ms, 86400000);
	mu_instance_conf_free(x);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(text, sizeof text, ONE, bad[i]);
		ck_assert_int_eq(mu_instance_confs_parse("x", text, &c, &err),
		                 MU_ECONFIG);
		mu_instance_confs_wipe(&c);
	}
}
END_TEST

START_TEST(settings_are_handed_on_flat)
{
	struct mu_instance_conf *x =
		parse("settings : { a = { b = \"c\"; }; l = [ 1, 2 ]; };");
	struct mu_in in = mu_in_of(x->settings.data, x->settings.len);
	struct mu_setting s;
	bool found = false;

	ck_assert_int_eq(x->setting_count, 4); /* a.b, l, l[0], l[1] */
	for (int i = 0; i < x->setting_count; i++) {
		ck_assert_int_eq(mu_get_setting(&in, &s), 0);
		if (mu_str_eq(s.key, MU_STR("l[1]")))
			found = s.type == MU_SETTING_INT && s.number == 2;
	}
	ck_assert(found);
	ck_assert_uint_eq(mu_in_left(&in), 0);
	mu_instance_conf_free(x);
}
END_TEST

static struct {
	unsigned count;
	char text[MU_ERR_MSG_MAX];
} said;

static void say(void *arg, const char *text)
{
	(void)arg;
	said.count++;
	snprintf(said.text, sizeof said.text, "%s", text);
}

static const struct {
	const char *plugin, *watch, *settings;
	unsigned count;
	const char *named;
} heard[] = {
	{ "config-file", "", "path = \"/a/b\";", 1,
	  "settings.path = \"/a/b\"" },
	{ "config-file", "{ path = \"/a/b\"; }", "path = \"/a/b\";", 0, "" },
	{ "config-file", "{ path = \"/a\"; }", "path = \"/a/b\";", 1, "/a/b" },
	{ "config-file", "{ path = \"/a\"; mode = \"children\"; }",
	  "path = \"/a/b\";", 0, "" },
	{ "config-file", "{ path = \"/a\"; mode = \"children\"; }",
	  "path = \"/a\";", 0, "" },
	{ "config-file", "{ path = \"/a\"; mode = \"children\"; }",
	  "path = \"/a/b/c\";", 1, "/a/b/c" },
	{ "config-file", "{ path = \"/\"; mode = \"subtree\"; }",
	  "path = \"/a/b/c\";", 0, "" },
	{ "config-file", "{ path = \"/\"; mode = \"children\"; }",
	  "path = \"/a\";", 0, "" },
	{ "config-file", "{ path = \"/a/bc\"; mode = \"subtree\"; }",
	  "path = \"/a/b\";", 1, "/a/b" },
	{ "config-file", "{ path = \"/x\"; }, { path = \"/a\"; }",
	  "path = \"/a\"; file = \"/f\";", 0, "" },
	/* What is no path of a node is for the plugin to tell of. */
	{ "config-file", "", "path = \"a\";", 0, "" },
	{ "config-file", "", "path = 7;", 0, "" },
	{ "config-file", "", "paths = \"/a\"; x = { path = \"/a\"; };", 0, "" },
	{ "/x/y/config-file.so", "", "path = \"/a\";", 1, "/a" },
	{ "/x/config-file.so/z.so", "", "path = \"/a\";", 0, "" },
	{ "config-file2", "", "path = \"/a\";", 0, "" },
	{ "exec", "", "path = \"/a\";", 0, "" },
	{ "template", "{ path = \"/a\"; }",
	  "path = \"/b\"; nodes = ( { path = \"/a\"; }, { path = \"/c\"; } );",
	  1, "settings.nodes[1].path = \"/c\"" },
	{ "template", "", "nodes = ( { path = \"/a\"; }, { path = \"/c\"; } );",
	  2, "/c" },
	/* Of a list those below it count. */
	{ "template", "{ path = \"/a\"; mode = \"children\"; }",
	  "nodes = ( { path = \"/a\"; children = true; } );", 0, "" },
	{ "template", "{ path = \"/a\"; }",
	  "nodes = ( { path = \"/a\"; children = true; } );", 1, "/a" },
	{ "template", "{ path = \"/a\"; }",
	  "nodes = ( { path = \"/a\"; children = false; } );", 0, "" },
	{ "template", "{ path = \"/a/b\"; }",
	  "nodes = ( { path = \"/a\"; children = true; } );", 0, "" },
	{ "template", "{ path = \"/\"; mode = \"subtree\"; }",
	  "nodes = ( { path = \"/a\"; children = true; } );", 0, "" },
	{ "template", "{ path = \"/\"; mode = \"children\"; }",
	  "nodes = ( { path = \"/a\"; children = true; } );", 1, "/a" },
	{ "template", "{ path = \"/a\"; }",
	  "nodes = ( { path = \"/a\"; }, { path = \"/a\"; children = true; } "
	  ");",
	  1, "nodes[1].path" },
};

START_TEST(a_node_in_the_settings_that_no_watch_covers_is_told)
{
	struct mu_instance_confs c = { 0 };
	char text[1024];

	snprintf(text, sizeof text,
	         "instances = ( { name = \"a\"; plugin = \"%s\"; watch = ( %s "
	         "); settings : { %s }; } );",
	         heard[_i].plugin, heard[_i].watch, heard[_i].settings);
	ck_assert_int_eq(mu_instance_confs_parse("x", text, &c, &err), 0);
	memset(&said, 0, sizeof said);
	mu_unheard_each(c.at[0], say, NULL);
	ck_assert_msg(said.count == heard[_i].count, "%u: %s", said.count,
	              said.text);
	ck_assert_msg(strstr(said.text, heard[_i].named) != NULL, "%s",
	              said.text);
	mu_instance_confs_wipe(&c);
}
END_TEST

START_TEST(files_are_read_in_order_and_others_passed_over)
{
	struct mu_instance_confs c;

	put("b.conf", "instances = ( { name = \"two\"; plugin = \"log\"; } );");
	put("a.conf", "instances = ( { name = \"one\"; plugin = \"log\"; } );");
	put("c.txt", "nonsense");
	ck_assert_int_eq(mu_instance_confs_load(dir, &c, &err), 0);
	ck_assert_uint_eq(c.count, 2);
	ck_assert_str_eq(c.at[0]->name, "one");
	ck_assert_str_eq(c.at[1]->name, "two");
	mu_instance_confs_wipe(&c);
	ck_assert_int_eq(mu_instance_confs_load("/nowhere/at/all", &c, &err),
	                 0);
	ck_assert_uint_eq(c.count, 0);
}
END_TEST

START_TEST(one_bad_file_empties_all)
{
	struct mu_instance_confs c;

	put("a.conf", "instances = ( { name = \"one\"; plugin = \"log\"; } );");
	put("b.conf", "instances = ( { name = \"one\"; plugin = \"log\"; } );");
	ck_assert_int_eq(mu_instance_confs_load(dir, &c, &err), MU_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "b.conf:1"));
	ck_assert_uint_eq(c.count, 0);
}
END_TEST

/* ---- record ---- */

START_TEST(a_record_comes_back_as_it_went)
{
	struct mu_member m = { .size = sizeof m,
		               .name = "n\"1",
		               .id = "i",
		               .address = "a",
		               .port = 65535,
		               .version = "v",
		               .boot_id = "b",
		               .started_ms = 1795350174060,
		               .state = "up",
		               .labels = "{\"k\":\"w\"}" };
	struct mu_record r;
	char *text = mu_record_encode(&m, NULL);

	ck_assert_ptr_nonnull(text);
	mu_record_decode(mu_str_of(text), "n\"1", 9, &r);
	ck_assert_str_eq(r.member.id, "i");
	ck_assert_str_eq(r.member.address, "a");
	ck_assert_uint_eq(r.member.port, 65535);
	ck_assert_int_eq(r.member.started_ms, m.started_ms);
	ck_assert_str_eq(r.member.labels, "{\"k\":\"w\"}");
	ck_assert_int_eq(r.member.czxid, 9);
	mu_record_wipe(&r);
	free(text);
}
END_TEST

static const char *const odd[] = {
	NULL, "", "[]", "{", "7", "{\"port\":70000,\"labels\":[1]}"
};

START_TEST(what_is_no_record_is_a_member_all_the_same)
{
	struct mu_record r;

	mu_record_decode(mu_str_of(odd[_i]), "n", 3, &r);
	ck_assert_str_eq(r.member.name, "n");
	ck_assert_str_eq(r.member.id, "");
	ck_assert_str_eq(r.member.state, "");
	ck_assert_str_eq(r.member.labels, "{}");
	ck_assert_uint_eq(r.member.port, 0);
	mu_record_wipe(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("host_files");
	TCase *tc = tcase_create("files");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, an_id_is_made_once_and_kept);
	tcase_add_loop_test(tc, a_strange_identity_is_refused_and_left_alone, 0,
	                    sizeof strange / sizeof *strange);
	tcase_add_test(tc, a_session_comes_back_as_it_was_kept);
	tcase_add_test(tc, a_torn_session_is_refused);
	tcase_add_test(tc, a_session_of_another_version_is_refused);
	tcase_add_test(tc, a_name_at_the_limit_is_kept_with_its_session);
	tcase_add_test(tc, other_brokers_have_another_hash);
	tcase_add_test(tc, how_leaving_went_is_told_once);
	tcase_add_test(tc, one_agent_holds_the_lock);
	tcase_add_test(tc, instances_are_equal_only_if_all_is);
	tcase_add_test(tc, ticks_and_checks_have_their_limits);
	tcase_add_test(tc, settings_are_handed_on_flat);
	tcase_add_loop_test(tc,
	                    a_node_in_the_settings_that_no_watch_covers_is_told,
	                    0, sizeof heard / sizeof *heard);
	tcase_add_test(tc, files_are_read_in_order_and_others_passed_over);
	tcase_add_test(tc, one_bad_file_empties_all);
	tcase_add_test(tc, a_record_comes_back_as_it_went);
	tcase_add_loop_test(tc, what_is_no_record_is_a_member_all_the_same, 0,
	                    sizeof odd / sizeof *odd);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
