/* More than the disk, the readers or the network can take: the broker's memory
 * stays bounded, and everybody else is served. */
#include "crash_bed.h"
#include "crowd.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MIB (1024l * 1024)

static struct crash_bed bed;

/* VmRSS of the broker, in bytes. */
static long rss(void)
{
	char path[64], *text, *at;
	long kib;

	snprintf(path, sizeof path, "/proc/%d/status", (int)bed.k.broker.pid);
	text = file_read(path, NULL);
	ck_assert_ptr_nonnull(text);
	at = strstr(text, "VmRSS:");
	kib = at ? atol(at + strlen("VmRSS:")) : 0;
	free(text);
	return kib * 1024;
}

static void start(const char *more)
{
	/* Built with ASan, the broker would keep what it frees. */
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0:quarantine_size_mb=1",
	       0);
	crash_bed_open(&bed, false, true, more);
	crash_arm(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
	ck_assert(crash_bed_start(&bed));
}

/* ---- a writer faster than the disk ---------------------------------------------------- */

#define WRITERS 8u
#define VALUE (100u * 1024)
#define WAITING_MAX (8 * MIB)
#define FLOOD_MS 4000

/* What may wait, as requests and as commands; the buffers of the links; and what
 * the allocator does not give back. */
#define FLOOD_ROOM (4 * WAITING_MAX + 64 * MIB)

START_TEST(a_writer_faster_than_the_disk_is_held_back)
{
	static char value[VALUE];
	struct crowd c;
	char path[16];
	long before, most = 0;
	int64_t until;
	uint64_t asked = 0;

	start("waiting_max = 8388608;\nsnapshot_interval_s = 0;\n");
	crowd_open(&c, bed.port, WRITERS + 1, 20000);
	ck_assert_uint_eq(crowd_up(&c, WAIT_MS), WRITERS + 1);
	for (size_t i = 0; i <= WRITERS; i++) {
		snprintf(path, sizeof path, "/n%zu", i);
		crowd_create(&c, i, path, 0);
	}
	ck_assert(crowd_settle(&c, WAIT_MS));
	before = rss();
	bed.c.plan->sync_delay_us = 200000;
	until = now_ms() + FLOOD_MS;
	while (now_ms() < until) {
		for (size_t i = 0; i < WRITERS; i++) {
			snprintf(path, sizeof path, "/n%zu", i);
			for (; c.one[i].out.len < VALUE; asked++)
				crowd_set(&c, i, path, value, VALUE);
		}
		/* Somebody else reads meanwhile. */
		if (crowd_waits(&c.one[WRITERS]) == 0)
			crowd_get(&c, WRITERS, "/n0");
		crowd_turn(&c, 5);
		if (rss() > most)
			most = rss();
	}
	printf("asked for %llu MiB in %d ms with 200 ms a sync: %ld MiB more "
	       "than before, %u reads meanwhile\n",
	       (unsigned long long)(asked * VALUE / MIB), FLOOD_MS,
	       (most - before) / MIB, c.one[WRITERS].answers);
	ck_assert_int_le(most - before, FLOOD_ROOM);
	ck_assert_uint_gt(c.one[WRITERS].answers, 1);
	/* All is answered in the end, and it serves on. */
	bed.c.plan->sync_delay_us = 0;
	ck_assert(crowd_settle(&c, 3 * WAIT_MS));
	ck_assert_uint_eq(crowd_count_up(&c), WRITERS + 1);
	crowd_close(&c);
	crash_bed_close(&bed);
}
END_TEST

/* ---- readers that do not read ------------------------------------------------------------ */

#define SUBSCRIBERS 1000u
#define DEAF 100u
#define SETS 200u
#define LONG_NAME 900u
#define BIG (900u * 1024)
#define BIGS 8u /* asked for by each: more than the kernel takes */
#define OUTBOX_MAX (256 * 1024l)
/* For each of the deaf one answer that may be larger than an outbox, and that;
 * and what is on its way. */
#define DEAF_ROOM (DEAF * (BIG + OUTBOX_MAX) + 64 * MIB)

static struct crowd crowd;
static long rss_before, rss_most;

static void look_at_memory(void)
{
	const long now = rss();

	if (now > rss_most)
		rss_most = now;
}

static size_t heard_of(uint32_t events)
{
	size_t n = 0;

	for (size_t i = DEAF; i < SUBSCRIBERS; i++)
		n += crowd.one[i].events >= events;
	return n;
}

/* The broker says it itself: a socket that reads nothing does not see its end. */
static bool deaf_are_ended(void)
{
	char text[64];

	program_signal(&bed.k.broker, SIGUSR1);
	snprintf(text, sizeof text, "tcp_links=%u ", SUBSCRIBERS - DEAF + 1);
	return file_has(bed.k.log, text);
}

/* The first DEAF never read again once they are greeted. */
static void come_all(void)
{
	const int64_t until = now_ms() + WAIT_MS;

	crowd_open(&crowd, bed.port, SUBSCRIBERS + 1, 40000);
	for (size_t i = 0; i < crowd.count; i++)
		crowd_dial(&crowd, i, i < DEAF ? 4096 : 0);
	while (crowd_count_up(&crowd) < crowd.count && now_ms() < until)
		crowd_turn(&crowd, 20);
	ck_assert_uint_eq(crowd_count_up(&crowd), crowd.count);
}

static void set_them_all_off(const char *path, size_t writer)
{
	for (uint32_t sets = 0;
	     sets < SETS || crowd_waits(&crowd.one[writer]);) {
		if (sets < SETS && crowd_waits(&crowd.one[writer]) < 4) {
			crowd_set(&crowd, writer, path, "x", 1);
			sets++;
			look_at_memory();
		}
		crowd_turn(&crowd, 1);
	}
}

START_TEST(subscribers_that_never_read_cost_little_and_harm_nobody)
{
	static char big[BIG];
	const size_t writer = SUBSCRIBERS;
	char path[LONG_NAME + 2] = "/";
	int64_t until;

	memset(path + 1, 'n', LONG_NAME);
	start("outbox_max = 262144;\nsnapshot_interval_s = 0;\n");
	come_all();
	crowd_create(&crowd, writer, path, 0);
	crowd_create(&crowd, writer, "/big", 0);
	crowd_set(&crowd, writer, "/big", big, sizeof big);
	for (size_t i = 0; i < SUBSCRIBERS; i++)
		crowd_watch(&crowd, i, path);
	ck_assert(crowd_settle(&crowd, WAIT_MS));
	rss_before = rss();
	for (size_t i = 0; i < DEAF; i++)
		for (unsigned k = 0; k < BIGS; k++)
			crowd_get(&crowd, i, "/big");
	set_them_all_off(path, writer);
	until = now_ms() + 3 * WAIT_MS;
	while ((heard_of(SETS) < SUBSCRIBERS - DEAF || !deaf_are_ended()) &&
	       now_ms() < until) {
		crowd_turn(&crowd, 50);
		look_at_memory();
	}
	printf("%u events to %u subscribers, %u of them deaf: "
	       "%ld MiB more\n",
	       SETS, SUBSCRIBERS, DEAF, (rss_most - rss_before) / MIB);
	ck_assert_uint_eq(heard_of(SETS), SUBSCRIBERS - DEAF);
	ck_assert(deaf_are_ended());
	ck_assert_int_le(rss_most - rss_before, DEAF_ROOM);
	crowd_close(&crowd);
	crash_bed_close(&bed);
}
END_TEST

/* ---- everybody at once --------------------------------------------------------------------- */

#define EVERYBODY 10000u
#define FDS_BESIDES 200u
#define SESSION_ROOM (16 * 1024l) /* with its link */

/* So many as there are descriptors for, here and there. */
static size_t as_many_as_can_be(void)
{
	struct rlimit r;
	size_t can;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	can = r.rlim_cur > FDS_BESIDES ? (size_t)r.rlim_cur - FDS_BESIDES : 0;
	if (can >= EVERYBODY)
		return EVERYBODY;
	printf("SKIPPED: everybody_comes_at_once: only %zu of %u sessions, for "
	       "a process may have %llu descriptors here\n",
	       can, EVERYBODY, (unsigned long long)r.rlim_cur);
	return can;
}

START_TEST(everybody_comes_at_once)
{
	const size_t count = as_many_as_can_be();
	struct crowd c;
	int64_t from;
	long before, after;

	start("links_max = 11000;\nsessions_max = 11000;\n"
	      "snapshot_interval_s = 0;\n");
	before = rss();
	crowd_open(&c, bed.port, count, 60000);
	from = now_ms();
	ck_assert_uint_eq(crowd_up(&c, 3 * WAIT_MS), count);
	after = rss();
	printf("%zu sessions at once: up after %lld ms, %ld MiB more\n", count,
	       (long long)(now_ms() - from), (after - before) / MIB);
	ck_assert_int_le(after - before, (long)count * SESSION_ROOM + 32 * MIB);
	crowd_create(&c, 0, "/served", 0);
	crowd_get(&c, count - 1, "/");
	ck_assert(crowd_settle(&c, WAIT_MS));
	ck_assert_int_eq(c.one[0].err, 0);
	ck_assert_int_eq(c.one[count - 1].err, 0);
	crowd_close(&c);
	crash_bed_close(&bed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pressure");
	TCase *tc = tcase_create("pressure");
	SRunner *r;
	int failed;

	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_set_timeout(tc, 200);
	tcase_add_test(tc, a_writer_faster_than_the_disk_is_held_back);
	tcase_add_test(tc,
	               subscribers_that_never_read_cost_little_and_harm_nobody);
	tcase_add_test(tc, everybody_comes_at_once);
	suite_add_tcase(suite, tc);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
