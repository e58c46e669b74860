#include "tty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_FALLBACK 80
#define WIDTH_MAX 10000

bool mu_tty_is(int fd)
{
	return isatty(fd);
}

bool mu_tty_colour(int fd)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	/* no-color.org: set and not empty. */
	if (no && no[0])
		return false;
	if (!term || !term[0] || strcmp(term, "dumb") == 0)
		return false;
	return mu_tty_is(fd);
}

int mu_tty_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long n;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	n = columns ? strtol(columns, NULL, 10) : 0;
	return n > 0 && n <= WIDTH_MAX ? (int)n : WIDTH_FALLBACK;
}

/* The first characters of one line; the rest of it is read and dropped. False
 * at the end of the input. */
static bool read_line(int fd, char *out, size_t room)
{
	size_t len = 0;
	char c;

	for (;;) {
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		if (c == '\n')
			break;
		if (len < room - 1)
			out[len++] = c;
	}
	out[len] = '\0';
	return true;
}

/* Not stdin, which may be what is piped in. */
bool mu_tty_ask(const char *question)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	char answer[8];
	bool yes;

	if (fd < 0)
		return false;
	yes = dprintf(fd, "%s [y/N] ", question) > 0 &&
	      read_line(fd, answer, sizeof answer) &&
	      (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
	close(fd);
	return yes;
}
