/* The shipped plugin webhook: events are sent to a small server of the test. */
#include "plugin_bed.h"
#include "program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define REQUESTS_MAX 4

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define SICK \
	"HTTP/1.1 500 Sick\r\nContent-Length: 9\r\nConnection: close\r\n\r\n" \
	"I am\nsick"
#define SILENCE "" /* says nothing until the other side hangs up */

/* Answers the k-th request with the k-th text, each on a connection of its
 * own; beyond the last there is no answer. */
static struct {
	int fd; /* listens */
	int port;
	pthread_t thread;
	bool runs;
	const char *const *script; /* ends in NULL */
	pthread_mutex_t lock;      /* for what follows */
	unsigned count;
	char requests[REQUESTS_MAX][3000000]; /* whole, with a NUL */
} server = { .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

static char url[200];

/* ---- the server ---- */

/* True once there is a whole request in `text`. */
static bool is_whole(const char *text, size_t len)
{
	const char *end = strstr(text, "\r\n\r\n");
	const char *length = strcasestr(text, "\r\nContent-Length:");

	return end && length && length < end &&
	       len >= (size_t)(end + 4 - text) + strtoul(length + 17, NULL, 10);
}

static void read_request(int fd, char *text, size_t room)
{
	size_t len = 0;
	ssize_t n = 1;

	text[0] = '\0';
	while (n > 0 && len + 1 < room && !is_whole(text, len)) {
		n = recv(fd, text + len, room - 1 - len, 0);
		len += n > 0 ? (size_t)n : 0;
		text[len] = '\0';
	}
}

static void serve_one(int fd, unsigned k)
{
	const char *answer = server.script[k];
	char byte;

	read_request(fd, server.requests[k], sizeof server.requests[k]);
	pthread_mutex_lock(&server.lock);
	server.count++;
	pthread_mutex_unlock(&server.lock);
	if (answer[0])
		(void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL);
	else
		while (recv(fd, &byte, 1, 0) > 0)
			;
}

static void *serve(void *arg)
{
	(void)arg;
	for (unsigned k = 0; k < REQUESTS_MAX && server.script[k]; k++) {
		int fd = accept(server.fd, NULL, NULL);

		if (fd < 0)
			break;
		serve_one(fd, k);
		close(fd);
	}
	return NULL;
}

/* A port of ours, on which nobody listens yet. */
static void open_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof at;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(server.fd, 0);
	ck_assert_int_eq(bind(server.fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(getsockname(server.fd, (struct sockaddr *)&at, &len),
	                 0);
	server.port = ntohs(at.sin_port);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/hook?x=1", server.port);
}

static void start_server(const char *const *script)
{
	server.script = script;
	ck_assert_int_eq(listen(server.fd, 10), 0);
	ck_assert_int_eq(pthread_create(&server.thread, NULL, serve, NULL), 0);
	server.runs = true;
}

static unsigned served(void)
{
	unsigned n;

	pthread_mutex_lock(&server.lock);
	n = server.count;
	pthread_mutex_unlock(&server.lock);
	return n;
}

static void stop_server(void)
{
	(void)shutdown(server.fd, SHUT_RDWR);
	if (server.runs)
		pthread_join(server.thread, NULL);
	server.runs = false;
	close(server.fd);
}

/* ---- the plugin ---- */

static void setup(void)
{
	/* A proxy of this machine would stand in between. */
	unsetenv("http_proxy");
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	dir_setup();
	open_port();
	set_str("url", url);
}

static void teardown(void)
{
	stop_server();
	dir_teardown();
}

static void start(void)
{
	start_well("webhook", (struct fake_options){ 0 });
}

static struct mu_chan_event value_event(struct mu_str data)
{
	struct mu_chan_event e = { .type = MU_EVENT_CHANGED,
		                   .path = MU_STR("/config/app"),
		                   .zxid = 0x1f,
		                   .n = 2,
		                   .has_stat = true };

	e.data = data;
	e.stat.version = 7;
	return e;
}

static int give(const char *text)
{
	return fake_event(&a, value_event(mu_str_of(text)));
}

static const char *body(unsigned k)
{
	const char *end = strstr(server.requests[k], "\r\n\r\n");

	ck_assert_ptr_nonnull(end);
	return end + 4;
}

static void assert_sent(unsigned k, const char *text)
{
	ck_assert_uint_gt(served(), k);
	ck_assert_msg(strstr(server.requests[k], text) != NULL,
	              "no %s in: %.2000s", text, server.requests[k]);
}

/* ---- what is sent ---- */

START_TEST(a_change_is_posted_as_json)
{
	static const char *const script[] = { OK, NULL };
	const char *all =
		"{\"id\":\"0x1f/2\",\"type\":\"changed\",\"path\":"
		"\"/config/app\",\"zxid\":31,\"n\":2,\"version\":7,\"count\":1,"
		"\"attempt\":1,\"again\":false,\"coalesced\":false,"
		"\"overflow\":false,\"stale\":false,\"cause\":null,"
		"\"session\":null,\"author\":null,\"instance\":\"test\","
		"\"host\":\"host1\","
		"\"member\":null,\"encoding\":\"text\",\"data\":"
		"\"say \\\"hi\\\"\\n\"}";

	start_server(script);
	start();
	ck_assert_msg(give("say \"hi\"\n") == 0, "%s", a.ack.reason);
	ck_assert_int_eq(
		strncmp(server.requests[0], "POST /hook?x=1 HTTP/1.1\r\n", 25),
		0);
	assert_sent(0, "\r\nContent-Type: application/json\r\n");
	ck_assert_str_eq(body(0), all);
	fake_stop(&a);
}
END_TEST

START_TEST(headers_come_from_the_settings)
{
	static const char *const script[] = { OK, NULL };

	set_num("headers", MU_SETTING_COUNT, 2);
	set_str("headers[0]", "Authorization: Bearer s3cret");
	set_str("headers[1]", "X-Team: ops");
	start_server(script);
	start();
	ck_assert_int_eq(give("x"), 0);
	assert_sent(0, "\r\nAuthorization: Bearer s3cret\r\n");
	assert_sent(0, "\r\nX-Team: ops\r\n");
	ck_assert(!fake_logged(&a, "s3cret"));
	fake_stop(&a);
}
END_TEST

START_TEST(who_did_it_and_what_is_stale_is_told)
{
	static const char *const script[] = { OK, OK, OK, NULL };
	struct mu_chan_event e = value_event(MU_STR("x"));

	start_server(script);
	start();
	e.author_session = 0x1f;
	e.author = MU_STR("web3");
	ck_assert_int_eq(fake_event(&a, e), 0);
	assert_sent(0, "\"stale\":false,\"cause\":\"request\",\"session\":"
	               "\"0x1f\",\"author\":\"web3\",");
	e = (struct mu_chan_event){ .type = MU_EVENT_DELETED,
		                    .path = MU_STR("/x"),
		                    .cause = MU_BY_TTL };
	ck_assert_int_eq(fake_event(&a, e), 0);
	assert_sent(1, "\"stale\":false,\"cause\":\"ttl\",\"session\":null,"
	               "\"author\":null,");
	e.cause = MU_BY_REQUEST;
	e.flags = MU_EVENT_STALE;
	ck_assert_int_eq(fake_event(&a, e), 0);
	assert_sent(2, "\"stale\":true,\"cause\":null,\"session\":null,");
	fake_stop(&a);
}
END_TEST

START_TEST(a_member_is_told_of_with_its_labels)
{
	static const char *const script[] = { OK, NULL };
	struct mu_chan_event e = { .type = MU_EVENT_MEMBER_FAILED,
		                   .path = MU_STR("/members/web1"),
		                   .flags = MU_EVENT_COALESCED,
		                   .has_member = true,
		                   .name = MU_STR("web1"),
		                   .address = MU_STR("10.0.0.1"),
		                   .port = 80,
		                   .labels = MU_STR("{\"zone\":\"n\"}") };

	start_server(script);
	start();
	ck_assert_int_eq(fake_event(&a, e), 0);
	assert_sent(0, "\"type\":\"failed\"");
	assert_sent(0, "\"coalesced\":true");
	assert_sent(0, "\"version\":null");
	assert_sent(0, "\"member\":{\"name\":\"web1\",\"id\":\"\",\"address\":"
	               "\"10.0.0.1\",\"port\":80,\"version\":\"\",\"state\":"
	               "\"\",\"labels\":{\"zone\":\"n\"}}");
	assert_sent(0, "\"encoding\":null,\"data\":null}");
	fake_stop(&a);
}
END_TEST

static const struct {
	struct mu_str data;
	const char *json;
} values[] = {
	{ { "", 0 }, "\"encoding\":\"text\",\"data\":\"\"}" },
	{ { "a\0b", 3 }, "\"encoding\":\"text\",\"data\":\"a\\u0000b\"}" },
	{ { "gr\xc3\xbc\xc3\x9f", 6 }, "\"data\":\"gr\xc3\xbc\xc3\x9f\"}" },
	{ { "\xff", 1 }, "\"encoding\":\"base64\",\"data\":\"/w==\"}" },
	{ { "\xff\xfe", 2 }, "\"encoding\":\"base64\",\"data\":\"//4=\"}" },
	{ { "\xff\xfe\0", 3 }, "\"encoding\":\"base64\",\"data\":\"//4A\"}" },
	{ { "\xff"
	    "abc",
	    4 },
	  "\"encoding\":\"base64\",\"data\":\"/2FiYw==\"}" },
};

START_TEST(what_is_not_utf8_goes_in_base64)
{
	static const char *const script[] = { OK, NULL };

	start_server(script);
	start();
	ck_assert_int_eq(fake_event(&a, value_event(values[_i].data)), 0);
	assert_sent(0, values[_i].json);
	fake_stop(&a);
}
END_TEST

START_TEST(a_large_value_arrives_whole)
{
	static const char *const script[] = { OK, NULL };
	static char large[1000000];

	memset(large, 'x', sizeof large);
	start_server(script);
	start();
	ck_assert_int_eq(fake_event(&a, value_event((struct mu_str){
						large, sizeof large })),
	                 0);
	ck_assert_uint_gt(strlen(body(0)), sizeof large);
	ck_assert_str_eq(body(0) + strlen(body(0)) - 4, "xx\"}");
	fake_stop(&a);
}
END_TEST

START_TEST(events_that_are_not_chosen_are_not_sent)
{
	static const char *const script[] = { OK, NULL };
	struct mu_chan_event e = value_event(MU_STR("x"));

	set_num("events", MU_SETTING_COUNT, 1);
	set_str("events[0]", "deleted");
	start_server(script);
	start();
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_uint_eq(served(), 0);
	e.type = MU_EVENT_DELETED;
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_uint_eq(served(), 1);
	fake_stop(&a);
}
END_TEST

START_TEST(the_present_state_is_not_sent_unless_asked_for)
{
	static const char *const script[] = { OK, NULL };
	struct mu_chan_event e = value_event(MU_STR("x"));

	start_server(script);
	start();
	e.type = MU_EVENT_PRESENT;
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_uint_eq(served(), 0);
	fake_stop(&a);
}
END_TEST

/* ---- what goes wrong ---- */

START_TEST(after_500_the_event_comes_again_until_200)
{
	static const char *const script[] = { SICK, OK, NULL };
	struct mu_chan_event e = value_event(MU_STR("x"));

	start_server(script);
	start();
	ck_assert_int_eq(fake_event(&a, e), MU_EIO);
	ck_assert_str_eq(a.ack.reason, "answered with status 500: I am sick");
	e.attempt = 2;
	e.flags = MU_EVENT_AGAIN;
	ck_assert_int_eq(fake_event(&a, e), 0);
	assert_sent(0, "\"attempt\":1,\"again\":false");
	assert_sent(1, "\"attempt\":2,\"again\":true");
	fake_stop(&a);
}
END_TEST

START_TEST(past_attempts_max_it_is_given_up_and_told)
{
	static const char *const script[] = { SICK, SICK, NULL };
	struct mu_chan_event e = value_event(MU_STR("x"));

	set_num("attempts_max", MU_SETTING_INT, 3);
	start_server(script);
	start();
	e.attempt = 2;
	ck_assert_int_eq(fake_event(&a, e), MU_EIO);
	e.attempt = 3;
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "<0> changed /config/app (0x1f/2) is given "
	                          "up after 3 attempts: answered with status "
	                          "500"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_refused_connection_is_an_error)
{
	start(); /* bound, but nobody listens */
	ck_assert_int_eq(give("x"), MU_EIO);
	ck_assert_msg(strstr(a.ack.reason, "onnect") != NULL, "%s",
	              a.ack.reason);
	fake_stop(&a);
}
END_TEST

START_TEST(a_silent_server_is_left_at_the_limit)
{
	static const char *const script[] = { SILENCE, OK, NULL };

	set_num("timeout_ms", MU_SETTING_INT, 300);
	start_server(script);
	start();
	ck_assert_int_eq(give("x"), MU_ETIMEDOUT);
	fake_stop(&a);
}
END_TEST

START_TEST(a_server_that_hangs_up_is_an_error)
{
	static const char *const script[] = { "HTTP/1.1 2", NULL };

	start_server(script);
	start();
	ck_assert_int_ne(give("x"), 0);
	fake_stop(&a);
}
END_TEST

START_TEST(a_redirect_is_a_failure)
{
	static const char *const script[] = {
		"HTTP/1.1 307 There\r\nLocation: /other\r\nContent-Length: 0"
		"\r\nConnection: close\r\n\r\n",
		OK, NULL
	};

	start_server(script);
	start();
	ck_assert_int_eq(give("x"), MU_EIO);
	ck_assert_msg(strstr(a.ack.reason,
	                     "status 307, a redirect to http://") != NULL,
	              "%s", a.ack.reason);
	ck_assert_uint_eq(served(), 1);
	fake_stop(&a);
}
END_TEST

START_TEST(a_redirect_is_followed_if_told_to)
{
	static const char *const script[] = {
		"HTTP/1.1 302 There\r\nLocation: /other\r\nContent-Length: 0"
		"\r\nConnection: close\r\n\r\n",
		OK, NULL
	};

	set_num("redirects_max", MU_SETTING_INT, 1);
	start_server(script);
	start();
	ck_assert_msg(give("x") == 0, "%s", a.ack.reason);
	ck_assert_int_eq(
		strncmp(server.requests[1], "POST /other HTTP/1.1\r\n", 22), 0);
	ck_assert_str_eq(body(1), body(0));
	fake_stop(&a);
}
END_TEST

START_TEST(a_redirect_to_a_file_is_never_followed)
{
	static const char *const script[] = {
		"HTTP/1.1 302 There\r\nLocation: file:///etc/passwd\r\n"
		"Content-Length: 0\r\nConnection: close\r\n\r\n",
		NULL
	};

	set_num("redirects_max", MU_SETTING_INT, 5);
	start_server(script);
	start();
	ck_assert_int_eq(give("x"), MU_EIO);
	fake_stop(&a);
}
END_TEST

/* ---- settings ---- */

static const struct {
	const char *key, *value, *word;
} bad_settings[] = {
	{ "url", "", "`url`" },
	{ "url", "file:///etc/passwd", "`url`" },
	{ "url", "ftp://127.0.0.1/", "`url`" },
	{ "url", "http://", "url: " },
	{ "events", "chnaged", "\"chnaged\" is no event" },
	{ "headers", "no colon", "headers[0] is not of the form" },
	{ "headers", "A: b\r\nC: d", "headers[0] is not of the form" },
	{ "tls_verify", "no", "tls_verify is a text" },
	{ "timeout_ms", "5s", "timeout_ms is a text" },
	{ "redirects_max", "1", "redirects_max is a text" },
};

START_TEST(a_wrong_setting_is_refused)
{
	reset_str(bad_settings[_i].key, bad_settings[_i].value);
	start_plugin("webhook", (struct fake_options){ 0 });
	assert_refused(bad_settings[_i].word);
}
END_TEST

START_TEST(too_many_redirects_are_refused)
{
	set_num("redirects_max", MU_SETTING_INT, 21);
	start_plugin("webhook", (struct fake_options){ 0 });
	assert_refused("redirects_max = 21 is not between 0 and 20");
}
END_TEST

/* ---- TLS ---- */

static struct program nginx;

static void write_nginx_conf(int port)
{
	FILE *f = fopen(in_dir("conf"), "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f,
	        "daemon off;\nmaster_process off;\npid pid;\n"
	        "error_log stderr;\nevents { }\nhttp {\n access_log off;\n"
	        " client_body_temp_path t1;\n proxy_temp_path t2;\n"
	        " fastcgi_temp_path t3;\n scgi_temp_path t4;\n"
	        " uwsgi_temp_path t5;\n server {\n  listen 127.0.0.1:%d ssl;\n"
	        "  ssl_certificate cert;\n  ssl_certificate_key key;\n"
	        "  location / { return 204; }\n }\n}\n",
	        port);
	ck_assert_int_eq(fclose(f), 0);
}

/* A certificate for 127.0.0.1 that nobody has signed but itself. */
static void make_certificate(void)
{
	char key[300], cert[300];
	const char *argv[] = { "openssl",
		               "req",
		               "-x509",
		               "-newkey",
		               "ec",
		               "-pkeyopt",
		               "ec_paramgen_curve:prime256v1",
		               "-nodes",
		               "-days",
		               "2",
		               "-subj",
		               "/CN=test",
		               "-addext",
		               "subjectAltName=IP:127.0.0.1",
		               "-keyout",
		               key,
		               "-out",
		               cert,
		               NULL };
	struct run r = { .argv = argv };

	snprintf(key, sizeof key, "%s", in_dir("key"));
	snprintf(cert, sizeof cert, "%s", in_dir("cert"));
	run(&r);
	ck_assert_msg(r.exit == 0, "%s", r.err);
	run_free(&r);
}

static bool answers(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	rc = connect(fd, (struct sockaddr *)&at, sizeof at);
	close(fd);
	return rc == 0;
}

/* nginx with that certificate. */
static void start_tls(int *port)
{
	static const char *const path = "/usr/sbin/nginx";
	char conf[300], prefix[300], log[300];
	const char *argv[] = { path,     "-p", prefix, "-e",
		               "stderr", "-c", conf,   NULL };
	uint16_t free_port;
	unsigned left = FAKE_WAIT_MS / 10;

	ports_free(&free_port, 1);
	*port = free_port;
	make_certificate();
	write_nginx_conf(*port);
	snprintf(conf, sizeof conf, "%s", in_dir("conf"));
	snprintf(prefix, sizeof prefix, "%s/", dir);
	snprintf(log, sizeof log, "%s", in_dir("log"));
	program_start(&nginx, argv, log, log);
	while (!answers(*port) && left-- > 0 && program_is_running(&nginx))
		(void)poll(NULL, 0, 10);
	ck_assert_msg(answers(*port), "%s", fake_read(log));
}

static void stop_tls(void)
{
	program_stop(&nginx, SIGTERM);
}

static void use_tls(const char *host, int port)
{
	row_count = 0;
	snprintf(url, sizeof url, "https://%s:%d/hook", host, port);
	set_str("url", url);
}

START_TEST(a_certificate_that_nobody_vouches_for_is_refused)
{
	int port;

	start_tls(&port);
	use_tls("127.0.0.1", port);
	start();
	ck_assert_int_eq(give("x"), MU_EIO);
	ck_assert_msg(strstr(a.ack.reason, "certificate") != NULL, "%s",
	              a.ack.reason);
	fake_stop(&a);
	stop_tls();
}
END_TEST

START_TEST(ca_file_vouches_for_a_certificate_but_not_for_another_name)
{
	int port;

	start_tls(&port);
	use_tls("127.0.0.1", port);
	set_str("ca_file", in_dir("cert"));
	start();
	ck_assert_msg(give("x") == 0, "%s", a.ack.reason);
	fake_stop(&a);
	use_tls("localhost", port);
	set_str("ca_file", in_dir("cert"));
	start();
	ck_assert_int_eq(give("x"), MU_EIO);
	ck_assert_msg(strstr(a.ack.reason, "localhost") != NULL, "%s",
	              a.ack.reason);
	fake_stop(&a);
	stop_tls();
}
END_TEST

START_TEST(tls_verify_may_be_off_but_that_is_told)
{
	int port;

	start_tls(&port);
	use_tls("127.0.0.1", port);
	set_num("tls_verify", MU_SETTING_BOOL, 0);
	start();
	ck_assert_msg(give("x") == 0, "%s", a.ack.reason);
	ck_assert(fake_logged(&a, "<1> tls_verify is off"));
	fake_stop(&a);
	stop_tls();
}
END_TEST

static void add_sent(TCase *tc)
{
	tcase_add_test(tc, a_change_is_posted_as_json);
	tcase_add_test(tc, headers_come_from_the_settings);
	tcase_add_test(tc, who_did_it_and_what_is_stale_is_told);
	tcase_add_test(tc, a_member_is_told_of_with_its_labels);
	tcase_add_loop_test(tc, what_is_not_utf8_goes_in_base64, 0,
	                    (int)COUNT(values));
	tcase_add_test(tc, a_large_value_arrives_whole);
	tcase_add_test(tc, events_that_are_not_chosen_are_not_sent);
	tcase_add_test(tc, the_present_state_is_not_sent_unless_asked_for);
}

static void add_wrong(TCase *tc)
{
	tcase_add_test(tc, after_500_the_event_comes_again_until_200);
	tcase_add_test(tc, past_attempts_max_it_is_given_up_and_told);
	tcase_add_test(tc, a_refused_connection_is_an_error);
	tcase_add_test(tc, a_silent_server_is_left_at_the_limit);
	tcase_add_test(tc, a_server_that_hangs_up_is_an_error);
	tcase_add_test(tc, a_redirect_is_a_failure);
	tcase_add_test(tc, a_redirect_is_followed_if_told_to);
	tcase_add_test(tc, a_redirect_to_a_file_is_never_followed);
	tcase_add_loop_test(tc, a_wrong_setting_is_refused, 0,
	                    (int)COUNT(bad_settings));
	tcase_add_test(tc, too_many_redirects_are_refused);
}

static void add_tls(TCase *tc)
{
	if (system("command -v openssl >/dev/null") != 0 ||
	    access("/usr/sbin/nginx", X_OK) < 0) {
		printf("SKIPPED: webhook's TLS: openssl or nginx is not "
		       "installed here (packaging/deps.sh test)\n");
		return;
	}
	tcase_add_test(tc, a_certificate_that_nobody_vouches_for_is_refused);
	tcase_add_test(
		tc, ca_file_vouches_for_a_certificate_but_not_for_another_name);
	tcase_add_test(tc, tls_verify_may_be_off_but_that_is_told);
}

int main(void)
{
	Suite *s = suite_create("webhook");
	TCase *tc = tcase_create("webhook");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	add_sent(tc);
	add_wrong(tc);
	add_tls(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
