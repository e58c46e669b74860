#include "ctl.h"

#include "cli.h"

#include "err.h"
#include "tty.h"
#include "unixsock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_ROOM 1024u
#define TEXT_MAX (16u << 20)

static const char *socket_path(const struct cli *cli)
{
	const char *given = cli_given(cli, "control");

	return given ? given : CTL_PATH_DEFAULT;
}

static int refused(struct cli *cli, int rc, const struct mu_err *err)
{
	char text[MU_ERR_MSG_MAX];
	const char *hint = "";

	if (rc == MU_ENOAUTH)
		hint = "; only root and the broker's own user may";
	else if (rc != MU_EIO && rc != MU_ECONFIG)
		hint = "; does the broker run, and is this its \"control\"?";
	mu_format(text, sizeof text, "%.400s%s", err->msg, hint);
	cli_fail(cli, rc, text);
	return rc == MU_ECONFIG   ? CLI_USAGE
	       : rc == MU_ENOAUTH ? CLI_FAILED
	                          : CLI_NO_BROKER;
}

int ctl_open(struct cli *cli, struct ctl *c, const char *line)
{
	struct mu_err err = { 0, "" };
	int rc;

	c->cli = cli;
	c->fd = -1;
	c->told = false;
	c->at = c->len = 0;
	c->path = socket_path(cli);
	rc = mu_unix_connect(c->path, &c->fd, &err);
	if (rc) {
		c->fd = -1;
		return refused(cli, rc, &err);
	}
	/* Nothing read from it is lost: what it says last comes first. */
	(void)ctl_send(c, line, strlen(line));
	return CLI_OK;
}

static void end_progress(struct ctl *c)
{
	if (c->told)
		fputc('\n', stderr);
	c->told = false;
}

void ctl_close(struct ctl *c)
{
	end_progress(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* ---- moving bytes --------------------------------------------------------------- */

/* Wait until it can be read or written. False: --timeout has passed. */
static bool await(const struct ctl *c, short events)
{
	struct pollfd p = { c->fd, events, 0 };
	int n;

	do
		n = poll(&p, 1, (int)c->cli->timeout_ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static int broken(struct ctl *c, const char *why)
{
	char text[MU_ERR_MSG_MAX];

	end_progress(c);
	mu_format(text, sizeof text, "%.300s: %s", c->path, why);
	cli_fail(c->cli, MU_ECONNLOSS, text);
	return CLI_NO_BROKER;
}

/* Read more behind what is there. */
static int read_more(struct ctl *c)
{
	ssize_t n;

	if (c->at == c->len)
		c->at = c->len = 0;
	if (c->len == sizeof c->in) {
		memmove(c->in, c->in + c->at, c->len - c->at);
		c->len -= c->at;
		c->at = 0;
	}
	if (!await(c, POLLIN))
		return broken(c, "the broker does not answer");
	do
		n = recv(c->fd, c->in + c->len, sizeof c->in - c->len, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return broken(c, "the broker has closed the connection");
	c->len += (size_t)n;
	return CLI_OK;
}

int ctl_some(struct ctl *c, const char **p, size_t *len)
{
	int rc = c->at == c->len ? read_more(c) : CLI_OK;

	if (rc)
		return rc;
	*p = c->in + c->at;
	*len = c->len - c->at;
	c->at = c->len;
	return CLI_OK;
}

int ctl_text(struct ctl *c, uint64_t len, char **out)
{
	size_t done = 0;
	char *text = len <= TEXT_MAX ? malloc((size_t)len + 1) : NULL;

	if (!text)
		return cli_fail(c->cli, MU_ENOMEM, NULL);
	while (done < len) {
		const char *p;
		size_t n;
		int rc = ctl_some(c, &p, &n);

		if (rc) {
			free(text);
			return rc;
		}
		if (n > len - done)
			n = (size_t)(len - done);
		memcpy(text + done, p, n);
		done += n;
	}
	text[done] = '\0';
	*out = text;
	return CLI_OK;
}

int ctl_send(struct ctl *c, const void *p, size_t len)
{
	const char *at = p;

	while (len > 0) {
		ssize_t n;

		if (!await(c, POLLOUT))
			return broken(c, "the broker takes nothing");
		n = send(c->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return CLI_NO_BROKER;
		at += n;
		len -= (size_t)n;
	}
	return CLI_OK;
}

/* ---- lines ------------------------------------------------------------------------ */

static int line(struct ctl *c, char out[LINE_ROOM])
{
	char *end;
	size_t n;

	while (!(end = memchr(c->in + c->at, '\n', c->len - c->at))) {
		int rc = c->len - c->at < LINE_ROOM ? read_more(c) : CLI_FAILED;

		if (rc)
			return rc == CLI_FAILED ? broken(c, "no broker answers "
			                                    "there")
			                        : rc;
	}
	n = (size_t)(end - (c->in + c->at));
	if (n >= LINE_ROOM)
		return broken(c, "no broker answers there");
	memcpy(out, c->in + c->at, n);
	out[n] = '\0';
	c->at += n + 1;
	return CLI_OK;
}

static void tell(struct ctl *c, const char *text)
{
	if (!mu_tty_is(2))
		return;
	fprintf(stderr, "\r%s\033[K", text);
	fflush(stderr);
	c->told = true;
}

void ctl_tell_bytes(struct ctl *c, const char *doing, uint64_t done,
                    uint64_t total)
{
	const double mib = 1048576;
	char text[128];

	snprintf(text, sizeof text, "%s %.1f of %.1f MiB", doing,
	         (double)done / mib, (double)total / mib);
	tell(c, text);
}

/* "error -111 sentence" */
static int take_error(struct ctl *c, const char *text)
{
	char *sentence;
	long code = strtol(text, &sentence, 10);

	end_progress(c);
	if (*sentence == ' ')
		sentence++;
	return cli_fail(c->cli, code < 0 ? (int)code : MU_EPROTO, sentence);
}

/* The next line that is not progress; an error is printed. */
static int next(struct ctl *c, char text[LINE_ROOM])
{
	for (;;) {
		int rc = line(c, text);

		if (rc)
			return rc;
		if (strncmp(text, "progress ", 9) == 0)
			tell(c, text + 9);
		else if (strncmp(text, "error ", 6) == 0)
			return take_error(c, text + 6);
		else
			return CLI_OK;
	}
}

int ctl_answer(struct ctl *c, uint64_t *len)
{
	char text[LINE_ROOM], *end;
	int rc = next(c, text);

	if (rc)
		return rc;
	end_progress(c);
	if (strncmp(text, "ok ", 3) != 0 || text[3] < '0' || text[3] > '9')
		return broken(c, "no broker answers there");
	*len = strtoull(text + 3, &end, 10);
	return *end ? broken(c, "no broker answers there") : CLI_OK;
}

int ctl_ready(struct ctl *c)
{
	char text[LINE_ROOM];
	int rc = next(c, text);

	if (rc)
		return rc;
	return strcmp(text, "ready") == 0
	               ? CLI_OK
	               : broken(c, "no broker answers there");
}
