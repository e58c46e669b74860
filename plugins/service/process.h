/*
 * process.h - a process that need not be a child: found by its number, held by a
 * pidfd, and told from another one that was given the same number later.
 */
#ifndef MU_SERVICE_PROCESS_H
#define MU_SERVICE_PROCESS_H

#include <muster/types.h>

#include <sys/types.h>

struct process {
	int fd; /* pidfd: readable once it has ended; -1: none is held */
	pid_t pid;
	uint64_t started; /* in clock ticks since boot, from /proc */
};

/* Hold the process of this number. MU_ENONODE: there is none (one that has ended
 * and was not waited for counts as none); MU_EIO. *p is then as it was. */
int process_open(pid_t pid, struct process *p, struct mu_err *err);
void process_close(struct process *p); /* one that holds none is allowed */

bool process_is_held(const struct process *p);
/* Has it ended? How it ended is said in `how` where it was a child of ours. */
bool process_has_ended(const struct process *p, char *how, size_t room);

/* One that was a child of ours and has ended, held or not: it is waited for, and how
 * it ended is said in `how`. False: there is none of that number. */
bool process_reap(pid_t pid, char *how, size_t room);

/* End it, and the process group that it leads: SIGTERM, and SIGKILL if it is there
 * after grace_ms. False: it had to be killed. */
bool process_end(const struct process *p, uint32_t grace_ms);

#endif /* MU_SERVICE_PROCESS_H */
