#include "dso.h"

#include "err.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As ElfW of <link.h>, a name that agent/core has too. */
#if UINTPTR_MAX > 0xffffffffu
#define ELF_CLASS ELFCLASS64
typedef Elf64_Ehdr elf_ehdr;
typedef Elf64_Phdr elf_phdr;
typedef Elf64_Sym elf_sym;
#else
#define ELF_CLASS ELFCLASS32
typedef Elf32_Ehdr elf_ehdr;
typedef Elf32_Phdr elf_phdr;
typedef Elf32_Sym elf_sym;
#endif

/* The fields that tell a file of this machine's kind; the loader checks the
 * rest and says what is wrong with them. */
static bool is_our_elf(const elf_ehdr *h)
{
	return memcmp(h->e_ident, ELFMAG, SELFMAG) == 0 &&
	       h->e_ident[EI_CLASS] == ELF_CLASS &&
	       h->e_phentsize == sizeof(elf_phdr);
}

static bool read_at(int fd, void *p, size_t len, uint64_t offset)
{
	return pread(fd, p, len, (off_t)offset) == (ssize_t)len;
}

/*
 * The loader maps what the program headers promise without asking how long the
 * file is; touching what is not there is then a SIGBUS. So ask first.
 */
static bool is_whole(int fd, uint64_t size)
{
	elf_ehdr h;
	elf_phdr p;

	if (!read_at(fd, &h, sizeof h, 0) || !is_our_elf(&h))
		return true; /* the loader has the better sentence */
	for (unsigned i = 0; i < h.e_phnum; i++) {
		if (!read_at(fd, &p, sizeof p,
		             h.e_phoff + (uint64_t)i * sizeof p))
			return false;
		if (p.p_type == PT_LOAD &&
		    (p.p_offset > size || p.p_filesz > size - p.p_offset))
			return false;
	}
	return true;
}

static int check_file(const char *file, struct mu_err *err)
{
	struct stat st;
	bool whole;
	int fd;

	/* The loader would look for a bare name in the system's directories. */
	if (!strchr(file, '/'))
		return mu_err(err, MU_EIO,
		              "%s: give the plugin with its directory", file);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int rc = mu_err(err, MU_EIO, "cannot open %s: %s", file,
		                strerror(errno));

		if (fd >= 0)
			close(fd);
		return rc;
	}
	whole = S_ISREG(st.st_mode) && is_whole(fd, (uint64_t)st.st_size);
	close(fd);
	if (!S_ISREG(st.st_mode))
		return mu_err(err, MU_EIO, "%s is not a file", file);
	if (!whole)
		return mu_err(err, MU_EIO,
		              "%s is cut short: its program headers point "
		              "beyond its end; install it again",
		              file);
	return 0;
}

/* What the symbol table says of the object: its kind and its size. */
static int check_symbol(const char *file, const char *symbol, const void *at,
                        size_t *room, struct mu_err *err)
{
	const elf_sym *sym = NULL;
	Dl_info info;
	void *extra = NULL;

	*room = 0;
	if (!dladdr1(at, &info, &extra, RTLD_DL_SYMENT))
		return mu_err(
			err, MU_EABI,
			"%s: its symbol %s lies in no object, it is not a "
			"constant",
			file, symbol);
	if (!extra || !info.dli_sname || strcmp(info.dli_sname, symbol) != 0)
		return 0; /* another name for the same place: not known */
	sym = extra;
	/* The type is coded alike in both classes. */
	if (ELF64_ST_TYPE(sym->st_info) != STT_OBJECT)
		return mu_err(err, MU_EABI,
		              "%s: its symbol %s is a function or the like, "
		              "not a constant",
		              file, symbol);
	*room = (size_t)sym->st_size;
	return 0;
}

/* dlerror's text, which as a rule begins with the file's name. */
static int loader_error(const char *file, struct mu_err *err)
{
	const char *text = dlerror();
	size_t len = strlen(file);

	if (!text)
		text = "the loader does not say why";
	if (strncmp(text, file, len) == 0 && text[len] == ':')
		text += len + 1 + (text[len + 1] == ' ');
	return mu_err(err, MU_EIO,
	              "cannot load %s: %s; `muster plugin check`, with "
	              "this file, tells more",
	              file, text);
}

int mu_dso_load(const char *file, const char *symbol, const void **out,
                size_t *room, struct mu_err *err)
{
	void *handle, *at;
	size_t readable;
	int rc;

	rc = check_file(file, err);
	if (rc)
		return rc;
	handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return loader_error(file, err);
	at = dlsym(handle, symbol);
	if (!at)
		return mu_err(err, MU_EABI,
		              "%s has no symbol %s; define it and export it",
		              file, symbol);
	rc = check_symbol(file, symbol, at, &readable, err);
	if (rc)
		return rc;
	*out = at;
	if (room)
		*room = readable;
	return 0;
}
