/* cmd_restore.c - muster restore: a backup into a broker that is empty. */
#include "cli.h"
#include "commands.h"
#include "ctl.h"

#include "err.h"
#include "zst.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct restore {
	struct cli *cli;
	struct ctl ctl;
	int fd;
	const char *name;
	uint64_t total, done;
	char last;  /* byte that was unpacked, once there is one */
	int rc;     /* of sending: an exit code */
	size_t len; /* bytes in chunk */
	char chunk[64 * 1024];
};

static int fail_file(const struct restore *b, const char *why)
{
	char text[MU_ERR_MSG_MAX];

	mu_format(text, sizeof text,
	          "%.300s: %s; is it whole, and what `muster backup` "
	          "wrote?",
	          b->name, why);
	return cli_fail(b->cli, MU_EDATA, text);
}

static int cannot_open(const struct restore *b)
{
	char text[MU_ERR_MSG_MAX];

	mu_format(text, sizeof text, "cannot open %.300s: %s", b->name,
	          strerror(errno));
	return cli_fail(b->cli, MU_EIO, text);
}

/* The next bytes of the file into the chunk; none: its end. An exit code. */
static int load(struct restore *b)
{
	ssize_t n;

	do
		n = read(b->fd, b->chunk + b->len, sizeof b->chunk - b->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail_file(b, strerror(errno));
	b->len += (size_t)n;
	return CLI_OK;
}

/* Unpack all of the file into the sink. An exit code. */
static int unpack(struct restore *b, mu_zst_sink_fn *sink)
{
	struct mu_err err = { 0, "" };
	struct mu_zst *z;
	int rc, exit = CLI_OK;

	if (mu_zst_unpack_new(&z))
		return cli_fail(b->cli, MU_ENOMEM, NULL);
	while (b->len > 0 && exit == CLI_OK) {
		rc = mu_zst_feed(z, b->chunk, b->len, sink, b, &err);
		b->len = 0;
		if (rc)
			exit = b->rc ? b->rc : fail_file(b, err.msg);
		else
			exit = load(b);
	}
	if (exit == CLI_OK && mu_zst_done(z, sink, b, &err))
		exit = fail_file(b, err.msg);
	mu_zst_free(z);
	return exit;
}

static int drop(void *arg, const void *p, size_t len)
{
	(void)arg, (void)p, (void)len;
	return 0;
}

static int send_some(struct restore *b, const void *p, size_t len)
{
	if (b->rc == CLI_OK && len > 0)
		b->rc = ctl_send(&b->ctl, p, len);
	return b->rc ? MU_EGONE : 0;
}

/* The last byte is kept back until zstd has found its checksum right: without it
 * the broker begins on nothing. */
static int to_broker(void *arg, const void *p, size_t len)
{
	struct restore *b = arg;

	if (send_some(b, &b->last, b->done > 0) || send_some(b, p, len - 1))
		return MU_EGONE;
	b->last = ((const char *)p)[len - 1];
	b->done += len;
	ctl_tell_bytes(&b->ctl, "restore", b->done, b->total);
	return 0;
}

/* The head of the file says how much there is. */
static int begin(struct restore *b)
{
	struct mu_err err;
	int rc = CLI_OK;
	size_t before;

	b->len = 0;
	do {
		before = b->len;
		rc = load(b);
	} while (rc == CLI_OK && b->len > before && b->len < MU_ZST_HEAD);
	if (rc == CLI_OK && mu_zst_total(b->chunk, b->len, &b->total, &err))
		rc = fail_file(b, err.msg);
	return rc;
}

/* A file is read twice, so that a broker is not begun on with a broken one. */
static int check(struct restore *b)
{
	struct stat st;
	int rc;

	if (fstat(b->fd, &st) || !S_ISREG(st.st_mode))
		return CLI_OK;
	rc = begin(b);
	if (rc == CLI_OK)
		rc = unpack(b, drop);
	if (rc == CLI_OK && lseek(b->fd, 0, SEEK_SET) < 0)
		rc = fail_file(b, strerror(errno));
	return rc;
}

static int send_all(struct restore *b)
{
	char line[64], *text;
	uint64_t len;
	int rc;

	mu_format(line, sizeof line, "restore %llu\n",
	          (unsigned long long)b->total);
	rc = ctl_open(b->cli, &b->ctl, line);
	if (rc == CLI_OK)
		rc = ctl_ready(&b->ctl);
	if (rc)
		return rc;
	rc = unpack(b, to_broker);
	if (rc && !b->rc)
		return rc; /* the file; the broker drops what it has */
	(void)send_some(b, &b->last, b->done > 0);
	rc = ctl_answer(&b->ctl, &len); /* also why it took no more */
	if (rc == CLI_OK)
		rc = ctl_text(&b->ctl, len, &text);
	if (rc)
		return rc;
	if (text[0])
		puts(text);
	free(text);
	return CLI_OK;
}

static int restore(struct restore *b)
{
	int rc = check(b);

	if (rc == CLI_OK)
		rc = begin(b);
	if (rc)
		return rc;
	rc = send_all(b);
	ctl_close(&b->ctl);
	return rc;
}

int cmd_restore(struct cli *cli)
{
	struct restore *b = calloc(1, sizeof *b);
	int rc;

	if (!b)
		return cli_fail(cli, MU_ENOMEM, NULL);
	b->cli = cli;
	b->name = cli->argv[0];
	b->ctl.fd = -1;
	if (strcmp(b->name, "-") == 0) {
		b->name = "standard input";
		b->fd = 0;
	} else {
		b->fd = open(b->name, O_RDONLY | O_CLOEXEC);
	}
	rc = b->fd < 0 ? cannot_open(b) : restore(b);
	if (b->fd > 0)
		close(b->fd);
	free(b);
	return rc;
}
