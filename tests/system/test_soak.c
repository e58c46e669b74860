/*
 * Subscriptions without a gap, of the programs as they are: connections cut at
 * random, broker, worker, supervisor and runner killed with -9, under writers with
 * a journal of their own; and at the end every change was told, once, in order, or
 * it was said that some are missing.
 *
 * SOAK_CUTS=N   how many disconnects (100)
 * SOAK_KILLS=N  how many kills (12)
 * SOAK_SEED=N   what is written, cut and killed, but for the time it takes
 * SOAK_KEEP=DIR where the records go when something is wrong
 */
#include "soak_bed.h"
#include "soak_link.h"
#include "soak_writer.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

#define CUTS 100u
#define KILLS 12u
#define PAUSE_US 30000u
#define SETTLE_MS 120000u
/* Cuts and kills of one test: Check counts its microseconds in 31 bits, and a storm
 * may be longer. So it is several, in one process. */
#define PIECE 1000u

static struct soak_bed bed;
static struct soak_writer writer;
static struct soak_journal *journal;
static struct soak_found found[SOAK_AGENTS][SOAK_INSTANCES];
static uint64_t seed;
static uint32_t cuts, kills;
static int64_t began_ms;
static bool many, in_order; /* all tests up to here have come to their end */

/* `make soak` has another seed each time, `make test` the same. */
static uint64_t a_seed(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return env_number("SOAK_SEED",
	                  many ? (uint32_t)(t.tv_sec ^ t.tv_nsec) % 1000000
	                       : 1);
}

/* ---- a storm ---- */

static void tell_progress(void)
{
	if (!many || (bed.cuts + bed.kills) % 100)
		return;
	printf("seed %llu: %u of %u cuts, %u of %u kills, %lld s\n",
	       (unsigned long long)seed, bed.cuts, cuts, bed.kills, kills,
	       (long long)(now_ms() - began_ms) / 1000);
	fflush(stdout);
}

static void storm(uint32_t count)
{
	while (count-- > 0 && (bed.cuts < cuts || bed.kills < kills) &&
	       !atomic_load(&writer.stop)) {
		uint32_t left = cuts - bed.cuts + kills - bed.kills;

		if (dice_below(&bed.dice, left) < kills - bed.kills)
			soak_bed_kill(&bed);
		else
			ck_assert_msg(soak_bed_cut(&bed),
			              "seed %llu: no agent comes back",
			              (unsigned long long)seed);
		tell_progress();
	}
}

/* ---- what came of it ---- */

/* Does the tree hold what the journal says? Else the test itself is wrong. */
static void check_journal(struct soak_journal *j)
{
	struct soak_link l;
	struct mu_stat stat;

	soak_link_open(&l, bed.c.ipc, 10000);
	for (struct soak_strand *s = soak_journal_all(j); s; s = s->next) {
		bool there = soak_entry_is_there(&s->entry[s->count - 1]);

		if (s->children)
			continue;
		ck_assert_msg((soak_link_look(&l, s->path, &stat) == 0) ==
		                      there,
		              "the writers do not know how %s stands", s->path);
	}
	soak_link_close(&l);
}

static void add(struct soak_found *sum, const struct soak_found *f)
{
	for (int i = 0; i < SOAK_FAULTS; i++)
		sum->fault[i] += f->fault[i];
	sum->lives += f->lives;
	sum->events += f->events;
	sum->present += f->present;
	sum->again += f->again;
	sum->gaps += f->gaps;
	sum->in_gaps += f->in_gaps;
	sum->counted += f->counted;
	sum->overflows += f->overflows;
	sum->unread += f->unread;
}

static void tell_faults(const struct soak_found *f, int agent, int instance)
{
	printf("agent%d, %s:", agent, soak_instance_name[instance]);
	for (int i = 0; i < SOAK_FAULTS; i++)
		printf(" %s %u", soak_fault_word((enum soak_fault)i),
		       f->fault[i]);
	printf("\n");
	for (unsigned i = 0; i < f->whys; i++)
		printf("    %s\n", f->why[i]);
}

static void check_record(int agent, int instance)
{
	struct soak_found *f = &found[agent][instance];
	char *text = file_read(soak_bed_record(&bed, agent, instance), NULL);

	ck_assert_ptr_nonnull(text);
	soak_check(journal, text, &soak_instance_scope[instance], f);
	free(text);
}

/* No record can be mended by what comes still, if anything does. A queue that
 * overflowed tells the newest of a path early: the last change of one is not the
 * last that there is to be told. */
static bool all_is_told(void *arg)
{
	bool all = true;

	(void)arg;
	for (int i = 0; i < SOAK_AGENTS; i++)
		for (int k = 0; k < SOAK_INSTANCES; k++) {
			if (soak_is_unfinished(&found[i][k]))
				check_record(i, k);
			all = all && !soak_is_unfinished(&found[i][k]);
		}
	return all;
}

static void check_records(struct soak_found *sum)
{
	for (int i = 0; i < SOAK_AGENTS; i++)
		for (int k = 0; k < SOAK_INSTANCES; k++)
			check_record(i, k);
	wait_for(all_is_told, NULL, SETTLE_MS);
	for (int i = 0; i < SOAK_AGENTS; i++)
		for (int k = 0; k < SOAK_INSTANCES; k++) {
			if (!soak_is_well(&found[i][k]))
				tell_faults(&found[i][k], i, k);
			add(sum, &found[i][k]);
		}
}

static void tell_sum(const struct soak_found *f, const struct soak_journal *j)
{
	struct soak_thread w = soak_writer_sum(&writer);

	printf("    %u cuts; kills of broker %u, runner %u, worker %u, "
	       "supervisor %u; %u times a small change log\n",
	       bed.cuts, bed.killed[SOAK_BROKER], bed.killed[SOAK_RUNNER],
	       bed.killed[SOAK_WORKER], bed.killed[SOAK_SUPERVISOR],
	       bed.small_logs);
	printf("    %u writes (%u multis), %u answers lost of which %u were "
	       "done, %u ephemerals, %u stays of members: %zu changes\n",
	       w.writes, w.multis, w.lost_answers, w.lost_done, w.ephemerals,
	       w.stays, soak_journal_count(j));
	printf("    %u events in %u lives of runners, %u present, %u came "
	       "again; %u gaps told with %u changes in them, %u changes in "
	       "counts, %u overflows, %u gone before they were read; %lld s\n",
	       f->events, f->lives, f->present, f->again, f->gaps, f->in_gaps,
	       f->counted, f->overflows, f->unread,
	       (long long)(now_ms() - began_ms) / 1000);
	fflush(stdout);
}

START_TEST(it_begins)
{
	ONLY_NATIVE("a ZooKeeper has no subscriptions");
	printf("    seed %llu\n", (unsigned long long)seed);
	began_ms = now_ms();
	journal = soak_journal_new();
	soak_bed_open(&bed, seed);
	soak_writer_open(&writer, journal, bed.c.ipc, seed, PAUSE_US);
	soak_bed_start_agents(&bed);
	soak_writer_start(&writer);
	in_order = true;
}
END_TEST

START_TEST(whoever_is_cut_or_killed_comes_back)
{
	bool is_due = in_order;

	in_order = false;
	if (is_due)
		storm(PIECE);
	in_order = is_due;
}
END_TEST

START_TEST(no_change_is_lost_doubled_or_out_of_order_whatever_is_cut_or_killed)
{
	struct soak_found sum = { .lives = 0 };

	if (!in_order)
		return; /* and one before this has failed, or all are skipped */
	soak_writer_stop(&writer);
	ck_assert_msg(!writer.why[0], "seed %llu: %s", (unsigned long long)seed,
	              writer.why);
	ck_assert_uint_eq(bed.cuts, cuts);
	ck_assert_uint_eq(bed.kills, kills);
	check_journal(journal);
	check_records(&sum);
	tell_sum(&sum, journal);
	if (!soak_is_well(&sum))
		env_keep_dir("SOAK_KEEP", bed.c.dir);
	ck_assert_msg(soak_is_well(&sum),
	              "again: make soak SOAK_SEED=%llu SOAK_CUTS=%u "
	              "SOAK_KILLS=%u",
	              (unsigned long long)seed, cuts, kills);
	/* It cannot be that nothing happened. */
	ck_assert_uint_gt(sum.events, cuts);
	ck_assert_uint_ge(sum.lives, SOAK_AGENTS * SOAK_INSTANCES + kills / 2);
	soak_bed_close(&bed);
	soak_journal_free(journal);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("soak");
	TCase *tc = tcase_create("soak");
	SRunner *sr;
	int failed, pieces;

	many = getenv("SOAK_CUTS") != NULL;
	cuts = env_number("SOAK_CUTS", CUTS);
	kills = env_number("SOAK_KILLS", KILLS);
	seed = a_seed();
	pieces = (int)((cuts + kills + PIECE - 1) / PIECE);
	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_add_test(tc, it_begins);
	tcase_add_loop_test(tc, whoever_is_cut_or_killed_comes_back, 0, pieces);
	tcase_add_test(
		tc,
		no_change_is_lost_doubled_or_out_of_order_whatever_is_cut_or_killed);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_set_fork_status(sr, CK_NOFORK);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
