/* A broker that stands still, or is killed, expires nobody who is well; and whoever
 * is not, soon. */
#include "crash_bed.h"
#include "crowd.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SESSIONS 1000u
#define TIMEOUT_MS 2000u
#define PING_MS (TIMEOUT_MS / 4)
#define STALL_MS (3 * TIMEOUT_MS)
/* Nobody may say that a session died early when it was this test that was late
 * with its pings: then the test is no test, and is made again. */
#define LATE_MS (TIMEOUT_MS / 2)
#define TRIES 5

static struct crash_bed bed;
static struct crowd crowd;
static int64_t pinged_ms;
static bool was_late;

static void check_up(size_t count)
{
	ck_assert_msg(count == SESSIONS, "only %zu of %u are up", count,
	              SESSIONS);
}

static void ephemeral_of(size_t i, char out[32])
{
	snprintf(out, 32, "/e%zu", i);
}

/* Each with an ephemeral of its own. */
static void open_all(void)
{
	char path[32];

	crash_bed_open(&bed, false, true, "snapshot_interval_s = 0;\n");
	crash_arm(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
	ck_assert(crash_bed_start(&bed));
	crowd_open(&crowd, bed.port, SESSIONS, TIMEOUT_MS);
	check_up(crowd_up(&crowd, WAIT_MS));
	for (size_t i = 0; i < SESSIONS; i++) {
		ephemeral_of(i, path);
		crowd_create(&crowd, i, path, 1);
	}
	ck_assert(crowd_settle(&crowd, WAIT_MS));
	pinged_ms = now_ms();
	was_late = false;
}

static void close_all(void)
{
	crowd_close(&crowd);
	crash_bed_close(&bed);
}

static void ping_if_due(void)
{
	if (now_ms() - pinged_ms < PING_MS)
		return;
	was_late |= now_ms() - pinged_ms > LATE_MS;
	pinged_ms = now_ms();
	for (size_t i = 0; i < SESSIONS; i++)
		crowd_ping(&crowd, i);
}

/* Everybody who has a connection is heard of every PING_MS. */
static void live(int64_t until)
{
	while (now_ms() < until) {
		ping_if_due();
		crowd_turn(&crowd, 20);
	}
}

static bool is_there(size_t i)
{
	char path[32];

	ephemeral_of(i, path);
	crowd_get(&crowd, 0, path);
	ck_assert(crowd_settle(&crowd, WAIT_MS));
	return crowd.one[0].err == 0;
}

/* All live on meanwhile: a thousand questions may take longer than a timeout.
 * It is no answer if was_late is set then. */
static size_t count_there(void)
{
	size_t n = 0;

	for (size_t i = 0; i < SESSIONS; i++) {
		ping_if_due();
		n += is_there(i);
	}
	return n;
}

/* One dies as the broker stops; the others send on into its sockets. */
static bool stall_once(void)
{
	const size_t dead = SESSIONS - 1;
	int64_t died, stalled, found;
	size_t there;

	open_all();
	live(now_ms() + PING_MS);
	crowd_drop(&crowd, dead);
	died = now_ms();
	program_signal(&bed.k.broker, SIGSTOP);
	live(died + STALL_MS);
	program_signal(&bed.k.broker, SIGCONT);
	stalled = now_ms() - died;
	for (int64_t until = now_ms() + WAIT_MS; is_there(dead);) {
		live(now_ms() + 20);
		ck_assert_int_lt(now_ms(), until);
	}
	found = now_ms() - died;
	live(now_ms() + 2 * TIMEOUT_MS);
	there = count_there();
	if (was_late) {
		close_all();
		return false;
	}
	ck_assert_uint_eq(there, SESSIONS - 1);
	check_up(crowd_count_up(&crowd) + 1);
	printf("stalled for %lld ms: 0 of %u expired; the dead one found after "
	       "%lld ms (timeout %u)\n",
	       (long long)stalled, SESSIONS - 1, (long long)found, TIMEOUT_MS);
	close_all();
	return true;
}

START_TEST(a_stalled_broker_expires_the_dead_and_nobody_else)
{
	for (int i = 0; i < TRIES; i++)
		if (stall_once())
			return;
	printf("SKIPPED: a_stalled_broker_expires_the_dead_and_nobody_else: "
	       "this machine does not let the test ping in time\n");
}
END_TEST

/* The last is heard of, the broker is killed, and starts when the timeouts are
 * nearly over: all have a full one again. */
START_TEST(rule87_sessions_have_a_full_timeout_after_a_restart)
{
	size_t back = 0, i;
	int64_t started;

	open_all();
	live(now_ms() + PING_MS);
	ck_assert_int_eq(program_stop(&bed.k.broker, SIGKILL), 128 + SIGKILL);
	crowd_turn(&crowd, 0);
	for (i = 0; i < SESSIONS; i++)
		crowd_drop(&crowd, i);
	/* The old timeouts pass while nobody is there to keep them. */
	for (int64_t until = now_ms() + 2 * TIMEOUT_MS; now_ms() < until;)
		crowd_turn(&crowd, 50);
	ck_assert(crash_bed_start(&bed));
	started = now_ms();
	for (i = 0; i < SESSIONS / 2; i++)
		crowd_dial(&crowd, i, 0);
	while (back < SESSIONS / 2 && now_ms() < started + WAIT_MS) {
		crowd_turn(&crowd, 20);
		for (i = 0, back = 0; i < SESSIONS / 2; i++)
			back += crowd.one[i].up || crowd.one[i].refused;
	}
	if (now_ms() - started > LATE_MS)
		printf("SKIPPED: rule87_sessions_have_a_full_timeout_after_a_"
		       "restart: %lld ms to dial\n",
		       (long long)(now_ms() - started));
	else
		ck_assert_uint_eq(crowd_count_up(&crowd), SESSIONS / 2);
	/* Whoever is up was heard of since then. */
	pinged_ms = started;
	/* Those who do not come back are found. */
	for (int64_t until = now_ms() + WAIT_MS; is_there(SESSIONS - 1);) {
		live(now_ms() + 20);
		ck_assert_int_lt(now_ms(), until);
	}
	live(now_ms() + TIMEOUT_MS);
	back = count_there();
	if (!was_late)
		ck_assert_uint_eq(back, SESSIONS / 2);
	close_all();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stall");
	TCase *tc = tcase_create("stall");
	SRunner *r;
	int failed;

	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_set_timeout(tc, 240);
	tcase_add_test(tc, a_stalled_broker_expires_the_dead_and_nobody_else);
	tcase_add_test(tc, rule87_sessions_have_a_full_timeout_after_a_restart);
	suite_add_tcase(suite, tc);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
