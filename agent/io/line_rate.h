/*
 * line_rate.h - lines of the log that somebody else makes us write, a peer or a
 * plugin: so many a second, and the rest is counted, for the log to say how many.
 */
#ifndef MU_LINE_RATE_H
#define MU_LINE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct mu_line_rate {
	uint32_t max; /* lines in a second; the caller sets it, the rest is 0 */
	uint32_t lines;     /* in this second */
	uint64_t second_ms; /* when it began */
	uint64_t unsaid; /* lines not written; whoever tells of them sets 0 */
};

#define MU_CUT_LINES_MAX 10u /* about links that a broker has cut */

/* One more, now: is it to be written? If not, it is counted as unsaid. */
bool mu_line_rate_take(struct mu_line_rate *r, uint64_t now_ms);

#endif /* MU_LINE_RATE_H */
