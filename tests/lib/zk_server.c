#include "zk_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define JARS "/usr/share/java/"
#define START_MS 60000u /* a JVM on a busy machine */
#define SERVERS_MAX 5

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

bool zk_is_installed(const char *what)
{
	if (access("/usr/bin/java", X_OK) == 0 &&
	    access(JARS "zookeeper.jar", R_OK) == 0)
		return true;
	printf("SKIPPED: %s: no ZooKeeper is installed here (apt-get install "
	       "zookeeper default-jre-headless)\n",
	       what);
	fflush(stdout);
	return false;
}

/* ---- files ---- */

static void make_dir(struct zk_server *s)
{
	char data[160];

	dir_make(s->dir, sizeof s->dir);
	PUT(s->log, "%s/zookeeper.log", s->dir);
	PUT(data, "%s/data", s->dir);
	ck_assert_int_eq(mkdir(data, 0700), 0);
}

static void write_config(const struct zk_server *s, unsigned tick_ms,
                         const char *more)
{
	char path[160], text[2048];

	PUT(text,
	    "tickTime=%u\ndataDir=%s/data\nclientPort=%u\n"
	    "clientPortAddress=127.0.0.1\nmaxSessionTimeout=120000\n"
	    "maxClientCnxns=0\nadmin.enableServer=false\n"
	    "4lw.commands.whitelist=*\n%s",
	    tick_ms, s->dir, (unsigned)s->port, more ? more : "");
	PUT(path, "%s/zoo.cfg", s->dir);
	file_write_text(path, text);
}

void zk_server_again(struct zk_server *s)
{
	char config[160];
	const char *argv[] = {
		"/usr/bin/java",
		"-Xmx128m",
		"-XX:+UseSerialGC",
		"-XX:TieredStopAtLevel=1",
		"-Dzookeeper.forceSync=no",
		"-Dzookeeper.preAllocSize=1024",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp",
		JARS "zookeeper.jar:" JARS "slf4j-simple.jar",
		"org.apache.zookeeper.server.quorum.QuorumPeerMain",
		config,
		NULL
	};

	PUT(config, "%s/zoo.cfg", s->dir);
	program_start(&s->program, argv, s->log, s->log);
}

/* ---- is it there? ---- */

static int ask_srvr(uint16_t port, char *out, size_t room)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		                 .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = { 2, 0 };
	size_t len = 0;
	ssize_t n = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
	    send(fd, "srvr", 4, MSG_NOSIGNAL) == 4)
		while (n > 0 && len + 1 < room) {
			n = recv(fd, out + len, room - len - 1, 0);
			len += n > 0 ? (size_t)n : 0;
		}
	out[len] = '\0';
	close(fd);
	return len > 0;
}

void zk_server_mode(const struct zk_server *s, char mode[16])
{
	char text[2048], *at;

	mode[0] = '\0';
	if (!ask_srvr(s->port, text, sizeof text))
		return;
	at = strstr(text, "Mode: ");
	if (at)
		snprintf(mode, 16, "%.*s", (int)strcspn(at + 6, "\n"), at + 6);
}

bool zk_server_serves_or_ended(void *server)
{
	struct zk_server *s = server;
	char mode[16];

	zk_server_mode(s, mode);
	return mode[0] || !program_is_running(&s->program);
}

static void wait_serving(struct zk_server *s)
{
	bool is = wait_for(zk_server_serves_or_ended, s, START_MS) &&
	          s->program.pid > 0;
	char *log = is ? NULL : file_read(s->log, NULL);

	ck_assert_msg(is, "ZooKeeper does not serve: %s", log ? log : "");
}

/* ---- started, ended ---- */

void zk_server_start(struct zk_server *s, unsigned tick_ms, const char *more)
{
	*s = (struct zk_server){ 0 };
	make_dir(s);
	ports_free(&s->port, 1);
	write_config(s, tick_ms, more);
	zk_server_again(s);
	wait_serving(s);
}

void zk_ensemble_start(struct zk_server s[], size_t count, unsigned tick_ms)
{
	char all[1024] = "initLimit=50\nsyncLimit=20\n", path[160], id[16];
	uint16_t ports[3 * SERVERS_MAX];
	size_t len = strlen(all);

	ck_assert_uint_le(count, SERVERS_MAX);
	ports_free(ports, 3 * count);
	for (size_t i = 0; i < count; i++) {
		put(all + len, sizeof all - len, "server.%zu=127.0.0.1:%u:%u\n",
		    i + 1, (unsigned)ports[3 * i + 1],
		    (unsigned)ports[3 * i + 2]);
		len += strlen(all + len);
	}
	for (size_t i = 0; i < count; i++) {
		s[i] = (struct zk_server){ .port = ports[3 * i] };
		make_dir(&s[i]);
		write_config(&s[i], tick_ms, all);
		PUT(path, "%s/data/myid", s[i].dir);
		PUT(id, "%zu\n", i + 1);
		file_write_text(path, id);
		zk_server_again(&s[i]);
	}
	for (size_t i = 0; i < count; i++)
		wait_serving(&s[i]);
}

void zk_server_stop(struct zk_server *s, int signum)
{
	(void)program_stop(&s->program, signum);
}

void zk_server_free(struct zk_server *s)
{
	if (s->program.pid > 0) {
		kill(s->program.pid, SIGKILL);
		waitpid(s->program.pid, NULL, 0);
		s->program.pid = 0;
	}
	if (s->dir[0])
		dir_remove(s->dir);
	s->dir[0] = '\0';
}
