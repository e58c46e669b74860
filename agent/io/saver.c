#include "saver.h"

#include "clock.h"
#include "err.h"
#include "files.h"
#include "log.h"
#include "mem.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RETRY_MS 1000u
#define LET_GO_MS 100u /* for a thread that is told to end */

struct job {
	struct job *next;
	uint8_t *bytes; /* owned; NULL: remove the file */
	size_t len;
	bool finished; /* `finish` has seen them */
	bool refused;  /* the disk would not have it, or an older one */
	char name[NAME_MAX + 1];
};

/* Shared by the owner and the thread: all under the lock, but for what never
 * changes. The last of the two frees it. */
struct mu_saver {
	pthread_mutex_t lock;
	pthread_cond_t work, rest; /* for the thread; for who flushes */
	struct job *head, **tail;
	bool started, busy, stop, gone, abandoned;
	bool failing;      /* the log has said so */
	uint64_t after_ms; /* the disk refused: not before then */
	mu_saver_fn *finish;
	char dir[PATH_MAX];
};

static void job_free(struct job *j)
{
	if (!j)
		return;
	mu_free(j->bytes);
	mu_free(j);
}

static void saver_fini(struct mu_saver *s)
{
	while (s->head) {
		struct job *j = s->head;

		s->head = j->next;
		job_free(j);
	}
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->rest);
	pthread_mutex_destroy(&s->lock);
	mu_free(s);
}

/* ---- the thread ---- */

static void wait_until(pthread_cond_t *cond, pthread_mutex_t *lock,
                       uint64_t until_ms)
{
	struct timespec at = { (time_t)(until_ms / 1000),
		               (long)(until_ms % 1000) * 1000000 };

	pthread_cond_timedwait(cond, lock, &at);
}

static int write_one(const struct mu_saver *s, struct job *j,
                     struct mu_err *err)
{
	char path[2 * PATH_MAX];
	int rc;

	mu_format(path, sizeof path, "%s/%s", s->dir, j->name);
	if (!j->bytes)
		return unlink(path) && errno != ENOENT
		               ? mu_err(err, MU_EIO, "cannot remove %s: %s",
		                        path, strerror(errno))
		               : 0;
	if (s->finish && !j->finished)
		s->finish(j->bytes, j->len);
	j->finished = true;
	rc = mu_dir_make(s->dir, 0755, err);
	return rc ? rc : mu_file_replace(path, j->bytes, j->len, 0600, err);
}

static struct job **find(struct mu_saver *s, const char *name)
{
	struct job **p = &s->head;

	while (*p && strcmp((*p)->name, name) != 0)
		p = &(*p)->next;
	return p;
}

static void append(struct mu_saver *s, struct job *j)
{
	j->next = NULL;
	*s->tail = j;
	s->tail = &j->next;
}

static struct job *take(struct mu_saver *s, struct job **p)
{
	struct job *j = *p;

	*p = j->next;
	if (!*p)
		s->tail = p;
	return j;
}

/* The disk said no: once more later, unless there is a newer one. */
static void put_back(struct mu_saver *s, struct job *j)
{
	struct job *newer = *find(s, j->name);

	s->after_ms = mu_clock_mono_ms() + RETRY_MS;
	j->refused = true;
	if (newer) {
		newer->refused = true;
		job_free(j);
	} else {
		append(s, j);
	}
}

static bool is_refused(const struct mu_saver *s)
{
	const struct job *j = s->head;

	while (j && !j->refused)
		j = j->next;
	return j != NULL;
}

/* Once for each run of trouble, which ends when nothing refused is left. */
static void say(struct mu_saver *s, const struct mu_err *err)
{
	bool failing = is_refused(s);

	if (failing && !s->failing)
		mu_log(MU_ERROR,
		       MSG("the agent's memory cannot be written; after a "
		           "restart it would know less; trying again"),
		       KS("reason", err->msg));
	if (!failing && s->failing)
		mu_log(MU_INFO, MSG("the agent's memory is written again"),
		       KS("dir", s->dir));
	s->failing = failing;
}

static void work(struct mu_saver *s)
{
	struct job *j = take(s, &s->head);
	struct mu_err err = { 0 };
	int rc;

	s->busy = true;
	pthread_mutex_unlock(&s->lock);
	rc = write_one(s, j, &err);
	pthread_mutex_lock(&s->lock);
	s->busy = false;
	s->after_ms = 0;
	if (rc)
		put_back(s, j);
	else
		job_free(j);
	if (!s->stop)
		say(s, &err);
	pthread_cond_broadcast(&s->rest);
}

static void *run(void *arg)
{
	struct mu_saver *s = arg;
	bool last;

	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		if (!s->head)
			pthread_cond_wait(&s->work, &s->lock);
		else if (s->after_ms > mu_clock_mono_ms())
			wait_until(&s->work, &s->lock, s->after_ms);
		else
			work(s);
	}
	s->gone = true;
	last = s->abandoned;
	pthread_cond_broadcast(&s->rest);
	pthread_mutex_unlock(&s->lock);
	if (last)
		saver_fini(s);
	return NULL;
}

static int start_thread(struct mu_saver *s)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t id;
	int rc = pthread_attr_init(&attr);

	if (rc)
		return MU_ENOMEM;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&id, &attr, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	s->started = rc == 0;
	return rc ? MU_ENOMEM : 0;
}

/* ---- the owner ---- */

static bool init_conds(struct mu_saver *s)
{
	pthread_condattr_t attr;
	bool good;

	if (pthread_condattr_init(&attr))
		return false;
	good = !pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) &&
	       !pthread_cond_init(&s->work, &attr) &&
	       !pthread_cond_init(&s->rest, &attr);
	pthread_condattr_destroy(&attr);
	return good;
}

int mu_saver_new(const char *dir, mu_saver_fn *finish, struct mu_saver **out)
{
	struct mu_saver *s = mu_alloc(sizeof *s);

	if (!s)
		return MU_ENOMEM;
	s->tail = &s->head;
	s->finish = finish;
	mu_format(s->dir, sizeof s->dir, "%s", dir);
	if (pthread_mutex_init(&s->lock, NULL) || !init_conds(s)) {
		mu_free(s);
		return MU_ENOMEM;
	}
	*out = s;
	return 0;
}

static int add(struct mu_saver *s, struct job *j)
{
	struct job **older;
	int rc = s->started ? 0 : start_thread(s);

	if (rc)
		return rc;
	pthread_mutex_lock(&s->lock);
	older = find(s, j->name);
	if (*older) {
		j->refused = (*older)->refused;
		job_free(take(s, older));
	}
	append(s, j);
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

int mu_saver_put(struct mu_saver *s, const char *name, uint8_t *bytes,
                 size_t len)
{
	struct job *j = NULL;
	int rc = strlen(name) < sizeof j->name ? 0 : MU_ETOOBIG;

	if (!rc) {
		j = mu_alloc(sizeof *j);
		rc = j ? 0 : MU_ENOMEM;
	}
	if (rc) {
		mu_free(bytes);
		return rc;
	}
	memcpy(j->name, name, strlen(name) + 1);
	j->bytes = bytes;
	j->len = len;
	rc = add(s, j);
	if (rc)
		job_free(j);
	return rc;
}

int mu_saver_remove(struct mu_saver *s, const char *name)
{
	return mu_saver_put(s, name, NULL, 0);
}

bool mu_saver_flush(struct mu_saver *s, uint32_t limit_ms)
{
	uint64_t until = mu_clock_mono_ms() + limit_ms;
	bool done;

	pthread_mutex_lock(&s->lock);
	/* After a refusal the next try is too far off to be waited for. */
	while ((s->busy || (s->head && !s->after_ms)) &&
	       mu_clock_mono_ms() < until)
		wait_until(&s->rest, &s->lock, until);
	done = !s->busy && !s->head;
	pthread_mutex_unlock(&s->lock);
	return done;
}

void mu_saver_free(struct mu_saver *s)
{
	uint64_t until = mu_clock_mono_ms() + LET_GO_MS;
	bool gone;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->work);
	while (s->started && !s->gone && mu_clock_mono_ms() < until)
		wait_until(&s->rest, &s->lock, until);
	gone = !s->started || s->gone;
	s->abandoned = !gone;
	pthread_mutex_unlock(&s->lock);
	if (gone)
		saver_fini(s);
}
