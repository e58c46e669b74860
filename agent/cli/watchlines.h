/*
 * watchlines.h - the lines that muster watch prints: one for each event, in the
 * order in which they came.
 *
 * A change of a subscription brings what its line tells. Of the event of a watch,
 * and of a value that is too long to come along, more is asked for; lines behind
 * such a one wait for it. The thread of the command owns it.
 */
#ifndef MU_CLI_WATCHLINES_H
#define MU_CLI_WATCHLINES_H

#include "cli.h"

struct watch_line;

struct watch_lines {
	struct cli *cli;
	bool full;    /* lines tell of zxid, cause and author too */
	int64_t left; /* events to print; -1: without end */
	bool done;    /* no more: `left` were printed, or nobody reads */
	/* In the order of their events; of those that ask the first `asked`
	 * wait for an answer, the others for their turn. */
	struct watch_line *first, **end;
	struct watch_line *next_to_ask;
	size_t asked;
};

/* What they lie in must not move until watch_lines_drop. */
void watch_lines_init(struct watch_lines *w, struct cli *cli);

/* Out of memory is said on stderr, and the line is missing. */
void watch_lines_event(struct watch_lines *w, const struct mu_watch_event *e);
void watch_lines_change(struct watch_lines *w, const struct mu_change *e);
/* Changes in these zxids may be missing; 0, 0: all that was told is of a tree
 * that is gone. Counts as no event. */
void watch_lines_gap(struct watch_lines *w, const char *path, int64_t from,
                     int64_t to);

/* Free what was not printed; answers on their way find nothing more to do, and
 * must have come before *w goes. */
void watch_lines_drop(struct watch_lines *w);

#endif /* MU_CLI_WATCHLINES_H */
