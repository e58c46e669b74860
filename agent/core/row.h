/*
 * row.h - a record as a row of fields: one description, read by the decoder
 * and by the encoder. Pure. For proto.c and chan.c.
 *
 *     static const struct mu_field sync_row[] = {
 *             MU_FIELD(struct mu_sync_request, path),
 *     };
 *
 * The encoding of a field follows from the type that its struct gives it, so
 * a row cannot contradict its struct.
 */
#ifndef MU_CORE_ROW_H
#define MU_CORE_ROW_H

#include "proto.h"

enum mu_field_kind {
	MU_FIELD_KIND_INT,
	MU_FIELD_KIND_LONG,
	MU_FIELD_KIND_BOOL,
	MU_FIELD_KIND_STR,
	MU_FIELD_KIND_STRS, /* a vector of strings */
	MU_FIELD_KIND_ACLS,
};

struct mu_field {
	enum mu_field_kind kind;
	size_t at; /* offset in the struct */
};

/* clang-format off */
#define MU_FIELD(type, member) \
	{ _Generic(((type *)0)->member, \
		int32_t: MU_FIELD_KIND_INT, \
		uint32_t: MU_FIELD_KIND_INT, \
		int64_t: MU_FIELD_KIND_LONG, \
		uint64_t: MU_FIELD_KIND_LONG, \
		bool: MU_FIELD_KIND_BOOL, \
		struct mu_str: MU_FIELD_KIND_STR, \
		struct mu_vec: MU_FIELD_KIND_STRS), offsetof(type, member) }
#define MU_FIELD_ACLS(type, member) \
	{ MU_FIELD_KIND_ACLS, offsetof(type, member) }
/* clang-format on */

/* The number of fields of a row. */
#define MU_ROW_COUNT(row) (sizeof(row) / sizeof((row)[0]))

/* Decode `count` fields into the struct at `rec`. What went wrong stays with
 * `in` (mu_in_ok). */
void mu_row_get(struct mu_in *in, const struct mu_field *row, size_t count,
                void *rec);

/* Append `count` fields of the struct at `rec`. */
void mu_row_put(struct mu_buf *b, const struct mu_field *row, size_t count,
                const void *rec);

/* A vector whose elements `skip` walks over, each at least `least` bytes; null
 * gives count -1 and at NULL. */
void mu_row_get_vec(struct mu_in *in, struct mu_vec *v, size_t least,
                    void (*skip)(struct mu_in *in));

#endif /* MU_CORE_ROW_H */
