#include "zk_redis.h"

#include "measure.h"
#include "program.h"
#include "zk_sides.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Debian's redis-tools has the server too: it is this program under another name.
 * So that no package with a service has to be installed. */
#define PROGRAM "/usr/bin/redis-check-rdb"
#define BENCHMARK "/usr/bin/redis-benchmark"
#define REQUESTS "1000000"
#define START_MS 10000u
#define RUN_MS 60000u

static void serve(struct program *p, const char *dir, uint16_t *port)
{
	char name[192], log[192], data[192], number[8];
	const char *argv[] = { name,           "--port",    number,
		               "--bind",       "127.0.0.1", "--dir",
		               data,           "--save",    "",
		               "--appendonly", "yes",       "--appendfsync",
		               "always",       NULL };

	snprintf(name, sizeof name, "%.150s/redis-server", dir);
	snprintf(log, sizeof log, "%.150s/redis.log", dir);
	snprintf(data, sizeof data, "%.150s/redis", dir);
	ports_free(port, 1);
	snprintf(number, sizeof number, "%u", (unsigned)*port);
	if (symlink(PROGRAM, name) || mkdir(data, 0700))
		stop("cannot make Redis's directory");
	program_start(p, argv, log, log);
	if (!wait_for(is_listening, port, START_MS))
		stop("Redis does not serve");
}

/* A line is "GET","1552795.00","0.6",... */
static double rate(const char *csv, const char *what)
{
	const char *at = strstr(csv, what);
	double v = 0;

	if (!at || sscanf(at + strlen(what), "\",\"%lf", &v) != 1 || v <= 0)
		stop("redis-benchmark does not say how many");
	return v;
}

bool zk_redis_measure(const char *dir, double *get, double *set)
{
	struct program server;
	char number[8];
	const char *argv[] = { BENCHMARK, "-p", number,    "-c",     "50",
		               "-P",      "32", "-n",      REQUESTS, "-d",
		               "100",     "-t", "get,set", "--csv",  NULL };
	struct run r = { .argv = argv, .limit_ms = RUN_MS };
	uint16_t port;

	if (access(PROGRAM, X_OK) || access(BENCHMARK, X_OK)) {
		printf("SKIPPED: Redis: it is not installed here (apt-get "
		       "install redis-tools)\n");
		return false;
	}
	serve(&server, dir, &port);
	snprintf(number, sizeof number, "%u", (unsigned)port);
	run(&r);
	if (r.exit)
		stop("redis-benchmark failed");
	*get = rate(r.out, "\"GET");
	*set = rate(r.out, "\"SET");
	run_free(&r);
	program_stop(&server, SIGKILL);
	return true;
}
