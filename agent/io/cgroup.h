/*
 * cgroup.h - groups of processes below our own one, each with a limit of how many
 * there may be: the controller `pids` of cgroup v2, or of v1 where that has it.
 *
 * What the kernel offers are small files; all here is a few short writes.
 */
#ifndef MU_IO_CGROUP_H
#define MU_IO_CGROUP_H

#include <muster/types.h>

/* The directory of our own cgroup, if we may make groups with that limit in it;
 * this tries. MU_EIO with a sentence that says what is missing. */
int mu_cgroup_find(char *out, size_t room, struct mu_err *err);

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
