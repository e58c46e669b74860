#include "control_impl.h"

#include "err.h"
#include "mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT_ROOM 1024u /* bytes waiting; above it no progress is told */

/* ---- saying ---------------------------------------------------------------------- */

static void want(struct mu_control_conn *k)
{
	int events = 0;

	if (k->state == MU_CONTROL_LINE || k->state == MU_CONTROL_BODY)
		events |= MU_POLL_READ;
	if (k->out.len > 0 || k->state == MU_CONTROL_SEND)
		events |= MU_POLL_WRITE;
	mu_poll_set(k->poll, events);
}

static void say(struct mu_control_conn *k, const char *text)
{
	mu_buf_put(&k->out, text, strlen(text));
}

/* A sentence stays on its line. */
static void say_error(struct mu_control_conn *k, int rc, const char *sentence)
{
	char head[32], line[MU_ERR_MSG_MAX];

	mu_format(head, sizeof head, "error %d ", rc);
	mu_format(line, sizeof line, "%s",
	          sentence[0] ? sentence : mu_err_text(rc));
	for (char *p = line; *p; p++)
		if (*p == '\n')
			*p = ' ';
	say(k, head);
	say(k, line);
	say(k, "\n");
}

void mu_control_conn_answer(struct mu_control_conn *k, int rc, const char *text,
                            size_t len)
{
	char head[32];

	if (rc) {
		say_error(k, rc, text);
	} else {
		mu_format(head, sizeof head, "ok %zu\n", len);
		say(k, head);
		mu_buf_put(&k->out, text, len);
	}
	k->state = MU_CONTROL_SEND;
	k->since_ms = mu_loop_now_ms(k->control->loop);
	want(k);
}

void mu_control_conn_give(struct mu_control_conn *k, int fd)
{
	struct stat st;
	char head[32];

	if (fstat(fd, &st) || st.st_size < 0) {
		mu_control_conn_answer(k, MU_EIO,
		                       "the snapshot is not readable", 0);
		close(fd);
		return;
	}
	k->file = fd;
	k->file_at = 0;
	k->file_len = (uint64_t)st.st_size;
	mu_format(head, sizeof head, "ok %llu\n",
	          (unsigned long long)k->file_len);
	say(k, head);
	k->state = MU_CONTROL_SEND;
	k->since_ms = mu_loop_now_ms(k->control->loop);
	want(k);
}

/* ---- requests ---------------------------------------------------------------------- */

static void fail(struct mu_control_conn *k, int rc, const struct mu_err *err)
{
	mu_control_conn_answer(k, rc, err->msg, 0);
}

static void on_status(struct mu_control_conn *k)
{
	const struct mu_control_owner *o = &k->control->owner;
	char *text = o->status(o->arg);

	if (text)
		mu_control_conn_answer(k, 0, text, strlen(text));
	else
		mu_control_conn_answer(k, MU_ENOMEM, "", 0);
	free(text);
}

static void begin(struct mu_control_conn *k,
                  int (*work)(void *arg, uint64_t job, struct mu_err *err))
{
	struct mu_err err = { 0 };
	int rc;

	k->state = MU_CONTROL_JOB;
	k->begun_ms = mu_loop_now_ms(k->control->loop);
	want(k);
	rc = work(k->control->owner.arg, k->job, &err);
	if (rc && k->state == MU_CONTROL_JOB)
		fail(k, rc, &err);
}

static void on_snapshot(struct mu_control_conn *k)
{
	begin(k, k->control->owner.snapshot);
}

static void on_verify(struct mu_control_conn *k)
{
	begin(k, k->control->owner.verify);
}

static void on_backup(struct mu_control_conn *k)
{
	begin(k, k->control->owner.backup);
}

static const struct {
	const char *word;
	void (*begin)(struct mu_control_conn *k);
} requests[] = {
	{ "status", on_status },
	{ "snapshot", on_snapshot },
	{ "verify", on_verify },
	{ "backup", on_backup },
};
#define REQUESTS (sizeof requests / sizeof *requests)

/* ---- restore ----------------------------------------------------------------------- */

static void restore_over(struct mu_control_conn *k)
{
	const struct mu_control_owner *o = &k->control->owner;
	struct mu_err err = { 0 };

	if (!k->restoring)
		return;
	k->restoring = false;
	o->restore_end(o->arg, k->job, false, &err);
}

static void restore_begin(struct mu_control_conn *k, const char *number)
{
	const struct mu_control_owner *o = &k->control->owner;
	struct mu_err err = { 0 };
	unsigned long long len;
	char *end;
	int rc;

	errno = 0;
	len = strtoull(number, &end, 10);
	if (*number < '0' || *number > '9' || *end || errno) {
		mu_control_conn_answer(k, MU_EINVAL, "restore wants a length",
		                       0);
		return;
	}
	rc = o->restore_begin(o->arg, k->job, len, &k->body, &err);
	if (rc) {
		fail(k, rc, &err);
		return;
	}
	k->restoring = true;
	k->body_left = len;
	k->state = MU_CONTROL_BODY;
	say(k, "ready\n");
	want(k);
}

static void body_whole(struct mu_control_conn *k)
{
	const struct mu_control_owner *o = &k->control->owner;
	struct mu_err err = { 0 };
	int rc;

	k->restoring = false;
	k->state = MU_CONTROL_JOB;
	k->begun_ms = mu_loop_now_ms(k->control->loop);
	want(k);
	rc = o->restore_end(o->arg, k->job, true, &err);
	if (rc && k->state == MU_CONTROL_JOB)
		fail(k, rc, &err);
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Bytes of a restore. What is behind them is not looked at. */
static void body(struct mu_control_conn *k, const uint8_t *p, size_t len)
{
	char why[128];

	if (len > k->body_left)
		len = (size_t)k->body_left;
	if (write_all(k->body, p, len)) {
		mu_format(why, sizeof why, "cannot keep what comes: %s",
		          strerror(errno));
		restore_over(k);
		mu_control_conn_answer(k, MU_EIO, why, 0);
		return;
	}
	k->body_left -= len;
	if (k->body_left == 0)
		body_whole(k);
}

/* ---- the line ------------------------------------------------------------------------ */

static void request(struct mu_control_conn *k, const char *line)
{
	static const char restore[] = "restore ";

	k->control->requests++;
	if (strncmp(line, restore, strlen(restore)) == 0) {
		restore_begin(k, line + strlen(restore));
		return;
	}
	for (size_t i = 0; i < REQUESTS; i++) {
		if (strcmp(line, requests[i].word) == 0) {
			requests[i].begin(k);
			return;
		}
	}
	mu_control_conn_answer(k, MU_EUNIMPLEMENTED,
	                       "there are status, snapshot, verify, backup and "
	                       "restore LENGTH",
	                       0);
}

/* What stands behind a restore's line belongs to its bytes. */
static void line(struct mu_control_conn *k, const uint8_t *p, size_t len)
{
	char text[MU_CONTROL_LINE_MAX];
	uint8_t *end;
	size_t n;

	mu_buf_put(&k->in, p, len);
	if (mu_buf_failed(&k->in)) {
		mu_control_conn_answer(k, MU_ENOMEM, "", 0);
		return;
	}
	end = memchr(k->in.data, '\n', k->in.len);
	n = end ? (size_t)(end - k->in.data) : k->in.len;
	if (n >= sizeof text) {
		mu_control_conn_answer(k, MU_ETOOBIG, "the line is too long",
		                       0);
		return;
	}
	if (!end)
		return;
	memcpy(text, k->in.data, n);
	text[n] = '\0';
	mu_buf_drop(&k->in, n + 1);
	request(k, text);
	if (k->state == MU_CONTROL_BODY && (k->in.len > 0 || !k->body_left))
		body(k, k->in.data, k->in.len);
	mu_buf_fini(&k->in);
}

/* ---- moving bytes ---------------------------------------------------------------------- */

/* False: the peer has gone. */
static bool receive(struct mu_control_conn *k)
{
	struct mu_control *c = k->control;
	ssize_t n;

	do
		n = recv(k->fd, c->chunk, sizeof c->chunk, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK;
	if (n == 0)
		return false;
	if (k->state == MU_CONTROL_LINE)
		line(k, c->chunk, (size_t)n);
	else
		body(k, c->chunk, (size_t)n);
	if (k->state == MU_CONTROL_BODY)
		k->since_ms = mu_loop_now_ms(c->loop);
	return true;
}

/* What the peer takes of these bytes now; -1: he has gone. */
static ssize_t put(struct mu_control_conn *k, const void *p, size_t len)
{
	ssize_t n;

	do
		n = send(k->fd, p, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		k->since_ms = mu_loop_now_ms(k->control->loop);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	return n;
}

/* A file that does not give what it had ends the connection short of what was
 * told, which the peer takes for the failure that it is. */
static bool send_file(struct mu_control_conn *k)
{
	struct mu_control *c = k->control;
	uint64_t left = k->file_len - k->file_at;
	size_t len = left < sizeof c->chunk ? (size_t)left : sizeof c->chunk;
	ssize_t n;

	do
		n = pread(k->file, c->chunk, len, (off_t)k->file_at);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	n = put(k, c->chunk, (size_t)n);
	if (n < 0)
		return false;
	k->file_at += (uint64_t)n;
	return true;
}

/* One piece; false: it is over. */
static bool transmit(struct mu_control_conn *k)
{
	ssize_t n;

	if (mu_buf_failed(&k->out))
		return false;
	if (k->out.len > 0) {
		n = put(k, k->out.data, k->out.len);
		if (n < 0)
			return false;
		mu_buf_drop(&k->out, (size_t)n);
	} else if (k->file >= 0 && k->file_at < k->file_len) {
		if (!send_file(k))
			return false;
	}
	if (k->state == MU_CONTROL_SEND && k->out.len == 0 &&
	    (k->file < 0 || k->file_at == k->file_len))
		return false;
	want(k);
	return true;
}

static void on_ready(void *arg, int events)
{
	struct mu_control_conn *k = arg;
	bool reads = k->state == MU_CONTROL_LINE || k->state == MU_CONTROL_BODY;
	bool on = true;

	if ((events & MU_POLL_READ) && reads)
		on = receive(k);
	if (on && (events & MU_POLL_WRITE))
		on = transmit(k);
	if (on)
		want(k); /* after an error nothing is watched any more */
	else
		mu_control_drop(k->control, k);
}

/* ---- life ------------------------------------------------------------------------------- */

int mu_control_conn_new(struct mu_control *c, int fd,
                        struct mu_control_conn **out)
{
	struct mu_control_conn *k = mu_alloc(sizeof *k);
	int rc = MU_ENOMEM;

	if (k)
		rc = mu_poll_new(c->loop, fd, on_ready, k, &k->poll);
	if (rc) {
		mu_free(k);
		close(fd);
		return rc;
	}
	k->control = c;
	k->job = ++c->jobs;
	k->fd = fd;
	k->file = k->body = -1;
	k->since_ms = mu_loop_now_ms(c->loop);
	want(k);
	*out = k;
	return 0;
}

void mu_control_conn_free(struct mu_control_conn *k)
{
	restore_over(k);
	mu_poll_free(k->poll);
	close(k->fd);
	if (k->file >= 0)
		close(k->file);
	mu_buf_fini(&k->in);
	mu_buf_fini(&k->out);
	mu_free(k);
}

static void tell_progress(struct mu_control_conn *k, uint64_t now_ms)
{
	char text[200];

	if (k->out.len > OUT_ROOM)
		return;
	mu_format(text, sizeof text, "progress %s%s%llu s\n", k->progress,
	          k->progress[0] ? ", " : "",
	          (unsigned long long)(now_ms - k->begun_ms) / 1000);
	say(k, text);
	want(k);
}

bool mu_control_conn_tick(struct mu_control_conn *k, uint64_t now_ms)
{
	const struct mu_control *c = k->control;
	const uint64_t idle_ms = now_ms - k->since_ms;

	switch (k->state) {
	case MU_CONTROL_LINE:
		return idle_ms < c->line_ms;
	case MU_CONTROL_JOB: /* as long as it takes */
		tell_progress(k, now_ms);
		return true;
	case MU_CONTROL_BODY:
	case MU_CONTROL_SEND:
		break;
	}
	return idle_ms < c->idle_ms;
}
