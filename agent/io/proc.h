/*
 * proc.h - child processes of a loop (libuv). Each child leads a process group
 * of its own, so that it can be killed with all it started.
 */
#ifndef MU_IO_PROC_H
#define MU_IO_PROC_H

#include <muster/types.h>

struct mu_loop;
struct mu_proc;

struct mu_proc_options {
	const char *const *argv; /* argv[0] is the file to run, with its path */
	const char *const *env;  /* NULL: as ours */
	int channel_fd; /* the child's end, becomes descriptor 3; -1: none.
	                   Stays the caller's to close. */
	/* stdin is /dev/null; no other descriptor is open. */
	void (*on_exit)(void *arg, int status, int signum); /* once; signum 0:
	                                                       it exited */
	void *arg;
	int output_fd; /* becomes stdout and stderr; 0: our stderr. Stays the
	                  caller's to close. */
};

/* Start, in a session and a process group of its own. The child has default
 * signal handlers and an empty signal mask. Every descriptor of ours from 3 up
 * is made close-on-exec. MU_EIO with the file and the reason; MU_ENOMEM. */
int mu_proc_start(struct mu_loop *l, const struct mu_proc_options *o,
                  struct mu_proc **out, struct mu_err *err);
int mu_proc_pid(const struct mu_proc *p);
/* Send to the whole group; harmless after the exit. */
void mu_proc_kill(struct mu_proc *p, int signum);
/* Let go: after its exit, or before (on_exit is then never called, the group is
 * killed with SIGKILL, and the loop reaps it). What the process leaves of its
 * group at its exit is killed with SIGKILL then, before on_exit: later the number
 * may be somebody else's. NULL is allowed. */
void mu_proc_free(struct mu_proc *p);

#endif /* MU_IO_PROC_H */
