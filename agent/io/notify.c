/* notify.c - one datagram to NOTIFY_SOCKET. */
#include "notify.h"

#include <muster/types.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int mu_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t len;
	ssize_t sent;
	int fd;

	if (!path || !*path)
		return 0;
	len = strlen(path);
	if (len >= sizeof at.sun_path || (*path != '/' && *path != '@'))
		return MU_EIO;
	memcpy(at.sun_path, path, len);
	if (*path == '@')
		at.sun_path[0] = '\0'; /* an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return MU_EIO;
	sent = sendto(
		fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&at,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
	return sent < 0 ? MU_EIO : 0;
}

/* sd_watchdog_enabled(3): the two are inherited, so a pid says whom they mean. */
uint32_t mu_notify_watchdog_ms(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long ms;

	if (!us || (pid && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	ms = strtoull(us, NULL, 10) / 1000;
	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}
