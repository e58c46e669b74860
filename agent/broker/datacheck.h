/*
 * datacheck.h - look at a data directory without a broker, and mend its journal.
 *
 * Both take the directory's lock, so that no broker is at work in it, say what
 * they find, one line a file, and return a process's exit status.
 */
#ifndef MU_BROKER_DATACHECK_H
#define MU_BROKER_DATACHECK_H

#include <stdbool.h>
#include <stdio.h>

/* Read everything, to the last byte, and change nothing. 0: a broker starts from
 * it with all that was acknowledged; 1: it does not, or not with all: the lines
 * with DAMAGED say why. running: for the broker that has the lock itself. */
int mu_check_data(const char *dir, bool running, FILE *out);

/* Say what a cut at the first damaged place of the journal would lose, and with
 * `yes` do it, on stdout; what is cut off is kept in files that nothing reads. 0: there is
 * nothing to mend, or it was mended; 1: it was not, or cannot be. */
int mu_repair_data(const char *dir, bool yes);

#endif /* MU_BROKER_DATACHECK_H */
