/* fail.h - fill in a struct mu_err and return its code. */
#ifndef MU_PLUGINS_FAIL_H
#define MU_PLUGINS_FAIL_H

#include <muster/types.h>

int fail(struct mu_err *err, int code, const char *fmt, ...) MU_PRINTF(3, 4);

#endif /* MU_PLUGINS_FAIL_H */
