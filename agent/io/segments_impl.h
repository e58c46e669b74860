/* segments_impl.h - what segments.c and segments_replay.c share. */
#ifndef MU_IO_SEGMENTS_IMPL_H
#define MU_IO_SEGMENTS_IMPL_H

#include "logrec.h"
#include "segments.h"

/* Zeros written behind a small batch: a write into them does not move the end of
 * what the file system knows to be written, so its sync is one of data alone. */
#define MU_SEGMENT_AHEAD (256u << 10)

struct mu_segment {
	uint64_t first; /* index, by its name */
	uint64_t bytes; /* its room on disk */
	struct mu_log_head head;
};

struct mu_segments {
	struct mu_disk *disk; /* borrowed */
	struct mu_segments_config config;
	struct mu_segment *list; /* owned; ascending */
	size_t count, room;
	uint64_t durable;
	bool replayed;
	/* The last one, while it is being written. */
	int fd;          /* -1: none; the next write begins one */
	uint64_t at;     /* offset of the next record */
	uint64_t zeroed; /* zeros were written up to here */
	uint8_t *zeros;  /* owned; MU_SEGMENT_AHEAD of them */
	/* A sync failed: this is what every writing call says. */
	bool lied;
	struct mu_err lie;
	bool damaged, counted;
	struct mu_segments_damage damage;
	struct mu_segments_found found;
	uint64_t writes, syncs, bytes;
};

void mu_segment_name(char out[MU_SEGMENT_NAME_MAX], uint64_t first);

/* The sentence and code of a call of the disk that gave -errno. */
int mu_segments_refused(struct mu_err *err, int rc, const char *doing,
                        const char *name);
/* The same for a sync: from now on nothing is written. */
int mu_segments_lied(struct mu_segments *s, struct mu_err *err, int rc,
                     const char *name);
int mu_segments_sync(struct mu_segments *s, int fd, const char *name,
                     struct mu_err *err);
int mu_segments_sync_dir(struct mu_segments *s, struct mu_err *err);

/* Cut the file behind `end`, where index `last` ends, mark it and sync. */
int mu_segments_seal(struct mu_segments *s, const struct mu_segment *seg,
                     int fd, uint64_t end, uint64_t last, struct mu_err *err);

/* All of p[0..len), or -errno. */
int mu_segments_put(struct mu_segments *s, int fd, const void *p, size_t len,
                    uint64_t at);

#define MU_SEGMENT_ADVICE \
	": put the directory back from a backup, or let muster-broker " \
	"--repair show what would be lost without it"

#endif /* MU_IO_SEGMENTS_IMPL_H */
