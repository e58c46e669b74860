#include "limits.h"

#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* A descriptor for 0, and standard error also as 1; the agent has seen to this
 * already, so what fails here was not needed. */
static void set_standard_files(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fcntl(STDERR_FILENO, F_GETFD) < 0)
		(void)dup2(null, STDERR_FILENO);
	(void)dup2(STDERR_FILENO, STDOUT_FILENO);
	(void)dup2(null, STDIN_FILENO);
	if (null > STDERR_FILENO)
		close(null);
	/* What a plugin printed before it crashed must not die with it. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
}

int mu_limits_enclose(pid_t parent, struct mu_err *err)
{
	set_standard_files();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return mu_err(err, MU_EIO, "cannot tie itself to the agent: %s",
		              strerror(errno));
	/* It may have ended before we asked to be told. */
	if (getppid() != parent)
		return mu_err(err, MU_EGONE, "the agent has ended");
	if (getpgrp() != getpid() && setpgid(0, 0) < 0)
		return mu_err(err, MU_EIO,
		              "cannot lead a process group of its own: %s",
		              strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return mu_err(err, MU_EIO, "cannot give up privileges: %s",
		              strerror(errno));
	return 0;
}

static int set_soft(__rlimit_resource_t which, rlim_t value)
{
	struct rlimit r;

	if (getrlimit(which, &r) < 0)
		return -1;
	r.rlim_cur = value < r.rlim_max ? value : r.rlim_max;
	return setrlimit(which, &r);
}

int mu_limits_set(uint32_t memory_max_mb, uint32_t files_max,
                  struct mu_err *err)
{
	const char *what = NULL;

	if (set_soft(RLIMIT_CORE, 0) < 0)
		what = "core dumps";
	else if (memory_max_mb &&
	         set_soft(RLIMIT_AS, (rlim_t)memory_max_mb << 20) < 0)
		what = "memory";
	else if (files_max && set_soft(RLIMIT_NOFILE, files_max) < 0)
		what = "open files";
	if (what)
		return mu_err(err, MU_EIO, "cannot limit %s: %s", what,
		              strerror(errno));
	return 0;
}

void mu_limits_lift_memory(void)
{
	(void)set_soft(RLIMIT_AS, RLIM_INFINITY);
}

void mu_limits_allow_cpu(uint32_t cpu_max_s)
{
	struct rusage u;
	rlim_t used;

	if (cpu_max_s == 0 || getrusage(RUSAGE_SELF, &u) < 0)
		return;
	used = (rlim_t)u.ru_utime.tv_sec + (rlim_t)u.ru_stime.tv_sec +
	       (rlim_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000000 + 1;
	(void)set_soft(RLIMIT_CPU, used + cpu_max_s);
}
