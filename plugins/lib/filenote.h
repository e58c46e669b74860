/*
 * filenote.h - what a plugin knows of the files that it keeps, over the end of its
 * process: length and checksum of each, a line a file, in one small file.
 *
 * What is wrong in it, or about other files, is passed over: then nothing is known.
 */
#ifndef MU_PLUGINS_FILENOTE_H
#define MU_PLUGINS_FILENOTE_H

#include <muster/types.h>

struct mu_filenote {
	bool known;  /* false: nothing is, and the rest is 0 */
	bool exists; /* false: there is to be no such file */
	size_t len;
	uint32_t crc; /* mu_filecopy_crc32c */
};

/* Of these bytes; NULL: of no file. */
struct mu_filenote mu_filenote_of(const void *bytes, size_t len);
bool mu_filenote_eq(const struct mu_filenote *a, const struct mu_filenote *b);

/* The line about `file` in a text of `len` bytes. */
struct mu_filenote mu_filenote_find(const char *text, size_t len,
                                    const char *file);
/* Its line, behind what *text (owned, may be NULL) has; nothing, of what is not
 * known. MU_ENOMEM: *text is as it was. */
int mu_filenote_add(char **text, const char *file, const struct mu_filenote *n);

#endif /* MU_PLUGINS_FILENOTE_H */
