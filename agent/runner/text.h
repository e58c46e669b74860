/*
 * text.h - texts on their way between the channel and a plugin. Pure.
 */
#ifndef MU_RUNNER_TEXT_H
#define MU_RUNNER_TEXT_H

#include "path.h"

/*
 * A text of a record as a C string, in place: the byte after it becomes a NUL.
 * That byte is the first of the next field, so decode the whole record before;
 * after the last field mu_channel_read leaves a spare one. "" for null.
 */
const char *mu_text_end(struct mu_str s);

/* Make what a plugin wrote fit for one line of a log, in place: bytes that would
 * break the line or a terminal become blanks, blanks at the end go. */
void mu_text_clean(char *text);

#endif /* MU_RUNNER_TEXT_H */
