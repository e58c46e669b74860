/* Writes down all that it is given, with the number of its build, which stands in
 * a mark that the test changes in copies of the object; so does how it behaves:
 *
 *     ok          fail-init     hang-init     crash-init
 *     hang-fini   slow-event    no-nodes
 *
 * Settings: file, where it writes; node, an ephemeral node that init makes. */
#include "lie.h"

#include <fcntl.h>

static const volatile char mark[] = "recorder-mark 00000000 ok          ";

struct self {
	int fd;
	unsigned build;
	char mode[16];
};

static void read_mark(struct self *s)
{
	char text[sizeof mark];

	for (size_t i = 0; i < sizeof mark; i++)
		text[i] = mark[i];
	sscanf(text, "recorder-mark %8u %15s", &s->build, s->mode);
}

static void say(const struct self *s, const char *what)
{
	char line[200];
	int n = snprintf(line, sizeof line, "%s build %u us %lld\n", what,
	                 s->build, now_us());

	if (write(s->fd, line, (size_t)n) != n)
		abort();
}

static int make_node(const struct mu_host *h, const struct self *s,
                     struct mu_err *err)
{
	const char *node = h->setting_str(h, "node", "");
	char text[16];
	int n = snprintf(text, sizeof text, "%u", s->build);

	if (!node[0] || strcmp(s->mode, "no-nodes") == 0)
		return 0;
	return h->create(h, node, text, n, MU_PLUGIN_EPHEMERAL, 10000, err);
}

static int recorder_init(const struct mu_host *h, void **self,
                         struct mu_err *err)
{
	struct self *s = calloc(1, sizeof *s);
	int rc;

	read_mark(s);
	s->fd = open(h->setting_str(h, "file", ""),
	             O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	say(s, "init");
	rc = make_node(h, s, err);
	if (rc)
		return rc;
	if (strcmp(s->mode, "hang-init") == 0)
		sleep(600);
	if (strcmp(s->mode, "crash-init") == 0)
		abort();
	if (strcmp(s->mode, "fail-init") == 0) {
		snprintf(err->msg, sizeof err->msg, "it does not want to");
		return MU_ESYSTEM;
	}
	*self = s;
	return 0;
}

static int recorder_event(void *self, const struct mu_event *e,
                          struct mu_err *err)
{
	const struct self *s = self;
	char line[1024];
	int n;

	(void)err;
	if (strcmp(s->mode, "slow-event") == 0 && e->type == MU_EVENT_CHANGED)
		usleep(300000);
	n = snprintf(line, sizeof line,
	             "event build %u us %lld zxid %lld n %d type %u flags %u "
	             "count %u path %s data %.*s\n",
	             s->build, now_us(), (long long)e->zxid, e->n, e->type,
	             e->flags, e->count, e->path,
	             e->data_len > 0 ? e->data_len : 0,
	             e->data ? (const char *)e->data : "");
	return write(s->fd, line, (size_t)n) == n ? 0 : MU_ESYSTEM;
}

static void recorder_fini(void *self)
{
	struct self *s = self;

	say(s, "fini");
	if (strcmp(s->mode, "hang-fini") == 0)
		sleep(600);
	close(s->fd);
	free(s);
}

PLUGIN("recorder", recorder_init, recorder_event, recorder_fini);
