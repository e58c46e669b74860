/*
 * slab.h - cells of one size, named by 32-bit ids.
 *
 * Pure. Cells lie in pages and never move, so a pointer is good for as long as
 * its id. Ids are small, dense and never 0; a freed id is given again. Pages
 * are kept until mu_slab_fini. The owner's thread alone touches it.
 */
#ifndef MU_CORE_SLAB_H
#define MU_CORE_SLAB_H

#include <stddef.h>
#include <stdint.h>

#define MU_SLAB_PAGE 256u /* cells */

struct mu_slab {
	uint8_t **page; /* owned */
	uint32_t pages; /* allocated */
	uint32_t room;  /* slots in page[] */
	uint32_t cell;  /* bytes */
	uint32_t freed; /* first of the list of freed ids; 0: none */
	uint32_t fresh; /* the least id that was never given */
	uint32_t used;  /* cells in use */
};

/* cell: bytes of one, at least 4, a multiple of what it must be aligned to. */
void mu_slab_init(struct mu_slab *s, size_t cell);
void mu_slab_fini(struct mu_slab *s);

/* A zeroed cell's id; 0 when memory is out. */
uint32_t mu_slab_new(struct mu_slab *s);

/* Give a cell back. */
void mu_slab_free(struct mu_slab *s, uint32_t id);

/* The cell of an id that is in use. */
static inline void *mu_slab_at(const struct mu_slab *s, uint32_t id)
{
	return s->page[id / MU_SLAB_PAGE] +
	       (size_t)(id % MU_SLAB_PAGE) * s->cell;
}

#endif /* MU_CORE_SLAB_H */
