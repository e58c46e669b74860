#include "slab.h"

#include "bug.h"
#include "mem.h"

#include <string.h>

#define PAGES_MIN 8u

void mu_slab_init(struct mu_slab *s, size_t cell)
{
	MU_BUG_ON(cell < sizeof(uint32_t) || cell > UINT32_MAX / MU_SLAB_PAGE);
	*s = (struct mu_slab){ .cell = (uint32_t)cell, .fresh = 1 };
}

void mu_slab_fini(struct mu_slab *s)
{
	for (uint32_t i = 0; i < s->pages; i++)
		mu_free(s->page[i]);
	mu_free(s->page);
	*s = (struct mu_slab){ .cell = s->cell, .fresh = 1 };
}

static int page_add(struct mu_slab *s)
{
	uint32_t room = s->room ? s->room * 2 : PAGES_MIN;
	uint8_t **page = s->page;

	if (s->pages == UINT32_MAX / MU_SLAB_PAGE)
		return -1;
	if (s->pages == s->room) {
		page = mu_realloc(s->page, room * sizeof *page);
		if (!page)
			return -1;
		s->page = page;
		s->room = room;
	}
	page[s->pages] = mu_alloc((size_t)MU_SLAB_PAGE * s->cell);
	if (!page[s->pages])
		return -1;
	s->pages++;
	return 0;
}

uint32_t mu_slab_new(struct mu_slab *s)
{
	uint32_t id = s->freed;

	if (id) {
		memcpy(&s->freed, mu_slab_at(s, id), sizeof s->freed);
		memset(mu_slab_at(s, id), 0, s->cell);
	} else {
		/* Id 0 has a cell too, which is never given. */
		if (s->fresh / MU_SLAB_PAGE == s->pages && page_add(s))
			return 0;
		id = s->fresh++;
	}
	s->used++;
	return id;
}

void mu_slab_free(struct mu_slab *s, uint32_t id)
{
	MU_BUG_ON(id == 0 || id >= s->fresh || s->used == 0);
	memcpy(mu_slab_at(s, id), &s->freed, sizeof s->freed);
	s->freed = id;
	s->used--;
}
