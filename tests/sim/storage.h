/*
 * storage.h - the simulated broker's data directory: the real journal and
 * snapshots (segments.h, snapfile.h, snapshot.h) on platters of chance.
 *
 * Commands gather while a batch is on its way, as in the journal's thread; a
 * batch takes its time, and is written when that is over, or cut by a crash.
 * Beside it lies what was logged, kept by the simulation: what comes back at a
 * start must be that, all that anybody was told of and perhaps some more.
 */
#ifndef SIM_STORAGE_H
#define SIM_STORAGE_H

#include "segments.h"
#include "store.h"

#include "history.h"
#include "platter.h"

struct storage_entry {
	uint8_t *bytes; /* owned */
	size_t len;
};

struct storage {
	struct platter platter;
	struct history *history;
	struct mu_segments *segments;  /* NULL while it is down */
	struct mu_buf gathered;        /* records that wait for the batch */
	struct mu_buf batch;           /* records on their way */
	bool busy;                     /* there is a batch */
	uint32_t number;               /* of the batch */
	struct storage_entry *entries; /* entry i is command i + 1 */
	size_t count, room;
	uint64_t durable;  /* applied, and so may have been told of */
	uint64_t returned; /* by the journal at the last start, of these */
	uint64_t segment_bytes;
	uint32_t keep;     /* snapshots */
	uint64_t needless; /* the journal is not needed up to here */
};

void storage_init(struct storage *s, struct history *h);
void storage_fini(struct storage *s);

/* The store logged a command. */
void storage_append(struct storage *s, uint64_t index, const void *bytes,
                    size_t len);

/* Begin a batch with what has gathered: its number, or 0. */
uint32_t storage_begin(struct storage *s);

/* The batch has had its time. The history is told of all that is durable now
 * (s->durable). Not 0: what mu_segments_write says, and what is not durable is
 * forgotten. now_ms: the store's reading. */
int storage_write(struct storage *s, uint64_t now_ms, struct mu_err *err);

/* For a planted mistake (plant.sh): all that was logged is taken for durable. */
void storage_believe(struct storage *s, uint64_t now_ms);

/* A snapshot of the store; its room in the journal is given back later, by
 * storage_purge. Errors as mu_snapfile_write and mu_snapfile_check. */
int storage_snapshot(struct storage *s, const struct mu_store *store,
                     const struct mu_store_config *config, struct mu_err *err);
int storage_purge(struct storage *s, struct mu_err *err);

/* The process is gone. What was under way is cut somewhere: at a call of the
 * disk, if `in_call`. */
void storage_crash(struct storage *s, bool power_lost, bool in_call);

/* Nothing is left. */
void storage_wipe(struct storage *s);

/* Come back, as agent/broker/data.c does: newest snapshot, journal, epoch. The
 * tree id of an empty directory is config's. Fails the world if what was told of
 * is not there. */
int storage_open(struct storage *s, const struct mu_store_config *config,
                 struct mu_when when, struct mu_store **out,
                 struct mu_err *err);

#endif /* SIM_STORAGE_H */
