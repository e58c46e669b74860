/* Rule 82: the four-letter words, asked of a broker in a process of its own. What
 * existing parsers look for is written down here as they look for it. */
#include "child.h"
#include "err.h"
#include "files.h"
#include "loop.h"
#include "program.h"
#include "raw_tcp.h"
#include "server.h"

#include <check.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static pid_t broker;
static int port;

/* ---- the broker ---------------------------------------------------------------- */

static void serve(const char *more)
{
	struct mu_broker_options o;
	struct mu_server *s;
	struct mu_loop *l;
	struct mu_err err;
	char text[1024], ready[128];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(text, sizeof text,
	         "listen = [ \"ipc://%s/sock\" ]; data_dir = \"%s/data\";\n"
	         "listen_zookeeper = [ \"127.0.0.1:*\" ];\n"
	         "control = \"\"; durability = \"memory\";\n%s",
	         dir, dir, more);
	if (mu_broker_options_parse("words", text, &o, &err) ||
	    mu_loop_new(&l, &err) || mu_server_new(l, &o, &s, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		_exit(1);
	}
	snprintf(ready, sizeof ready, "%s/ready", dir);
	mu_file_replace(ready, mu_server_addresses(s),
	                strlen(mu_server_addresses(s)), 0600, NULL);
	mu_loop_run(l);
	_exit(2);
}

static void start(const char *more)
{
	char ready[128], *text;

	dir_make(dir, sizeof dir);
	fflush(NULL);
	broker = child_fork();
	if (broker == 0)
		serve(more);
	snprintf(ready, sizeof ready, "%s/ready", dir);
	ck_assert(file_comes_to_have(ready, "zookeeper://", WAIT_MS));
	text = file_read(ready, NULL);
	port = atoi(strrchr(text, ':') + 1);
	ck_assert_int_gt(port, 0);
	free(text);
}

static void stop(void)
{
	int status;

	/* it has served to the end */
	ck_assert_int_eq(waitpid(broker, &status, WNOHANG), 0);
	kill(broker, SIGKILL);
	waitpid(broker, &status, 0);
	dir_remove(dir);
}

/* ---- asking ----------------------------------------------------------------------- */

static const char *ask_bytes(const void *p, size_t len, int how)
{
	const int fd = raw_dial(port);
	const char *text;
	int ended;

	ck_assert_int_ge(fd, 0);
	ck_assert(raw_send(fd, p, len));
	text = raw_all(fd, NULL, &ended);
	close(fd);
	if (how != RAW_NOTHING)
		ck_assert_int_eq(ended, how);
	return text;
}

static const char *ask(const char *word)
{
	return ask_bytes(word, strlen(word), RAW_CLOSED);
}

static void has(const char *text, const char *pattern)
{
	regex_t re;

	ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NEWLINE), 0);
	ck_assert_msg(regexec(&re, text, 0, NULL, 0) == 0, "no \"%s\" in:\n%s",
	              pattern, text);
	regfree(&re);
}

static long long number(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	ck_assert_msg(at != NULL, "no \"%s\" in:\n%s", key, text);
	return atoll(at + strlen(key));
}

#define ALL "words = [ \"*\" ];\n"

/* ---- who may ask ------------------------------------------------------------------ */

START_TEST(rule82_only_srvr_is_answered_by_default)
{
	static const char *const words[] = { "ruok", "stat", "cons", "crst",
		                             "dump", "envi", "mntr", "isro",
		                             "wchs", "wchc", "wchp", "dirs",
		                             "conf", "srst", "gtmk" };
	char wanted[128];
	size_t i;

	start("");
	has(ask("srvr"), "^Mode: standalone$");
	for (i = 0; i < sizeof words / sizeof *words; i++) {
		snprintf(wanted, sizeof wanted,
		         "%s is not executed because it is not in the "
		         "whitelist.\n",
		         words[i]);
		ck_assert_str_eq(ask(words[i]), wanted);
	}
	ck_assert_str_eq(
		ask_bytes("stmk\0\0\0\0\0\0\0\1", 12, RAW_CLOSED),
		"stmk is not executed because it is not in the whitelist.\n");
	stop();
}
END_TEST

START_TEST(a_list_names_those_that_are_answered)
{
	start("words = [ \"ruok\", \"isro\" ];\n");
	ck_assert_str_eq(ask("ruok"), "imok");
	ck_assert_str_eq(ask("isro"), "rw");
	has(ask("srvr"), "^srvr is not executed");
	stop();
}
END_TEST

/* ---- framing ------------------------------------------------------------------------ */

START_TEST(rule4_a_word_comes_before_a_length_and_ends_the_connection)
{
	start(ALL);
	ck_assert_str_eq(ask("ruok"), "imok");
	/* what follows is not looked at, and does not turn the end into a
	 * reset that could overtake the answer */
	ck_assert_str_eq(ask("ruok\n"), "imok");
	ck_assert_str_eq(ask("ruok\r\n and much more of it"), "imok");
	stop();
}
END_TEST

START_TEST(rule4_a_word_may_come_in_pieces)
{
	const char *word = "ruok";
	int fd, how;
	size_t i;

	start(ALL);
	for (i = 1; i < 4; i++) {
		fd = raw_dial(port);
		ck_assert(raw_send(fd, word, i));
		usleep(2000);
		ck_assert(raw_send(fd, word + i, 4 - i));
		ck_assert_str_eq(raw_all(fd, NULL, &how), "imok");
		ck_assert_int_eq(how, RAW_CLOSED);
		close(fd);
	}
	stop();
}
END_TEST

START_TEST(rule4_a_half_closed_connection_is_answered)
{
	int fd, how;

	start(ALL);
	fd = raw_dial(port);
	ck_assert(raw_send(fd, "mntr", 4));
	shutdown(fd, SHUT_WR);
	has(raw_all(fd, NULL, &how), "^zk_znode_count\t");
	ck_assert_int_eq(how, RAW_CLOSED);
	close(fd);
	stop();
}
END_TEST

START_TEST(rule82_an_unknown_word_gets_no_answer)
{
	start(ALL);
	ck_assert_str_eq(ask_bytes("hash", 4, RAW_NOTHING), "");
	ck_assert_str_eq(ask_bytes("xyzz", 4, RAW_NOTHING), "");
	ck_assert_str_eq(ask_bytes("RUOK", 4, RAW_NOTHING), "");
	ck_assert_str_eq(ask("ruok"), "imok");
	stop();
}
END_TEST

/* In a session it is a length, and one that is too large. */
START_TEST(rule4_there_are_no_words_after_the_handshake)
{
	struct raw r;

	start(ALL);
	raw_session(&r, port, 10000);
	ck_assert(raw_send(r.fd, "ruok", 4));
	ck_assert_int_le(raw_record(&r), RAW_CLOSED);
	raw_close(&r);
	stop();
}
END_TEST

/* ---- what they say ------------------------------------------------------------------ */

#define VERSION "3\\.9\\.0-muster-[0-9.]+, built on "

/* kazoo, telegraf, collectd, nagios: "Key: value" */
START_TEST(srvr_and_stat_say_what_parsers_look_for)
{
	struct raw r;
	const char *t;
	size_t i;

	start(ALL);
	raw_session(&r, port, 10000);
	ck_assert_int_eq(raw_create(&r, "/a", "x", 1, 0), 0);
	for (i = 0; i < 2; i++) {
		t = ask(i ? "stat" : "srvr");
		has(t, "^Zookeeper version: " VERSION);
		has(t, "^Latency min/avg/max: [0-9]+/[0-9]+\\.[0-9]+/[0-9]+$");
		has(t, "^Received: 1$");
		has(t, "^Sent: 1$");
		has(t, "^Connections: 2$");
		has(t, "^Outstanding: 0$");
		has(t, "^Zxid: 0x[0-9a-f]+$");
		has(t, "^Mode: standalone$");
		has(t, "^Node count: 6$");
	}
	has(t, "^Clients:$");
	has(t, "^ /127\\.0\\.0\\.1:[0-9]+\\[1\\]\\(queued=0,recved=2,sent=2\\)"
	       "$");
	raw_close(&r);
	stop();
}
END_TEST

START_TEST(cons_says_what_each_connection_did)
{
	struct raw r;
	const char *t;
	char sid[64];

	start(ALL);
	raw_session(&r, port, 10000);
	ck_assert_int_eq(raw_get(&r, "/", false), 0);
	t = ask("cons");
	has(t, "^ /127\\.0\\.0\\.1:[0-9]+\\[1\\]\\(queued=0,recved=2,sent=2,"
	       "sid=0x[0-9a-f]+,lop=GETD,est=[0-9]+,to=10000,lcxid=0x1,"
	       "lzxid=0x[0-9a-f]+,lresp=[0-9]+,llat=[0-9]+,minlat=[0-9]+,"
	       "avglat=[0-9]+,maxlat=[0-9]+\\)$");
	snprintf(sid, sizeof sid, "sid=0x%llx,", (unsigned long long)r.session);
	has(t, sid);
	/* and the one that asks */
	has(t, "^ /127\\.0\\.0\\.1:[0-9]+\\[[01]\\]\\(queued=0,recved=1,"
	       "sent=0\\)$");
	raw_close(&r);
	stop();
}
END_TEST

START_TEST(srst_and_crst_reset_the_counters)
{
	struct raw r;

	start(ALL);
	raw_session(&r, port, 10000);
	ck_assert_int_eq(raw_get(&r, "/", false), 0);
	has(ask("srvr"), "^Received: 1$");
	ck_assert_str_eq(ask("srst"), "Server stats reset.\n");
	has(ask("srvr"), "^Received: 0$");
	has(ask("srvr"), "^Sent: 0$");
	ck_assert_str_eq(ask("crst"), "Connection stats reset.\n");
	has(ask("stat"), "queued=0,recved=0,sent=0");
	raw_close(&r);
	stop();
}
END_TEST

START_TEST(dump_lists_sessions_and_their_ephemerals)
{
	struct raw r;
	const char *t;
	char sid[64];

	start(ALL);
	raw_session(&r, port, 10000);
	ck_assert_int_eq(raw_create(&r, "/p", "", 0, 0), 0);
	ck_assert_int_eq(raw_create(&r, "/p/e", "", 0, 1), 0);
	t = ask("dump");
	has(t, "^SessionTracker dump:$");
	has(t, "^Session Sets \\(1\\)/\\(1\\):$");
	has(t, "^1 expire at [A-Z][a-z]+ [A-Z][a-z]+ [0-9]+ [0-9:]+ UTC "
	       "20[0-9]+:$");
	has(t, "^Sessions with Ephemerals \\(1\\):$");
	snprintf(sid, sizeof sid, "^0x%llx:$", (unsigned long long)r.session);
	has(t, sid);
	has(t, "^\t/p/e$");
	has(t, "^\tip: /127\\.0\\.0\\.1:[0-9]+ sessionId: 0x[0-9a-f]+$");
	raw_close(&r);
	stop();
}
END_TEST

START_TEST(wchs_wchc_and_wchp_list_the_watches)
{
	struct raw one, two;
	char wanted[256];

	start(ALL);
	ck_assert_str_eq(ask("wchs"), "0 connections watching 0 paths\n"
	                              "Total watches:0\n");
	ck_assert_str_eq(ask("wchc"), "\n");
	ck_assert_str_eq(ask("wchp"), "\n");
	raw_session(&one, port, 10000);
	raw_session(&two, port, 10000);
	ck_assert_int_eq(raw_get(&one, "/", true), 0);
	ck_assert_int_eq(raw_get(&two, "/", true), 0);
	ck_assert_str_eq(ask("wchs"), "2 connections watching 1 paths\n"
	                              "Total watches:2\n");
	snprintf(wanted, sizeof wanted, "/\n\t0x%llx\n\t0x%llx\n\n",
	         (unsigned long long)one.session,
	         (unsigned long long)two.session);
	ck_assert_str_eq(ask("wchp"), wanted);
	snprintf(wanted, sizeof wanted, "0x%llx\n\t/\n",
	         (unsigned long long)one.session);
	ck_assert_ptr_nonnull(strstr(ask("wchc"), wanted));
	raw_close(&one);
	raw_close(&two);
	stop();
}
END_TEST

/* One line a key: zk_key, TAB, value. */
START_TEST(rule82_mntr_is_lines_of_zk_keys_and_tabs)
{
	static const char *const keys[] = {
		"zk_server_state\tstandalone",
		"zk_num_alive_connections\t2",
		"zk_outstanding_requests\t0",
		"zk_znode_count\t6",
		"zk_watch_count\t1",
		"zk_ephemerals_count\t1",
		"zk_global_sessions\t1",
		"zk_packets_received\t2",
		"zk_packets_sent\t2",
		"zk_min_latency\t[0-9]+",
		"zk_avg_latency\t[0-9]+\\.[0-9]+",
		"zk_max_latency\t[0-9]+",
		"zk_approximate_data_size\t[0-9]+",
		"zk_open_file_descriptor_count\t[1-9][0-9]*",
		"zk_max_file_descriptor_count\t[1-9][0-9]*",
		"zk_uptime\t[0-9]+",
		"zk_connection_rejected\t0",
	};
	char wanted[128];
	struct raw r;
	const char *t, *at;
	size_t i;

	start(ALL);
	raw_session(&r, port, 10000);
	ck_assert_int_eq(raw_create(&r, "/e", "x", 1, 1), 0);
	ck_assert_int_eq(raw_get(&r, "/e", true), 0);
	t = ask("mntr");
	has(t, "^zk_version\t" VERSION);
	for (i = 0; i < sizeof keys / sizeof *keys; i++) {
		snprintf(wanted, sizeof wanted, "^%s$", keys[i]);
		has(t, wanted);
	}
	for (at = t; *at; at = strchr(at, '\n') + 1) {
		ck_assert_int_eq(strncmp(at, "zk_", 3), 0);
		ck_assert_uint_lt(strcspn(at, "\t"), strcspn(at, "\n"));
	}
	raw_close(&r);
	stop();
}
END_TEST

START_TEST(the_rest_say_what_parsers_look_for)
{
	const char *t;

	start(ALL);
	ck_assert_str_eq(ask("ruok"), "imok");
	ck_assert_str_eq(ask("isro"), "rw");
	t = ask("envi");
	has(t, "^Environment:$");
	has(t, "^zookeeper\\.version=" VERSION);
	has(t, "^host\\.name=.+$");
	has(t, "^os\\.name=Linux$");
	t = ask("conf");
	ck_assert_int_eq(number(t, "clientPort="), port);
	ck_assert_int_eq(number(t, "maxClientCnxns="), 60);
	ck_assert_int_eq(number(t, "minSessionTimeout="), 300);
	ck_assert_int_eq(number(t, "maxSessionTimeout="), 60000);
	has(t, "^dataDir=/.*muster-test\\.");
	has(t, "^serverId=0$");
	has(ask("dirs"), "^datadir_size: [0-9]+$");
	has(ask("dirs"), "^logdir_size: [0-9]+$");
	stop();
}
END_TEST

START_TEST(stmk_takes_eight_bytes_more_and_gtmk_shows_them)
{
	const char bytes[] = "stmk\0\0\0\0\0\0\1\1";
	int fd, how, i;

	start(ALL);
	ck_assert_str_eq(ask("gtmk"), "0");
	for (i = 1; i < 12; i++) {
		fd = raw_dial(port);
		ck_assert(raw_send(fd, bytes, (size_t)i));
		usleep(1000);
		ck_assert(raw_send(fd, bytes + i, (size_t)(12 - i)));
		ck_assert_str_eq(raw_all(fd, NULL, &how), "257");
		ck_assert_int_eq(how, RAW_CLOSED);
		close(fd);
	}
	ck_assert_str_eq(ask("gtmk"), "257");
	stop();
}
END_TEST

/* One that lists more than a reply may be is cut, and says so. */
START_TEST(a_long_answer_is_cut_at_reply_max)
{
	struct raw r;
	char path[64];
	const char *t;
	int i;

	start(ALL "reply_max = 4096;\n");
	raw_session(&r, port, 10000);
	for (i = 0; i < 200; i++) {
		snprintf(path, sizeof path, "/a-name-that-is-not-short-%08d",
		         i);
		ck_assert_int_eq(raw_create(&r, path, "", 0, 1), 0);
	}
	t = ask("dump");
	ck_assert_uint_lt(strlen(t), 4096 + 64);
	has(t, "^\\(cut: larger than reply_max\\)$");
	raw_close(&r);
	stop();
}
END_TEST

START_TEST(many_may_ask_at_once)
{
	static int fd[50];
	size_t i;
	int how;

	start(ALL);
	for (i = 0; i < 50; i++) {
		fd[i] = raw_dial(port);
		ck_assert(raw_send(fd[i], i % 2 ? "mntr" : "ruok", 4));
	}
	for (i = 0; i < 50; i++) {
		has(raw_all(fd[i], NULL, &how), i % 2 ? "^zk_" : "^imok$");
		close(fd[i]);
	}
	stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("words");
	TCase *c = tcase_create("words");
	SRunner *r;
	int failed;

	tcase_set_timeout(c, 60);
	tcase_add_test(c, rule82_only_srvr_is_answered_by_default);
	tcase_add_test(c, a_list_names_those_that_are_answered);
	tcase_add_test(
		c, rule4_a_word_comes_before_a_length_and_ends_the_connection);
	tcase_add_test(c, rule4_a_word_may_come_in_pieces);
	tcase_add_test(c, rule4_a_half_closed_connection_is_answered);
	tcase_add_test(c, rule82_an_unknown_word_gets_no_answer);
	tcase_add_test(c, rule4_there_are_no_words_after_the_handshake);
	tcase_add_test(c, srvr_and_stat_say_what_parsers_look_for);
	tcase_add_test(c, cons_says_what_each_connection_did);
	tcase_add_test(c, srst_and_crst_reset_the_counters);
	tcase_add_test(c, dump_lists_sessions_and_their_ephemerals);
	tcase_add_test(c, wchs_wchc_and_wchp_list_the_watches);
	tcase_add_test(c, rule82_mntr_is_lines_of_zk_keys_and_tabs);
	tcase_add_test(c, the_rest_say_what_parsers_look_for);
	tcase_add_test(c, stmk_takes_eight_bytes_more_and_gtmk_shows_them);
	tcase_add_test(c, a_long_answer_is_cut_at_reply_max);
	tcase_add_test(c, many_may_ask_at_once);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
