/* The mirror's contract with a subscription, as agent/core/mirror.h states it. */
#include "fault.h"
#include "mirror_bed.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct bed b;
static char told[4096];
static struct mu_mirror_event author; /* the last, for whose it was */
static int sink_rc, ready;            /* ready: 1 told, 2 quiet */

static int sink(void *arg, const struct mu_mirror_event *e)
{
	static const char *const word[] = { "present", "created", "deleted",
		                            "changed", "children" };
	size_t len = strlen(told);

	(void)arg;
	if (sink_rc)
		return sink_rc;
	author = *e;
	len += (size_t)snprintf(told + len, sizeof told - len, "%s %.*s",
	                        e->type == MU_MIRROR_GAP ? "gap"
	                                                 : word[e->type],
	                        (int)e->path.len, e->path.at);
	if (e->data.at && e->type != MU_EVENT_CHILDREN)
		len += (size_t)snprintf(told + len, sizeof told - len, "=%.*s",
		                        (int)e->data.len, e->data.at);
	if (e->old_data.at && e->type != MU_EVENT_CHILDREN)
		len += (size_t)snprintf(told + len, sizeof told - len, "<%.*s",
		                        (int)e->old_data.len, e->old_data.at);
	if (e->count > 1)
		len += (size_t)snprintf(told + len, sizeof told - len, " x%u",
		                        e->count);
	if (e->exact)
		len += (size_t)snprintf(told + len, sizeof told - len,
		                        "@%lld.%d", (long long)e->zxid, e->n);
	ck_assert(!e->alone || (e->type == MU_MIRROR_GAP && e->exact));
	ck_assert(!e->held || e->exact);
	snprintf(told + len, sizeof told - len, "%s%s%s; ",
	         e->flags & MU_EVENT_COALESCED ? "!" : "",
	         e->past ? " past" : "", e->held ? " held" : "");
	return 0;
}

static void on_ready(void *arg, bool quiet)
{
	(void)arg;
	ready = quiet ? 2 : 1;
}

static void assert_told(const char *want)
{
	ck_assert_str_eq(told, want);
	told[0] = '\0';
}

static const struct mu_mirror_limits roomy = { 100, 100, 10000 };

static void mirror_with(const struct mu_mirror_limits *limits)
{
	mu_mirror_free(b.m);
	b.m = NULL;
	ck_assert_int_eq(mu_mirror_new(b.top, b.mode, limits, sink, NULL, &b.m),
	                 0);
	mu_mirror_on_ready(b.m, on_ready);
	ready = 0;
}

static void resume(int64_t zxid, int32_t n)
{
	struct mu_mirror_at at = { zxid, n };

	mirror_with(&roomy);
	mu_mirror_resume(b.m, at);
	ck_assert_int_eq(bed_up(&b, false), 0);
}

/* One write, told at once if the mirror is live. */
static void make(const char *path, const char *data)
{
	bed_begin(&b);
	ck_assert(bed_make(&b, path, data));
}

static void edit(const char *path, const char *data)
{
	bed_begin(&b);
	ck_assert(bed_edit(&b, path, data));
}

static void drop(const char *path)
{
	bed_begin(&b);
	ck_assert(bed_drop(&b, path));
}

static void run(void)
{
	ck_assert_int_eq(bed_run(&b), 0);
}

/* /c=top, /c/a=1, /c/b=2 of the zxids 11 to 13, and a live mirror. */
static void begin(enum mu_mirror_mode mode)
{
	bed_init(&b, "/c", mode);
	mirror_with(&roomy);
	make("/c", "top");
	make("/c/a", "1");
	make("/c/b", "2");
	ck_assert_int_eq(bed_up(&b, false), 0);
	run();
	told[0] = '\0';
}

static void setup(void)
{
	sink_rc = 0;
	told[0] = '\0';
	begin(MU_MIRROR_SUBTREE);
}

static void teardown(void)
{
	mu_mirror_free(b.m);
	b.m = NULL;
}

/* Down, changes, up again. */
static void lose(void)
{
	bed_down(&b);
}

static void come_back(void)
{
	ck_assert_int_eq(bed_up(&b, false), 0);
	run();
}

static void assert_position(int64_t zxid, int32_t n)
{
	struct mu_mirror_at at = { 0, 0 };

	ck_assert(mu_mirror_position(b.m, &at));
	ck_assert_int_eq(at.zxid, zxid);
	ck_assert_int_eq(at.n, n);
	ck_assert(!mu_mirror_position(b.m, &at)); /* once */
}

static void assert_no_position(void)
{
	struct mu_mirror_at at;

	ck_assert(!mu_mirror_position(b.m, &at));
}

/* ---- live ---- */

START_TEST(the_first_delivery_is_present_and_its_position_is_told_behind_it)
{
	bed_down(&b);
	mirror_with(&roomy);
	ck_assert_int_eq(bed_up(&b, false), 0);
	assert_no_position();
	run();
	assert_told("present /c=top; present /c/a=1; present /c/b=2; ");
	ck_assert_int_eq(ready, 1);
	assert_position(13, INT32_MAX);
}
END_TEST

START_TEST(each_change_gives_one_event_with_its_own_value)
{
	edit("/c/a", "11");
	edit("/c/a", "111");
	make("/c/a/x", "deep");
	drop("/c/a/x");
	run();
	assert_told("changed /c/a=11<1@14.0; changed /c/a=111<11@15.0; "
	            "created /c/a/x=deep@16.0; deleted /c/a/x<deep@17.0; ");
	ck_assert_uint_eq(mu_mirror_count(b.m), 3);
}
END_TEST

START_TEST(a_transaction_gives_its_events_in_their_places)
{
	bed_begin(&b);
	bed_edit(&b, "/c/a", "x");
	bed_edit(&b, "/c/a", "y");
	bed_drop(&b, "/c/b");
	bed_make(&b, "/c/b", "z");
	run();
	assert_told("changed /c/a=x<1@14.0; changed /c/a=y<x@14.1; "
	            "deleted /c/b<2@14.2; children /c@14.3; "
	            "created /c/b=z@14.4; children /c@14.5; ");
}
END_TEST

START_TEST(rule34_deeper_down_children_are_not_told_of)
{
	make("/c/a/x", "");
	run();
	assert_told("created /c/a/x=@14.0; ");
	begin(MU_MIRROR_CHILDREN);
	make("/c/a/x", "");
	make("/c/x", "");
	edit("/c/a", "v");
	run();
	assert_told("created /c/x=@15.0; children /c@15.1; "
	            "changed /c/a=v<1@16.0; ");
	begin(MU_MIRROR_EXACT);
	make("/c/x", "");
	edit("/c/x", "v");
	run();
	assert_told("children /c@14.1; ");
}
END_TEST

START_TEST(the_author_and_the_cause_come_along)
{
	struct mu_stat stat = { .czxid = 5, .mzxid = 20, .version = 7 };
	struct mu_mirror_change c = { .type = 3,
		                      .zxid = 20,
		                      .path = MU_STR("/c/a"),
		                      .whole = true,
		                      .stat = &stat,
		                      .cause = 3,
		                      .session = 44,
		                      .origin = MU_STR("h") };

	ck_assert_int_eq(mu_mirror_change(b.m, &c), 0);
	assert_told("changed /c/a<1@20.0; "); /* null data */
	ck_assert_int_eq(author.cause, 3);
	ck_assert_int_eq(author.session, 44);
	ck_assert(mu_str_eq(author.origin, MU_STR("h")));
	ck_assert_int_eq(mu_mirror_change(b.m, &c), 0); /* came before */
	c.path = MU_STR("/elsewhere");
	c.zxid++;
	ck_assert_int_eq(mu_mirror_change(b.m, &c), 0);
	c.path = MU_STR("/c/a");
	c.type = 9;
	c.zxid++;
	ck_assert_int_eq(mu_mirror_change(b.m, &c), 0);
	assert_told("");
	mu_mirror_stop(b.m);
	c.type = 3;
	ck_assert_int_eq(mu_mirror_change(b.m, &c), 0); /* idle */
	assert_told("");
}
END_TEST

/* ---- while it reads ---- */

START_TEST(what_comes_while_all_is_read_waits_and_what_was_read_is_passed_over)
{
	int rc;

	bed_down(&b);
	mirror_with(&roomy);
	ck_assert_int_eq(bed_up(&b, false), 0);
	bed_pump(&b);
	ck_assert(bed_serve(&b)); /* the subscription */
	edit("/c/a", "before");
	ck_assert(bed_serve(&b)); /* the top */
	while (bed_deliver(&b, &rc))
		bed_pump(&b);
	drop("/c/b");             /* before the names are read */
	ck_assert(bed_serve(&b)); /* the names */
	make("/c/n", "new");      /* behind that */
	while (bed_deliver(&b, &rc))
		bed_pump(&b);
	edit("/c/a", "read");
	edit("/c/n", "newer");
	run();
	assert_told("present /c=top; present /c/a=read; children /c@15.1; "
	            "created /c/n=new@16.0; children /c@16.1; "
	            "changed /c/n=newer<new@18.0; ");
}
END_TEST

/* ---- over connections ---- */

START_TEST(what_was_missed_is_told_as_it_was_and_nothing_is_read)
{
	struct mu_mirror_read read;

	lose();
	edit("/c/a", "11");
	edit("/c/a", "111");
	drop("/c/b");
	ck_assert_int_eq(bed_up(&b, false), 0);
	ck_assert(!mu_mirror_read_next(b.m, &read));
	run();
	assert_told("changed /c/a=11<1@14.0; changed /c/a=111<11@15.0; "
	            "deleted /c/b<2@16.0; children /c@16.1; ");
	assert_position(16, INT32_MAX);
}
END_TEST

START_TEST(what_comes_in_parts_is_asked_for_until_it_is_all)
{
	int asked = b.asked;

	b.part = 2;
	lose();
	for (int i = 0; i < 5; i++)
		edit("/c/a", "v");
	come_back();
	assert_told("changed /c/a=v<1@14.0; changed /c/a=v<v@15.0; "
	            "changed /c/a=v<v@16.0; changed /c/a=v<v@17.0; "
	            "changed /c/a=v<v@18.0; ");
	ck_assert_int_eq(b.asked, asked + 3);
	ck_assert(!mu_mirror_wants_more(b.m));
}
END_TEST

START_TEST(a_first_reading_cut_short_begins_anew_from_now)
{
	struct mu_mirror_at from;

	mirror_with(&roomy);
	bed_down(&b);
	ck_assert_int_eq(bed_up(&b, false), 0);
	bed_pump(&b);
	bed_serve(&b);
	bed_serve(&b);
	bed_down(&b);
	assert_told("");
	ck_assert_int_eq(mu_mirror_subscribe(b.m, false, &from), 0);
	ck_assert_int_eq(from.zxid, -1);
	come_back();
	assert_told("present /c=top; present /c/a=1; present /c/b=2; ");
}
END_TEST

START_TEST(another_tree_is_present_and_nothing_is_deleted)
{
	lose();
	drop("/c/b");
	ck_assert_int_eq(bed_up(&b, true), 0);
	run();
	assert_told("present /c=top; present /c/a=1; ");
}
END_TEST

/* ---- gaps ---- */

START_TEST(behind_a_gap_what_differs_is_told_and_then_each_change_again)
{
	lose();
	edit("/c/a", "11");
	drop("/c/b");
	b.floor = b.zxid;
	ck_assert_int_eq(bed_up(&b, false), 0);
	run();
	assert_told("gap /c; changed /c/a=11<1!; deleted /c/b<2!; "
	            "children /c!; ");
	assert_position(15, INT32_MAX);
	ck_assert_int_eq(ready, 1); /* of old */
	edit("/c/a", "12");
	run();
	assert_told("changed /c/a=12<11@16.0; ");
	assert_no_position(); /* the event said it */
}
END_TEST

START_TEST(a_gap_is_told_once_however_often_its_reading_is_cut_short)
{
	int rc;

	lose();
	edit("/c/a", "11");
	b.floor = b.zxid;
	ck_assert_int_eq(bed_up(&b, false), 0);
	bed_pump(&b);
	bed_serve(&b);
	ck_assert(bed_deliver(&b, &rc));
	bed_pump(&b);
	bed_serve(&b);
	ck_assert(bed_deliver(&b, &rc));
	bed_down(&b);
	edit("/c/a", "12");
	come_back();
	assert_told("gap /c; changed /c/a=12<1 x2!; ");
	ck_assert_int_eq(b.gaps, 1);
}
END_TEST

START_TEST(a_change_whose_forerunner_is_missing_is_found_out)
{
	struct mu_mirror_at no = { 13, 0 }, yes = { 13, INT32_MAX };

	ck_assert(!mu_mirror_expects(b.m, no));
	ck_assert(mu_mirror_expects(b.m, yes));
	edit("/c/a", "lost");
	b.out_head = b.out_tail;
	ck_assert_int_eq(mu_mirror_missed(b.m), 0);
	run();
	assert_told("gap /c; changed /c/a=lost<1!; ");
	mu_mirror_stop(b.m);
	ck_assert(mu_mirror_expects(b.m, no));
	ck_assert_int_eq(mu_mirror_missed(b.m), 0);
	ck_assert(mu_mirror_is_idle(b.m));
}
END_TEST

/* ---- started again ---- */

START_TEST(one_that_resumes_reads_quietly_and_is_told_what_came_since)
{
	edit("/c/a", "11");
	edit("/c/a", "12");
	drop("/c/b");
	resume(14, 0);
	run();
	ck_assert_int_eq(ready, 2);
	assert_told("changed /c/a=12@15.0 past; deleted /c/b<2@16.0 past; "
	            "children /c@16.1 past; ");
	ck_assert_int_eq(mu_mirror_present(b.m, sink, NULL), 0);
	assert_told("present /c=top; present /c/a=12; ");
	edit("/c/a", "13");
	run();
	assert_told("changed /c/a=13<12@17.0; ");
}
END_TEST

START_TEST(one_that_resumes_begins_inside_a_transaction)
{
	bed_begin(&b);
	bed_edit(&b, "/c/a", "x");
	bed_edit(&b, "/c/b", "y");
	resume(14, 0);
	run();
	assert_told("changed /c/b=y@14.1 past; ");
	assert_position(14, INT32_MAX);
}
END_TEST

START_TEST(one_that_resumes_too_late_is_told_of_the_gap_and_all_that_is_there)
{
	edit("/c/a", "11");
	b.floor = b.zxid;
	resume(13, INT32_MAX);
	run();
	assert_told("gap /c; present /c=top; present /c/b=2; "
	            "present /c/a=11; ");
	ck_assert_int_eq(ready, 1);
}
END_TEST

/* The first part was told when the log was cut. */
START_TEST(behind_a_gap_what_was_told_of_the_past_is_put_right)
{
	int rc;

	edit("/c/a", "11");
	edit("/c/a", "12");
	b.part = 1;
	resume(13, INT32_MAX);
	while (ready == 0 || b.out_head != b.out_tail) {
		bed_pump(&b);
		bed_serve(&b);
		bed_deliver(&b, &rc);
	}
	assert_told("changed /c/a=11@14.0 past; ");
	b.floor = b.zxid;
	run();
	assert_told("gap /c; changed /c/a=12<12!; ");
}
END_TEST

START_TEST(behind_a_gap_the_rest_of_a_transaction_is_found)
{
	int rc;

	bed_begin(&b);
	bed_edit(&b, "/c/a", "x");
	bed_edit(&b, "/c/a", "y");
	bed_make(&b, "/c/n", "");
	bed_drop(&b, "/c/n");
	ck_assert(bed_deliver(&b, &rc));
	assert_told("changed /c/a=x<1@14.0; ");
	lose();
	b.floor = b.zxid + 1;
	come_back();
	assert_told("gap /c; changed /c/a=y<x!; children /c x2!; ");
}
END_TEST

/* ---- values that are too long to come along ---- */

START_TEST(a_value_that_did_not_come_along_is_read)
{
	b.whole_max = 3;
	edit("/c/a", "long1");
	run();
	assert_told("changed /c/a=long1<1@14.0; ");
	edit("/c/a", "long2");
	edit("/c/a", "long3");
	edit("/c/b", "s");
	run();
	/* The second was read with the first. */
	assert_told(
		"changed /c/a=long3<long1 x2@15.0; changed /c/b=s<2@17.0; ");
	drop("/c/a");
	run();
	assert_told("deleted /c/a<long3@18.0; children /c@18.1; ");
}
END_TEST

START_TEST(one_gone_before_it_was_read_is_told_by_its_deletion)
{
	int rc;

	b.whole_max = 3;
	make("/c/a/n", "long");
	edit("/c/a/n", "long again");
	bed_deliver(&b, &rc);
	bed_deliver(&b, &rc);
	drop("/c/a/n");
	run();
	assert_told("deleted /c/a/n x3@16.0; ");
	make("/c/a/n", "long");
	bed_deliver(&b, &rc);
	drop("/c/a/n");
	make("/c/a/n", "s");
	run();
	ck_assert_uint_eq(mu_mirror_count(b.m), 4);
	/* Created, deleted, created. */
	assert_told("created /c/a/n=s x3@17.0; ");
}
END_TEST

START_TEST(a_count_knows_what_went_and_came_back_in_one_transaction)
{
	b.whole_max = 3;
	bed_begin(&b);
	bed_make(&b, "/c/n", "long");
	bed_edit(&b, "/c/n", "long again");
	bed_drop(&b, "/c/n");
	bed_make(&b, "/c/n", "s");
	bed_edit(&b, "/c/a", "x");
	run();
	ck_assert_ptr_nonnull(strstr(told, "created /c/n=s x4@14.0; "));
	ck_assert_ptr_nonnull(strstr(told, "changed /c/a=x<1@14."));
	ck_assert_ptr_null(strstr(told, "deleted"));
}
END_TEST

/* Everything moves, but the next read is refused so. */
static void refuse(int answer)
{
	struct mu_mirror_answer no = { .rc = answer, .zxid = b.zxid };
	struct mu_mirror_read read;
	int rc;

	while (bed_deliver(&b, &rc))
		ck_assert_int_eq(rc, 0);
	ck_assert(mu_mirror_read_next(b.m, &read));
	ck_assert_int_eq(mu_mirror_read_done(b.m, read.id, &no), 0);
}

START_TEST(one_that_may_not_be_read_any_more_is_a_gap_and_counted)
{
	b.whole_max = 3;
	edit("/c/a", "long");
	edit("/c/b", "s");
	refuse(MU_ENOAUTH);
	assert_told("gap /c/a@14.0; changed /c/b=s<2@15.0; ");
	assert_no_position(); /* these have told it */
	edit("/c/a", "x");
	run();
	assert_told("changed /c/a=x<1 x2@16.0; ");
}
END_TEST

START_TEST(a_gap_that_was_not_taken_comes_again)
{
	struct mu_mirror_answer no = { .rc = MU_ENOAUTH };
	struct mu_mirror_read read;
	int rc;

	b.whole_max = 3;
	edit("/c/a", "long");
	ck_assert(bed_deliver(&b, &rc));
	ck_assert(mu_mirror_read_next(b.m, &read));
	sink_rc = MU_EFULL;
	ck_assert_int_eq(mu_mirror_read_done(b.m, read.id, &no), MU_EFULL);
	sink_rc = 0;
	lose();
	ck_assert_int_eq(bed_up(&b, false), 0);
	ck_assert(bed_serve(&b));
	refuse(MU_ENOAUTH);
	assert_told("gap /c/a@14.0; ");
	edit("/c/a", "x");
	run();
	assert_told("changed /c/a=x<1 x2@15.0; ");
}
END_TEST

START_TEST(a_read_that_is_refused_keeps_its_place)
{
	b.whole_max = 3;
	edit("/c/a", "long");
	edit("/c/b", "s");
	edit("/c/a", "t");
	for (unsigned i = 1; i < MU_MIRROR_TRIES_MAX; i++) {
		refuse(i % 2 ? MU_ENOMEM : MU_ETOOBIG);
		assert_told("");
		assert_no_position();
	}
	edit("/c/a", "long again"); /* so that it is not read as it was */
	run();
	assert_told("changed /c/a=long again<1 x3@14.0; "
	            "changed /c/b=s<2@15.0; ");
	edit("/c/a", "wide");
	for (unsigned i = 0; i < MU_MIRROR_TRIES_MAX; i++)
		refuse(MU_ESYSTEM);
	assert_told("gap /c/a@18.0; ");
}
END_TEST

START_TEST(a_read_that_was_cut_off_is_made_again_with_the_next_link)
{
	struct mu_mirror_read read;
	int rc;

	b.whole_max = 3;
	edit("/c/a", "long");
	edit("/c/b", "s");
	while (bed_deliver(&b, &rc))
		;
	ck_assert(mu_mirror_read_next(b.m, &read));
	lose();
	come_back();
	assert_told("changed /c/a=long<1@14.0; changed /c/b=s<2@15.0; ");
}
END_TEST

/* ---- what is owed ---- */

/* /c/a is changed, read and gone; its DELETED is yet to come, others are told. */
static void owe(void)
{
	b.part = 1;
	b.whole_max = 3;
	lose();
	edit("/c/a", "long");
	edit("/c/b", "s");
	drop("/c/a"); /* 16 */
	ck_assert_int_eq(bed_up(&b, false), 0);
}

/* Until so much was told. */
static void run_until(const char *want)
{
	int rc = 0;

	while (strcmp(told, want) != 0) {
		bed_pump(&b);
		ck_assert_msg(bed_deliver(&b, &rc) || bed_serve(&b),
		              "it ends with '%s'", told);
		ck_assert_int_eq(rc, 0);
	}
	told[0] = '\0';
}

START_TEST(until_what_was_gone_is_told_no_cursor_moves)
{
	owe();
	run_until("changed /c/b=s<2@15.0 held; ");
	assert_no_position();
	run();
	assert_told("deleted /c/a<1 x2@16.0; children /c@16.1; ");
	assert_position(16, INT32_MAX);
}
END_TEST

START_TEST(one_that_resumes_counts_again_what_was_gone)
{
	owe();
	run_until("changed /c/b=s<2@15.0 held; ");
	bed_down(&b);
	resume(13, INT32_MAX);
	run();
	assert_told("changed /c/b=s@15.0 past held; "
	            "deleted /c/a x2@16.0; children /c@16.1 past; ");
	assert_position(16, INT32_MAX);
}
END_TEST

START_TEST(what_was_gone_is_owed_over_a_cut_link_and_a_refusal)
{
	int rc = 0;

	owe();
	run_until("changed /c/b=s<2@15.0 held; ");
	lose();
	assert_no_position();
	ck_assert_int_eq(bed_up(&b, false), 0);
	sink_rc = MU_EFULL;
	while (!rc) {
		ck_assert(bed_deliver(&b, &rc) || bed_serve(&b));
		bed_pump(&b);
	}
	ck_assert_int_eq(rc, MU_EFULL);
	sink_rc = 0;
	lose();
	assert_no_position();
	come_back();
	assert_told("deleted /c/a<1 x2@16.0; children /c@16.1; ");
	assert_position(16, INT32_MAX);
}
END_TEST

START_TEST(a_deletion_that_is_not_ours_to_hear_of_is_told_when_it_must_be_past)
{
	b.hidden = "/c/a";
	owe();
	edit("/c/b", "t");
	make("/o", ""); /* 18: the read is as of it */
	run_until("changed /c/b=s<2@15.0 held; ");
	run();
	/* Behind the last that may be before it. */
	assert_told("children /c@16.1 held; changed /c/b=t<s@17.0 held; "
	            "deleted /c/a<1 x2!; ");
	ck_assert_uint_eq(mu_mirror_count(b.m), 2);
	assert_position(18, INT32_MAX);
}
END_TEST

START_TEST(one_that_is_not_ours_to_hear_of_comes_before_what_is_later)
{
	int rc;

	b.hidden = "/c/a";
	b.whole_max = 3;
	edit("/c/a", "long");
	ck_assert(bed_deliver(&b, &rc));
	drop("/c/a"); /* 15 */
	run();
	assert_told("children /c@15.1 held; ");
	ck_assert_int_eq(mu_mirror_reached(b.m, 15), 0);
	assert_told("");
	assert_no_position();
	sink_rc = MU_EFULL;
	ck_assert_int_eq(mu_mirror_reached(b.m, 16), MU_EFULL);
	ck_assert(mu_mirror_is_idle(b.m));
	sink_rc = 0;
	lose();
	edit("/c/b", "s"); /* 16 */
	come_back();
	assert_told("deleted /c/a<1 x2!; changed /c/b=s<2@16.0; ");
	assert_position(16, INT32_MAX);
}
END_TEST

START_TEST(behind_a_gap_nothing_is_owed)
{
	owe();
	run_until("changed /c/b=s<2@15.0 held; ");
	lose();
	b.floor = b.zxid;
	b.part = BED_HISTORY;
	come_back();
	assert_told("gap /c; deleted /c/a<1 x2!; children /c!; ");
	assert_position(16, INT32_MAX);
	edit("/c/b", "t");
	run();
	assert_told("changed /c/b=t<s@17.0; ");
}
END_TEST

/* ---- limits and refusals ---- */

START_TEST(an_event_that_was_not_taken_comes_again_as_it_was)
{
	int rc = 0;

	edit("/c/a", "11");
	sink_rc = MU_EFULL;
	ck_assert(bed_deliver(&b, &rc));
	ck_assert_int_eq(rc, MU_EFULL);
	ck_assert(mu_mirror_is_idle(b.m));
	edit("/c/a", "12");
	sink_rc = 0;
	come_back();
	assert_told("changed /c/a=11<1@14.0; changed /c/a=12<11@15.0; ");
}
END_TEST

START_TEST(what_does_not_fit_into_the_queue_is_asked_for_again)
{
	struct mu_mirror_limits limits = { 100, 2, 10000 };
	int rc, asked;

	bed_down(&b);
	mirror_with(&limits);
	ck_assert_int_eq(bed_up(&b, false), 0);
	run();
	told[0] = '\0';
	asked = b.asked;
	b.whole_max = 3;
	edit("/c/a", "long");
	edit("/c/b", "v2");
	ck_assert(bed_deliver(&b, &rc) && bed_deliver(&b, &rc));
	run();
	ck_assert_int_eq(b.asked, asked); /* as many as the limit */
	edit("/c/a", "wide");
	edit("/c/b", "v3");
	edit("/c/b", "v4");
	while (bed_deliver(&b, &rc))
		;
	ck_assert(!mu_mirror_wants_more(b.m)); /* a read is under way */
	run();
	ck_assert_int_eq(b.asked, asked + 1);
	assert_told("changed /c/a=long<1@14.0; changed /c/b=v2<2@15.0; "
	            "changed /c/a=wide<long@16.0; changed /c/b=v3<v2@17.0; "
	            "changed /c/b=v4<v3@18.0; ");
	assert_position(18, INT32_MAX);
}
END_TEST

START_TEST(one_that_covers_too_much_reads_again_as_behind_a_gap)
{
	struct mu_mirror_limits limits = { 3, 100, 10000 };
	int rc = 0;

	bed_down(&b);
	mirror_with(&limits);
	ck_assert_int_eq(bed_up(&b, false), 0);
	run();
	told[0] = '\0';
	make("/c/n", "");
	bed_deliver(&b, &rc);
	ck_assert_int_eq(rc, MU_ETOOBIG);
	ck_assert(mu_mirror_is_idle(b.m));
	ck_assert_int_eq(bed_up(&b, false), 0);
	ck_assert_int_eq(bed_run(&b), MU_ETOOBIG);
	drop("/c/b");
	come_back();
	assert_told("gap /c; created /c/n=!; deleted /c/b<2!; "
	            "children /c x2!; ");
}
END_TEST

START_TEST(how_far_the_broker_has_got_is_a_position_without_an_event)
{
	assert_position(13, INT32_MAX);
	make("/o", "");
	make("/p", "");
	ck_assert_int_eq(mu_mirror_reached(b.m, b.zxid), 0);
	assert_position(14, INT32_MAX); /* 15 may not be all */
	lose();
	ck_assert_int_eq(mu_mirror_reached(b.m, 99), 0);
	assert_no_position();
	b.floor = 14;
	come_back();
	ck_assert_int_eq(b.gaps, 0);
	assert_told("");
}
END_TEST

START_TEST(a_watch_in_between_leaves_no_position_to_go_on_from)
{
	struct mu_mirror_at from;

	lose();
	ck_assert_int_eq(mu_mirror_start(b.m, false), 0);
	assert_no_position();
	mu_mirror_stop(b.m);
	edit("/c/a", "11");
	ck_assert_int_eq(mu_mirror_subscribe(b.m, false, &from), 0);
	ck_assert_int_eq(from.zxid, -1);
	come_back();
	assert_told("changed /c/a=11<1!; ");
}
END_TEST

/* First reading, changes with and without their value, a gap. */
static int whole_run(void)
{
	int rc = bed_up(&b, false);

	rc = rc ? rc : bed_run(&b);
	b.whole_max = 3;
	edit("/c/a", "long value");
	edit("/c/b", "v");
	rc = rc ? rc : bed_run(&b);
	bed_down(&b);
	edit("/c/b", "w");
	b.floor = b.zxid;
	rc = rc ? rc : bed_up(&b, false);
	return rc ? rc : bed_run(&b);
}

START_TEST(any_allocation_may_fail_and_the_next_subscription_finds_all)
{
	unsigned refusals = 0;

	for (unsigned k = 0;; k++) {
		int rc;

		begin(MU_MIRROR_SUBTREE);
		bed_down(&b);
		mirror_with(&roomy);
		fault_alloc_at(k);
		rc = whole_run();
		if (!fault_alloc_off()) {
			ck_assert_int_eq(rc, 0);
			break;
		}
		ck_assert_int_eq(rc, MU_ENOMEM);
		ck_assert(mu_mirror_is_idle(b.m));
		bed_down(&b);
		come_back();
		told[0] = '\0';
		ck_assert_int_eq(mu_mirror_present(b.m, sink, NULL), 0);
		assert_told("present /c=top; present /c/a=long value; "
		            "present /c/b=w; ");
		refusals++;
	}
	ck_assert_uint_ge(refusals, 20);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mirror on a subscription");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
#define T(name) tcase_add_test(tc, name)
	T(the_first_delivery_is_present_and_its_position_is_told_behind_it);
	T(each_change_gives_one_event_with_its_own_value);
	T(a_transaction_gives_its_events_in_their_places);
	T(rule34_deeper_down_children_are_not_told_of);
	T(the_author_and_the_cause_come_along);
	T(what_comes_while_all_is_read_waits_and_what_was_read_is_passed_over);
	T(what_was_missed_is_told_as_it_was_and_nothing_is_read);
	T(what_comes_in_parts_is_asked_for_until_it_is_all);
	T(a_first_reading_cut_short_begins_anew_from_now);
	T(another_tree_is_present_and_nothing_is_deleted);
	T(behind_a_gap_what_differs_is_told_and_then_each_change_again);
	T(a_gap_is_told_once_however_often_its_reading_is_cut_short);
	T(a_change_whose_forerunner_is_missing_is_found_out);
	T(one_that_resumes_reads_quietly_and_is_told_what_came_since);
	T(one_that_resumes_begins_inside_a_transaction);
	T(one_that_resumes_too_late_is_told_of_the_gap_and_all_that_is_there);
	T(behind_a_gap_what_was_told_of_the_past_is_put_right);
	T(behind_a_gap_the_rest_of_a_transaction_is_found);
	T(a_value_that_did_not_come_along_is_read);
	T(one_gone_before_it_was_read_is_told_by_its_deletion);
	T(a_count_knows_what_went_and_came_back_in_one_transaction);
	T(one_that_may_not_be_read_any_more_is_a_gap_and_counted);
	T(a_gap_that_was_not_taken_comes_again);
	T(a_read_that_is_refused_keeps_its_place);
	T(a_read_that_was_cut_off_is_made_again_with_the_next_link);
	T(until_what_was_gone_is_told_no_cursor_moves);
	T(one_that_resumes_counts_again_what_was_gone);
	T(what_was_gone_is_owed_over_a_cut_link_and_a_refusal);
	T(a_deletion_that_is_not_ours_to_hear_of_is_told_when_it_must_be_past);
	T(one_that_is_not_ours_to_hear_of_comes_before_what_is_later);
	T(behind_a_gap_nothing_is_owed);
	T(an_event_that_was_not_taken_comes_again_as_it_was);
	T(what_does_not_fit_into_the_queue_is_asked_for_again);
	T(one_that_covers_too_much_reads_again_as_behind_a_gap);
	T(how_far_the_broker_has_got_is_a_position_without_an_event);
	T(a_watch_in_between_leaves_no_position_to_go_on_from);
	T(any_allocation_may_fail_and_the_next_subscription_finds_all);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
