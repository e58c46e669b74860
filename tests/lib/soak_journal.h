/*
 * soak_journal.h - what was written into the tree, for the soak: of each path all
 * changes in their order, kept by those who wrote them.
 *
 * A path has up to two strands, of its node (created, changed, deleted; of a
 * member joined, changed, left, failed) and of its list of children. Threads may
 * put at the same time; a strand belongs to one of them. Nobody puts any more
 * when it is read.
 */
#ifndef MU_TEST_SOAK_JOURNAL_H
#define MU_TEST_SOAK_JOURNAL_H

#include "soak_line.h"

#include <muster/plugin.h>

#include <stddef.h>

struct soak_entry {
	unsigned type; /* enum mu_event_type */
	int64_t zxid;  /* -1: not known, but in its order */
	int32_t n;     /* -1: not known */
	int32_t len;   /* of the value; -1: none, or not said */
	uint64_t digest;
	bool quiet; /* it may be told, and need not be */
};

struct soak_strand {
	char path[SOAK_PATH_MAX];
	bool children;
	struct soak_entry *entry;
	size_t count, room;
	struct soak_strand *next; /* of all, no order */
};

struct soak_journal;

struct soak_journal *soak_journal_new(void);
void soak_journal_free(struct soak_journal *j);

void soak_journal_put(struct soak_journal *j, const char *path,
                      const struct soak_entry *e);
/* NULL: nothing was written there. */
struct soak_strand *soak_journal_find(struct soak_journal *j, const char *path,
                                      bool children);
struct soak_strand *soak_journal_all(struct soak_journal *j);
size_t soak_journal_count(const struct soak_journal *j); /* of entries */

/* Is a node there behind this entry? */
bool soak_entry_is_there(const struct soak_entry *e);

#endif /* MU_TEST_SOAK_JOURNAL_H */
