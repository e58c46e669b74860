#include "userdir.h"

#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40u /* as the kernel */

struct walk {
	const char *path; /* for sentences */
	uint32_t uid, gid;
	int fd;    /* where we are */
	bool safe; /* nobody but root and us can exchange a name on the way
	                  to here, or here */
	unsigned links;
	char rest[2 * PATH_MAX]; /* of the way */
};

static int refused(const struct walk *w, struct mu_err *err)
{
	return mu_err(err, MU_EIO, "cannot make the directory %.300s: %s",
	              w->path, strerror(errno));
}

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

static bool is_safe(const struct stat *st)
{
	bool others_write = st->st_mode & (S_IWGRP | S_IWOTH);

	return is_ours(st) && (!others_write || st->st_mode & S_ISVTX);
}

/* Takes the descriptor over. */
static void stand_on(struct walk *w, int fd, const struct stat *st)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	w->safe = w->safe && is_safe(st);
}

static int begin_at_root(struct walk *w, struct mu_err *err)
{
	struct stat st;
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st)) {
		int rc = refused(w, err);

		if (fd >= 0)
			close(fd);
		return rc;
	}
	w->safe = true;
	stand_on(w, fd, &st);
	return 0;
}

/* ---- what is missing ---- */

/* This is of our thread alone, and takes root's rights over files with it. */
static int mkdir_as_user(const struct walk *w, const char *name)
{
	int rc = -1, why;

	setfsgid(w->gid);
	setfsuid(w->uid);
	errno = EPERM;
	if ((uint32_t)setfsuid((uid_t)-1) == w->uid)
		rc = mkdirat(w->fd, name, 0755);
	why = errno;
	setfsuid(geteuid());
	setfsgid(getegid());
	errno = why;
	return rc;
}

/* Somebody who was faster is an error: it is tried again with the next start. */
static int make(struct walk *w, const char *name, struct mu_err *err)
{
	struct stat st;
	int fd, rc;

	if (w->safe ? mkdirat(w->fd, name, 0755) : mkdir_as_user(w, name))
		return refused(w, err);
	fd = openat(w->fd, name,
	            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 &&
	    (w->rest[0] || !w->safe || fchown(fd, w->uid, w->gid) == 0)) {
		stand_on(w, fd, &st);
		return 0;
	}
	rc = refused(w, err);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* ---- what is there ---- */

static int follow(struct walk *w, int link, const struct stat *st,
                  struct mu_err *err)
{
	char text[2 * PATH_MAX];
	ssize_t n = readlinkat(link, "", text, PATH_MAX);
	size_t rest = strlen(w->rest) + 1;

	if (!w->safe || !is_ours(st))
		return mu_err(err, MU_EIO,
		              "cannot make the directory %.300s: a link on the "
		              "way is somebody's who could point it anywhere; "
		              "make the directory by hand",
		              w->path);
	errno = n < 0 ? errno : ENAMETOOLONG;
	if (n < 0 || (size_t)n + 1 + rest > sizeof w->rest)
		return refused(w, err);
	errno = ELOOP;
	if (++w->links > LINKS_MAX)
		return refused(w, err);
	text[n] = '/';
	memcpy(text + n + 1, w->rest, rest);
	memcpy(w->rest, text, (size_t)n + 1 + rest);
	return text[0] == '/' ? begin_at_root(w, err) : 0;
}

/* A link is not gone through by opening it. */
static int go_to(struct walk *w, int fd, struct mu_err *err)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st)) {
		rc = refused(w, err);
	} else if (S_ISDIR(st.st_mode)) {
		stand_on(w, fd, &st);
		return 0;
	} else if (S_ISLNK(st.st_mode)) {
		rc = follow(w, fd, &st, err);
	} else {
		errno = ENOTDIR;
		rc = refused(w, err);
	}
	close(fd);
	return rc;
}

/* The first name of what is left, and then what is left: "" after the last. One
 * that is too long is left to the kernel to refuse. */
static bool take_name(struct walk *w, char name[PATH_MAX])
{
	size_t from = strspn(w->rest, "/");
	size_t len = strcspn(w->rest + from, "/"), to = from + len;

	mu_format(name, PATH_MAX, "%.*s", (int)len, w->rest + from);
	to += strspn(w->rest + to, "/");
	memmove(w->rest, w->rest + to, strlen(w->rest + to) + 1);
	return len > 0;
}

static int step(struct walk *w, const char *name, struct mu_err *err)
{
	int fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		return go_to(w, fd, err);
	return errno == ENOENT ? make(w, name, err) : refused(w, err);
}

int mu_userdir_make(const char *path, uint32_t uid, uint32_t gid,
                    struct mu_err *err)
{
	struct walk w = { .path = path, .uid = uid, .gid = gid, .fd = -1 };
	char name[PATH_MAX];
	int rc;

	errno = ENAMETOOLONG;
	if (strlen(path) >= PATH_MAX)
		return refused(&w, err);
	mu_format(w.rest, sizeof w.rest, "%s", path);
	rc = begin_at_root(&w, err);
	while (!rc && take_name(&w, name))
		rc = step(&w, name, err);
	if (w.fd >= 0)
		close(w.fd);
	return rc;
}
