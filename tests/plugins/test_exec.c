/* The shipped plugin exec: a command for chosen events. */
#include "plugin_bed.h"

#include <signal.h>

static void setup(void)
{
	dir_setup();
	ck_assert_int_eq(setenv("MUSTER_EVENT", "stale", 1), 0);
}

static void start(void)
{
	start_plugin("exec", (struct fake_options){ .instance = "alarm" });
}

static void start_ready(void)
{
	start();
	ck_assert_msg(fake_ready(&a) == 0, "%s", a.ready.reason);
}

static struct mu_chan_event node_event(uint32_t type)
{
	return (struct mu_chan_event){ .type = type,
		                       .path = MU_STR("/config/x"),
		                       .zxid = 77,
		                       .count = 3,
		                       .attempt = 2,
		                       .flags = MU_EVENT_AGAIN,
		                       .has_stat = true,
		                       .stat = { .version = 5 } };
}

static struct mu_chan_event member_event(uint32_t type, const char *name)
{
	return (struct mu_chan_event){ .type = type,
		                       .path = MU_STR("/members/x"),
		                       .has_member = true,
		                       .name = { name, (uint32_t)strlen(name) },
		                       .address = MU_STR("10.1.2.3"),
		                       .id = MU_STR("0af1"),
		                       .port = 8080 };
}

static pid_t pid_in_dir(const char *name)
{
	ck_assert(fake_file_comes(in_dir(name)));
	return (pid_t)atoi(content(name));
}

START_TEST(a_node_event_is_in_the_environment)
{
	set_str("command", "env | grep ^MUSTER_ | sort > $D/out");
	start_ready();
	ck_assert_int_eq(fake_event(&a, node_event(MU_EVENT_CHANGED)), 0);
	ck_assert_str_eq(content("out"), "MUSTER_AGAIN=1\n"
	                                 "MUSTER_ATTEMPT=2\n"
	                                 "MUSTER_AUTHOR=\n"
	                                 "MUSTER_CAUSE=\n"
	                                 "MUSTER_COUNT=3\n"
	                                 "MUSTER_EVENT=changed\n"
	                                 "MUSTER_HOST=host1\n"
	                                 "MUSTER_INSTANCE=alarm\n"
	                                 "MUSTER_MEMBER=\n"
	                                 "MUSTER_MEMBER_ADDRESS=\n"
	                                 "MUSTER_MEMBER_ID=\n"
	                                 "MUSTER_MEMBER_PORT=\n"
	                                 "MUSTER_PATH=/config/x\n"
	                                 "MUSTER_STALE=0\n"
	                                 "MUSTER_VERSION=5\n"
	                                 "MUSTER_ZXID=77\n");
	ck_assert(fake_logged(&a, "<2> command for changed /config/x: "
	                          "exit status 0\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_member_event_is_in_the_environment)
{
	set_str("command", "echo $MUSTER_EVENT $MUSTER_MEMBER "
	                   "$MUSTER_MEMBER_ADDRESS $MUSTER_MEMBER_PORT "
	                   "$MUSTER_MEMBER_ID \"<$MUSTER_VERSION>\" > $D/out");
	start_ready();
	ck_assert_int_eq(
		fake_event(&a, member_event(MU_EVENT_MEMBER_FAILED, "web1")),
		0);
	ck_assert_str_eq(content("out"), "failed web1 10.1.2.3 8080 0af1 <>\n");
	ck_assert(fake_logged(&a, "command for failed web1: exit status 0"));
	fake_stop(&a);
}
END_TEST

START_TEST(who_did_it_is_in_the_environment)
{
	struct mu_chan_event e = member_event(MU_EVENT_MEMBER_FAILED, "web1");

	set_str("command", "echo \"$MUSTER_CAUSE,$MUSTER_AUTHOR,"
	                   "$MUSTER_STALE\" >> $D/out");
	start_ready();
	e.cause = MU_BY_EXPIRY;
	e.author_session = 0x1f;
	e.author = MU_STR("web1");
	ck_assert_int_eq(fake_event(&a, e), 0);
	e = node_event(MU_EVENT_DELETED);
	e.cause = MU_BY_TTL; /* nobody's session */
	ck_assert_int_eq(fake_event(&a, e), 0);
	e = node_event(MU_EVENT_CHANGED);
	e.flags = MU_EVENT_STALE;
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_str_eq(content("out"), "expiry,web1,0\nttl,,0\n,,1\n");
	fake_stop(&a);
}
END_TEST

START_TEST(the_data_is_on_standard_input)
{
	struct mu_chan_event e = node_event(MU_EVENT_CHANGED);

	set_str("command", "cat > $D/out");
	start_ready();
	e.data = MU_STR("a\0b\nc");
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_str_eq(content("out"), "a");
	ck_assert_mem_eq(content("out"), "a\0b\nc", 6);
	e.data = (struct mu_str){ NULL, 0 };
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_str_eq(content("out"), "");
	fake_stop(&a);
}
END_TEST

START_TEST(data_that_is_not_read_is_no_trouble)
{
	struct mu_chan_event e = node_event(MU_EVENT_CHANGED);
	size_t len = 1u << 20;
	char *big = malloc(len);

	ck_assert_ptr_nonnull(big);
	memset(big, 'b', len);
	set_str("command", "true");
	set_num("retry", MU_SETTING_BOOL, 1);
	start_ready();
	e.data = (struct mu_str){ big, (uint32_t)len };
	ck_assert_int_eq(fake_event(&a, e), 0);
	free(big);
	fake_stop(&a);
}
END_TEST

START_TEST(a_list_is_run_without_a_shell)
{
	set_num("command", MU_SETTING_COUNT, 4);
	set_str("command[0]", "/bin/sh");
	set_str("command[1]", "-c");
	set_str("command[2]", "echo \"$0\" > $D/out");
	set_str("command[3]", "$D; `id`");
	start_ready();
	ck_assert_int_eq(fake_event(&a, node_event(MU_EVENT_CREATED)), 0);
	ck_assert_str_eq(content("out"), "$D; `id`\n");
	fake_stop(&a);
}
END_TEST

/* The four that only tell how things stand are off unless asked for. */
static const struct {
	uint32_t type;
	bool runs;
} defaults[] = {
	{ MU_EVENT_PRESENT, false },
	{ MU_EVENT_CREATED, true },
	{ MU_EVENT_DELETED, true },
	{ MU_EVENT_CHANGED, true },
	{ MU_EVENT_CHILDREN, true },
	{ MU_EVENT_MEMBER_PRESENT, false },
	{ MU_EVENT_MEMBER_JOINED, true },
	{ MU_EVENT_MEMBER_LEFT, true },
	{ MU_EVENT_MEMBER_FAILED, true },
	{ MU_EVENT_MEMBER_CHANGED, true },
	{ MU_EVENT_CONNECTED, false },
	{ MU_EVENT_DISCONNECTED, false },
	{ 99, false },
};

START_TEST(some_events_run_it_by_default)
{
	set_str("command", "echo ran > $D/out");
	start_ready();
	ck_assert_int_eq(fake_event(&a, node_event(defaults[_i].type)), 0);
	ck_assert_str_eq(content("out"), defaults[_i].runs ? "ran\n" : "");
	fake_stop(&a);
}
END_TEST

START_TEST(chosen_events_alone_run_it)
{
	set_str("command", "echo $MUSTER_EVENT >> $D/out");
	set_num("events", MU_SETTING_COUNT, 2);
	set_str("events[0]", "left");
	set_str("events[1]", "present");
	start_ready();
	fake_event(&a, node_event(MU_EVENT_PRESENT));
	fake_event(&a, node_event(MU_EVENT_CHANGED));
	fake_event(&a, member_event(MU_EVENT_MEMBER_FAILED, "w"));
	fake_event(&a, member_event(MU_EVENT_MEMBER_LEFT, "w"));
	ck_assert_str_eq(content("out"), "present\nleft\n");
	fake_stop(&a);
}
END_TEST

START_TEST(chosen_members_alone_run_it)
{
	set_str("command", "echo $MUSTER_MEMBER >> $D/out");
	set_num("members", MU_SETTING_COUNT, 2);
	set_str("members[0]", "web1");
	set_str("members[1]", "web3");
	start_ready();
	fake_event(&a, member_event(MU_EVENT_MEMBER_FAILED, "web1"));
	fake_event(&a, member_event(MU_EVENT_MEMBER_FAILED, "web2"));
	fake_event(&a, member_event(MU_EVENT_MEMBER_FAILED, "web3"));
	fake_event(&a, node_event(MU_EVENT_CHANGED)); /* no member's */
	ck_assert_str_eq(content("out"), "web1\nweb3\n\n");
	fake_stop(&a);
}
END_TEST

START_TEST(one_event_may_stand_without_a_list)
{
	set_str("command", "echo $MUSTER_EVENT >> $D/out");
	set_str("events", "failed");
	start_ready();
	fake_event(&a, node_event(MU_EVENT_CHANGED));
	fake_event(&a, member_event(MU_EVENT_MEMBER_LEFT, "w"));
	fake_event(&a, member_event(MU_EVENT_MEMBER_FAILED, "w"));
	ck_assert_str_eq(content("out"), "failed\n");
	ck_assert(!fake_logged(&a, "<1>"));
	fake_stop(&a);
}
END_TEST

START_TEST(one_member_may_stand_without_a_list)
{
	set_str("command", "echo $MUSTER_MEMBER >> $D/out");
	set_str("members", "web1");
	start_ready();
	fake_event(&a, member_event(MU_EVENT_MEMBER_FAILED, "web1"));
	fake_event(&a, member_event(MU_EVENT_MEMBER_FAILED, "web2"));
	ck_assert_str_eq(content("out"), "web1\n");
	fake_stop(&a);
}
END_TEST

START_TEST(a_misspelt_setting_is_told)
{
	set_str("command", "true");
	set_str("evnts", "failed");
	start_ready();
	ck_assert(
		fake_logged(&a, "<1> setting \"evnts\" was not read by exec"));
	ck_assert(fake_logged(&a, "did you mean \"events\"?\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_failure_without_output_names_the_command)
{
	set_str("command", "exit 3");
	start_ready();
	ck_assert_int_eq(fake_event(&a, node_event(MU_EVENT_CHANGED)), 0);
	ck_assert(fake_logged(&a, "<1> command for changed /config/x: exit "
	                          "status 3, without output: exit 3\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_failure_is_logged_and_counts_as_handled)
{
	set_str("command", "echo; echo first line; echo second >&2; exit 3");
	start_ready();
	ck_assert_int_eq(fake_event(&a, node_event(MU_EVENT_CHANGED)), 0);
	ck_assert(fake_logged(&a, "<1> command for changed /config/x: exit "
	                          "status 3: first line\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(with_retry_a_failure_is_an_error)
{
	set_str("command", "echo no >&2; exit 3");
	set_num("retry", MU_SETTING_BOOL, 1);
	start_ready();
	ck_assert_int_eq(fake_event(&a, node_event(MU_EVENT_CHANGED)),
	                 MU_ESYSTEM);
	ck_assert_str_eq(a.ack.reason, "command for changed /config/x: exit "
	                               "status 3: no");
	fake_stop(&a);
}
END_TEST

START_TEST(a_signal_is_told)
{
	set_str("command", "kill -TERM $$");
	start_ready();
	ck_assert_int_eq(fake_event(&a, node_event(MU_EVENT_CHANGED)), 0);
	ck_assert(fake_logged(&a, "killed by signal 15 (Terminated)"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_told)
{
	set_num("command", MU_SETTING_COUNT, 1);
	set_str("command[0]", "/is/not/there");
	set_num("retry", MU_SETTING_BOOL, 1);
	start_ready();
	ck_assert_int_eq(fake_event(&a, node_event(MU_EVENT_CHANGED)), MU_EIO);
	ck_assert_str_eq(a.ack.reason,
	                 "cannot run /is/not/there: No such file or directory");
	fake_stop(&a);
}
END_TEST

START_TEST(much_output_does_not_block_it)
{
	set_str("command",
	        "head -c 3000000 /dev/zero | tr '\\0' z; echo done > $D/out");
	start_ready();
	ck_assert_int_eq(fake_event(&a, node_event(MU_EVENT_CHANGED)), 0);
	ck_assert_str_eq(content("out"), "done\n");
	ck_assert(fake_logged(&a, "exit status 0: zzz"));
	fake_stop(&a);
}
END_TEST

START_TEST(at_the_limit_the_whole_group_is_killed)
{
	pid_t shell, grandchild;

	set_str("command", "echo $$ > $D/shell.new; mv $D/shell.new $D/shell;"
	                   "sleep 1000 & echo $! > $D/child.new;"
	                   "mv $D/child.new $D/child; wait");
	set_num("timeout_ms", MU_SETTING_INT, 700);
	set_num("retry", MU_SETTING_BOOL, 1);
	start_ready();
	ck_assert_int_eq(fake_event(&a, node_event(MU_EVENT_CHANGED)),
	                 MU_ESYSTEM);
	ck_assert_ptr_nonnull(strstr(
		a.ack.reason, "not done in 700 ms (timeout_ms), killed"));
	shell = pid_in_dir("shell");
	grandchild = pid_in_dir("child");
	ck_assert_int_ne(shell, grandchild);
	ck_assert(fake_group_is_gone(shell)); /* both were in it */
	/* And the runner is well. */
	ck_assert_int_eq(fake_event(&a, node_event(MU_EVENT_PRESENT)), 0);
	fake_stop(&a);
}
END_TEST

START_TEST(the_command_dies_with_its_runner)
{
	pid_t shell;

	set_str("command",
	        "echo $$ > $D/new; mv $D/new $D/shell; exec sleep 1000");
	start_ready();
	fake_send(&a, node_event(MU_EVENT_CHANGED));
	shell = pid_in_dir("shell");
	ck_assert_int_gt(shell, 0);
	fake_kill(&a);
	ck_assert(fake_group_is_gone(shell));
	fake_fini(&a);
}
END_TEST

START_TEST(what_goes_on_in_the_background_does_not_hold_it_up)
{
	set_str("command", "sleep 1000 & echo $! > $D/child");
	start_ready();
	ck_assert_int_eq(fake_event(&a, node_event(MU_EVENT_CHANGED)), 0);
	/* It ended in time, so what it left is its own affair. */
	ck_assert_int_eq(kill(pid_in_dir("child"), 0), 0);
	(void)kill(pid_in_dir("child"), SIGKILL);
	fake_stop(&a);
}
END_TEST

/* The plugin's limits are not the command's, nor are its descriptors. */
START_TEST(the_command_has_the_limits_of_the_agent)
{
	set_str("command", "ulimit -t > $D/cpu; ulimit -v > $D/memory;"
	                   "ls /proc/self/fd | wc -w > $D/fds;"
	                   "cat /proc/self/status > $D/status");
	start_plugin("exec", (struct fake_options){
				     .cpu_max_s = 5,
				     .files_max = 50,
			     });
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert_int_eq(fake_event(&a, node_event(MU_EVENT_CHANGED)), 0);
	ck_assert_str_eq(content("cpu"), "unlimited\n");
	ck_assert_str_eq(content("memory"), "unlimited\n");
	/* 0 to 2, and the one that ls reads the directory with. */
	ck_assert_int_eq(atoi(content("fds")), 4);
	ck_assert_ptr_nonnull(
		strstr(content("status"), "SigBlk:\t0000000000000000"));
	ck_assert_ptr_nonnull(strstr(content("status"), "NoNewPrivs:\t1"));
	fake_stop(&a);
}
END_TEST

/* ---- settings ---- */

static void start_refused(const char *word)
{
	start();
	assert_refused(word);
}

START_TEST(no_command_is_refused)
{
	start_refused("`command`");
}
END_TEST

START_TEST(an_empty_list_is_refused)
{
	set_num("command", MU_SETTING_COUNT, 0);
	start_refused("`command`");
}
END_TEST

START_TEST(a_list_of_numbers_is_refused)
{
	set_num("command", MU_SETTING_COUNT, 1);
	set_num("command[0]", MU_SETTING_INT, 5);
	start_refused("command[0] is not a text");
}
END_TEST

START_TEST(an_unknown_event_is_refused)
{
	set_str("command", "true");
	set_num("events", MU_SETTING_COUNT, 1);
	set_str("events[0]", "exploded");
	start_refused("\"exploded\" is no event");
}
END_TEST

static const struct {
	const char *key;
	enum mu_setting_type type;
	const char *word;
} mistyped[] = {
	{ "events", MU_SETTING_INT, "events is a whole number, but must be" },
	{ "members", MU_SETTING_BOOL, "members is a boolean, but must be" },
	{ "events", MU_SETTING_FLOAT, "events is a number with a fraction" },
	{ "timeout_ms", MU_SETTING_STR, "timeout_ms is a text, but must be" },
	{ "retry", MU_SETTING_COUNT, "retry is a list, but must be true or" },
	{ "retry", MU_SETTING_INT, "retry is a whole number, but must be" },
};

START_TEST(a_setting_of_another_type_is_refused)
{
	set_str("command", "true");
	set_num(mistyped[_i].key, mistyped[_i].type, 0);
	rows[row_count - 1].text = MU_STR("0.5");
	start_refused(mistyped[_i].word);
}
END_TEST

START_TEST(a_command_that_is_a_number_is_refused)
{
	set_num("command", MU_SETTING_INT, 7);
	start_refused("command is a whole number");
}
END_TEST

START_TEST(a_limit_of_nothing_is_refused)
{
	set_str("command", "true");
	set_num("timeout_ms", MU_SETTING_INT, 0);
	start_refused("timeout_ms = 0");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("exec");
	TCase *tc = tcase_create("commands");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, dir_teardown);
	tcase_add_test(tc, a_node_event_is_in_the_environment);
	tcase_add_test(tc, a_member_event_is_in_the_environment);
	tcase_add_test(tc, who_did_it_is_in_the_environment);
	tcase_add_test(tc, the_data_is_on_standard_input);
	tcase_add_test(tc, data_that_is_not_read_is_no_trouble);
	tcase_add_test(tc, a_list_is_run_without_a_shell);
	tcase_add_loop_test(tc, some_events_run_it_by_default, 0,
	                    (int)(sizeof defaults / sizeof defaults[0]));
	tcase_add_test(tc, chosen_events_alone_run_it);
	tcase_add_test(tc, chosen_members_alone_run_it);
	tcase_add_test(tc, one_event_may_stand_without_a_list);
	tcase_add_test(tc, one_member_may_stand_without_a_list);
	tcase_add_test(tc, a_misspelt_setting_is_told);
	tcase_add_test(tc, a_failure_without_output_names_the_command);
	tcase_add_test(tc, a_command_that_is_a_number_is_refused);
	tcase_add_loop_test(tc, a_setting_of_another_type_is_refused, 0,
	                    (int)(sizeof mistyped / sizeof mistyped[0]));
	tcase_add_test(tc, a_failure_is_logged_and_counts_as_handled);
	tcase_add_test(tc, with_retry_a_failure_is_an_error);
	tcase_add_test(tc, a_signal_is_told);
	tcase_add_test(tc, a_program_that_is_not_there_is_told);
	tcase_add_test(tc, much_output_does_not_block_it);
	tcase_add_test(tc, at_the_limit_the_whole_group_is_killed);
	tcase_add_test(tc, the_command_dies_with_its_runner);
	tcase_add_test(tc, what_goes_on_in_the_background_does_not_hold_it_up);
	tcase_add_test(tc, the_command_has_the_limits_of_the_agent);
	tcase_add_test(tc, no_command_is_refused);
	tcase_add_test(tc, an_empty_list_is_refused);
	tcase_add_test(tc, a_list_of_numbers_is_refused);
	tcase_add_test(tc, an_unknown_event_is_refused);
	tcase_add_test(tc, a_limit_of_nothing_is_refused);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
