/*
 * segments_bed.h - segments over a fake disk, with commands of which a test can
 * tell index and generation, and a memory of what was said to be durable.
 */
#ifndef MU_TEST_SEGMENTS_BED_H
#define MU_TEST_SEGMENTS_BED_H

#include "fake_disk.h"
#include "segments.h"

#define BED_INDEXES 4000u

struct segments_bed {
	struct mu_disk *disk;
	struct mu_segments *s;
	struct mu_segments_config config;
	struct mu_err err;
	uint32_t generation;         /* grows with each attempt */
	uint32_t wrote[BED_INDEXES]; /* generation of the last attempt */
	uint64_t durable;            /* what was said */
	uint64_t attempted;          /* the highest index ever given */
	/* of the last replay */
	uint64_t replayed, last;
	uint32_t found[BED_INDEXES]; /* generations */
};

void bed_init(struct segments_bed *b);
void bed_fini(struct segments_bed *b);

/* A command: the same for the same index and generation; its length. */
size_t bed_command(uint64_t index, uint32_t generation, uint8_t out[512]);

/* Open and replay; the first error, or 0. Each command's bytes are checked. */
int bed_open(struct segments_bed *b, uint64_t after);
void bed_close(struct segments_bed *b);

/* `count` commands behind those that are durable, as one batch. */
int bed_write(struct segments_bed *b, unsigned count);

#endif /* MU_TEST_SEGMENTS_BED_H */
