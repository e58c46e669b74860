#include "soak_check.h"

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>

#define NONE (-1)
#define WHOLE_MAX 4096 /* longer values do not come along */

/* What was told of one strand. Indices of its entries. */
struct told {
	struct soak_strand *s;
	long most;   /* all up to this one were told, or are stood for */
	long state;  /* as the events of this life say; NONE: not there */
	long before; /* the same, at the end of the life before */
	long gap;    /* the number of gaps when something was told last */
	bool merged; /* that was COALESCED */
};

struct checker {
	struct soak_journal *j;
	const struct soak_scope *scope;
	struct soak_found *out;
	struct told *told;
	size_t count;
	unsigned line;
	bool first;              /* the first life */
	long gaps[2];            /* of the watch, of the members */
	long long zxid[2], n[2]; /* told last in this life */
};

static const char *const words[SOAK_FAULTS] = { "lost",    "disorder",
	                                        "doubled", "invented",
	                                        "wrong",   "unsaid",
	                                        "state",   "spoilt" };

const char *soak_fault_word(enum soak_fault f)
{
	return words[f];
}

bool soak_is_well(const struct soak_found *f)
{
	for (int i = 0; i < SOAK_FAULTS; i++)
		if (f->fault[i])
			return false;
	return true;
}

bool soak_is_unfinished(const struct soak_found *f)
{
	for (int i = 0; i < SOAK_FAULTS; i++)
		if (f->fault[i] && i != SOAK_LOST && i != SOAK_STATE &&
		    i != SOAK_SPOILT)
			return false;
	return !soak_is_well(f);
}

__attribute__((format(printf, 3, 4))) static void
say(struct checker *c, enum soak_fault f, const char *fmt, ...)
{
	struct soak_found *out = c->out;
	size_t len;
	va_list ap;

	out->fault[f]++;
	if (out->whys == SOAK_WHY_MAX)
		return;
	len = (size_t)snprintf(out->why[out->whys], sizeof out->why[0],
	                       "line %u: %s: ", c->line, words[f]);
	va_start(ap, fmt);
	vsnprintf(out->why[out->whys] + len, sizeof out->why[0] - len, fmt, ap);
	va_end(ap);
	out->whys++;
}

/* ---- strands ---- */

static bool is_member_type(unsigned type)
{
	return type >= MU_EVENT_MEMBER_PRESENT && type < MU_EVENT_CONNECTED;
}

static bool is_of_members(const char *path)
{
	return strncmp(path, "/members/", 9) == 0;
}

static bool covers(const struct soak_scope *scope, const struct soak_strand *s)
{
	size_t len;

	if (is_of_members(s->path))
		return scope->members && !s->children;
	if (!scope->top)
		return false;
	len = strlen(scope->top);
	if (strcmp(s->path, scope->top) == 0)
		return true;
	return !scope->exact && !s->children &&
	       strncmp(s->path, scope->top, len) == 0 && s->path[len] == '/';
}

static int by_name(const void *a, const void *b)
{
	const struct told *x = a, *y = b;
	int order = strcmp(x->s->path, y->s->path);

	return order ? order : (int)x->s->children - (int)y->s->children;
}

static void gather(struct checker *c)
{
	struct soak_strand *s;
	size_t room = 0;

	for (s = soak_journal_all(c->j); s; s = s->next)
		room++;
	c->told = calloc(room + 1, sizeof *c->told);
	ck_assert_ptr_nonnull(c->told);
	for (s = soak_journal_all(c->j); s; s = s->next)
		if (covers(c->scope, s))
			c->told[c->count++] = (struct told){ .s = s,
				                             .most = NONE,
				                             .state = NONE,
				                             .before = NONE };
	qsort(c->told, c->count, sizeof *c->told, by_name);
}

static struct told *find(struct checker *c, const char *path, bool children)
{
	struct soak_strand key = { .children = children };
	struct told wanted = { .s = &key };

	snprintf(key.path, sizeof key.path, "%s", path);
	return bsearch(&wanted, c->told, c->count, sizeof *c->told, by_name);
}

/* ---- entries ---- */

static const struct soak_entry *entry(const struct told *t, long i)
{
	return &t->s->entry[i];
}

static bool is_there(const struct told *t, long i)
{
	return i >= 0 && soak_entry_is_there(entry(t, i));
}

/* The entry of this name, looked for from the end of what was told, for most
 * events are near it. One whose name is not known fits where it stands. */
static long entry_named(const struct told *t, long long zxid, int n,
                        unsigned type)
{
	long count = (long)t->s->count, low = 0, high = count, i;
	long unknown = NONE;

	/* Unknown ones have the place of their neighbours. */
	while (low < high) {
		long middle = low + (high - low) / 2, known = middle;

		while (known < high && entry(t, known)->zxid < 0)
			known++;
		if (known == high || entry(t, known)->zxid >= zxid)
			high = middle;
		else
			low = known + 1;
	}
	for (i = low; i < count && entry(t, i)->zxid <= zxid; i++) {
		if (entry(t, i)->zxid == zxid &&
		    (entry(t, i)->n == n || entry(t, i)->n < 0))
			return i;
		if (entry(t, i)->zxid < 0 && entry(t, i)->type == type &&
		    unknown == NONE)
			unknown = i;
	}
	return unknown;
}

/* The last entry that left the node with this mzxid, from which its value can be
 * told; with several in one transaction, the one with this value. */
static long entry_of_state(const struct told *t, long long mzxid,
                           const struct soak_line *l)
{
	long found = NONE;

	for (long i = (long)t->s->count - 1; i >= 0; i--) {
		const struct soak_entry *e = entry(t, i);

		if (e->zxid >= 0 && e->zxid < mzxid)
			break;
		if (e->zxid != mzxid || !soak_entry_is_there(e))
			continue;
		if (e->digest == l->digest && e->len == l->len)
			return i;
		if (found == NONE)
			found = i;
	}
	return found;
}

static void learn(const struct told *t, long i, const struct soak_line *l)
{
	struct soak_entry *e = &t->s->entry[i];

	if (e->zxid < 0)
		e->zxid = l->zxid;
	if (e->n < 0)
		e->n = l->n;
}

/* ---- a life ---- */

static void begin_life(struct checker *c)
{
	c->first = c->out->lives++ == 0;
	for (size_t i = 0; i < c->count; i++) {
		c->told[i].before = c->told[i].state;
		c->told[i].state = NONE;
	}
	for (int i = 0; i < 2; i++)
		c->zxid[i] = c->n[i] = -1;
}

static void check_order(struct checker *c, const struct soak_line *l)
{
	int k = is_member_type(l->type);

	if (l->zxid < c->zxid[k] || (l->zxid == c->zxid[k] && l->n < c->n[k]))
		say(c, SOAK_DISORDER, "%s (%lld, %d) behind (%lld, %lld)",
		    l->path, l->zxid, l->n, c->zxid[k], c->n[k]);
	else if (l->zxid == c->zxid[k] && l->n == c->n[k])
		say(c, SOAK_DOUBLED, "%s (%lld, %d) in one life", l->path,
		    l->zxid, l->n);
	c->zxid[k] = l->zxid;
	c->n[k] = l->n;
}

/* The stay of a member that an entry belongs to: what it joined with. */
static long stay_of(const struct told *t, long i)
{
	while (i > 0 && entry(t, i)->type == MU_EVENT_MEMBER_CHANGED)
		i--;
	return i;
}

/* Is `known` the state behind entry i? */
static bool is_state(const struct told *t, long known, long i)
{
	if (!is_there(t, i))
		return !is_there(t, known);
	return is_there(t, known) && stay_of(t, known) == stay_of(t, i);
}

/* Changes before `to` were passed over, by an event that stands for `count`. A gap
 * stands for them, if one was told since, and the state that was read then is that
 * before those the event stands for; or was it that, which the event stands for,
 * where the queue was full. */
static bool is_in_gap(const struct checker *c, const struct told *t, long to,
                      unsigned count, bool overflow)
{
	long gaps = c->gaps[is_of_members(t->s->path)];

	if (gaps <= t->gap && !t->merged)
		return false;
	if (t->s->children || overflow)
		return true;
	for (long i = to - 1; i >= 0 && i >= to - (long)count; i--)
		if (is_state(t, t->state, i) || is_state(t, t->before, i))
			return true;
	return false;
}

/* Up to which entry an event of entry k tells, that shows the value of entry s:
 * its count says how many of those between them are in it. The others come. */
static long told_up_to(const struct checker *c, const struct told *t, long k,
                       long s, const struct soak_line *l)
{
	long before = t->most < k ? t->most : k - 1, end;

	if (is_in_gap(c, t, k, l->count, l->flags & MU_EVENT_OVERFLOW))
		before = k - 1;
	end = before + (long)l->count;
	if (s <= end)
		return s;
	return end > k ? end : k;
}

/* How many entries before `to` were not told, of those that must be. */
static long untold(const struct told *t, long to)
{
	long count = 0;

	for (long i = t->most + 1; i < to; i++)
		count += !entry(t, i)->quiet;
	return count;
}

/* All of these were too long to come along, and the node was gone some time. */
static bool is_unread(const struct told *t, long from, long to)
{
	long i;

	for (i = from; i < to; i++)
		if (entry(t, i)->len <= WHOLE_MAX)
			return false;
	while (i < (long)t->s->count && is_there(t, i))
		i++;
	return i < (long)t->s->count;
}

/* Entries before `to` that were not told; l stands for some by its count. */
static void check_skipped(struct checker *c, const struct told *t, long k,
                          long to, const struct soak_line *l)
{
	long skipped = untold(t, to), first = t->most + 1;

	if (skipped <= 0)
		return;
	if (skipped < (long)l->count)
		c->out->counted += (unsigned)skipped;
	else if (is_in_gap(c, t, k, l->count, l->flags & MU_EVENT_OVERFLOW))
		c->out->in_gaps += (unsigned)skipped;
	else if (is_unread(t, first, to))
		c->out->unread += (unsigned)skipped;
	else
		say(c, SOAK_LOST,
		    "%ld of %s before (%lld, %d), from (%lld, %d) on, count %u",
		    skipped, l->path, l->zxid, l->n,
		    (long long)entry(t, first)->zxid, entry(t, first)->n,
		    l->count);
}

static void check_value(struct checker *c, const struct told *t, long i,
                        const struct soak_line *l)
{
	const struct soak_entry *e = entry(t, i);

	if (is_member_type(l->type) || t->s->children || !is_there(t, i))
		return;
	if (e->len != l->len || e->digest != l->digest)
		say(c, SOAK_WRONG,
		    "%s (%lld, %d) has %d bytes, not %d, or others", l->path,
		    l->zxid, l->n, l->len, e->len);
}

static void check_type(struct checker *c, const struct told *t, long k,
                       const struct soak_line *l)
{
	unsigned type = entry(t, k)->type;

	/* What was there before was not seen. */
	if (type == MU_EVENT_CHANGED && l->type == MU_EVENT_CREATED &&
	    l->count > 1)
		return;
	/* A newer value took its place. */
	if (l->count > 1 && soak_entry_is_there(entry(t, k)) &&
	    l->type == MU_EVENT_CHANGED)
		return;
	if (type != l->type)
		say(c, SOAK_WRONG, "%s (%lld, %d) is %u, not %u", l->path,
		    l->zxid, l->n, l->type, type);
}

/* All up to `to` was told, and s is what is known now. */
static void advance(struct checker *c, struct told *t, long to, long s,
                    bool merged)
{
	if (to > t->most)
		t->most = to;
	t->state = s;
	t->merged = merged;
	t->gap = c->gaps[is_of_members(t->s->path)];
}

/* The state that an event shows: of a value that was too long to come along it
 * may be a newer one than its change. */
static long shown(const struct told *t, long k, const struct soak_line *l)
{
	long s;

	if (t->s->children || is_member_type(l->type) || !is_there(t, k) ||
	    (entry(t, k)->len == l->len && entry(t, k)->digest == l->digest))
		return k;
	s = entry_of_state(t, l->mzxid, l);
	return s > k ? s : k;
}

static void on_exact(struct checker *c, struct told *t,
                     const struct soak_line *l)
{
	long k = entry_named(t, l->zxid, l->n, l->type), s, to;

	check_order(c, l);
	if (k == NONE) {
		say(c, SOAK_INVENTED, "%s (%lld, %d) type %u", l->path, l->zxid,
		    l->n, l->type);
		return;
	}
	learn(t, k, l);
	if (k <= t->most && !(l->flags & MU_EVENT_AGAIN))
		say(c, SOAK_DOUBLED, "%s (%lld, %d) without AGAIN", l->path,
		    l->zxid, l->n);
	if (k <= t->most)
		c->out->again++;
	s = shown(t, k, l);
	to = told_up_to(c, t, k, s, l);
	check_skipped(c, t, k, to, l);
	check_type(c, t, k, l);
	check_value(c, t, s, l);
	advance(c, t, to, s, false);
}

/* ---- behind a gap ---- */

/* A node that was found to be gone: it was from the next end on that was not told
 * of. Later ones, if it came back in between, are in the gap as well. */
static long gone_at(const struct told *t, long long zxid)
{
	long found = NONE;

	for (long i = 0; i < (long)t->s->count && found <= t->most; i++)
		if (!is_there(t, i))
			found = i;
	/* It may have been told of already. */
	if (found > t->most && t->most >= 0 && !is_there(t, t->most) &&
	    entry(t, found)->zxid > zxid)
		return t->most;
	return found;
}

static long children_at(const struct told *t, long long zxid)
{
	long found = NONE;

	for (long i = 0; i < (long)t->s->count; i++)
		if (entry(t, i)->zxid <= zxid)
			found = i;
	return found;
}

static long state_read(const struct told *t, const struct soak_line *l)
{
	if (t->s->children)
		return children_at(t, l->zxid);
	if (l->type == MU_EVENT_DELETED || l->type == MU_EVENT_MEMBER_LEFT ||
	    l->type == MU_EVENT_MEMBER_FAILED)
		return gone_at(t, l->zxid);
	if (l->type == MU_EVENT_MEMBER_CHANGED)
		return entry_named(t, l->zxid, l->n, l->type);
	if (is_member_type(l->type))
		return entry_named(t, l->czxid, 0, MU_EVENT_MEMBER_JOINED);
	return entry_of_state(t, l->mzxid, l);
}

static void on_coalesced(struct checker *c, struct told *t,
                         const struct soak_line *l)
{
	long gaps = c->gaps[is_of_members(t->s->path)];
	long s = state_read(t, l);

	if (gaps <= t->gap && !t->merged)
		say(c, SOAK_UNSAID, "%s (%lld, %d) type %u", l->path, l->zxid,
		    l->n, l->type);
	if (s == NONE) {
		say(c, SOAK_INVENTED, "%s read as of %lld, type %u", l->path,
		    l->mzxid, l->type);
		return;
	}
	check_value(c, t, s, l);
	if (s < t->most && !(l->flags & MU_EVENT_AGAIN))
		say(c, SOAK_DISORDER, "%s read as of (%lld, %d) behind a newer",
		    l->path, (long long)entry(t, s)->zxid, entry(t, s)->n);
	if (s > t->most + 1)
		c->out->in_gaps += (unsigned)(s - t->most - 1);
	advance(c, t, s, s, true);
}

static void on_present(struct checker *c, struct told *t,
                       const struct soak_line *l)
{
	long s = is_member_type(l->type)
	                 ? entry_named(t, l->czxid, 0, MU_EVENT_MEMBER_JOINED)
	                 : entry_of_state(t, l->mzxid, l);

	c->out->present++;
	if (s == NONE) {
		say(c, SOAK_INVENTED, "%s present as of %lld", l->path,
		    l->mzxid);
		return;
	}
	check_value(c, t, s, l);
	t->state = s;
	if (c->first && t->most == NONE)
		t->most = s;
}

static void on_gap(struct checker *c, const struct soak_line *l)
{
	c->out->gaps++;
	c->gaps[strcmp(l->path, "/members") == 0]++;
}

/* ---- the whole ---- */

static void on_event(struct checker *c, const struct soak_line *l)
{
	struct told *t;

	if (l->type == MU_EVENT_GAP) {
		on_gap(c, l);
		return;
	}
	if (l->type == MU_EVENT_CONNECTED || l->type == MU_EVENT_DISCONNECTED)
		return;
	t = find(c, l->path, l->type == MU_EVENT_CHILDREN);
	if (!t) {
		/* Members that are agents keep no journal. */
		if (!is_member_type(l->type))
			say(c, SOAK_INVENTED, "%s type %u", l->path, l->type);
		return;
	}
	c->out->overflows += (l->flags & MU_EVENT_OVERFLOW) != 0;
	if (l->type == MU_EVENT_PRESENT || l->type == MU_EVENT_MEMBER_PRESENT)
		on_present(c, t, l);
	else if (l->flags & MU_EVENT_COALESCED)
		on_coalesced(c, t, l);
	else
		on_exact(c, t, l);
	c->out->events++;
}

/* Was everything told, and does what is known at the end fit? */
static void check_end(struct checker *c, struct told *t)
{
	long last = (long)t->s->count - 1;
	long missing = untold(t, last + 1);

	if (missing > 0 && is_in_gap(c, t, last + 1, 1, false))
		c->out->in_gaps += (unsigned)missing;
	else if (missing > 0)
		say(c, SOAK_LOST, "%ld of %s at the end, from (%lld, %d) on",
		    missing, t->s->path, (long long)entry(t, t->most + 1)->zxid,
		    entry(t, t->most + 1)->n);
	if (t->s->children)
		return;
	if (!is_state(t, t->state, last))
		say(c, SOAK_STATE, "%s is as of %ld, not of %ld, of %ld",
		    t->s->path, t->state, last, last);
}

void soak_check(struct soak_journal *j, const char *record,
                const struct soak_scope *scope, struct soak_found *out)
{
	struct checker c = { .j = j, .scope = scope, .out = out };
	struct soak_line l;
	int rc;

	memset(out, 0, sizeof *out);
	gather(&c);
	while ((rc = soak_line_get(&record, &l)) > 0) {
		c.line++;
		if (l.start)
			begin_life(&c);
		else
			on_event(&c, &l);
	}
	if (rc < 0)
		say(&c, SOAK_SPOILT, "%.100s", record);
	for (size_t i = 0; i < c.count; i++)
		check_end(&c, &c.told[i]);
	free(c.told);
}
