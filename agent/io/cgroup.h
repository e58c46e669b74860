/*
 * cgroup.h - groups of processes below our own one, each with a limit of how many
 * there may be: the controller `pids` of cgroup v2, or of v1 where that has it.
 *
 * What the kernel offers are small files; all here is a few short writes.
 */
#ifndef MU_IO_CGROUP_H
#define MU_IO_CGROUP_H

#include <muster/types.h>

/* The directory in which we may make groups with that limit; this tries. It is our
 * own cgroup, or of v2, where one with groups below it must hold no process, the
 * one that was ours: see mu_cgroup_leave. MU_EIO with a sentence that says what is
 * missing. */
int mu_cgroup_find(char *out, size_t room, struct mu_err *err);

/* Of v2: move this process and all others of the agent (its supervisor, what they
 * started) from the cgroup `dir` into "muster-agent" below it. If dir is that
 * leaf, it becomes the one above; the root of all is left as it is. MU_EIO: there
 * are others in it, or the kernel refuses. */
int mu_cgroup_leave(char *dir, struct mu_err *err);

/* Make <base>/<name>, or take the one that is there, for at most `max` processes
 * and threads. MU_EIO. */
int mu_cgroup_make(const char *base, const char *name, uint32_t max,
                   struct mu_err *err);
/* Move a process into it. MU_EIO. */
int mu_cgroup_add(const char *base, const char *name, int pid,
                  struct mu_err *err);
/* How many times one more process was refused; 0 also if that is not known. */
uint64_t mu_cgroup_refused(const char *base, const char *name);
/* Kill all that is in it, and remove it. False: not all of it is gone yet; call
 * again a little later. */
bool mu_cgroup_end(const char *base, const char *name);

#endif /* MU_IO_CGROUP_H */
