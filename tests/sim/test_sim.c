/*
 * test_sim.c - whole clusters in one process, one seed a run.
 *
 *     SIM_SEEDS=2000 test_sim    so many seeds in all (200)
 *     SIM_FROM=501               counted from here in each kind of trouble (1)
 *     SIM_PART=0/2               the first half of them
 *     SIM_SEED=17 test_sim       this seed only, in every kind of trouble
 *     SIM_TRACE=1                every line of the trace as it happens
 *     CK_RUN_CASE=restarts       one kind of trouble (see the cases below)
 *
 * A seed that fails prints itself, what was broken, the last steps, and how to
 * play it again. make sim SEEDS=2000 FROM=501 runs many (many.sh).
 *
 * The checker is tested too: the shell makes a mistake on purpose (plant.c),
 * and the test is that the run fails, saying what is wrong.
 */
#include "sim.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS_DEFAULT 200
#define PLANT_SEEDS 8u
#define REACH_SEEDS 10u

/* ---- kinds of trouble ---- */

static const struct sim_knobs calm = {
	.name = "calm",
	.clients = 5,
	.trouble_ms = 10000,
	.snapshot_every_ms = 2000,
	.pause_max_ms = 20,
	.delay_max_ms = 5,
};

static const struct sim_knobs network = {
	.name = "network",
	.clients = 5,
	.trouble_ms = 25000,
	.snapshot_every_ms = 2000,
	.pause_max_ms = 40,
	.delay_max_ms = 20,
	.fault_every_ms = 150,
	.weight = { [SIM_CUT] = 30,
	            [SIM_HALF_OPEN] = 15,
	            [SIM_ISOLATE] = 8,
	            [SIM_SLOW_NET] = 8 },
};

static const struct sim_knobs stalls = {
	.name = "stalls",
	.clients = 5,
	.trouble_ms = 30000,
	.snapshot_every_ms = 2000,
	.pause_max_ms = 50,
	.delay_max_ms = 10,
	.fault_every_ms = 700,
	.weight = { [SIM_STALL_BROKER] = 30,
	            [SIM_STALL_CLIENT] = 10,
	            [SIM_SLOW_JOURNAL] = 20,
	            [SIM_SLOW_NET] = 5,
	            [SIM_DISK_FULL] = 6,
	            [SIM_DISK_BROKEN] = 6,
	            [SIM_CUT] = 10 },
};

static const struct sim_knobs restarts = {
	.name = "restarts",
	.clients = 5,
	.trouble_ms = 30000,
	.snapshot_every_ms = 2000,
	.pause_max_ms = 50,
	.delay_max_ms = 10,
	.fault_every_ms = 500,
	.weight = { [SIM_KILL] = 8,
	            [SIM_POWER] = 8,
	            [SIM_DOOM] = 10,
	            [SIM_DISK_FULL] = 4,
	            [SIM_DISK_BROKEN] = 4,
	            [SIM_DISK_LIES] = 4,
	            [SIM_SLOW_JOURNAL] = 10,
	            [SIM_CUT] = 10 },
};

static const struct sim_knobs losses = {
	.name = "losses",
	.clients = 5,
	.trouble_ms = 30000,
	.snapshot_every_ms = 2000,
	.pause_max_ms = 50,
	.delay_max_ms = 10,
	.fault_every_ms = 800,
	.weight = { [SIM_WIPE] = 20,
	            [SIM_KILL] = 5,
	            [SIM_POWER] = 5,
	            [SIM_SLOW_NET] = 5,
	            [SIM_CUT] = 10 },
};

static const struct sim_knobs everything = {
	.name = "everything",
	.clients = 8,
	.trouble_ms = 30000,
	.snapshot_every_ms = 2000,
	.pause_max_ms = 60,
	.delay_max_ms = 25,
	.fault_every_ms = 250,
	.weight = { [SIM_CUT] = 20,
	            [SIM_HALF_OPEN] = 10,
	            [SIM_ISOLATE] = 6,
	            [SIM_SLOW_NET] = 6,
	            [SIM_STALL_BROKER] = 6,
	            [SIM_STALL_CLIENT] = 8,
	            [SIM_SLOW_JOURNAL] = 6,
	            [SIM_DISK_FULL] = 3,
	            [SIM_DISK_BROKEN] = 3,
	            [SIM_DISK_LIES] = 2,
	            [SIM_KILL] = 2,
	            [SIM_POWER] = 2,
	            [SIM_DOOM] = 2,
	            [SIM_WIPE] = 1 },
};

/* ---- one seed ---- */

static void on_abort(int signal)
{
	(void)signal;
	if (sim_running)
		sim_dump(sim_running, stderr);
}

static struct sim *sim_alloc(void)
{
	struct sim *s = malloc(sizeof *s);

	ck_assert_ptr_nonnull(s);
	signal(SIGABRT, on_abort);
	return s;
}

static uint64_t seed_of(int number)
{
	const char *one = getenv("SIM_SEED");

	return one ? (uint64_t)strtoull(one, NULL, 10) : (uint64_t)number;
}

static void run(const struct sim_knobs *knobs, int number)
{
	struct sim *s = sim_alloc();
	bool good = sim_run(s, knobs, seed_of(number));
	char failure[sizeof s->world.failure];

	memcpy(failure, s->world.failure, sizeof failure);
	if (!good)
		sim_dump(s, stderr);
	sim_fini(s);
	free(s);
	ck_assert_msg(good, "seed %llu: %s",
	              (unsigned long long)seed_of(number), failure);
}

START_TEST(every_promise_is_kept_while_nothing_goes_wrong)
{
	run(&calm, _i);
}
END_TEST

START_TEST(every_promise_is_kept_over_lost_and_half_open_links)
{
	run(&network, _i);
}
END_TEST

START_TEST(every_promise_is_kept_over_stalls_and_a_slow_or_failing_journal)
{
	run(&stalls, _i);
}
END_TEST

START_TEST(every_promise_is_kept_over_restarts_with_the_journal_kept)
{
	run(&restarts, _i);
}
END_TEST

START_TEST(every_promise_is_kept_over_restarts_with_an_empty_tree)
{
	run(&losses, _i);
}
END_TEST

START_TEST(every_promise_is_kept_when_all_of_it_goes_wrong_at_once)
{
	run(&everything, _i);
}
END_TEST

/* ---- the simulation itself ---- */

static uint64_t fingerprint(uint64_t seed)
{
	struct sim *s = sim_alloc();
	uint64_t print;

	sim_run(s, &everything, seed);
	print = s->world.fingerprint;
	sim_fini(s);
	free(s);
	return print;
}

START_TEST(the_same_seed_makes_the_same_run_and_another_one_another)
{
	ck_assert_uint_eq(fingerprint(1), fingerprint(1));
	ck_assert_uint_ne(fingerprint(1), fingerprint(2));
}
END_TEST

START_TEST(the_runs_reach_what_they_are_about)
{
	struct world_counts sum = { 0 };
	uint64_t *to = (uint64_t *)&sum;

	for (uint64_t seed = 1; seed <= REACH_SEEDS; seed++) {
		struct sim *s = sim_alloc();
		const uint64_t *from = (const uint64_t *)&s->world.counts;

		sim_run(s, &everything, seed);
		for (size_t i = 0; i < sizeof sum / sizeof *to; i++)
			to[i] += from[i];
		sim_fini(s);
		free(s);
	}
	ck_assert_uint_gt(sum.replies, 1000 * REACH_SEEDS);
	ck_assert_uint_gt(sum.events, 200 * REACH_SEEDS);
	ck_assert_uint_gt(sum.failed, 100 * REACH_SEEDS);
	ck_assert_uint_gt(sum.lost, 50 * REACH_SEEDS);
	ck_assert_uint_gt(sum.resumed, 8 * REACH_SEEDS);
	ck_assert_uint_gt(sum.caught_up, 5 * REACH_SEEDS);
	ck_assert_uint_gt(sum.expired, REACH_SEEDS);
	ck_assert_uint_gt(sum.stalls, REACH_SEEDS);
	ck_assert_uint_gt(sum.crashes, REACH_SEEDS);
	ck_assert_uint_gt(sum.refused, REACH_SEEDS);
	ck_assert_uint_gt(sum.snapshots, 5 * REACH_SEEDS);
	ck_assert_uint_gt(sum.returned, REACH_SEEDS);
	ck_assert_uint_gt(sum.changes, 500 * REACH_SEEDS);
	ck_assert_uint_gt(sum.went_on, 10 * REACH_SEEDS);
	ck_assert_uint_gt(sum.went_on_anew, REACH_SEEDS);
	ck_assert_uint_gt(sum.gaps, REACH_SEEDS);
}
END_TEST

/* Which mistake, in what trouble, and words of the sentence that must come. */
static const struct plant_row {
	enum sim_plant plant;
	const struct sim_knobs *knobs;
	const char *says;
} plants[] = {
	{ SIM_PLANT_DROP_EVENT, &calm, "was not told of event" },
	{ SIM_PLANT_DOUBLE_EVENT, &calm, "has not happened or is past" },
	{ SIM_PLANT_REPLY_FIRST, &calm, "before a reply" },
	{ SIM_PLANT_SWAP_REPLIES, &calm, "lost its link" },
	{ SIM_PLANT_STALE_READ, &calm, "which was not so" },
	{ SIM_PLANT_DROP_PINGS, &calm, "after it was heard of" },
	{ SIM_PLANT_NO_TICK, &network, "lives, silent for" },
	{ SIM_PLANT_LOSE_WRITES, &restarts, "does not start" },
	{ SIM_PLANT_DROP_CHANGE, &calm, "was not told of change" },
	{ SIM_PLANT_DOUBLE_CHANGE, &calm, "is behind" },
	{ SIM_PLANT_SPOIL_CHANGE, &calm, "was not so" },
};

START_TEST(a_planted_mistake_is_noticed)
{
	const struct plant_row *row = &plants[_i];
	struct sim_knobs knobs = *row->knobs;
	bool noticed = false;

	knobs.plant = row->plant;
	for (uint64_t seed = 1; seed <= PLANT_SEEDS && !noticed; seed++) {
		struct sim *s = sim_alloc();

		noticed = !sim_run(s, &knobs, seed) &&
		          strstr(s->world.failure, row->says);
		if (!noticed)
			sim_dump(s, stderr);
		sim_fini(s);
		free(s);
	}
	ck_assert_msg(noticed, "nobody said \"%s\"", row->says);
}
END_TEST

/* ---- all of it ---- */

static const struct {
	const char *name;
	const TTest **test;
	int share; /* of 20 seeds */
} cases[] = {
	{ "calm", &every_promise_is_kept_while_nothing_goes_wrong, 2 },
	{ "network", &every_promise_is_kept_over_lost_and_half_open_links, 4 },
	{ "stalls",
	  &every_promise_is_kept_over_stalls_and_a_slow_or_failing_journal, 4 },
	{ "restarts",
	  &every_promise_is_kept_over_restarts_with_the_journal_kept, 3 },
	{ "losses", &every_promise_is_kept_over_restarts_with_an_empty_tree,
	  3 },
	{ "everything",
	  &every_promise_is_kept_when_all_of_it_goes_wrong_at_once, 4 },
};

static int from_env(const char *name, int otherwise)
{
	const char *text = getenv(name);

	return text ? atoi(text) : otherwise;
}

/* Of this case's share of the seeds, those of this process. */
static void range(int share, int *from, int *until)
{
	const char *part = getenv("SIM_PART");
	int count = from_env("SIM_SEEDS", SEEDS_DEFAULT) * share / 20;
	int first = from_env("SIM_FROM", 1), k = 0, of = 1;

	if (part && (sscanf(part, "%d/%d", &k, &of) != 2 || k < 0 || k >= of)) {
		k = 0;
		of = 1;
	}
	if (getenv("SIM_SEED") || count < 1)
		count = 1;
	*from = first + count * k / of;
	*until = first + count * (k + 1) / of;
}

int main(void)
{
	Suite *suite = suite_create("sim");
	SRunner *runner = srunner_create(suite);
	TCase *t = tcase_create("checker");
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_test(
		t, the_same_seed_makes_the_same_run_and_another_one_another);
	tcase_add_test(t, the_runs_reach_what_they_are_about);
	tcase_add_loop_test(t, a_planted_mistake_is_noticed, 0,
	                    (int)(sizeof plants / sizeof plants[0]));
	if (!getenv("SIM_PART"))
		suite_add_tcase(suite, t);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int from, until;

		range(cases[i].share, &from, &until);
		t = tcase_create(cases[i].name);
		tcase_set_timeout(t, 120);
		tcase_add_loop_test(t, *cases[i].test, from, until);
		suite_add_tcase(suite, t);
	}
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
