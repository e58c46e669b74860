/*
 * A host as the runner of one revision is: structs as large as its header has
 * them, and not a byte more. Behind each lies a page that nobody may read, so that
 * a plugin which does not ask MU_HAS crashes. See README.
 */
#include <muster/plugin.h>

#include "host.h"
#include "pins.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u

/* A plugin may call wake on a thread of its own. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A copy of it that ends at the end of what can be read. */
static void *at_the_brink(const void *from, size_t size)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + PAGE, PAGE, PROT_NONE))
		abort();
	return memcpy(p + PAGE - size, from, size);
}

static void host_log(const struct mu_host *h, enum mu_level level,
                     const char *fmt, ...)
{
	struct abi_put *s = h->agent;
	va_list ap;
	int n;

	(void)level;
	pthread_mutex_lock(&lock);
	va_start(ap, fmt);
	n = vsnprintf(s->said + s->len, s->room - s->len, fmt, ap);
	va_end(ap);
	if (n < 0 || s->len + (size_t)n + 2 > s->room)
		abort();
	s->len += (size_t)n;
	s->said[s->len++] = '\n';
	s->said[s->len] = '\0';
	pthread_mutex_unlock(&lock);
}

/* The first setting whose key is, or begins with, this; NULL: none. */
static const char *find_setting(const struct mu_host *h, const char *key,
                                bool begins)
{
	const struct abi_put *s = h->agent;
	const char *const *p = s->settings;
	size_t len = strlen(key);

	for (; p && *p; p += 2)
		if (strncmp(*p, key, len) == 0 && (begins || !(*p)[len]))
			return p[1];
	return NULL;
}

static const char *host_str(const struct mu_host *h, const char *key,
                            const char *fallback)
{
	const char *text = find_setting(h, key, false);

	return text ? text : fallback;
}

static int64_t host_int(const struct mu_host *h, const char *key,
                        int64_t fallback)
{
	(void)h, (void)key;
	return fallback;
}

static bool host_bool(const struct mu_host *h, const char *key, bool fallback)
{
	(void)h, (void)key;
	return fallback;
}

static double host_float(const struct mu_host *h, const char *key,
                         double fallback)
{
	(void)h, (void)key;
	return fallback;
}

static int host_count(const struct mu_host *h, const char *key)
{
	char item[256];
	int n = 0;

	do
		snprintf(item, sizeof item, "%s[%d]", key, n);
	while (find_setting(h, item, true) && ++n);
	return n ? n : -1;
}

/* The node that the first event is about. */
static int host_get(const struct mu_host *h, const char *path,
                    const void **data, int32_t *len, struct mu_stat *stat,
                    uint32_t timeout_ms, struct mu_err *err)
{
	(void)h, (void)timeout_ms, (void)err;
	if (strcmp(path, "/create") != 0)
		return MU_ENONODE;
	*data = "value";
	*len = 5;
	if (stat)
		*stat = (struct mu_stat){ .version = 3 };
	return 0;
}

static int host_children(const struct mu_host *h, const char *path,
                         const char *const **names, size_t *count,
                         uint32_t timeout_ms, struct mu_err *err)
{
	(void)h, (void)path, (void)names, (void)count;
	(void)timeout_ms, (void)err;
	return MU_ENONODE;
}

static int host_set(const struct mu_host *h, const char *path, const void *data,
                    int32_t len, int32_t version, uint32_t timeout_ms,
                    struct mu_err *err)
{
	(void)h, (void)path, (void)data, (void)len, (void)version;
	(void)timeout_ms, (void)err;
	return MU_ENONODE;
}

static int host_report(const struct mu_host *h, const struct mu_report *r,
                       struct mu_err *err)
{
	(void)err;
	h->log(h, MU_INFO, "reported %s as %d: '%s'", r->path, (int)r->state,
	       r->reason);
	return 0;
}

#ifdef MU_PLUGIN_REVISION
static int host_create(const struct mu_host *h, const char *path,
                       const void *data, int32_t len, uint32_t flags,
                       uint32_t timeout_ms, struct mu_err *err)
{
	(void)data, (void)len, (void)flags, (void)timeout_ms, (void)err;
	h->log(h, MU_INFO, "made %s", path);
	return 0;
}

static int host_remove(const struct mu_host *h, const char *path,
                       int32_t version, uint32_t timeout_ms, struct mu_err *err)
{
	(void)h, (void)path, (void)version, (void)timeout_ms, (void)err;
	return MU_ENONODE;
}

static void host_wake(const struct mu_host *h)
{
	h->log(h, MU_INFO, "woken");
}

static bool host_is_removed(const struct mu_host *h)
{
	(void)h;
	return true;
}
#endif

#ifdef ABI_FUTURE
static int host_dream(const struct mu_host *h)
{
	(void)h;
	return 0;
}
#endif

static const struct mu_host *host_new(struct abi_put *put)
{
	struct mu_host h = {
		.abi = MU_PLUGIN_ABI,
		.size = sizeof h,
		.agent = put,
		.instance = "it",
		.member = "here",
		.log = host_log,
		.setting_str = host_str,
		.setting_int = host_int,
		.setting_bool = host_bool,
		.setting_float = host_float,
		.setting_count = host_count,
		.get = host_get,
		.children = host_children,
		.set = host_set,
		.report = host_report,
#ifdef MU_PLUGIN_REVISION
		.create = host_create,
		.remove = host_remove,
		.wake = host_wake,
		.is_removed = host_is_removed,
#endif
#ifdef ABI_FUTURE
		.dream = host_dream,
#endif
	};

	return at_the_brink(&h, sizeof h);
}

static const struct mu_event *event_new(uint32_t type, const char *path,
                                        const struct mu_member *member)
{
	static const struct mu_stat stat = { .version = 3 };
	struct mu_event e = {
		.size = sizeof e,
		.type = type,
		.count = 1,
		.zxid = 7,
		.attempt = 1,
		.path = path,
		.data = member ? NULL : "value",
		.data_len = member ? -1 : 5,
		.old_len = -1,
		.stat = member ? NULL : at_the_brink(&stat, sizeof stat),
		.member = member,
#ifdef MU_PLUGIN_REVISION
		.cause = 2,
		.author_session = 0x1f,
		.author = "web1",
#endif
	};

	return at_the_brink(&e, sizeof e);
}

static const struct mu_member *member_new(void)
{
	struct mu_member m = {
		.size = sizeof m,
		.name = "web1",
		.id = "",
		.address = "",
		.port = 80,
		.version = "",
		.boot_id = "",
		.state = "up",
		.labels = "{}",
#ifdef ABI_FUTURE
		.dream = "",
#endif
	};

	return at_the_brink(&m, sizeof m);
}

static int run(const struct mu_plugin *p, const struct mu_host *h,
               struct mu_err *err)
{
	void *self = NULL;
	int rc = p->init(h, &self, err);

	if (rc)
		return rc;
	rc = p->event(self, event_new(MU_EVENT_CHANGED, "/create", NULL), err);
	h->log(h, MU_INFO, "event gave %d", rc);
	rc = p->event(self,
	              event_new(MU_EVENT_MEMBER_FAILED, "/members/web1",
	                        member_new()),
	              err);
#ifdef MU_PLUGIN_REVISION
	if (rc == 0 && p->tick)
		rc = p->tick(self, err);
	if (p->check)
		h->log(h, MU_INFO, "check gave %d", p->check(self, err));
#endif
	p->fini(self);
	return rc;
}

#define END_OF(field) \
	(offsetof(struct mu_plugin, field) + \
	 sizeof(((struct mu_plugin *)0)->field))

/* Of struct mu_plugin, in the revisions up to this one. */
static const size_t sizes[] = {
	END_OF(fini),
#ifdef MU_PLUGIN_REVISION
	END_OF(check),
#endif
#ifdef ABI_FUTURE
	END_OF(dream),
#endif
};

/* What this revision does not know of may stand behind all that it knows. */
static bool is_published(uint32_t size)
{
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		if (size == sizes[i])
			return true;
	return size > sizeof(struct mu_plugin);
}

/* As agent/core/abi.c does. */
static int judge(const uint32_t head[2], char reason[ABI_REASON_MAX])
{
	if (head[0] != MU_PLUGIN_ABI)
		snprintf(reason, ABI_REASON_MAX,
		         "it was built for plugin ABI %u, this agent has %u",
		         (unsigned)head[0], MU_PLUGIN_ABI);
	else if (head[1] < sizes[0])
		snprintf(reason, ABI_REASON_MAX,
		         "it says that its mu_plugin has %u bytes, at least "
		         "%zu are needed",
		         (unsigned)head[1], sizes[0]);
	else if (!is_published(head[1]))
		snprintf(reason, ABI_REASON_MAX,
		         "it says that its mu_plugin has %u bytes, as in no "
		         "published muster/plugin.h",
		         (unsigned)head[1]);
	return reason[0] ? MU_EABI : 0;
}

MU_EXPORT int abi_host(struct abi_put *put);

int abi_host(struct abi_put *put)
{
	struct mu_plugin p = { 0 };
	struct mu_err err = { 0, "" };
	uint32_t head[2];
	int rc;

	memcpy(head, put->plugin, sizeof head);
	put->said[0] = put->reason[0] = '\0';
	rc = judge(head, put->reason);
	if (rc)
		return rc;
	memcpy(&p, put->plugin, head[1] < sizeof p ? head[1] : sizeof p);
	rc = run(&p, host_new(put), &err);
	if (rc)
		snprintf(put->reason, sizeof put->reason, "%s", err.msg);
	return rc;
}
