/*
 * duration.h - a time on the command line: a number with ms, s, m or h behind it.
 * Pure. The one place that knows what a number alone means: seconds, as of
 * sleep(1), timeout(1) and curl.
 */
#ifndef MU_CLI_DURATION_H
#define MU_CLI_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* What every help text and every complaint says of the form. */
#define DURATION_FORM "500ms, 60s (or 60), 5m, 1h"

/* "500ms", "60", "1.5m": in milliseconds, parts of one are cut off. False, and *out
 * as it was: it is none (empty, a sign, a blank, no number before or no unit behind
 * it), or no int64_t holds it. */
bool duration_parse(const char *text, int64_t *out_ms);

#define DURATION_ROOM 32u
/* The same the other way round, in the largest unit that leaves no rest: "5m". */
void duration_text(char out[DURATION_ROOM], int64_t ms);

#endif /* MU_CLI_DURATION_H */
