#include "hostcalls.h"

#include "asked.h"
#include "clock.h"
#include "err.h"
#include "mem.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOG_MAX 2048u /* bytes of a line, with its NUL */

static struct mu_hostcalls *of(const struct mu_host *h)
{
	return h->agent;
}

/* gettid and not pthread_self: in a fork of the plugin the latter is the same,
 * and two processes must not speak on one channel. */
static bool may_call(struct mu_hostcalls *h)
{
	bool here = gettid() == h->thread;

	if (here && h->inside)
		return true;
	if (!atomic_exchange(&h->warned, true))
		dprintf(STDERR_FILENO,
		        "muster-runner: %s: the plugin called its host from "
		        "%s: "
		        "refused\n",
		        h->host.instance,
		        here ? "outside a callback" : "another thread");
	return false;
}

static int refuse(struct mu_err *err)
{
	return mu_err(err, MU_EINVAL,
	              "the host may be called only from inside a callback, on "
	              "its thread");
}

static void host_log(const struct mu_host *host, enum mu_level level,
                     const char *fmt, ...)
{
	struct mu_hostcalls *h = of(host);
	struct mu_chan_log m;
	char text[LOG_MAX];
	va_list ap;

	if (!may_call(h))
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	mu_text_clean(text);
	m.level = (int)level < MU_ERROR   ? MU_ERROR
	          : (int)level > MU_DEBUG ? MU_DEBUG
	                                  : (int32_t)level;
	m.text = mu_str_of(text);
	mu_put_chan_log(mu_channel_begin(h->channel), &m);
	(void)mu_channel_send(h->channel);
}

/* ---- settings ---- */

/* The settings, with a note that this one was asked for. */
static const struct mu_settings *ask_setting(const struct mu_host *host,
                                             const char *key,
                                             enum mu_setting_type type)
{
	struct mu_hostcalls *h = of(host);

	if (gettid() == h->thread && h->inside)
		mu_asked_note(h->settings, key, type);
	return h->settings;
}

static const char *host_setting_str(const struct mu_host *h, const char *key,
                                    const char *fallback)
{
	return mu_settings_str(ask_setting(h, key, MU_SETTING_STR), key,
	                       fallback);
}

static int64_t host_setting_int(const struct mu_host *h, const char *key,
                                int64_t fallback)
{
	return mu_settings_int(ask_setting(h, key, MU_SETTING_INT), key,
	                       fallback);
}

static bool host_setting_bool(const struct mu_host *h, const char *key,
                              bool fallback)
{
	return mu_settings_bool(ask_setting(h, key, MU_SETTING_BOOL), key,
	                        fallback);
}

static double host_setting_float(const struct mu_host *h, const char *key,
                                 double fallback)
{
	return mu_settings_float(ask_setting(h, key, MU_SETTING_FLOAT), key,
	                         fallback);
}

static int host_setting_count(const struct mu_host *h, const char *key)
{
	return mu_settings_count(ask_setting(h, key, MU_SETTING_COUNT), key);
}

/* ---- calls ---- */

/*
 * Wait for the RESULT of call `id`, into *rec. One of an earlier call, which we
 * gave up on, is skipped. An EVENT cannot come now: whoever sends one does not
 * speak this protocol.
 */
static int await_result(struct mu_hostcalls *h, uint64_t id,
                        uint64_t deadline_ms, struct mu_buf *rec,
                        struct mu_chan_result *m)
{
	int rc;

	while ((rc = mu_channel_read(h->channel, deadline_ms, rec)) == 0) {
		struct mu_in in = mu_in_of(rec->data, rec->len);
		int32_t type = mu_chan_type(&in);

		if (type == MU_CHAN_STOP && mu_hostcalls_stop(h, &in) == 0)
			continue;
		if (type != MU_CHAN_RESULT || mu_get_chan_result(&in, m) != 0) {
			h->channel->gone = true;
			return MU_EGONE;
		}
		if (m->id == id)
			return 0;
	}
	return rc;
}

/* What the plugin sees when the agent's answer says no, or none came. */
static int fail(int rc, struct mu_str reason, const char *path,
                struct mu_err *err)
{
	if (rc == MU_EGONE)
		return mu_err(err, MU_ECONNLOSS, "%s: the agent has ended",
		              path);
	if (reason.len)
		return mu_err(err, rc, "%.*s", (int)reason.len, reason.at);
	return mu_err(err, rc, "%s: %s", path, mu_err_text(rc));
}

/* Ask the agent and wait: 0 and its answer in *rec and *m, or the code that
 * the plugin gets. */
static int ask(struct mu_hostcalls *h, struct mu_chan_call *call,
               struct mu_buf *rec, struct mu_chan_result *m, struct mu_err *err)
{
	const char *path = call->path.at;
	int rc;

	call->id = ++h->last_id;
	mu_put_chan_call(mu_channel_begin(h->channel), call);
	rc = mu_channel_send(h->channel);
	if (rc == 0)
		rc = await_result(h, call->id,
		                  mu_clock_mono_ms() + call->timeout_ms, rec,
		                  m);
	if (rc)
		return fail(rc, mu_str_of(NULL), path, err);
	if (m->rc)
		return fail(m->rc, m->reason, path, err);
	return 0;
}

static void drop_answer(struct mu_hostcalls *h)
{
	mu_free(h->names);
	h->names = NULL;
	mu_buf_fini(&h->answer);
}

/* As ask, with the answer kept for the plugin to look at. */
static int ask_and_keep(const struct mu_host *host, struct mu_chan_call *call,
                        struct mu_chan_result *m, struct mu_err *err)
{
	struct mu_hostcalls *h = of(host);

	if (!may_call(h))
		return refuse(err);
	if (!call->path.at)
		return mu_err(err, MU_EINVAL, "the path is missing");
	drop_answer(h);
	return ask(h, call, &h->answer, m, err);
}

static int host_get(const struct mu_host *host, const char *path,
                    const void **data, int32_t *len, struct mu_stat *stat,
                    uint32_t timeout_ms, struct mu_err *err)
{
	struct mu_chan_call call = { .op = MU_CALL_GET,
		                     .path = mu_str_of(path),
		                     .timeout_ms = timeout_ms };
	struct mu_chan_result m;
	int rc = ask_and_keep(host, &call, &m, err);

	if (rc)
		return rc;
	(void)mu_text_end(m.data);
	*data = m.data.at;
	*len = m.data.at ? (int32_t)m.data.len : -1;
	if (stat)
		*stat = m.stat;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int host_children(const struct mu_host *host, const char *path,
                         const char *const **names, size_t *count,
                         uint32_t timeout_ms, struct mu_err *err)
{
	struct mu_chan_call call = { .op = MU_CALL_CHILDREN,
		                     .path = mu_str_of(path),
		                     .timeout_ms = timeout_ms };
	struct mu_hostcalls *h = of(host);
	struct mu_chan_result m;
	struct mu_str name = { NULL, 0 };
	struct mu_in in;
	size_t n;
	int rc = ask_and_keep(host, &call, &m, err);

	if (rc)
		return rc;
	n = m.names.count > 0 ? (size_t)m.names.count : 0;
	h->names = mu_alloc((n + 1) * sizeof *h->names);
	if (!h->names)
		return mu_err(err, MU_ENOMEM, "%s: out of memory", path);
	in = mu_in_of(m.names.at, m.names.len);
	/* A name gets its NUL once the length after it has been read. */
	for (size_t i = 0; i < n; i++) {
		struct mu_str next = mu_get_str(&in);

		(void)mu_text_end(name);
		h->names[i] = next.at ? next.at : "";
		name = next;
	}
	(void)mu_text_end(name);
	qsort(h->names, n, sizeof *h->names, by_name);
	*names = h->names;
	*count = n;
	return 0;
}

/* A call that changes something: there is nothing to look at in its answer. */
static int change(const struct mu_host *host, struct mu_chan_call *call,
                  const void *data, int32_t len, struct mu_err *err)
{
	struct mu_hostcalls *h = of(host);
	struct mu_buf rec = { 0 }; /* not h->answer, which may be in use */
	struct mu_chan_result m;
	int rc;

	if (!may_call(h))
		return refuse(err);
	if (!call->path.at || (!data && len > 0))
		return mu_err(err, MU_EINVAL,
		              "the path or the data is missing");
	if (len >= 0)
		call->data = (struct mu_str){ data ? data : "", (uint32_t)len };
	rc = ask(h, call, &rec, &m, err);
	mu_buf_fini(&rec);
	return rc;
}

static int host_set(const struct mu_host *host, const char *path,
                    const void *data, int32_t len, int32_t version,
                    uint32_t timeout_ms, struct mu_err *err)
{
	struct mu_chan_call call = { .op = MU_CALL_SET,
		                     .path = mu_str_of(path),
		                     .version = version,
		                     .timeout_ms = timeout_ms };

	return change(host, &call, data, len, err);
}

static int host_create(const struct mu_host *host, const char *path,
                       const void *data, int32_t len, uint32_t flags,
                       uint32_t timeout_ms, struct mu_err *err)
{
	struct mu_chan_call call = { .op = MU_CALL_CREATE,
		                     .path = mu_str_of(path),
		                     .version = -1,
		                     .timeout_ms = timeout_ms,
		                     .flags = flags };

	if (flags & ~(uint32_t)MU_PLUGIN_EPHEMERAL)
		return mu_err(err, MU_EINVAL,
		              "flags %u of create are not all of enum "
		              "mu_plugin_create_flags",
		              (unsigned)flags);
	return change(host, &call, data, len, err);
}

static int host_remove(const struct mu_host *host, const char *path,
                       int32_t version, uint32_t timeout_ms, struct mu_err *err)
{
	struct mu_chan_call call = { .op = MU_CALL_DELETE,
		                     .path = mu_str_of(path),
		                     .version = version,
		                     .timeout_ms = timeout_ms };

	return change(host, &call, NULL, -1, err);
}

/* ---- wake ---- */

static void host_wake(const struct mu_host *host)
{
	static const uint64_t one = 1;
	int fd = of(host)->wake_fd, was = errno;

	/* It cannot wait, nor fail but by what the plugin did to it. */
	if (fd >= 0)
		(void)!write(fd, &one, sizeof one);
	errno = was;
}

int mu_hostcalls_hear_wake(struct mu_hostcalls *h, struct mu_err *err)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	h->wake_fd = fd < 0 ? -1 : mu_channel_high(fd);
	if (h->wake_fd < 0)
		return mu_err(err, MU_EIO, "cannot make a descriptor: %s",
		              strerror(errno));
	return 0;
}

bool mu_hostcalls_take_wake(struct mu_hostcalls *h)
{
	uint64_t n;

	if (h->wake_fd < 0)
		return false;
	if (read(h->wake_fd, &n, sizeof n) == (ssize_t)sizeof n)
		return true;
	if (errno != EAGAIN && errno != EINTR)
		h->wake_fd = -1; /* the plugin closed what is not its own */
	return false;
}

static int host_report(const struct mu_host *host, const struct mu_report *r,
                       struct mu_err *err)
{
	struct mu_hostcalls *h = of(host);
	struct mu_chan_report m;
	char reason[MU_ERR_MSG_MAX];
	int rc;

	if (!may_call(h))
		return refuse(err);
	if (!r->path || (int)r->state < MU_REPORT_APPLIED ||
	    (int)r->state > MU_REPORT_FAILED)
		return mu_err(err, MU_EINVAL,
		              "a report needs a path and a state of enum "
		              "mu_report_state");
	(void)mu_format(reason, sizeof reason, "%s",
	                r->reason ? r->reason : "");
	mu_text_clean(reason);
	m = (struct mu_chan_report){
		.path = mu_str_of(r->path),
		.digest = mu_str_of(r->digest ? r->digest : ""),
		.reason = mu_str_of(reason),
		.zxid = r->zxid,
		.version = r->version,
		.state = (int32_t)r->state,
	};
	mu_put_chan_report(mu_channel_begin(h->channel), &m);
	rc = mu_channel_send(h->channel);
	return rc ? fail(rc, mu_str_of(NULL), r->path, err) : 0;
}

/* ---- the end ---- */

static bool host_is_removed(const struct mu_host *host)
{
	struct mu_hostcalls *h = of(host);

	return may_call(h) && h->removed;
}

int mu_hostcalls_stop(struct mu_hostcalls *h, struct mu_in *in)
{
	struct mu_chan_stop m;

	if (mu_get_chan_stop(in, &m))
		return MU_EPROTO;
	h->stopped = true;
	h->removed = m.removed;
	return 0;
}

/* ---- life ---- */

void mu_hostcalls_init(struct mu_hostcalls *h, struct mu_channel *channel,
                       struct mu_settings *settings, const char *instance,
                       const char *member)
{
	*h = (struct mu_hostcalls){
		.channel = channel,
		.settings = settings,
		.thread = gettid(),
		.wake_fd = -1,
		.host = { .abi = MU_PLUGIN_ABI,
		          .size = sizeof(struct mu_host),
		          .agent = h,
		          .instance = instance,
		          .member = member,
		          .log = host_log,
		          .setting_str = host_setting_str,
		          .setting_int = host_setting_int,
		          .setting_bool = host_setting_bool,
		          .setting_float = host_setting_float,
		          .setting_count = host_setting_count,
		          .get = host_get,
		          .children = host_children,
		          .set = host_set,
		          .report = host_report,
		          .create = host_create,
		          .remove = host_remove,
		          .wake = host_wake,
		          .is_removed = host_is_removed },
	};
}

void mu_hostcalls_enter(struct mu_hostcalls *h)
{
	h->inside = true;
}

void mu_hostcalls_leave(struct mu_hostcalls *h)
{
	h->inside = false;
	drop_answer(h);
}
