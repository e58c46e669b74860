/* Writes down what it is given before it says that it handled it, in a file that
 * no end of anything can take a line from: setting file. Setting slow_us: what an
 * event takes. */
#include "../../lib/soak_line.h"
#include "lie.h"

#include <fcntl.h>
#include <time.h>

struct self {
	int fd;
	long slow_us;
};

static int put(const struct self *s, const struct soak_line *l)
{
	char text[512];
	int len = soak_line_put(text, sizeof text, l);

	return write(s->fd, text, (size_t)len) == len ? 0 : MU_ESYSTEM;
}

static int soak_event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct self *s = self;
	const struct timespec pause = { 0, s->slow_us * 1000 };
	struct soak_line l = { .pid = getpid(),
		               .n = e->n,
		               .zxid = e->zxid,
		               .type = e->type,
		               .flags = e->flags,
		               .count = e->count,
		               .len = e->data_len,
		               .digest = soak_digest(e->data, e->data_len),
		               .cause = e->cause };

	(void)err;
	if (e->stat) {
		l.mzxid = e->stat->mzxid;
		l.czxid = e->stat->czxid;
	}
	if (e->member)
		l.czxid = e->member->czxid;
	snprintf(l.path, sizeof l.path, "%s", e->path);
	if (s->slow_us)
		nanosleep(&pause, NULL);
	return put(s, &l);
}

static int soak_init(const struct mu_host *h, void **self, struct mu_err *err)
{
	struct soak_line start = { .start = true, .pid = getpid() };
	struct self *s = calloc(1, sizeof *s);

	(void)err;
	if (!s)
		return MU_ENOMEM;
	s->slow_us = (long)h->setting_int(h, "slow_us", 0);
	s->fd = open(h->setting_str(h, "file", ""),
	             O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	*self = s;
	return s->fd < 0 ? MU_ECONFIG : put(s, &start);
}

static void soak_fini(void *self)
{
	struct self *s = self;

	close(s->fd);
	free(s);
}

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "soak",
	.init = soak_init,
	.event = soak_event,
	.fini = soak_fini,
	.wants = MU_WANT_GAP,
};
