#include "limits.h"

#include "account.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

static int die_with(pid_t parent, struct mu_err *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return mu_err(err, MU_EIO, "cannot tie itself to the agent: %s",
		              strerror(errno));
	/* It may have ended before we asked to be told. */
	if (getppid() != parent)
		return mu_err(err, MU_EGONE, "the agent has ended");
	return 0;
}

int mu_limits_enclose(pid_t parent, struct mu_err *err)
{
	int rc;

	set_standard_files();
	(void)umask(022);
	rc = die_with(parent, err);
	if (rc)
		return rc;
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

/* Of processes the hard one as well: nobody has a use for more later. */
static int set_processes(uint32_t max)
{
	const struct rlimit r = { max, max };

	return setrlimit(RLIMIT_NPROC, &r);
}

static int set_numbers(const struct mu_limits *l, struct mu_err *err)
{
	const char *what = NULL;

	if (set_soft(RLIMIT_CORE, 0) < 0)
		what = "core dumps";
	else if (l->memory_max_mb &&
	         set_soft(RLIMIT_AS, (rlim_t)l->memory_max_mb << 20) < 0)
		what = "memory";
	else if (l->files_max && set_soft(RLIMIT_NOFILE, l->files_max) < 0)
		what = "open files";
	else if (l->processes_max && set_processes(l->processes_max) < 0)
		what = "processes";
	if (what)
		return mu_err(err, MU_EIO, "cannot limit %s: %s", what,
		              strerror(errno));
	return 0;
}

/* ---- who it is ---- */

/* What root gives up that has no user of its own. */
static const int dropped[] = {
	CAP_SYS_MODULE, CAP_SYS_RAWIO,          CAP_SYS_BOOT,
	CAP_SYS_PTRACE, CAP_SYS_RESOURCE,       CAP_SYSLOG,
	CAP_MAC_ADMIN,  CAP_MAC_OVERRIDE,       CAP_AUDIT_CONTROL,
	CAP_WAKE_ALARM, CAP_BLOCK_SUSPEND,      CAP_PERFMON,
	CAP_BPF,        CAP_CHECKPOINT_RESTORE,
};

static uint64_t mask_of_dropped(void)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++)
		mask |= 1ull << dropped[i];
	return mask;
}

/* What it starts can have none of `mask` from now on. Who may not touch the
 * bounding set has no use for it. */
static int bound_capabilities(uint64_t mask)
{
	for (int i = 0; i < 64; i++)
		if ((mask >> i & 1) && prctl(PR_CAPBSET_READ, i) == 1 &&
		    prctl(PR_CAPBSET_DROP, i) < 0 && errno != EPERM)
			return -1;
	return 0;
}

static int drop_capabilities(uint64_t mask)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		uint32_t kept = ~(uint32_t)(mask >> (32 * i));

		data[i].effective &= kept;
		data[i].permitted &= kept;
		data[i].inheritable &= kept;
	}
	return (int)syscall(SYS_capset, &head, data);
}

/* Groups first: who is nobody special cannot change them any more. */
static int become(const struct mu_account *a)
{
	uint32_t gid = a->gid;

	if (a->name[0] ? initgroups(a->name, gid) : setgroups(1, &gid))
		return -1;
	if (setresgid(gid, gid, gid))
		return -1;
	return setresuid(a->uid, a->uid, a->uid);
}

static bool is_another(const struct mu_account *a)
{
	return a->uid != getuid() || a->uid != geteuid() ||
	       a->gid != getgid() || a->gid != getegid();
}

static int settle(const struct mu_limits *l, const struct mu_account *a,
                  pid_t parent, struct mu_err *err)
{
	bool own = l->user[0] && a->uid != 0;
	uint64_t mask = own ? UINT64_MAX : mask_of_dropped();

	if (bound_capabilities(mask))
		return mu_err(err, MU_EIO, "cannot give up capabilities: %s",
		              strerror(errno));
	if (is_another(a) && become(a))
		return mu_err(err, MU_EIO,
		              "cannot become user '%.64s', group '%.64s': %s",
		              l->user, l->group, strerror(errno));
	if (drop_capabilities(mask))
		return mu_err(err, MU_EIO, "cannot give up capabilities: %s",
		              strerror(errno));
	/* The kernel forgets it when we become somebody else. */
	return die_with(parent, err);
}

int mu_limits_set(const struct mu_limits *l, pid_t parent, struct mu_err *err)
{
	struct mu_account a;
	int rc = mu_account_find(l->user, l->group, &a, err);

	if (rc)
		return rc;
	if (l->work_dir[0] && chdir(l->work_dir))
		return mu_err(err, MU_EIO,
		              "cannot work in the directory %.300s: %s",
		              l->work_dir, strerror(errno));
	rc = set_numbers(l, err);
	return rc ? rc : settle(l, &a, parent, err);
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
