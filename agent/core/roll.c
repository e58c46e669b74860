#include "roll.h"

#include "bug.h"
#include "mem.h"
#include "member.h"

#include <string.h>

/* A member, with its texts behind it. Also an entry of the queue. */
struct entry {
	struct mu_member m;
	struct entry *next; /* in the queue */
	uint32_t type, flags, count;
	int64_t zxid;
	char text[];
};

struct mu_roll {
	mu_roll_fn *fn;
	void *arg;
	struct entry **at; /* who is there, by name */
	size_t count, room;
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
	size_t len = 0, used = 0;
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
	e->type = c->type;
	e->flags = c->flags;
	e->count = c->count;
	e->zxid = c->zxid;
	return e;
}

/* ---- who is there ---- */

static bool find(const struct mu_roll *r, const char *name, size_t *slot)
{
	size_t lo = 0, hi = r->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = strcmp(name, r->at[mid]->m.name);

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

/* Room for all that waits to come in, so that settling cannot fail. */
static int reserve(struct mu_roll *r)
{
	size_t need = r->count + r->waiting + 1;
	size_t room = r->room ? r->room * 2 : 8;
	struct entry **at;

	if (need <= r->room)
		return 0;
	if (room < need)
		room = need;
	at = mu_realloc(r->at, room * sizeof *at);
	if (!at)
		return MU_ENOMEM;
	r->at = at;
	r->room = room;
	return 0;
}

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
	for (size_t i = 0; i < r->count; i++)
		mu_free(r->at[i]);
	r->count = 0;
}

void mu_roll_free(struct mu_roll *r)
{
	if (!r)
		return;
	mu_roll_forget(r);
	mu_free(r->at);
	mu_free(r);
}

size_t mu_roll_count(const struct mu_roll *r)
{
	return r->count;
}

const struct mu_member *mu_roll_next(const struct mu_roll *r,
                                     const struct mu_member *m)
{
	size_t i = 0;

	if (m && find(r, m->name, &i))
		i++;
	return i < r->count ? &r->at[i]->m : NULL;
}

/* ---- settling ---- */

static void tell(struct mu_roll *r, const struct entry *why, uint32_t type,
                 uint32_t flags, const struct mu_member *m)
{
	struct mu_roll_event e = { .type = type,
		                   .flags = flags,
		                   .count = why->count,
		                   .zxid = why->zxid,
		                   .member = m };

	r->fn(r->arg, &e);
}

/* The head is a coming: put it in. */
static void come(struct mu_roll *r)
{
	struct entry *e = r->head;
	bool present = e->type == MU_EVENT_PRESENT;
	size_t slot;

	drop_head(r);
	e->next = NULL;
	if (find(r, e->m.name, &slot)) {
		struct entry *old = r->at[slot];

		r->at[slot] = e;
		if (mu_member_differs(&old->m, &e->m))
			tell(r, e, MU_EVENT_MEMBER_CHANGED, e->flags, &e->m);
		mu_free(old);
		return;
	}
	MU_BUG_ON(r->count == r->room);
	memmove(&r->at[slot + 1], &r->at[slot],
	        (r->count - slot) * sizeof *r->at);
	r->at[slot] = e;
	r->count++;
	tell(r, e, present ? MU_EVENT_MEMBER_PRESENT : MU_EVENT_MEMBER_JOINED,
	     e->flags, &e->m);
}

/* Take the member at `slot` off the roll, for what stands at the head. */
static void go(struct mu_roll *r, size_t slot, uint32_t type)
{
	struct entry *old = r->at[slot];
	uint32_t flags = r->head->flags;

	memmove(&r->at[slot], &r->at[slot + 1],
	        (r->count - slot - 1) * sizeof *r->at);
	r->count--;
	if (r->head->type != MU_EVENT_DELETED) {
		/* It came back: the head stays, and is a coming now. */
		r->head->flags |= MU_EVENT_COALESCED;
		r->head->type = MU_EVENT_CREATED;
		r->asked = false;
		flags |= MU_EVENT_COALESCED;
	}
	tell(r, r->head, type, flags, &old->m);
	mu_free(old);
}

static bool is_end(const struct mu_roll *r, const struct entry *e, size_t *slot)
{
	return find(r, e->m.name, slot) &&
	       (e->type == MU_EVENT_DELETED ||
	        e->m.czxid != r->at[*slot]->m.czxid);
}

static void settle(struct mu_roll *r)
{
	struct entry *e;
	size_t slot;

	while ((e = r->head) && !r->asked) {
		if (is_end(r, e, &slot)) {
			if (mu_member_end_is_open(&r->at[slot]->m))
				return; /* a question */
			go(r, slot, MU_EVENT_MEMBER_LEFT);
		}
		if (e->type == MU_EVENT_DELETED) {
			drop_head(r);
			mu_free(e);
		} else {
			come(r);
		}
	}
}

int mu_roll_change(struct mu_roll *r, const struct mu_roll_change *c)
{
	struct entry *e;
	int rc = reserve(r);

	if (rc)
		return rc;
	if (r->waiting >= MU_ROLL_QUEUE_MAX)
		return MU_EFULL;
	e = entry_new(c);
	if (!e)
		return MU_ENOMEM;
	*r->tail = e;
	r->tail = &e->next;
	r->waiting++;
	settle(r);
	return 0;
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
	size_t slot;

	if (!r->head || !r->asked)
		return;
	r->asked = false;
	if (is_end(r, r->head, &slot)) {
		struct entry *e = r->head;

		go(r, slot, mu_member_end(&r->at[slot]->m, left));
		if (e->type == MU_EVENT_DELETED) {
			drop_head(r);
			mu_free(e);
		}
	}
	settle(r);
}

void mu_roll_ask_again(struct mu_roll *r)
{
	r->asked = false;
}
