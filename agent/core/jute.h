/*
 * jute.h - ZooKeeper's encoding of numbers, strings and vectors. Rule 1.
 *
 * Pure. Big-endian; bool 1 byte; buffer and string = int length (-1: null) and
 * bytes; vector = int count (-1: null). Writing goes into a struct mu_buf,
 * which remembers running out of memory; reading goes along a struct mu_in,
 * which remembers the first thing that did not fit: after that every read
 * gives zero and mu_in_ok() is false. Nothing is ever read past the end.
 *
 * Rule 2: strings pass as the bytes they are. A 4-byte UTF-8 character, which
 * Java would write as two surrogates, is refused in a path by mu_path_check,
 * not here.
 */
#ifndef MU_CORE_JUTE_H
#define MU_CORE_JUTE_H

#include "buf.h"
#include "path.h"

struct mu_in {
	const uint8_t *at, *end;
	bool bad; /* something was cut short or out of range */
};

struct mu_in mu_in_of(const void *p, size_t len);
bool mu_in_ok(const struct mu_in *in);
size_t mu_in_left(const struct mu_in *in);

int32_t mu_get_int(struct mu_in *in);
int64_t mu_get_long(struct mu_in *in);
bool mu_get_bool(struct mu_in *in);

/* A string or buffer, borrowed from the input. at is NULL for null; at is not
 * NULL for an empty one. A length below -1 or past the end is bad. */
struct mu_str mu_get_str(struct mu_in *in);

/* A vector's count; -1 for null. A count below -1, or one that could not fit
 * in what is left at `least` bytes an element, is bad (and 0 is returned). */
int32_t mu_get_count(struct mu_in *in, size_t least);

void mu_put_int(struct mu_buf *b, int32_t v);
void mu_put_long(struct mu_buf *b, int64_t v);
void mu_put_bool(struct mu_buf *b, bool v);
void mu_put_str(struct mu_buf *b, struct mu_str s); /* null if s.at is NULL */
void mu_put_data(struct mu_buf *b, const void *p, int32_t len); /* -1: null */

/* Overwrite the int at offset `at`, for lengths that are known afterwards. */
void mu_patch_int(struct mu_buf *b, size_t at, int32_t v);

#endif /* MU_CORE_JUTE_H */
