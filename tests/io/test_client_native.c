/* The client library over ZeroMQ: what is that carrier's own, and what needs
 * none. What holds on both stands in test_client.c. */
#include "client_bed.h"

#include <unistd.h>

START_TEST(new_refuses_what_it_cannot_use)
{
	options.brokers = "tcp://127.0.0.1:1";
	options.size = sizeof options - 1;
	ck_assert_int_eq(mu_client_new(&options, &c, &err), MU_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "size"));
	options.size = sizeof options;
	options.brokers = NULL;
	ck_assert_int_eq(mu_client_new(&options, &c, &err), MU_EINVAL);
	options.brokers = "";
	ck_assert_int_eq(mu_client_new(&options, &c, &err), MU_EINVAL);
	options.brokers = "gopher://x";
	ck_assert_int_eq(mu_client_new(&options, &c, &err), MU_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "tcp://"));
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(the_library_knows_its_version_and_its_words)
{
	ck_assert_str_eq(mu_client_version(), MU_VERSION);
	ck_assert_str_eq(mu_client_strerror(MU_ENONODE), "no such node");
}
END_TEST

START_TEST(ipc_is_a_carrier_too)
{
	char dir[] = "/tmp/muster-test-XXXXXX", url[256], file[256];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	mu_format(file, sizeof file, "%s/b.sock", dir);
	mu_format(url, sizeof url, "ipc://%s", file);
	fake_broker_close(&broker);
	fake_broker_open(&broker, url);
	go_connected("#/team");
	mu_client_get(c, "/a", false, on_done, "get");
	UNTIL(was_heard("get=0"));
	ck_assert_ptr_nonnull(strstr(broker.log, "getData /team/a"));
	unlink(file);
	rmdir(dir);
}
END_TEST

START_TEST(a_thousand_requests_go_in_a_few_messages)
{
	unsigned before;

	go_connected("");
	before = broker.messages;
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(mu_client_sync(c, "/a", on_done, ""), 0);
	ck_assert_int_eq(mu_client_sync(c, "/a", on_done, ""), MU_EFULL);
	mu_client_process(c);
	UNTIL(mu_client_sync(c, "/a", on_done, "last") == 0);
	UNTIL(was_heard("last=0"));
	ck_assert_uint_le(broker.messages - before, 3);
}
END_TEST

START_TEST(garbage_for_an_answer_is_no_connection)
{
	broker.garbage = true;
	make("");
	start_thread();
	UNTIL(mu_client_wait(c, 300, &err) == MU_ETIMEDOUT &&
	      strstr(err.msg, "another protocol"));
}
END_TEST

START_TEST(wait_says_which_brokers_were_tried_and_why_not)
{
	options.brokers = "tcp://127.0.0.1:1,ipc:///nowhere/b.sock";
	ck_assert_int_eq(mu_client_new(&options, &c, &err), 0);
	/* A busy machine may take longer to try both. */
	UNTIL(mu_client_wait(c, 600, &err) == MU_ETIMEDOUT &&
	      strstr(err.msg, "ipc:///nowhere/b.sock") &&
	      strstr(err.msg, "tcp://127.0.0.1:1; is muster-broker "
	                      "running there?"));
	ck_assert_msg(strstr(err.msg, "connect: no answer within 600 ms: "),
	              "%s", err.msg);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client, native");
	TCase *tc = client_case(s, "native", setup_native);

	tcase_add_test(tc, new_refuses_what_it_cannot_use);
	tcase_add_test(tc, the_library_knows_its_version_and_its_words);
	tcase_add_test(tc, ipc_is_a_carrier_too);
	tcase_add_test(tc, a_thousand_requests_go_in_a_few_messages);
	tcase_add_test(tc, garbage_for_an_answer_is_no_connection);
	tcase_add_test(tc, wait_says_which_brokers_were_tried_and_why_not);
	return client_run(s);
}
