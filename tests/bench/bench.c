/*
 * bench.c - the figures of the README, measured with the programs as built.
 *
 * Everything runs on loopback in a temporary directory, is bounded, and stops by
 * itself. Absolute figures depend on the machine; each comes with something
 * measured in the same run to hold it against.
 */
#include <muster/client.h>

#include "cluster.h"
#include "measure.h"
#include "stopwatch.h"
#include "tree.h"

#include <muster/plugin.h>

#include <check.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EDITS 1000
#define KILLS 20
#define KILL_TIMEOUT_MS 1000
#define SESSIONS 1000
#define IDLE_S 20 /* watched for so long */
#define RUNS 50
#define NODES 200000

/* ---- the sink of the stopwatch plugin ---- */

static int sink_open(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%.107s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a))
		stop("cannot make the stopwatch's socket");
	return fd;
}

/* The next lap of this type; laps of others are skipped. */
static struct stopwatch_lap lap_wait(int fd, uint32_t type)
{
	struct stopwatch_lap lap;
	struct pollfd p = { fd, POLLIN, 0 };

	do {
		if (poll(&p, 1, 20000) != 1 ||
		    recv(fd, &lap, sizeof lap, 0) != (ssize_t)sizeof lap)
			stop("no callback came within 20 s");
	} while (lap.type != type);
	return lap;
}

static struct mu_client *client_open(const char *url)
{
	struct mu_client_options o = {
		.size = sizeof o,
		.brokers = url,
		.timeout_ms = 30000,
	};
	struct mu_client *c;
	struct mu_err err = { 0, "" };

	if (mu_client_new(&o, &c, &err) || mu_client_wait(c, 10000, &err))
		stop(err.msg);
	return c;
}

static void member_wait(struct mu_client *c, const char *path)
{
	struct timespec pause = { 0, 10000000 };
	struct mu_stat stat;

	for (int i = 0; i < 1000; i++) {
		if (mu_client_exists_sync(c, path, &stat, 5000, NULL) == 0)
			return;
		nanosleep(&pause, NULL);
	}
	stop("the agent did not register within 10 s");
}

/* ---- edit of a node to callback ---- */

static void bench_edit(struct mu_client *c, int sink)
{
	static int64_t edit[EDITS], trip[EDITS];
	struct timespec pause = { 0, 2000000 };

	for (size_t i = 0; i < EDITS; i++) {
		int64_t sent = now_ns();
		struct stopwatch_lap lap;

		if (mu_client_set_sync(c, "/config/bench", &sent, sizeof sent,
		                       -1, NULL, 5000, NULL))
			stop("cannot set /config/bench");
		do
			lap = lap_wait(sink, MU_EVENT_CHANGED);
		while (lap.value != sent);
		edit[i] = lap.at_ns - sent;
		nanosleep(&pause, NULL);
		sent = now_ns();
		if (mu_client_sync_sync(c, "/", 5000, NULL))
			stop("sync failed");
		trip[i] = now_ns() - sent;
	}
	qsort(edit, EDITS, sizeof *edit, order);
	qsort(trip, EDITS, sizeof *trip, order);
	printf("edit of a node to callback   p50 %6.2f ms  p99 %6.2f ms   "
	       "(%d edits; one request and reply: p50 %.2f ms, so %.1f times "
	       "that)\n",
	       part(edit, EDITS, 0.5) / 1e6, part(edit, EDITS, 0.99) / 1e6,
	       EDITS, part(trip, EDITS, 0.5) / 1e6,
	       part(edit, EDITS, 0.5) / part(trip, EDITS, 0.5));
}

/* ---- kill -9 of an agent to callback ---- */

static void bench_kill(struct cluster *c, int sink)
{
	static int64_t took[KILLS];
	static struct cluster_agent victim;
	char more[64];

	snprintf(more, sizeof more, "session_timeout_ms = %d;\n",
	         KILL_TIMEOUT_MS);
	cluster_agent_init(c, &victim, "victim", more);
	for (size_t i = 0; i < KILLS; i++) {
		struct timespec phase = { 0,
			                  (long)(i * 37 % KILLS) * 17000000 };
		int64_t killed;

		cluster_agent_start(&victim);
		lap_wait(sink, MU_EVENT_MEMBER_JOINED);
		nanosleep(&phase, NULL); /* another phase of its heartbeat */
		killed = now_ns();
		program_signal(&victim.program, SIGKILL);
		program_wait(&victim.program, WAIT_MS);
		took[i] = lap_wait(sink, MU_EVENT_MEMBER_FAILED).at_ns - killed;
	}
	qsort(took, KILLS, sizeof *took, order);
	printf("kill -9 of an agent to callback   min %4.0f ms  p50 %4.0f ms  "
	       "max %4.0f ms   (%d kills, session timeout %d ms: max is %.2f "
	       "of it)\n",
	       (double)took[0] / 1e6, part(took, KILLS, 0.5) / 1e6,
	       (double)took[KILLS - 1] / 1e6, KILLS, KILL_TIMEOUT_MS,
	       (double)took[KILLS - 1] / 1e6 / KILL_TIMEOUT_MS);
}

/* ---- memory ---- */

static double private_mib(pid_t pid)
{
	char path[64], line[256];
	double kib = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "r");
	if (!f)
		stop("cannot read smaps_rollup");
	while (fgets(line, sizeof line, f)) {
		double v;

		if (sscanf(line, "Private_Clean: %lf", &v) == 1 ||
		    sscanf(line, "Private_Dirty: %lf", &v) == 1)
			kib += v;
	}
	fclose(f);
	return kib / 1024;
}

/* Seconds of a processor that a process has used, all its threads. */
static double used_s(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char path[64], text[512], *end;
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f)
		stop("cannot read stat");
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1,
	                   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
	                   "%lu %lu",
	                   &user, &system) != 2)
		stop("cannot read stat");
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* What an agent has besides its session: its member, and two subscriptions. */
static void be_an_agent(struct mu_client *c, size_t i)
{
	const struct mu_subscribe subs[] = {
		{ sizeof subs[0], 1, "/members", MU_SUBSCRIBE_CHILDREN, -1, 0 },
		{ sizeof subs[0], 2, "/config", MU_SUBSCRIBE_SUBTREE, -1, 0 },
	};
	char path[64];

	snprintf(path, sizeof path, "/members/idle-%zu", i);
	if (mu_client_create(c, path, "{}", 2, MU_CREATE_EPHEMERAL, NULL,
	                     NULL) ||
	    mu_client_subscribe(c, &subs[0], NULL, NULL) ||
	    mu_client_subscribe(c, &subs[1], NULL, NULL))
		stop("an idle agent cannot be made");
}

/* In a process of its own: hold many idle agents, answer their heartbeats, say when
 * all are up. Ends by itself after a minute. */
static int sessions_hold(const char *url)
{
	static struct mu_client *c[SESSIONS];

	for (size_t i = 0; i < SESSIONS; i++) {
		c[i] = client_open(url);
		be_an_agent(c[i], i);
	}
	for (size_t i = 0; i < SESSIONS; i++)
		if (mu_client_sync_sync(c[i], "/", 20000, NULL))
			stop("an idle agent is not up");
	if (write(1, "", 1) != 1)
		return 1;
	for (int turns = 0; turns < 600; turns++) {
		struct timespec pause = { 0, 100000000 };

		for (size_t i = 0; i < SESSIONS; i++)
			mu_client_process(c[i]);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Starts this program again, for libzmq does not survive a fork. */
static pid_t sessions_start(const char *url, int *ready)
{
	int p[2];
	pid_t pid;

	if (pipe(p))
		stop("pipe");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		execl("/proc/self/exe", "bench", "--sessions", url, NULL);
		_exit(127);
	}
	close(p[1]);
	*ready = p[0];
	return pid;
}

/* The idle agents are gone: their sessions have expired. */
static void wait_alone(const char *url)
{
	const struct timespec pause = { 0, 50000000 };
	struct mu_client *c = client_open(url);
	size_t left = SESSIONS;

	for (int i = 0; left > 1; i++) {
		struct mu_names names;

		nanosleep(&pause, NULL);
		if (mu_client_children_sync(c, "/members", &names, 5000, NULL))
			stop("cannot list /members");
		left = names.count;
		mu_names_free(&names);
		if (i == 1200)
			stop("the idle agents did not go within 60 s");
	}
	mu_client_close(c, 1000);
	mu_client_free(c);
}

static void bench_memory(struct cluster *c, const struct cluster_agent *agent)
{
	double broker_idle = private_mib(c->broker.pid);
	double agent_idle = private_mib(agent->program.pid) +
	                    private_mib(cluster_agent_worker(agent));
	double self = private_mib(getpid());
	const struct timespec span = { IDLE_S, 0 };
	struct pollfd p;
	double used;
	pid_t pid;
	char up;

	pid = sessions_start(c->ipc, &p.fd);
	p.events = POLLIN;
	if (poll(&p, 1, 60000) != 1 || read(p.fd, &up, 1) != 1)
		stop("1,000 sessions did not come up within 60 s");
	printf("private memory   agent (supervisor and worker) %.1f MiB, "
	       "broker %.1f MiB, broker with "
	       "%d idle agents %.1f MiB   (this bench itself: %.1f MiB)\n",
	       agent_idle, broker_idle, SESSIONS, private_mib(c->broker.pid),
	       self);
	used = used_s(c->broker.pid);
	nanosleep(&span, NULL);
	printf("%d idle agents   cost the broker %.1f %% of one core   (a "
	       "session of 3 s, a member, two subscriptions each; %d s)\n",
	       SESSIONS, 100 * (used_s(c->broker.pid) - used) / IDLE_S, IDLE_S);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(p.fd);
	wait_alone(c->ipc);
}

/* ---- the command line ---- */

static int64_t run_min(const char *const *argv)
{
	volatile int64_t best = INT64_MAX;

	for (int i = 0; i < RUNS; i++) {
		int64_t t0 = now_ns(), took;
		int status;
		pid_t pid = vfork();

		if (pid == 0) {
			execv(argv[0], (char *const *)(uintptr_t)argv);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			stop("a program did not run");
		took = now_ns() - t0;
		if (took < best)
			best = took;
	}
	return best;
}

static void bench_cli(void)
{
	const char *get[] = { cluster_program("muster"), "get", "/config/none",
		              NULL };
	const char *empty[] = { "/bin/true", NULL };
	double get_ms, empty_ms;

	/* A null value: nothing is printed. */
	get_ms = (double)run_min(get) / 1e6;
	empty_ms = (double)run_min(empty) / 1e6;
	printf("muster get   %.1f ms, an empty process %.1f ms: %.1f ms more   "
	       "(minimum of %d)\n",
	       get_ms, empty_ms, get_ms - empty_ms, RUNS);
}

/* ---- a node's cost ---- */

static void bench_node(void)
{
	static const uint8_t key[16];
	struct mu_tree *t = mu_tree_new(key);
	struct mu_stamp stamp = { 1, 1 };
	struct mallinfo2 before = mallinfo2();
	size_t own = 0, cost;
	mu_node_id id;
	char data[100];

	memset(data, 'x', sizeof data);
	mu_tree_begin(t);
	for (int i = 0; i < NODES; i++) {
		char name[16];
		int n = snprintf(name, sizeof name, "n%09d", i);

		stamp.zxid++;
		if (mu_tree_create(t, MU_NODE_ROOT,
		                   (struct mu_str){ name, (uint32_t)n }, data,
		                   sizeof data, 0, &stamp, &id))
			stop("out of memory");
		own += (size_t)n + sizeof data;
		if (i % 1000 == 999) {
			mu_tree_commit(t);
			mu_tree_begin(t);
		}
	}
	mu_tree_commit(t);
	cost = mallinfo2().uordblks + mallinfo2().hblkhd - before.uordblks -
	       before.hblkhd;
	printf("a node   %.0f bytes besides its name and data   (%d siblings, "
	       "the allocator's own bytes included)\n",
	       (double)(cost - own) / NODES, NODES);
	mu_tree_free(t);
}

/* Run by Check without a fork, for the helpers speak through it. */
START_TEST(figures)
{
	static struct cluster c;
	static struct cluster_agent agent;
	char instances[512], sink_path[160];
	struct mu_client *client;
	int sink;

	setvbuf(stdout, NULL, _IOLBF, 0);
	bench_node();
	cluster_open(&c);
	cluster_broker_start(&c);
	client = client_open(c.ipc);
	if (mu_client_create_sync(client, "/config", NULL, -1, 0, NULL, 0, 5000,
	                          NULL) ||
	    mu_client_create_sync(client, "/config/bench", NULL, -1, 0, NULL, 0,
	                          5000, NULL) ||
	    mu_client_create_sync(client, "/config/none", NULL, -1, 0, NULL, 0,
	                          5000, NULL))
		stop("cannot make the nodes");
	snprintf(sink_path, sizeof sink_path, "%s/sink", c.dir);
	sink = sink_open(sink_path);
	cluster_agent_init(&c, &agent, "watcher", NULL);
	cluster_agent_start(&agent);
	member_wait(client, "/members/watcher");
	mu_client_close(client, 1000); /* it would expire meanwhile */
	mu_client_free(client);
	bench_memory(&c, &agent);
	client = client_open(c.ipc);
	cluster_agent_stop(&agent, SIGTERM);
	snprintf(instances, sizeof instances,
	         "instances = ( { name = \"watch\"; plugin = "
	         "\"%s/tests/bench/stopwatch.so\"; members = true;\n"
	         "  watch = ( { path = \"/config/bench\"; mode = \"exact\"; } "
	         ");\n  settings = { sink = \"%s\"; }; } );\n",
	         MU_BUILD, sink_path);
	cluster_agent_instances(&agent, "watch.conf", instances);
	cluster_agent_start(&agent);
	lap_wait(sink, MU_EVENT_PRESENT);
	bench_edit(client, sink);
	bench_kill(&c, sink);
	bench_cli();
	mu_client_close(client, 1000);
	mu_client_free(client);
	cluster_close(&c);
}
END_TEST

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--sessions") == 0)
		return sessions_hold(argv[2]);
	return bench_run("bench", figures);
}
