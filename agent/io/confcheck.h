/*
 * confcheck.h - what conffile.c asks of a text before libconfig reads it.
 *
 * libconfig 1.5 cuts a whole number that does not fit (4294967296 becomes 0),
 * and ends at a NUL, without a word. Pure; any thread.
 */
#ifndef MU_IO_CONFCHECK_H
#define MU_IO_CONFCHECK_H

#include <muster/types.h>

/* 0, or MU_ECONFIG with "name:line: what". text has a NUL after its len bytes. */
int mu_conf_check_text(const char *name, const char *text, size_t len,
                       struct mu_err *err);

#endif /* MU_IO_CONFCHECK_H */
