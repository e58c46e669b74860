/*
 * bench_restart.c - a broker with a million nodes: what a snapshot costs those who
 * ask meanwhile, and how long it takes to come back after kill -9.
 *
 * The broker as shipped, durable, in a directory below MU_BENCH_DIR or /var/tmp. The
 * answers during the snapshot stand beside those of the same client with no snapshot
 * under way; the start beside a plain read of the same files.
 */
#include "cluster.h"
#include "measure.h"
#include "raw_tcp.h"
#include "zk_pipe.h"
#include "zk_sides.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODES 1000000u
#define SETS 100000u
#define SESSIONS 20u
#define OUTSTANDING 16u
#define STALL_MAX_US 20000.0
#define START_MAX_MS 2000.0
#define WARM_STARTS 3
#define SLICE_MS 20 /* of reads, between two looks at the snapshot */
#define READ_BYTES (1u << 20)
#define SAMPLES 1000000u
#define LIMIT_S 60

struct reads {
	size_t count;
	int64_t ns[SAMPLES];
};

struct start {
	double ready_ms, answer_ms, plain_ms;
};

static struct cluster c;
static struct reads quiet, beside;
static char control[CLUSTER_PATH_MAX + 16], data[CLUSTER_PATH_MAX + 16];

static double ms_since(int64_t from_ns)
{
	return (double)(now_ns() - from_ns) / 1e6;
}

/* ---- the broker ------------------------------------------------------------------ */

/* As shipped, but for its places; and no snapshot but the one asked for. */
static void open_broker(void)
{
	const char *where = getenv("MU_BENCH_DIR");
	char text[1024];

	setenv("TMPDIR", where ? where : "/var/tmp", 1);
	cluster_open(&c);
	snprintf(control, sizeof control, "%s/broker.ctl", c.dir);
	snprintf(data, sizeof data, "%s/broker", c.dir);
	snprintf(text, sizeof text,
	         "listen = [ \"%s\" ];\n"
	         "listen_zookeeper = [ \"127.0.0.1:*\" ];\n"
	         "data_dir = \"%s\";\n"
	         "ready_file = \"%s\";\n"
	         "control = \"%s\";\n"
	         "snapshot_journal_bytes = 1099511627776L;\n",
	         c.ipc, data, c.ready, control);
	file_write_text(c.conf, text);
	cluster_broker_start(&c);
}

static uint16_t port(void)
{
	return (uint16_t)atoi(strrchr(c.zk, ':') + 1);
}

/* One number of the broker's status. */
static double status_of(const char *key)
{
	char wanted[64], *at;
	struct run r;
	double n;

	cluster_muster(&r, "broker", "status", "--json", "--control", control,
	               NULL);
	snprintf(wanted, sizeof wanted, "\"%s\":", key);
	at = r.exit == 0 ? strstr(r.out, wanted) : NULL;
	if (!at)
		stop("the broker's status is not as it should be");
	n = atof(at + strlen(wanted));
	run_free(&r);
	return n;
}

/* ---- answers, and a snapshot ------------------------------------------------------- */

static void read_some(struct zk_pipe *reader, struct reads *r)
{
	r->count += zk_pipe_one(reader, MU_OP_GET_DATA, SLICE_MS,
	                        r->ns + r->count, SAMPLES - r->count);
}

/* Take one, reading all the while; then read as long with none. */
static double take_snapshot(void)
{
	const char *argv[] = { cluster_program("muster"),
		               "broker",
		               "snapshot",
		               "--control",
		               control,
		               NULL };
	struct zk_pipe *reader = zk_pipe_open(port(), 1, 1);
	struct program snapshot;
	int64_t from;
	double took_ms;

	zk_pipe_one(reader, MU_OP_GET_DATA, 500, quiet.ns, SAMPLES);
	from = now_ns();
	program_start(&snapshot, argv, "/dev/null", c.log);
	while (program_is_running(&snapshot))
		read_some(reader, &beside);
	took_ms = ms_since(from);
	if (status_of("taken") < 1)
		stop("no snapshot was taken");
	for (from = now_ns(); ms_since(from) < took_ms;)
		read_some(reader, &quiet);
	zk_pipe_close(reader);
	return took_ms;
}

static void print_reads(struct reads *r, const char *what)
{
	qsort(r->ns, r->count, sizeof *r->ns, order);
	printf("  %-32s %9zu %11.0f %11.0f %11.0f\n", what, r->count,
	       part(r->ns, r->count, 0.5) / 1e3,
	       part(r->ns, r->count, 0.99) / 1e3,
	       part(r->ns, r->count, 1) / 1e3);
}

static void snapshot(void)
{
	const double took_ms = take_snapshot();
	const double held_us = status_of("fork_us_max");
	double longest_us;

	progress("snapshot taken in %.0f ms", took_ms);
	printf("  %-32s %9s %11s %11s %11s\n",
	       "a client's reads, one at a time", "reads", "median us",
	       "p99 us", "longest us");
	print_reads(&quiet, "no snapshot");
	print_reads(&beside, "while a snapshot is taken");
	longest_us = part(beside.ns, beside.count, 1) / 1e3;
	printf("  the longest, target %.0f ms: %s; the fork held the broker "
	       "for %.1f ms\n"
	       "  %.1f MiB written, synced and read back in %.0f ms\n\n",
	       STALL_MAX_US / 1e3,
	       longest_us <= STALL_MAX_US ? "reached" : "NO", held_us / 1e3,
	       status_of("bytes") / (1 << 20), status_of("took_ms"));
}

/* ---- the files ------------------------------------------------------------------------ */

static double read_file(int fd, uint8_t *room)
{
	double bytes = 0;
	ssize_t n;

	while ((n = read(fd, room, READ_BYTES)) > 0)
		bytes += (double)n;
	if (n < 0)
		stop("cannot read a file of the broker's");
	return bytes;
}

/* Read all files of the data directory, or drop them from the page cache, which a
 * kernel may decline. How many bytes were read. */
static double each_file(bool drops)
{
	DIR *dir = opendir(data);
	uint8_t *room = malloc(READ_BYTES);
	double bytes = 0;

	if (!dir || !room)
		stop("cannot look at the broker's files");
	for (struct dirent *e; (e = readdir(dir));) {
		int fd;

		if (e->d_type != DT_REG)
			continue;
		fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			stop("cannot open a file of the broker's");
		if (!drops)
			bytes += read_file(fd, room);
		else if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
			stop("cannot drop a file from the page cache");
		close(fd);
	}
	free(room);
	closedir(dir);
	return bytes;
}

/* ---- starts --------------------------------------------------------------------------- */

static void first_answer(void)
{
	struct raw r;

	raw_session(&r, port(), ZK_SESSION_MS);
	if (raw_get(&r, "/zkbench/s0/made/0000000000", false))
		stop("a node is not there after the start");
	raw_close(&r);
}

/* Kill it, read its files, start it. */
static struct start start_again(bool is_cold)
{
	struct start s;
	int64_t from;

	cluster_broker_stop(&c, SIGKILL);
	if (is_cold)
		each_file(true);
	from = now_ns();
	each_file(false);
	s.plain_ms = ms_since(from);
	if (is_cold)
		each_file(true);
	from = now_ns();
	cluster_broker_start(&c);
	s.ready_ms = ms_since(from);
	first_answer();
	s.answer_ms = ms_since(from);
	progress("started in %.0f ms", s.ready_ms);
	return s;
}

static void print_start(const struct start *s, const char *what)
{
	printf("  %-32s %9.0f %11.0f %11.0f  %s\n", what, s->ready_ms,
	       s->answer_ms, s->plain_ms,
	       s->answer_ms < START_MAX_MS ? "reached" : "NO");
}

static int by_ready(const void *a, const void *b)
{
	const struct start *x = a, *y = b;

	return (x->ready_ms > y->ready_ms) - (x->ready_ms < y->ready_ms);
}

static void starts(void)
{
	const struct start cold = start_again(true);
	struct start warm[WARM_STARTS];

	for (int i = 0; i < WARM_STARTS; i++)
		warm[i] = start_again(false);
	qsort(warm, WARM_STARTS, sizeof *warm, by_ready);
	printf("  %-32s %9s %11s %11s  target %.0f ms\n", "start after kill -9",
	       "ready ms", "answers ms", "plain read", START_MAX_MS);
	print_start(&cold, "files not in memory");
	print_start(&warm[WARM_STARTS / 2], "files in memory, median of 3");
	printf("  %.1f MiB of files; memory after the start %.0f MiB\n",
	       each_file(false) / (1 << 20), rss_mib(c.broker.pid));
}

/* ---- the whole -------------------------------------------------------------------------- */

static void too_long(int signum)
{
	static const char text[] = "bench: not done within 60 s\n";
	const ssize_t n = write(2, text, sizeof text - 1);

	(void)signum;
	_exit(n < 0 ? 2 : 1);
}

static void measure(void)
{
	struct zk_pipe *p;
	double rate;

	progress("%u nodes", NODES);
	p = zk_pipe_open(port(), SESSIONS, OUTSTANDING);
	rate = zk_pipe_run(p, MU_OP_MULTI, 0, NODES / ZK_MULTI_CREATES) *
	       ZK_MULTI_CREATES;
	progress("made, %.0f a second", rate);
	printf("restart: the broker as shipped, durable, %u nodes of 100 "
	       "bytes, "
	       "in %s\n  memory %.0f MiB\n\n",
	       NODES, getenv("TMPDIR"), rss_mib(c.broker.pid));
	snapshot();
	zk_pipe_scatter(p);
	rate = zk_pipe_run(p, MU_OP_SET_DATA, 0, SETS);
	progress("%u sets after it, %.0f a second", SETS, rate);
	zk_pipe_close(p);
	starts();
}

START_TEST(figures)
{
	signal(SIGALRM, too_long);
	alarm(LIMIT_S);
	open_broker();
	measure();
	cluster_close(&c);
}
END_TEST

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	return bench_run("bench/restart", figures);
}
