#include "clock.h"

#include "bug.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static struct timespec now(clockid_t which)
{
	struct timespec t;

	MU_BUG_ON(clock_gettime(which, &t) != 0);
	return t;
}

uint64_t mu_clock_mono_ms(void)
{
	return mu_clock_mono_us() / 1000;
}

uint64_t mu_clock_mono_us(void)
{
	struct timespec t = now(CLOCK_MONOTONIC);

	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int64_t mu_clock_wall_ms(void)
{
	struct timespec t = now(CLOCK_REALTIME);

	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void mu_clock_random(void *p, size_t len)
{
	unsigned char *at = p;

	/* More than 256 bytes may come in pieces, or a signal in between. */
	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		MU_BUG_ON(n <= 0);
		at += n;
		len -= (size_t)n;
	}
}
