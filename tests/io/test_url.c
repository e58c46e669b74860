/* The list of brokers, as people write it. */
#include "url.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct good {
	const char *text;
	const char *urls; /* joined by blanks */
	const char *chroot;
} good[] = {
	{ "tcp://10.0.0.1:7400", "tcp://10.0.0.1:7400", "" },
	{ "tcp://a:7400,b:7401/team", "tcp://a:7400 tcp://b:7401", "/team" },
	{ "tcp://a", "tcp://a:7400", "" },
	{ "tcp://a,b,c", "tcp://a:7400 tcp://b:7400 tcp://c:7400", "" },
	{ "tcp://a/", "tcp://a:7400", "" },
	{ "tcp://a#/", "tcp://a:7400", "" },
	{ "tcp://a:1/x/y", "tcp://a:1", "/x/y" },
	{ "tcp://a:65535#/x/y", "tcp://a:65535", "/x/y" },
	{ "tcp://[::1]:7401", "tcp://[::1]:7401", "" },
	{ "tcp://[fe80::1]/t", "tcp://[fe80::1]:7400", "/t" },
	{ "ipc:///run/b.sock", "ipc:///run/b.sock", "" },
	{ "ipc:///run/b.sock#/team", "ipc:///run/b.sock", "/team" },
	{ "tcp://a:1,ipc:///b#/team", "tcp://a:1 ipc:///b", "/team" },
	{ "ipc:///b,tcp://a:1/team", "ipc:///b tcp://a:1", "/team" },
	{ "tcp://a:1,tcp://b:2", "tcp://a:1 tcp://b:2", "" },
	{ "zookeeper://h1:2181,h2:2182/chroot",
	  "zookeeper://h1:2181 zookeeper://h2:2182", "/chroot" },
	{ "zookeeper://a,b:1,[::1]",
	  "zookeeper://a:2181 zookeeper://b:1 zookeeper://[::1]:2181", "" },
	{ "zookeeper://a,zookeeper://b#/x/y",
	  "zookeeper://a:2181 zookeeper://b:2181", "/x/y" },
};

START_TEST(a_good_list_is_taken_apart)
{
	const struct good *g = &good[_i];
	struct mu_url_list list;
	struct mu_err err = { 0 };
	char urls[512] = "";

	ck_assert_msg(mu_url_parse(g->text, &list, &err) == 0, "%s: %s",
	              g->text, err.msg);
	for (uint32_t i = 0; i < list.count; i++) {
		strcat(urls, i ? " " : "");
		strcat(urls, list.url[i]);
	}
	ck_assert_str_eq(urls, g->urls);
	ck_assert_str_eq(list.chroot, g->chroot);
	mu_url_list_fini(&list);
}
END_TEST

static const struct bad {
	const char *text;
	const char *says;
} bad[] = {
	{ "", "empty place" },
	{ ",", "empty place" },
	{ "tcp://a,", "empty place" },
	{ "tcp://a,,tcp://b", "empty place" },
	{ "a:7400", "tcp://, ipc:// or zookeeper://" },
	{ "http://a", "tcp://, ipc:// or zookeeper://" },
	{ "TCP://a", "tcp://, ipc:// or zookeeper://" },
	{ "zookeeper:/a:2181", "tcp://, ipc:// or zookeeper://" },
	{ "ZooKeeper://a:2181", "tcp://, ipc:// or zookeeper://" },
	{ "zookeeper://", "write zookeeper://HOST:PORT" },
	{ "zookeeper://a:2181:3888", "not a host" },
	{ "zookeeper://a:0", "behind zookeeper://a:" },
	{ "zookeeper://a/x,b", "one chroot" },
	{ "zookeeper://a:2181,tcp://b:7400", "mixes zookeeper:// and tcp://" },
	{ "tcp://b:7400,zookeeper://a", "mixes tcp:// and zookeeper://" },
	{ "ipc:///b,zookeeper://a", "mixes ipc:// and zookeeper://" },
	{ "ipc:///a,/b", "tcp://, ipc:// or zookeeper://" },
	{ "tcp://", "not a host" },
	{ "tcp://:7400", "not a host" },
	{ "tcp://a b:1", "not a host" },
	{ "tcp://::1:7400", "not a host" },
	{ "tcp://*:7400", "not a host" },
	{ "tcp://[::1", "not a host" },
	{ "tcp://a@b:1", "not a host" },
	{ "tcp://a:", "not a port" },
	{ "tcp://a:0", "not a port" },
	{ "tcp://a:65536", "not a port" },
	{ "tcp://a:x", "not a port" },
	{ "tcp://a:-1", "not a port" },
	{ "tcp://a:000001", "not a port" },
	{ "tcp://a/x,b", "one chroot" },
	{ "tcp://a/x#/y", "one chroot" },
	{ "tcp://a#x", "does not begin with /" },
	{ "tcp://a#", "does not begin with /" },
	{ "tcp://a/x/", "is not a path" },
	{ "tcp://a#//", "is not a path" },
	{ "ipc://b.sock", "no absolute path" },
	{ "ipc://", "no absolute path" },
};

START_TEST(a_bad_list_is_refused_with_a_sentence)
{
	const struct bad *b = &bad[_i];
	struct mu_url_list list = { .count = 99 };
	struct mu_err err = { 0 };

	ck_assert_msg(mu_url_parse(b->text, &list, &err) == MU_EINVAL, "%s",
	              b->text);
	ck_assert_msg(strstr(err.msg, b->says), "%s: %s", b->text, err.msg);
	ck_assert_uint_eq(list.count, 99);
}
END_TEST

static int parse(const char *text)
{
	struct mu_url_list list;
	int rc = mu_url_parse(text, &list, NULL);

	if (!rc)
		mu_url_list_fini(&list);
	return rc;
}

START_TEST(there_may_be_32_brokers_and_not_33)
{
	char text[256] = "tcp://a";

	for (unsigned i = 1; i < MU_URL_COUNT_MAX; i++)
		strcat(text, ",a");
	ck_assert_int_eq(parse(text), 0);
	strcat(text, ",a");
	ck_assert_int_eq(parse(text), MU_EINVAL);
}
END_TEST

START_TEST(a_url_may_have_255_bytes_and_not_256)
{
	char text[300] = "tcp://";

	memset(text + 6, 'a', 244);
	strcpy(text + 250, ":7400");
	ck_assert_uint_eq(strlen(text), 255);
	ck_assert_int_eq(parse(text), 0);
	strcpy(text + 250, "a:7400");
	ck_assert_int_eq(parse(text), MU_EINVAL);
}
END_TEST

START_TEST(an_ipc_path_may_have_107_bytes_and_not_108)
{
	char text[200] = "ipc:///";

	memset(text + 7, 'a', MU_URL_IPC_MAX - 1);
	ck_assert_int_eq(parse(text), 0);
	strcat(text, "a");
	ck_assert_int_eq(parse(text), MU_EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("url");
	TCase *tc = tcase_create("url");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, a_good_list_is_taken_apart, 0,
	                    (int)(sizeof good / sizeof good[0]));
	tcase_add_loop_test(tc, a_bad_list_is_refused_with_a_sentence, 0,
	                    (int)(sizeof bad / sizeof bad[0]));
	tcase_add_test(tc, there_may_be_32_brokers_and_not_33);
	tcase_add_test(tc, a_url_may_have_255_bytes_and_not_256);
	tcase_add_test(tc, an_ipc_path_may_have_107_bytes_and_not_108);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
