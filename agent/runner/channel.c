#include "channel.h"

#include "chan.h"
#include "clock.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Above the 1,024 that a careless loop closes. */
#define HIGH_FD 1100
#define READ_BYTES 65536u
/* Memory beyond this is given back once a large frame is done with. */
#define KEEP_BYTES (256u * 1024)

/* A duplicate at HIGH_FD or above, or as high as the limits allow. */
static int move_high(int fd)
{
	struct rlimit now, more;
	int high = -1;

	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		return -1;
	more = now;
	if (more.rlim_cur < HIGH_FD + 1)
		more.rlim_cur = more.rlim_max < HIGH_FD + 1 ? more.rlim_max
		                                            : HIGH_FD + 1;
	(void)setrlimit(RLIMIT_NOFILE, &more);
	for (int at = HIGH_FD; high < 0 && at > fd; at /= 2)
		high = fcntl(fd, F_DUPFD_CLOEXEC, at);
	(void)setrlimit(RLIMIT_NOFILE, &now);
	return high;
}

int mu_channel_high(int fd)
{
	int high = move_high(fd);

	close(fd);
	return high;
}

int mu_channel_open(struct mu_channel *c, int fd, struct mu_err *err)
{
	int type = 0;
	socklen_t len = sizeof type;

	*c = (struct mu_channel){ .fd = -1 };
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    type != SOCK_STREAM)
		return mu_err(err, MU_EIO,
		              "descriptor %d is not the channel of an agent",
		              fd);
	c->fd = move_high(fd);
	if (c->fd < 0)
		return mu_err(err, MU_EIO, "cannot move the channel: %s",
		              strerror(errno));
	close(fd);
	return 0;
}

static void trim(struct mu_buf *b)
{
	if (b->len == 0 && b->room > KEEP_BYTES)
		mu_buf_fini(b);
}

/* Wait until there is something to read: 0 or MU_ETIMEDOUT. */
static int wait_until(const struct mu_channel *c, uint64_t deadline_ms)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	if (deadline_ms == MU_CHANNEL_FOREVER)
		return 0; /* read itself waits */
	for (;;) {
		uint64_t now = mu_clock_mono_ms();
		uint64_t left = deadline_ms > now ? deadline_ms - now : 0;
		int n = poll(&p, 1, left > 60000 ? 60000 : (int)left);

		if (n > 0 || (n < 0 && errno != EINTR))
			return 0; /* what is wrong read will say */
		if (n == 0 && left <= 60000)
			return MU_ETIMEDOUT;
	}
}

bool mu_channel_wait_or(const struct mu_channel *c, int fd)
{
	struct pollfd p[2] = { { c->fd, POLLIN, 0 }, { fd, POLLIN, 0 } };
	struct mu_str frame;

	if (fd < 0 || c->gone || mu_chan_next(&c->in, &frame) != 0)
		return false;
	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return false; /* what is wrong read will say */
	return p[1].revents != 0;
}

static int receive(struct mu_channel *c)
{
	ssize_t n;

	if (mu_buf_reserve(&c->in, READ_BYTES)) {
		c->in.failed = false; /* what is there is whole */
		return MU_ENOMEM;
	}
	do
		n = read(c->fd, c->in.data + c->in.len, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		c->gone = true;
		return MU_EGONE;
	}
	c->in.len += (size_t)n;
	return 0;
}

/* Move the first frame of `in` to *rec, with a NUL beyond its end. */
static int take_frame(struct mu_channel *c, struct mu_str frame,
                      struct mu_buf *rec)
{
	mu_buf_put(rec, frame.at, frame.len);
	mu_buf_put(rec, "", 1);
	if (mu_buf_failed(rec)) {
		mu_buf_reset(rec);
		return MU_ENOMEM;
	}
	mu_buf_cut(rec, frame.len);
	mu_buf_drop(&c->in, frame.len + 4u);
	trim(&c->in);
	return 0;
}

int mu_channel_read(struct mu_channel *c, uint64_t deadline_ms,
                    struct mu_buf *rec)
{
	struct mu_str frame;
	int rc;

	mu_buf_reset(rec);
	trim(rec);
	while (!c->gone) {
		rc = mu_chan_next(&c->in, &frame);
		if (rc == 1)
			return take_frame(c, frame, rec);
		if (rc < 0)
			break;
		rc = wait_until(c, deadline_ms);
		if (rc == 0)
			rc = receive(c);
		if (rc)
			return rc;
	}
	c->gone = true;
	return MU_EGONE;
}

struct mu_buf *mu_channel_begin(struct mu_channel *c)
{
	mu_buf_reset(&c->out);
	trim(&c->out);
	return &c->out;
}

int mu_channel_send(struct mu_channel *c)
{
	size_t done = 0;

	if (mu_buf_failed(&c->out))
		return MU_ENOMEM;
	if (c->out.len > MU_CHAN_FRAME_MAX + 4u)
		return MU_ETOOBIG;
	while (!c->gone && done < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + done, c->out.len - done,
		                 MSG_NOSIGNAL);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			c->gone = true;
	}
	return c->gone ? MU_EGONE : 0;
}
