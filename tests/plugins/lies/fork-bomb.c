/* Forks for ever, and each child does. Bounded in itself: 300 processes in all,
 * and none is there 30 s after the first, should nobody end them. */
#include "lie.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#define ALL 300
#define LIFE_S 30

static time_t end; /* of all of them */

static void live_till_the_end(void)
{
	time_t now = time(NULL);

	if (now >= end)
		_exit(0);
	alarm((unsigned)(end - now));
}

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
			live_till_the_end();
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
	end = time(NULL) + LIFE_S;
	live_till_the_end();
	bomb(count, self);
	return 0;
}

PLUGIN("fork-bomb", quiet_init, event, quiet_fini);
