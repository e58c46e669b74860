/*
 * unixsock.h - stream sockets of this machine, named by a file.
 *
 * Descriptors are close-on-exec; a listening one and those accepted on it do not
 * block, one that was connected does.
 */
#ifndef MU_IO_UNIXSOCK_H
#define MU_IO_UNIXSOCK_H

#include <muster/types.h>

#include <sys/types.h>

/* Listen at an absolute path; a missing directory is made (0755), the file has
 * exactly this mode from its first moment. What an ended process left there is
 * replaced. MU_ECONFIG: not absolute, or too long; MU_EFULL: somebody listens
 * there; MU_EIO: something else is there, or the system refuses. Each with a
 * sentence. */
int mu_unix_listen(const char *path, unsigned mode, int *fd,
                   struct mu_err *err);
/* Close it and remove the file. */
void mu_unix_unlisten(const char *path, int fd);

struct mu_unix_peer {
	uid_t uid;
	pid_t pid;
};
/* MU_EAGAIN: nobody waits; MU_EIO: not now (too many descriptors). */
int mu_unix_accept(int listening, int *fd, struct mu_unix_peer *peer);

/* MU_ENONODE: there is no such file; MU_EGONE: nobody listens there; MU_ENOAUTH;
 * MU_EIO. Each with a sentence that begins with the path. */
int mu_unix_connect(const char *path, int *fd, struct mu_err *err);

#endif /* MU_IO_UNIXSOCK_H */
