/* confrow.h - what can be said of a row of keys without libconfig: a suggestion,
 * its range in words, the sample file (mu_conf_help). Pure but for that. */
#ifndef MU_IO_CONFROW_H
#define MU_IO_CONFROW_H

#include "conffile.h"

/* The key of the rows that a person may have meant: at most two letters away;
 * NULL if there is none. */
const char *mu_conf_near(const char *word, const struct mu_conf_row *rows);

/* One step of such a search: true if `key` is fewer than *limit letters away
 * from `word`, and may be what was meant; *limit is then how many. Begin with
 * MU_CONF_NEAR. */
#define MU_CONF_NEAR 3u
bool mu_conf_is_nearer(const char *word, const char *key, unsigned *limit);

/* "1 to 65535 ms", "a text of 1 to 255 bytes", "true or false". */
void mu_conf_allowed(const struct mu_conf_row *row, char *out, size_t room);

#endif /* MU_IO_CONFROW_H */
