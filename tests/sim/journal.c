#include "journal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void journal_fini(struct journal *j)
{
	journal_cut(j, 0);
	free(j->entries);
	*j = (struct journal){ 0 };
}

void journal_append(struct journal *j, struct world *w, uint64_t index,
                    const void *bytes, size_t len)
{
	struct journal_entry *e;

	if (index != j->count + 1)
		world_fail(w, "command %" PRIu64 " follows command %zu", index,
		           j->count);
	if (j->count == j->room) {
		j->room = j->room ? j->room * 2 : 256;
		j->entries = realloc(j->entries, j->room * sizeof *j->entries);
		if (!j->entries)
			abort();
	}
	e = &j->entries[j->count++];
	e->len = len;
	e->bytes = malloc(len);
	if (!e->bytes)
		abort();
	memcpy(e->bytes, bytes, len);
}

void journal_cut(struct journal *j, uint64_t count)
{
	while (j->count > count)
		free(j->entries[--j->count].bytes);
	if (j->durable > count)
		j->durable = count;
	j->syncing = 0;
}
