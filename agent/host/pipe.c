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

struct mu_pipe {
	int fd;
	struct mu_poll *poll;
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
	mu_poll_set(p->poll, 0);
	p->on_end(p->arg, rc);
}

static void shrink(struct mu_buf *b)
{
	if (b->len == 0 && b->room > KEEP_MAX)
		mu_buf_fini(b);
}

static void frames(struct mu_pipe *p)
{
	struct mu_str record;
	int rc = 0;

	while (!p->ended && (rc = mu_chan_next(&p->in, &record)) > 0) {
		if (p->on_frame(p->arg, record)) {
			end(p, MU_EPROTO);
			return;
		}
		mu_buf_drop(&p->in, (size_t)record.len + 4);
	}
	if (rc < 0)
		end(p, rc);
	shrink(&p->in);
}

/* Read once. False: there was nothing, or the pipe has ended. */
static bool read_some(struct mu_pipe *p)
{
	uint8_t *at = mu_buf_grow(&p->in, READ_CHUNK);
	ssize_t n;

	if (!at) {
		end(p, MU_ENOMEM);
		return false;
	}
	do
		n = recv(p->fd, at, READ_CHUNK, 0);
	while (n < 0 && errno == EINTR);
	mu_buf_cut(&p->in, p->in.len - READ_CHUNK + (n > 0 ? (size_t)n : 0));
	if (n > 0)
		frames(p);
	else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		end(p, n == 0 || errno == ECONNRESET ? 0 : MU_EIO);
	return n > 0 && !p->ended;
}

void mu_pipe_drain(struct mu_pipe *p)
{
	for (size_t n = 0; n < MU_PIPE_LAST_MAX && !p->ended; n += READ_CHUNK)
		if (!read_some(p))
			return;
}

static void write_some(struct mu_pipe *p)
{
	while (p->out.len > 0 && !p->ended) {
		ssize_t n = send(p->fd, p->out.data, p->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0)
			return; /* what it said last is still to be read */
		mu_buf_drop(&p->out, (size_t)n);
	}
	p->whole = p->out.len;
	shrink(&p->out);
	if (!p->ended)
		mu_poll_set(p->poll,
		            MU_POLL_READ | (p->out.len ? MU_POLL_WRITE : 0));
}

static void on_ready(void *arg, int events)
{
	struct mu_pipe *p = arg;

	if (events & MU_POLL_READ)
		(void)read_some(p);
	if (!p->ended && (events & MU_POLL_WRITE))
		write_some(p);
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
	if (rc) {
		close(fd[0]);
		close(fd[1]);
		mu_free(p);
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
