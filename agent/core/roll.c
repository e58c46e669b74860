#include "roll.h"

#include "bug.h"
#include "mem.h"
#include "member.h"

#include <string.h>

/* A member, with its texts behind it. Also an entry of the queue. */
struct entry {
	struct mu_member m;
	struct entry *next;        /* in the queue */
	struct mu_roll_change why; /* origin lies behind the texts */
	char text[];
};

/* Entries by name. */
struct list {
	struct entry **at;
	size_t count, room;
};

struct mu_roll {
	mu_roll_fn *fn;
	void *arg;
	struct list here;           /* who is there */
	struct list past;           /* who was, as the past is told */
	struct entry *head, **tail; /* what waits for an answer */
	size_t waiting;
	bool asked; /* head's question is on its way */
};

/* The texts of a member, as offsets, so that copying is a loop. */
static const size_t text_at[] = {
	offsetof(struct mu_member, name),
	offsetof(struct mu_member, id),
	offsetof(struct mu_member, address),
	offsetof(struct mu_member, version),
	offsetof(struct mu_member, boot_id),
	offsetof(struct mu_member, state),
	offsetof(struct mu_member, labels),
};
#define TEXTS (sizeof text_at / sizeof text_at[0])

static const char **text_of(struct mu_member *m, size_t i)
{
	return (const char **)(void *)((char *)m + text_at[i]);
}

static struct entry *entry_new(const struct mu_roll_change *c)
{
	struct mu_member m = *c->member;
	size_t len = c->origin.len, used = 0;
	struct entry *e;

	for (size_t i = 0; i < TEXTS; i++) {
		if (!*text_of(&m, i))
			*text_of(&m, i) = "";
		len += strlen(*text_of(&m, i)) + 1;
	}
	e = mu_alloc(sizeof *e + len);
	if (!e)
		return NULL;
	e->m = m;
	e->m.size = sizeof e->m;
	for (size_t i = 0; i < TEXTS; i++) {
		size_t n = strlen(*text_of(&m, i)) + 1;

		memcpy(e->text + used, *text_of(&m, i), n);
		*text_of(&e->m, i) = e->text + used;
		used += n;
	}
	e->why = *c;
	e->why.member = &e->m;
	if (c->origin.at) {
		memcpy(e->text + used, c->origin.at, c->origin.len);
		e->why.origin.at = e->text + used;
	}
	return e;
}

/* ---- lists ---- */

static bool find(const struct list *l, const char *name, size_t *slot)
{
	size_t lo = 0, hi = l->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = strcmp(name, l->at[mid]->m.name);

		if (d == 0) {
			*slot = mid;
			return true;
		}
		if (d < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	*slot = lo;
	return false;
}

/* Room for so many more, so that putting them in cannot fail. It stays. */
static int reserve(struct list *l, size_t more)
{
	size_t need = l->count + more;
	size_t room = l->room ? l->room * 2 : 8;
	struct entry **at;

	if (need <= l->room)
		return 0;
	if (room < need)
		room = need;
	at = mu_realloc(l->at, room * sizeof *at);
	if (!at)
		return MU_ENOMEM;
	l->at = at;
	l->room = room;
	return 0;
}

static void insert(struct list *l, size_t slot, struct entry *e)
{
	MU_BUG_ON(l->count == l->room);
	memmove(&l->at[slot + 1], &l->at[slot],
	        (l->count - slot) * sizeof *l->at);
	l->at[slot] = e;
	l->count++;
}

static struct entry *take(struct list *l, size_t slot)
{
	struct entry *e = l->at[slot];

	l->count--;
	memmove(&l->at[slot], &l->at[slot + 1],
	        (l->count - slot) * sizeof *l->at);
	return e;
}

/* The one of that name, or NULL. */
static struct entry *take_named(struct list *l, const char *name)
{
	size_t slot;

	return find(l, name, &slot) ? take(l, slot) : NULL;
}

/* In the place of the one of that name. */
static void put(struct list *l, struct entry *e)
{
	size_t slot;

	if (find(l, e->m.name, &slot)) {
		mu_free(l->at[slot]);
		l->at[slot] = e;
	} else {
		insert(l, slot, e);
	}
}

static void empty(struct list *l)
{
	while (l->count > 0)
		mu_free(l->at[--l->count]);
}

/* ---- the roll ---- */

struct mu_roll *mu_roll_new(mu_roll_fn *fn, void *arg)
{
	struct mu_roll *r = mu_alloc(sizeof *r);

	if (!r)
		return NULL;
	r->fn = fn;
	r->arg = arg;
	r->tail = &r->head;
	return r;
}

static void drop_head(struct mu_roll *r)
{
	r->head = r->head->next;
	if (!r->head)
		r->tail = &r->head;
	r->waiting--;
	r->asked = false;
}

void mu_roll_forget(struct mu_roll *r)
{
	while (r->head) {
		struct entry *e = r->head;

		drop_head(r);
		mu_free(e);
	}
	empty(&r->here);
	empty(&r->past);
}

void mu_roll_free(struct mu_roll *r)
{
	if (!r)
		return;
	mu_roll_forget(r);
	mu_free(r->here.at);
	mu_free(r->past.at);
	mu_free(r);
}

size_t mu_roll_count(const struct mu_roll *r)
{
	return r->here.count;
}

bool mu_roll_is_waiting(const struct mu_roll *r)
{
	return r->head != NULL;
}

const struct mu_member *mu_roll_next(const struct mu_roll *r,
                                     const struct mu_member *m)
{
	size_t i = 0;

	if (m && find(&r->here, m->name, &i))
		i++;
	return i < r->here.count ? &r->here.at[i]->m : NULL;
}

/* ---- settling ---- */

static void tell(struct mu_roll *r, const struct entry *why, uint32_t type,
                 uint32_t flags, const struct mu_member *m)
{
	struct mu_roll_event e = { .type = type,
		                   .flags = flags,
		                   .count = why->why.count,
		                   .zxid = why->why.zxid,
		                   .member = m,
		                   .n = why->why.n,
		                   .exact = why->why.exact,
		                   .past = why->why.past,
		                   .held = why->why.held,
		                   .cause = why->why.cause,
		                   .session = why->why.session,
		                   .origin = why->why.origin };

	r->fn(r->arg, &e);
}

/* Nothing is told of a change, later, that would not have been told at once. Of one
 * that stands for several this cannot be said: some of them may have been told. */
static bool is_quiet(const struct entry *old, const struct entry *e)
{
	return old && e->why.type == MU_EVENT_CHANGED && e->why.exact &&
	       e->why.count == 1 && old->m.czxid == e->m.czxid &&
	       !mu_member_differs(&old->m, &e->m);
}

/* One who went before all was read, and joined before what is told begins: as it
 * was. `old`: before that, if it is known. */
static void come_late(struct mu_roll *r, const struct entry *e,
                      const struct entry *old)
{
	if (!is_quiet(old, e))
		tell(r, e, MU_EVENT_MEMBER_CHANGED, e->why.flags, &e->m);
}

/* The head is a coming: put it in. */
static void come(struct mu_roll *r)
{
	struct entry *e = r->head, *old;
	size_t slot;

	drop_head(r);
	e->next = NULL;
	old = take_named(&r->past, e->m.name);
	if (find(&r->here, e->m.name, &slot)) {
		mu_free(old);
		old = r->here.at[slot];
		r->here.at[slot] = e;
		if (mu_member_differs(&old->m, &e->m))
			tell(r, e, MU_EVENT_MEMBER_CHANGED, e->why.flags,
			     &e->m);
	} else {
		insert(&r->here, slot, e);
		if (e->why.exact && e->why.type == MU_EVENT_CHANGED)
			come_late(r, e, old);
		else
			tell(r, e,
			     e->why.type == MU_EVENT_PRESENT
			             ? MU_EVENT_MEMBER_PRESENT
			             : MU_EVENT_MEMBER_JOINED,
			     e->why.flags, &e->m);
	}
	mu_free(old);
}

/* Take the member at `slot` off the roll, for what stands at the head. */
static void go(struct mu_roll *r, size_t slot, uint32_t type)
{
	struct entry *old = take(&r->here, slot);
	uint32_t flags = r->head->why.flags;

	if (r->head->why.type != MU_EVENT_DELETED) {
		/* It came back: the head stays, and is a coming now. */
		r->head->why.flags |= MU_EVENT_COALESCED;
		r->head->why.type = MU_EVENT_CREATED;
		r->asked = false;
		flags |= MU_EVENT_COALESCED;
	}
	tell(r, r->head, type, flags, &old->m);
	mu_free(old);
}

static bool is_end(const struct mu_roll *r, const struct entry *e, size_t *slot)
{
	return find(&r->here, e->m.name, slot) &&
	       (e->why.type == MU_EVENT_DELETED ||
	        e->m.czxid != r->here.at[*slot]->m.czxid);
}

/* Of whom it tells: NULL if it is not the end of one we know. */
static const struct mu_member *ended(const struct mu_roll *r,
                                     const struct entry *e)
{
	size_t slot;

	if (e->why.past)
		return e->why.type == MU_EVENT_DELETED ? &e->m : NULL;
	return is_end(r, e, &slot) ? &r->here.at[slot]->m : NULL;
}

/* The head is of the past: tell it, and leave those that are here. */
static void tell_past(struct mu_roll *r, uint32_t end)
{
	struct entry *e = r->head, *old;
	uint32_t type = MU_EVENT_MEMBER_CHANGED;

	if (e->why.type == MU_EVENT_DELETED)
		type = end;
	else if (e->why.type == MU_EVENT_CREATED)
		type = MU_EVENT_MEMBER_JOINED;
	drop_head(r);
	e->next = NULL;
	old = take_named(&r->past, e->m.name);
	if (!is_quiet(old, e))
		tell(r, e, type, e->why.flags, &e->m);
	mu_free(old);
	if (e->why.type == MU_EVENT_DELETED)
		mu_free(e);
	else
		put(&r->past, e);
}

/* The head, an end of this type or no end, goes on the roll or off it. */
static void apply(struct mu_roll *r, uint32_t end)
{
	struct entry *e = r->head;
	size_t slot;

	if (e->why.past) {
		tell_past(r, end);
		return;
	}
	if (e->why.type == MU_EVENT_GAP) {
		empty(&r->past); /* it is not known any more */
		drop_head(r);
		tell(r, e, MU_EVENT_GAP, e->why.flags, &e->m);
		mu_free(e);
		return;
	}
	if (is_end(r, e, &slot))
		go(r, slot, end);
	if (e->why.type == MU_EVENT_DELETED) {
		mu_free(take_named(&r->past, e->m.name));
		drop_head(r);
		mu_free(e);
	} else {
		come(r);
	}
}

static void settle(struct mu_roll *r)
{
	while (r->head && !r->asked) {
		const struct mu_member *m = ended(r, r->head);

		if (m && mu_member_end_is_open(m))
			return; /* a question */
		apply(r, MU_EVENT_MEMBER_LEFT);
	}
}

static int admit(struct mu_roll *r, const struct mu_roll_change *c,
                 struct entry **out)
{
	int rc = reserve(c->past ? &r->past : &r->here, r->waiting + 1);

	if (rc)
		return rc;
	if (r->waiting >= MU_ROLL_QUEUE_MAX)
		return MU_EFULL;
	*out = entry_new(c);
	return *out ? 0 : MU_ENOMEM;
}

int mu_roll_change(struct mu_roll *r, const struct mu_roll_change *c)
{
	struct entry *e;
	int rc = admit(r, c, &e);

	if (rc)
		return rc;
	*r->tail = e;
	r->tail = &e->next;
	r->waiting++;
	settle(r);
	return 0;
}

int mu_roll_put(struct mu_roll *r, const struct mu_member *member)
{
	struct mu_roll_change c = { .member = member };
	struct entry *e;
	int rc = admit(r, &c, &e);

	if (!rc)
		put(&r->here, e);
	return rc;
}

int mu_roll_put_past(struct mu_roll *r, const struct mu_member *member)
{
	struct mu_roll_change c = { .member = member, .past = true };
	struct entry *e;
	int rc = admit(r, &c, &e);

	if (!rc)
		put(&r->past, e);
	return rc;
}

void mu_roll_forget_past(struct mu_roll *r)
{
	empty(&r->past);
}

const char *mu_roll_question(struct mu_roll *r)
{
	if (!r->head || r->asked)
		return NULL;
	r->asked = true;
	return r->head->m.name;
}

void mu_roll_answer(struct mu_roll *r, struct mu_str left)
{
	const struct mu_member *m;

	if (!r->head || !r->asked)
		return;
	r->asked = false;
	m = ended(r, r->head);
	apply(r, m ? mu_member_end(m, left) : MU_EVENT_MEMBER_LEFT);
	settle(r);
}

void mu_roll_ask_again(struct mu_roll *r)
{
	r->asked = false;
}
