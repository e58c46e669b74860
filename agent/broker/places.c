#include "places.h"

#include "bug.h"
#include "hash.h"
#include "mem.h"
#include "slab.h"

#include <muster/types.h>

#include <string.h>

struct place {
	uint8_t ip[16];
	uint32_t count;
	uint32_t hash_next;
};

struct mu_places {
	uint8_t key[MU_HASH_KEY];
	struct mu_slab cells;
	struct mu_table by_ip;
};

static struct place *place_at(const struct mu_places *p, uint32_t id)
{
	return mu_slab_at(&p->cells, id);
}

static uint64_t ip_hash(const struct mu_places *p, const uint8_t ip[16])
{
	return mu_hash(p->key, 0, ip, 16);
}

static uint64_t place_hash(const void *arg, uint32_t id)
{
	return ip_hash(arg, place_at(arg, id)->ip);
}

static uint32_t *place_next(const void *arg, uint32_t id)
{
	return &place_at(arg, id)->hash_next;
}

static const struct mu_table_ops by_ip = { place_hash, place_next };

struct mu_places *mu_places_new(const uint8_t key[16])
{
	struct mu_places *p = mu_alloc(sizeof *p);

	if (!p)
		return NULL;
	memcpy(p->key, key, sizeof p->key);
	mu_slab_init(&p->cells, sizeof(struct place));
	if (mu_table_init(&p->by_ip, &by_ip, p)) {
		mu_places_free(p);
		return NULL;
	}
	return p;
}

void mu_places_free(struct mu_places *p)
{
	if (!p)
		return;
	mu_table_fini(&p->by_ip);
	mu_slab_fini(&p->cells);
	mu_free(p);
}

static uint32_t find(const struct mu_places *p, const uint8_t ip[16])
{
	uint32_t id = mu_table_first(&p->by_ip, ip_hash(p, ip));

	while (id && memcmp(place_at(p, id)->ip, ip, 16) != 0)
		id = place_at(p, id)->hash_next;
	return id;
}

int mu_places_enter(struct mu_places *p, const uint8_t ip[16], uint32_t max)
{
	uint32_t id = find(p, ip);

	if (id && max && place_at(p, id)->count >= max)
		return MU_EFULL;
	if (!id) {
		id = mu_slab_new(&p->cells);
		if (!id)
			return MU_ENOMEM;
		memcpy(place_at(p, id)->ip, ip, 16);
		mu_table_insert(&p->by_ip, ip_hash(p, ip), id);
	}
	place_at(p, id)->count++;
	return 0;
}

void mu_places_leave(struct mu_places *p, const uint8_t ip[16])
{
	uint32_t id = find(p, ip);

	MU_BUG_ON(!id);
	if (--place_at(p, id)->count)
		return;
	mu_table_remove(&p->by_ip, ip_hash(p, ip), id);
	mu_slab_free(&p->cells, id);
}

uint32_t mu_places_count(const struct mu_places *p, const uint8_t ip[16])
{
	uint32_t id = find(p, ip);

	return id ? place_at(p, id)->count : 0;
}
