/*
 * idmap.h - from a 32-bit number to a pointer. The numbers are ours or libzmq's
 * counters, never a peer's choice. The loop's thread owns it.
 */
#ifndef MU_BROKER_IDMAP_H
#define MU_BROKER_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct mu_idmap_slot {
	uint32_t id;
	void *value; /* NULL: free */
};

struct mu_idmap {
	struct mu_idmap_slot *slot; /* owned */
	size_t room;                /* a power of two, or 0 */
	size_t count;
};

/* An empty map is { 0 }; it owns nothing. */
void mu_idmap_fini(struct mu_idmap *m);

/* The value, or NULL. */
void *mu_idmap_find(const struct mu_idmap *m, uint32_t id);

/* Set or replace; value is not NULL. MU_ENOMEM: unchanged; never when the id is
 * there already. */
int mu_idmap_set(struct mu_idmap *m, uint32_t id, void *value);

/* Forget; an unknown id is ignored. */
void mu_idmap_drop(struct mu_idmap *m, uint32_t id);

#endif /* MU_BROKER_IDMAP_H */
