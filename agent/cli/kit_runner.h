/*
 * kit_runner.h - a muster-runner of our own, and the agent's side of its channel:
 * blocking, with a deadline for each wait. What the runner prints goes to our
 * standard error, as with an agent.
 */
#ifndef MU_CLI_KIT_RUNNER_H
#define MU_CLI_KIT_RUNNER_H

#include "chan.h"

#include <sys/types.h>

struct cli;

struct kit_runner {
	pid_t pid;         /* 0: it has ended */
	int pidfd;         /* readable once it has; -1: closed */
	int fd;            /* our end of the channel; -1: closed */
	struct mu_buf in;  /* what has come */
	size_t taken;      /* of it, by the record that was read last */
	struct mu_buf out; /* what is to go */
	int status;        /* as of waitpid, once it has ended */
};

#define KIT_PLACE_MAX 4096u

/* Where muster-runner is: --runner, $MUSTER_RUNNER, or where the agent finds it:
 * beside this program, else ../libexec. An exit code; anything but CLI_OK has
 * been printed. */
int kit_runner_place(struct cli *cli, char out[KIT_PLACE_MAX]);

/* Start it in a session of its own; argv[0] is its file. MU_EIO, MU_ENOMEM with a
 * sentence: there is nothing to end then. */
int kit_runner_start(struct kit_runner *r, const char *const *argv,
                     struct mu_err *err);

/* Send what was put to r->out. MU_EGONE, MU_ENOMEM; MU_ETIMEDOUT: it does not read. */
int kit_runner_send(struct kit_runner *r);
/* The next record, borrowed until the next read. MU_ETIMEDOUT, MU_EGONE, MU_EPROTO
 * (too large), MU_ENOMEM. */
int kit_runner_read(struct kit_runner *r, uint64_t deadline_ms,
                    struct mu_str *rec);
/* Wait for its end; true: it came by itself. Past the deadline it is killed with
 * its process group. In any case it is gone then, and r->status is set. */
bool kit_runner_wait(struct kit_runner *r, uint64_t deadline_ms);
/* Kill what is left, and let go. */
void kit_runner_fini(struct kit_runner *r);

/* Bytes of memory that are its own and not of a file; -1: not known. */
int64_t kit_runner_memory(const struct kit_runner *r);
/* Its open descriptors, with one or two more: only differences are of use. */
long kit_runner_files(const struct kit_runner *r);

#endif /* MU_CLI_KIT_RUNNER_H */
