#include "client_bed.h"

struct fake_broker broker;
struct mu_client *c;
struct mu_client_options options;
struct mu_err err;
char heard[16384];
bool threaded;

void hear(const char *fmt, const char *word, long long a)
{
	size_t len = strlen(heard);

	if (len)
		len += mu_format(heard + len, sizeof heard - len, "; ");
	mu_format(heard + len, sizeof heard - len, fmt, word, a);
}

bool was_heard(const char *what)
{
	return strstr(heard, what) != NULL;
}

static void on_state(struct mu_client *cc, enum mu_client_state state, int why,
                     void *arg)
{
	static const char *const words[] = { "connecting", "connected",
		                             "expired", "closed" };

	ck_assert_ptr_eq(cc, c);
	ck_assert_ptr_eq(arg, &broker);
	hear("%s %lld", words[state], why);
}

static void on_event(struct mu_client *cc, const struct mu_watch_event *e,
                     void *arg)
{
	ck_assert_ptr_eq(cc, c);
	ck_assert_ptr_eq(arg, &broker);
	ck_assert_uint_eq(e->size, sizeof *e);
	if (broker.z)
		ck_assert_int_gt(e->zxid, 0);
	else
		ck_assert_int_eq(e->zxid, -1); /* rule 25 */
	hear("event %s %lld", e->path, e->type);
}

void on_done(struct mu_client *cc, const struct mu_result *r, void *arg)
{
	ck_assert_ptr_eq(cc, c);
	ck_assert_uint_eq(r->size, sizeof *r);
	hear("%s=%lld", arg, r->rc);
}

const char *dead_url(void)
{
	return broker.z ? "tcp://127.0.0.1:1" : "zookeeper://127.0.0.1:1";
}

void make(const char *suffix)
{
	static char urls[512];

	mu_format(urls, sizeof urls, "%s%s", broker.url, suffix);
	options.brokers = urls;
	ck_assert_msg(mu_client_new(&options, &c, &err) == 0, "%s", err.msg);
}

void start_thread(void)
{
	fake_broker_start(&broker);
	threaded = true;
}

static void setup(const char *url)
{
	fake_broker_open(&broker, url);
	options = (struct mu_client_options){ .size = sizeof options,
		                              .on_state = on_state,
		                              .on_event = on_event,
		                              .arg = &broker };
	heard[0] = '\0';
	threaded = false;
}

void setup_native(void)
{
	setup("tcp://127.0.0.1:*");
}

void setup_tcp(void)
{
	setup("zookeeper://");
}

void setup_native_threaded(void)
{
	setup_native();
	start_thread();
	make("");
}

void setup_tcp_threaded(void)
{
	setup_tcp();
	start_thread();
	make("");
}

void teardown(void)
{
	mu_client_free(c);
	c = NULL;
	if (threaded)
		fake_broker_stop(&broker);
	fake_broker_close(&broker);
}

/* What the broker waits for, behind the client's own; how many. */
static nfds_t broker_fds(struct pollfd *p)
{
	if (broker.z) {
		*p = (struct pollfd){ mu_zsock_fd(broker.z), POLLIN, 0 };
		return 1;
	}
	p[0] = (struct pollfd){ broker.tcp.listener, POLLIN, 0 };
	p[1] = (struct pollfd){ broker.tcp.conn, POLLIN, 0 };
	return broker.deaf ? 1 : 2;
}

void turn(void)
{
	struct pollfd p[3] = { { mu_client_fd(c), POLLIN, 0 } };
	const nfds_t more = threaded ? 0 : broker_fds(p + 1);
	int wait = mu_client_timeout_ms(c);

	(void)poll(p, 1 + more, wait < 20 ? wait : 20);
	mu_client_process(c);
	if (!threaded)
		fake_broker_turn(&broker);
}

void broker_until(bool (*is)(void))
{
	const uint64_t by = mu_clock_mono_ms() + CLIENT_PATIENCE_MS;

	while (!is()) {
		ck_assert_uint_lt(mu_clock_mono_ms(), by);
		if (!fake_broker_turn(&broker))
			fake_broker_wait(&broker, 10);
	}
}

struct mu_client_info info(void)
{
	struct mu_client_info i = { .size = sizeof i };

	mu_client_info(c, &i);
	return i;
}

void go_connected(const char *suffix)
{
	make(suffix);
	UNTIL(info().state == MU_CLIENT_CONNECTED);
}

TCase *client_case(Suite *s, const char *name, void (*up)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, up, teardown);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return tc;
}

int client_run(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
