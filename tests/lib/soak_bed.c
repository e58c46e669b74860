#include "soak_bed.h"

#include "soak_writer.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_MAX 4096

const char *const soak_instance_name[SOAK_INSTANCES] = { "all", "tight",
	                                                 "roll" };
const struct soak_scope soak_instance_scope[SOAK_INSTANCES] = {
	{ .top = SOAK_TOP },
	{ .top = SOAK_TOP },
	{ .top = SOAK_TOP "/s1", .exact = true, .members = true },
};
static const char *const instance_conf[SOAK_INSTANCES] = {
	"queue_max = 100000; watch = ( { path = \"" SOAK_TOP
	"\"; mode = \"subtree\"; } );",
	"queue_max = 8; watch = ( { path = \"" SOAK_TOP
	"\"; mode = \"subtree\"; } );",
	"queue_max = 100000; members = true; watch = ( { path = \"" SOAK_TOP
	"/s1\"; mode = \"exact\"; } );",
};

static void rest(uint32_t ms)
{
	struct pollfd none = { -1, 0, 0 };

	poll(&none, 1, (int)ms);
}

/* ---- the broker ---- */

static void write_conf(struct soak_bed *b)
{
	char text[TEXT_MAX];

	snprintf(text, sizeof text,
	         "listen = [ \"%s\", \"tcp://127.0.0.1:%u\" ];\n"
	         "listen_zookeeper = [ ];\n"
	         "data_dir = \"%s/broker\";\n"
	         "ready_file = \"%s\";\n"
	         "control = \"%s/broker.ctl\";\n"
	         "journal_segment_bytes = 1048576;\n"
	         "snapshot_journal_bytes = 8388608;\n"
	         "change_log_max = %u;\n",
	         b->c.ipc, (unsigned)b->port, b->c.dir, b->c.ready, b->c.dir,
	         b->small ? 5 + dice_below(&b->dice, 60) : 100000);
	file_write_text(b->c.conf, text);
}

static void kill_broker(struct soak_bed *b)
{
	cluster_broker_stop(&b->c, SIGKILL);
	if (dice_chance(&b->dice, 30))
		soak_bed_pause(b, 300);
	b->small = dice_chance(&b->dice, 20);
	b->small_logs += b->small;
	write_conf(b);
	cluster_broker_start(&b->c);
}

/* ---- agents ---- */

const char *soak_bed_record(const struct soak_bed *b, int agent, int instance)
{
	static char path[2 * CLUSTER_PATH_MAX];

	snprintf(path, sizeof path, "%s/%d-%s.record", b->c.dir, agent,
	         soak_instance_name[instance]);
	return path;
}

static void conf_instances(struct soak_bed *b, int agent)
{
	char text[TEXT_MAX] = "instances = (\n";

	for (int i = 0; i < SOAK_INSTANCES; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof text - len,
		         "%s{ name = \"%s\"; plugin = \"" MU_BUILD
		         "/tests/lies/soak.so\"; quarantine_failures = 0; "
		         "%s settings : { file = \"%s\"; slow_us = %d; }; }",
		         i ? ",\n" : "", soak_instance_name[i],
		         instance_conf[i], soak_bed_record(b, agent, i),
		         i == 1 ? 3000 : 0);
	}
	strcat(text, " );\n");
	cluster_agent_instances(&b->agent[agent].a, "soak.conf", text);
}

static void open_agent(struct soak_bed *b, int i)
{
	struct soak_agent *a = &b->agent[i];
	char direct[CLUSTER_PATH_MAX], name[32];

	a->count = relay_count_new();
	relay_start_counting(&a->relay, &a->port, b->port, a->count);
	memcpy(direct, b->c.url, sizeof direct);
	snprintf(b->c.url, sizeof b->c.url, "tcp://127.0.0.1:%u", a->port);
	snprintf(name, sizeof name, "agent%d", i);
	/* Killed so often, it is to be started each time. */
	cluster_agent_init(&b->c, &a->a, name,
	                   "session_timeout_ms = 20000;\n"
	                   "restart_failures = 100;\n"
	                   "restart_window_s = 1;\n");
	memcpy(b->c.url, direct, sizeof direct);
	conf_instances(b, i);
}

void soak_bed_open(struct soak_bed *b, uint64_t seed)
{
	memset(b, 0, sizeof *b);
	b->dice.state = seed;
	cluster_open(&b->c);
	ports_free(&b->port, 1);
	write_conf(b);
	cluster_broker_start(&b->c);
	for (int i = 0; i < SOAK_AGENTS; i++)
		open_agent(b, i);
}

void soak_bed_close(struct soak_bed *b)
{
	for (int i = 0; i < SOAK_AGENTS; i++)
		program_stop(&b->agent[i].relay, SIGKILL);
	cluster_close(&b->c);
	for (int i = 0; i < SOAK_AGENTS; i++)
		relay_count_free(b->agent[i].count);
}

/* The folders that were made before are told of as present. */
void soak_bed_start_agents(struct soak_bed *b)
{
	static const char *const last[SOAK_INSTANCES] = {
		" " SOAK_TOP "/s3\n", " " SOAK_TOP "/s3\n", " " SOAK_TOP "/s1\n"
	};

	for (int i = 0; i < SOAK_AGENTS; i++)
		cluster_agent_start(&b->agent[i].a);
	for (int i = 0; i < SOAK_AGENTS; i++)
		for (int k = 0; k < SOAK_INSTANCES; k++)
			ck_assert_msg(
				file_comes_to_have(soak_bed_record(b, i, k),
			                           last[k], WAIT_MS),
				"the instance %s was told nothing",
				soak_instance_name[k]);
}

/* ---- what is done to them ---- */

void soak_bed_pause(struct soak_bed *b, uint32_t ms)
{
	rest(dice_below(&b->dice, ms + 1));
}

static bool is_connected(void *arg)
{
	struct soak_bed *b = arg;

	for (int i = 0; i < SOAK_AGENTS; i++)
		if (b->agent[i].count->taken != b->agent[i].taken)
			return true;
	return false;
}

struct order {
	const struct relay_count *count;
	unsigned asked;
};

static bool is_done(void *arg)
{
	const struct order *o = arg;

	return o->count->asked != o->asked;
}

/* Who was killed meanwhile has no connection to be cut: that is none. */
static void cut(struct soak_bed *b, struct soak_agent *a)
{
	struct order o = { a->count, a->count->asked };
	unsigned before = a->count->cut;

	a->taken = a->count->taken;
	relay_cut(&a->relay);
	ck_assert_msg(wait_for(is_done, &o, WAIT_MS), "the relay hangs");
	b->cuts += a->count->cut != before;
}

/* Sometimes there is nobody to connect to for a while. */
static void cut_hard(struct soak_bed *b, struct soak_agent *a)
{
	program_stop(&a->relay, SIGKILL);
	a->taken = a->count->taken;
	b->cuts++;
	soak_bed_pause(b, 50);
	relay_start_counting(&a->relay, &a->port, b->port, a->count);
}

bool soak_bed_cut(struct soak_bed *b)
{
	struct soak_agent *a;

	if (!wait_for(is_connected, b, WAIT_MS))
		return false;
	a = &b->agent[dice_below(&b->dice, SOAK_AGENTS)];
	if (a->count->taken == a->taken)
		a = a == b->agent ? &b->agent[1] : &b->agent[0];
	/* Cuts hit a handshake, what was missed, and what is new. */
	if (dice_chance(&b->dice, 70))
		soak_bed_pause(b, 40);
	if (dice_chance(&b->dice, 15))
		cut_hard(b, a);
	else
		cut(b, a);
	return true;
}

static pid_t child_of(pid_t parent, struct dice *d)
{
	char path[64], *text, *at, *end;
	pid_t found = 0, pid;
	uint32_t n = 0;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent,
	         (int)parent);
	text = file_read(path, NULL);
	for (at = text; at && (pid = (pid_t)strtol(at, &end, 10)) > 1; at = end)
		if (dice_below(d, ++n) == 0)
			found = pid;
	free(text);
	return found;
}

static bool kill_worker(struct soak_bed *b, struct soak_agent *a)
{
	pid_t worker = child_of(a->a.program.pid, &b->dice);

	return worker > 1 && kill(worker, SIGKILL) == 0;
}

static bool kill_runner(struct soak_bed *b, struct soak_agent *a)
{
	pid_t worker = child_of(a->a.program.pid, &b->dice), runner;

	runner = worker > 1 ? child_of(worker, &b->dice) : 0;
	return runner > 1 && kill(runner, SIGKILL) == 0;
}

static void kill_agent(struct soak_bed *b, struct soak_agent *a)
{
	cluster_agent_stop(&a->a, SIGKILL);
	if (dice_chance(&b->dice, 50))
		soak_bed_pause(b, 300);
	cluster_agent_start(&a->a);
}

void soak_bed_kill(struct soak_bed *b)
{
	struct soak_agent *a = &b->agent[dice_below(&b->dice, SOAK_AGENTS)];
	enum soak_victim v = dice_below(&b->dice, SOAK_VICTIMS);

	if (v == SOAK_RUNNER && !kill_runner(b, a))
		v = SOAK_WORKER; /* it is starting */
	if (v == SOAK_WORKER && !kill_worker(b, a))
		v = SOAK_SUPERVISOR;
	if (v == SOAK_SUPERVISOR)
		kill_agent(b, a);
	if (v == SOAK_BROKER)
		kill_broker(b);
	b->killed[v]++;
	b->kills++;
}
