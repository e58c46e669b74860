/* Plugins of each revision of muster/plugin.h, on hosts of each: they run, without
 * what the other does not know, or are refused with the right reason. See
 * tests/abi/README. */
#include "plugin_bed.h"

#include "../abi/host.h"
#include "../abi/pins.h"

#include <muster/client.h>

#include "../abi/pins_client.h"

#include <check.h>
#include <arpa/inet.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *built(const char *revision, const char *what)
{
	static char path[2][4096];
	static unsigned next;
	char *out = path[next++ % 2];

	snprintf(out, sizeof path[0], "%s/tests/abi/%s/%s.so", MU_BUILD,
	         revision, what);
	return out;
}

static void *symbol(const char *file, const char *name)
{
	void *dso = dlopen(file, RTLD_NOW | RTLD_LOCAL), *at;

	ck_assert_msg(dso != NULL, "%s", dlerror());
	at = dlsym(dso, name);
	ck_assert_msg(at != NULL, "%s has no %s", file, name);
	return at;
}

static char said[65536];
static struct abi_put result;

static int put_raw(const void *plugin, const char *host,
                   const char *const *settings)
{
	abi_host_fn *fn;
	void *at = symbol(built(host, "host"), "abi_host");

	memcpy(&fn, &at, sizeof fn);
	result = (struct abi_put){ .plugin = plugin,
		                   .settings = settings,
		                   .said = said,
		                   .room = sizeof said };
	return fn(&result);
}

static int put_to(const char *plugin_file, const char *host)
{
	return put_raw(symbol(plugin_file, "mu_plugin"), host, NULL);
}

static void ck_said(const char *text, bool yes)
{
	ck_assert_msg((strstr(said, text) != NULL) == yes, "\"%s\" %s in: %s",
	              text, yes ? "is not" : "is", said);
}

/* ---- plugins on hosts ---- */

/* What both know is there; -1: the plugin does not ask. */
static const struct {
	const char *plugin, *host;
	int create, author, tick, dream;
} matrix[] = {
	{ "1", "1", -1, 0, 0, -1 },         { "1", "2", -1, 0, 0, -1 },
	{ "1", "future", -1, 0, 0, -1 },    { "2", "1", 0, 0, 0, -1 },
	{ "2", "2", 1, 1, 1, -1 },          { "2", "future", 1, 1, 1, -1 },
	{ "future", "1", 0, 0, 0, 0 },      { "future", "2", 1, 1, 1, 0 },
	{ "future", "future", 1, 1, 1, 1 },
};

START_TEST(each_revision_runs_on_each_with_what_both_know)
{
	int create = matrix[_i].create, dream = matrix[_i].dream;

	ck_assert_int_eq(
		put_to(built(matrix[_i].plugin, "abi"), matrix[_i].host), 0);
	ck_said("init it on here, setting none\n", true);
	ck_said("event 3 /create value, self 1\n", true);
	ck_said("event 13 /members/web1 , self 1\nmember web1 up 80\n", true);
	ck_said("fini, self 1\n", true);
	ck_said("has create 1 wake 1\nwoken\n", create == 1);
	ck_said("has create 0 wake 0\n", create == 0);
	ck_said("made /made\nevent gave 0\n", create == 1);
	ck_said("event gave -6\n", create == 0); /* MU_EUNIMPLEMENTED */
	ck_said("by 2 0x1f 'web1'\n", matrix[_i].author);
	ck_said("tick\ncheck gave -2001\n", matrix[_i].tick);
	ck_said("has dream 1\n", dream == 1);
	ck_said("member has dream 0\n", dream == 0);
	ck_said("event has dream 0\n", dream == 0);
}
END_TEST

static const char *const revisions[] = { "1", "2", "future" };

START_TEST(another_abi_is_refused_both_ways)
{
	ck_assert_int_eq(put_to(built("other", "abi"), revisions[_i]), MU_EABI);
	ck_assert_str_eq(result.reason,
	                 "it was built for plugin ABI 2, this agent has 1");
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(put_to(built(revisions[_i], "abi"), "other"), MU_EABI);
	ck_assert_str_eq(result.reason,
	                 "it was built for plugin ABI 1, this agent has 2");
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(put_to(built("other", "abi"), "other"), 0);
}
END_TEST

/* Of struct mu_plugin: what a host of that revision says of it; NULL: it runs. */
#define TOO_SMALL "bytes, at least 48 are needed"
#define CUT "as in no published muster/plugin.h"
static const struct {
	const char *host;
	uint32_t size;
	const char *refusal;
} sizes[] = {
	{ "1", 8, TOO_SMALL },
	{ "1", 47, TOO_SMALL },
	{ "1", 48, NULL },
	{ "1", 72, NULL },
	{ "2", 47, TOO_SMALL },
	{ "2", 48, NULL },
	{ "2", 52, CUT },
	{ "2", 64, CUT },
	{ "2", 72, NULL },
	{ "2", 80, NULL },
	{ "future", 47, TOO_SMALL },
	{ "future", 71, CUT },
	{ "future", 72, NULL },
	{ "future", 76, CUT },
	{ "future", 80, NULL },
};

START_TEST(a_size_of_no_revision_is_refused_by_each_that_knows_it)
{
	char plugin[80];
	int rc;

	memcpy(plugin, symbol(built("future", "abi"), "mu_plugin"),
	       sizeof plugin);
	memcpy(plugin + offsetof(struct mu_plugin, size), &sizes[_i].size,
	       sizeof sizes[_i].size);
	rc = put_raw(plugin, sizes[_i].host, NULL);
	if (!sizes[_i].refusal) {
		ck_assert_msg(rc == 0, "%d: %s", rc, result.reason);
		return;
	}
	ck_assert_int_eq(rc, MU_EABI);
	ck_assert_msg(strstr(result.reason, sizes[_i].refusal) != NULL, "%s",
	              result.reason);
	ck_assert_str_eq(said, "");
}
END_TEST

/* ---- what we ship, on older hosts ---- */

/* Settings are texts and lists; $D in front is the directory. */
static int put_ours(const char *name, int revision,
                    const char *const settings[])
{
	static char texts[16][300];
	const char *all[16] = { NULL };

	for (size_t i = 0; settings[i]; i++) {
		bool in = strncmp(settings[i], "$D/", 3) == 0;

		snprintf(texts[i], sizeof texts[i], "%s%s", in ? dir : "",
		         settings[i] + (in ? 2 : 0));
		all[i] = texts[i];
	}
	/* Notes are written to where the instance works. */
	ck_assert_int_eq(chdir(work), 0);
	return put_raw(symbol(fake_plugin(name), "mu_plugin"),
	               revisions[revision], all);
}

static void ck_runs(int rc)
{
	ck_assert_msg(rc == 0, "%d: %s; %s", rc, result.reason, said);
	ck_said("event gave 0\n", true);
}

START_TEST(log_runs_on_older_hosts)
{
	ck_runs(put_ours("log", _i, (const char *const[]){ NULL }));
	ck_said("failed member=web1", true);
	ck_said("cause=expiry session=0x1f author=web1", _i > 0);
}
END_TEST

START_TEST(config_file_runs_on_older_hosts)
{
	static const char *const settings[] = { "path", "/create", "file",
		                                "$D/page", NULL };

	ck_runs(put_ours("config-file", _i, settings));
	ck_said("reported /create as 0: ''\n", true);
	ck_assert_str_eq(content("page"), "value");
}
END_TEST

START_TEST(exec_runs_on_older_hosts)
{
	static const char *const settings[] = {
		"command",
		"echo $MUSTER_EVENT,$MUSTER_CAUSE,$MUSTER_AUTHOR >> $D/out",
		NULL
	};

	ck_runs(put_ours("exec", _i, settings));
	ck_assert_str_eq(content("out"), _i == 0 ? "changed,,\nfailed,,\n"
	                                         : "changed,expiry,web1\n"
	                                           "failed,expiry,web1\n");
}
END_TEST

START_TEST(template_runs_on_older_hosts)
{
	static const char *const settings[] = { "nodes[0].name",
		                                "text",
		                                "nodes[0].path",
		                                "/create",
		                                "files[0].template",
		                                "$D/mustache",
		                                "files[0].file",
		                                "$D/page",
		                                NULL };

	put("mustache", "{{text}} on {{host}}");
	ck_runs(put_ours("template", _i, settings));
	ck_assert_str_eq(content("page"), "value on here");
}
END_TEST

START_TEST(service_says_that_an_agent_is_too_old_for_it)
{
	static const char *const settings[] = { "pid_file", "$D/pid", NULL };
	char pid[32];
	int rc;

	snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	put("pid", pid);
	rc = put_ours("service", _i, settings);
	if (_i > 0) {
		ck_runs(rc);
		ck_said("made /services/it/here\n", true);
		ck_said("check gave 0\n", true);
		return;
	}
	ck_assert_int_eq(rc, MU_EABI);
	ck_assert_str_eq(result.reason, "this agent is too old for service: it "
	                                "has no create and no wake");
	ck_assert_str_eq(said, "");
}
END_TEST

static char posted[2][4096];

/* Takes two requests, each on a connection of its own. */
static void *serve(void *arg)
{
	static const char ok[] = "HTTP/1.1 204 No Content\r\n"
				 "Connection: close\r\n\r\n";

	for (int i = 0; i < 2; i++) {
		int fd = accept(*(int *)arg, NULL, NULL);
		size_t len = 0;
		ssize_t n = 1;

		while (n > 0 && len + 1 < sizeof posted[i] &&
		       !strstr(posted[i], "\"data\":")) {
			n = recv(fd, posted[i] + len,
			         sizeof posted[i] - 1 - len, 0);
			len += n > 0 ? (size_t)n : 0;
		}
		(void)!send(fd, ok, sizeof ok - 1, MSG_NOSIGNAL);
		close(fd);
	}
	return NULL;
}

static int listen_here(int *fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof at;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(*fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(listen(*fd, 2), 0);
	ck_assert_int_eq(getsockname(*fd, (struct sockaddr *)&at, &len), 0);
	return ntohs(at.sin_port);
}

START_TEST(webhook_runs_on_older_hosts)
{
	char url[64];
	const char *settings[] = { "url", url, NULL };
	pthread_t thread;
	int fd;

	snprintf(url, sizeof url, "http://127.0.0.1:%d/", listen_here(&fd));
	ck_assert_int_eq(setenv("no_proxy", "*", 1), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, &fd), 0);
	ck_runs(put_ours("webhook", _i, settings));
	pthread_join(thread, NULL);
	close(fd);
	for (int i = 0; i < 2; i++)
		ck_assert_msg(
			strstr(posted[i],
		               _i == 0 ? "\"cause\":null,\"session\":null,"
		                         "\"author\":null"
		                       : "\"cause\":\"expiry\",\"session\":"
		                         "\"0x1f\",\"author\":\"web1\"") !=
				NULL,
			"%s", posted[i]);
}
END_TEST

/* The one of the tests that has all there is. */
START_TEST(a_plugin_with_all_there_is_runs_on_older_hosts)
{
	ck_assert_int_eq(put_to(fake_lie("ticker"), revisions[_i]), 0);
	ck_said("has create 0 wake 0\n", _i == 0);
	ck_said("event 3 flags 0 /create by", true);
}
END_TEST

/* ---- plugins on today's runner ---- */

static void start(const char *plugin, const struct fake_answer *answers)
{
	const struct mu_setting text[] = { FAKE_STR("text", "some") };
	struct fake_options o = { .plugin_file = built(plugin, "abi"),
		                  .settings = text,
		                  .setting_count = COUNT(text),
		                  .answers = answers };

	fake_start(&a, &o);
}

static struct mu_chan_event whole_event(const char *path)
{
	struct mu_chan_event e = { .type = MU_EVENT_MEMBER_FAILED,
		                   .data = MU_STR("value"),
		                   .has_member = true,
		                   .name = MU_STR("web1"),
		                   .state = MU_STR("up"),
		                   .port = 80,
		                   .cause = 2,
		                   .author_session = 0x1f,
		                   .author = MU_STR("web1") };

	e.path = mu_str_of(path);
	return e;
}

START_TEST(the_runner_takes_a_plugin_of_each_revision)
{
	static const struct fake_answer answers[] = {
		{ .op = MU_CALL_CREATE, .path = "/made" }, { 0 }
	};
	bool knows = _i > 0;

	start(revisions[_i], answers);
	ck_assert_msg(fake_ready(&a) == 0, "%s", a.ready.reason);
	ck_assert(a.ready.has_tick == knows && a.ready.has_check == knows);
	ck_assert_uint_eq(a.ready.wants & MU_WANT_GAP, knows);
	ck_assert(fake_logged(&a, "init test on host1, setting some\n"));
	ck_assert(fake_logged(&a, "has create 1 wake 1\n") == knows);
	ck_assert(fake_logged(&a, "has dream 0\n") == (_i == 2));
	ck_assert_int_eq(fake_event(&a, whole_event("/create")), 0);
	ck_assert(fake_logged(&a, "event 13 /create value, self 1\n"));
	ck_assert(fake_logged(&a, "member web1 up 80\n"));
	ck_assert(fake_logged(&a, "by 2 0x1f 'web1'\n") == knows);
	ck_assert_uint_eq(a.create.count, knows);
	if (knows) {
		ck_assert(fake_wake_comes(&a));
		ck_assert_int_eq(fake_turn(&a, MU_CHAN_TICK), 0);
		ck_assert_int_eq(fake_turn(&a, MU_CHAN_CHECK), MU_EIO);
		ck_assert_str_eq(a.ack.reason, "not well");
	}
	fake_remove(&a);
	ck_assert(fake_logged(&a, "is removed 1\n") == knows);
	fake_fini(&a);
}
END_TEST

START_TEST(the_runner_refuses_another_abi_and_says_which)
{
	start("other", NULL);
	ck_assert_int_eq(fake_ready(&a), MU_EABI);
	ck_assert_str_eq(a.ready.reason,
	                 "it was built for plugin ABI 2, this agent has 1; "
	                 "build it with this agent's muster/plugin.h");
	ck_assert(!fake_logged(&a, "init"));
	fake_drain(&a);
	ck_assert_int_eq(fake_exit(&a), 3 << 8);
	fake_fini(&a);
}
END_TEST

int main(void)
{
	const TTest *const ours[] = {
		log_runs_on_older_hosts,
		config_file_runs_on_older_hosts,
		exec_runs_on_older_hosts,
		template_runs_on_older_hosts,
		service_says_that_an_agent_is_too_old_for_it,
		webhook_runs_on_older_hosts,
		a_plugin_with_all_there_is_runs_on_older_hosts,
	};
	Suite *s = suite_create("abi_matrix");
	TCase *tc = tcase_create("matrix");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, dir_setup, dir_teardown);
	tcase_add_loop_test(tc, each_revision_runs_on_each_with_what_both_know,
	                    0, (int)COUNT(matrix));
	tcase_add_loop_test(tc, another_abi_is_refused_both_ways, 0,
	                    (int)COUNT(revisions));
	tcase_add_loop_test(
		tc, a_size_of_no_revision_is_refused_by_each_that_knows_it, 0,
		(int)COUNT(sizes));
	for (size_t i = 0; i < COUNT(ours); i++)
		tcase_add_loop_test(tc, ours[i], 0, (int)COUNT(revisions));
	tcase_add_loop_test(tc, the_runner_takes_a_plugin_of_each_revision, 0,
	                    (int)COUNT(revisions));
	tcase_add_test(tc, the_runner_refuses_another_abi_and_says_which);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
