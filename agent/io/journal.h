/*
 * journal.h - where commands become durable.
 *
 * A struct of functions, so that the store's shell does not know which one it
 * has. Today there is one, mu_journal_memory_open: it keeps nothing but the
 * epoch (a file in the data directory), and says every command durable at the
 * end of the turn. The durable one comes with the same face.
 */
#ifndef MU_IO_JOURNAL_H
#define MU_IO_JOURNAL_H

#include <muster/types.h>

#define MU_JOURNAL_VERSION 1 /* of what stands on disk */

struct mu_journal {
	/* Take a command (copied). index counts from 1 without gaps. */
	int (*append)(struct mu_journal *j, uint64_t index, const void *command,
	              size_t len, struct mu_err *err);
	/* End of a turn: start making durable what was appended. */
	int (*flush)(struct mu_journal *j, struct mu_err *err);
	/* All up to here are durable. */
	uint64_t (*durable)(const struct mu_journal *j);
	/* Readable when durable() has grown; -1: it only grows in flush. */
	int (*fd)(const struct mu_journal *j);
	void (*close)(struct mu_journal *j);
	uint32_t epoch; /* of this start */
	bool keeps;     /* commands survive a restart */
};

/* Open, and raise the epoch in DIR/epoch by one (temp, fsync, rename, fsync of
 * the directory; a version line in front; a newer version is refused). DIR is
 * made if it is missing, and locked against a second broker. Errors: MU_EIO,
 * MU_EDATA (the file is damaged: says what to do), MU_EFULL (another broker
 * holds the directory), MU_ENOMEM. */
int mu_journal_memory_open(const char *dir, struct mu_journal **out,
                           struct mu_err *err);

#endif /* MU_IO_JOURNAL_H */
