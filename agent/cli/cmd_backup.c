/* cmd_backup.c - muster backup: the broker's whole state in a file. */
#include "cli.h"
#include "commands.h"
#include "ctl.h"

#include "err.h"
#include "savefile.h"
#include "tty.h"
#include "zst.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MODE 0600 /* everything is in it, whatever ACLs say */

struct backup {
	struct cli *cli;
	struct ctl ctl;
	int fd;
	const char *name;
	uint64_t total;         /* bytes of the snapshot */
	uint64_t packed, count; /* written; read back */
	int error;              /* errno of a write */
};

static int fail_file(const struct backup *b, const char *doing, const char *why)
{
	char text[MU_ERR_MSG_MAX];

	mu_format(text, sizeof text, "cannot %s %.300s: %s", doing, b->name,
	          why);
	return cli_fail(b->cli, MU_EIO, text);
}

/* ---- writing -------------------------------------------------------------------- */

static int to_file(void *arg, const void *p, size_t len)
{
	struct backup *b = arg;
	const char *at = p;

	b->packed += len;
	while (len > 0) {
		ssize_t n = write(b->fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			b->error = errno;
			return MU_EIO;
		}
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int pack_failed(const struct backup *b, const struct mu_err *err)
{
	if (b->error)
		return fail_file(b, "write", strerror(b->error));
	return cli_fail(b->cli, err->code, err->msg);
}

/* What the broker sends, packed. */
static int pack(struct backup *b, struct mu_zst *z)
{
	struct mu_err err = { 0, "" };
	uint64_t left = b->total;
	int rc = CLI_OK;

	while (left > 0 && rc == CLI_OK) {
		const char *p;
		size_t n;

		rc = ctl_some(&b->ctl, &p, &n);
		if (rc)
			return rc;
		if (n > left)
			n = (size_t)left;
		left -= n;
		if (mu_zst_feed(z, p, n, to_file, b, &err))
			return pack_failed(b, &err);
		ctl_tell_bytes(&b->ctl, "backup", b->total - left, b->total);
	}
	if (mu_zst_done(z, to_file, b, &err))
		return pack_failed(b, &err);
	return CLI_OK;
}

/* ---- reading back --------------------------------------------------------------- */

static int count_bytes(void *arg, const void *p, size_t len)
{
	struct backup *b = arg;

	(void)p;
	b->count += len;
	return 0;
}

static int read_back(struct backup *b, struct mu_zst *z, struct mu_err *err)
{
	static char chunk[64 * 1024];
	off_t at = 0;
	int rc = 0;

	while (rc == 0) {
		ssize_t n = pread(b->fd, chunk, sizeof chunk, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mu_err(err, MU_EIO, "%s", strerror(errno));
		if (n == 0)
			break;
		at += n;
		rc = mu_zst_feed(z, chunk, (size_t)n, count_bytes, b, err);
	}
	if (rc == 0)
		rc = mu_zst_done(z, count_bytes, b, err);
	if (rc == 0 && b->count != b->total)
		rc = mu_err(err, MU_EDATA, "it has not as many bytes as came");
	return rc;
}

/* From the disk, if the system lets go of what it remembers. */
static int check(struct backup *b)
{
	struct mu_err err = { 0, "" };
	struct mu_zst *z;
	int rc;

	if (fsync(b->fd) && errno != EINVAL)
		return fail_file(b, "write", strerror(errno));
	posix_fadvise(b->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (mu_zst_unpack_new(&z))
		return cli_fail(b->cli, MU_ENOMEM, NULL);
	rc = read_back(b, z, &err);
	mu_zst_free(z);
	return rc ? fail_file(b, "read back", err.msg) : CLI_OK;
}

/* ---- the command ------------------------------------------------------------------ */

static int receive(struct backup *b)
{
	struct mu_zst *z;
	int rc = ctl_open(b->cli, &b->ctl, "backup\n");

	if (rc == CLI_OK)
		rc = ctl_answer(&b->ctl, &b->total);
	if (rc == CLI_OK && mu_zst_pack_new(b->total, &z))
		rc = cli_fail(b->cli, MU_ENOMEM, NULL);
	if (rc == CLI_OK) {
		rc = pack(b, z);
		mu_zst_free(z);
	}
	ctl_close(&b->ctl);
	return rc;
}

static void print_done(const struct backup *b)
{
	if (b->cli->json)
		printf("{\"bytes\":%llu,\"packed\":%llu}\n",
		       (unsigned long long)b->total,
		       (unsigned long long)b->packed);
	else
		printf("%s: %llu bytes, packed %llu\n", b->name,
		       (unsigned long long)b->total,
		       (unsigned long long)b->packed);
}

static int to_stdout(struct backup *b)
{
	if (mu_tty_is(1))
		return cli_usage(b->cli, "a backup is not for a terminal");
	b->fd = 1;
	b->name = "standard output";
	return receive(b);
}

static int to_path(struct backup *b)
{
	const bool force = cli_given(b->cli, "force") != NULL;
	struct mu_savefile *s;
	struct mu_err err;
	int rc = mu_savefile_open(b->name, force, FILE_MODE, &s, &err);
	char text[MU_ERR_MSG_MAX];

	if (rc == MU_EEXISTS) {
		mu_format(text, sizeof text, "%.400s; --force replaces it",
		          err.msg);
		return cli_fail(b->cli, rc, text);
	}
	if (rc)
		return cli_fail(b->cli, rc, err.msg);
	b->fd = mu_savefile_fd(s);
	rc = receive(b);
	if (rc == CLI_OK)
		rc = check(b);
	if (rc) {
		mu_savefile_abort(s);
		return rc;
	}
	rc = mu_savefile_commit(s, &err);
	if (rc)
		return cli_fail(b->cli, rc, err.msg);
	print_done(b);
	return CLI_OK;
}

int cmd_backup(struct cli *cli)
{
	struct backup *b = calloc(1, sizeof *b);
	int rc;

	if (!b)
		return cli_fail(cli, MU_ENOMEM, NULL);
	b->cli = cli;
	b->name = cli->argv[0];
	rc = strcmp(b->name, "-") == 0 ? to_stdout(b) : to_path(b);
	free(b);
	return rc;
}
