#include "epoch.h"

#include "err.h"
#include "files.h"
#include "mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_FILE_MAX 256u /* bytes */
#define EPOCH_HEAD "muster-epoch "

/* CRC-32 as in zip and Ethernet, bit by bit: it is for twenty bytes. */
static uint32_t crc32_of(const char *p, size_t len)
{
	uint32_t crc = 0xffffffffu;

	while (len-- > 0) {
		crc ^= (uint8_t)*p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static size_t epoch_encode(char *out, size_t room, uint32_t epoch)
{
	size_t len = mu_format(out, room, EPOCH_HEAD "%d\n%lu\n",
	                       MU_EPOCH_VERSION, (unsigned long)epoch);

	return len + mu_format(out + len, room - len, "crc32 %08lx\n",
	                       (unsigned long)crc32_of(out, len));
}

static int epoch_damaged(const char *path, struct mu_err *err)
{
	return mu_err(err, MU_EDATA,
	              "%s is damaged: put it back from a backup, or delete it "
	              "and every client takes this broker for a new one",
	              path);
}

/* Good is what encodes to the same bytes again. */
static int epoch_decode(const char *path, const char *text, size_t len,
                        uint32_t *epoch, struct mu_err *err)
{
	char again[EPOCH_FILE_MAX], *end;
	unsigned long version, number;

	if (strncmp(text, EPOCH_HEAD, strlen(EPOCH_HEAD)) != 0)
		return epoch_damaged(path, err);
	version = strtoul(text + strlen(EPOCH_HEAD), &end, 10);
	if (*end == '\n' && version > MU_EPOCH_VERSION)
		return mu_err(err, MU_EDATA,
		              "%s was written by a newer muster-broker (format "
		              "%lu, this one knows %d): install that version",
		              path, version, MU_EPOCH_VERSION);
	number = strtoul(end, NULL, 10);
	if (number == 0 || number > INT32_MAX)
		return epoch_damaged(path, err);
	if (epoch_encode(again, sizeof again, (uint32_t)number) != len ||
	    memcmp(again, text, len) != 0)
		return epoch_damaged(path, err);
	*epoch = (uint32_t)number;
	return 0;
}

/* 0 when there is no file yet. */
static int epoch_read(const char *path, uint32_t *epoch, struct mu_err *err)
{
	char *text;
	size_t len;
	int rc = mu_file_read(path, EPOCH_FILE_MAX - 1, &text, &len, err);

	*epoch = 0;
	if (rc == MU_ENONODE)
		return 0;
	if (rc == MU_ETOOBIG)
		return epoch_damaged(path, err);
	if (rc)
		return rc;
	rc = epoch_decode(path, text, len, epoch, err);
	mu_free(text);
	return rc;
}

/* DIR/name; MU_EIO where that is too long. */
static int path_in(char out[PATH_MAX], const char *dir, const char *name,
                   struct mu_err *err)
{
	if (strlen(dir) + strlen(name) + 2 > PATH_MAX)
		return mu_err(err, MU_EIO, "the name %.64s... is too long",
		              dir);
	mu_format(out, PATH_MAX, "%s/%s", dir, name);
	return 0;
}

int mu_data_lock(const char *dir, int *fd, struct mu_err *err)
{
	char path[PATH_MAX];
	int rc = path_in(path, dir, "lock", err);

	if (rc == 0)
		rc = mu_dir_make(dir, 0750, err);
	return rc ? rc : mu_file_lock(path, fd, err);
}

int mu_epoch_look(const char *dir, uint32_t *epoch, struct mu_err *err)
{
	char path[PATH_MAX];
	int rc = path_in(path, dir, "epoch", err);

	return rc ? rc : epoch_read(path, epoch, err);
}

int mu_epoch_raise(const char *dir, uint32_t at_least, uint32_t *epoch,
                   struct mu_err *err)
{
	char path[PATH_MAX], text[EPOCH_FILE_MAX];
	uint32_t old;
	int rc = path_in(path, dir, "epoch", err);

	if (rc == 0)
		rc = epoch_read(path, &old, err);
	if (rc)
		return rc;
	if (old == INT32_MAX || at_least > INT32_MAX)
		return mu_err(
			err, MU_EDATA,
			"the epoch in %s cannot grow any more: start with "
			"an empty directory, and every client takes this "
			"broker for a new one",
			path);
	old = old + 1 < at_least ? at_least : old + 1;
	rc = mu_file_replace(path, text, epoch_encode(text, sizeof text, old),
	                     0644, err);
	if (rc == 0)
		*epoch = old;
	return rc;
}
