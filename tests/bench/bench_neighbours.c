/*
 * bench_neighbours.c - how long the plugins of an agent wait for an event while
 * another one beside them does its worst: from the edit of a node to the callback
 * in three instances, with nobody beside them, and with each kind of bad plugin.
 *
 * Bad plugins are not quarantined here, and their deadlines are far: they do what
 * they do for the whole time. With and without each of them is measured in turn,
 * some edits at a time, for the machine may have other things to do. It fails if a
 * limit is not kept.
 */
#include <muster/client.h>

#include "cgroup.h"
#include "cluster.h"
#include "measure.h"
#include "stopwatch.h"

#include <muster/plugin.h>

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NEIGHBOURS 3
#define TURNS 5
#define EDITS 200        /* a turn */
#define PAUSE_NS 3000000 /* between two edits */
#define SAMPLES ((size_t)NEIGHBOURS * EDITS * TURNS)
#define CALM 5e6 /* ns that a neighbour may wait beyond twice the idle time */

static const struct bad {
	const char *said, *lie, *more;
} bad[] = {
	{ "segfault loop", "crash-event", "" },
	{ "abort", "abort-event", "" },
	{ "endless loop", "cpu-burn", "" },
	{ "sleep", "sleep-event", "" },
	{ "malloc bomb", "malloc-crash", "" },
	{ "descriptor leak", "fd-crash", "" },
	{ "stack overflow", "stack-overflow", "" },
	{ "fork bomb", "fork-bomb", "processes_max = 50; " },
	{ "output flood", "flood", "" },
};
#define BAD (sizeof bad / sizeof bad[0])

static struct cluster c;
static struct cluster_agent agent;
static struct mu_client *client;
static char sink_path[200];
static int sink;
static unsigned not_kept; /* limits */

static void sink_open(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(sink_path, sizeof sink_path, "%s/sink", c.dir);
	snprintf(a.sun_path, sizeof a.sun_path, "%.107s", sink_path);
	sink = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sink < 0 || bind(sink, (struct sockaddr *)&a, sizeof a))
		stop("cannot make the stopwatch's socket");
}

/* ---- the instances ---- */

static size_t put_neighbours(char *text, size_t room)
{
	size_t n = (size_t)snprintf(text, room, "instances = ( ");

	for (int i = 0; i < NEIGHBOURS; i++)
		n += (size_t)snprintf(
			text + n, room - n,
			"{ name = \"n%d\"; plugin = \"%s/tests/bench/"
			"stopwatch.so\"; watch = ( { path = \"/config/bench\"; "
			"} ); settings = { sink = \"%s\"; }; }%s",
			i, MU_BUILD, sink_path, i + 1 < NEIGHBOURS ? ", " : "");
	return n;
}

static void configure(const struct bad *b)
{
	char text[4096];
	size_t n = put_neighbours(text, sizeof text);

	if (b)
		n += (size_t)snprintf(
			text + n, sizeof text - n,
			", { name = \"bad\"; plugin = \"%s/tests/lies/%s.so\"; "
			"watch = ( { path = \"/config\"; } ); "
			"quarantine_failures = 0; deadline_ms = 600000; "
			"%s%s}",
			MU_BUILD, b->lie, b->more,
			b->more[0] && getuid() == 0 ? "user = \"games\"; "
						    : "");
	snprintf(text + n, sizeof text - n, " );\n");
	cluster_agent_instances(&agent, "i.conf", text);
	if (agent.program.pid)
		program_signal(&agent.program, SIGHUP);
	else
		cluster_agent_start(&agent);
}

/* Until the agent's log has one more of this. */
struct more {
	const char *text;
	unsigned before;
};

static bool is_more(void *arg)
{
	const struct more *m = arg;

	return file_count(agent.log, m->text) > m->before;
}

static void wait_more(const char *text, unsigned before)
{
	struct more m = { text, before };

	if (!wait_for(is_more, &m, 60000))
		stop(text);
}

/* ---- the measurement ---- */

static void lap_each(int64_t sent, int64_t took[NEIGHBOURS])
{
	struct pollfd p = { sink, POLLIN, 0 };
	struct stopwatch_lap lap;

	for (int i = 0; i < NEIGHBOURS;) {
		if (poll(&p, 1, 60000) != 1 ||
		    recv(sink, &lap, sizeof lap, 0) != (ssize_t)sizeof lap)
			stop("no callback came within 60 s");
		if (lap.value == sent)
			took[i++] = lap.at_ns - sent;
	}
}

static void measure(int64_t *took)
{
	const struct timespec pause = { 0, PAUSE_NS };

	for (size_t i = 0; i < EDITS; i++) {
		int64_t sent = now_ns();

		if (mu_client_set_sync(client, "/config/bench", &sent,
		                       sizeof sent, -1, NULL, 30000, NULL))
			stop("cannot set /config/bench");
		lap_each(sent, took + i * NEIGHBOURS);
		nanosleep(&pause, NULL);
	}
}

static void measure_beside(const struct bad *b, int64_t *took)
{
	unsigned before = file_count(agent.log, "instance=bad pid=");

	configure(b);
	wait_more("instance=bad pid=", before);
	measure(took);
	before = file_count(agent.log, "instance=bad");
	configure(NULL);
	wait_more("instance=bad", before);
}

static void beside(const struct bad *b)
{
	static int64_t idle[SAMPLES], took[SAMPLES];
	double p99, limit;

	for (size_t turn = 0; turn < TURNS; turn++) {
		measure(idle + turn * NEIGHBOURS * EDITS);
		measure_beside(b, took + turn * NEIGHBOURS * EDITS);
	}
	qsort(idle, SAMPLES, sizeof *idle, order);
	qsort(took, SAMPLES, sizeof *took, order);
	p99 = part(took, SAMPLES, 0.99) / 1e6;
	limit = 2 * part(idle, SAMPLES, 0.99) / 1e6 + CALM / 1e6;
	not_kept += p99 >= limit;
	printf("  %-16s p50 %6.2f ms  p99 %6.2f ms   (idle in between: p50 "
	       "%5.2f  p99 %5.2f; limit %6.2f: %s)\n",
	       b->said, part(took, SAMPLES, 0.5) / 1e6, p99,
	       part(idle, SAMPLES, 0.5) / 1e6, part(idle, SAMPLES, 0.99) / 1e6,
	       limit, p99 < limit ? "kept" : "NOT KEPT");
	fflush(stdout);
}

static bool is_possible(const struct bad *b)
{
	char base[512];
	struct mu_err why;

	if (!b->more[0] || getuid() == 0 ||
	    mu_cgroup_find(base, sizeof base, &why) == 0)
		return true;
	printf("  %-16s not measured: %s\n", b->said, why.msg);
	return false;
}

static void client_open(void)
{
	struct mu_client_options o = { .size = sizeof o,
		                       .brokers = c.url,
		                       .timeout_ms = 30000 };
	struct mu_err err = { 0, "" };

	if (mu_client_new(&o, &client, &err) ||
	    mu_client_wait(client, 10000, &err))
		stop(err.msg);
}

START_TEST(neighbours)
{
	cluster_open(&c);
	ck_assert_int_eq(chmod(c.dir, 0755), 0);
	cluster_broker_start(&c);
	client_open();
	sink_open();
	if (mu_client_create_sync(client, "/config", "x", 1, 0, NULL, 0, 5000,
	                          NULL) ||
	    mu_client_create_sync(client, "/config/bench", "x", 1, 0, NULL, 0,
	                          5000, NULL))
		stop("cannot make the nodes");
	cluster_agent_init(&c, &agent, "watcher", NULL);
	configure(NULL);
	for (int i = 0; i < NEIGHBOURS; i++) {
		char ready[64];

		snprintf(ready, sizeof ready, "instance=n%d pid=", i);
		wait_more(ready, 0);
	}
	printf("edit of a node to callback in each of %d plugins, while one "
	       "more does its worst beside them (%d edits each):\n",
	       NEIGHBOURS, EDITS * TURNS);
	for (size_t i = 0; i < BAD; i++)
		if (is_possible(&bad[i]))
			beside(&bad[i]);
	mu_client_close(client, 1000);
	mu_client_free(client);
	cluster_close(&c);
	ck_assert_msg(not_kept == 0, "%u limits are not kept", not_kept);
}
END_TEST

int main(void)
{
	return bench_run("bench/neighbours", neighbours);
}
