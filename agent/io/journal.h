/*
 * journal.h - where commands become durable.
 *
 * A struct of functions, so that the store's shell does not know which one it
 * has: mu_journal_disk_open keeps them in segments (segments.h), written by a
 * thread of its own; mu_journal_memory_open keeps nothing but the epoch, and
 * says every command durable at the end of the turn.
 *
 * All calls are the loop's. None waits for the disk but settle and close.
 */
#ifndef MU_IO_JOURNAL_H
#define MU_IO_JOURNAL_H

#include "segments.h"

#define MU_JOURNAL_VERSION 1 /* of what stands on disk */

struct mu_journal_stats {
	uint64_t batches, bytes, syncs;     /* since open */
	uint64_t sync_last_us, sync_max_us; /* a batch: write and sync */
	uint64_t waiting_bytes;             /* appended and not yet durable */
	uint64_t waiting_max;               /* the limit of that */
	uint64_t segments, disk_bytes;
	uint64_t first; /* index the oldest segment begins with; 0: none */
	struct mu_segments_found found; /* at start */
};

struct mu_journal {
	/* Take a command (copied). index counts without gaps; after trouble, or
	 * settle, it begins again at durable() + 1. Refused, and then settle
	 * must be called before the next append: MU_EFULL (waiting_max),
	 * MU_ETOOBIG, MU_ENOMEM, or what trouble() says. */
	int (*append)(struct mu_journal *j, uint64_t index, const void *command,
	              size_t len, struct mu_err *err);
	/* End of a turn: start making durable what was appended. Refused with
	 * what trouble() says: nothing above durable() is or will be durable. */
	int (*flush)(struct mu_journal *j, struct mu_err *err);
	/* All up to here are durable. Makes fd unreadable. */
	uint64_t (*durable)(const struct mu_journal *j);
	/* Readable when durable() has grown or trouble() changed; -1: that only
	 * happens in flush. */
	int (*fd)(const struct mu_journal *j);
	/* Flush, and wait until each command appended is durable or refused:
	 * nothing above the index returned will be durable, and the next append
	 * is that + 1. Waits for the disk, save while there is trouble. */
	uint64_t (*settle)(struct mu_journal *j);
	/* 0, or why nothing is being made durable: MU_ENOSPACE (no space, quota
	 * or read-only) and MU_EIO (a write was refused) end by themselves: it is
	 * tried again with each batch and once a second. MU_EDATA: fdatasync
	 * failed, the broker must stop. */
	int (*trouble)(const struct mu_journal *j, struct mu_err *err);
	/* Commands up to `upto` are not needed any more. Done later. */
	void (*purge)(struct mu_journal *j, uint64_t upto);
	void (*stats)(const struct mu_journal *j, struct mu_journal_stats *out);
	/* Waits for what was flushed. */
	void (*close)(struct mu_journal *j);
	uint32_t epoch; /* memory: of this start; disk: 0 */
	bool keeps;     /* commands survive a restart */
};

/* Lock DIR and raise its epoch (epoch.h: errors too); both until close. */
int mu_journal_memory_open(const char *dir, struct mu_journal **out,
                           struct mu_err *err);

struct mu_journal_config {
	struct mu_segments_config segments;
	uint64_t waiting_max; /* bytes; 0: MU_JOURNAL_WAITING_MAX */
};
#define MU_JOURNAL_WAITING_MAX (64u << 20)

/* The tree whose commands DIR's segments hold; 0: there are none. Changes
 * nothing. Errors as mu_segments_open. */
int mu_journal_tree_id(const char *dir, int64_t *tree_id, struct mu_err *err);

/* Replay the commands above `after` into `each`, and start the thread. DIR is
 * locked by the caller (mu_data_lock). The tree id of the config must be that of
 * the segments if there are any, and not 0. Errors as mu_segments_open and
 * mu_segments_replay; MU_EIO (no thread). */
int mu_journal_disk_open(const char *dir,
                         const struct mu_journal_config *config, uint64_t after,
                         mu_journal_each *each, void *arg,
                         struct mu_journal **out, struct mu_err *err);
/* The same on any disk, which the journal then owns (not on error). */
int mu_journal_open(struct mu_disk *disk,
                    const struct mu_journal_config *config, uint64_t after,
                    mu_journal_each *each, void *arg, struct mu_journal **out,
                    struct mu_err *err);

#endif /* MU_IO_JOURNAL_H */
