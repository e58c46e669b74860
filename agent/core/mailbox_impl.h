/*
 * mailbox_impl.h - the letters of a mailbox, and how one is found by what it is
 * about. For mailbox.c and mailbox_index.c.
 */
#ifndef MU_CORE_MAILBOX_IMPL_H
#define MU_CORE_MAILBOX_IMPL_H

#include "mailbox.h"

enum mu_letter_kind {
	KIND_VALUE,
	KIND_CHILDREN,
	KIND_MEMBER,
	KIND_LINK,
	KIND_GAP
};

/* Two are alike if they are of one kind, source and path: the newer one can stand
 * for both. Those of a queue are in the order of their seq. */
struct mu_letter {
	struct mu_letter *prev, *next;
	struct mu_letter *older, *newer; /* the nearest that are alike */
	struct mu_letter *chain;         /* of the index; of the newest alike */
	struct mu_letter *mark_prev, *mark_next; /* of its source */
	struct mu_chan_event e; /* its texts lie in text and old */
	char *old;              /* owned: the bytes of old_data, or NULL */
	enum mu_letter_kind kind;
	uint32_t hash; /* of the path */
	size_t bytes;
	bool failed; /* given, and not handled */
	bool yields; /* so much so that a newer one may stand for it */
	bool moved;  /* for older ones of its path, behind those of others */
	bool marked; /* with it, its source is handled up to: */
	int64_t zxid;
	int32_t n;
	char text[];
};

bool mu_letter_is_alike(const struct mu_letter *a, const struct mu_letter *b);

/* Finds the newest letter that is alike. A hash table of chains. */
struct mu_letter_index {
	struct mu_letter **at;
	size_t room, count; /* room: a power of two, or 0 */
};

/* So that the next _add cannot fail. MU_ENOMEM: nothing has changed. */
int mu_letter_index_reserve(struct mu_letter_index *x);
/* l is newer than all that are alike. */
void mu_letter_index_add(struct mu_letter_index *x, struct mu_letter *l);
void mu_letter_index_remove(struct mu_letter_index *x, struct mu_letter *l);
/* NULL: there is none. `like` need not be in it. */
struct mu_letter *mu_letter_index_find(const struct mu_letter_index *x,
                                       const struct mu_letter *like);
void mu_letter_index_fini(struct mu_letter_index *x);

#endif /* MU_CORE_MAILBOX_IMPL_H */
