/*
 * ephemerals_file.h - runtime_dir/ephemerals: which nodes this host's instances
 * hold, for the agent that comes after a restart or a crash of this one. See ephemerals.h.
 *
 * Text; the first line names the format. Then the session in hex behind an "s", a
 * line "+instance path" for each that came, "-instance path" for each that went.
 * Lines are appended, and it is not synced: when the machine goes, so does the
 * session. A file that cannot be written costs no more than that knowledge; the
 * log says so once.
 */
#ifndef MU_HOST_EPHEMERALS_FILE_H
#define MU_HOST_EPHEMERALS_FILE_H

#include <muster/types.h>

struct mu_ephemerals_file;

/* Nothing is read or written yet. MU_ENOMEM. */
int mu_ephemerals_file_new(const char *runtime_dir,
                           struct mu_ephemerals_file **out);
void mu_ephemerals_file_free(
	struct mu_ephemerals_file *f); /* NULL is allowed */

/* Call fn with each line, in order; *session is the one they are of. MU_ENONODE:
 * there is no file. MU_EDATA: not of this version; what was told before does
 * hold. Or what fn gave, MU_EIO, MU_ETOOBIG, MU_ENOMEM. */
int mu_ephemerals_file_load(const char *runtime_dir, int64_t *session,
                            int (*fn)(void *arg, const char *instance,
                                      const char *path, bool add),
                            void *arg, struct mu_err *err);

/* It was written by us, and lines can be appended. */
bool mu_ephemerals_file_is_open(const struct mu_ephemerals_file *f);
/* Write it anew: begin, add what there is, end. The old one stands until then. */
void mu_ephemerals_file_begin(struct mu_ephemerals_file *f, int64_t session);
void mu_ephemerals_file_end(struct mu_ephemerals_file *f);
/* One more, one less. The number of lines now. A line that cannot be written whole
 * is passed over by who loads the file, and it is not open any more. */
size_t mu_ephemerals_file_add(struct mu_ephemerals_file *f,
                              const char *instance, const char *path);
size_t mu_ephemerals_file_remove(struct mu_ephemerals_file *f,
                                 const char *instance, const char *path);

#endif /* MU_HOST_EPHEMERALS_FILE_H */
