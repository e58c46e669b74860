/*
 * data.h - the data directory at the start: from its files to a store that goes
 * on where the last one stopped, and the journal that it goes on in.
 *
 * Lock, newest good snapshot, the journal's commands after it, a new epoch. The
 * loop's thread; it does not run meanwhile, so that nobody is served half a tree.
 */
#ifndef MU_BROKER_DATA_H
#define MU_BROKER_DATA_H

#include "journal.h"
#include "options.h"

struct mu_data {
	int lock_fd; /* -1: the journal holds the lock */
	struct mu_journal *journal;
	struct mu_store *store;
	uint64_t snapshot; /* index of the one that was read; 0: none */
	uint64_t replayed; /* commands of the journal after it */
};

/* *config has all but epoch and tree id, which are filled in. Says on the log
 * and to the service manager how far it is. On error nothing is open. Errors,
 * each with a sentence: MU_EFULL (the directory belongs to another broker),
 * MU_EDATA (its files are damaged or from a newer version), MU_EUNIMPLEMENTED (the
 * same, of a snapshot), MU_EIO, MU_ENOSPACE, MU_ENOMEM, MU_EINVAL. */
int mu_data_open(const struct mu_broker_options *o,
                 struct mu_store_config *config, struct mu_data *out,
                 struct mu_err *err);
/* The store first. Parts that are NULL are let alone. */
void mu_data_close(struct mu_data *d);

#endif /* MU_BROKER_DATA_H */
