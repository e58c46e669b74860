/*
 * zk.c - Muster held against a real ZooKeeper: the same load, from the same client,
 * in the same run, as ratios. Both take turns on each figure, so that a noisy machine
 * is noisy for both; both are warmed up first, for a JVM is slow when it is cold.
 *
 * Progress goes to standard error, the table to standard output. Everything is on
 * loopback, bounded, below one temporary directory, and stops by itself.
 */
#include "measure.h"
#include "zk_client.h"
#include "zk_crowd.h"
#include "zk_null.h"
#include "zk_pipe.h"
#include "zk_redis.h"
#include "zk_sides.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 3
#define SESSIONS 10
#define OUTSTANDING 64
#define WARM_MS 2000 /* a load that was not run before */
#define RUN_MS 800
#define ONE_WARM_MS 400
#define ONE_MS 500
#define LAPS_MAX 60000 /* of one side's rounds together */
#define CROWD 1000u
#define CHANGES 20
#define NODES 1000000u
#define FILLING 16u    /* multis outstanding while they are made */
#define SETTLE_MS 1500 /* before resident memory is read */

static double median(int64_t *v, size_t n)
{
	qsort(v, n, sizeof *v, order);
	return part(v, n, 0.5);
}

static void settle(void)
{
	const struct timespec t = { SETTLE_MS / 1000,
		                    SETTLE_MS % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* ---- resident memory, on fresh servers ------------------------------------------------ */

static void memory_of_sessions(const struct zk_sides *s, struct zk_row *row)
{
	for (int side = 0; side < ZK_SIDES; side++) {
		int64_t took;
		struct zk_crowd *c = zk_crowd_open(s->port[side], CROWD, &took);

		zk_crowd_watch(c, CROWD);
		settle();
		row->value[side] = rss_mib(s->pid[side]);
		progress("%u sessions, %s: %.1f MiB", CROWD, s->name[side],
		         row->value[side]);
		zk_crowd_close(c);
	}
}

static void memory_of_nodes(const struct zk_sides *s, struct zk_row *row)
{
	for (int side = 0; side < ZK_SIDES; side++) {
		struct zk_pipe *p =
			zk_pipe_open(s->port[side], SESSIONS, FILLING);
		double rate = zk_pipe_run(p, MU_OP_MULTI, 0,
		                          NODES / ZK_MULTI_CREATES);

		zk_pipe_close(p);
		settle();
		row->value[side] = rss_mib(s->pid[side]);
		progress("%u nodes, %s: %.1f MiB (made %.0f a second)", NODES,
		         s->name[side], row->value[side],
		         rate * ZK_MULTI_CREATES);
	}
}

static void bench_memory(void)
{
	static struct zk_sides s;
	struct zk_row idle = { "idle", ZK_MIB, { 0 }, 0, false };
	struct zk_row sessions = { "1,000 sessions", ZK_MIB, { 0 }, 10, false };
	struct zk_row nodes = {
		"1,000,000 nodes of 100 bytes", ZK_MIB, { 0 }, 3, false
	};

	zk_sides_start(&s);
	settle();
	for (int side = 0; side < ZK_SIDES; side++)
		idle.value[side] = rss_mib(s.pid[side]);
	memory_of_sessions(&s, &sessions);
	memory_of_nodes(&s, &nodes);
	zk_sides_stop(&s);
	zk_table_group(
		"Resident memory (VmRSS) of servers started for it: idle; "
		"with 1,000 sessions that watch one node;\nlater with "
		"1,000,000 nodes below ten parents, made by multis of 20. "
		"ZooKeeper's heap may "
		"grow to 1,000 MB, as its own script has it.");
	zk_table_row(&idle);
	zk_table_row(&sessions);
	zk_table_row(&nodes);
}

/* ---- pipelined -------------------------------------------------------------------------- */

enum { NOTHING = ZK_SIDES, SERVERS }; /* the null server is a third */

struct servers {
	const struct zk_sides *s;
	struct program nothing;
	uint16_t port[SERVERS];
	pid_t pid[SERVERS];
	const char *name[SERVERS];
};

static const struct load {
	enum mu_op op;
	const char *what;
	double target, target_one, target_p99;
	bool durable;
} loads[] = {
	{ MU_OP_GET_DATA, "get", 15, 3, 3, false },
	{ MU_OP_EXISTS, "exists", 15, 3, 3, false },
	{ MU_OP_GET_CHILDREN, "getChildren (10)", 15, 3, 3, false },
	{ MU_OP_SET_DATA, "set", 8, 1.7, 2, true },
	{ MU_OP_CREATE, "create", 8, 1.7, 2, true },
	{ MU_OP_DELETE, "delete", 8, 1.7, 2, true },
};
#define LOADS (sizeof loads / sizeof *loads)

/* What they came to: replies a second, and the server's processor time for one. */
struct pace {
	double rate, cost_ns;
};

/* One server's rounds of one load. */
struct rounds {
	int64_t rate[ROUNDS];
	double client_s, server_s, took_s; /* processor and real time, of all */
	double replies;
};

static void one_round(const struct servers *v, int i, struct zk_pipe *p,
                      enum mu_op op, int64_t *rate, struct rounds *r)
{
	const double client = own_cpu_s(), server = cpu_s(v->pid[i]);
	const int64_t from = now_ns();
	double took_s;

	*rate = (int64_t)zk_pipe_run(p, op, op == MU_OP_DELETE ? 0 : RUN_MS, 0);
	took_s = (double)(now_ns() - from) / 1e9;
	r->took_s += took_s;
	r->replies += (double)*rate * took_s;
	r->client_s += own_cpu_s() - client;
	r->server_s += cpu_s(v->pid[i]) - server;
}

static struct pace said(const struct servers *v, int i, const char *what,
                        struct rounds *r)
{
	const double rate = median(r->rate, ROUNDS);

	progress("pipelined %s, %s: %.0f/s (%.0f to %.0f; of a core: client "
	         "%.0f %%, server %.0f %%)",
	         what, v->name[i], rate, part(r->rate, ROUNDS, 0),
	         part(r->rate, ROUNDS, 1), 100 * r->client_s / r->took_s,
	         100 * r->server_s / r->took_s);
	return (struct pace){ rate, r->server_s * 1e9 / r->replies };
}

/* Reads of all three, in turn. */
static void pipelined_reads(const struct servers *v, struct zk_pipe *p[SERVERS],
                            const struct load *l, struct pace pace[SERVERS])
{
	struct rounds r[SERVERS] = { 0 };

	for (int i = 0; i < SERVERS; i++)
		zk_pipe_run(p[i], l->op, i == NOTHING ? RUN_MS : WARM_MS, 0);
	for (int n = 0; n < ROUNDS; n++)
		for (int i = 0; i < SERVERS; i++)
			one_round(v, i, p[i], l->op, &r[i].rate[n], &r[i]);
	for (int i = 0; i < SERVERS; i++)
		pace[i] = said(v, i, l->what, &r[i]);
}

/* Writes of the two; what create made is deleted by the next load. */
static void pipelined_writes(const struct servers *v,
                             struct zk_pipe *p[SERVERS],
                             struct pace pace[LOADS][SERVERS])
{
	static struct rounds r[LOADS][ZK_SIDES];

	for (int i = 0; i < ZK_SIDES; i++) {
		zk_pipe_run(p[i], MU_OP_SET_DATA, WARM_MS, 0);
		zk_pipe_run(p[i], MU_OP_CREATE, WARM_MS, 0);
		zk_pipe_run(p[i], MU_OP_DELETE, 0, 0);
	}
	for (int n = 0; n < ROUNDS; n++)
		for (int i = 0; i < ZK_SIDES; i++)
			for (size_t l = 0; l < LOADS; l++)
				if (loads[l].durable)
					one_round(v, i, p[i], loads[l].op,
					          &r[l][i].rate[n], &r[l][i]);
	for (size_t l = 0; l < LOADS; l++)
		for (int i = 0; loads[l].durable && i < ZK_SIDES; i++)
			pace[l][i] = said(v, i, loads[l].what, &r[l][i]);
}

static void bench_pipelined(const struct servers *v,
                            struct pace pace[LOADS][SERVERS])
{
	struct zk_pipe *p[SERVERS];

	for (int i = 0; i < SERVERS; i++)
		p[i] = zk_pipe_open(v->port[i], SESSIONS, OUTSTANDING);
	for (size_t l = 0; l < LOADS; l++)
		if (!loads[l].durable)
			pipelined_reads(v, p, &loads[l], pace[l]);
	pipelined_writes(v, p, pace);
	for (int i = 0; i < SERVERS; i++)
		zk_pipe_close(p[i]);
	zk_table_group("Pipelined: 10 sessions with 64 outstanding each, nodes "
	               "of 100 bytes; our raw client, one thread;\nmedian of 3 "
	               "rounds of 0.8 s, the two in turn.");
	for (size_t l = 0; l < LOADS; l++)
		zk_table_row(&(struct zk_row){
			loads[l].what,
			ZK_RATE,
			{ pace[l][ZOOKEEPER].rate, pace[l][MUSTER].rate },
			loads[l].target,
			loads[l].durable });
}

/* ---- one at a time --------------------------------------------------------------------------- */

struct laps {
	int64_t took[LAPS_MAX];
	size_t n;
};
static struct laps laps[ZK_SIDES];

/* Their medians, their 99th of a hundred, and how many a second, as rows. */
static void rows_of_laps(const char *what, const struct load *l)
{
	static const char *const names[] = { "ZooKeeper", "Muster" };
	struct zk_row p50, p99, rate;
	char text[3][64];

	snprintf(text[0], sizeof text[0], "%s", what);
	snprintf(text[1], sizeof text[1], "%s, p50", what);
	snprintf(text[2], sizeof text[2], "%s, p99", what);
	rate = (struct zk_row){
		text[0], ZK_RATE, { 0 }, l->target_one, l->durable
	};
	p50 = (struct zk_row){ text[1], ZK_MS, { 0 }, 0, l->durable };
	p99 = (struct zk_row){
		text[2], ZK_MS, { 0 }, l->target_p99, l->durable
	};
	for (int i = 0; i < ZK_SIDES; i++) {
		double sum = 0;

		for (size_t k = 0; k < laps[i].n; k++)
			sum += (double)laps[i].took[k];
		rate.value[i] = (double)laps[i].n * 1e9 / sum;
		p50.value[i] = median(laps[i].took, laps[i].n) / 1e6;
		p99.value[i] = part(laps[i].took, laps[i].n, 0.99) / 1e6;
		progress("%s, %s: %.0f/s, p50 %.3f ms, p99 %.3f ms, %zu laps",
		         what, names[i], rate.value[i], p50.value[i],
		         p99.value[i], laps[i].n);
	}
	if (l->target_one > 0)
		zk_table_row(&rate);
	zk_table_row(&p50);
	zk_table_row(&p99);
}

static void more_laps(struct zk_pipe *p, enum mu_op op, unsigned ms,
                      struct laps *to)
{
	to->n += zk_pipe_one(p, op, ms, to->took + to->n, LAPS_MAX - to->n);
}

static void bench_one(const struct servers *v)
{
	struct zk_pipe *p[ZK_SIDES];

	zk_table_group("One at a time: one session, the next request after the "
	               "answer; our raw client, blocking;\n3 rounds of 0.5 s, "
	               "the two in turn.");
	for (int i = 0; i < ZK_SIDES; i++)
		p[i] = zk_pipe_open(v->port[i], 1, 1);
	for (size_t l = 0; l < LOADS; l++) {
		for (int i = 0; i < ZK_SIDES; i++) {
			laps[i].n = 0;
			if (loads[l].op != MU_OP_DELETE)
				more_laps(p[i], loads[l].op, ONE_WARM_MS,
				          &laps[i]);
			laps[i].n = 0;
		}
		for (int n = 0; n < ROUNDS * ZK_SIDES; n++)
			more_laps(p[n % ZK_SIDES], loads[l].op, ONE_MS,
			          &laps[n % ZK_SIDES]);
		rows_of_laps(loads[l].what, &loads[l]);
	}
	for (int i = 0; i < ZK_SIDES; i++)
		zk_pipe_close(p[i]);
}

/* ---- crowds ---------------------------------------------------------------------------------- */

static const struct crowd {
	const char *what;
	unsigned count;
	double target;
} crowds[] = {
	{ "1 session", 1, 0 },
	{ "100 sessions", 100, 0 },
	{ "1,000 sessions", CROWD, 4 },
};
#define CROWDS (sizeof crowds / sizeof *crowds)

struct told {
	int64_t took[ROUNDS * CHANGES];
};

static void changes(struct zk_crowd *c, unsigned count, int64_t *took)
{
	for (int i = 0; i < CHANGES; i++) {
		zk_crowd_watch(c, count);
		took[i] = zk_crowd_change(c, count);
	}
}

static void rows_of_crowd(const double ms[CROWDS][SERVERS],
                          const double rate[SERVERS])
{
	zk_table_group("One change to so many sessions that watch the node "
	               "(getData), until the last notification can be read;\n"
	               "median of 3 rounds of 20, the two in turn.");
	for (size_t n = 0; n < CROWDS; n++)
		zk_table_row(
			&(struct zk_row){ crowds[n].what,
		                          ZK_MS,
		                          { ms[n][ZOOKEEPER], ms[n][MUSTER] },
		                          crowds[n].target,
		                          true });
	zk_table_group(
		"Sessions set up: 1,000, at most 32 handshakes at a time, "
		"connection included; median of 3.");
	zk_table_row(&(struct zk_row){ "sessions set up",
	                               ZK_RATE,
	                               { rate[ZOOKEEPER], rate[MUSTER] },
	                               5,
	                               true });
}

/* null_ms: what the null server takes to tell them. */
static void bench_crowd(const struct servers *v, double null_ms[CROWDS])
{
	static struct told told[CROWDS][SERVERS];
	int64_t up[SERVERS][ROUNDS];
	double ms[CROWDS][SERVERS], rate[SERVERS];

	/* The first round of all is warm-up: its figures are written over. */
	for (int n = -SERVERS; n < ROUNDS * SERVERS; n++) {
		const int i = (n + SERVERS) % SERVERS;
		const int round = n < 0 ? 0 : n / SERVERS;
		struct zk_crowd *c =
			zk_crowd_open(v->port[i], CROWD, &up[i][round]);

		for (size_t k = 0; k < CROWDS; k++)
			changes(c, crowds[k].count,
			        told[k][i].took + round * CHANGES);
		zk_crowd_close(c);
	}
	for (int i = 0; i < SERVERS; i++) {
		rate[i] = CROWD * 1e9 / median(up[i], ROUNDS);
		for (size_t k = 0; k < CROWDS; k++)
			ms[k][i] =
				median(told[k][i].took, ROUNDS * CHANGES) / 1e6;
		progress("%s: %.0f sessions/s; one change to 1, 100, 1,000: "
		         "%.3f, %.3f, %.3f ms",
		         v->name[i], rate[i], ms[0][i], ms[1][i], ms[2][i]);
	}
	for (size_t k = 0; k < CROWDS; k++)
		null_ms[k] = ms[k][NOTHING];
	rows_of_crowd(ms, rate);
}

/* ---- through libzookeeper ---------------------------------------------------------------------- */

static void bench_calls(const struct servers *v)
{
	static const char *const names[] = { "get", "set",
		                             "set to another's watch" };
	struct zk_caller *c[ZK_SIDES];

	zk_table_group(
		"Through libzookeeper_mt, one call at a time; 3 rounds of "
		"0.5 s, the two in turn. The watch: from the call\nof "
		"set to the callback in another session.");
	for (int i = 0; i < ZK_SIDES; i++)
		c[i] = zk_caller_open(v->port[i]);
	for (int call = 0; call < ZK_CALLS; call++) {
		for (int n = 0; n < (ROUNDS + 1) * ZK_SIDES; n++) {
			const int i = n % ZK_SIDES;
			struct laps *to = &laps[i];

			if (n < 2 * ZK_SIDES)
				to->n = 0; /* what was before is warm-up */
			to->n += zk_caller_laps(c[i], (enum zk_call)call,
			                        ONE_MS, to->took + to->n,
			                        LAPS_MAX - to->n);
		}
		rows_of_laps(names[call],
		             &(struct load){ .durable = call != ZK_GET });
	}
	for (int i = 0; i < ZK_SIDES; i++)
		zk_caller_close(c[i]);
}

static void bench_crash(const struct zk_sides *s)
{
	int64_t took[ZK_SIDES][ZK_KILLS];
	struct zk_row mid = { "p50", ZK_MS, { 0 }, 0, false };
	struct zk_row most = { "max", ZK_MS, { 0 }, 0, false };

	zk_client_crash(s, took);
	for (int i = 0; i < ZK_SIDES; i++) {
		mid.value[i] = median(took[i], ZK_KILLS) / 1e6;
		most.value[i] = part(took[i], ZK_KILLS, 1) / 1e6;
		progress("kill -9 to NodeDeleted, %s: %.0f to %.0f ms",
		         s->name[i], part(took[i], ZK_KILLS, 0) / 1e6,
		         most.value[i]);
	}
	zk_table_group(
		"kill -9 of a client to NodeDeleted at a watcher, both "
		"libzookeeper_mt: 20 kills at all phases of the\n"
		"heartbeat, session timeout 1,000 ms on both (ZooKeeper: "
		"tickTime 500, the longest that allows it).");
	zk_table_row(&mid);
	zk_table_row(&most);
}

/* ---- beside others -------------------------------------------------------------------------------- */

static void print_share(FILE *out, struct pace pace[LOADS][SERVERS],
                        const double null_ms[CROWDS])
{
	fprintf(out,
	        "\nPipelined reads beside a null server on the same libuv, "
	        "which parses frames and answers constants.\nTarget: 40 %% "
	        "of its rate. It is as fast as the client, so the processor "
	        "time of each server for one read\nis told too.\n");
	for (size_t l = 0; l < LOADS; l++) {
		const struct pace *mu = &pace[l][MUSTER];
		const struct pace *nothing = &pace[l][NOTHING];
		const double share = 100 * mu->rate / nothing->rate;

		if (!loads[l].durable)
			fprintf(out,
			        "%-18s %.0f/s of %.0f/s: %.0f %%, %s; "
			        "%.0f ns of processor, null server %.0f ns\n",
			        loads[l].what, mu->rate, nothing->rate, share,
			        share < 40 ? "NO" : "reached", mu->cost_ns,
			        nothing->cost_ns);
	}
	fprintf(out,
	        "The null server tells 1, 100, 1,000 sessions in %.3f, "
	        "%.3f, %.3f ms.\n",
	        null_ms[0], null_ms[1], null_ms[2]);
}

static void print_redis(FILE *out, const char *dir,
                        struct pace pace[LOADS][SERVERS])
{
	double get, set;

	if (!zk_redis_measure(dir, &get, &set))
		return;
	progress("Redis: GET %.0f/s, SET %.0f/s", get, set);
	fprintf(out,
	        "\nRedis, by redis-benchmark: 50 clients, pipeline 32, 100 "
	        "bytes, appendfsync always, 1,000,000 of each\n");
	fprintf(out, "GET %.0f/s: Muster's pipelined get is %.2f of it\n", get,
	        pace[0][MUSTER].rate / get);
	fprintf(out, "SET %.0f/s: Muster's pipelined set is %.2f of it\n", set,
	        pace[3][MUSTER].rate / set);
}

/* ---- the whole -------------------------------------------------------------------------------------- */

static void servers_of(struct servers *v, const struct zk_sides *s)
{
	char port[8], log[160];
	const char *argv[] = { "/proc/self/exe", "--null", port, NULL };

	*v = (struct servers){ .s = s };
	for (int i = 0; i < ZK_SIDES; i++) {
		v->port[i] = s->port[i];
		v->pid[i] = s->pid[i];
		v->name[i] = s->name[i];
	}
	ports_free(&v->port[NOTHING], 1);
	snprintf(port, sizeof port, "%u", (unsigned)v->port[NOTHING]);
	snprintf(log, sizeof log, "%.120s/null.log", s->cluster.dir);
	program_start(&v->nothing, argv, log, log);
	v->pid[NOTHING] = v->nothing.pid;
	v->name[NOTHING] = "null server";
	if (!wait_for(is_listening, &v->port[NOTHING], WAIT_MS))
		stop("the null server does not serve");
}

/* Run by Check without a fork, for the helpers speak through it. */
START_TEST(figures)
{
	static struct pace pace[LOADS][SERVERS];
	static struct zk_sides s;
	double null_ms[CROWDS];
	struct servers v;
	bool has_client;

	has_client = zk_client_load();
	bench_memory();
	zk_sides_start(&s);
	servers_of(&v, &s);
	bench_pipelined(&v, pace);
	bench_one(&v);
	bench_crowd(&v, null_ms);
	if (has_client) {
		bench_calls(&v);
		bench_crash(&s);
	}
	zk_table_print(stdout, s.is_durable);
	print_share(stdout, pace, null_ms);
	print_redis(stdout, s.cluster.dir, pace);
	program_stop(&v.nothing, SIGKILL);
	zk_sides_stop(&s);
	progress("done");
}
END_TEST

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--null") == 0)
		return zk_null_serve((uint16_t)atoi(argv[2]));
	if (argc == 4 && strcmp(argv[1], "--hold") == 0)
		return zk_client_hold(argv[2], argv[3]);
	if (!zk_is_installed("make bench-zk"))
		return 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	return bench_run("bench/zk", figures);
}
