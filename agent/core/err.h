/* err.h - fill in a struct mu_err, and put a status code into words. */
#ifndef MU_CORE_ERR_H
#define MU_CORE_ERR_H

#include <muster/types.h>

/* Set code and sentence (cut to fit) and return code, so that a failing
 * function can end in one line: return mu_err(err, MU_ENONODE, "..."); A NULL
 * err is allowed: the sentence is then lost, the code is not. */
int mu_err(struct mu_err *err, int code, const char *fmt, ...) MU_PRINTF(3, 4);

/* The name of a status, "MU_ENONODE"; "MU_OK" for 0, "MU_E?" for a number that
 * is not in the list. Static text. */
const char *mu_err_name(int code);

/* The sentence of a status, without a full stop. Static text, never NULL. */
const char *mu_err_text(int code);

/* snprintf with truncation made harmless, for the rest of the core, which may
 * not include <stdio.h>: writes at most room bytes with a final NUL and returns
 * the length that was written. room must not be 0. */
size_t mu_format(char *out, size_t room, const char *fmt, ...) MU_PRINTF(3, 4);

#endif /* MU_CORE_ERR_H */
