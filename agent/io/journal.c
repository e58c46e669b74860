/* The journal that keeps nothing but the epoch. One thread, the loop's. */
#include "journal.h"

#include "bug.h"
#include "err.h"
#include "files.h"
#include "mem.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EPOCH_FILE_MAX 256u /* bytes */
#define EPOCH_HEAD "muster-epoch "

struct memory_journal {
	struct mu_journal face; /* first: what callers hold */
	int lock_fd;
	uint64_t appended; /* index of the last command taken */
	uint64_t durable;
};

static int memory_append(struct mu_journal *j, uint64_t index,
                         const void *command, size_t len, struct mu_err *err)
{
	struct memory_journal *m = (struct memory_journal *)j;

	(void)command, (void)len, (void)err;
	MU_BUG_ON(index != m->appended + 1);
	m->appended = index;
	return 0;
}

static int memory_flush(struct mu_journal *j, struct mu_err *err)
{
	struct memory_journal *m = (struct memory_journal *)j;

	(void)err;
	m->durable = m->appended;
	return 0;
}

static uint64_t memory_durable(const struct mu_journal *j)
{
	return ((const struct memory_journal *)j)->durable;
}

static int memory_fd(const struct mu_journal *j)
{
	(void)j;
	return -1;
}

static void memory_close(struct mu_journal *j)
{
	close(((struct memory_journal *)j)->lock_fd);
	mu_free(j);
}

/* ---- the epoch -------------------------------------------------------------- */

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
	                       MU_JOURNAL_VERSION, (unsigned long)epoch);

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
	if (*end == '\n' && version > MU_JOURNAL_VERSION)
		return mu_err(err, MU_EDATA,
		              "%s was written by a newer muster-broker (format "
		              "%lu, this one knows %d): install that version",
		              path, version, MU_JOURNAL_VERSION);
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

static int epoch_raise(const char *path, uint32_t *epoch, struct mu_err *err)
{
	char text[EPOCH_FILE_MAX];
	uint32_t old;
	int rc = epoch_read(path, &old, err);

	if (rc)
		return rc;
	if (old == INT32_MAX)
		return mu_err(
			err, MU_EDATA,
			"the epoch in %s cannot grow any more: start with "
			"an empty directory, and every client takes this "
			"broker for a new one",
			path);
	rc = mu_file_replace(path, text,
	                     epoch_encode(text, sizeof text, old + 1), 0644,
	                     err);
	if (rc)
		return rc;
	*epoch = old + 1;
	return 0;
}

static const struct mu_journal memory_face = {
	.append = memory_append,
	.flush = memory_flush,
	.durable = memory_durable,
	.fd = memory_fd,
	.close = memory_close,
};

int mu_journal_memory_open(const char *dir, struct mu_journal **out,
                           struct mu_err *err)
{
	char lock[PATH_MAX], epoch[PATH_MAX];
	struct memory_journal *m;
	int rc;

	if (strlen(dir) + sizeof "/epoch" > sizeof epoch)
		return mu_err(err, MU_EIO, "the name %.64s... is too long",
		              dir);
	mu_format(lock, sizeof lock, "%s/lock", dir);
	mu_format(epoch, sizeof epoch, "%s/epoch", dir);
	m = mu_alloc(sizeof *m);
	if (!m)
		return mu_err(err, MU_ENOMEM, "no memory left for a journal");
	m->face = memory_face;
	rc = mu_dir_make(dir, 0750, err);
	if (rc)
		goto undo_alloc;
	rc = mu_file_lock(lock, &m->lock_fd, err);
	if (rc)
		goto undo_alloc;
	rc = epoch_raise(epoch, &m->face.epoch, err);
	if (rc)
		goto undo_lock;
	*out = &m->face;
	return 0;
undo_lock:
	close(m->lock_fd);
undo_alloc:
	mu_free(m);
	return rc;
}
