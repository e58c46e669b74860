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
 * stdout flushed at the end of each line.
 * `parent` is getppid() as it was when main began. MU_EGONE: the agent has ended.
 */
int mu_limits_enclose(pid_t parent, struct mu_err *err);

/* Memory, descriptors, no core dump. 0: no limit of ours. MU_EIO. */
int mu_limits_set(uint32_t memory_max_mb, uint32_t files_max,
                  struct mu_err *err);

/* No limit of ours on memory any more: to say why the plugin cannot run, once
 * none of its code runs again. */
void mu_limits_lift_memory(void);

/* Before each callback: `cpu_max_s` more seconds of CPU than were used so far;
 * SIGXCPU ends a runner that uses them up. 0: no limit. */
void mu_limits_allow_cpu(uint32_t cpu_max_s);

#endif /* MU_RUNNER_LIMITS_H */
