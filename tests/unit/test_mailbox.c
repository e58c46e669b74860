/* The mailbox's contract, as agent/core/mailbox.h states it. */
#include "mailbox.h"

#include "fault.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct mu_mailbox *b;
static int64_t zxid;

static void setup(void)
{
	zxid = 0;
	b = mu_mailbox_new(3);
	ck_assert_ptr_nonnull(b);
}

static void teardown(void)
{
	mu_mailbox_free(b);
}

static int put_old(uint32_t type, const char *path, const char *data,
                   const char *old)
{
	struct mu_chan_event e = { .type = type, .count = 1 };

	e.zxid = ++zxid;
	e.path = mu_str_of(path);
	e.data = mu_str_of(data);
	e.old_data = mu_str_of(old);
	return mu_mailbox_put(b, &e);
}

static int put(const char *path, const char *data)
{
	return put_old(MU_EVENT_CHANGED, path, data, NULL);
}

static const struct mu_chan_event *give(const char *path, const char *data)
{
	const struct mu_chan_event *e = mu_mailbox_give(b, 1000);

	ck_assert_ptr_nonnull(e);
	ck_assert(mu_str_eq(e->path, mu_str_of(path)));
	ck_assert(mu_str_eq(e->data, mu_str_of(data)));
	return e;
}

static void done(const struct mu_chan_event *e)
{
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq, 0, 1000), 0);
}

START_TEST(events_come_in_order_one_at_a_time)
{
	const struct mu_chan_event *e;

	ck_assert_int_eq(put("/a", "1"), 0);
	ck_assert_int_eq(put("/b", "2"), 0);
	e = give("/a", "1");
	ck_assert_uint_eq(e->attempt, 1);
	ck_assert_uint_eq(e->flags, 0);
	ck_assert(mu_mailbox_is_out(b));
	ck_assert_ptr_null(mu_mailbox_give(b, 1000));
	done(e);
	done(give("/b", "2"));
	ck_assert_ptr_null(mu_mailbox_give(b, 1000));
	ck_assert_uint_eq(mu_mailbox_count(b), 0);
}
END_TEST

START_TEST(an_answer_to_another_event_changes_nothing)
{
	const struct mu_chan_event *e;

	ck_assert_int_eq(mu_mailbox_ack(b, 0, 0, 1), MU_EPROTO);
	ck_assert_int_eq(put("/a", "1"), 0);
	ck_assert_int_eq(mu_mailbox_ack(b, 1, 0, 1), MU_EPROTO);
	e = give("/a", "1");
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq + 1, 0, 1), MU_EPROTO);
	ck_assert(mu_mailbox_is_out(b));
	done(e);
}
END_TEST

START_TEST(a_failed_event_is_given_again_after_its_back_off)
{
	static const uint32_t wait[] = {
		100,  200,   400,   800,   1600,  3200,
		6400, 12800, 25600, 51200, 60000, 60000
	};
	uint64_t now = 1000;

	ck_assert_int_eq(put("/a", "1"), 0);
	ck_assert_int_eq(put("/b", "2"), 0);
	for (uint32_t i = 0; i < sizeof wait / sizeof *wait; i++) {
		const struct mu_chan_event *e = mu_mailbox_give(b, now);

		ck_assert_ptr_nonnull(e);
		ck_assert(mu_str_eq(e->path, MU_STR("/a")));
		ck_assert_uint_eq(e->attempt, i + 1);
		ck_assert_uint_eq(e->flags, i ? MU_EVENT_AGAIN : 0);
		ck_assert_int_eq(mu_mailbox_ack(b, e->seq, MU_EIO, now), 0);
		ck_assert_uint_eq(mu_mailbox_due_ms(b), now + wait[i]);
		ck_assert_ptr_null(mu_mailbox_give(b, now + wait[i] - 1));
		now += wait[i];
	}
}
END_TEST

START_TEST(a_lost_event_is_given_again_at_once)
{
	const struct mu_chan_event *e;

	mu_mailbox_lost(b);
	ck_assert_int_eq(put("/a", "1"), 0);
	give("/a", "1");
	ck_assert_uint_eq(mu_mailbox_due_ms(b), UINT64_MAX);
	mu_mailbox_lost(b);
	e = give("/a", "1");
	ck_assert_uint_eq(e->attempt, 2);
	ck_assert_uint_eq(e->flags, MU_EVENT_AGAIN);
}
END_TEST

START_TEST(a_newer_event_that_waits_replaces_a_failed_one)
{
	const struct mu_chan_event *e;

	ck_assert_int_eq(put_old(MU_EVENT_CHANGED, "/a", "1", "0"), 0);
	e = give("/a", "1");
	ck_assert_int_eq(put("/b", "x"), 0);
	ck_assert_int_eq(put_old(MU_EVENT_CHANGED, "/a", "2", "1"), 0);
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq, MU_EIO, 1000), 0);
	done(give("/b", "x"));
	e = give("/a", "2");
	ck_assert_uint_eq(e->count, 2);
	ck_assert_uint_eq(e->attempt, 1);
	ck_assert_uint_eq(e->flags, 0);
	/* What it was when the instance last heard of it. */
	ck_assert(mu_str_eq(e->old_data, MU_STR("0")));
}
END_TEST

START_TEST(a_newer_event_that_comes_later_replaces_a_failed_one)
{
	const struct mu_chan_event *e;

	ck_assert_int_eq(put("/a", "1"), 0);
	ck_assert_int_eq(put("/b", "x"), 0);
	e = give("/a", "1");
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq, MU_EIO, 1000), 0);
	ck_assert_ptr_null(mu_mailbox_give(b, 1000));
	ck_assert_int_eq(put("/a", "2"), 0);
	done(give("/b", "x"));
	e = give("/a", "2");
	ck_assert_uint_eq(e->count, 2);
}
END_TEST

START_TEST(a_change_of_children_does_not_replace_a_value)
{
	const struct mu_chan_event *e;

	ck_assert_int_eq(put("/a", "1"), 0);
	e = give("/a", "1");
	ck_assert_int_eq(put_old(MU_EVENT_CHILDREN, "/a", "1", NULL), 0);
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq, MU_EIO, 0), 0);
	e = give("/a", "1");
	ck_assert_uint_eq(e->type, MU_EVENT_CHANGED);
	ck_assert_uint_eq(e->count, 1);
}
END_TEST

START_TEST(at_the_limit_nothing_is_merged)
{
	ck_assert_int_eq(put("/a", "1"), 0);
	ck_assert_int_eq(put("/a", "2"), 0);
	ck_assert_int_eq(put("/a", "3"), 0);
	ck_assert_uint_eq(mu_mailbox_count(b), 3);
	done(give("/a", "1"));
	done(give("/a", "2"));
	done(give("/a", "3"));
}
END_TEST

START_TEST(beyond_the_limit_the_newest_of_a_path_is_kept)
{
	const struct mu_chan_event *e;

	ck_assert_int_eq(put_old(MU_EVENT_CHANGED, "/a", "1", "0"), 0);
	ck_assert_int_eq(put("/b", "2"), 0);
	ck_assert_int_eq(put("/c", "3"), 0);
	ck_assert_int_eq(put_old(MU_EVENT_CHANGED, "/a", "4", "1"), 0);
	ck_assert_int_eq(put_old(MU_EVENT_CHANGED, "/a", "5", "4"), 0);
	ck_assert_uint_eq(mu_mailbox_count(b), 3);
	done(give("/b", "2"));
	done(give("/c", "3"));
	e = give("/a", "5");
	ck_assert_uint_eq(e->count, 3);
	ck_assert_uint_eq(e->flags, MU_EVENT_OVERFLOW);
	ck_assert(mu_str_eq(e->old_data, MU_STR("0")));
}
END_TEST

START_TEST(beyond_the_limit_another_path_is_taken_all_the_same)
{
	for (char path[] = "/a"; path[1] <= 'h'; path[1]++)
		ck_assert_int_eq(put(path, "x"), 0);
	ck_assert_uint_eq(mu_mailbox_count(b), 8);
	for (char path[] = "/a"; path[1] <= 'h'; path[1]++)
		done(give(path, "x"));
}
END_TEST

START_TEST(the_event_that_is_out_is_never_merged)
{
	const struct mu_chan_event *e;

	ck_assert_int_eq(put("/a", "1"), 0);
	e = give("/a", "1");
	ck_assert_int_eq(put("/b", "2"), 0);
	ck_assert_int_eq(put("/c", "3"), 0);
	ck_assert_int_eq(put("/a", "4"), 0);
	ck_assert_uint_eq(mu_mailbox_count(b), 4);
	ck_assert(mu_str_eq(e->data, MU_STR("1")));
	done(e);
}
END_TEST

START_TEST(values_beyond_the_limit_are_refused_and_change_nothing)
{
	static char big[MU_MAILBOX_BYTES_MAX];
	struct mu_chan_event e = { .type = MU_EVENT_CHANGED, .count = 1 };

	e.path = MU_STR("/a");
	e.data = (struct mu_str){ big, sizeof big - 2 };
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	e.path = MU_STR("/b");
	e.data = (struct mu_str){ NULL, 0 };
	ck_assert_int_eq(mu_mailbox_put(b, &e), MU_EFULL);
	ck_assert_uint_eq(mu_mailbox_count(b), 1);
}
END_TEST

START_TEST(values_that_take_the_place_of_others_keep_to_the_limit_too)
{
	static char big[MU_MAILBOX_BYTES_MAX];
	struct mu_chan_event e = { .type = MU_EVENT_CHANGED, .count = 1 };
	const struct mu_chan_event *got;

	put("/a", "1");
	put("/b", "2");
	put("/c", "3"); /* full: from now on a newer one replaces */
	e.path = MU_STR("/a");
	e.data = (struct mu_str){ big, sizeof big - 8 };
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0); /* with 2 x "/bX": all */
	e.path = MU_STR("/b");
	e.data = MU_STR("22");
	ck_assert_int_eq(mu_mailbox_put(b, &e), MU_EFULL);
	e.data = MU_STR("4");
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	e.path = MU_STR("/d");
	ck_assert_int_eq(mu_mailbox_put(b, &e), MU_EFULL);
	ck_assert_uint_eq(mu_mailbox_count(b), 3);
	done(give("/c", "3"));
	got = mu_mailbox_give(b, 1000);
	ck_assert_uint_eq(got->data.len, sizeof big - 8);
	done(got);
	done(give("/b", "4"));
}
END_TEST

/* What waits holds the old value of the first, whatever those of the others were. */
START_TEST(the_limit_counts_what_waits_and_nothing_that_was_replaced)
{
	static char big[MU_MAILBOX_BYTES_MAX / 4];
	struct mu_chan_event e = { .type = MU_EVENT_CHANGED, .count = 1 };
	const struct mu_str large = { big, sizeof big }, none = { NULL, 0 };

	mu_mailbox_free(b);
	b = mu_mailbox_new(1);
	e.path = MU_STR("/a");
	e.old_data = large;
	for (int i = 0; i < 8; i++, e.old_data = none) {
		e.zxid = i + 1;
		ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	}
	done(mu_mailbox_give(b, 1000));

	e.old_data = none;
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	e.old_data = large;
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	e.old_data = none;
	e.data = (struct mu_str){ big, sizeof big };
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	done(mu_mailbox_give(b, 1000));
	ck_assert_uint_eq(mu_mailbox_count(b), 0);

	mu_mailbox_free(b);
	b = mu_mailbox_new(8);
	mu_mailbox_want_newest(b, true);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	e.old_data = large;
	e.path = MU_STR("/b");
	e.data = none;
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	e.path = MU_STR("/c");
	ck_assert_int_eq(mu_mailbox_put(b, &e), MU_EFULL);
}
END_TEST

START_TEST(paths_beyond_the_limit_are_refused)
{
	struct mu_chan_event e = { .type = MU_EVENT_PRESENT, .count = 1 };

	e.path = MU_STR("/a");
	mu_mailbox_free(b);
	b = mu_mailbox_new(MU_MAILBOX_PATHS_MAX + 1);
	for (uint32_t i = 0; i < MU_MAILBOX_PATHS_MAX; i++)
		ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	ck_assert_int_eq(mu_mailbox_put(b, &e), MU_EFULL);
	ck_assert_uint_eq(mu_mailbox_count(b), MU_MAILBOX_PATHS_MAX);
}
END_TEST

START_TEST(a_put_survives_the_loss_of_any_allocation)
{
	for (unsigned k = 0;; k++) {
		int rc;

		fault_alloc_at(k);
		rc = put_old(MU_EVENT_CHANGED, "/a", "new", "old");
		if (!fault_alloc_off()) {
			ck_assert_int_eq(rc, 0);
			ck_assert_uint_ge(k, 2);
			break;
		}
		ck_assert_int_eq(rc, MU_ENOMEM);
		ck_assert_uint_eq(mu_mailbox_count(b), 0);
	}
	give("/a", "new");
}
END_TEST

START_TEST(no_mailbox_without_memory)
{
	fault_alloc_at(0);
	ck_assert_ptr_null(mu_mailbox_new(1));
	ck_assert(fault_alloc_off());
	mu_mailbox_free(NULL);
}
END_TEST

START_TEST(a_member_is_copied_with_all_its_texts)
{
	char text[] = "xyz";
	struct mu_chan_event e = { .type = MU_EVENT_MEMBER_FAILED,
		                   .count = 1,
		                   .has_member = true,
		                   .port = 7 };

	e.path = e.name = e.id = e.address = e.version = mu_str_of(text);
	e.boot_id = e.state = e.labels = e.author = mu_str_of(text);
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	memset(text, '#', 3);
	e = *mu_mailbox_give(b, 0);
	ck_assert(mu_str_eq(e.name, MU_STR("xyz")));
	ck_assert(mu_str_eq(e.labels, MU_STR("xyz")));
	ck_assert(mu_str_eq(e.state, MU_STR("xyz")));
	ck_assert(mu_str_eq(e.author, MU_STR("xyz")));
	ck_assert_ptr_null(e.data.at);
	ck_assert_uint_eq(e.port, 7);
}
END_TEST

START_TEST(a_gap_stands_for_no_value_and_no_value_for_it)
{
	const struct mu_chan_event *e;

	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_int_eq(put_old(MU_EVENT_GAP, "/a", NULL, NULL), 0);
		ck_assert_int_eq(put("/a", "1"), 0);
		ck_assert_int_eq(put_old(MU_EVENT_CONNECTED, "", NULL, NULL),
		                 0);
	}
	ck_assert_uint_eq(mu_mailbox_count(b), 3);
	e = give("/a", NULL);
	ck_assert_uint_eq(e->type, MU_EVENT_GAP);
	ck_assert_uint_eq(e->count, 2);
	done(e);
	ck_assert_uint_eq(give("/a", "1")->count, 2);
}
END_TEST

START_TEST(that_the_session_was_renewed_is_not_lost_at_the_limit)
{
	struct mu_chan_event e = { .type = MU_EVENT_CONNECTED,
		                   .flags = MU_EVENT_RENEWED | MU_EVENT_STALE,
		                   .count = 1,
		                   .path = MU_STR("") };

	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	ck_assert_int_eq(put("/a", "1"), 0);
	ck_assert_int_eq(put("/b", "1"), 0);
	e.type = MU_EVENT_DISCONNECTED;
	e.flags = 0;
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	done(give("/a", "1"));
	done(give("/b", "1"));
	ck_assert_uint_eq(give("", NULL)->flags,
	                  MU_EVENT_RENEWED | MU_EVENT_OVERFLOW);
}
END_TEST

/* ---- clear, yield ---- */

START_TEST(a_cleared_mailbox_is_empty_and_goes_on)
{
	const struct mu_chan_event *e;

	ck_assert_int_eq(put("/a", "1"), 0);
	ck_assert_int_eq(put("/b", "2"), 0);
	mu_mailbox_clear(b);
	ck_assert_uint_eq(mu_mailbox_count(b), 0);
	ck_assert_ptr_null(mu_mailbox_give(b, 1000));
	ck_assert_uint_eq(mu_mailbox_due_ms(b), UINT64_MAX);
	ck_assert_int_eq(put("/c", "3"), 0);
	e = give("/c", "3");
	ck_assert_uint_eq(e->attempt, 1);
	mu_mailbox_clear(b); /* of the one that is out, too */
	ck_assert(!mu_mailbox_is_out(b));
	ck_assert_uint_eq(mu_mailbox_count(b), 0);
	mu_mailbox_clear(b);
}
END_TEST

static void assert_attempt(int64_t of, const char *path, uint32_t attempt)
{
	const struct mu_chan_event *e;

	zxid = of - 1;
	ck_assert_int_eq(put(path, "v"), 0);
	e = give(path, "v");
	ck_assert_uint_eq(e->attempt, attempt);
	ck_assert_int_eq((e->flags & MU_EVENT_AGAIN) != 0, attempt > 1);
	mu_mailbox_clear(b);
}

START_TEST(one_put_again_after_a_clear_goes_on_counting)
{
	assert_attempt(5, "/a", 1);
	assert_attempt(5, "/a", 2);
	assert_attempt(5, "/a", 3);
	assert_attempt(6, "/a", 1); /* another event */
	assert_attempt(6, "/b", 1);
	assert_attempt(6, "/b", 2);
	/* One that was never given has no attempt to go on from. */
	ck_assert_int_eq(put("/b", "v"), 0);
	mu_mailbox_clear(b);
	assert_attempt(7, "/b", 1);
	mu_mailbox_clear(b); /* empty: forgets the one before */
	assert_attempt(7, "/b", 1);
}
END_TEST

START_TEST(a_failed_event_yields_to_one_of_another_mailbox)
{
	struct mu_mailbox *other = mu_mailbox_new(3), *first = b;
	const struct mu_chan_event *e;

	ck_assert_int_eq(put("/a", "1"), 0);
	ck_assert_int_eq(put("/b", "2"), 0);
	b = other;
	ck_assert_int_eq(put_old(MU_EVENT_CHILDREN, "/a", NULL, NULL), 0);
	ck_assert_int_eq(put("/b", "3"), 0);
	b = first;
	mu_mailbox_yield(b, other); /* was not given yet */
	e = give("/a", "1");
	mu_mailbox_yield(b, other); /* is out */
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq, MU_ESYSTEM, 500), 0);
	mu_mailbox_yield(b, other); /* the other has none of its kind */
	ck_assert_uint_eq(mu_mailbox_count(b), 2);
	b = other;
	ck_assert_int_eq(put("/a", "4"), 0);
	b = first;
	mu_mailbox_yield(b, other);
	ck_assert_uint_eq(mu_mailbox_count(b), 1);
	ck_assert_uint_eq(mu_mailbox_count(other), 3);
	give("/b", "2"); /* at once, and it was never given: no yielding */
	mu_mailbox_free(other);
}
END_TEST

/* The same paths and zxids of another tree are other things. */
START_TEST(a_dropped_mailbox_knows_of_nothing_that_was_tried)
{
	const struct mu_chan_event *e;

	for (int tried = 0; tried < 2; tried++) {
		zxid = 0;
		ck_assert_int_eq(put("/a", "1"), 0);
		e = give("/a", "1");
		if (tried)
			mu_mailbox_lost(b);
		mu_mailbox_drop(b);
		ck_assert_uint_eq(mu_mailbox_count(b), 0);
		ck_assert(!mu_mailbox_is_out(b));
		zxid = 0;
		ck_assert_int_eq(put("/a", "1"), 0);
		e = give("/a", "1");
		ck_assert_uint_eq(e->attempt, 1);
		ck_assert_uint_eq(e->flags, 0);
		done(e);
	}
}
END_TEST

START_TEST(the_event_that_is_out_can_be_looked_at)
{
	const struct mu_chan_event *e;

	ck_assert_ptr_null(mu_mailbox_out(b));
	ck_assert_int_eq(put("/a", "1"), 0);
	ck_assert_ptr_null(mu_mailbox_out(b));
	e = give("/a", "1");
	ck_assert_ptr_eq(mu_mailbox_out(b), e);
	done(e);
	ck_assert_ptr_null(mu_mailbox_out(b));
}
END_TEST

/* ---- positions ---- */

static struct reached {
	int32_t source, n;
	int64_t zxid;
} reached[32];
static unsigned reaches;

static void on_reached(void *arg, int32_t source, int64_t at, int32_t n)
{
	ck_assert_ptr_eq(arg, &reaches);
	ck_assert_uint_lt(reaches, sizeof reached / sizeof *reached);
	reached[reaches++] = (struct reached){ source, n, at };
}

static void track(void)
{
	reaches = 0;
	ck_assert_int_eq(mu_mailbox_track(b, 2, on_reached, &reaches), 0);
}

/* An event of a source, and behind it its own position. */
static void put_of(int32_t source, const char *path, int64_t at, int32_t n)
{
	struct mu_chan_event e = { .type = MU_EVENT_CHANGED, .count = 1 };

	e.source = source;
	e.path = mu_str_of(path);
	e.zxid = at;
	e.n = n;
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	mu_mailbox_position(b, source, at, n);
}

static void assert_reached(unsigned i, int32_t source, int64_t at, int32_t n)
{
	ck_assert_uint_gt(reaches, i);
	ck_assert_int_eq(reached[i].source, source);
	ck_assert_int_eq(reached[i].zxid, at);
	ck_assert_int_eq(reached[i].n, n);
}

static void handle(int64_t at)
{
	const struct mu_chan_event *e = mu_mailbox_give(b, 1000);

	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(e->zxid, at);
	done(e);
}

START_TEST(a_handled_event_moves_its_source_alone)
{
	track();
	put_of(0, "/a", 5, 1);
	put_of(1, "/a", 4, 0);
	put_of(0, "/b", 6, 0);
	ck_assert_uint_eq(reaches, 0);
	handle(5);
	assert_reached(0, 0, 5, 1);
	handle(4);
	assert_reached(1, 1, 4, 0);
	handle(6);
	assert_reached(2, 0, 6, 0);
	ck_assert_uint_eq(reaches, 3);
}
END_TEST

START_TEST(a_position_waits_for_the_last_event_of_its_source)
{
	struct mu_chan_event e = { .type = MU_EVENT_PRESENT, .source = 1 };

	track();
	e.path = MU_STR("/p");
	e.zxid = 1;
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	e.zxid = 2;
	e.path = MU_STR("/q");
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	mu_mailbox_position(b, 1, 90, INT32_MAX);
	put_of(0, "/p", 91, 0);
	handle(1);
	ck_assert_uint_eq(reaches, 0);
	handle(2);
	assert_reached(0, 1, 90, INT32_MAX);
	handle(91);
	assert_reached(1, 0, 91, 0);
}
END_TEST

START_TEST(a_position_is_reached_at_once_when_nothing_of_its_source_waits)
{
	track();
	mu_mailbox_position(b, 0, 7, 3);
	assert_reached(0, 0, 7, 3);
	put_of(1, "/a", 8, 0);
	mu_mailbox_position(b, 0, 9, 0);
	assert_reached(1, 0, 9, 0);
	mu_mailbox_position(b, 1, 10, 0);
	mu_mailbox_position(b, 1, 11, 0);
	ck_assert_uint_eq(reaches, 2);
	handle(8);
	assert_reached(2, 1, 11, 0);
	ck_assert_uint_eq(reaches, 3);
	mu_mailbox_position(b, 1, 12, 0);
	assert_reached(3, 1, 12, 0);
}
END_TEST

START_TEST(up_to_where_events_were_put_is_known_if_the_last_has_a_position)
{
	struct mu_chan_event e = { .type = MU_EVENT_CHANGED, .count = 1 };
	int64_t at = 0;
	int32_t n = 0;

	track();
	ck_assert(!mu_mailbox_waits(b, 0));
	ck_assert(!mu_mailbox_put_up_to(b, 0, &at, &n));
	put_of(0, "/a", 5, 1);
	put_of(1, "/a", 6, 0);
	ck_assert(mu_mailbox_waits(b, 0));
	ck_assert(mu_mailbox_put_up_to(b, 0, &at, &n));
	ck_assert_int_eq(at, 5);
	ck_assert_int_eq(n, 1);
	e.path = MU_STR("/b");
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0); /* without one */
	ck_assert(!mu_mailbox_put_up_to(b, 0, &at, &n));
	mu_mailbox_position(b, 0, 9, 2);
	ck_assert(mu_mailbox_put_up_to(b, 0, &at, &n));
	ck_assert_int_eq(at, 9);
	ck_assert(!mu_mailbox_waits(b, -1));
	ck_assert(!mu_mailbox_put_up_to(b, 7, &at, &n));
}
END_TEST

START_TEST(a_source_that_is_not_tracked_has_no_position)
{
	track();
	put_of(2, "/a", 5, 0);
	put_of(-1, "/b", 6, 0);
	handle(5);
	handle(6);
	mu_mailbox_position(b, 2, 7, 0);
	mu_mailbox_position(b, -1, 7, 0);
	ck_assert_uint_eq(reaches, 0);
}
END_TEST

START_TEST(a_failed_event_holds_the_position_back)
{
	const struct mu_chan_event *e;

	track();
	put_of(0, "/a", 5, 0);
	e = mu_mailbox_give(b, 1000);
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq, MU_EIO, 1000), 0);
	mu_mailbox_position(b, 0, 50, 0);
	e = mu_mailbox_give(b, 2000);
	mu_mailbox_lost(b);
	ck_assert_uint_eq(reaches, 0);
	e = mu_mailbox_give(b, 3000);
	done(e);
	assert_reached(0, 0, 50, 0);
}
END_TEST

/* What stands for another comes behind it, and no position between the two is
 * told: whoever goes on from what was told before finds both again. */
START_TEST(an_event_that_took_the_place_of_others_holds_the_position_back)
{
	const struct mu_chan_event *e;

	track();
	put_of(0, "/a", 1, 0);
	put_of(0, "/b", 2, 0);
	put_of(0, "/c", 3, 0);
	put_of(0, "/a", 4, 0); /* full: in the place of 1 */
	handle(2);
	ck_assert_uint_eq(reaches, 0); /* 1 is in 4 */
	e = mu_mailbox_give(b, 1000);
	ck_assert_int_eq(e->zxid, 3);
	put_of(0, "/c", 5, 0);
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq, MU_EIO, 1000), 0);
	ck_assert_uint_eq(reaches, 0); /* 3 gave way to 5 */
	handle(4);
	ck_assert_uint_eq(reaches, 0); /* 3 is in 5 */
	handle(5);
	assert_reached(0, 0, 5, 0);
	mu_mailbox_position(b, 0, 6, 0);
	assert_reached(1, 0, 6, 0);
}
END_TEST

START_TEST(what_was_handled_behind_the_last_position_is_ahead_of_it)
{
	track();
	put_of(0, "/a", 1, 0);
	put_of(0, "/b", 2, 0);
	put_of(0, "/c", 3, 0);
	put_of(0, "/a", 4, 0); /* full: in the place of 1 */
	put_of(1, "/x", 4, 0);
	ck_assert(!mu_mailbox_is_ahead(b, 0));
	handle(2);
	ck_assert(mu_mailbox_is_ahead(b, 0));
	ck_assert(!mu_mailbox_is_ahead(b, 1));
	handle(3);
	ck_assert(mu_mailbox_is_ahead(b, 0));
	handle(4);
	ck_assert(!mu_mailbox_is_ahead(b, 0));
	handle(4);
	ck_assert(!mu_mailbox_is_ahead(b, 1));
	ck_assert(!mu_mailbox_is_ahead(b, 2));
	ck_assert(!mu_mailbox_is_ahead(b, -1));
}
END_TEST

START_TEST(events_of_two_sources_never_stand_for_each_other)
{
	track();
	put_of(0, "/a", 9, 0);
	put_of(1, "/a", 3, 0); /* behind, of an older value */
	put_of(1, "/b", 4, 0);
	put_of(1, "/a", 5, 0); /* full: for 3 alone */
	handle(9);
	handle(4);
	handle(5);
	ck_assert_uint_eq(mu_mailbox_count(b), 0);
}
END_TEST

START_TEST(a_cleared_mailbox_has_no_positions)
{
	track();
	put_of(0, "/a", 1, 0);
	put_of(0, "/b", 2, 0);
	mu_mailbox_clear(b);
	ck_assert_uint_eq(reaches, 0);
	mu_mailbox_position(b, 0, 3, 0);
	assert_reached(0, 0, 3, 0);
	put_of(0, "/a", 4, 0);
	mu_mailbox_drop(b);
	ck_assert_uint_eq(reaches, 1);
}
END_TEST

/* ---- another life ---- */

START_TEST(an_event_that_may_have_been_given_says_so_and_yields_to_none)
{
	struct mu_chan_event e = { .type = MU_EVENT_CHANGED, .count = 1 };
	const struct mu_chan_event *out;

	e.path = MU_STR("/a");
	e.flags = MU_EVENT_AGAIN;
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	ck_assert_ptr_null(mu_mailbox_failed(b).e);
	e.flags = 0;
	e.zxid = 1;
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	ck_assert_uint_eq(mu_mailbox_count(b), 2);
	out = mu_mailbox_give(b, 1000);
	ck_assert_uint_eq(out->flags, MU_EVENT_AGAIN);
	ck_assert_uint_eq(out->attempt, 2);
	done(out);
	out = mu_mailbox_give(b, 1000);
	ck_assert_uint_eq(out->flags, 0);
	ck_assert_uint_eq(out->attempt, 1);
}
END_TEST

static void assert_failed(const struct mu_chan_event *e, uint32_t attempts,
                          bool yields)
{
	struct mu_mailbox_failure f = mu_mailbox_failed(b);

	ck_assert_ptr_eq(f.e, e);
	ck_assert_uint_eq(f.attempts, attempts);
	ck_assert_int_eq(f.yields, yields);
}

START_TEST(what_failed_is_told_with_its_attempts)
{
	const struct mu_chan_event *e;

	assert_failed(NULL, 0, false);
	ck_assert_int_eq(put("/a", "1"), 0);
	assert_failed(NULL, 0, false);
	e = give("/a", "1");
	assert_failed(e, 1, false);
	mu_mailbox_lost(b);
	assert_failed(e, 1, false);
	e = give("/a", "1");
	assert_failed(e, 2, false);
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq, MU_EIO, 1000), 0);
	assert_failed(e, 2, true);
	e = mu_mailbox_give(b, 2000);
	assert_failed(e, 3, true);
	done(e);
	assert_failed(NULL, 0, false);
}
END_TEST

static void tried(const struct mu_chan_event *e, uint32_t attempts, bool yields)
{
	struct mu_mailbox_failure f = { e, attempts, yields };

	ck_assert_int_eq(mu_mailbox_tried(b, &f), 0);
}

static struct mu_chan_event the_tried(void)
{
	return (struct mu_chan_event){ .type = MU_EVENT_CHANGED,
		                       .count = 1,
		                       .source = 1,
		                       .zxid = 7,
		                       .n = 2,
		                       .path = MU_STR("/a") };
}

START_TEST(what_was_tried_in_another_life_goes_on_where_it_was)
{
	struct mu_chan_event e = the_tried();
	const struct mu_chan_event *out;

	tried(&e, 4, false);
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	out = mu_mailbox_give(b, 1000);
	ck_assert_uint_eq(out->attempt, 5);
	ck_assert_uint_eq(out->flags, MU_EVENT_AGAIN);
	ck_assert_int_eq(mu_mailbox_ack(b, out->seq, MU_EIO, 1000), 0);
	ck_assert_uint_eq(mu_mailbox_due_ms(b), 1000 + mu_backoff_ms(5));
}
END_TEST

START_TEST(another_event_is_not_the_one_that_was_tried)
{
	struct mu_chan_event e = the_tried();

	tried(&e, 4, false);
	switch (_i) {
	case 0:
		e.source = 0;
		break;
	case 1:
		e.zxid = 8;
		break;
	case 2:
		e.n = 1;
		break;
	case 3:
		e.path = MU_STR("/b");
		break;
	default:
		e.type = MU_EVENT_CREATED;
	}
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	ck_assert_uint_eq(mu_mailbox_give(b, 1000)->attempt, 1);
}
END_TEST

START_TEST(tracking_and_trying_without_memory_change_nothing)
{
	struct mu_chan_event e = the_tried();
	struct mu_mailbox_failure f = { &e, 1, false };

	fault_alloc_at(0);
	ck_assert_int_eq(mu_mailbox_track(b, 2, on_reached, &reaches),
	                 MU_ENOMEM);
	ck_assert(fault_alloc_off());
	fault_alloc_at(0);
	ck_assert_int_eq(mu_mailbox_tried(b, &f), MU_ENOMEM);
	ck_assert(fault_alloc_off());
	track();
	put_of(1, "/a", 7, 2);
	ck_assert_uint_eq(mu_mailbox_give(b, 1000)->attempt, 1);
}
END_TEST

/* A process may end for reasons of its own: then nothing that it had is lost.
 * What ends it again and again may be replaced. */
START_TEST(an_event_that_was_lost_once_is_not_replaced_but_later_it_is)
{
	const struct mu_chan_event *e;

	ck_assert_int_eq(put("/a", "1"), 0);
	give("/a", "1");
	ck_assert_int_eq(put("/a", "2"), 0);
	mu_mailbox_lost(b);
	ck_assert_int_eq(put("/a", "3"), 0);
	ck_assert_uint_eq(mu_mailbox_count(b), 3);
	e = give("/a", "1");
	ck_assert_uint_eq(e->attempt, 2);
	ck_assert_uint_eq(e->flags, MU_EVENT_AGAIN);
	mu_mailbox_lost(b);
	ck_assert_uint_eq(mu_mailbox_count(b), 2);
	done(give("/a", "2"));
	e = give("/a", "3");
	ck_assert_uint_eq(e->count, 2);
	ck_assert_uint_eq(e->attempt, 1);
}
END_TEST

START_TEST(what_was_lost_once_in_another_life_is_not_replaced_either)
{
	struct mu_chan_event e = the_tried();

	for (uint32_t yields = 0; yields < 2; yields++) {
		tried(&e, 5, yields);
		ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
		e.zxid++;
		ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
		ck_assert_uint_eq(mu_mailbox_count(b), 2 - yields);
		mu_mailbox_drop(b);
	}
}
END_TEST

/* ---- where the newest is enough ---- */

START_TEST(where_the_newest_is_enough_it_stands_for_all_that_waited)
{
	static const char *const value[] = { "2", "3", "4", "5", "6" };
	const struct mu_chan_event *e;

	mu_mailbox_want_newest(b, true);
	put_old(MU_EVENT_CHANGED, "/a", "1", "0");
	e = give("/a", "1");
	ck_assert_uint_eq(e->count, 1);
	/* The one that is out stays what it is; and no limit is in the way. */
	put_old(MU_EVENT_CHANGED, "/a", value[0], "1");
	for (int i = 1; i < 5; i++)
		put_old(MU_EVENT_CHANGED, "/a", value[i], value[i - 1]);
	ck_assert(mu_str_eq(mu_mailbox_out(b)->data, MU_STR("1")));
	done(e);
	e = give("/a", "6");
	ck_assert_uint_eq(e->count, 5);
	ck_assert_uint_eq(e->flags, 0);
	ck_assert_uint_eq(e->attempt, 1);
	ck_assert_int_eq(e->zxid, 6);
	ck_assert(mu_str_eq(e->old_data, MU_STR("1")));
	done(e);
	ck_assert_uint_eq(mu_mailbox_count(b), 0);
}
END_TEST

START_TEST(what_waited_before_the_newest_was_enough_is_passed_over_too)
{
	const struct mu_chan_event *e;

	put("/a", "1");
	put("/a", "2");
	mu_mailbox_want_newest(b, true);
	e = give("/a", "2");
	put("/a", "3");
	put("/a", "4");
	mu_mailbox_want_newest(b, false);
	done(e);
	done(give("/a", "3"));
	done(give("/a", "4"));
}
END_TEST

START_TEST(the_newest_says_what_became_of_the_node)
{
	const struct mu_chan_event *e;

	mu_mailbox_want_newest(b, true);
	put_old(MU_EVENT_DELETED, "/a", NULL, "old");
	put_old(MU_EVENT_CREATED, "/a", "new", NULL);
	e = give("/a", "new");
	ck_assert_uint_eq(e->type, MU_EVENT_CREATED);
	ck_assert_uint_eq(e->count, 2);
	ck_assert(mu_str_eq(e->old_data, MU_STR("old")));
	done(e);
	put_old(MU_EVENT_CHANGED, "/a", "x", "new");
	put_old(MU_EVENT_DELETED, "/a", NULL, "x");
	e = mu_mailbox_give(b, 1000);
	ck_assert_uint_eq(e->type, MU_EVENT_DELETED);
	ck_assert(mu_str_eq(e->old_data, MU_STR("new")));
	done(e);
}
END_TEST

START_TEST(children_links_and_gaps_are_none_of_a_value_s_newest)
{
	static const uint32_t type[] = { MU_EVENT_CHANGED, MU_EVENT_CHILDREN,
		                         MU_EVENT_GAP,     MU_EVENT_CONNECTED,
		                         MU_EVENT_GAP,     MU_EVENT_CONNECTED,
		                         MU_EVENT_CHANGED };
	static const int64_t expected[] = { 2, 3, 4, 5, 6, 7 };

	mu_mailbox_want_newest(b, true);
	mu_mailbox_free(b);
	b = mu_mailbox_new(100);
	mu_mailbox_want_newest(b, true);
	for (size_t i = 0; i < sizeof type / sizeof *type; i++)
		put_old(type[i], "/a", "x", NULL);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		const struct mu_chan_event *e = mu_mailbox_give(b, 1000);

		ck_assert_ptr_nonnull(e);
		ck_assert_int_eq(e->zxid, expected[i]);
		done(e);
	}
	ck_assert_uint_eq(mu_mailbox_count(b), 0);
}
END_TEST

START_TEST(a_path_that_changes_all_the_time_has_its_turn)
{
	const struct mu_chan_event *e;
	char text[16];
	bool told = false;

	mu_mailbox_free(b);
	b = mu_mailbox_new(100);
	mu_mailbox_want_newest(b, true);
	put("/a", "0");
	for (int i = 1; i < 10 && !told; i++) {
		put("/b", "x");
		snprintf(text, sizeof text, "%d", i);
		put("/a", text);
		e = mu_mailbox_give(b, 1000);
		told = mu_str_eq(e->path, MU_STR("/a"));
		put("/b", "x");
		put("/a", text);
		done(e);
	}
	ck_assert(told);
}
END_TEST

START_TEST(values_that_are_not_waited_for_take_no_room)
{
	static char big[MU_MAILBOX_BYTES_MAX / 2];
	struct mu_chan_event e = { .type = MU_EVENT_CHANGED, .count = 1 };

	mu_mailbox_free(b);
	b = mu_mailbox_new(100);
	e.path = MU_STR("/a");
	e.data = (struct mu_str){ big, sizeof big - 2 };
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	ck_assert_int_eq(mu_mailbox_put(b, &e), MU_EFULL);
	mu_mailbox_want_newest(b, true);
	for (int i = 0; i < 10; i++) {
		e.zxid = i;
		ck_assert_int_eq(mu_mailbox_put(b, &e), 0);
	}
	ck_assert_int_eq(mu_mailbox_give(b, 1000)->zxid, 9);
	ck_assert_uint_eq(mu_mailbox_out(b)->count, 12);
	ck_assert_uint_eq(mu_mailbox_count(b), 1);
}
END_TEST

/* Many paths, at random: of each the values come in order, each stands for those
 * before it, and the last is the last. */
START_TEST(of_many_paths_each_ends_with_its_newest)
{
	enum { PATHS = 150, PUTS = 20000 };
	static unsigned put_count[PATHS], told[PATHS];
	static int64_t last[PATHS], seen[PATHS];
	uint32_t random = 1 + (uint32_t)_i;
	unsigned given = 0;

	memset(put_count, 0, sizeof put_count);
	memset(told, 0, sizeof told);
	memset(last, 0, sizeof last);
	memset(seen, 0, sizeof seen);
	mu_mailbox_free(b);
	b = mu_mailbox_new(_i ? 1000 : 200);
	mu_mailbox_want_newest(b, true);
	for (int i = 0; i < PUTS || mu_mailbox_count(b); i++) {
		const struct mu_chan_event *e;
		char path[16];
		unsigned k;

		random = random * 1664525u + 1013904223u;
		k = (random >> 8) % PATHS;
		snprintf(path, sizeof path, "/%u", k);
		if (i < PUTS) {
			ck_assert_int_eq(put(path, "x"), 0);
			put_count[k]++;
			last[k] = zxid;
		}
		if (i < PUTS && (random >> 24) > 60)
			continue;
		e = mu_mailbox_give(b, 1000);
		if (!e)
			continue;
		ck_assert_uint_eq(e->flags, 0);
		ck_assert_int_eq(sscanf(e->path.at, "/%u", &k), 1);
		ck_assert_int_gt(e->zxid, seen[k]);
		seen[k] = e->zxid;
		told[k] += e->count;
		given++;
		done(e);
	}
	for (unsigned k = 0; k < PATHS; k++) {
		ck_assert_int_eq(seen[k], last[k]);
		ck_assert_uint_eq(told[k], put_count[k]);
	}
	ck_assert_uint_lt(given, PUTS / 2);
}
END_TEST

START_TEST(what_was_passed_over_holds_the_position_back)
{
	track();
	mu_mailbox_want_newest(b, true);
	put_of(0, "/a", 5, 0);
	put_of(0, "/b", 6, 0);
	put_of(0, "/a", 7, 0);
	handle(6);
	ck_assert_uint_eq(reaches, 0); /* 5 is handled with 7 */
	handle(7);
	assert_reached(0, 0, 7, 0);
	put_of(0, "/a", 8, 0);
	put_of(1, "/a", 8, 0);
	put_of(0, "/a", 9, 0);
	handle(8); /* of the other source, which moves alone */
	assert_reached(1, 1, 8, 0);
	handle(9);
	assert_reached(2, 0, 9, 0);
	ck_assert_uint_eq(reaches, 3);
}
END_TEST

START_TEST(what_was_tried_gives_way_to_the_newest)
{
	const struct mu_chan_event *e;

	mu_mailbox_want_newest(b, true);
	put("/a", "1");
	give("/a", "1");
	mu_mailbox_lost(b);
	e = give("/a", "1"); /* nothing is newer */
	ck_assert_uint_eq(e->attempt, 2);
	put("/a", "2");
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq, MU_EIO, 1000), 0);
	e = give("/a", "2");
	ck_assert_uint_eq(e->attempt, 1);
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq, MU_EIO, 1000), 0);
	ck_assert_ptr_null(mu_mailbox_give(b, 1000)); /* it waits */
	ck_assert_ptr_nonnull(mu_mailbox_give(b, 1100));
}
END_TEST

START_TEST(what_wants_a_broker_is_due_when_there_is_one)
{
	const struct mu_chan_event *e;

	put("/a", "1");
	e = give("/a", "1");
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq, MU_ECONNLOSS, 1000), 0);
	ck_assert_ptr_null(mu_mailbox_give(b, 1099));
	mu_mailbox_linked(b);
	ck_assert_uint_eq(mu_mailbox_due_ms(b), 0);
	e = give("/a", "1");
	ck_assert_uint_eq(e->attempt, 2);
	/* What failed for another reason waits all the same. */
	ck_assert_int_eq(mu_mailbox_ack(b, e->seq, MU_EIO, 1000), 0);
	mu_mailbox_linked(b);
	ck_assert_uint_eq(mu_mailbox_due_ms(b), 1200);
}
END_TEST

static void note_last(void *arg, int32_t source, int64_t at, int32_t n)
{
	(void)source, (void)n;
	*(int64_t *)arg = at;
}

/* What this thread has used of a processor, in microseconds. */
static int64_t used_us(void)
{
	struct timespec t;

	ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Put so many paths, three times, and handle them; how long that takes. Not an
 * assertion for each, which would take the most of it. */
static int64_t fill_and_empty(unsigned paths)
{
	struct mu_chan_event e = { .type = MU_EVENT_CHANGED, .count = 1 };
	int64_t begun = used_us(), last = 0;
	const struct mu_chan_event *out;
	unsigned whole = 0;
	char path[16];

	b = mu_mailbox_new(3);
	ck_assert_ptr_nonnull(b);
	ck_assert_int_eq(mu_mailbox_track(b, 1, note_last, &last), 0);
	for (unsigned i = 0; i < 3 * paths; i++) {
		snprintf(path, sizeof path, "/%u", i % paths);
		e.path = mu_str_of(path);
		e.zxid = (int64_t)i + 1;
		if (mu_mailbox_put(b, &e))
			break;
		mu_mailbox_position(b, 0, e.zxid, 0);
	}
	ck_assert_uint_eq(mu_mailbox_count(b), paths);
	while ((out = mu_mailbox_give(b, 1000))) {
		whole += out->count == 3;
		if (mu_mailbox_ack(b, out->seq, 0, 1000))
			break;
	}
	ck_assert_uint_eq(whole, paths);
	ck_assert_int_eq(last, 3 * (int64_t)paths);
	mu_mailbox_free(b);
	b = NULL;
	return used_us() - begun;
}

/* Ten times as many cost ten times as much, or some more for a colder cache; were
 * each a walk through all that waits, a hundred times. */
START_TEST(many_paths_cost_each_no_more_than_few)
{
	int64_t few, many;

	mu_mailbox_free(b);
	fill_and_empty(3000); /* the first time of all is slower */
	few = fill_and_empty(3000);
	many = fill_and_empty(30000);
	ck_assert_msg(many < 50 * few, "%lld us for 3000, %lld for 30000",
	              (long long)few, (long long)many);
}
END_TEST

static void add_newest(TCase *tc)
{
	tcase_add_test(tc, what_wants_a_broker_is_due_when_there_is_one);
	tcase_add_test(
		tc, where_the_newest_is_enough_it_stands_for_all_that_waited);
	tcase_add_test(
		tc,
		what_waited_before_the_newest_was_enough_is_passed_over_too);
	tcase_add_test(tc, the_newest_says_what_became_of_the_node);
	tcase_add_test(tc,
	               children_links_and_gaps_are_none_of_a_value_s_newest);
	tcase_add_test(tc, a_path_that_changes_all_the_time_has_its_turn);
	tcase_add_test(tc, values_that_are_not_waited_for_take_no_room);
	tcase_add_loop_test(tc, of_many_paths_each_ends_with_its_newest, 0, 3);
	tcase_add_test(tc, what_was_passed_over_holds_the_position_back);
	tcase_add_test(tc, what_was_tried_gives_way_to_the_newest);
}

int main(void)
{
	Suite *s = suite_create("mailbox");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, events_come_in_order_one_at_a_time);
	tcase_add_test(tc, an_answer_to_another_event_changes_nothing);
	tcase_add_test(tc, a_failed_event_is_given_again_after_its_back_off);
	tcase_add_test(tc, a_lost_event_is_given_again_at_once);
	tcase_add_test(tc, a_newer_event_that_waits_replaces_a_failed_one);
	tcase_add_test(tc,
	               a_newer_event_that_comes_later_replaces_a_failed_one);
	tcase_add_test(tc, a_change_of_children_does_not_replace_a_value);
	tcase_add_test(tc, at_the_limit_nothing_is_merged);
	tcase_add_test(tc, beyond_the_limit_the_newest_of_a_path_is_kept);
	tcase_add_test(tc, beyond_the_limit_another_path_is_taken_all_the_same);
	tcase_add_test(tc, the_event_that_is_out_is_never_merged);
	tcase_add_test(tc,
	               values_beyond_the_limit_are_refused_and_change_nothing);
	tcase_add_test(
		tc, values_that_take_the_place_of_others_keep_to_the_limit_too);
	tcase_add_test(
		tc, the_limit_counts_what_waits_and_nothing_that_was_replaced);
	tcase_add_test(tc, paths_beyond_the_limit_are_refused);
	tcase_add_test(tc, a_put_survives_the_loss_of_any_allocation);
	tcase_add_test(tc, no_mailbox_without_memory);
	tcase_add_test(tc, a_member_is_copied_with_all_its_texts);
	tcase_add_test(tc, a_gap_stands_for_no_value_and_no_value_for_it);
	tcase_add_test(tc,
	               that_the_session_was_renewed_is_not_lost_at_the_limit);
	tcase_add_test(tc, a_cleared_mailbox_is_empty_and_goes_on);
	tcase_add_test(tc, one_put_again_after_a_clear_goes_on_counting);
	tcase_add_test(tc, a_failed_event_yields_to_one_of_another_mailbox);
	tcase_add_test(tc, a_dropped_mailbox_knows_of_nothing_that_was_tried);
	tcase_add_test(tc, the_event_that_is_out_can_be_looked_at);
	tcase_add_test(tc, a_handled_event_moves_its_source_alone);
	tcase_add_test(tc, a_position_waits_for_the_last_event_of_its_source);
	tcase_add_test(
		tc,
		a_position_is_reached_at_once_when_nothing_of_its_source_waits);
	tcase_add_test(
		tc,
		up_to_where_events_were_put_is_known_if_the_last_has_a_position);
	tcase_add_test(tc, a_source_that_is_not_tracked_has_no_position);
	tcase_add_test(tc, a_failed_event_holds_the_position_back);
	tcase_add_test(
		tc,
		an_event_that_took_the_place_of_others_holds_the_position_back);
	tcase_add_test(tc, events_of_two_sources_never_stand_for_each_other);
	tcase_add_test(
		tc, what_was_handled_behind_the_last_position_is_ahead_of_it);
	tcase_add_test(tc, a_cleared_mailbox_has_no_positions);
	tcase_add_test(
		tc,
		an_event_that_may_have_been_given_says_so_and_yields_to_none);
	tcase_add_test(tc, what_failed_is_told_with_its_attempts);
	tcase_add_test(tc, what_was_tried_in_another_life_goes_on_where_it_was);
	tcase_add_loop_test(tc, another_event_is_not_the_one_that_was_tried, 0,
	                    5);
	tcase_add_test(tc, tracking_and_trying_without_memory_change_nothing);
	tcase_add_test(
		tc,
		an_event_that_was_lost_once_is_not_replaced_but_later_it_is);
	tcase_add_test(
		tc, what_was_lost_once_in_another_life_is_not_replaced_either);
	tcase_add_test(tc, many_paths_cost_each_no_more_than_few);
	add_newest(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
