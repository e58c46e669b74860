/*
 * sealed.h - the outside of a file that the agent keeps for itself: a magic, a
 * version, a length and a checksum around the bytes. Pure.
 *
 *     8 bytes   magic, names the kind of file
 *     int       version of what is inside
 *     long      length of what is inside
 *     ...       what is inside
 *     int       CRC-32C of all before it
 */
#ifndef MU_HOST_SEALED_H
#define MU_HOST_SEALED_H

#include "jute.h"

#include <muster/types.h>

#define MU_SEALED_MAGIC 8u
#define MU_SEALED_HEAD (MU_SEALED_MAGIC + 12u) /* bytes before the inside */
#define MU_SEALED_SUM 4u                       /* and behind it */

struct mu_sealed_kind {
	char magic[MU_SEALED_MAGIC + 1];
	int32_t version;
	const char *noun; /* for sentences: "a cursor" */
};

/* Begin in an empty buffer; what is put then is inside. */
void mu_sealed_begin(struct mu_buf *b, const struct mu_sealed_kind *kind);
/* All is in it: the length is known, the checksum is not there yet. */
void mu_sealed_end(struct mu_buf *b);
/* The checksum into its place; a mu_saver_fn. */
void mu_sealed_sum(uint8_t *bytes, size_t len);

/* What is inside, borrowed. MU_EDATA with a sentence: cut short, damaged, of
 * another kind or version. */
int mu_sealed_open(const void *p, size_t len, const struct mu_sealed_kind *kind,
                   struct mu_in *in, struct mu_err *err);

#endif /* MU_HOST_SEALED_H */
