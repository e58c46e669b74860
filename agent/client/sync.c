#include "client_impl.h"

#include "clock.h"
#include "err.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- waiting ---- */

/* Of a path in a sentence, so that the rest of that has room. */
#define PATH_SHOWN 300 /* bytes */

static const char *dots(const char *path)
{
	return path && strlen(path) > PATH_SHOWN ? "..." : "";
}

/* Code and sentence for what did not come in time. */
static int too_late(const struct mu_client *c, const char *what,
                    const char *path, uint32_t timeout_ms, struct mu_err *err)
{
	char reasons[MU_ERR_MSG_MAX] = "";

	if (c->state != MU_CLIENT_CONNECTED)
		mu_client_reasons(c, reasons, sizeof reasons);
	return mu_err(err, MU_ETIMEDOUT,
	              "%s%s%.*s%s: no answer within %u ms%s%s", what,
	              path ? " " : "", PATH_SHOWN, path ? path : "", dots(path),
	              timeout_ms, reasons[0] ? ": " : "", reasons);
}

static int end_code(const struct mu_client *c)
{
	return c->state == MU_CLIENT_EXPIRED ? MU_EEXPIRED : MU_ECLOSED;
}

int mu_client_wait(struct mu_client *c, uint32_t timeout_ms, struct mu_err *err)
{
	uint64_t until = mu_clock_mono_ms() + timeout_ms;

	mu_client_process(c);
	while (c->state == MU_CLIENT_CONNECTING) {
		if (mu_clock_mono_ms() >= until)
			return too_late(c, "connect", NULL, timeout_ms, err);
		mu_client_pause(c, until);
		mu_client_process(c);
	}
	if (c->state == MU_CLIENT_CONNECTED)
		return 0;
	return mu_err(err, end_code(c), "connect: %s",
	              mu_err_text(end_code(c)));
}

/* A synchronous call: what it is called in sentences, and where its result
 * goes (only the one that its `take` knows is set). */
struct waiter {
	const char *what, *path;
	int (*take)(struct waiter *w, const struct mu_result *r);
	bool done;
	int rc;
	struct mu_stat *stat;
	struct mu_value *value;
	struct mu_names *names;
	char *made;
	size_t room;
	size_t *failed;
};

static void on_done(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct waiter *w = arg;

	(void)c;
	w->done = true;
	w->rc = r->rc;
	if (w->take && (!r->rc || r->results))
		w->rc = w->take(w, r);
}

/* `rc` is what asking gave. */
static int await(struct mu_client *c, struct waiter *w, int rc,
                 uint32_t timeout_ms, struct mu_err *err)
{
	uint64_t until = mu_clock_mono_ms() + timeout_ms;

	if (!rc)
		mu_client_process(c);
	while (!rc && !w->done) {
		if (mu_clock_mono_ms() >= until) {
			mu_calls_forget(c, w);
			return too_late(c, w->what, w->path, timeout_ms, err);
		}
		mu_client_pause(c, until);
		mu_client_process(c);
	}
	if (!rc)
		rc = w->rc;
	if (!rc)
		return 0;
	return mu_err(err, rc, "%s%s%.*s%s: %s", w->what, w->path ? " " : "",
	              PATH_SHOWN, w->path ? w->path : "", dots(w->path),
	              mu_err_text(rc));
}

/* ---- results, copied ---- */

static int take_stat(struct waiter *w, const struct mu_result *r)
{
	if (w->stat && r->stat)
		*w->stat = *r->stat;
	return 0;
}

static int take_value(struct waiter *w, const struct mu_result *r)
{
	size_t len = r->len > 0 ? (size_t)r->len : 0;
	char *data = NULL;

	if (r->len >= 0) {
		data = mu_alloc(len + 1);
		if (!data)
			return MU_ENOMEM;
		if (len)
			memcpy(data, r->data, len);
	}
	*w->value = (struct mu_value){ data, r->len, *r->stat };
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One piece of memory: pointers, then texts. */
static int take_names(struct waiter *w, const struct mu_result *r)
{
	size_t bytes = r->count * sizeof(char *) + 1;
	char **names, *at;

	for (size_t i = 0; i < r->count; i++)
		bytes += strlen(r->children[i]) + 1;
	names = mu_alloc(bytes);
	if (!names)
		return MU_ENOMEM;
	at = (char *)(names + r->count);
	for (size_t i = 0; i < r->count; i++) {
		size_t len = strlen(r->children[i]) + 1;

		names[i] = memcpy(at, r->children[i], len);
		at += len;
	}
	if (r->count)
		qsort(names, r->count, sizeof *names, by_bytes);
	*w->names = (struct mu_names){ names, r->count, *r->stat };
	return 0;
}

static int take_made(struct waiter *w, const struct mu_result *r)
{
	size_t len = strlen(r->path) + 1;

	if (!w->made)
		return 0;
	if (len > w->room)
		return MU_ETOOBIG; /* made, but its name does not fit */
	memcpy(w->made, r->path, len);
	return 0;
}

static int take_failed(struct waiter *w, const struct mu_result *r)
{
	for (size_t i = 0; w->failed && r->rc && i < r->count; i++) {
		if (r->results[i].rc != r->rc)
			continue;
		*w->failed = i;
		break;
	}
	return r->rc;
}

void mu_value_free(struct mu_value *v)
{
	mu_free(v->data);
	*v = (struct mu_value){ .len = -1 };
}

void mu_names_free(struct mu_names *n)
{
	mu_free(n->names);
	*n = (struct mu_names){ 0 };
}

/* ---- calls ---- */

int mu_client_get_sync(struct mu_client *c, const char *path,
                       struct mu_value *out, uint32_t timeout_ms,
                       struct mu_err *err)
{
	struct waiter w = { "get", path, take_value, .value = out };

	return await(c, &w, mu_client_get(c, path, false, on_done, &w),
	             timeout_ms, err);
}

int mu_client_exists_sync(struct mu_client *c, const char *path,
                          struct mu_stat *out, uint32_t timeout_ms,
                          struct mu_err *err)
{
	struct waiter w = { "exists", path, take_stat, .stat = out };

	return await(c, &w, mu_client_exists(c, path, false, on_done, &w),
	             timeout_ms, err);
}

int mu_client_children_sync(struct mu_client *c, const char *path,
                            struct mu_names *out, uint32_t timeout_ms,
                            struct mu_err *err)
{
	struct waiter w = { "children", path, take_names, .names = out };

	return await(c, &w, mu_client_children(c, path, false, on_done, &w),
	             timeout_ms, err);
}

int mu_client_create_sync(struct mu_client *c, const char *path,
                          const void *data, int32_t len, unsigned flags,
                          char *made, size_t room, uint32_t timeout_ms,
                          struct mu_err *err)
{
	struct waiter w = { "create", path, take_made, .made = made,
		            .room = room };

	return await(c, &w,
	             mu_client_create(c, path, data, len, flags, on_done, &w),
	             timeout_ms, err);
}

int mu_client_set_sync(struct mu_client *c, const char *path, const void *data,
                       int32_t len, int32_t version, struct mu_stat *out,
                       uint32_t timeout_ms, struct mu_err *err)
{
	struct waiter w = { "set", path, take_stat, .stat = out };

	return await(c, &w,
	             mu_client_set(c, path, data, len, version, on_done, &w),
	             timeout_ms, err);
}

int mu_client_delete_sync(struct mu_client *c, const char *path,
                          int32_t version, uint32_t timeout_ms,
                          struct mu_err *err)
{
	struct waiter w = { .what = "delete", .path = path };

	return await(c, &w, mu_client_delete(c, path, version, on_done, &w),
	             timeout_ms, err);
}

int mu_client_sync_sync(struct mu_client *c, const char *path,
                        uint32_t timeout_ms, struct mu_err *err)
{
	struct waiter w = { .what = "sync", .path = path };

	return await(c, &w, mu_client_sync(c, path, on_done, &w), timeout_ms,
	             err);
}

int mu_client_multi_sync(struct mu_client *c, const struct mu_multi_op *ops,
                         size_t count, size_t *failed, uint32_t timeout_ms,
                         struct mu_err *err)
{
	struct waiter w = { "multi", NULL, take_failed, .failed = failed };

	return await(c, &w, mu_client_multi(c, ops, count, on_done, &w),
	             timeout_ms, err);
}

int mu_client_add_watch_sync(struct mu_client *c, const char *path,
                             enum mu_addwatch_mode mode, uint32_t timeout_ms,
                             struct mu_err *err)
{
	struct waiter w = { .what = "watch", .path = path };

	return await(c, &w, mu_client_add_watch(c, path, mode, on_done, &w),
	             timeout_ms, err);
}
