#include "zk_client.h"

#include "measure.h"

#include <stdio.h>

#if __has_include(<zookeeper/zookeeper.h>)
#define THREADED
/* Its header is not written for our warnings. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <zookeeper/zookeeper.h>
#pragma GCC diagnostic pop
#include <dlfcn.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIBRARY "libzookeeper_mt.so.2"
#define PATH "/caller"
#define CALLER_MS 30000
#define LIMIT_S 20
#define KILL_STEP_NS \
	43000000 /* 20 kills are spread over a heartbeat, and more */

/* Variables of the library in its header; the numbers are the protocol's. */
enum { DELETED = 2, CHANGED = 3, CONNECTED = 3, EPHEMERAL = 1 };

static struct {
	__typeof__(&zookeeper_init) init;
	__typeof__(&zookeeper_close) close;
	__typeof__(&zoo_state) state;
	__typeof__(&zoo_recv_timeout) timeout;
	__typeof__(&zoo_create) create;
	__typeof__(&zoo_get) get;
	__typeof__(&zoo_wget) wget;
	__typeof__(&zoo_set) set;
	__typeof__(&zoo_wexists) wexists;
	__typeof__(&zoo_set_debug_level) set_debug_level;
	const struct ACL_vector *open_acl;
} api;

static const struct {
	const char *name;
	void *at;
} symbols[] = {
	{ "zookeeper_init", &api.init },
	{ "zookeeper_close", &api.close },
	{ "zoo_state", &api.state },
	{ "zoo_recv_timeout", &api.timeout },
	{ "zoo_create", &api.create },
	{ "zoo_get", &api.get },
	{ "zoo_wget", &api.wget },
	{ "zoo_set", &api.set },
	{ "zoo_wexists", &api.wexists },
	{ "zoo_set_debug_level", &api.set_debug_level },
	{ "ZOO_OPEN_ACL_UNSAFE", &api.open_acl },
};

static bool load(void)
{
	void *lib = dlopen(LIBRARY, RTLD_NOW), *found;

	if (!lib)
		return false;
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		found = dlsym(lib, symbols[i].name);
		if (!found)
			return false;
		memcpy(symbols[i].at, &found, sizeof found);
	}
	api.set_debug_level(ZOO_LOG_LEVEL_ERROR);
	return true;
}

/* ---- a session ---------------------------------------------------------------------- */

static bool is_connected(void *arg)
{
	return api.state(arg) == CONNECTED;
}

static zhandle_t *session(const char *host, int timeout_ms)
{
	zhandle_t *h = api.init(host, NULL, timeout_ms, NULL, NULL, 0);

	if (!h || !wait_for(is_connected, h, LIMIT_S * 1000))
		stop("libzookeeper does not connect");
	return h;
}

static zhandle_t *session_at(uint16_t port, int timeout_ms)
{
	char host[32];

	snprintf(host, sizeof host, "127.0.0.1:%u", (unsigned)port);
	return session(host, timeout_ms);
}

/* ---- calls --------------------------------------------------------------------------- */

struct zk_caller {
	zhandle_t *calls, *watches;
	sem_t told;
	_Atomic int64_t told_ns;
};

struct zk_caller *zk_caller_open(uint16_t port)
{
	struct zk_caller *c = calloc(1, sizeof *c);

	if (!c || sem_init(&c->told, 0, 0))
		stop("out of memory");
	c->calls = session_at(port, CALLER_MS);
	c->watches = session_at(port, CALLER_MS);
	api.create(c->calls, PATH, "0", 1, api.open_acl, 0, NULL, 0);
	return c;
}

void zk_caller_close(struct zk_caller *c)
{
	api.close(c->calls);
	api.close(c->watches);
	sem_destroy(&c->told);
	free(c);
}

/* In the library's thread. */
static void on_change(zhandle_t *h, int type, int state, const char *path,
                      void *arg)
{
	struct zk_caller *c = arg;

	(void)h;
	(void)state;
	(void)path;
	if (type != CHANGED)
		return;
	atomic_store(&c->told_ns, now_ns());
	sem_post(&c->told);
}

static bool call(struct zk_caller *c, enum zk_call what)
{
	static const char value[100];
	char text[128];
	int len = sizeof text;

	if (what == ZK_GET)
		return api.get(c->calls, PATH, 0, text, &len, NULL) == 0;
	return api.set(c->calls, PATH, value, sizeof value, -1) == 0;
}

static bool is_watched(struct zk_caller *c)
{
	char text[128];
	int len = sizeof text;

	return api.wget(c->watches, PATH, on_change, c, text, &len, NULL) == 0;
}

static bool is_told(struct zk_caller *c)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += LIMIT_S;
	return sem_timedwait(&c->told, &limit) == 0;
}

static int64_t lap(struct zk_caller *c, enum zk_call what)
{
	int64_t from;

	if (what == ZK_WATCH && !is_watched(c))
		stop("libzookeeper cannot watch");
	from = now_ns();
	if (!call(c, what))
		stop("a call of libzookeeper failed");
	if (what != ZK_WATCH)
		return now_ns() - from;
	if (!is_told(c))
		stop("a change was not told");
	return atomic_load(&c->told_ns) - from;
}

size_t zk_caller_laps(struct zk_caller *c, enum zk_call what, unsigned ms,
                      int64_t took[], size_t max)
{
	const int64_t until = now_ns() + (int64_t)ms * 1000000;
	size_t n = 0;

	while (n < max && now_ns() < until)
		took[n++] = lap(c, what);
	return n;
}

/* ---- a crash --------------------------------------------------------------------------- */

int zk_client_hold(const char *host, const char *path)
{
	zhandle_t *h = load() ? session(host, ZK_KILL_TIMEOUT_MS) : NULL;

	if (!h || api.timeout(h) != ZK_KILL_TIMEOUT_MS)
		return 1;
	if (api.create(h, path, "", 0, api.open_acl, EPHEMERAL, NULL, 0))
		return 1;
	for (;;)
		pause();
}

struct victim {
	zhandle_t *watcher;
	char path[32];
	struct program program;
	int64_t killed_ns;
	_Atomic int64_t gone_ns;
};

static void on_gone(zhandle_t *h, int type, int state, const char *path,
                    void *arg)
{
	struct victim *v = arg;

	(void)h;
	(void)state;
	(void)path;
	if (type == DELETED)
		atomic_store(&v->gone_ns, now_ns());
}

static void begin(struct victim *v, unsigned id, uint16_t port, const char *log)
{
	char host[32];
	const char *argv[] = { "/proc/self/exe", "--hold", host, v->path,
		               NULL };

	snprintf(host, sizeof host, "127.0.0.1:%u", (unsigned)port);
	snprintf(v->path, sizeof v->path, "/victim%u", id);
	program_start(&v->program, argv, log, log);
}

/* There: then a watch is on it. */
static bool is_there(void *arg)
{
	struct victim *v = arg;

	return api.wexists(v->watcher, v->path, NULL, NULL, NULL) == 0 &&
	       api.wexists(v->watcher, v->path, on_gone, v, NULL) == 0;
}

static bool is_gone(void *arg)
{
	return atomic_load(&((struct victim *)arg)->gone_ns) != 0;
}

static void kill_all(struct victim v[ZK_SIDES][ZK_KILLS])
{
	const struct timespec pause = { 0, KILL_STEP_NS };

	for (int i = 0; i < ZK_KILLS; i++) {
		nanosleep(&pause, NULL); /* another phase of its heartbeat */
		for (int side = 0; side < ZK_SIDES; side++) {
			v[side][i].killed_ns = now_ns();
			program_signal(&v[side][i].program, SIGKILL);
		}
	}
}

static void collect(struct victim *v, int64_t *took)
{
	if (!wait_for(is_gone, v, LIMIT_S * 1000))
		stop("a killed client's node is still there");
	program_wait(&v->program, WAIT_MS);
	*took = atomic_load(&v->gone_ns) - v->killed_ns;
}

void zk_client_crash(const struct zk_sides *s, int64_t took[ZK_SIDES][ZK_KILLS])
{
	static struct victim v[ZK_SIDES][ZK_KILLS];
	zhandle_t *watcher[ZK_SIDES];

	for (int side = 0; side < ZK_SIDES; side++) {
		watcher[side] = session_at(s->port[side], CALLER_MS);
		for (unsigned i = 0; i < ZK_KILLS; i++) {
			v[side][i].watcher = watcher[side];
			begin(&v[side][i], i, s->port[side], s->zk.log);
		}
	}
	for (int i = 0; i < ZK_SIDES * ZK_KILLS; i++)
		if (!wait_for(is_there, &v[i % ZK_SIDES][i / ZK_SIDES],
		              LIMIT_S * 1000))
			stop("a client to be killed did not come up");
	kill_all(v);
	for (int i = 0; i < ZK_SIDES * ZK_KILLS; i++)
		collect(&v[i % ZK_SIDES][i / ZK_SIDES],
		        &took[i % ZK_SIDES][i / ZK_SIDES]);
	for (int side = 0; side < ZK_SIDES; side++)
		api.close(watcher[side]);
}

#endif

bool zk_client_load(void)
{
#ifdef THREADED
	if (load())
		return true;
#endif
	printf("SKIPPED: latency and crash through libzookeeper_mt: it is not "
	       "installed here (apt-get install libzookeeper-mt-dev)\n");
	return false;
}

#ifndef THREADED
/* Nobody calls these where zk_client_load says no. */
struct zk_caller *zk_caller_open(uint16_t port)
{
	(void)port;
	return NULL;
}
void zk_caller_close(struct zk_caller *c)
{
	(void)c;
}
size_t zk_caller_laps(struct zk_caller *c, enum zk_call call, unsigned ms,
                      int64_t took[], size_t max)
{
	(void)c, (void)call, (void)ms, (void)took, (void)max;
	return 0;
}
void zk_client_crash(const struct zk_sides *s, int64_t took[ZK_SIDES][ZK_KILLS])
{
	(void)s, (void)took;
}
int zk_client_hold(const char *host, const char *path)
{
	(void)host, (void)path;
	return 1;
}
#endif
