/*
 * pidfile.h - the process that a file names, and no other that was given the same
 * number later.
 *
 * Whose the number is, is asked of no clock: a file's time and a process's start
 * cannot be compared where the clock was set in between. Instead it is remembered,
 * over restarts too, which process the file was found to name, or that it named
 * none: until the file is written anew it names that and nothing else. A file
 * that was not seen before is believed.
 */
#ifndef MU_SERVICE_PIDFILE_H
#define MU_SERVICE_PIDFILE_H

#include "process.h"

struct sighting {
	int pid;
	uint64_t started; /* by the process's; 0: nobody has the number */
	char boot[40];    /* of which boot of the host that is told */
	uint64_t inode;   /* of the file, as is its time: */
	int64_t written_s, written_ns;
};

struct pidfile {
	const char *path, *memory; /* texts of the owner */
	struct sighting last;      /* pid 0: none */
	bool loaded;
};

/* Hold the process. MU_ENONODE: there is none, or it is another one by now; MU_EIO. */
int pidfile_find(struct pidfile *f, struct process *p, struct mu_err *err);

#endif /* MU_SERVICE_PIDFILE_H */
