/*
 * limits.h - what a runner puts around itself before any code of the plugin
 * runs, constructors included.
 *
 * Limits are the soft ones: they stop mistakes, not malice (a plugin that means
 * harm needs another user, not another number), and a command that a plugin
 * starts can go back to the limits that the agent itself was given.
 */
#ifndef MU_RUNNER_LIMITS_H
#define MU_RUNNER_LIMITS_H

#include <muster/types.h>

#include <sys/types.h>

/*
 * Die with the agent, lead a process group, gain no privilege by exec, and have
 * descriptors 0 to 2 as plugin.h says: /dev/null, and standard error twice, with
 * stdout flushed at the end of each line. Files are made with umask 022.
 * `parent` is getppid() as it was when main began. MU_EGONE: the agent has ended.
 */
int mu_limits_enclose(pid_t parent, struct mu_err *err);

struct mu_limits {
	/* 0: no limit of ours. */
	uint32_t memory_max_mb, files_max, processes_max;
	/* "": stay who we are, and where. */
	const char *user, *group, *work_dir;
};

/*
 * Be in work_dir, have the limits of memory, descriptors and processes, no core
 * dump, be that user in that group and no other ones, and give up capabilities:
 * all of them with a user of its own; else those by which root could undo these
 * limits, look into other processes or change the kernel. In this order, all or
 * nothing of use: after an error the plugin must not be loaded. MU_EIO,
 * MU_ECONFIG (there is no such user), MU_EGONE as above.
 */
int mu_limits_set(const struct mu_limits *l, pid_t parent, struct mu_err *err);

/* No limit of ours on memory any more: to say why the plugin cannot run, once
 * none of its code runs again. */
void mu_limits_lift_memory(void);

/* Before each callback: `cpu_max_s` more seconds of CPU than were used so far;
 * SIGXCPU ends a runner that uses them up. 0: no limit. */
void mu_limits_allow_cpu(uint32_t cpu_max_s);

#endif /* MU_RUNNER_LIMITS_H */
