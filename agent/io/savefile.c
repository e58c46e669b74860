#include "savefile.h"

#include "clock.h"
#include "err.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct mu_savefile {
	int dir, fd;
	bool replace;
	char name[NAME_MAX + 1], temp[NAME_MAX + 1];
	char path[PATH_MAX]; /* as given, for sentences */
};

static int refused(const struct mu_savefile *s, const char *doing,
                   struct mu_err *err)
{
	return mu_err(err, MU_EIO, "cannot %s %.300s: %s", doing, s->path,
	              strerror(errno));
}

static int is_there(const struct mu_savefile *s, struct mu_err *err)
{
	return mu_err(err, MU_EEXISTS, "%.300s is there already", s->path);
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

/* The directory, the name in it, and a name that nobody has. */
static int place(struct mu_savefile *s, struct mu_err *err)
{
	const char *slash = strrchr(s->path, '/');
	const char *name = slash ? slash + 1 : s->path;
	char dir[PATH_MAX] = ".";
	uint64_t id;

	if (!name[0] || strlen(name) > NAME_MAX) {
		errno = name[0] ? ENAMETOOLONG : EISDIR;
		return refused(s, "write", err);
	}
	if (slash)
		mu_format(dir, sizeof dir, "%.*s",
		          slash > s->path ? (int)(slash - s->path) : 1,
		          s->path);
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return refused(s, "write", err);
	mu_clock_random(&id, sizeof id);
	mu_format(s->name, sizeof s->name, "%s", name);
	mu_format(s->temp, sizeof s->temp, ".%.200s.%016llx.tmp", name,
	          (unsigned long long)id);
	return 0;
}

static int make(struct mu_savefile *s, unsigned mode, struct mu_err *err)
{
	struct stat st;

	if (fstatat(s->dir, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!s->replace)
			return is_there(s, err);
		if (S_ISDIR(st.st_mode)) {
			errno = EISDIR;
			return refused(s, "write", err);
		}
		if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
			return mu_err(err, MU_EIO,
			              "%.300s is no ordinary file, and would "
			              "be replaced by one",
			              s->path);
	}
	s->fd = openat(s->dir, s->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
	               (mode_t)mode);
	return s->fd < 0 ? refused(s, "make a file beside", err) : 0;
}

int mu_savefile_open(const char *path, bool replace, unsigned mode,
                     struct mu_savefile **out, struct mu_err *err)
{
	struct mu_savefile *s;
	int rc;

	if (strlen(path) >= sizeof s->path)
		return mu_err(err, MU_EIO, "the name of the file is too long");
	s = mu_alloc(sizeof *s);
	if (!s)
		return mu_err(err, MU_ENOMEM, "out of memory");
	s->dir = s->fd = -1;
	s->replace = replace;
	mu_format(s->path, sizeof s->path, "%s", path);
	rc = place(s, err);
	rc = rc ? rc : make(s, mode, err);
	if (rc) {
		mu_savefile_abort(s);
		return rc;
	}
	*out = s;
	return 0;
}

int mu_savefile_fd(const struct mu_savefile *s)
{
	return s->fd;
}

/* A file system without "only if it is not there" has an ordinary rename; that
 * nobody was there was seen when we began. */
static int give_name(struct mu_savefile *s)
{
	if (s->replace)
		return renameat(s->dir, s->temp, s->dir, s->name);
	if (renameat2(s->dir, s->temp, s->dir, s->name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return renameat(s->dir, s->temp, s->dir, s->name);
}

int mu_savefile_commit(struct mu_savefile *s, struct mu_err *err)
{
	int rc = 0;

	if (sync_fd(s->fd))
		rc = refused(s, "write", err);
	else if (give_name(s))
		rc = errno == EEXIST ? is_there(s, err)
		                     : refused(s, "put a new file at", err);
	if (rc) {
		mu_savefile_abort(s);
		return rc;
	}
	close(s->fd);
	s->fd = -1; /* nothing to take away */
	if (sync_fd(s->dir))
		rc = refused(s, "make sure that a crash keeps", err);
	mu_savefile_abort(s);
	return rc;
}

void mu_savefile_abort(struct mu_savefile *s)
{
	if (!s)
		return;
	if (s->fd >= 0) {
		close(s->fd);
		unlinkat(s->dir, s->temp, 0);
	}
	if (s->dir >= 0)
		close(s->dir);
	mu_free(s);
}
