#include "printed.h"

#include "err.h"
#include "line_rate.h"
#include "log.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define READ_CHUNK (16u * 1024)
#define PAUSE_MS 5u /* after a full chunk: 3 MiB/s at most */
#define SECOND_MS 1000u
#define LAST_BYTES (1024u * 1024) /* read at the end, at most */

struct mu_printed {
	struct mu_loop *loop;
	const char *instance;
	struct mu_line_rate printed, said;
	int fd;
	struct mu_poll *poll;
	struct mu_timer *pause; /* until it is read on */
	struct mu_timer *tell;  /* of the lines that were dropped */
	uint64_t last_ms;       /* when the last line came; 0: none did */
	char last[200];
	size_t len;
	char line[MU_PRINTED_LINE_MAX + 1];
};

static void tell_unsaid(const struct mu_printed *p, struct mu_line_rate *of,
                        const char *words)
{
	if (of->unsaid)
		mu_log(MU_WARN, MSG(words), KS("instance", p->instance),
		       KI("dropped_lines", of->unsaid),
		       KI("logged_per_s", of->max));
	of->unsaid = 0;
}

static void tell_dropped(struct mu_printed *p)
{
	tell_unsaid(p, &p->printed,
	            "the plugin prints too much; lines of its output were "
	            "dropped");
	tell_unsaid(p, &p->said,
	            "the plugin logs too much; lines of it were dropped");
}

static void on_tell(void *arg)
{
	tell_dropped(arg);
}

/* May one more be logged in this second? */
static bool is_due(struct mu_printed *p, struct mu_line_rate *of)
{
	if (mu_line_rate_take(of, mu_loop_now_ms(p->loop)))
		return true;
	if (!mu_timer_armed(p->tell))
		mu_timer_arm(p->tell, SECOND_MS, 0);
	return false;
}

void mu_printed_say(struct mu_printed *p, enum mu_level level, const char *text)
{
	if (mu_log_wants(level) && is_due(p, &p->said))
		mu_log(level, MSG(text), KS("instance", p->instance));
}

static void end_line(struct mu_printed *p)
{
	p->line[p->len] = '\0';
	/* A NUL would hide the rest. */
	for (size_t i = 0; i < p->len; i++)
		if (p->line[i] == '\0')
			p->line[i] = ' ';
	p->len = 0;
	p->last_ms = mu_loop_now_ms(p->loop);
	mu_format(p->last, sizeof p->last, "%s", p->line);
	if (is_due(p, &p->printed))
		mu_log(MU_INFO, MSG(p->line), KS("instance", p->instance),
		       KS("from", "output"));
}

static void take(struct mu_printed *p, const char *at, size_t n)
{
	while (n > 0) {
		size_t room = MU_PRINTED_LINE_MAX - p->len;
		/* One that is just full may still get its newline. */
		const char *end = memchr(at, '\n', n < room + 1 ? n : room + 1);
		size_t part = n < room ? n : room;

		if (end)
			part = (size_t)(end - at);
		memcpy(p->line + p->len, at, part);
		p->len += part;
		if (end || part < n)
			end_line(p);
		part += end != NULL;
		at += part;
		n -= part;
	}
}

/* What came; 0: nothing now, -1: nothing any more. */
static ssize_t read_some(struct mu_printed *p)
{
	char chunk[READ_CHUNK];
	ssize_t n;

	do
		n = read(p->fd, chunk, sizeof chunk);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		take(p, chunk, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		return -1;
	return n > 0 ? n : 0;
}

static void on_readable(void *arg, int events)
{
	struct mu_printed *p = arg;
	ssize_t n = read_some(p);

	(void)events;
	if (n < 0) {
		mu_poll_set(p->poll, 0); /* all have closed it */
	} else if (n == (ssize_t)READ_CHUNK) {
		mu_poll_set(p->poll, 0);
		mu_timer_arm(p->pause, PAUSE_MS, 0);
	}
}

static void on_pause(void *arg)
{
	struct mu_printed *p = arg;

	mu_poll_set(p->poll, MU_POLL_READ);
}

void mu_printed_end(struct mu_printed *p)
{
	ssize_t n = 1;

	mu_poll_set(p->poll, 0);
	mu_timer_disarm(p->pause);
	mu_timer_disarm(p->tell);
	for (size_t all = 0; n > 0 && all < LAST_BYTES; all += (size_t)n)
		n = read_some(p);
	if (p->len > 0)
		end_line(p);
	mu_timer_disarm(p->tell);
	tell_dropped(p);
}

const char *mu_printed_last(const struct mu_printed *p)
{
	uint64_t now = mu_loop_now_ms(p->loop);

	return p->last_ms && now - p->last_ms <= SECOND_MS ? p->last : "";
}

int mu_printed_new(struct mu_loop *loop, const char *instance,
                   const struct mu_printed_limits *limits,
                   struct mu_printed **out, int *theirs, struct mu_err *err)
{
	struct mu_printed *p = mu_alloc(sizeof *p);
	int fd[2], rc;

	if (!p)
		return mu_err(err, MU_ENOMEM, "out of memory");
	if (pipe2(fd, O_CLOEXEC)) {
		mu_free(p);
		return mu_err(err, MU_EIO, "no pipe for a runner's output: %s",
		              strerror(errno));
	}
	p->loop = loop;
	p->instance = instance;
	p->printed.max = limits->printed;
	p->said.max = limits->said;
	p->fd = fd[0];
	rc = mu_poll_new(loop, fd[0], on_readable, p, &p->poll);
	if (!rc)
		rc = mu_timer_new(loop, on_pause, p, &p->pause);
	if (!rc)
		rc = mu_timer_new(loop, on_tell, p, &p->tell);
	if (rc) {
		mu_printed_free(p);
		close(fd[1]);
		return mu_err(err, rc, "a runner's output cannot be read");
	}
	mu_poll_set(p->poll, MU_POLL_READ);
	*theirs = fd[1];
	*out = p;
	return 0;
}

void mu_printed_free(struct mu_printed *p)
{
	if (!p)
		return;
	tell_dropped(p);
	if (p->poll)
		mu_poll_free(p->poll);
	mu_timer_free(p->pause);
	mu_timer_free(p->tell);
	close(p->fd);
	mu_free(p);
}
