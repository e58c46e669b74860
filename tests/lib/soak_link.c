#include "soak_link.h"

#include "program.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_client(struct soak_link *l)
{
	struct mu_client_options o = { .size = sizeof o,
		                       .brokers = l->url,
		                       .timeout_ms = l->timeout_ms,
		                       .arg = l };
	struct mu_err err;

	if (mu_client_new(&o, &l->c, &err)) {
		printf("a writer's session: %s\n", err.msg);
		abort();
	}
}

void soak_link_open(struct soak_link *l, const char *url, uint32_t timeout_ms)
{
	memset(l, 0, sizeof *l);
	snprintf(l->url, sizeof l->url, "%s", url);
	l->timeout_ms = timeout_ms;
	open_client(l);
}

void soak_link_drop(struct soak_link *l)
{
	mu_client_free(l->c);
	l->c = NULL;
}

void soak_link_close(struct soak_link *l)
{
	mu_client_close(l->c, 5000);
	soak_link_drop(l);
}

static int turn(struct soak_link *l, int limit_ms)
{
	struct pollfd p = { mu_client_fd(l->c), POLLIN, 0 };
	int wait = mu_client_timeout_ms(l->c);

	poll(&p, 1, wait < limit_ms ? wait : limit_ms);
	return mu_client_process(l->c);
}

void soak_link_idle(struct soak_link *l, uint32_t ms)
{
	int64_t until = now_ms() + ms, left;

	while ((left = until - now_ms()) > 0)
		if (turn(l, (int)left)) {
			struct pollfd none = { -1, 0, 0 };

			poll(&none, 1, (int)left);
			return;
		}
}

static void on_done(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct soak_link *l = arg;

	(void)c;
	l->done = true;
	l->a.rc = r->rc;
	l->a.zxid = r->zxid;
	if (r->rc)
		return;
	if (r->stat)
		l->a.stat[0] = *r->stat;
	for (size_t i = 0; r->results && i < l->ops; i++)
		if (r->results[i].stat)
			l->a.stat[i] = *r->results[i].stat;
}

static void await(struct soak_link *l, int rc)
{
	if (rc) {
		l->a.rc = rc;
		return;
	}
	while (!l->done)
		if (turn(l, 1000) && !l->done) {
			l->a.rc = MU_EEXPIRED;
			return;
		}
}

static void begin(struct soak_link *l, size_t ops)
{
	memset(&l->a, 0, sizeof l->a);
	l->done = false;
	l->ops = ops;
}

const struct soak_answer *
soak_link_do(struct soak_link *l, const struct mu_multi_op *ops, size_t count)
{
	const struct mu_multi_op *o = ops;
	int rc;

	begin(l, count);
	if (count > 1)
		rc = mu_client_multi(l->c, ops, count, on_done, l);
	else if (o->kind == MU_OPKIND_CREATE)
		rc = mu_client_create(l->c, o->path, o->data, o->len, o->flags,
		                      on_done, l);
	else if (o->kind == MU_OPKIND_SET)
		rc = mu_client_set(l->c, o->path, o->data, o->len, o->version,
		                   on_done, l);
	else
		rc = mu_client_delete(l->c, o->path, o->version, on_done, l);
	await(l, rc);
	return &l->a;
}

int soak_link_look(struct soak_link *l, const char *path, struct mu_stat *out)
{
	for (;;) {
		begin(l, 1);
		await(l, mu_client_exists(l->c, path, false, on_done, l));
		if (l->a.rc == 0)
			*out = l->a.stat[0];
		if (l->a.rc == 0 || l->a.rc == MU_ENONODE)
			return l->a.rc;
		if (l->a.rc == MU_EEXPIRED) {
			soak_link_drop(l);
			open_client(l);
		}
	}
}
