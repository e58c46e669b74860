/*
 * soak_check.h - holds what an instance wrote down (soak_line.h) against what was
 * written into the tree (soak_journal.h), and says what is wrong with it.
 *
 *     lost       a change that nobody was told of, and no count or gap stands for
 *     disorder   within one life of a runner, (zxid, n) went back
 *     doubled    a change told twice: in one life, or without AGAIN
 *     invented   an event that no change, or no state of its node, belongs to
 *     wrong      another value or type than that of the change
 *     unsaid     COALESCED, and no gap was told before it
 *     state      at the end, what follows from the last life's events is not
 *                what is there
 *
 * Life: from one start of the runner to the next. It begins with the present
 * state; then it may go back, with AGAIN, and from there each change follows the
 * one before it on its path.
 */
#ifndef MU_TEST_SOAK_CHECK_H
#define MU_TEST_SOAK_CHECK_H

#include "soak_journal.h"

/* What was asked for: a path, with all below it, or (members) /members. */
struct soak_scope {
	const char *top; /* without a / at its end; NULL: nothing */
	bool exact;      /* the path alone */
	bool members;
};

enum soak_fault {
	SOAK_LOST,
	SOAK_DISORDER,
	SOAK_DOUBLED,
	SOAK_INVENTED,
	SOAK_WRONG,
	SOAK_UNSAID,
	SOAK_STATE,
	SOAK_SPOILT, /* the record itself */
	SOAK_FAULTS,
};

#define SOAK_WHY_MAX 6u

struct soak_found {
	unsigned fault[SOAK_FAULTS]; /* of each so many: none is well */
	char why[SOAK_WHY_MAX][400]; /* the first ones, in words */
	unsigned whys;
	/* What there was */
	unsigned lives, events, present, again;
	unsigned gaps, in_gaps; /* and changes that fell into them */
	unsigned counted;       /* changes that another's count stands for */
	unsigned overflows;     /* events with that flag */
	/* Changes of a value that was too long to come along, of a node that was
	 * gone before it could be read, told by no more than its deletion: for
	 * the agent was killed in between, which knew their number. */
	unsigned unread;
};

const char *soak_fault_word(enum soak_fault f);

/* Look at a whole record, a text. Entries of the journal that are not known
 * (zxid -1) become known by the first record that tells of them. */
void soak_check(struct soak_journal *j, const char *record,
                const struct soak_scope *scope, struct soak_found *out);
bool soak_is_well(const struct soak_found *f);
/* Something is wrong, and all of it is of a kind that is right once the rest of the
 * record is there: it may be read while it is still written. */
bool soak_is_unfinished(const struct soak_found *f);

#endif /* MU_TEST_SOAK_CHECK_H */
