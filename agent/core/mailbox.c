#include "mailbox_impl.h"

#include "bug.h"
#include "mem.h"

#include <string.h>

/* Heads that are passed over before one is given. */
#define PASSES_MAX 64

struct track {
	struct mu_letter *last; /* the newest; NULL: none waits */
	struct mu_letter *mark_first, *mark_last; /* those that are marked */
	bool ahead; /* some were handled since its last position */
};

struct mu_mailbox {
	uint32_t queue_max;
	struct mu_letter *head, *tail;
	struct mu_letter_index index;
	size_t count, bytes;
	bool out;        /* the head is with the instance */
	bool newest;     /* of each path the newest is enough */
	uint64_t due_ms; /* the head is not given before */
	bool unlinked;   /* for it was not handled for want of a broker */
	uint64_t last_seq;
	struct mu_letter *tried; /* given, not handled, and cleared; or NULL */
	struct track *track;     /* of each source */
	int32_t sources;
	mu_mailbox_fn *fn;
	void *arg;
};

uint32_t mu_backoff_ms(uint32_t n)
{
	uint32_t ms = MU_BACKOFF_FIRST_MS;

	if (n == 0)
		return 0;
	while (--n && ms < MU_BACKOFF_LAST_MS)
		ms *= 2;
	return ms < MU_BACKOFF_LAST_MS ? ms : MU_BACKOFF_LAST_MS;
}

static enum mu_letter_kind kind_of(uint32_t type)
{
	if (type == MU_EVENT_CHILDREN)
		return KIND_CHILDREN;
	if (type < MU_EVENT_MEMBER_PRESENT)
		return KIND_VALUE;
	if (type < MU_EVENT_CONNECTED)
		return KIND_MEMBER;
	return type < MU_EVENT_GAP ? KIND_LINK : KIND_GAP;
}

static uint32_t hash_of(struct mu_str s)
{
	uint32_t h = 2166136261u;

	for (uint32_t i = 0; i < s.len; i++)
		h = (h ^ (uint8_t)s.at[i]) * 16777619u;
	return h;
}

/* ---- letters ---- */

/* Fields of an event that point to bytes, save the old value. */
static const size_t text_at[] = {
	offsetof(struct mu_chan_event, path),
	offsetof(struct mu_chan_event, data),
	offsetof(struct mu_chan_event, name),
	offsetof(struct mu_chan_event, id),
	offsetof(struct mu_chan_event, address),
	offsetof(struct mu_chan_event, version),
	offsetof(struct mu_chan_event, boot_id),
	offsetof(struct mu_chan_event, state),
	offsetof(struct mu_chan_event, labels),
	offsetof(struct mu_chan_event, author),
};
#define TEXTS (sizeof text_at / sizeof text_at[0])

static struct mu_str *text_of(struct mu_chan_event *e, size_t i)
{
	return (struct mu_str *)(void *)((char *)e + text_at[i]);
}

static void letter_free(struct mu_letter *l)
{
	if (!l)
		return;
	mu_free(l->old);
	mu_free(l);
}

static struct mu_letter *letter_new(const struct mu_chan_event *e)
{
	struct mu_chan_event copy = *e;
	size_t len = 0, used = 0;
	struct mu_letter *l;

	for (size_t i = 0; i < TEXTS; i++)
		len += text_of(&copy, i)->len;
	l = mu_alloc(sizeof *l + len + 1);
	if (!l)
		return NULL;
	for (size_t i = 0; i < TEXTS; i++) {
		struct mu_str *s = text_of(&copy, i);

		if (!s->at)
			continue;
		memcpy(l->text + used, s->at, s->len);
		s->at = l->text + used;
		used += s->len;
	}
	if (e->old_data.at) {
		l->old = mu_alloc((size_t)e->old_data.len + 1);
		if (!l->old) {
			mu_free(l);
			return NULL;
		}
		memcpy(l->old, e->old_data.at, e->old_data.len);
		copy.old_data.at = l->old;
	}
	copy.attempt = copy.flags & MU_EVENT_AGAIN ? 2 : 1;
	l->e = copy;
	l->kind = kind_of(e->type);
	l->hash = hash_of(e->path);
	l->bytes = len + e->old_data.len;
	return l;
}

/* ---- the queue ---- */

struct mu_mailbox *mu_mailbox_new(uint32_t queue_max)
{
	struct mu_mailbox *b = mu_alloc(sizeof *b);

	if (!b)
		return NULL;
	b->queue_max = queue_max;
	return b;
}

static bool is_tracked(const struct mu_mailbox *b, int32_t source)
{
	return source >= 0 && source < b->sources;
}

/* ---- marks ---- */

static void mark(struct track *t, struct mu_letter *l, int64_t zxid, int32_t n)
{
	l->zxid = zxid;
	l->n = n;
	if (l->marked)
		return;
	l->marked = true;
	l->mark_prev = t->mark_last;
	l->mark_next = NULL;
	*(t->mark_last ? &t->mark_last->mark_next : &t->mark_first) = l;
	t->mark_last = l;
}

static void unmark(struct track *t, struct mu_letter *l)
{
	if (!l->marked)
		return;
	l->marked = false;
	*(l->mark_prev ? &l->mark_prev->mark_next : &t->mark_first) =
		l->mark_next;
	*(l->mark_next ? &l->mark_next->mark_prev : &t->mark_last) =
		l->mark_prev;
}

/* Something from where `from` is will be handled only with what comes behind all
 * that waits: no position of its source is reached before. */
static void unmark_from(struct mu_mailbox *b, const struct mu_letter *from)
{
	struct track *t = NULL;

	if (is_tracked(b, from->e.source))
		t = &b->track[from->e.source];
	while (t && t->mark_last && t->mark_last->e.seq >= from->e.seq)
		unmark(t, t->mark_last);
}

/* Something from before `to` will be handled only with it. */
static void unmark_before(struct mu_mailbox *b, const struct mu_letter *to)
{
	struct track *t = NULL;

	if (is_tracked(b, to->e.source))
		t = &b->track[to->e.source];
	while (t && t->mark_first && t->mark_first->e.seq < to->e.seq)
		unmark(t, t->mark_first);
}

/* ---- in and out ---- */

static void append(struct mu_mailbox *b, struct mu_letter *l)
{
	l->e.seq = ++b->last_seq;
	l->prev = b->tail;
	*(b->tail ? &b->tail->next : &b->head) = l;
	b->tail = l;
	b->count++;
	b->bytes += l->bytes;
	mu_letter_index_add(&b->index, l);
	if (is_tracked(b, l->e.source))
		b->track[l->e.source].last = l;
}

/* Take it out of the queue; it is the caller's. */
static struct mu_letter *take_out(struct mu_mailbox *b, struct mu_letter *l)
{
	if (is_tracked(b, l->e.source)) {
		struct track *t = &b->track[l->e.source];

		unmark(t, l);
		if (t->last == l)
			t->last = NULL;
	}
	if (l == b->head)
		b->due_ms = 0;
	mu_letter_index_remove(&b->index, l);
	*(l->prev ? &l->prev->next : &b->head) = l->next;
	*(l->next ? &l->next->prev : &b->tail) = l->prev;
	l->prev = l->next = NULL;
	b->count--;
	b->bytes -= l->bytes;
	return l;
}

void mu_mailbox_free(struct mu_mailbox *b)
{
	if (!b)
		return;
	while (b->head)
		letter_free(take_out(b, b->head));
	letter_free(b->tried);
	mu_letter_index_fini(&b->index);
	mu_free(b->track);
	mu_free(b);
}

/* The head was given and not handled. */
static bool has_failed(const struct mu_mailbox *b)
{
	return b->head && !b->out && b->head->failed;
}

/* And a newer one may stand for it. */
static bool has_given_way(const struct mu_mailbox *b)
{
	return has_failed(b) && b->head->yields;
}

struct mu_mailbox_failure mu_mailbox_failed(const struct mu_mailbox *b)
{
	if (!b->out && !has_failed(b))
		return (struct mu_mailbox_failure){ 0 };
	return (struct mu_mailbox_failure){ &b->head->e,
		                            b->head->e.attempt - !b->out,
		                            b->head->yields };
}

int mu_mailbox_tried(struct mu_mailbox *b, const struct mu_mailbox_failure *f)
{
	struct mu_letter *l = letter_new(f->e);

	if (!l)
		return MU_ENOMEM;
	l->e.attempt = f->attempts + 1;
	l->yields = f->yields;
	letter_free(b->tried);
	b->tried = l;
	return 0;
}

/* ---- positions ---- */

int mu_mailbox_track(struct mu_mailbox *b, int32_t sources, mu_mailbox_fn *fn,
                     void *arg)
{
	struct track *track;

	MU_BUG_ON(b->track || b->head);
	track = mu_alloc(((size_t)sources + 1) * sizeof *track);
	if (!track)
		return MU_ENOMEM;
	b->track = track;
	b->sources = sources;
	b->fn = fn;
	b->arg = arg;
	return 0;
}

static void reached(struct mu_mailbox *b, int32_t source, int64_t zxid,
                    int32_t n)
{
	b->track[source].ahead = false;
	b->fn(b->arg, source, zxid, n);
}

bool mu_mailbox_is_ahead(const struct mu_mailbox *b, int32_t source)
{
	return is_tracked(b, source) && b->track[source].ahead;
}

void mu_mailbox_position(struct mu_mailbox *b, int32_t source, int64_t zxid,
                         int32_t n)
{
	struct mu_letter *l;

	if (!is_tracked(b, source))
		return;
	l = b->track[source].last;
	if (!l) {
		reached(b, source, zxid, n);
		return;
	}
	mark(&b->track[source], l, zxid, n);
}

bool mu_mailbox_waits(const struct mu_mailbox *b, int32_t source)
{
	return is_tracked(b, source) && b->track[source].last;
}

bool mu_mailbox_put_up_to(const struct mu_mailbox *b, int32_t source,
                          int64_t *zxid, int32_t *n)
{
	const struct mu_letter *l;

	if (!mu_mailbox_waits(b, source))
		return false;
	l = b->track[source].last;
	*zxid = l->zxid;
	*n = l->n;
	return l->marked;
}

static void handled(struct mu_mailbox *b, struct mu_letter *l)
{
	bool marked = l->marked;

	take_out(b, l);
	if (is_tracked(b, l->e.source)) {
		b->track[l->e.source].ahead = true;
		if (marked)
			reached(b, l->e.source, l->zxid, l->n);
	}
	letter_free(l);
}

/* ---- putting ---- */

void mu_mailbox_clear(struct mu_mailbox *b)
{
	letter_free(b->tried);
	b->tried = NULL;
	if (b->out) {
		b->head->e.attempt++;
		b->head->failed = true;
	}
	b->out = false;
	if (has_failed(b))
		b->tried = take_out(b, b->head);
	while (b->head)
		letter_free(take_out(b, b->head));
}

void mu_mailbox_drop(struct mu_mailbox *b)
{
	mu_mailbox_clear(b);
	letter_free(b->tried);
	b->tried = NULL;
}

/* Is it the one that was tried before the mailbox was cleared? */
static void go_on(struct mu_mailbox *b, struct mu_letter *l)
{
	const struct mu_letter *t = b->tried;

	if (!t || t->hash != l->hash || t->e.type != l->e.type ||
	    t->e.zxid != l->e.zxid || t->e.n != l->e.n ||
	    t->e.source != l->e.source || !mu_str_eq(t->e.path, l->e.path))
		return;
	l->e.attempt = t->e.attempt;
	l->e.flags |= MU_EVENT_AGAIN;
	l->failed = true;
	l->yields = t->yields;
	letter_free(b->tried);
	b->tried = NULL;
}

/* The newest letter that is alike, and not with the instance; NULL if none. */
static struct mu_letter *newest(const struct mu_mailbox *b,
                                const struct mu_letter *like)
{
	struct mu_letter *l = mu_letter_index_find(&b->index, like);

	return l && !(b->out && l == b->head) ? l : NULL;
}

/* `l`, which waits, stands for `older` too, which does not any more: what it was
 * before, and how many there were. */
static void absorb(struct mu_mailbox *b, struct mu_letter *l,
                   struct mu_letter *older)
{
	char *old = l->old;
	struct mu_str data = l->e.old_data;
	size_t before = l->bytes;

	l->old = older->old;
	l->e.old_data = older->e.old_data;
	l->bytes = l->bytes - data.len + older->e.old_data.len;
	b->bytes = b->bytes - before + l->bytes;
	l->e.count += older->e.count;
	l->e.flags |= older->e.flags & (MU_EVENT_OVERFLOW | MU_EVENT_COALESCED |
	                                MU_EVENT_RENEWED);
	older->old = old;
	letter_free(older);
}

/* Beside what is there, or in the place of `older`, whose old value stays. */
static bool has_room(const struct mu_mailbox *b, const struct mu_letter *l,
                     const struct mu_letter *older)
{
	size_t others = b->bytes, bytes = l->bytes;

	if (!older)
		return b->count < MU_MAILBOX_PATHS_MAX &&
		       bytes <= MU_MAILBOX_BYTES_MAX - others;
	others -= older->bytes;
	bytes += older->e.old_data.len;
	bytes -= l->e.old_data.len;
	return bytes <= MU_MAILBOX_BYTES_MAX - others;
}

int mu_mailbox_put(struct mu_mailbox *b, const struct mu_chan_event *e)
{
	struct mu_letter *l = letter_new(e), *older = NULL;
	int rc = l ? mu_letter_index_reserve(&b->index) : MU_ENOMEM;

	if (rc) {
		letter_free(l);
		return rc;
	}
	if (b->count >= b->queue_max || (b->newest && !has_room(b, l, NULL)))
		older = newest(b, l);
	else if (has_given_way(b) && mu_letter_is_alike(b->head, l))
		older = b->head;
	if (!has_room(b, l, older)) {
		letter_free(l);
		return MU_EFULL;
	}
	if (older) {
		if (b->count >= b->queue_max && !b->newest)
			l->e.flags |= MU_EVENT_OVERFLOW;
		unmark_from(b, older);
		take_out(b, older);
	}
	go_on(b, l);
	append(b, l);
	if (older)
		absorb(b, l, older);
	return 0;
}

/* ---- giving ---- */

void mu_mailbox_want_newest(struct mu_mailbox *b, bool newest)
{
	b->newest = newest;
}

/* What waits for the path of the head takes its place, at its own. One that has
 * gone behind others for that does not do so again: they may change all the time
 * too, and it would never be its turn. False: the head is the one to give. */
static bool pass_over(struct mu_mailbox *b)
{
	struct mu_letter *l = b->head, *by;
	bool any = false, moved = false;

	if (l->moved || l->kind >= KIND_LINK)
		return false;
	while ((by = l->newer)) {
		moved = moved || l->next != by;
		unmark_before(b, by);
		absorb(b, by, take_out(b, l));
		by->moved = moved;
		any = true;
		l = by;
	}
	return any;
}

const struct mu_chan_event *mu_mailbox_give(struct mu_mailbox *b,
                                            uint64_t now_ms)
{
	if (!b->head || b->out || now_ms < b->due_ms)
		return NULL;
	for (int i = 0; b->newest && i < PASSES_MAX && pass_over(b); i++)
		;
	b->out = true;
	return &b->head->e;
}

/* The head was not handled: it stays; or a newer one of its path takes over, if
 * it was refused, or has ended its process more than once. */
static void keep_or_replace(struct mu_mailbox *b, bool refused, uint64_t due_ms)
{
	struct mu_letter *l = b->head, *newer = newest(b, l);

	b->out = false;
	l->yields = l->yields || refused || l->failed;
	if (newer && l->yields) {
		unmark_before(b, newer);
		absorb(b, newer, take_out(b, l));
		return;
	}
	l->e.attempt++;
	l->e.flags |= MU_EVENT_AGAIN;
	l->failed = true;
	b->due_ms = due_ms;
}

int mu_mailbox_ack(struct mu_mailbox *b, uint64_t seq, int rc, uint64_t now_ms)
{
	if (!b->out || b->head->e.seq != seq)
		return MU_EPROTO;
	if (rc) {
		keep_or_replace(b, true,
		                now_ms + mu_backoff_ms(b->head->e.attempt));
		b->unlinked = rc == MU_ECONNLOSS;
		return 0;
	}
	b->out = false;
	handled(b, b->head);
	return 0;
}

void mu_mailbox_linked(struct mu_mailbox *b)
{
	if (b->unlinked)
		b->due_ms = 0;
	b->unlinked = false;
}

void mu_mailbox_lost(struct mu_mailbox *b)
{
	if (b->out)
		keep_or_replace(b, false, 0);
}

void mu_mailbox_yield(struct mu_mailbox *b, const struct mu_mailbox *to)
{
	if (has_given_way(b) && mu_letter_index_find(&to->index, b->head))
		letter_free(take_out(b, b->head));
}

uint64_t mu_mailbox_due_ms(const struct mu_mailbox *b)
{
	return b->head && !b->out ? b->due_ms : UINT64_MAX;
}

bool mu_mailbox_is_out(const struct mu_mailbox *b)
{
	return b->out;
}

const struct mu_chan_event *mu_mailbox_out(const struct mu_mailbox *b)
{
	return b->out ? &b->head->e : NULL;
}

size_t mu_mailbox_count(const struct mu_mailbox *b)
{
	return b->count;
}
