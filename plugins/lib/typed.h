/*
 * typed.h - settings for the shipped plugins: absent is the default, of another
 * type is an error. Each gives 0, or MU_ECONFIG with a sentence that names the
 * key; *out is then as it was.
 */
#ifndef MU_PLUGINS_TYPED_H
#define MU_PLUGINS_TYPED_H

#include <muster/plugin.h>

#include <sys/types.h>

/* Each leaves *out, the default, if there is no such key. The text is the
 * host's. */
int typed_text(const struct mu_host *h, const char *key, const char **out,
               struct mu_err *err);
int typed_flag(const struct mu_host *h, const char *key, bool *out,
               struct mu_err *err);

/* A time limit: `key` = 1 to UINT32_MAX ms. */
int typed_ms(const struct mu_host *h, const char *key, uint32_t *out,
             struct mu_err *err);

/* A number from 0 to max. */
int typed_number(const struct mu_host *h, const char *key, uint32_t max,
                 uint32_t *out, struct mu_err *err);

/* The mode of a file: a text of octal digits, "0644". */
int typed_mode(const struct mu_host *h, const char *key, mode_t *out,
               struct mu_err *err);

/* A list of texts, ending in NULL; a text that stands alone is a list of one.
 * The list is the caller's to free, the texts are the host's. Also MU_ENOMEM. */
int typed_list(const struct mu_host *h, const char *key, const char ***out,
               struct mu_err *err);

#endif /* MU_PLUGINS_TYPED_H */
