/*
 * A node with a million children. One store holds them; what is asked of it goes
 * in and comes out as records, as from a client.
 *
 * What is O(1) is told by two things that a busy machine does not change much:
 * how many allocations it takes, and the CPU time (not the time of day) of the
 * quickest of several rounds, among a thousand siblings and among a million. A
 * walk over the siblings would cost a thousand times as much; caches that no
 * longer hold all of them cost a few times as much.
 */
#include "store_bed.h"

#include <stdio.h>
#include <time.h>

/* Sanitizers and builds for coverage take a tenth, by the same code. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || \
	defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
	__has_feature(thread_sanitizer)
#define MANY 100000
#else
#define MANY 1000000
#endif
#define FEW 1000
#define HEADER_LEN 16
#define STAT_LEN 68
#define ROUND 500
#define ROUNDS 9
#define TIMES_MAX 20 /* of the cost among FEW; a walk would be MANY / FEW */

static struct mu_reply_header last; /* of what came out */
static size_t replies, last_len;    /* its body's bytes */
static struct mu_buf body;          /* kept if it is small */
static struct mu_buf record;

/* Check writes a line for each thing that holds, which is what would be measured. */
static void must(bool holds, const char *what)
{
	if (!holds)
		ck_abort_msg("%s", what);
}

/* Take all out without keeping it; the journal answers at once. */
static void swallow(void)
{
	struct mu_effect e;

	while (mu_store_effect(store.s, &e)) {
		struct mu_in in = mu_in_of(e.bytes, e.len);
		struct mu_str rec;

		if (e.kind == MU_FX_LOG)
			store.logged = e.index;
		if (e.kind != MU_FX_SEND)
			continue;
		while (mu_frame_next(&in, &rec) == 1) {
			struct mu_in one = mu_in_of(rec.at, rec.len);

			must(mu_get_reply_header(&one, &last) == 0, "header");
			replies++;
			last_len = mu_in_left(&one);
			mu_buf_reset(&body);
			if (last_len < 200)
				mu_buf_put(&body, one.at, last_len);
		}
	}
}

/* One request, and its reply. */
static int ask(int32_t op, const struct mu_buf *q)
{
	const size_t before = replies;

	mu_buf_reset(&record);
	mu_put_request_header(&record, ++bed.xid, op);
	mu_buf_put(&record, q->data, q->len);
	mu_store_receive(store.s, 1, record.data, record.len, store.now);
	swallow();
	if (bed_stats().applied != store.logged) {
		must(mu_store_durable(store.s, store.logged) == 0, "durable");
		swallow();
	}
	must(replies == before + 1, "one reply");
	must(last.xid == bed.xid, "its xid");
	return last.err;
}

static const char *name(int i)
{
	static char path[32];

	snprintf(path, sizeof path, "/many/n%07d", i);
	return path;
}

static void grow(int from, int to)
{
	for (int i = from; i < to; i++)
		must(ask(MU_OP_CREATE, q_create(name(i), "", 0)) == 0,
		     "create");
}

/* ---- what an operation costs --------------------------------------------------- */

struct cost {
	double us; /* of the quickest round, an operation */
	long live; /* more allocations than before it */
};

/* Each time another, so that none is near an end of a list because it was meant
 * shortly before. */
static int pick(int count)
{
	static int64_t at;

	return (int)(++at * 7919 % count);
}

static struct cost round_of(int (*one)(int which), int count)
{
	const long live = fault_alloc_live();
	const clock_t begun = clock();

	for (int i = 0; i < ROUND; i++)
		must(one(pick(count)) == 0, "done");
	return (struct cost){
		.us = (double)(clock() - begun) * 1e6 / CLOCKS_PER_SEC / ROUND,
		.live = fault_alloc_live() - live,
	};
}

static int exists_one(int which)
{
	return ask(MU_OP_EXISTS, q_path(name(which), false));
}

/* Delete and create again: both, and the number stays. */
static int renew_one(int which)
{
	const char *path = name(which);
	int err = ask(MU_OP_DELETE, q_delete(path, -1));

	return err ? err : ask(MU_OP_CREATE, q_create(path, "", 0));
}

static struct cost cost_of(int (*one)(int which), int count)
{
	struct cost least = round_of(one, count);

	for (int n = 1; n < ROUNDS; n++) {
		struct cost c = round_of(one, count);

		if (c.us < least.us)
			least.us = c.us;
		if (c.live < least.live)
			least.live = c.live;
	}
	return least;
}

static void costs_the_same(const struct cost *few, const struct cost *many)
{
	ck_assert_msg(many->us < few->us * TIMES_MAX,
	              "%.2f us among %d, %.2f us among %d", few->us, FEW,
	              many->us, MANY);
	ck_assert_int_le(few->live, 4);
	ck_assert_int_le(many->live, 4);
}

/* ---- the listing ----------------------------------------------------------------- */

static void limit_reply(uint32_t bytes)
{
	struct mu_err err;

	store.config.reply_max = bytes;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &store.config, &err), 0);
}

static int32_t children_of_many(void)
{
	struct mu_stat stat;
	struct mu_in in;

	ck_assert_int_eq(ask(MU_OP_EXISTS, q_path("/many", false)), 0);
	in = mu_in_of(body.data, body.len);
	ck_assert_int_eq(mu_get_stat(&in, &stat), 0);
	return stat.num_children;
}

static void listing_keeps_the_limit(int32_t op, size_t bytes)
{
	const uint32_t whole = (uint32_t)(4 + HEADER_LEN + bytes);

	limit_reply(whole);
	ck_assert_int_eq(ask(op, q_path("/many", false)), 0);
	ck_assert_uint_eq(last_len, bytes);
	limit_reply(whole - 1);
	ck_assert_int_eq(ask(op, q_path("/many", true)), MU_ETOOBIG);
	ck_assert_uint_eq(last_len, 0);
	/* Who was refused left no watch, and can ask how many they are. */
	ck_assert_uint_eq(bed_stats().watches, 0);
	ck_assert_int_eq(children_of_many(), MANY);
}

START_TEST(a_million_children_cost_no_more_than_a_thousand)
{
	struct cost few[2], many[2];
	const size_t names = (size_t)MANY * (4 + sizeof "n0000000" - 1);
	struct mu_err err;

	bed_open();
	/* What it keeps of past changes is another matter. */
	store.config.change_log_max = 0;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &store.config, &err), 0);
	bed_connect(1);
	ck_assert_int_eq(ask(MU_OP_CREATE, q_create("/many", "", 0)), 0);
	grow(0, FEW);
	few[0] = cost_of(exists_one, FEW);
	few[1] = cost_of(renew_one, FEW);
	grow(FEW, MANY);
	ck_assert_int_eq(children_of_many(), MANY);
	many[0] = cost_of(exists_one, MANY);
	many[1] = cost_of(renew_one, MANY);
	costs_the_same(&few[0], &many[0]);
	costs_the_same(&few[1], &many[1]);
	ck_assert_int_eq(children_of_many(), MANY);
	mu_store_verify(store.s);

	listing_keeps_the_limit(MU_OP_GET_CHILDREN, 4 + names);
	listing_keeps_the_limit(MU_OP_GET_CHILDREN2, 4 + names + STAT_LEN);
	mu_buf_fini(&body);
	mu_buf_fini(&record);
	bed_close();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store_many");
	TCase *c = tcase_create("a million children");
	SRunner *sr;
	int failed;

	tcase_set_timeout(c, 60);
	tcase_add_test(c, a_million_children_cost_no_more_than_a_thousand);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
