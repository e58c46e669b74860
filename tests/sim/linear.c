#include "linear.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_MAX 256u

/* One path's register, walked in the order of the zxids. */
struct walk {
	struct linear *l;
	linear_name *name;
	const void *arg;
	char *why;
	struct linear_op *unanswered[2]; /* of the path, and of its stem */
	size_t count[2];
	struct linear_shown now;
	int64_t zxid;         /* when that was shown, whole */
	size_t deletes, sets; /* by unanswered requests, up to now */
};

void linear_init(struct linear *l)
{
	memset(l, 0, sizeof *l);
}

void linear_fini(struct linear *l)
{
	free(l->ops);
	l->ops = NULL;
}

uint32_t linear_request(struct linear *l)
{
	return ++l->requests;
}

size_t linear_ask(struct linear *l, const struct linear_op *op)
{
	struct linear_op *new;

	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 1024;
		l->ops = realloc(l->ops, l->room * sizeof *l->ops);
		if (!l->ops)
			abort();
	}
	new = &l->ops[l->count];
	*new = *op;
	new->asked = ++l->stamp;
	new->low = l->high;
	new->answered = 0;
	new->zxid = new->bound = 0;
	return l->count++;
}

struct linear_op *linear_answer(struct linear *l, size_t at,
                                enum linear_kind kind, int64_t zxid,
                                const struct linear_shown *shown)
{
	struct linear_op *op = &l->ops[at];

	op->kind = kind;
	op->zxid = zxid;
	op->answered = ++l->stamp;
	if (shown)
		op->shown = *shown;
	if (zxid > l->high)
		l->high = zxid;
	return op;
}

void linear_reset(struct linear *l, int64_t zxid)
{
	if (l->reset_count == LINEAR_RESETS_MAX)
		abort();
	l->resets[l->reset_count++] = zxid;
}

/* ---- real time ---- */

static bool check_time(const struct linear *l, char *why)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct linear_op *op = &l->ops[i];

		if (!op->zxid || op->zxid > op->low ||
		    (op->zxid == op->low && !op->write))
			continue;
		snprintf(why, WHY_MAX,
		         "request %u is answered at %" PRIx64 ", but %" PRIx64
		         " had been told before it was asked",
		         op->request, (uint64_t)op->zxid, (uint64_t)op->low);
		return false;
	}
	return true;
}

static int by_zxid(const void *a, const void *b)
{
	const struct linear_op *x = a, *y = b;

	if (x->zxid != y->zxid)
		return x->zxid < y->zxid ? -1 : 1;
	if (x->write != y->write)
		return x->write ? -1 : 1;
	return (x->request > y->request) - (x->request < y->request);
}

static bool check_own_zxids(struct linear *l, char *why)
{
	if (l->count)
		qsort(l->ops, l->count, sizeof *l->ops, by_zxid);
	for (size_t i = 1; i < l->count; i++) {
		const struct linear_op *a = &l->ops[i - 1], *b = &l->ops[i];

		if (!a->zxid || !a->write || !b->write || a->zxid != b->zxid ||
		    a->request == b->request)
			continue;
		snprintf(why, WHY_MAX,
		         "requests %u and %u are both answered with %" PRIx64,
		         a->request, b->request, (uint64_t)a->zxid);
		return false;
	}
	return true;
}

/* ---- what unanswered requests may have done ---- */

static bool is_possible(const struct linear_op *h, enum linear_kind kind,
                        const struct linear_op *seen_by, int64_t zxid)
{
	return h->kind == kind && h->asked < seen_by->answered &&
	       (zxid == 0 || h->low < zxid);
}

static size_t count_possible(const struct walk *w, enum linear_kind kind,
                             const struct linear_op *seen_by)
{
	size_t n = 0;

	for (size_t i = 0; i < w->count[0]; i++)
		n += is_possible(&w->unanswered[0][i], kind, seen_by, 0);
	return n;
}

/* A request that wrote this, at this zxid if that is known. One whose value is
 * its own has happened then, and never again. */
static bool explain(struct walk *w, enum linear_kind kind,
                    const struct linear_op *seen_by, bool has_value,
                    uint64_t value, int64_t zxid)
{
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < w->count[k]; i++) {
			struct linear_op *h = &w->unanswered[k][i];

			if (!is_possible(h, kind, seen_by, zxid) ||
			    (k == 1) != (h->parent != 0) ||
			    (has_value && h->value != value))
				continue;
			if (!has_value || value < LINEAR_COMMON || !zxid)
				return true;
			if (h->bound && h->bound != zxid)
				continue;
			h->bound = zxid;
			return true;
		}
	return false;
}

/* ---- one register ---- */

static bool wrong(struct walk *w, const struct linear_op *op, const char *what)
{
	snprintf(w->why, WHY_MAX,
	         "%s: the answer to request %u at %" PRIx64
	         " cannot follow what was told at %" PRIx64 ": %s",
	         w->name(w->arg, op->path), op->request, (uint64_t)op->zxid,
	         (uint64_t)w->zxid, what);
	w->l->bad = (size_t)(op - w->l->ops);
	return false;
}

static bool removed(struct walk *w, const struct linear_op *op)
{
	bool mortal = !w->now.has_stat || w->now.owner;

	if (w->now.exists && !mortal &&
	    ++w->deletes > count_possible(w, LINEAR_DELETE, op))
		return wrong(w, op, "nobody has deleted it");
	w->now = (struct linear_shown){ .exists = false };
	return true;
}

/* From version `from` to what is wanted, by `by` sets that nobody answered. */
static bool set_again(struct walk *w, const struct linear_op *op,
                      const struct linear_shown *want, int32_t by)
{
	w->sets += (size_t)by;
	if (w->sets > count_possible(w, LINEAR_SET, op))
		return wrong(w, op, "nobody has set it so often");
	if (want->mzxid && want->mzxid <= w->zxid)
		return wrong(w, op, "it was set before, and not seen");
	if (!explain(w, LINEAR_SET, op, want->has_value, want->value,
	             want->mzxid))
		return wrong(w, op, "nobody has set it to this");
	return true;
}

static bool born(struct walk *w, const struct linear_op *op,
                 const struct linear_shown *want)
{
	bool fresh = want->has_stat && want->version == 0;

	if (want->has_stat && want->czxid <= w->zxid)
		return wrong(w, op, "it was made before, and not seen");
	if (!explain(w, LINEAR_CREATE, op, fresh && want->has_value,
	             want->value, want->has_stat ? want->czxid : 0))
		return wrong(w, op, "nobody has made it");
	return !want->has_stat || fresh ||
	       set_again(w, op, want, want->version);
}

static bool aged(struct walk *w, const struct linear_op *op,
                 const struct linear_shown *want)
{
	const struct linear_shown *now = &w->now;
	int32_t by;

	if (!want->has_stat || !now->has_stat)
		return true;
	by = (int32_t)((uint32_t)want->version - (uint32_t)now->version);
	if (by < 0)
		return wrong(w, op, "its version went back");
	if (by > 0)
		return set_again(w, op, want, by);
	if (want->mzxid && now->mzxid && want->mzxid != now->mzxid)
		return wrong(w, op, "it was set at two moments to one version");
	if (want->has_value && now->has_value && want->value != now->value)
		return wrong(w, op, "one version has two values");
	return true;
}

/* Get the register to where `op` wants it, by what may have happened. */
static bool reach(struct walk *w, const struct linear_op *op,
                  const struct linear_shown *want)
{
	if (!want->exists)
		return removed(w, op);
	if (!w->now.exists)
		return born(w, op, want);
	if (!want->has_stat || !w->now.has_stat || want->czxid == w->now.czxid)
		return aged(w, op, want);
	return removed(w, op) && born(w, op, want);
}

/* What is known now: what was shown, and what was known of it before. */
static void learn(struct walk *w, const struct linear_shown *shown)
{
	struct linear_shown before = w->now;

	if (shown->exists && !shown->has_stat && before.exists &&
	    before.has_stat)
		return;
	w->now = *shown;
	if (!shown->has_value && before.exists && before.has_stat &&
	    before.has_value && before.mzxid == shown->mzxid) {
		w->now.has_value = true;
		w->now.value = before.value;
	}
}

static bool step(struct walk *w, const struct linear_op *op)
{
	struct linear_shown want = { .exists = op->kind != LINEAR_CREATE };
	bool good = true;

	if (op->kind == LINEAR_SET && op->shown.has_stat) {
		want = op->shown;
		want.has_value = false;
		want.mzxid = 0;
		want.version = (int32_t)((uint32_t)op->shown.version - 1);
	}
	if (op->kind == LINEAR_READ)
		want = op->shown;
	if (op->kind != LINEAR_SEVERAL)
		good = reach(w, op, &want);
	if (op->kind == LINEAR_DELETE)
		w->now = (struct linear_shown){ .exists = false };
	else if (op->kind == LINEAR_READ)
		learn(w, &op->shown);
	else
		w->now = op->shown;
	/* Who only heard that it exists could not see what was set since. */
	if (op->kind != LINEAR_READ || !op->shown.exists || op->shown.has_stat)
		w->zxid = op->zxid;
	return good;
}

static void pass_resets(struct walk *w, int64_t until)
{
	for (size_t i = 0; i < w->l->reset_count; i++)
		if (w->l->resets[i] > w->zxid && w->l->resets[i] <= until) {
			w->now = (struct linear_shown){ .exists = false };
			w->zxid = w->l->resets[i];
		}
}

/* ---- all registers ---- */

static int by_path(const void *a, const void *b)
{
	const struct linear_op *x = a, *y = b;

	if (x->path != y->path)
		return x->path < y->path ? -1 : 1;
	return by_zxid(a, b);
}

/* The unanswered requests of a path; they stand in front of the others. */
static void find_unanswered(struct walk *w, size_t k, uint32_t path)
{
	struct linear *l = w->l;
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (l->ops[middle].path < path)
			low = middle + 1;
		else
			high = middle;
	}
	w->unanswered[k] = l->ops + low;
	w->count[k] = 0;
	while (path && low < l->count && l->ops[low].path == path &&
	       l->ops[low].zxid == 0) {
		low++;
		w->count[k]++;
	}
}

static bool check_registers(struct walk *w)
{
	struct linear *l = w->l;

	if (l->count)
		qsort(l->ops, l->count, sizeof *l->ops, by_path);
	for (size_t i = 0; i < l->count; i++) {
		struct linear_op *op = &l->ops[i];

		if (i == 0 || l->ops[i - 1].path != op->path) {
			w->now = (struct linear_shown){ .exists = false };
			w->zxid = 0;
			w->deletes = w->sets = 0;
			find_unanswered(w, 0, op->path);
			find_unanswered(w, 1, op->stem);
		}
		if (op->zxid == 0 || op->path == 0 || op->kind == LINEAR_ORDER)
			continue;
		pass_resets(w, op->zxid);
		if (!step(w, op))
			return false;
	}
	return true;
}

/* ---- multis ---- */

/* The first answer about a path after a zxid, or NULL; *alone: the request has
 * only this one operation on the path. */
static const struct linear_op *seen_after(const struct linear *l,
                                          const struct linear_op *half,
                                          int64_t zxid, bool *alone)
{
	const struct linear_op *first = NULL;

	*alone = true;
	for (size_t i = 0; i < l->count; i++) {
		const struct linear_op *op = &l->ops[i];

		if (op->path != half->path)
			continue;
		if (op->request == half->request && op != half)
			*alone = false;
		if (op->zxid >= zxid && !first && op->kind != LINEAR_ORDER)
			first = op;
	}
	return first;
}

/* Does `seen` show that `half` had not happened at zxid, when its other half
 * had? */
static bool is_left_out(const struct linear_op *half,
                        const struct linear_op *seen, int64_t zxid)
{
	const struct linear_shown *s = &seen->shown;
	bool old = s->exists && s->has_stat && s->czxid < zxid;

	if (seen->kind != LINEAR_READ)
		return false;
	if (half->kind == LINEAR_SET)
		return old && s->mzxid && s->mzxid < zxid;
	return old &&
	       (half->kind == LINEAR_CREATE || half->kind == LINEAR_DELETE);
}

static bool check_half(struct walk *w, const struct linear_op *done)
{
	const struct linear *l = w->l;

	for (size_t i = 0; i < l->count; i++) {
		const struct linear_op *half = &l->ops[i], *seen;
		bool alone;

		if (half->request != done->request || half == done ||
		    half->path == done->path || half->parent)
			continue;
		seen = seen_after(l, half, done->bound, &alone);
		if (!seen || !alone || !is_left_out(half, seen, done->bound))
			continue;
		snprintf(w->why, WHY_MAX,
		         "request %u happened at %" PRIx64
		         " to %s, but not to %s",
		         done->request, (uint64_t)done->bound,
		         w->name(w->arg, done->path),
		         w->name(w->arg, half->path));
		return false;
	}
	return true;
}

static bool check_multis(struct walk *w)
{
	for (size_t i = 0; i < w->l->count; i++)
		if (w->l->ops[i].bound && !check_half(w, &w->l->ops[i]))
			return false;
	return true;
}

/* ---- sequential numbers ---- */

static int by_parent(const void *a, const void *b)
{
	const struct linear_op *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	return by_zxid(a, b);
}

/* Nobody ever asked for the node to be deleted, so there was only one. */
static bool is_lasting(const struct linear *l, uint32_t path)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->ops[i].path == path &&
		    (l->ops[i].kind == LINEAR_DELETE ||
		     l->ops[i].kind == LINEAR_SEVERAL || l->ops[i].shown.owner))
			return false;
	return true;
}

static bool is_between_resets(const struct linear *l, int64_t a, int64_t b)
{
	for (size_t i = 0; i < l->reset_count; i++)
		if (l->resets[i] > a && l->resets[i] <= b)
			return false;
	return true;
}

static bool check_numbers(struct linear *l, char *why)
{
	const struct linear_op *last = NULL;

	if (l->count)
		qsort(l->ops, l->count, sizeof *l->ops, by_parent);
	for (size_t i = 0; i < l->count; i++) {
		const struct linear_op *op = &l->ops[i];

		if (!op->parent || !op->zxid || op->kind != LINEAR_CREATE)
			continue;
		if (last && last->parent == op->parent &&
		    op->number <= last->number &&
		    is_between_resets(l, last->zxid, op->zxid) &&
		    is_lasting(l, op->parent)) {
			snprintf(why, WHY_MAX,
			         "request %u at %" PRIx64
			         " is given number %d, after %d",
			         op->request, (uint64_t)op->zxid, op->number,
			         last->number);
			return false;
		}
		last = op;
	}
	return true;
}

bool linear_check(struct linear *l, linear_name *name, const void *arg,
                  char why[256])
{
	struct walk w = { .l = l, .name = name, .arg = arg, .why = why };

	l->bad = l->count;
	return check_time(l, why) && check_own_zxids(l, why) &&
	       check_registers(&w) && check_multis(&w) && check_numbers(l, why);
}
