#include "files.h"

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK 4096u /* bytes, where the file does not tell its size */

static int refused(struct mu_err *err, const char *doing, const char *path)
{
	return mu_err(err, errno == ENOMEM ? MU_ENOMEM : MU_EIO,
	              "cannot %s %s: %s", doing, path, strerror(errno));
}

/* ---- reading ---------------------------------------------------------------- */

static ssize_t read_some(int fd, void *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got < 0 && errno == EINTR);
	return got;
}

/* One byte more than `max` is asked for, to see a file that is too long. */
static int read_all(int fd, const char *path, size_t max, struct mu_buf *b,
                    struct mu_err *err)
{
	struct stat st;
	size_t chunk = READ_CHUNK;

	if (fstat(fd, &st) == 0 && st.st_size > 0)
		chunk = (size_t)st.st_size + 1;
	for (;;) {
		size_t left =
			max - b->len < SIZE_MAX ? max - b->len + 1 : SIZE_MAX;
		size_t n = chunk < left ? chunk : left;
		uint8_t *at = mu_buf_grow(b, n);
		ssize_t got;

		if (!at)
			return mu_err(err, MU_ENOMEM,
			              "no memory left to read %s", path);
		got = read_some(fd, at, n);
		if (got < 0)
			return refused(err, "read", path);
		mu_buf_cut(b, b->len - n + (size_t)got);
		chunk = READ_CHUNK;
		if (b->len > max)
			return mu_err(
				err, MU_ETOOBIG,
				"%s is larger than the limit of %zu bytes",
				path, max);
		if (got == 0)
			return 0;
	}
}

int mu_file_read(const char *path, size_t max, char **out, size_t *len,
                 struct mu_err *err)
{
	struct mu_buf b;
	uint8_t *bytes;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int rc;

	if (fd < 0 && errno == ENOENT)
		return mu_err(err, MU_ENONODE, "there is no file %s", path);
	if (fd < 0)
		return refused(err, "open", path);
	mu_buf_init(&b);
	rc = read_all(fd, path, max, &b, err);
	close(fd);
	if (rc)
		goto undo_buf;
	mu_buf_put(&b, "", 1);
	if (mu_buf_failed(&b)) {
		rc = mu_err(err, MU_ENOMEM, "no memory left to read %s", path);
		goto undo_buf;
	}
	*len = mu_buf_take(&b, &bytes) - 1;
	*out = (char *)bytes;
	return 0;
undo_buf:
	mu_buf_fini(&b);
	return rc;
}

/* ---- replacing -------------------------------------------------------------- */

static int write_all(int fd, const void *p, size_t len)
{
	const char *at = p;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_fd(int fd)
{
	int rc;

	do
		rc = fsync(fd);
	while (rc < 0 && errno == EINTR);
	/* Some file systems cannot sync a directory: they need not. */
	return rc < 0 && errno != EINVAL ? -1 : 0;
}

/* Where a path stands: the open directory, and the name in it. */
struct place {
	int dir;
	const char *name; /* borrowed from the path */
	char temp[NAME_MAX + 1];
};

static int place_open(struct place *p, const char *path, struct mu_err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	char dir[PATH_MAX] = ".";
	uint64_t id;

	p->name = slash ? slash + 1 : path;
	if (!p->name[0] || len >= sizeof dir)
		return mu_err(err, MU_EIO, "'%s' cannot be the name of a file",
		              path);
	if (slash)
		mu_format(dir, sizeof dir, "%.*s", len ? (int)len : 1, path);
	p->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0)
		return refused(err, "open the directory", dir);
	/* A name nobody has, yet one by which a person knows what a crash has
	 * left behind. */
	mu_clock_random(&id, sizeof id);
	mu_format(p->temp, sizeof p->temp, ".%.200s.%016llx.tmp", p->name,
	          (unsigned long long)id);
	return 0;
}

/* The temporary file, whole and on disk. */
static int temp_write(int fd, const void *p, size_t len, unsigned mode)
{
	if (write_all(fd, p, len) || fchmod(fd, (mode_t)mode) || sync_fd(fd))
		return -1;
	return 0;
}

int mu_file_replace(const char *path, const void *p, size_t len, unsigned mode,
                    struct mu_err *err)
{
	struct place at;
	int fd, rc = place_open(&at, path, err);

	if (rc)
		return rc;
	fd = openat(at.dir, at.temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	            0600);
	if (fd < 0) {
		rc = refused(err, "make a new file beside", path);
		goto undo_dir;
	}
	if (temp_write(fd, p, len, mode)) {
		rc = refused(err, "write a new", path);
		close(fd);
		goto undo_temp;
	}
	close(fd);
	if (renameat(at.dir, at.temp, at.dir, at.name)) {
		rc = refused(err, "put a new file in place of", path);
		goto undo_temp;
	}
	if (sync_fd(at.dir))
		rc = refused(err, "make sure that a crash keeps the new", path);
	close(at.dir);
	return rc;
undo_temp:
	unlinkat(at.dir, at.temp, 0);
undo_dir:
	close(at.dir);
	return rc;
}

/* ---- directories and locks -------------------------------------------------- */

/* The entry of `path` in the directory above it. */
static int sync_parent(const char *path, struct mu_err *err)
{
	struct place at;
	int rc = place_open(&at, path, err);

	if (rc)
		return rc;
	if (sync_fd(at.dir))
		rc = refused(err, "make sure that a crash keeps", path);
	close(at.dir);
	return rc;
}

static int dir_make_one(const char *path, unsigned mode, struct mu_err *err)
{
	struct stat st;

	int why;

	if (mkdir(path, (mode_t)mode) == 0)
		return sync_parent(path, err);
	/* One that is there may also be told by EROFS or EACCES. */
	why = errno;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	errno = why == EEXIST ? ENOTDIR : why;
	return refused(err, "make the directory", path);
}

int mu_dir_make(const char *path, unsigned mode, struct mu_err *err)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len == 0 || len >= sizeof part)
		return mu_err(err, MU_EIO,
		              "'%s' cannot be the name of a directory", path);
	memcpy(part, path, len);
	part[len] = '\0';
	for (size_t i = 1; i < len; i++) {
		int rc;

		if (part[i] != '/' || part[i - 1] == '/')
			continue;
		part[i] = '\0';
		rc = dir_make_one(part, mode, err);
		if (rc)
			return rc;
		part[i] = '/';
	}
	return dir_make_one(part, mode, err);
}

/* The pid in a lock file is a help for people, never what locks. */
static int lock_refused(int fd, const char *path, struct mu_err *err)
{
	char pid[16] = "";
	ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
	long holder = n > 0 ? strtol(pid, NULL, 10) : 0;

	if (holder <= 0)
		return mu_err(err, MU_EFULL, "another process holds %s", path);
	return mu_err(err, MU_EFULL, "process %ld holds %s: stop it first",
	              holder, path);
}

static void lock_sign(int fd)
{
	char pid[16];
	size_t len = mu_format(pid, sizeof pid, "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, len, 0) < 0)
		return; /* a full disk: then nobody is named */
}

int mu_file_lock(const char *path, int *fd, struct mu_err *err)
{
	int rc, f = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);

	if (f < 0)
		return refused(err, "open", path);
	do
		rc = flock(f, LOCK_EX | LOCK_NB);
	while (rc < 0 && errno == EINTR);
	if (rc == 0) {
		lock_sign(f);
		*fd = f;
		return 0;
	}
	rc = errno == EWOULDBLOCK ? lock_refused(f, path, err)
	                          : refused(err, "lock", path);
	close(f);
	return rc;
}
