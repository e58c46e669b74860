/* Writes down what it is given, at once and in a file of its own, so that no
 * end of the agent can lose it: setting file. What concerns a node called bad it
 * refuses, unless there is a file <file>.ok. A change of a node called fatal ends
 * the agent before it is told that the change was handled, the first time. Each
 * event takes it pause_ms. */
#include "lie.h"

#include <fcntl.h>
#include <signal.h>

struct self {
	int fd;
	int64_t pause_ms;
	char ok[400];
};

static int journal_event(void *self, const struct mu_event *e,
                         struct mu_err *err)
{
	const struct self *s = self;
	size_t len = strlen(e->path);
	bool bad = len >= 4 && strcmp(e->path + len - 4, "/bad") == 0 &&
	           access(s->ok, F_OK) != 0;
	char line[1024];
	int n = snprintf(line, sizeof line,
	                 "%s type %u flags %u count %u zxid %lld n %d attempt "
	                 "%u us %lld path %s data %.*s\n",
	                 bad ? "refused" : "done", e->type, e->flags, e->count,
	                 (long long)e->zxid, e->n, e->attempt, now_us(),
	                 e->path, e->data_len > 0 ? e->data_len : 0,
	                 e->data ? (const char *)e->data : "");

	(void)err;
	if (n >= (int)sizeof line) {
		n = sizeof line - 1; /* the beginning of a long value does */
		line[n - 1] = '\n';
	}
	if (write(s->fd, line, (size_t)n) != n)
		return MU_ESYSTEM;
	usleep((useconds_t)s->pause_ms * 1000);
	if (len >= 6 && strcmp(e->path + len - 6, "/fatal") == 0 &&
	    e->type == MU_EVENT_CHANGED && access(s->ok, F_OK) != 0) {
		kill(getppid(), SIGKILL);
		pause();
	}
	return bad ? MU_ESYSTEM : 0;
}

static int journal_init(const struct mu_host *h, void **self,
                        struct mu_err *err)
{
	const char *file = h->setting_str(h, "file", "");
	struct self *s = calloc(1, sizeof *s);

	(void)err;
	if (!s)
		return MU_ENOMEM;
	s->fd = open(file, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	s->pause_ms = h->setting_int(h, "pause_ms", 0);
	snprintf(s->ok, sizeof s->ok, "%s.ok", file);
	*self = s;
	return s->fd < 0 ? MU_ECONFIG : 0;
}

static void journal_fini(void *self)
{
	struct self *s = self;

	close(s->fd);
	free(s);
}

PLUGIN("journal", journal_init, journal_event, journal_fini);
