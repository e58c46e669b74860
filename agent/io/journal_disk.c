/*
 * The journal in segments. The loop gathers; a thread of its own takes what was
 * gathered, writes and syncs it, and the loop gathers the next meanwhile. All
 * that both touch is under one mutex, which nobody holds while the disk works.
 */
#include "bug.h"
#include "clock.h"
#include "err.h"
#include "journal.h"
#include "logrec.h"
#include "mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define KEEP_BYTES (4u << 20) /* a larger buffer is given back when empty */
#define MEND_S 1              /* between two tries while there is trouble */

struct disk_journal {
	struct mu_journal face; /* first: what callers hold */
	struct mu_disk *disk;   /* owned */
	struct mu_segments *segments;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work; /* there is something for the thread to do */
	pthread_cond_t idle; /* a batch came to its end */
	int efd;
	uint32_t term;
	uint64_t waiting_max;
	_Atomic uint64_t durable;

	/* The loop's. */
	uint64_t appended; /* index of the last command taken */

	/* The thread's. */
	struct mu_buf batch;

	/* Under the lock. */
	struct mu_buf gathered;
	size_t writing; /* bytes of the batch that the thread writes */
	bool flushed;   /* what is gathered is to be written */
	bool stop;
	/* A batch failed: what was appended since then is lost, and the loop
	 * has not begun again at durable + 1. */
	bool failed;
	struct mu_err why; /* of the last failure */
	int trouble;       /* its code, until something is written again */
	uint64_t purge_to; /* 0: nothing to do */
	struct mu_journal_stats stats;
};

/* ---- the thread ----------------------------------------------------------------- */

static void tell(const struct disk_journal *d)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(d->efd, &one, sizeof one);
	while (n < 0 && errno == EINTR);
}

/* Under the lock: what the segments tell about themselves. */
static void look(struct disk_journal *d)
{
	struct mu_segments_stats s;

	mu_segments_stats(d->segments, &s);
	d->stats.segments = s.segments;
	d->stats.disk_bytes = s.disk_bytes;
	d->stats.first = s.first;
	d->stats.syncs = s.syncs;
	d->stats.bytes = s.bytes;
}

/* Under the lock: a call that writes has ended. */
static void ended(struct disk_journal *d, int rc, const struct mu_err *err)
{
	const uint64_t durable = mu_segments_durable(d->segments);
	const bool news = durable != d->durable || rc != d->trouble;

	d->durable = durable;
	d->trouble = rc;
	if (rc)
		d->why = *err;
	look(d);
	if (news)
		tell(d);
	pthread_cond_broadcast(&d->idle);
}

static void buf_empty(struct mu_buf *b)
{
	mu_buf_reset(b);
	if (b->room > KEEP_BYTES)
		mu_buf_fini(b);
}

static void write_batch(struct disk_journal *d)
{
	const struct mu_buf batch = d->gathered;
	struct mu_err err;
	uint64_t took;
	int rc;

	d->gathered = d->batch;
	d->batch = batch;
	d->writing = batch.len;
	d->flushed = false;
	pthread_mutex_unlock(&d->lock);
	took = mu_clock_mono_us();
	rc = mu_segments_write(d->segments, d->batch.data, d->batch.len, &err);
	took = mu_clock_mono_us() - took;
	buf_empty(&d->batch);
	pthread_mutex_lock(&d->lock);
	d->writing = 0;
	d->stats.batches++;
	d->stats.sync_last_us = took;
	if (took > d->stats.sync_max_us)
		d->stats.sync_max_us = took;
	if (rc) { /* what was gathered since then stands on what failed */
		d->failed = true;
		buf_empty(&d->gathered);
		d->flushed = false;
	}
	ended(d, rc, &err);
}

static void write_purge(struct disk_journal *d)
{
	const uint64_t upto = d->purge_to;
	struct mu_err err;
	int rc;

	d->purge_to = 0;
	pthread_mutex_unlock(&d->lock);
	rc = mu_segments_purge(d->segments, upto, &err);
	pthread_mutex_lock(&d->lock);
	/* A file that cannot be removed now is tried again the next time. */
	if (rc == MU_EDATA)
		ended(d, rc, &err);
	look(d);
}

static void write_mend(struct disk_journal *d)
{
	struct mu_err err;
	int rc;

	pthread_mutex_unlock(&d->lock);
	rc = mu_segments_mend(d->segments, &err);
	pthread_mutex_lock(&d->lock);
	ended(d, rc, &err);
}

static bool has_batch(const struct disk_journal *d)
{
	return d->flushed && d->gathered.len > 0;
}

/* Until there is something to do; true: it is time to try again. */
static bool wait_work(struct disk_journal *d)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += MEND_S;
	while (!d->stop && !has_batch(d) && !d->purge_to && rc == 0) {
		if (d->trouble && d->trouble != MU_EDATA)
			rc = pthread_cond_timedwait(&d->work, &d->lock, &until);
		else
			rc = pthread_cond_wait(&d->work, &d->lock);
	}
	return rc == ETIMEDOUT;
}

static void *run(void *arg)
{
	struct disk_journal *d = arg;

	pthread_mutex_lock(&d->lock);
	for (;;) {
		const bool mend = wait_work(d);

		if (has_batch(d))
			write_batch(d);
		else if (d->stop)
			break;
		else if (d->purge_to)
			write_purge(d);
		else if (mend)
			write_mend(d);
	}
	pthread_mutex_unlock(&d->lock);
	/* At worst the next start finds the last segment unfinished. */
	mu_segments_finish(d->segments, NULL);
	return NULL;
}

/* ---- the face ------------------------------------------------------------------- */

static struct disk_journal *of(const struct mu_journal *j)
{
	return (struct disk_journal *)j;
}

/* Under the lock: the loop begins again. */
static void begin_again(struct disk_journal *d)
{
	d->failed = false;
	d->appended = d->durable;
}

static int append_locked(struct disk_journal *d, uint64_t index,
                         const void *command, size_t len, struct mu_err *err)
{
	const size_t waiting = d->gathered.len + d->writing;
	int rc;

	if (d->failed && index == d->durable + 1 && d->trouble != MU_EDATA)
		begin_again(d);
	if (d->failed)
		return mu_err(err, d->why.code, "%s", d->why.msg);
	MU_BUG_ON(index != d->appended + 1);
	if (waiting > 0 && waiting + mu_log_size(len) > d->waiting_max)
		return mu_err(err, MU_EFULL,
		              "%zu bytes wait for the journal's disk: as many "
		              "as may (waiting_max)",
		              waiting);
	rc = mu_log_put(&d->gathered, d->term, index, command, len);
	if (rc)
		return mu_err(err, rc,
		              "the journal cannot take a command of %zu bytes",
		              len);
	d->appended = index;
	return 0;
}

static int disk_append(struct mu_journal *j, uint64_t index,
                       const void *command, size_t len, struct mu_err *err)
{
	struct disk_journal *d = of(j);
	int rc;

	pthread_mutex_lock(&d->lock);
	rc = append_locked(d, index, command, len, err);
	pthread_mutex_unlock(&d->lock);
	return rc;
}

/* Under the lock. */
static void start_batch(struct disk_journal *d)
{
	if (d->gathered.len == 0 || d->flushed)
		return;
	d->flushed = true;
	pthread_cond_signal(&d->work);
}

static int disk_flush(struct mu_journal *j, struct mu_err *err)
{
	struct disk_journal *d = of(j);
	int rc = 0;

	pthread_mutex_lock(&d->lock);
	if (d->failed)
		rc = mu_err(err, d->why.code, "%s", d->why.msg);
	else
		start_batch(d);
	pthread_mutex_unlock(&d->lock);
	return rc;
}

static uint64_t disk_durable(const struct mu_journal *j)
{
	uint64_t count;

	/* First this: what becomes durable now makes it readable again. */
	while (read(of(j)->efd, &count, sizeof count) < 0 && errno == EINTR)
		;
	return of(j)->durable;
}

static int disk_fd(const struct mu_journal *j)
{
	return of(j)->efd;
}

static uint64_t disk_settle(struct mu_journal *j)
{
	struct disk_journal *d = of(j);

	pthread_mutex_lock(&d->lock);
	start_batch(d);
	while (d->writing > 0 || d->gathered.len > 0)
		pthread_cond_wait(&d->idle, &d->lock);
	if (d->trouble != MU_EDATA)
		begin_again(d);
	pthread_mutex_unlock(&d->lock);
	return disk_durable(j);
}

static int disk_trouble(const struct mu_journal *j, struct mu_err *err)
{
	struct disk_journal *d = of(j);
	int rc;

	pthread_mutex_lock(&d->lock);
	rc = d->trouble ? mu_err(err, d->trouble, "%s", d->why.msg) : 0;
	pthread_mutex_unlock(&d->lock);
	return rc;
}

static void disk_purge(struct mu_journal *j, uint64_t upto)
{
	struct disk_journal *d = of(j);

	pthread_mutex_lock(&d->lock);
	if (upto > d->purge_to)
		d->purge_to = upto;
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
}

static void disk_stats(const struct mu_journal *j, struct mu_journal_stats *out)
{
	struct disk_journal *d = of(j);

	pthread_mutex_lock(&d->lock);
	*out = d->stats;
	out->waiting_bytes = d->gathered.len + d->writing;
	out->waiting_max = d->waiting_max;
	pthread_mutex_unlock(&d->lock);
}

static void sync_fini(struct disk_journal *d)
{
	pthread_cond_destroy(&d->idle);
	pthread_cond_destroy(&d->work);
	pthread_mutex_destroy(&d->lock);
}

static void disk_close(struct mu_journal *j)
{
	struct disk_journal *d = of(j);

	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	mu_segments_free(d->segments);
	d->disk->free(d->disk);
	close(d->efd);
	sync_fini(d);
	mu_buf_fini(&d->batch);
	mu_buf_fini(&d->gathered);
	mu_free(d);
}

static const struct mu_journal disk_face = {
	.append = disk_append,
	.flush = disk_flush,
	.durable = disk_durable,
	.fd = disk_fd,
	.settle = disk_settle,
	.trouble = disk_trouble,
	.purge = disk_purge,
	.stats = disk_stats,
	.close = disk_close,
	.keeps = true,
};

/* ---- opening -------------------------------------------------------------------- */

static void sync_init(struct disk_journal *d)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->work, &attr);
	pthread_cond_init(&d->idle, NULL);
	pthread_condattr_destroy(&attr);
}

/* Signals are the loop's: the thread is born with all of them blocked. */
static int thread_start(struct disk_journal *d, struct mu_err *err)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&d->thread, NULL, run, d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return mu_err(err, MU_EIO,
		              "cannot start the journal's thread: %s",
		              strerror(rc));
	pthread_setname_np(d->thread, "journal");
	return 0;
}

static int replay(struct disk_journal *d,
                  const struct mu_segments_config *config, uint64_t after,
                  mu_journal_each *each, void *arg, struct mu_err *err)
{
	int rc = mu_segments_open(d->disk, config, &d->segments, err);

	if (rc == 0)
		rc = mu_segments_replay(d->segments, after, each, arg, err);
	if (rc)
		return rc;
	d->durable = d->appended = mu_segments_durable(d->segments);
	mu_segments_found(d->segments, &d->stats.found);
	look(d);
	return 0;
}

int mu_journal_open(struct mu_disk *disk,
                    const struct mu_journal_config *config, uint64_t after,
                    mu_journal_each *each, void *arg, struct mu_journal **out,
                    struct mu_err *err)
{
	struct disk_journal *d = mu_alloc(sizeof *d);
	int rc;

	if (!d)
		return mu_err(err, MU_ENOMEM, "no memory left for a journal");
	d->face = disk_face;
	d->disk = disk;
	d->term = config->segments.term ? config->segments.term : 1;
	d->waiting_max = config->waiting_max ? config->waiting_max
	                                     : MU_JOURNAL_WAITING_MAX;
	sync_init(d);
	rc = replay(d, &config->segments, after, each, arg, err);
	if (rc)
		goto undo_segments;
	d->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->efd < 0) {
		rc = mu_err(err, MU_EIO, "cannot make an eventfd: %s",
		            strerror(errno));
		goto undo_segments;
	}
	rc = thread_start(d, err);
	if (rc)
		goto undo_efd;
	*out = &d->face;
	return 0;
undo_efd:
	close(d->efd);
undo_segments:
	mu_segments_free(d->segments);
	sync_fini(d);
	mu_free(d);
	return rc;
}

int mu_journal_disk_open(const char *dir,
                         const struct mu_journal_config *config, uint64_t after,
                         mu_journal_each *each, void *arg,
                         struct mu_journal **out, struct mu_err *err)
{
	struct mu_disk *disk;
	int rc = mu_disk_open(dir, &disk, err);

	if (rc)
		return rc;
	rc = mu_journal_open(disk, config, after, each, arg, out, err);
	if (rc)
		disk->free(disk);
	return rc;
}

int mu_journal_tree_id(const char *dir, int64_t *tree_id, struct mu_err *err)
{
	const struct mu_segments_config look_only = { .look_only = true };
	struct mu_segments *s;
	struct mu_disk *disk;
	int rc = mu_disk_open(dir, &disk, err);

	if (rc)
		return rc;
	rc = mu_segments_open(disk, &look_only, &s, err);
	if (rc == 0)
		*tree_id = mu_segments_tree_id(s);
	mu_segments_free(s);
	disk->free(disk);
	return rc;
}
