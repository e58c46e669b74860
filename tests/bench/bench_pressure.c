/*
 * bench_pressure.c - how long a bystander waits for a read while others ask for
 * more than the broker can give: idle, behind a writer faster than the disk, beside
 * 1,000 subscribers of which 100 never read, and while 10,000 sessions connect.
 *
 * The bystander is a process of its own, so that what it sees is the broker and
 * the machine, and not this program. crash_shim.so makes the disk slow.
 */
#include "crash_bed.h"
#include "crowd.h"
#include "measure.h"
#include "raw_tcp.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAMPLES 200000u
#define EVERY_US 500 /* between two reads of the bystander */
#define PART_MS 5000
#define WRITERS 8u
#define VALUE (100u * 1024)
#define SUBSCRIBERS 1000u
#define DEAF 100u
#define SETS_A_SECOND 50
#define EVERYBODY 10000u

/* Written by the bystander, read here. */
struct watchman {
	volatile size_t count;
	volatile int stop;
	int64_t ns[SAMPLES];
};

static struct crash_bed bed;
static struct watchman *man;
static double idle_p99;

static void stand_by(void)
{
	struct raw r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	raw_session(&r, bed.port, 60000);
	while (!man->stop && man->count < SAMPLES) {
		const int64_t from = now_ns();

		if (raw_get(&r, "/", false))
			_exit(1);
		man->ns[man->count] = now_ns() - from;
		man->count++;
		usleep(EVERY_US);
	}
	_exit(0);
}

static pid_t watch(void)
{
	pid_t pid;

	man->count = 0;
	man->stop = 0;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		stand_by();
	while (man->count == 0)
		poll(NULL, 0, 1);
	return pid;
}

static void report(pid_t pid, const char *what)
{
	int status;

	man->stop = 1;
	if (waitpid(pid, &status, 0) != pid || status)
		stop("the bystander was not served");
	qsort(man->ns, man->count, sizeof man->ns[0], order);
	if (idle_p99 <= 0)
		idle_p99 = part(man->ns, man->count, 0.99);
	printf("  %-44s %7zu %9.0f %9.0f %9.0f %8.1f\n", what, man->count,
	       part(man->ns, man->count, 0.5) / 1e3,
	       part(man->ns, man->count, 0.99) / 1e3,
	       part(man->ns, man->count, 1) / 1e3,
	       part(man->ns, man->count, 0.99) / idle_p99);
	fflush(stdout);
}

static void idle(void)
{
	pid_t pid = watch();

	poll(NULL, 0, PART_MS);
	report(pid, "idle");
}

static void slow_disk(void)
{
	static char value[VALUE];
	const int64_t until = now_ms() + PART_MS;
	char path[16];
	struct crowd c;
	pid_t pid;

	crowd_open(&c, bed.port, WRITERS, 60000);
	if (crowd_up(&c, WAIT_MS) < WRITERS)
		stop("the writers do not come up");
	for (size_t i = 0; i < WRITERS; i++) {
		snprintf(path, sizeof path, "/w%zu", i);
		crowd_create(&c, i, path, 0);
	}
	crowd_settle(&c, WAIT_MS);
	bed.c.plan->sync_delay_us = 50000;
	pid = watch();
	while (now_ms() < until) {
		for (size_t i = 0; i < WRITERS; i++) {
			snprintf(path, sizeof path, "/w%zu", i);
			while (c.one[i].out.len < VALUE)
				crowd_set(&c, i, path, value, VALUE);
		}
		crowd_turn(&c, 5);
	}
	report(pid, "8 writers of 100 KiB, 50 ms a sync");
	bed.c.plan->sync_delay_us = 0;
	crowd_close(&c);
}

static void deaf_subscribers(void)
{
	struct crowd c;
	int64_t sets = 0;
	pid_t pid;

	crowd_open(&c, bed.port, SUBSCRIBERS + 1, 60000);
	for (size_t i = 0; i < c.count; i++)
		crowd_dial(&c, i, i < DEAF ? 4096 : 0);
	while (crowd_count_up(&c) < c.count)
		crowd_turn(&c, 20);
	crowd_create(&c, SUBSCRIBERS, "/s", 0);
	for (size_t i = 0; i < SUBSCRIBERS; i++)
		crowd_watch(&c, i, "/s");
	crowd_settle(&c, WAIT_MS);
	pid = watch();
	for (int64_t begun = now_ms(); now_ms() < begun + PART_MS;) {
		for (; sets < (now_ms() - begun) * SETS_A_SECOND / 1000; sets++)
			crowd_set(&c, SUBSCRIBERS, "/s", "x", 1);
		crowd_turn(&c, 5);
	}
	report(pid, "50 sets/s to 1,000 subscribers, 100 deaf");
	crowd_close(&c);
}

static void everybody(void)
{
	struct rlimit r = { 0, 0 };
	size_t count = EVERYBODY;
	char what[64];
	struct crowd c;
	int64_t from;
	pid_t pid;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_cur < EVERYBODY + 100)
		count = (size_t)r.rlim_cur / 2;
	pid = watch();
	crowd_open(&c, bed.port, count, 60000);
	from = now_ms();
	if (crowd_up(&c, 60000) < count)
		stop("not all came up");
	snprintf(what, sizeof what, "%zu sessions connect: %lld ms", count,
	         (long long)(now_ms() - from));
	report(pid, what);
	crowd_close(&c);
}

START_TEST(figures)
{
	man = mmap(NULL, sizeof *man, PROT_READ | PROT_WRITE,
	           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (man == MAP_FAILED)
		stop("no memory for the samples");
	crash_bed_open(&bed, false, true,
	               "waiting_max = 8388608;\nlinks_max = 13000;\n"
	               "sessions_max = 20000;\n");
	crash_arm(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
	if (!crash_bed_start(&bed))
		stop("the broker does not start");
	printf("pressure: reads of a bystander, one at a time\n");
	printf("  %-44s %7s %9s %9s %9s %8s\n", "beside", "reads", "median us",
	       "p99 us", "max us", "x idle");
	idle();
	slow_disk();
	deaf_subscribers();
	everybody();
	crash_bed_close(&bed);
}
END_TEST

int main(void)
{
	return bench_run("bench/pressure", figures);
}
