/* The letters of a mailbox by what they are about. See mailbox_impl.h. */
#include "bug.h"
#include "mailbox_impl.h"
#include "mem.h"

#define ROOM_FIRST 64u

bool mu_letter_is_alike(const struct mu_letter *a, const struct mu_letter *b)
{
	return a->hash == b->hash && a->kind == b->kind &&
	       a->e.source == b->e.source && mu_str_eq(a->e.path, b->e.path);
}

static struct mu_letter **slot(const struct mu_letter_index *x,
                               const struct mu_letter *l)
{
	uint32_t h = l->hash + (uint32_t)l->kind * 0x9e3779b9u +
	             (uint32_t)l->e.source * 0x85ebca6bu;

	return &x->at[(h ^ h >> 16) & (x->room - 1)];
}

/* Where the newest that is alike hangs; where NULL is, there is none. */
static struct mu_letter **find(const struct mu_letter_index *x,
                               const struct mu_letter *like)
{
	struct mu_letter **p = slot(x, like);

	while (*p && !mu_letter_is_alike(*p, like))
		p = &(*p)->chain;
	return p;
}

static void grow(struct mu_letter_index *x, struct mu_letter **at, size_t room)
{
	struct mu_letter_index before = *x;

	x->at = at;
	x->room = room;
	for (size_t i = 0; i < before.room; i++)
		for (struct mu_letter *l = before.at[i], *next; l; l = next) {
			struct mu_letter **p = slot(x, l);

			next = l->chain;
			l->chain = *p;
			*p = l;
		}
	mu_free(before.at);
}

int mu_letter_index_reserve(struct mu_letter_index *x)
{
	size_t room = x->room ? 2 * x->room : ROOM_FIRST;
	struct mu_letter **at;

	if (x->count < x->room)
		return 0;
	at = mu_alloc(room * sizeof *at);
	if (!at)
		return MU_ENOMEM;
	grow(x, at, room);
	return 0;
}

void mu_letter_index_add(struct mu_letter_index *x, struct mu_letter *l)
{
	struct mu_letter **p;

	MU_BUG_ON(x->count >= x->room);
	p = find(x, l);
	l->older = *p;
	l->newer = NULL;
	l->chain = NULL;
	if (*p) {
		l->chain = (*p)->chain;
		(*p)->newer = l;
	} else {
		x->count++;
	}
	*p = l;
}

void mu_letter_index_remove(struct mu_letter_index *x, struct mu_letter *l)
{
	if (l->older)
		l->older->newer = l->newer;
	if (l->newer) {
		l->newer->older = l->older;
	} else {
		struct mu_letter **p = find(x, l);

		MU_BUG_ON(*p != l);
		*p = l->older ? l->older : l->chain;
		if (l->older)
			l->older->chain = l->chain;
		else
			x->count--;
	}
	l->older = l->newer = l->chain = NULL;
}

struct mu_letter *mu_letter_index_find(const struct mu_letter_index *x,
                                       const struct mu_letter *like)
{
	return x->room ? *find(x, like) : NULL;
}

void mu_letter_index_fini(struct mu_letter_index *x)
{
	mu_free(x->at);
	*x = (struct mu_letter_index){ 0 };
}
