/* The plugin service between two hosts: one on which a service lives and dies,
 * one that watches /services. With the real programs. */
#include "child.h"
#include "cluster.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS 30
#define EAR \
	"instances = ( { name = \"ear\"; plugin = \"" MU_BUILD \
	"/plugins/log.so\"; " \
	"watch = ( { path = \"/services\"; mode = \"subtree\"; } ); } );"

static struct cluster c;
static struct cluster_agent here, there;
static char pid_file[256];

static void setup(void)
{
	cluster_open(&c);
	cluster_broker_start(&c);
	snprintf(pid_file, sizeof pid_file, "%s/x.pid", c.dir);
}

static void teardown(void)
{
	cluster_close(&c);
}

/* ---- helpers ---- */

static void start_agent(struct cluster_agent *x, const char *name,
                        const char *instances)
{
	cluster_agent_init(&c, x, name, "session_timeout_ms = 5000;\n");
	cluster_agent_instances(x, "i.conf", instances);
	cluster_agent_start(x);
	cluster_agent_wait_log(x, "msg=registered");
}

static void start_both(const char *settings)
{
	char text[1024];

	snprintf(text, sizeof text,
	         "instances = ( { name = \"web\"; plugin = \"" MU_BUILD
	         "/plugins/service.so\"; connection = true; "
	         "settings : { %s }; } );",
	         settings);
	start_agent(&there, "there", EAR);
	start_agent(&here, "here", text);
}

static pid_t start_service(void)
{
	char text[32];
	pid_t pid = child_fork();

	if (pid == 0) {
		execlp("sleep", "sleep", "300", (char *)NULL);
		_exit(127);
	}
	snprintf(text, sizeof text, "%d\n", (int)pid);
	file_write_text(pid_file, text);
	return pid;
}

static void wait_there(const char *text, unsigned count)
{
	cluster_agent_wait_times(&there, text, count);
}

static int by_size(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* ---- tests ---- */

START_TEST(the_other_host_hears_of_each_end_and_each_return)
{
	char settings[400];
	int took[KILLS];

	snprintf(settings, sizeof settings, "pid_file = \"%s\"; poll_ms = 20;",
	         pid_file);
	start_both(settings);
	for (unsigned i = 0; i < KILLS; i++) {
		pid_t pid = start_service();
		int64_t began;

		wait_there("created path=/services/web/here ", i + 1);
		began = now_ms();
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		wait_there("deleted path=/services/web/here ", i + 1);
		took[i] = (int)(now_ms() - began);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	}
	qsort(took, KILLS, sizeof took[0], by_size);
	printf("from kill -9 of a service to the log of another host: p50 %d "
	       "ms, the slowest of %d %d ms\n",
	       took[KILLS / 2], KILLS, took[KILLS - 1]);
	ck_assert_uint_eq(
		file_count(there.log, "created path=/services/web/here "),
		KILLS);
}
END_TEST

START_TEST(the_node_goes_with_the_instance_and_comes_back_with_it)
{
	char settings[400];
	pid_t pid = start_service();

	snprintf(settings, sizeof settings, "pid_file = \"%s\";", pid_file);
	start_both(settings);
	wait_there("created path=/services/web/here ", 1);
	cluster_agent_instances(&here, "i.conf", "instances = ( );");
	program_signal(&here.program, SIGHUP);
	wait_there("deleted path=/services/web/here ", 1);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

static void instances_here(const char *more)
{
	char text[1024];

	snprintf(text, sizeof text,
	         "instances = ( { name = \"web\"; plugin = \"" MU_BUILD
	         "/plugins/service.so\"; connection = true; settings : { "
	         "command = [ \"sleep\", \"300\" ]; restart = true; %s }; } );",
	         more);
	cluster_agent_instances(&here, "i.conf", text);
}

/* The process that the instance has noted, once it has looked at it so often. */
static pid_t command_after(unsigned looks)
{
	char path[300], *text;
	pid_t pid;

	cluster_agent_wait_times(&here, "/services/web/here is there: process ",
	                         looks);
	snprintf(path, sizeof path, "%s/instances/web.d/service.pid",
	         here.state);
	text = file_read(path, NULL);
	ck_assert_ptr_nonnull(text);
	pid = (pid_t)strtol(text, NULL, 10);
	free(text);
	ck_assert_int_gt(pid, 1);
	ck_assert_int_eq(kill(pid, 0), 0);
	return pid;
}

START_TEST(a_command_ends_with_its_instance_and_with_nothing_else)
{
	char text[64];
	pid_t pid;

	cluster_agent_init(&c, &here, "here", NULL);
	instances_here("");
	cluster_agent_start(&here);
	pid = command_after(1);
	instances_here("poll_ms = 1000;");
	program_signal(&here.program, SIGHUP);
	ck_assert_int_eq(command_after(2), pid);
	cluster_agent_stop(&here, SIGTERM);
	ck_assert_int_eq(kill(pid, 0), 0);
	cluster_agent_start(&here);
	ck_assert_int_eq(command_after(3), pid);
	ck_assert(!file_has(here.log, "is ended"));
	cluster_agent_instances(&here, "i.conf", "instances = ( );");
	program_signal(&here.program, SIGHUP);
	snprintf(text, sizeof text, "the command, process %d, is ended",
	         (int)pid);
	cluster_agent_wait_log(&here, text);
	cluster_wait_node("/services/web/here", NULL);
}
END_TEST

START_TEST(the_node_is_there_again_after_the_tree_was_lost)
{
	char settings[400];
	pid_t pid = start_service();

	snprintf(settings, sizeof settings, "pid_file = \"%s\";", pid_file);
	start_both(settings);
	wait_there("created path=/services/web/here ", 1);
	cluster_broker_lose_tree(&c);
	cluster_wait_for_node("/services/web/here");
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	cluster_wait_node("/services/web/here", NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("service");
	TCase *tc = tcase_create("service");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 180);
	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_other_host_hears_of_each_end_and_each_return);
	tcase_add_test(tc,
	               the_node_goes_with_the_instance_and_comes_back_with_it);
	tcase_add_test(tc,
	               a_command_ends_with_its_instance_and_with_nothing_else);
	tcase_add_test(tc, the_node_is_there_again_after_the_tree_was_lost);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
