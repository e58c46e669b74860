#include "rounds.h"

#include "err.h"

#include <dirent.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define UNCOUNTED 2u /* rounds before the first look */
/* A thread that was joined may still be on its way out of the table. */
#define SETTLE_MS 500u

struct held {
	long long bytes;
	long fds, threads;
};

unsigned mu_rounds_asked(const char *arg)
{
	static const char name[] = "--rounds=";
	unsigned long n;
	char *end;

	if (strncmp(arg, name, sizeof name - 1) != 0)
		return 0;
	n = strtoul(arg + sizeof name - 1, &end, 10);
	return *end || n > MU_ROUNDS_MAX ? 0 : (unsigned)n;
}

/* Entries of a directory of /proc, with . and .. and itself: only differences
 * are of use. */
static long entries(const char *dir)
{
	DIR *d = opendir(dir);
	long n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void look(struct held *out)
{
	struct mallinfo2 m = mallinfo2();

	out->bytes = (long long)m.uordblks + (long long)m.hblkhd;
	out->fds = entries("/proc/self/fd");
	out->threads = entries("/proc/self/task");
}

static void look_when_settled(const struct held *before, struct held *out)
{
	const struct timespec pause = { 0, 1000000 };

	for (unsigned ms = 0; ms < SETTLE_MS; ms++) {
		look(out);
		if (out->threads <= before->threads)
			return;
		nanosleep(&pause, NULL);
	}
}

static int one(struct mu_instance *i, unsigned round, struct mu_err *err)
{
	int rc = mu_instance_start(i, err);
	struct mu_err said;

	if (rc == 0) {
		mu_instance_end(i);
		return 0;
	}
	said = *err;
	if (round == 0)
		return rc;
	return mu_err(err, rc,
	              "init number %u in one process failed, those before it "
	              "did not: %.380s",
	              round + 1, said.msg);
}

int mu_rounds(struct mu_instance *i, unsigned rounds,
              char text[MU_ROUNDS_TEXT_MAX], struct mu_err *err)
{
	struct held before = { 0 }, after = { 0 };

	for (unsigned n = 0; n < rounds + UNCOUNTED; n++) {
		int rc = one(i, n, err);

		if (rc)
			return rc;
		if (n + 1 == UNCOUNTED)
			look(&before);
	}
	look_when_settled(&before, &after);
	mu_format(text, MU_ROUNDS_TEXT_MAX, "bytes %lld fds %ld threads %ld",
	          after.bytes - before.bytes, after.fds - before.fds,
	          after.threads - before.threads);
	return 0;
}
