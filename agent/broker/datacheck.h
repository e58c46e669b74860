/*
 * datacheck.h - look at a data directory, and mend its journal.
 *
 * Both take the directory's lock, so that no broker is at work in it (unless it
 * is a broker's own child that looks), say what they find, one line a file, and
 * return a process's exit status.
 */
#ifndef MU_BROKER_DATACHECK_H
#define MU_BROKER_DATACHECK_H

#include <stdbool.h>
#include <stdio.h>

/* Read everything, to the last byte, and change nothing (but for the lock's file,
 * where there is none). 0: all is good, and a broker starts from it with all that
 * was acknowledged; 1: something is not, or could not be looked at: the bad lines
 * say what, even if a broker could do without. running: for a child of the broker
 * that has the lock and writes meanwhile; then all is said on `out`, else what
 * could not be looked at on stderr. */
int mu_check_data(const char *dir, bool running, FILE *out);

/* Of its report: does the line say that something is wrong? */
bool mu_check_line_is_bad(const char *line);

/* Say what a cut at the first damaged place of the journal would lose, and with
 * `yes` do it, on stdout; what is cut off is kept in files that nothing reads. 0: there is
 * nothing to mend, or it was mended; 1: it was not, or cannot be. */
int mu_repair_data(const char *dir, bool yes);

#endif /* MU_BROKER_DATACHECK_H */
