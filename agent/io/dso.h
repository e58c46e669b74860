/*
 * dso.h - load a shared object; the one file that includes <dlfcn.h> is dso.c.
 * Nothing is ever unloaded: that is the end of its process.
 */
#ifndef MU_IO_DSO_H
#define MU_IO_DSO_H

#include <muster/types.h>

/* Load `file` (RTLD_NOW, RTLD_LOCAL) and find the object `symbol`. *out is good
 * for as long as the process lives; *room, if not NULL, gets how many bytes of
 * it are readable (from the symbol's size). Errors, each with a sentence that
 * names the file: MU_EABI (no such symbol, or it is no data object), MU_EIO (not
 * there, not ELF, an undefined symbol). */
int mu_dso_load(const char *file, const char *symbol, const void **out,
                size_t *room, struct mu_err *err);

#endif /* MU_IO_DSO_H */
