#include "elffile.h"

#include "err.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if UINTPTR_MAX > UINT32_MAX
typedef Elf64_Ehdr file_header;
#else
typedef Elf32_Ehdr file_header;
#endif

/* The machine is that of this program itself. */
static int own_machine(void)
{
	file_header own = { 0 };
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return EM_NONE;
	if (read(fd, &own, sizeof own) != (ssize_t)sizeof own)
		own.e_machine = EM_NONE;
	close(fd);
	return own.e_machine;
}

static bool is_within(uint64_t at, uint64_t count, uint64_t each, uint64_t size)
{
	return at <= size && count * each <= size - at;
}

static const char *wrong(const file_header *e, size_t got, uint64_t size)
{
	unsigned char bits = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	int machine = own_machine();

	if (got < sizeof *e || memcmp(e->e_ident, ELFMAG, SELFMAG) != 0)
		return "it is no ELF file";
	if (e->e_type != ET_DYN)
		return "it is no shared object";
	if (e->e_ident[EI_CLASS] != bits ||
	    (machine != EM_NONE && e->e_machine != machine))
		return "it is for another kind of machine";
	/* Section headers, if there are any, stand at the end of the file. */
	if (!is_within(e->e_phoff, e->e_phnum, e->e_phentsize, size) ||
	    !is_within(e->e_shoff, e->e_shnum, e->e_shentsize, size))
		return "it is not whole: its end is missing";
	return NULL;
}

int mu_elffile_check(const char *file, struct mu_err *err)
{
	file_header e = { 0 };
	const char *why;
	struct stat st;
	ssize_t got = -1;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && fstat(fd, &st) == 0)
		got = read(fd, &e, sizeof e);
	if (got < 0) {
		int rc = mu_err(err, MU_EIO, "%.400s cannot be read: %s", file,
		                strerror(errno));

		if (fd >= 0)
			close(fd);
		return rc;
	}
	close(fd);
	why = wrong(&e, (size_t)got, (uint64_t)st.st_size);
	return why ? mu_err(err, MU_EINVAL, "%.400s: %s", file, why) : 0;
}
