/*
 * bench_journal.c - what the journal costs: durable sets of 100 bytes, through
 * the store and the journal but no socket, next to the disk's own fdatasync of
 * as many bytes in the same directory and the same run.
 */
#include "epoch.h"
#include "journal.h"
#include "logrec.h"
#include "measure.h"
#include "path.h"
#include "proto.h"
#include "store.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINK 1u
#define NODES 1024u
#define MANY 4096u /* outstanding, at most */
#define RUN_NS 1500000000
#define SAMPLES (1u << 20)
#define WAIT_MS 20000
#define PER_TURN 512u /* requests that one turn of the loop brings, at most */
#define RAW_BYTES (64u << 20)

static char dir[256];
static struct mu_store *store;
static struct mu_journal *journal;
static struct mu_when when = { 1000, 1700000000000 };
static struct mu_err err;
static uint64_t logged, durable;
static unsigned answered;
static uint64_t command_bytes, commands;
/* When each request that has no reply was sent; replies come in order. */
static int64_t sent[MANY];
static uint64_t sent_count, reply_count;
static int64_t samples[SAMPLES];
static size_t sample_count;

/* ---- the store and its journal ------------------------------------------------- */

static void on_send(const struct mu_effect *fx)
{
	struct mu_in in = mu_in_of(fx->bytes, fx->len);
	const int64_t now = now_ns();
	struct mu_str rec;

	while (mu_frame_next(&in, &rec) == 1) {
		answered++;
		if (sent_count == 0)
			continue;
		if (sample_count < SAMPLES)
			samples[sample_count++] =
				now - sent[reply_count % MANY];
		reply_count++;
	}
}

static void drain(void)
{
	struct mu_effect fx;

	while (mu_store_effect(store, &fx)) {
		if (fx.kind == MU_FX_SEND)
			on_send(&fx);
		else if (fx.kind == MU_FX_CLOSE)
			stop("the store closed the link");
		if (fx.kind != MU_FX_LOG)
			continue;
		if (journal->append(journal, fx.index, fx.bytes, fx.len, &err))
			stop(err.msg);
		logged = fx.index;
		command_bytes += mu_log_size(fx.len);
		commands++;
	}
}

/* One turn of a loop: flush, look for or wait for the journal, apply. */
static void turn(int wait_ms)
{
	struct pollfd p = { journal->fd(journal), POLLIN, 0 };
	uint64_t now_durable;

	drain();
	if (journal->flush(journal, &err))
		stop(err.msg);
	if (logged != durable && poll(&p, 1, wait_ms) != 1) {
		if (wait_ms > 0)
			stop("the journal said nothing for 20 s");
		return;
	}
	now_durable = journal->durable(journal);
	if (journal->trouble(journal, &err))
		stop(err.msg);
	if (now_durable != durable && mu_store_durable(store, now_durable))
		stop("out of memory");
	durable = now_durable;
	drain();
}

static void receive(struct mu_buf *b)
{
	mu_store_receive(store, LINK, b->data, b->len, when);
	mu_buf_reset(b);
}

static void handshake(void)
{
	struct mu_connect_request r = { .timeout_ms = 30000,
		                        .password = mu_str_of("") };
	struct mu_buf b = { 0 };
	uint8_t dice[64] = { 1, 2, 3 };

	mu_store_entropy(store, dice, sizeof dice);
	if (mu_store_link_open(store, LINK, "bench", when))
		stop("no link");
	mu_put_connect_request(&b, &r);
	receive(&b);
	while (answered < 1)
		turn(WAIT_MS);
	mu_buf_fini(&b);
}

static const char *path_of(uint64_t n)
{
	static char path[32];

	snprintf(path, sizeof path, "/node-%04u", (unsigned)(n % NODES));
	return path;
}

static void put_create(struct mu_buf *b, uint64_t n)
{
	const struct mu_create_request r = { .path = mu_str_of(path_of(n)),
		                             .data = mu_str_of(""),
		                             .acl = mu_acl_open() };

	mu_put_request_header(b, (int32_t)n + 1, MU_OP_CREATE);
	mu_put_create(b, MU_OP_CREATE, &r);
}

static void put_set(struct mu_buf *b, uint64_t n)
{
	static const char bytes[101] =
		"one hundred bytes, as the value of a node: 0123456789012345678"
		"901234567890123456789012345678901234567";
	const struct mu_set_data_request r = { .path = mu_str_of(path_of(n)),
		                               .data = { bytes, 100 },
		                               .version = -1 };

	mu_put_request_header(b, (int32_t)(n & 0x7fffffff), MU_OP_SET_DATA);
	mu_put_set_data(b, &r);
}

static void make_nodes(void)
{
	struct mu_buf b = { 0 };

	for (uint64_t n = 0; n < NODES; n++) {
		put_create(&b, n);
		receive(&b);
		if (n % 256 == 255)
			turn(WAIT_MS);
	}
	while (answered < 1 + NODES)
		turn(WAIT_MS);
	mu_buf_fini(&b);
}

/* ---- figures ---------------------------------------------------------------------- */

struct figures {
	double per_s, median_us, p99_us, cpu_us;
};

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Sets for a while, `outstanding` of them without a reply at any time. */
static struct figures sets(unsigned outstanding)
{
	struct mu_buf b = { 0 };
	struct figures f;
	const int64_t start = now_ns(), cpu = cpu_ns();
	int64_t took;

	sample_count = 0;
	sent_count = reply_count = 0;
	command_bytes = commands = 0;
	do {
		while (sent_count - reply_count < outstanding) {
			sent[sent_count % MANY] = now_ns();
			put_set(&b, sent_count);
			sent_count++;
			receive(&b);
			if (sent_count % PER_TURN == 0)
				turn(0);
		}
		turn(WAIT_MS);
		took = now_ns() - start;
	} while (took < RUN_NS);
	f.per_s = (double)reply_count / ((double)took / 1e9);
	f.cpu_us = (double)(cpu_ns() - cpu) / 1e3 / (double)reply_count;
	while (reply_count < sent_count)
		turn(WAIT_MS);
	qsort(samples, sample_count, sizeof *samples, order);
	f.median_us = part(samples, sample_count, 0.5) / 1e3;
	f.p99_us = part(samples, sample_count, 0.99) / 1e3;
	sent_count = 0;
	mu_buf_fini(&b);
	return f;
}

static int raw_open(void)
{
	static char zeros[1 << 16];
	char path[300];
	int fd;

	snprintf(path, sizeof path, "%s/raw", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (unsigned i = 0; i < RAW_BYTES / sizeof zeros; i++) {
		if (write(fd, zeros, sizeof zeros) != (ssize_t)sizeof zeros)
			stop("cannot write");
	}
	if (fsync(fd))
		stop("cannot sync");
	return fd;
}

/* The disk alone: write so many bytes behind the last and fdatasync, a second. */
static double raw_rate(int fd, size_t len)
{
	uint8_t *bytes = malloc(len);
	const int64_t start = now_ns();
	uint64_t n = 0, at = 0;
	int64_t took;

	if (!bytes)
		stop("out of memory");
	memset(bytes, 7, len);
	do {
		if (at + len > RAW_BYTES)
			at = 0;
		if (pwrite(fd, bytes, len, (off_t)at) != (ssize_t)len ||
		    fdatasync(fd))
			stop("cannot sync");
		at += len;
		n++;
		took = now_ns() - start;
	} while (took < RUN_NS / 2);
	free(bytes);
	return (double)n / ((double)took / 1e9);
}

/* The disk is asked before and after, for others use it too. */
static void row(int fd, unsigned outstanding)
{
	const size_t size = (size_t)(command_bytes / commands);
	const double before = raw_rate(fd, size * outstanding);
	const struct figures f = sets(outstanding);
	const double raw = (before + raw_rate(fd, size * outstanding)) / 2;

	printf("  %11u %12.0f %9.0f %9.0f %9.1f %13.0f %9.0f%%\n", outstanding,
	       f.per_s, f.median_us, f.p99_us, f.cpu_us, raw,
	       100 * f.per_s / (raw * outstanding));
}

static void open_all(void)
{
	struct mu_store_config c = {
		.epoch = 1,
		.tree_id = 1,
		.tick_ms = 100,
		.session_timeout_min_ms = 1000,
		.session_timeout_max_ms = 60000,
		.handshake_timeout_ms = 10000,
		.packet_max = 1 << 20,
		.reply_max = 64 << 20,
		.outstanding_max = 2 * MANY,
		.sessions_max = 10,
		.links_max = 10,
		.watches_max = 10,
	};
	const struct mu_journal_config j = { .segments = { .tree_id = 1 } };

	if (mu_store_new(&c, when, &store, &err) ||
	    mu_journal_disk_open(dir, &j, 0, NULL, NULL, &journal, &err))
		stop(err.msg);
}

static void clean(void)
{
	char command[300];

	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	if (system(command))
		fprintf(stderr, "bench: %s is left\n", dir);
}

int main(void)
{
	static const unsigned outstanding[] = { 1, 16, 256, MANY };
	const char *where = getenv("MU_BENCH_DIR");
	struct mu_journal_stats stats;
	int fd;

	snprintf(dir, sizeof dir, "%.200s/muster-bench-XXXXXX",
	         where ? where : "/var/tmp");
	if (!mkdtemp(dir))
		stop("cannot make a directory");
	atexit(clean);
	open_all();
	handshake();
	make_nodes();
	fd = raw_open();
	sets(1);
	printf("journal: durable sets of 100 bytes, store and journal without "
	       "sockets, in %s\n",
	       dir);
	printf("  %11s %12s %9s %9s %9s %13s %10s\n", "outstanding", "sets/s",
	       "median us", "p99 us", "cpu us", "fdatasync/s", "of it");
	for (size_t i = 0; i < sizeof outstanding / sizeof *outstanding; i++)
		row(fd, outstanding[i]);
	journal->stats(journal, &stats);
	printf("  %llu batches, the longest %.1f ms; %llu segments; "
	       "fdatasync/s "
	       "is of as many bytes, written and synced by nobody else\n",
	       (unsigned long long)stats.batches,
	       (double)stats.sync_max_us / 1e3,
	       (unsigned long long)stats.segments);
	journal->close(journal);
	mu_store_free(store);
	close(fd);
	return 0;
}
