/*
 * A host as the runner of one revision is: structs as large as its header has
 * them, and not a byte more. Behind each lies a page that nobody may read, so that
 * a plugin which does not ask MU_HAS crashes. See README.
 */
#include <muster/plugin.h>

#include "host.h"
#include "pins.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u

struct said {
	char *text;
	size_t room, len;
};

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
	struct said *s = h->agent;
	va_list ap;
	int n;

	(void)level;
	va_start(ap, fmt);
	n = vsnprintf(s->text + s->len, s->room - s->len, fmt, ap);
	va_end(ap);
	if (n < 0 || s->len + (size_t)n + 2 > s->room)
		abort();
	s->len += (size_t)n;
	s->text[s->len++] = '\n';
	s->text[s->len] = '\0';
}

static const char *host_str(const struct mu_host *h, const char *key,
                            const char *fallback)
{
	(void)h, (void)key;
	return fallback;
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
	(void)h, (void)key;
	return -1;
}

static int host_get(const struct mu_host *h, const char *path,
                    const void **data, int32_t *len, struct mu_stat *stat,
                    uint32_t timeout_ms, struct mu_err *err)
{
	(void)h, (void)path, (void)data, (void)len, (void)stat;
	(void)timeout_ms, (void)err;
	return MU_ENONODE;
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
	(void)h, (void)r, (void)err;
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

static const struct mu_host *host_new(struct said *said)
{
	struct mu_host h = {
		.abi = MU_PLUGIN_ABI,
		.size = sizeof h,
		.agent = said,
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

static int run(const struct mu_plugin *p, const struct mu_host *h)
{
	struct mu_err err = { 0, "" };
	void *self = NULL;
	int rc = p->init(h, &self, &err);

	if (rc)
		return rc;
	rc = p->event(self, event_new(MU_EVENT_CHANGED, "/create", NULL), &err);
	h->log(h, MU_INFO, "event gave %d", rc);
	rc = p->event(self,
	              event_new(MU_EVENT_MEMBER_FAILED, "/members/web1",
	                        member_new()),
	              &err);
#ifdef MU_PLUGIN_REVISION
	if (rc == 0 && p->tick)
		rc = p->tick(self, &err);
	if (p->check)
		h->log(h, MU_INFO, "check gave %d", p->check(self, &err));
#endif
	p->fini(self);
	return rc;
}

MU_EXPORT int abi_host(const void *raw, char *said, size_t room);

int abi_host(const void *raw, char *said, size_t room)
{
	struct said s = { said, room, 0 };
	struct mu_plugin p = { 0 };
	uint32_t head[2];

	memcpy(head, raw, sizeof head);
	if (head[0] != MU_PLUGIN_ABI)
		return MU_EABI;
	memcpy(&p, raw, head[1] < sizeof p ? head[1] : sizeof p);
	return run(&p, host_new(&s));
}
