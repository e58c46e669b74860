/*
 * logrec.h - the bytes of the journal: the head of a segment, a record, and what
 * may be believed of a segment after a crash.
 *
 * Pure. All numbers are little endian.
 *
 *     head    0 magic "MUJOURNL"   8 u32 version   12 u32 length of the head
 *            16 i64 tree id       24 u64 first index   32 u32 term
 *            36 zeros             60 u32 CRC-32C of the 60 bytes before
 *     record  0 u32 length of the bytes   4 u32 CRC-32C of check, bytes, filling
 *             8 u32 term   12 u32 check: CRC-32C of head.crc, length, term, index
 *             and durable  16 u64 index    24 u64 durable: the highest index that
 *             was known to be durable when this was written
 *            32 bytes, zeros up to a multiple of 8
 *     mark    a record without bytes that repeats the index before it; its
 *             durable is that index. Written when a segment is finished.
 *
 * The head's CRC lies in each record's: a record of another segment, or of
 * another tree, is not one of this. `check` tells what is a record in the middle
 * of rubbish without reading on, and keeps that search short whatever clients
 * have written.
 */
#ifndef MU_CORE_LOGREC_H
#define MU_CORE_LOGREC_H

#include "buf.h"

#include <muster/types.h>

#define MU_LOG_VERSION 1u
#define MU_LOG_HEAD 64u              /* bytes */
#define MU_LOG_RECORD 32u            /* bytes in front of a record's own */
#define MU_LOG_BYTES_MAX 0x7ffffff0u /* of one record */

struct mu_log_head {
	int64_t tree_id;
	uint64_t first; /* index of the first record; at least 1 */
	uint32_t term;
	uint32_t crc; /* filled in by encode and decode: mu_log_seal's seed */
};

void mu_log_head_encode(uint8_t out[MU_LOG_HEAD], struct mu_log_head *h);
/* With half a sentence ("has a ...") that fits behind a file's name: MU_EDATA: no
 * segment, or damaged; MU_EABI: written by a newer version. */
int mu_log_head_decode(const uint8_t in[MU_LOG_HEAD], struct mu_log_head *h,
                       struct mu_err *err);

/* What a record of `len` bytes takes up. */
size_t mu_log_size(size_t len);

/* Append a record, all but its durable and CRC. MU_ENOMEM: unchanged;
 * MU_ETOOBIG: more than MU_LOG_BYTES_MAX. */
int mu_log_put(struct mu_buf *b, uint32_t term, uint64_t index, const void *p,
               size_t len);
/* A mark for `index`, whole. */
void mu_log_mark(uint8_t out[MU_LOG_RECORD], uint32_t term, uint64_t index,
                 uint32_t seed);

/* Of records made by mu_log_put: how many bytes of the first of them fit into
 * `room`; *count says how many records that is. */
size_t mu_log_fit(const uint8_t *records, size_t len, uint64_t room,
                  uint64_t *count);
/* Index and size of the first of them. */
uint64_t mu_log_first(const uint8_t *records, size_t *size);
/* Fill in durable and CRC of all of them. */
void mu_log_seal(uint8_t *records, size_t len, uint32_t seed, uint64_t durable);

/* ---- reading a segment ---- */

struct mu_log_record {
	uint32_t term;
	uint64_t index, durable;
	const uint8_t *bytes; /* borrowed */
	size_t len;
};

enum mu_log_found {
	MU_LOG_RECORD_FOUND, /* here is the next one */
	MU_LOG_END,  /* zeros, or nothing, from here to the end of the bytes */
	MU_LOG_TORN, /* no record from here on was ever known to be durable */
	MU_LOG_BAD,  /* here is none, but one is missing: it was durable */
};

/* A walk through the bytes of one segment, head and all. Marks are stepped over
 * and not shown. */
struct mu_log_scan {
	const uint8_t *bytes; /* borrowed */
	size_t len;
	uint32_t seed;
	size_t at;        /* offset of what comes next, or of what is wrong */
	size_t end;       /* offset behind the last record that is not a mark */
	uint64_t next;    /* index of the record that comes next */
	uint64_t durable; /* the highest said so far */
	uint64_t
		proof; /* TORN, BAD: the highest durable a later record tells */
	uint64_t after;  /* TORN, BAD: good records behind the wrong one */
	uint64_t last;   /* TORN, BAD: the index of the last of those; 0 */
	const char *why; /* TORN, BAD: what is wrong with it; static text */
};

/* `bytes` begin with the head `h`. */
void mu_log_scan(struct mu_log_scan *s, const struct mu_log_head *h,
                 const void *bytes, size_t len);

/* The next record; at END, TORN and BAD the walk stays where it is. What is
 * wrong (checksum, index, length, filling) is looked at from both ends: a later
 * record that is good and says that the wrong one's index was durable makes it
 * BAD; without such a one it is the end of a write that a crash cut: TORN. */
enum mu_log_found mu_log_next(struct mu_log_scan *s, struct mu_log_record *out);

#endif /* MU_CORE_LOGREC_H */
