/*
 * kit_elf.h - what can be said of a plugin's file without loading it. Only reads:
 * not even its constructors run.
 */
#ifndef MU_CLI_KIT_ELF_H
#define MU_CLI_KIT_ELF_H

#include <muster/types.h>

struct kit_elf {
	bool has_symbol;      /* mu_plugin is among what it exports */
	bool is_object;       /* and is a constant, no function */
	uint64_t symbol_size; /* bytes of it */
	bool has_head;        /* abi and size below could be read */
	uint32_t abi, size;   /* as mu_plugin says */
	unsigned extra;       /* other names that it exports */
	char extras[200];     /* the first of them, with commas */
};

/* With a sentence: MU_ENONODE, it cannot be opened; MU_EIO, it is no shared object
 * of this machine's kind, or is cut short. */
int kit_elf_look(const char *file, struct kit_elf *out, struct mu_err *err);

#endif /* MU_CLI_KIT_ELF_H */
