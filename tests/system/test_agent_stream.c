/* What an instance is told over a bad wire: every change, once, as it was. With
 * the real broker, agent, runner and plugins, and a relay between agent and
 * broker that is cut. */
#include "cluster.h"
#include "relay.h"

#include <muster/client.h>

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES 4
#define WRITES 2000
#define ROUNDS 20 /* the wire is cut once in each */

/* A queue that holds them all: nothing is merged. */
#define LOGGER \
	"instances = ( { name = \"logger\"; plugin = \"log\"; queue_max = " \
	"10000; watch = ( { path = \"/s\"; mode = \"subtree\"; } ); } );"

static struct cluster c;
static struct cluster_agent a;
static struct program wire;
static uint16_t wire_port;
static struct mu_client *writer;
static int versions[NODES]; /* that were set, as far as is known */

/* ---- the wire ---- */

static void wire_up(void)
{
	const char *port = strrchr(c.tcp, ':');

	ck_assert_ptr_nonnull(port);
	relay_start(&wire, &wire_port, (uint16_t)atoi(port + 1));
}

static void wire_cut(void)
{
	program_stop(&wire, SIGKILL);
}

static void wait_connected(unsigned times)
{
	cluster_agent_wait_times(&a, "msg=connected broker", times);
}

/* The agent reaches the broker through the wire, everybody else does not. */
static void start(const char *broker_more, const char *agent_more)
{
	char direct[CLUSTER_PATH_MAX];

	cluster_open(&c);
	cluster_broker_conf(&c, true, broker_more);
	cluster_broker_start(&c);
	wire_port = 0;
	wire_up();
	memcpy(direct, c.url, sizeof direct);
	snprintf(c.url, sizeof c.url, "tcp://127.0.0.1:%u", wire_port);
	cluster_agent_init(&c, &a, "alpha", agent_more);
	memcpy(c.url, direct, sizeof direct);
	cluster_agent_instances(&a, "i.conf", LOGGER);
	cluster_agent_start(&a);
	wait_connected(1);
}

static void stop(void)
{
	wire_cut();
	cluster_close(&c);
}

/* ---- the writer ---- */

static void open_writer(void)
{
	struct mu_client_options o = { .size = sizeof o, .brokers = c.ipc };
	struct mu_err err = { 0 };

	ck_assert_msg(mu_client_new(&o, &writer, &err) == 0, "%s", err.msg);
}

/* Set a node, whatever happens to the broker meanwhile. */
static void set(int node)
{
	struct mu_stat stat = { 0 };
	struct mu_err err = { 0 };
	char path[16], value[16];
	int rc;

	snprintf(path, sizeof path, "/s/k%d", node);
	snprintf(value, sizeof value, "%d", versions[node] + 1);
	do {
		rc = mu_client_set_sync(writer, path, value,
		                        (int32_t)strlen(value), -1, &stat,
		                        WAIT_MS, &err);
		if (rc == MU_EEXPIRED) {
			mu_client_free(writer);
			open_writer();
		}
	} while (rc == MU_ECONNLOSS || rc == MU_EEXPIRED);
	ck_assert_msg(rc == 0, "%s", err.msg);
	versions[node] = stat.version;
}

static void write_some(int count)
{
	for (int i = 0; i < count; i++)
		set(rand() % NODES);
}

/* ---- what was told ---- */

/* The version that an event told of, in the log's line at *at, which is moved
 * behind it; -1: there is no other. */
static int next_version(const char **at, const char *path, int64_t *zxid)
{
	char wanted[64];
	const char *version;

	snprintf(wanted, sizeof wanted, " path=%s zxid=0x", path);
	*at = strstr(*at, wanted);
	if (!*at)
		return -1;
	*at += strlen(wanted);
	*zxid = (int64_t)strtoull(*at, NULL, 16);
	version = strstr(*at, " version=");
	ck_assert_ptr_nonnull(version);
	return atoi(version + strlen(" version="));
}

/* Each version once and in order; again only under the same zxid. */
static void assert_all_told(const char *log, int node)
{
	const char *at = log;
	int64_t zxid = 0, before = 0;
	int version, next = 0;
	char path[16];

	snprintf(path, sizeof path, "/s/k%d", node);
	while ((version = next_version(&at, path, &zxid)) >= 0) {
		if (version == next - 1 && zxid == before)
			continue;
		ck_assert_msg(version == next, "%s: %d where %d was to come",
		              path, version, next);
		ck_assert_int_gt(zxid, before);
		before = zxid;
		next++;
	}
	ck_assert_int_eq(next, versions[node] + 1);
}

static bool is_all_told(void *arg)
{
	(void)arg;
	for (int i = 0; i < NODES; i++) {
		char told[32];

		snprintf(told, sizeof told, " path=/s/k%d ", i);
		if (file_count(a.log, told) <= (unsigned)versions[i])
			return false;
	}
	return true;
}

START_TEST(over_a_wire_that_is_cut_and_a_broker_that_dies_all_is_told_once)
{
	unsigned connected = 1;
	char *log, path[16];

	ONLY_NATIVE("watches lose what lies between two connections");
	srand(7);
	start(NULL, "session_timeout_ms = 10000;\n");
	cluster_edit("create", "/s", "");
	for (int i = 0; i < NODES; i++) {
		snprintf(path, sizeof path, "/s/k%d", i);
		cluster_edit("create", path, "");
	}
	open_writer();
	cluster_agent_wait_log(&a, "path=/s/k3 ");
	for (int round = 0; round < ROUNDS; round++) {
		int before = rand() % (WRITES / ROUNDS);

		write_some(before);
		wire_cut();
		if (round % 5 == 4)
			cluster_broker_restart(&c, SIGKILL);
		write_some(WRITES / ROUNDS - before);
		wire_up();
		wait_connected(++connected);
	}
	(void)wait_for(is_all_told, NULL, WAIT_MS);
	log = file_read(a.log, NULL);
	for (int i = 0; i < NODES; i++)
		assert_all_told(log, i);
	free(log);
	ck_assert(!file_has(a.log, "coalesced"));
	ck_assert(!file_has(a.log, "count="));
	ck_assert(!file_has(a.log, "does not know any more"));
	ck_assert(!file_has(a.log, "level=error"));
	mu_client_free(writer);
	stop();
}
END_TEST

/* ---- a broker that keeps no log ---- */

START_TEST(what_the_broker_forgot_is_said_and_found_by_reading)
{
	ONLY_NATIVE("a ZooKeeper keeps no log of changes");
	start("change_log_max = 0;\n", NULL);
	cluster_edit("create", "/s", "one");
	cluster_agent_wait_log(&a, "created path=/s ");
	wire_cut();
	cluster_edit("set", "/s", "two");
	wire_up();
	wait_connected(2);
	cluster_agent_wait_log(&a, "changed path=/s ");
	cluster_agent_wait_log(&a, "coalesced");
	cluster_agent_wait_log(&a, "does not know any more what was changed");
	cluster_edit("set", "/s", "three");
	cluster_agent_wait_log(&a, "version=2");
	stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent on a stream of changes");
	TCase *tc = tcase_create("system");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 180);
	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_add_test(
		tc,
		over_a_wire_that_is_cut_and_a_broker_that_dies_all_is_told_once);
	tcase_add_test(tc, what_the_broker_forgot_is_said_and_found_by_reading);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
