/*
 * cluster.h - a broker and agents for a system test: the programs as built, in a
 * directory of their own, with configuration files as a user would write them.
 *
 *     struct cluster c;
 *     struct cluster_agent a;
 *     struct run r;
 *
 *     cluster_open(&c);
 *     cluster_broker_start(&c);
 *     cluster_agent_init(&c, &a, "alpha", "session_timeout_ms = 500;\n");
 *     cluster_agent_instances(&a, "web.conf", "instances = ( ... );\n");
 *     cluster_agent_start(&a);
 *     cluster_muster(&r, "members", "--json", NULL);
 *     ...
 *     cluster_close(&c);
 *
 * What the cluster's tree lies in is chosen when the tests are run, by
 * MUSTER_TEST_BACKEND:
 *
 *     native      muster-broker over ipc (so if it is not set)
 *     tcp         muster-broker over its plain TCP port
 *     zookeeper   a real ZooKeeper, one for each test program, each cluster below
 *                 a node of its own. `broker` is then a relay before it: stopped,
 *                 the ZooKeeper is out of reach and keeps its tree and sessions
 *
 * A test program says so with cluster_backend_up as the unchecked fixture of its
 * cases; a test of what only muster-broker does begins with ONLY_NATIVE.
 *
 * A failed test never comes to cluster_close (Check ends its process). What was
 * started dies with the process all the same, and a small process beside it, the
 * keeper, then prints the ends of the logs and removes the directory.
 */
#ifndef MU_TEST_CLUSTER_H
#define MU_TEST_CLUSTER_H

#include "program.h"

#define CLUSTER_PATH_MAX 128
#define CLUSTER_AGENTS_MAX 16

enum cluster_backend { CLUSTER_NATIVE, CLUSTER_TCP, CLUSTER_ZOOKEEPER };

struct cluster_agent;

struct cluster {
	char dir[CLUSTER_PATH_MAX]; /* temporary; removed at the end */
	char url[CLUSTER_PATH_MAX]; /* to be used; is in MUSTER_BROKER too */
	char ipc[CLUSTER_PATH_MAX]; /* URL: ipc://<dir>/broker.sock */
	char tcp[CLUSTER_PATH_MAX]; /* URL with the port taken; "" without */
	char zk[CLUSTER_PATH_MAX]; /* URL for ZooKeeper's clients; "" without */
	bool with_zk; /* listen for them: set before the broker.conf is made */
	char log[CLUSTER_PATH_MAX];  /* of the broker: <dir>/broker.log */
	char conf[CLUSTER_PATH_MAX]; /* of the broker */
	char ready[CLUSTER_PATH_MAX];
	uint16_t port; /* over TCP: of the broker, or of the relay */
	struct program broker;
	struct cluster_agent *agent[CLUSTER_AGENTS_MAX]; /* stopped at close */
	size_t agents;
	pid_t keeper;
	int keeper_fd;
};

struct cluster_agent {
	struct program program;
	char name[64];
	char dir[CLUSTER_PATH_MAX];    /* <cluster>/<name> */
	char conf[CLUSTER_PATH_MAX];   /* <dir>/agent.conf */
	char conf_d[CLUSTER_PATH_MAX]; /* <dir>/conf.d */
	char state[CLUSTER_PATH_MAX];  /* <dir>/state */
	char run[CLUSTER_PATH_MAX];    /* <dir>/run */
	char log[CLUSTER_PATH_MAX];    /* <dir>/agent.log */
};

/* ---- what the tree lies in ---- */

enum cluster_backend cluster_backend(void);

/* Get ready what all tests of this program share. Where the backend is not
 * installed it says "SKIPPED: ..." and ends the program. */
void cluster_backend_up(void);

/* A real ZooKeeper, once for this program; ends with it. */
void cluster_zookeeper_start(void);

/* Leave a test of what only muster-broker does, with the reason printed. */
#define ONLY_NATIVE(reason) \
	do { \
		if (cluster_skips(__func__, reason)) \
			return; \
	} while (0)
bool cluster_skips(const char *test, const char *reason);

/* The URL with a chroot ("/team", or "") behind it. */
const char *cluster_url(const struct cluster *c, const char *chroot);

/* ---- the whole ---- */

/* Make the directory. Sets MUSTER_BROKER for this process and what it starts. */
void cluster_open(struct cluster *c);
/* Stop agents and broker (SIGTERM, at the limit SIGKILL), remove the directory. */
void cluster_close(struct cluster *c);

/* A file of the cluster's directory. Static text, overwritten by the fourth call
 * after. */
const char *cluster_file(const struct cluster *c, const char *name);

/* The program as built: "muster" -> <build>/muster. Static text, overwritten by
 * the fourth call after. */
const char *cluster_program(const char *name);

/* ---- broker ---- */

/* Write broker.conf: ipc, with `tcp` a free port on 127.0.0.1 too; `more`: lines
 * to add, or NULL. */
void cluster_broker_conf(struct cluster *c, bool tcp, const char *more);
/* Start it (with a plain broker.conf if none was written) and wait until it
 * listens. */
void cluster_broker_start(struct cluster *c);
/* SIGTERM (must end with 0) or SIGKILL. */
void cluster_broker_stop(struct cluster *c, int signum);
/* Stop by `signum`, start again. */
void cluster_broker_restart(struct cluster *c, int signum);
/* Kill it, remove its journal and snapshots, start it. A real ZooKeeper keeps
 * its tree: it is only lost from sight and found again. */
void cluster_broker_lose_tree(struct cluster *c);

/* ---- agents ---- */

/* Make its directories and agent.conf; `more`: lines to add, or NULL. *a must
 * live until cluster_close. */
void cluster_agent_init(struct cluster *c, struct cluster_agent *a,
                        const char *name, const char *more);
/* Write agent.conf again: another name, URL or lines to add ("": none). */
void cluster_agent_conf(const struct cluster_agent *a, const char *name,
                        const char *url, const char *more);
/* Write conf.d/<file>. */
void cluster_agent_instances(const struct cluster_agent *a, const char *file,
                             const char *text);
/* Start it. Does not wait: `file_comes_to_have(a->log, ...)`, or ask the tree. */
void cluster_agent_start(struct cluster_agent *a);
/* All of it: make it, its instances (one file; NULL: none), start it, and wait
 * until it is registered. */
void cluster_agent_up(struct cluster *c, struct cluster_agent *a,
                      const char *name, const char *more,
                      const char *instances);
/* Send the signal and wait for the end; its exit code. */
int cluster_agent_stop(struct cluster_agent *a, int signum);

/* The process that does the agent's work: program.pid is that of its supervisor,
 * which may have none for a moment. Waits for one; fails the test past WAIT_MS. */
pid_t cluster_agent_worker(const struct cluster_agent *a);
/* The process of the instance that was the last to be ready, as the log says;
 * fails the test if none was. */
pid_t cluster_agent_runner(const struct cluster_agent *a, const char *instance);
/* Stop both as a whole host would stand still, and let them go on. */
void cluster_agent_freeze(const struct cluster_agent *a);
void cluster_agent_thaw(const struct cluster_agent *a);

/* ---- the command line ---- */

/* Run `muster ARGUMENT...`, NULL at the end; free with run_free. Returns the
 * exit code. */
int cluster_muster(struct run *r, const char *arg, ...)
	__attribute__((sentinel));
/* The same with another of our programs. */
int cluster_run(struct run *r, const char *program, const char *arg, ...)
	__attribute__((sentinel));
/* `muster get PATH` gives exactly this text? */
bool cluster_node_is(const char *path, const char *text);
/* Wait for that; fails the test past WAIT_MS. text NULL: until it is gone. */
void cluster_wait_node(const char *path, const char *text);

/* `muster VERB PATH VALUE`, which must work; value NULL: without one. */
void cluster_edit(const char *verb, const char *path, const char *value);
/* Wait until the node is there; fails the test past WAIT_MS. */
void cluster_wait_for_node(const char *path);
/* Wait until the agent's log has the text; fails the test past WAIT_MS. */
void cluster_agent_wait_log(const struct cluster_agent *a, const char *text);
/* Until it has it so many times, or more. */
void cluster_agent_wait_times(const struct cluster_agent *a, const char *text,
                              unsigned count);

#endif /* MU_TEST_CLUSTER_H */
