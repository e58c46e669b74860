/*
 * snapshots.h - when a snapshot is taken, and by whom: a child.
 *
 * The loop's thread owns it. The child is a fork of the broker, so it has the
 * state of that moment, and the loop is held for the fork alone. It closes all
 * that it inherits, writes (snapfile.h), reads back and checks what it wrote,
 * removes snapshots beyond `keep`, and ends; if the broker dies so does it. The
 * broker watches it through a pidfd and never waits for it. Then the journal is
 * told from where on it is still needed.
 *
 * Call mu_snapshots_turn between commands (never inside a store's call). A
 * failure is logged and tried again later, with a pause that grows.
 */
#ifndef MU_BROKER_SNAPSHOTS_H
#define MU_BROKER_SNAPSHOTS_H

#include "loop.h"
#include "snapfile.h"

struct mu_snapshots;

/* One has ended. */
struct mu_snapshots_end {
	uint64_t number; /* as mu_snapshots_ask gave it */
	uint64_t index;  /* the snapshot's */
	int rc;          /* 0, or why there is none: */
	const char *why; /* "" if 0 */
	uint64_t bytes, took_ms, fork_us;
};

struct mu_snapshots_config {
	const char *dir; /* the data directory, for the child; borrowed */
	/* Taken when the journal has grown by so many bytes since the last, or
	 * so long after the last if anything changed. 0: not for that. */
	uint64_t journal_bytes, interval_ms;
	uint32_t keep; /* snapshots, at least 1 */
	/* Pause after a failure: doubled from min to max. */
	uint64_t retry_min_ms, retry_max_ms;
	/* A child that takes longer is killed. 0: never. */
	uint64_t stuck_ms;
	/* NULL, or instead of mu_disk_open(dir) in the child. */
	int (*disk_open)(void *arg, struct mu_disk **out, struct mu_err *err);
	/* The journal is no longer needed up to here. NULL allowed. */
	void (*purge)(void *arg, uint64_t upto);
	/* NULL allowed. Neither may free the struct mu_snapshots. */
	void (*ended)(void *arg, const struct mu_snapshots_end *end);
	void *arg;
};

/* The store must outlive it. restored: index of the snapshot that it came from,
 * 0 for none. MU_ENOMEM; MU_EINVAL: keep or retry_min_ms is 0, or
 * retry_max_ms less than that. */
int mu_snapshots_new(struct mu_loop *loop,
                     const struct mu_snapshots_config *config,
                     const struct mu_store *store, uint64_t restored,
                     struct mu_snapshots **out, struct mu_err *err);
/* Kills a child that is at work, and waits for its end. NULL is allowed. */
void mu_snapshots_free(struct mu_snapshots *n);

/* Limits that may change while running. MU_EINVAL: unchanged. */
int mu_snapshots_reconfigure(struct mu_snapshots *n,
                             const struct mu_snapshots_config *config,
                             struct mu_err *err);

/* Once a tick: start one if it is time, kill one that takes too long.
 * journal_bytes: in the journal behind the snapshot that the store came from,
 * those that were replayed included; never less than the last time. */
void mu_snapshots_turn(struct mu_snapshots *n, uint64_t journal_bytes);

/* Take one now, or, if one is at work, after it; those who ask meanwhile share
 * the next. Returns its number, which the end of it will tell (in a later turn
 * of the loop, also if it cannot even begin). If nothing has changed since the
 * last, that one is read and checked again instead. */
uint64_t mu_snapshots_ask(struct mu_snapshots *n);

struct mu_snapshots_status {
	bool running;
	uint64_t running_ms;     /* for so long */
	uint64_t taken, failed;  /* since the broker began */
	uint64_t index;          /* of the last good one; 0: none */
	int64_t wall_ms;         /* when it was done; 0: before this start */
	uint64_t bytes, took_ms; /* of the last taken */
	uint64_t fork_us, fork_us_max; /* for which the loop was held */
	uint64_t retry_ms; /* until it is tried again; 0: nothing failed */
	char trouble[MU_ERR_MSG_MAX]; /* of the last, "" if it was good */
};
void mu_snapshots_status(const struct mu_snapshots *n,
                         struct mu_snapshots_status *out);

#endif /* MU_BROKER_SNAPSHOTS_H */
