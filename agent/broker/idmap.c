/* idmap.c - open addressing, linear probing, at most three quarters full. */
#include "idmap.h"

#include "bug.h"
#include "mem.h"

#include <muster/types.h>

#define ROOM_MIN 64u

static size_t place(uint32_t id, size_t room)
{
	/* Knuth's multiplier spreads a counter; the high bits are the good
	 * ones. */
	return ((size_t)(uint32_t)(id * 2654435761u) >> 7) & (room - 1);
}

/* Where id is, or where it would go. There is always a free slot. */
static size_t seek(const struct mu_idmap *m, uint32_t id)
{
	size_t i = place(id, m->room);

	while (m->slot[i].value && m->slot[i].id != id)
		i = (i + 1) & (m->room - 1);
	return i;
}

static int grow(struct mu_idmap *m)
{
	struct mu_idmap old = *m;
	size_t i;

	m->room = old.room ? old.room * 2 : ROOM_MIN;
	m->slot = mu_alloc(m->room * sizeof *m->slot);
	if (!m->slot) {
		*m = old;
		return MU_ENOMEM;
	}
	for (i = 0; i < old.room; i++) {
		if (old.slot[i].value)
			m->slot[seek(m, old.slot[i].id)] = old.slot[i];
	}
	mu_free(old.slot);
	return 0;
}

void mu_idmap_fini(struct mu_idmap *m)
{
	mu_free(m->slot);
	*m = (struct mu_idmap){ 0 };
}

void *mu_idmap_find(const struct mu_idmap *m, uint32_t id)
{
	return m->room ? m->slot[seek(m, id)].value : NULL;
}

int mu_idmap_set(struct mu_idmap *m, uint32_t id, void *value)
{
	MU_BUG_ON(!value);
	if (mu_idmap_find(m, id)) {
		m->slot[seek(m, id)].value = value;
		return 0;
	}
	if (m->count + 1 > m->room / 4 * 3 && grow(m))
		return MU_ENOMEM;
	m->slot[seek(m, id)] = (struct mu_idmap_slot){ id, value };
	m->count++;
	return 0;
}

/* Close the gap: whoever was pushed past it moves back. */
void mu_idmap_drop(struct mu_idmap *m, uint32_t id)
{
	size_t gap, i, home, mask = m->room - 1;

	if (!mu_idmap_find(m, id))
		return;
	gap = seek(m, id);
	for (i = (gap + 1) & mask; m->slot[i].value; i = (i + 1) & mask) {
		home = place(m->slot[i].id, m->room);
		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		m->slot[gap] = m->slot[i];
		gap = i;
	}
	m->slot[gap].value = NULL;
	m->count--;
}
