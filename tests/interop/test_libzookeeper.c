/* ZooKeeper's own C client, with its threads, against the broker: asynchronous
 * calls, watches that outlive a broken connection, multi, a chroot. A relay before
 * the broker breaks connections; sessions live on. */
#include "cluster.h"
#include "relay.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<zookeeper/zookeeper.h>)
#define THREADED
/* Its header is not written for our warnings. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <zookeeper/zookeeper.h>
#pragma GCC diagnostic pop
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

#define LIBRARY "libzookeeper_mt.so.2"
#define SESSION_MS 10000
#define MANY 500
#define OPEN (api.open_acl)

/* Variables of the library in its header; the numbers are the protocol's (rules
 * 22, 23, 27). */
enum { SESSION_EVENT = -1, CONNECTED = 3, EPHEMERAL = 1, SEQUENCE = 2 };

/* Loaded, not linked: the build does not need it. */
static struct {
	__typeof__(&zookeeper_init) init;
	__typeof__(&zookeeper_close) close;
	__typeof__(&zoo_state) state;
	__typeof__(&zoo_client_id) client_id;
	__typeof__(&zoo_acreate) acreate;
	__typeof__(&zoo_aget) aget;
	__typeof__(&zoo_aset) aset;
	__typeof__(&zoo_create) create;
	__typeof__(&zoo_create2) create2;
	__typeof__(&zoo_delete) delete;
	__typeof__(&zoo_set) set;
	__typeof__(&zoo_get) get;
	__typeof__(&zoo_exists) exists;
	__typeof__(&zoo_wget) wget;
	__typeof__(&zoo_wexists) wexists;
	__typeof__(&zoo_wget_children) wget_children;
	__typeof__(&zoo_multi) multi;
	__typeof__(&zoo_create_op_init) create_op;
	__typeof__(&zoo_set_op_init) set_op;
	__typeof__(&zoo_check_op_init) check_op;
	__typeof__(&zoo_delete_op_init) delete_op;
	__typeof__(&zoo_set_debug_level) set_debug_level;
	const struct ACL_vector *open_acl;
} api;

/* clang-format off */
static const struct { const char *name; void *at; } symbols[] = {
	{ "zookeeper_init", &api.init }, { "zookeeper_close", &api.close },
	{ "zoo_state", &api.state }, { "zoo_client_id", &api.client_id },
	{ "zoo_acreate", &api.acreate }, { "zoo_aget", &api.aget },
	{ "zoo_aset", &api.aset }, { "zoo_create", &api.create },
	{ "zoo_create2", &api.create2 }, { "zoo_delete", &api.delete },
	{ "zoo_set", &api.set }, { "zoo_get", &api.get },
	{ "zoo_exists", &api.exists }, { "zoo_wget", &api.wget },
	{ "zoo_wexists", &api.wexists }, { "zoo_wget_children", &api.wget_children },
	{ "zoo_multi", &api.multi }, { "zoo_create_op_init", &api.create_op },
	{ "zoo_set_op_init", &api.set_op },
	{ "zoo_check_op_init", &api.check_op }, { "zoo_delete_op_init", &api.delete_op },
	{ "zoo_set_debug_level", &api.set_debug_level },
	{ "ZOO_OPEN_ACL_UNSAFE", &api.open_acl },
};
/* clang-format on */

static bool load(void)
{
	void *lib = dlopen(LIBRARY, RTLD_NOW), *found;

	if (!lib)
		return false;
	for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
		found = dlsym(lib, symbols[i].name);
		if (!found) {
			fprintf(stderr, "%s lacks %s\n", LIBRARY,
			        symbols[i].name);
			return false;
		}
		memcpy(symbols[i].at, &found, sizeof found);
	}
	return true;
}

static struct cluster c;
static struct program relay;
static uint16_t relay_port, port;
static char hosts[128];
static zhandle_t *zh;

/* What the client's threads say. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char heard[1024];
static int replies, wrong;

static void hear(const char *path, int type)
{
	size_t len;

	pthread_mutex_lock(&lock);
	len = strlen(heard);
	snprintf(heard + len, sizeof heard - len, "%d %s;", type, path);
	pthread_mutex_unlock(&lock);
}

static bool has_heard(void *text)
{
	bool is;

	pthread_mutex_lock(&lock);
	is = strcmp(heard, text) == 0;
	pthread_mutex_unlock(&lock);
	return is;
}

static void forget_heard(void)
{
	pthread_mutex_lock(&lock);
	heard[0] = '\0';
	pthread_mutex_unlock(&lock);
}

static void expect(const char *text)
{
	char want[256];

	snprintf(want, sizeof want, "%s", text);
	ck_assert_msg(wait_for(has_heard, want, WAIT_MS),
	              "heard \"%s\", not \"%s\"", heard, text);
	forget_heard();
}

static void on_node(zhandle_t *z, int type, int state, const char *path,
                    void *ctx)
{
	(void)z, (void)state, (void)ctx;
	if (type != SESSION_EVENT)
		hear(path, type);
}

/* Of the session alone; nodes have watchers of their own. */
static void on_session(zhandle_t *z, int type, int state, const char *path,
                       void *ctx)
{
	(void)z, (void)type, (void)state, (void)path, (void)ctx;
}

static bool is_up(void *z)
{
	return api.state(z) == CONNECTED;
}

static bool is_down(void *z)
{
	return api.state(z) != CONNECTED;
}

static zhandle_t *connect_to(uint16_t to, const char *chroot,
                             const clientid_t *id)
{
	zhandle_t *z;

	snprintf(hosts, sizeof hosts, "127.0.0.1:%u%s", (unsigned)to, chroot);
	z = api.init(hosts, on_session, SESSION_MS, id, NULL, 0);
	ck_assert_ptr_nonnull(z);
	ck_assert(wait_for(is_up, z, WAIT_MS));
	return z;
}

static void setup(void)
{
	const char *at;

	ck_assert(load());
	api.set_debug_level((ZooLogLevel)0);
	cluster_open(&c);
	c.with_zk = true;
	cluster_broker_start(&c);
	at = strrchr(c.zk, ':');
	ck_assert_ptr_nonnull(at);
	port = (uint16_t)atoi(at + 1);
	relay_port = 0;
	relay_start(&relay, &relay_port, port);
	zh = connect_to(relay_port, "", NULL);
}

static void teardown(void)
{
	api.close(zh);
	program_stop(&relay, SIGKILL);
	cluster_close(&c);
}

/* Break the connection, do `meanwhile` behind its back, let it come again. */
static void cut(void (*meanwhile)(void))
{
	zhandle_t *other;

	program_stop(&relay, SIGKILL);
	ck_assert(wait_for(is_down, zh, WAIT_MS));
	if (meanwhile) {
		other = zh;
		zh = connect_to(port, "", NULL);
		meanwhile();
		api.close(zh);
		zh = other;
	}
	relay_start(&relay, &relay_port, port);
	ck_assert(wait_for(is_up, zh, WAIT_MS));
}

static void create(const char *path, const char *data)
{
	ck_assert_int_eq(
		api.create(zh, path, data, (int)strlen(data), OPEN, 0, NULL, 0),
		ZOK);
}

static void set(const char *path, const char *data)
{
	ck_assert_int_eq(api.set(zh, path, data, (int)strlen(data), -1), ZOK);
}

/* ---- tests ---- */

static void count(bool is_right)
{
	pthread_mutex_lock(&lock);
	replies++;
	wrong += !is_right;
	pthread_mutex_unlock(&lock);
}

static void on_string(int rc, const char *value, const void *data)
{
	count(rc == ZOK && value && strcmp(value, data) == 0);
}

static void on_stat(int rc, const struct Stat *stat, const void *data)
{
	(void)data;
	count(rc == ZOK && stat && stat->version == 1);
}

static void on_data(int rc, const char *value, int len, const struct Stat *stat,
                    const void *data)
{
	count(rc == ZOK && stat && len == (int)strlen(data) &&
	      memcmp(value, data, (size_t)len) == 0);
}

static bool all_came(void *arg)
{
	bool is;

	(void)arg;
	pthread_mutex_lock(&lock);
	is = replies == 3 * MANY;
	pthread_mutex_unlock(&lock);
	return is;
}

START_TEST(asynchronous_requests_are_answered_in_order)
{
	static char path[MANY][16];

	for (int i = 0; i < MANY; i++) {
		const char *p = path[i];

		snprintf(path[i], sizeof path[i], "/n%d", i);
		ck_assert_int_eq(
			api.acreate(zh, p, "x", 1, OPEN, 0, on_string, p), ZOK);
		ck_assert_int_eq(
			api.aset(zh, p, p, (int)strlen(p), 0, on_stat, p), ZOK);
		ck_assert_int_eq(api.aget(zh, p, 0, on_data, p), ZOK);
	}
	ck_assert_msg(wait_for(all_came, NULL, WAIT_MS), "%d came", replies);
	ck_assert_int_eq(wrong, 0);
}
END_TEST

START_TEST(watches_tell_once)
{
	struct String_vector names;
	struct Stat stat;

	ck_assert_int_eq(api.wexists(zh, "/w", on_node, NULL, &stat), ZNONODE);
	create("/w", "");
	expect("1 /w;");
	ck_assert_int_eq(api.wget_children(zh, "/w", on_node, NULL, &names),
	                 ZOK);
	create("/w/c", "");
	expect("4 /w;");
	ck_assert_int_eq(api.wexists(zh, "/w/c", on_node, NULL, &stat), ZOK);
	set("/w/c", "1");
	set("/w/c", "2");
	expect("3 /w/c;");
	ck_assert_int_eq(api.delete(zh, "/w/c", -1), ZOK);
	expect("");
}
END_TEST

static void change_both(void)
{
	set("/data", "2");
	create("/kids/k", "");
}

START_TEST(watches_outlive_a_broken_connection)
{
	struct String_vector names;
	struct Stat stat;
	char data[16];
	int len = sizeof data;
	int64_t session = api.client_id(zh)->client_id;

	create("/data", "1");
	create("/kids", "");
	ck_assert_int_eq(
		api.wget(zh, "/data", on_node, NULL, data, &len, &stat), ZOK);
	cut(NULL);
	ck_assert_int_eq(api.client_id(zh)->client_id, session);
	set("/data", "1b");
	expect("3 /data;");

	/* What changed meanwhile is told on coming back. */
	len = sizeof data;
	ck_assert_int_eq(
		api.wget(zh, "/data", on_node, NULL, data, &len, &stat), ZOK);
	cut(change_both);
	expect("3 /data;");
	ck_assert_int_eq(api.wget_children(zh, "/kids", on_node, NULL, &names),
	                 ZOK);
	ck_assert_int_eq(names.count, 1);
	cut(NULL);
	ck_assert_int_eq(api.delete(zh, "/kids/k", -1), ZOK);
	expect("4 /kids;");
}
END_TEST

START_TEST(an_ephemeral_node_outlives_a_broken_connection)
{
	struct Stat stat;

	ck_assert_int_eq(api.create(zh, "/e", "", 0, OPEN, EPHEMERAL, NULL, 0),
	                 ZOK);
	cut(NULL);
	ck_assert_int_eq(api.exists(zh, "/e", 0, &stat), ZOK);
	ck_assert_int_eq(stat.ephemeralOwner, api.client_id(zh)->client_id);
}
END_TEST

START_TEST(a_multi_is_done_as_one)
{
	char made[2][32];
	struct Stat stat;
	zoo_op_t ops[5];
	zoo_op_result_t results[5];

	api.create_op(&ops[0], "/m", "1", 1, OPEN, 0, made[0], sizeof made[0]);
	api.create_op(&ops[1], "/m/s-", "", 0, OPEN, SEQUENCE, made[1],
	              sizeof made[1]);
	api.set_op(&ops[2], "/m", "22", 2, 0, &stat);
	api.check_op(&ops[3], "/m", 1);
	api.delete_op(&ops[4], "/m/s-0000000000", -1);
	ck_assert_int_eq(api.multi(zh, 5, ops, results), ZOK);
	ck_assert_str_eq(made[1], "/m/s-0000000000");
	ck_assert_int_eq(stat.czxid, stat.mzxid);
	ck_assert_int_eq(stat.version, 1);
	ck_assert_int_eq(stat.dataLength, 2);
}
END_TEST

START_TEST(a_multi_that_fails_changes_nothing)
{
	char made[32];
	struct Stat stat;
	zoo_op_t ops[3];
	zoo_op_result_t results[3];

	api.create_op(&ops[0], "/f", "", 0, OPEN, 0, made, sizeof made);
	api.check_op(&ops[1], "/", 77);
	api.delete_op(&ops[2], "/f", -1);
	ck_assert_int_eq(api.multi(zh, 3, ops, results), ZBADVERSION);
	ck_assert_int_eq(results[0].err, ZOK);
	ck_assert_int_eq(results[1].err, ZBADVERSION);
	ck_assert_int_eq(results[2].err, ZRUNTIMEINCONSISTENCY);
	ck_assert_int_eq(api.exists(zh, "/f", 0, &stat), ZNONODE);
}
END_TEST

START_TEST(a_chroot_stands_before_every_path)
{
	zhandle_t *below;
	struct Stat stat;
	char made[32], data[16];
	int len = sizeof data;

	create("/root", "");
	below = connect_to(port, "/root", NULL);
	ck_assert_int_eq(api.create2(below, "/in", "x", 1, OPEN, 0, made,
	                             sizeof made, &stat),
	                 ZOK);
	ck_assert_str_eq(made, "/in");
	ck_assert_int_eq(
		api.wget(below, "/in", on_node, NULL, data, &len, &stat), ZOK);
	set("/root/in", "y");
	expect("3 /in;");
	api.close(below);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, asynchronous_requests_are_answered_in_order);
	tcase_add_test(tc, watches_tell_once);
	tcase_add_test(tc, watches_outlive_a_broken_connection);
	tcase_add_test(tc, an_ephemeral_node_outlives_a_broken_connection);
	tcase_add_test(tc, a_multi_is_done_as_one);
	tcase_add_test(tc, a_multi_that_fails_changes_nothing);
	tcase_add_test(tc, a_chroot_stands_before_every_path);
}
#else
static bool load(void)
{
	return false;
}
static void setup(void)
{
}
static void teardown(void)
{
}
static void add_tests(TCase *tc)
{
	(void)tc;
}
#endif

int main(void)
{
	Suite *s = suite_create("libzookeeper_mt");
	TCase *tc = tcase_create("libzookeeper_mt");
	SRunner *sr;
	int failed;

	if (!load()) {
		printf("SKIPPED: ZooKeeper's C client: not installed (apt-get "
		       "install libzookeeper-mt-dev)\n");
		return 77;
	}
	tcase_set_timeout(tc, 90);
	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
