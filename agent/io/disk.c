/* The disk as it is: one directory, held open. */
#include "disk.h"

#include "err.h"
#include "mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILL (64u << 10) /* bytes of zeros at a time */

struct real_disk {
	struct mu_disk face; /* first: what callers hold */
	int dir;
};

static int dir_of(const struct mu_disk *d)
{
	return ((const struct real_disk *)d)->dir;
}

/* Again for as long as a signal was in the way. */
#define AGAIN(rc, call) \
	do \
		rc = (call); \
	while (rc < 0 && errno == EINTR)

static int told(int rc)
{
	return rc < 0 ? -errno : rc;
}

static int real_create(struct mu_disk *d, const char *name)
{
	int fd;

	AGAIN(fd,
	      openat(dir_of(d), name,
	             O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
	return told(fd);
}

static int real_open(struct mu_disk *d, const char *name, bool writable)
{
	int fd;

	AGAIN(fd,
	      openat(dir_of(d), name,
	             (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY));
	return told(fd);
}

static void real_close(struct mu_disk *d, int fd)
{
	(void)d;
	close(fd);
}

static int64_t real_size(struct mu_disk *d, int fd)
{
	struct stat st;

	(void)d;
	return fstat(fd, &st) ? -errno : (int64_t)st.st_size;
}

static ssize_t real_read(struct mu_disk *d, int fd, void *p, size_t len,
                         uint64_t at)
{
	ssize_t n;

	(void)d;
	AGAIN(n, pread(fd, p, len, (off_t)at));
	return n < 0 ? -errno : n;
}

static ssize_t real_write(struct mu_disk *d, int fd, const void *p, size_t len,
                          uint64_t at)
{
	ssize_t n;

	(void)d;
	AGAIN(n, pwrite(fd, p, len, (off_t)at));
	return n < 0 ? -errno : n;
}

/* Where the file system cannot set room aside, zeros take it. */
static int fill(struct mu_disk *d, int fd, uint64_t len)
{
	static const char zeros[FILL];
	int64_t at = real_size(d, fd);

	while (at >= 0 && (uint64_t)at < len) {
		const uint64_t left = len - (uint64_t)at;
		ssize_t n = real_write(d, fd, zeros, left < FILL ? left : FILL,
		                       (uint64_t)at);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		at += n;
	}
	return at < 0 ? (int)at : 0;
}

static int real_allocate(struct mu_disk *d, int fd, uint64_t len)
{
	int rc;

	AGAIN(rc, fallocate(fd, 0, 0, (off_t)len));
	if (rc < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
		return fill(d, fd, len);
	return told(rc);
}

static int real_truncate(struct mu_disk *d, int fd, uint64_t len)
{
	int rc;

	(void)d;
	AGAIN(rc, ftruncate(fd, (off_t)len));
	return told(rc);
}

static int real_sync(struct mu_disk *d, int fd)
{
	int rc;

	(void)d;
	AGAIN(rc, fdatasync(fd));
	return told(rc);
}

static int real_rename(struct mu_disk *d, const char *from, const char *to)
{
	int rc;

	AGAIN(rc, renameat(dir_of(d), from, dir_of(d), to));
	return told(rc);
}

static int real_unlink(struct mu_disk *d, const char *name)
{
	int rc;

	AGAIN(rc, unlinkat(dir_of(d), name, 0));
	return told(rc);
}

static int real_sync_dir(struct mu_disk *d)
{
	int rc;

	AGAIN(rc, fsync(dir_of(d)));
	/* Some file systems cannot sync a directory: they need not. */
	return rc < 0 && errno == EINVAL ? 0 : told(rc);
}

/* A descriptor of its own, for reading moves the place in it. */
static int real_list(struct mu_disk *d, int (*each)(void *arg, const char *),
                     void *arg)
{
	struct dirent *e;
	DIR *stream;
	int fd, rc = 0;

	AGAIN(fd, openat(dir_of(d), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fd < 0)
		return -errno;
	stream = fdopendir(fd);
	if (!stream) {
		rc = -errno;
		close(fd);
		return rc;
	}
	for (;;) {
		errno = 0;
		e = readdir(stream);
		if (!e) {
			rc = -errno;
			break;
		}
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		rc = each(arg, e->d_name);
		if (rc)
			break;
	}
	closedir(stream);
	return rc;
}

static void real_free(struct mu_disk *d)
{
	close(dir_of(d));
	mu_free(d);
}

static const struct mu_disk real_face = {
	.create = real_create,
	.open = real_open,
	.close = real_close,
	.size = real_size,
	.read = real_read,
	.write = real_write,
	.allocate = real_allocate,
	.truncate = real_truncate,
	.sync = real_sync,
	.rename = real_rename,
	.unlink = real_unlink,
	.sync_dir = real_sync_dir,
	.list = real_list,
	.free = real_free,
};

int mu_disk_open(const char *dir, struct mu_disk **out, struct mu_err *err)
{
	struct real_disk *d = mu_alloc(sizeof *d);

	if (!d)
		return mu_err(err, MU_ENOMEM, "no memory left to open %s", dir);
	d->face = real_face;
	AGAIN(d->dir, open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (d->dir < 0) {
		int rc = mu_err(err, MU_EIO, "cannot open the directory %s: %s",
		                dir, strerror(errno));

		mu_free(d);
		return rc;
	}
	*out = &d->face;
	return 0;
}
