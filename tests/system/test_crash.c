/*
 * The broker killed with -9 at random, and at each system call by which it writes
 * its journal and its snapshots, with and without a loss of power; and after each
 * start everything that was acknowledged, nothing twice, nothing by halves.
 *
 * CRASH_CYCLES=N  how often (50); each 50 have a tree of their own
 * CRASH_SEED=N    of the first 50; the next 50 have the next number
 * CRASH_KEEP=DIR  where a copy of the data goes when something is wrong
 */
#include "crash_bed.h"
#include "crash_writer.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BATCH 50u
#define OPS 220u
#define STARTING 16u /* calls that a start is about */
#define RUNNING 70u  /* and one with so many requests */
#define CHILD 16u    /* and a snapshot's */

static const char conf[] = "journal_segment_bytes = 65536;\n"
			   "snapshot_journal_bytes = 65536;\n"
			   "snapshot_interval_s = 0;\n"
			   "snapshots_keep = %u;\n";

/* What is done to one run of the broker. */
struct blow {
	enum crash_act act;
	enum crash_who who;
	uint32_t at, bytes, kill_at;
	bool spares, loses;
	uint64_t seed;
};

static struct crash_bed bed;
static struct crash_writer w;
static char story[8192]; /* of the blows since all was well */
static uint64_t batch_seed;
static struct {
	unsigned at_calls, at_random, at_start, losses, lost, in_child;
	unsigned acks, unknown, kept, deaths;
	unsigned at[CRASH_CALLS];
} sum;

/* ---- a failure tells how to come back to it ------------------------------------ */

static void tell(const struct blow *b, const char *text)
{
	size_t len = strlen(story);

	snprintf(story + len, sizeof story - len,
	         "    %s%s%s%s (seed of the loss %llx)\n", crash_hit(&bed.c),
	         b->who == CRASH_CHILD ? ", of the child" : "",
	         b->spares ? ", alone" : "", text, (unsigned long long)b->seed);
}

static void check_well(unsigned n, const char *more)
{
	if (!w.why[0] && !more)
		return;
	env_keep_dir("CRASH_KEEP", bed.k.dir);
	ck_abort_msg("cycle %u of seed %llu: %s\n  since all was well:\n%s"
	             "  again: make crash CRASH_SEED=%llu CRASH_CYCLES=%u",
	             n, (unsigned long long)batch_seed, more ? more : w.why,
	             story, (unsigned long long)batch_seed, BATCH);
}

/* ---- one run of the broker -------------------------------------------------------- */

/* False: it died of the blow while starting. */
static bool start(unsigned n)
{
	if (crash_bed_start(&bed))
		return true;
	if (crash_bed_end(&bed) != 128 + SIGKILL || bed.c.plan->hits == 0)
		check_well(n, "the broker does not start; see its log");
	return false;
}

static void die(unsigned n, struct blow *b)
{
	struct crash_loss loss;
	char text[96] = "";

	/* It may be dead already; by nothing but a kill. */
	if (bed.k.broker.pid > 0 &&
	    program_stop(&bed.k.broker, SIGKILL) != 128 + SIGKILL)
		check_well(n, "the broker ended by itself; see its log");
	crash_wait_child(&bed.c);
	if (b->loses) {
		loss = crash_lose_power(&bed.c, b->seed);
		snprintf(text, sizeof text,
		         "; power lost: %zu writes, %zu names not synced, %zu "
		         "lost",
		         loss.writes, loss.names, loss.lost);
		sum.losses++;
		sum.lost += loss.lost > 0;
	}
	tell(b, text);
	check_well(n, NULL);
}

static void arm(const struct blow *b)
{
	crash_arm(&bed.c, b->act, CRASH_ALL, b->at);
	bed.c.plan->bytes = b->bytes;
	bed.c.plan->who = b->who;
	bed.c.plan->spares = b->spares;
}

/* True: all was looked at, and is well. */
static bool look(unsigned n)
{
	const bool well = crash_writer_connect(&w, &bed.k.broker) &&
	                  crash_writer_check(&w, &bed.k.broker);

	check_well(n, NULL);
	if (well)
		story[0] = '\0';
	return well;
}

static void run_once(unsigned n, struct blow *b, struct dice *d)
{
	bool alive;

	arm(b);
	alive = start(n);
	sum.at_start += !alive;
	if (alive && look(n)) {
		if (dice_chance(d, 20))
			crash_writer_let_die(&w);
		crash_writer_run(&w, &bed.k.broker, OPS, b->kill_at);
	}
	sum.at_calls += bed.c.plan->hits > 0;
	sum.at_random += bed.c.plan->hits == 0;
	if (bed.c.plan->hits)
		sum.at[bed.c.plan->hit_call % CRASH_CALLS]++;
	sum.in_child += bed.c.plan->hits > 0 && b->who == CRASH_CHILD;
	die(n, b);
}

/* ---- many --------------------------------------------------------------------------- */

/* One in four at random; the others walk through the calls one by one. */
static void choose(struct blow *b, uint32_t walk, struct dice *d)
{
	static const enum crash_act acts[] = { CRASH_KILL_BEFORE,
		                               CRASH_KILL_AFTER, CRASH_TEAR };

	*b = (struct blow){ .act = CRASH_COUNT, .seed = dice(d) };
	b->loses = dice_chance(d, 50);
	b->kill_at = 1 + dice_below(d, OPS);
	if (walk % 4 == 0)
		return;
	b->kill_at = 0;
	b->act = acts[dice_below(d, 3)];
	b->bytes = (uint32_t)dice(d);
	b->at = walk / 4 % RUNNING;
	if (walk % 4 == 1)
		b->at = walk / 4 % STARTING;
	if (walk % 4 == 2 && dice_chance(d, 40)) {
		b->who = CRASH_CHILD;
		b->at = dice_below(d, CHILD);
		b->spares = dice_chance(d, 50);
	}
	if (walk % 4 == 3)
		b->at = dice_below(d, RUNNING);
}

static bool the_dead_are_gone(void *arg)
{
	bool *ok = arg;

	*ok = crash_writer_check(&w, &bed.k.broker);
	return !*ok || crash_writer_dead_are_gone(&w);
}

/* The last start is left alone: the dead must go, a clean stop must keep all. */
static void settle(unsigned n)
{
	struct blow none = { .act = CRASH_COUNT };
	bool ok;

	arm(&none);
	if (!start(n) || !look(n))
		check_well(n, "the broker died by itself");
	crash_writer_let_die(&w);
	if (!wait_for(the_dead_are_gone, &ok, CRASH_MORTAL_MS + WAIT_MS))
		check_well(n, "ephemerals of a dead session stay");
	check_well(n, ok ? NULL : "the broker died by itself");
	ck_assert_int_eq(program_stop(&bed.k.broker, SIGTERM), 0);
	if (!start(n) || !look(n))
		check_well(n, "the broker does not come back from a stop");
}

static void open_all(struct dice *d)
{
	char more[256];

	snprintf(more, sizeof more, conf, 1 + dice_below(d, 2));
	crash_bed_open(&bed, true, false, more);
	story[0] = '\0';
	if (!start(0))
		check_well(0, "the broker does not start");
	crash_writer_open(&w, bed.k.ipc, dice(d));
}

static void close_all(void)
{
	crash_writer_close(&w);
	sum.acks += w.total_acks;
	sum.unknown += w.total_unknown;
	sum.kept += w.total_kept;
	sum.deaths += w.deaths;
	crash_bed_close(&bed);
}

static void batch(uint64_t seed, uint32_t first, uint32_t count)
{
	struct dice d = { seed };
	struct blow b;

	batch_seed = seed;
	open_all(&d);
	crash_writer_connect(&w, &bed.k.broker);
	crash_writer_run(&w, &bed.k.broker, OPS, OPS / 2);
	b = (struct blow){ .loses = true, .seed = dice(&d) };
	die(0, &b);
	for (uint32_t n = 1; n <= count; n++) {
		choose(&b, first + n - 1, &d);
		run_once(n, &b, &d);
	}
	settle(count + 1);
	close_all();
}

/* `make crash` has another seed each time, `make test` the same. */
static uint64_t first_seed(bool many)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return env_number("CRASH_SEED",
	                  many ? (uint32_t)(t.tv_sec ^ t.tv_nsec) % 1000000
	                       : 1);
}

START_TEST(a_broker_killed_at_each_call_and_at_random_loses_nothing)
{
	const uint32_t cycles = env_number("CRASH_CYCLES", BATCH);
	const bool many = getenv("CRASH_CYCLES") != NULL;
	const uint64_t seed = first_seed(many);
	const int64_t from = now_ms();
	uint32_t done = 0, some;

	for (uint64_t i = 0; done < cycles; i++, done += some) {
		some = cycles - done < BATCH ? cycles - done : BATCH;
		if (many)
			printf("seed %llu: %u of %u cycles, %lld s\n",
			       (unsigned long long)(seed + i), done, cycles,
			       (long long)(now_ms() - from) / 1000);
		fflush(stdout);
		batch(seed + i, (uint32_t)(seed + i) * BATCH, some);
	}
	printf("%u cycles: %u killed at a call (%u of them starting, %u in a "
	       "snapshot's child), %u at random; power lost %u times, %u with "
	       "a loss; %u answers, %u requests without one of which %u were "
	       "done; %u sessions left to die; %lld s\n",
	       cycles, sum.at_calls, sum.at_start, sum.in_child, sum.at_random,
	       sum.losses, sum.lost, sum.acks, sum.unknown, sum.kept,
	       sum.deaths, (long long)(now_ms() - from) / 1000);
	printf("killed at");
	for (int i = 0; i < CRASH_CALLS; i++)
		printf(" %s: %u%s", crash_call_word((enum crash_call)i),
		       sum.at[i], i + 1 < CRASH_CALLS ? "," : "\n");
	fflush(stdout);
	/* It cannot be that nothing happened. */
	ck_assert_uint_ge(sum.at_calls + sum.at_random, cycles);
	ck_assert_uint_gt(sum.acks, cycles);
	ck_assert_uint_gt(sum.at_calls, cycles / 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crash");
	TCase *tc = tcase_create("crash");
	SRunner *r;
	int failed;

	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_set_timeout(tc, 280 + env_number("CRASH_CYCLES", 0) * 10);
	tcase_add_test(
		tc, a_broker_killed_at_each_call_and_at_random_loses_nothing);
	suite_add_tcase(suite, tc);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
