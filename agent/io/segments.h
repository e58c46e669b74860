/*
 * segments.h - the journal's files: a chain of segments, written in batches.
 *
 * No thread and no clock: over a struct mu_disk, so that the simulation runs
 * exactly this. One thread at a time owns it.
 *
 * A file is journal-<first index, 20 digits>. It is made as journal-...tmp, has
 * all its room from the start, and gets its name when its head is on disk.
 * A start never writes into a segment that it found: that one is cut behind its
 * last record, marked and synced, and the next write begins a new one. The same
 * happens after a write that failed. So a segment that begins at an index the
 * one before it also has supersedes its tail from there on.
 */
#ifndef MU_IO_SEGMENTS_H
#define MU_IO_SEGMENTS_H

#include "disk.h"

#define MU_SEGMENT_BYTES (64u << 20) /* where the config says 0 */
#define MU_SEGMENT_BYTES_MIN 4096u
#define MU_SEGMENT_NAME "journal-"
#define MU_SEGMENT_NAME_MAX 48u /* bytes, with the final NUL */

struct mu_segments;

struct mu_segments_config {
	uint64_t segment_bytes; /* of a new segment; 0: MU_SEGMENT_BYTES */
	int64_t tree_id;        /* 0: that of the files */
	uint32_t term;          /* of what is written; 0: 1 */
	bool look_only;         /* change nothing on disk; no writes follow */
	/* While replaying, now and then and at the end; NULL: nobody asks. */
	void (*progress)(void *arg, uint64_t done_bytes, uint64_t all_bytes);
	void *progress_arg;
};

/* A command of the journal; not 0 ends the replay with that code (and fills in
 * err). */
typedef int mu_journal_each(void *arg, uint64_t index, const void *bytes,
                            size_t len, struct mu_err *err);

/* Find the segments, read their heads, remove unfinished ones. The disk is
 * borrowed. Errors: MU_EIO; MU_ENOMEM; MU_EDATA: a damaged or newer head, or one
 * of another tree, with file and what to do. For the last, *out is given all
 * the same if the head is damaged (and only then): mu_segments_damage tells
 * more, mu_segments_repair mends; otherwise *out is NULL. */
int mu_segments_open(struct mu_disk *disk,
                     const struct mu_segments_config *config,
                     struct mu_segments **out, struct mu_err *err);
void mu_segments_free(struct mu_segments *s); /* NULL is allowed */

/* Of the files found; 0: there is none, and the config had none either. */
int64_t mu_segments_tree_id(const struct mu_segments *s);
void mu_segments_set_tree_id(struct mu_segments *s, int64_t tree_id);

/* Read all records above `after` in order, once, before any write; then finish
 * the last segment as above. A torn tail is cut off. From then on
 * mu_segments_durable is the last index (at least `after`). Errors: MU_EDATA:
 * a bad record, a gap, or the journal begins above after + 1: with file, offset,
 * index and what to do; MU_EIO; MU_ENOMEM; what `each` said. */
int mu_segments_replay(struct mu_segments *s, uint64_t after,
                       mu_journal_each *each, void *arg, struct mu_err *err);

/* What replay found. */
struct mu_segments_found {
	uint64_t records, bytes; /* given to `each` */
	uint64_t segments;       /* files */
	uint64_t first; /* index the oldest file begins with; 0: none */
	/* The tail of the last segment that was cut off. */
	char torn_file[MU_SEGMENT_NAME_MAX]; /* "": none */
	uint64_t torn_offset, torn_bytes, torn_index;
};
void mu_segments_found(const struct mu_segments *s,
                       struct mu_segments_found *out);

/* Write records (mu_log_put; the first has index mu_segments_durable + 1; their
 * durable and CRC are filled in): one write and one sync for each segment they
 * touch. Errors, after which mu_segments_durable tells what is durable none the
 * less, and a next write may try again from there:
 *   MU_ENOSPACE  no space, quota, read-only
 *   MU_EIO       the write was refused
 *   MU_ENOMEM
 * MU_EDATA: a sync failed. What is on disk is not known any more; nothing is
 * tried again, and all calls that write give this from now on. */
int mu_segments_write(struct mu_segments *s, uint8_t *records, size_t len,
                      struct mu_err *err);

/* After a write that failed: is there a segment to write into now? Makes one if
 * not. Errors as mu_segments_write. */
int mu_segments_mend(struct mu_segments *s, struct mu_err *err);

uint64_t mu_segments_durable(const struct mu_segments *s);

/* Remove whole segments of which nothing above `upto` is needed. The one being
 * written stays. MU_EIO: some may be left; MU_EDATA as mu_segments_write. */
int mu_segments_purge(struct mu_segments *s, uint64_t upto, struct mu_err *err);

/* Finish the segment being written: nothing is lost without. Errors as
 * mu_segments_write. */
int mu_segments_finish(struct mu_segments *s, struct mu_err *err);

struct mu_segments_stats {
	uint64_t segments, disk_bytes; /* files, and their room */
	uint64_t first; /* index the oldest begins with; 0: none */
	uint64_t writes, syncs, bytes; /* of records, since open */
};
void mu_segments_stats(const struct mu_segments *s,
                       struct mu_segments_stats *out);

/* After MU_EDATA of open or replay: where, and what would be lost by cutting
 * there. False: it was something else that no cut can mend. */
struct mu_segments_damage {
	char file[MU_SEGMENT_NAME_MAX];
	uint64_t offset, index; /* of the bad record, or gap */
	uint64_t cut;     /* offset behind the last good record before it */
	uint64_t files;   /* later ones, which would be put aside too */
	uint64_t records; /* good ones behind it, which would be lost */
	uint64_t last;    /* the highest index of those; 0: none */
};
bool mu_segments_damage(struct mu_segments *s, struct mu_segments_damage *out);
/* Cut there. The file is first copied, and later ones renamed, to lost-journal-...
 * which nothing reads. The struct is good for mu_segments_free only afterwards.
 * Errors as mu_segments_write. */
int mu_segments_repair(struct mu_segments *s, struct mu_err *err);

#endif /* MU_IO_SEGMENTS_H */
