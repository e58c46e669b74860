#include "kit_elf.h"

#include "err.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if UINTPTR_MAX > 0xffffffffu
#define ELF_CLASS ELFCLASS64
typedef Elf64_Ehdr elf_ehdr;
typedef Elf64_Phdr elf_phdr;
typedef Elf64_Shdr elf_shdr;
typedef Elf64_Sym elf_sym;
#else
#define ELF_CLASS ELFCLASS32
typedef Elf32_Ehdr elf_ehdr;
typedef Elf32_Phdr elf_phdr;
typedef Elf32_Shdr elf_shdr;
typedef Elf32_Sym elf_sym;
#endif

/* The file in memory. Nothing in it is believed: each read is in bounds. */
struct image {
	const uint8_t *at;
	uint64_t len;
};

static bool copy(const struct image *m, uint64_t offset, void *to, size_t n)
{
	if (offset > m->len || n > m->len - offset)
		return false;
	memcpy(to, m->at + offset, n);
	return true;
}

/* ---- what kind of file ---- */

static int check_kind(const char *file, const struct image *m, elf_ehdr *h,
                      struct mu_err *err)
{
	if (!copy(m, 0, h, sizeof *h) || memcmp(h->e_ident, ELFMAG, SELFMAG))
		return mu_err(err, MU_EIO,
		              "%.300s is no shared object (not an ELF file)",
		              file);
	if (h->e_ident[EI_CLASS] != ELF_CLASS)
		return mu_err(err, MU_EIO,
		              "%.300s is built for another word size than this "
		              "program",
		              file);
	if (h->e_type != ET_DYN)
		return mu_err(err, MU_EIO,
		              "%.300s is an ELF file, but no shared object",
		              file);
	return 0;
}

static bool segment(const struct image *m, const elf_ehdr *h, unsigned i,
                    elf_phdr *out)
{
	return i < h->e_phnum && h->e_phentsize == sizeof *out &&
	       copy(m, h->e_phoff + (uint64_t)i * sizeof *out, out,
	            sizeof *out);
}

static bool is_whole(const struct image *m, const elf_ehdr *h)
{
	elf_phdr p;

	for (unsigned i = 0; i < h->e_phnum; i++) {
		if (!segment(m, h, i, &p))
			return false;
		if (p.p_type == PT_LOAD &&
		    (p.p_offset > m->len || p.p_filesz > m->len - p.p_offset))
			return false;
	}
	return h->e_phnum > 0;
}

/* ---- symbols ---- */

/* Bytes that will stand at an address, as they stand in the file. */
static bool copy_address(const struct image *m, const elf_ehdr *h,
                         uint64_t address, void *to, size_t n)
{
	elf_phdr p;

	for (unsigned i = 0; segment(m, h, i, &p); i++) {
		uint64_t into = address - p.p_vaddr;

		if (p.p_type != PT_LOAD || address < p.p_vaddr ||
		    into >= p.p_filesz || n > p.p_filesz - into)
			continue;
		return copy(m, p.p_offset + into, to, n);
	}
	return false;
}

static bool name_at(const struct image *m, const elf_shdr *strings,
                    uint64_t offset, const char **out)
{
	uint64_t end, begin = strings->sh_offset + offset;

	if (offset >= strings->sh_size || strings->sh_offset > m->len ||
	    strings->sh_size > m->len - strings->sh_offset)
		return false;
	end = strings->sh_offset + strings->sh_size;
	*out = (const char *)m->at + begin;
	return memchr(*out, '\0', end - begin) != NULL;
}

/* What a linker adds by itself. */
static bool is_linkers(const char *name)
{
	static const char *const names[] = { "_init",       "_fini",
		                             "_edata",      "_end",
		                             "__bss_start", "__data_start" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void take_symbol(const struct image *m, const elf_ehdr *h,
                        const elf_sym *s, const char *name, struct kit_elf *out)
{
	unsigned bind = ELF64_ST_BIND(s->st_info);
	uint32_t head[2];
	size_t len = strlen(out->extras);

	if (s->st_shndx == SHN_UNDEF || bind == STB_LOCAL ||
	    ELF64_ST_VISIBILITY(s->st_other) != STV_DEFAULT)
		return;
	if (strcmp(name, "mu_plugin") != 0) {
		if (is_linkers(name) || !name[0])
			return;
		if (out->extra++ < 8)
			mu_format(out->extras + len, sizeof out->extras - len,
			          "%s%.40s", len ? ", " : "", name);
		return;
	}
	out->has_symbol = true;
	out->is_object = ELF64_ST_TYPE(s->st_info) == STT_OBJECT;
	out->symbol_size = s->st_size;
	if (!out->is_object || s->st_size < sizeof head ||
	    !copy_address(m, h, s->st_value, head, sizeof head))
		return;
	out->has_head = true;
	out->abi = head[0];
	out->size = head[1];
}

static bool section(const struct image *m, const elf_ehdr *h, unsigned i,
                    elf_shdr *out)
{
	return i < h->e_shnum && h->e_shentsize == sizeof *out &&
	       copy(m, h->e_shoff + (uint64_t)i * sizeof *out, out,
	            sizeof *out);
}

/* False: it has no table of what it exports. */
static bool read_symbols(const struct image *m, const elf_ehdr *h,
                         struct kit_elf *out)
{
	elf_shdr table, strings;
	unsigned i = 0;
	elf_sym s;
	const char *name;

	while (section(m, h, i, &table) && table.sh_type != SHT_DYNSYM)
		i++;
	if (!section(m, h, i, &table) ||
	    !section(m, h, table.sh_link, &strings))
		return false;
	for (uint64_t at = 0; table.sh_size - at >= sizeof s; at += sizeof s) {
		if (!copy(m, table.sh_offset + at, &s, sizeof s))
			return true;
		if (name_at(m, &strings, s.st_name, &name))
			take_symbol(m, h, &s, name, out);
	}
	return true;
}

/* ---- the file ---- */

static int map(const char *file, struct image *out, struct mu_err *err)
{
	struct stat st = { 0 };
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	void *at = MAP_FAILED;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int rc = mu_err(err, MU_ENONODE, "cannot open %.300s: %s", file,
		                strerror(errno));

		if (fd >= 0)
			close(fd);
		return rc;
	}
	if (S_ISREG(st.st_mode) && st.st_size > 0)
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
		          0);
	close(fd);
	if (at == MAP_FAILED)
		return mu_err(err, MU_EIO,
		              "%.300s is no shared object (empty, or no file)",
		              file);
	*out = (struct image){ at, (uint64_t)st.st_size };
	return 0;
}

int kit_elf_look(const char *file, struct kit_elf *out, struct mu_err *err)
{
	struct image m;
	elf_ehdr h;
	int rc = map(file, &m, err);

	*out = (struct kit_elf){ 0 };
	if (rc)
		return rc;
	rc = check_kind(file, &m, &h, err);
	if (!rc && !is_whole(&m, &h))
		rc = mu_err(err, MU_EIO,
		            "%.300s is cut short: it ends before what its "
		            "headers promise",
		            file);
	else if (!rc && !read_symbols(&m, &h, out))
		rc = mu_err(err, MU_EIO,
		            "%.300s has no table of what it exports", file);
	munmap((void *)(uintptr_t)m.at, m.len);
	return rc;
}
