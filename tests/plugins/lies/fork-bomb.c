/* Forks for ever, and each child does. Bounded in itself: 300 processes in all,
 * none of which lives for more than 30 s, should there be no limit. */
#include "lie.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define ALL 300

static void bomb(atomic_int *count, const struct mu_host *h)
{
	for (;;) {
		pid_t pid = -1;

		errno = 0;
		if (atomic_fetch_add(count, 1) < ALL)
			pid = fork();
		if (pid < 0)
			atomic_fetch_sub(count, 1);
		if (pid == 0) {
			alarm(30);
			h = NULL;
			continue;
		}
		if (pid < 0 && errno == EAGAIN && h) {
			h->log(h, MU_INFO, "fork refused after %d",
			       atomic_load(count));
			h = NULL;
		}
		if (pid < 0)
			usleep(1000);
	}
}

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	atomic_int *count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE,
	                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)e, (void)err;
	if (count == MAP_FAILED)
		abort();
	alarm(30);
	bomb(count, self);
	return 0;
}

PLUGIN("fork-bomb", quiet_init, event, quiet_fini);
