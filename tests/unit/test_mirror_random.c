/* A mirror on a subscription against a random history: whatever is cut, refused,
 * restarted or forgotten by the broker on the way, each change is told once, in
 * order, or its loss is announced; and what the sink knows at the end is the
 * truth. */
#include "fault.h"
#include "mirror_bed.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bed b;
static uint32_t dice, seed;

static uint32_t roll(uint32_t sides)
{
	dice = dice * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)(dice >> 8) * sides) >> 24);
}

/* ---- who is told ---- */

struct known {
	char path[24], data[24];
};

#define PATHS 6

static const char *const path_of[PATHS] = { "/c",     "/c/a",   "/c/b",
	                                    "/c/a/x", "/c/a/y", "/o" };

/* Somebody may go on from there, who was told of so many changes of each. */
struct cursor {
	struct mu_mirror_at at;
	int64_t counts[PATHS];
};

static struct {
	struct known at[BED_NODES];
	int told[BED_HISTORY];    /* times, over all restarts */
	struct mu_mirror_at last; /* exact event of this life */
	int64_t excused; /* changes up to here may have been read, not told */
	struct cursor cursor[8]; /* the newest last */
	int64_t counts[PATHS];
	int64_t counts_from; /* changes behind this zxid are counted */
	int cursors, gaps;
	int checked; /* of the history: told or excused */
	bool ready, refuses;
} sink;

static struct mu_mirror_limits limits;

static bool is_up_to(struct mu_mirror_at a, struct mu_mirror_at b_)
{
	return a.zxid != b_.zxid ? a.zxid < b_.zxid : a.n <= b_.n;
}

static struct known *known_at(const char *path)
{
	for (int i = 0; i < BED_NODES; i++)
		if (strcmp(sink.at[i].path, path) == 0)
			return &sink.at[i];
	return NULL;
}

static void know(const char *path, struct mu_str data)
{
	struct known *k = known_at(path);

	k = k ? k : known_at("");
	ck_assert_ptr_nonnull(k);
	snprintf(k->path, sizeof k->path, "%s", path);
	snprintf(k->data, sizeof k->data, "%.*s", (int)data.len, data.at);
}

static void learn(const struct mu_mirror_event *e)
{
	struct known *k;
	char path[24];

	snprintf(path, sizeof path, "%.*s", (int)e->path.len, e->path.at);
	if (e->type == MU_MIRROR_GAP || e->type == MU_EVENT_CHILDREN)
		return;
	if (e->type != MU_EVENT_DELETED) {
		know(path, e->data);
		return;
	}
	k = known_at(path);
	if (k)
		k->path[0] = '\0';
}

static int present_sink(void *arg, const struct mu_mirror_event *e)
{
	(void)arg;
	ck_assert_uint_eq(e->type, MU_EVENT_PRESENT);
	learn(e);
	return 0;
}

static int number_of(const char *path)
{
	int i = 0;

	while (strcmp(path_of[i], path) != 0)
		i++;
	return i;
}

/* The events up to a cursor count all that was changed up to there, be it that a
 * value was read later, or that its node was gone. */
static void check_counts(struct mu_mirror_at at)
{
	int64_t changes[PATHS] = { 0 };

	for (int i = 0; i < b.changes; i++) {
		const struct bed_change *c = &b.history[i];

		if (is_up_to(c->at, at) && c->at.zxid > sink.counts_from &&
		    c->type != MU_EVENT_CHILDREN &&
		    bed_covers(&b, c->type, c->path))
			changes[number_of(c->path)]++;
	}
	for (int i = 0; i < PATHS; i++)
		ck_assert_msg(sink.counts[i] >= changes[i],
		              "seed %u: at (%lld,%d) %lld of %lld changes of "
		              "%s are counted",
		              seed, (long long)at.zxid, at.n,
		              (long long)sink.counts[i], (long long)changes[i],
		              path_of[i]);
}

static void move_cursor(struct mu_mirror_at at)
{
	struct cursor *c;

	if (sink.gaps == 0)
		check_counts(at);
	if (sink.cursors == 8)
		memmove(sink.cursor, sink.cursor + 1,
		        (size_t)--sink.cursors * sizeof *c);
	c = &sink.cursor[sink.cursors++];
	c->at = at;
	memcpy(c->counts, sink.counts, sizeof c->counts);
}

static int index_of(int64_t zxid, int32_t n)
{
	for (int i = b.changes; i-- > 0;)
		if (b.history[i].at.zxid == zxid && b.history[i].at.n == n)
			return i;
	ck_abort_msg("no change (%lld,%d)", (long long)zxid, n);
	return -1;
}

static void check_value(const struct mu_mirror_event *e,
                        const struct bed_change *c)
{
	bool deleted = c->type == MU_EVENT_DELETED;
	struct mu_str data = deleted ? e->old_data : e->data;

	ck_assert((e->stat == NULL) == deleted);
	if (strlen(c->data) > b.whole_max)
		return;
	ck_assert_mem_eq(deleted ? e->last : e->stat, &c->stat, sizeof c->stat);
	if (c->type != MU_EVENT_CHILDREN)
		ck_assert(mu_str_eq(data, mu_str_of(c->data)));
}

static void check_exact(const struct mu_mirror_event *e)
{
	struct mu_mirror_at at = { e->zxid, e->n };
	int i = index_of(e->zxid, e->n);
	const struct bed_change *c = &b.history[i];

	ck_assert(!is_up_to(at, sink.last));
	ck_assert(sink.ready);
	ck_assert(mu_str_eq(e->path, mu_str_of(c->path)));
	ck_assert_int_eq(e->session, e->zxid * 2);
	ck_assert(mu_str_eq(e->origin, MU_STR("o")));
	/* One that was gone before it could be read is created later. */
	if (b.whole_max == 20)
		ck_assert_int_eq((int)e->type, c->type);
	check_value(e, c);
	sink.told[i]++;
	sink.last = at;
	if (e->type != MU_EVENT_CHILDREN)
		sink.counts[number_of(c->path)] += e->count;
	if (!e->held)
		move_cursor(at);
}

static int on_event(void *arg, const struct mu_mirror_event *e)
{
	(void)arg;
	if (sink.refuses && roll(40) == 0)
		return MU_EFULL;
	ck_assert_uint_ge(e->count, 1);
	if (e->exact)
		check_exact(e);
	if (e->type == MU_MIRROR_GAP) {
		sink.gaps++;
		sink.excused = b.zxid;
		ck_assert_int_gt(b.gaps, 0);
	}
	/* Behind a gap, and again if the reading behind it was cut short. */
	if (e->flags & MU_EVENT_COALESCED) {
		ck_assert_int_gt(sink.gaps, 0);
		sink.excused = b.zxid;
	}
	learn(e);
	return 0;
}

static void on_ready(void *arg, bool quiet)
{
	(void)arg;
	ck_assert(!sink.ready);
	sink.ready = true;
	if (!quiet) {
		sink.excused = b.zxid;
		sink.counts_from = b.zxid;
		return;
	}
	ck_assert_int_eq(mu_mirror_present(b.m, present_sink, NULL), 0);
}

/* ---- what must hold ---- */

/* Every change up to here was told, but those that a reading stands for. */
static void check_all_told(struct mu_mirror_at up_to)
{
	for (; sink.checked < b.changes; sink.checked++) {
		const struct bed_change *c = &b.history[sink.checked];

		if (!is_up_to(c->at, up_to))
			return;
		if (c->at.zxid > sink.excused &&
		    bed_covers(&b, c->type, c->path))
			ck_assert_msg(sink.told[sink.checked],
			              "seed %u: (%lld,%d) %d %s not told", seed,
			              (long long)c->at.zxid, c->at.n, c->type,
			              c->path);
	}
}

static void check_position(void)
{
	struct mu_mirror_at at;

	while (mu_mirror_position(b.m, &at)) {
		if (sink.cursors)
			ck_assert(!is_up_to(at,
			                    sink.cursor[sink.cursors - 1].at));
		if (b.whole_max == 20)
			check_all_told(at);
		move_cursor(at);
	}
}

static void check_state(void)
{
	int count = 0, held = 0;

	for (int i = 0; i < BED_NODES; i++) {
		const struct bed_node *n = &b.node[i];
		const struct known *k;

		held += sink.at[i].path[0] != '\0';
		if (!n->path[0] || !bed_covers(&b, MU_EVENT_CHANGED, n->path))
			continue;
		k = known_at(n->path);
		ck_assert_msg(k != NULL, "seed %u: %s is not known", seed,
		              n->path);
		ck_assert_msg(strcmp(k->data, n->data) == 0,
		              "seed %u: %s is taken for %s at %s", seed,
		              n->data, k->data, n->path);
		count++;
	}
	ck_assert_int_eq(held, count);
	ck_assert_uint_eq(mu_mirror_count(b.m), (unsigned)count);
}

/* ---- what happens ---- */

static void write_one(void)
{
	static int serial;
	const char *p = path_of[roll(PATHS)];
	char data[24];
	unsigned what = roll(8);

	/* Half of the values are longer than the short limit. */
	snprintf(data, sizeof data, "%s%d", roll(2) ? "long" : "",
	         ++serial % 1000);
	if (what < 2)
		(void)bed_drop(&b, p);
	else if (!bed_make(&b, p, data) && what < 7)
		(void)bed_edit(&b, p, data);
}

static void transaction(void)
{
	bed_begin(&b);
	for (uint32_t ops = 1 + roll(3); ops > 0; ops--)
		write_one();
}

static void birth(bool resume)
{
	struct mu_mirror_at from = { -1, 0 };

	bed_down(&b);
	mu_mirror_free(b.m);
	b.m = NULL;
	ck_assert_int_eq(
		mu_mirror_new(b.top, b.mode, &limits, on_event, NULL, &b.m), 0);
	mu_mirror_on_ready(b.m, on_ready);
	sink.ready = false;
	sink.last = from;
	memset(sink.at, 0, sizeof sink.at);
	if (resume && sink.cursors) {
		int i = (int)roll((uint32_t)sink.cursors);

		from = sink.cursor[i].at;
		memcpy(sink.counts, sink.cursor[i].counts, sizeof sink.counts);
		sink.cursors = i + 1;
		sink.last = from;
		mu_mirror_resume(b.m, from);
	} else {
		sink.cursors = 0;
	}
}

static void link_up(void)
{
	bed_down(&b);
	ck_assert_int_eq(bed_up(&b, false), 0);
}

static void step(bool gaps)
{
	uint32_t what = roll(100);
	int rc;

	if (what < 30)
		transaction();
	else if (what < 60)
		(void)bed_serve(&b);
	else if (what < 92)
		(void)bed_deliver(&b, &rc);
	else if (what < 94)
		link_up();
	else if (what == 94)
		birth(true);
	else if (what == 95 && gaps)
		b.floor = b.zxid;
	else if (what == 96)
		(void)mu_mirror_reached(b.m,
		                        b.out_head == b.out_tail ? b.zxid : 0);
	bed_pump(&b);
	check_position();
	if (mu_mirror_is_idle(b.m) && roll(3) == 0)
		link_up();
}

struct setting {
	enum mu_mirror_mode mode;
	bool gaps;
	size_t whole_max;
	uint32_t queue_max;
	int part;
};

static const struct setting settings[] = {
	{ MU_MIRROR_EXACT, false, 20, 1000, 1000 },
	{ MU_MIRROR_CHILDREN, false, 20, 1000, 2 },
	{ MU_MIRROR_SUBTREE, false, 20, 1000, 1000 },
	{ MU_MIRROR_SUBTREE, false, 20, 3, 4 },
	{ MU_MIRROR_SUBTREE, true, 20, 1000, 5 },
	{ MU_MIRROR_CHILDREN, true, 20, 2, 1 },
	{ MU_MIRROR_EXACT, true, 3, 5, 3 },
	{ MU_MIRROR_SUBTREE, false, 3, 1000, 1000 },
	{ MU_MIRROR_CHILDREN, false, 3, 1000, 2 },
	{ MU_MIRROR_SUBTREE, false, 3, 5, 3 },
	{ MU_MIRROR_SUBTREE, true, 3, 4, 3 },
};
#define SETTINGS ((int)(sizeof settings / sizeof *settings))
#define SEEDS 20

static void run(const struct setting *s)
{
	struct mu_mirror_at end;

	dice = seed * 2654435761u + 1;
	mu_mirror_free(b.m);
	b.m = NULL;
	bed_init(&b, "/c", s->mode);
	memset(&sink, 0, sizeof sink);
	sink.refuses = true;
	b.whole_max = s->whole_max;
	b.part = s->part;
	limits = (struct mu_mirror_limits){ 100, s->queue_max, 10000 };
	birth(false);
	link_up();
	for (int i = 0; i < 600; i++)
		step(s->gaps);
	sink.refuses = false;
	link_up();
	while (b.out_head != b.out_tail || b.in_head != b.in_tail ||
	       mu_mirror_is_idle(b.m)) {
		ck_assert_int_eq(bed_run(&b), 0);
		bed_pump(&b);
	}
	check_position();
	ck_assert(sink.ready);
	check_state();
	end = (struct mu_mirror_at){ b.zxid, INT32_MAX };
	if (s->whole_max == 20)
		check_all_told(end);
	if (!s->gaps)
		ck_assert_int_eq(sink.gaps, 0);
	/* What the mirror holds is what it told. */
	memset(sink.at, 0, sizeof sink.at);
	ck_assert_int_eq(mu_mirror_present(b.m, present_sink, NULL), 0);
	check_state();
}

START_TEST(nothing_is_lost_nor_told_twice_nor_out_of_order)
{
	for (seed = 0; seed < SEEDS; seed++)
		run(&settings[_i]);
	mu_mirror_free(b.m);
	b.m = NULL;
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mirror against a random history");
	TCase *tc = tcase_create("property");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, nothing_is_lost_nor_told_twice_nor_out_of_order,
	                    0, SETTINGS);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
