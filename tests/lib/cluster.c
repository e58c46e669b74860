#include "cluster.h"

#include "child.h"
#include "relay.h"
#include "zk_server.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 32
#define TAIL_BYTES 3000 /* of each log, shown when a test failed */

/* A text that must fit. */
__attribute__((format(printf, 3, 4))) static void put(char *out, size_t room,
                                                      const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, room, fmt, ap);
	va_end(ap);
	ck_assert_int_lt(n, (int)room);
}
#define PUT(out, ...) put(out, sizeof(out), __VA_ARGS__)

/* ---- what the tree lies in ------------------------------------------------------- */

static struct zk_server zookeeper;
static pid_t zookeeper_owner; /* whose end is the server's end */

enum cluster_backend cluster_backend(void)
{
	static const char *const names[] = { [CLUSTER_NATIVE] = "native",
		                             [CLUSTER_TCP] = "tcp",
		                             [CLUSTER_ZOOKEEPER] =
		                                     "zookeeper" };
	const char *name = getenv("MUSTER_TEST_BACKEND");

	for (int i = 0; name && name[0] && i < 3; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum cluster_backend)i;
	ck_assert_msg(!name || !name[0], "MUSTER_TEST_BACKEND=%s is unknown",
	              name);
	return CLUSTER_NATIVE;
}

/* Tests are forked off: their ends are not the server's. */
static void zookeeper_end(void)
{
	if (getpid() == zookeeper_owner)
		zk_server_free(&zookeeper);
}

void cluster_zookeeper_start(void)
{
	if (zookeeper_owner)
		return;
	zookeeper_owner = getpid();
	atexit(zookeeper_end);
	zk_server_start(&zookeeper, 100, NULL);
}

void cluster_backend_up(void)
{
	if (cluster_backend() != CLUSTER_ZOOKEEPER)
		return;
	if (!zk_is_installed("system tests on a real ZooKeeper"))
		exit(ZK_SKIP_EXIT);
	cluster_zookeeper_start();
}

bool cluster_skips(const char *test, const char *reason)
{
	if (cluster_backend() != CLUSTER_ZOOKEEPER)
		return false;
	/* Check makes the function of a test from its name and "_fn". */
	printf("SKIPPED: %.*s: %s\n", (int)strlen(test) - 3, test, reason);
	fflush(stdout);
	return true;
}

const char *cluster_url(const struct cluster *c, const char *chroot)
{
	static char url[2 * CLUSTER_PATH_MAX];

	bool behind_hash = chroot[0] && strncmp(c->url, "ipc:", 4) == 0;

	PUT(url, "%s%s%s", c->url, behind_hash ? "#" : "", chroot);
	return url;
}

/* The node that stands for the root of this cluster's tree. */
static const char *chroot_of(const struct cluster *c)
{
	return strrchr(c->dir, '/');
}

static void make_chroot(const struct cluster *c)
{
	char url[CLUSTER_PATH_MAX];
	struct run r;

	PUT(url, "zookeeper://127.0.0.1:%u", (unsigned)zookeeper.port);
	cluster_muster(&r, "-b", url, "create", chroot_of(c), NULL);
	ck_assert_msg(r.exit == 0 || strstr(r.err, "exists"), "%s", r.err);
	run_free(&r);
}

/* Before the server that all share stands a relay for each cluster. */
static void zookeeper_reach(struct cluster *c)
{
	bool first = c->port == 0;

	ck_assert_msg(zookeeper_owner != 0,
	              "cluster_backend_up was not called");
	relay_start(&c->broker, &c->port, zookeeper.port);
	if (!first)
		return;
	make_chroot(c);
	PUT(c->url, "zookeeper://127.0.0.1:%u%s", (unsigned)c->port,
	    chroot_of(c));
	PUT(c->tcp, "%s", c->url);
	ck_assert_int_eq(setenv("MUSTER_BROKER", c->url, 1), 0);
}

/* ---- the keeper ------------------------------------------------------------------ */

static void show_tail(const char *path)
{
	size_t len;
	char *text = file_read(path, &len);

	if (!text || len == 0)
		goto out;
	dprintf(2, "---- end of %s\n%s\n", path,
	        text + (len > TAIL_BYTES ? len - TAIL_BYTES : 0));
out:
	free(text);
}

static bool is_log(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && strcmp(dot, ".log") == 0;
}

/* The logs of a directory and of those right below it. */
static void show_logs(const char *dir, int depth)
{
	DIR *d = opendir(dir);
	char path[512];

	for (struct dirent *e; d && (e = readdir(d));) {
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (is_log(e->d_name))
			show_tail(path);
		else if (e->d_name[0] != '.' && depth > 0 &&
		         e->d_type == DT_DIR)
			show_logs(path, depth - 1);
	}
	if (d)
		closedir(d);
}

/* Lives until the test's process ends; in a session of its own, for Check kills
 * the process group of a test that is over. */
static void keep(const char *dir, int fd)
{
	char closed = 0;

	setsid();
	signal(SIGTERM, SIG_IGN);
	while (read(fd, &closed, 1) < 0)
		continue;
	if (!closed) {
		show_logs(dir, 1);
		dir_remove(dir);
	}
	_exit(0);
}

static void keeper_start(struct cluster *c)
{
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	c->keeper = child_fork();
	if (c->keeper == 0) {
		close(fd[1]);
		keep(c->dir, fd[0]);
	}
	close(fd[0]);
	c->keeper_fd = fd[1];
}

/* ---- the whole --------------------------------------------------------------------- */

void cluster_open(struct cluster *c)
{
	*c = (struct cluster){ .keeper_fd = -1 };
	dir_make(c->dir, sizeof c->dir);
	keeper_start(c);
	PUT(c->ipc, "ipc://%s/broker.sock", c->dir);
	PUT(c->log, "%s/broker.log", c->dir);
	PUT(c->conf, "%s/broker.conf", c->dir);
	PUT(c->ready, "%s/broker.ready", c->dir);
	PUT(c->url, "%s", c->ipc);
	if (cluster_backend() == CLUSTER_TCP) {
		ports_free(&c->port, 1);
		PUT(c->url, "zookeeper://127.0.0.1:%u", (unsigned)c->port);
	}
	ck_assert_int_eq(setenv("MUSTER_BROKER", c->url, 1), 0);
}

void cluster_close(struct cluster *c)
{
	for (size_t i = 0; i < c->agents; i++)
		program_stop(&c->agent[i]->program, SIGTERM);
	program_stop(&c->broker, SIGTERM);
	dir_remove(c->dir);
	ck_assert_int_eq((int)write(c->keeper_fd, "x", 1), 1);
	close(c->keeper_fd);
	waitpid(c->keeper, NULL, 0);
}

const char *cluster_file(const struct cluster *c, const char *name)
{
	static char path[4][CLUSTER_PATH_MAX * 2];
	static unsigned next;
	char *out = path[next++ % 4];

	put(out, sizeof path[0], "%s/%s", c->dir, name);
	return out;
}

const char *cluster_program(const char *name)
{
	static char path[4][CLUSTER_PATH_MAX * 2];
	static unsigned next;
	char *out = path[next++ % 4];

	put(out, sizeof path[0], "%s/%s", MU_BUILD, name);
	return out;
}

/* ---- broker ---------------------------------------------------------------------------- */

void cluster_broker_conf(struct cluster *c, bool tcp, const char *more)
{
	char text[4096], port[64] = "";

	if (c->port) /* the agents know it already */
		PUT(port, "\"127.0.0.1:%u\"", (unsigned)c->port);
	else if (c->with_zk)
		PUT(port, "\"127.0.0.1:*\"");
	PUT(text,
	    "listen = [ \"%s\"%s ];\n"
	    "listen_zookeeper = [ %s ];\n"
	    "data_dir = \"%s/broker\";\n"
	    "journal_segment_bytes = 1048576;\n"
	    "ready_file = \"%s\";\n"
	    "control = \"%s/broker.ctl\";\n"
	    "%s",
	    c->ipc, tcp ? ", \"tcp://127.0.0.1:*\"" : "", port, c->dir,
	    c->ready, c->dir, more ? more : "");
	file_write_text(c->conf, text);
}

/* Listening, or ended. */
static bool is_up_or_dead(void *arg)
{
	struct cluster *c = arg;

	return access(c->ready, F_OK) == 0 || !program_is_running(&c->broker);
}

/* The port taken stands in the ready file: an address a line. */
static void read_addresses(struct cluster *c)
{
	char *text = file_read(c->ready, NULL), *tcp, *zk;

	c->tcp[0] = c->zk[0] = '\0';
	ck_assert_ptr_nonnull(text);
	tcp = strstr(text, "tcp://");
	if (tcp)
		PUT(c->tcp, "%.*s", (int)strcspn(tcp, "\n"), tcp);
	zk = strstr(text, "zookeeper://");
	if (zk)
		PUT(c->zk, "%.*s", (int)strcspn(zk, "\n"), zk);
	free(text);
}

void cluster_broker_start(struct cluster *c)
{
	const char *argv[] = { cluster_program("muster-broker"), "--config",
		               c->conf, NULL };
	char data[CLUSTER_PATH_MAX + 16];

	ck_assert_int_eq(c->broker.pid, 0);
	if (cluster_backend() == CLUSTER_ZOOKEEPER) {
		zookeeper_reach(c);
		return;
	}
	if (access(c->conf, F_OK))
		cluster_broker_conf(c, false, NULL);
	PUT(data, "%s/broker", c->dir);
	mkdir(data, 0700);
	unlink(c->ready); /* a killed broker leaves it */
	program_start(&c->broker, argv, c->log, c->log);
	ck_assert_msg(wait_for(is_up_or_dead, c, WAIT_MS) && c->broker.pid > 0,
	              "the broker did not start; see its log");
	read_addresses(c);
}

void cluster_broker_stop(struct cluster *c, int signum)
{
	int code;

	ck_assert_int_gt(c->broker.pid, 0);
	code = program_stop(&c->broker, signum);
	ck_assert_int_eq(code, signum == SIGKILL ? 128 + SIGKILL : 0);
}

void cluster_broker_restart(struct cluster *c, int signum)
{
	cluster_broker_stop(c, signum);
	cluster_broker_start(c);
}

/* The epoch stays: to clients it is a later tree, not an earlier time. */
void cluster_broker_lose_tree(struct cluster *c)
{
	char path[CLUSTER_PATH_MAX * 2];
	struct dirent *e;
	DIR *dir;

	cluster_broker_stop(c, SIGKILL);
	if (cluster_backend() == CLUSTER_ZOOKEEPER) {
		cluster_broker_start(c);
		return;
	}
	PUT(path, "%s/broker", c->dir);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while ((e = readdir(dir))) {
		if (strncmp(e->d_name, "journal-", 8) &&
		    strncmp(e->d_name, "snapshot-", 9))
			continue;
		PUT(path, "%s/broker/%s", c->dir, e->d_name);
		ck_assert_int_eq(unlink(path), 0);
	}
	closedir(dir);
	cluster_broker_start(c);
}

/* ---- agents ------------------------------------------------------------------------------ */

void cluster_agent_conf(const struct cluster_agent *a, const char *name,
                        const char *url, const char *more)
{
	char text[4096];

	PUT(text,
	    "name = \"%s\";\n"
	    "brokers = [ \"%s\" ];\n"
	    "state_dir = \"%s\";\n"
	    "runtime_dir = \"%s\";\n"
	    "conf_dir = \"%s\";\n"
	    "%s",
	    name, url, a->state, a->run, a->conf_d, more);
	file_write_text(a->conf, text);
}

void cluster_agent_init(struct cluster *c, struct cluster_agent *a,
                        const char *name, const char *more)
{
	*a = (struct cluster_agent){ .program = { 0 } };
	ck_assert_uint_lt(c->agents, CLUSTER_AGENTS_MAX);
	c->agent[c->agents++] = a;
	PUT(a->name, "%s", name);
	PUT(a->dir, "%s/%s", c->dir, name);
	PUT(a->conf, "%s/agent.conf", a->dir);
	PUT(a->conf_d, "%s/conf.d", a->dir);
	PUT(a->state, "%s/state", a->dir);
	PUT(a->run, "%s/run", a->dir);
	PUT(a->log, "%s/agent.log", a->dir);
	ck_assert_int_eq(mkdir(a->dir, 0755), 0);
	ck_assert_int_eq(mkdir(a->conf_d, 0755), 0);
	ck_assert_int_eq(mkdir(a->state, 0700), 0);
	ck_assert_int_eq(mkdir(a->run, 0700), 0);
	cluster_agent_conf(a, name, c->url, more ? more : "");
}

void cluster_agent_instances(const struct cluster_agent *a, const char *file,
                             const char *text)
{
	char path[2 * CLUSTER_PATH_MAX];

	PUT(path, "%s/%s", a->conf_d, file);
	file_write_text(path, text);
}

void cluster_agent_start(struct cluster_agent *a)
{
	const char *argv[] = { cluster_program("muster-agent"), "--config",
		               a->conf, NULL };

	ck_assert_int_eq(a->program.pid, 0);
	program_start(&a->program, argv, a->log, a->log);
}

void cluster_agent_up(struct cluster *c, struct cluster_agent *a,
                      const char *name, const char *more, const char *instances)
{
	cluster_agent_init(c, a, name, more);
	if (instances)
		cluster_agent_instances(a, "i.conf", instances);
	cluster_agent_start(a);
	cluster_agent_wait_log(a, "msg=registered");
}

int cluster_agent_stop(struct cluster_agent *a, int signum)
{
	ck_assert_int_gt(a->program.pid, 0);
	return program_stop(&a->program, signum);
}

struct looked_for {
	pid_t parent, child;
};

static bool has_child(void *arg)
{
	struct looked_for *l = arg;
	char path[64], *text;

	PUT(path, "/proc/%d/task/%d/children", (int)l->parent, (int)l->parent);
	text = file_read(path, NULL);
	l->child = text ? (pid_t)atoi(text) : 0;
	free(text);
	return l->child > 1;
}

pid_t cluster_agent_worker(const struct cluster_agent *a)
{
	struct looked_for l = { a->program.pid, 0 };

	ck_assert_int_gt(l.parent, 0);
	ck_assert_msg(wait_for(has_child, &l, WAIT_MS),
	              "the agent %s has no worker", a->name);
	return l.child;
}

pid_t cluster_agent_runner(const struct cluster_agent *a, const char *instance)
{
	char wanted[128], *log = file_read(a->log, NULL), *at = log;
	pid_t pid = 0;

	PUT(wanted, "instance=%s pid=", instance);
	while (at && (at = strstr(at, wanted))) {
		at += strlen(wanted);
		pid = (pid_t)atoi(at);
	}
	free(log);
	ck_assert_msg(pid > 1, "no '%s' in %s", wanted, a->log);
	return pid;
}

/* The supervisor first, or it would see the worker stand still. */
void cluster_agent_freeze(const struct cluster_agent *a)
{
	program_signal(&a->program, SIGSTOP);
	ck_assert_int_eq(kill(cluster_agent_worker(a), SIGSTOP), 0);
}

void cluster_agent_thaw(const struct cluster_agent *a)
{
	ck_assert_int_eq(kill(cluster_agent_worker(a), SIGCONT), 0);
	program_signal(&a->program, SIGCONT);
}

/* ---- the command line ----------------------------------------------------------------------- */

static int run_listed(struct run *r, const char *program, const char *arg,
                      va_list ap)
{
	const char *argv[ARGS_MAX] = { cluster_program(program) };
	size_t n = 1;

	for (const char *a = arg; a; a = va_arg(ap, const char *)) {
		ck_assert_uint_lt(n + 1, ARGS_MAX);
		argv[n++] = a;
	}
	*r = (struct run){ .argv = argv };
	run(r);
	r->argv = NULL;
	return r->exit;
}

int cluster_muster(struct run *r, const char *arg, ...)
{
	va_list ap;
	int rc;

	va_start(ap, arg);
	rc = run_listed(r, "muster", arg, ap);
	va_end(ap);
	return rc;
}

int cluster_run(struct run *r, const char *program, const char *arg, ...)
{
	va_list ap;
	int rc;

	va_start(ap, arg);
	rc = run_listed(r, program, arg, ap);
	va_end(ap);
	return rc;
}

bool cluster_node_is(const char *path, const char *text)
{
	struct run r;
	bool is;

	cluster_muster(&r, "get", path, NULL);
	is = r.exit == 0 && strcmp(r.out, text) == 0;
	run_free(&r);
	return is;
}

struct node_wanted {
	const char *path, *text;
};

static bool node_is_as_wanted(void *arg)
{
	const struct node_wanted *w = arg;
	struct run r;
	bool is;

	if (w->text)
		return cluster_node_is(w->path, w->text);
	is = cluster_muster(&r, "stat", w->path, NULL) == 2;
	run_free(&r);
	return is;
}

void cluster_wait_node(const char *path, const char *text)
{
	struct node_wanted w = { path, text };

	ck_assert_msg(wait_for(node_is_as_wanted, &w, WAIT_MS),
	              "%s did not come to be %s", path, text ? text : "gone");
}

void cluster_edit(const char *verb, const char *path, const char *value)
{
	struct run r;

	ck_assert_int_eq(cluster_muster(&r, verb, path, value, NULL), 0);
	run_free(&r);
}

static bool is_node(void *arg)
{
	struct run r;
	int rc = cluster_muster(&r, "stat", (const char *)arg, NULL);

	run_free(&r);
	return rc == 0;
}

void cluster_wait_for_node(const char *path)
{
	ck_assert_msg(wait_for(is_node, (void *)(uintptr_t)path, WAIT_MS),
	              "%s is not there", path);
}

void cluster_agent_wait_log(const struct cluster_agent *a, const char *text)
{
	ck_assert_msg(file_comes_to_have(a->log, text, WAIT_MS),
	              "no '%s' in %s", text, a->log);
}

void cluster_agent_wait_times(const struct cluster_agent *a, const char *text,
                              unsigned count)
{
	ck_assert_msg(file_comes_to_count(a->log, text, count, WAIT_MS),
	              "'%s' is in %s %u times, not %u", text, a->log,
	              file_count(a->log, text), count);
}
