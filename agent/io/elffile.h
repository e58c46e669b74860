/*
 * elffile.h - is a file a whole shared object of this machine, as far as its headers
 * say? One that is being written is not, nor one that was cut short.
 */
#ifndef MU_IO_ELFFILE_H
#define MU_IO_ELFFILE_H

#include <muster/types.h>

/* 0; MU_EIO: it cannot be read, MU_EINVAL: it is not, with a sentence that names
 * the file. */
int mu_elffile_check(const char *file, struct mu_err *err);

#endif /* MU_IO_ELFFILE_H */
