#include "watchman.h"

#include "fail.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct watchman {
	const struct mu_host *host;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	int bell;             /* eventfd: something below is new */
	bool stop;
	int fd;         /* -1: none, or it was told of */
	int64_t due_ms; /* INT64_MAX: not, or it was told of */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* How long to sit, and by what. False: no longer. */
static bool look(struct watchman *w, struct pollfd p[2], int *wait_ms)
{
	int64_t left;
	bool stop;

	pthread_mutex_lock(&w->lock);
	left = w->due_ms == INT64_MAX ? -1 : w->due_ms - now_ms();
	if (w->due_ms != INT64_MAX && left < 0)
		left = 0;
	p[0] = (struct pollfd){ w->bell, POLLIN, 0 };
	p[1] = (struct pollfd){ w->fd, POLLIN, 0 };
	stop = w->stop;
	pthread_mutex_unlock(&w->lock);
	*wait_ms = left > INT_MAX ? INT_MAX : (int)left;
	return !stop;
}

/* Was that it, and not yet told? */
static bool is_news(struct watchman *w, const struct pollfd p[2])
{
	bool news = false;

	pthread_mutex_lock(&w->lock);
	if (p[1].revents && w->fd == p[1].fd) {
		w->fd = -1;
		news = true;
	}
	if (w->due_ms <= now_ms()) {
		w->due_ms = INT64_MAX;
		news = true;
	}
	pthread_mutex_unlock(&w->lock);
	return news;
}

static void *sit(void *arg)
{
	struct watchman *w = arg;
	struct pollfd p[2];
	uint64_t rung;
	int wait_ms;

	while (look(w, p, &wait_ms)) {
		if (poll(p, 2, wait_ms) < 0)
			continue;
		if (p[0].revents && read(w->bell, &rung, sizeof rung) < 0)
			continue;
		if (is_news(w, p))
			w->host->wake(w->host);
	}
	return NULL;
}

static int start_thread(struct watchman *w)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, sit, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int watchman_start(const struct mu_host *h, struct watchman **out,
                   struct mu_err *err)
{
	struct watchman *w = calloc(1, sizeof *w);
	int rc;

	if (!w)
		return fail(err, MU_ENOMEM, "out of memory");
	w->host = h;
	w->fd = -1;
	w->due_ms = INT64_MAX;
	w->bell = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&w->lock, NULL);
	rc = w->bell < 0 ? errno : start_thread(w);
	if (rc) {
		if (w->bell >= 0)
			close(w->bell);
		pthread_mutex_destroy(&w->lock);
		free(w);
		return fail(err, MU_EIO, "no thread to watch with: %s",
		            strerror(rc));
	}
	*out = w;
	return 0;
}

static void ring(struct watchman *w)
{
	uint64_t one = 1;

	while (write(w->bell, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void watchman_stop(struct watchman *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_mutex_unlock(&w->lock);
	ring(w);
	pthread_join(w->thread, NULL);
	close(w->bell);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void watchman_set(struct watchman *w, int fd, uint32_t ms)
{
	pthread_mutex_lock(&w->lock);
	w->fd = fd;
	w->due_ms = now_ms() + ms;
	pthread_mutex_unlock(&w->lock);
	ring(w);
}
