/* zurl.c - text and one look at the file system; libzmq is not asked. */
#include "zurl.h"

#include "err.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool mu_zurl_is_ours(const char *url)
{
	return strlen(url) < MU_ZURL_MAX && (strncmp(url, "tcp://", 6) == 0 ||
	                                     strncmp(url, "ipc://", 6) == 0);
}

/* Must its host be looked up? */
bool mu_zurl_has_name(const char *url)
{
	const char *host = url + strlen("tcp://");

	return strncmp(url, "tcp://", 6) == 0 && *host != '[' &&
	       host[strspn(host, "0123456789.:")] != '\0';
}

/* libzmq takes any port number that fits, and looks the name up later. */
bool mu_zurl_has_port(const char *url)
{
	const char *colon = strrchr(url, ':');
	unsigned long port = 0;
	const char *c;

	if (strncmp(url, "ipc://", 6) == 0)
		return url[6] != '\0';
	for (c = colon + 1; *c >= '0' && *c <= '9' && port < 100000; c++)
		port = port * 10 + (unsigned long)(*c - '0');
	return colon > url + 6 && *c == '\0' && port > 0 && port < 65536;
}

/* libzmq removes whatever stands at the path of an ipc socket; so look first. */
int mu_zurl_ipc_is_free(const char *url, struct mu_err *err)
{
	const char *path = url + strlen("ipc://");
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, in_use;

	if (*path == '@' || *path == '*' || lstat(path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return mu_err(err, MU_EIO,
		              "cannot listen on %s: %s exists and is no "
		              "socket; move it away or choose another path",
		              url, path);
	if (strlen(path) >= sizeof at.sun_path)
		return 0; /* libzmq says so */
	memcpy(at.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return mu_err(err, MU_EIO, "cannot listen on %s: %s", url,
		              strerror(errno));
	/* EAGAIN: somebody listens, and has a full backlog. */
	in_use = connect(fd, (struct sockaddr *)&at, sizeof at) == 0 ||
	         errno == EAGAIN;
	close(fd);
	if (!in_use)
		return 0;
	return mu_err(err, MU_EIO,
	              "cannot listen on %s: another program listens there; "
	              "stop it or choose another path",
	              url);
}
