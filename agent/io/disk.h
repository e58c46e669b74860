/*
 * disk.h - the calls of the file system that durability leans on, as a struct of
 * functions, so that tests and the simulation can fail, tear and forget.
 *
 * One directory, flat: names have no slash. Each call gives 0 or more, or
 * -errno, and is repeated inside where the system was interrupted (EINTR); a
 * write or read that was cut short is told as such. Nothing here is durable
 * before sync (of a file's bytes and length) and sync_dir (of names made,
 * renamed or gone). Used by one thread at a time.
 */
#ifndef MU_IO_DISK_H
#define MU_IO_DISK_H

#include <muster/types.h>

#include <sys/types.h>

struct mu_disk {
	/* A new file, empty, mode 0640: a descriptor. -EEXIST. */
	int (*create)(struct mu_disk *d, const char *name);
	/* One that is there, for reading and (writable) writing. -ENOENT. */
	int (*open)(struct mu_disk *d, const char *name, bool writable);
	void (*close)(struct mu_disk *d, int fd);
	int64_t (*size)(struct mu_disk *d, int fd);
	ssize_t (*read)(struct mu_disk *d, int fd, void *p, size_t len,
	                uint64_t at);
	ssize_t (*write)(struct mu_disk *d, int fd, const void *p, size_t len,
	                 uint64_t at);
	/* Take room up to `len`, filled with zeros; grows the file. */
	int (*allocate)(struct mu_disk *d, int fd, uint64_t len);
	int (*truncate)(struct mu_disk *d, int fd, uint64_t len);
	int (*sync)(struct mu_disk *d, int fd); /* fdatasync */
	int (*rename)(struct mu_disk *d, const char *from, const char *to);
	int (*unlink)(struct mu_disk *d, const char *name);
	int (*sync_dir)(struct mu_disk *d);
	/* Calls `each` for every name, in no promised order, until it returns
	 * non-zero, and returns that. */
	int (*list)(struct mu_disk *d, int (*each)(void *arg, const char *name),
	            void *arg);
	void (*free)(struct mu_disk *d);
};

/* The real one. The directory must be there and stays open by descriptor, so
 * that it may be renamed. MU_EIO, MU_ENOMEM. */
int mu_disk_open(const char *dir, struct mu_disk **out, struct mu_err *err);

#endif /* MU_IO_DISK_H */
