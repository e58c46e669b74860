/* What the agent remembers, with no memory: each allocation of the owner's thread
 * is refused in turn, over a whole life. Nothing leaks, the places that the next
 * life finds are never beyond what was handled, and an end that calls itself clean
 * has all of it on the disk. */
#include "fault.h"
#include "keep.h"

#include "err.h"
#include "log.h"
#include "program.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SWEEP_MAX 300u

static char dir[64];
static struct mu_loop *loop;
static struct mu_keep *keep;
static struct mu_kept *kept;
static int64_t handled; /* by the instance */

static const struct mu_keep_source sources[] = { { MU_STR("/a"), 0 },
	                                         { MU_STR("/b"), 2 } };

static void setup(void)
{
	dir_make(dir, sizeof dir);
}

static void teardown(void)
{
	dir_remove(dir);
}

/* It was given to the instance, and refused. */
static struct mu_mailbox_failure the_failed(void *arg)
{
	static struct mu_chan_event e = { .path = MU_STR("/a/bad"), .zxid = 9 };

	(void)arg;
	return (struct mu_mailbox_failure){ &e, 3, true };
}

static void put_nodes(void *arg, size_t i, struct mu_cache_writer *w)
{
	struct mu_stat stat = { .czxid = 5 };

	(void)arg;
	(void)i;
	mu_cache_node(w, MU_STR("/a"), MU_STR("value"), &stat);
}

static int open_it(size_t count)
{
	struct mu_kept_options o = { .name = "web",
		                     .source = sources,
		                     .count = count,
		                     .failed = the_failed };

	return mu_kept_open(keep, &o, &kept);
}

static int begin(void)
{
	struct mu_keep_options o = { .loop = loop,
		                     .state_dir = dir,
		                     .brokers = 1 };
	int rc = mu_keep_new(&o, &keep);

	if (rc)
		return rc;
	mu_keep_tree(keep, 7);
	return open_it(1);
}

static void end(void)
{
	mu_kept_close(kept);
	kept = NULL;
	mu_keep_free(keep);
	keep = NULL;
}

/* Each life has a loop of its own, with which the memory of its handles goes. */
static void loop_begin(void)
{
	struct mu_err err;

	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
}

static void loop_end(void)
{
	mu_loop_free(loop);
	loop = NULL;
}

/* Opened, handled, saved, and opened once more with another watch. */
static int live(void)
{
	int rc = begin();

	if (rc)
		return rc;
	mu_kept_reached(kept, 0, ++handled, 0);
	mu_kept_save(kept, put_nodes, NULL);
	mu_kept_reached(kept, 0, ++handled, 0);
	mu_kept_close(kept);
	kept = NULL;
	rc = open_it(2);
	if (rc)
		return rc;
	mu_kept_reached(kept, 0, ++handled, 0);
	mu_kept_changed(kept);
	mu_kept_save(kept, put_nodes, NULL);
	mu_kept_save_ahead(
		kept, (struct mu_keep_place[2]){ { true, handled + 1, 0 } },
		put_nodes, NULL);
	mu_kept_reached(kept, 0, ++handled, 0);
	mu_kept_reached(kept, 0, ++handled, 0); /* in the cursor alone */
	return 0;
}

START_TEST(whatever_is_refused_the_next_life_knows_no_more_than_was_handled)
{
	unsigned refused = 0, k = 0;
	bool fired = true;
	long before;

	loop_begin();
	ck_assert_int_eq(live(), 0);
	end();
	loop_end();
	before = fault_alloc_live();
	for (; fired && k < SWEEP_MAX; k++) {
		int64_t old = handled;
		int rc;

		loop_begin();
		fault_alloc_at(k);
		rc = live();
		end(); /* with what is left to be refused */
		fired = fault_alloc_off();
		loop_end();
		loop_begin();
		ck_assert(fired || rc == 0);
		ck_assert(rc == 0 || rc == MU_ENOMEM);
		refused += rc != 0;
		ck_assert_int_eq(begin(), 0);
		ck_assert_msg(mu_kept_place(kept, 0)->known, "at %u", k);
		ck_assert_int_le(mu_kept_place(kept, 0)->zxid, handled);
		ck_assert_int_ge(mu_kept_place(kept, 0)->zxid, old);
		if (mu_keep_was_clean(keep))
			ck_assert_msg(mu_kept_place(kept, 0)->zxid == handled,
			              "clean, and not all of it, at %u", k);
		handled = mu_kept_place(kept, 0)->zxid;
		end();
		loop_end();
		ck_assert_msg(fault_alloc_live() == before, "leak at %u: %ld",
		              k, fault_alloc_live() - before);
	}
	ck_assert(!fired);
	ck_assert_uint_ge(refused, 5);
	ck_assert_uint_ge(k, 15);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("keep without memory");
	TCase *tc = tcase_create("sweep");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(
		tc,
		whatever_is_refused_the_next_life_knows_no_more_than_was_handled);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
