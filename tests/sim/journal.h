/*
 * journal.h - a journal that a simulated disk makes durable later, in batches:
 * while one batch is being synced the next one gathers.
 */
#ifndef SIM_JOURNAL_H
#define SIM_JOURNAL_H

#include "world.h"

struct journal_entry {
	uint8_t *bytes; /* owned */
	size_t len;
};

struct journal {
	struct journal_entry *entries; /* entry i is command i + 1 */
	size_t count, room;
	uint64_t durable; /* all up to here; the first `durable` entries */
	uint64_t syncing; /* being synced up to here; 0: none */
	uint32_t batch;   /* its number */
};

void journal_fini(struct journal *j);

/* Copied. Fails the world if indices have a gap. */
void journal_append(struct journal *j, struct world *w, uint64_t index,
                    const void *bytes, size_t len);

/* Only the first `count` entries are there. */
void journal_cut(struct journal *j, uint64_t count);

#endif /* SIM_JOURNAL_H */
