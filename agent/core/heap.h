/*
 * heap.h - ids in the order of a 64-bit key, the least on top.
 *
 * Pure. A binary heap that tells each id where it stands, so that any of them
 * can be taken out or moved in O(log n). The owner's thread alone touches it.
 */
#ifndef MU_CORE_HEAP_H
#define MU_CORE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct mu_heap_entry {
	uint64_t key;
	uint32_t id;
};

struct mu_heap {
	struct mu_heap_entry *entry; /* owned; entry[0] is the least */
	uint32_t len;
	uint32_t room;
	/* `id` stands at entry[at] now. Called for each id that moves. */
	void (*moved)(const void *arg, uint32_t id, uint32_t at);
	const void *arg;
};

void mu_heap_init(struct mu_heap *h,
                  void (*moved)(const void *arg, uint32_t id, uint32_t at),
                  const void *arg);
void mu_heap_fini(struct mu_heap *h);

/* Make sure that `n` ids in all can be held. 0 or MU_ENOMEM. */
int mu_heap_reserve(struct mu_heap *h, uint32_t n);

/* Add an id; there must be room for it. */
void mu_heap_push(struct mu_heap *h, uint64_t key, uint32_t id);

/* Give the id at entry[at] another key. */
void mu_heap_rekey(struct mu_heap *h, uint32_t at, uint64_t key);

/* Take the id at entry[at] out. */
void mu_heap_remove(struct mu_heap *h, uint32_t at);

#endif /* MU_CORE_HEAP_H */
