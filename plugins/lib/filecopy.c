#include "filecopy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int system_error(struct mu_err *err, const char *what, const char *path)
{
	snprintf(err->msg, sizeof err->msg, "cannot %s %s: %s", what, path,
	         strerror(errno));
	err->code = MU_EIO;
	return MU_EIO;
}

static int fail(struct mu_err *err, int code, const char *path,
                const char *what)
{
	snprintf(err->msg, sizeof err->msg, "%s %s", path, what);
	err->code = code;
	return code;
}

static ssize_t read_all(int fd, char *p, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, p + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int read_open(int fd, const char *path, size_t max,
                     struct mu_filecopy *out, struct mu_err *err)
{
	ssize_t n;

	if (fstat(fd, &out->st) < 0)
		return system_error(err, "look at", path);
	if (!S_ISREG(out->st.st_mode))
		return fail(err, MU_EIO, path, "is not a regular file");
	if ((uint64_t)out->st.st_size > max)
		return fail(err, MU_ETOOBIG, path, "is too large");
	out->bytes = malloc((size_t)out->st.st_size + 1);
	if (!out->bytes)
		return fail(err, MU_ENOMEM, path, "does not fit into memory");
	n = read_all(fd, out->bytes, (size_t)out->st.st_size);
	if (n < 0)
		return system_error(err, "read", path);
	out->len = (size_t)n;
	out->exists = true;
	return 0;
}

int mu_filecopy_read(const char *path, size_t max, struct mu_filecopy *out,
                     struct mu_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc;

	*out = (struct mu_filecopy){ .exists = false };
	if (fd < 0)
		return errno == ENOENT ? 0 : system_error(err, "open", path);
	rc = read_open(fd, path, max, out, err);
	close(fd);
	if (rc)
		mu_filecopy_fini(out);
	return rc;
}

void mu_filecopy_fini(struct mu_filecopy *f)
{
	free(f->bytes);
	*f = (struct mu_filecopy){ .exists = false };
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int mu_filecopy_write(const char *path, const void *p, size_t len, mode_t mode,
                      const struct stat *like, struct mu_err *err)
{
	const char *what = NULL;
	int fd, rc = 0;

	if (unlink(path) < 0 && errno != ENOENT)
		return system_error(err, "remove the old", path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	          0600);
	if (fd < 0)
		return system_error(err, "make", path);
	/* The owner first: a change of owner may take bits off the mode. It is
	 * not ours to give unless we are root. */
	if (like)
		(void)!fchown(fd, like->st_uid, like->st_gid);
	if (fchmod(fd, mode) < 0)
		what = "set the mode of";
	else if (write_all(fd, p, len) < 0)
		what = "write";
	else if (fsync(fd) < 0)
		what = "sync";
	if (what) {
		rc = system_error(err, what, path);
		(void)unlink(path);
	}
	close(fd);
	return rc;
}

int mu_filecopy_sync_dir(const char *path, struct mu_err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	char *dir = len ? strndup(path, len) : strdup(slash ? "/" : ".");
	int fd, rc = 0;

	if (!dir)
		return fail(err, MU_ENOMEM, path, "out of memory");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		rc = system_error(err, "sync", dir);
	if (fd >= 0)
		close(fd);
	free(dir);
	return rc;
}

int mu_filecopy_rename(const char *from, const char *to, struct mu_err *err)
{
	if (rename(from, to) < 0)
		return system_error(err, "replace", to);
	return mu_filecopy_sync_dir(to, err);
}

int mu_filecopy_remove(const char *path, struct mu_err *err)
{
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : system_error(err, "remove", path);
	return mu_filecopy_sync_dir(path, err);
}

uint32_t mu_filecopy_crc32c(const void *p, size_t len)
{
	const uint8_t *at = p;
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < len; i++) {
		crc ^= at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
	}
	return ~crc;
}
