/*
 * userdir.h - make a directory for another user in a place that he, or somebody
 * else, may have a hand in: what is there by its name at one moment may be
 * another thing at the next. So the way is gone step by step, with each directory
 * held open, and root's rights are used only where nobody but root and we can
 * exchange a name.
 */
#ifndef MU_IO_USERDIR_H
#define MU_IO_USERDIR_H

#include <muster/types.h>

/*
 * Make the directory (0755, less the umask) and what is missing above it. `path`
 * begins with '/'. One that is there is left as it is.
 *
 * As long as each directory on the way is root's or ours, and nobody else may
 * write to it (or it is sticky), links are followed, what is missing is ours, and
 * the last one is given to the user. Below any other directory no link is
 * followed, and all is made as that user, with his rights.
 *
 * MU_EIO with a sentence; what was made until then stays.
 */
int mu_userdir_make(const char *path, uint32_t uid, uint32_t gid,
                    struct mu_err *err);

#endif /* MU_IO_USERDIR_H */
