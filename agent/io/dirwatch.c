#include "dirwatch.h"

#include "err.h"
#include "mem.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS (IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR)
#define READS 16u /* at a time; what is left comes in the next turn */

struct mu_dirwatch {
	int fd;
	struct mu_poll *poll;
	mu_loop_fn *fn;
	void *arg;
};

/* What has happened does not matter: who asks looks at the file. */
static void on_ready(void *arg, int events)
{
	struct mu_dirwatch *w = arg;
	char some[4096];
	bool any = false;

	(void)events;
	for (unsigned i = 0; i < READS && read(w->fd, some, sizeof some) > 0;
	     i++)
		any = true;
	if (any)
		w->fn(w->arg);
}

int mu_dirwatch_new(struct mu_loop *l, mu_loop_fn *fn, void *arg,
                    struct mu_dirwatch **out, struct mu_err *err)
{
	struct mu_dirwatch *w = mu_alloc(sizeof *w);
	int rc;

	if (!w)
		return mu_err(err, MU_ENOMEM, "out of memory");
	w->fn = fn;
	w->arg = arg;
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0) {
		rc = mu_err(err, MU_EIO, "directories cannot be watched: %s",
		            strerror(errno));
		mu_free(w);
		return rc;
	}
	rc = mu_poll_new(l, w->fd, on_ready, w, &w->poll);
	if (rc) {
		close(w->fd);
		mu_free(w);
		return mu_err(err, rc, "directories cannot be watched: %s",
		              mu_err_text(rc));
	}
	mu_poll_set(w->poll, MU_POLL_READ);
	*out = w;
	return 0;
}

int mu_dirwatch_add(struct mu_dirwatch *w, const char *dir, struct mu_err *err)
{
	if (inotify_add_watch(w->fd, dir, EVENTS) >= 0)
		return 0;
	return mu_err(err, MU_EIO, "%.400s cannot be watched: %s", dir,
	              strerror(errno));
}

void mu_dirwatch_free(struct mu_dirwatch *w)
{
	if (!w)
		return;
	mu_poll_free(w->poll);
	close(w->fd);
	mu_free(w);
}
