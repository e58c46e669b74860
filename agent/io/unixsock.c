#include "unixsock.h"

#include "err.h"
#include "files.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

static int refused(const char *path, const char *doing, struct mu_err *err)
{
	return mu_err(err, MU_EIO, "%.200s: cannot %s: %s", path, doing,
	              strerror(errno));
}

static int address(const char *path, struct sockaddr_un *at, struct mu_err *err)
{
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (path[0] != '/')
		return mu_err(err, MU_ECONFIG,
		              "\"%.200s\" is no address: a socket's path "
		              "begins with /",
		              path);
	if (strlen(path) >= sizeof at->sun_path)
		return mu_err(err, MU_ECONFIG,
		              "%.200s: too long for a socket's path, which has "
		              "at most %zu bytes",
		              path, sizeof at->sun_path - 1);
	mu_format(at->sun_path, sizeof at->sun_path, "%s", path);
	return 0;
}

static int open_socket(const char *path, int flags, int *fd, struct mu_err *err)
{
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	return *fd < 0 ? refused(path, "make a socket", err) : 0;
}

static int try_connect(int fd, const struct sockaddr_un *at)
{
	int rc;

	do
		rc = connect(fd, (const struct sockaddr *)at, sizeof *at);
	while (rc < 0 && errno == EINTR);
	return rc;
}

/* ---- listening ----------------------------------------------------------------- */

static int make_dir(const char *path, struct mu_err *err)
{
	char dir[sizeof((struct sockaddr_un *)0)->sun_path];
	char *slash;

	mu_format(dir, sizeof dir, "%s", path);
	slash = strrchr(dir, '/');
	*slash = '\0';
	return dir[0] ? mu_dir_make(dir, 0755, err) : 0;
}

/* Make room for our file: what nobody listens on goes. */
static int clear(const char *path, const struct sockaddr_un *at,
                 struct mu_err *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : refused(path, "look", err);
	if (!S_ISSOCK(st.st_mode))
		return mu_err(err, MU_EIO, "%.200s is there and is no socket",
		              path);
	rc = open_socket(path, SOCK_NONBLOCK, &fd, err);
	if (rc)
		return rc;
	rc = try_connect(fd, at);
	if (rc == 0 || errno == EAGAIN)
		rc = mu_err(err, MU_EFULL, "another process listens on %.200s",
		            path);
	else if (errno != ECONNREFUSED && errno != ENOENT)
		rc = refused(path, "see whether somebody listens", err);
	else if (unlink(path) && errno != ENOENT)
		rc = refused(path, "remove what is left of another", err);
	else
		rc = 0;
	close(fd);
	return rc;
}

int mu_unix_listen(const char *path, unsigned mode, int *fd, struct mu_err *err)
{
	struct sockaddr_un at;
	int rc = address(path, &at, err);

	rc = rc ? rc : make_dir(path, err);
	rc = rc ? rc : clear(path, &at, err);
	rc = rc ? rc : open_socket(path, SOCK_NONBLOCK, fd, err);
	if (rc)
		return rc;
	/* Linux gives the file the mode of the socket, less the umask. */
	if (fchmod(*fd, (mode_t)mode) ||
	    bind(*fd, (struct sockaddr *)&at, sizeof at)) {
		rc = refused(path, "listen", err);
		close(*fd);
		return rc;
	}
	if (chmod(path, (mode_t)mode) || listen(*fd, BACKLOG)) {
		rc = refused(path, "listen", err);
		mu_unix_unlisten(path, *fd);
	}
	return rc;
}

void mu_unix_unlisten(const char *path, int fd)
{
	unlink(path);
	close(fd);
}

int mu_unix_accept(int listening, int *fd, struct mu_unix_peer *peer)
{
	struct ucred who;
	socklen_t len = sizeof who;

	do
		*fd = accept4(listening, NULL, NULL,
		              SOCK_CLOEXEC | SOCK_NONBLOCK);
	while (*fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (*fd < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? MU_EAGAIN
		                                               : MU_EIO;
	if (getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &who, &len)) {
		close(*fd);
		return MU_EIO;
	}
	*peer = (struct mu_unix_peer){ who.uid, who.pid };
	return 0;
}

/* ---- connecting ---------------------------------------------------------------- */

static int why_not(const char *path, struct mu_err *err)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return mu_err(err, MU_ENONODE,
		              "%.200s: there is no such socket", path);
	case ECONNREFUSED:
	case EAGAIN:
		return mu_err(err, MU_EGONE, "%.200s: nobody answers there",
		              path);
	case EACCES:
	case EPERM:
		return mu_err(err, MU_ENOAUTH, "%.200s: permission denied",
		              path);
	default:
		return refused(path, "connect", err);
	}
}

int mu_unix_connect(const char *path, int *fd, struct mu_err *err)
{
	struct sockaddr_un at;
	int rc = address(path, &at, err);

	rc = rc ? rc : open_socket(path, 0, fd, err);
	if (rc)
		return rc;
	if (try_connect(*fd, &at) == 0)
		return 0;
	rc = why_not(path, err);
	close(*fd);
	return rc;
}
