/*
 * test_abuse.c - what a user or a program can do wrong, and what he is told: a code,
 * and a sentence of its own that says what to do next. Rows, not code: a new way to
 * go wrong is a new row.
 *
 * Commands are for sh, with $M $B $A the command line, the broker and the agent, $D a
 * directory of the test's, $TCP $ZK $IPC the broker's URLs and $CTL its control
 * socket.
 */
#include "json.h"
#include "jute.h"
#include "last_run.h"
#include "raw_tcp.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cluster cluster;
static struct program holder; /* of an ephemeral node */

/* ---- commands, and files of configuration ---- */

#define CONF(program, text) \
	"printf '%s\n' '" text "' > $D/k.conf; " program \
	" -c $D/k.conf --check-config"
#define BROKER_CONF(text) CONF("$B", text)
#define AGENT_CONF(text) CONF("$A", text)
#define INSTANCES(text) \
	"mkdir -p $D/i; printf '%s\n' '" text "' > $D/i/i.conf; " \
	"echo \"conf_dir = \\\"$D/i\\\";\" > $D/k.conf; $A -c $D/k.conf " \
	"--check-config"
#define IMPORT(line) "printf '%s\n' '" line "' | $M import"

static const struct {
	const char *what, *command;
	int code;
	const char
		*error; /* with --json: the code's name; NULL: is not told so */
	const char *says, *next; /* what is wrong, and what to do */
} rows[] = {
	/* values and nodes */
	{ "a value over packet_max",
	  "head -c 2000000 /dev/zero | $M set -c /big -f -", 1, "MU_ETOOBIG",
	  "set /big: larger than the limit", "packet_max in broker.conf" },
	{ "a version that has moved on", "$M set /there x --if-version 9", 3,
	  "MU_EBADVERSION", "/there is at version 0, not 9", "Read it again" },
	{ "deleting a node with children", "$M rm /parent", 5, "MU_ENOTEMPTY",
	  "/parent has children", "rm -r deletes them too" },
	{ "a child of an ephemeral node", "$M create /eph/child x", 1,
	  "MU_ENOCHILDREN", "an ephemeral node cannot have children",
	  "make it below a node that is not ephemeral" },
	{ "making a node again", "$M create /there x", 5, "MU_EEXISTS",
	  "the node exists already", "`muster set` changes its value" },
	{ "a node without a parent", "$M create /no/parent x", 2, "MU_ENONODE",
	  "/no/parent has no parent yet", "add --parents" },
	{ "setting what is not there", "$M set /nowhere x", 2, "MU_ENONODE",
	  "muster set: /nowhere does not exist", "add --create" },
	{ "reading what is not there", "$M get /nowhere", 2, "MU_ENONODE",
	  "get /nowhere: no such node", "`muster ls`" },
	{ "deleting what belongs to the broker", "$M rm -ry /zookeeper", 64,
	  "usage", "/zookeeper cannot be deleted", "it belongs to the broker" },

	/* paths */
	{ "a relative path", "$M get there", 64, "MU_EINVAL",
	  "a path starts with /", "try /there" },
	{ "an empty part of a path", "$M get /a//b", 64, "MU_EINVAL",
	  "an empty part", "write one '/' only" },
	{ "dots in a path", "$M get /a/../b", 64, "MU_EINVAL",
	  "muster get: the path is not legal at byte 3, after '/a/': a part "
	  "may not be '.' or '..'",
	  "name the node from the root" },
	{ "a control character in a path", "$M get \"$(printf '/a\\001b')\"",
	  64, "MU_EINVAL", "U+0001", "leave it out" },
	{ "a path that is not UTF-8", "$M get \"$(printf '/a\\377b')\"", 64,
	  "MU_EINVAL", "UTF-8", "write" },
	{ "a path over path_max",
	  "$M create /$(head -c 5000 /dev/zero | tr '\\0' a) x", 64,
	  "MU_EINVAL", "aaa...: an argument is malformed", "path_max" },

	/* URLs */
	{ "a scheme that is none", "$M -b http://127.0.0.1:7400 get /", 64,
	  "MU_EINVAL",
	  "\"http://127.0.0.1:7400\" in the list of brokers does not begin",
	  "tcp://, ipc:// or zookeeper://" },
	{ "a port that is none", "$M -b tcp://127.0.0.1:70000 get /", 64,
	  "MU_EINVAL", "\"70000\" is not a port", "a number from 1 to 65535" },
	{ "a chroot that is none", "$M -b $IPC#team get /", 64, "MU_EINVAL",
	  "the chroot \"team\" does not begin with /", "/" },
	{ "a chroot with dots", "$M -b $TCP/../team get /", 64, "MU_EINVAL",
	  "the chroot \"/../team\" is not a path", "from the root" },
	{ "two kinds of brokers", "$M -b $TCP,zookeeper://127.0.0.1 get /", 64,
	  "MU_EINVAL", "mixes tcp:// and zookeeper://", "write one kind" },
	{ "an address where nobody listens",
	  "$M -t 4s -b tcp://127.0.0.1:1 get /", 4, "MU_ETIMEDOUT",
	  "cannot connect to tcp://127.0.0.1:1",
	  "is muster-broker running there" },
	{ "the broker's own port for a ZooKeeper's",
	  "$M -t 4s -b zookeeper://${TCP#tcp://} get /", 4, "MU_ETIMEDOUT",
	  "zookeeper://127.0.0.1:", "ZooKeeper" },

	/* the command line */
	{ "a command that is none", "$M stats", 64, "usage",
	  "there is no command \"stats\"", "did you mean stat?" },
	{ "an option that is none", "$M set --if-verson=3 /there x", 64,
	  "usage", "--if-verson=3 is no option here",
	  "did you mean --if-version?" },
	{ "an option without its value", "$M set /there x --if-version", 64,
	  "usage", "--if-version wants a value", "see muster set --help" },
	{ "a number that is none", "$M set /there x --if-version two", 64,
	  "usage", "--if-version takes a number", "from 0 to 2147483647" },
	{ "too few arguments", "$M set", 64, "usage", "takes PATH [VALUE]",
	  "see muster set --help" },
	{ "two values", "$M set /there x -f /dev/null", 64, "usage",
	  "a value or --file", "not both" },
	{ "a file that is not there", "$M set /there -f $D/none", 1, "MU_EIO",
	  "muster set: cannot open /", "No such file" },
	{ "an instance that nobody has", "$M status nosuch", 2, "MU_ENONODE",
	  "no host has an instance \"nosuch\"",
	  "`muster members --json` shows" },
	{ "a reload of what a host does not have",
	  "$M plugin reload nosuch --host web9", 2, "MU_ENONODE",
	  "web9 has no instance \"nosuch\"",
	  "`muster status nosuch` shows which hosts" },
	{ "waiting for a node that is not there", "$M wait --applied /nowhere",
	  2, "MU_ENONODE", "/nowhere does not exist: make it",
	  "or look at its name" },
	{ "releasing what is free", "$M plugin release page", 2, "MU_ENONODE",
	  "page is in quarantine on no host", "`muster plugin release` lists" },
	{ "a plugin that is no object",
	  "echo text > $D/no.so; $M plugin check $D/no.so", 1, NULL,
	  "not an ELF", "cc -shared" },

	/* files of export and backup */
	{ "an import that is not JSON", IMPORT("{\"path\""), 1, "MU_EDATA",
	  "line 1: not valid JSON: column 0", "nothing was changed" },
	{ "an import without data", IMPORT("{\"path\":\"/x\"}"), 1, "MU_EDATA",
	  "line 1: there is no \"data\"", "nothing was changed" },
	{ "an import nested too deeply",
	  "{ printf '{\"path\":\"/x\",\"data\":'; head -c 3000 /dev/zero | "
	  "tr '\\0' '['; } | $M import",
	  1, "MU_EDATA", "maximum parsing depth", "nothing was changed" },
	{ "an import of a path too long",
	  "{ printf '{\"path\":\"/deep'; yes /a | head -n 600000 | tr -d "
	  "'\\n'; printf '\",\"data\":null}\n'; } | $M import",
	  1, "MU_ETOOBIG", "line 1: /deep/a/a", "packet_max" },
	{ "an import of a node that has changed",
	  "$M export /there > $D/e.json && $M set /there y && $M set /there x "
	  "&& sed -i 's/\"data\":\"x\"/\"data\":\"z\"/' $D/e.json && $M import "
	  "--cas $D/e.json",
	  3, "MU_EBADVERSION", "somebody changed it; export it again",
	  "line 1: /there" },
	{ "a backup over a file",
	  "$M backup --control $CTL $D/b.zst; $M backup --control $CTL "
	  "$D/b.zst",
	  5, "MU_EEXISTS", "is there already", "--force replaces it" },
	{ "a backup that was cut off",
	  "$M backup --force --control $CTL $D/b.zst && head -c 60 $D/b.zst > "
	  "$D/cut.zst; $M restore --control $CTL $D/cut.zst",
	  1, "MU_EDATA", "the data is cut off", "is it whole" },
	{ "a restore of anything",
	  "echo text > $D/t; $M restore --control $CTL $D/t", 1, "MU_EDATA",
	  "not a file of zstd", "what `muster backup` wrote" },
	{ "a control socket that is none", "$M broker status --control $D/none",
	  4, "MU_ENONODE", "there is no such socket",
	  "is this its \"control\"?" },

	/* broker.conf */
	{ "no broker.conf", "$B -c $D/none.conf --check-config", 2, NULL,
	  "there is no file", "none.conf" },
	{ "an unknown key of broker.conf", BROKER_CONF("lisen = 1;"), 2, NULL,
	  "k.conf:1: lisen: unknown key", "did you mean listen?" },
	{ "a wrong type in broker.conf",
	  BROKER_CONF("sessions_max = \"many\";"), 2, NULL,
	  "sessions_max: must be a whole number", "allowed: 1 to 10000000" },
	{ "a value out of range in broker.conf",
	  BROKER_CONF("sessions_max = 0;"), 2, NULL,
	  "sessions_max: 0 is out of range", "allowed: 1 to 10000000" },
	{ "a broker for the whole world",
	  BROKER_CONF("listen = [ \"tcp://0.0.0.0:7400\" ];"), 2, NULL,
	  "\"tcp://0.0.0.0:7400\" is refused: this build has no keys",
	  "it listens on tcp://127.0.0.1:PORT" },
	{ "limits that cross",
	  BROKER_CONF("session_timeout_min_ms = 5000; session_timeout_max_ms "
	              "= 1000;"),
	  2, NULL, "session_timeout_min_ms (5000)",
	  "must not be above session_timeout_max_ms" },
	{ "a durability that is none", BROKER_CONF("durability = \"maybe\";"),
	  2, NULL, "\"maybe\" is neither", "disk nor memory" },
	{ "broker.conf that does not parse", BROKER_CONF("tick_ms = = 5;"), 2,
	  NULL, "k.conf:1: syntax error", "k.conf:1" },

	/* agent.conf and conf.d */
	{ "an unknown key of agent.conf", AGENT_CONF("brokrs = 1;"), 2, NULL,
	  "k.conf:1: brokrs: unknown key", "did you mean brokers?" },
	{ "a wrong type in agent.conf", AGENT_CONF("brokers = 5;"), 2, NULL,
	  "brokers: must be a list of texts", "allowed: a text or a list" },
	{ "a value out of range in agent.conf",
	  AGENT_CONF("session_timeout_ms = 10;"), 2, NULL,
	  "session_timeout_ms: 10 is out of range", "allowed: 300 to" },
	{ "a bad URL in agent.conf",
	  AGENT_CONF("brokers = [ \"udp://there\" ];"), 2, NULL,
	  "brokers: \"udp://there\"", "tcp://, ipc:// or zookeeper://" },
	{ "a name that is none", AGENT_CONF("name = \"a/b\";"), 2, NULL, "a/b",
	  "set name to a word" },
	{ "two instances of one name",
	  INSTANCES("instances = ( { name = \"x\"; plugin = \"log\"; }, { name "
	            "= \"x\"; plugin = \"log\"; } );"),
	  2, NULL, "there is an instance of this name already: x", "i.conf:1" },
	{ "a plugin that is not there",
	  INSTANCES("instances = ( { name = \"x\"; plugin = \"nosuch\"; } );"),
	  2, NULL, "instance x: plugin", "nosuch.so is not there" },
	{ "a watch on a relative path",
	  INSTANCES("instances = ( { name = \"x\"; plugin = \"log\"; watch = ( "
	            "{ path = \"config\"; } ); } );"),
	  2, NULL, "starts with the byte 0x63 and not with '/'",
	  "name the node from the root" },
	{ "a mode that is none",
	  INSTANCES("instances = ( { name = \"x\"; plugin = \"log\"; watch = ( "
	            "{ path = \"/x\"; mode = \"all\"; } ); } );"),
	  2, NULL, "i.conf:1: mode must be", "exact, children or subtree" },
	{ "an unknown key of an instance",
	  INSTANCES("instances = ( { name = \"x\"; plugin = \"log\"; "
	            "deadline = 5; } );"),
	  2, NULL, "i.conf:1: deadline: unknown key", "i.conf:1" },

	/* starting */
	{ "a second broker in one data_dir", "$B -c $D/../broker.conf", 1, NULL,
	  "/broker/lock: stop it first", "data_dir of broker.conf" },
	{ "an address that is in use",
	  "sed \"s,/broker\\\",/broker2\\\",; s,broker.sock,b2.sock,; "
	  "s,tcp://127.0.0.1:\\*,$TCP,; s,broker.ctl,b2.ctl,\" "
	  "$D/../broker.conf > $D/k.conf; $B -c $D/k.conf",
	  1, NULL, "the address is in use", "stop the program that has it" },
	{ "a data_dir that cannot be made",
	  "echo \"data_dir = \\\"$D/file/x\\\";\" > $D/k.conf; $B -c $D/k.conf",
	  1, NULL, "cannot make the directory", "data_dir of broker.conf" },
	{ "a state_dir that cannot be made",
	  "echo \"state_dir = \\\"$D/file/x\\\"; runtime_dir = \\\"$D/run\\\"; "
	  "conf_dir = \\\"$D/none\\\";\" > $D/k.conf; $A -c $D/k.conf",
	  1, NULL, "Not a directory (state_dir", "that the agent may write" },
	{ "a word behind muster-agent", "$A start", 64, NULL,
	  "usage: muster-agent", "--help tells more" },
};
#define ROWS ((int)(sizeof rows / sizeof rows[0]))

static void become(const char *name, const char *value)
{
	ck_assert_int_eq(setenv(name, value, 1), 0);
}

/* What two rows say of the same mistake in two places. */
static bool is_same_mistake(int a, int b)
{
	return strcmp(rows[a].says, rows[b].says) == 0;
}

START_TEST(who_does_wrong_is_told_so_in_a_sentence_of_its_own)
{
	const char *argv[] = { "sh", "-c", rows[_i].command, NULL };
	char all[16384];

	run_next((struct run){ .argv = argv });
	snprintf(all, sizeof all, "%.8000s%.8000s", r.out, r.err);
	ck_assert_msg(r.exit == rows[_i].code, "%s: exit %d: %s", rows[_i].what,
	              r.exit, all);
	ck_has(all, rows[_i].says);
	ck_has(all, rows[_i].next);
	for (int i = 0; i < ROWS; i++)
		ck_assert_msg(is_same_mistake(i, _i) ||
		                      strstr(all, rows[i].says) == NULL,
		              "%s is told as %s is: %s", rows[_i].what,
		              rows[i].what, all);
}
END_TEST

/* The last error that is a line of JSON; NULL: none. */
static struct mu_json *last_error(void)
{
	struct mu_json *found = NULL, *j;
	struct mu_err err;

	for (char *line = strtok(r.err, "\n"); line; line = strtok(NULL, "\n"))
		if (mu_json_parse(line, strlen(line), &j, &err) == 0) {
			mu_json_free(found);
			found = j;
		}
	return found;
}

START_TEST(with_json_a_program_is_told_the_code_and_the_same_sentence)
{
	const char *argv[] = { "sh", "-c", rows[_i].command, NULL };
	char muster[CLUSTER_PATH_MAX + 64];
	struct mu_json *j;

	if (!rows[_i].error)
		return;
	snprintf(muster, sizeof muster, "%s --json", getenv("M"));
	become("M", muster);
	ck_exit(rows[_i].code, run_next((struct run){ .argv = argv }));
	j = last_error();
	ck_assert_msg(j != NULL, "%s: no JSON", rows[_i].what);
	ck_assert_str_eq(mu_json_get_str(j, "error", ""), rows[_i].error);
	ck_has(mu_json_get_str(j, "message", ""), rows[_i].next);
	mu_json_free(j);
}
END_TEST

START_TEST(no_two_rows_say_the_same)
{
	for (int i = 0; i < ROWS; i++)
		for (int k = 0; k < i; k++)
			ck_assert_msg(!is_same_mistake(i, k), "%s: as %s",
			              rows[i].what, rows[k].what);
}
END_TEST

/* ---- agents that run, and say it in their logs ---- */

#define TAKEN "# its name is another's\n"
#define ID "00112233445566778899aabbccddeeff"

static const struct {
	const char *what, *conf, *instances;
	const char *says, *next;
} agents[] = {
	{ "a plugin that is not there", "",
	  "instances = ( { name = \"x\"; members = true; memory_max_mb = 0; "
	  "plugin = "
	  "\"/nosuch.so\"; } );",
	  "cannot open /nosuch.so", "No such file" },
	{ "a plugin that is no object", "",
	  "instances = ( { name = \"x\"; members = true; memory_max_mb = 0; "
	  "plugin = "
	  "\"/etc/passwd\"; } );",
	  "cannot load /etc/passwd", "`muster plugin check`" },
	{ "an object that is no plugin", "",
	  "instances = ( { name = \"x\"; members = true; memory_max_mb = 0; "
	  "plugin = \"" MU_BUILD "/tests/lies/no-symbol.so\"; } );",
	  "has no symbol mu_plugin", "define it and export it" },
	{ "a plugin of another ABI", "",
	  "instances = ( { name = \"x\"; members = true; memory_max_mb = 0; "
	  "plugin = \"" MU_BUILD "/tests/lies/wrong-abi.so\"; } );",
	  "ABI", "build it" },
	{ "an instance that can hear nothing", "",
	  "instances = ( { name = \"x\"; plugin = \"log\"; } );",
	  "no event can reach the instance",
	  "neither watch nor members nor connection" },
	{ "a timeout that the broker clamps", "session_timeout_ms = 50000;\n",
	  "instances = ( );", "the broker does not grant session_timeout_ms",
	  "asked_ms=50000 granted_ms=20000" },
	{ "a name that another host has", TAKEN, "instances = ( );",
	  "another host answers to this name",
	  "give one of the two another name in agent.conf" },
};
#define AGENTS ((int)(sizeof agents / sizeof agents[0]))

START_TEST(an_agent_that_is_led_astray_says_so_in_its_log)
{
	static struct cluster_agent a;
	char name[16];

	snprintf(name, sizeof name, "a%d", _i);
	if (strcmp(agents[_i].conf, TAKEN) == 0)
		snprintf(name, sizeof name, "taken");
	cluster_agent_init(&cluster, &a, name, agents[_i].conf);
	cluster_agent_instances(&a, "i.conf", agents[_i].instances);
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, agents[_i].says);
	cluster_agent_wait_log(&a, agents[_i].next);
	for (int i = 0; i < AGENTS; i++)
		if (i != _i)
			ck_assert_msg(!file_has(a.log, agents[i].says),
			              "%s is told as %s is", agents[_i].what,
			              agents[i].what);
	cluster_agent_stop(&a, SIGTERM);
}
END_TEST

/* ---- programs that speak the protocol themselves ---- */

static int zk_port(void)
{
	return atoi(strrchr(cluster.zk, ':') + 1);
}

static void ck_logged(const char *text)
{
	ck_assert_msg(file_comes_to_have(cluster.log, text, WAIT_MS),
	              "no \"%s\" in the broker's log", text);
}

START_TEST(a_record_over_packet_max_ends_its_link_and_is_logged)
{
	static char big[2000000];
	struct mu_buf b = { 0 };
	struct raw raw;

	raw_session(&raw, zk_port(), 10000);
	raw_put_set(&raw, &b, "/there", big, sizeof big);
	raw_send(raw.fd, b.data, b.len); /* it may be cut before the end */
	ck_assert_int_le(raw_record(&raw), RAW_CLOSED);
	raw_close(&raw);
	mu_buf_fini(&b);
	ck_logged("no record, or one over packet_max");
}
END_TEST

START_TEST(a_path_with_a_nul_is_answered_with_a_code)
{
	struct mu_buf b = { 0 };
	struct raw raw;
	size_t at;

	raw_session(&raw, zk_port(), 10000);
	at = mu_frame_begin(&b);
	mu_put_int(&b, 7);
	mu_put_int(&b, MU_OP_GET_DATA);
	mu_put_str(&b, (struct mu_str){ "/a\0b", 4 });
	mu_put_bool(&b, false);
	mu_frame_end(&b, at);
	raw.xid = 7;
	ck_assert_int_eq(raw_ask(&raw, &b), MU_EINVAL);
	raw_close(&raw);
	mu_buf_fini(&b);
}
END_TEST

START_TEST(an_operation_that_nobody_knows_is_logged)
{
	struct mu_buf b = { 0 };
	struct raw raw;

	raw_session(&raw, zk_port(), 10000);
	raw_put_path(&raw, &b, 4711, "/there", false);
	ck_assert_int_eq(raw_ask(&raw, &b), MU_EUNIMPLEMENTED);
	ck_assert_int_le(raw_record(&raw), RAW_CLOSED);
	raw_close(&raw);
	mu_buf_fini(&b);
	ck_logged("reason=\"unknown operation\"");
}
END_TEST

START_TEST(http_at_the_port_for_zookeepers_clients_is_answered)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /x HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
	};
	const char *text;
	size_t len;
	int fd = raw_dial(zk_port()), how;

	ck_assert(raw_send(fd, requests[_i], strlen(requests[_i])));
	text = raw_all(fd, &len, &how);
	close(fd);
	ck_assert_ptr_eq(strstr(text, "HTTP/1.0 400 "), text);
	ck_has(text, "it does not speak HTTP");
	ck_logged("somebody speaks HTTP to the port for ZooKeeper's clients");
}
END_TEST

/* ---- limits of the broker ---- */

static const struct {
	const char *what, *conf, *url; /* of whom is turned away */
	const char *says, *logged;
} limits[] = {
	{ "too many sessions", "sessions_max = 1;\n", "$IPC",
	  "has no room for another session",
	  "too many sessions: sessions_max" },
	{ "too many links", "links_max = 1;\n", "$IPC",
	  "has no room for another connection", "too many links: links_max" },
	{ "too many links from one address", "links_per_address_max = 1;\n",
	  "$ZK", "closed the connection without an answer",
	  "too many links from one address: links_per_address_max" },
};

/* What the commands name. */
static void export_names(void)
{
	char text[CLUSTER_PATH_MAX + 16];

	become("M", cluster_program("muster"));
	become("B", cluster_program("muster-broker"));
	become("A", cluster_program("muster-agent"));
	become("IPC", cluster.ipc);
	become("TCP", cluster.tcp);
	become("ZK", cluster.zk);
	snprintf(text, sizeof text, "%s/broker.ctl", cluster.dir);
	become("CTL", text);
}

START_TEST(who_finds_no_room_is_told_of_which_limit)
{
	char line[64], out[CLUSTER_PATH_MAX + 16];
	const char *argv[] = { "sh", "-c", line, NULL };
	const char *hold[] = { "sh", "-c",
		               "exec $M -b $URL create -e /holder x", NULL };
	struct program first;

	cluster_open(&cluster);
	cluster.with_zk = true;
	cluster_broker_conf(&cluster, true, limits[_i].conf);
	cluster_broker_start(&cluster);
	export_names();
	become("URL", getenv(limits[_i].url + 1));
	snprintf(out, sizeof out, "%s/holder", cluster.dir);
	program_start(&first, hold, out, out);
	ck_assert(file_comes_to_have(out, "/holder\n", WAIT_MS));
	snprintf(line, sizeof line, "$M -t 4s -b %s get /", limits[_i].url);
	ck_exit(4, run_next((struct run){ .argv = argv }));
	ck_has(r.err, limits[_i].says);
	ck_logged(limits[_i].logged);
	program_stop(&first, SIGTERM);
	cluster_close(&cluster);
}
END_TEST

/* ---- all ---- */

static void up(void)
{
	const char *hold[] = {
		cluster_program("muster"), "create", "-e", "/eph", "x", NULL
	};
	char dir[CLUSTER_PATH_MAX + 16], file[CLUSTER_PATH_MAX + 32];

	signal(SIGPIPE, SIG_IGN);
	cluster_open(&cluster);
	cluster.with_zk = true;
	cluster_broker_conf(&cluster, true,
	                    "session_timeout_max_ms = 20000;\n");
	cluster_broker_start(&cluster);
	export_names();
	snprintf(dir, sizeof dir, "%s/d", cluster.dir);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	become("D", dir);
	snprintf(file, sizeof file, "%s/file", dir);
	file_write_text(file, "not a directory");
	cluster_edit("create", "/there", "x");
	cluster_edit("create", "/parent", NULL);
	cluster_edit("create", "/parent/child", NULL);
	cluster_edit("create", "/members", NULL);
	cluster_edit("create", "/members/taken", "{\"id\":\"" ID "\"}");
	snprintf(file, sizeof file, "%s/holder", dir);
	program_start(&holder, hold, file, file);
	cluster_wait_for_node("/eph");
}

static void down(void)
{
	program_stop(&holder, SIGTERM);
	cluster_close(&cluster);
}

static TCase *group(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);

	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	return t;
}

int main(void)
{
	Suite *s = suite_create("abuse");
	TCase *t = group(s, "one broker");
	SRunner *sr;
	int failed;

	tcase_add_unchecked_fixture(t, up, down);
	tcase_add_loop_test(
		t, who_does_wrong_is_told_so_in_a_sentence_of_its_own, 0, ROWS);
	tcase_add_loop_test(
		t, with_json_a_program_is_told_the_code_and_the_same_sentence,
		0, ROWS);
	tcase_add_test(t, no_two_rows_say_the_same);
	tcase_add_loop_test(t, an_agent_that_is_led_astray_says_so_in_its_log,
	                    0, AGENTS);
	tcase_add_test(t, a_record_over_packet_max_ends_its_link_and_is_logged);
	tcase_add_test(t, a_path_with_a_nul_is_answered_with_a_code);
	tcase_add_test(t, an_operation_that_nobody_knows_is_logged);
	tcase_add_loop_test(
		t, http_at_the_port_for_zookeepers_clients_is_answered, 0, 2);
	t = group(s, "limits");
	tcase_add_loop_test(t, who_finds_no_room_is_told_of_which_limit, 0,
	                    (int)(sizeof limits / sizeof limits[0]));
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
