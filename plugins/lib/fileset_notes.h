/* fileset_notes.h - what a set knows of its files over the end of its process; for
 * fileset.c. */
#ifndef MU_PLUGINS_FILESET_NOTES_H
#define MU_PLUGINS_FILESET_NOTES_H

#include "fileset.h"

/* What an earlier process of this instance knew: read once, and not before a value
 * is put in force, for that one may go on while this one begins. Where it cannot
 * be read, the log is told, and nothing is known. */
void mu_fileset_read_notes(struct mu_fileset *s);

/* Write down what was seen, if that is news. Where it cannot be, the log is told,
 * and nothing is lost: the next process keeps one copy more. */
void mu_fileset_keep_notes(struct mu_fileset *s);

#endif /* MU_PLUGINS_FILESET_NOTES_H */
