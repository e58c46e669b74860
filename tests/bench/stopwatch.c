/*
 * stopwatch.c - a plugin that tells when an event arrived: one datagram for each
 * event to the socket named by the setting `sink`, with the type, the clock, and
 * the first bytes of the value.
 */
#include <muster/plugin.h>

#include "stopwatch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct stopwatch {
	int fd;
	struct sockaddr_un sink;
};

static int stopwatch_init(const struct mu_host *h, void **self,
                          struct mu_err *err)
{
	struct stopwatch *s = calloc(1, sizeof *s);
	const char *sink = h->setting_str(h, "sink", "");

	(void)err;
	if (!s)
		return MU_ENOMEM;
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	s->sink.sun_family = AF_UNIX;
	strncpy(s->sink.sun_path, sink, sizeof s->sink.sun_path - 1);
	*self = s;
	return s->fd < 0 ? MU_EIO : 0;
}

static int stopwatch_event(void *self, const struct mu_event *e,
                           struct mu_err *err)
{
	struct stopwatch *s = self;
	struct stopwatch_lap lap = { .type = e->type };
	struct timespec t;

	(void)err;
	clock_gettime(CLOCK_MONOTONIC, &t);
	lap.at_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	if (e->data_len == (int32_t)sizeof lap.value)
		memcpy(&lap.value, e->data, sizeof lap.value);
	sendto(s->fd, &lap, sizeof lap, 0, (struct sockaddr *)&s->sink,
	       sizeof s->sink);
	return 0;
}

static void stopwatch_fini(void *self)
{
	struct stopwatch *s = self;

	close(s->fd);
	free(s);
}

const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "stopwatch",
	.help = "tells a benchmark when an event arrived",
	.init = stopwatch_init,
	.event = stopwatch_event,
	.fini = stopwatch_fini,
};
