/*
 * fileset.h - a set of files put in force as one, and the service that reads
 * them informed, for the shipped plugins.
 *
 * All new values are written beside their files and checked; only then do they
 * take the files' places, one after the other, and the service is told to
 * reload, once. If that fails, all the old files come back and the service
 * reloads those. Beside each file lie, while values are being put in force,
 *     <file>.muster-new       the new value, not yet in place
 *     <file>.muster-old       the last value known to be in force; none: there
 *                             was no file
 * beside the first one
 *     <file>.muster-pending   the service may not have read what the files say;
 *                             holds the names of those whose old value is kept
 * and for good
 *     <file>.muster-hand      what somebody had made of it by hand
 * and in the working directory, to tell an edit by hand from what an earlier
 * process of the instance has put there,
 *     in-force.<instance>     length and checksum of each file
 *
 * A crash at any moment leaves either no mark, and then what is in place is
 * good, and as noted; or the mark, and then what is kept is the last that was good.
 */
#ifndef MU_PLUGINS_FILESET_H
#define MU_PLUGINS_FILESET_H

#include "filecopy.h"
#include "filenote.h"

#include <muster/plugin.h>

#define MU_FILESET_MAX 16u /* files */

struct mu_fileset_file {
	/* The caller's, to fill in; texts live as long as the set. */
	const char *file;  /* absolute */
	const char *check; /* command; %f: the new bytes; NULL: none */
	mode_t mode;

	/* The set's own: names beside the file, */
	char *fresh, *old, *hand;
	/* the file as it was last put in force, found to be right, or copied
	 * because somebody had edited it, */
	struct mu_filenote seen;
	struct mu_filenote noted; /* so it stands in in-force.<instance> */
	/* and, while a change is pending: its last good value is kept. */
	bool covered;
};

struct mu_fileset {
	/* The caller's. */
	const struct mu_host *host;
	struct mu_fileset_file *files;
	size_t count;        /* 1 to MU_FILESET_MAX */
	const char *reload;  /* command; NULL: none */
	uint32_t timeout_ms; /* of each command */

	/* The set's own: names of the mark, and of one being written; of */
	char *pending, *pending_new;
	char *notes, *notes_new; /* in-force.<instance> likewise */
	bool notes_read;
	bool notes_fail; /* and the log has said so */
};

/* What a file should be. */
struct mu_file_value {
	const void *bytes; /* NULL: no file */
	size_t len;
};

/* Make the names. MU_ENOMEM: undone. */
int mu_fileset_init(struct mu_fileset *s, struct mu_err *err);
void mu_fileset_fini(struct mu_fileset *s); /* also of one that is all zero */

/*
 * Put the values in force, one for each file, if they are not. 0: they are, and
 * *changed says if anything had to be done. Else what was in force before is in
 * place again, unless *err says that it is not; *state is MU_REPORT_REJECTED if
 * a check refused the values, otherwise MU_REPORT_FAILED. A check finds the name
 * of its new file in MUSTER_FILE, and those of all in MUSTER_NEW_1, ...; the
 * reload finds the first file's in MUSTER_FILE. MU_EIO, MU_ENOMEM, MU_ETOOBIG,
 * MU_EDATA (a command failed).
 */
int mu_fileset_apply(struct mu_fileset *s, const struct mu_file_value *values,
                     bool *changed, enum mu_report_state *state,
                     struct mu_err *err);

#endif /* MU_PLUGINS_FILESET_H */
