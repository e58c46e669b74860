#include "control_impl.h"

#include "err.h"
#include "log.h"
#include "mem.h"
#include "unixsock.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MS 10000u
#define IDLE_MS 60000u
#define TICK_MS 1000u
#define SOCKET_MODE 0600

/* ---- connections ------------------------------------------------------------------ */

/* Told in one piece or not at all: he is a stranger, or one too many. */
static void turn_away(struct mu_control *c, int fd, int code,
                      const char *sentence)
{
	char line[200];
	size_t len =
		mu_format(line, sizeof line, "error %d %s\n", code, sentence);

	c->refused++;
	if (send(fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		mu_log(MU_DEBUG, MSG("a refused control link was not told"));
	close(fd);
}

static bool may(const struct mu_unix_peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

static struct mu_control_conn **free_place(struct mu_control *c)
{
	for (size_t i = 0; i < MU_CONTROL_CONNECTIONS_MAX; i++)
		if (!c->conn[i])
			return &c->conn[i];
	return NULL;
}

static void take(struct mu_control *c, int fd, const struct mu_unix_peer *peer)
{
	struct mu_control_conn **place = free_place(c);

	if (!may(peer)) {
		mu_log(MU_WARN, MSG("a stranger at the control socket"),
		       KI("uid", peer->uid), KI("pid", peer->pid));
		turn_away(c, fd, MU_ENOAUTH,
		          "only root and the broker's own user may ask");
		return;
	}
	if (!place) {
		turn_away(c, fd, MU_EFULL,
		          "too many connections to the control socket");
		return;
	}
	if (mu_control_conn_new(c, fd, place))
		mu_log(MU_WARN, MSG("no memory for a control link"));
}

/* Out of descriptors: look again at the next tick, not at once and for ever. */
static void on_waiting(void *arg, int events)
{
	struct mu_control *c = arg;
	struct mu_unix_peer peer;
	int fd, rc;

	(void)events;
	while ((rc = mu_unix_accept(c->fd, &fd, &peer)) == 0)
		take(c, fd, &peer);
	mu_poll_set(c->poll, rc == MU_EAGAIN ? MU_POLL_READ : 0);
}

void mu_control_drop(struct mu_control *c, struct mu_control_conn *k)
{
	for (size_t i = 0; i < MU_CONTROL_CONNECTIONS_MAX; i++)
		if (c->conn[i] == k)
			c->conn[i] = NULL;
	mu_control_conn_free(k);
}

static void on_tick(void *arg)
{
	struct mu_control *c = arg;
	const uint64_t now = mu_loop_now_ms(c->loop);

	for (size_t i = 0; i < MU_CONTROL_CONNECTIONS_MAX; i++)
		if (c->conn[i] && !mu_control_conn_tick(c->conn[i], now))
			mu_control_drop(c, c->conn[i]);
	mu_poll_set(c->poll, MU_POLL_READ);
}

/* ---- open, close --------------------------------------------------------------------- */

static int watch(struct mu_control *c)
{
	int rc = mu_poll_new(c->loop, c->fd, on_waiting, c, &c->poll);

	rc = rc ? rc : mu_timer_new(c->loop, on_tick, c, &c->tick);
	if (rc)
		return rc;
	mu_poll_set(c->poll, MU_POLL_READ);
	mu_timer_arm(c->tick, c->tick_ms, c->tick_ms);
	return 0;
}

int mu_control_open(struct mu_loop *loop,
                    const struct mu_control_config *config,
                    const struct mu_control_owner *owner,
                    struct mu_control **out, struct mu_err *err)
{
	struct mu_control *c = mu_alloc(sizeof *c);
	struct mu_err why = { 0 };
	int rc;

	if (!c)
		return mu_err(err, MU_ENOMEM, "control: out of memory");
	c->loop = loop;
	c->owner = *owner;
	c->fd = -1;
	c->line_ms = config->line_ms ? config->line_ms : LINE_MS;
	c->idle_ms = config->idle_ms ? config->idle_ms : IDLE_MS;
	c->tick_ms = config->tick_ms ? config->tick_ms : TICK_MS;
	mu_format(c->path, sizeof c->path, "%s", config->path);
	rc = mu_unix_listen(config->path, SOCKET_MODE, &c->fd, &why);
	if (rc) {
		mu_free(c);
		return mu_err(err, rc, "control: %.400s", why.msg);
	}
	rc = watch(c);
	if (rc) {
		mu_control_close(c);
		return mu_err(err, rc, "control: cannot watch the socket");
	}
	*out = c;
	return 0;
}

void mu_control_close(struct mu_control *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < MU_CONTROL_CONNECTIONS_MAX; i++)
		if (c->conn[i])
			mu_control_drop(c, c->conn[i]);
	mu_timer_free(c->tick);
	if (c->poll)
		mu_poll_free(c->poll);
	mu_unix_unlisten(c->path, c->fd);
	mu_free(c);
}

/* ---- the owner's answers ---------------------------------------------------------------- */

/* The connection that waits for this job; NULL: its peer has gone. */
static struct mu_control_conn *waiting(const struct mu_control *c, uint64_t job)
{
	for (size_t i = 0; i < MU_CONTROL_CONNECTIONS_MAX; i++)
		if (c->conn[i] && c->conn[i]->job == job &&
		    c->conn[i]->state == MU_CONTROL_JOB)
			return c->conn[i];
	return NULL;
}

void mu_control_done(struct mu_control *c, uint64_t job, int rc,
                     const char *text)
{
	struct mu_control_conn *k = waiting(c, job);

	if (k)
		mu_control_conn_answer(k, rc, text, strlen(text));
}

void mu_control_give(struct mu_control *c, uint64_t job, int fd)
{
	struct mu_control_conn *k = waiting(c, job);

	if (k)
		mu_control_conn_give(k, fd);
	else
		close(fd);
}

void mu_control_progress(struct mu_control *c, uint64_t job, const char *text)
{
	struct mu_control_conn *k = waiting(c, job);

	if (k)
		mu_format(k->progress, sizeof k->progress, "%s", text);
}

void mu_control_stats(const struct mu_control *c, struct mu_control_stats *out)
{
	*out = (struct mu_control_stats){ .taken = c->jobs,
		                          .requests = c->requests,
		                          .refused = c->refused };
	for (size_t i = 0; i < MU_CONTROL_CONNECTIONS_MAX; i++)
		out->connections += c->conn[i] != NULL;
}
