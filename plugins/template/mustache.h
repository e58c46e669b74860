/* mustache.h - the template library, from C. */
#ifndef MU_TEMPLATE_MUSTACHE_H
#define MU_TEMPLATE_MUSTACHE_H

#include <muster/types.h>

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Render a template with `data`, an object: texts and numbers for variables,
 * arrays, objects, true, false and null for sections. Nothing is escaped, and
 * there are no partials. *out is the caller's to free. MU_EDATA: the template
 * is malformed; MU_ENOMEM. */
int mustache_render(const char *text, size_t len, const json_t *data,
                    char **out, size_t *out_len, struct mu_err *err);

#ifdef __cplusplus
}
#endif

#endif /* MU_TEMPLATE_MUSTACHE_H */
