#include "pipe.h"

#include "buf.h"
#include "err.h"
#include "mem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_CHUNK (64u * 1024)
#define KEEP_MAX (64u * 1024) /* bytes an empty buffer may keep */
#define REST_MS 5u            /* after MU_PIPE_FRAMES of them */
#define NO_MEMORY_MS 100u     /* until it is read once more */

struct mu_pipe {
	int fd;
	struct mu_poll *poll;
	struct mu_timer *rest; /* until it is read on */
	struct mu_buf in, out;
	size_t whole; /* bytes of out that are whole frames */
	bool ended;
	int (*on_frame)(void *arg, struct mu_str record);
	void (*on_end)(void *arg, int rc);
	void *arg;
};

static void end(struct mu_pipe *p, int rc)
{
	if (p->ended)
		return;
	p->ended = true;
	mu_timer_disarm(p->rest);
	mu_poll_set(p->poll, 0);
	p->on_end(p->arg, rc);
}

static void shrink(struct mu_buf *b)
{
	if (b->len == 0 && b->room > KEEP_MAX)
		mu_buf_fini(b);
}

/* While it rests nothing is read: who floods is held up by his own channel. */
static void listen_on(struct mu_pipe *p)
{
	int read = mu_timer_armed(p->rest) ? 0 : MU_POLL_READ;

	if (!p->ended)
		mu_poll_set(p->poll, read | (p->out.len ? MU_POLL_WRITE : 0));
}

static int next_frame(const struct mu_pipe *p, size_t at, struct mu_str *record)
{
	struct mu_buf left = { .data = p->in.data + at, .len = p->in.len - at };

	return left.len ? mu_chan_next(&left, record) : 0;
}

/* Those that are whole, `max` of them at most; how many there were. */
static size_t frames(struct mu_pipe *p, size_t max)
{
	struct mu_str record;
	size_t n = 0, at = 0;
	int rc = 0;

	while (!p->ended && n < max && (rc = next_frame(p, at, &record)) > 0) {
		n++;
		at += (size_t)record.len + 4;
		if (p->on_frame(p->arg, record))
			end(p, MU_EPROTO);
	}
	mu_buf_drop(&p->in, at);
	if (rc < 0)
		end(p, rc);
	shrink(&p->in);
	return n;
}

/* No memory to read into is no fault of the runner's: what it says can wait. */
static void read_later(struct mu_pipe *p)
{
	p->in.failed = false;
	mu_timer_arm(p->rest, NO_MEMORY_MS, 0);
	listen_on(p);
}

/* Read once. False: there was nothing, or not now, or the pipe has ended. */
static bool read_some(struct mu_pipe *p)
{
	uint8_t *at = mu_buf_grow(&p->in, READ_CHUNK);
	ssize_t n;

	if (!at) {
		read_later(p);
		return false;
	}
	do
		n = recv(p->fd, at, READ_CHUNK, 0);
	while (n < 0 && errno == EINTR);
	mu_buf_cut(&p->in, p->in.len - READ_CHUNK + (n > 0 ? (size_t)n : 0));
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK))
		end(p, n == 0 || errno == ECONNRESET ? 0 : MU_EIO);
	return n > 0;
}

/* A few of what has come; the others of the loop have their turn, too. */
static void take(struct mu_pipe *p)
{
	if (frames(p, MU_PIPE_FRAMES) == MU_PIPE_FRAMES && !p->ended)
		mu_timer_arm(p->rest, REST_MS, 0);
	listen_on(p);
}

void mu_pipe_drain(struct mu_pipe *p)
{
	size_t n = frames(p, MU_PIPE_LAST_FRAMES), bytes = 0;

	while (n < MU_PIPE_LAST_FRAMES && bytes < MU_PIPE_LAST_MAX &&
	       !p->ended && read_some(p)) {
		bytes += READ_CHUNK;
		n += frames(p, MU_PIPE_LAST_FRAMES - n);
	}
}

static void write_some(struct mu_pipe *p)
{
	while (p->out.len > 0 && !p->ended) {
		ssize_t n = send(p->fd, p->out.data, p->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		/* It will not read again; what it said last is still to be
		 * read. */
		mu_buf_drop(&p->out, n < 0 ? p->out.len : (size_t)n);
	}
	p->whole = p->out.len;
	shrink(&p->out);
	listen_on(p);
}

static void on_ready(void *arg, int events)
{
	struct mu_pipe *p = arg;

	if (events & MU_POLL_READ && !mu_timer_armed(p->rest) && read_some(p))
		take(p);
	if (!p->ended && (events & MU_POLL_WRITE))
		write_some(p);
}

static void on_rested(void *arg)
{
	take(arg);
}

int mu_pipe_new(struct mu_loop *loop,
                int (*on_frame)(void *arg, struct mu_str record),
                void (*on_end)(void *arg, int rc), void *arg,
                struct mu_pipe **out, int *theirs, struct mu_err *err)
{
	struct mu_pipe *p = mu_alloc(sizeof *p);
	int fd[2];
	int rc;

	if (!p)
		return mu_err(err, MU_ENOMEM, "out of memory");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd)) {
		mu_free(p);
		return mu_err(err, MU_EIO, "no channel for a runner: %s",
		              strerror(errno));
	}
	p->fd = fd[0];
	p->on_frame = on_frame;
	p->on_end = on_end;
	p->arg = arg;
	rc = mu_poll_new(loop, fd[0], on_ready, p, &p->poll);
	if (!rc)
		rc = mu_timer_new(loop, on_rested, p, &p->rest);
	if (rc) {
		mu_pipe_free(p);
		close(fd[1]);
		return mu_err(err, rc, "a runner's channel cannot be watched");
	}
	mu_poll_set(p->poll, MU_POLL_READ);
	*theirs = fd[1];
	*out = p;
	return 0;
}

void mu_pipe_free(struct mu_pipe *p)
{
	if (!p)
		return;
	mu_poll_free(p->poll);
	mu_timer_free(p->rest);
	close(p->fd);
	mu_buf_fini(&p->in);
	mu_buf_fini(&p->out);
	mu_free(p);
}

struct mu_buf *mu_pipe_out(struct mu_pipe *p)
{
	return &p->out;
}

int mu_pipe_send(struct mu_pipe *p)
{
	bool failed = mu_buf_failed(&p->out);
	int rc = 0;

	if (failed)
		rc = MU_ENOMEM;
	else if (p->ended)
		rc = MU_EGONE;
	else if (p->out.len > MU_PIPE_OUT_MAX)
		rc = MU_EFULL;
	if (rc) {
		mu_buf_cut(&p->out, p->whole);
		p->out.failed = false;
		return rc;
	}
	write_some(p);
	return 0;
}
