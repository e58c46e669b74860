/* The journal that keeps nothing but the epoch. One thread, the loop's. */
#include "bug.h"
#include "epoch.h"
#include "err.h"
#include "journal.h"
#include "mem.h"

#include <unistd.h>

struct memory_journal {
	struct mu_journal face; /* first: what callers hold */
	int lock_fd;
	uint64_t appended; /* index of the last command taken */
	uint64_t durable;
	uint64_t batches, bytes, waiting_bytes;
};

static int memory_append(struct mu_journal *j, uint64_t index,
                         const void *command, size_t len, struct mu_err *err)
{
	struct memory_journal *m = (struct memory_journal *)j;

	(void)command, (void)err;
	MU_BUG_ON(index != m->appended + 1);
	m->appended = index;
	m->waiting_bytes += len;
	return 0;
}

static int memory_flush(struct mu_journal *j, struct mu_err *err)
{
	struct memory_journal *m = (struct memory_journal *)j;

	(void)err;
	m->batches += m->durable != m->appended;
	m->bytes += m->waiting_bytes;
	m->waiting_bytes = 0;
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

static uint64_t memory_settle(struct mu_journal *j)
{
	memory_flush(j, NULL);
	return memory_durable(j);
}

static int memory_trouble(const struct mu_journal *j, struct mu_err *err)
{
	(void)j, (void)err;
	return 0;
}

static void memory_purge(struct mu_journal *j, uint64_t upto)
{
	(void)j, (void)upto;
}

static void memory_stats(const struct mu_journal *j,
                         struct mu_journal_stats *out)
{
	const struct memory_journal *m = (const struct memory_journal *)j;

	*out = (struct mu_journal_stats){ .batches = m->batches,
		                          .bytes = m->bytes,
		                          .waiting_bytes = m->waiting_bytes };
}

static void memory_close(struct mu_journal *j)
{
	close(((struct memory_journal *)j)->lock_fd);
	mu_free(j);
}

static const struct mu_journal memory_face = {
	.append = memory_append,
	.flush = memory_flush,
	.durable = memory_durable,
	.fd = memory_fd,
	.settle = memory_settle,
	.trouble = memory_trouble,
	.purge = memory_purge,
	.stats = memory_stats,
	.close = memory_close,
};

int mu_journal_memory_open(const char *dir, struct mu_journal **out,
                           struct mu_err *err)
{
	struct memory_journal *m = mu_alloc(sizeof *m);
	int rc;

	if (!m)
		return mu_err(err, MU_ENOMEM, "no memory left for a journal");
	m->face = memory_face;
	rc = mu_data_lock(dir, &m->lock_fd, err);
	if (rc)
		goto undo_alloc;
	rc = mu_epoch_raise(dir, 0, &m->face.epoch, err);
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
