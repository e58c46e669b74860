#include "zk_sides.h"

#include "measure.h"
#include "raw_tcp.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define JARS "/usr/share/java/"
#define START_MS 60000u /* a JVM on a busy machine */
#define LIMITS \
	"links_per_address_max = 0;\nsessions_max = 20000;\n" \
	"links_max = 20000;\n"

/* ---- ZooKeeper -------------------------------------------------------------------- */

static void write_config(const struct zk_server *s, const char *path)
{
	char text[1024];

	snprintf(text, sizeof text,
	         "tickTime=%d\ndataDir=%s\nclientPort=%u\n"
	         "clientPortAddress=127.0.0.1\nmaxSessionTimeout=120000\n"
	         "maxClientCnxns=0\nadmin.enableServer=false\n",
	         ZK_TICK_MS, s->dir, (unsigned)s->port);
	file_write_text(path, text);
}

static void start_zookeeper(struct zk_server *s, const char *below)
{
	char config[160];
	const char *argv[] = {
		"/usr/bin/java",
		"-Xmx1000m",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp",
		JARS "zookeeper.jar:" JARS "slf4j-simple.jar",
		"org.apache.zookeeper.server.quorum.QuorumPeerMain",
		config,
		NULL
	};

	*s = (struct zk_server){ 0 };
	snprintf(s->dir, sizeof s->dir, "%.100s/zookeeper", below);
	snprintf(s->log, sizeof s->log, "%.100s/zookeeper.log", below);
	snprintf(config, sizeof config, "%.100s/zoo.cfg", below);
	if (mkdir(s->dir, 0700))
		stop("cannot make ZooKeeper's directory");
	ports_free(&s->port, 1);
	write_config(s, config);
	program_start(&s->program, argv, s->log, s->log);
	if (!wait_for(zk_server_serves_or_ended, s, START_MS) ||
	    s->program.pid <= 0)
		stop("ZooKeeper does not serve");
}

/* ---- both ----------------------------------------------------------------------------- */

static uint16_t port_of(const char *url)
{
	unsigned port;
	const char *colon = strrchr(url, ':');

	if (!colon || sscanf(colon, ":%u", &port) != 1)
		stop("the broker has no port for ZooKeeper's clients");
	return (uint16_t)port;
}

void zk_sides_start(struct zk_sides *s)
{
	struct cluster *c = &s->cluster;

	*s = (struct zk_sides){ .name = { "ZooKeeper", "Muster" } };
	cluster_open(c);
	c->with_zk = true;
	cluster_broker_conf(c, false, LIMITS);
	cluster_broker_start(c);
	start_zookeeper(&s->zk, c->dir);
	s->is_durable = !file_has(c->log, "kept in memory only");
	s->port[ZOOKEEPER] = s->zk.port;
	s->port[MUSTER] = port_of(c->zk);
	s->pid[ZOOKEEPER] = s->zk.program.pid;
	s->pid[MUSTER] = c->broker.pid;
}

void zk_sides_stop(struct zk_sides *s)
{
	zk_server_stop(&s->zk, SIGKILL);
	zk_server_free(&s->zk);
	cluster_close(&s->cluster);
}

bool is_listening(void *port)
{
	const int fd = raw_dial(*(const uint16_t *)port);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* ---- what a process uses ------------------------------------------------------------------ */

double rss_mib(pid_t pid)
{
	char path[64], line[256];
	double kib = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		stop("cannot read a process's status");
	while (kib <= 0 && fgets(line, sizeof line, f))
		if (sscanf(line, "VmRSS: %lf", &kib) == 1)
			break;
	fclose(f);
	return kib / 1024;
}

double cpu_s(pid_t pid)
{
	unsigned long user = 0, kernel = 0;
	char path[64], text[1024], *at;
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		stop("cannot read a process's stat");
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	at = strrchr(text, ')'); /* its name may have anything before it */
	if (!at || sscanf(at,
	                  ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
	                  "%lu %lu",
	                  &user, &kernel) != 2)
		stop("cannot read a process's stat");
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

double own_cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}
