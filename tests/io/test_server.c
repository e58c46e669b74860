/* broker/server.h, in this process: what no client can bring about. */
#include "data_kit.h"

#include "epoch.h"
#include "json.h"
#include "log.h"
#include "loop.h"
#include "program.h"
#include "server_impl.h"

#include <muster/client.h>

#include <pthread.h>

#define DEADLINE_MS 60000u

static struct mu_broker_options options;
static struct mu_loop *loop;
static struct mu_timer *ticker;
static struct mu_server *server;
static struct mu_err err;
static char url[128];

static void on_tick(void *arg)
{
	(void)arg;
	mu_loop_stop(loop);
}

#define UNTIL(condition) \
	do { \
		uint64_t end_ = mu_clock_mono_ms() + DEADLINE_MS; \
		while (!(condition)) { \
			ck_assert_uint_lt(mu_clock_mono_ms(), end_); \
			mu_loop_run(loop); \
			ck_assert(!mu_server_failed(server)); \
		} \
	} while (0)

static void begin(void)
{
	ck_assert_msg(mu_server_new(loop, &options, &server, &err) == 0, "%s",
	              err.msg);
}

static void setup(void)
{
	char text[900];

	memset(&err, 0, sizeof err);
	mu_log_level(MU_ERROR);
	kit_dir_make();
	snprintf(url, sizeof url, "ipc://%s", kit_path("sock"));
	snprintf(text, sizeof text,
	         "listen = [ \"%s\" ];\nlisten_zookeeper = [ ];\n"
	         "control = \"%s\";\ndata_dir = \"%s\";\ntick_ms = 5;\n"
	         "sessions_max = 11;\nlinks_max = 12;\nwatches_max = 13;\n"
	         "max_data = 1400000;\nwaiting_max = 150000;\n",
	         url, kit_path("ctl"), kit_path("data"));
	ck_assert_msg(mu_broker_options_parse("test", text, &options, &err) ==
	                      0,
	              "%s", err.msg);
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	ck_assert_int_eq(mu_timer_new(loop, on_tick, NULL, &ticker), 0);
	mu_timer_arm(ticker, 1, 1);
	begin();
}

static void teardown(void)
{
	mu_server_free(server);
	mu_timer_free(ticker);
	mu_loop_free(loop);
	mu_broker_options_fini(&options);
	kit_dir_remove();
}

/* ---- numbers ---- */

static struct mu_json *status(void)
{
	char *text = mu_server_status(server);
	struct mu_json *o;

	ck_assert_ptr_nonnull(text);
	ck_assert_msg(mu_json_parse(text, strlen(text), &o, &err) == 0, "%s",
	              err.msg);
	free(text);
	return o;
}

/* The member, as text; "" if there is none. */
static bool says(const struct mu_json *o, const char *key, const char *text)
{
	char *is = mu_json_get_text(o, key);
	bool same = is && strstr(is, text);

	if (!same)
		printf("%s: \"%s\", not \"%s\"\n", key, is ? is : "", text);
	free(is);
	return same;
}

START_TEST(status_has_each_limit_beside_its_number)
{
	static const char *const pairs[][2] = {
		{ "sessions", "{\"used\":0,\"max\":11}" },
		{ "links", "{\"used\":0,\"max\":12}" },
		{ "watches", "{\"used\":0,\"max\":13}" },
		{ "watch_bytes", "{\"used\":0,\"max\":268435456}" },
		{ "change_log", "{\"used\":0,\"max\":100000}" },
		{ "change_log_bytes", "{\"used\":0,\"max\":67108864}" },
		{ "data_bytes", ",\"max\":1400000}" },
		{ "waiting_bytes", "{\"used\":0,\"max\":150000}" },
		{ "carriers", "\"control\":{\"used\":0,\"max\":16}" },
		{ "carriers", "\"outbox_max\":8388608" },
		{ "journal", "\"waiting_bytes\":{\"used\":0,\"max\":" },
	};
	struct mu_json *o = status();

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		ck_assert(says(o, pairs[i][0], pairs[i][1]));
	ck_assert(says(o, "state", "ready"));
	ck_assert(says(o, "nodes", "5"));
	ck_assert(says(o, "epoch", "1"));
	ck_assert(says(o, "subscriptions", "0"));
	ck_assert(says(o, "gaps", "0"));
	ck_assert(says(o, "over_path_max", "0"));
	ck_assert(says(o, "over_ephemeral_bytes", "0"));
	ck_assert(says(o, "change_floor", "0x100000000"));
	ck_assert(says(o, "journal", "\"keeps\":true"));
	ck_assert(says(o, "snapshot", "\"taken\":0"));
	mu_json_free(o);
}
END_TEST

/* ---- the counter ---- */

/* A command from nowhere, in the store and on disk: the zxid before the last but
 * two of its epoch. */
static void come_near_the_end(void)
{
	struct script c = { .s = server->store };
	const int64_t last = INT64_C(1) << 32 | 0xffffffff;

	c.zxid = last - 3;
	c.time_ms = mu_clock_wall_ms();
	say_create(&c, 0, "/near", "", 0, 0);
	ck_assert_int_eq(server->journal->append(server->journal, 1,
	                                         c.command.data, c.command.len,
	                                         &err),
	                 0);
	ck_assert_uint_eq(server->journal->settle(server->journal), 1);
	server->logged = server->durable = 1;
	mu_buf_fini(&c.command);
	mu_buf_fini(&c.all);
}

#define NODES 8

static struct client {
	pthread_t thread;
	int64_t zxid[NODES];
	int rc;
	_Atomic bool done;
} client;

static void *create_nodes(void *arg)
{
	const struct mu_client_options o = { .size = sizeof o, .brokers = url };
	struct mu_client *c = NULL;
	struct mu_stat st;
	char path[16];

	(void)arg;
	client.rc = mu_client_new(&o, &c, NULL);
	if (!client.rc)
		client.rc = mu_client_wait(c, DEADLINE_MS, NULL);
	for (int i = 0; i < NODES && !client.rc; i++) {
		snprintf(path, sizeof path, "/n%d", i);
		client.rc = mu_client_create_sync(c, path, "", 0, 0, NULL, 0,
		                                  DEADLINE_MS, NULL);
		if (!client.rc)
			client.rc = mu_client_exists_sync(c, path, &st,
			                                  DEADLINE_MS, NULL);
		client.zxid[i] = st.czxid;
	}
	if (c) {
		mu_client_close(c, DEADLINE_MS);
		mu_client_free(c);
	}
	client.done = true;
	return NULL;
}

static uint32_t epoch_on_disk(void)
{
	uint32_t e;

	ck_assert_int_eq(mu_epoch_look(kit_path("data"), &e, &err), 0);
	return e;
}

START_TEST(after_2_to_the_32_commands_the_next_epoch_has_begun)
{
	struct mu_store_stats before, after;

	ck_assert_uint_eq(epoch_on_disk(), 1);
	come_near_the_end();
	memset(&client, 0, sizeof client);
	ck_assert_int_eq(
		pthread_create(&client.thread, NULL, create_nodes, NULL), 0);
	UNTIL(client.done);
	pthread_join(client.thread, NULL);
	ck_assert_int_eq(client.rc, 0);
	for (int i = 1; i < NODES; i++)
		ck_assert_int_gt(client.zxid[i], client.zxid[i - 1]);
	ck_assert_int_eq(client.zxid[NODES - 1] >> 32, 2);
	UNTIL(epoch_on_disk() == 2);
	ck_assert_uint_eq(server->config.epoch, 2);
	UNTIL(server->logged == server->durable);
	mu_store_stats(server->store, &before);
	mu_server_free(server);
	begin();
	ck_assert_uint_eq(epoch_on_disk(), 3);
	mu_store_stats(server->store, &after);
	ck_assert_int_eq(after.zxid >> 32, 3);
	ck_assert_uint_eq(after.nodes, before.nodes);
}
END_TEST

/* The file cannot be written: it is tried again, and the broker goes on. */
START_TEST(an_epoch_that_cannot_be_raised_is_raised_later)
{
	char tmp[400];
	struct stat st;

	come_near_the_end();
	snprintf(tmp, sizeof tmp, "%s/epoch", kit_path("data"));
	ck_assert_int_eq(unlink(tmp), 0);
	ck_assert_int_eq(mkdir(tmp, 0700), 0);
	memset(&client, 0, sizeof client);
	ck_assert_int_eq(
		pthread_create(&client.thread, NULL, create_nodes, NULL), 0);
	UNTIL(client.done);
	pthread_join(client.thread, NULL);
	ck_assert_int_eq(client.rc, 0);
	for (int i = 0; i < 50; i++)
		mu_loop_run(loop);
	ck_assert(!mu_server_failed(server));
	ck_assert_uint_eq(server->config.epoch, 1);
	ck_assert_int_eq(rmdir(tmp), 0);
	UNTIL(server->config.epoch == 2);
	ck_assert_int_eq(stat(tmp, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
}
END_TEST

/* ---- start and stop ---- */

/* As after a restore: on the same loop, one after the other. */
START_TEST(many_lives_on_one_loop_leave_nothing)
{
	unsigned before;

	mu_server_free(server);
	server = NULL;
	for (int i = 0; i < 3; i++)
		mu_loop_run(loop);
	before = process_descriptors(getpid());
	for (int life = 0; life < 5; life++) {
		begin();
		for (int i = 0; i < 20; i++)
			mu_loop_run(loop);
		mu_server_free(server);
		server = NULL;
		for (int i = 0; i < 3; i++)
			mu_loop_run(loop);
	}
	ck_assert_uint_eq(process_descriptors(getpid()), before);
	ck_assert_uint_eq(epoch_on_disk(), 6);
}
END_TEST

START_TEST(a_second_server_on_the_directory_is_refused_and_the_first_goes_on)
{
	struct mu_server *second = NULL;

	ck_assert_int_eq(mu_server_new(loop, &options, &second, &err),
	                 MU_EFULL);
	ck_assert_ptr_null(second);
	memset(&client, 0, sizeof client);
	ck_assert_int_eq(
		pthread_create(&client.thread, NULL, create_nodes, NULL), 0);
	UNTIL(client.done);
	pthread_join(client.thread, NULL);
	ck_assert_int_eq(client.rc, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("server");
	TCase *t = tcase_create("server");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, status_has_each_limit_beside_its_number);
	tcase_add_test(t, after_2_to_the_32_commands_the_next_epoch_has_begun);
	tcase_add_test(t, an_epoch_that_cannot_be_raised_is_raised_later);
	tcase_add_test(t, many_lives_on_one_loop_leave_nothing);
	tcase_add_test(
		t,
		a_second_server_on_the_directory_is_refused_and_the_first_goes_on);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
