/* Three hosts in network namespaces of their own, on a wire that is cut one way,
 * both ways, slow, or ends at a host that vanishes. With the real programs; the
 * broker on the first host, an agent on each. */
#include "cluster.h"
#include "wire.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 2000
#define LONG_MS 6000 /* of one that vanishes with it, and falls after it */
#define TICK_MS 50   /* of the broker, which looks at its clock once in one */
#define INSTANCES \
	"instances = ( { name = \"ear\"; plugin = \"" MU_BUILD \
	"/plugins/log.so\"; members = true; connection = true; " \
	"watch = ( { path = \"/config\"; mode = \"subtree\"; } ); } );"

static struct wire w;
static struct cluster c;
static struct cluster_agent host[3];

/* ---- helpers ---- */

static void start_agent(int i, const char *name, int timeout_ms)
{
	char more[64];

	snprintf(c.url, sizeof c.url, "tcp://%s:%s",
	         i == 0 ? "127.0.0.1" : "10.77.0.1", strrchr(c.tcp, ':') + 1);
	snprintf(more, sizeof more, "session_timeout_ms = %d;\n", timeout_ms);
	cluster_agent_init(&c, &host[i], name, more);
	cluster_agent_instances(&host[i], "i.conf", INSTANCES);
	wire_enter(&w, i);
	cluster_agent_start(&host[i]);
	wire_leave(&w);
}

/* The agents of the others find the broker over the wire. False: no wire. */
static bool start_with(int timeout_of_beta)
{
	static const char *const names[] = { "alpha", "beta", "gamma" };

	if (!wire_open(&w, 3))
		return false;
	cluster_open(&c);
	cluster_broker_conf(&c, true, NULL);
	wire_enter(&w, 0);
	cluster_broker_start(&c);
	wire_leave(&w);
	cluster_edit("create", "/config", "");
	for (int i = 0; i < 3; i++)
		start_agent(i, names[i], i == 1 ? timeout_of_beta : TIMEOUT_MS);
	for (int i = 0; i < 3; i++) {
		cluster_agent_wait_log(&host[i], "member=alpha");
		cluster_agent_wait_log(&host[i], "member=beta");
		cluster_agent_wait_log(&host[i], "member=gamma");
		cluster_agent_wait_log(&host[i], "present path=/config ");
	}
	return true;
}

static bool start_all(void)
{
	return start_with(TIMEOUT_MS);
}

static void end_all(void)
{
	cluster_close(&c);
	wire_close(&w);
}

static void assert_nobody_fell(void)
{
	for (int i = 0; i < 3; i++) {
		ck_assert(!file_has(host[i].log, "failed member="));
		ck_assert(!file_has(host[i].log, "left member="));
	}
}

/* ---- tests ---- */

START_TEST(the_edits_of_a_short_cut_come_when_it_is_over_and_nobody_falls)
{
	char path[32], text[64];

	if (!start_all())
		return;
	wire_cut_host(&w, 2, true);
	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof path, "/config/%d", i);
		cluster_edit("create", path, "x");
	}
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof text, "created path=/config/%d ", i);
		cluster_agent_wait_log(&host[1], text);
		ck_assert(!file_has(host[2].log, text));
	}
	wire_cut_host(&w, 2, false);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof text, "created path=/config/%d ", i);
		cluster_agent_wait_log(&host[2], text);
		ck_assert_uint_eq(file_count(host[2].log, text), 1);
	}
	assert_nobody_fell();
	end_all();
}
END_TEST

/* Host 2 writes to the broker: when it certainly had not yet. */
static int64_t let_gamma_speak(void)
{
	char text[512];
	int64_t before;

	snprintf(text, sizeof text,
	         "instances = ( { name = \"page\"; plugin = \"" MU_BUILD
	         "/plugins/config-file.so\"; watch = ( { path = \"/page\"; "
	         "} ); settings = { path = \"/page\"; file = \"%s/page\"; "
	         "}; } );",
	         host[2].dir);
	cluster_agent_instances(&host[2], "page.conf", text);
	program_signal(&host[2].program, SIGHUP);
	cluster_agent_wait_log(&host[2], "instance=page pid=");
	cluster_wait_node("/applied/page/gamma", NULL);
	before = now_ms();
	cluster_edit("create", "/page", "x");
	cluster_wait_for_node("/applied/page/gamma");
	return before;
}

static void assert_first_of(const char *log, const char *a, const char *b)
{
	size_t len;
	char *text = file_read(log, &len);

	ck_assert_msg(strstr(text, a) && strstr(text, b) &&
	                      strstr(text, a) < strstr(text, b),
	              "not \"%s\" before \"%s\" in: %s", a, b, text);
	free(text);
}

/* Not before its session can have expired; and not with a longer timeout than its
 * own: one that vanishes at the same time and has such a one falls after it. */
START_TEST(a_host_that_vanishes_has_failed_after_its_timeout_not_anothers)
{
	int64_t spoke, cut, told;

	if (!start_with(LONG_MS))
		return;
	spoke = let_gamma_speak();
	cut = now_ms();
	wire_cut_host(&w, 2, true);
	wire_cut_host(&w, 1, true);
	cluster_agent_wait_log(&host[0], "failed member=gamma");
	told = now_ms();
	printf("a host that vanished was told as failed after %d ms; its "
	       "timeout is %d ms\n",
	       (int)(told - cut), TIMEOUT_MS);
	ck_assert_int_ge(told - spoke, TIMEOUT_MS - TICK_MS);
	ck_assert_int_lt(told - cut, LONG_MS);
	cluster_agent_wait_log(&host[0], "failed member=beta");
	assert_first_of(host[0].log, "failed member=gamma",
	                "failed member=beta");
	ck_assert(!file_has(host[0].log, "left member="));
	end_all();
}
END_TEST

static void assert_gamma_alone_fell_once(void)
{
	for (int i = 0; i < 3; i++) {
		ck_assert(!file_has(host[i].log, "failed member=alpha"));
		ck_assert(!file_has(host[i].log, "failed member=beta"));
		ck_assert(!file_has(host[i].log, "left member="));
	}
	ck_assert_uint_eq(file_count(host[0].log, "failed member=gamma"), 1);
	ck_assert_uint_eq(file_count(host[1].log, "failed member=gamma"), 1);
}

/* Either way that the wire is cut, the host falls once, knows that it has no
 * broker, and is back when it is healed. */
static void cut_one_way(int from, int to)
{
	if (!start_all())
		return;
	wire_cut(&w, from, to, true);
	cluster_agent_wait_log(&host[1], "failed member=gamma");
	cluster_agent_wait_log(&host[2], "disconnected");
	wire_cut(&w, from, to, false);
	cluster_agent_wait_log(&host[0], "joined member=gamma");
	cluster_agent_wait_log(&host[1], "joined member=gamma");
	cluster_agent_wait_times(&host[2],
	                         "msg=\"connected renewed\" instance=ear", 1);
	cluster_edit("create", "/config/after", "x");
	for (int i = 0; i < 3; i++) {
		cluster_agent_wait_log(&host[i], "created path=/config/after ");
		ck_assert_uint_eq(
			file_count(host[i].log, "created path=/config/after "),
			1);
	}
	assert_gamma_alone_fell_once();
	end_all();
}

START_TEST(a_host_that_the_broker_cannot_hear_falls_and_comes_back)
{
	cut_one_way(2, 0);
}
END_TEST

START_TEST(a_host_that_cannot_hear_the_broker_falls_and_comes_back)
{
	cut_one_way(0, 2);
}
END_TEST

START_TEST(a_slow_wire_makes_nobody_fall_and_loses_nothing)
{
	char path[32], text[64];
	int64_t began;

	if (!start_all())
		return;
	wire_delay(&w, 150);
	began = now_ms();
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof path, "/config/%d", i);
		cluster_edit("create", path, "x");
	}
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof text, "created path=/config/%d ", i);
		cluster_agent_wait_log(&host[2], text);
		ck_assert_uint_eq(file_count(host[2].log, text), 1);
	}
	/* Long enough for all to have fallen. */
	while (now_ms() - began < 2 * TIMEOUT_MS) {
		cluster_edit("set", "/config/0", "y");
		file_comes_to_have(host[2].log, "never", 100);
	}
	assert_nobody_fell();
	end_all();
}
END_TEST

START_TEST(
	hosts_that_are_cut_from_each_other_but_not_from_the_broker_do_not_fall)
{
	if (!start_all())
		return;
	wire_cut(&w, 1, 2, true);
	wire_cut(&w, 2, 1, true);
	cluster_edit("create", "/config/x", "x");
	cluster_agent_wait_log(&host[1], "created path=/config/x ");
	cluster_agent_wait_log(&host[2], "created path=/config/x ");
	wire_cut_host(&w, 1, true);
	cluster_agent_wait_log(&host[2], "failed member=beta");
	ck_assert(!file_has(host[2].log, "failed member=alpha"));
	ck_assert(!file_has(host[0].log, "failed member=gamma"));
	end_all();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("network");
	TCase *tc = tcase_create("network");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_add_test(
		tc,
		the_edits_of_a_short_cut_come_when_it_is_over_and_nobody_falls);
	tcase_add_test(
		tc,
		a_host_that_vanishes_has_failed_after_its_timeout_not_anothers);
	tcase_add_test(tc,
	               a_host_that_the_broker_cannot_hear_falls_and_comes_back);
	tcase_add_test(tc,
	               a_host_that_cannot_hear_the_broker_falls_and_comes_back);
	tcase_add_test(tc, a_slow_wire_makes_nobody_fall_and_loses_nothing);
	tcase_add_test(
		tc,
		hosts_that_are_cut_from_each_other_but_not_from_the_broker_do_not_fall);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
